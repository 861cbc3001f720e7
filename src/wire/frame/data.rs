//! DATA and DATA_SKIP: application messages, and those that do not come any more.

use super::{Kind, Malformed, body_max};
use crate::id::ChannelNumber;
use crate::wire::varint::encoded_len;
use crate::wire::{Reader, WireError, Writer};

/// The message ends with these bytes.
const FLAG_FINAL: u8 = 1;

/// The offset is there. Without it, it is 0.
const FLAG_OFFSET: u8 = 1 << 1;

/// Bytes of an application message, on the channel of the packet.
// spec: 8.14 DATA
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data<'a> {
    /// Which message of its channel and direction.
    pub number: u64,
    /// Where in the message the bytes belong.
    pub offset: u64,
    /// Whether the message ends with them.
    pub is_final: bool,
    /// The bytes. Empty only in the end of a message.
    pub bytes: &'a [u8],
}

impl<'a> Data<'a> {
    /// A fragment that is not the last of its message has at least this many bytes.
    // spec: 10.1 numbers and fragments
    pub const FRAGMENT_LEN_MIN: usize = 64;

    #[inline(always)]
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Data<'a>, Malformed> {
        let flags = reader.u8()?;
        let number = reader.varint()?;
        let offset = match flags & !FLAG_FINAL {
            0 => 0,
            FLAG_OFFSET => match reader.varint()? {
                // One way to say a thing: without the flag.
                0 => return Err(Malformed),
                offset => offset,
            },
            _ => return Err(Malformed),
        };
        let is_final = flags & FLAG_FINAL != 0;
        let bytes = reader.bytes(reader.remaining())?;
        if bytes.is_empty() && !is_final {
            return Err(Malformed);
        }
        Ok(Data { number, offset, is_final, bytes })
    }

    /// Writes the message, or nothing when there is no room for all of it.
    #[inline]
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        debug_assert!(!self.bytes.is_empty() || self.is_final, "no bytes, and not the end");
        let body_len = self.body_len();
        // The room is taken at once, so that what follows is not checked against it bit by bit.
        let out = writer.take(super::frame_len(Kind::Data, body_len))?;
        let mut writer = Writer::new(out);
        writer.u8(Kind::Data as u8)?;
        writer.varint(body_len as u64)?;
        self.write_body(&mut writer)
    }

    /// How many bytes of a message fit, from `offset` on, into a packet that has `room` left. None
    /// when not even the rest of the DATA does.
    #[inline]
    pub const fn len_max(number: u64, offset: u64, room: usize) -> Option<usize> {
        match body_max(room) {
            Some(body) => body.checked_sub(head_len(number, offset)),
            None => None,
        }
    }

    /// Bytes that a DATA with `len` bytes takes besides them.
    #[inline]
    pub const fn overhead(number: u64, offset: u64, len: usize) -> usize {
        let head = head_len(number, offset);
        super::frame_len(Kind::Data, head + len) - len
    }

    #[inline]
    pub(super) const fn body_len(&self) -> usize {
        head_len(self.number, self.offset) + self.bytes.len()
    }

    #[inline]
    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        let is_final = if self.is_final { FLAG_FINAL } else { 0 };
        let has_offset = if self.offset > 0 { FLAG_OFFSET } else { 0 };
        writer.u8(is_final | has_offset)?;
        writer.varint(self.number)?;
        if self.offset > 0 {
            writer.varint(self.offset)?;
        }
        writer.bytes(self.bytes)
    }
}

/// Bytes of the body before the application's.
#[inline]
const fn head_len(number: u64, offset: u64) -> usize {
    let offset_len = if offset > 0 { encoded_len(offset) } else { 0 };
    1 + encoded_len(number) + offset_len
}

/// Says that of the messages below a number nothing more comes.
// spec: 8.15 DATA_SKIP
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataSkip {
    /// The channel.
    pub channel: ChannelNumber,
    /// The first message that still may come.
    pub number: u64,
    /// The charge of all messages below it.
    pub position: u64,
}

impl DataSkip {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<DataSkip, Malformed> {
        let channel = ChannelNumber(reader.u32()?);
        Ok(DataSkip { channel, number: reader.varint()?, position: reader.varint()? })
    }

    pub(super) fn body_len(&self) -> usize {
        4 + encoded_len(self.number) + encoded_len(self.position)
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.u32(self.channel.0)?;
        writer.varint(self.number)?;
        writer.varint(self.position)
    }
}
