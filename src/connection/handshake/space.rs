//! What each of levels 0 and 1 has of its own: keys, packet numbers, recovery, CRYPTO.
//! spec: 4.2 levels

use std::time::Duration;

use rand_chacha::ChaCha12Rng;

use super::stream::{Incoming, Outgoing};
use crate::crypto::{LevelKeys, ReplayWindow};
use crate::id::PathId;
use crate::io::EcnMark;
use crate::recovery::{
    AckError, Feedback, ReceivedNumbers, ReceivedPacket, Rtt, SentPacket, SentPackets,
};
use crate::time::Time;
use crate::wire::Writer;
use crate::wire::frame::{Ack, Crypto, Frame, write_ack};

/// One level.
pub(crate) struct Space {
    pub(super) keys: Option<LevelKeys>,
    pub(super) window: ReplayWindow,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    /// A PING is to be sent.
    pub(super) is_ping_due: bool,
    received: ReceivedNumbers,
    sent: SentPackets<Sent>,
}

/// What must be known of a message that was sent, when its packet is acknowledged or lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Crypto { start: u32, end: u32 },
    Ack { largest: u64 },
}

impl Space {
    pub(super) fn new(keys: Option<LevelKeys>) -> Space {
        Space {
            keys,
            window: ReplayWindow::new(),
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            is_ping_due: false,
            received: ReceivedNumbers::new(Duration::ZERO),
            sent: SentPackets::new(Duration::ZERO),
        }
    }

    /// The keys are erased, and with them all that could still be said.
    pub(super) fn discard(&mut self) {
        self.keys = None;
        (self.incoming, self.outgoing) = Default::default();
        self.is_ping_due = false;
        self.received = ReceivedNumbers::new(Duration::ZERO);
        self.sent.discard();
    }

    /// Whether there is something to say: `may_ask` whether it may ask for an acknowledgement,
    /// `may_speak` whether CRYPTO may go.
    pub(super) fn is_waiting(&self, now: Time, may_ask: bool, may_speak: bool) -> bool {
        let asks = self.is_ping_due || (may_speak && self.outgoing.is_waiting());
        self.keys.is_some() && (self.received.is_due(now) || (may_ask && asks))
    }

    /// Begins a packet: its number. `finish` or `cancel` ends it.
    pub(super) fn begin(&mut self, rng: &mut ChaCha12Rng) -> u64 {
        self.sent.begin(rng)
    }

    /// Fills the packet that was begun: ACK, PING, CRYPTO, as is due and as it fits. Whether it
    /// asks for an acknowledgement.
    pub(super) fn fill(&mut self, writer: &mut Writer<'_>, may_ask: bool, may_speak: bool) -> bool {
        let may_speak = may_ask && may_speak;
        let mut asks_for_ack = false;
        if self.received.has_news()
            && write_ack(writer, PathId(0), 0, None, self.received.ranges()).is_ok()
        {
            if let Some(largest) = self.received.largest() {
                self.sent.note(Sent::Ack { largest });
            }
            self.received.on_ack_sent();
        }
        if may_ask && self.is_ping_due && Frame::Ping.encode(writer).is_ok() {
            (self.is_ping_due, asks_for_ack) = (false, true);
        }
        while may_speak && let Some(offset) = self.outgoing.next_offset() {
            let room = Crypto::len_max(u64::from(offset), writer.remaining());
            // Not worth a packet's space: it goes with the next.
            let Some(room) = room.filter(|room| *room >= CRYPTO_LEN_MIN) else { break };
            let Some((offset, bytes)) = self.outgoing.next(room) else { break };
            let end = offset + bytes.len() as u32;
            let crypto = Crypto { offset: u64::from(offset), bytes };
            Frame::Crypto(crypto).encode(writer).expect("it was cut to the room");
            self.sent.note(Sent::Crypto { start: offset, end });
            asks_for_ack = true;
        }
        asks_for_ack
    }

    /// The packet that was begun leaves.
    pub(super) fn finish(&mut self, now: Time, size: usize, asks_for_ack: bool, is_padded: bool) {
        self.sent.finish(SentPacket {
            sent_at: now,
            size: size as u16,
            is_in_flight: asks_for_ack || is_padded,
            asks_for_ack,
            ..SentPacket::default()
        });
    }

    /// The packet that was begun does not leave.
    pub(super) fn cancel(&mut self) {
        self.sent.cancel();
    }

    /// A packet opened that was not seen before.
    pub(super) fn on_received(&mut self, now: Time, number: u64, asks_for_ack: bool) {
        self.received.on_received(
            now,
            &ReceivedPacket { number, mark: EcnMark::None, asks_for_ack, asks_at_once: true },
        );
    }

    /// Whether an acknowledgement names only packets that were sent.
    // spec: 8.5 ACK, ACK_ECN
    pub(super) fn is_ack_possible(&self, ack: &Ack<'_>) -> bool {
        ack.path == PathId(0) && ack.ranges.largest() < self.sent.next_number()
    }

    /// The peer acknowledges; whether anything was new.
    pub(super) fn on_ack(
        &mut self,
        now: Time,
        rtt: &mut Rtt,
        ack: &Ack<'_>,
    ) -> Result<bool, AckError> {
        let Space { sent, outgoing, received, .. } = self;
        let mut hearing = Hearing { outgoing, received };
        let outcome = sent.on_ack(now, rtt, Duration::ZERO, ack.ranges.iter(), &mut hearing)?;
        Ok(outcome.packets != 0)
    }

    /// Everything not acknowledged goes again.
    pub(super) fn repeat(&mut self) {
        self.outgoing.repeat();
    }

    /// Keeps the timer running though nothing is out.
    pub(super) fn keep_armed(&mut self, from: Option<Time>) {
        self.sent.keep_armed(from);
    }

    pub(super) fn poll_timeout(&self, rtt: &Rtt) -> Option<Time> {
        self.keys.as_ref().and_then(|_| self.sent.poll_timeout(rtt))
    }

    /// Whether the timer of 7.6 ended: something must be sent that asks for an acknowledgement.
    pub(super) fn handle_timeout(&mut self, now: Time, rtt: &Rtt) -> bool {
        let Space { sent, outgoing, received, .. } = self;
        sent.handle_timeout(now, rtt, &mut Hearing { outgoing, received }).is_probe
    }
}

/// Tells the streams what became of packets.
struct Hearing<'a> {
    outgoing: &'a mut Outgoing,
    received: &'a mut ReceivedNumbers,
}

impl Feedback<Sent> for Hearing<'_> {
    fn packet_acked(&mut self, _: u64, _: &SentPacket, _: bool) {}

    fn frame_acked(&mut self, frame: Sent, _: bool) {
        match frame {
            Sent::Crypto { start, end } => self.outgoing.on_acked(start..end),
            Sent::Ack { largest } => self.received.on_ack_acked(largest),
        }
    }

    fn packet_lost(&mut self, _: u64, _: &SentPacket) {}

    fn frame_lost(&mut self, frame: Sent) {
        match frame {
            Sent::Crypto { start, end } => self.outgoing.on_lost(start..end),
            Sent::Ack { .. } => {}
        }
    }
}

/// The smallest piece that CRYPTO is cut into, but for the last.
const CRYPTO_LEN_MIN: usize = 32;
