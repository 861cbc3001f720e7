//! Headers of short packets and packet numbers, against the protocol page and RFC 9000.

use proptest::prelude::*;

use super::*;

const TOKEN: Token = Token([0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7]);

fn header(epoch: u64, number_len: usize, number: u32) -> ShortHeader {
    let flags = Flags::new(false, epoch, number_len);
    ShortHeader { flags, token: TOKEN, channel: ChannelNumber(2), number }
}

// spec: 5.1 layout
#[test]
fn headers_of_the_worked_example() {
    let mut packet = [0xcc; 40];
    let first = header(0, 2, 0x1234);
    assert_eq!(first.write(&mut packet), Ok(15));
    assert_eq!(packet[..15], *b"\x81\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\0\0\0\x02\x12\x34");
    assert_eq!(packet[17..], [0xcc; 23], "no more than the longest number is overwritten");
    assert_eq!(ShortHeader::parse(&packet), Some(first));
    let second = header(1, 1, 0xef);
    assert_eq!(second.write(&mut packet), Ok(14));
    assert_eq!(packet[..14], *b"\x84\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\0\0\0\x02\xef");
    assert_eq!(ShortHeader::parse(&packet), Some(second));
}

// spec: 5.1 layout
#[test]
fn flags_have_their_bits_and_the_masked_ones_are_the_low_four() {
    assert_eq!(Flags::new(false, 0, 1).0, 0b1000_0000);
    assert_eq!(Flags::new(true, 2, 3).0, 0b1010_1010);
    assert_eq!(Flags::new(false, 7, 4).0, 0b1000_1111);
    for byte in 0x80..0xc0 {
        let flags = Flags(byte);
        let again = Flags::new(flags.is_spin(), flags.epoch().into(), flags.number_len());
        assert_eq!(again.0, byte & !Flags::RESERVED);
        for masks in 0..=Flags::MASKED {
            assert_eq!(Flags(byte ^ masks).is_spin(), flags.is_spin());
        }
    }
}

// spec: 5.4, 5.3
#[test]
fn a_token_is_read_from_33_bytes_with_the_right_first_byte() {
    let mut packet = [0; 34];
    header(0, 4, 1).write(&mut packet).expect("34 bytes are enough");
    assert_eq!(parse_token(&packet), Some(TOKEN));
    assert_eq!(parse_token(&packet[..33]), Some(TOKEN));
    assert_eq!(parse_token(&packet[..32]), None);
    assert_eq!(parse_token(&[]), None);
    for first in 0..=255 {
        packet[0] = first;
        let is_short = first & 0b1101_0000 == 0b1000_0000;
        assert_eq!(parse_token(&packet).is_some(), is_short, "{first:02x}");
    }
}

// spec: 5.3 masks
#[test]
fn the_sample_is_at_17_wherever_the_number_ends() {
    let packet: Vec<u8> = (0..34).collect();
    assert_eq!(sample(&packet).map(|sample| sample[0]), Some(17));
    assert_eq!(sample(&packet[..33]).map(|sample| sample[15]), Some(32));
    assert_eq!(sample(&packet[..32]), None);
    for number_len in 1..=4 {
        let smallest = payload_offset(number_len) + payload_len_min(number_len) + TAG_LEN;
        assert_eq!(smallest, if number_len == 4 { SIZE_MIN + 1 } else { SIZE_MIN });
    }
}

#[test]
fn a_header_without_room_writes_nothing() {
    let mut out = [0xcc; SIZE_MIN - 1];
    assert_eq!(header(0, 1, 1).write(&mut out), Err(WireError::Full));
    assert_eq!(out, [0xcc; SIZE_MIN - 1]);
    assert_eq!(ShortHeader::parse(&[0x80; 16]), None);
}

// spec: 5.5 packet numbers
#[test]
fn number_lengths_of_the_rfc_and_at_their_limits() {
    assert_eq!(number_len(0xac5c02, Some(0xabe8b3)), 2);
    assert_eq!(number_len(0xace8fe, Some(0xabe8b3)), 3);
    for (number, acked, len) in [
        (0, None, 1),
        (0x7e, None, 1),
        (0x7f, None, 2),
        (0x7f, Some(0), 1),
        (0x80, Some(0), 2),
        (0x7fff, Some(0), 2),
        (0x8000, Some(0), 3),
        (0x7f_ffff, Some(0), 3),
        (0x80_0000, Some(0), 4),
        (NUMBER_MAX, Some(NUMBER_MAX - 1), 1),
        (NUMBER_MAX, None, 4),
    ] {
        assert_eq!(number_len(number, acked), len, "{number:#x} after {acked:x?}");
    }
}

// spec: 5.5 packet numbers
#[test]
fn numbers_decode_as_in_the_rfc() {
    assert_eq!(decode_number(0x9b32, 2, Some(0xa82f30ea)), 0xa82f9b32);
    assert_eq!(decode_number(0x1234, 2, None), 0x1234);
    assert_eq!(decode_number(0xff, 1, None), 0xff, "nothing is below 0");
    assert_eq!(decode_number(0x00, 1, Some(0xff)), 0x100);
    assert_eq!(decode_number(0xff, 1, Some(0x100)), 0xff);
    assert_eq!(decode_number(0xff, 1, Some(NUMBER_MAX)), NUMBER_MAX);
    assert_eq!(decode_number(0x00, 1, Some(NUMBER_MAX - 1)), NUMBER_MAX - 0xff, "none is above");
    assert_eq!(decode_number(u32::MAX, 4, Some(0)), u64::from(u32::MAX));
}

proptest! {
    // spec: 5.5 packet numbers
    #[test]
    fn a_receiver_that_has_what_was_acknowledged_decodes_every_number(
        acked in prop::option::of(0..NUMBER_MAX - (1 << 33)),
        shift in 0..31_u32,
        distance in 1..1_u64 << 31,
        opened in any::<prop::sample::Index>(),
    ) {
        let distance = (distance >> shift).max(1);
        let number = acked.map_or(distance - 1, |acked| acked + distance);
        let len = number_len(number, acked);
        prop_assert!(len == 4 || 1_u64 << (8 * len) > 2 * distance);
        prop_assert!(len == 1 || 1_u64 << (8 * (len - 1)) <= 2 * distance);
        // It may have opened anything from what it acknowledged up to the one before.
        let lowest = acked.unwrap_or(0);
        let choices = (number - lowest) as usize;
        let largest = (choices > 0).then(|| lowest + opened.index(choices) as u64);
        let sent = number as u32 & u32::MAX >> (32 - 8 * len);
        prop_assert_eq!(decode_number(sent, len, largest), number);
    }

    #[test]
    fn any_number_decodes_to_one_with_its_low_bytes(
        number in any::<u32>(),
        len in 1..=4_usize,
        largest in prop::option::of(0..=NUMBER_MAX),
    ) {
        let number = number & u32::MAX >> (32 - 8 * len);
        let full = decode_number(number, len, largest);
        prop_assert_eq!(full & u64::from(u32::MAX >> (32 - 8 * len)), u64::from(number));
        prop_assert!(full <= NUMBER_MAX + 1 + u64::from(u32::MAX));
    }

    // spec: 5.1 layout
    #[test]
    fn what_is_written_is_read_back(
        spin in any::<bool>(),
        epoch in any::<u64>(),
        len in 1..=4_usize,
        token in any::<[u8; 8]>(),
        channel in any::<u32>(),
        number in any::<u32>(),
    ) {
        let flags = Flags::new(spin, epoch, len);
        let number = number & u32::MAX >> (32 - 8 * len);
        let (token, channel) = (Token(token), ChannelNumber(channel));
        let header = ShortHeader { flags, token, channel, number };
        let mut out = [0; SIZE_MIN];
        prop_assert_eq!(header.write(&mut out), Ok(NUMBER_OFFSET + len));
        prop_assert_eq!(ShortHeader::parse(&out), Some(header));
        prop_assert_eq!(parse_token(&out), Some(token));
        prop_assert_eq!(u64::from(header.flags.epoch()), epoch % 4);
    }
}
