//! The daemon: from a client over its socket, a `channelerd`, QUIC, another `channelerd` and its
//! socket to a client there. A client and its daemon share a core, where both come from our pool
//! of two.

use std::fs;
use std::io::{self, BufReader, IoSlice, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use channeler::daemon::{self, Answer, Filter, LENGTH_BYTES, Label, Request};

use super::{LABEL, TEAM};
use crate::bare::Meter;
use crate::harness::{core_time, pin};

/// Sends without an answer yet.
const OUTSTANDING_MAX: u64 = 64;

/// The answer to number 1.
const DONE: [u8; 6] = [0, 0, 0, 2, 1, 0];

/// What the receiving client reads at once.
const READ_BYTES: usize = 512 << 10;

/// Messages of `size` bytes that the receiving client gets a second.
pub(super) fn messages(size: usize, time: Duration) -> f64 {
    let is_over = AtomicBool::new(false);
    let folder = Folder::new();
    pin(1);
    let there = Daemon::start(&folder.0, "there");
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            pin(1);
            let rate = receive(&there, time);
            is_over.store(true, Ordering::Relaxed);
            rate
        });
        pin(0);
        let here = Daemon::start(&folder.0, "here");
        let began = core_time();
        let sent = send(&here, &there.address, size, &is_over);
        let cost = |took: Duration| took.as_secs_f64() * 1e9 / sent as f64;
        eprintln!(
            "  sent at {:.0} ns of core a message, in its daemon {:.0} ns, in the other {:.0} ns",
            cost(core_time() - began),
            cost(here.core_time()),
            cost(there.core_time()),
        );
        receiving.join().expect("the receiver does not panic")
    })
}

/// Sends until it is over. Returns how many.
fn send(daemon: &Daemon, to: &str, size: usize, is_over: &AtomicBool) -> u64 {
    let mut socket = daemon.connect();
    let message = vec![0x5a; size];
    let request = Request::Send { address: to, team: TEAM, label: LABEL };
    let mut head = Vec::new();
    daemon::write_request_head(&mut head, 1, &request, size).expect("it is short");
    let mut answers = BufReader::new(socket.try_clone().expect("the system has a descriptor"));
    let mut answer = [0; DONE.len()];
    let (mut sent, mut answered) = (0_u64, 0);
    while !is_over.load(Ordering::Relaxed) {
        if sent - answered == OUTSTANDING_MAX {
            answers.read_exact(&mut answer).expect("the daemon lives");
            answer[LENGTH_BYTES] = DONE[LENGTH_BYTES];
            assert_eq!(answer, DONE, "it is done");
            answered += 1;
        }
        // A number may come again after its answer; the daemon looks at that.
        let number = sent % OUTSTANDING_MAX + 1;
        head[LENGTH_BYTES] = u8::try_from(number).expect("below 128: one byte");
        write_all(&mut socket, &head, &message).expect("the daemon lives");
        sent += 1;
    }
    sent
}

/// Takes messages for as long as is measured.
fn receive(daemon: &Daemon, time: Duration) -> f64 {
    let mut socket = daemon.connect();
    let mut follow = Vec::new();
    let filter = Filter::Messages { address: None, team: Some(TEAM), label: Label::Is(LABEL) };
    daemon::write_request(&mut follow, 1, &Request::Follow { filter }, b"").expect("it is short");
    socket.write_all(&follow).expect("the daemon lives");
    let mut buffer = vec![0; READ_BYTES];
    let mut filled = 0;
    let mut meter = Meter::new(time);
    let began = core_time();
    loop {
        let count = socket.read(&mut buffer[filled..]).expect("the daemon lives");
        assert_ne!(count, 0, "the daemon lives");
        filled += count;
        let (mut at, mut messages) = (0, 0);
        while let Ok(Some(length)) = daemon::frame_length(&buffer[at..filled], READ_BYTES) {
            let Some(frame) = buffer[at..filled].get(LENGTH_BYTES..LENGTH_BYTES + length) else {
                break;
            };
            let (_, told, message) = daemon::read_answer(frame).expect("the daemon says it");
            messages += u64::from(matches!(told, Answer::Message { .. }));
            std::hint::black_box(message);
            at += LENGTH_BYTES + length;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        if !meter.add(messages) {
            let cost = (core_time() - began).as_secs_f64() * 1e9 / meter.total as f64;
            eprintln!("  received at {cost:.0} ns of core a message");
            return meter.rate();
        }
    }
}

fn write_all(socket: &mut UnixStream, head: &[u8], message: &[u8]) -> io::Result<()> {
    let mut parts = [IoSlice::new(head), IoSlice::new(message)];
    let mut rest = &mut parts[..];
    while rest.iter().any(|part| !part.is_empty()) {
        let count = socket.write_vectored(rest)?;
        IoSlice::advance_slices(&mut rest, count);
    }
    Ok(())
}

/// A folder that is gone with the sample.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("channeler-bench-{}", std::process::id()));
        fs::create_dir_all(&path).expect("the folder for temporary files can be written");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A `channelerd` on the core of the thread that started it.
struct Daemon {
    child: Child,
    socket: PathBuf,
    address: String,
}

impl Daemon {
    fn start(folder: &Path, name: &str) -> Daemon {
        let socket = folder.join(name);
        let text = format!(
            "listen = [\"127.0.0.1:0\"]\nidentity = \"{0}.pem\"\naccept_any = true\n\
             [socket]\npath = \"{0}\"\n[log]\nlevel = \"notice\"\n",
            socket.display()
        );
        let configuration = socket.with_extension("toml");
        fs::write(&configuration, text).expect("it can be written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_channelerd"))
            .arg("--config")
            .arg(configuration)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it was built");
        let mut log = child.stderr.take().expect("it is piped");
        let (mut text, mut some) = (String::new(), [0; 1000]);
        let address = loop {
            let found = text.split_once(" at 127.0.0.1:");
            if let Some((port, _)) = found.and_then(|(_, rest)| rest.split_once('\n')) {
                break format!("127.0.0.1:{port}");
            }
            let count = log.read(&mut some).expect("a pipe can be read");
            assert_ne!(count, 0, "it did not start: {text}");
            text += &String::from_utf8_lossy(&some[..count]);
        };
        // What it logs later is nobody's, and must not fill the pipe.
        std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        Daemon { child, socket, address }
    }

    fn connect(&self) -> UnixStream {
        let socket = UnixStream::connect(&self.socket).expect("it serves");
        let patience = Some(Duration::from_secs(10));
        socket.set_read_timeout(patience).expect("it is not zero");
        socket.set_write_timeout(patience).expect("it is not zero");
        socket
    }

    /// Time that its threads have had a core.
    fn core_time(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let of = |path: PathBuf| {
            let text = fs::read_to_string(path.join("schedstat")).ok()?;
            text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
        };
        threads.flatten().filter_map(|thread| of(thread.path())).sum()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
