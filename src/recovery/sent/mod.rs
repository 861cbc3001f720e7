//! The packets of one number space that were sent: acknowledged, lost, or still out.
//!
//! Packets are entries of a ring indexed by packet number; their frames are entries of a second
//! ring, in the same order. A packet leaves the rings when all before it left; one that was
//! declared lost stays a while, so that a late acknowledgement is understood. Both rings grow when
//! needed and are freed when nothing was sent for a while.

mod ack;
mod loss;

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::rand_core::Rng;

use crate::congestion::Snapshot;
use crate::time::Time;

/// The packets sent in one number space, each with frames `F`.
///
/// Sending: [`Self::begin`], [`Self::note`] for each frame, [`Self::finish`] (or [`Self::cancel`]).
#[derive(Debug)]
pub(crate) struct SentPackets<F> {
    /// The packets from number `base` on.
    entries: VecDeque<Entry>,
    frames: VecDeque<F>,
    base: u64,
    /// How many frames left the front of their ring, ever; wraps.
    frames_base: u32,
    /// The first frame of the packet that was begun, counted as by `frames_base`.
    begun_at: u32,
    /// The number to skip next, once drawn.
    skip_at: Option<u64>,
    /// The last number that was skipped.
    skipped: Option<u64>,
    /// Lower numbers went another way: their round trips tell nothing.
    samples_from: u64,
    largest_acked: Option<u64>,
    in_flight: u64,
    /// Packets out that ask for an acknowledgement.
    asking: u32,
    /// When the last of them left.
    asked_at: Time,
    /// Packets sent since then that ask for none.
    silent: u32,
    peer_delay: Duration,
    loss: LossState,
    totals: Totals,
    pto_count: u32,
    /// Keeps the probe timer running from then on though nothing is out.
    armed_from: Option<Time>,
    /// When the rings may be tidied: lost packets forgotten, memory freed.
    tidy_at: Option<Time>,
}

/// A packet as it is sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SentPacket {
    /// When it left.
    pub(crate) sent_at: Time,
    /// Bytes of the packet, as the congestion controller counts them.
    pub(crate) size: u16,
    /// Whether it counts as in flight: all do but those of only ACK and CONNECTION_CLOSE.
    pub(crate) is_in_flight: bool,
    /// Whether it asks for an acknowledgement.
    pub(crate) asks_for_ack: bool,
    /// Whether it left with ECT(0).
    pub(crate) is_ect: bool,
    /// Whether it probes the path's MTU: its loss is no congestion.
    pub(crate) is_mtu_probe: bool,
    /// What the congestion control knew when it left.
    pub(crate) snapshot: Snapshot,
}

/// Hears what becomes of packets and their frames, in the order of their numbers within a range.
pub(crate) trait Feedback<F> {
    /// A packet was acknowledged. `is_late`: it had been declared lost, and no longer counted as in
    /// flight.
    fn packet_acked(&mut self, number: u64, packet: &SentPacket, is_late: bool);

    /// A frame of it. After `is_late`, the frame was already told as lost.
    fn frame_acked(&mut self, frame: F, is_late: bool);

    /// A packet was declared lost.
    fn packet_lost(&mut self, number: u64, packet: &SentPacket);

    /// A frame of it.
    fn frame_lost(&mut self, frame: F);
}

/// What an ACK did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AckOutcome {
    /// Packets acknowledged for the first time, late ones counted.
    pub(crate) packets: u64,
    /// Bytes in flight before it.
    pub(crate) prior_in_flight: u64,
    /// The round trip that it showed; the estimate has taken it.
    pub(crate) rtt_sample: Option<Duration>,
    /// Packets acknowledged for the first time that had left with ECT(0).
    pub(crate) ect_packets: u64,
    /// When the largest number had been sent, if it was acknowledged for the first time.
    pub(crate) largest_sent_at: Option<Time>,
    /// Whether it raised the largest acknowledged number: else its ECN counts may be old.
    pub(crate) is_newest: bool,
    /// What it showed as lost.
    pub(crate) losses: Losses,
    /// Every loss of the last episode was acknowledged late: the reduction is to be undone.
    pub(crate) is_spurious: bool,
}

/// Packets declared lost at once. MTU probes, and packets not in flight, are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// How many packets.
    pub(crate) packets: u64,
    /// How many bytes.
    pub(crate) bytes: u64,
    /// When the newest of them had been sent.
    pub(crate) newest_sent_at: Time,
    /// Whether the losses without an acknowledgement between span persistent congestion.
    pub(crate) is_persistent: bool,
}

/// What a timer asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TimeoutOutcome {
    /// What was declared lost.
    pub(crate) losses: Losses,
    /// Bytes in flight before that.
    pub(crate) prior_in_flight: u64,
    /// The probe timer ended: send one or two packets that ask for an acknowledgement, whatever
    /// the window.
    pub(crate) is_probe: bool,
}

/// Why an ACK closes the connection with PROTOCOL.
// spec: 8.5 ACK
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AckError {
    /// It names a number that was not reached yet.
    #[error("acknowledged packet {0} was never sent")]
    NeverSent(u64),
    /// It names a number that was skipped on purpose.
    #[error("acknowledged packet {0} was skipped")]
    Skipped(u64),
}

/// One number of the ring.
#[derive(Debug, Clone, Copy)]
struct Entry {
    packet: SentPacket,
    /// Its first frame, as counted by `frames_base`. Of an acknowledged one: how many in a row from
    /// here on are acknowledged, so that an ACK walks over them in one step.
    first: u32,
    frames: u16,
    state: State,
}

/// What became of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Out,
    Acked,
    Lost,
    /// Never sent.
    Skipped,
}

/// Where loss detection stands.
#[derive(Debug)]
struct LossState {
    /// All numbers below are decided: acknowledged, lost or skipped.
    cursor: u64,
    /// When the packet at the cursor is lost if it stays unacknowledged.
    deadline: Option<Time>,
    /// How far below an acknowledged number a packet counts as lost.
    threshold: u64,
    /// When reordering was last seen, with a raised threshold.
    reordered_at: Time,
    /// When the first packet was sent of the present run of lost ones without an acknowledged one
    /// between.
    run_from: Option<Time>,
    episode: Episode,
}

/// Packets of the space so far; MTU probes, and packets not in flight, are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Declared lost.
    pub(crate) lost: u64,
    /// Of these, those that were acknowledged after all.
    pub(crate) late: u64,
}

/// The losses that made one reduction of the window.
#[derive(Debug, Default)]
struct Episode {
    /// The first number that was lost.
    first: u64,
    /// Losses of lower numbers belong to it.
    end: u64,
    lost: u64,
    acked_late: u64,
}

impl<F: Copy> SentPackets<F> {
    /// A space that begins, with a peer that may wait `peer_delay` with an acknowledgement (0 at
    /// the levels of a handshake). Allocates nothing.
    pub(crate) fn new(peer_delay: Duration) -> SentPackets<F> {
        SentPackets {
            entries: VecDeque::new(),
            frames: VecDeque::new(),
            base: 0,
            frames_base: 0,
            begun_at: 0,
            skip_at: None,
            skipped: None,
            samples_from: 0,
            largest_acked: None,
            in_flight: 0,
            asking: 0,
            asked_at: Time::ZERO,
            silent: 0,
            peer_delay,
            loss: LossState {
                cursor: 0,
                deadline: None,
                threshold: PACKET_THRESHOLD,
                reordered_at: Time::ZERO,
                run_from: None,
                episode: Episode::default(),
            },
            totals: Totals::default(),
            pto_count: 0,
            armed_from: None,
            tidy_at: None,
        }
    }

    /// The delay of the peer that is in force from now on.
    pub(crate) fn set_peer_delay(&mut self, delay: Duration) {
        self.peer_delay = delay;
    }

    /// Round trips of what was sent so far tell nothing any more.
    // spec: 12.7 address changes
    pub(crate) fn ignore_samples(&mut self) {
        self.samples_from = self.next_number();
    }

    /// Begins a packet and says its number. Now and then skips one: who acknowledges that lies.
    // spec: 5.5 packet numbers
    pub(crate) fn begin(&mut self, rng: &mut impl Rng) -> u64 {
        let next = self.next_number();
        let skip_at = *self.skip_at.get_or_insert_with(|| next + skip_distance(rng));
        if next >= skip_at {
            self.skipped = Some(next);
            self.skip_at = Some(next + 1 + skip_distance(rng));
            self.push(SentPacket::default(), State::Skipped, 0);
        }
        self.begun_at = self.frames_end();
        self.next_number()
    }

    /// Adds a frame to the packet that was begun.
    #[inline]
    pub(crate) fn note(&mut self, frame: F) {
        self.frames.push_back(frame);
    }

    /// The packet that was begun leaves.
    #[inline]
    pub(crate) fn finish(&mut self, packet: SentPacket) {
        if packet.is_in_flight {
            self.in_flight += u64::from(packet.size);
        }
        if packet.asks_for_ack {
            self.asking += 1;
            self.asked_at = packet.sent_at;
            (self.silent, self.tidy_at) = (0, None);
        } else {
            self.silent = self.silent.saturating_add(1);
            self.tidy_at.get_or_insert(packet.sent_at + REST);
            self.bound_silent();
        }
        let frames = self.frames_end().wrapping_sub(self.begun_at);
        debug_assert!(frames <= u32::from(u16::MAX), "a datagram has no room for more");
        self.push(packet, State::Out, frames as u16);
    }

    /// The packet that was begun does not leave; its number goes to the next one.
    pub(crate) fn cancel(&mut self) {
        self.frames.truncate(self.begun_at.wrapping_sub(self.frames_base) as usize);
    }

    /// Forgets everything: the keys of the space are gone, or its path.
    // spec: 13.2 discarding a space
    pub(crate) fn discard(&mut self) {
        let base = self.next_number();
        let largest_acked = self.largest_acked;
        let peer_delay = self.peer_delay;
        *self = SentPackets { base, largest_acked, ..SentPackets::new(peer_delay) };
        self.loss.cursor = base;
    }

    /// The number that the next packet will have, if none is skipped.
    pub(crate) fn next_number(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// The largest number known to be acknowledged.
    pub(crate) const fn largest_acked(&self) -> Option<u64> {
        self.largest_acked
    }

    /// What was lost so far, and what only seemed to be.
    pub(crate) const fn totals(&self) -> Totals {
        self.totals
    }

    /// Bytes in flight.
    pub(crate) const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Whether a packet is out that asks for an acknowledgement.
    pub(crate) const fn is_asking(&self) -> bool {
        self.asking != 0
    }

    /// Frames of the oldest packet that is out and asks for an acknowledgement: what a probe best
    /// repeats.
    pub(crate) fn oldest_frames(&self) -> impl Iterator<Item = F> {
        let decided = (self.loss.cursor - self.base) as usize;
        let open = self.entries.range(decided.min(self.entries.len())..);
        let is_out = |entry: &&Entry| entry.state == State::Out && entry.packet.asks_for_ack;
        let oldest = open.into_iter().find(is_out);
        let first = oldest.map_or(0, |entry| entry.first.wrapping_sub(self.frames_base) as usize);
        let count = oldest.map_or(0, |entry| usize::from(entry.frames));
        self.frames.range(first..first + count).copied()
    }

    /// How many probe timers ended in a row without an acknowledgement.
    pub(crate) const fn pto_count(&self) -> u32 {
        self.pto_count
    }

    /// How many packets were sent since the last that asked for an acknowledgement. A PING with one
    /// in a while keeps both sides from carrying what was long settled (RFC 9000 13.2.4).
    pub(crate) const fn silent_packets(&self) -> u32 {
        self.silent
    }

    /// Whether another packet may be kept; else none is to be sent that needs to be.
    pub(crate) fn has_room(&self) -> bool {
        self.entries.len() < PACKETS_MAX
    }

    /// Whether no packet at all may be kept: of a peer that acknowledges nothing, but has us
    /// acknowledge and answer, there is no end else. One that only has much under way acknowledges
    /// before that.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= 2 * PACKETS_MAX
    }

    fn push(&mut self, packet: SentPacket, state: State, frames: u16) {
        self.entries.push_back(Entry { packet, first: self.begun_at, frames, state });
    }

    fn frames_end(&self) -> u32 {
        self.frames_base.wrapping_add(self.frames.len() as u32)
    }

    /// Whoever only acknowledges is acknowledged only when it asks: of what it sent meanwhile, only
    /// the newest is kept.
    fn bound_silent(&mut self) {
        while self.silent > SILENT_MAX && self.asking == 0 {
            match self.entries.front() {
                Some(front) if !front.packet.is_in_flight => {
                    let frames = usize::from(front.frames);
                    self.pop_front(1, frames);
                }
                Some(_) | None => return,
            }
            self.silent -= 1;
        }
    }

    /// The first `packets` leave, which have `frames` between them.
    fn pop_front(&mut self, packets: usize, frames: usize) {
        if packets == 0 {
            return;
        }
        self.entries.drain(..packets);
        self.base += packets as u64;
        self.loss.cursor = self.loss.cursor.max(self.base);
        self.frames.drain(..frames);
        self.frames_base = self.frames_base.wrapping_add(frames as u32);
    }

    fn entry(&mut self, number: u64) -> &mut Entry {
        let index = (number - self.base) as usize;
        self.entries.get_mut(index).expect("callers stay between base and next number")
    }
}

impl Entry {
    fn is_out_in_flight(&self) -> bool {
        self.state == State::Out && self.packet.is_in_flight
    }
}

/// How far the next skipped number is: 2^8 to 2^16 packets.
fn skip_distance(rng: &mut impl Rng) -> u64 {
    u64::from(rng.next_u32() % (65_536 - 256 + 1)) + 256
}

/// How long empty rings are kept for what may be sent next.
const REST: Duration = Duration::from_secs(1);

/// RFC 9002 6.1.1.
const PACKET_THRESHOLD: u64 = 3;

/// Packets kept at most: a window of 150 MB.
const PACKETS_MAX: usize = 1 << 17;

/// Packets kept at most of a side that only acknowledges.
const SILENT_MAX: u32 = 64;

#[cfg(test)]
mod cost_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
