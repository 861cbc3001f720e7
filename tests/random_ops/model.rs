//! What nodes reported so far, and the invariants that every report must keep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use channeler::id::{ChannelHandle, ChannelId, ConnectionHandle, PeerId};
use channeler::io::Event;
use channeler::node::{DropReason, Node};
use channeler::sim::Happened;
use channeler::time::Time;

/// What one node reported.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) connections: BTreeMap<ConnectionHandle, Connection>,
    pub(crate) channels: BTreeMap<ChannelHandle, Channel>,
    pub(crate) requests: Vec<ConnectionHandle>,
    ended_connections: BTreeSet<ConnectionHandle>,
    ended_channels: BTreeSet<ChannelHandle>,
    /// The channels there ever were, as the wire names them.
    pub(crate) wire_ids: BTreeSet<(PeerId, ChannelId)>,
    /// Channels that ended so early that their wire id was never seen.
    pub(crate) unseen_ids: usize,
    /// The last time something happened that may keep a peer out or cut it off.
    pub(crate) disturbed: Option<Time>,
    limit_drops: u64,
    /// Channels that said `WouldBlock` and owe a `Writable`.
    pub(crate) blocked: BTreeSet<ChannelHandle>,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) peer: Option<PeerId>,
    connected: bool,
}

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) connection: ConnectionHandle,
    /// When we asked for it, or the peer's was reported.
    pub(crate) since: Time,
    pub(crate) id: Option<ChannelId>,
    pub(crate) by_peer: bool,
    pub(crate) opened: bool,
}

impl Model {
    pub(crate) fn connected_to(&mut self, connection: ConnectionHandle, peer: PeerId) {
        self.connections
            .entry(connection)
            .or_insert(Connection { peer: Some(peer), connected: false });
    }

    pub(crate) fn asked_for(
        &mut self,
        connection: ConnectionHandle,
        channel: ChannelHandle,
        now: Time,
    ) -> Result<(), String> {
        if self.ended_channels.contains(&channel) {
            return Err(format!("{channel:?} was used before"));
        }
        let fresh = Channel { connection, since: now, id: None, by_peer: false, opened: false };
        match self.channels.insert(channel, fresh) {
            None => Ok(()),
            Some(_) => Err(format!("{channel:?} was given twice")),
        }
    }

    /// Takes in one event; what contradicts earlier ones is an error.
    pub(crate) fn take(&mut self, happened: &Happened, node: &Node) -> Result<(), String> {
        let event = &happened.event;
        match *event {
            Event::ConnectionRequest { connection, peer, .. } => {
                self.requests.push(connection);
                self.fresh_connection(connection)?;
                self.connections
                    .insert(connection, Connection { peer: Some(peer), connected: false });
            }
            Event::Connected { connection, .. } => self.take_connected(connection, node)?,
            Event::ConnectionClosed { connection, .. } => {
                if let Some((channel, _)) =
                    self.channels.iter().find(|(_, channel)| channel.connection == connection)
                {
                    return Err(format!("{connection:?} ended before its {channel:?}"));
                }
                self.connections
                    .remove(&connection)
                    .ok_or_else(|| format!("{connection:?} ended but never was"))?;
                self.requests.retain(|&request| request != connection);
                self.ended_connections.insert(connection);
            }
            Event::ChannelOpened { connection, channel, by_peer } => {
                self.take_opened(happened.at, connection, channel, by_peer, node)?;
            }
            Event::ChannelClosed { connection, channel, .. } => {
                let ended = self
                    .channels
                    .remove(&channel)
                    .ok_or_else(|| format!("{channel:?} ended but never was"))?;
                if ended.connection != connection {
                    return Err(format!("{channel:?} ended on another connection"));
                }
                self.blocked.remove(&channel);
                self.ended_channels.insert(channel);
            }
            Event::Message { connection, channel, .. }
            | Event::Readable { connection, channel } => {
                self.live(connection, channel, true)?;
            }
            Event::Writable { connection, channel } => {
                self.live(connection, channel, false)?;
                if !self.blocked.remove(&channel) {
                    return Err(format!("{channel:?} is writable again but never was not"));
                }
            }
            Event::PathChanged { connection, .. }
            | Event::PathUnreachable { connection, .. }
            | Event::PacketSizeReduced { connection, .. } => {
                if !self.connections.contains_key(&connection) {
                    return Err(format!("{event:?} of a connection that is not there"));
                }
            }
            Event::Packet { .. } => return Err("the profile is not the reference's".to_owned()),
            Event::MessageDelivered { .. }
            | Event::MessageLost { .. }
            | Event::MessagesSkipped { .. }
            | Event::Assembled { .. } => return Err("v0 knows no fates".to_owned()),
            Event::ChannelFinished { .. } => return Err("half-closing is off".to_owned()),
            Event::Datagram { .. } => return Err("raw datagrams are off".to_owned()),
        }
        Ok(())
    }

    /// What must hold whenever a node was drained.
    pub(crate) fn check(&mut self, node: &Node, now: Time) -> Result<(), String> {
        let (stats, config) = (node.stats(), node.config());
        let at_most = |what: &str, value: u64, most: usize| {
            if value <= most as u64 { Ok(()) } else { Err(format!("{what}: {value} of {most}")) }
        };
        at_most("connections", stats.connections, config.connections_max)?;
        at_most("channels", stats.channels, config.channels_max)?;
        at_most("bytes to send", stats.send_queue_bytes, config.node_send_queue_bytes_max)?;
        at_most("bytes to read", stats.receive_queue_bytes, config.node_receive_queue_bytes_max)?;
        let reported = self.channels.len() as u64;
        if stats.channels < reported || !config.ask_before_accept && stats.channels > reported {
            return Err(format!("{} channels, but {reported} are reported", stats.channels));
        }
        if node.poll_timeout().is_some_and(|at| at < now) {
            return Err(format!("a drained node at {now} wants {:?}", node.poll_timeout()));
        }
        // Doublings from the first timeout, with room for jitter, rounding and one new half.
        let longest = 3 * config.handshake_timeout * (2 << config.handshake_retries);
        let mut unread = 0;
        for (handle, channel) in &self.channels {
            let info = node.channel_info(*handle).map_err(|e| format!("{handle:?}: {e}"))?;
            if info.is_established != channel.opened {
                return Err(format!("{handle:?}: {info:?} but reported {}", channel.opened));
            }
            if !channel.opened && now.since(channel.since) > longest {
                return Err(format!("{handle:?} is pending since {}", channel.since));
            }
            let stats = node.channel_stats(*handle).map_err(|e| format!("{handle:?}: {e}"))?;
            at_most(
                "channel's bytes to send",
                stats.send_queue_bytes,
                config.send_queue_bytes_max,
            )?;
            let most = config.receive_queue_bytes_max;
            at_most("channel's bytes to read", stats.receive_queue_bytes, most)?;
            unread += stats.receive_queue_bytes;
        }
        if unread != stats.receive_queue_bytes && !config.ask_before_accept {
            return Err(format!("{unread} bytes to read make {}", stats.receive_queue_bytes));
        }
        for handle in self.connections.keys() {
            let stats = node.connection_stats(*handle).map_err(|e| format!("{handle:?}: {e}"))?;
            at_most("channels here", stats.channels, config.channels_per_connection_max)?;
        }
        let limits =
            [DropReason::ConnectionLimit, DropReason::AddressLimit, DropReason::ChannelLimit];
        let drops = limits.iter().map(|&reason| stats.dropped(reason)).sum();
        if drops > self.limit_drops {
            self.limit_drops = drops;
            self.disturbed = Some(now);
        }
        Ok(())
    }

    /// The peer of a channel.
    pub(crate) fn peer_of(&self, channel: ChannelHandle) -> Option<PeerId> {
        let connection = self.channels.get(&channel)?.connection;
        self.connections.get(&connection)?.peer
    }

    /// Whether nothing since `time` can have cut a peer off; `slack` before it counts too.
    pub(crate) fn undisturbed_since(&self, time: Time, slack: Duration) -> bool {
        self.disturbed.is_none_or(|disturbed| disturbed + slack < time)
    }

    fn take_connected(&mut self, connection: ConnectionHandle, node: &Node) -> Result<(), String> {
        if !self.connections.contains_key(&connection) {
            self.fresh_connection(connection)?;
            let peer = node.connection_info(connection).ok().map(|info| info.peer);
            self.connections.insert(connection, Connection { peer, connected: false });
        }
        self.requests.retain(|&request| request != connection);
        let known = self.connections.get_mut(&connection).ok_or("inserted above")?;
        if std::mem::replace(&mut known.connected, true) {
            return Err(format!("{connection:?} is connected twice"));
        }
        Ok(())
    }

    fn take_opened(
        &mut self,
        at: Time,
        connection: ConnectionHandle,
        channel: ChannelHandle,
        by_peer: bool,
        node: &Node,
    ) -> Result<(), String> {
        if !self.connections.get(&connection).is_some_and(|known| known.connected) {
            return Err(format!("{channel:?} opened before {connection:?} was connected"));
        }
        let id = node.channel_info(channel).ok().map(|info| info.id);
        if by_peer {
            self.asked_for(connection, channel, at)?;
        }
        let known = self
            .channels
            .get_mut(&channel)
            .ok_or_else(|| format!("{channel:?} opened but nobody asked for it"))?;
        if known.opened || known.connection != connection {
            return Err(format!("{channel:?} opened again or elsewhere"));
        }
        (known.opened, known.by_peer, known.id, known.since) = (true, by_peer, id, at);
        match (id, self.peer_of(channel)) {
            (Some(id), Some(peer)) if id.is_complete() => {
                self.wire_ids.insert((peer, id));
            }
            (Some(id), Some(_)) => return Err(format!("{channel:?} opened as {id:?}")),
            _ => self.unseen_ids += 1,
        }
        Ok(())
    }

    fn live(
        &self,
        connection: ConnectionHandle,
        channel: ChannelHandle,
        opened: bool,
    ) -> Result<(), String> {
        let known = self.channels.get(&channel);
        if known.is_some_and(|known| known.connection == connection && known.opened >= opened) {
            Ok(())
        } else {
            Err(format!("an event of {channel:?} on {connection:?}, which is {known:?}"))
        }
    }

    fn fresh_connection(&self, connection: ConnectionHandle) -> Result<(), String> {
        if self.ended_connections.contains(&connection)
            || self.connections.contains_key(&connection)
        {
            return Err(format!("{connection:?} began twice"));
        }
        Ok(())
    }
}
