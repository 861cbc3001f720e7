//! One channel of protocol v1: what its two directions have come to, what waits to be sent or read.

mod backlog;
mod buffers;
mod credit;
mod inbox;
mod ledger;
mod numbered;
mod outbox;
mod partial;
mod receive;
mod send;
mod settled;

pub(crate) use backlog::{
    Ask, Backlog, Chunks, Order, Output, Piece, Report, Settling, SpareBacklogs, Stop,
};
pub(crate) use inbox::{Inbox, SpareInboxes};
pub(crate) use outbox::{CHARGE, Framing, HEADER_SIZE, Outbox, Packet, Pool, TAG_SIZE, data_len};
pub(crate) use receive::{Arrival, Desk, Fault, Intake, Receiving, Spares, charge_of, check_data};
pub(crate) use send::{Room, Sending};
pub(crate) use settled::Settled;

use std::time::Duration;

use crate::config::LABEL_BYTES_MAX;
use crate::id::{Capabilities, ChannelNumber, ConnectionHandle, Role};
use crate::wire::frame::ChannelNew;

/// Bytes of CHANNEL_NEW with the longest label, at most.
// spec: 8.9 CHANNEL_NEW
pub(crate) const LEAD_MAX: usize = 4 + 4 + 2 + 10 + 3 + LABEL_BYTES_MAX;

/// A channel of protocol v1.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) connection: ConnectionHandle,
    pub(crate) number: ChannelNumber,
    pub(crate) role: Role,
    pub(crate) capabilities: Capabilities,
    /// 0 first, 7 last (8.9).
    pub(crate) priority: u8,
    pub(crate) weight: u8,
    pub(crate) label: Box<[u8]>,
    /// Opened by early data, and nothing else of it has come since.
    pub(crate) is_early: bool,
    pub(crate) opening: Opening,
    pub(crate) ending: Ending,
    /// The application was told that the peer sends nothing more.
    pub(crate) is_finished: bool,
    /// Whether the peer will be told, after a while, what was given up.
    pub(crate) is_skip_due: bool,
    /// The limit that CHANNEL_NEW gave, ours or the peer's.
    announced_limit: u64,
    pub(crate) sending: Sending,
    pub(crate) receiving: Receiving,
    /// Messages to be sent, as which they are.
    pub(crate) pending: Pending,
    /// Its place in the connection's order of data.
    pub(crate) turn: Turn,
    /// How often a piece of a message goes again; `u32::MAX`: as often as it takes.
    pub(crate) resend_limit: u32,
    /// How long a message is worth sending; zero: for ever.
    pub(crate) message_lifetime: Duration,
    /// Whether it has an entry in the connection's queue of control messages.
    pub(crate) is_noted: bool,
    /// Bytes of the message for which `send` said `WouldBlock`, until `Writable` follows.
    pub(crate) wants_writable: Option<u32>,
    /// Whether it waits for room in the node's queue (`Shared::blocked`).
    pub(crate) is_blocked: bool,
    /// Whether it waits for the connection's limit of data to rise.
    pub(crate) awaits_credit: bool,
    /// Whether it waits for acknowledgements because it keeps too much.
    pub(crate) is_stuffed: bool,
    /// Whether it is among those whose messages may become too old.
    pub(crate) is_expiring: bool,
    /// Messages that go once and fit a packet, while there is no backlog.
    pub(crate) outbox: Outbox,
    /// All others that are to be sent, or resent, or of which the fate matters.
    pub(crate) backlog: Option<Box<Backlog>>,
    /// There while messages wait; see `SpareInboxes`.
    pub(crate) inbox: Option<Box<Inbox>>,
    pub(crate) counts: Counts,
}

/// What a channel counts; the rest of its statistics is looked up when somebody asks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) messages_sent: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) messages_received: u64,
    pub(crate) bytes_received: u64,
    pub(crate) messages_lost: u64,
    pub(crate) messages_skipped: u64,
    pub(crate) bytes_resent: u64,
}

/// How far opening has come.
// spec: 9.2 opening
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// We opened it, and CHANNEL_NEW is not acknowledged: every packet with data carries it.
    Announced,
    /// CHANNEL_NEW was acknowledged.
    Known,
    /// The accepting side said so, or it is us: both know.
    Open,
}

/// Whether the application still has the channel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It has.
    None,
    /// It closed its direction, or the connection did for it.
    Closing,
    /// A reset was sent or came: the application was told, and its handle is stale. Boxed: most
    /// channels never see one.
    Reset(Box<Reset>),
}

/// A reset that is under way.
// spec: 9.5 reset
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reset {
    pub(crate) is_application: bool,
    pub(crate) code: u64,
    /// What is said with our CHANNEL_RESET, for people.
    pub(crate) text: Box<str>,
    /// An answer, to which CHANNEL_CLOSE before it had already told our position.
    pub(crate) is_close_enough: bool,
    /// Our own CHANNEL_RESET, or a CHANNEL_CLOSE that is enough, was acknowledged.
    pub(crate) is_acknowledged: bool,
}

/// Control messages that a channel owes its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pending(u8);

impl Pending {
    pub(crate) const NEW: Pending = Pending(1);
    pub(crate) const ACCEPT: Pending = Pending(1 << 1);
    pub(crate) const CLOSE: Pending = Pending(1 << 2);
    pub(crate) const RESET: Pending = Pending(1 << 3);
    pub(crate) const SKIP: Pending = Pending(1 << 4);
    pub(crate) const BLOCKED: Pending = Pending(1 << 5);
    /// MAX_CHANNEL_DATA.
    pub(crate) const LIMIT: Pending = Pending(1 << 6);

    pub(crate) fn set(&mut self, one: Pending) {
        self.0 |= one.0;
    }

    pub(crate) fn clear(&mut self, one: Pending) {
        self.0 &= !one.0;
    }

    pub(crate) fn has(self, one: Pending) -> bool {
        self.0 & one.0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The place of a channel in the order in which data leaves.
// spec: 10.6 order between channels
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Turn {
    /// Whether it has something to send and waits for its turn.
    pub(crate) is_ready: bool,
    /// Whether the queue of its priority has an entry of it, if only of before.
    pub(crate) is_listed: bool,
    /// How far it has come among those of its priority: bytes by weight.
    pub(crate) pass: u64,
    /// Whether it is in the queue of those that get something in any case.
    pub(crate) has_right: bool,
    /// How many bytes must have left of all channels when it next gets some.
    pub(crate) right_at: u64,
}

/// What a channel begins with.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) number: ChannelNumber,
    pub(crate) role: Role,
    pub(crate) capabilities: Capabilities,
    pub(crate) priority: u8,
    pub(crate) weight: u8,
    pub(crate) label: Box<[u8]>,
    /// Position up to which we may send.
    pub(crate) limit: u64,
    /// Position up to which the peer may send at first.
    pub(crate) window: u32,
    pub(crate) is_early: bool,
    pub(crate) resend_limit: u32,
    pub(crate) message_lifetime: Duration,
}

impl Channel {
    pub(crate) fn new(connection: ConnectionHandle, terms: Terms) -> Channel {
        let (opening, announced_limit) = match terms.role {
            Role::Initiator => (Opening::Announced, u64::from(terms.window)),
            Role::Responder => (Opening::Open, terms.limit),
        };
        Channel {
            connection,
            number: terms.number,
            role: terms.role,
            capabilities: terms.capabilities,
            priority: terms.priority,
            weight: terms.weight,
            label: terms.label,
            is_early: terms.is_early,
            opening,
            ending: Ending::None,
            is_finished: false,
            is_skip_due: false,
            announced_limit,
            sending: Sending::new(terms.limit),
            receiving: Receiving::new(terms.capabilities, terms.window),
            pending: Pending::default(),
            turn: Turn::default(),
            resend_limit: terms.resend_limit,
            message_lifetime: terms.message_lifetime,
            is_noted: false,
            wants_writable: None,
            is_blocked: false,
            awaits_credit: false,
            is_stuffed: false,
            is_expiring: false,
            outbox: Outbox::default(),
            backlog: None,
            inbox: None,
            counts: Counts::default(),
        }
    }

    /// Whether the application's handle still means it.
    pub(crate) fn is_reset(&self) -> bool {
        match self.ending {
            Ending::None | Ending::Closing => false,
            Ending::Reset(_) => true,
        }
    }

    /// The limit that CHANNEL_NEW gives, each time that it is sent.
    // spec: 8.9 CHANNEL_NEW
    pub(crate) fn announced_limit(&self) -> u64 {
        self.announced_limit
    }

    /// Whether this is what the peer opened it with.
    // spec: 8.9 CHANNEL_NEW
    pub(crate) fn is_announced_by(&self, new: &ChannelNew<'_>) -> bool {
        self.capabilities == new.capabilities
            && (self.priority, self.weight) == (new.priority, new.weight)
            && self.announced_limit == new.limit
            && &self.label[..] == new.label.as_slice()
    }

    /// Whether what is lost goes again.
    pub(crate) fn resends(&self) -> bool {
        self.capabilities.has(Capabilities::RESEND)
    }

    /// Whether a message given up ends it.
    pub(crate) fn closes_on_loss(&self) -> bool {
        self.capabilities.has(Capabilities::CLOSE_ON_LOSS)
    }

    /// Bytes of messages that wait to leave, with what they cost besides.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.outbox.bytes() + self.backlog.as_ref().map_or(0, |backlog| backlog.unsent_bytes())
    }

    /// Messages or packets that wait to leave.
    pub(crate) fn queued_packets(&self) -> usize {
        let waiting = self.backlog.as_ref().map_or(0, |backlog| backlog.unsent_messages());
        self.outbox.packets() + waiting
    }

    /// Whether something did not leave yet for the first time.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.outbox.is_empty() || self.backlog.as_ref().is_some_and(|one| one.has_unsent())
    }

    /// Whether there is something to put into packets.
    pub(crate) fn wants_to_send(&self) -> bool {
        !self.outbox.is_empty() || self.backlog.as_ref().is_some_and(|one| one.wants_to_send())
    }

    /// Whether both directions are over and nothing is owed: it can be forgotten.
    // spec: 9.3 states
    pub(crate) fn is_gone(&self) -> bool {
        match &self.ending {
            Ending::None => false,
            Ending::Closing => {
                let is_read = self.inbox.as_ref().is_none_or(|inbox| inbox.is_empty());
                self.sending.is_ended() && self.receiving.is_ended() && is_read
            }
            Ending::Reset(reset) => reset.is_acknowledged && self.receiving.has_end(),
        }
    }
}
