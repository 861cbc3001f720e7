//! Frames that are none: the stream is stopped with a code, counted, reported, and nothing else.

use std::time::Duration;

use channeler::error::Error;
use channeler::quic::{FrameError, QuicEvent};
use quinn_proto::Dir;

use super::world::{TEAM, World};

/// A good frame to channel "x" with this message.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let head = [&[1][..], &TEAM.0, &[1, b'x']].concat();
    let len = (head.len() + message.len()) as u32;
    [&len.to_be_bytes()[..], &head, message].concat()
}

/// A raw peer connected to a node of ours; the numbers of both.
pub(crate) fn connected(seed: u64) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let raw = world.add_raw();
    let ours = world.add(super::world::config(1));
    let to = world.address(ours);
    world.raw(raw, |raw, now| raw.dial(now, to));
    world.settle();
    world.take_events(ours);
    (world, raw, ours)
}

fn is_refused(bytes: &[u8], error: FrameError) {
    for dir in [Dir::Uni, Dir::Bi] {
        let (mut world, raw, ours) = connected(1);
        let before = [&frame(b"before")[..], bytes].concat();
        let stream = world.raw(raw, |raw, _| raw.open(dir, &before));
        world.settle();
        let stopped = world.raw(raw, |raw, _| raw.stopped.clone());
        assert_eq!(stopped, [(stream, u64::from(error.code()))], "{error:?}");
        assert_eq!(world.quic(ours).stats().frames_refused(error), 1);
        let events = world.take_events(ours);
        let is_it = |event: &QuicEvent| {
            let QuicEvent::FrameRefused { error: other, .. } = event else { return false };
            *other == error
        };
        assert_eq!(events.iter().filter(|event| is_it(event)).count(), 1, "{events:?}");
        // The connection goes on.
        world.raw(raw, |raw, _| raw.open(dir, &frame(b"after")));
        world.settle();
        let messages: Vec<Vec<u8>> =
            world.receive_all(ours).into_iter().map(|(.., message)| message).collect();
        assert_eq!(messages, [b"before".to_vec(), b"after".to_vec()]);
        assert_eq!(world.quic(ours).stats().receive_bytes, 0);
    }
}

fn with_length(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

#[test]
fn a_frame_longer_than_the_limit_is_refused() {
    is_refused(&[0xff; 8], FrameError::TooLong);
    is_refused(&(16 << 20 | 0x200_u32).to_be_bytes(), FrameError::TooLong);
}

#[test]
fn a_frame_of_no_bytes_is_refused() {
    is_refused(&[0; 4], FrameError::Empty);
}

#[test]
fn a_frame_that_ends_within_its_head_is_refused() {
    is_refused(&with_length(&[1, 2, 3]), FrameError::Truncated);
    is_refused(&with_length(&[&[1][..], &[0; 32], &[5, b'x']].concat()), FrameError::Truncated);
}

#[test]
fn a_frame_of_an_unknown_kind_is_refused() {
    is_refused(&with_length(&[2, 0, 0]), FrameError::UnknownVariant);
    is_refused(&with_length(&[0xff, 0xff, 0x01]), FrameError::UnknownVariant);
}

#[test]
fn a_label_that_is_too_long_is_refused() {
    let body = [&[1][..], &[0; 32], &[0x81, 0x02], &[b'x'; 257]].concat();
    is_refused(&with_length(&body), FrameError::LabelTooLong);
}

#[test]
fn a_label_that_is_no_text_is_refused() {
    let body = [&[1][..], &[0; 32], &[2, 0xc3, 0x28]].concat();
    is_refused(&with_length(&body), FrameError::LabelNotText);
}

#[test]
fn a_stream_that_ends_within_a_frame_delivers_nothing_of_it() {
    let (mut world, raw, ours) = connected(2);
    let frame = frame(&[7; 100]);
    for cut in [1, 3, 4, 5, 60, frame.len() - 1] {
        world.raw(raw, |raw, _| {
            let stream = raw.open(Dir::Uni, &frame[..cut]);
            raw.finish(stream);
        });
        world.settle();
    }
    assert!(world.receive_all(ours).is_empty());
    assert_eq!(world.quic(ours).stats().frames_refused(FrameError::Cut), 6);
    assert_eq!(world.quic(ours).stats().receive_bytes, 0);
}

#[test]
fn a_stream_that_is_reset_within_a_frame_delivers_nothing_of_it() {
    let (mut world, raw, ours) = connected(3);
    let stream = world.raw(raw, |raw, _| raw.open(Dir::Uni, &frame(&[7; 100])[..50]));
    world.settle();
    assert!(world.quic(ours).stats().receive_bytes > 0);
    world.raw(raw, |raw, _| raw.reset(stream));
    world.settle();
    assert!(world.receive_all(ours).is_empty());
    assert_eq!(world.quic(ours).stats().receive_bytes, 0);
}

#[test]
fn frames_that_arrive_byte_by_byte_are_frames() {
    let (mut world, raw, ours) = connected(4);
    let bytes = [frame(b""), frame(b"one"), frame(&[2; 40])].concat();
    let stream = world.raw(raw, |raw, _| raw.open(Dir::Uni, &bytes[..1]));
    for byte in &bytes[1..] {
        world.run(Duration::from_millis(1));
        world.raw(raw, |raw, _| raw.write(stream, &[*byte]));
    }
    world.settle();
    let messages: Vec<Vec<u8>> =
        world.receive_all(ours).into_iter().map(|(.., message)| message).collect();
    assert_eq!(messages, [b"".to_vec(), b"one".to_vec(), vec![2; 40]]);
}

#[test]
fn a_peer_that_vanishes_within_a_message_is_reported_and_nothing_of_it_delivered() {
    let (mut world, raw, ours) = connected(5);
    let bytes = [frame(b"whole"), frame(&[7; 1_000])[..500].to_vec()].concat();
    world.raw(raw, |raw, _| raw.open(Dir::Uni, &bytes));
    world.settle();
    world.raw(raw, |raw, _| raw.vanish());
    let to = world.address(raw);
    world.call(ours, |quic, now| quic.send(now, to, TEAM, "x", b"into the void")).expect("taken");
    // It says nothing: that is what the idle timeout is for. A raw peer answers with resets, though
    // none that we believe.
    world.run(Duration::from_secs(61));
    let QuicEvent::ConnectionClosed { reason, undelivered, cut, .. } = world.closed(ours) else {
        panic!("it was asked for a close");
    };
    assert!([Error::Idle, Error::Reset].contains(reason), "{reason:?}");
    assert_eq!((*undelivered, *cut), (1, 1));
    assert_eq!(world.receive_all(ours).len(), 1);
    assert_eq!(world.quic(ours).stats().receive_bytes, 0);
}

#[test]
fn a_peer_that_stops_our_stream_is_reported_and_the_next_message_takes_another() {
    let (mut world, raw, ours) = connected(6);
    let to = world.address(raw);
    world.call(ours, |quic, now| quic.send(now, to, TEAM, "x", b"unwanted")).expect("taken");
    world.settle();
    world.raw(raw, |raw, _| {
        let connection = &mut raw.connections[0].1;
        let stream = connection.streams().accept(Dir::Bi).expect("our stream");
        connection.recv_stream(stream).stop(quinn_proto::VarInt::from_u32(33)).expect("open");
    });
    world.settle();
    let events = world.take_events(ours);
    let is_it = |event: &QuicEvent| matches!(event, QuicEvent::MessagesLost { code: 33, .. });
    // What had arrived before was not lost.
    assert_eq!(events.iter().filter(|event| is_it(event)).count(), 0, "{events:?}");
    world.call(ours, |quic, now| quic.send(now, to, TEAM, "x", b"again")).expect("taken");
    world.settle();
    let opened = world.raw(raw, |raw, _| raw.connections[0].1.streams().accept(Dir::Bi));
    assert!(opened.is_some());
}

#[test]
fn datagrams_of_any_bytes_do_no_harm() {
    let (mut world, _, ours) = connected(7);
    let mut random = channeler::sim::Random::new(7);
    let from = "192.0.2.9:9".parse().expect("an address");
    for _ in 0..3_000 {
        let len = random.index(1_400);
        let mut bytes = random.vec(len);
        if let Some(first) = bytes.first_mut() {
            *first |= 0x40;
        }
        let receive = channeler::io::Receive {
            from,
            local: channeler::io::Local::default(),
            stride: bytes.len().max(1),
            ecn: channeler::io::EcnMark::None,
        };
        world.call(ours, |quic, now| quic.handle_datagram(now, &receive, &bytes));
    }
    assert_eq!(world.quic(ours).stats().connections, 1);
    world.settle();
}
