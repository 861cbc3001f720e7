//! Aim: what was sent once has its effect once.
//! Method: somebody on the path records a whole session, and sends all of it again: later, in other
//! orders, from other addresses, after the end.

use std::net::SocketAddr;

use channeler::node::DropReason;
use channeler::sim::{Random, Recorded, World};

use super::tools::{Middle, assert_echo_through, end, establish, event_counts};
use crate::tools::{MILLI, SECOND, dropped};

// spec: 5.6 replay, 18.2 attacks on identity, keys and packets
#[test]
fn a_whole_session_replayed_in_any_order_has_no_effect_while_it_lasts() {
    let (mut world, mut middle, pair) = session();
    let events = event_counts(&world);
    let received = [0, 1].map(|node| world.node(node).stats().messages_received);
    let replayed = dropped(&world, 1, DropReason::Replayed);
    for round in 0..4 {
        for datagram in shuffled(&middle.log.clone(), round) {
            middle.send(&mut world, &datagram);
        }
        middle.pass(&mut world, 4 * SECOND);
    }
    // By now finished attempts are forgotten: first flights are new ones, that come to nothing.
    middle.pass(&mut world, 20 * SECOND);
    assert_eq!(event_counts(&world), events);
    assert_eq!([0, 1].map(|node| world.node(node).stats().messages_received), received);
    assert_eq!([0, 1].map(|node| world.node(node).stats().connections), [1, 1]);
    assert!(dropped(&world, 1, DropReason::Replayed) > replayed + 40);
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 5.6 replay, 7.2 ids of an attempt, 18.2 attacks on identity, keys and packets
#[test]
fn a_session_replayed_after_its_end_or_a_restart_has_no_effect() {
    for restart in [false, true] {
        let (mut world, mut middle, pair) = session();
        end(&mut world, &mut middle, 0, pair.connection);
        if restart {
            world.restart(0);
            world.restart(1);
        }
        let events = event_counts(&world);
        let received = [0, 1].map(|node| world.node(node).stats().messages_received);
        for round in 0..3 {
            for datagram in shuffled(&middle.log.clone(), round) {
                middle.send(&mut world, &datagram);
            }
            middle.pass(&mut world, 7 * SECOND);
        }
        middle.pass(&mut world, 20 * SECOND);
        assert_eq!(event_counts(&world), events, "restart {restart}");
        let after = [0, 1].map(|node| world.node(node).stats().messages_received);
        assert_eq!(after, received, "restart {restart}");
        assert_eq!([0, 1].map(|node| world.node(node).stats().connections), [0, 0]);
    }
}

// spec: 5.6 replay, 7.2 ids of an attempt
#[test]
fn a_session_replayed_from_another_address_has_no_effect() {
    let (mut world, mut middle, pair) = session();
    let events = event_counts(&world);
    let elsewhere = SocketAddr::from(([10, 77, 0, 7], 7));
    world.add_station(elsewhere);
    for datagram in middle.log.clone() {
        middle.send(&mut world, &Recorded { station: elsewhere, ..datagram });
    }
    middle.pass(&mut world, 30 * SECOND);
    assert_eq!(event_counts(&world), events);
    assert_eq!([0, 1].map(|node| world.node(node).stats().connections), [1, 1]);
    let info = world.node(1).connection_info(pair.peer_connection).expect("it lives");
    assert_eq!(info.address, world.address(0));
    assert_echo_through(&mut world, &mut middle, &pair);
}

/// A connection with two channels, 60 messages and two key updates; one channel is left.
fn session() -> (World, Middle, channeler::sim::Pair) {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    let second = world.open(0, pair.connection).expect("room");
    middle.pass(&mut world, SECOND);
    for round in 0..20_u8 {
        for (node, channel) in [(0, pair.channel), (1, pair.peer_channel), (0, second)] {
            world.send(node, channel, &[round; 50]).expect("room");
        }
        if round % 10 == 5 {
            world.with(0, |node, now| node.update_keys(now, pair.connection)).expect("it lives");
        }
        middle.pass(&mut world, 100 * MILLI);
    }
    assert_eq!(world.receive_all(1, pair.peer_channel).len(), 20);
    assert_eq!(world.receive_all(0, pair.channel).len(), 20);
    world.with(0, |node, now| node.close_channel(now, second)).expect("it lives");
    middle.pass(&mut world, SECOND);
    (world, middle, pair)
}

/// In order, in reverse, or mixed.
fn shuffled(log: &[Recorded], round: u64) -> Vec<Recorded> {
    let mut all = log.to_vec();
    let mut random = Random::new(round);
    match round {
        0 => {}
        1 => all.reverse(),
        _ => (1..all.len()).for_each(|at| all.swap(at, random.index(at + 1))),
    }
    all
}
