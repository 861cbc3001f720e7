//! Round trips between two engines over loopback sockets, one thread and one core a side.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use channeler::engine::{EngineConfig, Handler};
use channeler::id::{ConnectionHandle, PeerId, Version};
use channeler::io::Event;

use crate::bare::PATIENCE;
use crate::harness::{median, pin};
use crate::link::Link;

/// Round trips of `size` bytes: the median, in microseconds.
pub(crate) fn ping(version: Version, engines: EngineConfig, size: usize, time: Duration) -> f64 {
    let trips = Arc::new(Mutex::default());
    let link = Link::with_config(
        engines,
        version,
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
