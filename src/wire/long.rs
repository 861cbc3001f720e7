//! Long packets: those of a v1 handshake.
// spec: 4 long packets

use super::{Reader, TAG_LEN, WireError, Writer};
use crate::id::{AttemptId, ChannelNumber, Level};

/// What each long packet begins with: the first 8 hex digits of SHA-512("channeler v1.0").
pub const PROTOCOL_ID: u32 = 0x0901_d03f;

/// Bytes before the cookie.
pub const FIXED_LEN: usize = 45;

/// Bytes of a packet number.
pub const NUMBER_LEN: usize = 4;

/// Bytes of a sealed packet without a cookie that are not payload.
pub const OVERHEAD: usize = FIXED_LEN + NUMBER_LEN + TAG_LEN;

/// A datagram with a level 0 packet that asks for an acknowledgement, and any of an initiator with
/// one, is at least this large. None of a handshake is larger, unless the path is known to carry
/// more.
// spec: 4.4 padding and joining
pub const DATAGRAM_SIZE: usize = 1200;

/// Where the size field is.
const SIZE_OFFSET: usize = 42;

/// Flags bit 0: encrypted. It is set in every long packet, in cookie packets too.
const FLAG_ENCRYPTED: u16 = 1;

/// Where the flags have the level.
const LEVEL_SHIFT: u32 = 2;

/// What is in a long packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Messages, sealed with the keys of a level.
    Sealed(Level),
    /// Nothing but a cookie, and that in the open.
    Cookie,
}

impl Kind {
    const fn flags(self) -> u16 {
        let level = match self {
            Kind::Sealed(Level::Initial) => 0,
            Kind::Sealed(Level::Handshake) => 1,
            Kind::Sealed(Level::Early) => 2,
            Kind::Cookie => 3,
        };
        FLAG_ENCRYPTED | level << LEVEL_SHIFT
    }

    const fn from_flags(flags: u16) -> Option<Kind> {
        match flags {
            0b0001 => Some(Kind::Sealed(Level::Initial)),
            0b0101 => Some(Kind::Sealed(Level::Handshake)),
            0b1001 => Some(Kind::Sealed(Level::Early)),
            0b1101 => Some(Kind::Cookie),
            _ => None,
        }
    }
}

/// The cookie of a long packet: none, or 16 to 64 bytes that mean nothing to an initiator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cookie {
    len: u8,
    /// Zeros behind `len`, so that equal cookies are equal here.
    bytes: [u8; Cookie::LEN_MAX],
}

impl Cookie {
    /// Bytes of the shortest one.
    pub const LEN_MIN: usize = 16;
    /// Bytes of the longest one.
    pub const LEN_MAX: usize = 64;
    /// No cookie.
    pub const NONE: Cookie = Cookie { len: 0, bytes: [0; Cookie::LEN_MAX] };

    /// Takes a cookie; None unless its length is 0 or one that cookies have.
    pub fn new(cookie: &[u8]) -> Option<Cookie> {
        if !cookie.is_empty() && cookie.len() < Cookie::LEN_MIN {
            return None;
        }
        let mut bytes = [0; Cookie::LEN_MAX];
        bytes.get_mut(..cookie.len())?.copy_from_slice(cookie);
        Some(Cookie { len: cookie.len() as u8, bytes })
    }

    /// The bytes; empty without a cookie.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// How many bytes.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_slice().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The part of a long packet that everybody can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongHeader {
    /// What is in the packet.
    pub kind: Kind,
    /// The sender's id in this attempt.
    pub sender: AttemptId,
    /// The recipient's id in this attempt.
    pub recipient: AttemptId,
    /// The cookie.
    pub cookie: Cookie,
    /// Bytes of the whole packet. A writer that does not know it puts 0, later [`set_size`].
    pub size: usize,
}

/// Why bytes are no long packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LongError {
    /// Fewer bytes than the smallest header. The rest of the datagram is dropped.
    #[error("the bytes end before the header does")]
    Short,
    /// Another protocol id. The rest of the datagram is dropped.
    #[error("the packet begins with another protocol id")]
    UnknownProtocol,
    /// A cookie of a length that there is not, at this level. The rest of the datagram is dropped.
    #[error("the cookie has a length that is not allowed")]
    BadCookie,
    /// A size that the packet cannot have, or the datagram does not. Its rest is dropped.
    #[error("the size in the header does not fit the packet or the datagram")]
    BadSize,
    /// Another channel id, or flags without a meaning. This packet alone is dropped.
    #[error("the header has a channel id or flags without a meaning")]
    Unknown {
        /// Bytes of the packet: where the next one begins.
        size: usize,
    },
}

impl LongHeader {
    /// Reads the header of the packet at the front of `datagram`. The packet is the first `size`
    /// bytes, which are there; what follows is another packet.
    // spec: 4.5 receiving
    pub fn parse(datagram: &[u8]) -> Result<LongHeader, LongError> {
        let mut reader = Reader::new(datagram);
        let fields = Fields::read(&mut reader).map_err(|_| LongError::Short)?;
        if fields.protocol != PROTOCOL_ID {
            return Err(LongError::UnknownProtocol);
        }
        let kind = Kind::from_flags(fields.flags);
        let is_allowed = match kind {
            Some(Kind::Sealed(Level::Handshake)) => fields.cookie_len == 0,
            Some(Kind::Cookie) => fields.cookie_len != 0,
            Some(Kind::Sealed(Level::Initial | Level::Early)) | None => true,
        };
        let end = FIXED_LEN + fields.cookie_len;
        let size_min = match kind {
            Some(Kind::Cookie) => end,
            // The payload has at least one byte.
            Some(Kind::Sealed(_)) | None => OVERHEAD + fields.cookie_len + 1,
        };
        let size = fields.size;
        if !is_allowed || fields.cookie_len > Cookie::LEN_MAX {
            return Err(LongError::BadCookie);
        }
        if size < size_min || size > datagram.len() {
            return Err(LongError::BadSize);
        }
        let cookie = datagram.get(FIXED_LEN..end).and_then(Cookie::new);
        let cookie = cookie.ok_or(LongError::BadCookie)?;
        let has_rest = kind == Some(Kind::Cookie) && size != end;
        match kind {
            Some(kind) if fields.channel == ChannelNumber::NONE.0 && !has_rest => {
                let (sender, recipient) = (fields.sender, fields.recipient);
                Ok(LongHeader { kind, sender, recipient, cookie, size })
            }
            Some(_) | None => Err(LongError::Unknown { size }),
        }
    }

    /// Writes everything before the packet number. The number follows, unmasked, as a u32.
    // spec: 4.1 layout
    pub fn write(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        if writer.remaining() < self.number_offset() {
            return Err(WireError::Full);
        }
        writer.u32(PROTOCOL_ID)?;
        writer.bytes(&self.sender.0)?;
        writer.bytes(&self.recipient.0)?;
        writer.u32(ChannelNumber::NONE.0)?;
        writer.u16(self.kind.flags())?;
        writer.u16(self.size as u16)?;
        writer.u8(self.cookie.len)?;
        writer.bytes(self.cookie.as_slice())
    }

    /// A packet with nothing but a cookie; `write` writes the whole of it.
    // spec: 4.6 cookie packets
    pub const fn of_cookie(sender: AttemptId, recipient: AttemptId, cookie: Cookie) -> LongHeader {
        let size = FIXED_LEN + cookie.len();
        LongHeader { kind: Kind::Cookie, sender, recipient, cookie, size }
    }

    /// Where the packet number is, in a packet that is sealed.
    #[inline]
    pub const fn number_offset(&self) -> usize {
        FIXED_LEN + self.cookie.len()
    }

    /// Where the payload begins; all before it is associated data. The masks are computed from the
    /// 16 bytes here.
    #[inline]
    pub const fn payload_offset(&self) -> usize {
        self.number_offset() + NUMBER_LEN
    }
}

/// Fills in the size of a packet whose header was written without it; `packet` is the whole packet,
/// tag included. Shorter than its header, or longer than 65,535 bytes, it panics.
pub fn set_size(packet: &mut [u8]) {
    let size = u16::try_from(packet.len()).expect("a packet fits one datagram");
    packet[SIZE_OFFSET..SIZE_OFFSET + 2].copy_from_slice(&size.to_be_bytes());
}

/// Takes apart the payload of a level 2 packet: the channel of its DATA, and its messages.
// spec: 4.2 levels
pub fn split_early(payload: &[u8]) -> Option<(ChannelNumber, &[u8])> {
    let (channel, messages) = payload.split_first_chunk()?;
    Some((ChannelNumber(u32::from_be_bytes(*channel)), messages))
}

/// The fields before the cookie, unchecked.
struct Fields {
    protocol: u32,
    sender: AttemptId,
    recipient: AttemptId,
    channel: u32,
    flags: u16,
    size: usize,
    cookie_len: usize,
}

impl Fields {
    fn read(reader: &mut Reader<'_>) -> Result<Fields, WireError> {
        Ok(Fields {
            protocol: reader.u32()?,
            sender: AttemptId(reader.array()?),
            recipient: AttemptId(reader.array()?),
            channel: reader.u32()?,
            flags: reader.u16()?,
            size: usize::from(reader.u16()?),
            cookie_len: usize::from(reader.u8()?),
        })
    }
}

#[cfg(test)]
mod tests;
