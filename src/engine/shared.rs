//! What all threads share: the node under its lock, the sockets, the sleep and wake protocol.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use mio::{Poll, Registry, Token, Waker};

use super::desk::Desk;
use super::dispatch::Owner;
use super::parts::Parts;
use super::socket::{Outcome, Socket};
use super::stats::Counters;
use super::thread::Thread;
use super::turn::Turn;
use super::{EngineConfig, Handler, SOCKETS_MAX, os};
use crate::config::{BATCH_SEGMENTS_MAX, NodeConfig};
use crate::crypto::Identity;
use crate::error::Error;
use crate::id::ConnectionHandle;
use crate::io::{SendError, Transmit};
use crate::node::Node;
use crate::quic::{Quic, QuicConfig, QuicError, TeamId};
use crate::time::Time;

/// The token of the waker; sockets have their indices.
pub(super) const WAKER: Token = Token(usize::MAX);

/// The token of the alarm.
pub(super) const ALARM: Token = Token(usize::MAX - 1);

/// Transmits sent in one go, so that a full queue cannot keep the loop from receiving.
const SENDS_PER_TURN_MAX: usize = 256;

/// How soon a full socket is tried again even if the system does not report room.
const BLOCKED_RETRY: Duration = Duration::from_millis(5);

/// How soon after another a turn for a timer's sake is made while a socket is full.
const BLOCKED_TURN: Duration = Duration::from_millis(1);

/// Everything behind an `Engine`.
pub(super) struct Shared {
    core: Mutex<Core>,
    pub(super) desk: Arc<Desk>,
    /// What a turn of the loop needs; locked by the thread that is inside `process`.
    turn: Mutex<Turn>,
    /// Which thread that is, 0 for none.
    turn_thread: AtomicUsize,
    pub(super) thread: Thread,
    sockets: [OnceLock<Socket>; SOCKETS_MAX],
    /// How many sockets there are; locked while one is added.
    binding: Mutex<usize>,
    registry: Registry,
    waker: Waker,
    pub(super) fd: Option<i32>,
    /// Somebody polls the descriptor, perhaps without ever asking for the timeout.
    is_fd_watched: AtomicBool,
    /// The loop sleeps, or is about to: who gives it work must wake it.
    sleeping: AtomicBool,
    /// The last turn left work behind: sockets not drained, or a send budget used up.
    has_more: AtomicBool,
    closed: AtomicBool,
    /// What the node was told of `segments_max`.
    segments_max: AtomicUsize,
    /// Reused by `flush`.
    flush_buffer: Mutex<Vec<u8>>,
    origin: Instant,
    pub(super) config: EngineConfig,
    pub(super) counters: Counters,
}

/// What the one lock guards.
pub(super) struct Core {
    pub(super) parts: Parts,
    /// Something of it may lie on the desk.
    has_lent: bool,
    /// The latest time that the node was told; threads read the clock before they get the lock.
    latest: Time,
    /// Transmits that found their socket full; one, or as many as threads were sending.
    blocked: Vec<Blocked>,
    /// When a sleeping loop wakes by itself. None: never.
    wakes_at: Option<Time>,
}

struct Blocked {
    transmit: Transmit,
    sent: usize,
    bytes: Vec<u8>,
}

/// How far sending got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The node has nothing more to send now, or its socket is full and will be watched.
    Rests,
    /// The budget is used up.
    HasMore,
}

/// What a turn waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// When it was made.
    pub(super) now: Time,
    /// Until when it may sleep. None: for ever.
    pub(super) until: Option<Time>,
    /// Whether a peer may be about to answer in a handshake.
    pub(super) awaits_handshake: bool,
}

impl Plan {
    /// Not to wait at all.
    pub(super) const NO_WAIT: Plan =
        Plan { now: Time::ZERO, until: Some(Time::ZERO), awaits_handshake: false };

    /// How long it may sleep. None: for ever.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.until.map(|until| until.since(self.now))
    }
}

impl Shared {
    pub(super) fn new(
        config: EngineConfig,
        node: Option<(NodeConfig, Option<Identity>)>,
        quic: Option<QuicConfig>,
        handler: Box<dyn Handler>,
    ) -> Result<Shared, Error> {
        let origin = Instant::now();
        let seed = os::seed;
        let node = node.map(|(node, identity)| Node::new(node, identity, seed()?, Time::ZERO));
        let quic = quic.map(|quic| Ok(Quic::new(quic, seed()?, Time::ZERO, unix_time())?));
        let quic: Option<Result<Quic, Error>> = quic;
        let parts = Parts::new(node.transpose()?, quic.transpose()?)?;
        let poll = Poll::new().map_err(|_| Error::Socket)?;
        let registry = poll.registry().try_clone().map_err(|_| Error::Socket)?;
        let waker = Waker::new(&registry, WAKER).map_err(|_| Error::Socket)?;
        let fd = os::poll_fd(&poll);
        Ok(Shared {
            core: Mutex::new(Core {
                parts,
                has_lent: false,
                latest: Time::ZERO,
                blocked: Vec::new(),
                wakes_at: None,
            }),
            desk: Arc::default(),
            turn: Mutex::new(Turn::new(poll, handler, config.spin)),
            turn_thread: AtomicUsize::new(0),
            thread: Thread::default(),
            sockets: [const { OnceLock::new() }; SOCKETS_MAX],
            binding: Mutex::new(0),
            registry,
            waker,
            fd,
            is_fd_watched: AtomicBool::new(false),
            sleeping: AtomicBool::new(false),
            has_more: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            segments_max: AtomicUsize::new(BATCH_SEGMENTS_MAX),
            flush_buffer: Mutex::new(Vec::new()),
            origin,
            config,
            counters: Counters::default(),
        })
    }

    /// The time since the engine was made.
    pub(super) fn now(&self) -> Time {
        // 584 years fit.
        Time::from_nanos(self.origin.elapsed().as_nanos() as u64)
    }

    /// The one lock.
    pub(super) fn core(&self) -> Result<MutexGuard<'_, Core>, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let mut core = self.core.lock().map_err(|_| Error::Poisoned)?;
        if core.has_lent {
            self.desk.take_back(core.parts.quic()?)?;
            core.has_lent = false;
        }
        Ok(core)
    }

    /// Adds a socket, at any time: the poll takes it up even while another thread waits in it.
    pub(super) fn bind(&self, address: SocketAddr) -> Result<SocketAddr, Error> {
        drop(self.core()?);
        let mut count = self.binding.lock().map_err(|_| Error::Poisoned)?;
        let slot = self.sockets.get(*count).ok_or(Error::Limit)?;
        // SOCKETS_MAX fits in 16 bits.
        let index = *count as u16;
        let socket =
            Socket::bind(index, address, &self.config, &self.registry).map_err(|error| {
                self.counters.note_error(&error);
                Error::Socket
            })?;
        let socket = slot.get_or_init(|| socket);
        *count += 1;
        self.lower_segments_max(socket)?;
        Ok(socket.address())
    }

    pub(super) fn socket(&self, index: usize) -> Option<&Socket> {
        self.sockets.get(index)?.get()
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map_while(OnceLock::get).map(Socket::address).collect()
    }

    /// Sends what the node has queued, and before it what found its socket full.
    pub(super) fn send_queued(&self, buffer: &mut Vec<u8>) -> Result<Progress, Error> {
        let has_turn = self.is_in_callback();
        for _ in 0..SENDS_PER_TURN_MAX {
            // A batch takes as long as a round trip on a fast link: the time before it would make
            // round trips too long, rates too low, and that of an answer to it nothing at all.
            let now = self.now();
            let mut core = self.core()?;
            let now = core.advance(now);
            let (transmit, sent) = match core.blocked.pop() {
                Some(blocked) => {
                    *buffer = blocked.bytes;
                    (blocked.transmit, blocked.sent)
                }
                None => match core.parts.poll_transmit(now, buffer) {
                    Some(transmit) => (transmit, 0),
                    None => return Ok(Progress::Rests),
                },
            };
            drop(core);
            let Some(socket) = self.route(&transmit) else {
                self.counters.unreachable.add(1);
                self.report_failure(now, &transmit, SendError::Unreachable)?;
                continue;
            };
            let bytes = &buffer[sent..transmit.len];
            match socket.send(&transmit, bytes, has_turn, &self.counters) {
                Outcome::Done => socket.watch_writable(&self.registry, false),
                Outcome::Failed(error) => self.report_failure(now, &transmit, error)?,
                Outcome::Full(more) => {
                    socket.watch_writable(&self.registry, true);
                    let bytes = std::mem::take(buffer);
                    self.core()?.blocked.push(Blocked { transmit, sent: sent + more, bytes });
                    return Ok(Progress::Rests);
                }
            }
            if socket.segments_max() < self.segments_max.load(Ordering::Relaxed) {
                self.lower_segments_max(socket)?;
            }
        }
        Ok(Progress::HasMore)
    }

    /// As `send_queued`, from any thread.
    pub(super) fn flush(&self) -> Result<(), Error> {
        let mut buffer = match self.flush_buffer.try_lock() {
            Ok(mut spare) => std::mem::take(&mut *spare),
            // Another thread flushes with it.
            Err(_) => Vec::new(),
        };
        while self.send_queued(&mut buffer)? == Progress::HasMore {}
        if let Ok(mut spare) = self.flush_buffer.try_lock() {
            *spare = buffer;
        }
        // Sending may have made events, or found a socket full: both are for the loop.
        self.wake_for(self.core()?);
        Ok(())
    }

    /// Runs `call` under the lock, and afterwards wakes a loop that sleeps too long for its result.
    pub(super) fn with_parts<R>(
        &self,
        call: impl FnOnce(&mut Parts, Time) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let now = self.now();
        let mut core = self.core()?;
        let now = core.advance(now);
        // What failed may have done a part.
        let result = call(&mut core.parts, now);
        self.wake_for(core);
        result
    }

    /// Sends a message on a QUIC channel; further ones for it may then be given to the desk.
    pub(super) fn send_quic(
        &self,
        address: SocketAddr,
        team_id: TeamId,
        label: &str,
        message: &[u8],
    ) -> Result<(), Error> {
        let mut core = self.core()?;
        let Core { parts, latest, has_lent, .. } = &mut *core;
        // To read the clock costs more than all the rest, and it is needed for a dial only.
        let clock = || {
            *latest = self.now().max(*latest);
            *latest
        };
        let (quic, mut outgoing) = (parts.quic()?, self.desk.outgoing()?);
        let sent = quic.send_and_lend(clock, address, team_id, label, message, &mut outgoing);
        drop(outgoing);
        *has_lent = true;
        self.wake_for(core);
        sent
    }

    /// Runs `call`, which receives a message of QUIC channels; it gets a clock, as `send_quic` has
    /// it. Further messages may then be had from the desk.
    pub(super) fn receive_quic<R>(
        &self,
        call: impl FnOnce(&mut Quic, &mut dyn FnMut() -> Time) -> R,
    ) -> Result<R, Error> {
        let mut core = self.core()?;
        let Core { parts, latest, has_lent, .. } = &mut *core;
        let mut clock = || {
            *latest = self.now().max(*latest);
            *latest
        };
        let quic = parts.quic()?;
        let result = call(quic, &mut clock);
        quic.lend_incoming(&mut *self.desk.incoming()?);
        *has_lent = true;
        self.wake_for(core);
        Ok(result)
    }

    /// Wakes a loop that sleeps too long for what was just done under the lock.
    #[inline]
    fn wake_for(&self, core: MutexGuard<'_, Core>) {
        // The loop sets the flag before it looks at the node under this lock: either it sees what
        // we did, or we see the flag. Cleared under it, too: `timeout`, of another thread, may
        // clear it for nobody.
        let must_wake = self.sleeping.load(Ordering::Relaxed)
            && core.has_earlier_work()
            && self.sleeping.swap(false, Ordering::Relaxed);
        drop(core);
        if must_wake {
            self.counters.wakes.add(1);
            self.wake();
        }
    }

    /// Adds QUIC channels to what runs.
    pub(super) fn open_quic(&self, config: QuicConfig) -> Result<(), QuicError> {
        let refused = |error: Error| QuicError::Engine(error);
        let seed = os::seed().map_err(refused)?;
        let mut quic = Quic::new(config, seed, self.now(), unix_time())?;
        quic.set_segments_max(self.segments_max.load(Ordering::Relaxed));
        self.with_parts(|parts, _| parts.add_quic(quic)).map_err(refused)
    }

    /// How long the loop may sleep, `limit` at most; unless that is zero, the loop counts as
    /// asleep.
    pub(super) fn plan_sleep(&self, now: Time, limit: Option<Duration>) -> Result<Plan, Error> {
        self.sleeping.store(true, Ordering::Relaxed);
        let mut core = self.core()?;
        let now = core.advance(now);
        let limit = limit.map(|limit| now + limit);
        let wakes_at = core.due(now).into_iter().chain(limit).min();
        core.wakes_at = wakes_at;
        if wakes_at.is_some_and(|at| at <= now) {
            self.sleeping.store(false, Ordering::Relaxed);
        }
        Ok(Plan { now, until: wakes_at, awaits_handshake: core.parts.has_handshakes() })
    }

    /// The loop is awake: nobody needs to wake it.
    pub(super) fn note_awake(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// Whether somebody woke the loop since it planned to sleep.
    pub(super) fn is_roused(&self) -> bool {
        !self.sleeping.load(Ordering::Relaxed)
    }

    /// The descriptor was given away.
    pub(super) fn watch_fd(&self) {
        self.is_fd_watched.store(true, Ordering::Relaxed);
    }

    /// After a turn whose owner may only poll the descriptor: what is left to do makes it readable
    /// again, and so does what other threads do from now on.
    pub(super) fn note_unattended(&self) {
        if !self.is_fd_watched.load(Ordering::Relaxed) {
            return;
        }
        let plan = self.plan_sleep(self.now(), None);
        let is_due = plan.is_ok_and(|plan| plan.wait() == Some(Duration::ZERO));
        if is_due || self.has_more() {
            self.wake();
        }
    }

    pub(super) fn set_has_more(&self, has_more: bool) {
        self.has_more.store(has_more, Ordering::Relaxed);
    }

    pub(super) fn has_more(&self) -> bool {
        self.has_more.load(Ordering::Relaxed)
    }

    /// One system call, no lock: safe in signal handlers.
    pub(super) fn wake(&self) {
        // It fails only when the descriptor is gone, and then nobody sleeps on it.
        let _ = self.waker.wake();
    }

    /// Takes the turn. `State` when another thread, or this one, is inside `process`.
    pub(super) fn try_enter(&self) -> Result<Entered<'_>, Error> {
        drop(self.core()?);
        match self.turn.try_lock() {
            Ok(turn) => Ok(Entered::new(self, turn)),
            Err(TryLockError::WouldBlock) => Err(Error::State),
            Err(TryLockError::Poisoned(_)) => Err(Error::Poisoned),
        }
    }

    /// Takes the turn when the thread that has it is done.
    pub(super) fn enter(&self) -> Result<Entered<'_>, Error> {
        Ok(Entered::new(self, self.turn.lock().map_err(|_| Error::Poisoned)?))
    }

    /// Whether the calling thread is inside a callback of this engine.
    pub(super) fn is_in_callback(&self) -> bool {
        self.turn_thread.load(Ordering::Relaxed) == thread_mark()
    }

    /// Ends everything; see `Engine::close`.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.desk.shut();
        if self.is_in_callback() {
            return;
        }
        self.thread.end(|| self.wake());
        // Another may be asleep in `process`.
        self.wake();
        // A panicked turn no longer runs, and its handler must go all the same.
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        drop(Entered::new(self, turn));
    }

    fn route(&self, transmit: &Transmit) -> Option<&Socket> {
        let reaches = |socket: &&Socket| socket.reaches(transmit.to);
        self.socket(usize::from(transmit.local.socket))
            .filter(reaches)
            .or_else(|| self.sockets.iter().map_while(OnceLock::get).find(reaches))
    }

    fn report_failure(&self, now: Time, of: &Transmit, error: SendError) -> Result<(), Error> {
        // Asked before the lock is taken.
        let limit = match error {
            SendError::TooLarge => os::packet_size_max(of.to),
            SendError::Unreachable => None,
        };
        let mut core = self.core()?;
        let now = core.advance(now);
        core.parts.handle_send_error(now, of, error, limit);
        Ok(())
    }

    /// Tells the node of a socket that takes smaller batches than the others.
    fn lower_segments_max(&self, socket: &Socket) -> Result<(), Error> {
        let mut core = self.core()?;
        let least = socket.segments_max().min(self.segments_max.load(Ordering::Relaxed));
        self.segments_max.store(least, Ordering::Relaxed);
        core.parts.set_segments_max(least);
        Ok(())
    }
}

impl Owner for Shared {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn answer(&self, connection: ConnectionHandle, accept: bool) -> Result<(), Error> {
        let now = self.now();
        let mut core = self.core()?;
        let now = core.advance(now);
        let node = core.parts.node()?;
        // The connection may have ended while the handler thought.
        let _gone = match accept {
            true => node.accept(now, connection),
            false => node.refuse(now, connection),
        };
        Ok(())
    }
}

impl Core {
    /// `now`, or later when the node was already told a later time.
    pub(super) fn advance(&mut self, now: Time) -> Time {
        self.latest = self.latest.max(now);
        self.latest
    }

    /// When the loop must call the node, or try a full socket again.
    fn due(&self, now: Time) -> Option<Time> {
        let at_once =
            self.parts.has_events() || self.blocked.is_empty() && self.parts.has_transmits();
        if at_once {
            return Some(now);
        }
        let timeout = self.parts.poll_timeout();
        if self.blocked.is_empty() {
            return timeout;
        }
        // What a timer has for the network may stay due until there is room.
        let timeout = timeout.map(|at| at.max(now + BLOCKED_TURN));
        timeout.into_iter().chain([now + BLOCKED_RETRY]).min()
    }

    /// Whether the node has something for the loop before that wakes by itself.
    fn has_earlier_work(&self) -> bool {
        match (self.due(self.latest), self.wakes_at) {
            (Some(due), Some(wakes_at)) => due < wakes_at,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

/// Being inside `process`. Leaving it drops the handler if the engine was closed meanwhile.
pub(super) struct Entered<'a> {
    shared: &'a Shared,
    turn: MutexGuard<'a, Turn>,
}

impl<'a> Entered<'a> {
    fn new(shared: &'a Shared, turn: MutexGuard<'a, Turn>) -> Entered<'a> {
        shared.turn_thread.store(thread_mark(), Ordering::Relaxed);
        Entered { shared, turn }
    }

    /// One turn of the loop.
    pub(super) fn turn(&mut self, limit: Option<Duration>) -> Result<(), Error> {
        self.turn.run(self.shared, limit)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // With the turn still locked, so that whoever waits in `close` finds the handler gone.
        if self.shared.is_closed() {
            self.turn.drop_handler();
        }
        self.shared.turn_thread.store(0, Ordering::Relaxed);
    }
}

/// The time since 1970, as the system has it.
fn unix_time() -> Duration {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// A number that no two living threads share, never 0.
fn thread_mark() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

#[cfg(test)]
mod tests;
