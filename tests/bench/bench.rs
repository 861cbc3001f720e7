//! `make bench`: speed and memory, as a table for people and as `target/bench.json` for programs.
//!
//! `cargo bench --bench bench -- [--quick] [--alone] [group or name]..`: everything whose name
//! begins so. The groups: `v0`, the plain protocol against bare system calls; `v1`, the secure one
//! against bare TLS, quinn, and bare system calls with sealed bytes; `quic`, QUIC channels through
//! the C API against the same messages on quinn.
//! Each value is the median of several samples; where there is a baseline, it is measured in the
//! same run, a sample of it after each sample of ours. `--quick` takes shorter samples: noise, not
//! news. `--alone` leaves the baselines out, for a profiler.

mod alloc;
mod bare;
mod harness;
mod link;
mod pingpong;
mod quic;
mod report;
mod v0;
mod v1;

use harness::Run;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

fn main() {
    let mut run = Run::from_args(std::env::args().skip(1));
    v0::measure(&mut run);
    v1::measure(&mut run);
    quic::measure(&mut run);
    run.finish();
}
