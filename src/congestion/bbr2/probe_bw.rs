//! The cycle of a path in use: down, cruise, refill, up.

use std::time::Duration;

use crate::time::Time;

use super::{Ack, Bbr2, State};

/// Where the cycle is.
// spec: BBR 2.14
#[derive(Debug, Clone, Default)]
pub(super) struct Cycle {
    feedback: Feedback,
    /// Whether what is acknowledged was sent to probe, and has shown nothing yet.
    pub(super) is_probe_sample: bool,
    /// The probe before lost too much: the next one stops where that began.
    pub(super) was_too_high: bool,
    /// The probe before stopped there.
    was_cautious: bool,
    began_at: Time,
    /// How long the next probe may wait.
    wait: Duration,
    pub(super) rounds_since_probe: u64,
    /// Round trips over which `in_flight_long` grew in this probe.
    up_rounds: u32,
    /// Bytes acknowledged since it grew, and after how many it grows by a packet.
    up_acked: u64,
    up_acked_per_packet: u64,
    /// Until this round trip what Down sent is heard of.
    pub(super) slow_until: u64,
    /// The round trip in which draining began.
    pub(super) drain_from: u64,
}

/// What acknowledgements tell of the probe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Feedback {
    #[default]
    None,
    /// The pipe is being filled.
    Refilling,
    /// The probe is on its way.
    Starting,
    /// It is being heard of.
    Coming,
    /// It is over, but still heard of.
    Stopping,
}

impl Bbr2 {
    // spec: BBR 5.3.3.9
    pub(super) fn start_down(&mut self, now: Time, delivered: u64) {
        self.loss.reset_latest();
        self.cycle.up_acked_per_packet = u64::MAX;
        // spec: BBR 5.3.3.8.3: draws keep flows from probing together.
        self.cycle.rounds_since_probe = self.draw(1);
        let spread = (WAIT_SPREAD_NANOS * self.draw(16)) >> 16;
        self.cycle.wait = WAIT_MIN + Duration::from_nanos(spread);
        self.cycle.began_at = now;
        self.stop_probe(delivered);
        self.state = State::Down;
    }

    /// What was sent to probe is heard of for one more round trip.
    pub(super) fn stop_probe(&mut self, delivered: u64) {
        self.cycle.feedback = Feedback::Stopping;
        self.model.rounds.start(delivered);
    }

    pub(super) fn start_cruise(&mut self) {
        self.cycle.slow_until = self.model.rounds.count + 2;
        self.state = State::Cruise;
    }

    pub(super) fn start_refill(&mut self, delivered: u64) {
        self.model.reset_short_term();
        (self.cycle.up_rounds, self.cycle.up_acked) = (0, 0);
        self.cycle.was_cautious = false;
        self.cycle.feedback = Feedback::Refilling;
        self.model.rounds.start(delivered);
        self.state = State::Refill;
    }

    fn start_up(&mut self, ack: &Ack) {
        self.cycle.is_probe_sample = true;
        self.cycle.feedback = Feedback::Starting;
        self.model.rounds.start(ack.delivered);
        self.full_pipe.reset(ack.sample.rate.unwrap_or(0));
        self.state = State::Up;
        self.raise_slope();
    }

    // spec: BBR 5.3.3.9
    pub(super) fn update_cycle(&mut self, ack: &Ack) {
        if !self.full_pipe.was_reached || self.adapt_long_term(ack) {
            return;
        }
        match self.state {
            State::Startup | State::Drain | State::ProbeRtt => {}
            State::Down => {
                if self.is_time_to_probe(ack.now) {
                    self.start_refill(ack.delivered);
                } else if self.is_time_to_cruise(ack) {
                    self.start_cruise();
                }
            }
            State::Cruise => {
                if self.is_time_to_probe(ack.now) {
                    self.start_refill(ack.delivered);
                }
            }
            State::Refill => {
                if self.model.rounds.is_start {
                    self.start_up(ack);
                }
            }
            State::Up => {
                if self.is_time_to_go_down(ack) {
                    self.cycle.was_too_high = false;
                    self.start_down(ack.now, ack.delivered);
                }
            }
        }
    }

    /// Follows what a probe shows; true if that decided the state.
    // spec: BBR 5.3.3.9: AdaptLongTermModel
    fn adapt_long_term(&mut self, ack: &Ack) -> bool {
        let is_round_start = self.model.rounds.is_start;
        if self.cycle.feedback == Feedback::Starting && is_round_start {
            self.cycle.feedback = Feedback::Coming;
        }
        if self.cycle.feedback == Feedback::Stopping && is_round_start {
            self.cycle.is_probe_sample = false;
            self.cycle.feedback = Feedback::None;
            if self.is_probing_bandwidth_state() && !ack.sample.is_app_limited {
                self.model.advance_rate();
            }
            // Version 3: a probe that stopped early, and lost nothing, goes on at once.
            // spec: BBR 5.3.3.6
            let goes_on = self.cycle.was_cautious && !self.cycle.was_too_high;
            if self.is_probing_bandwidth_state() && goes_on {
                self.start_refill(ack.delivered);
                return true;
            }
        }
        if self.is_too_much(ack.sample.lost, ack.sample.sent_in_flight)
            || self.model.in_flight_long == u64::MAX
        {
            return false;
        }
        self.model.in_flight_long = self.model.in_flight_long.max(ack.sample.sent_in_flight);
        if self.state == State::Up {
            self.probe_upward(ack);
        }
        false
    }

    /// Lets `in_flight_long` grow: by a packet in the first round trip, then twice as many in each.
    // spec: BBR 5.3.3.9: ProbeInflightLongtermUpward
    fn probe_upward(&mut self, ack: &Ack) {
        if !self.is_window_limited() || self.window < self.model.in_flight_long {
            return;
        }
        let cycle = &mut self.cycle;
        cycle.up_acked += ack.newly_acked;
        let packets = cycle.up_acked / cycle.up_acked_per_packet.max(1);
        cycle.up_acked -= packets * cycle.up_acked_per_packet;
        self.model.in_flight_long = self.model.in_flight_long.saturating_add(packets * self.mtu);
        if self.model.rounds.is_start {
            self.raise_slope();
        }
    }

    fn raise_slope(&mut self) {
        let growth = 1 << self.cycle.up_rounds;
        self.cycle.up_rounds = (self.cycle.up_rounds + 1).min(30);
        self.cycle.up_acked_per_packet = (self.window / growth).max(self.mtu);
    }

    // spec: BBR 5.3.3.8.3
    fn is_time_to_probe(&self, now: Time) -> bool {
        now > self.cycle.began_at + self.cycle.wait || self.is_time_for_reno()
    }

    /// As often as Reno would fill the path, so that it is left as much as it leaves.
    fn is_time_for_reno(&self) -> bool {
        let packets = self.target_in_flight() / self.mtu;
        self.cycle.rounds_since_probe >= packets.min(RENO_ROUNDS_MAX)
    }

    pub(super) fn target_in_flight(&self) -> u64 {
        self.bdp_multiple(self.model.rate, 100).min(self.window)
    }

    fn is_time_to_cruise(&self, ack: &Ack) -> bool {
        ack.in_flight <= self.in_flight_with_headroom()
            && ack.in_flight <= self.in_flight_at(self.model.max_rate())
    }

    // spec: BBR 5.3.3.7. Version 2 left when 1.25 BDP were in flight for a round trip.
    fn is_time_to_go_down(&mut self, ack: &Ack) -> bool {
        // spec: BBR 5.3.3.6
        if self.cycle.was_too_high && ack.in_flight >= self.model.in_flight_long {
            self.cycle.was_cautious = true;
            return true;
        }
        if self.is_window_limited() && self.window >= self.model.in_flight_long {
            self.full_pipe.reset(ack.sample.rate.unwrap_or(0));
            return false;
        }
        self.full_pipe.is_reached
    }

    /// `in_flight_long` with some left for others.
    pub(super) fn in_flight_with_headroom(&self) -> u64 {
        let long = self.model.in_flight_long;
        if long == u64::MAX {
            return u64::MAX;
        }
        let headroom = (long / 100 * HEADROOM_PERCENT).max(self.mtu);
        long.saturating_sub(headroom).max(self.min_pipe())
    }
}

/// The least time between probes, and what is drawn on top.
// spec: BBR 5.3.3.8.3
const WAIT_MIN: Duration = Duration::from_secs(2);
const WAIT_SPREAD_NANOS: u64 = 1_000_000_000;

/// The most round trips between probes.
// spec: BBR 5.3.3.8.3
const RENO_ROUNDS_MAX: u64 = 63;

/// What is left for others of what was too much.
// spec: BBR 2.8: Headroom
const HEADROOM_PERCENT: u64 = 15;
