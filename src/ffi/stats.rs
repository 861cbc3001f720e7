//! Counters of nodes, connections and channels.

use std::ffi::{CString, c_char};
use std::sync::LazyLock;
use std::time::Duration;

use super::channel::channeler_channel;
use super::connection::channeler_connection;
use super::guard::{OutVersioned, Versioned, guard};
use super::lifetime::{self, channeler_node};
use crate::node::{ChannelStats, ConnectionStats, DropReason, EcnState, NodeStats};

/// Places for counters of dropped things in `channeler_node_counters`; those past
/// `CHANNELER_DROP_COUNT` are for later reasons, and 0.
pub const CHANNELER_DROP_PLACES: usize = 64;

/// Counters of a node since `channeler_node_new`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_node_counters {
    /// `sizeof(channeler_node_counters)`: set it before the call.
    pub struct_size: usize,
    /// Datagrams received, dropped ones included.
    pub datagrams_received: u64,
    /// Bytes of UDP payload received.
    pub bytes_received: u64,
    /// Datagrams handed to the network.
    pub datagrams_sent: u64,
    /// Bytes of UDP payload handed to the network.
    pub bytes_sent: u64,
    /// Messages delivered, or queued for delivery.
    pub messages_received: u64,
    /// Messages accepted from the application.
    pub messages_sent: u64,
    /// Connections now.
    pub connections: u64,
    /// Channels now, pending ones included.
    pub channels: u64,
    /// Bytes waiting to be sent now.
    pub send_queue_bytes: u64,
    /// Message bytes waiting to be read now.
    pub receive_queue_bytes: u64,
    /// Everything dropped, by reason: `CHANNELER_DROP_*` is the index, and
    /// `channeler_drop_reason_name` its name.
    pub dropped: [u64; 64],
}

/// Counters of a connection since it began.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_connection_counters {
    /// `sizeof(channeler_connection_counters)`: set it before the call.
    pub struct_size: usize,
    /// Datagrams received from the peer.
    pub datagrams_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Datagrams built for the peer.
    pub datagrams_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Channels now, pending ones included.
    pub channels: u64,
    /// Version 1: the smoothed round-trip time in nanoseconds; 0 before the handshake is done.
    pub rtt_ns: u64,
    /// Version 1: bytes that may be on their way at once, as congestion control sees it.
    pub congestion_window_bytes: u64,
    /// Version 1: bytes of packets that were lost on their way to the peer.
    pub bytes_lost: u64,
    /// Version 1: how much the round-trip time varies, in nanoseconds.
    pub rtt_variation_ns: u64,
    /// Version 1: the least round-trip time seen, in nanoseconds.
    pub rtt_min_ns: u64,
    /// Version 1: bytes on their way now: sent, and neither acknowledged nor lost.
    pub in_flight_bytes: u64,
    /// Version 1: bytes that may leave in a second; 0: nothing but the window limits.
    pub pacing_rate_bytes: u64,
    /// Largest packet that leaves now, in bytes of UDP payload; version 0: the option `packet_size`
    /// or less.
    pub packet_size: u64,
    /// Version 1: packets sent, those of the handshake apart.
    pub packets_sent: u64,
    /// Version 1: packets that were lost on their way to the peer.
    pub packets_lost: u64,
    /// Version 1: packets taken for lost that had arrived after all; `packets_lost` counts them.
    pub packets_lost_spuriously: u64,
    /// Version 1: bytes of messages sent again because packets with them were lost.
    pub bytes_resent: u64,
    /// Bytes waiting to be sent now, on all channels; see `channeler_channel_counters`.
    pub send_queue_bytes: u64,
    /// Bytes received and not read now, on all channels; see `channeler_channel_counters`.
    pub receive_queue_bytes: u64,
    /// Version 1: bytes that we may still send, on all channels together, before the peer allows
    /// more, because it reads.
    pub send_credit_bytes: u64,
    /// `CHANNELER_ECN_*`: whether the path carries marks of explicit congestion notification.
    pub ecn: u64,
}

/// Packets leave without ECN marks: version 0, or a system that cannot set them.
pub const CHANNELER_ECN_OFF: u64 = 0;
/// Packets leave marked; whether the marks arrive is not known yet.
pub const CHANNELER_ECN_TESTING: u64 = 1;
/// The peer sees the marks.
pub const CHANNELER_ECN_CAPABLE: u64 = 2;
/// The path drops or changes the marks: packets leave unmarked.
pub const CHANNELER_ECN_FAILED: u64 = 3;

/// Counters of a channel since it began.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_channel_counters {
    /// `sizeof(channeler_channel_counters)`: set it before the call.
    pub struct_size: usize,
    /// Messages accepted from the application.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Messages dropped: received ones because the receive queue was full, sent ones because the
    /// path's packet size shrank below them while the channel was opening.
    pub messages_dropped: u64,
    /// Bytes waiting to be sent now, envelopes included; where lost messages are sent again, also
    /// those sent and not acknowledged.
    pub send_queue_bytes: u64,
    /// Message bytes waiting to be read now; in version 1 also those of messages with holes.
    pub receive_queue_bytes: u64,
    /// Messages waiting to be sent now, or packets of them.
    pub send_queue_messages: u64,
    /// Messages that can be read now.
    pub receive_queue_messages: u64,
    /// Version 1: messages of ours given up: lost, or expired.
    pub messages_lost: u64,
    /// Version 1: messages of the peer's that will never come.
    pub messages_skipped: u64,
    /// Version 1: bytes of messages sent again because packets with them were lost.
    pub bytes_resent: u64,
    /// Version 1: bytes that we may still send before the peer allows more, because it reads.
    pub send_credit_bytes: u64,
    /// Version 1: bytes that the peer may still send before we allow more.
    pub receive_credit_bytes: u64,
    /// Version 1: our receive window now: so many bytes unread stop the peer.
    pub receive_window_bytes: u64,
}

/// Reads the counters of a node.
///
/// Set `out->struct_size` before. Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or a
/// wrong `struct_size`), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
/// writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_stats(
    node: *mut channeler_node,
    out: *mut channeler_node_counters,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or as large as it says.
        let out = unsafe { OutVersioned::new(out, "out") }?;
        out.set(live.core(|node, _| node.stats())?.into());
        Ok(())
    })
}

/// Reads the counters of a connection.
///
/// Set `out->struct_size` before. Errors: as `channeler_node_stats`, and
/// `CHANNELER_ERR_INVALID_REFERENCE` (no such connection, or it ended). Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
/// writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_connection_stats(
    node: *mut channeler_node,
    connection: channeler_connection,
    out: *mut channeler_connection_counters,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or as large as it says.
        let out = unsafe { OutVersioned::new(out, "out") }?;
        out.set(live.core(|node, _| node.connection_stats(connection.into()))??.into());
        Ok(())
    })
}

/// Reads the counters of a channel.
///
/// Set `out->struct_size` before. Errors: as `channeler_node_stats`, and
/// `CHANNELER_ERR_INVALID_CHANNELID` (no such channel, or it ended). Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
/// writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_stats(
    node: *mut channeler_node,
    channel: channeler_channel,
    out: *mut channeler_channel_counters,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or as large as it says.
        let out = unsafe { OutVersioned::new(out, "out") }?;
        out.set(live.core(|node, _| node.channel_stats(channel.into()))??.into());
        Ok(())
    })
}

/// Returns the name of a reason to drop something, such as "bad_checksum"; NULL past the last one.
///
/// `index` is a place in `channeler_node_counters.dropped`. Owner: the library; valid for ever.
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn channeler_drop_reason_name(index: usize) -> *const c_char {
    static NAMES: LazyLock<Vec<CString>> = LazyLock::new(|| {
        let name = |reason: &DropReason| {
            CString::new(reason.name()).expect("the table of reasons has no zero bytes")
        };
        DropReason::ALL.iter().map(name).collect()
    });
    NAMES.get(index).map_or(std::ptr::null(), |name| name.as_ptr())
}

impl From<NodeStats> for channeler_node_counters {
    fn from(stats: NodeStats) -> channeler_node_counters {
        let mut dropped = [0; CHANNELER_DROP_PLACES];
        dropped[..stats.dropped.len()].copy_from_slice(&stats.dropped);
        channeler_node_counters {
            struct_size: size_of::<channeler_node_counters>(),
            datagrams_received: stats.datagrams_received,
            bytes_received: stats.bytes_received,
            datagrams_sent: stats.datagrams_sent,
            bytes_sent: stats.bytes_sent,
            messages_received: stats.messages_received,
            messages_sent: stats.messages_sent,
            connections: stats.connections,
            channels: stats.channels,
            send_queue_bytes: stats.send_queue_bytes,
            receive_queue_bytes: stats.receive_queue_bytes,
            dropped,
        }
    }
}

impl From<ConnectionStats> for channeler_connection_counters {
    fn from(stats: ConnectionStats) -> channeler_connection_counters {
        channeler_connection_counters {
            struct_size: size_of::<channeler_connection_counters>(),
            datagrams_received: stats.datagrams_received,
            bytes_received: stats.bytes_received,
            datagrams_sent: stats.datagrams_sent,
            bytes_sent: stats.bytes_sent,
            channels: stats.channels,
            rtt_ns: nanos(stats.rtt),
            congestion_window_bytes: stats.congestion_window_bytes,
            bytes_lost: stats.bytes_lost,
            rtt_variation_ns: nanos(stats.rtt_variation),
            rtt_min_ns: nanos(stats.rtt_min),
            in_flight_bytes: stats.in_flight_bytes,
            pacing_rate_bytes: stats.pacing_rate_bytes,
            packet_size: stats.packet_size,
            packets_sent: stats.packets_sent,
            packets_lost: stats.packets_lost,
            packets_lost_spuriously: stats.packets_lost_spuriously,
            bytes_resent: stats.bytes_resent,
            send_queue_bytes: stats.send_queue_bytes,
            receive_queue_bytes: stats.receive_queue_bytes,
            send_credit_bytes: stats.send_credit_bytes,
            ecn: match stats.ecn {
                EcnState::Off => CHANNELER_ECN_OFF,
                EcnState::Testing => CHANNELER_ECN_TESTING,
                EcnState::Capable => CHANNELER_ECN_CAPABLE,
                EcnState::Failed => CHANNELER_ECN_FAILED,
            },
        }
    }
}

impl From<ChannelStats> for channeler_channel_counters {
    fn from(stats: ChannelStats) -> channeler_channel_counters {
        channeler_channel_counters {
            struct_size: size_of::<channeler_channel_counters>(),
            messages_sent: stats.messages_sent,
            bytes_sent: stats.bytes_sent,
            messages_received: stats.messages_received,
            bytes_received: stats.bytes_received,
            messages_dropped: stats.messages_dropped,
            send_queue_bytes: stats.send_queue_bytes,
            receive_queue_bytes: stats.receive_queue_bytes,
            send_queue_messages: stats.send_queue_messages,
            receive_queue_messages: stats.receive_queue_messages,
            messages_lost: stats.messages_lost,
            messages_skipped: stats.messages_skipped,
            bytes_resent: stats.bytes_resent,
            send_credit_bytes: stats.send_credit_bytes,
            receive_credit_bytes: stats.receive_credit_bytes,
            receive_window_bytes: stats.receive_window_bytes,
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Counters are filled by the library, never read: what `new` says is all zero.
macro_rules! counters {
    ($($name:ident)+) => {
        $(
            // SAFETY: repr(C), begins with `struct_size`, and is integers without padding.
            unsafe impl Versioned for $name {
                const SIZE_MIN: usize = 16;

                fn new(struct_size: usize) -> $name {
                    // SAFETY: all fields are integers, for which zero bytes are valid.
                    $name { struct_size, ..unsafe { std::mem::zeroed() } }
                }
            }
        )+
    };
}

counters! { channeler_node_counters channeler_connection_counters channeler_channel_counters }
