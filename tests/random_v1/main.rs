//! Aim: whatever users, peers and networks do, v1 nodes keep their invariants.
//! Method: operations drawn from a seed, run on 2 to 4 real nodes in the simulated network;
//! invariants are checked after each step, liveness and emptiness at a healing end.
//!
//! `CHANNELER_SEEDS=n` runs seeds 0 to n (soak), `CHANNELER_SEED=x` one seed (replay). A failure
//! prints the seed and the shortest list of steps found; put such a seed into `tests/regressions`.

mod model;
mod ops;
mod run;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ops::Plan;
use run::Failure;

/// Seeds of the normal run.
const SEEDS: u64 = 200;

/// Runs that the shrinker may spend.
const SHRINK_RUNS_MAX: usize = 300;

#[test]
fn invariants_hold_whatever_happens() {
    if let Some(seed) = number_from_environment("CHANNELER_SEED") {
        check_seed(seed);
        return;
    }
    let committed = include_str!("../regressions/random_v1.txt");
    let lines = committed.lines().filter(|line| !line.starts_with('#'));
    for line in lines.filter(|line| !line.trim().is_empty()) {
        check_seed(line.trim().parse().expect("a line holds one seed"));
    }
    let count = number_from_environment("CHANNELER_SEEDS").unwrap_or(SEEDS);
    let received: u64 = (0..count).map(check_seed).sum();
    assert!(received > 10 * count, "these runs prove something: {received} messages");
}

/// Runs a seed, and returns how many messages it delivered.
fn check_seed(seed: u64) -> u64 {
    let plan = Plan::draw(seed);
    let failure = match run_caught(&plan) {
        Ok(received) => return received,
        Err(failure) => failure,
    };
    let silent = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let shrunk = shrink(plan);
    let last = run_caught(&shrunk);
    std::panic::set_hook(silent);
    let text = last.map_or_else(|last| last.text, |_| "it does not fail every time".to_owned());
    let steps: Vec<String> =
        shrunk.ops.iter().enumerate().map(|(at, op)| format!("{at:3} {op:?}")).collect();
    panic!(
        "seed {seed} (CHANNELER_SEED={seed} replays it)\n{text}\nfirst: {} at step {}\n{:?}\n{}",
        failure.text,
        failure.step,
        shrunk.setup,
        steps.join("\n")
    );
}

/// Removes chunks, then single steps, as long as the plan still fails.
fn shrink(mut plan: Plan) -> Plan {
    let mut runs = 0;
    let mut chunk = plan.ops.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < plan.ops.len() && runs < SHRINK_RUNS_MAX {
            let mut shorter = plan.clone();
            shorter.ops.drain(at..(at + chunk).min(plan.ops.len()));
            runs += 1;
            if run_caught(&shorter).is_err() {
                plan = shorter;
            } else {
                at += chunk;
            }
        }
        chunk /= 2;
    }
    plan
}

/// A panic of a node is a failure like any other.
fn run_caught(plan: &Plan) -> Result<u64, Failure> {
    let step = std::cell::Cell::new(0);
    match catch_unwind(AssertUnwindSafe(|| run::run(plan, &step))) {
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

fn number_from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("the seed or count is a number"))
}
