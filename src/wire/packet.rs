//! Packets of protocol v0: a fixed header, messages, padding, a checksum.

use super::checksum;
use crate::id::{ChannelId, PeerId};

/// What each packet begins with: the first 8 hex digits of SHA-512("Testing v0.1").
pub const PROTOCOL_ID: u32 = 0x0c22_9d94;

/// Bytes of the part of the header that is never encrypted.
pub const PUBLIC_HEADER_SIZE: usize = 44;

/// Bytes before the payload: public header (44) and private header (4).
pub const HEADER_SIZE: usize = 48;

/// Bytes at the front that say what a packet is, whose, for whom and on which channel: all that
/// comes before its sizes.
pub const ROUTE_SIZE: usize = 42;

/// Bytes after the payload and its padding: the checksum.
pub const FOOTER_SIZE: usize = 4;

/// Bytes of a packet that are not payload or padding; the smallest packet.
pub const ENVELOPE_SIZE: usize = HEADER_SIZE + FOOTER_SIZE;

/// Private header and payload are encrypted, and the checksum may be a MAC. Nobody sends it yet.
pub const FLAG_ENCRYPTED: u16 = 1;

/// For latency measurements by the network.
pub const FLAG_SPIN: u16 = 1 << 1;

/// Padding bytes all are the padding's length modulo this.
const PADDING_MODULUS: usize = 255;

/// What a packet says about itself, apart from sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Who sends it.
    pub sender: PeerId,
    /// Who it is for.
    pub recipient: PeerId,
    /// The channel that its messages belong to.
    pub channel: ChannelId,
    /// `FLAG_ENCRYPTED`, `FLAG_SPIN`; others have no meaning and are ignored.
    pub flags: u16,
    /// The reference never sets it, so a received one means nothing.
    pub sequence: u16,
}

/// Why a datagram is no packet that we can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PacketError {
    /// Smaller than the smallest packet.
    #[error("the datagram is smaller than the smallest packet")]
    TooShort,
    /// It begins with another protocol id.
    #[error("the datagram begins with another protocol id")]
    UnknownProtocol,
    /// The packet does not fit the datagram, or the payload does not fit the packet.
    #[error("a size in the header does not fit the datagram")]
    BadSize,
    /// The checksum is not that of the bytes.
    #[error("the checksum is wrong")]
    BadChecksum,
    /// It is encrypted, which v0 has a flag for but no keys.
    #[error("the packet is encrypted")]
    Encrypted,
}

/// A packet whose sizes and checksum were found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it says about itself.
    pub header: Header,
    /// Messages, back to back; see [`super::message::Messages`].
    pub payload: &'a [u8],
    /// Bytes of the whole packet, which may be fewer than the datagram's.
    pub size: usize,
}

impl<'a> Packet<'a> {
    /// Reads the packet at the front of `datagram`; bytes past its size field are ignored, as the
    /// reference does. Sender and recipient are the caller's to check.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Packet<'a>, PacketError> {
        if datagram.len() < ENVELOPE_SIZE {
            return Err(PacketError::TooShort);
        }
        let fields = Fields::of(datagram).ok_or(PacketError::TooShort)?;
        if fields.protocol() != PROTOCOL_ID {
            return Err(PacketError::UnknownProtocol);
        }
        let size = fields.size();
        let room = size.checked_sub(ENVELOPE_SIZE).ok_or(PacketError::BadSize)?;
        let packet = datagram.get(..size).ok_or(PacketError::BadSize)?;
        // The payload size and the checksum of an encrypted packet are not ours to interpret.
        if fields.flags() & FLAG_ENCRYPTED != 0 {
            return Err(PacketError::Encrypted);
        }
        if fields.payload_size() > room {
            return Err(PacketError::BadSize);
        }
        let end = HEADER_SIZE + fields.payload_size();
        let payload = packet.get(HEADER_SIZE..end).ok_or(PacketError::BadSize)?;
        if checksum_of(packet) != stored_checksum(packet) {
            return Err(PacketError::BadChecksum);
        }
        Ok(Packet { header: fields.header(), payload, size })
    }
}

/// The header of a packet, field by field, with nothing checked but that it is there.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(&'a [u8; HEADER_SIZE]);

impl<'a> Fields<'a> {
    /// The header at the front of `packet`, if that is long enough for one.
    #[inline]
    pub fn of(packet: &'a [u8]) -> Option<Fields<'a>> {
        packet.first_chunk().map(Fields)
    }

    /// The protocol id.
    #[inline]
    pub fn protocol(self) -> u32 {
        u32::from_be_bytes(self.at::<0, 4>())
    }

    /// Who sends it.
    #[inline]
    pub fn sender(self) -> PeerId {
        PeerId(self.at::<4, { PeerId::SIZE }>())
    }

    /// Who it is for.
    #[inline]
    pub fn recipient(self) -> PeerId {
        PeerId(self.at::<20, { PeerId::SIZE }>())
    }

    /// The channel.
    #[inline]
    pub fn channel(self) -> ChannelId {
        ChannelId::from_wire(u32::from_be_bytes(self.at::<36, 4>()))
    }

    /// The flags.
    #[inline]
    pub fn flags(self) -> u16 {
        u16::from_be_bytes(self.at::<40, 2>())
    }

    /// Bytes of the whole packet.
    #[inline]
    pub fn size(self) -> usize {
        usize::from(u16::from_be_bytes(self.at::<42, 2>()))
    }

    /// The sequence number.
    #[inline]
    pub fn sequence(self) -> u16 {
        u16::from_be_bytes(self.at::<44, 2>())
    }

    /// Bytes of the payload.
    #[inline]
    pub fn payload_size(self) -> usize {
        usize::from(u16::from_be_bytes(self.at::<46, 2>()))
    }

    /// All of it, apart from protocol id and sizes.
    #[inline]
    pub fn header(self) -> Header {
        Header {
            sender: self.sender(),
            recipient: self.recipient(),
            channel: self.channel(),
            flags: self.flags(),
            sequence: self.sequence(),
        }
    }

    /// Constant offsets into an array of known size, so the compiler drops every check. The field
    /// is taken whole: byte by byte, a peer id is 16 stores, and its reader waits for them.
    #[inline]
    fn at<const START: usize, const N: usize>(self) -> [u8; N] {
        const { assert!(START + N <= HEADER_SIZE) };
        *self.0[START..].first_chunk().expect("asserted above")
    }
}

/// The checksum that `packet` (whole, footer included) should end with; None without a footer.
#[inline]
pub fn checksum_of(packet: &[u8]) -> Option<u32> {
    let (covered, _) = packet.split_last_chunk::<FOOTER_SIZE>()?;
    Some(checksum::crc32c(covered))
}

/// The checksum that `packet` (whole, footer included) does end with; None without a footer.
#[inline]
pub fn stored_checksum(packet: &[u8]) -> Option<u32> {
    packet.last_chunk().copied().map(u32::from_be_bytes)
}

/// Writes everything before the payload, with both sizes 0 until [`seal`] knows them.
///
/// `out` must have at least `HEADER_SIZE` bytes; a shorter one panics.
#[inline]
pub fn write_header(out: &mut [u8], header: &Header) {
    debug_assert!(out.len() >= HEADER_SIZE, "no room for a header in {} bytes", out.len());
    let out = &mut out[..HEADER_SIZE];
    out[..4].copy_from_slice(&PROTOCOL_ID.to_be_bytes());
    out[4..20].copy_from_slice(&header.sender.0);
    out[20..36].copy_from_slice(&header.recipient.0);
    out[36..40].copy_from_slice(&header.channel.to_wire().to_be_bytes());
    out[40..42].copy_from_slice(&header.flags.to_be_bytes());
    out[42..44].fill(0);
    out[44..46].copy_from_slice(&header.sequence.to_be_bytes());
    out[46..48].fill(0);
}

/// Writes a whole header, with a protocol id and sizes (packet, payload) of the caller's choice.
pub fn write_fields(
    out: &mut [u8; HEADER_SIZE],
    protocol: u32,
    header: &Header,
    (size, payload_size): (u16, u16),
) {
    write_header(out, header);
    out[..4].copy_from_slice(&protocol.to_be_bytes());
    out[42..44].copy_from_slice(&size.to_be_bytes());
    out[46..48].copy_from_slice(&payload_size.to_be_bytes());
}

/// Completes a packet: fills in both sizes, the padding and the checksum.
///
/// `packet` is the whole packet, header written and payload in place at `HEADER_SIZE`; its length
/// becomes the size field. It must be at most 65,535 bytes and hold the payload and the envelope; a
/// shorter one panics.
#[inline]
pub fn seal(packet: &mut [u8], payload_size: usize) {
    finish(packet, payload_size);
    write_checksum(packet);
}

/// The first half of [`seal`]: fills in both sizes and the padding.
#[inline]
pub fn finish(packet: &mut [u8], payload_size: usize) {
    let size = packet.len();
    debug_assert!(size <= usize::from(u16::MAX), "a packet of {size} bytes has no size field");
    debug_assert!(
        payload_size <= size.saturating_sub(ENVELOPE_SIZE),
        "{payload_size} bytes of payload do not fit a packet of {size}"
    );
    let (header, body) = packet[..size - FOOTER_SIZE].split_at_mut(HEADER_SIZE);
    header[42..44].copy_from_slice(&(size as u16).to_be_bytes());
    header[46..48].copy_from_slice(&(payload_size as u16).to_be_bytes());
    let padding = &mut body[payload_size..];
    if !padding.is_empty() {
        padding.fill((padding.len() % PADDING_MODULUS) as u8);
    }
}

/// The second half of [`seal`]: the checksum. A packet shorter than that panics.
#[inline]
pub fn write_checksum(packet: &mut [u8]) {
    let (covered, footer) = packet.split_at_mut(packet.len() - FOOTER_SIZE);
    footer.copy_from_slice(&checksum::crc32c(covered).to_be_bytes());
}

#[cfg(test)]
mod tests;
