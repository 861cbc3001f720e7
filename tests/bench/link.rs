//! Two engines over loopback sockets, one thread and one core a side.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use channeler::config::{ChannelConfig, Legacy, NodeConfig};
use channeler::crypto::Identity;
use channeler::engine::{Engine, EngineConfig, Handler};
use channeler::error::Error;
use channeler::id::{ChannelHandle, ConnectionHandle, PeerId, Version};
use channeler::io::{Event, Local};
use channeler::node::Dial;

use crate::alloc::allocations;
use crate::bare::{Meter, PATIENCE};
use crate::harness::{core_time, pin};

/// What both threads and the handlers share.
pub(crate) struct Link {
    version: Version,
    /// Sender, receiver. Handlers call them too, so they are here.
    engines: [OnceLock<Engine>; 2],
    /// The receiver's.
    peer: OnceLock<(PeerId, SocketAddr)>,
    received: AtomicU64,
    is_over: AtomicBool,
}

impl Link {
    /// Engines on the loopback that know nothing of each other yet.
    pub(crate) fn new(
        version: Version,
        change: impl Fn(&mut NodeConfig),
        handlers: impl Fn(&Arc<Link>) -> [Box<dyn Handler>; 2],
    ) -> Arc<Link> {
        Link::with_config(EngineConfig::default(), version, change, handlers)
    }

    /// The same with other settings of the engines.
    pub(crate) fn with_config(
        engines: EngineConfig,
        version: Version,
        change: impl Fn(&mut NodeConfig),
        handlers: impl Fn(&Arc<Link>) -> [Box<dyn Handler>; 2],
    ) -> Arc<Link> {
        let link = Arc::new(Link {
            version,
            engines: [const { OnceLock::new() }; 2],
            peer: OnceLock::new(),
            received: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        for ((side, handler), seed) in handlers(&link).into_iter().enumerate().zip(1..) {
            let identity = Identity::from_seed([seed; 32]);
            let peer = identity.peer_id();
            let mut config = NodeConfig::new(peer);
            let identity = match version {
                Version::V0 => {
                    config.legacy = Legacy::Only;
                    None
                }
                Version::V1 => Some(identity),
            };
            change(&mut config);
            let engine = Engine::with_config(engines, config, identity, handler);
            let engine = engine.expect("good settings");
            let address = engine.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
            assert!(link.engines[side].set(engine).is_ok(), "set once");
            if side == 1 {
                link.peer.set((peer, address)).expect("set once");
            }
        }
        link
    }

    pub(crate) fn engine(&self, side: usize) -> &Engine {
        self.engines[side].get().expect("made before any thread starts")
    }

    /// Begins a connection to the receiver.
    pub(crate) fn dial(&self) -> ConnectionHandle {
        let &(peer, address) = self.peer.get().expect("made before any thread starts");
        let (version, local) = (self.version, Local::default());
        let dial = Dial { version, peer: Some(peer), address, local };
        let connection = self.engine(0).with_node(|node, now| node.connect(now, &dial));
        connection.expect("the engine works").expect("there is room")
    }

    /// A channel of a new connection, open on both sides.
    pub(crate) fn open(&self) -> ChannelHandle {
        self.open_many(&ChannelConfig::default(), 1)[0]
    }

    /// Channels of a new connection, open on both sides.
    pub(crate) fn open_many(&self, config: &ChannelConfig, count: usize) -> Vec<ChannelHandle> {
        let connection = self.dial();
        let open = || {
            let engine = self.engine(0);
            let opened = engine.with_node(|node, now| node.open_channel(now, connection, config));
            opened.expect("the engine works").expect("there is room")
        };
        let channels: Vec<ChannelHandle> = std::iter::repeat_with(open).take(count).collect();
        let until = Instant::now() + Duration::from_secs(5);
        let is_open = |channel: &ChannelHandle| {
            let info = self.engine(0).with_node(|node, _| node.channel_info(*channel));
            info.expect("the engine works").expect("the channel lives").is_established
        };
        while !channels.iter().all(is_open) {
            assert!(Instant::now() < until, "no channel after five seconds");
            for side in [0, 1] {
                self.engine(side).process(Some(Duration::from_millis(1))).expect("it works");
            }
        }
        for side in [1, 0] {
            self.engine(side).process(Some(Duration::from_millis(1))).expect("it works");
        }
        channels
    }

    /// Messages that arrive in a second while `work` sends, which it does until the link is over.
    pub(crate) fn bulk(&self, time: Duration, work: impl FnOnce()) -> f64 {
        std::thread::scope(|scope| {
            // The name is for profilers.
            let thread = std::thread::Builder::new().name(String::from("receiver"));
            let receiving = thread.spawn_scoped(scope, || {
                pin(1);
                let (began, allocated) = (core_time(), allocations());
                let mut meter = Meter::new(time);
                let mut before = 0;
                loop {
                    self.engine(1).process(Some(PATIENCE)).expect("it works");
                    let received = self.received.load(Ordering::Relaxed);
                    if !meter.add(received - std::mem::replace(&mut before, received)) {
                        break;
                    }
                }
                self.end();
                let packets = self.engine(1).stats().datagrams_received as f64;
                let allocations = (allocations() - allocated) as f64 / packets;
                let cost = (core_time() - began).as_secs_f64() / before as f64;
                (meter.rate(), cost, allocations)
            });
            let receiving = receiving.expect("the system has a thread for us");
            pin(0);
            let (began, allocated) = ((Instant::now(), core_time()), allocations());
            work();
            let allocated = allocations() - allocated;
            let packets = self.engine(0).stats().datagrams_sent as f64;
            let sent = packets / began.0.elapsed().as_secs_f64();
            let cost = (core_time() - began.1).as_secs_f64() / packets;
            let (rate, receive_cost, receive_allocations) =
                receiving.join().expect("the receiver does not panic");
            let nanos = |seconds: f64| seconds * 1e9;
            eprintln!(
                "  sent {sent:.0} packets/s at {:.0} ns of core each, received {rate:.0} at {:.0}",
                nanos(cost),
                nanos(receive_cost)
            );
            let calls = packets / self.engine(0).stats().sends as f64;
            let buffers = self.engine(1).stats();
            let joined = buffers.datagrams_received as f64 / buffers.buffers_received as f64;
            eprintln!("  {calls:.1} packets a call, {joined:.1} a buffer received");
            let allocations = allocated as f64 / packets;
            eprintln!(
                "  {allocations:.3} allocations a packet, {receive_allocations:.3} to receive it"
            );
            rate
        })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Engines hold handlers, and handlers hold the link: this unties them.
    pub(crate) fn close(&self) {
        self.engines.iter().filter_map(OnceLock::get).for_each(Engine::close);
    }
}

/// Queues `count` messages under one lock; false when the queue got full.
pub(crate) fn send(engine: &Engine, channel: ChannelHandle, message: &[u8], count: usize) -> bool {
    let result =
        engine.with_node(|node, now| (0..count).try_for_each(|_| node.send(now, channel, message)));
    match result.expect("the engine works") {
        Ok(()) => true,
        Err(Error::WouldBlock) => false,
        Err(error) => panic!("sending: {error}"),
    }
}

/// Hears nothing.
pub(crate) struct Silent;

impl Handler for Silent {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        true
    }

    fn event(&mut self, _: &Event, _: &[u8]) {}
}

/// Counts messages, whether lent or to be read.
pub(crate) struct Counter {
    link: Arc<Link>,
    buffer: Vec<u8>,
}

impl Counter {
    /// Of messages no longer than `size`.
    pub(crate) fn new(link: &Arc<Link>, size: usize) -> Counter {
        Counter { link: Arc::clone(link), buffer: vec![0; size] }
    }

    /// Apart, so that hearing of a message stays as little as it is.
    #[inline(never)]
    fn read(&mut self, channel: ChannelHandle) {
        let engine = self.link.engine(1);
        let mut read = || {
            let received =
                engine.with_node(|node, now| node.receive(now, channel, &mut self.buffer));
            received.expect("the engine works").is_ok()
        };
        let mut messages = 0;
        while read() {
            messages += 1;
        }
        self.count(messages);
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
        } else if let Event::Readable { channel, .. } = event {
            self.read(*channel);
        }
    }
}
