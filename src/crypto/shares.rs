//! Key exchange with shares that were made ahead, while somebody waited for a peer anyway.
//!
//! Making a share takes a tenth of what a side does for a handshake, and nothing of it depends on
//! the peer. Each share is used once. Processes keep a few of each kind, erased when dropped.

// The attribute is off in tests, where the lint is as well.
#![cfg_attr(
    not(test),
    expect(
        clippy::disallowed_types,
        reason = "rustls wants groups that threads may share; nobody holds the lock for long"
    )
)]

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::crypto::aws_lc_rs::kx_group;
use rustls::crypto::{ActiveKeyExchange, CompletedKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};

/// X25519.
pub(super) static X25519: Ahead = Ahead::new(|| kx_group::X25519);

/// X25519MLKEM768.
pub(super) static X25519MLKEM768: Hybrid = Hybrid(Ahead::new(|| kx_group::X25519MLKEM768));

/// Makes a share of each group of which one was taken since the last call. To be called now and
/// then, by somebody who has to wait for a peer.
pub(crate) fn make_ahead() {
    X25519MLKEM768.0.make();
    X25519.make();
}

/// Shares of one group that are kept at most.
const SHARES_MAX: usize = 4;

/// A group of the provider's, with shares made ahead.
pub(super) struct Ahead {
    group: fn() -> &'static dyn SupportedKxGroup,
    ready: Mutex<Vec<Box<dyn ActiveKeyExchange>>>,
    /// How many were taken since the last was made.
    taken: AtomicUsize,
}

impl Ahead {
    const fn new(group: fn() -> &'static dyn SupportedKxGroup) -> Ahead {
        Ahead { group, ready: Mutex::new(Vec::new()), taken: AtomicUsize::new(0) }
    }

    /// Makes one, if one was taken and there is room.
    fn make(&self) {
        if self.taken.swap(0, Ordering::Relaxed) == 0 || self.ready().len() >= SHARES_MAX {
            return;
        }
        // Without the lock. Two threads at once may make one too many, which does no harm. A
        // failure shows when a handshake needs a share.
        if let Ok(share) = (self.group)().start() {
            self.ready().push(share);
        }
    }

    fn ready(&self) -> MutexGuard<'_, Vec<Box<dyn ActiveKeyExchange>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SupportedKxGroup for Ahead {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        self.taken.fetch_add(1, Ordering::Relaxed);
        let ready = self.ready().pop();
        ready.map_or_else(|| (self.group)().start(), Ok)
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        (self.group)().name()
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        (self.group)().usable_for_version(version)
    }
}

impl fmt::Debug for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ahead").field(&self.name()).finish()
    }
}

/// X25519MLKEM768, of which a responder cannot make its whole share ahead: the half that can be is
/// X25519's.
#[derive(Debug)]
pub(super) struct Hybrid(Ahead);

impl SupportedKxGroup for Hybrid {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        self.0.start()
    }

    /// As the provider does it: ML-KEM comes first in shares and in the secret.
    fn start_and_complete(&self, share: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (post_quantum, classical) = share
            .split_last_chunk::<X25519_SIZE>()
            .ok_or(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare))?;
        let ours = X25519.start()?;
        let our_share = ours.pub_key().to_vec();
        let secret = ours.complete(classical)?;
        let kem = kx_group::MLKEM768.start_and_complete(post_quantum)?;
        let secrets = [kem.secret.secret_bytes(), secret.secret_bytes()].concat();
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: [kem.pub_key, our_share].concat(),
            secret: SharedSecret::from(secrets),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        self.0.name()
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        self.0.usable_for_version(version)
    }
}

/// Bytes of a share of X25519.
const X25519_SIZE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_was_made_ahead_is_given_out_once() {
        let group = Ahead::new(|| kx_group::X25519);
        group.make();
        assert_eq!(group.ready().len(), 0, "nobody wanted one");
        let mut shares = vec![group.start().expect("randomness").pub_key().to_vec()];
        for _ in 0..3 {
            group.make();
            assert_eq!(group.ready().len(), 1);
            let ahead = group.ready()[0].pub_key().to_vec();
            shares.push(group.start().expect("it is there").pub_key().to_vec());
            assert_eq!(shares.last(), Some(&ahead));
            assert_eq!(group.ready().len(), 0);
        }
        shares.sort();
        shares.dedup();
        assert_eq!(shares.len(), 4, "all are different");
    }

    #[test]
    fn no_more_are_kept_than_allowed() {
        let group = Ahead::new(|| kx_group::X25519);
        for _ in 0..3 * SHARES_MAX {
            group.taken.store(1, Ordering::Relaxed);
            group.make();
        }
        assert_eq!(group.ready().len(), SHARES_MAX);
    }

    #[test]
    fn both_groups_agree_with_the_providers_own_in_either_role() {
        let ours: [&dyn SupportedKxGroup; 2] = [&X25519, &X25519MLKEM768];
        for (ours, theirs) in ours.into_iter().zip([kx_group::X25519, kx_group::X25519MLKEM768]) {
            assert_eq!(ours.name(), theirs.name());
            for (initiator, responder) in [(ours, theirs), (theirs, ours), (ours, ours)] {
                make_ahead();
                let offer = initiator.start().expect("randomness");
                let answer = responder.start_and_complete(offer.pub_key()).expect("a good share");
                assert_eq!(answer.group, ours.name());
                let secret = offer.complete(&answer.pub_key).expect("a good share");
                assert_eq!(secret.secret_bytes(), answer.secret.secret_bytes());
            }
        }
    }

    #[test]
    fn shares_of_a_wrong_size_are_refused() {
        let offer = kx_group::X25519MLKEM768.start().expect("randomness").pub_key().to_vec();
        let longer = [&offer[..], &[0]].concat();
        for share in [&offer[..0], &offer[..31], &offer[..offer.len() - 1], &longer] {
            let error = X25519MLKEM768.start_and_complete(share).err().expect("a wrong size");
            assert_eq!(error, Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare));
        }
    }
}
