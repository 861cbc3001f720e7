//! What a node tells of its connections and channels.

use std::net::SocketAddr;

use crate::id::{Capabilities, ChannelId, ConnectionHandle, PeerId, Role};

/// What a connection is, for people and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The peer.
    pub peer: PeerId,
    /// Where we send to.
    pub address: SocketAddr,
    /// Whether a channel was ever established.
    pub is_connected: bool,
    /// The largest message that one packet takes now, in bytes.
    pub message_bytes_max: usize,
}

/// What a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its connection.
    pub connection: ConnectionHandle,
    /// Its id on the wire; the responder half is `NO_HALF` while it is being opened.
    pub id: ChannelId,
    /// Which side of it we are.
    pub role: Role,
    /// What the opener chose.
    pub capabilities: Capabilities,
    /// Whether messages can flow.
    pub is_established: bool,
}

/// What a read returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes written.
    pub len: usize,
    /// Bytes of the same message still waiting; the next read returns those.
    pub remaining: usize,
}
