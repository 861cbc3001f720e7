//! Connections: one peer each.

use std::net::SocketAddr;

use super::address::channeler_address;
use super::guard::{self, Out, OutVersioned, Versioned, fail, guard};
use super::lifetime::{self, channeler_node};
use super::peer_id::channeler_peer_id;
use crate::config::Legacy;
use crate::error::Error;
use crate::id::{ConnectionHandle, Handle, PeerId};
use crate::node::{CloseReason, ConnectionInfo, Dial};

/// A connection of a node: all that it has with one peer.
///
/// A plain value: copy, store and compare it at will. Once the connection has ended, or at another
/// node, calls with it return `CHANNELER_ERR_INVALID_REFERENCE`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct channeler_connection {
    /// 0 is no connection.
    pub id: u64,
}

/// What a connection is.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_connection_details {
    /// `sizeof(channeler_connection_details)`: set it before the call.
    pub struct_size: usize,
    /// The peer.
    pub peer: channeler_peer_id,
    /// Where we send to.
    pub address: channeler_address,
    /// 1 once a channel was established, else 0.
    pub connected: u32,
    /// Largest message that `channeler_channel_send` takes now, in bytes.
    pub message_bytes_max: u32,
}

/// Why nothing can be sent to `address`.
fn no_peer_at(address: SocketAddr) -> String {
    format!(
        "{address} names no peer: a peer has a port from 1 to 65535 and an address of its own, not \
         0.0.0.0 or ::"
    )
}

/// Begins a connection to `peer` at `address`, or finds the one there is, and writes it to `out`.
///
/// Nothing is sent before a channel is opened on it. With sockets, bind one of the address family
/// first. `peer` and `address` are read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or `peer` is our own id),
/// `_INVALID_ADDRESS` (port 0 and unspecified addresses too), `_BANNED`, `_LIMIT`
/// (`connections_max`), `_UNSUPPORTED` (`legacy` is off), `_STATE` (the node was freed),
/// `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `peer` and `address` are NULL or readable;
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_connect(
    node: *mut channeler_node,
    peer: *const channeler_peer_id,
    address: *const channeler_address,
    out: *mut channeler_connection,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `peer` is null or readable.
        let peer = unsafe { guard::read(peer, "peer") }?;
        // SAFETY: the caller promises that `address` is null or readable.
        let address = unsafe { guard::read(address, "address") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let peer = PeerId(peer.bytes);
        let address = SocketAddr::try_from(address)?;
        let connection = live
            .core(|node, now| {
                let dial = match node.config().legacy {
                    Legacy::Only => Dial::v0(peer, address),
                    Legacy::Off | Legacy::Accept => Dial::v1(peer, address),
                };
                node.connect(now, &dial)
            })?
            .map_err(|error| {
                let is_address = error == Error::InvalidAddress;
                if is_address { fail(error, no_peer_at(address)) } else { error.into() }
            })?;
        out.set(connection.into());
        Ok(())
    })
}

/// Sends what is queued, then forgets the connection and its channels.
///
/// Events `CHANNELER_EVENT_CHANNEL_CLOSED` and `CHANNELER_EVENT_CONNECTION_CLOSED` with
/// `CHANNELER_ERR_CLOSED` follow. Version 0 has no message for it: the peer sees silence, and ends
/// its side after its idle timeout.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_REFERENCE` (no such
/// connection, or it ended: closing twice is this), `_STATE` (the node was freed), `_POISONED`.
/// Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_connection_close(
    node: *mut channeler_node,
    connection: channeler_connection,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        let reason = CloseReason::default();
        Ok(live.core(|node, now| node.close_connection(now, connection.into(), reason))??)
    })
}

/// Tells what a connection is.
///
/// Set `out->struct_size` before. Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or a
/// wrong `struct_size`), `_INVALID_REFERENCE` (no such connection, or it ended), `_STATE` (the node
/// was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
/// writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_connection_info(
    node: *mut channeler_node,
    connection: channeler_connection,
    out: *mut channeler_connection_details,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or as large as it says.
        let out = unsafe { OutVersioned::new(out, "out") }?;
        out.set(live.core(|node, _| node.connection_info(connection.into()))??.into());
        Ok(())
    })
}

impl From<channeler_connection> for ConnectionHandle {
    fn from(connection: channeler_connection) -> ConnectionHandle {
        ConnectionHandle(Handle::from_bits(connection.id))
    }
}

impl From<ConnectionHandle> for channeler_connection {
    fn from(connection: ConnectionHandle) -> channeler_connection {
        channeler_connection { id: connection.0.to_bits() }
    }
}

impl From<ConnectionInfo> for channeler_connection_details {
    fn from(info: ConnectionInfo) -> channeler_connection_details {
        channeler_connection_details {
            peer: info.peer.into(),
            address: info.address.into(),
            connected: info.is_connected.into(),
            message_bytes_max: u32::try_from(info.message_bytes_max).unwrap_or(u32::MAX),
            ..Versioned::new(size_of::<channeler_connection_details>())
        }
    }
}

// SAFETY: repr(C), begins with `struct_size`, and is integers without padding.
unsafe impl Versioned for channeler_connection_details {
    const SIZE_MIN: usize = 16;

    fn new(struct_size: usize) -> channeler_connection_details {
        channeler_connection_details {
            struct_size,
            peer: channeler_peer_id::default(),
            address: channeler_address::default(),
            connected: 0,
            message_bytes_max: 0,
        }
    }
}
