//! Nodes without sockets and clock: the caller feeds datagrams and time, and takes datagrams.

use std::net::SocketAddr;

use super::address::{CHANNELER_FAMILY_NONE, channeler_address};
use super::connection::channeler_connection;
use super::guard::{self, Failure, Out, fail, guard};
use super::lifetime::{self, channeler_node};
use crate::error::Error;
use crate::io::{EcnMark, Local, Receive, SendError, Transmit, canonical};
use crate::time::Time;

/// What `channeler_node_poll_timeout` says when nothing is due, ever.
pub const CHANNELER_NO_DEADLINE: u64 = u64::MAX;

/// A datagram was larger than the path or interface takes.
pub const CHANNELER_SEND_TOO_LARGE: u32 = 1;
/// A datagram's address, host or network cannot be reached.
pub const CHANNELER_SEND_UNREACHABLE: u32 = 2;

/// Where bytes go that `channeler_node_poll_transmit` gave.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct channeler_transmit {
    /// The receiver's address.
    pub to: channeler_address,
    /// The address of ours to send from; `CHANNELER_FAMILY_NONE`: any. The port is always 0.
    pub from: channeler_address,
    /// Bytes to send.
    pub length: usize,
    /// Size of each datagram in them; only the last may be shorter. Equal to `length` unless the
    /// option `segments_max` is more than 1.
    pub segment_size: usize,
    /// The connection they are for; id 0: an answer to a stranger.
    pub connection: channeler_connection,
}

/// Gives the node a datagram that was received, and calls the callbacks for what it causes.
///
/// Afterwards call `channeler_node_poll_transmit` until it has nothing, then sleep until
/// `channeler_node_poll_timeout`. `now_ns` is nanoseconds on a clock of the caller's choice that
/// never runs backwards (an earlier time counts as the latest given); commands use the last time
/// given, at first 0. `from` is the sender, `to` the address it sent to (may be NULL: not known).
/// All is read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_ADDRESS`, `_UNSUPPORTED`
/// (a node with sockets), `_STATE` (inside a callback of this node, or another thread is in this
/// function; the node was freed), `_POISONED`. That a datagram makes no sense is no error: it is
/// dropped and counted. Thread: any, one at a time.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `from` and `to` are NULL or readable; `data`
/// is NULL or has `length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_handle_datagram(
    node: *mut channeler_node,
    now_ns: u64,
    from: *const channeler_address,
    to: *const channeler_address,
    data: *const u8,
    length: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `from` is null or readable.
        let from = unsafe { guard::read(from, "from") }?;
        // SAFETY: the caller promises that `to` is null or readable.
        let to = unsafe { guard::read_optional(to) };
        // SAFETY: the caller promises `length` readable bytes.
        let data = unsafe { guard::bytes(data, length, "data") }?;
        let local_ip = to.map(SocketAddr::try_from).transpose()?.map(|to| to.ip().to_canonical());
        let receive = Receive {
            from: canonical(SocketAddr::try_from(from)?),
            local: Local { socket: 0, ip: local_ip },
            stride: length.max(1),
            // Nor can the caller set any: the peer sees that, and both do without.
            ecn: EcnMark::None,
        };
        live.sans_io()?.handle_datagram(Time::from_nanos(now_ns), &receive, data)
    })
}

/// Lets the node do what is due at `now_ns`, and calls the callbacks for what that causes.
///
/// Call it when the time of `channeler_node_poll_timeout` has come (earlier does no harm), then
/// `channeler_node_poll_transmit` until it has nothing.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_UNSUPPORTED` (a node with sockets),
/// `_STATE` (inside a callback of this node, or another thread is in this function; the node was
/// freed), `_POISONED`. Thread: any, one at a time.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_handle_timeout(
    node: *mut channeler_node,
    now_ns: u64,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        live.sans_io()?.handle_timeout(Time::from_nanos(now_ns))
    })
}

/// Takes the next bytes to send: writes them to `buffer` and where they go to `out`.
///
/// `capacity` is the size of `buffer`; `packet_size` x `segments_max` of the options is enough.
/// Errors: `CHANNELER_ERR_DATA_UNAVAILABLE` (nothing to send), `_INSUFFICIENT_BUFFER_SIZE`
/// (`out->length` says how many bytes are needed, nothing is lost: call again), `_INVALID_ARGUMENT`
/// (a pointer is NULL), `_UNSUPPORTED` (a node with sockets), `_STATE` (the node was freed),
/// `_POISONED`. Thread: any. Calls no callback.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `buffer` is NULL or has `capacity` writable
/// bytes; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_poll_transmit(
    node: *mut channeler_node,
    now_ns: u64,
    buffer: *mut u8,
    capacity: usize,
    out: *mut channeler_transmit,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises `capacity` writable bytes.
        let buffer = unsafe { guard::bytes_mut(buffer, capacity, "buffer") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let transmit = live.sans_io()?.poll_transmit(Time::from_nanos(now_ns), buffer)?;
        let fits = transmit.len <= capacity;
        let needed = transmit.len;
        out.set(transmit.into());
        if fits { Ok(()) } else { Err(guard::too_small("buffer", capacity, needed)) }
    })
}

/// Tells when `channeler_node_handle_timeout` wants to be called next: nanoseconds on the caller's
/// clock, or `CHANNELER_NO_DEADLINE`. Ask anew after each other call.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (a node with
/// sockets), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `deadline_ns` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_poll_timeout(
    node: *mut channeler_node,
    deadline_ns: *mut u64,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `deadline_ns` is null or writable.
        let out = unsafe { Out::new(deadline_ns, "deadline_ns") }?;
        out.set(live.sans_io()?.poll_timeout()?.map_or(CHANNELER_NO_DEADLINE, Time::as_nanos));
        Ok(())
    })
}

/// Tells the node that bytes from `channeler_node_poll_transmit` could not be sent, and why:
/// `CHANNELER_SEND_TOO_LARGE` or `CHANNELER_SEND_UNREACHABLE`. Keep silent about other causes.
///
/// `transmit` is read during the call only. Callbacks hear of it in the next call that has them.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or no such cause),
/// `_INVALID_ADDRESS`, `_UNSUPPORTED` (a node with sockets), `_STATE` (the node was freed),
/// `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `transmit` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_handle_send_error(
    node: *mut channeler_node,
    now_ns: u64,
    transmit: *const channeler_transmit,
    cause: u32,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `transmit` is null or readable.
        let transmit = unsafe { guard::read(transmit, "transmit") }?;
        let cause = match cause {
            CHANNELER_SEND_TOO_LARGE => SendError::TooLarge,
            CHANNELER_SEND_UNREACHABLE => SendError::Unreachable,
            other => {
                let text = format!("cause is {other}; allowed is CHANNELER_SEND_*, 1 and 2");
                return Err(fail(Error::InvalidArgument, text));
            }
        };
        let transmit = Transmit::try_from(transmit)?;
        live.sans_io()?.handle_send_error(Time::from_nanos(now_ns), &transmit, cause)
    })
}

impl From<Transmit> for channeler_transmit {
    fn from(transmit: Transmit) -> channeler_transmit {
        let from = transmit.local.ip.map(|ip| SocketAddr::new(ip, 0));
        channeler_transmit {
            to: transmit.to.into(),
            from: from.map_or_else(channeler_address::default, channeler_address::from),
            length: transmit.len,
            segment_size: transmit.segment_size,
            connection: transmit.connection.map_or_else(Default::default, Into::into),
        }
    }
}

impl TryFrom<channeler_transmit> for Transmit {
    type Error = Failure;

    fn try_from(transmit: channeler_transmit) -> Result<Transmit, Failure> {
        let from = (transmit.from.family != CHANNELER_FAMILY_NONE).then_some(transmit.from);
        let ip = from.map(SocketAddr::try_from).transpose()?.map(|from| from.ip().to_canonical());
        Ok(Transmit {
            to: canonical(SocketAddr::try_from(transmit.to)?),
            local: Local { socket: 0, ip },
            len: transmit.length,
            segment_size: transmit.segment_size,
            ecn: EcnMark::None,
            connection: (transmit.connection.id != 0).then(|| transmit.connection.into()),
        })
    }
}
