//! From messages to packets that wait, and from those to the network.

use super::handshake::{ANSWER_SIZE, stranger_framing};
use super::inbound::Inbound;
use super::output::{Destination, Loose, Source};
use super::shared::Shared;
use super::{Connection, State};
use crate::config::{NodeConfig, Profile};
use crate::error::Error;
use crate::id::ChannelHandle;
use crate::io::Event;
use crate::time::Time;
use crate::v0::channel::{Batch, Channel, Content, Early, Framing, Handshake, Taken};
use crate::wire::message::{Message, data_overhead};
use crate::wire::packet::{ENVELOPE_SIZE, Header};

/// The largest message that a packet of `packet_size` carries.
pub(crate) fn message_bytes_max(packet_size: usize) -> usize {
    let room = packet_size - ENVELOPE_SIZE;
    let estimate = room - data_overhead(room);
    // The shorter length field of a slightly shorter message may make room for one more byte.
    if estimate + 1 + data_overhead(estimate + 1) <= room { estimate + 1 } else { estimate }
}

impl Connection {
    /// The largest message that can be sent now.
    pub(crate) fn message_bytes_max(&self) -> usize {
        message_bytes_max(self.path.packet_size)
    }

    /// Queues a message of the application's.
    pub(crate) fn send(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        message: &[u8],
    ) -> Result<(), Error> {
        let Shared { channels, config, output, stats, .. } = shared;
        let channel = channels.get_mut(handle.0).ok_or(Error::InvalidChannelId)?;
        if channel.is_closing {
            return Err(Error::Closed);
        }
        if self.state == State::Asked {
            return Err(Error::State);
        }
        if message.is_empty() {
            return Err(Error::InvalidArgument);
        }
        let cost = message.len() + data_overhead(message.len()) + ENVELOPE_SIZE;
        if cost > self.path.packet_size {
            return Err(Error::Write);
        }
        let is_node_full = output.bytes + cost > config.node_send_queue_bytes_max;
        let is_full = channel.queued_bytes() + cost > config.send_queue_bytes_max
            || channel.queued_packets() >= config.send_queue_packets_max;
        if is_full || is_node_full {
            channel.wants_writable = true;
            if is_node_full {
                output.block(handle, channel);
            }
            return Err(Error::WouldBlock);
        }
        channel.stats.messages_sent += 1;
        channel.stats.bytes_sent += message.len() as u64;
        stats.messages_sent += 1;
        if let Handshake::Pending(pending) = &mut channel.handshake {
            pending.early.get_or_insert_default().push(message);
            output.bytes += message.len();
            return Ok(());
        }
        let framing = self.framing(config, channel);
        if let Some(grown) = channel.outbox.push_alike(&framing, message) {
            // The channel waits for its turn already, with the packet before.
            output.bytes += grown;
            channel.last_active = now;
            return Ok(());
        }
        let content = data_content(channel, message);
        self.push(shared, now, handle, &content);
        Ok(())
    }

    /// Puts a message that fits into the channel's outbox.
    fn push_data(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle, message: &[u8]) {
        let Ok(channel) = shared.channel(handle) else { return };
        let content = data_content(channel, message);
        self.push(shared, now, handle, &content);
    }

    fn push(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        content: &Content<'_>,
    ) {
        let Shared { channels, config, output, .. } = shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        let framing = self.framing(config, channel);
        if config.profile == Profile::Reference {
            return shared.send_announced(&framing, content, &self.destination());
        }
        output.bytes += channel.outbox.push(&framing, content, &mut output.pool);
        channel.last_active = now;
        if !channel.is_ready {
            schedule_channel(shared, now, handle);
        }
    }

    /// What waited for the channel's id. A message that the path no longer takes is dropped.
    pub(super) fn send_early(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        early: &Early,
    ) {
        for message in early.messages() {
            if message.len() <= self.message_bytes_max() {
                self.push_data(shared, now, handle, message);
            } else if let Ok(channel) = shared.channel_mut(handle) {
                channel.stats.messages_dropped += 1;
            }
        }
        let Shared { channels, output, .. } = shared;
        if let Some(channel) = channels.get_mut(handle.0)
            && channel.wants_writable
            && channel.outbox.is_empty()
        {
            output.block(handle, channel);
        }
    }

    /// A packet without messages: it confirms a channel. Whatever waits on the channel already does
    /// the same: a peer must not make these pile up.
    pub(super) fn send_empty(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        if shared.is_reference() {
            return;
        }
        let Ok(channel) = shared.channel_mut(handle) else { return };
        if !channel.outbox.is_empty() {
            channel.last_active = now;
            return;
        }
        let content = Content { lead: None, message: None, answer: 0 };
        self.push(shared, now, handle, &content);
    }

    /// Asks the peer for a sign of life, on a channel that this keeps alive over there. Every peer
    /// answers a NEW, and remembers nothing of it.
    pub(super) fn ping(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        let Some(message) = self.ping_message(shared) else { return };
        let Ok(channel) = shared.channel_mut(handle) else { return };
        channel.pinged_at = now;
        if std::mem::replace(&mut channel.is_ping_waiting, true) {
            return;
        }
        let last_active = channel.last_active;
        let content = Content { lead: None, message: Some(message), answer: ANSWER_SIZE };
        self.push(shared, now, handle, &content);
        // It is no activity of ours: that would hide that the peer is silent.
        if let Ok(channel) = shared.channel_mut(handle) {
            channel.last_active = last_active;
        }
    }

    /// A handshake message to the peer, on the default channel.
    pub(super) fn send_control(
        &mut self,
        shared: &mut Shared,
        now: Time,
        message: &Message<'_>,
        answer: usize,
    ) {
        let framing = self.control_framing(&shared.config);
        let content = Content { lead: None, message: Some(*message), answer };
        if shared.is_reference() {
            return shared.send_announced(&framing, &content, &self.destination());
        }
        shared.output.bytes += self.control.push(&framing, &content, &mut shared.output.pool);
        self.schedule_control(shared, now);
    }

    /// A NEW to an address that is not proven, padded so that its answer may be as large.
    /// Returns its bytes.
    pub(super) fn send_probe(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound<'_>,
        message: &Message<'_>,
    ) -> usize {
        let framing = Framing {
            packet_size: ENVELOPE_SIZE + ANSWER_SIZE,
            padding: true,
            ..self.control_framing(&shared.config)
        };
        let content = Content { lead: None, message: Some(*message), answer: 0 };
        shared.send_single(&framing, &content, &self.destination_of(inbound))
    }

    fn destination_of(&self, inbound: &Inbound<'_>) -> Destination {
        let (to, local) = (inbound.from, inbound.local);
        Destination { to, local, connection: Some(self.handle) }
    }

    fn destination(&self) -> Destination {
        let (to, local) = (self.path.remote, self.path.local);
        Destination { to, local, connection: Some(self.handle) }
    }

    fn framing(&self, config: &NodeConfig, channel: &Channel) -> Framing {
        Framing {
            header: Header {
                sender: config.peer_id,
                recipient: self.peer,
                channel: channel.id,
                flags: 0,
                sequence: 0,
            },
            packet_size: self.path.packet_size,
            padding: config.padding,
            segments_max: config.segments_max,
        }
    }

    fn control_framing(&self, config: &NodeConfig) -> Framing {
        Framing { packet_size: self.path.packet_size, ..stranger_framing(config, self.peer) }
    }

    /// The oldest handshake packets.
    pub(crate) fn take_control(&mut self, shared: &mut Shared) -> Option<Batch> {
        self.is_control_scheduled = false;
        let framing = self.control_framing(&shared.config);
        let Taken { batch, bytes } = self.control.take(&framing, &mut shared.output.pool)?;
        shared.output.bytes -= bytes;
        if !self.control.is_empty() {
            self.is_control_scheduled = true;
            shared.output.ready.push_back(Source::Control(self.handle));
        }
        self.count_sent(&batch);
        Some(batch)
    }

    /// The oldest packets of a channel.
    pub(crate) fn take_channel(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
    ) -> Option<Batch> {
        let Shared { channels, config, output, events, .. } = shared;
        let channel = channels.get_mut(handle.0)?;
        channel.is_ready = false;
        channel.is_ping_waiting = false;
        let framing = self.framing(config, channel);
        let Taken { batch, bytes } = channel.outbox.take(&framing, &mut output.pool)?;
        output.bytes -= bytes;
        // A packet that may still wait for company has an entry in `delayed`.
        if channel.outbox.has_complete() || !channel.outbox.is_empty() && !channel.is_delayed {
            channel.is_ready = true;
            output.ready.push_back(Source::Channel(handle));
        }
        let has_room = channel.outbox.bytes() <= config.send_queue_bytes_max / 2
            && channel.outbox.packets() <= config.send_queue_packets_max / 2;
        if channel.wants_writable && has_room {
            if output.bytes <= config.node_send_queue_bytes_max / 2 {
                channel.wants_writable = false;
                events.push_back(Event::Writable { connection: self.handle, channel: handle });
            } else {
                output.block(handle, channel);
            }
        }
        self.count_sent(&batch);
        Some(batch)
    }

    fn count_sent(&mut self, batch: &Batch) {
        self.stats.datagrams_sent += batch.segments() as u64;
        self.stats.bytes_sent += batch.len() as u64;
    }

    /// Hands what a channel has queued to the node, for the channel is about to go.
    pub(super) fn flush_channel(&mut self, shared: &mut Shared, handle: ChannelHandle) {
        loop {
            let Shared { channels, config, output, .. } = &mut *shared;
            let Some(channel) = channels.get_mut(handle.0) else { return };
            let framing = self.framing(config, channel);
            let Some(taken) = channel.outbox.take(&framing, &mut output.pool) else { return };
            self.push_taken(shared, taken);
        }
    }

    /// Hands the connection's handshake packets to the node, for the connection is about to go.
    pub(super) fn flush_control(&mut self, shared: &mut Shared) {
        // Mostly so: connections end idle, perhaps thousands at once, and the queues may be long.
        if !self.is_control_scheduled {
            return;
        }
        let framing = self.control_framing(&shared.config);
        while let Some(taken) = self.control.take(&framing, &mut shared.output.pool) {
            self.push_taken(shared, taken);
        }
        let gone = Source::Control(self.handle);
        shared.output.ready.retain(|source| *source != gone);
        shared.output.delayed.retain(|(_, source)| *source != gone);
    }

    fn push_taken(&mut self, shared: &mut Shared, taken: Taken) {
        self.count_sent(&taken.batch);
        let (to, local) = (self.path.remote, self.path.local);
        let (connection, batch) = (Some(self.handle), taken.batch);
        shared.output.bytes -= taken.bytes;
        shared.output.push_loose(Loose { to, local, connection, batch, bytes: taken.bytes });
    }
}

/// A message of the application's. Until the peer was heard, every packet can open the channel
/// there by itself.
#[inline]
fn data_content<'a>(channel: &Channel, message: &'a [u8]) -> Content<'a> {
    let lead = match channel.handshake {
        Handshake::Finalizing(retry) => Some(Message::ChannelCookie {
            cookie: retry.cookie,
            capabilities: channel.capabilities,
        }),
        Handshake::Pending(_) | Handshake::Done => None,
    };
    Content { lead, message: Some(Message::Data(message)), answer: 0 }
}

/// Sees to it that what a channel has queued will be sent: at once, or after it had its time to be
/// joined by more. A channel has one entry of each kind at most.
fn schedule_channel(shared: &mut Shared, now: Time, handle: ChannelHandle) {
    let Some(channel) = shared.channels.get_mut(handle.0) else { return };
    let is_patient = !shared.config.bundle_delay.is_zero() && !channel.outbox.has_complete();
    if channel.is_ready || is_patient && channel.is_delayed {
        return;
    }
    *(if is_patient { &mut channel.is_delayed } else { &mut channel.is_ready }) = true;
    shared.schedule(now, Source::Channel(handle), is_patient);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_message_fills_the_packet_and_one_more_byte_does_not_fit() {
        for packet_size in 128..2000 {
            let most = message_bytes_max(packet_size);
            assert!(ENVELOPE_SIZE + most + data_overhead(most) <= packet_size);
            assert!(ENVELOPE_SIZE + most + 1 + data_overhead(most + 1) > packet_size);
        }
    }
}
