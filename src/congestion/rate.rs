//! Delivery-rate samples: how fast the path delivered what was sent around each acknowledged packet
//! (draft-cheng-iccrg-delivery-rate-estimation-02).

use std::time::Duration;

use crate::time::Time;

/// What was known when a packet left; kept with the packet until it is acknowledged or lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Snapshot {
    /// Bytes delivered until then.
    pub(crate) delivered: u64,
    /// When the last of them was acknowledged.
    pub(crate) delivered_at: Time,
    /// When the packet was sent that begins the flight which this one belongs to.
    pub(crate) first_sent_at: Time,
    /// Bytes in flight, this packet included.
    pub(crate) in_flight: u32,
    /// Bytes lost until then; wraps.
    pub(crate) lost: u32,
    /// Bytes marked by a queue until then; wraps.
    pub(crate) marked: u32,
    /// Whether the application, not the window, decided what was sent.
    pub(crate) is_app_limited: bool,
}

/// One sample of the delivery rate, made of one ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateSample {
    /// Bytes delivered in the sample's interval.
    pub(crate) delivered: u64,
    /// Bytes delivered when the sample's packet was sent.
    pub(crate) prior_delivered: u64,
    /// The interval: the longer of the sending and the acknowledging one.
    pub(crate) interval: Duration,
    /// Bytes per second; none when the interval is too short to be believed.
    pub(crate) rate: Option<u64>,
    /// Whether the application was the limit.
    pub(crate) is_app_limited: bool,
    /// Bytes in flight when the sample's packet was sent, that packet included.
    pub(crate) sent_in_flight: u64,
    /// Bytes lost or marked since the sample's packet was sent.
    pub(crate) lost: u64,
    /// When the sample's packet was sent.
    pub(crate) sent_at: Time,
}

/// The connection-wide half of the estimate: counters of one path.
#[derive(Debug, Clone, Default)]
pub(crate) struct RateEstimator {
    delivered: u64,
    delivered_at: Time,
    first_sent_at: Time,
    lost: u64,
    marked: u32,
    /// The count of delivered bytes at which the present app-limited phase ends; 0: there is none.
    app_limited_until: u64,
    newest: Option<Newest>,
}

/// The newest packet of the ACK in hand.
#[derive(Debug, Clone, Copy)]
struct Newest {
    sent_at: Time,
    snapshot: Snapshot,
}

impl RateEstimator {
    /// A packet of `size` bytes leaves; `in_flight` were out before it.
    pub(crate) fn on_sent(&mut self, now: Time, size: u64, in_flight: u64) -> Snapshot {
        if in_flight == 0 {
            (self.first_sent_at, self.delivered_at) = (now, now);
        }
        Snapshot {
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent_at: self.first_sent_at,
            in_flight: u32::try_from(in_flight + size).unwrap_or(u32::MAX),
            lost: self.lost as u32,
            marked: self.marked,
            is_app_limited: self.app_limited_until != 0,
        }
    }

    /// The application had less to send than the window allows; `in_flight` bytes are out.
    pub(crate) fn on_app_limited(&mut self, in_flight: u64) {
        self.app_limited_until = (self.delivered + in_flight).max(1);
    }

    /// A packet was acknowledged for the first time.
    #[inline]
    pub(crate) fn on_acked(&mut self, now: Time, size: u64, sent_at: Time, snapshot: &Snapshot) {
        self.delivered += size;
        self.delivered_at = now;
        let is_newest = self.newest.is_none_or(|newest| {
            (snapshot.delivered, sent_at) >= (newest.snapshot.delivered, newest.sent_at)
        });
        if is_newest {
            self.newest = Some(Newest { sent_at, snapshot: *snapshot });
        }
    }

    /// A packet that had been declared lost was acknowledged after all: delivered, but no sample.
    pub(crate) fn on_acked_late(&mut self, now: Time, size: u64) {
        self.delivered += size;
        self.delivered_at = now;
    }

    /// A queue marked so many bytes.
    pub(crate) fn on_marked(&mut self, size: u64) {
        self.marked = self.marked.wrapping_add(size as u32);
    }

    /// A packet was declared lost.
    pub(crate) fn on_lost(&mut self, size: u64) {
        self.lost += size;
    }

    /// All of an ACK was fed: its sample, if it acknowledged something new.
    pub(crate) fn take_sample(&mut self, min_rtt: Duration) -> Option<RateSample> {
        if self.app_limited_until != 0 && self.delivered > self.app_limited_until {
            self.app_limited_until = 0;
        }
        let Newest { sent_at, snapshot } = self.newest.take()?;
        self.first_sent_at = sent_at;
        let send_elapsed = sent_at.since(snapshot.first_sent_at);
        let ack_elapsed = self.delivered_at.since(snapshot.delivered_at);
        let interval = send_elapsed.max(ack_elapsed);
        // A packet sent before the path began anew may know more than there is.
        let delivered = self.delivered.saturating_sub(snapshot.delivered);
        // Shorter than any round trip: acknowledgements came compressed, the rate would be a lie.
        let rate = (interval >= min_rtt).then(|| per_second(delivered, interval)).flatten();
        Some(RateSample {
            delivered,
            prior_delivered: snapshot.delivered,
            interval,
            rate,
            is_app_limited: snapshot.is_app_limited,
            sent_in_flight: u64::from(snapshot.in_flight),
            lost: self.lost_since(&snapshot),
            sent_at,
        })
    }

    /// Bytes delivered on the path so far.
    pub(crate) const fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Bytes delivered and lost on the path so far.
    pub(crate) const fn totals(&self) -> (u64, u64) {
        (self.delivered, self.lost)
    }

    /// Bytes lost or marked since a packet was sent.
    pub(crate) const fn lost_since(&self, snapshot: &Snapshot) -> u64 {
        let lost = (self.lost as u32).wrapping_sub(snapshot.lost);
        lost as u64 + self.marked.wrapping_sub(snapshot.marked) as u64
    }

    /// Whether an app-limited phase lasts.
    #[cfg(test)]
    pub(crate) const fn is_app_limited(&self) -> bool {
        self.app_limited_until != 0
    }
}

/// Bytes in a span as bytes per second; none for an empty span.
pub(crate) fn per_second(bytes: u64, span: Duration) -> Option<u64> {
    let nanos = span.as_nanos();
    // The wide division is slow, and for less than 18 GB in 584 years not needed.
    match (bytes.checked_mul(1_000_000_000), u64::try_from(nanos)) {
        (Some(scaled), Ok(nanos)) => scaled.checked_div(nanos),
        (_, _) => {
            let rate = (u128::from(bytes) * 1_000_000_000).checked_div(nanos)?;
            Some(u64::try_from(rate).unwrap_or(u64::MAX))
        }
    }
}

#[cfg(test)]
mod tests;
