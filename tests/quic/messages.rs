//! Messages arrive whole, once and in order, over links that are bad in every way.

use std::time::Duration;

use channeler::error::Error;
use channeler::quic::{QuicEvent, StreamPolicy};
use channeler::sim::{Link, Random};

use super::world::{TEAM, World};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_message_to_an_address_dials_and_arrives_with_its_channel() {
    let mut world = World::with(1, 2, |_| ());
    world.network.set_all(Link::with_delay(10 * MS));
    world.send(0, 1, "TELEMETRY", b"first");
    world.settle();
    let events = world.take_events(1);
    let address = world.address(0);
    let peer = world.quic(0).peer_id();
    assert!(
        matches!(events[0], QuicEvent::Connected { address: at, peer: who, by_peer: true, .. }
            if at == address && who == peer),
        "{events:?}"
    );
    assert_eq!(events[1], QuicEvent::Readable);
    assert_eq!(world.receive_all(1), [(address, "TELEMETRY".to_owned(), b"first".to_vec())]);
    // The same connection carries the answer.
    world.send(1, 0, "COMMAND", b"");
    world.settle();
    assert_eq!(world.receive_all(0), [(world.address(1), "COMMAND".to_owned(), Vec::new())]);
    assert_eq!(world.quic(0).stats().dialled + world.quic(1).stats().dialled, 1);
    assert!(world.quic(0).info(world.address(1)).is_some_and(|info| info.is_connected));
}

#[test]
fn ordered_messages_of_all_channels_arrive_in_the_order_they_were_sent() {
    for_bad_links(StreamPolicy::Ordered, |sent, received| assert!(sent == received));
}

#[test]
fn per_channel_messages_arrive_in_order_within_each_channel() {
    for_bad_links(StreamPolicy::PerChannel, |sent, received| {
        for label in 0..LABELS {
            let label = label.to_string();
            let of = |all: &[(String, Vec<u8>)]| -> Vec<Vec<u8>> {
                let of_it = all.iter().filter(|(other, _)| *other == label);
                of_it.map(|(_, message)| message.clone()).collect()
            };
            assert!(of(sent) == of(received), "{label}");
        }
        assert_eq!(sent.len(), received.len());
    });
}

const LABELS: usize = 300;

/// 2,000 messages of 0 to 40,000 bytes each way over links that lose, reorder, repeat and corrupt.
fn for_bad_links(
    streams: StreamPolicy,
    check: impl Fn(&[(String, Vec<u8>)], &[(String, Vec<u8>)]),
) {
    for seed in 0..2 {
        let mut random = Random::new(seed);
        let mut world = World::with(seed, 2, |config| config.streams = streams);
        world.network.set_all(Link {
            delay: 5 * MS,
            jitter: 2 * MS,
            loss: 0.03,
            duplicate: 0.02,
            reorder: 0.05,
            corrupt: 0.01,
            rate: Some(200_000_000),
            ..Link::default()
        });
        let (mut sent, mut received) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        while received.iter().any(|all| all.len() < 2_000) {
            for (from, sent) in sent.iter_mut().enumerate() {
                let to = world.address(1 - from);
                for _ in 0..random.index(20) {
                    if sent.len() == 2_000 {
                        break;
                    }
                    let label = random.index(LABELS).to_string();
                    let len = if random.chance(0.02) { 40_000 } else { 300 };
                    let len = random.index(len);
                    let message = random.vec(len);
                    let result =
                        world.call(from, |quic, now| quic.send(now, to, TEAM, &label, &message));
                    match result {
                        Ok(()) => sent.push((label, message)),
                        Err(error) => assert_eq!(error, Error::WouldBlock),
                    }
                }
            }
            world.run(random.span(10 * MS));
            for (node, received) in received.iter_mut().enumerate() {
                let all = world.receive_all(node);
                received.extend(all.into_iter().map(|(_, label, message)| (label, message)));
            }
            assert!(world.now.as_nanos() < 600_000_000_000, "{:?}", world.quic(0).stats());
        }
        check(&sent[0], &received[1]);
        check(&sent[1], &received[0]);
        let stats = world.quic(0).stats();
        assert_eq!((stats.messages_sent, stats.messages_received), (2_000, 2_000));
    }
}

#[test]
fn a_lost_packet_stalls_no_other_channel_where_each_has_its_stream() {
    let mut world = World::with(3, 2, |config| config.streams = StreamPolicy::PerChannel);
    world.network.set_all(Link::with_delay(50 * MS));
    world.send(0, 1, "a", b"to connect");
    world.settle();
    world.receive_all(1);
    let ends = (world.address(0), world.address(1));
    let until = world.now + MS;
    world.network.black_hole(ends, world.now, until);
    world.send(0, 1, "a", b"lost at first");
    world.run(2 * MS);
    world.send(0, 1, "b", b"behind it");
    world.run(55 * MS);
    let labels: Vec<String> = world.receive_all(1).into_iter().map(|(_, label, _)| label).collect();
    assert_eq!(labels, ["b"]);
    world.settle();
    assert_eq!(world.receive_all(1).len(), 1);
}

#[test]
fn the_largest_message_arrives_and_a_larger_one_is_refused() {
    let mut world = World::with(4, 2, |_| ());
    world.network.set_all(Link::with_delay(MS));
    let message = vec![0x5a; 16 << 20];
    world.send(0, 1, "large", &message);
    world.settle();
    let received = world.receive_all(1);
    assert!(received.len() == 1 && received[0].2 == message);
    let to = world.address(1);
    let larger = vec![0; (16 << 20) + 1];
    let result = world.call(0, |quic, now| quic.send(now, to, TEAM, "large", &larger));
    assert_eq!(result, Err(Error::TooLarge));
    let label = "x".repeat(257);
    let result = world.call(0, |quic, now| quic.send(now, to, TEAM, &label, b""));
    assert_eq!(result, Err(Error::InvalidArgument));
}

#[test]
fn sync_messages_have_an_event_and_a_queue_of_their_own() {
    let mut world = World::with(5, 2, |_| ());
    let to = world.address(1);
    assert_eq!(world.call(0, |quic, now| quic.send_sync(now, to, b"state?")), Ok(()));
    world.settle();
    assert!(world.take_events(1).contains(&QuicEvent::SyncReadable));
    assert!(world.receive_all(1).is_empty());
    let mut target = [0; 10];
    let small = world.call(1, |quic, now| quic.receive_sync(now, &mut target[..3]));
    assert_eq!(small, Err(Error::InsufficientBufferSize));
    let found = world.call(1, |quic, now| quic.receive_sync(now, &mut target));
    assert_eq!(found, Ok(Some((world.address(0), 6))));
    assert_eq!(&target[..6], b"state?");
    assert_eq!(world.call(1, |quic, now| quic.receive_sync(now, &mut target)), Ok(None));
}

#[test]
fn a_target_that_is_too_small_keeps_the_message_and_tells_its_length() {
    let mut world = World::with(6, 2, |_| ());
    world.send(0, 1, "one", b"twelve bytes");
    world.send(0, 1, "two", b"x");
    world.settle();
    let mut target = [0; 12];
    for len in [0, 1, 11] {
        let small = world.call(1, |quic, now| quic.receive(now, &mut target[..len]));
        assert_eq!(small, Err(Error::InsufficientBufferSize));
    }
    assert_eq!(world.quic(1).next_message().map(|waiting| waiting.message.len()), Some(12));
    let found = world.call(1, |quic, now| quic.receive(now, &mut target));
    let (channel, len) = found.expect("large enough").expect("it waits");
    assert_eq!((channel.label.as_str(), len, &target[..]), ("one", 12, &b"twelve bytes"[..]));
    assert_eq!((channel.address, channel.team_id), (world.address(0), TEAM));
}

#[test]
fn one_seed_gives_one_course_of_events() {
    let play = || {
        let mut world = World::with(9, 2, |_| ());
        world.network.set_all(Link::lossy(7 * MS, 0.1));
        let mut course = Vec::new();
        for number in 0..50_u8 {
            world.send(0, 1, "x", &[number; 3_000]);
            world.run(3 * MS);
            let received = world.receive_all(1).len();
            course.push((received, world.take_events(0), world.take_events(1)));
        }
        world.settle();
        (course, world.receive_all(1).len(), world.network.counters().sent)
    };
    assert_eq!(play(), play());
}
