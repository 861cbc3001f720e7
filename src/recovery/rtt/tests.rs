//! The round-trip estimate, by the numbers of RFC 9002.

use std::time::Duration;

use super::Rtt;
use crate::time::Time;

// spec: 7.6, 13.2, 13.4
#[test]
fn before_a_sample_the_round_trip_is_100_ms_and_the_timer_300_ms() {
    let rtt = Rtt::new();
    assert_eq!(rtt.smoothed(), ms(100));
    assert_eq!(rtt.pto(ms(25)), ms(300));
    assert_eq!(rtt.first_sample_at(), None);
}

// spec: RFC 9002 5.3
#[test]
fn samples_are_smoothed_as_the_rfc_says() {
    let mut rtt = Rtt::new();
    rtt.update(at(7), ms(80), ms(0));
    assert_eq!((rtt.smoothed(), rtt.variation(), rtt.min()), (ms(80), ms(40), ms(80)));
    assert_eq!(rtt.first_sample_at(), Some(at(7)));
    rtt.update(at(8), ms(120), ms(0));
    // rttvar = 3/4 * 40 + 1/4 * |80 - 120|; srtt = 7/8 * 80 + 1/8 * 120.
    assert_eq!((rtt.smoothed(), rtt.variation(), rtt.min()), (ms(85), ms(40), ms(80)));
    assert_eq!(rtt.latest(), ms(120));
    assert_eq!(rtt.pto(ms(25)), ms(85 + 160 + 25));
}

// spec: RFC 9002 5.3
#[test]
fn delay_of_the_peer_is_taken_off_but_never_below_the_least_round_trip() {
    let mut rtt = Rtt::new();
    // The first sample is the least one: nothing is taken off it.
    rtt.update(at(0), ms(80), ms(40));
    assert_eq!(rtt.smoothed(), ms(80));
    rtt.update(at(1), ms(100), ms(20));
    assert_eq!(rtt.smoothed(), ms(80));
    // 100 - 25 would be less than any round trip: the claim is not believed.
    rtt.update(at(2), ms(104), ms(25));
    assert_eq!(rtt.smoothed(), ms(83));
    assert_eq!(rtt.min(), ms(80));
}

// spec: RFC 9002 6.1.2
#[test]
fn loss_delay_is_nine_eighths_of_the_larger_round_trip_and_at_least_a_millisecond() {
    let mut rtt = Rtt::new();
    rtt.update(at(0), ms(80), ms(0));
    assert_eq!(rtt.loss_delay(), ms(90));
    rtt.update(at(1), ms(160), ms(0));
    assert_eq!(rtt.loss_delay(), ms(180));
    let mut near = Rtt::new();
    near.update(at(0), Duration::from_micros(50), ms(0));
    assert_eq!(near.loss_delay(), ms(1));
    // 4 rttvar is below the granularity there.
    for count in 0..50 {
        near.update(at(count), Duration::from_micros(50), ms(0));
    }
    assert_eq!(near.pto(ms(0)), Duration::from_micros(1050));
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn at(millis: u64) -> Time {
    Time::ZERO + ms(millis)
}
