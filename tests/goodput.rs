//! Aim: a change in how fast data moves shows as a diff of `tests/goodput.txt`.
//! Method: one bulk transfer over each simulated link with each controller, ten seconds of it; the
//! table is compared with the committed one. `CHANNELER_BLESS=1` (`make bless`) writes it anew.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use channeler::config::{ChannelConfig, Congestion};
use channeler::error::Error;
use channeler::id::{Capabilities, ChannelHandle};
use channeler::io::Event;
use channeler::sim::{CoDel, Link, World};

/// Every controller, by its name in the table, and the loss that it is told to tolerate.
const CONTROLLERS: &[(&str, Congestion, u8)] = &[
    ("bbr2", Congestion::Bbr2, 2),
    ("bbr2.8", Congestion::Bbr2, 8),
    ("cubic", Congestion::Cubic, 2),
    ("newreno", Congestion::NewReno, 2),
];

/// In a thousand.
const LOSSES: [u32; 4] = [0, 1, 10, 50];

/// Milliseconds, and kilobytes a second, headers included.
const LINKS: [(u32, u64); 4] = [(20, 125), (20, 625), (200, 125), (200, 625)];

#[test]
fn goodput_is_as_the_committed_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goodput.txt");
    let table = table();
    if std::env::var_os("CHANNELER_BLESS").is_some() {
        std::fs::write(&path, table).expect("writable");
        return;
    }
    let committed = std::fs::read_to_string(&path).expect("committed");
    for (ours, theirs) in table.lines().zip(committed.lines()) {
        assert_eq!(ours, theirs, "`make bless` writes tests/goodput.txt anew\n\n{table}");
    }
    assert_eq!(table.lines().count(), committed.lines().count(), "\n{table}");
}

fn table() -> String {
    let mut table = String::from(HEAD);
    for &(name, congestion, tolerance) in CONTROLLERS {
        for (round_trip, rate) in LINKS {
            for loss in LOSSES {
                let link = link(round_trip, rate, loss);
                let line = measure((congestion, tolerance), &link);
                let _infallible = writeln!(
                    table,
                    "{name:<8} {round_trip:>4} {rate:>6} tail  {:>4.1} {line}",
                    f64::from(loss) / 10.0
                );
            }
            let link = Link { codel: Some(CoDel::default()), ..link(round_trip, rate, 0) };
            let line = measure((congestion, tolerance), &link);
            let _infallible =
                writeln!(table, "{name:<8} {round_trip:>4} {rate:>6} codel  0.0 {line}");
        }
    }
    table
}

/// A queue of one round trip.
fn link(round_trip: u32, rate: u64, loss: u32) -> Link {
    let delay = Duration::from_millis(round_trip.into()) / 2;
    Link { loss: f64::from(loss) / 1_000.0, ..Link::rated(rate * 1_000, delay) }
}

/// Sends for ten seconds, from the third on: goodput in percent of the link, what was lost to the
/// queue in percent of what was sent, mean and longest wait in the queue in milliseconds.
fn measure((congestion, tolerance): (Congestion, u8), link: &Link) -> String {
    let mut world = World::new(7);
    for _ in 0..2 {
        world.add(|config| {
            config.congestion = congestion;
            config.loss_tolerance_percent = tolerance;
            config.lend_messages = true;
            config.segments_max = 16;
            config.connection_receive_bytes_max = 64 << 20;
            config.send_queue_bytes_max = 4 << 20;
        });
    }
    let (us, them) = (world.address(0), world.address(1));
    world.network.set_link(us, them, link.clone());
    world.network.set_link(them, us, Link::with_delay(link.delay));
    let connection = world.connect(0, 1).expect("room");
    let config = ChannelConfig { capabilities: Capabilities(0b111), ..ChannelConfig::default() };
    let channel = world.with(0, |node, now| node.open_channel(now, connection, &config));
    let channel = channel.expect("room");
    run(&mut world, channel, 2 * SECOND);
    let before = world.network.link_counters(us, them);
    world.network.record_queue(us, them, MILLI);
    let bytes = run(&mut world, channel, 10 * SECOND);
    let after = world.network.link_counters(us, them);
    let rate = link.rate.expect("the links of the table have one") as f64;
    let dropped = after.queue_full + after.queue_early - before.queue_full - before.queue_early;
    let history = world.network.queue_history(us, them);
    let waits = history.iter().map(|&(_, bytes)| bytes as f64 * 1_000.0 / rate);
    let (count, sum, longest) = waits.fold((0.0, 0.0, 0.0_f64), |(count, sum, longest), wait| {
        (count + 1.0, sum + wait, longest.max(wait))
    });
    format!(
        "{:>7.1} {:>7.2} {:>6.0} {:>6.0}",
        bytes as f64 * 100.0 / (10.0 * rate),
        dropped as f64 * 100.0 / (after.sent - before.sent).max(1) as f64,
        sum / f64::max(count, 1.0),
        longest
    )
}

/// Keeps the send queue full for a while; how many bytes of messages arrived meanwhile.
fn run(world: &mut World, channel: ChannelHandle, span: Duration) -> u64 {
    let message = [7; 16_000];
    let end = world.now() + span;
    let mut arrived = 0;
    loop {
        loop {
            match world.send(0, channel, &message) {
                Ok(()) => {}
                Err(Error::WouldBlock) => break,
                Err(error) => panic!("{error:?}"),
            }
        }
        let has_room = |world: &World| {
            let events = world.events(0).iter();
            events
                .map(|happened| &happened.event)
                .any(|event| matches!(event, Event::Writable { .. }))
        };
        while world.step(end) && !has_room(world) {}
        drop(world.take_events(0));
        for happened in world.take_events(1) {
            if let Event::Message { .. } = happened.event {
                arrived += happened.bytes.len() as u64;
            } else if let Event::Readable { channel, .. } = happened.event {
                let read = world.receive_all(1, channel);
                arrived += read.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
            }
        }
        if world.now() >= end {
            return arrived;
        }
    }
}

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

const HEAD: &str = "\
# Simulated goodput of one reliable ordered channel, written by tests/goodput.rs (`make bless`).
# The queue holds one round trip. From the third second to the twelfth:
#   goodput: message bytes, in percent of the link's rate (which counts all headers)
#   dropped: by the queue, in percent of the packets sent
#   mean, longest: wait in the queue, ms
# bbr2.8 is bbr2 with loss_tolerance_percent at 8.
#        RTT   rate queue  loss goodput dropped   mean longest
#         ms   kB/s           %       %       %     ms     ms
";
