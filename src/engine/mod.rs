//! Sockets, threads and clocks around a node.
//!
//! # Three ways to run
//!
//! - **Own thread**: [`Engine::start`], later [`Engine::stop`].
//! - **The caller's thread**: [`Engine::process`] in a loop. Calls between two turns are sent by
//!   the next turn, or by [`Engine::flush`].
//! - **The caller's own loop**: wait until [`Engine::fd`] is readable or [`Engine::timeout`] has
//!   passed, then `process` with a timeout of zero. Ask for the timeout right before each wait:
//!   that is also what tells other threads that the loop sleeps and must be woken.
//!
//! # Threads
//!
//! Every method may be called from any thread, and inside callbacks, except that there `process`
//! and `stop` are `State`. One lock guards the node; a call takes it once and never calls out under
//! it. Callbacks come one at a time, from the thread inside `process`, with that lock free, in the
//! order in which things happened.
//!
//! A panic under the lock (a bug of ours, or of a closure given to `with_node`) poisons the engine:
//! every later call returns `Poisoned`, and only `close` still works. A panic of a handler passes
//! through `process`, after which `process` alone returns `Poisoned`.
//!
//! # Limits
//!
//! [`SOCKETS_MAX`] sockets. Timers are as exact as the system's: microseconds on Linux,
//! where the loop waits by itself; a millisecond elsewhere.
//! Socket buffers are asked for as configured, and the system gives what it allows: on Linux at
//! most `net.core.rmem_max` and `wmem_max`, 208 KiB unless the administrator raised them.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the floor that has the clock, the sockets, the thread and the lock"
)]

mod desk;
mod dispatch;
mod latch;
mod os;
mod parts;
mod shared;
mod socket;
mod spin;
mod stats;
mod thread;
mod turn;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use desk::Desk;
pub use dispatch::{Events, Owner};
pub use stats::EngineStats;

use crate::config::{BATCH_SEGMENTS_MAX, NodeConfig};
use crate::crypto::Identity;
use crate::error::Error;
use crate::id::{ConnectionHandle, PeerId};
use crate::io::Event;
use crate::node::Node;
use crate::quic::{Quic, QuicConfig, QuicError, QuicEvent, TeamId};
use crate::time::Time;
use shared::Shared;

/// Sockets of one engine; a further `bind` is `Limit`.
pub const SOCKETS_MAX: usize = 16;

/// How long an engine spins unless told otherwise.
pub const SPIN_DEFAULT: Duration = Duration::from_micros(20);

/// Longest time to spin before sleeping.
pub const SPIN_MAX: Duration = Duration::from_millis(1);

/// Who hears what happens. Calls come one at a time, only from inside `process` (or the node's own
/// thread), with no lock held: a handler may call anything on its `Engine`.
pub trait Handler: Send {
    /// A peer that we did not dial wants in. Only asked with `ask_before_accept`.
    fn accept(&mut self, connection: ConnectionHandle, peer: PeerId, address: SocketAddr) -> bool;

    /// Something happened; `bytes` are the lent bytes of `Message` and `Datagram`, else empty.
    fn event(&mut self, event: &Event, bytes: &[u8]);

    /// Something happened to QUIC channels. A `ConnectionRequest` is answered by `Quic::accept` or
    /// `refuse`, now or later.
    fn quic_event(&mut self, _event: &QuicEvent) {}

    /// A turn of the loop is over, whether or not something happened in it.
    fn turn_ended(&mut self) {}
}

/// Settings of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineConfig {
    /// How long to look for packets before sleeping: takes the time to wake up, ten microseconds
    /// and more, off an answer that comes within it, and costs processor time. It halves by itself
    /// each time that it did not pay, and is back after an answer that came so soon: a quiet node
    /// does not spin. While a handshake is under way it looks for up to 600 us, in the same way.
    /// Where other threads need the core it mostly sleeps at once.
    /// Default 20 us; zero, where every bit of the battery counts, turns both off. At most
    /// [`SPIN_MAX`].
    pub spin: Duration,
    /// Bytes asked for as each socket's send buffer. Default 4 MiB.
    pub send_buffer_bytes: usize,
    /// Bytes asked for as each socket's receive buffer. Default 4 MiB: 30 ms of traffic at 1
    /// Gbit/s.
    pub receive_buffer_bytes: usize,
    /// Datagrams handed to the system in one call (GSO), as far as it can. Default
    /// `BATCH_SEGMENTS_MAX`; 1 turns it off.
    pub segments_max: usize,
}

impl Default for EngineConfig {
    fn default() -> EngineConfig {
        EngineConfig {
            spin: SPIN_DEFAULT,
            send_buffer_bytes: 4 << 20,
            receive_buffer_bytes: 4 << 20,
            segments_max: BATCH_SEGMENTS_MAX,
        }
    }
}

impl EngineConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`.
    pub fn check(&self) -> Result<(), Error> {
        let is_good = self.spin <= SPIN_MAX
            && (1..=BATCH_SEGMENTS_MAX).contains(&self.segments_max)
            && i32::try_from(self.send_buffer_bytes).is_ok()
            && i32::try_from(self.receive_buffer_bytes).is_ok();
        if is_good { Ok(()) } else { Err(Error::InvalidArgument) }
    }
}

/// A node with sockets. Every method may be called from any thread. Dropping it is `close`.
pub struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// Makes an engine with no socket yet, and default settings of its own.
    ///
    /// # Errors
    ///
    /// As `with_config`.
    pub fn new(
        config: NodeConfig,
        identity: Option<Identity>,
        handler: Box<dyn Handler>,
    ) -> Result<Engine, Error> {
        Engine::with_config(EngineConfig::default(), config, identity, handler)
    }

    /// Makes an engine with no socket yet.
    ///
    /// # Errors
    ///
    /// What `EngineConfig::check` and `Node::new` refuse; `Socket` when the system refuses a poll.
    pub fn with_config(
        engine: EngineConfig,
        node: NodeConfig,
        identity: Option<Identity>,
        handler: Box<dyn Handler>,
    ) -> Result<Engine, Error> {
        engine.check()?;
        let node = Some((node, identity));
        Ok(Engine { shared: Arc::new(Shared::new(engine, node, None, handler)?) })
    }

    /// Makes an engine for QUIC channels: beside a node on the same sockets, told apart by the
    /// first byte of each datagram, or alone.
    ///
    /// # Errors
    ///
    /// As `with_config`; what `Quic::new` refuses is `InvalidArgument` (`QuicConfig::check` and
    /// `Quic::new` say more).
    pub fn with_quic_channels(
        engine: EngineConfig,
        node: Option<(NodeConfig, Option<Identity>)>,
        quic: QuicConfig,
        handler: Box<dyn Handler>,
    ) -> Result<Engine, Error> {
        engine.check()?;
        Ok(Engine { shared: Arc::new(Shared::new(engine, node, Some(quic), handler)?) })
    }

    /// Adds QUIC channels to an engine that has none, at any time: from now on datagrams whose
    /// first byte is QUIC's are theirs.
    ///
    /// # Errors
    ///
    /// What `Quic::new` refuses; `QuicError::Engine` with `State` when there are some already, with
    /// `Poisoned` or `Closed`.
    pub fn open_quic(&self, config: QuicConfig) -> Result<(), QuicError> {
        self.shared.open_quic(config)
    }

    /// Opens a socket; returns the address it got. An unspecified IPv6 address is dual stack, any
    /// other IPv6 address serves IPv6 only, and an IPv4-mapped one is the IPv4 address in it.
    ///
    /// # Errors
    ///
    /// `Limit` after [`SOCKETS_MAX`] sockets; `Socket` when the system refuses, see
    /// `EngineStats::last_os_error`.
    pub fn bind(&self, address: SocketAddr) -> Result<SocketAddr, Error> {
        self.shared.bind(address)
    }

    /// The addresses that sockets are bound to, in the order of their indices.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.shared.addresses()
    }

    /// Runs `call` on the node under its one lock, then wakes the loop if that has work to do.
    ///
    /// `call` must not call the engine: the lock is taken.
    ///
    /// # Errors
    ///
    /// `Poisoned`, `Closed`; `Unsupported` when there is no node.
    pub fn with_node<R>(&self, call: impl FnOnce(&mut Node, Time) -> R) -> Result<R, Error> {
        self.shared.with_parts(|parts, now| Ok(call(parts.node()?, now)))
    }

    /// As `with_node`, on QUIC channels.
    ///
    /// # Errors
    ///
    /// `Poisoned`, `Closed`; `Unsupported` when there are none.
    pub fn with_quic<R>(&self, call: impl FnOnce(&mut Quic, Time) -> R) -> Result<R, Error> {
        self.shared.with_parts(|parts, now| Ok(call(parts.quic()?, now)))
    }

    /// As `Quic::send`; further messages for the same channel may then be given to `desk`.
    pub(crate) fn send_quic(
        &self,
        address: SocketAddr,
        team_id: TeamId,
        label: &str,
        message: &[u8],
    ) -> Result<(), Error> {
        self.shared.send_quic(address, team_id, label, message)
    }

    /// As `with_quic`, for `call`s that receive a message: further ones may then be had from
    /// `desk`. They mostly need no time, and to read a clock costs more than they do: `call` gets
    /// one to read.
    pub(crate) fn receive_quic<R>(
        &self,
        call: impl FnOnce(&mut Quic, &mut dyn FnMut() -> Time) -> R,
    ) -> Result<R, Error> {
        self.shared.receive_quic(call)
    }

    /// Where messages are handed in and out, as far as they can be.
    pub(crate) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.shared.desk)
    }

    /// Bans a peer id for `span` from now, at the node and for QUIC channels, also those that are
    /// opened later, and ends its connections as `Banned`.
    ///
    /// # Errors
    ///
    /// `Limit` when `BANS_MAX` peers are banned; `Poisoned`, `Closed`.
    pub fn ban_peer(&self, peer: PeerId, span: Duration) -> Result<(), Error> {
        self.shared.with_parts(|parts, now| parts.ban_peer(now, peer, span))
    }

    /// Bans an IP address, whatever the port, as `ban_peer`.
    ///
    /// # Errors
    ///
    /// As `ban_peer`.
    pub fn ban_address(&self, ip: IpAddr, span: Duration) -> Result<(), Error> {
        self.shared.with_parts(|parts, now| parts.ban_address(now, ip, span))
    }

    /// Lifts a ban; whether there was one.
    ///
    /// # Errors
    ///
    /// `Poisoned`, `Closed`.
    pub fn lift_ban_peer(&self, peer: PeerId) -> Result<bool, Error> {
        self.shared.with_parts(|parts, _| Ok(parts.lift_ban_peer(peer)))
    }

    /// Lifts a ban; whether there was one.
    ///
    /// # Errors
    ///
    /// `Poisoned`, `Closed`.
    pub fn lift_ban_address(&self, ip: IpAddr) -> Result<bool, Error> {
        self.shared.with_parts(|parts, _| Ok(parts.lift_ban_address(ip)))
    }

    /// One turn of the loop in this thread: waits at most `timeout` (None: until something
    /// happens).
    ///
    /// May return early with nothing done, after a wake or a signal.
    ///
    /// # Errors
    ///
    /// `State` inside a callback, while the own thread runs, or while another thread is inside.
    /// `Poisoned`, `Closed`; `Socket` when the system refuses to wait.
    pub fn process(&self, timeout: Option<Duration>) -> Result<(), Error> {
        if self.shared.thread.is_running() {
            return Err(Error::State);
        }
        self.shared.try_enter()?.turn(timeout)?;
        self.shared.note_unattended();
        Ok(())
    }

    /// Sends what is queued now, from this thread, without waiting and without callbacks.
    ///
    /// What finds its socket full stays queued for the loop.
    ///
    /// # Errors
    ///
    /// `Poisoned`, `Closed`.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.flush()
    }

    /// Starts the node's own thread. All signals are blocked in it.
    ///
    /// # Errors
    ///
    /// `State` when it was started already, or is just being stopped; `Limit` when the system gives
    /// no thread; `Poisoned`, `Closed`.
    pub fn start(&self) -> Result<(), Error> {
        thread::start(&self.shared)
    }

    /// Stops the node's own thread and waits for it, and for the callback it may be in. Without one
    /// there is nothing to do.
    ///
    /// # Errors
    ///
    /// `State` inside a callback.
    pub fn stop(&self) -> Result<(), Error> {
        thread::stop(&self.shared)
    }

    /// Makes a sleeping `process` return, or the descriptor of [`Engine::fd`] readable. One `write`
    /// on Linux, and no lock: safe in signal handlers.
    pub fn wake(&self) {
        self.shared.wake();
    }

    /// How long the caller's own loop may sleep before `process`. None: for ever. Zero while the
    /// last turn left something undone.
    ///
    /// # Errors
    ///
    /// `Poisoned`, `Closed`.
    pub fn timeout(&self) -> Result<Option<Duration>, Error> {
        if self.shared.has_more() {
            return Ok(Some(Duration::ZERO));
        }
        Ok(self.shared.plan_sleep(self.shared.now(), None)?.wait())
    }

    /// A descriptor that is readable when `process` has something to receive, for the caller's own
    /// poll. It belongs to the engine, and may not be read or closed.
    ///
    /// # Errors
    ///
    /// `Unsupported` where the system has no such thing.
    pub fn fd(&self) -> Result<i32, Error> {
        self.shared.watch_fd();
        self.shared.fd.ok_or(Error::Unsupported)
    }

    /// Counters of the engine.
    pub fn stats(&self) -> EngineStats {
        self.shared.counters.read()
    }

    /// Whether the calling thread is inside a callback of this engine.
    pub fn is_in_callback(&self) -> bool {
        self.shared.is_in_callback()
    }

    /// Ends everything: stops the own thread, waits for a running callback, drops the handler. Once
    /// this returns, the handler is never called again; every later call returns `Closed`.
    ///
    /// Inside a callback it returns at once: that callback is the last one, and the handler is
    /// dropped, in that thread, as soon as `process` is left.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
