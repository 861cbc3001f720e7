//! What becomes of sent packets: acknowledged, lost, late, probed for.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

use super::super::Rtt;
use super::{
    AckError, AckOutcome, Feedback, PACKETS_MAX, SILENT_MAX, SentPacket, SentPackets,
    TimeoutOutcome,
};
use crate::time::Time;

// spec: 8.5 ACK, ACK_ECN
#[test]
fn acknowledged_ranges_give_back_the_frames_of_their_packets() {
    let mut space = Space::new();
    space.send_many(10, 0);
    assert_eq!(space.sent.in_flight(), 10 * SIZE);
    let outcome = space.ack(50, &[7..=8, 2..=4]).unwrap();
    assert_eq!((outcome.packets, outcome.prior_in_flight), (5, 10 * SIZE));
    assert_eq!(space.heard.acked, frames(&[7, 8, 2, 3, 4]));
    assert_eq!(space.sent.largest_acked(), Some(8));
    // 0, 1 and 5 are three and more below 8; 6 and 9 are still out.
    assert_eq!(space.heard.lost, frames(&[0, 1, 5]));
    assert_eq!(space.sent.in_flight(), 2 * SIZE);
    assert_eq!(outcome.losses.bytes, 3 * SIZE);
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn acknowledging_twice_changes_nothing() {
    let mut space = Space::new();
    space.send_many(4, 0);
    space.ack(50, &[1..=3]).unwrap();
    let before = space.heard.acked.clone();
    for range in [1..=3, 1..=1, 2..=3] {
        let outcome = space.ack(60, &[range]).unwrap();
        assert_eq!(outcome.packets, 0);
        assert_eq!(outcome.rtt_sample, None);
    }
    assert_eq!(space.heard.acked, before);
    let outcome = space.ack(60, &[0..=3]).unwrap();
    assert_eq!(outcome.packets, 1);
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn acknowledging_what_was_never_sent_is_an_error() {
    let mut space = Space::new();
    assert_eq!(space.ack(1, &[0..=0]), Err(AckError::NeverSent(0)));
    space.send_many(4, 0);
    assert_eq!(space.ack(1, &[2..=4]), Err(AckError::NeverSent(4)));
    assert_eq!(space.ack(1, &[0..=u64::MAX]), Err(AckError::NeverSent(u64::MAX)));
    space.ack(1, &[0..=3]).unwrap();
    assert_eq!(space.ack(1, &[4..=4]), Err(AckError::NeverSent(4)));
}

// spec: 5.5 packet numbers
#[test]
fn numbers_are_skipped_now_and_then_and_acknowledging_one_is_an_error() {
    let mut space = Space::new();
    let mut skipped = Vec::new();
    for next in 0..200_000 {
        let number = space.send(0);
        if number != next + skipped.len() as u64 {
            skipped.push(number - 1);
        }
        if number.is_multiple_of(64) {
            let first = number.saturating_sub(63);
            let ranges = without(first..=number, skipped.last().copied());
            space.ack(1, &ranges).unwrap();
        }
    }
    assert!(skipped.len() >= 3, "{skipped:?}");
    for pair in skipped.windows(2) {
        assert!((256..=65_537).contains(&(pair[1] - pair[0])), "{skipped:?}");
    }
    let last = *skipped.last().unwrap();
    assert_eq!(space.ack(1, &[last..=last]), Err(AckError::Skipped(last)));
    assert_eq!(space.ack(1, &[0..=last + 1]), Err(AckError::Skipped(last)));
}

// spec: 5.5 packet numbers
#[test]
fn a_packet_that_is_cancelled_leaves_its_number_to_the_next() {
    let mut space = Space::new();
    space.send(0);
    let number = space.sent.begin(&mut space.rng);
    space.sent.note(Frame { packet: 99, index: 0 });
    space.sent.cancel();
    assert_eq!(space.send(0), number);
    space.ack(1, &[0..=1]).unwrap();
    assert_eq!(space.heard.acked, frames(&[0, 1]));
    assert_eq!(space.sent.in_flight(), 0);
}

// spec: 13.1 what belongs to a path
#[test]
fn rings_wrap_without_growing_or_allocating() {
    let mut space = Space::new();
    for _ in 0..100 {
        space.send(0);
    }
    let capacity = (space.sent.entries.capacity(), space.sent.frames.capacity());
    for round in 0..1000 {
        let next = space.sent.next_number();
        let skipped = space.sent.skipped;
        let range = next.saturating_sub(200)..=next - 51;
        space.ack(round, &without(range, skipped)).unwrap();
        space.send_many(50, round);
    }
    assert_eq!((space.sent.entries.capacity(), space.sent.frames.capacity()), capacity);
    assert_eq!(space.heard.lost, []);
    assert_eq!(space.heard.acked.len(), frames(&(0..50_000).collect::<Vec<_>>()).len());
}

// spec: 13.1 what belongs to a path
#[test]
fn rings_are_freed_after_a_rest() {
    let mut space = Space::new();
    assert_eq!(space.sent.entries.capacity(), 0);
    space.send_many(100, 0);
    space.ack(50, &[0..=99]).unwrap();
    let tidy = space.sent.poll_timeout(&space.rtt).unwrap();
    assert_eq!(tidy, at(1050));
    space.timeout(tidy);
    assert_eq!((space.sent.entries.capacity(), space.sent.frames.capacity()), (0, 0));
    assert_eq!(space.sent.poll_timeout(&space.rtt), None);
    assert_eq!(space.send(2000), 100);
    space.ack(2050, &[100..=100]).unwrap();
}

// spec: RFC 9002 6.1.1
#[test]
fn three_numbers_below_an_acknowledged_one_is_lost() {
    let mut space = Space::new();
    space.send_many(4, 0);
    space.ack(100, &[2..=2]).unwrap();
    assert_eq!(space.heard.lost, []);
    let outcome = space.ack(100, &[3..=3]).unwrap();
    assert_eq!(space.heard.lost, frames(&[0]));
    assert_eq!((outcome.losses.packets, outcome.losses.newest_sent_at), (1, at(0)));
}

// spec: 13.4, 15.1; RFC 9002 6.1.2
#[test]
fn nine_eighths_of_a_round_trip_after_sending_is_lost() {
    let mut space = Space::new();
    space.send(0);
    space.send(8);
    space.ack(88, &[1..=1]).unwrap();
    assert_eq!(space.heard.lost, []);
    // 80 ms round trip: 90 ms after sending.
    assert_eq!(space.sent.poll_timeout(&space.rtt), Some(at(90)));
    assert_eq!(space.timeout(at(89)), TimeoutOutcome { prior_in_flight: SIZE, ..NOTHING });
    let outcome = space.timeout(at(90));
    assert!(!outcome.is_probe);
    assert_eq!(outcome.losses.bytes, SIZE);
    assert_eq!(space.heard.lost, frames(&[0]));
    assert_eq!(space.sent.pto_count(), 0);
}

// spec: 13.4, 7.6
#[test]
fn probe_timer_doubles_until_something_is_acknowledged() {
    let mut space = Space::new();
    space.send(0);
    let mut now = at(0);
    for expected in [300, 600, 1200] {
        assert_eq!(space.sent.poll_timeout(&space.rtt), Some(at(expected)));
        now = at(expected);
        assert!(space.timeout(now).is_probe);
    }
    assert_eq!(space.sent.pto_count(), 3);
    assert_eq!(space.heard.lost, [], "a probe timer declares nothing lost");
    space.send(1200);
    assert_eq!(space.sent.poll_timeout(&space.rtt), Some(at(1200 + 2400)));
    space.ack(1280, &[1..=1]).unwrap();
    assert_eq!(space.sent.pto_count(), 0);
    assert!(now < at(1280));
}

// spec: 13.4 PTO
#[test]
fn probe_timer_runs_from_the_last_packet_that_asks_and_counts_the_peers_delay() {
    let mut space = Space::new();
    space.send(0);
    space.ack(80, &[0..=0]).unwrap();
    space.send(100);
    space.send(110);
    space.send_silent(150);
    // 80 + 4 * 40 + 25.
    assert_eq!(space.sent.poll_timeout(&space.rtt), Some(at(110 + 265)));
    space.sent.set_peer_delay(ms(5));
    assert_eq!(space.sent.poll_timeout(&space.rtt), Some(at(110 + 245)));
}

// spec: 13.1 what belongs to a path
#[test]
fn packets_that_ask_for_nothing_arm_no_probe_timer_and_are_not_in_flight() {
    let mut space = Space::new();
    space.send_silent(0);
    assert_eq!(space.sent.in_flight(), 0);
    assert!(!space.sent.is_asking());
    let tidy = space.sent.poll_timeout(&space.rtt).unwrap();
    assert!(!space.timeout(tidy).is_probe);
}

// spec: 7.6 retransmission
#[test]
fn probe_timer_can_be_kept_running_with_nothing_out() {
    let mut space = Space::new();
    space.sent.keep_armed(Some(at(10)));
    assert_eq!(space.sent.poll_timeout(&space.rtt), Some(at(310)));
    assert!(space.timeout(at(310)).is_probe);
    assert_eq!(space.sent.poll_timeout(&space.rtt), Some(at(610)));
    space.sent.reset_backoff();
    assert_eq!(space.sent.poll_timeout(&space.rtt), Some(at(310)));
    space.sent.keep_armed(None);
    assert_eq!(space.sent.poll_timeout(&space.rtt), None);
}

// spec: RFC 9002 5.1
#[test]
fn round_trip_is_taken_from_the_largest_number_when_new_and_asked_for() {
    let mut space = Space::new();
    space.send_at(&[0, 10, 20]);
    let outcome = space.ack(100, &[0..=1]).unwrap();
    assert_eq!((outcome.rtt_sample, outcome.largest_sent_at), (Some(ms(90)), Some(at(10))));
    space.send_silent(100);
    let outcome = space.ack(200, &[3..=3]).unwrap();
    assert_eq!(outcome.rtt_sample, None, "nobody asked for it: it may have waited");
    assert_eq!(outcome.largest_sent_at, Some(at(100)));
    let outcome = space.ack(200, &[2..=3]).unwrap();
    assert_eq!((outcome.rtt_sample, outcome.largest_sent_at), (None, None));
    assert_eq!(space.rtt.latest(), ms(90));
}

// spec: 13.2 differences from RFC 9002; RFC 9002 7.6
#[test]
fn losses_over_three_probe_timeouts_without_an_acknowledgement_are_persistent() {
    // The second sample leaves 80 +- 30 ms: 3 * (80 + 4 * 30 + 25) = 675 ms, first loss to last.
    for (spans_ms, is_persistent) in [(675, false), (676, true)] {
        let mut space = Space::sampled();
        space.send(100);
        space.send(500);
        space.send(100 + spans_ms);
        space.send_many(3, 2000);
        let outcome = space.ack(2080, &[6..=6]).unwrap();
        assert_eq!(outcome.losses.packets, 3, "{spans_ms}");
        assert_eq!(outcome.losses.is_persistent, is_persistent, "{spans_ms}");
    }
}

// spec: RFC 9002 7.6.2
#[test]
fn an_acknowledgement_between_or_no_sample_before_makes_losses_not_persistent() {
    let mut space = Space::sampled();
    space.send_at(&[100, 500, 2000]);
    space.send_many(3, 2100);
    let outcome = space.ack(2180, &[6..=6, 2..=2]).unwrap();
    assert_eq!((outcome.losses.packets, outcome.losses.is_persistent), (2, false));

    let mut young = Space::new();
    young.send_at(&[100, 500, 2000]);
    young.send_many(3, 2100);
    let outcome = young.ack(2180, &[5..=5]).unwrap();
    assert_eq!((outcome.losses.packets, outcome.losses.is_persistent), (3, false));
}

// spec: 13.2 differences from RFC 9002
#[test]
fn losses_that_all_arrive_late_are_spurious_once() {
    let mut space = Space::sampled();
    space.send_many(6, 100);
    space.ack(180, &[6..=6]).unwrap();
    assert_eq!(space.heard.lost, frames(&[1, 2, 3]));
    let in_flight = space.sent.in_flight();
    assert!(!space.ack(181, &[6..=6, 1..=2]).unwrap().is_spurious);
    assert_eq!(space.heard.late, frames(&[1, 2]));
    let outcome = space.ack(182, &[6..=6, 1..=3]).unwrap();
    assert!(outcome.is_spurious);
    assert_eq!((outcome.packets, space.heard.late.clone()), (1, frames(&[1, 2, 3])));
    assert_eq!(space.sent.in_flight(), in_flight, "they had left it when they were lost");
    assert!(!space.ack(183, &[1..=6]).unwrap().is_spurious);
}

// spec: 13.2 differences from RFC 9002
#[test]
fn a_loss_that_stays_one_keeps_the_reduction() {
    let mut space = Space::sampled();
    space.send_many(6, 100);
    space.ack(180, &[6..=6, 3..=4]).unwrap();
    assert_eq!(space.heard.lost, frames(&[1, 2]));
    // Packets of a later episode do not count for it.
    space.send_many(6, 190);
    assert!(!space.ack(270, &[3..=12, 1..=1]).unwrap().is_spurious);
    let tidy = space.sent.poll_timeout(&space.rtt).unwrap();
    space.timeout(tidy);
    let outcome = space.ack(1000, &[1..=12]).unwrap();
    assert_eq!((outcome.packets, outcome.is_spurious), (0, false), "it was forgotten");
}

// spec: 13.2 differences from RFC 9002
#[test]
fn reordering_raises_the_packet_threshold_up_to_half_the_window_until_16_rounds_passed() {
    let mut space = Space::sampled();
    space.send_many(40, 100);
    space.ack(180, &[11..=11]).unwrap();
    assert_eq!(space.heard.lost, frames(&(1..=8).collect::<Vec<_>>()));
    space.ack(180, &[1..=11]).unwrap();
    // 1 came after 11: a distance of 10 is no loss now.
    space.ack(180, &[22..=22, 1..=11]).unwrap();
    assert_eq!(space.heard.lost.len(), 8 * FRAMES);
    space.ack(180, &[23..=23, 1..=11]).unwrap();
    assert_eq!(space.heard.lost, frames(&[1, 2, 3, 4, 5, 6, 7, 8, 12]));
    space.ack(185, &[1..=40]).unwrap();
    space.send(3000);
    space.ack(3080, &[41..=41]).unwrap();
    space.send_many(4, 3090);
    space.ack(3170, &[45..=45]).unwrap();
    assert_eq!(space.heard.lost[9 * FRAMES..], frames(&[42]), "3 again");
}

// spec: 12.11 MTU
#[test]
fn loss_of_an_mtu_probe_is_no_congestion() {
    let mut space = Space::new();
    space.send_as(0, SentPacket { is_mtu_probe: true, ..ASKING });
    space.send_many(3, 0);
    let outcome = space.ack(80, &[1..=3]).unwrap();
    assert_eq!(space.heard.lost, frames(&[0]));
    assert_eq!((outcome.losses.packets, outcome.losses.bytes), (0, 0));
    assert_eq!(space.sent.in_flight(), 0);
}

// spec: 13.5 congestion control; RFC 9000 13.4.2
#[test]
fn packets_with_ect_are_counted_when_acknowledged() {
    let mut space = Space::new();
    space.send_as(0, SentPacket { is_ect: true, ..ASKING });
    space.send(0);
    space.send_as(0, SentPacket { is_ect: true, ..ASKING });
    assert_eq!(space.ack(80, &[0..=1]).unwrap().ect_packets, 1);
    assert_eq!(space.ack(80, &[0..=2]).unwrap().ect_packets, 1);
}

// spec: 12.5, 7.7
#[test]
fn what_is_old_can_be_declared_lost_without_congestion() {
    let mut space = Space::sampled();
    space.send_many(4, 100);
    space.ack(180, &[3..=3]).unwrap();
    space.sent.lose_old(at(180), Duration::from_millis(81), &mut space.heard);
    assert_eq!(space.heard.lost, []);
    space.sent.lose_old(at(180), Duration::from_millis(80), &mut space.heard);
    assert_eq!(space.heard.lost, frames(&[1, 2, 4]));
    assert_eq!((space.sent.in_flight(), space.sent.is_asking()), (0, false));
    let outcome = space.ack(190, &[1..=4]).unwrap();
    assert_eq!(space.heard.late, frames(&[1, 2, 4]));
    assert!(!outcome.is_spurious, "there was no reduction");
}

// spec: 13.2 differences from RFC 9002
#[test]
fn a_discarded_space_forgets_everything_but_where_it_was() {
    let mut space = Space::sampled();
    space.send_many(4, 100);
    space.sent.discard();
    assert_eq!((space.sent.in_flight(), space.sent.is_asking()), (0, false));
    assert_eq!(space.sent.poll_timeout(&space.rtt), None);
    assert_eq!(space.send(200), 5);
    let outcome = space.ack(300, &[0..=5]).unwrap();
    assert_eq!(outcome.packets, 1);
    assert_eq!(space.heard.lost, []);
}

// spec: 13.1 what belongs to a path
#[test]
fn a_side_that_only_acknowledges_keeps_little() {
    let mut space = Space::sampled();
    for _ in 0..10_000 {
        space.send_silent(100);
        assert!(space.sent.entries.len() <= SILENT_MAX as usize + 1);
    }
    assert_eq!(space.sent.silent_packets(), SILENT_MAX);
    let next = space.sent.next_number();
    space.send(100);
    assert_eq!(space.sent.silent_packets(), 0);
    let outcome = space.ack(180, &without(1..=next, space.sent.skipped)).unwrap();
    assert!(outcome.packets > 1);
    while let Some(at) = space.sent.poll_timeout(&space.rtt) {
        space.timeout(at);
    }
    assert_eq!(space.sent.entries.capacity(), 0);
}

// spec: 13.1 what belongs to a path
#[test]
fn there_is_no_room_for_more_packets_than_the_limit() {
    let mut space = Space::new();
    while space.sent.has_room() {
        space.send_as(0, SentPacket { size: 1, ..ASKING });
    }
    assert_eq!(space.sent.entries.len(), PACKETS_MAX);
    space.sent.discard();
    assert!(space.sent.has_room());
}

// spec: 13.1
#[test]
fn an_idle_path_with_all_its_recovery_takes_less_than_a_kibibyte() {
    let space = size_of::<SentPackets<[u64; 3]>>() + size_of::<super::super::ReceivedNumbers>();
    let congestion = size_of::<crate::congestion::Congestion>();
    let others = size_of::<Rtt>() + size_of::<super::super::EcnValidation>();
    assert!(space + congestion + others < 1024, "{space}, {congestion}, {others}");
    assert_eq!(size_of::<super::Entry>(), 64, "a packet is one cache line");
}

/// One space with its round trip and what it told.
pub(super) struct Space {
    pub(super) sent: SentPackets<Frame>,
    pub(super) rtt: Rtt,
    pub(super) rng: ChaCha12Rng,
    pub(super) heard: Heard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Frame {
    pub(super) packet: u64,
    pub(super) index: u16,
}

#[derive(Default)]
pub(super) struct Heard {
    pub(super) acked: Vec<Frame>,
    pub(super) late: Vec<Frame>,
    pub(super) lost: Vec<Frame>,
    pub(super) numbers: Vec<u64>,
}

impl Space {
    pub(super) fn new() -> Space {
        Space {
            sent: SentPackets::new(ms(25)),
            rtt: Rtt::new(),
            rng: ChaCha12Rng::from_seed([7; 32]),
            heard: Heard::default(),
        }
    }

    /// A space whose first packet gave a round trip of 80 ms; nothing heard.
    fn sampled() -> Space {
        let mut space = Space::new();
        space.send(0);
        space.ack(80, &[0..=0]).unwrap();
        space.heard = Heard::default();
        space
    }

    fn send(&mut self, millis: u64) -> u64 {
        self.send_as(millis, ASKING)
    }

    fn send_many(&mut self, packets: usize, millis: u64) {
        for _ in 0..packets {
            self.send(millis);
        }
    }

    fn send_at(&mut self, millis: &[u64]) {
        for &millis in millis {
            self.send(millis);
        }
    }

    fn send_silent(&mut self, millis: u64) {
        self.send_as(millis, SentPacket { is_in_flight: false, asks_for_ack: false, ..ASKING });
    }

    pub(super) fn send_as(&mut self, millis: u64, packet: SentPacket) -> u64 {
        let number = self.sent.begin(&mut self.rng);
        for frame in frames(&[number]) {
            self.sent.note(frame);
        }
        self.sent.finish(SentPacket { sent_at: at(millis), ..packet });
        number
    }

    pub(super) fn ack(
        &mut self,
        millis: u64,
        ranges: &[RangeInclusive<u64>],
    ) -> Result<AckOutcome, AckError> {
        let ranges = ranges.iter().cloned();
        self.sent.on_ack(at(millis), &mut self.rtt, ms(0), ranges, &mut self.heard)
    }

    pub(super) fn timeout(&mut self, now: Time) -> TimeoutOutcome {
        self.sent.handle_timeout(now, &self.rtt, &mut self.heard)
    }
}

impl Feedback<Frame> for Heard {
    fn packet_acked(&mut self, number: u64, packet: &SentPacket, _is_late: bool) {
        assert!(packet.size > 0);
        self.numbers.push(number);
    }

    fn frame_acked(&mut self, frame: Frame, is_late: bool) {
        match is_late {
            true => self.late.push(frame),
            false => self.acked.push(frame),
        }
    }

    fn packet_lost(&mut self, number: u64, packet: &SentPacket) {
        assert!(packet.size > 0);
        self.numbers.push(number);
    }

    fn frame_lost(&mut self, frame: Frame) {
        self.lost.push(frame);
    }
}

/// The frames of the packets with these numbers.
pub(super) fn frames(numbers: &[u64]) -> Vec<Frame> {
    let of = |packet| (0..FRAMES as u16).map(move |index| Frame { packet, index });
    numbers.iter().copied().flat_map(of).collect()
}

/// A range newest first without the number that was skipped in it.
fn without(range: RangeInclusive<u64>, skipped: Option<u64>) -> Vec<RangeInclusive<u64>> {
    match skipped.filter(|skipped| range.contains(skipped)) {
        Some(skipped) => [skipped + 1..=*range.end(), *range.start()..=skipped - 1]
            .into_iter()
            .filter(|range| !range.is_empty())
            .collect(),
        None => vec![range],
    }
}

const FRAMES: usize = 2;
const SIZE: u64 = 1200;

pub(super) const ASKING: SentPacket = SentPacket {
    sent_at: Time::ZERO,
    size: SIZE as u16,
    is_in_flight: true,
    asks_for_ack: true,
    is_ect: false,
    is_mtu_probe: false,
    snapshot: crate::congestion::Snapshot {
        delivered: 0,
        delivered_at: Time::ZERO,
        first_sent_at: Time::ZERO,
        in_flight: 0,
        lost: 0,
        marked: 0,
        is_app_limited: false,
    },
};

const NOTHING: TimeoutOutcome = TimeoutOutcome {
    losses: super::Losses {
        packets: 0,
        bytes: 0,
        newest_sent_at: Time::ZERO,
        is_persistent: false,
    },
    prior_in_flight: 0,
    is_probe: false,
};

pub(super) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(super) fn at(millis: u64) -> Time {
    Time::ZERO + ms(millis)
}
