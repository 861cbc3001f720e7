//! Many independent message channels between peers, over one UDP port.
//!
//! # The law of the loop
//!
//! Every layer of the core has five verbs: `handle_datagram(now, ..)`, `handle_timeout(now)`,
//! `poll_transmit(now, ..)`, `poll_timeout()`, `poll_event()`. After anything that changes a layer,
//! drain transmits and events, then sleep until its timeout. The core never asks: no clock, no
//! socket, no thread, no randomness of the system; `now` and a seed come in.
//!
//! # Floors
//!
//! A floor uses only lower ones; `tests/tidy.rs` reads this table and proves it.
//!
//! | floor | modules |
//! |---|---|
//! | 8 | `ffi`: the C API |
//! | 7 | `engine`: sockets, threads, clocks; `sim`: virtual ones |
//! | 6 | `node`: the sans-IO endpoint; `quic`: QUIC channels, beside it |
//! | 5 | `connection`: one peer of protocol v1; `v0`: the reference's plain protocol, whole |
//! | 4 | `channel`, `path` |
//! | 3 | `info`: what a node tells of itself; `recovery`: what was sent and received |
//! | 2 | `congestion`: how much may be out, how fast; `crypto`: identity, TLS, keys of packets |
//! | 1 | `wire`: bytes to values and back |
//! | 1 | `bans`: who is not served; `daemon`: what channelerd and its clients say |
//! | 0 | `id`, `error`, `config`, `io`, `slots`, `stats`, `time` |
//!
//! `sim` (feature `sim`) stands beside `engine`: it drives nodes on a virtual clock and network.

// The core never asks: clippy.toml lists the calls that would, engine and ffi allow them.
#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)
)]

mod bans;
mod channel;
pub mod config;
mod congestion;
mod connection;
pub mod crypto;
pub mod daemon;
pub mod engine;
pub mod error;
pub mod ffi;
pub mod id;
pub mod info;
pub mod io;
pub mod node;
mod path;
pub mod quic;
mod recovery;
#[cfg(feature = "sim")]
pub mod sim;
mod slots;
mod stats;
pub mod time;
mod v0;
#[doc(hidden)]
pub mod wire;
