//! CUBIC (RFC 9438), with HyStart++ in slow start.

use std::time::Duration;

use crate::time::Time;

use super::hystart::{Growth, HyStart};
use super::{
    AckSample, Cause, CongestionEvent, Controller, Departure, LossSample, PacketSample, WINDOW_MAX,
    initial_window, is_window_used, minimum_window, quantum, rate_of_window,
};

/// The controller of RFC 9438. Windows in fractions are in packets, as there.
#[derive(Debug, Clone)]
pub(crate) struct Cubic {
    mtu: u64,
    /// What a spurious reduction gives back.
    undo: Option<State>,
    state: State,
    hystart: HyStart,
    /// Packets sent until then belong to the reduction made then.
    recovery_from: Option<Time>,
    growing: u64,
    smoothed_rtt: Option<Duration>,
}

/// What a reduction changes.
#[derive(Debug, Clone, Copy)]
struct State {
    /// Bytes; the fraction grows in between.
    window: f64,
    /// Slow start ends there.
    threshold: f64,
    /// Packets before the last reduction.
    window_max: f64,
    /// Packets before the last reduction, without fast convergence.
    window_prior: f64,
    epoch: Option<Epoch>,
}

/// A stage of congestion avoidance.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    /// When it began, plus all time in which the window was not the limit.
    began_at: Time,
    /// Packets at the plateau.
    origin: f64,
    /// Seconds until it is reached.
    plateau: f64,
    /// What Reno would have, in packets.
    estimate: f64,
    /// Since when the window has not been the limit.
    paused_at: Option<Time>,
}

impl Cubic {
    /// A path that begins.
    pub(super) fn new(mtu: u64) -> Cubic {
        Cubic {
            mtu,
            undo: None,
            state: State {
                window: initial_window(mtu) as f64,
                threshold: f64::INFINITY,
                window_max: 0.0,
                window_prior: 0.0,
                epoch: None,
            },
            hystart: HyStart::new(),
            recovery_from: None,
            growing: 0,
            smoothed_rtt: None,
        }
    }

    fn is_recovering(&self, sent_at: Time) -> bool {
        self.recovery_from.is_some_and(|from| sent_at <= from)
    }

    // spec: RFC 9406 4.2: paced, so without its limit on the growth of one ACK.
    fn slow_start(&mut self, ack: &AckSample, grown: f64) {
        // spec: RFC 9406 4.3: only the first slow start; later ones know where to end.
        if self.state.threshold.is_finite() {
            self.state.window += grown;
            return;
        }
        let prior_delivered = ack.rate.map(|rate| rate.prior_delivered);
        let sample = ack.end.rtt_sample;
        self.state.window += match self.hystart.on_ack(prior_delivered, ack.delivered, sample) {
            Growth::Full => grown,
            Growth::Quarter => grown / 4.0,
            Growth::Over => {
                // spec: RFC 9438 4.10: without a loss the curve begins at its plateau.
                self.state.threshold = self.state.window;
                self.state.window_max = self.state.window / self.mtu as f64;
                self.state.window_prior = self.state.window_max;
                0.0
            }
        };
    }

    // spec: RFC 9438 4.2 to 4.5
    fn avoid(&mut self, now: Time, rtt: Duration, grown: f64) {
        let mtu = self.mtu as f64;
        let window = self.state.window / mtu;
        let acked = grown / mtu;
        let State { window_max, window_prior, .. } = self.state;
        let epoch = self.state.epoch.get_or_insert_with(|| Epoch::new(now, window, window_max));
        if let Some(paused_at) = epoch.paused_at.take() {
            epoch.began_at = epoch.began_at + now.since(paused_at);
        }
        let elapsed = now.since(epoch.began_at);
        let gain = if epoch.estimate < window_prior { RENO_GAIN } else { 1.0 };
        epoch.estimate += gain * acked / window;
        let curve = |at: Duration| {
            let distance = at.as_secs_f64() - epoch.plateau;
            SCALE * distance * distance * distance + epoch.origin
        };
        let target = if curve(elapsed) < epoch.estimate {
            epoch.estimate.max(window)
        } else {
            let target = curve(elapsed + rtt).clamp(window, window * 1.5);
            window + (target - window) / window * acked
        };
        self.state.window = target * mtu;
    }

    // spec: RFC 9438 4.6, 4.7
    fn reduce(&mut self) {
        let minimum = minimum_window(self.mtu) as f64;
        let window = self.state.window / self.mtu as f64;
        let has_shrunk = window < self.state.window_max;
        self.state.window_max = if has_shrunk { window * (1.0 + BETA) / 2.0 } else { window };
        self.state.window_prior = window;
        self.state.threshold = (self.state.window * BETA).max(minimum);
        self.state.window = self.state.threshold;
        self.state.epoch = None;
    }
}

impl Epoch {
    fn new(now: Time, window: f64, window_max: f64) -> Epoch {
        let origin = window_max.max(window);
        Epoch {
            began_at: now,
            origin,
            plateau: cube_root((origin - window) / SCALE),
            estimate: window,
            paused_at: None,
        }
    }
}

impl Controller for Cubic {
    fn on_sent(&mut self, _now: Time, _packet: &Departure) {}

    #[inline]
    fn on_packet_acked(&mut self, _now: Time, packet: &PacketSample) {
        if !self.is_recovering(packet.sent_at) {
            self.growing += packet.size;
        }
    }

    fn on_ack(&mut self, now: Time, ack: &AckSample) {
        self.smoothed_rtt = Some(ack.end.smoothed_rtt);
        let grown = std::mem::take(&mut self.growing) as f64;
        if !is_window_used(self, self.mtu, ack.end.prior_in_flight) {
            // spec: RFC 9438 5.8: time that the application wasted is no time of the curve.
            if let Some(epoch) = &mut self.state.epoch {
                epoch.paused_at.get_or_insert(now);
            }
            return;
        }
        if self.is_slow_start() {
            self.slow_start(ack, grown);
        } else if grown > 0.0 {
            self.avoid(now, ack.end.smoothed_rtt, grown);
        }
        self.state.window = self.state.window.min(WINDOW_MAX as f64);
    }

    fn on_packet_lost(&mut self, _now: Time, _loss: &LossSample) {}

    fn on_congestion(&mut self, now: Time, event: &CongestionEvent) {
        if !self.is_recovering(event.sent_at) {
            self.undo = Some(self.state);
            self.recovery_from = Some(now);
            self.reduce();
        }
        // What a queue marked was no mistake.
        if let Cause::Ecn { .. } = event.cause {
            self.undo = None;
        }
        // spec: RFC 9438 4.8: as after a timeout.
        if let Cause::Loss { is_persistent: true, .. } = event.cause {
            self.state.window = minimum_window(self.mtu) as f64;
            self.state.epoch = None;
            self.recovery_from = None;
        }
    }

    // spec: RFC 9438 4.9
    fn on_spurious_loss(&mut self, _now: Time) {
        if let Some(state) = self.undo.take()
            && state.window > self.state.window
        {
            self.state = state;
            self.recovery_from = None;
        }
    }

    fn on_mtu(&mut self, size: u64) {
        let scale = self.mtu as f64 / size as f64;
        self.mtu = size;
        self.state.window = self.state.window.max(minimum_window(size) as f64);
        self.state.window_max *= scale;
        self.state.window_prior *= scale;
        self.state.epoch = None;
    }

    fn window(&self) -> u64 {
        self.state.window as u64
    }

    fn pacing_rate(&self) -> u64 {
        rate_of_window(self.window(), self.smoothed_rtt, self.is_slow_start())
    }

    fn send_quantum(&self) -> u64 {
        quantum(self.pacing_rate(), self.mtu, self.smoothed_rtt)
    }

    fn is_slow_start(&self) -> bool {
        self.state.window < self.state.threshold
    }
}

/// The cube root by Newton's method: the library's own may differ between machines, and what a
/// simulation does must replay.
fn cube_root(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    // A third of the exponent is close enough to begin with.
    let mut root = f64::from_bits(value.to_bits() / 3 + 0x2A9F_7893_0000_0000);
    for _ in 0..4 {
        root -= (root * root * root - value) / (3.0 * root * root);
    }
    root
}

/// RFC 9438 4.1, 4.6: the scale C, the factor of a reduction, and what Reno's growth is multiplied
/// with to be as fair after such a reduction.
const SCALE: f64 = 0.4;
const BETA: f64 = 0.7;
const RENO_GAIN: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

#[cfg(test)]
mod tests;
