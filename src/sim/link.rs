//! The quality of one direction of a simulated link, as plain data.

use std::time::Duration;

use crate::io::EcnMark;
use crate::time::Time;

/// The quality of one direction of a link. The default is perfect: no delay, no loss, no limit.
///
/// What enters passes, in this order: the policer, the queue, the wire of `rate`, loss, `delay`.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Time from leaving the queue to arriving.
    pub delay: Duration,
    /// More time, drawn evenly from zero to this. It never reorders by itself.
    pub jitter: Duration,
    /// Probability that a datagram is lost.
    pub loss: f64,
    /// More loss, in bursts.
    pub bursts: Option<Bursts>,
    /// Probability that a datagram arrives twice.
    pub duplicate: f64,
    /// Probability that a datagram is held back by `reorder_by`, so that later ones overtake it.
    pub reorder: f64,
    /// How long a reordered datagram is held back.
    pub reorder_by: Duration,
    /// Probability that one bit of a datagram is flipped.
    pub corrupt: f64,
    /// Arrivals wait for the next multiple of this, and come together, as from a link that gathers
    /// (Wi-Fi, cable): acknowledgements in clumps. Zero: none waits.
    pub gather: Duration,
    /// Bytes a second, IP and UDP headers included; None: no limit and no queue.
    pub rate: Option<u64>,
    /// Bytes that wait for a rated link, beside the datagram that is on its wire; what comes then
    /// is dropped at the tail.
    pub queue_bytes: usize,
    /// Drops early, to keep the queue short.
    pub codel: Option<CoDel>,
    /// Whether datagrams that are ECN-capable are marked instead of dropped by `codel`; without
    /// `codel` those are marked that find more than half of `queue_bytes` taken.
    pub marks: bool,
    /// Drops what exceeds a rate, without a queue.
    pub policer: Option<Policer>,
    /// Datagrams of others in the same queue.
    pub cross: Option<Cross>,
    /// Largest datagram, in bytes of UDP payload.
    pub mtu: usize,
    /// Whether the sender is told of datagrams above `mtu` (else they vanish).
    pub mtu_reported: bool,
    /// From when until when everything vanishes.
    pub outages: Vec<(Time, Time)>,
}

/// Loss in bursts, after Gilbert and Elliott: a link is good or bad, and may change with each
/// datagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bursts {
    /// Probability that a good link turns bad.
    pub begin: f64,
    /// Probability that a bad link turns good: a burst is 1 / `end` datagrams long.
    pub end: f64,
    /// Probability that a bad link loses a datagram.
    pub loss: f64,
}

/// What CoDel (RFC 8289) aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoDel {
    /// The longest wait that is no reason to drop.
    pub target: Duration,
    /// For how long a longer wait is borne: about the round trip.
    pub interval: Duration,
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policer {
    /// Bytes a second, headers included.
    pub rate: u64,
    /// Bytes that may come at once after a silence.
    pub burst_bytes: u64,
}

/// Traffic of others, which heeds nobody: datagrams of one size at one rate, on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cross {
    /// Bytes a second while it is on, headers included.
    pub rate: u64,
    /// Bytes of one of its datagrams, headers included.
    pub datagram: usize,
    /// For how long it is on, from the beginning of the clock.
    pub on: Duration,
    /// For how long it is off then, and so on in turn. Zero: never.
    pub off: Duration,
}

/// The ECN field of a datagram, as far as links care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Ecn {
    /// Not ECN-capable.
    #[default]
    Unable,
    /// ECN-capable.
    Capable,
    /// Congestion was experienced.
    Marked,
}

impl From<EcnMark> for Ecn {
    fn from(mark: EcnMark) -> Ecn {
        match mark {
            EcnMark::None => Ecn::Unable,
            EcnMark::Ect0 | EcnMark::Ect1 => Ecn::Capable,
            EcnMark::Ce => Ecn::Marked,
        }
    }
}

impl From<Ecn> for EcnMark {
    fn from(ecn: Ecn) -> EcnMark {
        match ecn {
            Ecn::Unable => EcnMark::None,
            Ecn::Capable => EcnMark::Ect0,
            Ecn::Marked => EcnMark::Ce,
        }
    }
}

impl Default for Link {
    fn default() -> Link {
        Link {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            bursts: None,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Duration::from_millis(10),
            corrupt: 0.0,
            gather: Duration::ZERO,
            rate: None,
            queue_bytes: 64 << 10,
            codel: None,
            marks: false,
            policer: None,
            cross: None,
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

    /// A link of this many bytes a second and this one-way delay, whose queue drops at the tail and
    /// holds what the link carries in one round trip (twice the delay), at least 10 datagrams of
    /// 1500 bytes.
    pub fn rated(rate: u64, delay: Duration) -> Link {
        let nanos = 2 * delay.as_nanos();
        let product = u128::from(rate) * nanos / 1_000_000_000;
        let queue_bytes = usize::try_from(product).unwrap_or(usize::MAX).max(15_000);
        Link { delay, rate: Some(rate), queue_bytes, ..Link::default() }
    }

    /// Whether what it does to a datagram does not depend on those before.
    pub(super) fn is_forgetful(&self) -> bool {
        let has_memory = self.bursts.is_some() || self.policer.is_some() || self.cross.is_some();
        self.rate.is_none() && self.jitter.is_zero() && self.gather.is_zero() && !has_memory
    }

    /// Whether everything that enters at `now` vanishes.
    pub fn is_dead(&self, now: Time) -> bool {
        self.outages.iter().any(|&(from, until)| from <= now && now < until)
    }
}

impl Default for CoDel {
    /// The values of RFC 8289.
    fn default() -> CoDel {
        CoDel { target: Duration::from_millis(5), interval: Duration::from_millis(100) }
    }
}

impl Cross {
    /// The time at or after `time` at which it is on.
    pub(super) fn next_on(&self, time: Time) -> Time {
        let period = (self.on + self.off).as_nanos().max(1);
        let into = u128::from(time.as_nanos()) % period;
        match into < self.on.as_nanos().max(1) {
            true => time,
            false => time + nanos(period - into),
        }
    }
}

/// How long `bytes` take at `rate` bytes a second, rounded up.
pub(super) fn span_of(bytes: usize, rate: u64) -> Duration {
    nanos((bytes as u128 * 1_000_000_000).div_ceil(u128::from(rate.max(1))))
}

fn nanos(count: u128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}
