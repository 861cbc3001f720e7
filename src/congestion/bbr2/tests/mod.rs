//! BBR over the simulated bottleneck of `test_net`: 100 Mbit/s and 50 ms unless a test says
//! otherwise. The cases of the draft's appendix A are here, each citing its section.

mod cycle;
mod loss;
mod shared;
mod startup;

use std::time::Duration;

use super::super::test_net::{Link, TestNet};
use super::super::test_path::{MTU, ms};
use super::super::{Algorithm, AnyController, Settings};
use super::{Bbr2, State};

/// Bytes per second of 100 Mbit/s.
const RATE: u64 = 12_500_000;

/// What fills 100 Mbit/s and 50 ms.
const BDP: u64 = 625_000;

fn settings() -> Settings {
    Settings { algorithm: Algorithm::Bbr2, loss_percent: 2, seed: 1 }
}

/// One sender, a queue of one BDP.
fn alone() -> TestNet {
    TestNet::single(settings(), Link::new(RATE, BDP), ms(50))
}

/// One sender that has left Startup for good, and what the link is to be from then on.
fn settled() -> TestNet {
    let mut net = alone();
    run_until(&mut net, secs(5), |net| bbr(net, 0).state == State::Cruise);
    net
}

fn bbr(net: &TestNet, index: usize) -> &Bbr2 {
    match &net.flows[index].congestion.controller {
        AnyController::Bbr2(it) => it,
        AnyController::NewReno(_) | AnyController::Cubic(_) => panic!("flow {index} is not bbr2"),
    }
}

/// Runs until `done`, for `limit` at most.
fn run_until(net: &mut TestNet, limit: Duration, mut done: impl FnMut(&TestNet) -> bool) {
    let end = net.now + limit;
    while !done(net) {
        assert!(net.now < end, "{:?} after {limit:?}", bbr(net, 0).state);
        net.run(ms(1));
    }
}

/// The states in the order in which the first flow takes them, with the times.
fn states(net: &mut TestNet, span: Duration) -> Vec<(u64, State)> {
    let mut seen: Vec<(u64, State)> = Vec::new();
    net.watch(span, |net| {
        let state = bbr(net, 0).state;
        if seen.last().is_none_or(|(_, last)| *last != state) {
            seen.push((net.now.as_nanos() / 1_000_000, state));
        }
    });
    seen
}

/// The part of the link that a flow's deliveries take in `span`, in per cent.
fn share(net: &mut TestNet, index: usize, span: Duration) -> u64 {
    let before = net.flows[index].delivered;
    net.run(span);
    let delivered = net.flows[index].delivered - before;
    (delivered as f64 * 100.0 / (net.link.rate as f64 * span.as_secs_f64())) as u64
}

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}
