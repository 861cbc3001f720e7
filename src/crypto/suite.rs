//! The two cipher suites, and the key schedule of connections and channels over their HKDF.

use aws_lc_rs::aead::quic::{self, HeaderProtectionKey};
use rustls::CipherSuite;
use rustls::SupportedCipherSuite;
use rustls::Tls13CipherSuite;
use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock};
use rustls::quic::{Algorithm, PacketKey};
use zeroize::Zeroizing;

use super::{TAG_SIZE, hkdf};
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
        SupportedCipherSuite::Tls13(self.tls13())
    }

    pub(super) fn from_tls(suite: CipherSuite) -> Option<Suite> {
        Suite::ALL.into_iter().find(|known| known.supported().suite() == suite)
    }

    fn tls13(self) -> &'static Tls13CipherSuite {
        match self {
            Suite::Aes256Gcm => &hkdf::AES_256_GCM,
            Suite::ChaCha20Poly1305 => &hkdf::CHACHA20_POLY1305,
        }
    }

    fn hkdf(self) -> &'static dyn Hkdf {
        match self {
            Suite::Aes256Gcm => &hkdf::HKDF_SHA384,
            Suite::ChaCha20Poly1305 => &hkdf::HKDF_SHA256,
        }
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
            Secret::new(suite, bytes)
        };
        Secrets { suite, initiator: secret(initiator), responder: secret(responder) }
    }

    /// The suite that the handshake agreed on.
    pub fn suite(&self) -> Suite {
        self.suite
    }
}

/// One secret of the chain: `secret_d[n]`. Erased when dropped.
pub(super) struct Secret {
    suite: Suite,
    /// The first `suite.hash_size()` bytes count.
    bytes: Zeroizing<[u8; Secret::SIZE_MAX]>,
}

impl Secret {
    const SIZE_MAX: usize = 48;

    /// `bytes` are as many as the hash of `suite` has.
    pub(super) fn new(suite: Suite, bytes: &[u8]) -> Secret {
        let mut copy = Zeroizing::new([0; Secret::SIZE_MAX]);
        copy[..bytes.len()].copy_from_slice(bytes);
        Secret { suite, bytes: copy }
    }

    /// `secret_d[n + 1]`.
    // spec: 6.2 connection secrets
    pub(super) fn next(&self) -> Secret {
        let mut bytes = Zeroizing::new([0; Secret::SIZE_MAX]);
        expand(&*self.expander(), b"ku", b"", &mut bytes[..self.suite.hash_size()]);
        Secret { suite: self.suite, bytes }
    }

    /// The key of one channel in this secret's epoch and direction.
    // spec: 6.3 channel keys
    pub(super) fn channel_key(&self, channel: ChannelNumber) -> Box<dyn PacketKey> {
        let mut key = Zeroizing::new([0; 32]);
        let mut iv = [0; 12];
        let context = channel.0.to_be_bytes();
        let expander = self.expander();
        expand(&*expander, b"key", &context, &mut *key);
        expand(&*expander, b"iv", &context, &mut iv);
        self.suite.algorithm().packet_key(AeadKey::from(*key), Iv::from(iv))
    }

    /// The keys that mask packet numbers and channel ids, from the first secret of a direction.
    // spec: 6.4 header keys
    fn header_keys(&self) -> Zeroizing<[[u8; 32]; 2]> {
        let mut bytes = Zeroizing::new([[0; 32]; 2]);
        let expander = self.expander();
        expand(&*expander, b"hn", b"", &mut bytes[0]);
        expand(&*expander, b"hc", b"", &mut bytes[1]);
        bytes
    }

    /// Preparing it costs as much as an output or two.
    fn expander(&self) -> Box<dyn HkdfExpander> {
        self.suite.hkdf().expander_for_okm(&OkmBlock::new(self.as_bytes()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.suite.hash_size()]
    }
}

/// HKDF-Expand-Label of RFC 8446 7.1.
fn expand(expander: &dyn HkdfExpander, label: &[u8], context: &[u8], output: &mut [u8]) {
    const PREFIX: &[u8] = b"tls13 ";
    let info: [&[u8]; 6] = [
        &(output.len() as u16).to_be_bytes(),
        &[(PREFIX.len() + label.len()) as u8],
        PREFIX,
        label,
        &[context.len() as u8],
        context,
    ];
    expander.expand_slice(&info, output).expect("no output of ours is longer than 255 hashes");
}

/// What masks the headers of one direction. Ready for use it takes 1 KiB, so an idle connection
/// keeps the bytes only.
pub(super) struct HeaderKeys {
    suite: Suite,
    /// Derived when they are first needed.
    bytes: Option<Zeroizing<[[u8; 32]; 2]>>,
    masks: Option<Box<Masks>>,
}

/// Header keys, ready for use. The provider's own, since each packet asks both of them: rustls
/// would do the rest that a mask takes once for each, and slowly.
pub(super) struct Masks {
    number: HeaderProtectionKey,
    channel: HeaderProtectionKey,
}

/// What masks one header.
// spec: 5.3 masks
pub(super) struct Mask {
    pub(super) first: u8,
    pub(super) number: u32,
    pub(super) channel: u32,
}

impl HeaderKeys {
    pub(super) fn new(suite: Suite) -> HeaderKeys {
        HeaderKeys { suite, bytes: None, masks: None }
    }

    /// Makes them independent of the secret, before that goes.
    pub(super) fn derive(&mut self, first: &Secret) -> &[[u8; 32]; 2] {
        self.bytes.get_or_insert_with(|| first.header_keys())
    }

    /// `first` is the first secret of the direction, of which they come; after `derive` any.
    #[inline]
    pub(super) fn masks(&mut self, first: &Secret) -> &Masks {
        if self.masks.is_none() {
            let algorithm = match self.suite {
                Suite::Aes256Gcm => &quic::AES_256,
                Suite::ChaCha20Poly1305 => &quic::CHACHA20,
            };
            let [number, channel] = self.derive(first).each_ref().map(|key| {
                HeaderProtectionKey::new(algorithm, key).expect("32 bytes are a key of both")
            });
            self.masks = Some(Box::new(Masks { number, channel }));
        }
        self.masks.as_ref().expect("they were just made")
    }

    /// Keeps the bytes only.
    pub(super) fn shrink(&mut self) {
        self.masks = None;
    }
}

impl Masks {
    /// The mask that these bytes of a packet make.
    #[inline]
    pub(super) fn of(&self, sample: &[u8; TAG_SIZE]) -> Mask {
        let bytes = |key: &HeaderProtectionKey| {
            key.new_mask(sample).expect("16 bytes are a sample of both ciphers")
        };
        let ([first, a, b, c, d], [_, e, f, g, h]) = (bytes(&self.number), bytes(&self.channel));
        let [number, channel] = [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes);
        Mask { first: first & FIRST_BITS, number, channel }
    }
}

/// The bits of the first byte that are masked.
const FIRST_BITS: u8 = 0x0f;
