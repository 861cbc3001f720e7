//! What a connection owes its peer: messages that wait to be put into a packet, and turns of
//! channels with data.

use std::collections::VecDeque;

use super::expiring::Expiring;
use super::turns::Turns;
use crate::channel::{Channel, Pending};
use crate::config::REFUSALS_MAX;
use crate::id::{ChannelHandle, ChannelNumber, PathId};
use crate::slots::Slots;

/// Entries of channels that are gone which no queue is worth being looked through for.
const STALE_MAX: usize = 64;

/// Queues of things to be said. Each holds an entry once.
#[derive(Debug, Default)]
pub(super) struct Duties {
    /// Channels with something to send.
    pub(super) turns: Turns,
    /// Channels that wait for the connection's limit of data.
    pub(super) credit_waiters: VecDeque<ChannelHandle>,
    /// Channels whose messages may become too old.
    pub(super) expiring: Expiring,
    /// Channels with control messages.
    noted: VecDeque<ChannelHandle>,
    pub(super) refusals: VecDeque<(ChannelNumber, u8)>,
    pub(super) tokens: VecDeque<PathId>,
    pub(super) abandons: VecDeque<(PathId, u8)>,
    pub(super) ping: bool,
    pub(super) max_channels: bool,
    pub(super) max_data: bool,
    pub(super) channels_blocked: bool,
    pub(super) data_blocked: bool,
    /// Some path's `Owed` has something.
    pub(super) paths: bool,
    /// The connection's limit of data rose in the packet that is being read.
    pub(super) credit_rose: bool,
    /// The limit of channels rose in it: what it was before.
    pub(super) channels_rose: Option<u32>,
}

impl Duties {
    /// Gives a channel with something to send its turn.
    #[inline]
    pub(super) fn ready(&mut self, handle: ChannelHandle, channel: &mut Channel) {
        self.turns.ready(handle, channel);
    }

    pub(super) fn has_ready(&self) -> bool {
        self.turns.has_ready()
    }

    /// Has a channel say something.
    pub(super) fn note(&mut self, handle: ChannelHandle, channel: &mut Channel, what: Pending) {
        channel.pending.set(what);
        self.note_again(handle, channel);
    }

    /// Puts a channel that still has something to say behind the others.
    pub(super) fn note_again(&mut self, handle: ChannelHandle, channel: &mut Channel) {
        if !std::mem::replace(&mut channel.is_noted, true) {
            self.noted.push_back(handle);
        }
    }

    pub(super) fn next_noted(&mut self) -> Option<ChannelHandle> {
        self.noted.pop_front()
    }

    pub(super) fn noted(&self) -> usize {
        self.noted.len()
    }

    /// Has a channel refused that was never made; false when too many are.
    pub(super) fn refuse(&mut self, number: ChannelNumber, code: u8) -> bool {
        let has_room = self.refusals.len() < REFUSALS_MAX;
        if has_room {
            self.refusals.push_back((number, code));
        }
        has_room
    }

    /// Whether a packet has a reason to leave, data apart.
    pub(super) fn is_waiting(&self) -> bool {
        self.ping
            || self.max_channels
            || self.max_data
            || self.channels_blocked
            || self.data_blocked
            || self.paths
            || !self.noted.is_empty()
            || !self.refusals.is_empty()
            || !self.tokens.is_empty()
            || !self.abandons.is_empty()
    }

    /// Forgets channels that are gone, once most entries of a queue may be of such. There are
    /// `live` ones.
    pub(super) fn tidy(&mut self, channels: &Slots<Channel>, live: usize) {
        let most = 2 * live + STALE_MAX;
        let is_there = |handle: ChannelHandle| channels.get(handle.0).is_some();
        for queue in [&mut self.credit_waiters, &mut self.noted] {
            if queue.len() > most {
                queue.retain(|handle| is_there(*handle));
            }
        }
        self.expiring.tidy(most, is_there);
        self.turns.tidy(most, is_there);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Duties::default();
    }
}
