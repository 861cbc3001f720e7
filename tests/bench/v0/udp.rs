//! Engines over loopback sockets, one thread and one core a side, against bare system calls.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use channeler::config::{ChannelConfig, Legacy, NodeConfig};
use channeler::engine::{Engine, Handler};
use channeler::error::Error;
use channeler::id::{ChannelHandle, ConnectionHandle, PeerId};
use channeler::io::Event;
use channeler::node::Dial;

use crate::bare::{self, Meter, PATIENCE};
use crate::harness::{Run, core_time, median, pin};
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

/// What both threads and the handlers share.
struct Link {
    /// Sender, receiver. Handlers call them too, so they are here.
    engines: [OnceLock<Engine>; 2],
    /// The sender's channel, once it is open.
    channel: OnceLock<ChannelHandle>,
    received: AtomicU64,
    is_over: AtomicBool,
    /// Of a ping-pong: when the last ping left, and how long each trip took, in microseconds.
    trips: Mutex<(Option<Instant>, Vec<f64>)>,
}

impl Link {
    fn engine(&self, side: usize) -> &Engine {
        self.engines[side].get().expect("made before any thread starts")
    }

    /// Engines on the loopback, and a channel between them that is open on both sides.
    fn new(
        change: impl Fn(&mut NodeConfig),
        handlers: impl Fn(&Arc<Link>) -> [Box<dyn Handler>; 2],
    ) -> Arc<Link> {
        let link = Arc::new(Link {
            engines: [const { OnceLock::new() }; 2],
            channel: OnceLock::new(),
            received: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            trips: Mutex::default(),
        });
        let ids = [PeerId([1; 16]), PeerId([2; 16])];
        let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
        for (side, handler) in handlers(&link).into_iter().enumerate() {
            let mut config = NodeConfig::new(ids[side]);
            config.legacy = Legacy::Only;
            change(&mut config);
            let engine = Engine::new(config, None, handler).expect("good settings");
            address = engine.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
            assert!(link.engines[side].set(engine).is_ok(), "set once");
        }
        let opened = link.engine(0).with_node(|node, now| {
            let connection = node.connect(now, &Dial::v0(ids[1], address))?;
            node.open_channel(now, connection, &ChannelConfig::default())
        });
        let channel = opened.expect("the engine works").expect("there is room");
        let until = Instant::now() + Duration::from_secs(5);
        let is_open = |link: &Link| {
            let engine = link.engine(0);
            let info = engine.with_node(|node, _| node.channel_info(channel));
            info.expect("the engine works").expect("the channel lives").is_established
        };
        while !is_open(&link) {
            assert!(Instant::now() < until, "no channel after five seconds");
            for side in [0, 1] {
                link.engine(side).process(Some(Duration::from_millis(1))).expect("it works");
            }
        }
        for side in [1, 0] {
            link.engine(side).process(Some(Duration::from_millis(1))).expect("it works");
        }
        link.channel.set(channel).expect("set once");
        link
    }

    /// Engines hold handlers, and handlers hold the link: this unties them.
    fn close(&self) {
        self.engines.iter().filter_map(OnceLock::get).for_each(Engine::close);
    }
}

/// Messages of `size` bytes that arrive in a second.
fn bulk(size: usize, time: Duration, style: Style) -> f64 {
    let link = Link::new(
        |config| config.lend_messages = style == Style::Bulk,
        |link| [Box::new(Silent), Box::new(Counter::new(link))],
    );
    let rate = std::thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            pin(1);
            let mut meter = Meter::new(time);
            let mut before = 0;
            loop {
                link.engine(1).process(Some(PATIENCE)).expect("it works");
                let received = link.received.load(Ordering::Relaxed);
                if !meter.add(received - std::mem::replace(&mut before, received)) {
                    break;
                }
            }
            link.is_over.store(true, Ordering::Relaxed);
            (meter.rate(), core_time().as_secs_f64() / before as f64)
        });
        pin(0);
        let began = (Instant::now(), core_time());
        send_until_over(&link, size, style);
        let packets = link.engine(0).stats().datagrams_sent as f64;
        let sent = packets / began.0.elapsed().as_secs_f64();
        let cost = (core_time() - began.1).as_secs_f64() / packets;
        let (rate, receive_cost) = receiving.join().expect("the receiver does not panic");
        let nanos = |seconds: f64| seconds * 1e9;
        eprintln!(
            "  sent {sent:.0} packets/s at {:.0} ns of core each, received {rate:.0} at {:.0} ns",
            nanos(cost),
            nanos(receive_cost)
        );
        rate
    });
    let stats = link.engine(1).with_node(|node, _| node.stats()).expect("the engine works");
    assert_eq!(stats.dropped_total(), 0, "the receiver dropped: {stats:?}");
    link.close();
    rate
}

fn send_until_over(link: &Link, size: usize, style: Style) {
    let (engine, message) = (link.engine(0), vec![0x5a; size]);
    let channel = *link.channel.get().expect("the channel is open");
    while !link.is_over.load(Ordering::Relaxed) {
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

/// Queues `count` messages under one lock; false when the queue got full.
fn send(engine: &Engine, channel: ChannelHandle, message: &[u8], count: usize) -> bool {
    let result =
        engine.with_node(|node, now| (0..count).try_for_each(|_| node.send(now, channel, message)));
    match result.expect("the engine works") {
        Ok(()) => true,
        Err(Error::WouldBlock) => false,
        Err(error) => panic!("sending: {error}"),
    }
}

/// Round trips of `size` bytes: the median, in microseconds.
fn ping(size: usize, time: Duration) -> f64 {
    let link = Link::new(
        |config| config.lend_messages = true,
        |link| [Box::new(Pinger::new(link, size)), Box::new(Echo(Arc::clone(link)))],
    );
    let channel = *link.channel.get().expect("the channel is open");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            while !link.is_over.load(Ordering::Relaxed) {
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
        link.is_over.store(true, Ordering::Relaxed);
    });
    let trips = std::mem::take(&mut link.trips.lock().expect("no handler panics").1);
    assert!(trips.len() > 10, "only {} round trips", trips.len());
    link.close();
    median(trips)
}

/// Hears nothing.
struct Silent;

impl Handler for Silent {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        true
    }

    fn event(&mut self, _: &Event, _: &[u8]) {}
}

/// Counts messages, whether lent or to be read.
struct Counter {
    link: Arc<Link>,
    buffer: Vec<u8>,
}

impl Counter {
    fn new(link: &Arc<Link>) -> Counter {
        Counter { link: Arc::clone(link), buffer: vec![0; 2048] }
    }

    fn count(&self, messages: u64) {
        // Only this thread writes it.
        let before = self.link.received.load(Ordering::Relaxed);
        self.link.received.store(before + messages, Ordering::Relaxed);
    }
}

impl Handler for Counter {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        true
    }

    fn event(&mut self, event: &Event, _: &[u8]) {
        if let Event::Message { .. } = event {
            self.count(1);
        }
        if let Event::Readable { channel, .. } = event {
            let engine = self.link.engine(1);
            let mut read = || {
                let received = engine.with_node(|node, _| node.receive(*channel, &mut self.buffer));
                received.expect("the engine works").is_ok()
            };
            let mut messages = 0;
            while read() {
                messages += 1;
            }
            self.count(messages);
        }
    }
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

/// Notes how long each trip took, and sends the next ping.
struct Pinger {
    link: Arc<Link>,
    message: Vec<u8>,
}

impl Pinger {
    fn new(link: &Arc<Link>, size: usize) -> Pinger {
        Pinger { link: Arc::clone(link), message: vec![0x5a; size] }
    }
}

impl Handler for Pinger {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        true
    }

    fn event(&mut self, event: &Event, _: &[u8]) {
        let Event::Message { channel, .. } = event else { return };
        let now = Instant::now();
        let mut trips = self.link.trips.lock().expect("no handler panics");
        if let Some(before) = trips.0.replace(now) {
            trips.1.push((now - before).as_secs_f64() * 1e6);
        }
        drop(trips);
        let sent =
            self.link.engine(0).with_node(|node, now| node.send(now, *channel, &self.message));
        sent.expect("the engine works").expect("there is room");
    }
}
