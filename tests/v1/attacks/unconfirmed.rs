//! Aim: peers that never finish what they began cost a bounded time and bounded bytes.
//! Method: somebody on the path swallows one kind of packet for good.

use channeler::error::Error;
use channeler::id::Level;
use channeler::io::Event;
use channeler::sim::World;

use super::tools::{Middle, assert_echo_through, establish, is_level, is_short, levels_of};
use crate::tools::{SECOND, connected, count, why_closed};

// spec: 7.4 responder states, 7.8 amplification, 7.10 half-open limits
#[test]
fn an_initiator_whose_finished_never_comes_is_forgotten_and_gets_three_times_its_bytes() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let us = world.address(0);
    let connection = world.connect(0, 1).expect("room");
    let (mut sent, mut answered) = (0, 0);
    middle.run(&mut world, 45 * SECOND, |datagram| {
        if datagram.station != us {
            answered += datagram.bytes.len();
            assert!(answered <= 3 * sent, "{answered} for {sent}");
            return vec![datagram.clone()];
        }
        // It shows nothing but level 0: its address is never proven.
        let is_hello = levels_of(&datagram.bytes) == [0] && !is_short(&datagram.bytes);
        if is_hello {
            sent += datagram.bytes.len();
            return vec![datagram.clone()];
        }
        Vec::new()
    });
    assert!(answered > 0);
    assert_eq!([0, 1].map(|node| connected(&world, node)), [0, 0]);
    assert!(why_closed(&world, 0, connection).is_some());
    assert!(world.events(1).is_empty());
    assert_eq!([0, 1].map(|node| world.node(node).stats().connections), [0, 0]);
    let pair = establish(&mut world, &mut middle);
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 7.3 initiator states, 7.7 confirmed, 14.4 idle timeout and keep-alive
#[test]
fn a_responder_that_never_confirms_keeps_an_initiator_for_no_longer_than_its_dial() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let them = world.address(1);
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    for _ in 0..100 {
        let _full_or_not = world.send(0, channel, &[1; 1_000]);
    }
    let mut sent = 0;
    middle.run(&mut world, 40 * SECOND, |datagram| {
        if datagram.station == them && is_short(&datagram.bytes) {
            return Vec::new();
        }
        sent += 1;
        vec![datagram.clone()]
    });
    assert!(why_closed(&world, 0, connection).is_some(), "{:?}", world.events(0));
    assert_eq!(connected(&world, 0), 0);
    assert!(sent < 400, "{sent} datagrams for nothing");
    assert_eq!(world.node(0).stats().connections, 0);
    assert_eq!(world.node(0).stats().send_queue_bytes, 0);
    // The responder has heard all it needs, and goes by its own timer.
    middle.run(&mut world, 120 * SECOND, |_| Vec::new());
    assert_eq!(world.node(1).stats().connections, 0);
    let pair = establish(&mut world, &mut middle);
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 7.3 initiator states, 7.15 failures and attempts
#[test]
fn a_responder_that_never_shows_who_it_is_costs_three_attempts() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let them = world.address(1);
    let connection = world.connect(0, 1).expect("room");
    let mut originals = Vec::new();
    middle.run(&mut world, 60 * SECOND, |datagram| {
        if datagram.station == them {
            // The ServerHello passes, what follows it does not.
            let mut first = datagram.clone();
            let size = usize::from(u16::from_be_bytes([first.bytes[42], first.bytes[43]]));
            if !is_level(&first.bytes, Level::Initial) {
                return Vec::new();
            }
            first.bytes.truncate(size);
            return vec![first];
        }
        if is_level(&datagram.bytes, Level::Initial) {
            originals.push(super::tools::ids_of(&datagram.bytes).0);
        }
        vec![datagram.clone()]
    });
    originals.dedup();
    assert_eq!(originals.len(), 3);
    assert_eq!(why_closed(&world, 0, connection), Some(Error::Timeout));
    let is_closed = |event: &Event| matches!(event, Event::ConnectionClosed { .. });
    assert_eq!([0, 1].map(|node| count(&world, node, is_closed)), [1, 0]);
    assert_eq!([0, 1].map(|node| world.node(node).stats().connections), [0, 0]);
}

// spec: 3.4 identity checks, 7.4 responder states, 7.13 early data
#[test]
fn a_peer_accepted_for_its_early_data_that_never_finishes_is_reported_as_closed() {
    let mut world = World::new(1);
    world.add(|_| ());
    world.add(|config| (config.early_data, config.ask_before_accept) = (true, true));
    let mut middle = Middle::new(&mut world);
    let request = |world: &World, seen: usize| {
        let request = world.events(1)[seen..].iter().find_map(|happened| {
            let Event::ConnectionRequest { connection, .. } = happened.event else { return None };
            Some(connection)
        });
        request.expect("it was asked")
    };
    let connection = world.connect(0, 1).expect("room");
    middle.pass(&mut world, SECOND);
    let theirs = request(&world, 0);
    world.with(1, |node, now| node.accept(now, theirs)).expect("it waits");
    middle.pass(&mut world, SECOND);
    super::tools::end(&mut world, &mut middle, 0, connection);
    // The ClientHello and early data pass, and nothing else.
    let seen = world.events(1).len();
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.with(0, |node, now| node.send_early(now, channel, b"early")).expect("room");
    let hello = middle.taken(&world);
    assert!(hello.iter().any(|one| levels_of(&one.bytes).contains(&2)));
    hello.iter().for_each(|datagram| middle.send(&mut world, datagram));
    middle.run(&mut world, SECOND, |_| Vec::new());
    let theirs = request(&world, seen);
    world.with(1, |node, now| node.accept(now, theirs)).expect("it waits");
    middle.run(&mut world, 20 * SECOND, |_| Vec::new());
    assert_eq!(why_closed(&world, 1, theirs), Some(Error::Timeout));
}
