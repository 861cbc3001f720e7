//! The direction of a channel in which the peer sends: what came, what is missing, where it ends.

use super::settled::Settled;
use crate::config::CHANNEL_GAPS_MAX;

/// What was received on a channel.
#[derive(Debug, Default)]
pub(crate) struct Receiving {
    /// Mode 010: late messages are dropped.
    is_ordered: bool,
    /// What was received, or is no longer waited for.
    settled: Settled,
    /// Charge of everything received (11.1).
    charge: u64,
    /// Above every number received.
    end: u64,
    /// How many messages there are in all, and their charge, once the peer said so.
    last: Option<End>,
    /// The number of the highest DATA_SKIP.
    skipped_to: u64,
}

/// Where the peer's direction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// None in a reset, which does not tell it.
    pub(crate) count: Option<u64>,
    pub(crate) position: u64,
}

/// What is to be done with a message that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Deliver it; so many numbers were given up on for it.
    Deliver { skipped: u64 },
    /// Drop it: it was here before, or a later one was.
    Late,
    /// The peer broke its own word: it is past the end.
    PastEnd,
}

/// Positions that contradict each other: FLOW_CONTROL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndError {
    /// CHANNEL_STATE.
    State,
    /// FLOW_CONTROL.
    Position,
}

impl Receiving {
    pub(crate) fn new(is_ordered: bool) -> Receiving {
        Receiving { is_ordered, ..Receiving::default() }
    }

    /// A whole message came.
    // spec: 10.3 modes
    #[inline]
    pub(crate) fn arrive(&mut self, number: u64, charge: u64) -> Arrival {
        if self.last.is_some_and(|end| end.count.is_some_and(|count| number >= count)) {
            return Arrival::PastEnd;
        }
        // The last number of all is none: there would be no count to close behind it.
        let Some(end) = number.checked_add(1) else { return Arrival::PastEnd };
        if number == self.settled.floor() && self.settled.insert(number, 1, 0) {
            self.charge += charge;
            self.end = self.end.max(end);
            return Arrival::Deliver { skipped: 0 };
        }
        self.arrive_apart(number, charge)
    }

    #[cold]
    fn arrive_apart(&mut self, number: u64, charge: u64) -> Arrival {
        let mut skipped = 0;
        if self.is_ordered {
            if number < self.settled.floor() {
                return Arrival::Late;
            }
            skipped = self.settled.skip_to(number);
            self.settled.insert(number, 1, 0);
        } else {
            if !self.settled.insert(number, 1, 0) {
                return Arrival::Late;
            }
            if self.settled.gaps() > CHANNEL_GAPS_MAX {
                skipped = self.settled.close_lowest_gap();
            }
        }
        self.charge += charge;
        self.end = self.end.max(number + 1);
        Arrival::Deliver { skipped }
    }

    /// The peer gave up on all that did not come below `number`; returns how many that are.
    // spec: 10.5 skipping
    pub(crate) fn skip(&mut self, number: u64, position: u64) -> Result<u64, EndError> {
        if number <= self.skipped_to {
            return Ok(0);
        }
        if self.last.is_some_and(|end| end.count.is_some_and(|count| number > count)) {
            return Err(EndError::State);
        }
        if position / u64::from(super::outbox::CHARGE) < number {
            return Err(EndError::Position);
        }
        self.skipped_to = number;
        Ok(self.settled.skip_to(number))
    }

    /// CHANNEL_CLOSE.
    // spec: 8.11 CHANNEL_CLOSE
    pub(crate) fn close(&mut self, count: u64, position: u64) -> Result<(), EndError> {
        let end = End { count: Some(count), position };
        match self.last {
            Some(before) if before.count.is_some() && before != end => return Err(EndError::State),
            Some(before) if before.position != position => return Err(EndError::Position),
            Some(_) | None => {}
        }
        if count < self.end {
            return Err(EndError::State);
        }
        if position < self.charge {
            return Err(EndError::Position);
        }
        self.last = Some(end);
        Ok(())
    }

    /// CHANNEL_RESET.
    // spec: 9.5 reset
    pub(crate) fn reset(&mut self, position: u64, limit: u64) -> Result<(), EndError> {
        let differs = self.last.is_some_and(|end| end.position != position);
        if differs || position < self.charge || position > limit {
            return Err(EndError::Position);
        }
        self.last = self.last.or(Some(End { count: None, position }));
        Ok(())
    }

    /// Whether everything came, or is no longer waited for.
    pub(crate) fn is_ended(&self) -> bool {
        self.last.is_some_and(|end| end.count.is_some_and(|count| self.settled.floor() >= count))
    }

    /// Whether the peer's final position is known.
    pub(crate) fn has_end(&self) -> bool {
        self.last.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELIVER: Arrival = Arrival::Deliver { skipped: 0 };

    // spec: 10.3 modes
    #[test]
    fn unordered_takes_every_number_once_in_any_order() {
        let mut receiving = Receiving::new(false);
        for number in [0, 3, 1, 5, 2, 4] {
            assert_eq!(receiving.arrive(number, 40), DELIVER);
            assert_eq!(receiving.arrive(number, 40), Arrival::Late);
        }
        assert_eq!(receiving.settled.floor(), 6);
    }

    // spec: 10.3 modes
    #[test]
    fn ordered_drops_what_comes_late() {
        let mut receiving = Receiving::new(true);
        assert_eq!(receiving.arrive(0, 40), DELIVER);
        assert_eq!(receiving.arrive(3, 40), Arrival::Deliver { skipped: 2 });
        assert_eq!(receiving.arrive(2, 40), Arrival::Late);
        assert_eq!(receiving.arrive(4, 40), DELIVER);
    }

    // spec: 8.14 DATA
    #[test]
    fn numbers_at_the_end_of_all_are_taken_once_or_refused() {
        for is_ordered in [false, true] {
            let mut receiving = Receiving::new(is_ordered);
            assert_eq!(receiving.skip(1 << 58, u64::MAX), Ok(1 << 58));
            let arrival = receiving.arrive(u64::MAX - 1, 40);
            assert!(matches!(arrival, Arrival::Deliver { .. }), "{arrival:?}");
            assert_eq!(receiving.arrive(u64::MAX - 1, 40), Arrival::Late);
            assert_eq!(receiving.arrive(u64::MAX, 40), Arrival::PastEnd);
            assert_eq!(receiving.arrive(u64::MAX, 40), Arrival::PastEnd);
        }
    }

    // spec: 8.11 CHANNEL_CLOSE
    #[test]
    fn a_close_holds_the_peer_to_its_word() {
        let mut receiving = Receiving::new(false);
        assert_eq!(receiving.arrive(1, 40), DELIVER);
        assert_eq!(receiving.close(1, 80), Err(EndError::State), "number 1 was there");
        assert_eq!(receiving.close(2, 39), Err(EndError::Position));
        assert_eq!(receiving.close(2, 80), Ok(()));
        assert_eq!(receiving.close(2, 80), Ok(()), "repeated");
        assert_eq!(receiving.close(3, 80), Err(EndError::State));
        assert_eq!(receiving.arrive(2, 40), Arrival::PastEnd);
        assert!(!receiving.is_ended());
        assert_eq!(receiving.skip(2, 80), Ok(1));
        assert!(receiving.is_ended());
    }

    // spec: 16.1 table
    #[test]
    fn gaps_are_bounded_and_the_oldest_is_given_up() {
        let mut receiving = Receiving::new(false);
        for number in 0..CHANNEL_GAPS_MAX as u64 {
            assert_eq!(receiving.arrive(2 * number + 1, 40), DELIVER);
        }
        let next = 2 * CHANNEL_GAPS_MAX as u64 + 1;
        assert_eq!(receiving.arrive(next, 40), Arrival::Deliver { skipped: 1 });
        assert_eq!(receiving.arrive(0, 40), Arrival::Late);
        assert_eq!(receiving.arrive(2, 40), DELIVER);
    }

    // spec: 9.5 reset
    #[test]
    fn a_reset_cannot_deny_what_came() {
        let mut receiving = Receiving::new(false);
        assert_eq!(receiving.arrive(0, 140), DELIVER);
        assert_eq!(receiving.reset(139, 1000), Err(EndError::Position));
        assert_eq!(receiving.reset(1001, 1000), Err(EndError::Position));
        assert_eq!(receiving.reset(200, 1000), Ok(()));
        assert_eq!(receiving.reset(201, 1000), Err(EndError::Position));
        assert!(receiving.has_end() && !receiving.is_ended());
    }
}
