//! `make plots`: what each controller does with a simulated link, drawn into docs/plots.
//!
//! 25 Mbit/s and 50 ms, a queue of one BDP that drops at the tail; a third of the rate from the
//! tenth second to the twentieth, and one packet in a hundred lost from the thirtieth on.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use channeler::config::{ChannelConfig, Congestion};
use channeler::id::Capabilities;
use channeler::io::Event;
use channeler::sim::{Link, World};

const RATE: u64 = 3_125_000;
const ROUND_TRIP: Duration = Duration::from_millis(50);
const STEP: Duration = Duration::from_millis(100);
const STEPS: usize = 400;

/// One moment: Mbit/s of messages that arrived, kilobytes in the queue, ms of smoothed round trip.
type Sample = [f64; 3];

/// What is drawn of a sample: its name, and the top of its scale.
const PANELS: [(&str, f64); 3] =
    [("throughput, Mbit/s", 27.0), ("queue, kB", 180.0), ("round trip, ms", 200.0)];

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 150.0;
const MARGIN: f64 = 40.0;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plots");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for (name, congestion) in
        [("bbr2", Congestion::Bbr2), ("cubic", Congestion::Cubic), ("newreno", Congestion::NewReno)]
    {
        let path = folder.join(format!("{name}.svg"));
        std::fs::write(&path, draw(name, &run(congestion))).expect("the file can be written");
        println!("{}", path.display());
    }
}

fn run(congestion: Congestion) -> Vec<Sample> {
    let mut world = World::new(5);
    for _ in 0..2 {
        world.add(|config| {
            config.congestion = congestion;
            config.lend_messages = true;
            config.segments_max = 16;
        });
    }
    let (us, them) = (world.address(0), world.address(1));
    let full = Link::rated(RATE, ROUND_TRIP / 2);
    let slow = Link { rate: Some(RATE / 3), ..full.clone() };
    let lossy = Link { loss: 0.01, ..full.clone() };
    world.network.set_link(us, them, full.clone());
    world.network.set_link(them, us, Link::with_delay(ROUND_TRIP / 2));
    let connection = world.connect(0, 1).expect("the table has room");
    let config = ChannelConfig { capabilities: Capabilities(0b111), ..ChannelConfig::default() };
    let channel = world.with(0, |node, now| node.open_channel(now, connection, &config));
    let channel = channel.expect("the table has room");
    let mut samples = Vec::new();
    for step in 0..STEPS {
        match step {
            100 => world.network.set_link(us, them, slow.clone()),
            200 => world.network.set_link(us, them, full.clone()),
            300 => world.network.set_link(us, them, lossy.clone()),
            _ => {}
        }
        let end = world.now() + STEP;
        let mut arrived = 0;
        while world.now() < end {
            while world.send(0, channel, &[7; 16_000]).is_ok() {}
            let is_writable = |world: &World| {
                world.events(0).iter().any(|it| matches!(it.event, Event::Writable { .. }))
            };
            while world.step(end) && !is_writable(&world) {}
            drop(world.take_events(0));
            for happened in world.take_events(1) {
                if let Event::Message { .. } = happened.event {
                    arrived += happened.bytes.len();
                } else if let Event::Readable { channel, .. } = happened.event {
                    arrived += world.receive_all(1, channel).iter().map(Vec::len).sum::<usize>();
                }
            }
        }
        let queue = world.network.queue_bytes(us, them) as f64 / 1e3;
        let stats = world.node(0).connection_stats(connection).expect("it lives");
        let rate = arrived as f64 * 8.0 / 1e6 / STEP.as_secs_f64();
        samples.push([rate, queue, stats.rtt.as_secs_f64() * 1e3]);
    }
    samples
}

fn draw(name: &str, samples: &[Sample]) -> String {
    let (width, height) = (WIDTH + 2.0 * MARGIN, 3.0 * (HEIGHT + MARGIN) + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"20\" font-size=\"14\">{name}: 25 Mbit/s, 50 ms, a queue of one \
         BDP; a third of the rate from 10 to 20 s, 1 % loss from 30 s</text>\n"
    );
    for (index, (title, top)) in PANELS.iter().enumerate() {
        let base = MARGIN + (index as f64 + 1.0) * (HEIGHT + MARGIN) - MARGIN / 2.0;
        let mut line = |text: std::fmt::Arguments<'_>| {
            let _infallible = writeln!(svg, "{text}");
        };
        line(format_args!(
            "<rect x=\"{MARGIN}\" y=\"{:.0}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" \
             stroke=\"#ccc\"/>",
            base - HEIGHT
        ));
        line(format_args!(
            "<text x=\"{:.0}\" y=\"{:.0}\">{title} (0 to {top})</text>",
            MARGIN + 4.0,
            base - HEIGHT - 4.0
        ));
        for second in (0..=40).step_by(10) {
            let x = MARGIN + f64::from(second) / 40.0 * WIDTH;
            line(format_args!("<text x=\"{x:.0}\" y=\"{:.0}\">{second} s</text>", base + 14.0));
        }
        let mut points = String::new();
        for (step, sample) in samples.iter().enumerate() {
            let x = MARGIN + step as f64 / STEPS as f64 * WIDTH;
            let y = base - (sample[index] / top).min(1.0) * HEIGHT;
            let _infallible = write!(points, "{x:.1},{y:.1} ");
        }
        line(format_args!("<polyline points=\"{points}\" fill=\"none\" stroke=\"#06c\"/>"));
    }
    svg.push_str("</svg>\n");
    svg
}
