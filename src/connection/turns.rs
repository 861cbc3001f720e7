//! In which order the channels of a connection get to send: by priority, then by weight, and nobody
//! never.
// spec: 10.6 order between channels

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::channel::Channel;
use crate::id::ChannelHandle;
use crate::slots::Slots;

/// Priorities of channels: 0 to 7 (8.9).
const PRIORITIES: usize = 8;

/// When so many bytes left of all channels, each that waits gets at least a packet of its own: the
/// 256th part of all, and as much room as one batch may be late.
const RIGHT_BYTES: u64 = 240_000;

/// Channels with something to send.
///
/// Within a priority the channel is next that got the fewest bytes by its weight since it began to
/// wait. Beside that stands a queue of rights: who got nothing for long gets one packet, whatever
/// its priority; half of all bytes at most go that way.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: [BinaryHeap<Reverse<Waiting>>; PRIORITIES],
    /// How far the last channel of each priority had come that had a turn.
    clocks: [u64; PRIORITIES],
    entries: u64,
    /// Channels by when they have a right to something.
    rights: VecDeque<(ChannelHandle, u64)>,
    /// Bytes that left.
    sent: u64,
    /// From then on the next right counts.
    rights_from: u64,
}

/// A channel that waits: (pass, entry, handle). Of equals the first comes first.
type Waiting = (u64, u64, u64);

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) channel: ChannelHandle,
    /// By right, not by its place: one packet only.
    pub(super) is_right: bool,
}

impl Turns {
    /// Gives a channel that has something to send its turn, when it comes.
    #[inline]
    pub(super) fn ready(&mut self, handle: ChannelHandle, channel: &mut Channel) {
        let priority = usize::from(channel.priority).min(PRIORITIES - 1);
        let turn = &mut channel.turn;
        if std::mem::replace(&mut turn.is_ready, true) {
            return;
        }
        self.entries += 1;
        turn.entry = self.entries;
        turn.pass = turn.pass.max(self.clocks[priority]);
        self.waiting[priority].push(Reverse((turn.pass, turn.entry, handle.0.to_bits())));
        if !std::mem::replace(&mut turn.has_right, true) {
            turn.right_at = self.sent + RIGHT_BYTES;
            self.rights.push_back((handle, turn.right_at));
        }
    }

    /// Whether somebody may be waiting.
    pub(super) fn has_ready(&self) -> bool {
        self.waiting.iter().any(|waiting| !waiting.is_empty())
    }

    /// The channel whose turn it is. It waits no longer, unless it has its turn by right.
    pub(super) fn next(&mut self, channels: &mut Slots<Channel>) -> Option<Next> {
        self.next_by_right(channels).or_else(|| self.next_by_place(channels))
    }

    fn next_by_right(&mut self, channels: &mut Slots<Channel>) -> Option<Next> {
        while self.sent >= self.rights_from {
            let (handle, at) = *self.rights.front().filter(|(_, at)| *at <= self.sent)?;
            self.rights.pop_front();
            let Some(channel) = channels.get_mut(handle.0) else { continue };
            let turn = &mut channel.turn;
            if !turn.is_ready {
                turn.has_right = false;
            } else if turn.right_at > at {
                // It had its turn meanwhile.
                self.rights.push_back((handle, turn.right_at));
            } else {
                turn.has_right = false;
                return Some(Next { channel: handle, is_right: true });
            }
        }
        None
    }

    fn next_by_place(&mut self, channels: &mut Slots<Channel>) -> Option<Next> {
        for (priority, waiting) in self.waiting.iter_mut().enumerate() {
            while let Some(Reverse((pass, entry, bits))) = waiting.pop() {
                let handle = ChannelHandle(crate::id::Handle::from_bits(bits));
                let Some(channel) = channels.get_mut(handle.0) else { continue };
                let turn = &mut channel.turn;
                if !turn.is_ready || turn.entry != entry {
                    continue;
                }
                if turn.pass > pass {
                    // A turn by right took it further.
                    waiting.push(Reverse((turn.pass, entry, bits)));
                    continue;
                }
                turn.is_ready = false;
                self.clocks[priority] = pass;
                return Some(Next { channel: handle, is_right: false });
            }
        }
        None
    }

    /// A channel whose turn it was sent so many bytes.
    pub(super) fn on_sent(&mut self, next: Next, channel: &mut Channel, bytes: u64) {
        self.sent += bytes;
        let turn = &mut channel.turn;
        turn.pass += bytes * u64::from(u8::MAX) / u64::from(channel.weight.max(1));
        turn.right_at = self.sent + RIGHT_BYTES;
        if next.is_right {
            self.rights_from = self.sent + bytes;
            if !std::mem::replace(&mut turn.has_right, true) {
                self.rights.push_back((next.channel, turn.right_at));
            }
        }
    }
}
