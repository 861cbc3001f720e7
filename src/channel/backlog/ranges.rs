//! Which bytes of one message were acknowledged, above those that were from its beginning on.

/// Ranges by rising place, apart from each other.
#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds `start..end`.
    pub(super) fn insert(&mut self, start: u32, end: u32) {
        // Those that touch it are taken into it.
        let from = self.0.partition_point(|range| range.1 < start);
        let to = self.0.partition_point(|range| range.0 <= end);
        if from == to {
            return self.0.insert(from, (start, end));
        }
        let merged = (start.min(self.0[from].0), end.max(self.0[to - 1].1));
        self.0[from] = merged;
        self.0.drain(from + 1..to);
    }

    /// Takes out what begins at `below` or before it; the end of that, or `below`.
    pub(super) fn absorb(&mut self, below: u32) -> u32 {
        let count = self.0.partition_point(|range| range.0 <= below);
        let end = self.0.drain(..count).map(|range| range.1).max();
        end.map_or(below, |end| end.max(below))
    }

    /// The first part of `start..end` that is not in it; empty when all is.
    pub(super) fn first_gap(&self, start: u32, end: u32) -> (u32, u32) {
        let at = self.0.partition_point(|range| range.1 <= start);
        let Some(first) = self.0.get(at).filter(|range| range.0 < end) else { return (start, end) };
        if first.0 > start {
            return (start, first.0);
        }
        let next = self.0.get(at + 1).map_or(end, |range| range.0.min(end));
        (first.1.min(end), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_when_they_touch_and_gaps_between_them_are_found() {
        let mut ranges = Ranges::default();
        for (start, end) in [(10, 20), (30, 40), (50, 60), (20, 30), (55, 70)] {
            ranges.insert(start, end);
        }
        assert_eq!(ranges.0, [(10, 40), (50, 70)]);
        assert_eq!(ranges.first_gap(0, 5), (0, 5));
        assert_eq!(ranges.first_gap(0, 100), (0, 10));
        assert_eq!(ranges.first_gap(10, 100), (40, 50));
        assert_eq!(ranges.first_gap(15, 45), (40, 45));
        assert_eq!(ranges.first_gap(50, 60), (60, 60), "all of it");
        assert_eq!(ranges.first_gap(70, 80), (70, 80));
        assert_eq!(ranges.absorb(5), 5);
        assert_eq!(ranges.absorb(10), 40);
        assert_eq!(ranges.absorb(40), 40);
        ranges.insert(0, 100);
        assert_eq!(ranges.0, [(0, 100)]);
    }
}
