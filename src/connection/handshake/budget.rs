//! How much may be sent to an address before it is proven.
//! spec: 7.8 amplification

use crate::config::AMPLIFICATION_MAX;

/// Bytes of UDP payload, both ways.
#[derive(Debug)]
pub(crate) struct Budget {
    received: u64,
    sent: u64,
    is_proven: bool,
}

impl Budget {
    /// An address that we were addressed from, or, proven, one that we chose or that showed a
    /// cookie.
    pub(crate) fn new(is_proven: bool) -> Budget {
        Budget { received: 0, sent: 0, is_proven }
    }

    pub(crate) fn on_received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    pub(crate) fn on_sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes as u64);
    }

    /// A level 1 packet came from it.
    pub(crate) fn prove(&mut self) {
        self.is_proven = true;
    }

    /// How many bytes may be sent now.
    pub(crate) fn room(&self) -> usize {
        if self.is_proven {
            return usize::MAX;
        }
        let allowed = self.received.saturating_mul(AMPLIFICATION_MAX);
        usize::try_from(allowed.saturating_sub(self.sent)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: 7.8 three times, to the byte, until proven
    #[test]
    fn room_is_three_times_what_came_less_what_went() {
        let mut budget = Budget::new(false);
        assert_eq!(budget.room(), 0);
        budget.on_received(1200);
        assert_eq!(budget.room(), 3600);
        budget.on_sent(3599);
        assert_eq!(budget.room(), 1);
        budget.on_sent(2);
        assert_eq!(budget.room(), 0);
        budget.prove();
        assert_eq!(budget.room(), usize::MAX);
        assert_eq!(Budget::new(true).room(), usize::MAX);
    }
}
