//! Losses, marks, policers, losses that were none, and a path that leads elsewhere.

use super::*;
use crate::congestion::{Cause, CongestionEvent, PacketSample};

/// Delivered parts of the link in per cent, at so many lost packets of a thousand.
fn shares_at(loss_percent: u8, losses: &[u64]) -> Vec<u64> {
    let at = |lost_per_mille: &u64| {
        let mut link = Link::new(RATE, BDP);
        link.lost_per_mille = *lost_per_mille;
        let settings = Settings { loss_percent, ..settings() };
        let mut net = TestNet::single(settings, link, ms(50));
        net.run(secs(2));
        share(&mut net, 0, secs(20))
    };
    losses.iter().map(at).collect()
}

// spec: BBR 3.1, 5.5.10
#[test]
fn one_lost_packet_in_a_hundred_costs_little() {
    let shares = shares_at(2, &[0, 5, 10]);
    assert!(shares[0] >= 95 && shares[1] >= 94 && shares[2] >= 93, "{shares:?}");
}

// spec: BBR 5.5.10.3
#[test]
fn losses_that_are_tolerated_lower_the_rate_once_and_not_from_round_trip_to_round_trip() {
    let mut net = settled();
    net.link.lost_per_mille = 10;
    let before = bbr(&net, 0).model.max_rate();
    run_until(&mut net, secs(1), |net| bbr(net, 0).model.is_rate_short());
    // A probe takes the bounds away: until then forty round trips, or some less.
    let mut least = u64::MAX;
    while bbr(&net, 0).state == State::Cruise {
        let model = &bbr(&net, 0).model;
        least = least.min(model.rate);
        assert!(model.in_flight_short >= BDP * 9 / 10, "{}", model.in_flight_short);
        net.run(ms(10));
    }
    assert!(least >= before * 94 / 100, "{least} of {before}");
}

// spec: 13.5 congestion control
#[test]
fn path_lives_on_whatever_it_loses() {
    for (lost, share) in [20, 50, 100, 200].into_iter().zip(shares_at(2, &[20, 50, 100, 200])) {
        let mut net = alone();
        net.link.lost_per_mille = lost;
        net.run(secs(20));
        assert!(net.flows[0].delivered > 500_000, "{lost}: {} ({share} %)", net.flows[0].delivered);
        assert!(net.flows[0].congestion.window() >= 4 * MTU);
    }
}

// spec: 13.5 congestion control
#[test]
fn link_known_to_lose_at_random_is_filled_up_to_the_loss_that_was_named() {
    let shares = shares_at(12, &[10, 50, 80]);
    assert!(shares[0] >= 94 && shares[1] >= 85 && shares[2] >= 80, "{shares:?}");
}

// spec: 13.5 congestion control
#[test]
fn losses_beyond_what_was_named_still_count() {
    let mut net =
        TestNet::single(Settings { loss_percent: 12, ..settings() }, Link::new(RATE, BDP), ms(50));
    net.run(secs(3));
    let now = net.now;
    net.link.set_rate(now, RATE / 4);
    net.link.queue = BDP / 8;
    net.run(secs(10));
    let dropped = net.flows[0].dropped;
    let part = share(&mut net, 0, secs(10));
    let dropped = (net.flows[0].dropped - dropped) * 100 / (RATE / 4 * 10);
    assert!(part >= 90 && dropped <= 12, "{part} %, {dropped} % dropped");
}

// spec: BBR A.6, A.21, 5.5.10.2
#[test]
fn losses_in_a_probe_end_it_and_bound_what_may_be_in_flight() {
    // A queue of a fifth of a BDP: less than a probe fills.
    let mut net = TestNet::single(settings(), Link::new(RATE, BDP / 5), ms(50));
    net.run(secs(6));
    let long = bbr(&net, 0).model.in_flight_long;
    assert!((BDP * 7 / 10..BDP * 14 / 10).contains(&long), "{long}");
    let (dropped, sent) = (net.flows[0].dropped, net.flows[0].sent_bytes);
    let part = share(&mut net, 0, secs(20));
    let dropped = (net.flows[0].dropped - dropped) * 1000 / (net.flows[0].sent_bytes - sent);
    assert!(part >= 85 && dropped <= 10, "{part} %, {dropped} of a thousand dropped");
}

// spec: BBR A.17
#[test]
fn policer_is_obeyed_without_losing_much() {
    let mut net = TestNet::single(settings(), Link::new(RATE * 4, 4 * BDP), ms(50));
    net.link.policer = Some(crate::congestion::test_net::Policer::new(RATE, 300_000));
    net.run(secs(10));
    let (dropped, sent) = (net.flows[0].dropped, net.flows[0].sent_bytes);
    let before = net.flows[0].delivered;
    net.run(secs(20));
    let part = (net.flows[0].delivered - before) * 100 / (RATE * 20);
    let dropped = (net.flows[0].dropped - dropped) * 100 / (net.flows[0].sent_bytes - sent);
    assert!(part >= 80 && dropped <= 5, "{part} % of the policer's rate, {dropped} % dropped");
}

// spec: 13.5 congestion control; BBR 3.7
#[test]
fn marks_keep_the_queue_near_the_marking_threshold() {
    let mut net = alone();
    net.link.queue = 4 * BDP;
    net.link.marks_above = Some(BDP / 10);
    net.run(secs(3));
    let (mut queued, mut looks) = (0, 0);
    let before = net.flows[0].delivered;
    net.watch(secs(10), |net| {
        queued += net.link.queued(net.now);
        looks += 1;
    });
    let part = (net.flows[0].delivered - before) * 100 / (RATE * 10);
    assert!(part >= 85 && queued / looks < BDP / 10, "{part} %, queue {}", queued / looks);
    assert_ne!(bbr(&net, 0).model.in_flight_long, u64::MAX, "a probe was marked");
}

// spec: BBR 3.7
#[test]
fn round_trip_with_marks_lowers_what_may_be_in_flight() {
    let mut net = settled();
    let window = net.flows[0].congestion.window();
    for _ in 0..5 {
        let event = CongestionEvent {
            cause: Cause::Ecn { packets: 1 },
            sent_at: net.now,
            prior_in_flight: net.flows[0].in_flight,
        };
        let now = net.now;
        net.flows[0].congestion.on_congestion(now, &event);
        net.run(ms(55));
    }
    let marked = net.flows[0].congestion.window();
    assert!(marked < window * 7 / 10, "{marked} of {window}");
}

// spec: 13.2 differences from RFC 9002; BBR A.18
#[test]
fn loss_that_was_none_gives_back_what_it_took() {
    let mut net = settled();
    net.link.lost_per_mille = 400;
    net.run(ms(20));
    net.link.lost_per_mille = 0;
    net.run(ms(100));
    let lowered = bbr(&net, 0).model.rate_short;
    assert!(lowered < RATE, "{lowered}");
    let now = net.now;
    net.flows[0].congestion.on_spurious_loss(now);
    assert_eq!(bbr(&net, 0).model.rate_short, u64::MAX);
    net.run(ms(100));
    let part = share(&mut net, 0, secs(1));
    assert!(part >= 94, "{part} %");
}

// spec: BBR A.18, 5.5.11.2
#[test]
fn startup_and_probe_that_a_loss_ended_go_on_if_it_was_none() {
    let mut net = alone();
    net.run(ms(220));
    net.link.lost_per_mille = 300;
    run_until(&mut net, secs(2), |net| bbr(net, 0).state != State::Startup);
    net.link.lost_per_mille = 0;
    let now = net.now;
    net.flows[0].congestion.on_spurious_loss(now);
    assert_eq!(bbr(&net, 0).state, State::Startup);

    net.run(secs(3));
    run_until(&mut net, secs(6), |net| bbr(net, 0).state == State::Up);
    net.run(ms(60));
    net.link.lost_per_mille = 500;
    run_until(&mut net, secs(2), |net| bbr(net, 0).state == State::Down);
    net.link.lost_per_mille = 0;
    let now = net.now;
    net.flows[0].congestion.on_spurious_loss(now);
    assert_eq!(bbr(&net, 0).state, State::Refill);
}

// spec: BBR 5.6.4.4; RFC 9002 7.6.2
#[test]
fn persistent_congestion_leaves_a_least_window_that_grows_with_what_arrives() {
    let mut net = settled();
    let (now, in_flight) = (net.now, net.flows[0].in_flight);
    let cause = Cause::Loss { bytes: in_flight, is_persistent: true };
    let event = CongestionEvent { cause, sent_at: now, prior_in_flight: in_flight };
    net.flows[0].congestion.on_congestion(now, &event);
    assert_eq!(net.flows[0].congestion.window(), 2 * MTU);
    net.run(secs(1));
    let part = share(&mut net, 0, secs(2));
    assert!(part >= 90, "{part} %");
}

// spec: 12.7 address changes; RFC 9000 9.4
#[test]
fn path_that_leads_elsewhere_is_learned_anew_and_late_news_of_the_old_way_counts_for_nothing() {
    let mut net = settled();
    let old = PacketSample { size: BDP, sent_at: net.now, snapshot: Default::default() };
    net.run(ms(1));
    net.restart(0, settings());
    assert_eq!((bbr(&net, 0).state, net.flows[0].congestion.window()), (State::Startup, 12_000));
    for _ in 0..10 {
        net.run(ms(20));
        let now = net.now;
        net.flows[0].congestion.on_packet_acked_late(now, &old);
    }
    let rate = bbr(&net, 0).model.max_rate();
    assert!(rate < RATE / 2, "{rate} is not that of four round trips");
    net.run(secs(2));
    let part = share(&mut net, 0, secs(1));
    assert!(part >= 90, "{part} %");
}
