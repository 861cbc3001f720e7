//! What the application asks of the v1 half of a node.

use std::iter;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::endpoint::Endpoint;
use crate::channel::Opening;
use crate::config::{ChannelConfig, LABEL_BYTES_MAX, SendOptions};
use crate::error::Error;
use crate::id::{ChannelHandle, ChannelId, ConnectionHandle, PeerId, Version};
use crate::info::{ChannelInfo, CloseReason, ConnectionInfo, Received};
use crate::io::canonical;
use crate::stats::{ChannelStats, ConnectionStats, NodeStats};
use crate::time::Time;

impl Endpoint {
    pub(super) fn close_connection(
        &mut self,
        now: Time,
        handle: ConnectionHandle,
        reason: CloseReason,
    ) -> Result<(), Error> {
        let member = self.table.live_mut(handle)?;
        member.connection.close(&mut self.shared, now, reason);
        self.settle(now, handle);
        Ok(())
    }

    pub(super) fn update_keys(&mut self, now: Time, handle: ConnectionHandle) -> Result<(), Error> {
        let member = self.table.live_mut(handle)?;
        let result = member.connection.update_keys(&mut self.shared);
        self.settle(now, handle);
        result
    }

    /// On a connection that does not stay no channel begins any more: it begins on the one that
    /// does.
    // spec: 7.14 both sides dial
    pub(super) fn open_channel(
        &mut self,
        now: Time,
        handle: ConnectionHandle,
        config: &ChannelConfig,
    ) -> Result<ChannelHandle, Error> {
        let is_good =
            config.label.len() <= LABEL_BYTES_MAX && config.priority <= 7 && config.weight >= 1;
        if !is_good {
            return Err(Error::InvalidArgument);
        }
        let member = self.table.live(handle)?;
        let peer = member.connection.peer.filter(|_| member.is_superseded);
        let handle = peer.and_then(|peer| self.table.by_peer(peer)).unwrap_or(handle);
        let member = self.table.live_mut(handle)?;
        let result = member.connection.open_channel(&mut self.shared, config);
        self.settle(now, handle);
        result
    }

    pub(super) fn close_channel(&mut self, now: Time, channel: ChannelHandle) -> Result<(), Error> {
        if self.shared.is_orphan(channel) {
            self.shared.end_orphan(channel);
            return Ok(());
        }
        let handle = self.shared.channel(channel)?.connection;
        let member = self.table.live_mut(handle)?;
        let result = member.connection.close_channel(&mut self.shared, channel);
        self.settle(now, handle);
        result
    }

    pub(super) fn reset_channel(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        reason: CloseReason,
    ) -> Result<(), Error> {
        if self.shared.is_orphan(channel) {
            self.shared.end_orphan(channel);
            return Ok(());
        }
        let handle = self.shared.channel(channel)?.connection;
        let member = self.table.live_mut(handle)?;
        let result = member.connection.reset_channel(&mut self.shared, now, channel, reason);
        self.settle(now, handle);
        result
    }

    pub(super) fn set_channel_limits(
        &mut self,
        channel: ChannelHandle,
        resend_limit: u32,
        message_lifetime: Duration,
    ) -> Result<(), Error> {
        if self.shared.is_orphan(channel) {
            return Err(Error::Closed);
        }
        let channel = self.shared.channel_mut(channel)?;
        if resend_limit != u32::MAX && !channel.resends() {
            return Err(Error::InvalidArgument);
        }
        (channel.resend_limit, channel.message_lifetime) = (resend_limit, message_lifetime);
        Ok(())
    }

    pub(super) fn send(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        message: &[u8],
    ) -> Result<(), Error> {
        if self.shared.send_alike(channel, &mut iter::once(message).peekable()) == 1 {
            return Ok(());
        }
        self.send_any(now, channel, message)
    }

    /// As `send` each; how many were taken, and why the next one was not.
    #[inline]
    pub(super) fn send_many<'a>(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        messages: impl Iterator<Item = &'a [u8]>,
    ) -> (usize, Result<(), Error>) {
        let mut messages = messages.peekable();
        let mut taken = 0;
        loop {
            taken += self.shared.send_alike(channel, &mut messages);
            let Some(message) = messages.next() else { return (taken, Ok(())) };
            if let Err(error) = self.send_any(now, channel, message) {
                return (taken, Err(error));
            }
            taken += 1;
        }
    }

    #[inline(never)]
    fn send_any(&mut self, now: Time, channel: ChannelHandle, message: &[u8]) -> Result<(), Error> {
        if self.shared.is_orphan(channel) {
            return Err(Error::Closed);
        }
        let handle = self.shared.channel(channel)?.connection;
        let member = self.table.live_mut(handle)?;
        let result = member.connection.send(&mut self.shared, now, channel, message);
        // What is queued changes no timer until it is taken, and then the timer is set.
        if !self.shared.notices.is_empty() {
            self.settle(now, handle);
        }
        result
    }

    pub(super) fn send_with(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        message: &[u8],
        options: &SendOptions,
    ) -> Result<(), Error> {
        if self.shared.is_orphan(channel) {
            return Err(Error::Closed);
        }
        let handle = self.shared.channel(channel)?.connection;
        let member = self.table.live_mut(handle)?;
        let result = member.connection.send_with(&mut self.shared, now, channel, message, options);
        self.settle(now, handle);
        result
    }

    pub(super) fn next_message_bytes(&self, channel: ChannelHandle) -> Result<usize, Error> {
        let channel = self.shared.channel(channel)?;
        let inbox = channel.inbox.as_ref().ok_or(Error::DataUnavailable)?;
        inbox.next_bytes().ok_or(Error::DataUnavailable)
    }

    pub(super) fn receive(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        out: &mut [u8],
    ) -> Result<Received, Error> {
        if self.shared.is_orphan(channel) {
            return self.shared.receive_orphan(channel, out);
        }
        let handle = self.shared.channel(channel)?.connection;
        let member = self.table.live_mut(handle).map_err(|_| Error::InvalidChannelId)?;
        let result = member.connection.receive(&mut self.shared, now, channel, out);
        // As for `send`.
        if !self.shared.notices.is_empty() {
            self.settle(now, handle);
        }
        result
    }

    pub(super) fn ban_peer(
        &mut self,
        now: Time,
        peer: PeerId,
        span: Duration,
    ) -> Result<(), Error> {
        self.bans.ban_peer(now, peer, now + span)?;
        self.end_banned(now, |other, _| other == Some(peer));
        Ok(())
    }

    pub(super) fn ban_address(
        &mut self,
        now: Time,
        ip: IpAddr,
        span: Duration,
    ) -> Result<(), Error> {
        let ip = canonical(SocketAddr::new(ip, 0)).ip();
        self.bans.ban_address(now, ip, now + span)?;
        self.end_banned(now, |_, address| address.ip() == ip);
        Ok(())
    }

    pub(super) fn lift_ban_peer(&mut self, peer: PeerId) -> bool {
        self.bans.lift_peer(peer)
    }

    pub(super) fn lift_ban_address(&mut self, ip: IpAddr) -> bool {
        self.bans.lift_address(canonical(SocketAddr::new(ip, 0)).ip())
    }

    pub(super) fn stats(&self) -> NodeStats {
        NodeStats {
            connections: self.table.open() as u64,
            send_queue_bytes: self.shared.send_queue_bytes as u64,
            ..self.shared.stats.clone()
        }
    }

    pub(super) fn connection_stats(
        &self,
        handle: ConnectionHandle,
    ) -> Result<ConnectionStats, Error> {
        let connection = &self.table.live(handle)?.connection;
        let channels = connection.channel_count() as u64;
        let (send_queue_bytes, receive_queue_bytes) = connection.queued_bytes(&self.shared);
        Ok(ConnectionStats {
            channels,
            send_queue_bytes,
            receive_queue_bytes,
            ..connection.stats()
        })
    }

    pub(super) fn channel_stats(&self, channel: ChannelHandle) -> Result<ChannelStats, Error> {
        let channel = self.shared.channel(channel)?;
        let counts = &channel.counts;
        Ok(ChannelStats {
            messages_sent: counts.messages_sent,
            bytes_sent: counts.bytes_sent,
            messages_received: counts.messages_received,
            bytes_received: counts.bytes_received,
            // Flow control leaves nothing to drop.
            messages_dropped: 0,
            messages_lost: counts.messages_lost,
            messages_skipped: counts.messages_skipped,
            bytes_resent: counts.bytes_resent,
            send_queue_bytes: channel.queued_bytes() as u64,
            send_queue_messages: channel.queued_packets() as u64,
            receive_queue_bytes: channel.inbox.as_ref().map_or(0, |inbox| inbox.bytes()) as u64
                + channel.receiving.waiting_bytes(),
            receive_credit_bytes: channel.receiving.credit().left(),
            receive_window_bytes: u64::from(channel.receiving.credit().window()),
            send_credit_bytes: channel.sending.limit().saturating_sub(channel.sending.position()),
            receive_queue_messages: channel.inbox.as_ref().map_or(0, |inbox| inbox.len()) as u64,
        })
    }

    pub(super) fn connection_info(
        &self,
        handle: ConnectionHandle,
    ) -> Result<ConnectionInfo, Error> {
        let connection = &self.table.live(handle)?.connection;
        Ok(ConnectionInfo {
            peer: connection.peer.unwrap_or(PeerId([0; PeerId::SIZE])),
            address: connection.remote(),
            observed_address: connection.observed_address(),
            version: Version::V1,
            is_encrypted: connection.is_complete(),
            public_key: connection.public_key,
            is_connected: connection.is_confirmed(),
            packet_message_bytes: connection.packet_message_bytes(),
            message_bytes_max: connection.message_bytes_max(&self.shared.config),
        })
    }

    pub(super) fn channel_info(&self, channel: ChannelHandle) -> Result<ChannelInfo, Error> {
        let channel = self.shared.channel(channel)?;
        Ok(ChannelInfo {
            connection: channel.connection,
            id: ChannelId::from_wire(channel.number.0),
            role: channel.role,
            capabilities: channel.capabilities,
            is_established: channel.opening == Opening::Open,
            label: channel.label.clone(),
            is_early: channel.is_early,
            priority: channel.priority,
            weight: channel.weight,
        })
    }
}
