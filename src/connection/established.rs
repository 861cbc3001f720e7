//! What a connection has once its handshake made it: keys, paths, tokens, limits, timers.

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;

use crate::channel::Piece;
use crate::config::NodeConfig;
use crate::crypto::{Epochs, Limits};
use crate::id::{ChannelHandle, PathId, Side, Token};
use crate::io::EcnMark;
use crate::path::{Carrier, Paths, SentFrame};
use crate::recovery::{ReceivedPacket, SentPacket};
use crate::time::Time;
use crate::wire::params::Params;
use crate::wire::short::Flags;

use super::acks::LateAck;
use super::handshake::{Complete, EarlyOutcome};
use super::shared::Shared;
use super::tickets::Tickets;
use super::tokens::Tokens;

/// The part of a connection that short packets need.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) epochs: Epochs,
    pub(super) carriers: Paths<Carrier>,
    pub(super) tokens: Tokens,
    pub(super) tickets: Tickets,
    /// What the peer said.
    pub(super) peer: Params,
    pub(super) flow: Flow,
    /// An ACK that is heard when the answer to its packet has left.
    pub(super) late_ack: Option<LateAck>,
    /// Messages whose packets were lost, by when that is final.
    pub(super) overdue: VecDeque<Overdue>,
    /// When the peer was last heard.
    pub(super) heard_at: Time,
    /// When the first packet left since then that asks for an answer.
    pub(super) asked_at: Option<Time>,
    /// When a channel's packet last came or went; what is kept for speed goes a while later.
    pub(super) busy_at: Time,
    pub(super) is_tidy: bool,
}

/// Flow control of the whole connection, as the sender of data.
// spec: 11.2 sending
#[derive(Debug, Default)]
pub(super) struct Flow {
    position: u64,
    limit: u64,
    blocked_at: Option<u64>,
}

/// Messages of a channel that were in a lost packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overdue {
    pub(super) at: Time,
    pub(super) channel: ChannelHandle,
    pub(super) what: Late,
}

/// What is late about them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Late {
    /// They are given up then.
    Messages { first: u64, count: u32, charge: u32 },
    /// The same, of messages that are kept.
    Piece(Piece),
    /// The peer is told then that they are.
    Skip,
}

/// What the connection knows before its handshake is complete.
pub(super) struct Begun<'a> {
    pub(super) side: Side,
    /// Ours, of path 0.
    pub(super) token: Token,
    /// At first, and at most.
    pub(super) packet_sizes: (usize, usize),
    /// Frames of each early payload.
    pub(super) early: &'a [Vec<SentFrame>],
}

impl Flow {
    pub(super) fn new(limit: u64) -> Flow {
        Flow { limit, ..Flow::default() }
    }

    #[inline]
    pub(super) fn has_room(&self, charge: u64) -> bool {
        self.position.saturating_add(charge) <= self.limit
    }

    #[inline]
    pub(super) fn advance(&mut self, charge: u64) {
        self.position += charge;
    }

    /// Charge that may still be sent.
    pub(super) fn room(&self) -> u64 {
        self.limit.saturating_sub(self.position)
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Notes that the limit is in our way; whether the peer was not told that.
    pub(super) fn block(&mut self) -> bool {
        self.blocked_at.replace(self.limit) != Some(self.limit)
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked_at == Some(self.limit)
    }

    pub(super) fn raise(&mut self, limit: u64) -> bool {
        let is_higher = limit > self.limit;
        self.limit = self.limit.max(limit);
        is_higher
    }
}

/// How long after the last packet of a channel keys and memory are given back.
const TIDY_AFTER: Duration = Duration::from_secs(5);

impl Established {
    /// Takes over from the handshake; what level 2 packets were sent is in `early`, with the frames
    /// of each.
    pub(super) fn new(
        shared: &mut Shared,
        now: Time,
        begun: Begun<'_>,
        complete: Complete,
    ) -> Established {
        let peer = complete.params;
        let delay = Duration::from_micros(peer.ack_delay_max_us);
        // spec: 5.7 spin bit
        let spin = if shared.rng.next_u32() & 1 == 0 { 0 } else { Flags::SPIN };
        let mut carrier =
            Carrier::new(peer.token, spin, complete.rtt, delay, &shared.config, begun.packet_sizes);
        let rng = &mut shared.rng;
        register_early(&mut carrier, complete.early, complete.next_number, begun.early, now, rng);
        let suite = complete.secrets.suite();
        let forgeries = complete.forgeries;
        let tickets = match begun.side {
            Side::Initiator => Tickets::receiving(complete.session),
            Side::Responder => Tickets::sending(complete.tickets),
        };
        let paths_max = u32::try_from(peer.paths_max.min(16)).unwrap_or(1);
        Established {
            epochs: Epochs::new(complete.secrets, begun.side, Limits::of(suite), forgeries),
            carriers: Paths::new(carrier),
            tokens: Tokens::new(begun.token, peer.token, peer.reset, paths_max),
            tickets,
            flow: Flow::new(peer.data_max),
            peer,
            late_ack: None,
            overdue: VecDeque::new(),
            heard_at: now,
            asked_at: None,
            busy_at: now,
            is_tidy: false,
        }
    }

    /// The probe timeout, the largest of all paths.
    pub(super) fn pto_max(&self) -> Duration {
        let all = self.carriers.iter().map(|(_, carrier)| carrier.pto());
        all.max().expect("a path is always live")
    }

    /// When the connection is over if nothing more is heard.
    // spec: 14.4 idle timeout and keep-alive
    pub(super) fn idle_at(&self, config: &NodeConfig) -> Option<Time> {
        let ours = Some(config.idle_timeout).filter(|span| !span.is_zero());
        let theirs = Some(self.peer.idle_timeout_ms).filter(|ms| *ms > 0);
        let least = ours.into_iter().chain(theirs.map(Duration::from_millis)).min()?;
        let from = self.asked_at.map_or(self.heard_at, |asked| asked.max(self.heard_at));
        Some(from + least.max(3 * self.pto_max()))
    }

    /// When the peer is to be asked for a sign of life.
    pub(super) fn keep_alive_at(&self, config: &NodeConfig) -> Option<Time> {
        let is_asking = self.carriers.iter().any(|(_, carrier)| carrier.sent.is_asking());
        (!config.keep_alive.is_zero() && !is_asking).then(|| self.heard_at + config.keep_alive)
    }

    /// When keys and memory that rest are to be given back.
    pub(super) fn tidy_at(&self) -> Option<Time> {
        (!self.is_tidy).then(|| self.busy_at + TIDY_AFTER)
    }

    /// Gives back keys that rest, and the session that waits for tickets.
    pub(super) fn tidy(&mut self, now: Time) {
        let has_keys = self.epochs.drop_idle_keys();
        self.tickets.give_up();
        self.overdue.shrink_to_fit();
        // Once more: what was used since the call before is kept by this one.
        self.is_tidy = !has_keys;
        self.busy_at = now;
    }

    /// A level 2 packet of the peer's was opened by the handshake: its number is path 0's.
    pub(super) fn take_early(&mut self, number: u64, received: Time) {
        let Some(carrier) = self.carriers.get_mut(PathId::ZERO) else { return };
        if carrier.window.insert(number) {
            let packet = ReceivedPacket {
                number,
                mark: EcnMark::None,
                asks_for_ack: true,
                asks_at_once: false,
            };
            carrier.received.on_received(received, &packet);
        }
    }

    /// A packet of a channel came or goes.
    #[inline]
    pub(super) fn set_busy(&mut self, now: Time) {
        self.busy_at = now;
        self.is_tidy = false;
    }
}

/// Puts the level 2 packets that were sent into path 0's record: it is one space of numbers.
// spec: 4.2 levels
fn register_early(
    carrier: &mut Carrier,
    early: Option<EarlyOutcome>,
    next_number: u64,
    frames: &[Vec<SentFrame>],
    now: Time,
    rng: &mut ChaCha12Rng,
) {
    let mut sent = early.map(|early| if early.is_accepted { early.sent } else { Vec::new() });
    let sent = sent.get_or_insert_with(Vec::new);
    while carrier.sent.next_number() < next_number {
        let number = carrier.sent.begin(rng);
        let packet = sent.iter().find(|packet| packet.number == number);
        for frame in packet.and_then(|packet| frames.get(packet.payload)).into_iter().flatten() {
            carrier.sent.note(*frame);
        }
        match packet {
            Some(packet) => carrier.finish_early(packet.sent, packet.bytes),
            // Never sent, as far as anybody knows.
            None => carrier.sent.finish(SentPacket { sent_at: now, ..SentPacket::default() }),
        }
    }
}
