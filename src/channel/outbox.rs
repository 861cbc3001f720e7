//! Packets that wait to be sent, built in place as messages come.
//!
//! A message is copied once, from the caller's memory into the packet that carries it. Packets of
//! one size stand back to back in one buffer, with room for header and tag; they are sealed there
//! when they leave, and the buffer is handed to the network as it is (GSO).

use std::collections::VecDeque;

use crate::config::BATCH_BYTES_MAX;
use crate::wire::{WireError, Writer, varint};

/// Bytes of a short packet before its number (5.1): flags, token, channel.
pub(crate) const HEADER_SIZE: usize = 13;

/// Bytes behind the payload.
pub(crate) const TAG_SIZE: usize = 16;

/// Type and flags of a DATA message that is whole (8.14).
const DATA: u8 = 20;
const DATA_FINAL: u8 = 1;

/// How packets of a path look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framing {
    /// Most bytes of a packet.
    pub(crate) packet_size: usize,
    /// Packets that one batch may hold.
    pub(crate) segments_max: usize,
    /// Bytes of the packet number.
    pub(crate) number_len: usize,
}

impl Framing {
    /// Bytes of a packet that are no payload.
    pub(crate) fn overhead(&self) -> usize {
        HEADER_SIZE + self.number_len + TAG_SIZE
    }
}

/// What a packet in a batch holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Packet {
    /// The whole packet, padding and tag included.
    pub(crate) size: usize,
    /// Where its messages end, from the packet's beginning.
    pub(crate) end: usize,
    pub(crate) number_len: usize,
    /// The first message number, and how many follow each other.
    pub(crate) first: u64,
    pub(crate) count: u32,
    /// What they cost (11.1).
    pub(crate) charge: u32,
    /// Whether bytes at the front open the channel (9.2).
    pub(crate) has_lead: bool,
    /// Of a packet filled from a backlog: how many pieces of messages it holds.
    pub(crate) pieces: u16,
}

/// Buffers that were sent, kept for the next batches, so that the steady state allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    buffers: Vec<Vec<u8>>,
    packets: Vec<Vec<Packet>>,
    bytes: usize,
}

impl Pool {
    /// Most bytes kept.
    const BYTES_MAX: usize = 4 << 20;
    /// Most lists of packets kept.
    const LISTS_MAX: usize = 64;

    pub(crate) fn get(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.bytes -= buffer.capacity();
        buffer
    }

    pub(crate) fn put(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() > 0 && self.bytes + buffer.capacity() <= Pool::BYTES_MAX {
            self.bytes += buffer.capacity();
            self.buffers.push(buffer);
        }
    }

    fn put_packets(&mut self, mut packets: Vec<Packet>) {
        if self.packets.len() < Pool::LISTS_MAX {
            packets.clear();
            self.packets.push(packets);
        }
    }
}

/// Packets of one size (the last may be shorter), the last of them perhaps still open.
#[derive(Debug, Default)]
struct Batch {
    /// Always initialised to its length.
    buffer: Vec<u8>,
    packets: Vec<Packet>,
    /// How many left already, and their bytes.
    gone: usize,
    gone_bytes: usize,
    /// Bytes of closed packets, gone ones included.
    used: usize,
    /// Size of every closed packet but perhaps the last; 0 while there is none.
    stride: usize,
    /// Whether the last packet takes more messages.
    is_open: bool,
    /// The last packet is closed and shorter than the others: nothing may follow it.
    is_short: bool,
}

impl Batch {
    fn new(pool: &mut Pool) -> Batch {
        let packets = pool.packets.pop().unwrap_or_default();
        Batch { buffer: pool.get(), packets, ..Batch::default() }
    }

    #[inline]
    fn has_room(&self, framing: &Framing, number: u64, len: usize) -> bool {
        let open = self.packets.last().filter(|_| self.is_open);
        open.is_some_and(|packet| {
            // The packet size may have grown since the packet was begun.
            packet.end + len + TAG_SIZE <= framing.packet_size
                && self.used + packet.end + len + TAG_SIZE <= self.buffer.len()
                && packet.first + u64::from(packet.count) == number
        })
    }

    /// Whether one more packet may begin behind the closed ones.
    fn can_begin(&self, framing: &Framing) -> bool {
        // Packets from before the path's packet size shrank must not set the size of later ones.
        !self.is_short
            && self.stride <= framing.packet_size
            && self.packets.len() < framing.segments_max
            && self.used + framing.packet_size <= BATCH_BYTES_MAX
    }

    fn begin(&mut self, framing: &Framing) {
        debug_assert!(!self.is_open, "the packet before is closed");
        let need = self.used + framing.packet_size;
        if self.buffer.len() < need {
            let grown = need.max((2 * self.buffer.len()).min(BATCH_BYTES_MAX));
            self.buffer.resize(grown, 0);
        }
        let number_len = framing.number_len;
        let end = HEADER_SIZE + number_len;
        self.packets.push(Packet { end, number_len, ..Packet::default() });
        self.is_open = true;
    }

    fn append_lead(&mut self, lead: &[u8]) {
        let packet = self.packets.last_mut().expect("a packet is open");
        let start = self.used + packet.end;
        self.buffer[start..start + lead.len()].copy_from_slice(lead);
        packet.end += lead.len();
        packet.has_lead = true;
    }

    /// Appends a message to the open packet; the caller knows that there is room.
    #[inline]
    fn append(&mut self, number: u64, message: &[u8]) {
        let packet = self.packets.last_mut().expect("a packet is open");
        let mut writer = Writer::new(&mut self.buffer[self.used + packet.end..]);
        write_data(&mut writer, number, message).expect("the caller knows that there is room");
        packet.end += writer.position();
        if packet.count == 0 {
            packet.first = number;
        }
        packet.count += 1;
        packet.charge += message.len() as u32 + CHARGE;
    }

    /// Closes the open packet. When it is larger than those before it, it leaves for a batch of its
    /// own, which is returned.
    fn close(&mut self, more_follows: bool, pool: &mut Pool) -> Option<Batch> {
        let packet = self.packets.last_mut().filter(|_| self.is_open)?;
        self.is_open = false;
        packet.size = packet.end + TAG_SIZE;
        if self.stride == 0 {
            self.stride = packet.size;
        } else if packet.size > self.stride {
            let packet = self.packets.pop().expect("it was just looked at");
            let mut next = Batch::new(pool);
            let room = next.buffer.len().max(packet.size);
            next.buffer.resize(room, 0);
            let open = &self.buffer[self.used..self.used + packet.end];
            next.buffer[..open.len()].copy_from_slice(open);
            (next.stride, next.used) = (packet.size, packet.size);
            next.packets.push(packet);
            return Some(next);
        } else if packet.size < self.stride {
            // A little padding keeps packets equal, and so the batch whole.
            if more_follows && self.stride - packet.size <= self.stride / 8 {
                packet.size = self.stride;
                let padding = self.used + packet.end..self.used + packet.size - TAG_SIZE;
                self.buffer[padding].fill(0);
            } else {
                self.is_short = true;
            }
        }
        self.used += packet.size;
        None
    }

    /// Moves up to `most` packets to `buffer` and `packets`: the whole buffers, where they are all.
    fn take(&mut self, most: usize, buffer: &mut Vec<u8>, packets: &mut Vec<Packet>) {
        let count = most.min(self.packets.len() - self.gone);
        if self.gone == 0 && count == self.packets.len() {
            std::mem::swap(&mut self.buffer, buffer);
            std::mem::swap(&mut self.packets, packets);
            self.packets.clear();
            return;
        }
        packets.clear();
        packets.extend_from_slice(&self.packets[self.gone..self.gone + count]);
        let bytes: usize = packets.iter().map(|packet| packet.size).sum();
        if buffer.len() < bytes {
            buffer.resize(bytes, 0);
        }
        buffer[..bytes].copy_from_slice(&self.buffer[self.gone_bytes..self.gone_bytes + bytes]);
        self.gone += count;
        self.gone_bytes += bytes;
    }

    /// Closed packets that have not left.
    fn closed(&self) -> usize {
        self.packets.len() - self.gone - usize::from(self.is_open)
    }

    fn is_gone(&self) -> bool {
        self.gone == self.packets.len()
    }

    fn recycle(self, pool: &mut Pool) {
        pool.put(self.buffer);
        pool.put_packets(self.packets);
    }
}

/// Batches of one channel to be sent, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The last one grows.
    batches: VecDeque<Batch>,
    bytes: usize,
    packets: usize,
}

impl Outbox {
    /// Puts message `number` into the open packet, or into a new one that begins with `lead`.
    /// Returns by how many bytes the outbox grew. The caller has checked that it fits an empty
    /// packet behind the lead, and the queue's limits.
    #[inline]
    pub(crate) fn push(
        &mut self,
        framing: &Framing,
        lead: &[u8],
        number: u64,
        message: &[u8],
        pool: &mut Pool,
    ) -> usize {
        let before = self.bytes;
        let len = data_len(number, message.len());
        if !self.batches.back().is_some_and(|batch| batch.has_room(framing, number, len)) {
            self.begin_packet(framing, lead, pool);
        }
        let batch = self.batches.back_mut().expect("a packet is open");
        batch.append(number, message);
        self.bytes += len;
        self.bytes - before
    }

    fn begin_packet(&mut self, framing: &Framing, lead: &[u8], pool: &mut Pool) {
        self.close(true, pool);
        if !self.batches.back().is_some_and(|batch| batch.can_begin(framing)) {
            self.batches.push_back(Batch::new(pool));
        }
        let batch = self.batches.back_mut().expect("there is one now");
        batch.begin(framing);
        if !lead.is_empty() {
            batch.append_lead(lead);
        }
        self.bytes += framing.overhead() + lead.len();
        self.packets += 1;
    }

    fn close(&mut self, more_follows: bool, pool: &mut Pool) {
        let next = self.batches.back_mut().and_then(|batch| batch.close(more_follows, pool));
        self.batches.extend(next);
    }

    /// Moves up to `most` of the oldest packets, equal in size but for the last, to `buffer` and
    /// `packets`, and returns by how many bytes the outbox shrank.
    pub(crate) fn take(
        &mut self,
        most: usize,
        buffer: &mut Vec<u8>,
        packets: &mut Vec<Packet>,
        pool: &mut Pool,
    ) -> usize {
        packets.clear();
        if self.batches.len() == 1 && self.batches[0].closed() < most {
            self.close(false, pool);
        }
        let Some(batch) = self.batches.front_mut() else { return 0 };
        batch.take(most, buffer, packets);
        if batch.is_gone() {
            self.batches.pop_front().expect("it was just looked at").recycle(pool);
        }
        self.packets -= packets.len();
        let bytes = packets.iter().map(|packet| packet.end + TAG_SIZE).sum();
        self.bytes -= bytes;
        bytes
    }

    /// Drops everything; returns by how many bytes the outbox shrank.
    pub(crate) fn clear(&mut self, pool: &mut Pool) -> usize {
        self.batches.drain(..).for_each(|batch| batch.recycle(pool));
        self.batches = VecDeque::new();
        self.packets = 0;
        std::mem::take(&mut self.bytes)
    }

    /// Bytes of the number of the packets that go next.
    pub(crate) fn number_len(&self) -> Option<usize> {
        let packet = self.batches.front()?.packets.get(self.batches.front()?.gone)?;
        Some(packet.number_len)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Bytes waiting, headers and tags included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Packets waiting.
    pub(crate) fn packets(&self) -> usize {
        self.packets
    }
}

/// What an application message costs beside its bytes (11.1).
pub(crate) const CHARGE: u32 = 32;

/// Bytes of the DATA message that carries `len` bytes of message `number` (8.14).
#[inline]
pub(crate) fn data_len(number: u64, len: usize) -> usize {
    let body = 1 + varint::encoded_len(number) + len;
    1 + varint::encoded_len(body as u64) + body
}

// spec: 8.14 DATA
#[inline]
fn write_data(writer: &mut Writer<'_>, number: u64, message: &[u8]) -> Result<(), WireError> {
    let body = 1 + varint::encoded_len(number) + message.len();
    writer.u8(DATA)?;
    writer.varint(body as u64)?;
    writer.u8(DATA_FINAL)?;
    writer.varint(number)?;
    writer.bytes(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: 10.1 numbers and fragments
    #[test]
    fn small_messages_share_a_packet_until_it_is_full() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        for number in 0..7 {
            push(&mut outbox, &mut pool, number, 100);
        }
        assert_eq!(outbox.packets(), 4, "two fit");
        let (sizes, counts) = take(&mut outbox, &mut pool, 64);
        let pair = HEADER_SIZE + 2 + 2 * data_len(0, 100) + TAG_SIZE;
        assert_eq!(sizes, [pair, pair, pair, pair - data_len(0, 100)]);
        assert_eq!(counts, [(0, 2), (2, 2), (4, 2), (6, 1)]);
        assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.packets() == 0);
    }

    #[test]
    fn a_slightly_smaller_packet_is_padded_and_a_much_smaller_one_ends_its_batch() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        for (number, len) in [200, 195, 200, 100, 200].into_iter().enumerate() {
            push(&mut outbox, &mut pool, number as u64, len);
        }
        let full = HEADER_SIZE + 2 + data_len(0, 200) + TAG_SIZE;
        let (sizes, _) = take(&mut outbox, &mut pool, 64);
        assert_eq!(sizes, [full, full, full, full - 100 - 1], "100 has a shorter length field");
        assert_eq!(take(&mut outbox, &mut pool, 64).0, [full]);
        assert!(outbox.is_empty() && outbox.bytes() == 0);
    }

    #[test]
    fn a_larger_packet_begins_another_batch() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        push(&mut outbox, &mut pool, 0, 150);
        push(&mut outbox, &mut pool, 1, 210);
        assert_eq!(take(&mut outbox, &mut pool, 64).1, [(0, 1)]);
        assert_eq!(take(&mut outbox, &mut pool, 64).1, [(1, 1)]);
        assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.packets() == 0);
    }

    #[test]
    fn a_batch_can_leave_in_parts_and_grow_between_them() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        for number in 0..5 {
            push(&mut outbox, &mut pool, number, 200);
        }
        assert_eq!(take(&mut outbox, &mut pool, 2).1, [(0, 1), (1, 1)]);
        push(&mut outbox, &mut pool, 5, 200);
        assert_eq!(take(&mut outbox, &mut pool, 2).1, [(2, 1), (3, 1)]);
        assert_eq!(take(&mut outbox, &mut pool, 9).1, [(4, 1), (5, 1)]);
        assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.packets() == 0);
    }

    // spec: 12.11 MTU
    #[test]
    fn a_packet_that_was_begun_stays_as_it_is_when_the_packet_size_grows() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        push(&mut outbox, &mut pool, 0, 200);
        push_into(&mut outbox, &mut pool, (1, 200), 512);
        push_into(&mut outbox, &mut pool, (2, 200), 512);
        let mut all = Vec::new();
        while !outbox.is_empty() {
            all.extend(take(&mut outbox, &mut pool, 64).1);
        }
        assert_eq!(all, [(0, 1), (1, 2)]);
    }

    fn push(outbox: &mut Outbox, pool: &mut Pool, number: u64, len: usize) {
        push_into(outbox, pool, (number, len), 256);
    }

    fn push_into(
        outbox: &mut Outbox,
        pool: &mut Pool,
        (number, len): (u64, usize),
        packet_size: usize,
    ) {
        let framing = Framing { packet_size, segments_max: 64, number_len: 2 };
        outbox.push(&framing, &[], number, &vec![7; len], pool);
    }

    /// Sizes and numbers of the packets that leave, the buffer checked to have them.
    fn take(outbox: &mut Outbox, pool: &mut Pool, most: usize) -> (Vec<usize>, Vec<(u64, u32)>) {
        let (mut buffer, mut packets) = (Vec::new(), Vec::new());
        outbox.take(most, &mut buffer, &mut packets, pool);
        let mut start = 0;
        for packet in &packets {
            assert_eq!(buffer[start + HEADER_SIZE + packet.number_len], DATA);
            assert_eq!(buffer[start + packet.end - 1], 7);
            start += packet.size;
        }
        let sizes = packets.iter().map(|packet| packet.size).collect();
        (sizes, packets.iter().map(|packet| (packet.first, packet.count)).collect())
    }
}
