//! The cycle of probing, the probe of the round trip, silence, bundled acknowledgements.

use super::*;

// spec: 13.5 congestion control; BBR A.5, A.8
#[test]
fn cycle_fills_the_link_with_a_short_queue() {
    let mut net = settled();
    let (mut queued, mut looks) = (0, 0);
    let (before, dropped) = (net.flows[0].delivered, net.flows[0].dropped);
    net.watch(secs(20), |net| {
        queued += net.link.queued(net.now);
        looks += 1;
    });
    let delivered = net.flows[0].delivered - before;
    assert!(delivered > 20 * RATE * 95 / 100, "{delivered} of {}", 20 * RATE);
    assert!(queued / looks < BDP / 8, "a mean queue of {}", queued / looks);
    assert_eq!(net.flows[0].dropped, dropped);
}

// spec: BBR 5.3.3.8.3, A.5
#[test]
fn probes_come_two_to_three_seconds_apart_and_end_when_the_rate_does_not_grow() {
    let mut net = settled();
    let seen = states(&mut net, secs(30));
    let ups: Vec<u64> =
        seen.iter().filter(|(_, state)| *state == State::Up).map(|(at, _)| *at).collect();
    assert!(ups.len() >= 7, "{seen:?}");
    for pair in ups.windows(2) {
        // Waiting, one round trip of Refill, some of Up; a probe of the round trip begins anew.
        assert!((2_000..6_000).contains(&(pair[1] - pair[0])), "{ups:?}");
    }
    for (index, (at, state)) in seen.iter().enumerate() {
        let Some((next_at, next)) = seen.get(index + 1) else { break };
        match state {
            // The round trip may be due at any time.
            _ if *next == State::ProbeRtt => {}
            State::Refill => {
                assert_eq!(*next, State::Up);
                assert!((45..70).contains(&(next_at - at)), "one round trip: {}", next_at - at);
            }
            State::Up => {
                assert_eq!(*next, State::Down);
                assert!((100..500).contains(&(next_at - at)), "{}", next_at - at);
            }
            State::Down => assert_eq!(*next, State::Cruise),
            State::Cruise => assert_eq!(*next, State::Refill),
            State::ProbeRtt => assert_eq!(*next, State::Cruise),
            State::Startup | State::Drain => panic!("again in {state:?}"),
        }
    }
}

// spec: BBR A.10
#[test]
fn round_trip_is_probed_each_five_seconds_with_half_the_window_for_a_fifth_of_a_second() {
    let mut net = settled();
    let seen = states(&mut net, secs(30));
    let mut probes = Vec::new();
    for pair in seen.windows(2) {
        if pair[0].1 == State::ProbeRtt {
            probes.push((pair[0].0, pair[1].0 - pair[0].0));
        }
    }
    assert!(probes.len() >= 5, "{seen:?}");
    for (at, lasted) in &probes {
        assert!((200..400).contains(lasted), "{lasted} ms at {at}");
    }
    for pair in probes.windows(2) {
        assert!((5_000..5_500).contains(&(pair[1].0 - pair[0].0)), "{probes:?}");
    }
    run_until(&mut net, secs(6), |net| {
        bbr(net, 0).probe_rtt.done_at.is_some() && bbr(net, 0).state == State::ProbeRtt
    });
    assert!(net.flows[0].congestion.window() <= BDP / 2 + 4 * MTU);
    net.run(ms(150));
    assert!(net.flows[0].smoothed < ms(52), "{:?}", net.flows[0].smoothed);
}

// spec: BBR 5.5.7.2
#[test]
fn longer_round_trip_is_believed_after_ten_seconds() {
    let mut net = settled();
    net.flows[0].round_trip = ms(80);
    net.run(secs(4));
    assert!(bbr(&net, 0).model.min_rtt.expect("there were samples") < ms(52));
    net.run(secs(12));
    let min_rtt = bbr(&net, 0).model.min_rtt.expect("there were samples");
    assert!((ms(80)..ms(85)).contains(&min_rtt), "{min_rtt:?}");
    let part = share(&mut net, 0, secs(10));
    assert!(part >= 94, "{part} %");
}

// spec: BBR A.11, 5.4.1
#[test]
fn silence_counts_as_a_probe_of_the_round_trip_and_the_rate_is_kept() {
    let mut net = settled();
    net.flows[0].backlog = Some(0);
    net.run(secs(7));
    assert_eq!(net.flows[0].in_flight, 0);
    net.flows[0].backlog = None;
    let before = net.flows[0].delivered;
    let seen = states(&mut net, ms(500));
    assert!(seen.iter().all(|(_, state)| *state != State::ProbeRtt), "{seen:?}");
    let delivered = net.flows[0].delivered - before;
    // The first round trip hears nothing; then the link is full again.
    assert!(delivered > RATE / 2 * 80 / 100, "{delivered} in half a second");
}

// spec: BBR A.22, 5.5.4
#[test]
fn rates_of_a_sparing_application_do_not_lower_the_estimate() {
    let mut net = settled();
    let before = bbr(&net, 0).model.max_rate();
    for _ in 0..600 {
        net.flows[0].backlog = Some(2 * MTU);
        net.run(ms(10));
    }
    assert_eq!(bbr(&net, 0).model.max_rate(), before);
    net.flows[0].backlog = None;
    net.run(ms(200));
    let part = share(&mut net, 0, secs(1));
    assert!(part >= 85, "{part} %");
}

// spec: BBR A.12
#[test]
fn startup_finds_the_rate_though_acknowledgements_come_in_bundles() {
    let mut net = alone();
    net.link.bundles = Some(ms(30));
    net.run(secs(2));
    let rate = bbr(&net, 0).model.max_rate();
    assert!((RATE * 90 / 100..RATE * 115 / 100).contains(&rate), "{rate}");
    let part = share(&mut net, 0, secs(10));
    assert!(part >= 90, "{part} %");
}

// spec: BBR A.13
#[test]
fn bundled_acknowledgements_widen_the_window_so_that_the_link_stays_full() {
    let mut net = settled();
    net.link.bundles = Some(ms(40));
    net.run(secs(3));
    let extra = bbr(&net, 0).model.extra_acked();
    assert!(extra > RATE / 1000 * 20, "a bundle holds 500 kB, seen were {extra}");
    let part = share(&mut net, 0, secs(10));
    assert!(part >= 92, "{part} %");
}

// spec: BBR A.14
#[test]
fn path_that_holds_less_than_a_packet_is_used_with_four() {
    // 100 kbit/s and 10 ms: 125 bytes.
    let mut net = TestNet::single(settings(), Link::new(12_500, 60_000), ms(10));
    net.run(secs(20));
    assert!(net.flows[0].congestion.window() >= 4 * MTU);
    let part = share(&mut net, 0, secs(20));
    assert!(part >= 95, "{part} %");
    let rate = bbr(&net, 0).model.max_rate();
    assert!(rate.abs_diff(12_500) < 1_300, "{rate}");
}

// spec: BBR A.15
#[test]
fn tenfold_rate_is_found_within_seconds() {
    let mut net = TestNet::single(settings(), Link::new(RATE / 10, BDP / 10), ms(50));
    net.run(secs(5));
    let now = net.now;
    net.link.set_rate(now, RATE);
    net.link.queue = BDP;
    // Two probes, each growing fast, are enough.
    net.run(secs(8));
    let part = share(&mut net, 0, secs(4));
    assert!(part >= 90, "{part} %");
}

// spec: BBR A.16
#[test]
fn tenth_of_the_rate_is_accepted_within_two_cycles() {
    let mut net = settled();
    let now = net.now;
    net.link.set_rate(now, RATE / 10);
    net.link.queue = BDP / 10;
    net.run(secs(2));
    // Losses lower it at once.
    assert!(bbr(&net, 0).pacing_rate < RATE / 10 * 13 / 10, "{}", bbr(&net, 0).pacing_rate);
    net.run(secs(9));
    let rate = bbr(&net, 0).model.max_rate();
    assert!(rate < RATE / 10 * 115 / 100, "{rate}");
    let dropped = net.flows[0].dropped;
    let part = share(&mut net, 0, secs(10));
    assert!(part >= 90, "{part} %");
    let dropped = (net.flows[0].dropped - dropped) * 100 / (RATE / 10 * 10);
    assert!(dropped <= 1, "{dropped} % dropped");
}
