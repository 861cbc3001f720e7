//! Sockets, threads and clocks around a node.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::NodeConfig;
use crate::error::Error;
use crate::id::{ConnectionHandle, PeerId};
use crate::io::Event;
use crate::node::Node;
use crate::time::Time;

/// Who hears what happens. Calls come one at a time, only from inside `process` (or the node's own
/// thread), with no lock held: a handler may call anything on its `Engine`.
pub trait Handler: Send {
    /// A peer that we did not dial wants in. Only asked with `ask_before_accept`.
    fn accept(&mut self, connection: ConnectionHandle, peer: PeerId, address: SocketAddr) -> bool;

    /// Something happened; `bytes` are the lent bytes of `Message` and `Datagram`, else empty.
    fn event(&mut self, event: &Event, bytes: &[u8]);
}

/// A node with sockets. Every method may be called from any thread.
pub struct Engine;

impl Engine {
    /// Makes an engine with no socket yet.
    pub fn new(_config: NodeConfig, _handler: Box<dyn Handler>) -> Result<Engine, Error> {
        todo!()
    }

    /// Opens a socket; returns the address it got. An unspecified IPv6 address is dual stack.
    pub fn bind(&self, _address: SocketAddr) -> Result<SocketAddr, Error> {
        todo!()
    }

    /// Runs `call` on the node under its one lock, then wakes the loop if that has work to do.
    pub fn with_node<R>(&self, _call: impl FnOnce(&mut Node, Time) -> R) -> Result<R, Error> {
        todo!()
    }

    /// One turn of the loop in this thread: waits at most `timeout` (None: until something happens).
    pub fn process(&self, _timeout: Option<Duration>) -> Result<(), Error> {
        todo!()
    }

    /// Sends what is queued now, from this thread, without waiting and without callbacks.
    pub fn flush(&self) -> Result<(), Error> {
        todo!()
    }

    /// Starts the node's own thread.
    pub fn start(&self) -> Result<(), Error> {
        todo!()
    }

    /// Stops the node's own thread and waits for it.
    pub fn stop(&self) -> Result<(), Error> {
        todo!()
    }

    /// Makes a sleeping `process` return. Safe in signal handlers.
    pub fn wake(&self) {
        todo!()
    }

    /// How long the caller's own loop may sleep before `process`. None: for ever.
    pub fn timeout(&self) -> Result<Option<Duration>, Error> {
        todo!()
    }
}
