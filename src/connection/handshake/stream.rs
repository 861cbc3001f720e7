//! The CRYPTO bytes of one level, both ways: put together as they come, cut and repeated as needed.
//! spec: 7.5 CRYPTO

use std::ops::Range;

use crate::config::{CRYPTO_BYTES_MAX, CRYPTO_SPANS_MAX};

/// What arrives: kept until the bytes before it are there, then read in order.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    data: Vec<u8>,
    spans: Spans,
    read: usize,
}

/// Why CRYPTO is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Past 8 KiB: CRYPTO_BUFFER.
    TooFar,
    /// More pieces than honest senders cut: its packet is dropped, unacknowledged.
    TooManyPieces,
}

impl Incoming {
    /// Whether `insert` may be called with these.
    pub(crate) fn check(&self, offset: u64, len: usize) -> Result<(), Refusal> {
        let end = offset.checked_add(len as u64).ok_or(Refusal::TooFar)?;
        if end > CRYPTO_BYTES_MAX {
            return Err(Refusal::TooFar);
        }
        let span = offset as u32..end as u32;
        if self.spans.len() >= CRYPTO_SPANS_MAX && !self.spans.touches(&span) {
            return Err(Refusal::TooManyPieces);
        }
        Ok(())
    }

    /// Keeps the bytes that were not there; `check` must have passed.
    pub(crate) fn insert(&mut self, offset: u64, bytes: &[u8]) {
        let Some(start) = usize::try_from(offset).ok() else { return };
        let end = start.saturating_add(bytes.len());
        if bytes.is_empty() || end as u64 > CRYPTO_BYTES_MAX {
            return;
        }
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        // What came first stays: later bytes fill the holes only.
        for hole in self.spans.holes(start as u32..end as u32) {
            let hole = hole.start as usize..hole.end as usize;
            self.data[hole.clone()].copy_from_slice(&bytes[hole.start - start..hole.end - start]);
        }
        self.spans.insert(start as u32..end as u32);
    }

    #[cfg(test)]
    pub(crate) fn pieces(&self) -> usize {
        self.spans.len()
    }

    /// The bytes that can be read next; each is given once.
    pub(crate) fn take(&mut self) -> Option<&[u8]> {
        let first = self.spans.first().filter(|span| span.start == 0)?;
        let ready = std::mem::replace(&mut self.read, first.end as usize)..first.end as usize;
        if ready.is_empty() { None } else { Some(&self.data[ready]) }
    }
}

/// What we say: kept whole, with what is to be sent and what was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    data: Vec<u8>,
    waiting: Spans,
    acknowledged: Spans,
}

impl Outgoing {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let start = self.data.len() as u32;
        self.data.extend_from_slice(bytes);
        self.waiting.insert(start..self.data.len() as u32);
    }

    /// The next bytes to send, at most `max` of them; they wait no longer.
    pub(crate) fn next(&mut self, max: usize) -> Option<(u32, &[u8])> {
        let first = self.waiting.first()?;
        let end = first.end.min(first.start.saturating_add(u32::try_from(max).ok()?));
        if end == first.start {
            return None;
        }
        self.waiting.remove(first.start..end);
        Some((first.start, &self.data[first.start as usize..end as usize]))
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.first().is_some()
    }

    /// Where `next` will begin.
    pub(crate) fn next_offset(&self) -> Option<u32> {
        self.waiting.first().map(|first| first.start)
    }

    /// How many bytes there are in all.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    pub(crate) fn on_acked(&mut self, span: Range<u32>) {
        self.waiting.remove(span.clone());
        self.acknowledged.insert(span);
    }

    pub(crate) fn on_lost(&mut self, span: Range<u32>) {
        for hole in self.acknowledged.holes(span) {
            self.waiting.insert(hole);
        }
    }

    /// Everything not acknowledged waits again.
    pub(crate) fn repeat(&mut self) {
        self.on_lost(0..self.data.len() as u32);
    }
}

/// Sorted ranges that do not touch.
#[derive(Debug, Default)]
struct Spans(Vec<Range<u32>>);

impl Spans {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn first(&self) -> Option<Range<u32>> {
        self.0.first().cloned()
    }

    /// The spans that overlap `span` or stand next to it.
    fn around(&self, span: &Range<u32>) -> Range<usize> {
        let from = self.0.partition_point(|other| other.end < span.start);
        let to = self.0.partition_point(|other| other.start <= span.end);
        from..to.max(from)
    }

    fn touches(&self, span: &Range<u32>) -> bool {
        !self.around(span).is_empty()
    }

    fn insert(&mut self, mut span: Range<u32>) {
        if span.is_empty() {
            return;
        }
        let around = self.around(&span);
        if let Some(touched) = self.0.get(around.clone()).filter(|touched| !touched.is_empty()) {
            span.start = span.start.min(touched[0].start);
            span.end = span.end.max(touched[touched.len() - 1].end);
        }
        self.0.splice(around, [span]);
    }

    fn remove(&mut self, span: Range<u32>) {
        if span.is_empty() {
            return;
        }
        let around = self.around(&span);
        let mut left = Vec::new();
        for other in &self.0[around.clone()] {
            left.push(other.start..other.end.min(span.start).max(other.start));
            left.push(other.start.max(span.end).min(other.end)..other.end);
        }
        self.0.splice(around, left.into_iter().filter(|part| !part.is_empty()));
    }

    /// The parts of `span` that are in none of the spans.
    fn holes(&self, span: Range<u32>) -> Vec<Range<u32>> {
        let mut at = span.start;
        let mut holes = Vec::new();
        for other in &self.0[self.around(&span)] {
            if other.start > at {
                holes.push(at..other.start.min(span.end));
            }
            at = at.max(other.end);
        }
        if at < span.end {
            holes.push(at..span.end);
        }
        holes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: 7.5 in any order, repeated at will, in order to TLS; what came first stays
    #[test]
    fn pieces_in_any_order_read_as_one_and_repeats_change_nothing() {
        let text: Vec<u8> = (0..100).collect();
        let mut incoming = Incoming::default();
        let mut read = Vec::new();
        for (start, end) in [(50, 60), (10, 20), (55, 80), (80, 100), (0, 12), (15, 52), (0, 100)] {
            assert_eq!(incoming.check(start as u64, end - start), Ok(()));
            let mut piece = text[start..end].to_vec();
            if (start, end) == (0, 100) {
                piece.fill(0xff);
            }
            incoming.insert(start as u64, &piece);
            while let Some(bytes) = incoming.take() {
                read.extend_from_slice(bytes);
            }
        }
        assert_eq!(read, text);
    }

    // spec: 7.5 past 8 KiB
    #[test]
    fn bytes_past_the_limit_and_too_many_pieces_are_refused() {
        let mut incoming = Incoming::default();
        let max = CRYPTO_BYTES_MAX;
        assert_eq!(incoming.check(max - 1, 1), Ok(()));
        assert_eq!(incoming.check(max - 1, 2), Err(Refusal::TooFar));
        assert_eq!(incoming.check(u64::MAX, 1), Err(Refusal::TooFar));
        for piece in 0..CRYPTO_SPANS_MAX as u64 {
            incoming.insert(2 * piece + 1, &[0]);
        }
        let next = 2 * CRYPTO_SPANS_MAX as u64 + 1;
        assert_eq!(incoming.check(next, 1), Err(Refusal::TooManyPieces));
        assert_eq!(incoming.check(0, 1), Ok(()), "it fills a hole");
    }

    // spec: 7.6 lost CRYPTO is sent again, acknowledged CRYPTO is not
    #[test]
    fn what_is_lost_waits_again_but_for_what_was_acknowledged() {
        let mut outgoing = Outgoing::default();
        outgoing.push(&[1; 100]);
        assert_eq!(outgoing.next(60), Some((0, &[1; 60][..])));
        assert_eq!(outgoing.next(60), Some((60, &[1; 40][..])));
        assert_eq!(outgoing.next(60), None);
        outgoing.on_acked(20..30);
        outgoing.on_lost(0..60);
        assert_eq!(outgoing.next(90).map(|(at, bytes)| (at, bytes.len())), Some((0, 20)));
        assert_eq!(outgoing.next(90).map(|(at, bytes)| (at, bytes.len())), Some((30, 30)));
        outgoing.on_acked(0..100);
        outgoing.repeat();
        assert!(!outgoing.is_waiting());
    }

    #[test]
    fn spans_agree_with_a_plain_list_of_bits() {
        let mut spans = Spans::default();
        let mut bits = [false; 64];
        let mut state = 1u32;
        for _ in 0..5000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (start, len) = (state >> 26, (state >> 20) % 12);
            let end = (start + len).min(64);
            let inserts = state & (1 << 16) != 0;
            if inserts {
                spans.insert(start..end)
            } else {
                spans.remove(start..end)
            }
            bits[start as usize..end as usize].fill(inserts);
            let is_in = |at: u32| spans.0.iter().any(|span| span.contains(&at));
            assert!((0..64).all(|at| is_in(at) == bits[at as usize]), "{spans:?}");
            assert!(spans.0.windows(2).all(|pair| pair[0].end < pair[1].start), "{spans:?}");
            let holes: Vec<u32> = spans.holes(0..64).into_iter().flatten().collect();
            assert_eq!(holes, (0..64).filter(|at| !bits[*at as usize]).collect::<Vec<_>>());
        }
    }
}
