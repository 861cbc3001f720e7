//! Aim: who is not on the path, but knows addresses and ids, cannot end or take over anything.
//! Method: forged packets of every kind, made from what the first flight shows to an observer.

use std::net::SocketAddr;

use channeler::error::Error;
use channeler::id::{AttemptId, Level, Side};
use channeler::node::DropReason;
use channeler::sim::{Random, World};
use channeler::wire::codes::ConnectionCode;
use channeler::wire::frame::{ConnectionClose, Crypto, Frame, Reason, Source};
use channeler::wire::long::Cookie;

use super::tools::{
    Forgery, Middle, assert_echo_through, establish, event_counts, feed, ids_of, is_level,
    with_bytes,
};
use crate::tools::{SECOND, closed, connected, dropped, why_closed};

// spec: 7.3 initiator states, 14.3 levels of a close, 18.2 attacks on identity, keys and packets
#[test]
fn forged_level_0_closes_end_no_handshake() {
    // Before the responder's answer, with any sender id; and to the responder.
    for target in [0, 1] {
        let (mut world, mut middle, connection) = dialled();
        let start = world.now();
        let refusal = Frame::ConnectionClose(close(ConnectionCode::Refused));
        middle.run(&mut world, SECOND, |datagram| {
            let mut out = vec![datagram.clone()];
            if datagram.station == SocketAddr::from(([10, 0, 0, 1], 4_000))
                && is_level(&datagram.bytes, Level::Initial)
            {
                let (initiator, original) = ids_of(&datagram.bytes);
                let forgery = forge(target, initiator, original, &[refusal]);
                let mut forged = with_bytes(datagram, forgery);
                if target == 0 {
                    (forged.station, forged.to) = (datagram.to, datagram.station);
                }
                out.insert(0, forged.clone());
                out.push(forged);
            }
            out
        });
        assert_eq!([0, 1].map(|node| connected(&world, node)), [1, 1], "target {target}");
        assert_eq!(why_closed(&world, 0, connection), None);
        // The first attempt succeeds; a forged number that is acknowledged costs it a timer.
        let after = world.events(0)[0].at.since(start);
        assert!(after <= SECOND / 2, "target {target}: {after:?}");
    }
}

// spec: 7.15 failures and attempts, 7.2 ids of an attempt
// spec: 18.2 attacks on identity, keys and packets
#[test]
fn forged_level_0_crypto_spoils_one_attempt_and_not_the_dial() {
    for target in [0, 1] {
        let (mut world, mut middle, connection) = dialled();
        let garbage = [Frame::Crypto(Crypto { offset: 0, bytes: &[0xee; 300] })];
        let mut originals = Vec::new();
        middle.run(&mut world, 20 * SECOND, |datagram| {
            let mut out = vec![datagram.clone()];
            let is_first_flight = datagram.station.port() == 4_000
                && is_level(&datagram.bytes, Level::Initial)
                && !originals.contains(&ids_of(&datagram.bytes).1);
            if is_first_flight {
                let (initiator, original) = ids_of(&datagram.bytes);
                if originals.is_empty() {
                    let forgery = forge(target, initiator, original, &garbage);
                    let mut forged = with_bytes(datagram, forgery);
                    if target == 0 {
                        (forged.station, forged.to) = (datagram.to, datagram.station);
                    }
                    out.insert(0, forged);
                }
                originals.push(original);
            }
            out
        });
        assert_eq!([0, 1].map(|node| connected(&world, node)), [1, 1], "target {target}");
        assert_eq!(why_closed(&world, 0, connection), None, "target {target}");
        assert!(originals.len() >= 2, "target {target}: the forgery had an effect");
    }
}

// spec: 7.15 failures and attempts
#[test]
fn forged_level_0_crypto_in_every_attempt_ends_a_dial_cleanly_and_the_next_succeeds() {
    let (mut world, mut middle, connection) = dialled();
    let garbage = [Frame::Crypto(Crypto { offset: 0, bytes: &[0xee; 300] })];
    middle.run(&mut world, 40 * SECOND, |datagram| {
        let mut out = vec![datagram.clone()];
        if datagram.station.port() == 4_000 && is_level(&datagram.bytes, Level::Initial) {
            let (initiator, original) = ids_of(&datagram.bytes);
            let mut forged = with_bytes(datagram, forge(0, initiator, original, &garbage));
            (forged.station, forged.to) = (datagram.to, datagram.station);
            out.insert(0, forged);
        }
        out
    });
    assert!(why_closed(&world, 0, connection).is_some());
    assert_eq!([0, 1].map(|node| connected(&world, node)), [0, 0]);
    assert_eq!([0, 1].map(|node| world.node(node).stats().connections), [0, 0]);
    let pair = establish(&mut world, &mut middle);
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 3.4 identity checks, 7.15 failures and attempts, 18.2 attacks on identity, keys and packets
#[test]
fn a_forged_server_hello_ends_the_dial_with_identity_and_never_with_a_connection() {
    let mut world = World::with_nodes(1, 3);
    let mut middle = Middle::new(&mut world);
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.send(0, channel, b"for node 1 only").expect("room");
    let (honest, forger) = (world.address(1), world.address(2));
    // The forger answers before the one who was asked, with a handshake of its own.
    middle.run(&mut world, 10 * SECOND, |datagram| {
        let mut copy = datagram.clone();
        if datagram.to == honest {
            copy.to = forger;
        } else if datagram.station == forger {
            copy.station = honest;
        }
        vec![copy]
    });
    assert_eq!(closed(&world, 0, connection), Some((Error::Identity, Some(3))));
    assert_eq!([0, 1, 2].map(|node| connected(&world, node)), [0; 3]);
    assert_eq!(world.node(2).stats().messages_received, 0);
    let pair = establish(&mut world, &mut middle);
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 4.5 receiving, 4.6 cookie packets, 7.2 ids of an attempt
// spec: 18.2 attacks on identity, keys and packets
#[test]
fn packets_of_the_handshake_forged_after_it_mean_nothing() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    let (initiator, original) = ids_of(&middle.log[0].bytes);
    let is_answer = |one: &&channeler::sim::Recorded| one.station.port() == 4_001;
    let answer = middle.log.iter().find(is_answer).expect("it answered");
    let (responder, _) = ids_of(&answer.bytes);
    let events = event_counts(&world);
    let ending = Frame::ConnectionClose(close(ConnectionCode::Internal));
    let crypto = Frame::Crypto(Crypto { offset: 0, bytes: &[1; 100] });
    for later in [0, 12] {
        middle.pass(&mut world, later * SECOND);
        for frame in [&ending, &crypto] {
            for (target, from) in [(0, 1), (1, 0)] {
                let from = world.address(from);
                for recipient in [original, responder, initiator] {
                    for sender in [original, responder, initiator] {
                        let side = if target == 0 { Side::Responder } else { Side::Initiator };
                        let frames = &[*frame];
                        let forgery = Forgery {
                            original,
                            side,
                            sender,
                            recipient,
                            number: 77,
                            cookie: NONE,
                            frames,
                        };
                        let bytes = forgery.seal();
                        feed(&mut world, target, from, &bytes);
                        let mut other = bytes.clone();
                        for level in 1..4 {
                            other[41] = 1 | level << 2;
                            feed(&mut world, target, from, &other);
                        }
                        feed(&mut world, target, from, &cookie(sender, recipient));
                    }
                }
            }
        }
    }
    middle.pass(&mut world, 15 * SECOND);
    assert_eq!(event_counts(&world), events);
    assert_eq!([0, 1].map(|node| world.node(node).stats().connections), [1, 1]);
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 5.4 receiving, 14.5 stateless reset: meaning, 18.2 attacks on identity, keys and packets
#[test]
fn short_packets_and_resets_forged_with_the_right_token_mean_nothing() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    middle.pass(&mut world, 6 * SECOND);
    world.send(0, pair.channel, b"to learn the token").expect("room");
    let real = middle.taken(&world)[0].clone();
    let events = event_counts(&world);
    let mut random = Random::new(1);
    let (us, sent) = (world.address(0), world.node(1).stats().datagrams_sent);
    for _ in 0..5_000 {
        let size = 33 + random.index(1_200);
        let mut bytes = random.vec(size);
        bytes[0] = 0x80 | bytes[0] & 0x2f;
        bytes[1..9].copy_from_slice(&real.bytes[1..9]);
        feed(&mut world, 1, us, &bytes);
        // The same as resets: any other token, any last 16 bytes.
        bytes[1] ^= 0x55;
        feed(&mut world, 1, us, &bytes);
    }
    let unopened = dropped(&world, 1, DropReason::NotOpened)
        + dropped(&world, 1, DropReason::UnknownChannel)
        + dropped(&world, 1, DropReason::Replayed);
    assert_eq!(unopened, 5_000);
    assert_eq!(dropped(&world, 1, DropReason::UnknownToken), 5_000);
    assert_eq!(event_counts(&world), events);
    // spec: 14.6 stateless reset: sending: ten to one prefix in this second
    assert!(world.node(1).stats().datagrams_sent - sent <= 10);
    middle.pass(&mut world, SECOND);
    assert_echo_through(&mut world, &mut middle, &pair);
}

const NONE: Cookie = Cookie::NONE;

/// Two nodes with somebody between them, and a dial from 0 to 1 that has just begun.
fn dialled() -> (World, Middle, channeler::id::ConnectionHandle) {
    let mut world = World::with_nodes(1, 2);
    let middle = Middle::new(&mut world);
    let connection = world.connect(0, 1).expect("room");
    (world, middle, connection)
}

/// A level 0 packet to one of the two nodes, as its peer would send.
fn forge(
    target: usize,
    initiator: AttemptId,
    original: AttemptId,
    frames: &[Frame<'_>],
) -> Vec<u8> {
    let (side, sender, recipient) = match target {
        0 => (Side::Responder, AttemptId([0xbb; 16]), initiator),
        _ => (Side::Initiator, initiator, original),
    };
    Forgery { original, side, sender, recipient, number: 1_000, cookie: NONE, frames }.seal()
}

/// A cookie packet.
fn cookie(sender: AttemptId, recipient: AttemptId) -> Vec<u8> {
    let mut bytes = vec![0x09, 0x01, 0xd0, 0x3f];
    bytes.extend(sender.0);
    bytes.extend(recipient.0);
    bytes.extend([0xf0, 0xf0, 0xf0, 0xf0, 0, 0x0d, 0, 65, 20]);
    bytes.extend([0xcc; 20]);
    bytes
}

fn close(code: ConnectionCode) -> ConnectionClose<'static> {
    let (source, code, message_type) = (Source::Protocol, code.code(), 0);
    ConnectionClose { source, code, message_type, reason: Reason::default() }
}
