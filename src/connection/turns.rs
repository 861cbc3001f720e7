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
    /// Bytes that may leave by right, as so many left otherwise.
    right_credit: u64,
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
        turn.pass = turn.pass.max(self.clocks[priority]);
        // Who had its turn by right still stands where it stood.
        if !std::mem::replace(&mut turn.is_listed, true) {
            self.entries += 1;
            self.waiting[priority].push(Reverse((turn.pass, self.entries, handle.0.to_bits())));
        }
        if !std::mem::replace(&mut turn.has_right, true) {
            turn.right_at = self.sent + RIGHT_BYTES;
            self.rights.push_back((handle, turn.right_at));
        }
    }

    /// Whether somebody may be waiting.
    pub(super) fn has_ready(&self) -> bool {
        self.waiting.iter().any(|waiting| !waiting.is_empty())
    }

    /// Forgets channels that are gone, if more than `most` wait.
    pub(super) fn tidy(&mut self, most: usize, is_there: impl Fn(ChannelHandle) -> bool) {
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.len() > most) {
            let of = |bits| ChannelHandle(crate::id::Handle::from_bits(bits));
            waiting.retain(|Reverse((_, _, bits))| is_there(of(*bits)));
        }
        if self.rights.len() > most {
            self.rights.retain(|(handle, _)| is_there(*handle));
        }
    }

    /// The channel whose turn it is. It waits no longer, unless it has its turn by right.
    pub(super) fn next(&mut self, channels: &mut Slots<Channel>) -> Option<Next> {
        self.next_by_right(channels).or_else(|| self.next_by_place(channels))
    }

    /// Undoes `next`: it is that channel's turn still.
    pub(super) fn put_back(&mut self, next: Next, channel: &mut Channel) {
        let priority = usize::from(channel.priority).min(PRIORITIES - 1);
        let turn = &mut channel.turn;
        turn.is_ready = true;
        if next.is_right {
            turn.has_right = true;
            self.rights.push_front((next.channel, turn.right_at));
        } else {
            turn.is_listed = true;
            // Entries count from 1: of those equal to it, it is the first.
            self.waiting[priority].push(Reverse((turn.pass, 0, next.channel.0.to_bits())));
        }
    }

    fn next_by_right(&mut self, channels: &mut Slots<Channel>) -> Option<Next> {
        while self.right_credit > 0 {
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
                if turn.is_ready && turn.pass > pass {
                    // A turn by right took it further.
                    waiting.push(Reverse((turn.pass, entry, bits)));
                    continue;
                }
                turn.is_listed = false;
                if !turn.is_ready {
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
        if !next.is_right {
            self.right_credit = (self.right_credit + bytes).min(RIGHT_BYTES);
        } else {
            self.right_credit = self.right_credit.saturating_sub(bytes);
            if !std::mem::replace(&mut turn.has_right, true) {
                self.rights.push_back((next.channel, turn.right_at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::channel::Terms;
    use crate::id::{Capabilities, ChannelNumber, ConnectionHandle, Handle, Role, Side, Version};

    const BATCH: u64 = 64_000;
    const PACKET: u64 = 1_200;

    fn terms() -> Terms {
        Terms {
            number: ChannelNumber(0),
            role: Role::Initiator,
            capabilities: Capabilities(0),
            priority: 3,
            weight: 16,
            label: Box::default(),
            limit: 0,
            window: 0,
            is_early: false,
            resend_limit: 0,
            message_lifetime: Duration::ZERO,
        }
    }

    /// Channels of these priorities and weights that always have something to send; the bytes that
    /// each got when `total` left.
    fn share(channels: &[(u8, u8)], total: u64) -> Vec<u64> {
        let mut slots = Slots::new(1, Version::V1);
        let mut turns = Turns::default();
        let mut handles = Vec::new();
        for (index, (priority, weight)) in channels.iter().enumerate() {
            let terms = Terms {
                number: ChannelNumber::new(Side::Initiator, index as u32),
                role: Role::Initiator,
                capabilities: Capabilities(0),
                priority: *priority,
                weight: *weight,
                label: Box::default(),
                limit: 0,
                window: 0,
                is_early: false,
                resend_limit: 0,
                message_lifetime: Duration::ZERO,
            };
            let connection = ConnectionHandle(Handle::from_bits(1));
            let handle = ChannelHandle(slots.insert(|_| Channel::new(connection, terms)));
            handles.push(handle);
            turns.ready(handle, slots.get_mut(handle.0).expect("it was just made"));
        }
        let mut bytes = vec![0; channels.len()];
        while turns.sent < total {
            let next = turns.next(&mut slots).expect("all have something");
            let len = if next.is_right { PACKET } else { BATCH };
            let index = handles.iter().position(|one| *one == next.channel).expect("known");
            bytes[index] += len;
            let channel = slots.get_mut(next.channel.0).expect("it is there");
            turns.on_sent(next, channel, len);
            turns.ready(next.channel, channel);
        }
        bytes
    }

    // spec: 10.6 order between channels
    #[test]
    fn bytes_are_shared_by_weight_and_priority_goes_before() {
        let total = 50_000_000;
        let bytes = share(&[(3, 10), (3, 20), (3, 70)], total);
        for (got, percent) in bytes.iter().zip([10, 20, 70]) {
            assert!(got.abs_diff(total * percent / 100) < total / 50, "{bytes:?}");
        }
        let bytes = share(&[(0, 1), (1, 255)], total);
        assert!(bytes[0] > total * 9 / 10, "{bytes:?}");
    }

    // spec: 10.6 order between channels
    #[test]
    fn nobody_gets_less_than_the_256th_part() {
        let total = 50_000_000;
        let mut channels = vec![(0, 255); 3];
        channels.extend([(7, 1); 20]);
        channels.extend([(0, 1), (4, 255)]);
        let bytes = share(&channels, total);
        assert!(bytes.iter().all(|got| *got >= total / 256), "{bytes:?}");
    }

    // spec: 10.6 order between channels
    #[test]
    fn of_so_many_that_the_256th_part_is_not_there_each_gets_its_share_of_half() {
        let total = 100_000_000;
        let mut channels = vec![(0, 16)];
        channels.extend([(7, 1); 1_000]);
        let bytes = share(&channels, total);
        assert!(bytes[0] > total * 2 / 5, "{}", bytes[0]);
        assert!(bytes[1..].iter().all(|got| *got >= total / 2 / 1_100), "{bytes:?}");
    }

    // spec: 10.6 order between channels
    #[test]
    fn who_comes_back_after_a_rest_gets_no_more_than_its_share() {
        let mut slots = Slots::new(1, Version::V1);
        let mut turns = Turns::default();
        let connection = ConnectionHandle(Handle::from_bits(1));
        let mut add = || ChannelHandle(slots.insert(|_| Channel::new(connection, terms())));
        let (busy, late) = (add(), add());
        turns.ready(busy, slots.get_mut(busy.0).expect("there"));
        let mut counts = [0, 0];
        for round in 0..200 {
            if round == 100 {
                turns.ready(late, slots.get_mut(late.0).expect("there"));
            }
            let next = turns.next(&mut slots).expect("one is ready");
            let channel = slots.get_mut(next.channel.0).expect("there");
            turns.on_sent(next, channel, PACKET);
            turns.ready(next.channel, channel);
            counts[usize::from(next.channel == late)] += 1;
        }
        assert!((45..=55).contains(&counts[1]), "{counts:?}");
    }

    // spec: 10.6 order between channels
    #[test]
    fn who_lives_by_right_alone_stands_in_the_queue_once() {
        let mut slots = Slots::new(1, Version::V1);
        let mut turns = Turns::default();
        let mut add = |priority| {
            let terms = Terms { priority, ..terms() };
            let connection = ConnectionHandle(Handle::from_bits(1));
            ChannelHandle(slots.insert(|_| Channel::new(connection, terms)))
        };
        let (busy, starving) = (add(0), add(7));
        let mut by_right = 0;
        for _ in 0..2_000 {
            for handle in [busy, starving] {
                turns.ready(handle, slots.get_mut(handle.0).expect("there"));
            }
            let next = turns.next(&mut slots).expect("one is ready");
            let channel = slots.get_mut(next.channel.0).expect("there");
            turns.on_sent(next, channel, if next.is_right { PACKET } else { BATCH });
            // It had no more than that.
            channel.turn.is_ready = false;
            by_right += usize::from(next.channel == starving);
        }
        assert!(by_right > 100, "{by_right}");
        let waiting: usize = turns.waiting.iter().map(|waiting| waiting.len()).sum();
        assert!(waiting <= 2, "{waiting}");
    }
}
