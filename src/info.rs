//! What a node tells of its connections and channels.

use std::net::SocketAddr;

use crate::crypto::PublicKey;
use crate::id::{Capabilities, ChannelId, ConnectionHandle, PeerId, Role, Version};
pub use crate::io::CloseReason;
use crate::io::Local;

/// What a connection is, for people and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The peer.
    pub peer: PeerId,
    /// Where we send to.
    pub address: SocketAddr,
    /// Where the peer sees our packets come from, as it says: through a NAT, or not. Never in v0.
    pub observed_address: Option<SocketAddr>,
    /// The protocol spoken.
    pub version: Version,
    /// Whether what is sent is encrypted and the peer is who it says. Never in v0.
    pub is_encrypted: bool,
    /// The peer's key, once it showed it. Never in v0.
    pub public_key: Option<PublicKey>,
    /// Whether v0: a channel was ever established; v1: the handshake is done.
    pub is_connected: bool,
    /// The largest message that one packet takes now, in bytes. v1 cuts larger ones in pieces.
    pub packet_message_bytes: usize,
    /// The largest message that can be sent now: v0, what one packet takes; v1, the least of what
    /// the peer takes and what `send_queue_bytes_max` holds.
    pub message_bytes_max: usize,
}

/// What a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its connection.
    pub connection: ConnectionHandle,
    /// Its id on the wire; in v0 the responder half is `NO_HALF` while it is being opened, and in
    /// v1 the halves are those of one number (`ChannelId::to_wire`).
    pub id: ChannelId,
    /// Which side of it we are.
    pub role: Role,
    /// What the opener chose.
    pub capabilities: Capabilities,
    /// Whether messages can flow.
    pub is_established: bool,
    /// What the opener calls it; in v0 always empty.
    pub label: Box<[u8]>,
    /// Whether it was opened in early data that may have been replayed. Never in v0.
    pub is_early: bool,
    /// 0 (first) to 7 (last), as the opener chose; v0 has none: 3.
    pub priority: u8,
    /// Its share beside channels of the same priority, as the opener chose; v0 has none: 16.
    pub weight: u8,
}

/// What a read returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes written.
    pub len: usize,
    /// Bytes of the same message still waiting; the next read returns those.
    pub remaining: usize,
}

/// Whom to connect to, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dial {
    /// The protocol to speak.
    pub version: Version,
    /// The peer that must answer. None, whoever does: only in v1, where it proves who it is.
    pub peer: Option<PeerId>,
    /// Where it is.
    pub address: SocketAddr,
    /// The socket and address of ours to dial from.
    pub local: Local,
}

impl Dial {
    /// Protocol v0, from the first socket.
    pub fn v0(peer: PeerId, address: SocketAddr) -> Dial {
        Dial { version: Version::V0, peer: Some(peer), address, local: Local::default() }
    }

    /// Protocol v1 with `peer`, from the first socket.
    pub fn v1(peer: PeerId, address: SocketAddr) -> Dial {
        Dial { version: Version::V1, peer: Some(peer), address, local: Local::default() }
    }
}
