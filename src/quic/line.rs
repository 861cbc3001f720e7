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

/// The head of a frame, which was read once for all frames that begin with it.
#[derive(Debug, Default)]
pub(super) struct Head {
    bytes: Vec<u8>,
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
    pub(super) team_id: TeamId,
    /// Text, as was seen when it was kept.
    pub(super) label: &'a [u8],
    pub(super) message: &'a [u8],
    /// Bytes of its frame.
    pub(super) frame: usize,
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

    /// The oldest message, taken apart.
    #[inline]
    pub(super) fn peek(&self) -> Option<Front<'_>> {
        let run = self.runs.front()?;
        let frame = match run.is_large {
            true => self.large.front()?,
            false => self.small.front(),
        };
        let (head, message) = frame.split_at_checked(run.shape.message.into())?;
        let team_id = head.get(run.shape.team.into()..)?.first_chunk().copied();
        Some(Front {
            origin: &run.origin,
            head: run.head,
            team_id: TeamId(team_id.unwrap_or_default()),
            label: head.get(run.shape.label.into()..)?,
            message,
            frame: frame.len(),
        })
    }

    /// The oldest message.
    pub(super) fn front(&self) -> Option<Waiting<'_>> {
        let front = self.peek()?;
        let label = std::str::from_utf8(front.label);
        Some(Waiting {
            address: front.origin.address,
            peer: front.origin.peer,
            team_id: front.team_id,
            label: label.expect("it was text when it was kept"),
            message: front.message,
        })
    }

    /// Forgets the oldest message, whose frame has `len` bytes.
    #[inline]
    pub(super) fn pop(&mut self, len: usize) {
        let Some(run) = self.runs.front_mut() else { return };
        match run.is_large {
            true => drop(self.large.pop_front()),
            false => self.small.pop(len),
        }
        run.frames -= 1;
        if run.frames == 0 {
            self.runs.pop_front();
        }
    }
}

impl Head {
    /// Whether a frame has this head.
    #[inline]
    pub(super) fn begins(&self, frame: &[u8]) -> bool {
        !self.bytes.is_empty() && frame.starts_with(&self.bytes)
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
