//! Channels with messages that become too old.
// spec: 10.4 giving up

use std::collections::VecDeque;
use std::time::Duration;

use super::Connection;
use super::shared::Shared;
use crate::channel::Channel;
use crate::id::ChannelHandle;
use crate::time::Time;

/// How often a channel is looked through at most, however its messages' ends lie.
const GRANULARITY: Duration = Duration::from_millis(1);

/// Which channels have messages with a lifetime, and when the first ends.
#[derive(Debug, Default)]
pub(super) struct Expiring {
    at: Option<Time>,
    channels: VecDeque<ChannelHandle>,
}

impl Expiring {
    /// A message of the channel ends at `at`.
    pub(super) fn note(&mut self, handle: ChannelHandle, channel: &mut Channel, at: Time) {
        if !std::mem::replace(&mut channel.is_expiring, true) {
            self.channels.push_back(handle);
        }
        self.at = Some(self.at.map_or(at, |before| before.min(at)));
    }

    /// Forgets channels that are gone, if there are more than `most`.
    pub(super) fn tidy(&mut self, most: usize, is_there: impl Fn(ChannelHandle) -> bool) {
        if self.channels.len() > most {
            self.channels.retain(|handle| is_there(*handle));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.at
    }
}

impl Connection {
    /// Gives up the messages whose time is over.
    pub(super) fn handle_expiring(&mut self, shared: &mut Shared, now: Time) {
        if self.duties.expiring.at.is_none_or(|at| at > now) {
            return;
        }
        self.duties.expiring.at = None;
        for _ in 0..self.duties.expiring.channels.len() {
            let Some(handle) = self.duties.expiring.channels.pop_front() else { return };
            let Some(channel) = shared.channels.get_mut(handle.0) else { continue };
            channel.is_expiring = false;
            let resends = channel.resends();
            let expired = self.with_backlog(shared, handle, |backlog, settling| {
                backlog.expire(now, resends, settling)
            });
            let Some(expired) = expired else { continue };
            if let (Some(at), Some(channel)) = (expired.next, shared.channels.get_mut(handle.0)) {
                self.duties.expiring.note(handle, channel, at.max(now + GRANULARITY));
            }
            self.on_given_up(shared, now, handle, expired.given_up);
            self.on_discarded(shared, now, handle, expired.discarded);
        }
    }

    /// Messages were dropped before anything of them was sent.
    pub(super) fn on_discarded(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        count: u64,
    ) {
        if self.count_lost(shared, now, handle, count) {
            self.report_writable(shared, handle);
            self.schedule(shared);
        }
    }
}
