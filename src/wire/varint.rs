//! Variable-length integers: base 128, most significant group first.
//!
//! A set top bit means that another byte follows. The decoder adds 1 before each shift, so each
//! value has exactly one encoding: `7f` is 127, `8000` is 128, `ff7f` is 16,511 and `808000` is
//! 16,512.

use super::WireError;

/// Bytes of the longest encoding, that of `u64::MAX`.
pub const LEN_MAX: usize = 10;

const MORE: u8 = 0x80;
const GROUP: u8 = 0x7f;
const GROUP_BITS: u32 = 7;

/// Bytes that `value` takes.
#[inline]
pub const fn encoded_len(value: u64) -> usize {
    if value < 0x4080 {
        return if value < 0x80 { 1 } else { 2 };
    }
    let mut len = 1;
    let mut rest = value >> GROUP_BITS;
    while rest != 0 {
        rest = (rest - 1) >> GROUP_BITS;
        len += 1;
    }
    len
}

/// What the last byte holds of a value. While that is not all ones, the encoding of the next value
/// is greater by 1, as a number.
pub(crate) const GROUP_MASK: u64 = GROUP as u64;

/// Values below this take at most four bytes.
pub(crate) const SHORT_END: u64 = 0x1020_4080;

/// The encoding of a value below `SHORT_END`: its bytes as the low ones of a number, and how many.
#[inline]
pub(crate) const fn encode_short(value: u64) -> (u64, usize) {
    if value < 0x80 {
        return (value, 1);
    }
    if value < 0x4080 {
        let rest = value - 0x80;
        return ((rest & 0x3f80) << 1 | 0x8000 | rest & 0x7f, 2);
    }
    if value < 0x20_4080 {
        let rest = value - 0x4080;
        let high = (rest & 0x1f_c000) << 2 | (rest & 0x3f80) << 1;
        return (high | 0x80_8000 | rest & 0x7f, 3);
    }
    let rest = value - 0x20_4080;
    let high = (rest & 0xfe0_0000) << 3 | (rest & 0x1f_c000) << 2 | (rest & 0x3f80) << 1;
    (high | 0x8080_8000 | rest & 0x7f, 4)
}

/// The encoding, as a buffer and the index where it starts; it ends with the buffer.
#[inline]
pub(super) fn encode(value: u64) -> ([u8; LEN_MAX], usize) {
    let mut out = [0; LEN_MAX];
    let mut rest = value;
    let mut more = 0;
    let mut start = LEN_MAX;
    for byte in out.iter_mut().rev() {
        *byte = more | (rest as u8 & GROUP);
        start -= 1;
        rest >>= GROUP_BITS;
        if rest == 0 {
            break;
        }
        rest -= 1;
        more = MORE;
    }
    (out, start)
}

/// The value at the front of `data`, and the bytes it takes.
#[inline]
pub(super) fn decode(data: &[u8]) -> Result<(u64, usize), WireError> {
    // Every message type, and every length that a usual packet holds, ends here.
    match *data {
        [first, ..] if first & MORE == 0 => Ok((u64::from(first), 1)),
        [first, second, ..] if second & MORE == 0 => {
            let high = u64::from(first & GROUP) + 1;
            Ok((high << GROUP_BITS | u64::from(second), 2))
        }
        [first, second, third, ..] if third & MORE == 0 => {
            let high = (u64::from(first & GROUP) + 1) << GROUP_BITS | u64::from(second & GROUP);
            Ok(((high + 1) << GROUP_BITS | u64::from(third), 3))
        }
        _ => decode_long(data),
    }
}

/// The same for any length.
fn decode_long(data: &[u8]) -> Result<(u64, usize), WireError> {
    let mut value = 0;
    for (index, byte) in data.iter().take(LEN_MAX).enumerate() {
        value |= u64::from(byte & GROUP);
        if byte & MORE == 0 {
            return Ok((value, index + 1));
        }
        value = match value.checked_add(1) {
            Some(next) if next <= u64::MAX >> GROUP_BITS => next << GROUP_BITS,
            Some(_) | None => return Err(WireError::VarintOverflow),
        };
    }
    Err(if data.len() < LEN_MAX { WireError::Short } else { WireError::VarintOverflow })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Reader, Writer};

    fn encoded(value: u64) -> Vec<u8> {
        let mut out = [0; LEN_MAX];
        let mut writer = Writer::new(&mut out);
        writer.varint(value).expect("LEN_MAX bytes hold any varint");
        let len = writer.position();
        out[..len].to_vec()
    }

    #[test]
    fn encodings_of_the_wire_page() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x00]),
            (255, &[0x80, 0x7f]),
            (16_511, &[0xff, 0x7f]),
            (16_512, &[0x80, 0x80, 0x00]),
            (u64::from(u32::MAX), &[0x8e, 0xfe, 0xfe, 0xfe, 0x7f]),
            (u64::MAX, &[0x80, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0x7f]),
        ] {
            assert_eq!(encoded(value), bytes, "{value}");
            assert_eq!(Reader::new(bytes).varint(), Ok(value), "{value}");
        }
    }

    #[test]
    fn one_more_than_the_largest_is_an_overflow() {
        let one_more = [0x80, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xff, 0x00];
        assert_eq!(Reader::new(&one_more).varint(), Err(WireError::VarintOverflow));
        assert_eq!(Reader::new(&[0xff; 10]).varint(), Err(WireError::VarintOverflow));
        assert_eq!(Reader::new(&[0x80; 10]).varint(), Err(WireError::VarintOverflow));
        assert_eq!(Reader::new(&[0x80; 9]).varint(), Err(WireError::Short));
        assert_eq!(Reader::new(&[]).varint(), Err(WireError::Short));
    }

    fn any_size() -> impl Strategy<Value = u64> {
        // Uniform values are nearly all ten bytes long; a random shift gives each length its share.
        (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift)
    }

    proptest! {
        #[test]
        fn what_encodes_decodes_to_itself(value in any_size()) {
            let bytes = encoded(value);
            prop_assert_eq!(bytes.len(), encoded_len(value));
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert_eq!(reader.remaining(), 0);
            for end in 0..bytes.len() {
                prop_assert_eq!(Reader::new(&bytes[..end]).varint(), Err(WireError::Short));
            }
        }

        #[test]
        fn what_decodes_encodes_to_itself(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = reader.varint() {
                prop_assert_eq!(encoded(value), &bytes[..reader.position()]);
            } else {
                prop_assert_eq!(reader.position(), 0);
            }
        }
    }
}
