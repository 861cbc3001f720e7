//! t
use std::time::Duration;
use super::super::test_net::{Link, TestNet};
use super::super::{Algorithm, AnyController, Settings};
use super::super::test_path::ms;
use super::{Bbr2, State};

const MBIT100: u64 = 12_500_000;
fn bbr(net: &TestNet, index: usize) -> &Bbr2 {
    match &net.flows[index].congestion.controller {
        AnyController::Bbr2(it) => it,
        _ => panic!(),
    }
}
#[test]
fn explore() {
    for (algorithm, percent) in [(Algorithm::Bbr2, 2), (Algorithm::Bbr2, 10), (Algorithm::Cubic, 2)] {
        for loss in [0, 10, 50, 100, 200] {
            let rtt = ms(50);
            let mut link = Link::new(MBIT100, 625_000);
            link.lost_per_mille = loss;
            let s = Settings { algorithm, loss_percent: percent, seed: 1 };
            let mut net = TestNet::single(s, link, rtt);
            net.run(Duration::from_secs(2));
            let (d, dr, s0) = (net.flows[0].delivered, net.flows[0].dropped, net.flows[0].sent_bytes);
            let mut q = 0u64; let mut n = 0u64;
            let mut last = None;
            let trace = std::env::var("TRACE").is_ok() && loss == 10 && percent == 2;
            let mut last_t = 0;
            net.watch(Duration::from_secs(40), |net| {
                q += net.link.queued(net.now); n += 1;
                if trace && algorithm == Algorithm::Bbr2 {
                    let b = bbr(net, 0);
                    let t = net.now.as_nanos() / 100_000_000;
                    if last != Some(b.state) || t > last_t {
                        last = Some(b.state); last_t = t;
                        println!("{:.3} {:?} rate {} max {} short {} long {} ishort {} win {} infl {} q {} rtt {:?}", net.now.as_nanos() as f64 / 1e9, b.state,
                            b.pacing_rate/1000, b.model.max_rate()/1000, b.model.rate_short/1000, b.model.in_flight_long/1000, b.model.in_flight_short/1000, b.window/1000, net.flows[0].in_flight/1000, net.link.queued(net.now)/1000, b.model.min_rtt);
                    }
                }
            });
            let f = &net.flows[0];
            let rtt = net.flows[0].smoothed; println!("rtt {rtt:?} {algorithm:?} {percent} loss {loss}: goodput {:.3} dropped {:.4} avg queue {}", (f.delivered - d) as f64 / 40.0 / MBIT100 as f64,
                (f.dropped - dr) as f64 / (f.sent_bytes - s0) as f64, q / n);
        }
    }
}
