//! CUBIC beside the formulas of its RFC, and on a link.

use super::super::test_path::{MTU, TestPath, at, ms};
use super::super::{
    AckEnd, AckSample, Algorithm, Cause, CongestionEvent, Controller, PacketSample, Snapshot,
};
use super::{Cubic, cube_root};
use crate::time::Time;

// spec: RFC 9438 4.2
#[test]
fn cube_roots_are_exact_to_a_billionth() {
    for value in [1e-9, 0.001, 0.5, 1.0, 2.0, 27.0, 75.0, 1e6, 2.5e9] {
        let root = cube_root(value);
        assert!((root * root * root / value - 1.0).abs() < 1e-9, "{value}: {root}");
    }
    assert_eq!((cube_root(0.0), cube_root(-8.0)), (0.0, 0.0));
}

// spec: RFC 9438 4.2, 4.4, 4.5, 4.6
#[test]
fn window_follows_the_cubic_of_the_rfc() {
    // A window of 1,000 packets and a round trip of 1 s, where Reno is slower.
    let mut cubic = at_window(1000.0);
    lose(&mut cubic, at(1000));
    assert_eq!(cubic.state.window, 700.0 * MTU as f64);
    assert_eq!((cubic.state.window_max, cubic.state.threshold), (1000.0, 700.0 * MTU as f64));
    // K = cbrt(300 / 0.4) = 9.0856 s.
    let mut now = at(1001);
    let began_at = now;
    ack_window(&mut cubic, now);
    let epoch = cubic.state.epoch.unwrap();
    assert!((epoch.plateau - 9.085_602_964).abs() < 1e-6, "{}", epoch.plateau);
    for seconds in 1..20 {
        now = now + ms(1000);
        // A whole window acknowledged at t brings it to W(t + RTT).
        ack_window(&mut cubic, now);
        let t = now.since(began_at).as_secs_f64() + 1.0;
        let expected = 0.4 * (t - 9.085_602_964).powi(3) + 1000.0;
        let got = cubic.state.window / MTU as f64;
        assert!((got / expected - 1.0).abs() < 1e-6, "{seconds} s: {got} not {expected}");
    }
    assert!(cubic.state.window / MTU as f64 > 1400.0);
}

// spec: RFC 9438 4.3
#[test]
fn on_a_short_round_trip_it_grows_as_reno_would() {
    let mut cubic = at_window(100.0);
    lose(&mut cubic, at(1000));
    let mut estimate = 70.0;
    for round in 0..20u64 {
        let before = cubic.state.window / MTU as f64;
        ack_round(&mut cubic, at(1010 + round * 10), 10);
        // Many ACKs a round: the window in the divisor is that at each of them, about its mean.
        let grown = 0.9 / 1.7 * before / ((before + cubic.state.window / MTU as f64) / 2.0);
        estimate += grown;
        let got = cubic.state.window / MTU as f64;
        assert!((got - estimate).abs() < 0.1, "{round}: {got} not {estimate}");
    }
    // Past the window before the loss it grows by a whole packet a round.
    let mut cubic = at_window(10.0);
    lose(&mut cubic, at(1000));
    for round in 0..40 {
        ack_round(&mut cubic, at(1010 + round), 1);
    }
    let before = cubic.state.window;
    ack_round(&mut cubic, at(1060), 1);
    let grown = (cubic.state.window - before) / MTU as f64;
    assert!((0.95..=1.0).contains(&grown), "{grown}");
}

// spec: RFC 9438 4.7
#[test]
fn a_second_reduction_below_the_last_plateau_gives_room_to_others() {
    let mut cubic = at_window(1000.0);
    lose(&mut cubic, at(1000));
    lose(&mut cubic, at(2000));
    assert_eq!(cubic.state.window, 490.0 * MTU as f64);
    assert!((cubic.state.window_max - 700.0 * 0.85).abs() < 1e-9, "{}", cubic.state.window_max);
}

// spec: 13.2 differences from RFC 9002; RFC 9438 4.9
#[test]
fn spurious_loss_gives_back_window_and_curve() {
    let mut cubic = at_window(1000.0);
    lose(&mut cubic, at(1000));
    ack_round(&mut cubic, at(1001), 1000);
    ack_round(&mut cubic, at(2001), 1000);
    let before = (cubic.state.window, cubic.state.window_max, cubic.state.epoch.unwrap().plateau);
    lose(&mut cubic, at(3000));
    assert!(cubic.state.window < before.0);
    cubic.on_spurious_loss(at(3010));
    let after = (cubic.state.window, cubic.state.window_max, cubic.state.epoch.unwrap().plateau);
    assert_eq!(before, after);
    // A mark is no mistake.
    let cause = Cause::Ecn { packets: 1 };
    let prior_in_flight = cubic.window();
    cubic.on_congestion(at(4000), &CongestionEvent { cause, sent_at: at(3999), prior_in_flight });
    let marked = cubic.state.window;
    cubic.on_spurious_loss(at(4010));
    assert_eq!(cubic.state.window, marked);
}

// spec: RFC 9438 4.8; RFC 9002 7.6.2
#[test]
fn persistent_congestion_leaves_the_least_window_and_slow_start_to_the_threshold() {
    let mut cubic = at_window(100.0);
    let cause = Cause::Loss { bytes: MTU, is_persistent: true };
    let event = CongestionEvent { cause, sent_at: at(900), prior_in_flight: 100 * MTU };
    cubic.on_congestion(at(1000), &event);
    assert_eq!((cubic.window(), cubic.is_slow_start()), (2 * MTU, true));
    for round in 0..8 {
        ack_round(&mut cubic, at(1100 + round), 50);
    }
    assert!(!cubic.is_slow_start());
    assert!(cubic.window() >= 70 * MTU, "{}", cubic.window());
}

// spec: RFC 9438 5.8; RFC 9002 7.8
#[test]
fn time_that_the_application_wastes_is_no_time_of_the_curve() {
    let mut cubic = at_window(1000.0);
    lose(&mut cubic, at(1000));
    ack_round(&mut cubic, at(1001), 100);
    ack_round(&mut cubic, at(1101), 100);
    let window = cubic.state.window;
    for round in 0..100 {
        cubic.on_packet_acked(at(1200 + round * 100), &packet(at(1150 + round * 100), MTU));
        cubic.on_ack(at(1200 + round * 100), &sample(MTU, 10 * MTU, 100));
    }
    assert_eq!(cubic.state.window, window);
    ack_round(&mut cubic, at(11_200), 100);
    let grown = cubic.state.window / window;
    assert!(grown < 1.05, "{grown}");
}

// spec: 12.11 MTU
#[test]
fn larger_packets_keep_the_window_and_raise_the_least() {
    let mut cubic = at_window(1000.0);
    lose(&mut cubic, at(1000));
    let window = cubic.window();
    cubic.on_mtu(2 * MTU);
    assert_eq!((cubic.window(), cubic.state.window_max), (window, 500.0));
    let mut small = at_window(2.0);
    small.on_mtu(9000);
    assert_eq!(small.window(), 18_000);
}

// spec: 13.5 congestion control
#[test]
fn cubic_fills_a_long_link_with_a_queue_of_a_window() {
    let mut path = TestPath::new(Algorithm::Cubic, 12_500_000, ms(50), 625_000);
    path.run(at(20_000));
    let used = path.delivered as f64 / (12_500_000.0 * 20.0);
    assert!(used > 0.95, "{used}");
    assert!(path.lost * 100 < path.delivered, "{} lost", path.lost);
}

/// One that has this window, in packets, in congestion avoidance.
fn at_window(packets: f64) -> Cubic {
    let mut cubic = Cubic::new(MTU);
    cubic.state.window = packets * MTU as f64;
    cubic
}

fn lose(cubic: &mut Cubic, now: Time) {
    let cause = Cause::Loss { bytes: MTU, is_persistent: false };
    let prior_in_flight = cubic.window();
    cubic.on_congestion(now, &CongestionEvent { cause, sent_at: now, prior_in_flight });
}

/// Acknowledges a window in one ACK, after a round trip of 1 s.
fn ack_window(cubic: &mut Cubic, now: Time) {
    let used = cubic.window();
    cubic.on_packet_acked(now, &packet(now, used));
    cubic.on_ack(now, &sample(used, used, 1000));
}

/// Acknowledges a window's packets, each by itself, at one moment.
fn ack_round(cubic: &mut Cubic, now: Time, rtt: u64) {
    for _ in 0..cubic.window() / MTU {
        cubic.on_packet_acked(now, &packet(now, MTU));
        let used = cubic.window();
        cubic.on_ack(now, &sample(MTU, used, rtt));
    }
}

fn packet(sent_at: Time, size: u64) -> PacketSample {
    PacketSample { size, sent_at, snapshot: Snapshot::default() }
}

fn sample(acked: u64, prior_in_flight: u64, rtt: u64) -> AckSample {
    AckSample {
        end: AckEnd {
            prior_in_flight,
            in_flight: prior_in_flight.saturating_sub(acked),
            rtt_sample: Some(ms(rtt)),
            smoothed_rtt: ms(rtt),
            min_rtt: ms(rtt),
        },
        acked,
        delivered: acked,
        rate: None,
    }
}
