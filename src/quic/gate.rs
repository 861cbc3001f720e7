//! Holds a connection to the pacing rate of its controller, which quinn-proto's pacer ignores.

use crate::congestion::Pacer;
use crate::time::Time;

/// The gate in front of one connection's transmits.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pacer: Pacer,
    is_closed: bool,
}

impl Gate {
    /// How many datagrams of `mtu` bytes may leave now, at `rate` bytes a second. `is_urgent`: one
    /// may leave in any case, as an acknowledgement may be due; the rate pays for it later.
    pub(super) fn open(&mut self, now: Time, rate: u64, mtu: u64, is_urgent: bool) -> usize {
        let quantum = (rate / 1_000).clamp(2 * mtu, QUANTUM_MAX.max(2 * mtu));
        let budget = self.pacer.budget(now, rate, quantum);
        self.is_closed = budget == 0;
        // Rounded up, and paid for later: else a datagram would leave alone behind each burst.
        match usize::try_from(budget.div_ceil(mtu)).unwrap_or(usize::MAX) {
            0 if is_urgent => 1,
            datagrams => datagrams,
        }
    }

    /// `bytes` left.
    pub(super) fn note_sent(&mut self, bytes: u64, rate: u64) {
        self.pacer.on_sent(bytes, rate);
    }

    /// When it opens again, if it is closed.
    pub(super) fn opens_at(&self) -> Option<Time> {
        self.pacer.release_time().filter(|_| self.is_closed)
    }
}

/// What one GSO send carries.
const QUANTUM_MAX: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_passes_in_a_second_is_the_rate() {
        let (mut gate, rate, mtu) = (Gate::default(), 1_000_000, 1_200);
        let mut now = Time::from_nanos(1_000_000_000);
        let end = now + Duration::from_secs(1);
        let mut passed = 0;
        while now < end {
            match gate.open(now, rate, mtu, false) {
                0 => now = gate.opens_at().expect("a closed gate says when it opens"),
                datagrams => {
                    let bytes = datagrams as u64 * mtu;
                    passed += bytes;
                    gate.note_sent(bytes, rate);
                }
            }
        }
        assert!((990_000..1_020_000).contains(&passed), "{passed}");
    }

    #[test]
    fn urgent_datagrams_pass_a_closed_gate_and_are_paid_for() {
        let (mut gate, rate, mtu) = (Gate::default(), 1_000_000, 1_200);
        let now = Time::from_nanos(1_000_000_000);
        while gate.open(now, rate, mtu, false) > 0 {
            gate.note_sent(mtu, rate);
        }
        let before = gate.opens_at().expect("closed");
        assert_eq!(gate.open(now, rate, mtu, true), 1);
        gate.note_sent(100 * mtu, rate);
        assert_eq!(gate.open(now, rate, mtu, false), 0);
        assert!(gate.opens_at().expect("closed") > before + Duration::from_millis(100));
    }
}
