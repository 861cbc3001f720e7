//! Messages: sent on channels, and read from them.

use std::ffi::c_void;

use super::callbacks::channeler_release_fn;
use super::channel::channeler_channel;
use super::guard::{self, Failure, Out, Versioned, fail, guard};
use super::lifetime::{self, channeler_node};
use super::options;
use crate::config::SendOptions;
use crate::error::Error;
use crate::id::ChannelHandle;
use crate::node::Node;
use crate::time::Time;

/// As `lifetime_ns` of `channeler_send_options`: what the channel's `message_lifetime_ns` says.
pub const CHANNELER_LIFETIME_OF_CHANNEL: u64 = u64::MAX;

/// How messages are sent. Fill with `channeler_send_options_init`, then change what you need.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_send_options {
    /// `sizeof(channeler_send_options)`; set by `channeler_send_options_init`.
    pub struct_size: usize,
    /// How long from now the message is worth sending, in nanoseconds. Once that is over it is
    /// given up: not sent if that has not begun, and not sent again if it has. 0: never; at most
    /// 365 days.
    /// `CHANNELER_LIFETIME_OF_CHANNEL` (default): as the channel says. Version 1.
    pub lifetime_ns: u64,
    /// 1: once the message's fate is known, one event tells it:
    /// `CHANNELER_EVENT_MESSAGE_DELIVERED` or `CHANNELER_EVENT_MESSAGE_LOST`. Default 0. Version 1.
    pub report: u32,
    /// 1: the message does no harm when it arrives twice, and may leave before the handshake is
    /// done; see `channeler_channel_send_early`. Default 0.
    pub may_replay: u32,
    /// With `report`, a number of the caller's that the event has. Any number; default 0.
    pub context: u64,
}

/// A message for `channeler_channel_send_many` and `_send_many_with`.
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

/// Fills `options` with the defaults of this library, as `channeler_options_init` does.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`options` is NULL, or `struct_size` is no multiple of
/// 8 from 16 to 4096). Thread: any.
///
/// # Safety
/// `options` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_send_options_init(
    options: *mut channeler_send_options,
    struct_size: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `struct_size` writable bytes.
        unsafe { guard::init_versioned(options, struct_size, "options") }
    })
}

/// Queues a message of `length` bytes; it is copied, and `data` stays the caller's.
///
/// It leaves with the next turn of the node, or with `channeler_node_flush`. `message_bytes_max` of
/// `channeler_connection_info` is the limit: in version 0 a message fits into one packet; version 1
/// cuts larger ones in pieces, up to what the peer takes (16 MiB, unless it says otherwise) and the
/// option `send_queue_bytes_max` of ours (1 MiB) holds.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or `length` is 0), `_TOO_LARGE`
/// (version 0: `_WRITE`), `_WOULD_BLOCK` (the queue is full, or the peer does not read;
/// `CHANNELER_EVENT_WRITABLE` follows when there is room, see the option `send_low_water_bytes`),
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
    // SAFETY: passed on.
    unsafe { send_one(node, channel, data, length, || Ok(SendOptions::default())) }
}

/// As `channeler_channel_send`, with options for this message: how long it is worth sending,
/// whether its fate is reported, and whether it may leave early.
///
/// `options` may be NULL (defaults), and is read during the call only.
/// Errors: as `channeler_channel_send`; also `CHANNELER_ERR_INVALID_ARGUMENT` (a wrong
/// `struct_size`, `report` or `may_replay` is neither 0 nor 1), `_UNSUPPORTED` (a lifetime or a
/// report in version 0, which knows nothing of fates). Thread: any.
///
/// # Safety
/// As `channeler_channel_send`; `options` is NULL or has `struct_size` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_send_with(
    node: *mut channeler_node,
    channel: channeler_channel,
    data: *const u8,
    length: usize,
    options: *const channeler_send_options,
) -> i32 {
    let options = || {
        // SAFETY: the caller promises that `options` is null or as large as it says.
        unsafe { guard::read_versioned_or_default(options, "options") }?.to_config()
    };
    // SAFETY: passed on.
    unsafe { send_one(node, channel, data, length, options) }
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
    let options = || Ok(SendOptions { may_replay: true, ..SendOptions::default() });
    // SAFETY: passed on.
    unsafe { send_one(node, channel, data, length, options) }
}

/// Queues a message of `length` bytes without a copy by the caller: on success the library owns
/// `data` until it calls `release(user_data, data, length)`, exactly once.
///
/// `release` runs where callbacks run: in the thread inside `channeler_node_process`, or the node's
/// own; at the latest when the node is freed. Until then `data` must stay valid and unchanged. When
/// this call fails, `release` is not called, and the buffer stays the caller's. So far the library
/// makes a copy of its own at once, in every mode, and gives the buffer back in its next turn,
/// whether the message has arrived or not (`report` of `channeler_send_options` tells that): this
/// saves the caller bookkeeping, not the copy. A message that is sent once is built into its packet
/// where it is encrypted, and one that is kept lies in pieces that are given back one by one as the
/// peer acknowledges them; a buffer that is held whole for the last of them would make the limits
/// of the queue mean less. Rely on the promise above, not on that.
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
    let options = std::ptr::null();
    // SAFETY: passed on.
    unsafe {
        channeler_channel_send_buffer_with(node, channel, data, length, options, release, user_data)
    }
}

/// As `channeler_channel_send_buffer`, with options for this message.
///
/// `options` may be NULL (defaults), and is read during the call only.
/// Errors: as `channeler_channel_send_buffer` and `channeler_channel_send_with`. Thread: any.
///
/// # Safety
/// As `channeler_channel_send_buffer`; `options` is NULL or has `struct_size` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_send_buffer_with(
    node: *mut channeler_node,
    channel: channeler_channel,
    data: *const u8,
    length: usize,
    options: *const channeler_send_options,
    release: channeler_release_fn,
    user_data: *mut c_void,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `length` readable bytes.
        let message = unsafe { guard::bytes(data, length, "data") }?;
        // SAFETY: the caller promises that `options` is null or as large as it says.
        let options = unsafe { guard::read_versioned_or_default(options, "options") }?;
        let release = release.ok_or_else(|| guard::null("release"))?;
        live.send_then_release(channel.into(), message, &options.to_config()?, release, user_data)
    })
}

/// Queues several messages, to one channel or many, at the cost of one lock; each is copied. Those
/// of one size for one channel that follow each other cost little more than their bytes.
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
    // SAFETY: passed on.
    unsafe { channeler_channel_send_many_with(node, messages, count, std::ptr::null(), sent) }
}

/// As `channeler_channel_send_many`, with options for all of these messages.
///
/// With `report`, each message has an event of its own: `context` of the first is that of
/// `options`, and each further one's is higher by 1. `options` may be NULL (defaults), and is read
/// during the call only.
/// Errors: as `channeler_channel_send_many` and `channeler_channel_send_with`. Thread: any.
///
/// # Safety
/// As `channeler_channel_send_many`; `options` is NULL or has `struct_size` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_send_many_with(
    node: *mut channeler_node,
    messages: *const channeler_message,
    count: usize,
    options: *const channeler_send_options,
    sent: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `count` readable entries.
        let messages = unsafe { guard::slice(messages, count, "messages") }?;
        // SAFETY: the caller promises that `sent` is null or writable.
        let sent = unsafe { Out::new(sent, "sent") }?;
        // SAFETY: the caller promises that `options` is null or as large as it says.
        let options = unsafe { guard::read_versioned_or_default(options, "options") }?;
        let mut options = options.to_config()?;
        let (taken, result) = live.core(|node, now| {
            let mut index = 0;
            while let Some(message) = messages.get(index) {
                // SAFETY: the caller promises `length` readable bytes at `data`.
                let bytes = unsafe { guard::bytes(message.data, message.length, "data") };
                let channel = ChannelHandle::from(message.channel);
                let result = bytes.and_then(|bytes| send(node, now, channel, bytes, &options));
                if let Err(failure) = result {
                    return (index, Err(failure));
                }
                options.report = options.report.map(|context| context.wrapping_add(1));
                index += 1;
                if options == SendOptions::default() {
                    // Those behind it for the same channel, as far as nothing stops them: whatever
                    // it is, that one tells of it.
                    let same =
                        messages[index..].iter().take_while(|one| one.channel == message.channel);
                    let same = same.map_while(|one| {
                        // SAFETY: the caller promises `length` readable bytes at `data`.
                        unsafe { guard::bytes(one.data, one.length, "data") }.ok()
                    });
                    index += node.send_many(now, channel, same).0;
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
/// next call returns them; pass NULL when you do not care). `channeler_channel_receive_whole` never
/// cuts a message; `channeler_channel_next_length` tells how large the next one is. Not with an
/// `on_message` callback: messages go there. What is read makes room for the peer to send more.
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

/// Reads the oldest message of a channel into `buffer` of `capacity` bytes if it fits: if not, the
/// message stays, and `*length` becomes the bytes that are needed.
///
/// Else `*length` becomes the bytes written. Of a message that `channeler_channel_receive` has read
/// the beginning of, it is the rest.
/// Errors: `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (too small: `*length` is written, `buffer` is
/// not), and as `channeler_channel_receive`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
/// bytes; `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_receive_whole(
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
        let buffer = unsafe { guard::room(buffer, capacity, "buffer") }?;
        // SAFETY: the caller promises that `length` is null or writable.
        let length = unsafe { Out::new(length, "length") }?;
        live.core(|node, now| {
            let needs = node.next_message_bytes(channel.into())?;
            if needs > capacity {
                length.set(needs);
                return Err(guard::too_small("buffer", capacity, needs));
            }
            length.set(node.receive(now, channel.into(), buffer)?.len);
            Ok(())
        })?
    })
}

/// Tells how many bytes the message has that `channeler_channel_receive` would read next, or what
/// is left of it.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_DATA_UNAVAILABLE` (nothing
/// there), `_INVALID_CHANNELID` (no such channel, or it ended), `_STATE` (the node was freed),
/// `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_next_length(
    node: *mut channeler_node,
    channel: channeler_channel,
    length: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `length` is null or writable.
        let length = unsafe { Out::new(length, "length") }?;
        length.set(live.core(|node, _| node.next_message_bytes(channel.into()))??);
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

/// What calls that queue one message have in common; `options` is asked last.
///
/// # Safety
/// As `channeler_channel_send`.
unsafe fn send_one(
    node: *mut channeler_node,
    channel: channeler_channel,
    data: *const u8,
    length: usize,
    options: impl FnOnce() -> Result<SendOptions, Failure>,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `length` readable bytes.
        let message = unsafe { guard::bytes(data, length, "data") }?;
        let options = options()?;
        live.core(|node, now| send(node, now, channel.into(), message, &options))?
    })
}

/// Queues a message; when that fails, says why and what can be done about it.
pub(super) fn send(
    node: &mut Node,
    now: Time,
    channel: ChannelHandle,
    message: &[u8],
    options: &SendOptions,
) -> Result<(), Failure> {
    let result = match *options == SendOptions::default() {
        true => node.send(now, channel, message),
        false => node.send_with(now, channel, message, options),
    };
    result.map_err(|error| {
        if !matches!(error, Error::Write | Error::TooLarge) {
            return guard::explain(error, NOT_SENT);
        }
        let info = node.channel_info(channel).map(|info| info.connection);
        let info = info.and_then(|connection| node.connection_info(connection));
        let most = info.map_or(0, |info| info.message_bytes_max);
        let why = if error == Error::Write {
            "a packet of this connection takes"
        } else {
            "the peer, and send_queue_bytes_max here, allow"
        };
        let text = format!(
            "the message has {} bytes; {why} {most} (message_bytes_max of \
             channeler_connection_info): send it in pieces",
            message.len(),
        );
        fail(error, text)
    })
}

/// Why a message cannot be sent.
const NOT_SENT: &[(Error, &str)] = &[
    (Error::InvalidArgument, "length is 0; a message has at least 1 byte"),
    (Error::Closed, "the channel is closing; open another one"),
    (Error::State, "the connection waits for on_accept; send when it has returned"),
    (
        Error::Unsupported,
        "version 0 does not know what becomes of a message: lifetime_ns must be \
         CHANNELER_LIFETIME_OF_CHANNEL there, and report 0",
    ),
];

impl channeler_send_options {
    /// The options of the core.
    fn to_config(self) -> Result<SendOptions, Failure> {
        let switch = |name, value| match value {
            0 => Ok(false),
            1 => Ok(true),
            other => {
                let text = format!("{name} is {other}; allowed is 0 (off) and 1 (on)");
                Err(fail(Error::InvalidArgument, text))
            }
        };
        let lifetime = match self.lifetime_ns {
            CHANNELER_LIFETIME_OF_CHANNEL => None,
            nanos => Some(options::lifetime("lifetime_ns", nanos)?),
        };
        Ok(SendOptions {
            lifetime,
            report: switch("report", self.report)?.then_some(self.context),
            may_replay: switch("may_replay", self.may_replay)?,
        })
    }
}

// SAFETY: repr(C), begins with `struct_size`, has no padding, and any bytes are valid integers.
unsafe impl Versioned for channeler_send_options {
    const SIZE_MIN: usize = 16;

    fn new(struct_size: usize) -> channeler_send_options {
        channeler_send_options {
            struct_size,
            lifetime_ns: CHANNELER_LIFETIME_OF_CHANNEL,
            report: 0,
            may_replay: 0,
            context: 0,
        }
    }
}
