//! Drives TLS: CRYPTO in, CRYPTO and keys out, and what follows when it is done.

use super::{Complete, Handshake, HandshakeEvent, Reason, State};
use crate::config::UNPROVEN_WAIT;
use crate::crypto::{CryptoLevel, TlsError, TlsOutput};
use crate::id::{Level, Side};
use crate::time::Time;
use crate::wire::codes::{CloseCode, ConnectionCode};
use crate::wire::params::Params;

impl Handshake {
    /// Gives TLS what can be read of a level, and takes what it has to say.
    // spec: 7.5 CRYPTO
    pub(super) fn read_tls(&mut self, now: Time, level: Level) {
        let index = usize::from(level == Level::Handshake);
        loop {
            // Once there are level 1 keys, level 0 has nothing more to say, whoever says it.
            let is_late = index == 0 && self.spaces[1].keys.is_some();
            let Some(bytes) = self.spaces[index].incoming.take() else { break };
            let Some(session) = self.session.as_mut().filter(|_| !is_late) else { continue };
            if session.is_complete() {
                continue;
            }
            let level = if index == 0 { CryptoLevel::Initial } else { CryptoLevel::Handshake };
            if let Err(error) = session.read(now, level, bytes) {
                return self.fail_tls(now, index, &error);
            }
            self.write_tls();
        }
        self.follow_tls(now);
    }

    /// Takes everything that TLS has to say; after each read, or it would come at the wrong level.
    // spec: 3.5 notes on rustls
    pub(super) fn write_tls(&mut self) {
        let Some(session) = &mut self.session else { return };
        while let Some(output) = session.write() {
            match output {
                TlsOutput::Bytes(CryptoLevel::Initial, bytes) => {
                    self.spaces[0].outgoing.push(&bytes);
                }
                TlsOutput::Bytes(CryptoLevel::Handshake, bytes) => {
                    self.spaces[1].outgoing.push(&bytes);
                }
                // Tickets are asked for when the peer has passed its checks.
                TlsOutput::Bytes(CryptoLevel::Short, _) => {}
                TlsOutput::HandshakeKeys(keys) => self.spaces[1].keys = Some(keys),
            }
        }
    }

    /// The next state, after TLS read something.
    fn follow_tls(&mut self, now: Time) {
        if self.side == Side::Responder {
            self.take_early();
        }
        let has_level1 = self.spaces[1].keys.is_some();
        if has_level1 && matches!(self.state, State::HelloSent) {
            self.state = State::Handshaking;
            // The ServerHello may have been forged: then nothing will ever open at level 1.
            let due = now + UNPROVEN_WAIT.max(3 * self.pto());
            self.proof_due = Some(self.proof_due.map_or(due, |proof| proof.min(due)));
            self.rearm(now);
        }
        let is_complete = self.session.as_ref().is_some_and(|session| session.is_complete());
        if is_complete && matches!(self.state, State::Handshaking | State::HalfOpen) {
            self.identify(now);
        }
    }

    /// TLS is done: the owner is asked about the peer's key.
    // spec: 3.4 identity checks
    fn identify(&mut self, now: Time) {
        let Some(session) = &self.session else { return };
        let Ok(Some(key)) = session.peer_key() else {
            return self.fail_closing(now, ConnectionCode::Identity.into());
        };
        let params = session.peer_params().map(|params| Params::decode(params, self.side.peer()));
        let Some(Ok(params)) = params else {
            return self.fail_closing(now, ConnectionCode::Parameter.into());
        };
        let is_resumed = session.is_resumed();
        self.peer_params = Some(params);
        if let Some(code) = self.early.refusal() {
            return self.fail_closing(now, code.into());
        }
        let until = (self.side == Side::Responder).then(|| now + self.accept_timeout);
        self.state = State::Deciding { until };
        self.events.push_back(HandshakeEvent::Identified { key, is_resumed, is_early: false });
    }

    /// What the handshake made; or why it did not.
    pub(super) fn made(&mut self, now: Time) -> Result<Complete, CloseCode> {
        let internal = CloseCode::from(ConnectionCode::Internal);
        let mut session = self.session.take().ok_or(internal)?;
        let params = self.peer_params.take().ok_or(internal)?;
        let Ok(Some(key)) = session.peer_key() else {
            return Err(ConnectionCode::Identity.into());
        };
        let secrets = session.secrets(&self.ids).ok_or(internal)?;
        let early = self.early.outcome(session.early_accepted());
        Ok(Complete {
            secrets,
            ids: self.ids,
            params,
            key,
            tickets: session.tickets(now),
            session,
            early,
            next_number: self.early.next_number(),
            rtt: self.rtt.clone(),
            forgeries: self.forgeries,
        })
    }

    fn fail_tls(&mut self, now: Time, index: usize, error: &TlsError) {
        let code = match error.alert {
            Some(alert) => CloseCode::Tls(alert),
            None => ConnectionCode::Internal.into(),
        };
        if index == 0 && self.side == Side::Initiator {
            // Nobody knows who wrote it: the attempt is spoiled, and nothing more is said.
            self.fail(Reason::Tls { code: code.code() });
        } else {
            self.fail_closing(now, code);
        }
    }
}
