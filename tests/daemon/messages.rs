//! The three calls and what goes with them, between two daemons.

use channeler::daemon::{Answer, Event, Filter, Label, Request, WAIT_FOR_EVER};
use channeler::error::Error;

use super::world::{ALL, Client, Daemon, Setup, TEAM};

fn code(error: Error) -> u32 {
    error.code().unsigned_abs()
}

fn labelled(label: Label<'_>) -> Filter<'_> {
    Filter::Messages { address: None, team: Some(TEAM), label }
}

fn two() -> (Daemon, Daemon) {
    (Setup::new().start(), Setup::new().start())
}

fn receive(client: &mut Client, filter: Filter<'_>, capacity: u32, wait_ms: u32) -> u32 {
    client.ask(&Request::Receive { filter, capacity, wait_ms })
}

#[test]
fn a_message_sent_is_received_whoever_asks_first() {
    let (first, second) = two();
    let (mut sender, mut receiver) = (first.client(), second.client());
    sender.send(&second.address(), "chat", b"waits");
    receiver.until_counter("messages_waiting", |count| count == 1);
    receive(&mut receiver, ALL, u32::MAX, 0);
    assert_eq!(receiver.answer().message(), ("chat".to_owned(), b"waits".to_vec()));
    let number = receive(&mut receiver, ALL, u32::MAX, WAIT_FOR_EVER);
    sender.send(&second.address(), "", b"");
    let answer = receiver.answer();
    let (told, Answer::Message { address, peer, team, label }, body) = answer.read() else {
        panic!("{answer:?}");
    };
    assert_eq!((told, address, team, label, body), (number, &*first.address(), TEAM, "", &b""[..]));
    assert_eq!(channeler::id::PeerId(peer).to_string(), first.peer);
}

#[test]
fn a_receive_that_finds_nothing_says_so_in_its_time() {
    let daemon = Setup::new().start();
    let mut client = daemon.client();
    for wait_ms in [0, 30] {
        let number = receive(&mut client, ALL, u32::MAX, wait_ms);
        assert_eq!(client.answer().read(), (number, Answer::Nothing, &b""[..]));
    }
}

#[test]
fn a_message_that_is_too_long_for_a_receive_stays_and_its_length_is_told() {
    let (first, second) = two();
    first.client().send(&second.address(), "x", &[1; 100]);
    let mut receiver = second.client();
    receiver.until_counter("messages_waiting", |count| count == 1);
    for wait_ms in [0, WAIT_FOR_EVER] {
        receive(&mut receiver, ALL, 99, wait_ms);
        let answer = receiver.answer();
        let (_, Answer::Error { code: told, detail, .. }, _) = answer.read() else {
            panic!("{answer:?}");
        };
        assert_eq!((told, detail), (code(Error::InsufficientBufferSize), 100));
    }
    receive(&mut receiver, ALL, 100, 0);
    assert_eq!(receiver.answer().message().1, [1; 100]);
}

#[test]
fn filters_take_their_own_and_leave_the_rest() {
    let (first, second) = two();
    let (mut sender, mut receiver) = (first.client(), second.client());
    let to = second.address();
    let from = first.address();
    for label in ["tele/a", "other", "tele/b"] {
        sender.send(&to, label, label.as_bytes());
    }
    let team = [9; 32];
    sender.done(&Request::Send { address: &to, team, label: "tele/c" }, b"of another team");
    sender.done(&Request::SendSync { address: &to }, b"sync");
    receiver.until_counter("messages_waiting", |count| count == 5);
    receive(&mut receiver, labelled(Label::Is("tele/b")), u32::MAX, 0);
    assert_eq!(receiver.answer().message().0, "tele/b");
    let elsewhere =
        Filter::Messages { address: Some("192.0.2.1:1"), team: None, label: Label::Any };
    let number = receive(&mut receiver, elsewhere, u32::MAX, 0);
    assert_eq!(receiver.answer().read().1, Answer::Nothing, "{number}");
    receive(&mut receiver, labelled(Label::StartsWith("tele")), u32::MAX, 0);
    assert_eq!(receiver.answer().message().0, "tele/a");
    receive(&mut receiver, Filter::Syncs { address: Some(&from) }, u32::MAX, 0);
    let answer = receiver.answer();
    assert!(matches!(answer.read(), (_, Answer::Sync { .. }, b"sync")), "{answer:?}");
    let of_team = Filter::Messages { address: Some(&from), team: Some(team), label: Label::Any };
    receive(&mut receiver, of_team, u32::MAX, 0);
    assert_eq!(receiver.answer().message().1, b"of another team");
    receive(&mut receiver, ALL, u32::MAX, 0);
    assert_eq!(receiver.answer().message().0, "other");
}

#[test]
fn followers_get_what_waited_and_what_comes_each_of_them_all_in_order() {
    let (first, second) = two();
    let (mut sender, mut one, mut other) = (first.client(), second.client(), second.client());
    let to = second.address();
    for number in 0..10_u8 {
        sender.send(&to, "x", &[number]);
    }
    one.until_counter("messages_waiting", |count| count == 10);
    one.follow(ALL);
    for number in 0..10_u8 {
        assert_eq!(one.answer().message().1, [number]);
    }
    other.follow(labelled(Label::Is("x")));
    for number in 10..200_u8 {
        sender.send(&to, "x", &[number]);
    }
    for client in [&mut one, &mut other] {
        for number in 10..200_u8 {
            assert_eq!(client.answer().message().1, [number]);
        }
    }
}

#[test]
fn large_messages_arrive_whole_and_one_above_the_limit_is_refused() {
    let (first, second) = two();
    let (mut sender, mut receiver) = (first.client(), second.client());
    let to = second.address();
    let most = 16 << 20;
    let mut message: Vec<u8> = (0..most).map(|index: usize| (index * 7 >> 3) as u8).collect();
    receiver.follow(ALL);
    for length in [100_000, 1 << 20, most] {
        sender.send(&to, "large", &message[..length]);
        assert!(receiver.answer().message().1 == message[..length], "{length} bytes");
    }
    message.push(0);
    sender.ask_with(&Request::Send { address: &to, team: TEAM, label: "" }, &message);
    let (_, told, text) = sender.answer().error();
    assert_eq!((told, text.contains("16777216")), (code(Error::TooLarge), true), "{text}");
    sender.send(&to, "x", b"it goes on");
}

#[test]
fn a_full_queue_makes_sends_wait_and_loses_nothing() {
    let setup = Setup::with("[quic]\nsend_queue_bytes_max = 65536\n");
    let (first, second) = (setup.start(), Setup::new().start());
    let (mut sender, mut receiver) = (first.client(), second.client());
    let to = second.address();
    receiver.follow(ALL);
    let reader = std::thread::spawn(move || {
        for number in 0..300_u32 {
            let (_, body) = receiver.answer().message();
            assert_eq!((body.len(), &body[..4]), (50_000, &number.to_be_bytes()[..]));
        }
    });
    let mut numbers = Vec::new();
    for number in 0..300_u32 {
        let mut message = vec![0; 50_000];
        message[..4].copy_from_slice(&number.to_be_bytes());
        let request = Request::Send { address: &to, team: TEAM, label: "x" };
        numbers.push(sender.ask_with(&request, &message));
    }
    // Those that waited for the connection may be answered behind those that found it.
    while !numbers.is_empty() {
        let answer = sender.answer();
        let (number, Answer::Done, _) = answer.read() else { panic!("{answer:?}") };
        numbers.retain(|asked| *asked != number);
    }
    reader.join().expect("all arrive in their order");
}

#[test]
fn a_close_is_answered_when_all_has_arrived_and_watches_hear_of_it() {
    let (first, second) = two();
    let (mut sender, mut watch, mut there) = (first.client(), first.client(), second.client());
    let to = second.address();
    watch.done(&Request::Watch, b"");
    for _ in 0..100 {
        sender.send(&to, "x", &[0; 1000]);
    }
    let answer = watch.answer();
    let (_, Answer::Event(Event::Connected { address, by_peer, .. }), _) = answer.read() else {
        panic!("{answer:?}");
    };
    assert_eq!((address, by_peer), (&*to, false));
    let number = sender.ask(&Request::Close { address: &to });
    let answer = sender.answer();
    assert_eq!(answer.read(), (number, Answer::Closed { undelivered: 0 }, &b""[..]));
    there.until_counter("messages_waiting", |count| count == 100);
    let answer = watch.answer();
    let (_, Answer::Event(Event::Closed { address, code: told, undelivered, .. }), _) =
        answer.read()
    else {
        panic!("{answer:?}");
    };
    assert_eq!((address, told, undelivered), (&*to, code(Error::Closed), 0));
    sender.ask(&Request::Close { address: &to });
    assert_eq!(sender.answer().error().1, code(Error::InvalidReference));
}

#[test]
fn what_is_cancelled_gets_nothing_more() {
    let (first, second) = two();
    let (mut sender, mut client) = (first.client(), second.client());
    let to = second.address();
    let follow = client.ask(&Request::Follow { filter: ALL });
    assert_eq!(client.answer().read().1, Answer::Done);
    sender.send(&to, "x", b"1");
    assert_eq!(client.answer().read().0, follow);
    let receive = receive(&mut client, Filter::Syncs { address: None }, 9, WAIT_FOR_EVER);
    for request in [follow, receive] {
        client.done(&Request::Cancel { request }, b"");
        client.ask(&Request::Cancel { request });
        assert_eq!(client.answer().error().1, code(Error::InvalidReference));
    }
    sender.send(&to, "x", b"2");
    sender.done(&Request::SendSync { address: &to }, b"3");
    client.until_counter("messages_waiting", |count| count == 2);
}

#[test]
fn a_status_tells_who_and_where_and_how_much() {
    let (first, second) = two();
    let mut client = first.client();
    client.send(&second.address(), "x", b"four");
    client.status(|status| {
        assert_eq!((status.protocol, status.version), (1, env!("CARGO_PKG_VERSION")));
        assert_eq!(channeler::id::PeerId(status.peer).to_string(), first.peer);
        assert_eq!(status.listen, [first.address()]);
        let [connection] = &status.connections[..] else { panic!("{status:?}") };
        let peer = connection.peer.map(|peer| channeler::id::PeerId(peer).to_string());
        assert_eq!((connection.address, peer), (&*second.address(), Some(second.peer.clone())));
        assert!(connection.is_connected && !connection.by_peer);
        let page = include_str!("../../docs/daemon.md");
        for (name, _) in status.counters.iter().chain(&connection.counters) {
            assert!(page.contains(&format!("`{name}`")), "{name} is not on the page");
        }
    });
    assert_eq!((client.counter("messages_sent"), client.counter("bytes_sent")), (1, 4));
}

#[test]
fn a_client_that_shuts_down_its_writing_side_gets_its_answers_first() {
    let (first, second) = two();
    let mut client = first.client();
    client.ask(&Request::Follow { filter: ALL });
    let to = second.address();
    client.ask_with(&Request::Send { address: &to, team: TEAM, label: "x" }, b"last words");
    client.stream.shutdown(std::net::Shutdown::Write).expect("it is open");
    for _ in 0..2 {
        assert_eq!(client.answer().read().1, Answer::Done);
    }
    assert!(client.answer_or_end().is_none());
    assert_eq!(second.client().receive().1, b"last words");
}

#[test]
fn addresses_and_labels_that_are_none_are_refused_by_name() {
    let daemon = Setup::new().start();
    let mut client = daemon.client();
    let label = "x".repeat(257);
    for (address, label, error, part) in [
        ("localhost", "", Error::InvalidAddress, "\"localhost\" is no address"),
        ("127.0.0.1:0", "", Error::InvalidAddress, "address"),
        ("[fe80::1%nowhere]:1", "", Error::InvalidAddress, "\"nowhere\" is neither"),
        ("127.0.0.1:1", &*label, Error::InvalidArgument, "257 bytes"),
    ] {
        client.ask_with(&Request::Send { address, team: TEAM, label }, b"x");
        let (_, told, text) = client.answer().error();
        assert_eq!(told, code(error), "{address}: {text}");
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn mapped_and_scoped_addresses_reach_the_peer_they_name() {
    let first = Setup { listen: "[::]:0".to_owned(), ..Setup::new() }.start();
    let second = Setup { listen: "[::]:0".to_owned(), ..Setup::new() }.start();
    let (mut sender, mut receiver) = (first.client(), second.client());
    receiver.follow(ALL);
    let port = second.address.port();
    for address in ["[::ffff:127.0.0.1]:", "127.0.0.1:", "[::1%lo]:", "[::1]:"] {
        sender.send(&format!("{address}{port}"), address, b"x");
        assert_eq!(receiver.answer().message().0, address);
    }
    assert!(sender.counter("connections") <= 3, "the mapped address is no second connection");
}
