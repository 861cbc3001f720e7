//! What one node reported so far, and the invariants that every report must keep.

use std::collections::{BTreeMap, BTreeSet};

use channeler::error::Error;
use channeler::id::{Capabilities, ChannelHandle, ChannelId, ConnectionHandle, PeerId};
use channeler::io::Event;
use channeler::node::Node;

/// What one node reported since it began.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) connections: BTreeMap<ConnectionHandle, Connection>,
    pub(crate) channels: BTreeMap<ChannelHandle, Channel>,
    ended: BTreeSet<ConnectionHandle>,
    ended_channels: BTreeSet<ChannelHandle>,
    /// Requests that wait for an answer.
    pub(crate) requests: Vec<ConnectionHandle>,
}

/// A connection that was dialled, requested or reported, and not reported as closed.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) peer: PeerId,
    pub(crate) is_connected: bool,
}

/// A channel that was asked for or reported, and not reported as closed.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) connection: ConnectionHandle,
    pub(crate) is_opened: bool,
    pub(crate) mode: Capabilities,
    /// What it is called on the wire, once that is known.
    pub(crate) id: Option<ChannelId>,
    /// What it brought us.
    pub(crate) incoming: Incoming,
    /// Messages whose fate is to be reported.
    pub(crate) reports: BTreeSet<u64>,
}

/// What a channel brought to one side.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// Whose messages they are, since the first came.
    pub(crate) sender: Option<SenderKey>,
    /// The largest message number so far.
    pub(crate) last: Option<u64>,
    pub(crate) count: u64,
    pub(crate) skipped: u64,
    /// The peer sends no more, and all that it sent was delivered.
    pub(crate) is_finished: bool,
}

/// The sending end of a channel: the node, which of its lives, and what it calls the channel.
pub(crate) type SenderKey = (usize, u32, ChannelHandle);

impl Channel {
    fn new(connection: ConnectionHandle, mode: Capabilities) -> Channel {
        let (incoming, reports) = (Incoming::default(), BTreeSet::new());
        Channel { connection, is_opened: false, mode, id: None, incoming, reports }
    }

    pub(crate) fn is_ordered(&self) -> bool {
        self.mode.0 & Capabilities::ORDERED.0 != 0
    }

    pub(crate) fn closes_on_loss(&self) -> bool {
        self.mode.0 & Capabilities::CLOSE_ON_LOSS.0 != 0
    }
}

impl Model {
    /// We dialled.
    pub(crate) fn dialled(&mut self, connection: ConnectionHandle, peer: PeerId) {
        self.connections.entry(connection).or_insert(Connection { peer, is_connected: false });
    }

    /// We opened a channel; on which connection is what the node says.
    pub(crate) fn asked_for(
        &mut self,
        channel: ChannelHandle,
        node: &Node,
        mode: Capabilities,
    ) -> Result<(), String> {
        let info = node.channel_info(channel).map_err(|error| format!("a new one: {error}"))?;
        let fresh = Channel::new(info.connection, mode);
        if self.ended_channels.contains(&channel) || self.channels.contains_key(&channel) {
            return Err(format!("{channel:?} was given before"));
        }
        self.channels.insert(channel, fresh);
        Ok(())
    }

    /// Takes in one event; what contradicts earlier ones is an error.
    pub(crate) fn take(&mut self, event: &Event, node: &Node) -> Result<(), String> {
        match *event {
            Event::ConnectionRequest { connection, peer, .. } => {
                self.is_fresh(connection)?;
                self.requests.push(connection);
                self.connections.insert(connection, Connection { peer, is_connected: false });
            }
            Event::Connected { connection, peer } => self.take_connected(connection, peer)?,
            Event::ConnectionClosed { connection, reason, .. } => {
                self.take_end(node, connection, reason)?;
            }
            Event::ChannelOpened { connection, channel, by_peer } => {
                self.take_opened(node, connection, channel, by_peer)?;
            }
            Event::ChannelClosed { channel, reason, .. } => {
                check_reason(reason)?;
                let Some(ended) = self.channels.remove(&channel) else {
                    return Err(format!("{channel:?} ended but never was"));
                };
                if !ended.reports.is_empty() {
                    return Err(format!("{channel:?} ended, nothing said of {:?}", ended.reports));
                }
                self.ended_channels.insert(channel);
            }
            Event::Message { channel, .. }
            | Event::Assembled { channel, .. }
            | Event::Readable { channel, .. } => {
                let is_opened = self.channels.get(&channel).is_some_and(|one| one.is_opened);
                if !is_opened {
                    return Err(format!("a message on {channel:?}, which is not open"));
                }
            }
            Event::Writable { channel, .. } => {
                self.channel(channel)?;
            }
            Event::ChannelFinished { channel, .. } => {
                if std::mem::replace(&mut self.channel(channel)?.incoming.is_finished, true) {
                    return Err(format!("{channel:?} finished twice"));
                }
            }
            Event::MessagesSkipped { channel, count, .. } => {
                let known = self.channel(channel)?;
                known.incoming.skipped += count;
                if known.closes_on_loss() || count == 0 {
                    return Err(format!("{channel:?} skipped {count}"));
                }
            }
            Event::MessageDelivered { channel, context, .. } => {
                self.take_report(channel, context)?;
            }
            Event::MessageLost { channel, context, reason, .. } => {
                self.take_report(channel, context)?;
                check_reason(reason)?;
            }
            // A bad link may look like one that swallows large packets (12.11).
            Event::PacketSizeReduced { .. } => {}
            Event::PathChanged { .. }
            | Event::PathUnreachable { .. }
            | Event::Packet { .. }
            | Event::Datagram { .. } => return Err("nothing causes that here".to_owned()),
        }
        Ok(())
    }

    fn take_end(
        &mut self,
        node: &Node,
        connection: ConnectionHandle,
        reason: Error,
    ) -> Result<(), String> {
        check_reason(reason)?;
        // What waits for a dial that is abandoned goes on with another connection.
        let may_move = reason == Error::Superseded;
        // And what waits to be read still can be.
        let is_left = |(handle, one): (&ChannelHandle, &Channel)| {
            one.connection == connection
                && (one.is_opened || !may_move)
                && node.next_message_bytes(*handle).is_err()
        };
        if self.channels.iter().any(is_left) {
            return Err(format!("{connection:?} ended before its channels"));
        }
        if self.connections.remove(&connection).is_none() {
            return Err(format!("{connection:?} ended but never was"));
        }
        self.requests.retain(|request| *request != connection);
        self.ended.insert(connection);
        Ok(())
    }

    /// What the node says now is what it reported.
    pub(crate) fn check(&self, node: &Node) -> Result<(), String> {
        for (handle, connection) in &self.connections {
            let info = node.connection_info(*handle);
            let info = info.map_err(|error| format!("{handle:?}: {error}"))?;
            if info.peer != connection.peer {
                return Err(format!("{handle:?} is with somebody else now"));
            }
            if info.public_key.is_some_and(|key| key.peer_id() != info.peer) {
                return Err(format!("{handle:?} is with another key than it says"));
            }
        }
        for handle in self.channels.keys() {
            node.channel_info(*handle).map_err(|error| format!("{handle:?}: {error}"))?;
        }
        let stats = node.stats();
        if stats.connections < self.connections.len() as u64 {
            return Err(format!("{stats:?}, but {} are open", self.connections.len()));
        }
        Ok(())
    }

    fn channel(&mut self, channel: ChannelHandle) -> Result<&mut Channel, String> {
        self.channels.get_mut(&channel).ok_or_else(|| format!("{channel:?} is not there"))
    }

    fn take_report(&mut self, channel: ChannelHandle, context: u64) -> Result<(), String> {
        match self.channel(channel)?.reports.remove(&context) {
            true => Ok(()),
            false => Err(format!("a report on {context} of {channel:?}, which nobody waits for")),
        }
    }

    fn is_fresh(&self, connection: ConnectionHandle) -> Result<(), String> {
        match self.ended.contains(&connection) || self.connections.contains_key(&connection) {
            true => Err(format!("{connection:?} was there before")),
            false => Ok(()),
        }
    }

    fn take_connected(&mut self, handle: ConnectionHandle, peer: PeerId) -> Result<(), String> {
        if let Some(connection) = self.connections.get_mut(&handle) {
            if connection.is_connected || connection.peer != peer {
                return Err(format!("{handle:?} was {connection:?}"));
            }
            connection.is_connected = true;
            return Ok(());
        }
        self.is_fresh(handle)?;
        self.connections.insert(handle, Connection { peer, is_connected: true });
        Ok(())
    }

    fn take_opened(
        &mut self,
        node: &Node,
        connection: ConnectionHandle,
        channel: ChannelHandle,
        by_peer: bool,
    ) -> Result<(), String> {
        if !self.connections.get(&connection).is_some_and(|one| one.is_connected) {
            return Err(format!("{channel:?} on {connection:?}, which is not connected"));
        }
        // It may have ended before this event was looked at.
        let info = node.channel_info(channel).ok();
        let id = info.as_ref().map(|info| info.id);
        let mode = info.map_or(Capabilities(0), |info| info.capabilities);
        match (by_peer, self.channels.get_mut(&channel)) {
            (false, Some(known))
                if !known.is_opened
                    && (known.connection == connection
                        || self.ended.contains(&known.connection)) =>
            {
                (known.connection, known.is_opened, known.id) = (connection, true, id);
            }
            (true, None) if !self.ended_channels.contains(&channel) => {
                let opened = Channel::new(connection, mode);
                self.channels.insert(channel, Channel { is_opened: true, id, ..opened });
            }
            (_, known) => return Err(format!("{channel:?} opened, but was {known:?}")),
        }
        Ok(())
    }
}

/// Nodes that keep to the rules never end anything for a breach of them, whatever the network does.
fn check_reason(reason: Error) -> Result<(), String> {
    let breaches = [Error::Protocol, Error::Crypto, Error::Identity, Error::Unexpected];
    if breaches.contains(&reason) { Err(format!("it ended for {reason:?}")) } else { Ok(()) }
}
