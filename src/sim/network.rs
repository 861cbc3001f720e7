//! The simulated network: who reaches whom, through which links and address translation, and when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use super::bottleneck::{Bottleneck, Left, Parcel, Refused};
use super::link::{Ecn, Link};
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
    /// Its ECN field, as the last link left it.
    pub ecn: Ecn,
}

/// What a link, or the whole network, did so far; in datagrams where nothing else is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Entered.
    pub sent: u64,
    /// Bytes of payload that entered.
    pub sent_bytes: u64,
    /// Left for their receiver, duplicates included.
    pub delivered: u64,
    /// Bytes of payload that left for their receiver.
    pub delivered_bytes: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Arrive twice.
    pub duplicated: u64,
    /// Left with a flipped bit.
    pub corrupted: u64,
    /// Dropped at the tail of a queue, or by a policer.
    pub queue_full: u64,
    /// Dropped by CoDel.
    pub queue_early: u64,
    /// Marked instead of dropped.
    pub marked: u64,
    /// The most bytes that ever waited in one queue, headers and those of others included.
    pub queue_bytes_max: u64,
    /// Bytes of cross traffic that got through, headers included.
    pub cross_bytes: u64,
    /// Datagrams of cross traffic that were dropped.
    pub cross_dropped: u64,
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
    links: BTreeMap<Ends, Bottleneck>,
    /// Directions that have no link of their own, and whose they use.
    shared: BTreeMap<Ends, Ends>,
    /// When which link is to be looked at again.
    departures: BinaryHeap<Reverse<(Time, Ends)>>,
    /// Own address to the address others see; absent: the same.
    seen_as: BTreeMap<SocketAddr, SocketAddr>,
    /// Address others see to own address; absent: the same. None: leads nowhere.
    leads_to: BTreeMap<SocketAddr, Option<SocketAddr>>,
    in_flight: BinaryHeap<Reverse<Arrival>>,
    sequence: u64,
    /// What links that are not kept did.
    counters: Counters,
    left: Vec<Left>,
    trace: Option<String>,
    recent: VecDeque<Recorded>,
    recent_max: usize,
}

/// The two ends of one direction of a link, the sender's first.
type Ends = (SocketAddr, SocketAddr);

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
            shared: BTreeMap::new(),
            departures: BinaryHeap::new(),
            seen_as: BTreeMap::new(),
            leads_to: BTreeMap::new(),
            in_flight: BinaryHeap::new(),
            sequence: 0,
            counters: Counters::default(),
            left: Vec::new(),
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

    /// Has one direction between two stations use the link of another, with its queue: flows of
    /// several stations then share a bottleneck. To be called before anything is sent there.
    pub fn share_link(&mut self, ends: (SocketAddr, SocketAddr), with: (SocketAddr, SocketAddr)) {
        let with = self.link_of(with);
        if with != ends {
            self.shared.insert(ends, with);
        }
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

    /// What one direction did so far. Of perfect links only the first thousand are counted alone.
    pub fn link_counters(&mut self, from: SocketAddr, to: SocketAddr) -> Counters {
        self.state(from, to).counters
    }

    /// How many bytes wait in the queue of one direction, headers included.
    pub fn queue_bytes(&mut self, from: SocketAddr, to: SocketAddr) -> usize {
        self.state(from, to).waiting_bytes()
    }

    /// Writes down from now on how many bytes wait in the queue of one direction, whenever that
    /// changes, but at most once each `every`.
    pub fn record_queue(&mut self, from: SocketAddr, to: SocketAddr, every: Duration) {
        self.state(from, to).record(every);
    }

    /// What was written down of a queue: when, and how many bytes waited.
    pub fn queue_history(&mut self, from: SocketAddr, to: SocketAddr) -> &[(Time, usize)] {
        self.state(from, to).history()
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
        ecn: Ecn,
    ) -> Result<(), SendError> {
        let seen = self.seen_as(station);
        self.send_as(now, station, seen, to, bytes, ecn)
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
        ecn: Ecn,
    ) -> Result<(), SendError> {
        if self.recent_max > 0 {
            self.recent.truncate(self.recent_max - 1);
            self.recent.push_front(Recorded { station, to, bytes: bytes.to_vec() });
        }
        let Some(receiver) = self.leads_to.get(&to).copied().unwrap_or(Some(to)) else {
            self.counters.sent += 1;
            self.counters.sent_bytes += bytes.len() as u64;
            self.counters.vanished += 1;
            self.note(now, source, to, bytes, "leads nowhere");
            return Ok(());
        };
        let headers = if to.is_ipv4() { 28 } else { 48 };
        let ends = self.link_of((station, receiver));
        // Floods come from many addresses: a link that remembers nothing needs no entry.
        let mut forgetful = Bottleneck::new(self.standard.clone());
        let is_kept = self.links.contains_key(&ends)
            || self.links.len() < LINKS_KEPT_MAX
            || !self.standard.is_forgetful();
        let (standard, random) = (&self.standard, &mut self.random);
        let link = match is_kept {
            true => self.links.entry(ends).or_insert_with(|| Bottleneck::new(standard.clone())),
            false => &mut forgetful,
        };
        let parcel = Parcel::new((source, receiver), bytes, ecn, link, random);
        let entered = link.enter(now, parcel, headers, &mut self.left);
        let is_told = entered == Err(Refused::TooLarge) && link.link.mtu_reported;
        if is_kept {
            self.come_back(ends);
        } else {
            self.counters.add(&forgetful.counters);
        }
        self.note(now, source, to, bytes, &format!("{entered:?}"));
        self.launch();
        if is_told { Err(SendError::TooLarge) } else { Ok(()) }
    }

    /// When the next datagram arrives, or leaves a queue.
    pub fn next_arrival(&self) -> Option<Time> {
        let arrival = self.in_flight.peek().map(|Reverse(arrival)| arrival.at);
        let departure = self.departures.peek().map(|Reverse((at, _))| *at);
        arrival.into_iter().chain(departure).min()
    }

    /// Takes the next datagram that has arrived by `now`.
    pub fn arrive(&mut self, now: Time) -> Option<Arrival> {
        self.peek(now)?;
        let Reverse(arrival) = self.in_flight.pop()?;
        Some(arrival)
    }

    /// The next datagram, if it has arrived by `now`; it stays.
    pub fn peek(&mut self, now: Time) -> Option<&Arrival> {
        while let Some(&Reverse((at, ends))) = self.departures.peek().filter(|next| next.0.0 <= now)
        {
            self.departures.pop();
            let link = self.links.get_mut(&ends).expect("links that something waits for stay");
            link.is_noted = false;
            link.advance(at, &mut self.left);
            self.come_back(ends);
            self.launch();
        }
        self.in_flight.peek().map(|Reverse(arrival)| arrival).filter(|arrival| arrival.at <= now)
    }

    /// Counters so far, of the whole network.
    pub fn counters(&self) -> Counters {
        let mut sum = self.counters;
        self.links.values().for_each(|link| sum.add(&link.counters));
        sum
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

    /// Sees to it that a link is looked at when something leaves its queue.
    fn come_back(&mut self, ends: Ends) {
        let Some(link) = self.links.get_mut(&ends).filter(|link| !link.is_noted) else { return };
        if let Some(at) = link.next_time() {
            link.is_noted = true;
            self.departures.push(Reverse((at, ends)));
        }
    }

    /// What left a link is on its way.
    fn launch(&mut self) {
        for Left { at, again, parcel } in std::mem::take(&mut self.left) {
            self.note(at, parcel.source, parcel.receiver, &parcel.bytes, "arrives");
            let Parcel { source: from, receiver: to, bytes, ecn, .. } = parcel;
            let copy = again.map(|at| (at, bytes.clone()));
            for (at, bytes) in copy.into_iter().chain([(at, bytes)]) {
                self.sequence += 1;
                let sequence = self.sequence;
                self.in_flight.push(Reverse(Arrival { at, sequence, from, to, bytes, ecn }));
            }
        }
    }

    fn state(&mut self, from: SocketAddr, to: SocketAddr) -> &mut Bottleneck {
        let ends = self.link_of((from, to));
        let standard = &self.standard;
        self.links.entry(ends).or_insert_with(|| Bottleneck::new(standard.clone()))
    }

    /// Whose link it is that this direction uses.
    fn link_of(&self, ends: Ends) -> Ends {
        self.shared.get(&ends).copied().unwrap_or(ends)
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

impl Counters {
    fn add(&mut self, other: &Counters) {
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.delivered += other.delivered;
        self.delivered_bytes += other.delivered_bytes;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.corrupted += other.corrupted;
        self.queue_full += other.queue_full;
        self.queue_early += other.queue_early;
        self.marked += other.marked;
        self.queue_bytes_max = self.queue_bytes_max.max(other.queue_bytes_max);
        self.cross_bytes += other.cross_bytes;
        self.cross_dropped += other.cross_dropped;
        self.too_large += other.too_large;
        self.vanished += other.vanished;
    }
}

/// So many links have an entry though they remember nothing.
const LINKS_KEPT_MAX: usize = 1_000;

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
