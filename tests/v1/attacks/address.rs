//! Aim: a connection stays where it is, whoever sends copies of its packets from elsewhere, and
//! nobody gets more out of it than went in.
//! Method: somebody on the path copies everything, and its copies arrive first, or late, or in
//! place of the originals.

use std::net::SocketAddr;

use channeler::node::DropReason;
use channeler::sim::{Recorded, World};

use super::tools::{Middle, assert_echo_through, establish, event_counts};
use crate::tools::{MILLI, SECOND, connected, dropped};

// spec: 7.2 ids of an attempt, 12.7 address changes, 18.3 attacks on resources
#[test]
fn copies_from_another_address_that_arrive_first_move_nothing() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    middle.pass(&mut world, SECOND);
    let thief = SocketAddr::from(([10, 77, 0, 7], 7));
    let mut to_thief = 0;
    let mut from_thief = 0;
    let nodes = [world.address(0), world.address(1)];
    for round in 0..50_u8 {
        world.send(0, pair.channel, &[round; 100]).expect("room");
        world.send(1, pair.peer_channel, &[round; 100]).expect("room");
        middle.run(&mut world, 60 * MILLI, |datagram| {
            if !nodes.contains(&datagram.to) {
                to_thief += datagram.bytes.len();
                return Vec::new();
            }
            from_thief += datagram.bytes.len();
            vec![Recorded { station: thief, ..datagram.clone() }, datagram.clone()]
        });
    }
    let both = [(0, pair.connection, 1), (1, pair.peer_connection, 0)];
    for (node, connection, other) in both {
        let info = world.node(node).connection_info(connection).expect("it lives");
        assert_eq!(info.address, world.address(other));
    }
    // Every answer goes to where the copy of its challenge came from, and is not sent on.
    assert!(to_thief > 0 && to_thief <= 3 * from_thief, "{to_thief} for {from_thief}");
    assert_eq!(world.receive_all(0, pair.channel).len(), 50);
    assert_eq!(world.receive_all(1, pair.peer_channel).len(), 50);
    assert!(dropped(&world, 1, DropReason::Replayed) >= 50, "the originals were the copies");
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 12.7 address changes, 18.3 attacks on resources
#[test]
fn copies_that_lag_behind_cause_nothing_at_all() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    middle.pass(&mut world, SECOND);
    let thief = SocketAddr::from(([10, 77, 0, 7], 7));
    let nodes = [world.address(0), world.address(1)];
    let mut to_thief = 0;
    for round in 0..50_u8 {
        world.send(0, pair.channel, &[round; 100]).expect("room");
        world.send(1, pair.peer_channel, &[round; 100]).expect("room");
        middle.run(&mut world, 60 * MILLI, |datagram| {
            to_thief += usize::from(!nodes.contains(&datagram.to));
            vec![datagram.clone(), Recorded { station: thief, ..datagram.clone() }]
        });
    }
    assert_eq!(to_thief, 0);
    assert!(dropped(&world, 1, DropReason::Replayed) >= 50);
    assert_eq!(world.receive_all(1, pair.peer_channel).len(), 50);
}

// spec: 7.8 amplification, 12.7 address changes, 18.3 attacks on resources
#[test]
fn a_source_that_somebody_else_owns_is_not_believed_and_gets_three_times_at_most() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    middle.pass(&mut world, SECOND);
    let victim = SocketAddr::from(([10, 77, 0, 7], 7));
    let nodes = [world.address(0), world.address(1)];
    let (mut to_victim, mut from_victim) = (0, 0);
    for round in 0..50_u8 {
        world.send(0, pair.channel, &[round; 100]).expect("room");
        middle.run(&mut world, 60 * MILLI, |datagram| {
            if datagram.to == victim {
                to_victim += datagram.bytes.len();
                assert!(to_victim <= 3 * from_victim, "{to_victim} for {from_victim}");
                return Vec::new();
            }
            if datagram.station != nodes[0] {
                return vec![datagram.clone()];
            }
            from_victim += datagram.bytes.len();
            vec![Recorded { station: victim, ..datagram.clone() }]
        });
    }
    assert!(to_victim > 0);
    let info = world.node(1).connection_info(pair.peer_connection).expect("it lives");
    assert_eq!(info.address, nodes[0]);
    assert_eq!(
        world.receive_all(1, pair.peer_channel).len(),
        50,
        "packets are taken from anywhere"
    );
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 12.7 address changes
#[test]
fn a_thief_that_hands_everything_on_but_later_leaves_no_lasting_trace() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    middle.pass(&mut world, SECOND);
    let thief = SocketAddr::from(([10, 77, 0, 7], 7));
    let nodes = [world.address(0), world.address(1)];
    // Copies arrive first for a while; what comes to the thief it hands on to node 0, whose answer
    // goes back as if nothing had been.
    world.send(0, pair.channel, b"copied").expect("room");
    middle.run(&mut world, SECOND, |datagram| {
        if datagram.to == thief {
            return vec![Recorded { to: nodes[0], ..datagram.clone() }];
        }
        let copy = Recorded { station: thief, ..datagram.clone() };
        if datagram.station == nodes[0] {
            vec![copy, datagram.clone()]
        } else {
            vec![datagram.clone()]
        }
    });
    middle.pass(&mut world, 10 * SECOND);
    let info = world.node(1).connection_info(pair.peer_connection).expect("it lives");
    assert_eq!(info.address, nodes[0]);
    assert_eq!(world.receive_all(1, pair.peer_channel), [b"copied".to_vec()]);
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 7.2 ids of an attempt, 7.8 amplification, 18.3 attacks on resources
#[test]
fn copies_of_a_handshake_that_arrive_first_do_not_move_it() {
    for always_cookie in [false, true] {
        let mut world = World::new(1);
        world.add(|_| ());
        world.add(|config| config.always_cookie = always_cookie);
        let mut middle = Middle::new(&mut world);
        let thief = SocketAddr::from(([10, 77, 0, 7], 7));
        let nodes = [world.address(0), world.address(1)];
        let connection = world.connect(0, 1).expect("room");
        let (mut to_thief, mut from_thief) = (0, 0);
        middle.run(&mut world, 20 * SECOND, |datagram| {
            if !nodes.contains(&datagram.to) {
                to_thief += datagram.bytes.len();
                return Vec::new();
            }
            from_thief += datagram.bytes.len();
            vec![Recorded { station: thief, ..datagram.clone() }, datagram.clone()]
        });
        assert_eq!([0, 1].map(|node| connected(&world, node)), [1, 1]);
        let info = world.node(0).connection_info(connection).expect("it lives");
        assert_eq!(info.address, world.address(1));
        assert!(to_thief > 0 && to_thief <= 3 * from_thief, "{to_thief} for {from_thief}");
        assert_eq!([0, 1].map(|node| world.node(node).stats().connections), [1, 1]);
        let events = event_counts(&world);
        middle.pass(&mut world, 20 * SECOND);
        assert_eq!(event_counts(&world), events);
    }
}
