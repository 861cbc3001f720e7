//! The keys of channels that were used lately, so that they need not be derived for each packet.

use rustls::quic::PacketKey;

use crate::id::ChannelNumber;

/// A bounded table of packet keys. The least used lately goes first.
pub(super) struct ChannelKeys {
    /// By rising id.
    entries: Vec<Entry>,
    entries_max: usize,
    /// Where the last look-ups hit: for sealing, for opening.
    hints: [usize; 2],
    /// Counts look-ups.
    clock: u64,
    /// The clock when `drop_idle` was last called.
    idle_before: u64,
}

struct Entry {
    id: KeyId,
    used_at: u64,
    key: Box<dyn PacketKey>,
}

/// What a key is for: a direction, an epoch mod 4, a channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyId(u64);

impl KeyId {
    pub(super) fn new(direction: Direction, epoch: u32, channel: ChannelNumber) -> KeyId {
        KeyId(u64::from(channel.0) << 3 | u64::from(KeyId::group(direction, epoch)))
    }

    fn group(direction: Direction, epoch: u32) -> u8 {
        (direction as u8) << 2 | (epoch & 3) as u8
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Seal,
    Open,
}

impl ChannelKeys {
    pub(super) fn new(entries_max: usize) -> ChannelKeys {
        let entries_max = entries_max.max(1);
        ChannelKeys { entries: Vec::new(), entries_max, hints: [0; 2], clock: 0, idle_before: 0 }
    }

    /// Where the key is, if it is here; it counts as used.
    #[inline]
    pub(super) fn find(&mut self, id: KeyId) -> Option<usize> {
        self.clock += 1;
        let hint = (id.0 >> 2 & 1) as usize;
        let mut index = self.hints[hint];
        if self.entries.get(index).is_none_or(|entry| entry.id != id) {
            index = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
            self.hints[hint] = index;
        }
        self.entries[index].used_at = self.clock;
        Some(index)
    }

    /// The key that `find` or `insert` has just found a place for.
    #[inline]
    pub(super) fn at(&self, index: usize) -> &dyn PacketKey {
        &*self.entries[index].key
    }

    /// Adds a key that `find` did not find; where it is.
    pub(super) fn insert(&mut self, id: KeyId, key: Box<dyn PacketKey>) -> usize {
        if self.entries.len() >= self.entries_max {
            let ages = self.entries.iter().enumerate();
            if let Some((oldest, _)) = ages.min_by_key(|(_, entry)| entry.used_at) {
                self.entries.remove(oldest);
            }
        }
        let place = self.entries.partition_point(|entry| entry.id < id);
        self.entries.insert(place, Entry { id, used_at: self.clock, key });
        place
    }

    /// Forgets all keys of one direction and epoch.
    pub(super) fn erase(&mut self, direction: Direction, epoch: u32) {
        let group = u64::from(KeyId::group(direction, epoch));
        self.entries.retain(|entry| entry.id.0 & 7 != group);
    }

    /// Forgets the keys that were not used since the last call. Whether any are left.
    pub(super) fn drop_idle(&mut self) -> bool {
        let before = std::mem::replace(&mut self.idle_before, self.clock);
        self.entries.retain(|entry| entry.used_at > before);
        self.entries.shrink_to_fit();
        !self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
