//! The sans-IO endpoint: every peer and channel behind one UDP port.

mod stats;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use stats::{ChannelStats, ConnectionStats, DropReason, NodeStats};

use crate::config::{ChannelConfig, NodeConfig};
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, ChannelId, ConnectionHandle, PeerId, Role};
use crate::io::{Event, Local, Receive, SendError, Transmit};
use crate::time::Time;

/// A node: see the law of the loop at the top of the crate.
pub struct Node;

/// What a connection is, for people and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The peer.
    pub peer: PeerId,
    /// Where we send to.
    pub address: SocketAddr,
    /// Whether a channel was ever established.
    pub connected: bool,
    /// Largest message that one packet takes now.
    pub message_bytes_max: usize,
}

/// What a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its connection.
    pub connection: ConnectionHandle,
    /// Its id on the wire; the responder half is `NO_HALF` while pending.
    pub id: ChannelId,
    /// Who opened it.
    pub role: Role,
    /// What the opener chose.
    pub capabilities: Capabilities,
    /// Whether messages can flow.
    pub established: bool,
}

/// What `receive` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes written.
    pub len: usize,
    /// Bytes of the same message still waiting; the next `receive` returns those.
    pub remaining: usize,
}

impl Node {
    /// Makes a node. `seed` is 32 bytes of the system's randomness (in `sim`: of the test's seed).
    pub fn new(_config: NodeConfig, _seed: [u8; 32], _now: Time) -> Result<Node, Error> {
        todo!()
    }

    /// Takes one buffer of datagrams from one sender. Lent messages are ranges of `data`.
    pub fn handle_datagram(&mut self, _now: Time, _from: &Receive, _data: &[u8]) {
        todo!()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, _now: Time) {
        todo!()
    }

    /// The next datagrams to send, as the first `len` bytes of `buf`. The node may swap `buf` for
    /// another buffer (a hand-over without a copy); its length is then no longer the caller's.
    pub fn poll_transmit(&mut self, _now: Time, _buf: &mut Vec<u8>) -> Option<Transmit> {
        todo!()
    }

    /// When `handle_timeout` or `poll_transmit` (bundles) wants to be called next.
    pub fn poll_timeout(&self) -> Option<Time> {
        todo!()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        todo!()
    }

    /// Tells that a transmit failed.
    pub fn handle_send_error(&mut self, _now: Time, _transmit: &Transmit, _error: SendError) {
        todo!()
    }

    /// Datagrams one transmit may hold from now on (1 to `BATCH_SEGMENTS_MAX`).
    pub fn set_segments_max(&mut self, _segments: usize) {
        todo!()
    }

    /// The settings in force.
    pub fn config(&self) -> &NodeConfig {
        todo!()
    }

    /// The connection to `peer`: the one there is, or a new one at `address`.
    pub fn connect(
        &mut self,
        _now: Time,
        _peer: PeerId,
        _address: SocketAddr,
        _local: Local,
    ) -> Result<ConnectionHandle, Error> {
        todo!()
    }

    /// Says yes to a `ConnectionRequest`.
    pub fn accept(&mut self, _now: Time, _connection: ConnectionHandle) -> Result<(), Error> {
        todo!()
    }

    /// Says no to a `ConnectionRequest`. No event follows.
    pub fn refuse(&mut self, _now: Time, _connection: ConnectionHandle) -> Result<(), Error> {
        todo!()
    }

    /// Sends what is queued, then forgets the connection and its channels. v0 has no message for it:
    /// the peer sees an idle timeout.
    pub fn close_connection(
        &mut self,
        _now: Time,
        _connection: ConnectionHandle,
    ) -> Result<(), Error> {
        todo!()
    }

    /// Starts opening a channel; `ChannelOpened` or `ChannelClosed` follows. Messages sent before
    /// that wait, and leave with the handshake's last packet.
    pub fn open_channel(
        &mut self,
        _now: Time,
        _connection: ConnectionHandle,
        _config: &ChannelConfig,
    ) -> Result<ChannelHandle, Error> {
        todo!()
    }

    /// Sends what is queued, then forgets the channel.
    pub fn close_channel(&mut self, _now: Time, _channel: ChannelHandle) -> Result<(), Error> {
        todo!()
    }

    /// Queues a message. `Write`: larger than a packet. `WouldBlock`: queue full, `Writable` follows.
    /// `InvalidArgument`: empty message.
    pub fn send(
        &mut self,
        _now: Time,
        _channel: ChannelHandle,
        _message: &[u8],
    ) -> Result<(), Error> {
        todo!()
    }

    /// Reads the oldest message, or the rest of one. `DataUnavailable`: nothing there.
    pub fn receive(&mut self, _channel: ChannelHandle, _out: &mut [u8]) -> Result<Received, Error> {
        todo!()
    }

    /// Bans a peer id for `span` and closes its connection.
    pub fn ban_peer(&mut self, _now: Time, _peer: PeerId, _span: Duration) -> Result<(), Error> {
        todo!()
    }

    /// Bans an IP address for `span` and closes its connections.
    pub fn ban_address(&mut self, _now: Time, _ip: IpAddr, _span: Duration) -> Result<(), Error> {
        todo!()
    }

    /// Lifts a ban; whether there was one.
    pub fn lift_ban_peer(&mut self, _peer: PeerId) -> bool {
        todo!()
    }

    /// Lifts a ban; whether there was one.
    pub fn lift_ban_address(&mut self, _ip: IpAddr) -> bool {
        todo!()
    }

    /// Counters of the node.
    pub fn stats(&self) -> NodeStats {
        todo!()
    }

    /// Counters of a connection.
    pub fn connection_stats(
        &self,
        _connection: ConnectionHandle,
    ) -> Result<ConnectionStats, Error> {
        todo!()
    }

    /// Counters of a channel.
    pub fn channel_stats(&self, _channel: ChannelHandle) -> Result<ChannelStats, Error> {
        todo!()
    }

    /// What a connection is.
    pub fn connection_info(&self, _connection: ConnectionHandle) -> Result<ConnectionInfo, Error> {
        todo!()
    }

    /// What a channel is.
    pub fn channel_info(&self, _channel: ChannelHandle) -> Result<ChannelInfo, Error> {
        todo!()
    }
}
