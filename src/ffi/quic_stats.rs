//! Counters of QUIC channels, and what their connections are and how they do.

use std::ffi::{CString, c_char};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use super::address::channeler_address;
use super::guard::{self, Out, OutVersioned, Versioned, guard};
use super::lifetime::{self, channeler_node};
use super::peer_id::channeler_peer_id;
use crate::error::Error;
use crate::quic::{QuicDrop, QuicInfo, QuicStats};

/// Places for counters of dropped things in `channeler_quic_counters`; those past the last reason
/// are for later ones, and 0.
pub const CHANNELER_QUIC_DROP_PLACES: usize = 64;

/// Counters of QUIC channels since `channeler_quic_open`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_quic_counters {
    /// `sizeof(channeler_quic_counters)`: set it before the call.
    pub struct_size: usize,
    /// Connections in the map now, at most 32.
    pub connections: u64,
    /// Connections beside it now: they drain, are still being read, or are not in it yet.
    pub connections_beside: u64,
    /// Connections that we began.
    pub dialled: u64,
    /// Connections that peers began and that were accepted.
    pub accepted: u64,
    /// Connections that were closed for another when there were 32.
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
    /// Bytes of their frames.
    pub bytes_received: u64,
    /// Messages taken for sending of which it is not known that they arrived: their connection
    /// ended before, or the peer stopped their stream.
    pub messages_undelivered: u64,
    /// Bytes that wait to be received now, with those of unfinished messages.
    pub receive_queue_bytes: u64,
    /// Messages that wait to be received now.
    pub receive_queue_messages: u64,
    /// Bytes that wait to be sent now, on all connections.
    pub send_queue_bytes: u64,
    /// Datagrams received, dropped ones included.
    pub datagrams_received: u64,
    /// Their bytes.
    pub datagram_bytes_received: u64,
    /// Datagrams handed to the network.
    pub datagrams_sent: u64,
    /// Their bytes.
    pub datagram_bytes_sent: u64,
    /// Everything that was not taken, by reason: `channeler_quic_drop_reason_name` names the
    /// places.
    pub dropped: [u64; 64],
}

/// What a connection of QUIC channels is, and how it does.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_quic_details {
    /// `sizeof(channeler_quic_details)`: set it before the call.
    pub struct_size: usize,
    /// Its number, as events have it.
    pub connection: u64,
    /// Where the peer is.
    pub address: channeler_address,
    /// The peer; all zero before it proved who it is.
    pub peer: channeler_peer_id,
    /// 1 once messages flow, else 0.
    pub connected: u32,
    /// 1 when the peer began it, 0 when we did.
    pub by_peer: u32,
    /// The smoothed round-trip time, in nanoseconds.
    pub rtt_ns: u64,
    /// The least round-trip time seen, in nanoseconds.
    pub rtt_min_ns: u64,
    /// Bytes that may be on their way at once, as congestion control sees it.
    pub congestion_window_bytes: u64,
    /// Bytes that may leave in a second; 0: nothing but the window limits.
    pub pacing_rate_bytes: u64,
    /// Bytes on their way now.
    pub in_flight_bytes: u64,
    /// Bytes that wait to be sent now.
    pub send_queue_bytes: u64,
    /// Bytes that wait to be received now, with those of unfinished messages.
    pub receive_queue_bytes: u64,
    /// Messages that wait to be received now.
    pub receive_queue_messages: u64,
    /// Messages taken for sending on it.
    pub messages_sent: u64,
    /// Messages received whole on it.
    pub messages_received: u64,
    /// Messages of the peer that broke off in their middle.
    pub messages_cut: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets that were lost on their way to the peer.
    pub packets_lost: u64,
    /// Their bytes.
    pub bytes_lost: u64,
    /// How often loss, or marks of full queues, were told to congestion control.
    pub congestion_events: u64,
    /// Largest packet that leaves now, in bytes of UDP payload.
    pub packet_size: u64,
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Their bytes.
    pub datagram_bytes_sent: u64,
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Their bytes.
    pub datagram_bytes_received: u64,
}

/// Reads the counters of QUIC channels.
///
/// Set `out->struct_size` before. Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or a
/// wrong `struct_size`), `_UNSUPPORTED` (no `channeler_quic_open` before), `_STATE` (the node was
/// freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
/// writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_stats(
    node: *mut channeler_node,
    out: *mut channeler_quic_counters,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or as large as it says.
        let out = unsafe { OutVersioned::new(out, "out") }?;
        out.set(live.quic(|quic, _| quic.stats())?.into());
        Ok(())
    })
}

/// Tells what the connection to `address` is, and how it does.
///
/// Set `out->struct_size` before. Errors: as `channeler_quic_stats`, and
/// `CHANNELER_ERR_INVALID_ADDRESS`, `_INVALID_REFERENCE` (there is none). Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable; `out` is NULL
/// or has `out->struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_info(
    node: *mut channeler_node,
    address: *const channeler_address,
    out: *mut channeler_quic_details,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `address` is null or readable.
        let address = SocketAddr::try_from(unsafe { guard::read(address, "address") }?)?;
        // SAFETY: the caller promises that `out` is null or as large as it says.
        let out = unsafe { OutVersioned::new(out, "out") }?;
        let info = live.quic(|quic, _| quic.info(address))?.ok_or(Error::InvalidReference)?;
        out.set(info.into());
        Ok(())
    })
}

/// Writes the addresses of the peers that there are connections to, at most 32, to `addresses`, and
/// how many they are to `*count`.
///
/// `addresses` may be NULL when `capacity` is 0. Errors: `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE`
/// (there are more than `capacity`: `*count` is written, `addresses` is not),
/// `_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (no `channeler_quic_open` before),
/// `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `addresses` is NULL or has place for
/// `capacity`; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_connections(
    node: *mut channeler_node,
    addresses: *mut channeler_address,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        if addresses.is_null() && capacity > 0 {
            return Err(guard::null("addresses"));
        }
        // SAFETY: the caller promises that `count` is null or writable.
        let count = unsafe { Out::new(count, "count") }?;
        let mut found: Vec<SocketAddr> = live.quic(|quic, _| quic.addresses().collect())?;
        found.sort_unstable();
        count.set(found.len());
        if found.len() > capacity {
            return Err(guard::too_small("addresses", capacity, found.len()));
        }
        for (place, address) in found.into_iter().enumerate() {
            // SAFETY: below `capacity`, for which the caller promises place.
            let place = unsafe { addresses.add(place) };
            // SAFETY: as above.
            unsafe { place.write(address.into()) };
        }
        Ok(())
    })
}

/// Returns the name of a reason not to take something, such as "frame_too_long"; NULL past the last
/// one.
///
/// `index` is a place in `channeler_quic_counters.dropped`. Datagrams: `event_queue_full` (nobody
/// runs the node's callbacks), `address_banned`, `unknown_connection`; answers to strangers:
/// `reply_queue_full`; handshakes: `handshake_limit`, `handshake_invalid`; peers: `peer_banned`,
/// `peer_unknown`, `peer_refused`, `peer_mistaken` (not the one that was dialled, or us);
/// frames: `frame_too_long`, `_empty`, `_truncated`, `_unknown_variant`, `_label_too_long`,
/// `_label_not_text`, `_cut`, `_too_much`; messages that broke off: `message_cut`. Owner: the
/// library; valid for ever. Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn channeler_quic_drop_reason_name(index: usize) -> *const c_char {
    static NAMES: LazyLock<Vec<CString>> = LazyLock::new(|| {
        let name = |reason: &QuicDrop| {
            CString::new(reason.name()).expect("the table of reasons has no zero bytes")
        };
        QuicDrop::ALL.iter().map(name).collect()
    });
    NAMES.get(index).map_or(std::ptr::null(), |name| name.as_ptr())
}

impl From<QuicStats> for channeler_quic_counters {
    fn from(stats: QuicStats) -> channeler_quic_counters {
        let mut dropped = [0; CHANNELER_QUIC_DROP_PLACES];
        dropped[..stats.dropped.len()].copy_from_slice(&stats.dropped);
        channeler_quic_counters {
            struct_size: size_of::<channeler_quic_counters>(),
            connections: stats.connections,
            connections_beside: stats.connections_beside,
            dialled: stats.dialled,
            accepted: stats.accepted,
            evicted: stats.evicted,
            superseded: stats.superseded,
            handshakes_retried: stats.handshakes_retried,
            messages_sent: stats.messages_sent,
            bytes_sent: stats.bytes_sent,
            messages_received: stats.messages_received,
            bytes_received: stats.bytes_received,
            messages_undelivered: stats.messages_undelivered,
            receive_queue_bytes: stats.receive_bytes,
            receive_queue_messages: stats.receive_messages,
            send_queue_bytes: stats.send_queue_bytes,
            datagrams_received: stats.datagrams_received,
            datagram_bytes_received: stats.datagram_bytes_received,
            datagrams_sent: stats.datagrams_sent,
            datagram_bytes_sent: stats.datagram_bytes_sent,
            dropped,
        }
    }
}

impl From<QuicInfo> for channeler_quic_details {
    fn from(info: QuicInfo) -> channeler_quic_details {
        channeler_quic_details {
            struct_size: size_of::<channeler_quic_details>(),
            connection: info.connection.0,
            address: info.address.into(),
            peer: info.peer.map_or(channeler_peer_id::default(), Into::into),
            connected: info.is_connected.into(),
            by_peer: info.by_peer.into(),
            rtt_ns: nanos(info.rtt),
            rtt_min_ns: nanos(info.min_rtt),
            congestion_window_bytes: info.congestion_window_bytes,
            pacing_rate_bytes: info.pacing_rate_bytes,
            in_flight_bytes: info.in_flight_bytes,
            send_queue_bytes: info.send_queue_bytes,
            receive_queue_bytes: info.receive_bytes,
            receive_queue_messages: info.receive_messages,
            messages_sent: info.messages_sent,
            messages_received: info.messages_received,
            messages_cut: info.messages_cut,
            packets_sent: info.packets_sent,
            packets_lost: info.packets_lost,
            bytes_lost: info.bytes_lost,
            congestion_events: info.congestion_events,
            packet_size: info.packet_size.into(),
            datagrams_sent: info.datagrams_sent,
            datagram_bytes_sent: info.datagram_bytes_sent,
            datagrams_received: info.datagrams_received,
            datagram_bytes_received: info.datagram_bytes_received,
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

// SAFETY: repr(C), begins with `struct_size`, and is integers without padding.
unsafe impl Versioned for channeler_quic_counters {
    const SIZE_MIN: usize = 16;

    fn new(struct_size: usize) -> channeler_quic_counters {
        channeler_quic_counters { struct_size, ..QuicStats::default().into() }
    }
}

// SAFETY: repr(C), begins with `struct_size`, and is integers; `address` and `peer` together fill
// whole words, so that there is no padding.
unsafe impl Versioned for channeler_quic_details {
    const SIZE_MIN: usize = 16;

    fn new(struct_size: usize) -> channeler_quic_details {
        // SAFETY: all fields are integers, for which zero bytes are valid.
        channeler_quic_details { struct_size, ..unsafe { std::mem::zeroed() } }
    }
}

const _: () = assert!(
    (size_of::<channeler_address>() + size_of::<channeler_peer_id>()).is_multiple_of(8),
    "no padding behind them"
);
