//! Aim: connections and channels end, and the peer is told why.
//! Method: closes with and without a code, with messages under way, at every stage.

use channeler::error::Error;
use channeler::id::ConnectionHandle;
use channeler::io::Event;
use channeler::node::CloseReason;
use channeler::sim::World;

use crate::tools::{MILLI, SECOND, closed, connected, count, two_nodes, why_closed};

// spec: 14.1 graceful end, 14.2 close
#[test]
fn the_peer_gets_what_was_sent_then_code_and_text() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    for number in 0..20_u8 {
        world.send(0, pair.channel, &[number; 900]).expect("room");
    }
    close(&mut world, 0, pair.connection, 42, "enough");
    world.run_for(2 * SECOND);
    // What was not read before the end still can be.
    assert_eq!(world.receive_all(1, pair.peer_channel).len(), 20);
    let got = world.node(1).stats().messages_received;
    assert_eq!(got, 20);
    assert_eq!(closed(&world, 1, pair.peer_connection), Some((Error::PeerClosed, Some(42))));
    assert_eq!(why_closed(&world, 0, pair.connection), Some(Error::Closed));
    let texts = world.events(1).iter().filter_map(|happened| {
        let Event::ConnectionClosed { said: Some(said), .. } = &happened.event else { return None };
        Some(said.text.clone())
    });
    assert_eq!(texts.collect::<Vec<_>>(), ["enough"]);
}

// spec: 14.2 close, 15.1 table
#[test]
fn nothing_is_left_of_a_closed_connection_after_a_while() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    close(&mut world, 0, pair.connection, 0, "");
    world.run_for(20 * SECOND);
    for node in 0..2 {
        let stats = world.node(node).stats();
        assert_eq!((stats.connections, stats.channels), (0, 0), "node {node}");
        assert_eq!(world.node(node).poll_timeout(), None, "node {node} has timers left");
    }
    assert_eq!(closed(&world, 1, pair.peer_connection), Some((Error::PeerClosed, Some(0))));
    let stale = world
        .with(0, |node, now| node.close_connection(now, pair.connection, CloseReason::default()));
    assert_eq!(stale, Err(Error::InvalidReference));
    let again = world.establish(0, 1);
    assert_ne!(again.connection, pair.connection);
}

// spec: 14.1 graceful end
#[test]
fn a_peer_is_not_dialled_again_while_the_connection_with_it_is_being_closed() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    world.send(0, pair.channel, b"on its way").expect("room");
    close(&mut world, 0, pair.connection, 0, "");
    assert_eq!(world.connect(0, 1), Err(Error::State));
    world.run_for(SECOND);
    assert_eq!(world.node(1).stats().messages_received, 1);
    let again = world.establish(0, 1);
    assert_ne!(again.connection, pair.connection);
}

// spec: 14.3 levels of a close, 8.7 CONNECTION_CLOSE
#[test]
fn a_dial_that_is_closed_while_it_begins_reports_once_and_leaves_nothing() {
    for after in [0, 10, 20, 30, 40, 50, 70] {
        let mut world = two_nodes();
        let connection = world.connect(0, 1).expect("room");
        world.run_for(after * MILLI);
        close(&mut world, 0, connection, 7, "changed my mind");
        world.run_for(60 * SECOND);
        assert_eq!(why_closed(&world, 0, connection), Some(Error::Closed), "after {after} ms");
        let ends = count(&world, 1, |event| matches!(event, Event::ConnectionClosed { .. }));
        assert_eq!(ends, connected(&world, 1), "after {after} ms");
        for node in 0..2 {
            assert_eq!(world.node(node).stats().connections, 0, "node {node} after {after} ms");
        }
    }
}

// spec: 9.4 graceful close
#[test]
fn a_closed_channel_delivers_what_was_sent_and_closes_on_both_sides() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    world.send(0, pair.channel, b"last words").expect("room");
    world.with(0, |node, now| node.close_channel(now, pair.channel)).expect("it is open");
    world.run_for(SECOND);
    assert_eq!(world.receive(1, pair.peer_channel).as_deref(), Some(&b"last words"[..]));
    world.run_for(SECOND);
    for (node, channel) in [(0, pair.channel), (1, pair.peer_channel)] {
        let is_end = |event: &Event| {
            let Event::ChannelClosed { channel: which, .. } = event else { return false };
            *which == channel
        };
        assert_eq!(count(&world, node, is_end), 1, "node {node}: {:?}", world.events(node));
        assert_eq!(world.node(node).stats().channels, 0);
    }
    let next = world.open(0, pair.connection).expect("the connection goes on");
    world.run_for(SECOND);
    assert!(world.opened(0, 0).contains(&(pair.connection, next, false)));
}

// spec: 14.4 idle timeout and keep-alive
#[test]
fn a_connection_that_nothing_is_said_on_ends_silently_after_a_minute() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    world.run_for(50 * SECOND);
    assert_eq!(why_closed(&world, 0, pair.connection), None);
    world.run_for(70 * SECOND);
    assert_eq!(why_closed(&world, 0, pair.connection), Some(Error::Idle));
    assert_eq!(why_closed(&world, 1, pair.peer_connection), Some(Error::Idle));
    assert_eq!(world.node(0).stats().connections + world.node(1).stats().connections, 0);
}

// spec: 14.4 idle timeout and keep-alive
#[test]
fn keep_alive_keeps_a_connection() {
    let mut world = World::new(1);
    world.add(|config| config.keep_alive = 20 * SECOND);
    world.add(|_| ());
    let pair = world.establish(0, 1);
    world.run_for(600 * SECOND);
    assert_eq!(why_closed(&world, 0, pair.connection), None);
    assert_eq!(why_closed(&world, 1, pair.peer_connection), None);
}

fn close(world: &mut World, node: usize, handle: ConnectionHandle, code: u64, text: &str) {
    let reason = CloseReason { code, text: text.to_owned() };
    world.with(node, |node, now| node.close_connection(now, handle, reason)).expect("it is there");
}
