//! Cookies: proof that an initiator receives at the address it sends from, without any state.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use super::equal;
use crate::id::AttemptId;
use crate::time::Time;

/// Bytes in a cookie of ours.
pub const COOKIE_SIZE: usize = 20;

/// Makes and checks cookies. The key changes every ten minutes, and the one before still counts.
// spec: 7.9 cookies
pub struct CookieKeys {
    /// From which the next key comes, one way only.
    seed: Zeroizing<[u8; 32]>,
    current: hmac::Key,
    last: Option<hmac::Key>,
    changed_at: Time,
}

impl CookieKeys {
    /// How long a cookie is good.
    pub const LIFETIME: Duration = Duration::from_secs(10);
    /// How long a key makes cookies.
    pub const KEY_LIFETIME: Duration = Duration::from_secs(600);

    /// `seed` must be random and of this process only.
    pub fn new(seed: [u8; 32], now: Time) -> CookieKeys {
        let mut seed = Zeroizing::new(seed);
        let current = next_key(&mut seed);
        CookieKeys { seed, current, last: None, changed_at: now }
    }

    /// A cookie for the first flight of `sender` to `recipient` that came from `address`.
    pub fn make(
        &mut self,
        now: Time,
        address: SocketAddr,
        sender: AttemptId,
        recipient: AttemptId,
    ) -> [u8; COOKIE_SIZE] {
        self.rotate(now);
        let seconds = seconds(now);
        cookie(&self.current, seconds, address, sender, recipient)
    }

    /// Whether `bytes` is a cookie that was made for these, at most ten seconds ago.
    pub fn check(
        &mut self,
        now: Time,
        address: SocketAddr,
        sender: AttemptId,
        recipient: AttemptId,
        bytes: &[u8],
    ) -> bool {
        self.rotate(now);
        let Some(made) = bytes.first_chunk().map(|made| u32::from_be_bytes(*made)) else {
            return false;
        };
        let age = seconds(now).checked_sub(made);
        let is_timely =
            age.is_some_and(|age| Duration::from_secs(age.into()) <= CookieKeys::LIFETIME);
        is_timely
            && [Some(&self.current), self.last.as_ref()]
                .into_iter()
                .flatten()
                .any(|key| equal(&cookie(key, made, address, sender, recipient), bytes))
    }

    fn rotate(&mut self, now: Time) {
        let age = now.since(self.changed_at);
        if age < CookieKeys::KEY_LIFETIME {
            return;
        }
        let next = next_key(&mut self.seed);
        let last = std::mem::replace(&mut self.current, next);
        // After a long sleep the last key is too old as well.
        self.last = (age < 2 * CookieKeys::KEY_LIFETIME).then_some(last);
        self.changed_at = now;
    }
}

fn next_key(seed: &mut [u8; 32]) -> hmac::Key {
    let chain = hmac::Key::new(HMAC_SHA256, &*seed);
    let key = hmac::sign(&chain, b"cookie key");
    seed.copy_from_slice(hmac::sign(&chain, b"next").as_ref());
    hmac::Key::new(HMAC_SHA256, key.as_ref())
}

fn cookie(
    key: &hmac::Key,
    seconds: u32,
    address: SocketAddr,
    sender: AttemptId,
    recipient: AttemptId,
) -> [u8; COOKIE_SIZE] {
    let (family, ip) = match address.ip() {
        IpAddr::V4(ip) => (4, ip.to_ipv6_mapped()),
        IpAddr::V6(ip) => (6, ip),
    };
    let mut input = [0; 4 + 1 + 16 + 2 + 2 * AttemptId::SIZE];
    input[..4].copy_from_slice(&seconds.to_be_bytes());
    input[4] = family;
    input[5..21].copy_from_slice(&ip.octets());
    input[21..23].copy_from_slice(&address.port().to_be_bytes());
    input[23..39].copy_from_slice(&sender.0);
    input[39..].copy_from_slice(&recipient.0);
    let tag = hmac::sign(key, &input);
    let mut cookie = [0; COOKIE_SIZE];
    cookie[..4].copy_from_slice(&seconds.to_be_bytes());
    cookie[4..].copy_from_slice(&tag.as_ref()[..COOKIE_SIZE - 4]);
    cookie
}

/// Since the origin of our clock: a cookie is read by its maker only.
fn seconds(now: Time) -> u32 {
    (now.as_nanos() / 1_000_000_000) as u32
}
