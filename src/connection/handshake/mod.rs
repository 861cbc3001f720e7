//! One attempt of a v1 handshake, in either role: ids, levels, CRYPTO, TLS, cookies, closes.
//!
//! The owner feeds packets whose ids and address are this attempt's, sends what `poll_transmit`
//! gives, answers `HandshakeEvent::Identified`, and drops the whole when `is_over`, or when both
//! sides are confirmed.
// spec: 7 handshake

mod budget;
mod closing;
mod cookie;
mod early;
mod event;
mod inbound;
mod outbound;
#[cfg(any(test, feature = "sim"))]
#[allow(dead_code, reason = "tests use all of it, the fuzzer of sim only some")]
pub(crate) mod pair;
mod space;
mod stream;
mod timers;
mod tls;
mod values;

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;

use crate::config::NodeConfig;
use crate::crypto::{AttemptIds, LevelKeys, ResetKey, Session, TlsContext, TlsError};
use crate::id::{AttemptId, Level, PeerId, Side, Token};
use crate::recovery::Rtt;
use crate::time::Time;
use crate::wire::codes::{CloseCode, ConnectionCode};
use crate::wire::long::{Kind, LongHeader};
use crate::wire::params::Params;
use budget::Budget;
use closing::Closing;
use cookie::Cookies;
use early::Early;
pub(crate) use event::{Complete, EarlyOutcome, EarlySent, Failure, HandshakeEvent, Reason};
use space::Space;

/// What a handshake borrows of its node to begin.
pub(crate) struct Env<'a> {
    /// Bytes that the peer may send at first, on all channels together.
    pub(crate) window: u32,
    pub(crate) config: &'a NodeConfig,
    pub(crate) rng: &'a mut ChaCha12Rng,
    pub(crate) tls: &'a TlsContext,
    pub(crate) reset_key: Option<&'a ResetKey>,
}

/// One attempt.
pub(crate) struct Handshake {
    side: Side,
    state: State,
    ids: AttemptIds,
    /// Initiator: the responder's id is known, and no other is listened to.
    is_bound: bool,
    token: Token,
    /// When the attempt has failed, if it is not done.
    deadline: Time,
    /// How long a responder's owner may decide.
    accept_timeout: Duration,
    /// Of levels 0 and 1.
    spaces: [Space; 2],
    session: Option<Session>,
    /// The peer's transport parameters, once TLS is done.
    peer_params: Option<Params>,
    early: Early,
    budget: Budget,
    cookies: Cookies,
    /// Packets that came before their keys.
    kept: Vec<(LongHeader, Vec<u8>)>,
    rtt: Rtt,
    /// Initiator: when a level 1 packet must have opened, once there is doubt (7.3).
    proof_due: Option<Time>,
    /// The code of a level 0 close.
    rumour: Option<u64>,
    has_opened_level1: bool,
    is_level1_acked: bool,
    forgeries: u64,
    events: VecDeque<HandshakeEvent>,
}

/// The states of 7.3 and 7.4.
#[derive(Debug)]
enum State {
    /// Initiator: a ClientHello was sent.
    HelloSent,
    /// Initiator: level 1 keys exist.
    Handshaking,
    /// Responder: something opened and had CRYPTO.
    HalfOpen,
    /// TLS is done, and the owner was asked; a responder's time for it has an end.
    Deciding { until: Option<Time> },
    /// Initiator: our flight may go; short packets may too.
    Complete,
    /// Both sides know each other. Nothing is left to do.
    Confirmed,
    /// We closed.
    Closing(Closing),
    /// The peer closed.
    Draining { until: Time },
    /// Nothing is left.
    Over,
}

impl Handshake {
    /// Begins an attempt. The first flight is ready for `poll_transmit`.
    pub(crate) fn dial(
        env: &mut Env<'_>,
        now: Time,
        asked: Option<PeerId>,
    ) -> Result<Handshake, TlsError> {
        let ids = AttemptIds {
            original: draw_id(env.rng),
            initiator: draw_id(env.rng),
            responder: AttemptId([0; 16]),
        };
        let (token, params) = values::ours(env, Side::Initiator);
        let session = Session::initiator(env.tls, now, asked, params.encode(env.rng))?;
        let mut handshake =
            Handshake::new(env.config, Side::Initiator, ids, token, now, Budget::new(true));
        handshake.session = Some(session);
        handshake.write_tls();
        handshake.offer_early();
        handshake.rearm(now);
        Ok(handshake)
    }

    /// Answers the first packet of an attempt that the node does not know: level 0, in a datagram
    /// of at least 1200 bytes, and within its limits. None when it does not open or has no CRYPTO;
    /// then nothing is left of it. `is_proven`: it showed a valid cookie.
    // spec: 7.4 responder states
    pub(crate) fn answer(
        env: &mut Env<'_>,
        now: Time,
        header: &LongHeader,
        packet: &mut [u8],
        is_proven: bool,
    ) -> Option<Handshake> {
        if header.kind != Kind::Sealed(Level::Initial) {
            return None;
        }
        let ids = AttemptIds {
            original: header.recipient,
            initiator: header.sender,
            responder: draw_id(env.rng),
        };
        let (token, params) = values::ours(env, Side::Responder);
        let budget = Budget::new(is_proven);
        let mut handshake = Handshake::new(env.config, Side::Responder, ids, token, now, budget);
        let payload = handshake.open_first(header, packet)?;
        let session = Session::responder(env.tls, now, params.encode(env.rng)).ok()?;
        handshake.session = Some(session);
        handshake.budget.on_received(packet.len());
        handshake.handle_opened(now, Level::Initial, header, payload.0, &packet[payload.1]);
        Some(handshake)
    }

    /// The three ids; the responder's is zeros at an initiator that has not heard it.
    pub(crate) fn ids(&self) -> &AttemptIds {
        &self.ids
    }

    /// Our token of path 0, as it stands in our parameters.
    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// What happened; call it until it gives none, after each call of another verb.
    pub(crate) fn poll_event(&mut self) -> Option<HandshakeEvent> {
        self.events.pop_front()
    }

    /// The checks of 3.4 passed: the answer to the oldest `Identified` that has none.
    // spec: 3.4 identity checks
    pub(crate) fn accept(&mut self, now: Time) {
        if !self.answer_early(Ok(())) {
            self.complete(now);
        }
    }

    /// They did not, or early data broke a rule: the attempt closes with `code`. Early data alone
    /// cannot be refused (7.13): it is dropped, and the peer told at the end, as it has no keys
    /// before to open a close with.
    pub(crate) fn refuse(&mut self, now: Time, code: ConnectionCode) {
        if self.answer_early(Err(code)) {
            return;
        }
        if matches!(self.state, State::Deciding { .. }) {
            self.fail_closing(now, code.into());
        } else if matches!(self.state, State::HalfOpen) {
            self.early.refuse(code);
        }
    }

    /// Initiator: a short packet of the responder opened.
    // spec: 7.7 confirmed
    pub(crate) fn confirm(&mut self) {
        if matches!(self.state, State::Complete) {
            self.forget_keys();
            self.state = State::Confirmed;
        }
    }

    /// Whether nothing is left to send or to wait for.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over | State::Confirmed)
    }

    fn new(
        config: &NodeConfig,
        side: Side,
        ids: AttemptIds,
        token: Token,
        now: Time,
        budget: Budget,
    ) -> Handshake {
        let initial = LevelKeys::initial(ids.original, side);
        let state = match side {
            Side::Initiator => State::HelloSent,
            Side::Responder => State::HalfOpen,
        };
        Handshake {
            side,
            state,
            ids,
            is_bound: side == Side::Responder,
            token,
            deadline: now + config.attempt_timeout,
            accept_timeout: config.accept_timeout,
            spaces: [Space::new(Some(initial)), Space::new(None)],
            session: None,
            peer_params: None,
            early: Early::new(config.early_bytes_max),
            budget,
            cookies: Cookies::default(),
            kept: Vec::new(),
            rtt: Rtt::new(),
            proof_due: None,
            rumour: None,
            has_opened_level1: false,
            is_level1_acked: false,
            forgeries: 0,
            events: VecDeque::new(),
        }
    }

    /// The owner's checks passed, or nothing is left to check.
    fn complete(&mut self, now: Time) {
        let State::Deciding { .. } = self.state else { return };
        match self.side {
            // The flight leaves first: the responder works on it while secrets are made here.
            Side::Initiator => self.state = State::Complete,
            Side::Responder => self.finish(now),
        }
    }

    /// An initiator whose flight has left: what the handshake made is told once.
    fn finish_complete(&mut self, now: Time) {
        if matches!(self.state, State::Complete) && self.session.is_some() {
            self.finish(now);
        }
    }

    fn finish(&mut self, now: Time) {
        match self.made(now) {
            Err(code) => self.fail_closing(now, code),
            Ok(complete) => {
                if self.side == Side::Responder {
                    self.state = State::Confirmed;
                    self.forget_keys();
                }
                self.events.push_back(HandshakeEvent::Complete(Box::new(complete)));
            }
        }
    }

    /// The attempt ends here, with nothing to say to the peer.
    fn fail(&mut self, reason: Reason) {
        let may_retry = self.side == Side::Initiator && !self.has_opened_level1;
        self.end();
        self.events.push_back(HandshakeEvent::Failed(Failure { reason, may_retry }));
    }

    /// The attempt ends with a close of ours.
    fn fail_closing(&mut self, now: Time, code: CloseCode) {
        let reason = Reason::Closed { code: code.code() };
        self.close(now, code);
        self.events.push_back(HandshakeEvent::Failed(Failure { reason, may_retry: false }));
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.forget_keys();
        self.session = None;
    }

    fn forget_keys(&mut self) {
        self.spaces.iter_mut().for_each(Space::discard);
        self.early.forget_keys();
        self.kept = Vec::new();
    }
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake")
            .field("side", &self.side)
            .field("state", &self.state)
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}

fn draw_id(rng: &mut ChaCha12Rng) -> AttemptId {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    AttemptId(id)
}

#[cfg(test)]
mod tests;
