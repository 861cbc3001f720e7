//! The frames of the page byte by byte, and any frame there and back.

use proptest::prelude::*;

use super::*;

const PAGE: &str = include_str!("../../docs/daemon.md");
const TEAM: Team = [0x0a; 32];
const PEER: Peer = [0x0b; 16];

/// The frames in the code blocks `frame` of the page, in their order: of each line the pairs of
/// hexadecimal digits that it begins with.
fn frames_of_the_page() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut blocks = PAGE.split("```frame\n");
    blocks.next();
    for block in blocks {
        let (block, _) = block.split_once("```").expect("the block ends");
        let digits = |word: &str| u8::from_str_radix(word, 16).ok().filter(|_| word.len() == 2);
        let line = |line: &str| line.split(' ').map_while(digits).collect::<Vec<u8>>();
        frames.push(block.lines().flat_map(line).collect());
    }
    frames
}

fn request_frame(number: u32, request: &Request<'_>, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_request(&mut out, number, request, message).expect("it fits");
    out
}

fn answer_frame(number: u32, answer: &Answer<'_>, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_answer(&mut out, number, answer, message.len()).expect("it fits");
    out.extend_from_slice(message);
    out
}

/// What is in the frame, its length taken off.
fn inside(frame: &[u8]) -> &[u8] {
    let length = frame_length(frame, usize::MAX).expect("no limit").expect("a length is there");
    let inside = &frame[LENGTH_BYTES..];
    assert_eq!(inside.len(), length);
    inside
}

fn message_filter(label: Label<'_>) -> Filter<'_> {
    Filter::Messages { address: None, team: Some(TEAM), label }
}

#[test]
fn frames_are_as_the_page_has_them() {
    let address = "192.0.2.1:4433";
    let requests = [
        (1, Request::Send { address, team: TEAM, label: "chat" }, &b"hello"[..]),
        (
            2,
            Request::Receive {
                filter: message_filter(Label::Any),
                capacity: 65_536,
                wait_ms: WAIT_FOR_EVER,
            },
            b"",
        ),
        (3, Request::Close { address }, b""),
        (4, Request::Status, b""),
        (300, Request::Follow { filter: message_filter(Label::StartsWith("tele")) }, b""),
    ];
    let answers = [
        (1, Answer::Done, &b""[..]),
        (1, Answer::Error { code: 15, text: "no answer", detail: 0 }, b""),
        (2, Answer::Message { address, peer: PEER, team: TEAM, label: "chat" }, b"hello"),
        (3, Answer::Closed { undelivered: 0 }, b""),
    ];
    let written = requests
        .iter()
        .map(|(number, request, message)| request_frame(*number, request, message))
        .chain(answers.iter().map(|(number, answer, text)| answer_frame(*number, answer, text)));
    let written: Vec<Vec<u8>> = written.collect();
    assert_eq!(frames_of_the_page(), written);
    for ((number, request, message), frame) in requests.iter().zip(&written) {
        assert_eq!(read_request(inside(frame)), Ok((*number, request.clone(), *message)));
    }
    for ((number, answer, message), frame) in answers.iter().zip(&written[requests.len()..]) {
        assert_eq!(read_answer(inside(frame)), Ok((*number, answer.clone(), *message)));
    }
}

#[test]
fn every_kind_has_the_number_of_the_page() {
    let filter = Filter::Syncs { address: None };
    let (address, label) = ("a", "b");
    let requests = [
        Request::Send { address, team: TEAM, label },
        Request::Receive { filter, capacity: 0, wait_ms: 0 },
        Request::Close { address },
        Request::Status,
        Request::Follow { filter },
        Request::Cancel { request: 9 },
        Request::Watch,
        Request::Connect { address, peer: Some(PEER) },
        Request::SendSync { address },
    ];
    assert_eq!(requests.len(), Request::KINDS as usize);
    for (kind, request) in requests.iter().enumerate() {
        assert_eq!(request_frame(7, request, b"")[LENGTH_BYTES + 1], kind as u8, "{request:?}");
    }
    let status = Status {
        protocol: VERSION,
        version: "1.2.3",
        peer: PEER,
        listen: vec!["[::]:4433"],
        counters: vec![("clients", 1)],
        connections: vec![Connection {
            address,
            peer: None,
            is_connected: false,
            by_peer: true,
            counters: vec![("rtt_us", 2)],
        }],
    };
    let event = Event::Moved { from: "a", to: "b" };
    let answers = [
        Answer::Done,
        Answer::Error { code: 1, text: "", detail: 0 },
        Answer::Message { address, peer: PEER, team: TEAM, label },
        Answer::Nothing,
        Answer::Status(status),
        Answer::Event(event),
        Answer::Sync { address, peer: PEER },
        Answer::Closed { undelivered: 0 },
        Answer::Connected { peer: PEER },
    ];
    assert_eq!(answers.len(), Answer::KINDS as usize);
    for (kind, answer) in answers.iter().enumerate() {
        let frame = answer_frame(7, answer, b"");
        assert_eq!(frame[LENGTH_BYTES + 1], kind as u8, "{answer:?}");
        assert_eq!(read_answer(inside(&frame)), Ok((7, answer.clone(), &b""[..])));
    }
    let event_kind = answer_frame(7, &Answer::Event(event), b"")[LENGTH_BYTES + 2];
    assert_eq!(event_kind, 4);
    let last = answer_frame(7, &Answer::Event(Event::Missed { count: 1 }), b"");
    assert_eq!(u32::from(last[LENGTH_BYTES + 2]) + 1, Event::KINDS);
}

#[test]
fn what_is_wrong_is_named_with_the_number_of_the_request() {
    for (frame, error) in [
        (&[][..], Malformed::NoNumber),
        (&[0x80], Malformed::NoNumber),
        (&[0, 3], Malformed::NoNumber),
        (&[7], Malformed::Head { number: 7, kind: 0 }),
        (&[7, 9, 1, 2], Malformed::UnknownKind { number: 7, kind: 9 }),
        (&[7, 2, 3, b'a'], Malformed::Head { number: 7, kind: 2 }),
        (&[7, 2, 2, 0xc3, 0x28], Malformed::Head { number: 7, kind: 2 }),
        (&[7, 3, 0], Malformed::TooMuch { number: 7, kind: 3, count: 1 }),
    ] {
        assert_eq!(read_request(frame), Err(error), "{frame:02x?}");
    }
    assert_eq!(Malformed::Head { number: 7, kind: 2 }.number(), 7);
    assert_eq!(Malformed::NoNumber.number(), NO_REQUEST);
}

#[test]
fn kinds_of_answers_and_events_to_come_can_be_passed_over() {
    let unknown = |kind| Err(Malformed::UnknownKind { number: 7, kind });
    assert_eq!(read_answer(&[7, 9, 1, 2, 3]), unknown(9));
    assert_eq!(read_answer(&[7, 5, 7, 1, 2, 3]), unknown(7));
}

#[test]
fn a_length_is_read_once_it_is_there_and_refused_above_the_limit() {
    assert_eq!(frame_length(&[0, 0, 1], 256), Ok(None));
    assert_eq!(frame_length(&[0, 0, 1, 0], 256), Ok(Some(256)));
    let error = Malformed::TooLong { length: 257, most: 256 };
    assert_eq!(frame_length(&[0, 0, 1, 1, 9], 256), Err(error));
    let length = usize::try_from(u32::from_be_bytes(*b"GET ")).expect("32 bits fit");
    assert_eq!(
        frame_length(b"GET / HTTP/1.1", 1 << 20),
        Err(Malformed::TooLong { length, most: 1 << 20 })
    );
}

#[test]
fn heads_are_no_larger_than_their_limit_says() {
    let (address, label) = ("x".repeat(64), "x".repeat(256));
    let filter = Filter::Messages {
        address: Some(&address),
        team: Some(TEAM),
        label: Label::StartsWith(&label),
    };
    let request = Request::Receive { filter, capacity: u32::MAX, wait_ms: u32::MAX };
    let frame = request_frame(u32::MAX, &request, b"");
    assert!(frame.len() - LENGTH_BYTES <= REQUEST_HEAD_BYTES_MAX);
}

fn labels() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-zé]{1,40}", Just("x".repeat(256))]
}

proptest! {
    #[test]
    fn any_request_arrives_as_it_was_sent(
        number in 1..=u32::MAX,
        kind in 0..9_u8,
        address in "[0-9a-f.:%\\[\\]]{0,60}",
        label in labels(),
        (team, capacity, wait_ms) in (any::<Option<Team>>(), any::<u32>(), any::<u32>()),
        message in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let label_filter = match capacity % 3 {
            0 => Label::Any,
            1 => Label::Is(&label),
            _ => Label::StartsWith(&label),
        };
        let address = &*address;
        let from = (wait_ms % 2 == 0).then_some(address);
        let filter = match wait_ms % 3 {
            0 => Filter::Syncs { address: from },
            _ => Filter::Messages { address: from, team, label: label_filter },
        };
        let request = match kind {
            0 => Request::Send { address, team: team.unwrap_or_default(), label: &label },
            1 => Request::Receive { filter, capacity, wait_ms },
            2 => Request::Close { address },
            3 => Request::Status,
            4 => Request::Follow { filter },
            5 => Request::Cancel { request: capacity },
            6 => Request::Watch,
            7 => Request::Connect { address, peer: team.map(|team| [team[0]; 16]) },
            _ => Request::SendSync { address },
        };
        let message = if kind == 0 || kind == 8 { &message[..] } else { &[] };
        let frame = request_frame(number, &request, message);
        prop_assert_eq!(read_request(inside(&frame)), Ok((number, request, message)));
        // Cut off anywhere within the head, it is refused, and never as another request.
        let head = frame.len() - LENGTH_BYTES - message.len();
        for end in 0..head {
            prop_assert!(read_request(&frame[LENGTH_BYTES..][..end]).is_err());
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        kind in 0..12_u8,
    ) {
        let _any = read_request(&bytes);
        let _any = read_answer(&bytes);
        if let [number, second, ..] = &mut bytes[..] {
            (*number, *second) = (1, kind);
        }
        let _any = read_request(&bytes);
        let _any = read_answer(&bytes);
    }

    #[test]
    fn a_status_arrives_as_it_was_sent(
        names in proptest::collection::vec(("[a-z_]{1,20}", any::<u64>()), 0..30),
        peers in proptest::collection::vec((any::<Option<Peer>>(), any::<bool>()), 0..20),
    ) {
        let counters: Vec<(&str, u64)> = names.iter().map(|(name, n)| (&**name, *n)).collect();
        let connections = peers.iter().map(|(peer, flag)| Connection {
            address: "10.0.0.1:1",
            peer: *peer,
            is_connected: *flag,
            by_peer: !*flag,
            counters: counters.clone(),
        });
        let answer = Answer::Status(Status {
            protocol: VERSION,
            version: "0.1.0",
            peer: PEER,
            listen: counters.iter().map(|(name, _)| *name).collect(),
            connections: connections.collect(),
            counters: counters.clone(),
        });
        let frame = answer_frame(1, &answer, b"");
        prop_assert_eq!(read_answer(inside(&frame)), Ok((1, answer, &b""[..])));
    }
}
