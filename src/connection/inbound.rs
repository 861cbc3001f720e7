//! Short packets in: opened where they lie, replay refused, then one handler a message.
// spec: 5.4 receiving

use std::net::SocketAddr;
use std::ops::Range;

use super::ending::Life;
use super::shared::Shared;
use super::{Breach, Connection};
use crate::config::ABANDONS_MAX;
use crate::crypto::{OpenError, Opened, ReplayWindow};
use crate::id::{ChannelNumber, PathId};
use crate::io::{EcnMark, Local};
use crate::path::{Ends, Path};
use crate::recovery::ReceivedPacket;
use crate::stats::DropReason;
use crate::time::Time;
use crate::wire::codes::{ConnectionCode, PathCode};
use crate::wire::frame::{Asks, Frame, Frames, Kind, Place};

/// How a datagram came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) now: Time,
    pub(crate) from: SocketAddr,
    pub(crate) local: Local,
    pub(crate) ecn: EcnMark,
}

/// A packet that opened, as its messages see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inbound {
    pub(super) now: Time,
    /// The path that it came on.
    pub(super) path: PathId,
    /// The packet's channel.
    pub(super) channel: ChannelNumber,
    /// The epoch of its keys.
    pub(super) epoch: u32,
    /// What kind of packet it was.
    pub(super) place: Place,
    /// Whether messages may be lent: the buffer is the one that the owner gave.
    pub(super) may_lend: bool,
    /// Between which addresses its datagram came, and how large that was.
    pub(super) from: Option<(Ends, usize)>,
}

impl Inbound {
    /// A packet that was kept: its bytes are nobody's buffer.
    pub(super) fn not_lent(now: Time, channel: ChannelNumber, place: Place) -> Inbound {
        let path = PathId::ZERO;
        Inbound { now, path, channel, epoch: 0, place, may_lend: false, from: None }
    }
}

impl Connection {
    /// One short packet at `at` of `buffer`, whose token named this connection and `path`. Lent
    /// messages are ranges of `buffer`.
    pub(crate) fn handle_short(
        &mut self,
        shared: &mut Shared,
        source: &Source,
        path: PathId,
        buffer: &mut [u8],
        at: Range<usize>,
    ) {
        self.stats.datagrams_received += 1;
        self.stats.bytes_received += at.len() as u64;
        if self.has_late_ack() {
            self.handle_late_ack(shared);
        }
        match &mut self.life {
            Life::Open | Life::Lingering(_) => {}
            Life::Closing(closing) => {
                if closing.on_heard() {
                    self.schedule(shared);
                }
                return;
            }
            Life::Failed | Life::Draining { .. } | Life::Gone => return,
        }
        // spec: 12.7 address changes: there is none before both sides are confirmed
        if !self.is_confirmed && source.from != self.remote() {
            return shared.count_drop(DropReason::UnknownAttempt);
        }
        if self.established.is_none() {
            return self.keep_packet(shared, &buffer[at]);
        }
        if self.paths.get(path).is_none() {
            return self.handle_other_path(shared, source.now, path, &mut buffer[at]);
        }
        self.open_and_handle(shared, source, path, buffer, at, true);
    }

    /// A short packet that had to wait for its keys.
    pub(super) fn handle_kept(
        &mut self,
        shared: &mut Shared,
        now: Time,
        packet: &mut [u8],
        at: Range<usize>,
    ) {
        if self.established.is_some() {
            let Path { remote: from, local, .. } = *self.paths.current();
            let source = Source { now, from, local, ecn: EcnMark::None };
            self.open_and_handle(shared, &source, PathId::ZERO, packet, at, false);
        }
    }

    #[inline]
    fn open_and_handle(
        &mut self,
        shared: &mut Shared,
        source: &Source,
        path: PathId,
        buffer: &mut [u8],
        at: Range<usize>,
        may_lend: bool,
    ) {
        let now = source.now;
        let Connection { established, registry, .. } = self;
        let Some(established) = established else { return };
        let Some(carrier) = established.carriers.get_mut(path) else { return };
        let packet = &mut buffer[at.clone()];
        let is_possible = |channel| registry.is_possible(channel);
        let window = &mut carrier.window;
        let opened = match established.epochs.open(now, path, window, packet, is_possible) {
            Ok(opened) => opened,
            Err(error) => return self.handle_unopened(shared, now, error),
        };
        established.heard_at = now;
        established.asked_at = None;
        let largest = carrier.received.largest();
        let is_newest = largest.is_none_or(|largest| opened.number > largest);
        let confirms = !self.is_confirmed;
        if confirms {
            self.confirm(shared);
        }
        self.note_source(shared, path, source, at.len(), is_newest);
        let payload = at.start + opened.payload.start..at.start + opened.payload.end;
        let inbound = Inbound {
            now,
            path,
            channel: opened.channel,
            epoch: opened.epoch,
            place: Place::Short,
            may_lend,
            from: Some((Ends { remote: source.from, local: source.local }, at.len())),
        };
        match self.handle_messages(shared, &inbound, buffer, payload) {
            Ok(_) if std::mem::take(&mut self.refuses_packet) => {}
            Ok(asks) => self.note_received(shared, path, &opened, asks, source),
            Err(breach) => self.breach(shared, now, breach),
        }
        if confirms {
            self.resend_unanswered(shared, now);
        }
    }

    fn handle_unopened(&mut self, shared: &mut Shared, now: Time, error: OpenError) {
        let reason = match error {
            OpenError::Layout => DropReason::MalformedPacket,
            OpenError::Channel => DropReason::UnknownChannel,
            OpenError::Epoch | OpenError::Forged => DropReason::NotOpened,
            OpenError::TooOld | OpenError::Seen => DropReason::Replayed,
            OpenError::KeyUpdate => {
                return self.breach(shared, now, ConnectionCode::KeyUpdate.into());
            }
            // spec: 6.8 limits of keys
            OpenError::AeadLimit => {
                return self.breach(shared, now, ConnectionCode::AeadLimit.into());
            }
        };
        shared.count_drop(reason);
    }

    /// The packet is to be acknowledged, if that is asked for.
    #[inline]
    fn note_received(
        &mut self,
        shared: &mut Shared,
        path: PathId,
        opened: &Opened,
        asks: Asks,
        source: &Source,
    ) {
        let now = source.now;
        let Some(established) = &mut self.established else { return };
        if opened.channel != ChannelNumber::NONE {
            established.set_busy(now);
        }
        let packet = ReceivedPacket {
            number: opened.number,
            mark: source.ecn,
            asks_for_ack: asks != Asks::No,
            asks_at_once: asks == Asks::AtOnce,
        };
        let Some(carrier) = established.carriers.get_mut(path) else { return };
        carrier.received.on_received(now, &packet);
        if carrier.received.is_due(now) {
            self.schedule(shared);
        }
    }

    /// The messages of a payload, in order, and whether they ask for an acknowledgement.
    #[inline]
    pub(super) fn handle_messages(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        buffer: &[u8],
        payload: Range<usize>,
    ) -> Result<Asks, Breach> {
        let mut asks = Asks::No;
        let mut frames = Frames::new(inbound.place, &buffer[payload]);
        let of_data = |breach| Breach { message_type: Kind::Data.code(), ..breach };
        loop {
            let mut has_data = self.lend_next(shared, inbound, buffer, &mut frames);
            if has_data.is_ok()
                && let Some(data) = frames.next_data_if(|_| true)
            {
                has_data = self.handle_data(shared, inbound, buffer, &data).map(|()| true);
            }
            if has_data.map_err(of_data)? {
                asks = if asks == Asks::No { Asks::Yes } else { asks };
            } else {
                let Some(frame) = frames.next() else { break };
                let frame = frame?;
                asks = match frame.asks() {
                    Asks::No => asks,
                    Asks::Yes if asks == Asks::AtOnce => asks,
                    Asks::Yes | Asks::AtOnce => frame.asks(),
                };
                if let Frame::Ack(ack) = &frame
                    && asks != Asks::No
                    && self.put_off(shared, inbound, ack)
                {
                    continue;
                }
                let handled = self.handle_frame(shared, inbound, buffer, &frame);
                handled
                    .map_err(|breach| Breach { message_type: frame.message_type(), ..breach })?;
            }
            if !self.is_listening() {
                break;
            }
        }
        self.use_limits(shared);
        Ok(asks)
    }

    pub(super) fn is_listening(&self) -> bool {
        match self.life {
            Life::Open | Life::Lingering(_) => true,
            Life::Failed | Life::Closing(_) | Life::Draining { .. } | Life::Gone => false,
        }
    }

    /// A packet that would open another path: there is room for one only.
    // spec: 12.1 path ids
    fn handle_other_path(
        &mut self,
        shared: &mut Shared,
        now: Time,
        path: PathId,
        packet: &mut [u8],
    ) {
        let Connection { established, registry, .. } = self;
        let Some(established) = established else { return };
        let is_possible = |channel| registry.is_possible(channel);
        let mut window = ReplayWindow::new();
        match established.epochs.open(now, path, &mut window, packet, is_possible) {
            Ok(_) => {
                if let Err(breach) = self.abandon_path(shared, now, path, PathCode::Limit) {
                    self.breach(shared, now, breach);
                }
            }
            Err(error) => self.handle_unopened(shared, now, error),
        }
    }

    /// Ends a path that is not the only one.
    // spec: 12.10 abandoning
    pub(super) fn abandon_path(
        &mut self,
        shared: &mut Shared,
        now: Time,
        path: PathId,
        code: PathCode,
    ) -> Result<(), Breach> {
        let Some(established) = &mut self.established else { return Ok(()) };
        let retire_at = now + 3 * established.pto_max();
        let is_new = established.tokens.abandon(path, retire_at);
        if is_new.map_err(|_| ConnectionCode::Protocol)? {
            if self.duties.abandons.len() >= ABANDONS_MAX {
                return Err(ConnectionCode::Protocol.into());
            }
            self.duties.abandons.push_back((path, code as u8));
            self.issue_tokens(shared);
        }
        self.schedule(shared);
        Ok(())
    }
}
