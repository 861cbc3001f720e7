//! One peer: joins its channels and its path, and speaks protocol v0 with it.

mod handshake;
mod inbound;
mod outbound;
mod output;
mod registry;
mod shared;

use std::net::IpAddr;

pub(crate) use handshake::{Answers, answer_new, is_cookie_good};
pub(crate) use inbound::Inbound;
pub(crate) use output::Source;
pub(crate) use shared::Shared;

use crate::error::Error;
use crate::id::{ChannelHandle, ChannelId, ConnectionHandle, PeerId, Role};
use crate::io::Event;
use crate::stats::ConnectionStats;
use crate::time::Time;
use crate::v0::channel::{Channel, Handshake, Outbox};
use crate::v0::path::Path;
use registry::Registry;

/// A peer, its path and its channels.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) handle: ConnectionHandle,
    pub(crate) peer: PeerId,
    pub(crate) path: Path,
    pub(crate) state: State,
    /// The source prefix that this connection counts against; none when we began it.
    pub(crate) source: Option<IpAddr>,
    /// When anything last came from the peer, from where we send to.
    pub(crate) last_heard: Time,
    /// The half of the NEWs that ask for a sign of life; they open nothing.
    ping_half: Option<u16>,
    /// Since when it has no channel.
    pub(crate) vacant_since: Option<Time>,
    pub(crate) stats: ConnectionStats,
    registry: Registry,
    /// Handshake messages waiting to be sent.
    control: Outbox,
    is_control_scheduled: bool,
}

/// What the application and the peer have said so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// We dialled, and no channel was ever established.
    Dialled,
    /// The peer dialled, and the application has not answered.
    Asked,
    /// A channel was established.
    Connected,
}

impl Connection {
    pub(crate) fn new(
        handle: ConnectionHandle,
        peer: PeerId,
        path: Path,
        state: State,
        now: Time,
    ) -> Connection {
        Connection {
            handle,
            peer,
            path,
            state,
            source: None,
            last_heard: now,
            ping_half: None,
            vacant_since: Some(now),
            stats: ConnectionStats::default(),
            registry: Registry::default(),
            control: Outbox::default(),
            is_control_scheduled: false,
        }
    }

    pub(crate) fn channel_count(&self) -> usize {
        self.registry.len()
    }

    /// Bytes that wait to be sent on its channels, and those that wait to be read.
    pub(crate) fn queued_bytes(&self, shared: &Shared) -> (u64, u64) {
        let channels = self.registry.handles().filter_map(|handle| shared.channels.get(handle.0));
        channels.fold((0, 0), |(sent, received), channel| {
            let waits = channel.inbox.as_ref().map_or(0, |inbox| inbox.bytes());
            (sent + channel.queued_bytes() as u64, received + waits as u64)
        })
    }

    /// The application said yes: reports what was established while it thought.
    pub(crate) fn accept(&mut self, shared: &mut Shared, now: Time) -> Result<(), Error> {
        if self.state != State::Asked {
            return Err(Error::State);
        }
        self.state = State::Connected;
        let event = Event::Connected { connection: self.handle, peer: self.peer };
        shared.events.push_back(event);
        let channels: Vec<ChannelHandle> = self.registry.handles().collect();
        for channel in channels {
            self.send_empty(shared, now, channel);
            let event = Event::ChannelOpened { connection: self.handle, channel, by_peer: true };
            shared.events.push_back(event);
            let inbox = shared.channel(channel)?.inbox.as_ref();
            if inbox.is_some_and(|inbox| !inbox.is_empty()) {
                let event = Event::Readable { connection: self.handle, channel };
                shared.events.push_back(event);
            }
        }
        Ok(())
    }

    /// Makes a channel with the id so far, if the tables have room.
    fn add_channel(
        &mut self,
        shared: &mut Shared,
        now: Time,
        role: Role,
        id: ChannelId,
    ) -> Result<ChannelHandle, Error> {
        let config = &shared.config;
        if self.registry.len() >= config.channels_per_connection_max
            || shared.channels.len() >= config.channels_max
        {
            return Err(Error::Limit);
        }
        let connection = self.handle;
        let handle = shared.channels.insert(|_| Channel::new(connection, id, role, now));
        let handle = ChannelHandle(handle);
        self.registry.insert(role, id, handle);
        self.vacant_since = None;
        shared.stats.channels += 1;
        Ok(handle)
    }

    /// Ends a channel: sends what it has queued, forgets it, and reports why.
    pub(crate) fn end_channel(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        reason: Error,
    ) {
        self.flush_channel(shared, handle);
        self.forget_channel(shared, now, handle);
        if self.state != State::Asked {
            let connection = self.handle;
            let said = None;
            let event = Event::ChannelClosed { connection, channel: handle, reason, said };
            shared.events.push_back(event);
        }
    }

    fn forget_channel(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        let Some(channel) = shared.channels.remove(handle.0) else { return };
        if let Some(timer) = channel.timer {
            shared.timers.remove(&(timer, handle));
        }
        let unread = channel.inbox.as_ref().map_or(0, |inbox| inbox.bytes());
        shared.stats.receive_queue_bytes -= unread as u64;
        shared.output.bytes -= channel.queued_bytes();
        shared.stats.channels -= 1;
        self.registry.remove(channel.role, channel.id.initiator);
        if self.registry.is_empty() {
            self.vacant_since = Some(now);
        }
    }

    /// Ends every channel, and the connection. The node removes it from its tables.
    pub(crate) fn end(&mut self, shared: &mut Shared, now: Time, reason: Error) {
        let channels: Vec<ChannelHandle> = self.registry.handles().collect();
        for channel in channels {
            self.end_channel(shared, now, channel, reason);
        }
        self.flush_control(shared);
        if self.state != State::Asked {
            let (connection, peer) = (self.handle, self.peer);
            let said = None;
            shared.events.push_back(Event::ConnectionClosed { connection, peer, reason, said });
        }
    }

    /// Closes a channel for the application. One that is still opening, with messages to send,
    /// first opens and sends them.
    pub(crate) fn close_channel(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
    ) -> Result<(), Error> {
        let channel = shared.channel_mut(handle)?;
        if channel.is_closing {
            return Err(Error::Closed);
        }
        match &channel.handshake {
            Handshake::Pending(pending) if pending.early.is_some() => channel.is_closing = true,
            Handshake::Pending(_) | Handshake::Finalizing(_) | Handshake::Done => {
                self.end_channel(shared, now, handle, Error::Closed);
            }
        }
        Ok(())
    }

    /// Does what a channel's timer was set for.
    pub(crate) fn handle_channel_timer(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
    ) {
        let Ok(channel) = shared.channel(handle) else { return };
        let is_due = channel
            .deadline(&shared.config, self.last_heard)
            .is_some_and(|deadline| deadline <= now);
        if is_due {
            match channel.handshake {
                Handshake::Pending(_) => self.retry_new(shared, now, handle),
                Handshake::Finalizing(_) => self.retry_finalize(shared, now, handle),
                Handshake::Done => self.handle_silence(shared, now, handle),
            }
        }
        shared.arm(handle, self.last_heard);
    }

    /// Ends a channel that was idle too long; asks for a sign of life before that.
    fn handle_silence(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        let Ok(channel) = shared.channel(handle) else { return };
        let idle_timeout = shared.config.idle_timeout;
        let idle_since = channel.idle_since(&shared.config, self.last_heard);
        if !idle_timeout.is_zero() && now.since(idle_since) >= idle_timeout {
            self.end_channel(shared, now, handle, Error::Idle);
        } else {
            self.ping(shared, now, handle);
        }
    }
}
