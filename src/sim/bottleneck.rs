//! One direction of a link as it runs: policer, queue, wire, and what else befalls a datagram.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::codel::{CoDelState, Verdict};
use super::link::{Cross, Ecn, Link, span_of};
use super::network::Counters;
use super::random::Random;
use crate::time::Time;

/// A datagram on its way, and what befalls it: all is drawn as it enters.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) source: SocketAddr,
    pub(super) receiver: SocketAddr,
    pub(super) bytes: Vec<u8>,
    pub(super) ecn: Ecn,
    is_lost: bool,
    is_late: bool,
    /// The bit that is flipped.
    flip: Option<u64>,
    /// How long after the first copy the second arrives.
    again: Option<Duration>,
    jitter: Duration,
}

/// A datagram that has left the link; where and when it arrives.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) at: Time,
    pub(super) again: Option<Time>,
    pub(super) parcel: Parcel,
}

/// Why a datagram did not enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// No room in the queue, or over the policer's rate.
    Full,
    /// Larger than the link takes.
    TooLarge,
    /// The link is dead.
    Dead,
}

/// One direction of a link as it runs.
#[derive(Debug)]
pub(super) struct Bottleneck {
    pub(super) link: Link,
    pub(super) counters: Counters,
    /// Whether the network knows when to come back to it.
    pub(super) is_noted: bool,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// How much of what waits is not of others.
    waiting_own: usize,
    /// When the last byte on the wire has left.
    free_at: Time,
    /// The latest arrival so far of what was not reordered: jitter alone keeps the order.
    last_arrival: Time,
    /// Whether a burst of loss is going on.
    is_bad: bool,
    codel: CoDelState,
    /// When others send next, if that is after `done_until`.
    cross_at: Time,
    /// All that happened by then is done.
    done_until: Time,
    /// What the policer lets through at `refilled`, in billionths of a byte.
    tokens: u128,
    refilled: Option<Time>,
    history: Option<History>,
}

#[derive(Debug)]
struct Waiting {
    since: Time,
    /// Headers included.
    len: usize,
    /// None: of others.
    parcel: Option<Parcel>,
}

/// How many bytes waited when, at most one entry each `every`.
#[derive(Debug)]
struct History {
    every: Duration,
    entries: Vec<(Time, usize)>,
}

impl Parcel {
    /// Draws what befalls a datagram. All draws come always: the fate of one does not shift the
    /// others'.
    pub(super) fn new(
        addresses: (SocketAddr, SocketAddr),
        bytes: &[u8],
        ecn: Ecn,
        link: &mut Bottleneck,
        random: &mut Random,
    ) -> Parcel {
        let (source, receiver) = addresses;
        let Bottleneck { link, is_bad, .. } = link;
        let mut is_lost = random.chance(link.loss);
        let again = random.chance(link.duplicate);
        let is_late = random.chance(link.reorder);
        let flip = random.chance(link.corrupt);
        let bit = random.below(bytes.len() as u64 * 8);
        let jitter = random.span(link.jitter);
        let second_jitter = random.span(link.jitter);
        if let Some(bursts) = link.bursts {
            let turns = random.chance(if *is_bad { bursts.end } else { bursts.begin });
            *is_bad ^= turns;
            is_lost |= random.chance(bursts.loss) && *is_bad;
        }
        let flip = (flip && !bytes.is_empty()).then_some(bit);
        let (bytes, again) = (bytes.to_vec(), again.then_some(second_jitter));
        Parcel { source, receiver, bytes, ecn, is_lost, is_late, flip, again, jitter }
    }
}

impl Bottleneck {
    pub(super) fn new(link: Link) -> Bottleneck {
        Bottleneck {
            link,
            counters: Counters::default(),
            is_noted: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            waiting_own: 0,
            free_at: Time::ZERO,
            last_arrival: Time::ZERO,
            is_bad: false,
            codel: CoDelState::default(),
            cross_at: Time::ZERO,
            done_until: Time::ZERO,
            tokens: 0,
            refilled: None,
            history: None,
        }
    }

    /// Writes down from now on how many bytes wait, at most once each `every`.
    pub(super) fn record(&mut self, every: Duration) {
        self.history = Some(History { every, entries: Vec::new() });
    }

    /// What was written down.
    pub(super) fn history(&self) -> &[(Time, usize)] {
        self.history.as_ref().map_or(&[], |history| &history.entries)
    }

    /// Bytes that wait, headers included, those of others too.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Lets a datagram enter at `now`. What leaves at once, or left meanwhile, is added to `out`.
    pub(super) fn enter(
        &mut self,
        now: Time,
        parcel: Parcel,
        headers: usize,
        out: &mut Vec<Left>,
    ) -> Result<(), Refused> {
        self.advance(now, out);
        self.counters.sent += 1;
        self.counters.sent_bytes += parcel.bytes.len() as u64;
        let len = parcel.bytes.len() + headers;
        if parcel.bytes.len() > self.link.mtu {
            self.counters.too_large += 1;
            return Err(Refused::TooLarge);
        }
        if self.link.is_dead(now) {
            self.counters.vanished += 1;
            return Err(Refused::Dead);
        }
        if !self.is_policed(now, len) || !self.push(now, len, Some(parcel)) {
            self.counters.queue_full += 1;
            return Err(Refused::Full);
        }
        self.advance(now, out);
        Ok(())
    }

    /// When something leaves the queue next; none while nothing of our own waits.
    pub(super) fn next_time(&self) -> Option<Time> {
        (self.waiting_own > 0).then_some(self.free_at)
    }

    /// Does what has happened by `now`, in its order.
    pub(super) fn advance(&mut self, now: Time, out: &mut Vec<Left>) {
        loop {
            let leaves = self.waiting.front().map(|next| self.free_at.max(next.since));
            let leaves = leaves.filter(|&at| at <= now);
            let cross_at = self.cross_at.max(self.done_until);
            let cross = self.link.cross.map(|cross| (cross.next_on(cross_at), cross));
            match (leaves, cross.filter(|&(at, _)| at <= now)) {
                (Some(at), Some((others_at, _))) if at <= others_at => self.leave(at, out),
                (Some(at), None) => self.leave(at, out),
                (_, Some((at, cross))) => self.cross(at, &cross),
                (None, None) => break,
            }
        }
        self.done_until = now;
    }

    /// Others send one datagram.
    fn cross(&mut self, at: Time, cross: &Cross) {
        if !self.push(at, cross.datagram, None) {
            self.counters.cross_dropped += 1;
        }
        self.cross_at = at + span_of(cross.datagram.max(1), cross.rate);
    }

    /// Adds to the queue what has room in it, or finds the wire free.
    fn push(&mut self, now: Time, len: usize, mut parcel: Option<Parcel>) -> bool {
        let is_free = self.waiting.is_empty() && self.free_at <= now;
        let limit = self.link.queue_bytes;
        let is_rated = self.link.rate.is_some();
        if is_rated && !is_free && self.waiting_bytes + len > limit {
            return false;
        }
        let is_half_full = is_rated && self.link.codel.is_none() && self.waiting_bytes > limit / 2;
        if let Some(parcel) = &mut parcel {
            if is_half_full && self.link.marks && parcel.ecn == Ecn::Capable {
                parcel.ecn = Ecn::Marked;
                self.counters.marked += 1;
            }
            self.waiting_own += 1;
        }
        self.waiting.push_back(Waiting { since: now, len, parcel });
        self.waiting_bytes += len;
        self.counters.queue_bytes_max =
            self.counters.queue_bytes_max.max(self.waiting_bytes as u64);
        self.note(now);
        true
    }

    /// The first in the queue goes onto the wire, unless it is dropped.
    fn leave(&mut self, now: Time, out: &mut Vec<Left>) {
        let Some(Waiting { since, len, mut parcel }) = self.waiting.pop_front() else {
            return;
        };
        self.waiting_bytes -= len;
        self.note(now);
        self.waiting_own -= usize::from(parcel.is_some());
        if let Some(codel) = &self.link.codel {
            let can_mark =
                self.link.marks && parcel.as_ref().is_some_and(|one| one.ecn != Ecn::Unable);
            let waited = now.since(since);
            match self.codel.judge(codel, now, waited, self.waiting_bytes, can_mark) {
                Verdict::Pass => (),
                Verdict::Drop => {
                    match parcel {
                        Some(_) => self.counters.queue_early += 1,
                        None => self.counters.cross_dropped += 1,
                    }
                    return;
                }
                Verdict::Mark => {
                    if let Some(parcel) = &mut parcel {
                        parcel.ecn = Ecn::Marked;
                        self.counters.marked += 1;
                    }
                }
            }
        }
        self.free_at = now + self.link.rate.map_or(Duration::ZERO, |rate| span_of(len, rate));
        match parcel {
            Some(parcel) => self.fly(parcel, out),
            None => self.counters.cross_bytes += len as u64,
        }
    }

    /// What has left the wire is lost, or arrives.
    fn fly(&mut self, mut parcel: Parcel, out: &mut Vec<Left>) {
        if parcel.is_lost {
            self.counters.lost += 1;
            return;
        }
        if let Some(bit) = parcel.flip {
            self.counters.corrupted += 1;
            parcel.bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
        let mut at = self.free_at + self.link.delay + parcel.jitter;
        let gather = self.link.gather.as_nanos() as u64;
        if gather > 0 {
            at = Time::from_nanos(at.as_nanos().div_ceil(gather).saturating_mul(gather));
        }
        if parcel.is_late {
            at = at + self.link.reorder_by;
        } else {
            at = at.max(self.last_arrival);
            self.last_arrival = at;
        }
        let copies = 1 + u64::from(parcel.again.is_some());
        self.counters.duplicated += copies - 1;
        self.counters.delivered += copies;
        self.counters.delivered_bytes += copies * parcel.bytes.len() as u64;
        out.push(Left { at, again: parcel.again.map(|later| at + later), parcel });
    }

    /// Whether the policer lets `len` bytes pass.
    fn is_policed(&mut self, now: Time, len: usize) -> bool {
        let Some(policer) = self.link.policer else {
            return true;
        };
        let full = u128::from(policer.burst_bytes) * BILLION;
        let new = self.refilled.map_or(full, |refilled| {
            now.since(refilled).as_nanos().saturating_mul(u128::from(policer.rate))
        });
        self.refilled = Some(now);
        self.tokens = self.tokens.saturating_add(new).min(full);
        let cost = len as u128 * BILLION;
        let passes = cost <= self.tokens;
        if passes {
            self.tokens -= cost;
        }
        passes
    }

    fn note(&mut self, now: Time) {
        let Some(history) = &mut self.history else { return };
        let last = history.entries.last();
        if last.is_none_or(|&(at, _)| now.since(at) >= history.every) {
            history.entries.push((now, self.waiting_bytes));
        }
    }
}

const BILLION: u128 = 1_000_000_000;
