//! Channels: messages to and from a peer.

use std::ffi::c_void;

use super::callbacks::channeler_release_fn;
use super::connection::channeler_connection;
use super::guard::{self, Failure, Out, OutVersioned, Versioned, guard};
use super::lifetime::{self, channeler_node};
use super::options::channeler_channel_options;
use crate::config::ChannelConfig;
use crate::error::Error;
use crate::id::{ChannelHandle, Handle, Role};
use crate::node::ChannelInfo;

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
/// sent at once: they wait, and leave with the last packet of the handshake. `options` may be NULL
/// (defaults), and is read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` or `out` is NULL, a wrong `struct_size`,
/// unknown capabilities), `_INVALID_REFERENCE` (no such connection, or it ended), `_LIMIT`
/// (`channels_max`, `channels_per_connection_max`), `_STATE` (the connection waits for `on_accept`;
/// the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `options` is NULL or has `struct_size`
/// readable bytes; `out` is NULL or writable.
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
        let config = ChannelConfig::try_from(options)?;
        let channel =
            live.core(|node, now| node.open_channel(now, connection.into(), &config))??;
        out.set(channel.into());
        Ok(())
    })
}

/// Sends what is queued, then forgets the channel.
///
/// `CHANNELER_EVENT_CHANNEL_CLOSED` with `CHANNELER_ERR_CLOSED` follows. A channel that is still
/// opening and has messages to send opens first. Messages not yet received are lost. Version 0 has
/// no message for it: the peer sees silence.
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
        Ok(live.core(|node, now| node.send(now, channel.into(), message))??)
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
                let result = bytes.and_then(|bytes| {
                    node.send(now, message.channel.into(), bytes).map_err(Failure::from)
                });
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
            reserved: 0,
        }
    }
}
