//! Aim: whatever users, peers and networks do, nodes keep their invariants.
//! Method: operations drawn from a seed, run on 2 to 4 real nodes in the simulated network;
//! invariants are checked after each step, liveness after a healing end.
//!
//! `CHANNELER_SEEDS=n` runs seeds 0 to n (soak), `CHANNELER_SEED=x` one seed (replay). A failure
//! prints the seed and the shortest list of steps found; put such a seed into `tests/regressions`.

#[path = "../common/v0.rs"]
#[expect(dead_code, reason = "these tests need only part of the played peer")]
mod v0;

#[path = "../common/random.rs"]
mod random;

mod model;
mod ops;
mod run;

use ops::{Op, Setup};
use random::{Suite, shrink};

/// Seeds of the normal run.
const SEEDS: u64 = 300;

const SUITE: Suite<Setup, Op> = Suite { draw: ops::draw, run: run::run, shrink_runs_max: 400 };

#[test]
fn invariants_hold_whatever_happens() {
    SUITE.check(include_str!("../regressions/random_ops.txt"), SEEDS);
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in 0..5 {
        let plan = ops::draw(seed);
        let first = run::trace(&plan);
        assert!(first.len() > 1_000, "the trace shows something: {} bytes", first.len());
        assert!(first == run::trace(&plan), "seed {seed} does not replay");
    }
    assert_ne!(run::trace(&ops::draw(0)), run::trace(&ops::draw(1)));
}

#[test]
fn the_shrinker_finds_the_step_that_matters() {
    let is_garbage = |op: &Op| matches!(op, Op::Garbage { .. });
    let plan = (0..).map(ops::draw).find(|plan| plan.ops.iter().any(is_garbage)).expect("drawn");
    let shrunk = shrink(plan, SUITE.shrink_runs_max, |plan| plan.ops.iter().any(is_garbage));
    assert_eq!(shrunk.ops.len(), 1);
    assert!(is_garbage(&shrunk.ops[0]));
}
