//! From queues to the network.

use super::Endpoint;
use crate::config::BATCH_BYTES_MAX;
use crate::id::{ChannelHandle, ConnectionHandle};
use crate::io::{EcnMark, Event, Transmit};
use crate::time::Time;
use crate::v0::channel::Batch;
use crate::v0::connection::Source;

/// A batch on its way out.
struct Outgoing {
    transmit: Transmit,
    batch: Batch,
}

/// Batches up to this size are copied behind another rather than sent alone.
const GATHERED_BYTES_MAX: usize = 4096;

impl Endpoint {
    /// The next datagrams to send, as the first `len` bytes of `buf`.
    ///
    /// `buf` may be swapped for another buffer: that hands packets over without a copy. Its length
    /// is then whatever the other one had; pass it again as it is.
    pub(crate) fn poll_transmit(&mut self, now: Time, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.shared.release_delayed(now);
        let Some(Outgoing { mut transmit, batch }) = self.next_outgoing() else {
            // What ended unsent has left room too.
            self.report_room();
            return None;
        };
        let segments = batch.segments();
        let spent = std::mem::replace(buf, batch.into_buffer());
        self.shared.output.pool.put(spent);
        let segments = self.gather(&mut transmit, segments, buf);
        self.shared.stats.datagrams_sent += segments as u64;
        self.shared.stats.bytes_sent += transmit.len as u64;
        self.report_room();
        Some(transmit)
    }

    fn next_outgoing(&mut self) -> Option<Outgoing> {
        while let Some(source) = self.shared.output.ready.pop_front() {
            let outgoing = match source {
                Source::Loose => self.take_loose(),
                Source::Control(connection) => self.take_control(connection),
                Source::Channel(channel) => self.take_channel(channel),
            };
            if outgoing.is_some() {
                return outgoing;
            }
        }
        None
    }

    fn take_loose(&mut self) -> Option<Outgoing> {
        let loose = self.shared.output.loose.pop_front()?;
        self.shared.output.bytes -= loose.bytes;
        let transmit = Transmit {
            to: loose.to,
            local: loose.local,
            len: loose.batch.len(),
            segment_size: loose.batch.stride(),
            ecn: EcnMark::None,
            connection: loose.connection,
        };
        Some(Outgoing { transmit, batch: loose.batch })
    }

    fn take_control(&mut self, handle: ConnectionHandle) -> Option<Outgoing> {
        let connection = self.table.get_mut(handle).ok()?;
        let batch = connection.take_control(&mut self.shared)?;
        let transmit = transmit_of(&batch, connection);
        Some(Outgoing { transmit, batch })
    }

    fn take_channel(&mut self, handle: ChannelHandle) -> Option<Outgoing> {
        let connection = self.shared.channel(handle).ok()?.connection;
        let connection = self.table.get_mut(connection).ok()?;
        let batch = connection.take_channel(&mut self.shared, handle)?;
        let transmit = transmit_of(&batch, connection);
        Some(Outgoing { transmit, batch })
    }

    /// Copies small batches of the same connection behind this one, while they keep its packets
    /// equal: one system call for many channels that have little to say. Returns how many packets
    /// there are now.
    fn gather(&mut self, transmit: &mut Transmit, mut segments: usize, buf: &mut Vec<u8>) -> usize {
        let most = self.shared.config.segments_max;
        if most <= segments {
            return segments;
        }
        let connection = transmit.connection.and_then(|handle| self.table.get(handle).ok());
        let Some(path) = connection.map(|connection| &connection.path) else { return segments };
        // An answer goes to whoever asked: messages of the real peer must not go there too.
        if (transmit.to, transmit.local) != (path.remote, path.local) {
            return segments;
        }
        let padded = self.shared.config.padding.then_some(path.packet_size);
        while segments < most && transmit.len.is_multiple_of(transmit.segment_size) {
            let Some(Source::Channel(channel)) = self.shared.output.ready.front() else { break };
            let channel = *channel;
            let Ok(next) = self.shared.channel(channel) else { break };
            let is_small = next.outbox.bytes() <= GATHERED_BYTES_MAX
                && transmit.len + GATHERED_BYTES_MAX <= BATCH_BYTES_MAX;
            if Some(next.connection) != transmit.connection || !is_small {
                break;
            }
            let Some(size) = next.outbox.sole_packet_size(padded) else { break };
            if size > transmit.segment_size {
                break;
            }
            self.shared.output.ready.pop_front();
            let Some(Outgoing { batch, .. }) = self.take_channel(channel) else { continue };
            let end = transmit.len + batch.len();
            if buf.len() < end {
                buf.resize(end.max(2 * transmit.len), 0);
            }
            buf[transmit.len..end].copy_from_slice(batch.bytes());
            transmit.len = end;
            segments += 1;
            self.shared.output.pool.put(batch.into_buffer());
        }
        segments
    }

    /// Tells channels that wait for room in the node's queue when half of it is free.
    fn report_room(&mut self) {
        let output = &mut self.shared.output;
        if output.bytes > self.shared.config.node_send_queue_bytes_max / 2 {
            return;
        }
        while let Some(handle) = output.blocked.pop_front() {
            let Some(channel) = self.shared.channels.get_mut(handle.0) else { continue };
            channel.is_blocked = false;
            if std::mem::replace(&mut channel.wants_writable, false) {
                let connection = channel.connection;
                self.shared.events.push_back(Event::Writable { connection, channel: handle });
            }
        }
    }
}

fn transmit_of(batch: &Batch, connection: &crate::v0::connection::Connection) -> Transmit {
    Transmit {
        to: connection.path.remote,
        local: connection.path.local,
        len: batch.len(),
        segment_size: batch.stride(),
        ecn: EcnMark::None,
        connection: Some(connection.handle),
    }
}
