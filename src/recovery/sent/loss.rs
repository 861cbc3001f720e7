//! Losses and probes: what is declared lost, when, and what turns out not to have been.

use std::time::Duration;

use crate::time::Time;

use super::super::{Rtt, rtt};
use super::{
    Episode, Feedback, Losses, PACKET_THRESHOLD, REST, SentPacket, SentPackets, State,
    TimeoutOutcome,
};

impl<F: Copy> SentPackets<F> {
    /// When [`Self::handle_timeout`] wants to be called.
    // spec: 15.1 table
    pub(crate) fn poll_timeout(&self, rtt: &Rtt) -> Option<Time> {
        let recovery = self.loss.deadline.or_else(|| self.pto_at(rtt));
        recovery.into_iter().chain(self.tidy_at).min()
    }

    /// Does what time asks for: declares losses, or asks for a probe; forgets what is settled.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Time,
        rtt: &Rtt,
        feedback: &mut impl Feedback<F>,
    ) -> TimeoutOutcome {
        let mut outcome =
            TimeoutOutcome { prior_in_flight: self.in_flight, ..TimeoutOutcome::default() };
        if self.loss.deadline.is_some() {
            if self.loss.deadline.is_some_and(|deadline| deadline <= now) {
                outcome.losses = self.detect_losses(now, rtt, feedback);
            }
        } else if self.pto_at(rtt).is_some_and(|at| at <= now) {
            self.pto_count += 1;
            outcome.is_probe = true;
        }
        self.tidy(now, rtt);
        outcome
    }

    /// The probe timeout without back-off.
    // spec: 13.4 PTO
    pub(crate) fn pto(&self, rtt: &Rtt) -> Duration {
        rtt.pto(self.peer_delay)
    }

    /// Forgets the back-off, as when the peer is known to have had a reason for silence.
    // spec: 7.7 confirmed
    pub(crate) fn reset_backoff(&mut self) {
        self.pto_count = 0;
    }

    /// Keeps the probe timer running from `now` on though nothing is out, until something is
    /// acknowledged; none stops that.
    // spec: 7.6 retransmission
    pub(crate) fn keep_armed(&mut self, from: Option<Time>) {
        self.armed_from = from;
    }

    /// Declares everything lost that is out and left at least `age` ago, without being congestion:
    /// the path led elsewhere, or the peer is known to have dropped it.
    // spec: 12.7 address changes, 7.7 confirmed
    pub(crate) fn lose_old(&mut self, now: Time, age: Duration, feedback: &mut impl Feedback<F>) {
        let next = self.next_number();
        while self.loss.cursor < next {
            let number = self.loss.cursor;
            let entry = *self.entry(number);
            if entry.state == State::Out && entry.packet.sent_at + age > now {
                break;
            }
            self.loss.cursor += match entry.state {
                State::Acked => u64::from(entry.first),
                State::Lost | State::Skipped => 1,
                State::Out => {
                    self.lose(number, feedback);
                    1
                }
            };
        }
        (self.loss.deadline, self.loss.run_from) = (None, None);
    }

    /// Declares lost what the largest acknowledged number shows to be, and sets the loss timer.
    ///
    /// Numbers leave in order of time, so what is lost is always a run from the cursor on.
    // spec: RFC 9002 6.1
    pub(super) fn detect_losses(
        &mut self,
        now: Time,
        rtt: &Rtt,
        feedback: &mut impl Feedback<F>,
    ) -> Losses {
        let mut losses = Losses::default();
        self.loss.deadline = None;
        let Some(largest) = self.largest_acked else { return losses };
        let delay = rtt.loss_delay();
        while self.loss.cursor <= largest {
            let number = self.loss.cursor;
            let entry = *self.entry(number);
            let packet = entry.packet;
            self.loss.cursor += match entry.state {
                State::Acked => {
                    self.loss.run_from = None;
                    u64::from(entry.first)
                }
                State::Lost | State::Skipped => 1,
                State::Out => {
                    let deadline = packet.sent_at + delay;
                    let is_far = largest - number >= self.loss.threshold;
                    if packet.is_in_flight && !is_far && deadline > now {
                        self.loss.deadline = Some(deadline);
                        break;
                    }
                    self.lose(number, feedback);
                    self.note_loss(number, &packet, rtt, &mut losses);
                    1
                }
            };
        }
        losses
    }

    /// A packet no longer counts as out.
    #[inline]
    pub(super) fn settle(&mut self, packet: &SentPacket) {
        if packet.is_in_flight {
            self.in_flight -= u64::from(packet.size);
        }
        self.asking -= u32::from(packet.asks_for_ack);
    }

    /// Raises the packet threshold when a packet came `distance` numbers late, and lowers it again
    /// when none did for long.
    // spec: 13.2 differences from RFC 9002
    pub(super) fn note_reordering(&mut self, now: Time, rtt: &Rtt, distance: u64, window: u64) {
        if distance != 0 {
            let seen = (distance + 1).min(window / 2);
            self.loss.threshold = self.loss.threshold.max(seen);
            self.loss.reordered_at = now;
        } else if now.since(self.loss.reordered_at) > rtt.smoothed() * THRESHOLD_ROUNDS {
            self.loss.threshold = PACKET_THRESHOLD;
        }
    }

    /// A packet that was declared lost came after all.
    pub(super) fn note_late(&mut self, number: u64, packet: &SentPacket) {
        // It ends the run of losses that might have become persistent congestion.
        if self.loss.run_from.is_some_and(|from| from <= packet.sent_at) {
            self.loss.run_from = None;
        }
        let is_counted = packet.is_in_flight && !packet.is_mtu_probe;
        self.totals.late += u64::from(is_counted);
        let episode = &mut self.loss.episode;
        if is_counted && (episode.first..episode.end).contains(&number) {
            episode.acked_late += 1;
        }
    }

    /// Whether the losses of the last episode have now all been acknowledged late; says so once.
    // spec: 13.2 differences from RFC 9002
    pub(super) fn take_spurious(&mut self) -> bool {
        let episode = &mut self.loss.episode;
        let is_spurious = episode.lost != 0 && episode.acked_late >= episode.lost;
        if is_spurious {
            (episode.lost, episode.acked_late) = (0, 0);
        }
        is_spurious
    }

    /// Forgets at the front of the ring what needs no keeping; frees both rings after a rest.
    pub(super) fn tidy(&mut self, now: Time, rtt: &Rtt) {
        // One round trip more than it took to be declared lost, with room for its variation. The
        // peer's delay is left out: what fills a gap is acknowledged at once, and on a fast path
        // the ring would hold tens of milliseconds.
        let keep = rtt.pto(Duration::ZERO) + rtt.smoothed();
        let (mut packets, mut frames) = (0, 0);
        for front in &self.entries {
            let is_settled = match front.state {
                State::Acked | State::Skipped => true,
                State::Lost => front.packet.sent_at + keep <= now,
                State::Out => !front.packet.is_in_flight && front.packet.sent_at + keep <= now,
            };
            if !is_settled {
                break;
            }
            packets += 1;
            frames += usize::from(front.frames);
        }
        self.pop_front(packets, frames);
        self.tidy_at = match self.entries.front() {
            // While something is out that will be acknowledged or lost, that is when to look again.
            Some(front) if self.asking == 0 && !front.is_out_in_flight() => {
                Some(front.packet.sent_at + keep)
            }
            Some(_) => None,
            None if self.entries.capacity() == 0 => None,
            None => match self.tidy_at {
                Some(at) if at <= now => {
                    (self.entries, self.frames) = Default::default();
                    None
                }
                Some(at) => Some(at),
                None => Some(now + REST),
            },
        };
    }

    fn lose(&mut self, number: u64, feedback: &mut impl Feedback<F>) {
        let frames_base = self.frames_base;
        let entry = self.entry(number);
        entry.state = State::Lost;
        let packet = entry.packet;
        let first = entry.first.wrapping_sub(frames_base) as usize;
        let frames = usize::from(entry.frames);
        self.settle(&packet);
        self.totals.lost += u64::from(packet.is_in_flight && !packet.is_mtu_probe);
        feedback.packet_lost(number, &packet);
        for frame in self.frames.range(first..first + frames) {
            feedback.frame_lost(*frame);
        }
    }

    /// Counts a loss that may be congestion.
    fn note_loss(&mut self, number: u64, packet: &SentPacket, rtt: &Rtt, losses: &mut Losses) {
        if !packet.is_in_flight || packet.is_mtu_probe {
            return;
        }
        losses.packets += 1;
        losses.bytes += u64::from(packet.size);
        losses.newest_sent_at = packet.sent_at;
        let next = self.next_number();
        let episode = &mut self.loss.episode;
        if number >= episode.end {
            *episode = Episode { first: number, end: next, ..Episode::default() };
        }
        episode.lost += 1;
        losses.is_persistent |= packet.asks_for_ack && self.is_persistent(packet.sent_at, rtt);
    }

    /// Whether the run of losses that now reaches to `sent_at` is persistent congestion.
    // spec: RFC 9002 7.6
    fn is_persistent(&mut self, sent_at: Time, rtt: &Rtt) -> bool {
        // What left before the first sample cannot tell.
        if rtt.first_sample_at().is_none_or(|first| sent_at <= first) {
            return false;
        }
        let from = *self.loss.run_from.get_or_insert(sent_at);
        let span = rtt.smoothed() + (rtt.variation() * 4).max(rtt::GRANULARITY) + self.peer_delay;
        sent_at.since(from) > span * PERSISTENT_PTOS
    }

    fn pto_at(&self, rtt: &Rtt) -> Option<Time> {
        let from = match self.asking {
            0 => self.armed_from?,
            _ => self.asked_at,
        };
        Some(from + self.pto(rtt) * (1 << self.pto_count.min(BACKOFF_MAX)))
    }
}

/// Round trips without reordering after which the packet threshold is 3 again.
const THRESHOLD_ROUNDS: u32 = 16;

/// RFC 9002 7.6.1.
const PERSISTENT_PTOS: u32 = 3;

/// Doublings of the probe timeout at most; whoever waits has given up long before.
const BACKOFF_MAX: u32 = 16;
