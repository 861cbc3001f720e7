//! Channels: messages to and from a peer.

use std::ffi::c_void;

use super::callbacks::channeler_release_fn;
use super::connection::channeler_connection;
use super::guard::{self, Failure, Out, OutVersioned, Versioned, fail, guard};
use super::lifetime::{self, channeler_node};
use super::options::channeler_channel_options;
use crate::error::Error;
use crate::id::{ChannelHandle, Handle, Role};
use crate::node::{ChannelInfo, CloseReason, Node};
use crate::time::Time;

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
    /// 0.
    pub reserved: u32,
}

/// A message for `channeler_channel_send_many`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_message {
    /// Where to send it.
    pub channel: channeler_channel,
    /// The message; read during the call only.
    pub data: *const u8,
    /// Its bytes, at least 1.
    pub length: usize,
}

/// A place for a message that `channeler_channel_receive_many` fills.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_slot {
    /// Set by the caller: where to read.
    pub channel: channeler_channel,
    /// Set by the caller: where the message goes.
    pub buffer: *mut u8,
    /// Set by the caller: bytes in `buffer`.
    pub capacity: usize,
    /// Set by the call: bytes written.
    pub length: usize,
    /// Set by the call: bytes of the same message still waiting.
    pub remaining: usize,
    /// Set by the call: 0, or why nothing was read (`CHANNELER_ERR_DATA_UNAVAILABLE`, ...).
    pub status: i32,
    /// Set by the call: 0.
    pub reserved: u32,
}

/// Begins to open a channel and writes it to `out`.
///
/// `CHANNELER_EVENT_CHANNEL_OPENED` or `CHANNELER_EVENT_CHANNEL_CLOSED` follows. Messages may be
/// sent at once: they wait, and leave with the first packet that can carry them. `options` may be
/// NULL (defaults), and is read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` or `out` is NULL, a wrong `struct_size`,
/// unknown capabilities, a label that is too long), `_UNSUPPORTED` (in version 1
/// `CHANNELER_CAP_RESEND` and `_CLOSE_ON_LOSS`, which are not built yet), `_INVALID_REFERENCE` (no
/// such connection, or it ended), `_LIMIT` (`channels_max`, `channels_per_connection_max`),
/// `_CLOSED` (the connection is closing), `_STATE` (the connection waits for `on_accept`; the node
/// was freed), `_POISONED`. Thread: any.
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
        out.set(channel.map_err(|error| not_opened(error, options.capabilities))?.into());
        Ok(())
    })
}

/// Sends what is queued, then closes the channel.
///
/// A channel that is still opening and has messages to send opens first.
/// `CHANNELER_EVENT_CHANNEL_CLOSED` with `CHANNELER_ERR_CLOSED` follows: in version 1 on both
/// sides, ours when the peer has ended its direction too (it does so by itself, unless it has the
/// option `half_close`). Version 0 has no message for it: the peer sees silence, and what it sent
/// and was not received yet is lost.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_CHANNELID` (no such
/// channel, or it ended), `_CLOSED` (closed already, and still sending), `_STATE` (the node was
/// freed), `_POISONED`. Thread: any.
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

/// Ends a channel at once, in both directions: what is queued or on its way is thrown away.
///
/// `code` is a number of the application's; in version 1 the peer's
/// `CHANNELER_EVENT_CHANNEL_CLOSED` has it, with `CHANNELER_ERR_PEER_CLOSED`. Ours follows with
/// `CHANNELER_ERR_CLOSED`. Version 0 tells the peer nothing, and sends what is queued.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_CHANNELID` (no such
/// channel, or it ended), `_STATE` (the node was freed), `_POISONED`. Thread: any.
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

/// Queues a message of `length` bytes; it is copied, and `data` stays the caller's.
///
/// It leaves with the next turn of the node, or with `channeler_node_flush`. A message fits into
/// one packet: `message_bytes_max` of `channeler_connection_info` is the limit.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or `length` is 0), `_WRITE` (too
/// large), `_WOULD_BLOCK` (the queue is full; `CHANNELER_EVENT_WRITABLE` follows when it has room),
/// `_INVALID_CHANNELID` (no such channel, or it ended), `_CLOSED` (it is closing), `_STATE` (its
/// connection waits for `on_accept`; the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `data` is NULL or has `length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_send(
    node: *mut channeler_node,
    channel: channeler_channel,
    data: *const u8,
    length: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `length` readable bytes.
        let message = unsafe { guard::bytes(data, length, "data") }?;
        live.core(|node, now| send(node, now, channel.into(), message, Node::send))?
    })
}

/// As `channeler_channel_send`, for a message that does no harm when it arrives twice: it may leave
/// before the handshake of a connection to a peer known from before is done, and so saves a round
/// trip.
///
/// Who records it can send it to the peer again: it is delivered at most twice. The peer must have
/// the option `early_data`; else, and where there is no session to resume, the message goes the
/// usual way, by itself. Version 1; in version 0 it is `channeler_channel_send`.
/// Errors: as `channeler_channel_send`. Thread: any.
///
/// # Safety
/// As `channeler_channel_send`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_send_early(
    node: *mut channeler_node,
    channel: channeler_channel,
    data: *const u8,
    length: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `length` readable bytes.
        let message = unsafe { guard::bytes(data, length, "data") }?;
        live.core(|node, now| send(node, now, channel.into(), message, Node::send_early))?
    })
}

/// Queues a message of `length` bytes without a copy by the caller: on success the library owns
/// `data` until it calls `release(user_data, data, length)`, exactly once.
///
/// `release` runs where callbacks run: in the thread inside `channeler_node_process`, or the node's
/// own; at the latest when the node is freed. Until then `data` must stay valid and unchanged. When
/// this call fails, `release` is not called, and the buffer stays the caller's.
/// Errors: as `channeler_channel_send`; `release` may not be NULL either; `_LIMIT` (65536 buffers
/// wait for a turn of the node to be released). Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `data` is NULL or has `length` bytes that stay
/// readable until `release`; `release` may be called with `user_data` in any thread that runs the
/// node.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_send_buffer(
    node: *mut channeler_node,
    channel: channeler_channel,
    data: *const u8,
    length: usize,
    release: channeler_release_fn,
    user_data: *mut c_void,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `length` readable bytes.
        let message = unsafe { guard::bytes(data, length, "data") }?;
        let release = release.ok_or_else(|| guard::null("release"))?;
        live.send_then_release(channel.into(), message, release, user_data)
    })
}

/// Queues several messages, to one channel or many, at the cost of one lock; each is copied.
///
/// They are taken in order, up to the first that fails; `*sent` becomes the number taken, **also on
/// failure** (but not when a pointer is NULL), so that the failed message is `messages[*sent]`.
/// `count` 0 is good.
/// Errors: those of the first message that failed, as `channeler_channel_send`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `messages` is NULL or has `count` readable
/// entries, each with `length` readable bytes at `data` (or NULL); `sent` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_send_many(
    node: *mut channeler_node,
    messages: *const channeler_message,
    count: usize,
    sent: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `count` readable entries.
        let messages = unsafe { guard::slice(messages, count, "messages") }?;
        // SAFETY: the caller promises that `sent` is null or writable.
        let sent = unsafe { Out::new(sent, "sent") }?;
        let (taken, result) = live.core(|node, now| {
            for (index, message) in messages.iter().enumerate() {
                // SAFETY: the caller promises `length` readable bytes at `data`.
                let bytes = unsafe { guard::bytes(message.data, message.length, "data") };
                let result = bytes
                    .and_then(|bytes| send(node, now, message.channel.into(), bytes, Node::send));
                if let Err(failure) = result {
                    return (index, Err(failure));
                }
            }
            (messages.len(), Ok(()))
        })?;
        sent.set(taken);
        result
    })
}

/// Reads the oldest message of a channel, or the rest of one, into `buffer` of `capacity` bytes.
///
/// `*length` becomes the bytes written, `*remaining` those of the same message still waiting (the
/// next call returns them; pass NULL when you do not care). Not with an `on_message` callback:
/// messages go there.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or `capacity` is 0),
/// `_DATA_UNAVAILABLE` (nothing there; `CHANNELER_EVENT_READABLE` follows when there is),
/// `_INVALID_CHANNELID` (no such channel, or it ended), `_STATE` (the node was freed), `_POISONED`.
/// Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
/// bytes; `length` and `remaining` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_receive(
    node: *mut channeler_node,
    channel: channeler_channel,
    buffer: *mut u8,
    capacity: usize,
    length: *mut usize,
    remaining: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `capacity` writable bytes.
        let buffer = unsafe { guard::room(buffer, capacity, "buffer") }?;
        // SAFETY: the caller promises that `length` is null or writable.
        let length = unsafe { Out::new(length, "length") }?;
        // SAFETY: the caller promises that `remaining` is null or writable.
        let remaining = unsafe { Out::optional(remaining) };
        let received = live.core(|node, now| node.receive(now, channel.into(), buffer))??;
        length.set(received.len);
        remaining.set(received.remaining);
        Ok(())
    })
}

/// Reads several messages, from one channel or many, at the cost of one lock.
///
/// Each of the `count` slots names a channel and a buffer, and is filled as
/// `channeler_channel_receive` would; slots of one channel get its messages in order. `*received`
/// becomes the number of slots whose `status` is 0. A slot that fails does not stop the others.
/// Errors: `CHANNELER_ERR_DATA_UNAVAILABLE` (no slot was filled; `*received` is 0 then),
/// `_INVALID_ARGUMENT` (a pointer is NULL), `_STATE` (the node was freed), `_POISONED`. Thread:
/// any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `slots` is NULL or has `count` writable
/// entries, each with `capacity` writable bytes at `buffer` (or NULL); `received` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_receive_many(
    node: *mut channeler_node,
    slots: *mut channeler_slot,
    count: usize,
    received: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `count` writable entries.
        let slots = unsafe { guard::slice_mut(slots, count, "slots") }?;
        // SAFETY: the caller promises that `received` is null or writable.
        let received = unsafe { Out::new(received, "received") }?;
        let filled = live.core(|node, now| {
            let mut filled = 0;
            for slot in slots {
                // SAFETY: the caller promises `capacity` writable bytes at `buffer`.
                let room = unsafe { guard::room(slot.buffer, slot.capacity, "buffer") };
                let result = room.and_then(|room| {
                    node.receive(now, slot.channel.into(), room).map_err(Failure::from)
                });
                (slot.length, slot.remaining, slot.reserved) = (0, 0, 0);
                slot.status = match result {
                    Ok(read) => {
                        (slot.length, slot.remaining) = (read.len, read.remaining);
                        filled += 1;
                        0
                    }
                    Err(failure) => failure.error.code(),
                };
            }
            filled
        })?;
        received.set(filled);
        if filled == 0 { Err(Error::DataUnavailable.into()) } else { Ok(()) }
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

/// Queues a message; when that fails, says why and what can be done about it.
pub(super) fn send(
    node: &mut Node,
    now: Time,
    channel: ChannelHandle,
    message: &[u8],
    how: impl FnOnce(&mut Node, Time, ChannelHandle, &[u8]) -> Result<(), Error>,
) -> Result<(), Failure> {
    how(node, now, channel, message).map_err(|error| {
        if error != Error::Write {
            return guard::explain(error, NOT_SENT);
        }
        let info = node.channel_info(channel).map(|info| info.connection);
        let info = info.and_then(|connection| node.connection_info(connection));
        let text = format!(
            "the message has {} bytes; a packet of this connection takes {} (message_bytes_max of \
             channeler_connection_info): send it in pieces",
            message.len(),
            info.map_or(0, |info| info.message_bytes_max),
        );
        fail(error, text)
    })
}

/// Why a message cannot be sent.
const NOT_SENT: &[(Error, &str)] = &[
    (Error::InvalidArgument, "length is 0; a message has at least 1 byte"),
    (Error::Closed, "the channel is closing; open another one"),
    (Error::State, "the connection waits for on_accept; send when it has returned"),
];

/// Why a channel cannot be opened, and what can be done about it.
fn not_opened(error: Error, capabilities: u32) -> Failure {
    if error != Error::Unsupported {
        return guard::explain(error, NOT_OPENED);
    }
    let text = format!(
        "capabilities is {capabilities}; version 1 offers 0 and CHANNELER_CAP_ORDERED so far, \
         CHANNELER_CAP_RESEND and CHANNELER_CAP_CLOSE_ON_LOSS come later"
    );
    fail(error, text)
}

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
            reserved: 0,
        }
    }
}
