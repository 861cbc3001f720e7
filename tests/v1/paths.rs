//! Aim: a connection finds out what its path takes and where it leads, and goes on when that
//! changes.
//! Method: links with an MTU and address translation that forgets, under a steady stream.

use std::net::SocketAddr;
use std::time::Duration;

use channeler::config::ChannelConfig;
use channeler::config::Congestion;
use channeler::id::Capabilities;
use channeler::io::{EcnMark, Event, Local, SendError, Transmit};
use channeler::node::{ConnectionStats, EcnState, Node};
use channeler::sim::{Link, Pair, World};

use crate::tools::{MILLI, SECOND, assert_echo, count, two_nodes};

// spec: 12.11 MTU
#[test]
fn the_packet_size_grows_to_what_the_link_takes() {
    for (mtu, is_reported) in [(1_452, false), (1_400, false), (1_400, true), (1_250, true)] {
        let mut world = World::with_nodes(1, 2);
        world.network.set_all(Link { mtu, mtu_reported: is_reported, ..Link::with_delay(MILLI) });
        let pair = world.establish(0, 1);
        world.run_for(SECOND);
        assert_eq!(stats(&world, &pair).packet_size, 1_232, "little was sent");
        stream(&mut world, &pair, SECOND);
        let found = stats(&world, &pair);
        let size = found.packet_size as usize;
        assert!(size <= mtu && mtu - size < 16, "{size} of {mtu}");
        assert_eq!(found.bytes_lost, 0, "a probe that is lost is no loss");
        assert_eq!(reductions(&world), 0);
    }
}

// spec: 12.11 MTU
#[test]
fn what_the_system_refuses_elsewhere_is_no_news_of_the_path() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    stream(&mut world, &pair, SECOND);
    let to = world.node(0).connection_info(pair.connection).expect("it lives").address;
    let elsewhere = SocketAddr::new(to.ip(), to.port() + 1);
    for (to, packet_size) in [(elsewhere, 1_452), (to, 1_200)] {
        let (len, local, connection) = (1_400, Local::default(), Some(pair.connection));
        let ecn = EcnMark::None;
        let transmit = Transmit { to, local, len, segment_size: len, ecn, connection };
        world.with(0, |node, now| node.handle_send_error(now, &transmit, SendError::TooLarge));
        assert_eq!(stats(&world, &pair).packet_size, packet_size);
    }
}

// spec: 12.11 MTU
#[test]
fn a_link_that_swallows_large_packets_gets_small_ones() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    stream(&mut world, &pair, SECOND);
    assert_eq!(stats(&world, &pair).packet_size, 1_452);
    world.network.set_all(Link { mtu: 1_250, ..Link::with_delay(20 * MILLI) });
    stream(&mut world, &pair, 10 * SECOND);
    assert_eq!((stats(&world, &pair).packet_size, reductions(&world)), (1_200, 1));
    world.run_for(SECOND);
    while world.receive(1, pair.peer_channel).is_some() {}
    assert_echo(&mut world, &pair);
    let before = delivered(&mut world, &pair, SECOND);
    assert!(before > 100, "{before} messages in a second");
}

// spec: 12.11 MTU
#[test]
fn a_reliable_channel_goes_on_when_its_link_begins_to_swallow_large_packets() {
    let mut world = two_nodes();
    let connection = world.connect(0, 1).expect("room");
    let capabilities = Capabilities(7);
    let config = ChannelConfig { capabilities, ..ChannelConfig::default() };
    let open = |node: &mut Node, now| node.open_channel(now, connection, &config);
    let channel = world.with(0, open).expect("room");
    world.run_for(SECOND);
    let (_, peer_channel, _) = world.opened(1, 0)[0];
    let mut received = 0;
    for round in 0..40_u64 {
        if round == 2 {
            world.network.set_all(Link { mtu: 1_250, ..Link::with_delay(20 * MILLI) });
        }
        world.send(0, channel, &[round as u8; 20_000]).expect("room");
        world.run_for(500 * MILLI);
        received += world.receive_all(1, peer_channel).len();
        if round == 1 {
            let stats = world.node(0).connection_stats(connection).expect("it lives");
            assert_eq!(stats.packet_size, 1_452);
        }
    }
    let stats = world.node(0).connection_stats(connection).expect("it lives");
    assert_eq!((received, stats.packet_size, reductions(&world)), (40, 1_200, 1));
}

// spec: 12.7, 12.8, 8.18 and 8.21
#[test]
fn a_peer_behind_a_nat_that_forgot_it_is_followed() {
    for (host, is_same_host) in [([10, 0, 0, 1], true), ([10, 99, 0, 1], false)] {
        let mut world = two_nodes();
        let pair = world.establish(0, 1);
        let own = world.address(0);
        let host = if is_same_host { own.ip() } else { host.into() };
        let seen = SocketAddr::new(host, 40_404);
        stream(&mut world, &pair, 2 * SECOND);
        let before = stats(&world, &pair);
        world.network.rebind(own, seen, false);
        assert_eq!(observed(&world, &pair), Some(own));
        world.send(0, pair.channel, b"from elsewhere").expect("room");
        world.run_for(300 * MILLI);
        let info = world.node(1).connection_info(pair.peer_connection).expect("it lives");
        assert_eq!(info.address, seen);
        assert_eq!(moves(&world), [seen]);
        assert_eq!(observed(&world, &pair), Some(seen));
        world.run_for(SECOND);
        while world.receive(1, pair.peer_channel).is_some() {}
        assert_echo(&mut world, &pair);
        // The other side sends: what it knew of the path is as good as before only if it leads to
        // the same host.
        let after = world.node(1).connection_stats(pair.peer_connection).expect("it lives");
        assert!(after.rtt >= 40 * MILLI && after.rtt < 60 * MILLI, "{:?}", after.rtt);
        assert!(before.congestion_window_bytes > 20_000, "{before:?}");
    }
}

// spec: 12.7 address changes
#[test]
fn a_move_to_another_host_begins_congestion_control_and_the_search_anew() {
    for is_same_host in [true, false] {
        let mut world = two_nodes();
        let pair = world.establish(0, 1);
        // The peer of who streams moves.
        let own = world.address(1);
        let host = if is_same_host { own.ip() } else { [10, 99, 0, 1].into() };
        let seen = SocketAddr::new(host, 40_404);
        stream(&mut world, &pair, 2 * SECOND);
        let before = stats(&world, &pair);
        world.network.rebind(own, seen, false);
        world.send(1, pair.peer_channel, b"from elsewhere").expect("room");
        world.run_for(200 * MILLI);
        let info = world.node(0).connection_info(pair.connection).expect("it lives");
        assert_eq!(info.address, seen);
        let after = stats(&world, &pair);
        if is_same_host {
            assert_eq!(after.congestion_window_bytes, before.congestion_window_bytes);
            assert_eq!(after.packet_size, 1_452);
        } else {
            assert!(after.congestion_window_bytes < 20_000, "{after:?}");
            assert_eq!(after.packet_size, 1_232);
            stream(&mut world, &pair, SECOND);
            assert_eq!(stats(&world, &pair).packet_size, 1_452);
        }
    }
}

// spec: 12.7 address changes
#[test]
fn an_old_address_that_still_answers_is_kept() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    world.run_for(SECOND);
    let (own, seen) = (world.address(0), SocketAddr::from(([10, 99, 0, 1], 40_404)));
    world.network.rebind(own, seen, true);
    for _ in 0..20 {
        assert_echo(&mut world, &pair);
    }
    let info = world.node(1).connection_info(pair.peer_connection).expect("it lives");
    let changes = moves(&world);
    assert_eq!(info.address, own, "{changes:?}");
}

// spec: 12.7 address changes, 14.5 stateless reset: meaning
#[test]
fn a_peer_that_moves_again_and_again_is_followed_through_loss() {
    for seed in 0..20 {
        let mut world = World::with_nodes(seed, 2);
        world.network.set_all(Link::lossy(20 * MILLI, 0.1));
        let pair = world.establish(0, 1);
        for round in 1..5 {
            let seen = SocketAddr::from(([10, 99, 0, round], 40_404));
            world.network.rebind(world.address(0), seen, false);
            for _ in 0..20 {
                world.send(0, pair.channel, b"from elsewhere").expect("room");
                world.run_for(500 * MILLI);
            }
            let info = world.node(1).connection_info(pair.peer_connection).expect("it lives");
            assert_eq!(info.address, seen, "seed {seed}, round {round}");
        }
    }
}

/// Sends half a megabyte a second of messages that fill packets from node 0 to node 1.
fn stream(world: &mut World, pair: &Pair, span: Duration) {
    delivered(world, pair, span);
}

/// The same; how many arrived.
fn delivered(world: &mut World, pair: &Pair, span: Duration) -> usize {
    let end = world.now() + span;
    let mut count = 0;
    while world.now() < end {
        world.with(0, |node, now| {
            // What finds no room is not missed.
            while_room(24, || node.send(now, pair.channel, &[7; 100]).is_ok());
        });
        world.run_for(5 * MILLI);
        while world.receive(1, pair.peer_channel).is_some() {
            count += 1;
        }
    }
    count
}

// spec: 13.5 congestion control
#[test]
fn a_queue_that_marks_slows_the_sender_without_a_loss() {
    for marks in [true, false] {
        let mut world = World::new(1);
        // One that fills a queue until something is lost or marked.
        (0..2).for_each(|_| {
            world.add(|config| config.congestion = Congestion::Cubic);
        });
        let slow = Link { rate: Some(250_000), marks, ..Link::with_delay(20 * MILLI) };
        world.network.set_all(slow);
        let pair = world.establish(0, 1);
        stream(&mut world, &pair, 5 * SECOND);
        let found = stats(&world, &pair);
        assert_eq!(found.ecn, EcnState::Capable);
        assert_eq!(found.packets_lost == 0, marks, "{found:?}");
    }
}

fn while_room(most: usize, mut send: impl FnMut() -> bool) {
    for _ in 0..most {
        if !send() {
            return;
        }
    }
}

fn stats(world: &World, pair: &Pair) -> ConnectionStats {
    world.node(0).connection_stats(pair.connection).expect("it lives")
}

fn observed(world: &World, pair: &Pair) -> Option<SocketAddr> {
    world.node(0).connection_info(pair.connection).expect("it lives").observed_address
}

fn reductions(world: &World) -> usize {
    count(world, 0, |event| matches!(event, Event::PacketSizeReduced { .. }))
}

/// The addresses that node 1 followed its peer to.
fn moves(world: &World) -> Vec<SocketAddr> {
    let events = world.events(1).iter();
    events
        .filter_map(|happened| {
            let Event::PathChanged { address, .. } = happened.event else { return None };
            Some(address)
        })
        .collect()
}
