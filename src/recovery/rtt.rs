//! The round trip of a path: samples in, smoothed values and the spans made of them out.

use std::time::Duration;

use crate::time::Time;

/// The round-trip estimate of one path; the levels of a handshake share that of path 0.
// spec: 13.1 what belongs to a path; RFC 9002 5
#[derive(Debug, Clone)]
pub(crate) struct Rtt {
    latest: Duration,
    smoothed: Duration,
    variation: Duration,
    min: Duration,
    first_sample_at: Option<Time>,
}

impl Rtt {
    /// No sample yet: the values that 7.6 takes meanwhile.
    // spec: 7.6 retransmission
    pub(crate) const fn new() -> Rtt {
        Rtt {
            latest: INITIAL,
            smoothed: INITIAL,
            variation: Duration::from_nanos(INITIAL.as_nanos() as u64 / 2),
            min: INITIAL,
            first_sample_at: None,
        }
    }

    /// Takes one sample: the time from sending to the acknowledgement, and how much of it the peer
    /// says it waited (already cut to what it may wait).
    // spec: RFC 9002 5.3
    pub(crate) fn update(&mut self, now: Time, latest: Duration, peer_delay: Duration) {
        self.latest = latest;
        if self.first_sample_at.is_none() {
            self.first_sample_at = Some(now);
            (self.min, self.smoothed, self.variation) = (latest, latest, latest / 2);
            return;
        }
        self.min = self.min.min(latest);
        // A peer that claims more than would fit above the least RTT claims nothing.
        let adjusted = match latest >= self.min + peer_delay {
            true => latest - peer_delay,
            false => latest,
        };
        self.variation = (self.variation * 3 + self.smoothed.abs_diff(adjusted)) / 4;
        self.smoothed = (self.smoothed * 7 + adjusted) / 8;
    }

    /// The last sample.
    #[cfg(test)]
    pub(crate) const fn latest(&self) -> Duration {
        self.latest
    }

    /// The smoothed value; 100 ms before any sample.
    pub(crate) const fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// The mean deviation.
    pub(crate) const fn variation(&self) -> Duration {
        self.variation
    }

    /// The least sample of the path's life.
    pub(crate) const fn min(&self) -> Duration {
        self.min
    }

    /// When the first sample was taken.
    pub(crate) const fn first_sample_at(&self) -> Option<Time> {
        self.first_sample_at
    }

    /// How long after sending a packet below an acknowledged one counts as lost.
    // spec: RFC 9002 6.1.2
    pub(crate) fn loss_delay(&self) -> Duration {
        let round = self.latest.max(self.smoothed);
        (round + round / 8).max(GRANULARITY)
    }

    /// The probe timeout without back-off, for a peer that may wait `peer_delay` with an ACK.
    // spec: 13.4 PTO
    pub(crate) fn pto(&self, peer_delay: Duration) -> Duration {
        let pto = self.smoothed + (self.variation * 4).max(GRANULARITY);
        match self.first_sample_at {
            Some(_) => pto + peer_delay,
            None => pto,
        }
    }
}

/// Taken as the round trip before there is a sample.
const INITIAL: Duration = Duration::from_millis(100);

/// No timer of loss is finer than this.
pub(crate) const GRANULARITY: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests;
