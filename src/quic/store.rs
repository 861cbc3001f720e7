//! Frames that wait, back to back in blocks: a small one costs no allocation of its own.

use std::collections::VecDeque;

/// Bytes of a block for small frames.
const BLOCK_BYTES: usize = 64 << 10;

/// Frames of which only the oldest is looked at and taken away.
#[derive(Debug, Default)]
pub(super) struct Store {
    blocks: VecDeque<Vec<u8>>,
    /// Where the oldest frame begins in the first block.
    begin: usize,
    /// A block that was used up.
    spare: Option<Vec<u8>>,
}

impl Store {
    /// Keeps a copy; whether it is the first frame of a block, which `pop` wants to know.
    #[inline]
    pub(super) fn push(&mut self, frame: &[u8]) -> bool {
        if let Some(last) = self.blocks.back_mut()
            && last.capacity() - last.len() >= frame.len()
        {
            last.extend_from_slice(frame);
            return false;
        }
        let spare = self.spare.take().filter(|spare| spare.capacity() >= frame.len());
        let room = BLOCK_BYTES.max(frame.len());
        let mut block = spare.unwrap_or_else(|| Vec::with_capacity(room));
        block.extend_from_slice(frame);
        self.blocks.push_back(block);
        true
    }

    /// Keeps a large frame as it is; it is the first of its block.
    pub(super) fn push_whole(&mut self, frame: Vec<u8>) {
        self.blocks.push_back(frame);
    }

    /// The oldest frame, of `len` bytes.
    #[inline]
    pub(super) fn front(&self, len: usize) -> &[u8] {
        self.blocks.front().map_or(&[], |block| &block[self.begin..self.begin + len])
    }

    /// Forgets the oldest frame, of `len` bytes; `is_last_of_block`: the next one, if there is one,
    /// is in another.
    #[inline]
    pub(super) fn pop(&mut self, len: usize, is_last_of_block: bool) {
        self.begin += len;
        if !is_last_of_block {
            return;
        }
        self.begin = 0;
        if let Some(mut block) = self.blocks.pop_front()
            && block.capacity() == BLOCK_BYTES
        {
            block.clear();
            self.spare = Some(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_and_blocks_are_used_again() {
        let mut store = Store::default();
        let mut kept: VecDeque<(Vec<u8>, bool)> = VecDeque::new();
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize
        };
        for number in 0..20_000 {
            let frame = vec![number as u8; 1 + next() % 300 * (1 + next() % 40)];
            let is_first = if frame.len() > 8_000 {
                store.push_whole(frame.clone());
                true
            } else {
                store.push(&frame)
            };
            kept.push_back((frame, is_first));
            while kept.len() > next() % 400 {
                let (frame, _) = kept.pop_front().expect("one is there");
                assert_eq!(store.front(frame.len()), frame);
                store.pop(frame.len(), kept.front().is_none_or(|(_, is_first)| *is_first));
            }
            let bytes: usize = kept.iter().map(|(frame, _)| frame.len()).sum();
            let room: usize = store.blocks.iter().map(Vec::capacity).sum();
            assert!(room <= 2 * bytes + 3 * BLOCK_BYTES, "{room} for {bytes}");
        }
    }
}
