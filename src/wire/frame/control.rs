//! CRYPTO and CONNECTION_CLOSE: the handshake's bytes, and the end of a connection.

use super::Malformed;
use crate::wire::varint::encoded_len;
use crate::wire::{Reader, WireError, Writer};

/// Bytes of the TLS handshake.
// spec: 8.6 CRYPTO
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crypto<'a> {
    /// Where in the stream of its level and direction they belong.
    pub offset: u64,
    /// The bytes; at least one.
    pub bytes: &'a [u8],
}

impl<'a> Crypto<'a> {
    /// How many bytes fit, from `offset` on, into a packet that has `room` left. None when not even
    /// one does.
    pub const fn len_max(offset: u64, room: usize) -> Option<usize> {
        match super::body_max(room) {
            Some(body) if body > encoded_len(offset) => Some(body - encoded_len(offset)),
            Some(_) | None => None,
        }
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Crypto<'a>, Malformed> {
        let offset = reader.varint()?;
        let bytes = reader.bytes(reader.remaining())?;
        if bytes.is_empty() { Err(Malformed) } else { Ok(Crypto { offset, bytes }) }
    }

    pub(super) const fn body_len(&self) -> usize {
        encoded_len(self.offset) + self.bytes.len()
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.varint(self.offset)?;
        writer.bytes(self.bytes)
    }
}

/// Whose error code it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// This protocol's.
    Protocol,
    /// The application's.
    Application,
}

impl Source {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Source, Malformed> {
        match reader.u8()? {
            0 => Ok(Source::Protocol),
            1 => Ok(Source::Application),
            _ => Err(Malformed),
        }
    }

    pub(super) fn write(self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.u8(self as u8)
    }
}

/// Why something ended, for people: at most 255 bytes, by good peers UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reason<'a>(&'a [u8]);

impl<'a> Reason<'a> {
    /// Bytes of the longest.
    pub const LEN_MAX: usize = 255;

    /// No reason.
    pub const NONE: Reason<'static> = Reason(&[]);

    /// As much of `text` as a reason may have, in whole characters.
    pub fn new(text: &'a str) -> Reason<'a> {
        let mut end = text.len().min(Reason::LEN_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Reason(&text.as_bytes()[..end])
    }

    /// The bytes.
    pub const fn as_slice(self) -> &'a [u8] {
        self.0
    }

    pub(super) const fn len(self) -> usize {
        self.0.len()
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Reason<'a>, Malformed> {
        let reason = reader.bytes(reader.remaining())?;
        if reason.len() > Reason::LEN_MAX { Err(Malformed) } else { Ok(Reason(reason)) }
    }
}

/// Ends the connection.
// spec: 8.7 CONNECTION_CLOSE
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionClose<'a> {
    /// Whose code it is.
    pub source: Source,
    /// A [`CloseCode`](crate::wire::codes::CloseCode), or the application's.
    pub code: u64,
    /// The type of the message that caused it; 0: none.
    pub message_type: u64,
    /// For people.
    pub reason: Reason<'a>,
}

impl<'a> ConnectionClose<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<ConnectionClose<'a>, Malformed> {
        Ok(ConnectionClose {
            source: Source::read(reader)?,
            code: reader.varint()?,
            message_type: reader.varint()?,
            reason: Reason::read(reader)?,
        })
    }

    pub(super) const fn body_len(&self) -> usize {
        1 + encoded_len(self.code) + encoded_len(self.message_type) + self.reason.len()
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        self.source.write(writer)?;
        writer.varint(self.code)?;
        writer.varint(self.message_type)?;
        writer.bytes(self.reason.as_slice())
    }
}
