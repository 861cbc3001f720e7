//! Messages that open and end channels.

use super::{Malformed, Reason, Source};
use crate::id::{Capabilities, ChannelNumber};
use crate::wire::varint::encoded_len;
use crate::wire::{Reader, WireError, Writer};

/// What a channel is called, by its opener: at most 255 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Label<'a>(&'a [u8]);

impl<'a> Label<'a> {
    /// Bytes of the longest.
    pub const LEN_MAX: usize = 255;

    /// Takes a label; None when it is too long.
    pub const fn new(label: &'a [u8]) -> Option<Label<'a>> {
        if label.len() > Label::LEN_MAX { None } else { Some(Label(label)) }
    }

    /// The bytes.
    pub const fn as_slice(self) -> &'a [u8] {
        self.0
    }
}

/// Opens a channel.
// spec: 8.9 CHANNEL_NEW
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelNew<'a> {
    /// The channel, whose opener is the sender.
    pub channel: ChannelNumber,
    /// What it promises; bits without a meaning are for the receiver to refuse.
    pub capabilities: Capabilities,
    /// Up to which position the accepting side may send.
    pub limit: u64,
    /// 0 first, [`ChannelNew::PRIORITY_MAX`] last.
    pub priority: u8,
    /// The share among channels of one priority; not 0.
    pub weight: u8,
    /// What it is called.
    pub label: Label<'a>,
}

impl<'a> ChannelNew<'a> {
    /// The priority that goes last.
    pub const PRIORITY_MAX: u8 = 7;

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<ChannelNew<'a>, Malformed> {
        let channel = ChannelNumber(reader.u32()?);
        let capabilities = Capabilities(reader.u16()?);
        let limit = reader.varint()?;
        let (priority, weight) = (reader.u8()?, reader.u8()?);
        if priority > ChannelNew::PRIORITY_MAX || weight == 0 {
            return Err(Malformed);
        }
        let label_len = usize::from(reader.u8()?);
        let label = Label(reader.bytes(label_len)?);
        Ok(ChannelNew { channel, capabilities, limit, priority, weight, label })
    }

    pub(super) const fn body_len(&self) -> usize {
        4 + 2 + encoded_len(self.limit) + 3 + self.label.0.len()
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.u32(self.channel.0)?;
        writer.u16(self.capabilities.0)?;
        writer.varint(self.limit)?;
        writer.u8(self.priority)?;
        writer.u8(self.weight)?;
        writer.u8(self.label.0.len() as u8)?;
        writer.bytes(self.label.0)
    }
}

/// Says how much more may be sent on a channel, or where its sender was stopped: the bodies of
/// CHANNEL_ACCEPT, MAX_CHANNEL_DATA and CHANNEL_DATA_BLOCKED.
// spec: 8.10, 8.16
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelLimit {
    /// The channel.
    pub channel: ChannelNumber,
    /// A position.
    pub limit: u64,
}

impl ChannelLimit {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<ChannelLimit, Malformed> {
        Ok(ChannelLimit { channel: ChannelNumber(reader.u32()?), limit: reader.varint()? })
    }

    pub(super) const fn body_len(&self) -> usize {
        4 + encoded_len(self.limit)
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.u32(self.channel.0)?;
        writer.varint(self.limit)
    }
}

/// Ends the sender's direction of a channel, behind all that it sent.
// spec: 8.11 CHANNEL_CLOSE
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelClose {
    /// The channel.
    pub channel: ChannelNumber,
    /// How many messages the direction has.
    pub count: u64,
    /// Their total charge.
    pub position: u64,
}

impl ChannelClose {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<ChannelClose, Malformed> {
        let channel = ChannelNumber(reader.u32()?);
        Ok(ChannelClose { channel, count: reader.varint()?, position: reader.varint()? })
    }

    pub(super) const fn body_len(&self) -> usize {
        4 + encoded_len(self.count) + encoded_len(self.position)
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.u32(self.channel.0)?;
        writer.varint(self.count)?;
        writer.varint(self.position)
    }
}

/// Ends both directions of a channel at once.
// spec: 8.12 CHANNEL_RESET
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelReset<'a> {
    /// The channel.
    pub channel: ChannelNumber,
    /// Whose code it is.
    pub source: Source,
    /// A [`ChannelCode`](crate::wire::codes::ChannelCode), or the application's.
    pub code: u64,
    /// The charge of all that the sender ever sent on it.
    pub position: u64,
    /// For people.
    pub reason: Reason<'a>,
}

impl<'a> ChannelReset<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<ChannelReset<'a>, Malformed> {
        Ok(ChannelReset {
            channel: ChannelNumber(reader.u32()?),
            source: Source::read(reader)?,
            code: reader.varint()?,
            position: reader.varint()?,
            reason: Reason::read(reader)?,
        })
    }

    pub(super) const fn body_len(&self) -> usize {
        5 + encoded_len(self.code) + encoded_len(self.position) + self.reason.len()
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.u32(self.channel.0)?;
        self.source.write(writer)?;
        writer.varint(self.code)?;
        writer.varint(self.position)?;
        writer.bytes(self.reason.as_slice())
    }
}
