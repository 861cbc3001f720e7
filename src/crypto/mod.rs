//! Who a node is, and what seals its packets: identity, TLS, keys of levels and channels.
//!
//! Nothing here is cryptography of our own: rustls drives the handshake and builds the packet keys,
//! aws-lc-rs does the rest. Applications meet [`Identity`] and [`PublicKey`]; everything else is
//! internal, and public only so that tests, fuzz targets and benches reach it.
//!
//! How a connection uses it:
//!
//! 1. [`TlsContext`], one a node, makes a [`Session`] for each attempt. The session takes the bytes
//!    of CRYPTO messages and gives back bytes to send and [`LevelKeys`], which seal long packets.
//! 2. When it is complete, and the key of the peer has passed the checks of section 3.4,
//!    [`Session::secrets`] gives [`Secrets`], from which [`Epochs`] is made: it seals and opens
//!    short packets and does all of chapter 6.
//! 3. [`ReplayWindow`] is one a number space, [`CookieKeys`] and [`ResetKey`] one a node.
//!
//! # Why aws-lc-rs, and not ring
//!
//! It alone has X25519MLKEM768, and it is no slower. Both by rustls 0.23 on one core of the machine
//! of `make bench`, best of many short samples:
//!
//! | | aws-lc-rs 1.19 | ring 0.17 |
//! |---|---:|---:|
//! | AES-256-GCM, seal / open 1200 bytes, ns | 245 / 247 | 268 / 274 |
//! | AES-256-GCM, seal / open 64 bytes, ns | 125 / 118 | 101 / 115 |
//! | ChaCha20-Poly1305, seal / open 1200 bytes, ns | 959 / 976 | 936 / 973 |
//! | header mask, AES / ChaCha20, ns | 15 / 144 | 19 / 139 |
//! | packet key / header key of AES, bytes | 688 / 528 | 608 / 288 |
//! | mutual handshake with X25519, both sides, us | 344 | 424 |
//! | the same with X25519MLKEM768, us | 415 | |

mod channel_keys;
mod cookie;
mod epochs;
mod hkdf;
mod identity;
mod lean;
mod level;
mod replay;
mod reset;
mod session;
mod shares;
mod suite;
mod tickets;
mod tls;
mod verifier;

#[doc(hidden)]
pub use cookie::{COOKIE_SIZE, CookieKeys};
#[doc(hidden)]
pub use epochs::{Epochs, KeyUpdateError, Limits, OpenError, Opened, SealError, SealInfo};
pub use identity::{Identity, IdentityError, PublicKey};
#[doc(hidden)]
pub use level::{Forged, LevelKey, LevelKeys};
#[doc(hidden)]
pub use replay::ReplayWindow;
#[doc(hidden)]
pub use reset::ResetKey;
#[doc(hidden)]
pub use session::{AttemptIds, CryptoLevel, Session, TlsError, TlsOutput};
pub(crate) use shares::make_ahead;
#[doc(hidden)]
pub use suite::{Secrets, Suite};
pub use tls::KeyLog;
#[doc(hidden)]
pub use tls::{TlsContext, TlsOptions};
pub(crate) use tls::{certified_key, ed25519_of};
pub(crate) use verifier::AnyKey;

/// Bytes that sealing adds to a packet.
#[doc(hidden)]
pub const TAG_SIZE: usize = 16;

/// Whether both are the same, in a time that does not tell where they differ.
#[doc(hidden)]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests;
