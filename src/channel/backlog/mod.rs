//! Messages of a channel that wait to be sent, or, once sent, for their fate.
//!
//! Messages that have a number are entries of a ring indexed by it; behind them wait those that
//! have none yet. The bytes of both lie in one queue of chunks and are put into packets when these
//! leave. What was lost and goes again is a queue of its own, by message and place in it.

mod pack;
mod ranges;
mod settle;
mod store;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::iter::Peekable;

pub(crate) use pack::{Order, Output, Stop};
pub(crate) use settle::Settling;
pub(crate) use store::Chunks;

use super::outbox::CHARGE;
use crate::error::Error;
use crate::time::Time;
use ranges::Ranges;
use store::Store;
use tail::Tail;

/// Messages to be sent, and those sent whose fate matters.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    store: Store,
    /// By rising number, behind them those that have none yet.
    messages: VecDeque<Message>,
    /// Messages behind those, without a number, that need no entry each.
    tail: Tail,
    /// Entries that have a number.
    numbered: usize,
    /// Bytes of the last numbered message that left.
    cut: u32,
    /// What goes again.
    lost: VecDeque<Lost>,
    extras: Extras,
    /// Charge of all messages here.
    bytes: usize,
    /// Charge of what did not leave yet.
    unsent: usize,
    /// Messages that have a lifetime.
    expiring: u32,
}

/// One message; or several of one size that left in one packet, each with the next number, and of
/// which nothing else is to be told.
#[derive(Debug, Clone, Copy)]
struct Message {
    /// `UNNUMBERED` before it is begun.
    number: u64,
    /// Where its bytes are in the store.
    start: u64,
    len: u32,
    count: u16,
    /// Bytes before them that precede it in a packet, if it has no number yet. 0: it fits none.
    head: u8,
    /// Its bytes below that were acknowledged.
    acked: u32,
    /// What few messages have; see `Extras`.
    extra: u32,
    /// Delivered or given up.
    is_settled: bool,
}

/// In place of a number that is still to come.
const UNNUMBERED: u64 = u64::MAX;

/// Something that goes again.
#[derive(Debug, Clone, Copy)]
struct Lost {
    /// The message, or the first of some in a row.
    first: u64,
    count: u32,
    /// Which part of it; of several, all.
    start: u32,
    end: u32,
    /// How often it will then have been sent again.
    resends: u16,
}

/// The end of a message, wherever that is.
const WHOLE: u32 = u32::MAX;

/// What of messages a packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Whole messages in a row.
    Whole { first: u64, count: u16, resends: u16 },
    /// Bytes of one.
    Part { number: u64, offset: u32, len: u16, resends: u16 },
}

impl Piece {
    /// In place of how often it was sent: a copy of something that is still out. Whether it arrives
    /// matters, whether it is lost does not.
    pub(crate) const COPY: u16 = u16::MAX;

    /// How often it had been sent before.
    pub(crate) fn resends(&self) -> u16 {
        match *self {
            Piece::Whole { resends, .. } | Piece::Part { resends, .. } => resends,
        }
    }
}

/// What the application asks for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ask {
    /// From when on it is worth nothing.
    pub(crate) expires: Option<Time>,
    /// The number to report its fate with.
    pub(crate) report: Option<u64>,
}

impl Ask {
    /// Whether anything is asked.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.expires.is_some() || self.report.is_some()
    }
}

/// The fate of a message whose sender asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) context: u64,
    /// Why it was lost; none when it was delivered.
    pub(crate) reason: Option<Error>,
}

/// What few messages have: wishes of the application, acknowledgements out of order.
#[derive(Debug, Default)]
struct Extra {
    ask: Ask,
    /// Acknowledged, apart from `Message::acked`.
    ranges: Ranges,
}

/// Their slots. Message 0's would be 1: 0 is none.
#[derive(Debug, Default)]
struct Extras {
    slots: Vec<Extra>,
    free: Vec<u32>,
}

impl Extras {
    fn get(&self, extra: u32) -> Option<&Extra> {
        self.slots.get(extra.checked_sub(1)? as usize)
    }

    /// The message's, made if it has none.
    fn entry(&mut self, extra: &mut u32) -> &mut Extra {
        if *extra == 0 {
            *extra = self.free.pop().unwrap_or_else(|| {
                self.slots.push(Extra::default());
                self.slots.len() as u32
            });
        }
        &mut self.slots[*extra as usize - 1]
    }

    fn remove(&mut self, extra: u32) -> Ask {
        let Some(slot) = extra.checked_sub(1) else { return Ask::default() };
        let slot = &mut self.slots[slot as usize];
        slot.ranges.clear();
        self.free.push(extra);
        std::mem::take(&mut slot.ask)
    }
}

/// Backlogs that ran empty, for the next channel that needs one: the steady state allocates
/// nothing, and a channel keeps no memory for what it once held.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "the boxes move between here and channels without a copy")]
pub(crate) struct SpareBacklogs(Vec<Box<Backlog>>);

impl SpareBacklogs {
    /// Most that are kept.
    const COUNT_MAX: usize = 64;

    /// Entries of one that is not kept when it runs empty.
    const ENTRIES_MAX: usize = 16 << 10;

    pub(crate) fn take(&mut self) -> Box<Backlog> {
        self.0.pop().unwrap_or_default()
    }

    /// Takes the backlog of a channel back if it is empty.
    pub(crate) fn put(&mut self, backlog: &mut Option<Box<Backlog>>) {
        let Some(empty) = backlog.take_if(|backlog| backlog.is_empty()) else { return };
        let is_small = empty.messages.capacity() <= SpareBacklogs::ENTRIES_MAX
            && empty.extras.slots.len() <= SpareBacklogs::ENTRIES_MAX;
        if is_small && self.0.len() < SpareBacklogs::COUNT_MAX {
            self.0.push(empty);
        }
    }
}

impl Backlog {
    /// Takes a message in, to be sent behind the others. `next` is the channel's next number.
    pub(crate) fn push(&mut self, message: &[u8], ask: Ask, next: u64, chunks: &mut Chunks) {
        let len = u32::try_from(message.len()).expect("the caller bounds messages");
        let head = pack::head_of(next + self.unsent_messages() as u64, message.len());
        let start = self.store.push(head, message, chunks);
        self.bytes += charge(len);
        self.unsent += charge(len);
        if head.len != 0 && !ask.is_some() {
            if !self.tail.extend(len, head) {
                self.list_tail(usize::MAX);
                self.tail = Tail::new(start, len, head);
            }
            return;
        }
        self.list_tail(usize::MAX);
        let mut extra = 0;
        if ask.is_some() {
            self.extras.entry(&mut extra).ask = ask;
            self.expiring += u32::from(ask.expires.is_some());
        }
        let message = Message { extra, ..Message::new(start, len, head.len) };
        self.messages.push_back(message);
    }

    /// As `push`, of messages for which nothing is asked, while they are like the one before and
    /// simply follow it, and `most` bytes of charge have room for them. How many were so, and how
    /// long each is.
    #[inline]
    pub(crate) fn push_alike<'a>(
        &mut self,
        messages: &mut Peekable<impl Iterator<Item = &'a [u8]>>,
        most: usize,
    ) -> (usize, usize) {
        let len = self.tail.message_len().unwrap_or(0);
        let (charge, mut count) = (charge(len), self.tail.followers());
        if count * charge > most {
            count = most / charge;
        }
        let (head, len) = (self.tail.next_head(), len as usize);
        let count = self.store.push_alike(head, len, messages, count);
        self.tail.grow(count);
        self.bytes += count * charge;
        self.unsent += count * charge;
        (count, len)
    }

    /// Gives entries to the first messages of the tail, up to so many.
    fn list_tail(&mut self, most: usize) {
        self.messages.extend(self.tail.take(most));
    }

    /// The oldest message that waits leaves as number `number`, in a packet of somebody else's.
    pub(crate) fn leave(&mut self, number: u64) {
        let Some(len) = self.number_next(number) else { return };
        self.cut = len;
        self.unsent -= charge(len);
    }

    /// Gives the oldest message without one its number; how long the message is.
    fn number_next(&mut self, number: u64) -> Option<u32> {
        if self.numbered == self.messages.len() {
            self.list_tail(1);
        }
        let next = self.messages.get_mut(self.numbered)?;
        next.number = number;
        self.numbered += 1;
        self.cut = 0;
        Some(next.len)
    }

    /// Whether some of its messages did not leave yet, or not all of one.
    pub(crate) fn has_unsent(&self) -> bool {
        self.unsent != 0
    }

    /// Whether something goes again.
    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether there is something to put into packets.
    pub(crate) fn wants_to_send(&self) -> bool {
        self.unsent != 0 || !self.lost.is_empty()
    }

    /// Whether it holds nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.tail.is_empty()
    }

    /// Charge of all messages in it: what it holds of the node's memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Charge of what was not sent yet.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.unsent
    }

    /// Messages that were not begun.
    pub(crate) fn unsent_messages(&self) -> usize {
        self.messages.len() - self.numbered + self.tail.len()
    }

    /// When the first message ends that has a lifetime.
    pub(crate) fn next_expiry(&self) -> Option<Time> {
        let extras = self.messages.iter().filter_map(|message| self.extras.get(message.extra));
        extras.filter_map(|extra| extra.ask.expires).min()
    }

    /// Whether the last numbered message left in part.
    fn is_begun(&self) -> bool {
        let last = self.numbered.checked_sub(1);
        last.is_some_and(|last| self.cut < self.messages[last].len)
    }

    /// The message that goes on next: how long it is, and what of it left.
    fn next_new(&self) -> Option<(u32, u32)> {
        if self.is_begun() {
            return Some((self.messages[self.numbered - 1].len, self.cut));
        }
        match self.messages.get(self.numbered) {
            Some(message) => Some((message.len, 0)),
            None => self.tail.message_len().map(|len| (len, 0)),
        }
    }

    /// Which entry has a numbered message, unless it is settled.
    fn live(&self, number: u64) -> Option<usize> {
        let behind = self.messages.partition_point(|message| message.number <= number);
        let index = behind.checked_sub(1)?;
        let message = &self.messages[index];
        let is_live = index < self.numbered && !message.is_settled && number < message.end();
        is_live.then_some(index)
    }

    /// As `live`; the entry is then that message's alone.
    fn live_alone(&mut self, number: u64) -> Option<usize> {
        let index = self.live(number)?;
        let before = (number - self.messages[index].number) as u16;
        let index = self.split(index, before);
        self.split(index, 1);
        Some(index)
    }

    /// Gives the first `count` messages of an entry one of their own. Which one has the others, or
    /// has them all.
    fn split(&mut self, index: usize, count: u16) -> usize {
        let whole = self.messages[index];
        if count == 0 || count >= whole.count {
            return index;
        }
        let other = Message {
            number: whole.number + u64::from(count),
            start: whole.start_of(whole.number + u64::from(count)),
            count: whole.count - count,
            ..whole
        };
        self.messages[index].count = count;
        self.messages.insert(index + 1, other);
        self.numbered += 1;
        index + 1
    }

    /// The first part of `start..end` of a message that was not acknowledged.
    fn gap(&self, message: &Message, start: u32, end: u32) -> (u32, u32) {
        let start = start.max(message.acked);
        let end = end.min(message.len);
        match self.extras.get(message.extra) {
            Some(extra) if start < end => extra.ranges.first_gap(start, end),
            Some(_) | None => (start.min(end), end),
        }
    }
}

impl Message {
    /// One without a number.
    fn new(start: u64, len: u32, head: usize) -> Message {
        Message {
            number: UNNUMBERED,
            start,
            len,
            count: 1,
            head: head as u8,
            acked: 0,
            extra: 0,
            is_settled: false,
        }
    }

    /// The number behind its last.
    fn end(&self) -> u64 {
        self.number + u64::from(self.count)
    }

    /// Where the bytes of message `number` of them are.
    fn start_of(&self, number: u64) -> u64 {
        let stride = u64::from(self.head) + u64::from(self.len);
        self.start + (number - self.number) * stride
    }

    /// What they are charged, all together.
    fn charge(&self) -> usize {
        usize::from(self.count) * charge(self.len)
    }
}

// spec: 11.1 charge
fn charge(len: u32) -> usize {
    len as usize + CHARGE as usize
}
