//! Aim: the application decides who is served, by the key that the peer proved.
//! Method: a responder that asks, and answers yes, no, or never.

use channeler::error::Error;
use channeler::id::ConnectionHandle;
use channeler::io::Event;
use channeler::sim::World;

use crate::tools::{MILLI, SECOND, closed, connected, why_closed};

// spec: 3.4 identity checks
#[test]
fn a_peer_that_is_accepted_gets_its_messages_through() {
    let (mut world, ours, theirs) = asked();
    assert_eq!((connected(&world, 0), connected(&world, 1)), (0, 0));
    world.run_for(2 * SECOND);
    world.with(1, |node, now| node.accept(now, theirs)).expect("it waits");
    assert_eq!(world.with(1, |node, now| node.accept(now, theirs)), Err(Error::State));
    world.run_for(SECOND);
    assert_eq!((connected(&world, 0), connected(&world, 1)), (1, 1));
    let (_, channel, _) = world.opened(1, 0)[0];
    assert_eq!(world.receive_all(1, channel), [b"hello".to_vec()]);
    assert_eq!(why_closed(&world, 0, ours), None);
}

// spec: 3.4 identity checks, 7.15 failures and attempts
#[test]
fn a_peer_that_is_refused_is_told_and_does_not_try_again() {
    let (mut world, ours, theirs) = asked();
    world.with(1, |node, now| node.refuse(now, theirs)).expect("it waits");
    assert!(world.with(1, |node, now| node.accept(now, theirs)).is_err());
    let sent = world.node(0).stats().datagrams_sent;
    world.run_for(60 * SECOND);
    assert_eq!(closed(&world, 0, ours), Some((Error::Refused, Some(2))));
    assert_eq!((connected(&world, 0), connected(&world, 1)), (0, 0));
    let more = world.node(0).stats().datagrams_sent - sent;
    assert!(more <= 10, "{more} datagrams after the refusal");
    assert_eq!(world.node(1).stats().connections, 0);
}

// spec: 3.4 identity checks, 15.1 table
#[test]
fn a_peer_that_nobody_answers_for_is_refused_after_the_accept_timeout() {
    let (mut world, ours, theirs) = asked();
    world.run_for(4 * SECOND);
    assert_eq!(why_closed(&world, 0, ours), None);
    world.run_for(2 * SECOND);
    assert_eq!(closed(&world, 0, ours), Some((Error::Refused, Some(2))));
    assert!(world.with(1, |node, now| node.accept(now, theirs)).is_err());
    assert_eq!(connected(&world, 1), 0);
}

/// Node 1 was asked about node 0, which has sent a message, and has not answered.
fn asked() -> (World, ConnectionHandle, ConnectionHandle) {
    let mut world = World::new(1);
    world.add(|_| ());
    world.add(|config| config.ask_before_accept = true);
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.send(0, channel, b"hello").expect("room");
    world.run_for(500 * MILLI);
    let requests: Vec<_> = world.events(1).iter().map(|one| one.event.clone()).collect();
    let [Event::ConnectionRequest { connection: theirs, peer, address }] = requests[..] else {
        panic!("expected one request, got {requests:?}");
    };
    assert_eq!((peer, address), (world.peer(0), world.address(0)));
    (world, connection, theirs)
}
