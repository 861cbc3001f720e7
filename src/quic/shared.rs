//! What all connections of a `Quic` share.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::config::QuicConfig;
use super::events::{QuicEvent, QuicStats};
use super::inbox::{Harvest, Inbox};

/// Settings, the inbox, events and counters.
pub(super) struct Shared {
    pub(super) config: QuicConfig,
    pub(super) inbox: Inbox,
    pub(super) events: VecDeque<QuicEvent>,
    pub(super) stats: QuicStats,
    /// Where messages came from since the map was last told.
    pub(super) touched: Vec<SocketAddr>,
    /// Some connection may be held back by the limits of the inbox.
    pub(super) is_any_held: bool,
}

impl Shared {
    pub(super) fn new(config: QuicConfig) -> Shared {
        Shared {
            inbox: Inbox::new(&config),
            config,
            events: VecDeque::new(),
            stats: QuicStats::default(),
            touched: Vec::new(),
            is_any_held: false,
        }
    }

    /// Counts what a connection read, and tells of queues that were empty.
    pub(super) fn note_harvest(&mut self, harvest: &Harvest) {
        self.stats.messages_received += harvest.messages;
        self.stats.bytes_received += harvest.bytes;
        if harvest.messages_began {
            self.events.push_back(QuicEvent::Readable);
        }
        if harvest.syncs_began {
            self.events.push_back(QuicEvent::SyncReadable);
        }
    }
}
