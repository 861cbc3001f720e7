//! From the engine's queue of messages to those who asked for them.

use channeler::daemon::{Answer, Event};
use channeler::error::Error;

use super::post::{Asker, Delivery, What};
use super::{ClientId, Fatal, Server};
use crate::config::{MESSAGE_OVERHEAD, WhenFull};
use crate::log;

/// What one turn gives out, deliveries counted, while the engine waits for its lock.
const PULL_BUDGET: usize = 1 << 20;

impl Server {
    /// Gives out the messages that came, as far as there is room for them.
    pub(super) fn pull(&mut self) -> Result<(), Fatal> {
        self.is_unread |= self.bell.take_readable();
        if !self.is_unread {
            return Ok(());
        }
        let Server { engine, post, config, .. } = self;
        let limits = &config.messages;
        let mut deliveries = Vec::new();
        let mut dropped = 0;
        let mut budget = PULL_BUDGET;
        let (is_unread, held) = engine.with_quic(|quic, now| {
            for is_sync in [true, false] {
                loop {
                    let next = if is_sync { quic.next_sync() } else { quic.next_message() };
                    let Some(came) = next else { break };
                    let length = came.message.len();
                    while !post.has_room(length, limits)
                        && limits.when_full == WhenFull::DropOldest
                        && post.drop_oldest()
                    {
                        dropped += 1;
                    }
                    if !post.has_room(length, limits) {
                        return (true, Some(length));
                    }
                    if budget == 0 {
                        return (true, None);
                    }
                    let before = deliveries.len();
                    post.arrive(came, is_sync, &mut deliveries);
                    let cost = length + MESSAGE_OVERHEAD * (1 + deliveries.len() - before);
                    budget = budget.saturating_sub(cost);
                    match is_sync {
                        true => quic.pop_sync(now),
                        false => quic.pop_message(now),
                    }
                }
            }
            (false, None)
        })?;
        (self.is_unread, self.held) = (is_unread, held);
        self.deliver(deliveries);
        if dropped > 0 {
            self.counts.messages_dropped += dropped;
            log::warning(format_args!("{dropped} messages that nobody took were dropped"));
            self.tell_watches(&Event::Dropped { count: dropped });
        }
        Ok(())
    }

    /// Whether a message of `length` bytes has room, or somebody's would be dropped for it.
    pub(super) fn has_room(&self, length: usize) -> bool {
        let limits = &self.config.messages;
        let may_drop = limits.when_full == WhenFull::DropOldest && self.post.waiting().0 > 0;
        self.post.has_room(length, limits) || may_drop
    }

    /// Puts messages in the queues of clients.
    pub(super) fn deliver(&mut self, deliveries: Vec<Delivery>) {
        for Delivery { to: Asker { client: id, number }, what } in deliveries {
            self.to_write.insert(id);
            match what {
                What::Followed(parcel) => {
                    if let Some(client) = self.clients.get_mut(&id) {
                        client.tell_message(number, parcel);
                    }
                }
                What::Received(parcel) => {
                    self.end_request(id, number);
                    if let Some(client) = self.clients.get_mut(&id) {
                        client.tell_message(number, parcel);
                    }
                }
                What::TooLong(length) => {
                    self.end_request(id, number);
                    let text = format!("the message has {length} bytes; it waits");
                    let code = Error::InsufficientBufferSize.code().unsigned_abs();
                    let detail = length as u64;
                    if let Some(client) = self.clients.get_mut(&id) {
                        client.tell(number, &Answer::Error { code, text: &text, detail });
                    }
                }
            }
        }
    }

    /// Tells all that watch.
    pub(super) fn tell_watches(&mut self, event: &Event<'_>) {
        for Asker { client: id, number } in self.watches.values() {
            let Some(client) = self.clients.get_mut(id) else { continue };
            if client.output_bytes() > self.config.clients.buffer_bytes {
                client.missed += 1;
                continue;
            }
            client.tell(*number, &Answer::Event(*event));
            self.to_write.insert(*id);
        }
    }

    /// There is room again: how many events were left out.
    pub(super) fn tell_missed(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let count = std::mem::take(&mut client.missed);
        for asker in self.watches.values().filter(|asker| asker.client == id) {
            client.tell(asker.number, &Answer::Event(Event::Missed { count }));
        }
    }
}
