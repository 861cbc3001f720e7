//! Against a peer that is not ours: the `quinn` crate, over real sockets, in both roles and with
//! both stream policies, over a good link and over one that loses datagrams.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use channeler::engine::{Engine, EngineConfig, Handler};
use channeler::error::Error;
use channeler::id::{ConnectionHandle, PeerId};
use channeler::io::Event;
use channeler::quic::{QuicConfig, QuicEvent, StreamPolicy, Trust};
use channeler::sim::Random;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::tls;
use super::world::{TEAM, identity};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Labels that messages take turns on.
const LABELS: usize = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    WeDial,
    QuinnDials,
}

#[test]
fn ten_thousand_messages_each_way_when_we_dial_in_order() {
    exchange(Role::WeDial, StreamPolicy::Ordered, 10_000, None);
}

#[test]
fn ten_thousand_messages_each_way_when_quinn_dials_in_order() {
    exchange(Role::QuinnDials, StreamPolicy::Ordered, 10_000, None);
}

#[test]
fn ten_thousand_messages_each_way_when_we_dial_per_channel() {
    exchange(Role::WeDial, StreamPolicy::PerChannel, 10_000, None);
}

#[test]
fn ten_thousand_messages_each_way_when_quinn_dials_per_channel() {
    exchange(Role::QuinnDials, StreamPolicy::PerChannel, 10_000, None);
}

#[test]
fn a_link_that_loses_datagrams_loses_no_message() {
    for role in [Role::WeDial, Role::QuinnDials] {
        for policy in [StreamPolicy::Ordered, StreamPolicy::PerChannel] {
            exchange(role, policy, 10_000, Some(0.02));
        }
    }
}

/// Message `number`: mostly short, one in a hundred up to 1 MiB; what is in it follows from the
/// number.
fn message(number: usize) -> Vec<u8> {
    let mut random = Random::new(number as u64);
    let bits = if number % 100 == 7 { 20 } else { 11 };
    let most = 1 << random.index(bits + 1);
    let len = 1 + random.index(most);
    (0..len).map(|at| (at ^ at >> 8 ^ number ^ number >> 8) as u8).collect()
}

fn frame(number: usize) -> Vec<u8> {
    let label = label(number);
    let head = [&[1][..], &TEAM.0, &[label.len() as u8], label.as_bytes()].concat();
    let message = message(number);
    let len = (head.len() + message.len()) as u32;
    [&len.to_be_bytes()[..], &head, &message].concat()
}

fn label(number: usize) -> String {
    format!("label {}", number % LABELS)
}

/// Checks messages as they come: each is the next of its label, or of all where they are in order.
struct Checker {
    next: Vec<usize>,
    policy: StreamPolicy,
    count: usize,
}

impl Checker {
    fn new(policy: StreamPolicy) -> Checker {
        Checker { next: (0..LABELS).collect(), policy, count: 0 }
    }

    fn check(&mut self, label: &str, bytes: &[u8]) {
        let which: usize = label["label ".len()..].parse().expect("a number");
        let number = self.next[which];
        assert!(self.policy == StreamPolicy::PerChannel || number == self.count, "out of order");
        assert!(message(number) == bytes, "message {number} is another one");
        self.next[which] += LABELS;
        self.count += 1;
    }
}

fn exchange(role: Role, policy: StreamPolicy, count: usize, loss: Option<f64>) {
    let (events, heard) = channel();
    let engine = engine(policy, events);
    let ours = engine.bind("127.0.0.1:0".parse().expect("an address")).expect("a socket");
    engine.start().expect("a thread");
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime");
    let endpoint = {
        let _inside = runtime.enter();
        quinn_endpoint()
    };
    let quinns = endpoint.local_addr().expect("bound");
    let (for_quinn, for_us) = match loss {
        None => (ours, quinns),
        Some(loss) => (lossy(ours, loss), lossy(quinns, loss)),
    };
    let theirs = runtime.spawn(async move {
        let connection = match role {
            Role::QuinnDials => endpoint.connect(for_quinn, "node.invalid").expect("an address"),
            Role::WeDial => {
                endpoint.accept().await.expect("not closed").accept().expect("a handshake")
            }
        };
        let connection = connection.await.expect("a connection");
        let (back, halves) = tokio::sync::mpsc::unbounded_channel();
        let sending = tokio::spawn(send_all(connection.clone(), policy, count, back));
        let receiving = tokio::spawn(receive_all(connection.clone(), policy, count, halves));
        sending.await.expect("all was sent");
        receiving.await.expect("all was received");
        // Until we have everything and close it.
        connection.closed().await;
        endpoint.wait_idle().await;
    });
    let to = match role {
        Role::WeDial => {
            let peer = Some(identity(2).peer_id());
            let dial = engine.with_quic(|quic, now| {
                quic.connect(now, for_us, peer, channeler::io::Local::default())
            });
            dial.expect("alive").expect("a good address");
            for_us
        }
        Role::QuinnDials => wait_connected(&heard),
    };
    play(&engine, &heard, to, policy, count);
    let theirs = runtime.block_on(async { tokio::time::timeout(PATIENCE, theirs).await });
    theirs.expect("in time").expect("quinn has everything");
    engine.close();
}

/// Our side: sends and receives `count` messages, then closes.
fn play(
    engine: &Engine,
    heard: &Receiver<QuicEvent>,
    to: SocketAddr,
    policy: StreamPolicy,
    count: usize,
) {
    let (mut checker, mut sent) = (Checker::new(policy), 0);
    let began = Instant::now();
    let mut target = vec![0; 1 << 20];
    while checker.count < count || sent < count {
        assert!(began.elapsed() < PATIENCE, "{} received, {sent} sent", checker.count);
        while sent < count {
            let (label, message) = (label(sent), message(sent));
            let result = engine.with_quic(|quic, now| quic.send(now, to, TEAM, &label, &message));
            match result.expect("alive") {
                Ok(()) => sent += 1,
                Err(error) => {
                    assert_eq!(error, Error::WouldBlock);
                    break;
                }
            }
        }
        let mut is_idle = true;
        while let Some((channel, len)) = engine
            .with_quic(|quic, now| quic.receive(now, &mut target))
            .expect("alive")
            .expect("large enough")
        {
            assert_eq!((channel.address, channel.team_id), (to, TEAM));
            checker.check(&channel.label, &target[..len]);
            is_idle = false;
        }
        if is_idle && (checker.count < count || sent < count) {
            // Readable, or writable.
            match heard.recv_timeout(PATIENCE).expect("something happens") {
                QuicEvent::ConnectionClosed { reason, said, .. } => {
                    panic!("{reason:?} {said:?} after {} and {sent}", checker.count)
                }
                QuicEvent::ConnectionRequest { .. }
                | QuicEvent::Connected { .. }
                | QuicEvent::Readable
                | QuicEvent::SyncReadable
                | QuicEvent::Writable { .. }
                | QuicEvent::FrameRefused { .. }
                | QuicEvent::AddressChanged { .. } => {}
                QuicEvent::MessagesLost { count, .. } => panic!("{count} are lost"),
            }
        }
    }
    engine.with_quic(|quic, now| quic.close(now, to)).expect("alive").expect("it is there");
    loop {
        let event = heard.recv_timeout(PATIENCE).expect("it ends");
        if let QuicEvent::ConnectionClosed { reason, undelivered, cut, .. } = event {
            return assert_eq!((reason, undelivered, cut), (Error::Closed, 0, 0));
        }
    }
}

fn wait_connected(heard: &Receiver<QuicEvent>) -> SocketAddr {
    loop {
        let event = heard.recv_timeout(PATIENCE).expect("quinn dials");
        if let QuicEvent::Connected { address, peer, by_peer, .. } = event {
            assert_eq!((peer, by_peer), (identity(2).peer_id(), true));
            return address;
        }
    }
}

/// The other halves of its streams go to `back`: we may send on them.
async fn send_all(
    connection: quinn::Connection,
    policy: StreamPolicy,
    count: usize,
    back: UnboundedSender<quinn::RecvStream>,
) {
    let mut streams = Vec::new();
    for number in 0..count {
        let index = if policy == StreamPolicy::Ordered { 0 } else { number % LABELS };
        if streams.len() <= index {
            streams.push(match policy {
                StreamPolicy::Ordered => {
                    let (sending, receiving) = connection.open_bi().await.expect("a stream");
                    back.send(receiving).expect("it is read as long as there is something");
                    sending
                }
                StreamPolicy::PerChannel => connection.open_uni().await.expect("a stream"),
            });
        }
        streams[index].write_all(&frame(number)).await.expect("a connection");
    }
    for mut stream in streams {
        stream.finish().expect("open");
    }
}

/// Takes frames from any stream until there are `count`.
async fn receive_all(
    connection: quinn::Connection,
    policy: StreamPolicy,
    count: usize,
    mut halves: UnboundedReceiver<quinn::RecvStream>,
) {
    let checker = Arc::new(Mutex::new(Checker::new(policy)));
    let (done, mut all) = tokio::sync::mpsc::unbounded_channel::<()>();
    loop {
        let stream = tokio::select! {
            stream = connection.accept_uni() => stream.ok(),
            stream = connection.accept_bi() => stream.ok().map(|(_, stream)| stream),
            Some(stream) = halves.recv() => Some(stream),
            _ = all.recv() => return,
        };
        let Some(stream) = stream else {
            // Closed: what arrived is still being read.
            all.recv().await.expect("it was all there");
            return;
        };
        tokio::spawn(receive_stream(stream, Arc::clone(&checker), count, done.clone()));
    }
}

async fn receive_stream(
    mut stream: quinn::RecvStream,
    checker: Arc<Mutex<Checker>>,
    count: usize,
    done: UnboundedSender<()>,
) {
    let mut length = [0; 4];
    while stream.read_exact(&mut length).await.is_ok() {
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut body).await.expect("a whole frame");
        assert_eq!((body[0], &body[1..33]), (1, &TEAM.0[..]));
        let label_end = 34 + usize::from(body[33]);
        let label = std::str::from_utf8(&body[34..label_end]).expect("text");
        let mut checker = checker.lock().expect("no panic");
        checker.check(label, &body[label_end..]);
        if checker.count == count {
            let _over = done.send(());
        }
    }
}

fn quinn_endpoint() -> quinn::Endpoint {
    let server = QuicServerConfig::try_from(tls::server(&identity(2))).expect("AES-128");
    let server = quinn::ServerConfig::with_crypto(Arc::new(server));
    let address = "127.0.0.1:0".parse().expect("an address");
    let mut endpoint = quinn::Endpoint::server(server, address).expect("a socket");
    let client = QuicClientConfig::try_from(tls::client(&identity(2))).expect("AES-128");
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(client)));
    endpoint
}

fn engine(policy: StreamPolicy, events: Sender<QuicEvent>) -> Engine {
    let peers: Vec<PeerId> = vec![identity(2).peer_id()];
    let mut config = QuicConfig::new(Trust::RawKeys { identity: identity(1), peers });
    config.streams = policy;
    // As long as the test itself waits, on a machine that has other things to do.
    config.drain_timeout = PATIENCE;
    let handler = Box::new(Listener(events));
    Engine::with_quic_channels(EngineConfig::default(), None, config, handler).expect("settings")
}

struct Listener(Sender<QuicEvent>);

impl Handler for Listener {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        false
    }

    fn event(&mut self, _event: &Event, _bytes: &[u8]) {}

    fn quic_event(&mut self, event: &QuicEvent) {
        // The test may be over.
        let _over = self.0.send(event.clone());
    }
}

/// A door to `target` that loses some datagrams, in both directions; returns its address. It serves
/// the first who comes.
fn lossy(target: SocketAddr, loss: f64) -> SocketAddr {
    let bind = || Arc::new(UdpSocket::bind("127.0.0.1:0").expect("a socket"));
    let (outer, inner) = (bind(), bind());
    inner.connect(target).expect("an address");
    let door = outer.local_addr().expect("bound");
    let back = (Arc::clone(&inner), Arc::clone(&outer));
    thread::spawn(move || {
        let (mut buffer, mut random) = (vec![0; 65_536], Random::new(1));
        let mut answers = None;
        while let Ok((len, from)) = outer.recv_from(&mut buffer) {
            if answers.is_none() {
                outer.connect(from).expect("an address");
                answers = Some(thread::spawn({
                    let (inner, outer) = (Arc::clone(&back.0), Arc::clone(&back.1));
                    move || pass(&inner, &outer, loss)
                }));
            }
            if !random.chance(loss) {
                let _refused = inner.send(&buffer[..len]);
            }
        }
    });
    door
}

fn pass(from: &UdpSocket, to: &UdpSocket, loss: f64) {
    let (mut buffer, mut random) = (vec![0; 65_536], Random::new(2));
    while let Ok(len) = from.recv(&mut buffer) {
        if !random.chance(loss) {
            let _refused = to.send(&buffer[..len]);
        }
    }
}
