//! The timers of an attempt.
//! spec: 7.6 retransmission

use std::time::Duration;

use super::{Handshake, Reason, State};
use crate::id::Side;
use crate::time::Time;
use crate::wire::codes::ConnectionCode;
use crate::wire::long::DATAGRAM_SIZE;

impl Handshake {
    /// When `handle_timeout` wants to be called; none when nothing is waited for.
    // spec: 15.1 timers
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        match &self.state {
            State::Over | State::Confirmed => None,
            State::Closing(closing) => Some(closing.until),
            State::Draining { until } => Some(*until),
            State::HelloSent | State::Handshaking | State::HalfOpen | State::Complete => {
                self.running([Some(self.deadline), self.proof_due])
            }
            State::Deciding { until } => self.running([until.or(Some(self.deadline)), None]),
        }
    }

    /// Does what time asks for; `poll_transmit` may then have something.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        match &self.state {
            State::Over | State::Confirmed => return,
            State::Closing(closing) if closing.until <= now => return self.end(),
            State::Draining { until } if *until <= now => return self.end(),
            State::Closing(_) | State::Draining { .. } => return,
            State::Deciding { until: Some(until) } if *until <= now => {
                return self.fail_closing(now, ConnectionCode::Refused.into());
            }
            State::Deciding { until: Some(_) } => {}
            State::HelloSent
            | State::Handshaking
            | State::HalfOpen
            | State::Complete
            | State::Deciding { until: None } => {
                if self.deadline <= now {
                    return self.fail(self.rumoured(Reason::Timeout));
                }
                if is_due(self.proof_due) {
                    return self.fail(self.rumoured(Reason::Unproven));
                }
            }
        }
        self.handle_recovery(now);
    }

    /// Keeps the timer of the highest level running while the responder may be out of budget.
    pub(super) fn rearm(&mut self, now: Time) {
        if self.side == Side::Responder {
            return;
        }
        let highest = usize::from(self.spaces[1].keys.is_some());
        let from = (!self.is_level1_acked).then_some(now);
        self.spaces[highest].keep_armed(from);
        self.spaces[1 - highest].keep_armed(None);
    }

    /// The probe timeout, without back-off. At levels 0 and 1 the peer does not wait.
    pub(super) fn pto(&self) -> Duration {
        self.rtt.pto(Duration::ZERO)
    }

    fn handle_recovery(&mut self, now: Time) {
        if self.is_out_of_budget() {
            return;
        }
        let Handshake { spaces, rtt, .. } = self;
        let probes = spaces.each_mut().map(|space| {
            let is_due = space.poll_timeout(rtt).is_some_and(|at| at <= now);
            is_due && space.handle_timeout(now, rtt)
        });
        if probes == [false; 2] {
            return;
        }
        self.cookies.on_timer();
        // All levels go together: a lost datagram held both.
        self.spaces.iter_mut().for_each(|space| space.repeat());
        let may_speak = self.may_speak();
        for (space, is_probe) in self.spaces.iter_mut().zip(probes) {
            let has_bytes = space.outgoing.is_waiting() && may_speak;
            space.is_ping_due |= is_probe && space.keys.is_some() && !has_bytes;
        }
    }

    fn running(&self, others: [Option<Time>; 2]) -> Option<Time> {
        let [level0, level1] = self.spaces.each_ref().map(|space| {
            // Without budget nothing can be sent: what brings budget wakes us.
            space.poll_timeout(&self.rtt).filter(|_| !self.is_out_of_budget())
        });
        [level0, level1, others[0], others[1]].into_iter().flatten().min()
    }

    /// The peer's address is not proven, and no whole datagram may go there.
    // spec: 7.8 amplification
    fn is_out_of_budget(&self) -> bool {
        self.budget.room() < DATAGRAM_SIZE
    }

    /// A level 0 close that was seen says more than that nothing came.
    fn rumoured(&self, reason: Reason) -> Reason {
        let rumour = self.rumour.filter(|_| !self.has_opened_level1);
        rumour.map_or(reason, |code| Reason::Rumoured { code })
    }
}
