//! What was before a loss, should it turn out to be none.

use crate::time::Time;

use super::{Bbr2, State};

/// What a loss may have changed.
// spec: BBR 5.5.11.1
#[derive(Debug, Clone, Default)]
pub(super) struct Undo {
    /// Packets sent until then belong to the episode that was saved for.
    saved_at: Option<Time>,
    /// The state that a loss ended.
    pub(super) state: Option<State>,
    rate_short: u64,
    in_flight_short: u64,
    in_flight_long: u64,
}

impl Bbr2 {
    /// Saves what is, at the first loss of an episode: of a packet that was sent after the last one
    /// began.
    // spec: BBR 5.5.11.1
    pub(super) fn save_before_loss(&mut self, now: Time, sent_at: Time) {
        if self.undo.saved_at.is_some_and(|saved_at| sent_at <= saved_at) {
            return;
        }
        self.save_window();
        self.undo = Undo {
            saved_at: Some(now),
            state: None,
            rate_short: self.model.rate_short,
            in_flight_short: self.model.in_flight_short,
            in_flight_long: self.model.in_flight_long,
        };
    }

    // spec: BBR 5.6.4.4
    pub(super) fn save_window(&mut self) {
        let is_whole = self.state != State::ProbeRtt && self.model.in_flight_short == u64::MAX;
        self.prior_window = if is_whole { self.window } else { self.prior_window.max(self.window) };
    }

    pub(super) fn restore_window(&mut self) {
        self.window = self.window.max(self.prior_window);
    }

    /// Takes back what a loss changed that was none. Version 2 restored the window alone.
    // spec: BBR 5.5.11.2
    pub(super) fn undo_loss(&mut self) {
        let Undo { state, rate_short, in_flight_short, in_flight_long, saved_at: _ } = self.undo;
        self.undo.state = None;
        self.restore_window();
        self.loss.reset_round();
        self.full_pipe.reset(0);
        self.model.rate_short = self.model.rate_short.max(rate_short);
        self.model.in_flight_short = self.model.in_flight_short.max(in_flight_short);
        self.model.in_flight_long = self.model.in_flight_long.max(in_flight_long);
        match state {
            Some(State::Startup) if self.state != State::Startup => {
                self.full_pipe.was_reached = false;
                if self.state != State::ProbeRtt {
                    self.enter_startup();
                }
            }
            Some(State::Up) if self.state != State::Up && self.state != State::ProbeRtt => {
                self.start_refill(self.loss.delivered);
            }
            Some(_) | None => {}
        }
    }
}
