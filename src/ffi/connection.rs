//! Connections: one peer each.

use std::ffi::c_char;
use std::net::SocketAddr;

use super::address::channeler_address;
use super::guard::{self, Failure, Out, OutVersioned, Versioned, fail, guard};
use super::identity::channeler_public_key;
use super::lifetime::{self, Live, channeler_node};
use super::peer_id::channeler_peer_id;
use crate::config::Legacy;
use crate::error::Error;
use crate::id::{ConnectionHandle, Handle, PeerId, Version};
use crate::io::Local;
use crate::node::{CloseReason, ConnectionInfo, Dial};

/// Version 0 of the protocol, the reference's: neither encrypted nor authenticated.
pub const CHANNELER_PROTOCOL_V0: u32 = 0;
/// Version 1 of the protocol: encrypted, both sides authenticated.
pub const CHANNELER_PROTOCOL_V1: u32 = 1;

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
    /// Version 1: 1 once the handshake is done. Version 0: 1 once a channel was established.
    pub connected: u32,
    /// Largest message that `channeler_channel_send` takes now, in bytes. Version 0: what one
    /// packet takes. Version 1: the least of what the peer takes and what `send_queue_bytes_max`
    /// holds.
    pub message_bytes_max: u32,
    /// `CHANNELER_PROTOCOL_V0` or `CHANNELER_PROTOCOL_V1`.
    pub protocol: u32,
    /// 1 when what is sent is encrypted, and the peer was seen to have the key of its peer id: in
    /// version 1, once the handshake is done. Else 0.
    pub encrypted: u32,
    /// The peer's key, once it was seen to have it; all zero before, and in version 0.
    pub public_key: channeler_public_key,
    /// Largest message that one packet takes now, in bytes: such messages are never cut in pieces.
    pub packet_message_bytes: u32,
    /// Version 1: where the peer sees our packets come from, as it says: our own address, or that
    /// of a NAT before us. `CHANNELER_FAMILY_NONE` until it said so.
    pub observed_address: channeler_address,
}

/// Whom to connect to, and how. Fill with `channeler_dial_options_init`, then change what you need.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_dial_options {
    /// `sizeof(channeler_dial_options)`; set by `channeler_dial_options_init`.
    pub struct_size: usize,
    /// `CHANNELER_PROTOCOL_V1` (default) or `CHANNELER_PROTOCOL_V0`.
    pub protocol: u32,
    /// Must be 0.
    pub reserved: u32,
    /// The peer that must answer. All zero (default): whoever does; only in version 1, where it
    /// proves who it is and `channeler_connection_info` tells.
    pub peer: channeler_peer_id,
    /// Where it is.
    pub address: channeler_address,
}

/// Fills `options` with the defaults of this library, as `channeler_options_init` does.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`options` is NULL, or `struct_size` is no multiple of
/// 8 from 16 to 4096). Thread: any.
///
/// # Safety
/// `options` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_dial_options_init(
    options: *mut channeler_dial_options,
    struct_size: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `struct_size` writable bytes.
        unsafe { guard::init_versioned(options, struct_size, "options") }
    })
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
/// Version 1 is spoken, or version 0 if the node's `legacy` is `CHANNELER_LEGACY_ONLY`;
/// `channeler_node_dial` chooses. Version 1 shakes hands at once and ends with
/// `CHANNELER_EVENT_CONNECTED` or `CHANNELER_EVENT_CONNECTION_CLOSED`; version 0 sends nothing
/// before a channel is opened. Channels may be opened and messages sent without waiting. With
/// sockets, bind one of the address family first. `peer` and `address` are read during the call
/// only; `peer` NULL is whoever answers, in version 1.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or `peer` is our own id),
/// `_INVALID_ADDRESS` (port 0 and unspecified addresses too), `_BANNED`, `_LIMIT`
/// (`connections_max`), `_STATE` (in version 1 the last connection with this peer is still closing:
/// wait for its `CHANNELER_EVENT_CONNECTION_CLOSED`; the node was freed), `_POISONED`. Thread: any.
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
        let peer = unsafe { guard::read_optional(peer) };
        // SAFETY: the caller promises that `address` is null or readable.
        let address = unsafe { guard::read(address, "address") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let address = SocketAddr::try_from(address)?;
        let legacy = live.core(|node, _| node.config().legacy)?;
        let version = match legacy {
            Legacy::Only => Version::V0,
            Legacy::Off | Legacy::Accept => Version::V1,
        };
        out.set(connect(&live, version, peer, address)?);
        Ok(())
    })
}

/// As `channeler_node_connect`, with the version of the protocol chosen.
///
/// Errors: as `channeler_node_connect`; also `CHANNELER_ERR_INVALID_ARGUMENT` (a wrong
/// `struct_size`, an unknown `protocol`, version 0 without a peer id), `_UNSUPPORTED` (the node's
/// `legacy` excludes that version). Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `options` is NULL or has `struct_size`
/// readable bytes; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_dial(
    node: *mut channeler_node,
    options: *const channeler_dial_options,
    out: *mut channeler_connection,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        if options.is_null() {
            return Err(guard::null("options"));
        }
        // SAFETY: the caller promises that `options` is as large as it says.
        let options = unsafe { guard::read_versioned_or_default(options, "options") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        if options.reserved != 0 {
            let text = format!("reserved is {}; allowed is 0", options.reserved);
            return Err(fail(Error::InvalidArgument, text));
        }
        let version = match options.protocol {
            CHANNELER_PROTOCOL_V0 => Version::V0,
            CHANNELER_PROTOCOL_V1 => Version::V1,
            other => {
                let text = format!("protocol is {other}; allowed is CHANNELER_PROTOCOL_V0 and _V1");
                return Err(fail(Error::InvalidArgument, text));
            }
        };
        let peer = Some(options.peer).filter(|peer| *peer != channeler_peer_id::default());
        out.set(connect(&live, version, peer, SocketAddr::try_from(options.address)?)?);
        Ok(())
    })
}

fn connect(
    live: &Live,
    version: Version,
    peer: Option<channeler_peer_id>,
    address: SocketAddr,
) -> Result<channeler_connection, Failure> {
    let peer = peer.map(|peer| PeerId(peer.bytes));
    if peer.is_none() && version == Version::V0 {
        let text =
            "no peer id was given; version 0 needs one (only version 1 can prove who answers)";
        return Err(fail(Error::InvalidArgument, text));
    }
    let dial = Dial { version, peer, address, local: Local::default() };
    let connection = live.core(|node, now| node.connect(now, &dial))?;
    let connection = connection.map_err(|error| {
        if error == Error::InvalidAddress {
            return fail(error, no_peer_at(address));
        }
        guard::explain(error, NOT_CONNECTED)
    })?;
    Ok(connection.into())
}

/// Why nobody can be dialled, and what can be done about it.
const NOT_CONNECTED: &[(Error, &str)] = &[
    (
        Error::Unsupported,
        "the node does not speak that version: version 0 needs the option legacy to be \
         CHANNELER_LEGACY_ACCEPT or _ONLY, version 1 _OFF or _ACCEPT",
    ),
    (
        Error::State,
        "the last connection with this peer is closing; connect again after its \
         CHANNELER_EVENT_CONNECTION_CLOSED",
    ),
    (Error::InvalidArgument, "peer is the node's own peer id; name another"),
    (
        Error::Banned,
        "the peer or its address is banned; channeler_node_lift_ban_peer and _address lift it",
    ),
    (
        Error::Limit,
        "there are as many connections as connections_max allows; close some or raise it",
    ),
];

/// Why there are no new keys.
const NOT_UPDATED: &[(Error, &str)] = &[
    (Error::Unsupported, "the connection is of version 0, without keys"),
    (Error::State, "the handshake is not done; wait for CHANNELER_EVENT_CONNECTED"),
];

/// Closes a connection: sends what is queued, tells the peer, then forgets it and its channels.
///
/// The same as `channeler_connection_close_with` with code 0 and no reason.
/// Errors: as that. Thread: any.
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

/// Closes a connection, and tells the peer why: `code` is a number of the application's, `reason` a
/// sentence for people (UTF-8, ended by a zero byte, cut at 255 bytes; NULL: none).
///
/// Events `CHANNELER_EVENT_CHANNEL_CLOSED` and `CHANNELER_EVENT_CONNECTION_CLOSED` with
/// `CHANNELER_ERR_CLOSED` follow, in version 1 after what was sent has arrived or the option
/// `linger_ns` has passed. The peer's events have `CHANNELER_ERR_PEER_CLOSED`, `code` and `reason`.
/// Version 0 has no message for it: the peer sees silence, and ends its side after its idle
/// timeout.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_DECODE` (`reason` is not UTF-8),
/// `_INVALID_REFERENCE` (no such connection, or it ended: closing twice is this), `_STATE` (the
/// node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `reason` is NULL or ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_connection_close_with(
    node: *mut channeler_node,
    connection: channeler_connection,
    code: u64,
    reason: *const c_char,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `reason` is null or ends with a zero byte.
        let text = unsafe { guard::text_or_none(reason, "reason") }?.unwrap_or_default();
        let reason = CloseReason { code, text: text.to_owned() };
        Ok(live.core(|node, now| node.close_connection(now, connection.into(), reason))??)
    })
}

/// Begins to encrypt with fresh keys, as soon as the peer can follow. Version 1 does so by itself
/// long before a key is used up; this is for those who want it more often.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_REFERENCE` (no such
/// connection, or it ended), `_UNSUPPORTED` (version 0 has no keys), `_STATE` (the handshake is not
/// done; the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_connection_update_keys(
    node: *mut channeler_node,
    connection: channeler_connection,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        let result = live.core(|node, now| node.update_keys(now, connection.into()))?;
        result.map_err(|error| guard::explain(error, NOT_UPDATED))
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
            packet_message_bytes: u32::try_from(info.packet_message_bytes).unwrap_or(u32::MAX),
            protocol: match info.version {
                Version::V0 => CHANNELER_PROTOCOL_V0,
                Version::V1 => CHANNELER_PROTOCOL_V1,
            },
            encrypted: info.is_encrypted.into(),
            public_key: info.public_key.map(Into::into).unwrap_or_default(),
            observed_address: info.observed_address.map(Into::into).unwrap_or_default(),
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
            protocol: CHANNELER_PROTOCOL_V0,
            encrypted: 0,
            public_key: channeler_public_key::default(),
            packet_message_bytes: 0,
            observed_address: channeler_address::default(),
        }
    }
}

// SAFETY: repr(C), begins with `struct_size`, and is integers without padding.
unsafe impl Versioned for channeler_dial_options {
    const SIZE_MIN: usize = 16;

    fn new(struct_size: usize) -> channeler_dial_options {
        channeler_dial_options {
            struct_size,
            protocol: CHANNELER_PROTOCOL_V1,
            reserved: 0,
            peer: channeler_peer_id::default(),
            address: channeler_address::default(),
        }
    }
}
