//! Protocol v0 between real nodes, and between a node and peers that the test plays, on the
//! simulated network. Each file holds one subject, each test one behaviour.

#[path = "../common/v0.rs"]
mod v0;

mod accept;
mod address;
mod bad_input;
mod bans;
mod data;
mod early;
mod handshake;
mod lifetime;
mod limits;
mod negotiation;
mod queues;
mod reference_peer;
mod tools;
mod vectors;
mod work;
