//! Aim: packets for what is not there cost a look, at any rate.
//! Method: 100,000 of each kind; what was done for each is read from the reasons they were dropped
//! for.

use std::net::SocketAddr;

use channeler::node::DropReason;
use channeler::sim::{Random, World};

use super::tools::{Middle, assert_echo_through, establish, event_counts, feed};
use crate::tools::{MILLI, SECOND, dropped};

const COUNT: u64 = 100_000;

// spec: 5.4 receiving, 14.6 stateless reset: sending, 18.3 attacks on resources
#[test]
fn unknown_tokens_at_line_rate_cost_a_look_and_a_hundred_resets_a_second() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    middle.pass(&mut world, SECOND);
    let (stats, events) = (world.node(1).stats(), event_counts(&world));
    let mut bytes = [0x80; 1_200];
    for number in 0..COUNT as u32 {
        bytes[1..5].copy_from_slice(&number.to_be_bytes());
        let [_, a, b, c] = number.to_be_bytes();
        feed(&mut world, 1, SocketAddr::from(([11, a, b, c], 9)), &bytes);
        if number % 10_000 == 9_999 {
            middle.run(&mut world, 100 * MILLI, |_| Vec::new());
        }
    }
    let after = world.node(1).stats();
    assert_eq!(after.dropped(DropReason::UnknownToken), COUNT);
    assert_eq!(after.connections, stats.connections);
    // A second, and the one that had begun.
    let sent = after.datagrams_sent - stats.datagrams_sent;
    assert!(sent <= 200 + 10, "{sent} answers");
    assert_eq!(event_counts(&world), events);
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 5.4 receiving, 9.1 ids, 18.3 attacks on resources
#[test]
fn unknown_channels_at_line_rate_cost_no_key_and_are_not_answered() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    middle.pass(&mut world, 6 * SECOND);
    world.send(0, pair.channel, b"to learn the token").expect("room");
    let real = middle.taken(&world)[0].clone();
    middle.send(&mut world, &real);
    middle.pass(&mut world, SECOND);
    world.receive_all(1, pair.peer_channel);
    let (stats, events) = (world.node(1).stats(), event_counts(&world));
    let mut random = Random::new(1);
    let us = world.address(0);
    let mut bytes = random.vec(100);
    bytes[..9].copy_from_slice(&real.bytes[..9]);
    for _ in 0..COUNT {
        bytes[9..33].copy_from_slice(&random.bytes::<24>());
        feed(&mut world, 1, us, &bytes);
    }
    let after = world.node(1).stats();
    let count = |reason| after.dropped(reason) - stats.dropped(reason);
    // 4,096 channels may exist of 2^32: only for those is a key derived and a packet opened.
    let opened = count(DropReason::NotOpened) + count(DropReason::Replayed);
    assert!(opened <= 10, "{opened} tried to open");
    assert_eq!(count(DropReason::UnknownChannel) + opened, COUNT);
    assert_eq!(after.datagrams_sent, stats.datagrams_sent);
    assert_eq!((after.channels, after.connections), (stats.channels, stats.connections));
    assert_eq!(event_counts(&world), events);
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 5.4 receiving, 6.8 limits of keys
#[test]
fn forged_packets_for_a_channel_that_may_exist_are_counted_and_keep_nothing() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    middle.pass(&mut world, 6 * SECOND);
    world.send(0, pair.channel, b"to be copied").expect("room");
    let real = middle.taken(&world)[0].clone();
    let (before, us) = (dropped(&world, 1, DropReason::NotOpened), world.address(0));
    for number in 0..10_000_u32 {
        // Low bits of the masked channel id, but that of the opener, and the tag: an id that may
        // exist, and no packet.
        let mut bytes = real.bytes.clone();
        bytes[12] ^= number as u8 & 0xfe;
        bytes[11] ^= (number >> 8) as u8 & 7;
        let last = bytes.len() - 1;
        bytes[last] ^= 1 + (number % 250) as u8;
        feed(&mut world, 1, us, &bytes);
    }
    assert_eq!(dropped(&world, 1, DropReason::NotOpened) - before, 10_000);
    middle.send(&mut world, &real);
    middle.pass(&mut world, SECOND);
    assert_eq!(world.receive_all(1, pair.peer_channel), [b"to be copied".to_vec()]);
    assert_echo_through(&mut world, &mut middle, &pair);
}
