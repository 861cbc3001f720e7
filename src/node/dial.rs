//! Connections that we begin: attempts, one after the other, until one is there or time is over.
// spec: 7.15 failures and attempts

use super::endpoint::Endpoint;
use super::table::{Beginning, Dialling};
use crate::config::ATTEMPTS_MAX;
use crate::connection::Connection;
use crate::error::Error;
use crate::id::ConnectionHandle;
use crate::info::Dial;
use crate::io::canonical;
use crate::time::Time;

impl Endpoint {
    /// The connection with a peer: the one there is, or a new one.
    pub(super) fn connect(&mut self, now: Time, dial: &Dial) -> Result<ConnectionHandle, Error> {
        let address = canonical(dial.address);
        if dial.peer == Some(self.peer_id()) {
            return Err(Error::InvalidArgument);
        }
        if address.port() == 0 || address.ip().is_unspecified() {
            return Err(Error::InvalidAddress);
        }
        let is_banned = dial.peer.is_some_and(|peer| self.bans.has_peer(now, peer));
        if is_banned || self.bans.has_address(now, address.ip()) {
            return Err(Error::Banned);
        }
        if let Some(handle) = dial.peer.and_then(|peer| self.table.by_peer(peer)) {
            // A second one would supersede the first, and what it still has to say.
            let is_closing = self.table.live(handle)?.connection.is_closing();
            return if is_closing { Err(Error::State) } else { Ok(handle) };
        }
        if self.is_full() {
            return Err(Error::Limit);
        }
        let until = now + self.shared.config.dial_timeout;
        let dialling = Dialling { peer: dial.peer, until, attempts: 1, code: None };
        let beginning = Beginning { dial: Some(dialling), ..Beginning::default() };
        let shared = &mut self.shared;
        let handle = self.table.insert(beginning, |handle| {
            Connection::dial(shared, now, handle, dial.peer, address, dial.local)
        })?;
        if let Some(peer) = dial.peer {
            self.table.list_peer(handle, peer);
        }
        self.list_attempt(handle);
        self.settle(now, handle);
        Ok(handle)
    }

    /// An attempt failed: the next one begins, or the dial is over.
    pub(super) fn handle_attempt_failed(
        &mut self,
        now: Time,
        handle: ConnectionHandle,
        reason: Error,
        code: Option<u64>,
        may_retry: bool,
    ) {
        self.finish_attempt(now, handle);
        let Some(member) = self.table.get_mut(handle) else { return };
        let dial = member.beginning.as_mut().and_then(|beginning| beginning.dial.as_mut());
        let Some(dial) = dial else {
            return member.connection.fail(&mut self.shared, reason, code);
        };
        dial.code = code.or(dial.code);
        if may_retry && dial.attempts < ATTEMPTS_MAX && now < dial.until {
            dial.attempts += 1;
            if member.connection.redial(&mut self.shared, now).is_ok() {
                return self.list_attempt(handle);
            }
        }
        let code = dial.code;
        member.connection.fail(&mut self.shared, reason, code);
    }

    /// Ends a dial whose time is over.
    pub(super) fn handle_dial_timeout(&mut self, now: Time, handle: ConnectionHandle) {
        let Ok(member) = self.table.live_mut(handle) else { return };
        let dial = member.beginning.as_ref().and_then(|beginning| beginning.dial);
        if let Some(dial) = dial.filter(|dial| dial.until <= now) {
            member.connection.fail(&mut self.shared, Error::Timeout, dial.code);
        }
    }
}
