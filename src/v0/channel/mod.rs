//! One channel: its handshake, what waits to be sent, what waits to be read.

mod cookie;
mod outbox;

use std::time::Duration;

pub(crate) use cookie::{Bound, Cookies, reference_cookie};
pub(crate) use crate::channel::{Inbox, SpareInboxes};
pub(crate) use outbox::{Batch, Content, Framing, Outbox, Pool, Taken};

use crate::config::{NodeConfig, Profile};
use crate::id::{Capabilities, ChannelId, ConnectionHandle, Role};
use crate::stats::ChannelStats;
use crate::time::Time;

/// A channel of protocol v0.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) connection: ConnectionHandle,
    pub(crate) id: ChannelId,
    pub(crate) role: Role,
    pub(crate) capabilities: Capabilities,
    pub(crate) handshake: Handshake,
    pub(crate) outbox: Outbox,
    /// There while messages wait; see `SpareInboxes`.
    pub(crate) inbox: Option<Box<Inbox>>,
    pub(crate) stats: ChannelStats,
    /// When a packet last came or went.
    pub(crate) last_active: Time,
    /// When the peer was last asked for a sign of life on this channel.
    pub(crate) pinged_at: Time,
    /// Whether that question still waits in the outbox.
    pub(crate) is_ping_waiting: bool,
    /// The entry of this channel in the node's timers.
    pub(crate) timer: Option<Time>,
    /// Whether it has its turn in `Output::ready`.
    pub(crate) is_ready: bool,
    /// Whether it has an entry in `Output::delayed`.
    pub(crate) is_delayed: bool,
    /// Whether `send` said `WouldBlock` and no `Writable` followed yet.
    pub(crate) wants_writable: bool,
    /// Whether it waits for room in the node's queue (`Output::blocked`).
    pub(crate) is_blocked: bool,
    /// Closed by the application, and waiting for the handshake to send what it was given.
    pub(crate) is_closing: bool,
}

/// How far opening has come.
#[derive(Debug)]
pub(crate) enum Handshake {
    /// NEW was sent, or is about to be.
    Pending(Pending),
    /// FINALIZE was sent; whether it arrived is not known before the peer is heard on the channel.
    Finalizing(Retry),
    /// Nothing left to do.
    Done,
}

/// A channel that the peer has not answered yet.
#[derive(Debug)]
pub(crate) struct Pending {
    /// What the answer must echo.
    pub(crate) cookie: u32,
    pub(crate) retry: Retry,
    /// Messages sent already.
    pub(crate) early: Option<Box<Early>>,
}

/// The next repetition of a handshake packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retry {
    pub(crate) at: Time,
    /// Repetitions done.
    pub(crate) count: u8,
    /// The cookie that FINALIZE repeats.
    pub(crate) cookie: u32,
}

/// Messages that wait for the channel's id.
#[derive(Debug, Default)]
pub(crate) struct Early {
    pub(crate) bytes: Vec<u8>,
    pub(crate) lengths: Vec<u32>,
}

impl Early {
    pub(crate) fn push(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(message);
        self.lengths.push(u32::try_from(message.len()).expect("a message fits a packet"));
    }

    /// The messages, oldest first.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[..];
        self.lengths.iter().map(move |length| {
            let (message, after) = rest.split_at(*length as usize);
            rest = after;
            message
        })
    }
}

impl Retry {
    /// The wait after `count` repetitions: doubling, with a quarter of jitter either way.
    pub(crate) fn wait(first: Duration, count: u8, random: u32) -> Duration {
        let base = first.saturating_mul(1 << count.min(16));
        let jitter = f64::from(random) / f64::from(u32::MAX) / 2.0 + 0.75;
        base.mul_f64(jitter)
    }
}

impl Channel {
    pub(crate) fn new(
        connection: ConnectionHandle,
        id: ChannelId,
        role: Role,
        now: Time,
    ) -> Channel {
        Channel {
            connection,
            id,
            role,
            capabilities: Capabilities::default(),
            handshake: Handshake::Done,
            outbox: Outbox::default(),
            inbox: None,
            stats: ChannelStats::default(),
            last_active: now,
            pinged_at: now,
            is_ping_waiting: false,
            timer: None,
            is_ready: false,
            is_delayed: false,
            wants_writable: false,
            is_blocked: false,
            is_closing: false,
        }
    }

    /// Whether messages can flow.
    pub(crate) fn is_established(&self) -> bool {
        match self.handshake {
            Handshake::Pending(_) => false,
            Handshake::Finalizing(_) | Handshake::Done => true,
        }
    }

    /// When something is due if nothing else happens; `heard` is when anything last came from the
    /// peer.
    pub(crate) fn deadline(&self, config: &NodeConfig, heard: Time) -> Option<Time> {
        if config.profile == Profile::Reference {
            return None;
        }
        match &self.handshake {
            Handshake::Pending(pending) => Some(pending.retry.at),
            Handshake::Finalizing(retry) => Some(retry.at),
            Handshake::Done => {
                let idle = after(self.idle_since(config, heard), config.idle_timeout);
                let quiet_since = self.last_active.min(heard).max(self.pinged_at);
                let keep_alive = after(quiet_since, config.keep_alive);
                idle.into_iter().chain(keep_alive).min()
            }
        }
    }

    /// Since when the channel is idle. With keep-alives the peer has been asked, so only its word
    /// counts; without, what we send counts too: a peer of few words is no dead one.
    pub(crate) fn idle_since(&self, config: &NodeConfig, heard: Time) -> Time {
        if config.keep_alive.is_zero() { self.last_active } else { heard }
    }

    /// Bytes of messages that wait to leave, envelopes included.
    pub(crate) fn queued_bytes(&self) -> usize {
        let early = match &self.handshake {
            Handshake::Pending(pending) => pending.early.as_ref().map_or(0, |e| e.bytes.len()),
            Handshake::Finalizing(_) | Handshake::Done => 0,
        };
        self.outbox.bytes() + early
    }

    /// Messages or packets that wait to leave.
    pub(crate) fn queued_packets(&self) -> usize {
        let early = match &self.handshake {
            Handshake::Pending(pending) => pending.early.as_ref().map_or(0, |e| e.lengths.len()),
            Handshake::Finalizing(_) | Handshake::Done => 0,
        };
        self.outbox.packets() + early
    }
}

/// `span` after `from`; a zero span means never. So does the end of the clock: what is due there
/// would be due again as soon as it is done.
fn after(from: Time, span: Duration) -> Option<Time> {
    let end = Time::from_nanos(u64::MAX);
    Some(from + span).filter(|due| !span.is_zero() && *due < end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_double_and_jitter_by_a_quarter() {
        let first = Duration::from_millis(200);
        for count in 0..6 {
            let base = first * (1 << count);
            for random in [0, u32::MAX / 2, u32::MAX] {
                let wait = Retry::wait(first, count, random);
                assert!(wait >= base.mul_f64(0.75) && wait <= base.mul_f64(1.25), "{wait:?}");
            }
        }
    }
}
