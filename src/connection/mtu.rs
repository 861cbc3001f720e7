//! The packet sizes of the paths: probes for larger ones, and what follows from a change.
// spec: 12.11 MTU

use super::Connection;
use super::shared::Shared;
use crate::channel::{HEADER_SIZE, TAG_SIZE};
use crate::crypto::SealInfo;
use crate::id::{ChannelNumber, PathId};
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
        let path = established.carriers.current_id();
        let carrier = established.carriers.current_mut();
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
        carrier.sent.note(SentFrame::MtuProbe { path, way: carrier.way, size: size as u16 });
        let info = SealInfo { channel: ChannelNumber::NONE, path, number, number_len };
        if !established.seal_only(&info, packet) {
            return None;
        }
        established.carriers.current_mut().finish_mtu_probe(now, size);
        established.asked_at.get_or_insert(now);
        Some((size, size))
    }

    /// A probe arrived. On a way that the path does not lead any more that says nothing.
    // spec: 12.7 address changes
    pub(super) fn mtu_probe_acked(&mut self, now: Time, on: (PathId, u32), size: usize) {
        let (path, way) = on;
        let carrier = self.carrier_mut(path).filter(|carrier| carrier.way == way);
        let Some(carrier) = carrier else { return };
        if carrier.mtu.on_probe_acked(now, size) {
            self.use_packet_size(path);
        }
    }

    pub(super) fn mtu_probe_lost(&mut self, now: Time, on: (PathId, u32), size: usize) {
        let (path, way) = on;
        if let Some(carrier) = self.carrier_mut(path).filter(|carrier| carrier.way == way) {
            carrier.mtu.on_probe_lost(now, size);
        }
    }

    /// To be called when an acknowledgement or a timer was read to its end: packets that vanish for
    /// their size are made smaller.
    pub(super) fn conclude_losses(&mut self, shared: &mut Shared, now: Time) {
        for path in self.paths.ids() {
            if self.carrier_mut(path).is_some_and(|carrier| carrier.mtu.conclude(now)) {
                self.use_packet_size(path);
                self.report_packet_size(shared, path);
            }
        }
    }

    /// The system refused datagrams of `size` bytes on a path.
    pub(crate) fn handle_too_large(
        &mut self,
        shared: &mut Shared,
        now: Time,
        path: PathId,
        size: usize,
    ) {
        let Some(carrier) = self.carrier_mut(path) else {
            if self.paths.get_mut(path).is_some_and(|path| path.shrink(size)) {
                self.report_packet_size(shared, path);
            }
            return;
        };
        if carrier.mtu.on_refused(now, size) {
            self.use_packet_size(path);
            self.report_packet_size(shared, path);
        }
        self.schedule(shared);
    }

    /// The interface that a path uses takes datagrams of `size` bytes at most.
    pub(crate) fn limit_packet_size(
        &mut self,
        shared: &mut Shared,
        now: Time,
        path: PathId,
        size: usize,
    ) {
        if self.carrier_mut(path).is_some_and(|carrier| carrier.mtu.limit(now, size)) {
            self.use_packet_size(path);
            self.report_packet_size(shared, path);
        }
    }

    /// Packets have from now on the size that the search found.
    pub(super) fn use_packet_size(&mut self, path: PathId) {
        let Some(carrier) = self.carrier_mut(path) else { return };
        let packet_size = carrier.mtu.size();
        carrier.congestion.on_mtu(packet_size as u64);
        if let Some(path) = self.paths.get_mut(path) {
            path.packet_size = packet_size;
        }
    }

    fn report_packet_size(&mut self, shared: &mut Shared, path: PathId) {
        let Some(path) = self.paths.get(path) else { return };
        if shared.events.len() < shared.config.events_max {
            let packet_size = path.packet_size;
            let connection = self.handle;
            shared.events.push_back(Event::PacketSizeReduced { connection, packet_size });
        }
    }
}
