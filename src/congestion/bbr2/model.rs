//! What is known of the path: its rate, its round trip, how it bundles acknowledgements, and how
//! much in flight it was seen to bear.

use std::time::Duration;

use crate::time::Time;

use super::{Ack, volume};

/// The model of the path.
// spec: BBR 2.9
#[derive(Debug, Clone)]
pub(super) struct Model {
    /// The greatest rates of the probing cycle before and of this one.
    rate_max: [u64; 2],
    /// The rate that recent losses leave; `u64::MAX`: all of it.
    pub(super) rate_short: u64,
    /// The rate that is taken for the path's.
    pub(super) rate: u64,
    pub(super) min_rtt: Option<Duration>,
    pub(super) min_rtt_at: Time,
    /// What was seen to be too much in flight when probing; `u64::MAX`: nothing was.
    pub(super) in_flight_long: u64,
    /// What recent losses leave in flight; `u64::MAX`: all of it.
    pub(super) in_flight_short: u64,
    pub(super) rounds: Rounds,
    aggregation: Aggregation,
}

/// Round trips, counted by packets that are acknowledged.
// spec: BBR 5.5.1
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds {
    pub(super) count: u64,
    /// Whether the ACK in hand began one.
    pub(super) is_start: bool,
    /// This one ends with a packet that was sent when so much was delivered.
    ends_at: u64,
}

/// How much more is acknowledged at once than the rate explains.
#[derive(Debug, Clone, Default)]
struct Aggregation {
    began_at: Option<Time>,
    delivered: u64,
    extra: WindowedMax,
}

/// The greatest value of the last so many round trips: the best three with their times, the second
/// and third younger than those before (Kathleen Nichols' algorithm).
// spec: BBR 5.5.5
#[derive(Debug, Clone, Default)]
struct WindowedMax {
    best: [(u64, u64); 3],
}

impl Model {
    pub(super) fn new() -> Model {
        Model {
            rate_max: [0; 2],
            rate_short: u64::MAX,
            rate: 0,
            min_rtt: None,
            min_rtt_at: Time::ZERO,
            in_flight_long: u64::MAX,
            in_flight_short: u64::MAX,
            rounds: Rounds::default(),
            aggregation: Aggregation::default(),
        }
    }

    // spec: BBR 5.5.5
    pub(super) fn update_rate(&mut self, ack: &Ack) {
        let Some(rate) = ack.sample.rate else { return };
        if rate >= self.max_rate() || !ack.sample.is_app_limited {
            self.rate_max[1] = self.rate_max[1].max(rate);
        }
    }

    /// A cycle of probing ends: the rates of the one before it are forgotten. A cycle without a
    /// sample makes nothing forgotten.
    // spec: BBR 5.5.6
    pub(super) fn advance_rate(&mut self) {
        if self.rate_max[1] != 0 {
            self.rate_max = [self.rate_max[1], 0];
        }
    }

    pub(super) fn max_rate(&self) -> u64 {
        self.rate_max[0].max(self.rate_max[1])
    }

    // spec: BBR 5.5.10.3
    pub(super) fn bound_rate(&mut self) {
        self.rate = self.max_rate().min(self.rate_short);
    }

    /// Whether losses hold the rate below what the path was seen to deliver.
    pub(super) fn is_rate_short(&self) -> bool {
        self.rate_short < self.max_rate()
    }

    // spec: BBR 5.5.10.3
    pub(super) fn reset_short_term(&mut self) {
        (self.rate_short, self.in_flight_short) = (u64::MAX, u64::MAX);
    }

    /// What is in flight when `rate` is sent for a round trip; none before there is one.
    pub(super) fn bdp(&self, rate: u64) -> Option<u64> {
        self.min_rtt.map(|min_rtt| volume(rate, min_rtt))
    }

    /// What is acknowledged beyond what the rate explains.
    pub(super) fn extra_acked(&self) -> u64 {
        self.aggregation.extra.get()
    }

    // spec: BBR 5.5.9
    pub(super) fn update_aggregation(&mut self, ack: &Ack, window: u64, was_full: bool) {
        let it = &mut self.aggregation;
        let began_at = *it.began_at.get_or_insert(ack.now);
        let mut expected = volume(self.rate, ack.now.since(began_at));
        if it.delivered <= expected {
            // Slower than expected: what comes now is a bundle of its own.
            (it.delivered, it.began_at, expected) = (0, Some(ack.now), 0);
        }
        it.delivered += ack.newly_acked;
        let extra = (it.delivered - expected).min(window);
        // Version 2 kept ten round trips from the start.
        let rounds = if was_full { EXTRA_ROUNDS } else { 1 };
        it.extra.update(extra, self.rounds.count, rounds);
    }

    // spec: BBR 5.4.1
    pub(super) fn restart_aggregation(&mut self, now: Time) {
        self.aggregation.began_at = Some(now);
        self.aggregation.delivered = 0;
    }
}

impl Rounds {
    pub(super) fn update(&mut self, ack: &Ack) {
        self.is_start = ack.sample.prior_delivered >= self.ends_at;
        if self.is_start {
            self.count += 1;
            self.start(ack.delivered);
        }
    }

    /// Lets a round trip begin with what is sent now.
    pub(super) fn start(&mut self, delivered: u64) {
        self.ends_at = delivered;
    }
}

impl WindowedMax {
    fn get(&self) -> u64 {
        self.best[0].0
    }

    fn update(&mut self, value: u64, now: u64, window: u64) {
        let new = (value, now);
        let best = &mut self.best;
        if value >= best[0].0 || now - best[2].1 > window {
            *best = [new; 3];
            return;
        }
        if value >= best[1].0 {
            (best[1], best[2]) = (new, new);
        } else if value >= best[2].0 {
            best[2] = new;
        }
        while now - best[0].1 > window {
            *best = [best[1], best[2], new];
        }
        // No better one for a part of the window: the runners-up are to be of later parts.
        let age = now - best[0].1;
        if best[1].1 == best[0].1 && age > window / 4 {
            (best[1], best[2]) = (new, new);
        } else if best[2].1 == best[1].1 && age > window / 2 {
            best[2] = new;
        }
    }
}

/// How many round trips a bundle of acknowledgements is remembered.
// spec: BBR 2.12: ExtraAckedFilterLen
const EXTRA_ROUNDS: u64 = 10;
