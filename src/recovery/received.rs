//! The numbers of one space that were received: which to acknowledge, and when.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::io::EcnMark;
use crate::time::Time;
use crate::wire::frame::EcnCounts;

use super::ecn;

/// What was received in one number space, newest ranges last.
#[derive(Debug)]
pub(crate) struct ReceivedNumbers {
    ranges: Vec<Range>,
    largest_at: Time,
    counts: EcnCounts,
    /// One ACK for that many packets that ask for one.
    packets: u32,
    /// An ACK waits no longer than that.
    delay: Duration,
    /// Packets that ask and were not acknowledged yet.
    waiting: u32,
    /// When the first of them has waited long enough.
    deadline: Option<Time>,
    is_due: bool,
    /// Whether anything came since the last ACK.
    is_news: bool,
    /// Whether CE came since the last ACK.
    is_marked: bool,
    /// The largest number when the last ACK was sent.
    told: Option<u64>,
}

/// Numbers received without a gap, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    last: u64,
}

/// A packet that was opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceivedPacket {
    /// Its number.
    pub(crate) number: u64,
    /// Its ECN bits.
    pub(crate) mark: EcnMark,
    /// Whether it asks for an acknowledgement.
    pub(crate) asks_for_ack: bool,
    /// Whether it asks for one at once (it holds PING).
    pub(crate) asks_at_once: bool,
}

impl ReceivedNumbers {
    /// A space that begins; `delay` is our own ack_delay_max (0 at the levels of a handshake).
    pub(crate) const fn new(delay: Duration) -> ReceivedNumbers {
        ReceivedNumbers {
            ranges: Vec::new(),
            largest_at: Time::ZERO,
            counts: EcnCounts { ect0: 0, ect1: 0, ce: 0 },
            packets: PACKETS,
            delay,
            waiting: 0,
            deadline: None,
            is_due: false,
            is_news: false,
            is_marked: false,
            told: None,
        }
    }

    /// The peer asks for one ACK per `packets`, or after `delay`, already cut to our maximum.
    // spec: 8.8 ACK_RATE
    pub(crate) fn set_rate(&mut self, packets: u32, delay: Duration) {
        self.packets = packets.max(1);
        self.delay = delay;
    }

    /// A packet was opened, and the replay window had not seen it.
    // spec: 13.3 acknowledging
    pub(crate) fn on_received(&mut self, now: Time, packet: &ReceivedPacket) {
        let is_first = self.ranges.is_empty();
        let prior_largest = self.largest();
        if !self.insert(packet.number) {
            return;
        }
        self.is_news = true;
        if prior_largest.is_none_or(|largest| packet.number > largest) {
            self.largest_at = now;
        }
        ecn::count(packet.mark, &mut self.counts);
        let is_newly_marked = packet.mark == EcnMark::Ce && !self.is_marked;
        self.is_marked |= is_newly_marked;
        if !packet.asks_for_ack {
            return;
        }
        self.waiting += 1;
        self.is_due |= is_first
            || packet.asks_at_once
            || is_newly_marked
            || self.waiting >= self.packets
            || self.delay.is_zero()
            || self.is_gap_news(packet.number);
        self.deadline = match (self.is_due, self.deadline) {
            (true, _) => None,
            (false, deadline) => deadline.or(Some(now + self.delay)),
        };
    }

    /// Whether an ACK is to be sent now, with other messages or alone.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.is_due || self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether an ACK would tell anything new: worth adding to a packet that leaves anyway.
    pub(crate) const fn has_news(&self) -> bool {
        self.is_news
    }

    /// When [`Self::handle_timeout`] wants to be called: an ACK will be due that is not due yet.
    // spec: 15.1 table
    pub(crate) const fn poll_timeout(&self) -> Option<Time> {
        self.deadline
    }

    /// Does what time asks for.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.is_due = self.is_due(now);
        if self.is_due {
            self.deadline = None;
        }
    }

    /// The largest number received.
    pub(crate) fn largest(&self) -> Option<u64> {
        self.ranges.last().map(|range| range.last)
    }

    /// How long ago that one came: the delay that an ACK tells.
    pub(crate) const fn delay(&self, now: Time) -> Duration {
        now.since(self.largest_at)
    }

    /// The ranges for an ACK, newest first; at most 64.
    pub(crate) fn ranges(&self) -> impl DoubleEndedIterator<Item = RangeInclusive<u64>> + Clone {
        self.ranges.iter().rev().map(|range| range.first..=range.last)
    }

    /// The marks seen so far; none while no packet had any: then plain ACK will do.
    pub(crate) fn counts(&self) -> Option<EcnCounts> {
        (self.counts != EcnCounts::default()).then_some(self.counts)
    }

    /// An ACK with all of this was put in a packet.
    pub(crate) fn on_ack_sent(&mut self) {
        self.told = self.largest();
        (self.waiting, self.deadline) = (0, None);
        (self.is_due, self.is_news, self.is_marked) = (false, false, false);
    }

    /// A packet of ours arrived whose ACK had told `largest`: the peer knows about that and all
    /// below.
    pub(crate) fn on_ack_acked(&mut self, largest: u64) {
        let known = self.ranges.partition_point(|range| range.last <= largest);
        // The newest range stays: it says where the numbers are.
        self.ranges.drain(..known.min(self.ranges.len().saturating_sub(1)));
        if self.ranges.len() <= RANGES_IDLE && self.ranges.capacity() > RANGES_IDLE * 4 {
            self.ranges.shrink_to(RANGES_IDLE);
        }
    }

    /// Adds a number; false if it was there, or is older than all that can be kept.
    fn insert(&mut self, number: u64) -> bool {
        if let Some(newest) = self.ranges.last_mut()
            && newest.last.checked_add(1) == Some(number)
        {
            newest.last = number;
            return true;
        }
        let above = self.ranges.partition_point(|range| range.last < number);
        if self.ranges.get(above).is_some_and(|range| range.first <= number) {
            return false;
        }
        let joins_above =
            self.ranges.get(above).is_some_and(|range| range.first.checked_sub(1) == Some(number));
        let below = above.checked_sub(1);
        let joins_below =
            below.is_some_and(|at| self.ranges[at].last.checked_add(1) == Some(number));
        match (below, joins_below, joins_above) {
            (Some(below), true, true) => {
                self.ranges[below].last = self.ranges[above].last;
                self.ranges.remove(above);
            }
            (Some(below), true, false) => self.ranges[below].last = number,
            (Some(_) | None, false, true) => self.ranges[above].first = number,
            (Some(_) | None, false, false) | (None, true, _) => {
                return self.insert_alone(above, number);
            }
        }
        true
    }

    fn insert_alone(&mut self, at: usize, number: u64) -> bool {
        let mut at = at;
        if self.ranges.len() == RANGES_MAX {
            if at == 0 {
                return false;
            }
            self.ranges.remove(0);
            at -= 1;
        }
        self.ranges.insert(at, Range { first: number, last: number });
        true
    }

    /// Whether `number`, just inserted, shows a gap that the peer can now take as a loss, or fills
    /// one that it may have taken so.
    fn is_gap_news(&self, number: u64) -> bool {
        // All that was missing up to there was told with enough packets above it.
        let settled = self.told.and_then(|told| told.checked_sub(PACKET_THRESHOLD));
        if self.largest() != Some(number) {
            return settled.is_some_and(|settled| number <= settled);
        }
        let Some(newest_judged) = number.checked_sub(PACKET_THRESHOLD) else { return false };
        let from = settled.map_or(0, |settled| settled + 1);
        from <= newest_judged && self.is_any_missing(from, newest_judged)
    }

    /// Whether a number of `first..=last` was not received.
    fn is_any_missing(&self, first: u64, last: u64) -> bool {
        let above = self.ranges.partition_point(|range| range.last < last);
        !self.ranges.get(above).is_some_and(|range| range.first <= first && last <= range.last)
    }
}

/// Packets for an ACK before the peer said otherwise.
const PACKETS: u32 = 2;

/// RFC 9002 6.1.1.
const PACKET_THRESHOLD: u64 = 3;

/// Ranges kept and sent at most.
// spec: 8.5 ACK
const RANGES_MAX: usize = 64;

/// Ranges that a quiet path has room for.
const RANGES_IDLE: usize = 4;

#[cfg(test)]
mod tests;
