//! Messages of protocol v1: what the payload of a packet is made of. The protocol page calls them
//! messages; code calls them frames, as "message" is what an application sends.
// spec: 8 messages

mod ack;
mod channel;
mod control;
mod data;
mod kind;
mod path;

use std::iter::FusedIterator;

pub use ack::{Ack, AckRate, EcnCounts, write_ack};
pub use channel::{ChannelClose, ChannelLimit, ChannelNew, ChannelReset, Label};
pub use control::{ConnectionClose, Crypto, Reason, Source};
pub use data::{Data, DataSkip};
pub use kind::{Asks, Kind, Place};
pub use path::{
    AddressOffer, CHALLENGE_LEN, NewToken, ObservedAddress, PathAbandon, PathStatus, RESET_LEN,
    Status,
};

use super::codes::ConnectionCode;
pub use super::ranges::AckRanges;
use super::ranges::RangesError;
use super::varint::{self, encoded_len};
use super::{Reader, WireError, Writer};
use crate::id::{ChannelNumber, PathId};

/// One message. What it holds is borrowed from the packet, or from the sender.
///
/// What is read is within the ranges that the page names; what is written has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Zeros to the end of the payload, at least one.
    Padding {
        /// How many.
        len: usize,
    },
    /// Asks for an acknowledgement without delay.
    Ping,
    /// Says which packets were opened: ACK, or ACK_ECN if it has counts.
    Ack(Ack<'a>),
    /// Bytes of the TLS handshake.
    Crypto(Crypto<'a>),
    /// Ends the connection.
    ConnectionClose(ConnectionClose<'a>),
    /// Says how often to acknowledge.
    AckRate(AckRate),
    /// Opens a channel.
    ChannelNew(ChannelNew<'a>),
    /// Accepts one; the limit is the opener's.
    ChannelAccept(ChannelLimit),
    /// Ends the sender's direction of a channel.
    ChannelClose(ChannelClose),
    /// Ends both at once.
    ChannelReset(ChannelReset<'a>),
    /// The receiver may open channels with an index below this.
    MaxChannels {
        /// At most [`ChannelNumber::INDEXES_MAX`].
        count: u32,
    },
    /// The sender would open more, but for this limit.
    ChannelsBlocked {
        /// At most [`ChannelNumber::INDEXES_MAX`].
        count: u32,
    },
    /// Bytes of an application message.
    Data(Data<'a>),
    /// Says which application messages do not come any more.
    DataSkip(DataSkip),
    /// Up to which position the receiver may send on a channel.
    MaxChannelData(ChannelLimit),
    /// Up to which position the receiver may send on all channels together.
    MaxData {
        /// The position.
        limit: u64,
    },
    /// The sender would send more on a channel, but for this limit.
    ChannelDataBlocked(ChannelLimit),
    /// The sender would send more, but for this limit.
    DataBlocked {
        /// The position.
        limit: u64,
    },
    /// Gives the peer a token for a path.
    NewToken(NewToken),
    /// Asks whether the peer is where this goes.
    PathChallenge([u8; CHALLENGE_LEN]),
    /// Says so, with the same bytes.
    PathResponse([u8; CHALLENGE_LEN]),
    /// Says whether to send on a path.
    PathStatus(PathStatus),
    /// Ends a path.
    PathAbandon(PathAbandon),
    /// Says where the peer is seen.
    ObservedAddress(ObservedAddress),
    /// Says where the sender may be reached.
    AddressOffer(AddressOffer),
    /// A type that we do not know, grease included: skipped, and acknowledged.
    Unknown {
        /// Its number.
        code: u64,
        /// Whatever it means.
        body: &'a [u8],
    },
}

/// What is wrong with a payload. It ends there, and so does the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("message type {message_type}: {fault}")]
pub struct FrameError {
    /// The type of the message, or 0 if that could not be read.
    pub message_type: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

impl FrameError {
    /// With which error the connection ends.
    pub const fn code(self) -> ConnectionCode {
        match self.fault {
            Fault::Empty | Fault::Encoding => ConnectionCode::Encoding,
            Fault::NotAllowed => ConnectionCode::Protocol,
        }
    }
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// There is none: a payload has at least one byte.
    #[error("the payload is empty")]
    Empty,
    /// It could not be decoded, or holds a value out of range.
    #[error("it could not be decoded")]
    Encoding,
    /// A packet like this must not hold it.
    #[error("a packet like this must not hold it")]
    NotAllowed,
}

/// The body of a message could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed;

impl From<WireError> for Malformed {
    fn from(_: WireError) -> Malformed {
        Malformed
    }
}

impl From<RangesError> for Malformed {
    fn from(_: RangesError) -> Malformed {
        Malformed
    }
}

impl<'a> Frame<'a> {
    /// Writes the message, or nothing when there is no room for all of it.
    #[inline]
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        if let Frame::Data(data) = self {
            return data.encode(writer);
        }
        self.encode_other(writer)
    }

    /// Apart from `encode`, so that this stays small enough to become part of its callers.
    #[inline(never)]
    fn encode_other(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        if writer.remaining() < self.encoded_len() {
            return Err(WireError::Full);
        }
        if let Frame::Padding { len } = *self {
            writer.take(len)?.fill(0);
            return Ok(());
        }
        writer.varint(self.message_type())?;
        writer.varint(self.body_len() as u64)?;
        match *self {
            Frame::Padding { .. } | Frame::Ping => Ok(()),
            Frame::Ack(ack) => ack.write_body(writer),
            Frame::Crypto(crypto) => crypto.write_body(writer),
            Frame::ConnectionClose(close) => close.write_body(writer),
            Frame::AckRate(rate) => rate.write_body(writer),
            Frame::ChannelNew(new) => new.write_body(writer),
            Frame::ChannelAccept(limit)
            | Frame::MaxChannelData(limit)
            | Frame::ChannelDataBlocked(limit) => limit.write_body(writer),
            Frame::ChannelClose(close) => close.write_body(writer),
            Frame::ChannelReset(reset) => reset.write_body(writer),
            Frame::MaxChannels { count } | Frame::ChannelsBlocked { count } => {
                writer.varint(u64::from(count))
            }
            Frame::Data(data) => data.write_body(writer),
            Frame::DataSkip(skip) => skip.write_body(writer),
            Frame::MaxData { limit } | Frame::DataBlocked { limit } => writer.varint(limit),
            Frame::NewToken(token) => token.write_body(writer),
            Frame::PathChallenge(bytes) | Frame::PathResponse(bytes) => writer.bytes(&bytes),
            Frame::PathStatus(status) => status.write_body(writer),
            Frame::PathAbandon(abandon) => abandon.write_body(writer),
            Frame::ObservedAddress(observed) => observed.write_body(writer),
            Frame::AddressOffer(offer) => offer.write_body(writer),
            Frame::Unknown { body, .. } => writer.bytes(body),
        }
    }

    /// Bytes that `encode` takes.
    #[inline]
    pub fn encoded_len(&self) -> usize {
        if let Frame::Padding { len } = *self {
            return len;
        }
        let body_len = self.body_len();
        encoded_len(self.message_type()) + encoded_len(body_len as u64) + body_len
    }

    fn body_len(&self) -> usize {
        match self {
            Frame::Padding { .. } | Frame::Ping => 0,
            Frame::Ack(ack) => ack.body_len(),
            Frame::Crypto(crypto) => crypto.body_len(),
            Frame::ConnectionClose(close) => close.body_len(),
            Frame::AckRate(rate) => rate.body_len(),
            Frame::ChannelNew(new) => new.body_len(),
            Frame::ChannelAccept(limit)
            | Frame::MaxChannelData(limit)
            | Frame::ChannelDataBlocked(limit) => limit.body_len(),
            Frame::ChannelClose(close) => close.body_len(),
            Frame::ChannelReset(reset) => reset.body_len(),
            Frame::MaxChannels { count } | Frame::ChannelsBlocked { count } => {
                encoded_len(u64::from(*count))
            }
            Frame::Data(data) => data.body_len(),
            Frame::DataSkip(skip) => skip.body_len(),
            Frame::MaxData { limit } | Frame::DataBlocked { limit } => encoded_len(*limit),
            Frame::NewToken(token) => token.body_len(),
            Frame::PathChallenge(_) | Frame::PathResponse(_) => CHALLENGE_LEN,
            Frame::PathStatus(status) => status.body_len(),
            Frame::PathAbandon(abandon) => abandon.body_len(),
            Frame::ObservedAddress(observed) => observed.body_len(),
            Frame::AddressOffer(offer) => offer.body_len(),
            Frame::Unknown { body, .. } => body.len(),
        }
    }

    /// Its type; None for one that we do not know.
    #[inline]
    pub const fn kind(&self) -> Option<Kind> {
        Some(match self {
            Frame::Padding { .. } => Kind::Padding,
            Frame::Ping => Kind::Ping,
            Frame::Ack(Ack { ecn: None, .. }) => Kind::Ack,
            Frame::Ack(Ack { ecn: Some(_), .. }) => Kind::AckEcn,
            Frame::Crypto(_) => Kind::Crypto,
            Frame::ConnectionClose(_) => Kind::ConnectionClose,
            Frame::AckRate(_) => Kind::AckRate,
            Frame::ChannelNew(_) => Kind::ChannelNew,
            Frame::ChannelAccept(_) => Kind::ChannelAccept,
            Frame::ChannelClose(_) => Kind::ChannelClose,
            Frame::ChannelReset(_) => Kind::ChannelReset,
            Frame::MaxChannels { .. } => Kind::MaxChannels,
            Frame::ChannelsBlocked { .. } => Kind::ChannelsBlocked,
            Frame::Data(_) => Kind::Data,
            Frame::DataSkip(_) => Kind::DataSkip,
            Frame::MaxChannelData(_) => Kind::MaxChannelData,
            Frame::MaxData { .. } => Kind::MaxData,
            Frame::ChannelDataBlocked(_) => Kind::ChannelDataBlocked,
            Frame::DataBlocked { .. } => Kind::DataBlocked,
            Frame::NewToken(_) => Kind::NewToken,
            Frame::PathChallenge(_) => Kind::PathChallenge,
            Frame::PathResponse(_) => Kind::PathResponse,
            Frame::PathStatus(_) => Kind::PathStatus,
            Frame::PathAbandon(_) => Kind::PathAbandon,
            Frame::ObservedAddress(_) => Kind::ObservedAddress,
            Frame::AddressOffer(_) => Kind::AddressOffer,
            Frame::Unknown { .. } => return None,
        })
    }

    /// The number that it begins with.
    #[inline]
    pub const fn message_type(&self) -> u64 {
        match (self.kind(), self) {
            (Some(kind), _) => kind.code(),
            (None, Frame::Unknown { code, .. }) => *code,
            (None, _) => 0,
        }
    }

    /// Whether a packet with it asks for an acknowledgement.
    #[inline]
    pub const fn asks(&self) -> Asks {
        match self.kind() {
            Some(kind) => kind.asks(),
            None => Asks::Yes,
        }
    }

    /// Whether a packet with it asks for an acknowledgement, at once or not.
    #[inline]
    pub const fn asks_for_ack(&self) -> bool {
        !matches!(self.asks(), Asks::No)
    }

    /// Whether a packet like this may hold it. Types that we do not know may be anywhere.
    #[inline]
    pub const fn is_allowed_at(&self, place: Place) -> bool {
        match self.kind() {
            Some(kind) => kind.is_allowed_at(place),
            None => true,
        }
    }
}

/// The messages of a payload, one after the other. It ends with the payload or its first error.
// spec: 8.1 form
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
    place: Place,
    is_empty: bool,
}

impl<'a> Frames<'a> {
    /// Starts at the front of the payload of a packet like this.
    #[inline]
    pub const fn new(place: Place, payload: &'a [u8]) -> Frames<'a> {
        Frames { rest: payload, place, is_empty: payload.is_empty() }
    }

    /// Bytes that are not part of a message returned so far; 0 after an error.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether a DATA comes next.
    #[inline]
    pub fn is_data(&self) -> bool {
        self.rest.first() == Some(&(Kind::Data as u8)) && Kind::Data.is_allowed_at(self.place)
    }

    /// The DATA that comes next, if it is one, as it should be, and wanted: most messages are, and
    /// take no part of what the others need.
    #[inline]
    pub fn next_data_if(&mut self, is_wanted: impl FnOnce(&Data<'a>) -> bool) -> Option<Data<'a>> {
        if !self.is_data() {
            return None;
        }
        let mut reader = Reader::new(&self.rest[1..]);
        let data = read_body(&mut reader, Data::read).ok().filter(is_wanted)?;
        self.rest = &self.rest[1 + reader.position()..];
        Some(data)
    }

    /// The DATA that comes next, as `next_data_if`, if it is all of a message, and those behind it
    /// that differ from it by their number alone, each one more than that before: together as many
    /// as `most` says. Small messages come so, and take a comparison each.
    #[inline]
    pub(crate) fn next_row_if(
        &mut self,
        is_wanted: impl FnOnce(&Data<'a>) -> bool,
        most: impl FnOnce(&Data<'a>) -> u64,
    ) -> Option<DataRow<'a>> {
        let before = self.rest;
        let data = self.next_data_if(is_wanted)?;
        let stride = before.len() - self.rest.len();
        let mut row = DataRow { first: data.bytes, stride, count: 1 };
        let head_len = stride - data.bytes.len();
        let is_whole = data.is_final && data.offset == 0;
        let Some(head) = head(before, head_len).filter(|_| is_whole) else {
            return Some(row);
        };
        // Within its last byte, a number is one more than that before it as its bytes are.
        let following = varint::GROUP_MASK - (head & varint::GROUP_MASK);
        let following = following.min(most(&data).saturating_sub(1));
        for (next, one) in (head + 1..=head + following).zip(self.rest.chunks_exact(stride)) {
            if self::head(one, head_len) != Some(next) {
                break;
            }
            row.count += 1;
        }
        self.rest = &self.rest[(row.count - 1) * stride..];
        Some(row)
    }

    /// Everything but DATA with a short length: apart from `next`, so that this stays small.
    #[inline(never)]
    fn next_other(&mut self) -> Option<Result<Frame<'a>, FrameError>> {
        if self.rest.is_empty() {
            let error = FrameError { message_type: 0, fault: Fault::Empty };
            return std::mem::take(&mut self.is_empty).then_some(Err(error));
        }
        let mut reader = Reader::new(self.rest);
        let parsed = read_frame(&mut reader, self.place);
        let used = if parsed.is_ok() { reader.position() } else { self.rest.len() };
        self.rest = &self.rest[used..];
        Some(parsed)
    }
}

/// DATA one behind the other, each all of a message, that differ by their number alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataRow<'a> {
    /// The first message.
    pub(crate) first: &'a [u8],
    /// Bytes from where one begins to where the next does.
    pub(crate) stride: usize,
    /// How many there are.
    pub(crate) count: usize,
}

/// What comes before the bytes of a DATA of `len` bytes besides them, as a number.
#[inline]
fn head(data: &[u8], len: usize) -> Option<u64> {
    let bytes = data.first_chunk().filter(|_| (1..=8).contains(&len))?;
    Some(u64::from_be_bytes(*bytes) >> (64 - 8 * len))
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    #[inline]
    fn next(&mut self) -> Option<Result<Frame<'a>, FrameError>> {
        match self.next_data_if(|_| true) {
            Some(data) => Some(Ok(Frame::Data(data))),
            None if self.rest.is_empty() && !self.is_empty => None,
            None => self.next_other(),
        }
    }
}

impl FusedIterator for Frames<'_> {}

/// Reads the message at the front of `reader`, which is not empty.
fn read_frame<'a>(reader: &mut Reader<'a>, place: Place) -> Result<Frame<'a>, FrameError> {
    let code = reader.varint();
    let code = code.map_err(|_| FrameError { message_type: 0, fault: Fault::Encoding })?;
    let malformed = |_| FrameError { message_type: code, fault: Fault::Encoding };
    let Some(kind) = Kind::from_code(code) else {
        let body = read_body(reader, |body| Ok(body.bytes(body.remaining())?));
        return Ok(Frame::Unknown { code, body: body.map_err(malformed)? });
    };
    if !kind.is_allowed_at(place) {
        return Err(FrameError { message_type: code, fault: Fault::NotAllowed });
    }
    if kind == Kind::Padding {
        let rest = reader.bytes(reader.remaining()).map_err(|_| malformed(Malformed))?;
        return Ok(Frame::Padding { len: 1 + rest.len() });
    }
    read_body(reader, |body| read_kind(kind, body)).map_err(malformed)
}

/// Reads a length, and with `read` all of a body that is so long.
#[inline(always)]
fn read_body<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    let len = usize::try_from(reader.varint()?).map_err(|_| Malformed)?;
    let mut body = Reader::new(reader.bytes(len)?);
    let value = read(&mut body)?;
    if body.remaining() > 0 { Err(Malformed) } else { Ok(value) }
}

/// Reads the body of a message of this type.
fn read_kind<'a>(kind: Kind, body: &mut Reader<'a>) -> Result<Frame<'a>, Malformed> {
    Ok(match kind {
        // The caller has seen to it: padding has no body.
        Kind::Padding => return Err(Malformed),
        Kind::Ping => Frame::Ping,
        Kind::Ack => Frame::Ack(Ack::read(body, false)?),
        Kind::AckEcn => Frame::Ack(Ack::read(body, true)?),
        Kind::Crypto => Frame::Crypto(Crypto::read(body)?),
        Kind::ConnectionClose => Frame::ConnectionClose(ConnectionClose::read(body)?),
        Kind::AckRate => Frame::AckRate(AckRate::read(body)?),
        Kind::ChannelNew => Frame::ChannelNew(ChannelNew::read(body)?),
        Kind::ChannelAccept => Frame::ChannelAccept(ChannelLimit::read(body)?),
        Kind::ChannelClose => Frame::ChannelClose(ChannelClose::read(body)?),
        Kind::ChannelReset => Frame::ChannelReset(ChannelReset::read(body)?),
        Kind::MaxChannels => Frame::MaxChannels { count: read_count(body)? },
        Kind::ChannelsBlocked => Frame::ChannelsBlocked { count: read_count(body)? },
        Kind::Data => Frame::Data(Data::read(body)?),
        Kind::DataSkip => Frame::DataSkip(DataSkip::read(body)?),
        Kind::MaxChannelData => Frame::MaxChannelData(ChannelLimit::read(body)?),
        Kind::MaxData => Frame::MaxData { limit: body.varint()? },
        Kind::ChannelDataBlocked => Frame::ChannelDataBlocked(ChannelLimit::read(body)?),
        Kind::DataBlocked => Frame::DataBlocked { limit: body.varint()? },
        Kind::NewToken => Frame::NewToken(NewToken::read(body)?),
        Kind::PathChallenge => Frame::PathChallenge(body.array()?),
        Kind::PathResponse => Frame::PathResponse(body.array()?),
        Kind::PathStatus => Frame::PathStatus(PathStatus::read(body)?),
        Kind::PathAbandon => Frame::PathAbandon(PathAbandon::read(body)?),
        Kind::ObservedAddress => Frame::ObservedAddress(ObservedAddress::read(body)?),
        Kind::AddressOffer => Frame::AddressOffer(AddressOffer::read(body)?),
    })
}

/// A count of channels.
// spec: 8.13 MAX_CHANNELS, CHANNELS_BLOCKED
fn read_count(reader: &mut Reader<'_>) -> Result<u32, Malformed> {
    let count = u32::try_from(reader.varint()?).map_err(|_| Malformed)?;
    if count > ChannelNumber::INDEXES_MAX { Err(Malformed) } else { Ok(count) }
}

#[inline]
fn read_path(reader: &mut Reader<'_>) -> Result<PathId, Malformed> {
    u32::try_from(reader.varint()?).map(PathId).map_err(|_| Malformed)
}

#[inline]
fn write_path(writer: &mut Writer<'_>, path: PathId) -> Result<(), WireError> {
    writer.varint(u64::from(path.0))
}

#[inline]
const fn path_len(path: PathId) -> usize {
    encoded_len(path.0 as u64)
}

/// Bytes of a message of this type with a body of `body_len`.
#[inline]
const fn frame_len(kind: Kind, body_len: usize) -> usize {
    encoded_len(kind.code()) + encoded_len(body_len as u64) + body_len
}

/// The largest body of a message, type below 128, that takes at most `room` bytes with its type and
/// length. None when there is no room for those.
#[inline]
const fn body_max(room: usize) -> Option<usize> {
    let mut len_len = 1;
    while len_len <= varint::LEN_MAX {
        let Some(body) = room.checked_sub(1 + len_len) else { return None };
        if encoded_len(body as u64) <= len_len {
            return Some(body);
        }
        len_len += 1;
    }
    None
}

#[cfg(test)]
mod tests;
