//! Stateless resets: what a node that lost a connection says, as rarely as it must.
// spec: 14.6 stateless reset: sending

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;

use super::admission::Prefix;
use super::reply::Reply;
use crate::config::{RESETS_MAX, RESETS_PREFIX_MAX};
use crate::crypto::ResetKey;
use crate::id::Token;
use crate::io::Local;
use crate::time::Time;
use crate::wire::short;

/// How many resets were sent in this second. At most `RESETS_MAX` prefixes are remembered, as each
/// has one.
#[derive(Debug)]
pub(super) struct Resets {
    since: Time,
    count: u32,
    prefixes: BTreeMap<Prefix, u32>,
}

impl Resets {
    pub(super) fn new(now: Time) -> Resets {
        Resets { since: now, count: 0, prefixes: BTreeMap::new() }
    }

    /// The answer to a short packet of `size` bytes whose token is none of ours; none when there
    /// were too many, or the packet is so small that it may be one itself.
    pub(super) fn answer(
        &mut self,
        now: Time,
        key: &ResetKey,
        rng: &mut ChaCha12Rng,
        to: (SocketAddr, Local),
        token: Token,
        size: usize,
    ) -> Option<Reply> {
        if size <= short::SIZE_MIN || !self.may_send(now, to.0) {
            return None;
        }
        // Shorter than its cause, so that two nodes cannot answer each other for ever.
        let len = (size - 1).min(short::SIZE_MIN + (rng.next_u32() % 32) as usize);
        let mut reply = Reply::new(to.0, to.1, len);
        let bytes = reply.bytes_mut();
        rng.fill_bytes(bytes);
        bytes[0] =
            bytes[0] & !(short::Flags::FORM_MASK | short::Flags::RESERVED) | short::Flags::FORM;
        bytes[len - ResetKey::VALUE_SIZE..].copy_from_slice(&key.value(token));
        Some(reply)
    }

    fn may_send(&mut self, now: Time, to: SocketAddr) -> bool {
        if now.since(self.since) >= Duration::from_secs(1) {
            self.since = now;
            self.count = 0;
            self.prefixes.clear();
        }
        if self.count >= RESETS_MAX {
            return false;
        }
        let of_prefix = self.prefixes.entry(Prefix::of(to.ip())).or_default();
        if *of_prefix >= RESETS_PREFIX_MAX {
            return false;
        }
        *of_prefix += 1;
        self.count += 1;
        true
    }
}

#[cfg(test)]
mod tests;
