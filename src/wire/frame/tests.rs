//! Bytes of each message as the protocol page has them; and whatever encodes decodes to itself.

use std::net::SocketAddr;

use super::*;
use crate::id::{Capabilities, Level, Token};

mod random;

const PLACES: [Place; 4] = [
    Place::Long(Level::Initial),
    Place::Long(Level::Handshake),
    Place::Long(Level::Early),
    Place::Short,
];

const CHANNEL: ChannelNumber = ChannelNumber(0x0102_0304);

fn encoded(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut out = vec![0xcc; frames.iter().map(Frame::encoded_len).sum()];
    let mut writer = Writer::new(&mut out);
    for frame in frames {
        frame.encode(&mut writer).expect("the buffer was made to fit");
    }
    assert_eq!(writer.remaining(), 0);
    out
}

/// All messages of a payload in a short packet.
fn decoded(bytes: &[u8]) -> Result<Vec<Frame<'_>>, FrameError> {
    Frames::new(Place::Short, bytes).collect()
}

/// `frame` is written as `bytes` and those are read as it, where its type may be. Of the bytes cut
/// short, and of a body one byte longer, nothing is read.
fn check(frame: Frame<'_>, bytes: &[u8]) {
    assert_eq!(encoded(&[frame]), bytes, "{frame:?}");
    assert_eq!(decoded(bytes), Ok(vec![frame]));
    for end in 1..bytes.len() {
        let error = decoded(&bytes[..end]).expect_err("cut short");
        assert_eq!(error.code(), ConnectionCode::Encoding, "{frame:?} cut to {end}");
    }
    let mut out = vec![0xcc; bytes.len() - 1];
    let mut writer = Writer::new(&mut out);
    assert_eq!(frame.encode(&mut writer), Err(WireError::Full));
    assert_eq!(out, vec![0xcc; bytes.len() - 1], "a failed write changed bytes");
    for place in PLACES {
        let is_read = Frames::new(place, bytes).next() == Some(Ok(frame));
        assert_eq!(is_read, frame.is_allowed_at(place), "{frame:?} at {place:?}");
    }
}

/// A message that ends before its length says so is refused, whatever comes after.
fn check_exact(bytes: &[u8]) {
    let mut longer = bytes.to_vec();
    longer[1] += 1;
    longer.push(0);
    assert_eq!(refused(&longer), Fault::Encoding, "{longer:x?}");
    let mut shorter = bytes.to_vec();
    shorter[1] -= 1;
    assert_eq!(refused(&shorter), Fault::Encoding, "{shorter:x?}");
}

/// Why the first message is refused.
fn refused(bytes: &[u8]) -> Fault {
    let mut frames = Frames::new(Place::Short, bytes);
    let error = frames.next().expect("a message").expect_err("refused");
    assert_eq!(error.message_type, u64::from(bytes[0]));
    assert_eq!((frames.next(), frames.remaining()), (None, 0), "it goes on after an error");
    error.fault
}

// spec: 8.3 PADDING
#[test]
fn padding_is_zeros_to_the_end_and_what_follows_is_not_read() {
    assert_eq!(encoded(&[Frame::Padding { len: 3 }]), [0, 0, 0]);
    assert_eq!(decoded(&[0]), Ok(vec![Frame::Padding { len: 1 }]));
    assert_eq!(decoded(&[1, 0, 0, 20, 9]), Ok(vec![Frame::Ping, Frame::Padding { len: 3 }]));
    let mut writer = [0xcc; 2];
    assert_eq!(
        Frame::Padding { len: 3 }.encode(&mut Writer::new(&mut writer)),
        Err(WireError::Full)
    );
    assert_eq!(writer, [0xcc; 2]);
}

// spec: 8.4 PING
#[test]
fn ping_has_no_body() {
    check(Frame::Ping, &[1, 0]);
    assert_eq!(refused(&[1, 1, 0]), Fault::Encoding);
    assert_eq!(Frame::Ping.asks(), Asks::AtOnce);
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn ack_with_and_without_counts() {
    let bytes = [2, 7, 0, 9, 0x80, 0x48, 2, 1, 0];
    let ack = ack_of(&bytes);
    assert_eq!((ack.path, ack.delay_us, ack.ecn), (PathId(0), 200, None));
    assert_eq!(ack.ranges.iter().collect::<Vec<_>>(), [7..=9, 4..=4]);
    check(Frame::Ack(ack), &bytes);
    let bytes = [3, 7, 5, 9, 0, 1, 2, 3, 9];
    let ack = ack_of(&bytes);
    assert_eq!((ack.path, ack.ecn), (PathId(5), Some(EcnCounts { ect0: 1, ect1: 2, ce: 3 })));
    assert_eq!(ack.ranges.iter().collect::<Vec<_>>(), [0..=9]);
    check(Frame::Ack(ack), &bytes);
    assert!(!Frame::Ack(ack).asks_for_ack());
}

fn ack_of(bytes: &[u8]) -> Ack<'_> {
    match decoded(bytes).as_deref() {
        Ok([Frame::Ack(ack)]) => *ack,
        other => panic!("no ACK: {other:?}"),
    }
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn ack_that_goes_below_0_or_ends_after_a_gap_is_refused() {
    for bytes in [
        &[2, 4, 0, 9, 0, 10][..],
        &[2, 5, 0, 9, 0, 9, 0],
        &[2, 6, 0, 9, 0, 9, 0, 0],
        &[2, 3, 0, 9, 0],
        &[3, 6, 0, 9, 0, 1, 2, 3],
        // A path id of 2^32.
        &[2, 8, 0x8e, 0xfe, 0xfe, 0xff, 0, 9, 0, 0],
    ] {
        assert_eq!(refused(bytes), Fault::Encoding, "{bytes:x?}");
    }
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn ack_is_written_from_ranges_and_takes_as_many_as_fit() {
    let ranges: Vec<_> = (0..100_u64).rev().map(|n| 1000 * n..=1000 * n).collect();
    let write = |room: usize, ecn: Option<EcnCounts>| {
        let mut out = vec![0xcc; room];
        let mut writer = Writer::new(&mut out);
        let count = write_ack(&mut writer, PathId(7), 5, ecn, ranges.iter().cloned());
        let len = writer.position();
        out.truncate(len);
        (count, out)
    };
    let (count, bytes) = write(1000, None);
    assert_eq!(count, Ok(64));
    // Head of 1 + 3 + 1 bytes, first range of 1, 63 pairs of 2 + 1.
    assert_eq!(bytes[..7], [2, 0x80, 5 + 1 + 63 * 3 - 128, 7, 0x85, 0x84, 0x38]);
    assert_eq!(ack_of(&bytes).ranges.iter().collect::<Vec<_>>(), ranges[..64]);
    for room in 0..300 {
        let (count, bytes) = write(room, Some(EcnCounts { ect0: 300, ect1: 0, ce: 1 }));
        assert!(bytes.len() <= room);
        match count {
            Ok(count) => {
                assert_eq!(ack_of(&bytes).ranges.iter().collect::<Vec<_>>(), ranges[..count]);
                assert!(count == 64 || room - bytes.len() <= 3 + 1, "{} of {room}", bytes.len());
            }
            Err(error) => assert!(error == WireError::Full && bytes.is_empty() && room < 12),
        }
    }
    let none = write_ack(&mut Writer::new(&mut [0; 99]), PathId(0), 0, None, std::iter::empty());
    assert_eq!(none, Err(WireError::Full));
}

// spec: 8.6 CRYPTO
#[test]
fn crypto_is_an_offset_and_at_least_one_byte() {
    let bytes = *b"\x04\x07\x80\x00hello";
    check(Frame::Crypto(Crypto { offset: 128, bytes: b"hello" }), &bytes);
    assert_eq!(refused(&[4, 2, 0x80, 0]), Fault::Encoding);
    assert_eq!((Crypto::len_max(128, 9), Crypto::len_max(128, 5)), (Some(5), Some(1)));
    assert_eq!((Crypto::len_max(128, 4), Crypto::len_max(0, 0)), (None, None));
}

// spec: 8.7 CONNECTION_CLOSE
#[test]
fn connection_close_has_a_source_a_code_a_cause_and_a_reason() {
    let close = ConnectionClose {
        source: Source::Application,
        code: 300,
        message_type: 20,
        reason: Reason::new("bye"),
    };
    check(Frame::ConnectionClose(close), b"\x05\x07\x01\x81\x2c\x14bye");
    let close = ConnectionClose { source: Source::Protocol, reason: Reason::NONE, ..close };
    check(Frame::ConnectionClose(close), b"\x05\x04\x00\x81\x2c\x14");
    assert_eq!(refused(&[5, 3, 2, 0, 0]), Fault::Encoding, "a third source");
    let longest = [&[5, 0x81, 2, 0, 0, 0][..], &[b'x'; 255]].concat();
    assert!(decoded(&longest).is_ok());
    let longer = [&[5, 0x81, 3, 0, 0, 0][..], &[b'x'; 256]].concat();
    assert_eq!(refused(&longer), Fault::Encoding);
}

// spec: 8.7, 16.1
#[test]
fn a_long_reason_is_cut_between_letters() {
    let text = format!("{}\u{e4}\u{e4}", "x".repeat(254));
    assert_eq!(Reason::new(&text).as_slice(), &text.as_bytes()[..254]);
    let text = format!("{}\u{e4}\u{e4}", "x".repeat(253));
    assert_eq!(Reason::new(&text).as_slice(), &text.as_bytes()[..255]);
}

// spec: 8.8 ACK_RATE
#[test]
fn ack_rate_is_of_1_to_16384_packets() {
    check(Frame::AckRate(AckRate { path: PathId(1), packets: 2, delay_us: 3 }), &[6, 3, 1, 2, 3]);
    let rate = AckRate { path: PathId(0), packets: 1 << 14, delay_us: 128 };
    check(Frame::AckRate(rate), &[6, 5, 0, 0xff, 0x00, 0x80, 0]);
    check_exact(&[6, 3, 1, 2, 3]);
    assert_eq!(refused(&[6, 3, 1, 0, 3]), Fault::Encoding);
    assert_eq!(refused(&[6, 4, 1, 0xff, 1, 3]), Fault::Encoding);
}

// spec: 8.9 CHANNEL_NEW
#[test]
fn channel_new_has_all_that_a_channel_is() {
    let label = Label::new(b"chat").expect("short");
    let capabilities = Capabilities(0b111);
    let new =
        ChannelNew { channel: CHANNEL, capabilities, limit: 128, priority: 7, weight: 255, label };
    let bytes = *b"\x0a\x0f\x01\x02\x03\x04\x00\x07\x80\x00\x07\xff\x04chat";
    check(Frame::ChannelNew(new), &bytes);
    check_exact(&bytes);
    let mut bad = bytes;
    bad[10] = 8;
    assert_eq!(refused(&bad), Fault::Encoding, "priority 8");
    let mut bad = bytes;
    bad[11] = 0;
    assert_eq!(refused(&bad), Fault::Encoding, "weight 0");
    // Unknown capabilities are for the channel to refuse, not for the connection.
    let mut unknown = bytes;
    unknown[6] = 0x80;
    assert!(decoded(&unknown).is_ok());
    let label = Label::new(&[b'l'; 255]).expect("255 bytes");
    let frame = Frame::ChannelNew(ChannelNew { label, ..new });
    assert_eq!(decoded(&encoded(&[frame])), Ok(vec![frame]));
    assert_eq!(Label::new(&[b'l'; 256]), None);
}

// spec: 8.10, 8.16
#[test]
fn limits_of_a_channel_and_of_the_connection() {
    let limit = ChannelLimit { channel: CHANNEL, limit: 127 };
    check(Frame::ChannelAccept(limit), &[11, 5, 1, 2, 3, 4, 127]);
    check(Frame::MaxChannelData(limit), &[22, 5, 1, 2, 3, 4, 127]);
    check(Frame::ChannelDataBlocked(limit), &[24, 5, 1, 2, 3, 4, 127]);
    check(Frame::MaxData { limit: 16_511 }, &[23, 2, 0xff, 0x7f]);
    check(Frame::DataBlocked { limit: 0 }, &[25, 1, 0]);
    for bytes in [&[11, 5, 1, 2, 3, 4, 127][..], &[22, 5, 1, 2, 3, 4, 127], &[25, 1, 0]] {
        check_exact(bytes);
    }
}

// spec: 8.11 CHANNEL_CLOSE
#[test]
fn channel_close_counts_messages_and_charge() {
    let close = ChannelClose { channel: CHANNEL, count: 1, position: 37 };
    check(Frame::ChannelClose(close), &[12, 6, 1, 2, 3, 4, 1, 37]);
    check_exact(&[12, 6, 1, 2, 3, 4, 1, 37]);
}

// spec: 8.12 CHANNEL_RESET
#[test]
fn channel_reset_has_a_source_a_code_a_position_and_a_reason() {
    let reset = ChannelReset {
        channel: CHANNEL,
        source: Source::Protocol,
        code: 2,
        position: 128,
        reason: Reason::new("no"),
    };
    check(Frame::ChannelReset(reset), b"\x0d\x0a\x01\x02\x03\x04\x00\x02\x80\x00no");
    assert_eq!(refused(&[13, 7, 1, 2, 3, 4, 2, 0, 0]), Fault::Encoding, "a third source");
    let longer = [&[13, 0x81, 7, 1, 2, 3, 4, 0, 0, 0][..], &[b'x'; 256]].concat();
    assert_eq!(refused(&longer), Fault::Encoding);
}

// spec: 8.13 MAX_CHANNELS, CHANNELS_BLOCKED
#[test]
fn counts_of_channels_go_to_2_to_the_31() {
    check(Frame::MaxChannels { count: 5 }, &[14, 1, 5]);
    check(Frame::ChannelsBlocked { count: 5 }, &[15, 1, 5]);
    check_exact(&[14, 1, 5]);
    let count = ChannelNumber::INDEXES_MAX;
    let bytes = encoded(&[Frame::MaxChannels { count }]);
    assert_eq!(decoded(&bytes), Ok(vec![Frame::MaxChannels { count }]));
    for kind in [14, 15] {
        let mut above = bytes.clone();
        above[0] = kind;
        *above.last_mut().expect("a body") += 1;
        assert_eq!(refused(&above), Fault::Encoding);
    }
}

// spec: 8.14 DATA
#[test]
fn data_has_flags_a_number_and_an_offset_if_it_is_not_0() {
    let data = Data { number: 0, offset: 0, is_final: true, bytes: b"hello" };
    // The payload of the worked example.
    check(Frame::Data(data), b"\x14\x07\x01\x00hello");
    let data = Data { number: 128, offset: 1200, is_final: false, bytes: b"x" };
    check(Frame::Data(data), b"\x14\x06\x02\x80\x00\x88\x30x");
    check(Frame::Data(Data { is_final: true, ..data }), b"\x14\x06\x03\x80\x00\x88\x30x");
    check(Frame::Data(Data { offset: 0, ..data }), b"\x14\x04\x00\x80\x00x");
    let empty = Data { number: 7, offset: 0, is_final: true, bytes: b"" };
    check(Frame::Data(empty), &[20, 2, 1, 7]);
    for bytes in [&[20, 2, 0, 7][..], &[20, 4, 2, 7, 0, 1], &[20, 3, 4, 7, 1], &[20, 3, 0x81, 7, 1]]
    {
        assert_eq!(refused(bytes), Fault::Encoding, "{bytes:x?}");
    }
    assert_eq!(refused(&[20, 0]), Fault::Encoding);
}

// spec: 8.14 DATA
#[test]
fn messages_of_one_size_in_a_row_are_read_at_once_as_they_are_one_by_one() {
    let bytes: Vec<u8> = (0..=255).collect();
    // Where each begins, its length, and how many follow each other; flags and numbers that do not
    // follow between them.
    let rows = [(0, 5, 200), (200, 5, 5), (206, 5, 2), (208, 64, 7), (16_500, 130, 30), (9, 1, 1)];
    let mut frames = Vec::new();
    for (first, len, count) in rows {
        for number in first..first + count {
            let bytes = &bytes[number as usize % 100..][..len];
            frames.push(Data { number, offset: 0, is_final: true, bytes });
        }
        frames.push(Data {
            number: first + count,
            offset: 0,
            is_final: false,
            bytes: &bytes[..64],
        });
        frames.push(Data { number: first + count, offset: 64, is_final: true, bytes: &bytes[..3] });
    }
    let whole: Vec<Frame<'_>> = frames.iter().map(|data| Frame::Data(*data)).collect();
    let payload = encoded(&whole);
    for most in [0, 1, 2, 50, u64::MAX] {
        let (mut read, mut rows) = (Frames::new(Place::Short, &payload), 0);
        let mut expected = &frames[..];
        while let Some(row) = read.next_row_if(|_| true, |_| most) {
            assert!(row.count == 1 || row.count as u64 <= most);
            let base = row.first.as_ptr() as usize - payload.as_ptr() as usize;
            for nth in 0..row.count {
                let (one, rest) = expected.split_first().expect("no more than there are");
                assert_eq!(&payload[base + nth * row.stride..][..row.first.len()], one.bytes);
                assert!(nth == 0 || one.is_final && one.offset == 0);
                expected = rest;
            }
            rows += 1;
        }
        assert_eq!((expected.len(), read.remaining()), (0, 0));
        assert!(most != u64::MAX || rows < 40, "{rows}");
    }
    let mut read = Frames::new(Place::Short, &payload);
    assert_eq!(read.next_row_if(|_| false, |_| 9), None);
    assert_eq!(read.remaining(), payload.len(), "what is not wanted stays");
}

#[test]
fn as_much_data_fits_as_is_said_and_not_a_byte_more() {
    let bytes = vec![7; 20_000];
    for (number, offset) in [(0, 0), (300, 0), (0, 5), (1 << 40, 1 << 20)] {
        for room in (0..300).chain(16_400..16_800) {
            let Some(len) = Data::len_max(number, offset, room) else {
                assert!(room < Data::overhead(number, offset, 0));
                continue;
            };
            let frame = |len| Data { number, offset, is_final: true, bytes: &bytes[..len] };
            let mut out = vec![0; room];
            let mut writer = Writer::new(&mut out);
            assert_eq!(frame(len).encode(&mut writer), Ok(()));
            assert_eq!(writer.position(), Data::overhead(number, offset, len) + len);
            assert_eq!(frame(len + 1).encode(&mut Writer::new(&mut out)), Err(WireError::Full));
        }
    }
}

// spec: 8.15 DATA_SKIP
#[test]
fn data_skip_names_channel_number_and_position() {
    let skip = DataSkip { channel: CHANNEL, number: 3, position: 96 };
    check(Frame::DataSkip(skip), &[21, 6, 1, 2, 3, 4, 3, 96]);
    check_exact(&[21, 6, 1, 2, 3, 4, 3, 96]);
}

// spec: 8.17 NEW_TOKEN
#[test]
fn new_token_has_a_path_a_token_and_a_reset_value() {
    let token = Token(*b"token 8b");
    let new = NewToken { path: PathId(3), token, reset: *b"reset value 16 b" };
    let bytes = *b"\x1e\x19\x03token 8breset value 16 b";
    check(Frame::NewToken(new), &bytes);
    check_exact(&bytes);
    assert!(!format!("{new:?}").contains("114"), "the reset value is not for logs");
    let largest = [&[30, 29, 0x8e, 0xfe, 0xfe, 0xfe, 0x7f][..], &bytes[3..]].concat();
    assert!(decoded(&largest).is_ok(), "path 2^32 - 1");
    let above = [&[30, 29, 0x8e, 0xfe, 0xfe, 0xff, 0x00][..], &bytes[3..]].concat();
    assert_eq!(refused(&above), Fault::Encoding, "path 2^32");
}

// spec: 8.18 PATH_CHALLENGE, PATH_RESPONSE
#[test]
fn challenge_and_response_are_8_bytes() {
    check(Frame::PathChallenge(*b"8 random"), b"\x1f\x088 random");
    check(Frame::PathResponse(*b"8 random"), b"\x20\x088 random");
    check_exact(b"\x1f\x088 random");
    check_exact(b"\x20\x088 random");
}

// spec: 8.19 PATH_STATUS
#[test]
fn path_status_is_available_or_backup() {
    let status = PathStatus { path: PathId(2), sequence: 1, status: Status::Available };
    check(Frame::PathStatus(status), &[33, 3, 2, 1, 0]);
    check(Frame::PathStatus(PathStatus { status: Status::Backup, ..status }), &[33, 3, 2, 1, 1]);
    check_exact(&[33, 3, 2, 1, 1]);
    assert_eq!(refused(&[33, 3, 2, 1, 2]), Fault::Encoding);
}

// spec: 8.20 PATH_ABANDON
#[test]
fn path_abandon_has_a_path_and_a_code() {
    check(Frame::PathAbandon(PathAbandon { path: PathId(2), code: 4 }), &[34, 2, 2, 4]);
    check_exact(&[34, 2, 2, 4]);
}

// spec: 8.21 OBSERVED_ADDRESS
#[test]
fn observed_address_is_of_either_family() {
    let address: SocketAddr = "192.0.2.1:513".parse().expect("an address");
    let observed = ObservedAddress { path: PathId(1), sequence: 2, address };
    let bytes = [35, 9, 1, 2, 4, 192, 0, 2, 1, 2, 1];
    check(Frame::ObservedAddress(observed), &bytes);
    check_exact(&bytes);
    let address: SocketAddr = "[2001:db8::1]:65535".parse().expect("an address");
    let mut bytes = vec![35, 21, 1, 2, 6, 0x20, 0x01, 0x0d, 0xb8];
    bytes.extend([0; 11]);
    bytes.extend([1, 0xff, 0xff]);
    check(Frame::ObservedAddress(ObservedAddress { address, ..observed }), &bytes);
    check_exact(&bytes);
    for family in [0, 5, 7] {
        bytes[4] = family;
        assert_eq!(refused(&bytes), Fault::Encoding);
    }
}

// spec: 8.22 ADDRESS_OFFER
#[test]
fn address_offer_has_a_sequence_and_an_address() {
    let address: SocketAddr = "192.0.2.1:513".parse().expect("an address");
    let bytes = [36, 8, 2, 4, 192, 0, 2, 1, 2, 1];
    check(Frame::AddressOffer(AddressOffer { sequence: 2, address }), &bytes);
    check_exact(&bytes);
}

// spec: 8.1, 1.4
#[test]
fn unknown_types_are_skipped_by_their_length_at_every_level() {
    for (code, bytes) in
        [(7, &[7, 2, 1, 2][..]), (64, &[64, 2, 1, 2]), (1 << 14, &[0xff, 0, 2, 1, 2])]
    {
        let frame = Frame::Unknown { code, body: &[1, 2] };
        assert_eq!(encoded(&[frame]), bytes);
        let more = [bytes, &[1, 0]].concat();
        for place in PLACES {
            let frames: Result<Vec<_>, _> = Frames::new(place, &more).collect();
            assert_eq!(frames, Ok(vec![frame, Frame::Ping]));
        }
        assert!(frame.asks_for_ack());
        for end in 1..bytes.len() {
            assert!(decoded(&bytes[..end]).is_err());
        }
    }
}

// spec: 8.1 form
#[test]
fn a_payload_is_at_least_one_byte() {
    let mut frames = Frames::new(Place::Short, &[]);
    let error = FrameError { message_type: 0, fault: Fault::Empty };
    assert_eq!(frames.next(), Some(Err(error)));
    assert_eq!(error.code(), ConnectionCode::Encoding);
    assert_eq!(frames.next(), None);
}

// spec: 8.1 form
#[test]
fn what_is_no_varint_is_refused() {
    let error = FrameError { message_type: 0, fault: Fault::Encoding };
    assert_eq!(decoded(&[0x80]), Err(error));
    assert_eq!(decoded(&[0xff; 11]), Err(error));
    assert_eq!(refused(&[[20].as_slice(), &[0xff; 11]].concat()), Fault::Encoding);
    for last in 0x70..=0x7f_u8 {
        let length = [20, 0x80, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, last, 0xee];
        assert_eq!(refused(&length), Fault::Encoding);
    }
}

// spec: 8.1, 8.2, 4.2
#[test]
fn a_known_type_where_it_may_not_be_is_a_protocol_error() {
    let places = |kind: Kind| PLACES.map(|place| kind.is_allowed_at(place));
    assert_eq!(places(Kind::Ping), [true, true, true, true]);
    assert_eq!(places(Kind::Crypto), [true, true, false, true]);
    assert_eq!(places(Kind::Data), [false, false, true, true]);
    assert_eq!(places(Kind::NewToken), [false, false, false, true]);
    let error = FrameError { message_type: 20, fault: Fault::NotAllowed };
    let mut frames = Frames::new(Place::Long(Level::Initial), &[1, 0, 20, 3, 1, 0, 9, 1, 0]);
    assert_eq!(frames.next(), Some(Ok(Frame::Ping)));
    assert_eq!(frames.next(), Some(Err(error)));
    assert_eq!(error.code(), ConnectionCode::Protocol);
    assert_eq!(frames.next(), None);
}
