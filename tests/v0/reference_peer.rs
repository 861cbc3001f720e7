//! Aim: the node works with a peer that behaves as the reference does.
//! Method: a played peer that pads every packet to its full size, ignores COOKIE, never repeats
//! FINALIZE, never confirms, and leaves the sequence number alone.

use std::time::Duration;

use channeler::node::Dial;
use channeler::sim::World;

use crate::tools::{MILLI, SECOND, one_node};
use crate::v0::{DEFAULT, Message, Peer};

#[test]
fn a_peer_that_pads_opens_a_channel_and_sends() {
    let mut world = one_node();
    let peer = Peer { size: 1500, ..Peer::new(&mut world, 1, 0) };
    let id = peer.open(&mut world, 0x1234).expect("answered");
    let opened = world.opened(0, 0);
    assert_eq!(opened.len(), 1);
    for number in 0..10 {
        peer.send(&mut world, id, &[Message::Data(vec![number; 1400])]);
    }
    world.run_for(100 * MILLI);
    let messages = world.receive_all(0, opened[0].1);
    assert_eq!(messages, (0..10).map(|number| vec![number; 1400]).collect::<Vec<_>>());
}

#[test]
fn a_peer_that_ignores_cookie_and_never_confirms_gets_early_and_later_data() {
    let (mut world, peer, channel, id) = dialled_silent_peer(b"early");
    assert_eq!(data_on(&peer.receive(&mut world), id), [b"early"]);
    for number in 0..100_u8 {
        world.send(0, channel, &[number]).expect("room");
        world.run_for(100 * MILLI);
    }
    let packets = peer.receive(&mut world);
    assert_eq!(data_on(&packets, id), (0..100).map(|number| [number]).collect::<Vec<_>>());
}

#[test]
fn a_peer_that_never_confirms_is_not_flooded_with_finalize() {
    let (mut world, peer, _, _) = dialled_silent_peer(b"early");
    world.run_for(55 * SECOND);
    let packets = peer.receive(&mut world);
    assert!(packets.len() <= 20, "{}", packets.len());
}

#[test]
fn a_peer_that_repeats_acknowledge_as_it_may_changes_nothing() {
    let (mut world, peer, channel, id) = dialled_silent_peer(b"early");
    for _ in 0..10 {
        peer.ask(&mut world, id, &[Message::Data(b"down".to_vec())]);
    }
    assert_eq!(world.receive_all(0, channel).len(), 10);
}

#[test]
fn a_node_set_to_pad_sends_every_packet_at_its_full_size() {
    let mut world = World::new(1);
    world.add_v0(|config| {
        config.packet_size = 1500;
        config.padding = true;
    });
    let peer = Peer { size: 1500, ..Peer::new(&mut world, 1, 0) };
    let id = peer.open(&mut world, 0x1234).expect("answered");
    let channel = world.opened(0, 0)[0].1;
    world.send(0, channel, b"small").expect("room");
    world.run_for(100 * MILLI);
    let packets = peer.receive(&mut world);
    assert_eq!(data_on(&packets, id), [b"small"]);
    assert!(packets.iter().all(|packet| packet.len == 1500), "{packets:?}");
}

/// A node that dialled, with one message waiting, a peer which answered NEW and says nothing more.
fn dialled_silent_peer(early: &[u8]) -> (World, Peer, channeler::id::ChannelHandle, u32) {
    let mut world = one_node();
    let peer = Peer { size: 1500, ..Peer::new(&mut world, 1, 0) };
    let connection = world
        .with(0, |node, now| node.connect(now, &Dial::v0(peer.id, peer.address)))
        .expect("room");
    let channel = world.open(0, connection).expect("room");
    world.send(0, channel, early).expect("waits for the handshake");
    world.run_for(100 * MILLI);
    let (half, cookie1) = peer.newest_new(&mut world).expect("NEW was sent");
    let id = 0x0101 << 16 | u32::from(half);
    peer.send(&mut world, DEFAULT, &[Message::Acknowledge { id, cookie1, cookie2: 3 }]);
    world.run_for(Duration::ZERO);
    assert_eq!(world.opened(0, 0).len(), 1);
    (world, peer, channel, id)
}

/// The DATA on one channel, in order, as a peer reads it that skips every COOKIE.
fn data_on(packets: &[crate::v0::Packet], id: u32) -> Vec<Vec<u8>> {
    let packets = packets.iter().filter(|packet| packet.channel == id);
    let messages = packets.flat_map(|packet| packet.messages.clone());
    messages
        .filter_map(|message| {
            let Message::Data(bytes) = message else {
                return None;
            };
            Some(bytes)
        })
        .collect()
}
