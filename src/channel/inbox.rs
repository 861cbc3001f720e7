//! Messages that wait to be read, with their boundaries.

use std::collections::VecDeque;

use crate::error::Error;
use crate::info::Received;

/// One ring of bytes and one of lengths: no allocation a message once both have grown. A message
/// that has a buffer of its own keeps it.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: VecDeque<u8>,
    /// What is left of each message, oldest first.
    messages: VecDeque<Left>,
    /// The buffers of those that have one.
    buffers: VecDeque<Vec<u8>>,
    /// Bytes in all of them that were not read.
    buffered: usize,
    /// A buffer of which everything was read.
    spent: Option<Vec<u8>>,
}

/// A message in an inbox.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// Bytes that were not read.
    bytes: usize,
    /// Whether they are the last of a buffer, in place of the first of the ring.
    is_buffered: bool,
}

/// Inboxes that ran empty, for the next channel that has messages to keep: the steady state
/// allocates nothing, and a channel keeps no memory for what it once held.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "the boxes move between here and channels without a copy")]
pub(crate) struct SpareInboxes(Vec<Box<Inbox>>);

impl SpareInboxes {
    /// Most that are kept.
    const COUNT_MAX: usize = 64;

    pub(crate) fn take(&mut self) -> Box<Inbox> {
        self.0.pop().unwrap_or_default()
    }

    /// Takes the inbox of a channel back if it is empty.
    pub(crate) fn put(&mut self, inbox: &mut Option<Box<Inbox>>) {
        let Some(empty) = inbox.take_if(|inbox| inbox.is_empty()) else { return };
        if empty.is_small() && self.0.len() < SpareInboxes::COUNT_MAX {
            self.0.push(empty);
        }
    }
}

/// Rings larger than these are not kept when they run empty.
const KEPT_BYTES_MAX: usize = 64 * 1024;
const KEPT_LENGTHS_MAX: usize = 4 * 1024;

/// A message of so many bytes is better kept in the buffer that it has than copied to the ring.
const BUFFERED_MIN: usize = 1_024;

impl Inbox {
    /// Takes a message in; false, and nothing taken, when a limit would be passed.
    pub(crate) fn push(&mut self, message: &[u8], bytes_max: usize, messages_max: usize) -> bool {
        if self.bytes() + message.len() > bytes_max || self.messages.len() >= messages_max {
            return false;
        }
        self.push_free(message);
        true
    }

    /// Takes a message in that a limit elsewhere has room for.
    pub(crate) fn push_free(&mut self, message: &[u8]) {
        self.bytes.extend(message);
        self.messages.push_back(Left { bytes: message.len(), is_buffered: false });
    }

    /// The same, with the buffer that it lies in; a small one is given back.
    pub(crate) fn push_buffer(&mut self, message: Vec<u8>) -> Option<Vec<u8>> {
        if message.len() < BUFFERED_MIN {
            self.push_free(&message);
            return Some(message);
        }
        self.buffered += message.len();
        self.messages.push_back(Left { bytes: message.len(), is_buffered: true });
        self.buffers.push_back(message);
        None
    }

    /// Moves the oldest message, or what fits of it, to `out`.
    pub(crate) fn pop(&mut self, out: &mut [u8]) -> Result<Received, Error> {
        let left = self.messages.front_mut().ok_or(Error::DataUnavailable)?;
        let len = left.bytes.min(out.len());
        let remaining = left.bytes - len;
        let is_buffered = left.is_buffered;
        left.bytes = remaining;
        let out = &mut out[..len];
        if is_buffered {
            self.pop_buffered(out, remaining);
        } else {
            let (head, tail) = self.bytes.as_slices();
            let from_head = len.min(head.len());
            out[..from_head].copy_from_slice(&head[..from_head]);
            out[from_head..].copy_from_slice(&tail[..len - from_head]);
            self.bytes.drain(..len);
        }
        if remaining == 0 {
            self.messages.pop_front();
        }
        Ok(Received { len, remaining })
    }

    fn pop_buffered(&mut self, out: &mut [u8], remaining: usize) {
        if let Some(buffer) = self.buffers.front() {
            let at = buffer.len() - remaining - out.len();
            out.copy_from_slice(&buffer[at..at + out.len()]);
        }
        self.buffered -= out.len();
        if remaining == 0 {
            self.spent = self.buffers.pop_front();
        }
    }

    /// A buffer of which everything was read, to be used again.
    pub(crate) fn take_spent(&mut self) -> Option<Vec<u8>> {
        self.spent.take()
    }

    /// Drops every message.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.messages.clear();
        self.buffers.clear();
        self.buffered = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Messages that wait.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Bytes of the oldest message, or of what is left of it.
    pub(crate) fn next_bytes(&self) -> Option<usize> {
        self.messages.front().map(|left| left.bytes)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + self.buffered
    }

    fn is_small(&self) -> bool {
        self.bytes.capacity() <= KEPT_BYTES_MAX && self.messages.capacity() <= KEPT_LENGTHS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_keeps_the_rest_and_the_boundary() {
        let mut inbox = Inbox::default();
        assert!(inbox.push(b"hello", 100, 10) && inbox.push(b"you", 100, 10));
        let mut out = [0; 3];
        assert_eq!(inbox.pop(&mut out), Ok(Received { len: 3, remaining: 2 }));
        assert_eq!(inbox.pop(&mut out), Ok(Received { len: 2, remaining: 0 }));
        assert_eq!(&out[..2], b"lo");
        assert_eq!(inbox.pop(&mut out), Ok(Received { len: 3, remaining: 0 }));
        assert_eq!(&out, b"you");
        assert_eq!(inbox.pop(&mut out), Err(Error::DataUnavailable));
    }

    #[test]
    fn limits_in_bytes_and_messages_hold() {
        let mut inbox = Inbox::default();
        assert!(inbox.push(b"12345", 5, 10));
        assert!(!inbox.push(b"6", 5, 10));
        assert!(!inbox.push(b"", 5, 1));
        assert_eq!(inbox.bytes(), 5);
    }

    #[test]
    fn messages_survive_the_ring_wrapping() {
        let mut inbox = Inbox::default();
        let mut out = [0; 64];
        for round in 0..1000_u32 {
            let message = [round as u8; 37];
            assert!(inbox.push(&message, 100, 10) && inbox.push(&message[..5], 100, 10));
            assert_eq!(inbox.pop(&mut out), Ok(Received { len: 37, remaining: 0 }));
            assert_eq!(out[..37], message);
            assert_eq!(inbox.pop(&mut out), Ok(Received { len: 5, remaining: 0 }));
        }
        assert!(inbox.is_empty());
    }

    #[test]
    fn messages_with_buffers_keep_them_and_their_turn() {
        let mut inbox = Inbox::default();
        inbox.push_free(b"first");
        assert_eq!(inbox.push_buffer(vec![2; 3_000]), None);
        assert_eq!(inbox.push_buffer(vec![3; 10]), Some(vec![3; 10]), "not worth it");
        inbox.push_free(b"last");
        assert_eq!((inbox.bytes(), inbox.len()), (3_019, 4));
        let mut out = [0; 2_000];
        assert_eq!(inbox.pop(&mut out), Ok(Received { len: 5, remaining: 0 }));
        assert_eq!(inbox.pop(&mut out), Ok(Received { len: 2_000, remaining: 1_000 }));
        assert_eq!((inbox.next_bytes(), inbox.take_spent()), (Some(1_000), None));
        assert_eq!(inbox.pop(&mut out), Ok(Received { len: 1_000, remaining: 0 }));
        assert_eq!(out, [2; 2_000]);
        assert_eq!(inbox.take_spent(), Some(vec![2; 3_000]));
        assert_eq!(inbox.pop(&mut out), Ok(Received { len: 10, remaining: 0 }));
        assert_eq!(inbox.pop(&mut out), Ok(Received { len: 4, remaining: 0 }));
        assert_eq!((&out[..4], inbox.bytes()), (&b"last"[..], 0));
    }
}
