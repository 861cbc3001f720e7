//! Aim: two nodes connect, know each other, and exchange messages.
//! Method: dials of all kinds, over good links and bad ones.

use channeler::config::ChannelConfig;
use channeler::error::Error;
use channeler::id::{Capabilities, PeerId, Role, Version};
use channeler::io::{Event, Local};
use channeler::node::Dial;
use channeler::sim::{Link, World};

use crate::tools::{MILLI, SECOND, assert_echo, closed, connected, count, two_nodes, why_closed};

// spec: 7.1 overview
#[test]
fn two_nodes_connect_and_messages_go_both_ways() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    assert_echo(&mut world, &pair);
    assert_eq!((connected(&world, 0), connected(&world, 1)), (1, 1));
    let stats = [0, 1].map(|index| world.node(index).stats());
    assert_eq!(stats.map(|stats| stats.dropped_total()), [0, 0]);
}

// spec: 7.1 overview
#[test]
fn the_first_message_arrives_one_and_a_half_round_trips_after_the_dial() {
    let mut world = two_nodes();
    let start = world.now();
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.send(0, channel, b"first").expect("room");
    let is_readable =
        |world: &World| count(world, 1, |event| matches!(event, Event::Readable { .. })) == 1;
    assert!(world.run_until(SECOND, is_readable));
    assert_eq!(world.now().since(start), 60 * MILLI);
}

// spec: 3.2 peer id, 3.4 identity checks
#[test]
fn both_sides_are_told_the_key_of_the_other() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    for (node, connection, other) in [(0, pair.connection, 1), (1, pair.peer_connection, 0)] {
        let info = world.node(node).connection_info(connection).expect("it is there");
        let key = info.public_key.expect("it showed it");
        assert_eq!((info.peer, key.peer_id()), (world.peer(other), world.peer(other)));
        assert_eq!((info.version, info.is_encrypted, info.is_connected), (Version::V1, true, true));
        assert_eq!(info.address, world.address(other));
    }
}

// spec: 9.2 opening
#[test]
fn the_peer_sees_label_and_capabilities_of_a_channel() {
    let mut world = two_nodes();
    let connection = world.connect(0, 1).expect("room");
    let config = ChannelConfig {
        label: (*b"voice").into(),
        capabilities: Capabilities::ORDERED,
        ..ChannelConfig::default()
    };
    let open = |node: &mut channeler::node::Node, now| node.open_channel(now, connection, &config);
    let channel = world.with(0, open).expect("room");
    world.run_for(SECOND);
    let theirs = world.opened(1, 0)[0].1;
    for (node, channel, role) in [(0, channel, Role::Initiator), (1, theirs, Role::Responder)] {
        let info = world.node(node).channel_info(channel).expect("it is there");
        assert_eq!((&*info.label, info.capabilities), (&b"voice"[..], Capabilities::ORDERED));
        assert!((info.role, info.is_established, info.is_early) == (role, true, false));
    }
}

// spec: 3.4 identity checks
#[test]
fn a_peer_with_another_key_than_asked_for_is_not_connected_to() {
    let mut world = World::with_nodes(1, 3);
    let dial = Dial::v1(world.peer(2), world.address(1));
    let connection = world.dial(0, &dial).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.send(0, channel, b"for node 2 only").expect("room");
    world.run_for(60 * SECOND);
    assert_eq!(closed(&world, 0, connection), Some((Error::Identity, Some(3))));
    assert_eq!((connected(&world, 0), connected(&world, 1)), (0, 0));
    assert!(world.events(1).is_empty(), "{:?}", world.events(1));
}

// spec: 3.4 identity checks
#[test]
fn a_node_does_not_connect_to_itself() {
    let mut world = World::with_nodes(1, 1);
    let dial = Dial::v1(world.peer(0), world.address(0));
    assert_eq!(world.dial(0, &dial), Err(Error::InvalidArgument));
    let anybody = Dial { peer: None, ..dial };
    let connection = world.dial(0, &anybody).expect("it cannot know");
    world.run_for(60 * SECOND);
    assert_eq!(connected(&world, 0), 0);
    assert!(world.node(0).connection_info(connection).is_err(), "it is over");
}

// spec: 7.15 failures and attempts
#[test]
fn a_dial_that_asks_for_nobody_connects_to_who_answers() {
    let mut world = two_nodes();
    let dial = Dial { peer: None, ..Dial::v1(PeerId([0; 16]), world.address(1)) };
    let connection = world.dial(0, &dial).expect("room");
    world.run_for(SECOND);
    let peer = world.peer(1);
    assert_eq!(count(&world, 0, |event| *event == Event::Connected { connection, peer }), 1);
    assert_eq!(world.connect(0, 1), Ok(connection), "it is the connection with that peer now");
}

// spec: 7.15 failures and attempts, 15.1 table
#[test]
fn a_dial_that_nobody_answers_ends_with_a_timeout_after_three_attempts() {
    let mut world = World::with_nodes(1, 1);
    let station = std::net::SocketAddr::from(([10, 9, 9, 9], 9));
    world.add_station(station);
    let start = world.now();
    let connection = world.dial(0, &Dial::v1(PeerId([9; 16]), station)).expect("room");
    let is_closed = |world: &World| why_closed(world, 0, connection).is_some();
    assert!(world.run_until(100 * SECOND, is_closed));
    assert_eq!(why_closed(&world, 0, connection), Some(Error::Timeout));
    assert_eq!(world.now().since(start), 30 * SECOND);
    let inbox = world.take_inbox(station);
    let mut originals: Vec<_> = inbox.iter().map(|one| one.bytes[20..36].to_vec()).collect();
    originals.dedup();
    assert_eq!(originals.len(), 3, "each attempt has ids of its own");
    assert!(inbox.iter().all(|datagram| datagram.bytes.len() == 1_200));
    // spec: 7.8 amplification: a first flight, then one datagram a try
    assert!(inbox.len() <= 3 * 6 * 2, "{} datagrams", inbox.len());
    world.run_for(60 * SECOND);
    assert!(world.take_inbox(station).is_empty());
    assert_eq!(world.node(0).stats().connections, 0);
}

// spec: 7.6 retransmission
#[test]
fn nodes_connect_over_links_that_lose_a_third_and_mix_up_the_rest() {
    for seed in 0..20 {
        let mut world = World::with_nodes(seed, 2);
        let link = Link {
            jitter: 30 * MILLI,
            duplicate: 0.1,
            reorder: 0.2,
            reorder_by: 50 * MILLI,
            ..Link::lossy(20 * MILLI, 0.3)
        };
        world.network.set_all(link);
        let pair = world.establish(0, 1);
        assert_ne!(pair.connection.0.to_bits(), 0);
        assert_eq!((connected(&world, 0), connected(&world, 1)), (1, 1), "seed {seed}");
    }
}

#[test]
fn addresses_that_cannot_be_dialled_are_refused() {
    let mut world = World::with_nodes(1, 1);
    for address in ["0.0.0.0:5", "[::]:5", "10.0.0.1:0"] {
        let dial = Dial::v1(PeerId([9; 16]), address.parse().expect("an address"));
        assert_eq!(world.dial(0, &dial), Err(Error::InvalidAddress), "{address}");
    }
}

// spec: 7.2 ids of an attempt
#[test]
fn copies_of_a_handshake_from_another_address_disturb_nothing() {
    let mut world = two_nodes();
    world.network.keep_recent(1_000);
    let thief = std::net::SocketAddr::from(([10, 9, 9, 9], 9));
    world.add_station(thief);
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    let mut copied = 0;
    for _ in 0..200 {
        world.run_for(MILLI);
        let recent: Vec<_> = world.network.recent().iter().cloned().collect();
        let new = recent.iter().skip(copied);
        let new: Vec<_> = new.filter(|one| one.station != thief).cloned().collect();
        for datagram in new {
            world.inject(thief, datagram.to, &datagram.bytes);
        }
        copied = world.network.recent().len();
    }
    world.run_for(20 * SECOND);
    assert_eq!((connected(&world, 0), connected(&world, 1)), (1, 1));
    let info = world.node(0).connection_info(connection).expect("it is there");
    assert_eq!(info.address, world.address(1));
    assert_eq!(world.opened(0, 0), [(connection, channel, false)]);
    let local = Local::default();
    assert_eq!(world.dial(0, &Dial { local, ..Dial::v1(info.peer, info.address) }), Ok(connection));
    // spec: 7.8 amplification
    let to_thief: usize = world.take_inbox(thief).iter().map(|one| one.bytes.len()).sum();
    let of_thief = world.network.recent().iter().filter(|one| one.station == thief);
    let from_thief: usize = of_thief.map(|one| one.bytes.len()).sum();
    assert!(to_thief <= 3 * from_thief, "{to_thief} for {from_thief}");
}
