//! Acknowledgements: ranges of numbers become packets acknowledged.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::time::Time;

use super::super::Rtt;
use super::{AckError, AckOutcome, Feedback, SentPackets, State};

impl<F: Copy> SentPackets<F> {
    /// Takes an ACK: `ranges` newest first, not touching; `delay` as the peer told it.
    ///
    /// `feedback` hears each packet that is acknowledged for the first time, then each that this
    /// shows to be lost. After an error the connection closes; what was heard until then stands.
    // spec: 8.5 ACK
    pub(crate) fn on_ack(
        &mut self,
        now: Time,
        rtt: &mut Rtt,
        delay: Duration,
        ranges: impl Iterator<Item = RangeInclusive<u64>>,
        feedback: &mut impl Feedback<F>,
    ) -> Result<AckOutcome, AckError> {
        let mut walk = Walk {
            prior_largest: self.largest_acked,
            window: self.next_number() - self.loss.cursor,
            ..Walk::default()
        };
        let mut outcome = AckOutcome { prior_in_flight: self.in_flight, ..AckOutcome::default() };
        let mut largest = None;
        for range in ranges {
            let (first, last) = range.into_inner();
            if last >= self.next_number() {
                return Err(AckError::NeverSent(last));
            }
            largest = largest.max(Some(last));
            if let Some(skipped) = self.skipped.filter(|skipped| (first..=last).contains(skipped)) {
                return Err(AckError::Skipped(skipped));
            }
            if last >= self.base {
                self.walk(first.max(self.base), last, &mut walk, feedback)?;
            }
        }
        outcome.is_newest = largest > walk.prior_largest;
        self.largest_acked = self.largest_acked.max(largest);
        (outcome.packets, outcome.ect_packets) = (walk.packets, walk.ect_packets);
        if let Some((number, sent_at)) = walk.largest.filter(|(number, _)| Some(*number) == largest)
        {
            outcome.largest_sent_at = Some(sent_at);
            // spec: RFC 9002 5.1: a sample only when the largest is new and one asked for it.
            let is_new = walk.prior_largest.is_none_or(|prior| number > prior);
            if walk.has_asked && is_new && number >= self.samples_from {
                let sample = now.since(sent_at);
                rtt.update(now, sample, delay.min(self.peer_delay));
                outcome.rtt_sample = Some(sample);
            }
        }
        if walk.packets != 0 {
            self.pto_count = 0;
            self.armed_from = None;
        }
        self.note_reordering(now, rtt, walk.distance, walk.window);
        outcome.is_spurious = self.take_spurious();
        outcome.losses = self.detect_losses(now, rtt, feedback);
        self.tidy(now, rtt);
        Ok(outcome)
    }

    /// Acknowledges `first..=last`, all of them between base and next number. Numbers that were
    /// acknowledged before are walked over a run at a time.
    fn walk(
        &mut self,
        first: u64,
        last: u64,
        walk: &mut Walk,
        feedback: &mut impl Feedback<F>,
    ) -> Result<(), AckError> {
        let mut number = first;
        while number <= last {
            let entry = self.entry(number);
            number += match entry.state {
                State::Acked => u64::from(entry.first),
                State::Skipped => return Err(AckError::Skipped(number)),
                State::Out | State::Lost => {
                    self.acknowledge(number, walk, feedback);
                    1
                }
            };
        }
        // All of the range is acknowledged now: the next ACK takes it in one step.
        let run = u32::try_from(last - first + 1).expect("the ring is shorter than 2^32");
        let entry = self.entry(first);
        entry.first = entry.first.max(run);
        Ok(())
    }

    #[inline]
    fn acknowledge(&mut self, number: u64, walk: &mut Walk, feedback: &mut impl Feedback<F>) {
        let frames_base = self.frames_base;
        let entry = self.entry(number);
        let is_late = entry.state == State::Lost;
        let first = entry.first.wrapping_sub(frames_base) as usize;
        let last = first + usize::from(entry.frames);
        (entry.state, entry.first) = (State::Acked, 1);
        let packet = entry.packet;
        feedback.packet_acked(number, &packet, is_late);
        for at in first..last {
            feedback.frame_acked(self.frames[at], is_late);
        }
        walk.packets += 1;
        walk.ect_packets += u64::from(packet.is_ect);
        walk.largest = walk.largest.max(Some((number, packet.sent_at)));
        walk.has_asked |= packet.asks_for_ack;
        if packet.is_in_flight
            && let Some(prior) = walk.prior_largest.filter(|prior| number < *prior)
        {
            walk.distance = walk.distance.max(prior - number);
        }
        if is_late {
            self.note_late(number, &packet);
        } else {
            self.settle(&packet);
        }
    }
}

/// What one ACK found so far.
#[derive(Default)]
struct Walk {
    prior_largest: Option<u64>,
    /// Numbers not decided when the ACK came.
    window: u64,
    packets: u64,
    ect_packets: u64,
    /// The largest number newly acknowledged, and when it was sent.
    largest: Option<(u64, Time)>,
    has_asked: bool,
    /// How far below the largest acknowledged number before it a packet was that came now.
    distance: u64,
}
