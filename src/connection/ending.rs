//! How a connection ends: gracefully, by a close, by the peer, or because nothing comes any more.

use super::Connection;
use super::opening::{peer_reason_of, reason_of};
use super::shared::{Notice, Shared};
use crate::channel::{Ending, HEADER_SIZE, Pending, TAG_SIZE};
use crate::crypto::SealInfo;
use crate::error::Error;
use crate::id::{ChannelHandle, ChannelNumber};
use crate::info::CloseReason;
use crate::io::Event;
use crate::time::Time;
use crate::wire::Writer;
use crate::wire::codes::{CloseCode, ConnectionCode};
use crate::wire::frame::{ConnectionClose, Frame, FrameError, Reason, Source};
use crate::wire::short;

/// Where a connection is in its life, as far as its end goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It begins, or goes on.
    Open,
    /// Its handshake failed, and may have something to say yet.
    Failed,
    /// It will be closed when what was sent is settled.
    Lingering(Box<Lingering>),
    /// We closed it.
    Closing(Box<Closing>),
    /// The peer closed it.
    Draining { until: Time },
    /// Nothing is left to do.
    Gone,
}

/// A graceful end under way.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lingering {
    pub(super) deadline: Time,
    reason: CloseReason,
    /// The channels with lower ids are settled: none is looked at twice for that.
    settled_below: u32,
}

/// What is left after a close of ours.
// spec: 14.2 close
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) until: Time,
    /// The sealed packet.
    packet: Vec<u8>,
    is_due: bool,
    /// Packets that came since it was last sent, and how many make it go again.
    heard: u32,
    next: u32,
}

/// What a close says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CloseSaid<'a> {
    pub(crate) source: Source,
    pub(crate) code: u64,
    /// The type of the message that caused it.
    pub(crate) message_type: u64,
    pub(crate) text: &'a str,
}

/// Something that a peer must not send: the connection closes with this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breach {
    pub(super) code: CloseCode,
    pub(super) message_type: u64,
}

impl Breach {
    pub(super) fn new(code: ConnectionCode) -> Breach {
        Breach { code: code.into(), message_type: 0 }
    }

    /// The code, as far as it is no alert of TLS.
    pub(super) fn connection_code(self) -> ConnectionCode {
        match self.code {
            CloseCode::Protocol(code) => code,
            CloseCode::Tls(_) => ConnectionCode::Protocol,
        }
    }
}

impl From<ConnectionCode> for Breach {
    fn from(code: ConnectionCode) -> Breach {
        Breach::new(code)
    }
}

impl From<FrameError> for Breach {
    fn from(error: FrameError) -> Breach {
        Breach { code: error.code().into(), message_type: error.message_type }
    }
}

impl<'a> CloseSaid<'a> {
    /// A code of the protocol's.
    pub(crate) fn of_code(code: u64) -> CloseSaid<'a> {
        CloseSaid { source: Source::Protocol, code, message_type: 0, text: "" }
    }

    /// What the application said, if anything.
    fn of_application(reason: &'a CloseReason) -> CloseSaid<'a> {
        let is_silent = reason.code == 0 && reason.text.is_empty();
        let source = if is_silent { Source::Protocol } else { Source::Application };
        CloseSaid { source, code: reason.code, message_type: 0, text: &reason.text }
    }

    pub(super) fn reported(&self) -> CloseReason {
        CloseReason { code: self.code, text: self.text.to_owned() }
    }
}

impl Connection {
    /// Ends it for the application: what was sent gets its time to arrive, then the peer is told.
    // spec: 14.1 graceful end
    pub(crate) fn close(&mut self, shared: &mut Shared, now: Time, reason: CloseReason) {
        if self.life != Life::Open {
            return;
        }
        if self.established.is_none() {
            return self.abandon_attempt(shared, now, &reason);
        }
        let deadline = now + shared.config.linger;
        let handles: Vec<ChannelHandle> = self.registry.handles().collect();
        for handle in handles {
            self.begin_close(shared, handle);
        }
        self.life = Life::Lingering(Box::new(Lingering { deadline, reason, settled_below: 0 }));
        self.check_linger(shared, now);
        self.schedule(shared);
    }

    /// Ends it at once with a code of 17.1, `reason` being what the application is told.
    pub(crate) fn abort(
        &mut self,
        shared: &mut Shared,
        now: Time,
        code: ConnectionCode,
        reason: Error,
    ) {
        if self.established.is_some() {
            return self.close_now(shared, now, CloseSaid::of_code(code.code()), reason);
        }
        if let Some(handshake) = &mut self.handshake {
            handshake.close(now, code.into());
        }
        self.fail(shared, reason, Some(code.code()));
    }

    /// Nothing was established: nothing can be waited for.
    fn abandon_attempt(&mut self, shared: &mut Shared, now: Time, reason: &CloseReason) {
        if let Some(handshake) = &mut self.handshake {
            // spec: 8.7 CONNECTION_CLOSE: an application's code is sent as REFUSED there
            handshake.close(now, ConnectionCode::Refused.into());
        }
        self.report_end(shared, Error::Closed, Some(CloseSaid::of_application(reason)));
        self.forget_all(shared);
        self.life = Life::Failed;
        self.schedule(shared);
        self.drain_handshake(shared, now);
    }

    /// Ends a graceful end when all is settled, or its time is over.
    pub(super) fn check_linger(&mut self, shared: &mut Shared, now: Time) {
        let Life::Lingering(lingering) = &mut self.life else { return };
        let first = self.registry.from(lingering.settled_below).find(|(_, handle)| {
            let channel = shared.channels.get(handle.0);
            channel.is_some_and(|channel| !channel.is_reset() && !channel.sending.is_ended())
        });
        if let Some((number, _)) = first {
            lingering.settled_below = number;
        }
        if first.is_none() || lingering.deadline <= now {
            let reason = lingering.reason.clone();
            self.close_now(shared, now, CloseSaid::of_application(&reason), Error::Closed);
        }
    }

    /// The peer broke a rule.
    pub(super) fn breach(&mut self, shared: &mut Shared, now: Time, breach: Breach) {
        let code = breach.code.code();
        let said = CloseSaid { message_type: breach.message_type, ..CloseSaid::of_code(code) };
        self.close_now(shared, now, said, reason_of(code));
    }

    /// Sends CONNECTION_CLOSE and forgets all but that.
    // spec: 14.2 close
    pub(super) fn close_now(
        &mut self,
        shared: &mut Shared,
        now: Time,
        said: CloseSaid<'_>,
        reason: Error,
    ) {
        if let Some(handshake) = &mut self.handshake {
            // spec: 14.3 levels of a close
            let code = match said.source {
                Source::Protocol => CloseCode::from_code(said.code),
                Source::Application => ConnectionCode::Refused.into(),
            };
            handshake.close(now, code);
        }
        self.report_end(shared, reason, Some(said));
        let packet = self.seal_close(shared, &said);
        let pto = self.established.as_ref().map(|established| established.pto_max());
        self.forget_all(shared);
        let Some((packet, pto)) = packet.zip(pto) else { return self.go(shared) };
        let until = now + 3 * pto;
        let closing = Closing { until, packet, is_due: true, heard: 0, next: 1 };
        self.life = Life::Closing(Box::new(closing));
        self.schedule(shared);
    }

    fn seal_close(&mut self, shared: &mut Shared, said: &CloseSaid<'_>) -> Option<Vec<u8>> {
        let established = self.established.as_mut()?;
        let path = established.carriers.current_id();
        let carrier = established.carriers.current_mut();
        let frame = Frame::ConnectionClose(ConnectionClose {
            source: said.source,
            code: said.code,
            message_type: said.message_type,
            reason: Reason::new(said.text),
        });
        let number = carrier.sent.begin(&mut shared.rng);
        let number_len = short::number_len(number, carrier.sent.largest_acked());
        let start = HEADER_SIZE + number_len;
        let size = (start + frame.encoded_len() + TAG_SIZE).max(short::SIZE_MIN);
        let mut packet = vec![0; size];
        packet[1..9].copy_from_slice(&carrier.token.0);
        frame.encode(&mut Writer::new(&mut packet[start..size - TAG_SIZE])).ok()?;
        let info = SealInfo { channel: ChannelNumber::NONE, path, number, number_len };
        established.epochs.seal(&info, &mut packet).ok()?;
        Some(packet)
    }

    /// CONNECTION_CLOSE of the peer's.
    pub(super) fn handle_close(
        &mut self,
        shared: &mut Shared,
        now: Time,
        close: &ConnectionClose<'_>,
    ) {
        let reason = match close.source {
            Source::Protocol => peer_reason_of(close.code),
            Source::Application => Error::PeerClosed,
        };
        let text = String::from_utf8_lossy(close.reason.as_slice());
        let said = CloseSaid {
            source: close.source,
            code: close.code,
            message_type: close.message_type,
            text: &text,
        };
        self.orphan_unread(shared, reason, Some(said));
        self.report_end(shared, reason, Some(said));
        self.drain(shared, now);
    }

    /// The peer says that it does not know the connection.
    // spec: 14.5 stateless reset: meaning
    pub(crate) fn handle_reset(&mut self, shared: &mut Shared, now: Time) {
        if self.established.is_some() {
            self.orphan_unread(shared, Error::Reset, None);
            self.report_end(shared, Error::Reset, None);
            self.drain(shared, now);
        }
    }

    /// Whether `value` is what the peer's stateless resets end with, for packets that we sent to
    /// `from`; in constant time.
    pub(crate) fn matches_reset(&self, from: std::net::SocketAddr, value: &[u8; 16]) -> bool {
        let established = self.established.as_ref();
        let there = self.paths.iter().filter(|(_, path)| path.remote == from);
        established.is_some_and(|established| {
            let of_path = |(id, _)| established.tokens.matches_reset(id, value);
            there.map(of_path).fold(false, |found, matches| found | matches)
        })
    }

    fn drain(&mut self, shared: &mut Shared, now: Time) {
        let pto = self.established.as_ref().map(|established| established.pto_max());
        self.forget_all(shared);
        self.handshake = None;
        match pto {
            Some(pto) => self.life = Life::Draining { until: now + 3 * pto },
            None => self.go(shared),
        }
    }

    /// Nothing came for too long: all goes silently.
    // spec: 14.4 idle timeout and keep-alive
    pub(super) fn end_idle(&mut self, shared: &mut Shared) {
        self.orphan_unread(shared, Error::Idle, None);
        self.report_end(shared, Error::Idle, None);
        self.go(shared);
    }

    /// Tells the application, once, that all is over.
    pub(super) fn report_end(
        &mut self,
        shared: &mut Shared,
        reason: Error,
        said: Option<CloseSaid<'_>>,
    ) {
        match self.life {
            Life::Open | Life::Lingering(_) => {}
            Life::Failed | Life::Closing(_) | Life::Draining { .. } | Life::Gone => return,
        }
        let said = said.map(|said| said.reported());
        let handles: Vec<ChannelHandle> = self.registry.handles().collect();
        for handle in handles {
            self.report_channel_end(shared, handle, reason, said.clone());
            self.remove_channel(shared, handle);
        }
        if let (Some(peer), true) = (self.peer, self.is_known()) {
            let said = said.map(Box::new);
            let connection = self.handle;
            shared.events.push_back(Event::ConnectionClosed { connection, peer, reason, said });
        }
        shared.notify(self.handle, Notice::Closed);
    }

    /// Whether the application has heard of it, and hears of its end.
    pub(super) fn is_known(&self) -> bool {
        let is_ours = self.side == crate::id::Side::Initiator;
        self.is_reported || self.is_accepted || is_ours
    }

    /// Gives back what is of no use to a connection that has ended.
    pub(super) fn forget_all(&mut self, shared: &mut Shared) {
        let handles: Vec<ChannelHandle> = self.registry.handles().collect();
        handles.into_iter().for_each(|handle| self.remove_channel(shared, handle));
        self.forget_windows(shared);
        self.established = None;
        self.opening = None;
        self.duties.clear();
    }

    /// Nothing is left to do: the node forgets it.
    pub(super) fn go(&mut self, shared: &mut Shared) {
        if self.life == Life::Gone {
            return;
        }
        self.forget_all(shared);
        self.handshake = None;
        self.life = Life::Gone;
        shared.notify(self.handle, Notice::Gone);
    }

    /// Has a channel's direction of ours end behind what was sent.
    // spec: 9.4 graceful close
    pub(super) fn begin_close(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        if channel.ending == Ending::None {
            channel.ending = Ending::Closing;
            self.duties.note(handle, channel, Pending::CLOSE);
            // spec: 10.5 skipping: who closes waits for nothing any more
            self.want_skip(shared, handle);
        }
    }
}

impl Closing {
    /// A packet came: after 1, 2, 4, 8.. of them the close goes again.
    pub(super) fn on_heard(&mut self) -> bool {
        self.heard += 1;
        let is_due = self.heard >= self.next;
        if is_due {
            (self.heard, self.next) = (0, self.next.saturating_mul(2));
            self.is_due = true;
        }
        is_due
    }

    pub(super) fn take_due(&mut self) -> Option<&[u8]> {
        std::mem::take(&mut self.is_due).then_some(&self.packet[..])
    }
}
