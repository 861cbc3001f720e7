//! Tickets, resumption, and early data: taken, refused, replayed.

use super::*;

fn early(post_quantum: bool) -> impl Fn() -> TlsOptions {
    move || TlsOptions { early_data: true, post_quantum, ..TlsOptions::default() }
}

/// A pair whose initiator has tickets, dialling again.
fn resuming(options: impl Fn() -> TlsOptions) -> Pair {
    let mut pair = pair(options);
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
    pair.deliver_tickets();
    pair.redial()
}

fn payload(byte: u8, len: usize) -> Vec<u8> {
    vec![byte; len]
}

// spec: 7.12 tickets; 3.4 the key is there after resumed handshakes too
#[test]
fn second_dial_resumes_and_names_the_same_key() {
    let mut pair = resuming(classical);
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
    for end in [&pair.initiator, &pair.responder] {
        assert!(end.complete.is_some());
        assert_eq!(end.identified.len(), 1, "asked at the end, and only then: no early data");
        assert!(end.identified[0].1);
    }
    assert!(pair.initiator.complete.as_ref().is_some_and(|complete| complete.early.is_none()));
}

// spec: 7.12 a dial that asks for no peer id offers no ticket
#[test]
fn dial_for_anybody_offers_no_ticket() {
    let mut pair = resuming(early(false));
    pair.initiator.asked = None;
    pair.dial();
    assert_eq!(pair.initiator.handshake().early_room(), 0);
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
    assert!(!pair.initiator.identified[0].1, "not resumed");
}

// spec: 7.13 early data
#[test]
fn early_data_comes_before_the_handshake_is_done() {
    for post_quantum in [false, true] {
        let mut pair = resuming(early(post_quantum));
        let initiator = pair.initiator.handshake();
        let kept = initiator.early_params().expect("a ticket allows it");
        assert_eq!(kept.message_max, 16 << 20);
        let room = initiator.early_room();
        assert!(room > 1000, "{room}");
        assert_eq!(initiator.push_early(payload(0, room + 1)), None);
        let mut pushed = Vec::new();
        for byte in 1.. {
            let room = initiator.early_room();
            if room == 0 {
                break;
            }
            let payload = payload(byte, room.min(600));
            assert_eq!(initiator.push_early(payload.clone()), Some(pushed.len()));
            pushed.push(payload);
        }
        let mut flight = 0;
        let began = pair.now;
        pair.run(began + DELAY, &mut |side, at, bytes| {
            flight += usize::from(side == Side::Initiator);
            carry_all(side, at, bytes)
        });
        let expected = if post_quantum { 2 } else { 3 };
        assert_eq!(flight, expected, "spec: 7.8 a first flight: at most three");
        let came: Vec<_> = pair.responder.early.iter().map(|(_, payload)| payload).collect();
        assert_eq!(came, pushed.iter().collect::<Vec<_>>());
        assert_eq!(pair.responder.identified.len(), 1);
        assert!(pair.responder.identified[0].2, "asked before anything was delivered");
        pair.run_out(&mut carry_all);
        assert_agreed(&mut pair);
        assert_eq!(pair.responder.identified.len(), 2, "spec: 3.4 and again at the end");
        let complete = pair.initiator.complete.as_ref().expect("complete");
        let outcome = complete.early.as_ref().expect("it was offered");
        assert!(outcome.is_accepted);
        let numbers: Vec<_> = outcome.sent.iter().map(|sent| (sent.number, sent.payload)).collect();
        let count = pushed.len();
        assert_eq!(numbers, (0..count).map(|at| (at as u64, at)).collect::<Vec<_>>());
        assert_eq!(complete.next_number, count as u64);
    }
}

// spec: 7.9 early data included, with new packet numbers
#[test]
fn early_data_goes_again_with_a_cookie() {
    let mut pair = resuming(early(false));
    pair.cookies = Some(crate::crypto::CookieKeys::new([7; 32], pair.now));
    assert_eq!(pair.initiator.handshake().push_early(payload(5, 500)), Some(0));
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
    assert_eq!(pair.responder.early, [(1, payload(5, 500))]);
    let complete = pair.initiator.complete.as_ref().expect("complete");
    assert_eq!(complete.next_number, 2);
    assert_eq!(complete.early.as_ref().map(|early| early.sent.len()), Some(2));
}

// spec: 7.13 when early data was refused, all level 2 packets count as never sent
#[test]
fn refused_early_data_is_told_and_nothing_of_it_delivered() {
    let mut pair = resuming(early(false));
    // The responder restarted: its tickets are gone.
    pair.responder.node = Node::new(2, early(false)());
    assert_eq!(pair.initiator.handshake().push_early(payload(5, 500)), Some(0));
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
    assert!(pair.responder.early.is_empty());
    let complete = pair.initiator.complete.as_ref().expect("complete");
    assert!(!pair.initiator.identified[0].1, "not resumed");
    assert_eq!(complete.early.as_ref().map(|early| early.is_accepted), Some(false));
}

// spec: 3.4, 18.2 a peer banned after its ticket was issued
#[test]
fn peer_refused_at_its_ticket_delivers_nothing_and_is_refused() {
    let mut pair = resuming(early(false));
    pair.responder.node.refuses = Some(ConnectionCode::Refused);
    assert_eq!(pair.initiator.handshake().push_early(payload(5, 500)), Some(0));
    pair.run_out(&mut carry_all);
    assert!(pair.responder.early.is_empty() && pair.responder.complete.is_none());
    assert_eq!(pair.initiator.closed, Some(ConnectionCode::Refused.code()));
}

// spec: 7.13 a replayed flight finds no ticket and gets a full handshake without early data
#[test]
fn replayed_flight_delivers_no_early_data_twice() {
    let mut pair = resuming(early(false));
    assert_eq!(pair.initiator.handshake().push_early(payload(5, 500)), Some(0));
    let mut flight = Vec::new();
    pair.run_out(&mut |side, at, bytes| {
        if side == Side::Initiator && at < 2 {
            flight.push(bytes.clone());
        }
        carry_all(side, at, bytes)
    });
    assert_agreed(&mut pair);
    assert_eq!(pair.responder.early.len(), 1);
    // The same node, from another address: another attempt (7.2).
    let mut again = pair.redial();
    for bytes in flight {
        again.deliver(Side::Responder, bytes);
    }
    let now = again.now;
    assert!(again.responder.poll_transmit(now).is_some(), "it answers");
    assert!(again.responder.early.is_empty() && again.responder.identified.is_empty());
    again.run_out(&mut only(Side::Initiator, 0));
    assert!(again.responder.early.is_empty() && again.responder.complete.is_none());
}

// spec: 7.13 at most early_bytes_max before confirmation; what is above is dropped
#[test]
fn early_data_above_the_bytes_kept_is_dropped() {
    let mut pair = resuming(early(false));
    pair.responder.node.config.early_bytes_max = 1_100;
    for byte in 0..3 {
        assert_eq!(pair.initiator.handshake().push_early(payload(byte, 500)), Some(byte.into()));
    }
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
    let came: Vec<_> = pair.responder.early.iter().map(|(number, _)| *number).collect();
    assert_eq!(came, [0, 1]);
}

// spec: 4.2, 7.13 no half-open knows them: dropped; 5.6 each number once
#[test]
fn early_packets_alone_create_nothing_and_copies_count_once() {
    let mut pair = resuming(early(false));
    assert_eq!(pair.initiator.handshake().push_early(payload(1, 1000)), Some(0));
    let now = pair.now;
    let hello = pair.initiator.poll_transmit(now).expect("level 0");
    let mut early = pair.initiator.poll_transmit(now).expect("level 2");
    early.resize(1200, 0);
    pair.deliver(Side::Responder, early.clone());
    assert!(pair.responder.handshake.is_none());
    pair.deliver(Side::Responder, hello);
    for _ in 0..3 {
        pair.deliver(Side::Responder, early.clone());
    }
    assert_eq!(pair.responder.early, [(0, payload(1, 1000))]);
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
}

// spec: 7.13 never in a wrong state, whatever becomes of the flights
#[test]
fn early_data_under_loss_is_delivered_once_or_not_at_all() {
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let mut pair = resuming(early(seed % 2 == 0));
        while let Some(room) =
            Some(pair.initiator.handshake().early_room()).filter(|room| *room > 0)
        {
            let size = room.min(400);
            pair.initiator.handshake().push_early(payload(seed as u8, size)).expect("it has room");
        }
        pair.run_out(&mut |_, _, bytes| {
            let mut copies = vec![(DELAY, bytes.clone()), (3 * DELAY, bytes)];
            copies.retain(|_| !dice.chance(40));
            copies
        });
        let mut numbers: Vec<_> = pair.responder.early.iter().map(|early| early.0).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "seed {seed}");
        if pair.is_confirmed {
            assert_agreed(&mut pair);
        }
    }
}
