//! Messages of the application on their way into packets: the queues of a channel, and what holds
//! them.

use std::iter::Peekable;
use std::time::Duration;

use super::Connection;
use super::application::write_lead;
use super::established::Established;
use super::registry::Registry;
use super::shared::Shared;
use crate::channel::{
    Ask, Backlog, CHARGE, Channel, Ending, Framing, LEAD_MAX, Opening, Pending, Pool, Room,
    Settling, Stop, data_len,
};
use crate::config::{NodeConfig, SendOptions};
use crate::error::Error;
use crate::id::ChannelHandle;
use crate::io::Event;
use crate::time::Time;

/// Bytes of a packet that are not the message's, whatever its number up to 2^34 and its size:
/// header with a number of 3 bytes, tag, and type, length, flags and number of DATA.
const OVERHEAD: usize = 13 + 3 + 16 + 1 + 3 + 1 + 5;

/// Times the limit of a channel's queue that it may hold of what was sent and is kept until it is
/// acknowledged: whoever acknowledges all but the first message gets no more memory of ours.
const KEPT_TIMES: usize = 16;

impl Connection {
    /// The largest message that one packet takes now, in bytes.
    pub(crate) fn packet_message_bytes(&self) -> usize {
        self.paths.current().packet_size - OVERHEAD
    }

    /// The largest message that can be sent: what the peer takes, and the queue can hold.
    pub(crate) fn message_bytes_max(&self, config: &NodeConfig) -> usize {
        let queue = config.send_queue_bytes_max.min(config.node_send_queue_bytes_max);
        let most = queue.saturating_sub(CHARGE as usize).min(u32::MAX as usize / 2);
        let peer = self.established.as_ref().map(|established| established.peer.message_max);
        most.min(peer.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX))
    }

    /// Queues a message for sending.
    ///
    /// # Errors
    ///
    /// As `send_with`.
    #[inline]
    pub(crate) fn send(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        message: &[u8],
    ) -> Result<(), Error> {
        self.queue(shared, now, handle, message, None, None)
    }

    /// Queues a message for sending as `options` say.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`; `InvalidArgument` for an empty message; `TooLarge` for one that the peer
    /// does not take, or the queue can never hold; `WouldBlock` when a queue is full (`Writable`
    /// follows); `Closed` when the channel is closing.
    pub(crate) fn send_with(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        message: &[u8],
        options: &SendOptions,
    ) -> Result<(), Error> {
        if options.may_replay && self.send_early(shared, now, handle, message, options)? {
            return Ok(());
        }
        self.queue(shared, now, handle, message, options.lifetime, options.report)
    }

    /// The channel, if it takes this message and has room for it; else says why not.
    #[inline]
    pub(super) fn admit(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
        message: &[u8],
    ) -> Result<(), Error> {
        let bytes_max = self.message_bytes_max(&shared.config);
        let channel = shared.channels.get(handle.0).ok_or(Error::InvalidChannelId)?;
        match check(&shared.config, channel, shared.send_queue_bytes, bytes_max, message.len()) {
            Err(Error::WouldBlock) => would_block(shared, handle, message.len() as u32),
            checked => checked,
        }
    }

    #[inline]
    fn queue(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        message: &[u8],
        lifetime: Option<Duration>,
        report: Option<u64>,
    ) -> Result<(), Error> {
        let bytes_max = self.message_bytes_max(&shared.config);
        let fits = message.len() <= self.packet_message_bytes();
        let packet_size = self.paths.current().packet_size;
        let Shared {
            channels, config, pool, stats, chunks, send_queue_bytes, spare_backlogs, ..
        } = &mut *shared;
        let channel = channels.get_mut(handle.0).ok_or(Error::InvalidChannelId)?;
        match check(config, channel, *send_queue_bytes, bytes_max, message.len()) {
            Ok(()) => {}
            Err(Error::WouldBlock) => return would_block(shared, handle, message.len() as u32),
            Err(error) => return Err(error),
        }
        let ask = ask_of(channel, now, lifetime, report);
        let goes_once = fits && channel.backlog.is_none() && !channel.resends();
        let mut packed = None;
        if goes_once && !ask.is_some() {
            let packing = Packing { registry: &self.registry, config, pool, packet_size };
            packed = self.established.as_mut().and_then(|one| packing.pack(one, channel, message));
        }
        channel.counts.messages_sent += 1;
        channel.counts.bytes_sent += message.len() as u64;
        stats.messages_sent += 1;
        match packed {
            Some(bytes) => {
                *send_queue_bytes += bytes;
                self.duties.ready(handle, channel);
            }
            None => {
                let backlog = channel.backlog.get_or_insert_with(|| spare_backlogs.take());
                backlog.push(message, ask, channel.sending.next(), chunks);
                *send_queue_bytes += message.len() + CHARGE as usize;
                if let Some(at) = ask.expires {
                    self.duties.expiring.note(handle, channel, at);
                }
                self.wake(handle, channel);
            }
        }
        self.schedule(shared);
        Ok(())
    }

    /// Gives a channel its turn, if it has something to send and nothing it knows of is in the way.
    #[inline]
    pub(super) fn wake(&mut self, handle: ChannelHandle, channel: &mut Channel) {
        if channel.turn.is_ready {
            return;
        }
        let is_announced =
            channel.opening != Opening::Announced || self.registry.is_allowed(channel.number);
        // What goes again needs neither credit nor memory; the peer may wait for it to give either.
        let has_lost = channel.backlog.as_ref().is_some_and(|backlog| backlog.has_lost());
        let is_held = (channel.awaits_credit || channel.is_stuffed) && !has_lost;
        let is_free = is_announced && !is_held && !channel.is_reset();
        if self.established.is_some() && is_free && channel.wants_to_send() {
            self.duties.ready(handle, channel);
        }
    }

    /// As `wake`, and has the connection asked for packets.
    pub(super) fn wake_channel(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        if let Some(channel) = shared.channels.get_mut(handle.0) {
            self.wake(handle, channel);
            self.schedule(shared);
        }
    }

    /// What follows from why a channel's backlog put no more into packets.
    // spec: 11.2 sending
    pub(super) fn on_stop(&mut self, handle: ChannelHandle, channel: &mut Channel, stop: Stop) {
        match stop {
            Stop::Full | Stop::Done | Stop::Channel(Room::None | Room::Enough) => {}
            Stop::Kept => channel.is_stuffed = true,
            Stop::Channel(Room::Unreported) => {
                channel.sending.set_reported();
                self.duties.note(handle, channel, Pending::BLOCKED);
            }
            Stop::Connection => {
                let flow = self.established.as_mut().map(|established| &mut established.flow);
                self.duties.data_blocked |= flow.is_some_and(|flow| flow.block());
                if !std::mem::replace(&mut channel.awaits_credit, true) {
                    self.duties.credit_waiters.push_back(handle);
                }
            }
        }
    }

    /// The connection's limit of data rose: who waited for that goes on.
    pub(super) fn use_credit(&mut self, shared: &mut Shared) {
        while let Some(handle) = self.duties.credit_waiters.pop_front() {
            let Some(channel) = shared.channels.get_mut(handle.0) else { continue };
            channel.awaits_credit = false;
            self.wake(handle, channel);
        }
    }

    /// Lets something happen to a channel's backlog, and does what follows for the node: its memory
    /// is counted, and the application hears what it asked for.
    pub(super) fn with_backlog<T>(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
        act: impl FnOnce(&mut Backlog, &mut Settling<'_>) -> T,
    ) -> Option<T> {
        let Shared { channels, chunks, scratch, send_queue_bytes, spare_backlogs, events, .. } =
            shared;
        let channel = channels.get_mut(handle.0)?;
        let backlog = channel.backlog.as_mut()?;
        let before = backlog.bytes();
        let (sending, reports) = (&mut channel.sending, &mut scratch.reports);
        let result = act(backlog, &mut Settling { sending, reports, chunks });
        *send_queue_bytes = *send_queue_bytes + backlog.bytes() - before;
        spare_backlogs.put(&mut channel.backlog);
        let connection = self.handle;
        for report in scratch.reports.drain(..) {
            let context = report.context;
            events.push_back(match report.reason {
                None => Event::MessageDelivered { connection, channel: handle, context },
                Some(reason) => Event::MessageLost { connection, channel: handle, context, reason },
            });
        }
        Some(result)
    }

    /// Drops what a channel has to send, and tells the application who asked for it.
    pub(super) fn drop_outgoing(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
        reason: Error,
    ) {
        let Shared { channels, pool, send_queue_bytes, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        *send_queue_bytes -= channel.outbox.clear(pool);
        self.with_backlog(shared, handle, |backlog, settling| {
            backlog.clear(reason, settling.reports, settling.chunks);
        });
    }

    /// Tells the application that a channel has room, if it waits for that.
    pub(super) fn report_writable(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        let Shared { channels, config, events, send_queue_bytes, blocked, .. } = shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        let Some(wanted) = channel.wants_writable.filter(|_| !channel.is_reset()) else { return };
        let has_few = channel.queued_bytes() <= config.low_water_bytes()
            && channel.outbox.packets() <= config.send_queue_packets_max / 2;
        if !has_few || is_full(config, channel, 0, wanted as usize) {
            return;
        }
        let fits = !is_full(config, channel, *send_queue_bytes, wanted as usize);
        if fits && *send_queue_bytes <= config.node_send_queue_bytes_max / 2 {
            channel.wants_writable = None;
            events.push_back(Event::Writable { connection: self.handle, channel: handle });
        } else if !std::mem::replace(&mut channel.is_blocked, true) {
            blocked.push_back(handle);
        }
    }

    /// Bytes that a channel may hold beyond what waits.
    pub(super) fn kept_max(config: &NodeConfig) -> usize {
        config.send_queue_bytes_max.saturating_mul(KEPT_TIMES)
    }
}

impl Shared {
    /// Queues messages as `Connection::send` would, while they are like the one before them on a
    /// channel that waits for its turn anyway, as most small ones are: then they take little more
    /// than their bytes. How many were.
    #[inline]
    pub(crate) fn send_alike<'a>(
        &mut self,
        handle: ChannelHandle,
        messages: &mut Peekable<impl Iterator<Item = &'a [u8]>>,
    ) -> usize {
        let Some(channel) = self.channels.get_mut(handle.0) else { return 0 };
        let Some(backlog) = &mut channel.backlog else { return 0 };
        let is_simple = channel.turn.is_ready
            && channel.ending == Ending::None
            && channel.message_lifetime.is_zero()
            && channel.outbox.is_empty();
        if !is_simple || self.ready.back() != Some(&channel.connection) {
            return 0;
        }
        let own = self.config.send_queue_bytes_max.saturating_sub(backlog.unsent_bytes());
        let all = self.config.node_send_queue_bytes_max.saturating_sub(self.send_queue_bytes);
        let (count, len) = backlog.push_alike(messages, own.min(all));
        channel.counts.messages_sent += count as u64;
        channel.counts.bytes_sent += (count * len) as u64;
        self.stats.messages_sent += count as u64;
        self.send_queue_bytes += count * (len + CHARGE as usize);
        count
    }
}

/// What the application asks for a message.
#[inline]
pub(super) fn ask_of(
    channel: &Channel,
    now: Time,
    lifetime: Option<Duration>,
    report: Option<u64>,
) -> Ask {
    let lifetime = lifetime.unwrap_or(channel.message_lifetime);
    let expires = (!lifetime.is_zero()).then(|| now + lifetime);
    Ask { expires, report }
}

/// The message must wait: the application hears when it need not.
#[cold]
fn would_block(shared: &mut Shared, handle: ChannelHandle, len: u32) -> Result<(), Error> {
    let Shared { channels, blocked, .. } = shared;
    let Some(channel) = channels.get_mut(handle.0) else { return Err(Error::InvalidChannelId) };
    channel.wants_writable = Some(len);
    // Nothing of its own will leave that could tell it: it is the node that has no room.
    if !channel.has_unsent() && !std::mem::replace(&mut channel.is_blocked, true) {
        blocked.push_back(handle);
    }
    Err(Error::WouldBlock)
}

/// Why a channel does not take a message of `len` bytes, if it does not.
#[inline]
fn check(
    config: &NodeConfig,
    channel: &Channel,
    node_bytes: usize,
    bytes_max: usize,
    len: usize,
) -> Result<(), Error> {
    match channel.ending {
        Ending::None => {}
        Ending::Closing => return Err(Error::Closed),
        Ending::Reset(_) => return Err(Error::InvalidChannelId),
    }
    if len == 0 {
        return Err(Error::InvalidArgument);
    }
    if len > bytes_max {
        return Err(Error::TooLarge);
    }
    if is_full(config, channel, node_bytes, len) { Err(Error::WouldBlock) } else { Ok(()) }
}

/// Whether a queue has no room for a message.
#[inline]
fn is_full(config: &NodeConfig, channel: &Channel, node_bytes: usize, len: usize) -> bool {
    let charge = len + CHARGE as usize;
    channel.queued_bytes() + charge > config.send_queue_bytes_max
        || channel.outbox.packets() >= config.send_queue_packets_max
        || node_bytes + charge > config.node_send_queue_bytes_max
}

/// What putting a message into a packet at once takes.
struct Packing<'a> {
    registry: &'a Registry,
    config: &'a NodeConfig,
    pool: &'a mut Pool,
    packet_size: usize,
}

impl Packing<'_> {
    /// Puts the next message into a packet, if flow control has no objection and the packet has
    /// room; by how many bytes the queue grew.
    // spec: 11.2 sending
    #[inline]
    fn pack(
        self,
        established: &mut Established,
        channel: &mut Channel,
        message: &[u8],
    ) -> Option<usize> {
        let charge = message.len() as u64 + u64::from(CHARGE);
        let has_room = channel.sending.room(charge) == Room::Enough;
        if !has_room || !established.flow.has_room(charge) {
            return None;
        }
        let number = channel.sending.next();
        let bytes = self.put(established, channel, number, message)?;
        channel.sending.advance(charge);
        established.flow.advance(charge);
        Some(bytes)
    }

    #[inline]
    fn put(
        self,
        established: &Established,
        channel: &mut Channel,
        number: u64,
        message: &[u8],
    ) -> Option<usize> {
        let framing = Framing {
            packet_size: self.packet_size,
            segments_max: self.config.segments_max,
            number_len: established.carriers.current().number_len(channel.outbox.packets()),
        };
        if channel.opening != Opening::Announced {
            return Some(channel.outbox.push(&framing, &[], number, message, self.pool));
        }
        // spec: 9.2 opening: every packet with data carries CHANNEL_NEW until that is acknowledged
        let mut room = [0; LEAD_MAX];
        let lead = write_lead(channel, &mut room);
        let size = framing.overhead() + lead.len() + data_len(number, message.len());
        if size > framing.packet_size || !self.registry.is_allowed(channel.number) {
            return None;
        }
        Some(channel.outbox.push(&framing, lead, number, message, self.pool))
    }
}
