//! Aim: two nodes in one thread open a channel and exchange messages. Method: hand over datagrams
//! directly, on a clock that stands still.

use std::net::SocketAddr;

use channeler::config::{ChannelConfig, Legacy, NodeConfig};
use channeler::id::PeerId;
use channeler::io::{Event, Local, Receive};
use channeler::node::{Dial, Node};
use channeler::time::Time;

#[test]
fn two_nodes_open_a_channel_and_exchange_messages() {
    let mut pair = Pair::new();
    let connection =
        pair.nodes[0].connect(Time::ZERO, &Dial::v0(pair.ids[1], pair.addresses[1])).expect("room");
    let channel = pair.nodes[0]
        .open_channel(Time::ZERO, connection, &ChannelConfig::default())
        .expect("room");
    pair.nodes[0].send(Time::ZERO, channel, b"early").expect("room");
    let events = pair.settle();
    assert!(events[0].contains(&Event::ChannelOpened { connection, channel, by_peer: false }));
    let theirs = events[1]
        .iter()
        .find_map(|event| {
            let Event::ChannelOpened { channel, by_peer: true, .. } = event else { return None };
            Some(*channel)
        })
        .expect("the responder is told");
    let mut out = [0; 100];
    let got = pair.nodes[1].receive(Time::ZERO, theirs, &mut out).expect("early data");
    assert_eq!(&out[..got.len], b"early");
    for round in 0..100_u32 {
        let message = round.to_be_bytes();
        pair.nodes[1].send(Time::ZERO, theirs, &message).expect("room");
        pair.nodes[1].send(Time::ZERO, theirs, &[round as u8; 1100]).expect("room");
    }
    pair.settle();
    for round in 0..100_u32 {
        let got = pair.nodes[0].receive(Time::ZERO, channel, &mut out).expect("a message");
        assert_eq!(out[..got.len], round.to_be_bytes());
        let mut out = [0; 1200];
        let got = pair.nodes[0].receive(Time::ZERO, channel, &mut out).expect("a message");
        assert_eq!(out[..got.len], [round as u8; 1100]);
    }
    assert_eq!(pair.nodes[0].stats().dropped_total(), 0, "{:?}", pair.nodes[0].stats());
    assert_eq!(pair.nodes[1].stats().send_queue_bytes, 0);
}

struct Pair {
    nodes: [Node; 2],
    ids: [PeerId; 2],
    addresses: [SocketAddr; 2],
}

impl Pair {
    fn new() -> Pair {
        let ids = [PeerId([1; 16]), PeerId([2; 16])];
        let node = |id: PeerId| {
            let config = NodeConfig { legacy: Legacy::Only, ..NodeConfig::new(id) };
            Node::new(config, None, [id.0[0]; 32], Time::ZERO).expect("defaults are good")
        };
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Pair { nodes: ids.map(node), ids, addresses: [1, 2].map(address) }
    }

    /// Carries datagrams until there are none; returns what happened at each node.
    fn settle(&mut self) -> [Vec<Event>; 2] {
        let mut events = [Vec::new(), Vec::new()];
        let mut buf = Vec::new();
        loop {
            let mut is_quiet = true;
            for (side, seen) in events.iter_mut().enumerate() {
                while let Some(transmit) = self.nodes[side].poll_transmit(Time::ZERO, &mut buf) {
                    is_quiet = false;
                    let from = Receive {
                        from: self.addresses[side],
                        local: Local::default(),
                        stride: transmit.segment_size,
                        ecn: transmit.ecn,
                    };
                    let mut data = buf[..transmit.len].to_vec();
                    self.nodes[1 - side].handle_datagram(Time::ZERO, &from, &mut data);
                }
                seen.extend(std::iter::from_fn(|| self.nodes[side].poll_event()));
            }
            if is_quiet {
                return events;
            }
        }
    }
}
