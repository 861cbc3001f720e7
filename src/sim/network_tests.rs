//! What the simulated network does to datagrams.

use std::time::Duration;

use super::*;
use crate::sim::{Bursts, CoDel, Cross, Policer};

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn a_perfect_link_delivers_in_order_after_its_delay() {
    let mut network = network_with(Link::with_delay(5 * MILLI));
    for byte in 0..10 {
        send(&mut network, Time::ZERO, &[byte]);
    }
    assert_eq!(network.next_arrival(), Some(Time::ZERO + 5 * MILLI));
    assert!(network.arrive(Time::ZERO + 4 * MILLI).is_none());
    let bytes: Vec<u8> = arrivals(&mut network).iter().map(|arrival| arrival.bytes[0]).collect();
    assert_eq!(bytes, (0..10).collect::<Vec<u8>>());
}

#[test]
fn jitter_alone_keeps_order_and_reordering_breaks_it() {
    let jittery = Link { jitter: 10 * MILLI, ..Link::default() };
    let mut network = network_with(jittery.clone());
    (0..100).for_each(|byte| send(&mut network, Time::ZERO + u32::from(byte) * MILLI, &[byte]));
    let order: Vec<u8> = arrivals(&mut network).iter().map(|arrival| arrival.bytes[0]).collect();
    assert!(order.is_sorted());

    let mut network = network_with(Link { reorder: 0.2, ..jittery });
    (0..100).for_each(|byte| send(&mut network, Time::ZERO + u32::from(byte) * MILLI, &[byte]));
    let order: Vec<u8> = arrivals(&mut network).iter().map(|arrival| arrival.bytes[0]).collect();
    assert!(!order.is_sorted());
    assert_eq!(order.len(), 100);
}

#[test]
fn loss_duplication_and_corruption_follow_their_probabilities() {
    let link = Link { loss: 0.3, duplicate: 0.1, corrupt: 0.05, ..Link::default() };
    let mut network = network_with(link);
    (0..10_000).for_each(|_| send(&mut network, Time::ZERO, &[0; 20]));
    let arrived = arrivals(&mut network);
    let counters = network.counters();
    assert_eq!(counters.sent, 10_000);
    assert_eq!(arrived.len() as u64, 10_000 - counters.lost + counters.duplicated);
    assert!((2_800..3_200).contains(&counters.lost), "{counters:?}");
    assert!((600..800).contains(&counters.duplicated), "{counters:?}");
    assert!((280..420).contains(&counters.corrupted), "{counters:?}");
    let flipped = |arrival: &&Arrival| arrival.bytes.iter().any(|&byte| byte != 0);
    assert!(arrived.iter().filter(flipped).count() as u64 >= counters.corrupted);
}

#[test]
fn directions_that_share_a_link_share_its_queue_and_arrive_each_where_they_go() {
    let mut network = Network::new(1);
    let [one, two, far] = [1, 2, 3].map(|last| SocketAddr::from(([10, 0, 0, last], 4_000)));
    let link = Link { rate: Some(128_000), queue_bytes: 9 * 128, ..Link::default() };
    network.set_link(one, far, link);
    network.share_link((two, far), (one, far));
    for station in [one, two].into_iter().cycle().take(20) {
        network.send(Time::ZERO, station, far, &[0; 100], Ecn::Unable).expect("small enough");
    }
    assert_eq!(network.link_counters(two, far).queue_full, 10);
    let from: Vec<SocketAddr> = arrivals(&mut network).iter().map(|it| it.from).collect();
    assert_eq!(from, [one, two].repeat(5));
}

#[test]
fn a_rated_link_spaces_datagrams_and_drops_at_the_tail() {
    // 100 bytes with their 28 bytes of headers at 128,000 bytes a second: one each millisecond.
    let link = Link { rate: Some(128_000), queue_bytes: 9 * 128, ..Link::default() };
    let mut network = network_with(link);
    // One is on the wire, and nine wait.
    (0..20).for_each(|_| send(&mut network, Time::ZERO, &[0; 100]));
    assert_eq!(network.counters().queue_full, 10);
    assert_eq!(network.queue_bytes(address(1), address(2)), 9 * 128);
    let times: Vec<Duration> =
        arrivals(&mut network).iter().map(|arrival| arrival.at - Time::ZERO).collect();
    assert_eq!(times, (1..=10).map(|count| count * MILLI).collect::<Vec<_>>());
    // The queue has drained by then, so there is room again.
    send(&mut network, Time::ZERO + 10 * MILLI, &[0; 100]);
    let counters = network.counters();
    assert_eq!((counters.queue_full, counters.queue_bytes_max), (10, 9 * 128));
}

#[test]
fn a_datagram_above_the_mtu_vanishes_or_is_reported() {
    let mut network = network_with(Link { mtu: 100, ..Link::default() });
    send(&mut network, Time::ZERO, &[0; 101]);
    send(&mut network, Time::ZERO, &[0; 100]);
    assert_eq!(arrivals(&mut network).len(), 1);
    network.set_all(Link { mtu: 100, mtu_reported: true, ..Link::default() });
    let result = network.send(Time::ZERO, address(1), address(2), &[0; 101], Ecn::Unable);
    assert_eq!(result, Err(SendError::TooLarge));
    assert_eq!(network.counters().too_large, 2);
}

#[test]
fn a_dead_link_swallows_what_enters_while_it_is_dead() {
    let mut network = network_with(Link::default());
    let ends = (address(1), address(2));
    network.black_hole(ends, Time::ZERO + 10 * MILLI, Time::ZERO + 20 * MILLI);
    for milli in [9, 10, 19, 20] {
        send(&mut network, Time::ZERO + milli * MILLI, &[milli as u8]);
    }
    let bytes: Vec<u8> = arrivals(&mut network).iter().map(|arrival| arrival.bytes[0]).collect();
    assert_eq!(bytes, [9, 20]);
    assert_eq!(network.counters().vanished, 2);
}

#[test]
fn a_rebound_station_sends_from_its_new_address_and_is_reached_there() {
    let mut network = network_with(Link::default());
    network.rebind(address(1), address(9), false);
    send(&mut network, Time::ZERO, b"out");
    assert_eq!(arrivals(&mut network)[0].from, address(9));

    network
        .send(Time::ZERO, address(2), address(9), b"new", Ecn::Unable)
        .expect("nothing is reported");
    network
        .send(Time::ZERO, address(2), address(1), b"old", Ecn::Unable)
        .expect("nothing is reported");
    let arrived = arrivals(&mut network);
    assert_eq!(arrived.len(), 1);
    assert_eq!((arrived[0].to, &arrived[0].bytes[..]), (address(1), &b"new"[..]));

    network.rebind(address(1), address(10), true);
    network
        .send(Time::ZERO, address(2), address(9), b"old", Ecn::Unable)
        .expect("nothing is reported");
    assert_eq!(arrivals(&mut network).len(), 1);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let run = |seed| {
        let mut network = Network::new(seed);
        network.start_trace();
        network.set_all(Link { loss: 0.5, jitter: MILLI, corrupt: 0.1, ..Link::default() });
        (0..100).for_each(|byte| send(&mut network, Time::ZERO, &[byte]));
        network.trace().to_owned()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn bursts_lose_neighbours_together() {
    let bursts = Bursts { begin: 0.01, end: 0.25, loss: 1.0 };
    let mut network = network_with(Link { bursts: Some(bursts), ..Link::default() });
    let fates: Vec<bool> = (0..20_000)
        .map(|_| {
            let before = network.counters().lost;
            send(&mut network, Time::ZERO, &[0; 20]);
            network.counters().lost > before
        })
        .collect();
    let lost = fates.iter().filter(|&&lost| lost).count();
    let begun = fates.windows(2).filter(|two| two[1] && !two[0]).count();
    // 1 in 26 is lost, four in a row.
    assert!((600..950).contains(&lost), "{lost}");
    assert!((3 * begun..5 * begun).contains(&lost), "{lost} lost in {begun} bursts");
}

#[test]
fn codel_ends_a_standing_queue_and_leaves_a_short_burst_alone() {
    let run = |codel, marks| {
        let link = Link { codel, marks, queue_bytes: 100_000, ..Link::rated(125_000, 10 * MILLI) };
        let mut network = network_with(link);
        network.record_queue(address(1), address(2), 10 * MILLI);
        // 20 at once, drained in 200 ms, then a tenth more than the link carries.
        let mut now = Time::ZERO;
        (0..10).for_each(|_| send(&mut network, now, &[0; 1_222]));
        now = now + 300 * MILLI;
        let early = network.counters().queue_early;
        let mut last = 0;
        for _ in 0..2_000 {
            now = now + 9 * MILLI;
            let sent = network.send(now, address(1), address(2), &[0; 1_222], Ecn::Capable);
            sent.expect("nothing is reported");
            while let Some(arrival) = network.arrive(now) {
                last = last.max(u64::from(arrival.ecn == Ecn::Marked));
            }
        }
        let history = network.queue_history(address(1), address(2));
        let late = &history[history.len() / 2..];
        let mean = late.iter().map(|&(_, bytes)| bytes).sum::<usize>() / late.len();
        (early, network.counters(), mean, last)
    };
    let (_, tail, full, _) = run(None, false);
    assert!(full > 90_000 && tail.queue_full > 0 && tail.queue_early == 0, "{full} {tail:?}");
    let (early, codel, short, marked) = run(Some(CoDel::default()), false);
    assert_eq!((early, codel.queue_full, codel.marked, marked), (0, 0, 0, 0));
    assert!(short < 20_000 && codel.queue_early > 50, "{short} {codel:?}");
    let (_, marks, _, marked) = run(Some(CoDel::default()), true);
    assert!(marked == 1 && marks.marked > 50 && marks.queue_early == 0, "{marks:?}");
    let (_, marks, _, marked) = run(None, true);
    assert!(marked == 1 && marks.marked > 50, "{marks:?}");
}

#[test]
fn a_policer_drops_what_exceeds_its_rate_after_a_burst() {
    let policer = Policer { rate: 128_000, burst_bytes: 1_280 };
    let mut network = network_with(Link { policer: Some(policer), ..Link::default() });
    (0..20).for_each(|_| send(&mut network, Time::ZERO, &[0; 100]));
    assert_eq!(network.counters().queue_full, 10);
    for milli in 1..100 {
        send(&mut network, Time::ZERO + milli * MILLI / 2, &[0; 100]);
    }
    assert_eq!(network.counters().delivered, 10 + 49);
}

#[test]
fn cross_traffic_takes_its_part_of_the_link_while_it_is_on() {
    let cross = Cross { rate: 64_000, datagram: 128, on: 50 * MILLI, off: 50 * MILLI };
    let link =
        Link { rate: Some(128_000), queue_bytes: 1_280, cross: Some(cross), ..Link::default() };
    let mut network = network_with(link);
    let mut arrived = [0, 0];
    for milli in 0..100 {
        let now = Time::ZERO + milli * MILLI;
        (0..2).for_each(|_| send(&mut network, now, &[0; 100]));
        arrived[usize::from(milli >= 50)] += std::iter::from_fn(|| network.arrive(now)).count();
    }
    let counters = network.counters();
    assert!((20..=36).contains(&arrived[0]) && (40..=50).contains(&arrived[1]), "{arrived:?}");
    assert!(counters.cross_bytes + 128 * counters.cross_dropped >= 24 * 128, "{counters:?}");
    // Others alone wake nobody.
    while network.arrive(Time::ZERO + 200 * MILLI).is_some() {}
    assert_eq!(network.next_arrival(), None);
}

#[test]
fn arrivals_of_a_gathering_link_come_together() {
    let mut network = network_with(Link { gather: 10 * MILLI, ..Link::with_delay(MILLI) });
    (0..20).for_each(|milli| send(&mut network, Time::ZERO + milli * MILLI, &[0; 100]));
    let mut times: Vec<Duration> =
        arrivals(&mut network).iter().map(|arrival| arrival.at - Time::ZERO).collect();
    times.dedup();
    assert_eq!(times, [10 * MILLI, 20 * MILLI]);
}

#[test]
fn a_step_of_the_rate_holds_for_what_waits() {
    let mut network = network_with(Link { rate: Some(128_000), ..Link::default() });
    (0..20).for_each(|_| send(&mut network, Time::ZERO, &[0; 100]));
    let before = std::iter::from_fn(|| network.arrive(Time::ZERO + 10 * MILLI)).count();
    network.set_all(Link { rate: Some(1_280_000), ..Link::default() });
    let last = arrivals(&mut network).last().map(|arrival| arrival.at - Time::ZERO);
    assert_eq!((before, last), (10, Some(10 * MILLI + 10 * MILLI / 10 + 9 * MILLI / 10)));
}

fn network_with(link: Link) -> Network {
    let mut network = Network::new(1);
    network.set_all(link);
    network
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 7))
}

fn send(network: &mut Network, now: Time, bytes: &[u8]) {
    network.send(now, address(1), address(2), bytes, Ecn::Unable).expect("nothing is reported");
}

fn arrivals(network: &mut Network) -> Vec<Arrival> {
    std::iter::from_fn(|| network.arrive(Time::from_nanos(u64::MAX))).collect()
}
