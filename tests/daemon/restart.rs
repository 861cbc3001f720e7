//! Killed and started again while a peer sends: what is lost is told.

use channeler::daemon::{Answer, Event, Request};
use channeler::error::Error;
use rustix::process::Signal;

use super::world::{ALL, Client, Setup, TEAM};

fn number_of(body: &[u8]) -> u32 {
    u32::from_be_bytes(body[..4].try_into().expect("each begins with its number"))
}

/// The numbers of the messages that a follower gets until its daemon is gone.
fn follow(mut client: Client, last: u32) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        let Some(answer) = client.answer_or_end() else { break };
        numbers.push(number_of(&answer.message().1));
    }
    numbers
}

#[test]
fn a_daemon_that_is_killed_and_comes_back_loses_nothing_silently() {
    const LAST: u32 = 5_000;
    let (first, second) = (Setup::new().start(), Setup::new().start());
    let (mut sender, mut watch, mut client) = (first.client(), first.client(), second.client());
    watch.done(&Request::Watch, b"");
    client.follow(ALL);
    let (address, to) = (second.address, second.address());
    // However fast it is, half of all is left for the daemon that came back, more than queues hold.
    let (came_back, is_back) = std::sync::mpsc::channel();
    let before = std::thread::spawn(move || follow(client, LAST));
    let writer = std::thread::spawn(move || {
        let mut refused = Vec::new();
        for number in 0..=LAST {
            if number == LAST / 2 {
                is_back.recv().expect("the daemon comes back");
            }
            let mut message = [0; 2_000];
            message[..4].copy_from_slice(&number.to_be_bytes());
            sender.ask_with(&Request::Send { address: &to, team: TEAM, label: "x" }, &message);
            match sender.answer().read() {
                (_, Answer::Done, _) => {}
                (_, Answer::Error { .. }, _) => refused.push(number),
                (_, other, _) => panic!("{other:?}"),
            }
        }
        refused
    });
    second.client().until_counter("messages_received", |count| count > 500);
    second.signal(Signal::KILL);
    let (_, _, mut setup) = second.end();
    setup.listen = address.to_string();
    let second = setup.start();
    let mut client = second.client();
    client.follow(ALL);
    came_back.send(()).expect("the second half waits for it");
    let after = std::thread::spawn(move || follow(client, LAST));

    let refused = writer.join().expect("the sender's daemon is there all the time");
    let before = before.join().expect("a follower");
    let after = after.join().expect("a follower");
    // The first connection ended, and the watch was told how much is not known to have arrived.
    let undelivered = loop {
        let answer = watch.answer();
        if let (_, Answer::Event(Event::Closed { undelivered, .. }), _) = answer.read() {
            break undelivered;
        }
    };
    for numbers in [&before, &after] {
        assert!(numbers.is_sorted_by(|a, b| a < b), "in order, none twice");
    }
    assert_eq!(after.last(), Some(&LAST), "what is sent afterwards arrives");
    assert!(before.len() + after.len() > 500);
    let missing: Vec<u32> = (0..=LAST)
        .filter(|number| !before.contains(number) && !after.contains(number))
        .filter(|number| !refused.contains(number))
        .collect();
    // One hole at most: what the killed daemon had, and what was on its way to it.
    let hole = before.last().map_or(0, |last| last + 1)..after[0];
    assert!(missing.iter().all(|number| hole.contains(number)), "{missing:?} in {hole:?}");
    assert!(undelivered > 0 || missing.len() < 50, "{} are missing, none told", missing.len());
}

#[test]
fn of_a_message_whose_sender_vanishes_nothing_is_delivered_and_that_is_told() {
    let second = Setup::with("[quic]\nidle_timeout_ms = 500\n").start();
    let (mut watch, mut receiver) = (second.client(), second.client());
    watch.done(&Request::Watch, b"");
    let to = second.address();
    // On a fast machine it may arrive before its sender is gone: then once more.
    for _ in 0..20 {
        let first = Setup::new().start();
        let mut sender = first.client();
        sender.send(&to, "x", b"before");
        assert_eq!(receiver.receive().1, b"before");
        sender.ask_with(&Request::Send { address: &to, team: TEAM, label: "x" }, &[1; 16 << 20]);
        receiver.until_counter("receive_bytes", |bytes| bytes > 0);
        first.signal(Signal::KILL);
        let (told, cut) = loop {
            let answer = watch.answer();
            if let (_, Answer::Event(Event::Closed { code, cut, .. }), _) = answer.read() {
                break (code, cut);
            }
        };
        assert_eq!(told, Error::Idle.code().unsigned_abs());
        if cut == 1 {
            assert_eq!(receiver.counter("messages_waiting"), 0);
            return;
        }
        assert_eq!(receiver.receive().1.len(), 16 << 20);
    }
    panic!("it always arrived");
}
