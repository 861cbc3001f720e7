//! Which message numbers of one direction nobody waits for any more.

use std::collections::VecDeque;

/// Numbers that are settled: all below the floor, and runs above it.
///
/// A sender settles what was acknowledged or given up, a receiver what it got. In order, that is
/// one number; each gap costs a run until it closes.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    floor: u64,
    /// Charge of all below the floor.
    base: u64,
    /// By rising number, apart from each other and from the floor.
    above: VecDeque<Run>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: u64,
    end: u64,
    charge: u64,
}

impl Settled {
    /// All below it are settled.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// Charge of all below the floor.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Gaps above the floor.
    pub(crate) fn gaps(&self) -> usize {
        self.above.len()
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        if number < self.floor {
            return true;
        }
        let behind = self.above.partition_point(|run| run.start <= number);
        behind > 0 && number < self.above[behind - 1].end
    }

    /// Settles `count` numbers from `first`, all or none of which were settled before; whether they
    /// were new.
    #[inline]
    pub(crate) fn insert(&mut self, first: u64, count: u32, charge: u64) -> bool {
        let end = first.saturating_add(u64::from(count));
        if first == self.floor && self.above.is_empty() {
            self.floor = end;
            self.base = self.base.saturating_add(charge);
            return true;
        }
        !self.contains(first) && self.insert_apart(Run { start: first, end, charge })
    }

    fn insert_apart(&mut self, new: Run) -> bool {
        let at = self.above.partition_point(|run| run.start < new.start);
        let touches_before = at > 0 && self.above[at - 1].end == new.start;
        let touches_behind = self.above.get(at).is_some_and(|run| run.start == new.end);
        match (touches_before, touches_behind) {
            (true, true) => {
                let behind = self.above[at];
                self.above.remove(at);
                let before = &mut self.above[at - 1];
                before.end = behind.end;
                before.charge = before.charge.saturating_add(new.charge + behind.charge);
            }
            (true, false) => {
                let before = &mut self.above[at - 1];
                before.end = new.end;
                before.charge = before.charge.saturating_add(new.charge);
            }
            (false, true) => {
                let behind = &mut self.above[at];
                behind.start = new.start;
                behind.charge = behind.charge.saturating_add(new.charge);
            }
            (false, false) => self.above.insert(at, new),
        }
        self.absorb();
        true
    }

    /// Lets the floor rise over the run that begins there.
    fn absorb(&mut self) {
        let Some(run) = self.above.front().copied().filter(|run| run.start == self.floor) else {
            return;
        };
        self.floor = run.end;
        self.base = self.base.saturating_add(run.charge);
        self.above.pop_front();
        if self.above.is_empty() {
            // A channel keeps no memory for the losses it once had.
            self.above = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_order_need_no_memory() {
        let mut settled = Settled::default();
        for number in 0..1000 {
            assert!(settled.insert(number, 1, 40));
        }
        assert_eq!((settled.floor(), settled.base(), settled.gaps()), (1000, 40_000, 0));
        assert!(!settled.insert(999, 1, 40), "a number counts once");
    }

    #[test]
    fn gaps_close_in_any_order() {
        let mut settled = Settled::default();
        for first in [8, 2, 4, 6] {
            assert!(settled.insert(first, 1, 1));
        }
        assert_eq!((settled.floor(), settled.gaps()), (0, 4));
        for first in [7, 3, 5, 1] {
            assert!(settled.insert(first, 1, 1));
            assert!(!settled.insert(first, 1, 1));
        }
        assert_eq!((settled.floor(), settled.gaps()), (0, 1));
        assert!(settled.insert(0, 1, 1));
        assert_eq!((settled.floor(), settled.base(), settled.gaps()), (9, 9, 0));
    }
}
