//! Datagrams out: packets of several levels joined, padded and sealed, within the budget.
//! spec: 4.4 padding and joining

use std::ops::Range;

use rand_chacha::ChaCha12Rng;

use super::inbound::index;
use super::{Handshake, State};
use crate::id::{AttemptId, Level, Side};
use crate::time::Time;
use crate::wire::frame::{ConnectionClose, Frame, Reason, Source};
use crate::wire::long::{self, Cookie, DATAGRAM_SIZE, Kind, LongHeader};
use crate::wire::{TAG_LEN, Writer};

/// Long packets that make a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datagram {
    /// Bytes added to the buffer.
    pub(crate) len: usize,
    /// They have to become 1200 by a short packet with padding, for which there is room; only
    /// when the caller said that it joins one.
    pub(crate) must_fill: bool,
}

/// A datagram as it is put together: packets one after the other, not sealed yet.
struct Draft {
    bytes: [u8; DATAGRAM_SIZE],
    /// How much of it may be used.
    limit: usize,
    /// Packets of level 0, 2 and 1, in this order.
    parts: [Option<Part>; 3],
    end: usize,
}

/// One packet of a draft. Its tag's room is in its range.
#[derive(Debug, Clone)]
struct Part {
    level: Level,
    range: Range<usize>,
    number_offset: usize,
    number: u64,
    asks_for_ack: bool,
    is_padded: bool,
}

impl Handshake {
    /// Adds one datagram's long packets to `buf`, if any are to be sent; call it until it gives
    /// none. Then an initiator whose peer was accepted has its secrets made: there is an event.
    /// `joins`: the caller will add a short packet if there is room for one.
    pub(crate) fn poll_transmit(
        &mut self,
        rng: &mut ChaCha12Rng,
        now: Time,
        buf: &mut Vec<u8>,
        joins: bool,
    ) -> Option<Datagram> {
        let mut draft = Draft::new(self.budget.room().min(DATAGRAM_SIZE));
        match self.state {
            State::Over | State::Confirmed | State::Draining { .. } => return None,
            State::Closing(_) => self.draft_close(rng, &mut draft)?,
            State::HelloSent
            | State::Handshaking
            | State::HalfOpen
            | State::Deciding { .. }
            | State::Complete => self.draft_flight(rng, now, &mut draft),
        }
        if draft.end == 0 {
            self.finish_complete(now);
            return None;
        }
        let must_be_full = draft.parts[0]
            .as_ref()
            .is_some_and(|part| self.side == Side::Initiator || part.asks_for_ack);
        let must_fill = must_be_full && joins && DATAGRAM_SIZE - draft.end >= JOIN_LEN_MIN;
        if must_be_full && !must_fill {
            draft.pad();
        }
        self.seal(now, &mut draft);
        self.budget.on_sent(draft.end);
        buf.extend_from_slice(&draft.bytes[..draft.end]);
        Some(Datagram { len: draft.end, must_fill: must_fill && draft.end < DATAGRAM_SIZE })
    }

    /// Whether CRYPTO of level 1 may go: an initiator shows its key only to a checked responder.
    // spec: 7.1 overview
    pub(super) fn may_speak(&self) -> bool {
        self.side == Side::Responder || matches!(self.state, State::Complete)
    }

    fn draft_flight(&mut self, rng: &mut ChaCha12Rng, now: Time, draft: &mut Draft) {
        // A packet of level 0 that asks needs a whole datagram, for which there may be no budget.
        let is_whole = draft.limit == DATAGRAM_SIZE;
        self.draft_space(rng, now, Level::Initial, draft, is_whole);
        self.draft_early(draft);
        self.draft_space(rng, now, Level::Handshake, draft, true);
    }

    /// A packet of level 0 or 1, if it has something to say and there is room.
    fn draft_space(
        &mut self,
        rng: &mut ChaCha12Rng,
        now: Time,
        level: Level,
        draft: &mut Draft,
        may_ask: bool,
    ) {
        let may_speak = level == Level::Initial || self.may_speak();
        let header = self.header(Kind::Sealed(level));
        let space = &mut self.spaces[index(level)];
        if !space.is_waiting(now, may_ask, may_speak) {
            return;
        }
        let Some(room) = draft.begin(&header) else { return };
        let number = space.begin(rng);
        let mut writer = Writer::new(room);
        let asks_for_ack = space.fill(&mut writer, may_ask, may_speak);
        match writer.position() {
            0 => space.cancel(),
            len => draft.finish(level, &header, number, len, asks_for_ack),
        }
    }

    fn draft_early(&mut self, draft: &mut Draft) {
        if !self.is_first_flight() || !self.early.is_waiting() {
            return;
        }
        let header = self.header(Kind::Sealed(Level::Early));
        let Some(room) = draft.begin(&header) else { return };
        let Some(payload) = self.early.peek(room.len()) else { return };
        let len = payload.len();
        room[..len].copy_from_slice(payload);
        draft.finish(Level::Early, &header, 0, len, true);
    }

    /// The close, if it is due and within the budget.
    // spec: 14.3 levels of a close
    fn draft_close(&mut self, rng: &mut ChaCha12Rng, draft: &mut Draft) -> Option<()> {
        let State::Closing(closing) = &self.state else { return None };
        let is_whole = draft.limit == DATAGRAM_SIZE;
        let (level, code, is_due) = (closing.level, closing.code, closing.is_due);
        if !is_due {
            return None;
        }
        let header = self.header(Kind::Sealed(level));
        let room = draft.begin(&header)?;
        let mut writer = Writer::new(room);
        let close = ConnectionClose {
            source: Source::Protocol,
            code: code.code(),
            message_type: 0,
            reason: Reason::NONE,
        };
        Frame::ConnectionClose(close).encode(&mut writer).ok()?;
        let len = writer.position();
        let needs_whole = level == Level::Initial && self.side == Side::Initiator;
        if needs_whole && !is_whole {
            return None;
        }
        let number = self.spaces[index(level)].begin(rng);
        draft.finish(level, &header, number, len, false);
        Some(())
    }

    pub(super) fn header(&self, kind: Kind) -> LongHeader {
        let ids = &self.ids;
        let (sender, recipient): (AttemptId, AttemptId) = match self.side {
            Side::Initiator if self.is_bound => (ids.initiator, ids.responder),
            Side::Initiator => (ids.initiator, ids.original),
            Side::Responder => (ids.responder, ids.initiator),
        };
        let cookie = match kind {
            Kind::Sealed(Level::Initial | Level::Early) => self.cookies.current(),
            Kind::Sealed(Level::Handshake) | Kind::Cookie => Cookie::NONE,
        };
        LongHeader { kind, sender, recipient, cookie, size: 0 }
    }

    /// Seals every packet of the draft, and notes that it left.
    fn seal(&mut self, now: Time, draft: &mut Draft) {
        for part in draft.parts.iter().flatten() {
            let packet = &mut draft.bytes[part.range.clone()];
            long::set_size(packet);
            if part.level == Level::Early {
                self.early.seal(now, part.number_offset, packet);
                continue;
            }
            let size = packet.len();
            let space = &mut self.spaces[index(part.level)];
            if let Some(keys) = &space.keys {
                keys.local.seal(part.number, part.number_offset, packet);
            }
            space.finish(now, size, part.asks_for_ack, part.is_padded);
        }
        if self.side == Side::Initiator && draft.parts[2].is_some() {
            self.spaces[0].discard();
        }
        if let State::Closing(closing) = &mut self.state {
            closing.is_due = false;
            if closing.is_once {
                self.end();
            }
        }
    }
}

impl Draft {
    fn new(limit: usize) -> Draft {
        Draft { bytes: [0; DATAGRAM_SIZE], limit, parts: [const { None }; 3], end: 0 }
    }

    /// The room for the payload of a packet with this header, or None if there is none worth it.
    fn begin(&mut self, header: &LongHeader) -> Option<&mut [u8]> {
        let free = self.bytes.get_mut(self.end..self.limit)?;
        let payload = header.payload_offset();
        let room = free.len().checked_sub(payload + TAG_LEN)?;
        if room < PAYLOAD_LEN_MIN {
            return None;
        }
        Some(&mut free[payload..payload + room])
    }

    /// The payload is `len` bytes long.
    fn finish(
        &mut self,
        level: Level,
        header: &LongHeader,
        number: u64,
        len: usize,
        asks_for_ack: bool,
    ) {
        let start = self.end;
        header.write(&mut Writer::new(&mut self.bytes[start..])).expect("begin saw the room");
        self.end += header.payload_offset() + len + TAG_LEN;
        let place = match level {
            Level::Initial => 0,
            Level::Early => 1,
            Level::Handshake => 2,
        };
        let number_offset = header.number_offset();
        let range = start..self.end;
        let is_padded = false;
        self.parts[place] =
            Some(Part { level, range, number_offset, number, asks_for_ack, is_padded });
    }

    /// Fills the datagram: what is behind the last packet is zeros, and so is PADDING. Early data
    /// is moved behind it, as the responder keeps only so much of that.
    fn pad(&mut self) {
        if let [Some(initial), Some(early), None] = &mut self.parts {
            let added = DATAGRAM_SIZE - self.end;
            self.bytes.copy_within(early.range.clone(), early.range.start + added);
            self.bytes[early.range.start..][..added].fill(0);
            early.range = early.range.start + added..early.range.end + added;
            (initial.range.end, initial.is_padded) = (early.range.start, added > 0);
            self.end = DATAGRAM_SIZE;
            return;
        }
        if let Some(last) = self.parts.iter_mut().flatten().last() {
            last.is_padded = self.end < DATAGRAM_SIZE;
            (last.range.end, self.end) = (DATAGRAM_SIZE, DATAGRAM_SIZE);
        }
    }
}

/// A packet begins only where this much payload fits.
const PAYLOAD_LEN_MIN: usize = 64;

/// A short packet is joined where this many bytes are left: header, tag and something to say.
const JOIN_LEN_MIN: usize = 64;
