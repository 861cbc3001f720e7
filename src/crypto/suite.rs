//! The two cipher suites, and the key schedule of connections and channels over their HKDF.

use rustls::CipherSuite;
use rustls::SupportedCipherSuite;
use rustls::Tls13CipherSuite;
use rustls::crypto::aws_lc_rs::cipher_suite;
use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::crypto::tls13::OkmBlock;
use rustls::quic::{Algorithm, HeaderProtectionKey, PacketKey};
use zeroize::Zeroizing;

use crate::id::ChannelNumber;

/// A cipher suite that a connection may use.
// spec: 3.3 TLS profile
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// `TLS_AES_256_GCM_SHA384`.
    Aes256Gcm,
    /// `TLS_CHACHA20_POLY1305_SHA256`.
    ChaCha20Poly1305,
}

impl Suite {
    /// Both, in the order in which they are offered.
    pub const ALL: [Suite; 2] = [Suite::Aes256Gcm, Suite::ChaCha20Poly1305];

    /// Bytes in a secret of this suite.
    pub const fn hash_size(self) -> usize {
        match self {
            Suite::Aes256Gcm => 48,
            Suite::ChaCha20Poly1305 => 32,
        }
    }

    /// How many packets may fail to open in one connection.
    // spec: 6.8 limits of keys
    pub const fn forgeries_max(self) -> u64 {
        match self {
            Suite::Aes256Gcm => 1 << 52,
            Suite::ChaCha20Poly1305 => 1 << 36,
        }
    }

    pub(super) fn supported(self) -> SupportedCipherSuite {
        match self {
            Suite::Aes256Gcm => cipher_suite::TLS13_AES_256_GCM_SHA384,
            Suite::ChaCha20Poly1305 => cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        }
    }

    pub(super) fn from_tls(suite: CipherSuite) -> Option<Suite> {
        Suite::ALL.into_iter().find(|known| known.supported().suite() == suite)
    }

    fn tls13(self) -> &'static Tls13CipherSuite {
        self.supported().tls13().expect("both suites are of TLS 1.3")
    }

    fn algorithm(self) -> &'static dyn Algorithm {
        self.tls13().quic.expect("the provider gives both suites packet keys")
    }
}

/// Where a connection's keys begin: one secret for each direction, named by its sender.
///
/// Erased when dropped.
// spec: 6.2 connection secrets
pub struct Secrets {
    pub(super) suite: Suite,
    pub(super) initiator: Secret,
    pub(super) responder: Secret,
}

impl Secrets {
    /// Secrets of known bytes; a handshake gives them by `Session::secrets`.
    ///
    /// # Panics
    /// When they are not of `suite.hash_size()` bytes.
    pub fn from_bytes(suite: Suite, initiator: &[u8], responder: &[u8]) -> Secrets {
        let secret = |bytes: &[u8]| {
            assert_eq!(bytes.len(), suite.hash_size(), "a secret is as long as the suite's hash");
            Secret::new(bytes)
        };
        Secrets { suite, initiator: secret(initiator), responder: secret(responder) }
    }

    /// The suite that the handshake agreed on.
    pub fn suite(&self) -> Suite {
        self.suite
    }
}

/// One secret of the chain: `secret_d[n]`. Erased when dropped.
pub(super) struct Secret(OkmBlock);

impl Secret {
    pub(super) fn new(bytes: &[u8]) -> Secret {
        Secret(OkmBlock::new(bytes))
    }

    /// `secret_d[n + 1]`.
    pub(super) fn next(&self, suite: Suite) -> Secret {
        let mut next = Zeroizing::new([0; OkmBlock::MAX_LEN]);
        let next = &mut next[..suite.hash_size()];
        self.expand(suite, b"ku", b"", next);
        Secret::new(next)
    }

    /// The key of one channel in this secret's epoch and direction.
    // spec: 6.3 channel keys
    pub(super) fn channel_key(&self, suite: Suite, channel: ChannelNumber) -> Box<dyn PacketKey> {
        let mut key = Zeroizing::new([0; 32]);
        let mut iv = [0; 12];
        let context = channel.0.to_be_bytes();
        self.expand(suite, b"key", &context, &mut *key);
        self.expand(suite, b"iv", &context, &mut iv);
        suite.algorithm().packet_key(AeadKey::from(*key), Iv::from(iv))
    }

    /// The keys that mask packet numbers and channel ids, from the first secret of a direction.
    // spec: 6.4 header keys
    pub(super) fn header_keys(&self, suite: Suite) -> HeaderKeys {
        let mut number = Zeroizing::new([0; 32]);
        let mut channel = Zeroizing::new([0; 32]);
        self.expand(suite, b"hn", b"", &mut *number);
        self.expand(suite, b"hc", b"", &mut *channel);
        let algorithm = suite.algorithm();
        HeaderKeys {
            number: algorithm.header_protection_key(AeadKey::from(*number)),
            channel: algorithm.header_protection_key(AeadKey::from(*channel)),
        }
    }

    /// HKDF-Expand-Label of RFC 8446 7.1.
    fn expand(&self, suite: Suite, label: &[u8], context: &[u8], output: &mut [u8]) {
        const PREFIX: &[u8] = b"tls13 ";
        let info: [&[u8]; 6] = [
            &(output.len() as u16).to_be_bytes(),
            &[(PREFIX.len() + label.len()) as u8],
            PREFIX,
            label,
            &[context.len() as u8],
            context,
        ];
        suite
            .tls13()
            .hkdf_provider
            .expander_for_okm(&self.0)
            .expand_slice(&info, output)
            .expect("no output of ours is longer than 255 hashes");
    }

    #[cfg(test)]
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_ref()
    }
}

/// What masks the headers of one direction.
pub(super) struct HeaderKeys {
    pub(super) number: Box<dyn HeaderProtectionKey>,
    pub(super) channel: Box<dyn HeaderProtectionKey>,
}
