//! Aim: bytes changed or cut off on the way cost time, never a connection or its safety.
//! Method: somebody on the path changes one datagram of a handshake at one offset, for every
//! datagram and every offset.

use channeler::io::Event;
use channeler::sim::{Recorded, World};

use super::tools::{Middle, event_counts, with_bytes};
use crate::tools::{SECOND, connected};

/// Time that one lost datagram costs, and a handshake.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

// spec: 18.2 attacks on identity, keys and packets, 4.5 receiving, 7.6 retransmission
#[test]
fn a_flipped_bit_at_any_offset_of_any_datagram_costs_no_more_than_that_datagram() {
    for (number, size) in sizes().into_iter().enumerate() {
        for offset in offsets(size) {
            for bit in bits(offset) {
                let flip = |bytes: &mut Vec<u8>| {
                    let at = offset.min(bytes.len() - 1);
                    bytes[at] ^= 1 << bit;
                };
                assert!(connects(number, flip), "datagram {number}, offset {offset}, bit {bit}");
            }
        }
    }
}

// spec: 18.2 attacks on identity, keys and packets, 4.5 receiving, 7.6 retransmission
#[test]
fn a_datagram_cut_off_at_any_offset_costs_no_more_than_that_datagram() {
    for (number, size) in sizes().into_iter().enumerate() {
        for offset in offsets(size) {
            let cut = |bytes: &mut Vec<u8>| bytes.truncate(offset);
            assert!(connects(number, cut), "datagram {number}, cut at {offset}");
        }
    }
}

// spec: 18.2 attacks on identity, keys and packets, 5.4 receiving
#[test]
fn copies_with_each_single_bit_flipped_have_no_effect_beside_the_original() {
    for (number, size) in sizes().into_iter().enumerate() {
        let mut world = World::with_nodes(1, 2);
        let mut middle = Middle::new(&mut world);
        let connection = world.connect(0, 1).expect("room");
        world.open(0, connection).expect("room");
        let mut count = 0;
        middle.run(&mut world, LIMIT, |datagram| {
            count += 1;
            let mut out = vec![datagram.clone()];
            if count == number + 1 {
                // After it: before it they would be a flood, and cost a cookie.
                out.extend((0..size * 8).map(|bit| {
                    let mut bytes = datagram.bytes.clone();
                    let at = (bit / 8).min(bytes.len() - 1);
                    bytes[at] ^= 1 << (bit % 8);
                    with_bytes(datagram, bytes)
                }));
            }
            out
        });
        assert!(is_up(&world), "datagram {number}: {:?}", world.events(0));
        let events = event_counts(&world);
        middle.pass(&mut world, 20 * SECOND);
        assert_eq!(event_counts(&world), events, "datagram {number}: nothing came later");
        assert_eq!([0, 1].map(|node| world.node(node).stats().connections), [1, 1]);
    }
}

/// Whether two nodes connect and open a channel when datagram `number` is changed.
fn connects(number: usize, change: impl Fn(&mut Vec<u8>)) -> bool {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let connection = world.connect(0, 1).expect("room");
    world.open(0, connection).expect("room");
    let mut count = 0;
    middle.run(&mut world, LIMIT, |datagram| {
        let mut bytes = datagram.bytes.clone();
        if count == number {
            change(&mut bytes);
        }
        count += 1;
        if bytes.is_empty() { Vec::new() } else { vec![with_bytes(datagram, bytes)] }
    });
    is_up(&world)
}

fn is_up(world: &World) -> bool {
    let is_closed = |happened: &channeler::sim::Happened| {
        matches!(happened.event, Event::ConnectionClosed { .. } | Event::ChannelClosed { .. })
    };
    let has_closed = (0..2).any(|node| world.events(node).iter().any(is_closed));
    let opened = [0, 1].map(|node| world.opened(node, 0).len());
    [0, 1].map(|node| connected(world, node)) == [1, 1] && opened == [1, 1] && !has_closed
}

/// Bytes of each datagram of a handshake that nobody disturbs, up to the last acknowledgement.
fn sizes() -> Vec<usize> {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let connection = world.connect(0, 1).expect("room");
    world.open(0, connection).expect("room");
    middle.pass(&mut world, SECOND);
    assert!(is_up(&world));
    let sizes: Vec<usize> = middle.log.iter().map(|one: &Recorded| one.bytes.len()).collect();
    assert!(sizes.len() >= 5 && sizes[0] == 1_200, "{sizes:?}");
    sizes
}

/// Every offset in an optimised build (`make soak`); else headers, ends, and every 37th between.
fn offsets(size: usize) -> Vec<usize> {
    let is_tried =
        |at: &usize| !cfg!(debug_assertions) || *at < 52 || at + 18 > size || at.is_multiple_of(37);
    (0..size).filter(is_tried).collect()
}

fn bits(offset: usize) -> Vec<usize> {
    if cfg!(debug_assertions) { vec![offset % 8] } else { (0..8).collect() }
}
