//! Aim: a responder under load keeps nothing for who has not shown that it receives.
//! Method: nodes that ask for cookies, floods of first flights, copies of them.

use std::net::SocketAddr;

use channeler::node::DropReason;
use channeler::sim::{Link, World};

use crate::tools::{MILLI, SECOND, assert_echo, connected, dropped};

// spec: 7.9 cookies, 4.6 cookie packets
#[test]
fn a_node_that_always_asks_is_connected_to_one_round_trip_later() {
    let mut world = World::new(1);
    world.network.set_all(Link::with_delay(20 * MILLI));
    world.add(|_| ());
    world.add(|config| config.always_cookie = true);
    let start = world.now();
    let pair = world.establish(0, 1);
    // One round trip for the cookie, one and a half for the handshake, half for the answer.
    assert_eq!(world.now().since(start), 120 * MILLI);
    assert!(dropped(&world, 1, DropReason::CookieAsked) >= 1);
    assert_eq!(dropped(&world, 1, DropReason::NotOpened), 0);
    assert_echo(&mut world, &pair);
}

// spec: 7.9 cookies
#[test]
fn nodes_that_ask_for_cookies_are_reached_over_bad_links() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        world.network.set_all(Link { jitter: 20 * MILLI, ..Link::lossy(20 * MILLI, 0.3) });
        for _ in 0..2 {
            world.add(|config| config.always_cookie = true);
        }
        world.establish(0, 1);
        assert_eq!((connected(&world, 0), connected(&world, 1)), (1, 1), "seed {seed}");
    }
}

// spec: 7.10 half-open limits
#[test]
fn a_ninth_half_open_of_a_network_is_asked_and_others_are_not() {
    let mut world = World::with_nodes(1, 3);
    let flights = first_flights(&mut world, 12);
    for (number, flight) in flights.iter().enumerate() {
        let from = SocketAddr::from(([192, 0, 2, number as u8], 9));
        flight.iter().for_each(|datagram| world.inject(from, world.address(1), datagram));
    }
    world.run_for(MILLI);
    assert_eq!(dropped(&world, 1, DropReason::CookieAsked), 4 * flights[0].len() as u64);
    assert_eq!(world.node(1).stats().connections, 8);
    let pair = world.establish(2, 1);
    assert_eq!(dropped(&world, 1, DropReason::CookieAsked), 4 * flights[0].len() as u64);
    assert_ne!(pair.connection.0.to_bits(), 0);
    // spec: 7.4 responder states: they are forgotten after their time
    world.run_for(11 * SECOND);
    assert_eq!(world.node(1).stats().connections, 1);
}

// spec: 7.9 cookies, 18.3 attacks on resources
#[test]
fn a_forged_cookie_costs_a_timer_and_not_the_dial() {
    let mut world = World::with_nodes(1, 2);
    world.network.set_all(Link::with_delay(20 * MILLI));
    world.network.keep_recent(100);
    let (us, them) = (world.address(0), world.address(1));
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    let hello = world.network.recent().front().expect("a first flight").bytes.clone();
    let mut forged = hello[..45].to_vec();
    forged[4..20].copy_from_slice(&hello[20..36]);
    forged[20..36].copy_from_slice(&hello[4..20]);
    forged[41] = 0x0d;
    forged[42..44].copy_from_slice(&65_u16.to_be_bytes());
    forged[44] = 20;
    forged.extend([0xee; 20]);
    assert!(forged.len() < hello.len(), "spec: 7.8, shorter than its cause");
    // It arrives before the true answer.
    let to_us = Link::with_delay(MILLI);
    world.network.set_link(them, us, to_us);
    world.inject(them, us, &forged);
    world.network.set_link(them, us, Link::with_delay(20 * MILLI));
    let is_open = |world: &World| !world.opened(0, 0).is_empty();
    assert!(world.run_until(2 * SECOND, is_open));
    assert_eq!(world.opened(0, 0), [(connection, channel, false)]);
}

/// First flights of node 0 to node 1 that never arrived.
fn first_flights(world: &mut World, count: usize) -> Vec<Vec<Vec<u8>>> {
    world.network.keep_recent(10);
    let station = SocketAddr::from(([10, 9, 9, 9], 9));
    let flight = |world: &mut World| {
        let dial = channeler::node::Dial {
            peer: None,
            ..channeler::node::Dial::v1(world.peer(1), station)
        };
        let before = world.network.counters().sent;
        let connection = world.dial(0, &dial).expect("room");
        let sent = (world.network.counters().sent - before) as usize;
        let recent = world.network.recent();
        let all = recent.iter().skip(recent.len() - sent).map(|one| one.bytes.clone()).collect();
        let reason = channeler::node::CloseReason::default();
        world.with(0, |node, now| node.close_connection(now, connection, reason)).expect("there");
        all
    };
    (0..count).map(|_| flight(world)).collect()
}
