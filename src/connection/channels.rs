//! One handler a message: those that are about channels.

use super::inbound::Inbound;
use super::limits::FirstWindows;
use super::registry::Place;
use super::shared::Shared;
use super::{Breach, Connection};
use crate::channel::{Channel, Desk, Ending, Opening, Pending, Reset, Terms};
use crate::config::REFUSALS_MAX;
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, ChannelNumber, Role};
use crate::info::CloseReason;
use crate::io::Event;
use crate::time::Time;
use crate::wire::codes::{ChannelCode, ConnectionCode};
use crate::wire::frame::{self, ChannelClose, ChannelLimit, ChannelNew, ChannelReset, Source};

/// Channels that a peer may have however few are left.
const FREE_CHANNELS: usize = 16;

impl Connection {
    /// The channel that a message names; none when it is to be ignored.
    #[inline]
    pub(super) fn named(&mut self, number: ChannelNumber) -> Result<Option<ChannelHandle>, Breach> {
        match self.registry.find(number) {
            Place::Live(handle) => Ok(Some(handle)),
            Place::Ended => Ok(None),
            Place::Unused | Place::NeverOpened => Err(ConnectionCode::ChannelState.into()),
            Place::OverLimit => Err(ConnectionCode::ChannelLimit.into()),
        }
    }

    // spec: 9.2 opening
    pub(super) fn handle_new(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        new: &ChannelNew<'_>,
    ) -> Result<(), Breach> {
        let number = new.channel;
        if number.opener() == self.side || number.is_none() {
            return Err(ConnectionCode::ChannelState.into());
        }
        match self.registry.find(number) {
            Place::Live(handle) => {
                let known = shared.channels.get(handle.0);
                let is_same = known.is_none_or(|channel| channel.is_announced_by(new));
                if is_same { Ok(()) } else { Err(ConnectionCode::ChannelState.into()) }
            }
            Place::Ended => Ok(()),
            Place::OverLimit => Err(ConnectionCode::ChannelLimit.into()),
            Place::NeverOpened => Err(ConnectionCode::ChannelState.into()),
            Place::Unused => self.open_for_peer(shared, inbound, new),
        }
    }

    fn open_for_peer(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        new: &ChannelNew<'_>,
    ) -> Result<(), Breach> {
        let is_full = self.registry.len() >= shared.config.channels_per_connection_max
            || !shared.has_channel_room()
            || !self.has_fair_share(shared);
        let refusal = if new.capabilities.0 & !Capabilities::KNOWN.0 != 0 {
            Some(ChannelCode::Unsupported)
        } else if is_full {
            Some(ChannelCode::Resources)
        } else if self.is_closing() {
            Some(ChannelCode::Cancelled)
        } else {
            None
        };
        if let Some(code) = refusal {
            // What was sent on it costs credit of the connection: its sender will say how much.
            let has_room = self.refused.len() < REFUSALS_MAX;
            self.refused.insert(new.channel);
            self.pass_over(shared, new.channel, code)?;
            return if has_room { Ok(()) } else { Err(ConnectionCode::Internal.into()) };
        }
        let terms = Terms {
            number: new.channel,
            role: Role::Responder,
            capabilities: new.capabilities,
            priority: new.priority,
            weight: new.weight,
            label: new.label.as_slice().into(),
            limit: new.limit,
            window: FirstWindows::of(&shared.config).channel,
            is_early: inbound.place != frame::Place::Short,
            resend_limit: u32::MAX,
            message_lifetime: std::time::Duration::ZERO,
        };
        let handle = self.add_channel(shared, terms);
        if let Some(channel) = shared.channels.get_mut(handle.0) {
            self.duties.note(handle, channel, Pending::ACCEPT);
        }
        self.report_opened(shared, handle, true);
        self.schedule(shared);
        Ok(())
    }

    /// Whether a peer may have one more of the node's channels: what is left to others is at least
    /// as many as it has already, so that no peer takes all of them.
    // spec: 18.3 attacks on resources
    fn has_fair_share(&self, shared: &Shared) -> bool {
        self.registry.len() < shared.config.channels_max - shared.channels.len()
            || self.registry.len() < FREE_CHANNELS
    }

    /// A channel of the peer's is over before it began.
    fn pass_over(
        &mut self,
        shared: &mut Shared,
        number: ChannelNumber,
        code: ChannelCode,
    ) -> Result<(), Breach> {
        self.registry.pass_over(number);
        self.duties.max_channels |= self.registry.raise_peer().is_some();
        let has_room = self.duties.refuse(number, code as u8);
        self.schedule(shared);
        if has_room { Ok(()) } else { Err(ConnectionCode::Internal.into()) }
    }

    /// The final position of a channel that was never made here counts as consumed.
    // spec: 9.5 reset, 11.3 receiving
    fn count_refused(
        &mut self,
        shared: &mut Shared,
        now: Time,
        number: ChannelNumber,
        position: u64,
    ) -> Result<(), Breach> {
        if !self.refused.remove(&number) {
            return Ok(());
        }
        if position > u64::from(FirstWindows::of(&shared.config).channel) {
            return Err(ConnectionCode::FlowControl.into());
        }
        self.intake.credit.receive(position)?;
        self.note_connection_limit(shared, now);
        Ok(())
    }

    /// Puts a channel into the tables.
    pub(super) fn add_channel(&mut self, shared: &mut Shared, terms: Terms) -> ChannelHandle {
        let number = terms.number;
        let connection = self.handle;
        let handle = shared.channels.insert(|_| Channel::new(connection, terms));
        let handle = ChannelHandle(handle);
        self.registry.insert(number, handle);
        shared.stats.channels += 1;
        handle
    }

    pub(super) fn report_opened(
        &mut self,
        shared: &mut Shared,
        channel: ChannelHandle,
        by_peer: bool,
    ) {
        let connection = self.handle;
        shared.events.push_back(Event::ChannelOpened { connection, channel, by_peer });
    }

    /// The accepting side knows the channel: it said something on it.
    pub(super) fn opened(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        let before = std::mem::replace(&mut channel.opening, Opening::Open);
        if before == Opening::Open {
            return;
        }
        channel.pending.clear(Pending::NEW);
        if !channel.is_reset() {
            self.report_opened(shared, handle, false);
        }
    }

    // spec: 8.10 CHANNEL_ACCEPT
    pub(super) fn handle_accept(
        &mut self,
        shared: &mut Shared,
        accept: &ChannelLimit,
    ) -> Result<(), Breach> {
        if accept.channel.opener() != self.side {
            return Err(ConnectionCode::ChannelState.into());
        }
        let Some(handle) = self.named(accept.channel)? else { return Ok(()) };
        self.opened(shared, handle);
        self.raise(shared, handle, accept.limit);
        Ok(())
    }

    // spec: 8.16 MAX_DATA and its kin
    pub(super) fn handle_max_channel_data(
        &mut self,
        shared: &mut Shared,
        limit: &ChannelLimit,
    ) -> Result<(), Breach> {
        let Some(handle) = self.named(limit.channel)? else { return Ok(()) };
        self.opened(shared, handle);
        self.raise(shared, handle, limit.limit);
        Ok(())
    }

    fn raise(&mut self, shared: &mut Shared, handle: ChannelHandle, limit: u64) {
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        if channel.sending.raise(limit) {
            self.wake_channel(shared, handle);
        }
    }

    // spec: 8.16 MAX_DATA and its kin
    pub(super) fn handle_max_data(&mut self, limit: u64) {
        let flow = self.established.as_mut().map(|established| &mut established.flow);
        self.duties.credit_rose |= flow.is_some_and(|flow| flow.raise(limit));
    }

    // spec: 8.13 MAX_CHANNELS, CHANNELS_BLOCKED
    pub(super) fn handle_max_channels(&mut self, count: u32) {
        let before = self.registry.limit();
        if self.registry.raise(count) {
            self.duties.channels_rose.get_or_insert(before);
        }
    }

    /// Has channels go on that waited for limits of the connection that rose: once a packet,
    /// however often its messages raised them.
    pub(super) fn use_limits(&mut self, shared: &mut Shared) {
        let credit_rose = std::mem::take(&mut self.duties.credit_rose);
        let channels_rose = std::mem::take(&mut self.duties.channels_rose);
        if !credit_rose && channels_rose.is_none() {
            return;
        }
        if credit_rose {
            self.use_credit(shared);
        }
        if let Some(before) = channels_rose {
            let handles: Vec<ChannelHandle> = self.registry.allowed_since(before).collect();
            for handle in handles {
                let Some(channel) = shared.channels.get_mut(handle.0) else { continue };
                if channel.opening == Opening::Announced {
                    self.duties.note(handle, channel, Pending::NEW);
                    self.wake(handle, channel);
                }
            }
        }
        self.schedule(shared);
    }

    // spec: 8.11 CHANNEL_CLOSE
    pub(super) fn handle_channel_close(
        &mut self,
        shared: &mut Shared,
        now: Time,
        close: &ChannelClose,
    ) -> Result<(), Breach> {
        let Some(handle) = self.named(close.channel)? else {
            return self.count_refused(shared, now, close.channel, close.position);
        };
        self.opened(shared, handle);
        let message_max = shared.config.message_bytes_max as u64;
        let Shared { channels, spares, unfinished_bytes, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return Ok(()) };
        let intake = &mut self.intake;
        let mut desk = Desk { intake, spares, node_unfinished: unfinished_bytes, message_max };
        channel.receiving.close(close.count, close.position, &mut desk)?;
        if channel.is_reset() {
            channel.receiving.count_rest(&mut self.intake)?;
            self.note_limits(shared, now, handle);
            self.check_gone(shared, now, handle);
            return Ok(());
        }
        self.check_direction(shared, now, handle)?;
        self.note_limits(shared, now, handle);
        Ok(())
    }

    /// The peer's direction may have ended: then the application hears of it after the last
    /// message.
    // spec: 9.4 graceful close
    pub(super) fn direction_ended(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
    ) {
        let half_close = shared.config.half_close;
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        let is_read = channel.inbox.as_ref().is_none_or(|inbox| inbox.is_empty());
        if !channel.receiving.is_ended() || !is_read {
            return;
        }
        if channel.ending == Ending::None && !std::mem::replace(&mut channel.is_finished, true) {
            if half_close {
                let connection = self.handle;
                shared.events.push_back(Event::ChannelFinished { connection, channel: handle });
            } else {
                self.begin_close(shared, handle);
                self.schedule(shared);
            }
        }
        self.check_gone(shared, now, handle);
    }

    // spec: 9.5 reset
    pub(super) fn handle_channel_reset(
        &mut self,
        shared: &mut Shared,
        now: Time,
        reset: &ChannelReset<'_>,
    ) -> Result<(), Breach> {
        let (number, position) = (reset.channel, reset.position);
        let handle = match self.registry.find(number) {
            Place::Live(handle) => handle,
            Place::Ended => return self.count_refused(shared, now, number, position),
            Place::Unused => {
                // Its sender waits for our position.
                self.pass_over(shared, number, ChannelCode::Cancelled)?;
                self.refused.insert(number);
                return self.count_refused(shared, now, number, position);
            }
            Place::NeverOpened => return Err(ConnectionCode::ChannelState.into()),
            Place::OverLimit => return Err(ConnectionCode::ChannelLimit.into()),
        };
        let message_max = shared.config.message_bytes_max as u64;
        let Shared { channels, spares, unfinished_bytes, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return Ok(()) };
        let intake = &mut self.intake;
        let mut desk = Desk { intake, spares, node_unfinished: unfinished_bytes, message_max };
        channel.receiving.reset(position, &mut desk)?;
        channel.receiving.count_rest(desk.intake)?;
        if !channel.is_reset() {
            let text = String::from_utf8_lossy(reset.reason.as_slice()).into_owned();
            let said = CloseReason { code: reset.code, text };
            let reason = reset_reason(reset.source, reset.code);
            self.report_channel_end(shared, handle, reason, Some(said));
            let said = CloseReason { code: reset.code, text: String::new() };
            self.mute(shared, handle, reset.source, said, true);
        }
        self.note_limits(shared, now, handle);
        self.check_gone(shared, now, handle);
        Ok(())
    }

    /// Ends both directions of a channel for a reason of ours.
    // spec: 9.5 reset
    pub(super) fn reset(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        said: (Source, u64),
        reason: Error,
    ) {
        let (source, code) = said;
        let said = CloseReason { code, text: String::new() };
        self.reset_saying(shared, now, handle, source, said, reason);
    }

    /// The same, with a text for the peer.
    pub(super) fn reset_saying(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        source: Source,
        said: CloseReason,
        reason: Error,
    ) {
        self.report_channel_end(shared, handle, reason, Some(said.clone()));
        self.mute(shared, handle, source, said, false);
        self.note_connection_limit(shared, now);
        self.check_gone(shared, now, handle);
    }

    /// A reset begins: held and unread data goes, and CHANNEL_RESET is sent, but in answer to one
    /// when CHANNEL_CLOSE already told our position.
    fn mute(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
        source: Source,
        said: CloseReason,
        is_answer: bool,
    ) {
        self.drop_queues(shared, handle);
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        let is_close_enough = is_answer && channel.sending.is_closed();
        let is_acknowledged = is_close_enough && channel.sending.is_close_acked();
        channel.ending = Ending::Reset(Box::new(Reset {
            is_application: source == Source::Application,
            code: said.code,
            text: said.text.into(),
            is_close_enough,
            is_acknowledged,
        }));
        channel.pending = Pending::default();
        // A position within the channel's limit that the connection's does not have room for: the
        // peer broke it, and hears of it with what it sends next.
        let _ = channel.receiving.count_rest(&mut self.intake);
        if !is_close_enough {
            self.duties.note(handle, channel, Pending::RESET);
        } else if !is_acknowledged {
            self.duties.note(handle, channel, Pending::CLOSE);
        }
        self.schedule(shared);
    }

    /// Tells the application that a channel is over, once.
    pub(super) fn report_channel_end(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
        reason: Error,
        said: Option<CloseReason>,
    ) {
        let is_told = shared.channels.get(handle.0).is_none_or(|channel| channel.is_reset());
        if !is_told {
            self.drop_outgoing(shared, handle, reason);
            let (connection, said) = (self.handle, said.map(Box::new));
            let event = Event::ChannelClosed { connection, channel: handle, reason, said };
            shared.events.push_back(event);
        }
    }

    /// Forgets a channel when nothing of it is left.
    // spec: 9.3 states
    pub(super) fn check_gone(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        let Some(channel) = shared.channels.get(handle.0) else { return };
        if channel.is_gone() {
            self.report_channel_end(shared, handle, Error::Closed, None);
            self.remove_channel(shared, handle);
            if self.registry.raise_peer().is_some() {
                self.duties.max_channels = true;
                self.schedule(shared);
            }
        }
        self.check_linger(shared, now);
    }

    /// Takes a channel out of the tables.
    pub(super) fn remove_channel(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        self.drop_queues(shared, handle);
        let Some(channel) = shared.channels.remove(handle.0) else { return };
        shared.stats.channels -= 1;
        self.registry.remove(channel.number);
        self.duties.tidy(&shared.channels, self.registry.len());
    }

    /// Drops what a channel holds in both directions.
    fn drop_queues(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        self.drop_outgoing(shared, handle, Error::Closed);
        self.discard_received(shared, handle);
    }
}

/// What a reset means for the application.
fn reset_reason(source: Source, code: u64) -> Error {
    match (source, ChannelCode::from_code(code)) {
        (Source::Application, _) => Error::PeerClosed,
        (Source::Protocol, Some(ChannelCode::Refused)) => Error::Refused,
        (Source::Protocol, Some(ChannelCode::Unsupported)) => Error::Unsupported,
        (Source::Protocol, Some(ChannelCode::Resources)) => Error::Limit,
        (Source::Protocol, Some(ChannelCode::Loss)) => Error::Lost,
        (Source::Protocol, Some(ChannelCode::Cancelled | ChannelCode::Early))
        | (Source::Protocol, None) => Error::PeerClosed,
    }
}
