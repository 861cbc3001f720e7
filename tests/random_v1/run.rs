//! Runs a plan on real nodes, and checks every invariant after each step.

use std::cell::Cell;
use std::time::Duration;

use channeler::config::{ChannelConfig, NodeConfig, SendOptions};
use channeler::error::Error;
use channeler::id::{Capabilities, ChannelHandle, ConnectionHandle};
use channeler::io::Event;
use channeler::node::CloseReason;
use channeler::sim::{Link, Random, World};

use crate::messages::Ledger;
use crate::model::Model;
use crate::ops::{How, Op, Plan, Sending, Setup};
use crate::random::{Failure, attacker, check_emptied, message, pick, replay, tighten};

const SECOND: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(8);

/// The largest message that a node with tight limits takes.
const TIGHT_MESSAGE_BYTES: usize = 15_000;

struct Run {
    world: World,
    models: Vec<Model>,
    ledger: Ledger,
    is_tight: bool,
}

/// Runs a plan; how many messages arrived.
pub(crate) fn run(plan: &Plan, step: &Cell<usize>) -> Result<u64, Failure> {
    let mut run = Run::new(&plan.setup);
    for (at, op) in plan.ops.iter().enumerate() {
        step.set(at);
        let done = run.apply(op).and_then(|()| run.check());
        done.map_err(|text| Failure { step: at, text })?;
    }
    step.set(plan.ops.len());
    run.heal(&plan.setup).map_err(|text| Failure { step: plan.ops.len(), text })?;
    Ok(run.ledger.received)
}

impl Run {
    fn new(setup: &Setup) -> Run {
        let mut world = World::new(setup.seed);
        world.gro_max = setup.gro_max;
        world.network.set_all(Link::with_delay(Duration::from_millis(10)));
        world.network.keep_recent(200);
        let models = (0..setup.nodes).map(|_| Model::default()).collect();
        for _ in 0..setup.nodes {
            world.add(|config| configure(config, setup));
        }
        Run { world, models, ledger: Ledger::new(setup.nodes), is_tight: setup.tight }
    }

    fn apply(&mut self, op: &Op) -> Result<(), String> {
        match *op {
            Op::Open { from, to, how } => {
                self.open(from, to, how)?;
            }
            Op::Send { node, channel, len, count, what } => {
                if let Some(channel) = self.pick_channel(node, channel) {
                    self.send(node, channel, (len, count), what)?;
                }
            }
            Op::ReadAll { node } => self.read_all(node)?,
            Op::Receive { node, channel } => {
                if let Some(channel) = self.pick_channel(node, channel) {
                    self.receive(node, channel)?;
                }
            }
            Op::CloseChannel { node, channel } => {
                if let Some(channel) = self.pick_channel(node, channel) {
                    self.world.with(node, |node, now| node.close_channel(now, channel)).ok();
                }
            }
            Op::ResetChannel { node, channel } => {
                if let Some(channel) = self.pick_channel(node, channel) {
                    let why = CloseReason { code: 7, text: String::new() };
                    self.world.with(node, |node, now| node.reset_channel(now, channel, why)).ok();
                }
            }
            Op::CloseConnection { node, connection } => {
                if let Some(connection) = self.pick_connection(node, connection) {
                    self.close_connection(node, connection);
                }
            }
            Op::UpdateKeys { node, connection } => {
                if let Some(connection) = self.pick_connection(node, connection) {
                    self.world.with(node, |node, now| node.update_keys(now, connection)).ok();
                }
            }
            Op::Restart { node } => {
                self.check()?;
                self.world.restart(node);
                self.models[node] = Model::default();
                self.ledger.restarted(node);
            }
            Op::BanPeer { node, whom, span } if node != whom => {
                let peer = self.world.peer(whom);
                self.world.with(node, |node, now| node.ban_peer(now, peer, span)).ok();
            }
            Op::BanPeer { .. } => {}
            Op::Advance { span } => self.advance(span)?,
            Op::SetLink { from, to, ref link } => {
                let (from, to) = (self.world.address(from), self.world.address(to));
                self.world.network.set_link(from, to, (**link).clone());
            }
            Op::KillLink { from, to, span } => {
                let (from, to) = (self.world.address(from), self.world.address(to));
                let now = self.world.now();
                self.world.network.black_hole((from, to), now, now + span);
            }
            Op::Garbage { to, seed } => self.send_garbage(to, seed),
            Op::Replay { recent, is_spoofed } => replay(&mut self.world, recent, is_spoofed),
            Op::Mutate { recent, seed } => self.mutate(recent, seed),
        }
        Ok(())
    }

    fn send_garbage(&mut self, to: usize, seed: u64) {
        let mut random = Random::new(seed);
        let mut bytes = random.vec(33 + (seed as usize % 1_400));
        match seed % 3 {
            0 => bytes[0] = 0x80 | bytes[0] & 0x2f,
            1 => bytes[..4].copy_from_slice(&[0x09, 0x01, 0xd0, 0x3f]),
            _ => {}
        }
        let to = self.world.address(to);
        self.world.inject(attacker(), to, &bytes);
    }

    fn mutate(&mut self, recent: usize, seed: u64) {
        let datagrams: Vec<_> = self.world.network.recent().iter().cloned().collect();
        let Some(old) = pick(&datagrams, recent) else { return };
        let mut random = Random::new(seed);
        let mut bytes = old.bytes.clone();
        for _ in 0..=random.index(4) {
            let at = random.index(bytes.len());
            bytes[at] ^= 1 << random.index(8);
        }
        if random.chance(0.2) {
            bytes.truncate(1 + random.index(bytes.len()));
        }
        self.world.inject(old.station, old.to, &bytes);
    }

    fn open(&mut self, from: usize, to: usize, how: How) -> Result<Option<ChannelHandle>, String> {
        if from == to {
            return Ok(None);
        }
        let connection = match self.world.connect(from, to) {
            Ok(connection) => connection,
            // `State`: the connection with that peer is being closed.
            Err(Error::Banned | Error::Limit | Error::State) => return Ok(None),
            Err(error) => return Err(format!("connect from {from} to {to}: {error:?}")),
        };
        self.models[from].dialled(connection, self.world.peer(to));
        let config = ChannelConfig {
            capabilities: Capabilities(how.mode),
            resend_limit: how.resend_limit,
            message_lifetime: how.lifetime,
            priority: how.priority,
            weight: how.weight,
            ..ChannelConfig::default()
        };
        let opened = self.world.with(from, |node, now| node.open_channel(now, connection, &config));
        match opened {
            Ok(channel) => {
                let node = self.world.node(from);
                self.models[from].asked_for(channel, node, config.capabilities)?;
                self.ledger.opened(from, channel, &config);
                Ok(Some(channel))
            }
            Err(Error::Limit | Error::State | Error::Closed) => Ok(None),
            Err(error) => Err(format!("open from {from} to {to}: {error:?}")),
        }
    }

    fn send(
        &mut self,
        node: usize,
        channel: ChannelHandle,
        (len, count): (usize, usize),
        what: Sending,
    ) -> Result<(), String> {
        for _ in 0..count {
            let number = self.ledger.next_number();
            let bytes = message(number, len);
            // While it opens its id may change: it may go on with another connection.
            let info = self.world.node(node).channel_info(channel).ok();
            let id = info.filter(|info| info.is_established).map(|info| info.id);
            let options = SendOptions {
                lifetime: what.lifetime,
                report: what.is_reported.then_some(number),
                may_replay: what.is_early,
            };
            // Before the node is called: it may know the fate at once.
            let known = self.models[node].channels.get_mut(&channel);
            let is_reported =
                known.is_some_and(|one| what.is_reported && one.reports.insert(number));
            let result =
                self.world.with(node, |node, now| node.send_with(now, channel, &bytes, &options));
            if let Err(error) = result {
                let known = self.models[node].channels.get_mut(&channel).filter(|_| is_reported);
                known.map(|one| one.reports.remove(&number));
                // `TooLarge`: above what a tight queue or the peer takes.
                let may_be = [Error::WouldBlock, Error::State, Error::Closed, Error::TooLarge];
                if !may_be.contains(&error) {
                    return Err(format!("send on {channel:?}: {error:?}"));
                }
                break;
            }
            let mode = self.models[node].channels.get(&channel).map(|one| one.mode);
            self.ledger.sent((node, channel), mode.unwrap_or_default(), id, len, what);
            if self.is_tight && len > TIGHT_MESSAGE_BYTES {
                // Nobody knew that the peer does not take it: it is dropped when that is known.
                self.ledger.may_be_dropped(node, channel);
            }
        }
        self.check()
    }

    /// Reads everything that any channel of a node has.
    fn read_all(&mut self, node: usize) -> Result<(), String> {
        let known: Vec<_> = self.models[node].channels.keys().copied().collect();
        known.into_iter().try_for_each(|channel| self.receive(node, channel))
    }

    fn receive(&mut self, node: usize, channel: ChannelHandle) -> Result<(), String> {
        for bytes in self.world.receive_all(node, channel) {
            self.take_message(node, channel, &bytes)?;
        }
        Ok(())
    }

    fn close_connection(&mut self, node: usize, connection: ConnectionHandle) {
        let reason = CloseReason::default();
        let closed =
            self.world.with(node, |node, now| node.close_connection(now, connection, reason));
        assert!(closed.is_ok(), "it is there: {closed:?}");
    }

    fn advance(&mut self, span: Duration) -> Result<(), String> {
        let end = self.world.now() + span;
        while self.world.step(end) {
            self.check()?;
        }
        // What reads and the like caused when nothing else happens.
        self.check()
    }

    fn check(&mut self) -> Result<(), String> {
        for index in 0..self.models.len() {
            while !self.world.events(index).is_empty() {
                self.take_events(index)?;
            }
            let checked = self.models[index].check(self.world.node(index));
            checked.map_err(|text| format!("node {index}: {text}"))?;
            self.ledger
                .check_finished(&self.models[index])
                .map_err(|text| format!("node {index}: {text}"))?;
        }
        Ok(())
    }

    fn take_events(&mut self, index: usize) -> Result<(), String> {
        for happened in self.world.take_events(index) {
            let taken = self.models[index].take(&happened.event, self.world.node(index));
            taken.map_err(|text| format!("node {index}: {text} ({happened:?})"))?;
            if let Event::Message { channel, .. } = happened.event {
                self.take_message(index, channel, &happened.bytes)?;
            }
        }
        for request in std::mem::take(&mut self.models[index].requests) {
            // It may have ended in the meantime.
            self.world.with(index, |node, now| node.accept(now, request)).ok();
        }
        Ok(())
    }

    fn take_message(
        &mut self,
        node: usize,
        channel: ChannelHandle,
        bytes: &[u8],
    ) -> Result<(), String> {
        let model = &mut self.models[node];
        let known = model.channels.get_mut(&channel);
        let peer = known.as_ref().map(|known| known.connection);
        let from = self.ledger.take(node, known, bytes)?;
        let peer = peer.and_then(|connection| model.connections.get(&connection));
        if peer.is_some_and(|one| one.peer != self.world.peer(from)) {
            return Err(format!("a message of node {from} came from another"));
        }
        Ok(())
    }

    /// Good links: whoever wants gets a channel and its message through; then silence empties all.
    fn heal(&mut self, setup: &Setup) -> Result<(), String> {
        self.world.network.set_all(Link::with_delay(Duration::from_millis(10)));
        for index in 0..self.models.len() {
            for other in 0..self.models.len() {
                let peer = self.world.peer(other);
                self.world.with(index, |node, _| node.lift_ban_peer(peer));
            }
        }
        // Attempts that failed, refusals and connections of peers that are not there any more go.
        for _ in 0..24 {
            (0..self.models.len()).try_for_each(|node| self.read_all(node))?;
            self.advance(IDLE / 8)?;
        }
        self.ledger.check_arrived(&self.models)?;
        for from in 0..self.models.len() {
            for to in (0..self.models.len()).filter(|&to| to != from) {
                if !self.gets_through(from, to)? {
                    return Err(format!("node {from} gets nothing through to node {to}"));
                }
            }
        }
        if setup.keep_alive.is_zero() {
            self.advance(4 * IDLE)?;
            check_emptied(&self.world)?;
        }
        Ok(())
    }

    /// Whether a new channel opens, and a message on it arrives. Tables of a few entries are made
    /// room in first.
    fn gets_through(&mut self, from: usize, to: usize) -> Result<bool, String> {
        for index in [from, to] {
            let known: Vec<_> = self.models[index].connections.keys().copied().collect();
            known.into_iter().for_each(|connection| self.close_connection(index, connection));
        }
        self.advance(2 * IDLE)?;
        let Some(channel) = self.open(from, to, PLAIN)? else { return Ok(false) };
        self.advance(4 * SECOND)?;
        let Some(known) = self.models[from].channels.get(&channel) else { return Ok(false) };
        if !known.is_opened {
            return Ok(false);
        }
        let before = self.ledger.received;
        self.send(from, channel, (100, 1), ONE)?;
        self.advance(SECOND)?;
        self.read_all(to)?;
        Ok(self.ledger.received > before)
    }

    fn pick_channel(&self, node: usize, number: usize) -> Option<ChannelHandle> {
        let known: Vec<_> = self.models[node].channels.keys().copied().collect();
        pick(&known, number).copied()
    }

    fn pick_connection(&self, node: usize, number: usize) -> Option<ConnectionHandle> {
        let known: Vec<_> = self.models[node].connections.keys().copied().collect();
        pick(&known, number).copied()
    }
}

/// The channel of the last test: nothing is promised, and nothing lost.
const PLAIN: How =
    How { mode: 0, resend_limit: u32::MAX, lifetime: Duration::ZERO, priority: 3, weight: 16 };

/// Its message.
const ONE: Sending = Sending { is_early: false, is_reported: false, lifetime: None };

fn configure(config: &mut NodeConfig, setup: &Setup) {
    config.lend_messages = setup.lend_messages;
    config.ask_before_accept = setup.ask_before_accept;
    config.early_data = setup.early_data;
    config.always_cookie = setup.always_cookie;
    config.half_close = setup.half_close;
    config.keep_alive = setup.keep_alive;
    config.linger = setup.linger;
    config.congestion = setup.congestion;
    config.segments_max = setup.segments_max;
    config.idle_timeout = IDLE;
    config.attempt_timeout = 4 * SECOND;
    config.dial_timeout = 10 * SECOND;
    if setup.tight {
        tighten(config);
        config.tickets_max = 2;
        config.peer_channels_max = 4;
        config.message_bytes_max = TIGHT_MESSAGE_BYTES;
        config.receive_window_min = 3_000;
        config.connection_receive_bytes_max = 20_000;
        config.node_receive_bytes_max = 60_000;
    }
}
