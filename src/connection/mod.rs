//! One peer of protocol v1: the handshake, then the connection that it made.

mod acks;
mod adoption;
mod application;
mod batch;
mod channels;
mod control;
mod delivery;
mod duties;
mod early;
mod ending;
mod established;
mod expiring;
mod fates;
pub(crate) mod handshake;
mod heaviest;
mod inbound;
mod limits;
mod messages;
mod mtu;
mod opening;
mod orphans;
mod outbound;
mod paths;
mod registry;
mod sending;
mod shared;
#[cfg(test)]
mod tests;
mod tickets;
mod timers;
mod tokens;
mod turns;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use ending::CloseSaid;
pub(crate) use inbound::Source;
pub(crate) use shared::{Notice, Shared};

use crate::channel::Intake;
use crate::crypto::PublicKey;
use crate::id::{ChannelNumber, ConnectionHandle, PeerId, Side};
use crate::io::Local;
use crate::path::{Carrier, Path, Paths};
use crate::stats::ConnectionStats;
use crate::time::Time;
use duties::Duties;
use ending::{Breach, Life};
use established::Established;
use handshake::Handshake;
use heaviest::Heaviest;
use opening::Opening;
use registry::Registry;

/// A peer of protocol v1, from the first datagram of a handshake to the last of its end.
///
/// What is large lives in boxes that come and go: an idle connection is small.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) handle: ConnectionHandle,
    /// Who it is, or, before that is known, who was asked for.
    pub(crate) peer: Option<PeerId>,
    /// Its key, once it showed it.
    pub(crate) public_key: Option<PublicKey>,
    pub(crate) side: Side,
    paths: Paths<Path>,
    pub(crate) stats: ConnectionStats,
    /// Whether it has its entry in `Shared::ready`.
    pub(crate) is_ready: bool,
    /// The node's: the application accepted it, so it hears of its end.
    pub(crate) is_accepted: bool,
    life: Life,
    is_confirmed: bool,
    /// Whether `Event::Connected` was reported.
    is_reported: bool,
    registry: Registry,
    duties: Duties,
    /// Flow control over all channels, as the receiver.
    intake: Intake,
    /// Its first window, what of it counts for the node, and by how much it grew, which counts too.
    first_window: u32,
    counted_window: u32,
    grown_window: u32,
    /// Those of its channels that hold most.
    heaviest: Heaviest,
    /// Channels of the peer's that were refused, and whose final position is not known.
    refused: BTreeSet<ChannelNumber>,
    /// What is being read cannot be remembered: its packet is not acknowledged.
    refuses_packet: bool,
    /// There until both sides are confirmed, or the handshake failed and is over.
    handshake: Option<Box<Handshake>>,
    /// What waits for the handshake's end.
    opening: Option<Box<Opening>>,
    /// There from the handshake's end to the connection's.
    established: Option<Box<Established>>,
}

impl Connection {
    fn new(
        shared: &Shared,
        handle: ConnectionHandle,
        side: Side,
        remote: SocketAddr,
        local: Local,
    ) -> Connection {
        let (config, first_window) = (&shared.config, shared.first_window());
        let peer_channels_max = config.peer_channels_max.min(config.channels_per_connection_max);
        let peer_channels_max = u32::try_from(peer_channels_max).unwrap_or(u32::MAX);
        Connection {
            handle,
            peer: None,
            public_key: None,
            side,
            paths: Paths::new(Path { remote, local, packet_size: config.packet_size }),
            stats: ConnectionStats::default(),
            is_ready: false,
            is_accepted: false,
            life: Life::Open,
            is_confirmed: false,
            is_reported: false,
            registry: Registry::new(side, peer_channels_max),
            duties: Duties::default(),
            intake: Intake::new(first_window),
            first_window,
            counted_window: 0,
            grown_window: 0,
            heaviest: Heaviest::default(),
            refused: BTreeSet::new(),
            refuses_packet: false,
            handshake: None,
            opening: None,
            established: None,
        }
    }

    /// Whether both sides know that both are there (7.7).
    pub(crate) fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }

    /// Where the peer is, on the path that is sent on.
    pub(crate) fn remote(&self) -> SocketAddr {
        self.paths.current().remote
    }

    /// Whether packets can be sealed for the peer.
    pub(crate) fn is_complete(&self) -> bool {
        self.established.is_some()
    }

    /// Its counters, but for the channels.
    pub(crate) fn stats(&self) -> ConnectionStats {
        let packet_size = self.paths.current().packet_size as u64;
        let stats = ConnectionStats { packet_size, ..self.stats };
        let Some(established) = self.established.as_ref() else { return stats };
        let all = |count: fn(&Carrier) -> u64| {
            established.carriers.iter().map(|(_, carrier)| count(carrier)).sum()
        };
        let carrier = established.carriers.current();
        let measured = |span| carrier.rtt.first_sample_at().map(|_| span).unwrap_or_default();
        ConnectionStats {
            rtt: measured(carrier.rtt.smoothed()),
            rtt_variation: measured(carrier.rtt.variation()),
            rtt_min: measured(carrier.rtt.min()),
            congestion_window_bytes: carrier.congestion.window(),
            in_flight_bytes: all(|carrier| carrier.sent.in_flight()),
            pacing_rate_bytes: carrier.congestion.pacing_rate(),
            packets_sent: all(|carrier| carrier.sent.next_number()),
            packets_lost: all(|carrier| carrier.sent.totals().lost),
            packets_lost_spuriously: all(|carrier| carrier.sent.totals().late),
            ecn: carrier.ecn.state(),
            bytes_lost: all(|carrier| carrier.congestion.totals().1),
            send_credit_bytes: established.flow.room(),
            receive_queue_bytes: self.intake.credit.held(),
            ..stats
        }
    }

    /// Whether the application sent early data (7.14).
    pub(crate) fn has_sent_early(&self) -> bool {
        self.opening.as_ref().is_some_and(|opening| opening.has_sent_early())
    }

    /// When the peer was last heard, if it is established.
    pub(crate) fn heard_at(&self) -> Option<Time> {
        self.established.as_ref().map(|established| established.heard_at)
    }

    /// The largest probe timeout of its paths; before they are there, a second.
    pub(crate) fn pto_max(&self) -> Duration {
        let of_paths = self.established.as_ref().map(|established| established.pto_max());
        of_paths.unwrap_or(Duration::from_secs(1))
    }

    /// Channels, those that are being opened or closed included.
    pub(crate) fn channel_count(&self) -> usize {
        self.registry.len()
    }

    /// Bytes that wait to be sent on its channels, and those that wait to be read.
    pub(crate) fn queued_bytes(&self, shared: &Shared) -> (u64, u64) {
        let channels = self.registry.handles().filter_map(|handle| shared.channels.get(handle.0));
        channels.fold((0, 0), |(sent, received), channel| {
            let waits = channel.inbox.as_ref().map_or(0, |inbox| inbox.bytes());
            (sent + channel.queued_bytes() as u64, received + waits as u64)
        })
    }

    /// The node calls its `poll_transmit` until it has nothing.
    fn schedule(&mut self, shared: &mut Shared) {
        if !std::mem::replace(&mut self.is_ready, true) {
            shared.ready.push_back(self.handle);
        }
    }
}
