//! From the engine's thread to the server's: what happened, and that something did.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use channeler::engine::Handler;
use channeler::id::{ConnectionHandle, PeerId};
use channeler::io::Event;
use channeler::quic::QuicEvent;
use mio::Waker;

/// Events on their way; with more the engine waits until the server has looked at them.
const EVENTS_MAX: usize = 4_096;

/// What the engine calls.
pub(super) struct Bell {
    events: SyncSender<QuicEvent>,
    is_readable: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

/// What the server looks at.
pub(super) struct Heard {
    events: Receiver<QuicEvent>,
    is_readable: Arc<AtomicBool>,
}

impl Bell {
    pub(super) fn new(waker: Arc<Waker>) -> (Bell, Heard) {
        let (sender, events) = sync_channel(EVENTS_MAX);
        let is_readable = Arc::new(AtomicBool::new(false));
        let bell = Bell { events: sender, is_readable: Arc::clone(&is_readable), waker };
        (bell, Heard { events, is_readable })
    }

    fn ring(&self) {
        // It fails only when nobody waits any more.
        let _over = self.waker.wake();
    }
}

impl Handler for Bell {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        false
    }

    fn event(&mut self, _: &Event, _: &[u8]) {}

    fn quic_event(&mut self, event: &QuicEvent) {
        if matches!(event, QuicEvent::Readable | QuicEvent::SyncReadable) {
            self.is_readable.store(true, Ordering::Release);
            self.ring();
            return;
        }
        match self.events.try_send(event.clone()) {
            Ok(()) => self.ring(),
            Err(TrySendError::Full(event)) => {
                self.ring();
                // The server may be gone meanwhile.
                let _over = self.events.send(event);
                self.ring();
            }
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Heard {
    /// The next thing that happened.
    pub(super) fn next(&self) -> Option<QuicEvent> {
        self.events.try_recv().ok()
    }

    /// Whether messages came since this was asked last.
    pub(super) fn take_readable(&self) -> bool {
        self.is_readable.swap(false, Ordering::Acquire)
    }
}
