//! Aim: version 0 is of no use against version 1.
//! Method: v0 packets with the ids and addresses of a v1 connection's ends, to nodes that speak
//! both; v1 dials whose packets never arrive.

use channeler::config::Legacy;
use channeler::error::Error;
use channeler::id::Version;
use channeler::node::Dial;
use channeler::sim::World;

use super::tools::{Middle, assert_echo_through, feed};
use crate::tools::{SECOND, why_closed};
use crate::v0;

// spec: 2.2 versions, 18.2 attacks on identity, keys and packets
#[test]
fn v0_packets_with_a_v1_peers_id_and_address_never_touch_its_connection() {
    let mut world = both();
    let mut middle = Middle::new(&mut world);
    let dial = Dial::v1(world.peer(1), world.address(1));
    let connection = world.dial(0, &dial).expect("room");
    let channel = world.open(0, connection).expect("room");
    middle.pass(&mut world, SECOND);
    let (peer_connection, peer_channel, _) = world.opened(1, 0)[0];
    let pair = channeler::sim::Pair { connection, channel, peer_connection, peer_channel };
    let info = world.node(1).connection_info(peer_connection).expect("it lives");
    let number = world.node(1).channel_info(peer_channel).expect("it lives").id.to_wire();
    let received = world.node(1).stats().messages_received;
    let forger = v0::Peer {
        id: world.peer(0),
        address: world.address(0),
        node: world.peer(1),
        node_address: world.address(1),
        size: 200,
    };
    for id in [number, v0::DEFAULT, 0, 1, 0x0001_0001] {
        for message in [
            v0::Message::New { half: 7, cookie1: 1 },
            v0::Message::Acknowledge { id: number, cookie1: 1, cookie2: 2 },
            v0::Message::Finalize { id: number, cookie2: 2, capabilities: 0 },
            v0::Message::Cookie { cookie: 1, capabilities: 0 },
            v0::Message::Data(b"from a forger".to_vec()),
        ] {
            let bytes = forger.packet(id, &[message]);
            feed(&mut world, 1, forger.address, &bytes);
        }
    }
    middle.pass(&mut world, 5 * SECOND);
    assert_eq!(world.node(1).connection_info(peer_connection), Ok(info));
    assert_eq!(info.version, Version::V1);
    assert_eq!(world.node(1).stats().messages_received, received);
    assert_eq!(world.events(1).len(), 2, "{:?}", world.events(1));
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 2.2 versions, 18.2 attacks on identity, keys and packets
#[test]
fn a_v1_dial_whose_packets_never_arrive_ends_without_a_byte_of_v0() {
    let mut world = both();
    let mut middle = Middle::new(&mut world);
    let dial = Dial::v1(world.peer(1), world.address(1));
    let connection = world.dial(0, &dial).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.send(0, channel, b"only encrypted").expect("room");
    middle.run(&mut world, 60 * SECOND, |datagram| {
        let is_v1 = datagram.bytes[0] == 0x09 || datagram.bytes[0] >> 6 == 0b10;
        if is_v1 { Vec::new() } else { vec![datagram.clone()] }
    });
    assert_eq!(why_closed(&world, 0, connection), Some(Error::Timeout));
    assert!(!middle.log.is_empty());
    assert!(middle.log.iter().all(|datagram| datagram.bytes[0] == 0x09));
    assert_eq!(world.node(1).stats().datagrams_received, 0);
}

/// Two nodes that speak both versions.
fn both() -> World {
    let mut world = World::new(1);
    for _ in 0..2 {
        world.add(|config| config.legacy = Legacy::Accept);
    }
    world
}
