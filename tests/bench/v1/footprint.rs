//! What an idle connection, and an idle channel, cost in heap memory, on one side.

use std::net::SocketAddr;
use std::time::Duration;

use channeler::config::{ChannelConfig, NodeConfig};
use channeler::crypto::Identity;
use channeler::id::{Capabilities, ConnectionHandle, PeerId};
use channeler::info::Dial;
use channeler::io::{Event, Local, Receive};
use channeler::node::Node;
use channeler::time::Time;

use crate::alloc;
use crate::harness::Run;
use crate::report::{Better, Row, Target};

/// What issue 4 asks for; it aims at half of that.
const CONNECTION_BYTES_MAX: f64 = 12_288.0;

/// What issue 5 asks for; it aims at a quarter of that.
const CHANNEL_BYTES_MAX: f64 = 512.0;

/// Silence after which a connection is idle: every timer but the idle timeout's has run.
const SILENCE: Duration = Duration::from_secs(40);

pub(super) fn measure(run: &mut Run) {
    if run.begins("v1.bytes.connection") {
        let count = run.count(2_000);
        let sides = [Dialler::Peers, Dialler::Middle].map(|dialler| {
            let mut star = Star::new(count, dialler);
            star.connect_all();
            let busy = star.grown;
            star.rest();
            let [busy, idle] = [busy, star.grown].map(|grown| grown as f64 / count as f64);
            eprintln!("  {dialler:?} dial: {busy:.0} bytes at first, {idle:.0} idle");
            idle
        });
        let value = sides[0].max(sides[1]);
        let (name, better) = ("v1.bytes.connection", Better::Lower);
        let target = Target::Value(CONNECTION_BYTES_MAX);
        run.add(Row { name, value, unit: "bytes", better, baseline: None, target });
    }
    if run.begins("v1.bytes.channel") {
        let count = run.count(10_000);
        let sides = [Dialler::Peers, Dialler::Middle].map(|dialler| {
            let mut star = Star::new(1, dialler);
            star.connect_all();
            star.rest();
            let before = star.grown;
            star.open_channels(count);
            star.rest();
            assert_eq!(star.messages, 2 * (count + 1), "a message each way on each channel");
            let idle = (star.grown - before) as f64 / count as f64;
            eprintln!("  {dialler:?} open: {idle:.0} bytes idle");
            idle
        });
        let value = sides[0].max(sides[1]);
        let (name, better) = ("v1.bytes.channel", Better::Lower);
        let target = Target::Value(CHANNEL_BYTES_MAX);
        run.add(Row { name, value, unit: "bytes", better, baseline: None, target });
    }
}

/// Who begins the connections between the middle and the peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialler {
    Peers,
    Middle,
}

/// One node that is connected with many peers, with a channel each. Only what the node in the
/// middle allocates is counted.
struct Star {
    middle: Node,
    peers: Vec<Node>,
    ids: Vec<PeerId>,
    dialler: Dialler,
    connection: Option<ConnectionHandle>,
    now: Time,
    buffer: Vec<u8>,
    grown: isize,
    messages: usize,
}

impl Star {
    fn new(peers: usize, dialler: Dialler) -> Star {
        let count = u32::try_from(peers).expect("few");
        let nodes = (0..=count).map(|number| node(number, peers));
        let (ids, mut nodes): (Vec<PeerId>, Vec<Node>) = nodes.unzip();
        let middle = nodes.remove(0);
        let (buffer, now) = (Vec::new(), Time::ZERO);
        let (peers, connection) = (nodes, None);
        Star { middle, peers, ids, dialler, connection, now, buffer, grown: 0, messages: 0 }
    }

    /// Every connection carries a message each way on a channel of its own.
    fn connect_all(&mut self) {
        for index in 0..self.peers.len() {
            let live = alloc::live_bytes();
            let (node, peer, address) = match self.dialler {
                Dialler::Peers => (&mut self.peers[index], self.ids[0], address(0)),
                Dialler::Middle => (&mut self.middle, self.ids[index + 1], address(index + 1)),
            };
            let connection = node.connect(self.now, &Dial::v1(peer, address)).expect("room");
            let config = ChannelConfig::default();
            self.connection = Some(connection);
            let channel = node.open_channel(self.now, connection, &config).expect("room");
            node.send(self.now, channel, &[1; 64]).expect("room for an early message");
            if self.dialler == Dialler::Middle {
                self.grown += difference(alloc::live_bytes(), live);
            }
            while self.carry(index) {}
        }
        assert_eq!(self.messages, 2 * self.peers.len(), "a message each way");
    }

    /// Opens channels on the last connection, each of which carries a message each way. The last of
    /// them may not have arrived yet.
    fn open_channels(&mut self, count: usize) {
        let connection = self.connection.expect("there is one");
        let mode = Capabilities::KNOWN;
        let config = ChannelConfig { capabilities: mode, ..ChannelConfig::default() };
        for _ in 0..count {
            let live = alloc::live_bytes();
            let node = match self.dialler {
                Dialler::Peers => self.peers.last_mut().expect("there is a peer"),
                Dialler::Middle => &mut self.middle,
            };
            let channel = node.open_channel(self.now, connection, &config).expect("room");
            node.send(self.now, channel, &[1; 64]).expect("room");
            if self.dialler == Dialler::Middle {
                self.grown += difference(alloc::live_bytes(), live);
            }
            while self.carry(self.peers.len() - 1) {}
        }
    }

    /// Lets timers run until nobody has had anything to say for long.
    fn rest(&mut self) {
        let until = self.now + SILENCE;
        let next = |star: &Star| {
            let nodes = star.peers.iter().chain([&star.middle]);
            nodes.filter_map(Node::poll_timeout).min().filter(|&time| time < until)
        };
        while let Some(time) = next(self) {
            self.now = time.max(self.now);
            let live = alloc::live_bytes();
            self.middle.handle_timeout(self.now);
            self.grown += difference(alloc::live_bytes(), live);
            for index in 0..self.peers.len() {
                self.peers[index].handle_timeout(self.now);
                while self.carry(index) {}
            }
        }
        self.now = until;
    }

    /// What a peer and the middle have to send. Whether there was anything.
    fn carry(&mut self, index: usize) -> bool {
        self.carry_in(index) | self.carry_out()
    }

    fn carry_in(&mut self, index: usize) -> bool {
        let mut is_busy = false;
        while let Some(transmit) = self.peers[index].poll_transmit(self.now, &mut self.buffer) {
            is_busy = true;
            let from = receive(index + 1, transmit.segment_size);
            let live = alloc::live_bytes();
            let data = &mut self.buffer[..transmit.len];
            self.middle.handle_datagram(self.now, &from, data);
            self.messages += answer(&mut self.middle, self.now, self.dialler == Dialler::Peers);
            self.grown += difference(alloc::live_bytes(), live);
        }
        is_busy
    }

    fn carry_out(&mut self) -> bool {
        let mut is_busy = false;
        loop {
            let live = alloc::live_bytes();
            let transmit = self.middle.poll_transmit(self.now, &mut self.buffer);
            self.grown += difference(alloc::live_bytes(), live);
            let Some(transmit) = transmit else { return is_busy };
            is_busy = true;
            let index = (0..self.peers.len()).find(|&index| address(index + 1) == transmit.to);
            let peer = &mut self.peers[index.expect("a peer's address")];
            let data = &mut self.buffer[..transmit.len];
            peer.handle_datagram(self.now, &receive(0, transmit.segment_size), data);
            self.messages += answer(peer, self.now, self.dialler == Dialler::Middle);
        }
    }
}

/// Takes a node's events, and answers messages if `is_asked`. Returns how many there were.
fn answer(node: &mut Node, now: Time, is_asked: bool) -> usize {
    let mut messages = 0;
    while let Some(event) = node.poll_event() {
        if let Event::Message { channel, .. } = event {
            messages += 1;
            if is_asked {
                node.send(now, channel, &[2; 64]).expect("room");
            }
        }
        assert!(!matches!(event, Event::ConnectionClosed { .. }), "{event:?}");
    }
    messages
}

fn node(number: u32, peers: usize) -> (PeerId, Node) {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    let identity = Identity::from_seed(seed);
    let id = identity.peer_id();
    let mut config = NodeConfig::new(id);
    config.lend_messages = true;
    config.connections_per_address_max = peers;
    config.peer_channels_max = 20_000;
    (id, Node::new(config, Some(identity), seed, Time::ZERO).expect("good settings"))
}

fn receive(number: usize, stride: usize) -> Receive {
    Receive { from: address(number), local: Local::default(), stride, ecn: Default::default() }
}

fn difference(after: usize, before: usize) -> isize {
    after.wrapping_sub(before) as isize
}

fn address(number: usize) -> SocketAddr {
    let [.., high, middle, low] = number.to_be_bytes();
    SocketAddr::from(([10, high, middle, low], 4_000))
}
