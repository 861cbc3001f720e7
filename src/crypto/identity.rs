//! The Ed25519 key that a node is, the public key that peers see of it, and the peer id from that.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use pem_rfc7468::LineEnding;
use rustls::pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use crate::id::PeerId;

/// The private key of a node, and with it who the node is. Cheap to clone; erased from memory with
/// the last clone.
///
/// Whoever has it can pose as the node: keep its PEM text as secret as a password.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    seed: Zeroizing<[u8; Identity::SEED_SIZE]>,
    public_key: PublicKey,
}

impl Identity {
    /// Bytes in the seed, which is the whole of the private key.
    pub const SEED_SIZE: usize = 32;

    const PEM_LABEL: &'static str = "PRIVATE KEY";
    /// Ed25519 takes 48 bytes, 85 with its public key, and a few more with attributes.
    const DER_SIZE_MAX: usize = 256;

    /// Makes a new key from the secure randomness of the crypto provider.
    ///
    /// Fails with [`IdentityError::Randomness`] when the system gives none.
    pub fn generate() -> Result<Identity, IdentityError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| IdentityError::Randomness)?;
        Identity::from_pair(&pair)
    }

    /// The identity whose private key is these 32 bytes. They must be secret and random.
    pub fn from_seed(seed: [u8; Identity::SEED_SIZE]) -> Identity {
        let seed = Zeroizing::new(seed);
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed)
            .expect("every 32 bytes are an Ed25519 private key");
        Identity::from_pair(&pair).expect("the pair was made from a seed")
    }

    /// Reads an unencrypted PKCS#8 key from PEM text, such as [`Identity::to_pem`] or
    /// `openssl genpkey -algorithm ed25519` write it. Text before and after the key is allowed.
    pub fn from_pem(pem: &[u8]) -> Result<Identity, IdentityError> {
        let label = pem_rfc7468::decode_label(pem).map_err(|_| IdentityError::NotPem)?;
        if label != Identity::PEM_LABEL {
            return Err(IdentityError::Label(label.chars().take(40).collect()));
        }
        let mut buffer = Zeroizing::new([0; Identity::DER_SIZE_MAX]);
        let (_, der) = pem_rfc7468::decode(pem, &mut *buffer).map_err(|error| {
            // Whatever is longer than the buffer is a key of another algorithm.
            let is_too_long = error == pem_rfc7468::Error::Length;
            if is_too_long {
                IdentityError::NotEd25519
            } else {
                IdentityError::Damaged(error.to_string())
            }
        })?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
            .map_err(|_| IdentityError::NotEd25519)?;
        Identity::from_pair(&pair)
    }

    /// The private key as PEM text (PKCS#8, unencrypted), for [`Identity::from_pem`].
    pub fn to_pem(&self) -> Zeroizing<String> {
        let der = self.to_pkcs8();
        let text =
            pem_rfc7468::encode_string(Identity::PEM_LABEL, LineEnding::LF, der.secret_pkcs8_der());
        Zeroizing::new(text.expect("48 bytes of DER are far below any limit of PEM"))
    }

    /// The private key's 32 bytes.
    pub fn seed(&self) -> &[u8; Identity::SEED_SIZE] {
        &self.inner.seed
    }

    /// What peers see of this identity.
    pub fn public_key(&self) -> PublicKey {
        self.inner.public_key
    }

    /// Under which id peers know this identity.
    pub fn peer_id(&self) -> PeerId {
        self.inner.public_key.peer_id()
    }

    pub(super) fn to_pkcs8(&self) -> PrivatePkcs8KeyDer<'static> {
        let pair = Ed25519KeyPair::from_seed_unchecked(self.seed())
            .expect("every 32 bytes are an Ed25519 private key");
        let document = pair.to_pkcs8v1().expect("every key has a PKCS#8 form");
        PrivatePkcs8KeyDer::from(document.as_ref().to_vec())
    }

    fn from_pair(pair: &Ed25519KeyPair) -> Result<Identity, IdentityError> {
        let kept = pair.seed().map_err(|_| IdentityError::NotEd25519)?;
        let kept = kept.as_be_bytes().map_err(|_| IdentityError::NotEd25519)?;
        let mut seed = Zeroizing::new([0; Identity::SEED_SIZE]);
        seed.copy_from_slice(kept.as_ref());
        let mut raw = [0; PublicKey::RAW_SIZE];
        raw.copy_from_slice(pair.public_key().as_ref());
        Ok(Identity { inner: Arc::new(Inner { seed, public_key: PublicKey::from_raw(raw) }) })
    }
}

impl fmt::Debug for Identity {
    /// Names the id, never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.peer_id()).finish()
    }
}

/// Why a text is no private key of a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// No key could be made.
    #[error("the system gives no secure randomness to make a key from")]
    Randomness,
    /// There is no PEM in it.
    #[error(
        "not a PEM text: expected a line '-----BEGIN PRIVATE KEY-----', base64 below it, and \
         '-----END PRIVATE KEY-----'"
    )]
    NotPem,
    /// PEM of something else.
    #[error(
        "the PEM text holds '{0}'; allowed is 'PRIVATE KEY' only: an unencrypted PKCS#8 Ed25519 \
         key, such as `openssl genpkey -algorithm ed25519` writes"
    )]
    Label(String),
    /// The lines between BEGIN and END are wrong.
    #[error("the PEM text is damaged ({0}); expected lines of base64 between BEGIN and END")]
    Damaged(String),
    /// A key of another algorithm, or no key.
    #[error(
        "the PEM text holds no Ed25519 private key in PKCS#8 form; RSA, ECDSA and other keys are \
         not allowed. `openssl genpkey -algorithm ed25519` makes one"
    )]
    NotEd25519,
    /// Bytes that are no public key of a node.
    #[error("not an Ed25519 public key: expected 44 bytes of SubjectPublicKeyInfo; got {0} bytes")]
    PublicKey(usize),
}

/// The public key of a node, in its one form: the SubjectPublicKeyInfo of RFC 8410.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; PublicKey::SIZE]);

impl PublicKey {
    /// Bytes in a SubjectPublicKeyInfo.
    pub const SIZE: usize = 44;
    /// Bytes in the bare key.
    pub const RAW_SIZE: usize = 32;

    // spec: 3.1 keys
    const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];

    /// Takes exactly the 44 bytes of RFC 8410; any other form of key is refused.
    pub fn from_spki(spki: &[u8]) -> Result<PublicKey, IdentityError> {
        let bytes: [u8; PublicKey::SIZE] =
            spki.try_into().map_err(|_| IdentityError::PublicKey(spki.len()))?;
        if !bytes.starts_with(&PublicKey::PREFIX) {
            return Err(IdentityError::PublicKey(spki.len()));
        }
        Ok(PublicKey(bytes))
    }

    /// The key with these 32 bytes, as RFC 8032 encodes it.
    pub fn from_raw(raw: [u8; PublicKey::RAW_SIZE]) -> PublicKey {
        let mut bytes = [0; PublicKey::SIZE];
        bytes[..PublicKey::PREFIX.len()].copy_from_slice(&PublicKey::PREFIX);
        bytes[PublicKey::PREFIX.len()..].copy_from_slice(&raw);
        PublicKey(bytes)
    }

    /// The 44 bytes of the SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8; PublicKey::SIZE] {
        &self.0
    }

    /// The bare 32 bytes of the key.
    pub fn raw(&self) -> [u8; PublicKey::RAW_SIZE] {
        let mut raw = [0; PublicKey::RAW_SIZE];
        raw.copy_from_slice(&self.0[PublicKey::PREFIX.len()..]);
        raw
    }

    /// The id under which this key is known.
    // spec: 3.2 peer id
    pub fn peer_id(&self) -> PeerId {
        const DOMAIN: &[u8; 21] = b"channeler peer id v1\0";
        let mut input = [0; DOMAIN.len() + PublicKey::SIZE];
        input[..DOMAIN.len()].copy_from_slice(DOMAIN);
        input[DOMAIN.len()..].copy_from_slice(&self.0);
        let hash = digest(&SHA256, &input);
        let mut id = [0; PeerId::SIZE];
        id.copy_from_slice(&hash.as_ref()[..PeerId::SIZE]);
        PeerId(id)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
