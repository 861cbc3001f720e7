//! Every setting and limit of the core, with its default and the reason for it.
//!
//! Settings are plain data. `NodeConfig::check` refuses what cannot work, with a text that says
//! what is allowed; nothing below re-checks.

use std::time::Duration;

use crate::error::Error;
use crate::id::{Capabilities, Handle, PeerId};

/// The smallest packet size: large enough for a padded NEW and its answer, and for real messages.
pub const PACKET_SIZE_MIN: usize = 128;

/// The smallest packet size of the reference profile: an envelope, the largest handshake message.
pub const REFERENCE_PACKET_SIZE_MIN: usize = 65;

/// The largest packet size: what UDP over IPv4 can carry.
pub const PACKET_SIZE_MAX: usize = 65_507;

/// Bytes of datagrams in one GSO batch, at most: what one `sendmsg` takes.
pub const BATCH_BYTES_MAX: usize = 65_507;

/// Segments in one GSO batch, at most (Linux `UDP_MAX_SEGMENTS` of older kernels).
pub const BATCH_SEGMENTS_MAX: usize = 64;

/// Bans of each kind that a node remembers; a further one is `Limit`.
pub const BANS_MAX: usize = 4_096;

/// Wrong cookies in one datagram, after which its other ones are not looked at: each is a guess at
/// 32 bits, and costs us more than the datagram's sender.
pub const BAD_COOKIES_MAX: u32 = 8;

/// How long an attempt of a v1 handshake may take, on both sides.
// spec: 15.1 handshake_timeout
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a v1 responder may think about a peer; then it is refused.
// spec: 15.1 accept_timeout
pub const ACCEPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The least time that a v1 initiator waits for proof: for a level 1 packet after a ServerHello, or
/// after a level 0 close. Either may be forged; 3 PTO when that is longer.
// spec: 7.3 initiator states
pub const UNPROVEN_WAIT: Duration = Duration::from_secs(1);

/// CRYPTO bytes of one level of a v1 handshake; more closes it with CRYPTO_BUFFER.
// spec: 7.5 CRYPTO
pub const CRYPTO_BYTES_MAX: usize = 8 << 10;

/// Pieces of CRYPTO with holes between them that one level keeps; a packet with a further one is
/// dropped. A flight is three packets, so that honest peers come to two.
// spec: 16.1 limits
pub const CRYPTO_SPANS_MAX: usize = 32;

/// Packets kept, of a v1 handshake whose keys for them are not there yet; further ones are dropped.
/// It is what one flight may have, and with CRYPTO well inside the 32 KiB of one half-open.
// spec: 7.10 half-open limits
pub const KEPT_PACKETS_MAX: usize = 4;

/// Cookies that one attempt takes; further ones are dropped.
// spec: 7.9 cookies
pub const COOKIES_MAX: u32 = 4;

/// How many times the bytes received a node sends to an address that is not proven.
// spec: 7.8 amplification
pub const AMPLIFICATION_MAX: u64 = 3;

/// Datagrams of a first flight, early data included.
// spec: 7.8 amplification
pub const FIRST_FLIGHT_MAX: usize = 3;

/// Bytes of early data that a responder keeps before confirmation; more is dropped.
// spec: 7.13 early data
pub const EARLY_BYTES_MAX: usize = 64 << 10;

/// How long a refused peer is not asked about again: it repeats itself, and cannot be told.
pub const REFUSAL: Duration = Duration::from_secs(10);

/// Which protocol version 0 peers may be served. In this release v0 is all there is, so the default
/// is `Accept`; with v1 it becomes `Off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Legacy {
    /// v0 packets are dropped and counted.
    Off,
    /// v0 is spoken beside newer versions.
    #[default]
    Accept,
}

/// How v0 is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Keyed cookies, shared packets, retries, confirmations, early data.
    #[default]
    Node,
    /// To the byte as the reference implementation speaks it, for programs written against that:
    /// CRC-32 cookies over a secret of the application's, one message a packet, each announced by
    /// `Event::Packet`, full padding, and nothing that the application did not cause: no timers.
    Reference,
}

/// Settings of a node. Start from `NodeConfig::new` and change what you need.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Our peer id.
    pub peer_id: PeerId,
    /// Marks handles of this node, so that one node's handle is an error at another.
    pub tag: u16,
    /// Whether v0 peers are served.
    pub legacy: Legacy,
    /// How they are spoken to.
    pub profile: Profile,
    /// Whether peers that we did not dial may connect. Off: their handshakes are dropped, counted.
    pub accept_incoming: bool,
    /// Whether the owner answers `ConnectionRequest` events. Off: each is accepted by itself.
    pub ask_before_accept: bool,
    /// Messages are lent in `Event::Message` (on) or kept for `receive` (off, default).
    pub lend_messages: bool,
    /// Datagrams of no known protocol become `Event::Datagram` (on) or are dropped (off, default).
    pub raw_datagrams: bool,

    /// Largest packet sent, in bytes of UDP payload. Default 1232: IPv6's least MTU, less headers.
    pub packet_size: usize,
    /// Pad every packet to `packet_size`, as the reference does. Off by default: bytes cost.
    pub padding: bool,
    /// How long a message may wait for others to share its packet. Default zero: packets are shared
    /// only by what is sent before the next `poll_transmit`.
    pub bundle_delay: Duration,
    /// Datagrams that one transmit may hold (GSO). The engine sets what the kernel takes.
    pub segments_max: usize,

    /// First wait for an answer to NEW; doubles with each retry, with jitter. Default 200 ms (the
    /// reference's intended timeout).
    pub handshake_timeout: Duration,
    /// How often NEW is repeated before the channel fails. Default 5: about 13 s in all.
    pub handshake_retries: u8,
    /// How long one secret signs cookies; a cookie is good for one to two of these. Default 30 s.
    pub cookie_epoch: Duration,
    /// A channel, then its connection, ends after this long without a packet either way; with
    /// `keep_alive`, after this long without a packet from the peer. Zero: never. Default 60 s (the
    /// reference's intended timeout); at least 1 ms.
    pub idle_timeout: Duration,
    /// How often a peer that says nothing, or a channel that nothing is said on, is asked for a
    /// sign of life. Keeps both sides and the NATs between them from forgetting the channel, and
    /// tells a silent peer from a dead one. Zero (default): never; else 1 ms to half of
    /// `idle_timeout`, which the peer's answer must not miss.
    pub keep_alive: Duration,

    /// Connections at once. Default 16,384.
    pub connections_max: usize,
    /// Connections of one source IP address that peers began; of IPv6, of one /64 network, which a
    /// host has to itself. Default 64: a household behind a NAT.
    pub connections_per_address_max: usize,
    /// Channels of one connection, both directions together. Default 65,536; at most 131,070.
    pub channels_per_connection_max: usize,
    /// Channels of the node. Default 1,048,576.
    pub channels_max: usize,
    /// Bytes queued for sending on one channel, packet envelopes included. Default 1 MiB.
    pub send_queue_bytes_max: usize,
    /// Packets queued for sending on one channel. Default 4,096.
    pub send_queue_packets_max: usize,
    /// Bytes queued for sending in the whole node. Default 64 MiB.
    pub node_send_queue_bytes_max: usize,
    /// Message bytes kept for `receive` on one channel; past it new messages are dropped (v0 has no
    /// flow control) and counted. Default 1 MiB.
    pub receive_queue_bytes_max: usize,
    /// Messages kept for `receive` on one channel. Default 4,096.
    pub receive_queue_messages_max: usize,
    /// Message bytes kept for `receive` in the whole node. Default 64 MiB.
    pub node_receive_queue_bytes_max: usize,
    /// Answers to peers without a connection, waiting to be sent, in packets. Default 1,024.
    pub replies_max: usize,
    /// Events waiting to be drained; past it datagrams are dropped and counted. Default 65,536.
    pub events_max: usize,
}

impl NodeConfig {
    /// Defaults fit for use.
    pub fn new(peer_id: PeerId) -> NodeConfig {
        NodeConfig {
            peer_id,
            tag: 1,
            legacy: Legacy::default(),
            profile: Profile::default(),
            accept_incoming: true,
            ask_before_accept: false,
            lend_messages: false,
            raw_datagrams: false,
            packet_size: 1232,
            padding: false,
            bundle_delay: Duration::ZERO,
            segments_max: 1,
            handshake_timeout: Duration::from_millis(200),
            handshake_retries: 5,
            cookie_epoch: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            keep_alive: Duration::ZERO,
            connections_max: 16_384,
            connections_per_address_max: 64,
            channels_per_connection_max: 65_536,
            channels_max: 1 << 20,
            send_queue_bytes_max: 1 << 20,
            send_queue_packets_max: 4_096,
            node_send_queue_bytes_max: 64 << 20,
            receive_queue_bytes_max: 1 << 20,
            receive_queue_messages_max: 4_096,
            node_receive_queue_bytes_max: 64 << 20,
            replies_max: 1_024,
            events_max: 65_536,
        }
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`, with the setting's name, what it is, and what is allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        let in_range = |name, value: u128, least: u128, most: u128| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError { name, value, least, most })
            }
        };
        let slots = Handle::SLOTS_MAX as u128;
        let packet_size_min = match self.profile {
            Profile::Node => PACKET_SIZE_MIN,
            Profile::Reference => REFERENCE_PACKET_SIZE_MIN,
        };
        let packet_size = self.packet_size as u128;
        let any = usize::MAX as u128;
        let second = 1_000_000_000_u128;
        let day = 86_400 * second;
        let nanos = |span: Duration| span.as_nanos();
        // Zero is never; below a millisecond it was another unit that was meant.
        let idle_or_ever =
            if self.idle_timeout.is_zero() { 2 * 365 * day } else { nanos(self.idle_timeout) };
        let least = |span: Duration| if span.is_zero() { 0 } else { second / 1_000 };
        for (name, value, least, most) in [
            ("packet_size", packet_size, packet_size_min as u128, PACKET_SIZE_MAX as u128),
            ("bundle_delay", nanos(self.bundle_delay), 0, second),
            ("segments_max", self.segments_max as u128, 1, BATCH_SEGMENTS_MAX as u128),
            ("handshake_timeout", nanos(self.handshake_timeout), second / 1_000, 60 * second),
            ("handshake_retries", u128::from(self.handshake_retries), 0, 16),
            ("cookie_epoch", nanos(self.cookie_epoch), second, day),
            ("idle_timeout", nanos(self.idle_timeout), least(self.idle_timeout), 365 * day),
            ("keep_alive", nanos(self.keep_alive), least(self.keep_alive), idle_or_ever / 2),
            ("connections_max", self.connections_max as u128, 1, slots),
            ("connections_per_address_max", self.connections_per_address_max as u128, 1, slots),
            ("channels_per_connection_max", self.channels_per_connection_max as u128, 1, 131_070),
            ("channels_max", self.channels_max as u128, 1, slots),
            ("send_queue_bytes_max", self.send_queue_bytes_max as u128, packet_size, any),
            ("send_queue_packets_max", self.send_queue_packets_max as u128, 1, any),
            ("node_send_queue_bytes_max", self.node_send_queue_bytes_max as u128, packet_size, any),
            ("receive_queue_bytes_max", self.receive_queue_bytes_max as u128, packet_size, any),
            ("receive_queue_messages_max", self.receive_queue_messages_max as u128, 1, any),
            (
                "node_receive_queue_bytes_max",
                self.node_receive_queue_bytes_max as u128,
                packet_size,
                any,
            ),
            ("replies_max", self.replies_max as u128, 1, any),
            ("events_max", self.events_max as u128, 16, any),
        ] {
            in_range(name, value, least, most)?;
        }
        Ok(())
    }
}

/// A setting out of its range; durations are in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}; allowed is {least} to {most}")]
pub struct ConfigError {
    /// The setting.
    pub name: &'static str,
    /// What it was set to.
    pub value: u128,
    /// The least allowed.
    pub least: u128,
    /// The most allowed.
    pub most: u128,
}

impl From<ConfigError> for Error {
    fn from(_: ConfigError) -> Error {
        Error::InvalidArgument
    }
}

/// Settings of a channel that we open.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChannelConfig {
    /// What the channel promises. v0 carries the bits to the peer and fulfils none of them.
    pub capabilities: Capabilities,
}
