//! The direction of a channel in which we send: numbers, charge, what became of messages.

use super::settled::Settled;
use crate::wire::frame::Data;

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
    close: Close,
    /// There once something was given up.
    skip: Option<Box<Skip>>,
}

/// What the peer is to know of what was given up.
// spec: 10.5 skipping
#[derive(Debug, Default)]
struct Skip {
    /// Above every number that was given up.
    given_up: u64,
    /// Above every number that the peer knows not to wait for.
    acked: u64,
    /// The lowest number given up that no DATA_SKIP covered.
    from: Option<u64>,
    /// Charge given up since the last one.
    charge: u64,
    /// Whether it is to be said as soon as all below is settled.
    is_wanted: bool,
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
        self.refusal()
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

    /// Whether more was sent than the limit now allows, as it was another's then.
    pub(crate) fn is_over_limit(&self) -> bool {
        self.position > self.limit
    }

    /// How many of `len` bytes may leave now of a message that has `rest` left, `head` being what
    /// it costs besides. `limit` is the position that the connection's limit allows. An error says
    /// which limit it was: this channel's, or, with `Room::Enough`, the connection's.
    // spec: 11.2 sending, 10.1 numbers and fragments
    #[inline]
    pub(crate) fn grant(&self, head: u32, len: u32, limit: u64) -> Result<u32, Room> {
        let left = self.left(limit).saturating_sub(u64::from(head));
        if left >= u64::from(len) {
            return Ok(len);
        }
        if left >= Data::FRAGMENT_LEN_MIN as u64 {
            return Ok(left as u32);
        }
        Err(if self.limit <= limit { self.refusal() } else { Room::Enough })
    }

    fn refusal(&self) -> Room {
        if self.is_blocked() { Room::None } else { Room::Unreported }
    }

    /// Charge that may be sent now. `limit` is as for `grant`.
    #[inline]
    pub(crate) fn left(&self, limit: u64) -> u64 {
        self.limit.min(limit).saturating_sub(self.position)
    }

    /// The next messages take their numbers.
    #[inline]
    pub(crate) fn begin(&mut self, count: u64) {
        self.next += count;
    }

    /// Something leaves for the first time.
    #[inline]
    pub(crate) fn spend(&mut self, charge: u64) {
        self.position += charge;
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
    pub(crate) fn acknowledge(&mut self, first: u64, count: u32, charge: u64) {
        self.settled.insert(first, count, charge);
    }

    /// Messages were lost for good; whether they had not been acknowledged meanwhile.
    // spec: 10.4 giving up
    pub(crate) fn give_up(&mut self, first: u64, count: u32, charge: u64) -> bool {
        if !self.settled.insert(first, count, charge) {
            return false;
        }
        let skip = self.skip.get_or_insert_default();
        skip.given_up = skip.given_up.max(first + u64::from(count));
        skip.from = Some(skip.from.map_or(first, |from| from.min(first)));
        skip.charge = skip.charge.saturating_add(charge);
        true
    }

    /// Number and position of a DATA_SKIP, if the peer waits for something that was given up.
    // spec: 10.5 skipping
    pub(crate) fn skip(&self) -> Option<(u64, u64)> {
        let number = self.settled.floor();
        let skip = self.skip.as_ref()?;
        let is_owed = skip.acked < skip.given_up && skip.acked < number;
        is_owed.then(|| (number, self.settled.base()))
    }

    /// The peer is to know of what was given up as soon as it helps.
    pub(crate) fn want_skip(&mut self) {
        if let Some(skip) = &mut self.skip {
            skip.is_wanted = skip.from.is_some();
        }
    }

    /// Whether a DATA_SKIP is wanted that says more than the last.
    #[inline]
    pub(crate) fn is_skip_due(&self) -> bool {
        let floor = self.settled.floor();
        let skip = self.skip.as_ref().filter(|skip| skip.is_wanted);
        skip.is_some_and(|skip| skip.from.is_some_and(|from| from < floor))
    }

    /// Whether what was given up holds back over a quarter of the window.
    // spec: 10.5 skipping
    pub(crate) fn is_skip_pressing(&self) -> bool {
        // The peer consumed at most what was settled and not given up.
        let charge = self.skip.as_ref().map_or(0, |skip| skip.charge);
        let consumed = self.settled.base().saturating_sub(charge);
        charge > self.limit.saturating_sub(consumed) / 4
    }

    /// DATA_SKIP to this number goes into a packet.
    pub(crate) fn on_skip_sent(&mut self, number: u64) {
        let Some(skip) = &mut self.skip else { return };
        skip.charge = 0;
        // What lies above is not known one by one: any progress may be some.
        skip.from = (skip.given_up > number).then_some(number);
        skip.is_wanted &= skip.from.is_some();
    }

    pub(crate) fn on_skip_acked(&mut self, number: u64) {
        if let Some(skip) = &mut self.skip {
            skip.acked = skip.acked.max(number);
        }
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
            && self.skip.as_ref().is_none_or(|skip| skip.acked >= skip.given_up)
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
