//! QUIC channels: between nodes of ours, against peers that are not, and against bad input.
//!
//! All but `quinn_peer` run on a virtual clock and network, from a seed.

mod bad_frames;
mod bans;
mod connections;
mod messages;
mod pressure;
mod quinn_peer;
mod raw;
mod shared_port;
mod tls;
mod trust;
mod world;
