//! Nodes as C callers hold them: safe to name after they were freed, freed when nobody is inside.
//!
//! What callers point to is a shell that stays until the program ends. It counts the calls that are
//! inside; freeing marks it closed, after which none gets in, and the last one out drops what is in
//! the shell. So nobody ever frees under somebody else's feet, callbacks included.

use std::cell::RefCell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use super::callbacks::channeler_callbacks;
use super::contents::{Contents, Given};
use super::guard::{Failure, fail, null};
use super::options::channeler_options;
use crate::engine::Desk;
use crate::error::Error;

/// In `state`: no call gets in any more. The other bits count the calls inside.
const CLOSED: u32 = 1 << 31;

/// Every shell that callers were given. It keeps them reachable, so that leak checkers know that
/// they are meant to stay.
static SHELLS: Mutex<Vec<&'static channeler_node>> = Mutex::new(Vec::new());

thread_local! {
    /// The nodes whose callbacks this thread is inside of, innermost last.
    static IN_CALLBACKS: RefCell<Vec<*const channeler_node>> = const { RefCell::new(Vec::new()) };
}

/// A node: our end of all connections, with its sockets.
#[derive(Default)]
pub struct channeler_node {
    /// Calls inside, and `CLOSED`.
    state: AtomicU32,
    /// Calls inside `wake`, which may run in signal handlers and so may not drop anything.
    wakers: AtomicU32,
    is_poisoned: AtomicBool,
    /// Null before it was made and after it was dropped.
    contents: AtomicPtr<Contents>,
    /// Set when it serves QUIC channels.
    desk: OnceLock<Arc<Desk>>,
    is_gone: Mutex<bool>,
    gone: Condvar,
}

/// A call inside a node: while it lives, the contents stay.
pub(super) struct Live(&'static channeler_node);

/// A callback of a node, called by this thread.
pub(super) struct InCallback {
    live: Live,
}

/// Makes a node.
pub(super) fn create(
    options: &channeler_options,
    callbacks: &channeler_callbacks,
    given: Given,
) -> Result<*mut channeler_node, Failure> {
    let shell = Box::into_raw(Box::<channeler_node>::default());
    // SAFETY: just made, and freed only below, when nothing knows of it.
    let shared: &'static channeler_node = unsafe { &*shell };
    match Contents::new(shared, options, callbacks, given) {
        Ok(contents) => {
            let contents = Box::into_raw(Box::new(contents));
            shared.contents.store(contents, Ordering::Release);
            let mut shells = SHELLS.lock().unwrap_or_else(PoisonError::into_inner);
            shells.push(shared);
            Ok(shell)
        }
        Err(failure) => {
            // SAFETY: made by `Box::into_raw` above; the contents that knew of it are gone.
            drop(unsafe { Box::from_raw(shell) });
            Err(failure)
        }
    }
}

/// Enters a node.
///
/// # Safety
/// `node` is null or came from `create`.
pub(super) unsafe fn enter(node: *const channeler_node) -> Result<Live, Failure> {
    // SAFETY: the caller promises a shell, and shells stay.
    let node: &'static channeler_node = unsafe { node.as_ref() }.ok_or_else(|| null("node"))?;
    let live = node.enter().ok_or_else(freed)?;
    if node.is_poisoned.load(Ordering::Acquire) {
        return Err(Error::Poisoned.into());
    }
    Ok(live)
}

/// The desk of a node, for calls that need nothing else: it stays when the node is freed, and takes
/// nothing then. None: `enter` says why, or makes one.
///
/// # Safety
/// `node` is null or came from `create`.
#[inline]
pub(super) unsafe fn desk(node: *const channeler_node) -> Option<&'static Desk> {
    // SAFETY: the caller promises a shell, and shells stay.
    let node: &'static channeler_node = unsafe { node.as_ref() }?;
    if node.is_closed() || node.is_poisoned.load(Ordering::Acquire) {
        return None;
    }
    node.desk.get().map(Arc::as_ref)
}

/// Enters a node to call back. None: it was freed, and nothing may be called any more.
pub(super) fn enter_callback(node: &'static channeler_node) -> Option<InCallback> {
    let live = node.enter()?;
    IN_CALLBACKS.with_borrow_mut(|nodes| nodes.push(node));
    Some(InCallback { live })
}

/// Whether this thread is inside a callback of `node`.
pub(super) fn is_in_callback(node: &channeler_node) -> bool {
    IN_CALLBACKS.with_borrow(|nodes| nodes.iter().any(|inside| std::ptr::eq(*inside, node)))
}

/// Frees a node; see `channeler_node_free`.
///
/// # Safety
/// `node` came from `create`.
pub(super) unsafe fn free(node: *const channeler_node) -> Result<(), Failure> {
    // SAFETY: the caller promises a shell, and shells stay.
    let node: &'static channeler_node = unsafe { &*node };
    if !node.count_in(CLOSED) {
        return Err(freed());
    }
    let live = Live(node);
    if is_in_callback(node) {
        // The callback itself is a call inside, so this is not the last one out.
        return Ok(());
    }
    live.close();
    drop(live);
    let mut is_gone = node.is_gone.lock().unwrap_or_else(PoisonError::into_inner);
    while !*is_gone {
        is_gone = node.gone.wait(is_gone).unwrap_or_else(PoisonError::into_inner);
    }
    Ok(())
}

/// Wakes a node; see `channeler_node_wake`. It takes no lock and allocates nothing.
///
/// # Safety
/// `node` is null or came from `create`.
pub(super) unsafe fn wake(node: *const channeler_node) -> i32 {
    // SAFETY: the caller promises a shell, and shells stay.
    let Some(node) = (unsafe { node.as_ref() }) else {
        return Error::InvalidArgument.code();
    };
    // Counted before the look at `state`: whoever closes it waits for the count after that.
    node.wakers.fetch_add(1, Ordering::SeqCst);
    let status = if node.state.load(Ordering::SeqCst) & CLOSED != 0 {
        Error::State.code()
    } else {
        // SAFETY: not closed when we looked, and not dropped while we are counted.
        let contents = unsafe { &*node.contents.load(Ordering::Acquire) };
        contents.wake().map_or_else(Error::code, |()| 0)
    };
    node.wakers.fetch_sub(1, Ordering::SeqCst);
    status
}

/// What calls with a freed node are told.
pub(super) fn freed() -> Failure {
    fail(Error::State, "the node was freed; make a new one with channeler_node_new")
}

impl channeler_node {
    /// Whether it was freed, or is about to be.
    pub(super) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) & CLOSED != 0
    }

    /// It serves QUIC channels.
    pub(super) fn set_desk(&self, desk: Arc<Desk>) {
        // There is one in a node, however often it is set.
        let _ = self.desk.set(desk);
    }

    fn enter(&'static self) -> Option<Live> {
        self.count_in(0).then(|| Live(self))
    }

    /// Counts a call that enters, and sets `mark`, unless the node is closed; whether it did.
    // By hand: `fetch_update` is deprecated from Rust 1.99, and 1.89 does not know its new name.
    #[inline]
    fn count_in(&self, mark: u32) -> bool {
        let mut state = self.state.load(Ordering::Acquire);
        while state & CLOSED == 0 {
            let next = (state + 1) | mark;
            // One order with `wakers`: either `wake` sees the mark, or `drop_contents` its count.
            let (good, bad) = (Ordering::SeqCst, Ordering::Acquire);
            match self.state.compare_exchange_weak(state, next, good, bad) {
                Ok(_) => return true,
                Err(found) => state = found,
            }
        }
        false
    }

    fn leave(&self) {
        if self.state.fetch_sub(1, Ordering::AcqRel) == CLOSED | 1 {
            self.drop_contents();
        }
    }

    /// Done by the last call that leaves a closed node.
    fn drop_contents(&self) {
        while self.wakers.load(Ordering::SeqCst) != 0 {
            std::thread::yield_now();
        }
        let contents = self.contents.swap(std::ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: made by `Box::into_raw` in `create`, and nobody is inside or gets in any more.
        let contents = unsafe { Box::from_raw(contents) };
        // Who waits in `free` must hear of the end whatever happens.
        let _panic = catch_unwind(AssertUnwindSafe(|| drop(contents)));
        *self.is_gone.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.gone.notify_all();
    }
}

impl Deref for Live {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        // SAFETY: set before callers knew the node, and dropped only when nobody is inside.
        unsafe { &*self.0.contents.load(Ordering::Acquire) }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.is_poisoned.store(true, Ordering::Release);
        }
        self.0.leave();
    }
}

impl Drop for InCallback {
    fn drop(&mut self) {
        let node: *const channeler_node = self.live.0;
        let innermost = IN_CALLBACKS.with_borrow_mut(Vec::pop);
        debug_assert_eq!(innermost, Some(node), "callbacks nest");
    }
}

/// Calls from all threads share the contents, which `AtomicPtr` does not check.
const _: () = {
    const fn is_shareable<T: Send + Sync>() {}
    is_shareable::<Contents>();
};

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::super::guard::{Versioned, guard, last_error};
    use super::super::options::CHANNELER_MODE_SANS_IO;
    use super::*;

    #[test]
    fn a_panic_becomes_a_status_and_poisons_its_node_alone() {
        let (node, other) = (sans_io_node(), sans_io_node());
        let status = guard(|| {
            // SAFETY: made above.
            let _live = unsafe { enter(node) }?;
            panic!("a bug of ours");
        });
        assert_eq!(status, Error::Unexpected.code());
        // SAFETY: valid until this thread's next failure.
        let text = unsafe { CStr::from_ptr(last_error()) };
        assert_eq!(text.to_str(), Ok("a bug of ours"));
        assert_eq!(status_of(node), Error::Poisoned.code());
        assert_eq!(status_of(other), 0);
        for node in [node, other] {
            // SAFETY: made above.
            assert!(unsafe { free(node) }.is_ok());
            assert_eq!(status_of(node), Error::State.code());
        }
    }

    #[test]
    fn the_last_call_out_drops_what_was_freed_inside_a_callback() {
        let node = sans_io_node();
        // SAFETY: made above, and shells stay.
        let shell: &'static channeler_node = unsafe { &*node };
        let outer = enter_callback(shell).expect("not freed yet");
        let inner = enter_callback(shell).expect("not freed yet");
        // SAFETY: made above.
        assert!(unsafe { free(node) }.is_ok());
        assert!(enter_callback(shell).is_none());
        drop(inner);
        assert!(!shell.contents.load(Ordering::Acquire).is_null());
        drop(outer);
        assert!(shell.contents.load(Ordering::Acquire).is_null());
        assert!(!is_in_callback(shell));
    }

    fn status_of(node: *mut channeler_node) -> i32 {
        guard(|| {
            // SAFETY: made by `sans_io_node`.
            unsafe { enter(node) }?;
            Ok(())
        })
    }

    fn sans_io_node() -> *mut channeler_node {
        let mut options = channeler_options::new(size_of::<channeler_options>());
        options.mode = CHANNELER_MODE_SANS_IO;
        let callbacks = channeler_callbacks::new(size_of::<channeler_callbacks>());
        let given = Given { identity: None, instance_label: Vec::new() };
        create(&options, &callbacks, given).expect("the defaults are good")
    }
}
