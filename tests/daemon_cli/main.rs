//! Aim: `channeler` does what its help says, and says what is wrong. Method: the program itself,
//! against daemons that run, and against sockets that say what no daemon says.
//!
//! `tests/examples/daemon_client.sh` has it in the place of the C client, and mixed with that.

mod scripted;
mod world;

use std::io::{Read, Write};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use world::{Client, Daemon, Folder, TEAM, two_daemons};

#[test]
fn a_message_goes_from_shell_to_shell() {
    let folder = Folder::new();
    let (anna, bert) = two_daemons(&folder);
    anna.client(&["send", &bert.address, TEAM, "chat", "good day"]).run().good();
    let told = bert.client(&["receive", "--verbose"]).run().good();
    assert_eq!(told.out, format!("{} {TEAM} chat: good day\n", anna.address));
    // The environment says where the daemon is, and --socket says it better.
    let socket = bert.socket.to_str().expect("it is text");
    anna.client(&["--socket", socket, "send", &anna.address, TEAM, "chat", "back"]).run().good();
    assert_eq!(anna.client(&["receive"]).run().good().out, "back\n");
    let nothing = anna.client(&["receive", "--wait", "0"]).run();
    assert_eq!((nothing.code, nothing.out.as_str(), nothing.err.as_str()), (3, "", ""));
}

#[test]
fn input_is_sent_whole_by_lines_or_by_chunks_and_comes_out_as_it_was() {
    let folder = Folder::new();
    let (anna, bert) = two_daemons(&folder);
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    let file = folder.file("bytes", &bytes);
    let send = ["send", &bert.address, TEAM, "data"];
    let take =
        |count: &str| bert.client(&["receive", "--raw", "--count", count]).run().good().bytes;

    anna.client(&send).run_with(&bytes).good();
    assert_eq!(take("1"), bytes);
    let file = file.to_str().expect("it is text");
    anna.client(&[&send[..], &["--file", file, "--chunk", "1K"]].concat()).run().good();
    assert_eq!(take("196"), bytes);
    anna.client(&[&send[..], &["--lines"]].concat()).run_with(b"one\n\nthree").good();
    assert_eq!(bert.client(&["receive", "-n3"]).run().good().out, "one\n\nthree\n");
    // Nothing is one empty message, and no line at all.
    anna.client(&send).run_with(b"").good();
    anna.client(&[&send[..], &["--lines"]].concat()).run_with(b"").good();
    assert_eq!(take("1"), b"");
    assert_eq!(bert.client(&["receive", "--wait", "0"]).run().code, 3);
}

#[test]
fn lines_leave_as_they_come_and_the_end_of_the_daemon_is_told_while_there_is_input() {
    let folder = Folder::new();
    let (mut anna, bert) = two_daemons(&folder);
    let mut sender =
        anna.client(&["send", "--lines", &bert.address, TEAM, "log"]).start_with_input();
    let mut input = sender.0.stdin.take().expect("it is piped");
    input.write_all(b"first\n").expect("it reads");
    assert_eq!(bert.client(&["receive"]).run().good().out, "first\n");
    // The answer to the first is in the sender's socket once a later question has its answer.
    anna.client(&["status"]).run().good();
    anna.kill();
    input.write_all(b"second\n").expect("it reads");
    sender.end().failed(1, &["channeler: the daemon has gone", "1 messages were sent"]);
}

#[test]
fn a_long_send_shows_how_far_it_is_on_a_terminal() {
    let folder = Folder::new();
    let anna = Daemon::start(&folder, "anna", "accept_any = true");
    // Takes little at once, so that the send lasts for as long as nobody receives.
    let limits = "accept_any = true\n[messages]\ncount_max = 16\n\
                  [quic]\nconnection_receive_messages_max = 16";
    let bert = Daemon::start(&folder, "bert", limits);
    let file = folder.file("long", &vec![b'x'; 8_000_000]);
    let file = file.to_str().expect("it is text");
    let words = ["send", &bert.address, TEAM, "file", "--file", file, "--chunk", "4000"];
    let sender = anna.client(&words).on_terminal().start();
    // What takes less than a second draws nothing: it must find that it lasts.
    thread::sleep(Duration::from_millis(1_100));
    let received = bert.client(&["receive", "--raw", "--count", "2000"]).run();
    assert_eq!((received.code, received.bytes.len()), (0, 8_000_000));
    let screen = sender.end();
    assert_eq!((screen.code, screen.err.as_str()), (0, ""));
    let bars: Vec<&str> = screen.out.split('\r').filter(|bar| bar.contains('[')).collect();
    assert!(bars.len() > 1 && !bars[0].contains("100 %"), "{bars:?}");
    let last = bars.last().expect("there are some");
    assert!(last.starts_with("[##############################] 100 %  8.0 MB"), "{last}");
}

#[test]
fn json_tells_where_a_message_is_from_and_keeps_bytes_that_are_no_text() {
    let folder = Folder::new();
    let (anna, bert) = two_daemons(&folder);
    for message in [&b"text\n"[..], b"\xff\x00"] {
        anna.client(&["send", &bert.address, TEAM, "a\tb"]).run_with(message).good();
    }
    anna.client(&["send", "--sync", &bert.address, "beside"]).run().good();
    let told = bert.client(&["receive", "--json", "--count", "2"]).run().good();
    let objects: Vec<Value> = told
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    assert_eq!(objects[0]["text"], "text\n");
    assert_eq!(objects[1]["base64"], "/wA=");
    for object in &objects {
        assert_eq!(object["label"], "a\tb");
        assert_eq!(object["team"], TEAM);
        assert_eq!(object["peer"], anna.peer);
        assert_eq!(object["address"], anna.address);
    }
    let sync = bert.client(&["receive", "--sync", "--json"]).run().good();
    let sync: Value = serde_json::from_str(&sync.out).expect("an object");
    assert_eq!((&sync["text"], &sync["team"]), (&Value::from("beside"), &Value::Null));
}

#[test]
fn filters_take_what_they_name_and_leave_the_rest() {
    let folder = Folder::new();
    let (anna, bert) = two_daemons(&folder);
    for label in ["alpha", "beta", "better"] {
        anna.client(&["send", &bert.address, TEAM, label, label]).run().good();
    }
    bert.await_counter("messages_waiting", 3);
    let take = |words: &[&str]| {
        bert.client(&[&["receive", "--wait", "0", "-n9"], words].concat()).run().out
    };
    assert_eq!(take(&["--label-prefix", "bet", "--from", &anna.address]), "beta\nbetter\n");
    assert_eq!(take(&["--team", &TEAM.replace('a', "b")]), "");
    assert_eq!(take(&["--label", "alp"]), "");
    assert_eq!(take(&["--label", "alpha"]), "alpha\n");
}

#[test]
fn ctrl_c_ends_a_follow_well_and_a_receive_with_130_and_loses_nothing() {
    let folder = Folder::new();
    let (anna, bert) = two_daemons(&folder);
    let send = |text: &str| anna.client(&["send", &bert.address, TEAM, "chat", text]).run().good();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut follower = bert.client(&["receive", "--follow"]).start();
        let waiting = bert.client(&["receive", "--label", "none"]).start();
        bert.await_counter("receives", 1);
        bert.await_counter("follows", 1);
        send("one");
        let mut out = [0; 4];
        let printed = follower.0.stdout.as_mut().expect("it is piped");
        printed.read_exact(&mut out).expect("it prints what came at once");
        follower.signal(signal);
        follower.end().good();
        waiting.signal(signal);
        waiting.end().failed(code, &[]);
        bert.await_counter("receives", 0);
        bert.await_counter("follows", 0);
        send("two");
        assert_eq!(bert.client(&["receive"]).run().good().out, "two\n");
    }
}

#[test]
fn a_reader_that_wants_no_more_is_no_failure() {
    let folder = Folder::new();
    let (anna, bert) = two_daemons(&folder);
    let mut follower = bert.client(&["receive", "--follow"]).start();
    bert.await_counter("follows", 1);
    drop(follower.0.stdout.take());
    anna.client(&["send", &bert.address, TEAM, "chat", "unread"]).run().good();
    let ended = follower.end();
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    // Not on a full disk, though.
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_channeler"));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let ended = command.arg("--help").stdout(full).stderr(Stdio::piped()).output();
    let ended = ended.expect("it was built");
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("standard output: No space"));
}

#[test]
fn a_peer_must_be_listed_or_named() {
    let folder = Folder::new();
    let bert = Daemon::start(&folder, "bert", "accept_any = true");
    let anna = Daemon::start(&folder, "anna", "");
    let send = ["send", &bert.address, TEAM, "chat", "hello"];
    let other = "0x00112233445566778899aabbccddeeff";
    anna.client(&send).run().failed(1, &[&bert.peer, "with --peer", "reload"]);
    let wrong = anna.client(&[&send[..], &["--peer", other]].concat()).run();
    wrong.failed(1, &["(ERR_IDENTITY)"]);
    assert_eq!(bert.client(&["receive", "--wait", "0"]).run().code, 3);
    anna.client(&[&send[..], &["--peer", &bert.peer]].concat()).run().good();
    let told = anna.client(&["connect", &bert.address, "--peer", &bert.peer]).run().good();
    assert_eq!(told.out, format!("{}\n", bert.peer));
}

#[test]
fn status_and_watch_tell_of_connections_and_close_ends_them() {
    let folder = Folder::new();
    let (anna, bert) = two_daemons(&folder);
    let mut watch = bert.client(&["watch", "--json"]).start();
    // Told in the order in which it is asked: the watch is there when this has an answer.
    let told = anna.client(&["status"]).run().good().out;
    assert!(told.contains(&format!("peer id     {}\n", anna.peer)), "{told}");
    assert!(told.contains("no connections\n"), "{told}");
    bert.client(&["status"]).run().good();
    anna.client(&["send", &bert.address, TEAM, "chat", "hello"]).run().good();
    let status: Value = serde_json::from_str(&anna.client(&["status", "--json"]).run().good().out)
        .expect("an object");
    assert_eq!(status["connections"][0]["address"], bert.address);
    assert_eq!(status["connections"][0]["peer"], bert.peer);
    assert_eq!(status["connections"][0]["by_peer"], false);
    assert_eq!(status["counters"]["messages_sent"], 1);
    anna.client(&["close", &bert.address]).run().good();
    let again = anna.client(&["close", &bert.address]).run();
    again.failed(1, &["no connection to", "(ERR_INVALID_REFERENCE)", "`channeler status`"]);
    let told = watch.0.stdout.as_mut().expect("it is piped");
    let mut text = String::new();
    while text.lines().count() < 2 {
        let mut some = [0; 1000];
        let count = told.read(&mut some).expect("a pipe can be read");
        assert_ne!(count, 0, "{text}");
        text += std::str::from_utf8(&some[..count]).expect("it is text");
    }
    let events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(
        (&events[0]["event"], &events[0]["peer"]),
        (&"connected".into(), &anna.peer.as_str().into())
    );
    assert_eq!(
        (&events[1]["event"], &events[1]["name"]),
        (&"closed".into(), &"ERR_PEER_CLOSED".into())
    );
    watch.signal("INT");
    watch.end().good();
}

#[test]
fn what_cannot_be_sent_says_why() {
    let folder = Folder::new();
    let limits = "accept_any = true\n[quic]\nmessage_bytes_max = 1000\ndial_timeout_ms = 300";
    let anna = Daemon::start(&folder, "anna", limits);
    let bert = Daemon::start(&folder, "bert", "accept_any = true");
    let send = |address: &str, label: &str, message: &[u8]| {
        anna.client(&["send", address, TEAM, label]).run_with(message)
    };
    send("localhost:4433", "chat", b"").failed(1, &["no address", "(ERR_INVALID_ADDRESS)"]);
    send("127.0.0.1:9", "chat", b"").failed(1, &["(ERR_TIMEOUT)", "firewall"]);
    send(&bert.address, &"x".repeat(257), b"").failed(1, &["256", "(ERR_INVALID_ARGUMENT)"]);
    // Too large for the peer, and for a frame.
    send(&bert.address, "chat", &[0; 1001]).failed(1, &["(ERR_TOO_LARGE)", "--chunk 1M"]);
    send(&bert.address, "chat", &[0; 5_000_000]).failed(1, &["(ERR_TOO_LARGE)", "--chunk 1M"]);
    let lines = ["send", "--lines", &bert.address, TEAM, "chat"];
    let ended = anna.client(&lines).run_with(&[&b"a\nb\n"[..], &[b'x'; 1001]].concat());
    ended.failed(1, &["(ERR_TOO_LARGE)", "2 messages were sent"]);
    let missing = anna.client(&["send", &bert.address, TEAM, "chat", "--file", "/none"]).run();
    missing.failed(1, &["/none: No such file"]);
}

#[test]
fn wrong_words_and_a_daemon_that_is_not_there_say_what_to_do() {
    let folder = Folder::new();
    let client = |words: &[&str]| Client::new(&folder.path("none.sock"), words).run();
    client(&["send", "127.0.0.1:1", "0a", "chat"]).failed(2, &["`0a` is no team", "--help"]);
    client(&["fetch"]).failed(2, &["`fetch` is no command"]);
    for words in [&["status"][..], &["receive"], &["send", "127.0.0.1:1", TEAM, "chat", "x"]] {
        let told = ["none.sock: No such file", "systemctl start channelerd", "CHANNELER_SOCKET"];
        client(words).failed(1, &told);
    }
    // A file that nobody serves any more.
    drop(std::os::unix::net::UnixListener::bind(folder.path("none.sock")).expect("it is free"));
    client(&["status"]).failed(1, &["none.sock: Connection refused", "start it"]);
    assert!(client(&["--help"]).good().out.starts_with("channeler - "));
}
