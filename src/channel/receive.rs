//! The direction of a channel in which the peer sends: what came, what is missing, where it ends.

mod apart;
#[cfg(test)]
mod tests;

pub(crate) use apart::Spares;

use std::time::Duration;

use super::CHARGE;
use super::credit::Credit;
use super::partial::{Partial, Piece};
use crate::id::Capabilities;
use crate::time::Time;
use crate::wire::frame::Data;
use apart::Apart;

/// What was received on a channel. What is rare, or lasts a while only, is in a box.
#[derive(Debug)]
pub(crate) struct Receiving {
    /// Every message below it is settled (10.2).
    floor: u64,
    credit: Credit,
    apart: Option<Box<Apart>>,
    mode: Capabilities,
    /// The power of two that was enough for the last message in pieces.
    expected_bits: u8,
}

/// What the channels of a connection have in common as receivers.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) credit: Credit,
    /// Bytes held of each channel's lowest unfinished message, all together.
    pub(crate) unfinished: u64,
}

/// What it takes to receive something.
pub(crate) struct Desk<'a> {
    pub(crate) intake: &'a mut Intake,
    pub(crate) spares: &'a mut Spares,
    /// The same sum as `Intake::unfinished`, of the whole node.
    pub(crate) node_unfinished: &'a mut u64,
    /// Bytes of the largest message taken.
    pub(crate) message_max: u64,
}

/// What is to be done with a piece of a message that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Nothing so far, or it was here before, or it is too late.
    Nothing,
    /// The piece is a message: deliver it. So many were skipped for it.
    Deliver { skipped: u64 },
    /// The piece was the last of this message, whose charge is held.
    Assembled { bytes: Vec<u8>, skipped: u64 },
    /// There is no room to remember it: its packet is as good as lost.
    Refuse,
}

/// A rule that the peer broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ChannelState,
    FlowControl,
    TooLarge,
    Protocol,
}

/// Where the peer's direction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    /// None in a reset, which does not tell it.
    count: Option<u64>,
    position: u64,
}

impl Intake {
    pub(crate) fn new(window: u32) -> Intake {
        Intake { credit: Credit::new(window), unfinished: 0 }
    }

    /// Whether the peer should hear of a new limit.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.credit.is_due(self.unfinished)
    }

    /// The limit to tell the peer.
    pub(crate) fn raise(&mut self) -> u64 {
        self.credit.raise(self.unfinished)
    }
}

/// Refuses what no DATA may say.
// spec: 10.1 numbers and fragments
pub(crate) fn check_data(data: &Data<'_>, message_max: u64) -> Result<(), Fault> {
    let end = data.offset.checked_add(data.bytes.len() as u64);
    if end.is_none_or(|end| end > message_max) {
        return Err(Fault::TooLarge);
    }
    let is_short = data.bytes.len() < Data::FRAGMENT_LEN_MIN;
    if is_short && !data.is_final { Err(Fault::Protocol) } else { Ok(()) }
}

impl Receiving {
    /// A direction in this mode, of which so much may come at first.
    pub(crate) fn new(mode: Capabilities, window: u32) -> Receiving {
        Receiving { floor: 0, credit: Credit::new(window), apart: None, mode, expected_bits: 0 }
    }

    pub(crate) fn credit(&self) -> &Credit {
        &self.credit
    }

    /// The peer says that the limit is in its way. `unread`: bytes that the application could read.
    pub(crate) fn note_blocked(&mut self, unread: u64) {
        self.credit.note_blocked(unread);
    }

    /// Has the window grow as `Credit::growth` says.
    pub(crate) fn grow_window(&mut self, now: Time, rtt: Duration, window_max: u32) {
        let unfinished = self.unfinished();
        let window = self.credit.window();
        self.credit.fit(now, rtt, unfinished, (window, window_max.max(window)));
    }

    /// A message, or a piece of one, came.
    // spec: 10.3 modes
    #[inline]
    pub(crate) fn arrive(
        &mut self,
        data: &Data<'_>,
        desk: &mut Desk<'_>,
    ) -> Result<Arrival, Fault> {
        check_data(data, desk.message_max)?;
        if self.is_next(data) {
            self.take_next(data.bytes.len(), 1, desk.intake)?;
            return Ok(Arrival::Deliver { skipped: 0 });
        }
        if data.number < self.floor {
            return Ok(Arrival::Nothing);
        }
        let before = self.unfinished();
        let arrival = self.arrive_apart(data, desk);
        self.note_unfinished(before, desk);
        self.tidy(desk);
        arrival
    }

    /// Whether this is a whole message, the next in order, while nothing waits apart and no end is
    /// known.
    #[inline]
    pub(crate) fn is_next(&self, data: &Data<'_>) -> bool {
        let is_whole = data.is_final && data.offset == 0;
        is_whole && data.number == self.floor && self.apart.is_none()
    }

    /// Takes `count` such messages of `len` bytes, which are to be delivered.
    #[inline]
    pub(crate) fn take_next(
        &mut self,
        len: usize,
        count: u64,
        intake: &mut Intake,
    ) -> Result<(), Fault> {
        self.receive(count * charge_of(len as u64), intake)?;
        self.floor += count;
        Ok(())
    }

    /// How many messages of `len` bytes the limits have room for.
    // spec: 11.3 receiving
    #[inline]
    pub(crate) fn room(&self, len: usize, intake: &Intake) -> u64 {
        self.credit.left().min(intake.credit.left()) / charge_of(len as u64)
    }

    fn arrive_apart(&mut self, data: &Data<'_>, desk: &mut Desk<'_>) -> Result<Arrival, Fault> {
        let number = data.number;
        let apart = self.apart.get_or_insert_with(|| desk.spares.take());
        if apart.last.is_some_and(|end| end.count.is_some_and(|count| number >= count)) {
            return Err(Fault::ChannelState);
        }
        if apart.ledger.contains(number) || apart.held.contains(number) {
            return Ok(Arrival::Nothing);
        }
        let is_begun = apart.partials.contains(number);
        if number != self.floor && !self.holds() && !self.has_room_apart() {
            return Ok(Arrival::Refuse);
        }
        let piece = Piece { offset: data.offset, is_final: data.is_final, bytes: data.bytes };
        if !is_begun {
            self.check_number(number)?;
            if data.is_final && data.offset == 0 {
                return self.take_whole(number, data.bytes, desk);
            }
            self.begin(number, &piece, desk);
        }
        self.take_piece(number, &piece, desk)
    }

    /// Refuses a number that the peer cannot have come to: all below it were begun, and each costs
    /// at least its 32 bytes.
    // spec: 10.1 numbers and fragments, 11.3 receiving
    fn check_number(&self, number: u64) -> Result<(), Fault> {
        if number < self.end() {
            return Ok(());
        }
        let known = self.apart.as_ref().map_or(0, |apart| apart.known());
        let missing = number - self.floor - known;
        let charge = missing.checked_add(1).and_then(|count| count.checked_mul(SMALLEST));
        let is_within = charge.is_some_and(|charge| charge <= self.credit.left());
        if is_within { Ok(()) } else { Err(Fault::FlowControl) }
    }

    /// A message came in one piece, and nothing of it before.
    fn take_whole(
        &mut self,
        number: u64,
        bytes: &[u8],
        desk: &mut Desk<'_>,
    ) -> Result<Arrival, Fault> {
        let charge = charge_of(bytes.len() as u64);
        self.receive(charge, desk.intake)?;
        if self.holds() && number != self.floor {
            self.hold(charge, desk.intake);
            let (mut kept, _) = desk.spares.buffers.take(bytes.len(), 0);
            kept.extend_from_slice(bytes);
            self.keep(number, kept);
            return Ok(Arrival::Nothing);
        }
        let delivered = self.settle(number, charge, desk);
        Ok(delivered.map_or(Arrival::Nothing, |skipped| Arrival::Deliver { skipped }))
    }

    /// Makes room for a message in pieces.
    fn begin(&mut self, number: u64, first: &Piece<'_>, desk: &mut Desk<'_>) {
        let is_late = number < self.next();
        let expected = 1 << self.expected_bits;
        let Some(apart) = &mut self.apart else { return };
        let partial = match is_late {
            true => Partial::dropped(),
            false => Partial::new(first, expected, &mut desk.spares.buffers),
        };
        apart.partials.insert(number, partial);
    }

    /// A piece of a message that is known.
    // spec: 10.2 reassembly
    fn take_piece(
        &mut self,
        number: u64,
        piece: &Piece<'_>,
        desk: &mut Desk<'_>,
    ) -> Result<Arrival, Fault> {
        let partials = self.apart.as_mut().map(|apart| &mut apart.partials);
        let Some(partial) = partials.and_then(|partials| partials.get_mut(number)) else {
            return Ok(Arrival::Nothing);
        };
        partial.check(piece)?;
        if !partial.takes(piece) {
            return Ok(Arrival::Refuse);
        }
        let known = if partial.is_begun() { charge_of(partial.high()) } else { 0 };
        let charge = charge_of(partial.high().max(piece.end())) - known;
        self.credit.receive(charge)?;
        desk.intake.credit.receive(charge)?;
        partial.insert(piece, &mut desk.spares.buffers);
        let is_whole = partial.is_whole();
        self.hold(charge, desk.intake);
        let Some(apart) = &mut self.apart else { return Ok(Arrival::Nothing) };
        apart.waiting += charge;
        if !is_whole {
            return Ok(Arrival::Nothing);
        }
        let Some(partial) = apart.partials.remove(number) else { return Ok(Arrival::Nothing) };
        apart.waiting -= charge_of(partial.high());
        Ok(self.finish(number, partial, desk))
    }

    /// A message in pieces is whole.
    fn finish(&mut self, number: u64, partial: Partial, desk: &mut Desk<'_>) -> Arrival {
        let charge = charge_of(partial.high());
        let is_dropped = partial.is_dropped();
        let bytes = partial.into_bytes(&mut desk.spares.buffers);
        let bits = bytes.len().max(1).ilog2() + u32::from(!bytes.len().is_power_of_two());
        self.expected_bits = bits.min(EXPECTED_BITS_MAX) as u8;
        if self.holds() && number != self.floor {
            self.keep(number, bytes);
            return Arrival::Nothing;
        }
        let delivered = self.settle(number, charge, desk).filter(|_| !is_dropped);
        match delivered {
            Some(skipped) => Arrival::Assembled { bytes, skipped },
            None => {
                self.let_go(charge, desk.intake);
                desk.spares.buffers.put(bytes, 0);
                Arrival::Nothing
            }
        }
    }

    /// A message is here, and settled by that. How many it skips, if it is to be delivered.
    // spec: 10.3 modes
    fn settle(&mut self, number: u64, charge: u64, desk: &mut Desk<'_>) -> Option<u64> {
        let next = self.next();
        let drops_late = self.drops_late();
        let is_next = number == self.floor;
        let apart = self.apart.as_mut()?;
        if is_next {
            self.floor = apart.ledger.absorb(number + 1);
        } else {
            apart.ledger.insert(number, charge);
        }
        if !drops_late {
            return Some(0);
        }
        if number < next {
            return None;
        }
        apart.next = number + 1;
        apart.drop_late(number, &mut desk.spares.buffers);
        Some(number - next)
    }

    /// Keeps a message until it is its turn.
    fn keep(&mut self, number: u64, bytes: Vec<u8>) {
        if let Some(apart) = &mut self.apart
            && !apart.held.contains(number)
        {
            apart.waiting += charge_of(bytes.len() as u64);
            apart.held.insert(number, bytes);
        }
    }

    /// The next message that was held until its turn, or that is let go as what is missing below
    /// `skipped_to` does not come. Its charge is still held.
    pub(crate) fn release(&mut self, skipped_to: u64, spares: &mut Spares) -> Option<Vec<u8>> {
        let front = self.apart.as_ref().and_then(|apart| apart.held.front());
        let front = front.map(|(number, _)| *number);
        if front.is_none_or(|number| number >= skipped_to) {
            self.floor = self.floor.max(skipped_to);
        }
        let number = front.filter(|number| *number == self.floor || *number < skipped_to)?;
        self.floor = number + 1;
        let apart = self.apart.as_mut()?;
        let held = apart.held.pop_front().map(|(_, bytes)| bytes);
        apart.waiting -= held.as_ref().map_or(0, |bytes| charge_of(bytes.len() as u64));
        self.tidy_spare(spares);
        held
    }

    /// The peer gave up on all that did not come below `number`; returns how many that are.
    /// `release` up to `number` follows.
    // spec: 10.5 skipping
    pub(crate) fn skip(
        &mut self,
        number: u64,
        position: u64,
        desk: &mut Desk<'_>,
    ) -> Result<u64, Fault> {
        if self.mode.has(Capabilities::CLOSE_ON_LOSS) {
            return Err(Fault::ChannelState);
        }
        if number <= self.floor {
            return Ok(0);
        }
        let end = self.last();
        if end.is_some_and(|end| end.count.is_some_and(|count| number > count)) {
            return Err(Fault::ChannelState);
        }
        let known = self.apart.as_ref().map_or(0, |apart| apart.known_below(number));
        let unseen = number - self.floor - known;
        self.receive_skipped(number, position, unseen, desk)?;
        let before = self.unfinished();
        let next = self.next();
        let mut discarded = 0;
        if let Some(apart) = &mut self.apart {
            while apart.partials.front().is_some_and(|partial| partial.0 < number) {
                let Some((_, mut partial)) = apart.partials.pop_front() else { break };
                let charge = charge_of(partial.high());
                apart.waiting -= charge;
                partial.drop_bytes(&mut desk.spares.buffers);
                self.credit.let_go(charge);
                desk.intake.credit.let_go(charge);
                discarded += 1;
            }
        }
        self.note_unfinished(before, desk);
        let skipped =
            if self.drops_late() { number.saturating_sub(next) } else { unseen + discarded };
        if !self.holds() {
            self.floor = number;
            if let Some(apart) = &mut self.apart {
                self.floor = apart.ledger.absorb(number);
                apart.next = apart.next.max(number);
            }
        }
        self.tidy(desk);
        Ok(skipped)
    }

    /// Counts what was given up, so that all below `number` costs `position`. Where a part of what
    /// came is known only roughly, too little is counted, and never too much.
    // spec: 11.3 receiving
    fn receive_skipped(
        &mut self,
        number: u64,
        position: u64,
        unseen: u64,
        desk: &mut Desk<'_>,
    ) -> Result<(), Fault> {
        let above = self.apart.as_ref().map(|apart| apart.above(number)).unwrap_or_default();
        let received = self.credit.received();
        let below_least = received.saturating_sub(above.most);
        let below_most = received.saturating_sub(above.least);
        let unseen = unseen.checked_mul(SMALLEST).ok_or(Fault::FlowControl)?;
        if position < below_least.saturating_add(unseen) {
            return Err(Fault::FlowControl);
        }
        self.receive(position.saturating_sub(below_most), desk.intake)
    }

    /// CHANNEL_CLOSE.
    // spec: 8.11 CHANNEL_CLOSE
    pub(crate) fn close(
        &mut self,
        count: u64,
        position: u64,
        desk: &mut Desk<'_>,
    ) -> Result<(), Fault> {
        let end = End { count: Some(count), position };
        match self.last() {
            Some(before) if before.count.is_some() && before != end => {
                return Err(Fault::ChannelState);
            }
            Some(before) if before.position != position => return Err(Fault::FlowControl),
            Some(_) | None => {}
        }
        if count < self.end() {
            return Err(Fault::ChannelState);
        }
        self.check_position(position)?;
        self.apart.get_or_insert_with(|| desk.spares.take()).last = Some(end);
        Ok(())
    }

    /// CHANNEL_RESET.
    // spec: 9.5 reset
    pub(crate) fn reset(&mut self, position: u64, desk: &mut Desk<'_>) -> Result<(), Fault> {
        if self.last().is_some_and(|end| end.position != position) {
            return Err(Fault::FlowControl);
        }
        self.check_position(position)?;
        let apart = self.apart.get_or_insert_with(|| desk.spares.take());
        apart.last = apart.last.or(Some(End { count: None, position }));
        Ok(())
    }

    fn check_position(&self, position: u64) -> Result<(), Fault> {
        let is_good = (self.credit.received()..=self.credit.limit()).contains(&position);
        if is_good { Ok(()) } else { Err(Fault::FlowControl) }
    }

    /// Nothing more of it is taken in: the peer's final position, if it is known, is all that came.
    // spec: 9.5 reset, 11.3 receiving
    pub(crate) fn count_rest(&mut self, intake: &mut Intake) -> Result<(), Fault> {
        let position = self.last().map_or(0, |end| end.position);
        let rest = position.saturating_sub(self.credit.received());
        self.receive(rest, intake)
    }

    /// Throws away all that is held.
    pub(crate) fn discard(&mut self, desk: &mut Desk<'_>) {
        let before = self.unfinished();
        if let Some(apart) = &mut self.apart {
            apart.clear(&mut desk.spares.buffers);
        }
        desk.intake.credit.let_go(self.credit.let_go_of_all());
        self.note_unfinished(before, desk);
        self.tidy(desk);
    }

    /// Some of what was held was read.
    #[inline]
    pub(crate) fn let_go(&mut self, charge: u64, intake: &mut Intake) {
        self.credit.let_go(charge);
        intake.credit.let_go(charge);
    }

    /// Some of what came is held.
    pub(crate) fn hold(&mut self, charge: u64, intake: &mut Intake) {
        self.credit.hold(charge);
        intake.credit.hold(charge);
    }

    #[inline]
    fn receive(&mut self, charge: u64, intake: &mut Intake) -> Result<(), Fault> {
        self.credit.receive(charge)?;
        intake.credit.receive(charge)
    }

    /// Whether the peer should hear of a new limit.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.credit.is_due(self.unfinished()) && self.last().is_none()
    }

    /// The limit to tell the peer.
    pub(crate) fn raise(&mut self) -> u64 {
        let unfinished = self.unfinished();
        self.credit.raise(unfinished)
    }

    /// Whether everything came, or is no longer waited for.
    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        self.last().is_some_and(|end| end.count.is_some_and(|count| self.floor >= count))
    }

    /// Whether the peer's final position is known.
    pub(crate) fn has_end(&self) -> bool {
        self.last().is_some()
    }

    /// Bytes held of the lowest unfinished message.
    #[inline]
    pub(crate) fn unfinished(&self) -> u64 {
        let front = self.apart.as_ref().and_then(|apart| apart.partials.front());
        front.map_or(0, |(_, partial)| partial.held())
    }

    /// Bytes of messages that cannot be delivered yet.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.apart.as_ref().map_or(0, |apart| apart.bytes())
    }

    fn last(&self) -> Option<End> {
        self.apart.as_ref().and_then(|apart| apart.last)
    }

    /// Above every number seen.
    fn end(&self) -> u64 {
        self.apart.as_ref().map_or(self.floor, |apart| self.floor.max(apart.end()))
    }

    /// Mode 010: messages below it are too late.
    fn next(&self) -> u64 {
        self.apart.as_ref().map_or(self.floor, |apart| self.floor.max(apart.next))
    }

    /// Whether later messages wait for earlier ones.
    fn holds(&self) -> bool {
        let waits = self.mode.0 & (Capabilities::RESEND.0 | Capabilities::CLOSE_ON_LOSS.0) != 0;
        self.mode.has(Capabilities::ORDERED) && waits
    }

    /// Whether late messages are of no use.
    fn drops_late(&self) -> bool {
        self.mode == Capabilities::ORDERED
    }

    fn has_room_apart(&self) -> bool {
        self.apart.as_ref().is_none_or(|apart| apart.ledger.has_room())
    }

    /// Corrects the sums of unfinished bytes.
    fn note_unfinished(&self, before: u64, desk: &mut Desk<'_>) {
        let after = self.unfinished();
        desk.intake.unfinished = desk.intake.unfinished - before + after;
        *desk.node_unfinished = *desk.node_unfinished - before + after;
    }

    fn tidy(&mut self, desk: &mut Desk<'_>) {
        self.tidy_spare(desk.spares);
    }

    /// Gives back what is not needed any more.
    fn tidy_spare(&mut self, spares: &mut Spares) {
        if let Some(apart) = self.apart.take_if(|apart| apart.is_idle(self.floor)) {
            spares.put(apart);
        }
    }
}

/// What a message of so many bytes costs.
// spec: 11.1 charge
#[inline]
pub(crate) fn charge_of(bytes: u64) -> u64 {
    bytes + SMALLEST
}

/// What every message costs at least.
const SMALLEST: u64 = CHARGE as u64;

/// Larger messages than this power of two grow into their memory.
const EXPECTED_BITS_MAX: u32 = 20;
