//! HKDF for all that TLS and we derive, and the cipher suites with it.
//!
//! The provider's own prepares the key anew for each output, and for outputs of an extracted
//! secret repeats the extraction too. TLS and chapter 6 want several outputs of each secret. This
//! is rustls's HKDF over the provider's HMAC, whose key is prepared once.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use rustls::crypto::aws_lc_rs::cipher_suite;
use rustls::crypto::hmac::{Hmac, Key, Tag};
use rustls::crypto::tls13::{Hkdf, HkdfUsingHmac};
use rustls::{CipherSuiteCommon, SupportedCipherSuite, Tls13CipherSuite};

use super::lean::{LeanHkdf, NoRecords};

/// `TLS_AES_128_GCM_SHA256`, for level 0.
pub(super) static AES_128_GCM: LazyLock<Tls13CipherSuite> =
    LazyLock::new(|| with_hkdf(cipher_suite::TLS13_AES_128_GCM_SHA256, &HKDF_SHA256));

/// `TLS_AES_256_GCM_SHA384`, for handshakes.
pub(super) static AES_256_GCM: LazyLock<Tls13CipherSuite> =
    LazyLock::new(|| with_hkdf(cipher_suite::TLS13_AES_256_GCM_SHA384, &LEAN_SHA384));

/// `TLS_CHACHA20_POLY1305_SHA256`, for handshakes.
pub(super) static CHACHA20_POLY1305: LazyLock<Tls13CipherSuite> =
    LazyLock::new(|| with_hkdf(cipher_suite::TLS13_CHACHA20_POLY1305_SHA256, &LEAN_SHA256));

/// HKDF over SHA-256.
pub(super) static HKDF_SHA256: HkdfUsingHmac<'static> = HkdfUsingHmac(&Hash(hmac::HMAC_SHA256));

/// HKDF over SHA-384.
pub(super) static HKDF_SHA384: HkdfUsingHmac<'static> = HkdfUsingHmac(&Hash(hmac::HMAC_SHA384));

static LEAN_SHA256: &LeanHkdf = &LeanHkdf::new(&HKDF_SHA256, 32);
static LEAN_SHA384: &LeanHkdf = &LeanHkdf::new(&HKDF_SHA384, 48);

/// The provider's suite, but for its HKDF, and without records.
fn with_hkdf(suite: SupportedCipherSuite, hkdf: &'static dyn Hkdf) -> Tls13CipherSuite {
    let suite = suite.tls13().expect("the suites are of TLS 1.3");
    Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: suite.common.suite,
            hash_provider: suite.common.hash_provider,
            confidentiality_limit: suite.common.confidentiality_limit,
        },
        hkdf_provider: hkdf,
        aead_alg: &NoRecords,
        quic: suite.quic,
    }
}

/// HMAC over one hash function.
struct Hash(hmac::Algorithm);

impl Hmac for Hash {
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        Box::new(Prepared(hmac::Key::new(self.0, key)))
    }

    fn hash_output_len(&self) -> usize {
        self.0.tag_len()
    }
}

/// A key that went through the hash function already. Erased when dropped.
struct Prepared(hmac::Key);

impl Key for Prepared {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(first);
        middle.iter().for_each(|part| context.update(part));
        context.update(last);
        Tag::new(context.sign().as_ref())
    }

    fn tag_len(&self) -> usize {
        self.0.algorithm().tag_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that repeat only after 251.
    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn it_agrees_with_the_providers_own() {
        let suites = [
            (cipher_suite::TLS13_AES_128_GCM_SHA256, &HKDF_SHA256),
            (cipher_suite::TLS13_AES_256_GCM_SHA384, &HKDF_SHA384),
        ];
        let (salt, secret, info) = (bytes(48), bytes(64), [&bytes(7)[..], &bytes(100)]);
        for (theirs, ours) in suites {
            let theirs = theirs.tls13().expect("of TLS 1.3").hkdf_provider;
            let outputs = [theirs, ours as &dyn Hkdf].map(|hkdf| {
                let mut outputs = Vec::new();
                for salt in [None, Some(&salt[..])] {
                    for expander in
                        [hkdf.extract_from_secret(salt, &secret), hkdf.extract_from_zero_ikm(salt)]
                    {
                        let mut long = vec![0; 200];
                        expander.expand_slice(&info, &mut long).expect("it is short enough");
                        outputs.push(long);
                        let block = expander.expand_block(&info);
                        let again = hkdf.expander_for_okm(&block).expand_block(&[]);
                        outputs.extend([block.as_ref().to_vec(), again.as_ref().to_vec()]);
                        outputs.push(hkdf.hmac_sign(&block, &secret).as_ref().to_vec());
                    }
                }
                outputs
            });
            assert_eq!(outputs[0], outputs[1]);
        }
    }
}
