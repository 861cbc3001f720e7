//! Aim: where we send to changes only when a cookie exchange proved the new address.
//! Method: nodes behind an address translation that changes, and a peer that spoofs.

use channeler::io::{Event, Local, Receive, SendError, Transmit};
use channeler::sim::{Link, Pair, World};
use channeler::time::Time;

use crate::tools::{MILLI, SECOND, count};
use crate::v0::{DEFAULT, Message, Peer, packet};

#[test]
fn data_from_a_new_address_moves_the_connection_only_when_that_answers_a_probe() {
    let mut world = World::with_v0_nodes(1, 1);
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 7).expect("answered");
    let connection = world.opened(0, 0)[0].0;
    let elsewhere = Peer { id: peer.id, ..Peer::new(&mut world, 2, 0) };
    let data = [Message::Data(b"from elsewhere".to_vec())];
    let len = elsewhere.packet(id, &data).len();
    elsewhere.send(&mut world, id, &data);
    world.run_for(SECOND);
    let probes = elsewhere.receive(&mut world);
    let &[Message::New { half, cookie1 }] = &probes[0].messages[..] else {
        panic!("one NEW, got {probes:?}");
    };
    assert!(probes.len() == 1 && probes[0].len <= len, "no more than was asked: {probes:?}");
    let answer = |cookie1| {
        let id = 0x0101 << 16 | u32::from(half);
        [Message::Acknowledge { id, cookie1, cookie2: 5 }]
    };
    let address = |world: &World| world.node(0).connection_info(connection).expect("there").address;
    elsewhere.ask(&mut world, DEFAULT, &answer(cookie1 ^ 1));
    assert_eq!(address(&world), peer.address, "a guess proves nothing");
    peer.ask(&mut world, DEFAULT, &answer(cookie1));
    assert_eq!(address(&world), peer.address, "the cookie is that address's");
    elsewhere.ask(&mut world, DEFAULT, &answer(cookie1));
    assert_eq!(address(&world), elsewhere.address);
    let channels = world.node(0).stats().channels;
    assert_eq!(channels, 1, "a probe opens nothing");
}

#[test]
fn probes_to_an_address_that_never_answers_are_rare() {
    let mut world = World::with_v0_nodes(1, 1);
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 7).expect("answered");
    let elsewhere = Peer { id: peer.id, ..Peer::new(&mut world, 2, 0) };
    for _ in 0..1_000 {
        elsewhere.send(&mut world, id, &[Message::Data(b"from elsewhere".to_vec())]);
        world.run_for(MILLI);
    }
    let probes = elsewhere.receive(&mut world).len();
    assert!((1..=6).contains(&probes), "{probes} in a second");
}

#[test]
fn messages_alone_move_the_connection_of_a_node_behind_a_new_address() {
    let (mut world, pair) = pair();
    let new = ([10, 7, 7, 7], 7).into();
    world.network.rebind(world.address(0), new, false);
    world.send(0, pair.channel, b"from elsewhere").expect("room");
    world.run_for(SECOND);
    world.send(1, pair.peer_channel, b"found you").expect("room");
    world.run_for(SECOND);
    assert_eq!(world.receive(0, pair.channel).as_deref(), Some(&b"found you"[..]));
    assert_eq!(count(&world, 1, |event| matches!(event, Event::PathChanged { .. })), 1);
}

#[test]
fn a_handshake_from_a_new_address_moves_the_connection() {
    let (mut world, pair) = pair();
    let new = ([10, 7, 7, 7], 7).into();
    world.network.rebind(world.address(0), new, false);
    world.open(0, pair.connection).expect("room");
    world.run_for(SECOND);
    let info = world.node(1).connection_info(pair.peer_connection).expect("there");
    assert_eq!(info.address, new);
    let is_change = |event: &Event| {
        matches!(event, Event::PathChanged { connection, address }
            if *connection == pair.peer_connection && *address == new)
    };
    assert_eq!(count(&world, 1, is_change), 1);
    // The channel from before goes on, to the new address.
    world.send(1, pair.peer_channel, b"found you").expect("room");
    world.run_for(SECOND);
    assert_eq!(world.receive(0, pair.channel).as_deref(), Some(&b"found you"[..]));
}

#[test]
fn spoofed_packets_do_not_redirect_us() {
    let (mut world, pair) = pair();
    let thief = Peer::new(&mut world, 66, 1);
    let id = world.node(1).channel_info(pair.peer_channel).expect("open").id.to_wire();
    let claim = Peer { id: world.peer(0), ..thief };
    for (channel, message) in [
        (id, Message::Data(b"spoofed".to_vec())),
        (DEFAULT, Message::New { half: 0x7777, cookie1: 1 }),
        (DEFAULT, Message::Finalize { id: 0x7777_7777, cookie2: 5, capabilities: 0 }),
        (DEFAULT, Message::Acknowledge { id, cookie1: 5, cookie2: 5 }),
        (id, Message::Cookie { cookie: 5, capabilities: 0 }),
    ] {
        claim.send(&mut world, channel, &[message]);
        world.run_for(100 * MILLI);
    }
    let info = world.node(1).connection_info(pair.peer_connection).expect("there");
    assert_eq!(info.address, world.address(0));
    world.take_inbox(thief.address);
    world.send(1, pair.peer_channel, b"for node 0").expect("room");
    world.run_for(SECOND);
    assert_eq!(world.receive(0, pair.channel).as_deref(), Some(&b"for node 0"[..]));
    assert!(world.take_inbox(thief.address).is_empty());
}

#[test]
fn an_answer_to_a_spoofed_new_carries_no_message_of_the_real_peer() {
    for padding in [false, true] {
        let mut world = World::new(1);
        for _ in 0..2 {
            world.add_v0(|config| {
                config.segments_max = 64;
                config.padding = padding;
            });
        }
        let pair = world.establish(0, 1);
        let thief = Peer { size: 128, ..Peer::new(&mut world, 66, 1) };
        let claim = Peer { id: world.peer(0), ..thief };
        let new = claim.packet(DEFAULT, &[Message::New { half: 0x7777, cookie1: 1 }]);
        let receive = Receive {
            from: thief.address,
            local: Local::default(),
            stride: 128,
            ecn: Default::default(),
        };
        world.with(1, |node, now| {
            node.handle_datagram(now, &receive, &mut new.clone());
            node.send(now, pair.peer_channel, b"secret").expect("room");
        });
        world.run_for(SECOND);
        for packet in thief.receive(&mut world) {
            assert!(!packet.messages.contains(&Message::Data(b"secret".to_vec())), "{packet:?}");
        }
        assert_eq!(world.receive(0, pair.channel).as_deref(), Some(&b"secret"[..]));
    }
}

#[test]
fn an_answer_to_a_spoofer_that_cannot_be_sent_says_nothing_of_the_real_peer() {
    let (mut world, pair) = pair();
    let connection = pair.peer_connection;
    let before = world.node(1).connection_info(connection).expect("there");
    world.take_events(1);
    for error in [SendError::TooLarge, SendError::Unreachable] {
        let transmit = Transmit {
            to: ([10, 9, 0, 66], 9).into(),
            local: Local::default(),
            len: 1_000,
            segment_size: 1_000,
            ecn: Default::default(),
            connection: Some(connection),
        };
        world.with(1, |node, now| node.handle_send_error(now, &transmit, error));
    }
    assert_eq!(world.node(1).connection_info(connection).expect("there"), before);
    assert_eq!(world.events(1), []);
}

#[test]
fn a_spoofed_acknowledge_from_elsewhere_does_not_redirect_a_handshake() {
    let mut world = World::with_v0_nodes(1, 2);
    world.network.set_all(Link::with_delay(50 * MILLI));
    let thief = Peer::new(&mut world, 66, 0);
    world.network.set_both(thief.address, world.address(0), Link::default());
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    let half = world.node(0).channel_info(channel).expect("pending").id.initiator;
    for cookie1 in 0..100 {
        let id = 0x0101 << 16 | u32::from(half);
        let ack = Message::Acknowledge { id, cookie1, cookie2: 5 };
        Peer { id: world.peer(1), ..thief }.send(&mut world, DEFAULT, &[ack]);
    }
    assert!(world.run_until(SECOND, |world| !world.opened(0, 0).is_empty()));
    let info = world.node(0).connection_info(connection).expect("there");
    assert_eq!(info.address, world.address(1));
}

#[test]
fn many_peers_share_one_address_and_are_told_apart_by_id() {
    let mut world = World::with_v0_nodes(1, 1);
    let address = ([10, 9, 9, 9], 9).into();
    let peers: Vec<_> = (0..5).map(|number| Peer::at(&mut world, number, address, 0)).collect();
    let ids: Vec<_> =
        peers.iter().map(|peer| peer.open(&mut world, 0x1234).expect("answered")).collect();
    assert_eq!(world.node(0).stats().connections, 5);
    for (peer, id) in peers.iter().zip(ids) {
        peer.ask(&mut world, id, &[Message::Data(peer.id.0.to_vec())]);
    }
    for (peer, opened) in peers.iter().zip(world.opened(0, 0)) {
        assert_eq!(world.node(0).connection_info(opened.0).expect("there").peer, peer.id);
        assert_eq!(world.receive_all(0, opened.1), [peer.id.0]);
    }
}

#[test]
fn a_link_that_dies_and_comes_back_loses_only_what_was_on_it() {
    let (mut world, pair) = pair();
    let (from, to) = (world.address(0), world.address(1));
    let now: Time = world.now();
    world.network.black_hole((from, to), now, now + 10 * SECOND);
    for number in 0..20_u8 {
        world.send(0, pair.channel, &[number]).expect("room");
        world.run_for(SECOND);
    }
    let received = world.receive_all(1, pair.peer_channel);
    assert_eq!(received, (10..20).map(|number| [number]).collect::<Vec<_>>());
}

#[test]
fn a_packet_of_an_unknown_peer_from_a_known_address_is_no_packet_of_the_known_peer() {
    let (mut world, pair) = pair();
    let id = world.node(1).channel_info(pair.peer_channel).expect("open").id.to_wire();
    let stranger = channeler::id::PeerId([0xcc; 16]);
    let bytes = packet(stranger, world.peer(1), id, &[20, 1, b'x'], 55);
    world.inject(world.address(0), world.address(1), &bytes);
    world.run_for(SECOND);
    assert_eq!(world.receive(1, pair.peer_channel), None);
}

fn pair() -> (World, Pair) {
    let mut world = World::with_v0_nodes(1, 2);
    let pair = world.establish(0, 1);
    (world, pair)
}
