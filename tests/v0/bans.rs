//! Aim: bans by peer and by address close, keep out, expire and can be lifted.
//! Method: two nodes; node 1 bans.

use std::net::IpAddr;

use channeler::config::BANS_MAX;
use channeler::error::Error;
use channeler::id::PeerId;
use channeler::node::DropReason;
use channeler::sim::{Pair, World};

use crate::tools::{SECOND, closed, connection_closed, dropped};

#[test]
fn a_banned_peer_is_closed_and_kept_out_until_the_ban_expires() {
    let (mut world, pair) = pair();
    let peer = world.peer(0);
    world.with(1, |node, now| node.ban_peer(now, peer, 600 * SECOND)).expect("room");
    assert_kept_out_then_let_in(&mut world, pair);
}

#[test]
fn a_banned_address_is_closed_and_kept_out_until_the_ban_expires() {
    let (mut world, pair) = pair();
    let ip = world.address(0).ip();
    world.with(1, |node, now| node.ban_address(now, ip, 600 * SECOND)).expect("room");
    assert_kept_out_then_let_in(&mut world, pair);
}

#[test]
fn a_lifted_ban_lets_in_at_once_and_is_lifted_only_once() {
    let (mut world, _) = pair();
    let (peer, ip) = (world.peer(0), world.address(0).ip());
    world.with(1, |node, now| node.ban_peer(now, peer, 600 * SECOND)).expect("room");
    world.with(1, |node, now| node.ban_address(now, ip, 600 * SECOND)).expect("room");
    assert!(world.with(1, |node, _| node.lift_ban_peer(peer)));
    assert!(!world.with(1, |node, _| node.lift_ban_peer(peer)));
    assert!(!opens(&mut world), "the address is still banned");
    assert!(world.with(1, |node, _| node.lift_ban_address(ip)));
    assert!(!world.with(1, |node, _| node.lift_ban_address(ip)));
    assert!(opens(&mut world));
}

#[test]
fn an_ipv4_mapped_address_is_the_address_it_maps() {
    let (mut world, pair) = pair();
    let IpAddr::V4(v4) = world.address(0).ip() else { panic!("nodes have IPv4 addresses") };
    let mapped = IpAddr::V6(v4.to_ipv6_mapped());
    world.with(1, |node, now| node.ban_address(now, mapped, 600 * SECOND)).expect("room");
    assert_eq!(connection_closed(&world, 1, pair.peer_connection), Some(Error::Banned));
    assert!(world.with(1, |node, _| node.lift_ban_address(IpAddr::V4(v4))));
}

#[test]
fn we_do_not_dial_whom_we_banned() {
    let (mut world, _) = pair();
    let (peer, ip) = (world.peer(0), world.address(0).ip());
    world.with(1, |node, now| node.ban_peer(now, peer, 600 * SECOND)).expect("room");
    assert_eq!(world.connect(1, 0), Err(Error::Banned));
    world.with(1, |node, _| node.lift_ban_peer(peer));
    world.with(1, |node, now| node.ban_address(now, ip, 600 * SECOND)).expect("room");
    assert_eq!(world.connect(1, 0), Err(Error::Banned));
}

#[test]
fn bans_are_limited_and_expired_ones_make_room() {
    let mut world = World::with_v0_nodes(1, 1);
    let id = |number: usize| PeerId((number as u128).to_be_bytes());
    for number in 0..BANS_MAX {
        world.with(0, |node, now| node.ban_peer(now, id(number), 10 * SECOND)).expect("room");
    }
    let one_more = |world: &mut World| {
        world.with(0, |node, now| node.ban_peer(now, id(BANS_MAX), 10 * SECOND))
    };
    assert_eq!(one_more(&mut world), Err(Error::Limit));
    world.with(0, |node, now| node.ban_peer(now, id(3), 20 * SECOND)).expect("known already");
    world.run_for(11 * SECOND);
    assert_eq!(one_more(&mut world), Ok(()));
}

fn assert_kept_out_then_let_in(world: &mut World, pair: Pair) {
    assert_eq!(closed(world, 1, pair.peer_channel), Some(Error::Banned));
    assert_eq!(connection_closed(world, 1, pair.peer_connection), Some(Error::Banned));
    assert_eq!(world.node(1).stats().connections, 0);
    world.send(0, pair.channel, b"knock").expect("room");
    world.run_for(SECOND);
    assert_eq!(dropped(world, 1, DropReason::Banned), 1);
    assert!(!opens(world));
    assert_eq!(world.node(1).stats().connections, 0);
    world.run_for(600 * SECOND);
    assert!(opens(world));
}

/// Whether node 0 gets a channel to node 1.
fn opens(world: &mut World) -> bool {
    let seen = world.events(1).len();
    let connection = world.connect(0, 1).expect("room");
    world.open(0, connection).expect("room");
    world.run_for(50 * SECOND);
    !world.opened(1, seen).is_empty()
}

fn pair() -> (World, Pair) {
    let mut world = World::with_v0_nodes(1, 2);
    let pair = world.establish(0, 1);
    (world, pair)
}
