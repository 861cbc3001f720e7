//! Nodes: making, running, freeing, and what concerns all their connections.

use std::ffi::c_int;
use std::net::SocketAddr;
use std::time::Duration;

use super::address::channeler_address;
use super::callbacks::channeler_callbacks;
use super::contents::Given;
use super::guard::{self, Out, guard};
use super::identity;
use super::lifetime;
pub use super::lifetime::channeler_node;
use super::options::channeler_options;
use super::peer_id::channeler_peer_id;
use crate::id::PeerId;

/// Makes a node and writes it to `out`.
///
/// `options` may be NULL (defaults: sockets, a fresh identity), and so may `callbacks` (none); both
/// are read during the call only. A node with sockets has none yet: see `channeler_node_bind`.
/// Owner: the caller, until `channeler_node_free`. After `fork` a node is the parent's alone: the
/// child may use it in no call, for its thread and locks are not there and its sockets are shared.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`out` is NULL; a wrong `struct_size`; a struct longer
/// than this library knows, with something in the part that it does not know; a setting out of its
/// range), `_DECODE` (`identity` holds no key), `_CRYPTO` (the system gives no randomness for one),
/// `_SOCKET` (the system gives no poller), `_UNSUPPORTED`. When it fails, no callback is
/// called, `drop` included: `user_data` stays the caller's. Thread: any.
///
/// # Safety
/// `options` and `callbacks` are NULL or have `struct_size` readable bytes; `out` is NULL or
/// writable; the functions in `callbacks` may be called with `user_data` from any thread that runs
/// the node.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_new(
    options: *const channeler_options,
    callbacks: *const channeler_callbacks,
    out: *mut *mut channeler_node,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `options` is null or as large as it says.
        let options = unsafe { guard::read_versioned_or_default(options, "options") }?;
        // SAFETY: the caller promises that `callbacks` is null or as large as it says.
        let callbacks = unsafe { guard::read_versioned_or_default(callbacks, "callbacks") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        // SAFETY: the caller promises that `identity` is null or ends with a zero byte.
        let pem = unsafe { guard::text_or_none(options.identity, "identity") }?;
        // SAFETY: the caller promises the same of `instance_label`.
        let label = unsafe { guard::text_or_none(options.instance_label, "instance_label") }?;
        let given = Given {
            identity: pem.map(|pem| identity::parse(pem, "identity")).transpose()?,
            instance_label: label.unwrap_or_default().into(),
        };
        out.set(lifetime::create(&options, &callbacks, given)?);
        Ok(())
    })
}

/// Frees a node with its sockets, connections and channels. NULL is good.
///
/// Stops the node's own thread, makes `channeler_node_process` in other threads return, waits for
/// calls and callbacks that are running in other threads, releases the buffers it was given, and
/// calls `drop`. Nothing of the node runs after it returns. Nothing is said to the peers; close
/// connections first, and `channeler_node_flush`, to send what is queued.
/// Inside a callback of the same node it returns at once: the node is freed when the callbacks that
/// are running have returned, and no further one is called but `drop`.
/// A freed node stays a safe argument: each call with it, this one included, returns
/// `CHANNELER_ERR_STATE` (for that some 64 bytes of each node are kept until the program ends).
/// Do not free two nodes from callbacks of each other at the same time: each would wait for the
/// other.
/// Errors: `CHANNELER_ERR_STATE` (freed before). Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_free(node: *mut channeler_node) -> i32 {
    guard(|| {
        if node.is_null() {
            return Ok(());
        }
        // SAFETY: the caller promises that `node` came from `channeler_node_new`.
        unsafe { lifetime::free(node) }
    })
}

/// Opens a socket at `address`; may be called several times, also while the node runs.
///
/// Port 0 lets the system choose one: `channeler_node_local_address` tells which. `[::]:port` takes
/// IPv4 too. At most 16 sockets. `address` is read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_ADDRESS`, `_SOCKET` (the
/// system refuses: port taken, no such address), `_LIMIT` (too many sockets), `_UNSUPPORTED`
/// (sans-IO), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_bind(
    node: *mut channeler_node,
    address: *const channeler_address,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `address` is null or readable.
        let address = unsafe { guard::read(address, "address") }?;
        live.engine()?.bind(SocketAddr::try_from(address)?)
    })
}

/// Tells the address of the socket that was bound as number `index`, from 0.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL, or no such socket), `_UNSUPPORTED`
/// (sans-IO), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_local_address(
    node: *mut channeler_node,
    index: usize,
    out: *mut channeler_address,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let address = live.engine()?.local_address(index)?;
        out.set(address.into());
        Ok(())
    })
}

/// Tells the node's own peer id.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_STATE` (the node was freed),
/// `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_peer_id(
    node: *mut channeler_node,
    out: *mut channeler_peer_id,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(live.peer_id().into());
        Ok(())
    })
}

/// Starts a thread of the node's own, which runs it and calls the callbacks until
/// `channeler_node_stop` or `channeler_node_free`.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_STATE` (it has its thread already,
/// is just being stopped, or the node was freed), `_LIMIT` (the system gives no thread),
/// `_UNSUPPORTED` (sans-IO), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_start(node: *mut channeler_node) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        live.engine()?.start()
    })
}

/// Stops the node's own thread, and waits until it ended; the node may be run again in any way.
///
/// Without such a thread nothing happens.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_UNSUPPORTED` (sans-IO), `_STATE`
/// (inside a callback of this node, which it would wait for; the node was freed), `_POISONED`.
/// Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_stop(node: *mut channeler_node) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        live.engine()?.stop()
    })
}

/// Runs the node for one turn in the calling thread: receives, sends, does what is due, and calls
/// the callbacks.
///
/// Waits up to `timeout_ns` nanoseconds for something to do: 0 does not wait, less than 0 waits for
/// ever (until `channeler_node_wake`). It may return earlier with nothing done; call it in a loop.
/// A signal handler that wants it to return calls `channeler_node_wake`: a signal that comes just
/// before the wait does not end it.
/// With sans-IO it never waits: it calls callbacks for what commands caused.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_STATE` (inside a callback of this
/// node; the node has its own thread, or another thread is in this function; the node was freed),
/// `_SOCKET` (the system's poller fails), `_POISONED`. Thread: any, one at a time.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_process(node: *mut channeler_node, timeout_ns: i64) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        live.process(u64::try_from(timeout_ns).ok().map(Duration::from_nanos))
    })
}

/// Sends what is queued now, from the calling thread, without waiting and without callbacks.
///
/// What the system does not take at once stays queued. Without this call queued messages leave with
/// the next turn of the node.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_UNSUPPORTED` (sans-IO), `_STATE`
/// (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_flush(node: *mut channeler_node) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        live.engine()?.flush()
    })
}

/// Tells the descriptor to put in a `poll`, `select` or `epoll` of the caller's own: when it is
/// readable, or `channeler_node_timeout` has passed, call `channeler_node_process(node, 0)`.
///
/// Ask for the timeout anew before each sleep. Do not read, write or close the descriptor.
/// Owner: the node; valid until it is freed.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (sans-IO, or a
/// system without such a descriptor), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_fd(node: *mut channeler_node, out: *mut c_int) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(live.engine()?.fd()?);
        Ok(())
    })
}

/// Tells how long the caller's own loop may sleep before `channeler_node_process`, in nanoseconds:
/// 0 is not at all, -1 for ever (until the descriptor is readable).
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_UNSUPPORTED` (sans-IO: see
/// `channeler_node_poll_timeout`), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `out_ns` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_timeout(
    node: *mut channeler_node,
    out_ns: *mut i64,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `out_ns` is null or writable.
        let out = unsafe { Out::new(out_ns, "out_ns") }?;
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        out.set(live.engine()?.timeout()?.map_or(-1, nanos));
        Ok(())
    })
}

/// Makes a `channeler_node_process` that sleeps in another thread return, or the next one.
///
/// Safe in signal handlers: it takes no lock, allocates nothing, and leaves `channeler_last_error`
/// as it is. Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` is NULL), `_UNSUPPORTED` (sans-IO),
/// `_STATE` (the node was freed). Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_wake(node: *mut channeler_node) -> i32 {
    // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
    unsafe { lifetime::wake(node) }
}

/// Bans a peer id for `span_ns` nanoseconds, and closes its connections, QUIC channels included,
/// with `CHANNELER_ERR_BANNED`.
///
/// A further ban of the same peer replaces the first. `peer` is read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_LIMIT` (4096 peers are banned),
/// `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `peer` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_ban_peer(
    node: *mut channeler_node,
    peer: *const channeler_peer_id,
    span_ns: u64,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `peer` is null or readable.
        let peer = PeerId(unsafe { guard::read(peer, "peer") }?.bytes);
        live.ban_peer(peer, Duration::from_nanos(span_ns))
    })
}

/// Bans an IP address, whatever the port, for `span_ns` nanoseconds, and closes its connections,
/// QUIC channels included, with `CHANNELER_ERR_BANNED`.
///
/// A further ban of the same address replaces the first. `address` is read during the call only.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_ADDRESS`, `_LIMIT` (4096
/// addresses are banned), `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_ban_address(
    node: *mut channeler_node,
    address: *const channeler_address,
    span_ns: u64,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `address` is null or readable.
        let address = unsafe { guard::read(address, "address") }?;
        let ip = SocketAddr::try_from(address)?.ip().to_canonical();
        live.ban_address(ip, Duration::from_nanos(span_ns))
    })
}

/// Lifts the ban of a peer id. `*lifted` becomes 1 when there was one, else 0; it may be NULL.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` or `peer` is NULL), `_STATE` (the node was
/// freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `peer` is NULL or readable; `lifted` is NULL
/// or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_lift_ban_peer(
    node: *mut channeler_node,
    peer: *const channeler_peer_id,
    lifted: *mut i32,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `peer` is null or readable.
        let peer = PeerId(unsafe { guard::read(peer, "peer") }?.bytes);
        // SAFETY: the caller promises that `lifted` is null or writable.
        let lifted = unsafe { Out::optional(lifted) };
        lifted.set(live.lift_ban_peer(peer)?.into());
        Ok(())
    })
}

/// Lifts the ban of an IP address. `*lifted` becomes 1 when there was one, else 0; it may be NULL.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`node` or `address` is NULL), `_INVALID_ADDRESS`,
/// `_STATE` (the node was freed), `_POISONED`. Thread: any.
///
/// # Safety
/// `node` is NULL or came from `channeler_node_new`; `address` is NULL or readable; `lifted` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_node_lift_ban_address(
    node: *mut channeler_node,
    address: *const channeler_address,
    lifted: *mut i32,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `node` is null or came from `channeler_node_new`.
        let live = unsafe { lifetime::enter(node) }?;
        // SAFETY: the caller promises that `address` is null or readable.
        let address = unsafe { guard::read(address, "address") }?;
        // SAFETY: the caller promises that `lifted` is null or writable.
        let lifted = unsafe { Out::optional(lifted) };
        let ip = SocketAddr::try_from(address)?.ip().to_canonical();
        lifted.set(live.lift_ban_address(ip)?.into());
        Ok(())
    })
}
