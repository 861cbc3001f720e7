//! Banned peers and addresses: nothing of theirs is taken, and they are told no more than others.

use std::time::Duration;

use channeler::error::Error;
use channeler::quic::{QuicDrop, QuicEvent};

use super::world::{TEAM, World, identity};

const HOUR: Duration = Duration::from_secs(3_600);

/// Two nodes with a connection that the first began, over which a message went.
fn connected(seed: u64) -> World {
    let mut world = World::with(seed, 2, |_| {});
    world.send(0, 1, "x", b"before");
    world.settle();
    world
}

fn reason(world: &World, number: usize) -> Error {
    let QuicEvent::ConnectionClosed { reason, .. } = world.closed(number) else {
        panic!("it was asked for an end");
    };
    *reason
}

#[test]
fn a_banned_peer_loses_its_connection_and_gets_no_other_until_the_ban_ends() {
    let mut world = connected(1);
    let peer = identity(0).peer_id();
    assert_eq!(world.call(1, |quic, now| quic.ban_peer(now, peer, HOUR)), Ok(()));
    world.settle();
    assert_eq!((reason(&world, 1), reason(&world, 0)), (Error::Banned, Error::Refused));
    assert_eq!(world.receive_all(1).len(), 1, "what came before can be read");
    world.take_events(0);
    world.send(0, 1, "x", b"while banned");
    world.settle();
    assert_eq!(reason(&world, 0), Error::Refused);
    assert_eq!(world.quic(1).stats().dropped(QuicDrop::PeerBanned), 1);
    world.run(HOUR);
    world.send(0, 1, "x", b"after");
    world.settle();
    assert_eq!(world.receive_all(1).len(), 1);
}

#[test]
fn nothing_that_comes_from_a_banned_address_is_taken() {
    let mut world = connected(2);
    let from = world.address(0);
    assert_eq!(world.call(1, |quic, now| quic.ban_address(now, from.ip(), HOUR)), Ok(()));
    world.settle();
    assert_eq!(reason(&world, 1), Error::Banned);
    world.send(0, 1, "x", b"while banned");
    world.settle();
    assert!(world.quic(1).stats().dropped(QuicDrop::AddressBanned) > 0);
    assert_eq!(world.quic(1).stats().connections, 0);
    let mapped = "[::ffff:10.0.0.1]:1".parse::<std::net::SocketAddr>().expect("an address").ip();
    assert!(world.call(1, |quic, _| quic.lift_ban_address(mapped)), "it is the same address");
    assert!(!world.call(1, |quic, _| quic.lift_ban_address(mapped)));
    world.run(Duration::from_secs(30));
    assert_eq!(world.receive_all(1).len(), 2, "sent again until somebody listened");
}

#[test]
fn a_banned_peer_or_address_cannot_be_dialled() {
    let mut world = World::with(3, 2, |_| {});
    let (to, peer) = (world.address(1), identity(1).peer_id());
    let local = channeler::io::Local::default();
    world.call(0, |quic, now| {
        quic.ban_peer(now, peer, HOUR).expect("there is room");
        assert_eq!(quic.connect(now, to, Some(peer), local), Err(Error::Banned));
        assert!(quic.lift_ban_peer(peer) && !quic.lift_ban_peer(peer));
        quic.ban_address(now, to.ip(), HOUR).expect("there is room");
        assert_eq!(quic.send(now, to, TEAM, "x", b"nobody"), Err(Error::Banned));
        assert!(quic.lift_ban_address(to.ip()));
        assert_eq!(quic.send(now, to, TEAM, "x", b"hello"), Ok(()));
    });
    world.settle();
    assert_eq!(world.receive_all(1).len(), 1);
}

#[test]
fn who_answers_a_dial_by_address_and_is_banned_is_turned_away() {
    let mut world = World::with(4, 2, |_| {});
    let peer = identity(1).peer_id();
    assert_eq!(world.call(0, |quic, now| quic.ban_peer(now, peer, HOUR)), Ok(()));
    world.send(0, 1, "x", b"to whoever is there");
    world.settle();
    assert_eq!((reason(&world, 0), reason(&world, 1)), (Error::Banned, Error::Refused));
    assert!(world.receive_all(1).is_empty());
}
