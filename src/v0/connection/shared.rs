//! What all connections of a node share, and the timers and queues that keep it in order.

use std::collections::{BTreeSet, VecDeque};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::output::{Destination, Loose, Output, Source};
use crate::config::{NodeConfig, Profile};
use crate::error::Error;
use crate::id::{ChannelHandle, ChannelId, Version};
use crate::io::Event;
use crate::slots::Slots;
use crate::stats::{DropReason, NodeStats};
use crate::time::Time;
use crate::v0::channel::{Batch, Channel, Content, Cookies, Framing, Retry, SpareInboxes};

/// Settings, randomness, tables and queues of one node.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: NodeConfig,
    pub(crate) rng: ChaCha12Rng,
    /// Halves of channel ids to use before random ones.
    pub(crate) halves: VecDeque<u16>,
    pub(crate) cookies: Cookies,
    pub(crate) channels: Slots<Channel>,
    pub(crate) spare_inboxes: SpareInboxes,
    pub(crate) output: Output,
    /// One entry at most for each channel; see `arm`.
    pub(crate) timers: BTreeSet<(Time, ChannelHandle)>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) stats: NodeStats,
}

impl Shared {
    pub(crate) fn new(config: NodeConfig, seed: [u8; 32], now: Time) -> Shared {
        let mut rng = ChaCha12Rng::from_seed(seed);
        Shared {
            cookies: Cookies::new(&config, now, &mut rng),
            channels: Slots::new(config.tag, Version::V0),
            spare_inboxes: SpareInboxes::default(),
            config,
            rng,
            halves: VecDeque::new(),
            output: Output::default(),
            timers: BTreeSet::new(),
            events: VecDeque::new(),
            stats: NodeStats::default(),
        }
    }

    pub(crate) fn channel(&self, handle: ChannelHandle) -> Result<&Channel, Error> {
        self.channels.get(handle.0).ok_or(Error::InvalidChannelId)
    }

    pub(crate) fn channel_mut(&mut self, handle: ChannelHandle) -> Result<&mut Channel, Error> {
        self.channels.get_mut(handle.0).ok_or(Error::InvalidChannelId)
    }

    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        self.stats.dropped[reason as usize] += 1;
    }

    /// A half that is chosen, so never `NO_HALF`.
    pub(crate) fn random_half(&mut self) -> u16 {
        loop {
            let supplied = self.halves.pop_front();
            let half = supplied.unwrap_or_else(|| (self.rng.next_u32() >> 16) as u16);
            if half != ChannelId::NO_HALF {
                return half;
            }
        }
    }

    pub(crate) fn is_reference(&self) -> bool {
        self.config.profile == Profile::Reference
    }

    /// Sends a packet of one message; returns its bytes.
    pub(crate) fn send_single(
        &mut self,
        framing: &Framing,
        content: &Content<'_>,
        destination: &Destination,
    ) -> usize {
        let batch = Batch::single(framing, content, &mut self.output.pool);
        let bytes = batch.len();
        let Destination { to, local, connection } = *destination;
        self.output.push_loose(Loose { to, local, connection, batch, bytes });
        bytes
    }

    /// Sends a packet of one message, and announces it: what the reference profile does for every
    /// message.
    pub(crate) fn send_announced(
        &mut self,
        framing: &Framing,
        content: &Content<'_>,
        destination: &Destination,
    ) {
        self.send_single(framing, content, destination);
        self.events.push_back(Event::Packet { id: framing.header.channel });
    }

    /// When a handshake packet repeated `count` times is due again.
    pub(crate) fn retry(&mut self, now: Time, count: u8, cookie: u32) -> Retry {
        let random = self.rng.next_u32();
        let at = now + Retry::wait(self.config.handshake_timeout, count, random);
        Retry { at, count, cookie }
    }

    /// Sets the channel's timer to its deadline. Activity only moves deadlines away, so it need not
    /// call this: a timer that fires early sets itself anew. `heard` as in `Channel::deadline`.
    pub(crate) fn arm(&mut self, handle: ChannelHandle, heard: Time) {
        let Some(channel) = self.channels.get_mut(handle.0) else { return };
        let deadline = channel.deadline(&self.config, heard);
        if channel.timer == deadline {
            return;
        }
        if let Some(timer) = std::mem::replace(&mut channel.timer, deadline) {
            self.timers.remove(&(timer, handle));
        }
        if let Some(deadline) = deadline {
            self.timers.insert((deadline, handle));
        }
    }

    /// The channel whose timer is due at `now`, its timer cleared.
    pub(crate) fn pop_timer(&mut self, now: Time) -> Option<ChannelHandle> {
        let (due, handle) = *self.timers.first()?;
        if due > now {
            return None;
        }
        self.timers.pop_first();
        if let Some(channel) = self.channels.get_mut(handle.0) {
            channel.timer = None;
        }
        Some(handle)
    }

    /// Makes ready what has waited long enough.
    pub(crate) fn release_delayed(&mut self, now: Time) {
        let Shared { channels, output, .. } = self;
        while let Some((_, source)) = output.delayed.front().copied().filter(|(due, _)| *due <= now)
        {
            output.delayed.pop_front();
            if let Source::Channel(handle) = source {
                let Some(channel) = channels.get_mut(handle.0) else { continue };
                channel.is_delayed = false;
                if channel.outbox.is_empty() || std::mem::replace(&mut channel.is_ready, true) {
                    continue;
                }
            }
            output.ready.push_back(source);
        }
    }

    /// Puts a source with something to send where it belongs: delayed while it may be joined by
    /// more, ready otherwise. The caller sees to it that a source is scheduled once.
    pub(crate) fn schedule(&mut self, now: Time, source: Source, is_patient: bool) {
        if is_patient && !self.config.bundle_delay.is_zero() {
            self.output.delayed.push_back((now + self.config.bundle_delay, source));
        } else {
            self.output.ready.push_back(source);
        }
        let channels = &self.channels;
        let owners = channels.len() + self.stats.connections as usize;
        self.output.compact(owners, |source| match source {
            Source::Loose | Source::Control(_) => true,
            Source::Channel(handle) => channels.get(handle.0).is_some(),
        });
    }
}
