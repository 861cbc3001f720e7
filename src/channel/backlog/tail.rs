//! Messages of one size that wait one behind the other, and cost nothing but their bytes.

use super::Message;
use super::store::{Head, NextHead};
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
    /// The head of the last, its last byte lowest.
    head: u64,
    head_len: usize,
    /// Bits that `Head::bytes` has below it.
    unused: u32,
}

impl Tail {
    /// One message.
    pub(super) fn new(start: u64, len: u32, head: Head) -> Tail {
        let mut tail = Tail { start, len, count: 1, ..Tail::default() };
        tail.head_len = head.len;
        tail.unused = 8 * (Head::LEN_MAX - head.len) as u32;
        tail.head = head.bytes >> tail.unused;
        tail
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
        self.head_len + self.len as usize
    }

    /// Where the bytes of the first begin, its head included.
    pub(super) fn begin(&self) -> Option<u64> {
        (self.count > 0).then(|| self.start - self.head_len as u64)
    }

    /// Takes in a message that was put into the store behind the others, if it is like them.
    pub(super) fn extend(&mut self, len: u32, head: Head) -> bool {
        let is_alike = self.count > 0 && (self.len, self.head_len) == (len, head.len);
        if is_alike {
            self.head = head.bytes >> self.unused;
            self.count += 1;
        }
        is_alike
    }

    /// How many more messages may follow whose heads are each one more than that before, as
    /// numbers: none behind nothing.
    #[inline]
    pub(super) fn followers(&self) -> usize {
        if self.count == 0 {
            return 0;
        }
        (varint::GROUP_MASK - (self.head & varint::GROUP_MASK)) as usize
    }

    /// The head of the first of them, its last byte lowest.
    #[inline]
    pub(super) fn next_head(&self) -> NextHead {
        NextHead { head: self.head + 1, len: self.head_len, unused: self.unused }
    }

    /// So many of them were put into the store behind the others.
    #[inline]
    pub(super) fn grow(&mut self, count: usize) {
        self.head += count as u64;
        self.count += count;
    }

    /// Takes out the first, up to so many, as entries.
    pub(super) fn take(&mut self, most: usize) -> impl Iterator<Item = Message> + use<> {
        let Tail { start, len, head_len, .. } = *self;
        let (stride, count) = (self.stride() as u64, most.min(self.count));
        self.count -= count;
        self.start += count as u64 * stride;
        (0..count as u64).map(move |nth| Message::new(start + nth * stride, len, head_len))
    }

    /// Takes out the first `count`, of which the first gets this number, as one entry; the caller
    /// knows that they are there.
    #[inline]
    pub(super) fn take_row(&mut self, count: u16, number: u64) -> Message {
        let row = Message { number, count, ..Message::new(self.start, self.len, self.head_len) };
        self.start += u64::from(count) * self.stride() as u64;
        self.count -= usize::from(count);
        row
    }
}
