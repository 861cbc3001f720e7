//! One channel: its handshake, what waits to be sent, what waits to be read.

mod cookie;
mod inbox;
mod outbox;

use std::time::Duration;

pub(crate) use cookie::{Bound, Cookies, reference_cookie};
pub(crate) use inbox::Inbox;
pub use inbox::Received;
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
    /// Made when the first message is kept: most channels lend theirs.
    pub(crate) inbox: Option<Box<Inbox>>,
    pub(crate) stats: ChannelStats,
    /// When a packet last came or went.
    pub(crate) last_active: Time,
    /// When a packet was last put in the outbox.
    pub(crate) last_sent: Time,
    /// The entry of this channel in the node's timers.
    pub(crate) timer: Option<Time>,
    /// Whether the transmit queue has an entry of this channel.
    pub(crate) is_scheduled: bool,
    /// Whether `send` said `WouldBlock` and no `Writable` followed yet.
    pub(crate) wants_writable: bool,
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
            last_sent: now,
            timer: None,
            is_scheduled: false,
            wants_writable: false,
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

    /// When something is due if nothing else happens.
    pub(crate) fn deadline(&self, config: &NodeConfig) -> Option<Time> {
        if config.profile == Profile::Reference {
            return None;
        }
        match &self.handshake {
            Handshake::Pending(pending) => Some(pending.retry.at),
            Handshake::Finalizing(retry) => Some(retry.at),
            Handshake::Done => {
                let idle = after(self.last_active, config.idle_timeout);
                let keep_alive = after(self.last_sent, config.keep_alive);
                idle.into_iter().chain(keep_alive).min()
            }
        }
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

/// `span` after `from`; a zero span means never.
fn after(from: Time, span: Duration) -> Option<Time> {
    (!span.is_zero()).then(|| from + span)
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
