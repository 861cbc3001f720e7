//! Which numbers are acknowledged, and when; ranges beside a set.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use proptest::prelude::*;

use super::{EcnMark, RANGES_MAX, ReceivedNumbers, ReceivedPacket};
use crate::time::Time;

// spec: 13.3 acknowledging
#[test]
fn first_packet_of_a_path_is_acknowledged_at_once() {
    let mut received = ReceivedNumbers::new(DELAY);
    assert!(!received.is_due(at(0)) && !received.has_news());
    received.on_received(at(0), &asking(0));
    assert!(received.is_due(at(0)) && received.has_news());
    received.on_ack_sent();
    assert!(!received.is_due(at(1000)) && !received.has_news());
}

// spec: 13.3, 15.1
#[test]
fn second_packet_is_acknowledged_or_the_delay_ends() {
    let mut received = begun();
    received.on_received(at(10), &asking(1));
    assert!(!received.is_due(at(34)));
    assert_eq!(received.poll_timeout(), Some(at(35)));
    assert!(received.is_due(at(35)));
    received.handle_timeout(at(35));
    assert_eq!(received.poll_timeout(), None, "what is due needs no timer");
    assert!(received.is_due(at(35)));
    received.on_ack_sent();
    received.on_received(at(40), &asking(2));
    received.on_received(at(41), &asking(3));
    assert!(received.is_due(at(41)));
}

// spec: 8.8, 13.3
#[test]
fn ack_rate_of_the_peer_is_kept() {
    let mut received = begun();
    received.set_rate(10, ms(5));
    (1..10).for_each(|number| received.on_received(at(10), &asking(number)));
    assert!(!received.is_due(at(10)));
    assert_eq!(received.poll_timeout(), Some(at(15)));
    received.on_received(at(11), &asking(10));
    assert!(received.is_due(at(11)));
}

// spec: 13.3 acknowledging
#[test]
fn what_asks_for_nothing_waits_for_the_next_ack() {
    let mut received = begun();
    for number in 1..50 {
        received.on_received(at(10), &silent(number));
    }
    assert!(!received.is_due(at(1000)));
    assert_eq!(received.poll_timeout(), None);
    assert!(received.has_news());
    assert_eq!(ranges(&received), [0..=49]);
}

// spec: 8.4, 13.3
#[test]
fn ping_is_acknowledged_at_once() {
    let mut received = begun();
    received.on_received(at(10), &ReceivedPacket { asks_at_once: true, ..asking(1) });
    assert!(received.is_due(at(10)));
}

// spec: 7.6 retransmission
#[test]
fn a_level_of_the_handshake_waits_with_nothing() {
    let mut received = ReceivedNumbers::new(Duration::ZERO);
    for number in 0..3 {
        received.on_received(at(10), &asking(number));
        assert!(received.is_due(at(10)));
        received.on_ack_sent();
    }
}

// spec: 13.3 acknowledging
#[test]
fn gap_is_told_when_three_above_it_came_and_again_when_it_is_filled() {
    let mut received = begun();
    received.set_rate(100, DELAY);
    received.on_received(at(1), &asking(2));
    received.on_received(at(1), &asking(3));
    assert!(!received.is_due(at(1)), "1 may still come");
    received.on_received(at(1), &asking(4));
    assert!(received.is_due(at(1)));
    received.on_ack_sent();
    received.on_received(at(2), &asking(5));
    assert!(!received.is_due(at(2)), "the gap was told");
    received.on_received(at(2), &asking(1));
    assert!(received.is_due(at(2)), "and is no gap any more");
    received.on_ack_sent();
    received.on_received(at(3), &asking(7));
    received.on_received(at(3), &asking(6));
    assert!(!received.is_due(at(3)), "two swapped are no news");
    assert_eq!(ranges(&received), [0..=7]);
}

// spec: 13.3 acknowledging
#[test]
fn congestion_mark_is_told_at_once_when_it_is_new() {
    let mut received = begun();
    received.set_rate(100, DELAY);
    received.on_received(at(1), &ReceivedPacket { mark: EcnMark::Ce, ..asking(1) });
    assert!(received.is_due(at(1)));
    assert_eq!(received.counts().map(|counts| counts.ce), Some(1));
    received.on_ack_sent();
    received.on_received(at(2), &asking(2));
    assert!(!received.is_due(at(2)));
    received.on_received(at(2), &ReceivedPacket { mark: EcnMark::Ce, ..asking(3) });
    assert!(received.is_due(at(2)));
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn delay_runs_from_the_largest_number_and_counts_are_none_without_marks() {
    let mut received = begun();
    received.on_received(at(10), &asking(5));
    received.on_received(at(20), &asking(4));
    assert_eq!(received.delay(at(30)), ms(20));
    assert_eq!(received.counts(), None);
}

// spec: 8.5, 5.6
#[test]
fn duplicates_change_nothing() {
    let mut received = begun();
    received.set_rate(2, DELAY);
    for _ in 0..5 {
        received.on_received(at(1), &ReceivedPacket { mark: EcnMark::Ect0, ..asking(1) });
    }
    assert!(!received.is_due(at(1)));
    assert_eq!(received.counts().map(|counts| counts.ect0), Some(1));
}

// spec: 8.5, 16.1
#[test]
fn no_more_than_64_ranges_are_kept_and_the_oldest_goes() {
    let mut received = ReceivedNumbers::new(DELAY);
    (0..1000).for_each(|number| received.on_received(at(1), &asking(number * 2)));
    let kept = ranges(&received);
    assert_eq!(kept.len(), 64);
    assert_eq!((kept[0].clone(), kept[63].clone()), (1998..=1998, 1872..=1872));
    received.on_received(at(2), &asking(3));
    assert_eq!(ranges(&received), kept, "too old to be told");
    received.on_received(at(2), &asking(1873));
    assert_eq!(ranges(&received).last(), Some(&(1872..=1874)));
    received.on_received(at(3), &asking(u64::MAX));
    assert_eq!(ranges(&received).first(), Some(&(u64::MAX..=u64::MAX)));
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn what_the_peer_knows_is_told_no_more() {
    let mut received = ReceivedNumbers::new(DELAY);
    for number in [0, 1, 5, 6, 9] {
        received.on_received(at(1), &asking(number));
    }
    received.on_ack_acked(6);
    assert_eq!(ranges(&received), [9..=9]);
    received.on_received(at(2), &asking(3));
    assert_eq!(ranges(&received), [9..=9, 3..=3], "a late one is");
    received.on_ack_acked(9);
    assert_eq!(ranges(&received), [9..=9], "the newest range stays");
    (0..600).for_each(|number| received.on_received(at(1), &asking(100 + number * 2)));
    received.on_ack_acked(2000);
    assert!(received.ranges.capacity() <= 4, "an idle path is small");
}

#[derive(Debug, Clone)]
enum Op {
    Receive { number: u64, asks: bool },
    SendAck,
    AckAcked { nth: usize },
}

proptest! {
    // spec: 8.5, 13.3
    #[test]
    fn ranges_are_those_of_a_set_of_numbers(ops in prop::collection::vec(op(), 1..400)) {
        let mut received = ReceivedNumbers::new(DELAY);
        let mut model = BTreeSet::new();
        let mut told = Vec::new();
        for (step, op) in ops.iter().enumerate() {
            let now = at(step as u64);
            match op {
                Op::Receive { number, asks } => {
                    let packet = ReceivedPacket { asks_for_ack: *asks, ..asking(*number) };
                    received.on_received(now, &packet);
                    let is_new = model.insert(*number);
                    bound(&mut model);
                    // One too old to be told waits for nothing.
                    if is_new && *asks && model.contains(number) {
                        prop_assert!(received.is_due(now + DELAY));
                    }
                }
                Op::SendAck => {
                    received.on_ack_sent();
                    told.extend(received.largest());
                    prop_assert!(!received.is_due(now + DELAY * 100));
                }
                Op::AckAcked { nth } => {
                    if let Some(&largest) = told.get(nth % told.len().max(1)) {
                        received.on_ack_acked(largest);
                        forget(&mut model, largest);
                    }
                }
            }
            prop_assert_eq!(ranges(&received), runs(&model), "step {}", step);
            prop_assert_eq!(received.largest(), model.last().copied());
        }
    }
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (0u64..400, any::<bool>()).prop_map(|(number, asks)| Op::Receive { number, asks }),
        3 => Just(Op::SendAck),
        1 => any::<usize>().prop_map(|nth| Op::AckAcked { nth }),
    ]
}

/// Removes the whole runs up to `largest`, but for the newest run of all.
fn forget(model: &mut BTreeSet<u64>, largest: u64) {
    for run in runs(model).into_iter().skip(1).filter(|run| *run.end() <= largest) {
        model.retain(|number| !run.contains(number));
    }
}

/// Removes the runs beyond what is kept, oldest first.
fn bound(model: &mut BTreeSet<u64>) {
    for run in runs(model).into_iter().skip(RANGES_MAX) {
        model.retain(|number| !run.contains(number));
    }
}

/// The runs of a set, newest first.
fn runs(model: &BTreeSet<u64>) -> Vec<RangeInclusive<u64>> {
    let mut runs: Vec<RangeInclusive<u64>> = Vec::new();
    for &number in model.iter().rev() {
        match runs.last_mut() {
            Some(run) if *run.start() == number + 1 => *run = number..=*run.end(),
            Some(_) | None => runs.push(number..=number),
        }
    }
    runs
}

fn begun() -> ReceivedNumbers {
    let mut received = ReceivedNumbers::new(DELAY);
    received.on_received(at(0), &asking(0));
    received.on_ack_sent();
    received
}

fn asking(number: u64) -> ReceivedPacket {
    ReceivedPacket { number, mark: EcnMark::None, asks_for_ack: true, asks_at_once: false }
}

fn silent(number: u64) -> ReceivedPacket {
    ReceivedPacket { asks_for_ack: false, ..asking(number) }
}

fn ranges(received: &ReceivedNumbers) -> Vec<RangeInclusive<u64>> {
    received.ranges().collect()
}

const DELAY: Duration = Duration::from_millis(25);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn at(millis: u64) -> Time {
    Time::ZERO + ms(millis)
}
