//! TLS tickets in short packets: CRYPTO from the responder to the initiator.
// spec: 7.12 tickets

use std::ops::Range;

use crate::config::{TICKET_BYTES_MAX, TICKET_PIECES_MAX};
use crate::crypto::{CryptoLevel, Session};
use crate::time::Time;

/// One end of the stream of tickets, until it is done with.
#[derive(Default)]
pub(super) enum Tickets {
    /// Nothing to send, and nothing more is read.
    #[default]
    Done,
    /// A responder's, until all is acknowledged.
    Sending(Sending),
    /// An initiator's, until enough have come.
    Receiving(Box<Receiving>),
}

/// Bytes to send.
pub(super) struct Sending {
    bytes: Vec<u8>,
    /// What is to be sent, in no order.
    waiting: Vec<Range<usize>>,
    /// How many bytes are acknowledged.
    acknowledged: Vec<Range<usize>>,
}

/// Bytes to read.
pub(super) struct Receiving {
    session: Session,
    /// Where the next byte for TLS is.
    next: u64,
    /// Pieces behind a hole.
    pieces: Vec<(u64, Vec<u8>)>,
}

/// Why CRYPTO closes the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TicketError {
    /// More waits than may.
    Buffer,
    /// TLS says no, with this alert.
    Tls(u8),
}

/// The session is not kept for more tickets than a responder should send.
const ENOUGH: u32 = 2;

/// INTERNAL_ERROR of TLS.
const ALERT_INTERNAL: u8 = 80;

impl Tickets {
    pub(super) fn sending(bytes: Vec<u8>) -> Tickets {
        if bytes.is_empty() {
            return Tickets::Done;
        }
        let whole = 0..bytes.len();
        Tickets::Sending(Sending { bytes, waiting: vec![whole], acknowledged: Vec::new() })
    }

    pub(super) fn receiving(session: Session) -> Tickets {
        Tickets::Receiving(Box::new(Receiving { session, next: 0, pieces: Vec::new() }))
    }

    pub(super) fn is_waiting(&self) -> bool {
        match self {
            Tickets::Sending(sending) => !sending.waiting.is_empty(),
            Tickets::Done | Tickets::Receiving(_) => false,
        }
    }

    /// The offset from which bytes are to be sent.
    pub(super) fn offset(&self) -> Option<u64> {
        match self {
            Tickets::Sending(sending) => sending.waiting.first().map(|range| range.start as u64),
            Tickets::Done | Tickets::Receiving(_) => None,
        }
    }

    /// Up to `most` of them; they wait no more.
    pub(super) fn take(&mut self, most: usize) -> Option<(u64, &[u8])> {
        let Tickets::Sending(sending) = self else { return None };
        let first = sending.waiting.first_mut()?;
        let range = first.start..first.end.min(first.start + most);
        first.start = range.end;
        if first.start >= first.end {
            sending.waiting.remove(0);
        }
        (range.start < range.end).then(|| (range.start as u64, &sending.bytes[range]))
    }

    pub(super) fn on_lost(&mut self, offset: u32, len: u16) {
        if let Tickets::Sending(sending) = self {
            sending.waiting.push(range_of(offset, len));
        }
    }

    pub(super) fn on_acked(&mut self, offset: u32, len: u16) {
        let Tickets::Sending(sending) = self else { return };
        sending.acknowledged.push(range_of(offset, len));
        sending.acknowledged.sort_by_key(|range| range.start);
        let end = sending
            .acknowledged
            .iter()
            .fold(0, |end, range| if range.start <= end { end.max(range.end) } else { end });
        if end >= sending.bytes.len() {
            *self = Tickets::Done;
        }
    }

    /// CRYPTO of a short packet.
    // spec: 7.5 CRYPTO
    pub(super) fn receive(
        &mut self,
        now: Time,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), TicketError> {
        let Tickets::Receiving(receiving) = self else { return Ok(()) };
        let end = offset.checked_add(bytes.len() as u64).ok_or(TicketError::Buffer)?;
        let waiting: usize = receiving.pieces.iter().map(|(_, piece)| piece.len()).sum();
        let is_full =
            receiving.pieces.len() >= TICKET_PIECES_MAX || waiting + bytes.len() > TICKET_BYTES_MAX;
        if end > receiving.next && is_full {
            return Err(TicketError::Buffer);
        }
        if end > receiving.next {
            receiving.pieces.push((offset, bytes.to_vec()));
        }
        receiving.read_ready(now)?;
        if receiving.session.tickets_received() >= ENOUGH {
            *self = Tickets::Done;
        }
        Ok(())
    }

    /// Nobody waits for more tickets: the session's memory goes.
    pub(super) fn give_up(&mut self) {
        if let Tickets::Receiving(_) = self {
            *self = Tickets::Done;
        }
    }

    #[cfg(test)]
    pub(super) fn is_receiving(&self) -> bool {
        match self {
            Tickets::Receiving(_) => true,
            Tickets::Done | Tickets::Sending(_) => false,
        }
    }
}

impl Receiving {
    fn read_ready(&mut self, now: Time) -> Result<(), TicketError> {
        while let Some(at) = self.pieces.iter().position(|(offset, _)| *offset <= self.next) {
            let (offset, piece) = self.pieces.swap_remove(at);
            let known = usize::try_from(self.next - offset).unwrap_or(usize::MAX);
            let Some(fresh) = piece.get(known..).filter(|fresh| !fresh.is_empty()) else {
                continue;
            };
            self.next += fresh.len() as u64;
            let read = self.session.read(now, CryptoLevel::Short, fresh);
            read.map_err(|error| TicketError::Tls(error.alert.unwrap_or(ALERT_INTERNAL)))?;
            while self.session.write().is_some() {}
        }
        Ok(())
    }
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Tickets::Done => "Done",
            Tickets::Sending(_) => "Sending",
            Tickets::Receiving(_) => "Receiving",
        })
    }
}

fn range_of(offset: u32, len: u16) -> Range<usize> {
    offset as usize..offset as usize + usize::from(len)
}
