//! A table with stable slots and handles that know when they are stale.

use crate::id::{Handle, Version};

/// Values by slot. A slot that is used again gets a new generation, so old handles find nothing.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    tag: u16,
    version: Version,
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry<T> {
    /// Of the value, or of the next one.
    handle: Handle,
    value: Option<T>,
}

impl<T> Slots<T> {
    pub(crate) fn new(tag: u16, version: Version) -> Slots<T> {
        Slots { tag, version, entries: Vec::new(), free: Vec::new() }
    }

    /// Puts in what `make` returns for the new handle. The caller keeps to `Handle::SLOTS_MAX`.
    pub(crate) fn insert(&mut self, make: impl FnOnce(Handle) -> T) -> Handle {
        let made: Result<Handle, std::convert::Infallible> =
            self.try_insert(|handle| Ok(make(handle)));
        match made {
            Ok(handle) => handle,
            Err(never) => match never {},
        }
    }

    /// As `insert`, if `make` makes something.
    pub(crate) fn try_insert<E>(
        &mut self,
        make: impl FnOnce(Handle) -> Result<T, E>,
    ) -> Result<Handle, E> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.grow();
                let slot = u32::try_from(self.entries.len()).expect("the cap is SLOTS_MAX");
                let handle = Handle::pack(self.tag, 1, self.version, slot);
                self.entries.push(Entry { handle, value: None });
                slot
            }
        };
        let entry = &mut self.entries[slot as usize];
        let handle = entry.handle;
        match make(handle) {
            Ok(value) => {
                entry.value = Some(value);
                Ok(handle)
            }
            Err(error) => {
                self.free.push(slot);
                Err(error)
            }
        }
    }

    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        if !self.is_current(handle) {
            return None;
        }
        let entry = self.entries.get_mut(handle.slot())?;
        let value = entry.value.take()?;
        let slot = u32::try_from(handle.slot()).expect("a slot has 23 bits");
        let generation = next_generation(handle.generation());
        entry.handle = Handle::pack(self.tag, generation, self.version, slot);
        self.free.push(slot);
        Some(value)
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&T> {
        let entry = self.entries.get(handle.slot()).filter(|entry| entry.handle == handle)?;
        entry.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let entry = self.entries.get_mut(handle.slot()).filter(|entry| entry.handle == handle)?;
        entry.value.as_mut()
    }

    /// Every value, by rising slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|entry| entry.value.as_ref())
    }

    /// Their handles, in the same order.
    pub(crate) fn handles(&self) -> impl Iterator<Item = Handle> {
        let used = self.entries.iter().filter(|entry| entry.value.is_some());
        used.map(|entry| entry.handle)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Makes room by a quarter, not by doubling: tables are large, and an empty half is memory that
    /// each channel pays for.
    fn grow(&mut self) {
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact((self.entries.len() / 4).max(8));
        }
    }

    fn is_current(&self, handle: Handle) -> bool {
        self.get(handle).is_some()
    }
}

/// Generations have 24 bits in a handle, and zero is none.
fn next_generation(generation: u32) -> u32 {
    if generation >= 0x00ff_ffff { 1 } else { generation + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_slot_does_not_answer_to_the_old_handle() {
        let mut slots = Slots::new(7, Version::V0);
        let first = slots.insert(|_| "first");
        assert_eq!(slots.remove(first), Some("first"));
        assert_eq!(slots.remove(first), None);
        let second = slots.insert(|_| "second");
        assert_eq!(first.slot(), second.slot());
        assert_eq!((slots.get(first), slots.get(second)), (None, Some(&"second")));
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn a_handle_of_another_table_or_no_table_finds_nothing() {
        let mut ours = Slots::new(1, Version::V0);
        let ours_handle = ours.insert(|_| ());
        for mut theirs in [Slots::new(2, Version::V0), Slots::new(1, Version::V1)] {
            let foreign = theirs.insert(|_| ());
            assert_eq!((ours.get(foreign), theirs.get(ours_handle)), (None, None));
        }
        for bits in [0, 1, u64::MAX] {
            assert_eq!(ours.get_mut(Handle::from_bits(bits)), None);
        }
    }
}
