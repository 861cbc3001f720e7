//! A reader and a writer that cannot leave their buffer.

use super::varint;

/// Why bytes could not be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WireError {
    /// The bytes end before the value does.
    #[error("the bytes end before the value does")]
    Short,
    /// A varint that is longer than `varint::LEN_MAX` bytes, or larger than 64 bits.
    #[error("the varint is larger than 64 bits")]
    VarintOverflow,
    /// The buffer has no room for the value.
    #[error("the buffer has no room for the value")]
    Full,
}

/// Reads values from the front of a slice. A failed read consumes nothing.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the front of `data`.
    #[inline]
    pub const fn new(data: &'a [u8]) -> Reader<'a> {
        Reader { rest: data, len: data.len() }
    }

    /// Reads one byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Reads two bytes, big-endian.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads four bytes, big-endian.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Reads a varint; see [`varint`].
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        let (value, used) = varint::decode(self.rest)?;
        self.bytes(used)?;
        Ok(value)
    }

    /// Takes the next `n` bytes.
    #[inline]
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(WireError::Short)?;
        self.rest = rest;
        Ok(head)
    }

    /// Bytes not read yet.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Bytes read so far.
    #[inline]
    pub const fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Takes the next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(WireError::Short)?;
        self.rest = rest;
        Ok(*head)
    }
}

/// Writes values to the front of a slice. A failed write changes nothing.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    position: usize,
}

impl<'a> Writer<'a> {
    /// Starts at the front of `out`.
    #[inline]
    pub const fn new(out: &'a mut [u8]) -> Writer<'a> {
        Writer { out, position: 0 }
    }

    /// Writes one byte.
    #[inline]
    pub fn u8(&mut self, value: u8) -> Result<(), WireError> {
        self.bytes(&value.to_be_bytes())
    }

    /// Writes two bytes, big-endian.
    #[inline]
    pub fn u16(&mut self, value: u16) -> Result<(), WireError> {
        self.bytes(&value.to_be_bytes())
    }

    /// Writes four bytes, big-endian.
    #[inline]
    pub fn u32(&mut self, value: u32) -> Result<(), WireError> {
        self.bytes(&value.to_be_bytes())
    }

    /// Writes a varint; see [`varint`].
    #[inline]
    pub fn varint(&mut self, value: u64) -> Result<(), WireError> {
        // Every message type, and every length that a usual packet holds, takes one of these ways.
        if value < 0x4080 {
            let (bits, len) = varint::encode_short(value);
            return if len == 1 { self.u8(bits as u8) } else { self.u16(bits as u16) };
        }
        self.long_varint(value)
    }

    fn long_varint(&mut self, value: u64) -> Result<(), WireError> {
        if value < varint::SHORT_END {
            let (bits, len) = varint::encode_short(value);
            return self.bytes(&(bits as u32).to_be_bytes()[4 - len..]);
        }
        let (encoded, start) = varint::encode(value);
        self.bytes(&encoded[start..])
    }

    /// Writes all of `bytes`.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.take(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Takes the next `n` bytes, for the caller to fill.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&mut [u8], WireError> {
        let room = self.out.get_mut(self.position..).ok_or(WireError::Full)?;
        let taken = room.get_mut(..n).ok_or(WireError::Full)?;
        self.position += n;
        Ok(taken)
    }

    /// Room left.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.out.len() - self.position
    }

    /// Bytes written so far.
    #[inline]
    pub const fn position(&self) -> usize {
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_big_endian_both_ways() {
        let mut out = [0; 7];
        let mut writer = Writer::new(&mut out);
        assert_eq!(writer.u8(1), Ok(()));
        assert_eq!(writer.u16(0x0203), Ok(()));
        assert_eq!(writer.u32(0x0405_0607), Ok(()));
        assert_eq!((writer.position(), writer.remaining()), (7, 0));
        assert_eq!(out, [1, 2, 3, 4, 5, 6, 7]);
        let mut reader = Reader::new(&out);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(0x0203));
        assert_eq!(reader.u32(), Ok(0x0405_0607));
        assert_eq!((reader.position(), reader.remaining()), (7, 0));
    }

    #[test]
    fn a_failed_read_consumes_nothing() {
        let mut reader = Reader::new(&[9, 0x80, 0x80]);
        assert_eq!(reader.u8(), Ok(9));
        assert_eq!(reader.u32(), Err(WireError::Short));
        assert_eq!(reader.varint(), Err(WireError::Short));
        assert_eq!(reader.bytes(3), Err(WireError::Short));
        assert_eq!(reader.bytes(usize::MAX), Err(WireError::Short));
        assert_eq!((reader.position(), reader.remaining()), (1, 2));
        assert_eq!(reader.bytes(2), Ok(&[0x80, 0x80][..]));
        assert_eq!(reader.bytes(0), Ok(&[][..]));
        assert_eq!(reader.u8(), Err(WireError::Short));
    }

    #[test]
    fn a_failed_write_changes_nothing() {
        let mut out = [0xcc; 3];
        let mut writer = Writer::new(&mut out);
        assert_eq!(writer.u8(1), Ok(()));
        assert_eq!(writer.u32(2), Err(WireError::Full));
        assert_eq!(writer.varint(16_512), Err(WireError::Full));
        assert_eq!(writer.bytes(&[3; 3]), Err(WireError::Full));
        assert_eq!((writer.position(), writer.remaining()), (1, 2));
        assert_eq!(out, [1, 0xcc, 0xcc]);
    }
}
