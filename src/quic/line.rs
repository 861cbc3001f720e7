//! Messages in the order in which they came.

use std::collections::VecDeque;

use super::events::Waiting;
use super::inbox::{Origin, Queue};
use super::message::{FrameError, QuicMessage, TeamId};
use super::store::Store;

/// A queue of messages, each in its frame.
#[derive(Debug, Default)]
pub(super) struct Line {
    runs: VecDeque<Run>,
    small: Store,
    /// Those that were put together from pieces stay in what that was done in.
    large: VecDeque<Vec<u8>>,
}

/// Messages of one sender with one head, one after the other.
#[derive(Debug)]
struct Run {
    origin: Origin,
    shape: Shape,
    /// The number of the head.
    head: u64,
    /// How many; of large ones, one.
    frames: usize,
    is_large: bool,
}

/// Where in a frame the team begins, where the label does, and where the message.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    team: u16,
    label: u16,
    message: u16,
}

/// The team of sync messages.
const NO_TEAM: [u8; TeamId::SIZE] = [0; TeamId::SIZE];

/// The head of a frame, which was read once for all frames that begin with it.
#[derive(Debug, Default)]
pub(super) struct Head {
    bytes: Vec<u8>,
    /// The length of a frame that had it, and behind that the head.
    sized: Vec<u8>,
    shape: Shape,
    queue: Queue,
    /// No other head that was read has it.
    number: u64,
}

/// The oldest message of a line.
#[derive(Debug)]
pub(super) struct Front<'a> {
    pub(super) origin: &'a Origin,
    /// The number of its head.
    pub(super) head: u64,
    pub(super) team_id: &'a [u8; TeamId::SIZE],
    /// Text, as was seen when it was kept.
    pub(super) label: &'a [u8],
    pub(super) message: &'a [u8],
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Keeps small frames with one head; `parts` are what they have with their lengths.
    pub(super) fn push(&mut self, origin: Origin, head: &Head, parts: &[&[u8]], frames: usize) {
        self.small.push(parts);
        if let Some(last) = self.runs.back_mut()
            && last.head == head.number
            && !last.is_large
            && last.origin == origin
        {
            last.frames += frames;
            return;
        }
        let (shape, head) = (head.shape, head.number);
        self.runs.push_back(Run { origin, shape, head, frames, is_large: false });
    }

    /// Keeps a large frame.
    pub(super) fn push_large(&mut self, origin: Origin, head: &Head, frame: Vec<u8>) {
        self.large.push_back(frame);
        let (shape, head) = (head.shape, head.number);
        self.runs.push_back(Run { origin, shape, head, frames: 1, is_large: true });
    }

    /// How many messages, the oldest and those behind it, came from one place in one channel.
    pub(super) fn alike(&self) -> usize {
        self.runs.front().map_or(0, |run| run.frames)
    }

    /// The oldest message, taken apart.
    pub(super) fn peek(&self) -> Option<Front<'_>> {
        let run = self.runs.front()?;
        run.front(match run.is_large {
            true => self.large.front()?,
            false => self.small.front(),
        })
    }

    /// Gives the oldest message away, and forgets it if `give` says that it was taken. Returns the
    /// bytes of its frame.
    #[inline]
    pub(super) fn take(&mut self, give: impl FnOnce(&Front<'_>) -> bool) -> Option<usize> {
        let run = self.runs.front_mut()?;
        let frame = match run.is_large {
            true => self.large.front()?,
            false => self.small.front(),
        };
        let len = frame.len();
        if !give(&run.front(frame)?) {
            return None;
        }
        match run.is_large {
            true => drop(self.large.pop_front()),
            false => self.small.pop(len),
        }
        run.frames -= 1;
        if run.frames == 0 {
            self.runs.pop_front();
        }
        Some(len)
    }

    /// The oldest message.
    pub(super) fn front(&self) -> Option<Waiting<'_>> {
        let front = self.peek()?;
        let label = std::str::from_utf8(front.label);
        Some(Waiting {
            address: front.origin.address,
            peer: front.origin.peer,
            team_id: TeamId(*front.team_id),
            label: label.expect("it was text when it was kept"),
            message: front.message,
        })
    }
}

impl Run {
    /// Its message that has this frame.
    #[inline]
    fn front<'a>(&'a self, frame: &'a [u8]) -> Option<Front<'a>> {
        let (head, message) = frame.split_at_checked(self.shape.message.into())?;
        let team_id = head.get(self.shape.team.into()..)?.first_chunk();
        Some(Front {
            origin: &self.origin,
            head: self.head,
            team_id: team_id.unwrap_or(&NO_TEAM),
            label: head.get(self.shape.label.into()..)?,
            message,
        })
    }
}

impl Head {
    /// Whether a frame has this head.
    #[inline]
    pub(super) fn begins(&self, frame: &[u8]) -> bool {
        !self.bytes.is_empty() && frame.starts_with(&self.bytes)
    }

    /// Whether what lies at the front begins with the head, behind the same length as last time:
    /// then this is the length. To know it before it is read lets the processor go on.
    #[inline]
    pub(super) fn begins_again(&self, bytes: &[u8]) -> Option<usize> {
        let (length, _) = self.sized.split_first_chunk()?;
        bytes.starts_with(&self.sized).then_some(u32::from_be_bytes(*length) as usize)
    }

    /// Frames of `len` bytes are to be expected.
    pub(super) fn expect(&mut self, len: usize) {
        self.sized.clear();
        self.sized.extend_from_slice(&(len as u32).to_be_bytes());
        self.sized.extend_from_slice(&self.bytes);
    }

    /// Becomes the head of a frame; stays what it is if that has none.
    pub(super) fn read(&mut self, frame: &[u8]) -> Result<(), FrameError> {
        let (head, size) = QuicMessage::read(frame)?;
        // Heads have a few hundred bytes at most.
        let message = size as u16;
        let (team, label, queue) = match head {
            QuicMessage::Sync => (message, message, Queue::Syncs),
            QuicMessage::ChannelMessage { label, .. } => {
                // The variant is a varint, of one byte unless somebody makes it longer.
                let variant = frame.iter().take_while(|byte| **byte >= 0x80).count() + 1;
                (variant as u16, (size - label.len()) as u16, Queue::Messages)
            }
        };
        self.bytes.clear();
        self.bytes.extend_from_slice(&frame[..size]);
        self.sized.clear();
        self.shape = Shape { team, label, message };
        self.queue = queue;
        self.number += 1;
        Ok(())
    }

    /// Which queue its messages are for.
    pub(super) fn queue(&self) -> Queue {
        self.queue
    }
}
