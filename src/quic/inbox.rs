//! Messages that wait to be received, and the limits that hold their senders back.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::config::QuicConfig;
use super::events::{QuicConnection, Waiting};
use super::message::{FrameError, QuicMessage, TeamId};
use super::store::Store;
use crate::id::PeerId;

/// Two queues, of messages for channels and of sync messages, under limits in common.
#[derive(Debug)]
pub(super) struct Inbox {
    messages: Line,
    syncs: Line,
    total: Share,
    /// By connection, also of those that ended.
    shares: BTreeMap<QuicConnection, Share>,
    /// The one that was asked for last, which mostly is asked for next; it is not among `shares`.
    latest: (QuicConnection, Share),
    total_max: Share,
    share_max: Share,
}

/// Messages in the order in which they came.
#[derive(Debug, Default)]
struct Line {
    kept: VecDeque<Kept>,
    small: Store,
    /// Those that were put together from pieces stay in what that was done in.
    large: VecDeque<Vec<u8>>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    Messages,
    Syncs,
}

/// Whom a message is from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) connection: QuicConnection,
    pub(super) address: SocketAddr,
    pub(super) peer: PeerId,
}

/// A message that waits, apart from its frame.
#[derive(Debug)]
struct Kept {
    origin: Origin,
    frame: usize,
    /// Where the team begins in the frame, where the label does, and where the message.
    team: u16,
    label: u16,
    message: u16,
    is_large: bool,
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
        }
    }

    /// Makes room for a frame of `len` bytes, the whole of it, so that what was begun can always
    /// be finished.
    pub(super) fn admit(&mut self, connection: QuicConnection, len: usize) -> Admission {
        let admission = self.check(connection, len);
        if admission == Admission::Admitted {
            for share in [&mut self.total, &mut self.latest.1] {
                share.bytes += len;
                share.unfinished += 1;
            }
        }
        admission
    }

    /// Gives back the room of a frame of `len` bytes that will not be finished.
    pub(super) fn release(&mut self, connection: QuicConnection, len: usize) {
        self.find(connection);
        for share in [&mut self.total, &mut self.latest.1] {
            share.bytes -= len;
            share.unfinished -= 1;
        }
    }

    /// Keeps a frame that room was made for. Returns the queue when it was empty. A frame that is
    /// none gives its room back.
    pub(super) fn push(
        &mut self,
        origin: Origin,
        frame: Vec<u8>,
    ) -> Result<Option<Queue>, FrameError> {
        let (connection, len) = (origin.connection, frame.len());
        self.release(connection, len);
        let (kept, which) = Kept::read(origin, &frame)?;
        let line = self.line_mut(which);
        let was_empty = line.kept.is_empty();
        if len > SMALL_BYTES_MAX {
            line.large.push_back(frame);
            line.kept.push_back(Kept { is_large: true, ..kept });
        } else {
            line.small.push(&frame);
            line.kept.push_back(kept);
        }
        self.count(len);
        Ok(was_empty.then_some(which))
    }

    /// Keeps a frame of at most `SMALL_BYTES_MAX` that is there as a whole, if there is room.
    /// Returns the queue when it was empty.
    #[inline]
    pub(super) fn take(
        &mut self,
        origin: Origin,
        frame: &[u8],
    ) -> Result<(Admission, Option<Queue>), FrameError> {
        let admission = self.check(origin.connection, frame.len());
        if admission != Admission::Admitted {
            return Ok((admission, None));
        }
        let (kept, which) = Kept::read(origin, frame)?;
        let line = self.line_mut(which);
        let was_empty = line.kept.is_empty();
        line.small.push(frame);
        line.kept.push_back(kept);
        self.count(frame.len());
        Ok((admission, was_empty.then_some(which)))
    }

    /// The oldest message.
    #[inline]
    pub(super) fn front(&self, which: Queue) -> Option<Waiting<'_>> {
        let line = match which {
            Queue::Messages => &self.messages,
            Queue::Syncs => &self.syncs,
        };
        let kept = line.kept.front()?;
        let frame = match (kept.is_large, line.large.front()) {
            (true, Some(large)) => large,
            (true, None) | (false, _) => line.small.front(kept.frame),
        };
        let (head, message) = frame.split_at(kept.message.into());
        let team_id = head[kept.team.into()..].first_chunk().copied().unwrap_or_default();
        let label = std::str::from_utf8(&head[kept.label.into()..]);
        Some(Waiting {
            address: kept.origin.address,
            peer: kept.origin.peer,
            team_id: TeamId(team_id),
            label: label.expect("it was text when it was kept"),
            message,
        })
    }

    /// Forgets the oldest message; returns whose room is free now.
    #[inline]
    pub(super) fn pop(&mut self, which: Queue) -> Option<QuicConnection> {
        let line = self.line_mut(which);
        let kept = line.kept.pop_front()?;
        match kept.is_large {
            true => drop(line.large.pop_front()),
            false => line.small.pop(kept.frame),
        }
        let connection = kept.origin.connection;
        self.find(connection);
        for share in [&mut self.total, &mut self.latest.1] {
            share.bytes -= kept.frame;
            share.messages -= 1;
        }
        Some(connection)
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

    /// Whether there is room for a frame of `len` bytes; then the share of `connection` is at hand.
    #[inline]
    fn check(&mut self, connection: QuicConnection, len: usize) -> Admission {
        self.find(connection);
        let share = self.latest.1;
        if self.total.holds(len, &self.total_max) || share.holds(len, &self.share_max) {
            return Admission::Held;
        }
        if share.unfinished > 0 && share.bytes + len > self.share_max.bytes {
            return Admission::Refused;
        }
        Admission::Admitted
    }

    /// Counts a message of the connection at hand.
    #[inline]
    fn count(&mut self, len: usize) {
        for share in [&mut self.total, &mut self.latest.1] {
            share.bytes += len;
            share.messages += 1;
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

    fn line_mut(&mut self, which: Queue) -> &mut Line {
        match which {
            Queue::Messages => &mut self.messages,
            Queue::Syncs => &mut self.syncs,
        }
    }
}

impl Kept {
    /// What is where in a small frame, and which queue it is for.
    #[inline]
    fn read(origin: Origin, frame: &[u8]) -> Result<(Kept, Queue), FrameError> {
        let (head, size) = QuicMessage::read(frame)?;
        // Heads have a few hundred bytes at most.
        let message = size as u16;
        let (team, label, which) = match head {
            QuicMessage::Sync => (message, message, Queue::Syncs),
            QuicMessage::ChannelMessage { label, .. } => {
                // The variant is a varint, of one byte unless somebody makes it longer.
                let variant = frame.iter().take_while(|byte| **byte >= 0x80).count() + 1;
                (variant as u16, (size - label.len()) as u16, Queue::Messages)
            }
        };
        let frame = frame.len();
        Ok((Kept { origin, frame, team, label, message, is_large: false }, which))
    }
}

impl Share {
    /// Whether something waits that must be received before a frame of `len` bytes has room.
    fn holds(&self, len: usize, max: &Share) -> bool {
        let is_full = self.messages >= max.messages || self.bytes + len > max.bytes;
        self.messages > 0 && is_full
    }
}

/// Bytes of a frame that is copied to where small ones lie.
pub(super) const SMALL_BYTES_MAX: usize = 8 << 10;

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
        inbox.push(origin, vec![0; len]).expect("a sync message");
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
