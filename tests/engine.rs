//! Engines on real loopback sockets: each way to run, threads, endings, batches, refusals.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use channeler::config::{ChannelConfig, NodeConfig};
use channeler::engine::{Engine, EngineConfig, Handler, SOCKETS_MAX};
use channeler::error::Error;
use channeler::id::{ChannelHandle, ConnectionHandle, PeerId};
use channeler::io::{Event, Local};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn own_threads_exchange_messages_over_ipv4() {
    own_threads_exchange_messages("127.0.0.1:0", "127.0.0.1:0");
}

#[test]
fn own_threads_exchange_messages_over_ipv6() {
    own_threads_exchange_messages("[::1]:0", "[::1]:0");
}

#[test]
fn dual_stack_talks_to_ipv4() {
    own_threads_exchange_messages("[::]:0", "127.0.0.1:0");
}

#[test]
fn ipv4_talks_to_dual_stack() {
    own_threads_exchange_messages("127.0.0.1:0", "[::]:0");
}

fn own_threads_exchange_messages(a: &str, b: &str) {
    let (a, b) = (Peer::new(1, a), Peer::new(2, b));
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    let channel = a.open(b.loopback());
    a.send(channel, b"question");
    let (heard, answer_on) = b.wait_message();
    assert_eq!(heard, b"question");
    b.send(answer_on, b"answer");
    assert_eq!(a.wait_message().0, b"answer");
}

#[test]
fn one_thread_runs_both_sides() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let channel = a.dial(b.loopback());
    let turn = || {
        for peer in [&a, &b] {
            peer.engine.process(Some(Duration::from_millis(1))).expect("process");
        }
    };
    a.send(channel, b"question");
    let (_, answer_on) = drive(turn, || b.message());
    b.send(answer_on, b"answer");
    assert_eq!(drive(turn, || a.message()).0, b"answer");
}

#[test]
fn flush_sends_without_a_turn() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    b.engine.start().expect("start");
    let channel = a.dial(b.loopback());
    let turn = || a.engine.process(Some(Duration::from_millis(1))).expect("process");
    drive(turn, || a.heard(|event| matches!(event, Event::ChannelOpened { .. })));
    let turns = a.engine.stats().turns;
    a.send(channel, b"now");
    a.engine.flush().expect("flush");
    assert_eq!(b.wait_message().0, b"now");
    assert_eq!(a.engine.stats().turns, turns);
}

#[cfg(unix)]
#[test]
fn the_callers_own_loop_needs_only_fd_and_timeout() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    b.engine.start().expect("start");
    let channel = a.dial(b.loopback());
    a.send(channel, b"question");
    let (_, answer_on) = drive(|| a.fd_turn(), || b.message());
    b.send(answer_on, b"answer");
    assert_eq!(drive(|| a.fd_turn(), || a.message()).0, b"answer");
}

#[cfg(unix)]
#[test]
fn a_call_from_another_thread_wakes_the_callers_own_loop() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    b.engine.start().expect("start");
    let channel = a.dial(b.loopback());
    drive(|| a.fd_turn(), || a.heard(|event| matches!(event, Event::ChannelOpened { .. })));
    thread::scope(|scope| {
        let engine = &a.engine;
        // The loop says that it sleeps, then does: the send must end that sleep.
        while a.engine.timeout().expect("timeout") == Some(Duration::ZERO) {
            a.engine.process(Some(Duration::ZERO)).expect("process");
        }
        scope.spawn(move || {
            engine.with_node(|node, now| node.send(now, channel, b"late")).expect("lock")
        });
        assert!(wait_readable(a.engine.fd().expect("unix"), PATIENCE), "nobody woke the loop");
    });
    assert_eq!(drive(|| a.fd_turn(), || b.message()).0, b"late");
}

#[cfg(unix)]
#[test]
fn a_flooded_node_whose_owner_polls_only_the_fd_still_opens_channels() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let flood = Flood::start(a.loopback());
    b.engine.start().expect("start");
    let channel = b.dial(a.loopback());
    drive(|| a.fd_turn(), || b.heard(|event| matches!(event, Event::ChannelOpened { .. })));
    // The flood may cost messages, never all of them.
    let heard = drive(
        || {
            b.send(channel, b"through");
            a.fd_turn();
        },
        || a.message(),
    );
    assert_eq!(heard.0, b"through");
    let sent = flood.stop();
    let dropped = a.engine.with_node(|node, _| node.stats().dropped_total()).expect("lock");
    assert!(sent > 0 && dropped > 0, "{sent} sent, {dropped} dropped");
}

#[test]
fn eight_threads_send_at_once_and_nothing_is_lost() {
    const EACH: usize = 500;
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    let channel = a.open(b.loopback());
    let arrived = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..8_usize {
            let (a, arrived) = (&a, &arrived);
            scope.spawn(move || {
                for index in 0..EACH {
                    // The loopback loses what finds a full receive buffer: stay within it.
                    let sent = thread * EACH + index;
                    let deadline = Instant::now() + PATIENCE;
                    while arrived.load(Ordering::Relaxed) + 100 * 8 < index * 8 {
                        assert!(Instant::now() < deadline, "stuck at {sent}");
                        thread::yield_now();
                    }
                    a.send(channel, &sent.to_be_bytes());
                }
            });
        }
        let mut seen = vec![false; 8 * EACH];
        for _ in 0..8 * EACH {
            let (bytes, _) = b.wait_message();
            let index = usize::from_be_bytes(bytes.try_into().expect("eight bytes"));
            assert!(!std::mem::replace(&mut seen[index], true), "{index} came twice");
            arrived.fetch_add(1, Ordering::Relaxed);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn bulk_leaves_and_arrives_in_batches() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    b.engine.start().expect("start");
    let channel = a.dial(b.loopback());
    let turn = || a.engine.process(Some(Duration::from_millis(1))).expect("process");
    drive(turn, || a.heard(|event| matches!(event, Event::ChannelOpened { .. })));
    let (before_a, before_b) = (a.engine.stats(), b.engine.stats());
    for _ in 0..100 {
        a.send(channel, &[7; 1_000]);
    }
    a.engine.flush().expect("flush");
    for _ in 0..100 {
        b.wait_message();
    }
    let (after_a, after_b) = (a.engine.stats(), b.engine.stats());
    let calls = after_a.sends - before_a.sends;
    assert!(calls <= 10, "{calls} calls for 100 packets");
    assert_eq!(after_a.datagrams_sent - before_a.datagrams_sent, 100);
    let buffers = after_b.buffers_received - before_b.buffers_received;
    assert!(buffers <= 10, "{buffers} buffers for 100 packets");
}

#[test]
fn an_engine_may_be_told_not_to_batch() {
    let config = EngineConfig { segments_max: 1, ..EngineConfig::default() };
    let a = Peer::with_config(config, node_config(1), "127.0.0.1:0");
    let b = Peer::new(2, "127.0.0.1:0");
    b.engine.start().expect("start");
    a.engine.start().expect("start");
    let channel = a.open(b.loopback());
    for _ in 0..20 {
        a.send(channel, &[7; 1_000]);
    }
    for _ in 0..20 {
        b.wait_message();
    }
    let stats = a.engine.stats();
    assert_eq!(stats.sends, stats.datagrams_sent);
}

#[test]
fn spinning_engines_talk() {
    let config = EngineConfig { spin: Duration::from_micros(50), ..EngineConfig::default() };
    let a = Peer::with_config(config, node_config(1), "127.0.0.1:0");
    let b = Peer::with_config(config, node_config(2), "127.0.0.1:0");
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    let channel = a.open(b.loopback());
    for _ in 0..100 {
        a.send(channel, b"ping");
        let (_, answer_on) = b.wait_message();
        b.send(answer_on, b"pong");
        a.wait_message();
    }
}

#[test]
fn a_packet_too_large_for_the_interface_reduces_the_packet_size() {
    let config = NodeConfig { packet_size: 65_507, ..node_config(1) };
    let a = Peer::with_config(EngineConfig::default(), config, "[::1]:0");
    let b = Peer::new(2, "[::1]:0");
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    let channel = a.open(b.loopback());
    // With its envelope larger than the 65,488 bytes that the loopback takes.
    a.send(channel, &[7; 65_470]);
    a.wait(|event| matches!(event, Event::PacketSizeReduced { .. }));
    assert_eq!(a.engine.stats().too_large, 1);
}

#[test]
fn an_address_that_no_socket_reaches_is_reported() {
    let a = Peer::new(1, "127.0.0.1:0");
    a.engine.start().expect("start");
    a.dial("[::1]:9".parse().expect("address"));
    a.wait(|event| matches!(event, Event::PathUnreachable { .. }));
    assert!(a.engine.stats().unreachable >= 1);
}

#[test]
fn timers_run_without_any_packet() {
    let config = NodeConfig {
        handshake_timeout: Duration::from_millis(2),
        handshake_retries: 2,
        ..node_config(1)
    };
    let a = Peer::with_config(EngineConfig::default(), config, "127.0.0.1:0");
    let silent = UdpSocket::bind("127.0.0.1:0").expect("bind");
    a.engine.start().expect("start");
    a.dial(silent.local_addr().expect("address"));
    a.wait(
        |event| matches!(event, Event::ChannelClosed { reason, .. } if *reason == Error::Timeout),
    );
}

#[test]
fn the_handler_accepts_or_refuses() {
    let config = NodeConfig { ask_before_accept: true, ..node_config(2) };
    let b = Peer::with_config(EngineConfig::default(), config, "127.0.0.1:0");
    b.engine.start().expect("start");
    let refused = Peer::new(Recorder::REFUSED, "127.0.0.1:0");
    refused.engine.start().expect("start");
    refused.dial(b.loopback());
    let welcome = Peer::new(1, "127.0.0.1:0");
    welcome.engine.start().expect("start");
    let channel = welcome.open(b.loopback());
    welcome.send(channel, b"hello");
    assert_eq!(b.wait_message().0, b"hello");
    assert!(refused.heard(|event| matches!(event, Event::ChannelOpened { .. })).is_none());
}

#[test]
fn wake_ends_a_wait_without_end() {
    let a = Peer::new(1, "127.0.0.1:0");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| a.engine.process(None));
        a.engine.wake();
        waiting.join().expect("no panic").expect("process");
    });
}

#[test]
fn calls_in_a_busy_loops_own_thread_cost_no_wake() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let channel = a.dial(b.loopback());
    let turn = || {
        for peer in [&a, &b] {
            peer.engine.process(Some(Duration::from_millis(1))).expect("process");
        }
    };
    for _ in 0..10 {
        a.send(channel, b"ping");
        drive(turn, || b.message());
    }
    assert_eq!((a.engine.stats().wakes, b.engine.stats().wakes), (0, 0));
}

#[test]
fn only_one_thread_at_a_time_may_process() {
    let a = Peer::new(1, "127.0.0.1:0");
    a.engine.start().expect("start");
    assert_eq!(a.engine.start(), Err(Error::State));
    assert_eq!(a.engine.process(Some(Duration::ZERO)), Err(Error::State));
    a.engine.stop().expect("stop");
    a.engine.stop().expect("stopping twice is harmless");
    a.engine.process(Some(Duration::ZERO)).expect("its own thread is gone");
    a.engine.start().expect("it may start again");
}

#[test]
fn callbacks_may_call_everything_but_process_and_stop() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let (report, reports) = channel();
    *b.recorder.hook.lock().expect("lock") = Some(Box::new(move |engine: &Engine| {
        assert!(engine.is_in_callback());
        assert_eq!(engine.process(Some(Duration::ZERO)), Err(Error::State));
        assert_eq!(engine.stop(), Err(Error::State));
        assert_eq!(engine.start(), Err(Error::State));
        engine.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
        engine.with_node(|node, _| node.stats()).expect("with_node");
        engine.flush().expect("flush");
        engine.timeout().expect("timeout");
        engine.fd().expect("fd");
        engine.wake();
        report.send(engine.addresses().len()).expect("the test listens");
    }));
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    a.open(b.loopback());
    let sockets = reports.recv_timeout(PATIENCE).expect("no call failed");
    assert!(sockets >= 2, "{sockets}");
    assert!(!b.engine.is_in_callback());
}

#[test]
fn close_waits_for_the_running_callback_and_nothing_follows() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let inside = Arc::new(Barrier::new(2));
    let done = Arc::new(AtomicBool::new(false));
    let (hook_inside, hook_done) = (Arc::clone(&inside), Arc::clone(&done));
    *b.recorder.hook.lock().expect("lock") = Some(Box::new(move |_: &Engine| {
        if !hook_done.load(Ordering::Relaxed) {
            hook_inside.wait();
            for _ in 0..1_000 {
                thread::yield_now();
            }
            hook_done.store(true, Ordering::Relaxed);
        }
    }));
    b.engine.start().expect("start");
    a.engine.start().expect("start");
    a.dial(b.loopback());
    inside.wait();
    b.engine.close();
    assert!(done.load(Ordering::Relaxed), "close returned inside a callback");
    assert_eq!(b.recorder.drops.load(Ordering::Relaxed), 1);
    assert_eq!(b.engine.process(Some(Duration::ZERO)), Err(Error::Closed));
    assert_eq!(b.engine.with_node(|_, _| ()), Err(Error::Closed));
    assert_eq!(b.engine.bind("127.0.0.1:0".parse().expect("address")), Err(Error::Closed));
}

#[test]
fn close_inside_a_callback_makes_it_the_last() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let calls = Arc::new(AtomicUsize::new(0));
    let hook_calls = Arc::clone(&calls);
    *b.recorder.hook.lock().expect("lock") = Some(Box::new(move |engine: &Engine| {
        hook_calls.fetch_add(1, Ordering::Relaxed);
        engine.close();
    }));
    b.engine.start().expect("start");
    a.engine.start().expect("start");
    a.dial(b.loopback());
    until(|| b.recorder.drops.load(Ordering::Relaxed) == 1);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn the_last_reference_may_go_inside_a_callback() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let Peer { engine, recorder, .. } = b;
    let address = engine.addresses()[0];
    engine.start().expect("start");
    let held = Mutex::new(Some(engine));
    *recorder.hook.lock().expect("lock") = Some(Box::new(move |_: &Engine| {
        drop(held.lock().expect("lock").take());
    }));
    a.engine.start().expect("start");
    a.dial(address);
    until(|| recorder.drops.load(Ordering::Relaxed) == 1);
}

#[test]
fn a_panic_under_the_lock_poisons() {
    let a = Peer::new(1, "127.0.0.1:0");
    thread::scope(|scope| {
        let result = scope.spawn(|| a.engine.with_node(|_, _| panic!("on purpose"))).join();
        assert!(result.is_err());
    });
    assert_eq!(a.engine.with_node(|_, _| ()), Err(Error::Poisoned));
    assert_eq!(a.engine.process(Some(Duration::ZERO)), Err(Error::Poisoned));
    assert_eq!(a.engine.timeout(), Err(Error::Poisoned));
    assert_eq!(a.engine.flush(), Err(Error::Poisoned));
    assert_eq!(a.engine.start(), Err(Error::Poisoned));
    a.engine.close();
    assert_eq!(a.recorder.drops.load(Ordering::Relaxed), 1);
}

#[test]
fn sockets_have_a_limit_and_an_occupied_address_is_an_error() {
    let a = Peer::new(1, "127.0.0.1:0");
    let taken = a.engine.bind(a.loopback());
    assert_eq!(taken, Err(Error::Socket));
    assert_ne!(a.engine.stats().last_os_error, 0);
    let any = "127.0.0.1:0".parse().expect("address");
    for _ in 1..SOCKETS_MAX {
        a.engine.bind(any).expect("bind");
    }
    assert_eq!(a.engine.bind(any), Err(Error::Limit));
    assert_eq!(a.engine.addresses().len(), SOCKETS_MAX);
}

#[test]
fn a_socket_bound_while_the_loop_sleeps_is_served() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    let second = b.engine.bind("[::1]:0".parse().expect("address")).expect("bind");
    a.engine.bind("[::1]:0".parse().expect("address")).expect("bind");
    let channel = a.open(second);
    a.send(channel, b"there");
    let (_, answer_on) = b.wait_message();
    b.send(answer_on, b"and back");
    assert_eq!(a.wait_message().0, b"and back");
}

#[test]
fn settings_out_of_range_are_refused() {
    for config in [
        EngineConfig { segments_max: 0, ..EngineConfig::default() },
        EngineConfig { spin: Duration::from_secs(1), ..EngineConfig::default() },
        EngineConfig { receive_buffer_bytes: usize::MAX, ..EngineConfig::default() },
    ] {
        let result = Engine::with_config(config, node_config(1), Box::new(Deaf));
        assert_eq!(result.err(), Some(Error::InvalidArgument), "{config:?}");
    }
}

/// An engine, and what it heard.
struct Peer {
    engine: Arc<Engine>,
    heard: Mutex<Receiver<Heard>>,
    recorder: Arc<Recorder>,
}

/// An event with its bytes.
type Heard = (Event, Vec<u8>);

impl Peer {
    fn new(id: u8, address: &str) -> Peer {
        Peer::with_config(EngineConfig::default(), node_config(id), address)
    }

    fn with_config(config: EngineConfig, node: NodeConfig, address: &str) -> Peer {
        let (sender, heard) = channel();
        let recorder = Arc::new(Recorder::default());
        let handler = Box::new(Listener { sender, recorder: Arc::clone(&recorder) });
        let engine = Arc::new(Engine::with_config(config, node, handler).expect("engine"));
        recorder.engine.set(Arc::downgrade(&engine)).expect("set once");
        engine.bind(address.parse().expect("address")).expect("bind");
        Peer { engine, heard: Mutex::new(heard), recorder }
    }

    /// Its first address, as others on this machine reach it.
    fn loopback(&self) -> SocketAddr {
        let address = self.engine.addresses()[0];
        match address.ip().is_unspecified() {
            true => SocketAddr::new([127, 0, 0, 1].into(), address.port()),
            false => address,
        }
    }

    /// Begins a connection and a channel.
    fn dial(&self, to: SocketAddr) -> ChannelHandle {
        let open = self.engine.with_node(|node, now| {
            let peer = peer_id(if node.config().peer_id == peer_id(2) { 1 } else { 2 });
            let connection = node.connect(now, peer, to, Local::default())?;
            node.open_channel(now, connection, &ChannelConfig::default())
        });
        open.expect("lock").expect("dial")
    }

    /// Dials, and waits until the channel is established.
    fn open(&self, to: SocketAddr) -> ChannelHandle {
        let channel = self.dial(to);
        self.wait(|event| matches!(event, Event::ChannelOpened { .. }));
        channel
    }

    fn send(&self, channel: ChannelHandle, message: &[u8]) {
        let sent = self.engine.with_node(|node, now| node.send(now, channel, message));
        sent.expect("lock").expect("send");
    }

    /// What was heard already that fits.
    fn heard(&self, fits: impl Fn(&Event) -> bool) -> Option<Heard> {
        let heard = self.heard.lock().expect("lock");
        std::iter::from_fn(|| heard.try_recv().ok()).find(|(event, _)| fits(event))
    }

    fn message(&self) -> Option<(Vec<u8>, ChannelHandle)> {
        self.heard(is_message).map(into_message)
    }

    fn wait(&self, fits: impl Fn(&Event) -> bool) -> Heard {
        let heard = self.heard.lock().expect("lock");
        loop {
            let next = heard.recv_timeout(PATIENCE).expect("it happens within the patience");
            if fits(&next.0) {
                return next;
            }
        }
    }

    fn wait_message(&self) -> (Vec<u8>, ChannelHandle) {
        into_message(self.wait(is_message))
    }

    /// One turn of a loop that knows only the descriptor and the timeout.
    #[cfg(unix)]
    fn fd_turn(&self) {
        let slice = Duration::from_millis(20);
        let wait = self.engine.timeout().expect("timeout").map_or(slice, |wait| wait.min(slice));
        let began = Instant::now();
        let is_readable = wait_readable(self.engine.fd().expect("unix"), wait);
        if is_readable || began.elapsed() >= wait {
            self.engine.process(Some(Duration::ZERO)).expect("process");
        }
    }
}

fn is_message(event: &Event) -> bool {
    matches!(event, Event::Message { .. })
}

fn into_message((event, bytes): Heard) -> (Vec<u8>, ChannelHandle) {
    match event {
        Event::Message { channel, .. } => (bytes, channel),
        other => panic!("{other:?} is no message"),
    }
}

/// What tests look at from outside.
#[derive(Default)]
struct Recorder {
    engine: OnceLock<Weak<Engine>>,
    /// Called with each event, before it is reported.
    hook: Mutex<Option<Hook>>,
    drops: AtomicUsize,
}

type Hook = Box<dyn Fn(&Engine) + Send>;

impl Recorder {
    /// The peer whose connections are refused.
    const REFUSED: u8 = 9;
}

struct Listener {
    sender: Sender<Heard>,
    recorder: Arc<Recorder>,
}

impl Handler for Listener {
    fn accept(&mut self, _: ConnectionHandle, peer: PeerId, _: SocketAddr) -> bool {
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
struct Deaf;

impl Handler for Deaf {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        false
    }

    fn event(&mut self, _: &Event, _: &[u8]) {}
}

/// Rubbish sent as fast as one thread can.
struct Flood {
    is_over: Arc<AtomicBool>,
    thread: thread::JoinHandle<usize>,
}

impl Flood {
    fn start(to: SocketAddr) -> Flood {
        let is_over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
            let mut sent = 0;
            while !flag.load(Ordering::Relaxed) {
                sent += usize::from(socket.send_to(&[0x55; 200], to).is_ok());
            }
            sent
        });
        Flood { is_over, thread }
    }

    fn stop(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic")
    }
}

fn peer_id(id: u8) -> PeerId {
    PeerId([id; 16])
}

fn node_config(id: u8) -> NodeConfig {
    NodeConfig { lend_messages: true, ..NodeConfig::new(peer_id(id)) }
}

/// Turns until there is what is looked for.
fn drive<T>(turn: impl Fn(), look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "it did not happen within the patience");
        turn();
        if let Some(found) = look() {
            return found;
        }
    }
}

fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it did not happen within the patience");
        thread::yield_now();
    }
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "poll is what a C program waits with")]
fn wait_readable(fd: i32, wait: Duration) -> bool {
    let mut watched = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let wait_ms = wait.as_nanos().div_ceil(1_000_000) as i32;
    // SAFETY: one `pollfd` is passed, and it lives until the call returns.
    unsafe { libc::poll(&raw mut watched, 1, wait_ms) == 1 }
}
