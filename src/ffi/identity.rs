//! Identities: the key that a node is known by in protocol version 1.

use std::ffi::c_char;

use super::guard::{self, Failure, Out, fail, guard};
use super::lifetime::{self, channeler_node};
use super::peer_id::channeler_peer_id;
use crate::crypto::{Identity, IdentityError, PublicKey};
use crate::error::Error;

/// Room that the PEM text of any identity needs, its ending zero byte included.
pub const CHANNELER_IDENTITY_PEM_MAX: usize = 256;

/// An Ed25519 public key as SubjectPublicKeyInfo (RFC 8410): always 44 bytes, of which the last 32
/// are the key.
///
/// Two keys may have one peer id, if somebody spent 2^64 tries on making such a pair of their own:
/// where that matters, compare keys.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct channeler_public_key {
    /// The key. All zero means "none".
    pub bytes: [u8; 44],
}

/// Makes a new identity and writes its private key as PEM text (PKCS#8, RFC 8410), ended by a zero
/// byte: what the option `identity` takes.
///
/// Who has the text can be the node. Keep it where only you can read it; the library writes no
/// file. `capacity` is the size of `buffer` in bytes; `CHANNELER_IDENTITY_PEM_MAX` is enough.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`buffer` is NULL),
/// `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written; `channeler_last_error` says how
/// much is needed), `CHANNELER_ERR_CRYPTO` (the system gives no randomness). Thread: any.
///
/// # Safety
/// `buffer` is NULL or has `capacity` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_identity_generate(buffer: *mut c_char, capacity: usize) -> i32 {
    guard(|| {
        let identity = generate()?;
        // SAFETY: the caller promises `capacity` writable bytes.
        unsafe { guard::write_text(buffer, capacity, &identity.to_pem()) }
    })
}

/// Tells the public key of an identity.
///
/// `pem` is the PEM text of the private key (PKCS#8, unencrypted, Ed25519; as
/// `channeler_identity_generate` and `openssl genpkey -algorithm ed25519` write it), ended by a
/// zero byte; read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_DECODE` (no such
/// key in the text; `channeler_last_error` says what is wrong). Thread: any.
///
/// # Safety
/// `pem` is NULL or ends with a zero byte; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_identity_public_key(
    pem: *const c_char,
    out: *mut channeler_public_key,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `pem` is null or ends with a zero byte.
        let pem = unsafe { guard::text(pem, "pem") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(parse(pem, "pem")?.public_key().into());
        Ok(())
    })
}

/// Tells the peer id that belongs to a public key: what others know the node by.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_DECODE` (the bytes
/// are no Ed25519 key). Thread: any.
///
/// # Safety
/// `key` is NULL or readable; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_public_key_peer_id(
    key: *const channeler_public_key,
    out: *mut channeler_peer_id,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `key` is null or readable.
        let key = unsafe { guard::read(key, "key") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let key = PublicKey::from_spki(&key.bytes).map_err(|error| wrong("key", &error))?;
        out.set(key.peer_id().into());
        Ok(())
    })
}

/// Writes the node's private key as PEM text, as `channeler_identity_generate` does: how a key that
/// `channeler_node_new` made by itself can be kept.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL),
/// `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written), `_UNSUPPORTED` (the node speaks
/// version 0 only, and has no key), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
/// bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_identity(
    node: *mut channeler_node,
    buffer: *mut c_char,
    capacity: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        let pem = live.identity()?.to_pem();
        // SAFETY: the caller promises `capacity` writable bytes.
        unsafe { guard::write_text(buffer, capacity, &pem) }
    })
}

/// Tells the node's public key.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (the node speaks
/// version 0 only, and has no key), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_public_key(
    node: *mut channeler_node,
    out: *mut channeler_public_key,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(live.identity()?.public_key().into());
        Ok(())
    })
}

/// A new identity.
pub(super) fn generate() -> Result<Identity, Failure> {
    Identity::generate().map_err(|error| fail(Error::Crypto, error.to_string()))
}

/// The identity in a PEM text that the caller knows as `name`.
pub(super) fn parse(pem: &str, name: &str) -> Result<Identity, Failure> {
    Identity::from_pem(pem.as_bytes()).map_err(|error| wrong(name, &error))
}

fn wrong(name: &str, error: &IdentityError) -> Failure {
    fail(Error::Decode, format!("{name}: {error}"))
}

impl From<PublicKey> for channeler_public_key {
    fn from(key: PublicKey) -> channeler_public_key {
        channeler_public_key { bytes: *key.spki() }
    }
}

impl Default for channeler_public_key {
    fn default() -> channeler_public_key {
        channeler_public_key { bytes: [0; 44] }
    }
}
