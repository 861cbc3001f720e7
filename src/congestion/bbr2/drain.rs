//! Drain: the queue that Startup left is let go.

use super::{Ack, Bbr2, State};

impl Bbr2 {
    // spec: BBR 5.3.2
    pub(super) fn enter_drain(&mut self) {
        self.state = State::Drain;
        self.cycle.drain_from = self.model.rounds.count;
    }

    /// Version 3 gives up after three round trips, when the rate was taken too high: the cycles
    /// that follow will lower it.
    // spec: BBR 5.3.2
    pub(super) fn check_drain_done(&mut self, ack: &Ack) {
        if self.state != State::Drain {
            return;
        }
        let is_drained = ack.in_flight <= self.in_flight_at(self.model.rate);
        if is_drained || self.model.rounds.count > self.cycle.drain_from + DRAIN_ROUNDS {
            self.start_down(ack.now, ack.delivered);
        }
    }
}

/// Round trips that draining may take.
const DRAIN_ROUNDS: u64 = 3;
