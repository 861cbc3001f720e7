//! What a channel remembers of messages that are out of turn or in pieces.

use super::super::buffers::Buffers;
use super::super::ledger::{Above, Ledger};
use super::super::numbered::Numbered;
use super::super::partial::Partial;
use super::{End, SMALLEST, charge_of};

/// It goes when it is empty: see `Spares`.
#[derive(Debug, Default)]
pub(crate) struct Apart {
    /// What is settled above the floor, in modes that deliver out of turn.
    pub(super) ledger: Ledger,
    /// Messages in pieces.
    pub(super) partials: Numbered<Partial>,
    /// Whole messages that wait for earlier ones.
    pub(super) held: Numbered<Vec<u8>>,
    /// Charge of both.
    pub(super) waiting: u64,
    /// How many messages there are in all, and their charge, once the peer said so.
    pub(super) last: Option<End>,
    /// Mode 010: messages below it are too late.
    pub(super) next: u64,
}

/// Memory that channels give back and take again, so that the steady state allocates nothing, and
/// that a channel keeps none for what it once held.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    pub(crate) buffers: Buffers,
    #[expect(clippy::vec_box, reason = "the boxes move between here and channels without a copy")]
    aparts: Vec<Box<Apart>>,
}

/// Spares that are kept, and queues in them beyond which one is not.
const APARTS_MAX: usize = 64;
const KEPT_MAX: usize = 1_024;

impl Spares {
    pub(super) fn take(&mut self) -> Box<Apart> {
        self.aparts.pop().unwrap_or_default()
    }

    pub(super) fn put(&mut self, mut apart: Box<Apart>) {
        let is_small = apart.partials.capacity() <= KEPT_MAX && apart.held.capacity() <= KEPT_MAX;
        if is_small && self.aparts.len() < APARTS_MAX {
            apart.next = 0;
            self.aparts.push(apart);
        }
    }
}

impl Apart {
    /// Whether it says nothing that the floor does not.
    pub(super) fn is_idle(&self, floor: u64) -> bool {
        self.partials.is_empty()
            && self.held.is_empty()
            && self.ledger.is_empty()
            && self.last.is_none()
            && self.next <= floor
    }

    /// Above every number seen.
    pub(super) fn end(&self) -> u64 {
        let partial = self.partials.last_number().map_or(0, |number| number + 1);
        let held = self.held.last_number().map_or(0, |number| number + 1);
        self.ledger.end().unwrap_or(0).max(partial).max(held)
    }

    /// Messages above the floor of which something came.
    pub(super) fn known(&self) -> u64 {
        self.ledger.count() + self.partials.len() as u64 + self.held.len() as u64
    }

    /// Those of them below `number`, which the peer skips: see `above`.
    pub(super) fn known_below(&self, number: u64) -> u64 {
        let (partials, held) =
            (self.partials.below(number).count(), self.held.below(number).count());
        self.ledger.count_below(number) + partials as u64 + held as u64
    }

    /// What came at `number` and above it costs. It looks at what lies below, as that goes when
    /// the peer skips it: what stays is looked at no more often than it came.
    pub(super) fn above(&self, number: u64) -> Above {
        let partials = self.partials.below(number);
        let partials: u64 = partials.map(|(_, partial)| charge_of(partial.high())).sum();
        let held = self.held.below(number);
        let held: u64 = held.map(|(_, bytes)| charge_of(bytes.len() as u64)).sum();
        let waiting = self.waiting - partials - held;
        let Above { least, most } = self.ledger.above(number, SMALLEST);
        Above { least: least + waiting, most: most + waiting }
    }

    /// Messages below `number` are too late now: their bytes go, and only the account stays.
    pub(super) fn drop_late(&mut self, number: u64, buffers: &mut Buffers) {
        for partial in self.partials.below_mut(number).filter(|partial| !partial.is_dropped()) {
            partial.drop_bytes(buffers);
        }
    }

    /// Throws away what waits.
    pub(super) fn clear(&mut self, buffers: &mut Buffers) {
        while let Some((_, mut partial)) = self.partials.pop_front() {
            partial.drop_bytes(buffers);
        }
        while let Some((_, bytes)) = self.held.pop_front() {
            buffers.put(bytes, 0);
        }
        self.ledger = Ledger::default();
        (self.next, self.waiting) = (0, 0);
    }

    /// Bytes of messages that wait.
    pub(super) fn bytes(&self) -> u64 {
        let partials: u64 = self.partials.iter().map(|(_, partial)| partial.held()).sum();
        partials + self.held.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>()
    }
}
