//! Who is not served, and until when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use crate::config::{BANS_MAX, REFUSAL};
use crate::error::Error;
use crate::id::PeerId;
use crate::time::Time;

/// Bans by peer id and by IP address. An expired one counts no more, and makes room for new ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bans {
    peers: BTreeMap<PeerId, Time>,
    addresses: BTreeMap<IpAddr, Time>,
    /// Who the application refused a moment ago, and where it was: a peer id alone proves nothing,
    /// and its owner may be elsewhere.
    refused: BTreeSet<(PeerId, IpAddr)>,
    /// The same with the end of each refusal, the earliest first.
    refusals: VecDeque<(Time, (PeerId, IpAddr))>,
}

impl Bans {
    pub(crate) fn ban_peer(&mut self, now: Time, peer: PeerId, until: Time) -> Result<(), Error> {
        insert(&mut self.peers, now, peer, until)
    }

    pub(crate) fn ban_address(&mut self, now: Time, ip: IpAddr, until: Time) -> Result<(), Error> {
        insert(&mut self.addresses, now, ip, until)
    }

    /// Remembers a refusal; when too many are remembered, this one is not.
    pub(crate) fn refuse_peer(&mut self, now: Time, peer: PeerId, ip: IpAddr) {
        self.forget_refusals(now);
        if self.refusals.len() < BANS_MAX && self.refused.insert((peer, ip)) {
            self.refusals.push_back((now + REFUSAL, (peer, ip)));
        }
    }

    pub(crate) fn has_refused(&mut self, now: Time, peer: PeerId, ip: IpAddr) -> bool {
        self.forget_refusals(now);
        self.refused.contains(&(peer, ip))
    }

    fn forget_refusals(&mut self, now: Time) {
        while let Some((until, who)) = self.refusals.front()
            && *until <= now
        {
            self.refused.remove(who);
            self.refusals.pop_front();
        }
    }

    pub(crate) fn lift_peer(&mut self, peer: PeerId) -> bool {
        self.peers.remove(&peer).is_some()
    }

    pub(crate) fn lift_address(&mut self, ip: IpAddr) -> bool {
        self.addresses.remove(&ip).is_some()
    }

    #[inline]
    pub(crate) fn has_peer(&self, now: Time, peer: PeerId) -> bool {
        !self.peers.is_empty() && self.peers.get(&peer).is_some_and(|until| now < *until)
    }

    #[inline]
    pub(crate) fn has_address(&self, now: Time, ip: IpAddr) -> bool {
        !self.addresses.is_empty() && self.addresses.get(&ip).is_some_and(|until| now < *until)
    }
}

fn insert<K: Ord>(
    bans: &mut BTreeMap<K, Time>,
    now: Time,
    key: K,
    until: Time,
) -> Result<(), Error> {
    if bans.len() >= BANS_MAX && !bans.contains_key(&key) {
        bans.retain(|_, until| now < *until);
        if bans.len() >= BANS_MAX {
            return Err(Error::Limit);
        }
    }
    bans.insert(key, until);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_end_and_more_than_remembered_are_forgotten() {
        let mut bans = Bans::default();
        let (now, later) = (Time::ZERO, Time::ZERO + REFUSAL);
        let ip = IpAddr::from([192, 0, 2, 1]);
        let peer = |number: usize| PeerId((number as u128).to_be_bytes());
        for number in 0..=BANS_MAX {
            bans.refuse_peer(now, peer(number), ip);
        }
        assert!(bans.has_refused(now, peer(BANS_MAX - 1), ip));
        assert!(!bans.has_refused(now, peer(BANS_MAX), ip));
        assert!(!bans.has_refused(now, peer(0), IpAddr::from([192, 0, 2, 2])));
        bans.refuse_peer(later, peer(BANS_MAX), ip);
        assert!(bans.has_refused(later, peer(BANS_MAX), ip));
        assert!(!bans.has_refused(later, peer(0), ip));
    }

    #[test]
    fn a_full_table_makes_room_only_of_expired_bans() {
        let mut bans = Bans::default();
        let (now, soon, late) = (Time::ZERO, Time::from_nanos(10), Time::from_nanos(20));
        let peer = |number: usize| PeerId((number as u128).to_be_bytes());
        for number in 0..BANS_MAX {
            let until = if number == 0 { soon } else { late };
            assert_eq!(bans.ban_peer(now, peer(number), until), Ok(()));
        }
        assert_eq!(bans.ban_peer(now, peer(BANS_MAX), late), Err(Error::Limit));
        assert_eq!(bans.ban_peer(soon, peer(BANS_MAX), late), Ok(()));
        assert!(!bans.has_peer(soon, peer(0)) && bans.has_peer(soon, peer(BANS_MAX)));
        assert!(bans.lift_peer(peer(1)) && !bans.lift_peer(peer(1)));
    }
}
