//! The server: one thread that waits for clients, for QUIC, for signals and for time.
//!
//! A turn of its loop: wait; take what happened from the engine; let in new clients; give out the
//! messages that came; hear requests; write; do what is due. Each step is bounded, and what it left
//! makes the next wait a short one.

mod accept;
mod bell;
mod client;
mod events;
mod input;
mod messages;
mod post;
mod reload;
mod requests;
mod status;
mod stop;
mod timers;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use channeler::engine::{Engine, EngineConfig};
use channeler::error::Error;
use channeler::id::PeerId;
use channeler::quic::{QuicConfig, QuicConnection};
use mio::net::UnixListener;
use mio::{Events, Interest, Poll, Token, Waker};
use signal_hook_mio::v1_0::Signals;

use crate::config::Config;
use crate::listen::Listening;
use crate::{log, notify};
use bell::Bell;
use client::Client;
use post::{Post, Serial};
use timers::Timers;

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
const WAKER: Token = Token(2);
/// Clients have the tokens from here on.
const CLIENT_FIRST: usize = 16;

/// What one client may have written before the others have their turn.
const WRITE_BUDGET: usize = 1 << 20;

/// A client. No number is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ClientId(usize);

/// What stops the daemon: a bug in the engine, or a system that refuses to wait.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fatal {
    /// The engine cannot go on.
    #[error("QUIC had to stop: {0}")]
    Engine(#[from] Error),
    /// The system refuses.
    #[error("{what}: {why}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What it said.
        why: std::io::Error,
    },
}

/// Everything that runs.
pub(crate) struct Server {
    config: Config,
    config_file: Option<PathBuf>,
    peer: PeerId,
    began: Instant,
    poll: Poll,
    signals: Signals,
    /// None once it ends.
    door: Option<Door>,
    /// Dropped before the engine, whose thread may wait for this to be heard.
    bell: bell::Heard,
    engine: Engine,
    clients: BTreeMap<ClientId, Client>,
    next_client: usize,
    next_serial: u64,
    /// Clients that may have requests to hear.
    to_hear: BTreeSet<ClientId>,
    /// Clients that have something to be written.
    to_write: BTreeSet<ClientId>,
    post: Post,
    /// The engine may have messages.
    is_unread: bool,
    /// The message that finds no room: its bytes.
    held: Option<usize>,
    /// Who waits for a connection to be there, or to end.
    waiters: BTreeMap<QuicConnection, Vec<events::Waiter>>,
    /// Connections of which it is looked whether the peer has let us in.
    looked_at: BTreeSet<QuicConnection>,
    /// Whose next request waits until a peer's queue has room.
    blocked: BTreeMap<SocketAddr, Vec<ClientId>>,
    /// Whose next request waits for memory.
    starved: Vec<ClientId>,
    input_reserved: usize,
    /// What is read comes here first.
    scratch: Vec<u8>,
    watches: BTreeMap<Serial, post::Asker>,
    timers: Timers,
    counts: status::Counts,
    /// When what is left is given up, once the daemon ends.
    ends_at: Option<Instant>,
    is_over: bool,
}

/// Where clients come in.
struct Door {
    listener: UnixListener,
    /// There may be somebody.
    is_knocked: bool,
    /// Kept for its end: it removes the socket file.
    _listening: Listening,
}

impl Server {
    /// Makes everything; from here on clients can connect, and peers.
    pub(crate) fn new(
        config: Config,
        config_file: Option<PathBuf>,
        (quic, peer): (QuicConfig, PeerId),
        listening: Listening,
        signals: Signals,
    ) -> Result<Server, Fatal> {
        let mut signals = signals;
        let system = |what| move |why| Fatal::System { what, why };
        let poll = Poll::new().map_err(system("no poll"))?;
        let registry = poll.registry();
        let waker = Arc::new(Waker::new(registry, WAKER).map_err(system("no waker"))?);
        registry
            .register(&mut signals, SIGNALS, Interest::READABLE)
            .map_err(system("signals cannot be waited for"))?;
        let listener = listening.listener.try_clone().map_err(system("the socket is refused"))?;
        let mut listener = UnixListener::from_std(listener);
        registry
            .register(&mut listener, LISTENER, Interest::READABLE)
            .map_err(system("the socket cannot be waited for"))?;
        let (bell, heard) = Bell::new(waker);
        let engine =
            Engine::with_quic_channels(EngineConfig::default(), None, quic, Box::new(bell))?;
        Ok(Server {
            config,
            config_file,
            peer,
            began: Instant::now(),
            poll,
            signals,
            door: Some(Door { listener, is_knocked: true, _listening: listening }),
            engine,
            bell: heard,
            clients: BTreeMap::new(),
            next_client: CLIENT_FIRST,
            next_serial: 0,
            to_hear: BTreeSet::new(),
            to_write: BTreeSet::new(),
            post: Post::new(),
            is_unread: false,
            held: None,
            waiters: BTreeMap::new(),
            looked_at: BTreeSet::new(),
            blocked: BTreeMap::new(),
            starved: Vec::new(),
            input_reserved: 0,
            scratch: Vec::new(),
            watches: BTreeMap::new(),
            timers: Timers::default(),
            counts: status::Counts::default(),
            ends_at: None,
            is_over: false,
        })
    }

    /// Opens the UDP sockets, and starts QUIC.
    ///
    /// # Errors
    ///
    /// Which address is refused, and why.
    pub(crate) fn start(&self) -> Result<(), String> {
        for address in &self.config.listen {
            if let Err(error) = self.engine.bind(*address) {
                let why = self.engine.stats().last_os_error;
                let why = match why {
                    0 => error.to_string(),
                    code => std::io::Error::from_raw_os_error(code).to_string(),
                };
                return Err(self.config.wrong("listen", format!("{address}: {why}")).to_string());
            }
        }
        self.engine.start().map_err(|error| format!("no thread for QUIC: {error}"))?;
        let place = self.door.as_ref().map(|door| door._listening.place()).unwrap_or_default();
        let listen: Vec<String> = self.engine.addresses().iter().map(ToString::to_string).collect();
        log::notice(format_args!(
            "{} serves {place}; peers find {} at {}",
            env!("CARGO_PKG_VERSION"),
            self.peer,
            listen.join(", ")
        ));
        notify::notify("READY=1");
        Ok(())
    }

    /// Serves until a signal says otherwise.
    pub(crate) fn run(mut self) -> Result<(), Fatal> {
        let mut ready = Events::with_capacity(1_024);
        while !self.is_over {
            let wait = self.wait();
            match self.poll.poll(&mut ready, wait) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(Fatal::System { what: "cannot wait", why }),
            }
            self.turn(&ready)?;
        }
        self.finish();
        Ok(())
    }

    fn turn(&mut self, ready: &Events) -> Result<(), Fatal> {
        for event in ready {
            match event.token() {
                LISTENER => self.note_knock(),
                SIGNALS => self.take_signals()?,
                WAKER => {}
                Token(number) => self.note_ready(ClientId(number), event),
            }
        }
        self.take_events()?;
        self.let_in();
        self.pull()?;
        for client in std::mem::take(&mut self.to_hear) {
            self.hear(client)?;
        }
        for client in std::mem::take(&mut self.to_write) {
            self.write(client);
        }
        self.do_what_is_due()?;
        self.look_at_end()
    }

    /// How long the next turn may wait.
    fn wait(&self) -> Option<Duration> {
        let can_pull = self.is_unread && self.held.is_none_or(|length| self.has_room(length));
        let is_knocked = self.door.as_ref().is_some_and(|door| door.is_knocked);
        if can_pull || is_knocked || !self.to_hear.is_empty() || !self.to_write.is_empty() {
            return Some(Duration::ZERO);
        }
        self.timers.next().map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn note_ready(&mut self, id: ClientId, event: &mio::event::Event) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if event.is_readable() || event.is_error() || event.is_read_closed() {
            client.is_readable = true;
            self.to_hear.insert(id);
        }
        if event.is_writable() || event.is_error() {
            self.to_write.insert(id);
        }
    }

    /// Writes what a client's socket takes.
    fn write(&mut self, id: ClientId) {
        let now = Instant::now();
        let Some(client) = self.clients.get_mut(&id) else { return };
        let before = client.output_bytes();
        let buffer_bytes = self.config.clients.buffer_bytes;
        let Ok(messages) = client.flush(now, WRITE_BUDGET) else {
            self.remove(id);
            return;
        };
        self.counts.messages_taken += messages;
        let left = client.output_bytes();
        if client.missed > 0 && left <= buffer_bytes / 2 {
            self.tell_missed(id);
        }
        let Some(client) = self.clients.get_mut(&id) else { return };
        if client.output_bytes() == 0 && (client.is_closing || client.is_done()) {
            client.discard();
            self.remove(id);
            return;
        }
        if before > left && left > 0 && before - left >= WRITE_BUDGET {
            self.to_write.insert(id);
        }
        if before > buffer_bytes && left <= buffer_bytes {
            self.to_hear.insert(id);
        }
        if left > buffer_bytes && self.config.clients.stall_timeout.is_zero() {
            self.drop_stalled(id);
            return;
        }
        self.arm(id, now);
    }

    /// Forgets a client, and gives to others what it did not get.
    fn remove(&mut self, id: ClientId) {
        self.end_requests(id);
        let Some(mut client) = self.clients.remove(&id) else { return };
        // Closing the descriptor takes it out of the poll as well.
        let _gone = self.poll.registry().deregister(client.stream());
        if let Some(waiting) = client.blocked_on.and_then(|on| self.blocked.get_mut(&on)) {
            waiting.retain(|waiting| *waiting != id);
        }
        if let Some(alarm) = client.alarm {
            self.timers.cancel(alarm, timers::Timer::Client(id));
        }
        self.starved.retain(|starved| *starved != id);
        self.give_up_input(client.reserved);
        let mut deliveries = Vec::new();
        self.post.give_back(client.into_unwritten(), &mut deliveries);
        self.deliver(deliveries);
        log::debug(format_args!("client {} is gone", id.0));
    }

    fn serial(&mut self) -> Serial {
        self.next_serial += 1;
        Serial(self.next_serial)
    }
}
