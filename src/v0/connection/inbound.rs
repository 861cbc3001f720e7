//! From a packet's messages to events and queues.

use std::net::SocketAddr;
use std::ops::Range;

use super::shared::Shared;
use super::{Connection, State};
use crate::config::Profile;
use crate::id::{ChannelHandle, PeerId};
use crate::io::{Event, Local};
use crate::stats::DropReason;
use crate::time::Time;
use crate::v0::channel::{Channel, Handshake};
use crate::wire::packet::Packet;

/// A packet on its way in, and where it came from.
#[derive(Debug)]
pub(crate) struct Inbound<'a> {
    pub(crate) now: Time,
    pub(crate) from: SocketAddr,
    pub(crate) local: Local,
    pub(crate) datagram: &'a [u8],
    pub(crate) packet: Packet<'a>,
    /// The buffer that the datagram is part of, and that lent messages are ranges of.
    pub(crate) buffer: &'a [u8],
}

impl Inbound<'_> {
    pub(crate) fn peer(&self) -> PeerId {
        self.packet.header.sender
    }
}

/// The place of `part` in the buffer that it is part of.
#[inline]
fn range_in(buffer: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - buffer.as_ptr() as usize;
    start..start + part.len()
}

impl Connection {
    /// A packet of this peer's came.
    pub(crate) fn count_packet(&mut self, inbound: &Inbound<'_>) {
        // Packets from elsewhere may be anybody's, until a cookie proves the address.
        if inbound.from == self.path.remote {
            self.last_heard = inbound.now;
        }
        self.count_alike(inbound.datagram);
    }

    /// Another packet came from where one just did, at the same time.
    #[inline]
    pub(crate) fn count_alike(&mut self, datagram: &[u8]) {
        self.stats.datagrams_received += 1;
        self.stats.bytes_received += datagram.len() as u64;
    }

    /// The channel that a packet is on, if that is established; it is alive, then.
    pub(crate) fn touch_channel(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound<'_>,
    ) -> Option<ChannelHandle> {
        let handle = self.registry.by_id(inbound.packet.header.channel)?;
        let Shared { channels, .. } = shared;
        let channel = channels.get_mut(handle.0)?;
        channel.last_active = inbound.now;
        if let Handshake::Finalizing(_) = channel.handshake {
            channel.handshake = Handshake::Done;
            shared.arm(handle, self.last_heard);
        }
        Some(handle)
    }

    /// DATA on an established channel; `message` is part of `buffer`.
    #[inline]
    pub(crate) fn handle_data(
        &mut self,
        shared: &mut Shared,
        buffer: &[u8],
        handle: ChannelHandle,
        message: &[u8],
    ) {
        let Shared { channels, config, events, stats, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        if message.is_empty() {
            return;
        }
        if config.lend_messages && self.state != State::Asked {
            count_received(channel, message);
            stats.messages_received += 1;
            events.push_back(Event::Message {
                connection: self.handle,
                channel: handle,
                bytes: range_in(buffer, message),
            });
        } else {
            self.keep_data(shared, buffer, handle, message);
        }
    }

    /// Puts a message where it waits to be read.
    fn keep_data(
        &mut self,
        shared: &mut Shared,
        buffer: &[u8],
        handle: ChannelHandle,
        message: &[u8],
    ) {
        let Shared { channels, config, events, stats, spare_inboxes, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return };
        let queued = stats.receive_queue_bytes as usize + message.len();
        let inbox = channel.inbox.get_or_insert_with(|| spare_inboxes.take());
        let was_empty = inbox.is_empty();
        let is_kept = queued <= config.node_receive_queue_bytes_max
            && inbox.push(
                message,
                config.receive_queue_bytes_max,
                config.receive_queue_messages_max,
            );
        if !is_kept {
            spare_inboxes.put(&mut channel.inbox);
            channel.stats.messages_dropped += 1;
            return shared.count_drop(DropReason::ReceiveQueueFull);
        }
        count_received(channel, message);
        stats.messages_received += 1;
        stats.receive_queue_bytes += message.len() as u64;
        if config.profile == Profile::Reference {
            // Programs written for the reference hear of every message, and read it when they like.
            let bytes = range_in(buffer, message);
            let connection = self.handle;
            events.push_back(Event::Message { connection, channel: handle, bytes });
        } else if was_empty && self.state != State::Asked {
            events.push_back(Event::Readable { connection: self.handle, channel: handle });
        }
    }
}

fn count_received(channel: &mut Channel, message: &[u8]) {
    channel.stats.messages_received += 1;
    channel.stats.bytes_received += message.len() as u64;
}
