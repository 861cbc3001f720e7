//! Aim: in each of the eight modes, whatever a network does, exactly that is delivered which the
//! mode allows, byte for byte, within the memory that was granted.
//! Method: one channel of each mode between two nodes, all at once, messages of many sizes both
//! ways; loss, reordering, duplication and delay in all combinations.

mod giving_up;
mod table;
mod traffic;

use std::time::Duration;

use channeler::id::Capabilities;

/// Every mode of the table.
pub(crate) const MODES: [Capabilities; 8] = [
    Capabilities(0),
    Capabilities(1),
    Capabilities(2),
    Capabilities(3),
    Capabilities(4),
    Capabilities(5),
    Capabilities(6),
    Capabilities(7),
];

/// Whether lost pieces are sent again.
pub(crate) fn resends(mode: Capabilities) -> bool {
    mode.0 & Capabilities::RESEND.0 != 0
}

/// Whether messages come in the order in which they were sent.
pub(crate) fn is_ordered(mode: Capabilities) -> bool {
    mode.0 & Capabilities::ORDERED.0 != 0
}

/// Whether a message that is given up ends the channel.
pub(crate) fn closes(mode: Capabilities) -> bool {
    mode.0 & Capabilities::CLOSE_ON_LOSS.0 != 0
}

/// No exchange of these tests takes longer on any link of theirs.
pub(crate) const LONGEST: Duration = Duration::from_secs(3_000);
