//! CoDel (RFC 8289): which datagrams a queue drops, or marks, as they leave it.

use std::time::Duration;

use super::link::CoDel;
use crate::time::Time;

/// What CoDel remembers of one queue.
#[derive(Debug, Default)]
pub(super) struct CoDelState {
    /// When the wait will have been too long for a whole interval.
    first_above: Option<Time>,
    is_dropping: bool,
    drop_next: Time,
    count: u32,
    last_count: u32,
}

/// What is done with the datagram that is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Drop,
    Mark,
}

impl CoDelState {
    /// Judges the datagram that leaves at `now` after `waited`, behind which `queued` bytes wait.
    ///
    /// RFC 8289 5.5 and 5.6, turned inside out: its loop dequeues the next datagram after each that
    /// it drops, here the caller does. A mark ends the loop as a drop with something behind it.
    pub(super) fn judge(
        &mut self,
        codel: &CoDel,
        now: Time,
        waited: Duration,
        queued: usize,
        can_mark: bool,
    ) -> Verdict {
        let may_drop = self.is_above(codel, now, waited, queued);
        let verdict = if can_mark { Verdict::Mark } else { Verdict::Drop };
        if self.is_dropping {
            if !may_drop {
                self.is_dropping = false;
                return Verdict::Pass;
            }
            if now < self.drop_next {
                return Verdict::Pass;
            }
            self.count += 1;
            self.drop_next = self.drop_next + spacing(codel, self.count);
            return verdict;
        }
        if !may_drop {
            return Verdict::Pass;
        }
        self.is_dropping = true;
        let delta = self.count.saturating_sub(self.last_count);
        let is_recent = now.since(self.drop_next) < 16 * codel.interval;
        self.count = if delta > 1 && is_recent { delta } else { 1 };
        self.drop_next = now + spacing(codel, self.count);
        self.last_count = self.count;
        verdict
    }

    fn is_above(&mut self, codel: &CoDel, now: Time, waited: Duration, queued: usize) -> bool {
        if waited < codel.target || queued <= DATAGRAM_BYTES {
            self.first_above = None;
            return false;
        }
        let limit = *self.first_above.get_or_insert(now + codel.interval);
        now >= limit
    }
}

/// RFC 8289 5.4, the control law.
fn spacing(codel: &CoDel, count: u32) -> Duration {
    codel.interval.div_f64(f64::from(count).sqrt())
}

/// With no more than this waiting there is no standing queue.
const DATAGRAM_BYTES: usize = 1_500;
