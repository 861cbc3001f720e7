//! Aim: whatever users, peers and networks do, v1 nodes keep their invariants.
//! Method: operations drawn from a seed, run on 2 to 4 real nodes in the simulated network;
//! invariants are checked after each step, liveness and emptiness at a healing end.
//!
//! `CHANNELER_SEEDS=n` runs seeds 0 to n (soak), `CHANNELER_SEED=x` one seed (replay). A failure
//! prints the seed and the shortest list of steps found; put such a seed into `tests/regressions`.

#[path = "../common/random.rs"]
mod random;

mod messages;
mod model;
mod ops;
mod run;

use ops::{Op, Setup};
use random::Suite;

/// Seeds of the normal run.
const SEEDS: u64 = 200;

const SUITE: Suite<Setup, Op> = Suite { draw: ops::draw, run: run::run, shrink_runs_max: 300 };

#[test]
fn invariants_hold_whatever_happens() {
    SUITE.check(include_str!("../regressions/random_v1.txt"), SEEDS);
}
