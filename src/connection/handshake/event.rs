//! What a handshake tells its owner, and what the owner tells it at the start.

use crate::crypto::{AttemptIds, PublicKey, Secrets, Session};
use crate::recovery::Rtt;
use crate::time::Time;
use crate::wire::params::Params;

/// Something that the owner of a handshake must know, in the order in which it happened.
#[derive(Debug)]
pub(crate) enum HandshakeEvent {
    /// The peer's key is known: the owner makes the checks of 3.4, then calls `accept` or `refuse`.
    /// At a responder that may take until `accept_timeout`. `is_early` asks for early data only (at
    /// a responder, from the key of the ticket); the same is asked again at the end.
    Identified {
        /// The peer's key, from its certificate or its ticket.
        key: PublicKey,
        /// Whether a ticket was used.
        is_resumed: bool,
        /// Whether the question is about early data.
        is_early: bool,
    },
    /// At a responder: a level 2 packet that may be delivered now. `payload` begins with the
    /// channel's id (4.2); `number` is of path 0's space. Nothing was looked at in it.
    EarlyPayload {
        /// The packet's number in path 0's space.
        number: u64,
        /// When it came.
        received: Time,
        /// Channel id and messages.
        payload: Vec<u8>,
    },
    /// Short packets can be sealed and opened. At a responder this is confirmed (7.7) as well, and
    /// the handshake is done; at an initiator it comes when its last flight has left, and the
    /// handshake stays until `confirm`.
    Complete(Box<Complete>),
    /// The attempt failed on this side. What it still has to say (a close) comes out of
    /// `poll_transmit`; drop it when `is_over`.
    Failed(Failure),
    /// The peer closed at level 1 with this code; the handshake drains until `is_over`.
    PeerClosed {
        /// The code of 17.1.
        code: u64,
    },
}

/// What a handshake made.
pub(crate) struct Complete {
    pub(crate) secrets: Secrets,
    pub(crate) ids: AttemptIds,
    /// The peer's transport parameters, of this handshake.
    pub(crate) params: Params,
    #[allow(dead_code, reason = "for tests and fuzzing; the owner knows it from Identified")]
    pub(crate) key: PublicKey,
    /// For tickets: at an initiator, CRYPTO of short packets is read by it.
    pub(crate) session: Session,
    /// At a responder: the CRYPTO to send in short packets, from offset 0 (7.12).
    pub(crate) tickets: Vec<u8>,
    /// What became of early data; none at a responder, or when none was offered.
    pub(crate) early: Option<EarlyOutcome>,
    /// The first number of path 0's space that no level 2 packet of ours used.
    pub(crate) next_number: u64,
    pub(crate) rtt: Rtt,
    /// Level 1 and 2 packets that did not open (6.8).
    pub(crate) forgeries: u64,
}

impl std::fmt::Debug for Complete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Complete").field("ids", &self.ids).finish_non_exhaustive()
    }
}

/// What became of early data, at an initiator.
#[derive(Debug)]
pub(crate) struct EarlyOutcome {
    /// Refused: every packet counts as never sent.
    pub(crate) is_accepted: bool,
    /// Every level 2 packet that was sent; a payload may be in several (7.9).
    pub(crate) sent: Vec<EarlySent>,
}

/// A level 2 packet that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EarlySent {
    /// Its number in path 0's space.
    pub(crate) number: u64,
    /// Which payload it held: what `push_early` returned.
    pub(crate) payload: usize,
    /// Its size.
    pub(crate) bytes: usize,
    /// When it went.
    pub(crate) sent: Time,
}

/// Why an attempt failed, and whether its dial may make another (7.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    /// No level 1 packet was opened, and nothing was said with authority.
    pub(crate) may_retry: bool,
}

/// The reason of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// `handshake_timeout`.
    Timeout,
    /// No level 1 packet opened after a ServerHello: it was perhaps forged.
    Unproven,
    /// A level 0 close was seen, which nobody believes, but nothing better came (7.15).
    Rumoured {
        /// Its code.
        code: u64,
    },
    /// TLS failed on bytes of level 0, that anybody may have written.
    Tls {
        /// The code of its alert.
        code: u64,
    },
    /// We closed with this code: TLS, a message, the parameters, or the owner's refusal.
    Closed {
        /// The code of 17.1.
        code: u64,
    },
}
