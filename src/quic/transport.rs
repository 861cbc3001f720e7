//! How quinn-proto is set up: nothing in it asks the system, and what it needs follows from a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::{hkdf, hmac};
use quinn_proto::congestion::{Controller, ControllerFactory, ControllerMetrics};
use quinn_proto::{
    ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, MtuDiscoveryConfig,
    RttEstimator, ServerConfig, TransportConfig, VarInt,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::clock::Calendar;
use super::config::{PEER_STREAMS_MAX, QuicConfig};
use super::tls::Tls;
use crate::congestion::Settings;
use crate::congestion::quinn::Factory;

/// Bytes in a connection id of ours.
const ID_SIZE: usize = 8;

/// What the handshake of a connection tells its peer and what it does, with `gauge` watching it.
/// The draws of its congestion control follow from `seed`.
pub(super) fn transport(
    config: &QuicConfig,
    gauge: &Gauge,
    seed: &mut ChaCha12Rng,
) -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    let idle = (!config.idle_timeout.is_zero()).then_some(config.idle_timeout);
    let idle = idle.map(|span| IdleTimeout::try_from(span).expect("the setting is at most a day"));
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(config.packet_size_max);
    let controller = Factory(Settings {
        algorithm: config.congestion,
        loss_percent: config.loss_tolerance_percent,
        seed: seed.next_u64(),
    });
    transport
        .max_concurrent_bidi_streams(PEER_STREAMS_MAX.into())
        .max_concurrent_uni_streams(PEER_STREAMS_MAX.into())
        .max_idle_timeout(idle)
        .keep_alive_interval((!config.keep_alive.is_zero()).then_some(config.keep_alive))
        .stream_receive_window(config.stream_window_bytes.into())
        .receive_window(config.connection_window_bytes.into())
        .send_window(config.send_window_bytes as u64)
        .datagram_receive_buffer_size(None)
        .mtu_discovery_config(Some(discovery))
        .congestion_controller_factory(Arc::new(Gauged {
            inner: Arc::new(controller),
            gauge: gauge.clone(),
        }));
    Arc::new(transport)
}

/// The endpoint: keys and ids that follow from `seed`, resets that follow from our private key, so
/// that peers of an earlier run understand them.
pub(super) fn endpoint(config: &QuicConfig, tls: &Tls, seed: &mut ChaCha12Rng) -> EndpointConfig {
    let reset_key = hmac::Key::new(hmac::HMAC_SHA256, &tls.secret);
    let mut endpoint = EndpointConfig::new(Arc::new(reset_key));
    let ids = bytes(seed);
    let packet_size = config.packet_size_max.max(1_472);
    endpoint
        .max_udp_payload_size(packet_size)
        .expect("the setting is at most what UDP carries")
        // The first byte tells QUIC from the other protocols on the port.
        .grease_quic_bit(false)
        .rng_seed(Some(bytes(seed)))
        .cid_generator(move || Box::new(Ids { stream: ChaCha12Rng::from_seed(ids) }));
    endpoint
}

/// What answers handshakes. Its transport is replaced for each one.
pub(super) fn server(
    config: &QuicConfig,
    tls: &Tls,
    calendar: &Arc<Calendar>,
    seed: &mut ChaCha12Rng,
) -> ServerConfig {
    let token_key = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&bytes::<32>(seed));
    let mut server = ServerConfig::new(Arc::clone(&tls.server) as _, Arc::new(token_key));
    server
        .time_source(Arc::clone(calendar) as _)
        .retry_token_lifetime(Duration::from_secs(10))
        .max_incoming(config.half_open_max);
    server
}

/// A random connection id for a first packet.
pub(super) fn first_id(seed: &mut ChaCha12Rng) -> ConnectionId {
    ConnectionId::new(&bytes::<20>(seed))
}

/// The next random bytes.
pub(super) fn bytes<const N: usize>(stream: &mut ChaCha12Rng) -> [u8; N] {
    let mut out = [0; N];
    stream.fill_bytes(&mut out);
    out
}

/// A limit as QUIC writes numbers.
pub(super) fn varint(value: u32) -> VarInt {
    VarInt::from_u32(value)
}

/// Connection ids from a seed.
struct Ids {
    stream: ChaCha12Rng,
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&bytes::<ID_SIZE>(&mut self.stream))
    }

    fn cid_len(&self) -> usize {
        ID_SIZE
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Watches what quinn-proto tells the controller of a connection only.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauge(Arc<Dials>);

#[derive(Debug, Default)]
struct Dials {
    in_flight: AtomicU64,
    losses: AtomicU64,
    is_all_acked: AtomicBool,
}

impl Gauge {
    /// Bytes in flight; after losses it may be more than there are, until the next ACK.
    pub(super) fn in_flight(&self) -> u64 {
        self.0.in_flight.load(Ordering::Relaxed)
    }

    /// Whether the last ACK was for everything in flight, when QUIC had nothing else to send.
    pub(super) fn is_all_acked(&self) -> bool {
        self.0.is_all_acked.load(Ordering::Relaxed)
    }

    /// QUIC may have something to send again.
    pub(super) fn note_work(&self) {
        self.0.is_all_acked.store(false, Ordering::Relaxed);
    }

    /// How often losses were told of.
    pub(super) fn losses(&self) -> u64 {
        self.0.losses.load(Ordering::Relaxed)
    }
}

struct Gauged {
    inner: Arc<dyn ControllerFactory + Send + Sync>,
    gauge: Gauge,
}

impl ControllerFactory for Gauged {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = Arc::clone(&self.inner).build(now, current_mtu);
        Box::new(GaugedController { inner, gauge: self.gauge.clone() })
    }
}

struct GaugedController {
    inner: Box<dyn Controller>,
    gauge: Gauge,
}

impl Controller for GaugedController {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.gauge.0.in_flight.fetch_add(bytes, Ordering::Relaxed);
        self.gauge.note_work();
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        let is_all_acked = in_flight == 0 && app_limited;
        self.gauge.0.in_flight.store(in_flight, Ordering::Relaxed);
        self.gauge.0.is_all_acked.store(is_all_acked, Ordering::Relaxed);
        self.inner.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        if lost_bytes > 0 {
            self.gauge.0.losses.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.inner.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(GaugedController { inner: self.inner.clone_box(), gauge: self.gauge.clone() })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self.inner.into_any()
    }
}
