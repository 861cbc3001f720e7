//! Which connection has the place of an address in the map, and what becomes of the others.

use std::net::SocketAddr;

use super::Quic;
use super::config::DUEL_TIME;
use super::events::{QuicConnection, QuicEvent};
use super::map::Displaced;
use super::member::{Code, End, Member, Stage};
use crate::error::Error;
use crate::time::Time;

impl Quic {
    /// A connection that the peer began was accepted: it gets the place of its address, unless we
    /// dialled the same peer at the same time and our id is the smaller one.
    pub(super) fn settle_place(&mut self, now: Time, id: QuicConnection) {
        let Some(member) = self.members.get(&id) else { return };
        let (address, peer) = (member.address, member.peer);
        let other = self.map.get(address).and_then(|other| self.members.get(&other));
        if let Some(other) = other
            && is_duel(other, member, now)
            && peer.is_some_and(|peer| self.tls.peer_id < peer)
        {
            // The peer drains it, and we read what comes.
            self.shared.stats.superseded += 1;
            return;
        }
        self.take_place(now, id, address);
    }

    /// Puts a connection in the map; what had to go drains.
    pub(super) fn take_place(&mut self, now: Time, id: QuicConnection, address: SocketAddr) {
        match self.map.insert(address, id) {
            Some(Displaced::Replaced(other)) if other != id => {
                self.shared.stats.superseded += 1;
                self.pass_on(other, id);
                let text = "another connection with you is used";
                self.drain(now, other, End::of(Error::Superseded, Code::Superseded, text));
            }
            Some(Displaced::Evicted(other)) => {
                self.shared.stats.evicted += 1;
                let text = "unused for the longest time of all connections";
                self.drain(now, other, End::of(Error::Limit, Code::Evicted, text));
            }
            Some(Displaced::Replaced(_)) | None => {}
        }
    }

    /// What waits on a connection whose handshake is not done goes on the one that takes its place.
    fn pass_on(&mut self, from: QuicConnection, to: QuicConnection) {
        let Some(mut other) = self.members.remove(&from) else { return };
        if other.connected.is_none()
            && let Some(member) = self.members.get_mut(&to)
        {
            member.outbox.inherit(&mut other.outbox);
            member.wants_transmit = true;
        }
        self.members.insert(from, other);
    }

    /// For the order of messages: what is sent waits until an older connection with the same peer
    /// has sent what it has, and what came, until what came on an older one was read.
    pub(super) fn queue_up(&mut self, id: QuicConnection) {
        if self.members.len() == self.map.len() {
            return self.note_waits(id, false, false);
        }
        let Some(member) = self.members.get(&id) else { return };
        let is_draining = member.is_draining();
        let (mut sends, mut reads) = (false, false);
        for other in self.members.values().filter(|other| other.id != id) {
            let is_before = other.id < id;
            let same_place = other.address == member.address;
            sends |= same_place && other.is_draining() && (is_before || !is_draining);
            reads |= is_before && other.is_held && other.peer == member.peer;
        }
        self.note_waits(id, sends, reads);
    }

    fn note_waits(&mut self, id: QuicConnection, sends: bool, reads: bool) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.waits_for_sends && !sends {
            member.outbox.note_room();
            member.wants_transmit = true;
        }
        (member.waits_for_sends, member.waits_for_reads) = (sends, reads);
    }

    /// A connection no longer keeps others waiting, perhaps.
    pub(super) fn let_others_go_on(&mut self, now: Time, id: QuicConnection) {
        let waits = |other: &&Member| {
            other.id != id && (other.waits_for_sends || other.waits_for_reads && other.is_held)
        };
        let waiting: Vec<QuicConnection> =
            self.members.values().filter(waits).map(|other| other.id).collect();
        for other in waiting {
            self.finish_drive(now, other);
        }
    }

    /// A connection ends: another with the same peer gets its place, if there is one.
    pub(super) fn leave_map(&mut self, now: Time, id: QuicConnection) {
        let Some(member) = self.members.get(&id) else { return };
        let address = member.address;
        if !self.map.remove_if(address, id) {
            return;
        }
        let is_heir = |other: &&Member| {
            other.address == address && other.stage == Stage::Open && other.drains.is_none()
        };
        let heir = self.members.values().rev().find(is_heir).map(|heir| heir.id);
        if let Some(heir) = heir {
            self.take_place(now, heir, address);
        }
    }

    /// The peer of a connection is somewhere else now.
    pub(super) fn move_place(&mut self, now: Time, id: QuicConnection, to: SocketAddr) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let from = std::mem::replace(&mut member.address, to);
        let event = QuicEvent::AddressChanged { connection: id, from, to };
        self.shared.events.push_back(event);
        if self.map.remove_if(from, id) {
            self.take_place(now, id, to);
        }
    }

    /// Closes a connection once what was taken for sending has arrived, or `drain_timeout` passed.
    pub(super) fn drain(&mut self, now: Time, id: QuicConnection, end: End) {
        let until = now + self.shared.config.drain_timeout;
        let Some(member) = self.members.get_mut(&id) else { return };
        if !member.takes_messages() {
            return;
        }
        member.drains = Some((until, end));
        member.wants_transmit = true;
        self.finish_drive(now, id);
    }
}

/// Whether both sides dialled each other at once: `ours` was dialled by us and is young, and
/// nothing says that it is with somebody else.
fn is_duel(ours: &Member, theirs: &Member, now: Time) -> bool {
    let is_young = ours.connected.is_none_or(|at| now.since(at) < DUEL_TIME);
    let other = ours.peer.or(ours.expected);
    !ours.by_peer && is_young && other.is_none_or(|peer| Some(peer) == theirs.peer)
}
