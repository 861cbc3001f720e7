//! A lock for what takes a copy's time.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spin::mutex::{SpinMutex, SpinMutexGuard};

use crate::error::Error;

/// To take it is one atomic operation, and to let it go is none, where a `Mutex` has one for each:
/// that is a good part of what a call costs that only copies a message.
///
/// Who cannot have it at once mostly has another way; who must have it looks again and again, and
/// offers the core to whoever has it and may need it to go on. The offer of a thread with a
/// real-time priority is not for others: in the end it sleeps.
#[derive(Debug, Default)]
pub(super) struct Latch<T> {
    value: SpinMutex<T>,
    /// Somebody panicked who held it.
    is_poisoned: AtomicBool,
}

/// How often the core is offered before sleeping: a copy takes no time slice.
const OFFERS_MAX: u32 = 64;

/// How long to sleep then.
const NAP: Duration = Duration::from_micros(50);

/// A latch that is held.
#[derive(Debug)]
pub(super) struct Held<'a, T> {
    value: SpinMutexGuard<'a, T>,
    is_poisoned: &'a AtomicBool,
}

impl<T> Latch<T> {
    /// Takes it, unless somebody else has it, or panicked with it.
    #[inline]
    pub(super) fn try_take(&self) -> Option<Held<'_, T>> {
        let value = self.value.try_lock()?;
        let is_poisoned = &self.is_poisoned;
        (!is_poisoned.load(Ordering::Relaxed)).then_some(Held { value, is_poisoned })
    }

    /// Takes it when nobody else has it. `Poisoned` when somebody panicked with it.
    pub(super) fn take(&self) -> Result<Held<'_, T>, Error> {
        let mut offers = 0;
        let value = loop {
            if let Some(value) = self.value.try_lock() {
                break value;
            }
            if offers < OFFERS_MAX {
                offers += 1;
                std::thread::yield_now();
            } else {
                std::thread::sleep(NAP);
            }
        };
        let is_poisoned = &self.is_poisoned;
        match is_poisoned.load(Ordering::Relaxed) {
            true => Err(Error::Poisoned),
            false => Ok(Held { value, is_poisoned }),
        }
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Held<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for Held<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // The guard lets go after this.
        if std::thread::panicking() {
            self.is_poisoned.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_latch_is_held_by_one_at_a_time() {
        let latch = Latch::<u64>::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..20_000 {
                        let tried = (round % 2 == 0).then(|| latch.try_take()).flatten();
                        let mut held = tried.unwrap_or_else(|| latch.take().expect("no panic"));
                        let before = *held;
                        std::hint::black_box(&held);
                        *held = before + 1;
                    }
                });
            }
        });
        let held = latch.take().expect("nobody panicked");
        assert_eq!(*held, 80_000);
        assert!(latch.try_take().is_none(), "it is held");
    }

    #[test]
    fn who_panics_with_it_poisons_it() {
        let latch = Arc::new(Latch::<u64>::default());
        let other = Arc::clone(&latch);
        let panicked = std::thread::spawn(move || {
            let _held = other.take();
            panic!("with the latch");
        });
        assert!(panicked.join().is_err());
        assert!(latch.try_take().is_none());
        assert_eq!(latch.take().err(), Some(Error::Poisoned));
        assert_eq!(latch.take().err(), Some(Error::Poisoned), "and not held for ever");
    }
}
