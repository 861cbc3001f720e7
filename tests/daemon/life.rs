//! Beginning and end: the socket file, systemd, signals.

use std::fs::Permissions;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};

use channeler::daemon::{Answer, Event, Request, WAIT_FOR_EVER};
use channeler::error::Error;
use rustix::process::Signal;

use super::world::{ALL, Client, Daemon, PATIENCE, Process, Setup, TEAM};

fn code(error: Error) -> u32 {
    error.code().unsigned_abs()
}

#[test]
fn the_socket_is_its_owners_alone_unless_configured_and_goes_with_the_daemon() {
    for (table, mode) in [("", 0o600), ("[socket]\nmode = \"0660\"\n", 0o660)] {
        let daemon = Setup::with(table).start();
        let path = daemon.setup.socket();
        let metadata = std::fs::metadata(&path).expect("it is there");
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o777, mode);
        daemon.signal(Signal::TERM);
        let (status, lines, setup) = daemon.end();
        assert_eq!(status.code(), Some(0), "{lines:#?}");
        assert!(!setup.socket().exists());
    }
}

#[test]
fn sigterm_sends_what_was_taken_answers_who_waits_and_exits_with_0() {
    let (first, second) = (Setup::new().start(), Setup::new().start());
    let (mut sender, mut waits, mut receiver) = (first.client(), first.client(), second.client());
    waits.ask(&Request::Receive { filter: ALL, capacity: 1, wait_ms: WAIT_FOR_EVER });
    waits.until_open();
    receiver.follow(ALL);
    let to = second.address();
    for _ in 0..40 {
        sender.send(&to, "x", &[5; 100_000]);
    }
    first.signal(Signal::TERM);
    let (_, told, text) = waits.answer().error();
    assert_eq!(told, code(Error::Closed), "{text}");
    assert!(waits.answer_or_end().is_none());
    let (status, lines, _setup) = first.end();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("may not have arrived")), "{lines:#?}");
    for _ in 0..40 {
        assert_eq!(receiver.answer().message().1.len(), 100_000);
    }
}

#[test]
fn the_end_does_not_wait_for_those_who_do_not_take_what_is_theirs() {
    let setup =
        Setup { root: "accept_any = true\nstop_timeout_ms = 300\n".to_owned(), ..Setup::new() };
    let (first, second) = (Setup::new().start(), setup.start());
    let (mut sender, mut deaf) = (first.client(), second.client());
    deaf.follow(ALL);
    for _ in 0..30 {
        sender.send(&second.address(), "x", &[5; 100_000]);
    }
    second.client().until_counter("messages_received", |count| count == 30);
    second.signal(Signal::TERM);
    let (status, lines, _setup) = second.end();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("what waited for 1 clients")), "{lines:#?}");
}

#[test]
fn a_second_sigterm_ends_at_once_and_no_client_is_let_in_meanwhile() {
    let setup =
        Setup { root: "accept_any = true\nstop_timeout_ms = 600000\n".to_owned(), ..Setup::new() };
    let (first, mut second) = (Setup::new().start(), setup.start());
    let (mut sender, mut deaf) = (first.client(), second.client());
    deaf.follow(ALL);
    for _ in 0..30 {
        sender.send(&second.address(), "x", &[5; 100_000]);
    }
    second.client().until_counter("messages_received", |count| count == 30);
    let path = second.setup.socket();
    second.signal(Signal::TERM);
    second.expect("ending");
    while path.exists() {
        std::thread::yield_now();
    }
    second.signal(Signal::TERM);
    let (status, lines, _setup) = second.end();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
}

#[test]
fn a_socket_that_nobody_serves_is_replaced() {
    let daemon = Setup::new().start();
    daemon.signal(Signal::KILL);
    let (status, _, setup) = daemon.end();
    assert_eq!(status.code(), None);
    assert!(setup.socket().exists());
    let daemon = setup.start();
    daemon.client().counter("clients");
}

#[test]
fn a_socket_that_is_served_or_a_file_that_is_none_is_left_alone() {
    let daemon = Setup::new().start();
    let mut second = Process::start(daemon.setup.command());
    let (status, lines) = second.end();
    assert_eq!(status.code(), Some(1));
    assert!(lines.iter().any(|line| line.contains("another daemon serves")), "{lines:#?}");
    daemon.client().counter("clients");

    // Served by another program, which has no lock.
    let setup = Setup::new();
    let _other = UnixListener::bind(setup.socket()).expect("nobody is there");
    let (status, lines) = Process::start(setup.command()).end();
    assert_eq!(status.code(), Some(1));
    assert!(lines.iter().any(|line| line.contains("another daemon serves")), "{lines:#?}");

    let setup = Setup::new();
    std::fs::write(setup.socket(), "precious").expect("a file");
    let (status, lines) = Process::start(setup.command()).end();
    assert_eq!(status.code(), Some(1));
    assert!(lines.iter().any(|line| line.contains("is no socket")), "{lines:#?}");
    assert_eq!(std::fs::read_to_string(setup.socket()).expect("it is there"), "precious");
}

#[test]
fn of_many_that_start_at_once_on_a_stale_socket_one_serves() {
    let daemon = Setup::new().start();
    daemon.signal(Signal::KILL);
    let (_, _, setup) = daemon.end();
    let command = setup.command();
    let start = |_| {
        let mut again = Command::new(command.get_program());
        again.args(command.get_args());
        Process::start(again)
    };
    let mut all: Vec<Process> = (0..6).map(start).collect();
    let (served, refused): (Vec<bool>, Vec<bool>) = all
        .iter_mut()
        .map(|process| process.expect_any(&["peers find", "another daemon serves"]) == 0)
        .partition(|serves| *serves);
    assert_eq!((served.len(), refused.len()), (1, 5));
    Client::new(&setup.socket()).counter("clients");
}

/// Runs it as systemd does: the socket as descriptor 3, and variables that say so.
fn activated(setup: &Setup, socket: OwnedFd) -> Command {
    let configured = setup.command();
    let mut command = Command::new("sh");
    let script = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"";
    command.arg("-c").arg(script).arg(configured.get_program()).args(configured.get_args());
    command.stdin(Stdio::from(socket));
    command
}

#[test]
fn a_socket_of_systemd_is_served_and_its_file_stays() {
    let setup = Setup::new();
    let path = setup.folder.path("of-systemd");
    let listener = UnixListener::bind(&path).expect("nobody is there");
    let command = activated(&setup, listener.into());
    let daemon = Daemon::start(setup, command);
    assert!(!daemon.setup.socket().exists(), "it makes none of its own");
    Client::new(&path).counter("clients");
    daemon.signal(Signal::TERM);
    let (status, lines, _setup) = daemon.end();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
    assert!(path.exists(), "it is systemd's");
}

#[test]
fn what_is_no_listening_socket_is_refused_by_name() {
    let setup = Setup::new();
    let datagram = UnixDatagram::unbound().expect("a socket");
    let (status, lines) = Process::start(activated(&setup, datagram.into())).end();
    assert_eq!(status.code(), Some(1));
    assert!(lines.iter().any(|line| line.contains("no listening Unix socket")), "{lines:#?}");
}

#[test]
fn the_service_manager_is_told_of_readiness_and_of_the_end() {
    let setup = Setup::new();
    let path = setup.folder.path("notify");
    let manager = UnixDatagram::bind(&path).expect("nobody is there");
    manager.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let told = || {
        let mut bytes = [0; 200];
        let length = manager.recv(&mut bytes).expect("it is told in time");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut command = setup.command();
    command.env("NOTIFY_SOCKET", &path);
    let daemon = Daemon::start(setup, command);
    assert_eq!(told(), "READY=1");
    daemon.signal(Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
}

#[test]
fn sighup_reads_again_what_can_be_and_says_what_cannot() {
    let setup = Setup { root: String::new(), ..Setup::new() };
    let (first, mut second) = (Setup::new().start(), setup.start());
    let (mut sender, to) = (first.client(), second.address());
    let request = Request::Send { address: &to, team: TEAM, label: "x" };
    sender.ask_with(&request, b"not yet");
    assert_eq!(sender.answer().error().1, code(Error::Refused));

    second.setup.root = format!("peers = [\"{}\"]\naccept_any = 5\n", first.peer);
    second.setup.write();
    second.signal(Signal::HUP);
    let line = second.expect("c.toml:");
    assert!(line.contains("accept_any: 5"), "{line}");
    second.expect("nothing was changed");
    sender.ask_with(&request, b"not yet");
    assert_eq!(sender.answer().error().1, code(Error::Refused));

    second.setup.root = format!("peers = [\"{}\"]\n", first.peer);
    second.setup.tables = "[quic]\nkeep_alive_ms = 5000\n[clients]\nmax = 1\n".to_owned();
    second.setup.write();
    second.signal(Signal::HUP);
    second.expect("[quic] is another now: that needs a restart");
    second.expect("was read again");
    sender.send(&to, "x", b"now");
    let mut one = second.client();
    assert_eq!(one.receive().1, b"now");
    assert_eq!(second.client().answer().error().1, code(Error::Limit));

    second.setup.root = String::new();
    second.setup.write();
    second.signal(Signal::HUP);
    second.expect("was read again");
    sender.send(&to, "x", b"the connection stays");
    assert_eq!(one.receive().1, b"the connection stays");
    sender.ask(&Request::Close { address: &to });
    assert!(matches!(sender.answer().read().1, Answer::Closed { .. }));
    sender.ask_with(&request, b"no more");
    assert_eq!(sender.answer().error().1, code(Error::Refused));
}

#[test]
fn a_user_that_is_not_allowed_is_turned_away() {
    if !rustix::process::geteuid().is_root() {
        // Only root can be somebody else.
        return;
    }
    for (table, is_let_in) in [
        ("[socket]\nmode = \"0666\"\n", false),
        ("[socket]\nmode = \"0666\"\nusers = [65534]\n", true),
        ("[socket]\nmode = \"0666\"\nany_user = true\n", true),
    ] {
        let daemon = Setup::with(table).start();
        let open = Permissions::from_mode(0o755);
        std::fs::set_permissions(daemon.setup.folder.path(""), open).expect("it is ours");
        // Python is what the tests of the whole need anyway; only a process can change its user.
        let script = "import os, socket, sys\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\n\
                      s.connect(sys.argv[1])\ntry: s.sendall(bytes([0, 0, 0, 2, 1, 3]))\nexcept OSError: pass\n\
                      sys.stdout.buffer.write(s.recv(1000))";
        let path = daemon.setup.socket();
        let told = Command::new("python3").arg("-c").arg(script).arg(path).output();
        let told = told.expect("python3 runs").stdout;
        let is_status = told.get(4..6) == Some(&[1, 4]);
        assert_eq!(is_status, is_let_in, "{}", String::from_utf8_lossy(&told));
        assert!(is_let_in || told.ends_with(b"user 65534 may not connect: see socket.users\0"));
    }
}

#[test]
fn watches_hear_of_peers_that_come_and_go() {
    let (first, second) = (Setup::new().start(), Setup::new().start());
    let (mut watch, mut sender) = (second.client(), first.client());
    watch.done(&Request::Watch, b"");
    sender.send(&second.address(), "x", b"y");
    let answer = watch.answer();
    let (_, Answer::Event(Event::Connected { by_peer: true, .. }), _) = answer.read() else {
        panic!("{answer:?}");
    };
    first.signal(Signal::TERM);
    let answer = watch.answer();
    let (_, Answer::Event(Event::Closed { code: told, .. }), _) = answer.read() else {
        panic!("{answer:?}");
    };
    assert_eq!(told, code(Error::PeerClosed));
    // Nobody hears a client that is gone.
    let _gone = watch.stream.shutdown(std::net::Shutdown::Both);
    assert!(watch.stream.write_all(b"x").is_err());
}
