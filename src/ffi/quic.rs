//! QUIC channels: messages on (address of the peer, team, label), on the sockets of a node.

use std::ffi::{c_char, c_void};
use std::net::SocketAddr;
use std::ptr::NonNull;

use super::address::channeler_address;
use super::guard::{self, Failure, Out, fail, guard};
use super::lifetime::{self, channeler_node};
use super::peer_id::channeler_peer_id;
use super::quic_events::{QuicListener, channeler_quic_event_fn};
use super::quic_options::channeler_quic_options;
use crate::error::Error;
use crate::id::PeerId;
use crate::io::Local;
use crate::quic::{QuicConnection, TeamId, Waiting};

/// Bytes of a label, at most.
pub const CHANNELER_QUIC_LABEL_MAX: usize = 256;

/// Which team a channel belongs to: 32 bytes that mean nothing to the library.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct channeler_team_id {
    /// The id.
    pub bytes: [u8; 32],
}

/// A message for `channeler_quic_send_many`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_quic_message {
    /// The message; read during the call only. It may be NULL when `length` is 0.
    pub data: *const u8,
    /// Its bytes.
    pub length: usize,
}

/// Where a message came from.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_quic_channel {
    /// The peer's address.
    pub address: channeler_address,
    /// The peer.
    pub peer: channeler_peer_id,
    /// The team; of sync messages zeros.
    pub team: channeler_team_id,
    /// The label: UTF-8 of at most `CHANNELER_QUIC_LABEL_MAX` bytes, ended by a zero byte, behind
    /// which nothing is written; of sync messages empty. Input from outside: there may be zero
    /// bytes in it, too.
    pub label: [c_char; 260],
    /// Bytes in the label.
    pub label_length: usize,
}

/// Serves QUIC channels on the sockets of a node, from now until it is freed. QUIC's packets are
/// told from the node's by their first byte. For a port of their own, make a node for them alone,
/// with `accept_incoming` 0.
///
/// `options` may be NULL (defaults: raw public keys, and nobody is known yet: see
/// `channeler_quic_trust` and `channeler_quic_connect`); read during the call only. `on_event` may
/// be NULL, and is called with `user_data` as `channeler_callbacks` says of all callbacks;
/// `user_data` is not used after the `drop` of those.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL, a wrong `struct_size`, a setting out
/// of its range, or certificates that cannot be used; `channeler_last_error` says which and why),
/// `_DECODE` (a text is not UTF-8), `_UNSUPPORTED` (sans-IO; a node without identity and no
/// certificates), `_STATE` (it serves them already, or was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `options` is NULL or has `struct_size`
/// readable bytes, and its texts end with zero bytes; `on_event` may be called with `user_data`
/// from any thread that runs the node.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_open(
    node: *mut channeler_node,
    options: *const channeler_quic_options,
    on_event: channeler_quic_event_fn,
    user_data: *mut c_void,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `options` is null or as large as it says.
        let options = unsafe { guard::read_versioned_or_default(options, "options") }?;
        // SAFETY: the caller promises that its texts are null or end with a zero byte.
        let texts = unsafe { options.texts() }?;
        let config = options.to_config(&texts, || live.identity().cloned())?;
        live.open_quic(config, QuicListener { on_event, user_data })
    })
}

/// Sends a message on the channel `label` of `team` to the peer at `address`, on the connection
/// that is there or a new one.
///
/// `label` is UTF-8 of `label_length` bytes, at most `CHANNELER_QUIC_LABEL_MAX`; it may be NULL
/// when `label_length` is 0, and so may `message`. All are copied. It leaves with the next turn of
/// the node, or `channeler_node_flush`.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, the label is too long), `_DECODE`
/// (the label is not UTF-8), `_TOO_LARGE` (above `message_bytes_max`), `_WOULD_BLOCK` (the queue
/// for that peer is full; `CHANNELER_QUIC_EVENT_WRITABLE` follows), `_INVALID_ADDRESS`, `_BANNED`,
/// `_LIMIT` (too many connections are being made or closed), `_UNSUPPORTED` (no
/// `channeler_quic_open` before), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `address` and `team` are NULL or readable;
/// `label` and `message` are NULL or have as many readable bytes as is said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_send(
    node: *mut channeler_node,
    address: *const channeler_address,
    team: *const channeler_team_id,
    label: *const c_char,
    label_length: usize,
    message: *const u8,
    length: usize,
) -> i32 {
    // SAFETY: passed on.
    let short =
        || unsafe { send_by_desk(node, address, team, label, label_length, message, length) };
    guard::attempt(short).unwrap_or_else(|| {
        // SAFETY: passed on.
        guard(|| unsafe { send(node, address, team, label, label_length, message, length) })
    })
}

/// Sends several messages on one channel, in order, each as `channeler_quic_send` does: what costs
/// least for many small ones.
///
/// They are taken up to the first that fails; `*sent` becomes the number taken, **also on failure**
/// (but not when `messages` or `sent` is NULL), so that the failed message is `messages[*sent]`.
/// `count` 0 is good.
/// Errors: those of the first message that failed, as `channeler_quic_send`. Thread: any; messages
/// that other threads send meanwhile may come between these.
///
/// # Safety
/// As `channeler_quic_send`; `messages` is NULL or has `count` readable entries, each with `length`
/// readable bytes at `data` (or NULL); `sent` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_send_many(
    node: *mut channeler_node,
    address: *const channeler_address,
    team: *const channeler_team_id,
    label: *const c_char,
    label_length: usize,
    messages: *const channeler_quic_message,
    count: usize,
    sent: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        drop(unsafe { lifetime::enter(node) }?);
        // SAFETY: the caller promises `count` readable entries.
        let messages = unsafe { guard::slice(messages, count, "messages") }?;
        // SAFETY: the caller promises that `sent` is null or writable.
        let sent = unsafe { Out::new(sent, "sent") }?;
        let mut taken = 0;
        let result = loop {
            let rest = &messages[taken..];
            // SAFETY: passed on.
            taken += unsafe { send_many_by_desk(node, address, team, label, label_length, rest) };
            let Some(one) = messages.get(taken) else { break Ok(()) };
            let (data, length) = (one.data, one.length);
            // SAFETY: passed on.
            match unsafe { send(node, address, team, label, label_length, data, length) } {
                Ok(()) => taken += 1,
                Err(failure) => break Err(failure),
            }
        };
        sent.set(taken);
        result
    })
}

/// Sends a sync message to the peer at `address`: for the system that owns the nodes, with a queue
/// and an event of its own there.
///
/// Errors and thread: as `channeler_quic_send`.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable; `message` is
/// NULL or has `length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_send_sync(
    node: *mut channeler_node,
    address: *const channeler_address,
    message: *const u8,
    length: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `address` is null or readable.
        let address = SocketAddr::try_from(unsafe { guard::read(address, "address") }?)?;
        // SAFETY: the caller promises `length` readable bytes.
        let message = unsafe { guard::bytes_or_none(message, length, "message") }?;
        Ok(live.quic(|quic, now| quic.send_sync(now, address, message))??)
    })
}

/// Takes the oldest message of all channels: its `*length` bytes go to `buffer`, and where it came
/// from to `channel`.
///
/// `buffer` may be NULL when `capacity` is 0.
/// Errors: `CHANNELER_ERR_DATA_UNAVAILABLE` (none waits), `_INSUFFICIENT_BUFFER_SIZE` (it has more
/// than `capacity` bytes: it stays the oldest, and `*length` is written: how many it has),
/// `_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (no `channeler_quic_open` before),
/// `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
/// bytes; `channel` and `length` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_receive(
    node: *mut channeler_node,
    buffer: *mut u8,
    capacity: usize,
    channel: *mut channeler_quic_channel,
    length: *mut usize,
) -> i32 {
    // SAFETY: passed on.
    let short = || unsafe { receive_by_desk(node, buffer, capacity, channel, length) };
    guard::attempt(short).unwrap_or_else(|| {
        // SAFETY: passed on.
        guard(|| unsafe { receive(node, buffer, capacity, channel, length, false) })
    })
}

/// Takes the oldest message, as `channeler_quic_receive`, and with it those behind it that came in
/// the same channel, as far as they are at hand: what costs least for many small ones.
///
/// Their bytes go to `buffer`, one behind the other, and the bytes of each to `lengths`, which has
/// `count_max` entries, at least 1; where they all came from goes to `channel`. `*count` becomes
/// how many they are. More of the channel may wait: take messages until there are none.
/// Errors: `CHANNELER_ERR_DATA_UNAVAILABLE` (none waits), `_INSUFFICIENT_BUFFER_SIZE` (the oldest
/// has more than `capacity` bytes: it stays the oldest, and `lengths[0]` is written: how many it
/// has), `_INVALID_ARGUMENT` (a pointer is NULL, or `count_max` is 0), `_UNSUPPORTED` (no
/// `channeler_quic_open` before), `_STATE` (the node was freed), `_POISONED`. After each of them
/// `*count` is 0, if it may be written. Thread: any.
///
/// # Safety
/// As `channeler_quic_receive`; `lengths` is NULL or has `count_max` writable entries; `count` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_receive_many(
    node: *mut channeler_node,
    buffer: *mut u8,
    capacity: usize,
    lengths: *mut usize,
    count_max: usize,
    channel: *mut channeler_quic_channel,
    count: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `count` is null or writable.
        let out = unsafe { Out::new(count, "count") }?;
        out.set(0);
        // SAFETY: the caller promises `count_max` writable entries.
        let lengths = unsafe { guard::slice_mut(lengths, count_max, "lengths") }?;
        if lengths.is_empty() {
            return Err(fail(Error::InvalidArgument, "count_max is 0; allowed is 1 or more"));
        }
        // SAFETY: passed on.
        let mut taken = unsafe { receive_many_by_desk(node, buffer, capacity, lengths, channel) };
        if taken == 0 {
            let first = &raw mut lengths[0];
            // SAFETY: passed on; `first` is one of the caller's entries.
            unsafe { receive(node, buffer, capacity, channel, first, false) }?;
            taken = 1;
        }
        out.set(taken);
        Ok(())
    })
}

/// Takes the oldest sync message, as `channeler_quic_receive`.
///
/// Errors and thread: as `channeler_quic_receive`.
///
/// # Safety
/// As `channeler_quic_receive`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_receive_sync(
    node: *mut channeler_node,
    buffer: *mut u8,
    capacity: usize,
    channel: *mut channeler_quic_channel,
    length: *mut usize,
) -> i32 {
    // SAFETY: passed on.
    guard(|| unsafe { receive(node, buffer, capacity, channel, length, true) })
}

/// Begins a connection with the peer at `address` without a message, or finds the one that is
/// there.
///
/// `peer` is who must answer; NULL: somebody who is known. That is for this connection: for one
/// that `channeler_quic_send` makes after its end, the peer must be known
/// (`channeler_quic_trust`). `*connection` becomes its number; it may be NULL.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` or `address` is NULL), `_INVALID_ADDRESS`,
/// `_IDENTITY` (somebody else is there), `_BANNED`, `_LIMIT` (too many connections are being made
/// or closed), `_UNSUPPORTED` (no `channeler_quic_open` before), `_STATE` (the node was freed),
/// `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `address` and `peer` are NULL or readable;
/// `connection` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_connect(
    node: *mut channeler_node,
    address: *const channeler_address,
    peer: *const channeler_peer_id,
    connection: *mut u64,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `address` is null or readable.
        let address = SocketAddr::try_from(unsafe { guard::read(address, "address") }?)?;
        // SAFETY: the caller promises that `peer` is null or readable.
        let peer = unsafe { guard::read_optional(peer) }.map(|peer| PeerId(peer.bytes));
        // SAFETY: the caller promises that `connection` is null or writable.
        let out = unsafe { Out::optional(connection) };
        let local = Local::default();
        let dial = live.quic(|quic, now| quic.connect(now, address, peer, local))??;
        out.set(dial.0);
        Ok(())
    })
}

/// Closes the connection to `address` once everything was sent, or `drain_timeout_ns` passed; a
/// later send makes a new one. `CHANNELER_QUIC_EVENT_CLOSED` follows.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_ADDRESS`,
/// `_INVALID_REFERENCE` (there is none), `_UNSUPPORTED` (no `channeler_quic_open` before), `_STATE`
/// (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_close(
    node: *mut channeler_node,
    address: *const channeler_address,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `address` is null or readable.
        let address = SocketAddr::try_from(unsafe { guard::read(address, "address") }?)?;
        Ok(live.quic(|quic, now| quic.close(now, address))??)
    })
}

/// Says yes to a `CHANNELER_QUIC_EVENT_REQUEST`.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_REFERENCE` (the connection
/// is gone), `_STATE` (it was answered; the node was freed), `_UNSUPPORTED`, `_POISONED`. Thread:
/// any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_accept(node: *mut channeler_node, connection: u64) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        Ok(live.quic(|quic, now| quic.accept(now, QuicConnection(connection)))??)
    })
}

/// Says no to a `CHANNELER_QUIC_EVENT_REQUEST`; the peer is told.
///
/// Errors and thread: as `channeler_quic_accept`.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_refuse(node: *mut channeler_node, connection: u64) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        Ok(live.quic(|quic, now| quic.refuse(now, QuicConnection(connection)))??)
    })
}

/// Lets a peer connect from now on, and be sent to, without being asked about. With certificates it
/// changes nothing.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (no
/// `channeler_quic_open` before), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `peer` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_trust(
    node: *mut channeler_node,
    peer: *const channeler_peer_id,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `peer` is null or readable.
        let peer = PeerId(unsafe { guard::read(peer, "peer") }?.bytes);
        live.quic(|quic, _| quic.trust_peer(peer))
    })
}

/// Takes `channeler_quic_trust` back, for connections to come. `*was_known` becomes 1 when the peer
/// was known, else 0; it may be NULL.
///
/// Errors and thread: as `channeler_quic_trust`.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `peer` is NULL or readable; `was_known` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_distrust(
    node: *mut channeler_node,
    peer: *const channeler_peer_id,
    was_known: *mut i32,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `peer` is null or readable.
        let peer = PeerId(unsafe { guard::read(peer, "peer") }?.bytes);
        // SAFETY: the caller promises that `was_known` is null or writable.
        let out = unsafe { Out::optional(was_known) };
        out.set(live.quic(|quic, _| quic.distrust_peer(peer))?.into());
        Ok(())
    })
}

/// Sends a message, if the desk takes it: mostly it goes the way of the one before.
///
/// # Safety
/// As `channeler_quic_send`.
#[inline]
unsafe fn send_by_desk(
    node: *mut channeler_node,
    address: *const channeler_address,
    team: *const channeler_team_id,
    label: *const c_char,
    label_length: usize,
    message: *const u8,
    length: usize,
) -> bool {
    // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
    let Some(desk) = (unsafe { lifetime::desk(node) }) else { return false };
    // SAFETY: the caller promises that `address` is null or readable.
    let Some(address) = (unsafe { address.as_ref() }) else { return false };
    // SAFETY: the caller promises that `team` is null or readable.
    let Some(team) = (unsafe { team.as_ref() }) else { return false };
    // SAFETY: the caller promises `label_length` readable bytes.
    let Some(label) = (unsafe { guard::good_bytes(label.cast(), label_length) }) else {
        return false;
    };
    // SAFETY: the caller promises `length` readable bytes.
    let Some(message) = (unsafe { guard::good_bytes(message, length) }) else { return false };
    desk.send(|known| address.is(known), &team.bytes, label, std::iter::once(message)) == 1
}

/// Sends messages as far as the desk takes them; returns how many.
///
/// # Safety
/// As `channeler_quic_send_many`.
unsafe fn send_many_by_desk(
    node: *mut channeler_node,
    address: *const channeler_address,
    team: *const channeler_team_id,
    label: *const c_char,
    label_length: usize,
    messages: &[channeler_quic_message],
) -> usize {
    // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
    let Some(desk) = (unsafe { lifetime::desk(node) }) else { return 0 };
    // SAFETY: the caller promises that `address` is null or readable.
    let Some(address) = (unsafe { address.as_ref() }) else { return 0 };
    // SAFETY: the caller promises that `team` is null or readable.
    let Some(team) = (unsafe { team.as_ref() }) else { return 0 };
    // SAFETY: the caller promises `label_length` readable bytes.
    let Some(label) = (unsafe { guard::good_bytes(label.cast(), label_length) }) else { return 0 };
    // SAFETY: the caller promises `length` readable bytes at `data`.
    let messages = messages
        .iter()
        .map_while(|message| unsafe { guard::good_bytes(message.data, message.length) });
    desk.send(|known| address.is(known), &team.bytes, label, messages)
}

/// Sends a message.
///
/// # Safety
/// As `channeler_quic_send`.
#[cold]
unsafe fn send(
    node: *mut channeler_node,
    address: *const channeler_address,
    team: *const channeler_team_id,
    label: *const c_char,
    label_length: usize,
    message: *const u8,
    length: usize,
) -> Result<(), Failure> {
    // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
    let live = unsafe { lifetime::enter(node) }?;
    // SAFETY: the caller promises that `address` is null or readable.
    let address = SocketAddr::try_from(unsafe { guard::read(address, "address") }?)?;
    // SAFETY: the caller promises that `team` is null or readable.
    let team = TeamId(unsafe { guard::read(team, "team") }?.bytes);
    // SAFETY: the caller promises `label_length` readable bytes.
    let label = unsafe { guard::bytes_or_none(label.cast(), label_length, "label") }?;
    let label =
        std::str::from_utf8(label).map_err(|_| fail(Error::Decode, "label is not UTF-8"))?;
    if label.len() > CHANNELER_QUIC_LABEL_MAX {
        let text = format!("label has {} bytes; allowed are 256", label.len());
        return Err(fail(Error::InvalidArgument, text));
    }
    // SAFETY: the caller promises `length` readable bytes.
    let message = unsafe { guard::bytes_or_none(message, length, "message") }?;
    live.send_quic(address, team, label, message)
}

/// Takes the oldest message, if it lies on the desk and `buffer` is large enough.
///
/// # Safety
/// As `channeler_quic_receive`.
#[inline]
unsafe fn receive_by_desk(
    node: *mut channeler_node,
    buffer: *mut u8,
    capacity: usize,
    channel: *mut channeler_quic_channel,
    length: *mut usize,
) -> bool {
    // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
    let Some(desk) = (unsafe { lifetime::desk(node) }) else { return false };
    let (Some(channel), Some(length)) = (NonNull::new(channel), NonNull::new(length)) else {
        return false;
    };
    if buffer.is_null() {
        return false;
    }
    // SAFETY: the caller promises `capacity` writable bytes.
    let Ok(buffer) = (unsafe { guard::bytes_mut(buffer, capacity, "buffer") }) else {
        return false;
    };
    // SAFETY: not null, so the caller promises that `channel` is writable.
    let received = desk.receive(buffer, |waiting| unsafe { tell(channel, waiting) });
    // SAFETY: not null, so the caller promises that `length` is writable.
    received.inspect(|bytes| unsafe { length.write(*bytes) }).is_some()
}

/// Takes the oldest messages, as far as they lie on the desk and have room; returns how many.
///
/// # Safety
/// As `channeler_quic_receive`.
unsafe fn receive_many_by_desk(
    node: *mut channeler_node,
    buffer: *mut u8,
    capacity: usize,
    lengths: &mut [usize],
    channel: *mut channeler_quic_channel,
) -> usize {
    // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
    let Some(desk) = (unsafe { lifetime::desk(node) }) else { return 0 };
    let Some(channel) = NonNull::new(channel) else { return 0 };
    if buffer.is_null() {
        return 0;
    }
    // SAFETY: the caller promises `capacity` writable bytes.
    let Ok(buffer) = (unsafe { guard::bytes_mut(buffer, capacity, "buffer") }) else { return 0 };
    // SAFETY: not null, so the caller promises that `channel` is writable.
    desk.receive_many(buffer, lengths, |waiting| unsafe { tell(channel, waiting) })
}

/// Takes the oldest message of one of the two queues.
///
/// # Safety
/// As `channeler_quic_receive`.
#[cold]
unsafe fn receive(
    node: *mut channeler_node,
    buffer: *mut u8,
    capacity: usize,
    channel: *mut channeler_quic_channel,
    length: *mut usize,
    is_sync: bool,
) -> Result<(), Failure> {
    // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
    let live = unsafe { lifetime::enter(node) }?;
    let buffer: &mut [u8] = match capacity {
        0 => &mut [],
        // SAFETY: the caller promises `capacity` writable bytes.
        _ => unsafe { guard::bytes_mut(buffer, capacity, "buffer") }?,
    };
    let channel = NonNull::new(channel).ok_or_else(|| guard::null("channel"))?;
    // SAFETY: the caller promises that `length` is null or writable.
    let length = unsafe { Out::new(length, "length") }?;
    live.receive_quic(|quic, now| {
        let waiting = if is_sync { quic.next_sync() } else { quic.next_message() };
        let waiting = waiting.ok_or(Error::DataUnavailable)?;
        let needs = waiting.message.len();
        length.set(needs);
        let place = buffer.get_mut(..needs);
        place
            .ok_or_else(|| guard::too_small("buffer", capacity, needs))?
            .copy_from_slice(waiting.message);
        // SAFETY: not null, so the caller promises that `channel` is writable.
        unsafe { tell(channel, &waiting) };
        if is_sync {
            quic.pop_sync(now())
        } else {
            quic.pop_message_by(now);
        }
        Ok(())
    })?
}

/// Says where a message came from. What is behind the zero byte of the label stays as it is: to
/// write all of it would take as long as the rest of receiving.
///
/// # Safety
/// `out` is writable.
unsafe fn tell(out: NonNull<channeler_quic_channel>, waiting: &Waiting<'_>) {
    let out = out.as_ptr();
    // SAFETY: the caller promises a writable place.
    let address = unsafe { &raw mut (*out).address };
    // SAFETY: as above.
    unsafe { address.write(waiting.address.into()) };
    // SAFETY: as above.
    let peer = unsafe { &raw mut (*out).peer };
    // SAFETY: as above.
    unsafe { peer.write(waiting.peer.into()) };
    // SAFETY: as above.
    let team = unsafe { &raw mut (*out).team };
    // SAFETY: as above.
    unsafe { team.write(channeler_team_id { bytes: waiting.team_id.0 }) };
    // SAFETY: as above.
    let label = unsafe { &raw mut (*out).label }.cast::<u8>();
    let text = waiting.label.as_bytes();
    let length = text.len().min(CHANNELER_QUIC_LABEL_MAX);
    match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        // Of most labels these are all bytes, and to copy a known number of them takes less.
        (Some(first), Some(last)) if length <= 16 => {
            // SAFETY: as above, and the label has room for more than these.
            unsafe { label.cast::<[u8; 8]>().write(*first) };
            // SAFETY: as above.
            let end = unsafe { label.add(length - 8) };
            // SAFETY: as above.
            unsafe { end.cast::<[u8; 8]>().write(*last) };
        }
        // SAFETY: as above, and the label has room for more than `CHANNELER_QUIC_LABEL_MAX` bytes.
        _ => unsafe { label.copy_from_nonoverlapping(text.as_ptr(), length) },
    }
    // SAFETY: as above.
    let end = unsafe { label.add(length) };
    // SAFETY: as above.
    unsafe { end.write(0) };
    // SAFETY: as above.
    let place = unsafe { &raw mut (*out).label_length };
    // SAFETY: as above.
    unsafe { place.write(length) };
}
