//! quinn, tuned as its users would: one runtime, one thread and one core a side.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, MtuDiscoveryConfig, RecvStream,
    ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;

use super::PACKET_SIZE;
use super::tls::Profile;
use crate::bare::{self, Meter};
use crate::harness::{core_time, median, pin};

/// Room for messages, at the sender and at the receiver.
const BUFFER_BYTES: usize = 4 << 20;

/// Bytes of the length before each message on a stream.
const LENGTH_SIZE: usize = 4;

/// Bytes of small messages written to a stream at once.
pub(super) const WRITE_BYTES: usize = 16 << 10;

/// Lent to quinn, which then copies it once only: into the packet.
static MESSAGE: [u8; PACKET_SIZE as usize] = [0x5a; PACKET_SIZE as usize];

/// Full mutual handshakes in sequence, until both sides have their connection: the median, in
/// microseconds.
pub(super) fn handshakes(time: Duration) -> f64 {
    let sides = Sides::new();
    let since = Instant::now();
    let nanos_now = || u64::try_from(since.elapsed().as_nanos()).expect("not for centuries");
    // When the server got its newest connection, and which that was.
    let (accepted_at, accepted) = (AtomicU64::new(0), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    sides.run(
        async |server| {
            while !is_over.load(Ordering::Relaxed) {
                let incoming = server.accept().await.expect("nobody closes the endpoint");
                let connection = incoming.await.expect("loopback loses nothing of so little");
                accepted_at.store(nanos_now(), Ordering::Relaxed);
                accepted.fetch_add(1, Ordering::Release);
                connection.closed().await;
            }
        },
        async |client, to| {
            let mut times = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let began = nanos_now();
                let connecting = client.connect(to, "peer.invalid").expect("good settings");
                let connection = connecting.await.expect("loopback loses nothing of so little");
                let connected = nanos_now();
                while accepted.load(Ordering::Acquire) == times.len() as u64 {
                    std::hint::spin_loop();
                }
                let both = connected.max(accepted_at.load(Ordering::Relaxed));
                times.push((both - began) as f64 / 1e3);
                // The last one tells the server that it is over as well.
                is_over.store(since.elapsed() > time, Ordering::Relaxed);
                connection.close(VarInt::from_u32(0), b"");
                tokio::task::yield_now().await;
            }
            client.wait_idle().await;
            median(times)
        },
    )
}

/// Datagrams of `size` bytes that the receiver's application gets a second.
pub(super) fn datagrams(size: usize, time: Duration) -> f64 {
    let (sent, rate, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    Sides::new().run(
        async |server| {
            let incoming = server.accept().await.expect("nobody closes the endpoint");
            let connection = incoming.await.expect("loopback loses nothing of so little");
            let began = core_time();
            let mut meter = Meter::new(time);
            while meter.add(receive_some(&connection).await) {}
            is_over.store(true, Ordering::Relaxed);
            rate.store(meter.rate() as u64, Ordering::Relaxed);
            let cost = nanos(core_time() - began, meter.total);
            eprintln!("  quinn: received at {cost:.0} ns of core each");
            connection.closed().await;
        },
        async |client, to| {
            let connecting = client.connect(to, "peer.invalid").expect("good settings");
            let connection = connecting.await.expect("loopback loses nothing of so little");
            let began = core_time();
            while !is_over.load(Ordering::Relaxed) {
                let message = (&MESSAGE[..size]).into();
                connection.send_datagram_wait(message).await.expect("the connection lives");
                sent.fetch_add(1, Ordering::Relaxed);
            }
            let cost = nanos(core_time() - began, sent.load(Ordering::Relaxed));
            eprintln!("  quinn: sent at {cost:.0} ns of core each");
            let path = connection.stats().path;
            eprintln!("  quinn: {} of {} packets lost", path.lost_packets, path.sent_packets);
            connection.close(VarInt::from_u32(0), b"");
            client.wait_idle().await;
        },
    );
    rate.into_inner() as f64
}

/// Messages of `size` bytes, each behind its length, that the receiver's application gets a second:
/// sent on `count` streams in turn. What costs least: small ones are gathered and written many at
/// once, since a write each would take quinn a microsecond; and they are told apart where quinn has
/// them, but for those that lie in two of its chunks.
pub(super) fn messages(size: usize, count: usize, time: Duration) -> f64 {
    let (sent, rate, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let framed = size + LENGTH_SIZE;
    let messages = (WRITE_BYTES / framed).max(1);
    let message = vec![0x5a; size];
    Sides::new().run(
        async |server| {
            let incoming = server.accept().await.expect("nobody closes the endpoint");
            let connection = incoming.await.expect("loopback loses nothing of so little");
            let began = core_time();
            let meter = RefCell::new(Meter::new(time));
            let is_wanted = |messages: u64| meter.borrow_mut().add(messages);
            let mut readers = Vec::new();
            for _ in 0..count {
                let stream = connection.accept_uni().await.expect("the connection lives");
                readers.push(Box::pin(read_all(stream, &is_wanted)));
            }
            all(readers).await;
            is_over.store(true, Ordering::Relaxed);
            let meter = meter.into_inner();
            rate.store(meter.rate() as u64, Ordering::Relaxed);
            let cost = nanos(core_time() - began, meter.total);
            eprintln!("  quinn: received at {cost:.0} ns of core a message");
            connection.close(VarInt::from_u32(0), b"");
            server.wait_idle().await;
        },
        async |client, to| {
            let connecting = client.connect(to, "peer.invalid").expect("good settings");
            let connection = connecting.await.expect("loopback loses nothing of so little");
            let mut streams = Vec::new();
            for _ in 0..count {
                streams.push(connection.open_uni().await.expect("the connection lives"));
            }
            let began = core_time();
            let mut written = Vec::new();
            'sending: while !is_over.load(Ordering::Relaxed) {
                for stream in &mut streams {
                    written.clear();
                    for _ in 0..messages {
                        written.extend((message.len() as u32).to_be_bytes());
                        written.extend_from_slice(&message);
                    }
                    // The receiver closes when it has enough.
                    if stream.write_all(&written).await.is_err() {
                        break 'sending;
                    }
                    sent.fetch_add(messages as u64, Ordering::Relaxed);
                }
            }
            let cost = nanos(core_time() - began, sent.load(Ordering::Relaxed));
            eprintln!("  quinn: sent at {cost:.0} ns of core a message");
            let path = connection.stats().path;
            eprintln!("  quinn: {} of {} packets lost", path.lost_packets, path.sent_packets);
            connection.closed().await;
            client.wait_idle().await;
        },
    );
    rate.into_inner() as f64
}

/// Reads a stream in order while `is_wanted` says so of the messages that came.
async fn read_all(mut stream: RecvStream, is_wanted: &impl Fn(u64) -> bool) {
    let mut parted = Vec::new();
    while let Ok(Some(chunk)) = stream.read_chunk(usize::MAX, true).await {
        let (mut rest, mut messages) = (&chunk.bytes[..], 0);
        while !parted.is_empty() && !rest.is_empty() {
            // As much as the message begun before is known to have.
            let wanted = whole(&parted).unwrap_or(LENGTH_SIZE);
            let (more, after) = rest.split_at(rest.len().min(wanted - parted.len()));
            parted.extend_from_slice(more);
            rest = after;
            if whole(&parted) == Some(parted.len()) {
                messages += u64::from(!std::hint::black_box(&parted[..]).is_empty());
                parted.clear();
            }
        }
        while let Some(len) = whole(rest).filter(|len| *len <= rest.len()) {
            messages += u64::from(!std::hint::black_box(&rest[..len]).is_empty());
            rest = &rest[len..];
        }
        parted.extend_from_slice(rest);
        if !is_wanted(messages) {
            return;
        }
    }
}

/// Bytes of the message at the front with its length, if that is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk().map(|length| u32::from_be_bytes(*length));
    length.map(|length| LENGTH_SIZE + length as usize)
}

/// Runs all of them until the first is done.
async fn all(mut futures: Vec<Pin<Box<impl Future<Output = ()>>>>) {
    std::future::poll_fn(|context| {
        let is_done = futures.iter_mut().any(|future| future.as_mut().poll(context).is_ready());
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn nanos(took: Duration, count: u64) -> f64 {
    took.as_secs_f64() * 1e9 / count as f64
}

/// Round trips of datagrams of `size` bytes, both sides sleeping: the median, in microseconds.
pub(super) fn pings(size: usize, time: Duration) -> f64 {
    Sides::new().run(
        async |server| {
            let incoming = server.accept().await.expect("nobody closes the endpoint");
            let connection = incoming.await.expect("loopback loses nothing of so little");
            while let Ok(message) = connection.read_datagram().await {
                let _closed = connection.send_datagram(message);
            }
        },
        async |client, to| {
            let connecting = client.connect(to, "peer.invalid").expect("good settings");
            let connection = connecting.await.expect("loopback loses nothing of so little");
            let mut trips = Vec::new();
            let began = Instant::now();
            while began.elapsed() < time {
                let sent_at = Instant::now();
                let sent = connection.send_datagram((&MESSAGE[..size]).into());
                sent.expect("the connection lives");
                connection.read_datagram().await.expect("loopback loses nothing of so little");
                trips.push(sent_at.elapsed().as_secs_f64() * 1e6);
            }
            connection.close(VarInt::from_u32(0), b"");
            client.wait_idle().await;
            median(trips)
        },
    )
}

/// Looks at the clock only now and then.
async fn receive_some(connection: &Connection) -> u64 {
    for _ in 0..32 {
        connection.read_datagram().await.expect("the connection lives");
    }
    32
}

/// Two endpoints that are not running yet.
pub(crate) struct Sides {
    client: ClientConfig,
    server: ServerConfig,
}

impl Sides {
    fn new() -> Sides {
        Sides::with(Profile::new())
    }

    pub(crate) fn with(profile: Profile) -> Sides {
        // As in `rustls`: initial packets are sealed with this suite whatever comes later.
        let initial = || {
            let suite = TLS13_AES_128_GCM_SHA256.tls13().and_then(|suite| suite.quic_suite());
            suite.expect("the suite of the initial packets")
        };
        let transport = Arc::new(transport());
        let client = QuicClientConfig::with_initial(profile.client, initial());
        let mut client = ClientConfig::new(Arc::new(client.expect("a suite for QUIC")));
        client.transport_config(Arc::clone(&transport));
        let server = QuicServerConfig::with_initial(profile.server, initial());
        let mut server = ServerConfig::with_crypto(Arc::new(server.expect("a suite for QUIC")));
        server.transport_config(transport);
        Sides { client, server }
    }

    /// Runs `serve` on core 1 and `work` on core 0, and returns what `work` does.
    pub(crate) fn run<T>(
        self,
        serve: impl AsyncFnOnce(Endpoint) + Send,
        work: impl AsyncFnOnce(Endpoint, SocketAddr) -> T,
    ) -> T {
        let socket = bare::socket();
        let address = socket.local_addr().expect("it is bound");
        let endpoint = |config, socket| {
            Endpoint::new(EndpointConfig::default(), config, socket, Arc::new(TokioRuntime))
                .expect("a bound socket")
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                pin(1);
                runtime().block_on(async {
                    let server = endpoint(Some(self.server), socket);
                    serve(server).await;
                });
            });
            pin(0);
            runtime().block_on(async {
                let mut client = endpoint(None, bare::socket());
                client.set_default_client_config(self.client);
                work(client, address).await
            })
        })
    }
}

fn transport() -> TransportConfig {
    let mut search = MtuDiscoveryConfig::default();
    search.upper_bound(PACKET_SIZE);
    let mut transport = TransportConfig::default();
    transport
        .initial_mtu(PACKET_SIZE)
        // Else a burst that the receiver's socket drops looks like a path of smaller packets.
        .min_mtu(PACKET_SIZE)
        .mtu_discovery_config(Some(search))
        .datagram_receive_buffer_size(Some(BUFFER_BYTES))
        .datagram_send_buffer_size(BUFFER_BYTES)
        .stream_receive_window(VarInt::from_u32(BUFFER_BYTES as u32))
        .receive_window(VarInt::from_u32(2 * BUFFER_BYTES as u32))
        .send_window(2 * BUFFER_BYTES as u64);
    transport
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
