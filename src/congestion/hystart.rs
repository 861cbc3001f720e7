//! HyStart++ (RFC 9406): leaves slow start when round trips grow, before the queue overflows.

use std::time::Duration;

/// Where slow start stands.
// spec: RFC 9406 4.2
#[derive(Debug, Clone)]
pub(crate) struct HyStart {
    /// Bytes delivered when the present round ends.
    round_end: u64,
    /// Least round trip of the last round, and of this one.
    last_min: Option<Duration>,
    current_min: Option<Duration>,
    samples: u32,
    /// Set in conservative slow start.
    conservative: Option<Conservative>,
}

/// Conservative slow start: grows slower while it is found out whether the delay was jitter.
#[derive(Debug, Clone)]
struct Conservative {
    /// Least round trip of the round that began it.
    baseline: Duration,
    rounds: u32,
}

/// How the window grows after an ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// By all that was acknowledged.
    Full,
    /// By a fourth of it.
    Quarter,
    /// Slow start is over.
    Over,
}

impl HyStart {
    /// A slow start that begins with `delivered` bytes delivered on the path.
    pub(crate) fn new() -> HyStart {
        HyStart { round_end: 0, last_min: None, current_min: None, samples: 0, conservative: None }
    }

    /// An ACK came: `prior_delivered` bytes had been delivered when the newest packet of it was
    /// sent, `delivered` have been now, and `sample` is its round trip.
    pub(crate) fn on_ack(
        &mut self,
        prior_delivered: Option<u64>,
        delivered: u64,
        sample: Option<Duration>,
    ) -> Growth {
        if prior_delivered.is_some_and(|prior| prior >= self.round_end) {
            self.round_end = delivered;
            self.last_min = self.current_min.take();
            self.samples = 0;
            if let Some(conservative) = &mut self.conservative {
                conservative.rounds += 1;
                if conservative.rounds >= ROUNDS {
                    return Growth::Over;
                }
            }
        }
        if let Some(sample) = sample {
            self.current_min = Some(self.current_min.map_or(sample, |min| min.min(sample)));
            self.samples += 1;
        }
        self.judge()
    }

    fn judge(&mut self) -> Growth {
        let (Some(current), true) = (self.current_min, self.samples >= SAMPLES) else {
            return self.growth();
        };
        if let Some(conservative) = &self.conservative {
            if current < conservative.baseline {
                self.conservative = None;
            }
        } else if let Some(last) = self.last_min {
            let threshold = (last / 8).clamp(THRESHOLD_MIN, THRESHOLD_MAX);
            if current >= last + threshold {
                self.conservative = Some(Conservative { baseline: current, rounds: 0 });
            }
        }
        self.growth()
    }

    fn growth(&self) -> Growth {
        match self.conservative {
            Some(_) => Growth::Quarter,
            None => Growth::Full,
        }
    }
}

/// RFC 9406 4.3.
const SAMPLES: u32 = 8;
const ROUNDS: u32 = 5;
const THRESHOLD_MIN: Duration = Duration::from_millis(4);
const THRESHOLD_MAX: Duration = Duration::from_millis(16);

#[cfg(test)]
mod tests;
