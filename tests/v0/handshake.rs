//! Aim: every handshake between two nodes ends well, or fails with a reason within the configured
//! time. Method: two nodes, links of falling quality, many seeds.

use std::time::Duration;

use channeler::error::Error;
use channeler::io::Event;
use channeler::node::{Dial, DropReason};
use channeler::sim::{Link, World};
use channeler::time::Time;

use crate::tools::{MILLI, SECOND, closed, connection_closed, count, dropped};

#[test]
fn a_channel_opens_without_loss_in_one_and_a_half_round_trips() {
    let mut world = World::with_v0_nodes(1, 2);
    world.network.set_all(Link::with_delay(10 * MILLI));
    let start = world.now();
    let pair = world.establish(0, 1);
    assert_eq!(world.now() - start, 30 * MILLI);
    world.run_for(SECOND);
    let sent = world.network.counters().sent;
    assert_eq!(sent, 4, "NEW, ACKNOWLEDGE, FINALIZE, and an empty packet that confirms");
    let (ours, theirs) = (
        world.node(0).channel_info(pair.channel).expect("open"),
        world.node(1).channel_info(pair.peer_channel).expect("open"),
    );
    assert!(ours.is_established && theirs.is_established);
    assert_eq!(ours.id, theirs.id);
    assert_ne!(ours.role, theirs.role);
    assert_eq!(count(&world, 0, |event| matches!(event, Event::Connected { .. })), 1);
    assert_eq!(count(&world, 1, |event| matches!(event, Event::Connected { .. })), 1);
}

#[test]
fn a_tenth_of_loss_costs_time_but_no_handshake() {
    assert_eq!(handshakes_that_succeed(0.1), 40);
}

#[test]
fn a_third_of_loss_costs_next_to_no_handshake() {
    assert!(handshakes_that_succeed(0.3) >= 38);
}

#[test]
fn half_of_loss_costs_few_handshakes() {
    // Seven tries that need two datagrams each: 13 % fail.
    assert!(handshakes_that_succeed(0.5) >= 28);
}

#[test]
fn an_application_that_tries_again_gets_its_channel_through_half_of_loss() {
    for seed in 0..20 {
        let mut world = World::with_v0_nodes(seed, 2);
        world.network.set_all(Link::lossy(20 * MILLI, 0.5));
        let opened = (0..10).any(|_| open_once(&mut world));
        assert!(opened, "seed {seed}");
    }
}

#[test]
fn a_dead_peer_is_reported_with_timeout() {
    let mut world = World::with_v0_nodes(1, 1);
    let nobody = channeler::id::PeerId([7; 16]);
    let address = ([192, 0, 2, 1], 7).into();
    let connection =
        world.with(0, |node, now| node.connect(now, &Dial::v0(nobody, address))).expect("room");
    let channel = world.open(0, connection).expect("room");
    let start = world.now();
    assert!(world.run_until(60 * SECOND, |world| closed(world, 0, channel).is_some()));
    assert_eq!(closed(&world, 0, channel), Some(Error::Timeout));
    // 200 ms and its doublings, 6 times: 12.6 s, give or take the jitter.
    let took = world.now() - start;
    assert!((9 * SECOND..16 * SECOND).contains(&took), "{took:?}");
    assert_eq!(world.network.counters().sent, 6, "the first NEW and five retries");
    world.run_for(100 * SECOND);
    assert_eq!(connection_closed(&world, 0, connection), Some(Error::Timeout));
    assert_eq!(world.node(0).stats().connections, 0);
    assert_eq!(world.node(0).stats().channels, 0);
    assert_eq!(world.network.counters().sent, 6, "nothing is sent after giving up");
}

#[test]
fn both_sides_opening_at_once_get_two_channels() {
    let mut world = World::with_v0_nodes(1, 2);
    world.network.set_all(Link::with_delay(10 * MILLI));
    let channels: Vec<_> = [(0, 1), (1, 0)]
        .into_iter()
        .map(|(from, to)| {
            let connection = world.connect(from, to).expect("room");
            (from, world.open(from, connection).expect("room"))
        })
        .collect();
    assert!(world.run_until(SECOND, |world| {
        world.opened(0, 0).len() == 2 && world.opened(1, 0).len() == 2
    }));
    let mut ids = Vec::new();
    for (index, channel) in channels {
        let info = world.node(index).channel_info(channel).expect("open");
        assert!(info.is_established);
        ids.push(info.id);
        assert_eq!(world.node(index).stats().connections, 1, "one peer, one connection");
        assert_eq!(world.node(index).stats().channels, 2);
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_lost_finalize_is_recovered_once_messages_flow() {
    let (mut world, channel) = world_with_lost_finalize();
    for number in 0..50_u8 {
        world.send(0, channel, &[number]).expect("room");
        world.run_for(200 * MILLI);
    }
    let opened = world.opened(1, 0);
    assert_eq!(opened.len(), 1, "the other side learnt of the channel");
    let messages = world.receive_all(1, opened[0].1);
    assert!(messages.len() >= 40, "{}", messages.len());
}

#[test]
fn a_lost_finalize_is_recovered_without_messages() {
    let (mut world, _) = world_with_lost_finalize();
    world.run_for(55 * SECOND);
    assert_eq!(world.opened(1, 0).len(), 1, "the other side learnt of the channel");
}

#[test]
fn a_lost_acknowledge_is_asked_for_again() {
    let mut world = World::with_v0_nodes(1, 2);
    world.network.set_all(Link::with_delay(10 * MILLI));
    let (from, to) = (world.address(1), world.address(0));
    let now = world.now();
    world.network.black_hole((from, to), now, now + 100 * MILLI);
    world.establish(0, 1);
    assert_eq!(world.node(1).stats().channels, 1, "no half-open rest stays");
}

#[test]
fn corrupted_datagrams_are_counted_and_cost_only_time() {
    let mut world = World::with_v0_nodes(3, 2);
    world.network.set_all(Link { corrupt: 0.5, ..Link::with_delay(10 * MILLI) });
    for _ in 0..10 {
        open_once(&mut world);
    }
    assert!(!world.opened(0, 0).is_empty());
    let checksums =
        dropped(&world, 0, DropReason::BadChecksum) + dropped(&world, 1, DropReason::BadChecksum);
    assert!(checksums > 0);
}

/// How many of 40 worlds open their channel; the others report Timeout in time.
fn handshakes_that_succeed(loss: f64) -> usize {
    (0..40)
        .filter(|&seed| {
            let mut world = World::with_v0_nodes(seed, 2);
            world.network.set_all(Link::lossy(20 * MILLI, loss));
            open_once(&mut world)
        })
        .count()
}

/// Opens a channel from 0 to 1; whether it came to be on the opener's side.
fn open_once(world: &mut World) -> bool {
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    let is_open = |world: &World| world.opened(0, 0).iter().any(|opened| opened.1 == channel);
    let ended = world.run_until(Duration::from_secs(40), |world| {
        is_open(world) || closed(world, 0, channel).is_some()
    });
    assert!(ended, "a handshake neither succeeded nor failed in time");
    if !is_open(world) {
        assert_eq!(closed(world, 0, channel), Some(Error::Timeout));
    }
    is_open(world)
}

/// Node 0 has its channel, but node 1 got no FINALIZE: the link was dead for its first 50 ms.
fn world_with_lost_finalize() -> (World, channeler::id::ChannelHandle) {
    let mut world = World::with_v0_nodes(1, 2);
    world.network.set_all(Link::with_delay(10 * MILLI));
    let (from, to) = (world.address(0), world.address(1));
    let finalize: Time = world.now() + 20 * MILLI;
    world.network.black_hole((from, to), finalize, finalize + 50 * MILLI);
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.run_for(60 * MILLI);
    assert_eq!(world.opened(0, 0).len(), 1);
    assert_eq!(world.opened(1, 0).len(), 0, "FINALIZE was lost");
    (world, channel)
}
