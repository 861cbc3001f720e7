//! Startup: the rate doubles until the path delivers no more, or loses.

use super::{Ack, Bbr2, State};

/// Looks for the rate that the path does not exceed.
// spec: BBR 5.3.1.2. Version 3 looks also in Up, not only once in Startup.
#[derive(Debug, Clone, Default)]
pub(super) struct FullPipe {
    /// Found since the search began.
    pub(super) is_reached: bool,
    /// Found once on this path.
    pub(super) was_reached: bool,
    /// The rate from which growth is counted.
    base: u64,
    /// Round trips without much growth.
    flat_rounds: u32,
}

impl FullPipe {
    /// Begins the search anew, from `base`.
    pub(super) fn reset(&mut self, base: u64) {
        (self.is_reached, self.base, self.flat_rounds) = (false, base, 0);
    }

    fn update(&mut self, rate: u64) {
        if rate >= self.base.saturating_mul(GROWTH_PERCENT) / 100 {
            self.reset(rate);
            return;
        }
        self.flat_rounds += 1;
        self.is_reached = self.flat_rounds >= FLAT_ROUNDS;
        self.was_reached |= self.is_reached;
    }
}

impl Bbr2 {
    // spec: BBR 5.3.1.1
    pub(super) fn enter_startup(&mut self) {
        self.state = State::Startup;
    }

    // spec: BBR 5.3.1.2
    pub(super) fn check_full_pipe(&mut self, ack: &Ack) {
        if self.full_pipe.is_reached || !self.model.rounds.is_start || ack.sample.is_app_limited {
            return;
        }
        if let Some(rate) = ack.sample.rate {
            self.full_pipe.update(rate);
        }
    }

    // spec: BBR 5.3.1.1
    pub(super) fn check_startup_done(&mut self, ack: &Ack) {
        self.check_startup_loss(ack);
        if self.state == State::Startup && self.full_pipe.was_reached {
            self.enter_drain();
        }
    }

    /// Losses for a whole round trip, too many, in more than one place: there is no more to get.
    // spec: BBR 5.3.1.3
    fn check_startup_loss(&mut self, ack: &Ack) {
        let is_lossy = self
            .loss
            .ended
            .is_some_and(|round| round.gaps >= STARTUP_GAPS && self.is_round_lossy(&round));
        if self.state != State::Startup || !is_lossy {
            return;
        }
        self.undo.state = Some(State::Startup);
        self.full_pipe.was_reached = true;
        // Version 2 had no bound from Startup but this one's first part.
        let bdp = self.bdp_multiple(self.model.max_rate(), 100);
        self.model.in_flight_long = bdp.max(self.loss.latest.in_flight).max(ack.sample.delivered);
    }
}

/// The rate grows if it is so much of what it was.
// spec: BBR 5.3.1.2
const GROWTH_PERCENT: u64 = 125;

/// Round trips without growth, after which the path is full.
// spec: BBR 5.3.1.2
const FLAT_ROUNDS: u32 = 3;

/// Places where packets are missing, in one round trip. Version 2: 8.
// spec: BBR 5.3.1.3: StartupFullLossCnt
const STARTUP_GAPS: u32 = 6;
