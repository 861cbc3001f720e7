//! Our controllers for connections of quinn-proto.
//!
//! What quinn-proto tells of packets is less than what `recovery` knows, so not everything is
//! exact:
//!
//! - Acknowledgements name no packet, only when it was sent. What was known then is kept for each
//!   time of sending; packets that left in one transmit share it, as one aggregate.
//! - Everything that leaves is told, also what only acknowledges and is never told of again. Bytes
//!   in flight are therefore guessed upwards in between, and put right by each ACK.
//! - Bytes in flight after an ACK are told before the losses that it shows; those follow in a
//!   report of their own: how many bytes, and when the newest of them was sent. They are taken for
//!   packets of full size that left in a row with that one.
//! - The round-trip estimate is updated after the ACK that it comes from. The adapter measures by
//!   itself, from the newest packet of each ACK; the peer's delay is not taken off.
//! - A mark of ECN is told, but not how many packets were marked: one is counted.
//! - Losses that were none are not told, and packets that arrive after they were declared lost
//!   neither: nothing is undone, and what was delivered is a little more than is counted.
//!
//! The window is what quinn-proto asks for; the rate it does not. It is in
//! `metrics().pacing_rate`, in bits per second, and whoever drives the connection keeps to it:
//! quinn-proto's own pacer lets five quarters of a window go in a round trip, which of BBR's
//! windows is more than twice the rate.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_proto::RttEstimator;
use quinn_proto::congestion::{
    Controller as QuinnController, ControllerFactory, ControllerMetrics,
};

use crate::time::Time;

use super::{
    AckEnd, Cause, Congestion, CongestionEvent, PacketSample, Settings, Snapshot, initial_window,
};

/// Makes the controllers of one connection's paths.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factory(pub(crate) Settings);

impl ControllerFactory for Factory {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn QuinnController> {
        Box::new(Adapter::new(self.0, now, current_mtu))
    }
}

/// The controller of one path.
#[derive(Debug, Clone)]
struct Adapter {
    congestion: Congestion,
    mtu: u64,
    /// Times are counted from there.
    origin: Instant,
    in_flight: u64,
    /// What left and is not settled, in the order of time.
    out: VecDeque<Aggregate>,
    /// Bytes in `out`.
    out_bytes: u64,
    /// Of what in `out` was told last; mostly the next is of the same.
    latest: usize,
    batch: Batch,
    smoothed: Option<Duration>,
    min: Duration,
}

/// What left at one time.
#[derive(Debug, Clone, Copy)]
struct Aggregate {
    sent_at: Time,
    /// Bytes of it that were not told of again.
    bytes: u64,
    snapshot: Snapshot,
}

/// The ACK in hand.
#[derive(Debug, Clone, Copy, Default)]
struct Batch {
    bytes: u64,
    newest_sent_at: Option<Time>,
}

impl Adapter {
    fn new(settings: Settings, now: Instant, mtu: u16) -> Adapter {
        Adapter {
            congestion: Congestion::new(settings, mtu.into()),
            mtu: mtu.into(),
            origin: now,
            in_flight: 0,
            out: VecDeque::new(),
            out_bytes: 0,
            latest: 0,
            batch: Batch::default(),
            smoothed: None,
            min: Duration::MAX,
        }
    }

    fn time(&self, at: Instant) -> Time {
        // Some time before the origin may be named: packets of the handshake.
        Time::ZERO + HEAD_START + at.saturating_duration_since(self.origin)
    }

    fn packet_sent(&mut self, now: Time, bytes: u64) {
        let snapshot = self.congestion.on_sent(now, bytes, self.in_flight);
        self.in_flight += bytes;
        self.out_bytes += bytes;
        match self.out.back_mut() {
            Some(last) if last.sent_at == now => {
                last.bytes += bytes;
                last.snapshot.in_flight = snapshot.in_flight;
            }
            Some(_) | None => self.out.push_back(Aggregate { sent_at: now, bytes, snapshot }),
        }
        if self.out.len() > AGGREGATES_MAX {
            self.forget_first();
        }
    }

    fn packet_acked(&mut self, now: Time, sent_at: Time, bytes: u64) {
        self.batch.bytes += bytes;
        self.batch.newest_sent_at = self.batch.newest_sent_at.max(Some(sent_at));
        let is_latest = self.out.get(self.latest).is_some_and(|latest| latest.sent_at == sent_at);
        if !is_latest {
            // What was forgotten is taken for what left next.
            self.latest = self.out.partition_point(|aggregate| aggregate.sent_at < sent_at);
        }
        let Some(aggregate) = self.out.get_mut(self.latest) else { return };
        let told = aggregate.bytes.min(bytes);
        aggregate.bytes -= told;
        self.out_bytes -= told;
        let packet = PacketSample { size: bytes, sent_at, snapshot: aggregate.snapshot };
        self.congestion.on_packet_acked(now, &packet);
    }

    fn acks_ended(&mut self, now: Time, in_flight: u64, is_app_limited: bool) {
        let Batch { bytes, newest_sent_at } = std::mem::take(&mut self.batch);
        self.in_flight = in_flight;
        let rtt_sample = newest_sent_at.map(|sent_at| now.since(sent_at));
        if let Some(sample) = rtt_sample {
            self.min = self.min.min(sample);
            self.smoothed = Some(self.smoothed.map_or(sample, |old| (old * 7 + sample) / 8));
            let end = AckEnd {
                prior_in_flight: in_flight + bytes,
                in_flight,
                rtt_sample,
                smoothed_rtt: self.smoothed.unwrap_or(sample),
                min_rtt: self.min,
            };
            self.congestion.on_ack_end(now, &end);
        }
        if is_app_limited {
            self.congestion.on_app_limited(in_flight);
        }
        // The newest of what left explain what is in flight; those before were settled untold.
        while let Some(first) = self.out.front()
            && (first.bytes == 0 || self.out_bytes - first.bytes >= in_flight)
        {
            self.forget_first();
        }
    }

    fn packets_lost(&mut self, now: Time, sent_at: Time, bytes: u64, is_persistent: bool) {
        let prior_in_flight = self.in_flight;
        let index = self.out.partition_point(|aggregate| aggregate.sent_at < sent_at);
        let last = self.out.get(index).or(self.out.back()).map(|aggregate| aggregate.snapshot);
        let mut left = bytes;
        while left > 0 {
            let size = left.min(self.mtu);
            left -= size;
            let mut snapshot = last.unwrap_or_default();
            let behind = u32::try_from(left).unwrap_or(u32::MAX);
            snapshot.in_flight = snapshot.in_flight.saturating_sub(behind).max(size as u32);
            self.congestion.on_packet_lost(now, &PacketSample { size, sent_at, snapshot });
        }
        self.in_flight = self.in_flight.saturating_sub(bytes);
        let cause = Cause::Loss { bytes, is_persistent };
        self.congestion.on_congestion(now, &CongestionEvent { cause, sent_at, prior_in_flight });
    }

    fn packet_marked(&mut self, now: Time, sent_at: Time) {
        let prior_in_flight = self.in_flight;
        let cause = Cause::Ecn { packets: 1 };
        self.congestion.on_congestion(now, &CongestionEvent { cause, sent_at, prior_in_flight });
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.out.pop_front() {
            self.latest = self.latest.saturating_sub(1);
            self.out_bytes -= first.bytes;
        }
    }
}

impl QuinnController for Adapter {
    fn on_sent(&mut self, now: Instant, bytes: u64, _last_packet_number: u64) {
        self.packet_sent(self.time(now), bytes);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        _app_limited: bool,
        _rtt: &RttEstimator,
    ) {
        self.packet_acked(self.time(now), self.time(sent), bytes);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        _largest_packet_num_acked: Option<u64>,
    ) {
        self.acks_ended(self.time(now), in_flight, app_limited);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        let (now, sent_at) = (self.time(now), self.time(sent));
        match lost_bytes {
            0 => self.packet_marked(now, sent_at),
            bytes => self.packets_lost(now, sent_at, bytes, is_persistent_congestion),
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu.into();
        self.congestion.on_mtu(self.mtu);
    }

    fn window(&self) -> u64 {
        self.congestion.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = ControllerMetrics::default();
        metrics.congestion_window = self.congestion.window();
        metrics.pacing_rate = Some(self.congestion.pacing_rate().saturating_mul(8));
        metrics
    }

    fn clone_box(&self) -> Box<dyn QuinnController> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        initial_window(self.mtu)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Times of sending that are kept: transmits that may be out at once.
const AGGREGATES_MAX: usize = 1 << 14;

/// No time is before it.
const HEAD_START: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests;
