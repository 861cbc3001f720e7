//! From what the core reports to the caller's functions.

use std::ffi::{CString, c_void};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::address::channeler_address;
use super::callbacks::{CHANNELER_LOG_DEBUG, channeler_callbacks};
use super::events::{level, line, said, text_of, told};
use super::guard::{Failure, fail};
use super::lifetime::{self, channeler_node};
use super::peer_id::channeler_peer_id;
use super::quic_events::{self, QuicListener};
use crate::config::PACKET_SIZE_MAX;
use crate::engine::Handler;
use crate::error::Error;
use crate::id::{ChannelHandle, ConnectionHandle, PeerId};
use crate::io::Event;
use crate::quic::QuicEvent;

/// Buffers that wait to be given back; a further one is `Limit`. As many as events by default.
const RELEASES_MAX: usize = 65_536;

/// Lines of the key log that wait for a turn; further ones are lost. Three are one handshake's.
const KEY_LINES_MAX: usize = 4_096;

/// The function that takes a buffer back.
pub(super) type ReleaseFn =
    unsafe extern "C" fn(user_data: *mut c_void, data: *const u8, length: usize);

/// A buffer of the caller's that we are done with.
pub(super) struct Release {
    function: ReleaseFn,
    user_data: *mut c_void,
    data: *const u8,
    length: usize,
}

impl Release {
    pub(super) fn new(function: ReleaseFn, user_data: *mut c_void, data: &[u8]) -> Release {
        let (data, length) = (data.as_ptr(), data.len());
        Release { function, user_data, data, length }
    }

    fn call(self) {
        // SAFETY: the caller of `channeler_channel_send_buffer` promised that the function may be
        // called with these, once, in this thread.
        unsafe { (self.function)(self.user_data, self.data, self.length) }
    }
}

// SAFETY: the pointers are only handed back to the caller, who promised that its function may be
// called in any thread that runs the node.
unsafe impl Send for Release {}

/// The caller of a node: its functions, and the buffers that it gets back.
///
/// Dropped when the last callback has returned; then `drop` is called.
pub(super) struct Caller {
    node: &'static channeler_node,
    callbacks: channeler_callbacks,
    log_level: u32,
    /// Whether the node was made: else its `user_data` never became ours.
    is_armed: AtomicBool,
    releases: Mutex<Vec<Release>>,
    /// Who hears of QUIC channels, once there are some.
    quic: Mutex<Option<QuicListener>>,
    /// Lines of the key log: made under the node's lock, handed over without.
    key_lines: Mutex<Vec<CString>>,
}

// SAFETY: `user_data` is only handed back to the caller, who promised that its functions may be
// called in any thread that runs the node; the rest is shareable anyway.
unsafe impl Send for Caller {}
// SAFETY: as above.
unsafe impl Sync for Caller {}

impl Caller {
    pub(super) fn new(
        node: &'static channeler_node,
        callbacks: channeler_callbacks,
        log_level: u32,
    ) -> Caller {
        Caller {
            node,
            callbacks,
            log_level,
            is_armed: AtomicBool::new(false),
            releases: Mutex::default(),
            quic: Mutex::default(),
            key_lines: Mutex::default(),
        }
    }

    /// From now on the node exists, and `user_data` is to be dropped.
    pub(super) fn arm(&self) {
        self.is_armed.store(true, Ordering::Release);
    }

    /// Whom to tell of QUIC channels from now on; returns who was told before.
    pub(super) fn listen_to_quic(&self, listener: Option<QuicListener>) -> Option<QuicListener> {
        let mut told = self.quic.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *told, listener)
    }

    fn quic_event(&self, event: &QuicEvent) {
        let told = *self.quic.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listener) = told else { return };
        self.log(CHANNELER_LOG_DEBUG, || format!("{event:?}"));
        let Some(on_event) = listener.on_event else { return };
        let Some(_inside) = lifetime::enter_callback(self.node) else { return };
        let (told, _text) = quic_events::told(event);
        // SAFETY: the caller promised that its function may be called; `told` and the text outlive
        // it.
        unsafe { on_event(listener.user_data, self.node_pointer(), &raw const told) }
    }

    /// Refuses when too many buffers wait.
    pub(super) fn may_take_release(&self) -> Result<(), Failure> {
        if self.releases().len() < RELEASES_MAX {
            return Ok(());
        }
        let text = format!("{RELEASES_MAX} buffers wait to be released; let the node process");
        Err(fail(Error::Limit, text))
    }

    /// Gives a buffer back in the next turn, or when the node is freed. Returns whether it is the
    /// first since the last turn.
    pub(super) fn take_release(&self, release: Release) -> bool {
        let mut releases = self.releases();
        releases.push(release);
        releases.len() == 1
    }

    /// Whether the caller wants the key log.
    pub(super) fn wants_key_log(&self) -> bool {
        self.callbacks.on_key_log.is_some()
    }

    /// Keeps a line of the key log for the end of the turn.
    pub(super) fn keep_key_line(&self, line: &str) {
        let Ok(line) = CString::new(line) else { return };
        let mut lines = self.key_lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < KEY_LINES_MAX {
            lines.push(line);
        }
    }

    /// Hands over the lines of the key log.
    fn key_log(&self) {
        let Some(on_key_log) = self.callbacks.on_key_log else { return };
        let lines =
            std::mem::take(&mut *self.key_lines.lock().unwrap_or_else(PoisonError::into_inner));
        for line in lines {
            let Some(_inside) = lifetime::enter_callback(self.node) else { return };
            // SAFETY: the caller promised that its functions may be called; `line` lives through
            // it.
            unsafe { on_key_log(self.callbacks.user_data, self.node_pointer(), line.as_ptr()) }
        }
    }

    /// A line for the caller's log, if it wants it. Only in the thread that runs the node.
    pub(super) fn log(&self, level: u32, text: impl FnOnce() -> String) {
        let Some(on_log) = self.callbacks.on_log else {
            return;
        };
        if level > self.log_level {
            return;
        }
        let text = text().replace('\0', " ");
        let Ok(text) = CString::new(text) else { return };
        let Some(_inside) = lifetime::enter_callback(self.node) else {
            return;
        };
        // SAFETY: the caller promised that its functions may be called; `text` lives through it.
        unsafe { on_log(self.callbacks.user_data, self.node_pointer(), level, text.as_ptr()) }
    }

    fn accept(&self, connection: ConnectionHandle, peer: PeerId, address: SocketAddr) -> bool {
        let Some(on_accept) = self.callbacks.on_accept else {
            return true;
        };
        let Some(_inside) = lifetime::enter_callback(self.node) else {
            return false;
        };
        let peer = channeler_peer_id::from(peer);
        let address = channeler_address::from(address);
        let user_data = self.callbacks.user_data;
        let node = self.node_pointer();
        // SAFETY: the caller promised that its functions may be called; what is lent outlives it.
        unsafe {
            on_accept(user_data, node, connection.into(), &raw const peer, &raw const address) != 0
        }
    }

    fn message(&self, event: &Event, bytes: &[u8]) {
        let user_data = self.callbacks.user_data;
        let node = self.node_pointer();
        let (data, length) = (bytes.as_ptr(), bytes.len());
        match (event, self.callbacks.on_message, self.callbacks.on_datagram) {
            (Event::Message { connection, channel, .. }, Some(on_message), _) => {
                let Some(_inside) = lifetime::enter_callback(self.node) else {
                    return;
                };
                let (connection, channel) = ((*connection).into(), (*channel).into());
                // SAFETY: the caller promised that its functions may be called; `bytes` is lent.
                unsafe { on_message(user_data, node, connection, channel, data, length) }
            }
            (Event::Datagram { from, .. }, _, Some(on_datagram)) => {
                let Some(_inside) = lifetime::enter_callback(self.node) else {
                    return;
                };
                let from = channeler_address::from(*from);
                // SAFETY: the caller promised that its functions may be called; `bytes` is lent.
                unsafe { on_datagram(user_data, node, &raw const from, data, length) }
            }
            _ => {}
        }
    }

    fn event(&self, event: &Event) {
        let Some(mut told) = told(event) else { return };
        let text = said(event).and_then(|said| text_of(&said.text));
        told.code = said(event).map_or(0, |said| said.code);
        told.text = text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
        self.log(level(event), || line(event));
        let Some(on_event) = self.callbacks.on_event else {
            return;
        };
        let Some(_inside) = lifetime::enter_callback(self.node) else {
            return;
        };
        // SAFETY: the caller promised that its functions may be called; `told` and `text` outlive
        // it.
        unsafe { on_event(self.callbacks.user_data, self.node_pointer(), &raw const told) }
    }

    /// Hands over what was kept for `receive` although there is an `on_message`: messages that came
    /// before `on_accept` had answered.
    fn kept_messages(&self, connection: ConnectionHandle, channel: ChannelHandle) {
        let mut buffer = vec![0; PACKET_SIZE_MAX];
        let receive = |buffer: &mut Vec<u8>| {
            // SAFETY: a shell of ours, and shells stay.
            let live = unsafe { lifetime::enter(self.node) }?;
            let received = live.core(|node, now| {
                // A message that came in pieces may be larger than any packet.
                let bytes = node.next_message_bytes(channel)?;
                buffer.resize(bytes.max(buffer.len()), 0);
                node.receive(now, channel, buffer)
            })??;
            Ok::<_, Failure>(received.len)
        };
        while let Ok(length) = receive(&mut buffer) {
            let message = Event::Message { connection, channel, bytes: 0..length };
            self.message(&message, &buffer[..length]);
        }
    }

    /// Gives back the buffers of what was sent.
    fn release(&self) {
        let releases = std::mem::take(&mut *self.releases());
        let mut releases = releases.into_iter();
        while let Some(_inside) = lifetime::enter_callback(self.node) {
            let Some(release) = releases.next() else {
                return;
            };
            release.call();
        }
        // Freed meanwhile: the rest goes back with `drop`.
        self.releases().extend(releases);
    }

    fn releases(&self) -> MutexGuard<'_, Vec<Release>> {
        self.releases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node_pointer(&self) -> *mut channeler_node {
        // Callers hold it as a pointer to non-const, and only ever give it back.
        std::ptr::from_ref(self.node).cast_mut()
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        for release in std::mem::take(&mut *self.releases()) {
            release.call();
        }
        if let (true, Some(drop)) = (*self.is_armed.get_mut(), self.callbacks.drop) {
            // SAFETY: the caller promised that its functions may be called; this is the last call.
            unsafe { drop(self.callbacks.user_data) }
        }
    }
}

/// The handler that an engine or a sans-IO core talks to.
pub(super) struct Told {
    caller: Arc<Caller>,
}

impl Told {
    pub(super) fn new(caller: Arc<Caller>) -> Told {
        Told { caller }
    }
}

impl Handler for Told {
    fn accept(&mut self, connection: ConnectionHandle, peer: PeerId, address: SocketAddr) -> bool {
        self.caller.accept(connection, peer, address)
    }

    fn event(&mut self, event: &Event, bytes: &[u8]) {
        let takes_messages = self.caller.callbacks.on_message.is_some();
        if matches!(event, Event::Message { .. } | Event::Datagram { .. }) {
            self.caller.message(event, bytes);
        } else if let (Event::Readable { connection, channel }, true) = (event, takes_messages) {
            self.caller.kept_messages(*connection, *channel);
        } else {
            self.caller.event(event);
        }
    }

    fn quic_event(&mut self, event: &QuicEvent) {
        self.caller.quic_event(event);
    }

    fn turn_ended(&mut self) {
        self.caller.key_log();
        self.caller.release();
    }
}
