//! Connections in memory: what chapters 8, 9, 10, 11, 12.2 and 14 promise.

mod channels;
mod hostile;
mod life;
mod world;
