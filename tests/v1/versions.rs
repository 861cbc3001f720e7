//! Aim: the protocols share a port and nothing else.
//! Method: nodes that speak v0, v1 or both, dialled with either.

use channeler::config::Legacy;
use channeler::error::Error;
use channeler::io::Event;
use channeler::node::{Dial, DropReason};
use channeler::sim::World;

use crate::tools::{SECOND, assert_echo_on, connected, dropped, why_closed};

// spec: 2.2 versions
#[test]
fn a_node_without_v0_drops_all_of_it_and_says_nothing() {
    let mut world = World::new(1);
    world.add_v0(|_| ());
    world.add(|_| ());
    let connection = world.connect(0, 1).expect("room");
    world.open(0, connection).expect("room");
    world.run_for(60 * SECOND);
    assert_eq!(dropped(&world, 1, DropReason::LegacyOff), 6);
    assert_eq!(world.node(1).stats().datagrams_sent, 0);
    assert_eq!(world.node(1).stats().connections, 0);
}

// spec: 2.2 versions, 18.2 attacks on identity, keys and packets
#[test]
fn a_v1_dial_never_becomes_v0() {
    let mut world = World::new(1);
    world.add(|config| config.legacy = Legacy::Accept);
    world.add_v0(|_| ());
    let dial = Dial::v1(world.peer(1), world.address(1));
    let connection = world.dial(0, &dial).expect("room");
    world.network.keep_recent(1_000);
    world.run_for(60 * SECOND);
    assert_eq!(why_closed(&world, 0, connection), Some(Error::Timeout));
    let sent = world.network.recent();
    assert!(!sent.is_empty() && sent.iter().all(|one| one.bytes[0] == 0x09));
    assert_eq!(world.node(1).stats().datagrams_sent, 0);
}

// spec: 2.2 versions
#[test]
fn a_peer_may_be_connected_with_both_versions_at_once() {
    let mut world = World::new(1);
    for _ in 0..2 {
        world.add(|config| config.legacy = Legacy::Accept);
    }
    let (peer, address) = (world.peer(1), world.address(1));
    let mut ends = Vec::new();
    for dial in [Dial::v0(peer, address), Dial::v1(peer, address)] {
        let seen = world.events(1).len();
        let connection = world.dial(0, &dial).expect("room");
        let info = world.node(0).connection_info(connection).expect("it is there");
        assert_eq!((info.version, info.peer), (dial.version, peer));
        let channel = world.open(0, connection).expect("room");
        world.run_for(SECOND);
        ends.push((channel, world.opened(1, seen)[0].1));
        let info = world.node(0).connection_info(connection).expect("it is there");
        assert_eq!(info.is_encrypted, info.public_key.is_some());
    }
    assert_eq!((connected(&world, 0), connected(&world, 1)), (2, 2));
    for (ours, theirs) in ends {
        assert_echo_on(&mut world, (0, ours), (1, theirs));
    }
    assert_eq!(world.node(0).stats().connections, 2);
}

#[test]
fn a_node_dials_only_what_it_speaks() {
    let mut world = World::new(1);
    world.add(|_| ());
    world.add_v0(|_| ());
    let (peer, address) = (world.peer(1), world.address(1));
    assert_eq!(world.dial(0, &Dial::v0(peer, address)), Err(Error::Unsupported));
    let (peer, address) = (world.peer(0), world.address(0));
    assert_eq!(world.dial(1, &Dial::v1(peer, address)), Err(Error::Unsupported));
    let nobody = Dial { peer: None, ..Dial::v0(peer, address) };
    assert_eq!(world.dial(1, &nobody), Err(Error::InvalidArgument));
}

// spec: 2.1 first byte
#[test]
fn what_is_no_protocol_of_ours_is_lent_or_dropped() {
    let station = std::net::SocketAddr::from(([10, 9, 9, 9], 9));
    for raw in [true, false] {
        let mut world = World::new(1);
        world.add(|config| config.raw_datagrams = raw);
        let to = world.address(0);
        for bytes in [&b"\x00\x01stun"[..], &[0x40; 30], &[0xc0; 30], &[0x0c, 0, 0, 0], &[9, 2]] {
            world.inject(station, to, bytes);
        }
        // These are ours, and no good: they are offered to nobody.
        for bytes in [&[0x80; 32][..], &[0x90; 40], &[0x80; 60], &[0x09, 0x01, 0xd0, 0x3f]] {
            world.inject(station, to, bytes);
        }
        world.run_for(SECOND);
        let lent = world.events(0).iter().filter(|one| matches!(one.event, Event::Datagram { .. }));
        assert_eq!(lent.count(), if raw { 5 } else { 0 });
        let unknown = if raw { 0 } else { 5 };
        assert_eq!(dropped(&world, 0, DropReason::UnknownProtocol), unknown);
        // spec: 5.4 receiving
        assert_eq!(dropped(&world, 0, DropReason::MalformedPacket), 3);
        assert_eq!(dropped(&world, 0, DropReason::UnknownToken), 1);
    }
}
