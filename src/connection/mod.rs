//! One peer of protocol v1: the handshake, then the connection that it made.

pub(crate) mod handshake;
