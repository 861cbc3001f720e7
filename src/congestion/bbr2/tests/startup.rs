//! Startup and Drain.

use super::*;

// spec: 13.5 congestion control; BBR A.1, A.3
#[test]
fn startup_finds_the_rate_in_a_few_round_trips_and_leaves_under_a_bounded_queue() {
    let mut net = alone();
    let mut queued_max = 0;
    let mut full_at = None;
    let mut gain = 0;
    net.watch(secs(2), |net| {
        queued_max = queued_max.max(net.link.queued(net.now));
        if bbr(net, 0).model.max_rate() >= RATE * 98 / 100 {
            full_at.get_or_insert(net.now);
        }
        if bbr(net, 0).state == State::Drain {
            gain = bbr(net, 0).pacing_gain();
            assert!(bbr(net, 0).full_pipe.was_reached);
        }
    });
    // The first window is 12 kB: doubled six times it is 768 kB.
    let full_at = full_at.expect("the rate was found");
    assert!(full_at.as_nanos() < 10 * 50_000_000, "found at {full_at}");
    assert!(queued_max <= BDP * 11 / 10, "queue of {queued_max}");
    assert_eq!(gain, 50);
    assert!(net.flows[0].dropped < BDP / 5, "{} dropped", net.flows[0].dropped);
    let rate = bbr(&net, 0).model.max_rate();
    assert!(rate.abs_diff(RATE) < RATE / 50, "{rate} is not within 2 % of {RATE}");
    assert!(net.link.queued(net.now) < BDP / 4, "the queue was not let go");
}

// spec: BBR A.1, A.3
#[test]
fn states_follow_each_other_from_startup_into_the_cycle() {
    let mut net = alone();
    let seen: Vec<State> = states(&mut net, secs(4)).into_iter().map(|(_, state)| state).collect();
    // Down has nothing to do after Drain, and ends with the ACK that began it.
    let cycle =
        [State::Startup, State::Drain, State::Cruise, State::Refill, State::Up, State::Down];
    assert_eq!(seen[..6], cycle, "{seen:?}");
}

// spec: BBR A.4
#[test]
fn drain_ends_after_three_round_trips_though_the_rate_was_taken_too_high() {
    let mut net = alone();
    run_until(&mut net, secs(2), |net| bbr(net, 0).state == State::Drain);
    let (now, from) = (net.now, bbr(&net, 0).model.rounds.count);
    net.link.set_rate(now, RATE / 5);
    run_until(&mut net, secs(5), |net| bbr(net, 0).state != State::Drain);
    assert!(bbr(&net, 0).model.rounds.count <= from + 4);
    let in_flight = net.flows[0].in_flight;
    assert!(in_flight > BDP / 5, "{in_flight} would have ended it anyway");
}

// spec: BBR A.2
#[test]
fn losses_end_startup_though_the_application_is_the_limit() {
    let mut net = alone();
    net.link.lost_per_mille = 150;
    // A tenth of the link: no plateau can be seen.
    for _ in 0..100 {
        net.flows[0].backlog = Some(RATE / 1000);
        net.run(ms(10));
    }
    assert_ne!(bbr(&net, 0).state, State::Startup);
    assert!(bbr(&net, 0).full_pipe.was_reached);
}

// spec: BBR 5.3.1.3
#[test]
fn chance_seldom_ends_startup_of_a_link_known_to_lose() {
    let mut early = Vec::new();
    for seed in 0..100 {
        let mut link = Link::new(RATE, BDP);
        link.lost_per_mille = 50;
        let mut net = TestNet::single(Settings { loss_percent: 8, ..settings() }, link, ms(50));
        net.random = seed * 1_000_003;
        run_until(&mut net, secs(5), |net| bbr(net, 0).full_pipe.was_reached);
        if bbr(&net, 0).model.max_rate() < RATE * 70 / 100 {
            early.push(seed);
        }
    }
    assert!(early.len() <= 5, "{early:?}");
}

// spec: BBR A.7
#[test]
fn startup_does_not_end_while_the_application_is_the_limit_and_nothing_is_lost() {
    let mut net = alone();
    let mut last = 0;
    for _ in 0..400 {
        net.flows[0].backlog = Some(RATE / 4000);
        net.run(ms(10));
        assert_eq!(bbr(&net, 0).state, State::Startup);
        last = bbr(&net, 0).pacing_rate;
    }
    // The rate that was reached stays: low samples do not lower it.
    assert!(last > RATE / 40, "{last}");
    net.flows[0].backlog = None;
    run_until(&mut net, secs(2), |net| bbr(net, 0).full_pipe.was_reached);
}

// spec: BBR 5.6.2
#[test]
fn first_window_leaves_at_once_and_the_next_at_the_rate_of_its_round_trip() {
    let mut net = alone();
    net.run(ms(1));
    assert_eq!(net.flows[0].sent_bytes, 12_000);
    net.run(ms(50));
    let rate = bbr(&net, 0).pacing_rate;
    let expected = 12_000 * 20 * 277 / 100;
    assert!(rate.abs_diff(expected) < expected / 20, "{rate}, not {expected}");
}

// spec: BBR A.20
#[test]
fn round_trip_probed_during_startup_leads_back_to_startup() {
    let mut net = alone();
    for _ in 0..480 {
        net.flows[0].backlog = Some(12_000);
        net.run(ms(10));
    }
    // Now there is a queue before its time: the round trip of five seconds ago is not seen again.
    net.flows[0].round_trip = ms(60);
    let mut seen = Vec::new();
    for _ in 0..200 {
        net.flows[0].backlog = Some(12_000);
        seen.extend(states(&mut net, ms(10)).into_iter().map(|(_, state)| state));
    }
    seen.dedup();
    assert_eq!(seen, [State::Startup, State::ProbeRtt, State::Startup]);
}
