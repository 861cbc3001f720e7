//! The direction of a channel in which we send: numbers, charge, what became of messages.

use super::settled::Settled;

/// What was sent on a channel, and what of it is over.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    /// The next message's number.
    next: u64,
    /// Charge of all messages so far (11.1).
    position: u64,
    /// The peer takes no more charge than this.
    limit: u64,
    /// The limit that the peer was told to be in our way.
    blocked_at: Option<u64>,
    settled: Settled,
    /// Above every number that was given up.
    given_up: u64,
    /// Above every number that the peer knows not to wait for.
    skip_acked: u64,
    close: Close,
}

/// How far CHANNEL_CLOSE has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Close {
    #[default]
    None,
    Sent,
    Acknowledged,
}

/// What flow control says to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// It may go.
    Enough,
    /// It must wait; the peer was told so.
    None,
    /// It must wait, and the peer does not know that this limit stops us.
    Unreported,
}

impl Sending {
    pub(crate) fn new(limit: u64) -> Sending {
        Sending { limit, ..Sending::default() }
    }

    /// Number of the next message, which is how many there were.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether the channel's limit has room for `charge`. A refusal is to be reported once a limit.
    // spec: 11.2 sending
    #[inline]
    pub(crate) fn room(&self, charge: u64) -> Room {
        if self.position.saturating_add(charge) <= self.limit {
            return Room::Enough;
        }
        if self.blocked_at == Some(self.limit) { Room::None } else { Room::Unreported }
    }

    pub(crate) fn set_reported(&mut self) {
        self.blocked_at = Some(self.limit);
    }

    /// Whether the limit that was reported is the one in force.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked_at == Some(self.limit)
    }

    /// A limit of the peer's; whether it is higher than those before.
    pub(crate) fn raise(&mut self, limit: u64) -> bool {
        let is_higher = limit > self.limit;
        self.limit = self.limit.max(limit);
        is_higher
    }

    /// The limit was another's (a ticket's), and only what holds now counts.
    pub(crate) fn reset_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The next message goes into a packet.
    #[inline]
    pub(crate) fn advance(&mut self, charge: u64) -> u64 {
        let number = self.next;
        self.next += 1;
        self.position += charge;
        number
    }

    /// Messages were acknowledged.
    #[inline]
    pub(crate) fn acknowledge(&mut self, first: u64, count: u32, charge: u32) {
        self.settled.insert(first, count, u64::from(charge));
    }

    /// Messages were lost for good; whether they had not been acknowledged meanwhile.
    // spec: 10.4 giving up
    pub(crate) fn give_up(&mut self, first: u64, count: u32, charge: u32) -> bool {
        if !self.settled.insert(first, count, u64::from(charge)) {
            return false;
        }
        self.given_up = self.given_up.max(first + u64::from(count));
        true
    }

    /// Number and position of a DATA_SKIP, if the peer waits for something that was given up.
    // spec: 10.5 skipping
    pub(crate) fn skip(&self) -> Option<(u64, u64)> {
        let number = self.settled.floor();
        let is_owed = self.skip_acked < self.given_up && self.skip_acked < number;
        is_owed.then(|| (number, self.settled.base()))
    }

    pub(crate) fn on_skip_acked(&mut self, number: u64) {
        self.skip_acked = self.skip_acked.max(number);
    }

    pub(crate) fn set_closed(&mut self) {
        if self.close == Close::None {
            self.close = Close::Sent;
        }
    }

    pub(crate) fn on_close_acked(&mut self) {
        self.close = Close::Acknowledged;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.close != Close::None
    }

    pub(crate) fn is_close_acked(&self) -> bool {
        self.close == Close::Acknowledged
    }

    /// Whether this direction is over.
    // spec: 9.3 states
    pub(crate) fn is_ended(&self) -> bool {
        self.close == Close::Acknowledged
            && self.settled.floor() == self.next
            && self.skip_acked >= self.given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: 11.2 sending
    #[test]
    fn the_limit_holds_to_the_byte_and_is_reported_once() {
        let mut sending = Sending::new(264);
        assert_eq!(sending.room(132), Room::Enough);
        assert_eq!(sending.advance(132), 0);
        assert_eq!(sending.room(132), Room::Enough);
        assert_eq!(sending.advance(132), 1);
        assert_eq!(sending.room(1), Room::Unreported);
        sending.set_reported();
        assert_eq!(sending.room(1), Room::None);
        assert!(!sending.raise(200), "lower limits are ignored");
        assert!(sending.raise(300));
        assert_eq!((sending.room(36), sending.room(37)), (Room::Enough, Room::Unreported));
    }

    // spec: 9.3 states
    #[test]
    fn a_direction_ends_when_all_is_settled_and_the_peer_knows() {
        let mut sending = Sending::new(u64::MAX);
        for _ in 0..3 {
            sending.advance(40);
        }
        sending.set_closed();
        sending.on_close_acked();
        sending.acknowledge(0, 1, 40);
        assert!(sending.give_up(1, 2, 80));
        assert!(!sending.give_up(1, 2, 80));
        assert!(!sending.is_ended(), "the peer waits for 1 and 2");
        assert_eq!(sending.skip(), Some((3, 120)));
        sending.on_skip_acked(3);
        assert!(sending.is_ended());
        assert_eq!(sending.skip(), None);
    }
}
