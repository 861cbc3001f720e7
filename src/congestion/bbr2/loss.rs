//! What losses and marks change: bounds for the long term when probing, for the short term else.

use crate::time::Time;

use super::super::LOSS_PERCENT;
use super::{Ack, Bbr2, DOWN_GAIN, LossSample, RateSample, State, per_second};

/// Losses and deliveries of a round trip.
// spec: BBR 2.10
#[derive(Debug, Clone, Default)]
pub(super) struct LossRound {
    /// Of the round trip in hand.
    current: Losses,
    /// Of the one that the ACK in hand ended.
    pub(super) ended: Option<Losses>,
    /// It ends with a packet that was sent when so much was delivered.
    ends_at: u64,
    /// Bytes delivered so far.
    pub(super) delivered: u64,
    delivered_from: u64,
    pub(super) latest: Latest,
    /// Where the last lost packet ended in the stream of all that was sent; wraps.
    last_end: Option<u32>,
    /// What the last ACK told: in flight when its packet was sent, lost since, whether the
    /// application was the limit.
    last: Option<(u64, u64, bool)>,
}

/// The greatest rate and volume delivered in a round trip.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latest {
    rate: u64,
    pub(super) in_flight: u64,
}

impl Latest {
    /// What a sample tells. What was lost of it counts as delivered, as far as it is tolerated.
    ///
    /// The drafts do not count it. But each round trip with a loss lowers the rate to what it
    /// delivered, and the next delivers less than that by what it loses again: a link that loses
    /// one packet in a hundred by itself would be given up by a third within forty round trips.
    fn of(sample: &RateSample, loss_percent: u64) -> Latest {
        // Of all that was sent, not of what arrived.
        let lost = sample.lost.min(sample.delivered * loss_percent / (100 - loss_percent));
        let lost_rate = per_second(lost, sample.interval).unwrap_or(0);
        let rate = sample.rate.map_or(0, |rate| rate + lost_rate);
        Latest { rate, in_flight: sample.delivered + lost }
    }
}

/// What was lost in a round trip.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Losses {
    bytes: u64,
    delivered: u64,
    /// Places where packets are missing.
    pub(super) gaps: u32,
    is_marked: bool,
}

impl LossRound {
    /// Forgets what was lost in this round trip.
    pub(super) fn reset_round(&mut self) {
        self.current = Losses::default();
        self.delivered_from = self.delivered;
    }

    // spec: BBR 5.5.10.3: ResetCongestionSignals
    pub(super) fn reset_latest(&mut self) {
        self.reset_round();
        self.latest = Latest::default();
    }
}

impl Bbr2 {
    // spec: BBR 5.5.10.3
    pub(super) fn update_latest_delivery(&mut self, ack: &Ack) {
        let it = &mut self.loss;
        let latest = Latest::of(&ack.sample, self.loss_percent);
        it.delivered = ack.delivered;
        it.latest.rate = it.latest.rate.max(latest.rate);
        it.latest.in_flight = it.latest.in_flight.max(latest.in_flight);
        it.last = Some((ack.sample.sent_in_flight, ack.sample.lost, ack.sample.is_app_limited));
        it.ended = None;
        if ack.sample.prior_delivered >= it.ends_at {
            it.ends_at = ack.delivered;
            let delivered = ack.delivered - it.delivered_from;
            it.delivered_from = ack.delivered;
            it.ended = Some(Losses { delivered, ..std::mem::take(&mut it.current) });
        }
    }

    // spec: BBR 5.5.10.3
    pub(super) fn advance_latest_delivery(&mut self, ack: &Ack) {
        if self.loss.ended.is_some() {
            self.loss.latest = Latest::of(&ack.sample, self.loss_percent);
        }
    }

    // spec: BBR 5.5.10.3
    pub(super) fn update_congestion_signals(&mut self, ack: &Ack) {
        self.model.rounds.update(ack);
        if self.model.rounds.is_start {
            self.cycle.rounds_since_probe += 1;
            self.is_window_reached = (false, self.is_window_reached.0);
        }
        self.model.update_rate(ack);
        if let Some(round) = self.loss.ended
            && !self.is_probing()
            && self.model.rounds.count >= self.probe_rtt.heard_until
        {
            self.adapt_short_term(&round);
        }
    }

    /// Slows down towards what the last round trip delivered.
    // spec: BBR 5.5.10.3: AdaptLowerBoundsFromCongestion
    fn adapt_short_term(&mut self, round: &Losses) {
        let is_lossy = match self.loss_percent > u64::from(LOSS_PERCENT) {
            // Told that the link loses by itself: only what is lost beyond that is a sign.
            true => self.is_round_lossy(round),
            false => round.bytes > 0,
        };
        if !is_lossy && !round.is_marked {
            return;
        }
        // What was sent slowly on purpose is delivered slowly. The drafts do not except it: one
        // loss in Down then costs a tenth of the rate until the next probe.
        let gain = self.gain_heard();
        let model = &mut self.model;
        if model.in_flight_short == u64::MAX {
            model.in_flight_short = self.window;
        }
        if is_lossy {
            model.rate_short = model.rate_short.min(model.max_rate());
            let latest = (self.loss.latest.rate * 100 / gain).min(model.rate_short);
            model.rate_short = latest.max(model.rate_short / 100 * BETA_PERCENT);
            let latest = (self.loss.latest.in_flight * 100 / gain).min(model.in_flight_short);
            // What this rate needs in flight is no less, or it would fall from round trip to round
            // trip without a loss. The drafts forget that acknowledgements come in bundles.
            let needed = model.bdp(model.rate_short).unwrap_or(0) + model.extra_acked();
            let latest = latest.max(needed.min(model.in_flight_short));
            model.in_flight_short = latest.max(model.in_flight_short / 100 * BETA_PERCENT);
        } else {
            // Nothing is missing of what a queue marked: what was delivered is no bound.
            model.in_flight_short = model.in_flight_short / 100 * MARKED_PERCENT;
        }
    }

    /// The pacing gain of what is acknowledged, where that was below one.
    fn gain_heard(&self) -> u64 {
        let is_slow = self.state == State::Down || self.model.rounds.count < self.cycle.slow_until;
        if is_slow { DOWN_GAIN } else { 100 }
    }

    /// Whether so much was lost since a packet left that too much was in flight then.
    ///
    /// A rate of few losses is known badly: a link that loses one packet in a hundred shows twice
    /// as many in one flight of twenty-five, and the drafts would end most probes by that. So as
    /// many more are needed as the tolerated number spreads by chance, its square root.
    // spec: BBR 5.5.10.2: IsInflightTooHigh
    pub(super) const fn is_too_much(&self, lost: u64, sent_in_flight: u64) -> bool {
        let tolerated = sent_in_flight * self.loss_percent / 100;
        lost > tolerated && (lost - tolerated) * (lost - tolerated) > tolerated * self.mtu
    }

    /// The same of all that was sent in a round trip.
    pub(super) const fn is_round_lossy(&self, round: &Losses) -> bool {
        self.is_too_much(round.bytes, round.bytes + round.delivered)
    }

    // spec: BBR 5.5.10.2: NoteLoss, HandleLostPacket
    pub(super) fn handle_lost_packet(&mut self, now: Time, loss: &LossSample) {
        self.loss.delivered = loss.delivered;
        let snapshot = &loss.packet.snapshot;
        let size = loss.packet.size;
        self.note_congestion();
        self.save_before_loss(now, loss.packet.sent_at);
        self.loss.current.bytes += size;
        let end = (snapshot.delivered as u32)
            .wrapping_add(snapshot.lost)
            .wrapping_add(snapshot.in_flight);
        if self.loss.last_end.is_none_or(|last| last.wrapping_add(size as u32) != end) {
            self.loss.current.gaps += 1;
        }
        self.loss.last_end = Some(end);
        let in_flight = u64::from(snapshot.in_flight);
        if self.cycle.is_probe_sample && self.is_too_much(loss.lost, in_flight) {
            let in_flight = self.in_flight_at_loss(in_flight, loss.lost, size);
            self.handle_too_high(now, in_flight, snapshot.is_app_limited);
        }
    }

    /// A round trip with its first loss: it ends with what is sent from now on.
    fn note_congestion(&mut self) {
        if self.loss.current.bytes == 0 && !self.loss.current.is_marked {
            self.loss.ends_at = self.loss.delivered;
        }
    }

    /// A queue marked packets (RFC 3168): a sign like a loss, with nothing lost. The drafts leave
    /// the answer open (BBR 3.7); this one counts each marked packet as a lost one where rates of
    /// loss are compared, and lowers the volume by what RFC 8511 gives a controller whose answer to
    /// a loss is 0.7.
    // spec: 13.5 congestion control; BBR 3.7; RFC 8511 3.1
    pub(super) fn handle_marks(&mut self, now: Time, packets: u64) {
        self.note_congestion();
        self.loss.current.is_marked = true;
        let Some((in_flight, lost, is_app_limited)) = &mut self.loss.last else { return };
        *lost += packets * self.mtu;
        let (in_flight, lost, is_app_limited) = (*in_flight, *lost, *is_app_limited);
        if self.cycle.is_probe_sample && self.is_too_much(lost, in_flight) {
            self.handle_too_high(now, in_flight, is_app_limited);
        }
    }

    // spec: BBR 5.5.10.2: HandleInflightTooHigh
    fn handle_too_high(&mut self, now: Time, sent_in_flight: u64, is_app_limited: bool) {
        self.cycle.was_too_high = true;
        // One answer to a probe is enough.
        self.cycle.is_probe_sample = false;
        if !is_app_limited {
            let least = self.target_in_flight() / 100 * BETA_PERCENT;
            self.model.in_flight_long = sent_in_flight.max(least);
        }
        if self.state == State::Up {
            self.undo.state = Some(State::Up);
            self.start_down(now, self.loss.delivered);
        }
    }

    /// How much was in flight when the losses became too many, perhaps within the packet.
    // spec: BBR 5.5.10.2: InflightAtLoss
    fn in_flight_at_loss(&self, in_flight: u64, lost: u64, size: u64) -> u64 {
        let before = in_flight.saturating_sub(size);
        let lost_before = lost.saturating_sub(size);
        let tolerated = before * self.loss_percent;
        before + tolerated.saturating_sub(lost_before * 100) / (100 - self.loss_percent)
    }
}

/// What a round trip with losses leaves.
// spec: BBR 2.8: Beta
const BETA_PERCENT: u64 = 70;

/// What a round trip with marks leaves in flight.
// spec: RFC 8511 3.1
const MARKED_PERCENT: u64 = 85;
