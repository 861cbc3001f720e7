//! How often a sender wants to be acknowledged: what it asks of its peer by ACK_RATE.

use std::time::Duration;

/// The last request for a rate of acknowledgements on one path.
#[derive(Debug, Clone, Default)]
pub(crate) struct AckRate {
    asked: Option<Asked>,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    packets: u32,
    delay: Duration,
}

impl AckRate {
    /// What to ask the peer for, if that differs by half from what it was asked before: packets for
    /// one ACK, and the longest delay.
    // spec: 13.3 acknowledging
    pub(crate) fn poll(
        &mut self,
        window: u64,
        mtu: u64,
        smoothed_rtt: Duration,
        delay_max: Duration,
    ) -> Option<(u32, Duration)> {
        let tenth = window / mtu.max(1) / 10;
        let packets = tenth.clamp(PACKETS_MIN, PACKETS_MAX) as u32;
        let delay = (smoothed_rtt / 8).min(delay_max);
        let wanted = Asked { packets, delay };
        let is_new = self.asked.is_none_or(|asked| {
            differs_by_half(u64::from(asked.packets), u64::from(packets))
                || differs_by_half(asked.delay.as_nanos() as u64, delay.as_nanos() as u64)
        });
        if !is_new {
            return None;
        }
        self.asked = Some(wanted);
        Some((packets, delay))
    }

    /// What was asked last: for sending it again when it was lost.
    pub(crate) fn asked(&self) -> Option<(u32, Duration)> {
        self.asked.map(|asked| (asked.packets, asked.delay))
    }
}

fn differs_by_half(old: u64, new: u64) -> bool {
    // Nothing differs from itself, not even nothing.
    old.abs_diff(new) * 2 >= old.max(1)
}

/// Spec 13.3.
const PACKETS_MIN: u64 = 2;
const PACKETS_MAX: u64 = 256;

#[cfg(test)]
mod tests;
