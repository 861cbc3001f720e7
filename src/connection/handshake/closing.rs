//! The end of an attempt that one side closes.
//! spec: 14.3 levels of a close

use super::{Handshake, HandshakeEvent, State};
use crate::config::UNPROVEN_WAIT;
use crate::id::{Level, Side};
use crate::time::Time;
use crate::wire::codes::CloseCode;

/// We closed: the packet is repeated for what still comes, ever more rarely.
// spec: 14.2 close
#[derive(Debug)]
pub(crate) struct Closing {
    pub(super) code: CloseCode,
    pub(super) level: Level,
    pub(super) until: Time,
    /// A close is to be sent.
    pub(super) is_due: bool,
    /// It is sent once: nothing is kept of an attempt that never came to keys.
    pub(super) is_once: bool,
    heard: u32,
    next: u32,
}

impl Closing {
    /// A packet of the attempt came: after 1, 2, 4, 8.. of them the close goes again.
    fn on_heard(&mut self) {
        self.heard += 1;
        if self.heard == self.next {
            (self.heard, self.next) = (0, self.next.saturating_mul(2));
            self.is_due = true;
        }
    }
}

impl Handshake {
    /// Closes with `code`, at the highest level that can be sealed. No event: the owner knows. An
    /// initiator's owner that can seal short packets closes in those as well.
    pub(crate) fn close(&mut self, now: Time, code: CloseCode) {
        if self.is_ended() {
            return;
        }
        let has_level1 = self.spaces[1].keys.is_some();
        let level = if has_level1 { Level::Handshake } else { Level::Initial };
        let is_once = self.side == Side::Responder && !has_level1;
        let until = now + 3 * self.pto();
        self.state = State::Closing(Closing {
            code,
            level,
            until,
            is_due: true,
            is_once,
            heard: 0,
            next: 1,
        });
        self.session = None;
        self.early.forget_keys();
    }

    /// A packet came while we close.
    pub(super) fn handle_while_closing(&mut self) {
        if let State::Closing(closing) = &mut self.state {
            closing.on_heard();
        }
    }

    /// The peer closes. A close at level 0 is only a rumour.
    // spec: 7.3 initiator states, 7.4 responder states
    pub(super) fn handle_close(&mut self, now: Time, level: Level, code: u64) {
        if level == Level::Handshake {
            self.state = State::Draining { until: now + 3 * self.pto() };
            self.session = None;
            self.early.forget_keys();
            self.events.push_back(HandshakeEvent::PeerClosed { code });
        } else if self.side == Side::Initiator && !self.has_opened_level1 && self.rumour.is_none() {
            self.rumour = Some(code);
            let due = now + UNPROVEN_WAIT;
            self.proof_due = Some(self.proof_due.map_or(due, |proof| proof.min(due)));
        }
    }
}
