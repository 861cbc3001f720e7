//! Channels opened by one side and answered by the other, on one connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use channeler::config::ChannelConfig;
use channeler::engine::Handler;
use channeler::id::{ConnectionHandle, PeerId, Version};
use channeler::io::Event;

use crate::bare::PATIENCE;
use crate::harness::{Run, core_time, pin};
use crate::link::{Link, Silent};
use crate::report::{Better, Row, Target};

/// Channels of a connection; as many stay open.
const CHANNELS: usize = 100_000;

/// Opened under one lock.
const BATCH: usize = 256;

/// What issue 5 asks for; it aims at four times that.
const RATE_MIN: f64 = 500_000.0;

pub(super) fn measure(run: &mut Run) {
    if !run.begins("v1.open") {
        return;
    }
    let (time, unit, better) = (run.sample_time(), "channels/s", Better::Higher);
    let [value] = run.medians_of(unit, [("ours", &mut || channels(time))]);
    let (name, baseline, target) = ("v1.open", None, Target::Value(RATE_MIN));
    run.add(Row { name, value, unit, better, baseline, target });
}

/// Channels a second of the clock on the wall, from the first call until the last answer.
fn channels(time: Duration) -> f64 {
    let (mut opened, mut took) = (0, Duration::ZERO);
    let began = Instant::now();
    while began.elapsed() < time {
        took += connection();
        opened += CHANNELS;
    }
    opened as f64 / took.as_secs_f64()
}

/// How long all channels of one connection take.
fn connection() -> Duration {
    let answered = Arc::new(AtomicUsize::new(0));
    let link = Link::new(
        Version::V1,
        |config| {
            config.lend_messages = true;
            config.peer_channels_max = CHANNELS + 1;
            config.channels_per_connection_max = CHANNELS + 1;
        },
        |_| [Box::new(Opener(Arc::clone(&answered))), Box::new(Silent)],
    );
    let first = link.open();
    let took = std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            pin(1);
            let began = core_time();
            while !link.is_over() {
                link.engine(1).process(Some(PATIENCE)).expect("it works");
            }
            core_time() - began
        });
        pin(0);
        let began = (Instant::now(), core_time());
        open_all(&link, first, &answered);
        let (took, cost) = (began.0.elapsed(), core_time() - began.1);
        link.end();
        let answer_cost = answering.join().expect("the other side does not panic");
        let nanos = |cost: Duration| cost.as_secs_f64() * 1e9 / CHANNELS as f64;
        eprintln!(
            "  opened at {:.0} ns of core, answered at {:.0}",
            nanos(cost),
            nanos(answer_cost)
        );
        took
    });
    link.close();
    took
}

fn open_all(link: &Link, first: channeler::id::ChannelHandle, answered: &AtomicUsize) {
    let engine = link.engine(0);
    let info = engine.with_node(|node, _| node.channel_info(first));
    let connection = info.expect("the engine works").expect("it is open").connection;
    let config = ChannelConfig::default();
    answered.store(0, Ordering::Relaxed);
    let mut asked = 0;
    while answered.load(Ordering::Relaxed) < CHANNELS {
        let count = BATCH.min(CHANNELS - asked);
        let opened = engine.with_node(|node, now| {
            (0..count).try_for_each(|_| node.open_channel(now, connection, &config).map(|_| ()))
        });
        opened.expect("the engine works").expect("there is room");
        asked += count;
        let patience = if asked < CHANNELS { Duration::ZERO } else { PATIENCE };
        engine.process(Some(patience)).expect("the engine works");
    }
}

/// Counts channels of ours that the peer has answered.
struct Opener(Arc<AtomicUsize>);

impl Handler for Opener {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: std::net::SocketAddr) -> bool {
        true
    }

    fn event(&mut self, event: &Event, _: &[u8]) {
        if let Event::ChannelOpened { by_peer: false, .. } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
