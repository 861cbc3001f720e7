//! One sender over one link with a drop-tail queue, for tests of controllers and pacer: every
//! packet arrives or is dropped, every arrival is acknowledged by itself after the round trip.

use std::collections::VecDeque;
use std::time::Duration;

use super::{AckEnd, Algorithm, Cause, Congestion, CongestionEvent, PacketSample};
use crate::time::Time;

/// The sender and its link.
pub(super) struct TestPath {
    pub(super) congestion: Congestion,
    pub(super) now: Time,
    /// Bytes per second of the link.
    rate: u64,
    round_trip: Duration,
    /// Bytes that the queue holds.
    queue: u64,
    /// When the link will have sent all that is queued.
    busy_until: Time,
    in_flight: u64,
    /// What will be heard, in order of time.
    news: VecDeque<(Time, PacketSample, bool)>,
    /// Every departure.
    pub(super) departures: Vec<(Time, u64)>,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) window_max: u64,
}

impl TestPath {
    pub(super) fn new(algorithm: Algorithm, rate: u64, round_trip: Duration, queue: u64) -> Self {
        TestPath {
            congestion: Congestion::new(algorithm, MTU),
            now: Time::ZERO,
            rate,
            round_trip,
            queue,
            busy_until: Time::ZERO,
            in_flight: 0,
            news: VecDeque::new(),
            departures: Vec::new(),
            delivered: 0,
            lost: 0,
            window_max: 0,
        }
    }

    /// Runs until `end` with always something to send.
    pub(super) fn run(&mut self, end: Time) {
        while self.now < end {
            self.send();
            let news = self.news.front().map(|(at, ..)| *at);
            let release = self.congestion.release_time().filter(|_| self.is_window_open());
            let next = news.into_iter().chain(release).min().expect("a path never stalls");
            assert!(next >= self.now, "{next} is before {}", self.now);
            self.now = next;
            self.hear();
        }
    }

    fn is_window_open(&self) -> bool {
        self.in_flight < self.congestion.window()
    }

    fn send(&mut self) {
        loop {
            let mut budget = self.congestion.budget(self.now, self.in_flight);
            if budget == 0 {
                return;
            }
            while budget != 0 {
                self.send_one();
                budget = budget.saturating_sub(MTU);
            }
        }
    }

    fn send_one(&mut self) {
        let snapshot = self.congestion.on_sent(self.now, MTU, self.in_flight);
        self.in_flight += MTU;
        self.departures.push((self.now, MTU));
        let packet = PacketSample { size: MTU, sent_at: self.now, snapshot };
        let waits = self.busy_until.since(self.now);
        let queued = u128::from(self.rate) * waits.as_nanos() / 1_000_000_000;
        let is_dropped = queued as u64 + MTU > self.queue + MTU;
        if !is_dropped {
            let takes = Duration::from_nanos(MTU * 1_000_000_000 / self.rate);
            self.busy_until = self.busy_until.max(self.now) + takes;
        }
        // A loss is known when the packet behind it is acknowledged: about the same time.
        let heard_at = self.busy_until.max(self.now) + self.round_trip;
        self.news.push_back((heard_at, packet, is_dropped));
    }

    fn hear(&mut self) {
        while let Some((at, packet, is_dropped)) = self.news.front().copied() {
            if at > self.now {
                return;
            }
            self.news.pop_front();
            let prior_in_flight = self.in_flight;
            self.in_flight -= MTU;
            if is_dropped {
                self.lost += MTU;
                self.congestion.on_packet_lost(self.now, &packet);
                let cause = Cause::Loss { bytes: MTU, is_persistent: false };
                let event = CongestionEvent { cause, sent_at: packet.sent_at, prior_in_flight };
                self.congestion.on_congestion(self.now, &event);
                continue;
            }
            self.delivered += MTU;
            self.congestion.on_packet_acked(self.now, &packet);
            let rtt = self.now.since(packet.sent_at);
            self.congestion.on_ack_end(
                self.now,
                &AckEnd {
                    prior_in_flight,
                    in_flight: self.in_flight,
                    rtt_sample: Some(rtt),
                    smoothed_rtt: rtt,
                    min_rtt: self.round_trip,
                },
            );
            self.window_max = self.window_max.max(self.congestion.window());
        }
    }
}

pub(super) const MTU: u64 = 1200;

pub(super) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(super) fn at(millis: u64) -> Time {
    Time::ZERO + ms(millis)
}
