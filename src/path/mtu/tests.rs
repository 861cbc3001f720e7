//! The search for the largest packet: what it finds, what it costs, and when it gives up.

use super::*;

const NOW: Time = Time::from_nanos(1_000_000_000);

// spec: 12.11 MTU
#[test]
fn a_path_that_takes_all_is_known_to_after_one_probe() {
    let mut mtu = Mtu::new(1232, 1452);
    assert_eq!(mtu.wanted(), None, "nothing full was sent");
    mtu.on_sent(NOW, 1100);
    assert_eq!(mtu.wanted(), None);
    mtu.on_sent(NOW, 1220);
    assert_eq!(search(&mut mtu, 1452), [1452]);
    assert_eq!(mtu.size(), 1452);
    mtu.on_sent(NOW + SEARCH_AGAIN, 1452);
    assert_eq!(mtu.wanted(), None, "there is nothing larger");
}

// spec: 12.11 MTU
#[test]
fn the_search_ends_within_its_grain_of_every_limit() {
    for limit in 1200..=9000 {
        let mut mtu = Mtu::new(1200, 9000);
        mtu.on_sent(NOW, 1200);
        let probes = search(&mut mtu, limit);
        assert!(mtu.size() <= limit && limit - mtu.size() < GRAIN, "{limit}: {}", mtu.size());
        assert!(probes.len() <= 3 * 10 + 10, "{limit}: {} probes", probes.len());
        assert!(probes.iter().all(|size| (1201..=9000).contains(size)));
    }
}

// spec: 12.11 MTU, 15.1 table
#[test]
fn a_search_is_repeated_after_ten_minutes_where_full_packets_are_sent() {
    let mut mtu = Mtu::new(1232, 1452);
    mtu.on_sent(NOW, 1232);
    search(&mut mtu, 1300);
    let found = mtu.size();
    mtu.on_sent(NOW + (SEARCH_AGAIN - Duration::from_nanos(1)), found);
    assert_eq!(mtu.wanted(), None);
    mtu.on_sent(NOW + SEARCH_AGAIN, 100);
    assert_eq!(mtu.wanted(), None);
    mtu.on_sent(NOW + SEARCH_AGAIN, found);
    assert_eq!(search(&mut mtu, 1452), [1452]);
    assert_eq!(mtu.size(), 1452);
}

// spec: 12.11 MTU
#[test]
fn one_probe_is_out_at_a_time_and_a_loss_alone_proves_nothing() {
    let mut mtu = Mtu::new(1200, 1452);
    mtu.on_sent(NOW, 1200);
    mtu.on_probe_sent(1452);
    assert_eq!(mtu.wanted(), None);
    mtu.on_probe_lost(NOW, 1452);
    mtu.on_probe_lost(NOW, 1452);
    assert_eq!(mtu.wanted(), Some(1452), "told twice, it was lost once");
    mtu.on_probe_sent(1452);
    mtu.on_probe_lost(NOW, 1452);
    mtu.on_probe_sent(1452);
    assert!(mtu.on_probe_acked(NOW, 1452));
    assert_eq!(mtu.size(), 1452);
    assert!(!mtu.on_probe_acked(NOW, 1452), "a late copy of it");
}

// spec: 12.11 MTU
#[test]
fn what_the_system_refuses_is_not_tried_again() {
    let mut mtu = Mtu::new(1232, 9000);
    mtu.on_sent(NOW, 1232);
    mtu.on_probe_sent(9000);
    assert!(!mtu.on_refused(NOW, 9000), "it was a probe");
    assert!(!mtu.limit(NOW, 1472));
    assert_eq!(search(&mut mtu, 1472), [1472]);
    assert!(mtu.on_refused(NOW, 1472), "the interface changed");
    assert_eq!(mtu.size(), 1200);
    mtu.on_sent(NOW, 1200);
    let probes = search(&mut mtu, 1400);
    assert!(probes.iter().all(|size| *size < 1472), "{probes:?}");
    assert!(mtu.limit(NOW, 1300));
    assert_eq!(mtu.size(), 1300);
    let mut small = Mtu::new(600, 600);
    assert!(!small.on_refused(NOW, 600), "there is nothing smaller");
}

// spec: 12.11 MTU
#[test]
fn large_packets_that_vanish_while_small_ones_arrive_shrink_the_path() {
    let mut mtu = grown();
    for _ in 0..2 {
        mtu.on_acked(100);
        mtu.on_lost(1452);
        mtu.on_lost(1452);
        assert!(!mtu.conclude(NOW));
    }
    mtu.on_acked(100);
    mtu.on_lost(1300);
    assert!(mtu.conclude(NOW));
    assert_eq!(mtu.size(), 1200);
    mtu.on_sent(NOW, 1200);
    assert_eq!(mtu.wanted(), None, "not before 10 minutes");
    mtu.on_sent(NOW + SEARCH_AGAIN, 1200);
    assert_eq!(mtu.wanted(), Some(1452));
}

// spec: 12.11 MTU
#[test]
fn losses_with_large_packets_acknowledged_between_or_without_any_sign_of_life_shrink_nothing() {
    let mut mtu = grown();
    for round in 0..100 {
        mtu.on_acked(100);
        mtu.on_acked(if round % 2 == 1 { 1452 } else { 1200 });
        mtu.on_lost(1452);
        assert!(!mtu.conclude(NOW));
    }
    let mut mtu = grown();
    for _ in 0..100 {
        mtu.on_lost(1452);
        assert!(!mtu.conclude(NOW), "the path is dead, whatever the size");
    }
    let mut mtu = Mtu::new(1200, 1452);
    for _ in 0..100 {
        mtu.on_acked(100);
        mtu.on_lost(1200);
        assert!(!mtu.conclude(NOW), "there is nothing smaller");
    }
}

fn grown() -> Mtu {
    let mut mtu = Mtu::new(1232, 1452);
    mtu.on_sent(NOW, 1232);
    search(&mut mtu, 1452);
    mtu
}

/// Runs a search on a path that takes `limit`; the sizes of the probes.
fn search(mtu: &mut Mtu, limit: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    while let Some(size) = mtu.wanted() {
        sizes.push(size);
        mtu.on_probe_sent(size);
        if size <= limit {
            assert!(mtu.on_probe_acked(NOW, size));
        } else {
            mtu.on_probe_lost(NOW, size);
        }
    }
    sizes
}
