//! Several senders over one bottleneck, for tests of what controllers do to each other and to a
//! queue: drop-tail or marking, random loss, policed, with acknowledgements one by one or bundled.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::test_path::MTU;
use super::{AckEnd, Cause, Congestion, CongestionEvent, PacketSample, Settings};
use crate::time::Time;

/// The senders and what they share.
pub(super) struct TestNet {
    pub(super) now: Time,
    pub(super) flows: Vec<Flow>,
    pub(super) link: Link,
    /// What will be heard: when, of which flow, which packet, whether it was marked.
    news: BinaryHeap<Reverse<(Time, u64, usize, bool)>>,
    pub(super) random: u64,
}

/// The bottleneck.
pub(super) struct Link {
    /// Bytes per second.
    pub(super) rate: u64,
    /// Bytes that the queue holds.
    pub(super) queue: u64,
    /// Of a thousand packets, how many are lost behind the queue.
    pub(super) lost_per_mille: u64,
    /// Packets that wait behind more than this are marked.
    pub(super) marks_above: Option<u64>,
    /// Acknowledgements are let through together, so often.
    pub(super) bundles: Option<Duration>,
    /// What passes is also held to a rate, with a bucket of bytes.
    pub(super) policer: Option<Policer>,
    /// When it will have sent all that is queued.
    busy_until: Time,
}

/// A token bucket.
#[derive(Clone, Copy)]
pub(super) struct Policer {
    pub(super) rate: u64,
    pub(super) bucket: u64,
    tokens: u64,
    filled_at: Time,
}

/// One sender.
pub(super) struct Flow {
    pub(super) congestion: Congestion,
    /// The round trip without the queue.
    pub(super) round_trip: Duration,
    pub(super) in_flight: u64,
    /// Bytes that the application still has; none: no end.
    pub(super) backlog: Option<u64>,
    pub(super) starts_at: Time,
    pub(super) delivered: u64,
    /// Dropped at the queue's tail or by the policer.
    pub(super) dropped: u64,
    pub(super) sent_bytes: u64,
    pub(super) smoothed: Duration,
    min: Duration,
    heard_at: Time,
    /// Packets from number `base` on; none: settled.
    out: VecDeque<Option<PacketSample>>,
    base: u64,
}

impl Policer {
    pub(super) fn new(rate: u64, bucket: u64) -> Policer {
        Policer { rate, bucket, tokens: bucket, filled_at: Time::ZERO }
    }

    fn passes(&mut self, now: Time) -> bool {
        let filled = self.rate as u128 * now.since(self.filled_at).as_nanos() / 1_000_000_000;
        if filled > 0 {
            self.tokens = (self.tokens + filled as u64).min(self.bucket);
            self.filled_at = now;
        }
        let passes = self.tokens >= MTU;
        self.tokens -= if passes { MTU } else { 0 };
        passes
    }
}

impl Link {
    pub(super) fn new(rate: u64, queue: u64) -> Link {
        let busy_until = Time::ZERO;
        Link {
            rate,
            queue,
            lost_per_mille: 0,
            marks_above: None,
            bundles: None,
            policer: None,
            busy_until,
        }
    }

    /// Bytes that wait.
    pub(super) fn queued(&self, now: Time) -> u64 {
        (u128::from(self.rate) * self.busy_until.since(now).as_nanos() / 1_000_000_000) as u64
    }

    /// From now on another rate; what waits, waits on.
    pub(super) fn set_rate(&mut self, now: Time, rate: u64) {
        let queued = self.queued(now);
        self.rate = rate;
        self.busy_until = now + Duration::from_nanos(queued * 1_000_000_000 / rate);
    }
}

impl TestNet {
    pub(super) fn new(link: Link) -> TestNet {
        TestNet { now: Time::ZERO, flows: Vec::new(), link, news: BinaryHeap::new(), random: 7 }
    }

    /// One sender alone.
    pub(super) fn single(settings: impl Into<Settings>, link: Link, round_trip: Duration) -> Self {
        let mut net = TestNet::new(link);
        net.add(settings, round_trip, Time::ZERO);
        net
    }

    pub(super) fn add(&mut self, settings: impl Into<Settings>, round_trip: Duration, at: Time) {
        let mut settings = settings.into();
        settings.seed += self.flows.len() as u64;
        self.flows.push(Flow {
            congestion: Congestion::new(settings, MTU),
            round_trip,
            in_flight: 0,
            backlog: None,
            starts_at: at,
            delivered: 0,
            dropped: 0,
            sent_bytes: 0,
            smoothed: round_trip,
            min: round_trip,
            heard_at: Time::ZERO,
            out: VecDeque::new(),
            base: 0,
        });
    }

    /// A flow's path begins anew: what is out is lost.
    pub(super) fn restart(&mut self, index: usize, settings: Settings) {
        let flow = &mut self.flows[index];
        flow.congestion = Congestion::new(settings, MTU);
        (flow.base, flow.in_flight) = (flow.base + flow.out.len() as u64, 0);
        flow.out.clear();
    }

    /// Runs for a while.
    pub(super) fn run(&mut self, span: Duration) {
        self.watch(span, |_| {});
    }

    /// Runs for a while, and shows itself after each step.
    pub(super) fn watch(&mut self, span: Duration, mut look: impl FnMut(&mut TestNet)) {
        let end = self.now + span;
        loop {
            for index in 0..self.flows.len() {
                self.send(index);
            }
            look(self);
            let next = self.next_time().filter(|at| *at <= end);
            let Some(next) = next else { break };
            assert!(next >= self.now, "{next} is before {}", self.now);
            self.now = next;
            self.hear();
            self.give_up();
        }
        self.now = end;
    }

    fn next_time(&self) -> Option<Time> {
        let news = self.news.peek().map(|Reverse((at, ..))| *at);
        let mut next = news;
        for flow in &self.flows {
            let starts = Some(flow.starts_at).filter(|at| *at > self.now);
            let can_send = flow.in_flight < flow.congestion.window() && flow.backlog != Some(0);
            let release = flow.congestion.release_time().filter(|_| can_send && starts.is_none());
            let gives_up = (flow.in_flight > 0).then(|| flow.gives_up_at());
            next = next.into_iter().chain(starts).chain(release).chain(gives_up).min();
        }
        next
    }

    fn send(&mut self, index: usize) {
        loop {
            let flow = &mut self.flows[index];
            if flow.starts_at > self.now {
                return;
            }
            if flow.backlog == Some(0) {
                if flow.in_flight < flow.congestion.window() {
                    flow.congestion.on_app_limited(flow.in_flight);
                }
                return;
            }
            let mut budget = flow.congestion.budget(self.now, flow.in_flight);
            if budget == 0 {
                return;
            }
            while budget != 0 {
                if self.flows[index].backlog == Some(0) {
                    break;
                }
                self.send_one(index);
                budget = budget.saturating_sub(MTU);
            }
        }
    }

    fn send_one(&mut self, index: usize) {
        let flow = &mut self.flows[index];
        let number = flow.base + flow.out.len() as u64;
        let snapshot = flow.congestion.on_sent(self.now, MTU, flow.in_flight);
        if flow.in_flight == 0 {
            flow.heard_at = self.now;
        }
        flow.in_flight += MTU;
        flow.sent_bytes += MTU;
        flow.backlog = flow.backlog.map(|left| left.saturating_sub(MTU));
        flow.out.push_back(Some(PacketSample { size: MTU, sent_at: self.now, snapshot }));
        let queued = self.link.queued(self.now);
        let link = &mut self.link;
        let passes = link.policer.as_mut().is_none_or(|policer| policer.passes(self.now));
        if queued > link.queue || !passes {
            flow.dropped += MTU;
            return;
        }
        let takes = Duration::from_nanos(MTU * 1_000_000_000 / link.rate);
        link.busy_until = link.busy_until.max(self.now) + takes;
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if (self.random >> 33) % 1000 < link.lost_per_mille {
            return;
        }
        let is_marked = link.marks_above.is_some_and(|above| queued > above);
        let mut heard_at = link.busy_until + flow.round_trip;
        if let Some(bundles) = link.bundles {
            let period = bundles.as_nanos() as u64;
            heard_at = Time::from_nanos(heard_at.as_nanos().div_ceil(period) * period);
        }
        self.news.push(Reverse((heard_at, number, index, is_marked)));
    }

    /// Everything that is heard now; what a flow hears at once is one ACK.
    fn hear(&mut self) {
        let mut heard: Vec<(usize, u64, bool)> = Vec::new();
        while let Some(Reverse((at, number, index, is_marked))) = self.news.peek().copied() {
            if at > self.now {
                break;
            }
            self.news.pop();
            heard.push((index, number, is_marked));
        }
        for index in 0..self.flows.len() {
            let of_it = heard.iter().filter(|(of, ..)| *of == index);
            let numbers: Vec<u64> = of_it.clone().map(|(_, number, _)| *number).collect();
            let marks = of_it.filter(|(.., is_marked)| *is_marked).count() as u64;
            if !numbers.is_empty() {
                self.flows[index].hear(self.now, &numbers, marks);
            }
        }
    }

    fn give_up(&mut self) {
        for flow in &mut self.flows {
            if flow.in_flight > 0 && flow.gives_up_at() <= self.now {
                flow.heard_at = self.now;
                let end = flow.base + flow.out.len() as u64;
                flow.lose_below(self.now, end, flow.in_flight);
            }
        }
    }
}

impl Flow {
    fn gives_up_at(&self) -> Time {
        self.heard_at + self.smoothed * 3 + Duration::from_millis(200)
    }

    fn hear(&mut self, now: Time, numbers: &[u64], marks: u64) {
        let prior_in_flight = self.in_flight;
        let mut newest = None;
        for number in numbers {
            let Some(index) = number.checked_sub(self.base) else { continue };
            let Some(packet) = self.out[index as usize].take() else { continue };
            self.in_flight -= MTU;
            self.delivered += MTU;
            self.congestion.on_packet_acked(now, &packet);
            newest = newest.max(Some((packet.sent_at, *number)));
        }
        let Some((sent_at, number)) = newest else { return };
        self.heard_at = now;
        let rtt = now.since(sent_at);
        (self.smoothed, self.min) = ((self.smoothed * 7 + rtt) / 8, self.min.min(rtt));
        let lost = self.note_lost_below(now, number.saturating_sub(2));
        let end = AckEnd {
            prior_in_flight,
            in_flight: self.in_flight,
            rtt_sample: Some(rtt),
            smoothed_rtt: self.smoothed,
            min_rtt: self.min,
        };
        self.congestion.on_ack_end(now, &end);
        self.signal(now, lost, prior_in_flight);
        if marks > 0 {
            let cause = Cause::Ecn { packets: marks };
            let event = CongestionEvent { cause, sent_at, prior_in_flight };
            self.congestion.on_congestion(now, &event);
        }
    }

    fn lose_below(&mut self, now: Time, number: u64, prior_in_flight: u64) {
        let lost = self.note_lost_below(now, number);
        self.signal(now, lost, prior_in_flight);
    }

    fn note_lost_below(&mut self, now: Time, number: u64) -> Option<(u64, Time)> {
        let mut lost = None;
        while self.base < number {
            let Some(packet) = self.out.pop_front() else { break };
            self.base += 1;
            let Some(packet) = packet else { continue };
            self.in_flight -= MTU;
            self.congestion.on_packet_lost(now, &packet);
            let (bytes, _) = lost.unwrap_or((0, packet.sent_at));
            lost = Some((bytes + MTU, packet.sent_at));
        }
        lost
    }

    fn signal(&mut self, now: Time, lost: Option<(u64, Time)>, prior_in_flight: u64) {
        let Some((bytes, sent_at)) = lost else { return };
        let cause = Cause::Loss { bytes, is_persistent: false };
        self.congestion.on_congestion(now, &CongestionEvent { cause, sent_at, prior_in_flight });
    }
}
