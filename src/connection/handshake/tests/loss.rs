//! Networks that lose, repeat and reorder.

use super::*;

/// Runs with datagram `index` of `from` lost; whether both sides came through.
fn run_without(options: impl Fn() -> TlsOptions, from: Side, index: usize) -> Pair {
    let mut pair = pair(options);
    pair.run_out(&mut |side, at, bytes| match (side, at) == (from, index) {
        true => Vec::new(),
        false => carry_all(side, at, bytes),
    });
    pair
}

// spec: 7.6 retransmission
#[test]
fn any_single_datagram_may_be_lost() {
    for options in [classical, TlsOptions::default] {
        for from in [Side::Initiator, Side::Responder] {
            for index in 0..4 {
                let mut pair = run_without(options, from, index);
                assert_agreed(&mut pair);
                let took = pair.initiator.completed_at.map(|at| at.since(BEGAN));
                assert!(took <= Some(Duration::from_secs(1)), "{from:?} {index}: {took:?}");
            }
        }
    }
}

// spec: 7.6 retransmission; 7.3 handshake_timeout
#[test]
fn random_loss_and_disorder_end_in_agreement_or_in_a_timeout() {
    let mut completed = 0;
    for seed in 0..SEEDS {
        let mut random = Dice::new(seed);
        let options = if seed % 2 == 0 { classical } else { TlsOptions::default };
        let mut pair = pair(options);
        pair.run_out(&mut |_, _, bytes| {
            let mut copies = Vec::new();
            while random.chance(15) || copies.is_empty() {
                copies.push((DELAY + Duration::from_millis(random.below(60)), bytes.clone()));
            }
            copies.retain(|_| !random.chance(30));
            copies
        });
        if pair.is_confirmed {
            assert_agreed(&mut pair);
            completed += 1;
            continue;
        }
        println!("seed {seed}");
        // An initiator without an answer has failed; a complete one waits no longer than that.
        let failure = pair.initiator.failure.expect("no agreement means failure");
        assert!(matches!(failure.reason, Reason::Timeout | Reason::Unproven), "{failure:?}");
        assert!(pair.initiator.handshake().is_over());
    }
    assert!(completed >= SEEDS * 9 / 10, "{completed} of {SEEDS}");
}

// spec: 15.1 handshake_timeout; 7.8 backed off by two
#[test]
fn initiator_that_hears_nothing_repeats_ever_more_rarely_and_gives_up() {
    let mut pair = pair(classical);
    let mut times = Vec::new();
    pair.run_out(&mut |_, _, bytes| {
        assert_eq!(bytes.len(), 1200);
        times.push(());
        Vec::new()
    });
    // At 0, 0.3, 0.9, 2.1, 4.5 and 9.3 s.
    assert_eq!(times.len(), 6);
    assert_eq!(pair.now, BEGAN + Duration::from_secs(10));
    let expected = Failure { reason: Reason::Timeout, may_retry: true };
    assert_eq!(pair.initiator.failure, Some(expected));
    assert!(pair.initiator.handshake().is_over());
}

// spec: 7.4 forgotten on timeout
#[test]
fn responder_forgets_an_initiator_that_went_away() {
    let mut pair = pair(classical);
    pair.run_out(&mut |side, at, bytes| match (side, at) {
        (Side::Initiator, 0) => carry_all(side, at, bytes),
        _ => Vec::new(),
    });
    let failure = pair.responder.failure.expect("it gave up");
    assert_eq!(failure.reason, Reason::Timeout);
    assert!(pair.responder.handshake().is_over());
    assert_eq!(pair.responder.handshake().poll_timeout(), None);
    assert!(pair.responder.complete.is_none());
}

// spec: 7.8 amplification
#[test]
fn responder_never_sends_more_than_three_times_what_it_received() {
    for options in [classical, TlsOptions::default] {
        for arrive in 1..=3 {
            let mut pair = pair(options);
            let mut received = 0;
            let mut sent = 0;
            pair.run_out(&mut |side, at, bytes| {
                if side == Side::Responder {
                    sent += bytes.len();
                    assert!(sent <= 3 * received, "{sent} for {received}");
                    return Vec::new();
                }
                if at >= arrive {
                    return Vec::new();
                }
                received += bytes.len();
                carry_all(side, at, bytes)
            });
            assert_eq!(pair.responder.sent, sent as u64);
            assert!(sent > 0 && sent <= 3600 * arrive);
        }
    }
}

// spec: 7.6 the responder may have run into 7.8
#[test]
fn responder_out_of_budget_goes_on_when_the_initiator_asks_again() {
    let mut pair = pair(TlsOptions::default);
    // All that the responder sends in the first 350 ms is lost: its budget with it.
    pair.run_out(&mut |side, at, bytes| match side {
        Side::Responder if at < 4 => Vec::new(),
        Side::Initiator | Side::Responder => carry_all(side, at, bytes),
    });
    assert_agreed(&mut pair);
}

// spec: 4.5 receiving; packets that come before their keys
#[test]
fn flights_in_reverse_order_need_no_timer() {
    let mut pair = pair(TlsOptions::default);
    pair.run_out(&mut |side, at, bytes| {
        // The responder's first only acknowledges half of a ClientHello.
        let is_late = at == usize::from(side == Side::Responder);
        vec![(if is_late { 2 * DELAY } else { DELAY }, bytes)]
    });
    assert_agreed(&mut pair);
    let took = pair.initiator.completed_at.map(|at| at.since(BEGAN));
    assert_eq!(took, Some(4 * DELAY));
}

const BEGAN: Time = Time::from_nanos(1_000_000_000);

const SEEDS: u64 = 200;
