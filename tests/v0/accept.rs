//! Aim: the owner decides who gets in.
//! Method: node 1 asks, refuses, or does not listen; node 0 dials.

use channeler::config::{Legacy, REFUSAL};
use channeler::error::Error;
use channeler::id::ConnectionHandle;
use channeler::io::Event;
use channeler::node::DropReason;
use channeler::sim::World;

use crate::tools::{MILLI, SECOND, closed, count, dropped};
use crate::v0::Peer;

#[test]
fn an_accepted_connection_reports_connected_then_its_channel() {
    let (mut world, request) = asked();
    assert_eq!(world.events(1).len(), 1, "nothing but the request before the answer");
    world.with(1, |node, now| node.accept(now, request)).expect("waiting");
    let events = world.take_events(1);
    assert!(
        matches!(events[1].event, Event::Connected { connection, .. } if connection == request)
    );
    let Event::ChannelOpened { connection, channel, by_peer: true } = events[2].event else {
        panic!("{events:?}");
    };
    assert_eq!(connection, request);
    let opened = world.opened(0, 0)[0].1;
    world.send(0, opened, b"hello").expect("room");
    world.run_for(SECOND);
    assert_eq!(world.receive(1, channel).as_deref(), Some(&b"hello"[..]));
    let again = world.with(1, |node, now| node.accept(now, request));
    assert_eq!(again, Err(Error::State));
}

#[test]
fn a_refused_connection_leaves_nothing_and_is_not_asked_about_for_a_while() {
    let (mut world, request) = asked();
    world.with(1, |node, now| node.refuse(now, request)).expect("waiting");
    assert_eq!(world.events(1).len(), 1, "refusing makes no event");
    assert_eq!(world.node(1).stats().connections, 0);
    let again = world.with(1, |node, now| node.refuse(now, request));
    assert_eq!(again, Err(Error::InvalidReference));
    // v0 cannot say no: the opener repeats FINALIZE, and none of it is worth a question.
    world.run_for(REFUSAL * 9 / 10);
    assert_eq!(world.events(1).len(), 1);
    assert!(dropped(&world, 1, DropReason::Refused) >= 3);
    // Later it may ask again.
    world.run_for(REFUSAL);
    let connection = world.connect(0, 1).expect("room");
    world.open(0, connection).expect("room");
    assert!(world.run_until(SECOND, |world| world.events(1).len() == 2));
    assert_eq!(world.node(1).stats().connections, 1);
}

#[test]
fn a_refused_liar_does_not_lock_out_the_peer_that_it_claimed_to_be() {
    let mut world = World::new(1);
    world.add_v0(|config| config.ask_before_accept = true);
    let liar = Peer::new(&mut world, 1, 0);
    let honest = Peer { id: liar.id, ..Peer::new(&mut world, 2, 0) };
    let requests = |world: &World| {
        let asked = world.events(0).iter().filter_map(|happened| {
            let Event::ConnectionRequest { connection, .. } = happened.event else { return None };
            Some(connection)
        });
        asked.collect::<Vec<_>>()
    };
    liar.open(&mut world, 7).expect("answered");
    let request = requests(&world)[0];
    world.with(0, |node, now| node.refuse(now, request)).expect("waiting");
    assert_eq!(liar.open(&mut world, 8), None, "it is not asked about again");
    honest.open(&mut world, 9).expect("answered");
    assert_eq!(requests(&world).len(), 2);
}

#[test]
fn an_unanswered_request_goes_away_in_silence() {
    let (mut world, request) = asked();
    world.run_for(200 * SECOND);
    assert_eq!(world.events(1).len(), 1, "nothing but the request is ever reported");
    assert_eq!(world.node(1).stats().connections, 0);
    let late = world.with(1, |node, now| node.accept(now, request));
    assert_eq!(late, Err(Error::InvalidReference));
}

#[test]
fn a_node_that_accepts_nobody_drops_handshakes_and_still_dials() {
    let mut world = World::new(1);
    world.add_v0(|_| ());
    world.add_v0(|config| config.accept_incoming = false);
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.run_for(60 * SECOND);
    assert_eq!(closed(&world, 0, channel), Some(Error::Timeout));
    assert!(dropped(&world, 1, DropReason::Refused) >= 6);
    assert_eq!(world.node(1).stats().datagrams_sent, 0);
    world.run_for(200 * SECOND);
    world.establish(1, 0);
}

#[test]
fn a_node_without_v0_drops_all_of_it() {
    let mut world = World::new(1);
    world.add_v0(|_| ());
    world.add_v0(|config| config.legacy = Legacy::Off);
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.run_for(60 * SECOND);
    assert_eq!(closed(&world, 0, channel), Some(Error::Timeout));
    assert_eq!(dropped(&world, 1, DropReason::LegacyOff), 6);
    assert_eq!(world.node(1).stats().datagrams_sent, 0);
}

/// Node 1 was asked about node 0, and has not answered.
fn asked() -> (World, ConnectionHandle) {
    let mut world = World::new(1);
    world.add_v0(|_| ());
    world.add_v0(|config| config.ask_before_accept = true);
    let connection = world.connect(0, 1).expect("room");
    world.open(0, connection).expect("room");
    world.run_for(100 * MILLI);
    let is_request = |event: &Event| matches!(event, Event::ConnectionRequest { .. });
    assert_eq!(count(&world, 1, is_request), 1, "{:?}", world.events(1));
    let Event::ConnectionRequest { connection, peer, address } = world.events(1)[0].event else {
        panic!("{:?}", world.events(1));
    };
    assert_eq!(peer, world.peer(0));
    assert_eq!(address, world.address(0));
    (world, connection)
}
