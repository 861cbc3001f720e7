//! Tickets, by which two nodes that met before shake hands faster: those that we gave out and those
//! that we got. Both tables are bounded; each ticket works once.

// The attribute is off in tests, where the lint is as well.
#![cfg_attr(
    not(test),
    expect(
        clippy::disallowed_types,
        reason = "rustls asks for tables that threads may share; the node's thread never waits"
    )
)]

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::server::StoresServerSessions;
use zeroize::Zeroizing;

use super::tls::Clock;
use crate::id::PeerId;
use crate::time::Time;

/// Bytes of a ticket's name, which rustls draws at random.
const NAME_SIZE: usize = 32;

type Name = [u8; NAME_SIZE];

/// A ticket that a session has made and nobody was told of yet.
pub(super) struct NewTicket {
    name: Name,
    content: Zeroizing<Vec<u8>>,
}

/// The tickets that we gave out. One that was just made is held back until its session is accepted:
/// it works only once `keep` was called.
// spec: 7.12 tickets
pub(super) struct IssuedTickets {
    clock: Arc<Clock>,
    tickets_max: usize,
    table: Mutex<Issued>,
}

#[derive(Default)]
struct Issued {
    tickets: BTreeMap<Name, Kept>,
    /// Names by age, oldest first; a ticket that was used leaves its name behind for a while.
    order: VecDeque<(Name, Time)>,
    new: Vec<NewTicket>,
}

struct Kept {
    made_at: Time,
    content: Zeroizing<Vec<u8>>,
}

impl IssuedTickets {
    /// How long a ticket works.
    pub(super) const LIFETIME: Duration = Duration::from_secs(24 * 3600);

    pub(super) fn new(clock: Arc<Clock>, tickets_max: usize) -> IssuedTickets {
        IssuedTickets { clock, tickets_max, table: Mutex::default() }
    }

    /// Takes what rustls made since the last call: the tickets of the session that was just read.
    pub(super) fn take_new(&self) -> Vec<NewTicket> {
        mem::take(&mut lock(&self.table).new)
    }

    /// From now on `tickets` work. The oldest ones go when there are too many.
    pub(super) fn keep(&self, tickets: Vec<NewTicket>) {
        let made_at = self.clock.now();
        let table = &mut *lock(&self.table);
        for ticket in tickets {
            table.order.push_back((ticket.name, made_at));
            table.tickets.insert(ticket.name, Kept { made_at, content: ticket.content });
        }
        while table.tickets.len() > self.tickets_max || table.order.len() > 2 * self.tickets_max {
            let Some((name, made_at)) = table.order.pop_front() else { break };
            if table.tickets.get(&name).is_some_and(|kept| kept.made_at == made_at) {
                table.tickets.remove(&name);
            }
        }
    }

    pub(super) fn forget_all(&self) {
        *lock(&self.table) = Issued::default();
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.table).tickets.len()
    }
}

impl StoresServerSessions for IssuedTickets {
    fn put(&self, name: Vec<u8>, content: Vec<u8>) -> bool {
        let content = Zeroizing::new(content);
        match Name::try_from(name) {
            Ok(name) if self.tickets_max > 0 => {
                lock(&self.table).new.push(NewTicket { name, content });
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    fn get(&self, _name: &[u8]) -> Option<Vec<u8>> {
        // Only TLS 1.2 looks without taking.
        None
    }

    fn take(&self, name: &[u8]) -> Option<Vec<u8>> {
        let name = Name::try_from(name).ok()?;
        let mut kept = lock(&self.table).tickets.remove(&name)?;
        let age = self.clock.now().since(kept.made_at);
        (age < IssuedTickets::LIFETIME).then(|| mem::take(&mut *kept.content))
    }

    fn can_cache(&self) -> bool {
        self.tickets_max > 0
    }
}

impl fmt::Debug for IssuedTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedTickets").field("count", &self.len()).finish()
    }
}

/// The tickets that peers gave to us, by their ids.
// spec: 7.12 tickets
pub(super) struct ReceivedTickets {
    tickets_max: usize,
    table: Mutex<Received>,
}

#[derive(Default)]
struct Received {
    /// Oldest first.
    tickets: VecDeque<(PeerId, Tls13ClientSessionValue)>,
    new: Vec<Tls13ClientSessionValue>,
}

impl ReceivedTickets {
    /// How many are kept of one peer.
    pub(super) const PER_PEER_MAX: usize = 4;

    pub(super) fn new(tickets_max: usize) -> ReceivedTickets {
        ReceivedTickets { tickets_max, table: Mutex::default() }
    }

    /// Files what rustls found since the last call in what `peer` sent.
    pub(super) fn file_new(&self, peer: PeerId) {
        let table = &mut *lock(&self.table);
        for ticket in table.new.drain(..) {
            let of_peer = |(owner, _): &&(PeerId, _)| *owner == peer;
            if table.tickets.iter().filter(of_peer).count() >= ReceivedTickets::PER_PEER_MAX {
                let oldest = table.tickets.iter().position(|(owner, _)| *owner == peer);
                oldest.and_then(|oldest| table.tickets.remove(oldest));
            }
            table.tickets.push_back((peer, ticket));
            if table.tickets.len() > self.tickets_max {
                table.tickets.pop_front();
            }
        }
    }

    pub(super) fn drop_new(&self) {
        lock(&self.table).new.clear();
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.table).tickets.len()
    }
}

impl ClientSessionStore for ReceivedTickets {
    fn set_kx_hint(&self, _name: ServerName<'static>, _group: NamedGroup) {}

    fn kx_hint(&self, _name: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _name: ServerName<'static>, _value: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _name: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _name: ServerName<'static>, value: Tls13ClientSessionValue) {
        // Which peer it was is known to the session: the name is only what was asked for.
        let new = &mut lock(&self.table).new;
        if new.len() < ReceivedTickets::PER_PEER_MAX {
            new.push(value);
        }
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let peer = peer_of(name)?;
        let tickets = &mut lock(&self.table).tickets;
        let newest = tickets.iter().rposition(|(owner, _)| *owner == peer)?;
        tickets.remove(newest).map(|(_, ticket)| ticket)
    }
}

impl fmt::Debug for ReceivedTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedTickets").field("count", &self.len()).finish()
    }
}

/// The name by which rustls asks for tickets of `peer`; it never leaves the node.
// spec: 3.3 TLS profile
pub(super) fn name_of(peer: Option<PeerId>) -> ServerName<'static> {
    let text = match peer {
        Some(peer) => {
            let mut text = String::with_capacity(2 * peer.0.len() + ".invalid".len());
            for byte in peer.0 {
                let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
                text.extend([digit(byte >> 4), digit(byte & 15)]);
            }
            text + ".invalid"
        }
        None => String::from("invalid"),
    };
    ServerName::try_from(text).expect("hex digits and letters are a DNS name")
}

/// None for a dial that asks for nobody: it offers no ticket.
fn peer_of(name: &ServerName<'_>) -> Option<PeerId> {
    let name = name.to_str();
    let digits = name.strip_suffix(".invalid")?;
    u128::from_str_radix(digits, 16).ok().map(|bits| PeerId(bits.to_be_bytes()))
}

/// No code that holds these locks can panic half way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
