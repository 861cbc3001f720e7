//! Values by which a node that lost a connection can end it.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use super::Identity;
use crate::id::Token;

/// The key from which a node computes the reset value of each token that it gives out, so that it
/// can do so again after it restarted.
// spec: 14.6 stateless reset: sending
pub struct ResetKey {
    key: hmac::Key,
}

impl ResetKey {
    /// Bytes in a reset value.
    pub const VALUE_SIZE: usize = 16;

    /// The key of `identity`. `instance` is empty, unless the same identity runs in two processes
    /// at once: then it must differ between them, or each could be made to reset the other's
    /// connections.
    pub fn new(identity: &Identity, instance: &[u8]) -> ResetKey {
        // HKDF-Extract of RFC 5869 is this HMAC.
        let salt = [b"channeler v1 reset", instance].concat();
        let extracted = hmac::sign(&hmac::Key::new(HMAC_SHA256, &salt), identity.seed());
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(extracted.as_ref());
        ResetKey { key: hmac::Key::new(HMAC_SHA256, &*bytes) }
    }

    /// The reset value of a token of this node.
    pub fn value(&self, token: Token) -> [u8; ResetKey::VALUE_SIZE] {
        let tag = hmac::sign(&self.key, &token.0);
        let mut value = [0; ResetKey::VALUE_SIZE];
        value.copy_from_slice(&tag.as_ref()[..ResetKey::VALUE_SIZE]);
        value
    }
}
