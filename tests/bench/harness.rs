//! What every group needs: which benches run, how long, on which core, and how samples are taken.

#![allow(unsafe_code, reason = "pinning a thread to a core is a system call")]

use std::path::Path;
use std::time::{Duration, Instant};

use crate::report::{self, Row};

/// One call of `make bench`.
pub(crate) struct Run {
    is_quick: bool,
    /// No baselines: for a profiler, which is to see what is ours.
    is_alone: bool,
    /// Beginnings of names; none means everything.
    only: Vec<String>,
    rows: Vec<Row>,
}

impl Run {
    /// Reads the command line. `--bench` comes from cargo.
    pub(crate) fn from_args(args: impl Iterator<Item = String>) -> Run {
        let (flags, only): (Vec<_>, Vec<_>) = args.partition(|arg| arg.starts_with('-'));
        for flag in &flags {
            let ours = ["--bench", "--quick", "--alone"];
            assert!(ours.contains(&flag.as_str()), "{flag} is no flag of ours");
        }
        let has = |name| flags.iter().any(|flag| flag == name);
        Run { is_quick: has("--quick"), is_alone: has("--alone"), only, rows: Vec::new() }
    }

    /// Whether `name` was asked for; says on standard error that it begins.
    pub(crate) fn begins(&self, name: &str) -> bool {
        let is_asked = |only: &String| {
            let rest = name.strip_prefix(only.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let begins = self.only.is_empty() || self.only.iter().any(is_asked);
        if begins {
            eprintln!("{name} ..");
        }
        begins
    }

    /// How long a sample takes.
    pub(crate) fn sample_time(&self) -> Duration {
        Duration::from_millis(if self.is_quick { 200 } else { 1_000 })
    }

    /// How many samples a median is of.
    pub(crate) fn samples(&self) -> usize {
        if self.is_quick { 3 } else { 5 }
    }

    /// A count of things to make, a tenth of it when quick.
    pub(crate) fn count(&self, full: usize) -> usize {
        if self.is_quick { full / 10 } else { full }
    }

    /// The median of samples of `measure`.
    pub(crate) fn median(&self, mut measure: impl FnMut() -> f64) -> f64 {
        median((0..self.samples()).map(|_| measure()).collect())
    }

    /// The medians of samples of ours and of the baseline, which take turns.
    pub(crate) fn medians(
        &self,
        unit: &str,
        mut ours: impl FnMut() -> f64,
        mut baseline: impl FnMut() -> f64,
    ) -> (f64, f64) {
        let [ours, bare] = self.medians_of(unit, [("ours", &mut ours), ("bare", &mut baseline)]);
        (ours, bare)
    }

    /// The medians of samples of several things, which take turns; ours is the first. When run
    /// alone, the others are not numbers.
    pub(crate) fn medians_of<const N: usize>(
        &self,
        unit: &str,
        measures: [(&str, &mut dyn FnMut() -> f64); N],
    ) -> [f64; N] {
        self.medians_in_slices(unit, 1, measures)
    }

    /// The same where a sample is the median of several slices, in which all take turns.
    pub(crate) fn medians_in_slices<const N: usize>(
        &self,
        unit: &str,
        slices: usize,
        mut measures: [(&str, &mut dyn FnMut() -> f64); N],
    ) -> [f64; N] {
        let mut values = [const { Vec::new() }; N];
        // The machine drifts from turn to turn, which the ratio of two medians does not see.
        let mut ratios = [const { Vec::new() }; N];
        for sample in 1..=self.samples() {
            let mut turns = [const { Vec::new() }; N];
            for _ in 0..slices {
                for (place, (_, measure)) in measures.iter_mut().enumerate() {
                    turns[place].push(if self.is_alone && place > 0 {
                        f64::NAN
                    } else {
                        measure()
                    });
                }
            }
            let turn = turns.map(median);
            let mut text = format!("{:.1} {unit}", turn[0]);
            for (index, value) in turn.into_iter().enumerate() {
                values[index].push(value);
                ratios[index].push(turn[0] / value);
                if index > 0 {
                    text +=
                        &format!(", {} {value:.1}: {:.3} x", measures[index].0, turn[0] / value);
                }
            }
            eprintln!("  {sample}/{}: {text}", self.samples());
        }
        for ((name, _), ratios) in measures.iter().zip(ratios).skip(1) {
            eprintln!("  median of the ratios to {name}: {:.3} x", median(ratios));
        }
        values.map(median)
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Reports.
    pub(crate) fn finish(self) {
        assert!(!self.rows.is_empty(), "no bench has such a name: {:?}", self.only);
        report::print(&self.rows);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench.json");
        report::write(&self.rows, &path).expect("target/ can be written");
    }
}

/// Calls `work`, which returns how much it did, until `time` has passed. Per second of a core.
pub(crate) fn rate(time: Duration, mut work: impl FnMut() -> usize) -> f64 {
    let began = (Instant::now(), core_time());
    let mut done = 0;
    while began.0.elapsed() < time {
        done += work();
    }
    done as f64 / (core_time() - began.1).as_secs_f64()
}

/// Time that this thread has had a core. For work that never waits it is as good as a clock on the
/// wall, and other programs on the machine do not spoil it.
pub(crate) fn core_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`, which lives until the call returns.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "every Linux has this clock");
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Keeps the calling thread on one core, where the machine has that many.
pub(crate) fn pin(core: usize) {
    // SAFETY: `cpu_set_t` is a bit mask, for which all zeros is a value: no core.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `core` is far below the 1,024 bits of the set.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the kernel reads `size_of` bytes of `set`, which lives until the call returns.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
    if result != 0 {
        eprintln!("  core {core} cannot be had: both sides may share one");
    }
}
