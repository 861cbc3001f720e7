//! Messages that wait to be read, with their boundaries.

use std::collections::VecDeque;

use crate::error::Error;
use crate::info::Received;

/// One ring of bytes and one of lengths: no allocation a message once both have grown.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: VecDeque<u8>,
    /// Bytes left of each message, oldest first.
    lengths: VecDeque<u32>,
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

impl Inbox {
    /// Takes a message in; false, and nothing taken, when a limit would be passed.
    pub(crate) fn push(&mut self, message: &[u8], bytes_max: usize, messages_max: usize) -> bool {
        if self.bytes.len() + message.len() > bytes_max || self.lengths.len() >= messages_max {
            return false;
        }
        let Ok(length) = u32::try_from(message.len()) else { return false };
        self.bytes.extend(message);
        self.lengths.push_back(length);
        true
    }

    /// Moves the oldest message, or what fits of it, to `out`.
    pub(crate) fn pop(&mut self, out: &mut [u8]) -> Result<Received, Error> {
        let left = self.lengths.front_mut().ok_or(Error::DataUnavailable)?;
        let message = *left as usize;
        let len = message.min(out.len());
        let remaining = message - len;
        if remaining == 0 {
            self.lengths.pop_front();
        } else {
            *left = u32::try_from(remaining).expect("less than the u32 it came from");
        }
        let (head, tail) = self.bytes.as_slices();
        let from_head = len.min(head.len());
        out[..from_head].copy_from_slice(&head[..from_head]);
        out[from_head..len].copy_from_slice(&tail[..len - from_head]);
        self.bytes.drain(..len);
        Ok(Received { len, remaining })
    }

    /// Drops every message.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Messages that wait.
    pub(crate) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Bytes of the oldest message, or of what is left of it.
    pub(crate) fn next_bytes(&self) -> Option<usize> {
        self.lengths.front().map(|bytes| *bytes as usize)
    }

    fn is_small(&self) -> bool {
        self.bytes.capacity() <= KEPT_BYTES_MAX && self.lengths.capacity() <= KEPT_LENGTHS_MAX
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
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
}
