//! One reliable ordered channel over a simulated long link: 100 Mbit/s of UDP payload, 50 ms, a
//! queue of one BDP that drops at the tail, and random loss. 512 MiB, counted from the second
//! second on. The clock is virtual: the machine's speed does not show. What chance loses differs
//! from seed to seed: the worst of several is what counts.

use std::time::Duration;

use channeler::config::{ChannelConfig, Congestion};
use channeler::error::Error;
use channeler::id::{Capabilities, ChannelHandle};
use channeler::io::Event;
use channeler::sim::{Link, World};

use super::PACKET_SIZE;
use crate::harness::Run;
use crate::report::{Better, Row, Target};

/// Bytes of UDP payload a second.
pub(crate) const RATE: u64 = 12_500_000;

pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(50);

/// Bytes of IP and UDP headers, which the simulated link counts.
pub(crate) const HEADERS: u64 = 28;

/// What is known of the link is told by this much more than it loses.
pub(crate) const TOLERANT_PERCENT: u8 = 8;

/// How long CUBIC is watched, which needs hours for the whole on the worst links.
pub(crate) const BASELINE_TIME: Duration = Duration::from_secs(20);

/// No transfer of ours takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// What each transfer is repeated with.
const SEEDS: [u64; 3] = [11, 12, 13];

pub(super) fn measure(run: &mut Run) {
    let bytes = run.count(512) as u64 * (1 << 20);
    let ours = (Congestion::Bbr2, 2);
    let tolerant = (Congestion::Bbr2, TOLERANT_PERCENT);
    let cubic = (Congestion::Cubic, 2);
    if run.begins("v1.wan.0") {
        let got = worst(ours, 0.0, bytes, PATIENCE);
        let cubic = transfer(SEEDS[0], cubic, 0.0, bytes, BASELINE_TIME);
        add(run, "v1.wan.0", got.percent, Some(cubic.percent), Target::Value(92.0));
        add_dropped(run, "v1.wan.0.dropped", got.dropped, cubic.dropped, 1.0);
    }
    if run.begins("v1.wan.1") {
        let got = worst(ours, 0.01, bytes, PATIENCE);
        let cubic = transfer(SEEDS[0], cubic, 0.01, bytes, BASELINE_TIME);
        add(run, "v1.wan.1", got.percent, Some(cubic.percent), Target::Value(85.0));
    }
    if run.begins("v1.wan.5") {
        let cubic = transfer(SEEDS[0], cubic, 0.05, bytes, BASELINE_TIME);
        let got = worst(ours, 0.05, bytes, BASELINE_TIME);
        add(run, "v1.wan.5", got.percent, Some(cubic.percent), Target::Aim(1.0));
        let got = worst(tolerant, 0.05, bytes, PATIENCE);
        add(run, "v1.wan.5.tolerant", got.percent, Some(100.0), Target::Aim(0.8));
        add_dropped(run, "v1.wan.5.tolerant.dropped", got.dropped, cubic.dropped, 3.0);
    }
}

/// Of several transfers the least goodput, and the most that was dropped.
fn worst(settings: (Congestion, u8), loss: f64, bytes: u64, patience: Duration) -> Transfer {
    let mut worst = Transfer { percent: f64::INFINITY, dropped: 0.0 };
    for seed in SEEDS {
        let Transfer { percent, dropped } = transfer(seed, settings, loss, bytes, patience);
        eprintln!("  seed {seed}: {percent:.2} % of the link, {dropped:.2} % dropped");
        worst.percent = worst.percent.min(percent);
        worst.dropped = worst.dropped.max(dropped);
    }
    worst
}

pub(crate) fn add(
    run: &mut Run,
    name: &'static str,
    value: f64,
    baseline: Option<f64>,
    target: Target,
) {
    run.add(Row { name, value, unit: "% of link", better: Better::Higher, baseline, target });
}

pub(crate) fn add_dropped(run: &mut Run, name: &'static str, value: f64, baseline: f64, most: f64) {
    let (better, target) = (Better::Lower, Target::Value(most));
    run.add(Row { name, value, unit: "% dropped", better, baseline: Some(baseline), target });
}

/// What a transfer was like.
pub(crate) struct Transfer {
    /// Message bytes in per cent of the link's rate.
    pub(crate) percent: f64,
    /// Packets that the full queue dropped, in per cent.
    pub(crate) dropped: f64,
}

fn transfer(
    seed: u64,
    (congestion, tolerance): (Congestion, u8),
    loss: f64,
    bytes: u64,
    patience: Duration,
) -> Transfer {
    let mut world = World::new(seed);
    for _ in 0..2 {
        world.add(|config| {
            config.congestion = congestion;
            config.loss_tolerance_percent = tolerance;
            config.packet_size = PACKET_SIZE.into();
            config.lend_messages = true;
            config.segments_max = 44;
            config.connection_receive_bytes_max = 64 << 20;
            config.send_queue_bytes_max = 8 << 20;
        });
    }
    let (us, them) = (world.address(0), world.address(1));
    let packet = u64::from(PACKET_SIZE);
    let link = Link::rated(RATE * (packet + HEADERS) / packet, ROUND_TRIP / 2);
    world.network.set_link(us, them, Link { loss, ..link });
    world.network.set_link(them, us, Link::with_delay(ROUND_TRIP / 2));
    let connection = world.connect(0, 1).expect("the table has room");
    let config = ChannelConfig { capabilities: Capabilities::KNOWN, ..ChannelConfig::default() };
    let channel = world.with(0, |node, now| node.open_channel(now, connection, &config));
    let channel = channel.expect("the table has room");
    move_bytes(&mut world, channel, u64::MAX, Duration::from_secs(2));
    let (began, before) = (world.now(), world.network.link_counters(us, them));
    let arrived = move_bytes(&mut world, channel, bytes, patience);
    let after = world.network.link_counters(us, them);
    let span = world.now().since(began).as_secs_f64();
    let dropped = (after.queue_full - before.queue_full) as f64;
    Transfer {
        percent: arrived as f64 * 100.0 / (span * RATE as f64),
        dropped: dropped * 100.0 / (after.sent - before.sent).max(1) as f64,
    }
}

/// Keeps the send queue full until so much has arrived, or for so long; how much arrived.
fn move_bytes(world: &mut World, channel: ChannelHandle, bytes: u64, span: Duration) -> u64 {
    let message = [7; 64 << 10];
    let end = world.now() + span;
    let mut arrived = 0;
    while arrived < bytes && world.now() < end {
        loop {
            match world.send(0, channel, &message) {
                Ok(()) => {}
                Err(Error::WouldBlock) => break,
                Err(error) => panic!("sending: {error}"),
            }
        }
        let is_writable = |world: &World| {
            world.events(0).iter().any(|it| matches!(it.event, Event::Writable { .. }))
        };
        while world.step(end) && !is_writable(world) {}
        drop(world.take_events(0));
        for happened in world.take_events(1) {
            if let Event::Message { .. } = happened.event {
                arrived += happened.bytes.len() as u64;
            } else if let Event::Readable { channel, .. } = happened.event {
                let read = world.receive_all(1, channel);
                arrived += read.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
            }
        }
    }
    arrived
}
