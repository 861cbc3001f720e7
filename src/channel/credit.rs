//! Flow control as the receiver: what came, what of it is held, and how much more the peer may
//! send.
// spec: 11.3 receiving

use std::time::Duration;

use super::receive::Fault;
use crate::time::Time;

/// The account of one channel, or of a connection with all its channels. Sums of charges (11.1)
/// over its whole life.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credit {
    received: u64,
    /// The part of it that is held: unread, or of unfinished messages.
    held: u64,
    /// The highest limit that the peer was told.
    limit: u64,
    window: u32,
    /// When the limit was last raised, in microseconds, cut to 32 bits.
    raised_us: u32,
    /// Whether the peer said since then that the limit is in its way, and why it was.
    blocked: Option<Blocked>,
}

/// What uses a window up that is in the peer's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocked {
    /// What is on its way, or the application has not read.
    Use,
    /// For the most part what came behind a hole, and cannot be read before that is filled.
    Holes,
}

impl Credit {
    /// An account whose limit is its first window.
    pub(crate) fn new(window: u32) -> Credit {
        Credit {
            received: 0,
            held: 0,
            limit: u64::from(window),
            window,
            raised_us: 0,
            blocked: None,
        }
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn window(&self) -> u32 {
        self.window
    }

    /// Charge that the peer may still send.
    pub(crate) fn left(&self) -> u64 {
        self.limit.saturating_sub(self.received)
    }

    /// So much more came.
    #[inline]
    pub(crate) fn receive(&mut self, charge: u64) -> Result<(), Fault> {
        let received = self.received.checked_add(charge).filter(|sum| *sum <= self.limit);
        self.received = received.ok_or(Fault::FlowControl)?;
        Ok(())
    }

    /// Some of what came is held.
    #[inline]
    pub(crate) fn hold(&mut self, charge: u64) {
        self.held += charge;
    }

    /// Some of what was held was read, or thrown away.
    #[inline]
    pub(crate) fn let_go(&mut self, charge: u64) {
        debug_assert!(charge <= self.held, "only what was held");
        self.held = self.held.saturating_sub(charge);
    }

    /// Nothing is held any more; how much that was.
    pub(crate) fn let_go_of_all(&mut self) -> u64 {
        std::mem::take(&mut self.held)
    }

    /// The limit that could be given now. `unfinished`: bytes held of the message that must be
    /// finished before anything can be read.
    #[inline]
    fn next_limit(&self, unfinished: u64) -> u64 {
        self.limit.max(self.received - self.held + u64::from(self.window) + unfinished)
    }

    /// Whether the peer should hear of a new limit: half of the window is used.
    #[inline]
    pub(crate) fn is_due(&self, unfinished: u64) -> bool {
        let half = u64::from(self.window / 2).max(1);
        self.next_limit(unfinished) - self.limit >= half
    }

    /// The limit to tell the peer.
    pub(crate) fn raise(&mut self, unfinished: u64) -> u64 {
        self.limit = self.next_limit(unfinished);
        self.limit
    }

    /// The peer says that the limit is in its way. `unread`: bytes that the application could read.
    pub(crate) fn note_blocked(&mut self, unread: u64) {
        let behind_holes = self.held.saturating_sub(unread);
        let is_by_holes = behind_holes > unread && behind_holes >= u64::from(self.window / 4);
        self.blocked = Some(if is_by_holes { Blocked::Holes } else { Blocked::Use });
    }

    /// Fits the window between two sizes, now that half of it was used: to twice what comes in a
    /// round trip, as far as that can be told from what came since the time before; of a peer that
    /// the window stops, more might. What comes says nothing while holes are what fills the window:
    /// one lasts a round trip, or several, and holds all that comes in them; so the window
    /// doubles. To be asked each time before the limit is raised.
    pub(crate) fn fit(&mut self, now: Time, rtt: Duration, unfinished: u64, sizes: (u32, u32)) {
        let micros = |nanos: u128| nanos / 1_000;
        let now_us = micros(u128::from(now.as_nanos())) as u32;
        let elapsed = u128::from(now_us.wrapping_sub(self.raised_us)).max(1);
        self.raised_us = now_us;
        let came = u128::from(self.next_limit(unfinished) - self.limit);
        let twice = self.window.saturating_mul(2);
        let in_round_trip = came * micros(rtt.as_nanos()) / elapsed;
        let wanted = match self.blocked.take() {
            None => 2 * in_round_trip,
            Some(Blocked::Use) => 4 * in_round_trip,
            Some(Blocked::Holes) => twice.into(),
        };
        let least = sizes.0.min(self.window);
        let most = sizes.1.max(least).min(twice);
        self.window = u32::try_from(wanted).unwrap_or(u32::MAX).clamp(least, most);
    }

    /// What the peer may make us keep: the window, or more where one that was larger was told.
    pub(crate) fn granted(&self) -> u64 {
        self.limit.saturating_sub(self.received - self.held).max(u64::from(self.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(20);

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    // spec: 11.3 receiving
    #[test]
    fn the_limit_holds_to_the_byte_and_rises_with_what_is_let_go() {
        let mut credit = Credit::new(1_000);
        assert_eq!(credit.receive(1_000), Ok(()));
        assert_eq!(credit.receive(1), Err(Fault::FlowControl));
        assert_eq!(credit.receive(u64::MAX), Err(Fault::FlowControl));
        credit.hold(1_000);
        assert!(!credit.is_due(0), "nothing was read");
        credit.let_go(499);
        assert!(!credit.is_due(0), "less than half of the window");
        credit.let_go(1);
        assert!(credit.is_due(0));
        assert_eq!(credit.raise(0), 1_500);
        assert!(!credit.is_due(0));
        assert_eq!((credit.left(), credit.held()), (500, 500));
    }

    // spec: 11.3 receiving
    #[test]
    fn a_message_larger_than_the_window_gets_room_for_its_rest() {
        let mut credit = Credit::new(1_000);
        credit.receive(1_000).expect("within the window");
        credit.hold(1_000);
        assert!(credit.is_due(968));
        assert_eq!(credit.raise(968), 1_968);
        assert_eq!(credit.raise(0), 1_968, "a limit is never taken back");
    }

    // spec: 11.3 receiving
    #[test]
    fn a_window_grows_to_twice_what_a_round_trip_brings() {
        let mut credit = Credit::new(10_000);
        let come = |credit: &mut Credit, ms, window_max: u32| {
            credit.receive(6_000).expect("within the window");
            let window = credit.window();
            credit.fit(at(ms), RTT, 0, (window, window_max.max(window)));
            credit.raise(0);
            credit.window() - window
        };
        assert_eq!(come(&mut credit, 1_000, 100_000), 0, "slow so far");
        assert_eq!(come(&mut credit, 1_020, 100_000), 2_000, "6000 in a round trip");
        assert_eq!(come(&mut credit, 1_021, 100_000), 12_000, "at most twice as large as before");
        assert_eq!(come(&mut credit, 1_022, 30_000), 6_000, "and up to the maximum");
        assert_eq!(come(&mut credit, 1_022, 10_000), 0, "never smaller");
        assert_eq!(come(&mut credit, 1_032, 100_000), 0, "it is large enough");
        credit.note_blocked(0);
        assert_eq!(come(&mut credit, 1_044, 100_000), 10_000, "the peer would send more");
        assert_eq!(come(&mut credit, 1_054, 100_000), 0);
    }

    // spec: 11.3 receiving
    #[test]
    fn a_window_shrinks_where_it_may_and_what_was_told_counts_until_it_is_used() {
        let mut credit = Credit::new(10_000);
        credit.receive(5_000).expect("within the window");
        credit.fit(at(10_000), RTT, 0, (1_000, 100_000));
        assert_eq!((credit.window(), credit.granted()), (1_000, 5_000));
        assert_eq!(credit.raise(0), 10_000, "a limit is never taken back");
        credit.receive(4_500).expect("within what was told");
        assert_eq!((credit.raise(0), credit.granted()), (10_500, 1_000));
    }

    // spec: 11.3 receiving
    #[test]
    fn a_window_that_holes_fill_doubles_and_one_that_nobody_reads_does_not() {
        let grown = |unread| {
            let mut credit = Credit::new(10_000);
            credit.receive(10_000).expect("within the window");
            credit.hold(9_000);
            credit.note_blocked(unread);
            credit.let_go(9_000);
            // So long after the time before that the rate is next to nothing.
            credit.fit(at(10_000), RTT, 0, (10_000, 100_000));
            credit.window() - 10_000
        };
        assert_eq!(grown(0), 10_000);
        assert_eq!(grown(4_000), 10_000, "more is behind holes than unread");
        assert_eq!(grown(5_000), 0);
        assert_eq!(grown(9_000), 0);
    }
}
