//! Two nodes in one thread, datagrams handed over directly, the clock standing still.

use std::net::SocketAddr;

use channeler::config::{ChannelConfig, Legacy, NodeConfig};
use channeler::id::{ChannelHandle, ConnectionHandle, PeerId};
use channeler::io::{Event, Local, Receive};
use channeler::node::{Dial, Node};
use channeler::time::Time;

/// The nodes, and what they have reported so far.
pub(crate) struct Pair {
    pub(crate) nodes: [Node; 2],
    pub(crate) ids: [PeerId; 2],
    /// Where each node is.
    pub(crate) addresses: [SocketAddr; 2],
    /// Channels reported open and not taken from here yet, per node.
    pub(crate) opened: [Vec<ChannelHandle>; 2],
    /// Messages received, per node, and their bytes.
    pub(crate) messages: [usize; 2],
    pub(crate) bytes: [usize; 2],
    pub(crate) now: Time,
    buffer: Vec<u8>,
}

impl Pair {
    /// Nodes with settings that `change` may change.
    pub(crate) fn new(change: impl Fn(&mut NodeConfig)) -> Pair {
        let ids = [PeerId([1; 16]), PeerId([2; 16])];
        let node = |id: PeerId| {
            let mut config = NodeConfig::new(id);
            config.legacy = Legacy::Only;
            config.lend_messages = true;
            change(&mut config);
            Node::new(config, None, [id.0[0]; 32], Time::ZERO).expect("good settings")
        };
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Pair {
            nodes: ids.map(node),
            ids,
            addresses: [1, 2].map(address),
            opened: [const { Vec::new() }; 2],
            messages: [0; 2],
            bytes: [0; 2],
            now: Time::ZERO,
            buffer: Vec::new(),
        }
    }

    /// Begins a connection from the first node to the second.
    pub(crate) fn connect(&mut self) -> ConnectionHandle {
        let (peer, address) = (self.ids[1], self.addresses[1]);
        self.nodes[0].connect(self.now, &Dial::v0(peer, address)).expect("room")
    }

    /// Begins to open a channel of the first node's.
    pub(crate) fn open(&mut self, connection: ConnectionHandle) -> ChannelHandle {
        self.nodes[0].open_channel(self.now, connection, &ChannelConfig::default()).expect("room")
    }

    /// Carries datagrams and counts events until neither side has anything to say.
    pub(crate) fn settle(&mut self) {
        while self.carry(0) | self.carry(1) {}
    }

    /// What one node has to send, to the other; then both nodes' events. Whether there was
    /// anything.
    pub(crate) fn carry(&mut self, from: usize) -> bool {
        let mut is_busy = false;
        let address = self.addresses[from];
        while let Some(transmit) = self.nodes[from].poll_transmit(self.now, &mut self.buffer) {
            is_busy = true;
            let from_there = Receive {
                from: address,
                local: Local::default(),
                stride: transmit.segment_size,
                ecn: transmit.ecn,
            };
            let data = &mut self.buffer[..transmit.len];
            self.nodes[1 - from].handle_datagram(self.now, &from_there, data);
            self.drain_events(1 - from);
        }
        self.drain_events(from);
        is_busy
    }

    fn drain_events(&mut self, side: usize) {
        while let Some(event) = self.nodes[side].poll_event() {
            match event {
                Event::Message { bytes, .. } => {
                    self.messages[side] += 1;
                    self.bytes[side] += bytes.len();
                }
                Event::ChannelOpened { channel, .. } => self.opened[side].push(channel),
                Event::ConnectionRequest { .. }
                | Event::Connected { .. }
                | Event::ConnectionClosed { .. }
                | Event::ChannelFinished { .. }
                | Event::MessageDelivered { .. }
                | Event::MessageLost { .. }
                | Event::MessagesSkipped { .. }
                | Event::Assembled { .. }
                | Event::ChannelClosed { .. }
                | Event::Readable { .. }
                | Event::Writable { .. }
                | Event::PathChanged { .. }
                | Event::PathUnreachable { .. }
                | Event::PacketSizeReduced { .. }
                | Event::Packet { .. }
                | Event::Datagram { .. } => {}
            }
        }
    }
}
