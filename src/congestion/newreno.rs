//! NewReno, as RFC 9002 7 has it.

use std::time::Duration;

use crate::time::Time;

use super::{
    AckSample, Cause, CongestionEvent, Controller, Departure, LossSample, PacketSample, WINDOW_MAX,
    initial_window, is_window_used, minimum_window, quantum, rate_of_window,
};

/// The controller of RFC 9002 7.
// spec: RFC 9002 7.3
#[derive(Debug, Clone)]
pub(crate) struct NewReno {
    mtu: u64,
    window: u64,
    /// Slow start ends there.
    threshold: u64,
    /// Packets sent until then belong to the reduction made then.
    recovery_from: Option<Time>,
    /// Bytes acknowledged since the window grew last, in congestion avoidance.
    credit: u64,
    /// Bytes of the ACK in hand that may let the window grow.
    growing: u64,
    smoothed_rtt: Option<Duration>,
    /// What a spurious reduction gives back.
    undo: Option<(u64, u64)>,
}

impl NewReno {
    /// A path that begins.
    pub(super) fn new(mtu: u64) -> NewReno {
        NewReno {
            mtu,
            window: initial_window(mtu),
            threshold: u64::MAX,
            recovery_from: None,
            credit: 0,
            growing: 0,
            smoothed_rtt: None,
            undo: None,
        }
    }

    fn is_recovering(&self, sent_at: Time) -> bool {
        self.recovery_from.is_some_and(|from| sent_at <= from)
    }
}

impl Controller for NewReno {
    fn on_sent(&mut self, _now: Time, _packet: &Departure) {}

    #[inline]
    fn on_packet_acked(&mut self, _now: Time, packet: &PacketSample) {
        if !self.is_recovering(packet.sent_at) {
            self.growing += packet.size;
        }
    }

    fn on_ack(&mut self, _now: Time, ack: &AckSample) {
        self.smoothed_rtt = Some(ack.end.smoothed_rtt);
        let grown = std::mem::take(&mut self.growing);
        if !is_window_used(self, self.mtu, ack.end.prior_in_flight) {
            return;
        }
        if self.is_slow_start() {
            self.window = (self.window + grown).min(WINDOW_MAX);
            return;
        }
        self.credit += grown;
        while self.credit >= self.window {
            self.credit -= self.window;
            self.window = (self.window + self.mtu).min(WINDOW_MAX);
        }
    }

    fn on_packet_lost(&mut self, _now: Time, _loss: &LossSample) {}

    fn on_congestion(&mut self, now: Time, event: &CongestionEvent) {
        let minimum = minimum_window(self.mtu);
        if !self.is_recovering(event.sent_at) {
            self.undo = Some((self.window, self.threshold));
            self.recovery_from = Some(now);
            self.threshold = (self.window / 2).max(minimum);
            self.window = self.threshold;
            self.credit = 0;
        }
        // What a queue marked was no mistake.
        if let Cause::Ecn { .. } = event.cause {
            self.undo = None;
        }
        if let Cause::Loss { is_persistent: true, .. } = event.cause {
            (self.window, self.recovery_from) = (minimum, None);
        }
    }

    fn on_spurious_loss(&mut self, _now: Time) {
        if let Some((window, threshold)) = self.undo.take() {
            self.window = self.window.max(window);
            self.threshold = threshold;
            self.recovery_from = None;
        }
    }

    fn on_mtu(&mut self, size: u64) {
        self.mtu = size;
        self.window = self.window.max(minimum_window(size));
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self) -> u64 {
        rate_of_window(self.window, self.smoothed_rtt, self.is_slow_start())
    }

    fn send_quantum(&self) -> u64 {
        quantum(self.pacing_rate(), self.mtu, self.smoothed_rtt)
    }

    fn is_slow_start(&self) -> bool {
        self.window < self.threshold
    }
}

#[cfg(test)]
mod tests;
