//! Which messages above the floor are settled, and what they cost: for modes that deliver out of
//! turn.
// spec: 10.2 reassembly, 10.5 skipping, 11.3 receiving

use std::collections::VecDeque;

/// Settled messages above the floor, in runs.
///
/// DATA_SKIP tells the charge of all below a number, and the receiver must know its own part of it
/// there. So runs are joined only up to a charge that nobody misses.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    runs: VecDeque<Run>,
    /// Messages in them, and their charge.
    count: u64,
    charge: u64,
}

/// Messages in a row that are all settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: u64,
    end: u64,
    charge: u64,
}

/// What the messages from a number on cost: between these two, as a run is one sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Above {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

/// Charge up to which runs are joined.
const JOINED_CHARGE_MAX: u64 = 4_096;

/// Runs after which they are joined whatever they cost.
const FREE_RUNS_MAX: usize = 2_048;

/// Runs of one channel. A message that would make one more is refused, as if it were lost.
pub(crate) const RUNS_MAX: usize = 4_096;

impl Ledger {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Above all that are settled, if there is any.
    pub(crate) fn end(&self) -> Option<u64> {
        self.runs.back().map(|run| run.end)
    }

    /// How many are settled above the floor.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many of them are below `number`.
    pub(crate) fn count_below(&self, number: u64) -> u64 {
        let known = self.runs.iter().take_while(|run| run.start < number);
        known.map(|run| run.end.min(number) - run.start).sum()
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        let behind = self.runs.partition_point(|run| run.start <= number);
        behind > 0 && number < self.runs[behind - 1].end
    }

    /// Whether one more can be noted.
    pub(crate) fn has_room(&self) -> bool {
        self.runs.len() < RUNS_MAX
    }

    /// Settles a message that was not, above the floor.
    pub(crate) fn insert(&mut self, number: u64, charge: u64) {
        self.count += 1;
        self.charge += charge;
        let most = if self.runs.len() < FREE_RUNS_MAX { JOINED_CHARGE_MAX } else { u64::MAX };
        let at = self.runs.partition_point(|run| run.start < number);
        if at > 0 {
            let before = &mut self.runs[at - 1];
            if before.end == number && before.charge.saturating_add(charge) <= most {
                before.end += 1;
                before.charge += charge;
                return self.join(at, most);
            }
        }
        if let Some(behind) = self.runs.get_mut(at)
            && behind.start == number + 1
            && behind.charge.saturating_add(charge) <= most
        {
            behind.start = number;
            behind.charge += charge;
            return;
        }
        self.runs.insert(at, Run { start: number, end: number + 1, charge });
    }

    /// Joins the run at `at` to the one before it, if they touch and are cheap.
    fn join(&mut self, at: usize, most: u64) {
        let (Some(before), Some(behind)) = (self.runs.get(at - 1), self.runs.get(at)) else {
            return;
        };
        if before.end == behind.start && before.charge.saturating_add(behind.charge) <= most {
            let (end, charge) = (behind.end, behind.charge);
            self.runs.remove(at);
            let before = &mut self.runs[at - 1];
            (before.end, before.charge) = (end, before.charge + charge);
        }
    }

    /// The floor rose to `floor`: where it comes to, over what is settled there.
    pub(crate) fn absorb(&mut self, mut floor: u64) -> u64 {
        while let Some(run) = self.runs.front().copied().filter(|run| run.start <= floor) {
            floor = floor.max(run.end);
            self.count -= run.end - run.start;
            self.charge -= run.charge;
            self.runs.pop_front();
        }
        floor
    }

    /// What is settled at `number` and above it costs, each message at least `smallest`.
    pub(crate) fn above(&self, number: u64, smallest: u64) -> Above {
        let mut sum = Above { least: self.charge, most: self.charge };
        for run in self.runs.iter().take_while(|run| run.start < number) {
            sum.least -= run.charge;
            sum.most -= run.charge;
            if run.end > number {
                sum.least += smallest * (run.end - number);
                sum.most += run.charge - smallest * (number - run.start);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: 10.3 modes
    #[test]
    fn numbers_in_any_order_are_settled_once() {
        let mut ledger = Ledger::default();
        for number in [8, 2, 4, 6, 7, 3, 5] {
            assert!(!ledger.contains(number));
            ledger.insert(number, 40);
            assert!(ledger.contains(number));
        }
        assert!(!ledger.contains(9) && !ledger.contains(1));
        assert_eq!((ledger.end(), ledger.count(), ledger.count_below(5)), (Some(9), 7, 3));
        assert_eq!((ledger.absorb(2), ledger.count()), (9, 0));
        assert!(ledger.is_empty());
        assert_eq!(ledger.absorb(9), 9);
    }

    // spec: 10.5 skipping
    #[test]
    fn what_a_part_of_a_run_costs_is_known_to_within_what_runs_are_joined_to() {
        let mut ledger = Ledger::default();
        for number in 1..200 {
            ledger.insert(number, 132);
        }
        for number in 1..200 {
            let exact = 132 * (200 - number);
            let Above { least, most } = ledger.above(number, 32);
            assert!(least <= exact && exact <= most, "{number}");
            assert!(most - least <= JOINED_CHARGE_MAX, "{number}");
        }
        let mut large = Ledger::default();
        (1..9).for_each(|number| large.insert(number, 5_000));
        assert_eq!(large.above(4, 32), Above { least: 25_000, most: 25_000 });
    }

    // spec: 10.2 reassembly
    #[test]
    fn many_runs_in_a_row_become_one() {
        let mut ledger = Ledger::default();
        for number in 1..100_000 {
            assert!(ledger.has_room());
            ledger.insert(number, 5_000);
        }
        assert!(ledger.runs.len() <= FREE_RUNS_MAX + 1);
        let mut gaps = Ledger::default();
        let taken = (1..).step_by(2).take_while(|number| {
            let has_room = gaps.has_room();
            gaps.insert(*number, 40);
            has_room
        });
        assert_eq!(taken.count(), RUNS_MAX);
    }
}
