//! Counters of the engine: what it asked of the system, and what the system refused.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Declares the counters once: as numbers for callers, and as atomics for the loop.
macro_rules! counters {
    ($( $(#[doc = $doc:literal])+ $name:ident, )+) => {
        /// Counters of an engine since its start.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct EngineStats {
            $( $(#[doc = $doc])+ pub $name: u64, )+
            /// The system's number of the last socket error, 0 when there was none. Also set when
            /// `bind` fails.
            pub last_os_error: i32,
        }

        #[derive(Default)]
        pub(super) struct Counters {
            $( pub(super) $name: Counter, )+
            last_os_error: AtomicI32,
        }

        impl Counters {
            pub(super) fn read(&self) -> EngineStats {
                EngineStats {
                    $( $name: self.$name.0.load(Ordering::Relaxed), )+
                    last_os_error: self.last_os_error.load(Ordering::Relaxed),
                }
            }
        }
    };
}

counters! {
    /// Turns of the loop.
    turns,
    /// Times that a sleeping loop was woken by another thread.
    wakes,
    /// System calls that sent something.
    sends,
    /// Datagrams sent by them (more than one a call: GSO).
    datagrams_sent,
    /// Bytes of UDP payload sent by them.
    bytes_sent,
    /// System calls that received something.
    receives,
    /// Buffers filled by them.
    buffers_received,
    /// Datagrams in those buffers (more than one a buffer: GRO).
    datagrams_received,
    /// Bytes of UDP payload received by them.
    bytes_received,
    /// Tries to send that found the socket's buffer full.
    would_blocks,
    /// Sends that the system refused because a datagram was too large.
    too_large,
    /// Sends that the system refused because the receiver cannot be reached.
    unreachable,
    /// Batches that the system would not segment (GSO); they were sent one by one.
    segmentation_failures,
    /// Sends that had to leave from another source address than the node named.
    source_failures,
    /// Other errors of sending and receiving; what was to be sent is lost.
    socket_errors,
}

/// One number that any thread may raise.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl Counters {
    /// Remembers what the system said.
    pub(super) fn note_error(&self, error: &std::io::Error) {
        self.last_os_error.store(error.raw_os_error().unwrap_or(0), Ordering::Relaxed);
    }
}
