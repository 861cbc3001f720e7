//! Backlogs by hand: what goes into packets, and what becomes of it.

use std::time::Duration;

use super::super::outbox::{Framing, HEADER_SIZE, Packet, TAG_SIZE};
use super::super::send::{Room, Sending};
use super::*;
use crate::wire::frame::{Data, Frame, Frames, Place};

const SIZE: usize = 1000;

struct Bench {
    backlog: Backlog,
    sending: Sending,
    chunks: Chunks,
    reports: Vec<Report>,
    credit: u64,
    splits: bool,
    padding: usize,
}

/// What one packet held.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    size: usize,
    pieces: Vec<Piece>,
    data: Vec<(u64, u64, bool, Vec<u8>)>,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            backlog: Backlog::default(),
            sending: Sending::new(u64::MAX),
            chunks: Chunks::default(),
            reports: Vec::new(),
            credit: u64::MAX,
            splits: true,
            padding: 0,
        }
    }

    fn push(&mut self, byte: u8, len: usize) {
        let next = self.sending.next();
        let message = vec![byte; len];
        let mut one = std::iter::once(&message[..]).peekable();
        if self.backlog.push_alike(&mut one, usize::MAX).0 == 0 {
            self.backlog.push(&message, Ask::default(), next, &mut self.chunks);
        }
    }

    fn push_asking(&mut self, len: usize, expires: Option<Time>, report: Option<u64>) {
        let next = self.sending.next();
        self.backlog.push(&vec![1; len], Ask { expires, report }, next, &mut self.chunks);
    }

    fn fill(&mut self, most: usize) -> (Vec<Sent>, Stop) {
        self.fill_behind(most, &[])
    }

    fn fill_behind(&mut self, most: usize, lead: &[u8]) -> (Vec<Sent>, Stop) {
        let framing = Framing { packet_size: SIZE, segments_max: 64, number_len: 2 };
        let order = Order {
            framing,
            lead,
            may_split: self.splits,
            credit: self.credit,
            most,
            kept_max: 1 << 20,
            padding_max: self.padding,
        };
        let (mut buf, mut packets, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        let before = self.sending.position();
        let mut output =
            Output { buf: &mut buf, packets: &mut packets, pieces: &mut pieces, resent: 0 };
        let stop = self.backlog.fill(&mut self.sending, &order, &mut output);
        self.credit = self.credit.saturating_sub(self.sending.position() - before);
        (read(&buf, &packets, &pieces, lead.len()), stop)
    }

    fn settle<T>(&mut self, act: impl FnOnce(&mut Backlog, &mut Settling<'_>) -> T) -> T {
        let Bench { backlog, sending, chunks, reports, .. } = self;
        act(backlog, &mut Settling { sending, reports, chunks })
    }

    fn acknowledge(&mut self, sent: &Sent) {
        for piece in &sent.pieces {
            self.settle(|backlog, settling| backlog.acknowledge(*piece, settling));
        }
    }

    fn lose(&mut self, sent: &Sent) {
        for piece in &sent.pieces {
            self.backlog.resend(*piece, piece.resends() + 1);
        }
    }

    fn give_up(&mut self, sent: &Sent) -> u64 {
        let pieces = sent.pieces.clone();
        let one =
            |piece: &Piece| self.settle(|backlog, settling| backlog.give_up(*piece, settling));
        pieces.iter().map(one).sum()
    }
}

fn read(buf: &[u8], packets: &[Packet], pieces: &[Piece], lead: usize) -> Vec<Sent> {
    let (mut start, mut from) = (0, 0);
    let mut all = Vec::new();
    for packet in packets {
        let payload = &buf[start + HEADER_SIZE + 2 + lead..start + packet.size - TAG_SIZE];
        let mut data = Vec::new();
        for frame in Frames::new(Place::Short, payload) {
            let frame = frame.expect("what we write can be read");
            if let Frame::Data(Data { number, offset, is_final, bytes }) = frame {
                assert!(is_final || bytes.len() >= Data::FRAGMENT_LEN_MIN);
                data.push((number, offset, is_final, bytes.to_vec()));
            } else {
                assert!(matches!(frame, Frame::Padding { .. }), "{frame:?}");
            }
        }
        let own = pieces[from..from + usize::from(packet.pieces)].to_vec();
        all.push(Sent { size: packet.size, pieces: own, data });
        start += packet.size;
        from += usize::from(packet.pieces);
    }
    all
}

// spec: 8.14 DATA
#[test]
fn small_messages_share_packets_of_one_size() {
    let mut bench = Bench::new();
    bench.splits = false;
    (0..100).for_each(|_| bench.push(7, 64));
    let (sent, stop) = bench.fill(64);
    assert_eq!(stop, Stop::Done);
    assert_eq!(sent.len(), 8);
    assert!(sent[..7].iter().all(|packet| packet.size == sent[0].size && packet.size > 900));
    assert_eq!(sent[0].pieces, [Piece::Whole { first: 0, count: 14, resends: 0 }]);
    let numbers: Vec<u64> = sent.iter().flat_map(|one| one.data.iter().map(|it| it.0)).collect();
    assert_eq!(numbers, (0..100).collect::<Vec<u64>>());
    assert_eq!(bench.sending.position(), 100 * 96);
    assert!(!bench.backlog.wants_to_send() && bench.backlog.bytes() == 9_600);
    sent.iter().for_each(|one| bench.acknowledge(one));
    assert!(bench.backlog.is_empty() && bench.backlog.bytes() == 0);
}

/// Puts pieces of messages together that leave in order.
fn collect(messages: &mut Vec<(u64, Vec<u8>)>, packets: &[Sent]) {
    for (number, offset, _, bytes) in packets.iter().flat_map(|one| one.data.clone()) {
        match offset {
            0 => messages.push((number, bytes)),
            _ => messages.last_mut().expect("it was begun").1.extend(bytes),
        }
    }
}

// spec: 8.14 DATA
#[test]
fn messages_of_any_sizes_leave_as_they_came_and_in_order() {
    let mut bench = Bench::new();
    let mut numbers: u32 = 1;
    let mut random = |most: u32| {
        numbers = numbers.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (numbers >> 8) % most
    };
    let (mut pushed, mut left, mut waiting) = (Vec::new(), Vec::new(), VecDeque::new());
    for _ in 0..1_500 {
        // Rows of one size, at times with one between that asks for something.
        let (len, count) = (1 + random(90) as usize, 1 + random(40));
        for _ in 0..count {
            let byte = pushed.len() as u8;
            if random(50) == 0 {
                bench.push_asking(len, None, Some(7));
                pushed.push(vec![1; len]);
            } else {
                bench.push(byte, len);
                pushed.push(vec![byte; len]);
            }
        }
        bench.splits = random(2) == 0;
        bench.credit = u64::from(random(6_000));
        let (sent, _) = bench.fill(1 + random(3) as usize);
        collect(&mut left, &sent);
        waiting.extend(sent);
        while waiting.len() > 5 {
            bench.acknowledge(&waiting.pop_front().expect("it was counted"));
        }
    }
    bench.credit = u64::MAX;
    while bench.backlog.wants_to_send() {
        let (sent, _) = bench.fill(64);
        collect(&mut left, &sent);
        waiting.extend(sent);
    }
    waiting.iter().for_each(|one| bench.acknowledge(one));
    let numbered: Vec<(u64, Vec<u8>)> = (0..).zip(pushed).collect();
    assert!(left == numbered, "{} of {}", left.len(), numbered.len());
    assert!(bench.backlog.is_empty() && bench.backlog.bytes() == 0);
}

// spec: 10.1 numbers and fragments
#[test]
fn a_large_message_fills_packets_and_the_next_one_follows_in_its_last() {
    let mut bench = Bench::new();
    bench.push(1, 3_000);
    bench.push(2, 500);
    let (sent, stop) = bench.fill(64);
    assert_eq!((sent.len(), stop), (4, Stop::Done));
    assert!(sent[..3].iter().all(|packet| packet.size == SIZE));
    let mut bytes = [Vec::new(), Vec::new()];
    for (number, offset, is_final, part) in sent.iter().flat_map(|one| &one.data) {
        let message = &mut bytes[*number as usize];
        assert_eq!(message.len() as u64, *offset);
        message.extend_from_slice(part);
        assert_eq!(*is_final, message.len() == [3_000, 500][*number as usize]);
    }
    assert_eq!(bytes, [vec![1; 3_000], vec![2; 500]]);
    assert_eq!(bench.sending.position(), 3_564);
    for one in [3, 1, 0, 2] {
        assert!(!bench.backlog.is_empty());
        bench.acknowledge(&sent[one]);
    }
    assert!(bench.backlog.is_empty(), "acknowledged in any order");
}

// spec: 10.4 giving up
#[test]
fn lost_fragments_go_before_what_is_new_and_cost_no_credit_again() {
    let mut bench = Bench::new();
    bench.push(1, 5_000);
    let (sent, _) = bench.fill(3);
    bench.lose(&sent[1]);
    let spent = bench.sending.position();
    let (again, _) = bench.fill(1);
    assert_eq!(again[0].data, sent[1].data);
    assert!(matches!(again[0].pieces[..], [Piece::Part { resends: 1, .. }]));
    assert_eq!(bench.sending.position(), spent);
    let (new, _) = bench.fill(64);
    assert_eq!(new[0].data[0].1, sent[2].data[0].1 + sent[2].data[0].3.len() as u64);
}

// spec: 10.4 giving up
#[test]
fn a_resent_fragment_is_cut_again_to_the_room_there_is() {
    let mut bench = Bench::new();
    bench.push(1, 5_000);
    let (sent, _) = bench.fill(2);
    bench.lose(&sent[0]);
    let (again, _) = bench.fill_behind(1, &[0; 300]);
    let (_, offset, is_final, part) = &again[0].data[0];
    assert_eq!((*offset, *is_final), (0, false));
    assert!(part.len() + 300 <= sent[0].data[0].3.len());
    let (rest, _) = bench.fill(1);
    assert_eq!(rest[0].data[0].1, part.len() as u64);
}

// spec: 10.4 giving up
#[test]
fn what_is_acknowledged_late_does_not_go_again() {
    let mut bench = Bench::new();
    (0..10).for_each(|_| bench.push(1, 100));
    bench.push(2, 3_000);
    let (sent, _) = bench.fill(64);
    sent.iter().for_each(|one| bench.lose(one));
    sent[1..].iter().for_each(|one| bench.acknowledge(one));
    let (again, stop) = bench.fill(64);
    assert_eq!(stop, Stop::Done);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].data, sent[0].data);
    bench.acknowledge(&sent[0]);
    assert!(bench.backlog.is_empty());
    bench.acknowledge(&again[0]);
    assert_eq!(bench.sending.next(), 11, "nothing happens twice");
}

// spec: 10.4 giving up
#[test]
fn messages_are_given_up_once_and_only_for_what_is_missing() {
    let mut bench = Bench::new();
    bench.push_asking(100, None, Some(10));
    bench.push_asking(2_500, None, Some(11));
    bench.push_asking(100, None, Some(12));
    let (sent, _) = bench.fill(64);
    sent[1..].iter().for_each(|one| bench.acknowledge(one));
    assert_eq!(bench.reports, [Report { context: 12, reason: None }]);
    assert_eq!(bench.give_up(&sent[1]), 0, "it came");
    assert_eq!(bench.give_up(&sent[0]), 2);
    assert_eq!(bench.give_up(&sent[0]), 0);
    let lost = |context| Report { context, reason: Some(Error::Lost) };
    assert_eq!(bench.reports[1..], [lost(10), lost(11)]);
    assert!(bench.backlog.is_empty());
    assert_eq!(bench.sending.skip(), Some((3, 132 + 2_532 + 132)));
}

// spec: 11.1 charge
#[test]
fn a_message_given_up_half_way_costs_what_was_sent_of_it() {
    let mut bench = Bench::new();
    bench.push(1, 10_000);
    bench.push(2, 10);
    let (sent, _) = bench.fill(2);
    let part: usize = sent.iter().map(|one| one.data[0].3.len()).sum();
    assert_eq!(bench.give_up(&sent[0]), 1);
    assert_eq!(bench.sending.skip(), Some((1, part as u64 + 32)));
    let (next, stop) = bench.fill(64);
    assert_eq!((next[0].data[0].0, stop), (1, Stop::Done));
    assert_eq!(bench.sending.position(), part as u64 + 32 + 42);
    assert_eq!(bench.backlog.unsent_bytes(), 0);
    bench.acknowledge(&next[0]);
    assert!(bench.backlog.is_empty() && bench.backlog.bytes() == 0);
}

// spec: 11.2 sending
#[test]
fn credit_cuts_messages_but_not_into_crumbs() {
    let mut bench = Bench::new();
    bench.push(1, 500);
    bench.credit = 32 + 63;
    assert_eq!(bench.fill(9), (vec![], Stop::Connection));
    bench.credit = 32 + 64;
    let (sent, stop) = bench.fill(9);
    assert_eq!((sent[0].data[0].3.len(), stop), (64, Stop::Connection));
    bench.credit = u64::MAX;
    bench.sending.reset_limit(96 + 100);
    let (sent, stop) = bench.fill(9);
    assert_eq!((sent[0].data[0].1, sent[0].data[0].3.len()), (64, 100));
    assert_eq!(stop, Stop::Channel(Room::Unreported));
    bench.sending.set_reported();
    assert_eq!(bench.fill(9).1, Stop::Channel(Room::None));
    bench.sending.raise(1_000);
    let (sent, stop) = bench.fill(9);
    assert_eq!((sent[0].data[0].1, sent[0].data[0].2, stop), (164, true, Stop::Done));
    assert_eq!(bench.sending.position(), 532);
}

// spec: 10.3 modes
#[test]
fn without_leave_to_split_a_message_that_fits_a_packet_stays_whole() {
    for splits in [true, false] {
        let mut bench = Bench::new();
        bench.splits = splits;
        (0..4).for_each(|_| bench.push(1, 600));
        let (sent, _) = bench.fill(64);
        let parts = sent.iter().flat_map(|one| &one.data).count();
        assert_eq!(parts > 4, splits, "{sent:?}");
    }
}

// spec: 10.4 giving up, 10.1 numbers and fragments
#[test]
fn a_message_too_old_takes_no_number_before_it_was_begun() {
    let at = |ms: u64| Time::ZERO + Duration::from_millis(ms);
    let mut bench = Bench::new();
    bench.push_asking(100, Some(at(10)), Some(1));
    let (first, _) = bench.fill(64);
    bench.push_asking(100, Some(at(20)), Some(2));
    bench.push_asking(100, None, Some(3));
    bench.push_asking(100, Some(at(30)), Some(4));
    let expired = bench.settle(|backlog, settling| backlog.expire(at(20), true, settling));
    assert_eq!((expired.given_up, expired.discarded, expired.next), (1, 1, Some(at(30))));
    let old = |context| Report { context, reason: Some(Error::Expired) };
    assert_eq!(bench.reports, [old(1), old(2)]);
    let (sent, _) = bench.fill(64);
    assert_eq!(sent[0].pieces, [Piece::Whole { first: 1, count: 2, resends: 0 }]);
    bench.acknowledge(&first[0]);
    bench.acknowledge(&sent[0]);
    assert!(bench.backlog.is_empty());
    assert_eq!(bench.reports.len(), 4, "each is reported once");
}

// spec: 10.4 giving up
#[test]
fn without_resending_a_lifetime_ends_with_the_first_byte_sent() {
    let mut bench = Bench::new();
    bench.push_asking(100, Some(Time::ZERO), None);
    bench.fill(64);
    bench.push_asking(100, Some(Time::ZERO), None);
    let expired = bench.settle(|backlog, settling| backlog.expire(Time::ZERO, false, settling));
    assert_eq!((expired.given_up, expired.discarded, expired.next), (0, 1, None));
}

#[test]
fn too_much_kept_stops_what_is_new_until_it_is_acknowledged() {
    let mut bench = Bench::new();
    (0..20).for_each(|_| bench.push(1, 100_000));
    let mut all = Vec::new();
    let stop = loop {
        let (sent, stop) = bench.fill(64);
        all.extend(sent);
        if stop != Stop::Full {
            break stop;
        }
    };
    assert_eq!(stop, Stop::Kept);
    assert!(bench.backlog.bytes() - bench.backlog.unsent_bytes() < (1 << 20) + 101_000);
    all.iter().for_each(|one| bench.acknowledge(one));
    assert!(!bench.fill(64).0.is_empty());
}

#[test]
fn a_cleared_backlog_reports_what_was_not_settled() {
    let mut bench = Bench::new();
    bench.push_asking(100, None, Some(1));
    let (sent, _) = bench.fill(64);
    bench.push_asking(100, None, Some(2));
    bench.acknowledge(&sent[0]);
    bench.settle(|backlog, settling| {
        backlog.clear(Error::Closed, settling.reports, settling.chunks);
    });
    let closed = Report { context: 2, reason: Some(Error::Closed) };
    assert_eq!(bench.reports, [Report { context: 1, reason: None }, closed]);
    assert!(bench.backlog.is_empty() && bench.backlog.bytes() == 0);
}

// spec: 10.1 numbers and fragments
#[test]
fn a_gap_that_two_ways_to_cut_left_goes_again_as_no_crumb() {
    for missing in [(0, 20), (480, 500), (500, 563), (960, 1_000)] {
        let mut bench = Bench::new();
        bench.push(3, 1_000);
        let (sent, _) = bench.fill(2);
        assert_eq!(sent.len(), 2);
        let part = |start: u32, end: u32, resends| Piece::Part {
            number: 0,
            offset: start,
            len: (end - start) as u16,
            resends,
        };
        for (start, end) in [(0, missing.0), (missing.1, 1_000)] {
            let piece = part(start, end, Piece::COPY);
            bench.settle(|backlog, settling| backlog.acknowledge(piece, settling));
        }
        bench.backlog.resend(part(0, 1_000, 0), 1);
        // `read` refuses crumbs.
        let (again, stop) = bench.fill(2);
        assert_eq!((again.len(), stop), (1, Stop::Done), "{missing:?}");
        let (_, offset, _, bytes) = &again[0].data[0];
        let end = offset + bytes.len() as u64;
        assert!(*offset <= u64::from(missing.0) && end >= u64::from(missing.1));
        bench.acknowledge(&again[0]);
        assert!(bench.backlog.is_empty());
    }
}

// spec: 10.4 giving up
#[test]
fn what_was_never_sent_leaves_no_bytes_behind() {
    let mut bench = Bench::new();
    bench.push(1, 100);
    let (sent, _) = bench.fill(1);
    for round in 0..100_u64 {
        let expires = Some(Time::from_nanos(round + 1));
        bench.push_asking(50_000, expires, None);
        bench.push_asking(1_000, Some(Time::from_nanos(round + 2)), None);
        let now = Time::from_nanos(round + 1);
        bench.settle(|backlog, settling| backlog.expire(now, true, settling));
        let store = bench.backlog.store.len();
        assert!(store <= 2 * bench.backlog.bytes() + (64 << 10), "{store} in round {round}");
    }
    bench.acknowledge(&sent[0]);
    let (sent, _) = bench.fill(64);
    assert!(sent.iter().all(|one| one.data.iter().all(|data| data.3.iter().all(|it| *it == 1))));
    sent.iter().for_each(|one| bench.acknowledge(one));
    assert!(bench.backlog.is_empty() && bench.backlog.bytes() == 0);
}

// spec: 10.4 giving up
#[test]
fn many_messages_that_end_at_once_do_not_cost_more_than_one_look_each() {
    let mut bench = Bench::new();
    bench.credit = 30_000 * 33;
    for _ in 0..30_000 {
        bench.push_asking(1, None, None);
    }
    while bench.fill(64).0.len() == 64 {}
    for context in 0..60_000 {
        bench.push_asking(1, Some(Time::from_nanos(1)), Some(context));
    }
    let now = Time::from_nanos(1);
    let expired = bench.settle(|backlog, settling| backlog.expire(now, false, settling));
    assert_eq!(expired.discarded, 60_000);
    assert!(bench.reports.iter().map(|one| one.context).eq(0..60_000));
    assert_eq!((bench.backlog.unsent_bytes(), bench.backlog.unsent_messages()), (0, 0));
}
