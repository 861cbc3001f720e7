//! Aim: messages arrive as they were sent, on their channel; what has no place is dropped and
//! counted. Method: pairs of nodes, and a node with peers that the test plays.

use channeler::error::Error;
use channeler::io::Event;
use channeler::node::{Dial, DropReason, Received};
use channeler::sim::{Link, Pair, World};

use crate::tools::{MILLI, SECOND, count, dropped, one_node};
use crate::v0::{DEFAULT, Message, Peer};

#[test]
fn messages_of_every_size_arrive_as_they_were_sent() {
    let (mut world, pair) = pair();
    let most = world.node(0).connection_info(pair.connection).expect("there").message_bytes_max;
    assert!((1_170..1_180).contains(&most), "1232 less 52 and type and length: {most}");
    for len in [1, 2, 126, 127, 128, 129, 1_000, most - 1, most] {
        let message: Vec<u8> = (0..len).map(|at| at as u8).collect();
        world.send(0, pair.channel, &message).expect("fits");
        world.run_for(100 * MILLI);
        assert_eq!(world.receive(1, pair.peer_channel), Some(message), "{len}");
    }
    assert_eq!(world.send(0, pair.channel, &vec![0; most + 1]), Err(Error::Write));
    assert_eq!(world.send(0, pair.channel, &[]), Err(Error::InvalidArgument));
    world.run_for(SECOND);
    assert_eq!(world.receive(1, pair.peer_channel), None);
    assert_eq!(world.network.link(world.address(0), world.address(1)).mtu, 65_507);
}

#[test]
fn no_datagram_is_larger_than_the_packet_size() {
    let mut world = World::new(1);
    for _ in 0..2 {
        world.add_v0(|config| config.packet_size = 300);
    }
    world.network.set_all(Link { mtu: 300, ..Link::default() });
    let pair = world.establish(0, 1);
    world.with(0, |node, now| {
        for len in 1..200 {
            node.send(now, pair.channel, &vec![7; len]).expect("room");
        }
    });
    world.run_for(SECOND);
    assert_eq!(world.receive_all(1, pair.peer_channel).len(), 199);
    assert_eq!(world.network.counters().too_large, 0);
}

#[test]
fn channels_do_not_mix() {
    let (mut world, first) = pair();
    let mut pairs = vec![first];
    for _ in 0..9 {
        world.take_events(0);
        world.take_events(1);
        pairs.push(world.establish(0, 1));
    }
    for (number, pair) in pairs.iter().enumerate() {
        world.send(0, pair.channel, &[number as u8; 3]).expect("room");
        world.send(1, pair.peer_channel, &[number as u8; 4]).expect("room");
    }
    world.run_for(SECOND);
    for (number, pair) in pairs.iter().enumerate() {
        assert_eq!(world.receive_all(1, pair.peer_channel), [[number as u8; 3]]);
        assert_eq!(world.receive_all(0, pair.channel), [[number as u8; 4]]);
    }
}

#[test]
fn messages_sent_together_share_a_packet() {
    let (mut world, pair) = pair();
    let before = world.network.counters().sent;
    world.with(0, |node, now| {
        for number in 0..10 {
            node.send(now, pair.channel, &[number; 50]).expect("room");
        }
    });
    world.run_for(SECOND);
    assert_eq!(world.network.counters().sent - before, 1);
    assert_eq!(world.receive_all(1, pair.peer_channel).len(), 10);
}

#[test]
fn messages_share_a_packet_up_to_the_delay_and_are_then_flushed() {
    let (mut world, pair) = bundling_pair();
    let (before, start) = (world.network.counters().sent, world.now());
    for number in 0..5 {
        world.send(0, pair.channel, &[number; 50]).expect("room");
        world.run_for(2 * MILLI);
    }
    assert_eq!(world.network.counters().sent, before, "all wait for the first one's 20 ms");
    let arrived = |world: &World| world.node(1).stats().messages_received == 5;
    assert!(world.run_until(SECOND, arrived));
    assert_eq!(world.now() - start, 20 * MILLI);
    assert_eq!(world.network.counters().sent - before, 1);
    assert_eq!(world.receive_all(1, pair.peer_channel).len(), 5);
}

#[test]
fn a_full_packet_does_not_wait_for_the_delay() {
    let (mut world, pair) = bundling_pair();
    let start = world.now();
    for _ in 0..3 {
        world.send(0, pair.channel, &[1; 500]).expect("room");
    }
    assert!(world.run_until(SECOND, |world| world.node(1).stats().messages_received >= 2));
    assert_eq!(world.now(), start, "the first packet was full");
    assert!(world.run_until(SECOND, |world| world.node(1).stats().messages_received == 3));
    assert!(world.now() - start <= 20 * MILLI);
}

#[test]
fn data_where_it_has_no_place_is_dropped_and_counted() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 7).expect("answered");
    let data = Message::Data(b"lost".to_vec());
    peer.ask(&mut world, DEFAULT, std::slice::from_ref(&data));
    assert_eq!(dropped(&world, 0, DropReason::Misplaced), 1);
    peer.ask(&mut world, id ^ 0x0001_0001, std::slice::from_ref(&data));
    assert_eq!(dropped(&world, 0, DropReason::UnknownChannel), 1);

    // A channel that we dial is pending: it has no responder half yet.
    let connection = world.opened(0, 0)[0].0;
    let pending = world.open(0, connection).expect("room");
    let half = world.node(0).channel_info(pending).expect("pending").id.initiator;
    for responder in [0xf0f0_u32, 0x0101] {
        let total = world.node(0).stats().dropped_total();
        let id = responder << 16 | u32::from(half);
        peer.ask(&mut world, id, std::slice::from_ref(&data));
        assert_eq!(world.node(0).stats().dropped_total(), total + 1, "{responder:04x}");
    }
    assert_eq!(world.node(0).stats().messages_received, 0);
}

#[test]
fn data_of_a_stranger_is_dropped_and_counted() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    peer.ask(&mut world, 0x0101_0101, &[Message::Data(b"x".to_vec())]);
    assert_eq!(dropped(&world, 0, DropReason::UnknownChannel), 1);
    assert_eq!(world.node(0).stats().connections, 0);
}

#[test]
fn an_unknown_message_takes_the_rest_of_its_packet_but_nothing_before_it() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 7).expect("answered");
    // DATA "a", type 99, DATA "b".
    let bytes = peer.raw_packet(id, &[20, 1, b'a', 99, 20, 1, b'b']);
    world.inject(peer.address, peer.node_address, &bytes);
    world.run_for(SECOND);
    let channel = world.opened(0, 0)[0].1;
    assert_eq!(world.receive_all(0, channel), [b"a"]);
    assert_eq!(dropped(&world, 0, DropReason::UnknownMessage), 1);
}

#[test]
fn a_short_read_keeps_the_rest_of_the_message() {
    let (mut world, pair) = pair();
    world.send(0, pair.channel, b"hello world").expect("room");
    world.send(0, pair.channel, b"next").expect("room");
    world.run_for(SECOND);
    let mut out = [0; 6];
    let mut read = || world.with(1, |node, now| node.receive(now, pair.peer_channel, &mut out));
    assert_eq!(read(), Ok(Received { len: 6, remaining: 5 }));
    assert_eq!(read(), Ok(Received { len: 5, remaining: 0 }));
    assert_eq!(read(), Ok(Received { len: 4, remaining: 0 }));
    assert_eq!(read(), Err(Error::DataUnavailable));
    assert_eq!(&out, b"nextd ");
}

#[test]
fn readable_is_reported_once_until_the_channel_is_empty() {
    let (mut world, pair) = pair();
    let readable = |world: &World| count(world, 1, |e| matches!(e, Event::Readable { .. }));
    for _ in 0..5 {
        world.send(0, pair.channel, b"x").expect("room");
        world.run_for(100 * MILLI);
    }
    assert_eq!(readable(&world), 1);
    assert_eq!(world.receive_all(1, pair.peer_channel).len(), 5);
    world.send(0, pair.channel, b"x").expect("room");
    world.run_for(100 * MILLI);
    assert_eq!(readable(&world), 2);
}

#[test]
fn lent_messages_come_with_their_bytes_from_a_buffer_of_many_datagrams() {
    let mut world = World::new(1);
    world.add_v0(|config| config.segments_max = 64);
    world.add_v0(|config| config.lend_messages = true);
    world.gro_max = 64;
    let pair = world.establish(0, 1);
    let messages: Vec<Vec<u8>> = (0..100).map(|number| vec![number; 700]).collect();
    world.take_events(1);
    world.with(0, |node, now| {
        messages.iter().for_each(|message| node.send(now, pair.channel, message).expect("room"));
    });
    world.run_for(SECOND);
    let events = world.take_events(1);
    let lent: Vec<_> = events
        .iter()
        .filter(|happened| {
            matches!(happened.event, Event::Message { channel, .. }
            if channel == pair.peer_channel)
        })
        .map(|happened| happened.bytes.clone())
        .collect();
    assert_eq!(lent, messages);
    let received = world.with(1, |node, now| node.receive(now, pair.peer_channel, &mut [0; 9]));
    assert_eq!(received, Err(Error::DataUnavailable));
}

#[test]
fn a_path_that_takes_only_smaller_packets_lowers_the_size_and_says_so() {
    let (mut world, pair) = pair();
    world.network.set_all(Link { mtu: 600, mtu_reported: true, ..Link::default() });
    let before = world.node(0).connection_info(pair.connection).expect("there").message_bytes_max;
    world.send(0, pair.channel, &vec![1; before]).expect("fits so far");
    world.run_for(SECOND);
    let sizes: Vec<_> = world
        .events(0)
        .iter()
        .filter_map(|happened| {
            let Event::PacketSizeReduced { packet_size, .. } = happened.event else {
                return None;
            };
            Some(packet_size)
        })
        .collect();
    assert!(!sizes.is_empty() && sizes.iter().all(|&size| size < 1_232), "{sizes:?}");
    let after = world.node(0).connection_info(pair.connection).expect("there").message_bytes_max;
    assert!(after < before);
    assert_eq!(world.send(0, pair.channel, &vec![1; before]), Err(Error::Write));
    world.send(0, pair.channel, b"small").expect("fits");
    world.run_for(SECOND);
    let received = world.receive_all(1, pair.peer_channel);
    assert_eq!(received.last().map(|message| &message[..]), Some(&b"small"[..]));
}

#[test]
fn packets_that_wait_while_the_path_shrinks_are_lost_and_nothing_else() {
    let mut world = World::new(1);
    for _ in 0..2 {
        world.add_v0(|config| config.padding = true);
    }
    let first = world.establish(0, 1);
    world.take_events(0);
    world.take_events(1);
    let second = world.establish(0, 1);
    world.network.set_all(Link { mtu: 700, mtu_reported: true, ..Link::default() });
    world.with(0, |node, now| {
        node.send(now, first.channel, &[1; 500]).expect("fits so far");
        node.send(now, second.channel, &[2; 836]).expect("fits so far");
        node.send(now, second.channel, &[3; 836]).expect("fits so far");
    });
    world.run_for(SECOND);
    world.send(0, second.channel, b"small").expect("fits");
    world.run_for(SECOND);
    assert_eq!(world.receive_all(1, second.peer_channel), [b"small"]);
    assert_eq!(world.receive_all(1, first.peer_channel), [[0; 0]; 0]);
    assert_eq!(world.node(0).stats().send_queue_bytes, 0);
}

#[test]
fn raw_datagrams_are_lent_or_dropped_as_configured() {
    for raw in [true, false] {
        let mut world = World::new(1);
        world.add_v0(|config| config.raw_datagrams = raw);
        let from = ([10, 9, 9, 9], 9).into();
        world.inject(from, world.address(0), b"\x00\x01 a STUN answer, perhaps");
        world.run_for(SECOND);
        let expected = if raw { b"\x00\x01 a STUN answer, perhaps".to_vec() } else { Vec::new() };
        let lent: Vec<u8> =
            world.events(0).iter().flat_map(|happened| happened.bytes.clone()).collect();
        assert_eq!(lent, expected);
        assert_eq!(dropped(&world, 0, DropReason::UnknownProtocol), u64::from(!raw));
    }
}

#[test]
fn calls_before_and_after_the_channel_is_open_return_what_their_documentation_says() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let connection = world
        .with(0, |node, now| node.connect(now, &Dial::v0(peer.id, peer.address)))
        .expect("room");
    assert!(!world.node(0).connection_info(connection).expect("there").is_connected);
    let channel = world.open(0, connection).expect("room");
    let received = world.with(0, |node, now| node.receive(now, channel, &mut [0; 9]));
    assert_eq!(received, Err(Error::DataUnavailable));
    let info = world.node(0).channel_info(channel).expect("pending");
    assert!(!info.is_established && info.id.responder == channeler::id::ChannelId::NO_HALF);
}

#[test]
fn a_stream_that_may_wait_fills_its_packets() {
    let (mut world, pair) = bundling_pair();
    let before = world.network.counters().sent;
    for _ in 0..200 {
        world.send(0, pair.channel, &[1; 100]).expect("room");
        world.run_for(MILLI);
    }
    world.run_for(SECOND);
    assert_eq!(world.receive_all(1, pair.peer_channel).len(), 200);
    // 11 messages fill a packet, which takes 11 of the 20 ms that they may wait.
    let sent = world.network.counters().sent - before;
    assert!(sent <= 20, "{sent} packets for 200 messages of which 11 fit one");
}

fn pair() -> (World, Pair) {
    let mut world = World::with_v0_nodes(1, 2);
    let pair = world.establish(0, 1);
    (world, pair)
}

/// A pair whose first node bundles for 20 ms.
fn bundling_pair() -> (World, Pair) {
    let mut world = World::new(1);
    world.add_v0(|config| config.bundle_delay = 20 * MILLI);
    world.add_v0(|_| ());
    let pair = world.establish(0, 1);
    (world, pair)
}
