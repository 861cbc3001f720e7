//! What became of messages that were sent, and what follows from it.
// spec: 8.2 table

use super::Connection;
use super::established::{Late, Overdue};
use super::shared::Shared;
use crate::channel::{Ending, Opening, Pending, Piece};
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, PathId};
use crate::path::{Fate, SentFrame};
use crate::time::Time;
use crate::wire::codes::ChannelCode;
use crate::wire::frame::Source;

impl Connection {
    /// Does what follows from `fates`, and empties it.
    pub(super) fn settle(
        &mut self,
        shared: &mut Shared,
        now: Time,
        fates: &mut Vec<(SentFrame, Fate)>,
    ) {
        for (frame, fate) in fates.drain(..) {
            match fate {
                Fate::Acked => self.frame_acked(shared, now, frame),
                Fate::Lost => self.frame_lost(shared, now, frame, true),
                Fate::Dropped => self.frame_lost(shared, now, frame, false),
            }
        }
    }

    #[inline]
    fn frame_acked(&mut self, shared: &mut Shared, now: Time, frame: SentFrame) {
        let handle = if let SentFrame::Data { channel, first, count, charge } = frame {
            let Some(known) = shared.channels.get_mut(channel.0) else { return };
            known.sending.acknowledge(first, u32::from(count), u64::from(charge));
            channel
        } else if let SentFrame::Messages { channel, .. } | SentFrame::Part { channel, .. } = frame
        {
            self.with_backlog(shared, channel, |backlog, settling| {
                if let Some(piece) = piece_of(frame, settling.sending.next()) {
                    backlog.acknowledge(piece, settling);
                }
            });
            channel
        } else {
            return self.control_acked(shared, now, frame);
        };
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        if std::mem::take(&mut channel.is_stuffed) {
            self.wake(handle, channel);
        }
        if channel.sending.is_skip_due() {
            self.duties.note(handle, channel, Pending::SKIP);
        }
        if channel.ending != Ending::None {
            self.check_gone(shared, now, handle);
        }
    }

    fn control_acked(&mut self, shared: &mut Shared, now: Time, frame: SentFrame) {
        match frame {
            SentFrame::New(handle) => {
                let Some(channel) = shared.channels.get_mut(handle.0) else { return };
                if channel.opening == Opening::Announced {
                    channel.opening = Opening::Known;
                    channel.pending.clear(Pending::NEW);
                }
            }
            SentFrame::Close(handle) => self.end_acked(shared, now, handle, false),
            SentFrame::Reset(handle) => self.end_acked(shared, now, handle, true),
            SentFrame::Skip { channel: handle, number } => {
                let Some(channel) = shared.channels.get_mut(handle.0) else { return };
                channel.sending.on_skip_acked(number);
                self.check_gone(shared, now, handle);
            }
            SentFrame::NewToken(path) => {
                if let Some(established) = &mut self.established {
                    established.tokens.on_acked(path);
                }
            }
            SentFrame::Crypto { offset, len } => {
                if let Some(established) = &mut self.established {
                    established.tickets.on_acked(offset, len);
                }
            }
            SentFrame::Ack { path, largest } => {
                if let Some(carrier) = self.carrier_mut(path) {
                    carrier.received.on_ack_acked(largest);
                }
            }
            SentFrame::AckRate(path) => {
                // From now on the peer waits no longer than it was asked to.
                if let Some(carrier) = self.carrier_mut(path)
                    && let Some((_, delay)) = carrier.ack_rate.asked()
                {
                    carrier.sent.set_peer_delay(delay);
                }
            }
            SentFrame::MtuProbe { path, way, size } => {
                self.mtu_probe_acked(now, (path, way), size.into());
            }
            SentFrame::Data { .. }
            | SentFrame::Messages { .. }
            | SentFrame::Part { .. }
            | SentFrame::Observed { .. }
            | SentFrame::Accept(_)
            | SentFrame::Refusal { .. }
            | SentFrame::Blocked(_)
            | SentFrame::MaxChannelData(_)
            | SentFrame::MaxData
            | SentFrame::DataBlocked
            | SentFrame::MaxChannels
            | SentFrame::ChannelsBlocked
            | SentFrame::Abandon { .. } => {}
        }
    }

    /// CHANNEL_CLOSE or CHANNEL_RESET arrived.
    fn end_acked(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle, is_reset: bool) {
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        if !is_reset {
            channel.sending.on_close_acked();
            channel.pending.clear(Pending::CLOSE);
        }
        if let Ending::Reset(reset) = &mut channel.ending {
            // Of a reset of ours the peer must hear, whatever it heard before.
            reset.is_acknowledged |= is_reset || reset.is_close_enough;
        }
        self.check_gone(shared, now, handle);
    }

    /// What is done when a packet was lost. `counts`: by the path, not by us.
    fn frame_lost(&mut self, shared: &mut Shared, now: Time, frame: SentFrame, counts: bool) {
        let duties = &mut self.duties;
        match frame {
            SentFrame::Data { channel, first, count, charge } => {
                let count = u32::from(count);
                self.messages_lost(now, channel, Late::Messages { first, count, charge });
            }
            SentFrame::Messages { channel, .. } | SentFrame::Part { channel, .. } => {
                let next = shared.channels.get(channel.0).map(|channel| channel.sending.next());
                if let Some(piece) = next.and_then(|next| piece_of(frame, next)) {
                    self.piece_lost(shared, now, channel, piece, counts);
                }
            }
            SentFrame::New(handle) => self.note_lost(shared, handle, Pending::NEW),
            SentFrame::Accept(handle) => self.note_lost(shared, handle, Pending::ACCEPT),
            SentFrame::Close(handle) => self.note_lost(shared, handle, Pending::CLOSE),
            SentFrame::Reset(handle) => self.note_lost(shared, handle, Pending::RESET),
            SentFrame::Skip { channel, .. } => self.note_lost(shared, channel, Pending::SKIP),
            SentFrame::Blocked(handle) => self.note_lost(shared, handle, Pending::BLOCKED),
            SentFrame::MaxChannelData(handle) => self.note_lost(shared, handle, Pending::LIMIT),
            SentFrame::MaxData => duties.max_data = true,
            SentFrame::Refusal { number, code } => duties.refusals.push_back((number, code)),
            SentFrame::DataBlocked => {
                let flow = self.established.as_ref().map(|established| &established.flow);
                duties.data_blocked |= flow.is_some_and(|flow| flow.is_blocked());
            }
            SentFrame::MaxChannels => duties.max_channels = true,
            SentFrame::ChannelsBlocked => duties.channels_blocked |= self.registry.is_blocked(),
            SentFrame::NewToken(path) => {
                let tokens = self.established.as_ref().map(|established| &established.tokens);
                if tokens.is_some_and(|tokens| !tokens.is_acked(path)) {
                    duties.tokens.push_back(path);
                }
            }
            SentFrame::Abandon { path, code } => duties.abandons.push_back((path, code)),
            SentFrame::Crypto { offset, len } => {
                if let Some(established) = &mut self.established {
                    established.tickets.on_lost(offset, len);
                }
            }
            SentFrame::Ack { .. } => {}
            SentFrame::AckRate(path) => self.owe(path, |owed| owed.ack_rate = true),
            SentFrame::MtuProbe { path, way, size } => {
                self.mtu_probe_lost(now, (path, way), size.into());
            }
            SentFrame::Observed { path, sequence } => self.observed_lost(path, sequence),
        }
        self.schedule(shared);
    }

    /// A control message of a channel is to be said again, if it still has a meaning.
    fn note_lost(&mut self, shared: &mut Shared, handle: ChannelHandle, what: Pending) {
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        let is_wanted = match what {
            Pending::NEW => channel.opening == Opening::Announced && !channel.is_reset(),
            Pending::CLOSE => !channel.sending.is_close_acked(),
            Pending::RESET => channel.is_reset(),
            Pending::SKIP => !channel.is_reset(),
            Pending::LIMIT => !channel.is_reset() && !channel.receiving.has_end(),
            Pending::BLOCKED => channel.sending.is_blocked() && !channel.is_reset(),
            _ => !channel.is_reset(),
        };
        // A reset takes the place of what it follows, but for a close that told the position.
        let is_behind = channel.is_reset() && channel.pending.has(Pending::RESET);
        if is_wanted && !(is_behind && what == Pending::CLOSE) {
            self.duties.note(handle, channel, what);
        }
    }

    /// What of messages was lost goes again, or is given up when that is over.
    // spec: 10.4 giving up
    pub(super) fn piece_lost(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        piece: Piece,
        counts: bool,
    ) {
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        let Some(backlog) = channel.backlog.as_mut() else { return };
        let resends = piece.resends();
        if resends == Piece::COPY {
            // What it was a copy of has a fate of its own.
            return;
        }
        if !channel.capabilities.has(Capabilities::RESEND)
            || counts && u32::from(resends) >= channel.resend_limit
        {
            return self.messages_lost(now, handle, Late::Piece(piece));
        }
        backlog.resend(piece, (resends + u16::from(counts)).min(Piece::COPY - 1));
        self.wake(handle, channel);
    }

    /// A probe is due: where that is allowed it is what was sent first and not answered yet, which
    /// saves a round trip if that was lost.
    // spec: 13.2 differences from RFC 9002: PTO probes
    pub(super) fn repeat_oldest(&mut self, shared: &mut Shared, path: PathId) {
        let established = self.established.as_ref();
        let Some(carrier) = established.and_then(|one| one.carriers.get(path)) else { return };
        if self.duties.has_ready() {
            return;
        }
        let mut frames = std::mem::take(&mut shared.scratch.frames);
        frames.clear();
        frames.extend(carrier.sent.oldest_frames());
        for frame in &frames {
            let (SentFrame::Messages { channel, .. } | SentFrame::Part { channel, .. }) = *frame
            else {
                continue;
            };
            let handle = channel;
            let Some(channel) = shared.channels.get_mut(handle.0) else { continue };
            // A copy counts as a resend where these are counted.
            if !channel.resends() || channel.resend_limit != u32::MAX {
                continue;
            }
            let piece = piece_of(*frame, channel.sending.next());
            if let Some((piece, backlog)) = piece.zip(channel.backlog.as_mut()) {
                backlog.resend(piece, Piece::COPY);
                self.wake(handle, channel);
            }
        }
        shared.scratch.frames = frames;
    }

    /// Messages are given up one probe timeout after their packet was lost, as it may only be late.
    // spec: 10.4 giving up
    fn messages_lost(&mut self, now: Time, channel: ChannelHandle, what: Late) {
        if let Some(established) = &mut self.established {
            let at = now + established.pto_max();
            established.overdue.push_back(Overdue { at, channel, what });
        }
    }

    /// Gives up what was lost long enough ago, and tells the peer of it.
    pub(super) fn handle_overdue(&mut self, shared: &mut Shared, now: Time) {
        while let Some(established) = &mut self.established {
            let front = established.overdue.front().copied().filter(|overdue| overdue.at <= now);
            let Some(Overdue { channel: handle, what, .. }) = front else { return };
            established.overdue.pop_front();
            match what {
                Late::Messages { first, count, charge } => {
                    let Some(channel) = shared.channels.get_mut(handle.0) else { continue };
                    let is_new = channel.sending.give_up(first, count, u64::from(charge));
                    let given_up = if is_new { u64::from(count) } else { 0 };
                    self.on_given_up(shared, now, handle, given_up);
                }
                Late::Piece(piece) => {
                    let given_up = self.with_backlog(shared, handle, |backlog, settling| {
                        backlog.give_up(piece, settling)
                    });
                    self.on_given_up(shared, now, handle, given_up.unwrap_or(0));
                }
                Late::Skip => {
                    let Some(channel) = shared.channels.get_mut(handle.0) else { continue };
                    channel.is_skip_due = false;
                    self.want_skip(shared, handle);
                }
            }
        }
    }

    /// Messages with a number were given up.
    // spec: 10.3 modes, 10.5 skipping
    pub(super) fn on_given_up(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        count: u64,
    ) {
        if !self.count_lost(shared, now, handle, count) {
            return;
        }
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        if std::mem::take(&mut channel.is_stuffed) {
            // No acknowledgement of what was given up need come.
            self.wake(handle, channel);
        }
        let holds_back = Capabilities(Capabilities::RESEND.0 | Capabilities::ORDERED.0);
        let is_urgent = channel.capabilities.has(holds_back)
            || channel.ending != Ending::None
            || channel.sending.is_skip_pressing();
        if is_urgent {
            self.want_skip(shared, handle);
        } else if !std::mem::replace(&mut channel.is_skip_due, true)
            && let Some(established) = &mut self.established
        {
            let at = now + established.pto_max();
            established.overdue.push_back(Overdue { at, channel: handle, what: Late::Skip });
        }
        self.report_writable(shared, handle);
        self.schedule(shared);
    }

    /// Counts messages that will not be delivered; whether the channel goes on without them.
    // spec: 10.3 modes
    pub(super) fn count_lost(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        count: u64,
    ) -> bool {
        let channel = shared.channels.get_mut(handle.0).filter(|channel| !channel.is_reset());
        let Some(channel) = channel.filter(|_| count > 0) else { return false };
        channel.counts.messages_lost = channel.counts.messages_lost.saturating_add(count);
        if channel.closes_on_loss() {
            let loss = (Source::Protocol, ChannelCode::Loss.code());
            self.reset(shared, now, handle, loss, Error::Lost);
            return false;
        }
        if !channel.pending.is_empty() {
            // CHANNEL_CLOSE may have waited for what now is not sent.
            self.duties.note_again(handle, channel);
        }
        true
    }

    /// Has the peer told of what was given up, as soon as it helps.
    pub(super) fn want_skip(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        channel.sending.want_skip();
        if channel.sending.is_skip_due() && !channel.is_reset() {
            self.duties.note(handle, channel, Pending::SKIP);
            self.schedule(shared);
        }
    }
}

/// What of messages a packet held. `next` is the number of the channel's next message: the one that
/// is meant lies below it, not far.
fn piece_of(frame: SentFrame, next: u64) -> Option<Piece> {
    if let SentFrame::Messages { first, count, resends, .. } = frame {
        return Some(Piece::Whole { first, count, resends });
    }
    let SentFrame::Part { number, offset, len, resends, .. } = frame else { return None };
    let behind = (next as u32).wrapping_sub(number);
    let number = next.checked_sub(u64::from(behind))?;
    Some(Piece::Part { number, offset, len, resends })
}
