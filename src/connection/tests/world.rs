//! Two connections and a seeded network in memory between them.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::super::{Connection, Notice, Shared, Source};
use crate::config::{ChannelConfig, NodeConfig};
use crate::crypto::{Identity, TlsContext, TlsOptions};
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, ConnectionHandle, Handle, PathId, Token};
use crate::io::{EcnMark, Event, Local};
use crate::time::Time;
use crate::wire::long::LongHeader;
use crate::wire::short;

pub(super) const DELAY: Duration = Duration::from_millis(10);

/// One node with one connection.
pub(super) struct End {
    pub(super) shared: Shared,
    pub(super) connection: Option<Connection>,
    pub(super) tokens: BTreeMap<[u8; 8], PathId>,
    pub(super) events: Vec<Event>,
    /// Messages that were lent.
    pub(super) messages: Vec<(ChannelHandle, Vec<u8>)>,
    pub(super) notices: Vec<Notice>,
    /// Whether peers are accepted as soon as they are known.
    pub(super) accepts: bool,
    /// Datagrams sent.
    pub(super) sent: Vec<usize>,
    buffer: Vec<u8>,
}

/// What the network does with one datagram: nothing, or it is lost, or late.
pub(super) type Tap = Box<dyn FnMut(usize, usize, &[u8]) -> Option<Duration>>;

/// Both ends: 0 dials, 1 answers.
pub(super) struct World {
    pub(super) now: Time,
    pub(super) ends: [End; 2],
    pub(super) rng: ChaCha12Rng,
    /// Of 1000 datagrams so many are lost.
    pub(super) loss: u32,
    pub(super) jitter: Duration,
    /// Says when a datagram arrives; by default after `DELAY`, jitter and loss.
    pub(super) tap: Option<Tap>,
    /// What the network makes of marks; by default it leaves them alone.
    pub(super) remark: fn(EcnMark) -> EcnMark,
    flying: BTreeMap<(Time, u64), (usize, EcnMark, Vec<u8>)>,
    sequence: u64,
}

impl World {
    /// Two nodes with usual settings; messages are lent.
    pub(super) fn new(seed: u64) -> World {
        World::with(seed, |_| {})
    }

    pub(super) fn with(seed: u64, set: impl Fn(&mut NodeConfig)) -> World {
        let ends = [1, 2].map(|number| End::new(seed * 10 + number, &set));
        World {
            now: Time::from_nanos(1_000_000_000),
            ends,
            rng: ChaCha12Rng::seed_from_u64(seed),
            loss: 0,
            jitter: Duration::ZERO,
            tap: None,
            remark: |mark| mark,
            flying: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Two nodes that are connected and have nothing more to say.
    pub(super) fn connected(seed: u64) -> World {
        let mut world = World::new(seed);
        world.connect();
        world
    }

    pub(super) fn connect(&mut self) {
        self.dial();
        self.run(Duration::from_secs(1));
        assert!((0..2).all(|end| self.connection(end).is_confirmed()), "connected");
    }

    pub(super) fn dial(&mut self) {
        let asked = Some(self.ends[1].shared.config.peer_id);
        let now = self.now;
        let end = &mut self.ends[0];
        let handle = ConnectionHandle(Handle::from_bits(1));
        let remote = address(1);
        let dialled =
            Connection::dial(&mut end.shared, now, handle, asked, remote, Local::default());
        end.connection = Some(dialled.expect("TLS begins"));
    }

    pub(super) fn connection(&mut self, end: usize) -> &mut Connection {
        self.ends[end].connection.as_mut().expect("there is one")
    }

    /// Runs for `span`, or until nothing more happens.
    pub(super) fn run(&mut self, span: Duration) {
        let until = self.now + span;
        for _ in 0..200_000 {
            (0..2).for_each(|end| self.drain(end));
            let next = self.next_time().filter(|next| *next <= until);
            let Some(next) = next else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            self.step();
        }
        panic!("it does not come to rest at {}", self.now);
    }

    fn next_time(&mut self) -> Option<Time> {
        let flying = self.flying.keys().next().map(|(at, _)| *at);
        let timers = self.ends.iter().filter_map(|end| {
            end.connection.as_ref().and_then(|connection| connection.poll_timeout(&end.shared))
        });
        flying.into_iter().chain(timers).min()
    }

    fn step(&mut self) {
        while let Some(((at, sequence), _)) = self.flying.first_key_value()
            && *at <= self.now
        {
            let key = (*at, *sequence);
            let (to, mark, bytes) = self.flying.remove(&key).expect("it was just there");
            self.deliver_marked(to, mark, bytes);
        }
        for end in &mut self.ends {
            let now = self.now;
            let Some(connection) = &mut end.connection else { continue };
            if connection.poll_timeout(&end.shared).is_some_and(|at| at <= now) {
                connection.handle_timeout(&mut end.shared, now);
            }
        }
    }

    /// Takes out what an end has to say.
    pub(super) fn drain(&mut self, end: usize) {
        loop {
            self.ends[end].take_notices(self.now);
            let now = self.now;
            let this = &mut self.ends[end];
            let Some(connection) = &mut this.connection else { return };
            let sent = connection.poll_transmit(&mut this.shared, now, &mut this.buffer);
            this.shared.report_room();
            let Some(transmit) = sent else { break };
            assert!(transmit.len > 0 && transmit.segment_size <= 1_232.max(transmit.len));
            let bytes = this.buffer[..transmit.len].to_vec();
            for datagram in bytes.chunks(transmit.segment_size) {
                self.send(end, transmit.ecn, datagram);
            }
        }
        self.ends[end].take_notices(self.now);
    }

    fn send(&mut self, from: usize, mark: EcnMark, datagram: &[u8]) {
        let index = self.ends[from].sent.len();
        self.ends[from].sent.push(datagram.len());
        let delay = match &mut self.tap {
            Some(tap) => tap(from, index, datagram),
            None => Some(Duration::ZERO),
        };
        let is_lost = self.loss > 0 && self.rng.next_u32() % 1000 < self.loss;
        let Some(delay) = delay.filter(|_| !is_lost) else { return };
        let jitter = u64::try_from(self.jitter.as_nanos()).expect("short");
        let jitter = Duration::from_nanos((u64::from(self.rng.next_u32()) * jitter) >> 32);
        let mark = (self.remark)(mark);
        self.fly_marked(1 - from, DELAY + delay + jitter, mark, datagram.to_vec());
    }

    /// A datagram will arrive at `to`.
    pub(super) fn fly(&mut self, to: usize, delay: Duration, bytes: Vec<u8>) {
        self.fly_marked(to, delay, EcnMark::None, bytes);
    }

    fn fly_marked(&mut self, to: usize, delay: Duration, mark: EcnMark, bytes: Vec<u8>) {
        self.sequence += 1;
        self.flying.insert((self.now + delay, self.sequence), (to, mark, bytes));
    }

    /// A datagram arrives.
    pub(super) fn deliver(&mut self, to: usize, bytes: Vec<u8>) {
        self.deliver_marked(to, EcnMark::None, bytes);
    }

    fn deliver_marked(&mut self, to: usize, ecn: EcnMark, mut bytes: Vec<u8>) {
        let now = self.now;
        let end = &mut self.ends[to];
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] >> 6 == 0b10 {
                let path = short::parse_token(&bytes[at..]).and_then(|token| end.path_of(token));
                if let (Some(path), Some(connection)) = (path, &mut end.connection) {
                    let range = at..bytes.len();
                    let (from, local) = (address(1 - to), Local::default());
                    let source = Source { now, from, local, ecn };
                    connection.handle_short(&mut end.shared, &source, path, &mut bytes, range);
                }
                break;
            }
            let Ok(header) = LongHeader::parse(&bytes[at..]) else { break };
            end.handle_long(now, &header, &mut bytes[at..at + header.size]);
            at += header.size;
        }
        end.take_events(&bytes);
        end.take_notices(now);
    }

    /// Opens a channel and lets both sides know of it.
    pub(super) fn open(&mut self, end: usize, capabilities: Capabilities) -> ChannelHandle {
        let config = ChannelConfig { capabilities, ..ChannelConfig::default() };
        self.open_with(end, &config).expect("it can be opened")
    }

    pub(super) fn open_with(
        &mut self,
        end: usize,
        config: &ChannelConfig,
    ) -> Result<ChannelHandle, Error> {
        let End { shared, connection, .. } = &mut self.ends[end];
        connection.as_mut().expect("there is one").open_channel(shared, config)
    }

    pub(super) fn send_message(
        &mut self,
        end: usize,
        channel: ChannelHandle,
        message: &[u8],
    ) -> Result<(), Error> {
        let now = self.now;
        let End { shared, connection, .. } = &mut self.ends[end];
        connection.as_mut().expect("there is one").send(shared, now, channel, message)
    }

    /// Calls a verb of an end's connection.
    pub(super) fn with_connection<T>(
        &mut self,
        end: usize,
        call: impl FnOnce(&mut Connection, &mut Shared, Time) -> T,
    ) -> T {
        let now = self.now;
        let End { shared, connection, .. } = &mut self.ends[end];
        let result = call(connection.as_mut().expect("there is one"), shared, now);
        self.ends[end].take_events(&[]);
        self.ends[end].take_notices(now);
        result
    }

    /// The channel that the peer of `end` opened first.
    pub(super) fn accepted(&self, end: usize) -> ChannelHandle {
        let opened = self.ends[end].events.iter().find_map(|event| {
            let Event::ChannelOpened { channel, by_peer: true, .. } = event else { return None };
            Some(*channel)
        });
        opened.expect("the peer opened a channel")
    }

    /// Why a channel was closed, if it was.
    pub(super) fn channel_end(&self, end: usize, handle: ChannelHandle) -> Option<Error> {
        self.ends[end].events.iter().find_map(|event| {
            let Event::ChannelClosed { channel, reason, .. } = event else { return None };
            (*channel == handle).then_some(*reason)
        })
    }

    /// Why the connection was closed, if it was.
    pub(super) fn connection_end(&self, end: usize) -> Option<Error> {
        self.ends[end].events.iter().find_map(|event| {
            let Event::ConnectionClosed { reason, .. } = event else { return None };
            Some(*reason)
        })
    }

    pub(super) fn is_gone(&self, end: usize) -> bool {
        self.ends[end].notices.contains(&Notice::Gone)
    }

    /// The same nodes, tickets and all, without the connection.
    pub(super) fn again(mut self) -> World {
        for end in &mut self.ends {
            end.connection = None;
            end.tokens.clear();
            end.events.clear();
            end.messages.clear();
            end.notices.clear();
            let channels: Vec<_> = end.shared.channels.iter().map(|one| one.number).collect();
            assert!(channels.is_empty(), "{channels:?}");
        }
        self.flying.clear();
        self
    }

    /// Messages of the first accepted channel, lent and kept ones.
    pub(super) fn all_received(&mut self, end: usize) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> =
            self.ends[end].messages.iter().map(|(_, bytes)| bytes.clone()).collect();
        let opened = |event: &Event| matches!(event, Event::ChannelOpened { by_peer: true, .. });
        if self.ends[end].events.iter().any(opened) {
            let channel = self.accepted(end);
            let mut out = [0; 2000];
            while let Ok(read) = self.with_connection(end, |connection, shared, now| {
                connection.receive(shared, now, channel, &mut out)
            }) {
                let message = out[..read.len].to_vec();
                self.ends[end].messages.push((channel, message.clone()));
                all.push(message);
            }
        }
        all
    }

    /// Texts of the messages that came to an end.
    pub(super) fn texts(&self, end: usize) -> Vec<String> {
        let messages = self.ends[end].messages.iter();
        messages.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}

impl End {
    fn new(seed: u64, set: &impl Fn(&mut NodeConfig)) -> End {
        let mut key = [0x77; 32];
        key[..8].copy_from_slice(&seed.to_be_bytes());
        let identity = Identity::from_seed(key);
        let mut config = NodeConfig::new(identity.peer_id());
        config.lend_messages = true;
        config.segments_max = 16;
        // Windows that no test meets by chance.
        config.receive_window_min = 4 << 20;
        set(&mut config);
        // Without the large group the handshake is a third as slow, and no different otherwise.
        let options = TlsOptions {
            post_quantum: false,
            early_data: config.early_data,
            ..TlsOptions::default()
        };
        let tls = TlsContext::new(&identity, options);
        End {
            shared: Shared::new(config, &identity, tls, [seed as u8; 32]),
            connection: None,
            tokens: BTreeMap::new(),
            events: Vec::new(),
            messages: Vec::new(),
            notices: Vec::new(),
            accepts: true,
            sent: Vec::new(),
            buffer: Vec::new(),
        }
    }

    fn path_of(&self, token: Token) -> Option<PathId> {
        self.tokens.get(&token.0).copied()
    }

    fn handle_long(&mut self, now: Time, header: &LongHeader, packet: &mut [u8]) {
        if let Some(connection) = &mut self.connection {
            return connection.handle_long(&mut self.shared, now, header, packet);
        }
        let handle = ConnectionHandle(Handle::from_bits(2));
        let from = (address(0), Local::default());
        let shared = &mut self.shared;
        self.connection = Connection::answer(shared, now, handle, from, header, packet, false);
    }

    /// Does what a node does with notices.
    pub(super) fn take_notices(&mut self, now: Time) {
        while let Some((_, notice)) = self.shared.notices.pop_front() {
            match &notice {
                Notice::TokenIssued(token, path) => {
                    self.tokens.insert(token.0, *path);
                }
                Notice::TokenRetired(token) => {
                    self.tokens.remove(&token.0);
                }
                Notice::Identified { .. } if self.accepts => {
                    let connection = self.connection.as_mut().expect("it said so");
                    connection.accept(&mut self.shared, now).expect("it asked");
                }
                Notice::Gone => self.connection = None,
                Notice::Identified { .. }
                | Notice::Confirmed
                | Notice::Moved(_)
                | Notice::AttemptFailed { .. }
                | Notice::Overfull(_)
                | Notice::Closed => {}
            }
            self.notices.push(notice);
        }
        self.take_events(&[]);
    }

    fn take_events(&mut self, buffer: &[u8]) {
        while let Some(event) = self.shared.events.pop_front() {
            if let Event::Message { channel, bytes, .. } = &event {
                self.messages.push((*channel, buffer[bytes.clone()].to_vec()));
            } else if let Event::Assembled { channel, bytes, .. } = event {
                self.messages.push((channel, bytes));
            } else {
                self.events.push(event);
            }
        }
    }
}

pub(super) fn address(end: usize) -> std::net::SocketAddr {
    std::net::SocketAddr::from(([192, 0, 2, end as u8 + 1], 4000))
}
