//! How large packets a path takes: searched for with probes, given up when they vanish.
// spec: 12.11 MTU

use std::time::Duration;

use crate::time::Time;

/// The packet size of one path, and the search for a larger one (DPLPMTUD, RFC 8899).
///
/// A search costs something, so it runs only where full packets are sent: whoever sends little
/// gains nothing by larger ones.
#[derive(Debug, Clone)]
pub(crate) struct Mtu {
    /// What packets may have now.
    size: usize,
    /// What always passes.
    base: usize,
    /// What is never exceeded: our setting, the peer's, and the interface's.
    max: usize,
    /// The least size that did not pass.
    failed: Option<usize>,
    search: Search,
    /// The probe that is out, and how many of its size were lost.
    probe: Option<usize>,
    tries: u8,
    hole: Suspicion,
}

/// Where the search stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// For a full packet, as a reason to begin.
    Waits,
    /// It goes on.
    Runs,
    /// It is over; another one may begin then.
    Over { again_at: Time },
}

/// Whether packets larger than base vanish while others arrive.
#[derive(Debug, Clone, Copy, Default)]
struct Suspicion {
    /// How often in a row such packets were found lost, without one acknowledged between.
    bursts: u8,
    /// Whether what is being read shows such a loss.
    has_lost: bool,
    /// Whether a smaller packet was acknowledged meanwhile.
    is_alive: bool,
}

impl Mtu {
    /// A path whose packets have `size` bytes at first, and `max` bytes at most.
    pub(crate) fn new(size: usize, max: usize) -> Mtu {
        Mtu {
            size,
            base: size.min(SIZE_BASE),
            max: max.max(size),
            failed: None,
            search: Search::Waits,
            probe: None,
            tries: 0,
            hole: Suspicion::default(),
        }
    }

    /// The path leads elsewhere: what was learnt means nothing there.
    // spec: 12.7 address changes
    pub(crate) fn restart(&mut self, size: usize) {
        *self = Mtu::new(size.min(self.max), self.max);
    }

    /// What packets may have now.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Whether packets are larger than what always passes.
    pub(crate) fn is_above_base(&self) -> bool {
        self.size > self.base
    }

    /// A packet of `size` bytes leaves; a full one is a reason to search.
    #[inline]
    pub(crate) fn on_sent(&mut self, now: Time, size: usize) {
        if size + FULL_SLACK < self.size || self.search == Search::Runs {
            return;
        }
        match self.search {
            Search::Over { again_at } if again_at > now => return,
            // The raise timer of RFC 8899 5.1.1: the path may have changed meanwhile.
            Search::Over { .. } => self.failed = None,
            Search::Waits | Search::Runs => {}
        }
        self.search = Search::Runs;
        self.go_on(now);
    }

    /// The size of the probe that is to leave.
    pub(crate) fn wanted(&self) -> Option<usize> {
        match self.search {
            Search::Runs if self.probe.is_none() => self.candidate(),
            Search::Runs | Search::Waits | Search::Over { .. } => None,
        }
    }

    /// It left.
    pub(crate) fn on_probe_sent(&mut self, size: usize) {
        self.probe = Some(size);
    }

    /// A probe arrived; whether packets may be larger now.
    pub(crate) fn on_probe_acked(&mut self, now: Time, size: usize) -> bool {
        if self.probe == Some(size) {
            (self.probe, self.tries) = (None, 0);
        }
        let has_grown = size > self.size && size <= self.max;
        if has_grown {
            self.size = size;
            self.failed = self.failed.filter(|failed| *failed > size);
            self.hole = Suspicion::default();
        }
        self.go_on(now);
        has_grown
    }

    /// A probe was lost: perhaps because of its size, perhaps not.
    pub(crate) fn on_probe_lost(&mut self, now: Time, size: usize) {
        if self.probe != Some(size) {
            return;
        }
        self.probe = None;
        self.tries += 1;
        if self.tries >= TRIES {
            self.fail(now, size);
        }
    }

    /// The system refused to send `size` bytes. Returns whether packets must be smaller now.
    pub(crate) fn on_refused(&mut self, now: Time, size: usize) -> bool {
        let has_shrunk = size <= self.size && self.size > self.base;
        if has_shrunk {
            // What failed is no proof of what passes: the base is.
            self.size = self.base;
        }
        if self.probe.is_some_and(|probe| probe >= size) {
            self.probe = None;
        }
        if has_shrunk && self.search != Search::Runs {
            self.search = Search::Waits;
        }
        self.fail(now, size);
        has_shrunk
    }

    /// What the interface takes, less headers. Larger packets are never tried again; returns
    /// whether packets must be smaller now.
    pub(crate) fn limit(&mut self, now: Time, max: usize) -> bool {
        self.max = self.max.min(max.max(self.base));
        let has_shrunk = self.size > self.max;
        self.size = self.size.min(self.max);
        self.failed = self.failed.filter(|failed| *failed <= self.max);
        self.go_on(now);
        has_shrunk
    }

    /// A packet was acknowledged that was no probe.
    #[inline]
    pub(crate) fn on_acked(&mut self, size: usize) {
        if size > self.base {
            self.hole = Suspicion::default();
        } else {
            self.hole.is_alive = self.hole.bursts > 0;
        }
    }

    /// A packet was lost that was no probe.
    #[inline]
    pub(crate) fn on_lost(&mut self, size: usize) {
        self.hole.has_lost |= size > self.base;
    }

    /// An acknowledgement, or a timer, was read to its end. Returns whether packets of the present
    /// size vanish: they are smaller now.
    pub(crate) fn conclude(&mut self, now: Time) -> bool {
        if !std::mem::take(&mut self.hole.has_lost) || self.size <= self.base {
            return false;
        }
        self.hole.bursts += 1;
        if self.hole.bursts < BURSTS || !self.hole.is_alive {
            return false;
        }
        (self.size, self.hole) = (self.base, Suspicion::default());
        (self.failed, self.probe, self.tries) = (None, None, 0);
        self.search = Search::Over { again_at: now + SEARCH_AGAIN };
        true
    }

    fn fail(&mut self, now: Time, size: usize) {
        self.tries = 0;
        if size > self.size && size <= self.max {
            self.failed = Some(self.failed.map_or(size, |failed| failed.min(size)));
        }
        self.go_on(now);
    }

    /// Ends a search that has nothing left to try.
    fn go_on(&mut self, now: Time) {
        if self.search == Search::Runs && self.probe.is_none() && self.candidate().is_none() {
            self.search = Search::Over { again_at: now + SEARCH_AGAIN };
        }
    }

    /// The next size to try: all there may be, and when that failed, halfway.
    fn candidate(&self) -> Option<usize> {
        match self.failed {
            None => Some(self.max).filter(|max| *max > self.size),
            Some(failed) => {
                let room = failed.saturating_sub(self.size + 1);
                (room >= GRAIN).then(|| self.size + room.div_ceil(2))
            }
        }
    }
}

/// Passes on every path that a handshake passed.
pub(super) const SIZE_BASE: usize = 1200;

/// A packet that is short of the packet size by less is full: the next message did not fit.
const FULL_SLACK: usize = 64;

/// Probes of one size that are lost before it is taken not to pass: RFC 8899 5.1.2.
const TRIES: u8 = 3;

/// Losses in a row after which large packets are taken to vanish.
const BURSTS: u8 = 3;

/// Not worth another probe.
const GRAIN: usize = 16;

/// The raise timer of RFC 8899 5.1.1.
// spec: 15.1 table
const SEARCH_AGAIN: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
