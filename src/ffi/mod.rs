//! The C API: one file per C noun. Each function checks, converts, calls, converts back.
//!
//! Types carry their C names, so that cbindgen has nothing to rename.

#![expect(unsafe_code, reason = "pointers of C callers are read and written here, and only here")]
#![expect(non_camel_case_types, reason = "types carry their C names")]
#![cfg_attr(
    not(test),
    expect(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "the bans are the core's; callers bring threads"
    )
)]

mod contents;
mod events;
mod guard;
mod handler;
mod lifetime;
mod sans_core;

pub mod address;
pub mod callbacks;
pub mod channel;
pub mod connection;
pub mod identity;
pub mod message;
pub mod node;
pub mod options;
pub mod peer_id;
pub mod quic;
pub mod quic_events;
pub mod quic_options;
pub mod quic_stats;
pub mod reference;
pub mod sans_io;
pub mod stats;
pub mod version;
pub mod wire;

/// The longest bytes that a versioned struct may claim; more is a struct that was never set up.
const STRUCT_SIZE_MAX: usize = 4_096;
