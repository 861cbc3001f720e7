//! One request of a client: what is done, and what is answered.

use std::net::{SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use channeler::daemon::{self, Answer, Malformed, Request, WAIT_FOR_EVER};
use channeler::error::Error;
use channeler::id::PeerId;
use channeler::io::{Local, canonical};
use channeler::quic::{LABEL_BYTES_MAX, QuicConnection, TeamId};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};

use super::client::{Kind, Open};
use super::events::{Waiter, Wants};
use super::post::{Asker, Filter, Label, Serial};
use super::timers::Timer;
use super::{ClientId, Fatal, Server};

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handled {
    /// It was answered, or is open.
    Done,
    /// It must wait until a peer's queue has room, and all that is behind it.
    Waits,
}

/// Why a request is refused, for the answer.
pub(super) struct Refused(pub(super) Error, pub(super) String);

type Outcome = Result<Handled, Refused>;

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused(error, error.text().to_owned())
    }
}

impl Server {
    /// Handles a whole frame of a client.
    pub(super) fn handle(&mut self, id: ClientId, frame: &[u8]) -> Result<Handled, Fatal> {
        let (number, request, message) = match daemon::read_request(frame) {
            Ok(read) => read,
            Err(error @ Malformed::UnknownKind { number, .. }) => {
                self.answer_error(id, number, Error::Unsupported, &error.to_string());
                return Ok(Handled::Done);
            }
            Err(error) => {
                self.refuse_frame(id, error);
                return Ok(Handled::Done);
            }
        };
        let asker = Asker { client: id, number };
        let outcome = match self.admit(asker, &request) {
            Err(refused) => Err(refused),
            Ok(()) => self.dispatch(asker, &request, message)?,
        };
        match outcome {
            Ok(handled) => Ok(handled),
            Err(Refused(error, text)) => {
                self.answer_error(id, number, error, &text);
                Ok(Handled::Done)
            }
        }
    }

    /// Ends a request that is open, without an answer; whether there was one.
    pub(super) fn end_request(&mut self, id: ClientId, number: u32) -> bool {
        let open = self.clients.get_mut(&id).and_then(|client| client.open.remove(&number));
        let Some(open) = open else { return false };
        match open.kind {
            Kind::Receive | Kind::Follow => self.post.cancel(open.serial),
            Kind::Watch => {
                self.watches.remove(&open.serial);
            }
            Kind::Connection(connection) => {
                if let Some(waiters) = self.waiters.get_mut(&connection) {
                    waiters.retain(|waiter| waiter.serial != open.serial);
                }
            }
        }
        if let Some(due) = open.due {
            self.timers.cancel(due, Timer::Receive(id, number));
        }
        true
    }

    /// Ends all that a client has open, without answers.
    pub(super) fn end_requests(&mut self, id: ClientId) {
        let numbers = self.clients.get(&id).map(|client| client.open_numbers(|_| true));
        for number in numbers.unwrap_or_default() {
            self.end_request(id, number);
        }
    }

    /// A receive has waited for long enough.
    pub(super) fn give_up_receive(&mut self, id: ClientId, number: u32) {
        if self.end_request(id, number) {
            self.answer(id, number, &Answer::Nothing);
        }
    }

    pub(super) fn answer(&mut self, id: ClientId, number: u32, answer: &Answer<'_>) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.tell(number, answer);
            self.to_write.insert(id);
        }
    }

    pub(super) fn answer_error(&mut self, id: ClientId, number: u32, error: Error, text: &str) {
        let code = error.code().unsigned_abs();
        self.answer(id, number, &Answer::Error { code, text, detail: 0 });
    }

    /// What holds for requests of all kinds.
    fn admit(&self, asker: Asker, request: &Request<'_>) -> Result<(), Refused> {
        let Some(client) = self.clients.get(&asker.client) else { return Ok(()) };
        if client.open.contains_key(&asker.number) {
            let text = format!("request {} is not answered yet", asker.number);
            return Err(Refused(Error::State, text));
        }
        let most = self.config.clients.requests_max;
        let is_free = matches!(request, Request::Status | Request::Cancel { .. });
        if !is_free && client.open.len() >= most {
            let text = format!("{most} requests are not answered yet, which is the limit");
            return Err(Refused(Error::Limit, text));
        }
        if self.ends_at.is_some() && !is_free {
            return Err(Refused(Error::Closed, "the daemon is ending".to_owned()));
        }
        Ok(())
    }

    fn dispatch(
        &mut self,
        asker: Asker,
        request: &Request<'_>,
        message: &[u8],
    ) -> Result<Outcome, Fatal> {
        match *request {
            Request::Send { address, team, label } => {
                self.send(asker, address, Some((TeamId(team), label)), message)
            }
            Request::SendSync { address } => self.send(asker, address, None, message),
            Request::Receive { ref filter, capacity, wait_ms } => {
                let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
                Ok(self.receive(asker, filter, capacity, wait_ms))
            }
            Request::Follow { ref filter } => Ok(self.follow(asker, filter)),
            Request::Watch => {
                let serial = self.open(asker, Kind::Watch, None);
                self.watches.insert(serial, asker);
                self.answer(asker.client, asker.number, &Answer::Done);
                Ok(Ok(Handled::Done))
            }
            Request::Cancel { request } => Ok(self.cancel(asker, request)),
            Request::Status => {
                self.tell_status(asker)?;
                Ok(Ok(Handled::Done))
            }
            Request::Connect { address, peer } => self.connect(asker, address, peer.map(PeerId)),
            Request::Close { address } => self.close(asker, address),
        }
    }

    fn send(
        &mut self,
        asker: Asker,
        address: &str,
        channel: Option<(TeamId, &str)>,
        message: &[u8],
    ) -> Result<Outcome, Fatal> {
        let address = match parse_address(address) {
            Ok(address) => address,
            Err(refused) => return Ok(Err(refused)),
        };
        if let Some((_, label)) = channel
            && label.len() > LABEL_BYTES_MAX
        {
            let text = format!("a label of {} bytes; allowed are 256", label.len());
            return Ok(Err(Refused(Error::InvalidArgument, text)));
        }
        let sent = self.engine.with_quic(|quic, now| {
            match channel {
                Some((team, label)) => quic.send(now, address, team, label, message)?,
                None => quic.send_sync(now, address, message)?,
            }
            let info = quic.info(address).ok_or(Error::Unexpected)?;
            Ok(info)
        })?;
        match sent {
            Ok(info) if info.is_confirmed => {
                self.answer(asker.client, asker.number, &Answer::Done);
            }
            Ok(info) => {
                self.wait_for(asker, info.connection, Wants::Sent);
                if info.is_connected {
                    self.look_soon(info.connection, address);
                }
            }
            Err(Error::WouldBlock) => {
                self.block(asker.client, address);
                return Ok(Ok(Handled::Waits));
            }
            Err(Error::TooLarge) => {
                let most = self.config.quic.message_bytes_max;
                let text = format!("{} bytes; quic.message_bytes_max is {most}", message.len());
                return Ok(Err(Refused(Error::TooLarge, text)));
            }
            Err(error) => return Ok(Err(error.into())),
        }
        Ok(Ok(Handled::Done))
    }

    /// Hears nothing more of a client until the peer's queue has room.
    fn block(&mut self, id: ClientId, address: SocketAddr) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.blocked_on = Some(address);
            self.blocked.entry(address).or_default().push(id);
        }
    }

    fn receive(
        &mut self,
        asker: Asker,
        filter: &daemon::Filter<'_>,
        capacity: usize,
        wait_ms: u32,
    ) -> Outcome {
        let filter = read_filter(filter)?;
        let wait = Duration::from_millis(wait_ms.into());
        let due = (wait_ms != WAIT_FOR_EVER).then(|| Instant::now() + wait);
        let serial = self.open(asker, Kind::Receive, due);
        let mut deliveries = Vec::new();
        let is_there = self.post.receive(serial, asker, filter, capacity, &mut deliveries);
        self.deliver(deliveries);
        if !is_there && wait_ms == 0 {
            self.give_up_receive(asker.client, asker.number);
        }
        Ok(Handled::Done)
    }

    fn follow(&mut self, asker: Asker, filter: &daemon::Filter<'_>) -> Outcome {
        let filter = read_filter(filter)?;
        let serial = self.open(asker, Kind::Follow, None);
        self.answer(asker.client, asker.number, &Answer::Done);
        let mut deliveries = Vec::new();
        self.post.follow(serial, asker, filter, &mut deliveries);
        self.deliver(deliveries);
        Ok(Handled::Done)
    }

    fn cancel(&mut self, asker: Asker, number: u32) -> Outcome {
        if !self.end_request(asker.client, number) {
            let text = format!("no request {number} is open");
            return Err(Refused(Error::InvalidReference, text));
        }
        self.answer(asker.client, asker.number, &Answer::Done);
        Ok(Handled::Done)
    }

    fn connect(
        &mut self,
        asker: Asker,
        address: &str,
        peer: Option<PeerId>,
    ) -> Result<Outcome, Fatal> {
        let address = match parse_address(address) {
            Ok(address) => address,
            Err(refused) => return Ok(Err(refused)),
        };
        let dialled: Result<_, Error> = self.engine.with_quic(|quic, now| {
            let connection = quic.connect(now, address, peer, Local::default())?;
            quic.info(address).filter(|info| info.connection == connection).ok_or(Error::Unexpected)
        })?;
        match dialled {
            Ok(info) => {
                self.wait_for(asker, info.connection, Wants::Connected);
                if info.is_connected {
                    self.look_soon(info.connection, address);
                }
            }
            Err(error) => return Ok(Err(error.into())),
        }
        Ok(Ok(Handled::Done))
    }

    fn close(&mut self, asker: Asker, address: &str) -> Result<Outcome, Fatal> {
        let address = match parse_address(address) {
            Ok(address) => address,
            Err(refused) => return Ok(Err(refused)),
        };
        let closed = self.engine.with_quic(|quic, now| {
            let info = quic.info(address).ok_or(Error::InvalidReference)?;
            quic.close(now, address).map(|()| info.connection)
        })?;
        match closed {
            Ok(connection) => self.wait_for(asker, connection, Wants::Closed),
            Err(Error::InvalidReference) => {
                let text = format!("there is no connection to {address}");
                return Ok(Err(Refused(Error::InvalidReference, text)));
            }
            Err(error) => return Ok(Err(error.into())),
        }
        Ok(Ok(Handled::Done))
    }

    /// Answers a request when its connection is there, or ends.
    fn wait_for(&mut self, asker: Asker, connection: QuicConnection, wants: Wants) {
        let serial = self.open(asker, Kind::Connection(connection), None);
        self.waiters.entry(connection).or_default().push(Waiter { asker, serial, wants });
    }

    /// Notes a request as not answered yet.
    fn open(&mut self, asker: Asker, kind: Kind, due: Option<Instant>) -> Serial {
        let serial = self.serial();
        let Asker { client: id, number } = asker;
        if let Some(client) = self.clients.get_mut(&id) {
            client.open.insert(number, Open { serial, kind, due });
        }
        if let Some(due) = due {
            self.timers.add(due, Timer::Receive(id, number));
        }
        serial
    }
}

/// An address, canonical. What stands behind % may be the name of an interface.
fn parse_address(text: &str) -> Result<SocketAddr, Refused> {
    let wrong = || {
        let text = format!(
            "\"{text}\" is no address; allowed are 192.0.2.1:port and [2001:db8::1%scope]:port"
        );
        Refused(Error::InvalidAddress, text)
    };
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(canonical(address));
    }
    let inside = text.strip_prefix('[').ok_or_else(wrong)?;
    let (inside, port) = inside.rsplit_once("]:").ok_or_else(wrong)?;
    let (ip, interface) = inside.split_once('%').ok_or_else(wrong)?;
    let (ip, port) = (ip.parse().map_err(|_| wrong())?, port.parse().map_err(|_| wrong())?);
    let asking = socket(AddressFamily::INET6, SocketType::DGRAM, None);
    let scope = asking.and_then(|asking| netdevice::name_to_index(&asking, interface));
    let scope = scope.map_err(|_| {
        let text = format!("\"{interface}\" is neither a number nor an interface of this machine");
        Refused(Error::InvalidAddress, text)
    })?;
    Ok(canonical(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope))))
}

fn read_filter(filter: &daemon::Filter<'_>) -> Result<Filter, Refused> {
    let (syncs, address, team, label) = match *filter {
        daemon::Filter::Messages { address, team, label } => (false, address, team, label),
        daemon::Filter::Syncs { address } => (true, address, None, daemon::Label::Any),
    };
    let label = match label {
        daemon::Label::Any => Label::Any,
        daemon::Label::Is(label) => Label::Is(label.to_owned()),
        daemon::Label::StartsWith(start) => Label::StartsWith(start.to_owned()),
    };
    let address = address.map(parse_address).transpose()?;
    Ok(Filter { syncs, address, team: team.map(TeamId), label })
}
