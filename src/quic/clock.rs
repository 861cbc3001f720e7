//! Our time as QUIC and TLS below us want it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::time::Time;

/// Turns `Time` into `Instant` and back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
    /// What was `now` at the origin.
    began: Time,
}

impl Clock {
    /// A clock that begins `now`.
    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other way to an Instant; only differences to it are ever used, so \
                  that nothing depends on what it is"
    )]
    pub(super) fn new(now: Time) -> Clock {
        Clock { origin: Instant::now(), began: now }
    }

    pub(super) fn instant(&self, now: Time) -> Instant {
        self.origin + now.since(self.began)
    }

    /// Rounded to what a `Time` holds; never before the origin.
    pub(super) fn time(&self, instant: Instant) -> Time {
        self.began + instant.saturating_duration_since(self.origin)
    }
}

/// The calendar, which certificates, tickets and tokens need: what the owner said it was at the
/// beginning, and the time since then.
pub(super) struct Calendar {
    /// Nanoseconds since 1970.
    nanos: AtomicU64,
    /// The same at `Time::ZERO`.
    zero: u64,
}

impl Calendar {
    /// `unix` is the time since 1970 at `now`.
    pub(super) fn new(now: Time, unix: Duration) -> Calendar {
        let nanos = u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX);
        let zero = nanos.saturating_sub(now.as_nanos());
        Calendar { nanos: AtomicU64::new(nanos), zero }
    }

    pub(super) fn set(&self, now: Time) {
        // Nothing else is ordered by it, and all calls of a node come one after the other.
        self.nanos.store(self.zero.saturating_add(now.as_nanos()), Ordering::Relaxed);
    }

    fn since_epoch(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Calendar").field(&self.since_epoch()).finish()
    }
}

impl TimeProvider for Calendar {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.since_epoch()))
    }
}

impl quinn_proto::TimeSource for Calendar {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.since_epoch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_from_instants() {
        let began = Time::from_nanos(5_000);
        let clock = Clock::new(began);
        let later = Time::from_nanos(9_123);
        assert_eq!(clock.time(clock.instant(later)), later);
        assert_eq!(clock.time(clock.instant(Time::ZERO)), began);
    }

    #[test]
    fn the_calendar_goes_on_from_where_the_owner_set_it() {
        let calendar = Calendar::new(Time::from_nanos(7), Duration::from_secs(1_000));
        calendar.set(Time::from_nanos(2_000_000_007));
        assert_eq!(calendar.since_epoch(), Duration::from_secs(1_002));
    }
}
