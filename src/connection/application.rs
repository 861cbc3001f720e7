//! What the application does with a connection and its channels.

use super::established::Established;
use super::limits::FirstWindows;
use super::registry::Registry;
use super::shared::Shared;
use super::{Connection, Life};
use crate::channel::{
    CHARGE, Channel, Ending, Framing, LEAD_MAX, Opening, Pending, Pool, Room, Terms, data_len,
};
use crate::config::{ChannelConfig, LABEL_BYTES_MAX, NodeConfig, SendOptions};
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, Role};
use crate::info::CloseReason;
use crate::path::SentFrame;
use crate::time::Time;
use crate::wire::Writer;
use crate::wire::frame::{ChannelNew, Frame, Label, Source};

/// Bytes of a packet that are not the message's, whatever its number up to 2^34 and its size:
/// header with a number of 3 bytes, tag, and type, length, flags and number of DATA.
const OVERHEAD: usize = 13 + 3 + 16 + 1 + 3 + 1 + 5;

/// Why a message cannot be put into a packet yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// There is no packet yet, or CHANNEL_NEW and the message need one each.
    Opening,
    /// The channel's limit.
    ChannelCredit(Room),
    /// The connection's.
    Credit,
}

impl Connection {
    /// The largest message that one packet takes now, in bytes.
    pub(crate) fn message_bytes_max(&self) -> usize {
        let packet = self.path.packet_size - OVERHEAD;
        let peer = self.established.as_ref().map(|established| established.peer.message_max);
        packet.min(peer.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX))
    }

    /// Opens a channel; `ChannelOpened` or `ChannelClosed` follows. Messages may be sent at once.
    ///
    /// # Errors
    ///
    /// `Unsupported` for modes that resend or close on loss, `InvalidArgument`, `Limit` when a
    /// table is full, `Closed` when the connection is being closed.
    pub(crate) fn open_channel(
        &mut self,
        shared: &mut Shared,
        config: &ChannelConfig,
    ) -> Result<ChannelHandle, Error> {
        if self.life != Life::Open {
            return Err(Error::Closed);
        }
        if config.capabilities.0 & !Capabilities::KNOWN.0 != 0
            || config.label.len() > LABEL_BYTES_MAX
            || config.priority > ChannelNew::PRIORITY_MAX
            || config.weight == 0
        {
            return Err(Error::InvalidArgument);
        }
        if config.capabilities.0 & !Capabilities::ORDERED.0 != 0 {
            return Err(Error::Unsupported);
        }
        if self.registry.len() >= shared.config.channels_per_connection_max
            || shared.channels.len() >= shared.config.channels_max
        {
            return Err(Error::Limit);
        }
        let number = self.registry.open().ok_or(Error::Limit)?;
        let limit = self.established.as_ref().map(|one| one.peer.channel_data_max);
        let terms = Terms {
            number,
            role: Role::Initiator,
            capabilities: config.capabilities,
            priority: config.priority,
            weight: config.weight,
            label: config.label.clone(),
            limit: limit.unwrap_or(0),
            window: FirstWindows::of(&shared.config).channel,
            is_early: false,
        };
        let handle = self.add_channel(shared, terms);
        if let Some(channel) = shared.channels.get_mut(handle.0) {
            self.duties.note(handle, channel, Pending::NEW);
        }
        self.schedule(shared);
        Ok(handle)
    }

    /// Ends our direction of a channel behind what was sent; `ChannelClosed` follows when the
    /// peer's has ended too.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `Closed` when it is closing already.
    // spec: 9.4 graceful close
    pub(crate) fn close_channel(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
    ) -> Result<(), Error> {
        if shared.channel(handle)?.ending != Ending::None {
            return Err(Error::Closed);
        }
        self.begin_close(shared, handle);
        self.schedule(shared);
        Ok(())
    }

    /// Ends both directions of a channel at once; what waits in them is dropped.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`.
    // spec: 9.5 reset
    pub(crate) fn reset_channel(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        reason: CloseReason,
    ) -> Result<(), Error> {
        shared.channel(handle)?;
        self.reset_saying(shared, now, handle, Source::Application, reason, Error::Closed);
        Ok(())
    }

    /// Queues a message for sending.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`; `InvalidArgument` for an empty message; `Write` for one that no packet
    /// of the path takes; `WouldBlock` when a queue is full or the peer takes no more (`Writable`
    /// follows); `Closed` when the channel is closing.
    #[inline]
    pub(crate) fn send(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
        message: &[u8],
    ) -> Result<(), Error> {
        let bytes_max = self.message_bytes_max();
        let packet_size = self.path.packet_size;
        let Shared { channels, config, pool, stats, send_queue_bytes, .. } = shared;
        let channel = channels.get_mut(handle.0).ok_or(Error::InvalidChannelId)?;
        match channel.ending {
            Ending::None => {}
            Ending::Closing => return Err(Error::Closed),
            Ending::Reset(_) => return Err(Error::InvalidChannelId),
        }
        if message.is_empty() {
            return Err(Error::InvalidArgument);
        }
        if message.len() > bytes_max {
            return Err(Error::Write);
        }
        if is_full(config, channel, *send_queue_bytes, message.len()) {
            return self.would_block(shared, handle, None);
        }
        let packing = Packing { registry: &self.registry, config, pool, packet_size };
        let packed = match &mut self.established {
            Some(established) if channel.waiting.is_none() => {
                packing.pack(established, channel, message)
            }
            Some(_) | None => Err(Hold::Opening),
        };
        match packed {
            Ok(bytes) => {
                *send_queue_bytes += bytes;
                self.duties.ready(handle, channel);
            }
            Err(Hold::Opening) => {
                *send_queue_bytes += message.len();
                channel.waiting.get_or_insert_default().push(message);
            }
            Err(hold) => return self.would_block(shared, handle, Some(hold)),
        }
        channel.stats.messages_sent += 1;
        channel.stats.bytes_sent += message.len() as u64;
        stats.messages_sent += 1;
        self.schedule(shared);
        Ok(())
    }

    /// The message must wait: the application hears when it need not, and the peer, if it is its
    /// limit, that it is in the way.
    fn would_block(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
        hold: Option<Hold>,
    ) -> Result<(), Error> {
        let Shared { channels, config, send_queue_bytes, blocked, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return Err(Error::InvalidChannelId) };
        channel.wants_writable = true;
        let is_node_full = *send_queue_bytes > config.node_send_queue_bytes_max / 2;
        let has_none = channel.outbox.is_empty() && channel.waiting.is_none();
        if is_node_full && has_none && !std::mem::replace(&mut channel.is_blocked, true) {
            blocked.push_back(handle);
        }
        if let Some(hold) = hold {
            self.report_hold(shared, handle, hold);
        }
        Err(Error::WouldBlock)
    }

    // spec: 11.2 sending
    fn report_hold(&mut self, shared: &mut Shared, handle: ChannelHandle, hold: Hold) {
        match hold {
            Hold::Opening | Hold::ChannelCredit(Room::None | Room::Enough) => return,
            Hold::ChannelCredit(Room::Unreported) => {
                let Some(channel) = shared.channels.get_mut(handle.0) else { return };
                channel.sending.set_reported();
                self.duties.note(handle, channel, Pending::BLOCKED);
            }
            Hold::Credit => {
                let flow = self.established.as_mut().map(|established| &mut established.flow);
                self.duties.data_blocked |= flow.is_some_and(|flow| flow.block());
            }
        }
        self.schedule(shared);
    }

    /// Puts messages that had to wait into packets, as far as they need not any more.
    pub(super) fn flush_waiting(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        let packet_size = self.path.packet_size;
        let Shared { channels, config, pool, send_queue_bytes, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        let Some(established) = &mut self.established else { return };
        let Some(mut waiting) = channel.waiting.take() else { return };
        let mut hold = None;
        while let Some(message) = waiting.front() {
            let packing = Packing { registry: &self.registry, config, pool, packet_size };
            match packing.pack(established, channel, message) {
                Ok(bytes) => *send_queue_bytes = *send_queue_bytes + bytes - message.len(),
                Err(reason) => {
                    hold = Some(reason);
                    break;
                }
            }
            waiting.pop();
        }
        if !channel.outbox.is_empty() {
            self.duties.ready(handle, channel);
        }
        if let Some(hold) = hold {
            channel.waiting = Some(waiting);
            self.report_hold(shared, handle, hold);
        }
        self.schedule(shared);
    }

    /// As `send`, with options for this one message.
    ///
    /// # Errors
    ///
    /// As `send`.
    pub(crate) fn send_with(
        &mut self,
        shared: &mut Shared,
        _now: Time,
        handle: ChannelHandle,
        message: &[u8],
        options: &SendOptions,
    ) -> Result<(), Error> {
        if options.lifetime.is_some() || options.report.is_some() {
            return Err(Error::Unsupported);
        }
        match options.may_replay {
            true => self.send_early(shared, handle, message),
            false => self.send(shared, handle, message),
        }
    }

    /// Queues a message that may arrive twice: where the handshake can carry it, it leaves with the
    /// first flight.
    ///
    /// # Errors
    ///
    /// As `send`.
    // spec: 7.13 early data
    pub(crate) fn send_early(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
        message: &[u8],
    ) -> Result<(), Error> {
        if self.established.is_some() || message.is_empty() {
            return self.send(shared, handle, message);
        }
        let channel = shared.channel_mut(handle)?;
        let payload = self.early_payload(channel, message);
        let (Some(handshake), Some(opening)) = (&mut self.handshake, &mut self.opening) else {
            return self.send(shared, handle, message);
        };
        let len = payload.as_ref().map_or(0, Vec::len);
        let pushed = payload.filter(|_| len <= handshake.early_room());
        let Some(index) = pushed.and_then(|payload| handshake.push_early(payload)) else {
            return self.send(shared, handle, message);
        };
        let charge = message.len() as u32 + CHARGE;
        let first = channel.sending.advance(u64::from(charge));
        let data = SentFrame::Data { channel: handle, first, count: 1, charge };
        opening.push_early(index, vec![SentFrame::New(handle), data], handle, first, message);
        channel.stats.messages_sent += 1;
        channel.stats.bytes_sent += message.len() as u64;
        shared.stats.messages_sent += 1;
        self.schedule(shared);
        Ok(())
    }

    /// A level 2 payload with the message, if the ticket's limits allow it.
    fn early_payload(&self, channel: &Channel, message: &[u8]) -> Option<Vec<u8>> {
        let kept = self.handshake.as_ref()?.early_params()?;
        let charge = message.len() as u64 + u64::from(CHARGE);
        let position = channel.sending.position() + charge;
        let sum = self.opening.as_ref()?.early_charge() + charge;
        let is_allowed = u64::from(channel.number.index()) < kept.channels_max
            && position <= kept.channel_data_max
            && sum <= kept.data_max
            && message.len() as u64 <= kept.message_max
            && channel.waiting.is_none()
            && channel.ending == Ending::None;
        if !is_allowed {
            return None;
        }
        let number = channel.sending.next();
        let mut lead = [0; LEAD_MAX];
        let lead = write_lead(channel, &mut lead);
        let mut payload = vec![0; 4 + lead.len() + data_len(number, message.len())];
        let mut writer = Writer::new(&mut payload);
        writer.u32(channel.number.0).ok()?;
        writer.bytes(lead).ok()?;
        let data = crate::wire::frame::Data { number, offset: 0, is_final: true, bytes: message };
        Frame::Data(data).encode(&mut writer).ok()?;
        Some(payload)
    }

    /// Sends early messages that were refused, or whose attempt failed, as any others, with their
    /// numbers.
    pub(super) fn resend_early(
        &mut self,
        shared: &mut Shared,
        messages: Vec<(ChannelHandle, u64, Vec<u8>)>,
    ) {
        let packet_size = self.path.packet_size;
        let Shared { channels, config, pool, send_queue_bytes, .. } = &mut *shared;
        let Some(established) = &mut self.established else { return };
        for (handle, number, message) in messages {
            let Some(channel) = channels.get_mut(handle.0) else { continue };
            let charge = message.len() as u32 + CHARGE;
            let packing = Packing { registry: &self.registry, config, pool, packet_size };
            if channel.sending.position() > channel.sending.limit() {
                channel.sending.give_up(number, 1, charge);
                continue;
            }
            *send_queue_bytes += packing.put(established, channel, number, &message).unwrap_or(0);
            self.duties.ready(handle, channel);
        }
        self.schedule(shared);
    }

    /// Begins a key update as soon as the rules allow it.
    ///
    /// # Errors
    ///
    /// `State` before the connection is there.
    // spec: 6.7 key update
    pub(crate) fn update_keys(&mut self, shared: &mut Shared) -> Result<(), Error> {
        let established = self.established.as_mut().ok_or(Error::State)?;
        established.epochs.ask_update();
        // Something must be acknowledged in this epoch.
        self.duties.ping = true;
        self.schedule(shared);
        Ok(())
    }

    /// Asks the peer for a sign of life.
    pub(crate) fn ping(&mut self, shared: &mut Shared) {
        self.duties.ping = true;
        self.schedule(shared);
    }

    /// Whether the connection is being closed by us.
    pub(crate) fn is_closing(&self) -> bool {
        self.life != Life::Open
    }
}

/// What putting a message into a packet takes.
struct Packing<'a> {
    registry: &'a Registry,
    config: &'a NodeConfig,
    pool: &'a mut Pool,
    packet_size: usize,
}

impl Packing<'_> {
    /// Puts the next message into a packet, within the limits of flow control; by how many bytes
    /// the queue grew.
    // spec: 11.2 sending
    #[inline]
    fn pack(
        self,
        established: &mut Established,
        channel: &mut Channel,
        message: &[u8],
    ) -> Result<usize, Hold> {
        let charge = message.len() as u64 + u64::from(CHARGE);
        match channel.sending.room(charge) {
            Room::Enough => {}
            room @ (Room::None | Room::Unreported) => return Err(Hold::ChannelCredit(room)),
        }
        if !established.flow.has_room(charge) {
            return Err(Hold::Credit);
        }
        let number = channel.sending.next();
        let bytes = self.put(established, channel, number, message)?;
        channel.sending.advance(charge);
        established.flow.advance(charge);
        Ok(bytes)
    }

    #[inline]
    fn put(
        self,
        established: &Established,
        channel: &mut Channel,
        number: u64,
        message: &[u8],
    ) -> Result<usize, Hold> {
        let framing = Framing {
            packet_size: self.packet_size,
            segments_max: self.config.segments_max,
            number_len: established.carrier.number_len(channel.outbox.packets()),
        };
        if channel.opening != Opening::Announced {
            return Ok(channel.outbox.push(&framing, &[], number, message, self.pool));
        }
        // spec: 9.2 opening: every packet with data carries CHANNEL_NEW until that is acknowledged
        let mut room = [0; LEAD_MAX];
        let lead = write_lead(channel, &mut room);
        let size = framing.overhead() + lead.len() + data_len(number, message.len());
        if size > framing.packet_size || !self.registry.is_allowed(channel.number) {
            return Err(Hold::Opening);
        }
        Ok(channel.outbox.push(&framing, lead, number, message, self.pool))
    }
}

/// Writes CHANNEL_NEW of a channel.
pub(super) fn write_lead<'a>(channel: &Channel, room: &'a mut [u8; LEAD_MAX]) -> &'a [u8] {
    let label = Label::new(&channel.label).expect("its length was checked when it was opened");
    let frame = Frame::ChannelNew(ChannelNew {
        channel: channel.number,
        capabilities: channel.capabilities,
        limit: channel.announced_limit(),
        priority: channel.priority,
        weight: channel.weight,
        label,
    });
    let mut writer = Writer::new(room);
    frame.encode(&mut writer).expect("there is room for the longest label");
    let len = writer.position();
    &room[..len]
}

/// Whether a queue has no room for a message.
#[inline]
fn is_full(config: &NodeConfig, channel: &Channel, node_bytes: usize, len: usize) -> bool {
    channel.queued_bytes() + len > config.send_queue_bytes_max
        || channel.queued_packets() >= config.send_queue_packets_max
        || node_bytes + len > config.node_send_queue_bytes_max
}
