//! What programs written against the reference ask of a node in its profile: channels by their id
//! on the wire, and a secret of their own.

use super::Endpoint;
use crate::config::NodeConfig;
use crate::error::Error;
use crate::id::{ChannelHandle, ChannelId, ConnectionHandle};
use crate::time::Time;
use crate::v0::channel::Cookies;
use std::time::Duration;

impl Endpoint {
    /// Sets the secret that cookies are made with from now on.
    ///
    /// # Errors
    ///
    /// `State` unless the profile is `Reference`.
    pub(crate) fn set_secret(&mut self, secret: &[u8]) -> Result<(), Error> {
        match &mut self.shared.cookies {
            Cookies::Reference(reference) => {
                reference.secret.clear();
                reference.secret.extend_from_slice(secret);
                Ok(())
            }
            Cookies::Keyed(_) => Err(Error::State),
        }
    }

    /// Halves of channel ids to use, in this order, before random ones: transcripts need ids known
    /// beforehand. Replaces those not used yet, and returns how many those were.
    pub(crate) fn supply_halves(&mut self, halves: &[u16]) -> usize {
        let unused = self.shared.halves.len();
        self.shared.halves.clear();
        self.shared.halves.extend(halves);
        unused
    }

    /// The established channel with a complete id, or the one with an initiator half: ours first.
    ///
    /// # Errors
    ///
    /// `InvalidReference`, `InvalidChannelId` when there is none.
    pub(crate) fn channel_by_id(
        &self,
        connection: ConnectionHandle,
        id: ChannelId,
    ) -> Result<ChannelHandle, Error> {
        self.table.get(connection)?.channel_by_id(id).ok_or(Error::InvalidChannelId)
    }

    /// Adds a channel without a handshake: established when the id is complete, pending when only
    /// its initiator half is chosen. No event follows.
    ///
    /// # Errors
    ///
    /// `InvalidReference`; `InvalidChannelId` without an initiator half; `State` when it is there
    /// already; `Limit`.
    pub(crate) fn adopt_channel(
        &mut self,
        now: Time,
        connection: ConnectionHandle,
        id: ChannelId,
    ) -> Result<ChannelHandle, Error> {
        let shared = &mut self.shared;
        self.table.with(connection, |connection| connection.adopt_channel(shared, now, id))?
    }

    /// Makes the pending channel with the initiator half of `id` established. No event follows.
    ///
    /// # Errors
    ///
    /// `InvalidReference`; `InvalidChannelId` when the id is not complete or nothing is pending.
    pub(crate) fn complete_channel(
        &mut self,
        connection: ConnectionHandle,
        id: ChannelId,
    ) -> Result<(), Error> {
        let shared = &mut self.shared;
        self.table.get_mut(connection)?.complete_channel(shared, id)
    }

    /// A pending channel with a fresh half that no NEW was sent for. No event follows.
    ///
    /// # Errors
    ///
    /// `InvalidReference`, `Limit`.
    pub(crate) fn new_pending_channel(
        &mut self,
        now: Time,
        connection: ConnectionHandle,
    ) -> Result<ChannelId, Error> {
        let shared = &mut self.shared;
        self.table.with(connection, |connection| connection.new_pending_channel(shared, now))?
    }
}

/// The settings that the reference profile has no choice about.
pub(super) fn constrain(config: &mut NodeConfig) {
    config.padding = true;
    config.segments_max = 1;
    config.bundle_delay = Duration::ZERO;
    config.idle_timeout = Duration::ZERO;
    config.keep_alive = Duration::ZERO;
    config.accept_incoming = false;
    config.lend_messages = false;
}
