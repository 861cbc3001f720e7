//! Where a connection's paths lead: packets from elsewhere, challenges, moves, observed addresses.

use std::net::SocketAddr;

use rand_chacha::rand_core::Rng;

use super::inbound::{Inbound, Source};
use super::shared::{Notice, Shared};
use super::{Breach, Connection};
use crate::channel::{HEADER_SIZE, TAG_SIZE};
use crate::crypto::SealInfo;
use crate::id::{ChannelNumber, PathId};
use crate::io::{EcnMark, Event, Transmit, canonical};
use crate::path::{Carrier, Challenge, Ends, Owed, PathProbe, Sighting, Verdict};
use crate::time::Time;
use crate::wire::Writer;
use crate::wire::frame::{CHALLENGE_LEN, Frame, ObservedAddress};
use crate::wire::short;

impl Connection {
    /// What a live path needs to carry packets, once there are keys.
    #[inline]
    pub(super) fn carrier_mut(&mut self, path: PathId) -> Option<&mut Carrier> {
        self.established.as_mut()?.carriers.get_mut(path)
    }

    /// The live path that leads there.
    pub(crate) fn path_to(&self, remote: SocketAddr) -> Option<PathId> {
        self.paths.iter().find(|(_, path)| path.remote == remote).map(|(id, _)| id)
    }

    /// A packet opened that came on a path, of a datagram of `size` bytes; it may have come from
    /// somewhere new.
    // spec: 12.7 address changes
    #[inline]
    pub(super) fn note_source(
        &mut self,
        shared: &mut Shared,
        path: PathId,
        source: &Source,
        size: usize,
        is_newest: bool,
    ) {
        let Some(known) = self.paths.get(path) else { return };
        if source.from != known.remote {
            let ends = Ends { remote: source.from, local: source.local };
            let seen = Sighting { now: source.now, ends, size, is_newest };
            self.note_elsewhere(shared, path, &seen);
        } else if is_newest && source.local != known.local {
            self.note_local(shared, path, source);
        }
    }

    fn note_elsewhere(&mut self, shared: &mut Shared, path: PathId, seen: &Sighting) {
        let Some(current) = self.paths.get(path).map(|path| path.ends()) else { return };
        let Some(carrier) = self.carrier_mut(path) else { return };
        let pto = carrier.pto();
        if carrier.validation_mut().on_elsewhere(seen, current, pto) {
            self.schedule(shared);
        }
    }

    /// The peer speaks to another address or socket of ours: that is where to answer from. A path
    /// whose source the system chooses goes on so.
    fn note_local(&mut self, shared: &mut Shared, path: PathId, source: &Source) {
        let Some(known) = self.paths.get_mut(path) else { return };
        let (old, new) = (known.local, source.local);
        let is_other_ip = old.ip.is_some() && new.ip.is_some() && old.ip != new.ip;
        if old.socket == new.socket && !is_other_ip {
            return;
        }
        known.local = new;
        if is_other_ip {
            self.restart_path(shared, source.now, path);
        }
    }

    // spec: 8.18 PATH_CHALLENGE, 12.4 validation
    pub(super) fn handle_challenge(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        challenge: Challenge,
    ) {
        let Some((from, size)) = inbound.from else { return };
        let Some(carrier) = self.carrier_mut(inbound.path) else { return };
        carrier.validation_mut().on_challenge(challenge, from, size);
        self.schedule(shared);
    }

    // spec: 8.18 PATH_RESPONSE, 12.7 address changes
    pub(super) fn handle_answer(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        answer: Challenge,
    ) {
        let (now, path) = (inbound.now, inbound.path);
        let Some(carrier) = self.carrier_mut(path) else { return };
        let pto = carrier.pto();
        match carrier.validation_mut().on_answer(now, answer, pto) {
            Verdict::None => {}
            Verdict::Moved(ends, round) => {
                self.move_to(shared, now, path, ends);
                if let Some(carrier) = self.carrier_mut(path) {
                    carrier.take_sample(now, round);
                }
            }
            Verdict::Back(ends) => self.move_to(shared, now, path, ends),
        }
    }

    /// The path leads elsewhere from now on.
    fn move_to(&mut self, shared: &mut Shared, now: Time, path: PathId, ends: Ends) {
        let Some(moved) = self.paths.get_mut(path) else { return };
        let is_other_ip = moved.remote.ip() != ends.remote.ip();
        (moved.remote, moved.local) = (ends.remote, ends.local);
        if is_other_ip {
            self.restart_path(shared, now, path);
        }
        if let Some(carrier) = self.carrier_mut(path) {
            // What left meanwhile went to nobody: that is no reason to wait.
            carrier.sent.reset_backoff();
            carrier.observed.sequence += 1;
        }
        self.owe(path, |owed| owed.observed = true);
        let address = ends.remote;
        shared.notify(self.handle, Notice::Moved(address));
        if shared.events.len() < shared.config.events_max {
            shared.events.push_back(Event::PathChanged { connection: self.handle, address });
        }
        self.schedule(shared);
    }

    /// What was learnt of the way there means nothing on another way.
    // spec: 12.7 address changes; RFC 9000 9.4
    fn restart_path(&mut self, shared: &mut Shared, now: Time, path: PathId) {
        // What it names arrived, and would be given up as lost.
        self.handle_late_ack(shared);
        let Some(carrier) = self.carrier_mut(path) else { return };
        let mut fates = std::mem::take(&mut shared.scratch.fates);
        carrier.restart(now, &shared.config, &mut fates);
        self.use_packet_size(path);
        self.settle(shared, now, &mut fates);
        shared.scratch.fates = fates;
    }

    // spec: 8.21 OBSERVED_ADDRESS, 12.8 observed addresses
    pub(super) fn handle_observed(&mut self, observed: &ObservedAddress) -> Result<(), Breach> {
        if let Some(carrier) = self.carrier_mut(observed.path) {
            let known = &mut carrier.observed.ours;
            if known.is_none_or(|(sequence, _)| sequence < observed.sequence) {
                *known = Some((observed.sequence, canonical(observed.address)));
            }
        }
        Ok(())
    }

    /// OBSERVED_ADDRESS was lost: it is said again, unless another was said since.
    pub(super) fn observed_lost(&mut self, path: PathId, sequence: u64) {
        if self.carrier_mut(path).is_some_and(|carrier| carrier.observed.sequence == sequence) {
            self.owe(path, |owed| owed.observed = true);
        }
    }

    /// Something is to be said about a path.
    pub(super) fn owe(&mut self, path: PathId, note: impl FnOnce(&mut Owed)) {
        if let Some(carrier) = self.carrier_mut(path) {
            note(&mut carrier.owed);
            self.duties.paths = true;
        }
    }

    /// Where the peer sees our packets come from, on the path that is sent on.
    pub(crate) fn observed_address(&self) -> Option<SocketAddr> {
        let observed = self.established.as_ref()?.carriers.current().observed.ours;
        observed.map(|(_, address)| address)
    }

    /// A datagram with challenges and answers, perhaps to where nothing else goes yet. It counts
    /// for none of the path's: neither as in flight nor, when it is lost, as congestion.
    // spec: 12.4 validation
    pub(super) fn transmit_path_probe(
        &mut self,
        shared: &mut Shared,
        now: Time,
        path: PathId,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let established = self.established.as_mut()?;
        let carrier = established.carriers.get_mut(path)?;
        let is_spent = established.epochs.seals_left() == 0 || carrier.sent.is_full();
        if !carrier.is_validating() || is_spent {
            return None;
        }
        let current = self.paths.get(path)?.ends();
        let probe = carrier.validation_mut().poll(current)?;
        let number = carrier.sent.begin(&mut shared.rng);
        let number_len = short::number_len(number, carrier.sent.largest_acked());
        let start = HEADER_SIZE + number_len;
        let size_max = probe.size_max;
        if buf.len() < size_max {
            buf.resize(size_max, 0);
        }
        let packet = &mut buf[..size_max];
        packet.fill(0);
        let mut challenge = [0; CHALLENGE_LEN];
        shared.rng.fill_bytes(&mut challenge);
        let room = &mut packet[start..size_max - TAG_SIZE];
        let is_sent = write_probe(&mut Writer::new(room), &probe, challenge);
        let info = SealInfo { channel: ChannelNumber::NONE, path, number, number_len };
        if !established.seal_only(&info, packet) {
            return None;
        }
        let carrier = established.carriers.get_mut(path)?;
        carrier.finish_path_probe(now, size_max);
        let challenge = is_sent.then_some(challenge);
        let PathProbe { to, .. } = probe;
        carrier.validation_mut().on_sent(now, to, size_max, challenge);
        self.stats.datagrams_sent += 1;
        self.stats.bytes_sent += size_max as u64;
        let (ecn, connection) = (EcnMark::None, Some(self.handle));
        let (to, local) = (to.remote, to.local);
        Some(Transmit { to, local, len: size_max, segment_size: size_max, ecn, connection })
    }
}

/// Writes what there is room for, answers first; whether the challenge is in it.
fn write_probe(writer: &mut Writer<'_>, probe: &PathProbe, challenge: Challenge) -> bool {
    for answer in &probe.answers {
        // Without room the peer asks again.
        if Frame::PathResponse(*answer).encode(writer).is_err() {
            break;
        }
    }
    probe.has_challenge && Frame::PathChallenge(challenge).encode(writer).is_ok()
}
