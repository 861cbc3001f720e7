//! Delivery-rate samples, packet by packet.

use super::super::test_path::{at, ms};
use super::{RateEstimator, RateSample, Snapshot, per_second};
use crate::time::Time;

// spec: 13.5 congestion control; draft-cheng-iccrg-delivery-rate-estimation-02 3.3
#[test]
fn rate_is_what_was_delivered_since_the_packet_left() {
    let mut rate = RateEstimator::default();
    // Ten packets, one a millisecond, acknowledged one by one 50 ms later.
    let sent = send(&mut rate, 0..10, 1);
    for (index, (sent_at, snapshot)) in sent.iter().enumerate() {
        rate.on_acked(at(50 + index as u64), SIZE, *sent_at, snapshot);
        let sample = rate.take_sample(ms(50)).unwrap();
        assert_eq!(sample.delivered, SIZE * (index as u64 + 1));
        assert_eq!(sample.prior_delivered, 0);
        assert_eq!(sample.interval, ms(50 + index as u64));
    }
    // One sent when all was delivered: the interval is one round trip.
    let in_flight = rate.on_sent(at(60), SIZE, SIZE);
    rate.on_acked(at(110), SIZE, at(60), &in_flight);
    let sample = rate.take_sample(ms(50)).unwrap();
    assert_eq!((sample.delivered, sample.prior_delivered), (SIZE, 10 * SIZE));
    assert_eq!(sample.interval, ms(51));
    assert_eq!(sample.rate, per_second(SIZE, ms(51)));
}

// spec: 13.5 congestion control; draft-cheng-iccrg-delivery-rate-estimation-02 2.3
#[test]
fn compressed_acknowledgements_do_not_raise_the_rate() {
    let mut rate = RateEstimator::default();
    let sent = send(&mut rate, 0..100, 1);
    // All acknowledged in one moment: the time it took to send them is the interval.
    for (sent_at, snapshot) in &sent {
        rate.on_acked(at(100), SIZE, *sent_at, snapshot);
    }
    let sample = rate.take_sample(ms(1)).unwrap();
    assert_eq!((sample.delivered, sample.interval), (100 * SIZE, ms(100)));
    assert_eq!(sample.sent_at, at(99), "the newest packet is the sample's");
    // An interval shorter than any round trip is no sample of the rate.
    let snapshot = rate.on_sent(at(101), SIZE, SIZE);
    rate.on_acked(at(110), SIZE, at(101), &snapshot);
    assert_eq!(rate.take_sample(ms(50)).unwrap().rate, None);
    assert_eq!(rate.take_sample(ms(50)), None);
}

// spec: 13.5 congestion control; draft-cheng-iccrg-delivery-rate-estimation-02 3.4
#[test]
fn samples_are_marked_while_the_application_is_the_limit() {
    let mut rate = RateEstimator::default();
    let first = rate.on_sent(at(0), SIZE, 0);
    rate.on_app_limited(SIZE);
    let limited = rate.on_sent(at(10), SIZE, SIZE);
    assert!(!first.is_app_limited && limited.is_app_limited);
    rate.on_acked(at(50), SIZE, at(0), &first);
    assert!(!rate.take_sample(ms(50)).unwrap().is_app_limited);
    assert!(rate.is_app_limited(), "until what was out is delivered");
    let after = rate.on_sent(at(55), SIZE, SIZE);
    rate.on_acked(at(60), SIZE, at(10), &limited);
    assert!(rate.take_sample(ms(50)).unwrap().is_app_limited);
    assert!(!rate.is_app_limited());
    rate.on_acked(at(105), SIZE, at(55), &after);
    assert!(rate.take_sample(ms(50)).unwrap().is_app_limited, "it left in the phase");
    let free = rate.on_sent(at(106), SIZE, 0);
    assert!(!free.is_app_limited);
}

// spec: 13.5 congestion control; draft-cheng-iccrg-delivery-rate-estimation-02 3.2
#[test]
fn a_pause_is_not_counted_into_the_interval() {
    let mut rate = RateEstimator::default();
    let first = rate.on_sent(at(0), SIZE, 0);
    rate.on_acked(at(50), SIZE, at(0), &first);
    rate.take_sample(ms(50));
    let second = rate.on_sent(at(5000), SIZE, 0);
    rate.on_acked(at(5050), SIZE, at(5000), &second);
    assert_eq!(rate.take_sample(ms(50)).unwrap().interval, ms(50));
}

// spec: 13.5 congestion control; draft-cardwell-iccrg-bbr-congestion-control-02 4.1.1.2
#[test]
fn sample_tells_the_flight_of_its_packet_and_what_was_lost_since() {
    let mut rate = RateEstimator::default();
    let sent = send(&mut rate, 0..10, 1);
    rate.on_lost(SIZE);
    rate.on_lost(SIZE);
    rate.on_acked(at(60), SIZE, sent[9].0, &sent[9].1);
    let RateSample { sent_in_flight, lost, .. } = rate.take_sample(ms(50)).unwrap();
    assert_eq!((sent_in_flight, lost), (10 * SIZE, 2 * SIZE));
    // Those were spurious: delivered, and no sample of it.
    rate.on_acked_late(at(70), SIZE);
    assert_eq!(rate.totals(), (2 * SIZE, 2 * SIZE));
    assert_eq!(rate.take_sample(ms(50)), None);
}

// spec: 12.7 address changes
#[test]
fn packets_of_the_time_before_a_new_start_do_no_harm() {
    let mut old = RateEstimator::default();
    let sent = send(&mut old, 0..10, 1);
    sent.iter().for_each(|(sent_at, snapshot)| old.on_acked(at(50), SIZE, *sent_at, snapshot));
    let late = old.on_sent(at(51), SIZE, 0);
    let mut new = RateEstimator::default();
    new.on_acked(at(100), SIZE, at(51), &late);
    assert_eq!(new.take_sample(ms(10)).unwrap().delivered, 0);
}

/// Packets that leave one each `step` milliseconds, none acknowledged between.
fn send(
    rate: &mut RateEstimator,
    packets: std::ops::Range<u64>,
    step: u64,
) -> Vec<(Time, Snapshot)> {
    packets
        .map(|index| (at(index * step), rate.on_sent(at(index * step), SIZE, index * SIZE)))
        .collect()
}

const SIZE: u64 = 1000;
