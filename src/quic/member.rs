//! One connection: its QUIC state, what is read of it and what waits to be sent on it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Bound;
use std::time::{Duration, Instant};

use quinn_proto::{Connection, ConnectionHandle, Dir, StreamEvent, StreamId};

use super::clock::Clock;
use super::drops::QuicDrop;
use super::events::{QuicConnection, QuicEvent};
use super::gate::Gate;
use super::inbox::{Harvest, Origin};
use super::message::FrameError;
use super::outbox::{Outbox, Stopped};
use super::reader::{Progress, Reader};
use super::shared::Shared;
use super::transport::{Gauge, varint};
use crate::error::Error;
use crate::id::PeerId;
use crate::io::{CloseReason, Local};
use crate::time::Time;

/// A connection, in the map or beside it.
pub(super) struct Member {
    pub(super) id: QuicConnection,
    pub(super) handle: ConnectionHandle,
    pub(super) connection: Connection,
    pub(super) gauge: Gauge,
    pub(super) gate: Gate,
    /// Where the peer is, as the map has it.
    pub(super) address: SocketAddr,
    /// A new address of the peer, and when the map believes it.
    pub(super) moves: Option<(SocketAddr, Time)>,
    pub(super) local: Local,
    pub(super) by_peer: bool,
    /// Who must answer, if the dial said so.
    pub(super) expected: Option<PeerId>,
    /// Who it is, from the end of the handshake on.
    pub(super) peer: Option<PeerId>,
    /// When it was accepted, by rule or by the owner.
    pub(super) connected: Option<Time>,
    pub(super) stage: Stage,
    /// When the present stage is given up.
    pub(super) deadline: Option<Time>,
    /// It is to be closed so as soon as everything was sent, or at that time.
    pub(super) drains: Option<(Time, End)>,
    pub(super) outbox: Outbox,
    pub(super) readers: BTreeMap<StreamId, Reader>,
    readable: BTreeSet<StreamId>,
    /// The stream that was read last.
    cursor: Option<StreamId>,
    /// Another connection with the peer must first send what it has, for the order of messages.
    pub(super) waits_for_sends: bool,
    /// Another connection with the peer must first be read, for the order of messages.
    pub(super) waits_for_reads: bool,
    /// It has something that the limits of `receive` do not allow now.
    pub(super) is_held: bool,
    /// Messages of the peer that broke off.
    pub(super) cut: u64,
    pub(super) messages_sent: u64,
    pub(super) messages_received: u64,
    /// What QUIC may keep, as it was told last.
    window: u64,
    /// Losses that were seen, and until how many bytes are written they count.
    losses: u64,
    is_lossy_until: u64,
    /// Bytes that were written when QUIC last sent nothing.
    rest_at: u64,
    /// When QUIC, the gate or a deadline wants a call.
    pub(super) due: Option<Time>,
    pub(super) wants_transmit: bool,
    /// A datagram came or a timer ran since the last transmit.
    pub(super) is_urgent: bool,
    /// QUIC has forgotten it: nothing comes or goes any more.
    pub(super) is_drained: bool,
}

/// How far a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its handshake runs.
    Handshaking,
    /// The owner was asked.
    Asking,
    /// Messages flow.
    Open,
    /// It ended so; what it received is still being read.
    Ended(End),
    /// The owner was told.
    Reported,
}

/// Why a connection ended, and what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) reason: Error,
    pub(super) said: Option<Box<CloseReason>>,
}

impl End {
    /// An end that we say.
    pub(super) fn of(reason: Error, code: Code, text: &str) -> End {
        let said = CloseReason { code: u64::from(code as u32), text: text.to_owned() };
        End { reason, said: Some(Box::new(said)) }
    }
}

/// What a connection is closed with, as the peer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Code {
    /// The owner closed it.
    Closed = 0,
    /// The peer is not who it should be.
    Identity = 0x10,
    /// The owner does not want the peer.
    Refused = 0x11,
    /// Another connection with the peer is used.
    Superseded = 0x12,
    /// It was unused for the longest time.
    Evicted = 0x13,
    /// The handshake took too long.
    Timeout = 0x14,
}

impl Member {
    pub(super) fn new(
        id: QuicConnection,
        made: (ConnectionHandle, Connection),
        gauge: Gauge,
        outbox: Outbox,
        place: (SocketAddr, Local),
        expected: Option<PeerId>,
        deadline: Time,
    ) -> Member {
        let (handle, connection) = made;
        Member {
            id,
            handle,
            by_peer: connection.side().is_server(),
            connection,
            gauge,
            gate: Gate::default(),
            address: place.0,
            moves: None,
            local: place.1,
            expected,
            peer: None,
            connected: None,
            stage: Stage::Handshaking,
            deadline: Some(deadline),
            drains: None,
            outbox,
            readers: BTreeMap::new(),
            readable: BTreeSet::new(),
            cursor: None,
            waits_for_sends: false,
            waits_for_reads: false,
            is_held: false,
            cut: 0,
            messages_sent: 0,
            messages_received: 0,
            window: 0,
            losses: 0,
            is_lossy_until: 0,
            rest_at: 0,
            due: None,
            wants_transmit: true,
            is_urgent: false,
            is_drained: false,
        }
    }

    /// Whether it still has to send what it has before another takes its place.
    pub(super) fn is_draining(&self) -> bool {
        self.drains.is_some() && !self.is_over()
    }

    /// Whether it ended.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended(_) | Stage::Reported)
    }

    /// Whether a message for the peer may be queued here.
    pub(super) fn takes_messages(&self) -> bool {
        !self.is_over() && self.drains.is_none()
    }

    /// Something happened to a stream.
    pub(super) fn on_stream(&mut self, event: StreamEvent, shared: &mut Shared) {
        match event {
            StreamEvent::Opened { dir } => self.on_opened(dir),
            StreamEvent::Readable { id } => {
                // The peer may use the other half of a stream that we opened.
                self.readers.entry(id).or_default();
                self.readable.insert(id);
            }
            StreamEvent::Writable { .. } | StreamEvent::Available { .. } => self.outbox.note_room(),
            StreamEvent::Finished { id } => self.outbox.note_finished(id),
            StreamEvent::Stopped { id, error_code } => {
                self.on_stopped(Stopped { stream: id, code: error_code.into_inner() }, shared);
            }
        }
    }

    /// Gives QUIC what it takes, and tells of what it will never take.
    pub(super) fn flush(&mut self, shared: &mut Shared) {
        let must_wait = self.connected.is_none() || self.waits_for_sends;
        if must_wait || self.is_over() {
            return;
        }
        self.fit_window(shared.config.send_window_bytes as u64);
        while let Some(stopped) = self.outbox.flush(&mut self.connection) {
            self.on_stopped(stopped, shared);
        }
        if self.drains.is_some() {
            self.outbox.finish(&mut self.connection);
        }
        if self.outbox.take_writable() && self.drains.is_none() {
            shared.events.push_back(QuicEvent::Writable { address: self.address });
        }
    }

    /// Lets QUIC keep what may leave soon, and not much more: what lies about for long has left the
    /// processor's cache when it is needed. After a loss it keeps all that it may, as everything
    /// behind a hole stays until that is filled.
    fn fit_window(&mut self, max: u64) {
        let (losses, written) = (self.gauge.losses(), self.outbox.written());
        if losses != self.losses {
            self.losses = losses;
            self.is_lossy_until = written.saturating_add(max.saturating_mul(LOSS_MEMORY));
        }
        let soon = self.connection.congestion_state().window().saturating_add(AHEAD_BYTES);
        let window = if written < self.is_lossy_until { max } else { soon.min(max) };
        if window != self.window {
            self.window = window;
            self.connection.set_send_window(window);
        }
    }

    /// Reads what the limits allow, streams taking turns.
    pub(super) fn read(&mut self, shared: &mut Shared) {
        let (Some(peer), Some(_)) = (self.peer, self.connected) else { return };
        if self.waits_for_reads {
            self.is_held = !self.readable.is_empty();
            shared.is_any_held |= self.is_held;
            return;
        }
        let origin = Origin { connection: self.id, address: self.address, peer };
        self.is_held = false;
        let mut harvest = Harvest::default();
        while let Some(stream) = self.next_readable() {
            let Some(reader) = self.readers.get_mut(&stream) else {
                self.readable.remove(&stream);
                continue;
            };
            let (max, inbox) = (shared.config.frame_bytes_max(), &mut shared.inbox);
            let connection = &mut self.connection;
            match reader.read(connection, stream, max, origin, inbox, &mut harvest) {
                Progress::Waits => {
                    self.readable.remove(&stream);
                }
                Progress::Yields => {}
                Progress::Held => {
                    // The next call begins with this one.
                    self.is_held = true;
                    shared.is_any_held = true;
                    break;
                }
                Progress::Ended => self.forget(stream, shared),
                Progress::Reset => self.forget(stream, shared),
                Progress::Refused(error) => self.refuse(stream, error, shared),
            }
            self.cursor = Some(stream);
        }
        shared.note_harvest(&harvest);
        self.messages_received += harvest.messages;
        if harvest.messages > 0 {
            shared.touched.push(self.address);
        }
    }

    /// Ends it so, and tells the peer.
    pub(super) fn end(&mut self, clock: &Clock, now: Time, end: End) {
        if self.is_over() {
            return;
        }
        let said = end.said.as_deref();
        let code = said.map_or(0, |said| said.code);
        let text = said.map_or(String::new(), |said| said.text.clone());
        let code = varint(u32::try_from(code).unwrap_or(u32::MAX));
        self.connection.close(clock.instant(now), code, text.into());
        self.note_end(end);
    }

    /// It is over.
    pub(super) fn note_end(&mut self, end: End) {
        if !self.is_over() {
            self.stage = Stage::Ended(end);
            self.deadline = None;
            self.wants_transmit = true;
        }
    }

    /// Tells the owner of the end, once everything that arrived was read.
    pub(super) fn report_end(&mut self, shared: &mut Shared) {
        let Stage::Ended(end) = &self.stage else { return };
        if self.is_held {
            return;
        }
        let end = end.clone();
        self.stage = Stage::Reported;
        let streams: Vec<StreamId> = self.readers.keys().copied().collect();
        for stream in streams {
            self.forget(stream, shared);
        }
        self.note_quiet();
        let undelivered = self.outbox.undelivered();
        shared.stats.messages_undelivered += undelivered;
        shared.events.push_back(QuicEvent::ConnectionClosed {
            connection: self.id,
            address: self.address,
            peer: self.peer,
            reason: end.reason,
            said: end.said,
            undelivered,
            cut: self.cut,
        });
    }

    /// Bytes a second that the controller allows; 0 when it has a window only.
    pub(super) fn pacing_rate(&self) -> u64 {
        let bits = self.connection.congestion_state().metrics().pacing_rate;
        bits.map_or(0, |bits| bits / 8)
    }

    /// Whether all that was taken for sending has arrived.
    pub(super) fn has_sent_everything(&mut self) -> bool {
        let is_new = self.connected.is_none();
        self.outbox.queued_bytes() == 0 && (is_new || self.connection.streams().send_streams() == 0)
    }

    /// QUIC sent nothing at `at`: it has nothing to send, or must not now.
    pub(super) fn note_rest(&mut self, at: Instant) {
        let written = self.outbox.written();
        if written != self.rest_at {
            self.rest_at = written;
            self.gauge.note_work();
        }
        // With nothing in flight, only QUIC's pacer or a path that is not validated holds it back.
        let soon = at + self.connection.rtt() * PACER_RTTS + PACER_BURST;
        let wakes_soon = self.connection.poll_timeout().is_some_and(|wakes| wakes <= soon);
        let may_be_held = wakes_soon || self.moves.is_some();
        if self.gauge.in_flight() == 0 && !may_be_held && self.outbox.queued_bytes() == 0 {
            self.outbox.note_quiet();
        }
    }

    /// If nothing is in flight, waits to be sent again, or waits here, all of it has arrived.
    fn note_quiet(&mut self) {
        let is_all_sent = self.outbox.queued_bytes() == 0 && self.outbox.written() == self.rest_at;
        if is_all_sent && self.gauge.is_all_acked() {
            self.outbox.note_quiet();
        }
    }

    /// Computes when it wants the next call.
    pub(super) fn note_due(&mut self, clock: &Clock) {
        let quic = match self.is_drained {
            true => None,
            false => self.connection.poll_timeout().map(|instant| clock.time(instant)),
        };
        let drains = match self.stage {
            Stage::Ended(_) | Stage::Reported => None,
            Stage::Handshaking | Stage::Asking | Stage::Open => {
                self.drains.as_ref().map(|(until, _)| *until)
            }
        };
        let moves = self.moves.map(|(_, at)| at);
        let all = [quic, self.deadline, drains, moves, self.gate.opens_at()];
        self.due = all.into_iter().flatten().min();
    }

    fn on_opened(&mut self, dir: Dir) {
        while let Some(stream) = self.connection.streams().accept(dir) {
            self.readers.insert(stream, Reader::default());
            self.readable.insert(stream);
            if dir == Dir::Bi && !self.outbox.offer(stream) {
                // Our half is of no use; the peer may have stopped it already.
                let _stopped = self.connection.send_stream(stream).finish();
            }
        }
    }

    fn on_stopped(&mut self, stopped: Stopped, shared: &mut Shared) {
        // Reset already, when it was seen twice.
        let _again = self.connection.send_stream(stopped.stream).reset(varint(0));
        let count = self.outbox.stop(stopped.stream);
        if count > 0 {
            shared.stats.messages_undelivered += count;
            shared.events.push_back(QuicEvent::MessagesLost {
                connection: self.id,
                address: self.address,
                count,
                code: stopped.code,
            });
        }
    }

    /// The stream after the one that was read last; the same while it is held.
    fn next_readable(&self) -> Option<StreamId> {
        let after = |cursor| self.readable.range((Bound::Excluded(cursor), Bound::Unbounded));
        let next = self.cursor.and_then(|cursor| after(cursor).next());
        next.or_else(|| self.readable.first()).copied()
    }

    /// A stream is over; what of it was no whole frame is gone.
    fn forget(&mut self, stream: StreamId, shared: &mut Shared) {
        self.readable.remove(&stream);
        let Some(reader) = self.readers.remove(&stream) else { return };
        let Some(peer) = self.peer else { return };
        let origin = Origin { connection: self.id, address: self.address, peer };
        if reader.abandon(origin, &mut shared.inbox) {
            self.cut += 1;
            shared.stats.count_dropped(QuicDrop::MessageCut, 1);
        }
    }

    /// A frame that is none: the peer is told, and nothing more is read of its stream.
    fn refuse(&mut self, stream: StreamId, error: FrameError, shared: &mut Shared) {
        // At the end of the stream there is nothing left to stop.
        let _over = self.connection.recv_stream(stream).stop(varint(error.code()));
        self.readable.remove(&stream);
        if let (Some(reader), Some(peer)) = (self.readers.remove(&stream), self.peer) {
            let origin = Origin { connection: self.id, address: self.address, peer };
            // It is reported as what it is, not as cut off.
            let _is_cut = reader.abandon(origin, &mut shared.inbox);
        }
        shared.stats.count_dropped(QuicDrop::of_frame(error), 1);
        shared.events.push_back(QuicEvent::FrameRefused {
            connection: self.id,
            address: self.address,
            error,
        });
    }
}

/// Bytes that QUIC gets beyond what it may have in flight: some batches.
const AHEAD_BYTES: u64 = 256 << 10;

/// Round trips for which QUIC's pacer holds a datagram back at most: with its smallest window, of
/// two datagrams, it waits until it has gathered ten at 5/4 of the window a round trip.
const PACER_RTTS: u32 = 5;

/// What it gathers at most where the window is large.
const PACER_BURST: Duration = Duration::from_millis(10);

/// Send windows that must pass without a loss before a connection counts as one that loses nothing.
const LOSS_MEMORY: u64 = 8;
