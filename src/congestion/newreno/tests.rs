//! NewReno: growth, reduction, undo, and a link filled.

use super::super::test_path::{MTU, TestPath, at, ms};
use super::super::{
    AckEnd, AckSample, Algorithm, Cause, CongestionEvent, Controller, PacketSample, Snapshot,
    initial_window,
};
use super::NewReno;
use crate::time::Time;

// spec: 13.5 congestion control
#[test]
fn initial_window_is_ten_packets_but_no_more_than_the_page_says() {
    for (mtu, window) in [(1200, 12_000), (1472, 14_720), (1500, 14_720), (9000, 18_000)] {
        assert_eq!(initial_window(mtu), window);
        assert_eq!(NewReno::new(mtu).window(), window);
    }
}

// spec: RFC 9002 7.3.1, 7.3.2, 7.3.3
#[test]
fn window_doubles_then_halves_at_a_loss_then_grows_by_a_packet_a_round() {
    let mut reno = NewReno::new(MTU);
    ack(&mut reno, at(50), at(0), 12_000);
    assert_eq!(reno.window(), 24_000);
    lose(&mut reno, at(60), at(10), false);
    assert_eq!(reno.window(), 12_000);
    assert!(!reno.is_slow_start());
    lose(&mut reno, at(61), at(60), false);
    assert_eq!(reno.window(), 12_000, "sent before the reduction: the same episode");
    ack(&mut reno, at(100), at(60), 12_000);
    assert_eq!(reno.window(), 12_000, "no growth in recovery");
    ack(&mut reno, at(150), at(61), 11_999);
    assert_eq!(reno.window(), 12_000);
    ack(&mut reno, at(150), at(61), 1);
    assert_eq!(reno.window(), 13_200);
    lose(&mut reno, at(160), at(61), false);
    assert_eq!(reno.window(), 6_600);
}

// spec: RFC 9002 7.2, 7.6.2
#[test]
fn persistent_congestion_leaves_the_least_window_and_slow_start() {
    let mut reno = NewReno::new(MTU);
    lose(&mut reno, at(1000), at(900), true);
    assert_eq!((reno.window(), reno.is_slow_start()), (2 * MTU, true));
    for round in 0..20 {
        lose(&mut reno, at(2000 + round), at(1999 + round), false);
    }
    assert_eq!(reno.window(), 2 * MTU);
}

// spec: 13.2 differences from RFC 9002
#[test]
fn spurious_loss_gives_the_window_back_but_not_what_a_mark_took() {
    let mut reno = NewReno::new(MTU);
    ack(&mut reno, at(50), at(0), 12_000);
    lose(&mut reno, at(60), at(10), false);
    reno.on_spurious_loss(at(70));
    assert_eq!((reno.window(), reno.is_slow_start()), (24_000, true));
    reno.on_spurious_loss(at(71));
    assert_eq!(reno.window(), 24_000);
    lose(&mut reno, at(80), at(75), false);
    let cause = Cause::Ecn { packets: 1 };
    let event = CongestionEvent { cause, sent_at: at(79), prior_in_flight: 24_000 };
    reno.on_congestion(at(90), &event);
    reno.on_spurious_loss(at(91));
    assert_eq!(reno.window(), 12_000);
}

// spec: RFC 9002 7.1
#[test]
fn congestion_marks_halve_once_an_episode() {
    let mut reno = NewReno::new(MTU);
    for sent_at in [0, 10, 60, 61] {
        let cause = Cause::Ecn { packets: 1 };
        let event = CongestionEvent { cause, sent_at: at(sent_at), prior_in_flight: 12_000 };
        reno.on_congestion(at(60), &event);
    }
    assert_eq!(reno.window(), 3_000);
}

// spec: RFC 9002 7.8
#[test]
fn window_that_is_not_used_does_not_grow() {
    let mut reno = NewReno::new(MTU);
    for round in 0..10 {
        reno.on_packet_acked(at(50), &packet(at(round), 1200));
        reno.on_ack(at(50), &sample(1200, 2 * 1200));
    }
    assert_eq!(reno.window(), 12_000);
}

// spec: 12.11 MTU, RFC 9002 7.2
#[test]
fn larger_packets_raise_the_least_window() {
    let mut reno = NewReno::new(MTU);
    lose(&mut reno, at(10), at(1), true);
    reno.on_mtu(9000);
    assert_eq!(reno.window(), 18_000);
}

// spec: 13.5 congestion control; RFC 9002 7.7
#[test]
fn rate_is_the_window_in_less_than_a_round_trip() {
    let mut reno = NewReno::new(MTU);
    assert_eq!(reno.send_quantum(), 12_000, "the initial window leaves at once");
    ack(&mut reno, at(50), at(0), 0);
    assert_eq!(reno.pacing_rate(), 2 * 12_000 * 20);
    assert_eq!(reno.send_quantum(), 2 * MTU);
    lose(&mut reno, at(60), at(10), false);
    assert_eq!(reno.pacing_rate(), 6_000 * 20 * 5 / 4);
}

// spec: 13.5 congestion control
#[test]
fn newreno_fills_a_link_with_a_queue_of_a_window() {
    let mut path = TestPath::new(Algorithm::NewReno, 1_250_000, ms(20), 25_000);
    path.run(at(20_000));
    let used = path.delivered as f64 / (1_250_000.0 * 20.0);
    assert!(used > 0.9, "{used}");
    assert!(path.lost * 20 < path.delivered, "{} lost", path.lost);
}

fn ack(reno: &mut NewReno, now: Time, sent_at: Time, size: u64) {
    reno.on_packet_acked(now, &packet(sent_at, size));
    let used = reno.window();
    reno.on_ack(now, &sample(size, used));
}

fn lose(reno: &mut NewReno, now: Time, sent_at: Time, is_persistent: bool) {
    let cause = Cause::Loss { bytes: MTU, is_persistent };
    let prior_in_flight = reno.window();
    reno.on_congestion(now, &CongestionEvent { cause, sent_at, prior_in_flight });
}

fn packet(sent_at: Time, size: u64) -> PacketSample {
    PacketSample { size, sent_at, snapshot: Snapshot::default() }
}

fn sample(acked: u64, prior_in_flight: u64) -> AckSample {
    AckSample {
        end: AckEnd {
            prior_in_flight,
            in_flight: prior_in_flight.saturating_sub(acked),
            rtt_sample: Some(ms(50)),
            smoothed_rtt: ms(50),
            min_rtt: ms(50),
        },
        acked,
        delivered: acked,
        rate: None,
    }
}
