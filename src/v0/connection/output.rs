//! What waits to be sent, and in which order it goes.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::id::{ChannelHandle, ConnectionHandle};
use crate::io::Local;
use crate::time::Time;
use crate::v0::channel::{Batch, Channel, Pool};

/// Somebody with packets to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The oldest loose batch.
    Loose,
    /// A connection's handshake messages.
    Control(ConnectionHandle),
    /// A channel's messages.
    Channel(ChannelHandle),
}

/// Where packets go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destination {
    pub(crate) to: SocketAddr,
    pub(crate) local: Local,
    pub(crate) connection: Option<ConnectionHandle>,
}

/// A batch that no channel or connection owns: answers to strangers, and last words of the closed.
#[derive(Debug)]
pub(crate) struct Loose {
    pub(crate) to: SocketAddr,
    pub(crate) local: Local,
    pub(crate) connection: Option<ConnectionHandle>,
    pub(crate) batch: Batch,
    /// What it counts in `Output::bytes`.
    pub(crate) bytes: usize,
}

/// The transmit queue of a node: sources take turns, one batch each.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) ready: VecDeque<Source>,
    /// Sources that wait for company, by the time their patience ends (one delay: always sorted).
    pub(crate) delayed: VecDeque<(Time, Source)>,
    pub(crate) loose: VecDeque<Loose>,
    pub(crate) pool: Pool,
    /// Bytes waiting in all outboxes and loose batches.
    pub(crate) bytes: usize,
    /// Channels that wait for room in the node's queue, each once.
    pub(crate) blocked: VecDeque<ChannelHandle>,
}

impl Output {
    pub(crate) fn push_loose(&mut self, loose: Loose) {
        self.bytes += loose.bytes;
        self.loose.push_back(loose);
        self.ready.push_back(Source::Loose);
    }

    /// Has a channel hear when half of the node's queue is free.
    pub(crate) fn block(&mut self, handle: ChannelHandle, channel: &mut Channel) {
        if !std::mem::replace(&mut channel.is_blocked, true) {
            self.blocked.push_back(handle);
        }
    }

    /// Forgets entries whose owner `is_alive` denies, when they may have become many.
    pub(crate) fn compact(&mut self, owners: usize, is_alive: impl Fn(&Source) -> bool) {
        const SLACK: usize = 64;
        let most = 2 * (owners + self.loose.len()) + SLACK;
        if self.ready.len() > most {
            self.ready.retain(&is_alive);
        }
        if self.delayed.len() > most {
            self.delayed.retain(|(_, source)| is_alive(source));
        }
        if self.blocked.len() > most {
            self.blocked.retain(|channel| is_alive(&Source::Channel(*channel)));
        }
    }
}
