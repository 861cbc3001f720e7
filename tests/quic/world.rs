//! QUIC endpoints on a virtual clock and a seeded network: the law of the loop, kept for tests.

use std::net::SocketAddr;
use std::time::Duration;

use channeler::crypto::Identity;
use channeler::id::PeerId;
use channeler::io::{EcnMark, Local, Receive};
use channeler::quic::{Quic, QuicConfig, QuicEvent, TeamId, Trust};
use channeler::sim::{Ecn, Network};
use channeler::time::Time;

use super::raw::RawPeer;

pub(crate) const TEAM: TeamId = TeamId([7; 32]);

/// When worlds begin, as the calendar has it: 2027.
pub(crate) const UNIX: Duration = Duration::from_secs(1_800_000_000);

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) now: Time,
    pub(crate) nodes: Vec<Node>,
    steps_at_now: u32,
}

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) end: End,
    pub(crate) events: Vec<QuicEvent>,
}

#[expect(clippy::large_enum_variant, reason = "tests have a handful of them")]
pub(crate) enum End {
    Ours(Quic),
    Raw(RawPeer),
}

pub(crate) fn identity(number: usize) -> Identity {
    Identity::from_seed([number as u8 + 1; 32])
}

/// Node `number` when the first 64 know each other.
pub(crate) fn config(number: usize) -> QuicConfig {
    let peers: Vec<PeerId> = (0..64).map(|number| identity(number).peer_id()).collect();
    QuicConfig::new(Trust::RawKeys { identity: identity(number), peers })
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let now = Time::from_nanos(1_000_000_000);
        World { network: Network::new(seed), now, nodes: Vec::new(), steps_at_now: 0 }
    }

    /// `count` nodes that know each other.
    pub(crate) fn with(seed: u64, count: usize, change: impl Fn(&mut QuicConfig)) -> World {
        let mut world = World::new(seed);
        for number in 0..count {
            let mut config = config(number);
            change(&mut config);
            world.add(config);
        }
        world
    }

    pub(crate) fn add(&mut self, config: QuicConfig) -> usize {
        let number = self.nodes.len();
        let quic = Quic::new(config, [number as u8; 32], self.now, UNIX).expect("good settings");
        self.push(End::Ours(quic))
    }

    pub(crate) fn add_raw(&mut self) -> usize {
        let number = self.nodes.len();
        let raw = RawPeer::new(&identity(number), self.now);
        self.push(End::Raw(raw))
    }

    fn push(&mut self, end: End) -> usize {
        let number = self.nodes.len();
        let address = SocketAddr::from(([10, 0, 0, number as u8 + 1], 4_000));
        self.nodes.push(Node { address, end, events: Vec::new() });
        number
    }

    pub(crate) fn address(&self, number: usize) -> SocketAddr {
        self.nodes[number].address
    }

    pub(crate) fn quic(&self, number: usize) -> &Quic {
        match &self.nodes[number].end {
            End::Ours(quic) => quic,
            End::Raw(_) => panic!("node {number} is none of ours"),
        }
    }

    /// Calls one of our nodes, then drains it.
    pub(crate) fn call<R>(&mut self, number: usize, call: impl FnOnce(&mut Quic, Time) -> R) -> R {
        let now = self.now;
        let result = match &mut self.nodes[number].end {
            End::Ours(quic) => call(quic, now),
            End::Raw(_) => panic!("node {number} is none of ours"),
        };
        self.drain(number);
        result
    }

    /// Calls a raw peer, then drains it.
    pub(crate) fn raw<R>(
        &mut self,
        number: usize,
        call: impl FnOnce(&mut RawPeer, Time) -> R,
    ) -> R {
        let now = self.now;
        let result = match &mut self.nodes[number].end {
            End::Raw(raw) => call(raw, now),
            End::Ours(_) => panic!("node {number} is one of ours"),
        };
        self.drain(number);
        result
    }

    pub(crate) fn send(&mut self, from: usize, to: usize, label: &str, message: &[u8]) {
        let address = self.address(to);
        let sent = self.call(from, |quic, now| quic.send(now, address, TEAM, label, message));
        assert_eq!(sent, Ok(()));
    }

    /// All messages that wait, with sender's address and label.
    pub(crate) fn receive_all(&mut self, number: usize) -> Vec<(SocketAddr, String, Vec<u8>)> {
        self.call(number, |quic, now| {
            let mut found = Vec::new();
            while let Some(waiting) = quic.next_message() {
                assert_eq!(waiting.team_id, TEAM);
                found.push((waiting.address, waiting.label.to_owned(), waiting.message.to_vec()));
                quic.pop_message(now);
            }
            found
        })
    }

    pub(crate) fn take_events(&mut self, number: usize) -> Vec<QuicEvent> {
        std::mem::take(&mut self.nodes[number].events)
    }

    /// The only end of a connection that happened to a node.
    pub(crate) fn closed(&self, number: usize) -> &QuicEvent {
        let is_end = |event: &&QuicEvent| matches!(event, QuicEvent::ConnectionClosed { .. });
        let mut ends = self.nodes[number].events.iter().filter(is_end);
        let end = ends.next().unwrap_or_else(|| panic!("{:?}", self.nodes[number].events));
        assert_eq!(ends.next(), None);
        end
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time pass until `done`, at most `limit`.
    pub(crate) fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut World) -> bool) {
        let end = self.now + limit;
        while !done(self) {
            assert!(self.step(end), "it did not come to pass by {end}");
        }
    }

    /// A node sleeps for so long, as a machine may, and then hears all at once what came meanwhile
    /// and that its time is over.
    pub(crate) fn stall(&mut self, number: usize, span: Duration) {
        let end = self.now + span;
        let mut missed = Vec::new();
        while let Some(next) = self.network.next_arrival().filter(|next| *next <= end) {
            self.now = next;
            while let Some(arrival) = self.network.arrive(next) {
                if arrival.to == self.nodes[number].address {
                    missed.push(arrival);
                    continue;
                }
                let found = self.nodes.iter().position(|node| node.address == arrival.to);
                let other = found.expect("nobody else is there");
                self.nodes[other].end.handle(next, arrival.from, arrival.ecn, &arrival.bytes);
                self.drain(other);
            }
        }
        self.now = end;
        let sleeper = &mut self.nodes[number].end;
        for arrival in missed {
            sleeper.handle(end, arrival.from, arrival.ecn, &arrival.bytes);
        }
        sleeper.handle_timeout(end);
        self.drain(number);
    }

    /// Until all have what they were sent: nobody has anything more to do for a second.
    pub(crate) fn settle(&mut self) {
        self.run(Duration::from_secs(1));
    }

    /// The next thing that happens by `end`, if anything does.
    fn step(&mut self, end: Time) -> bool {
        let timeouts = self.nodes.iter_mut().filter_map(|node| node.end.timeout()).min();
        let next = self.network.next_arrival().into_iter().chain(timeouts).min();
        let Some(next) = next.map(|next| next.max(self.now)).filter(|next| *next <= end) else {
            return false;
        };
        self.steps_at_now = if next == self.now { self.steps_at_now + 1 } else { 0 };
        assert!(self.steps_at_now < 200_000, "somebody never sleeps");
        self.now = next;
        while let Some(arrival) = self.network.arrive(next) {
            let found = self.nodes.iter().position(|node| node.address == arrival.to);
            let Some(number) = found else { continue };
            self.nodes[number].end.handle(next, arrival.from, arrival.ecn, &arrival.bytes);
            self.drain(number);
        }
        for number in 0..self.nodes.len() {
            if self.nodes[number].end.timeout().is_some_and(|at| at <= next) {
                self.nodes[number].end.handle_timeout(next);
                self.drain(number);
            }
        }
        true
    }

    fn drain(&mut self, number: usize) {
        let mut buf = Vec::new();
        let node = &mut self.nodes[number];
        while let Some((to, segment, ecn)) = node.end.transmit(self.now, &mut buf) {
            for datagram in buf.chunks(segment) {
                let _too_large = self.network.send(self.now, node.address, to, datagram, ecn);
            }
        }
        if let End::Ours(quic) = &mut node.end {
            while let Some(event) = quic.poll_event() {
                node.events.push(event);
            }
        }
    }
}

impl End {
    fn timeout(&mut self) -> Option<Time> {
        match self {
            End::Ours(quic) => quic.poll_timeout(),
            End::Raw(raw) => raw.timeout(),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        match self {
            End::Ours(quic) => quic.handle_timeout(now),
            End::Raw(raw) => raw.handle_timeout(now),
        }
    }

    fn handle(&mut self, now: Time, from: SocketAddr, ecn: Ecn, bytes: &[u8]) {
        match self {
            End::Ours(quic) => {
                let ecn = match ecn {
                    Ecn::Unable => EcnMark::None,
                    Ecn::Capable => EcnMark::Ect0,
                    Ecn::Marked => EcnMark::Ce,
                };
                let local = Local::default();
                let from = Receive { from, local, stride: bytes.len(), ecn };
                quic.handle_datagram(now, &from, bytes);
            }
            End::Raw(raw) => raw.handle(now, from, bytes),
        }
    }

    /// Puts the next datagrams in `buf`; returns where they go and the size of each.
    fn transmit(&mut self, now: Time, buf: &mut Vec<u8>) -> Option<(SocketAddr, usize, Ecn)> {
        match self {
            End::Ours(quic) => {
                let transmit = quic.poll_transmit(now, buf)?;
                buf.truncate(transmit.len);
                let ecn = match transmit.ecn {
                    EcnMark::None => Ecn::Unable,
                    EcnMark::Ect0 | EcnMark::Ect1 => Ecn::Capable,
                    EcnMark::Ce => Ecn::Marked,
                };
                Some((transmit.to, transmit.segment_size, ecn))
            }
            End::Raw(raw) => {
                let (to, size) = raw.transmit(now, buf)?;
                Some((to, size, Ecn::Unable))
            }
        }
    }
}
