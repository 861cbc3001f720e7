//! Virtual clock and seeded network that drive real nodes; everything replays from a seed.
//!
//! A [`World`] owns nodes, a clock and a [`Network`]. Tests act on nodes through it, so the law of
//! the loop is kept, and let time pass; nothing here reads a real clock or opens a socket.

mod bottleneck;
mod codel;
mod connection;
mod handshake;
mod link;
mod network;
mod puppet;
mod random;
mod script;
mod world;

pub use connection::play_connection;
pub use handshake::play_handshake;
pub use link::{Bursts, CoDel, Cross, Ecn, Link, Policer};
pub use network::{Arrival, Counters, Network, Recorded};
pub use puppet::{Packet, Puppet};
pub use random::Random;
pub use world::{Happened, Inbox, Pair, World};
