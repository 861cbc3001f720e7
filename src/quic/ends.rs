//! Why a connection ended, from QUIC's words to ours.

use quinn_proto::{ConnectionError, TransportErrorCode};

use super::member::{Code, End};
use crate::config::REASON_BYTES_MAX;
use crate::error::Error;
use crate::io::CloseReason;

/// What a lost connection means; `was_open`: its handshake was done.
pub(super) fn end_of(error: ConnectionError, was_open: bool) -> End {
    match error {
        ConnectionError::TimedOut if was_open => plain(Error::Idle),
        ConnectionError::TimedOut => plain(Error::Timeout),
        ConnectionError::Reset => plain(Error::Reset),
        ConnectionError::LocallyClosed => plain(Error::Closed),
        ConnectionError::CidsExhausted => plain(Error::Limit),
        ConnectionError::VersionMismatch => {
            said(Error::Unsupported, 0, "the peer speaks another version of QUIC".to_owned())
        }
        ConnectionError::ApplicationClosed(close) => {
            let code = close.error_code.into_inner();
            let text = String::from_utf8_lossy(&close.reason).into_owned();
            said(reason_of(code), code, text)
        }
        ConnectionError::ConnectionClosed(close) => {
            let text = String::from_utf8_lossy(&close.reason).into_owned();
            let code = u64::from(close.error_code);
            // An end that an application says while the handshake runs travels without its code.
            let refusals =
                [TransportErrorCode::CONNECTION_REFUSED, TransportErrorCode::APPLICATION_ERROR];
            if refusals.contains(&close.error_code) {
                return said(Error::Refused, code, text);
            }
            said(of_transport(code), code, text)
        }
        ConnectionError::TransportError(error) => {
            let code = u64::from(error.code);
            said(of_transport(code), code, error.reason)
        }
    }
}

fn plain(reason: Error) -> End {
    End { reason, said: None }
}

fn said(reason: Error, code: u64, mut text: String) -> End {
    let mut end = REASON_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    End { reason, said: Some(Box::new(CloseReason { code, text })) }
}

fn reason_of(code: u64) -> Error {
    let is = |ours: Code| code == u64::from(ours as u32);
    if is(Code::Identity) || is(Code::Refused) {
        Error::Refused
    } else if is(Code::Superseded) {
        Error::Superseded
    } else if is(Code::Timeout) {
        Error::Timeout
    } else {
        Error::PeerClosed
    }
}

/// An alert of TLS is about who the peer is, or about anything else in the handshake.
fn of_transport(code: u64) -> Error {
    match code.checked_sub(CRYPTO_FIRST) {
        // bad_certificate to unknown_ca, access_denied, certificate_required.
        Some(42..=46 | 48 | 49 | 116) => Error::Identity,
        Some(0..=255) => Error::Crypto,
        Some(_) | None => Error::Protocol,
    }
}

/// Codes from here are alerts of TLS (RFC 9001, 4.8).
const CRYPTO_FIRST: u64 = 0x100;
