//! Flows that share a bottleneck.

use super::{Algorithm, Link, Settings, TestNet, ms, secs, settings};
use crate::time::Time;

/// 25 Mbit/s, which 50 ms fill with 130 packets.
const RATE: u64 = 3_125_000;
const BDP: u64 = 156_250;

/// Flows that start one after the other, and what each delivered in a minute that begins when they
/// had one to settle.
fn delivered(flows: &[(Algorithm, u64)], queue: u64) -> Vec<u64> {
    let mut net = TestNet::new(Link::new(RATE, queue));
    for (index, (algorithm, round_trip)) in flows.iter().enumerate() {
        let at = Time::from_nanos(index as u64 * 700_000_000);
        net.add(Settings { algorithm: *algorithm, ..settings() }, ms(*round_trip), at);
    }
    net.run(secs(60));
    let before: Vec<u64> = net.flows.iter().map(|flow| flow.delivered).collect();
    net.run(secs(60));
    net.flows.iter().zip(before).map(|(flow, before)| flow.delivered - before).collect()
}

/// Jain's index: 1 when all have the same.
fn fairness(shares: &[u64]) -> f64 {
    let sum: f64 = shares.iter().map(|it| *it as f64).sum();
    let squares: f64 = shares.iter().map(|it| (*it as f64) * (*it as f64)).sum();
    sum * sum / (shares.len() as f64 * squares)
}

// spec: 13.5 congestion control; BBR 5.3.3
#[test]
fn two_to_eight_flows_share_fairly() {
    for count in [2, 4, 8] {
        for queue in [BDP, 2 * BDP] {
            let shares = delivered(&vec![(Algorithm::Bbr2, 50); count], queue);
            let index = fairness(&shares);
            assert!(index > 0.95, "{count} flows, queue {queue}: {index} {shares:?}");
            let sum: u64 = shares.iter().sum();
            assert!(sum > 60 * RATE * 90 / 100, "{count} flows: {sum}");
        }
    }
}

// spec: 13.5 congestion control; BBR 5.3.3.8.1
#[test]
fn neither_starves_beside_cubic() {
    for queue in [BDP / 2, BDP, 2 * BDP] {
        let shares = delivered(&[(Algorithm::Bbr2, 50), (Algorithm::Cubic, 50)], queue);
        let least = 60 * RATE / 10;
        assert!(shares.iter().all(|share| *share > least), "queue {queue}: {shares:?}");
    }
}
