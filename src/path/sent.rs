//! What a sent packet held, as far as its fate matters.

use crate::id::{ChannelHandle, ChannelNumber, PathId};

/// One message of a packet, or the application's messages in it together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentFrame {
    /// Whole application messages of one channel, numbered in a row.
    Data { channel: ChannelHandle, first: u64, count: u16, charge: u32 },
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
    Ack { largest: u64 },
    /// ACK_RATE.
    AckRate,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its packet was acknowledged.
    Acked,
    /// Its packet was declared lost.
    Lost,
}
