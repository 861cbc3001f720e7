//! Aim: strangers cost nothing: no state, no larger answers, no place of a connection in use.
//! Method: a node, and crowds of peers that the test plays.

use channeler::error::Error;
use channeler::io::{Local, Receive};
use channeler::node::{CloseReason, Dial, DropReason};
use channeler::sim::World;

use crate::tools::{MILLI, SECOND, assert_alive, closed, connection_closed, dropped, one_node};
use crate::v0::{DEFAULT, Message, Peer};

#[test]
fn a_new_smaller_than_its_answer_gets_none() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let new = Message::New { half: 5, cookie1: 6 };
    assert_eq!(peer.packet(DEFAULT, std::slice::from_ref(&new)).len(), 59);
    assert_eq!(peer.ask(&mut world, DEFAULT, std::slice::from_ref(&new)), []);
    assert_eq!(dropped(&world, 0, DropReason::Amplification), 1);
    assert_eq!(world.node(0).stats().datagrams_sent, 0);

    let padded = Peer { size: 65, ..peer };
    let answers = padded.ask(&mut world, DEFAULT, &[new]);
    assert_eq!(answers.len(), 1, "a padded one gets its answer");
    assert_eq!(world.node(0).stats().bytes_sent, 65);
}

#[test]
fn a_packet_full_of_news_gets_no_more_bytes_than_it_had() {
    for count in [2, 10, 100, 160] {
        let mut world = one_node();
        let peer = Peer::new(&mut world, 1, 0);
        let news: Vec<_> = (0..count).map(|half| Message::New { half, cookie1: 6 }).collect();
        let len = peer.packet(DEFAULT, &news).len();
        let answers = peer.ask(&mut world, DEFAULT, &news);
        let stats = world.node(0).stats();
        assert!(stats.bytes_sent <= len as u64, "{} for {len}", stats.bytes_sent);
        let dropped = stats.dropped(DropReason::Amplification);
        assert_eq!(answers.len() as u64 + dropped, u64::from(count));
        assert_eq!(answers.is_empty(), count < 2, "one that fits is answered");
        assert_eq!(stats.connections, 0);
    }
}

#[test]
fn answers_that_wait_to_be_sent_are_limited() {
    let mut world = World::new(1);
    world.add_v0(|config| config.replies_max = 16);
    let peer = Peer { size: 128, ..Peer::new(&mut world, 1, 0) };
    let mut data = Vec::new();
    for number in 0..64_u16 {
        let new = Message::New { half: number, cookie1: 1 };
        data.extend(peer.packet(DEFAULT, &[new]));
    }
    let receive = Receive {
        from: peer.address,
        local: Local::default(),
        stride: 128,
        ecn: Default::default(),
    };
    world.feed(0, &receive, &data);
    world.run_for(SECOND);
    assert_eq!(peer.receive(&mut world).len(), 16);
    assert_eq!(dropped(&world, 0, DropReason::ReplyQueueFull), 48);
    assert_alive(&mut world, 0, 2);
}

#[test]
fn a_full_table_refuses_rather_than_evict_a_connection_with_an_open_channel() {
    let mut world = small_table();
    let peers = fill_table(&mut world);
    let late = Peer::new(&mut world, 9, 0);
    late.open(&mut world, 7);
    assert_eq!(world.opened(0, 0).len(), 4);
    assert_eq!(world.node(0).stats().connections, 4);
    assert!(dropped(&world, 0, DropReason::ConnectionLimit) >= 1);
    for (peer, opened) in peers.iter().zip(world.opened(0, 0)) {
        assert_eq!(connection_closed(&world, 0, opened.0), None, "{peer:?}");
    }
    // We cannot dial past it either.
    let dialled = world.with(0, |node, now| node.connect(now, &Dial::v0(late.id, late.address)));
    assert_eq!(dialled, Err(Error::Limit));
}

#[test]
fn a_full_table_evicts_the_longest_unused_connection_without_an_open_channel() {
    let mut world = small_table();
    fill_table(&mut world);
    let opened = world.opened(0, 0);
    for index in [2, 1] {
        world.with(0, |node, now| node.close_channel(now, opened[index].1)).expect("open");
        world.run_for(SECOND);
    }
    // One that has just lost its channel may be about to open another.
    let late = Peer::new(&mut world, 9, 0);
    late.open(&mut world, 7).expect("answered");
    assert_eq!(world.opened(0, 0).len(), 4, "too early");
    world.run_for(10 * SECOND);
    late.open(&mut world, 7).expect("answered");
    assert_eq!(world.opened(0, 0).len(), 5, "it got a place");
    assert_eq!(world.node(0).stats().connections, 4);
    assert!(connection_closed(&world, 0, opened[2].0).is_some(), "2 was closed before 1");
    assert_eq!(connection_closed(&world, 0, opened[1].0), None);
    assert_eq!(connection_closed(&world, 0, opened[0].0), None);
}

#[test]
fn one_address_gets_only_so_many_connections() {
    let mut world = World::new(1);
    world.add_v0(|config| config.connections_per_address_max = 3);
    for number in 0..5 {
        let address = ([10, 9, 0, 1], 100 + number).into();
        Peer::at(&mut world, number, address, 0).open(&mut world, 7);
    }
    assert_eq!(world.node(0).stats().connections, 3);
    assert!(dropped(&world, 0, DropReason::AddressLimit) >= 2);
    Peer::at(&mut world, 9, ([10, 9, 0, 2], 100).into(), 0).open(&mut world, 7);
    assert_eq!(world.node(0).stats().connections, 4, "another address is not meant");
}

#[test]
fn a_place_of_an_address_is_free_again_when_its_connection_ends() {
    let mut world = World::new(1);
    world.add_v0(|config| config.connections_per_address_max = 1);
    for number in 0..5 {
        let address = ([10, 9, 0, 1], 100 + number).into();
        Peer::at(&mut world, number, address, 0).open(&mut world, 7);
        assert_eq!(world.opened(0, 0).len(), usize::from(number) + 1);
        let opened = world.opened(0, 0);
        let connection = opened.last().expect("opened").0;
        world
            .with(0, |node, now| node.close_connection(now, connection, CloseReason::default()))
            .expect("there");
    }
}

#[test]
fn channels_of_a_connection_are_limited_on_both_sides() {
    let mut world = World::new(1);
    world.add_v0(|config| config.channels_per_connection_max = 3);
    let peer = Peer::new(&mut world, 1, 0);
    for half in 0..5 {
        peer.open(&mut world, half);
    }
    assert_eq!(world.node(0).stats().channels, 3);
    assert!(dropped(&world, 0, DropReason::ChannelLimit) >= 2);
    let connection = world.opened(0, 0)[0].0;
    assert_eq!(world.open(0, connection), Err(Error::Limit));
    let channel = world.opened(0, 0)[0].1;
    world.with(0, |node, now| node.close_channel(now, channel)).expect("open");
    assert!(world.open(0, connection).is_ok(), "a closed one makes room");
}

#[test]
fn channels_of_the_node_are_limited() {
    let mut world = World::new(1);
    world.add_v0(|config| config.channels_max = 3);
    for number in 0..5 {
        Peer::new(&mut world, number, 0).open(&mut world, 7);
    }
    assert_eq!(world.node(0).stats().channels, 3);
    assert!(dropped(&world, 0, DropReason::ChannelLimit) >= 2);
    let connection = world.opened(0, 0)[0].0;
    assert_eq!(world.open(0, connection), Err(Error::Limit));
}

#[test]
fn events_that_nobody_drains_are_limited() {
    let mut world = World::new(1);
    world.add_v0(|config| {
        config.events_max = 16;
        config.lend_messages = true;
    });
    let peer = Peer { size: 128, ..Peer::new(&mut world, 1, 0) };
    let id = peer.open(&mut world, 7).expect("answered");
    // One buffer holds more messages than events may wait.
    let bytes = peer.packet(id, &[Message::Data(vec![1; 20])]);
    let data = bytes.repeat(64);
    let receive = Receive {
        from: peer.address,
        local: Local::default(),
        stride: 128,
        ecn: Default::default(),
    };
    world.take_events(0);
    world.feed(0, &receive, &data);
    assert!(world.events(0).len() <= 17, "{}", world.events(0).len());
    assert!(dropped(&world, 0, DropReason::EventQueueFull) >= 47);
    world.run_for(100 * MILLI);
    assert_alive_lending(&mut world);
}

#[test]
fn a_pending_channel_of_ours_to_a_flooding_peer_still_times_out() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let connection = world
        .with(0, |node, now| node.connect(now, &Dial::v0(peer.id, peer.address)))
        .expect("room");
    let channel = world.open(0, connection).expect("room");
    for number in 0..600_u32 {
        let ack = Message::Acknowledge { id: number << 8 | 3, cookie1: number, cookie2: 1 };
        peer.send(&mut world, DEFAULT, &[ack]);
        world.run_for(100 * MILLI);
    }
    assert_eq!(closed(&world, 0, channel), Some(Error::Timeout));
}

fn assert_alive_lending(world: &mut World) {
    let seen = world.events(0).len();
    let peer = Peer::new(world, 3, 0);
    let id = peer.open(world, 9).expect("answered");
    peer.ask(world, id, &[Message::Data(b"lent".to_vec())]);
    let lent = world.events(0)[seen..].iter().find(|happened| !happened.bytes.is_empty());
    assert_eq!(lent.map(|happened| &happened.bytes[..]), Some(&b"lent"[..]));
}

fn small_table() -> World {
    let mut world = World::new(1);
    world.add_v0(|config| config.connections_max = 4);
    world
}

/// Four peers, each with an open channel.
fn fill_table(world: &mut World) -> Vec<Peer> {
    let peers: Vec<_> = (0..4).map(|number| Peer::new(world, number, 0)).collect();
    for peer in &peers {
        peer.open(world, 7);
    }
    assert_eq!(world.opened(0, 0).len(), 4);
    peers
}
