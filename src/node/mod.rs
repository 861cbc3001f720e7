//! The sans-IO node: what every program sees of the protocols behind one UDP port.

mod admission;
mod attempts;
mod commands;
mod demux;
mod dial;
mod duel;
mod endpoint;
mod identify;
mod inbound;
mod reference;
mod reply;
mod reset;
mod table;

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use crate::bans::Bans;
use crate::config::{ChannelConfig, Legacy, NodeConfig, Profile, SendOptions};
use crate::crypto::{Identity, KeyLog};
use crate::error::Error;
use crate::id::{ChannelHandle, ConnectionHandle, PeerId, Version};
pub use crate::info::{ChannelInfo, CloseReason, ConnectionInfo, Dial, Received};
use crate::io::{Event, EventQueue, Receive, SendError, Transmit, canonical};
pub use crate::stats::{ChannelStats, ConnectionStats, DropReason, EcnState, NodeStats};
use crate::time::Time;
use crate::v0;
use demux::Kind;
use endpoint::Endpoint;

/// A node: see the law of the loop at the top of the crate.
#[derive(Debug)]
pub struct Node {
    /// Protocol v0, if it is served.
    v0: Option<v0::Endpoint>,
    /// Protocol v1, if it is.
    v1: Option<Endpoint>,
    /// Whose transmits are asked for first next time.
    turn: Version,
    /// Counters of what belongs to no protocol.
    loose: NodeStats,
}

impl Node {
    /// Makes a node. `seed` is 32 bytes of the system's randomness (in `sim`: of the test's seed).
    /// `identity` is the node's key; it may be missing only with `Legacy::Only`. Its peer id takes
    /// the place of `config.peer_id`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a setting out of its range (`NodeConfig::check` says which), for a
    /// missing identity, and for the profile of the reference without `Legacy::Only`.
    pub fn new(
        mut config: NodeConfig,
        identity: Option<Identity>,
        seed: [u8; 32],
        now: Time,
    ) -> Result<Node, Error> {
        config.check()?;
        let is_plain = config.legacy == Legacy::Only;
        if !is_plain && (identity.is_none() || config.profile == Profile::Reference) {
            return Err(Error::InvalidArgument);
        }
        if let Some(identity) = &identity {
            config.peer_id = identity.peer_id();
        }
        let v0 = match config.legacy {
            Legacy::Off => None,
            Legacy::Accept | Legacy::Only => Some(v0::Endpoint::new(config.clone(), seed, now)?),
        };
        let v1 = identity
            .filter(|_| !is_plain)
            .map(|identity| Endpoint::new(config, identity, seed, now));
        Ok(Node { v0, v1, turn: Version::V1, loose: NodeStats::default() })
    }

    /// Takes one buffer of datagrams from one sender. Lent messages are ranges of `data`, in which
    /// packets are opened in place.
    ///
    /// Nothing in `data` is trusted; what is no use is dropped and counted by reason.
    pub fn handle_datagram(&mut self, now: Time, from: &Receive, data: &mut [u8]) {
        let mut start = 0;
        while start < data.len() {
            let (kind, run) = next_run(from, data, start);
            start = run.end;
            match (kind, &mut self.v1) {
                (Kind::Long | Kind::Short, Some(v1)) => {
                    v1.handle_datagrams(now, from, data, run, kind);
                }
                _ => self.handle_plain(now, from, data, kind, run),
            }
        }
    }

    /// As `handle_datagram`, for bytes that must stay as they are. Returns false, and has done
    /// nothing, when some are to be opened in place: copy them and call `handle_datagram`.
    pub fn handle_const_datagram(&mut self, now: Time, from: &Receive, data: &[u8]) -> bool {
        let is_sealed = |kind| matches!(kind, Kind::Long | Kind::Short);
        let mut datagrams = data.chunks(from.stride.max(1));
        if self.v1.is_some() && datagrams.any(|datagram| is_sealed(Kind::of(datagram))) {
            return false;
        }
        let mut start = 0;
        while start < data.len() {
            let (kind, run) = next_run(from, data, start);
            start = run.end;
            self.handle_plain(now, from, data, kind, run);
        }
        true
    }

    /// Does what is due at `now`: retries, keep-alives, timeouts.
    pub fn handle_timeout(&mut self, now: Time) {
        if let Some(v0) = &mut self.v0 {
            v0.handle_timeout(now);
        }
        if let Some(v1) = &mut self.v1 {
            v1.handle_timeout(now);
        }
    }

    /// When `handle_timeout` and `poll_transmit` want to be called next, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Time> {
        let v0 = self.v0.as_ref().and_then(v0::Endpoint::poll_timeout);
        let v1 = self.v1.as_ref().and_then(Endpoint::poll_timeout);
        v0.into_iter().chain(v1).min()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        let v1 = self.v1.as_mut().and_then(|v1| v1.events_mut().pop_front());
        v1.or_else(|| self.v0.as_mut()?.poll_event())
    }

    /// Takes back buffers that `Event::Assembled` gave away, to be used again; those that are of no
    /// use go. Leaves `buffers` empty.
    pub fn recycle(&mut self, buffers: &mut Vec<Vec<u8>>) {
        match &mut self.v1 {
            Some(v1) => buffers.drain(..).for_each(|buffer| v1.recycle(buffer)),
            None => buffers.clear(),
        }
    }

    /// Moves all that `poll_event` has to the back of `events`.
    pub fn take_events(&mut self, events: &mut EventQueue) {
        if let Some(v1) = &mut self.v1 {
            events.append(v1.events_mut());
        }
        if let Some(v0) = &mut self.v0 {
            v0.take_events(events);
        }
    }

    /// Whether `poll_transmit` may have something right now, without waiting for company.
    pub fn has_transmits(&self) -> bool {
        self.v0.as_ref().is_some_and(v0::Endpoint::has_transmits)
            || self.v1.as_ref().is_some_and(Endpoint::has_transmits)
    }

    /// Whether a handshake of v1 is under way, so that a packet may come soon.
    pub fn has_handshakes(&self) -> bool {
        self.v1.as_ref().is_some_and(Endpoint::has_handshakes)
    }

    /// Whether `poll_event` has something.
    pub fn has_events(&self) -> bool {
        self.v0.as_ref().is_some_and(v0::Endpoint::has_events)
            || self.v1.as_ref().is_some_and(Endpoint::has_events)
    }

    /// The next datagrams to send, as the first `len` bytes of `buf`.
    ///
    /// `buf` may be swapped for another buffer: that hands packets over without a copy. Its length
    /// is then whatever the other one had; pass it again as it is.
    pub fn poll_transmit(&mut self, now: Time, buf: &mut Vec<u8>) -> Option<Transmit> {
        for _ in 0..2 {
            // The versions take turns while both have something.
            let (transmit, other) = match self.turn {
                Version::V0 => {
                    let v0 = self.v0.as_mut();
                    (v0.and_then(|v0| v0.poll_transmit(now, buf)), Version::V1)
                }
                Version::V1 => {
                    let v1 = self.v1.as_mut();
                    (v1.and_then(|v1| v1.poll_transmit(now, buf)), Version::V0)
                }
            };
            self.turn = other;
            if transmit.is_some() {
                return transmit;
            }
        }
        None
    }

    /// Tells that a transmit failed. v0 sends nothing twice: its messages are lost.
    pub fn handle_send_error(&mut self, now: Time, transmit: &Transmit, error: SendError) {
        let Some(connection) = transmit.connection else { return };
        match connection.0.version() {
            Version::V0 => {
                if let Some(v0) = &mut self.v0 {
                    v0.handle_send_error(now, transmit, error);
                }
            }
            Version::V1 => {
                if let Some(v1) = &mut self.v1 {
                    v1.handle_send_error(now, transmit, error);
                }
            }
        }
    }

    /// Tells what the interface takes on the way of a transmit, in bytes of UDP payload: v1 never
    /// sends more there. For transmits that failed as too large, where the system says so.
    pub fn limit_packet_size(&mut self, now: Time, transmit: &Transmit, packet_size: usize) {
        let Some(connection) = transmit.connection else { return };
        match (connection.0.version(), &mut self.v1) {
            (Version::V1, Some(v1)) => v1.limit_packet_size(now, transmit, packet_size),
            (Version::V1 | Version::V0, _) => {}
        }
    }

    /// Datagrams that one transmit may hold from now on (1 to `BATCH_SEGMENTS_MAX`).
    pub fn set_segments_max(&mut self, segments: usize) {
        if let Some(v0) = &mut self.v0 {
            v0.set_segments_max(segments);
        }
        if let Some(v1) = &mut self.v1 {
            v1.set_segments_max(segments);
        }
    }

    /// Gives the secrets of all v1 handshakes from now on to `key_log`, for debuggers. A second one
    /// changes nothing.
    pub fn set_key_log(&mut self, key_log: KeyLog) {
        if let Some(v1) = &self.v1 {
            v1.set_key_log(key_log);
        }
    }

    /// The settings in force.
    pub fn config(&self) -> &NodeConfig {
        let v0 = self.v0.as_ref().map(v0::Endpoint::config);
        v0.or(self.v1.as_ref().map(Endpoint::config)).expect("a node serves a version")
    }

    /// The connection to a peer: the one there is, or a new one.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for our own peer id, or none in v0; `InvalidAddress` for port 0 or an
    /// unspecified address; `Banned`; `Limit` when the table is full; `Unsupported` when the node
    /// does not serve that version (`legacy`); `State` while the connection with that peer is being
    /// closed (v1).
    pub fn connect(&mut self, now: Time, dial: &Dial) -> Result<ConnectionHandle, Error> {
        match dial.version {
            Version::V0 => {
                let v0 = self.v0.as_mut().ok_or(Error::Unsupported)?;
                let peer = dial.peer.ok_or(Error::InvalidArgument)?;
                v0.connect(now, peer, dial.address, dial.local)
            }
            Version::V1 => self.v1.as_mut().ok_or(Error::Unsupported)?.connect(now, dial),
        }
    }

    /// Says yes to a `ConnectionRequest`.
    ///
    /// # Errors
    ///
    /// `State` when it was answered already, `InvalidReference` when it is gone.
    pub fn accept(&mut self, now: Time, connection: ConnectionHandle) -> Result<(), Error> {
        match connection.0.version() {
            Version::V0 => self.v0_of()?.accept(now, connection),
            Version::V1 => self.v1_of()?.accept(now, connection),
        }
    }

    /// Says no to a `ConnectionRequest`. No event follows. A v1 peer is told; what a v0 peer
    /// repeats from there is dropped for a while (`REFUSAL`).
    ///
    /// # Errors
    ///
    /// As `accept`.
    pub fn refuse(&mut self, now: Time, connection: ConnectionHandle) -> Result<(), Error> {
        match connection.0.version() {
            Version::V0 => self.v0_of()?.refuse(now, connection),
            Version::V1 => self.v1_of()?.refuse(now, connection),
        }
    }

    /// Sends what is queued, then ends the connection and its channels; those still opening are
    /// dropped. A v1 peer is told `reason`; v0 has no message for it: the peer sees an idle
    /// timeout.
    ///
    /// # Errors
    ///
    /// `InvalidReference`.
    pub fn close_connection(
        &mut self,
        now: Time,
        connection: ConnectionHandle,
        reason: CloseReason,
    ) -> Result<(), Error> {
        match connection.0.version() {
            Version::V0 => self.v0_of()?.close_connection(now, connection),
            Version::V1 => self.v1_of()?.close_connection(now, connection, reason),
        }
    }

    /// Asks for new keys on a connection; the protocol also does so by itself. v0 has none.
    ///
    /// # Errors
    ///
    /// `InvalidReference`, `Unsupported` in v0, `State` before the connection is confirmed.
    pub fn update_keys(&mut self, now: Time, connection: ConnectionHandle) -> Result<(), Error> {
        match connection.0.version() {
            Version::V0 => {
                self.connection_info(connection)?;
                Err(Error::Unsupported)
            }
            Version::V1 => self.v1_of()?.update_keys(now, connection),
        }
    }

    /// Starts opening a channel; `ChannelOpened` or `ChannelClosed` follows. Messages sent before
    /// that wait, and leave with the handshake's last packet.
    ///
    /// # Errors
    ///
    /// `InvalidReference`, `Limit` when a table of channels is full, `State` before `accept`,
    /// `InvalidArgument` for a label, priority or weight out of its range.
    pub fn open_channel(
        &mut self,
        now: Time,
        connection: ConnectionHandle,
        config: &ChannelConfig,
    ) -> Result<ChannelHandle, Error> {
        match connection.0.version() {
            Version::V0 => self.v0_of()?.open_channel(now, connection, config),
            Version::V1 => self.v1_of()?.open_channel(now, connection, config),
        }
    }

    /// Sends what is queued, then ends the channel; `ChannelClosed` follows. One that is still
    /// opening and has messages to send first opens.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `Closed` when it is closing already.
    pub fn close_channel(&mut self, now: Time, channel: ChannelHandle) -> Result<(), Error> {
        match channel.0.version() {
            Version::V0 => self.v0_with()?.close_channel(now, channel),
            Version::V1 => self.v1_with()?.close_channel(now, channel),
        }
    }

    /// Ends the channel at once, in both directions; what was not sent or read is lost. A v1 peer
    /// is told `reason`; in v0 this is `close_channel`.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`.
    pub fn reset_channel(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        reason: CloseReason,
    ) -> Result<(), Error> {
        match channel.0.version() {
            Version::V0 => self.v0_with()?.close_channel(now, channel),
            Version::V1 => self.v1_with()?.reset_channel(now, channel, reason),
        }
    }

    /// Sets when messages of ours on a channel are given up, as `ChannelConfig` does for one that
    /// we open: `resend_limit` of all that were not, `message_lifetime` of those sent from now on.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `Closed` (its connection ended), `InvalidArgument` (a `resend_limit`
    /// without RESEND), `Unsupported` (v0).
    pub fn set_channel_limits(
        &mut self,
        channel: ChannelHandle,
        resend_limit: u32,
        message_lifetime: Duration,
    ) -> Result<(), Error> {
        match channel.0.version() {
            Version::V0 => self.v0_with()?.channel_info(channel).and(Err(Error::Unsupported)),
            Version::V1 => {
                self.v1_with()?.set_channel_limits(channel, resend_limit, message_lifetime)
            }
        }
    }

    /// Queues a message for sending.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`; `InvalidArgument` for an empty message; `Write` for one that no packet
    /// of the path takes (v0); `TooLarge` for one that the peer does not take, or that the queue
    /// can never hold (v1); `WouldBlock` when a queue is full (`Writable` follows); `Closed` when
    /// the channel is closing; `State` before `accept`.
    pub fn send(&mut self, now: Time, channel: ChannelHandle, message: &[u8]) -> Result<(), Error> {
        match channel.0.version() {
            Version::V0 => self.v0_with()?.send(now, channel, message),
            Version::V1 => self.v1_with()?.send(now, channel, message),
        }
    }

    /// Queues messages on a channel, in order, each as `send` does: what costs least for many small
    /// ones. How many were taken, and why the next one was not.
    #[inline]
    pub fn send_many<'a>(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        messages: impl IntoIterator<Item = &'a [u8]>,
    ) -> (usize, Result<(), Error>) {
        let mut messages = messages.into_iter();
        match channel.0.version() {
            Version::V0 => {
                let mut taken = 0;
                let result = messages.try_for_each(|message| {
                    self.v0_with()?.send(now, channel, message)?;
                    taken += 1;
                    Ok(())
                });
                (taken, result)
            }
            Version::V1 => match self.v1_with() {
                Ok(v1) => v1.send_many(now, channel, messages),
                Err(error) => (0, messages.next().map_or(Ok(()), |_| Err(error))),
            },
        }
    }

    /// As `send`, with a say in how long the message is worth sending, whether its fate is
    /// reported, and whether it may leave before the handshake is done.
    ///
    /// # Errors
    ///
    /// As `send`; `Unsupported` for a lifetime or a report in v0, which knows no fates.
    pub fn send_with(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        message: &[u8],
        options: &SendOptions,
    ) -> Result<(), Error> {
        match channel.0.version() {
            Version::V0 => {
                let v0 = self.v0_with()?;
                if options.lifetime.is_some() || options.report.is_some() {
                    return Err(Error::Unsupported);
                }
                v0.send(now, channel, message)
            }
            Version::V1 => self.v1_with()?.send_with(now, channel, message, options),
        }
    }

    /// As `send`, for a message that does no harm when it is delivered twice: with a ticket of the
    /// peer from an earlier connection it leaves before the handshake is done.
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_early(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        message: &[u8],
    ) -> Result<(), Error> {
        let options = SendOptions { may_replay: true, ..SendOptions::default() };
        self.send_with(now, channel, message, &options)
    }

    /// Bytes of the message that `receive` would read next, or of what is left of it.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `DataUnavailable` when nothing waits.
    pub fn next_message_bytes(&self, channel: ChannelHandle) -> Result<usize, Error> {
        match channel.0.version() {
            Version::V0 => {
                self.v0.as_ref().ok_or(Error::InvalidChannelId)?.next_message_bytes(channel)
            }
            Version::V1 => {
                self.v1.as_ref().ok_or(Error::InvalidChannelId)?.next_message_bytes(channel)
            }
        }
    }

    /// Reads the oldest message, or the rest of one.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `DataUnavailable` when nothing waits.
    pub fn receive(
        &mut self,
        now: Time,
        channel: ChannelHandle,
        out: &mut [u8],
    ) -> Result<Received, Error> {
        match channel.0.version() {
            Version::V0 => self.v0_with()?.receive(channel, out),
            Version::V1 => self.v1_with()?.receive(now, channel, out),
        }
    }

    /// Bans a peer id for `span` from now, and closes its connection.
    ///
    /// # Errors
    ///
    /// `Limit` when `BANS_MAX` peers are banned.
    pub fn ban_peer(&mut self, now: Time, peer: PeerId, span: Duration) -> Result<(), Error> {
        if let Some(v0) = &mut self.v0 {
            v0.ban_peer(now, peer, span)?;
        }
        match &mut self.v1 {
            Some(v1) => v1.ban_peer(now, peer, span),
            None => Ok(()),
        }
    }

    /// Bans an IP address for `span` from now, and closes the connections that are there.
    ///
    /// # Errors
    ///
    /// `Limit` when `BANS_MAX` addresses are banned.
    pub fn ban_address(&mut self, now: Time, ip: IpAddr, span: Duration) -> Result<(), Error> {
        if let Some(v0) = &mut self.v0 {
            v0.ban_address(now, ip, span)?;
        }
        match &mut self.v1 {
            Some(v1) => v1.ban_address(now, ip, span),
            None => Ok(()),
        }
    }

    /// Who is banned.
    pub(crate) fn bans(&self) -> Option<&Bans> {
        let of_v0 = self.v0.as_ref().map(v0::Endpoint::bans);
        self.v1.as_ref().map(|v1| &v1.bans).or(of_v0)
    }

    /// Lifts a ban; whether there was one.
    pub fn lift_ban_peer(&mut self, peer: PeerId) -> bool {
        let v0 = self.v0.as_mut().is_some_and(|v0| v0.lift_ban_peer(peer));
        let v1 = self.v1.as_mut().is_some_and(|v1| v1.lift_ban_peer(peer));
        v0 || v1
    }

    /// Lifts a ban; whether there was one.
    pub fn lift_ban_address(&mut self, ip: IpAddr) -> bool {
        let v0 = self.v0.as_mut().is_some_and(|v0| v0.lift_ban_address(ip));
        let v1 = self.v1.as_mut().is_some_and(|v1| v1.lift_ban_address(ip));
        v0 || v1
    }

    /// Counters of the node.
    pub fn stats(&self) -> NodeStats {
        let mut stats = self.loose.clone();
        if let Some(v0) = &self.v0 {
            stats.add(&v0.stats());
        }
        if let Some(v1) = &self.v1 {
            stats.add(&v1.stats());
        }
        stats
    }

    /// Counters of a connection.
    ///
    /// # Errors
    ///
    /// `InvalidReference`.
    pub fn connection_stats(&self, connection: ConnectionHandle) -> Result<ConnectionStats, Error> {
        match connection.0.version() {
            Version::V0 => {
                self.v0.as_ref().ok_or(Error::InvalidReference)?.connection_stats(connection)
            }
            Version::V1 => {
                self.v1.as_ref().ok_or(Error::InvalidReference)?.connection_stats(connection)
            }
        }
    }

    /// Counters of a channel.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`.
    pub fn channel_stats(&self, channel: ChannelHandle) -> Result<ChannelStats, Error> {
        match channel.0.version() {
            Version::V0 => self.v0.as_ref().ok_or(Error::InvalidChannelId)?.channel_stats(channel),
            Version::V1 => self.v1.as_ref().ok_or(Error::InvalidChannelId)?.channel_stats(channel),
        }
    }

    /// What a connection is.
    ///
    /// # Errors
    ///
    /// `InvalidReference`.
    pub fn connection_info(&self, connection: ConnectionHandle) -> Result<ConnectionInfo, Error> {
        match connection.0.version() {
            Version::V0 => {
                self.v0.as_ref().ok_or(Error::InvalidReference)?.connection_info(connection)
            }
            Version::V1 => {
                self.v1.as_ref().ok_or(Error::InvalidReference)?.connection_info(connection)
            }
        }
    }

    /// What a channel is.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`.
    pub fn channel_info(&self, channel: ChannelHandle) -> Result<ChannelInfo, Error> {
        match channel.0.version() {
            Version::V0 => self.v0.as_ref().ok_or(Error::InvalidChannelId)?.channel_info(channel),
            Version::V1 => self.v1.as_ref().ok_or(Error::InvalidChannelId)?.channel_info(channel),
        }
    }

    /// What needs no key: v0, and what belongs to no protocol.
    fn handle_plain(
        &mut self,
        now: Time,
        from: &Receive,
        data: &[u8],
        kind: Kind,
        run: Range<usize>,
    ) {
        match (kind, &mut self.v0) {
            (Kind::V0, Some(v0)) => v0.handle_datagrams(now, from, data, run),
            (Kind::V0, None) => self.drop_run(from, run, DropReason::LegacyOff),
            (Kind::Long | Kind::Short | Kind::Other, _) => self.lend_raw(now, from, run),
        }
    }

    /// Datagrams of no protocol of ours are the application's, if it wants them.
    fn lend_raw(&mut self, now: Time, from: &Receive, run: Range<usize>) {
        let address = canonical(from.from);
        let is_banned = self.v0.as_ref().is_some_and(|v0| v0.has_banned(now, address.ip()))
            || self.v1.as_ref().is_some_and(|v1| v1.has_banned(now, address.ip()));
        if is_banned {
            return self.drop_run(from, run, DropReason::Banned);
        }
        if !self.config().raw_datagrams {
            return self.drop_run(from, run, DropReason::UnknownProtocol);
        }
        let events_max = self.config().events_max;
        for start in run.clone().step_by(from.stride.max(1)) {
            let one = start..(start + from.stride.max(1)).min(run.end);
            let waiting = match (&mut self.v1, &mut self.v0) {
                (Some(v1), _) => v1.events_mut().len(),
                (None, Some(v0)) => v0.events_mut().len(),
                (None, None) => return,
            };
            if waiting >= events_max {
                self.drop_run(from, one, DropReason::EventQueueFull);
                continue;
            }
            let event = Event::Datagram { from: address, bytes: one.clone() };
            match (&mut self.v1, &mut self.v0) {
                (Some(v1), _) => v1.events_mut().push_back(event),
                (None, Some(v0)) => v0.events_mut().push_back(event),
                (None, None) => return,
            }
            self.loose.datagrams_received += 1;
            self.loose.bytes_received += one.len() as u64;
        }
    }

    fn drop_run(&mut self, from: &Receive, run: Range<usize>, reason: DropReason) {
        let count = run.len().div_ceil(from.stride.max(1)) as u64;
        self.loose.datagrams_received += count;
        self.loose.bytes_received += run.len() as u64;
        self.loose.dropped[reason as usize] += count;
    }

    fn v0_of(&mut self) -> Result<&mut v0::Endpoint, Error> {
        self.v0.as_mut().ok_or(Error::InvalidReference)
    }

    fn v1_of(&mut self) -> Result<&mut Endpoint, Error> {
        self.v1.as_mut().ok_or(Error::InvalidReference)
    }

    fn v0_with(&mut self) -> Result<&mut v0::Endpoint, Error> {
        self.v0.as_mut().ok_or(Error::InvalidChannelId)
    }

    fn v1_with(&mut self) -> Result<&mut Endpoint, Error> {
        self.v1.as_mut().ok_or(Error::InvalidChannelId)
    }
}

/// The datagrams from `start` on that are of one kind, back to back.
fn next_run(from: &Receive, data: &[u8], start: usize) -> (Kind, Range<usize>) {
    let stride = from.stride.max(1);
    let kind = Kind::of(&data[start..]);
    let first = data[start..].first_chunk::<{ Kind::BYTES }>();
    // Mostly they begin with the same bytes.
    let is_alike = |data: &[u8]| first.is_some() && data.first_chunk() == first;
    let mut end = start + stride;
    while end < data.len() && (is_alike(&data[end..]) || Kind::of(&data[end..]) == kind) {
        end += stride;
    }
    (kind, start..end.min(data.len()))
}
