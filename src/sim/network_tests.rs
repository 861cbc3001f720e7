//! What the simulated network does to datagrams.

use std::time::Duration;

use super::*;

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
fn a_rated_link_spaces_datagrams_and_drops_at_the_tail() {
    // 100 bytes with their 28 bytes of headers at 1.024 Mbit/s: one each millisecond.
    let link = Link { rate: Some(1_024_000), queue_bytes: 1_280, ..Link::default() };
    let mut network = network_with(link);
    (0..20).for_each(|_| send(&mut network, Time::ZERO, &[0; 100]));
    assert_eq!(network.counters().queue_full, 10);
    let times: Vec<Duration> =
        arrivals(&mut network).iter().map(|arrival| arrival.at - Time::ZERO).collect();
    assert_eq!(times, (1..=10).map(|count| count * MILLI).collect::<Vec<_>>());
    // The queue has drained by then, so there is room again.
    send(&mut network, Time::ZERO + 10 * MILLI, &[0; 100]);
    assert_eq!(network.counters().queue_full, 10);
}

#[test]
fn a_datagram_above_the_mtu_vanishes_or_is_reported() {
    let mut network = network_with(Link { mtu: 100, ..Link::default() });
    send(&mut network, Time::ZERO, &[0; 101]);
    send(&mut network, Time::ZERO, &[0; 100]);
    assert_eq!(arrivals(&mut network).len(), 1);
    network.set_all(Link { mtu: 100, mtu_reported: true, ..Link::default() });
    let result = network.send(Time::ZERO, address(1), address(2), &[0; 101]);
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

    network.send(Time::ZERO, address(2), address(9), b"new").expect("nothing is reported");
    network.send(Time::ZERO, address(2), address(1), b"old").expect("nothing is reported");
    let arrived = arrivals(&mut network);
    assert_eq!(arrived.len(), 1);
    assert_eq!((arrived[0].to, &arrived[0].bytes[..]), (address(1), &b"new"[..]));

    network.rebind(address(1), address(10), true);
    network.send(Time::ZERO, address(2), address(9), b"old").expect("nothing is reported");
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

fn network_with(link: Link) -> Network {
    let mut network = Network::new(1);
    network.set_all(link);
    network
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 7))
}

fn send(network: &mut Network, now: Time, bytes: &[u8]) {
    network.send(now, address(1), address(2), bytes).expect("nothing is reported");
}

fn arrivals(network: &mut Network) -> Vec<Arrival> {
    std::iter::from_fn(|| network.arrive(Time::from_nanos(u64::MAX))).collect()
}
