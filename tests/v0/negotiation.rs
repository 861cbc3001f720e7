//! Aim: each row of the wire page's negotiation table.
//! Method: a live node, and a peer that the test plays byte by byte.

use std::time::Duration;

use channeler::id::{ChannelHandle, ChannelId};
use channeler::io::Event;
use channeler::node::{Dial, DropReason};
use channeler::sim::World;

use crate::tools::{MILLI, SECOND, assert_alive, closed, count, dropped, one_node};
use crate::v0::{DEFAULT, Message, Peer};

#[test]
fn the_node_acknowledges_new_and_is_established_by_finalize() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let (id, cookie2) = peer.ask_new(&mut world, 0x1234).expect("answered");
    assert_eq!(world.node(0).stats().channels, 0, "the responder keeps nothing yet");
    peer.ask(&mut world, DEFAULT, &[Message::Finalize { id, cookie2, capabilities: 5 }]);
    let opened = world.opened(0, 0);
    assert_eq!(opened.len(), 1);
    let info = world.node(0).channel_info(opened[0].1).expect("open");
    assert_eq!(info.id, ChannelId::from_wire(id));
    assert_eq!(info.capabilities.0, 5);
    assert!(info.is_established && opened[0].2);
}

#[test]
fn the_nodes_own_new_finalize_and_ids_are_as_the_wire_page_says() {
    let (mut world, peer, channel) = dialled();
    let packets = peer.receive(&mut world);
    assert_eq!(packets.len(), 1);
    let packet = &packets[0];
    assert_eq!((packet.sender, packet.recipient), (world.peer(0), peer.id));
    assert_eq!(packet.channel, DEFAULT);
    assert!(packet.len >= 65, "room for the answer: {}", packet.len);
    let &[Message::New { half, cookie1 }] = &packet.messages[..] else {
        panic!("one NEW, got {packet:?}");
    };
    assert_ne!(half, 0xf0f0);
    let id = 0x5555 << 16 | u32::from(half);
    peer.send(&mut world, DEFAULT, &[Message::Acknowledge { id, cookie1, cookie2: 99 }]);
    world.run_for(100 * MILLI);
    let packets = peer.receive(&mut world);
    let finalize = Message::Finalize { id, cookie2: 99, capabilities: 0 };
    let found = packets
        .iter()
        .any(|packet| packet.channel == DEFAULT && packet.messages.contains(&finalize));
    assert!(found, "{packets:?}");
    assert_eq!(world.opened(0, 0)[0].1, channel);
}

#[test]
fn the_same_half_from_both_sides_is_dropped_by_both_and_ours_is_tried_with_a_new_one() {
    let (mut world, peer, channel) = dialled();
    let (half, _) = peer.newest_new(&mut world).expect("NEW was sent");
    let answers = peer.ask(&mut world, DEFAULT, &[Message::New { half, cookie1: 1 }]);
    assert!(!answers.iter().any(|m| matches!(m, Message::Acknowledge { .. })), "{answers:?}");
    assert_eq!(dropped(&world, 0, DropReason::SimultaneousOpen), 1);
    assert_eq!(closed(&world, 0, channel), None, "the application hears nothing of it");

    world.run_for(SECOND);
    let new = answers.iter().rev().find_map(|m| {
        let Message::New { half, cookie1 } = m else {
            return None;
        };
        Some((*half, *cookie1))
    });
    let (second, cookie1) = peer.newest_new(&mut world).or(new).expect("tried again");
    assert_ne!(second, half);
    let id = 0x0101 << 16 | u32::from(second);
    peer.ask(&mut world, DEFAULT, &[Message::Acknowledge { id, cookie1, cookie2: 3 }]);
    assert_eq!(world.opened(0, 0).len(), 1);
    assert_eq!(world.opened(0, 0)[0].1, channel, "the handle stays");
    assert_alive(&mut world, 0, 2);
}

#[test]
fn new_again_before_finalize_gets_another_acknowledge() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let first = peer.ask_new(&mut world, 0x1234).expect("answered");
    let second = peer.ask_new(&mut world, 0x1234).expect("answered again");
    // Either answer can be finalized.
    for (id, cookie2) in [second, first] {
        peer.ask(&mut world, DEFAULT, &[Message::Finalize { id, cookie2, capabilities: 0 }]);
    }
    assert!(!world.opened(0, 0).is_empty());
}

#[test]
fn new_for_an_established_half_gets_the_same_id() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 0x1234).expect("answered");
    let (again, _) = peer.ask_new(&mut world, 0x1234).expect("answered");
    assert_eq!(again, id);
    assert_eq!(world.node(0).stats().channels, 1);
}

#[test]
fn a_duplicate_finalize_is_dropped_and_counted() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let (id, cookie2) = peer.ask_new(&mut world, 0x1234).expect("answered");
    for _ in 0..2 {
        peer.ask(&mut world, DEFAULT, &[Message::Finalize { id, cookie2, capabilities: 0 }]);
    }
    assert_eq!(world.opened(0, 0).len(), 1);
    assert_eq!(dropped(&world, 0, DropReason::Duplicate), 1);
}

#[test]
fn a_duplicate_acknowledge_is_dropped_and_counted() {
    let (mut world, peer, _) = dialled();
    let (half, cookie1) = peer.newest_new(&mut world).expect("NEW was sent");
    for responder in [0x0101_u32, 0x0101, 0x0202] {
        let id = responder << 16 | u32::from(half);
        peer.ask(&mut world, DEFAULT, &[Message::Acknowledge { id, cookie1, cookie2: 3 }]);
    }
    let opened = world.opened(0, 0);
    assert_eq!(opened.len(), 1);
    let info = world.node(0).channel_info(opened[0].1).expect("open");
    assert_eq!(info.id.responder, 0x0101, "the first one holds");
    assert_eq!(dropped(&world, 0, DropReason::Duplicate), 2);
}

#[test]
fn finalize_with_a_wrong_cookie_is_dropped_and_counted() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let (id, cookie2) = peer.ask_new(&mut world, 0x1234).expect("answered");
    let other_id = id ^ 1 << 20;
    for (id, cookie2) in [(id, cookie2 ^ 1), (other_id, cookie2)] {
        peer.ask(&mut world, DEFAULT, &[Message::Finalize { id, cookie2, capabilities: 0 }]);
    }
    assert_eq!(dropped(&world, 0, DropReason::BadCookie), 2);
    assert_eq!(world.node(0).stats().connections, 0);
}

#[test]
fn a_cookie_is_good_only_for_its_peer_and_address() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let (id, cookie2) = peer.ask_new(&mut world, 0x1234).expect("answered");
    let elsewhere = Peer::new(&mut world, 2, 0);
    let other_peer = Peer { address: peer.address, ..elsewhere };
    let other_address = Peer { id: peer.id, ..elsewhere };
    for thief in [other_peer, other_address] {
        thief.ask(&mut world, DEFAULT, &[Message::Finalize { id, cookie2, capabilities: 0 }]);
    }
    assert_eq!(dropped(&world, 0, DropReason::BadCookie), 2);
    assert!(world.opened(0, 0).is_empty());
}

#[test]
fn acknowledge_with_a_wrong_cookie_does_not_kill_the_handshake() {
    let (mut world, peer, channel) = dialled();
    let (half, cookie1) = peer.newest_new(&mut world).expect("NEW was sent");
    let id = 0x0101 << 16 | u32::from(half);
    for cookie1 in [cookie1 ^ 1, cookie1] {
        assert!(world.opened(0, 0).is_empty());
        peer.ask(&mut world, DEFAULT, &[Message::Acknowledge { id, cookie1, cookie2: 3 }]);
    }
    assert_eq!(dropped(&world, 0, DropReason::BadCookie), 1);
    assert_eq!(world.opened(0, 0)[0].1, channel);
}

#[test]
fn ids_with_a_missing_half_are_dropped_and_counted() {
    let (mut world, peer, _) = dialled();
    let (half, cookie1) = peer.newest_new(&mut world).expect("NEW was sent");
    let partial = 0xf0f0 << 16 | u32::from(half);
    let answers = peer.ask(
        &mut world,
        DEFAULT,
        &[
            Message::Acknowledge { id: partial, cookie1, cookie2: 3 },
            Message::Finalize { id: partial, cookie2: 3, capabilities: 0 },
            Message::Finalize { id: 0x0101_f0f0, cookie2: 3, capabilities: 0 },
            Message::New { half: 0xf0f0, cookie1: 3 },
        ],
    );
    assert!(!answers.iter().any(|m| matches!(m, Message::Acknowledge { .. })), "{answers:?}");
    assert_eq!(dropped(&world, 0, DropReason::InvalidChannelId), 4);
    assert!(world.opened(0, 0).is_empty());
}

#[test]
fn the_previous_secret_is_good_after_rotation_and_older_ones_are_not() {
    // One epoch is 30 s: a cookie is good for one to two of them.
    for (wait, good) in [(29, true), (61, false)] {
        let mut world = one_node();
        let peer = Peer::new(&mut world, 1, 0);
        // Not at the start of an epoch, so that the secret rotates while we wait.
        world.run_for(10 * SECOND);
        let (id, cookie2) = peer.ask_new(&mut world, 0x1234).expect("answered");
        world.run_for(Duration::from_secs(wait));
        peer.ask(&mut world, DEFAULT, &[Message::Finalize { id, cookie2, capabilities: 0 }]);
        assert_eq!(world.opened(0, 0).len(), usize::from(good), "after {wait} s");
        assert_eq!(dropped(&world, 0, DropReason::BadCookie), u64::from(!good), "after {wait} s");
    }
}

#[test]
fn a_peer_with_our_own_id_is_dropped_and_counted() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let mirror = Peer { id: world.peer(0), ..peer };
    assert_eq!(mirror.ask_new(&mut world, 5), None);
    let stranger = Peer { node: peer.id, ..peer };
    assert_eq!(stranger.ask_new(&mut world, 5), None);
    assert_eq!(dropped(&world, 0, DropReason::WrongSender), 1);
    assert_eq!(dropped(&world, 0, DropReason::WrongRecipient), 1);
}

#[test]
fn one_connection_carries_many_channels_and_reports_connected_once() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let ids: Vec<_> = (0..20).filter_map(|half| peer.open(&mut world, half)).collect();
    assert_eq!(ids.len(), 20);
    assert_eq!(world.node(0).stats().connections, 1);
    assert_eq!(world.node(0).stats().channels, 20);
    assert_eq!(count(&world, 0, |event| matches!(event, Event::Connected { .. })), 1);
}

/// A node that has just sent NEW to a peer that the test plays.
fn dialled() -> (World, Peer, ChannelHandle) {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let connection = world
        .with(0, |node, now| node.connect(now, &Dial::v0(peer.id, peer.address)))
        .expect("room");
    let channel = world.open(0, connection).expect("room");
    world.run_for(Duration::ZERO);
    (world, peer, channel)
}
