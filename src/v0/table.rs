//! Which connections there are: lookup, limits, eviction.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::error::Error;
use crate::id::{ConnectionHandle, PeerId, Version};
use crate::io::Local;
use crate::slots::Slots;
use crate::stats::DropReason;
use crate::time::Time;
use crate::v0::connection::{Connection, Shared, State};
use crate::v0::path::Path;

/// How long a connection is without a channel before a stranger may take its place.
const EVICTABLE_AFTER: Duration = Duration::from_secs(5);

/// Connections by handle and by peer.
#[derive(Debug)]
pub(crate) struct Table {
    connections: Slots<Connection>,
    peers: BTreeMap<PeerId, ConnectionHandle>,
    /// The peer that a packet last came from: mostly the next one's too.
    recent: Option<(PeerId, ConnectionHandle)>,
    /// Connections without a channel, the longest so first.
    vacant: BTreeSet<(Time, ConnectionHandle)>,
    /// Connections that peers began, by source prefix.
    sources: BTreeMap<IpAddr, usize>,
}

impl Table {
    pub(crate) fn new(tag: u16) -> Table {
        Table {
            connections: Slots::new(tag, Version::V0),
            peers: BTreeMap::new(),
            recent: None,
            vacant: BTreeSet::new(),
            sources: BTreeMap::new(),
        }
    }

    #[inline]
    pub(crate) fn by_peer(&mut self, peer: PeerId) -> Option<ConnectionHandle> {
        if let Some((_, handle)) = self.recent.filter(|(recent, _)| *recent == peer) {
            return Some(handle);
        }
        let handle = *self.peers.get(&peer)?;
        self.recent = Some((peer, handle));
        Some(handle)
    }

    pub(crate) fn get(&self, handle: ConnectionHandle) -> Result<&Connection, Error> {
        self.connections.get(handle.0).ok_or(Error::InvalidReference)
    }

    pub(crate) fn get_mut(&mut self, handle: ConnectionHandle) -> Result<&mut Connection, Error> {
        self.connections.get_mut(handle.0).ok_or(Error::InvalidReference)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter()
    }

    /// Adds a connection that we begin.
    pub(crate) fn dial(
        &mut self,
        shared: &mut Shared,
        now: Time,
        peer: PeerId,
        address: SocketAddr,
        local: Local,
    ) -> Result<ConnectionHandle, Error> {
        self.make_room(shared, now)?;
        let path = Path::new(address, local, false, shared.config.packet_size);
        Ok(self.insert(shared, now, peer, path, State::Dialled, None))
    }

    /// Adds a connection that a peer began and proved its address for.
    pub(crate) fn admit(
        &mut self,
        shared: &mut Shared,
        now: Time,
        peer: PeerId,
        address: SocketAddr,
        local: Local,
    ) -> Result<ConnectionHandle, DropReason> {
        let source = source_prefix(address.ip());
        let count = self.sources.get(&source).copied().unwrap_or(0);
        if count >= shared.config.connections_per_address_max {
            return Err(DropReason::AddressLimit);
        }
        self.make_room(shared, now).map_err(|_| DropReason::ConnectionLimit)?;
        let path = Path::new(address, local, true, shared.config.packet_size);
        let is_asked = shared.config.ask_before_accept;
        let state = if is_asked { State::Asked } else { State::Connected };
        Ok(self.insert(shared, now, peer, path, state, Some(source)))
    }

    fn insert(
        &mut self,
        shared: &mut Shared,
        now: Time,
        peer: PeerId,
        path: Path,
        state: State,
        source: Option<IpAddr>,
    ) -> ConnectionHandle {
        let handle = self.connections.insert(|handle| {
            let mut connection = Connection::new(ConnectionHandle(handle), peer, path, state, now);
            connection.source = source;
            connection
        });
        let handle = ConnectionHandle(handle);
        self.peers.insert(peer, handle);
        self.vacant.insert((now, handle));
        if let Some(source) = source {
            *self.sources.entry(source).or_default() += 1;
        }
        shared.stats.connections += 1;
        handle
    }

    /// Evicts the connection that was longest without a channel, if the table is full.
    fn make_room(&mut self, shared: &mut Shared, now: Time) -> Result<(), Error> {
        if self.connections.len() < shared.config.connections_max {
            return Ok(());
        }
        let (since, handle) = *self.vacant.first().ok_or(Error::Limit)?;
        if now.since(since) < EVICTABLE_AFTER {
            return Err(Error::Limit);
        }
        self.remove(shared, now, handle, Error::Limit);
        Ok(())
    }

    /// Ends a connection and its channels, and reports it.
    pub(crate) fn remove(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ConnectionHandle,
        reason: Error,
    ) {
        let Some(mut connection) = self.connections.remove(handle.0) else { return };
        if let Some(since) = connection.vacant_since {
            self.vacant.remove(&(since, handle));
        }
        connection.end(shared, now, reason);
        self.peers.remove(&connection.peer);
        self.recent = None;
        if let Some(source) = connection.source
            && let Some(count) = self.sources.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
        shared.stats.connections -= 1;
    }

    /// Calls `act` on a connection, and keeps account of whether it has channels.
    pub(crate) fn with<R>(
        &mut self,
        handle: ConnectionHandle,
        act: impl FnOnce(&mut Connection) -> R,
    ) -> Result<R, Error> {
        let connection = self.connections.get_mut(handle.0).ok_or(Error::InvalidReference)?;
        let before = connection.vacant_since;
        let result = act(connection);
        let after = connection.vacant_since;
        if before != after {
            if let Some(since) = before {
                self.vacant.remove(&(since, handle));
            }
            if let Some(since) = after {
                self.vacant.insert((since, handle));
            }
        }
        Ok(result)
    }

    /// The connection that was longest without a channel, and since when.
    pub(crate) fn longest_vacant(&self) -> Option<(Time, ConnectionHandle)> {
        self.vacant.first().copied()
    }
}

/// What connections are counted by: an IPv4 address, or the /64 that a host of IPv6 has to itself.
fn source_prefix(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}
