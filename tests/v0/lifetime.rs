//! Aim: silence ends channels and connections, keep-alives prevent it, closing says so locally.
//! Method: two nodes and a long virtual time.

use std::time::Duration;

use channeler::config::ChannelConfig;
use channeler::error::Error;
use channeler::node::CloseReason;
use channeler::sim::{Link, World};
use channeler::time::Time;

use crate::tools::{MILLI, SECOND, closed, connection_closed};
use crate::v0::{Message, Peer};

#[test]
fn silence_ends_the_channel_then_the_connection_on_both_sides() {
    let mut world = World::with_v0_nodes(1, 2);
    let pair = world.establish(0, 1);
    world.run_for(55 * SECOND);
    assert_eq!(closed(&world, 0, pair.channel), None);
    assert_eq!(closed(&world, 1, pair.peer_channel), None);
    world.run_for(200 * SECOND);
    assert_eq!(closed(&world, 0, pair.channel), Some(Error::Idle));
    assert_eq!(closed(&world, 1, pair.peer_channel), Some(Error::Idle));
    assert_eq!(connection_closed(&world, 0, pair.connection), Some(Error::Idle));
    assert_eq!(connection_closed(&world, 1, pair.peer_connection), Some(Error::Idle));
    for index in 0..2 {
        assert_eq!(world.node(index).stats().connections, 0);
        assert_eq!(world.node(index).stats().channels, 0);
        assert_eq!(world.node(index).poll_timeout(), None, "nothing is left to do");
    }
}

#[test]
fn messages_of_one_side_keep_both_sides_alive() {
    let mut world = World::with_v0_nodes(1, 2);
    let pair = world.establish(0, 1);
    for _ in 0..10 {
        world.run_for(50 * SECOND);
        world.send(0, pair.channel, b"tick").expect("room");
    }
    assert_eq!(closed(&world, 0, pair.channel), None);
    assert_eq!(closed(&world, 1, pair.peer_channel), None);
}

#[test]
fn keep_alives_of_one_side_keep_both_sides_alive() {
    let mut world = World::new(1);
    world.add_v0(|config| config.keep_alive = 20 * SECOND);
    world.add_v0(|_| ());
    let pair = world.establish(0, 1);
    let before = world.network.counters().sent;
    world.run_for(600 * SECOND);
    assert_eq!(closed(&world, 0, pair.channel), None);
    assert_eq!(closed(&world, 1, pair.peer_channel), None);
    let sent = world.network.counters().sent - before;
    assert!((56..=64).contains(&sent), "a question and an answer each 20 s: {sent}");
    assert_eq!(world.receive(1, pair.peer_channel), None, "the application sees nothing of them");
}

#[test]
fn keep_alives_are_not_sent_while_both_sides_talk() {
    let mut world = World::new(1);
    world.add_v0(|config| config.keep_alive = 20 * SECOND);
    world.add_v0(|_| ());
    let pair = world.establish(0, 1);
    let before = world.network.counters().sent;
    for _ in 0..100 {
        world.send(0, pair.channel, b"tick").expect("room");
        world.send(1, pair.peer_channel, b"tock").expect("room");
        world.run_for(SECOND);
    }
    assert_eq!(world.network.counters().sent - before, 200);
}

#[test]
fn keep_alives_keep_a_silent_channel_beside_a_busy_one() {
    let mut world = World::new(1);
    world.add_v0(|config| config.keep_alive = 20 * SECOND);
    world.add_v0(|_| ());
    let busy = world.establish(0, 1);
    let silent = world.establish(0, 1);
    for _ in 0..200 {
        world.send(0, busy.channel, b"tick").expect("room");
        world.send(1, busy.peer_channel, b"tock").expect("room");
        world.run_for(SECOND);
    }
    assert_eq!(closed(&world, 0, silent.channel), None);
    assert_eq!(closed(&world, 1, silent.peer_channel), None);
}

#[test]
fn with_keep_alives_a_dead_peer_is_noticed_however_much_is_sent_to_it() {
    let mut world = World::new(1);
    world.add_v0(|config| config.keep_alive = 20 * SECOND);
    world.add_v0(|_| ());
    let pair = world.establish(0, 1);
    world.network.set_all(Link { loss: 1.0, ..Link::default() });
    for _ in 0..59 {
        world.send(0, pair.channel, b"tick").expect("room");
        world.run_for(SECOND);
    }
    assert_eq!(closed(&world, 0, pair.channel), None);
    world.run_for(2 * SECOND);
    assert_eq!(closed(&world, 0, pair.channel), Some(Error::Idle));
}

#[test]
fn without_idle_timeout_nothing_ends() {
    let mut world = World::new(1);
    for _ in 0..2 {
        world.add_v0(|config| config.idle_timeout = Duration::ZERO);
    }
    let pair = world.establish(0, 1);
    world.run_for(100_000 * SECOND);
    world.send(0, pair.channel, b"still").expect("room");
    world.run_for(SECOND);
    assert_eq!(world.receive(1, pair.peer_channel).as_deref(), Some(&b"still"[..]));
}

#[test]
fn the_end_of_the_clock_never_comes_twice() {
    for (idle_timeout, keep_alive) in [(60, 0), (0, 20)] {
        let mut world = World::new(1);
        for _ in 0..2 {
            world.add_v0(|config| {
                config.idle_timeout = idle_timeout * SECOND;
                config.keep_alive = keep_alive * SECOND;
            });
        }
        let pair = world.establish(0, 1);
        let end = Time::from_nanos(u64::MAX);
        world.with(0, |node, _| {
            node.send(end, pair.channel, b"last words").expect("room");
            node.handle_timeout(end);
            assert_eq!(node.poll_timeout(), None, "nothing is due after the end");
            node.open_channel(end, pair.connection, &ChannelConfig::default()).expect("room");
            node.handle_timeout(end);
        });
        assert_eq!(closed(&world, 0, pair.channel), None);
    }
}

#[test]
fn closing_a_channel_sends_what_was_queued_and_makes_the_handle_stale() {
    let mut world = World::with_v0_nodes(1, 2);
    world.network.set_all(Link::with_delay(10 * MILLI));
    let pair = world.establish(0, 1);
    world.with(0, |node, now| {
        node.send(now, pair.channel, b"last words").expect("room");
        node.close_channel(now, pair.channel).expect("open");
    });
    world.run_for(100 * MILLI);
    assert_eq!(world.receive(1, pair.peer_channel).as_deref(), Some(&b"last words"[..]));
    assert_eq!(closed(&world, 0, pair.channel), Some(Error::Closed));
    assert_eq!(world.send(0, pair.channel, b"more"), Err(Error::InvalidChannelId));
    let again = world.with(0, |node, now| node.close_channel(now, pair.channel));
    assert_eq!(again, Err(Error::InvalidChannelId));
    assert_eq!(world.node(0).stats().channels, 0);
    world.run_for(200 * SECOND);
    assert_eq!(closed(&world, 1, pair.peer_channel), Some(Error::Idle), "v0 has no close");
}

#[test]
fn closing_a_connection_sends_what_was_queued_and_makes_all_handles_stale() {
    let mut world = World::with_v0_nodes(1, 2);
    let pair = world.establish(0, 1);
    world.with(0, |node, now| {
        node.send(now, pair.channel, b"last words").expect("room");
        node.close_connection(now, pair.connection, CloseReason::default()).expect("there");
    });
    world.run_for(100 * MILLI);
    assert_eq!(world.receive(1, pair.peer_channel).as_deref(), Some(&b"last words"[..]));
    assert_eq!(closed(&world, 0, pair.channel), Some(Error::Closed));
    assert_eq!(connection_closed(&world, 0, pair.connection), Some(Error::Closed));
    assert_eq!(world.send(0, pair.channel, b"more"), Err(Error::InvalidChannelId));
    let again = world
        .with(0, |node, now| node.close_connection(now, pair.connection, CloseReason::default()));
    assert_eq!(again, Err(Error::InvalidReference));
    assert_eq!(world.open(0, pair.connection), Err(Error::InvalidReference));
    assert_eq!(world.node(0).stats().connections, 0);
}

#[test]
fn a_handle_of_another_node_is_an_error() {
    let mut world = World::with_v0_nodes(1, 3);
    let pair = world.establish(0, 1);
    let other = world.establish(2, 1);
    assert_eq!(world.send(2, pair.channel, b"x"), Err(Error::InvalidChannelId));
    assert_eq!(world.open(2, pair.connection), Err(Error::InvalidReference));
    assert_ne!(pair.channel, other.channel);
}

#[test]
fn a_closed_peer_can_be_connected_to_again() {
    let mut world = World::with_v0_nodes(1, 2);
    let first = world.establish(0, 1);
    world
        .with(0, |node, now| node.close_connection(now, first.connection, CloseReason::default()))
        .expect("there");
    world.take_events(1);
    let second = world.establish(0, 1);
    assert_ne!(first.connection, second.connection);
    world.send(0, second.channel, b"again").expect("room");
    world.run_for(SECOND);
    assert_eq!(world.receive(1, second.peer_channel).as_deref(), Some(&b"again"[..]));
}

#[test]
fn connect_returns_the_connection_there_is() {
    let mut world = World::with_v0_nodes(1, 2);
    let pair = world.establish(0, 1);
    assert_eq!(world.connect(0, 1), Ok(pair.connection));
    assert_eq!(world.connect(1, 0), Ok(pair.peer_connection));
}

#[test]
fn packets_from_elsewhere_do_not_keep_a_dead_peer_alive() {
    let mut world = World::new(1);
    world.add_v0(|config| config.keep_alive = 20 * SECOND);
    let peer = Peer::new(&mut world, 1, 0);
    peer.open(&mut world, 7).expect("answered");
    let channel = world.opened(0, 0)[0].1;
    let elsewhere = Peer { id: peer.id, ..Peer::new(&mut world, 2, 0) };
    for _ in 0..20 {
        elsewhere.send(&mut world, 0x0101_0101, &[Message::Data(b"I am alive".to_vec())]);
        world.run_for(10 * SECOND);
    }
    assert_eq!(closed(&world, 0, channel), Some(Error::Idle));
}
