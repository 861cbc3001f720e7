//! What is due when.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use channeler::quic::QuicConnection;

use super::ClientId;

/// What is late already is looked at again after this long.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// When it is looked again whether a peer has let us in, first; then after twice as long.
pub(super) const CONFIRM_FIRST: Duration = Duration::from_millis(1);

/// The longest time between two such looks.
pub(super) const CONFIRM_MAX: Duration = Duration::from_millis(50);

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A client may be late with a request, or with reading.
    Client(ClientId),
    /// A receive has waited for long enough.
    Receive(ClientId, u32),
    /// A peer may have let us in.
    Confirm(QuicConnection, SocketAddr, Duration),
    /// New clients may be let in again.
    Accept,
    /// The daemon has ended.
    End,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Timers {
    set: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub(super) fn add(&mut self, at: Instant, timer: Timer) {
        self.set.insert((at, timer));
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.set.first().map(|(at, _)| *at)
    }

    /// Takes out one that is due, with the time when it was.
    pub(super) fn take(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        let (at, _) = self.set.first()?;
        if *at > now {
            return None;
        }
        self.set.pop_first()
    }

    /// Forgets one.
    pub(super) fn cancel(&mut self, at: Instant, timer: Timer) {
        self.set.remove(&(at, timer));
    }
}
