//! What the random tests share: seeds run, failures shrunk and printed, numbers that pick.

use std::cell::Cell;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use channeler::config::NodeConfig;
use channeler::sim::{Link, Random, World};

/// Everything that a run does.
#[derive(Debug, Clone)]
pub(crate) struct Plan<S, O> {
    pub(crate) setup: S,
    pub(crate) ops: Vec<O>,
}

/// What went wrong, and at which step.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: usize,
    pub(crate) text: String,
}

/// Runs a plan, and returns how many messages were delivered. The cell holds the step that runs.
pub(crate) type RunPlan<S, O> = fn(&Plan<S, O>, &Cell<usize>) -> Result<u64, Failure>;

/// A random test.
pub(crate) struct Suite<S, O> {
    /// The plan of a seed.
    pub(crate) draw: fn(u64) -> Plan<S, O>,
    pub(crate) run: RunPlan<S, O>,
    /// Runs that the shrinker may spend.
    pub(crate) shrink_runs_max: usize,
}

impl<S: Clone + Debug, O: Clone + Debug> Suite<S, O> {
    /// Runs the seeds that once failed (a line each), then those from 0 to `seeds`; or what
    /// `CHANNELER_SEED` or `CHANNELER_SEEDS` ask for.
    pub(crate) fn check(&self, committed: &str, seeds: u64) {
        if let Some(seed) = number_from_environment("CHANNELER_SEED") {
            self.check_seed(seed);
            return;
        }
        let lines = committed.lines().filter(|line| !line.starts_with('#'));
        for line in lines.filter(|line| !line.trim().is_empty()) {
            self.check_seed(line.trim().parse().expect("a line holds one seed"));
        }
        let count = number_from_environment("CHANNELER_SEEDS").unwrap_or(seeds);
        let received: u64 = (0..count).map(|seed| self.check_seed(seed)).sum();
        assert!(received > 10 * count, "these runs prove something: {received} messages");
    }

    /// Runs a seed, and returns how many messages it delivered.
    fn check_seed(&self, seed: u64) -> u64 {
        let plan = (self.draw)(seed);
        let failure = match self.run_caught(&plan) {
            Ok(received) => return received,
            Err(failure) => failure,
        };
        let silent = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let mut cut = plan.clone();
        cut.ops.truncate(failure.step.saturating_add(1));
        let cut = if self.run_caught(&cut).is_err() { cut } else { plan };
        let fails = |plan: &Plan<S, O>| self.run_caught(plan).is_err();
        let shrunk = shrink(cut, self.shrink_runs_max, fails);
        let last = self.run_caught(&shrunk);
        std::panic::set_hook(silent);
        // Keys are not of the seed, so that a failure of v1 may depend on more than it.
        let text = last.map_or_else(|last| last.text, |_| "it does not fail every time".to_owned());
        let steps: Vec<String> =
            shrunk.ops.iter().enumerate().map(|(at, op)| format!("{at:3} {op:?}")).collect();
        panic!(
            "seed {seed} (CHANNELER_SEED={seed} replays it)\n{text}\nfirst: {} at step {}\n\
             setup: {:?}\n{}",
            failure.text,
            failure.step,
            shrunk.setup,
            steps.join("\n")
        );
    }

    /// A panic of a node is a failure like any other.
    fn run_caught(&self, plan: &Plan<S, O>) -> Result<u64, Failure> {
        let step = Cell::new(0);
        match catch_unwind(AssertUnwindSafe(|| (self.run)(plan, &step))) {
            Ok(result) => result,
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_default();
                Err(Failure { step: step.get(), text: format!("panic: {text}") })
            }
        }
    }
}

/// Removes chunks, then single steps, as long as the plan still fails.
pub(crate) fn shrink<S: Clone, O: Clone>(
    mut plan: Plan<S, O>,
    runs_max: usize,
    fails: impl Fn(&Plan<S, O>) -> bool,
) -> Plan<S, O> {
    let mut runs = 0;
    let mut chunk = plan.ops.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < plan.ops.len() && runs < runs_max {
            let mut shorter = plan.clone();
            shorter.ops.drain(at..(at + chunk).min(plan.ops.len()));
            runs += 1;
            if fails(&shorter) {
                plan = shorter;
            } else {
                at += chunk;
            }
        }
        chunk /= 2;
    }
    plan
}

/// A message as these tests make it: its number, then bytes that follow from the number.
pub(crate) fn message(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend(Random::new(number).vec(len - bytes.len()));
    bytes
}

/// A link with every fault, of one of these rates and queues, which takes datagrams of any size.
pub(crate) fn draw_link(random: &mut Random, rates: [Option<u64>; 4], queues: &[usize]) -> Link {
    let milli = Duration::from_millis(1);
    Link {
        delay: random.span(100 * milli),
        jitter: random.span(20 * milli),
        loss: random.one_of(&[0.0, 0.0, 0.1, 0.5]),
        duplicate: random.one_of(&[0.0, 0.2]),
        reorder: random.one_of(&[0.0, 0.2]),
        reorder_by: random.span(200 * milli),
        corrupt: random.one_of(&[0.0, 0.0, 0.1]),
        rate: rates[random.index(4)],
        queue_bytes: random.one_of(queues),
        ..Link::default()
    }
}

/// A number below one of these ends: mostly small numbers, sometimes large ones.
pub(crate) fn below_one_of(random: &mut Random, ends: &[usize]) -> usize {
    let end = random.one_of(ends);
    random.index(end)
}

/// Makes tables and queues hold a few entries.
pub(crate) fn tighten(config: &mut NodeConfig) {
    config.connections_max = 4;
    config.connections_per_address_max = 2;
    config.channels_per_connection_max = 4;
    config.channels_max = 8;
    config.send_queue_bytes_max = 20_000;
    config.send_queue_packets_max = 4;
    config.node_send_queue_bytes_max = 30_000;
    config.receive_queue_bytes_max = 10_000;
    config.receive_queue_messages_max = 5;
    config.node_receive_queue_bytes_max = 12_000;
    config.replies_max = 4;
}

/// After a silence nothing is left of what the nodes had, without keep-alive.
pub(crate) fn check_emptied(world: &World) -> Result<(), String> {
    for index in 0..world.count() {
        let stats = world.node(index).stats();
        let queued = stats.send_queue_bytes + stats.receive_queue_bytes;
        if (stats.connections, stats.channels, queued) != (0, 0, 0) {
            return Err(format!("node {index} keeps {stats:?} in silence"));
        }
    }
    Ok(())
}

/// Sends a datagram that was on its way a while ago once more.
pub(crate) fn replay(world: &mut World, recent: usize, is_spoofed: bool) {
    let datagrams: Vec<_> = world.network.recent().iter().cloned().collect();
    let Some(old) = pick(&datagrams, recent) else { return };
    let from = if is_spoofed { old.station } else { attacker() };
    world.inject(from, old.to, &old.bytes);
}

pub(crate) fn attacker() -> SocketAddr {
    SocketAddr::from(([10, 66, 66, 66], 66))
}

/// What a number of a step names; none where there is nothing.
pub(crate) fn pick<T>(from: &[T], number: usize) -> Option<&T> {
    from.get(number.checked_rem(from.len())?)
}

fn number_from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("the seed or count is a number"))
}
