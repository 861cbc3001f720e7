//! The engine's own thread: `process` in a loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::dispatch::Owner;
use super::os;
use super::shared::Shared;
use crate::error::Error;

/// The own thread, if there is one.
#[derive(Default)]
pub(super) struct Thread {
    handle: Mutex<Option<JoinHandle<()>>>,
    is_stopping: AtomicBool,
    is_running: AtomicBool,
}

impl Thread {
    /// Whether it runs, or is about to: then nobody else may `process`.
    pub(super) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// Ends it and waits for that. The flag is set under the lock, so that a start in between
    /// cannot clear it.
    pub(super) fn end(&self, wake: impl FnOnce()) {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(handle) = handle.take() else { return };
        self.is_stopping.store(true, Ordering::Relaxed);
        wake();
        // A panic inside it has poisoned the node, which every later call reports.
        let _ = handle.join();
    }
}

/// Starts the own thread.
pub(super) fn start(shared: &Arc<Shared>) -> Result<(), Error> {
    drop(shared.core()?);
    let thread = &shared.thread;
    // Someone who is just starting or stopping it has the lock.
    let mut handle = thread.handle.try_lock().map_err(|_| Error::State)?;
    if handle.is_some() {
        return Err(Error::State);
    }
    thread.is_stopping.store(false, Ordering::Relaxed);
    thread.is_running.store(true, Ordering::Relaxed);
    let inside = Arc::clone(shared);
    let spawned = Builder::new().name("channeler".to_owned()).spawn(move || run(&inside));
    *handle = spawned
        .inspect_err(|error| {
            shared.counters.note_error(error);
            thread.is_running.store(false, Ordering::Relaxed);
        })
        .map(Some)
        .map_err(|_| Error::Limit)?;
    // A caller's thread may be asleep inside `process`: its turn is over.
    shared.wake();
    Ok(())
}

/// Stops it and waits for its end.
pub(super) fn stop(shared: &Shared) -> Result<(), Error> {
    if shared.is_in_callback() {
        return Err(Error::State);
    }
    shared.thread.end(|| shared.wake());
    Ok(())
}

fn run(shared: &Shared) {
    // Also when a turn panics.
    struct Ends<'a>(&'a Thread);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.is_running.store(false, Ordering::Relaxed);
        }
    }
    let _ends = Ends(&shared.thread);
    os::block_signals();
    let Ok(mut entered) = shared.enter() else {
        return;
    };
    let goes_on = || !shared.is_closed() && !shared.thread.is_stopping.load(Ordering::Relaxed);
    while goes_on() && entered.turn(None).is_ok() {}
}
