//! Aim: who shows cookies, and so has its addresses, is limited as well.
//! Method: many hosts that answer for a cookie and never go on, and an honest one after them.

use std::net::SocketAddr;

use channeler::error::Error;
use channeler::id::{AttemptId, Side};
use channeler::node::DropReason;
use channeler::sim::{Random, World};
use channeler::wire::frame::{Crypto, Frame};
use channeler::wire::long::Cookie;

use super::tools::{Forgery, feed};
use crate::tools::{MILLI, SECOND, assert_echo, connected, dropped, why_closed};

/// Of a node here; its default is eight times as many.
const HALF_OPEN_MAX: usize = 512;

// spec: 7.9 cookies, 7.10 half-open limits, 16.1 table, 18.3 attacks on resources
#[test]
fn half_open_handshakes_with_cookies_are_limited_in_all_and_of_each_network() {
    let mut world = World::new(1);
    world.add(|_| ());
    world.add(|config| {
        config.always_cookie = true;
        config.half_open_max = HALF_OPEN_MAX;
    });
    let mut random = Random::new(1);
    // 100 of one network, of which 64 may begin; then more than there is room for, of others.
    for (network, hosts, begun) in [(1, 100, 64), (2, 64, 128), (3, 64, 192), (4, 64, 256)] {
        (1..=hosts).for_each(|host| begin(&mut world, &mut random, network, host));
        assert_eq!(world.node(1).stats().connections, begun, "network {network}");
    }
    assert_eq!(dropped(&world, 1, DropReason::HalfOpenLimit), 36);
    for network in 5..=12 {
        (1..=64).for_each(|host| begin(&mut world, &mut random, network, host));
    }
    assert_eq!(world.node(1).stats().connections, HALF_OPEN_MAX as u64);
    assert_eq!(dropped(&world, 1, DropReason::HalfOpenLimit), 36 + 4 * 64);
    assert!(world.events(1).is_empty());
    // They go, and whoever dialled meanwhile gets in with the next try.
    let connection = world.connect(0, 1).expect("room");
    world.open(0, connection).expect("room");
    world.run_for(15 * SECOND);
    assert_eq!(world.node(1).stats().connections, 1);
    let (peer_connection, peer_channel, _) = world.opened(1, 0)[0];
    let (connection, channel, _) = world.opened(0, 0)[0];
    let pair = channeler::sim::Pair { connection, channel, peer_connection, peer_channel };
    assert_echo(&mut world, &pair);
}

// spec: 7.10 half-open limits, 16.1 table, 18.3 attacks on resources
#[test]
fn handshakes_of_strangers_take_no_room_from_connections_that_a_node_dials() {
    let mut world = World::new(1);
    world.add(|_| ());
    world.add(|config| (config.connections_max, config.always_cookie) = (2, true));
    let mut random = Random::new(1);
    (1..=4).for_each(|host| begin(&mut world, &mut random, 1, host));
    assert_eq!(world.node(1).stats().connections, 4, "half-open ones");
    world.connect(1, 0).expect("there is room");
    world.run_for(SECOND);
    assert_eq!(connected(&world, 1), 1);
}

// spec: 7.10 half-open limits, 16.1 table, 18.3 attacks on resources
#[test]
fn handshakes_of_strangers_that_failed_make_no_room_where_there_is_none() {
    let mut world = World::new(1);
    world.add(|_| ());
    world.add(|config| (config.connections_max, config.always_cookie) = (1, true));
    world.add(|_| ());
    let mut random = Random::new(1);
    // No ClientHello: TLS refuses it at once.
    (1..=4).for_each(|host| begin_with(&mut world, &mut random, (1, host), 0));
    assert_eq!(world.node(1).stats().connections, 0, "they failed");
    world.establish(0, 1);
    let connection = world.connect(2, 1).expect("room");
    world.run_for(SECOND);
    assert!(dropped(&world, 1, DropReason::ConnectionLimit) > 0);
    world.run_for(30 * SECOND);
    assert_eq!(why_closed(&world, 2, connection), Some(Error::Timeout));
}

/// Begins a handshake from an address, with the cookie that is asked for.
fn begin(world: &mut World, random: &mut Random, network: u8, host: u8) {
    // The middle of a ClientHello: it is kept, and more is waited for.
    begin_with(world, random, (network, host), 1_000);
}

/// The same, with bytes that stand at `offset` of the ClientHello.
fn begin_with(world: &mut World, random: &mut Random, (network, host): (u8, u8), offset: u64) {
    let from = SocketAddr::from(([10, 200, network, host], 9));
    world.add_station(from);
    let (sender, original) = (AttemptId(random.bytes()), AttemptId(random.bytes()));
    let frames = &[Frame::Crypto(Crypto { offset, bytes: &[1; 100] })];
    let side = Side::Initiator;
    let first = Forgery {
        original,
        side,
        sender,
        recipient: original,
        number: 0,
        cookie: Cookie::NONE,
        frames,
    };
    feed(world, 1, from, &first.seal());
    world.run_for(MILLI);
    let inbox = world.take_inbox(from);
    // Past the limits not even a cookie is to be had.
    let Some(asked) = inbox.first() else { return };
    let cookie = Cookie::new(&asked.bytes[45..]).expect("a cookie");
    feed(world, 1, from, &Forgery { number: 1, cookie, ..first }.seal());
}
