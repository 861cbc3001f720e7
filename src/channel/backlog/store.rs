//! Bytes of messages in chunks from a pool, first in, first out.

use std::collections::VecDeque;

/// Bytes of a chunk: little enough for a channel with one small message, enough for speed.
const CHUNK_SIZE: usize = 8 << 10;

type Chunk = Box<[u8; CHUNK_SIZE]>;

/// Chunks that nobody uses, kept for the next ones: the steady state allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Chunks(Vec<Chunk>);

impl Chunks {
    /// Most that are kept: 4 MiB.
    const COUNT_MAX: usize = 512;

    fn get(&mut self) -> Chunk {
        self.0.pop().unwrap_or_else(|| Box::new([0; CHUNK_SIZE]))
    }

    fn put(&mut self, chunk: Chunk) {
        if self.0.len() < Chunks::COUNT_MAX {
            self.0.push(chunk);
        }
    }
}

/// A queue of bytes, each with a position for as long as it is there.
#[derive(Debug, Default)]
pub(super) struct Store {
    chunks: VecDeque<Chunk>,
    /// Position of the first byte of the first chunk.
    base: u64,
    /// Position behind the last byte.
    end: u64,
}

impl Store {
    /// Position of what is pushed next.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Bytes between the first that is there and the last.
    pub(super) fn len(&self) -> usize {
        (self.end - self.base) as usize
    }

    /// Appends bytes: most lie in one chunk, and take one copy of a known length.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8], chunks: &mut Chunks) {
        let used = self.len();
        let (last, at) = (used / CHUNK_SIZE, used % CHUNK_SIZE);
        let end = at + bytes.len();
        match self.chunks.get_mut(last).and_then(|chunk| chunk.get_mut(at..end)) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.end += bytes.len() as u64;
            }
            None => self.push_across(bytes, chunks),
        }
    }

    fn push_across(&mut self, mut bytes: &[u8], chunks: &mut Chunks) {
        while !bytes.is_empty() {
            let used = self.len();
            if used == self.chunks.len() * CHUNK_SIZE {
                self.chunks.push_back(chunks.get());
            }
            let at = used % CHUNK_SIZE;
            let len = bytes.len().min(CHUNK_SIZE - at);
            let (now, later) = bytes.split_at(len);
            let last = self.chunks.back_mut().expect("there is one with room");
            last[at..at + len].copy_from_slice(now);
            self.end += len as u64;
            bytes = later;
        }
    }

    /// Copies the bytes from `position` on that `out` has room for; the caller knows that they are
    /// there.
    #[inline]
    pub(super) fn copy(&self, position: u64, out: &mut [u8]) {
        let at = (position - self.base) as usize;
        let chunk = self.chunks.get(at / CHUNK_SIZE);
        let start = at % CHUNK_SIZE;
        match chunk.and_then(|chunk| chunk.get(start..start + out.len())) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => self.copy_across(at, out),
        }
    }

    fn copy_across(&self, mut at: usize, mut out: &mut [u8]) {
        while !out.is_empty() {
            let chunk = &self.chunks[at / CHUNK_SIZE][at % CHUNK_SIZE..];
            let len = out.len().min(chunk.len());
            let (now, later) = out.split_at_mut(len);
            now.copy_from_slice(&chunk[..len]);
            at += len;
            out = later;
        }
    }

    /// Forgets what is below `position`.
    pub(super) fn release(&mut self, position: u64, chunks: &mut Chunks) {
        while self.base + CHUNK_SIZE as u64 <= position {
            let Some(chunk) = self.chunks.pop_front() else { break };
            chunks.put(chunk);
            self.base += CHUNK_SIZE as u64;
        }
        if position == self.end {
            self.chunks.drain(..).for_each(|chunk| chunks.put(chunk));
            self.base = self.end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_by_position_across_chunks_until_they_are_released() {
        let (mut store, mut chunks) = (Store::default(), Chunks::default());
        let all: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
        all.chunks(999).for_each(|part| store.push(part, &mut chunks));
        for (start, len) in [(0, 1), (8_000, 20_000), (99_999, 1), (8_192, 8_192)] {
            let mut out = vec![0; len];
            store.copy(start as u64, &mut out);
            assert_eq!(out, all[start..start + len]);
        }
        store.release(50_000, &mut chunks);
        assert_eq!(chunks.0.len(), 6, "whole chunks below go back to the pool");
        let mut out = [0; 10];
        store.copy(50_000, &mut out);
        assert_eq!(out, all[50_000..50_010]);
        store.release(100_000, &mut chunks);
        assert_eq!(chunks.0.len(), 13);
        store.push(b"more", &mut chunks);
        store.copy(100_000, &mut out[..4]);
        assert_eq!((&out[..4], chunks.0.len()), (&b"more"[..], 12));
    }
}
