//! From a node's events to a handler's callbacks; written once, for the engine and for sans-IO.

use super::Handler;
use crate::error::Error;
use crate::id::ConnectionHandle;
use crate::io::{Event, EventQueue};
use crate::node::Node;

/// Who owns the node that events come from. Both methods are called with no lock held.
pub trait Owner {
    /// Whether the handler must not be called any more.
    fn is_closed(&self) -> bool;

    /// Locks the node and tells it what the handler said to a `ConnectionRequest`.
    ///
    /// # Errors
    ///
    /// Only what makes further events pointless, such as `Poisoned`; not that the connection is
    /// already gone.
    fn answer(&self, connection: ConnectionHandle, accept: bool) -> Result<(), Error>;
}

/// Events on their way from a node to a handler. Reused, so that the steady state allocates
/// nothing.
#[derive(Debug, Default)]
pub struct Events {
    queue: EventQueue,
    /// Buffers of messages that were reported, for the node to use again.
    spent: Vec<Vec<u8>>,
}

impl Events {
    /// Takes what the node has to say. Call it under the node's lock, right after
    /// `handle_datagram`: lent messages are ranges of that buffer.
    pub fn collect(&mut self, node: &mut Node) {
        if !self.spent.is_empty() {
            node.recycle(&mut self.spent);
        }
        node.take_events(&mut self.queue);
    }

    /// Calls the handler for each event in order and forgets them. Call it with no lock held;
    /// `bytes` is the buffer that lent messages are ranges of.
    ///
    /// # Errors
    ///
    /// What `Owner::answer` returns; the events after it are not reported.
    pub fn dispatch(
        &mut self,
        handler: &mut dyn Handler,
        bytes: &[u8],
        owner: &impl Owner,
    ) -> Result<(), Error> {
        // Not left in place: should the handler panic, none of them is reported again.
        let mut queue = std::mem::take(&mut self.queue);
        let result = queue.entries().try_for_each(|(event, count, stride)| {
            let Event::Message { connection, channel, bytes: first } = event else {
                return report(event, handler, bytes, owner);
            };
            let (connection, channel, mut place) = (*connection, *channel, first.clone());
            for _ in 0..count {
                if owner.is_closed() {
                    break;
                }
                let event = Event::Message { connection, channel, bytes: place.clone() };
                handler.event(&event, &bytes[place.clone()]);
                place = place.start + stride..place.end + stride;
            }
            Ok(())
        });
        queue.clear(&mut self.spent);
        self.queue = queue;
        result
    }

    /// Whether there is nothing to dispatch.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

fn report(
    event: &Event,
    handler: &mut dyn Handler,
    bytes: &[u8],
    owner: &impl Owner,
) -> Result<(), Error> {
    if owner.is_closed() {
        return Ok(());
    }
    match event {
        Event::ConnectionRequest { connection, peer, address } => {
            let accept = handler.accept(*connection, *peer, *address);
            owner.answer(*connection, accept)?;
        }
        Event::Message { bytes: range, .. } | Event::Datagram { bytes: range, .. } => {
            handler.event(event, &bytes[range.clone()]);
        }
        // To a handler a message is a message.
        Event::Assembled { connection, channel, bytes } => {
            let (connection, channel) = (*connection, *channel);
            let event = Event::Message { connection, channel, bytes: 0..bytes.len() };
            handler.event(&event, bytes);
        }
        Event::Connected { .. }
        | Event::ConnectionClosed { .. }
        | Event::ChannelOpened { .. }
        | Event::ChannelClosed { .. }
        | Event::ChannelFinished { .. }
        | Event::MessageDelivered { .. }
        | Event::MessageLost { .. }
        | Event::MessagesSkipped { .. }
        | Event::Readable { .. }
        | Event::Writable { .. }
        | Event::Packet { .. }
        | Event::PathChanged { .. }
        | Event::PathUnreachable { .. }
        | Event::PacketSizeReduced { .. } => handler.event(event, &[]),
    }
    Ok(())
}
