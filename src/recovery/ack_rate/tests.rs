//! What is asked of the peer by ACK_RATE, and when again.

use std::time::Duration;

use super::AckRate;

// spec: 13.3, 8.8
#[test]
fn asks_for_one_ack_a_tenth_of_the_window_and_an_eighth_of_the_round_trip() {
    for (packets_out, asked) in [(10, 2), (100, 10), (1000, 100), (100_000, 256)] {
        let mut rate = AckRate::default();
        let answer = rate.poll(packets_out * MTU, MTU, ms(80), ms(25));
        assert_eq!(answer, Some((asked, ms(10))), "{packets_out}");
        assert_eq!(rate.asked(), answer);
    }
    let answer = AckRate::default().poll(MTU, MTU, ms(800), ms(25));
    assert_eq!(answer, Some((2, ms(25))), "no more than the peer's maximum");
}

// spec: 13.3 acknowledging
#[test]
fn asks_again_only_when_it_changed_by_half() {
    let mut rate = AckRate::default();
    assert!(rate.poll(100 * MTU, MTU, ms(80), ms(25)).is_some());
    assert_eq!(rate.poll(140 * MTU, MTU, ms(80), ms(25)), None);
    assert_eq!(rate.poll(100 * MTU, MTU, ms(118), ms(25)), None);
    assert_eq!(rate.poll(150 * MTU, MTU, ms(80), ms(25)), Some((15, ms(10))));
    assert_eq!(rate.poll(70 * MTU, MTU, ms(80), ms(25)), Some((7, ms(10))));
    assert_eq!(rate.poll(70 * MTU, MTU, ms(40), ms(25)), Some((7, ms(5))));
}

// spec: 13.3 acknowledging
#[test]
fn a_peer_that_never_delays_is_asked_once() {
    let mut rate = AckRate::default();
    let mut ask = || rate.poll(10 * MTU, MTU, ms(80), Duration::ZERO);
    assert_eq!(ask(), Some((2, Duration::ZERO)));
    assert_eq!(ask(), None);
}

const MTU: u64 = 1200;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}
