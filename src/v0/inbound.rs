//! From datagrams to connections.

use std::ops::Range;
use std::slice::Chunks;

use super::Endpoint;
use crate::config::{BAD_COOKIES_MAX, NodeConfig};
use crate::id::{Capabilities, ChannelHandle, ChannelId, ConnectionHandle};
use crate::io::{Event, Receive, canonical};
use crate::stats::DropReason;
use crate::time::Time;
use crate::v0::connection::{self, Answers, Inbound};
use crate::wire::message::{Message, MessageError, Messages};
use crate::wire::packet::{Packet, PacketError, ROUTE_SIZE};

/// What the handling of a packet's messages carries from one to the next.
struct Progress {
    /// The sender's connection, once there is one.
    connection: Option<ConnectionHandle>,
    answers: Answers,
    bad_cookies: u32,
}

impl Progress {
    /// `allowance` as for `Answers`.
    fn new(
        connection: Option<ConnectionHandle>,
        allowance: Option<usize>,
        config: &NodeConfig,
    ) -> Progress {
        Progress { connection, answers: Answers::new(allowance, config), bad_cookies: 0 }
    }
}

/// Where a packet of nothing but data went, from an address that is proven.
struct Flow<'a> {
    packet: Inbound<'a>,
    connection: ConnectionHandle,
    channel: ChannelHandle,
}

impl Endpoint {
    /// The datagrams of `run`, a part of one buffer.
    pub(super) fn handle_run(
        &mut self,
        now: Time,
        from: &Receive,
        buffer: &[u8],
        run: Range<usize>,
    ) {
        let run = &buffer[run];
        let mut rest = run.chunks(from.stride.max(1));
        self.shared.stats.datagrams_received += rest.len() as u64;
        self.shared.stats.bytes_received += run.len() as u64;
        while let Some(datagram) = rest.next() {
            match self.handle_one(now, from, datagram, buffer) {
                Ok(Some(flow)) => self.handle_alike(&flow, &mut rest),
                Ok(None) => {}
                Err(reason) => self.shared.count_drop(reason),
            }
        }
    }

    /// Takes packets off the front of `rest` that are from the same peer as `flow`, on the same
    /// channel, up to the first that has more than data. What was found out about the packet before
    /// holds for them: they came with it, and nothing in between changed it.
    fn handle_alike<'a>(&mut self, flow: &Flow<'a>, rest: &mut Chunks<'a, u8>) {
        let Flow { packet: before, connection: handle, channel } = flow;
        let Some(route) = before.datagram.first_chunk::<ROUTE_SIZE>() else { return };
        let Ok(connection) = self.table.get_mut(*handle) else { return };
        let shared = &mut self.shared;
        while let Some(datagram) = rest.clone().next() {
            if !has_route(datagram, route) || shared.events.len() >= shared.config.events_max {
                return;
            }
            let Ok(packet) = Packet::parse(datagram) else { return };
            rest.next();
            connection.count_alike(datagram);
            let mut others = packet.payload;
            while let Ok((Message::Data(bytes), used)) = Message::parse(others) {
                connection.handle_data(shared, before.buffer, *channel, bytes);
                others = &others[used..];
            }
            if !others.is_empty() {
                let inbound = Inbound { packet, datagram, ..*before };
                let progress = Progress::new(Some(*handle), None, &shared.config);
                self.handle_messages(
                    &inbound,
                    progress,
                    Some(Some(*channel)),
                    Messages::new(others),
                );
                return;
            }
        }
    }

    /// Checks whether a datagram is for us, and takes it.
    fn handle_one<'a>(
        &mut self,
        now: Time,
        from: &Receive,
        datagram: &'a [u8],
        buffer: &'a [u8],
    ) -> Result<Option<Flow<'a>>, DropReason> {
        let config = &self.shared.config;
        if self.shared.events.len() >= config.events_max {
            return Err(DropReason::EventQueueFull);
        }
        let address = canonical(from.from);
        if self.bans.has_address(now, address.ip()) {
            return Err(DropReason::Banned);
        }
        let packet = Packet::parse(datagram).map_err(reason_of)?;
        if packet.header.recipient != config.peer_id {
            return Err(DropReason::WrongRecipient);
        }
        if packet.header.sender == config.peer_id {
            return Err(DropReason::WrongSender);
        }
        if self.bans.has_peer(now, packet.header.sender) {
            return Err(DropReason::Banned);
        }
        let local = from.local;
        Ok(self.handle_v0(Inbound { now, from: address, local, datagram, packet, buffer }))
    }

    fn handle_v0<'a>(&mut self, packet: Inbound<'a>) -> Option<Flow<'a>> {
        let inbound = &packet;
        let connection = self.table.by_peer(inbound.peer());
        // The packet's channel, once it was looked up.
        let mut channel = None;
        // What one datagram may cause to be sent before its address is proven.
        let mut allowance = Some(inbound.datagram.len());
        if let Some(Ok(connection)) = connection.map(|handle| self.table.get_mut(handle)) {
            let shared = &mut self.shared;
            connection.count_packet(inbound);
            let touched = connection.touch_channel(shared, inbound);
            channel = Some(touched);
            if connection.path.remote == inbound.from {
                allowance = allowance.filter(|_| !connection.path.is_proven);
            } else if touched.is_some() {
                let probe_size = connection.probe_path(shared, inbound);
                allowance = allowance.map(|bytes| bytes - probe_size);
            }
        }
        let progress = Progress::new(connection, allowance, &self.shared.config);
        let is_known = allowance.is_none();
        let messages = Messages::new(inbound.packet.payload);
        let plain_on = self.handle_messages(inbound, progress, channel, messages);
        let (connection, channel) = (connection?, plain_on?);
        is_known.then_some(Flow { packet, connection, channel })
    }

    /// What `messages` of a packet say. `channel` is the packet's, once it was looked up; it is
    /// returned if they are nothing but data for it.
    fn handle_messages(
        &mut self,
        inbound: &Inbound<'_>,
        mut progress: Progress,
        mut channel: Option<Option<ChannelHandle>>,
        messages: Messages<'_>,
    ) -> Option<ChannelHandle> {
        let mut is_plain = true;
        for message in messages {
            let message = match message {
                Ok(message) => message,
                Err(error) => {
                    self.shared.count_drop(reason_of_message(error));
                    break;
                }
            };
            let Message::Data(bytes) = message else {
                is_plain = false;
                self.handle_handshake(inbound, &mut progress, &message);
                channel = None;
                continue;
            };
            let Some(connection) = progress.connection else {
                self.shared.count_drop(self.misplaced_data(inbound));
                continue;
            };
            let shared = &mut self.shared;
            let Ok(connection) = self.table.get_mut(connection) else { continue };
            // A handshake message before it in the packet may just have opened the channel.
            match *channel.get_or_insert_with(|| connection.touch_channel(shared, inbound)) {
                Some(channel) => connection.handle_data(shared, inbound.buffer, channel, bytes),
                None => self.shared.count_drop(self.misplaced_data(inbound)),
            }
        }
        progress.answers.send(&mut self.shared, inbound, progress.connection);
        channel.flatten().filter(|_| is_plain)
    }

    /// Why data has no channel to go to.
    fn misplaced_data(&self, inbound: &Inbound<'_>) -> DropReason {
        let id = inbound.packet.header.channel;
        if id == ChannelId::DEFAULT {
            DropReason::Misplaced
        } else if !id.is_complete() {
            DropReason::InvalidChannelId
        } else {
            DropReason::UnknownChannel
        }
    }

    fn handle_handshake(
        &mut self,
        inbound: &Inbound<'_>,
        progress: &mut Progress,
        message: &Message<'_>,
    ) {
        match *message {
            Message::ChannelNew { initiator, cookie1 } => {
                self.handle_new(inbound, progress, initiator, cookie1);
            }
            Message::ChannelAcknowledge { id, cookie1, cookie2 } => {
                let Some(connection) = progress.connection else {
                    return self.shared.count_drop(DropReason::UnknownChannel);
                };
                let shared = &mut self.shared;
                let known = self.table.with(connection, |connection| {
                    connection.handle_acknowledge(shared, inbound, id, cookie1, cookie2);
                });
                debug_assert!(known.is_ok(), "the connection was just looked up");
            }
            Message::ChannelFinalize { id, cookie2, capabilities } => {
                self.handle_proof(inbound, progress, id, cookie2, capabilities);
            }
            Message::ChannelCookie { .. } if self.shared.is_reference() => {
                self.shared.count_drop(DropReason::Misplaced);
            }
            Message::ChannelCookie { cookie, capabilities } => {
                let id = inbound.packet.header.channel;
                self.handle_proof(inbound, progress, id, cookie, capabilities);
            }
            Message::Data(_) => debug_assert!(false, "data is no handshake message"),
        }
    }

    fn handle_new(
        &mut self,
        inbound: &Inbound<'_>,
        progress: &mut Progress,
        half: u16,
        cookie1: u32,
    ) {
        let shared = &mut self.shared;
        if let Some(connection) = progress.connection {
            let answers = &mut progress.answers;
            let known = self.table.with(connection, |connection| {
                connection.handle_new(shared, inbound, answers, half, cookie1);
            });
            debug_assert!(known.is_ok(), "the connection was just looked up");
            return;
        }
        let was_refused = self.bans.has_refused(inbound.now, inbound.peer(), inbound.from.ip());
        if !shared.config.accept_incoming || was_refused {
            return shared.count_drop(DropReason::Refused);
        }
        if half == ChannelId::NO_HALF {
            return shared.count_drop(DropReason::InvalidChannelId);
        }
        let id = ChannelId { initiator: half, responder: shared.random_half() };
        connection::answer_new(shared, inbound, &mut progress.answers, id, cookie1);
    }

    /// FINALIZE or COOKIE: the only messages that bring connections and channels into being.
    fn handle_proof(
        &mut self,
        inbound: &Inbound<'_>,
        progress: &mut Progress,
        id: ChannelId,
        cookie: u32,
        capabilities: Capabilities,
    ) {
        if !id.is_complete() {
            return self.shared.count_drop(DropReason::InvalidChannelId);
        }
        let is_heard = progress.bad_cookies < BAD_COOKIES_MAX;
        if !is_heard || !connection::is_cookie_good(&self.shared, inbound, id, cookie) {
            progress.bad_cookies += 1;
            return self.shared.count_drop(DropReason::BadCookie);
        }
        let connection = match progress.connection {
            Some(connection) => connection,
            None => match self.admit(inbound) {
                Ok(connection) => connection,
                Err(reason) => return self.shared.count_drop(reason),
            },
        };
        progress.connection = Some(connection);
        let shared = &mut self.shared;
        let known = self.table.with(connection, |connection| {
            connection.handle_proof(shared, inbound, id, capabilities);
        });
        debug_assert!(known.is_ok(), "the connection was just looked up or made");
    }

    fn admit(&mut self, inbound: &Inbound<'_>) -> Result<ConnectionHandle, DropReason> {
        let was_refused = self.bans.has_refused(inbound.now, inbound.peer(), inbound.from.ip());
        if !self.shared.config.accept_incoming || was_refused {
            return Err(DropReason::Refused);
        }
        let (peer, address) = (inbound.peer(), inbound.from);
        let shared = &mut self.shared;
        let connection = self.table.admit(shared, inbound.now, peer, address, inbound.local)?;
        let event = if shared.config.ask_before_accept {
            Event::ConnectionRequest { connection, peer, address }
        } else {
            Event::Connected { connection, peer }
        };
        shared.events.push_back(event);
        Ok(connection)
    }
}

/// Whether `datagram` begins with `route`. In two halves, which the compiler compares in registers.
#[inline]
fn has_route(datagram: &[u8], route: &[u8; ROUTE_SIZE]) -> bool {
    const HALF: usize = ROUTE_SIZE / 2;
    let Some(start) = datagram.first_chunk::<ROUTE_SIZE>() else { return false };
    start[..HALF] == route[..HALF] && start[HALF..] == route[HALF..]
}

fn reason_of_message(error: MessageError) -> DropReason {
    match error {
        MessageError::Unknown => DropReason::UnknownMessage,
        MessageError::Malformed => DropReason::MalformedMessage,
    }
}

fn reason_of(error: PacketError) -> DropReason {
    match error {
        PacketError::TooShort | PacketError::BadSize => DropReason::MalformedPacket,
        PacketError::UnknownProtocol => DropReason::UnknownProtocol,
        PacketError::BadChecksum => DropReason::BadChecksum,
        PacketError::Encrypted => DropReason::Encrypted,
    }
}
