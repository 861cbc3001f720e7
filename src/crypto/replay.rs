//! Which packet numbers of a space were opened before.

/// Remembers the numbers opened within the last 8,192 below the largest.
///
/// Takes no memory beside itself while numbers come in order, and at most 1 KiB.
// spec: 5.6 replay
#[derive(Debug, Default)]
pub struct ReplayWindow {
    /// One more than the largest number opened; 0 while there is none.
    end: u64,
    /// All numbers below were opened, or are too old.
    floor: u64,
    /// A ring with a bit for each number from `floor` to `end`, other bits are meaningless. Its
    /// size is a power of two.
    words: Box<[u64]>,
}

impl ReplayWindow {
    /// How far below the largest number one is remembered.
    pub const SIZE: u64 = 8192;

    /// Nothing opened yet.
    pub fn new() -> ReplayWindow {
        ReplayWindow::default()
    }

    /// The largest number opened.
    pub fn largest(&self) -> Option<u64> {
        self.end.checked_sub(1)
    }

    /// Whether `number` is so far back that nobody knows whether it was opened.
    pub fn is_too_old(&self, number: u64) -> bool {
        number + ReplayWindow::SIZE < self.end
    }

    /// Notes that `number` was opened; false when it was before, or is too old: then the packet has
    /// no effect.
    #[must_use]
    pub fn insert(&mut self, number: u64) -> bool {
        if number < self.floor {
            return false;
        }
        if number >= self.end {
            self.advance(number);
        } else if self.bit(number) {
            return false;
        }
        if number == self.floor {
            self.floor += 1;
        } else {
            let (word, mask) = self.place(number);
            self.words[word] |= mask;
            return true;
        }
        while self.floor < self.end && self.bit(self.floor) {
            self.floor += 1;
        }
        true
    }

    /// Bytes of memory that it takes beside itself.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.words)
    }

    /// Makes `number` the largest. Its own bit is left as it is.
    fn advance(&mut self, number: u64) {
        let first_new = self.end;
        self.end = number + 1;
        self.floor = self.floor.max(self.end.saturating_sub(ReplayWindow::SIZE));
        if self.floor == number {
            return;
        }
        self.reserve(number + 1 - self.floor, first_new);
        let mut next = first_new.max(self.floor);
        while next <= number {
            let (word, mask) = self.place(next);
            if next.is_multiple_of(64) && number - next >= 64 {
                self.words[word] = 0;
                next += 64;
            } else {
                self.words[word] &= !mask;
                next += 1;
            }
        }
        while self.floor < number && self.bit(self.floor) {
            self.floor += 1;
        }
    }

    /// Makes room for `numbers` bits; keeps those from `floor` to `old_end`.
    fn reserve(&mut self, numbers: u64, old_end: u64) {
        let words = numbers.div_ceil(64).next_power_of_two() as usize;
        if words <= self.words.len() {
            return;
        }
        let old = std::mem::replace(&mut self.words, vec![0; words].into_boxed_slice());
        for number in self.floor..old_end {
            let word = (number / 64) as usize & (old.len() - 1);
            if old[word] & (1 << (number % 64)) != 0 {
                let (word, mask) = self.place(number);
                self.words[word] |= mask;
            }
        }
    }

    fn bit(&self, number: u64) -> bool {
        let (word, mask) = self.place(number);
        self.words[word] & mask != 0
    }

    fn place(&self, number: u64) -> (usize, u64) {
        ((number / 64) as usize & (self.words.len() - 1), 1 << (number % 64))
    }
}
