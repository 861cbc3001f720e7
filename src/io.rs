//! What goes in and out of the core: datagrams and events, as plain data.

mod queue;

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;

use crate::error::Error;
use crate::id::{ChannelHandle, ChannelId, ConnectionHandle, PeerId};
pub use queue::EventQueue;

/// Our end of a datagram: which socket, and which of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Local {
    /// Index of the socket in the order the engine bound them; 0 where there is only one.
    pub socket: u16,
    /// The address the peer sent to, so that answers leave from it. None: the system chooses.
    pub ip: Option<IpAddr>,
}

/// The two bits of a datagram by which the network says that it is congested (ECN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum EcnMark {
    /// Not ECT: the network has to drop what it cannot carry.
    #[default]
    None,
    /// ECT(1). We send none.
    Ect1,
    /// ECT(0): the network may mark it CE in place of dropping another.
    Ect0,
    /// Congestion experienced.
    Ce,
}

/// Where received bytes came from.
#[derive(Debug, Clone, Copy)]
pub struct Receive {
    /// The sender's address, canonical (see [`canonical`]).
    pub from: SocketAddr,
    /// Which socket and address of ours they came to.
    pub local: Local,
    /// Size of each datagram in the buffer (GRO); only the last may be shorter. At least 1.
    pub stride: usize,
    /// The mark that each of them came with; none where the system does not tell.
    pub ecn: EcnMark,
}

/// Where bytes go. The bytes are the first `len` of the buffer given to `poll_transmit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// The receiver's address, canonical.
    pub to: SocketAddr,
    /// Which socket and address of ours to send from.
    pub local: Local,
    /// Bytes to send.
    pub len: usize,
    /// Size of each datagram in them (GSO); only the last may be shorter. Equal to `len` when
    /// there is one.
    pub segment_size: usize,
    /// The mark that each leaves with. It may be left out where the system cannot set it.
    pub ecn: EcnMark,
    /// The connection they are for; none for answers to strangers.
    pub connection: Option<ConnectionHandle>,
}

/// Why a datagram could not be sent, as far as the core cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// Larger than the path or interface takes.
    TooLarge,
    /// The address, its host or its network cannot be reached.
    Unreachable,
}

/// What happened. Drain with `poll_event` after every call that changes a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A peer that we did not dial proved its address. The owner answers with `accept` or `refuse`;
    /// until then nothing else of this connection is reported and none of its channels confirmed.
    /// Messages that came meanwhile wait for `receive`, announced by `Readable` after `accept`,
    /// also with `lend_messages`.
    ConnectionRequest {
        /// Handle of the waiting connection.
        connection: ConnectionHandle,
        /// Who it says it is (v0 proves nothing of it).
        peer: PeerId,
        /// Where it is.
        address: SocketAddr,
    },
    /// The peer is there: a first channel is about to be reported.
    Connected {
        /// The connection.
        connection: ConnectionHandle,
        /// Who it says it is (v0 proves nothing of it).
        peer: PeerId,
    },
    /// The connection ended, with all its channels but those (v1) with messages to `receive`, if
    /// the application did not end it: they end once those are read, or when they are closed. Its
    /// handle is stale now.
    ConnectionClosed {
        /// The connection that was.
        connection: ConnectionHandle,
        /// Who it was.
        peer: PeerId,
        /// Why: `Closed`, `Idle`, `Banned`, `Timeout` (nothing ever answered),
        /// `Limit` (evicted for another, having no channel); v1 also `PeerClosed`, `Refused`,
        /// `Identity`, `Crypto`, `Protocol`, `Reset`, `Superseded`.
        reason: Error,
        /// What was said with it, by either side (v1).
        said: Option<Box<CloseReason>>,
    },
    /// A channel is established, by us or by the peer.
    ChannelOpened {
        /// Its connection.
        connection: ConnectionHandle,
        /// The channel.
        channel: ChannelHandle,
        /// Whether the peer opened it.
        by_peer: bool,
    },
    /// A channel ended or failed to open; its handle is stale now.
    ChannelClosed {
        /// Its connection.
        connection: ConnectionHandle,
        /// The channel that was.
        channel: ChannelHandle,
        /// Why: `Closed`, `Idle`, `Timeout` (the peer never answered), or as the connection; v1
        /// also `PeerClosed`, `Refused`, `Unsupported`, `Lost` and `Expired` (a message of either
        /// side was given up, with CLOSE_ON_LOSS), `Limit` (a memory budget of either side).
        reason: Error,
        /// What was said with it, by either side (v1).
        said: Option<Box<CloseReason>>,
    },
    /// The peer sends nothing more on a channel, and all that it sent was delivered (v1, with
    /// `half_close`). The other direction goes on until `close_channel`.
    ChannelFinished {
        /// Its connection.
        connection: ConnectionHandle,
        /// The channel.
        channel: ChannelHandle,
    },
    /// A message, lent: `bytes` is its place in the buffer last given to `handle_datagram`.
    Message {
        /// Its connection.
        connection: ConnectionHandle,
        /// The channel it came on.
        channel: ChannelHandle,
        /// Its place in that buffer.
        bytes: Range<usize>,
    },
    /// A message that came in several pieces, or out of turn, and so has a buffer of its own. Its
    /// owner may give that back by `Node::recycle`.
    Assembled {
        /// Its connection.
        connection: ConnectionHandle,
        /// The channel it came on.
        channel: ChannelHandle,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A channel went from empty to having messages to `receive`.
    Readable {
        /// Its connection.
        connection: ConnectionHandle,
        /// The channel.
        channel: ChannelHandle,
    },
    /// What became of a message sent with `SendOptions::report`: the peer has all of it. Its
    /// application may not have read it yet.
    // spec: 10.4 giving up
    MessageDelivered {
        /// Its connection.
        connection: ConnectionHandle,
        /// The channel it was sent on.
        channel: ChannelHandle,
        /// What `report` was.
        context: u64,
    },
    /// What became of a message sent with `SendOptions::report`: the peer never gets all of it, or
    /// nobody can know any more whether it has.
    // spec: 10.4 giving up
    MessageLost {
        /// Its connection.
        connection: ConnectionHandle,
        /// The channel it was sent on.
        channel: ChannelHandle,
        /// What `report` was.
        context: u64,
        /// Why: `Lost` (on the way, and not sent again, or as often as `resend_limit` allows),
        /// `Expired` (its lifetime), or why the channel ended; such a report comes before
        /// `ChannelClosed`.
        reason: Error,
    },
    /// Messages of the peer's that will never come, between those before this event and those after
    /// it (v1, modes without CLOSE_ON_LOSS).
    // spec: 10.3 modes
    MessagesSkipped {
        /// Its connection.
        connection: ConnectionHandle,
        /// The channel.
        channel: ChannelHandle,
        /// How many.
        count: u64,
    },
    /// A channel that returned `WouldBlock` has room again (`send_low_water_bytes`).
    Writable {
        /// Its connection.
        connection: ConnectionHandle,
        /// The channel.
        channel: ChannelHandle,
    },
    /// The peer proved a new address; we send there now.
    PathChanged {
        /// The connection.
        connection: ConnectionHandle,
        /// The address it proved.
        address: SocketAddr,
    },
    /// The system says that the peer's address cannot be reached. Nothing is closed for that.
    PathUnreachable {
        /// The connection.
        connection: ConnectionHandle,
        /// The address.
        address: SocketAddr,
    },
    /// The path takes only smaller packets than configured; larger messages are `Write` errors now.
    PacketSizeReduced {
        /// The connection.
        connection: ConnectionHandle,
        /// The new packet size, in bytes of UDP payload.
        packet_size: usize,
    },
    /// The next `poll_transmit` returns a packet of this channel (only with `Profile::Reference`).
    Packet {
        /// The channel it is on; handshakes run on `ChannelId::DEFAULT`.
        id: ChannelId,
    },
    /// A datagram of no protocol of ours, lent like `Message` (only with `raw_datagrams`).
    Datagram {
        /// The sender.
        from: SocketAddr,
        /// Its place in the buffer.
        bytes: Range<usize>,
    },
}

/// What the one who closes tells its peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloseReason {
    /// A number of the application's.
    pub code: u64,
    /// A sentence for people; cut at `REASON_BYTES_MAX`.
    pub text: String,
}

/// One key for one place: IPv4-mapped IPv6 becomes IPv4, and the IPv6 flow label is dropped, as is
/// a scope that means nothing: what comes from there has none.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(mut v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::V4(SocketAddrV4::new(v4, v6.port())),
            None => {
                v6.set_flowinfo(0);
                if !has_scope(v6.ip()) {
                    v6.set_scope_id(0);
                }
                SocketAddr::V6(v6)
            }
        },
    }
}

/// Whether an address is one only together with an interface: link-local, of one or of many.
fn has_scope(ip: &Ipv6Addr) -> bool {
    let first = ip.segments()[0];
    first & 0xffc0 == 0xfe80 || first & 0xff0f == 0xff02 || first & 0xff0f == 0xff01
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_folds_mapped_addresses_and_keeps_scopes() {
        let parse = |text: &str| text.parse::<SocketAddr>().expect("valid address");
        assert_eq!(canonical(parse("[::ffff:192.0.2.1]:7")), parse("192.0.2.1:7"));
        assert_eq!(canonical(parse("[fe80::1%3]:7")), parse("[fe80::1%3]:7"));
    }
}
