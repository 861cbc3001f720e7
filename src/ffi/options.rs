//! Settings of nodes and channels, as C structs that may grow.

use std::time::Duration;

use super::guard::{self, Failure, Versioned, fail, guard};
use super::peer_id::channeler_peer_id;
use super::reference::{CHANNELER_PROFILE_NODE, CHANNELER_PROFILE_REFERENCE};
use crate::config::{ChannelConfig, Legacy, NodeConfig, Profile};
use crate::engine::SPIN_DEFAULT;
use crate::error::Error;
use crate::id::{Capabilities, PeerId};

/// The node opens sockets, and lives on the system's clock.
pub const CHANNELER_MODE_SOCKETS: u32 = 0;
/// The node has neither sockets nor clock: the caller feeds datagrams and time, and takes
/// datagrams.
pub const CHANNELER_MODE_SANS_IO: u32 = 1;

/// Packets of protocol version 0 are dropped and counted.
pub const CHANNELER_LEGACY_OFF: u32 = 0;
/// Protocol version 0 is spoken beside version 1: neither encrypted nor authenticated.
pub const CHANNELER_LEGACY_ACCEPT: u32 = 1;
/// Nothing but protocol version 0 is spoken (default).
pub const CHANNELER_LEGACY_ONLY: u32 = 2;

/// Lost messages are sent again. Version 0 carries this bit to the peer and does not fulfil it.
pub const CHANNELER_CAP_RESEND: u32 = 1;
/// Messages are never delivered out of order. Version 0 does not fulfil it.
pub const CHANNELER_CAP_ORDERED: u32 = 2;
/// A loss closes the channel. Version 0 does not fulfil it.
pub const CHANNELER_CAP_CLOSE_ON_LOSS: u32 = 4;

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
    /// Our peer id. All zero (default): a random one is drawn.
    pub peer_id: channeler_peer_id,
    /// `CHANNELER_MODE_SOCKETS` (default) or `CHANNELER_MODE_SANS_IO`.
    pub mode: u32,
    /// `CHANNELER_LEGACY_OFF`, `CHANNELER_LEGACY_ACCEPT` or `CHANNELER_LEGACY_ONLY` (default).
    pub legacy: u32,
    /// Whether peers that we did not dial may connect. Default 1.
    pub accept_incoming: u32,
    /// Whether each packet is padded to `packet_size`. Default 0: bytes cost.
    pub padding: u32,
    /// Largest packet sent, in bytes of UDP payload. Default 1232; 128 to 65507
    /// (`CHANNELER_PROFILE_REFERENCE`: from 65).
    pub packet_size: u32,
    /// Datagrams that one transmit may hold (GSO). Default 1; 1 to 64. With sockets the node sets
    /// what the kernel takes.
    pub segments_max: u32,
    /// How often the request for a channel is repeated before it fails. Default 5, about
    /// 13 s in all; 0 to 16.
    pub handshake_retries: u32,
    /// Least severe level that `on_log` hears, `CHANNELER_LOG_ERROR` to `CHANNELER_LOG_DEBUG`.
    /// Default `CHANNELER_LOG_INFO`.
    pub log_level: u32,
    /// How long a message may wait for others to share its packet. Default 0: it waits for nothing;
    /// at most 1 s. With sockets the system's timers round it up to a whole millisecond.
    pub bundle_delay_ns: u64,
    /// First wait for an answer to the request for a channel; it doubles with each retry.
    /// Default 200 ms; 1 ms to 60 s.
    pub handshake_timeout_ns: u64,
    /// How long one secret signs cookies; a cookie is good for one to two of these. Default 30 s;
    /// 1 s to 1 day.
    pub cookie_epoch_ns: u64,
    /// A channel, then its connection, ends after this long without a packet either way; with
    /// `keep_alive_ns`, after this long without one from the peer. Default 60 s; 0: never; else 1
    /// ms to 365 days.
    pub idle_timeout_ns: u64,
    /// How often a peer that says nothing, or a channel that nothing is said on, is asked for a
    /// sign of life. It keeps the channel on both sides and in the NATs between, and tells a silent
    /// peer from a dead one: set both this and `idle_timeout_ns`. Default 0: never;
    /// else 1 ms to half of `idle_timeout_ns`, which the peer's answer must not miss.
    pub keep_alive_ns: u64,
    /// How long `channeler_node_process` and the node's own thread poll the sockets before they
    /// sleep: an answer that comes within it is not delayed by waking up, and the processor is busy
    /// meanwhile. It shrinks by itself while it does not pay, so that a quiet node does not spin.
    /// Default 20 us; 0: never, where every bit of the battery counts; at most 1 ms. Sockets only.
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
    /// Bytes queued for sending on one channel. Default 1 MiB; at least `packet_size`.
    pub send_queue_bytes_max: u64,
    /// Packets queued for sending on one channel. Default 4096; at least 1.
    pub send_queue_packets_max: u64,
    /// Bytes queued for sending in the whole node. Default 64 MiB; at least `packet_size`.
    pub node_send_queue_bytes_max: u64,
    /// Message bytes kept for `channeler_channel_receive` on one channel; past it new messages are
    /// dropped and counted. Default 1 MiB; at least `packet_size`.
    pub receive_queue_bytes_max: u64,
    /// Messages kept for `channeler_channel_receive` on one channel. Default 4096; at least 1.
    pub receive_queue_messages_max: u64,
    /// Message bytes kept for `channeler_channel_receive` in the whole node. Default 64 MiB; at
    /// least `packet_size`.
    pub node_receive_queue_bytes_max: u64,
    /// Answers to peers without a connection, waiting to be sent, in packets. Default 1024; at
    /// least 1.
    pub replies_max: u64,
    /// Events waiting to be reported; past it datagrams are dropped and counted. Default 65536; at
    /// least 16.
    pub events_max: u64,
    /// Where the randomness of a sans-IO node begins, so that a run can be repeated. All zero
    /// (default): drawn from the operating system. Sans-IO only.
    pub seed: [u8; 32],
    /// `CHANNELER_PROFILE_NODE` (default) or `CHANNELER_PROFILE_REFERENCE` (sans-IO only).
    pub profile: u32,
    /// Must be 0.
    pub reserved: u32,
}

/// Settings of a channel. Fill with `channeler_channel_options_init`, then change what you need.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_channel_options {
    /// `sizeof(channeler_channel_options)`; set by `channeler_channel_options_init`.
    pub struct_size: usize,
    /// What the channel promises: the sum of `CHANNELER_CAP_*` bits. Default 0: messages may be
    /// lost, doubled and overtaken.
    pub capabilities: u32,
    /// Must be 0.
    pub reserved: u32,
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
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        channeler_options {
            struct_size,
            peer_id: channeler_peer_id::default(),
            mode: CHANNELER_MODE_SOCKETS,
            legacy: CHANNELER_LEGACY_ONLY,
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
            reserved: 0,
        }
    }
}

// SAFETY: repr(C), begins with `struct_size`, has no padding, and any bytes are valid integers.
unsafe impl Versioned for channeler_channel_options {
    const SIZE_MIN: usize = 16;

    fn new(struct_size: usize) -> channeler_channel_options {
        channeler_channel_options { struct_size, capabilities: 0, reserved: 0 }
    }
}

impl channeler_options {
    /// The settings of the core. Ranges are checked there (`NodeConfig::check`).
    pub(super) fn to_config(self, peer_id: PeerId, tag: u16) -> Result<NodeConfig, Failure> {
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
            profile: match (self.profile, self.mode) {
                (CHANNELER_PROFILE_NODE, _) => Profile::Node,
                (CHANNELER_PROFILE_REFERENCE, CHANNELER_MODE_SANS_IO) => Profile::Reference,
                (other, _) => {
                    let allowed = "CHANNELER_PROFILE_*, 0, and 1 with CHANNELER_MODE_SANS_IO";
                    return Err(out_of_range("profile", other, allowed));
                }
            },
            legacy: match self.legacy {
                CHANNELER_LEGACY_OFF => Legacy::Off,
                CHANNELER_LEGACY_ACCEPT => Legacy::Accept,
                CHANNELER_LEGACY_ONLY => Legacy::Only,
                other => return Err(out_of_range("legacy", other, "CHANNELER_LEGACY_*")),
            },
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
            ..NodeConfig::new(peer_id)
        };
        config.check().map_err(|error| fail(Error::InvalidArgument, error.to_string()))?;
        Ok(config)
    }
}

impl TryFrom<channeler_channel_options> for ChannelConfig {
    type Error = Failure;

    fn try_from(options: channeler_channel_options) -> Result<ChannelConfig, Failure> {
        let known = u32::from(Capabilities::KNOWN.0);
        if options.capabilities & !known != 0 {
            let allowed = "the sum of CHANNELER_CAP_* bits, 0 to 7";
            return Err(out_of_range("capabilities", options.capabilities, allowed));
        }
        if options.reserved != 0 {
            return Err(out_of_range("reserved", options.reserved, "0"));
        }
        Ok(ChannelConfig {
            capabilities: Capabilities(options.capabilities as u16),
            ..ChannelConfig::default()
        })
    }
}

/// Sizes past this machine's are as good as no limit.
fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn out_of_range(name: &str, value: u32, allowed: &str) -> Failure {
    fail(Error::InvalidArgument, format!("{name} is {value}; allowed is {allowed}"))
}
