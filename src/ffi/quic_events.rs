//! What callers are told of QUIC channels.

use std::ffi::{CString, c_char, c_void};

use super::address::channeler_address;
use super::events::text_of;
use super::identity::channeler_public_key;
use super::lifetime::channeler_node;
use super::peer_id::channeler_peer_id;
use crate::quic::QuicEvent;

/// A peer that is not known proved who it is (`peer`, and `key` unless it has a certificate):
/// answer with `channeler_quic_accept` or `channeler_quic_refuse`, now or within
/// `accept_timeout_ns`. Only with `ask_before_accept`.
pub const CHANNELER_QUIC_EVENT_REQUEST: u32 = 1;
/// `peer` at `address` proved who it is, and messages flow. `by_peer` tells who began.
pub const CHANNELER_QUIC_EVENT_CONNECTED: u32 = 2;
/// A connection ended; what had arrived whole on it waits to be received. `reason`:
/// `CHANNELER_ERR_CLOSED` (by us), `_LIMIT` (it was unused for the longest time when a 33rd began),
/// `_SUPERSEDED` (another with the same peer is used), `_IDENTITY` (the peer is not who it should
/// be), `_REFUSED`, `_BANNED`, `_TIMEOUT` (nobody answered), `_IDLE`, `_PEER_CLOSED`, `_RESET` (the
/// peer restarted), `_CRYPTO`, `_PROTOCOL`; with `code` and `text` of the side that ended it.
/// `count` messages were taken for sending of which it is not known that they arrived; `cut`
/// messages of the peer broke off, and nothing of them is delivered.
pub const CHANNELER_QUIC_EVENT_CLOSED: u32 = 3;
/// There are messages to receive, after there were none.
pub const CHANNELER_QUIC_EVENT_READABLE: u32 = 4;
/// There are sync messages to receive, after there were none.
pub const CHANNELER_QUIC_EVENT_SYNC_READABLE: u32 = 5;
/// The peer at `address`, for which a send was `CHANNELER_ERR_WOULD_BLOCK`, can be sent to again.
pub const CHANNELER_QUIC_EVENT_WRITABLE: u32 = 6;
/// The peer sent a frame that is none; its stream was stopped with `code`, and nothing else
/// happened. `text` says what is wrong.
pub const CHANNELER_QUIC_EVENT_FRAME_REFUSED: u32 = 7;
/// The peer stopped a stream of ours with `code`; `count` messages on it may not have arrived.
pub const CHANNELER_QUIC_EVENT_MESSAGES_LOST: u32 = 8;
/// The peer that was at `address` is at `new_address` now.
pub const CHANNELER_QUIC_EVENT_ADDRESS_CHANGED: u32 = 9;

/// What happened to QUIC channels. Fields that its kind does not mention are zero.
///
/// Later libraries may have more kinds (ignore those you do not know) and more fields at the end.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_quic_event {
    /// Bytes of this struct as the library knows it.
    pub struct_size: usize,
    /// `CHANNELER_QUIC_EVENT_*`.
    pub kind: u32,
    /// Why it ended: a `CHANNELER_ERR_*` number.
    pub reason: i32,
    /// The connection; no number is used twice.
    pub connection: u64,
    /// The peer's address.
    pub address: channeler_address,
    /// Where the peer is now.
    pub new_address: channeler_address,
    /// The peer. With certificates an id that follows from the whole certificate.
    pub peer: channeler_peer_id,
    /// The peer's raw public key.
    pub key: channeler_public_key,
    /// 1 when the peer began the connection, 0 when we did.
    pub by_peer: u32,
    /// The number that was said.
    pub code: u64,
    /// What was said with it, for people: UTF-8 ended by a zero byte, lent for the call. Input from
    /// outside: it may be anything. NULL: nothing.
    pub text: *const c_char,
    /// How many messages.
    pub count: u64,
    /// How many messages of the peer broke off.
    pub cut: u64,
}

/// Tells what happened to QUIC channels. `event` is lent for the call. The rules of
/// `channeler_callbacks` hold.
pub type channeler_quic_event_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        node: *mut channeler_node,
        event: *const channeler_quic_event,
    ),
>;

/// Who hears of QUIC channels.
#[derive(Clone, Copy)]
pub(super) struct QuicListener {
    pub(super) on_event: channeler_quic_event_fn,
    pub(super) user_data: *mut c_void,
}

// SAFETY: `user_data` is only handed back to the caller, who promised that its function may be
// called in any thread that runs the node.
unsafe impl Send for QuicListener {}
// SAFETY: as above.
unsafe impl Sync for QuicListener {}

/// An event of no kind.
fn nothing() -> channeler_quic_event {
    channeler_quic_event {
        struct_size: size_of::<channeler_quic_event>(),
        kind: 0,
        reason: 0,
        connection: 0,
        address: channeler_address::default(),
        new_address: channeler_address::default(),
        peer: channeler_peer_id::default(),
        key: channeler_public_key { bytes: [0; 44] },
        by_peer: 0,
        code: 0,
        text: std::ptr::null(),
        count: 0,
        cut: 0,
    }
}

/// The event as the caller sees it, and the text that it points to.
pub(super) fn told(event: &QuicEvent) -> (channeler_quic_event, Option<CString>) {
    let mut told = nothing();
    let mut text = None;
    match event {
        QuicEvent::ConnectionRequest { connection, address, peer, public_key } => {
            told.kind = CHANNELER_QUIC_EVENT_REQUEST;
            (told.connection, told.address) = (connection.0, (*address).into());
            told.peer = (*peer).into();
            told.key = public_key.map_or(told.key, Into::into);
        }
        QuicEvent::Connected { connection, address, peer, by_peer } => {
            told.kind = CHANNELER_QUIC_EVENT_CONNECTED;
            (told.connection, told.address) = (connection.0, (*address).into());
            (told.peer, told.by_peer) = ((*peer).into(), (*by_peer).into());
        }
        QuicEvent::ConnectionClosed {
            connection,
            address,
            peer,
            reason,
            said,
            undelivered,
            cut,
        } => {
            told.kind = CHANNELER_QUIC_EVENT_CLOSED;
            (told.connection, told.address) = (connection.0, (*address).into());
            told.peer = peer.map_or(told.peer, Into::into);
            told.reason = reason.code();
            (told.count, told.cut) = (*undelivered, *cut);
            told.code = said.as_ref().map_or(0, |said| said.code);
            text = said.as_ref().and_then(|said| text_of(&said.text));
        }
        QuicEvent::Readable => told.kind = CHANNELER_QUIC_EVENT_READABLE,
        QuicEvent::SyncReadable => told.kind = CHANNELER_QUIC_EVENT_SYNC_READABLE,
        QuicEvent::Writable { address } => {
            told.kind = CHANNELER_QUIC_EVENT_WRITABLE;
            told.address = (*address).into();
        }
        QuicEvent::FrameRefused { connection, address, error } => {
            told.kind = CHANNELER_QUIC_EVENT_FRAME_REFUSED;
            (told.connection, told.address) = (connection.0, (*address).into());
            told.code = u64::from(error.code());
            text = text_of(&error.to_string());
        }
        QuicEvent::MessagesLost { connection, address, count, code } => {
            told.kind = CHANNELER_QUIC_EVENT_MESSAGES_LOST;
            (told.connection, told.address) = (connection.0, (*address).into());
            (told.count, told.code) = (*count, *code);
        }
        QuicEvent::AddressChanged { connection, from, to } => {
            told.kind = CHANNELER_QUIC_EVENT_ADDRESS_CHANGED;
            (told.connection, told.address) = (connection.0, (*from).into());
            told.new_address = (*to).into();
        }
    }
    told.text = text.as_ref().map_or(std::ptr::null(), |text: &CString| text.as_ptr());
    (told, text)
}
