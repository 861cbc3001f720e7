//! One link to the peer: its addresses, and the recovery and congestion control that belong to it.

mod mtu;
mod sent;
mod set;
mod validation;

use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use mtu::Mtu;
pub(crate) use sent::{Fate, SentFrame};
pub(crate) use set::Paths;
pub(crate) use validation::{Challenge, Ends, Probe as PathProbe, Sighting, Verdict};

use crate::config::NodeConfig;
use crate::congestion::{AckEnd, Cause, Congestion, CongestionEvent, PacketSample, Settings};
use crate::crypto::ReplayWindow;
use crate::id::Token;
use crate::io::{EcnMark, Local};
use crate::recovery::{
    AckError, AckOutcome, AckRate, EcnValidation, Feedback, Losses, ReceivedNumbers, Rtt,
    SentPacket, SentPackets,
};
use crate::time::Time;
use crate::wire::frame::EcnCounts;
use crate::wire::short;
use mtu::SIZE_BASE;
use validation::Validation;

/// A path of protocol v1.
// spec: 13.1 what belongs to a path
#[derive(Debug)]
pub(crate) struct Path {
    /// Where the peer is.
    pub(crate) remote: SocketAddr,
    /// Which of our sockets and addresses it is reached from.
    pub(crate) local: Local,
    /// Most bytes of a packet.
    pub(crate) packet_size: usize,
}

/// What a path needs to carry short packets.
#[derive(Debug)]
pub(crate) struct Carrier {
    /// The peer's token for this path.
    pub(crate) token: Token,
    /// The spin bit, drawn once and never spun (5.7).
    pub(crate) spin: u8,
    pub(crate) rtt: Rtt,
    pub(crate) sent: SentPackets<SentFrame>,
    pub(crate) received: ReceivedNumbers,
    pub(crate) window: ReplayWindow,
    pub(crate) congestion: Congestion,
    pub(crate) ack_rate: AckRate,
    pub(crate) ecn: EcnValidation,
    pub(crate) mtu: Mtu,
    /// How often it came to lead elsewhere.
    pub(crate) way: u32,
    /// There while an address is examined, or an answer is owed.
    validation: Option<Box<Validation>>,
    pub(crate) observed: Observed,
    pub(crate) owed: Owed,
    /// The epoch in which packets are sealed, and the first number that was.
    epoch: (u32, u64),
    /// Packets that the probe timer allows whatever the window.
    pub(crate) probes: u8,
    /// One of them is to be small.
    pub(crate) wants_small_probe: bool,
    /// When the pacer lets the next burst go, while something waits for that.
    pub(crate) release_at: Option<Time>,
}

/// Addresses that one side told the other of.
// spec: 12.8 observed addresses
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Observed {
    /// Of what we tell.
    pub(crate) sequence: u64,
    /// Where the peer sees us, and the sequence of that.
    pub(crate) ours: Option<(u64, SocketAddr)>,
}

/// What is to be said about the path.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Owed {
    pub(crate) ack_rate: bool,
    /// OBSERVED_ADDRESS.
    pub(crate) observed: bool,
}

impl Owed {
    pub(crate) fn is_any(self) -> bool {
        self.ack_rate || self.observed
    }
}

impl Path {
    /// Where it leads.
    pub(crate) fn ends(&self) -> Ends {
        Ends { remote: self.remote, local: self.local }
    }

    /// Lowers the packet size to what is known to pass; false if it was that low.
    pub(crate) fn shrink(&mut self, failed_size: usize) -> bool {
        let shrunk =
            failed_size.saturating_sub(1).clamp(SIZE_BASE, self.packet_size.max(SIZE_BASE));
        // What failed is no proof of what passes: the base is.
        let smaller = if shrunk < self.packet_size { SIZE_BASE } else { self.packet_size };
        let is_smaller = smaller < self.packet_size;
        self.packet_size = smaller;
        is_smaller
    }
}

impl Carrier {
    /// Begins with what the handshake measured. `delay` is how long the peer may wait with an ACK.
    /// Packets have one size at first, and another at most.
    pub(crate) fn new(
        token: Token,
        spin: u8,
        rtt: Rtt,
        delay: Duration,
        config: &NodeConfig,
        (packet_size, packet_size_max): (usize, usize),
    ) -> Carrier {
        Carrier {
            token,
            spin,
            rtt,
            sent: SentPackets::new(delay),
            received: ReceivedNumbers::new(config.ack_delay),
            window: ReplayWindow::new(),
            congestion: Congestion::new(settings(config, token), packet_size as u64),
            ack_rate: AckRate::default(),
            ecn: EcnValidation::default(),
            mtu: Mtu::new(packet_size, packet_size_max),
            way: 0,
            validation: None,
            observed: Observed::default(),
            owed: Owed::default(),
            epoch: (0, 0),
            probes: 0,
            wants_small_probe: false,
            release_at: None,
        }
    }

    /// The probe timeout without back-off.
    pub(crate) fn pto(&self) -> Duration {
        self.sent.pto(&self.rtt)
    }

    /// Bytes of the number of a packet that is built now and leaves behind `queued` others.
    // spec: 5.5 packet numbers
    pub(crate) fn number_len(&self, queued: usize) -> usize {
        let number = self.sent.next_number() + queued as u64 + NUMBERS_SLACK;
        short::number_len(number, self.sent.largest_acked()).max(2)
    }

    /// How many packets may leave whose number has so many bytes.
    pub(crate) fn numbers_left(&self, number_len: usize) -> usize {
        let acked = self.sent.largest_acked().map_or(0, |acked| acked + 1);
        let reach = 1_u64 << (8 * number_len.min(4) - 1);
        // One number may be skipped on the way.
        let end = (acked + reach).saturating_sub(2);
        usize::try_from(end.saturating_sub(self.sent.next_number())).unwrap_or(usize::MAX)
    }

    /// Bytes that may leave now; remembers when more may if it is the pacer that says no.
    pub(crate) fn budget(&mut self, now: Time) -> u64 {
        if !self.sent.has_room() {
            return 0;
        }
        let budget = self.congestion.budget(now, self.sent.in_flight());
        // In the past it is the window that says no, and an acknowledgement that changes that.
        let release_at = self.congestion.release_time().filter(|at| *at > now);
        self.release_at = release_at.filter(|_| budget == 0);
        budget
    }

    /// Bytes that the path carries in less time than a system call takes.
    pub(crate) fn cheap_bytes(&self) -> usize {
        let bytes = self.congestion.pacing_rate() / (1_000_000_000 / CALL_NANOS);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// The mark that packets leave with.
    // spec: 13.5 congestion control
    #[inline]
    pub(crate) fn mark(&self) -> EcnMark {
        if self.ecn.is_marking() { EcnMark::Ect0 } else { EcnMark::None }
    }

    /// A packet was sealed, its frames noted. It leaves with the mark of [`Self::mark`].
    #[inline]
    pub(crate) fn finish(&mut self, now: Time, size: usize, is_in_flight: bool, asks: bool) {
        let mark = self.mark();
        if mark == EcnMark::Ect0 {
            self.ecn.on_sent();
        }
        self.mtu.on_sent(now, size);
        self.record(now, size, mark, (is_in_flight, asks), false);
    }

    /// As `finish`, a probe for the path's MTU.
    pub(crate) fn finish_mtu_probe(&mut self, now: Time, size: usize) {
        let mark = self.mark();
        if mark == EcnMark::Ect0 {
            self.ecn.on_sent();
        }
        self.mtu.on_probe_sent(size);
        self.record(now, size, mark, (true, true), true);
    }

    /// A packet left before the path had this record: in the handshake, without a mark.
    pub(crate) fn finish_early(&mut self, sent_at: Time, size: usize) {
        self.record(sent_at, size, EcnMark::None, (true, true), false);
    }

    /// As `finish`, a datagram of challenges or answers: it may go where the path does not lead,
    /// and tells nothing of it.
    pub(crate) fn finish_path_probe(&mut self, now: Time, size: usize) {
        self.record(now, size, EcnMark::None, (false, false), false);
    }

    /// Whether an address is examined, or an answer owed.
    pub(crate) fn is_validating(&self) -> bool {
        self.validation.is_some()
    }

    pub(crate) fn validation_mut(&mut self) -> &mut Validation {
        self.validation.get_or_insert_default()
    }

    /// When a challenge is to be repeated, or given up.
    fn validation_timeout(&self) -> Option<Time> {
        self.validation.as_ref().and_then(|validation| validation.poll_timeout())
    }

    /// The path leads to another host, or from another address of ours: what was learnt of the way
    /// means nothing now, and what is out is as good as lost.
    // spec: 12.7 address changes
    pub(crate) fn restart(
        &mut self,
        now: Time,
        config: &NodeConfig,
        fates: &mut Vec<(SentFrame, Fate)>,
    ) {
        let Carrier { sent, rtt, congestion, ecn, mtu, .. } = self;
        let loss = Fate::Dropped;
        let mut feedback = Listener { now, congestion, ecn, mtu, fates, loss };
        sent.lose_old(now, Duration::ZERO, &mut feedback);
        sent.ignore_samples();
        *rtt = Rtt::new();
        ecn.restart();
        mtu.restart(config.packet_size);
        let settings = settings(config, self.token);
        *congestion = Congestion::new(settings, mtu.size() as u64);
        self.ack_rate = AckRate::default();
        self.way = self.way.wrapping_add(1);
        (self.probes, self.wants_small_probe, self.release_at) = (0, false, None);
    }

    /// A round trip that no ACK showed.
    pub(crate) fn take_sample(&mut self, now: Time, round: Duration) {
        if self.rtt.first_sample_at().is_none() {
            self.rtt.update(now, round, Duration::ZERO);
        }
    }

    #[inline]
    fn record(
        &mut self,
        now: Time,
        size: usize,
        mark: EcnMark,
        (is_in_flight, asks_for_ack): (bool, bool),
        is_mtu_probe: bool,
    ) {
        let snapshot = if is_in_flight {
            self.congestion.on_sent(now, size as u64, self.sent.in_flight())
        } else {
            Default::default()
        };
        self.sent.finish(SentPacket {
            sent_at: now,
            size: u16::try_from(size).expect("a datagram is no longer"),
            is_in_flight,
            asks_for_ack,
            is_ect: mark == EcnMark::Ect0,
            is_mtu_probe,
            snapshot,
        });
    }

    /// Notes that packet `number` was sealed in `epoch`.
    #[inline]
    pub(crate) fn note_epoch(&mut self, epoch: u32, number: u64) {
        if self.epoch.0 != epoch {
            self.epoch = (epoch, number);
        }
    }

    /// The epoch in which packet `number` was sealed, or the one before it was.
    pub(crate) fn epoch_of(&self, number: u64) -> u32 {
        let (epoch, first) = self.epoch;
        if number >= first { epoch } else { epoch.saturating_sub(1) }
    }

    /// Takes an ACK with the counts of ECN marks that it may have; what became of the messages in
    /// the packets goes to `fates`.
    pub(crate) fn handle_ack(
        &mut self,
        now: Time,
        delay: Duration,
        counts: Option<EcnCounts>,
        ranges: impl Iterator<Item = std::ops::RangeInclusive<u64>>,
        fates: &mut Vec<(SentFrame, Fate)>,
    ) -> Result<AckOutcome, AckError> {
        let Carrier { sent, rtt, congestion, ecn, mtu, .. } = self;
        let mut feedback = Listener { now, congestion, ecn, mtu, fates, loss: Fate::Lost };
        let outcome = sent.on_ack(now, rtt, delay, ranges, &mut feedback)?;
        congestion.on_ack_end(
            now,
            &AckEnd {
                prior_in_flight: outcome.prior_in_flight,
                in_flight: sent.in_flight(),
                rtt_sample: outcome.rtt_sample,
                smoothed_rtt: rtt.smoothed(),
                min_rtt: rtt.min(),
            },
        );
        if outcome.is_spurious {
            congestion.on_spurious_loss(now);
        }
        signal_losses(congestion, now, &outcome.losses, outcome.prior_in_flight);
        if outcome.is_newest {
            let packets = ecn.on_ack(outcome.ect_packets, counts);
            signal_marks(congestion, now, packets, &outcome);
        }
        if outcome.packets > 0 {
            (self.probes, self.wants_small_probe) = (0, false);
        }
        Ok(outcome)
    }

    /// Declares everything lost that is out and left long enough ago that an acknowledgement could
    /// be there by now, without being congestion.
    // spec: 7.7 confirmed
    pub(crate) fn lose_unanswered(&mut self, now: Time, fates: &mut Vec<(SentFrame, Fate)>) {
        let Carrier { sent, rtt, congestion, ecn, mtu, .. } = self;
        let mut feedback = Listener { now, congestion, ecn, mtu, fates, loss: Fate::Dropped };
        sent.lose_old(now, rtt.loss_delay(), &mut feedback);
    }

    /// When `handle_timeout` is to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let timers = [
            self.sent.poll_timeout(&self.rtt),
            self.received.poll_timeout(),
            self.release_at,
            self.validation_timeout(),
        ];
        timers.into_iter().flatten().min()
    }

    /// Does what the timers of acknowledging, pacing, loss, probes and challenges are for. Whether
    /// it allowed probes.
    pub(crate) fn handle_timeout(&mut self, now: Time, fates: &mut Vec<(SentFrame, Fate)>) -> bool {
        self.release_at = self.release_at.filter(|at| *at > now);
        self.received.handle_timeout(now);
        let probes = self.probes;
        let pto = self.pto();
        if let Some(validation) = &mut self.validation {
            validation.handle_timeout(now, pto);
            if validation.is_idle(now) {
                self.validation = None;
            }
        }
        let Carrier { sent, rtt, congestion, ecn, mtu, .. } = self;
        let mut feedback = Listener { now, congestion, ecn, mtu, fates, loss: Fate::Lost };
        let outcome = sent.handle_timeout(now, rtt, &mut feedback);
        signal_losses(congestion, now, &outcome.losses, outcome.prior_in_flight);
        if outcome.is_probe {
            self.probes = PROBES;
            // If it is their size that loses packets, a larger probe tells nothing.
            self.wants_small_probe = self.mtu.is_above_base() && self.sent.pto_count() > 1;
        }
        self.probes > probes
    }
}

fn settings(config: &NodeConfig, token: Token) -> Settings {
    Settings {
        algorithm: config.congestion,
        loss_percent: config.loss_tolerance_percent,
        // Drawn by the peer: it differs from path to path, and from run to run.
        seed: u64::from_le_bytes(token.0),
    }
}

/// What a system call takes that sends packets, apart from them.
const CALL_NANOS: u64 = 2_000;

/// Packets that one probe timeout may send.
// spec: 13.2 differences from RFC 9002
const PROBES: u8 = 2;

/// Packets of other channels that may leave before one that is built now, without which the length
/// of its number would be one byte short.
const NUMBERS_SLACK: u64 = 1 << 13;

fn signal_losses(congestion: &mut Congestion, now: Time, losses: &Losses, prior_in_flight: u64) {
    if losses.packets > 0 {
        let cause = Cause::Loss { bytes: losses.bytes, is_persistent: losses.is_persistent };
        let sent_at = losses.newest_sent_at;
        congestion.on_congestion(now, &CongestionEvent { cause, sent_at, prior_in_flight });
    }
}

/// A queue on the way marked packets with CE.
fn signal_marks(congestion: &mut Congestion, now: Time, packets: u64, outcome: &AckOutcome) {
    if packets > 0
        && let Some(sent_at) = outcome.largest_sent_at
    {
        let cause = Cause::Ecn { packets };
        let prior_in_flight = outcome.prior_in_flight;
        congestion.on_congestion(now, &CongestionEvent { cause, sent_at, prior_in_flight });
    }
}

/// Tells the congestion control of packets, and keeps what became of messages.
struct Listener<'a> {
    now: Time,
    congestion: &'a mut Congestion,
    ecn: &'a mut EcnValidation,
    mtu: &'a mut Mtu,
    fates: &'a mut Vec<(SentFrame, Fate)>,
    /// What a loss is.
    loss: Fate,
}

impl Feedback<SentFrame> for Listener<'_> {
    #[inline]
    fn packet_acked(&mut self, _number: u64, packet: &SentPacket, is_late: bool) {
        if !packet.is_in_flight {
            return;
        }
        if !packet.is_mtu_probe {
            self.mtu.on_acked(usize::from(packet.size));
        }
        if is_late {
            self.congestion.on_packet_acked_late(self.now, &sample(packet));
        } else {
            self.congestion.on_packet_acked(self.now, &sample(packet));
        }
    }

    #[inline]
    fn frame_acked(&mut self, frame: SentFrame, _is_late: bool) {
        self.fates.push((frame, Fate::Acked));
    }

    fn packet_lost(&mut self, _number: u64, packet: &SentPacket) {
        // What probes the path may be lost for being so large: that tells nothing else.
        if packet.is_in_flight && !packet.is_mtu_probe {
            self.congestion.on_packet_lost(self.now, &sample(packet));
            self.mtu.on_lost(usize::from(packet.size));
            if packet.is_ect {
                self.ecn.on_lost();
            }
        }
    }

    fn frame_lost(&mut self, frame: SentFrame) {
        self.fates.push((frame, self.loss));
    }
}

fn sample(packet: &SentPacket) -> PacketSample {
    PacketSample {
        size: u64::from(packet.size),
        sent_at: packet.sent_at,
        snapshot: packet.snapshot,
    }
}
