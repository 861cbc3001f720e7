//! Real nodes on a virtual clock and network: tests act on them here, and let time pass.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::link::Ecn;
use super::network::Network;
use super::random::Random;
use crate::config::{ChannelConfig, Legacy, NodeConfig};
use crate::crypto::Identity;
use crate::error::Error;
use crate::id::{ChannelHandle, ConnectionHandle, PeerId};
use crate::io::{Event, Local, Receive};
use crate::node::{Dial, Node};
use crate::time::Time;

/// An event of a node, with a copy of the bytes that it lent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// When.
    pub at: Time,
    /// What.
    pub event: Event,
    /// The bytes of `Message` and `Datagram`; else empty.
    pub bytes: Vec<u8>,
}

/// A datagram that a scripted station received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbox {
    /// When.
    pub at: Time,
    /// The source address it saw.
    pub from: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
}

/// Two nodes with an established channel between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The opener's connection.
    pub connection: ConnectionHandle,
    /// The opener's channel.
    pub channel: ChannelHandle,
    /// The other side's connection.
    pub peer_connection: ConnectionHandle,
    /// The other side's channel.
    pub peer_channel: ChannelHandle,
}

/// Nodes, scripted stations, a network and a clock. Everything follows from the seed.
pub struct World {
    /// The network: change links and addresses here.
    pub network: Network,
    /// Datagrams of one sender that are handed to a node at once, at most (GRO). 1 at first.
    pub gro_max: usize,
    now: Time,
    random: Random,
    nodes: Vec<Slot>,
    places: BTreeMap<SocketAddr, usize>,
    stations: BTreeMap<SocketAddr, Vec<Inbox>>,
    steps_at_now: u32,
}

struct Slot {
    node: Node,
    address: SocketAddr,
    peer: PeerId,
    identity: Option<Identity>,
    events: Vec<Happened>,
    transmit: Vec<u8>,
}

/// More steps than this without the clock moving are a node that never sleeps.
const STEPS_AT_ONE_TIME_MAX: u32 = 100_000;

/// More datagrams than this after one call are a node that never stops.
const TRANSMITS_AT_ONCE_MAX: u32 = 2_000_000;

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> World {
        World {
            network: Network::new(seed),
            gro_max: 1,
            now: Time::from_nanos(1_000_000_000),
            // Not the network's stream: the draws of the one must not show in the other.
            random: Random::new(!seed),
            nodes: Vec::new(),
            places: BTreeMap::new(),
            stations: BTreeMap::new(),
            steps_at_now: 0,
        }
    }

    /// A world of `count` nodes that speak v0 only, with default settings.
    pub fn with_v0_nodes(seed: u64, count: usize) -> World {
        let mut world = World::new(seed);
        for _ in 0..count {
            world.add_v0(|_| ());
        }
        world
    }

    /// A world of `count` nodes with default settings.
    pub fn with_nodes(seed: u64, count: usize) -> World {
        let mut world = World::new(seed);
        for _ in 0..count {
            world.add(|_| ());
        }
        world
    }

    /// As `add`, a node that speaks v0 only.
    ///
    /// # Panics
    ///
    /// As `add`.
    pub fn add_v0(&mut self, change: impl FnOnce(&mut NodeConfig)) -> usize {
        self.add(|config| {
            config.legacy = Legacy::Only;
            change(config);
        })
    }

    /// Adds a node whose settings `change` may change; returns its number. Its address follows from
    /// the number, and so does the peer id of one that speaks v0 only. Others have a key that
    /// follows from the number and the world's seed.
    ///
    /// # Panics
    ///
    /// When the settings are refused.
    pub fn add(&mut self, change: impl FnOnce(&mut NodeConfig)) -> usize {
        let index = self.nodes.len();
        let mut peer = [0xa0; PeerId::SIZE];
        peer[15] = index as u8;
        let mut config = NodeConfig::new(PeerId(peer));
        config.tag = index as u16 + 1;
        change(&mut config);
        let address = SocketAddr::from(([10, 0, index as u8, 1], 4_000 + index as u16));
        let identity = match config.legacy {
            Legacy::Only => None,
            Legacy::Off | Legacy::Accept => Some(Identity::from_seed(self.random.bytes())),
        };
        let seed = self.random.bytes();
        let made = Node::new(config, identity.clone(), seed, self.now);
        let node = made.expect("settings are good");
        let peer = node.config().peer_id;
        self.places.insert(address, index);
        let transmit = Vec::new();
        self.nodes.push(Slot { node, address, peer, identity, events: Vec::new(), transmit });
        index
    }

    /// Has a node lose all that it knows but its settings, address and key, as when its process
    /// ends and begins again. Its events stay.
    ///
    /// # Panics
    ///
    /// Never: its settings were good before.
    pub fn restart(&mut self, index: usize) {
        let seed = self.random.bytes();
        let slot = &mut self.nodes[index];
        let config = slot.node.config().clone();
        let made = Node::new(config, slot.identity.clone(), seed, self.now);
        slot.node = made.expect("its settings were good before");
    }

    /// Adds a station that only collects datagrams, for a peer that the test plays itself.
    pub fn add_station(&mut self, address: SocketAddr) {
        self.stations.entry(address).or_default();
    }

    /// Now.
    pub fn now(&self) -> Time {
        self.now
    }

    /// How many nodes there are.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// A node, to look at. To change it use `with`.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index].node
    }

    /// A node's own address.
    pub fn address(&self, index: usize) -> SocketAddr {
        self.nodes[index].address
    }

    /// A node's peer id.
    pub fn peer(&self, index: usize) -> PeerId {
        self.nodes[index].peer
    }

    /// Everything that happened to a node and was not taken.
    pub fn events(&self, index: usize) -> &[Happened] {
        &self.nodes[index].events
    }

    /// Takes everything that happened to a node.
    pub fn take_events(&mut self, index: usize) -> Vec<Happened> {
        std::mem::take(&mut self.nodes[index].events)
    }

    /// Takes what a scripted station received.
    pub fn take_inbox(&mut self, station: SocketAddr) -> Vec<Inbox> {
        self.stations.get_mut(&station).map(std::mem::take).unwrap_or_default()
    }

    /// Calls a node, then drains it: the law of the loop.
    pub fn with<R>(&mut self, index: usize, call: impl FnOnce(&mut Node, Time) -> R) -> R {
        let result = call(&mut self.nodes[index].node, self.now);
        self.drain(index, &[]);
        result
    }

    /// `Node::connect` to another node, at the address that others see for it, with v1 unless one
    /// of them speaks v0 only.
    ///
    /// # Errors
    ///
    /// As the node says.
    pub fn connect(&mut self, index: usize, to: usize) -> Result<ConnectionHandle, Error> {
        let (peer, address) = (self.peer(to), self.network.seen_as(self.address(to)));
        let is_plain = |index: usize| self.node(index).config().legacy == Legacy::Only;
        let dial = match is_plain(index) || is_plain(to) {
            true => Dial::v0(peer, address),
            false => Dial::v1(peer, address),
        };
        self.dial(index, &dial)
    }

    /// `Node::connect`.
    ///
    /// # Errors
    ///
    /// As the node says.
    pub fn dial(&mut self, index: usize, dial: &Dial) -> Result<ConnectionHandle, Error> {
        self.with(index, |node, now| node.connect(now, dial))
    }

    /// `Node::open_channel` with default settings.
    ///
    /// # Errors
    ///
    /// As the node says.
    pub fn open(
        &mut self,
        index: usize,
        connection: ConnectionHandle,
    ) -> Result<ChannelHandle, Error> {
        self.with(index, |node, now| node.open_channel(now, connection, &ChannelConfig::default()))
    }

    /// `Node::send`.
    ///
    /// # Errors
    ///
    /// As the node says.
    pub fn send(
        &mut self,
        index: usize,
        channel: ChannelHandle,
        message: &[u8],
    ) -> Result<(), Error> {
        self.with(index, |node, now| node.send(now, channel, message))
    }

    /// The oldest message that waits on a channel, whole.
    pub fn receive(&mut self, index: usize, channel: ChannelHandle) -> Option<Vec<u8>> {
        let len = self.node(index).next_message_bytes(channel).ok()?;
        let mut out = vec![0; len];
        let received = self.with(index, |node, now| node.receive(now, channel, &mut out)).ok()?;
        out.truncate(received.len);
        Some(out)
    }

    /// Every message that waits on a channel.
    pub fn receive_all(&mut self, index: usize, channel: ChannelHandle) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.receive(index, channel)).collect()
    }

    /// Hands a buffer of datagrams to a node at once, past the network.
    pub fn feed(&mut self, index: usize, from: &Receive, data: &[u8]) {
        let mut opened = data.to_vec();
        self.nodes[index].node.handle_datagram(self.now, from, &mut opened);
        self.drain(index, &opened);
    }

    /// Puts a datagram on its way from a station (or anything) to an address.
    pub fn inject(&mut self, station: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        // A link that reports its MTU has no one to report to here.
        let _unreported = self.network.send(self.now, station, to, bytes, Ecn::Unable);
    }

    /// Connects `from` to `to`, opens a channel, and waits until both report it.
    ///
    /// # Panics
    ///
    /// When that takes more than 100 s: the links are good enough in tests that use this.
    pub fn establish(&mut self, from: usize, to: usize) -> Pair {
        let seen = self.nodes[to].events.len();
        let connection = self.connect(from, to).expect("the table has room");
        let channel = self.open(from, connection).expect("the table has room");
        let found = self.run_until(Duration::from_secs(100), |world| {
            world.opened(from, 0).contains(&(connection, channel, false))
                && world.opened(to, seen).iter().any(|opened| opened.2)
        });
        assert!(found, "no channel from {from} to {to}: {:?}", self.events(from));
        let opened = self.opened(to, seen);
        let (peer_connection, peer_channel, _) =
            opened.into_iter().find(|opened| opened.2).expect("found above");
        Pair { connection, channel, peer_connection, peer_channel }
    }

    /// Lets time pass until nothing is left to do before `span` has passed.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
    }

    /// Lets time pass until `done` says so; whether it did within `limit`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&World) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(end) {
                return done(self);
            }
        }
    }

    /// Goes to the next thing that happens, and does it. False when nothing happens before `end`;
    /// then it is `end`.
    ///
    /// # Panics
    ///
    /// When a node keeps asking for a time that has come already: that is a bug of the node.
    pub fn step(&mut self, end: Time) -> bool {
        let timeouts = self.nodes.iter().filter_map(|slot| slot.node.poll_timeout());
        let next = timeouts.chain(self.network.next_arrival()).min();
        let Some(next) = next.filter(|&next| next <= end) else {
            self.move_to(end);
            return false;
        };
        self.move_to(next);
        self.steps_at_now += 1;
        assert!(
            self.steps_at_now < STEPS_AT_ONE_TIME_MAX,
            "a node never sleeps at {}: timeouts {:?}",
            self.now,
            self.nodes.iter().map(|slot| slot.node.poll_timeout()).collect::<Vec<_>>()
        );
        while self.deliver() {}
        for index in 0..self.nodes.len() {
            let due = self.nodes[index].node.poll_timeout().is_some_and(|at| at <= self.now);
            if due {
                self.with(index, Node::handle_timeout);
            }
        }
        true
    }

    /// The channels that a node reported as opened in its events from number `first` on.
    pub fn opened(
        &self,
        index: usize,
        first: usize,
    ) -> Vec<(ConnectionHandle, ChannelHandle, bool)> {
        let events = self.nodes[index].events.iter().skip(first);
        events
            .filter_map(|happened| {
                let Event::ChannelOpened { connection, channel, by_peer } = happened.event else {
                    return None;
                };
                Some((connection, channel, by_peer))
            })
            .collect()
    }

    fn move_to(&mut self, time: Time) {
        if time > self.now {
            self.now = time;
            self.steps_at_now = 0;
        }
    }

    /// Hands over the next datagrams that have arrived: as many of one sender as go into one
    /// buffer.
    fn deliver(&mut self) -> bool {
        let Some(first) = self.network.arrive(self.now) else {
            return false;
        };
        let Some(&index) = self.places.get(&first.to) else {
            if let Some(inbox) = self.stations.get_mut(&first.to) {
                inbox.push(Inbox { at: first.at, from: first.from, bytes: first.bytes });
            }
            return true;
        };
        let stride = first.bytes.len().max(1);
        let mut data = first.bytes;
        for _ in 1..self.gro_max {
            let joins = self.network.peek(self.now).is_some_and(|next| {
                let is_like = next.ecn == first.ecn && next.bytes.len() <= stride;
                is_like && next.from == first.from && next.to == first.to
            });
            // A shorter datagram is the last of its buffer.
            if !joins || data.len() % stride != 0 || data.is_empty() {
                break;
            }
            let next = self.network.arrive(self.now).expect("peeked above");
            data.extend_from_slice(&next.bytes);
        }
        let (local, ecn) = (Local::default(), first.ecn.into());
        let receive = Receive { from: first.from, local, stride, ecn };
        self.feed(index, &receive, &data);
        true
    }

    /// Takes every event and every transmit of a node. `lent` is what it was given last.
    fn drain(&mut self, index: usize, lent: &[u8]) {
        let mut transmits = 0;
        loop {
            self.drain_events(index, lent);
            let slot = &mut self.nodes[index];
            let Some(transmit) = slot.node.poll_transmit(self.now, &mut slot.transmit) else {
                break;
            };
            transmits += 1;
            assert!(transmits < TRANSMITS_AT_ONCE_MAX, "node {index} never stops sending");
            assert!(transmit.len > 0 && transmit.segment_size > 0, "{transmit:?}");
            let bytes = &slot.transmit[..transmit.len];
            for datagram in bytes.chunks(transmit.segment_size) {
                let (from, to) = (slot.address, transmit.to);
                let sent = self.network.send(self.now, from, to, datagram, transmit.ecn.into());
                if let Err(error) = sent {
                    slot.node.handle_send_error(self.now, &transmit, error);
                    break;
                }
            }
        }
        self.drain_events(index, lent);
    }

    fn drain_events(&mut self, index: usize, lent: &[u8]) {
        let slot = &mut self.nodes[index];
        while let Some(event) = slot.node.poll_event() {
            let mut copy = Vec::new();
            if let Event::Message { bytes, .. } | Event::Datagram { bytes, .. } = &event {
                copy.extend_from_slice(&lent[bytes.clone()]);
            }
            // To a program the two are the same, as the engine has it.
            let event = if let Event::Assembled { connection, channel, bytes } = event {
                copy = bytes;
                Event::Message { connection, channel, bytes: 0..copy.len() }
            } else {
                event
            };
            self.network.write_trace(&format!("{} node {index} {event:?}", self.now));
            slot.events.push(Happened { at: self.now, event, bytes: copy });
        }
    }
}
