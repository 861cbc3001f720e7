//! Protocol v0, against the thresholds of issue 2.

mod footprint;
mod memory;
mod pair;
mod udp;

use crate::harness::Run;

/// The group.
pub(crate) fn measure(run: &mut Run) {
    memory::measure(run);
    udp::measure(run);
    footprint::measure(run);
}
