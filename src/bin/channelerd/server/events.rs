//! What the engine tells: answers for those who wait, news for those who watch, lines for the log.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use channeler::daemon::{Answer, Event};
use channeler::error::Error;
use channeler::id::PeerId;
use channeler::quic::{QuicConnection, QuicEvent};

use super::post::{Asker, Serial};
use super::timers::{CONFIRM_FIRST, CONFIRM_MAX, Timer};
use super::{Fatal, Server};
use crate::log;

/// A request that is answered when its connection is there, or ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiter {
    pub(super) asker: Asker,
    /// Its number may be in use again: this one is not.
    pub(super) serial: Serial,
    pub(super) wants: Wants,
}

/// What it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// That what it sent is in the queue of a peer that proved who it is.
    Sent,
    Connected,
    Closed,
}

/// How a connection ended.
struct End<'a> {
    address: SocketAddr,
    peer: Option<PeerId>,
    reason: Error,
    said: &'a str,
    undelivered: u64,
    cut: u64,
}

impl Server {
    /// Looks at all that the engine told.
    pub(super) fn take_events(&mut self) -> Result<(), Fatal> {
        while let Some(event) = self.bell.next() {
            self.take_event(&event)?;
        }
        Ok(())
    }

    fn take_event(&mut self, event: &QuicEvent) -> Result<(), Fatal> {
        match event {
            QuicEvent::ConnectionRequest { connection, address, peer, .. } => {
                log::info(format_args!("{address}: {peer} is not known, and believed"));
                let connection = *connection;
                // It may be gone already.
                let _gone = self.engine.with_quic(|quic, now| quic.accept(now, connection))?;
            }
            QuicEvent::Connected { connection, address, peer, by_peer } => {
                self.note_connected(*connection, *address, *peer, *by_peer);
            }
            QuicEvent::ConnectionClosed {
                connection,
                address,
                peer,
                reason,
                said,
                undelivered,
                cut,
            } => {
                let said = said.as_ref().map_or("", |said| &said.text);
                let (address, reason) = (*address, *reason);
                let (undelivered, cut) = (*undelivered, *cut);
                let end = End { address, peer: *peer, reason, said, undelivered, cut };
                self.note_closed(*connection, &end);
            }
            QuicEvent::Readable | QuicEvent::SyncReadable => {}
            QuicEvent::Writable { address } => self.unblock(*address),
            QuicEvent::FrameRefused { address, error, .. } => {
                log::info(format_args!("{address}: sent what is no message: {error}"));
                let (address, text) = (address.to_string(), error.to_string());
                self.tell_watches(&Event::FrameRefused { address: &address, text: &text });
            }
            QuicEvent::MessagesLost { address, count, code, .. } => {
                log::warning(format_args!("{address}: would not have {count} messages ({code})"));
                let (count, code) = (*count, *code);
                let address = address.to_string();
                self.tell_watches(&Event::Lost { address: &address, count, code });
            }
            QuicEvent::AddressChanged { from, to, .. } => {
                log::info(format_args!("{from}: is at {to} now"));
                self.unblock(*from);
                let (from, to) = (from.to_string(), to.to_string());
                self.tell_watches(&Event::Moved { from: &from, to: &to });
            }
        }
        Ok(())
    }

    fn note_connected(
        &mut self,
        connection: QuicConnection,
        address: SocketAddr,
        peer: PeerId,
        by_peer: bool,
    ) {
        log::info(format_args!("{address}: connected, {peer}"));
        self.look_soon(connection, address);
        let address = address.to_string();
        self.tell_watches(&Event::Connected { address: &address, peer: peer.0, by_peer });
    }

    /// Begins to look whether a peer has let us in, if that matters to anybody.
    pub(super) fn look_soon(&mut self, connection: QuicConnection, address: SocketAddr) {
        if self.waiters.contains_key(&connection) && self.looked_at.insert(connection) {
            self.timers.add(Instant::now(), Timer::Confirm(connection, address, CONFIRM_FIRST));
        }
    }

    /// Answers those who wait for a connection once the peer has let us in, too; nothing tells of
    /// that, so it is looked at again and again, for a round trip.
    pub(super) fn look_at_peer(
        &mut self,
        connection: QuicConnection,
        address: SocketAddr,
        after: Duration,
    ) -> Result<(), Fatal> {
        self.looked_at.remove(&connection);
        let Some(waiters) = self.waiters.get_mut(&connection) else { return Ok(()) };
        let info = self.engine.with_quic(|quic, _| quic.info(address))?;
        let info = info.filter(|info| info.connection == connection && info.is_confirmed);
        let Some(PeerId(peer)) = info.and_then(|info| info.peer) else {
            self.looked_at.insert(connection);
            let timer = Timer::Confirm(connection, address, CONFIRM_MAX.min(2 * after));
            self.timers.add(Instant::now() + after, timer);
            return Ok(());
        };
        let (wait_on, there): (Vec<Waiter>, Vec<Waiter>) =
            std::mem::take(waiters).into_iter().partition(|waiter| waiter.wants == Wants::Closed);
        *waiters = wait_on;
        for waiter in there {
            let answer = match waiter.wants {
                Wants::Connected => Answer::Connected { peer },
                Wants::Sent | Wants::Closed => Answer::Done,
            };
            self.answer_waiter(waiter, &answer);
        }
        Ok(())
    }

    fn note_closed(&mut self, connection: QuicConnection, end: &End<'_>) {
        let text = self.why(end);
        let (reason, undelivered, cut) = (end.reason, end.undelivered, end.cut);
        let line = format_args!("{}: closed: {text}", end.address);
        match (undelivered, cut) {
            (0, 0) => log::info(line),
            _ => log::warning(format_args!(
                "{line}; {undelivered} messages may not have arrived, {cut} broke off"
            )),
        }
        let code = reason.code().unsigned_abs();
        let error = Answer::Error { code, text: &text, detail: 0 };
        for waiter in self.waiters.remove(&connection).unwrap_or_default() {
            match waiter.wants {
                Wants::Closed => self.answer_waiter(waiter, &Answer::Closed { undelivered }),
                Wants::Sent if undelivered == 0 && end.peer.is_some() => {
                    self.answer_waiter(waiter, &Answer::Done);
                }
                Wants::Sent | Wants::Connected => self.answer_waiter(waiter, &error),
            }
        }
        self.unblock(end.address);
        let address = end.address.to_string();
        let peer = end.peer.map(|peer| peer.0);
        self.tell_watches(&Event::Closed {
            address: &address,
            peer,
            code,
            text: &text,
            undelivered,
            cut,
        });
    }

    /// Why a connection ended, for people. A refusal reads the same from both sides.
    fn why(&self, end: &End<'_>) -> String {
        let is_known = |peer: &PeerId| self.config.peers.contains(peer);
        let has_list = self.config.certificates.is_none() && !self.config.accept_any;
        let peer = end.peer.filter(|peer| has_list && !is_known(peer));
        match (end.reason, peer, end.said) {
            (Error::Refused, Some(peer), _) => {
                format!("the peer there is {peer}, which is not one of our `peers`")
            }
            (Error::Refused, None, said) => format!("the peer refused us: {said}"),
            (Error::PeerClosed, _, said) => format!("the peer closed it: {said}"),
            (Error::Closed, _, _) => "it was closed here".to_owned(),
            (reason, _, "") => reason.text().to_owned(),
            (reason, _, said) => format!("{}: {said}", reason.text()),
        }
    }

    /// Answers a request that waited, if the client is there and has not cancelled it.
    fn answer_waiter(&mut self, waiter: Waiter, answer: &Answer<'_>) {
        let Asker { client, number } = waiter.asker;
        let open = self.clients.get(&client).and_then(|client| client.open.get(&number));
        if open.is_some_and(|open| open.serial == waiter.serial) {
            self.end_request(client, number);
            self.answer(client, number, answer);
        }
    }

    /// Hears those again whose next request waited for this peer.
    pub(super) fn unblock(&mut self, address: SocketAddr) {
        for id in self.blocked.remove(&address).unwrap_or_default() {
            if let Some(client) = self.clients.get_mut(&id) {
                client.blocked_on = None;
                self.to_hear.insert(id);
            }
        }
    }
}
