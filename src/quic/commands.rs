//! What the owner asks for.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Quic;
use super::config::{MEMBERS_MAX, Trust};
use super::drops::QuicDrop;
use super::events::{QuicChannel, QuicConnection, Waiting};
use super::inbox::Queue;
use super::member::{Code, End, Member, Stage};
use super::message::{LABEL_BYTES_MAX, QuicMessage, TeamId};
use super::tls::server_name;
use super::transport::{self, Gauge};
use crate::error::Error;
use crate::id::PeerId;
use crate::io::{Local, canonical};
use crate::time::Time;

impl Quic {
    /// Sends a message on the connection to `address`: the one of the map, or a new one. It is
    /// taken whole, or not at all.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a label above [`LABEL_BYTES_MAX`]; `TooLarge` for a message above
    /// `message_bytes_max`; `WouldBlock` when the queue of that peer is full (`Writable` follows);
    /// `InvalidAddress`; `Banned`; `Limit` when too many connections are being made or closed.
    pub fn send(
        &mut self,
        now: Time,
        address: SocketAddr,
        team_id: TeamId,
        label: &str,
        message: &[u8],
    ) -> Result<(), Error> {
        if label.len() > LABEL_BYTES_MAX {
            return Err(Error::InvalidArgument);
        }
        let head = QuicMessage::ChannelMessage { team_id: team_id.0, label };
        self.send_with_head(|| now, address, head, message)?;
        Ok(())
    }

    /// Sends a sync message, as `send`.
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_sync(
        &mut self,
        now: Time,
        address: SocketAddr,
        message: &[u8],
    ) -> Result<(), Error> {
        self.send_with_head(|| now, address, QuicMessage::Sync, message)?;
        Ok(())
    }

    /// Takes the oldest message; returns its channel and how many bytes of `target` it has.
    ///
    /// # Errors
    ///
    /// `InsufficientBufferSize` when `target` is too small: the message stays the oldest, and
    /// `next_message` tells how long it is.
    pub fn receive(
        &mut self,
        now: Time,
        target: &mut [u8],
    ) -> Result<Option<(QuicChannel, usize)>, Error> {
        let Some(waiting) = self.next_message() else { return Ok(None) };
        let place = target.get_mut(..waiting.message.len());
        let place = place.ok_or(Error::InsufficientBufferSize)?;
        place.copy_from_slice(waiting.message);
        let len = waiting.message.len();
        let Waiting { address, team_id, label, .. } = waiting;
        let channel = QuicChannel { address, team_id, label: label.to_owned() };
        self.pop_message(now);
        Ok(Some((channel, len)))
    }

    /// Takes the oldest sync message; returns who sent it and how many bytes of `target` it has.
    ///
    /// # Errors
    ///
    /// As `receive`, with `next_sync`.
    pub fn receive_sync(
        &mut self,
        now: Time,
        target: &mut [u8],
    ) -> Result<Option<(SocketAddr, usize)>, Error> {
        let Some(waiting) = self.next_sync() else { return Ok(None) };
        let place = target.get_mut(..waiting.message.len());
        let place = place.ok_or(Error::InsufficientBufferSize)?;
        place.copy_from_slice(waiting.message);
        let found = (waiting.address, waiting.message.len());
        self.pop_sync(now);
        Ok(Some(found))
    }

    /// The oldest message, where it lies.
    pub fn next_message(&self) -> Option<Waiting<'_>> {
        self.shared.inbox.front(Queue::Messages)
    }

    /// The oldest sync message, where it lies.
    pub fn next_sync(&self) -> Option<Waiting<'_>> {
        self.shared.inbox.front(Queue::Syncs)
    }

    /// Forgets the oldest message; peers that were held back go on.
    pub fn pop_message(&mut self, now: Time) {
        self.pop(|| now, Queue::Messages);
    }

    /// Forgets the oldest sync message.
    pub fn pop_sync(&mut self, now: Time) {
        self.pop(|| now, Queue::Syncs);
    }

    /// As `pop_message`; `now` is asked only if that lets a peer go on.
    pub(crate) fn pop_message_by(&mut self, now: impl FnOnce() -> Time) {
        self.pop(now, Queue::Messages);
    }

    /// Begins a connection with `peer` at `address` from `local`, without a message. One that is
    /// there already stays.
    ///
    /// # Errors
    ///
    /// `InvalidAddress`, `Banned`, `Limit`; `Identity` when somebody else is there.
    pub fn connect(
        &mut self,
        now: Time,
        address: SocketAddr,
        peer: Option<PeerId>,
        local: Local,
    ) -> Result<QuicConnection, Error> {
        let address = canonical(address);
        let there = self.map.get(address).and_then(|id| self.members.get(&id));
        if let Some(there) = there {
            let is_other = |known: PeerId| peer.is_some_and(|peer| peer != known);
            return match there.peer.or(there.expected).is_some_and(is_other) {
                true => Err(Error::Identity),
                false => Ok(there.id),
            };
        }
        self.dial(now, address, peer, local)
    }

    /// Closes the connection to an address once everything was sent, or `drain_timeout` passed, and
    /// takes it from the map at once.
    ///
    /// # Errors
    ///
    /// `InvalidReference` when there is none.
    pub fn close(&mut self, now: Time, address: SocketAddr) -> Result<(), Error> {
        let id = self.map.remove(canonical(address)).ok_or(Error::InvalidReference)?;
        self.drain(now, id, End::of(Error::Closed, Code::Closed, "closed"));
        Ok(())
    }

    /// Closes all connections as `close` does, and accepts no further one: the way to end.
    pub fn close_all(&mut self, now: Time) {
        self.endpoint.set_server_config(None);
        let all: Vec<QuicConnection> = self.members.keys().copied().collect();
        for id in all {
            if let Some(member) = self.members.get(&id) {
                self.map.remove_if(member.address, id);
            }
            self.drain(now, id, End::of(Error::Closed, Code::Closed, "closed"));
        }
    }

    /// Whether no connection is left, not even one that drains.
    pub fn is_idle(&self) -> bool {
        self.members.is_empty()
    }

    /// Says yes to a `ConnectionRequest`.
    ///
    /// # Errors
    ///
    /// `InvalidReference` when it is gone, `State` when it was answered.
    pub fn accept(&mut self, now: Time, connection: QuicConnection) -> Result<(), Error> {
        self.asking(connection)?;
        self.accept_member(now, connection);
        self.drive(now, connection);
        Ok(())
    }

    /// Says no to a `ConnectionRequest`; `ConnectionClosed` follows.
    ///
    /// # Errors
    ///
    /// As `accept`.
    pub fn refuse(&mut self, now: Time, connection: QuicConnection) -> Result<(), Error> {
        self.asking(connection)?;
        self.turn_away(now, connection, QuicDrop::PeerRefused, "you are not wanted here");
        self.drive(now, connection);
        Ok(())
    }

    /// Lets a peer connect from now on without being asked about. With certificates it changes
    /// nothing.
    pub fn trust_peer(&mut self, peer: PeerId) {
        if let Trust::RawKeys { peers, .. } = &mut self.shared.config.trust
            && !peers.contains(&peer)
        {
            peers.push(peer);
        }
    }

    /// Takes `trust_peer` back, for connections to come; whether the peer was known.
    pub fn distrust_peer(&mut self, peer: PeerId) -> bool {
        let Trust::RawKeys { peers, .. } = &mut self.shared.config.trust else { return false };
        let before = peers.len();
        peers.retain(|known| *known != peer);
        peers.len() < before
    }

    /// Queues a message; returns its connection and lane.
    pub(super) fn send_with_head(
        &mut self,
        now: impl FnOnce() -> Time,
        address: SocketAddr,
        head: QuicMessage<'_>,
        message: &[u8],
    ) -> Result<(QuicConnection, usize), Error> {
        if message.len() > self.shared.config.message_bytes_max {
            return Err(Error::TooLarge);
        }
        let address = canonical(address);
        let id = match self.map.touch(address) {
            Some(id) => id,
            None => self.dial(now(), address, None, Local::default())?,
        };
        let member = self.members.get_mut(&id).ok_or(Error::Unexpected)?;
        if !member.outbox.has_room() {
            return Err(Error::WouldBlock);
        }
        let lane = member.outbox.push(head, message);
        member.messages_sent += 1;
        member.wants_transmit = true;
        self.shared.stats.messages_sent += 1;
        self.shared.stats.bytes_sent += message.len() as u64;
        Ok((id, lane))
    }

    fn dial(
        &mut self,
        now: Time,
        address: SocketAddr,
        peer: Option<PeerId>,
        local: Local,
    ) -> Result<QuicConnection, Error> {
        if address.port() == 0 || address.ip().is_unspecified() {
            return Err(Error::InvalidAddress);
        }
        let is_banned = peer.is_some_and(|peer| self.bans.has_peer(now, peer));
        if is_banned || self.bans.has_address(now, address.ip()) {
            return Err(Error::Banned);
        }
        if self.members.len() >= MEMBERS_MAX {
            return Err(Error::Limit);
        }
        self.calendar.set(now);
        let gauge = Gauge::default();
        let first = transport::first_id(&mut self.stream);
        let mut client = quinn_proto::ClientConfig::new(Arc::clone(&self.tls.client) as _);
        let settings = transport::transport(&self.shared.config, &gauge, &mut self.stream);
        client.transport_config(settings).initial_dst_cid_provider(Arc::new(move || first));
        let name = server_name(&self.shared.config.trust, address, peer);
        let at = self.clock.instant(now);
        let made = self.endpoint.connect(at, client, address, &name);
        let made = made.map_err(|_| Error::InvalidAddress)?;
        let (id, outbox) = (self.new_id(), self.new_outbox());
        let deadline = now + self.shared.config.dial_timeout;
        self.routes.insert(made.0.0, id);
        let place = (address, local);
        let member = Member::new(id, made, gauge, outbox, place, peer, deadline);
        self.members.insert(id, member);
        self.take_place(now, id, address);
        self.drive(now, id);
        Ok(id)
    }

    fn pop(&mut self, now: impl FnOnce() -> Time, queue: Queue) {
        if self.shared.inbox.pop(queue).is_none() || !self.shared.is_any_held {
            return;
        }
        let is_held = |member: &&Member| member.is_held;
        let held: Vec<QuicConnection> =
            self.members.values().filter(is_held).map(|member| member.id).collect();
        self.shared.is_any_held = false;
        let now = now();
        for id in held {
            // Reading frees windows of QUIC, which the peer must be told.
            if let Some(member) = self.members.get_mut(&id) {
                member.wants_transmit = true;
            }
            self.finish_drive(now, id);
        }
    }

    fn asking(&self, connection: QuicConnection) -> Result<(), Error> {
        let member = self.members.get(&connection).ok_or(Error::InvalidReference)?;
        if member.stage == Stage::Asking { Ok(()) } else { Err(Error::State) }
    }
}
