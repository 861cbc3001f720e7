//! Which v1 connections there are, and everything they are found by.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::attempts::Listed;
use super::duel::Probe;
use crate::connection::{Connection, Shared};
use crate::crypto::PublicKey;
use crate::error::Error;
use crate::id::{ConnectionHandle, PathId, PeerId, Token, Version};
use crate::slots::Slots;
use crate::time::Time;

/// A connection, and what the node knows about it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) connection: Connection,
    /// What matters until it is confirmed.
    pub(super) beginning: Option<Box<Beginning>>,
    /// Ours, that packets for it may bear.
    pub(super) tokens: Vec<Token>,
    /// Its entry among the timers.
    armed: Option<Time>,
    /// Whether it is among those whose timers may have changed.
    is_changed: bool,
    /// Under which peer it is listed.
    peer: Option<PeerId>,
    /// Under which address it is listed.
    address: Option<SocketAddr>,
    /// The source that it counts against: the peer began it.
    source: Option<IpAddr>,
    /// Another one with the same peer stays (7.14).
    pub(super) is_superseded: bool,
    /// Whether the one that was there first still answers is being asked (7.14).
    pub(super) probe: Option<Box<Probe>>,
    /// It ended for the application: its handle is stale.
    pub(super) is_closed: bool,
    /// A peer began it, and it was not accepted yet.
    is_stranger: bool,
}

/// Of a connection that is not confirmed.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    /// How its long packets are found.
    pub(super) listed: Option<Listed>,
    /// Its number among the half-open ones.
    pub(super) half_open: Option<u64>,
    pub(super) dial: Option<Dialling>,
    /// The key that the application was asked about, and what it said.
    pub(super) asked: Option<(PublicKey, Answer)>,
}

/// A dial under way.
// spec: 7.15 failures and attempts
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialling {
    /// Who must answer.
    pub(super) peer: Option<PeerId>,
    pub(super) until: Time,
    pub(super) attempts: u8,
    /// What one side said in an attempt that failed.
    pub(super) code: Option<u64>,
}

/// What the application said about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing yet; this many questions of the handshake wait for it.
    Waits(u8),
    /// Yes.
    Yes,
    /// No.
    No,
}

/// Connections by handle, peer, token, address and time.
#[derive(Debug)]
pub(super) struct Table {
    members: Slots<Member>,
    /// By peer; of a dial, the peer that was asked for.
    peers: BTreeSet<(PeerId, ConnectionHandle)>,
    /// By the address that they send to, for stateless resets.
    addresses: BTreeSet<(SocketAddr, ConnectionHandle)>,
    tokens: HashMap<Token, Route, BuildHasherDefault<TokenHasher>>,
    /// The token that came last: mostly the next one's too.
    recent: Option<(Token, Route)>,
    timers: BTreeSet<(Time, ConnectionHandle)>,
    /// Connections whose timers may have to fire earlier than that.
    changed: Vec<ConnectionHandle>,
    /// Confirmed connections that peers began, by source.
    sources: BTreeMap<IpAddr, usize>,
    /// Members that the application has a handle of, or may get one.
    open: usize,
    /// Those of them that peers began and that were not accepted yet.
    strangers: usize,
}

/// Where a token leads.
pub(super) type Route = (ConnectionHandle, PathId);

impl Table {
    pub(super) fn new(tag: u16) -> Table {
        Table {
            members: Slots::new(tag, Version::V1),
            peers: BTreeSet::new(),
            addresses: BTreeSet::new(),
            tokens: HashMap::default(),
            recent: None,
            timers: BTreeSet::new(),
            changed: Vec::new(),
            sources: BTreeMap::new(),
            open: 0,
            strangers: 0,
        }
    }

    /// Adds what `make` makes of its handle, if it makes something.
    pub(super) fn insert<E>(
        &mut self,
        beginning: Beginning,
        make: impl FnOnce(ConnectionHandle) -> Result<Connection, E>,
    ) -> Result<ConnectionHandle, E> {
        let is_stranger = beginning.dial.is_none();
        let handle = self.members.try_insert(|handle| {
            let connection = make(ConnectionHandle(handle))?;
            Ok(Member {
                connection,
                beginning: Some(Box::new(beginning)),
                tokens: Vec::new(),
                armed: None,
                is_changed: false,
                peer: None,
                address: None,
                source: None,
                is_superseded: false,
                probe: None,
                is_closed: false,
                is_stranger,
            })
        })?;
        self.open += 1;
        self.strangers += usize::from(is_stranger);
        Ok(ConnectionHandle(handle))
    }

    /// A connection, ended ones that still answer packets included.
    #[inline]
    pub(super) fn get_mut(&mut self, handle: ConnectionHandle) -> Option<&mut Member> {
        self.members.get_mut(handle.0)
    }

    /// A connection, ended ones that still answer packets included.
    pub(super) fn get(&self, handle: ConnectionHandle) -> Option<&Member> {
        self.members.get(handle.0)
    }

    /// A connection that the application may name.
    pub(super) fn live(&self, handle: ConnectionHandle) -> Result<&Member, Error> {
        self.get(handle).filter(|member| !member.is_closed).ok_or(Error::InvalidReference)
    }

    /// A connection that the application may name.
    pub(super) fn live_mut(&mut self, handle: ConnectionHandle) -> Result<&mut Member, Error> {
        self.get_mut(handle).filter(|member| !member.is_closed).ok_or(Error::InvalidReference)
    }

    /// Every handle, ended ones included, by rising slot.
    pub(super) fn handles(&self) -> Vec<ConnectionHandle> {
        self.members.iter().map(|member| member.connection.handle).collect()
    }

    /// Connections that are not over.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Those of them that count against the limit: dials, and what was accepted. Handshakes of
    /// strangers have a limit of their own.
    // spec: 16.1 table
    pub(super) fn kept(&self) -> usize {
        self.open - self.strangers
    }

    /// The connections with a peer that are not over, dials included.
    pub(super) fn with_peer(&self, peer: PeerId) -> impl Iterator<Item = ConnectionHandle> {
        let all = self.peers.range((peer, FIRST)..);
        let of_peer = all.take_while(move |(other, _)| *other == peer);
        of_peer.map(|(_, handle)| *handle)
    }

    /// The connection that new channels with a peer go to.
    pub(super) fn by_peer(&self, peer: PeerId) -> Option<ConnectionHandle> {
        let usable = |handle: &ConnectionHandle| {
            let member = self.get(*handle);
            member.is_some_and(|member| !member.is_closed && !member.is_superseded)
        };
        let mut first = None;
        for handle in self.with_peer(peer).filter(usable) {
            if self.get(handle).is_some_and(|member| member.connection.is_confirmed()) {
                return Some(handle);
            }
            first = first.or(Some(handle));
        }
        first
    }

    /// The connections that send to this address, at most `ADDRESS_TRIES_MAX` of them.
    pub(super) fn at(&self, address: SocketAddr) -> impl Iterator<Item = ConnectionHandle> {
        let all = self.addresses.range((address, FIRST)..);
        let there = all.take_while(move |(other, _)| *other == address);
        there.map(|(_, handle)| *handle).take(ADDRESS_TRIES_MAX)
    }

    /// Lists a connection under its peer.
    pub(super) fn list_peer(&mut self, handle: ConnectionHandle, peer: PeerId) {
        let Some(member) = self.members.get_mut(handle.0) else { return };
        if let Some(before) = member.peer.replace(peer) {
            self.peers.remove(&(before, handle));
        }
        self.peers.insert((peer, handle));
    }

    /// Lists a connection under the address that it sends to.
    pub(super) fn list_address(&mut self, handle: ConnectionHandle, address: SocketAddr) {
        let Some(member) = self.members.get_mut(handle.0) else { return };
        if let Some(before) = member.address.replace(address) {
            self.addresses.remove(&(before, handle));
        }
        self.addresses.insert((address, handle));
    }

    /// Counts a connection that was accepted, also against the address that began it.
    pub(super) fn count_accepted(&mut self, handle: ConnectionHandle, ip: IpAddr) {
        let Some(member) = self.members.get_mut(handle.0) else { return };
        if std::mem::take(&mut member.is_stranger) {
            self.strangers -= 1;
            let source = source_of(ip);
            member.source = Some(source);
            *self.sources.entry(source).or_default() += 1;
        }
    }

    /// How many connections an address began.
    pub(super) fn count_from(&self, ip: IpAddr) -> usize {
        self.sources.get(&source_of(ip)).copied().unwrap_or(0)
    }

    /// Where packets with this token go.
    #[inline]
    pub(super) fn route(&mut self, token: Token) -> Option<Route> {
        if let Some((recent, route)) = self.recent
            && recent == token
        {
            return Some(route);
        }
        let route = *self.tokens.get(&token)?;
        self.recent = Some((token, route));
        Some(route)
    }

    pub(super) fn issue(&mut self, token: Token, handle: ConnectionHandle, path: PathId) {
        let Some(member) = self.members.get_mut(handle.0) else { return };
        member.tokens.push(token);
        self.tokens.insert(token, (handle, path));
    }

    pub(super) fn retire(&mut self, token: Token, handle: ConnectionHandle) {
        let Some(member) = self.members.get_mut(handle.0) else { return };
        member.tokens.retain(|other| *other != token);
        self.tokens.remove(&token);
        self.recent = None;
    }

    /// Takes a connection out of what the application finds it by; packets still do. Returns its
    /// peer.
    pub(super) fn close(&mut self, handle: ConnectionHandle) -> Option<PeerId> {
        let member = self.members.get_mut(handle.0)?;
        if std::mem::replace(&mut member.is_closed, true) {
            return None;
        }
        self.open -= 1;
        self.strangers -= usize::from(std::mem::take(&mut member.is_stranger));
        member.probe = None;
        let peer = member.peer.take();
        if let Some(peer) = peer {
            self.peers.remove(&(peer, handle));
        }
        if let Some(source) = member.source.take()
            && let Some(count) = self.sources.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
        peer
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, handle: ConnectionHandle) -> Option<Member> {
        self.close(handle);
        let member = self.members.remove(handle.0)?;
        if let Some(armed) = member.armed {
            self.timers.remove(&(armed, handle));
        }
        if let Some(address) = member.address {
            self.addresses.remove(&(address, handle));
        }
        for token in &member.tokens {
            self.tokens.remove(token);
        }
        self.recent = None;
        Some(member)
    }

    /// Notes that something happened to a connection: `arm_changed` looks at its timers, once for
    /// all that happens until then.
    #[inline]
    pub(super) fn note_changed(&mut self, handle: ConnectionHandle) {
        let Some(member) = self.members.get_mut(handle.0) else { return };
        if !std::mem::replace(&mut member.is_changed, true) {
            self.changed.push(handle);
        }
    }

    /// Sets the timers of connections to which something happened.
    pub(super) fn arm_changed(&mut self, shared: &Shared) {
        let mut changed = std::mem::take(&mut self.changed);
        for handle in changed.drain(..) {
            self.arm(shared, handle);
        }
        self.changed = changed;
    }

    /// Sets a connection's timer if it wants to be called earlier than it is going to be: one that
    /// fires early sets itself anew.
    fn arm(&mut self, shared: &Shared, handle: ConnectionHandle) {
        let Some(member) = self.members.get_mut(handle.0) else { return };
        member.is_changed = false;
        let Some(wanted) = member.deadline(shared) else { return };
        match member.armed {
            Some(armed) if armed <= wanted => return,
            Some(armed) => {
                self.timers.remove(&(armed, handle));
            }
            None => {}
        }
        member.armed = Some(wanted);
        self.timers.insert((wanted, handle));
    }

    /// When the next timer fires.
    pub(super) fn next_timer(&self, shared: &Shared) -> Option<Time> {
        let changed = self.changed.iter().filter_map(|handle| self.get(*handle)?.deadline(shared));
        let first = self.timers.first().map(|(at, _)| *at);
        changed.chain(first).min()
    }

    /// The connection whose timer has fired at `now`, its timer cleared.
    pub(super) fn pop_timer(&mut self, now: Time) -> Option<ConnectionHandle> {
        let (at, handle) = *self.timers.first()?;
        if at > now {
            return None;
        }
        self.timers.pop_first();
        if let Some(member) = self.members.get_mut(handle.0) {
            member.armed = None;
        }
        Some(handle)
    }
}

impl Member {
    /// Whether a peer began it and it was not accepted yet.
    pub(super) fn is_stranger(&self) -> bool {
        self.is_stranger
    }

    /// When anything has to be done for it.
    #[inline]
    fn deadline(&self, shared: &Shared) -> Option<Time> {
        let connection = self.connection.poll_timeout(shared);
        let dial = self.beginning.as_ref().and_then(|beginning| beginning.dial);
        let dial = dial.filter(|_| !self.is_closed).map(|dial| dial.until);
        let probe = self.probe.as_ref().map(|probe| probe.until);
        [connection, dial, probe].into_iter().flatten().min()
    }
}

/// Tokens are random and ours: they are their own hash. Whoever sends others only searches.
#[derive(Debug, Default)]
struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(token) = bytes.first_chunk() {
            self.0 ^= u64::from_ne_bytes(*token);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Connections at one address that are asked whether a stateless reset is theirs, at most.
const ADDRESS_TRIES_MAX: usize = 64;

/// Below every handle.
const FIRST: ConnectionHandle = ConnectionHandle(crate::id::Handle::from_bits(0));

/// What connections are counted by: an IPv4 address, or the /64 that a host of IPv6 has to itself.
fn source_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}
