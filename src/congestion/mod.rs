//! Congestion control of a path: how much may be out, and how fast it leaves.
//!
//! [`Congestion`] is what a path owns: a controller, the delivery-rate estimate that feeds it and
//! the pacer that obeys it. It knows no packet numbers: whoever keeps the packets (`recovery`, or
//! an adapter to another protocol) keeps a [`Snapshot`] with each and hands it back.

mod bbr2;
mod cubic;
mod hystart;
mod newreno;
mod pacer;
pub(crate) mod quinn;
mod rate;
#[cfg(test)]
mod test_net;
#[cfg(test)]
mod test_path;

use std::time::Duration;

use crate::time::Time;

use bbr2::Bbr2;
use cubic::Cubic;
use newreno::NewReno;
pub(crate) use pacer::Pacer;
use rate::RateEstimator;

pub(crate) use crate::config::Congestion as Algorithm;
pub(crate) use rate::{RateSample, Snapshot};

/// One path's congestion control: controller, rate estimate and pacer.
///
/// Order of calls: [`Self::budget`], then [`Self::on_sent`] for each packet in flight; for an ACK,
/// [`Self::on_packet_acked`] and [`Self::on_packet_lost`] for each packet, then
/// [`Self::on_ack_end`] once; for a loss timer, the lost packets, then [`Self::on_congestion`].
#[derive(Debug, Clone)]
pub(crate) struct Congestion {
    controller: AnyController,
    rate: RateEstimator,
    pacer: Pacer,
    acked: u64,
    mtu: u64,
    /// When the first packet left. Those before went where the path led then.
    began_at: Option<Time>,
}

/// What a path's congestion control is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// The controller.
    pub(crate) algorithm: Algorithm,
    /// Per cent of packets that may be lost in a round trip before `bbr2` takes the loss for a full
    /// queue.
    pub(crate) loss_percent: u8,
    /// Spreads the probes of flows that share a link; any number.
    pub(crate) seed: u64,
}

impl From<Algorithm> for Settings {
    fn from(algorithm: Algorithm) -> Settings {
        Settings { algorithm, loss_percent: LOSS_PERCENT, seed: 0 }
    }
}

/// What an ACK told besides its packets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckEnd {
    /// Bytes in flight before the ACK.
    pub(crate) prior_in_flight: u64,
    /// Bytes in flight after it, and after the losses that it showed.
    pub(crate) in_flight: u64,
    /// The round-trip sample that it gave.
    pub(crate) rtt_sample: Option<Duration>,
    /// The smoothed round trip after it.
    pub(crate) smoothed_rtt: Duration,
    /// The least round trip.
    pub(crate) min_rtt: Duration,
}

/// A signal to slow down: packets lost, or marked by a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CongestionEvent {
    /// What the signal was.
    pub(crate) cause: Cause,
    /// When the newest packet that was lost or marked had been sent.
    pub(crate) sent_at: Time,
    /// Bytes in flight when the signal came, the lost ones counted.
    pub(crate) prior_in_flight: u64,
}

/// What a [`CongestionEvent`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Packets were declared lost.
    Loss {
        /// How many bytes.
        bytes: u64,
        /// Whether the losses span persistent congestion.
        is_persistent: bool,
    },
    /// The peer counted this many more packets with CE.
    Ecn {
        /// How many packets.
        packets: u64,
    },
}

/// A packet that leaves, as a controller sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Departure {
    /// Its bytes.
    pub(crate) size: u64,
    /// Bytes in flight before it.
    pub(crate) in_flight: u64,
    /// Whether the application had nothing to send shortly before.
    pub(crate) is_app_limited: bool,
}

/// A packet that was acknowledged or lost, as a controller sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacketSample {
    /// Its bytes.
    pub(crate) size: u64,
    /// When it left.
    pub(crate) sent_at: Time,
    /// What was known then.
    pub(crate) snapshot: Snapshot,
}

/// A lost packet, as a controller sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LossSample {
    /// The packet.
    pub(crate) packet: PacketSample,
    /// Bytes lost or marked since it was sent, its own included.
    pub(crate) lost: u64,
    /// Bytes delivered on the path so far.
    pub(crate) delivered: u64,
}

/// A whole ACK, as a controller sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckSample {
    /// What the ACK told.
    pub(crate) end: AckEnd,
    /// Bytes that it acknowledged for the first time.
    pub(crate) acked: u64,
    /// Bytes delivered on the path so far.
    pub(crate) delivered: u64,
    /// The delivery-rate sample.
    pub(crate) rate: Option<RateSample>,
}

/// A congestion controller: bytes that may be out, and the rate at which they leave.
// spec: 13.5 congestion control
pub(crate) trait Controller {
    /// A packet leaves.
    fn on_sent(&mut self, now: Time, packet: &Departure);

    /// A packet was acknowledged for the first time.
    fn on_packet_acked(&mut self, now: Time, packet: &PacketSample);

    /// All packets of an ACK were fed; comes before the congestion event that it may have shown.
    fn on_ack(&mut self, now: Time, ack: &AckSample);

    /// A packet was declared lost.
    fn on_packet_lost(&mut self, now: Time, loss: &LossSample);

    /// Packets were lost or marked.
    fn on_congestion(&mut self, now: Time, event: &CongestionEvent);

    /// All losses of the last episode were no losses: takes the reduction back.
    fn on_spurious_loss(&mut self, now: Time);

    /// The packet size changed.
    fn on_mtu(&mut self, size: u64);

    /// Bytes that may be in flight.
    fn window(&self) -> u64;

    /// Bytes per second at which packets may leave.
    fn pacing_rate(&self) -> u64;

    /// Bytes that may leave at once.
    fn send_quantum(&self) -> u64;

    /// Whether the window still grows without bound.
    fn is_slow_start(&self) -> bool;

    /// Whether it sends little on purpose, so that delivery rates tell nothing of the path.
    fn is_holding_back(&self) -> bool {
        false
    }
}

impl Congestion {
    /// A path that begins, with packets of `mtu` bytes.
    pub(crate) fn new(settings: impl Into<Settings>, mtu: u64) -> Congestion {
        let settings = settings.into();
        Congestion {
            controller: AnyController::new(&settings, mtu),
            rate: RateEstimator::default(),
            pacer: Pacer::default(),
            acked: 0,
            mtu,
            began_at: None,
        }
    }

    /// How many bytes may leave now, with `in_flight` out: what window and pacer both allow.
    ///
    /// 0: wait for an ACK, or until [`Self::release_time`]. Anything else allows at least one
    /// whole packet.
    pub(crate) fn budget(&mut self, now: Time, in_flight: u64) -> u64 {
        let window = self.controller.window().saturating_sub(in_flight);
        if window == 0 {
            return 0;
        }
        let (rate, quantum) = (self.controller.pacing_rate(), self.controller.send_quantum());
        window.min(self.pacer.budget(now, rate, quantum))
    }

    /// When the pacer lets the next burst go; none when it does not hold anything back.
    pub(crate) fn release_time(&self) -> Option<Time> {
        self.pacer.release_time()
    }

    /// A packet that counts as in flight leaves; `in_flight` bytes were out before it. The answer
    /// is to be kept with the packet.
    pub(crate) fn on_sent(&mut self, now: Time, size: u64, in_flight: u64) -> Snapshot {
        self.began_at.get_or_insert(now);
        let snapshot = self.rate.on_sent(now, size, in_flight);
        let is_app_limited = snapshot.is_app_limited;
        self.controller.on_sent(now, &Departure { size, in_flight, is_app_limited });
        self.pacer.on_sent(size, self.controller.pacing_rate());
        snapshot
    }

    /// There was nothing to send though window and pacer allowed it; `in_flight` bytes are out.
    pub(crate) fn on_app_limited(&mut self, in_flight: u64) {
        self.rate.on_app_limited(in_flight);
    }

    /// A packet was acknowledged that counted as in flight.
    #[inline]
    pub(crate) fn on_packet_acked(&mut self, now: Time, packet: &PacketSample) {
        self.acked += packet.size;
        self.rate.on_acked(now, packet.size, packet.sent_at, &packet.snapshot);
        self.controller.on_packet_acked(now, packet);
    }

    /// A packet was acknowledged that had been declared lost, perhaps when the path led elsewhere.
    pub(crate) fn on_packet_acked_late(&mut self, now: Time, packet: &PacketSample) {
        if self.began_at.is_some_and(|began_at| packet.sent_at >= began_at) {
            self.rate.on_acked_late(now, packet.size);
        }
    }

    /// A packet was declared lost that counted as in flight; not to be called for MTU probes.
    pub(crate) fn on_packet_lost(&mut self, now: Time, packet: &PacketSample) {
        self.rate.on_lost(packet.size);
        let lost = self.rate.lost_since(&packet.snapshot);
        let delivered = self.rate.delivered();
        self.controller.on_packet_lost(now, &LossSample { packet: *packet, lost, delivered });
    }

    /// All packets of an ACK were fed.
    pub(crate) fn on_ack_end(&mut self, now: Time, end: &AckEnd) {
        let ack = AckSample {
            end: *end,
            acked: std::mem::take(&mut self.acked),
            delivered: self.rate.delivered(),
            rate: self.rate.take_sample(end.min_rtt),
        };
        self.controller.on_ack(now, &ack);
        if self.controller.is_holding_back() {
            self.rate.on_app_limited(end.in_flight);
        }
    }

    /// Packets were lost or marked; comes after the packets, and after [`Self::on_ack_end`] if an
    /// ACK showed it.
    pub(crate) fn on_congestion(&mut self, now: Time, event: &CongestionEvent) {
        if let Cause::Ecn { packets } = event.cause {
            self.rate.on_marked(packets * self.mtu);
        }
        self.controller.on_congestion(now, event);
    }

    /// All losses of the last episode were acknowledged late.
    // spec: 13.2 differences from RFC 9002
    pub(crate) fn on_spurious_loss(&mut self, now: Time) {
        self.controller.on_spurious_loss(now);
    }

    /// The packet size changed.
    pub(crate) fn on_mtu(&mut self, size: u64) {
        self.mtu = size;
        self.controller.on_mtu(size);
    }

    /// Bytes that may be in flight.
    pub(crate) fn window(&self) -> u64 {
        self.controller.window()
    }

    /// Bytes that may leave in a second; 0: no limit.
    pub(crate) fn pacing_rate(&self) -> u64 {
        self.controller.pacing_rate()
    }

    /// Whether the window still grows without bound.
    #[cfg(test)]
    pub(crate) fn is_slow_start(&self) -> bool {
        self.controller.is_slow_start()
    }

    /// Bytes delivered and lost on the path so far.
    pub(crate) fn totals(&self) -> (u64, u64) {
        self.rate.totals()
    }
}

/// The controllers, dispatched without a table.
#[derive(Debug, Clone)]
enum AnyController {
    NewReno(NewReno),
    // Boxed: an idle path should be small whichever it runs.
    Cubic(Box<Cubic>),
    Bbr2(Box<Bbr2>),
}

impl AnyController {
    fn new(settings: &Settings, mtu: u64) -> AnyController {
        match settings.algorithm {
            Algorithm::NewReno => AnyController::NewReno(NewReno::new(mtu)),
            Algorithm::Cubic => AnyController::Cubic(Box::new(Cubic::new(mtu))),
            Algorithm::Bbr2 => AnyController::Bbr2(Box::new(Bbr2::new(settings, mtu))),
        }
    }
}

macro_rules! each {
    ($self:expr, $controller:ident => $call:expr) => {
        match $self {
            AnyController::NewReno($controller) => $call,
            AnyController::Cubic($controller) => $call,
            AnyController::Bbr2($controller) => $call,
        }
    };
}

impl Controller for AnyController {
    fn on_sent(&mut self, now: Time, packet: &Departure) {
        each!(self, it => it.on_sent(now, packet));
    }

    #[inline]
    fn on_packet_acked(&mut self, now: Time, packet: &PacketSample) {
        each!(self, it => it.on_packet_acked(now, packet));
    }

    fn on_ack(&mut self, now: Time, ack: &AckSample) {
        each!(self, it => it.on_ack(now, ack));
    }

    fn on_packet_lost(&mut self, now: Time, loss: &LossSample) {
        each!(self, it => it.on_packet_lost(now, loss));
    }

    fn on_congestion(&mut self, now: Time, event: &CongestionEvent) {
        each!(self, it => it.on_congestion(now, event));
    }

    fn on_spurious_loss(&mut self, now: Time) {
        each!(self, it => it.on_spurious_loss(now));
    }

    fn on_mtu(&mut self, size: u64) {
        each!(self, it => it.on_mtu(size));
    }

    fn window(&self) -> u64 {
        each!(self, it => it.window())
    }

    fn pacing_rate(&self) -> u64 {
        each!(self, it => it.pacing_rate())
    }

    fn send_quantum(&self) -> u64 {
        each!(self, it => it.send_quantum())
    }

    fn is_slow_start(&self) -> bool {
        each!(self, it => it.is_slow_start())
    }

    fn is_holding_back(&self) -> bool {
        each!(self, it => it.is_holding_back())
    }
}

/// The window that a path begins with, and gets back when it is moved to another address.
// spec: 13.5 congestion control
fn initial_window(mtu: u64) -> u64 {
    (10 * mtu).min(14_720.max(2 * mtu))
}

/// The window below which no loss brings it.
// spec: RFC 9002 7.2
fn minimum_window(mtu: u64) -> u64 {
    2 * mtu
}

/// Bytes that leave at once at `rate`: what 1 ms holds, a full GSO batch at most; before a round
/// trip is known, the initial window.
// spec: RFC 9002 7.7
fn quantum(rate: u64, mtu: u64, smoothed_rtt: Option<Duration>) -> u64 {
    match smoothed_rtt {
        Some(_) => (rate / 1000).clamp(2 * mtu, QUANTUM_MAX.max(2 * mtu)),
        None => initial_window(mtu),
    }
}

/// The rate of a controller that has only a window: it leaves in less than a round trip, so that
/// the window stays the limit.
// spec: RFC 9002 7.7
fn rate_of_window(window: u64, smoothed_rtt: Option<Duration>, is_slow_start: bool) -> u64 {
    let gained = if is_slow_start { window * 2 } else { window + window / 4 };
    let round = smoothed_rtt.unwrap_or(RTT_UNKNOWN).max(RTT_MIN);
    rate::per_second(gained, round).unwrap_or(u64::MAX)
}

/// Whether the window was the limit with `in_flight` bytes out: else it must not grow.
// spec: RFC 9002 7.8
fn is_window_used(controller: &impl Controller, mtu: u64, in_flight: u64) -> bool {
    let window = controller.window();
    if controller.is_slow_start() {
        return in_flight * 2 >= window;
    }
    // A sender that leaves in bursts is up to one of them short of the window.
    let burst = controller.send_quantum().min(window / 4).max(3 * mtu);
    in_flight + burst >= window
}

/// What `bbr2` tolerates unless it is told otherwise: LossThresh of draft-ietf-ccwg-bbr-06 2.8.
const LOSS_PERCENT: u8 = 2;

/// What one GSO send carries.
const QUANTUM_MAX: u64 = 64 * 1024;

/// No window is larger, whatever a peer acknowledges.
const WINDOW_MAX: u64 = 1 << 31;

/// Taken as the round trip before there is a sample.
const RTT_UNKNOWN: Duration = Duration::from_millis(100);

/// No round trip is taken as shorter.
const RTT_MIN: Duration = Duration::from_micros(1);
