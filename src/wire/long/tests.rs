//! Headers of long packets, against bytes of the protocol page.

use proptest::prelude::*;

use super::*;

const SENDER: AttemptId = AttemptId(*b"sender id 16 byt");
const RECIPIENT: AttemptId = AttemptId(*b"recipient id 16b");
const LEVELS: [Level; 3] = [Level::Initial, Level::Handshake, Level::Early];

fn header(kind: Kind, cookie: &[u8], size: usize) -> LongHeader {
    let cookie = Cookie::new(cookie).expect("a length that cookies have");
    LongHeader { kind, sender: SENDER, recipient: RECIPIENT, cookie, size }
}

fn written(header: &LongHeader) -> Vec<u8> {
    let mut out = vec![0; header.number_offset()];
    let mut writer = Writer::new(&mut out);
    header.write(&mut writer).expect("the buffer was made to fit");
    assert_eq!(writer.remaining(), 0);
    out
}

/// A whole packet, with zeros for number, payload and tag.
fn packet(header: &LongHeader) -> Vec<u8> {
    let mut packet = written(header);
    packet.resize(header.size.max(packet.len()), 0);
    packet
}

// spec: 4.1 layout
#[test]
fn fields_are_where_the_page_has_them() {
    let cookie: Vec<u8> = (0xc0..0xd4).collect();
    let header = header(Kind::Sealed(Level::Early), &cookie, 0x04b0);
    let bytes = written(&header);
    assert_eq!(bytes[..4], [0x09, 0x01, 0xd0, 0x3f]);
    assert_eq!((&bytes[4..20], &bytes[20..36]), (&SENDER.0[..], &RECIPIENT.0[..]));
    assert_eq!(bytes[36..40], [0xf0; 4]);
    assert_eq!(bytes[40..45], [0x00, 0b1001, 0x04, 0xb0, 20]);
    assert_eq!(bytes[45..], cookie);
    assert_eq!((header.number_offset(), header.payload_offset()), (65, 69));
    assert_eq!(LongHeader::parse(&packet(&header)), Ok(header));
}

// spec: 4.1, 4.6
#[test]
fn flags_name_the_level_and_3_is_a_cookie_packet() {
    for (level, flags) in LEVELS.into_iter().zip([1, 5, 9]) {
        assert_eq!(written(&header(Kind::Sealed(level), &[], 0))[40..42], [0, flags]);
    }
    let header = LongHeader::of_cookie(SENDER, RECIPIENT, Cookie::new(&[7; 20]).expect("20"));
    let bytes = written(&header);
    assert_eq!((bytes.len(), &bytes[40..45]), (65, &[0x00, 0x0d, 0, 65, 20][..]));
    assert_eq!(LongHeader::parse(&bytes), Ok(header));
}

// spec: 4.5 receiving
#[test]
fn only_what_the_datagram_holds_is_read() {
    let header = header(Kind::Sealed(Level::Initial), &[1; 16], 90);
    let mut datagram = packet(&header);
    for end in 0..datagram.len() {
        let expected = if end < FIXED_LEN { LongError::Short } else { LongError::BadSize };
        assert_eq!(LongHeader::parse(&datagram[..end]), Err(expected), "{end}");
    }
    datagram.push(0x80);
    assert_eq!(LongHeader::parse(&datagram), Ok(header), "what follows is another packet");
}

// spec: 4.5 receiving
#[test]
fn a_size_below_header_and_tag_and_one_byte_is_refused() {
    for cookie_len in [0, 16, 64] {
        let header = header(Kind::Sealed(Level::Initial), &vec![1; cookie_len], 66 + cookie_len);
        let mut bytes = packet(&header);
        assert_eq!(LongHeader::parse(&bytes), Ok(header));
        bytes[43] -= 1;
        assert_eq!(LongHeader::parse(&bytes), Err(LongError::BadSize));
    }
    let mut bytes = written(&LongHeader::of_cookie(SENDER, RECIPIENT, cookie(16)));
    bytes[43] -= 1;
    assert_eq!(LongHeader::parse(&bytes), Err(LongError::BadSize));
}

fn cookie(len: usize) -> Cookie {
    Cookie::new(&vec![1; len]).expect("a length that cookies have")
}

// spec: 4.1, 4.2, 4.5
#[test]
fn cookie_lengths_are_those_of_the_level() {
    for len in 0..=255 {
        for (kind, is_allowed) in [
            (Kind::Sealed(Level::Initial), len == 0 || (16..=64).contains(&len)),
            (Kind::Sealed(Level::Early), len == 0 || (16..=64).contains(&len)),
            (Kind::Sealed(Level::Handshake), len == 0),
            (Kind::Cookie, (16..=64).contains(&len)),
        ] {
            let size = if kind == Kind::Cookie { 45 + len } else { 400 };
            let mut bytes = packet(&header(kind, &[], 0));
            bytes.resize(400, 0);
            bytes[42..44].copy_from_slice(&(size as u16).to_be_bytes());
            bytes[44] = len as u8;
            let parsed = LongHeader::parse(&bytes);
            assert_eq!(parsed.is_ok(), is_allowed, "{kind:?} with {len}: {parsed:?}");
            assert!(is_allowed || parsed == Err(LongError::BadCookie));
        }
        assert_eq!(Cookie::new(&vec![9; len]).is_some(), len == 0 || (16..=64).contains(&len));
    }
}

// spec: 4.1, 4.5
#[test]
fn other_flags_and_channels_drop_the_packet_alone() {
    let good = packet(&header(Kind::Sealed(Level::Initial), &[], 100));
    for (index, bits) in [(36, 0xff), (37, 1), (38, 0x80), (39, 0xf0)] {
        let mut bytes = good.clone();
        bytes[index] ^= bits;
        assert_eq!(LongHeader::parse(&bytes), Err(LongError::Unknown { size: 100 }));
    }
    for flags in 0..=u16::MAX {
        let mut bytes = good.clone();
        bytes[40..42].copy_from_slice(&flags.to_be_bytes());
        let is_known = [1, 5, 9].contains(&flags);
        match LongHeader::parse(&bytes) {
            Ok(_) => assert!(is_known, "{flags:04x}"),
            Err(LongError::Unknown { size: 100 }) => assert!(!is_known, "{flags:04x}"),
            Err(error) => assert!(flags == 13 && error == LongError::BadCookie, "{flags:04x}"),
        }
    }
    let mut bytes = packet(&LongHeader::of_cookie(SENDER, RECIPIENT, cookie(16)));
    bytes[43] += 1;
    bytes.push(0);
    assert_eq!(LongHeader::parse(&bytes), Err(LongError::Unknown { size: 62 }));
}

// spec: 2.1 first byte
#[test]
fn another_protocol_id_is_refused() {
    for index in 0..4 {
        let mut bytes = packet(&header(Kind::Sealed(Level::Initial), &[], 100));
        bytes[index] ^= 1;
        assert_eq!(LongHeader::parse(&bytes), Err(LongError::UnknownProtocol));
    }
}

#[test]
fn a_header_without_room_writes_nothing() {
    let header = header(Kind::Sealed(Level::Initial), &[1; 16], 100);
    let mut out = [0xcc; 60];
    let mut writer = Writer::new(&mut out);
    assert_eq!(header.write(&mut writer), Err(WireError::Full));
    assert_eq!(out, [0xcc; 60]);
}

// spec: 4.1 layout
#[test]
fn the_size_is_filled_in_once_it_is_known() {
    let mut bytes = packet(&header(Kind::Sealed(Level::Initial), &[], 0));
    bytes.resize(1200, 0);
    assert_eq!(LongHeader::parse(&bytes), Err(LongError::BadSize));
    set_size(&mut bytes);
    assert_eq!(LongHeader::parse(&bytes).map(|header| header.size), Ok(1200));
}

// spec: 4.2 levels
#[test]
fn early_payload_begins_with_its_channel() {
    assert_eq!(split_early(&[0, 0, 0, 2, 1, 0]), Some((ChannelNumber(2), &[1, 0][..])));
    assert_eq!(split_early(&[0xf0; 4]), Some((ChannelNumber::NONE, &[][..])));
    assert_eq!(split_early(&[0, 0, 0]), None);
}

fn any_header() -> impl Strategy<Value = LongHeader> {
    let cookie = prop_oneof![Just(0_usize), 16..=64_usize];
    (any::<[u8; 32]>(), 0..4_usize, cookie, 1..300_usize).prop_map(|(ids, kind, len, more)| {
        let (sender, recipient) = (ids[..16].try_into(), ids[16..].try_into());
        let kinds = LEVELS.map(Kind::Sealed);
        let kind = kinds.get(kind).copied().unwrap_or(Kind::Cookie);
        let len = match kind {
            Kind::Sealed(Level::Handshake) => 0,
            Kind::Cookie => len.max(16),
            Kind::Sealed(_) => len,
        };
        let size = if kind == Kind::Cookie { 45 + len } else { OVERHEAD + len + more };
        let ids = (sender.expect("16 bytes"), recipient.expect("16 bytes"));
        let (sender, recipient) = (AttemptId(ids.0), AttemptId(ids.1));
        LongHeader { kind, sender, recipient, cookie: cookie_of(&ids.0, len), size }
    })
}

fn cookie_of(seed: &[u8; 16], len: usize) -> Cookie {
    Cookie::new(&seed.repeat(4)[..len]).expect("a length that cookies have")
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(header in any_header()) {
        prop_assert_eq!(LongHeader::parse(&packet(&header)), Ok(header));
    }

    #[test]
    fn what_is_read_is_written_back(
        header in any_header(),
        changes in prop::collection::vec((0..109_usize, any::<u8>()), 0..4),
    ) {
        let mut bytes = packet(&header);
        for (index, value) in changes {
            if let Some(byte) = bytes.get_mut(index) {
                *byte = value;
            }
        }
        if let Ok(header) = LongHeader::parse(&bytes) {
            prop_assert!(header.size <= bytes.len());
            prop_assert_eq!(&written(&header)[..], &bytes[..header.number_offset()]);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = bytes;
        let _ = LongHeader::parse(&bytes);
        if let Some(front) = bytes.first_chunk_mut::<4>() {
            *front = PROTOCOL_ID.to_be_bytes();
            let _ = LongHeader::parse(&bytes);
        }
    }
}
