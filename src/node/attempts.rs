//! Which handshake a long packet belongs to.
// spec: 7.2 ids of an attempt

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::config::FINISHED_ATTEMPTS_MAX;
use crate::crypto::AttemptIds;
use crate::id::{AttemptId, ConnectionHandle, Side};
use crate::time::Time;
use crate::wire::long::LongHeader;

/// What a responder knows an attempt by: address, recipient id, sender id.
type Key = (SocketAddr, AttemptId, AttemptId);

/// Attempts under way, and those that were answered and are done.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// Ours, by our id.
    dialled: BTreeMap<AttemptId, (SocketAddr, ConnectionHandle)>,
    /// Peers', each twice: by the id that the peer drew for us, and by ours.
    answered: BTreeMap<Key, ConnectionHandle>,
    /// Peers' that are done.
    finished: BTreeSet<Key>,
    /// The same by age, and until when they are remembered.
    ages: VecDeque<(Time, [Key; 2])>,
}

/// An attempt as it stands in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    /// We dialled.
    Dialled(AttemptId),
    /// The peer did.
    Answered([Key; 2]),
}

impl Attempts {
    /// The connection whose attempt has the ids of this packet from this address.
    pub(super) fn find(&self, from: SocketAddr, header: &LongHeader) -> Option<ConnectionHandle> {
        let answered = self.answered.get(&(from, header.recipient, header.sender));
        answered.copied().or_else(|| {
            let (address, handle) = self.dialled.get(&header.recipient)?;
            (*address == from).then_some(*handle)
        })
    }

    /// Whether any is under way.
    pub(super) fn has_any(&self) -> bool {
        !(self.dialled.is_empty() && self.answered.is_empty())
    }

    /// Whether the packet is of an attempt that is done.
    pub(super) fn has_finished(&mut self, now: Time, from: SocketAddr, of: &LongHeader) -> bool {
        self.expire(now);
        self.finished.contains(&(from, of.recipient, of.sender))
    }

    /// Adds an attempt with `remote`.
    pub(super) fn insert(
        &mut self,
        side: Side,
        remote: SocketAddr,
        ids: &AttemptIds,
        handle: ConnectionHandle,
    ) -> Listed {
        match side {
            Side::Initiator => {
                self.dialled.insert(ids.initiator, (remote, handle));
                Listed::Dialled(ids.initiator)
            }
            Side::Responder => {
                let keys = [ids.original, ids.responder].map(|id| (remote, id, ids.initiator));
                self.answered.extend(keys.map(|key| (key, handle)));
                Listed::Answered(keys)
            }
        }
    }

    /// Takes an attempt out that is confirmed or has failed; one of a peer is remembered, so that a
    /// late copy of its first packet begins nothing.
    pub(super) fn finish(&mut self, now: Time, memory: Duration, listed: Listed) {
        match listed {
            Listed::Dialled(id) => {
                self.dialled.remove(&id);
            }
            Listed::Answered(keys) => {
                for key in &keys {
                    self.answered.remove(key);
                }
                self.expire(now);
                if self.ages.len() >= FINISHED_ATTEMPTS_MAX {
                    self.forget_oldest();
                }
                self.finished.extend(keys);
                self.ages.push_back((now + memory, keys));
            }
        }
    }

    fn expire(&mut self, now: Time) {
        while self.ages.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        for key in self.ages.pop_front().map(|(_, keys)| keys).into_iter().flatten() {
            self.finished.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
