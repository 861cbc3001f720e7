//! What a connection makes of its path: marks of congestion, the packet size, addresses.

use std::time::Duration;

use super::world::{DELAY, World};
use crate::config::{ChannelConfig, Congestion};
use crate::connection::{Connection, Shared};
use crate::id::{Capabilities, ChannelHandle};
use crate::io::EcnMark;
use crate::stats::EcnState;

const SECOND: Duration = Duration::from_secs(1);

/// Sends messages from end 0 to end 1 for `span`, as many as the queue takes.
fn fill(world: &mut World, channel: ChannelHandle, span: Duration) {
    let until = world.now + span;
    while world.now < until {
        while world.send_message(0, channel, &[7; 1000]).is_ok() {}
        world.run(Duration::from_millis(5));
    }
}

fn window(world: &mut World) -> u64 {
    let established = world.connection(0).established.as_ref().expect("it lives");
    established.carriers.current().congestion.window()
}

fn is_marking(world: &mut World, end: usize) -> bool {
    let established = world.connection(end).established.as_ref().expect("it lives");
    established.carriers.current().mark() == EcnMark::Ect0
}

// spec: 13.5 congestion control, 8.5 ACK, ACK_ECN; RFC 9000 13.4.2
#[test]
fn marks_are_sent_counted_and_believed() {
    // The window of `bbr2` begins to answer when a probe was marked, or none is under way.
    let mut world = World::with(40, |config| config.congestion = Congestion::Cubic);
    world.connect();
    let channel = world.open(0, Capabilities(0));
    fill(&mut world, channel, SECOND);
    assert!(is_marking(&mut world, 0) && is_marking(&mut world, 1));
    let before = window(&mut world);
    world.remark = |_| EcnMark::Ce;
    fill(&mut world, channel, SECOND / 5);
    let after = window(&mut world);
    assert!(after < before, "CE is congestion: {before}, then {after}");
    assert!(is_marking(&mut world, 0), "and no reason to stop marking");
    let established = world.connection(1).established.as_ref().expect("it lives");
    let counts = established.carriers.current().received.counts().expect("marks came");
    assert!(counts.ect0 > 10 && counts.ce > 0 && counts.ect1 == 0, "{counts:?}");
    let stats = world.connection(0).stats();
    assert_eq!((stats.bytes_lost, stats.packets_lost), (0, 0), "nothing was");
    assert_eq!(stats.ecn, EcnState::Capable);
}

// spec: 12.7 address changes, 12.11 MTU
#[test]
fn a_probe_of_the_way_before_says_nothing_of_the_size_that_the_new_way_takes() {
    for moves in [false, true] {
        let mut world = World::connected(44);
        let channel = world.open(0, Capabilities(0));
        world.run(SECOND);
        let full = world.connection(0).packet_message_bytes();
        assert_eq!(world.send_message(0, channel, &vec![7; full]), Ok(()));
        world.run(DELAY / 2);
        assert_eq!(world.ends[0].sent.last(), Some(&1_452), "the probe is out");
        let restart = |connection: &mut Connection, shared: &mut Shared, now| {
            let established = connection.established.as_mut().expect("it lives");
            let carrier = established.carriers.current_mut();
            carrier.restart(now, &shared.config, &mut Vec::new());
        };
        if moves {
            world.with_connection(0, restart);
        }
        world.run(SECOND);
        let found = world.connection(0).stats().packet_size;
        assert_eq!(found, if moves { 1_232 } else { 1_452 });
    }
}

// spec: 13.5 congestion control; RFC 9000 13.4.2.1
#[test]
fn a_path_that_clears_or_changes_marks_is_used_without() {
    for remark in [|_| EcnMark::None, |_| EcnMark::Ect1] {
        let mut world = World::new(41);
        world.remark = remark;
        world.connect();
        let channel = world.open(0, Capabilities(0));
        fill(&mut world, channel, SECOND / 5);
        assert!(!is_marking(&mut world, 0) && !is_marking(&mut world, 1));
        assert_eq!(world.connection(0).stats().ecn, EcnState::Failed);
    }
}

// spec: 7.7 confirmed
#[test]
fn what_the_packet_that_confirms_acknowledges_is_not_sent_again() {
    let mut world = World::new(42);
    world.dial();
    let label = vec![b'x'; 255].into();
    let config = ChannelConfig { label, ..ChannelConfig::default() };
    world.open_with(0, &config).expect("there is room");
    let (count, counter) = std::sync::mpsc::channel();
    world.tap = Some(Box::new(move |from, _, datagram| {
        // Only CHANNEL_NEW with its label makes a packet this large.
        if from == 0 && datagram[0] >> 6 == 0b10 && datagram.len() > 250 {
            count.send(datagram.len()).expect("the test reads");
        }
        Some(Duration::ZERO)
    }));
    world.run(SECOND);
    assert_eq!(counter.try_iter().count(), 1);
}
