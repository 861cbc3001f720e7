//! How much the peer may send, and what it costs us.
// spec: 11.3 receiving

use std::time::Duration;

use super::shared::{Notice, Shared};
use super::{Breach, Connection};
use crate::channel::{Channel, Intake, Pending};
use crate::config::NodeConfig;
use crate::error::Error;
use crate::id::ChannelHandle;
use crate::slots::Slots;
use crate::time::Time;
use crate::wire::codes::ChannelCode;
use crate::wire::frame::{ChannelLimit, Source};

/// What a connection's first window is, in those of channels.
const FIRST_WINDOWS: usize = 4;

/// The part of the node's budget that first windows may take, and the part of what is left of that
/// which one may; but for so many packets, without which nothing would go on.
const FIRST_PART: u64 = 2;
const FIRST_OF_LEFT: u64 = 16;
const FIRST_PACKETS: usize = 4;

/// The part of the node's budget below which it is short, so that windows are given back.
const SHORT_PART: u64 = 8;

/// The windows that channels and connections begin with.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstWindows {
    pub(super) channel: u32,
    pub(super) connection: u32,
}

impl FirstWindows {
    pub(super) fn of(config: &NodeConfig) -> FirstWindows {
        let window = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let channel = config.receive_window_min;
        let all = channel.saturating_mul(FIRST_WINDOWS);
        let connection = all.min(config.connection_receive_bytes_max).max(channel);
        FirstWindows { channel: window(channel), connection: window(connection) }
    }
}

impl Connection {
    /// Has the peer told of higher limits, if half of a window was used. A window smaller than
    /// twice what a round trip brings grows.
    #[inline]
    pub(super) fn note_limits(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        let is_due = shared.channels.get(handle.0).is_some_and(|channel| {
            !channel.pending.has(Pending::LIMIT) && channel.receiving.is_due()
        });
        if is_due {
            self.raise_channel(shared, now, handle);
        }
        self.note_connection_limit(shared, now);
    }

    /// The same for the connection's limit alone.
    #[inline]
    pub(super) fn note_connection_limit(&mut self, shared: &mut Shared, now: Time) {
        if !self.duties.max_data && self.intake.is_due() {
            self.raise_connection(shared, now);
        }
    }

    pub(super) fn raise_channel(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        let rtt = self.rtt();
        let window_max = self.intake.credit.window();
        let Some(channel) = shared.channels.get_mut(handle.0) else { return };
        if channel.is_reset() {
            return;
        }
        channel.receiving.grow_window(now, rtt, window_max);
        self.duties.note(handle, channel, Pending::LIMIT);
        self.schedule(shared);
    }

    fn raise_connection(&mut self, shared: &mut Shared, now: Time) {
        let rtt = self.rtt();
        let config = &shared.config;
        let window_max = u32::try_from(config.connection_receive_bytes_max).unwrap_or(u32::MAX);
        let budget = config.node_receive_bytes_max as u64;
        let left = budget.saturating_sub(shared.first_windows + shared.grown_windows);
        let Intake { credit, unfinished, .. } = &mut self.intake;
        let (window, room) = (credit.window(), u32::try_from(left).unwrap_or(u32::MAX));
        let most = window_max.max(window).min(window.saturating_add(room));
        // Who is slow keeps no more than it uses where others go short. It may be so for once.
        let is_short = left < budget / SHORT_PART;
        let least = if is_short { self.first_window.max(window / 2) } else { window };
        credit.fit(now, rtt, *unfinished, (least, most));
        self.count_window(shared);
        self.duties.max_data = true;
        self.schedule(shared);
    }

    /// CHANNEL_DATA_BLOCKED: the window is too small for what the path carries, or the reader slow.
    // spec: 8.16 MAX_DATA and its kin
    pub(super) fn handle_channel_blocked(
        &mut self,
        shared: &mut Shared,
        blocked: &ChannelLimit,
    ) -> Result<(), Breach> {
        let Some(handle) = self.named(blocked.channel)? else { return Ok(()) };
        self.opened(shared, handle);
        if let Some(channel) = shared.channels.get_mut(handle.0) {
            let unread = channel.inbox.as_ref().map_or(0, |inbox| inbox.bytes() as u64);
            channel.receiving.note_blocked(unread);
            // It can grow no further than the connection's, which no single channel uses up.
            if channel.receiving.credit().window() > self.intake.credit.window() / 2 {
                self.note_blocked(shared);
            }
        }
        Ok(())
    }

    /// The peer says that the connection's limit is in its way.
    // spec: 8.16 MAX_DATA and its kin
    pub(super) fn note_blocked(&mut self, shared: &Shared) {
        // Of all connections, which nobody has to add up: of this one there is no more.
        self.intake.credit.note_blocked(shared.stats.receive_queue_bytes);
    }

    /// Counts what the window is beyond the first one. A limit that was told is not taken back: of
    /// a window that is smaller now, the rest counts until the peer has used it.
    fn count_window(&mut self, shared: &mut Shared) {
        let first = u64::from(self.first_window);
        let window = u64::from(self.intake.credit.window()) - first;
        let told = self.intake.credit.granted() - first;
        let grown = window.max(told.min(self.grown_window.into()));
        shared.grown_windows -= u64::from(self.grown_window);
        shared.grown_windows += grown;
        self.grown_window = u32::try_from(grown).unwrap_or(u32::MAX);
    }

    /// Takes the first window out of the node's budget.
    pub(super) fn count_first_window(&mut self, shared: &mut Shared) {
        shared.first_windows += u64::from(self.first_window);
        self.counted_window = self.first_window;
    }

    /// Gives back the node's budget.
    pub(crate) fn forget_windows(&mut self, shared: &mut Shared) {
        shared.grown_windows -= u64::from(std::mem::take(&mut self.grown_window));
        shared.first_windows -= u64::from(std::mem::take(&mut self.counted_window));
    }

    /// What a round trip takes on the slowest path; nothing before it was measured.
    fn rtt(&self) -> Duration {
        let established = self.established.as_ref();
        let all = established.into_iter().flat_map(|established| established.carriers.iter());
        all.map(|(_, carrier)| carrier.rtt.smoothed()).max().unwrap_or_default()
    }

    /// Messages larger than their windows hold too much together: the channel that holds most is
    /// reset, here or, if the whole node holds too much, wherever it is. `newest` is what grew.
    #[inline]
    pub(super) fn check_unfinished(
        &mut self,
        shared: &mut Shared,
        now: Time,
        newest: ChannelHandle,
    ) {
        let config = &shared.config;
        let is_over = self.intake.unfinished > config.connection_receive_bytes_max as u64;
        if is_over || shared.unfinished_bytes > config.node_receive_bytes_max as u64 {
            self.end_heaviest(shared, now, newest, is_over);
        }
    }

    #[cold]
    fn end_heaviest(
        &mut self,
        shared: &mut Shared,
        now: Time,
        newest: ChannelHandle,
        is_over: bool,
    ) {
        if is_over {
            let held = |handle| unfinished(&shared.channels, handle);
            let found = self.heaviest.pick(now, newest, held, self.registry.handles());
            if let Some(handle) = found {
                self.reset_overfull(shared, now, handle);
            }
        }
        let is_told = shared.overfull.is_some_and(|told| unfinished(&shared.channels, told) > 0);
        if is_told || shared.unfinished_bytes <= shared.config.node_receive_bytes_max as u64 {
            return;
        }
        let Shared { heaviest, channels, .. } = &mut *shared;
        let all = channels.handles().map(ChannelHandle);
        let found = heaviest.pick(now, newest, |handle| unfinished(channels, handle), all);
        let Some((handle, channel)) = found.and_then(|one| Some((one, channels.get(one.0)?)))
        else {
            return;
        };
        let connection = channel.connection;
        if connection == self.handle {
            self.reset_overfull(shared, now, handle);
        } else {
            shared.overfull = Some(handle);
            shared.notify(connection, Notice::Overfull(handle));
        }
    }

    /// Resets a channel because of what it holds.
    pub(crate) fn reset_overfull(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        if shared.channel(handle).is_ok() {
            let said = (Source::Protocol, ChannelCode::Resources.code());
            self.reset(shared, now, handle, said, Error::Limit);
        }
    }
}

impl Shared {
    /// The window that a new connection begins with: less than usual when many have theirs.
    // spec: 11.3 receiving
    pub(super) fn first_window(&self) -> u32 {
        let config = &self.config;
        let usual = FirstWindows::of(config).connection;
        let share = config.node_receive_bytes_max as u64 / FIRST_PART;
        let part = share.saturating_sub(self.first_windows) / FIRST_OF_LEFT;
        let least = (FIRST_PACKETS * config.packet_size) as u64;
        u32::try_from(part.max(least)).unwrap_or(u32::MAX).min(usual)
    }
}

fn unfinished(channels: &Slots<Channel>, handle: ChannelHandle) -> u64 {
    channels.get(handle.0).map_or(0, |channel| channel.receiving.unfinished())
}
