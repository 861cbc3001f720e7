//! Aim: nobody gets more out of a node towards a stranger than three times what went in.
//! Method: every kind of datagram that provokes an answer, sent from an address that says nothing
//! more; all bytes of a minute are counted.

use std::net::SocketAddr;

use channeler::config::NodeConfig;
use channeler::id::{AttemptId, Side};
use channeler::node::Dial;
use channeler::sim::{Random, World};
use channeler::wire::frame::{Crypto, Frame};
use channeler::wire::long::Cookie;

use super::tools::{Forgery, feed};
use crate::tools::SECOND;

// spec: 7.8 amplification, 18.3 attacks on resources
#[test]
fn no_first_flight_is_answered_with_more_than_three_times_its_bytes() {
    let mut world = World::with_nodes(1, 2);
    let flight = first_flight(&mut world);
    assert!(flight.len() >= 2, "the key of a post-quantum group fills a datagram");
    let whole = provoke(&flight, |_| ());
    assert!(whole.out > 1_200, "it is answered: {whole:?}");
    for cut in [&flight[..1], &flight[1..]] {
        provoke(cut, |_| ());
    }
    let twice = [&flight[..], &flight[..], &flight[..]].concat();
    provoke(&twice, |_| ());
    // With what is not TLS in it, and what is not CRYPTO.
    for frames in [
        &[Frame::Crypto(Crypto { offset: 0, bytes: &[0xee; 400] })][..],
        &[Frame::Crypto(Crypto { offset: 0, bytes: &[1, 0, 0, 40, 3, 3] })],
        &[Frame::Crypto(Crypto { offset: 7, bytes: &[0; 10] })],
        &[Frame::Ping],
    ] {
        let forgery = Forgery {
            original: AttemptId([1; 16]),
            side: Side::Initiator,
            sender: AttemptId([2; 16]),
            recipient: AttemptId([1; 16]),
            number: 0,
            cookie: Cookie::NONE,
            frames,
        };
        provoke(&[forgery.seal()], |_| ());
    }
}

// spec: 7.8 amplification, 7.9 cookies, 4.6 cookie packets
#[test]
fn cookie_packets_are_shorter_than_their_cause() {
    let mut world = World::with_nodes(1, 2);
    let flight = first_flight(&mut world);
    let answers = provoke(&flight, |config| config.always_cookie = true);
    assert_eq!(answers.count, flight.len(), "one each");
    assert!(answers.largest < 1_200);
    // Garbage is asked as well: it is not opened before.
    let mut garbage = flight[0].clone();
    garbage[60..].fill(0xaa);
    let answers = provoke(&[garbage], |config| config.always_cookie = true);
    assert_eq!((answers.count, answers.largest), (1, 65));
}

// spec: 7.8 amplification, 14.6 stateless reset: sending
#[test]
fn resets_are_shorter_than_their_cause_and_never_cause_each_other() {
    let mut random = Random::new(1);
    for size in 1..=1_500 {
        let mut bytes = random.vec(size);
        bytes[0] = 0x80 | bytes[0] & 0x2f;
        let answers = provoke(&[bytes], |_| ());
        if size <= 33 {
            assert_eq!(answers.count, 0, "{size}");
        } else {
            assert!(answers.count <= 1 && answers.largest < size, "{size}: {answers:?}");
            assert!(answers.largest <= 64);
        }
    }
    // Two nodes that both lost everything: a packet of each for the other ends in silence.
    let mut world = World::with_nodes(1, 2);
    let ends = [world.address(0), world.address(1)];
    world.inject(ends[0], ends[1], &[0x85; 1_200]);
    world.inject(ends[1], ends[0], &[0x86; 1_200]);
    world.run_for(60 * SECOND);
    let sent = [0, 1].map(|node| world.node(node).stats().datagrams_sent);
    assert!(sent.iter().sum::<u64>() <= 70, "each is shorter than the one before: {sent:?}");
    assert!(world.network.next_arrival().is_none());
}

// spec: 4.4 padding and joining, 7.8 amplification
#[test]
fn what_belongs_to_no_attempt_and_begins_none_is_not_answered() {
    let mut world = World::with_nodes(1, 2);
    let flight = first_flight(&mut world);
    let hello = &flight[0];
    let mut silent: Vec<Vec<u8>> = Vec::new();
    for level in 1..4 {
        let mut other = hello.clone();
        other[41] = 1 | level << 2;
        silent.push(other);
    }
    // Below 1200 bytes, in every way.
    silent.extend((0..1_200).step_by(7).map(|size| hello[..size].to_vec()));
    let mut short = hello[..1_199].to_vec();
    short[42..44].copy_from_slice(&1_199_u16.to_be_bytes());
    silent.push(short);
    // A cookie packet, a damaged first flight, another first flight's ids.
    let mut cookie = hello[..65].to_vec();
    (cookie[41], cookie[43], cookie[44]) = (0x0d, 65, 20);
    cookie[42] = 0;
    silent.push(cookie);
    for at in [4, 20, 45, 49, 1_199] {
        let mut damaged = hello.clone();
        damaged[at] ^= 1;
        silent.push(damaged);
    }
    // Version 0, and nothing at all.
    silent.push([&[0x0c, 0x22, 0x9d, 0x94][..], &[0; 100]].concat());
    silent.push(vec![0; 1_200]);
    for bytes in silent.iter().filter(|bytes| !bytes.is_empty()) {
        let answers = provoke(std::slice::from_ref(bytes), |_| ());
        assert_eq!(
            answers.count,
            0,
            "{} bytes, {:02x?}",
            bytes.len(),
            &bytes[..4.min(bytes.len())]
        );
    }
}

/// What a node said to a stranger.
#[derive(Debug, Default)]
struct Answers {
    count: usize,
    largest: usize,
    out: usize,
}

/// Sends datagrams to a fresh node from an address that says nothing more; asserts the limit.
fn provoke(datagrams: &[Vec<u8>], change: impl FnOnce(&mut NodeConfig)) -> Answers {
    let station = SocketAddr::from(([10, 77, 0, 7], 7));
    let mut world = World::new(1);
    world.add(change);
    world.add_station(station);
    let mut answers = Answers::default();
    let mut bytes_in = 0;
    for datagram in datagrams {
        bytes_in += datagram.len();
        feed(&mut world, 0, station, datagram);
        // At no time, not only at the end.
        world.run_for(SECOND / 100);
        collect(&mut world, station, &mut answers);
        assert!(answers.out <= 3 * bytes_in, "{} for {bytes_in}", answers.out);
    }
    world.run_for(60 * SECOND);
    collect(&mut world, station, &mut answers);
    assert!(answers.out <= 3 * bytes_in, "{} for {bytes_in}", answers.out);
    assert_eq!(world.node(0).stats().connections, 0);
    answers
}

fn collect(world: &mut World, station: SocketAddr, answers: &mut Answers) {
    for datagram in world.take_inbox(station) {
        answers.count += 1;
        answers.largest = answers.largest.max(datagram.bytes.len());
        answers.out += datagram.bytes.len();
    }
}

/// What node 0 sends first to somebody.
fn first_flight(world: &mut World) -> Vec<Vec<u8>> {
    world.network.keep_recent(10);
    let nobody = SocketAddr::from(([10, 88, 0, 8], 8));
    let dial = Dial::v1(world.peer(1), nobody);
    world.dial(0, &dial).expect("room");
    world.network.recent().iter().rev().map(|one| one.bytes.clone()).collect()
}
