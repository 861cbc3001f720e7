//! One TLS handshake, as bytes in and out by level: rustls without packets.

use std::collections::VecDeque;
use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::quic::{ClientConnection, Connection, KeyChange, ServerConnection, Version};
use rustls::{HandshakeKind, NamedGroup};
use zeroize::Zeroizing;

use super::level::{LevelKey, LevelKeys};
use super::suite::{Secret, Secrets, Suite};
use super::tickets::{NewTicket, name_of};
use super::tls::TlsContext;
use super::{IdentityError, PublicKey};
use crate::id::{AttemptId, PeerId, Side};
use crate::time::Time;

/// One TLS handshake, and after it the tickets.
///
/// The law: after `initiator`, `responder` and every `read`, take everything that `write` has.
///
/// - An initiator keeps its session until tickets have come, if it wants any; a responder calls
///   [`Session::tickets`] once the peer has passed all checks. Then drop it: it is large.
/// - No check of section 3.4 is made here, but one: what an initiator reads after completion, the
///   tickets, is filed under the peer's real id.
pub struct Session {
    context: TlsContext,
    tls: Box<Connection>,
    reads: CryptoLevel,
    writes: CryptoLevel,
    output: VecDeque<TlsOutput>,
    /// Made at a responder with its last read; sent only if the peer is accepted.
    tickets: Vec<NewTicket>,
    ticket_bytes: Vec<u8>,
}

/// Which packets carry the bytes of a CRYPTO message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CryptoLevel {
    /// Long packets of level 0.
    Initial,
    /// Long packets of level 1.
    Handshake,
    /// Short packets, for tickets.
    Short,
}

/// What a session wants done, in this order.
pub enum TlsOutput {
    /// Send these bytes, at this level, after all earlier ones of the level.
    Bytes(CryptoLevel, Vec<u8>),
    /// From now on there are these keys for level 1.
    HandshakeKeys(LevelKeys),
}

/// Why a handshake cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct TlsError {
    /// The TLS alert to send, as its number. None: nothing is wrong that TLS has a word for.
    pub alert: Option<u8>,
    /// What is wrong, for people.
    pub text: String,
}

/// The three random ids of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptIds {
    /// What the initiator first sent to.
    pub original: AttemptId,
    /// What the initiator chose for itself.
    pub initiator: AttemptId,
    /// What the responder chose for itself.
    pub responder: AttemptId,
}

impl Session {
    /// Begins a handshake with the peer `asked`, or with whoever answers; `params` are our
    /// transport parameters, encoded. The ClientHello is there to `write`.
    pub fn initiator(
        context: &TlsContext,
        now: Time,
        asked: Option<PeerId>,
        params: Vec<u8>,
    ) -> Result<Session, TlsError> {
        context.inner.clock.set(now);
        let config = context.inner.client.clone();
        let tls = ClientConnection::new(config, Version::V1, name_of(asked), params)
            .map_err(|error| TlsError { alert: None, text: error.to_string() })?;
        let mut session = Session::new(context, Connection::Client(tls));
        session.collect();
        Ok(session)
    }

    /// Awaits a ClientHello; `params` are our transport parameters, encoded.
    pub fn responder(
        context: &TlsContext,
        now: Time,
        params: Vec<u8>,
    ) -> Result<Session, TlsError> {
        context.inner.clock.set(now);
        let tls = ServerConnection::new(context.inner.server.clone(), Version::V1, params)
            .map_err(|error| TlsError { alert: None, text: error.to_string() })?;
        Ok(Session::new(context, Connection::Server(tls)))
    }

    /// Takes the next bytes of the peer's stream at `level`, which must be `self.reads()`: later
    /// levels wait, and earlier ones are over.
    ///
    /// An error ends the handshake, but one: bytes at another level than `reads()` change nothing,
    /// and what to do about them is for section 4.5 to say.
    pub fn read(&mut self, now: Time, level: CryptoLevel, bytes: &[u8]) -> Result<(), TlsError> {
        if level != self.reads {
            return Err(TlsError {
                alert: Some(UNEXPECTED_MESSAGE),
                text: format!("{level:?} bytes where {:?} bytes belong", self.reads),
            });
        }
        let context = self.context.clone();
        context.inner.clock.set(now);
        let result = self.tls.read_hs(bytes);
        // Also after an error, so that nothing stays behind for another session to find.
        self.tickets.append(&mut context.inner.issued.take_new());
        match self.peer_key() {
            Ok(Some(key)) if result.is_ok() => context.inner.received.file_new(key.peer_id()),
            Ok(_) | Err(_) => context.inner.received.drop_new(),
        }
        self.collect();
        result.map_err(|error| TlsError {
            alert: Some(self.tls.alert().map_or(INTERNAL_ERROR, u8::from)),
            text: error.to_string(),
        })
    }

    /// What to do next. To be called until there is nothing.
    pub fn write(&mut self) -> Option<TlsOutput> {
        self.output.pop_front()
    }

    /// At which level the peer's next bytes are wanted.
    pub fn reads(&self) -> CryptoLevel {
        self.reads
    }

    /// At a complete responder: makes the session's tickets valid and gives the bytes of CRYPTO in
    /// short packets that carry them. Only for a peer that passed all checks. Empty the second
    /// time.
    // spec: 3.4, 7.12
    pub fn tickets(&mut self, now: Time) -> Vec<u8> {
        if !self.is_complete() {
            return Vec::new();
        }
        self.context.inner.clock.set(now);
        self.context.inner.issued.keep(std::mem::take(&mut self.tickets));
        std::mem::take(&mut self.ticket_bytes)
    }

    /// How many tickets an initiator has received.
    pub fn tickets_received(&self) -> u32 {
        match &*self.tls {
            Connection::Client(client) => client.tls13_tickets_received(),
            Connection::Server(_) => 0,
        }
    }

    /// The key of level 2: at an initiator that has a ticket for it, from the start; at a responder
    /// that takes early data, from when it has read the ClientHello. Derived anew by each call.
    pub fn early_key(&self) -> Option<LevelKey> {
        self.tls.zero_rtt_keys().map(LevelKey::new)
    }

    /// At an initiator: whether the responder took early data. Known when the handshake is
    /// complete; `Some(false)` also if none was offered.
    pub fn early_accepted(&self) -> Option<bool> {
        match &*self.tls {
            Connection::Client(client) => {
                self.is_complete().then(|| client.is_early_data_accepted())
            }
            Connection::Server(_) => None,
        }
    }

    /// At an initiator that has an early key: the responder's transport parameters as they were
    /// when the ticket was issued.
    pub fn early_params(&self) -> Option<&[u8]> {
        let is_early = self.side() == Side::Initiator && !self.is_complete();
        let params = self.tls.quic_transport_parameters();
        params.filter(|_| is_early && self.reads == CryptoLevel::Initial)
    }

    /// The peer's transport parameters: at a responder once it has read the ClientHello, at an
    /// initiator once it is complete. A responder can trust them only when it is complete too.
    pub fn peer_params(&self) -> Option<&[u8]> {
        match self.side() {
            Side::Initiator if !self.is_complete() => None,
            Side::Initiator | Side::Responder => self.tls.quic_transport_parameters(),
        }
    }

    /// The peer's key, in resumed handshakes as well: at a responder then once it has read the
    /// ClientHello, else when the peer has shown it. It is proven only when `is_complete` or, for
    /// early data, by the ticket.
    ///
    /// An error: what the peer showed is no key of a node (IDENTITY).
    // spec: 3.4 identity checks
    pub fn peer_key(&self) -> Result<Option<PublicKey>, IdentityError> {
        match self.tls.peer_certificates() {
            None => Ok(None),
            Some([key]) => PublicKey::from_spki(CertificateDer::as_ref(key)).map(Some),
            Some(_) => Err(IdentityError::PublicKey(0)),
        }
    }

    /// Whether a ticket took the place of keys and signatures. Known once the first flight of the
    /// other side was read.
    pub fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether the peer's Finished was good.
    pub fn is_complete(&self) -> bool {
        !self.tls.is_handshaking()
    }

    /// Which side we are.
    pub fn side(&self) -> Side {
        match &*self.tls {
            Connection::Client(_) => Side::Initiator,
            Connection::Server(_) => Side::Responder,
        }
    }

    /// Whether the keys came from X25519MLKEM768, and not from X25519 alone.
    pub fn is_post_quantum(&self) -> bool {
        let group = self.tls.negotiated_key_exchange_group();
        group.is_some_and(|group| group.name() == NamedGroup::X25519MLKEM768)
    }

    /// The connection's secrets. None before the handshake is complete.
    // spec: 6.2 connection secrets
    pub fn secrets(&self, ids: &AttemptIds) -> Option<Secrets> {
        if !self.is_complete() {
            return None;
        }
        let suite = Suite::from_tls(self.tls.negotiated_cipher_suite()?.suite())?;
        let context = [ids.original.0, ids.initiator.0, ids.responder.0].concat();
        let export = |label: &[u8]| {
            let output = Zeroizing::new(vec![0; suite.hash_size()]);
            let output = self.tls.export_keying_material(output, label, Some(&context)).ok()?;
            Some(Secret::new(suite, &output))
        };
        Some(Secrets {
            suite,
            initiator: export(b"channeler v1 initiator")?,
            responder: export(b"channeler v1 responder")?,
        })
    }

    fn new(context: &TlsContext, tls: Connection) -> Session {
        Session {
            context: context.clone(),
            tls: Box::new(tls),
            reads: CryptoLevel::Initial,
            writes: CryptoLevel::Initial,
            output: VecDeque::new(),
            tickets: Vec::new(),
            ticket_bytes: Vec::new(),
        }
    }

    /// Takes all that rustls has to send. It must be done after every read: later the keys would
    /// have changed before the bytes that belong to the old ones are out.
    fn collect(&mut self) {
        loop {
            let mut bytes = Vec::new();
            let change = self.tls.write_hs(&mut bytes);
            if bytes.is_empty() && change.is_none() {
                break;
            }
            if self.writes == CryptoLevel::Short {
                self.ticket_bytes.append(&mut bytes);
            } else if !bytes.is_empty() {
                self.output.push_back(TlsOutput::Bytes(self.writes, bytes));
            }
            match change {
                Some(KeyChange::Handshake { keys }) => {
                    self.output.push_back(TlsOutput::HandshakeKeys(LevelKeys::new(keys)));
                    self.writes = CryptoLevel::Handshake;
                    self.reads = CryptoLevel::Handshake;
                }
                // These keys are not used: chapter 6 has its own.
                Some(KeyChange::OneRtt { .. }) => self.writes = CryptoLevel::Short,
                None => {}
            }
        }
        if self.is_complete() {
            self.reads = CryptoLevel::Short;
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("side", &self.side())
            .field("reads", &self.reads)
            .finish_non_exhaustive()
    }
}

/// Alerts of RFC 8446 6 that are ours to name.
const UNEXPECTED_MESSAGE: u8 = 10;
const INTERNAL_ERROR: u8 = 80;
