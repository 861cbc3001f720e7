//! Full mutual handshakes in sequence, against the same TLS in memory and three loopback hops.
//!
//! All times are of the clock on the wall, from the dial until both applications know of the
//! connection; whatever ends it and begins the next is not counted.
//!
//! A core of a shared host is slow for seconds, up to 1.7 times, and its neighbour is not: so what
//! is compared takes turns of a tenth of a second, and the TLS in memory runs on both cores. A hop
//! is half a round trip of two threads that sleep in their calls to receive, the machine being
//! awake: less than any hop costs after which a side computes for longer than that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use channeler::engine::Handler;
use channeler::id::{ConnectionHandle, PeerId, Version};
use channeler::info::CloseReason;
use channeler::io::Event;

use super::{quic, tls};
use crate::bare::{self, PATIENCE, Wait};
use crate::harness::{Run, median, pin};
use crate::link::Link;
use crate::report::{Better, Row, Target};

/// Bytes of a first flight's datagram.
const DATAGRAM_SIZE: usize = 1200;

/// A handshake is three flights.
const HOPS: f64 = 3.0;

/// A turn is not shorter: its first handshakes find nothing in the caches.
const SLICE: Duration = Duration::from_millis(50);

pub(super) fn measure(run: &mut Run) {
    if !run.begins("v1.connect") {
        return;
    }
    let slices = (run.sample_time().as_millis() / SLICE.as_millis()).clamp(1, 10) as u32;
    let time = run.sample_time() / slices;
    let mut parts = [const { Vec::new() }; 2];
    let mut bare = || {
        let hop = bare::ping(DATAGRAM_SIZE, time / 4, Wait::Block) / 2.0;
        let tls = tls::handshakes(time);
        parts[0].push(tls);
        parts[1].push(hop);
        tls + HOPS * hop
    };
    let [value, bare, _, _] = run.medians_in_slices(
        "us",
        slices as usize,
        [
            ("ours", &mut || handshakes(time)),
            ("bare", &mut bare),
            ("bare over sockets", &mut || tls::handshakes_over_sockets(time)),
            ("quinn", &mut || quic::handshakes(time)),
        ],
    );
    if parts.iter().all(|part| !part.is_empty()) {
        let [tls, hop] = parts.map(median);
        eprintln!("  bare: TLS in memory {tls:.0} us, a hop {hop:.1} us");
    }
    let (name, unit, better) = ("v1.connect", "us", Better::Lower);
    let (baseline, target) = (Some(bare), Target::Ratio(1.5));
    run.add(Row { name, value, unit, better, baseline, target });
}

/// Ours: the median, in microseconds.
fn handshakes(time: Duration) -> f64 {
    let since = Instant::now();
    let watches = [0, 1].map(|_| Arc::new(Watch::new(since)));
    let link = Link::new(
        Version::V1,
        // Without tickets every handshake is a full one.
        |config| config.tickets_max = 0,
        |_| watches.each_ref().map(|watch| Box::new(Watcher(Arc::clone(watch))) as _),
    );
    let times = std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            while !link.is_over() {
                link.engine(1).process(Some(PATIENCE)).expect("it works");
            }
        });
        pin(0);
        let mut times = Vec::new();
        let began = Instant::now();
        while began.elapsed() < time {
            times.push(handshake(&link, &watches, times.len() as u64));
        }
        link.end();
        times
    });
    link.close();
    median(times)
}

/// One more after `done` others, in microseconds.
fn handshake(link: &Link, watches: &[Arc<Watch>; 2], done: u64) -> f64 {
    let engine = link.engine(0);
    let began = watches[0].nanos();
    let connection = link.dial();
    let wait_for = |what: fn(&Watch) -> &AtomicU64, patience| {
        let until = Instant::now() + Duration::from_secs(5);
        while watches.iter().any(|watch| what(watch).load(Ordering::Acquire) == done) {
            assert!(Instant::now() < until, "nothing happened for five seconds");
            engine.process(Some(patience)).expect("it works");
        }
    };
    // Not until both have it: the initiator sleeps only for what comes to it.
    while watches[0].connected.load(Ordering::Acquire) == done {
        engine.process(Some(PATIENCE)).expect("it works");
    }
    wait_for(|watch| &watch.connected, Duration::ZERO);
    let connected = watches.each_ref().map(|watch| watch.connected_at.load(Ordering::Relaxed));
    let closed = engine
        .with_node(|node, now| node.close_connection(now, connection, CloseReason::default()));
    closed.expect("the engine works").expect("it is connected");
    wait_for(|watch| &watch.closed, Duration::from_millis(1));
    (connected[0].max(connected[1]) - began) as f64 / 1e3
}

/// What one side has seen.
struct Watch {
    since: Instant,
    connected: AtomicU64,
    closed: AtomicU64,
    connected_at: AtomicU64,
}

impl Watch {
    /// Both sides' times are from `since` on.
    fn new(since: Instant) -> Watch {
        let zero = || AtomicU64::new(0);
        Watch { since, connected: zero(), closed: zero(), connected_at: zero() }
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_nanos()).expect("not for centuries")
    }
}

struct Watcher(Arc<Watch>);

impl Handler for Watcher {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        true
    }

    fn event(&mut self, event: &Event, _: &[u8]) {
        if let Event::Connected { .. } = event {
            self.0.connected_at.store(self.0.nanos(), Ordering::Relaxed);
            self.0.connected.fetch_add(1, Ordering::Release);
        }
        if let Event::ConnectionClosed { .. } = event {
            self.0.closed.fetch_add(1, Ordering::Release);
        }
    }
}
