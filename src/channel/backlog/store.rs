//! Bytes of messages in chunks from a pool, first in, first out.

use std::collections::VecDeque;
use std::iter::Peekable;

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

/// What comes before a message in a packet that holds all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// The first bytes of it. A number, since bytes written one by one and read together at once
    /// have the processor wait.
    pub(super) bytes: u64,
    /// How many they are.
    pub(super) len: usize,
}

/// The head of a message that follows another like it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NextHead {
    /// Its bytes, the last one lowest.
    pub(super) head: u64,
    pub(super) len: usize,
    /// Bits that `Head::bytes` has below it.
    pub(super) unused: u32,
}

impl Head {
    /// Bytes of the longest.
    pub(super) const LEN_MAX: usize = 8;
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
    /// Position behind the last byte.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Bytes between the first that is there and the last.
    pub(super) fn len(&self) -> usize {
        (self.end - self.base) as usize
    }

    /// Appends a message behind its head; where it begins. Most lie in one chunk, and take one
    /// copy.
    #[inline]
    pub(super) fn push(&mut self, head: Head, message: &[u8], chunks: &mut Chunks) -> u64 {
        let used = self.len();
        let at = used % CHUNK_SIZE;
        let end = at + Head::LEN_MAX + message.len();
        let chunk = self.chunks.get_mut(used / CHUNK_SIZE);
        match chunk.and_then(|chunk| chunk.get_mut(at..end)) {
            Some(room) => {
                room[..Head::LEN_MAX].copy_from_slice(&head.bytes.to_be_bytes());
                room[head.len..][..message.len()].copy_from_slice(message);
                self.end += (head.len + message.len()) as u64;
            }
            None => {
                self.push_across(&head.bytes.to_be_bytes()[..head.len], chunks);
                self.push_across(message, chunks);
            }
        }
        self.end - message.len() as u64
    }

    /// As `push`, of messages that are so long, `most` at most, each behind a head that is one more
    /// than that before, while the last chunk has room. How many.
    #[inline]
    pub(super) fn push_alike<'a>(
        &mut self,
        first: NextHead,
        len: usize,
        messages: &mut Peekable<impl Iterator<Item = &'a [u8]>>,
        most: usize,
    ) -> usize {
        let mut at = self.len() % CHUNK_SIZE;
        // At 0 the last chunk is full.
        let Some(chunk) = self.chunks.back_mut().filter(|_| at != 0) else { return 0 };
        let mut count = 0;
        while count < most
            && let Some(room) = chunk.get_mut(at..at + Head::LEN_MAX + len)
            && let Some(message) = messages.next_if(|message| message.len() == len)
        {
            let head = (first.head + count as u64) << first.unused;
            room[..Head::LEN_MAX].copy_from_slice(&head.to_be_bytes());
            copy_short(&mut room[first.len..][..len], message);
            at += first.len + len;
            count += 1;
        }
        self.end += (count * (first.len + len)) as u64;
        count
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

/// Copies bytes, both as many. Of few, as they mostly are, it is the first and the last of them,
/// with some twice: two copies of a size that the compiler knows cost less than a call.
#[inline]
fn copy_short(to: &mut [u8], from: &[u8]) {
    match from.len() {
        16..32 => copy_ends::<16>(to, from),
        32..64 => copy_ends::<32>(to, from),
        64..=128 => copy_ends::<64>(to, from),
        _ => to.copy_from_slice(from),
    }
}

#[inline]
fn copy_ends<const LEN: usize>(to: &mut [u8], from: &[u8]) {
    if let Some((to, from)) = to.first_chunk_mut::<LEN>().zip(from.first_chunk()) {
        *to = *from;
    }
    if let Some((to, from)) = to.last_chunk_mut::<LEN>().zip(from.last_chunk()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_by_position_across_chunks_until_they_are_released() {
        let (mut store, mut chunks) = (Store::default(), Chunks::default());
        let all: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
        for part in all.chunks(999) {
            let start = store.push(Head::default(), part, &mut chunks);
            assert_eq!(store.end(), start + part.len() as u64);
        }
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
        store.push(Head::default(), b"more", &mut chunks);
        store.copy(100_000, &mut out[..4]);
        assert_eq!((&out[..4], chunks.0.len()), (&b"more"[..], 12));
    }

    #[test]
    fn few_bytes_are_copied_whatever_their_number() {
        let all: Vec<u8> = (0..=255).chain(0..=255).collect();
        for len in 0..300 {
            let mut to = [0; 300];
            copy_short(&mut to[..len], &all[..len]);
            assert!(to[..len] == all[..len] && to[len..].iter().all(|byte| *byte == 0), "{len}");
        }
    }

    #[test]
    fn messages_lie_back_to_back_behind_their_heads() {
        let (mut store, mut chunks) = (Store::default(), Chunks::default());
        let mut all = Vec::new();
        for number in 0..5_000_u32 {
            let len = number as usize % 7;
            let head = Head { bytes: u64::from(number) << 32, len };
            let message = [!number as u8; 5];
            all.extend_from_slice(&head.bytes.to_be_bytes()[..len]);
            assert_eq!(store.push(head, &message, &mut chunks), all.len() as u64);
            all.extend_from_slice(&message);
        }
        let mut out = vec![0; all.len()];
        store.copy(0, &mut out);
        assert_eq!(out, all);
    }
}
