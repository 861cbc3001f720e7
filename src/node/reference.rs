//! What programs written against the reference ask of a node in its profile: channels by their id
//! on the wire, and a secret of their own.

use super::Node;
use crate::error::Error;
use crate::id::{ChannelHandle, ChannelId, ConnectionHandle};
use crate::time::Time;

impl Node {
    /// Sets the secret that cookies are made with from now on.
    ///
    /// # Errors
    ///
    /// `State` unless the profile is `Reference`.
    pub fn set_secret(&mut self, secret: &[u8]) -> Result<(), Error> {
        self.v0.as_mut().ok_or(Error::State)?.set_secret(secret)
    }

    /// Halves of channel ids to use, in this order, before random ones: transcripts need ids known
    /// beforehand. Replaces those not used yet, and returns how many those were.
    pub fn supply_halves(&mut self, halves: &[u16]) -> usize {
        self.v0.as_mut().map_or(0, |v0| v0.supply_halves(halves))
    }

    /// The established channel with a complete id, or the one with an initiator half: ours first.
    ///
    /// # Errors
    ///
    /// `InvalidReference`, `InvalidChannelId` when there is none.
    pub fn channel_by_id(
        &self,
        connection: ConnectionHandle,
        id: ChannelId,
    ) -> Result<ChannelHandle, Error> {
        self.v0.as_ref().ok_or(Error::InvalidReference)?.channel_by_id(connection, id)
    }

    /// Adds a channel without a handshake: established when the id is complete, pending when only
    /// its initiator half is chosen. No event follows.
    ///
    /// # Errors
    ///
    /// `InvalidReference`; `InvalidChannelId` without an initiator half; `State` when it is there
    /// already; `Limit`.
    pub fn adopt_channel(
        &mut self,
        now: Time,
        connection: ConnectionHandle,
        id: ChannelId,
    ) -> Result<ChannelHandle, Error> {
        self.v0.as_mut().ok_or(Error::InvalidReference)?.adopt_channel(now, connection, id)
    }

    /// Makes the pending channel with the initiator half of `id` established. No event follows.
    ///
    /// # Errors
    ///
    /// `InvalidReference`; `InvalidChannelId` when the id is not complete or nothing is pending.
    pub fn complete_channel(
        &mut self,
        connection: ConnectionHandle,
        id: ChannelId,
    ) -> Result<(), Error> {
        self.v0.as_mut().ok_or(Error::InvalidReference)?.complete_channel(connection, id)
    }

    /// A pending channel with a fresh half that no NEW was sent for. No event follows.
    ///
    /// # Errors
    ///
    /// `InvalidReference`, `Limit`.
    pub fn new_pending_channel(
        &mut self,
        now: Time,
        connection: ConnectionHandle,
    ) -> Result<ChannelId, Error> {
        self.v0.as_mut().ok_or(Error::InvalidReference)?.new_pending_channel(now, connection)
    }
}
