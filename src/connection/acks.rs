//! What acknowledgements say: heard at once, or, while an answer may be about to leave, behind it.

use std::time::Duration;

use super::inbound::Inbound;
use super::shared::Shared;
use super::{Breach, Connection};
use crate::id::PathId;
use crate::time::Time;
use crate::wire::codes::ConnectionCode;
use crate::wire::frame::{Ack, AckRanges, EcnCounts, Kind};

/// An ACK that came in a packet with data. Whoever sent that may wait for an answer, and nothing
/// waits for what follows from the ACK.
#[derive(Debug)]
pub(super) struct LateAck {
    /// When it came, and in which epoch.
    now: Time,
    epoch: u32,
    path: PathId,
    delay_us: u64,
    ecn: Option<EcnCounts>,
    /// Its only range.
    first: u64,
    largest: u64,
}

impl Connection {
    // spec: 8.5 ACK, ACK_ECN
    pub(super) fn handle_ack(
        &mut self,
        shared: &mut Shared,
        now: Time,
        epoch: u32,
        ack: &Ack<'_>,
    ) -> Result<(), Breach> {
        let Some(established) = &mut self.established else { return Ok(()) };
        let Some(carrier) = established.carriers.get_mut(ack.path) else {
            // Of an abandoned path: ignored. Others never existed.
            let is_old = established.tokens.is_abandoned(ack.path);
            return if is_old { Ok(()) } else { Err(ConnectionCode::Protocol.into()) };
        };
        let acked = carrier.epoch_of(ack.ranges.largest());
        let delay = Duration::from_micros(ack.delay_us);
        let mut fates = std::mem::take(&mut shared.scratch.fates);
        let outcome = carrier.handle_ack(now, delay, ack.ecn, ack.ranges.iter(), &mut fates);
        let outcome = outcome.map_err(|_| ConnectionCode::Protocol);
        let keys = established.epochs.on_acked(now, acked, epoch);
        self.settle(shared, now, &mut fates);
        shared.scratch.fates = fates;
        outcome?;
        self.conclude_losses(shared, now);
        self.ask_ack_rate(ack.path);
        keys.map_err(|_| ConnectionCode::KeyUpdate)?;
        // The window may have room again.
        self.schedule(shared);
        Ok(())
    }

    /// Leaves an ACK that came with data for when the answer has left, if there may be one and
    /// nothing else waits to be sent; false if it is to be heard now.
    pub(super) fn put_off(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        ack: &Ack<'_>,
    ) -> bool {
        let Some(first) = ack.ranges.first_of_single() else { return false };
        let may_wait = self.is_confirmed && !inbound.channel.is_none() && !self.duties.has_ready();
        let Some(established) = self.established.as_mut().filter(|_| may_wait) else {
            return false;
        };
        let (Ack { path, delay_us, ecn, .. }, largest) = (*ack, ack.ranges.largest());
        // What it names must have been sent by now, and not only when it is heard.
        let carrier = established.carriers.get(path);
        let is_known = carrier.is_some_and(|carrier| largest < carrier.sent.next_number());
        if established.late_ack.is_some() || !is_known {
            return false;
        }
        let (now, epoch) = (inbound.now, inbound.epoch);
        established.late_ack = Some(LateAck { now, epoch, path, delay_us, ecn, first, largest });
        self.schedule(shared);
        true
    }

    /// Whether an ACK was put off.
    #[inline]
    pub(super) fn has_late_ack(&self) -> bool {
        self.established.as_ref().is_some_and(|established| established.late_ack.is_some())
    }

    /// Hears the ACK that was put off.
    pub(super) fn handle_late_ack(&mut self, shared: &mut Shared) {
        let late = self.established.as_mut().and_then(|established| established.late_ack.take());
        let Some(late) = late.filter(|_| self.is_listening()) else { return };
        let LateAck { now, epoch, path, delay_us, ecn, first, largest } = late;
        let ack = Ack { path, delay_us, ecn, ranges: AckRanges::single(first, largest) };
        if let Err(breach) = self.handle_ack(shared, now, epoch, &ack) {
            let kind = if ecn.is_some() { Kind::AckEcn } else { Kind::Ack };
            self.breach(shared, now, Breach { message_type: kind.code(), ..breach });
        }
    }

    /// Asks the peer to acknowledge as often as it is of use.
    // spec: 13.3 acknowledging
    fn ask_ack_rate(&mut self, path: PathId) {
        let Some(mtu) = self.paths.get(path).map(|path| path.packet_size as u64) else { return };
        let Some(established) = &mut self.established else { return };
        let delay_max = Duration::from_micros(established.peer.ack_delay_max_us);
        let Some(carrier) = established.carriers.get_mut(path) else { return };
        let (window, rtt) = (carrier.congestion.window(), carrier.rtt.smoothed());
        if carrier.ack_rate.poll(window, mtu, rtt, delay_max).is_some() {
            carrier.owed.ack_rate = true;
            self.duties.paths = true;
        }
    }
}
