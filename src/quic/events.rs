//! What QUIC channels tell their owner: events, counters, what a message and a connection are.

use std::net::SocketAddr;
use std::time::Duration;

use super::drops::{QUIC_DROPS, QuicDrop};
use super::message::{FrameError, TeamId};
use crate::crypto::PublicKey;
use crate::error::Error;
use crate::id::PeerId;
use crate::io::CloseReason;

/// A connection as events name it. No number is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuicConnection(pub u64);

/// Where a message came from, or goes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuicChannel {
    /// The peer's address, canonical.
    pub address: SocketAddr,
    /// The team.
    pub team_id: TeamId,
    /// What the channel is called in its team.
    pub label: String,
}

/// The oldest message that waits, where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// The peer's address, canonical, when the message came.
    pub address: SocketAddr,
    /// Who it is from.
    pub peer: PeerId,
    /// Its team; of sync messages zeros.
    pub team_id: TeamId,
    /// Its label; of sync messages empty.
    pub label: &'a str,
    /// The message.
    pub message: &'a [u8],
}

/// What happened. Drain with `poll_event` after every call that changes a `Quic`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuicEvent {
    /// A peer that is not known proved its key, and the owner says `accept` or `refuse`; until then
    /// nothing is read from it.
    ConnectionRequest {
        /// The waiting connection.
        connection: QuicConnection,
        /// Where the peer is.
        address: SocketAddr,
        /// Its id.
        peer: PeerId,
        /// Its raw public key; none with certificates.
        public_key: Option<PublicKey>,
    },
    /// A peer proved who it is, and may send and be sent to.
    Connected {
        /// The connection.
        connection: QuicConnection,
        /// Where the peer is.
        address: SocketAddr,
        /// Its id.
        peer: PeerId,
        /// Whether it began.
        by_peer: bool,
    },
    /// A connection ended. All that arrived whole on it waits for `receive`, or was received.
    ConnectionClosed {
        /// The connection that was.
        connection: QuicConnection,
        /// Where the peer was.
        address: SocketAddr,
        /// Who it was, if it came to say.
        peer: Option<PeerId>,
        /// Why: `Closed` (by us), `Limit` (evicted for another), `Superseded`, `Identity` (not who
        /// it should be), `Refused`, `Timeout` (never answered), `Idle`, `PeerClosed`, `Reset`,
        /// `Crypto`, `Protocol`.
        reason: Error,
        /// What was said with it, by either side.
        said: Option<Box<CloseReason>>,
        /// Messages taken for sending of which it is not known that they arrived; some may have.
        undelivered: u64,
        /// Messages of the peer that broke off in their middle; nothing of them is delivered.
        cut: u64,
    },
    /// The queue of messages went from empty to having some.
    Readable,
    /// The queue of sync messages went from empty to having some.
    SyncReadable,
    /// A peer for which a send was `WouldBlock` can be sent to again.
    Writable {
        /// The peer's address.
        address: SocketAddr,
    },
    /// A peer sent a frame that is none; its stream was stopped, and nothing else.
    FrameRefused {
        /// The connection.
        connection: QuicConnection,
        /// The peer's address.
        address: SocketAddr,
        /// What is wrong with the frame.
        error: FrameError,
    },
    /// A peer stopped a stream of ours.
    MessagesLost {
        /// The connection.
        connection: QuicConnection,
        /// The peer's address.
        address: SocketAddr,
        /// Messages on it of which it is not known that they arrived.
        count: u64,
        /// The error code that it gave; of peers like us, a `FrameError`.
        code: u64,
    },
    /// A peer moved: it is at this address now.
    AddressChanged {
        /// The connection.
        connection: QuicConnection,
        /// Where it was.
        from: SocketAddr,
        /// Where it is.
        to: SocketAddr,
    },
}

/// Counters since the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuicStats {
    /// Connections in the map now.
    pub connections: u64,
    /// Connections that drain, or begin and are not in the map yet, or are still being read.
    pub connections_beside: u64,
    /// Connections that we began.
    pub dialled: u64,
    /// Connections that peers began and that were accepted.
    pub accepted: u64,
    /// Connections that were evicted for another.
    pub evicted: u64,
    /// Connections that gave way to another with the same peer.
    pub superseded: u64,
    /// Handshakes of others that were asked to prove their address.
    pub handshakes_retried: u64,
    /// Messages taken for sending, sync messages included.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages received whole, sync messages included.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Messages that were taken for sending and of which it is not known that they arrived.
    pub messages_undelivered: u64,
    /// Bytes that wait for `receive`, with those of unfinished messages.
    pub receive_bytes: u64,
    /// Messages that wait for `receive`, and unfinished ones.
    pub receive_messages: u64,
    /// Bytes that wait to be given to QUIC.
    pub send_queue_bytes: u64,
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Their bytes.
    pub datagram_bytes_received: u64,
    /// Datagrams built for sending.
    pub datagrams_sent: u64,
    /// Their bytes.
    pub datagram_bytes_sent: u64,
    /// What was not taken, by [`QuicDrop`].
    pub dropped: [u64; QUIC_DROPS],
}

impl QuicStats {
    /// How often something was not taken for `reason`.
    pub const fn dropped(&self, reason: QuicDrop) -> u64 {
        self.dropped[reason as usize]
    }

    /// How many frames were refused for `error`.
    pub const fn frames_refused(&self, error: FrameError) -> u64 {
        self.dropped(QuicDrop::of_frame(error))
    }

    pub(super) fn count_dropped(&mut self, reason: QuicDrop, count: u64) {
        self.dropped[reason as usize] += count;
    }
}

/// What a connection is, and how it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuicInfo {
    /// The connection.
    pub connection: QuicConnection,
    /// The peer's address, canonical.
    pub address: SocketAddr,
    /// The peer, once it proved who it is.
    pub peer: Option<PeerId>,
    /// Whether messages can flow.
    pub is_connected: bool,
    /// Whether the peer has let us in, too: of a connection that we began this is known half a
    /// round trip later.
    pub is_confirmed: bool,
    /// Whether the peer began it.
    pub by_peer: bool,
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// The least round-trip time.
    pub min_rtt: Duration,
    /// Bytes that may be in flight.
    pub congestion_window_bytes: u64,
    /// Bytes that may leave in a second; 0: nothing but the window limits.
    pub pacing_rate_bytes: u64,
    /// Bytes in flight.
    pub in_flight_bytes: u64,
    /// Bytes that wait to be given to QUIC.
    pub send_queue_bytes: u64,
    /// Bytes that wait for `receive`, with those of unfinished messages.
    pub receive_bytes: u64,
    /// Messages that wait for `receive`.
    pub receive_messages: u64,
    /// Messages taken for sending on it.
    pub messages_sent: u64,
    /// Messages received whole on it.
    pub messages_received: u64,
    /// Messages of the peer that broke off in their middle.
    pub messages_cut: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets lost.
    pub packets_lost: u64,
    /// Bytes of packets lost.
    pub bytes_lost: u64,
    /// Times that loss or marks made congestion control slow down, or think about it.
    pub congestion_events: u64,
    /// Bytes of payload in the largest packet.
    pub packet_size: u16,
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Their bytes.
    pub datagram_bytes_sent: u64,
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Their bytes.
    pub datagram_bytes_received: u64,
}
