//! The round trip of the path without a queue, and the state that empties the queue to see it.

use std::time::Duration;

use crate::time::Time;

use super::{Ack, Bbr2, State};

/// When the round trip is to be probed.
// spec: BBR 2.16.2
#[derive(Debug, Clone, Default)]
pub(super) struct ProbeRtt {
    /// The least round trip of late, and when it was seen.
    least: Option<(Duration, Time)>,
    is_expired: bool,
    /// Little enough has been in flight: until then.
    pub(super) done_at: Option<Time>,
    is_round_done: bool,
    /// Until this round trip what is delivered is what little was sent, and no bound for what the
    /// path bears. The drafts do not except it: one loss then costs up to a third of the rate.
    pub(super) heard_until: u64,
}

impl Bbr2 {
    // spec: BBR 5.3.4.3
    pub(super) fn update_min_rtt(&mut self, ack: &Ack) {
        let it = &mut self.probe_rtt;
        it.is_expired = it.least.is_some_and(|(_, at)| ack.now > at + INTERVAL);
        if let Some(round_trip) = ack.round_trip
            && (it.is_expired || it.least.is_none_or(|(least, _)| round_trip < least))
        {
            it.least = Some((round_trip, ack.now));
        }
        let Some((least, at)) = it.least else { return };
        let is_old = ack.now > self.model.min_rtt_at + FILTER;
        if is_old || self.model.min_rtt.is_none_or(|min_rtt| least < min_rtt) {
            (self.model.min_rtt, self.model.min_rtt_at) = (Some(least), at);
        }
    }

    // spec: BBR 5.3.4.3
    pub(super) fn check_probe_rtt(&mut self, ack: &Ack) {
        if self.state != State::ProbeRtt && self.probe_rtt.is_expired && !self.is_idle_restart {
            self.save_window();
            self.state = State::ProbeRtt;
            self.probe_rtt.done_at = None;
            self.stop_probe(ack.delivered);
        }
        if self.state == State::ProbeRtt {
            self.handle_probe_rtt(ack);
        }
        if ack.sample.delivered > 0 {
            self.is_idle_restart = false;
        }
    }

    fn handle_probe_rtt(&mut self, ack: &Ack) {
        if self.probe_rtt.done_at.is_some() {
            self.probe_rtt.is_round_done |= self.model.rounds.is_start;
            if self.probe_rtt.is_round_done {
                self.check_probe_rtt_done(ack.now);
            }
        } else if ack.in_flight <= self.probe_rtt_window() {
            self.probe_rtt.done_at = Some(ack.now + DURATION);
            self.probe_rtt.is_round_done = false;
            self.model.rounds.start(ack.delivered);
        }
    }

    pub(super) fn check_probe_rtt_done(&mut self, now: Time) {
        if self.probe_rtt.done_at.is_none_or(|done_at| now <= done_at) {
            return;
        }
        // The next one is due when this is as old as the last.
        if let Some((_, at)) = &mut self.probe_rtt.least {
            *at = now;
        }
        self.restore_window();
        self.exit_probe_rtt(now);
    }

    // spec: BBR 5.3.4.4
    fn exit_probe_rtt(&mut self, now: Time) {
        self.model.reset_short_term();
        self.probe_rtt.heard_until = self.model.rounds.count + 3;
        if self.full_pipe.was_reached {
            self.start_down(now, self.loss.delivered);
            self.start_cruise();
        } else {
            self.enter_startup();
        }
    }

    /// Half of what fills the path. Version 2 had four packets at first, which cost much.
    // spec: BBR 5.6.4.5
    pub(super) fn probe_rtt_window(&self) -> u64 {
        self.bdp_multiple(self.model.rate, 50).max(self.min_pipe())
    }
}

/// How long the least round trip is believed.
// spec: BBR 2.16.1: MinRTTFilterLen
const FILTER: Duration = Duration::from_secs(10);

/// How often the round trip is probed, unless silence shows it.
// spec: BBR 2.16.2: ProbeRTTInterval
const INTERVAL: Duration = Duration::from_secs(5);

/// How long.
// spec: BBR 2.16.2: ProbeRTTDuration
const DURATION: Duration = Duration::from_millis(200);
