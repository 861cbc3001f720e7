//! Packets that wait to be sent, built in place as messages come.
//!
//! A message is copied once, from the caller's memory into the packet that carries it. Packets of
//! one size stand back to back in one buffer, which is handed to the network as it is (GSO).

use std::collections::VecDeque;

use crate::config::BATCH_BYTES_MAX;
use crate::wire::message::Message;
use crate::wire::packet::{self, ENVELOPE_SIZE, FOOTER_SIZE, HEADER_SIZE, Header};
use crate::wire::{Writer, checksum};

/// How packets of one sender to one receiver on one channel look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framing {
    pub(crate) header: Header,
    /// Most bytes of a packet.
    pub(crate) packet_size: usize,
    /// Whether every packet has that size.
    pub(crate) padding: bool,
    /// Packets that one batch may hold.
    pub(crate) segments_max: usize,
}

/// What goes into a packet together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content<'a> {
    /// Put first into a packet that this content begins, where there is room for it.
    pub(crate) lead: Option<Message<'a>>,
    /// None for a packet that only is there.
    pub(crate) message: Option<Message<'a>>,
    /// Room that the receiver needs for its answer: the packet is made no smaller than the answers
    /// to all its contents and an envelope.
    pub(crate) answer: usize,
}

impl Content<'_> {
    /// Bytes that the message takes.
    #[inline]
    fn len(&self) -> usize {
        self.message.as_ref().map_or(0, Message::encoded_len)
    }
}

/// Buffers that were sent, kept for the next batches, so that the steady state allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Pool {
    /// Most bytes kept. Counted so, and not in buffers, for these may be many and small: without
    /// GSO each packet has one of its own.
    const BYTES_MAX: usize = 4 << 20;

    fn get(&mut self) -> Vec<u8> {
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
}

/// Sealed packets of one size (the last may be shorter), and perhaps an open one behind them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Always initialised to its length; `used` and `open` say what of it means something.
    buffer: Vec<u8>,
    /// Bytes of sealed packets.
    used: usize,
    /// How many of them, at the end, are a packet that still lacks its checksum.
    ///
    /// It gets that once the next packet has its message: read right after they were written,
    /// bytes make the processor wait until they have reached its cache, longer than the checksum
    /// itself takes.
    unsummed: usize,
    /// Size of the sealed packets; 0 while there is none.
    stride: usize,
    /// How many they are.
    segments: usize,
    /// Bytes of the open packet behind them, header included; 0 while there is none.
    open: usize,
    /// Bytes of all answers to the open packet.
    answers: usize,
    /// Bytes of the message that is alone in the open packet; 0 when something else is in it.
    alone: usize,
    /// The checksum of what stands before that message in each packet alike, once it was needed.
    front: Option<u32>,
    /// The open packet is whole: sizes and checksum are those that it will have if it is followed
    /// by one like it.
    is_whole: bool,
    /// The last sealed packet is shorter than the others: nothing may follow it.
    is_short: bool,
}

impl Batch {
    pub(crate) fn new(pool: &mut Pool) -> Batch {
        Batch { buffer: pool.get(), ..Batch::default() }
    }

    /// A sealed packet with nothing but `content`.
    pub(crate) fn single(framing: &Framing, content: &Content<'_>, pool: &mut Pool) -> Batch {
        let mut batch = Batch::new(pool);
        batch.begin(framing);
        if let Some(message) = &content.message {
            batch.append(message);
        }
        batch.answers = content.answer;
        batch.seal_sole(framing, pool);
        batch
    }

    /// Whether the open packet takes `content` too.
    #[inline]
    fn has_room(&self, framing: &Framing, content: &Content<'_>) -> bool {
        let size = self.open + content.len() + FOOTER_SIZE;
        let answers = ENVELOPE_SIZE + self.answers + content.answer;
        self.open > 0 && size.max(answers) <= framing.packet_size
    }

    /// Whether one more packet may begin behind the sealed ones.
    #[inline]
    fn can_begin(&self, framing: &Framing) -> bool {
        // Packets from before the path's packet size shrank must not set the size of later ones.
        !self.is_short
            && self.stride <= framing.packet_size
            && self.segments < framing.segments_max
            && self.used + framing.packet_size <= BATCH_BYTES_MAX
    }

    #[inline(always)]
    pub(crate) fn begin(&mut self, framing: &Framing) {
        debug_assert_eq!(self.open, 0, "the packet before is sealed");
        self.reserve(framing.packet_size);
        packet::write_header(&mut self.buffer[self.used..], &framing.header);
        self.open = HEADER_SIZE;
        (self.answers, self.alone) = (0, 0);
        (self.front, self.is_whole) = (None, false);
    }

    /// Whether a message of `len` bytes makes one more packet like the open one, which it would
    /// find full.
    #[inline]
    fn takes_alike(&self, framing: &Framing, len: usize) -> bool {
        let size = self.open + FOOTER_SIZE;
        self.alone == len
            && len > 0
            && size == self.stride
            && size + self.open - HEADER_SIZE > framing.packet_size
            && !(framing.padding && size < framing.packet_size)
            && self.stride <= framing.packet_size
            && self.segments + 1 < framing.segments_max
            && self.used + self.stride + framing.packet_size <= BATCH_BYTES_MAX
            && self.used + 2 * self.stride <= self.buffer.len()
    }

    /// Finishes the open packet, and begins one that has `message` in place of the one in that.
    ///
    /// All of the new packet is known, so it gets its checksum at once: from the message where that
    /// comes from, since bytes that were just written make the processor wait.
    #[inline]
    fn begin_alike(&mut self, message: &[u8]) {
        let (start, size) = (self.used, self.stride);
        let (before, open) = self.buffer[start..start + 2 * size].split_at_mut(size);
        if !self.is_whole {
            packet::finish(before, self.open - HEADER_SIZE);
            self.unsummed = size;
        }
        let (front, rest) = open.split_at_mut(self.open - message.len());
        front.copy_from_slice(&before[..front.len()]);
        let (body, footer) = rest.split_at_mut(message.len());
        body.copy_from_slice(message);
        let front = *self.front.get_or_insert_with(|| checksum::crc32c(&before[..front.len()]));
        let sum = checksum::crc32c_behind(front, message);
        self.is_whole = sum.is_some();
        footer.copy_from_slice(&sum.unwrap_or_default().to_be_bytes());
        self.used += size;
        self.segments += 1;
        self.sum();
    }

    /// Appends a message to the open packet; the caller knows that there is room.
    #[inline(always)]
    pub(crate) fn append(&mut self, message: &Message<'_>) {
        let mut writer = Writer::new(&mut self.buffer[self.used + self.open..]);
        message.write(&mut writer).expect("the caller knows that there is room");
        self.open += writer.position();
    }

    /// Finishes the open packet, the only one.
    pub(crate) fn seal_sole(&mut self, framing: &Framing, pool: &mut Pool) {
        let larger = self.seal(framing, false, pool);
        debug_assert!(larger.is_none(), "there is no packet before it");
        self.sum();
    }

    /// Writes the checksum that the last sealed packet lacks.
    #[inline]
    fn sum(&mut self) {
        let size = std::mem::take(&mut self.unsummed);
        if size > 0 {
            packet::write_checksum(&mut self.buffer[self.used - size..self.used]);
        }
    }

    /// Finishes the open packet but for its checksum. When it is larger than those before it, it
    /// leaves for a batch of its own, which is returned.
    #[inline(always)]
    fn seal(&mut self, framing: &Framing, more_follows: bool, pool: &mut Pool) -> Option<Batch> {
        debug_assert!(self.open >= HEADER_SIZE, "there is an open packet");
        debug_assert_eq!(self.unsummed, 0, "it got its checksum with the open packet's message");
        let size = self.open_size(framing.padding.then_some(framing.packet_size));
        if self.stride != 0 && size > self.stride {
            return Some(self.seal_apart(size, pool));
        }
        self.seal_here(size, more_follows);
        None
    }

    /// Finishes the open packet in its place, with `size` bytes or a few more.
    #[inline(always)]
    fn seal_here(&mut self, mut size: usize, more_follows: bool) {
        if self.stride == 0 {
            self.stride = size;
        } else if size < self.stride {
            // A little padding keeps packets equal, and so the batch whole.
            if more_follows && self.stride - size <= self.stride / 8 {
                size = self.stride;
            } else {
                self.is_short = true;
            }
        }
        let payload_size = self.open - HEADER_SIZE;
        packet::finish(&mut self.buffer[self.used..self.used + size], payload_size);
        self.used += size;
        self.unsummed = size;
        self.segments += 1;
        (self.open, self.answers) = (0, 0);
    }

    /// Moves the open packet to a batch of its own and finishes it there.
    #[cold]
    fn seal_apart(&mut self, size: usize, pool: &mut Pool) -> Batch {
        let mut next = Batch::new(pool);
        next.reserve(size);
        let open = &self.buffer[self.used..self.used + self.open];
        next.buffer[..self.open].copy_from_slice(open);
        (next.open, next.answers) = (self.open, self.answers);
        (self.open, self.answers) = (0, 0);
        next.seal_here(size, false);
        next
    }

    /// The size that the open packet will have: at least `padded`, and larger only where it was
    /// begun before the path's packet size shrank.
    #[inline]
    fn open_size(&self, padded: Option<usize>) -> usize {
        let least = (self.open + FOOTER_SIZE).max(ENVELOPE_SIZE + self.answers);
        least.max(padded.unwrap_or(0))
    }

    /// Bytes of sealed packets.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Size of each sealed packet but perhaps the last.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Sealed packets.
    pub(crate) fn segments(&self) -> usize {
        self.segments
    }

    /// Room left in a packet, its answers considered, for contents of `answer` bytes of answer.
    pub(crate) fn takes_answer(&self, answer: usize, size_max: usize) -> bool {
        self.open + answer + FOOTER_SIZE <= size_max
    }

    /// The sealed packets; the buffer's length is at least `len`.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// The sealed packets.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.used]
    }

    #[inline]
    fn reserve(&mut self, bytes: usize) {
        let need = self.used + bytes;
        if self.buffer.len() < need {
            self.grow(need);
        }
    }

    #[cold]
    fn grow(&mut self, need: usize) {
        let grown = need.max((2 * self.buffer.len()).min(BATCH_BYTES_MAX));
        self.buffer.resize(grown, 0);
    }
}

/// Batches of one channel to be sent, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Batches that take no more packets.
    complete: VecDeque<Batch>,
    /// The batch that grows.
    growing: Option<Batch>,
    bytes: usize,
    packets: usize,
}

impl Outbox {
    /// Puts `content` into the open packet, or into a new one. Returns by how many bytes the outbox
    /// grew. The caller has checked that it fits an empty packet, and the queue's limits.
    pub(crate) fn push(
        &mut self,
        framing: &Framing,
        content: &Content<'_>,
        pool: &mut Pool,
    ) -> usize {
        let before = self.bytes;
        let is_open = self.growing.as_ref().is_some_and(|batch| batch.has_room(framing, content));
        if !is_open {
            self.begin_packet(framing, content, pool);
        }
        let batch = self.growing.as_mut().expect("a packet is open");
        if let Some(message) = &content.message {
            batch.append(message);
        }
        batch.answers += content.answer;
        batch.is_whole = false;
        batch.alone = match content {
            Content { lead: None, message: Some(Message::Data(data)), answer: 0 } if !is_open => {
                data.len()
            }
            _ => 0,
        };
        batch.sum();
        self.bytes += content.len();
        self.bytes - before
    }

    /// As `push` of a data message, for one of many that are equally long and fill a packet each:
    /// nothing of a packet is made that stands in the one before. None when it is not so.
    #[inline]
    pub(crate) fn push_alike(&mut self, framing: &Framing, message: &[u8]) -> Option<usize> {
        let batch = self.growing.as_mut()?;
        if !batch.takes_alike(framing, message.len()) {
            return None;
        }
        batch.begin_alike(message);
        let grown = batch.open + FOOTER_SIZE;
        self.bytes += grown;
        self.packets += 1;
        Some(grown)
    }

    #[inline(always)]
    fn begin_packet(&mut self, framing: &Framing, content: &Content<'_>, pool: &mut Pool) {
        self.seal(framing, true, pool);
        if self.growing.as_ref().is_none_or(|batch| !batch.can_begin(framing)) {
            self.begin_batch(pool);
        }
        let batch = self.growing.as_mut().expect("one is there, or was just begun");
        batch.begin(framing);
        self.bytes += ENVELOPE_SIZE;
        self.packets += 1;
        let Some(lead) = &content.lead else { return };
        if ENVELOPE_SIZE + lead.encoded_len() + content.len() <= framing.packet_size {
            batch.append(lead);
            self.bytes += lead.encoded_len();
        }
    }

    /// Replaces the batch that grows, if any, by an empty one.
    #[cold]
    fn begin_batch(&mut self, pool: &mut Pool) {
        if let Some(mut batch) = self.growing.replace(Batch::new(pool)) {
            batch.sum();
            self.complete.push_back(batch);
        }
    }

    /// Seals the open packet, if there is one. Padding makes the outbox no larger: limits count
    /// what was put in.
    #[inline(always)]
    fn seal(&mut self, framing: &Framing, more_follows: bool, pool: &mut Pool) {
        let Some(batch) = self.growing.as_mut().filter(|batch| batch.open > 0) else { return };
        if let Some(next) = batch.seal(framing, more_follows, pool) {
            let full = self.growing.replace(next).expect("it was just sealed");
            self.complete.push_back(full);
        }
    }

    /// Takes the oldest batch, its last packet sealed. `Taken::bytes` is what the queue shrank by.
    pub(crate) fn take(&mut self, framing: &Framing, pool: &mut Pool) -> Option<Taken> {
        if self.complete.is_empty() {
            self.seal(framing, false, pool);
        }
        let mut batch = self.complete.pop_front().or_else(|| self.growing.take())?;
        batch.sum();
        self.packets -= batch.segments;
        let bytes = if self.is_empty() { self.bytes } else { batch.len().min(self.bytes) };
        self.bytes -= bytes;
        Some(Taken { batch, bytes })
    }

    /// The size that the only packet waiting will have (`padded`, if packets are); none when there
    /// is another number of them.
    pub(crate) fn sole_packet_size(&self, padded: Option<usize>) -> Option<usize> {
        let batch = self.growing.as_ref().filter(|_| self.packets == 1 && self.complete.is_empty());
        batch.map(|batch| if batch.open > 0 { batch.open_size(padded) } else { batch.used })
    }

    /// Whether a batch waits that nothing can be added to.
    pub(crate) fn has_complete(&self) -> bool {
        !self.complete.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.complete.is_empty() && self.growing.is_none()
    }

    /// Bytes waiting, envelopes included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Packets waiting.
    pub(crate) fn packets(&self) -> usize {
        self.packets
    }
}

/// A batch that left its outbox.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) batch: Batch,
    /// By how many bytes the outbox shrank.
    pub(crate) bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ChannelId, PeerId};
    use crate::wire::message::Messages;
    use crate::wire::packet::Packet;

    #[test]
    fn messages_share_a_packet_until_it_is_full() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        for _ in 0..7 {
            push(&mut outbox, &framing(), &mut pool, 100);
        }
        assert_eq!(outbox.packets(), 4, "two of 102 bytes fit 256 less an envelope");
        let batch = outbox.take(&framing(), &mut pool).expect("there is one").batch;
        assert_eq!((batch.segments(), batch.stride()), (4, ENVELOPE_SIZE + 204));
        assert_eq!(sizes(&batch), [&[100, 100][..], &[100, 100], &[100, 100], &[100]]);
        assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.packets() == 0);
    }

    #[test]
    fn a_slightly_smaller_packet_is_padded_to_keep_the_batch_whole() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        for len in [200, 195, 200] {
            push(&mut outbox, &framing(), &mut pool, len);
        }
        let batch = outbox.take(&framing(), &mut pool).expect("there is one").batch;
        assert_eq!(batch.segments(), 3);
        assert_eq!(sizes(&batch), [&[200][..], &[195], &[200]]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_much_smaller_packet_ends_its_batch_and_a_larger_one_begins_another() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        for len in [190, 100, 200] {
            push(&mut outbox, &framing(), &mut pool, len);
        }
        let first = outbox.take(&framing(), &mut pool).expect("there is one");
        let second = outbox.take(&framing(), &mut pool).expect("there is another");
        assert_eq!(sizes(&first.batch), [&[190][..], &[100]]);
        assert_eq!(sizes(&second.batch), [&[200][..]]);
        push(&mut outbox, &framing(), &mut pool, 50);
        push(&mut outbox, &framing(), &mut pool, 200);
        let first = outbox.take(&framing(), &mut pool).expect("the small one").batch;
        let second = outbox.take(&framing(), &mut pool).expect("the one it had no room for").batch;
        assert_eq!((sizes(&first), sizes(&second)), (vec![vec![50]], vec![vec![200]]));
        assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.packets() == 0);
    }

    #[test]
    fn a_batch_has_no_more_packets_than_the_network_takes_at_once() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        let framing = Framing { segments_max: 3, ..framing() };
        for _ in 0..7 {
            push(&mut outbox, &framing, &mut pool, 200);
        }
        let taken = std::iter::from_fn(|| outbox.take(&framing, &mut pool));
        let segments: Vec<usize> = taken.map(|taken| taken.batch.segments()).collect();
        assert_eq!(segments, [3, 3, 1]);
    }

    #[test]
    fn padding_makes_every_packet_as_large_as_allowed() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        let framing = Framing { padding: true, ..framing() };
        for len in [1, 150, 200] {
            push(&mut outbox, &framing, &mut pool, len);
        }
        let batch = outbox.take(&framing, &mut pool).expect("there is one").batch;
        assert_eq!((batch.stride(), batch.len()), (256, 512));
        assert_eq!(sizes(&batch), [&[1, 150][..], &[200]]);
    }

    #[test]
    fn a_packet_leaves_room_for_its_answers() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        let message = Some(Message::ChannelNew { initiator: 1, cookie1: 0 });
        let content = Content { lead: None, message, answer: 13 };
        for _ in 0..3 {
            outbox.push(&framing(), &content, &mut pool);
        }
        let batch = outbox.take(&framing(), &mut pool).expect("there is one").batch;
        assert_eq!(batch.len(), ENVELOPE_SIZE + 3 * 13);
    }

    fn framing() -> Framing {
        let header = Header {
            sender: PeerId([1; 16]),
            recipient: PeerId([2; 16]),
            channel: ChannelId { initiator: 1, responder: 2 },
            flags: 0,
            sequence: 0,
        };
        Framing { header, packet_size: 256, padding: false, segments_max: 64 }
    }

    fn push(outbox: &mut Outbox, framing: &Framing, pool: &mut Pool, len: usize) {
        let body = vec![7; len];
        let message = Some(Message::Data(&body));
        outbox.push(framing, &Content { lead: None, message, answer: 0 }, pool);
    }

    #[test]
    fn messages_that_fill_a_packet_each_make_the_same_packets_the_short_way() {
        // Several batches, a path that changes, other lengths in between, padding.
        let lengths = [200, 200, 200, 200, 203, 203, 90, 90, 90, 200, 200, 200, 140, 140, 140];
        for padding in [false, true] {
            for (segments_max, smaller) in [(64, 256), (3, 256), (64, 200), (2, 250)] {
                let (mut long, mut short) = (Outbox::default(), Outbox::default());
                let mut pool = Pool::default();
                let mut alike = 0;
                let framing = |at: usize| {
                    let packet_size = if at > 10 { smaller } else { 256 };
                    Framing { padding, segments_max, packet_size, ..framing() }
                };
                for (at, len) in lengths.into_iter().enumerate() {
                    if len + ENVELOPE_SIZE + 4 > framing(at).packet_size {
                        continue;
                    }
                    let grown = push_body(&mut long, &framing(at), &mut pool, &vec![at as u8; len]);
                    let body = vec![at as u8; len];
                    let other = match short.push_alike(&framing(at), &body) {
                        Some(grown) => {
                            alike += 1;
                            grown
                        }
                        None => push_body(&mut short, &framing(at), &mut pool, &body),
                    };
                    assert_eq!(grown, other);
                    assert_eq!((long.bytes(), long.packets()), (short.bytes(), short.packets()));
                }
                let is_long = !padding && segments_max == 64;
                assert!(alike > 0 || !is_long, "none went the short way");
                while let Some(taken) = long.take(&framing(11), &mut pool) {
                    let other = short.take(&framing(11), &mut pool).expect("it has as many");
                    assert_eq!(taken.batch.bytes(), other.batch.bytes());
                    assert_eq!(taken.bytes, other.bytes);
                    assert_eq!(taken.batch.segments(), other.batch.segments());
                    sizes(&other.batch);
                }
                assert!(short.is_empty());
            }
        }
    }

    fn push_body(outbox: &mut Outbox, framing: &Framing, pool: &mut Pool, body: &[u8]) -> usize {
        let content = Content { lead: None, message: Some(Message::Data(body)), answer: 0 };
        outbox.push(framing, &content, pool)
    }

    /// The lengths of the messages of each packet, every packet checked.
    fn sizes(batch: &Batch) -> Vec<Vec<usize>> {
        let packets = batch.bytes().chunks(batch.stride());
        let lengths = |packet| {
            let packet = Packet::parse(packet).expect("we made it");
            let lengths = Messages::new(packet.payload).map(|message| match message {
                Ok(Message::Data(bytes)) => bytes.len(),
                other => panic!("not data: {other:?}"),
            });
            lengths.collect()
        };
        packets.map(lengths).collect()
    }
}
