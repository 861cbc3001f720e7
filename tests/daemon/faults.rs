//! Clients that send garbage, stop half-way, do not read, or come in crowds.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use channeler::daemon::{Answer, Event, Filter, NO_REQUEST, Request, WAIT_FOR_EVER};
use channeler::error::Error;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::world::{ALL, Client, Setup, TEAM};

fn code(error: Error) -> u32 {
    error.code().unsigned_abs()
}

/// The error that a client is told last, and that it is closed then.
fn last_words(client: &mut Client) -> (u32, u32, String) {
    let told = client.answer().error();
    assert!(client.answer_or_end().is_none(), "the daemon closes");
    told
}

#[test]
fn garbage_is_answered_with_what_is_wrong_and_the_end() {
    let daemon = Setup::new().start();
    for (bytes, number, error, part) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], NO_REQUEST, Error::TooLarge, "1195725856 bytes"),
        (&[0, 0, 0, 0], NO_REQUEST, Error::Decode, "number"),
        (&[0, 0, 0, 2, 0, 3], NO_REQUEST, Error::Decode, "number"),
        (&[0, 0, 0, 3, 7, 2, 9], 7, Error::Decode, "kind 2"),
        (&[0, 0, 0, 3, 7, 3, 0], 7, Error::Decode, "1 bytes too many"),
        (&[0, 0, 0, 5, 7, 2, 2, 0xc3, 0x28], 7, Error::Decode, "kind 2"),
    ] {
        let mut client = daemon.client();
        client.stream.write_all(bytes).expect("it is open");
        let (told, told_code, text) = last_words(&mut client);
        assert_eq!((told, told_code), (number, code(error)), "{text}");
        assert!(text.contains(part), "{text}");
    }
    let mut client = daemon.client();
    assert_eq!((client.counter("clients_dropped"), client.counter("clients")), (6, 1));
}

#[test]
fn a_kind_that_is_not_known_is_refused_and_nothing_else() {
    let daemon = Setup::new().start();
    let mut client = daemon.client();
    client.stream.write_all(&[0, 0, 0, 4, 7, 99, 1, 2]).expect("it is open");
    let (number, told, _) = client.answer().error();
    assert_eq!((number, told), (7, code(Error::Unsupported)));
    client.counter("clients");
}

#[test]
fn half_a_request_is_waited_for_and_then_no_more() {
    let daemon = Setup::with("[clients]\nrequest_timeout_ms = 100\n").start();
    let mut patient = daemon.client();
    patient.ask(&Request::Receive { filter: ALL, capacity: 0, wait_ms: WAIT_FOR_EVER });
    for bytes in [&[0][..], &[0, 0, 0, 9, 7], &[0, 15, 0, 0, 7, 0, 1]] {
        let mut client = daemon.client();
        client.stream.write_all(bytes).expect("it is open");
        let (number, told, text) = last_words(&mut client);
        assert_eq!((number, told), (NO_REQUEST, code(Error::Timeout)), "{text}");
    }
    patient.counter("clients");
}

#[test]
fn half_a_request_and_then_its_end_is_just_the_end() {
    let daemon = Setup::new().start();
    let mut client = daemon.client();
    client.stream.write_all(&[0, 0, 0, 9, 7]).expect("it is open");
    drop(client);
    daemon.client().until_counter("clients", |count| count == 1);
}

#[test]
fn a_request_may_come_a_byte_at_a_time() {
    let (first, second) = (Setup::new().start(), Setup::new().start());
    let mut client = first.client();
    let to = second.address();
    let mut bytes = Vec::new();
    let request = Request::Send { address: &to, team: TEAM, label: "slow" };
    channeler::daemon::write_request(&mut bytes, 1, &request, b"and whole").expect("it fits");
    for byte in bytes {
        client.stream.write_all(&[byte]).expect("it is open");
    }
    assert_eq!(client.answer().read().1, Answer::Done);
    assert_eq!(second.client().receive(), ("slow".to_owned(), b"and whole".to_vec()));
}

#[test]
fn a_client_that_never_reads_is_dropped_and_the_others_get_everything() {
    let tables = "[clients]\nbuffer_bytes = 65536\nstall_timeout_ms = 1000\n\
                  [messages]\nbytes_max = 2000000\n[quic]\nmessage_bytes_max = 100000\n";
    let (first, mut second) = (Setup::new().start(), Setup::with(tables).start());
    let (mut sender, mut deaf, mut good) = (first.client(), second.client(), second.client());
    deaf.follow(ALL);
    good.follow(ALL);
    let to = second.address();
    let reader = std::thread::spawn(move || {
        for number in 0..200_u32 {
            let (_, body) = good.answer().message();
            assert_eq!(body[..4], number.to_be_bytes());
        }
    });
    for number in 0..200_u32 {
        let mut message = vec![0; 50_000];
        message[..4].copy_from_slice(&number.to_be_bytes());
        sender.send(&to, "x", &message);
    }
    second.expect("it does not read");
    reader.join().expect("the other gets all");
    let mut client = second.client();
    assert_eq!(client.counter("clients_dropped"), 1);
    assert_eq!(client.counter("messages_waiting"), 0);
    drop(deaf);
}

#[test]
fn what_a_client_was_given_and_did_not_get_goes_to_the_next() {
    let (first, second) = (Setup::new().start(), Setup::new().start());
    let (mut sender, mut deaf) = (first.client(), second.client());
    deaf.follow(ALL);
    let to = second.address();
    for number in 0..100_u8 {
        sender.send(&to, "x", &[number; 20_000]);
    }
    let mut other = second.client();
    other.until_counter("messages_received", |count| count == 100);
    drop(deaf);
    other.until_counter("clients", |count| count == 1);
    let waiting = other.counter("messages_waiting");
    assert!(waiting > 50, "the socket's own buffer took the first few, and {waiting} are left");
    other.follow(ALL);
    for number in 100 - waiting..100 {
        assert_eq!(u64::from(other.answer().message().1[0]), number, "in their order");
    }
}

#[test]
fn a_client_that_asks_and_never_reads_is_not_heard_any_more() {
    let daemon = Setup::with("[clients]\nbuffer_bytes = 65536\nstall_timeout_ms = 300\n").start();
    let mut client = daemon.client();
    client.stream.set_nonblocking(true).expect("it can be");
    let mut asked = 0;
    // Statuses of several hundred bytes for requests of six.
    let refused = loop {
        match client.stream.write(&[0, 0, 0, 2, 1, 3]) {
            Ok(_) => asked += 1,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                std::thread::yield_now();
            }
            Err(error) => break error,
        }
        assert!(asked < 10_000_000, "somebody remembers all that");
    };
    assert_eq!(refused.kind(), std::io::ErrorKind::BrokenPipe);
    daemon.client().until_counter("clients_dropped", |count| count == 1);
}

#[test]
fn nobody_asks_and_peers_are_held_back_until_somebody_does() {
    let tables = "[messages]\nbytes_max = 200000\n\
                  [quic]\nmessage_bytes_max = 65536\nconnection_receive_bytes_max = 100000\n\
                  receive_bytes_max = 100000\n";
    let first = Setup::with("[quic]\nsend_queue_bytes_max = 100000\n").start();
    let second = Setup::with(tables).start();
    let (mut sender, mut receiver) = (first.client(), second.client());
    let to = second.address();
    // Far more than queues and windows hold.
    let writer = std::thread::spawn(move || {
        for number in 0..600_u32 {
            let mut message = vec![0; 50_000];
            message[..4].copy_from_slice(&number.to_be_bytes());
            sender.send(&to, "x", &message);
        }
        sender.counter("messages_undelivered")
    });
    receiver.until_counter("bytes_waiting", |bytes| bytes > 140_000);
    for number in 0..600_u32 {
        assert_eq!(receiver.receive().1[..4], number.to_be_bytes());
        assert!(number % 50 != 0 || receiver.counter("bytes_waiting") <= 200_000);
    }
    assert_eq!(writer.join().expect("all are sent"), 0);
}

#[test]
fn the_oldest_that_nobody_wants_are_dropped_and_counted_where_that_is_configured() {
    let tables = "[messages]\ncount_max = 10\nwhen_full = \"drop_oldest\"\n";
    let (first, second) = (Setup::new().start(), Setup::with(tables).start());
    let (mut sender, mut watch, mut receiver) = (first.client(), second.client(), second.client());
    watch.done(&Request::Watch, b"");
    let to = second.address();
    for number in 0..30_u8 {
        sender.send(&to, "x", &[number]);
    }
    receiver.until_counter("messages_dropped", |count| count == 20);
    for number in 20..30 {
        assert_eq!(receiver.receive().1, [number]);
    }
    let mut told = 0;
    while told < 20 {
        match watch.answer().read() {
            (_, Answer::Event(Event::Dropped { count }), _) => told += count,
            (_, Answer::Event(Event::Connected { .. }), _) => {}
            (_, other, _) => panic!("{other:?}"),
        }
    }
    assert_eq!(told, 20);
}

#[test]
fn a_thousand_clients_are_served_and_one_above_the_limit_is_told_so() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the maximum");
    let (first, second) = (Setup::new().start(), Setup::with("[clients]\nmax = 1001\n").start());
    let mut clients: Vec<Client> = (0..1_001).map(|_| second.client()).collect();
    for client in &mut clients {
        client.ask(&Request::Follow { filter: ALL });
    }
    for client in &mut clients {
        assert_eq!(client.answer().read().1, Answer::Done);
    }
    let mut extra = second.client();
    let (number, told, text) = last_words(&mut extra);
    assert_eq!((number, told), (NO_REQUEST, code(Error::Limit)), "{text}");
    let mut sender = first.client();
    for number in 0..3_u8 {
        sender.send(&second.address(), "to all", &[number; 100]);
    }
    for client in &mut clients {
        for number in 0..3_u8 {
            assert_eq!(client.answer().message().1, [number; 100]);
        }
    }
    assert_eq!(clients[0].counter("clients"), 1_001);
    let first_one = clients.swap_remove(0);
    drop(clients);
    let mut first_one = first_one;
    first_one.until_counter("clients", |count| count == 1);
}

#[test]
fn numbers_in_use_and_too_many_requests_are_refused() {
    let daemon = Setup::with("[clients]\nrequests_max = 3\n").start();
    let mut client = daemon.client();
    let receive =
        Request::Receive { filter: Filter::Syncs { address: None }, capacity: 9, wait_ms: 60_000 };
    let first = client.ask(&receive);
    let mut bytes = Vec::new();
    channeler::daemon::write_request(&mut bytes, first, &receive, b"").expect("it fits");
    client.stream.write_all(&bytes).expect("it is open");
    let (number, told, _) = client.answer().error();
    assert_eq!((number, told), (first, code(Error::State)));
    client.ask(&receive);
    client.ask(&receive);
    client.ask(&receive);
    assert_eq!(client.answer().error().1, code(Error::Limit));
    client.done(&Request::Cancel { request: first }, b"");
    client.ask(&receive);
    client.counter("clients");
}

#[test]
fn long_requests_share_their_memory_and_take_turns() {
    let tables = "[clients]\ninput_bytes_max = 1001024\nrequest_timeout_ms = 300\n\
                  [quic]\nmessage_bytes_max = 1000000\n";
    let (first, second) = (Setup::with(tables).start(), Setup::new().start());
    let to = second.address();
    let mut bytes = Vec::new();
    let request = Request::Send { address: &to, team: TEAM, label: "long" };
    channeler::daemon::write_request(&mut bytes, 1, &request, &[1; 900_000]).expect("it fits");
    // One begins and stops; the other waits for its memory, not for ever, and is heard.
    let mut stuck = first.client();
    stuck.stream.write_all(&bytes[..1000]).expect("it is open");
    // Whoever is served later finds it begun.
    first.client().counter("clients");
    let mut other = UnixStream::connect(first.setup.socket()).expect("it serves");
    let writer = std::thread::spawn(move || {
        other.write_all(&bytes).expect("it is read in the end");
        let mut answer = [0; 6];
        other.read_exact(&mut answer).expect("an answer");
        answer
    });
    assert_eq!(last_words(&mut stuck).1, code(Error::Timeout));
    assert_eq!(writer.join().expect("it is heard"), [0, 0, 0, 2, 1, 0]);
    assert_eq!(second.client().receive().1.len(), 900_000);
}
