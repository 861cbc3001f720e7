//! Peers, floods and waits for the tests of the engine.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use channeler::config::{ChannelConfig, Legacy, NodeConfig};
use channeler::crypto::Identity;
use channeler::engine::{Engine, EngineConfig, Handler};
use channeler::error::Error;
use channeler::id::{ChannelHandle, ConnectionHandle, PeerId};
use channeler::io::Event;
use channeler::node::Dial;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An engine, and what it heard.
pub(crate) struct Peer {
    pub(crate) engine: Arc<Engine>,
    pub(crate) heard: Mutex<Receiver<Heard>>,
    pub(crate) recorder: Arc<Recorder>,
}

/// An event with its bytes.
pub(crate) type Heard = (Event, Vec<u8>);

impl Peer {
    pub(crate) fn new(id: u8, address: &str) -> Peer {
        Peer::with_config(EngineConfig::default(), node_config(id), address)
    }

    /// A peer that speaks v1.
    pub(crate) fn v1(id: u8, address: &str) -> Peer {
        let config = NodeConfig { legacy: Legacy::Off, ..node_config(id) };
        Peer::with_config(EngineConfig::default(), config, address)
    }

    pub(crate) fn with_config(config: EngineConfig, node: NodeConfig, address: &str) -> Peer {
        let (sender, heard) = channel();
        let recorder = Arc::new(Recorder::default());
        let handler = Box::new(Listener { sender, recorder: Arc::clone(&recorder) });
        let identity = match node.legacy {
            Legacy::Only => None,
            Legacy::Off | Legacy::Accept => Some(identity(node.peer_id)),
        };
        let engine = Engine::with_config(config, node, identity, handler);
        let engine = Arc::new(engine.expect("engine"));
        recorder.engine.set(Arc::downgrade(&engine)).expect("set once");
        engine.bind(address.parse().expect("address")).expect("bind");
        Peer { engine, heard: Mutex::new(heard), recorder }
    }

    /// Its first address, as others on this machine reach it.
    pub(crate) fn loopback(&self) -> SocketAddr {
        let address = self.engine.addresses()[0];
        match address.ip().is_unspecified() {
            true => SocketAddr::new([127, 0, 0, 1].into(), address.port()),
            false => address,
        }
    }

    /// Begins a connection and a channel.
    pub(crate) fn dial(&self, to: SocketAddr) -> ChannelHandle {
        self.dial_as(to, &ChannelConfig::default())
    }

    pub(crate) fn dial_as(&self, to: SocketAddr, config: &ChannelConfig) -> ChannelHandle {
        let open = self.engine.with_node(|node, now| {
            let (own, ids) = (node.config().peer_id, [peer_id(1), peer_id(2)]);
            let dial = match node.config().legacy {
                Legacy::Only => Dial::v0(ids[usize::from(own != ids[1])], to),
                Legacy::Off | Legacy::Accept => {
                    let ids = ids.map(|id| identity(id).peer_id());
                    Dial::v1(ids[usize::from(own != ids[1])], to)
                }
            };
            let connection = node.connect(now, &dial)?;
            node.open_channel(now, connection, config)
        });
        open.expect("lock").expect("dial")
    }

    /// Dials, and waits until the channel is established.
    pub(crate) fn open(&self, to: SocketAddr) -> ChannelHandle {
        let channel = self.dial(to);
        self.wait(|event| matches!(event, Event::ChannelOpened { .. }));
        channel
    }

    pub(crate) fn send(&self, channel: ChannelHandle, message: &[u8]) {
        let sent = self.engine.with_node(|node, now| node.send(now, channel, message));
        sent.expect("lock").expect("send");
    }

    /// As `send`, but where the queue is full it waits until that has room.
    pub(crate) fn send_patiently(&self, channel: ChannelHandle, message: &[u8]) {
        let is_writable = |event: &Event| {
            let Event::Writable { channel: which, .. } = event else { return false };
            *which == channel
        };
        loop {
            let sent = self.engine.with_node(|node, now| node.send(now, channel, message));
            match sent.expect("lock") {
                Err(Error::WouldBlock) => self.wait(is_writable),
                result => return result.expect("send"),
            };
        }
    }

    /// What was heard already that fits.
    pub(crate) fn heard(&self, fits: impl Fn(&Event) -> bool) -> Option<Heard> {
        let heard = self.heard.lock().expect("lock");
        std::iter::from_fn(|| heard.try_recv().ok()).find(|(event, _)| fits(event))
    }

    pub(crate) fn message(&self) -> Option<(Vec<u8>, ChannelHandle)> {
        self.heard(is_message).map(into_message)
    }

    pub(crate) fn wait(&self, fits: impl Fn(&Event) -> bool) -> Heard {
        let heard = self.heard.lock().expect("lock");
        loop {
            let next = heard.recv_timeout(PATIENCE).expect("it happens within the patience");
            if fits(&next.0) {
                return next;
            }
        }
    }

    pub(crate) fn wait_message(&self) -> (Vec<u8>, ChannelHandle) {
        into_message(self.wait(is_message))
    }

    /// One turn of a loop that knows only the descriptor and the timeout.
    #[cfg(unix)]
    pub(crate) fn fd_turn(&self) {
        let slice = Duration::from_millis(20);
        let wait = self.engine.timeout().expect("timeout").map_or(slice, |wait| wait.min(slice));
        let began = Instant::now();
        let is_readable = wait_readable(self.engine.fd().expect("unix"), wait);
        if is_readable || began.elapsed() >= wait {
            self.engine.process(Some(Duration::ZERO)).expect("process");
        }
    }
}

pub(crate) fn is_message(event: &Event) -> bool {
    matches!(event, Event::Message { .. })
}

pub(crate) fn into_message((event, bytes): Heard) -> (Vec<u8>, ChannelHandle) {
    let Event::Message { channel, .. } = event else { panic!("{event:?} is no message") };
    (bytes, channel)
}

/// What tests look at from outside.
#[derive(Default)]
pub(crate) struct Recorder {
    engine: OnceLock<Weak<Engine>>,
    /// Called with each event, before it is reported.
    pub(crate) hook: Mutex<Option<Hook>>,
    /// Who asked to be accepted.
    pub(crate) asked: Mutex<Vec<PeerId>>,
    pub(crate) drops: AtomicUsize,
}

pub(crate) type Hook = Box<dyn Fn(&Engine) + Send>;

impl Recorder {
    /// The peer whose connections are refused.
    pub(crate) const REFUSED: u8 = 9;
}

pub(crate) struct Listener {
    sender: Sender<Heard>,
    recorder: Arc<Recorder>,
}

impl Handler for Listener {
    fn accept(&mut self, _: ConnectionHandle, peer: PeerId, _: SocketAddr) -> bool {
        self.recorder.asked.lock().expect("lock").push(peer);
        peer != peer_id(Recorder::REFUSED)
    }

    fn event(&mut self, event: &Event, bytes: &[u8]) {
        let engine = self.recorder.engine.get().and_then(Weak::upgrade);
        if let (Some(engine), Some(hook)) = (engine, &*self.recorder.hook.lock().expect("lock")) {
            hook(&engine);
        }
        // The test may have ended.
        let _ = self.sender.send((event.clone(), bytes.to_vec()));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.recorder.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Hears nothing.
pub(crate) struct Deaf;

impl Handler for Deaf {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        false
    }

    fn event(&mut self, _: &Event, _: &[u8]) {}
}

/// Rubbish sent as fast as one thread can.
pub(crate) struct Flood {
    is_over: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Flood {
    pub(crate) fn start(to: SocketAddr) -> Flood {
        let is_over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
            while !flag.load(Ordering::Relaxed) {
                // A full buffer is what a flood is for.
                let _ = socket.send_to(&[0x55; 200], to);
            }
        });
        Flood { is_over, thread }
    }

    pub(crate) fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
    }
}

pub(crate) fn peer_id(id: u8) -> PeerId {
    PeerId([id; 16])
}

/// The key of the peer that has this id in v0.
fn identity(id: PeerId) -> Identity {
    Identity::from_seed([id.0[0]; 32])
}

pub(crate) fn node_config(id: u8) -> NodeConfig {
    NodeConfig { legacy: Legacy::Only, lend_messages: true, ..NodeConfig::new(peer_id(id)) }
}

/// Turns until there is what is looked for.
pub(crate) fn drive<T>(turn: impl Fn(), look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "it did not happen within the patience");
        turn();
        if let Some(found) = look() {
            return found;
        }
    }
}

pub(crate) fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it did not happen within the patience");
        thread::yield_now();
    }
}

/// Waits for a descriptor as a C program would with `poll`: whether it is ready, not whether it
/// became so.
#[cfg(unix)]
pub(crate) fn wait_readable(fd: i32, wait: Duration) -> bool {
    let mut poll = mio::Poll::new().expect("poll");
    let mut source = mio::unix::SourceFd(&fd);
    let token = mio::Token(0);
    poll.registry().register(&mut source, token, mio::Interest::READABLE).expect("register");
    let mut events = mio::Events::with_capacity(1);
    poll.poll(&mut events, Some(wait)).expect("wait");
    !events.is_empty()
}
