//! Whatever encodes decodes to itself, and no bytes make a message longer than they are.

use proptest::prelude::*;

use super::*;

fn encoded(messages: &[Message<'_>]) -> Vec<u8> {
    let mut out = vec![0; messages.iter().map(Message::encoded_len).sum()];
    let mut writer = Writer::new(&mut out);
    for message in messages {
        message.write(&mut writer).expect("the buffer was made to fit");
    }
    assert_eq!(writer.remaining(), 0);
    out
}

const ID: ChannelId = ChannelId { initiator: 0x1234, responder: 0x5678 };

const ONE_OF_EACH: [Message<'static>; 5] = [
    Message::ChannelNew { initiator: 0x1234, cookie1: 0xbeef_b4be },
    Message::ChannelAcknowledge { id: ID, cookie1: 0xbeef_b4be, cookie2: 0xdead_d00d },
    Message::ChannelFinalize { id: ID, cookie2: 0x3987_886e, capabilities: Capabilities(7) },
    Message::ChannelCookie { cookie: 0xdead_d00d, capabilities: Capabilities(1) },
    Message::Data(b"hello"),
];

#[test]
fn bytes_of_each_type_are_those_of_the_wire_page() {
    let expected: [&[u8]; 5] = [
        b"\x0a\x12\x34\xbe\xef\xb4\xbe",
        b"\x0b\x56\x78\x12\x34\xbe\xef\xb4\xbe\xde\xad\xd0\x0d",
        b"\x0c\x56\x78\x12\x34\x39\x87\x88\x6e\x00\x07",
        b"\x0d\xde\xad\xd0\x0d\x00\x01",
        b"\x14\x05hello",
    ];
    for (message, bytes) in ONE_OF_EACH.iter().zip(expected) {
        assert_eq!(encoded(&[*message]), bytes);
        assert_eq!(Message::parse(bytes), Ok((*message, bytes.len())));
        for end in 0..bytes.len() {
            assert_eq!(Message::parse(&bytes[..end]), Err(MessageError::Malformed), "{end}");
        }
        let size = match payload_size(message.message_type()) {
            PayloadSize::Fixed(size) => size,
            PayloadSize::Variable => 1 + 5,
            PayloadSize::Unknown => 0,
        };
        assert_eq!(size + 1, bytes.len());
    }
}

#[test]
fn a_write_without_room_changes_nothing() {
    for message in ONE_OF_EACH {
        let mut out = vec![0xcc; message.encoded_len() - 1];
        let mut writer = Writer::new(&mut out);
        assert_eq!(message.write(&mut writer), Err(WireError::Full));
        assert_eq!(writer.position(), 0);
        assert!(out.iter().all(|&byte| byte == 0xcc), "{message:?}");
    }
}

#[test]
fn data_may_be_empty_and_its_length_may_end_the_payload() {
    assert_eq!(Message::parse(&[20, 0]), Ok((Message::Data(&[]), 2)));
    assert_eq!(Message::parse(&[20, 0x80, 0]), Err(MessageError::Malformed));
    assert_eq!((data_overhead(127), data_overhead(128), data_overhead(16_512)), (2, 3, 4));
}

#[test]
fn a_data_length_near_the_end_of_64_bits_neither_wraps_nor_loops() {
    for last in 0x70..=0x7f_u8 {
        let bytes = [20, 0x80, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, last, 0xee];
        assert_eq!(Message::parse(&bytes), Err(MessageError::Malformed));
        assert_eq!(Messages::new(&bytes).count(), 1);
    }
}

#[test]
fn types_past_16_bits_are_unknown_not_wrapped() {
    for message_type in [0, 9, 14, 19, 21, 22, 127, 65_535, 65_536 + 10, (1 << 56) + 11, u64::MAX] {
        let mut out = [0; 40];
        Writer::new(&mut out).varint(message_type).expect("fits");
        assert_eq!(Message::parse(&out), Err(MessageError::Unknown), "{message_type}");
    }
}

#[test]
fn iteration_ends_after_the_first_error_and_tells_what_is_left() {
    let mut payload = encoded(&ONE_OF_EACH);
    payload.extend_from_slice(&[0xbe, 0xef, 0xb4, 0xbe]);
    payload.extend(encoded(&ONE_OF_EACH));
    let left = payload.len() - encoded(&ONE_OF_EACH).len();
    let mut messages = Messages::new(&payload);
    for message in ONE_OF_EACH {
        assert_eq!(messages.next(), Some(Ok(message)));
    }
    assert_eq!(messages.next(), Some(Err(MessageError::Unknown)));
    assert_eq!(messages.next(), None);
    assert_eq!(messages.remaining(), left);
}

#[test]
fn an_empty_payload_has_no_messages_and_no_error() {
    assert_eq!(Messages::new(&[]).next(), None);
}

#[derive(Debug, Clone)]
enum Draw {
    New(u16, u32),
    Acknowledge(u32, u32, u32),
    Finalize(u32, u32, u16),
    Cookie(u32, u16),
    Data(Vec<u8>),
}

impl Draw {
    fn message(&self) -> Message<'_> {
        match *self {
            Draw::New(initiator, cookie1) => Message::ChannelNew { initiator, cookie1 },
            Draw::Acknowledge(id, cookie1, cookie2) => {
                Message::ChannelAcknowledge { id: ChannelId::from_wire(id), cookie1, cookie2 }
            }
            Draw::Finalize(id, cookie2, capabilities) => Message::ChannelFinalize {
                id: ChannelId::from_wire(id),
                cookie2,
                capabilities: Capabilities(capabilities),
            },
            Draw::Cookie(cookie, capabilities) => {
                Message::ChannelCookie { cookie, capabilities: Capabilities(capabilities) }
            }
            Draw::Data(ref data) => Message::Data(data),
        }
    }
}

fn draw() -> impl Strategy<Value = Draw> {
    prop_oneof![
        any::<(u16, u32)>().prop_map(|(half, cookie)| Draw::New(half, cookie)),
        any::<(u32, u32, u32)>().prop_map(|(id, one, two)| Draw::Acknowledge(id, one, two)),
        any::<(u32, u32, u16)>().prop_map(|(id, two, bits)| Draw::Finalize(id, two, bits)),
        any::<(u32, u16)>().prop_map(|(cookie, bits)| Draw::Cookie(cookie, bits)),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Draw::Data),
    ]
}

proptest! {
    #[test]
    fn what_is_written_iterates_to_itself(draws in prop::collection::vec(draw(), 0..12)) {
        let sent: Vec<Message<'_>> = draws.iter().map(Draw::message).collect();
        let payload = encoded(&sent);
        let received: Result<Vec<Message<'_>>, MessageError> = Messages::new(&payload).collect();
        prop_assert_eq!(received, Ok(sent));
    }

    #[test]
    fn what_iterates_is_written_back_to_the_same_bytes(
        mut payload in prop::collection::vec(any::<u8>(), 0..200),
        starts in prop::collection::vec((any::<prop::sample::Index>(), 9..22_u8), 0..20),
    ) {
        // Uniform bytes seldom begin with a known type; sprinkle some.
        for (at, byte) in starts {
            let len = payload.len();
            if len > 0 {
                payload[at.index(len)] = byte;
            }
        }
        let mut messages = Messages::new(&payload);
        let read: Vec<Message<'_>> = messages.by_ref().map_while(Result::ok).collect();
        let used = payload.len() - messages.remaining();
        prop_assert_eq!(encoded(&read), &payload[..used]);
    }
}
