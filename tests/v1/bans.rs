//! Aim: who is banned is not served, whatever connection or handshake there is.
//! Method: bans of a key's id and of an address, before and after it connected.

use channeler::error::Error;
use channeler::node::DropReason;

use crate::tools::{SECOND, assert_echo, closed, connected, dropped, two_nodes, why_closed};

// spec: 3.4 identity checks
#[test]
fn a_banned_peer_is_refused_when_it_has_shown_its_key() {
    let mut world = two_nodes();
    let peer = world.peer(0);
    world.with(1, |node, now| node.ban_peer(now, peer, 60 * SECOND)).expect("room");
    let connection = world.connect(0, 1).expect("room");
    world.run_for(30 * SECOND);
    assert_eq!(closed(&world, 0, connection), Some((Error::Refused, Some(2))));
    assert_eq!((connected(&world, 0), connected(&world, 1)), (0, 0));
    assert_eq!(dropped(&world, 1, DropReason::Refused), 1);
    assert_eq!(world.connect(1, 0), Err(Error::Banned));
    world.with(1, |node, _| assert!(node.lift_ban_peer(peer)));
    let pair = world.establish(0, 1);
    assert_echo(&mut world, &pair);
}

// spec: 3.4 identity checks
#[test]
fn a_banned_address_gets_no_answer_at_all() {
    let mut world = two_nodes();
    let ip = world.address(0).ip();
    world.with(1, |node, now| node.ban_address(now, ip, 60 * SECOND)).expect("room");
    let connection = world.connect(0, 1).expect("room");
    world.run_for(40 * SECOND);
    assert_eq!(why_closed(&world, 0, connection), Some(Error::Timeout));
    assert_eq!(world.node(1).stats().datagrams_sent, 0);
    assert!(dropped(&world, 1, DropReason::Banned) > 3);
    assert_eq!(world.connect(1, 0), Err(Error::Banned));
    world.run_for(30 * SECOND);
    let pair = world.establish(0, 1);
    assert_echo(&mut world, &pair);
}

// spec: 3.4 identity checks, 14.2 close
#[test]
fn a_ban_ends_the_connection_that_there_is() {
    for by_address in [false, true] {
        let mut world = two_nodes();
        let pair = world.establish(0, 1);
        let (peer, ip) = (world.peer(0), world.address(0).ip());
        let ban = |node: &mut channeler::node::Node, now| match by_address {
            true => node.ban_address(now, ip, 60 * SECOND),
            false => node.ban_peer(now, peer, 60 * SECOND),
        };
        world.with(1, ban).expect("room");
        assert_eq!(why_closed(&world, 1, pair.peer_connection), Some(Error::Banned));
        let stale = world.send(1, pair.peer_channel, b"too late");
        assert_eq!(stale, Err(Error::InvalidChannelId));
        world.run_for(SECOND);
        assert_eq!(closed(&world, 0, pair.connection), Some((Error::Refused, Some(2))));
        assert_eq!(world.node(1).stats().connections, 0);
    }
}
