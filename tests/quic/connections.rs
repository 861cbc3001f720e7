//! Connections: the map of 32, evictions, duels, moves, ends.

use std::time::Duration;

use channeler::error::Error;
use channeler::io::{EcnMark, Local, Receive};
use channeler::quic::{CONNECTIONS_MAX, QuicEvent};
use channeler::sim::Link;

use super::bad_frames::{connected, frame};
use super::world::{End, TEAM, World, config};

const MS: Duration = Duration::from_millis(1);

fn reasons(events: &[QuicEvent]) -> Vec<(Error, u64)> {
    let ends = events.iter().filter_map(|event| {
        let QuicEvent::ConnectionClosed { reason, undelivered, .. } = event else { return None };
        Some((*reason, *undelivered))
    });
    ends.collect()
}

#[test]
fn the_33rd_connection_drains_and_evicts_the_one_unused_for_the_longest_time() {
    let mut world = World::with(1, CONNECTIONS_MAX + 2, |_| ());
    world.network.set_all(Link::with_delay(20 * MS));
    let hub = 0;
    for node in 1..=CONNECTIONS_MAX {
        world.send(hub, node, "x", b"hello");
        world.run(MS);
    }
    world.settle();
    assert_eq!(world.quic(hub).stats().connections, CONNECTIONS_MAX as u64);
    // All are busy: each has much to send. The first was used last.
    for node in (1..=CONNECTIONS_MAX).rev() {
        for _ in 0..10 {
            world.send(hub, node, "x", &[9; 50_000]);
        }
        world.run(MS / 10);
    }
    world.take_events(hub);
    world.send(hub, CONNECTIONS_MAX + 1, "x", b"the 33rd");
    assert_eq!(world.quic(hub).stats().connections, CONNECTIONS_MAX as u64);
    world.run(Duration::from_secs(4));
    let stats = world.quic(hub).stats();
    assert_eq!((stats.evicted, stats.connections_beside), (1, 0));
    assert_eq!(reasons(&world.take_events(hub)), [(Error::Limit, 0)]);
    assert!(world.quic(hub).info(world.address(CONNECTIONS_MAX)).is_none());
    for node in 1..=CONNECTIONS_MAX {
        assert_eq!(world.receive_all(node).len(), 11, "node {node}");
    }
    assert_eq!(world.receive_all(CONNECTIONS_MAX + 1).len(), 1);
}

#[test]
fn what_an_evicted_connection_could_not_send_in_time_is_reported() {
    let mut world = World::with(2, CONNECTIONS_MAX + 2, |_| ());
    for node in 1..=CONNECTIONS_MAX {
        world.send(0, node, "x", b"hello");
        world.run(MS);
    }
    world.settle();
    world.take_events(0);
    let ends = (world.address(0), world.address(1));
    let dead = Link { outages: vec![(world.now, world.now + 1_000_000 * MS)], ..Link::default() };
    world.network.set_both(ends.0, ends.1, dead);
    world.send(0, 1, "x", b"never arrives");
    world.send(0, 1, "x", b"nor this");
    world.run(MS);
    for node in 2..=CONNECTIONS_MAX {
        world.send(0, node, "x", b"used later");
    }
    world.send(0, CONNECTIONS_MAX + 1, "x", b"the 33rd");
    world.run(Duration::from_secs(6));
    assert_eq!(reasons(&world.take_events(0)), [(Error::Limit, 2)]);
    assert_eq!(world.quic(0).stats().messages_undelivered, 2);
}

#[test]
fn a_peer_that_connects_to_a_full_node_evicts_too() {
    let mut world = World::with(3, CONNECTIONS_MAX + 2, |_| ());
    for node in 1..=CONNECTIONS_MAX + 1 {
        world.send(node, 0, "x", &[node as u8]);
        world.run(MS);
    }
    world.settle();
    let stats = world.quic(0).stats();
    assert_eq!((stats.connections, stats.evicted), (CONNECTIONS_MAX as u64, 1));
    assert_eq!(reasons(&world.take_events(1)), [(Error::PeerClosed, 0)]);
    assert_eq!(world.receive_all(0).len(), CONNECTIONS_MAX + 1);
}

#[test]
fn both_dialling_at_once_ends_with_one_connection_and_loses_nothing() {
    for seed in 0..10 {
        let mut world = World::with(seed, 2, |_| ());
        world.network.set_all(Link {
            delay: 10 * MS,
            jitter: 8 * MS,
            loss: if seed % 2 == 0 { 0.0 } else { 0.2 },
            ..Link::default()
        });
        for number in 0..20_u8 {
            world.send(0, 1, "x", &[number]);
            world.send(1, 0, "x", &[number]);
            world.run(3 * MS);
        }
        world.run(Duration::from_secs(25));
        for node in 0..2 {
            let mut messages: Vec<u8> =
                world.receive_all(node).into_iter().map(|(.., message)| message[0]).collect();
            messages.sort_unstable();
            assert_eq!(messages, (0..20).collect::<Vec<u8>>(), "seed {seed}, node {node}");
            let stats = world.quic(node).stats();
            let count = (stats.connections, stats.connections_beside);
            let events = [world.take_events(0), world.take_events(1)];
            assert_eq!(count, (1, 0), "seed {seed}, node {node}: {events:#?}");
            assert_eq!(stats.messages_undelivered, 0, "seed {seed}");
        }
        let by = |world: &World, node: usize, other: usize| {
            world.quic(node).info(world.address(other)).map(|info| info.by_peer)
        };
        assert_ne!(by(&world, 0, 1), by(&world, 1, 0), "seed {seed}: two halves of two");
        if seed % 2 == 0 {
            let is_smaller = world.quic(0).peer_id() < world.quic(1).peer_id();
            assert_eq!(by(&world, 0, 1), Some(!is_smaller), "the smaller id's stays");
        }
    }
}

#[test]
fn a_closed_connection_first_sends_what_was_taken() {
    let mut world = World::with(4, 2, |_| ());
    world.network.set_all(Link::lossy(20 * MS, 0.05));
    let to = world.address(1);
    for number in 0..200_u8 {
        world.send(0, 1, "x", &[number; 3_000]);
    }
    assert_eq!(world.call(0, |quic, now| quic.close(now, to)), Ok(()));
    assert_eq!(world.call(0, |quic, now| quic.close(now, to)), Err(Error::InvalidReference));
    world.run(Duration::from_secs(6));
    assert_eq!(world.receive_all(1).len(), 200);
    assert_eq!(reasons(&world.take_events(0)), [(Error::Closed, 0)]);
    assert_eq!(reasons(&world.take_events(1)), [(Error::PeerClosed, 0)]);
    assert!(world.quic(0).is_idle() && world.quic(1).is_idle());
    // A further message makes a new connection.
    world.send(0, 1, "x", b"again");
    world.settle();
    assert_eq!(world.receive_all(1).len(), 1);
}

#[test]
fn messages_unread_when_the_peer_closes_can_still_be_read() {
    let mut world = World::with(5, 2, |config| {
        config.message_bytes_max = 1_000;
        config.connection_receive_bytes_max = 2_000;
    });
    let to = world.address(1);
    for number in 0..100_u8 {
        world.send(0, 1, "x", &[number; 500]);
    }
    world.call(0, |quic, now| quic.close(now, to)).expect("it is there");
    world.run(Duration::from_secs(30));
    assert!(world.quic(0).is_idle(), "all of it was acknowledged");
    assert!(reasons(&world.take_events(1)).is_empty(), "the end comes after its messages");
    let received = world.receive_all(1);
    let numbers: Vec<u8> = received.iter().map(|(.., message)| message[0]).collect();
    assert_eq!(numbers, (0..100).collect::<Vec<u8>>());
    world.settle();
    assert_eq!(reasons(&world.take_events(1)), [(Error::PeerClosed, 0)]);
    assert!(world.quic(1).is_idle());
}

#[test]
fn closing_all_sends_everything_and_takes_no_new_peer() {
    let mut world = World::with(6, 4, |_| ());
    world.network.set_all(Link::with_delay(10 * MS));
    world.send(1, 0, "x", b"there");
    world.settle();
    for node in 1..3 {
        world.send(0, node, "x", &[1; 100_000]);
    }
    world.call(0, |quic, now| quic.close_all(now));
    world.send(3, 0, "x", b"too late");
    world.run(Duration::from_secs(3));
    assert!(world.quic(0).is_idle());
    assert_eq!((world.receive_all(1).len(), world.receive_all(2).len()), (1, 1));
    assert_eq!(world.receive_all(0).len(), 1);
}

#[test]
fn a_peer_that_restarted_is_met_again() {
    let mut world = World::with(7, 2, |_| ());
    world.send(0, 1, "x", b"before");
    world.settle();
    let quic = channeler::quic::Quic::new(config(1), [99; 32], world.now, super::world::UNIX);
    world.nodes[1].end = End::Ours(quic.expect("good settings"));
    world.send(0, 1, "x", b"lost: it says that it does not know us");
    world.settle();
    assert_eq!(reasons(&world.take_events(0)), [(Error::Reset, 1)]);
    world.send(0, 1, "x", b"after");
    world.settle();
    assert_eq!(world.receive_all(1).len(), 1);
}

#[test]
fn a_peer_that_restarted_and_dials_replaces_its_old_connection() {
    let mut world = World::with(8, 2, |_| ());
    world.send(0, 1, "x", b"before");
    world.run(Duration::from_secs(15));
    let quic = channeler::quic::Quic::new(config(1), [99; 32], world.now, super::world::UNIX);
    world.nodes[1].end = End::Ours(quic.expect("good settings"));
    world.send(1, 0, "x", b"here again");
    world.run(Duration::from_secs(1));
    world.send(0, 1, "x", b"welcome");
    world.settle();
    assert_eq!(world.receive_all(1).len(), 1);
    assert_eq!(world.receive_all(0).len(), 1);
}

#[test]
fn nobody_answering_is_a_timeout_that_tells_how_much_was_not_sent() {
    let mut world = World::with(9, 1, |_| ());
    let nobody = "192.0.2.1:9".parse().expect("an address");
    for _ in 0..3 {
        world.call(0, |quic, now| quic.send(now, nobody, TEAM, "x", b"y")).expect("taken");
    }
    world.run(Duration::from_secs(11));
    assert_eq!(reasons(&world.take_events(0)), [(Error::Timeout, 3)]);
    assert!(world.quic(0).info(nobody).is_none());
    world.run(Duration::from_secs(5));
    assert!(world.quic(0).is_idle());
}

#[test]
fn idle_connections_end_and_kept_alive_ones_do_not() {
    for (keep_alive, ends) in [(0, 1), (10, 0)] {
        let mut world = World::with(10, 2, |config| {
            config.keep_alive = Duration::from_secs(keep_alive);
        });
        world.send(0, 1, "x", b"y");
        world.run(Duration::from_secs(100));
        let reasons = reasons(&world.take_events(0));
        assert_eq!(reasons, vec![(Error::Idle, 0); ends], "keep-alive of {keep_alive} s");
    }
}

#[test]
fn mapped_addresses_are_one_key_and_scopes_are_told_apart() {
    let mut world = World::with(11, 2, |_| ());
    world.send(0, 1, "x", b"one");
    world.settle();
    let mapped = "[::ffff:10.0.0.2]:4000".parse().expect("an address");
    world.call(0, |quic, now| quic.send(now, mapped, TEAM, "x", b"two")).expect("taken");
    world.settle();
    assert_eq!(world.quic(0).stats().connections, 1);
    assert_eq!(world.receive_all(1).len(), 2);
    for (text, count) in
        [("[fe80::1%1]:9", 2), ("[fe80::1%2]:9", 3), ("[fe80::1%2]:9", 3), ("[fe80::1%1]:9", 3)]
    {
        let scoped = text.parse().expect("an address");
        world.call(0, |quic, now| quic.send(now, scoped, TEAM, "x", b"")).expect("taken");
        assert_eq!(world.quic(0).stats().connections, count, "{text}");
    }
    for text in ["0.0.0.0:9", "10.0.0.2:0", "[::]:9"] {
        let bad = text.parse().expect("an address");
        let result = world.call(0, |quic, now| quic.send(now, bad, TEAM, "x", b""));
        assert_eq!(result, Err(Error::InvalidAddress), "{text}");
    }
}

#[test]
fn only_a_packet_that_opens_tells_by_which_socket_its_peer_is_reached() {
    let mut world = World::with(7, 2, |_| ());
    world.send(0, 1, "x", b"hello");
    world.settle();
    let (now, peer, to) = (world.now, world.address(0), world.address(1));
    let ours = |world: &mut World, number: usize, to, text: &[u8]| {
        let End::Ours(quic) = &mut world.nodes[number].end else { panic!("it is ours") };
        assert_eq!(quic.send(now, to, TEAM, "x", text), Ok(()));
        let mut buf = Vec::new();
        let transmit = quic.poll_transmit(now, &mut buf).expect("the message");
        buf.truncate(transmit.len);
        (transmit.local.socket, buf)
    };
    let (_, datagram) = ours(&mut world, 0, to, b"from elsewhere");
    let mut forged = datagram.clone();
    *forged.last_mut().expect("a packet has a tag") ^= 1;
    for (bytes, expected) in [(forged, 0), (datagram, 1)] {
        let local = Local { socket: 1, ip: None };
        let from = Receive { from: peer, local, stride: bytes.len(), ecn: EcnMark::None };
        let End::Ours(quic) = &mut world.nodes[1].end else { panic!("it is ours") };
        quic.handle_datagram(now, &from, &bytes);
        assert_eq!(ours(&mut world, 1, peer, b"answer").0, expected);
    }
}

#[test]
fn a_peer_that_moves_is_found_at_its_new_address() {
    let mut world = World::with(12, 2, |_| ());
    world.network.set_all(Link::with_delay(5 * MS));
    let old = world.address(0);
    let new = "10.9.9.9:1234".parse().expect("an address");
    world.send(0, 1, "x", b"from the old address");
    world.settle();
    world.network.rebind(old, new, false);
    world.send(0, 1, "x", b"from the new one");
    world.settle();
    assert!(world.quic(1).info(new).is_none(), "not believed yet");
    world.run(Duration::from_secs(3));
    assert!(world.quic(1).info(new).is_some() && world.quic(1).info(old).is_none());
    let changed = |event: &QuicEvent| {
        let QuicEvent::AddressChanged { from, to, .. } = event else { return false };
        (*from, *to) == (old, new)
    };
    assert!(world.take_events(1).iter().any(changed));
    world.call(1, |quic, now| quic.send(now, new, TEAM, "x", b"answer")).expect("taken");
    world.settle();
    assert_eq!(world.receive_all(0).len(), 1);
    assert_eq!(world.quic(1).stats().accepted, 1);
}

#[test]
fn dials_beyond_all_limits_are_refused_and_not_kept() {
    let mut world = World::with(13, 1, |_| ());
    let mut refused = 0;
    for number in 0..300_u16 {
        let to = std::net::SocketAddr::from(([192, 0, 2, 1], 1_000 + number));
        match world.call(0, |quic, now| quic.send(now, to, TEAM, "x", b"y")) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, Error::Limit);
                refused += 1;
            }
        }
    }
    let stats = world.quic(0).stats();
    assert_eq!(stats.connections, CONNECTIONS_MAX as u64);
    assert_eq!(refused, 300 - channeler::quic::config::MEMBERS_MAX);
    world.run(Duration::from_secs(30));
    assert!(world.quic(0).is_idle());
}

#[test]
fn handshakes_that_nobody_finishes_must_prove_their_address_and_then_are_refused() {
    let mut world = World::with(14, 1, |_| ());
    let to = world.address(0);
    // Each is a first packet of its own, whose answers lead nowhere.
    for number in 0..300_u16 {
        let config = config(1);
        let seed = [number as u8; 32];
        let mut quic = channeler::quic::Quic::new(config, seed, world.now, super::world::UNIX)
            .expect("good settings");
        quic.send(world.now, to, TEAM, "x", b"y").expect("taken");
        let mut buf = Vec::new();
        let from = std::net::SocketAddr::from(([198, 51, 100, 1], 2_000 + number));
        while let Some(transmit) = quic.poll_transmit(world.now, &mut buf) {
            let receive = Receive {
                from,
                local: Local::default(),
                stride: transmit.segment_size,
                ecn: transmit.ecn,
            };
            let bytes = buf[..transmit.len].to_vec();
            world.call(0, |quic, now| quic.handle_datagram(now, &receive, &bytes));
        }
    }
    let stats = world.quic(0).stats();
    assert_eq!(stats.connections_beside, 8);
    assert!(stats.handshakes_retried >= 292, "{stats:?}");
    world.run(Duration::from_secs(30));
    assert!(world.quic(0).is_idle());
}

#[test]
fn an_end_of_the_peer_tells_its_code_and_text() {
    let (mut world, raw, ours) = connected(15);
    world.raw(raw, |raw, now| {
        raw.open(quinn_proto::Dir::Uni, &frame(b"last words"));
        raw.close(now);
    });
    world.settle();
    let QuicEvent::ConnectionClosed { reason, said: Some(said), .. } = world.closed(ours) else {
        panic!("nothing was said");
    };
    assert_eq!((*reason, said.code, said.text.as_str()), (Error::PeerClosed, 77, "enough"));
}
