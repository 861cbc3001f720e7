//! Daemons and clients for the tests, with patience for whatever could hang.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use channeler::daemon::{
    self, Answer, Filter, LENGTH_BYTES, Label, Request, Status, Team, WAIT_FOR_EVER,
};
use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take, on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const TEAM: Team = [7; 32];

/// All messages on channels.
pub(crate) const ALL: Filter<'_> =
    Filter::Messages { address: None, team: None, label: Label::Any };

/// A folder that goes with its test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("chd-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file in the folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// What stands in a configuration file, and in which folder.
pub(crate) struct Setup {
    pub(crate) folder: Folder,
    /// Keys before the first table.
    pub(crate) root: String,
    /// Tables.
    pub(crate) tables: String,
    pub(crate) listen: String,
}

impl Setup {
    /// A daemon that believes every peer.
    pub(crate) fn new() -> Setup {
        Setup {
            folder: Folder::new(),
            root: "accept_any = true\n".to_owned(),
            tables: String::new(),
            listen: "127.0.0.1:0".to_owned(),
        }
    }

    pub(crate) fn with(tables: &str) -> Setup {
        Setup { tables: tables.to_owned(), ..Setup::new() }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path("s")
    }

    pub(crate) fn write(&self) -> PathBuf {
        let path = |name| self.folder.path(name).display().to_string();
        let Setup { root, tables, listen, .. } = self;
        // The socket's own table may be continued by what a test adds first.
        let (of_socket, tables) = match tables.strip_prefix("[socket]\n") {
            Some(rest) => rest.split_once("\n\n").unwrap_or((rest, "")),
            None => ("", &tables[..]),
        };
        let text = format!(
            "listen = [\"{listen}\"]\nidentity = \"{}\"\n{root}\n[socket]\npath = \"{}\"\n\
             {of_socket}\n{tables}",
            path("id.pem"),
            path("s")
        );
        self.folder.write("c.toml", &text)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_channelerd"));
        command.arg("--config").arg(self.write());
        command
    }

    /// Starts it, and waits until it serves.
    pub(crate) fn start(self) -> Daemon {
        let command = self.command();
        Daemon::start(self, command)
    }
}

/// A daemon that runs.
pub(crate) struct Daemon {
    pub(crate) setup: Setup,
    pub(crate) address: SocketAddr,
    pub(crate) peer: String,
    process: Process,
}

impl Daemon {
    pub(crate) fn start(setup: Setup, command: Command) -> Daemon {
        let mut process = Process::start(command);
        let line = process.expect("peers find ");
        let (_, found) = line.split_once("peers find ").expect("it is in the line");
        let (peer, address) = found.split_once(" at ").expect("id and address");
        let (peer, address) = (peer.to_owned(), address.parse().expect("an address"));
        Daemon { setup, address, peer, process }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.setup.socket())
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// The next line of the log with this in it.
    pub(crate) fn expect(&mut self, part: &str) -> String {
        self.process.expect(part)
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>, Setup) {
        let (status, lines) = self.process.end();
        (status, lines, self.setup)
    }
}

/// A process and its log.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Process {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("channelerd starts");
        let stderr = child.stderr.take().expect("it is a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // The test may be over.
                let _over = sender.send(line);
            }
        });
        Process { child, lines, seen: Vec::new() }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("the id of a process"), signal).expect("it is ours");
    }

    pub(crate) fn expect(&mut self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {part:?} in {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Which of these is in a line first.
    pub(crate) fn expect_any(&mut self, parts: &[&str]) -> usize {
        loop {
            let line = self.expect("");
            if let Some(index) = parts.iter().position(|part| line.contains(part)) {
                return index;
            }
        }
    }

    /// Waits until it has closed its stderr, and then for its end; its whole log.
    pub(crate) fn end(&mut self) -> (ExitStatus, Vec<String>) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        let status = self.child.wait().expect("it ends");
        (status, std::mem::take(&mut self.seen))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
        if std::thread::panicking() {
            self.seen.extend(self.lines.iter());
            eprintln!("its log: {:#?}", self.seen);
        }
    }
}

/// A client that speaks as it should, or not.
pub(crate) struct Client {
    pub(crate) stream: UnixStream,
    next: u32,
}

/// An answer, with its own bytes.
#[derive(Debug)]
pub(crate) struct Frame(pub(crate) Vec<u8>);

impl Frame {
    pub(crate) fn read(&self) -> (u32, Answer<'_>, &[u8]) {
        daemon::read_answer(&self.0).expect("the daemon speaks its own protocol")
    }

    /// Number, code and text of an error.
    pub(crate) fn error(&self) -> (u32, u32, String) {
        match self.read() {
            (number, Answer::Error { code, text, .. }, _) => (number, code, text.to_owned()),
            (_, other, _) => panic!("{other:?} is no error"),
        }
    }

    /// Label and body of a message.
    pub(crate) fn message(&self) -> (String, Vec<u8>) {
        match self.read() {
            (_, Answer::Message { label, .. }, body) => (label.to_owned(), body.to_vec()),
            (_, other, _) => panic!("{other:?} is no message"),
        }
    }
}

impl Client {
    pub(crate) fn new(path: &Path) -> Client {
        let stream = UnixStream::connect(path).expect("the daemon serves");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Client { stream, next: 1 }
    }

    /// Sends a request; returns its number.
    pub(crate) fn ask_with(&mut self, request: &Request<'_>, message: &[u8]) -> u32 {
        let number = self.next;
        self.next += 1;
        let mut bytes = Vec::new();
        daemon::write_request(&mut bytes, number, request, message).expect("it fits");
        self.stream.write_all(&bytes).expect("the daemon reads");
        number
    }

    pub(crate) fn ask(&mut self, request: &Request<'_>) -> u32 {
        self.ask_with(request, b"")
    }

    /// The next answer; none at the end of the stream.
    pub(crate) fn answer_or_end(&mut self) -> Option<Frame> {
        let mut length = [0; LENGTH_BYTES];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer"),
            Err(_) => return None,
        }
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).ok()?;
        Some(Frame(frame))
    }

    pub(crate) fn answer(&mut self) -> Frame {
        self.answer_or_end().expect("the daemon has closed")
    }

    /// Asks, and expects `Done`.
    pub(crate) fn done(&mut self, request: &Request<'_>, message: &[u8]) {
        let number = self.ask_with(request, message);
        let answer = self.answer();
        assert_eq!(answer.read(), (number, Answer::Done, &b""[..]));
    }

    pub(crate) fn send(&mut self, to: &str, label: &str, message: &[u8]) {
        self.done(&Request::Send { address: to, team: TEAM, label }, message);
    }

    pub(crate) fn follow(&mut self, filter: Filter<'_>) {
        self.done(&Request::Follow { filter }, b"");
    }

    /// Waits for a message on any channel.
    pub(crate) fn receive(&mut self) -> (String, Vec<u8>) {
        let wait_ms = WAIT_FOR_EVER;
        self.ask(&Request::Receive { filter: ALL, capacity: u32::MAX, wait_ms });
        self.answer().message()
    }

    /// A counter of the daemon.
    pub(crate) fn counter(&mut self, name: &str) -> u64 {
        self.status(|status| {
            let found = status.counters.iter().find(|(known, _)| *known == name);
            found.unwrap_or_else(|| panic!("no counter {name}")).1
        })
    }

    pub(crate) fn status<R>(&mut self, look: impl FnOnce(&Status<'_>) -> R) -> R {
        self.ask(&Request::Status);
        match self.answer().read() {
            (_, Answer::Status(status), _) => look(&status),
            (_, other, _) => panic!("{other:?} is no status"),
        }
    }

    /// Waits until the daemon has a receive that is open.
    pub(crate) fn until_open(&mut self) {
        self.until_counter("receives", |count| count > 0);
    }

    /// Asks again and again until a counter is what it should be: it is told by nothing else.
    pub(crate) fn until_counter(&mut self, name: &str, wanted: impl Fn(u64) -> bool) {
        let end = std::time::Instant::now() + PATIENCE;
        while !wanted(self.counter(name)) {
            assert!(std::time::Instant::now() < end, "{name} is {}", self.counter(name));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
