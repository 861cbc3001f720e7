//! Connections in memory: what chapters 8, 9, 10, 11, 12, 13 and 14 promise.

mod acks;
mod channels;
mod hostile;
mod life;
mod modes;
mod paths;
mod receiving;
mod sending;
mod world;
