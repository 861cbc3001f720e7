//! One ordered stream of 64-KiB messages over the simulated long link of `v1::wan`: our endpoint at
//! both ends, on a virtual clock. The machine's speed does not show.

use std::net::SocketAddr;
use std::time::Duration;

use channeler::config::Congestion;
use channeler::crypto::Identity;
use channeler::error::Error;
use channeler::io::{EcnMark, Local, Receive};
use channeler::quic::{Quic, QuicConfig, QuicEvent, TeamId, Trust};
use channeler::sim::{Ecn, Link, Network};
use channeler::time::Time;

use super::{LABEL, TEAM};
use crate::harness::Run;
use crate::report::Target;
use crate::v1::PACKET_SIZE;
use crate::v1::wan::{
    BASELINE_TIME, HEADERS, PATIENCE, RATE, ROUND_TRIP, TOLERANT_PERCENT, Transfer, add,
    add_dropped,
};

pub(super) fn measure(run: &mut Run) {
    let bytes = run.count(512) as u64 * (1 << 20);
    let (ours, cubic) = ((Congestion::Bbr2, 2), (Congestion::Cubic, 2));
    if run.begins("quic.wan.0") {
        let got = transfer(ours, 0.0, bytes, PATIENCE);
        let cubic = transfer(cubic, 0.0, bytes, BASELINE_TIME);
        add(run, "quic.wan.0", got.percent, Some(cubic.percent), Target::Value(92.0));
        add_dropped(run, "quic.wan.0.dropped", got.dropped, cubic.dropped, 1.0);
    }
    if run.begins("quic.wan.1") {
        let got = transfer(ours, 0.01, bytes, PATIENCE);
        let cubic = transfer(cubic, 0.01, bytes, BASELINE_TIME);
        add(run, "quic.wan.1", got.percent, Some(cubic.percent), Target::Value(85.0));
    }
    if run.begins("quic.wan.5") {
        let cubic = transfer(cubic, 0.05, bytes, BASELINE_TIME);
        let got = transfer(ours, 0.05, bytes, BASELINE_TIME);
        add(run, "quic.wan.5", got.percent, Some(cubic.percent), Target::Aim(1.0));
        let got = transfer((Congestion::Bbr2, TOLERANT_PERCENT), 0.05, bytes, PATIENCE);
        add(run, "quic.wan.5.tolerant", got.percent, Some(100.0), Target::Aim(0.8));
        add_dropped(run, "quic.wan.5.tolerant.dropped", got.dropped, cubic.dropped, 3.0);
    }
}

fn transfer(
    (congestion, tolerance): (Congestion, u8),
    loss: f64,
    bytes: u64,
    patience: Duration,
) -> Transfer {
    let mut pair = Pair::new(congestion, tolerance);
    let (us, them) = (pair.ends[0].address, pair.ends[1].address);
    let packet = u64::from(PACKET_SIZE);
    let link = Link::rated(RATE * (packet + HEADERS) / packet, ROUND_TRIP / 2);
    pair.network.set_link(us, them, Link { loss, ..link });
    pair.network.set_link(them, us, Link::with_delay(ROUND_TRIP / 2));
    pair.move_bytes(u64::MAX, Duration::from_secs(2));
    let (began, before) = (pair.now, pair.network.link_counters(us, them));
    let arrived = pair.move_bytes(bytes, patience);
    let after = pair.network.link_counters(us, them);
    let span = pair.now.since(began).as_secs_f64();
    let dropped = (after.queue_full - before.queue_full) as f64;
    let sent = (after.sent_bytes - before.sent_bytes) as f64;
    let wasted = 100.0 - 100.0 * arrived as f64 / sent;
    eprintln!(
        "  {congestion:?}, {loss} lost: {arrived} bytes in {span:.1} s, {wasted:.1} % of what was \
         sent was not message"
    );
    Transfer {
        percent: arrived as f64 * 100.0 / (span * RATE as f64),
        dropped: dropped * 100.0 / (after.sent - before.sent).max(1) as f64,
    }
}

/// Two endpoints and what is between them.
struct Pair {
    network: Network,
    now: Time,
    ends: [End; 2],
    buffer: Vec<u8>,
}

struct End {
    quic: Quic,
    address: SocketAddr,
    is_writable: bool,
}

impl Pair {
    fn new(congestion: Congestion, tolerance: u8) -> Pair {
        let now = Time::from_nanos(1_000_000_000);
        let peers = [1, 2].map(|seed| Identity::from_seed([seed; 32]).peer_id());
        let ends = [1, 2].map(|seed| {
            let identity = Identity::from_seed([seed; 32]);
            let mut config = QuicConfig::new(Trust::RawKeys { identity, peers: peers.to_vec() });
            config.congestion = congestion;
            config.loss_tolerance_percent = tolerance;
            config.packet_size_max = PACKET_SIZE;
            config.segments_max = 44;
            let quic = Quic::new(config, [seed; 32], now, Duration::ZERO).expect("good settings");
            let address = SocketAddr::from(([10, 0, 0, seed], 4_000));
            End { quic, address, is_writable: true }
        });
        Pair { network: Network::new(11), now, ends, buffer: Vec::new() }
    }

    /// Keeps the send queue full until so much has arrived, or for so long; how much arrived.
    fn move_bytes(&mut self, bytes: u64, span: Duration) -> u64 {
        let message = vec![7; 64 << 10];
        let to = self.ends[1].address;
        let end = self.now + span;
        let mut arrived = 0;
        while arrived < bytes {
            let now = self.now;
            while self.ends[0].is_writable {
                let quic = &mut self.ends[0].quic;
                match quic.send(now, to, TeamId(TEAM), LABEL, &message) {
                    Ok(()) => {}
                    Err(Error::WouldBlock) => self.ends[0].is_writable = false,
                    Err(error) => panic!("sending: {error}"),
                }
            }
            self.drain(0);
            if !self.step(end) {
                self.now = end;
                break;
            }
            let now = self.now;
            let receiver = &mut self.ends[1].quic;
            while let Some(waiting) = receiver.next_message() {
                arrived += waiting.message.len() as u64;
                receiver.pop_message(now);
            }
            self.drain(1);
        }
        arrived
    }

    /// The next thing that happens by `end`, if anything does.
    fn step(&mut self, end: Time) -> bool {
        let timeouts = self.ends.iter().filter_map(|end| end.quic.poll_timeout()).min();
        let next = self.network.next_arrival().into_iter().chain(timeouts).min();
        let Some(next) = next.map(|next| next.max(self.now)).filter(|next| *next <= end) else {
            return false;
        };
        self.now = next;
        while let Some(arrival) = self.network.arrive(next) {
            let Some(place) = self.ends.iter().position(|end| end.address == arrival.to) else {
                continue;
            };
            let ecn = match arrival.ecn {
                Ecn::Unable => EcnMark::None,
                Ecn::Capable => EcnMark::Ect0,
                Ecn::Marked => EcnMark::Ce,
            };
            let (local, stride) = (Local::default(), arrival.bytes.len());
            let from = Receive { from: arrival.from, local, stride, ecn };
            self.ends[place].quic.handle_datagram(next, &from, &arrival.bytes);
            self.drain(place);
        }
        for place in [0, 1] {
            if self.ends[place].quic.poll_timeout().is_some_and(|at| at <= next) {
                self.ends[place].quic.handle_timeout(next);
                self.drain(place);
            }
        }
        true
    }

    fn drain(&mut self, place: usize) {
        let end = &mut self.ends[place];
        while let Some(transmit) = end.quic.poll_transmit(self.now, &mut self.buffer) {
            for datagram in self.buffer[..transmit.len].chunks(transmit.segment_size) {
                let (to, ecn) = (transmit.to, transmit.ecn.into());
                let _too_large = self.network.send(self.now, end.address, to, datagram, ecn);
            }
        }
        while let Some(event) = end.quic.poll_event() {
            end.is_writable |= matches!(event, QuicEvent::Writable { .. });
        }
    }
}
