//! Messages into packets, when these leave: what was lost first, then what is new.

use super::super::outbox::{Framing, HEADER_SIZE, Packet, TAG_SIZE};
use super::super::send::{Room, Sending};
use super::store::Head;
use super::{Backlog, CHARGE, Lost, Piece, WHOLE, charge};
use crate::config::BATCH_BYTES_MAX;
use crate::wire::frame::{Data, Frames, Place};
use crate::wire::{WireError, Writer, varint};

/// How packets are to be made.
pub(crate) struct Order<'a> {
    pub(crate) framing: Framing,
    /// What each begins with.
    pub(crate) lead: &'a [u8],
    /// Whether a message that fits a packet may be cut to fill one that has room for a part.
    pub(crate) may_split: bool,
    /// Charge that the connection's limit has room for.
    pub(crate) credit: u64,
    /// Packets at most, those in the output included.
    pub(crate) most: usize,
    /// Bytes that messages may hold in memory beyond which nothing new is begun.
    pub(crate) kept_max: usize,
    /// Padding that may be added so that packets of others can follow. 0: there are none.
    pub(crate) padding_max: usize,
}

/// Where packets go.
pub(crate) struct Output<'a> {
    pub(crate) buf: &'a mut Vec<u8>,
    pub(crate) packets: &'a mut Vec<Packet>,
    /// What they hold, one behind the other.
    pub(crate) pieces: &'a mut Vec<Piece>,
    /// Bytes of messages that were sent before.
    pub(crate) resent: u64,
}

/// Why no more was put into packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The packets are full, or as many as were wanted.
    Full,
    /// There was nothing more.
    Done,
    /// The channel's limit.
    Channel(Room),
    /// The connection's limit.
    Connection,
    /// Too much is kept until it is acknowledged.
    Kept,
}

/// The payload of one packet.
struct Payload<'a> {
    /// The packet without its tag.
    out: &'a mut [u8],
    at: usize,
}

impl Backlog {
    /// Puts messages into packets equal in size but for the last, behind those of the output, which
    /// are all equal.
    pub(crate) fn fill(
        &mut self,
        sending: &mut Sending,
        order: &Order<'_>,
        output: &mut Output<'_>,
    ) -> Stop {
        if sending.is_over_limit() {
            return Stop::Channel(sending.room(1));
        }
        let limit = sending.position().saturating_add(order.credit);
        let number_len = order.framing.number_len;
        let start = HEADER_SIZE + number_len;
        let mut stride = output.packets.first().map_or(order.framing.packet_size, |one| one.size);
        let mut used = output.packets.len() * stride;
        while output.packets.len() < order.most && used + stride <= BATCH_BYTES_MAX {
            if output.buf.len() < used + stride {
                output.buf.resize(used + stride, 0);
            }
            let before = output.pieces.len();
            let out = &mut output.buf[used..used + stride - TAG_SIZE];
            let mut payload = Payload { out, at: start };
            payload.write(order.lead);
            let stop = self.fill_packet(
                sending,
                order,
                limit,
                &mut payload,
                (output.pieces, &mut output.resent),
            );
            let pieces = output.pieces.len() - before;
            if pieces == 0 {
                return stop;
            }
            let end = payload.at;
            let mut size = end + TAG_SIZE;
            let is_first = output.packets.is_empty();
            // A little padding keeps packets equal.
            let is_near = match stop {
                Stop::Full => !is_first && stride - size <= order.padding_max.max(stride / 8),
                Stop::Done | Stop::Channel(_) | Stop::Connection | Stop::Kept => {
                    stride - size <= order.padding_max
                }
            };
            if is_near {
                payload.out[end..].fill(0);
                size = stride;
            }
            let has_lead = !order.lead.is_empty();
            let pieces = pieces as u16;
            let packet = Packet { size, end, number_len, has_lead, pieces, ..Packet::default() };
            output.packets.push(packet);
            if stop != Stop::Full || size < stride && !is_first {
                return stop;
            }
            stride = size;
            used += size;
        }
        Stop::Full
    }

    fn fill_packet(
        &mut self,
        sending: &mut Sending,
        order: &Order<'_>,
        limit: u64,
        payload: &mut Payload<'_>,
        (pieces, resent): (&mut Vec<Piece>, &mut u64),
    ) -> Stop {
        let from = pieces.len();
        while let Some(lost) = self.lost.front().copied() {
            match self.fill_lost(order, lost, payload, pieces, from) {
                Some(len) => *resent += u64::from(len),
                None => return Stop::Full,
            }
        }
        self.fill_whole(sending, order, limit, payload, (pieces, from));
        while let Some((whole, offset)) = self.next_new() {
            let is_new = offset == 0;
            if is_new && self.bytes - self.unsent > order.kept_max {
                return Stop::Kept;
            }
            let number = if is_new { sending.next() } else { sending.next() - 1 };
            let rest = whole - offset;
            let Some(len) = order.cut(payload, number, (offset, rest), true) else {
                return Stop::Full;
            };
            let head = if is_new { CHARGE } else { 0 };
            let len = match sending.grant(head, len, limit) {
                Ok(len) => len,
                Err(Room::Enough) => return Stop::Connection,
                Err(room @ (Room::None | Room::Unreported)) => return Stop::Channel(room),
            };
            if is_new {
                self.number_next(number);
                sending.begin(1);
            }
            sending.spend(u64::from(len + head));
            self.cut = offset + len;
            self.unsent -= (len + head) as usize;
            self.write(payload, number, self.numbered - 1, (offset, len), 0, (pieces, from));
        }
        Stop::Done
    }

    /// Puts new messages into the packet while they fit whole and nothing limits them: what most
    /// are. They lie behind their heads as the packet has them, and take one copy.
    fn fill_whole(
        &mut self,
        sending: &mut Sending,
        order: &Order<'_>,
        limit: u64,
        payload: &mut Payload<'_>,
        (pieces, from): (&mut Vec<Piece>, usize),
    ) {
        if self.is_begun() {
            return;
        }
        let kept = order.kept_max.saturating_add(1).saturating_sub(self.bytes - self.unsent) as u64;
        let (room, credit) = (payload.room(), sending.left(limit));
        let first = sending.next();
        let (mut number, mut len, mut spent, mut start) = (first, 0, 0, None);
        for message in self.messages.range_mut(self.numbered..) {
            let longer = len + usize::from(message.head) + message.len as usize;
            let cost = spent + charge(message.len) as u64;
            if message.head == 0 || longer > room || cost > credit || spent >= kept {
                break;
            }
            message.number = number;
            start.get_or_insert(message.start - u64::from(message.head));
            (number, len, spent) = (number + 1, longer, cost);
            self.cut = message.len;
        }
        self.numbered += (number - first) as usize;
        if self.numbered == self.messages.len()
            && let Some((one, begin)) = self.tail.message_len().zip(self.tail.begin())
        {
            let (stride, charge) = (self.tail.stride(), charge(one) as u64);
            let afforded = (credit - spent) / charge;
            let wanted = kept.saturating_sub(spent).div_ceil(charge);
            let fitting = (room - len) / stride;
            let count = fitting.min(afforded.min(wanted) as usize).min(self.tail.len());
            if count > 0 {
                // A packet is shorter than 2^16.
                self.messages.push_back(self.tail.take_row(count as u16, number));
                self.numbered += 1;
                start.get_or_insert(begin);
                number += count as u64;
                (len, spent) = (len + count * stride, spent + count as u64 * charge);
                self.cut = one;
            }
        }
        let Some(start) = start else { return };
        let out = payload.take(len);
        self.store.copy(start, out);
        debug_assert!(is_number_first(out, first), "the heads have the numbers");
        self.unsent -= spent as usize;
        sending.begin(number - first);
        sending.spend(spent);
        push_whole(pieces, from, first, (number - first) as u16, 0);
    }

    /// Puts something lost into the packet, or a part of it, and says how much; none when nothing
    /// of it fits.
    fn fill_lost(
        &mut self,
        order: &Order<'_>,
        lost: Lost,
        payload: &mut Payload<'_>,
        pieces: &mut Vec<Piece>,
        from: usize,
    ) -> Option<u32> {
        let Some(index) = self.live(lost.first) else {
            self.advance_lost(lost, WHOLE);
            return Some(0);
        };
        let message = self.messages[index];
        let (start, end) = self.gap(&message, lost.start, lost.end);
        if start >= end {
            // Acknowledged late.
            self.advance_lost(lost, WHOLE);
            return Some(0);
        }
        let (start, end) = self.widen(index, start, end);
        let is_end = end == message.len;
        let len = order.cut(payload, lost.first, (start, end - start), is_end)?;
        let number = lost.first;
        self.write(payload, number, index, (start, len), lost.resends, (pieces, from));
        self.advance_lost(lost, start + len);
        Some(len)
    }

    /// What is missing may be less than a piece must be, where copies were cut at other places than
    /// what they were copies of: then what is there beside it goes with it.
    // spec: 10.1 numbers and fragments
    fn widen(&self, index: usize, start: u32, end: u32) -> (u32, u32) {
        let (len, least) = (self.messages[index].len, Data::FRAGMENT_LEN_MIN as u32);
        if end == len || end - start >= least {
            return (start, end);
        }
        let start = end.saturating_sub(least);
        // What left of a message begins with a piece that is no crumb.
        (start, end.max((start + least).min(len)))
    }

    /// What is in front of the queue of lost pieces was sent up to `to`.
    fn advance_lost(&mut self, lost: Lost, to: u32) {
        let is_over =
            self.live(lost.first).is_none_or(|index| to >= lost.end.min(self.messages[index].len));
        self.lost.pop_front();
        if lost.count > 1 {
            let rest = Lost { first: lost.first + 1, count: lost.count - 1, start: 0, ..lost };
            self.lost.push_front(rest);
        }
        if !is_over {
            self.lost.push_front(Lost { start: to, count: 1, ..lost });
        }
    }

    /// Writes `part` (offset and length) of a message and notes it.
    #[inline]
    fn write(
        &self,
        payload: &mut Payload<'_>,
        number: u64,
        index: usize,
        part: (u32, u32),
        resends: u16,
        (pieces, from): (&mut Vec<Piece>, usize),
    ) {
        let message = &self.messages[index];
        let (offset, len) = part;
        let is_final = offset + len == message.len;
        let mut writer = Writer::new(&mut payload.out[payload.at..]);
        write_head(&mut writer, number, offset, is_final, len).expect("the caller cut it to fit");
        let at = payload.at + writer.position();
        payload.at = at + len as usize;
        let position = message.start_of(number) + u64::from(offset);
        self.store.copy(position, &mut payload.out[at..payload.at]);
        if offset != 0 || !is_final {
            // A packet is shorter than 2^16.
            let len = len as u16;
            return pieces.push(Piece::Part { number, offset, len, resends });
        }
        push_whole(pieces, from, number, 1, resends);
    }
}

/// Whether DATA that was written begins with this number.
fn is_number_first(data: &[u8], number: u64) -> bool {
    let first = Frames::new(Place::Short, data).next_data_if(|_| true);
    first.is_some_and(|data| data.number == number)
}

/// Notes whole messages in a row, joined with those before them in the packet if they follow.
#[inline]
fn push_whole(pieces: &mut Vec<Piece>, from: usize, number: u64, more: u16, resends: u16) {
    if let Some(Piece::Whole { first, count, resends: before }) = pieces[from..].last_mut()
        && *first + u64::from(*count) == number
        && *before == resends
    {
        *count += more;
        return;
    }
    pieces.push(Piece::Whole { first: number, count: more, resends });
}

impl Order<'_> {
    /// How much of `part` (offset and length) of message `number` goes into the packet; none when
    /// that has to wait for the next one. `is_end`: the message ends with it.
    // spec: 10.1 numbers and fragments
    #[inline]
    fn cut(
        &self,
        payload: &Payload<'_>,
        number: u64,
        (offset, rest): (u32, u32),
        is_end: bool,
    ) -> Option<u32> {
        let room = payload.room();
        let most = Data::len_max(number, u64::from(offset), room)?;
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        if rest <= most {
            return Some(rest);
        }
        let empty = self.framing.packet_size.checked_sub(self.framing.overhead())?;
        let empty = empty.checked_sub(self.lead.len())?;
        let fits_alone = Data::len_max(number, u64::from(offset), empty);
        let fits_alone = fits_alone.is_some_and(|max| rest as usize <= max);
        // Half a message is worth its trouble only when much would stay empty without.
        if fits_alone && !(self.may_split && room > self.framing.packet_size / SPLIT_ROOM) {
            return None;
        }
        let least = Data::FRAGMENT_LEN_MIN as u32;
        // A piece that does not end its message must leave one behind that is no crumb either.
        let most = if is_end { most } else { most.min(rest.checked_sub(least)?) };
        (most >= least).then_some(most)
    }
}

/// A packet with less than this part of it empty is full enough.
const SPLIT_ROOM: usize = 8;

impl Payload<'_> {
    fn room(&self) -> usize {
        self.out.len() - self.at
    }

    /// The next bytes; the caller knows that they are there.
    fn take(&mut self, len: usize) -> &mut [u8] {
        let at = self.at;
        self.at += len;
        &mut self.out[at..at + len]
    }

    fn write(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

/// Type and flags of DATA (8.14).
const DATA: u8 = 20;
const FINAL: u8 = 1;
const OFFSET: u8 = 1 << 1;

/// What comes before message `number` of `len` bytes in a packet that has room for all of it.
/// Nothing for one that no packet has room for, or that comes late: it is written when it leaves.
// spec: 8.14 DATA
#[inline]
pub(super) fn head_of(number: u64, len: usize) -> Head {
    if number >= varint::SHORT_END || len > WHOLE_MAX {
        return Head::default();
    }
    let (number, number_len) = varint::encode_short(number);
    let (body, body_len) = varint::encode_short((1 + number_len + len) as u64);
    let kind = u64::from(DATA) << (8 * body_len) | body;
    let head = (kind << 8 | u64::from(FINAL)) << (8 * number_len) | number;
    let len = 2 + body_len + number_len;
    Head { bytes: head << (8 * (Head::LEN_MAX - len)), len }
}

/// A message that is larger is sent in pieces, whatever the path.
const WHOLE_MAX: usize = 1 << 14;

/// Writes what of DATA comes before its bytes.
// spec: 8.14 DATA
#[inline]
fn write_head(
    writer: &mut Writer<'_>,
    number: u64,
    offset: u32,
    is_final: bool,
    len: u32,
) -> Result<(), WireError> {
    let offset = u64::from(offset);
    let offset_len = if offset > 0 { varint::encoded_len(offset) } else { 0 };
    let body = 1 + varint::encoded_len(number) + offset_len + len as usize;
    writer.u8(DATA)?;
    writer.varint(body as u64)?;
    writer.u8(if is_final { FINAL } else { 0 } | if offset > 0 { OFFSET } else { 0 })?;
    writer.varint(number)?;
    if offset > 0 { writer.varint(offset) } else { Ok(()) }
}
