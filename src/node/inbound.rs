//! From v1 datagrams to connections.
// spec: 4.5 receiving, 5.4 receiving

use std::net::IpAddr;
use std::ops::Range;

use super::admission::Verdict;
use super::demux::Kind as Protocol;
use super::endpoint::Endpoint;
use super::reply::Reply;
use super::table::Beginning;
use crate::connection::{Connection, Source};
use crate::crypto::ResetKey;
use crate::id::{ConnectionHandle, Level, Token};
use crate::io::{Receive, canonical};
use crate::stats::DropReason;
use crate::time::Time;
use crate::wire::Writer;
use crate::wire::long::{DATAGRAM_SIZE, Kind, LongError, LongHeader};
use crate::wire::short;

impl Endpoint {
    /// The datagrams of `run`, a part of one buffer, all of them long or all short.
    pub(super) fn handle_datagrams(
        &mut self,
        now: Time,
        from: &Receive,
        buffer: &mut [u8],
        run: Range<usize>,
        kind: Protocol,
    ) {
        let stride = from.stride.max(1);
        let Receive { local, ecn, .. } = *from;
        let source = Source { now, from: canonical(from.from), local, ecn };
        let count = run.len().div_ceil(stride) as u64;
        self.shared.stats.datagrams_received += count;
        self.shared.stats.bytes_received += run.len() as u64;
        if self.bans.has_address(now, source.from.ip()) {
            self.shared.stats.dropped[DropReason::Banned as usize] += count;
            return;
        }
        let mut at = run.start;
        while at < run.end {
            let end = (at + stride).min(run.end);
            at = match kind {
                Protocol::Short => self.handle_shorts(&source, buffer, at, run.end, stride),
                Protocol::Long | Protocol::V0 | Protocol::Other => {
                    self.handle_long_datagram(&source, buffer, at..end);
                    end
                }
            };
        }
    }

    /// Short packets from `at` on, while they are for one connection and path; returns where the
    /// next one is. One look-up for all of them.
    fn handle_shorts(
        &mut self,
        source: &Source,
        buffer: &mut [u8],
        mut at: usize,
        end: usize,
        stride: usize,
    ) -> usize {
        let first = at..(at + stride).min(end);
        let Some(token) = short::parse_token(&buffer[first.clone()]) else {
            self.shared.count_drop(DropReason::MalformedPacket);
            return first.end;
        };
        let route = self.table.route(token);
        let Some((handle, path)) = route else {
            self.handle_unknown_token(source, token, &buffer[first.clone()]);
            return first.end;
        };
        let Some(member) = self.table.get_mut(handle) else { return first.end };
        while at < end {
            let one = at..(at + stride).min(end);
            if short::parse_token(&buffer[one.clone()]) != Some(token) {
                break;
            }
            at = one.end;
            if self.shared.events.len() >= self.shared.config.events_max {
                self.shared.count_drop(DropReason::EventQueueFull);
                continue;
            }
            member.connection.handle_short(&mut self.shared, source, path, buffer, one);
            if !self.shared.notices.is_empty() {
                break;
            }
        }
        self.settle(source.now, handle);
        at
    }

    /// A token that is none of ours: the peer has lost a connection of ours, or we one of its.
    fn handle_unknown_token(&mut self, source: &Source, token: Token, datagram: &[u8]) {
        // spec: 14.5 stateless reset: meaning
        if let Some(value) = datagram.last_chunk::<{ ResetKey::VALUE_SIZE }>() {
            let is_meant = |handle: &ConnectionHandle| {
                let member = self.table.get(*handle);
                member.is_some_and(|member| member.connection.matches_reset(source.from, value))
            };
            let meant = self.table.at(source.from).find(is_meant);
            if let Some(handle) = meant {
                return self.handle_reset(source.now, handle);
            }
        }
        self.shared.count_drop(DropReason::UnknownToken);
        let Some(key) = &self.shared.reset_key else { return };
        let to = (source.from, source.local);
        let (now, rng) = (source.now, &mut self.shared.rng);
        let answer = self.resets.answer(now, key, rng, to, token, datagram.len());
        if let Some(reply) = answer {
            self.reply(reply);
        }
    }

    fn handle_reset(&mut self, now: Time, handle: ConnectionHandle) {
        if let Some(member) = self.table.get_mut(handle) {
            member.connection.handle_reset(&mut self.shared, now);
            self.settle(now, handle);
        }
    }

    /// A datagram that begins with a long packet: more of those may follow, then a short one.
    // spec: 4.4 padding and joining
    fn handle_long_datagram(&mut self, source: &Source, buffer: &mut [u8], whole: Range<usize>) {
        if self.shared.events.len() >= self.shared.config.events_max {
            return self.shared.count_drop(DropReason::EventQueueFull);
        }
        let Range { start, end } = whole;
        let mut at = start;
        let mut ids = None;
        while at < end {
            match Protocol::of(&buffer[at..end]) {
                Protocol::Long => {}
                Protocol::Short => {
                    self.handle_shorts(source, buffer, at, end, end - at);
                    return;
                }
                Protocol::V0 | Protocol::Other => {
                    return self.shared.count_drop(DropReason::MalformedPacket);
                }
            }
            let header = match LongHeader::parse(&buffer[at..end]) {
                Ok(header) => header,
                Err(LongError::Unknown { size }) => {
                    self.shared.count_drop(DropReason::MalformedPacket);
                    at += size.max(1);
                    continue;
                }
                Err(
                    LongError::Short
                    | LongError::UnknownProtocol
                    | LongError::BadCookie
                    | LongError::BadSize,
                ) => return self.shared.count_drop(DropReason::MalformedPacket),
            };
            if *ids.get_or_insert((header.sender, header.recipient))
                != (header.sender, header.recipient)
            {
                return self.shared.count_drop(DropReason::UnknownAttempt);
            }
            let packet = &mut buffer[at..at + header.size];
            if let Err(reason) = self.handle_long(source, &header, packet, end - start) {
                self.shared.count_drop(reason);
            }
            at += header.size;
        }
    }

    /// One long packet, of a datagram of `size` bytes.
    fn handle_long(
        &mut self,
        source: &Source,
        header: &LongHeader,
        packet: &mut [u8],
        size: usize,
    ) -> Result<(), DropReason> {
        let Source { now, from, .. } = *source;
        if let Some(handle) = self.attempts.find(from, header) {
            if let Some(member) = self.table.get_mut(handle) {
                member.connection.handle_long(&mut self.shared, now, header, packet);
                self.settle(now, handle);
            }
            return Ok(());
        }
        // An initiator's flight is larger than this, a responder's is for an attempt that is known.
        if header.kind != Kind::Sealed(Level::Initial) || size < DATAGRAM_SIZE {
            let is_late = self.attempts.has_finished(now, from, header);
            return Err(match is_late {
                true => DropReason::FinishedAttempt,
                false => DropReason::UnknownAttempt,
            });
        }
        self.begin_answer(source, header, packet)
    }

    /// The first packet of an attempt that is not known.
    // spec: 7.4 responder states
    fn begin_answer(
        &mut self,
        source: &Source,
        header: &LongHeader,
        packet: &mut [u8],
    ) -> Result<(), DropReason> {
        let Source { now, from, local, .. } = *source;
        if !self.shared.config.accept_incoming {
            return Err(DropReason::Refused);
        }
        if self.attempts.has_finished(now, from, header) {
            return Err(DropReason::FinishedAttempt);
        }
        if self.is_full_from(from.ip()) {
            return Err(DropReason::AddressLimit);
        }
        if self.is_full() {
            return Err(DropReason::ConnectionLimit);
        }
        let is_proven = match self.admission.judge(now, &self.shared.config, from, header) {
            Verdict::Admit { is_proven } => is_proven,
            Verdict::Ask(cookie) => {
                // spec: 4.6 cookie packets
                let ask = LongHeader::of_cookie(header.recipient, header.sender, cookie);
                let mut reply = Reply::new(from, local, ask.size);
                let written = ask.write(&mut Writer::new(reply.bytes_mut()));
                debug_assert!(written.is_ok(), "a reply has room for a cookie of ours");
                self.reply(reply);
                return Err(DropReason::CookieAsked);
            }
            Verdict::Drop => return Err(DropReason::HalfOpenLimit),
        };
        let shared = &mut self.shared;
        let made = self.table.insert(Beginning::default(), |handle| {
            let to = (from, local);
            Connection::answer(shared, now, handle, to, header, packet, is_proven).ok_or(())
        });
        let Ok(handle) = made else {
            self.admission.note_forged(now, from, is_proven);
            return Err(DropReason::NotOpened);
        };
        let number = self.admission.begin(now, &self.shared.config, from, is_proven);
        self.list_attempt(handle);
        if let Some(member) = self.table.get_mut(handle)
            && let Some(beginning) = &mut member.beginning
        {
            beginning.half_open = Some(number);
        }
        self.settle(now, handle);
        Ok(())
    }

    /// Lists the present attempt of a connection, so that its packets find it.
    pub(super) fn list_attempt(&mut self, handle: ConnectionHandle) {
        let Some(member) = self.table.get_mut(handle) else { return };
        let connection = &member.connection;
        let (side, remote) = (connection.side, connection.remote());
        let Some(ids) = connection.ids() else { return };
        if let Some(beginning) = &mut member.beginning {
            let listed = self.attempts.insert(side, remote, &ids, handle);
            beginning.listed = Some(listed);
        }
    }

    /// Whether no further connection fits.
    pub(super) fn is_full(&self) -> bool {
        self.table.kept() >= self.shared.config.connections_max
    }

    /// Whether no further connection fits that this address begins.
    pub(super) fn is_full_from(&self, ip: IpAddr) -> bool {
        self.table.count_from(ip) >= self.shared.config.connections_per_address_max
    }
}
