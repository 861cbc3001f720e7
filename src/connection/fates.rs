//! What became of messages that were sent, and what follows from it.
// spec: 8.2 table

use super::Connection;
use super::established::{Late, Overdue};
use super::shared::Shared;
use crate::channel::{Ending, Opening, Pending};
use crate::config::NodeConfig;
use crate::id::ChannelHandle;
use crate::path::{Fate, SentFrame};
use crate::time::Time;

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
                Fate::Lost => self.frame_lost(shared, now, frame),
            }
        }
    }

    #[inline]
    fn frame_acked(&mut self, shared: &mut Shared, now: Time, frame: SentFrame) {
        let SentFrame::Data { channel, first, count, charge } = frame else {
            return self.control_acked(shared, now, frame);
        };
        let Some(known) = shared.channels.get_mut(channel.0) else { return };
        known.sending.acknowledge(first, u32::from(count), charge);
        if known.ending != Ending::None {
            self.check_gone(shared, now, channel);
        }
    }

    fn control_acked(&mut self, shared: &mut Shared, now: Time, frame: SentFrame) {
        match frame {
            SentFrame::New(handle) => {
                let Some(channel) = shared.channels.get_mut(handle.0) else { return };
                if channel.opening == Opening::Announced {
                    channel.opening = Opening::Known;
                    channel.pending.clear(Pending::NEW);
                    self.flush_waiting(shared, handle);
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
            SentFrame::Ack { largest } => {
                if let Some(established) = &mut self.established {
                    established.carrier.received.on_ack_acked(largest);
                }
            }
            SentFrame::AckRate => {
                // From now on the peer waits no longer than it was asked to.
                let carrier = self.established.as_mut().map(|one| &mut one.carrier);
                if let Some(carrier) = carrier
                    && let Some((_, delay)) = carrier.ack_rate.asked()
                {
                    carrier.sent.set_peer_delay(delay);
                }
            }
            SentFrame::Data { .. }
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
            // CHANNEL_CLOSE is enough where it told the position in place of an answer.
            reset.is_acknowledged |= is_reset || !channel.pending.has(Pending::RESET);
        }
        self.check_gone(shared, now, handle);
    }

    fn frame_lost(&mut self, shared: &mut Shared, now: Time, frame: SentFrame) {
        let duties = &mut self.duties;
        match frame {
            SentFrame::Data { channel, first, count, charge } => {
                let count = u32::from(count);
                self.messages_lost(now, channel, Late::Messages { first, count, charge });
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
            SentFrame::AckRate => duties.ack_rate = true,
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
            let pto = established.pto_max();
            let Some(channel) = shared.channels.get_mut(handle.0) else { continue };
            match what {
                Late::Messages { first, count, charge } => {
                    if !channel.sending.give_up(first, count, charge) || channel.is_reset() {
                        continue;
                    }
                    channel.stats.count_dropped(u64::from(count));
                    // spec: 10.5 skipping: at once when the channel closes, else a while later
                    if channel.ending != Ending::None {
                        self.duties.note(handle, channel, Pending::SKIP);
                        self.schedule(shared);
                    } else if !std::mem::replace(&mut channel.is_skip_due, true) {
                        let skip = Overdue { at: now + pto, channel: handle, what: Late::Skip };
                        established.overdue.push_back(skip);
                    }
                }
                Late::Skip => {
                    channel.is_skip_due = false;
                    if channel.sending.skip().is_some() && !channel.is_reset() {
                        self.duties.note(handle, channel, Pending::SKIP);
                        self.schedule(shared);
                    }
                }
            }
        }
    }

    /// Tells the application that a channel has room, if it waits for that.
    pub(super) fn report_writable(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        let Shared { channels, config, events, send_queue_bytes, blocked, .. } = shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        if !channel.wants_writable || !has_room(config, channel) || channel.is_reset() {
            return;
        }
        if *send_queue_bytes <= config.node_send_queue_bytes_max / 2 {
            channel.wants_writable = false;
            events
                .push_back(crate::io::Event::Writable { connection: self.handle, channel: handle });
        } else if !std::mem::replace(&mut channel.is_blocked, true) {
            blocked.push_back(handle);
        }
    }
}

/// Whether half of a channel's queue is free, and nothing waits for credit.
fn has_room(config: &NodeConfig, channel: &crate::channel::Channel) -> bool {
    channel.waiting.is_none()
        && channel.outbox.bytes() <= config.send_queue_bytes_max / 2
        && channel.outbox.packets() <= config.send_queue_packets_max / 2
}
