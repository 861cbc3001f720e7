//! What the library calls: the caller's functions, and what they are told.

use std::ffi::{c_char, c_void};

use super::address::channeler_address;
use super::channel::channeler_channel;
use super::connection::channeler_connection;
use super::guard::{self, Versioned, guard};
use super::lifetime::channeler_node;
use super::peer_id::channeler_peer_id;
use super::wire::channeler_wire_id;

/// Something is broken.
pub const CHANNELER_LOG_ERROR: u32 = 1;
/// Something is wrong, and the node goes on.
pub const CHANNELER_LOG_WARN: u32 = 2;
/// Connections and channels come and go.
pub const CHANNELER_LOG_INFO: u32 = 3;
/// Everything that callbacks are told, but the messages themselves.
pub const CHANNELER_LOG_DEBUG: u32 = 4;

/// The peer is there. Version 1: the handshake is done, and the peer has proved that it is `peer`.
/// Version 0: its node answered, and named itself `peer`; a first `CHANNELER_EVENT_CHANNEL_OPENED`
/// follows. That is not yet a welcome: a node that refuses cannot say so, and only a message from
/// the peer shows that its application listens.
pub const CHANNELER_EVENT_CONNECTED: u32 = 1;
/// The connection to `peer` ended with all its channels; its handle is stale now. `reason`:
/// `CHANNELER_ERR_CLOSED`, `_IDLE`, `_BANNED`, `_TIMEOUT` (nothing ever answered), or `_LIMIT` (it
/// had no channel, and its place in the table went to another). In version 1 also
/// `CHANNELER_ERR_PEER_CLOSED` (with the peer's `code` and `text`), `_REFUSED` (the peer does not
/// want us), `_IDENTITY` (another peer than the one asked for answered: `peer` is the one that
/// did), `_CRYPTO` (the handshake failed), `_PROTOCOL` (a side broke the protocol), `_RESET` (the
/// peer restarted, and knows nothing of the connection), `_SUPERSEDED` (both sides dialled; the
/// other connection stays).
pub const CHANNELER_EVENT_CONNECTION_CLOSED: u32 = 2;
/// A channel is established. `by_peer` tells who opened it. The opener hears of it before the other
/// side's `on_accept` has run.
pub const CHANNELER_EVENT_CHANNEL_OPENED: u32 = 3;
/// A channel ended, or could not be opened; its handle is stale now. `reason`:
/// `CHANNELER_ERR_CLOSED`, `_IDLE`, `_TIMEOUT` (the peer never answered), or the connection's; in
/// version 1 also `CHANNELER_ERR_PEER_CLOSED` (with `code` and `text` if it was reset), `_REFUSED`,
/// `_UNSUPPORTED` (the peer's node does not offer these capabilities), `_LOST` and `_EXPIRED` (a
/// message of either side was given up, and the channel has `CHANNELER_CAP_CLOSE_ON_LOSS`), and
/// `_LIMIT` (a memory budget of either side).
pub const CHANNELER_EVENT_CHANNEL_CLOSED: u32 = 4;
/// A channel that had nothing to read has a message for `channeler_channel_receive`. It comes once:
/// read until `CHANNELER_ERR_DATA_UNAVAILABLE`. Never with an `on_message` callback.
pub const CHANNELER_EVENT_READABLE: u32 = 5;
/// A channel whose send returned `CHANNELER_ERR_WOULD_BLOCK` has room again.
pub const CHANNELER_EVENT_WRITABLE: u32 = 6;
/// The peer proved a new address, `address`; we send there now.
pub const CHANNELER_EVENT_PATH_CHANGED: u32 = 7;
/// The system says that `address`, the peer's, cannot be reached. Nothing is closed for that.
pub const CHANNELER_EVENT_PATH_UNREACHABLE: u32 = 8;
/// The path takes only packets of `packet_size` bytes; larger messages are `CHANNELER_ERR_WRITE`.
pub const CHANNELER_EVENT_PACKET_SIZE_REDUCED: u32 = 9;

/// The next `channeler_node_poll_transmit` not spoken for by an earlier event of this kind gives a
/// packet on the channel `id` (handshakes: both halves `CHANNELER_WIRE_NO_HALF`). Only with
/// `CHANNELER_PROFILE_REFERENCE`.
pub const CHANNELER_EVENT_PACKET: u32 = 10;

/// The peer sends nothing more on a channel, and all that it sent was handed over. The other
/// direction goes on until `channeler_channel_close`. Only with the option `half_close`.
pub const CHANNELER_EVENT_CHANNEL_FINISHED: u32 = 11;

/// A message sent with `report` has arrived: the peer's node has all of it (its application may not
/// have read it yet). `context` is the number given with it.
pub const CHANNELER_EVENT_MESSAGE_DELIVERED: u32 = 12;

/// A message sent with `report` is given up: the peer never gets all of it, or nobody can know any
/// more whether it has. `context` is the number given with it; `reason` is `CHANNELER_ERR_LOST` (on
/// the way, and not sent again, or as often as `resend_limit` allows), `_EXPIRED` (its lifetime was
/// over), or why the channel ended, whose `CHANNELER_EVENT_CHANNEL_CLOSED` follows.
pub const CHANNELER_EVENT_MESSAGE_LOST: u32 = 13;

/// `count` messages of the peer's will never come; they were between those handed over before this
/// and those handed over after it. Not on channels with `CHANNELER_CAP_CLOSE_ON_LOSS`.
pub const CHANNELER_EVENT_MESSAGES_SKIPPED: u32 = 14;

/// What happened. Fields that its kind does not mention are zero.
///
/// Later libraries may have more kinds (ignore those you do not know) and more fields at the end.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_event {
    /// Bytes of this struct as the library knows it.
    pub struct_size: usize,
    /// `CHANNELER_EVENT_*`.
    pub kind: u32,
    /// Why it ended: a `CHANNELER_ERR_*` number.
    pub reason: i32,
    /// The connection.
    pub connection: channeler_connection,
    /// The channel.
    pub channel: channeler_channel,
    /// An address of the peer.
    pub address: channeler_address,
    /// 1 when the peer opened the channel, 0 when we did.
    pub by_peer: u32,
    /// Bytes of UDP payload.
    pub packet_size: u32,
    /// The peer.
    pub peer: channeler_peer_id,
    /// A channel as packets name it.
    pub id: channeler_wire_id,
    /// 0.
    pub reserved: u32,
    /// When a connection or channel ended, in version 1: with `CHANNELER_ERR_PEER_CLOSED` the
    /// number that the peer's application gave; with another reason the protocol's number for it,
    /// which is for logs (docs/protocol.md, chapter 17). 0 where there is none.
    pub code: u64,
    /// What was said with it, for people: UTF-8 ended by a zero byte, lent for the call. Input from
    /// outside: it may be anything. NULL: nothing.
    pub text: *const c_char,
    /// What `channeler_send_options` said of the message.
    pub context: u64,
    /// How many messages.
    pub count: u64,
}

impl Default for channeler_event {
    fn default() -> channeler_event {
        channeler_event {
            struct_size: size_of::<channeler_event>(),
            kind: 0,
            reason: 0,
            connection: channeler_connection::default(),
            channel: channeler_channel::default(),
            address: channeler_address::default(),
            by_peer: 0,
            packet_size: 0,
            peer: channeler_peer_id::default(),
            id: channeler_wire_id::default(),
            reserved: 0,
            code: 0,
            text: std::ptr::null(),
            context: 0,
            count: 0,
        }
    }
}

/// Asks whether a peer may connect that we did not dial, or dialled without saying who must answer:
/// nonzero is yes.
///
/// In version 1 the peer has proved who it is; `channeler_connection_info` tells its full key, and
/// a no is told to it (`CHANNELER_ERR_REFUSED`). In version 0 it proved its address but not its id,
/// and hears nothing. `peer` and `address` are lent for the call. `connection` may already be named
/// in calls.
pub type channeler_accept_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        node: *mut channeler_node,
        connection: channeler_connection,
        peer: *const channeler_peer_id,
        address: *const channeler_address,
    ) -> i32,
>;

/// Tells what happened. `event` is lent for the call.
pub type channeler_event_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        node: *mut channeler_node,
        event: *const channeler_event,
    ),
>;

/// Hands over a message of `length` bytes (at least 1). `data` is lent for the call: copy what you
/// keep.
pub type channeler_message_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        node: *mut channeler_node,
        connection: channeler_connection,
        channel: channeler_channel,
        data: *const u8,
        length: usize,
    ),
>;

/// Hands over a datagram of no protocol of ours (STUN, say). `from` and `data` are lent for the
/// call.
pub type channeler_datagram_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        node: *mut channeler_node,
        from: *const channeler_address,
        data: *const u8,
        length: usize,
    ),
>;

/// Hands over a line for a log, without a line end. `text` is lent for the call.
pub type channeler_log_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        node: *mut channeler_node,
        level: u32,
        text: *const c_char,
    ),
>;

/// Hands over a line of a key log, without a line end: what `SSLKEYLOGFILE` holds, and Wireshark
/// reads. `line` is lent for the call.
///
/// Who has the lines can read, and forge, everything that was said on the connections: only for
/// finding faults.
pub type channeler_key_log_fn = Option<
    unsafe extern "C" fn(user_data: *mut c_void, node: *mut channeler_node, line: *const c_char),
>;

/// Tells that `user_data` is not used any more.
pub type channeler_drop_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Gives back a buffer that `channeler_channel_send_buffer` took over.
pub type channeler_release_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, data: *const u8, length: usize)>;

/// The functions that a node calls. Fill with `channeler_callbacks_init`, then set those you want.
///
/// Thread: callbacks run only in the thread that is inside `channeler_node_process` (sans-IO: also
/// `channeler_node_handle_datagram` and `channeler_node_handle_timeout`), or in the node's own
/// thread after `channeler_node_start`; one at a time, with no lock held. Inside one every function
/// may be called, on this node and others, except that on the same node `channeler_node_process`,
/// `channeler_node_stop` and the two sans-IO functions return `CHANNELER_ERR_STATE`, and that
/// `channeler_node_free` takes effect when the callback returns.
///
/// Callbacks must return: no C++ exception and no `longjmp` may leave them.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_callbacks {
    /// `sizeof(channeler_callbacks)`; set by `channeler_callbacks_init`.
    pub struct_size: usize,
    /// Given to each of the functions below. The library never looks at what it points to.
    pub user_data: *mut c_void,
    /// Called exactly once, after the last callback, when the node is freed. NULL: nothing is
    /// called. Not called when `channeler_node_new` fails: `user_data` then stays the caller's.
    pub drop: channeler_drop_fn,
    /// Accepts or refuses peers that we did not dial by their id. NULL: all are accepted. With the
    /// option `accept_incoming` 0, those that dial us are refused without being asked about.
    pub on_accept: channeler_accept_fn,
    /// Hears what happens. NULL: nobody does.
    pub on_event: channeler_event_fn,
    /// Takes messages as they come. NULL: they are kept for `channeler_channel_receive`, and a
    /// `CHANNELER_EVENT_READABLE` tells of them.
    pub on_message: channeler_message_fn,
    /// Takes datagrams of other protocols. NULL: they are dropped and counted.
    pub on_datagram: channeler_datagram_fn,
    /// Takes lines for a log. NULL: the library is silent.
    pub on_log: channeler_log_fn,
    /// Takes the secrets of all handshakes of version 1, so that recorded packets can be read.
    /// NULL: they are told to nobody. At most 4096 lines wait for the node's next turn; more are
    /// lost.
    pub on_key_log: channeler_key_log_fn,
}

/// Fills `callbacks` with NULL.
///
/// `struct_size` is `sizeof(channeler_callbacks)` as the caller was compiled.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`callbacks` is NULL, or `struct_size` is no multiple
/// of the size of a pointer from that of two pointers to 4096). Thread: any.
///
/// # Safety
/// `callbacks` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_callbacks_init(
    callbacks: *mut channeler_callbacks,
    struct_size: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `struct_size` writable bytes.
        unsafe { guard::init_versioned(callbacks, struct_size, "callbacks") }
    })
}

// SAFETY: repr(C), begins with `struct_size`, has no padding; a function pointer is null where the
// caller's struct ends before it, and else what the caller promises to be one.
unsafe impl Versioned for channeler_callbacks {
    const SIZE_MIN: usize = 2 * size_of::<usize>();

    fn new(struct_size: usize) -> channeler_callbacks {
        channeler_callbacks {
            struct_size,
            user_data: std::ptr::null_mut(),
            drop: None,
            on_accept: None,
            on_event: None,
            on_message: None,
            on_datagram: None,
            on_log: None,
            on_key_log: None,
        }
    }
}
