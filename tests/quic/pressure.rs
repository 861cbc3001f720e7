//! Full queues hold the sender back, lose nothing, and stay within their limits.

use std::time::Duration;

use channeler::error::Error;
use channeler::quic::{FrameError, QUIC_DROPS, QuicConfig, QuicEvent, StreamPolicy};
use channeler::sim::Link;
use quinn_proto::Dir;

use super::bad_frames::frame;
use super::world::{TEAM, World};

const MS: Duration = Duration::from_millis(1);

fn small(config: &mut QuicConfig) {
    config.message_bytes_max = 10_000;
    config.receive_bytes_max = 100_000;
    config.connection_receive_bytes_max = 50_000;
    config.send_queue_bytes_max = 20_000;
    config.send_window_bytes = 1 << 15;
    config.stream_window_bytes = 1 << 15;
    config.connection_window_bytes = 1 << 16;
}

#[test]
fn a_reader_that_does_not_read_blocks_the_sender_and_then_gets_everything() {
    for streams in [StreamPolicy::Ordered, StreamPolicy::PerChannel] {
        let mut world = World::with(1, 2, |config| {
            small(config);
            config.streams = streams;
        });
        world.network.set_all(Link::lossy(3 * MS, 0.01));
        let to = world.address(1);
        let mut sent = 0_u32;
        for _ in 0..100 {
            loop {
                let message = [&sent.to_be_bytes()[..], &[7; 3_000]].concat();
                let result = world.call(0, |quic, now| quic.send(now, to, TEAM, "x", &message));
                match result {
                    Ok(()) => sent += 1,
                    Err(error) => break assert_eq!(error, Error::WouldBlock),
                }
            }
            world.run(20 * MS);
        }
        let stats = world.quic(1).stats();
        assert!(stats.receive_bytes <= 50_000, "{stats:?}");
        assert!(stats.receive_bytes > 40_000, "{stats:?}");
        assert!(sent < 80, "{sent} messages of 3 kB are more than all limits together");
        world.take_events(0);
        let mut received = 0_u32;
        world.run_until(Duration::from_secs(60), |world| {
            for (_, _, message) in world.receive_all(1) {
                assert_eq!(message[..4], received.to_be_bytes());
                received += 1;
            }
            received == sent
        });
        let writable = QuicEvent::Writable { address: to };
        assert_eq!(world.take_events(0).iter().filter(|event| **event == writable).count(), 1);
        assert_eq!(world.quic(1).stats().receive_bytes, 0);
    }
}

#[test]
fn a_close_that_runs_out_of_time_never_counts_too_few_messages_as_undelivered() {
    let mut cut_short = 0;
    for seed in 0..20 {
        let mut world = World::with(seed, 2, |config| {
            config.streams = [StreamPolicy::Ordered, StreamPolicy::PerChannel][seed as usize % 2];
            config.send_queue_bytes_max = 4 << 20;
        });
        world.network.set_all(Link::lossy(10 * MS, if seed % 3 == 0 { 0.02 } else { 0.0 }));
        world.send(0, 1, "x", b"first");
        world.settle();
        assert_eq!(world.receive_all(1).len(), 1);
        for number in 0..40_u8 {
            world.send(0, 1, ["x", "y"][usize::from(number) % 2], &[number; 50_000]);
        }
        let to = world.address(1);
        assert_eq!(world.call(0, |quic, now| quic.close(now, to)), Ok(()));
        world.run((5 + 4 * seed as u32) * MS);
        // All that was in flight is known to have arrived, and QUIC has not sent the rest.
        world.stall(0, Duration::from_secs(6));
        world.settle();
        let QuicEvent::ConnectionClosed { undelivered, .. } = *world.closed(0) else {
            panic!("it was asked for an end");
        };
        let missing = 40 - world.receive_all(1).len() as u64;
        assert!(undelivered >= missing, "seed {seed}: {missing} missing, {undelivered} told");
        cut_short += u64::from(missing > 0);
    }
    assert!(cut_short > 10, "{cut_short} are too few to show anything");
}

#[test]
fn one_peer_that_floods_does_not_keep_another_waiting() {
    let mut world = World::with(2, 3, small);
    world.network.set_all(Link::with_delay(3 * MS));
    let to = world.address(2);
    for _ in 0..50 {
        while world.call(0, |quic, now| quic.send(now, to, TEAM, "x", &[0; 5_000])).is_ok() {}
        world.run(10 * MS);
    }
    world.send(1, 2, "quiet", b"hello");
    world.settle();
    let labels: Vec<String> = world.receive_all(2).into_iter().map(|(_, label, _)| label).collect();
    assert!(labels.contains(&"quiet".to_owned()));
}

#[test]
fn a_thousand_empty_messages_are_held_back_by_their_number() {
    let mut world = World::with(3, 2, |config| config.connection_receive_messages_max = 100);
    for _ in 0..1_000 {
        world.send(0, 1, "x", b"");
    }
    world.settle();
    assert_eq!(world.quic(1).stats().receive_messages, 100);
    let mut received = 0;
    world.run_until(Duration::from_secs(10), |world| {
        received += world.receive_all(1).len();
        received == 1_000
    });
}

#[test]
fn unfinished_frames_beyond_all_room_are_refused_and_block_no_other() {
    let mut world = World::new(4);
    let raw = world.add_raw();
    let mut config = super::world::config(1);
    small(&mut config);
    let ours = world.add(config);
    let to = world.address(ours);
    world.raw(raw, |raw, now| raw.dial(now, to));
    world.settle();
    // Twenty streams each announce 9,000 bytes, of which five fit, and send a part.
    let frame = frame(&[7; 8_960]);
    let part = 1_500;
    let streams: Vec<_> =
        (0..20).map(|_| world.raw(raw, |raw, _| raw.open(Dir::Uni, &frame[..part]))).collect();
    world.settle();
    assert!(world.quic(ours).stats().receive_bytes <= 50_000);
    let stopped = world.raw(raw, |raw, _| raw.stopped.clone());
    assert_eq!(stopped.len(), 15);
    assert!(stopped.iter().all(|(_, code)| *code == u64::from(FrameError::TooMuch.code())));
    let good: Vec<_> = streams
        .into_iter()
        .filter(|stream| stopped.iter().all(|(other, _)| other != stream))
        .collect();
    for stream in &good {
        world.raw(raw, |raw, _| raw.write(*stream, &frame[part..]));
        world.settle();
    }
    assert_eq!(world.receive_all(ours).len(), good.len());
}

#[test]
fn large_messages_on_many_channels_at_once_all_arrive() {
    let mut world = World::with(5, 2, |config| {
        config.streams = StreamPolicy::PerChannel;
        config.send_queue_bytes_max = 1 << 30;
        config.message_bytes_max = 4 << 20;
        config.connection_receive_bytes_max = 8 << 20;
        config.send_window_bytes = 2 << 20;
    });
    world.network.set_all(Link::with_delay(MS));
    for number in 0..40 {
        world.send(0, 1, &number.to_string(), &vec![number; 3 << 20]);
    }
    let mut received = Vec::new();
    world.run_until(Duration::from_secs(60), |world| {
        received.extend(world.receive_all(1).into_iter().map(|(.., message)| message[0]));
        received.len() == 40
    });
    assert_eq!(world.quic(1).stats().dropped, [0; QUIC_DROPS]);
}
