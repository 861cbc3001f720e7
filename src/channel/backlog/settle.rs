//! What becomes of messages: acknowledged piece by piece, lost, given up, too old.

use super::super::send::Sending;
use super::pack::head_of;
use super::store::Store;
use super::tail::Tail;
use super::{Backlog, Chunks, Lost, Message, Piece, Report, UNNUMBERED, WHOLE, charge};
use crate::error::Error;
use crate::time::Time;

/// What else changes when messages are settled.
pub(crate) struct Settling<'a> {
    pub(crate) sending: &'a mut Sending,
    pub(crate) reports: &'a mut Vec<Report>,
    pub(crate) chunks: &'a mut Chunks,
}

/// A row of messages that are settled together.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    first: u64,
    count: u32,
    charge: u64,
}

impl Backlog {
    /// A packet that held `piece` was acknowledged.
    // spec: 10.4 giving up
    #[inline]
    pub(crate) fn acknowledge(&mut self, piece: Piece, settling: &mut Settling<'_>) {
        match piece {
            Piece::Whole { first, count, .. } => self.acknowledge_row(first, count, settling),
            Piece::Part { number, offset, len, .. } => {
                let Some(index) = self.live_alone(number) else { return };
                if self.acknowledge_part(index, offset, offset + u32::from(len)) {
                    self.acknowledge_row(number, 1, settling);
                }
            }
        }
        self.pop_settled(settling);
    }

    fn acknowledge_row(&mut self, first: u64, count: u16, settling: &mut Settling<'_>) {
        if self.acknowledge_oldest(first, count, settling) {
            return;
        }
        let mut row = Row::default();
        let (mut number, end) = (first, first + u64::from(count));
        while number < end {
            let index = self.live(number).filter(|index| !self.is_cut(*index));
            let Some(index) = index else {
                // A late acknowledgement of what was sent again meanwhile.
                row.flush(settling);
                number += 1;
                continue;
            };
            let message = self.messages[index];
            let index = self.split(index, (number - message.number) as u16);
            self.split(index, (message.end().min(end) - number) as u16);
            self.messages[index].is_settled = true;
            if message.extra != 0 {
                self.report(index, None, settling.reports);
            }
            row.push(&self.messages[index]);
            number = self.messages[index].end();
        }
        row.flush(settling);
    }

    /// As `acknowledge_row`, of the oldest messages, if nobody asked for anything with them: what
    /// most are. Whether they were those.
    fn acknowledge_oldest(&mut self, first: u64, count: u16, settling: &mut Settling<'_>) -> bool {
        let end = first + u64::from(count);
        let (mut next, mut entries, mut bytes) = (first, 0, 0);
        for message in self.messages.range(..self.numbered) {
            let is_plain = !message.is_settled && message.extra == 0;
            if !is_plain || message.number != next || message.end() > end {
                break;
            }
            (next, entries, bytes) = (message.end(), entries + 1, bytes + message.charge());
            if next == end {
                break;
            }
        }
        if entries == 0 || next != end || self.is_cut(entries - 1) {
            return false;
        }
        for _ in 0..entries {
            self.messages.pop_front();
        }
        self.numbered -= entries;
        self.bytes -= bytes;
        settling.sending.acknowledge(first, u32::from(count), bytes as u64);
        true
    }

    /// Bytes of one message were acknowledged; whether that were the last ones.
    fn acknowledge_part(&mut self, index: usize, start: u32, end: u32) -> bool {
        let message = &mut self.messages[index];
        if start <= message.acked {
            message.acked = message.acked.max(end);
            if message.extra != 0 {
                let extra = self.extras.entry(&mut message.extra);
                message.acked = extra.ranges.absorb(message.acked);
            }
        } else {
            self.extras.entry(&mut message.extra).ranges.insert(start, end);
        }
        message.acked >= message.len
    }

    /// Whether part of a message did not leave yet.
    fn is_cut(&self, index: usize) -> bool {
        index + 1 == self.numbered && self.cut < self.messages[index].len
    }

    /// A packet that held `piece` was lost, and what of it is still missing goes again, before what
    /// is new. `resends`: how often it was sent again, with this time.
    // spec: 10.4 giving up
    pub(crate) fn resend(&mut self, piece: Piece, resends: u16) {
        match piece {
            Piece::Whole { first, count, .. } => {
                let (count, start, end) = (u32::from(count), 0, WHOLE);
                self.push_lost(Lost { first, count, start, end, resends });
            }
            Piece::Part { number, offset, len, .. } => {
                let Some(index) = self.live(number) else { return };
                let message = self.messages[index];
                let (mut start, end) = (offset, offset + u32::from(len));
                while start < end {
                    let gap = self.gap(&message, start, end);
                    if gap.0 < gap.1 {
                        let (first, count) = (number, 1);
                        self.push_lost(Lost { first, count, start: gap.0, end: gap.1, resends });
                    }
                    start = gap.1;
                }
            }
        }
    }

    fn push_lost(&mut self, lost: Lost) {
        if lost.count == 1 && self.live(lost.first).is_none() {
            return;
        }
        // What is lost together is sent together.
        if let Some(last) = self.lost.back_mut()
            && (last.end, lost.end) == (WHOLE, WHOLE)
            && last.resends == lost.resends
            && last.first + u64::from(last.count) == lost.first
        {
            last.count += lost.count;
            return;
        }
        self.lost.push_back(lost);
    }

    /// Gives up the messages of which `piece` is not acknowledged; how many that are.
    // spec: 10.4 giving up
    pub(crate) fn give_up(&mut self, piece: Piece, settling: &mut Settling<'_>) -> u64 {
        let mut given_up = 0;
        match piece {
            Piece::Whole { first, count, .. } => {
                for number in first..first + u64::from(count) {
                    let Some(index) = self.live_alone(number) else { continue };
                    self.give_up_one(index, Error::Lost, settling);
                    given_up += 1;
                }
            }
            Piece::Part { number, offset, len, .. } => {
                if let Some(index) = self.live_alone(number) {
                    let gap = self.gap(&self.messages[index], offset, offset + u32::from(len));
                    if gap.0 < gap.1 {
                        self.give_up_one(index, Error::Lost, settling);
                        given_up += 1;
                    }
                }
            }
        }
        self.pop_settled(settling);
        given_up
    }

    /// A numbered message, alone in its entry, will not be delivered as far as we care: what did
    /// not leave of it never will, and costs nothing.
    // spec: 11.1 charge
    fn give_up_one(&mut self, index: usize, reason: Error, settling: &mut Settling<'_>) {
        if self.is_cut(index) {
            let unsent = (self.messages[index].len - self.cut) as usize;
            self.messages[index].len = self.cut;
            self.unsent -= unsent;
            self.bytes -= unsent;
        }
        let message = &mut self.messages[index];
        message.is_settled = true;
        settling.sending.give_up(message.number, 1, message.charge() as u64);
        self.report(index, Some(reason), settling.reports);
    }

    /// Gives up, or drops before they left, the messages whose time is over. Those that left stay
    /// without `may_give_up`.
    // spec: 10.4 giving up
    pub(crate) fn expire(
        &mut self,
        now: Time,
        may_give_up: bool,
        settling: &mut Settling<'_>,
    ) -> Expired {
        let mut expired = Expired::default();
        for index in 0..self.messages.len() {
            if self.expiring == 0 {
                break;
            }
            let message = self.messages[index];
            let extra = self.extras.get(message.extra);
            let expires = extra.and_then(|extra| extra.ask.expires);
            let is_numbered = index < self.numbered;
            match expires.filter(|_| !message.is_settled && (may_give_up || !is_numbered)) {
                Some(at) if at > now => {
                    expired.next = Some(expired.next.map_or(at, |next| next.min(at)));
                }
                Some(_) if is_numbered => {
                    self.give_up_one(index, Error::Expired, settling);
                    expired.given_up += 1;
                }
                Some(_) => {
                    self.discard(index, Error::Expired, settling.reports);
                    expired.discarded += 1;
                }
                None => {}
            }
        }
        self.drop_discarded(expired.discarded, settling);
        self.pop_settled(settling);
        expired
    }

    /// Drops messages that were not begun and are longer than the peer takes; how many.
    pub(crate) fn discard_larger(&mut self, most: u64, settling: &mut Settling<'_>) -> u64 {
        let mut discarded = 0;
        self.list_tail(usize::MAX);
        for index in self.numbered..self.messages.len() {
            if u64::from(self.messages[index].len) > most {
                self.discard(index, Error::TooLarge, settling.reports);
                discarded += 1;
            }
        }
        self.drop_discarded(discarded, settling);
        self.pop_settled(settling);
        discarded
    }

    /// A message without a number goes, and takes none; `drop_discarded` follows.
    // spec: 10.1 numbers and fragments
    fn discard(&mut self, index: usize, reason: Error, reports: &mut Vec<Report>) {
        self.report(index, Some(reason), reports);
        let message = &mut self.messages[index];
        message.is_settled = true;
        self.bytes -= charge(message.len);
        self.unsent -= charge(message.len);
    }

    /// Takes out what was discarded, all at once: one by one would move the rest as often. What is
    /// behind it gets lower numbers.
    fn drop_discarded(&mut self, discarded: u64, settling: &mut Settling<'_>) {
        if discarded == 0 {
            return;
        }
        let (mut index, numbered) = (0, self.numbered);
        self.messages.retain(|message| {
            index += 1;
            index <= numbered || !message.is_settled
        });
        self.compact(settling);
    }

    /// Tells what became of a message, if that was asked for, and frees its extra.
    fn report(&mut self, index: usize, reason: Option<Error>, reports: &mut Vec<Report>) {
        let extra = std::mem::take(&mut self.messages[index].extra);
        let ask = self.extras.remove(extra);
        self.expiring -= u32::from(ask.expires.is_some());
        reports.extend(ask.report.map(|context| Report { context, reason }));
    }

    /// Drops everything; what was not settled is reported as lost for `reason`.
    pub(crate) fn clear(&mut self, reason: Error, reports: &mut Vec<Report>, chunks: &mut Chunks) {
        for index in 0..self.messages.len() {
            self.report(index, Some(reason), reports);
        }
        self.messages.clear();
        self.tail = Tail::default();
        self.lost.clear();
        (self.numbered, self.bytes, self.unsent, self.cut) = (0, 0, 0, 0);
        self.store.release(self.store.end(), chunks);
    }

    /// Forgets settled messages at the front, and their bytes.
    #[inline]
    fn pop_settled(&mut self, settling: &mut Settling<'_>) {
        while self.numbered > 0 && self.messages[0].is_settled {
            let Some(message) = self.messages.pop_front() else { break };
            self.bytes -= message.charge();
            self.numbered -= 1;
        }
        let front = self.messages.front();
        let needed = front.map(|front| front.start - u64::from(front.head)).or(self.tail.begin());
        if self.numbered == 0 {
            self.lost.clear();
        }
        self.store.release(needed.unwrap_or(self.store.end()), settling.chunks);
        if self.store.len() > 2 * self.bytes + STORE_SLACK {
            self.compact(settling);
        }
    }

    /// Moves the bytes together, as most between them are of messages that never left, and writes
    /// the heads anew.
    #[cold]
    fn compact(&mut self, settling: &mut Settling<'_>) {
        self.list_tail(usize::MAX);
        let (mut compact, mut bytes) = (Store::default(), Vec::new());
        let mut next = settling.sending.next();
        for message in &mut self.messages {
            let number = if message.number == UNNUMBERED { next } else { message.number };
            next += u64::from(message.number == UNNUMBERED);
            bytes.resize(message.len as usize, 0);
            let head = head_of(number, bytes.len());
            let stride = u64::from(message.head) + u64::from(message.len);
            let mut start = None;
            for nth in 0..u64::from(message.count) {
                self.store.copy(message.start + nth * stride, &mut bytes);
                let head = head_of(number + nth, bytes.len());
                start.get_or_insert(compact.push(head, &bytes, settling.chunks));
            }
            message.head = head.len as u8;
            message.start = start.unwrap_or_default();
        }
        self.store.release(self.store.end(), settling.chunks);
        self.store = compact;
    }
}

/// Bytes that a store may hold beyond twice what its messages are charged.
const STORE_SLACK: usize = 32 << 10;

/// What became too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Expired {
    /// Messages that had a number.
    pub(crate) given_up: u64,
    /// Messages of which nothing was sent.
    pub(crate) discarded: u64,
    /// When the next one is.
    pub(crate) next: Option<Time>,
}

impl Row {
    #[inline]
    fn push(&mut self, message: &Message) {
        if self.count == 0 {
            self.first = message.number;
        }
        self.count += u32::from(message.count);
        self.charge += message.charge() as u64;
    }

    #[inline]
    fn flush(&mut self, settling: &mut Settling<'_>) {
        if self.count != 0 {
            settling.sending.acknowledge(self.first, self.count, self.charge);
        }
        *self = Row::default();
    }
}
