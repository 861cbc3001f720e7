//! Which channels a connection has, had, and may have.
// spec: 9.1 ids

use std::collections::BTreeMap;

use crate::channel::Settled;
use crate::id::{ChannelHandle, ChannelNumber, Side};

/// The channels of a connection by their ids, and the limits on both sides.
#[derive(Debug)]
pub(super) struct Registry {
    side: Side,
    channels: BTreeMap<u32, ChannelHandle>,
    /// The channel that a message last named: mostly the next one's too.
    recent: Option<(ChannelNumber, ChannelHandle)>,
    /// The next index of ours.
    next: u32,
    /// Indexes of ours must be below it.
    limit: u32,
    /// The limit that the peer was told to be in our way.
    blocked_at: Option<u32>,
    /// Indexes of the peer's must be below it.
    peer_limit: u32,
    /// How many channels the peer may have beyond those gone.
    peer_channels_max: u32,
    /// Indexes that the peer used.
    used: Settled,
    /// How many of those are gone.
    gone: u32,
}

/// What an id in a message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A channel that there is.
    Live(ChannelHandle),
    /// One that there was: what names it is ignored.
    Ended,
    /// One that the peer may open.
    Unused,
    /// One of ours that we never opened: CHANNEL_STATE.
    NeverOpened,
    /// Above the limit: CHANNEL_LIMIT.
    OverLimit,
}

impl Registry {
    pub(super) fn new(side: Side, peer_channels_max: u32) -> Registry {
        Registry {
            side,
            channels: BTreeMap::new(),
            recent: None,
            next: 0,
            limit: 0,
            blocked_at: None,
            peer_limit: peer_channels_max,
            peer_channels_max,
            used: Settled::default(),
            gone: 0,
        }
    }

    /// The id of our next channel, whether or not the peer allows it yet; none when all are used.
    pub(super) fn open(&mut self) -> Option<ChannelNumber> {
        let mut number = ChannelNumber::new(self.side, self.next);
        if number.is_none() {
            self.next += 1;
            number = ChannelNumber::new(self.side, self.next);
        }
        if self.next >= ChannelNumber::INDEXES_MAX {
            return None;
        }
        self.next += 1;
        Some(number)
    }

    pub(super) fn insert(&mut self, number: ChannelNumber, handle: ChannelHandle) {
        let before = self.channels.insert(number.0, handle);
        debug_assert!(before.is_none(), "an id names one channel");
        if number.opener() != self.side {
            self.mark_used(number);
        }
    }

    /// The peer used this id.
    pub(super) fn mark_used(&mut self, number: ChannelNumber) {
        self.used.insert(u64::from(number.index()), 1, 0);
        // The one index that the initiator skips; without it the floor would stay below for ever.
        let hole = ChannelNumber::NONE;
        if number.opener() == hole.opener() && number.index() > hole.index() {
            self.used.insert(u64::from(hole.index()), 1, 0);
        }
    }

    /// A channel is gone.
    pub(super) fn remove(&mut self, number: ChannelNumber) {
        if self.channels.remove(&number.0).is_some() && number.opener() != self.side {
            self.gone += 1;
        }
        if self.recent.is_some_and(|(recent, _)| recent == number) {
            self.recent = None;
        }
    }

    /// A reset made an id of the peer's used and ended in one.
    pub(super) fn pass_over(&mut self, number: ChannelNumber) {
        self.mark_used(number);
        self.gone += 1;
    }

    /// What `number` means in a message.
    #[inline]
    pub(super) fn find(&mut self, number: ChannelNumber) -> Place {
        if let Some((_, handle)) = self.recent.filter(|(recent, _)| *recent == number) {
            return Place::Live(handle);
        }
        if let Some(handle) = self.channels.get(&number.0) {
            self.recent = Some((number, *handle));
            return Place::Live(*handle);
        }
        if number.opener() == self.side {
            return if number.index() < self.next { Place::Ended } else { Place::NeverOpened };
        }
        if number.index() >= self.peer_limit || number.is_none() {
            Place::OverLimit
        } else if self.used.contains(u64::from(number.index())) {
            Place::Ended
        } else {
            Place::Unused
        }
    }

    /// Whether a packet may belong to `number`: no key is derived for others.
    // spec: 5.4 receiving
    #[inline]
    pub(super) fn is_possible(&self, number: ChannelNumber) -> bool {
        if self.recent.is_some_and(|(recent, _)| recent == number) || number.is_none() {
            return true;
        }
        let is_ours = number.opener() == self.side;
        number.index() < if is_ours { self.next } else { self.peer_limit }
    }

    /// Whether the peer allows this channel of ours to be announced.
    pub(super) fn is_allowed(&self, number: ChannelNumber) -> bool {
        number.opener() != self.side || number.index() < self.limit
    }

    /// The limit to tell the peer that we wait for, once each.
    // spec: 8.13 MAX_CHANNELS, CHANNELS_BLOCKED
    pub(super) fn blocked(&mut self) -> Option<u32> {
        let is_new = self.next > self.limit && self.blocked_at != Some(self.limit);
        is_new.then(|| *self.blocked_at.insert(self.limit))
    }

    /// Whether it is still so.
    pub(super) fn is_blocked(&self) -> bool {
        self.next > self.limit
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// A limit of the peer's; whether it is higher than those before.
    pub(super) fn raise(&mut self, limit: u32) -> bool {
        let is_higher = limit > self.limit;
        self.limit = self.limit.max(limit);
        is_higher
    }

    /// The limit to give the peer, when so many of its channels are gone that half was used.
    // spec: 9.3 states
    pub(super) fn raise_peer(&mut self) -> Option<u32> {
        let most = self.peer_channels_max;
        let limit = self.gone.saturating_add(most).min(ChannelNumber::INDEXES_MAX);
        let is_due = limit >= self.peer_limit.saturating_add((most / 2).max(1));
        is_due.then(|| {
            self.peer_limit = limit;
            limit
        })
    }

    pub(super) fn peer_limit(&self) -> u32 {
        self.peer_limit
    }

    /// Every channel, in an order that does not depend on chance.
    pub(super) fn handles(&self) -> impl Iterator<Item = ChannelHandle> {
        self.channels.values().copied()
    }

    /// Those with ids from `number` on.
    pub(super) fn from(&self, number: u32) -> impl Iterator<Item = (u32, ChannelHandle)> {
        self.channels.range(number..).map(|(number, handle)| (*number, *handle))
    }

    /// Channels of ours that the peer allows now, and did not when its limit was `before`.
    pub(super) fn allowed_since(&self, before: u32) -> impl Iterator<Item = ChannelHandle> {
        let since = self.from(ChannelNumber::new(self.side, before).0);
        let since = since.map(|(number, handle)| (ChannelNumber(number), handle));
        let allowed = since.take_while(|(number, _)| number.index() < self.limit);
        allowed.filter(|(number, _)| number.opener() == self.side).map(|(_, handle)| handle)
    }

    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Handle;

    const MOST: u32 = 64;

    // spec: 9.1 ids
    #[test]
    fn ids_rise_carry_their_openers_bit_and_skip_the_one_that_is_no_channel() {
        let mut registry = Registry::new(Side::Initiator, MOST);
        assert_eq!(registry.open(), Some(ChannelNumber(0)));
        assert_eq!(registry.open(), Some(ChannelNumber(2)));
        registry.next = 0x7878_7878;
        assert_eq!(registry.open(), Some(ChannelNumber(0xf0f0_f0f2)));
        registry.next = ChannelNumber::INDEXES_MAX - 1;
        assert!(registry.open().is_some());
        assert_eq!(registry.open(), None, "no id is used twice");
        let mut registry = Registry::new(Side::Responder, MOST);
        registry.next = 0x7878_7878;
        assert_eq!(registry.open(), Some(ChannelNumber(0xf0f0_f0f1)));
    }

    // spec: 9.1 ids
    #[test]
    fn ids_are_live_ended_unused_or_over_the_limit() {
        let mut registry = Registry::new(Side::Initiator, MOST);
        let handle = ChannelHandle(Handle::from_bits(7));
        let theirs = |index| ChannelNumber::new(Side::Responder, index);
        assert_eq!(registry.find(theirs(3)), Place::Unused);
        registry.insert(theirs(3), handle);
        assert_eq!(registry.find(theirs(3)), Place::Live(handle));
        registry.remove(theirs(3));
        assert_eq!(registry.find(theirs(3)), Place::Ended);
        assert_eq!(registry.find(theirs(2)), Place::Unused);
        assert_eq!(registry.find(theirs(MOST)), Place::OverLimit);
        assert!(!registry.is_possible(theirs(MOST)));
        assert_eq!(registry.find(ChannelNumber(0)), Place::NeverOpened);
        assert_eq!(registry.open(), Some(ChannelNumber(0)));
        assert_eq!(registry.find(ChannelNumber(0)), Place::Ended);
        assert_eq!(registry.find(ChannelNumber::NONE), Place::NeverOpened);
    }

    // spec: 9.3 states
    #[test]
    fn gone_channels_raise_the_peers_limit_when_half_was_used() {
        let mut registry = Registry::new(Side::Initiator, MOST);
        for index in 0..MOST / 2 {
            assert_eq!(registry.raise_peer(), None);
            registry.pass_over(ChannelNumber::new(Side::Responder, index));
        }
        assert_eq!(registry.raise_peer(), Some(MOST * 3 / 2));
        assert_eq!(registry.raise_peer(), None);
    }

    // spec: 8.13 MAX_CHANNELS, CHANNELS_BLOCKED
    #[test]
    fn a_higher_limit_allows_those_of_our_channels_that_waited_for_it() {
        let mut registry = Registry::new(Side::Responder, MOST);
        let handle = |index| ChannelHandle(Handle::from_bits(index));
        registry.raise(2);
        for index in 0..6 {
            let number = registry.open().expect("ids are left");
            registry.insert(number, handle(100 + index));
            registry.insert(ChannelNumber::new(Side::Initiator, index as u32), handle(index));
        }
        assert!(registry.raise(5));
        let allowed: Vec<ChannelHandle> = registry.allowed_since(2).collect();
        assert_eq!(allowed, [handle(102), handle(103), handle(104)]);
        assert!(registry.raise(ChannelNumber::INDEXES_MAX));
        assert_eq!(registry.allowed_since(5).collect::<Vec<_>>(), [handle(105)]);
    }
}
