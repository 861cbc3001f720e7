//! The adapter as quinn-proto would drive it: transmits of several packets, acknowledgements that
//! name only times, losses in one number, over a link of 100 Mbit/s and 50 ms.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::pacer::Pacer;
use super::super::{Algorithm, Settings};
use super::*;

/// A connection that always has something to send, and its link.
struct Driven {
    adapter: Adapter,
    pacer: Pacer,
    now: Time,
    in_flight: u64,
    busy_until: Time,
    /// What will be heard: when, sent when, whether it was lost.
    news: BinaryHeap<Reverse<(Time, u64, Time, bool)>>,
    count: u64,
    /// Every so many packets one is lost; 0: none.
    loses: u64,
    delivered: u64,
    queued_max: u64,
    marks: bool,
}

impl Driven {
    fn new(algorithm: Algorithm) -> Driven {
        Driven {
            adapter: Adapter::new(Settings::from(algorithm), an_instant(), 1200),
            pacer: Pacer::default(),
            now: Time::ZERO + HEAD_START,
            in_flight: 0,
            busy_until: Time::ZERO,
            news: BinaryHeap::new(),
            count: 0,
            loses: 0,
            delivered: 0,
            queued_max: 0,
            marks: false,
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.send();
            let room = self.in_flight + 1200 < self.adapter.window();
            let release = self.pacer.release_time().filter(|_| room);
            let news = self.news.peek().map(|Reverse((at, ..))| *at);
            let next = news.into_iter().chain(release).min().expect("a path never stalls");
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            self.hear();
        }
    }

    fn send(&mut self) {
        loop {
            let rate = self.adapter.metrics().pacing_rate.expect("it is always told") / 8;
            let quantum = (rate / 1000).clamp(2400, 65_536);
            let budget = self.pacer.budget(self.now, rate, quantum);
            let room = self.adapter.window().saturating_sub(self.in_flight + 1);
            let packets = budget.div_ceil(1200).min(room / 1200);
            if packets == 0 {
                return;
            }
            self.adapter.packet_sent(self.now, packets * 1200);
            self.pacer.on_sent(packets * 1200, rate);
            for _ in 0..packets {
                self.in_flight += 1200;
                self.count += 1;
                self.busy_until = self.busy_until.max(self.now) + Duration::from_micros(96);
                let waits = self.busy_until.since(self.now).as_micros() as u64;
                self.queued_max = self.queued_max.max(waits * 125 / 10);
                let is_lost = self.loses > 0 && self.count.is_multiple_of(self.loses);
                let heard_at = self.busy_until + Duration::from_millis(50);
                self.news.push(Reverse((heard_at, self.count, self.now, is_lost)));
            }
        }
    }

    fn hear(&mut self) {
        let (mut lost, mut newest_lost) = (0, Time::ZERO);
        let mut newest = Time::ZERO;
        while let Some(Reverse((at, _, sent_at, is_lost))) = self.news.peek().copied() {
            if at > self.now {
                break;
            }
            self.news.pop();
            if is_lost {
                (lost, newest_lost) = (lost + 1200, sent_at);
                continue;
            }
            self.in_flight -= 1200;
            self.delivered += 1200;
            newest = newest.max(sent_at);
            self.adapter.packet_acked(self.now, sent_at, 1200);
        }
        // Losses are told after the ACK that showed them, and count as in flight until then.
        self.adapter.acks_ended(self.now, self.in_flight, false);
        if lost > 0 {
            self.in_flight -= lost;
            self.adapter.packets_lost(self.now, newest_lost, lost, false);
        }
        if self.marks && self.now.since(newest) > Duration::from_millis(55) {
            self.adapter.packet_marked(self.now, newest);
        }
    }

    fn share(&mut self, span: Duration) -> u64 {
        let before = self.delivered;
        self.run(span);
        (self.delivered - before) * 100 / (12_500 * span.as_millis() as u64)
    }
}

// spec: 13.5 congestion control
#[test]
fn quinn_connection_fills_the_link_with_a_short_queue() {
    let mut driven = Driven::new(Algorithm::Bbr2);
    driven.run(Duration::from_secs(2));
    driven.queued_max = 0;
    let share = driven.share(Duration::from_secs(10));
    assert!(share >= 94, "{share} %");
    assert!(driven.queued_max < 700_000, "a queue of {}", driven.queued_max);
}

// spec: 13.5 congestion control
#[test]
fn quinn_connection_keeps_its_rate_when_one_packet_in_a_hundred_is_lost() {
    let mut driven = Driven::new(Algorithm::Bbr2);
    driven.loses = 100;
    driven.run(Duration::from_secs(2));
    let share = driven.share(Duration::from_secs(10));
    assert!(share >= 85, "{share} %");
    assert_eq!(driven.adapter.congestion.totals().1 % 1200, 0);
}

// spec: 13.5 congestion control
#[test]
fn cubic_and_newreno_run_behind_the_adapter_too() {
    for algorithm in [Algorithm::Cubic, Algorithm::NewReno] {
        let mut driven = Driven::new(algorithm);
        driven.run(Duration::from_millis(300));
        let before = driven.adapter.window();
        let (now, sent_at) = (driven.now, driven.now);
        driven.adapter.packets_lost(now, sent_at, 1200, false);
        driven.in_flight -= 1200;
        assert!(driven.adapter.window() < before, "{algorithm:?}");
        let share = driven.share(Duration::from_secs(5));
        assert!(share >= 25, "{algorithm:?}: {share} %");
    }
}

// spec: BBR 3.7
#[test]
fn marks_shorten_the_queue() {
    let mut driven = Driven::new(Algorithm::Bbr2);
    driven.marks = true;
    driven.run(Duration::from_secs(3));
    driven.queued_max = 0;
    let share = driven.share(Duration::from_secs(5));
    assert!(share >= 70 && driven.queued_max < 400_000, "{share} %, {}", driven.queued_max);
}

// spec: 13.5 congestion control
#[test]
fn factory_makes_controllers_that_tell_their_rate() {
    let factory = Arc::new(Factory(Settings::from(Algorithm::Bbr2)));
    let mut controller = factory.build(an_instant(), 1200);
    assert_eq!((controller.window(), controller.initial_window()), (12_000, 12_000));
    // 12 kB in a millisecond, times 2.77, in bits.
    assert_eq!(controller.metrics().pacing_rate, Some(12_000_000 * 277 / 100 * 8));
    controller.on_mtu_update(1452);
    assert_eq!(controller.clone_box().initial_window(), 14_520);
}

// spec: 13.5 congestion control
#[test]
fn what_only_acknowledges_is_forgotten() {
    let mut adapter = Adapter::new(Settings::from(Algorithm::Bbr2), an_instant(), 1200);
    let mut now = Time::ZERO + HEAD_START;
    for _ in 0..100_000 {
        now = now + Duration::from_millis(1);
        adapter.packet_sent(now, 40);
        assert!(adapter.out.len() <= AGGREGATES_MAX);
    }
    adapter.packet_sent(now, 1200);
    let later = now + Duration::from_millis(50);
    adapter.packet_acked(later, now, 1200);
    adapter.acks_ended(later, 0, true);
    assert_eq!((adapter.out.len(), adapter.out_bytes, adapter.in_flight), (0, 0, 0));
}

#[expect(clippy::disallowed_methods, reason = "quinn-proto's times begin somewhere")]
fn an_instant() -> Instant {
    Instant::now()
}
