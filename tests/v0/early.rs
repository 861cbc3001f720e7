//! Aim: messages sent before the channel is established leave with the handshake's last flight, and
//! either message of that flight establishes the channel.
//! Method: two nodes with a delay, and a node with peers that the test plays.

use std::time::Duration;

use channeler::node::{Dial, DropReason};
use channeler::sim::{Link, World};

use crate::tools::{MILLI, SECOND, dropped, one_node};
use crate::v0::{DEFAULT, Message, Peer};

#[test]
fn early_messages_arrive_with_the_first_flight_after_acknowledge() {
    let mut world = World::with_v0_nodes(1, 2);
    world.network.set_all(Link::with_delay(10 * MILLI));
    let start = world.now();
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.send(0, channel, b"early").expect("waits for the handshake");
    world.send(0, channel, b"bird").expect("waits for the handshake");
    assert!(world.run_until(SECOND, |world| world.node(1).stats().messages_received == 2));
    assert_eq!(world.now() - start, 30 * MILLI);
    let opened = world.opened(1, 0);
    assert_eq!(world.receive_all(1, opened[0].1), [&b"early"[..], b"bird"]);
}

#[test]
fn early_data_goes_out_after_finalize_with_a_cookie_on_the_full_id() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let connection = world
        .with(0, |node, now| node.connect(now, &Dial::v0(peer.id, peer.address)))
        .expect("room");
    let channel = world.open(0, connection).expect("room");
    world.send(0, channel, b"early").expect("waits for the handshake");
    world.run_for(100 * MILLI);
    let (half, cookie1) = peer.newest_new(&mut world).expect("NEW was sent");
    let id = 0x0101 << 16 | u32::from(half);
    peer.send(&mut world, DEFAULT, &[Message::Acknowledge { id, cookie1, cookie2: 3 }]);
    world.run_for(Duration::ZERO);
    let packets = peer.receive(&mut world);
    assert_eq!(packets.len(), 2, "{packets:?}");
    assert_eq!(packets[0].channel, DEFAULT);
    assert_eq!(packets[0].messages, [Message::Finalize { id, cookie2: 3, capabilities: 0 }]);
    assert_eq!(packets[1].channel, id);
    let cookie = Message::Cookie { cookie: 3, capabilities: 0 };
    assert_eq!(packets[1].messages, [cookie, Message::Data(b"early".to_vec())]);
}

#[test]
fn cookie_with_data_establishes_without_finalize() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let (id, cookie2) = peer.ask_new(&mut world, 0x1234).expect("answered");
    let cookie = Message::Cookie { cookie: cookie2, capabilities: 1 };
    peer.ask(&mut world, id, &[cookie, Message::Data(b"first".to_vec())]);
    let opened = world.opened(0, 0);
    assert_eq!(opened.len(), 1);
    assert_eq!(world.receive_all(0, opened[0].1), [b"first"]);
    assert_eq!(world.node(0).channel_info(opened[0].1).expect("open").capabilities.0, 1);
    // FINALIZE comes late: it changes nothing.
    peer.ask(&mut world, DEFAULT, &[Message::Finalize { id, cookie2, capabilities: 1 }]);
    assert_eq!(world.opened(0, 0).len(), 1);
    assert_eq!(dropped(&world, 0, DropReason::Duplicate), 1);
}

#[test]
fn a_wrong_cookie_with_data_establishes_nothing_and_delivers_nothing() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let (id, cookie2) = peer.ask_new(&mut world, 0x1234).expect("answered");
    let cookie = Message::Cookie { cookie: cookie2 ^ 1, capabilities: 0 };
    peer.ask(&mut world, id, &[cookie, Message::Data(b"first".to_vec())]);
    assert!(world.opened(0, 0).is_empty());
    assert_eq!(dropped(&world, 0, DropReason::BadCookie), 1);
    assert_eq!(world.node(0).stats().messages_received, 0);
}
