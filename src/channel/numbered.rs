//! Things in the order of their numbers, in whatever order they come.

use std::collections::VecDeque;

/// Things by rising number, of which none has the same.
///
/// They lie in chunks of a bounded size: both ends cost next to nothing, and between them nothing
/// costs more than moving half a chunk, and seldom half the list of chunks. The order of what comes
/// is the peer's choice, so no order may be expensive.
#[derive(Debug)]
pub(crate) struct Numbered<T> {
    /// None is empty. Those between the first and the last were at least half full once, as only
    /// the splitting of full ones makes them: there are never many of them.
    chunks: VecDeque<Chunk<T>>,
    /// Memory of a chunk that went.
    spare: Option<Chunk<T>>,
    len: usize,
    /// Entries and chunks that were moved to make room or close a gap.
    #[cfg(test)]
    moved: usize,
}

type Chunk<T> = VecDeque<(u64, T)>;

/// Entries of a chunk.
const CHUNK_MAX: usize = 128;

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered {
            chunks: VecDeque::new(),
            spare: None,
            len: 0,
            #[cfg(test)]
            moved: 0,
        }
    }
}

impl<T> Numbered<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entries that there is memory for in any case.
    pub(crate) fn capacity(&self) -> usize {
        self.chunks.capacity() + self.spare.as_ref().map_or(0, |chunk| chunk.capacity())
    }

    /// The one with the lowest number.
    pub(crate) fn front(&self) -> Option<&(u64, T)> {
        self.chunks.front()?.front()
    }

    /// The highest number.
    pub(crate) fn last_number(&self) -> Option<u64> {
        self.chunks.back()?.back().map(|entry| entry.0)
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.find(number).is_ok()
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let (chunk, at) = self.find(number).ok()?;
        Some(&mut self.chunks[chunk][at].1)
    }

    /// Puts one in whose number is not there.
    pub(crate) fn insert(&mut self, number: u64, value: T) {
        let Err((mut at_chunk, mut at)) = self.find(number) else {
            debug_assert!(false, "it is there: {number}");
            return;
        };
        self.len += 1;
        let (chunks, len) = (self.chunks.len(), self.chunks.get(at_chunk).map_or(0, VecDeque::len));
        if len == CHUNK_MAX || chunks == 0 {
            let is_behind = chunks == 0 || at_chunk + 1 == chunks && at == len;
            if is_behind {
                let chunk = self.spare.take().unwrap_or_default();
                self.chunks.push_back(chunk);
                (at_chunk, at) = (chunks, 0);
            } else if at_chunk == 0 && at == 0 {
                let chunk = self.spare.take().unwrap_or_default();
                self.chunks.push_front(chunk);
            } else {
                self.split(at_chunk);
                if at > CHUNK_MAX / 2 {
                    (at_chunk, at) = (at_chunk + 1, at - CHUNK_MAX / 2);
                }
            }
        }
        let chunk = &mut self.chunks[at_chunk];
        #[cfg(test)]
        (self.moved += at.min(chunk.len() - at));
        chunk.insert(at, (number, value));
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let (at_chunk, at) = self.find(number).ok()?;
        let chunk = &mut self.chunks[at_chunk];
        #[cfg(test)]
        (self.moved += at.min(chunk.len() - at));
        let entry = chunk.remove(at);
        self.len -= 1;
        if chunk.is_empty() {
            #[cfg(test)]
            (self.moved += at_chunk.min(self.chunks.len() - at_chunk));
            self.spare = self.chunks.remove(at_chunk);
        }
        entry.map(|entry| entry.1)
    }

    pub(crate) fn pop_front(&mut self) -> Option<(u64, T)> {
        let chunk = self.chunks.front_mut()?;
        let entry = chunk.pop_front();
        self.len -= 1;
        if chunk.is_empty() {
            self.spare = self.chunks.pop_front();
        }
        entry
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(u64, T)> {
        self.chunks.iter().flatten()
    }

    /// Those with a lower number.
    pub(crate) fn below(&self, number: u64) -> impl Iterator<Item = &(u64, T)> {
        self.iter().take_while(move |entry| entry.0 < number)
    }

    pub(crate) fn below_mut(&mut self, number: u64) -> impl Iterator<Item = &mut T> {
        let all = self.chunks.iter_mut().flatten();
        all.take_while(move |entry| entry.0 < number).map(|entry| &mut entry.1)
    }

    /// Where it is, or would be: the chunk, and the place in that.
    fn find(&self, number: u64) -> Result<(usize, usize), (usize, usize)> {
        let Some(last) = self.chunks.len().checked_sub(1) else { return Err((0, 0)) };
        // Mostly there is one, or what comes is new.
        let newest = self.chunks[last].back().map_or(0, |entry| entry.0);
        let len = self.chunks[last].len();
        if newest < number {
            return Err((last, len));
        }
        if newest == number {
            return Ok((last, len - 1));
        }
        let is_below = |chunk: &Chunk<T>| chunk.front().is_some_and(|entry| entry.0 <= number);
        let chunk = self.chunks.partition_point(is_below).saturating_sub(1);
        let found = self.chunks[chunk].binary_search_by_key(&number, |entry| entry.0);
        found.map(|at| (chunk, at)).map_err(|at| (chunk, at))
    }

    /// Makes two of a chunk.
    fn split(&mut self, at: usize) {
        let mut upper = self.spare.take().unwrap_or_default();
        let chunk = &mut self.chunks[at];
        upper.extend(chunk.drain(CHUNK_MAX / 2..));
        #[cfg(test)]
        (self.moved += upper.len() + at.min(self.chunks.len() - at));
        self.chunks.insert(at + 1, upper);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    // spec: 10.2 reassembly
    #[test]
    fn it_does_what_a_map_does() {
        for seed in 0..40 {
            let mut rng = ChaCha12Rng::seed_from_u64(seed);
            let (mut numbered, mut map) = (Numbered::default(), BTreeMap::new());
            let span = [50, 1_000, 5_000][seed as usize % 3];
            for step in 0..4_000 {
                let number = u64::from(rng.next_u32()) % span;
                let grows = step % 2_000 < 1_400;
                match rng.next_u32() % 8 {
                    0 => assert_eq!(numbered.pop_front(), map.pop_first(), "seed {seed}"),
                    1..=5 if grows && !map.contains_key(&number) => {
                        numbered.insert(number, step);
                        map.insert(number, step);
                    }
                    6 => assert_eq!(numbered.get_mut(number), map.get_mut(&number)),
                    _ => assert_eq!(numbered.remove(number), map.remove(&number), "seed {seed}"),
                }
                assert_eq!(numbered.len(), map.len());
                assert_eq!(numbered.last_number(), map.last_key_value().map(|last| *last.0));
                assert_eq!(numbered.contains(number), map.contains_key(&number));
                assert!(numbered.chunks.iter().all(|chunk| !chunk.is_empty()));
            }
            let below = numbered.below(span / 2).copied();
            assert!(below.eq(map.range(..span / 2).map(|(number, value)| (*number, *value))));
            assert!(numbered.iter().copied().eq(map.into_iter()), "seed {seed}");
        }
    }

    // spec: 18.3 attacks on resources
    #[test]
    fn no_order_makes_what_comes_expensive() {
        const COUNT: u64 = 1 << 16;
        type Order = fn(u64) -> u64;
        let orders: [(&str, Order, usize); 5] = [
            ("rising", |at| at, 0),
            ("falling", |at| COUNT - at, 0),
            ("inward", |at| if at < COUNT / 2 { 2 * at } else { 2 * (COUNT - at) - 1 }, 64),
            ("outward", |at| if at & 1 == 0 { COUNT + at } else { COUNT - at }, 64),
            ("scattered", |at| at * 40_503 % COUNT, 64),
        ];
        for (name, order, each) in orders {
            let mut numbered = Numbered::default();
            (0..COUNT).for_each(|at| numbered.insert(order(at), at));
            assert!(numbered.moved <= COUNT as usize * each, "{name}: {}", numbered.moved);
            (0..COUNT).for_each(|at| assert_eq!(numbered.remove(order(at)), Some(at)));
            let most = 2 * COUNT as usize * each.max(1);
            assert!(numbered.moved <= most, "{name}, removed: {}", numbered.moved);
            assert!(numbered.is_empty() && numbered.capacity() <= 4 * 1_024, "and nothing stays");
        }
    }
}
