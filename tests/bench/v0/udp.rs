//! Engines over loopback sockets, one thread and one core a side, against bare system calls.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use channeler::engine::Handler;
use channeler::id::{ChannelHandle, ConnectionHandle, PeerId, Version};
use channeler::io::Event;

use crate::bare::{self, PATIENCE};
use crate::harness::{Run, median, pin};
use crate::link::{Counter, Link, Silent, send};
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
        let ours = || ping(64, time);
        let (value, bare) = run.medians("us", ours, || bare::ping(64 + OVERHEAD_OF_SMALL, time));
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
        |link| [Box::new(Silent), Box::new(Counter::new(link))],
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

/// Round trips of `size` bytes: the median, in microseconds.
fn ping(size: usize, time: Duration) -> f64 {
    let trips = Arc::new(Mutex::default());
    let link = Link::new(
        Version::V0,
        |config| config.lend_messages = true,
        |link| [Box::new(Pinger::new(link, size, &trips)), Box::new(Echo(Arc::clone(link)))],
    );
    let channel = link.open();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            while !link.is_over() {
                link.engine(1).process(Some(PATIENCE)).expect("it works");
            }
        });
        pin(0);
        let began = Instant::now();
        let engine = link.engine(0);
        let sent = engine.with_node(|node, now| node.send(now, channel, &vec![0x5a; size]));
        sent.expect("the engine works").expect("there is room");
        while began.elapsed() < time {
            engine.process(Some(PATIENCE)).expect("it works");
        }
        link.end();
    });
    let trips = std::mem::take(&mut trips.lock().expect("no handler panics").1);
    assert!(trips.len() > 10, "only {} round trips", trips.len());
    link.close();
    median(trips)
}

/// Sends back what comes.
struct Echo(Arc<Link>);

impl Handler for Echo {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        true
    }

    fn event(&mut self, event: &Event, bytes: &[u8]) {
        if let Event::Message { channel, .. } = event {
            let sent = self.0.engine(1).with_node(|node, now| node.send(now, *channel, bytes));
            sent.expect("the engine works").expect("there is room");
        }
    }
}

/// When the last ping left, and how long each trip took, in microseconds.
type Trips = Mutex<(Option<Instant>, Vec<f64>)>;

/// Notes how long each trip took, and sends the next ping.
struct Pinger {
    link: Arc<Link>,
    message: Vec<u8>,
    trips: Arc<Trips>,
}

impl Pinger {
    fn new(link: &Arc<Link>, size: usize, trips: &Arc<Trips>) -> Pinger {
        Pinger { link: Arc::clone(link), message: vec![0x5a; size], trips: Arc::clone(trips) }
    }
}

impl Handler for Pinger {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        true
    }

    fn event(&mut self, event: &Event, _: &[u8]) {
        let Event::Message { channel, .. } = event else { return };
        let now = Instant::now();
        let mut trips = self.trips.lock().expect("no handler panics");
        if let Some(before) = trips.0.replace(now) {
            trips.1.push((now - before).as_secs_f64() * 1e6);
        }
        drop(trips);
        let sent =
            self.link.engine(0).with_node(|node, now| node.send(now, *channel, &self.message));
        sent.expect("the engine works").expect("there is room");
    }
}
