//! Aim: a packet counts only as what it was sealed for: level, direction, channel, connection.
//! Method: somebody on the path relabels what passes, and sends it beside the original.

use channeler::id::Level;
use channeler::node::DropReason;
use channeler::sim::World;

use super::tools::{
    Middle, assert_echo_through, establish, event_counts, is_level, is_short, with_bytes,
};
use crate::tools::{SECOND, connected, dropped};

// spec: 4.3 sealing, 18.2 attacks on identity, keys and packets
#[test]
fn packets_of_one_level_fed_as_another_or_back_to_their_sender_have_no_effect() {
    let mut relabelled = 0;
    let mut times = Vec::new();
    for attacked in [false, true] {
        let mut world = World::with_nodes(1, 2);
        let mut middle = Middle::new(&mut world);
        let (start, connection) = (world.now(), world.connect(0, 1).expect("room"));
        world.open(0, connection).expect("room");
        middle.run(&mut world, SECOND, |datagram| {
            let mut out = Vec::new();
            if attacked && !is_short(&datagram.bytes) {
                let copies = relabel(&datagram.bytes);
                relabelled += copies.len();
                out.extend(copies.into_iter().map(|bytes| with_bytes(datagram, bytes)));
                let mut back = with_bytes(datagram, reflect(&datagram.bytes));
                (back.station, back.to) = (datagram.to, datagram.station);
                out.push(back);
            }
            out.push(datagram.clone());
            out
        });
        assert_eq!([0, 1].map(|node| connected(&world, node)), [1, 1]);
        times.push(world.events(0)[0].at.since(start));
        assert_eq!([0, 1].map(|node| world.node(node).stats().connections), [1, 1]);
        middle.pass(&mut world, 20 * SECOND);
        assert_eq!(event_counts(&world), [2, 2]);
    }
    assert!(relabelled >= 12, "{relabelled}");
    assert_eq!(times[0], times[1], "it cost no time");
}

// spec: 5.2 sealing, 6.3 channel keys, 18.2 attacks on identity, keys and packets
#[test]
fn a_packet_of_one_channel_fed_as_another_is_not_opened() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    let second = world.open(0, pair.connection).expect("room");
    middle.pass(&mut world, 6 * SECOND);
    let wire = |channel| world.node(0).channel_info(channel).expect("it lives").id.to_wire();
    let other = wire(pair.channel) ^ wire(second);
    let none = wire(pair.channel) ^ 0xf0f0_f0f0;
    // One that may exist and one that may not.
    for (change, reason) in [
        (other, DropReason::NotOpened),
        (none, DropReason::NotOpened),
        (0x4000_0000, DropReason::UnknownChannel),
    ] {
        let (before, events) = (dropped(&world, 1, reason), event_counts(&world));
        world.send(0, pair.channel, b"for this channel").expect("room");
        let mut sent = 0;
        // Masks are XORed: to flip bits of what is masked one need not know it.
        middle.run(&mut world, SECOND / 2, |datagram| {
            sent += 1;
            let mut bytes = datagram.bytes.clone();
            if sent == 1 {
                bytes[9..13].iter_mut().zip(change.to_be_bytes()).for_each(|(to, by)| *to ^= by);
            }
            vec![with_bytes(datagram, bytes)]
        });
        assert_eq!(dropped(&world, 1, reason), before + 1, "{change:08x}");
        assert_eq!(event_counts(&world), events);
        // Unreliable messages are not sent again.
        assert!(world.receive_all(1, pair.peer_channel).is_empty());
        middle.pass(&mut world, 6 * SECOND);
    }
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 5.2 sealing, 12.2 tokens
#[test]
fn a_packet_of_one_connection_with_the_token_of_another_is_not_opened() {
    let mut world = World::with_nodes(1, 3);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    let seen = world.events(1).len();
    let connection = world.connect(2, 1).expect("room");
    let channel = world.open(2, connection).expect("room");
    middle.pass(&mut world, 6 * SECOND);
    let theirs = world.opened(1, seen)[0].1;
    world.send(2, channel, b"of node 2").expect("room");
    let token = middle.taken(&world)[0].bytes[1..9].to_vec();
    world.send(0, pair.channel, b"of node 0").expect("room");
    let mut mixed = middle.taken(&world)[0].clone();
    mixed.bytes[1..9].copy_from_slice(&token);
    let before =
        dropped(&world, 1, DropReason::NotOpened) + dropped(&world, 1, DropReason::UnknownChannel);
    middle.send(&mut world, &mixed);
    mixed.station = world.address(2);
    middle.send(&mut world, &mixed);
    middle.pass(&mut world, SECOND / 10);
    let after =
        dropped(&world, 1, DropReason::NotOpened) + dropped(&world, 1, DropReason::UnknownChannel);
    assert_eq!(after, before + 2);
    for channel in [pair.peer_channel, theirs] {
        assert!(world.receive_all(1, channel).is_empty());
    }
}

/// Copies of a datagram whose first packet says that it is of another level.
fn relabel(datagram: &[u8]) -> Vec<Vec<u8>> {
    let levels = [Level::Initial, Level::Handshake, Level::Early];
    let own = levels.into_iter().position(|level| is_level(datagram, level)).expect("it has one");
    let others = (0..4).filter(|level| *level != own);
    let copy = |level: usize| {
        let mut bytes = datagram.to_vec();
        bytes[41] = 1 | (level as u8) << 2;
        bytes
    };
    others.map(copy).collect()
}

/// The same with sender and recipient exchanged.
fn reflect(datagram: &[u8]) -> Vec<u8> {
    let mut bytes = datagram.to_vec();
    bytes[4..20].copy_from_slice(&datagram[20..36]);
    bytes[20..36].copy_from_slice(&datagram[4..20]);
    bytes
}
