//! Daemons of a test in a folder of their own, and the client run against them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// When a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const TEAM: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

/// A folder that is gone with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("channeler-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the folder for temporary files can be written");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).expect("it can be written");
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A daemon that runs, on a UDP port of the loopback that the system chose.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) socket: PathBuf,
    pub(crate) peer: String,
    pub(crate) address: String,
}

impl Daemon {
    /// Starts it; it believes every peer unless `lines`, the rest of its configuration, begins so.
    pub(crate) fn start(folder: &Folder, name: &str, lines: &str) -> Daemon {
        let path = |ending: &str| folder.path(&format!("{name}.{ending}"));
        let text = format!(
            "listen = [\"127.0.0.1:0\"]\nidentity = \"{}\"\n{lines}\n[socket]\npath = \"{}\"\n",
            path("pem").display(),
            path("sock").display()
        );
        let configuration = folder.file(&format!("{name}.toml"), text.as_bytes());
        let log = File::create(path("log")).expect("it can be written");
        let child = Command::new(env!("CARGO_BIN_EXE_channelerd"))
            .arg("--config")
            .arg(configuration)
            .stderr(log)
            .spawn()
            .expect("it was built");
        let mut daemon =
            Daemon { child, socket: path("sock"), peer: String::new(), address: String::new() };
        let log = path("log");
        let line = wait_for(|| {
            let text = fs::read_to_string(&log).expect("it is there");
            text.lines().find(|line| line.contains("peers find")).map(str::to_owned)
        });
        let (_, who_and_where) = line.split_once("peers find ").expect("it was found");
        let (peer, address) = who_and_where.split_once(" at ").expect("the log says where");
        (daemon.peer, daemon.address) = (peer.to_owned(), address.to_owned());
        daemon
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Waits until a counter of its status is so.
    pub(crate) fn await_counter(&self, name: &str, value: u64) {
        wait_for(|| {
            let status = self.client(&["status", "--json"]).run();
            let status: serde_json::Value = serde_json::from_str(&status.out).expect("it is JSON");
            (status["counters"][name] == value).then_some(())
        });
    }

    /// A client of this daemon.
    pub(crate) fn client(&self, words: &[&str]) -> Client {
        Client::new(&self.socket, words)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two that believe everybody.
pub(crate) fn two_daemons(folder: &Folder) -> (Daemon, Daemon) {
    let any = "accept_any = true";
    (Daemon::start(folder, "anna", any), Daemon::start(folder, "bert", any))
}

/// `channeler`, about to run.
pub(crate) struct Client(Command);

/// What it left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) err: String,
}

impl Client {
    pub(crate) fn new(socket: &Path, words: &[&str]) -> Client {
        let mut command = Command::new(env!("CARGO_BIN_EXE_channeler"));
        command.args(words).env("CHANNELER_SOCKET", socket);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Client(command)
    }

    /// The same on a terminal: what that shows is in its standard output. No word may have a space.
    pub(crate) fn on_terminal(self) -> Client {
        let words = std::iter::once(self.0.get_program()).chain(self.0.get_args());
        let words: Vec<&str> = words.map(|word| word.to_str().expect("it is text")).collect();
        let mut command = Command::new("script");
        command.args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            &words.join(" "),
            "/dev/null",
        ]);
        command.envs(self.0.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Client(command)
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ended {
        self.start().end()
    }

    /// Runs it to its end with this input.
    pub(crate) fn run_with(mut self, input: &[u8]) -> Ended {
        self.0.stdin(Stdio::piped());
        let mut running = self.start();
        let mut stdin = running.0.stdin.take().expect("it is piped");
        thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input));
            running.end()
        })
    }

    /// Starts it; its input is in the caller's hands.
    pub(crate) fn start_with_input(mut self) -> Running {
        self.0.stdin(Stdio::piped());
        self.start()
    }

    pub(crate) fn start(mut self) -> Running {
        Running(self.0.spawn().expect("it was built"))
    }
}

/// `channeler`, running.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn signal(&self, name: &str) {
        let number = self.0.id().to_string();
        let status = Command::new("kill").args(["-s", name, &number]).status();
        assert!(status.expect("every system has it").success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let mut out = self.0.stdout.take();
        let mut err = self.0.stderr.take().expect("it is piped");
        let (mut bytes, mut told) = (Vec::new(), String::new());
        thread::scope(|scope| {
            if let Some(out) = &mut out {
                scope.spawn(|| out.read_to_end(&mut bytes).expect("a pipe can be read"));
            }
            scope.spawn(|| err.read_to_string(&mut told).expect("it says text"));
            wait_for(|| {
                let status = self.0.try_wait().expect("it is ours");
                status.is_some().then_some(())
            });
        });
        let status = self.0.wait().expect("it is ours");
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        let out = String::from_utf8_lossy(&bytes).into_owned();
        Ended { code: code.expect("one of both"), out, bytes, err: told }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    /// It ended well, and said no word.
    #[track_caller]
    pub(crate) fn good(self) -> Ended {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self
    }

    /// It failed, and said so.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for text in texts {
            assert!(self.err.contains(text), "no {text:?} in {:?}", self.err);
        }
    }
}

/// Asks again and again.
pub(crate) fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < until, "it never came about");
        thread::sleep(Duration::from_millis(5));
    }
}
