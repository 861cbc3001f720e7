//! The simulated network: who reaches whom, through which links and address translation, and when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;

use super::link::{Fate, Link, LinkState};
use super::random::Random;
use crate::io::SendError;
use crate::time::Time;

/// A datagram that reached its receiver.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// When.
    pub at: Time,
    /// Breaks ties: datagrams that arrive at one time come in the order they were sent.
    sequence: u64,
    /// The source address that the receiver sees.
    pub from: SocketAddr,
    /// The address of the station that receives it, as it knows it itself.
    pub to: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
}

/// What the network did so far, in datagrams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Entered.
    pub sent: u64,
    /// Bytes of payload that entered.
    pub sent_bytes: u64,
    /// Handed to a receiver, duplicates included.
    pub delivered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Arrive twice.
    pub duplicated: u64,
    /// Arrive with a flipped bit.
    pub corrupted: u64,
    /// Dropped at the tail of a queue.
    pub queue_full: u64,
    /// Above a link's MTU.
    pub too_large: u64,
    /// Swallowed by a dead link, or sent to an address that leads nowhere any more.
    pub vanished: u64,
}

/// Links between stations. A station is known by its own address; links are named by the stations'
/// own addresses, so they stay the same when address translation changes what others see.
#[derive(Debug)]
pub struct Network {
    random: Random,
    standard: Link,
    links: BTreeMap<(SocketAddr, SocketAddr), LinkState>,
    /// Own address to the address others see; absent: the same.
    seen_as: BTreeMap<SocketAddr, SocketAddr>,
    /// Address others see to own address; absent: the same. None: leads nowhere.
    leads_to: BTreeMap<SocketAddr, Option<SocketAddr>>,
    in_flight: BinaryHeap<Reverse<Arrival>>,
    sequence: u64,
    counters: Counters,
    trace: Option<String>,
    recent: VecDeque<Recorded>,
    recent_max: usize,
}

/// A datagram that was sent a while ago, for tests that send it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The station that sent it.
    pub station: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
}

impl Network {
    /// A network of perfect links, whose draws follow `seed`.
    pub fn new(seed: u64) -> Network {
        Network {
            random: Random::new(seed),
            standard: Link::default(),
            links: BTreeMap::new(),
            seen_as: BTreeMap::new(),
            leads_to: BTreeMap::new(),
            in_flight: BinaryHeap::new(),
            sequence: 0,
            counters: Counters::default(),
            trace: None,
            recent: VecDeque::new(),
            recent_max: 0,
        }
    }

    /// Sets every link that there is and that comes.
    pub fn set_all(&mut self, link: Link) {
        for state in self.links.values_mut() {
            state.link = link.clone();
        }
        self.standard = link;
    }

    /// Sets one direction between two stations.
    pub fn set_link(&mut self, from: SocketAddr, to: SocketAddr, link: Link) {
        self.state(from, to).link = link;
    }

    /// Sets both directions between two stations.
    pub fn set_both(&mut self, one: SocketAddr, other: SocketAddr, link: Link) {
        self.set_link(one, other, link.clone());
        self.set_link(other, one, link);
    }

    /// One direction as it is.
    pub fn link(&mut self, from: SocketAddr, to: SocketAddr) -> &Link {
        &self.state(from, to).link
    }

    /// Makes one direction swallow everything that enters from `from` until `until`.
    pub fn black_hole(&mut self, ends: (SocketAddr, SocketAddr), from: Time, until: Time) {
        self.state(ends.0, ends.1).link.outages.push((from, until));
    }

    /// From now on others see `station` as `seen`. The address they saw before leads on to it when
    /// `old_lives`, else nowhere.
    pub fn rebind(&mut self, station: SocketAddr, seen: SocketAddr, old_lives: bool) {
        let old = self.seen_as.insert(station, seen).unwrap_or(station);
        self.leads_to.insert(old, old_lives.then_some(station));
        self.leads_to.insert(seen, Some(station));
    }

    /// The address that others see for `station` now.
    pub fn seen_as(&self, station: SocketAddr) -> SocketAddr {
        self.seen_as.get(&station).copied().unwrap_or(station)
    }

    /// Sends a datagram from a station.
    ///
    /// # Errors
    ///
    /// `TooLarge` when the link tells its sender so. Everything else vanishes silently.
    pub fn send(
        &mut self,
        now: Time,
        station: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        let seen = self.seen_as(station);
        self.send_as(now, station, seen, to, bytes)
    }

    /// Sends a datagram over the links of `station` with any source address written on it.
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_as(
        &mut self,
        now: Time,
        station: SocketAddr,
        source: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        self.counters.sent += 1;
        self.counters.sent_bytes += bytes.len() as u64;
        if self.recent_max > 0 {
            self.recent.truncate(self.recent_max - 1);
            self.recent.push_front(Recorded { station, to, bytes: bytes.to_vec() });
        }
        let Some(receiver) = self.leads_to.get(&to).copied().unwrap_or(Some(to)) else {
            self.counters.vanished += 1;
            self.note(now, source, to, bytes, "leads nowhere");
            return Ok(());
        };
        let headers = if to.is_ipv4() { 28 } else { 48 };
        // Floods come from many addresses: a link that remembers nothing needs no entry.
        let mut forgetful = LinkState::new(self.standard.clone());
        let is_kept = self.links.contains_key(&(station, receiver)) || !forgetful.is_forgetful();
        let random = &mut self.random;
        let (fate, told) = match is_kept {
            true => {
                let standard = &self.standard;
                let links = self.links.entry((station, receiver));
                let state = links.or_insert_with(|| LinkState::new(standard.clone()));
                (state.offer(now, bytes.len(), headers, random), state.link.mtu_reported)
            }
            false => {
                (forgetful.offer(now, bytes.len(), headers, random), forgetful.link.mtu_reported)
            }
        };
        self.note(now, source, to, bytes, &format!("{fate:?}"));
        match fate {
            Fate::Lost => self.counters.lost += 1,
            Fate::Queue => self.counters.queue_full += 1,
            Fate::Dead => self.counters.vanished += 1,
            Fate::TooLarge => {
                self.counters.too_large += 1;
                if told {
                    return Err(SendError::TooLarge);
                }
            }
            Fate::Arrives { at, again, flip } => {
                let mut bytes = bytes.to_vec();
                if let Some(bit) = flip {
                    self.counters.corrupted += 1;
                    bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
                }
                if let Some(again) = again {
                    self.counters.duplicated += 1;
                    self.launch(again, source, receiver, bytes.clone());
                }
                self.launch(at, source, receiver, bytes);
            }
        }
        Ok(())
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Time> {
        self.in_flight.peek().map(|Reverse(arrival)| arrival.at)
    }

    /// Takes the next datagram that has arrived by `now`.
    pub fn arrive(&mut self, now: Time) -> Option<Arrival> {
        if self.next_arrival()? > now {
            return None;
        }
        let Reverse(arrival) = self.in_flight.pop()?;
        self.counters.delivered += 1;
        Some(arrival)
    }

    /// The next datagram, if it has arrived by `now`; it stays.
    pub fn peek(&self, now: Time) -> Option<&Arrival> {
        self.in_flight.peek().map(|Reverse(arrival)| arrival).filter(|arrival| arrival.at <= now)
    }

    /// Counters so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Remembers the last `count` datagrams from now on.
    pub fn keep_recent(&mut self, count: usize) {
        self.recent_max = count;
        self.recent.truncate(count);
    }

    /// The last datagrams that were sent, newest first.
    pub fn recent(&self) -> &VecDeque<Recorded> {
        &self.recent
    }

    /// Starts to write down everything that is sent and what becomes of it.
    pub fn start_trace(&mut self) {
        self.trace.get_or_insert_default();
    }

    /// What was written down so far.
    pub fn trace(&self) -> &str {
        self.trace.as_deref().unwrap_or_default()
    }

    /// Adds a line to the trace, if there is one.
    pub(super) fn write_trace(&mut self, line: &str) {
        if let Some(trace) = &mut self.trace {
            trace.push_str(line);
            trace.push('\n');
        }
    }

    fn launch(&mut self, at: Time, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.sequence += 1;
        self.in_flight.push(Reverse(Arrival { at, sequence: self.sequence, from, to, bytes }));
    }

    fn state(&mut self, from: SocketAddr, to: SocketAddr) -> &mut LinkState {
        let standard = &self.standard;
        self.links.entry((from, to)).or_insert_with(|| LinkState::new(standard.clone()))
    }

    fn note(&mut self, now: Time, from: SocketAddr, to: SocketAddr, bytes: &[u8], fate: &str) {
        if let Some(trace) = &mut self.trace {
            let _infallible = write!(trace, "{now} {from} > {to} {fate} ");
            for byte in bytes {
                let _infallible = write!(trace, "{byte:02x}");
            }
            trace.push('\n');
        }
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
