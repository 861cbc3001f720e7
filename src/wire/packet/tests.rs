//! A packet is what its header says, or an error that says why not.

use proptest::prelude::*;

use super::*;

const HEADER: Header = Header {
    sender: PeerId([0xaa; 16]),
    recipient: PeerId([0xbb; 16]),
    channel: ChannelId { initiator: 0x1234, responder: 0x5678 },
    flags: FLAG_SPIN,
    sequence: 0x01fa,
};

fn packet(header: &Header, size: usize, payload: &[u8]) -> Vec<u8> {
    // Old bytes in the buffer must not shine through.
    let mut out = vec![0xee; size];
    write_header(&mut out, header);
    out[HEADER_SIZE..HEADER_SIZE + payload.len()].copy_from_slice(payload);
    seal(&mut out, payload.len());
    out
}

fn with_checksum(mut packet: Vec<u8>, size: usize) -> Vec<u8> {
    let checksum = checksum_of(&packet[..size]).expect("has a footer");
    packet[size - FOOTER_SIZE..size].copy_from_slice(&checksum.to_be_bytes());
    packet
}

#[test]
fn the_layout_is_that_of_the_wire_page() {
    let bytes = packet(&HEADER, 60, b"hello");
    assert_eq!(bytes[..4], [0x0c, 0x22, 0x9d, 0x94]);
    assert_eq!(bytes[4..20], [0xaa; 16]);
    assert_eq!(bytes[20..36], [0xbb; 16]);
    assert_eq!(bytes[36..40], [0x56, 0x78, 0x12, 0x34]);
    assert_eq!(bytes[40..48], [0, 2, 0, 60, 0x01, 0xfa, 0, 5]);
    assert_eq!(&bytes[48..56], b"hello\x03\x03\x03");
    assert_eq!(bytes[56..], checksum::crc32c(&bytes[..56]).to_be_bytes());
}

#[test]
fn padding_bytes_are_its_length_modulo_255() {
    for (padding, byte) in [(1, 1), (254, 254), (255, 0), (256, 1), (509, 254), (510, 0)] {
        let bytes = packet(&HEADER, ENVELOPE_SIZE + padding, b"");
        assert!(bytes[HEADER_SIZE..HEADER_SIZE + padding].iter().all(|&b| b == byte), "{padding}");
        assert!(Packet::parse(&bytes).is_ok());
    }
}

#[test]
fn a_datagram_may_be_longer_than_its_packet() {
    let mut bytes = packet(&HEADER, 60, b"hello");
    bytes.extend_from_slice(b"trailing");
    let parsed = Packet::parse(&bytes).expect("valid");
    assert_eq!((parsed.header, parsed.payload, parsed.size), (HEADER, &b"hello"[..], 60));
}

#[test]
fn each_fault_has_its_error() {
    let good = packet(&HEADER, 120, b"hello");
    let patched = |at: usize, bytes: &[u8]| {
        let mut packet = good.clone();
        packet[at..at + bytes.len()].copy_from_slice(bytes);
        with_checksum(packet, 120)
    };
    assert_eq!(Packet::parse(&good[..51]), Err(PacketError::TooShort));
    assert_eq!(Packet::parse(&[]), Err(PacketError::TooShort));
    assert_eq!(Packet::parse(&good[..119]), Err(PacketError::BadSize));
    assert_eq!(Packet::parse(&patched(3, &[0x95])), Err(PacketError::UnknownProtocol));
    assert_eq!(Packet::parse(&patched(42, &[0xff, 0xff])), Err(PacketError::BadSize));
    for size in [0, 3, 4, 44, 51] {
        assert_eq!(Packet::parse(&patched(42, &[0, size])), Err(PacketError::BadSize));
    }
    assert_eq!(Packet::parse(&patched(46, &[0, 69])), Err(PacketError::BadSize));
    assert_eq!(Packet::parse(&patched(46, &[0xff, 0xff])), Err(PacketError::BadSize));
    assert_eq!(Packet::parse(&patched(40, &[0, 3])), Err(PacketError::Encrypted));
    assert!(Packet::parse(&patched(46, &[0, 68])).is_ok());
    for at in [4, 50, 115, 119] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        assert_eq!(Packet::parse(&flipped), Err(PacketError::BadChecksum), "byte {at}");
    }
}

#[test]
fn an_encrypted_packet_is_told_apart_before_its_checksum() {
    let mut bytes = packet(&HEADER, 60, b"hello");
    bytes[41] |= 1;
    assert_eq!(Packet::parse(&bytes), Err(PacketError::Encrypted));
}

#[test]
fn an_all_zero_datagram_is_an_unknown_protocol() {
    assert_eq!(Packet::parse(&[0; 120]), Err(PacketError::UnknownProtocol));
}

proptest! {
    #[test]
    fn what_is_sealed_parses_to_itself(
        ids in any::<([u8; 16], [u8; 16], u32)>(),
        flags in any::<u16>(),
        sequence in any::<u16>(),
        payload in prop::collection::vec(any::<u8>(), 0..300),
        padding in 0..600_usize,
    ) {
        let header = Header {
            sender: PeerId(ids.0),
            recipient: PeerId(ids.1),
            channel: ChannelId::from_wire(ids.2),
            flags: flags & !FLAG_ENCRYPTED,
            sequence,
        };
        let bytes = packet(&header, ENVELOPE_SIZE + payload.len() + padding, &payload);
        let expected = Packet { header, payload: &payload, size: bytes.len() };
        prop_assert_eq!(Packet::parse(&bytes), Ok(expected));
    }

    #[test]
    fn one_changed_bit_is_never_accepted(
        payload in prop::collection::vec(any::<u8>(), 0..100),
        bit in any::<prop::sample::Index>(),
    ) {
        let mut bytes = packet(&HEADER, ENVELOPE_SIZE + 100, &payload);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Packet::parse(&bytes).is_err());
    }

    #[test]
    fn no_header_makes_the_payload_leave_the_packet(
        mut bytes in prop::collection::vec(any::<u8>(), ENVELOPE_SIZE..200),
        size in 0..220_u16,
        payload_size in 0..220_u16,
    ) {
        let len = bytes.len();
        write_header(&mut bytes, &HEADER);
        bytes[42..44].copy_from_slice(&size.to_be_bytes());
        bytes[46..48].copy_from_slice(&payload_size.to_be_bytes());
        let (size, payload_size) = (usize::from(size), usize::from(payload_size));
        if (FOOTER_SIZE..=len).contains(&size) {
            bytes = with_checksum(bytes, size);
        }
        let fits = size <= len && ENVELOPE_SIZE + payload_size <= size;
        match Packet::parse(&bytes) {
            Ok(packet) => {
                prop_assert!(fits);
                prop_assert_eq!(packet.payload, &bytes[HEADER_SIZE..HEADER_SIZE + payload_size]);
            }
            // A footer inside of the header spoils the header's own fields.
            Err(error) => prop_assert!(!fits || size < ENVELOPE_SIZE, "{error}"),
        }
    }
}
