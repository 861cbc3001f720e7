//! Events that wait to be taken, messages in rows where they came so.

use std::collections::VecDeque;
use std::ops::Range;

use super::Event;
use crate::id::{ChannelHandle, ConnectionHandle};

/// Events in order. Lent messages of one size that follow each other take one entry together: a
/// packet of small ones costs hardly more than one message.
#[derive(Debug, Default)]
pub struct EventQueue {
    events: VecDeque<Event>,
    /// Which of them stand for several messages.
    rows: VecDeque<Row>,
    /// Entries that were taken out in front of those there.
    taken: u64,
    /// All there are, each message of a row counted.
    len: usize,
}

/// Messages behind one that has an entry.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Which entry that is, counted from the first that ever was in the queue.
    entry: u64,
    /// Bytes from where one begins to where the next does.
    stride: usize,
    more: usize,
}

impl EventQueue {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts one behind the others.
    #[inline]
    pub fn push_back(&mut self, event: Event) {
        self.events.push_back(event);
        self.len += 1;
    }

    /// Puts `count` lent messages behind the others: the first lies at `bytes`, and each further
    /// one `stride` bytes behind the one before.
    #[inline]
    pub(crate) fn push_row(
        &mut self,
        connection: ConnectionHandle,
        channel: ChannelHandle,
        bytes: Range<usize>,
        (stride, count): (usize, usize),
    ) {
        if count > 1 {
            let entry = self.taken + self.events.len() as u64;
            self.rows.push_back(Row { entry, stride, more: count - 1 });
        }
        self.events.push_back(Event::Message { connection, channel, bytes });
        self.len += count;
    }

    /// Takes out the first.
    pub fn pop_front(&mut self) -> Option<Event> {
        let front = self.events.front_mut()?;
        self.len -= 1;
        if let Some(row) = self.rows.front_mut().filter(|row| row.entry == self.taken)
            && let Event::Message { bytes, .. } = front
        {
            let further = bytes.start + row.stride..bytes.end + row.stride;
            row.more -= 1;
            if row.more == 0 {
                self.rows.pop_front();
            }
            let event = front.clone();
            if let Event::Message { bytes, .. } = front {
                *bytes = further;
            }
            return Some(event);
        }
        self.taken += 1;
        self.events.pop_front()
    }

    /// Moves all of `other` behind the others.
    pub fn append(&mut self, other: &mut EventQueue) {
        if self.is_empty() {
            return std::mem::swap(self, other);
        }
        let behind = self.taken + self.events.len() as u64;
        let rows = other.rows.drain(..);
        self.rows.extend(rows.map(|row| Row { entry: row.entry - other.taken + behind, ..row }));
        self.events.append(&mut other.events);
        self.len += std::mem::take(&mut other.len);
    }

    /// Moves all of `events` behind the others.
    pub(crate) fn append_events(&mut self, events: &mut VecDeque<Event>) {
        self.len += events.len();
        self.events.append(events);
    }

    /// All in order, as entries: each an event, and how many messages there are from it on, at
    /// which distance.
    #[inline]
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Event, usize, usize)> {
        let mut rows = self.rows.iter().peekable();
        self.events.iter().zip(self.taken..).map(move |(event, entry)| {
            match rows.next_if(|row| row.entry == entry) {
                Some(row) => (event, 1 + row.more, row.stride),
                None => (event, 1, 0),
            }
        })
    }

    /// Forgets all. The buffers of assembled messages go to `spent`.
    pub fn clear(&mut self, spent: &mut Vec<Vec<u8>>) {
        for event in self.events.drain(..) {
            if let Event::Assembled { bytes, .. } = event {
                spent.push(bytes);
            }
        }
        self.rows.clear();
        (self.taken, self.len) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Handle;

    fn connection() -> ConnectionHandle {
        ConnectionHandle(Handle::from_bits(1))
    }

    fn channel() -> ChannelHandle {
        ChannelHandle(Handle::from_bits(2))
    }

    fn message(bytes: Range<usize>) -> Event {
        Event::Message { connection: connection(), channel: channel(), bytes }
    }

    fn other() -> Event {
        Event::Readable { connection: connection(), channel: channel() }
    }

    fn shown(queue: &EventQueue) -> Vec<Event> {
        let mut all = Vec::new();
        for (event, count, stride) in queue.entries() {
            all.push(event.clone());
            for nth in 1..count {
                let Event::Message { bytes, .. } = event else { panic!("{event:?} {count}") };
                all.push(message(bytes.start + nth * stride..bytes.end + nth * stride));
            }
        }
        all
    }

    fn queue() -> (EventQueue, Vec<Event>) {
        let mut queue = EventQueue::default();
        queue.push_row(connection(), channel(), 5..7, (10, 3));
        queue.push_back(other());
        queue.push_row(connection(), channel(), 40..42, (10, 1));
        queue.push_row(connection(), channel(), 50..51, (4, 2));
        let rest = [message(40..42), message(50..51), message(54..55)];
        let mut all = vec![message(5..7), message(15..17), message(25..27), other()];
        all.extend(rest);
        (queue, all)
    }

    #[test]
    fn a_row_is_as_many_events_as_it_has_messages() {
        let (mut queue, all) = queue();
        assert_eq!((queue.len(), shown(&queue)), (all.len(), all.clone()));
        for (taken, event) in all.iter().enumerate() {
            assert_eq!(shown(&queue), all[taken..]);
            assert_eq!(queue.pop_front().as_ref(), Some(event));
            assert_eq!(queue.len(), all.len() - taken - 1);
        }
        assert_eq!((queue.pop_front(), queue.is_empty()), (None, true));
    }

    #[test]
    fn rows_stay_what_they_are_behind_others() {
        let (mut first, all) = queue();
        let (mut second, _) = queue();
        first.pop_front();
        second.pop_front();
        second.pop_front();
        first.append(&mut second);
        assert!(second.is_empty() && shown(&second).is_empty());
        let expected = [&all[1..], &all[2..]].concat();
        assert_eq!((first.len(), shown(&first)), (expected.len(), expected));
        second.append(&mut first);
        assert_eq!((second.len(), first.len()), (2 * all.len() - 3, 0));
    }

    #[test]
    fn what_is_forgotten_gives_its_buffers_back() {
        let (mut queue, _) = queue();
        let bytes = vec![1, 2, 3];
        let assembled = Event::Assembled { connection: connection(), channel: channel(), bytes };
        queue.push_back(assembled);
        let mut spent = Vec::new();
        queue.clear(&mut spent);
        assert!(queue.is_empty() && shown(&queue).is_empty());
        assert_eq!(spent, [[1, 2, 3]]);
    }
}
