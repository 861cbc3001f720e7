//! Protocol v0, the reference's plain format: every v0 peer and channel behind one UDP port.

pub(crate) mod channel;
mod connection;
mod inbound;
mod outbound;
mod path;
mod reference;
mod table;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use crate::bans::Bans;
use crate::config::{BATCH_SEGMENTS_MAX, ChannelConfig, NodeConfig, Profile};
use crate::error::Error;
use crate::id::{ChannelHandle, ConnectionHandle, PeerId, Version};
use crate::info::{ChannelInfo, ConnectionInfo, Received};
use crate::io::{Event, EventQueue, Local, Receive, SendError, Transmit, canonical};
use crate::stats::{ChannelStats, ConnectionStats, DropReason, NodeStats};
use crate::time::Time;
use connection::{Shared, State};
use table::Table;

/// The v0 half of a node.
#[derive(Debug)]
pub(crate) struct Endpoint {
    shared: Shared,
    table: Table,
    bans: Bans,
}

impl Endpoint {
    /// Makes an endpoint. `seed` is 32 bytes of the system's randomness (in `sim`: the test's).
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a setting out of its range; `NodeConfig::check` says which.
    pub(crate) fn new(
        mut config: NodeConfig,
        seed: [u8; 32],
        now: Time,
    ) -> Result<Endpoint, Error> {
        config.check()?;
        if config.profile == Profile::Reference {
            reference::constrain(&mut config);
        }
        let table = Table::new(config.tag);
        Ok(Endpoint { shared: Shared::new(config, seed, now), table, bans: Bans::default() })
    }

    /// Takes the v0 datagrams of one buffer that are back to back in `run`. Lent messages are
    /// ranges of `buffer`.
    pub(crate) fn handle_datagrams(
        &mut self,
        now: Time,
        from: &Receive,
        buffer: &[u8],
        run: Range<usize>,
    ) {
        let Shared { cookies, rng, .. } = &mut self.shared;
        cookies.rotate(now, rng);
        self.handle_run(now, from, buffer, run);
    }

    /// What happened and was not polled yet.
    pub(crate) fn events_mut(&mut self) -> &mut VecDeque<Event> {
        &mut self.shared.events
    }

    /// Who is banned.
    pub(crate) fn bans(&self) -> &Bans {
        &self.bans
    }

    /// Whether nothing from this address is wanted.
    pub(crate) fn has_banned(&self, now: Time, ip: IpAddr) -> bool {
        self.bans.has_address(now, ip)
    }

    /// Does what is due at `now`: retries, keep-alives, idle timeouts.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        let Shared { cookies, rng, .. } = &mut self.shared;
        cookies.rotate(now, rng);
        let shared = &mut self.shared;
        while let Some(handle) = shared.pop_timer(now) {
            let Ok(connection) = shared.channel(handle).map(|channel| channel.connection) else {
                continue;
            };
            let known = self.table.with(connection, |connection| {
                connection.handle_channel_timer(shared, now, handle);
            });
            debug_assert!(known.is_ok(), "a channel's connection exists");
        }
        let idle_timeout = shared.config.idle_timeout;
        while let Some((since, handle)) = self.table.longest_vacant() {
            if idle_timeout.is_zero() || since + idle_timeout > now {
                break;
            }
            let is_dialled = self.table.get(handle).is_ok_and(|c| c.state == State::Dialled);
            let reason = if is_dialled { Error::Timeout } else { Error::Idle };
            self.table.remove(shared, now, handle, reason);
        }
        shared.release_delayed(now);
    }

    /// When `handle_timeout` and `poll_transmit` want to be called next, if nothing else happens.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let shared = &self.shared;
        let timer = shared.timers.first().map(|(due, _)| *due);
        let bundle = shared.output.delayed.front().map(|(due, _)| *due);
        let idle_timeout = shared.config.idle_timeout;
        let vacant = self.table.longest_vacant().filter(|_| !idle_timeout.is_zero());
        let vacant = vacant.map(|(since, _)| since + idle_timeout);
        timer.into_iter().chain(bundle).chain(vacant).min()
    }

    /// The next thing that happened.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.shared.events.pop_front()
    }

    /// Moves all that `poll_event` has to the back of `events`.
    pub(crate) fn take_events(&mut self, events: &mut EventQueue) {
        events.append_events(&mut self.shared.events);
    }

    /// Whether `poll_transmit` may have something right now, without waiting for company.
    pub(crate) fn has_transmits(&self) -> bool {
        !self.shared.output.ready.is_empty()
    }

    /// Whether `poll_event` has something.
    pub(crate) fn has_events(&self) -> bool {
        !self.shared.events.is_empty()
    }

    /// Tells that a transmit failed. Its messages are lost: v0 sends nothing twice.
    pub(crate) fn handle_send_error(&mut self, _now: Time, transmit: &Transmit, error: SendError) {
        let Some(handle) = transmit.connection else { return };
        let Ok(connection) = self.table.get_mut(handle) else { return };
        // An answer to whoever uses the peer's id: it says nothing of the way to the peer.
        if transmit.to != connection.path.remote {
            return;
        }
        let event = match error {
            SendError::Unreachable => {
                Event::PathUnreachable { connection: handle, address: transmit.to }
            }
            SendError::TooLarge if connection.path.shrink(transmit.segment_size) => {
                let packet_size = connection.path.packet_size;
                Event::PacketSizeReduced { connection: handle, packet_size }
            }
            SendError::TooLarge => return,
        };
        if self.shared.events.len() < self.shared.config.events_max {
            self.shared.events.push_back(event);
        }
    }

    /// Datagrams that one transmit may hold from now on (1 to `BATCH_SEGMENTS_MAX`).
    pub(crate) fn set_segments_max(&mut self, segments: usize) {
        self.shared.config.segments_max = segments.clamp(1, BATCH_SEGMENTS_MAX);
    }

    /// The settings in force.
    pub(crate) fn config(&self) -> &NodeConfig {
        &self.shared.config
    }

    /// The connection to `peer`: the one there is, or a new one at `address`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for our own peer id, `InvalidAddress` for port 0 or an unspecified
    /// address, `Banned`, `Limit` when the table is full, `Unsupported` when `legacy` is off.
    pub(crate) fn connect(
        &mut self,
        now: Time,
        peer: PeerId,
        address: SocketAddr,
        local: Local,
    ) -> Result<ConnectionHandle, Error> {
        let address = canonical(address);
        let config = &self.shared.config;
        if peer == config.peer_id {
            return Err(Error::InvalidArgument);
        }
        if address.port() == 0 || address.ip().is_unspecified() {
            return Err(Error::InvalidAddress);
        }
        if self.bans.has_peer(now, peer) || self.bans.has_address(now, address.ip()) {
            return Err(Error::Banned);
        }
        match self.table.by_peer(peer) {
            Some(handle) => Ok(handle),
            None => self.table.dial(&mut self.shared, now, peer, address, local),
        }
    }

    /// Says yes to a `ConnectionRequest`.
    ///
    /// # Errors
    ///
    /// `State` when it was answered already, `InvalidReference` when it is gone.
    pub(crate) fn accept(&mut self, now: Time, connection: ConnectionHandle) -> Result<(), Error> {
        let shared = &mut self.shared;
        self.table.with(connection, |connection| connection.accept(shared, now))?
    }

    /// Says no to a `ConnectionRequest`. No event follows, and what the peer repeats from
    /// there is dropped for a while (`REFUSAL`): v0 cannot tell it.
    ///
    /// # Errors
    ///
    /// As `accept`.
    pub(crate) fn refuse(&mut self, now: Time, connection: ConnectionHandle) -> Result<(), Error> {
        let asking = self.table.get(connection)?;
        let (peer, ip) = (asking.peer, asking.path.remote.ip());
        if asking.state != State::Asked {
            return Err(Error::State);
        }
        self.bans.refuse_peer(now, peer, ip);
        self.shared.count_drop(DropReason::Refused);
        self.table.remove(&mut self.shared, now, connection, Error::Refused);
        Ok(())
    }

    /// Sends what is queued, then forgets the connection and its channels; those still opening are
    /// dropped. v0 has no message for it: the peer sees an idle timeout.
    ///
    /// # Errors
    ///
    /// `InvalidReference`.
    pub(crate) fn close_connection(
        &mut self,
        now: Time,
        connection: ConnectionHandle,
    ) -> Result<(), Error> {
        self.table.get(connection)?;
        self.table.remove(&mut self.shared, now, connection, Error::Closed);
        Ok(())
    }

    /// Starts opening a channel; `ChannelOpened` or `ChannelClosed` follows. Messages sent before
    /// that wait, and leave with the handshake's last packet.
    ///
    /// # Errors
    ///
    /// `InvalidReference`, `Limit` when a table of channels is full, `State` before `accept`.
    pub(crate) fn open_channel(
        &mut self,
        now: Time,
        connection: ConnectionHandle,
        config: &ChannelConfig,
    ) -> Result<ChannelHandle, Error> {
        let Shared { cookies, rng, .. } = &mut self.shared;
        cookies.rotate(now, rng);
        let shared = &mut self.shared;
        self.table.with(connection, |connection| connection.open_channel(shared, now, config))?
    }

    /// Sends what is queued, then forgets the channel; `ChannelClosed` follows. One that is still
    /// opening and has messages to send first opens.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `Closed` when it is closing already.
    pub(crate) fn close_channel(&mut self, now: Time, channel: ChannelHandle) -> Result<(), Error> {
        let shared = &mut self.shared;
        let connection = shared.channel(channel)?.connection;
        self.table.with(connection, |connection| connection.close_channel(shared, now, channel))?
    }

    /// Queues a message for sending.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`; `InvalidArgument` for an empty message; `Write` for one that no packet
    /// of the path takes; `WouldBlock` when a queue is full (`Writable` follows); `Closed` when the
    /// channel is closing; `State` before `accept`.
    pub(crate) fn send(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        message: &[u8],
    ) -> Result<(), Error> {
        let shared = &mut self.shared;
        let connection = shared.channel(channel)?.connection;
        self.table.get_mut(connection)?.send(shared, now, channel, message)
    }

    /// Reads the oldest message, or the rest of one.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `DataUnavailable` when nothing waits.
    pub(crate) fn receive(
        &mut self,
        channel: ChannelHandle,
        out: &mut [u8],
    ) -> Result<Received, Error> {
        let Shared { channels, spare_inboxes, stats, .. } = &mut self.shared;
        let channel = channels.get_mut(channel.0).ok_or(Error::InvalidChannelId)?;
        let received = channel.inbox.as_mut().ok_or(Error::DataUnavailable)?.pop(out)?;
        spare_inboxes.put(&mut channel.inbox);
        stats.receive_queue_bytes -= received.len as u64;
        Ok(received)
    }

    /// Bans a peer id for `span` from now, and closes its connection.
    ///
    /// # Errors
    ///
    /// `Limit` when `BANS_MAX` peers are banned.
    pub(crate) fn ban_peer(
        &mut self,
        now: Time,
        peer: PeerId,
        span: Duration,
    ) -> Result<(), Error> {
        self.bans.ban_peer(now, peer, now + span)?;
        if let Some(handle) = self.table.by_peer(peer) {
            self.table.remove(&mut self.shared, now, handle, Error::Banned);
        }
        Ok(())
    }

    /// Bans an IP address for `span` from now, and closes the connections that are there.
    ///
    /// # Errors
    ///
    /// `Limit` when `BANS_MAX` addresses are banned.
    pub(crate) fn ban_address(
        &mut self,
        now: Time,
        ip: IpAddr,
        span: Duration,
    ) -> Result<(), Error> {
        let ip = canonical(SocketAddr::new(ip, 0)).ip();
        self.bans.ban_address(now, ip, now + span)?;
        let there = self.table.iter().filter(|connection| connection.path.remote.ip() == ip);
        let handles: Vec<ConnectionHandle> = there.map(|connection| connection.handle).collect();
        for handle in handles {
            self.table.remove(&mut self.shared, now, handle, Error::Banned);
        }
        Ok(())
    }

    /// Lifts a ban; whether there was one.
    pub(crate) fn lift_ban_peer(&mut self, peer: PeerId) -> bool {
        self.bans.lift_peer(peer)
    }

    /// Lifts a ban; whether there was one.
    pub(crate) fn lift_ban_address(&mut self, ip: IpAddr) -> bool {
        self.bans.lift_address(canonical(SocketAddr::new(ip, 0)).ip())
    }

    /// Counters of the node.
    pub(crate) fn stats(&self) -> NodeStats {
        let send_queue_bytes = self.shared.output.bytes as u64;
        NodeStats { send_queue_bytes, ..self.shared.stats.clone() }
    }

    /// Counters of a connection.
    ///
    /// # Errors
    ///
    /// `InvalidReference`.
    pub(crate) fn connection_stats(
        &self,
        connection: ConnectionHandle,
    ) -> Result<ConnectionStats, Error> {
        let connection = self.table.get(connection)?;
        let channels = connection.channel_count() as u64;
        let packet_size = connection.path.packet_size as u64;
        let (send_queue_bytes, receive_queue_bytes) = connection.queued_bytes(&self.shared);
        Ok(ConnectionStats {
            channels,
            packet_size,
            send_queue_bytes,
            receive_queue_bytes,
            ..connection.stats
        })
    }

    /// Counters of a channel.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`.
    pub(crate) fn channel_stats(&self, channel: ChannelHandle) -> Result<ChannelStats, Error> {
        let channel = self.shared.channel(channel)?;
        Ok(ChannelStats {
            send_queue_bytes: channel.queued_bytes() as u64,
            send_queue_messages: channel.queued_packets() as u64,
            receive_queue_bytes: channel.inbox.as_ref().map_or(0, |inbox| inbox.bytes()) as u64,
            receive_queue_messages: channel.inbox.as_ref().map_or(0, |inbox| inbox.len()) as u64,
            ..channel.stats
        })
    }

    /// Bytes of the oldest message that waits, or of what is left of it.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `DataUnavailable` when nothing waits.
    pub(crate) fn next_message_bytes(&self, channel: ChannelHandle) -> Result<usize, Error> {
        let inbox = self.shared.channel(channel)?.inbox.as_ref();
        inbox.and_then(|inbox| inbox.next_bytes()).ok_or(Error::DataUnavailable)
    }

    /// What a connection is.
    ///
    /// # Errors
    ///
    /// `InvalidReference`.
    pub(crate) fn connection_info(
        &self,
        connection: ConnectionHandle,
    ) -> Result<ConnectionInfo, Error> {
        let connection = self.table.get(connection)?;
        Ok(ConnectionInfo {
            peer: connection.peer,
            address: connection.path.remote,
            observed_address: None,
            version: Version::V0,
            is_encrypted: false,
            public_key: None,
            is_connected: connection.state == State::Connected,
            packet_message_bytes: connection.message_bytes_max(),
            message_bytes_max: connection.message_bytes_max(),
        })
    }

    /// What a channel is.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`.
    pub(crate) fn channel_info(&self, channel: ChannelHandle) -> Result<ChannelInfo, Error> {
        let channel: &channel::Channel = self.shared.channel(channel)?;
        let of_all = ChannelConfig::default();
        Ok(ChannelInfo {
            connection: channel.connection,
            id: channel.id,
            role: channel.role,
            capabilities: channel.capabilities,
            is_established: channel.is_established(),
            label: Box::default(),
            is_early: false,
            priority: of_all.priority,
            weight: of_all.weight,
        })
    }
}
