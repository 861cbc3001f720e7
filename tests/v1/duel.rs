//! Aim: two nodes that dial each other, or restart, end with one connection and know it.
//! Method: dials at the same time, or a little apart, over links of many delays.

use channeler::error::Error;
use channeler::io::Event;
use channeler::sim::{Link, World};

use crate::tools::{MILLI, SECOND, assert_echo, assert_echo_on, connected, two_nodes, why_closed};

// spec: 7.14 both sides dial
#[test]
fn dialled_at_the_same_time_the_one_of_the_smaller_id_stays() {
    let mut world = two_nodes();
    let dials = [world.connect(0, 1).expect("room"), world.connect(1, 0).expect("room")];
    world.run_for(10 * SECOND);
    let smaller = usize::from(world.peer(1) < world.peer(0));
    let larger = 1 - smaller;
    assert_eq!(why_closed(&world, larger, dials[larger]), Some(Error::Superseded));
    assert_eq!(why_closed(&world, smaller, dials[smaller]), None);
    for node in 0..2 {
        assert_eq!(world.node(node).stats().connections, 1, "node {node}");
    }
    assert_eq!(world.connect(smaller, larger), Ok(dials[smaller]));
    let theirs = world.connect(larger, smaller).expect("it is there");
    assert!(world.node(larger).connection_info(theirs).expect("there").is_connected);
    let channel = world.open(larger, theirs).expect("room");
    world.run_for(SECOND);
    let other = world.opened(smaller, 0).last().expect("it was opened").1;
    assert_echo_on(&mut world, (larger, channel), (smaller, other));
}

// spec: 7.14 both sides dial
#[test]
fn channels_of_the_connection_that_does_not_stay_go_on_to_their_end() {
    let mut world = two_nodes();
    let mut channels = Vec::new();
    for (from, to) in [(0, 1), (1, 0)] {
        let connection = world.connect(from, to).expect("room");
        channels.push(world.open(from, connection).expect("room"));
    }
    world.run_for(5 * SECOND);
    for (from, to) in [(0, 1), (1, 0)] {
        let theirs = world.opened(to, 0).iter().find(|one| one.2).expect("one by the peer").1;
        assert_echo_on(&mut world, (from, channels[from]), (to, theirs));
    }
    assert_eq!((connected(&world, 0), connected(&world, 1)), (2, 2));
    for (node, &channel) in channels.iter().enumerate() {
        world.with(node, |node, now| node.close_channel(now, channel)).expect("it is open");
    }
    world.run_for(5 * SECOND);
    for node in 0..2 {
        assert_eq!(world.node(node).stats().connections, 1, "node {node}");
    }
}

// spec: 7.14 both sides dial
#[test]
fn channels_that_wait_for_a_dial_that_is_abandoned_go_on_with_the_other_connection() {
    let mut world = two_nodes();
    world.connect(0, 1).expect("room");
    // Node 1 does not know yet who asks it, and dials; its own handshake comes too late.
    world.run_for(25 * MILLI);
    let dial = world.connect(1, 0).expect("room");
    let channel = world.open(1, dial).expect("room");
    world.send(1, channel, b"waits").expect("room");
    // Node 0 forgets the attempt that was abandoned after its time.
    world.run_for(12 * SECOND);
    assert_eq!(why_closed(&world, 1, dial), Some(Error::Superseded));
    let stays = world.connect(1, 0).expect("it is there");
    assert_eq!(world.opened(1, 0), [(stays, channel, false)]);
    let theirs = world.opened(0, 0)[0].1;
    assert_eq!(world.receive(0, theirs).as_deref(), Some(&b"waits"[..]));
    assert_echo_on(&mut world, (1, channel), (0, theirs));
    let stats = [0, 1].map(|node| world.node(node).stats());
    assert_eq!(stats.map(|stats| (stats.connections, stats.channels)), [(1, 1), (1, 1)]);
}

// spec: 7.14 both sides dial
#[test]
fn dials_a_little_apart_end_with_one_connection_whatever_the_delays() {
    for seed in 0..30_u32 {
        let mut world = World::with_nodes(seed.into(), 2);
        let link = Link { jitter: 10 * MILLI, ..Link::lossy((seed % 7) * 5 * MILLI, 0.05) };
        world.network.set_all(link);
        world.connect(0, 1).expect("room");
        world.run_for(seed * 4 * MILLI);
        world.connect(1, 0).expect("room");
        world.run_for(30 * SECOND);
        for (node, other) in [(0, 1), (1, 0)] {
            let stats = world.node(node).stats();
            assert_eq!(stats.connections, 1, "seed {seed} node {node}: {:?}", world.events(node));
            let handle = world.connect(node, other).expect("it is there");
            let info = world.node(node).connection_info(handle).expect("it is there");
            assert!(info.is_connected, "seed {seed} node {node}");
        }
    }
}

// spec: 7.14 both sides dial
#[test]
fn a_peer_that_restarted_and_dials_again_takes_the_place_of_what_it_forgot() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    world.restart(0);
    world.take_events(0);
    let again = world.establish(0, 1);
    world.run_for(10 * SECOND);
    let reason = why_closed(&world, 1, pair.peer_connection);
    assert!(matches!(reason, Some(Error::Superseded | Error::Reset)), "{reason:?}");
    assert_echo(&mut world, &again);
    assert_eq!(world.node(1).stats().connections, 1);
}

// spec: 7.14 both sides dial
#[test]
fn when_the_dialled_peer_restarted_and_dials_back_the_dead_connection_goes() {
    // Rule 1 alone would keep the dead one if its dialler has the smaller id.
    for (dialler, other) in [(0, 1), (1, 0)] {
        let mut world = two_nodes();
        let pair = world.establish(dialler, other);
        world.restart(other);
        world.take_events(other);
        let back = world.connect(other, dialler).expect("room");
        world.run_for(10 * SECOND);
        let reason = why_closed(&world, dialler, pair.connection);
        assert!(matches!(reason, Some(Error::Superseded | Error::Reset)), "{reason:?}");
        assert_eq!(why_closed(&world, other, back), None);
        let there = world.connect(dialler, other).expect("it is there");
        assert!(world.node(dialler).connection_info(there).expect("it is there").is_connected);
        let stats = [0, 1].map(|node| world.node(node).stats().connections);
        assert_eq!(stats, [1, 1]);
        let channel = world.open(other, back).expect("room");
        world.run_for(SECOND);
        let theirs = world.opened(dialler, 0).last().expect("opened").1;
        assert_echo_on(&mut world, (other, channel), (dialler, theirs));
    }
}

// spec: 7.14 both sides dial
#[test]
fn a_dead_connection_goes_after_three_timeouts_when_no_reset_comes() {
    for (dialler, other) in [(0, 1), (1, 0)] {
        let mut world = two_nodes();
        let pair = world.establish(dialler, other);
        world.run_for(SECOND);
        world.restart(other);
        world.take_events(other);
        let back = world.connect(other, dialler).expect("room");
        world.run_for(30 * MILLI);
        // A neighbour of the dialler's uses up the resets that go there in this second.
        let mut neighbour = world.address(dialler);
        neighbour.set_port(9);
        for number in 0..10 {
            world.inject(neighbour, world.address(other), &[0x80 + number; 100]);
        }
        world.run_for(80 * MILLI);
        assert_eq!(why_closed(&world, dialler, pair.connection), None);
        world.run_for(SECOND);
        assert_eq!(why_closed(&world, dialler, pair.connection), Some(Error::Reset));
        assert_eq!(why_closed(&world, other, back), None);
        let there = world.connect(dialler, other).expect("it is there");
        let channel = world.open(dialler, there).expect("room");
        world.run_for(SECOND);
        let theirs = world.opened(other, 0).last().expect("opened").1;
        assert_echo_on(&mut world, (dialler, channel), (other, theirs));
    }
}

// spec: 7.14 both sides dial
#[test]
fn a_second_dial_of_the_same_peer_is_the_first_one() {
    let mut world = two_nodes();
    let first = world.connect(0, 1).expect("room");
    assert_eq!(world.connect(0, 1), Ok(first));
    world.run_for(SECOND);
    assert_eq!(world.connect(0, 1), Ok(first));
    let theirs = world.connect(1, 0).expect("it is there");
    let peer = world.peer(0);
    let is_it = |event: &Event| *event == Event::Connected { connection: theirs, peer };
    assert!(world.events(1).iter().any(|happened| is_it(&happened.event)));
}
