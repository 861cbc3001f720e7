//! Whether a peer that showed its key is served.
// spec: 3.4 identity checks

use super::endpoint::Endpoint;
use super::table::Answer;
use crate::crypto::PublicKey;
use crate::error::Error;
use crate::id::{ConnectionHandle, Side};
use crate::io::Event;
use crate::stats::DropReason;
use crate::time::Time;
use crate::wire::codes::ConnectionCode;

impl Endpoint {
    /// A peer showed its key, or, for early data, used a ticket of its. That the key has the form
    /// of 3.1 is what `PublicKey` is.
    pub(super) fn identify(
        &mut self,
        now: Time,
        handle: ConnectionHandle,
        key: &PublicKey,
        is_early: bool,
    ) {
        match self.check_identity(now, handle, key) {
            Ok(()) => self.ask_application(now, handle, key),
            Err(code) => {
                if !is_early {
                    self.shared.count_drop(DropReason::Refused);
                }
                self.refuse_identity(now, handle, code);
            }
        }
    }

    /// Steps 2 to 4, and the limits that hold for peers that began.
    fn check_identity(
        &mut self,
        now: Time,
        handle: ConnectionHandle,
        key: &PublicKey,
    ) -> Result<(), ConnectionCode> {
        let peer = key.peer_id();
        let Some(member) = self.table.get(handle) else { return Err(ConnectionCode::Internal) };
        let dial = member.beginning.as_ref().and_then(|beginning| beginning.dial);
        let asked = dial.and_then(|dial| dial.peer);
        let (is_stranger, ip) = (member.is_stranger(), member.connection.remote().ip());
        if peer == self.peer_id() || asked.is_some_and(|asked| asked != peer) {
            return Err(ConnectionCode::Identity);
        }
        if self.bans.has_peer(now, peer) || self.bans.has_address(now, ip) {
            return Err(ConnectionCode::Refused);
        }
        // One that was accepted for its early data has its place already.
        // spec: 16.1 table
        if is_stranger && (self.is_full() || self.is_full_from(ip)) {
            return Err(ConnectionCode::Refused);
        }
        Ok(())
    }

    /// Step 5. The application is asked once, also when early data asks before the end does.
    fn ask_application(&mut self, now: Time, handle: ConnectionHandle, key: &PublicKey) {
        let must_ask = self.shared.config.ask_before_accept;
        let Some(member) = self.table.get_mut(handle) else { return };
        let dial = member.beginning.as_ref().and_then(|beginning| beginning.dial);
        // Who named the peer that it dialled has said yes.
        let is_expected = dial.is_some_and(|dial| dial.peer.is_some());
        if !must_ask || is_expected {
            return self.accept_identity(now, handle);
        }
        let address = member.connection.remote();
        let Some(beginning) = &mut member.beginning else { return };
        match &mut beginning.asked {
            Some((asked, Answer::Yes)) if asked == key => self.accept_identity(now, handle),
            Some((asked, Answer::Waits(count))) if asked == key => *count += 1,
            Some((asked, Answer::No)) if asked == key => {
                self.refuse_identity(now, handle, ConnectionCode::Refused);
            }
            Some(_) => self.refuse_identity(now, handle, ConnectionCode::Identity),
            none => {
                *none = Some((*key, Answer::Waits(1)));
                let peer = key.peer_id();
                let request = Event::ConnectionRequest { connection: handle, peer, address };
                self.shared.events.push_back(request);
            }
        }
    }

    /// The application says yes.
    pub(super) fn accept(&mut self, now: Time, handle: ConnectionHandle) -> Result<(), Error> {
        let waiting = self.take_question(handle, Answer::Yes)?;
        if let Some(member) = self.table.get_mut(handle) {
            member.connection.is_accepted = true;
        }
        for _ in 0..waiting {
            self.accept_identity(now, handle);
            self.settle(now, handle);
        }
        Ok(())
    }

    /// The application says no.
    pub(super) fn refuse(&mut self, now: Time, handle: ConnectionHandle) -> Result<(), Error> {
        let waiting = self.take_question(handle, Answer::No)?;
        self.shared.count_drop(DropReason::Refused);
        for _ in 0..waiting {
            self.refuse_identity(now, handle, ConnectionCode::Refused);
            self.settle(now, handle);
        }
        Ok(())
    }

    /// How many questions of the handshake wait for the application's answer.
    fn take_question(&mut self, handle: ConnectionHandle, answer: Answer) -> Result<u8, Error> {
        let member = self.table.live_mut(handle)?;
        let beginning = member.beginning.as_mut().ok_or(Error::State)?;
        let (_, asked) = beginning.asked.as_mut().ok_or(Error::State)?;
        match std::mem::replace(asked, answer) {
            Answer::Waits(count) => Ok(count),
            given @ (Answer::Yes | Answer::No) => {
                *asked = given;
                Err(Error::State)
            }
        }
    }

    fn accept_identity(&mut self, now: Time, handle: ConnectionHandle) {
        let Some(member) = self.table.get_mut(handle) else { return };
        let (side, ip) = (member.connection.side, member.connection.remote().ip());
        if side == Side::Responder {
            self.table.count_accepted(handle, ip);
        }
        let Some(member) = self.table.get_mut(handle) else { return };
        // Without a handshake there is nothing to accept any more: a close came first.
        let _ended = member.connection.accept(&mut self.shared, now);
    }

    fn refuse_identity(&mut self, now: Time, handle: ConnectionHandle, code: ConnectionCode) {
        if let Some(member) = self.table.get_mut(handle) {
            member.connection.refuse(&mut self.shared, now, code);
        }
    }
}
