//! Packets out: data in batches as it was built, what is owed to the peer beside it, sealed in
//! place.

use super::Connection;
use super::batch::{Batch, Filling, Run, note_data};
use super::ending::Life;
use super::established::Established;
use super::shared::Shared;
use super::turns::Next;
use crate::channel::{Framing, HEADER_SIZE, Opening, Packet, Stop, TAG_SIZE};
use crate::crypto::SealInfo;
use crate::id::ChannelNumber;
use crate::io::{EcnMark, Transmit};
use crate::path::SentFrame;
use crate::time::Time;
use crate::wire::long::DATAGRAM_SIZE;
use crate::wire::short;

/// Packets that only acknowledge, after which one asks to be acknowledged itself: else both sides
/// would remember for ever what was long settled.
const SILENT_PACKETS_MAX: u32 = 32;

/// Every path carries packets of so many bytes, which CHANNEL_NEW with the longest label and a
/// fragment fit; whatever size is configured.
const PACKET_LEAST: usize = 512;

/// What was put into a packet besides data.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gathered {
    /// Bytes of it.
    pub(super) len: usize,
    pub(super) asks_for_ack: bool,
}

impl Connection {
    /// The next datagrams, equal in size but for the last, as the first bytes of `buf`, which may
    /// be swapped for another buffer. To be called until it gives none.
    pub(crate) fn poll_transmit(
        &mut self,
        shared: &mut Shared,
        now: Time,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        if self.is_listening() {
            for path in self.paths.ids() {
                let probe = self.transmit_path_probe(shared, now, path, buf);
                if probe.is_some() {
                    return probe;
                }
            }
        }
        if self.has_late_ack() && !self.duties.has_ready() {
            self.handle_late_ack(shared);
        }
        let mut sent = self.transmit(shared, now, buf);
        if sent.is_none() && self.has_late_ack() {
            // It may have been what kept the rest from leaving.
            self.handle_late_ack(shared);
            sent = self.transmit(shared, now, buf);
        }
        let Some((ecn, (len, segment_size))) = sent else {
            self.is_ready = false;
            self.note_app_limited();
            return None;
        };
        self.stats.datagrams_sent += len.div_ceil(segment_size.max(1)) as u64;
        self.stats.bytes_sent += len as u64;
        let path = self.paths.current();
        Some(Transmit {
            to: path.remote,
            local: path.local,
            len,
            segment_size,
            ecn,
            connection: Some(self.handle),
        })
    }

    /// Long packets, then what the life of the connection has: the mark of the datagrams, and their
    /// sizes.
    #[inline]
    fn transmit(
        &mut self,
        shared: &mut Shared,
        now: Time,
        buf: &mut Vec<u8>,
    ) -> Option<(EcnMark, (usize, usize))> {
        if let Some(sent) = self.transmit_long(shared, now, buf) {
            return Some((EcnMark::None, sent));
        }
        if self.handshake.is_some() {
            // An initiator is complete when its flight has left.
            self.drain_handshake(shared, now);
        }
        match &mut self.life {
            Life::Open | Life::Lingering(_) => {
                let ecn = self.established.as_ref()?.carriers.current().mark();
                Some((ecn, self.transmit_short(shared, now, buf)?))
            }
            Life::Closing(closing) => {
                let packet = closing.take_due()?;
                put(buf, packet);
                Some((EcnMark::None, (packet.len(), packet.len())))
            }
            Life::Failed | Life::Draining { .. } | Life::Gone => None,
        }
    }

    /// There is nothing to send: what the paths could carry is not measured by that.
    fn note_app_limited(&mut self) {
        if self.duties.has_ready() {
            return;
        }
        if let Some(established) = &mut self.established {
            for (_, carrier) in established.carriers.iter_mut() {
                carrier.congestion.on_app_limited(carrier.sent.in_flight());
            }
        }
    }

    fn transmit_long(
        &mut self,
        shared: &mut Shared,
        now: Time,
        buf: &mut Vec<u8>,
    ) -> Option<(usize, usize)> {
        let handshake = self.handshake.as_mut()?;
        // The buffer's length is its owner's business: what a datagram adds goes to the front.
        let mut taken = std::mem::take(buf);
        taken.clear();
        let mut last = handshake.poll_transmit(&mut shared.rng, now, &mut taken, false);
        let first = last;
        // Full datagrams of a flight leave together: the peer wakes once, and answers all of them.
        let mut left = shared.config.segments_max;
        while last.is_some_and(|last| last.len == DATAGRAM_SIZE) && left > 1 {
            last = handshake.poll_transmit(&mut shared.rng, now, &mut taken, false);
            left -= 1;
        }
        let len = taken.len();
        *buf = taken;
        Some((len, first?.len))
    }

    fn transmit_short(
        &mut self,
        shared: &mut Shared,
        now: Time,
        buf: &mut Vec<u8>,
    ) -> Option<(usize, usize)> {
        let established = self.established.as_mut()?;
        if established.epochs.has_timers() {
            let pto_max = established.pto_max();
            established.epochs.handle_timeout(now, pto_max);
        }
        if established.epochs.seals_left() == 0 {
            return None;
        }
        let carrier = established.carriers.current_mut();
        let is_probe = carrier.probes > 0;
        let wants_data = self.duties.has_ready();
        let wants_mtu_probe = carrier.mtu.wanted().is_some();
        let budget = if wants_data || self.duties.is_waiting() || is_probe || wants_mtu_probe {
            carrier.budget(now)
        } else {
            0
        };
        let packet_size = self.paths.current().packet_size as u64;
        let allowed = if is_probe { budget.max(packet_size) } else { budget };
        if wants_mtu_probe && budget > 0 && !is_probe {
            return self.transmit_mtu_probe(shared, now, buf);
        }
        let wants_small = std::mem::take(&mut carrier.wants_small_probe);
        if wants_data && allowed > 0 && !wants_small {
            let sent = self.transmit_data(shared, now, allowed, buf);
            if sent.is_some() {
                return sent;
            }
        }
        self.transmit_control(shared, now, allowed > 0, buf)
    }

    /// A batch of the channels whose turn it is.
    fn transmit_data(
        &mut self,
        shared: &mut Shared,
        now: Time,
        budget: u64,
        buf: &mut Vec<u8>,
    ) -> Option<(usize, usize)> {
        let mut batch = std::mem::take(&mut shared.scratch.batch);
        while let Some(next) = self.duties.turns.next(&mut shared.channels) {
            if !self.take_packets(shared, next, budget, buf, &mut batch) {
                break;
            }
        }
        let mut sent = None;
        if !batch.packets.is_empty() {
            batch.runs.iter().for_each(|run| self.report_writable(shared, run.channel));
            sent = Some(self.seal_data(shared, now, &mut batch, buf));
        }
        batch.clear();
        shared.scratch.batch = batch;
        sent.filter(|(len, _)| *len > 0)
    }

    /// Moves packets of a channel to `buf`, behind those of others. Whether another channel's may
    /// follow.
    fn take_packets(
        &mut self,
        shared: &mut Shared,
        next: Next,
        budget: u64,
        buf: &mut Vec<u8>,
        batch: &mut Batch,
    ) -> bool {
        let handle = next.channel;
        let Shared { channels, pool, send_queue_bytes, config, .. } = &mut *shared;
        let Some(channel) = channels.get_mut(handle.0) else { return true };
        let Some(established) = self.established.as_mut() else { return false };
        let carrier = established.carriers.current();
        let before = batch.packets.len();
        // The window lets the last packet pass that begins inside of it.
        let in_window = budget.div_ceil(self.paths.current().packet_size as u64);
        let number_len = channel.outbox.number_len().unwrap_or_else(|| carrier.number_len(0));
        let most = in_window.min(established.epochs.seals_left());
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let most = most.min(carrier.numbers_left(number_len));
        let most = if next.is_right { most.min(before + 1) } else { most };
        // A buffer of its own, or a size of its own.
        let is_apart = !channel.outbox.is_empty() || channel.opening == Opening::Announced;
        if before > 0 && (is_apart || most <= before) {
            self.duties.turns.put_back(next, channel);
            return false;
        }
        let packet_size = self.paths.current().packet_size.max(PACKET_LEAST);
        let framing = Framing { packet_size, segments_max: config.segments_max, number_len };
        let mut stop = Stop::Full;
        if !channel.outbox.is_empty() {
            *send_queue_bytes -= channel.outbox.take(most, buf, &mut batch.packets, pool);
        } else if most > 0 && channel.backlog.is_some() {
            let others_wait = self.duties.turns.has_ready();
            let padding_max = if others_wait { carrier.cheap_bytes() } else { 0 };
            let kept_max = Connection::kept_max(config);
            let filling = Filling { framing, most, kept_max, padding_max };
            let resent = channel.counts.bytes_resent;
            stop = filling.fill(&mut established.flow, channel, buf, batch);
            self.stats.bytes_resent += channel.counts.bytes_resent - resent;
        }
        let bytes: usize = batch.packets[before..].iter().map(|packet| packet.size).sum();
        let packets = batch.packets.len() - before;
        self.duties.turns.on_sent(next, channel, bytes as u64);
        self.on_stop(handle, channel, stop);
        channel.turn.is_ready &= stop == Stop::Full && channel.wants_to_send();
        if stop == Stop::Full {
            self.wake(handle, channel);
        }
        if !channel.has_unsent() && !channel.pending.is_empty() {
            // CHANNEL_CLOSE waited for that.
            self.duties.note_again(handle, channel);
        }
        if packets == 0 {
            return before == 0 && most > 0;
        }
        batch.runs.push(Run { channel: handle, number: channel.number, packets });
        !is_apart && batch.has_room(&framing)
    }

    /// Seals packets that lie in `buf` one behind the other. What is owed to the peer goes into the
    /// last one, if there is room.
    fn seal_data(
        &mut self,
        shared: &mut Shared,
        now: Time,
        batch: &mut Batch,
        buf: &mut Vec<u8>,
    ) -> (usize, usize) {
        let mut frames = std::mem::take(&mut shared.scratch.frames);
        frames.clear();
        self.fill_last(shared, now, &mut batch.packets, buf, &mut frames);
        let Some(established) = &mut self.established else { return (0, 0) };
        established.set_busy(now);
        established.asked_at.get_or_insert(now);
        let path = self.paths.current_id();
        let count = batch.packets.len();
        let (mut start, mut sealed, mut pieces) = (0, 0, &batch.pieces[..]);
        'sealing: for run in &batch.runs {
            for packet in &batch.packets[sealed..sealed + run.packets] {
                let bytes = &mut buf[start..start + packet.size];
                let sent = &mut established.carriers.current_mut().sent;
                let number = sent.begin(&mut shared.rng);
                if packet.has_lead {
                    sent.note(SentFrame::New(run.channel));
                }
                let (own, others) = pieces.split_at(usize::from(packet.pieces));
                note_data(sent, run.channel, packet, own);
                if sealed + 1 == count {
                    frames.iter().for_each(|frame| sent.note(*frame));
                }
                let number_len = packet.number_len;
                let info = SealInfo { channel: run.number, path, number, number_len };
                if !established.seal(now, &info, bytes, true, true) {
                    break 'sealing;
                }
                (start, sealed, pieces) = (start + packet.size, sealed + 1, others);
            }
        }
        let probes = &mut established.carriers.current_mut().probes;
        *probes = probes.saturating_sub(count as u8);
        if sealed < count {
            self.lose_unsealed(shared, now, batch, sealed);
        }
        shared.scratch.frames = frames;
        (start, batch.stride())
    }

    /// The keys were used up: what did not leave is as good as lost.
    fn lose_unsealed(&mut self, shared: &mut Shared, now: Time, batch: &Batch, sealed: usize) {
        let runs = batch.runs.iter().flat_map(|run| std::iter::repeat_n(run, run.packets));
        let mut pieces = &batch.pieces[..];
        for (index, (run, packet)) in runs.zip(&batch.packets).enumerate() {
            let (own, others) = pieces.split_at(usize::from(packet.pieces));
            if index >= sealed {
                own.iter().for_each(|piece| {
                    self.piece_lost(shared, now, run.channel, *piece, false);
                });
            }
            pieces = others;
        }
    }

    /// Appends what is owed to the peer to the last of some packets.
    fn fill_last(
        &mut self,
        shared: &mut Shared,
        now: Time,
        packets: &mut [Packet],
        buf: &mut Vec<u8>,
        frames: &mut Vec<SentFrame>,
    ) {
        let (stride, is_alone) = match packets {
            [] => return,
            [only] => (only.size, true),
            [first, ..] => (first.size, false),
        };
        let size_max = if is_alone { self.paths.current().packet_size.max(stride) } else { stride };
        let before: usize = packets.iter().rev().skip(1).map(|packet| packet.size).sum();
        let Some(last) = packets.last_mut() else { return };
        if buf.len() < before + size_max {
            buf.resize(before + size_max, 0);
        }
        let room = before + last.end..before + size_max - TAG_SIZE;
        let gathered = self.gather(shared, now, &mut buf[room], frames, true);
        if gathered.len > 0 {
            last.end += gathered.len;
            if last.end + TAG_SIZE > last.size {
                last.size = last.end + TAG_SIZE;
            } else {
                // It was padded already; what was padding before must not be read as more.
                buf[before + last.end..before + last.size - TAG_SIZE].fill(0);
            }
        }
    }

    /// A packet of no channel, with what is owed to the peer.
    fn transmit_control(
        &mut self,
        shared: &mut Shared,
        now: Time,
        has_budget: bool,
        buf: &mut Vec<u8>,
    ) -> Option<(usize, usize)> {
        let established = self.established.as_mut()?;
        let is_ack_due = established.carriers.iter().any(|(_, one)| one.received.is_due(now));
        let carrier = established.carriers.current_mut();
        let is_probe = carrier.probes > 0;
        let is_owed = self.duties.is_waiting() || established.tickets.is_waiting();
        let has_reason = is_ack_due || is_probe || is_owed && has_budget;
        if !has_reason || carrier.sent.is_full() {
            return None;
        }
        let is_silent = carrier.sent.silent_packets() >= SILENT_PACKETS_MAX;
        self.duties.ping |= is_probe || is_silent && has_budget;
        let number = carrier.sent.begin(&mut shared.rng);
        let number_len = short::number_len(number, carrier.sent.largest_acked());
        let size_max = self.paths.current().packet_size;
        if buf.len() < size_max {
            buf.resize(size_max, 0);
        }
        let mut frames = std::mem::take(&mut shared.scratch.frames);
        frames.clear();
        let start = HEADER_SIZE + number_len;
        let room = start..size_max - TAG_SIZE;
        let gathered = self.gather(shared, now, &mut buf[room], &mut frames, has_budget);
        let established = self.established.as_mut()?;
        let carrier = established.carriers.current_mut();
        if gathered.len == 0 {
            carrier.sent.cancel();
            shared.scratch.frames = frames;
            return None;
        }
        frames.iter().for_each(|frame| carrier.sent.note(*frame));
        shared.scratch.frames = frames;
        let size = (start + gathered.len + TAG_SIZE).max(short::SIZE_MIN);
        buf[start + gathered.len..size - TAG_SIZE].fill(0);
        let asks = gathered.asks_for_ack;
        let (channel, path) = (ChannelNumber::NONE, self.paths.current_id());
        let info = SealInfo { channel, path, number, number_len };
        let is_sealed = established.seal(now, &info, &mut buf[..size], asks, asks);
        if asks {
            established.asked_at.get_or_insert(now);
            let probes = &mut established.carriers.current_mut().probes;
            *probes = probes.saturating_sub(1);
        }
        is_sealed.then_some((size, size))
    }
}

impl Established {
    /// Seals a packet whose frames were noted, and records it. False when the keys are used up:
    /// then it does not leave.
    #[inline]
    fn seal(
        &mut self,
        now: Time,
        info: &SealInfo,
        packet: &mut [u8],
        is_in_flight: bool,
        asks_for_ack: bool,
    ) -> bool {
        let is_sealed = self.seal_only(info, packet);
        if is_sealed && let Some(carrier) = self.carriers.get_mut(info.path) {
            carrier.finish(now, packet.len(), is_in_flight, asks_for_ack);
        }
        is_sealed
    }

    /// As `seal`; what leaves is still to be recorded.
    #[inline]
    pub(super) fn seal_only(&mut self, info: &SealInfo, packet: &mut [u8]) -> bool {
        let Some(carrier) = self.carriers.get_mut(info.path) else { return false };
        packet[0] = carrier.spin;
        packet[short::TOKEN_OFFSET..short::CHANNEL_OFFSET].copy_from_slice(&carrier.token.0);
        match self.epochs.seal(info, packet) {
            Ok(epoch) => {
                carrier.note_epoch(epoch, info.number);
                true
            }
            Err(_) => {
                carrier.sent.cancel();
                false
            }
        }
    }
}

fn put(buf: &mut Vec<u8>, packet: &[u8]) {
    if buf.len() < packet.len() {
        buf.resize(packet.len(), 0);
    }
    buf[..packet.len()].copy_from_slice(packet);
}
