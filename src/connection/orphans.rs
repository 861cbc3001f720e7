//! Channels with unread messages whose connection the peer ended: they stay until those are read.

use super::Connection;
use super::ending::CloseSaid;
use super::shared::Shared;
use crate::error::Error;
use crate::id::ChannelHandle;
use crate::info::{CloseReason, Received};
use crate::io::Event;

/// Why a channel ends once all is read.
#[derive(Debug)]
pub(crate) struct Orphan {
    reason: Error,
    said: Option<CloseReason>,
}

impl Connection {
    /// Lets the channels go on their own that have messages to be read. The connection is about to
    /// end, and not by its application.
    pub(super) fn orphan_unread(
        &mut self,
        shared: &mut Shared,
        reason: Error,
        said: Option<CloseSaid<'_>>,
    ) {
        if !self.is_known() || self.is_closing() {
            return;
        }
        let handles: Vec<ChannelHandle> = self.registry.handles().collect();
        for handle in handles {
            let Ok(channel) = shared.channel(handle) else { continue };
            let number = channel.number;
            if channel.inbox.as_ref().is_none_or(|inbox| inbox.is_empty()) {
                continue;
            }
            self.drop_outgoing(shared, handle, reason);
            self.discard_unfinished(shared, handle);
            self.registry.remove(number);
            shared.orphan(handle, Orphan { reason, said: said.map(|said| said.reported()) });
        }
    }
}

impl Shared {
    fn orphan(&mut self, handle: ChannelHandle, orphan: Orphan) {
        self.orphans.insert(handle, orphan);
        // Over the budget, what nobody read of connections long gone is the first to go.
        while self.stats.receive_queue_bytes > self.config.node_receive_bytes_max as u64
            && let Some((first, _)) = self.orphans.first_key_value()
        {
            let first = *first;
            self.end_orphan(first);
        }
    }

    /// Whether the node has room for one more channel. What nobody read of connections long gone
    /// makes some.
    pub(super) fn has_channel_room(&mut self) -> bool {
        if self.channels.len() >= self.config.channels_max
            && let Some((first, _)) = self.orphans.first_key_value()
        {
            let first = *first;
            self.end_orphan(first);
        }
        self.channels.len() < self.config.channels_max
    }

    /// Whether the channel has no connection any more.
    pub(crate) fn is_orphan(&self, handle: ChannelHandle) -> bool {
        self.orphans.contains_key(&handle)
    }

    /// Reads the oldest message of such a channel; behind the last one it ends.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`.
    pub(crate) fn receive_orphan(
        &mut self,
        handle: ChannelHandle,
        out: &mut [u8],
    ) -> Result<Received, Error> {
        let received = self.read(handle, out)?;
        if self.channel(handle)?.inbox.is_none() {
            self.end_orphan(handle);
        }
        Ok(received)
    }

    /// Ends such a channel, whether or not all was read.
    pub(crate) fn end_orphan(&mut self, handle: ChannelHandle) {
        let Some(Orphan { reason, said }) = self.orphans.remove(&handle) else { return };
        let Some(mut channel) = self.channels.remove(handle.0) else { return };
        self.stats.channels -= 1;
        if let Some(inbox) = &mut channel.inbox {
            self.stats.receive_queue_bytes -= inbox.bytes() as u64;
            inbox.clear();
        }
        self.spare_inboxes.put(&mut channel.inbox);
        let (connection, said) = (channel.connection, said.map(Box::new));
        self.events.push_back(Event::ChannelClosed { connection, channel: handle, reason, said });
    }
}
