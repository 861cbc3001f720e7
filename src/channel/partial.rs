//! A message of which some bytes came.
// spec: 10.2 reassembly

use std::collections::VecDeque;

use super::buffers::Buffers;
use super::receive::Fault;

/// The fragments of one message so far. They may repeat, overlap and be cut differently; bytes that
/// came first stay.
#[derive(Debug)]
pub(crate) struct Partial {
    /// Up to the highest byte seen, with zeros where bytes are missing; nothing of a message that
    /// is too late to be delivered.
    bytes: Vec<u8>,
    /// Bytes below it are there.
    filled: u64,
    /// What is there above it, as start and end: rising, apart from each other.
    beyond: VecDeque<(u64, u64)>,
    /// Above the highest byte seen.
    high: u64,
    /// Bytes that are there.
    held: u64,
    /// Bytes of the whole message, once its end was seen.
    len: Option<u64>,
    slack: usize,
    is_dropped: bool,
}

/// One piece of a message, with its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) offset: u64,
    pub(crate) is_final: bool,
    pub(crate) bytes: &'a [u8],
}

impl Piece<'_> {
    /// Above its last byte. The caller checked that there is such a number.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

/// Holes in one message that are remembered. A piece that would make one more is refused, as if it
/// were lost: to find its place must not cost more than the piece is worth.
const HOLES_MAX: usize = 1_024;

impl Partial {
    /// A message of which nothing came yet, and `expected` bytes may be to come. One that is
    /// dropped keeps no bytes, but an account of them.
    pub(crate) fn new(first: &Piece<'_>, expected: usize, buffers: &mut Buffers) -> Partial {
        let (bytes, slack) = buffers.take(usize::try_from(first.end()).unwrap_or(0), expected);
        Partial {
            bytes,
            filled: 0,
            beyond: VecDeque::new(),
            high: 0,
            held: 0,
            len: None,
            slack,
            is_dropped: false,
        }
    }

    /// One that is too late to be delivered.
    pub(crate) fn dropped() -> Partial {
        Partial {
            bytes: Vec::new(),
            filled: 0,
            beyond: VecDeque::new(),
            high: 0,
            held: 0,
            len: None,
            slack: 0,
            is_dropped: true,
        }
    }

    /// Whether a piece came. Only a message without bytes has none but in one piece.
    pub(crate) fn is_begun(&self) -> bool {
        self.high > 0
    }

    /// Above the highest byte seen.
    pub(crate) fn high(&self) -> u64 {
        self.high
    }

    /// Bytes that are there.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// Whether nothing is missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.len == Some(self.filled)
    }

    /// Whether a piece can be part of the same message.
    // spec: 10.1 numbers and fragments
    pub(crate) fn check(&self, piece: &Piece<'_>) -> Result<(), Fault> {
        let end = piece.end();
        let is_good = match (self.len, piece.is_final) {
            (Some(len), true) => end == len,
            (Some(len), false) => end <= len,
            (None, true) => end >= self.high,
            (None, false) => true,
        };
        if is_good { Ok(()) } else { Err(Fault::ChannelState) }
    }

    /// Whether there is room for the account of one more piece.
    pub(crate) fn takes(&self, piece: &Piece<'_>) -> bool {
        let is_beyond = piece.offset > self.filled && !piece.bytes.is_empty();
        !is_beyond
            || self.beyond.len() < HOLES_MAX
            || self.beyond.iter().any(|run| run.0 <= piece.end() && piece.offset <= run.1)
    }

    /// Takes a piece in that was checked.
    #[inline]
    pub(crate) fn insert(&mut self, piece: &Piece<'_>, buffers: &mut Buffers) {
        let (start, end) = (piece.offset, piece.end());
        if piece.is_final {
            self.len = Some(end);
        }
        self.high = self.high.max(end);
        if self.beyond.is_empty() && start <= self.filled {
            if end > self.filled {
                let new = (self.filled - start) as usize;
                if !self.is_dropped {
                    buffers.grow(&mut self.bytes, end as usize);
                    self.bytes.extend_from_slice(&piece.bytes[new..]);
                }
                self.held += end - self.filled;
                self.filled = end;
            }
            return;
        }
        self.insert_apart(piece, buffers);
    }

    fn insert_apart(&mut self, piece: &Piece<'_>, buffers: &mut Buffers) {
        let (start, end) = (piece.offset.max(self.filled), piece.end());
        if start >= end {
            return;
        }
        if !self.is_dropped {
            if self.bytes.len() < end as usize {
                buffers.grow(&mut self.bytes, end as usize);
                self.bytes.resize(end as usize, 0);
            }
            self.copy_missing(piece, start);
        }
        let first = self.beyond.partition_point(|run| run.1 < start);
        let behind = self.beyond.partition_point(|run| run.0 <= end);
        let mut new = (start, end);
        let known: u64 = self.beyond.range(first..behind.max(first)).map(|run| run.1 - run.0).sum();
        if first < behind {
            new = (start.min(self.beyond[first].0), end.max(self.beyond[behind - 1].1));
            self.beyond.drain(first + 1..behind);
            self.beyond[first] = new;
        } else {
            self.beyond.insert(first, new);
        }
        self.held += new.1 - new.0 - known;
        if new.0 <= self.filled {
            self.filled = new.1;
            self.beyond.remove(first);
        }
    }

    /// Copies what is not there yet of a piece, from `start` on.
    fn copy_missing(&mut self, piece: &Piece<'_>, start: u64) {
        let end = piece.end();
        let mut copy = |from: u64, to: u64| {
            if from < to {
                let source = (from - piece.offset) as usize..(to - piece.offset) as usize;
                self.bytes[from as usize..to as usize].copy_from_slice(&piece.bytes[source]);
            }
        };
        let mut at = start;
        let first = self.beyond.partition_point(|run| run.1 <= start);
        for run in self.beyond.range(first..) {
            if run.0 >= end {
                break;
            }
            copy(at, run.0);
            at = at.max(run.1);
        }
        copy(at, end);
    }

    /// Whether the message is too late to be delivered.
    pub(crate) fn is_dropped(&self) -> bool {
        self.is_dropped
    }

    /// It is too late to be delivered: its bytes go.
    pub(crate) fn drop_bytes(&mut self, buffers: &mut Buffers) {
        self.is_dropped = true;
        buffers.put(std::mem::take(&mut self.bytes), std::mem::take(&mut self.slack));
    }

    /// The bytes of a message that is whole.
    pub(crate) fn into_bytes(self, buffers: &mut Buffers) -> Vec<u8> {
        buffers.release(self.slack);
        self.bytes
    }

    /// Memory that it holds for bytes.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    fn piece(offset: u64, bytes: &[u8], is_final: bool) -> Piece<'_> {
        Piece { offset, is_final, bytes }
    }

    fn begun(first: &Piece<'_>, buffers: &mut Buffers) -> Partial {
        Partial::new(first, 0, buffers)
    }

    // spec: 10.2 reassembly
    #[test]
    fn pieces_in_order_make_the_message() {
        let mut buffers = Buffers::default();
        let first = piece(0, b"one ", false);
        let mut partial = begun(&first, &mut buffers);
        partial.insert(&first, &mut buffers);
        partial.insert(&piece(4, b"two ", false), &mut buffers);
        assert!(!partial.is_whole());
        partial.insert(&piece(8, b"three", true), &mut buffers);
        assert!(partial.is_whole());
        assert_eq!(partial.into_bytes(&mut buffers), b"one two three");
    }

    // spec: 10.2 reassembly
    #[test]
    fn bytes_that_came_first_stay() {
        let mut buffers = Buffers::default();
        let first = piece(4, b"BBBB", false);
        let mut partial = begun(&first, &mut buffers);
        for piece in [
            first,
            piece(10, b"DD", true),
            piece(2, b"xxxxxxxx", false),
            piece(0, b"yyyyyyyyyyyy", true),
        ] {
            assert_eq!(partial.check(&piece), Ok(()));
            partial.insert(&piece, &mut buffers);
        }
        assert!(partial.is_whole());
        assert_eq!(partial.into_bytes(&mut buffers), b"yyxxBBBBxxDD");
    }

    // spec: 10.1 numbers and fragments
    #[test]
    fn a_message_has_one_length_only() {
        let mut buffers = Buffers::default();
        let first = piece(0, &[1; 100], false);
        let mut partial = begun(&first, &mut buffers);
        partial.insert(&first, &mut buffers);
        assert_eq!(partial.check(&piece(0, &[1; 99], true)), Err(Fault::ChannelState));
        assert_eq!(partial.check(&piece(100, &[], true)), Ok(()));
        partial.insert(&piece(150, &[1; 50], true), &mut buffers);
        assert_eq!(partial.check(&piece(150, &[1; 51], true)), Err(Fault::ChannelState));
        assert_eq!(partial.check(&piece(150, &[1; 49], true)), Err(Fault::ChannelState));
        assert_eq!(partial.check(&piece(150, &[1; 64], false)), Err(Fault::ChannelState));
        assert_eq!(partial.check(&piece(100, &[1; 100], false)), Ok(()));
    }

    // spec: 10.2 reassembly
    #[test]
    fn any_cuts_in_any_order_make_the_message_within_twice_its_size() {
        for seed in 0..200 {
            let mut rng = ChaCha12Rng::seed_from_u64(seed);
            let len = 1 + rng.next_u32() as usize % 5_000;
            let message: Vec<u8> = (0..len).map(|at| (at * 7 + at / 256) as u8).collect();
            let mut buffers = Buffers::default();
            let mut partial: Option<Partial> = None;
            while partial.as_ref().is_none_or(|partial| !partial.is_whole()) {
                let start = rng.next_u32() as usize % (len + 1);
                let end = (start + rng.next_u32() as usize % 700).min(len);
                let cut = piece(start as u64, &message[start..end], end == len);
                if start == end && !cut.is_final {
                    continue;
                }
                let partial = partial.get_or_insert_with(|| begun(&cut, &mut buffers));
                assert_eq!(partial.check(&cut), Ok(()));
                partial.insert(&cut, &mut buffers);
                assert!(partial.capacity() <= 2 * partial.high() as usize, "seed {seed}");
                assert!(partial.held() <= partial.high());
            }
            let partial = partial.expect("there is at least one piece");
            assert_eq!(partial.into_bytes(&mut buffers), message, "seed {seed}");
        }
    }

    // spec: 10.2 reassembly
    #[test]
    fn holes_are_bounded_and_those_there_are_can_be_filled() {
        let mut buffers = Buffers::default();
        let bytes = [1; 64];
        let first = piece(65, &bytes, false);
        let mut partial = begun(&first, &mut buffers);
        for hole in 0..HOLES_MAX as u64 {
            let piece = piece(65 + 65 * hole, &bytes, false);
            assert!(partial.takes(&piece));
            partial.insert(&piece, &mut buffers);
        }
        let end = 65 + 65 * HOLES_MAX as u64;
        assert!(!partial.takes(&piece(end, &bytes, false)));
        assert!(partial.takes(&piece(end - 1, &bytes, false)), "it touches one");
        assert!(partial.takes(&piece(0, &bytes, false)));
        assert!(partial.takes(&piece(10, &bytes, false)));
    }
}
