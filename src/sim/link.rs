//! One direction of a simulated link: what it does to the datagrams that enter it.

use std::time::Duration;

use super::random::Random;
use crate::time::Time;

/// The quality of one direction of a link. The default is perfect: no delay, no loss, no limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Time from leaving the queue to arriving.
    pub delay: Duration,
    /// More time, drawn evenly from zero to this. It never reorders by itself.
    pub jitter: Duration,
    /// Probability that a datagram is lost.
    pub loss: f64,
    /// Probability that a datagram arrives twice.
    pub duplicate: f64,
    /// Probability that a datagram is held back by `reorder_by`, so that later ones overtake it.
    pub reorder: f64,
    /// How long a reordered datagram is held back.
    pub reorder_by: Duration,
    /// Probability that one bit of a datagram is flipped.
    pub corrupt: f64,
    /// Bits per second, IP and UDP headers included; None: no limit and no queue.
    pub rate: Option<u64>,
    /// Bytes that wait for a rated link; what comes then is dropped at the tail.
    pub queue_bytes: usize,
    /// Largest datagram, in bytes of UDP payload.
    pub mtu: usize,
    /// Whether the sender is told of datagrams above `mtu` (else they vanish).
    pub mtu_reported: bool,
    /// From when until when everything vanishes.
    pub outages: Vec<(Time, Time)>,
}

impl Default for Link {
    fn default() -> Link {
        Link {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Duration::from_millis(10),
            corrupt: 0.0,
            rate: None,
            queue_bytes: 64 << 10,
            mtu: 65_507,
            mtu_reported: false,
            outages: Vec::new(),
        }
    }
}

impl Link {
    /// A perfect link with this one-way delay.
    pub fn with_delay(delay: Duration) -> Link {
        Link { delay, ..Link::default() }
    }

    /// A link with this one-way delay and loss.
    pub fn lossy(delay: Duration, loss: f64) -> Link {
        Link { delay, loss, ..Link::default() }
    }

    /// Whether everything that enters at `now` vanishes.
    pub fn is_dead(&self, now: Time) -> bool {
        self.outages.iter().any(|&(from, until)| from <= now && now < until)
    }
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives then, once or twice; perhaps with this bit flipped.
    Arrives { at: Time, again: Option<Time>, flip: Option<u64> },
    /// Lost by chance.
    Lost,
    /// No room in the queue.
    Queue,
    /// Larger than the link takes.
    TooLarge,
    /// The link is dead.
    Dead,
}

/// One direction of a link as it runs.
#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) link: Link,
    /// When the last byte accepted so far has left the queue.
    busy_until: Time,
    /// The latest arrival so far of what was not reordered: jitter alone keeps the order.
    last_arrival: Time,
}

impl LinkState {
    pub(super) fn new(link: Link) -> LinkState {
        LinkState { link, busy_until: Time::ZERO, last_arrival: Time::ZERO }
    }

    /// Whether what it does to a datagram does not depend on those before.
    pub(super) fn is_forgetful(&self) -> bool {
        self.link.rate.is_none() && self.link.jitter.is_zero()
    }

    /// Decides on a datagram of `len` bytes of payload and `headers` more that enters at `now`.
    pub(super) fn offer(
        &mut self,
        now: Time,
        len: usize,
        headers: usize,
        random: &mut Random,
    ) -> Fate {
        // All draws come first and always: the fate of one datagram does not shift the others'.
        let lost = random.chance(self.link.loss);
        let again = random.chance(self.link.duplicate);
        let late = random.chance(self.link.reorder);
        let flip = random.chance(self.link.corrupt);
        let bit = random.below(len as u64 * 8);
        let jitter = random.span(self.link.jitter);
        let second_jitter = random.span(self.link.jitter);
        if len > self.link.mtu {
            return Fate::TooLarge;
        }
        if self.link.is_dead(now) {
            return Fate::Dead;
        }
        let Some(left) = self.queue(now, len + headers) else {
            return Fate::Queue;
        };
        if lost {
            return Fate::Lost;
        }
        let mut at = left + self.link.delay + jitter;
        if late {
            at = at + self.link.reorder_by;
        } else {
            at = at.max(self.last_arrival);
            self.last_arrival = at;
        }
        Fate::Arrives {
            at,
            again: again.then(|| at + second_jitter),
            flip: (flip && len > 0).then_some(bit),
        }
    }

    /// When the datagram has left a rated link; None when the queue has no room for it.
    fn queue(&mut self, now: Time, len: usize) -> Option<Time> {
        let Some(rate) = self.link.rate else {
            return Some(now);
        };
        let rate = u128::from(rate.max(1));
        let waiting_bits = self.busy_until.since(now).as_nanos() * rate / 1_000_000_000;
        if waiting_bits / 8 + len as u128 > self.link.queue_bytes as u128 {
            return None;
        }
        let nanos = (len as u128 * 8 * 1_000_000_000).div_ceil(rate);
        let span = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.busy_until = self.busy_until.max(now) + span;
        Some(self.busy_until)
    }
}
