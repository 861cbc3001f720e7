//! Channel negotiation: both sides of NEW, ACKNOWLEDGE, FINALIZE and COOKIE.

use super::inbound::Inbound;
use super::output::{Destination, Loose, Source};
use super::shared::Shared;
use super::{Connection, State};
use crate::config::{ChannelConfig, NodeConfig};
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, ChannelId, ConnectionHandle, PeerId, Role};
use crate::io::{Event, Local};
use crate::stats::DropReason;
use crate::time::Time;
use crate::v0::channel::{Batch, Bound, Content, Framing, Handshake, Pending};
use crate::v0::path::Probe;
use crate::wire::message::Message;
use crate::wire::packet::{ENVELOPE_SIZE, Header};

/// Bytes of an ACKNOWLEDGE: the answer that each NEW leaves room for.
pub(crate) const ANSWER_SIZE: usize = 13;

/// ACKNOWLEDGEs to one datagram: one packet, no larger than the datagram unless the address is
/// proven.
#[derive(Debug)]
pub(crate) struct Answers {
    size_max: usize,
    batch: Option<Batch>,
}

impl Answers {
    /// At most `allowance` bytes in all; none when the address is proven.
    pub(crate) fn new(allowance: Option<usize>, config: &NodeConfig) -> Answers {
        let size_max = allowance.map_or(config.packet_size, |most| most.min(config.packet_size));
        Answers { size_max, batch: None }
    }

    /// Whether there is room for one more; else that is counted.
    fn check_room(&self, shared: &mut Shared) -> bool {
        if shared.is_reference() {
            // Each answer has a packet of its own, no larger than a question's.
            let has_room = shared.output.loose.len() < shared.config.replies_max;
            if !has_room {
                shared.count_drop(DropReason::ReplyQueueFull);
            }
            return has_room;
        }
        let room = self.size_max.saturating_sub(ENVELOPE_SIZE);
        let has_room = match &self.batch {
            Some(batch) => batch.takes_answer(ANSWER_SIZE, self.size_max),
            None => room >= ANSWER_SIZE && shared.output.loose.len() < shared.config.replies_max,
        };
        if !has_room {
            shared.count_drop(if room < ANSWER_SIZE || self.batch.is_some() {
                DropReason::Amplification
            } else {
                DropReason::ReplyQueueFull
            });
        }
        has_room
    }

    /// Adds an answer; the caller knows that there is room.
    fn push(&mut self, shared: &mut Shared, inbound: &Inbound<'_>, answer: &Message<'_>) {
        if shared.is_reference() {
            return answer_alone(shared, inbound, answer);
        }
        let framing = stranger_framing(&shared.config, inbound.peer());
        let batch = self.batch.get_or_insert_with(|| {
            let mut batch = Batch::new(&mut shared.output.pool);
            batch.begin(&framing);
            batch
        });
        batch.append(answer);
    }

    /// Sends what there is back to where the datagram came from.
    pub(crate) fn send(
        self,
        shared: &mut Shared,
        inbound: &Inbound<'_>,
        connection: Option<ConnectionHandle>,
    ) {
        let Some(mut batch) = self.batch else { return };
        let framing = Framing {
            packet_size: self.size_max,
            ..stranger_framing(&shared.config, inbound.peer())
        };
        batch.seal_sole(&framing, &mut shared.output.pool);
        let (to, local) = (inbound.from, inbound.local);
        let bytes = batch.len();
        shared.output.push_loose(Loose { to, local, connection, batch, bytes });
    }
}

/// The reference answers each NEW with a packet, on the channel that the NEW came on.
fn answer_alone(shared: &mut Shared, inbound: &Inbound<'_>, answer: &Message<'_>) {
    let mut framing = stranger_framing(&shared.config, inbound.peer());
    framing.header.channel = inbound.packet.header.channel;
    let content = Content { lead: None, message: Some(*answer), answer: 0 };
    let destination = Destination { to: inbound.from, local: inbound.local, connection: None };
    shared.send_announced(&framing, &content, &destination);
}

/// Framing of handshake packets: the default channel, at the configured size.
pub(crate) fn stranger_framing(config: &NodeConfig, recipient: PeerId) -> Framing {
    Framing {
        header: Header {
            sender: config.peer_id,
            recipient,
            channel: ChannelId::DEFAULT,
            flags: 0,
            sequence: 0,
        },
        packet_size: config.packet_size,
        padding: config.padding,
        segments_max: config.segments_max,
    }
}

/// Answers a NEW without keeping anything.
pub(crate) fn answer_new(
    shared: &mut Shared,
    inbound: &Inbound<'_>,
    answers: &mut Answers,
    id: ChannelId,
    cookie1: u32,
) {
    // First, for the cookie costs more than all else that a NEW makes us do.
    if !answers.check_room(shared) {
        return;
    }
    let bound = responder_bound(shared, inbound);
    let cookie2 = shared.cookies.make_responder(&bound, id);
    let answer = Message::ChannelAcknowledge { id, cookie1, cookie2 };
    answers.push(shared, inbound, &answer);
}

/// What a cookie 2 that we make for the sender of a packet covers.
fn responder_bound(shared: &Shared, inbound: &Inbound<'_>) -> Bound {
    Bound { initiator: inbound.peer(), responder: shared.config.peer_id, address: inbound.from }
}

/// Whether a packet carries a cookie 2 of ours for `id` and for the address it came from.
pub(crate) fn is_cookie_good(
    shared: &Shared,
    inbound: &Inbound<'_>,
    id: ChannelId,
    cookie: u32,
) -> bool {
    shared.cookies.check_responder(&responder_bound(shared, inbound), id, cookie)
}

impl Connection {
    /// Starts opening a channel.
    pub(crate) fn open_channel(
        &mut self,
        shared: &mut Shared,
        now: Time,
        config: &ChannelConfig,
    ) -> Result<ChannelHandle, Error> {
        if self.state == State::Asked {
            return Err(Error::State);
        }
        let id = self.new_pending_channel(shared, now)?;
        let handle = self.channel_by_id(id).ok_or(Error::Unexpected)?;
        let channel = shared.channel_mut(handle)?;
        channel.capabilities = config.capabilities;
        if let Handshake::Pending(Pending { cookie, .. }) = channel.handshake {
            self.send_new(shared, now, id.initiator, cookie);
        }
        shared.arm(handle, self.last_heard);
        Ok(handle)
    }

    /// The established channel with a complete id, or the one with an initiator half: ours first.
    pub(crate) fn channel_by_id(&self, id: ChannelId) -> Option<ChannelHandle> {
        if id.is_complete() {
            return self.registry.find(id);
        }
        if id.responder != ChannelId::NO_HALF {
            return None;
        }
        let ours = self.registry.by_half(Role::Initiator, id.initiator);
        ours.or_else(|| self.registry.by_half(Role::Responder, id.initiator))
    }

    /// Adds a channel without a handshake.
    pub(crate) fn adopt_channel(
        &mut self,
        shared: &mut Shared,
        now: Time,
        id: ChannelId,
    ) -> Result<ChannelHandle, Error> {
        if id.initiator == ChannelId::NO_HALF {
            return Err(Error::InvalidChannelId);
        }
        if self.registry.by_half(Role::Initiator, id.initiator).is_some() {
            return Err(Error::State);
        }
        let handle = self.add_channel(shared, now, Role::Initiator, id)?;
        if !id.is_complete() {
            let cookie = self.make_cookie1(shared, id.initiator, self.path.remote);
            let retry = shared.retry(now, 0, cookie);
            shared.channel_mut(handle)?.handshake =
                Handshake::Pending(Pending { cookie, retry, early: None });
        }
        Ok(handle)
    }

    /// Makes a pending channel established, without a handshake.
    pub(crate) fn complete_channel(
        &mut self,
        shared: &mut Shared,
        id: ChannelId,
    ) -> Result<(), Error> {
        let pending = self.registry.by_half(Role::Initiator, id.initiator);
        let handle = pending.filter(|_| id.is_complete()).ok_or(Error::InvalidChannelId)?;
        let channel = shared.channel_mut(handle)?;
        if channel.is_established() {
            return Err(Error::InvalidChannelId);
        }
        channel.id = id;
        channel.handshake = Handshake::Done;
        self.registry.complete(id);
        Ok(())
    }

    /// Adds a pending channel with a fresh half.
    pub(crate) fn new_pending_channel(
        &mut self,
        shared: &mut Shared,
        now: Time,
    ) -> Result<ChannelId, Error> {
        let half = self.fresh_half(shared)?;
        let id = ChannelId { initiator: half, responder: ChannelId::NO_HALF };
        self.adopt_channel(shared, now, id).map(|_| id)
    }

    /// A half that no channel or probe of ours uses.
    fn fresh_half(&self, shared: &mut Shared) -> Result<u16, Error> {
        let start = shared.random_half();
        let taken = [self.path.probe.map(|probe| probe.half), self.ping_half];
        (0..=u16::MAX)
            .map(|step| start.wrapping_add(step))
            .find(|half| {
                *half != ChannelId::NO_HALF
                    && !taken.contains(&Some(*half))
                    && self.registry.by_half(Role::Initiator, *half).is_none()
            })
            .ok_or(Error::Limit)
    }

    fn make_cookie1(&self, shared: &Shared, half: u16, address: std::net::SocketAddr) -> u32 {
        let bound = Bound { initiator: shared.config.peer_id, responder: self.peer, address };
        shared.cookies.make_initiator(&bound, half)
    }

    /// A NEW whose answer says no more than that the peer is there.
    pub(super) fn ping_message(&mut self, shared: &mut Shared) -> Option<Message<'static>> {
        if self.ping_half.is_none() {
            self.ping_half = self.fresh_half(shared).ok();
        }
        let half = self.ping_half?;
        let cookie1 = self.make_cookie1(shared, half, self.path.remote);
        Some(Message::ChannelNew { initiator: half, cookie1 })
    }

    fn send_new(&mut self, shared: &mut Shared, now: Time, half: u16, cookie1: u32) {
        let message = Message::ChannelNew { initiator: half, cookie1 };
        self.send_control(shared, now, &message, ANSWER_SIZE);
    }

    /// Repeats NEW, or gives up.
    pub(super) fn retry_new(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        let Ok(channel) = shared.channel(handle) else { return };
        let Handshake::Pending(pending) = &channel.handshake else { return };
        let (half, cookie, count) = (channel.id.initiator, pending.cookie, pending.retry.count);
        if count >= shared.config.handshake_retries {
            self.end_channel(shared, now, handle, Error::Timeout);
            return;
        }
        let retry = shared.retry(now, count + 1, cookie);
        if let Ok(channel) = shared.channel_mut(handle)
            && let Handshake::Pending(pending) = &mut channel.handshake
        {
            pending.retry = retry;
        }
        self.send_new(shared, now, half, cookie);
    }

    /// NEW from this peer.
    pub(crate) fn handle_new(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound<'_>,
        answers: &mut Answers,
        half: u16,
        cookie1: u32,
    ) {
        if half == ChannelId::NO_HALF {
            return shared.count_drop(DropReason::InvalidChannelId);
        }
        if let Some(ours) = self.registry.by_half(Role::Initiator, half)
            && shared.channel(ours).is_ok_and(|channel| !channel.is_established())
        {
            shared.count_drop(DropReason::SimultaneousOpen);
            if shared.is_reference() {
                return self.forget_channel(shared, inbound.now, ours);
            }
            return self.rename_pending(shared, inbound.now, ours);
        }
        let known = self.registry.by_half(Role::Responder, half);
        let id = match known.and_then(|handle| shared.channel(handle).ok()) {
            Some(channel) => channel.id,
            None => loop {
                let id = ChannelId { initiator: half, responder: shared.random_half() };
                if !self.registry.has_id(id) {
                    break id;
                }
            },
        };
        answer_new(shared, inbound, answers, id, cookie1);
    }

    /// Gives a pending channel a new half, under the same handle: both sides chose the same one.
    fn rename_pending(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        let Ok(half) = self.fresh_half(shared) else {
            return self.end_channel(shared, now, handle, Error::Limit);
        };
        let cookie = self.make_cookie1(shared, half, self.path.remote);
        let Ok(channel) = shared.channel_mut(handle) else { return };
        let before = std::mem::replace(&mut channel.id.initiator, half);
        let id = channel.id;
        if let Handshake::Pending(pending) = &mut channel.handshake {
            pending.cookie = cookie;
        }
        self.registry.remove(Role::Initiator, before);
        self.registry.insert(Role::Initiator, id, handle);
        self.send_new(shared, now, half, cookie);
    }

    /// ACKNOWLEDGE from this peer, to a pending channel of ours or to a probe.
    pub(crate) fn handle_acknowledge(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound<'_>,
        id: ChannelId,
        cookie1: u32,
        cookie2: u32,
    ) {
        if !id.is_complete() {
            return shared.count_drop(DropReason::InvalidChannelId);
        }
        if let Some(probe) = self.path.probe.filter(|probe| probe.half == id.initiator) {
            return self.handle_probe_answer(shared, inbound, &probe, cookie1);
        }
        if self.ping_half == Some(id.initiator) {
            return;
        }
        let Some(handle) = self.registry.by_half(Role::Initiator, id.initiator) else {
            return shared.count_drop(DropReason::UnknownChannel);
        };
        let is_taken = self.registry.has_id(id);
        let Ok(channel) = shared.channel_mut(handle) else { return };
        let Handshake::Pending(pending) = &mut channel.handshake else {
            return shared.count_drop(DropReason::Duplicate);
        };
        // A wrong cookie must not kill the handshake: anybody can send one.
        if pending.cookie != cookie1 {
            return shared.count_drop(DropReason::BadCookie);
        }
        // A channel of the peer's has that very id; the next ACKNOWLEDGE will bring another.
        if is_taken {
            return shared.count_drop(DropReason::Duplicate);
        }
        let early = pending.early.take();
        channel.id = id;
        channel.last_active = inbound.now;
        let capabilities = channel.capabilities;
        let is_closing = channel.is_closing;
        let retry = shared.retry(inbound.now, 0, cookie2);
        shared.channel_mut(handle).expect("it was there").handshake = Handshake::Finalizing(retry);
        self.registry.complete(id);
        self.path.is_proven |= inbound.from == self.path.remote;
        self.send_finalize(shared, inbound.now, id, cookie2, capabilities);
        self.report_opened(shared, handle, false);
        if let Some(early) = early {
            shared.output.bytes -= early.bytes.len();
            self.send_early(shared, inbound.now, handle, &early);
        }
        shared.arm(handle, self.last_heard);
        if is_closing {
            self.end_channel(shared, inbound.now, handle, Error::Closed);
        }
    }

    fn send_finalize(
        &mut self,
        shared: &mut Shared,
        now: Time,
        id: ChannelId,
        cookie2: u32,
        capabilities: Capabilities,
    ) {
        let message = Message::ChannelFinalize { id, cookie2, capabilities };
        self.send_control(shared, now, &message, 0);
    }

    /// Repeats FINALIZE to a peer that was not heard on the channel yet, or stops doubting it: a
    /// reference peer says nothing until it has data.
    pub(super) fn retry_finalize(&mut self, shared: &mut Shared, now: Time, handle: ChannelHandle) {
        let Ok(channel) = shared.channel(handle) else { return };
        let Handshake::Finalizing(retry) = channel.handshake else { return };
        let (id, capabilities) = (channel.id, channel.capabilities);
        let next = if retry.count < shared.config.handshake_retries {
            self.send_finalize(shared, now, id, retry.cookie, capabilities);
            Handshake::Finalizing(shared.retry(now, retry.count + 1, retry.cookie))
        } else {
            Handshake::Done
        };
        if let Ok(channel) = shared.channel_mut(handle) {
            channel.handshake = next;
        }
    }

    /// FINALIZE, or COOKIE with its packet's channel id: the peer proves where it is and opens.
    /// The cookie was found good.
    pub(crate) fn handle_proof(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound<'_>,
        id: ChannelId,
        capabilities: Capabilities,
    ) {
        if let Some(known) = self.registry.by_half(Role::Responder, id.initiator) {
            shared.count_drop(DropReason::Duplicate);
            // Our confirmation may have been lost.
            let is_same = shared.channel(known).is_ok_and(|channel| channel.id == id);
            if is_same && inbound.from == self.path.remote && self.state != State::Asked {
                self.send_empty(shared, inbound.now, known);
            }
            return;
        }
        if self.registry.has_id(id) {
            return shared.count_drop(DropReason::Duplicate);
        }
        let added = self.add_channel(shared, inbound.now, Role::Responder, id);
        let Ok(handle) = added else {
            return shared.count_drop(DropReason::ChannelLimit);
        };
        if let Ok(channel) = shared.channel_mut(handle) {
            channel.capabilities = capabilities;
        }
        self.prove_path(shared, inbound.from, inbound.local);
        self.report_opened(shared, handle, true);
        if self.state != State::Asked {
            self.send_empty(shared, inbound.now, handle);
        }
        shared.arm(handle, self.last_heard);
    }

    fn report_opened(&mut self, shared: &mut Shared, channel: ChannelHandle, by_peer: bool) {
        if self.state == State::Asked {
            return;
        }
        if self.state == State::Dialled {
            self.state = State::Connected;
            let event = Event::Connected { connection: self.handle, peer: self.peer };
            shared.events.push_back(event);
        }
        let event = Event::ChannelOpened { connection: self.handle, channel, by_peer };
        shared.events.push_back(event);
    }

    fn prove_path(&mut self, shared: &mut Shared, from: std::net::SocketAddr, local: Local) {
        if shared.is_reference() {
            return;
        }
        if self.path.prove(from, local) && self.state != State::Asked {
            let event = Event::PathChanged { connection: self.handle, address: from };
            shared.events.push_back(event);
        }
    }

    /// Asks an address that packets of this peer come from to prove itself, once in a while.
    /// Returns the bytes that it sends there: no more than the datagram had.
    pub(crate) fn probe_path(&mut self, shared: &mut Shared, inbound: &Inbound<'_>) -> usize {
        if shared.is_reference() {
            return 0;
        }
        let is_answerable = inbound.datagram.len() >= ENVELOPE_SIZE + ANSWER_SIZE;
        if !is_answerable || !self.path.may_probe(inbound.now, shared.config.handshake_timeout) {
            return 0;
        }
        if shared.output.loose.len() >= shared.config.replies_max {
            shared.count_drop(DropReason::ReplyQueueFull);
            return 0;
        }
        let Ok(half) = self.fresh_half(shared) else { return 0 };
        let cookie = self.make_cookie1(shared, half, inbound.from);
        self.path.probe = Some(Probe {
            address: inbound.from,
            local: inbound.local,
            half,
            cookie,
            sent_at: inbound.now,
        });
        let message = Message::ChannelNew { initiator: half, cookie1: cookie };
        self.send_probe(shared, inbound, &message)
    }

    fn handle_probe_answer(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound<'_>,
        probe: &Probe,
        cookie1: u32,
    ) {
        if probe.cookie == cookie1 && probe.address == inbound.from {
            self.prove_path(shared, probe.address, probe.local);
        } else {
            shared.count_drop(DropReason::BadCookie);
        }
    }

    /// Makes sure that the connection's handshake messages will be sent.
    pub(super) fn schedule_control(&mut self, shared: &mut Shared, now: Time) {
        if !self.is_control_scheduled {
            self.is_control_scheduled = true;
            shared.schedule(now, Source::Control(self.handle), true);
        }
    }
}
