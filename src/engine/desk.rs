//! Where messages of QUIC channels are handed in and out without the lock of the node.
//!
//! What the endpoint lent lies here while nobody has that lock; whoever takes it takes that back.
//! The locks here are taken behind that one, and held for a copy.

use std::net::SocketAddr;

use super::latch::{Held, Latch};
use crate::error::Error;
use crate::quic::{Incoming, Outgoing, Quic, TeamId, Waiting};

/// What an endpoint lent.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    outgoing: Latch<Outgoing>,
    incoming: Latch<Incoming>,
}

impl Desk {
    /// Takes messages, in order, if the one before went to the same peer, which `is_to` says, and
    /// as long as there is room; returns how many. For the next one the endpoint must be asked.
    #[inline]
    pub(crate) fn send<'a>(
        &self,
        is_to: impl FnOnce(&SocketAddr) -> bool,
        team_id: &[u8; TeamId::SIZE],
        label: &[u8],
        messages: impl Iterator<Item = &'a [u8]>,
    ) -> usize {
        let Some(mut outgoing) = self.outgoing.try_take() else { return 0 };
        outgoing.send(is_to, team_id, label, messages)
    }

    /// Gives the oldest message, if it is here and `target` is large enough: it goes there, and
    /// `tell` hears where it came from. Returns its bytes. Else the endpoint must be asked.
    #[inline]
    pub(crate) fn receive(
        &self,
        target: &mut [u8],
        tell: impl FnOnce(&Waiting<'_>),
    ) -> Option<usize> {
        self.incoming.try_take()?.receive(target, tell)
    }

    /// As `receive`, with those behind it of the same channel; see `Incoming::receive_many`.
    pub(crate) fn receive_many(
        &self,
        target: &mut [u8],
        lengths: &mut [usize],
        tell: impl FnOnce(&Waiting<'_>),
    ) -> usize {
        let Some(mut incoming) = self.incoming.try_take() else { return 0 };
        incoming.receive_many(target, lengths, tell)
    }

    /// What messages are put in.
    pub(super) fn outgoing(&self) -> Result<Held<'_, Outgoing>, Error> {
        self.outgoing.take()
    }

    /// What messages are taken from.
    pub(super) fn incoming(&self) -> Result<Held<'_, Incoming>, Error> {
        self.incoming.take()
    }

    /// Gives everything back.
    pub(super) fn take_back(&self, quic: &mut Quic) -> Result<(), Error> {
        quic.take_back_outgoing(&mut *self.outgoing()?);
        quic.take_back_incoming(&mut *self.incoming()?);
        Ok(())
    }

    /// Nothing is taken or given any more.
    pub(super) fn shut(&self) {
        // After a panic nothing is, either.
        if let Ok(mut outgoing) = self.outgoing() {
            outgoing.shut();
        }
        if let Ok(mut incoming) = self.incoming() {
            incoming.shut();
        }
    }
}
