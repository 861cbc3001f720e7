//! Channels: opened, described, closed. What goes over them is in `message`.

use std::ffi::c_char;

use super::connection::channeler_connection;
use super::guard::{self, Out, OutVersioned, Versioned, guard};
use super::lifetime::{self, channeler_node};
use super::options::{self, channeler_channel_options};
use crate::error::Error;
use crate::id::{ChannelHandle, Handle, Role};
use crate::node::{ChannelInfo, CloseReason};

/// We opened the channel.
pub const CHANNELER_ROLE_INITIATOR: u32 = 1;
/// The peer opened the channel.
pub const CHANNELER_ROLE_RESPONDER: u32 = 2;

/// A channel of a connection.
///
/// A plain value: copy, store and compare it at will. Once the channel has ended, or at another
/// node, calls with it return `CHANNELER_ERR_INVALID_CHANNELID`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct channeler_channel {
    /// 0 is no channel.
    pub id: u64,
}

/// What a channel is.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_channel_details {
    /// `sizeof(channeler_channel_details)`: set it before the call.
    pub struct_size: usize,
    /// Its connection.
    pub connection: channeler_connection,
    /// The half of its id on the wire that the opener chose.
    pub initiator_half: u32,
    /// The half that the other side chose; 0xf0f0 until it did.
    pub responder_half: u32,
    /// `CHANNELER_ROLE_INITIATOR` or `CHANNELER_ROLE_RESPONDER`: who we are.
    pub role: u32,
    /// The sum of `CHANNELER_CAP_*` bits that the opener chose.
    pub capabilities: u32,
    /// 1 once messages can flow, else 0.
    pub established: u32,
    /// 1 when the peer opened it in early data, which others may have recorded and sent again; else
    /// 0 (version 1).
    pub early: u32,
    /// Bytes of its label (version 1).
    pub label_length: u32,
    /// 0 (first) to 7 (last), as its opener chose (version 1).
    pub priority: u32,
    /// Its share beside others of its priority, as its opener chose (version 1).
    pub weight: u32,
    /// 0.
    pub reserved: u32,
}

/// Begins to open a channel and writes it to `out`.
///
/// `CHANNELER_EVENT_CHANNEL_OPENED` or `CHANNELER_EVENT_CHANNEL_CLOSED` follows. Messages may be
/// sent at once: they wait, and leave with the first packet that can carry them. `options` may be
/// NULL (defaults: `CHANNELER_UNRELIABLE`), and is read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` or `out` is NULL, a wrong `struct_size`, an
/// option out of its range, a label that is too long), `_INVALID_REFERENCE` (no such connection, or
/// it ended), `_LIMIT` (`channels_max`, `channels_per_connection_max`), `_CLOSED` (the connection
/// is closing), `_STATE` (the connection waits for `on_accept`; the node was freed), `_POISONED`.
/// Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `options` is NULL or has `struct_size`
/// readable bytes, and in it `label` is NULL or has `label_length` readable bytes; `out` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_open(
    node: *mut channeler_node,
    connection: channeler_connection,
    options: *const channeler_channel_options,
    out: *mut channeler_channel,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `options` is null or as large as it says.
        let options = unsafe { guard::read_versioned_or_default(options, "options") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        // SAFETY: the caller promises `label_length` readable bytes at `label`.
        let label = unsafe { guard::bytes_or_none(options.label, options.label_length, "label") }?;
        let config = options.to_config(label)?;
        let channel = live.core(|node, now| node.open_channel(now, connection.into(), &config))?;
        out.set(channel.map_err(|error| guard::explain(error, NOT_OPENED))?.into());
        Ok(())
    })
}

/// Sets when messages of ours on a channel are given up: what `resend_limit` and
/// `message_lifetime_ns` of `channeler_channel_options` do for one that we open, this does for one
/// that the peer opened, and changes for both.
///
/// Each side has its own limits, and the peer's are not known. A channel that the peer opened
/// begins without: `CHANNELER_RESEND_ALWAYS`, and 0 (for ever). `resend_limit` counts for all that
/// was not given up, the lifetime for messages that are sent from now on. Version 1.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL; a `resend_limit` other than
/// `CHANNELER_RESEND_ALWAYS` without `CHANNELER_CAP_RESEND`; a lifetime of more than 365 days),
/// `_INVALID_CHANNELID` (no such channel, or it ended), `_CLOSED` (its connection ended),
/// `_UNSUPPORTED` (version 0), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_set_limits(
    node: *mut channeler_node,
    channel: channeler_channel,
    resend_limit: u32,
    message_lifetime_ns: u64,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        let span = options::lifetime("message_lifetime_ns", message_lifetime_ns)?;
        let result =
            live.core(|node, _| node.set_channel_limits(channel.into(), resend_limit, span))?;
        result.map_err(|error| guard::explain(error, NO_LIMITS))
    })
}

/// Ends our direction of a channel, behind what was sent: nothing more can be sent on it, and what
/// was is still delivered as its mode promises.
///
/// `CHANNELER_EVENT_CHANNEL_CLOSED` with `CHANNELER_ERR_CLOSED` follows: in version 1 on both
/// sides, ours once the peer has ended its direction too, and messages of the peer's come until
/// then. The peer does so by itself, unless it has the option `half_close`: then it hears
/// `CHANNELER_EVENT_CHANNEL_FINISHED`, may go on sending, and calls this when it is done. A channel
/// that is still opening and has messages to send opens first. Version 0 has no message for a close
/// and ends both directions: the peer sees silence, and what it sent and was not received yet is
/// lost. `channeler_channel_reset` ends a channel at once.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_CHANNELID` (no such
/// channel, or it ended), `_CLOSED` (closed already), `_STATE` (the node was freed), `_POISONED`.
/// Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_close(
    node: *mut channeler_node,
    channel: channeler_channel,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        Ok(live.core(|node, now| node.close_channel(now, channel.into()))??)
    })
}

/// Ends a channel at once, in both directions: what is queued, on its way or unread is thrown away.
///
/// The same as `channeler_channel_reset_with` without a reason.
/// Errors: as that. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_reset(
    node: *mut channeler_node,
    channel: channeler_channel,
    code: u64,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        let reason = CloseReason { code, text: String::new() };
        Ok(live.core(|node, now| node.reset_channel(now, channel.into(), reason))??)
    })
}

/// Ends a channel at once, in both directions, and tells the peer why: what is queued, on its way
/// or unread is thrown away.
///
/// `code` is a number of the application's, `reason` a sentence for people (UTF-8, ended by a zero
/// byte, cut at 255 bytes; NULL: none). In version 1 the peer's `CHANNELER_EVENT_CHANNEL_CLOSED`
/// has both, with `CHANNELER_ERR_PEER_CLOSED`. Ours follows with `CHANNELER_ERR_CLOSED`. Version 0
/// tells the peer nothing, and sends what is queued.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_DECODE` (`reason` is not UTF-8),
/// `_INVALID_CHANNELID` (no such channel, or it ended), `_STATE` (the node was freed), `_POISONED`.
/// Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `reason` is NULL or ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_reset_with(
    node: *mut channeler_node,
    channel: channeler_channel,
    code: u64,
    reason: *const c_char,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `reason` is null or ends with a zero byte.
        let text = unsafe { guard::text_or_none(reason, "reason") }?.unwrap_or_default();
        let reason = CloseReason { code, text: text.to_owned() };
        Ok(live.core(|node, now| node.reset_channel(now, channel.into(), reason))??)
    })
}

/// Writes the label of a channel, as its opener gave it, to `buffer` of `capacity` bytes.
///
/// `*length` becomes its bytes, 0 to 255; it may be any bytes, and no zero byte follows. 255 bytes
/// of room are always enough. In version 0 there are no labels: 0.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL),
/// `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written), `_INVALID_CHANNELID` (no such
/// channel, or it ended), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
/// bytes; `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_label(
    node: *mut channeler_node,
    channel: channeler_channel,
    buffer: *mut u8,
    capacity: usize,
    length: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `capacity` writable bytes.
        let buffer = unsafe { guard::bytes_mut(buffer, capacity, "buffer") }?;
        // SAFETY: the caller promises that `length` is null or writable.
        let length = unsafe { Out::new(length, "length") }?;
        let label = live.core(|node, _| node.channel_info(channel.into()))??.label;
        let room = buffer.get_mut(..label.len());
        let room = room.ok_or_else(|| guard::too_small("buffer", capacity, label.len()))?;
        room.copy_from_slice(&label);
        length.set(label.len());
        Ok(())
    })
}

/// Tells what a channel is.
///
/// Set `out->struct_size` before. Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or a
/// wrong `struct_size`), `_INVALID_CHANNELID` (no such channel, or it ended), `_STATE` (the node
/// was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or has `out->struct_size`
/// writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_info(
    node: *mut channeler_node,
    channel: channeler_channel,
    out: *mut channeler_channel_details,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or as large as it says.
        let out = unsafe { OutVersioned::new(out, "out") }?;
        out.set(live.core(|node, _| node.channel_info(channel.into()))??.into());
        Ok(())
    })
}

/// Why a channel cannot be opened, and what can be done about it.
const NOT_OPENED: &[(Error, &str)] = &[
    (
        Error::Limit,
        "there are as many channels as channels_per_connection_max or channels_max allow, or every \
         channel number of the connection was used: close channels, raise the limit, or connect \
         anew",
    ),
    (
        Error::Closed,
        "the connection is closing; connect anew after its CHANNELER_EVENT_CONNECTION_CLOSED",
    ),
];

/// Why a channel has no limits of its own.
const NO_LIMITS: &[(Error, &str)] = &[
    (
        Error::InvalidArgument,
        "the channel has no CHANNELER_CAP_RESEND, so resend_limit must be CHANNELER_RESEND_ALWAYS",
    ),
    (Error::Unsupported, "version 0 sends each message once, and does not know its fate"),
];

impl From<channeler_channel> for ChannelHandle {
    fn from(channel: channeler_channel) -> ChannelHandle {
        ChannelHandle(Handle::from_bits(channel.id))
    }
}

impl From<ChannelHandle> for channeler_channel {
    fn from(channel: ChannelHandle) -> channeler_channel {
        channeler_channel { id: channel.0.to_bits() }
    }
}

impl From<ChannelInfo> for channeler_channel_details {
    fn from(info: ChannelInfo) -> channeler_channel_details {
        channeler_channel_details {
            connection: info.connection.into(),
            initiator_half: info.id.initiator.into(),
            responder_half: info.id.responder.into(),
            role: match info.role {
                Role::Initiator => CHANNELER_ROLE_INITIATOR,
                Role::Responder => CHANNELER_ROLE_RESPONDER,
            },
            capabilities: info.capabilities.0.into(),
            established: info.is_established.into(),
            early: info.is_early.into(),
            // At most 255.
            label_length: info.label.len() as u32,
            priority: info.priority.into(),
            weight: info.weight.into(),
            ..Versioned::new(size_of::<channeler_channel_details>())
        }
    }
}

// SAFETY: repr(C), begins with `struct_size`, and is integers without padding.
unsafe impl Versioned for channeler_channel_details {
    const SIZE_MIN: usize = 16;

    fn new(struct_size: usize) -> channeler_channel_details {
        channeler_channel_details {
            struct_size,
            connection: channeler_connection::default(),
            initiator_half: 0,
            responder_half: 0,
            role: 0,
            capabilities: 0,
            established: 0,
            early: 0,
            label_length: 0,
            priority: 0,
            weight: 0,
            reserved: 0,
        }
    }
}
