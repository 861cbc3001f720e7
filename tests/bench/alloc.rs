//! The system's allocator, counting: how often a thread asked it, and for how many bytes that still
//! live.

#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts for each thread apart: counters that they shared would slow down whoever allocates much.
pub(crate) struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Allocations of this thread since its start, reallocations included.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// Bytes that this thread allocated, as asked for, less those that it freed.
#[allow(dead_code, reason = "some programs count allocations only")]
pub(crate) fn live_bytes() -> usize {
    LIVE_BYTES.get()
}

fn count(allocations: usize, bytes: usize, freed: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    // What one thread allocates another may free.
    LIVE_BYTES.set(LIVE_BYTES.get().wrapping_add(bytes).wrapping_sub(freed));
}

// SAFETY: every call is handed to `System` as it is, which keeps the trait's promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: our caller promises what `System` asks of its own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: our caller promises what `System` asks of its own.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        // SAFETY: `memory` came from `System` with this layout: all of ours does.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        // SAFETY: `memory` came from `System` with this layout: all of ours does.
        unsafe { System.realloc(memory, layout, size) }
    }
}
