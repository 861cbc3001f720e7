//! The packet size of a connection's path: probes for larger ones, and what follows from a change.
// spec: 12.11 MTU

use super::Connection;
use super::shared::Shared;
use crate::channel::{HEADER_SIZE, TAG_SIZE};
use crate::crypto::SealInfo;
use crate::id::ChannelNumber;
use crate::io::Event;
use crate::path::SentFrame;
use crate::time::Time;
use crate::wire::Writer;
use crate::wire::frame::Frame;
use crate::wire::short;

impl Connection {
    /// A probe for the path's MTU, alone in its datagram, as the first bytes of `buf`.
    pub(super) fn transmit_mtu_probe(
        &mut self,
        shared: &mut Shared,
        now: Time,
        buf: &mut Vec<u8>,
    ) -> Option<(usize, usize)> {
        let established = self.established.as_mut()?;
        let carrier = &mut established.carrier;
        let size = carrier.mtu.wanted()?;
        let number = carrier.sent.begin(&mut shared.rng);
        let number_len = short::number_len(number, carrier.sent.largest_acked());
        if buf.len() < size {
            buf.resize(size, 0);
        }
        let packet = &mut buf[..size];
        // A zero byte is padding, and ends the payload.
        packet.fill(0);
        let room = &mut packet[HEADER_SIZE + number_len..size - TAG_SIZE];
        Frame::Ping.encode(&mut Writer::new(room)).ok()?;
        carrier.sent.note(SentFrame::MtuProbe(size as u16));
        let (channel, path) = (ChannelNumber::NONE, self.path.id);
        let info = SealInfo { channel, path, number, number_len };
        if !established.seal_only(&info, packet) {
            return None;
        }
        established.carrier.finish_mtu_probe(now, size);
        established.asked_at.get_or_insert(now);
        Some((size, size))
    }

    pub(super) fn mtu_probe_acked(&mut self, now: Time, size: usize) {
        let Some(established) = &mut self.established else { return };
        if established.carrier.mtu.on_probe_acked(now, size) {
            self.use_packet_size();
        }
    }

    pub(super) fn mtu_probe_lost(&mut self, now: Time, size: usize) {
        if let Some(established) = &mut self.established {
            established.carrier.mtu.on_probe_lost(now, size);
        }
    }

    /// To be called when an acknowledgement or a timer was read to its end: packets that vanish for
    /// their size are made smaller.
    pub(super) fn conclude_losses(&mut self, shared: &mut Shared, now: Time) {
        let Some(established) = &mut self.established else { return };
        if established.carrier.mtu.conclude(now) {
            self.use_packet_size();
            self.report_packet_size(shared);
        }
    }

    /// The system refused datagrams of `size` bytes.
    pub(crate) fn handle_too_large(&mut self, shared: &mut Shared, now: Time, size: usize) {
        let Some(established) = &mut self.established else {
            if self.path.shrink(size) {
                self.report_packet_size(shared);
            }
            return;
        };
        if established.carrier.mtu.on_refused(now, size) {
            self.use_packet_size();
            self.report_packet_size(shared);
        }
        self.schedule(shared);
    }

    /// The interface towards the peer takes datagrams of `size` bytes at most.
    pub(crate) fn limit_packet_size(&mut self, shared: &mut Shared, now: Time, size: usize) {
        let Some(established) = &mut self.established else { return };
        if established.carrier.mtu.limit(now, size) {
            self.use_packet_size();
            self.report_packet_size(shared);
        }
    }

    /// Packets have from now on the size that the search found.
    pub(super) fn use_packet_size(&mut self) {
        let Some(established) = &mut self.established else { return };
        let carrier = &mut established.carrier;
        self.path.packet_size = carrier.mtu.size();
        carrier.congestion.on_mtu(self.path.packet_size as u64);
    }

    fn report_packet_size(&mut self, shared: &mut Shared) {
        if shared.events.len() < shared.config.events_max {
            let packet_size = self.path.packet_size;
            let connection = self.handle;
            shared.events.push_back(Event::PacketSizeReduced { connection, packet_size });
        }
    }
}
