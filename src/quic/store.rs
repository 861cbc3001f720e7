//! Small frames that wait, back to back in blocks: none costs an allocation of its own.

use std::collections::VecDeque;
use std::hint::black_box;

use super::message::LENGTH_SIZE;

/// Bytes of a block, and of the most that is pushed at once.
const BLOCK_BYTES: usize = 64 << 10;

/// How far before its turn a frame is brought near.
const AHEAD_BYTES: usize = 512;

/// Frames with their lengths, of which only the oldest is looked at and taken away.
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
    /// Keeps a copy of whole frames, each behind its length, in `parts` of at most `BLOCK_BYTES`
    /// together.
    #[inline]
    pub(super) fn push(&mut self, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let has_room = |block: &Vec<u8>| block.capacity() - block.len() >= len;
        if !self.blocks.back().is_some_and(has_room) {
            let spare = self.spare.take();
            self.blocks.push_back(spare.unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES)));
        }
        let Some(last) = self.blocks.back_mut() else { return };
        for part in parts {
            last.extend_from_slice(part);
        }
    }

    /// The oldest frame; no bytes when there is none.
    #[inline]
    pub(super) fn front(&self) -> &[u8] {
        let block = self.blocks.front().and_then(|block| block.get(self.begin..));
        let frame = block.and_then(|rest| {
            let (length, behind) = rest.split_first_chunk::<LENGTH_SIZE>()?;
            behind.get(..u32::from_be_bytes(*length) as usize)
        });
        frame.unwrap_or_default()
    }

    /// Forgets the oldest frame, of `len` bytes.
    #[inline]
    pub(super) fn pop(&mut self, len: usize) {
        self.begin += LENGTH_SIZE + len;
        let Some(first) = self.blocks.front_mut() else { return };
        // What is needed soon is brought near while the frames before it are looked at.
        black_box(first.get(self.begin + AHEAD_BYTES).copied());
        if first.len() == self.begin {
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
            store.push(&[&(frame.len() as u32).to_be_bytes(), &frame]);
            kept.push_back(frame);
            while kept.len() > next() % 400 {
                let frame = kept.pop_front().expect("one is there");
                assert_eq!(store.front(), frame);
                store.pop(frame.len());
            }
            let bytes: usize = kept.iter().map(|frame| LENGTH_SIZE + frame.len()).sum();
            let room: usize = store.blocks.iter().map(Vec::capacity).sum();
            assert!(room <= bytes * 5 / 4 + 2 * BLOCK_BYTES, "{room} for {bytes}");
        }
    }
}
