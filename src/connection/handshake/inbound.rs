//! Packets in: found, opened, checked, then their messages one by one.
//! spec: 4.5 receiving

use std::ops::Range;

use super::stream::Refusal;
use super::{Handshake, State};
use crate::config::KEPT_PACKETS_MAX;
use crate::id::{Level, Side};
use crate::time::Time;
use crate::wire::codes::ConnectionCode;
use crate::wire::frame::{Frame, Frames, Place};
use crate::wire::long::{DATAGRAM_SIZE, Kind, LongHeader};

/// What is wrong with a packet that opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// At level 1 it closes the attempt; at level 0 the packet is dropped.
    Close(ConnectionCode),
    /// It is dropped, unacknowledged.
    Drop,
}

/// What a packet holds, as far as it matters before its messages are handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Survey {
    asks_for_ack: bool,
    has_crypto: bool,
}

impl Handshake {
    /// One long packet, `packet` all of it and no more, from the address of the attempt. Whether it
    /// had an effect; if not it may be counted as dropped. Its bytes count for 7.8.
    pub(crate) fn handle_packet(
        &mut self,
        now: Time,
        header: &LongHeader,
        packet: &mut [u8],
    ) -> bool {
        if !self.is_ours(header) {
            return false;
        }
        self.budget.on_received(packet.len());
        if self.is_ended() {
            self.handle_while_closing();
            return false;
        }
        let is_handled = match header.kind {
            Kind::Cookie => self.handle_cookie(header),
            Kind::Sealed(level) => self.handle_sealed(now, level, header, packet),
        };
        self.handle_kept(now);
        is_handled
    }

    /// Opens the first packet of an unknown attempt; its number and payload if it has CRYPTO.
    pub(super) fn open_first(
        &mut self,
        header: &LongHeader,
        packet: &mut [u8],
    ) -> Option<(u64, Range<usize>)> {
        let (number, payload) = self.open(Level::Initial, header, packet)?;
        let survey = self.survey(Level::Initial, &packet[payload.clone()]).ok()?;
        survey.has_crypto.then_some((number, payload))
    }

    /// Whether the two ids are those of this attempt.
    // spec: 7.2 ids of an attempt
    fn is_ours(&self, header: &LongHeader) -> bool {
        let ids = &self.ids;
        match (self.side, header.kind) {
            (Side::Initiator, Kind::Cookie) => {
                header.recipient == ids.initiator && header.sender == ids.original
            }
            (Side::Initiator, Kind::Sealed(_)) => {
                let is_sender = !self.is_bound || header.sender == ids.responder;
                header.recipient == ids.initiator && is_sender
            }
            (Side::Responder, Kind::Cookie) => false,
            (Side::Responder, Kind::Sealed(_)) => {
                let is_recipient = [ids.original, ids.responder].contains(&header.recipient);
                header.sender == ids.initiator && is_recipient
            }
        }
    }

    /// The responder wants a cookie: the whole first flight goes again with it.
    // spec: 4.6 cookie packets, 7.9 cookies
    fn handle_cookie(&mut self, header: &LongHeader) -> bool {
        let is_taken = self.is_first_flight() && self.cookies.take(header.cookie);
        if is_taken {
            self.spaces[0].repeat();
            self.early.repeat();
        }
        is_taken
    }

    fn handle_sealed(
        &mut self,
        now: Time,
        level: Level,
        header: &LongHeader,
        packet: &mut [u8],
    ) -> bool {
        if self.has_keys(level) {
            if level == Level::Early {
                return self.handle_early(now, header, packet);
            }
            let Some((number, payload)) = self.open(level, header, packet) else { return false };
            return self.handle_opened(now, level, header, number, &packet[payload]);
        }
        // The packets before it may be on their way; afterwards it has no keys for ever.
        let may_come = match (self.side, level) {
            (Side::Initiator, Level::Handshake) => matches!(self.state, State::HelloSent),
            (Side::Responder, Level::Early) => {
                matches!(self.state, State::HalfOpen) && self.spaces[1].keys.is_none()
            }
            (_, Level::Initial | Level::Handshake | Level::Early) => false,
        };
        // spec: 4.4: none of a handshake is larger, so what is kept stays small.
        let is_small = packet.len() <= DATAGRAM_SIZE;
        if may_come && is_small && self.kept.len() < KEPT_PACKETS_MAX {
            self.kept.push((*header, packet.to_vec()));
        }
        false
    }

    /// Keys may have come for packets that were kept.
    fn handle_kept(&mut self, now: Time) {
        let has_come = self.spaces[1].keys.is_some();
        if self.kept.is_empty() || !has_come {
            return;
        }
        for (header, mut packet) in std::mem::take(&mut self.kept) {
            if let Kind::Sealed(level) = header.kind
                && self.is_ours(&header)
                && !self.is_ended()
            {
                self.handle_sealed(now, level, &header, &mut packet);
            }
        }
    }

    fn has_keys(&self, level: Level) -> bool {
        match level {
            Level::Initial => self.spaces[0].keys.is_some(),
            Level::Handshake => self.spaces[1].keys.is_some(),
            Level::Early => self.early.has_keys(),
        }
    }

    /// The number of a packet of level 0 or 1, and where its payload is.
    fn open(
        &mut self,
        level: Level,
        header: &LongHeader,
        packet: &mut [u8],
    ) -> Option<(u64, Range<usize>)> {
        let space = &self.spaces[index(level)];
        let largest = space.window.largest();
        let keys = space.keys.as_ref()?;
        let opened = keys.remote.open(header.number_offset(), largest, packet);
        if opened.is_err() && level == Level::Handshake {
            self.forgeries += 1;
        }
        opened.ok()
    }

    /// A packet of level 0 or 1 that opened. Whether it had an effect.
    pub(super) fn handle_opened(
        &mut self,
        now: Time,
        level: Level,
        header: &LongHeader,
        number: u64,
        payload: &[u8],
    ) -> bool {
        let survey = match self.survey(level, payload) {
            Ok(survey) => survey,
            Err(Fault::Close(code)) if level == Level::Handshake => {
                self.fail_closing(now, code.into());
                return true;
            }
            Err(Fault::Close(_) | Fault::Drop) => return false,
        };
        if !self.spaces[index(level)].window.insert(number) {
            return false;
        }
        self.note_opened(level, header, survey);
        self.spaces[index(level)].on_received(now, number, survey.asks_for_ack);
        for frame in Frames::new(Place::Long(level), payload).flatten() {
            self.handle_frame(now, level, &frame);
            // What stands behind a close is not for anybody.
            if self.is_ended() {
                break;
            }
        }
        if survey.has_crypto && !self.is_ended() {
            self.read_tls(now, level);
        }
        true
    }

    /// Whether all of a payload is good, before any of it is done.
    fn survey(&self, level: Level, payload: &[u8]) -> Result<Survey, Fault> {
        let space = &self.spaces[index(level)];
        let mut survey = Survey::default();
        for frame in Frames::new(Place::Long(level), payload) {
            let frame = frame.map_err(|error| Fault::Close(error.code()))?;
            survey.asks_for_ack |= frame.asks_for_ack();
            if let Frame::Ack(ack) = &frame
                && !space.is_ack_possible(ack)
            {
                return Err(Fault::Close(ConnectionCode::Protocol));
            }
            if let Frame::Crypto(crypto) = &frame {
                survey.has_crypto = true;
                space.incoming.check(crypto.offset, crypto.bytes.len()).map_err(|refusal| {
                    match refusal {
                        Refusal::TooFar => Fault::Close(ConnectionCode::CryptoBuffer),
                        Refusal::TooManyPieces => Fault::Drop,
                    }
                })?;
            }
        }
        Ok(survey)
    }

    /// What a packet says by having opened.
    fn note_opened(&mut self, level: Level, header: &LongHeader, survey: Survey) {
        self.cookies.on_opened();
        if survey.has_crypto && !self.is_bound {
            self.ids.responder = header.sender;
            self.is_bound = true;
        }
        if level == Level::Handshake && !self.has_opened_level1 {
            self.has_opened_level1 = true;
            self.proof_due = None;
            if self.side == Side::Responder {
                self.budget.prove();
                self.spaces[0].discard();
            }
        }
    }

    fn handle_frame(&mut self, now: Time, level: Level, frame: &Frame<'_>) {
        let space = &mut self.spaces[index(level)];
        if let Frame::Ack(ack) = frame {
            match space.on_ack(now, &mut self.rtt, ack) {
                Ok(is_new) => {
                    self.is_level1_acked |= is_new && level == Level::Handshake;
                    self.rearm(now);
                }
                Err(_) if level == Level::Handshake => {
                    self.fail_closing(now, ConnectionCode::Protocol.into());
                }
                Err(_) => {}
            }
        } else if let Frame::Crypto(crypto) = frame {
            space.incoming.insert(crypto.offset, crypto.bytes);
        } else if let Frame::ConnectionClose(close) = frame {
            self.handle_close(now, level, close.code);
        }
        // The survey let pass what may be at levels 0 and 1; nothing else of it wants more than an
        // acknowledgement.
    }

    /// Whether nothing that comes can matter any more, but to repeat a close.
    pub(super) fn is_ended(&self) -> bool {
        match self.state {
            State::Closing(_) | State::Draining { .. } | State::Over | State::Confirmed => true,
            State::HelloSent
            | State::Handshaking
            | State::HalfOpen
            | State::Deciding { .. }
            | State::Complete => false,
        }
    }

    /// Initiator: no packet of the responder opened, so that cookies may come, and early data go.
    pub(super) fn is_first_flight(&self) -> bool {
        matches!(self.state, State::HelloSent) && !self.cookies.is_over()
    }
}

/// The place of a level in `spaces`.
pub(super) fn index(level: Level) -> usize {
    usize::from(level != Level::Initial)
}
