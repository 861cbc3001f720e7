//! Application messages in: put together, in the order of their channel, to the application.

use super::inbound::Inbound;
use super::shared::Shared;
use super::{Breach, Connection};
use crate::channel::{
    Arrival, Channel, Desk, Fault, Intake, Opening, Pending, SpareInboxes, Spares, charge_of,
    check_data,
};
use crate::config::NodeConfig;
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle};
use crate::info::Received;
use crate::io::{Event, EventQueue};
use crate::stats::{DropReason, NodeStats};
use crate::time::Time;
use crate::wire::codes::ConnectionCode;
use crate::wire::frame::{Data, DataSkip, Frames};

impl From<Fault> for Breach {
    fn from(fault: Fault) -> Breach {
        match fault {
            Fault::ChannelState => ConnectionCode::ChannelState.into(),
            Fault::FlowControl => ConnectionCode::FlowControl.into(),
            Fault::TooLarge => ConnectionCode::TooLarge.into(),
            Fault::Protocol => ConnectionCode::Protocol.into(),
        }
    }
}

/// A message for the application.
enum Message<'a> {
    /// In the buffer that the owner gave, at this place.
    Lent(&'a [u8], usize),
    /// In a buffer of ours; its charge is held.
    Owned(Vec<u8>),
}

/// Where messages go: to an event, or to the channel's inbox.
struct Outlet<'a> {
    config: &'a NodeConfig,
    events: &'a mut EventQueue,
    stats: &'a mut NodeStats,
    spare_inboxes: &'a mut SpareInboxes,
    spares: &'a mut Spares,
    intake: &'a mut Intake,
    handle: ChannelHandle,
    may_lend: bool,
}

impl Connection {
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
        let message_max = shared.config.message_bytes_max as u64;
        if channel.is_reset() {
            return Ok(check_data(data, message_max)?);
        }
        if channel.opening != Opening::Open {
            self.opened(shared, handle);
        }
        let Shared { channels, spares, unfinished_bytes, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return Ok(()) };
        let intake = &mut self.intake;
        let mut desk = Desk { intake, spares, node_unfinished: unfinished_bytes, message_max };
        let is_late = match channel.receiving.arrive(data, &mut desk)? {
            Arrival::Nothing => true,
            Arrival::Refuse => {
                self.refuses_packet = true;
                shared.count_drop(DropReason::ReceiveQueueFull);
                return Ok(());
            }
            Arrival::Deliver { skipped } => {
                self.report_skipped(shared, handle, skipped);
                let at = data.bytes.as_ptr() as usize - buffer.as_ptr() as usize;
                self.deliver(shared, inbound.may_lend, handle, Message::Lent(data.bytes, at));
                false
            }
            Arrival::Assembled { bytes, skipped } => {
                self.report_skipped(shared, handle, skipped);
                self.deliver(shared, inbound.may_lend, handle, Message::Owned(bytes));
                false
            }
        };
        if !is_late {
            self.release(shared, inbound.may_lend, handle, 0);
        }
        self.check_direction(shared, inbound.now, handle)?;
        self.note_limits(shared, inbound.now, handle);
        self.check_unfinished(shared, inbound.now, handle);
        Ok(())
    }

    /// Lends the messages that come next, for as long as they are whole and in order, on a channel
    /// where nothing else waits. Most are so, and take one look-up a packet. Whether there was any.
    // spec: 8.14 DATA
    #[inline]
    pub(super) fn lend_next(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        buffer: &[u8],
        frames: &mut Frames<'_>,
    ) -> Result<bool, Breach> {
        let may_lend = inbound.may_lend && shared.config.lend_messages;
        if !(may_lend && frames.is_data()) || inbound.channel.is_none() {
            return Ok(false);
        }
        let Some(handle) = self.named(inbound.channel)? else { return Ok(false) };
        let Shared { channels, config, events, stats, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return Ok(false) };
        let is_open = channel.opening == Opening::Open && !channel.is_reset();
        if !is_open || channel.inbox.is_some() {
            return Ok(false);
        }
        let (receiving, intake) = (&mut channel.receiving, &mut self.intake);
        let (mut messages, mut bytes_received) = (0, 0);
        let bytes_max = config.message_bytes_max;
        while let Some(row) = frames.next_row_if(
            |data| data.bytes.len() <= bytes_max && receiving.is_next(data),
            |data| receiving.room(data.bytes.len(), intake),
        ) {
            let (len, count) = (row.first.len(), row.count);
            receiving.take_next(len, count as u64, intake)?;
            messages += count as u64;
            bytes_received += (count * len) as u64;
            let at = row.first.as_ptr() as usize - buffer.as_ptr() as usize;
            events.push_row(self.handle, handle, at..at + len, (row.stride, count));
        }
        if messages == 0 {
            return Ok(false);
        }
        channel.counts.messages_received += messages;
        channel.counts.bytes_received += bytes_received;
        stats.messages_received += messages;
        if channel.receiving.is_due() && !channel.pending.has(Pending::LIMIT) {
            self.raise_channel(shared, inbound.now, handle);
        }
        self.note_connection_limit(shared, inbound.now);
        Ok(true)
    }

    /// Delivers one message.
    #[inline]
    fn deliver(
        &mut self,
        shared: &mut Shared,
        may_lend: bool,
        handle: ChannelHandle,
        message: Message<'_>,
    ) {
        let Shared { channels, config, events, stats, spare_inboxes, spares, .. } = shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        let intake = &mut self.intake;
        let outlet =
            Outlet { config, events, stats, spare_inboxes, spares, intake, handle, may_lend };
        outlet.deliver(channel, message);
    }

    /// Delivers what was held until its turn, or until what is missing below `skipped_to` was given
    /// up.
    fn release(
        &mut self,
        shared: &mut Shared,
        may_lend: bool,
        handle: ChannelHandle,
        skipped_to: u64,
    ) {
        loop {
            let Shared { channels, spares, .. } = &mut *shared;
            let Some(channel) = channels.get_mut(handle.0) else { return };
            let Some(bytes) = channel.receiving.release(skipped_to, spares) else { return };
            self.deliver(shared, may_lend, handle, Message::Owned(bytes));
        }
    }

    /// Tells the application of messages that will never come.
    // spec: 10.3 modes
    fn report_skipped(&mut self, shared: &mut Shared, handle: ChannelHandle, count: u64) {
        let Some(channel) = shared.channels.get_mut(handle.0).filter(|_| count > 0) else { return };
        let total = channel.counts.messages_skipped.saturating_add(count);
        channel.counts.messages_skipped = total;
        if !channel.capabilities.has(Capabilities::CLOSE_ON_LOSS) {
            let connection = self.handle;
            let event = Event::MessagesSkipped { connection, channel: handle, count };
            shared.events.push_back(event);
        }
    }

    // spec: 8.15 DATA_SKIP, 10.5 skipping
    pub(super) fn handle_skip(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        skip: &DataSkip,
    ) -> Result<(), Breach> {
        let Some(handle) = self.named(skip.channel)? else { return Ok(()) };
        self.opened(shared, handle);
        let message_max = shared.config.message_bytes_max as u64;
        let Shared { channels, spares, unfinished_bytes, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return Ok(()) };
        if channel.is_reset() {
            return Ok(());
        }
        let intake = &mut self.intake;
        let mut desk = Desk { intake, spares, node_unfinished: unfinished_bytes, message_max };
        let skipped = channel.receiving.skip(skip.number, skip.position, &mut desk)?;
        self.report_skipped(shared, handle, skipped);
        self.release(shared, inbound.may_lend, handle, skip.number);
        self.release(shared, inbound.may_lend, handle, 0);
        self.check_direction(shared, inbound.now, handle)?;
        self.note_limits(shared, inbound.now, handle);
        Ok(())
    }

    /// Does what follows if the peer's direction is over.
    #[inline]
    pub(super) fn check_direction(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
    ) -> Result<(), Breach> {
        let Some(channel) = shared.channels.get_mut(handle.0) else { return Ok(()) };
        if channel.receiving.is_ended() {
            channel.receiving.count_rest(&mut self.intake)?;
            self.direction_ended(shared, now, handle);
        }
        Ok(())
    }

    /// Reads the oldest message, or the rest of one.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `DataUnavailable` when nothing waits.
    pub(crate) fn receive(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        out: &mut [u8],
    ) -> Result<Received, Error> {
        let received = shared.read(handle, out)?;
        let channel = shared.channel_mut(handle)?;
        let end = if received.remaining == 0 { charge_of(0) } else { 0 };
        channel.receiving.let_go(received.len as u64 + end, &mut self.intake);
        let is_over = channel.inbox.is_none() && channel.receiving.has_end();
        self.note_limits(shared, now, handle);
        if is_over {
            self.direction_ended(shared, now, handle);
        }
        Ok(received)
    }

    /// Throws away what a channel holds of messages that cannot be read yet. What can be costs no
    /// credit any more.
    pub(super) fn discard_unfinished(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        let message_max = shared.config.message_bytes_max as u64;
        let Shared { channels, spares, unfinished_bytes, .. } = shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        let intake = &mut self.intake;
        let mut desk = Desk { intake, spares, node_unfinished: unfinished_bytes, message_max };
        channel.receiving.discard(&mut desk);
    }

    /// Throws away what a channel holds of the peer's.
    pub(super) fn discard_received(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        self.discard_unfinished(shared, handle);
        let Shared { channels, spare_inboxes, stats, .. } = shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        if let Some(inbox) = &mut channel.inbox {
            stats.receive_queue_bytes -= inbox.bytes() as u64;
            inbox.clear();
        }
        spare_inboxes.put(&mut channel.inbox);
    }
}

impl Outlet<'_> {
    #[inline]
    fn deliver(self, channel: &mut Channel, message: Message<'_>) {
        let connection = channel.connection;
        let bytes = match &message {
            Message::Lent(bytes, _) => bytes.len(),
            Message::Owned(bytes) => bytes.len(),
        };
        channel.counts.messages_received += 1;
        channel.counts.bytes_received += bytes as u64;
        self.stats.messages_received += 1;
        let is_behind = channel.inbox.as_ref().is_some_and(|inbox| !inbox.is_empty());
        if !(self.config.lend_messages && self.may_lend) || is_behind {
            return self.keep(channel, message);
        }
        let channel_handle = self.handle;
        self.events.push_back(match message {
            Message::Lent(bytes, at) => {
                let bytes = at..at + bytes.len();
                Event::Message { connection, channel: channel_handle, bytes }
            }
            Message::Owned(bytes) => {
                channel.receiving.let_go(charge_of(bytes.len() as u64), self.intake);
                Event::Assembled { connection, channel: channel_handle, bytes }
            }
        });
    }

    /// Keeps a message until it is read.
    fn keep(self, channel: &mut Channel, message: Message<'_>) {
        let inbox = channel.inbox.get_or_insert_with(|| self.spare_inboxes.take());
        let was_empty = inbox.is_empty();
        let before = inbox.bytes();
        match message {
            Message::Lent(bytes, _) => {
                inbox.push_free(bytes);
                channel.receiving.hold(charge_of(bytes.len() as u64), self.intake);
            }
            Message::Owned(bytes) => {
                if let Some(small) = inbox.push_buffer(bytes) {
                    self.spares.buffers.put(small, 0);
                }
            }
        }
        self.stats.receive_queue_bytes += (inbox.bytes() - before) as u64;
        if was_empty {
            let connection = channel.connection;
            self.events.push_back(Event::Readable { connection, channel: self.handle });
        }
    }
}
