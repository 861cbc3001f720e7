//! The sans-IO node: what every program sees of the protocols behind one UDP port.

mod reference;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::config::{ChannelConfig, NodeConfig};
use crate::error::Error;
use crate::id::{ChannelHandle, ConnectionHandle, PeerId};
pub use crate::info::{ChannelInfo, ConnectionInfo, Received};
use crate::io::{Event, Local, Receive, SendError, Transmit};
pub use crate::stats::{ChannelStats, ConnectionStats, DropReason, NodeStats};
use crate::time::Time;
use crate::v0;

/// A node: see the law of the loop at the top of the crate.
#[derive(Debug)]
pub struct Node {
    v0: v0::Endpoint,
}

impl Node {
    /// Makes a node. `seed` is 32 bytes of the system's randomness (in `sim`: of the test's seed).
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a setting out of its range; `NodeConfig::check` says which.
    pub fn new(config: NodeConfig, seed: [u8; 32], now: Time) -> Result<Node, Error> {
        Ok(Node { v0: v0::Endpoint::new(config, seed, now)? })
    }

    /// Takes one buffer of datagrams from one sender. Lent messages are ranges of `data`.
    ///
    /// Nothing in `data` is trusted; what is no use is dropped and counted by reason.
    pub fn handle_datagram(&mut self, now: Time, from: &Receive, data: &[u8]) {
        self.v0.handle_datagram(now, from, data)
    }

    /// Does what is due at `now`: retries, keep-alives, idle timeouts.
    pub fn handle_timeout(&mut self, now: Time) {
        self.v0.handle_timeout(now)
    }

    /// When `handle_timeout` and `poll_transmit` want to be called next, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.v0.poll_timeout()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.v0.poll_event()
    }

    /// Moves all that `poll_event` has to the back of `events`.
    pub fn take_events(&mut self, events: &mut VecDeque<Event>) {
        self.v0.take_events(events)
    }

    /// Whether `poll_transmit` may have something right now, without waiting for company.
    pub fn has_transmits(&self) -> bool {
        self.v0.has_transmits()
    }

    /// Whether `poll_event` has something.
    pub fn has_events(&self) -> bool {
        self.v0.has_events()
    }

    /// The next datagrams to send, as the first `len` bytes of `buf`.
    ///
    /// `buf` may be swapped for another buffer: that hands packets over without a copy. Its length
    /// is then whatever the other one had; pass it again as it is.
    pub fn poll_transmit(&mut self, now: Time, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.v0.poll_transmit(now, buf)
    }

    /// Tells that a transmit failed. Its messages are lost: v0 sends nothing twice.
    pub fn handle_send_error(&mut self, now: Time, transmit: &Transmit, error: SendError) {
        self.v0.handle_send_error(now, transmit, error)
    }

    /// Datagrams that one transmit may hold from now on (1 to `BATCH_SEGMENTS_MAX`).
    pub fn set_segments_max(&mut self, segments: usize) {
        self.v0.set_segments_max(segments)
    }

    /// The settings in force.
    pub fn config(&self) -> &NodeConfig {
        self.v0.config()
    }

    /// The connection to `peer`: the one there is, or a new one at `address`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for our own peer id, `InvalidAddress` for port 0 or an unspecified
    /// address, `Banned`, `Limit` when the table is full, `Unsupported` when `legacy` is off.
    pub fn connect(
        &mut self,
        now: Time,
        peer: PeerId,
        address: SocketAddr,
        local: Local,
    ) -> Result<ConnectionHandle, Error> {
        self.v0.connect(now, peer, address, local)
    }

    /// Says yes to a `ConnectionRequest`.
    ///
    /// # Errors
    ///
    /// `State` when it was answered already, `InvalidReference` when it is gone.
    pub fn accept(&mut self, now: Time, connection: ConnectionHandle) -> Result<(), Error> {
        self.v0.accept(now, connection)
    }

    /// Says no to a `ConnectionRequest`. No event follows, and what the peer repeats from
    /// there is dropped for a while (`REFUSAL`): v0 cannot tell it.
    ///
    /// # Errors
    ///
    /// As `accept`.
    pub fn refuse(&mut self, now: Time, connection: ConnectionHandle) -> Result<(), Error> {
        self.v0.refuse(now, connection)
    }

    /// Sends what is queued, then forgets the connection and its channels; those still opening are
    /// dropped. v0 has no message for it: the peer sees an idle timeout.
    ///
    /// # Errors
    ///
    /// `InvalidReference`.
    pub fn close_connection(
        &mut self,
        now: Time,
        connection: ConnectionHandle,
    ) -> Result<(), Error> {
        self.v0.close_connection(now, connection)
    }

    /// Starts opening a channel; `ChannelOpened` or `ChannelClosed` follows. Messages sent before
    /// that wait, and leave with the handshake's last packet.
    ///
    /// # Errors
    ///
    /// `InvalidReference`, `Limit` when a table of channels is full, `State` before `accept`.
    pub fn open_channel(
        &mut self,
        now: Time,
        connection: ConnectionHandle,
        config: &ChannelConfig,
    ) -> Result<ChannelHandle, Error> {
        self.v0.open_channel(now, connection, config)
    }

    /// Sends what is queued, then forgets the channel; `ChannelClosed` follows. One that is still
    /// opening and has messages to send first opens.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `Closed` when it is closing already.
    pub fn close_channel(&mut self, now: Time, channel: ChannelHandle) -> Result<(), Error> {
        self.v0.close_channel(now, channel)
    }

    /// Queues a message for sending.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`; `InvalidArgument` for an empty message; `Write` for one that no packet
    /// of the path takes; `WouldBlock` when a queue is full (`Writable` follows); `Closed` when the
    /// channel is closing; `State` before `accept`.
    pub fn send(&mut self, now: Time, channel: ChannelHandle, message: &[u8]) -> Result<(), Error> {
        self.v0.send(now, channel, message)
    }

    /// Reads the oldest message, or the rest of one.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `DataUnavailable` when nothing waits.
    pub fn receive(&mut self, channel: ChannelHandle, out: &mut [u8]) -> Result<Received, Error> {
        self.v0.receive(channel, out)
    }

    /// Bans a peer id for `span` from now, and closes its connection.
    ///
    /// # Errors
    ///
    /// `Limit` when `BANS_MAX` peers are banned.
    pub fn ban_peer(&mut self, now: Time, peer: PeerId, span: Duration) -> Result<(), Error> {
        self.v0.ban_peer(now, peer, span)
    }

    /// Bans an IP address for `span` from now, and closes the connections that are there.
    ///
    /// # Errors
    ///
    /// `Limit` when `BANS_MAX` addresses are banned.
    pub fn ban_address(&mut self, now: Time, ip: IpAddr, span: Duration) -> Result<(), Error> {
        self.v0.ban_address(now, ip, span)
    }

    /// Lifts a ban; whether there was one.
    pub fn lift_ban_peer(&mut self, peer: PeerId) -> bool {
        self.v0.lift_ban_peer(peer)
    }

    /// Lifts a ban; whether there was one.
    pub fn lift_ban_address(&mut self, ip: IpAddr) -> bool {
        self.v0.lift_ban_address(ip)
    }

    /// Counters of the node.
    pub fn stats(&self) -> NodeStats {
        self.v0.stats()
    }

    /// Counters of a connection.
    ///
    /// # Errors
    ///
    /// `InvalidReference`.
    pub fn connection_stats(&self, connection: ConnectionHandle) -> Result<ConnectionStats, Error> {
        self.v0.connection_stats(connection)
    }

    /// Counters of a channel.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`.
    pub fn channel_stats(&self, channel: ChannelHandle) -> Result<ChannelStats, Error> {
        self.v0.channel_stats(channel)
    }

    /// What a connection is.
    ///
    /// # Errors
    ///
    /// `InvalidReference`.
    pub fn connection_info(&self, connection: ConnectionHandle) -> Result<ConnectionInfo, Error> {
        self.v0.connection_info(connection)
    }

    /// What a channel is.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`.
    pub fn channel_info(&self, channel: ChannelHandle) -> Result<ChannelInfo, Error> {
        self.v0.channel_info(channel)
    }
}
