//! What no daemon says: garbage, half of it, later kinds, and an end without a word.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;

use channeler::daemon::{self, Answer, Request};

use crate::world::{Client, Ended, Folder, TEAM};

/// What `channeler WORDS` makes of a socket that answers its first request with these bytes, and
/// then closes.
fn answered(words: &[&str], bytes: &[u8]) -> Ended {
    let folder = Folder::new();
    let path = folder.path("sock");
    let listener = UnixListener::bind(&path).expect("it is free");
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut client, _) = listener.accept().expect("it connects");
            let mut frame = [0; 2000];
            let count = client.read(&mut frame).expect("it asks");
            assert!(daemon::read_request(&frame[4..count]).is_ok(), "it asks for something");
            // It may have gone, if it likes the beginning so little.
            let _ = client.write_all(bytes);
        });
        Client::new(&path, words).run()
    })
}

fn frame(number: u32, answer: &Answer<'_>, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    daemon::write_answer(&mut out, number, answer, message.len()).expect("it is short");
    out.extend_from_slice(message);
    out
}

const SEND: &[&str] = &["send", "127.0.0.1:1", TEAM, "chat", "x"];

#[test]
fn garbage_is_a_failure_that_names_it() {
    for words in [&["status"][..], &["receive"], &["receive", "--follow"], &["watch"], SEND] {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            &[0xff; 64],
            &[0, 0, 0, 0],
            &[0, 0, 0, 2, 1, 1],
            &[0, 0, 0, 3, 1, 0, 0],
        ] {
            answered(words, bytes).failed(1, &["is no channelerd"]);
        }
    }
}

#[test]
fn an_end_in_the_middle_or_without_a_word_is_told() {
    for words in [&["status"][..], &["receive"], &["receive", "--follow"], &["watch"], SEND] {
        answered(words, b"").failed(1, &["the daemon has gone"]);
        answered(words, &[0, 0, 0, 9, 1]).failed(1, &["the daemon has gone"]);
        // As long as the longest message there can be, of which nothing comes.
        answered(words, &[0x40, 0, 0, 0, 1, 2]).failed(1, &["the daemon has gone"]);
    }
}

#[test]
fn why_the_daemon_closes_is_told() {
    let limit = Answer::Error { code: 14, text: "too many clients", detail: 0 };
    for words in [&["status"][..], &["receive"], &["receive", "--follow"], &["watch"], SEND] {
        answered(words, &frame(0, &limit, b"")).failed(1, &["too many clients (ERR_LIMIT)"]);
    }
    let later = Answer::Error { code: 4000, text: "of a later daemon", detail: 0 };
    answered(SEND, &frame(1, &later, b"")).failed(1, &["of a later daemon (error 4000)"]);
}

#[test]
fn answers_that_are_not_known_are_passed_over_and_wrong_ones_refused() {
    let message = Answer::Message { address: "1.2.3.4:5", peer: [1; 16], team: [2; 32], label: "" };
    let later = [&[0, 0, 0, 4, 1, 99, 1, 2][..], &frame(2, &message, b"hello")].concat();
    assert_eq!(answered(&["receive"], &later).good().out, "hello\n");
    answered(&["status"], &frame(1, &Answer::Nothing, b"")).failed(1, &["to another question"]);
    answered(SEND, &frame(1, &message, b"hello")).failed(1, &["to another question"]);
    // The codec of this test is that of the client.
    assert!(daemon::read_request(&[1, 3]).is_ok_and(|told| told.1 == Request::Status));
}
