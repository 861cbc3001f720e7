//! Runs a plan on real nodes and checks the invariants after each step.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use channeler::config::{NodeConfig, REFUSAL};
use channeler::error::Error;
use channeler::id::{ChannelHandle, ChannelId, ConnectionHandle, PeerId};
use channeler::io::Event;
use channeler::node::{CloseReason, Node};
use channeler::sim::{Link, Random, World};
use channeler::time::Time;

use crate::model::Model;
use crate::ops::{Op, Plan, Setup};
use crate::random::{Failure, attacker, check_emptied, message, pick, replay, tighten};
use crate::v0;

struct Run {
    world: World,
    models: Vec<Model>,
    /// Number of a message to who sent it, on which channel, and its length.
    sent: BTreeMap<u64, (usize, ChannelHandle, usize)>,
    /// Wire ids of channels by node and handle, also of those that have ended.
    ids: BTreeMap<(usize, ChannelHandle), ChannelId>,
    received: u64,
    rebinds: u16,
    refuse_every: usize,
    requests: usize,
}

const COOKIE_GOOD: Duration = Duration::from_secs(30);
/// How long an opener repeats FINALIZE at least: 200 ms and four doublings, less the jitter. Then
/// it stops to doubt, for a reference peer never confirms; what its peer missed so far stays lost.
const FINALIZE_REPEATED: Duration = Duration::from_millis(4_600);
const IDLE: Duration = Duration::from_secs(25);
const SECOND: Duration = Duration::from_secs(1);

/// Runs a plan, and returns how many messages were delivered. `step` holds the step that runs.
pub(crate) fn run(plan: &Plan, step: &Cell<usize>) -> Result<u64, Failure> {
    let mut run = Run::new(&plan.setup);
    let end = run.all(plan, step);
    end.map(|()| run.received).map_err(|text| Failure { step: step.get(), text })
}

/// Everything that nodes and network did in a run, as text.
pub(crate) fn trace(plan: &Plan) -> String {
    let mut run = Run::new(&plan.setup);
    run.world.network.start_trace();
    // What fails is another test's matter; the trace up to there must be the same all the same.
    let end = run.all(plan, &Cell::new(0));
    format!("{}{end:?}", run.world.network.trace())
}

impl Run {
    fn new(setup: &Setup) -> Run {
        let mut world = World::new(setup.seed);
        world.gro_max = setup.gro_max;
        world.network.keep_recent(32);
        for _ in 0..setup.nodes {
            world.add_v0(|config| configure(config, setup));
        }
        let models = (0..setup.nodes).map(|_| Model::default()).collect();
        let (sent, ids) = (BTreeMap::new(), BTreeMap::new());
        let refuse_every = setup.refuse_every;
        Run { world, models, sent, ids, received: 0, rebinds: 0, refuse_every, requests: 0 }
    }

    fn all(&mut self, plan: &Plan, step: &Cell<usize>) -> Result<(), String> {
        for (number, op) in plan.ops.iter().enumerate() {
            step.set(number);
            self.apply(op)?;
            self.check()?;
        }
        step.set(plan.ops.len());
        self.heal()
    }

    fn apply(&mut self, op: &Op) -> Result<(), String> {
        match *op {
            Op::Open { from, to } => {
                self.open(from, to)?;
            }
            Op::Send { node, channel, len, count } => {
                if let Some(channel) = self.pick_channel(node, channel) {
                    self.send(node, channel, len, count)?;
                }
            }
            Op::Receive { node, channel, buffer } => {
                if let Some(channel) = self.pick_channel(node, channel) {
                    self.receive(node, channel, buffer)?;
                }
            }
            Op::CloseChannel { node, channel } => {
                if let Some(channel) = self.pick_channel(node, channel) {
                    self.close_channel(node, channel)?;
                }
            }
            Op::CloseConnection { node, connection } => {
                let known: Vec<_> = self.models[node].connections.keys().copied().collect();
                if let Some(&connection) = pick(&known, connection) {
                    self.close_connection(node, connection)?;
                }
            }
            Op::BanPeer { node, whom, span } => self.ban_peer(node, whom, span)?,
            Op::BanAddress { node, whom, span } => {
                self.ban(node, whom, |core, now, ip| core.ban_address(now, ip, span))?;
            }
            Op::LiftBans { node, whom } => {
                let peer = self.world.peer(whom);
                self.ban(node, whom, |core, _, ip| {
                    core.lift_ban_peer(peer);
                    core.lift_ban_address(ip);
                    Ok(())
                })?;
            }
            Op::Advance { span } => self.advance(span)?,
            Op::SetLink { from, to, ref link } => self.set_link(from, to, link),
            Op::KillLink { from, to, span } => {
                let ends = (self.world.address(from), self.world.address(to));
                let now = self.world.now();
                self.world.network.black_hole(ends, now, now + span);
            }
            Op::Rebind { node, old_lives } => self.rebind(node, old_lives),
            Op::Garbage { to, seed, enveloped } => self.send_garbage(to, seed, enveloped),
            Op::Replay { recent, spoofed } => replay(&mut self.world, recent, spoofed),
            Op::Mutate { recent, seed } => self.mutate(recent, seed),
        }
        Ok(())
    }

    fn open(&mut self, from: usize, to: usize) -> Result<Option<ChannelHandle>, String> {
        let connection = match self.world.connect(from, to) {
            Ok(connection) => connection,
            Err(Error::Limit | Error::Banned) => return Ok(None),
            Err(Error::InvalidArgument) if from == to => return Ok(None),
            Err(error) => return Err(format!("connect: {error}")),
        };
        if from == to {
            return Err("a node connected to itself".to_owned());
        }
        self.models[from].connected_to(connection, self.world.peer(to));
        match self.world.open(from, connection) {
            Ok(channel) => {
                let now = self.world.now();
                self.models[from].asked_for(connection, channel, now)?;
                Ok(Some(channel))
            }
            Err(Error::Limit) => Ok(None),
            // A connection whose owner has not answered yet.
            Err(Error::State) if self.models[from].requests.contains(&connection) => Ok(None),
            Err(error) => Err(format!("open_channel: {error}")),
        }
    }

    fn send(
        &mut self,
        node: usize,
        channel: ChannelHandle,
        len: usize,
        count: usize,
    ) -> Result<(), String> {
        let connection = self.models[node].channels[&channel].connection;
        let info = self.world.node(node).connection_info(connection);
        let most = info.map_err(|error| format!("connection_info: {error}"))?.message_bytes_max;
        let first = self.sent.len() as u64;
        let is_opening = !self.models[node].channels[&channel].opened;
        let sent = &mut self.sent;
        let blocked = &mut self.models[node].blocked;
        self.world.with(node, |core, now| {
            for number in first..first + count as u64 {
                match core.send(now, channel, &message(number, len)) {
                    Ok(()) if len <= most => {
                        sent.insert(number, (node, channel, len));
                    }
                    Err(Error::Write) if len > most => return Ok(()),
                    Err(Error::WouldBlock) => {
                        blocked.insert(channel);
                        return Ok(());
                    }
                    // It closes as soon as it has opened.
                    Err(Error::Closed) if is_opening => return Ok(()),
                    other => return Err(format!("send of {len} of {most}: {other:?}")),
                }
            }
            Ok(())
        })
    }

    fn receive(
        &mut self,
        node: usize,
        channel: ChannelHandle,
        buffer: usize,
    ) -> Result<(), String> {
        let mut whole = Vec::new();
        loop {
            let mut out = vec![0; buffer];
            match self.world.with(node, |core, now| core.receive(now, channel, &mut out)) {
                Ok(received) => {
                    whole.extend_from_slice(&out[..received.len]);
                    if received.remaining == 0 {
                        return self.check_message(node, channel, &whole);
                    }
                }
                Err(Error::DataUnavailable) if whole.is_empty() => return Ok(()),
                Err(error) => return Err(format!("receive: {error}")),
            }
        }
    }

    fn close_channel(&mut self, node: usize, channel: ChannelHandle) -> Result<(), String> {
        let close =
            |world: &mut World| world.with(node, |core, now| core.close_channel(now, channel));
        let was_opening = !self.models[node].channels[&channel].opened;
        match close(&mut self.world) {
            Ok(()) => {}
            Err(Error::Closed) if was_opening => return Ok(()),
            Err(error) => return Err(format!("close_channel: {error}")),
        }
        self.take_events()?;
        let is_there = self.models[node].channels.contains_key(&channel);
        match close(&mut self.world) {
            Err(Error::InvalidChannelId) if !is_there => Ok(()),
            // It first opens, and sends what it was given.
            Err(Error::Closed) if is_there && was_opening => Ok(()),
            other => Err(format!("closing twice: {other:?}, {is_there} {was_opening}")),
        }
    }

    fn close_connection(&mut self, node: usize, handle: ConnectionHandle) -> Result<(), String> {
        let closed = self
            .world
            .with(node, |core, now| core.close_connection(now, handle, CloseReason::default()));
        closed.map_err(|error| format!("close_connection: {error}"))?;
        self.take_events()?;
        if self.models[node].connections.contains_key(&handle) {
            return Err(format!("{handle:?} was closed, but no event said so"));
        }
        match self.world.open(node, handle) {
            Err(Error::InvalidReference) => Ok(()),
            other => Err(format!("opening on a closed connection: {other:?}")),
        }
    }

    fn ban_peer(&mut self, node: usize, whom: usize, span: Duration) -> Result<(), String> {
        let peer = self.world.peer(whom);
        self.ban(node, whom, |core, now, _| core.ban_peer(now, peer, span))?;
        let mut known = self.models[node].connections.values();
        if node != whom && known.any(|connection| connection.peer == Some(peer)) {
            return Err("a banned peer stays connected".to_owned());
        }
        Ok(())
    }

    fn ban(
        &mut self,
        node: usize,
        whom: usize,
        call: impl FnOnce(&mut Node, Time, IpAddr) -> Result<(), Error>,
    ) -> Result<(), String> {
        if node == whom {
            return Ok(());
        }
        let ip = self.world.network.seen_as(self.world.address(whom)).ip();
        self.models[node].disturbed = Some(self.world.now());
        let result = self.world.with(node, |core, now| call(core, now, ip));
        self.take_events()?;
        result.map_err(|error| format!("ban: {error}"))
    }

    fn set_link(&mut self, from: usize, to: usize, link: &Link) {
        let (from, to) = (self.world.address(from), self.world.address(to));
        let outages = self.world.network.link(from, to).outages.clone();
        self.world.network.set_link(from, to, Link { outages, ..link.clone() });
    }

    fn rebind(&mut self, node: usize, old_lives: bool) {
        self.rebinds += 1;
        let [high, low] = self.rebinds.to_be_bytes();
        let seen = SocketAddr::from(([10, 99, high, low], 9));
        self.world.network.rebind(self.world.address(node), seen, old_lives);
        let now = self.world.now();
        self.models.iter_mut().for_each(|model| model.disturbed = Some(now));
    }

    fn send_garbage(&mut self, to: usize, seed: u64, enveloped: bool) {
        let mut random = Random::new(seed);
        let len = random.index(300);
        let mut bytes = random.vec(len);
        if enveloped {
            let sender = self.world.peer(random.index(self.world.count()));
            let size = v0::ENVELOPE + len + random.index(100);
            bytes = v0::packet(sender, self.world.peer(to), v0::DEFAULT, &bytes, size);
        }
        self.world.inject(attacker(), self.world.address(to), &bytes);
    }

    fn mutate(&mut self, recent: usize, seed: u64) {
        let datagrams: Vec<_> = self.world.network.recent().iter().cloned().collect();
        let Some(old) = pick(&datagrams, recent) else {
            return;
        };
        let mut random = Random::new(seed);
        let mut bytes = old.bytes.clone();
        for _ in 0..=random.index(4) {
            let at = random.index(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.below(256) as u8;
            }
        }
        if random.chance(0.2) {
            bytes.truncate(random.index(bytes.len()));
        }
        // As another peer: v0 cannot tell a forger who knows the channel from its owner.
        if let Some(sender) = bytes.get_mut(4..20) {
            sender.copy_from_slice(&[0x66; 16]);
        }
        v0::seal(&mut bytes);
        self.world.inject(attacker(), old.to, &bytes);
    }

    fn advance(&mut self, span: Duration) -> Result<(), String> {
        let end = self.world.now() + span;
        while self.world.step(end) {
            self.check()?;
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), String> {
        self.take_events()?;
        let now = self.world.now();
        for (index, model) in self.models.iter_mut().enumerate() {
            let checked = model.check(self.world.node(index), now);
            checked.map_err(|text| format!("node {index}: {text}"))?;
        }
        Ok(())
    }

    fn take_events(&mut self) -> Result<(), String> {
        for index in 0..self.models.len() {
            for happened in self.world.take_events(index) {
                let (model, node) = (&mut self.models[index], self.world.node(index));
                let taken = model.take(&happened, node);
                taken.map_err(|text| format!("node {index}: {text} ({happened:?})"))?;
                if let Event::ChannelOpened { channel, .. } = happened.event
                    && let Some(id) = self.models[index].channels[&channel].id
                {
                    self.ids.insert((index, channel), id);
                }
                if let Event::Message { channel, .. } = happened.event {
                    self.check_message(index, channel, &happened.bytes)?;
                }
            }
            self.answer_requests(index);
        }
        Ok(())
    }

    fn answer_requests(&mut self, index: usize) {
        for request in std::mem::take(&mut self.models[index].requests) {
            self.requests += 1;
            let is_refused = self.requests.is_multiple_of(self.refuse_every);
            let answered = self.world.with(index, |node, now| match is_refused {
                true => node.refuse(now, request),
                false => node.accept(now, request),
            });
            // It may have ended in the meantime: no event says so before there was an answer.
            if is_refused || answered.is_err() {
                self.models[index].connections.remove(&request);
                self.models[index].disturbed = Some(self.world.now());
            }
        }
    }

    /// A message is one that was sent, byte for byte, by the peer of this channel, on this channel.
    fn check_message(
        &mut self,
        node: usize,
        channel: ChannelHandle,
        bytes: &[u8],
    ) -> Result<(), String> {
        let number = bytes.first_chunk().map(|chunk| u64::from_be_bytes(*chunk));
        let Some((number, &(sender, sent_on, len))) =
            number.and_then(|number| Some((number, self.sent.get(&number)?)))
        else {
            return Err(format!("node {node} received what nobody sent: {bytes:02x?}"));
        };
        if bytes != message(number, len) {
            return Err(format!("message {number} came changed"));
        }
        if self.models[node].peer_of(channel) != Some(self.world.peer(sender)) {
            return Err(format!("message {number} of node {sender} came from another peer"));
        }
        let ids = (self.ids.get(&(sender, sent_on)), self.ids.get(&(node, channel)));
        if let (Some(sent_as), Some(came_as)) = ids
            && sent_as != came_as
        {
            return Err(format!("message {number} of {sent_as:?} came on {came_as:?}"));
        }
        self.received += 1;
        Ok(())
    }

    fn pick_channel(&self, node: usize, number: usize) -> Option<ChannelHandle> {
        let known: Vec<_> = self.models[node].channels.keys().copied().collect();
        pick(&known, number).copied()
    }

    /// Good links and some traffic: then both sides agree, and whoever wants gets a channel.
    fn heal(&mut self) -> Result<(), String> {
        let start = self.world.now();
        self.refuse_every = 0;
        self.world.network.set_all(Link::with_delay(Duration::from_millis(10)));
        for _ in 0..6 {
            for node in 0..self.models.len() {
                let channels: Vec<_> = self.models[node].channels.keys().copied().collect();
                for channel in channels {
                    if self.models[node].channels.contains_key(&channel) {
                        self.send(node, channel, 16, 1)?;
                        self.check()?;
                    }
                    if self.models[node].channels.contains_key(&channel) {
                        self.receive(node, channel, 100)?;
                    }
                }
            }
            self.advance(SECOND)?;
        }
        for (index, model) in self.models.iter().enumerate() {
            let is_open = |channel: &&ChannelHandle| model.channels[channel].opened;
            if let Some(channel) = model.blocked.iter().find(is_open) {
                return Err(format!("node {index} never says that {channel:?} is writable"));
            }
        }
        self.check_agreement(start)?;
        self.check_liveness()?;
        // Silence: nothing of what is left stays for ever, unless kept alive.
        if self.world.node(0).config().keep_alive.is_zero() {
            self.advance(4 * IDLE)?;
            check_emptied(&self.world)?;
        }
        Ok(())
    }

    /// A channel that one side holds is held by the other, unless something there cut it off.
    fn check_agreement(&self, healed: Time) -> Result<(), String> {
        for (index, model) in self.models.iter().enumerate() {
            let me = self.world.peer(index);
            for (handle, channel) in &model.channels {
                let Some((id, peer)) = channel.id.zip(model.peer_of(*handle)) else {
                    continue;
                };
                let Some(other) = self.index_of(peer) else {
                    return Err(format!("{handle:?} is with nobody"));
                };
                let theirs = &self.models[other];
                let known = theirs.unseen_ids > 0 || theirs.wire_ids.contains(&(me, id));
                if channel.by_peer && !known {
                    return Err(format!("node {other} never opened {id:?}, says node {index}"));
                }
                let held = theirs.channels.values().any(|c| c.opened && c.id == Some(id));
                let fresh = healed.since(channel.since) < FINALIZE_REPEATED;
                // Long enough for a ban to have ended, or a table to have had room again.
                let slack = 21 * SECOND;
                let free = model.undisturbed_since(channel.since, slack)
                    && theirs.undisturbed_since(channel.since, slack);
                if !held && !known && fresh && free {
                    return Err(format!("node {other} does not hold {id:?}, node {index} does"));
                }
            }
        }
        Ok(())
    }

    /// Everybody gets a channel to everybody, whatever happened before.
    fn check_liveness(&mut self) -> Result<(), String> {
        for index in 0..self.models.len() {
            let known: Vec<_> = self.models[index].connections.keys().copied().collect();
            for connection in known {
                self.close_connection(index, connection)?;
            }
            for other in 0..self.models.len() {
                let (peer, address) = (self.world.peer(other), self.world.address(other));
                let ip = self.world.network.seen_as(address).ip();
                self.world.with(index, |node, _| {
                    node.lift_ban_peer(peer);
                    node.lift_ban_address(ip);
                });
            }
        }
        // A refusal from before the healing has been forgotten by then.
        self.advance(REFUSAL)?;
        for from in 0..self.models.len() {
            for to in (0..self.models.len()).filter(|&to| to != from) {
                self.check()?;
                let channel = self.open(from, to)?;
                let Some(channel) = channel else {
                    return Err(format!("node {from} has no room to dial node {to}"));
                };
                self.advance(10 * SECOND)?;
                if !self.models[from].channels.get(&channel).is_some_and(|c| c.opened) {
                    return Err(format!("node {from} gets no channel to node {to}"));
                }
                let id = self.ids.get(&(from, channel)).copied();
                let held = self.models[to].channels.values().any(|c| c.opened && c.id == id);
                if !held {
                    return Err(format!("node {to} got no channel of node {from}"));
                }
            }
        }
        Ok(())
    }

    fn index_of(&self, peer: PeerId) -> Option<usize> {
        (0..self.models.len()).find(|&index| self.world.peer(index) == peer)
    }
}

fn configure(config: &mut NodeConfig, setup: &Setup) {
    config.lend_messages = setup.lend_messages;
    config.ask_before_accept = setup.ask_before_accept;
    config.padding = setup.padding;
    config.packet_size = setup.packet_size;
    config.bundle_delay = setup.bundle_delay;
    config.keep_alive = setup.keep_alive;
    config.segments_max = setup.segments_max;
    config.handshake_timeout = Duration::from_millis(200);
    config.handshake_retries = 4;
    config.idle_timeout = IDLE;
    config.cookie_epoch = COOKIE_GOOD;
    if setup.tight {
        tighten(config);
        config.events_max = 64;
    }
}
