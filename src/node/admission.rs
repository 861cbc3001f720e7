//! Who may begin a handshake: cookies, and limits on half-open attempts.
//!
//! Everything here is paid for by strangers' packets, so everything is bounded, and nothing that
//! costs a key derivation is done before a packet was admitted.
// spec: 7.9 cookies, 7.10 half-open limits

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::config::{
    BAD_INITIALS_MAX, BAD_INITIALS_PENALTY, BAD_INITIALS_PREFIX_MAX, HALF_OPEN_PREFIX_FREE_MAX,
    HALF_OPEN_PREFIX_MAX, NodeConfig,
};
use crate::crypto::CookieKeys;
use crate::id::AttemptId;
use crate::time::Time;
use crate::wire::long::{Cookie, LongHeader};

/// What becomes of a packet that would begin an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may.
    Admit {
        /// It showed a cookie of ours.
        is_proven: bool,
    },
    /// It must come again with this cookie.
    Ask(Cookie),
    /// There are too many.
    Drop,
}

/// Where packets come from, as limits see it: an IPv4 /24 or an IPv6 /48.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix(u64);

/// Counts of half-open attempts, and the keys of cookies.
pub(super) struct Admission {
    cookies: CookieKeys,
    /// By the order in which they began.
    attempts: BTreeMap<u64, HalfOpen>,
    next: u64,
    /// How many of them showed no cookie.
    free: usize,
    prefixes: BTreeMap<Prefix, Count>,
    forged: Forged,
}

/// An attempt that counts: half-open, or failed not long ago.
#[derive(Debug, Clone, Copy)]
struct HalfOpen {
    prefix: Prefix,
    is_proven: bool,
    until: Time,
}

/// Half-open attempts of one prefix.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    all: u32,
    free: u32,
}

/// First packets that did not open.
#[derive(Debug)]
struct Forged {
    /// When the second began in which they are counted.
    since: Time,
    count: u32,
    /// Until when everybody needs a cookie.
    cookies_until: Option<Time>,
    /// Those with a cookie, by prefix, in the same second.
    prefixes: BTreeMap<Prefix, u32>,
    /// Prefixes that are not served, and until when.
    shunned: BTreeMap<Prefix, Time>,
}

/// Prefixes that are counted or shunned at once, at most; further ones are not. Each has shown a
/// cookie, so it is somebody's.
const PREFIXES_MAX: usize = 4_096;

const SECOND: Duration = Duration::from_secs(1);

impl Prefix {
    pub(super) fn of(ip: IpAddr) -> Prefix {
        match ip {
            IpAddr::V4(ip) => Prefix(u64::from(u32::from(ip) >> 8)),
            // A bit above the 48 keeps the families apart.
            IpAddr::V6(ip) => Prefix(1 << 48 | (u128::from(ip) >> 80) as u64),
        }
    }
}

impl Admission {
    /// `seed` is for the keys of cookies.
    pub(super) fn new(seed: [u8; 32], now: Time) -> Admission {
        Admission {
            cookies: CookieKeys::new(seed, now),
            attempts: BTreeMap::new(),
            next: 0,
            free: 0,
            prefixes: BTreeMap::new(),
            forged: Forged {
                since: now,
                count: 0,
                cookies_until: None,
                prefixes: BTreeMap::new(),
                shunned: BTreeMap::new(),
            },
        }
    }

    /// Decides on the first packet of an attempt that is not known, before anything is derived.
    pub(super) fn judge(
        &mut self,
        now: Time,
        config: &NodeConfig,
        from: SocketAddr,
        header: &LongHeader,
    ) -> Verdict {
        self.expire(now);
        let LongHeader { sender, recipient, cookie, .. } = header;
        let prefix = Prefix::of(from.ip());
        let count = self.prefixes.get(&prefix).copied().unwrap_or_default();
        if self.attempts.len() >= config.half_open_max || count.all >= HALF_OPEN_PREFIX_MAX {
            return Verdict::Drop;
        }
        let is_proven = !cookie.is_empty()
            && self.cookies.check(now, from, *sender, *recipient, cookie.as_slice());
        if is_proven {
            let is_shunned = self.forged.shunned.contains_key(&prefix);
            return if is_shunned { Verdict::Drop } else { Verdict::Admit { is_proven } };
        }
        let needs_cookie = config.always_cookie
            || self.free >= config.half_open_free_max
            || count.free >= HALF_OPEN_PREFIX_FREE_MAX
            || self.forged.cookies_until.is_some();
        if needs_cookie {
            return Verdict::Ask(self.make_cookie(now, from, *sender, *recipient));
        }
        Verdict::Admit { is_proven }
    }

    /// Counts an attempt that was admitted and is half-open now; returns its number here.
    pub(super) fn begin(
        &mut self,
        now: Time,
        config: &NodeConfig,
        from: SocketAddr,
        is_proven: bool,
    ) -> u64 {
        let prefix = Prefix::of(from.ip());
        let number = self.next;
        self.next += 1;
        let until = now + config.attempt_timeout;
        self.attempts.insert(number, HalfOpen { prefix, is_proven, until });
        let count = self.prefixes.entry(prefix).or_default();
        count.all += 1;
        if !is_proven {
            count.free += 1;
            self.free += 1;
        }
        number
    }

    /// An attempt was confirmed: it does not count any more.
    pub(super) fn confirm(&mut self, number: u64) {
        if let Some(attempt) = self.attempts.remove(&number) {
            self.uncount(&attempt);
        }
    }

    /// Counts a first packet that was admitted and did not open.
    pub(super) fn note_forged(&mut self, now: Time, from: SocketAddr, is_proven: bool) {
        let forged = &mut self.forged;
        if now.since(forged.since) >= SECOND {
            forged.since = now;
            forged.count = 0;
            forged.prefixes.clear();
        }
        forged.count += 1;
        if forged.count >= BAD_INITIALS_MAX {
            forged.cookies_until = Some(now + BAD_INITIALS_PENALTY);
        }
        let prefix = Prefix::of(from.ip());
        let has_room = forged.prefixes.len() < PREFIXES_MAX;
        if !is_proven || !has_room && !forged.prefixes.contains_key(&prefix) {
            return;
        }
        let count = forged.prefixes.entry(prefix).or_default();
        *count += 1;
        if *count >= BAD_INITIALS_PREFIX_MAX && forged.shunned.len() < PREFIXES_MAX {
            forged.shunned.insert(prefix, now + BAD_INITIALS_PENALTY);
        }
    }

    /// How many attempts count as half-open.
    pub(super) fn half_open(&self) -> usize {
        self.attempts.len()
    }

    fn make_cookie(
        &mut self,
        now: Time,
        from: SocketAddr,
        sender: AttemptId,
        recipient: AttemptId,
    ) -> Cookie {
        let bytes = self.cookies.make(now, from, sender, recipient);
        Cookie::new(&bytes).expect("our cookies have an allowed length")
    }

    /// Lets go what has counted long enough.
    fn expire(&mut self, now: Time) {
        while let Some(first) = self.attempts.first_entry()
            && first.get().until <= now
        {
            let attempt = first.remove();
            self.uncount(&attempt);
        }
        let forged = &mut self.forged;
        if forged.cookies_until.is_some_and(|until| until <= now) {
            forged.cookies_until = None;
        }
        if !forged.shunned.is_empty() {
            forged.shunned.retain(|_, until| now < *until);
        }
    }

    fn uncount(&mut self, attempt: &HalfOpen) {
        if !attempt.is_proven {
            self.free -= 1;
        }
        let Some(count) = self.prefixes.get_mut(&attempt.prefix) else { return };
        count.all -= 1;
        count.free -= u32::from(!attempt.is_proven);
        if count.all == 0 {
            self.prefixes.remove(&attempt.prefix);
        }
    }
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admission").field("half_open", &self.half_open()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
