//! Packets that leave together: those of one channel after the other, equal in size but for the
//! last.

use super::application::write_lead;
use super::established::Flow;
use crate::channel::{Channel, Framing, LEAD_MAX, Opening, Order, Output, Packet, Piece, Stop};
use crate::config::BATCH_BYTES_MAX;
use crate::id::{ChannelHandle, ChannelNumber};
use crate::path::SentFrame;
use crate::recovery::SentPackets;

/// Packets, and what those hold that backlogs filled.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) packets: Vec<Packet>,
    pub(super) pieces: Vec<Piece>,
    /// Whose they are.
    pub(super) runs: Vec<Run>,
}

/// Packets of one channel in a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) channel: ChannelHandle,
    pub(super) number: ChannelNumber,
    pub(super) packets: usize,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.packets.clear();
        self.pieces.clear();
        self.runs.clear();
    }

    /// The size of all packets but the last.
    pub(super) fn stride(&self) -> usize {
        self.packets.first().map_or(0, |packet| packet.size)
    }

    /// Whether packets of another channel may follow: those there are equal, and not much smaller
    /// than one can be.
    pub(super) fn has_room(&self, framing: &Framing) -> bool {
        let (stride, count) = (self.stride(), self.packets.len());
        self.packets.last().is_some_and(|last| last.size == stride)
            && stride >= framing.packet_size - framing.packet_size / 8
            && count < framing.segments_max
            && (count + 1) * stride <= BATCH_BYTES_MAX
    }
}

/// How a backlog is to fill packets.
pub(super) struct Filling {
    pub(super) framing: Framing,
    /// Packets at most, those of others in the batch included.
    pub(super) most: usize,
    pub(super) kept_max: usize,
    /// Padding that is worth it so that others can follow.
    pub(super) padding_max: usize,
}

impl Filling {
    // spec: 11.2 sending
    pub(super) fn fill(
        &self,
        flow: &mut Flow,
        channel: &mut Channel,
        buf: &mut Vec<u8>,
        batch: &mut Batch,
    ) -> Stop {
        let mut room = [0; LEAD_MAX];
        let lead: &[u8] = match channel.opening {
            // spec: 9.2 opening: every packet with data carries CHANNEL_NEW until it is known
            Opening::Announced => write_lead(channel, &mut room),
            Opening::Known | Opening::Open => &[],
        };
        let order = Order {
            framing: self.framing,
            lead,
            may_split: channel.resends(),
            credit: flow.room(),
            most: self.most.min(self.framing.segments_max),
            kept_max: self.kept_max,
            padding_max: self.padding_max,
        };
        let Some(backlog) = &mut channel.backlog else { return Stop::Done };
        let before = channel.sending.position();
        let Batch { packets, pieces, .. } = batch;
        let mut output = Output { buf, packets, pieces, resent: 0 };
        let stop = backlog.fill(&mut channel.sending, &order, &mut output);
        channel.counts.bytes_resent += output.resent;
        flow.advance(channel.sending.position() - before);
        stop
    }
}

/// Notes what a packet holds.
#[inline]
pub(super) fn note_data(
    sent: &mut SentPackets<SentFrame>,
    channel: ChannelHandle,
    packet: &Packet,
    pieces: &[Piece],
) {
    if pieces.is_empty() {
        let (first, count, charge) = (packet.first, packet.count as u16, packet.charge);
        return sent.note(SentFrame::Data { channel, first, count, charge });
    }
    for piece in pieces {
        sent.note(match *piece {
            Piece::Whole { first, count, resends } => {
                SentFrame::Messages { channel, first, count, resends }
            }
            // The lower half tells them apart: no backlog holds so many.
            Piece::Part { number, offset, len, resends } => {
                SentFrame::Part { channel, number: number as u32, offset, len, resends }
            }
        });
    }
}
