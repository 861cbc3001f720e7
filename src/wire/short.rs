//! Short packets: everything of protocol v1 after the handshake.
// spec: 5 short packets

use super::{NUMBER_MAX, SAMPLE_LEN, TAG_LEN, WireError};
use crate::id::{ChannelNumber, Token};

/// Where the token is.
pub const TOKEN_OFFSET: usize = 1;

/// Where the masked channel id is.
pub const CHANNEL_OFFSET: usize = 9;

/// Where the masked packet number begins.
pub const NUMBER_OFFSET: usize = 13;

/// Bytes of the longest packet number.
pub const NUMBER_LEN_MAX: usize = 4;

/// Bytes before the payload, at most.
pub const HEADER_LEN_MAX: usize = NUMBER_OFFSET + NUMBER_LEN_MAX;

/// Where the bytes are from which both masks are computed, however long the number is.
// spec: 5.3 masks
pub const SAMPLE_OFFSET: usize = HEADER_LEN_MAX;

/// Bytes of the smallest short packet.
pub const SIZE_MIN: usize = SAMPLE_OFFSET + SAMPLE_LEN;

/// Bytes of a packet that are not payload, at most.
pub const OVERHEAD_MAX: usize = HEADER_LEN_MAX + TAG_LEN;

/// The token of the short packet that `datagram` holds, or would hold if it is a stateless reset.
/// None when it is too small, or its first byte is not that of a short packet.
// spec: 5.4 receiving
#[inline]
pub fn parse_token(datagram: &[u8]) -> Option<Token> {
    let header: &[u8; SIZE_MIN] = datagram.first_chunk()?;
    if header[0] & (Flags::FORM_MASK | Flags::RESERVED) != Flags::FORM {
        return None;
    }
    header[TOKEN_OFFSET..].first_chunk().copied().map(Token)
}

/// The 16 bytes from which both masks are computed; None when the packet is too small.
// spec: 5.3 masks
#[inline]
pub fn sample(packet: &[u8]) -> Option<&[u8; SAMPLE_LEN]> {
    packet.get(SAMPLE_OFFSET..)?.first_chunk()
}

/// The first byte of a short packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// The bits that tell a short packet from anything else.
    pub const FORM_MASK: u8 = 0b1100_0000;
    /// What those bits are.
    pub const FORM: u8 = 0b1000_0000;
    /// For latency measurements by the network.
    pub const SPIN: u8 = 0b0010_0000;
    /// A packet with this bit is dropped.
    pub const RESERVED: u8 = 0b0001_0000;
    /// The bits that are masked on the wire; `epoch` and `number_len` mean nothing before.
    pub const MASKED: u8 = 0b0000_1111;

    const EPOCH_SHIFT: u32 = 2;

    /// The flags of a packet of this epoch with a number of `number_len` bytes, 1 to 4.
    #[inline]
    pub const fn new(is_spin: bool, epoch: u64, number_len: usize) -> Flags {
        let spin = if is_spin { Flags::SPIN } else { 0 };
        let epoch = (epoch as u8 & 0b11) << Flags::EPOCH_SHIFT;
        Flags(Flags::FORM | spin | epoch | (number_len as u8).wrapping_sub(1) & 0b11)
    }

    /// The spin bit, which is never masked.
    #[inline]
    pub const fn is_spin(self) -> bool {
        self.0 & Flags::SPIN != 0
    }

    /// The epoch modulo 4, once unmasked.
    #[inline]
    pub const fn epoch(self) -> u8 {
        self.0 >> Flags::EPOCH_SHIFT & 0b11
    }

    /// Bytes of the packet number, once unmasked.
    #[inline]
    pub const fn number_len(self) -> usize {
        (self.0 & 0b11) as usize + 1
    }
}

/// The header of a short packet without its masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortHeader {
    /// Spin bit, epoch and length of the number.
    pub flags: Flags,
    /// Chosen by the receiver for this path.
    pub token: Token,
    /// The channel of the packet.
    pub channel: ChannelNumber,
    /// The low `flags.number_len()` bytes of the packet number.
    pub number: u32,
}

impl ShortHeader {
    /// Reads the header of `packet`, from which the masks were taken. None when it is too small.
    #[inline]
    pub fn parse(packet: &[u8]) -> Option<ShortHeader> {
        let header: &[u8; HEADER_LEN_MAX] = packet.first_chunk()?;
        let flags = Flags(header[0]);
        let number = u32::from_be_bytes(*header[NUMBER_OFFSET..].first_chunk()?);
        Some(ShortHeader {
            flags,
            token: Token(*header[TOKEN_OFFSET..].first_chunk()?),
            channel: ChannelNumber(u32::from_be_bytes(*header[CHANNEL_OFFSET..].first_chunk()?)),
            number: number >> unused_bits(flags.number_len()),
        })
    }

    /// Writes the header without masks and returns where the payload begins: all before it is
    /// associated data.
    ///
    /// `out` is the room for the whole packet; with less than `SIZE_MIN` bytes nothing is written.
    /// Up to 3 bytes behind the header may be overwritten.
    // spec: 5.1 layout
    #[inline]
    pub fn write(&self, out: &mut [u8]) -> Result<usize, WireError> {
        let out: &mut [u8; SIZE_MIN] = out.first_chunk_mut().ok_or(WireError::Full)?;
        let number = self.number << unused_bits(self.flags.number_len());
        out[0] = self.flags.0;
        out[TOKEN_OFFSET..CHANNEL_OFFSET].copy_from_slice(&self.token.0);
        out[CHANNEL_OFFSET..NUMBER_OFFSET].copy_from_slice(&self.channel.0.to_be_bytes());
        out[NUMBER_OFFSET..HEADER_LEN_MAX].copy_from_slice(&number.to_be_bytes());
        Ok(self.payload_offset())
    }

    /// Where the payload begins.
    #[inline]
    pub const fn payload_offset(&self) -> usize {
        payload_offset(self.flags.number_len())
    }
}

/// Where the payload begins behind a number of this many bytes.
#[inline]
pub const fn payload_offset(number_len: usize) -> usize {
    NUMBER_OFFSET + number_len
}

/// Bytes that the payload must have at least, so that there are 16 bytes to sample.
#[inline]
pub const fn payload_len_min(number_len: usize) -> usize {
    if number_len >= NUMBER_LEN_MAX { 1 } else { NUMBER_LEN_MAX - number_len }
}

/// How many bytes of `number` a packet must carry, when `acked` is the largest number of its space
/// that is known to be acknowledged.
///
/// Beyond a distance of 2^31 no length is enough: a sender waits before it comes to that.
// spec: 5.5 packet numbers
#[inline]
pub const fn number_len(number: u64, acked: Option<u64>) -> usize {
    let distance = match acked {
        Some(acked) => number.saturating_sub(acked),
        None => number + 1,
    };
    // 2^(8 m) > 2 distance, in bits: 8 m > log2(distance) + 1 when rounded down.
    match distance {
        0..0x80 => 1,
        0x80..0x8000 => 2,
        0x8000..0x80_0000 => 3,
        _ => NUMBER_LEN_MAX,
    }
}

/// The full packet number of which `number` is the low `number_len` bytes, when `largest` is the
/// largest number opened in its space: the one closest to the next that is expected.
// spec: 5.5 packet numbers (RFC 9000 A.3)
#[inline]
pub const fn decode_number(number: u32, number_len: usize, largest: Option<u64>) -> u64 {
    let expected = match largest {
        Some(largest) => largest + 1,
        None => 0,
    };
    let window = 1 << (8 * number_len as u32);
    let half = window / 2;
    let candidate = expected & !(window - 1) | number as u64;
    if candidate + half <= expected && candidate <= NUMBER_MAX - window {
        return candidate + window;
    }
    if candidate > expected + half && candidate >= window {
        return candidate - window;
    }
    candidate
}

/// Bits of a u32 that a number of this many bytes leaves unused.
#[inline]
const fn unused_bits(number_len: usize) -> u32 {
    8 * (NUMBER_LEN_MAX - number_len) as u32
}

#[cfg(test)]
mod tests;
