//! What all v1 connections of a node share, and what they tell the node.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::channel::{CHARGE, Channel, Chunks, Pool, Report, SpareBacklogs, SpareInboxes, Spares};
use crate::config::NodeConfig;
use crate::crypto::{Identity, PublicKey, ResetKey, TlsContext};
use crate::error::Error;
use crate::id::{ChannelHandle, ConnectionHandle, PathId, Token, Version};
use crate::info::Received;
use crate::io::{Event, EventQueue};
use crate::path::{Fate, SentFrame};
use crate::slots::Slots;
use crate::stats::{DropReason, NodeStats};

use super::batch::Batch;
use super::handshake::Env;
use super::heaviest::Heaviest;
use super::orphans::Orphan;

/// Settings, randomness, tables and queues of one node.
pub(crate) struct Shared {
    pub(crate) config: NodeConfig,
    pub(crate) rng: ChaCha12Rng,
    pub(crate) tls: TlsContext,
    /// None when the key is not at hand in bytes (14.6).
    pub(crate) reset_key: Option<ResetKey>,
    pub(crate) channels: Slots<Channel>,
    pub(crate) spare_inboxes: SpareInboxes,
    pub(crate) spares: Spares,
    /// The windows that connections began with, and by how much they grew, all together.
    pub(crate) first_windows: u64,
    pub(crate) grown_windows: u64,
    /// Channels that their connections left behind.
    pub(super) orphans: BTreeMap<ChannelHandle, Orphan>,
    /// Bytes held of the lowest unfinished messages of all channels.
    pub(crate) unfinished_bytes: u64,
    /// Those channels that hold most of them.
    pub(super) heaviest: Heaviest,
    /// The one of them that another connection was told to reset.
    pub(super) overfull: Option<ChannelHandle>,
    pub(crate) spare_backlogs: SpareBacklogs,
    pub(crate) pool: Pool,
    pub(crate) chunks: Chunks,
    /// Bytes waiting in all channels to be sent, or to be acknowledged.
    pub(crate) send_queue_bytes: usize,
    /// Channels that wait for room in the node's queue, each once.
    pub(crate) blocked: VecDeque<ChannelHandle>,
    pub(crate) events: EventQueue,
    pub(crate) stats: NodeStats,
    /// Connections that may have something to send, each once.
    pub(crate) ready: VecDeque<ConnectionHandle>,
    pub(crate) notices: VecDeque<(ConnectionHandle, Notice)>,
    /// Kept only for their memory: what one call uses, and leaves empty.
    pub(super) scratch: Scratch,
}

/// Lists that calls use and leave empty.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) batch: Batch,
    pub(super) reports: Vec<Report>,
    pub(super) frames: Vec<SentFrame>,
    pub(super) fates: Vec<(SentFrame, Fate)>,
}

/// What a connection tells the node. To be drained after every call into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The peer's key is known: the checks of 3.4 are the node's. It answers by
    /// `Connection::accept` or `Connection::refuse`, perhaps later.
    Identified {
        /// The peer's key.
        key: PublicKey,
        /// Whether a ticket was used.
        is_resumed: bool,
        /// Whether only early data is asked about; the same is asked again at the end.
        is_early: bool,
    },
    /// Both sides know each other (7.7). `Event::Connected` was pushed.
    Confirmed,
    /// Packets with this token are for this path of the connection.
    TokenIssued(Token, PathId),
    /// And now they are not.
    TokenRetired(Token),
    /// It sends to this address from now on.
    Moved(SocketAddr),
    /// A dial's attempt failed. The node answers by `Connection::redial` or `Connection::fail`.
    AttemptFailed {
        /// What the application is told if it was the last.
        reason: Error,
        /// The code of 17.1, if one side said one.
        code: Option<u64>,
        /// Whether another attempt may be made (7.15).
        may_retry: bool,
    },
    /// This channel of the connection holds more of unfinished messages than any other, and all
    /// together hold too much: the node has it reset (`Connection::reset_overfull`).
    Overfull(ChannelHandle),
    /// It ended for the application, which was told. It still answers packets.
    Closed,
    /// Nothing is left to do: drop it, its tokens and ids.
    Gone,
}

impl Shared {
    pub(crate) fn new(
        config: NodeConfig,
        identity: &Identity,
        tls: TlsContext,
        seed: [u8; 32],
    ) -> Shared {
        Shared {
            rng: ChaCha12Rng::from_seed(seed),
            reset_key: Some(ResetKey::new(identity, &config.instance_label)),
            tls,
            channels: Slots::new(config.tag, Version::V1),
            config,
            spare_inboxes: SpareInboxes::default(),
            spares: Spares::default(),
            first_windows: 0,
            grown_windows: 0,
            orphans: BTreeMap::new(),
            unfinished_bytes: 0,
            heaviest: Heaviest::default(),
            overfull: None,
            spare_backlogs: SpareBacklogs::default(),
            pool: Pool::default(),
            chunks: Chunks::default(),
            send_queue_bytes: 0,
            blocked: VecDeque::new(),
            events: EventQueue::default(),
            stats: NodeStats::default(),
            ready: VecDeque::new(),
            notices: VecDeque::new(),
            scratch: Scratch::default(),
        }
    }

    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        self.stats.dropped[reason as usize] += 1;
    }

    pub(crate) fn notify(&mut self, connection: ConnectionHandle, notice: Notice) {
        self.notices.push_back((connection, notice));
    }

    /// The channel, unless the application's handle is stale.
    pub(crate) fn channel(&self, handle: ChannelHandle) -> Result<&Channel, Error> {
        let channel = self.channels.get(handle.0).filter(|channel| !channel.is_reset());
        channel.ok_or(Error::InvalidChannelId)
    }

    /// The channel, unless the application's handle is stale.
    pub(crate) fn channel_mut(&mut self, handle: ChannelHandle) -> Result<&mut Channel, Error> {
        let channel = self.channels.get_mut(handle.0).filter(|channel| !channel.is_reset());
        channel.ok_or(Error::InvalidChannelId)
    }

    /// Reads the oldest message of a channel, or the rest of one.
    pub(super) fn read(
        &mut self,
        handle: ChannelHandle,
        out: &mut [u8],
    ) -> Result<Received, Error> {
        let Shared { channels, spare_inboxes, spares, stats, .. } = self;
        let channel = channels.get_mut(handle.0).filter(|channel| !channel.is_reset());
        let channel = channel.ok_or(Error::InvalidChannelId)?;
        let inbox = channel.inbox.as_mut().ok_or(Error::DataUnavailable)?;
        let received = inbox.pop(out)?;
        if let Some(spent) = inbox.take_spent() {
            spares.buffers.put(spent, 0);
        }
        spare_inboxes.put(&mut channel.inbox);
        stats.receive_queue_bytes -= received.len as u64;
        Ok(received)
    }

    /// What a handshake borrows. `window`: the connection's first one.
    pub(super) fn env(&mut self, window: u32) -> Env<'_> {
        Env {
            window,
            config: &self.config,
            rng: &mut self.rng,
            tls: &self.tls,
            reset_key: self.reset_key.as_ref(),
        }
    }

    /// Tells channels that wait for room in the node's queue when half of it is free, and what they
    /// wanted to send fits. The node calls it after `poll_transmit`.
    pub(crate) fn report_room(&mut self) {
        let most = self.config.node_send_queue_bytes_max;
        if self.send_queue_bytes > most / 2 {
            return;
        }
        while let Some(handle) = self.blocked.front().copied() {
            let channel = self.channels.get_mut(handle.0).filter(|channel| !channel.is_reset());
            let wanted = channel.as_ref().and_then(|channel| channel.wants_writable);
            if wanted
                .is_some_and(|len| self.send_queue_bytes + len as usize > most - CHARGE as usize)
            {
                return;
            }
            self.blocked.pop_front();
            let Some(channel) = channel else { continue };
            channel.is_blocked = false;
            if channel.wants_writable.take().is_some() {
                let connection = channel.connection;
                self.events.push_back(Event::Writable { connection, channel: handle });
            }
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("channels", &self.channels.len()).finish_non_exhaustive()
    }
}
