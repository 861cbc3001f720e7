//! What waits to be sent to one peer, and the streams it goes on.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};

use bytes::{BufMut, Bytes, BytesMut};
use quinn_proto::{Connection, Dir, StreamId, WriteError};
use siphasher::sip::SipHasher13;

use super::config::{CHANNEL_STREAMS_MAX, StreamPolicy};
use super::message::{LENGTH_SIZE, QuicMessage};

/// Small frames are gathered in pieces of this size: QUIC then keeps a piece, not each frame.
const PIECE_BYTES: usize = 32 << 10;

/// Frames of this size get a piece of their own.
const LARGE_BYTES: usize = 8 << 10;

/// The sending half of a connection.
#[derive(Debug)]
pub(super) struct Outbox {
    policy: StreamPolicy,
    /// The first serves `ordered`, and what has no channel.
    lanes: Vec<Lane>,
    /// By hash of the channel: which lane is its own. Others share them all.
    assigned: BTreeMap<u64, usize>,
    /// Set when the peer allows no further stream: no lane is added any more.
    is_full: bool,
    hash_key: (u64, u64),
    queued_bytes: usize,
    /// Bytes that QUIC took so far, on all lanes.
    written: u64,
    queued_bytes_max: usize,
    window: u64,
    /// The lane that has given QUIC a part of a large frame. Others wait with theirs, so that the
    /// peer never has many unfinished ones.
    large: Option<usize>,
    /// A send was refused: the owner waits for room.
    owes_writable: bool,
    /// There may be something to write.
    is_dirty: bool,
    is_finishing: bool,
}

/// One stream, and what waits for it.
#[derive(Debug, Default)]
struct Lane {
    stream: Option<StreamId>,
    pieces: VecDeque<Bytes>,
    /// The piece that small frames are gathered in.
    tail: BytesMut,
    /// Messages in `tail`.
    tail_messages: u64,
    /// For each piece that is not known to have arrived, where it ends and its messages.
    marks: VecDeque<(u64, u64)>,
    /// Bytes that became pieces.
    taken: u64,
    /// Bytes that QUIC took.
    written: u64,
    is_finished: bool,
}

/// The piece that small frames are gathered in, lent.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pub(super) bytes: BytesMut,
    /// How long it may be before another frame is put.
    len_max: usize,
    /// How long it was when it was lent.
    lent: usize,
}

/// Where a peer stopped us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped {
    pub(super) stream: StreamId,
    pub(super) code: u64,
}

impl Outbox {
    pub(super) fn new(
        policy: StreamPolicy,
        queued_bytes_max: usize,
        window: usize,
        hash_key: (u64, u64),
    ) -> Outbox {
        Outbox {
            policy,
            lanes: vec![Lane::default()],
            assigned: BTreeMap::new(),
            is_full: false,
            hash_key,
            queued_bytes: 0,
            written: 0,
            queued_bytes_max,
            window: window as u64,
            large: None,
            owes_writable: false,
            is_dirty: false,
            is_finishing: false,
        }
    }

    /// Whether another message is taken; if not, the owner waits for room.
    pub(super) fn has_room(&mut self) -> bool {
        let has_room = self.queued_bytes < self.queued_bytes_max;
        self.owes_writable |= !has_room;
        has_room
    }

    /// Takes a message; returns the number of its lane.
    pub(super) fn push(&mut self, head: QuicMessage<'_>, message: &[u8]) -> usize {
        let lane = self.lane_of(head);
        self.queued_bytes += self.lanes[lane].push(head, message);
        self.is_dirty = true;
        lane
    }

    /// Lends the place for the next small frames of a lane. Until it is back, nothing else is done
    /// here.
    pub(super) fn lend(&mut self, lane: usize) -> Tail {
        let bytes = std::mem::take(&mut self.lanes[lane].tail);
        let room = self.queued_bytes_max.saturating_sub(self.queued_bytes);
        Tail { lent: bytes.len(), len_max: bytes.len() + room, bytes }
    }

    /// Takes back what was lent, with so many frames more.
    pub(super) fn take_back(&mut self, lane: usize, tail: Tail, frames: u64) {
        self.queued_bytes += tail.bytes.len() - tail.lent;
        self.lanes[lane].tail = tail.bytes;
        self.lanes[lane].tail_messages += frames;
        self.is_dirty |= frames > 0;
    }

    /// The peer opened a bidirectional stream; whether it becomes the one of this connection. Else
    /// our half of it is of no use.
    pub(super) fn offer(&mut self, stream: StreamId) -> bool {
        let is_wanted = self.policy == StreamPolicy::Ordered
            && self.lanes[0].stream.is_none()
            && !self.is_finishing;
        if is_wanted {
            self.lanes[0].stream = Some(stream);
        }
        is_wanted
    }

    /// Gives QUIC what it takes. Returns the first stream that the peer stopped.
    pub(super) fn flush(&mut self, connection: &mut Connection) -> Option<Stopped> {
        if !std::mem::take(&mut self.is_dirty) {
            return None;
        }
        // Who has a large frame under way comes first: others may wait for it.
        let first = self.large.unwrap_or(0);
        for index in (first..self.lanes.len()).chain(0..first) {
            let lane = &self.lanes[index];
            if lane.pieces.is_empty() && lane.tail.is_empty() {
                continue;
            }
            let Some(stream) = lane.stream.or_else(|| open(self.policy, connection)) else {
                self.share_lane(index);
                continue;
            };
            let lane = &mut self.lanes[index];
            lane.stream = Some(stream);
            lane.seal();
            let before = lane.written;
            let result = lane.write(connection, stream, index, &mut self.large);
            self.queued_bytes -= (lane.written - before) as usize;
            self.written += lane.written - before;
            lane.forget(self.window);
            if let Err(code) = result {
                // What is behind it waits for the next call.
                self.is_dirty = true;
                return Some(Stopped { stream, code });
            }
        }
        None
    }

    /// Something changed in QUIC that may let it take more.
    pub(super) fn note_room(&mut self) {
        self.is_dirty = true;
    }

    /// Whether the owner waited for room, and there is again; asked once.
    pub(super) fn take_writable(&mut self) -> bool {
        let is_writable = self.owes_writable && self.queued_bytes <= self.queued_bytes_max / 2;
        self.owes_writable &= !is_writable;
        is_writable
    }

    /// Takes over what waits in another outbox, of which nothing was ever sent. This one has
    /// nothing waiting.
    pub(super) fn inherit(&mut self, other: &mut Outbox) {
        let stream = self.lanes[0].stream;
        std::mem::swap(&mut self.lanes, &mut other.lanes);
        std::mem::swap(&mut self.assigned, &mut other.assigned);
        std::mem::swap(&mut self.queued_bytes, &mut other.queued_bytes);
        self.lanes[0].stream = stream;
        self.owes_writable = std::mem::take(&mut other.owes_writable);
        self.is_dirty = true;
    }

    /// The peer stopped a stream: what was for it is lost; returns how many messages. What comes
    /// next goes on another stream.
    pub(super) fn stop(&mut self, stream: StreamId) -> u64 {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.stream == Some(stream)) else {
            return 0;
        };
        self.queued_bytes -= lane.queued_bytes();
        let lost = lane.undelivered();
        *lane = Lane::default();
        // Whoever had to wait for it no longer does.
        self.large = None;
        self.is_dirty = true;
        lost
    }

    /// All of a stream arrived.
    pub(super) fn note_finished(&mut self, stream: StreamId) {
        let lane = self.lanes.iter_mut().find(|lane| lane.stream == Some(stream));
        if let Some(lane) = lane {
            lane.marks.clear();
        }
    }

    /// Nothing of this connection is in flight or waits in QUIC: what QUIC took has arrived.
    pub(super) fn note_quiet(&mut self) {
        for lane in &mut self.lanes {
            lane.forget(0);
        }
    }

    /// No further message comes: ends each stream once it has been given everything.
    pub(super) fn finish(&mut self, connection: &mut Connection) {
        self.is_finishing = true;
        for lane in &mut self.lanes {
            if !lane.is_finished
                && lane.queued_bytes() == 0
                && let Some(stream) = lane.stream
            {
                lane.is_finished = true;
                // Stopped meanwhile: then nothing of it is wanted.
                let _stopped = connection.send_stream(stream).finish();
            }
        }
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Messages of which it is not known that they arrived.
    pub(super) fn undelivered(&self) -> u64 {
        self.lanes.iter().map(Lane::undelivered).sum()
    }

    /// The peer allows no stream for a lane: what waits on it goes on another, for good.
    /// Nothing was ever sent on it, so that its channels keep their order.
    fn share_lane(&mut self, index: usize) {
        let open: Vec<usize> = (0..self.lanes.len())
            .filter(|other| *other != index && self.lanes[*other].stream.is_some())
            .collect();
        // Without any, an event says when the peer allows one.
        if open.is_empty() {
            return;
        }
        let to = open[index % open.len()];
        let mut lane = std::mem::take(&mut self.lanes[index]);
        lane.seal();
        let target = &mut self.lanes[to];
        target.seal();
        target.marks.extend(lane.marks.iter().map(|(end, count)| (target.taken + end, *count)));
        target.taken += lane.taken;
        target.pieces.append(&mut lane.pieces);
        for assigned in self.assigned.values_mut().filter(|assigned| **assigned == index) {
            *assigned = to;
        }
        self.is_full = true;
        self.is_dirty = true;
    }

    fn lane_of(&mut self, head: QuicMessage<'_>) -> usize {
        let QuicMessage::ChannelMessage { team_id, label } = head else { return 0 };
        if self.policy == StreamPolicy::Ordered {
            return 0;
        }
        let mut hasher = SipHasher13::new_with_keys(self.hash_key.0, self.hash_key.1);
        (team_id, label).hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(lane) = self.assigned.get(&hash) {
            return *lane;
        }
        if self.is_full || self.lanes.len() >= CHANNEL_STREAMS_MAX {
            // Not remembered: once there is no lane to be had, the answer stays the same.
            self.is_full = true;
            return (hash % self.lanes.len() as u64) as usize;
        }
        // The first lane is that of sync messages.
        self.lanes.push(Lane::default());
        let lane = self.lanes.len() - 1;
        self.assigned.insert(hash, lane);
        lane
    }
}

impl Tail {
    /// Whether a small frame of `len` bytes, with its length, may be put.
    #[inline]
    pub(super) fn has_room(&self, len: usize) -> bool {
        self.bytes.len() < self.len_max
            && len <= LARGE_BYTES.min(self.bytes.capacity() - self.bytes.len())
    }
}

impl Lane {
    /// Takes a frame; returns its bytes.
    #[inline]
    fn push(&mut self, head: QuicMessage<'_>, message: &[u8]) -> usize {
        let body = head.size() + message.len();
        let len = LENGTH_SIZE + body;
        // The settings keep frames below 4 GiB.
        let length = (body as u32).to_be_bytes();
        let is_large = len > LARGE_BYTES;
        if is_large || self.tail.capacity() - self.tail.len() < len {
            self.seal();
            self.tail = BytesMut::with_capacity(if is_large { len } else { PIECE_BYTES });
        }
        self.tail.put_slice(&length);
        head.put(&mut self.tail);
        self.tail.put_slice(message);
        self.tail_messages += 1;
        len
    }

    /// Makes a piece of what was gathered.
    fn seal(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        // What is left of the buffer stays for the next frames.
        let piece = self.tail.split().freeze();
        self.taken += piece.len() as u64;
        self.marks.push_back((self.taken, std::mem::take(&mut self.tail_messages)));
        self.pieces.push_back(piece);
    }

    /// Gives QUIC what it takes. `large` is the lane, of which this is number `index`, that has a
    /// large frame under way.
    fn write(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        index: usize,
        large: &mut Option<usize>,
    ) -> Result<(), u64> {
        while let Some(piece) = self.pieces.front() {
            let is_large = piece.len() > PIECE_BYTES || *large == Some(index);
            if is_large && large.is_some_and(|other| other != index) {
                return Ok(());
            }
            // Small pieces go together.
            let small = self.pieces.iter().take_while(|piece| piece.len() <= PIECE_BYTES).count();
            let count = if is_large { 1 } else { small };
            let pieces = &mut self.pieces.make_contiguous()[..count];
            match connection.send_stream(stream).write_chunks(pieces) {
                Ok(written) => {
                    let is_whole = written.chunks == count;
                    self.pieces.drain(..written.chunks);
                    self.written += written.bytes as u64;
                    if is_large {
                        *large = (!is_whole).then_some(index);
                    }
                }
                Err(WriteError::Blocked) => return Ok(()),
                Err(WriteError::Stopped(code)) => return Err(code.into_inner()),
                // It was stopped, and the event says so.
                Err(WriteError::ClosedStream) => return Err(0),
            }
        }
        Ok(())
    }

    /// Forgets what must have arrived: QUIC keeps at most `window` bytes that may not have.
    fn forget(&mut self, window: u64) {
        while let Some((end, _)) = self.marks.front()
            && end.saturating_add(window) <= self.written
        {
            self.marks.pop_front();
        }
    }

    fn queued_bytes(&self) -> usize {
        (self.taken - self.written) as usize + self.tail.len()
    }

    fn undelivered(&self) -> u64 {
        self.tail_messages + self.marks.iter().map(|(_, messages)| messages).sum::<u64>()
    }
}

fn open(policy: StreamPolicy, connection: &mut Connection) -> Option<StreamId> {
    let (first, second) = match policy {
        StreamPolicy::Ordered => (Dir::Bi, Dir::Uni),
        StreamPolicy::PerChannel => (Dir::Uni, Dir::Bi),
    };
    // A peer may allow none of a kind.
    connection.streams().open(first).or_else(|| connection.streams().open(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(policy: StreamPolicy) -> Outbox {
        Outbox::new(policy, 1_000, 10_000, (1, 2))
    }

    fn to(label: &str) -> QuicMessage<'_> {
        QuicMessage::ChannelMessage { team_id: [0; 32], label }
    }

    #[test]
    fn a_frame_is_length_head_and_message() {
        let mut outbox = outbox(StreamPolicy::Ordered);
        outbox.push(QuicMessage::Sync, b"abc");
        outbox.push(to("x"), b"");
        outbox.lanes[0].seal();
        let mut expected = vec![0, 0, 0, 4, 0, b'a', b'b', b'c', 0, 0, 0, 35, 1];
        expected.extend([0; 32]);
        expected.extend([1, b'x']);
        assert_eq!(outbox.lanes[0].pieces, [Bytes::from(expected)]);
        assert_eq!((outbox.queued_bytes(), outbox.undelivered()), (47, 2));
    }

    #[test]
    fn a_channel_keeps_its_lane_and_channels_beyond_the_lanes_share_them() {
        let mut outbox = outbox(StreamPolicy::PerChannel);
        let labels: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
        let first: Vec<usize> = labels.iter().map(|label| outbox.lane_of(to(label))).collect();
        let again: Vec<usize> = labels.iter().map(|label| outbox.lane_of(to(label))).collect();
        assert_eq!(first, again);
        assert_eq!(outbox.lanes.len(), CHANNEL_STREAMS_MAX);
        assert_eq!(outbox.lane_of(QuicMessage::Sync), 0);
        let own: Vec<usize> = (1..CHANNEL_STREAMS_MAX).collect();
        assert_eq!(first[..CHANNEL_STREAMS_MAX - 1], own);
    }

    #[test]
    fn a_full_queue_says_so_and_tells_once_when_there_is_room() {
        let mut outbox = outbox(StreamPolicy::Ordered);
        assert!(outbox.has_room());
        outbox.push(QuicMessage::Sync, &[0; 5_000]);
        assert!(!outbox.has_room() && !outbox.take_writable());
        let lost = outbox.stop(StreamId::new(quinn_proto::Side::Client, Dir::Bi, 0));
        assert_eq!(lost, 0, "a stream that is none of ours");
        let stream = StreamId::new(quinn_proto::Side::Server, Dir::Bi, 0);
        assert!(outbox.offer(stream) && !outbox.offer(stream));
        assert_eq!(outbox.stop(stream), 1);
        assert!(outbox.has_room() && outbox.take_writable() && !outbox.take_writable());
    }
}
