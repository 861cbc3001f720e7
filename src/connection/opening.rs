//! The time before a connection is established: attempts, answers of the node, what waits for keys.

use std::net::SocketAddr;

use super::established::{Begun, Established};
use super::handshake::{Complete, Handshake, HandshakeEvent, Reason};
use super::shared::{Notice, Shared};
use super::{Connection, Life};
use crate::channel::Pending;
use crate::config::{EARLY_PACKETS_MAX, HALF_OPEN_BYTES_MAX};
use crate::error::Error;
use crate::id::{ChannelHandle, ConnectionHandle, PathId, PeerId, Side, Token};
use crate::io::{Event, Local};
use crate::path::SentFrame;
use crate::stats::DropReason;
use crate::time::Time;
use crate::wire::codes::{CloseCode, ConnectionCode};
use crate::wire::frame::Place;
use crate::wire::long::LongHeader;

/// What is kept until the handshake is done.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// Ours of path 0, of the present attempt.
    token: Option<Token>,
    asked: Option<PeerId>,
    /// Short packets that came before their keys.
    kept: Vec<Vec<u8>>,
    /// Level 2 packets that were taken: their numbers are path 0's.
    early_numbers: Vec<(u64, Time)>,
    /// What each early payload of ours holds.
    early_frames: Vec<Vec<SentFrame>>,
    /// The early messages of ours, and in which payload of the present attempt each is.
    early_messages: Vec<EarlyMessage>,
}

/// A message that was sent as early data.
#[derive(Debug)]
struct EarlyMessage {
    channel: ChannelHandle,
    number: u64,
    charge: u64,
    /// Whether the present attempt carries it.
    is_out: bool,
}

impl Opening {
    pub(super) fn has_sent_early(&self) -> bool {
        !self.early_messages.is_empty()
    }

    /// A payload of the present attempt has this message.
    pub(super) fn push_early(
        &mut self,
        payload: usize,
        frames: Vec<SentFrame>,
        (channel, number): (ChannelHandle, u64),
        charge: u64,
    ) {
        self.early_frames.resize_with(payload, Vec::new);
        self.early_frames.push(frames);
        self.early_messages.push(EarlyMessage { channel, number, charge, is_out: true });
    }

    /// Charge of all early messages.
    pub(super) fn early_charge(&self) -> u64 {
        self.early_messages.iter().map(|message| message.charge).sum()
    }
}

impl Connection {
    /// Begins a connection to the peer `asked`, or to whoever answers.
    ///
    /// # Errors
    ///
    /// `Crypto` when TLS cannot begin.
    pub(crate) fn dial(
        shared: &mut Shared,
        now: Time,
        handle: ConnectionHandle,
        asked: Option<PeerId>,
        remote: SocketAddr,
        local: Local,
    ) -> Result<Connection, Error> {
        let mut connection = Connection::new(shared, handle, Side::Initiator, remote, local);
        connection.peer = asked;
        connection.opening = Some(Box::new(Opening { asked, ..Opening::default() }));
        connection.redial(shared, now)?;
        connection.count_first_window(shared);
        Ok(connection)
    }

    /// Makes the next attempt of a dial, with new ids.
    ///
    /// # Errors
    ///
    /// `Crypto` when TLS cannot begin, `State` when it is no dial or past that.
    // spec: 7.15 failures and attempts
    pub(crate) fn redial(&mut self, shared: &mut Shared, now: Time) -> Result<(), Error> {
        let Some(opening) = self.opening.as_mut().filter(|_| self.side == Side::Initiator) else {
            return Err(Error::State);
        };
        if self.established.is_some() {
            return Err(Error::State);
        }
        let handshake = Handshake::dial(&mut shared.env(self.first_window), now, opening.asked);
        let handshake = handshake.map_err(|_| Error::Crypto)?;
        opening.early_frames.clear();
        opening.early_messages.iter_mut().for_each(|message| message.is_out = false);
        self.begin(shared, handshake);
        Ok(())
    }

    /// Answers the first packet of an attempt that the node does not know. None when it does not
    /// open: then nothing is left of it. `is_proven`: it showed a valid cookie.
    pub(crate) fn answer(
        shared: &mut Shared,
        now: Time,
        handle: ConnectionHandle,
        from: (SocketAddr, Local),
        first: &LongHeader,
        packet: &mut [u8],
        is_proven: bool,
    ) -> Option<Connection> {
        let window = shared.first_window();
        let handshake = Handshake::answer(&mut shared.env(window), now, first, packet, is_proven)?;
        let (remote, local) = from;
        let mut connection = Connection::new(shared, handle, Side::Responder, remote, local);
        connection.count_first_window(shared);
        connection.opening = Some(Box::default());
        connection.stats.datagrams_received += 1;
        connection.stats.bytes_received += packet.len() as u64;
        connection.begin(shared, handshake);
        connection.drain_handshake(shared, now);
        Some(connection)
    }

    fn begin(&mut self, shared: &mut Shared, handshake: Handshake) {
        let token = handshake.token();
        self.handshake = Some(Box::new(handshake));
        if let Some(opening) = &mut self.opening
            && let Some(before) = opening.token.replace(token)
        {
            shared.notify(self.handle, Notice::TokenRetired(before));
        }
        shared.notify(self.handle, Notice::TokenIssued(token, PathId::ZERO));
        self.schedule(shared);
    }

    /// The ids of the present attempt, while there is one.
    pub(crate) fn ids(&self) -> Option<crate::crypto::AttemptIds> {
        self.handshake.as_ref().map(|handshake| *handshake.ids())
    }

    /// A long packet of this connection's attempt, from its address.
    pub(crate) fn handle_long(
        &mut self,
        shared: &mut Shared,
        now: Time,
        header: &LongHeader,
        packet: &mut [u8],
    ) {
        self.stats.bytes_received += packet.len() as u64;
        let Some(handshake) = &mut self.handshake else {
            return shared.count_drop(DropReason::FinishedAttempt);
        };
        handshake.handle_packet(now, header, packet);
        self.drain_handshake(shared, now);
        self.schedule(shared);
    }

    /// The node's checks of 3.4 passed.
    ///
    /// # Errors
    ///
    /// `State` when nothing was asked.
    pub(crate) fn accept(&mut self, shared: &mut Shared, now: Time) -> Result<(), Error> {
        let handshake = self.handshake.as_mut().ok_or(Error::State)?;
        handshake.accept(now);
        self.drain_handshake(shared, now);
        self.schedule(shared);
        Ok(())
    }

    /// They did not: the peer is told the code.
    pub(crate) fn refuse(&mut self, shared: &mut Shared, now: Time, code: ConnectionCode) {
        if let Some(handshake) = &mut self.handshake {
            handshake.refuse(now, code);
            self.drain_handshake(shared, now);
            self.schedule(shared);
        }
    }

    /// Does what the handshake says.
    pub(super) fn drain_handshake(&mut self, shared: &mut Shared, now: Time) {
        while let Some(handshake) = &mut self.handshake {
            let Some(event) = handshake.poll_event() else { break };
            match event {
                HandshakeEvent::Identified { key, is_resumed, is_early } => {
                    self.peer = Some(key.peer_id());
                    self.public_key = Some(key);
                    let notice = Notice::Identified { key, is_resumed, is_early };
                    shared.notify(self.handle, notice);
                }
                HandshakeEvent::EarlyPayload { number, received, payload } => {
                    self.handle_early(shared, now, number, received, &payload);
                }
                HandshakeEvent::Complete(complete) => self.establish(shared, now, *complete),
                HandshakeEvent::Failed(failure) => {
                    let (reason, code) = match failure.reason {
                        Reason::Timeout | Reason::Unproven => (Error::Timeout, None),
                        Reason::Rumoured { code } => (Error::Timeout, Some(code)),
                        Reason::Closed { code } | Reason::Tls { code } => {
                            (reason_of(code), Some(code))
                        }
                    };
                    self.attempt_failed(shared, reason, code, failure.may_retry);
                }
                HandshakeEvent::PeerClosed { code } => {
                    self.attempt_failed(shared, peer_reason_of(code), Some(code), false);
                }
            }
        }
        let is_over = self.handshake.as_ref().is_some_and(|handshake| handshake.is_over());
        if is_over {
            self.handshake = None;
            if self.established.is_none() && self.life == Life::Failed {
                self.go(shared);
            }
        }
    }

    fn attempt_failed(
        &mut self,
        shared: &mut Shared,
        reason: Error,
        code: Option<u64>,
        may_retry: bool,
    ) {
        if self.side == Side::Initiator && self.established.is_none() {
            return shared.notify(self.handle, Notice::AttemptFailed { reason, code, may_retry });
        }
        // An initiator that was complete, or a responder: there is no other attempt.
        self.fail(shared, reason, code);
    }

    /// Ends a connection whose handshake failed for good. What the handshake still has to say is
    /// said.
    pub(crate) fn fail(&mut self, shared: &mut Shared, reason: Error, code: Option<u64>) {
        match self.life {
            Life::Open | Life::Lingering(_) => {}
            Life::Failed | Life::Closing(_) | Life::Draining { .. } | Life::Gone => return,
        }
        self.report_end(shared, reason, code.map(super::CloseSaid::of_code));
        self.forget_all(shared);
        self.life = Life::Failed;
        if self.handshake.as_ref().is_none_or(|handshake| handshake.is_over()) {
            self.go(shared);
        } else {
            self.schedule(shared);
        }
    }

    /// Both sides' TLS is done and the node said yes.
    fn establish(&mut self, shared: &mut Shared, now: Time, complete: Complete) {
        let Some(mut opening) = self.opening.take() else { return };
        let Some(token) = opening.token else { return };
        let early = complete.early.as_ref().map(|early| early.is_accepted);
        let datagram_max = usize::try_from(complete.params.datagram_max).unwrap_or(usize::MAX);
        let path = self.paths.current_mut();
        path.packet_size = path.packet_size.min(datagram_max);
        let packet_size = path.packet_size;
        let packet_size_max = shared.config.largest_packet();
        let begun = Begun {
            side: self.side,
            token,
            packet_sizes: (packet_size, packet_size_max.min(datagram_max)),
            early: &opening.early_frames,
        };
        let mut established = Box::new(Established::new(shared, now, begun, complete));
        if self.side == Side::Initiator {
            // The responder has yet to read our flight; its answer finds the keys ready.
            established.epochs.prepare();
        }
        for (number, received) in opening.early_numbers.drain(..) {
            established.take_early(number, received);
        }
        let channels_max = u32::try_from(established.peer.channels_max).unwrap_or(u32::MAX);
        self.registry.raise(channels_max);
        let charge = opening.early_charge();
        established.flow.advance(charge);
        self.established = Some(established);
        let unsent =
            opening.early_messages.drain(..).filter(|one| !one.is_out || early != Some(true));
        let unsent = unsent.map(|one| (one.channel, one.number)).collect();
        self.start_channels(shared, now);
        self.resend_early(shared, unsent);
        if self.side == Side::Responder {
            self.handshake = None;
            self.confirm(shared);
        }
        for mut packet in std::mem::take(&mut opening.kept) {
            let whole = 0..packet.len();
            self.handle_kept(shared, now, &mut packet, whole);
        }
        self.schedule(shared);
    }

    /// Both sides know that both know.
    // spec: 7.7 confirmed
    pub(super) fn confirm(&mut self, shared: &mut Shared) {
        if std::mem::replace(&mut self.is_confirmed, true) {
            return;
        }
        let Some(established) = &mut self.established else { return };
        established.epochs.confirm();
        for (_, carrier) in established.carriers.iter_mut() {
            carrier.sent.reset_backoff();
            carrier.owed.observed = true;
        }
        self.duties.paths = true;
        if let Some(handshake) = &mut self.handshake {
            handshake.confirm();
            self.handshake = None;
        }
        // A responder's first packet must be answered; tokens and tickets are sent with it.
        self.duties.ping = self.side == Side::Responder;
        if self.side == Side::Initiator {
            // spec: 12.2 tokens: its parameters travelled in the open, without the reset value
            self.duties.tokens.push_back(PathId::ZERO);
        }
        self.issue_tokens(shared);
        self.report_connected(shared);
        shared.notify(self.handle, Notice::Confirmed);
        self.schedule(shared);
    }

    /// Tells the application, once.
    pub(super) fn report_connected(&mut self, shared: &mut Shared) {
        let Some(peer) = self.peer else { return };
        if std::mem::replace(&mut self.is_reported, true) {
            return;
        }
        shared.events.push_back(Event::Connected { connection: self.handle, peer });
    }

    /// What the responder had the time to answer and did not goes again: it may have dropped it
    /// while its application decided. To be called when the packet that confirmed was read, since
    /// that may answer.
    // spec: 7.7 confirmed
    pub(super) fn resend_unanswered(&mut self, shared: &mut Shared, now: Time) {
        let mut fates = std::mem::take(&mut shared.scratch.fates);
        if let Some(established) = &mut self.established {
            for (_, carrier) in established.carriers.iter_mut() {
                carrier.lose_unanswered(now, &mut fates);
            }
        }
        self.settle(shared, now, &mut fates);
        shared.scratch.fates = fates;
    }

    /// Draws tokens until the peer has enough.
    // spec: 12.2 tokens
    pub(super) fn issue_tokens(&mut self, shared: &mut Shared) {
        let Some(established) = &mut self.established else { return };
        while let Some(path) = established.tokens.wanted() {
            let mut token = [0; Token::SIZE];
            rand_chacha::rand_core::Rng::fill_bytes(&mut shared.rng, &mut token);
            established.tokens.issue(path, Token(token));
            self.duties.tokens.push_back(path);
            shared.notify(self.handle, Notice::TokenIssued(Token(token), path));
        }
    }

    /// A level 2 packet of the peer's.
    // spec: 7.13 early data
    fn handle_early(
        &mut self,
        shared: &mut Shared,
        now: Time,
        number: u64,
        received: Time,
        payload: &[u8],
    ) {
        let Some(opening) = &mut self.opening else { return };
        opening.early_numbers.push((number, received));
        self.report_connected(shared);
        let Some((channel, messages)) = payload.split_first_chunk() else { return };
        let channel = crate::id::ChannelNumber(u32::from_be_bytes(*channel));
        let start = payload.len() - messages.len();
        let place = Place::Long(crate::id::Level::Early);
        let inbound = super::inbound::Inbound::not_lent(now, channel, place);
        let range = start..payload.len();
        if let Err(fault) = self.handle_messages(shared, &inbound, payload, range) {
            self.refuse(shared, now, fault.connection_code());
        }
    }

    /// A short packet came before its keys.
    pub(super) fn keep_packet(&mut self, shared: &mut Shared, packet: &[u8]) {
        let Some(opening) = &mut self.opening else {
            return shared.count_drop(DropReason::TooEarly);
        };
        let bytes: usize = opening.kept.iter().map(Vec::len).sum();
        if opening.kept.len() < EARLY_PACKETS_MAX && bytes + packet.len() <= HALF_OPEN_BYTES_MAX {
            opening.kept.push(packet.to_vec());
        } else {
            shared.count_drop(DropReason::TooEarly);
        }
    }

    /// Lets channels that were opened before the connection was there begin.
    fn start_channels(&mut self, shared: &mut Shared, now: Time) {
        let Some(established) = &self.established else { return };
        let limit = established.peer.channel_data_max;
        let handles: Vec<_> = self.registry.handles().collect();
        for handle in handles {
            let Some(channel) = shared.channels.get_mut(handle.0) else { continue };
            if channel.opening == crate::channel::Opening::Announced {
                channel.sending.reset_limit(limit);
                self.duties.note(handle, channel, Pending::NEW);
            }
            self.discard_larger(shared, now, handle);
            self.wake_channel(shared, handle);
        }
    }

    /// Drops messages that the peer does not take: when they were sent, nobody knew.
    pub(super) fn discard_larger(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        let Some(established) = &self.established else { return };
        let most = established.peer.message_max;
        let discarded = self.with_backlog(shared, handle, |backlog, settling| {
            backlog.discard_larger(most, settling)
        });
        self.on_discarded(shared, now, handle, discarded.unwrap_or(0));
    }
}

/// What an error code means that we sent.
pub(super) fn reason_of(code: u64) -> Error {
    match CloseCode::from_code(code) {
        CloseCode::Tls(_) => Error::Crypto,
        CloseCode::Protocol(code) => match code {
            ConnectionCode::None => Error::Closed,
            ConnectionCode::Internal => Error::Unexpected,
            ConnectionCode::Refused => Error::Refused,
            ConnectionCode::Identity => Error::Identity,
            ConnectionCode::Superseded => Error::Superseded,
            ConnectionCode::AeadLimit => Error::Crypto,
            ConnectionCode::NoPath => Error::Closed,
            ConnectionCode::Parameter
            | ConnectionCode::Encoding
            | ConnectionCode::Protocol
            | ConnectionCode::FlowControl
            | ConnectionCode::ChannelLimit
            | ConnectionCode::ChannelState
            | ConnectionCode::TooLarge
            | ConnectionCode::CryptoBuffer
            | ConnectionCode::KeyUpdate => Error::Protocol,
        },
    }
}

/// What it means that the peer sent.
pub(super) fn peer_reason_of(code: u64) -> Error {
    let reason = reason_of(code);
    if reason == Error::Closed { Error::PeerClosed } else { reason }
}
