//! BBR: sends at the rate that the path was measured to deliver, with what fills it in flight.
//!
//! This is version 2 (draft-cardwell-iccrg-bbr-congestion-control-02) with what version 3 fixed
//! (draft-ietf-ccwg-bbr-06). `BBR 5.3.1` in a citation is a section of the latter; where the two
//! differ, a comment says what was fixed. Rates are in bytes per second, volumes in bytes,
//! factors in per cent.
//!
//! The files are the concerns: `model` (what is known of the path), `startup`, `drain`, `probe_bw`
//! and `probe_rtt` (the states), `loss` (what losses and marks change), `undo` (when they were
//! none).

mod drain;
mod loss;
mod model;
mod probe_bw;
mod probe_rtt;
mod startup;
mod undo;

use std::time::Duration;

use crate::time::Time;

use super::pacer::bytes_of;
use super::rate::per_second;
use super::{
    AckSample, Cause, CongestionEvent, Controller, Departure, LossSample, PacketSample, RateSample,
    Settings, WINDOW_MAX, initial_window, minimum_window, quantum,
};
use loss::LossRound;
use model::Model;
use probe_bw::Cycle;
use probe_rtt::ProbeRtt;
use startup::FullPipe;
use undo::Undo;

/// The controller of a path.
#[derive(Debug, Clone)]
pub(crate) struct Bbr2 {
    mtu: u64,
    /// What a round trip may lose before the queue is taken as full.
    loss_percent: u64,
    state: State,
    model: Model,
    full_pipe: FullPipe,
    cycle: Cycle,
    probe_rtt: ProbeRtt,
    loss: LossRound,
    undo: Undo,
    window: u64,
    /// The window before a loss or a probe of the round trip made it smaller.
    prior_window: u64,
    pacing_rate: u64,
    has_round_trip: bool,
    /// What was in flight reached the window: in this round trip, in the one before.
    is_window_reached: (bool, bool),
    /// The application was silent; what it sends now is heard next.
    is_idle_restart: bool,
    /// The state of the draws.
    random: u64,
}

/// What is being done.
// spec: BBR 5.1.1
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The rate doubles each round trip until the path delivers no more.
    Startup,
    /// The queue that this left is let go.
    Drain,
    /// Slower than the path, until the queue is empty.
    Down,
    /// As fast as the path.
    Cruise,
    /// As fast as the path, with short-term limits forgotten, to fill it before it is probed.
    Refill,
    /// Faster than the path: is there more?
    Up,
    /// With half of what fills the path, to see its round trip.
    ProbeRtt,
}

/// One ACK.
#[derive(Debug, Clone, Copy)]
struct Ack {
    now: Time,
    /// Bytes acknowledged for the first time.
    newly_acked: u64,
    /// Bytes delivered on the path so far.
    delivered: u64,
    in_flight: u64,
    round_trip: Option<Duration>,
    sample: RateSample,
}

impl Bbr2 {
    /// A path that begins.
    // spec: BBR 5.2.1
    pub(super) fn new(settings: &Settings, mtu: u64) -> Bbr2 {
        Bbr2 {
            mtu,
            loss_percent: u64::from(settings.loss_percent).clamp(1, 90),
            state: State::Startup,
            model: Model::new(),
            full_pipe: FullPipe::default(),
            cycle: Cycle::default(),
            probe_rtt: ProbeRtt::default(),
            loss: LossRound::default(),
            undo: Undo::default(),
            window: initial_window(mtu),
            prior_window: 0,
            pacing_rate: startup_rate(initial_window(mtu), RTT_ASSUMED),
            has_round_trip: false,
            is_window_reached: (false, false),
            is_idle_restart: false,
            random: settings.seed,
        }
    }

    // spec: BBR 5.2.3
    fn update_model_and_state(&mut self, ack: &Ack) {
        self.update_latest_delivery(ack);
        self.update_congestion_signals(ack);
        self.model.update_aggregation(ack, self.window, self.full_pipe.was_reached);
        self.check_full_pipe(ack);
        self.check_startup_done(ack);
        self.check_drain_done(ack);
        self.update_cycle(ack);
        self.update_min_rtt(ack);
        self.check_probe_rtt(ack);
        self.advance_latest_delivery(ack);
        self.model.bound_rate();
    }

    fn update_control(&mut self, ack: &Ack) {
        if !self.has_round_trip
            && let Some(round_trip) = ack.round_trip
        {
            // spec: BBR 5.6.2: the rate of the initial window, once the round trip is known.
            self.has_round_trip = true;
            self.pacing_rate = startup_rate(initial_window(self.mtu), round_trip);
        }
        self.set_pacing_rate(self.pacing_gain());
        self.set_window(ack);
    }

    // spec: BBR 5.6.2
    fn set_pacing_rate(&mut self, gain_percent: u64) {
        // A rate that losses lowered is below the path's as it is: with the margin on top, each
        // round trip with a loss would deliver less than the one before, whatever was lost.
        let margin = if self.model.is_rate_short() { 0 } else { MARGIN_PERCENT };
        let rate = self.model.rate.saturating_mul(gain_percent * (100 - margin)) / 10_000;
        // Before the pipe was full once, low samples only show that the application was the limit.
        if self.full_pipe.was_reached || rate > self.pacing_rate {
            self.pacing_rate = rate.max(1);
        }
    }

    // spec: BBR 5.6.4.6
    fn set_window(&mut self, ack: &Ack) {
        let most = self.max_in_flight();
        if self.full_pipe.was_reached {
            self.window = (self.window + ack.newly_acked).min(most);
        } else if self.window < most || ack.delivered < initial_window(self.mtu) {
            self.window += ack.newly_acked;
        }
        self.window = self.window.max(self.min_pipe());
        // spec: BBR 5.6.4.5
        if self.state == State::ProbeRtt {
            self.window = self.window.min(self.probe_rtt_window());
        }
        self.window = self.window.min(self.window_bound()).min(WINDOW_MAX);
    }

    // spec: BBR 5.6.4.7
    fn window_bound(&self) -> u64 {
        let long = match self.state {
            State::Startup | State::Drain => u64::MAX,
            State::Down | State::Refill | State::Up => self.model.in_flight_long,
            State::Cruise | State::ProbeRtt => self.in_flight_with_headroom(),
        };
        long.min(self.model.in_flight_short).max(self.min_pipe())
    }

    // spec: BBR 5.6.4.2
    fn max_in_flight(&self) -> u64 {
        let bdp = self.bdp_multiple(self.model.rate, self.window_gain());
        self.quantized(bdp.saturating_add(self.model.extra_acked()))
    }

    /// What fills the path at `rate`, with what batches need on top.
    fn in_flight_at(&self, rate: u64) -> u64 {
        self.quantized(self.bdp_multiple(rate, 100))
    }

    fn bdp_multiple(&self, rate: u64, gain_percent: u64) -> u64 {
        match self.model.bdp(rate) {
            Some(bdp) => bdp.saturating_mul(gain_percent) / 100,
            None => initial_window(self.mtu),
        }
    }

    // spec: BBR 5.5.8.2, 5.6.4.2
    fn quantized(&self, in_flight: u64) -> u64 {
        // One is being sent, one is on its way, and one is being received.
        let offload = (QUANTA * self.send_quantum()).max(volume(self.model.rate, WAKE_UP));
        let enough = in_flight.max(offload).max(self.min_pipe());
        match self.state {
            State::Up => enough + 2 * self.mtu,
            State::Startup
            | State::Drain
            | State::Down
            | State::Cruise
            | State::Refill
            | State::ProbeRtt => enough,
        }
    }

    // spec: BBR 5.6.4.3
    const fn min_pipe(&self) -> u64 {
        4 * self.mtu
    }

    // spec: BBR 5.6.1. Version 2 had 2.77 and 0.36 in Startup and Drain (5.3.1.1, 5.3.2), and a
    // window gain of 2 in Up (5.3.3.5).
    const fn pacing_gain(&self) -> u64 {
        match self.state {
            State::Startup => 277,
            State::Drain => 50,
            State::Down => DOWN_GAIN,
            State::Cruise | State::Refill | State::ProbeRtt => 100,
            State::Up => 125,
        }
    }

    const fn window_gain(&self) -> u64 {
        match self.state {
            State::Startup | State::Drain | State::Down | State::Cruise | State::Refill => 200,
            State::Up => 225,
            State::ProbeRtt => 50,
        }
    }

    const fn is_probing_bandwidth_state(&self) -> bool {
        match self.state {
            State::Down | State::Cruise | State::Refill | State::Up => true,
            State::Startup | State::Drain | State::ProbeRtt => false,
        }
    }

    /// Whether it sends what the path may not take, to see.
    const fn is_probing(&self) -> bool {
        match self.state {
            State::Startup | State::Refill | State::Up => true,
            State::Drain | State::Down | State::Cruise | State::ProbeRtt => false,
        }
    }

    const fn is_window_limited(&self) -> bool {
        self.is_window_reached.0 || self.is_window_reached.1
    }

    // spec: BBR 5.4.1
    fn restart_from_idle(&mut self, now: Time) {
        self.is_idle_restart = true;
        self.model.restart_aggregation(now);
        if self.is_probing_bandwidth_state() {
            self.set_pacing_rate(100);
        } else if self.state == State::ProbeRtt {
            self.check_probe_rtt_done(now);
        }
    }

    /// A draw of `bits` bits (splitmix64).
    fn draw(&mut self, bits: u32) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) >> (64 - bits)
    }
}

impl Controller for Bbr2 {
    fn on_sent(&mut self, now: Time, packet: &Departure) {
        if packet.in_flight == 0 && packet.is_app_limited {
            self.restart_from_idle(now);
        }
        if packet.in_flight + packet.size >= self.window {
            self.is_window_reached.0 = true;
        }
    }

    #[inline]
    fn on_packet_acked(&mut self, _now: Time, _packet: &PacketSample) {}

    fn on_ack(&mut self, now: Time, ack: &AckSample) {
        // What acknowledges nothing for the first time tells nothing of the path.
        let Some(sample) = ack.rate else { return };
        let ack = Ack {
            now,
            newly_acked: ack.acked,
            delivered: ack.delivered,
            in_flight: ack.end.in_flight,
            round_trip: ack.end.rtt_sample,
            sample,
        };
        self.update_model_and_state(&ack);
        self.update_control(&ack);
    }

    fn on_packet_lost(&mut self, now: Time, loss: &LossSample) {
        self.handle_lost_packet(now, loss);
    }

    fn on_congestion(&mut self, now: Time, event: &CongestionEvent) {
        match event.cause {
            Cause::Ecn { packets } => self.handle_marks(now, packets),
            Cause::Loss { bytes, is_persistent: true } => {
                // Nothing got through for long: the window begins anew, and grows as what is sent
                // arrives.
                // spec: BBR 5.6.4.4
                self.save_window();
                let in_flight = event.prior_in_flight.saturating_sub(bytes);
                self.window = (in_flight + self.mtu).max(minimum_window(self.mtu));
            }
            Cause::Loss { is_persistent: false, .. } => {}
        }
    }

    fn on_spurious_loss(&mut self, _now: Time) {
        self.undo_loss();
    }

    fn on_mtu(&mut self, size: u64) {
        self.mtu = size;
        self.window = self.window.max(self.min_pipe());
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self) -> u64 {
        self.pacing_rate
    }

    // spec: BBR 5.6.3
    fn send_quantum(&self) -> u64 {
        quantum(self.pacing_rate, self.mtu, self.has_round_trip.then_some(RTT_ASSUMED))
    }

    fn is_slow_start(&self) -> bool {
        self.state == State::Startup
    }

    // spec: BBR 5.3.4.3: low samples during ProbeRTT are ignored.
    fn is_holding_back(&self) -> bool {
        self.state == State::ProbeRtt
    }
}

/// The rate that doubles what is sent each round trip, from a first window.
// spec: BBR 5.6.2
fn startup_rate(window: u64, round_trip: Duration) -> u64 {
    let rate = per_second(window, round_trip.max(Duration::from_micros(1)));
    rate.unwrap_or(u64::MAX / 1000).saturating_mul(277) / 100
}

/// What a rate delivers in a span.
fn volume(rate: u64, span: Duration) -> u64 {
    bytes_of(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX), rate)
}

/// Quanta in flight that keep both hosts busy, whatever the path needs.
// spec: BBR 5.5.8.2: offload_budget
const QUANTA: u64 = 3;

/// How long a host may take to be woken and to read what came, more than its round trips show. Only
/// above 400 MB/s it is more than the quanta are, which grow no further there.
const WAKE_UP: Duration = Duration::from_micros(500);

/// The pacing gain of Down.
// spec: BBR 5.3.3.1
const DOWN_GAIN: u64 = 90;

/// Taken as the round trip before there is one.
// spec: BBR 5.6.2
const RTT_ASSUMED: Duration = Duration::from_millis(1);

/// How far below the measured rate it is sent, so that queues drain.
// spec: BBR 2.5: PacingMarginPercent
const MARGIN_PERCENT: u64 = 1;

#[cfg(test)]
mod tests;
