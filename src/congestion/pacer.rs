//! The pacer: lets packets go in bursts of the send quantum, at the controller's rate.

use crate::time::Time;

/// Keeps one path to its rate.
///
/// Over any span it lets go at most the rate times the span, plus one quantum, plus what
/// [`LATENESS_MAX`] holds, plus one packet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pacer {
    /// When the rate has paid for all that left, on a clock that began long before the caller's, so
    /// that a new path has credit. Credit is how far this lies in the past.
    paid_at: u64,
    /// Set while a burst must wait.
    release_at: Option<Time>,
}

impl Pacer {
    /// How many bytes may leave now at `rate` bytes per second in bursts of `quantum`; 0: not
    /// before [`Self::release_time`]. Once it is not 0, a whole packet may leave even if it is
    /// longer; the next burst pays for it.
    pub(crate) fn budget(&mut self, now: Time, rate: u64, quantum: u64) -> u64 {
        let clock = now.as_nanos() + CLOCK_OFFSET;
        let burst = span_of(quantum, rate).max(1);
        self.paid_at = self.paid_at.min(clock + SPAN_MAX);
        // A timer that comes late must not cost rate: the credit of its lateness is kept.
        let credit = clock.saturating_sub(self.paid_at).min(burst + LATENESS_MAX);
        // A burst begins when there is a whole one's credit, and goes on while there is any.
        let wanted = if self.release_at.is_some() { burst } else { 1 };
        if credit < wanted {
            self.release_at = Some(Time::from_nanos(self.paid_at + burst - CLOCK_OFFSET));
            return 0;
        }
        self.paid_at = clock - credit;
        self.release_at = None;
        bytes_of(credit, rate).max(1)
    }

    /// `size` bytes leave.
    pub(crate) fn on_sent(&mut self, size: u64, rate: u64) {
        self.paid_at = self.paid_at.saturating_add(span_of(size, rate));
    }

    /// When the burst that waits may leave; none when none waits.
    pub(crate) const fn release_time(&self) -> Option<Time> {
        self.release_at
    }
}

/// How many nanoseconds `bytes` take at `rate`, rounded up.
fn span_of(bytes: u64, rate: u64) -> u64 {
    let nanos = match bytes.checked_mul(1_000_000_000) {
        Some(scaled) => scaled.div_ceil(rate.max(1)),
        None => u64::MAX,
    };
    nanos.min(SPAN_MAX)
}

/// How many bytes `nanos` hold at `rate`.
pub(super) fn bytes_of(nanos: u64, rate: u64) -> u64 {
    // The wide division is slow, and for rates below 18 GB/s not needed.
    match nanos.checked_mul(rate) {
        Some(scaled) => scaled / 1_000_000_000,
        None => {
            let bytes = u128::from(nanos) * u128::from(rate) / 1_000_000_000;
            u64::try_from(bytes).unwrap_or(u64::MAX)
        }
    }
}

/// How late a timer may be without loss of rate.
const LATENESS_MAX: u64 = 1_000_000;

/// No burst takes longer, and no debt is larger, whatever the rate: a path never stalls.
const SPAN_MAX: u64 = 1_000_000_000;

/// More than any credit.
const CLOCK_OFFSET: u64 = 2 * (SPAN_MAX + LATENESS_MAX);

#[cfg(test)]
mod tests;
