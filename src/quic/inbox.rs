//! Messages that wait to be received, and the limits that hold their senders back.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::config::QuicConfig;
use super::events::{QuicConnection, Waiting};
use super::line::{Head, Line};
use super::message::{FrameError, LENGTH_SIZE};
use crate::id::PeerId;

/// Two queues, of messages for channels and of sync messages, under limits in common.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) messages: Line,
    syncs: Line,
    total: Share,
    /// By connection, also of those that ended.
    shares: BTreeMap<QuicConnection, Share>,
    /// The one that was asked for last, which mostly is asked for next; it is not among `shares`.
    latest: (QuicConnection, Share),
    total_max: Share,
    share_max: Share,
    /// The head of the last frame, which mostly is that of the next.
    head: Head,
    /// Where the next small frame that comes in pieces is put together.
    spare: Vec<u8>,
}

/// What messages take up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Bytes of those that wait, and of the whole of those that are still arriving.
    pub(super) bytes: usize,
    /// Messages that wait.
    pub(super) messages: usize,
    /// Messages that are still arriving.
    unfinished: usize,
}

/// Whether a frame may begin to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// There is room, for the whole of it.
    Admitted,
    /// There will be, once the owner received something.
    Held,
    /// There is none, and nothing waits for the owner: unfinished messages have it all. To wait
    /// for them could be for ever, as what is not read here keeps QUIC's window from them.
    Refused,
}

/// Which of the two queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Queue {
    Messages,
    #[default]
    Syncs,
}

/// Whom a message is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) connection: QuicConnection,
    pub(super) address: SocketAddr,
    pub(super) peer: PeerId,
}

/// What was kept of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Harvest {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// A message for channels came into an empty queue.
    pub(super) messages_began: bool,
    /// A sync message did.
    pub(super) syncs_began: bool,
}

/// Small frames that are kept together: they lie back to back, and have one head.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    frames: usize,
    /// Without their lengths.
    bytes: usize,
}

impl Inbox {
    pub(super) fn new(config: &QuicConfig) -> Inbox {
        Inbox {
            messages: Line::default(),
            syncs: Line::default(),
            total: Share::default(),
            shares: BTreeMap::new(),
            latest: (QuicConnection(0), Share::default()),
            total_max: Share {
                bytes: config.receive_bytes_max,
                messages: config.receive_messages_max,
                unfinished: 0,
            },
            share_max: Share {
                bytes: config.connection_receive_bytes_max,
                messages: config.connection_receive_messages_max,
                unfinished: 0,
            },
            head: Head::default(),
            spare: Vec::new(),
        }
    }

    /// Makes room for a frame of `len` bytes, the whole of it, so that what was begun can always
    /// be finished.
    pub(super) fn admit(&mut self, connection: QuicConnection, len: usize) -> Admission {
        self.find(connection);
        let admission = self.check(Run::default(), len);
        if admission == Admission::Admitted {
            for share in [&mut self.total, &mut self.latest.1] {
                share.bytes += len;
                share.unfinished += 1;
            }
        }
        admission
    }

    /// What a frame that comes in pieces is put together in.
    pub(super) fn lend_spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// Gives back the room of a frame of `len` bytes that will not be finished.
    pub(super) fn release(&mut self, connection: QuicConnection, len: usize) {
        self.find(connection);
        for share in [&mut self.total, &mut self.latest.1] {
            share.bytes -= len;
            share.unfinished -= 1;
        }
    }

    /// Keeps a frame that room was made for. One that is none gives its room back.
    pub(super) fn push(
        &mut self,
        origin: Origin,
        frame: Vec<u8>,
        harvest: &mut Harvest,
    ) -> Result<(), FrameError> {
        let len = frame.len();
        self.release(origin.connection, len);
        if !self.head.begins(&frame) {
            self.head.read(&frame)?;
        }
        let run = Run { frames: 1, bytes: len };
        self.count(origin.connection, run, harvest);
        let head = &self.head;
        let line = match head.queue() {
            Queue::Messages => &mut self.messages,
            Queue::Syncs => &mut self.syncs,
        };
        if len > SMALL_BYTES_MAX {
            line.push_large(origin, head, frame);
        } else {
            line.push(origin, head, &[&(len as u32).to_be_bytes(), &frame], 1);
            self.spare = frame;
            self.spare.clear();
        }
        Ok(())
    }

    /// Keeps the small frames with which `bytes` begins, as far as there is room. Returns how many
    /// bytes they have with their lengths, and what there is for the one behind them.
    pub(super) fn take(
        &mut self,
        origin: Origin,
        bytes: &[u8],
        frame_bytes_max: usize,
        harvest: &mut Harvest,
    ) -> Result<(usize, Admission), FrameError> {
        let small = 1..=frame_bytes_max.min(SMALL_BYTES_MAX);
        // Where the run at hand begins, and where it ends.
        let (mut begin, mut end) = (0, 0);
        let mut run = Run::default();
        self.find(origin.connection);
        let mut room = self.room();
        let result = loop {
            let rest = &bytes[end..];
            let again = self.head.begins_again(rest);
            let len = again
                .or_else(|| rest.first_chunk().map(|length| u32::from_be_bytes(*length) as usize));
            // Large frames, and lengths that are wrong, are for the caller.
            let len = len.filter(|len| small.contains(len));
            let frame = len.and_then(|len| rest.get(LENGTH_SIZE..LENGTH_SIZE + len));
            let Some(frame) = frame else { break Ok(Admission::Admitted) };
            let len = frame.len();
            if run.frames >= room.frames || run.bytes + len > room.bytes {
                match self.check(run, len) {
                    Admission::Admitted => {}
                    Admission::Held => break Ok(Admission::Held),
                    Admission::Refused => break Err(FrameError::TooMuch),
                }
            }
            let is_other = again.is_none() && !self.head.begins(frame);
            if is_other || end - begin + LENGTH_SIZE + len > RUN_BYTES_MAX {
                self.keep(origin, &bytes[begin..end], run, harvest);
                (begin, run, room) = (end, Run::default(), self.room());
            }
            if is_other && let Err(error) = self.head.read(frame) {
                break Err(error);
            }
            if again.is_none() {
                self.head.expect(len);
            }
            run.frames += 1;
            run.bytes += len;
            end += LENGTH_SIZE + len;
        };
        self.keep(origin, &bytes[begin..end], run, harvest);
        Ok((end, result?))
    }

    /// The oldest message.
    pub(super) fn front(&self, which: Queue) -> Option<Waiting<'_>> {
        let line = match which {
            Queue::Messages => &self.messages,
            Queue::Syncs => &self.syncs,
        };
        line.front()
    }

    /// Forgets the oldest message; returns whose room is free now.
    pub(super) fn pop(&mut self, which: Queue) -> Option<QuicConnection> {
        let line = match which {
            Queue::Messages => &mut self.messages,
            Queue::Syncs => &mut self.syncs,
        };
        let mut connection = QuicConnection(0);
        let len = line.take(|front| {
            connection = front.origin.connection;
            true
        })?;
        self.forget(connection, 1, len);
        Some(connection)
    }

    /// Frees the room of messages that were taken out.
    pub(super) fn forget(&mut self, connection: QuicConnection, messages: usize, bytes: usize) {
        self.find(connection);
        for share in [&mut self.total, &mut self.latest.1] {
            share.bytes -= bytes;
            share.messages -= messages;
        }
    }

    pub(super) fn total(&self) -> Share {
        self.total
    }

    pub(super) fn share(&self, connection: QuicConnection) -> Share {
        if self.latest.0 == connection {
            return self.latest.1;
        }
        self.shares.get(&connection).copied().unwrap_or_default()
    }

    /// What the connection at hand has room for at least.
    fn room(&self) -> Run {
        let [total, share] = [(&self.total, &self.total_max), (&self.latest.1, &self.share_max)]
            .map(|(is, max)| Run {
                frames: max.messages.saturating_sub(is.messages),
                bytes: max.bytes.saturating_sub(is.bytes),
            });
        Run { frames: total.frames.min(share.frames), bytes: total.bytes.min(share.bytes) }
    }

    /// Whether the connection at hand has room for a frame of `len` bytes behind `run`.
    fn check(&self, run: Run, len: usize) -> Admission {
        let (total, share) = (self.total.with(run), self.latest.1.with(run));
        if total.holds(len, &self.total_max) || share.holds(len, &self.share_max) {
            return Admission::Held;
        }
        if share.unfinished > 0 && share.bytes + len > self.share_max.bytes {
            return Admission::Refused;
        }
        Admission::Admitted
    }

    /// Keeps small frames that have the head at hand; `bytes` are those with their lengths.
    fn keep(&mut self, origin: Origin, bytes: &[u8], run: Run, harvest: &mut Harvest) {
        if run.frames == 0 {
            return;
        }
        self.count(origin.connection, run, harvest);
        let line = match self.head.queue() {
            Queue::Messages => &mut self.messages,
            Queue::Syncs => &mut self.syncs,
        };
        line.push(origin, &self.head, &[bytes], run.frames);
    }

    /// Counts messages that are about to be kept.
    fn count(&mut self, connection: QuicConnection, run: Run, harvest: &mut Harvest) {
        self.find(connection);
        for share in [&mut self.total, &mut self.latest.1] {
            share.bytes += run.bytes;
            share.messages += run.frames;
        }
        harvest.messages += run.frames as u64;
        harvest.bytes += run.bytes as u64;
        match self.head.queue() {
            Queue::Messages => harvest.messages_began |= self.messages.is_empty(),
            Queue::Syncs => harvest.syncs_began |= self.syncs.is_empty(),
        }
    }

    /// Brings the share of a connection to hand.
    #[inline]
    fn find(&mut self, connection: QuicConnection) {
        if self.latest.0 == connection {
            return;
        }
        let share = self.shares.remove(&connection).unwrap_or_default();
        let (other, before) = std::mem::replace(&mut self.latest, (connection, share));
        if before != Share::default() {
            self.shares.insert(other, before);
        }
    }
}

impl Share {
    /// With a run that waits.
    #[inline]
    fn with(self, run: Run) -> Share {
        let (bytes, messages) = (self.bytes + run.bytes, self.messages + run.frames);
        Share { bytes, messages, ..self }
    }

    /// Whether something waits that must be received before a frame of `len` bytes has room.
    fn holds(&self, len: usize, max: &Share) -> bool {
        let is_full = self.messages >= max.messages || self.bytes + len > max.bytes;
        self.messages > 0 && is_full
    }
}

/// Bytes of a frame that is copied to where small ones lie.
pub(super) const SMALL_BYTES_MAX: usize = 8 << 10;

/// Bytes that are copied there at once: what is left of a block for want of them is lost.
const RUN_BYTES_MAX: usize = LENGTH_SIZE + SMALL_BYTES_MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Identity;
    use crate::quic::Trust;

    const ONE: QuicConnection = QuicConnection(1);
    const OTHER: QuicConnection = QuicConnection(2);

    fn inbox() -> Inbox {
        let identity = Identity::from_seed([1; 32]);
        let mut config = QuicConfig::new(Trust::RawKeys { identity, peers: Vec::new() });
        config.connection_receive_bytes_max = 100;
        config.connection_receive_messages_max = 3;
        config.receive_bytes_max = 150;
        Inbox::new(&config)
    }

    fn push(inbox: &mut Inbox, connection: QuicConnection, len: usize) {
        let address = SocketAddr::from(([10, 0, 0, 1], 7));
        let origin = Origin { connection, address, peer: PeerId([0; 16]) };
        let mut harvest = Harvest::default();
        inbox.push(origin, vec![0; len], &mut harvest).expect("a sync message");
        assert_eq!((harvest.messages, harvest.bytes), (1, len as u64));
    }

    #[test]
    fn what_waits_holds_and_what_is_unfinished_refuses() {
        let mut inbox = inbox();
        assert_eq!(inbox.admit(ONE, 60), Admission::Admitted);
        assert_eq!(inbox.admit(ONE, 60), Admission::Refused, "nothing waits: it could be for ever");
        push(&mut inbox, ONE, 60);
        assert_eq!(inbox.admit(ONE, 60), Admission::Held);
        assert_eq!(inbox.admit(ONE, 40), Admission::Admitted);
        inbox.release(ONE, 40);
        assert_eq!(inbox.pop(Queue::Syncs), Some(ONE));
        assert_eq!(inbox.admit(ONE, 100), Admission::Admitted);
        inbox.release(ONE, 100);
        assert_eq!((inbox.total(), inbox.share(ONE)), (Share::default(), Share::default()));
    }

    #[test]
    fn limits_hold_for_each_and_for_all() {
        let mut inbox = inbox();
        for connection in [ONE, OTHER] {
            assert_eq!(inbox.admit(connection, 70), Admission::Admitted);
            push(&mut inbox, connection, 70);
        }
        assert_eq!(inbox.admit(OTHER, 20), Admission::Held, "for all");
        inbox.pop(Queue::Syncs);
        for _ in 0..2 {
            assert_eq!(inbox.admit(OTHER, 1), Admission::Admitted);
            push(&mut inbox, OTHER, 1);
        }
        assert_eq!(inbox.admit(OTHER, 1), Admission::Held, "three messages are its limit");
        assert_eq!(inbox.admit(ONE, 1), Admission::Admitted);
    }
}
