//! What a sent packet held, as far as its fate matters.

use crate::id::{ChannelHandle, ChannelNumber, PathId};

/// One message of a packet, or the application's messages in it together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentFrame {
    /// Whole application messages of one channel, numbered in a row, that nobody keeps.
    Data { channel: ChannelHandle, first: u64, count: u16, charge: u32 },
    /// The same, kept, and how often they had been sent before.
    Messages { channel: ChannelHandle, first: u64, count: u16, resends: u16 },
    /// Bytes of a message that is kept; of its number the lower half.
    Part { channel: ChannelHandle, number: u32, offset: u32, len: u16, resends: u16 },
    /// CHANNEL_NEW.
    New(ChannelHandle),
    /// CHANNEL_ACCEPT.
    Accept(ChannelHandle),
    /// CHANNEL_CLOSE.
    Close(ChannelHandle),
    /// CHANNEL_RESET.
    Reset(ChannelHandle),
    /// CHANNEL_RESET of a channel that was never made here, with its code.
    Refusal { number: ChannelNumber, code: u8 },
    /// DATA_SKIP to this number.
    Skip { channel: ChannelHandle, number: u64 },
    /// CHANNEL_DATA_BLOCKED.
    Blocked(ChannelHandle),
    /// MAX_CHANNEL_DATA.
    MaxChannelData(ChannelHandle),
    /// MAX_DATA.
    MaxData,
    /// DATA_BLOCKED.
    DataBlocked,
    /// MAX_CHANNELS.
    MaxChannels,
    /// CHANNELS_BLOCKED.
    ChannelsBlocked,
    /// NEW_TOKEN for a path.
    NewToken(PathId),
    /// PATH_ABANDON, with its code.
    Abandon { path: PathId, code: u8 },
    /// CRYPTO.
    Crypto { offset: u32, len: u16 },
    /// ACK that told the path's numbers up to this one.
    Ack { path: PathId, largest: u64 },
    /// ACK_RATE for a path.
    AckRate(PathId),
    /// PING and padding: a probe of this size for the path's MTU, on the way that it led then.
    MtuProbe { path: PathId, way: u32, size: u16 },
    /// OBSERVED_ADDRESS of a path, with its sequence.
    Observed { path: PathId, sequence: u64 },
}

/// Every packet has one of them or more: they must stay small.
const _: () = assert!(size_of::<SentFrame>() == 24);

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its packet was acknowledged.
    Acked,
    /// Its packet was declared lost.
    Lost,
    /// Its packet is of no use though it may have arrived: that says nothing about the path.
    Dropped,
}
