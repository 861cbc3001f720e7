//! Small frames that wait, back to back in blocks: none costs an allocation of its own.

use std::collections::VecDeque;

/// Bytes of a block, and of the largest frame that belongs in one.
const BLOCK_BYTES: usize = 64 << 10;

/// Frames of which only the oldest is looked at and taken away. None is of no bytes.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// All but the last are as full as they get.
    blocks: VecDeque<Vec<u8>>,
    /// Where the oldest frame begins in the first block.
    begin: usize,
    /// A block that was used up.
    spare: Option<Vec<u8>>,
}

impl Store {
    /// Keeps a copy of a frame of at most `BLOCK_BYTES`.
    #[inline]
    pub(super) fn push(&mut self, frame: &[u8]) {
        if let Some(last) = self.blocks.back_mut()
            && last.capacity() - last.len() >= frame.len()
        {
            return last.extend_from_slice(frame);
        }
        let spare = self.spare.take();
        let mut block = spare.unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES));
        block.extend_from_slice(frame);
        self.blocks.push_back(block);
    }

    /// The oldest frame, of `len` bytes.
    #[inline]
    pub(super) fn front(&self, len: usize) -> &[u8] {
        self.blocks.front().map_or(&[], |block| &block[self.begin..self.begin + len])
    }

    /// Forgets the oldest frame, of `len` bytes.
    #[inline]
    pub(super) fn pop(&mut self, len: usize) {
        self.begin += len;
        if let Some(first) = self.blocks.front_mut()
            && first.len() == self.begin
        {
            self.begin = 0;
            first.clear();
            if self.blocks.len() > 1 {
                self.spare = self.blocks.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_and_blocks_are_used_again() {
        let mut store = Store::default();
        let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize
        };
        for number in 0..20_000 {
            let frame = vec![number as u8; 1 + next() % 300 * (1 + next() % 30)];
            store.push(&frame);
            kept.push_back(frame);
            while kept.len() > next() % 400 {
                let frame = kept.pop_front().expect("one is there");
                assert_eq!(store.front(frame.len()), frame);
                store.pop(frame.len());
            }
            let bytes: usize = kept.iter().map(Vec::len).sum();
            let room: usize = store.blocks.iter().map(Vec::capacity).sum();
            assert!(room <= bytes * 5 / 4 + 2 * BLOCK_BYTES, "{room} for {bytes}");
        }
    }
}
