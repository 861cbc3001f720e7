//! Peer ids: random, from text, to text.

use std::ffi::c_char;

use super::guard::{self, Out, fail, guard};
use crate::error::Error;
use crate::id::PeerId;

/// Room that the text of any peer id needs, its ending zero byte included.
pub const CHANNELER_PEER_ID_TEXT_MAX: usize = 35;

/// Who a peer is: 16 bytes.
///
/// In protocol version 0 a peer chooses them at will, and they prove nothing.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct channeler_peer_id {
    /// The id. All zero means "none".
    pub bytes: [u8; 16],
}

impl From<PeerId> for channeler_peer_id {
    fn from(peer: PeerId) -> channeler_peer_id {
        channeler_peer_id { bytes: peer.0 }
    }
}

/// Draws a random peer id from the operating system.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`out` is NULL), `CHANNELER_ERR_UNSUPPORTED` (the
/// system gives no randomness). Thread: any.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_peer_id_random(out: *mut channeler_peer_id) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let mut bytes = [0; 16];
        guard::randomness(&mut bytes)?;
        out.set(channeler_peer_id { bytes });
        Ok(())
    })
}

/// Reads a peer id from text: 32 hexadecimal digits, with or without "0x" before them.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_DECODE` (the text
/// is no peer id). Thread: any.
///
/// # Safety
/// `text` is NULL or ends with a zero byte; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_peer_id_parse(
    text: *const c_char,
    out: *mut channeler_peer_id,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `text` is null or ends with a zero byte.
        let text = unsafe { guard::text(text, "text") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let peer: PeerId = text
            .parse()
            .map_err(|error: crate::id::PeerIdError| fail(Error::Decode, error.to_string()))?;
        out.set(peer.into());
        Ok(())
    })
}

/// Writes a peer id as text: "0x" and 32 lower-case hexadecimal digits, ended by a zero byte.
///
/// `capacity` is the size of `buffer` in bytes; `CHANNELER_PEER_ID_TEXT_MAX` is enough.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL),
/// `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written). Thread: any.
///
/// # Safety
/// `peer` is NULL or readable; `buffer` is NULL or has `capacity` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_peer_id_format(
    peer: *const channeler_peer_id,
    buffer: *mut c_char,
    capacity: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `peer` is null or readable.
        let peer = unsafe { guard::read(peer, "peer") }?;
        let text = PeerId(peer.bytes).to_string();
        // SAFETY: the caller promises `capacity` writable bytes.
        unsafe { guard::write_text(buffer, capacity, &text) }
    })
}
