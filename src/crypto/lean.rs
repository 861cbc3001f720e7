//! What rustls derives keys with, less what a handshake without records never uses.
//!
//! Of each traffic secret rustls makes the keys of a record layer, and of a complete handshake the
//! application traffic secrets and QUIC's keys from them, whether anybody wants them or not: a
//! third of its key schedule. Here are neither records nor QUIC's short packets (3.3, 6.2): so none
//! of these is computed, and what stands in their place is never a key of anything.

use std::sync::OnceLock;

use rustls::Error;
use rustls::crypto::ActiveKeyExchange;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    OutboundOpaqueMessage, OutboundPlainMessage, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::hmac::Tag;
use rustls::crypto::tls13::{Hkdf, HkdfExpander, HkdfUsingHmac, OkmBlock, OutputLengthError};
use rustls::{ConnectionTrafficSecrets, version::TLS13};

/// HKDF for TLS: another one, but for outputs that nobody uses.
///
/// The application traffic secrets are empty, as no real secret is, and so is what follows from
/// them. Keys of records are zeros, which [`NoRecords`] does not even look at.
pub(super) struct LeanHkdf {
    plain: &'static HkdfUsingHmac<'static>,
    hash_len: usize,
}

impl Hkdf for &'static LeanHkdf {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        self.of(self.plain.extract_from_zero_ikm(salt))
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        self.of(self.plain.extract_from_secret(salt, secret))
    }

    fn extract_from_kx_shared_secret(
        &self,
        salt: Option<&[u8]>,
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
    ) -> Result<Box<dyn HkdfExpander>, Error> {
        let secret = kx.complete_for_tls_version(peer_pub_key, &TLS13)?;
        Ok(self.extract_from_secret(salt, secret.secret_bytes()))
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        Box::new(Expander { hkdf: self, secret: okm.clone(), plain: OnceLock::new() })
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        self.plain.hmac_sign(key, message)
    }
}

impl LeanHkdf {
    /// Less than `plain`, whose hash has `hash_len` bytes.
    pub(super) const fn new(plain: &'static HkdfUsingHmac<'static>, hash_len: usize) -> LeanHkdf {
        LeanHkdf { plain, hash_len }
    }

    fn of(&'static self, plain: Box<dyn HkdfExpander>) -> Box<dyn HkdfExpander> {
        let secret = OkmBlock::new(&[]);
        Box::new(Expander { hkdf: self, secret, plain: OnceLock::from(plain) })
    }
}

/// Outputs of one secret.
struct Expander {
    hkdf: &'static LeanHkdf,
    /// Empty if it is one that nobody uses, or has been made ready already.
    secret: OkmBlock,
    /// Made with the first output that is used: it costs as much as one.
    plain: OnceLock<Box<dyn HkdfExpander>>,
}

impl Expander {
    /// None when the secret is one that nobody uses.
    fn plain(&self) -> Option<&dyn HkdfExpander> {
        if self.secret.as_ref().is_empty() {
            return self.plain.get().map(|plain| &**plain);
        }
        Some(&**self.plain.get_or_init(|| self.hkdf.plain.expander_for_okm(&self.secret)))
    }
}

impl HkdfExpander for Expander {
    fn expand_slice(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        if !matches!(label(info), Some(b"key" | b"iv"))
            && let Some(plain) = self.plain()
        {
            return plain.expand_slice(info, output);
        }
        output.fill(0);
        Ok(())
    }

    fn expand_block(&self, info: &[&[u8]]) -> OkmBlock {
        if !matches!(label(info), Some(b"c ap traffic" | b"s ap traffic"))
            && let Some(plain) = self.plain()
        {
            return plain.expand_block(info);
        }
        OkmBlock::new(&[])
    }

    fn hash_len(&self) -> usize {
        self.hkdf.hash_len
    }
}

/// The label in the info of HKDF-Expand-Label, as rustls cuts it to pieces. Were it cut in another
/// way, everything would be derived.
fn label<'a>(info: &[&'a [u8]]) -> Option<&'a [u8]> {
    match info {
        [_length, _label_length, b"tls13 ", label, _context_length, _context] => Some(label),
        _ => None,
    }
}

/// The record layer of a handshake that has none: it has no keys, and takes no records.
pub(super) struct NoRecords;

impl Tls13AeadAlgorithm for NoRecords {
    fn encrypter(&self, _: AeadKey, _: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(NoRecords)
    }

    fn decrypter(&self, _: AeadKey, _: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(NoRecords)
    }

    fn key_len(&self) -> usize {
        32
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

impl MessageEncrypter for NoRecords {
    fn encrypt(
        &mut self,
        _: OutboundPlainMessage<'_>,
        _: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        Err(Error::EncryptError)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len
    }
}

impl MessageDecrypter for NoRecords {
    fn decrypt<'a>(
        &mut self,
        _: InboundOpaqueMessage<'a>,
        _: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        Err(Error::DecryptError)
    }
}

#[cfg(test)]
mod tests {
    use super::super::hkdf::HKDF_SHA384;
    use super::*;

    static LEAN: &LeanHkdf = &LeanHkdf::new(&HKDF_SHA384, 48);

    fn info<'a>(label: &'a [u8], context: &'a [u8]) -> [&'a [u8]; 6] {
        [&[0, 48], &[0], b"tls13 ", label, &[0], context]
    }

    fn slice(expander: &dyn HkdfExpander, label: &[u8]) -> [u8; 32] {
        let mut output = [0x5a; 32];
        expander.expand_slice(&info(label, b"abc"), &mut output).expect("it is short enough");
        output
    }

    #[test]
    fn what_is_used_is_as_the_plain_one_derives_it() {
        let (secret, zeros) = (OkmBlock::new(&[7; 48]), [0; 32]);
        let both: [&dyn Hkdf; 2] = [&HKDF_SHA384, &LEAN];
        let outputs = both.map(|hkdf| {
            let expanders = [
                hkdf.expander_for_okm(&secret),
                hkdf.extract_from_secret(Some(&[1; 48]), &[2; 64]),
                hkdf.extract_from_zero_ikm(None),
            ];
            let mut outputs = vec![hkdf.hmac_sign(&secret, b"text").as_ref().to_vec()];
            for expander in &expanders {
                assert_eq!(expander.hash_len(), 48);
                for label in [&b"quic key"[..], b"quic iv", b"quic hp", b"quic ku"] {
                    outputs.push(slice(&**expander, label).to_vec());
                    assert_ne!(outputs.last(), Some(&zeros.to_vec()));
                }
                for label in [&b"c hs traffic"[..], b"exp master", b"res master", b"finished"] {
                    let block = expander.expand_block(&info(label, &[3; 48]));
                    assert_eq!(block.as_ref().len(), 48);
                    outputs.push(block.as_ref().to_vec());
                }
            }
            outputs
        });
        assert_eq!(outputs[0], outputs[1]);
    }

    // spec: 3.3 no records; 6.2 no secret comes from TLS's own for applications
    #[test]
    fn keys_of_records_and_all_that_follows_from_application_secrets_are_none() {
        let expander = LEAN.expander_for_okm(&OkmBlock::new(&[7; 48]));
        for label in [&b"key"[..], b"iv"] {
            assert_eq!(slice(&*expander, label), [0; 32]);
        }
        for label in [&b"c ap traffic"[..], b"s ap traffic"] {
            let secret = expander.expand_block(&info(label, &[3; 48]));
            assert!(secret.as_ref().is_empty());
            let unused = LEAN.expander_for_okm(&secret);
            assert_eq!(slice(&*unused, b"quic key"), [0; 32]);
            assert!(unused.expand_block(&info(b"quic ku", b"")).as_ref().is_empty());
        }
    }

    #[test]
    fn there_are_no_records() {
        let (key, iv) = (AeadKey::from([0; 32]), Iv::from([0; 12]));
        assert!(NoRecords.extract_keys(key, iv).is_err());
        let mut sealer = NoRecords.encrypter(AeadKey::from([0; 32]), Iv::from([0; 12]));
        let message = OutboundPlainMessage {
            typ: rustls::ContentType::ApplicationData,
            version: rustls::ProtocolVersion::TLSv1_3,
            payload: rustls::crypto::cipher::OutboundChunks::Single(b"text"),
        };
        assert!(sealer.encrypt(message, 0).is_err());
    }
}
