//! Which channels a connection has, by who opened them and with which half.

use std::collections::BTreeMap;

use crate::id::{ChannelHandle, ChannelId, Role};

/// The opener's role and half name a channel of a connection: the other half follows from them.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    channels: BTreeMap<(Role, u16), Entry>,
    /// The channel that a packet last came on: mostly the next one's too.
    recent: Option<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    id: ChannelId,
    handle: ChannelHandle,
}

impl Registry {
    pub(crate) fn insert(&mut self, role: Role, id: ChannelId, handle: ChannelHandle) {
        let before = self.channels.insert((role, id.initiator), Entry { id, handle });
        debug_assert!(before.is_none(), "a half names one channel of a role");
    }

    pub(crate) fn remove(&mut self, role: Role, half: u16) {
        let removed = self.channels.remove(&(role, half));
        if self.recent.map(|entry| entry.handle) == removed.map(|entry| entry.handle) {
            self.recent = None;
        }
    }

    /// The channel whose opener has `role` and chose `half`.
    pub(crate) fn by_half(&self, role: Role, half: u16) -> Option<ChannelHandle> {
        self.channels.get(&(role, half)).map(|entry| entry.handle)
    }

    /// The established channel with this id, whoever opened it.
    pub(crate) fn by_id(&mut self, id: ChannelId) -> Option<ChannelHandle> {
        if let Some(recent) = self.recent.filter(|recent| recent.id == id) {
            return Some(recent.handle);
        }
        let entry = self.find_entry(id)?;
        self.recent = Some(entry);
        Some(entry.handle)
    }

    /// Whether an established channel has this id.
    pub(crate) fn has_id(&self, id: ChannelId) -> bool {
        self.find_entry(id).is_some()
    }

    /// The established channel with this id.
    pub(crate) fn find(&self, id: ChannelId) -> Option<ChannelHandle> {
        self.find_entry(id).map(|entry| entry.handle)
    }

    /// Writes the responder's half into the entry of a channel that we opened.
    pub(crate) fn complete(&mut self, id: ChannelId) {
        if let Some(entry) = self.channels.get_mut(&(Role::Initiator, id.initiator)) {
            entry.id = id;
        }
    }

    /// Every channel, in an order that does not depend on chance.
    pub(crate) fn handles(&self) -> impl Iterator<Item = ChannelHandle> {
        self.channels.values().map(|entry| entry.handle)
    }

    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    fn find_entry(&self, id: ChannelId) -> Option<Entry> {
        [Role::Initiator, Role::Responder]
            .into_iter()
            .filter_map(|role| self.channels.get(&(role, id.initiator)))
            .find(|entry| entry.id == id && id.is_complete())
            .copied()
    }
}
