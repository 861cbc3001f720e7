//! What follows from anything that changed a connection: events of QUIC, streams, deadlines.

use quinn_proto::Event;

use rustls::pki_types::CertificateDer;

use super::bans::BANNED;
use super::config::Trust;
use super::drops::QuicDrop;
use super::ends::end_of;
use super::events::{QuicConnection, QuicEvent};
use super::member::{Code, End, Member, Stage};
use super::tls::{PeerInTls, peer_of};
use super::{Quic, config};
use crate::error::Error;
use crate::io::canonical;
use crate::time::Time;

impl Quic {
    /// Does what is due at `now`: retransmissions, keep-alives, timeouts.
    pub fn handle_timeout(&mut self, now: Time) {
        self.calendar.set(now);
        let is_due = |member: &&Member| member.due.is_some_and(|due| due <= now);
        let due: Vec<QuicConnection> =
            self.members.values().filter(is_due).map(|member| member.id).collect();
        for id in due {
            let Some(member) = self.members.get_mut(&id) else { continue };
            if !member.is_drained {
                member.connection.handle_timeout(self.clock.instant(now));
                member.is_urgent = true;
            }
            self.handle_deadlines(now, id);
            self.drive(now, id);
        }
    }

    /// Brings a connection that was touched to rest.
    pub(super) fn drive(&mut self, now: Time, id: QuicConnection) {
        loop {
            let Some(member) = self.members.get_mut(&id) else { return };
            member.wants_transmit = true;
            exchange(&mut self.endpoint, member);
            let Some(event) = member.connection.poll() else { break };
            match event {
                Event::Connected => self.on_connected(now, id),
                Event::ConnectionLost { reason } => {
                    let was_open = member.connected.is_some();
                    self.on_ended(now, id, end_of(reason, was_open));
                }
                Event::Stream(event) => member.on_stream(event, &mut self.shared),
                Event::HandshakeDataReady | Event::DatagramReceived | Event::DatagramsUnblocked => {
                }
            }
        }
        self.follow_move(now, id);
        self.finish_drive(now, id);
    }

    /// Reads, writes, and lets go of what is over.
    pub(super) fn finish_drive(&mut self, now: Time, id: QuicConnection) {
        self.queue_up(id);
        let Some(member) = self.members.get_mut(&id) else { return };
        let kept_waiting = member.is_draining() || member.is_held;
        member.read(&mut self.shared);
        for address in self.shared.touched.drain(..) {
            self.map.touch(address);
        }
        member.flush(&mut self.shared);
        if let Some((_, end)) = member.drains.clone()
            && member.stage != Stage::Asking
            && member.has_sent_everything()
        {
            member.end(&self.clock, now, end);
            self.leave_map(now, id);
        }
        let Some(member) = self.members.get_mut(&id) else { return };
        member.report_end(&mut self.shared);
        exchange(&mut self.endpoint, member);
        let keeps_waiting = member.is_draining() || member.is_held;
        if member.is_drained {
            self.routes.remove(&member.handle.0);
        }
        member.note_due(&self.clock);
        if member.is_drained && member.stage == Stage::Reported {
            self.members.remove(&id);
        }
        if kept_waiting && !keeps_waiting {
            self.let_others_go_on(now, id);
        }
    }

    /// It ended by itself.
    fn on_ended(&mut self, now: Time, id: QuicConnection, end: End) {
        let Some(member) = self.members.get_mut(&id) else { return };
        // What we said while draining counts more than what the peer says to it.
        let was_draining = member.is_draining();
        member.note_end(end);
        self.leave_map(now, id);
        if was_draining {
            self.let_others_go_on(now, id);
        }
    }

    /// The handshake is done: who is it?
    fn on_connected(&mut self, now: Time, id: QuicConnection) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let shown = member.connection.crypto_session().peer_identity();
        let shown = shown.and_then(|shown| shown.downcast::<Vec<CertificateDer<'static>>>().ok());
        let trust = &self.shared.config.trust;
        let Some(seen) = shown.and_then(|shown| peer_of(trust, &shown)) else {
            return self.turn_away(now, id, QuicDrop::PeerMistaken, "you showed no key of a peer");
        };
        let PeerInTls { peer, key } = seen;
        if peer == self.tls.peer_id {
            return self.turn_away(
                now,
                id,
                QuicDrop::PeerMistaken,
                "you have the key that we have",
            );
        }
        if member.expected.is_some_and(|expected| expected != peer) {
            return self.turn_away(
                now,
                id,
                QuicDrop::PeerMistaken,
                "you are not the peer that was dialled",
            );
        }
        member.peer = Some(peer);
        if self.bans.has_peer(now, peer) {
            return self.turn_away(now, id, QuicDrop::PeerBanned, BANNED);
        }
        let asks = self.shared.config.ask_before_accept;
        let is_known = match trust {
            Trust::RawKeys { peers, .. } => peers.contains(&peer) || member.expected.is_some(),
            Trust::Certificates(_) => !asks || member.expected.is_some(),
        };
        if is_known {
            return self.accept_member(now, id);
        }
        if !asks {
            return self.turn_away(
                now,
                id,
                QuicDrop::PeerUnknown,
                "your peer id is not known here",
            );
        }
        member.stage = Stage::Asking;
        member.deadline = Some(now + self.shared.config.accept_timeout);
        let address = member.address;
        self.shared.events.push_back(QuicEvent::ConnectionRequest {
            connection: id,
            address,
            peer,
            public_key: key,
        });
    }

    /// Rules or the owner said yes.
    pub(super) fn accept_member(&mut self, now: Time, id: QuicConnection) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(peer) = member.peer else { return };
        member.stage = Stage::Open;
        member.deadline = None;
        member.connected = Some(now);
        member.outbox.note_room();
        let (address, by_peer) = (member.address, member.by_peer);
        match by_peer {
            true => self.shared.stats.accepted += 1,
            false => self.shared.stats.dialled += 1,
        }
        let connection = id;
        self.shared.events.push_back(QuicEvent::Connected { connection, address, peer, by_peer });
        if by_peer {
            self.settle_place(now, id);
        }
    }

    /// The peer is not who it should be, or not wanted.
    pub(super) fn turn_away(&mut self, now: Time, id: QuicConnection, why: QuicDrop, text: &str) {
        self.shared.stats.count_dropped(why, 1);
        let Some(member) = self.members.get_mut(&id) else { return };
        let (reason, code) = if why == QuicDrop::PeerMistaken {
            (Error::Identity, Code::Identity)
        } else if why == QuicDrop::PeerBanned {
            (Error::Banned, Code::Refused)
        } else {
            (Error::Refused, Code::Refused)
        };
        member.end(&self.clock, now, End::of(reason, code, text));
        self.leave_map(now, id);
    }

    fn handle_deadlines(&mut self, now: Time, id: QuicConnection) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let is_over = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if is_over(member.deadline) {
            member.deadline = None;
            match member.stage {
                Stage::Handshaking => {
                    let end = End::of(Error::Timeout, Code::Timeout, "the handshake took too long");
                    member.end(&self.clock, now, end);
                    self.leave_map(now, id);
                }
                Stage::Asking => {
                    self.turn_away(now, id, QuicDrop::PeerRefused, "nobody said yes in time");
                }
                Stage::Open | Stage::Ended(_) | Stage::Reported => {}
            }
        }
        let Some(member) = self.members.get_mut(&id) else { return };
        if let Some((until, end)) = &member.drains
            && *until <= now
        {
            let end = end.clone();
            member.end(&self.clock, now, end);
            self.leave_map(now, id);
            self.let_others_go_on(now, id);
        }
    }

    /// QUIC follows a peer that moves, without a word; the map follows once the address held.
    fn follow_move(&mut self, now: Time, id: QuicConnection) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let remote = canonical(member.connection.remote_address());
        if remote == member.address || member.connected.is_none() {
            member.moves = None;
            return;
        }
        match member.moves {
            Some((to, at)) if to == remote => {
                if at <= now {
                    member.moves = None;
                    self.move_place(now, id, remote);
                }
            }
            Some(_) | None => member.moves = Some((remote, now + config::MOVE_DELAY)),
        }
    }
}

/// Passes on what a connection and the endpoint have for each other.
fn exchange(endpoint: &mut quinn_proto::Endpoint, member: &mut Member) {
    while !member.is_drained
        && let Some(event) = member.connection.poll_endpoint_events()
    {
        member.is_drained = event.is_drained();
        if let Some(event) = endpoint.handle_event(member.handle, event) {
            member.connection.handle_event(event);
        }
    }
}
