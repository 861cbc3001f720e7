//! Settings of nodes and channels, as C structs that may grow.

use std::ffi::c_char;
use std::time::Duration;

use super::guard::{self, Failure, Versioned, fail, guard};
use super::peer_id::channeler_peer_id;
use super::reference::{CHANNELER_PROFILE_NODE, CHANNELER_PROFILE_REFERENCE};
use crate::config::{ChannelConfig, Congestion, LABEL_BYTES_MAX, Legacy, NodeConfig, Profile};
use crate::engine::SPIN_DEFAULT;
use crate::error::Error;
use crate::id::{Capabilities, PeerId};

/// The node opens sockets, and lives on the system's clock.
pub const CHANNELER_MODE_SOCKETS: u32 = 0;
/// The node has neither sockets nor clock: the caller feeds datagrams and time, and takes
/// datagrams.
pub const CHANNELER_MODE_SANS_IO: u32 = 1;

/// Packets of protocol version 0 are dropped and counted (default): every peer is authenticated,
/// and everything is encrypted.
pub const CHANNELER_LEGACY_OFF: u32 = 0;
/// Protocol version 0 is spoken beside version 1: neither encrypted nor authenticated. Version 1 is
/// dialled unless `channeler_node_dial` names the other; nothing falls back by itself.
pub const CHANNELER_LEGACY_ACCEPT: u32 = 1;
/// Nothing but protocol version 0 is spoken, and the node has no identity.
pub const CHANNELER_LEGACY_ONLY: u32 = 2;

/// CUBIC (RFC 9438): fair beside TCP.
pub const CHANNELER_CONGESTION_CUBIC: u32 = 0;
/// NewReno (RFC 9002, section 7).
pub const CHANNELER_CONGESTION_NEWRENO: u32 = 1;
/// BBR, version 2 with the fixes of version 3 (default): finds rate and round trip of the path,
/// keeps its queue short, and is not slowed down by a few lost packets.
pub const CHANNELER_CONGESTION_BBR2: u32 = 2;

/// Lost messages are sent again, within `resend_limit` and their lifetime.
///
/// The `CHANNELER_CAP_*` bits can be added up in all eight ways; the names of the sums follow.
/// Messages keep their boundaries and are delivered at most once in each. Version 0 carries the
/// bits to the peer and fulfils none of them.
pub const CHANNELER_CAP_RESEND: u32 = 1;
/// Messages are never delivered out of order. With `CHANNELER_CAP_RESEND` later ones wait for those
/// before them; without it, those that come late are dropped.
pub const CHANNELER_CAP_ORDERED: u32 = 2;
/// A message that is given up closes the channel with `CHANNELER_ERR_LOST` (or `_EXPIRED`, if its
/// lifetime was over). Without it both sides are told, if they want to know
/// (`CHANNELER_EVENT_MESSAGE_LOST`, `CHANNELER_EVENT_MESSAGES_SKIPPED`), and go on.
pub const CHANNELER_CAP_CLOSE_ON_LOSS: u32 = 4;

/// As it comes: messages may be lost and overtaken, as with UDP. For the state of a game, say.
pub const CHANNELER_UNRELIABLE: u32 = 0;
/// Never out of order: messages may be lost, and those that come late are. For a voice, say.
pub const CHANNELER_UNRELIABLE_ORDERED: u32 = 2;
/// As it comes, and the first loss closes the channel.
pub const CHANNELER_LOSS_CLOSES: u32 = 4;
/// In order, and the first loss closes the channel.
pub const CHANNELER_LOSS_CLOSES_ORDERED: u32 = 6;
/// Everything within `resend_limit` and the messages' lifetimes, in any order; what still fails is
/// left out.
pub const CHANNELER_PARTIALLY_RELIABLE: u32 = 1;
/// The same in order. For a film, say, whose pictures are worth little when they are late.
pub const CHANNELER_PARTIALLY_RELIABLE_ORDERED: u32 = 3;
/// Everything, in any order, or the channel closes: no message waits for another.
pub const CHANNELER_RELIABLE: u32 = 5;
/// Everything in order, or the channel closes, as with TCP.
pub const CHANNELER_RELIABLE_ORDERED: u32 = 7;

/// As `send_low_water_bytes`: half of `send_queue_bytes_max`.
pub const CHANNELER_LOW_WATER_HALF: u64 = u64::MAX;
/// As `resend_limit`: as often as it takes.
pub const CHANNELER_RESEND_ALWAYS: u32 = u32::MAX;

/// Settings of a node. Fill with `channeler_options_init`, then change what you need.
///
/// Durations are in nanoseconds; switches are 0 (off) or 1 (on). A setting out of its range makes
/// `channeler_node_new` fail with `CHANNELER_ERR_INVALID_ARGUMENT`, and `channeler_last_error` then
/// names the setting and its range.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_options {
    /// `sizeof(channeler_options)`, as the caller was compiled; set by `channeler_options_init`.
    pub struct_size: usize,
    /// With `CHANNELER_LEGACY_ONLY`, our peer id; all zero (default): a random one is drawn. Else
    /// it must be all zero: the peer id is that of `identity`.
    pub peer_id: channeler_peer_id,
    /// `CHANNELER_MODE_SOCKETS` (default) or `CHANNELER_MODE_SANS_IO`.
    pub mode: u32,
    /// `CHANNELER_LEGACY_OFF` (default), `CHANNELER_LEGACY_ACCEPT` or `CHANNELER_LEGACY_ONLY`.
    pub legacy: u32,
    /// Whether peers that we did not dial may connect. Default 1.
    pub accept_incoming: u32,
    /// Version 0: whether each packet is padded to `packet_size`. Default 0: bytes cost.
    pub padding: u32,
    /// Bytes of UDP payload in a packet: in version 0 at most, in version 1 those that a path
    /// begins with (see `packet_size_max`). Default 1232; 128 to 65507
    /// (`CHANNELER_PROFILE_REFERENCE`: from 65).
    pub packet_size: u32,
    /// Datagrams that one transmit may hold (GSO). Default 1; 1 to 64. With sockets the node sets
    /// what the kernel takes.
    pub segments_max: u32,
    /// Version 0: how often the request for a channel is repeated before it fails. Default 5, about
    /// 13 s in all; 0 to 16.
    pub handshake_retries: u32,
    /// Least severe level that `on_log` hears, `CHANNELER_LOG_ERROR` to `CHANNELER_LOG_DEBUG`.
    /// Default `CHANNELER_LOG_INFO`.
    pub log_level: u32,
    /// Version 0: how long a message may wait for others to share its packet. Default 0: it waits
    /// for nothing; at most 1 s. With sockets the system's timers round it up to a whole
    /// millisecond.
    pub bundle_delay_ns: u64,
    /// Version 0: first wait for an answer to the request for a channel; it doubles with each
    /// retry. Default 200 ms; 1 ms to 60 s.
    pub handshake_timeout_ns: u64,
    /// Version 0: how long one secret signs cookies; a cookie is good for one to two of these.
    /// Default 30 s; 1 s to 1 day.
    pub cookie_epoch_ns: u64,
    /// A connection (version 0: each channel, then its connection) ends after this long without a
    /// packet either way; with `keep_alive_ns`, after this long without one from the peer. In
    /// version 1 the lower of both sides counts. Default 60 s; 0: never; else 1 ms to 365 days.
    pub idle_timeout_ns: u64,
    /// How often a peer that says nothing, or a channel that nothing is said on, is asked for a
    /// sign of life. It keeps the channel on both sides and in the NATs between, and tells a silent
    /// peer from a dead one: set both this and `idle_timeout_ns`. Default 0: never;
    /// else 1 ms to half of `idle_timeout_ns`, which the peer's answer must not miss.
    pub keep_alive_ns: u64,
    /// How long `channeler_node_process` and the node's own thread poll the sockets before they
    /// sleep: an answer that comes within it is not delayed by waking up, and the processor is busy
    /// meanwhile. It shrinks by itself while it does not pay, so that a quiet node does not spin.
    /// While a handshake is under way they look for up to 600 us, in the same way. Default 20 us;
    /// 0: never, where every bit of the battery counts; at most 1 ms. Sockets only.
    pub spin_ns: u64,
    /// Connections at once. Default 16384; 1 to 8388608.
    pub connections_max: u64,
    /// Connections that peers of one IP address (of IPv6: of one /64 network) began. Default 64; 1
    /// to 8388608.
    pub connections_per_address_max: u64,
    /// Channels of one connection, those of both sides together. Default 65536; 1 to 131070.
    pub channels_per_connection_max: u64,
    /// Channels of the node. Default 1048576; 1 to 8388608.
    pub channels_max: u64,
    /// Bytes queued for sending on one channel; in version 1 also those sent and not acknowledged,
    /// where they may have to be sent again. No larger message can be sent. Default 1 MiB; at least
    /// `packet_size`.
    pub send_queue_bytes_max: u64,
    /// Packets queued for sending on one channel. Default 4096; at least 1.
    pub send_queue_packets_max: u64,
    /// Bytes queued for sending in the whole node. Default 64 MiB; at least `packet_size`.
    pub node_send_queue_bytes_max: u64,
    /// Version 0: message bytes kept for `channeler_channel_receive` on one channel; past it new
    /// messages are dropped and counted. Default 1 MiB; at least `packet_size`. Version 1 has
    /// `connection_receive_bytes_max`.
    pub receive_queue_bytes_max: u64,
    /// Version 0: messages kept for `channeler_channel_receive` on one channel. Default 4096; at
    /// least 1.
    pub receive_queue_messages_max: u64,
    /// Version 0: message bytes kept for `channeler_channel_receive` in the whole node. Default 64
    /// MiB; at least `packet_size`.
    pub node_receive_queue_bytes_max: u64,
    /// Answers to peers without a connection, waiting to be sent, in packets. Default 1024; at
    /// least 1.
    pub replies_max: u64,
    /// Events waiting to be reported; past it datagrams are dropped and counted. Default 65536; at
    /// least 16.
    pub events_max: u64,
    /// Where the randomness of a sans-IO node begins: with it a run of version 0 can be repeated to
    /// the byte, and one of version 1 but for its keys, which always come from the operating
    /// system. All zero (default): drawn from the operating system. Sans-IO only.
    pub seed: [u8; 32],
    /// `CHANNELER_PROFILE_NODE` (default) or `CHANNELER_PROFILE_REFERENCE` (sans-IO only, and only
    /// with `CHANNELER_LEGACY_ONLY`).
    pub profile: u32,
    /// Version 1: `CHANNELER_CONGESTION_*`, how the sending rate is controlled.
    pub congestion: u32,
    /// Version 1: the node's private key as PEM text, ended by a zero byte; see
    /// `channeler_identity_generate`. Read during `channeler_node_new` only. NULL (default): a
    /// fresh one, and with it a fresh peer id; `channeler_node_identity` tells it.
    pub identity: *const c_char,
    /// Version 1: tells apart the processes that run at the same time with one identity, so that
    /// none makes the peers of another believe that it restarted; ended by a zero byte, at most 255
    /// bytes. Read during `channeler_node_new` only. NULL (default): there is one process.
    pub instance_label: *const c_char,
    /// Version 1: whether messages of `channeler_channel_send_early` are taken before the handshake
    /// is done. They may have been recorded and sent again by others: default 0.
    pub early_data: u32,
    /// Version 1: whether a channel that the peer closed stays open for what we have to say on it,
    /// until `channeler_channel_close`, `CHANNELER_EVENT_CHANNEL_FINISHED` telling of it. Default
    /// 0: it is closed by itself.
    pub half_close: u32,
    /// Version 1: whether everybody who dials must prove its address by a cookie first, which costs
    /// a round trip. Default 0: only while there are many.
    pub always_cookie: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Version 1: when one attempt of a handshake is given up. Default 10 s; 100 ms to 1 hour.
    pub attempt_timeout_ns: u64,
    /// Version 1: when a connection that nobody answers ends with `CHANNELER_ERR_TIMEOUT`; up to 3
    /// attempts are made in that time. Default 30 s; 100 ms to 1 hour.
    pub dial_timeout_ns: u64,
    /// Version 1: how long a closing connection waits until what was sent has arrived. Default 5 s;
    /// 0: not at all; at most 1 hour.
    pub linger_ns: u64,
    /// Version 1: how long an acknowledgement may wait for company. Default 25 ms; at most 16 s.
    pub ack_delay_ns: u64,
    /// Version 1: handshakes under way without a cookie, past which further ones need one. Default
    /// 256.
    pub half_open_free_max: u64,
    /// Version 1: handshakes under way, past which further ones are dropped. Default 4096; 1 to
    /// 1048576.
    pub half_open_max: u64,
    /// Version 1: bytes of early messages kept until the handshake is done. Default 64 KiB.
    pub early_bytes_max: u64,
    /// Version 1: session tickets kept, those given out and those received; with one, the next
    /// handshake is shorter and may carry early messages. Default 1024; 0 (every handshake is a
    /// full one) to 1048576.
    pub tickets_max: u64,
    /// Version 1: channels that one peer may have opened at once. Default 4096; at most 2147483648.
    pub peer_channels_max: u64,
    /// Version 1: bytes of the largest message taken from a peer. Default 16 MiB; 1 to 4294967296.
    pub message_bytes_max: u64,
    /// When a channel whose send returned `CHANNELER_ERR_WOULD_BLOCK` is writable again
    /// (`CHANNELER_EVENT_WRITABLE`): once no more than these bytes are queued on it, and the
    /// message that found no room would find it. Low values mean fewer, larger batches, and 0 that
    /// all must have left. Default `CHANNELER_LOW_WATER_HALF`; else at most `send_queue_bytes_max`.
    pub send_low_water_bytes: u64,
    /// Version 1: bytes that a peer may send on one channel before any are read, at first; the
    /// window grows with what the path carries and the application reads. Default 64 KiB; from
    /// `packet_size` to `connection_receive_bytes_max`.
    pub receive_window_min: u64,
    /// Version 1: bytes of one connection received and not read, and granted to the peer on top.
    /// Who does not read stops the peer here; nothing is dropped. Default 16 MiB; from
    /// `message_bytes_max` to 1099511627776.
    pub connection_receive_bytes_max: u64,
    /// Version 1: the same of all connections; when it is short, their windows stop growing.
    /// Default 256 MiB; at least `connection_receive_bytes_max`.
    pub node_receive_bytes_max: u64,
    /// Version 1, with `CHANNELER_CONGESTION_BBR2`: per cent of packets that a round trip may lose
    /// before that counts as a full queue. Default 2; 2 to 50.
    ///
    /// More is for links that are known to lose at random, such as radio: some more than they lose
    /// (8 for 5 per cent). Losses below it then have no effect at all. It is not for links that
    /// others share: a full queue shows nothing but losses, and no sender with 20 here yields to
    /// fewer.
    pub loss_tolerance_percent: u64,
    /// Version 1: the largest packet that the search for what a path takes may come to, in bytes of
    /// UDP payload. Default 1452: what Ethernet carries over IPv6. More, up to 65507, is for
    /// networks known to take it (jumbo frames, the loopback). There is no search where it is not
    /// above `packet_size`, or that is below 1200.
    pub packet_size_max: u64,
}

/// Settings of a channel. Fill with `channeler_channel_options_init`, then change what you need.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_channel_options {
    /// `sizeof(channeler_channel_options)`; set by `channeler_channel_options_init`.
    pub struct_size: usize,
    /// What the channel promises: the sum of `CHANNELER_CAP_*` bits, or the name of one such as
    /// `CHANNELER_RELIABLE_ORDERED`. Default `CHANNELER_UNRELIABLE`: messages may be lost and
    /// overtaken (version 0: doubled too).
    pub capabilities: u32,
    /// Version 1: which channels go first, 0 (first) to 7 (last). Default 3.
    pub priority: u32,
    /// Version 1: the channel's share beside others of its priority, 1 to 255. Default 16.
    pub weight: u32,
    /// Version 1: how often a piece of a message is sent again before the message is given up.
    /// Default `CHANNELER_RESEND_ALWAYS`; any other number, 0 included, only with
    /// `CHANNELER_CAP_RESEND`.
    pub resend_limit: u32,
    /// Version 1: what the channel is called; the peer's application sees it
    /// (`channeler_channel_label`). Any bytes, read during `channeler_channel_open` only. NULL
    /// (default): nothing.
    pub label: *const u8,
    /// Bytes in `label`, at most 255.
    pub label_length: usize,
    /// Version 1: how long after it was queued a message is worth sending, in nanoseconds; then it
    /// is given up. `channeler_send_options` may say otherwise for a message. Default 0: for ever;
    /// at most 365 days.
    pub message_lifetime_ns: u64,
}

/// Fills `options` with the defaults of this library.
///
/// `struct_size` is `sizeof(channeler_options)` as the caller was compiled: a program of an older
/// header has a shorter struct, and only that much is written. What is longer than the library
/// knows is zeroed.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`options` is NULL, or `struct_size` is no multiple of
/// 8 from 32 to 4096). Thread: any.
///
/// # Safety
/// `options` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_options_init(
    options: *mut channeler_options,
    struct_size: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `struct_size` writable bytes.
        unsafe { guard::init_versioned(options, struct_size, "options") }
    })
}

/// Fills `options` with the defaults of this library, as `channeler_options_init` does.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`options` is NULL, or `struct_size` is no multiple of
/// 8 from 16 to 4096). Thread: any.
///
/// # Safety
/// `options` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_options_init(
    options: *mut channeler_channel_options,
    struct_size: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `struct_size` writable bytes.
        unsafe { guard::init_versioned(options, struct_size, "options") }
    })
}

// SAFETY: repr(C), begins with `struct_size`, has no padding, and any bytes are valid integers.
unsafe impl Versioned for channeler_options {
    const SIZE_MIN: usize = 32;

    fn new(struct_size: usize) -> channeler_options {
        let config = NodeConfig::new(PeerId([0; PeerId::SIZE]));
        channeler_options {
            struct_size,
            peer_id: channeler_peer_id::default(),
            mode: CHANNELER_MODE_SOCKETS,
            legacy: match config.legacy {
                Legacy::Off => CHANNELER_LEGACY_OFF,
                Legacy::Accept => CHANNELER_LEGACY_ACCEPT,
                Legacy::Only => CHANNELER_LEGACY_ONLY,
            },
            accept_incoming: config.accept_incoming.into(),
            padding: config.padding.into(),
            packet_size: config.packet_size as u32,
            segments_max: config.segments_max as u32,
            handshake_retries: config.handshake_retries.into(),
            log_level: super::callbacks::CHANNELER_LOG_INFO,
            bundle_delay_ns: nanos(config.bundle_delay),
            handshake_timeout_ns: nanos(config.handshake_timeout),
            cookie_epoch_ns: nanos(config.cookie_epoch),
            idle_timeout_ns: nanos(config.idle_timeout),
            keep_alive_ns: nanos(config.keep_alive),
            spin_ns: nanos(SPIN_DEFAULT),
            connections_max: config.connections_max as u64,
            connections_per_address_max: config.connections_per_address_max as u64,
            channels_per_connection_max: config.channels_per_connection_max as u64,
            channels_max: config.channels_max as u64,
            send_queue_bytes_max: config.send_queue_bytes_max as u64,
            send_queue_packets_max: config.send_queue_packets_max as u64,
            node_send_queue_bytes_max: config.node_send_queue_bytes_max as u64,
            receive_queue_bytes_max: config.receive_queue_bytes_max as u64,
            receive_queue_messages_max: config.receive_queue_messages_max as u64,
            node_receive_queue_bytes_max: config.node_receive_queue_bytes_max as u64,
            replies_max: config.replies_max as u64,
            events_max: config.events_max as u64,
            seed: [0; 32],
            profile: CHANNELER_PROFILE_NODE,
            congestion: match config.congestion {
                Congestion::Cubic => CHANNELER_CONGESTION_CUBIC,
                Congestion::NewReno => CHANNELER_CONGESTION_NEWRENO,
                Congestion::Bbr2 => CHANNELER_CONGESTION_BBR2,
            },
            identity: std::ptr::null(),
            instance_label: std::ptr::null(),
            early_data: config.early_data.into(),
            half_close: config.half_close.into(),
            always_cookie: config.always_cookie.into(),
            reserved: 0,
            attempt_timeout_ns: nanos(config.attempt_timeout),
            dial_timeout_ns: nanos(config.dial_timeout),
            linger_ns: nanos(config.linger),
            ack_delay_ns: nanos(config.ack_delay),
            half_open_free_max: config.half_open_free_max as u64,
            half_open_max: config.half_open_max as u64,
            early_bytes_max: config.early_bytes_max as u64,
            tickets_max: config.tickets_max as u64,
            peer_channels_max: config.peer_channels_max as u64,
            message_bytes_max: config.message_bytes_max as u64,
            send_low_water_bytes: config
                .send_low_water_bytes
                .map_or(CHANNELER_LOW_WATER_HALF, |bytes| bytes as u64),
            receive_window_min: config.receive_window_min as u64,
            connection_receive_bytes_max: config.connection_receive_bytes_max as u64,
            node_receive_bytes_max: config.node_receive_bytes_max as u64,
            loss_tolerance_percent: config.loss_tolerance_percent.into(),
            packet_size_max: config.packet_size_max as u64,
        }
    }
}

// SAFETY: repr(C), begins with `struct_size`, has no padding, and any bytes are valid integers.
unsafe impl Versioned for channeler_channel_options {
    const SIZE_MIN: usize = 16;

    fn new(struct_size: usize) -> channeler_channel_options {
        let config = ChannelConfig::default();
        channeler_channel_options {
            struct_size,
            capabilities: 0,
            priority: config.priority.into(),
            weight: config.weight.into(),
            resend_limit: config.resend_limit,
            label: std::ptr::null(),
            label_length: 0,
            message_lifetime_ns: nanos(config.message_lifetime),
        }
    }
}

impl channeler_options {
    fn to_legacy(self) -> Result<Legacy, Failure> {
        match self.legacy {
            CHANNELER_LEGACY_OFF => Ok(Legacy::Off),
            CHANNELER_LEGACY_ACCEPT => Ok(Legacy::Accept),
            CHANNELER_LEGACY_ONLY => Ok(Legacy::Only),
            other => Err(out_of_range("legacy", other, "CHANNELER_LEGACY_*")),
        }
    }

    /// The settings of the core. Ranges are checked there (`NodeConfig::check`).
    pub(super) fn to_config(
        self,
        peer_id: PeerId,
        instance_label: &[u8],
        tag: u16,
    ) -> Result<NodeConfig, Failure> {
        let switch = |name, value| match value {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(out_of_range(name, other, "0 (off) and 1 (on)")),
        };
        if self.reserved != 0 {
            return Err(out_of_range("reserved", self.reserved, "0"));
        }
        let config = NodeConfig {
            tag,
            profile: self.to_profile()?,
            legacy: self.to_legacy()?,
            accept_incoming: switch("accept_incoming", self.accept_incoming)?,
            padding: switch("padding", self.padding)?,
            packet_size: size(self.packet_size.into()),
            segments_max: size(self.segments_max.into()),
            handshake_retries: u8::try_from(self.handshake_retries).map_err(|_| {
                out_of_range("handshake_retries", self.handshake_retries, "0 to 16")
            })?,
            bundle_delay: Duration::from_nanos(self.bundle_delay_ns),
            handshake_timeout: Duration::from_nanos(self.handshake_timeout_ns),
            cookie_epoch: Duration::from_nanos(self.cookie_epoch_ns),
            idle_timeout: Duration::from_nanos(self.idle_timeout_ns),
            keep_alive: Duration::from_nanos(self.keep_alive_ns),
            connections_max: size(self.connections_max),
            connections_per_address_max: size(self.connections_per_address_max),
            channels_per_connection_max: size(self.channels_per_connection_max),
            channels_max: size(self.channels_max),
            send_queue_bytes_max: size(self.send_queue_bytes_max),
            send_queue_packets_max: size(self.send_queue_packets_max),
            node_send_queue_bytes_max: size(self.node_send_queue_bytes_max),
            receive_queue_bytes_max: size(self.receive_queue_bytes_max),
            receive_queue_messages_max: size(self.receive_queue_messages_max),
            node_receive_queue_bytes_max: size(self.node_receive_queue_bytes_max),
            replies_max: size(self.replies_max),
            events_max: size(self.events_max),
            congestion: self.to_congestion()?,
            early_data: switch("early_data", self.early_data)?,
            half_close: switch("half_close", self.half_close)?,
            always_cookie: switch("always_cookie", self.always_cookie)?,
            attempt_timeout: Duration::from_nanos(self.attempt_timeout_ns),
            dial_timeout: Duration::from_nanos(self.dial_timeout_ns),
            linger: Duration::from_nanos(self.linger_ns),
            ack_delay: Duration::from_nanos(self.ack_delay_ns),
            half_open_free_max: size(self.half_open_free_max),
            half_open_max: size(self.half_open_max),
            early_bytes_max: size(self.early_bytes_max),
            tickets_max: size(self.tickets_max),
            peer_channels_max: size(self.peer_channels_max),
            message_bytes_max: size(self.message_bytes_max),
            send_low_water_bytes: self.to_low_water(),
            receive_window_min: size(self.receive_window_min),
            connection_receive_bytes_max: size(self.connection_receive_bytes_max),
            node_receive_bytes_max: size(self.node_receive_bytes_max),
            // What does not fit is out of range anyway.
            loss_tolerance_percent: u8::try_from(self.loss_tolerance_percent).unwrap_or(u8::MAX),
            packet_size_max: size(self.packet_size_max),
            instance_label: instance_label.to_vec(),
            ..NodeConfig::new(peer_id)
        };
        config.check().map_err(|error| fail(Error::InvalidArgument, error.to_string()))?;
        Ok(config)
    }
}

impl channeler_options {
    fn to_congestion(self) -> Result<Congestion, Failure> {
        match self.congestion {
            CHANNELER_CONGESTION_CUBIC => Ok(Congestion::Cubic),
            CHANNELER_CONGESTION_NEWRENO => Ok(Congestion::NewReno),
            CHANNELER_CONGESTION_BBR2 => Ok(Congestion::Bbr2),
            other => Err(out_of_range("congestion", other, "CHANNELER_CONGESTION_*")),
        }
    }

    fn to_low_water(self) -> Option<usize> {
        let is_half = self.send_low_water_bytes == CHANNELER_LOW_WATER_HALF;
        (!is_half).then_some(size(self.send_low_water_bytes))
    }

    fn to_profile(self) -> Result<Profile, Failure> {
        match (self.profile, self.mode, self.legacy) {
            (CHANNELER_PROFILE_NODE, _, _) => Ok(Profile::Node),
            (CHANNELER_PROFILE_REFERENCE, CHANNELER_MODE_SANS_IO, CHANNELER_LEGACY_ONLY) => {
                Ok(Profile::Reference)
            }
            (other, _, _) => {
                let allowed = "CHANNELER_PROFILE_*, 0, and 1 if mode is CHANNELER_MODE_SANS_IO and \
                               legacy CHANNELER_LEGACY_ONLY";
                Err(out_of_range("profile", other, allowed))
            }
        }
    }
}

impl channeler_channel_options {
    /// The settings of the core, with the bytes that `label` names.
    pub(super) fn to_config(self, label: &[u8]) -> Result<ChannelConfig, Failure> {
        let known = u32::from(Capabilities::KNOWN.0);
        if self.capabilities & !known != 0 {
            let allowed = "the sum of CHANNELER_CAP_* bits, 0 to 7";
            return Err(out_of_range("capabilities", self.capabilities, allowed));
        }
        if self.resend_limit != CHANNELER_RESEND_ALWAYS
            && self.capabilities & CHANNELER_CAP_RESEND == 0
        {
            let allowed = "CHANNELER_RESEND_ALWAYS, as the channel has no CHANNELER_CAP_RESEND";
            return Err(out_of_range("resend_limit", self.resend_limit, allowed));
        }
        let priority = u8::try_from(self.priority).ok().filter(|priority| *priority <= 7);
        let weight = u8::try_from(self.weight).ok().filter(|weight| *weight > 0);
        if label.len() > LABEL_BYTES_MAX {
            let text =
                format!("label has {} bytes; allowed is 0 to {LABEL_BYTES_MAX}", label.len());
            return Err(fail(Error::InvalidArgument, text));
        }
        Ok(ChannelConfig {
            capabilities: Capabilities(self.capabilities as u16),
            label: label.into(),
            priority: priority.ok_or_else(|| out_of_range("priority", self.priority, "0 to 7"))?,
            weight: weight.ok_or_else(|| out_of_range("weight", self.weight, "1 to 255"))?,
            resend_limit: self.resend_limit,
            message_lifetime: lifetime("message_lifetime_ns", self.message_lifetime_ns)?,
        })
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// How long a message is worth sending; a setting past its range was meant to be something else.
pub(super) fn lifetime(name: &str, nanos: u64) -> Result<Duration, Failure> {
    if nanos > LIFETIME_NS_MAX {
        let text = format!("{name} is {nanos}; allowed is 0 to {LIFETIME_NS_MAX} (365 days)");
        return Err(fail(Error::InvalidArgument, text));
    }
    Ok(Duration::from_nanos(nanos))
}

/// 365 days.
const LIFETIME_NS_MAX: u64 = 365 * 86_400 * 1_000_000_000;

/// Sizes past this machine's are as good as no limit.
fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn out_of_range(name: &str, value: u32, allowed: &str) -> Failure {
    fail(Error::InvalidArgument, format!("{name} is {value}; allowed is {allowed}"))
}
