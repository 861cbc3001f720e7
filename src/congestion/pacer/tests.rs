//! The pacer keeps its rate over any span, and never stalls.

use proptest::prelude::*;

use super::super::Algorithm;
use super::super::test_path::{MTU, TestPath, at, ms};
use super::Pacer;
use crate::time::Time;

// spec: 13.5 congestion control; RFC 9002 7.7
#[test]
fn bursts_of_a_quantum_leave_at_the_rate() {
    let mut pacer = Pacer::default();
    let (rate, quantum) = (12_000_000, 12_000);
    // A path that begins has a quantum, and what a late timer would have been given.
    assert_eq!(drain(&mut pacer, at(0), rate, quantum), 24_000);
    // A quantum takes 1 ms, paid afterwards.
    for millis in 1..100 {
        assert_eq!(pacer.release_time(), Some(at(millis)));
        assert_eq!(pacer.budget(Time::from_nanos(millis * 1_000_000 - 1), rate, quantum), 0);
        assert_eq!(drain(&mut pacer, at(millis), rate, quantum), 12_000);
    }
}

// spec: 13.5 congestion control
#[test]
fn a_late_timer_costs_no_rate_and_a_long_rest_gives_no_flood() {
    let mut pacer = Pacer::default();
    let (rate, quantum) = (12_000_000, 12_000);
    drain(&mut pacer, at(0), rate, quantum);
    let mut sent = 0;
    for millis in (2..=100).step_by(2) {
        sent += drain(&mut pacer, at(millis), rate, quantum);
    }
    assert_eq!(sent, 12_000 * 100);
    assert_eq!(drain(&mut pacer, at(10_000), rate, quantum), 24_000);
}

// spec: 13.5 congestion control
#[test]
fn a_packet_longer_than_the_budget_is_paid_by_the_next_burst() {
    let mut pacer = Pacer::default();
    while pacer.budget(at(0), 1_200_000, 2400) != 0 {
        pacer.on_sent(10_000, 1_200_000);
    }
    // 10,000 bytes less 3,600 of credit, then a burst of 2,400: 7.33 ms.
    assert_eq!(pacer.release_time(), Some(Time::from_nanos(7_333_334)));
}

// spec: 13.5 congestion control
#[test]
fn no_rate_holds_a_packet_back_longer_than_two_seconds() {
    let mut pacer = Pacer::default();
    for step in 0..10 {
        let now = at(step * 2000);
        assert!(drain(&mut pacer, now, 0, 2400) > 0);
        assert!(pacer.release_time().is_some_and(|release| release <= now + ms(2000)));
    }
    let mut fast = Pacer::default();
    assert!(fast.budget(at(0), u64::MAX, u64::MAX) > 1 << 40);
    fast.on_sent(u64::MAX, u64::MAX);
    assert!(fast.budget(at(0), u64::MAX, u64::MAX) > 0);
}

// spec: 13.5 congestion control; RFC 9002 7.7
#[test]
fn a_paced_path_sends_no_burst_longer_than_the_quantum_once_the_round_trip_is_known() {
    let mut path = TestPath::new(Algorithm::NewReno, 12_500_000, ms(50), 625_000);
    path.run(at(3000));
    assert!(path.departures.len() > 10_000);
    let mut burst = 0;
    for pair in path.departures.windows(2) {
        burst = if pair[0].0 == pair[1].0 { burst + 1 } else { 1 };
        // The rate is at most twice the link's with the queue it fills: 3 ms of it.
        assert!(burst * MTU <= 3 * 25_000 + MTU || pair[0].0 < at(100), "{burst} at {}", pair[0].0);
    }
}

proptest! {
    // spec: 13.5 congestion control
    #[test]
    fn over_any_span_no_more_leaves_than_the_rate_allows_and_it_never_stalls(
        rate in 10_000u64..2_000_000_000,
        packets in 2u64..45,
        steps in prop::collection::vec((0u64..3_000_000, 40u64..1500), 1..200),
    ) {
        let quantum = packets * 1200;
        let mut pacer = Pacer::default();
        let mut now = Time::from_nanos(12_345);
        let mut left: Vec<(Time, u64)> = Vec::new();
        for (late, size) in steps {
            if pacer.budget(now, rate, quantum) == 0 {
                let release = pacer.release_time().expect("who waits knows until when");
                prop_assert!(release > now);
                now = Time::from_nanos(release.as_nanos() + late);
                prop_assert!(pacer.budget(now, rate, quantum) != 0, "released at its time");
            }
            pacer.on_sent(size, rate);
            left.push((now, size));
        }
        for (first, (from, _)) in left.iter().enumerate() {
            let mut bytes = 0;
            for (until, size) in &left[first..] {
                bytes += size;
                let span = until.since(*from).as_secs_f64() + 0.001;
                let allowed = rate as f64 * span + quantum as f64 + 1500.0;
                prop_assert!(bytes as f64 <= allowed * 1.001 + 1.0, "{} of {}", bytes, allowed);
            }
        }
    }
}

/// Sends packets until the pacer stops it; how many bytes left.
fn drain(pacer: &mut Pacer, now: Time, rate: u64, quantum: u64) -> u64 {
    let mut sent = 0;
    while pacer.budget(now, rate, quantum) != 0 && sent < 1 << 20 {
        pacer.on_sent(1200, rate);
        sent += 1200;
    }
    sent
}
