//! The map of connections: at most 32, by the address of the peer, and which was unused longest.

use std::net::SocketAddr;

use heapless::index_map::FnvIndexMap;

use super::config::CONNECTIONS_MAX;
use super::events::QuicConnection;

/// The connections that messages are sent on. Its keys are addresses that peers proved, or that
/// were dialled; and there are so few that nobody gains by choosing them.
#[derive(Debug, Default)]
pub(super) struct Map {
    entries: FnvIndexMap<SocketAddr, Entry, CONNECTIONS_MAX>,
    /// Uses so far: time has too few ticks to tell all of them apart.
    uses: u64,
    /// The one that was used last, which mostly is used next.
    latest: Option<(SocketAddr, QuicConnection)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    connection: QuicConnection,
    /// Which use was its last.
    last_use: u64,
}

impl Map {
    pub(super) fn get(&self, address: SocketAddr) -> Option<QuicConnection> {
        self.entries.get(&address).map(|entry| entry.connection)
    }

    /// A message is sent to, or came from, this address.
    pub(super) fn touch(&mut self, address: SocketAddr) -> Option<QuicConnection> {
        if let Some((latest, connection)) = self.latest
            && latest == address
        {
            return Some(connection);
        }
        let entry = self.entries.get_mut(&address)?;
        self.uses += 1;
        entry.last_use = self.uses;
        self.latest = Some((address, entry.connection));
        Some(entry.connection)
    }

    /// Puts a connection in, and counts that as a use. Returns the one that it takes the place of:
    /// that of the same address, or in a full map the one that was unused for the longest time.
    pub(super) fn insert(
        &mut self,
        address: SocketAddr,
        connection: QuicConnection,
    ) -> Option<Displaced> {
        let mut displaced = None;
        if self.entries.is_full() && !self.entries.contains_key(&address) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.last_use);
            let (oldest, _) = oldest.expect("a full map is not empty");
            let removed = self.remove(*oldest);
            displaced = removed.map(Displaced::Evicted);
        }
        self.uses += 1;
        self.latest = Some((address, connection));
        let entry = Entry { connection, last_use: self.uses };
        let before = self.entries.insert(address, entry).expect("room was made");
        displaced.or(before.map(|entry| Displaced::Replaced(entry.connection)))
    }

    pub(super) fn remove(&mut self, address: SocketAddr) -> Option<QuicConnection> {
        if self.latest.is_some_and(|(latest, _)| latest == address) {
            self.latest = None;
        }
        // The last entry takes the place of the removed one: quick, and the order means nothing.
        self.entries.swap_remove(&address).map(|entry| entry.connection)
    }

    /// Removes `address` if `connection` is what is there.
    pub(super) fn remove_if(&mut self, address: SocketAddr, connection: QuicConnection) -> bool {
        let is_it = self.get(address) == Some(connection);
        if is_it {
            self.remove(address);
        }
        is_it
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.entries.keys().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// What an insertion took out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Displaced {
    /// It had the same address.
    Replaced(QuicConnection),
    /// The map was full.
    Evicted(QuicConnection),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number as u8], 7))
    }

    #[test]
    fn the_33rd_takes_the_place_of_the_one_unused_for_the_longest_time() {
        let mut map = Map::default();
        for number in 0..CONNECTIONS_MAX {
            assert_eq!(map.insert(address(number), QuicConnection(number as u64)), None);
        }
        assert_eq!(map.touch(address(0)), Some(QuicConnection(0)));
        assert_eq!(map.touch(address(0)), Some(QuicConnection(0)), "again");
        assert_eq!(map.touch(address(40)), None);
        let displaced = map.insert(address(40), QuicConnection(40));
        assert_eq!(displaced, Some(Displaced::Evicted(QuicConnection(1))));
        assert_eq!(map.len(), CONNECTIONS_MAX);
        assert_eq!((map.get(address(1)), map.get(address(0))), (None, Some(QuicConnection(0))));
    }

    #[test]
    fn another_connection_of_an_address_replaces_it_and_evicts_nobody() {
        let mut map = Map::default();
        for number in 0..CONNECTIONS_MAX {
            map.insert(address(number), QuicConnection(number as u64));
        }
        let displaced = map.insert(address(5), QuicConnection(99));
        assert_eq!(displaced, Some(Displaced::Replaced(QuicConnection(5))));
        assert!(!map.remove_if(address(5), QuicConnection(5)));
        assert_eq!(map.touch(address(5)), Some(QuicConnection(99)));
        assert!(map.remove_if(address(5), QuicConnection(99)));
        assert_eq!(map.touch(address(5)), None);
        assert_eq!(map.len(), CONNECTIONS_MAX - 1);
    }
}
