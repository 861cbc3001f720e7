//! `channelerd` as a process: real sockets, real signals, and clients that mean well or do not.
//!
//! Each test starts daemons of its own, in a folder of its own, on ports that the system chooses.

mod config;
mod faults;
mod life;
mod messages;
mod restart;
mod trust;
mod world;
