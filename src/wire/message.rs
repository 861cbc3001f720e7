//! Messages of protocol v0: what a packet's payload is made of.

use std::iter::FusedIterator;

use super::{Reader, WireError, Writer, varint};
use crate::id::{Capabilities, ChannelId};

/// The type of [`Message::ChannelNew`].
pub const CHANNEL_NEW: u16 = 10;
/// The type of [`Message::ChannelAcknowledge`].
pub const CHANNEL_ACKNOWLEDGE: u16 = 11;
/// The type of [`Message::ChannelFinalize`].
pub const CHANNEL_FINALIZE: u16 = 12;
/// The type of [`Message::ChannelCookie`].
pub const CHANNEL_COOKIE: u16 = 13;
/// The type of [`Message::Data`].
pub const DATA: u16 = 20;

/// Bytes of every known type: each is below 128, so one.
const TYPE_SIZE: usize = varint::encoded_len(DATA as u64);

/// One message. Data is borrowed from the packet, or from the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// The initiator asks for a channel.
    ChannelNew {
        /// Its half of the channel id.
        initiator: u16,
        /// Comes back in the acknowledgement.
        cookie1: u32,
    },
    /// The responder offers the channel, and keeps no state.
    ChannelAcknowledge {
        /// Both halves.
        id: ChannelId,
        /// As the initiator sent it.
        cookie1: u32,
        /// Comes back in the finalization.
        cookie2: u32,
    },
    /// The initiator takes the channel.
    ChannelFinalize {
        /// Both halves.
        id: ChannelId,
        /// As the responder sent it.
        cookie2: u32,
        /// What the channel promises.
        capabilities: Capabilities,
    },
    /// Establishes the channel of its packet, together with early data.
    ChannelCookie {
        /// The cookie of either side.
        cookie: u32,
        /// What the channel promises.
        capabilities: Capabilities,
    },
    /// What the application sends, on the channel of its packet. May be empty.
    Data(&'a [u8]),
}

/// Why bytes are no message. In both cases there is no telling where the next one would begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MessageError {
    /// A type that we do not know.
    #[error("the message type is not known")]
    Unknown,
    /// A message that is cut off, or a type or length that is no varint.
    #[error("the message does not fit the payload")]
    Malformed,
}

impl From<WireError> for MessageError {
    fn from(_: WireError) -> MessageError {
        MessageError::Malformed
    }
}

impl<'a> Message<'a> {
    /// Reads the message at the front of `payload`; returns it with the bytes it took.
    #[inline(always)]
    pub fn parse(payload: &'a [u8]) -> Result<(Message<'a>, usize), MessageError> {
        let mut reader = Reader::new(payload);
        let message_type = reader.varint()?;
        if message_type == u64::from(DATA) {
            let len = reader.varint()?;
            let len = usize::try_from(len).map_err(|_| MessageError::Malformed)?;
            return Ok((Message::Data(reader.bytes(len)?), reader.position()));
        }
        Message::parse_fixed(message_type, reader)
    }

    /// The rest of a message that is no data. Apart from `parse`, so that this stays small enough
    /// to become part of its callers.
    fn parse_fixed(
        message_type: u64,
        mut reader: Reader<'a>,
    ) -> Result<(Message<'a>, usize), MessageError> {
        let message = match u16::try_from(message_type).map_err(|_| MessageError::Unknown)? {
            CHANNEL_NEW => Message::ChannelNew { initiator: reader.u16()?, cookie1: reader.u32()? },
            CHANNEL_ACKNOWLEDGE => Message::ChannelAcknowledge {
                id: ChannelId::from_wire(reader.u32()?),
                cookie1: reader.u32()?,
                cookie2: reader.u32()?,
            },
            CHANNEL_FINALIZE => Message::ChannelFinalize {
                id: ChannelId::from_wire(reader.u32()?),
                cookie2: reader.u32()?,
                capabilities: Capabilities(reader.u16()?),
            },
            CHANNEL_COOKIE => Message::ChannelCookie {
                cookie: reader.u32()?,
                capabilities: Capabilities(reader.u16()?),
            },
            _ => return Err(MessageError::Unknown),
        };
        Ok((message, reader.position()))
    }

    /// Writes the message, or nothing when there is no room for all of it.
    #[inline(always)]
    pub fn write(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        if writer.remaining() < self.encoded_len() {
            return Err(WireError::Full);
        }
        // As `write_fixed` does it, which says nothing to the compiler about the type.
        if let Message::Data(data) = self {
            writer.varint(u64::from(DATA))?;
            writer.varint(data.len() as u64)?;
            return writer.bytes(data);
        }
        self.write_fixed(writer)
    }

    /// `write` of a message that is no data. Apart, so that `write` stays small enough to become
    /// part of its callers.
    fn write_fixed(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.varint(u64::from(self.message_type()))?;
        match *self {
            Message::ChannelNew { initiator, cookie1 } => {
                writer.u16(initiator)?;
                writer.u32(cookie1)
            }
            Message::ChannelAcknowledge { id, cookie1, cookie2 } => {
                writer.u32(id.to_wire())?;
                writer.u32(cookie1)?;
                writer.u32(cookie2)
            }
            Message::ChannelFinalize { id, cookie2, capabilities } => {
                writer.u32(id.to_wire())?;
                writer.u32(cookie2)?;
                writer.u16(capabilities.0)
            }
            Message::ChannelCookie { cookie, capabilities } => {
                writer.u32(cookie)?;
                writer.u16(capabilities.0)
            }
            Message::Data(data) => {
                writer.varint(data.len() as u64)?;
                writer.bytes(data)
            }
        }
    }

    /// Bytes that `write` takes.
    #[inline]
    pub const fn encoded_len(&self) -> usize {
        match self {
            Message::ChannelNew { .. } | Message::ChannelCookie { .. } => TYPE_SIZE + 6,
            Message::ChannelAcknowledge { .. } => TYPE_SIZE + 12,
            Message::ChannelFinalize { .. } => TYPE_SIZE + 10,
            Message::Data(data) => data_overhead(data.len()) + data.len(),
        }
    }

    /// The number it begins with.
    #[inline]
    pub const fn message_type(&self) -> u16 {
        match self {
            Message::ChannelNew { .. } => CHANNEL_NEW,
            Message::ChannelAcknowledge { .. } => CHANNEL_ACKNOWLEDGE,
            Message::ChannelFinalize { .. } => CHANNEL_FINALIZE,
            Message::ChannelCookie { .. } => CHANNEL_COOKIE,
            Message::Data(_) => DATA,
        }
    }
}

/// Bytes that a data message of `len` bytes takes besides them.
#[inline]
pub const fn data_overhead(len: usize) -> usize {
    TYPE_SIZE + varint::encoded_len(len as u64)
}

/// How many bytes follow the type of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadSize {
    /// Always this many.
    Fixed(usize),
    /// A varint, and as many as it says.
    Variable,
    /// There is no such type.
    Unknown,
}

/// How many bytes follow this type.
pub const fn payload_size(message_type: u16) -> PayloadSize {
    match message_type {
        CHANNEL_NEW | CHANNEL_COOKIE => PayloadSize::Fixed(6),
        CHANNEL_ACKNOWLEDGE => PayloadSize::Fixed(12),
        CHANNEL_FINALIZE => PayloadSize::Fixed(10),
        DATA => PayloadSize::Variable,
        _ => PayloadSize::Unknown,
    }
}

/// Whether the numbers can be read that say how long the message at the front of `payload` is. It
/// tells a message that is cut off from what never was one.
pub fn has_lengths(payload: &[u8]) -> bool {
    let mut reader = Reader::new(payload);
    match reader.varint() {
        Ok(kind) if kind == u64::from(DATA) => reader.varint().is_ok(),
        Ok(_) => true,
        Err(_) => false,
    }
}

/// The messages of a payload, one after the other. It ends with the payload or its first error.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Messages<'a> {
    /// Starts at the front of `payload`.
    #[inline]
    pub const fn new(payload: &'a [u8]) -> Messages<'a> {
        Messages { rest: payload, failed: false }
    }

    /// Bytes that are not part of a message returned so far.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, MessageError>;

    #[inline]
    fn next(&mut self) -> Option<Result<Message<'a>, MessageError>> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let parsed = Message::parse(self.rest);
        match parsed {
            Ok((_, used)) => self.rest = &self.rest[used..],
            Err(_) => self.failed = true,
        }
        Some(parsed.map(|(message, _)| message))
    }
}

impl FusedIterator for Messages<'_> {}

#[cfg(test)]
mod tests;
