//! From datagrams to connections.

use std::sync::Arc;

use bytes::BytesMut;
use quinn_proto::{Connection, DatagramEvent, EcnCodepoint, Incoming};

use super::Quic;
use super::config::{MEMBERS_MAX, REPLIES_MAX};
use super::drops::QuicDrop;
use super::events::QuicConnection;
use super::member::{Member, Stage};
use super::outbox::Outbox;
use super::transport::{self, Gauge};
use crate::io::{EcnMark, Local, Receive, Transmit, canonical};
use crate::time::Time;

impl Quic {
    /// Takes one buffer of datagrams from one sender. Nothing in it is trusted.
    pub fn handle_datagram(&mut self, now: Time, from: &Receive, data: &[u8]) {
        self.calendar.set(now);
        let stride = from.stride.max(1);
        let count = data.len().div_ceil(stride) as u64;
        self.shared.stats.datagrams_received += count;
        self.shared.stats.datagram_bytes_received += data.len() as u64;
        if self.shared.events.len() >= self.shared.config.events_max {
            self.shared.stats.count_dropped(QuicDrop::EventQueueFull, count);
            return;
        }
        if self.bans.has_address(now, canonical(from.from).ip()) {
            self.shared.stats.count_dropped(QuicDrop::AddressBanned, count);
            return;
        }
        let mut touched = None;
        // One copy for all of them, which QUIC then opens in place.
        let mut rest = BytesMut::from(data);
        while !rest.is_empty() {
            let datagram = rest.split_to(stride.min(rest.len()));
            let id = self.handle_one(now, from, datagram);
            if touched.is_some() && touched != id {
                self.drive_touched(now, touched);
            }
            touched = id;
        }
        self.drive_touched(now, touched);
    }

    fn drive_touched(&mut self, now: Time, touched: Option<QuicConnection>) {
        if let Some(id) = touched {
            self.drive(now, id);
        }
    }

    /// One datagram; returns the connection that it was for.
    fn handle_one(
        &mut self,
        now: Time,
        from: &Receive,
        datagram: BytesMut,
    ) -> Option<QuicConnection> {
        let (at, remote) = (self.clock.instant(now), canonical(from.from));
        let ecn = match from.ecn {
            EcnMark::None => None,
            EcnMark::Ect0 => Some(EcnCodepoint::Ect0),
            EcnMark::Ect1 => Some(EcnCodepoint::Ect1),
            EcnMark::Ce => Some(EcnCodepoint::Ce),
        };
        let mut reply = Vec::new();
        let event = self.endpoint.handle(at, remote, from.local.ip, ecn, datagram, &mut reply);
        if !matches!(
            event,
            Some(DatagramEvent::ConnectionEvent(..) | DatagramEvent::NewConnection(_))
        ) {
            self.shared.stats.count_dropped(QuicDrop::UnknownConnection, 1);
        }
        match event? {
            DatagramEvent::ConnectionEvent(handle, event) => {
                let id = *self.routes.get(&handle.0)?;
                let member = self.members.get_mut(&id)?;
                let before = (member.local != from.local).then(|| frames_of(&member.connection));
                member.is_urgent = true;
                member.connection.handle_event(event);
                // Anybody may have sent it there, if it did not open.
                if before.is_some_and(|before| before != frames_of(&member.connection)) {
                    member.local = from.local;
                }
                Some(id)
            }
            DatagramEvent::NewConnection(incoming) => self.admit(now, from.local, incoming),
            DatagramEvent::Response(transmit) => {
                self.reply(from.local, &transmit, reply);
                None
            }
        }
    }

    /// Somebody begins a handshake.
    fn admit(&mut self, now: Time, local: Local, incoming: Incoming) -> Option<QuicConnection> {
        let is_half_open = |member: &&Member| member.by_peer && member.stage == Stage::Handshaking;
        let half_open = self.members.values().filter(is_half_open).count();
        let config = &self.shared.config;
        let mut bytes = Vec::new();
        if half_open >= config.half_open_max || self.members.len() >= MEMBERS_MAX {
            self.shared.stats.count_dropped(QuicDrop::HandshakeLimit, 1);
            let transmit = self.endpoint.refuse(incoming, &mut bytes);
            self.reply(local, &transmit, bytes);
            return None;
        }
        let must_prove = half_open >= config.half_open_free_max;
        if must_prove && !incoming.remote_address_validated() {
            self.shared.stats.handshakes_retried += 1;
            let transmit = self.endpoint.retry(incoming, &mut bytes).ok()?;
            self.reply(local, &transmit, bytes);
            return None;
        }
        let gauge = Gauge::default();
        let mut server = self.server.clone();
        server.transport = transport::transport(config, &gauge, &mut self.stream);
        let address = canonical(incoming.remote_address());
        let at = self.clock.instant(now);
        match self.endpoint.accept(incoming, at, &mut bytes, Some(Arc::new(server))) {
            Ok(made) => {
                let deadline = now + config.dial_timeout;
                let id = self.new_id();
                let outbox = self.new_outbox();
                self.routes.insert(made.0.0, id);
                let place = (address, local);
                let member = Member::new(id, made, gauge, outbox, place, None, deadline);
                self.members.insert(id, member);
                Some(id)
            }
            Err(error) => {
                self.shared.stats.count_dropped(QuicDrop::HandshakeInvalid, 1);
                if let Some(transmit) = error.response {
                    self.reply(local, &transmit, bytes);
                }
                None
            }
        }
    }

    pub(super) fn new_id(&mut self) -> QuicConnection {
        let id = QuicConnection(self.next);
        self.next += 1;
        id
    }

    pub(super) fn new_outbox(&self) -> Outbox {
        let config = &self.shared.config;
        let (queue, window) = (config.send_queue_bytes_max, config.send_window_bytes);
        Outbox::new(config.streams, queue, window, self.hash_key)
    }

    fn reply(&mut self, local: Local, transmit: &quinn_proto::Transmit, bytes: Vec<u8>) {
        if self.replies.len() >= REPLIES_MAX {
            self.shared.stats.count_dropped(QuicDrop::ReplyQueueFull, 1);
            return;
        }
        let len = transmit.size;
        let to = canonical(transmit.destination);
        let local = Local { socket: local.socket, ip: transmit.src_ip };
        let ecn = EcnMark::None;
        let ours = Transmit { to, local, len, segment_size: len, ecn, connection: None };
        self.replies.push_back((ours, bytes));
    }
}

/// How many frames came in packets that opened, of the kinds of which a peer that moved sends one.
fn frames_of(connection: &Connection) -> u64 {
    let frames = connection.stats().frame_rx;
    let moves = frames.path_challenge + frames.path_response + frames.ping;
    frames.acks + frames.crypto + frames.stream + moves
}
