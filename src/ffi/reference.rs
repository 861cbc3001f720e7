//! What programs written against the reference implementation need of a node: its profile, secrets,
//! and channels by their id on the wire.

use super::channel::channeler_channel;
use super::connection::channeler_connection;
use super::guard::{self, Out, guard};
use super::lifetime::{self, channeler_node};
use super::wire::channeler_wire_id;

/// Protocol version 0 as this library speaks it: keyed cookies, packets shared by messages,
/// retries, data before the handshake's end.
pub const CHANNELER_PROFILE_NODE: u32 = 0;
/// Protocol version 0 to the byte as the reference implementation speaks it; sans-IO only.
///
/// Cookies are CRC-32 over the secret of `channeler_node_set_secret`. Each message has a packet, of
/// full size, announced by a `CHANNELER_EVENT_PACKET`; `channeler_node_poll_transmit` gives packets
/// in the order of these events. There are no timers. Peers that were not dialled cannot connect.
/// `on_message` hears of each message, which also waits for `channeler_channel_receive`.
pub const CHANNELER_PROFILE_REFERENCE: u32 = 1;

/// Sets the secret that cookies are made with from now on; NULL and 0 are an empty one.
///
/// `secret` is read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL, or `secret` is though `length` is not
/// 0), `_STATE` (the profile is not `CHANNELER_PROFILE_REFERENCE`; the node was freed),
/// `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `secret` is NULL or has `length` readable
/// bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_set_secret(
    node: *mut channeler_node,
    secret: *const u8,
    length: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `length` readable bytes.
        let secret = unsafe { guard::bytes_or_none(secret, length, "secret") }?;
        Ok(live.core(|node, _| node.set_secret(secret))??)
    })
}

/// Gives halves of channel ids to use, in this order, before random ones: for tests that need ids
/// known beforehand. They replace those given before and not used yet.
///
/// A half of `CHANNELER_WIRE_NO_HALF` is skipped. `halves` may be NULL when `count` is 0, and is
/// read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL, or `halves` is though `count` is not
/// 0), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `halves` is NULL or has `count` readable
/// entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_supply_halves(
    node: *mut channeler_node,
    halves: *const u16,
    count: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        let halves: &[u16] = match count {
            0 => &[],
            // SAFETY: the caller promises `count` readable entries.
            _ => unsafe { guard::slice(halves, count, "halves") }?,
        };
        live.core(|node, _| node.supply_halves(halves))?;
        Ok(())
    })
}

/// Finds a channel of `connection` by its id on the wire, and writes it to `out`: an established
/// one by its complete id; one in any state, ours before the peer's, by its initiator's half alone.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_REFERENCE` (no such
/// connection, or it ended), `_INVALID_CHANNELID` (no such channel), `_STATE` (the node was freed),
/// `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_find(
    node: *mut channeler_node,
    connection: channeler_connection,
    id: channeler_wire_id,
    out: *mut channeler_channel,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let found = live.core(|node, _| node.channel_by_id(connection.into(), id.into()))??;
        out.set(found.into());
        Ok(())
    })
}

/// Adds a channel to `connection` without a handshake, and writes it to `out`: established when
/// `id` is complete, being opened when it has the initiator's half alone. No event follows.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_REFERENCE` (no such
/// connection, or it ended), `_INVALID_CHANNELID` (no initiator's half), `_LIMIT`, `_STATE` (it is
/// there already; the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_adopt(
    node: *mut channeler_node,
    connection: channeler_connection,
    id: channeler_wire_id,
    out: *mut channeler_channel,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let added =
            live.core(|node, now| node.adopt_channel(now, connection.into(), id.into()))??;
        out.set(added.into());
        Ok(())
    })
}

/// Makes the channel of `connection` that is being opened with the initiator's half of `id`
/// established, as `id`. No event follows.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_INVALID_REFERENCE` (no such
/// connection, or it ended), `_INVALID_CHANNELID` (`id` is not complete, or no such channel),
/// `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_complete(
    node: *mut channeler_node,
    connection: channeler_connection,
    id: channeler_wire_id,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        Ok(live.core(|node, _| node.complete_channel(connection.into(), id.into()))??)
    })
}

/// Adds a channel with a fresh initiator's half to `connection`, as if it were being opened, but
/// sends nothing; writes its id to `out`. No event follows.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_REFERENCE` (no such
/// connection, or it ended), `_LIMIT`, `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_channel_new_pending(
    node: *mut channeler_node,
    connection: channeler_connection,
    out: *mut channeler_wire_id,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let id = live.core(|node, now| node.new_pending_channel(now, connection.into()))??;
        out.set(id.into());
        Ok(())
    })
}
