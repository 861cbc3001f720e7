//! Messages that wait to be received, and the limits that hold their senders back.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;

use super::config::QuicConfig;
use super::events::{QuicConnection, Waiting};
use super::message::{FrameError, QuicMessage, TeamId};
use crate::id::PeerId;

/// Two queues, of messages for channels and of sync messages, under limits in common.
#[derive(Debug)]
pub(super) struct Inbox {
    messages: VecDeque<Kept>,
    syncs: VecDeque<Kept>,
    total: Share,
    /// By connection, also of those that ended.
    shares: BTreeMap<QuicConnection, Share>,
    total_max: Share,
    share_max: Share,
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

#[derive(Debug)]
struct Kept {
    origin: Origin,
    team_id: TeamId,
    /// The whole frame.
    frame: Vec<u8>,
    label: Range<usize>,
    message: usize,
}

impl Inbox {
    pub(super) fn new(config: &QuicConfig) -> Inbox {
        Inbox {
            messages: VecDeque::new(),
            syncs: VecDeque::new(),
            total: Share::default(),
            shares: BTreeMap::new(),
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
        let share = self.shares.get(&connection).copied().unwrap_or_default();
        if self.total.holds(len, &self.total_max) || share.holds(len, &self.share_max) {
            return Admission::Held;
        }
        if share.unfinished > 0 && share.bytes + len > self.share_max.bytes {
            return Admission::Refused;
        }
        for share in [&mut self.total, self.shares.entry(connection).or_default()] {
            share.bytes += len;
            share.unfinished += 1;
        }
        Admission::Admitted
    }

    /// Gives back the room of a frame of `len` bytes that will not be finished.
    pub(super) fn release(&mut self, connection: QuicConnection, len: usize) {
        self.change(connection, |share| {
            share.bytes -= len;
            share.unfinished -= 1;
        });
    }

    /// Keeps a frame that room was made for. Returns the queue when it was empty. A frame that is
    /// none gives its room back.
    pub(super) fn push(
        &mut self,
        origin: Origin,
        frame: Vec<u8>,
    ) -> Result<Option<Queue>, FrameError> {
        let (head, size) = match QuicMessage::read(&frame) {
            Ok(read) => read,
            Err(error) => {
                self.release(origin.connection, frame.len());
                return Err(error);
            }
        };
        let (team_id, label, which) = match head {
            QuicMessage::Sync => (TeamId::default(), size..size, Queue::Syncs),
            QuicMessage::ChannelMessage { team_id, label } => {
                (TeamId(team_id), size - label.len()..size, Queue::Messages)
            }
        };
        let queue = match which {
            Queue::Messages => &mut self.messages,
            Queue::Syncs => &mut self.syncs,
        };
        let was_empty = queue.is_empty();
        let connection = origin.connection;
        queue.push_back(Kept { origin, team_id, frame, label, message: size });
        self.change(connection, |share| {
            share.messages += 1;
            share.unfinished -= 1;
        });
        Ok(was_empty.then_some(which))
    }

    /// The oldest message.
    pub(super) fn front(&self, which: Queue) -> Option<Waiting<'_>> {
        let queue = match which {
            Queue::Messages => &self.messages,
            Queue::Syncs => &self.syncs,
        };
        let kept = queue.front()?;
        let label = std::str::from_utf8(&kept.frame[kept.label.clone()]);
        Some(Waiting {
            address: kept.origin.address,
            peer: kept.origin.peer,
            team_id: kept.team_id,
            label: label.expect("it was text when it was kept"),
            message: &kept.frame[kept.message..],
        })
    }

    /// Forgets the oldest message; returns whose room is free now.
    pub(super) fn pop(&mut self, which: Queue) -> Option<QuicConnection> {
        let queue = match which {
            Queue::Messages => &mut self.messages,
            Queue::Syncs => &mut self.syncs,
        };
        let kept = queue.pop_front()?;
        self.change(kept.origin.connection, |share| {
            share.bytes -= kept.frame.len();
            share.messages -= 1;
        });
        Some(kept.origin.connection)
    }

    pub(super) fn total(&self) -> Share {
        self.total
    }

    pub(super) fn share(&self, connection: QuicConnection) -> Share {
        self.shares.get(&connection).copied().unwrap_or_default()
    }

    fn change(&mut self, connection: QuicConnection, change: impl Fn(&mut Share)) {
        change(&mut self.total);
        if let Some(share) = self.shares.get_mut(&connection) {
            change(share);
            if share.messages == 0 && share.unfinished == 0 {
                self.shares.remove(&connection);
            }
        }
    }
}

impl Share {
    /// Whether something waits that must be received before a frame of `len` bytes has room.
    fn holds(&self, len: usize, max: &Share) -> bool {
        let is_full = self.messages >= max.messages || self.bytes + len > max.bytes;
        self.messages > 0 && is_full
    }
}

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
