//! ECN on a path: marks counted as a receiver, counts believed as a sender only while they add up.

use crate::io::EcnMark;
use crate::stats::EcnState;
use crate::wire::frame::EcnCounts;

/// Whether packets of a path leave with ECT(0), and what the peer counted of them.
// spec: 13.5 congestion control; RFC 9000 13.4.2
#[derive(Debug, Clone, Default)]
pub(crate) struct EcnValidation {
    has_failed: bool,
    /// Packets that left with ECT(0).
    sent: u64,
    /// Those of them that were lost before any was acknowledged.
    lost_first: u64,
    acked: u64,
    counts: EcnCounts,
}

/// Counts one packet with this mark.
pub(super) fn count(mark: EcnMark, counts: &mut EcnCounts) {
    match mark {
        EcnMark::None => (),
        EcnMark::Ect0 => counts.ect0 += 1,
        EcnMark::Ect1 => counts.ect1 += 1,
        EcnMark::Ce => counts.ce += 1,
    }
}

impl EcnValidation {
    /// The same path over other addresses: all that was learnt is to be learnt again, but what the
    /// peer counted stays counted.
    // spec: RFC 9000 13.4.2
    pub(crate) fn restart(&mut self) {
        (self.has_failed, self.lost_first, self.acked) = (false, 0, 0);
    }

    /// What is known of the path.
    pub(crate) const fn state(&self) -> EcnState {
        match (self.has_failed, self.acked) {
            (true, _) => EcnState::Failed,
            (false, 0) => EcnState::Testing,
            (false, _) => EcnState::Capable,
        }
    }

    /// Whether the next packet leaves with ECT(0).
    pub(crate) const fn is_marking(&self) -> bool {
        !self.has_failed
    }

    /// A packet left with ECT(0).
    pub(crate) fn on_sent(&mut self) {
        self.sent += 1;
    }

    /// A packet was lost that had left with ECT(0). A path that lets none of the first through is
    /// taken to drop what is marked.
    pub(crate) fn on_lost(&mut self) {
        if self.acked == 0 {
            self.lost_first += 1;
            self.has_failed |= self.lost_first >= TESTED;
        }
    }

    /// An ACK came that raised the largest acknowledged number (others are not to be fed: their
    /// counts may be old), and acknowledged `ect_packets` that had left with ECT(0). Answers how
    /// many more packets were marked CE.
    pub(crate) fn on_ack(&mut self, ect_packets: u64, counts: Option<EcnCounts>) -> u64 {
        if self.has_failed {
            return 0;
        }
        self.acked += ect_packets;
        let marked = self.newly_marked(ect_packets, counts);
        self.has_failed = marked.is_none();
        marked.unwrap_or(0)
    }

    /// None when the counts cannot be true.
    fn newly_marked(&mut self, ect_packets: u64, counts: Option<EcnCounts>) -> Option<u64> {
        let Some(counts) = counts else { return (ect_packets == 0).then_some(0) };
        let ect0 = counts.ect0.checked_sub(self.counts.ect0)?;
        let ce = counts.ce.checked_sub(self.counts.ce)?;
        let total = counts.ect0.checked_add(counts.ce)?;
        let adds_up = counts.ect1 == 0 && ect0 + ce >= ect_packets && total <= self.sent;
        self.counts = counts;
        adds_up.then_some(ce)
    }
}

/// Packets that test a path: RFC 9000 A.4.
const TESTED: u64 = 10;

#[cfg(test)]
mod tests;
