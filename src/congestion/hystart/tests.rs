//! HyStart++ round by round, and what it spares a queue.

use super::super::Algorithm;
use super::super::test_path::{MTU, TestPath, at, ms};
use super::{Growth, HyStart};

// spec: RFC 9406 4.2
#[test]
fn growing_round_trips_lead_to_conservative_slow_start_and_then_out_of_it() {
    let mut round = Rounds::new();
    assert_eq!(round.run(100, 8), Growth::Full);
    assert_eq!(round.run(100, 8), Growth::Full);
    // An eighth of 100 ms: 12.5 ms.
    assert_eq!(round.run(112, 8), Growth::Full);
    let mut round = Rounds::new();
    round.run(100, 8);
    assert_eq!(round.run(113, 7), Growth::Full, "seven samples are too few");
    assert_eq!(round.more(113), Growth::Quarter);
    // The round that began it counts: four more, and the next ACK ends it.
    for _ in 0..4 {
        assert_eq!(round.run(113, 8), Growth::Quarter);
    }
    assert_eq!(round.run(113, 1), Growth::Over);
}

// spec: RFC 9406 4.2
#[test]
fn jitter_that_goes_away_brings_full_growth_back() {
    let mut round = Rounds::new();
    round.run(100, 8);
    assert_eq!(round.run(120, 8), Growth::Quarter);
    assert_eq!(round.run(119, 8), Growth::Full);
}

// spec: RFC 9406 4.3
#[test]
fn threshold_is_between_4_and_16_ms() {
    for (before, after, growth) in [
        (10, 13, Growth::Full),
        (10, 14, Growth::Quarter),
        (400, 415, Growth::Full),
        (400, 416, Growth::Quarter),
    ] {
        let mut round = Rounds::new();
        round.run(before, 8);
        assert_eq!(round.run(after, 8), growth, "{before} to {after}");
    }
}

// spec: 13.5 congestion control; RFC 9406 4.2
#[test]
fn cubic_leaves_slow_start_without_flooding_the_queue() {
    // 100 Mbit/s, 50 ms, a queue of one and a half windows.
    let (rate, queue) = (12_500_000, 937_500);
    let mut cubic = TestPath::new(Algorithm::Cubic, rate, ms(50), queue);
    while cubic.congestion.is_slow_start() {
        cubic.run(cubic.now + ms(1));
    }
    let lost = cubic.lost;
    assert!(cubic.congestion.window() > 625_000, "{}", cubic.congestion.window());
    let mut reno = TestPath::new(Algorithm::NewReno, rate, ms(50), queue);
    reno.run(at(2000));
    assert!(lost * 100 < reno.lost, "{lost}, and {} without", reno.lost);
}

/// Feeds ACKs, one a packet, round by round.
struct Rounds {
    hystart: HyStart,
    delivered: u64,
    round_began: u64,
}

impl Rounds {
    fn new() -> Rounds {
        Rounds { hystart: HyStart::new(), delivered: 0, round_began: 0 }
    }

    /// A new round of ACKs with this round trip; what the last one says.
    fn run(&mut self, rtt: u64, acks: u32) -> Growth {
        self.round_began = self.delivered;
        (0..acks).map(|_| self.more(rtt)).last().unwrap()
    }

    fn more(&mut self, rtt: u64) -> Growth {
        self.delivered += MTU;
        self.hystart.on_ack(Some(self.round_began), self.delivered, Some(ms(rtt)))
    }
}
