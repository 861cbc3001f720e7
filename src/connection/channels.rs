//! One handler a message: those that are about channels.

use super::inbound::Inbound;
use super::registry::Place;
use super::shared::Shared;
use super::{Breach, Connection};
use crate::channel::{Arrival, Channel, EndError, Ending, Opening, Pending, Reset, Terms};
use crate::config::RECEIVE_LIMIT;
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, ChannelNumber, Role};
use crate::info::CloseReason;
use crate::io::Event;
use crate::stats::DropReason;
use crate::time::Time;
use crate::wire::codes::{ChannelCode, ConnectionCode};
use crate::wire::frame::{
    self, ChannelClose, ChannelLimit, ChannelNew, ChannelReset, Data, DataSkip, Source,
};

/// Bytes that a fragment has at least that is not its message's last.
// spec: 10.1 numbers and fragments
const FRAGMENT_MIN: usize = 64;

impl From<EndError> for Breach {
    fn from(error: EndError) -> Breach {
        match error {
            EndError::State => ConnectionCode::ChannelState.into(),
            EndError::Position => ConnectionCode::FlowControl.into(),
        }
    }
}

impl Connection {
    /// The channel that a message names; none when it is to be ignored.
    #[inline]
    fn named(&mut self, number: ChannelNumber) -> Result<Option<ChannelHandle>, Breach> {
        match self.registry.find(number) {
            Place::Live(handle) => Ok(Some(handle)),
            Place::Ended => Ok(None),
            Place::Unused | Place::NeverOpened => Err(ConnectionCode::ChannelState.into()),
            Place::OverLimit => Err(ConnectionCode::ChannelLimit.into()),
        }
    }

    // spec: 8.14 DATA
    #[inline]
    pub(super) fn handle_data(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        buffer: &[u8],
        data: &Data<'_>,
    ) -> Result<(), Breach> {
        if inbound.channel.is_none() {
            return Err(ConnectionCode::Protocol.into());
        }
        let Some(handle) = self.named(inbound.channel)? else { return Ok(()) };
        let Some(channel) = shared.channels.get_mut(handle.0) else { return Ok(()) };
        if data.bytes.len() as u64 > shared.config.message_bytes_max as u64 {
            return Err(ConnectionCode::TooLarge.into());
        }
        if data.offset > 0 || !data.is_final {
            return self.handle_fragment(shared, inbound, handle, data);
        }
        if channel.is_reset() {
            return Ok(());
        }
        if channel.opening != Opening::Open {
            self.opened(shared, handle);
        }
        let Some(channel) = shared.channels.get_mut(handle.0) else { return Ok(()) };
        let charge = data.bytes.len() as u64 + u64::from(crate::channel::CHARGE);
        match channel.receiving.arrive(data.number, charge) {
            Arrival::Deliver { skipped } => channel.stats.count_dropped(skipped),
            Arrival::Late => {
                channel.stats.count_dropped(1);
                return Ok(());
            }
            Arrival::PastEnd => return Err(ConnectionCode::ChannelState.into()),
        }
        channel.stats.messages_received += 1;
        channel.stats.bytes_received += data.bytes.len() as u64;
        shared.stats.messages_received += 1;
        self.deliver(shared, inbound, handle, buffer, data.bytes);
        if shared.channels.get(handle.0).is_some_and(|channel| channel.receiving.is_ended()) {
            self.direction_ended(shared, inbound.now, handle);
        }
        Ok(())
    }

    /// Lends a message to the application, or keeps it until it is read.
    #[inline]
    fn deliver(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        handle: ChannelHandle,
        buffer: &[u8],
        message: &[u8],
    ) {
        let Shared { channels, config, events, stats, spare_inboxes, .. } = shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        let is_behind = channel.inbox.as_ref().is_some_and(|inbox| !inbox.is_empty());
        if config.lend_messages && inbound.may_lend && !is_behind {
            let start = message.as_ptr() as usize - buffer.as_ptr() as usize;
            let bytes = start..start + message.len();
            let connection = self.handle;
            return events.push_back(Event::Message { connection, channel: handle, bytes });
        }
        let node_bytes = stats.receive_queue_bytes + message.len() as u64;
        let has_room = node_bytes <= config.node_receive_queue_bytes_max as u64;
        let (bytes_max, messages_max) =
            (config.receive_queue_bytes_max, config.receive_queue_messages_max);
        let inbox = channel.inbox.get_or_insert_with(|| spare_inboxes.take());
        let was_empty = inbox.is_empty();
        if !has_room || !inbox.push(message, bytes_max, messages_max) {
            channel.stats.count_dropped(1);
            stats.dropped[DropReason::ReceiveQueueFull as usize] += 1;
            spare_inboxes.put(&mut channel.inbox);
            return;
        }
        stats.receive_queue_bytes = node_bytes;
        if was_empty {
            events.push_back(Event::Readable { connection: self.handle, channel: handle });
        }
    }

    /// Fragments belong to modes that no channel of ours has.
    fn handle_fragment(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        handle: ChannelHandle,
        data: &Data<'_>,
    ) -> Result<(), Breach> {
        if !data.is_final && data.bytes.len() < FRAGMENT_MIN {
            return Err(ConnectionCode::Protocol.into());
        }
        let end = data.offset.checked_add(data.bytes.len() as u64);
        if end.is_none_or(|end| end > shared.config.message_bytes_max as u64) {
            return Err(ConnectionCode::TooLarge.into());
        }
        let code = ChannelCode::Unsupported.code();
        self.reset(shared, inbound.now, handle, (Source::Protocol, code), Error::Unsupported);
        Ok(())
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
        let config = &shared.config;
        let is_full = self.registry.len() >= config.channels_per_connection_max
            || shared.channels.len() >= config.channels_max;
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
            self.registry.pass_over(new.channel);
            self.duties.max_channels |= self.registry.raise_peer().is_some();
            let has_room = self.duties.refuse(new.channel, code as u8);
            self.schedule(shared);
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
    fn opened(&mut self, shared: &mut Shared, handle: ChannelHandle) {
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
        self.duties.channels_rose |= self.registry.raise(count);
    }

    /// Goes through all channels for limits of the connection that rose: once a packet, however
    /// often its messages raised them.
    pub(super) fn use_limits(&mut self, shared: &mut Shared) {
        let credit_rose = std::mem::take(&mut self.duties.credit_rose);
        let channels_rose = std::mem::take(&mut self.duties.channels_rose);
        if !credit_rose && !channels_rose {
            return;
        }
        if credit_rose {
            self.use_credit(shared);
        }
        if channels_rose {
            let handles: Vec<ChannelHandle> = self.registry.handles().collect();
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
        let Some(handle) = self.named(close.channel)? else { return Ok(()) };
        self.opened(shared, handle);
        let Some(channel) = shared.channels.get_mut(handle.0) else { return Ok(()) };
        channel.receiving.close(close.count, close.position)?;
        self.direction_ended(shared, now, handle);
        Ok(())
    }

    // spec: 8.15 DATA_SKIP, 10.5 skipping
    pub(super) fn handle_skip(
        &mut self,
        shared: &mut Shared,
        now: Time,
        skip: &DataSkip,
    ) -> Result<(), Breach> {
        let Some(handle) = self.named(skip.channel)? else { return Ok(()) };
        self.opened(shared, handle);
        let Some(channel) = shared.channels.get_mut(handle.0) else { return Ok(()) };
        let skipped = channel.receiving.skip(skip.number, skip.position)?;
        channel.stats.count_dropped(skipped);
        self.direction_ended(shared, now, handle);
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
        let handle = match self.registry.find(reset.channel) {
            Place::Live(handle) => handle,
            Place::Ended => return Ok(()),
            Place::Unused => {
                self.registry.pass_over(reset.channel);
                self.duties.max_channels |= self.registry.raise_peer().is_some();
                // Its sender waits for our position.
                let has_room = self.duties.refuse(reset.channel, ChannelCode::Cancelled as u8);
                self.schedule(shared);
                return if has_room { Ok(()) } else { Err(ConnectionCode::Internal.into()) };
            }
            Place::NeverOpened => return Err(ConnectionCode::ChannelState.into()),
            Place::OverLimit => return Err(ConnectionCode::ChannelLimit.into()),
        };
        let Some(channel) = shared.channels.get_mut(handle.0) else { return Ok(()) };
        channel.receiving.reset(reset.position, RECEIVE_LIMIT)?;
        if !channel.is_reset() {
            let text = String::from_utf8_lossy(reset.reason.as_slice()).into_owned();
            let said = CloseReason { code: reset.code, text };
            let reason = reset_reason(reset.source, reset.code);
            self.report_channel_end(shared, handle, reason, Some(said));
            let said = CloseReason { code: reset.code, text: String::new() };
            self.mute(shared, handle, reset.source, said, true);
        }
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
        let is_enough = is_answer && channel.sending.is_closed();
        let is_acknowledged = is_enough && channel.sending.is_close_acked();
        channel.ending = Ending::Reset(Box::new(Reset {
            is_application: source == Source::Application,
            code: said.code,
            text: said.text.into(),
            is_acknowledged,
        }));
        channel.pending = Pending::default();
        if !is_enough {
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
    }

    /// Drops what a channel holds in both directions.
    fn drop_queues(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        self.drop_outgoing(shared, handle, Error::Closed);
        let Shared { channels, stats, spare_inboxes, .. } = shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        if let Some(inbox) = &mut channel.inbox {
            stats.receive_queue_bytes -= inbox.bytes() as u64;
            inbox.clear();
        }
        spare_inboxes.put(&mut channel.inbox);
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
