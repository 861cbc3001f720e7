//! What an idle connection and an idle channel cost in heap memory, on one side.

use std::net::SocketAddr;

use channeler::config::{ChannelConfig, Legacy, NodeConfig};
use channeler::id::PeerId;
use channeler::io::{Event, Local, Receive};
use channeler::node::{Dial, Node};
use channeler::time::Time;

use crate::alloc;
use crate::harness::Run;
use crate::report::{Better, Row, Target};

const CHANNEL_BYTES_MAX: f64 = 512.0;
const CONNECTION_BYTES_MAX: f64 = 2_048.0;

/// A connection has 65,535 channels of each opener at most, so the channels are spread.
const PEERS_OF_CHANNELS: usize = 10;

pub(crate) fn measure(run: &mut Run) {
    if run.begins("v0.bytes.channel") {
        let mut star = Star::new(PEERS_OF_CHANNELS);
        // The connections themselves, each with one channel, come before.
        star.open(1);
        let each = run.count(100_000) / PEERS_OF_CHANNELS;
        let value = star.open(each) as f64 / (each * PEERS_OF_CHANNELS) as f64;
        add(run, "v0.bytes.channel", value, CHANNEL_BYTES_MAX);
    }
    if run.begins("v0.bytes.connection") {
        let mut star = Star::new(run.count(10_000));
        // One of the channels that follow each connection is its own.
        let with_channel = star.open(1);
        let value = with_channel as f64 / star.peers.len() as f64;
        add(run, "v0.bytes.connection", value, CONNECTION_BYTES_MAX);
    }
}

fn add(run: &mut Run, name: &'static str, value: f64, most: f64) {
    let (better, target) = (Better::Lower, Target::Value(most));
    run.add(Row { name, value, unit: "bytes", better, baseline: None, target });
}

/// One node that many peers open channels to. Only what the node in the middle allocates is
/// counted.
struct Star {
    middle: Node,
    peers: Vec<Node>,
    buffer: Vec<u8>,
    grown: isize,
    opened: usize,
    messages: usize,
}

impl Star {
    fn new(peers: usize) -> Star {
        let node = |number: u32| {
            let mut config = NodeConfig::new(peer_id(number));
            config.legacy = Legacy::Only;
            config.lend_messages = true;
            config.connections_per_address_max = peers;
            let mut seed = [7; 32];
            seed[..4].copy_from_slice(&number.to_be_bytes());
            Node::new(config, None, seed, Time::ZERO).expect("good settings")
        };
        let count = u32::try_from(peers).expect("few");
        Star {
            middle: node(0),
            peers: (1..=count).map(node).collect(),
            buffer: Vec::new(),
            grown: 0,
            opened: 0,
            messages: 0,
        }
    }

    /// Each peer opens `count` channels and sends a message on each, and gets one back. Returns by
    /// how much the node in the middle grew.
    fn open(&mut self, count: usize) -> isize {
        let before = (self.grown, self.opened, self.messages);
        for index in 0..self.peers.len() {
            let mut left = count;
            while left > 0 {
                let burst = left.min(500);
                self.open_some(index, burst);
                left -= burst;
            }
        }
        let expected = count * self.peers.len();
        assert_eq!(self.opened - before.1, expected, "every channel opens");
        assert_eq!(self.messages - before.2, expected, "every channel carried a message");
        assert_eq!(self.middle.stats().send_queue_bytes, 0, "nothing waits: all is idle");
        self.grown - before.0
    }

    fn open_some(&mut self, index: usize, count: usize) {
        let config = ChannelConfig::default();
        let peer = &mut self.peers[index];
        let connection =
            peer.connect(Time::ZERO, &Dial::v0(peer_id(0), address(0))).expect("there is room");
        for _ in 0..count {
            let channel = peer.open_channel(Time::ZERO, connection, &config).expect("room");
            peer.send(Time::ZERO, channel, &[1; 64]).expect("room for an early message");
        }
        while self.carry_in(index) | self.carry_out(index) {}
    }

    /// From a peer to the middle.
    fn carry_in(&mut self, index: usize) -> bool {
        let mut is_busy = false;
        let number = u32::try_from(index + 1).expect("few");
        let peer = &mut self.peers[index];
        while let Some(transmit) = peer.poll_transmit(Time::ZERO, &mut self.buffer) {
            is_busy = true;
            let local = Local::default();
            let stride = transmit.segment_size;
            let from = Receive { from: address(number), local, stride, ecn: Default::default() };
            let live = alloc::live_bytes();
            self.middle.handle_datagram(Time::ZERO, &from, &mut self.buffer[..transmit.len]);
            while let Some(event) = self.middle.poll_event() {
                if let Event::Message { channel, .. } = event {
                    self.messages += 1;
                    self.middle.send(Time::ZERO, channel, &[2; 64]).expect("room");
                }
                self.opened += usize::from(matches!(event, Event::ChannelOpened { .. }));
            }
            self.grown += difference(alloc::live_bytes(), live);
        }
        while peer.poll_event().is_some() {}
        is_busy
    }

    /// From the middle to a peer: to the only one that spoke.
    fn carry_out(&mut self, index: usize) -> bool {
        let mut is_busy = false;
        loop {
            let live = alloc::live_bytes();
            let transmit = self.middle.poll_transmit(Time::ZERO, &mut self.buffer);
            self.grown += difference(alloc::live_bytes(), live);
            let Some(transmit) = transmit else { return is_busy };
            is_busy = true;
            let stride = transmit.segment_size;
            let from = Receive {
                from: address(0),
                local: Local::default(),
                stride,
                ecn: Default::default(),
            };
            self.peers[index].handle_datagram(Time::ZERO, &from, &mut self.buffer[..transmit.len]);
        }
    }
}

fn difference(after: usize, before: usize) -> isize {
    after.wrapping_sub(before) as isize
}

fn peer_id(number: u32) -> PeerId {
    let mut id = [0x40; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    PeerId(id)
}

fn address(number: u32) -> SocketAddr {
    let [_, high, middle, low] = number.to_be_bytes();
    SocketAddr::from(([10, high, middle, low.max(1)], 4_000 + (number % 1_000) as u16))
}
