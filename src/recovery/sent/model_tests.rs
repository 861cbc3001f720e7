//! [`SentPackets`] beside a model that is a map and rules applied to all of it, under random sends,
//! acknowledgements and timers.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::tests::{ASKING, Frame, Space, at, frames};
use super::{AckError, SentPacket};

#[derive(Debug, Clone)]
enum Op {
    Send {
        kind: u8,
    },
    /// Acknowledges ranges counted down from the next number: gaps and lengths.
    Ack {
        runs: Vec<(u64, u64)>,
    },
    Wait {
        millis: u64,
    },
    Timeout,
    LoseAll,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Out,
    Acked,
    Lost,
    AckedLate,
}

/// Every packet that may still be acknowledged, by number.
#[derive(Default)]
struct Model {
    packets: BTreeMap<u64, (SentPacket, Fate)>,
    acked: Vec<Frame>,
    late: Vec<Frame>,
    lost: Vec<Frame>,
    largest_acked: Option<u64>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // spec: 8.5, 13.2
    #[test]
    fn sent_packets_do_what_a_map_with_rules_does(ops in prop::collection::vec(op(), 1..300)) {
        let mut space = Space::new();
        let mut model = Model::default();
        let mut millis = 0;
        for op in &ops {
            match op {
                Op::Send { kind } => {
                    let number = space.send_as(millis, packet(*kind));
                    let sent = SentPacket { sent_at: at(millis), ..packet(*kind) };
                    model.packets.insert(number, (sent, Fate::Out));
                }
                Op::Ack { runs } => {
                    let ranges = ranges(space.sent.next_number(), runs);
                    model.forget(space.sent.base);
                    match space.ack(millis, &ranges) {
                        Ok(_) => model.ack(&ranges),
                        Err(AckError::Skipped(number)) => {
                            prop_assert!(!model.packets.contains_key(&number));
                            return Ok(());
                        }
                        Err(AckError::NeverSent(number)) => panic!("{number} was sent"),
                    }
                    model.lose(&space, millis);
                }
                Op::Wait { millis: more } => millis += more,
                Op::Timeout => {
                    let is_loss = space.sent.loss.deadline.is_some_and(|due| due <= at(millis));
                    space.timeout(at(millis));
                    if is_loss {
                        model.lose(&space, millis);
                    }
                }
                Op::LoseAll => {
                    space.sent.lose_old(at(millis), std::time::Duration::ZERO, &mut space.heard);
                    model.lose_if(|_, _| true);
                }
            }
            model.forget(space.sent.base);
            model.compare(&space)?;
        }
    }
}

impl Model {
    /// What left the ring is heard of no more; it must not be in flight.
    fn forget(&mut self, base: u64) {
        self.packets.retain(|number, (packet, fate)| {
            assert!(*number >= base || *fate != Fate::Out || !packet.is_in_flight, "{number}");
            *number >= base
        });
    }

    fn ack(&mut self, ranges: &[RangeInclusive<u64>]) {
        for number in ranges.iter().cloned().flatten() {
            self.largest_acked = self.largest_acked.max(Some(number));
            let Some((_, fate)) = self.packets.get_mut(&number) else { continue };
            match fate {
                Fate::Out => {
                    *fate = Fate::Acked;
                    self.acked.extend(frames(&[number]));
                }
                Fate::Lost => {
                    *fate = Fate::AckedLate;
                    self.late.extend(frames(&[number]));
                }
                Fate::Acked | Fate::AckedLate => (),
            }
        }
    }

    /// Declares lost by the rules of RFC 9002 6.1, with the threshold that reordering made.
    fn lose(&mut self, space: &Space, millis: u64) {
        let Some(largest) = self.largest_acked else { return };
        let (threshold, delay) = (space.sent.loss.threshold, space.rtt.loss_delay());
        self.lose_if(|number, packet| {
            number < largest
                && (largest - number >= threshold
                    || packet.sent_at + delay <= at(millis)
                    || !packet.is_in_flight)
        });
    }

    fn lose_if(&mut self, is_lost: impl Fn(u64, &SentPacket) -> bool) {
        let mut is_open = true;
        for (number, (packet, fate)) in &mut self.packets {
            if *fate != Fate::Out {
                continue;
            }
            // What asks for nothing is looked at only up to the first packet that stays.
            is_open &= is_lost(*number, packet);
            if is_open {
                *fate = Fate::Lost;
                self.lost.extend(frames(&[*number]));
            } else {
                assert!(!packet.is_in_flight || !is_lost(*number, packet), "{number}");
            }
        }
    }

    fn compare(&self, space: &Space) -> Result<(), TestCaseError> {
        let sorted = |frames: &[Frame]| {
            let mut frames = frames.to_vec();
            frames.sort();
            frames
        };
        prop_assert_eq!(sorted(&space.heard.acked), sorted(&self.acked));
        prop_assert_eq!(sorted(&space.heard.lost), sorted(&self.lost));
        prop_assert_eq!(sorted(&space.heard.late), sorted(&self.late));
        let out = || self.packets.values().filter(|(_, fate)| *fate == Fate::Out);
        let in_flight = out().filter(|(packet, _)| packet.is_in_flight);
        let bytes: u64 = in_flight.map(|(packet, _)| u64::from(packet.size)).sum();
        prop_assert_eq!(space.sent.in_flight(), bytes);
        prop_assert_eq!(space.sent.is_asking(), out().any(|(packet, _)| packet.asks_for_ack));
        Ok(())
    }
}

fn op() -> impl Strategy<Value = Op> {
    let runs = prop::collection::vec((0u64..5, 1u64..12), 1..6);
    prop_oneof![
        20 => (0u8..8).prop_map(|kind| Op::Send { kind }),
        8 => runs.prop_map(|runs| Op::Ack { runs }),
        6 => (0u64..60).prop_map(|millis| Op::Wait { millis }),
        4 => Just(Op::Timeout),
        1 => (0u64..2000).prop_map(|millis| Op::Wait { millis }),
        1 => Just(Op::LoseAll),
    ]
}

fn packet(kind: u8) -> SentPacket {
    match kind {
        0 => SentPacket { is_in_flight: false, asks_for_ack: false, ..ASKING },
        1 => SentPacket { asks_for_ack: false, size: 900, ..ASKING },
        2 => SentPacket { is_mtu_probe: true, size: 1400, ..ASKING },
        _ => ASKING,
    }
}

/// Ranges below `next`, newest first.
fn ranges(next: u64, runs: &[(u64, u64)]) -> Vec<RangeInclusive<u64>> {
    let mut ranges = Vec::new();
    let mut end = next;
    for &(gap, length) in runs {
        let Some(last) = end.checked_sub(gap + 1) else { break };
        let first = (last + 1).saturating_sub(length);
        ranges.push(first..=last);
        // At least one number lies between two ranges.
        let Some(below) = first.checked_sub(1) else { break };
        end = below;
    }
    ranges
}
