//! QUIC channels: messages on (address of the peer, team, label), over QUIC.
//!
//! A [`Quic`] is a sans-IO endpoint beside `node`, with the same five verbs and the same law of the
//! loop. Whoever drives both on one port gives it the datagrams that [`Quic::is_quic`] knows.
//!
//! # Connections
//!
//! Messages to an address go on the connection of a map of at most [`CONNECTIONS_MAX`]; a dial or
//! an accepted peer beyond that closes the one that was unused for the longest time, after what was
//! taken for sending on it has arrived, or `drain_timeout`. When two sides dial each other at once,
//! the connection that the smaller id began stays, and the other is read until it drained.
//!
//! # Wire
//!
//! On each stream, of either kind: frames of a length (4 bytes, big-endian, itself not counted), a
//! head in postcard, and the message. Head 0: a sync message, and all that follows is its. Head 1:
//! 32 bytes of team, a varint and as many bytes of label in UTF-8, and the message follows.
//!
//! # Trust
//!
//! After every handshake, resumed ones included, the id of the peer is computed from what it
//! showed and compared with what was dialled and what is known, before anything it sent is read.
//! There is no early data: it could be replayed.
//!
//! # Determinism
//!
//! Ids, resets and timing follow from `now` and the seed. The bytes of handshakes do not: TLS draws
//! its own keys, and quinn-proto the order of its transport parameters.

mod bans;
mod clock;
mod commands;
pub mod config;
mod drive;
mod drops;
mod ends;
mod events;
mod gate;
mod inbound;
mod inbox;
mod lent;
mod line;
mod map;
mod member;
mod message;
mod outbound;
mod outbox;
mod places;
#[cfg(feature = "sim")]
mod play;
mod reader;
mod shared;
mod store;
mod tls;
mod transport;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use config::{
    CONNECTIONS_MAX, Certificates, QuicConfig, QuicError, SettingError, StreamPolicy, Trust,
};
pub use drops::{QUIC_DROPS, QuicDrop};
pub use events::{QuicChannel, QuicConnection, QuicEvent, QuicInfo, QuicStats, Waiting};
pub(crate) use lent::{Incoming, Outgoing};
pub use message::{FrameError, LABEL_BYTES_MAX, TeamId};
#[cfg(feature = "sim")]
pub use play::play_frames;

use clock::{Calendar, Clock};
use map::Map;
use member::Member;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use shared::Shared;
use tls::Tls;

use crate::bans::Bans;
use crate::id::PeerId;
use crate::io::Transmit;
use crate::time::Time;

/// An endpoint of QUIC channels.
pub struct Quic {
    shared: Shared,
    tls: Tls,
    clock: Clock,
    calendar: Arc<Calendar>,
    endpoint: quinn_proto::Endpoint,
    server: quinn_proto::ServerConfig,
    stream: ChaCha12Rng,
    hash_key: (u64, u64),
    map: Map,
    bans: Bans,
    members: BTreeMap<QuicConnection, Member>,
    /// From the numbers that quinn-proto gives out, and gives out again, to ours.
    routes: BTreeMap<usize, QuicConnection>,
    next: u64,
    /// Whose transmits were asked for last.
    turn: QuicConnection,
    /// The lane of the message that was sent last.
    last_sent: Option<(QuicConnection, usize)>,
    /// Answers to strangers.
    replies: VecDeque<(Transmit, Vec<u8>)>,
}

impl Quic {
    /// Makes an endpoint. `seed` is 32 bytes of the system's randomness, `unix` the time since 1970
    /// at `now`, which certificates need.
    ///
    /// # Errors
    ///
    /// [`QuicError`]: a setting out of its range, or keys and certificates that cannot be used.
    pub fn new(
        config: QuicConfig,
        seed: [u8; 32],
        now: Time,
        unix: Duration,
    ) -> Result<Quic, QuicError> {
        config.check()?;
        let calendar = Arc::new(Calendar::new(now, unix));
        let tls = Tls::new(&config, &calendar)?;
        let mut stream = ChaCha12Rng::from_seed(seed);
        let endpoint = transport::endpoint(&config, &tls, &mut stream);
        let server = transport::server(&config, &tls, &calendar, &mut stream);
        let for_peers = config.accept_incoming.then(|| Arc::new(server.clone()));
        let mut half = || u64::from_le_bytes(transport::bytes(&mut stream));
        let hash_key = (half(), half());
        Ok(Quic {
            shared: Shared::new(config),
            tls,
            clock: Clock::new(now),
            calendar,
            endpoint: quinn_proto::Endpoint::new(Arc::new(endpoint), for_peers, true, None),
            server,
            stream,
            hash_key,
            map: Map::default(),
            bans: Bans::default(),
            members: BTreeMap::new(),
            routes: BTreeMap::new(),
            next: 1,
            turn: QuicConnection(0),
            last_sent: None,
            replies: VecDeque::new(),
        })
    }

    /// Whether a datagram is QUIC's, by its first byte.
    // spec: 2.1 first byte
    #[inline]
    pub fn is_quic(datagram: &[u8]) -> bool {
        matches!(datagram.first(), Some(0x40..=0x7f | 0xc0..=0xff))
    }

    /// When `handle_timeout` and `poll_transmit` want to be called next, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.members.values().filter_map(|member| member.due).min()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<QuicEvent> {
        self.shared.events.pop_front()
    }

    /// Moves all that `poll_event` has to the back of `events`.
    pub fn take_events(&mut self, events: &mut VecDeque<QuicEvent>) {
        events.append(&mut self.shared.events);
    }

    /// Whether `poll_event` has something.
    pub fn has_events(&self) -> bool {
        !self.shared.events.is_empty()
    }

    /// Datagrams that one transmit may hold from now on (1 to `BATCH_SEGMENTS_MAX`).
    pub fn set_segments_max(&mut self, segments: usize) {
        self.shared.config.segments_max = segments.clamp(1, crate::config::BATCH_SEGMENTS_MAX);
    }

    /// The settings in force.
    pub fn config(&self) -> &QuicConfig {
        &self.shared.config
    }

    /// Our own id, as peers see it: with raw keys the peer id of the identity, with certificates an
    /// id that follows from ours.
    pub fn peer_id(&self) -> PeerId {
        self.tls.peer_id
    }

    /// Counters.
    pub fn stats(&self) -> QuicStats {
        let (total, in_map) = (self.shared.inbox.total(), self.map.len());
        let queued = self.members.values().map(|member| member.outbox.queued_bytes() as u64);
        QuicStats {
            connections: in_map as u64,
            connections_beside: (self.members.len() - in_map) as u64,
            receive_bytes: total.bytes as u64,
            receive_messages: total.messages as u64,
            send_queue_bytes: queued.sum(),
            ..self.shared.stats
        }
    }

    /// The addresses of the connections in the map, in no order.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.map.addresses()
    }

    /// What the connection to an address is, and how it does; none without one in the map.
    pub fn info(&self, address: SocketAddr) -> Option<QuicInfo> {
        let id = self.map.get(crate::io::canonical(address))?;
        let member = self.members.get(&id)?;
        let stats = member.connection.stats();
        let share = self.shared.inbox.share(id);
        Some(QuicInfo {
            connection: id,
            address: member.address,
            peer: member.peer,
            is_connected: member.connected.is_some(),
            is_confirmed: member.connected.is_some()
                && (member.by_peer || stats.frame_rx.handshake_done > 0),
            by_peer: member.by_peer,
            rtt: stats.path.rtt,
            min_rtt: stats.path.min_rtt,
            congestion_window_bytes: stats.path.cwnd,
            pacing_rate_bytes: member.pacing_rate(),
            in_flight_bytes: member.gauge.in_flight(),
            send_queue_bytes: member.outbox.queued_bytes() as u64,
            receive_bytes: share.bytes as u64,
            receive_messages: share.messages as u64,
            messages_sent: member.messages_sent,
            messages_received: member.messages_received,
            messages_cut: member.cut,
            packets_sent: stats.path.sent_packets,
            packets_lost: stats.path.lost_packets,
            bytes_lost: stats.path.lost_bytes,
            congestion_events: stats.path.congestion_events,
            packet_size: stats.path.current_mtu,
            datagrams_sent: stats.udp_tx.datagrams,
            datagram_bytes_sent: stats.udp_tx.bytes,
            datagrams_received: stats.udp_rx.datagrams,
            datagram_bytes_received: stats.udp_rx.bytes,
        })
    }
}

impl std::fmt::Debug for Quic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quic")
            .field("peer_id", &self.tls.peer_id)
            .field("connections", &self.map.len())
            .finish_non_exhaustive()
    }
}
