//! Looking for packets before sleeping, as long as that pays.

use std::time::Duration;

/// Looking for a shorter time than this is not worth a system call.
const LEAST: Duration = Duration::from_micros(1);

/// How often not to look after others wanted the core.
const RESTS: u32 = 64;

/// How long to look before sleeping: the whole time while that pays, half as long each time that it
/// did not, so that a quiet node does not look at all. Where there are more threads than cores it
/// looks once in a while, to see whether that has changed.
#[derive(Debug)]
pub(super) struct Spin {
    most: Duration,
    length: Duration,
    /// How often it will not look.
    rests: u32,
}

impl Spin {
    pub(super) fn new(most: Duration) -> Spin {
        Spin { most, length: most, rests: 0 }
    }

    /// How long to look this time.
    pub(super) fn length(&mut self) -> Duration {
        if self.rests == 0 {
            return self.length;
        }
        self.rests -= 1;
        Duration::ZERO
    }

    /// Somebody else needed the core while it looked.
    pub(super) fn note_crowded(&mut self) {
        self.rests = RESTS;
    }

    /// Nothing came while it looked.
    pub(super) fn note_missed(&mut self) {
        self.length = if self.length < LEAST { Duration::ZERO } else { self.length / 2 };
    }

    /// Something came so long after the last that was sent.
    pub(super) fn note_answer(&mut self, after: Duration) {
        if after < self.most {
            self.length = self.most;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_micros(20);

    #[test]
    fn it_looks_less_each_time_that_nothing_comes_and_in_the_end_not_at_all() {
        let mut spin = Spin::new(MOST);
        let lengths: Vec<Duration> = std::iter::from_fn(|| {
            let length = spin.length();
            spin.note_missed();
            Some(length)
        })
        .take(7)
        .collect();
        assert!(lengths.windows(2).all(|pair| pair[1] <= pair[0] / 2), "{lengths:?}");
        assert_eq!(lengths[6], Duration::ZERO);
    }

    #[test]
    fn an_answer_that_came_soon_brings_it_back_and_a_late_one_does_not() {
        let mut spin = Spin::new(MOST);
        spin.note_missed();
        spin.note_answer(MOST);
        assert_eq!(spin.length(), MOST / 2);
        spin.note_answer(MOST - LEAST);
        assert_eq!(spin.length(), MOST);
    }

    #[test]
    fn it_rests_where_others_need_the_core_however_soon_answers_come() {
        let mut spin = Spin::new(MOST);
        spin.note_crowded();
        for _ in 0..RESTS {
            assert_eq!(spin.length(), Duration::ZERO);
            spin.note_missed();
            spin.note_answer(LEAST);
        }
        assert_eq!(spin.length(), MOST);
    }

    #[test]
    fn zero_never_looks() {
        let mut spin = Spin::new(Duration::ZERO);
        spin.note_answer(Duration::ZERO);
        assert_eq!(spin.length(), Duration::ZERO);
    }
}
