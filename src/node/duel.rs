//! Two connections with one peer: both sides dialled, or one of them restarted.
// spec: 7.14 both sides dial

use super::endpoint::Endpoint;
use super::table::Member;
use crate::error::Error;
use crate::id::{ConnectionHandle, PeerId, Side};
use crate::time::Time;
use crate::wire::codes::ConnectionCode;

/// Whether the connection that was there first still has a peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    asked_at: Time,
    pub(super) until: Time,
}

impl Endpoint {
    /// A connection with `peer` was confirmed: which of those that there are stays?
    pub(super) fn judge_duels(&mut self, now: Time, newer: ConnectionHandle, peer: PeerId) {
        let others: Vec<_> = self.table.with_peer(peer).filter(|other| *other != newer).collect();
        for older in others {
            self.judge_duel(now, newer, older, peer);
        }
    }

    fn judge_duel(
        &mut self,
        now: Time,
        newer: ConnectionHandle,
        older: ConnectionHandle,
        peer: PeerId,
    ) {
        let (Some(new), Some(old)) = (self.table.get(newer), self.table.get(older)) else { return };
        if !old.connection.is_complete() {
            // Rule 5. With early data under way it may be complete soon, and is then judged again.
            if !old.connection.has_sent_early() {
                self.abandon(now, older, newer);
            }
            return;
        }
        if old.connection.is_closing() {
            return;
        }
        let (new_side, old_side) = (new.connection.side, old.connection.side);
        if new_side == old_side {
            // Rule 4.
            return self.abort(now, older, ConnectionCode::Superseded, Error::Superseded);
        }
        if !old.connection.is_confirmed() {
            return;
        }
        // Rule 1: the one that the smaller id began stays.
        let ours_stays = self.peer_id() < peer;
        let newer_stays = (new_side == Side::Initiator) == ours_stays;
        let loser = if newer_stays { older } else { newer };
        if let Some(member) = self.table.get_mut(loser) {
            member.is_superseded = true;
        }
        self.ask_older(now, older);
        self.end_superseded(now, loser);
    }

    /// Rule 5: an attempt is of no use any more; what waits for it goes on with the connection that
    /// there is.
    fn abandon(&mut self, now: Time, attempt: ConnectionHandle, other: ConnectionHandle) {
        let Some(member) = self.table.get_mut(attempt) else { return };
        let waiting = member.connection.give_up_channels(&mut self.shared);
        if let Some(other) = self.table.get_mut(other) {
            other.connection.adopt_channels(&mut self.shared, now, &waiting);
        }
        self.abort(now, attempt, ConnectionCode::Superseded, Error::Superseded);
    }

    /// Rule 3: has the peer still the one that was there first?
    fn ask_older(&mut self, now: Time, older: ConnectionHandle) {
        let Some(member) = self.table.get_mut(older) else { return };
        member.connection.ping(&mut self.shared);
        let until = now + 3 * member.connection.pto_max();
        member.probe = Some(Box::new(Probe { asked_at: now, until }));
        self.table.note_changed(older);
    }

    /// Rule 2: who began the one that does not stay ends it when nothing is left on it.
    pub(super) fn end_superseded(&mut self, now: Time, handle: ConnectionHandle) {
        let Ok(member) = self.table.live(handle) else { return };
        let connection = &member.connection;
        let is_ours = connection.side == Side::Initiator;
        if member.is_superseded && is_ours && connection.channel_count() == 0 {
            self.abort(now, handle, ConnectionCode::Superseded, Error::Superseded);
        }
    }

    /// No answer: the peer had restarted, and the other connection stays.
    pub(super) fn handle_probe_timeout(&mut self, now: Time, handle: ConnectionHandle) {
        let Ok(member) = self.table.live_mut(handle) else { return };
        let Some(probe) = member.probe.take_if(|probe| probe.until <= now) else { return };
        if has_heard_since(member, probe.asked_at) {
            return;
        }
        self.abort(now, handle, ConnectionCode::Superseded, Error::Reset);
    }
}

fn has_heard_since(member: &Member, since: Time) -> bool {
    member.connection.heard_at().is_some_and(|heard| heard > since)
}
