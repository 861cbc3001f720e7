//! Engines over loopback sockets, one thread and one core a side, against bare system calls.

use std::time::Duration;

use channeler::engine::EngineConfig;
use channeler::id::{ChannelHandle, Version};

use crate::bare::{self, Wait};
use crate::harness::Run;
use crate::link::{Counter, Link, Silent, send};
use crate::pingpong;
use crate::report::{Better, Row, Target};

/// Envelope, and type and length of a message of 128 to 16,511 bytes: what v0 adds to one.
const OVERHEAD: usize = 52 + 3;

/// The same for a message of up to 127 bytes.
const OVERHEAD_OF_SMALL: usize = 52 + 2;

/// Messages that fill a batch of packets as large as one system call takes: 60 of 1,079 bytes.
const BATCH: usize = 60;

pub(crate) fn measure(run: &mut Run) {
    let time = run.sample_time();
    let unit = "messages/s";
    if run.begins("v0.udp.1024") {
        let ours = || bulk(1024, time, Style::Defaults);
        let (value, bare) = run.medians(unit, ours, || bare::many(1024 + OVERHEAD, time));
        let (better, target) = (Better::Higher, Target::Ratio(1.0));
        let baseline = Some(bare);
        run.add(Row { name: "v0.udp.1024", value, unit, better, baseline, target });
    }
    if run.begins("v0.udp.1024.gso") {
        let ours = || bulk(1024, time, Style::Bulk);
        let (value, bare) = run.medians(unit, ours, || bare::segmented(1024 + OVERHEAD, time));
        let (better, target) = (Better::Higher, Target::Ratio(0.6));
        let baseline = Some(bare);
        run.add(Row { name: "v0.udp.1024.gso", value, unit, better, baseline, target });
    }
    if run.begins("v0.ping.64") {
        let ours = || pingpong::ping(Version::V0, EngineConfig::default(), 64, time);
        let bare = || bare::ping(64 + OVERHEAD_OF_SMALL, time, Wait::Block);
        let (value, bare) = run.medians("us", ours, bare);
        let (better, target, unit) = (Better::Lower, Target::Ratio(1.15), "us p50");
        let baseline = Some(bare);
        run.add(Row { name: "v0.ping.64", value, unit, better, baseline, target });
    }
}

/// How an application uses the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// No setting changed: a call a message, and the receiver reads what became readable.
    Defaults,
    /// A batch of messages under one lock, then a flush; the receiver is lent its messages.
    Bulk,
}

/// Messages of `size` bytes that arrive in a second.
fn bulk(size: usize, time: Duration, style: Style) -> f64 {
    let link = Link::new(
        Version::V0,
        |config| config.lend_messages = style == Style::Bulk,
        |link| [Box::new(Silent), Box::new(Counter::new(link, size))],
    );
    let channel = link.open();
    let rate = link.bulk(time, || send_until_over(&link, channel, size, style));
    let stats = link.engine(1).with_node(|node, _| node.stats()).expect("the engine works");
    assert_eq!(stats.dropped_total(), 0, "the receiver dropped: {stats:?}");
    link.close();
    rate
}

fn send_until_over(link: &Link, channel: ChannelHandle, size: usize, style: Style) {
    let (engine, message) = (link.engine(0), vec![0x5a; size]);
    while !link.is_over() {
        match style {
            Style::Defaults => {
                while send(engine, channel, &message, 1) {}
                engine.process(Some(Duration::ZERO)).expect("the engine works");
            }
            Style::Bulk => {
                send(engine, channel, &message, BATCH);
                engine.flush().expect("the engine works");
            }
        }
    }
}
