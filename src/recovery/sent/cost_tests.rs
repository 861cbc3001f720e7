//! What a packet costs from sending to acknowledgement.
//!
//! `cargo test --release --lib recovery::sent::cost -- --ignored --nocapture`

use std::hint::black_box;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

use super::super::{ReceivedNumbers, ReceivedPacket, Rtt};
use super::{Feedback, SentPacket, SentPackets};
use crate::congestion::{AckEnd, Algorithm, Congestion, PacketSample};
use crate::io::EcnMark;
use crate::time::Time;

#[test]
#[ignore = "a measurement, not a check"]
fn cost_of_a_packet_sent_and_acknowledged() {
    for (per_ack, loss) in [(2, NEVER), (10, NEVER), (40, NEVER), (2, 50), (40, 50)] {
        let (mut best_rings, mut best_all) = (f64::MAX, f64::MAX);
        for _ in 0..5 {
            best_rings = best_rings.min(run(per_ack, loss, None));
            best_all = best_all.min(run(per_ack, loss, Some(Algorithm::Cubic)));
        }
        let lost = if loss == NEVER { "none".to_owned() } else { format!("one of {loss}") };
        println!(
            "{per_ack} packets an ACK, {lost} lost: {best_rings:.1} ns in sent and received \
             numbers, {best_all:.1} ns with cubic and pacer"
        );
    }
}

/// Nanoseconds a packet, with a window of 400 packets.
fn run(per_ack: u64, loss: u64, algorithm: Option<Algorithm>) -> f64 {
    let mut sent = SentPackets::<Frame>::new(Duration::from_millis(25));
    let mut rtt = Rtt::new();
    let mut rng = ChaCha12Rng::from_seed([1; 32]);
    let mut received = ReceivedNumbers::new(Duration::from_millis(25));
    let mut heard = Heard { congestion: algorithm.map(|it| Congestion::new(it, 1200)), frames: 0 };
    let began = on_cpu();
    for step in 0..PACKETS {
        let now = Time::from_nanos(step * 1000);
        let number = sent.begin(&mut rng);
        sent.note([number; 3]);
        let mut packet = SentPacket {
            sent_at: now,
            size: 1200,
            is_in_flight: true,
            asks_for_ack: true,
            ..PACKET
        };
        if let Some(congestion) = &mut heard.congestion {
            black_box(congestion.budget(now, sent.in_flight()));
            packet.snapshot = congestion.on_sent(now, 1200, sent.in_flight());
        }
        sent.finish(packet);
        let Some(arrived) = number.checked_sub(400) else { continue };
        if !(arrived + 1).is_multiple_of(loss) && sent.skipped != Some(arrived) {
            let packet = ReceivedPacket { number: arrived, ..ARRIVED };
            received.on_received(now, &packet);
        }
        if arrived.is_multiple_of(per_ack) {
            let prior_in_flight = sent.in_flight();
            let ranges = received.ranges().take(32);
            sent.on_ack(now, &mut rtt, Duration::ZERO, ranges, &mut heard).expect("all were sent");
            received.on_ack_sent();
            received.on_ack_acked(arrived.saturating_sub(1000));
            if let Some(congestion) = &mut heard.congestion {
                let end = AckEnd {
                    prior_in_flight,
                    in_flight: sent.in_flight(),
                    rtt_sample: None,
                    smoothed_rtt: rtt.smoothed(),
                    min_rtt: rtt.min(),
                };
                congestion.on_ack_end(now, &end);
            }
        }
    }
    assert!(heard.frames > PACKETS - 1000);
    (on_cpu() - began) as f64 / PACKETS as f64
}

/// Nanoseconds that this thread ran: others that share the machine are not counted.
fn on_cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("it begins with a number")
}

type Frame = [u64; 3];

struct Heard {
    congestion: Option<Congestion>,
    frames: u64,
}

impl Feedback<Frame> for Heard {
    fn packet_acked(&mut self, _number: u64, packet: &SentPacket, _is_late: bool) {
        if let Some(congestion) = &mut self.congestion {
            congestion.on_packet_acked(packet.sent_at, &sample(packet));
        }
    }

    fn frame_acked(&mut self, frame: Frame, _is_late: bool) {
        self.frames += black_box(frame)[0].min(1);
    }

    fn packet_lost(&mut self, _number: u64, packet: &SentPacket) {
        if let Some(congestion) = &mut self.congestion {
            congestion.on_packet_lost(packet.sent_at, &sample(packet));
        }
    }

    fn frame_lost(&mut self, frame: Frame) {
        self.frames += black_box(frame)[0].min(1);
    }
}

fn sample(packet: &SentPacket) -> PacketSample {
    PacketSample {
        size: u64::from(packet.size),
        sent_at: packet.sent_at,
        snapshot: packet.snapshot,
    }
}

const NEVER: u64 = u64::MAX;

const PACKETS: u64 = 2_000_000;

const PACKET: SentPacket = super::tests::ASKING;

const ARRIVED: ReceivedPacket =
    ReceivedPacket { number: 0, mark: EcnMark::None, asks_for_ack: true, asks_at_once: false };
