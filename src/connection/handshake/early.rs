//! Early data: level 2 packets out at an initiator, in and held at a responder.
//! spec: 7.13 early data

use std::collections::VecDeque;
use std::ops::Range;

use super::{EarlyOutcome, EarlySent, Handshake, HandshakeEvent};
use crate::config::FIRST_FLIGHT_MAX;
use crate::crypto::{LevelKey, ReplayWindow};
use crate::id::Side;
use crate::time::Time;
use crate::wire::codes::ConnectionCode;
use crate::wire::long::{Cookie, DATAGRAM_SIZE, LongHeader, OVERHEAD};
use crate::wire::params::Params;

/// Early data of one attempt, either way.
#[derive(Default)]
pub(crate) struct Early {
    /// There once TLS has them: at an initiator from the start, if a ticket was found.
    keys: Option<LevelKey>,
    /// Initiator: the responder's parameters that were kept with the ticket.
    params: Option<Params>,
    /// Initiator: what `push_early` took.
    payloads: Vec<Vec<u8>>,
    /// Initiator: the first payload that is to be sent.
    next: usize,
    /// Initiator: the next number of path 0.
    next_number: u64,
    sent: Vec<EarlySent>,
    /// Initiator: datagrams of the first flight, and the room in the last of them.
    datagrams: usize,
    room: usize,
    verdict: Verdict,
    /// Responder: numbers opened.
    window: ReplayWindow,
    /// Responder: payloads that wait for the verdict.
    held: VecDeque<HandshakeEvent>,
    /// Responder: bytes held and handed up.
    bytes: usize,
    bytes_max: usize,
}

/// What the owner said about early data, at a responder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Verdict {
    #[default]
    Unasked,
    Asked,
    Accepted,
    /// With what the peer is told at the end.
    Refused(ConnectionCode),
}

impl Early {
    pub(super) fn new(bytes_max: usize) -> Early {
        Early { bytes_max, ..Early::default() }
    }

    /// The payload that goes next, if it fits into `room` bytes, which are for payload alone.
    pub(super) fn peek(&self, room: usize) -> Option<&[u8]> {
        let payload = self.payloads.get(self.next)?;
        (self.keys.is_some() && payload.len() <= room).then_some(payload.as_slice())
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.keys.is_some() && self.next < self.payloads.len()
    }

    /// Seals the packet that holds what `peek` gave.
    pub(super) fn seal(&mut self, now: Time, number_offset: usize, packet: &mut [u8]) {
        let Some(keys) = &self.keys else { return };
        keys.seal(self.next_number, number_offset, packet);
        let (number, payload) = (self.next_number, self.next);
        self.sent.push(EarlySent { number, payload, bytes: packet.len(), sent: now });
        self.next_number += 1;
        self.next += 1;
    }

    /// All payloads go once more, with new numbers.
    // spec: 7.9 cookies
    pub(super) fn repeat(&mut self) {
        self.next = 0;
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// What the peer is to be told at the end.
    pub(super) fn refusal(&self) -> Option<ConnectionCode> {
        match self.verdict {
            Verdict::Refused(code) => Some(code),
            Verdict::Unasked | Verdict::Asked | Verdict::Accepted => None,
        }
    }

    /// Takes no more of it; the first reason counts.
    pub(super) fn refuse(&mut self, code: ConnectionCode) {
        if self.refusal().is_none() {
            self.verdict = Verdict::Refused(code);
        }
        self.keys = None;
    }

    pub(super) fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// What the initiator's owner is told at the end.
    pub(super) fn outcome(&mut self, is_accepted: Option<bool>) -> Option<EarlyOutcome> {
        let is_accepted = is_accepted.unwrap_or(false);
        let was_offered = self.params.is_some();
        was_offered.then(|| EarlyOutcome { is_accepted, sent: std::mem::take(&mut self.sent) })
    }

    pub(super) fn forget_keys(&mut self) {
        self.keys = None;
    }
}

impl Handshake {
    /// Initiator: the limits within which early data may go, if it may.
    pub(crate) fn early_params(&self) -> Option<&Params> {
        self.early.params.as_ref()
    }

    /// Initiator: bytes that the next payload may have; 0 when the first flight has no room.
    pub(crate) fn early_room(&self) -> usize {
        let Early { keys, datagrams, room, .. } = &self.early;
        if keys.is_none() || !self.is_first_flight() {
            return 0;
        }
        let fresh = if *datagrams < FIRST_FLIGHT_MAX { DATAGRAM_SIZE } else { 0 };
        fresh.max(*room).saturating_sub(EARLY_OVERHEAD)
    }

    /// Initiator: sends a payload at level 2: the channel's id, then messages. Returns its index in
    /// `EarlyOutcome::sent`, or None when there is no room: it has to wait for short packets.
    pub(crate) fn push_early(&mut self, payload: Vec<u8>) -> Option<usize> {
        let need = payload.len() + EARLY_OVERHEAD;
        if payload.is_empty() || payload.len() > self.early_room() {
            return None;
        }
        let early = &mut self.early;
        if need > early.room {
            early.datagrams += 1;
        }
        // One a datagram.
        early.room = 0;
        early.payloads.push(payload);
        Some(early.payloads.len() - 1)
    }

    /// Initiator: takes the keys of early data, if TLS has a ticket for it.
    pub(super) fn offer_early(&mut self) {
        let Some(session) = &mut self.session else { return };
        let Some(keys) = session.early_key() else { return };
        let kept = session.early_params().map(|kept| Params::decode(kept, Side::Responder));
        let Some(Ok(params)) = kept else { return };
        // As many level 0 packets as the ClientHello takes, with the largest cookie.
        let full = DATAGRAM_SIZE - OVERHEAD - Cookie::LEN_MAX - CRYPTO_OVERHEAD;
        let hello = self.spaces[0].outgoing.len();
        let early = &mut self.early;
        (early.keys, early.params) = (Some(keys), Some(params));
        early.datagrams = hello.div_ceil(full);
        early.room = early.datagrams * full - hello;
    }

    /// Responder: the ClientHello was read; asks the owner when TLS took early data.
    pub(super) fn take_early(&mut self) {
        if self.early.verdict != Verdict::Unasked {
            return;
        }
        let Some(session) = &mut self.session else { return };
        // There only if TLS takes early data.
        let Some(keys) = session.early_key() else { return };
        let Ok(Some(key)) = session.peer_key() else { return };
        self.early.keys = Some(keys);
        self.early.verdict = Verdict::Asked;
        self.events.push_back(HandshakeEvent::Identified { key, is_resumed: true, is_early: true });
    }

    /// The owner's answer, if it is about early data; else false.
    pub(super) fn answer_early(&mut self, answer: Result<(), ConnectionCode>) -> bool {
        if self.early.verdict != Verdict::Asked {
            return false;
        }
        let held = std::mem::take(&mut self.early.held);
        match answer {
            Ok(()) => {
                self.early.verdict = Verdict::Accepted;
                self.events.extend(held);
            }
            Err(code) => self.early.refuse(code),
        }
        true
    }

    /// Responder: a level 2 packet. Whether it had an effect.
    pub(super) fn handle_early(
        &mut self,
        now: Time,
        header: &LongHeader,
        packet: &mut [u8],
    ) -> bool {
        let Some(keys) = self.early.keys.as_ref().filter(|_| self.side == Side::Responder) else {
            return false;
        };
        let largest = self.early.window.largest();
        let Ok((number, payload)) = keys.open(header.number_offset(), largest, packet) else {
            self.forgeries += 1;
            return false;
        };
        let Range { start, end } = payload;
        let cost = end - start + EARLY_CHARGE;
        if self.early.bytes + cost > self.early.bytes_max || !self.early.window.insert(number) {
            return false;
        }
        self.early.bytes += cost;
        let payload = packet[start..end].to_vec();
        let event = HandshakeEvent::EarlyPayload { number, received: now, payload };
        match self.early.verdict {
            Verdict::Accepted => self.events.push_back(event),
            Verdict::Asked => self.early.held.push_back(event),
            Verdict::Unasked | Verdict::Refused(_) => return false,
        }
        true
    }
}

/// What a level 2 packet has around its payload, at most.
const EARLY_OVERHEAD: usize = OVERHEAD + Cookie::LEN_MAX;

/// What a CRYPTO message has around its bytes, at most: type, length, offset.
pub(super) const CRYPTO_OVERHEAD: usize = 1 + 2 + 2;

/// What a payload costs beside its bytes, so that many small ones are bounded as well.
const EARLY_CHARGE: usize = 32;
