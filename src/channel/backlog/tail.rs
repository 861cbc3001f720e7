//! Messages of one size that wait one behind the other, and cost nothing but their bytes.

use super::Message;
use super::store::Head;
use crate::wire::varint;

/// The youngest messages of a backlog: none has a number or anything asked for it, and they lie in
/// the store at one distance from each other, each behind its head.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tail {
    /// Where the first begins, behind its head.
    start: u64,
    /// Bytes of each.
    len: u32,
    count: usize,
    /// The head of the last.
    head: Head,
}

impl Tail {
    /// One message.
    pub(super) fn new(start: u64, len: u32, head: Head) -> Tail {
        Tail { start, len, count: 1, head }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the next message to leave.
    pub(super) fn message_len(&self) -> Option<u32> {
        (self.count > 0).then_some(self.len)
    }

    /// Bytes of a message with its head.
    pub(super) fn stride(&self) -> usize {
        self.head.len + self.len as usize
    }

    /// Where the bytes of the first begin, its head included.
    pub(super) fn begin(&self) -> Option<u64> {
        (self.count > 0).then(|| self.start - self.head.len as u64)
    }

    /// Takes in a message that was put into the store behind the others, if it is like them.
    pub(super) fn extend(&mut self, len: u32, head: Head) -> bool {
        let is_alike = self.count > 0 && (self.len, self.head.len) == (len, head.len);
        if is_alike {
            self.advance(head);
        }
        is_alike
    }

    /// The head of one more message, if there is one before it that has its length, and the number
    /// takes no other bytes than the last.
    #[inline]
    pub(super) fn next_head(&self, len: usize) -> Option<Head> {
        if self.count == 0 || self.len as usize != len {
            return None;
        }
        let unused = 8 * (Head::LEN_MAX - self.head.len);
        let is_next = (self.head.bytes >> unused) & varint::GROUP_MASK != varint::GROUP_MASK;
        is_next.then(|| Head { bytes: self.head.bytes + (1 << unused), len: self.head.len })
    }

    /// A message with such a head was put into the store behind the others.
    #[inline]
    pub(super) fn advance(&mut self, head: Head) {
        self.head = head;
        self.count += 1;
    }

    /// Takes out the first, up to so many, as entries.
    #[inline]
    pub(super) fn take(&mut self, most: usize) -> impl Iterator<Item = Message> + use<> {
        let Tail { start, len, head, .. } = *self;
        let (stride, count) = (self.stride() as u64, most.min(self.count));
        self.count -= count;
        self.start += count as u64 * stride;
        let head = head.len as u8;
        (0..count as u64).map(move |nth| {
            let start = start + nth * stride;
            Message { start, len, head, acked: 0, extra: 0, is_settled: false }
        })
    }
}
