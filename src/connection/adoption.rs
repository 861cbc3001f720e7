//! Channels of a dial that is given up, because the peer has connected meanwhile: they go on there.
// spec: 7.14 both sides dial

use super::Connection;
use super::shared::Shared;
use crate::channel::{Pending, Turn};
use crate::error::Error;
use crate::id::ChannelHandle;
use crate::time::Time;

impl Connection {
    /// Takes out the channels that wait for this attempt. Nothing of them was sent: there must be
    /// neither keys nor early data.
    pub(crate) fn give_up_channels(&mut self, shared: &mut Shared) -> Vec<ChannelHandle> {
        if self.is_complete() || self.has_sent_early() {
            return Vec::new();
        }
        let handles: Vec<ChannelHandle> = self.registry.handles().collect();
        for handle in &handles {
            if let Some(channel) = shared.channels.get_mut(handle.0) {
                self.registry.remove(channel.number);
                channel.is_noted = false;
                channel.turn = Turn::default();
                channel.is_expiring = false;
            }
        }
        self.duties.clear();
        handles
    }

    /// Opens channels here that another connection gave up, with all that waits in them.
    pub(crate) fn adopt_channels(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handles: &[ChannelHandle],
    ) {
        let limit = self.established.as_ref().map_or(0, |one| one.peer.channel_data_max);
        for &handle in handles {
            let has_room = self.registry.len() < shared.config.channels_per_connection_max;
            let number = self.registry.open().filter(|_| has_room);
            let Some(channel) = shared.channels.get_mut(handle.0) else { continue };
            channel.connection = self.handle;
            let Some(number) = number else {
                self.report_channel_end(shared, handle, Error::Limit, None);
                self.remove_channel(shared, handle);
                continue;
            };
            channel.number = number;
            channel.sending.reset_limit(limit);
            self.registry.insert(number, handle);
            self.duties.note(handle, channel, Pending::NEW);
            if let Some(at) = channel.backlog.as_ref().and_then(|one| one.next_expiry()) {
                self.duties.expiring.note(handle, channel, at);
            }
            self.discard_larger(shared, now, handle);
            self.wake_channel(shared, handle);
        }
        self.schedule(shared);
    }
}
