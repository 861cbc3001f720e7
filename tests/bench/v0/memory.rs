//! Messages and channel set-ups between two nodes in one thread: no socket, no lock, no clock.

use std::hint::black_box;
use std::time::Duration;

use channeler::id::{ChannelHandle, ConnectionHandle};

use super::pair::Pair;
use crate::alloc;
use crate::harness::{Run, core_time, pin, rate};
use crate::report::{Better, Row, Target};

/// What the issue asks for; the reference does 0.13 million.
const MESSAGES_PER_SECOND: f64 = 1_300_000.0;
const OPENS_PER_SECOND: f64 = 150_000.0;

/// Messages between two drains of the sender.
const BURST: usize = 256;

/// Channels opened between two drains.
const OPEN_BURST: usize = 1_000;

pub(crate) fn measure(run: &mut Run) {
    pin(0);
    for (name, size) in [("v0.memory.64", 64), ("v0.memory.1024", 1024)] {
        if run.begins(name) {
            let value = messages(run, size);
            add(run, name, value, "messages/s", MESSAGES_PER_SECOND);
        }
    }
    if run.begins("v0.open") {
        let value = opens(run);
        add(run, "v0.open", value, "channels/s", OPENS_PER_SECOND);
    }
}

fn add(run: &mut Run, name: &'static str, value: f64, unit: &'static str, target: f64) {
    let target = Target::Value(target);
    run.add(Row { name, value, unit, better: Better::Higher, baseline: None, target });
}

/// Messages of `size` bytes a second, in packets as the reference sends them.
///
/// Panics when the steady state allocates.
fn messages(run: &Run, size: usize) -> f64 {
    let mut pair = Pair::new(|config| {
        config.packet_size = 1500;
        config.padding = true;
    });
    let connection = pair.connect();
    let channel = pair.open(connection);
    pair.settle();
    let message = vec![0x5a; size];
    let burst = |pair: &mut Pair| {
        let before = pair.messages[1];
        for _ in 0..BURST {
            let message = black_box(&message[..]);
            pair.nodes[0].send(pair.now, channel, message).expect("the queue takes a burst");
        }
        while pair.carry(0) {}
        assert_eq!(pair.messages[1] - before, BURST, "every message arrives");
        BURST
    };
    for _ in 0..1_000 {
        burst(&mut pair);
    }
    let mut allocated = 0;
    let value = run.median(|| {
        let before = alloc::allocations();
        let rate = rate(run.sample_time(), || burst(&mut pair));
        allocated += alloc::allocations() - before;
        rate
    });
    assert_eq!(allocated, 0, "allocations in a steady state that shall have none");
    eprintln!("  no allocation in {} messages", pair.messages[1]);
    assert_eq!(pair.bytes[1], pair.messages[1] * size, "every byte arrives");
    value
}

/// Channels a second, from `open_channel` until both sides know them. Closing is not counted.
fn opens(run: &Run) -> f64 {
    let mut pair = Pair::new(|_| {});
    let connection = pair.connect();
    let mut round = || {
        let took = open_burst(&mut pair, connection);
        close_all(&mut pair);
        took
    };
    round();
    run.median(|| {
        let (mut took, mut count) = (Duration::ZERO, 0);
        while took < run.sample_time() {
            took += round();
            count += OPEN_BURST;
        }
        count as f64 / took.as_secs_f64()
    })
}

fn open_burst(pair: &mut Pair, connection: ConnectionHandle) -> Duration {
    let began = core_time();
    for _ in 0..OPEN_BURST {
        pair.open(connection);
    }
    pair.settle();
    let took = core_time() - began;
    for side in 0..2 {
        assert_eq!(pair.opened[side].len(), OPEN_BURST, "every channel opens");
    }
    took
}

fn close_all(pair: &mut Pair) {
    for side in 0..2 {
        let channels: Vec<ChannelHandle> = std::mem::take(&mut pair.opened[side]);
        for channel in channels {
            pair.nodes[side].close_channel(pair.now, channel).expect("it was reported open");
        }
    }
    pair.settle();
    pair.opened = [const { Vec::new() }; 2];
}
