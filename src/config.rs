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

/// What every path takes that a handshake passed.
const LONG_DATAGRAM_SIZE: usize = 1200;

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

/// The least time that a v1 initiator waits for proof: for a level 1 packet after a ServerHello, or
/// after a level 0 close. Either may be forged; 3 PTO when that is longer.
// spec: 7.3 initiator states
pub const UNPROVEN_WAIT: Duration = Duration::from_secs(1);

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

/// How long a refused peer is not asked about again: it repeats itself, and cannot be told.
pub const REFUSAL: Duration = Duration::from_secs(10);

/// The smallest datagram that carries the first packets of a v1 handshake, and the largest of it.
pub const HANDSHAKE_DATAGRAM_SIZE: usize = 1_200;

/// Bytes of the text that goes with a close, at most.
pub const REASON_BYTES_MAX: usize = 255;

/// Bytes of a channel's label, at most.
pub const LABEL_BYTES_MAX: usize = 255;

/// Dials of one connection: each attempt has new ids.
pub const ATTEMPTS_MAX: u8 = 3;

/// How long a cookie of v1 is good.
pub const COOKIE_LIFE: Duration = Duration::from_secs(10);

/// How long one key makes cookies of v1; the one before is still tried.
pub const COOKIE_KEY_LIFE: Duration = Duration::from_secs(600);

/// Half-open v1 handshakes of one source prefix, after which the next from there needs a cookie.
pub const HALF_OPEN_PREFIX_FREE_MAX: u32 = 8;

/// The same, after which the next from there is dropped, cookie or not.
pub const HALF_OPEN_PREFIX_MAX: u32 = 64;

/// First packets in one second that did not open, after which cookies are asked for, for a while.
pub const BAD_INITIALS_MAX: u32 = 256;

/// The same of one source prefix with valid cookies, after which that prefix is not served.
pub const BAD_INITIALS_PREFIX_MAX: u32 = 64;

/// How long that while is.
pub const BAD_INITIALS_PENALTY: Duration = Duration::from_secs(10);

/// Ids of finished v1 handshakes that are remembered, so that a late copy begins nothing.
pub const FINISHED_ATTEMPTS_MAX: usize = 4_096;

/// Bytes kept for one half-open v1 handshake, early data apart.
pub const HALF_OPEN_BYTES_MAX: usize = 32 << 10;

/// Bytes of CRYPTO at one level of a handshake.
pub const CRYPTO_BYTES_MAX: u64 = 8 << 10;

/// Short packets of v1 kept until their keys exist, in datagrams.
pub const EARLY_PACKETS_MAX: usize = 16;

/// Tickets for one peer that are kept.
pub const TICKETS_PER_PEER_MAX: usize = 4;

/// Which packet numbers a path remembers below the largest, so that none is taken twice.
pub const REPLAY_WINDOW: u64 = 8_192;

/// Keys of channels that a connection keeps ready; others are derived again.
pub const CHANNEL_KEYS_MAX: usize = 1_024;

/// Tokens for paths not opened yet that a v1 peer is supplied with, of each parity.
pub const TOKENS_AHEAD: usize = 2;

/// Tokens of one v1 peer that are kept; one more closes the connection with PROTOCOL.
pub const PEER_TOKENS_MAX: usize = 40;

/// Gaps between ids of paths that a v1 peer abandoned; one more closes the connection with
/// PROTOCOL, as ids are opened in order.
pub const ABANDONED_GAPS_MAX: usize = 64;

/// Answers to a v1 peer's PATH_ABANDON that wait to be sent; one more closes the connection with
/// PROTOCOL.
pub const ABANDONS_MAX: usize = 64;

/// Pieces of CRYPTO of short packets that wait for what comes before them; one more is
/// CRYPTO_BUFFER.
pub const TICKET_PIECES_MAX: usize = 64;

/// CRYPTO of short packets that waits for what comes before it; more is CRYPTO_BUFFER.
pub const TICKET_BYTES_MAX: usize = 32 << 10;

/// Channels refused without having been made whose CHANNEL_RESET waits to be sent; one more closes
/// the connection with INTERNAL.
pub const REFUSALS_MAX: usize = 4_096;

/// Stateless resets that a node sends in one second.
pub const RESETS_MAX: u32 = 100;

/// The same to one source prefix.
pub const RESETS_PREFIX_MAX: u32 = 10;

/// Whether peers of protocol version 0 are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Legacy {
    /// v0 packets are dropped and counted.
    #[default]
    Off,
    /// v0 is spoken beside v1.
    Accept,
    /// Nothing but v0 is spoken, and the node has no key.
    Only,
}

/// How the sending rate of a v1 path is controlled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Congestion {
    /// RFC 9438: fast recovery of what a loss took, fair beside TCP.
    Cubic,
    /// RFC 9002, chapter 7: the plain one.
    NewReno,
    /// BBR, version 2 with the fixes of version 3 (draft-ietf-ccwg-bbr): finds rate and round trip
    /// of the path, and keeps its queue short; a few lost packets do not slow it down.
    #[default]
    Bbr2,
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
    /// Our peer id. A node with an identity puts that one's here.
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

    /// Packet size in bytes of UDP payload: in v0 the largest, in v1 where a path begins. Default
    /// 1232: IPv6's least MTU, less headers.
    pub packet_size: usize,
    /// v1: the largest packet that the search for a path's MTU may find. Default 1452: what
    /// Ethernet carries over IPv6. Larger ones, up to `PACKET_SIZE_MAX`, are for networks known
    /// to take them (jumbo frames, the loopback); what the interface does not take is found out
    /// and not exceeded. No search where it is not above `packet_size`, or that is below 1200.
    // spec: 12.11 MTU
    pub packet_size_max: usize,
    /// v0: pad every packet to `packet_size`, as the reference does. Off by default: bytes cost.
    pub padding: bool,
    /// v0: how long a message may wait for others to share its packet. Default zero: packets are
    /// shared only by what is sent before the next `poll_transmit`.
    pub bundle_delay: Duration,
    /// Datagrams that one transmit may hold (GSO). The engine sets what the kernel takes.
    pub segments_max: usize,

    /// v0: first wait for an answer to NEW; doubles with each retry, with jitter. Default 200 ms
    /// (the reference's intended timeout).
    pub handshake_timeout: Duration,
    /// v0: how often NEW is repeated before the channel fails. Default 5: about 13 s in all.
    pub handshake_retries: u8,
    /// v0: how long one secret signs cookies; a cookie is good for one to two of these. Default 30
    /// s.
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

    /// Connections at once, dials among them; one that a peer begins counts once it is accepted.
    /// Default 16,384.
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
    /// When a channel that said `WouldBlock` is `Writable` again: once no more bytes than these are
    /// queued on it, and the message that found no room would find it. Default none: half of
    /// `send_queue_bytes_max`. 0: only once all has left.
    pub send_low_water_bytes: Option<usize>,
    /// v0: message bytes kept for `receive` on one channel; past it new messages are dropped (v0
    /// has no flow control) and counted. Default 1 MiB.
    pub receive_queue_bytes_max: usize,
    /// v0: messages kept for `receive` on one channel. Default 4,096.
    pub receive_queue_messages_max: usize,
    /// v0: message bytes kept for `receive` in the whole node. Default 64 MiB.
    pub node_receive_queue_bytes_max: usize,
    /// Answers to peers without a connection, waiting to be sent, in packets. Default 1,024.
    pub replies_max: usize,
    /// Events waiting to be drained; past it datagrams are dropped and counted. Default 65,536.
    pub events_max: usize,

    /// v1: when one attempt of a handshake is given up. Default 10 s.
    pub attempt_timeout: Duration,
    /// v1: when a dial, of several attempts, is given up. Default 30 s.
    pub dial_timeout: Duration,
    /// v1: how long the owner may take to answer a `ConnectionRequest`. Default 5 s.
    pub accept_timeout: Duration,
    /// v1: how long a closing connection waits until what was sent has arrived. Default 5 s; zero:
    /// it does not.
    pub linger: Duration,
    /// v1: whether a channel that the peer closed stays open for what we have to say on it, until
    /// the owner, told by `ChannelFinished`, closes it. Off by default: it is closed by itself.
    pub half_close: bool,
    /// v1: how long acknowledgements may wait for company. Default 25 ms, as QUIC.
    pub ack_delay: Duration,
    /// v1: how the sending rate is controlled.
    pub congestion: Congestion,
    /// v1, with `Congestion::Bbr2`: per cent of packets that a round trip may lose before that
    /// counts as a full queue. Default 2, as the draft has it; with that, losses below it still
    /// slow down a little until the next probe.
    ///
    /// For links that are known to lose at random, such as radio: some more than they lose (8 for
    /// 5 per cent). Losses below it then have no effect at all. It is not for links that others
    /// share: a queue that is full shows nothing but losses, and this one does not yield before so
    /// many.
    pub loss_tolerance_percent: u8,
    /// v1: whether every handshake from outside needs a cookie. Off by default: it costs a round
    /// trip, and the node asks for one by itself when there are many.
    pub always_cookie: bool,
    /// v1: half-open handshakes without a cookie, after which the next needs one. Default 256.
    pub half_open_free_max: usize,
    /// v1: half-open handshakes. Default 4,096.
    pub half_open_max: usize,
    /// v1: whether early data is taken; it may be delivered twice. Off by default.
    pub early_data: bool,
    /// v1: bytes of early data kept until the connection is confirmed. Default 64 KiB.
    pub early_bytes_max: usize,
    /// v1: tickets issued and kept, and tickets received and kept. Default 1,024; with 0 every
    /// handshake is a full one.
    pub tickets_max: usize,
    /// v1: channels that a peer may have opened, beyond those that are gone. Default 4,096.
    pub peer_channels_max: usize,
    /// v1: the largest message taken. Default 16 MiB. What can be sent is bounded by the peer's,
    /// and by `send_queue_bytes_max`.
    pub message_bytes_max: usize,
    /// v1: bytes that a peer may send on one channel before any are read, at first; the window
    /// grows with what the path carries and the application reads. A connection begins with four
    /// times as much for all its channels, or less when others have half of the node's budget.
    /// Default 64 KiB.
    // spec: 11.3 receiving
    pub receive_window_min: usize,
    /// v1: bytes received and not read, and windows granted, of one connection: the most that a
    /// peer whose messages nobody reads makes us keep, but for a factor of two where it sends
    /// crumbs (10.2). At least `message_bytes_max`. Default 16 MiB.
    // spec: 11.3 receiving
    pub connection_receive_bytes_max: usize,
    /// v1: the same of the whole node; when it is short, windows grow no more, and what is not used
    /// of them goes back. Default 256 MiB.
    // spec: 11.3 receiving
    pub node_receive_bytes_max: usize,
    /// v1: tells apart the processes that share an identity, so that none makes the peers of
    /// another believe that it restarted. Default empty: there is one.
    pub instance_label: Vec<u8>,
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
            packet_size_max: 1452,
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
            send_low_water_bytes: None,
            receive_queue_bytes_max: 1 << 20,
            receive_queue_messages_max: 4_096,
            node_receive_queue_bytes_max: 64 << 20,
            replies_max: 1_024,
            events_max: 65_536,
            attempt_timeout: Duration::from_secs(10),
            dial_timeout: Duration::from_secs(30),
            accept_timeout: Duration::from_secs(5),
            linger: Duration::from_secs(5),
            half_close: false,
            ack_delay: Duration::from_millis(25),
            congestion: Congestion::default(),
            loss_tolerance_percent: 2,
            always_cookie: false,
            half_open_free_max: 256,
            half_open_max: 4_096,
            early_data: false,
            early_bytes_max: 64 << 10,
            tickets_max: 1_024,
            peer_channels_max: 4_096,
            message_bytes_max: 16 << 20,
            receive_window_min: 64 << 10,
            connection_receive_bytes_max: 16 << 20,
            node_receive_bytes_max: 256 << 20,
            instance_label: Vec::new(),
        }
    }

    /// Bytes queued on a channel at which it is `Writable` again.
    pub fn low_water_bytes(&self) -> usize {
        self.send_low_water_bytes.unwrap_or(self.send_queue_bytes_max / 2)
    }

    /// The largest packet that a path may come to have.
    pub(crate) fn largest_packet(&self) -> usize {
        // Whoever wants packets that any path takes wants no larger ones.
        let is_searching = self.packet_size >= LONG_DATAGRAM_SIZE;
        if is_searching { self.packet_size_max.max(self.packet_size) } else { self.packet_size }
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`, with the setting's name, what it is, and what is allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_both()?;
        self.check_v1()?;
        self.check_budgets()
    }

    fn check_both(&self) -> Result<(), ConfigError> {
        let slots = Handle::SLOTS_MAX as u128;
        let packet_size_min = match self.profile {
            Profile::Node => PACKET_SIZE_MIN,
            Profile::Reference => REFERENCE_PACKET_SIZE_MIN,
        };
        let packet_size = self.packet_size as u128;
        let any = usize::MAX as u128;
        let (second, day) = (SECOND, 86_400 * SECOND);
        // Zero is never; below a millisecond it was another unit that was meant.
        let idle_or_ever =
            if self.idle_timeout.is_zero() { 2 * 365 * day } else { nanos(self.idle_timeout) };
        let least = |span: Duration| if span.is_zero() { 0 } else { second / 1_000 };
        for (name, value, least, most) in [
            ("packet_size", packet_size, packet_size_min as u128, PACKET_SIZE_MAX as u128),
            ("packet_size_max", self.packet_size_max as u128, 0, PACKET_SIZE_MAX as u128),
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

    fn check_v1(&self) -> Result<(), ConfigError> {
        let any = usize::MAX as u128;
        let hour = 3_600 * SECOND;
        for (name, value, least, most) in [
            ("attempt_timeout", nanos(self.attempt_timeout), SECOND / 10, hour),
            ("dial_timeout", nanos(self.dial_timeout), SECOND / 10, hour),
            ("accept_timeout", nanos(self.accept_timeout), SECOND / 1_000, hour),
            ("linger", nanos(self.linger), 0, hour),
            // spec: 7.11, ack_delay_max
            ("ack_delay", nanos(self.ack_delay), 0, (1 << 24) * 1_000),
            ("loss_tolerance_percent", u128::from(self.loss_tolerance_percent), 2, 50),
            ("half_open_free_max", self.half_open_free_max as u128, 0, any),
            ("half_open_max", self.half_open_max as u128, 1, 1 << 20),
            ("early_bytes_max", self.early_bytes_max as u128, 0, any),
            ("tickets_max", self.tickets_max as u128, 0, 1 << 20),
            ("peer_channels_max", self.peer_channels_max as u128, 0, 1 << 31),
            ("message_bytes_max", self.message_bytes_max as u128, 1, 1 << 32),
            ("instance_label", self.instance_label.len() as u128, 0, 255),
        ] {
            in_range(name, value, least, most)?;
        }
        Ok(())
    }

    /// Settings whose ranges end at other settings, which the texts name.
    fn check_budgets(&self) -> Result<(), ConfigError> {
        let connection = self.connection_receive_bytes_max as u128;
        for (name, value, least, most, note) in [
            (
                "send_low_water_bytes",
                self.low_water_bytes() as u128,
                0,
                self.send_queue_bytes_max as u128,
                " (send_queue_bytes_max)",
            ),
            (
                "connection_receive_bytes_max",
                connection,
                self.message_bytes_max as u128,
                1 << 40,
                ": it must hold a message of message_bytes_max",
            ),
            (
                "receive_window_min",
                self.receive_window_min as u128,
                self.packet_size as u128,
                connection,
                " (packet_size to connection_receive_bytes_max)",
            ),
            (
                "node_receive_bytes_max",
                self.node_receive_bytes_max as u128,
                connection,
                1 << 60,
                ": it must hold connection_receive_bytes_max",
            ),
        ] {
            in_range(name, value, least, most).map_err(|error| ConfigError { note, ..error })?;
        }
        Ok(())
    }
}

const SECOND: u128 = 1_000_000_000;

fn nanos(span: Duration) -> u128 {
    span.as_nanos()
}

fn in_range(name: &'static str, value: u128, least: u128, most: u128) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError { name, value, least, most, note: "" })
    }
}

/// A setting out of its range; durations are in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}; allowed is {least} to {most}{note}")]
pub struct ConfigError {
    /// The setting.
    pub name: &'static str,
    /// What it was set to.
    pub value: u128,
    /// The least allowed.
    pub least: u128,
    /// The most allowed.
    pub most: u128,
    /// Where these come from, if from other settings.
    pub note: &'static str,
}

impl From<ConfigError> for Error {
    fn from(_: ConfigError) -> Error {
        Error::InvalidArgument
    }
}

/// Settings of a channel that we open.
#[derive(Debug, Clone)]
pub struct ChannelConfig {
    /// What the channel promises. v0 carries the bits to the peer and fulfils none of them.
    pub capabilities: Capabilities,
    /// What it is called, at most `LABEL_BYTES_MAX` bytes; the peer sees it. v1 only.
    pub label: Box<[u8]>,
    /// 0 (first) to 7 (last); default 3. v1 only.
    pub priority: u8,
    /// Its share beside channels of the same priority, at least 1; default 16. v1 only.
    // spec: 10.6 order between channels
    pub weight: u8,
    /// How often a piece of a message is sent again before the message is given up; `u32::MAX`
    /// (default): as often as it takes. v1 with RESEND only.
    // spec: 10.4 giving up
    pub resend_limit: u32,
    /// How long after `send` a message is worth sending; zero (default): for ever. `SendOptions`
    /// may say otherwise for one message. v1 only.
    // spec: 10.4 giving up
    pub message_lifetime: Duration,
}

impl Default for ChannelConfig {
    fn default() -> ChannelConfig {
        let capabilities = Capabilities::default();
        ChannelConfig {
            capabilities,
            label: Box::default(),
            priority: 3,
            weight: 16,
            resend_limit: u32::MAX,
            message_lifetime: Duration::ZERO,
        }
    }
}

/// How one message is sent. The default is as the channel says, without a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendOptions {
    /// How long the message is worth sending, in place of the channel's `message_lifetime`; zero:
    /// for ever. v1 only.
    // spec: 10.4 giving up
    pub lifetime: Option<Duration>,
    /// Asks for one `MessageDelivered` or `MessageLost`, which bears this number of the
    /// application's, once the message's fate is known. v1 only.
    pub report: Option<u64>,
    /// The message does no harm when it is delivered twice: with a ticket of the peer from an
    /// earlier connection it leaves before the handshake is done. v1 only.
    // spec: 7.13 early data
    pub may_replay: bool,
}
