//! What is owed to the peer, put into the room that a packet has left.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;

use super::Connection;
use super::application::write_lead;
use super::outbound::Gathered;
use super::shared::Shared;
use crate::channel::{Channel, Ending, LEAD_MAX, Opening, Pending};
use crate::id::{ChannelHandle, ChannelNumber, PathId};
use crate::path::{Carrier, Path, SentFrame};
use crate::time::Time;
use crate::wire::Writer;
use crate::wire::codes::ChannelCode;
use crate::wire::frame::{
    self, AckRate, ChannelClose, ChannelLimit, ChannelReset, Crypto, DataSkip, Frame, NewToken,
    ObservedAddress, PathAbandon, RESET_LEN, Reason, Source,
};

/// Writes messages into a payload and notes them.
struct Gatherer<'a> {
    writer: Writer<'a>,
    frames: &'a mut Vec<SentFrame>,
    asks_for_ack: bool,
}

impl Gatherer<'_> {
    /// Writes a message that asks for an acknowledgement, if there is room.
    fn push(&mut self, frame: &Frame<'_>, sent: SentFrame) -> bool {
        let is_written = frame.encode(&mut self.writer).is_ok();
        if is_written {
            self.frames.push(sent);
            self.asks_for_ack = true;
        }
        is_written
    }

    /// Writes all of the messages or none.
    fn push_all(&mut self, bytes: &[u8], sent: &[SentFrame]) -> bool {
        let is_written = self.writer.bytes(bytes).is_ok();
        if is_written {
            self.frames.extend_from_slice(sent);
            self.asks_for_ack = true;
        }
        is_written
    }
}

impl Connection {
    /// Puts into `room` what is owed to the peer, and what it was into `frames`. Without
    /// `may_ask`, only what asks for no acknowledgement.
    pub(super) fn gather(
        &mut self,
        shared: &mut Shared,
        now: Time,
        room: &mut [u8],
        frames: &mut Vec<SentFrame>,
        may_ask: bool,
    ) -> Gathered {
        let mut gatherer = Gatherer { writer: Writer::new(room), frames, asks_for_ack: false };
        self.gather_acks(now, &mut gatherer);
        if may_ask || self.duties.ping {
            self.gather_ping(&mut gatherer);
        }
        let has_tickets = self.established.as_ref().is_some_and(|one| one.tickets.is_waiting());
        if may_ask && (self.duties.is_waiting() || has_tickets) {
            self.gather_channels(shared, &mut gatherer);
            self.gather_limits(&mut gatherer);
            self.gather_paths(shared, &mut gatherer);
            self.gather_tickets(&mut gatherer);
        }
        Gathered { len: gatherer.writer.position(), asks_for_ack: gatherer.asks_for_ack }
    }

    fn gather_acks(&mut self, now: Time, gatherer: &mut Gatherer<'_>) {
        let Some(established) = &mut self.established else { return };
        for (path, carrier) in established.carriers.iter_mut() {
            let received = &mut carrier.received;
            let Some(largest) = received.largest().filter(|_| received.has_news()) else {
                continue;
            };
            let delay = u64::try_from(received.delay(now).as_micros()).unwrap_or(u64::MAX);
            let (counts, ranges) = (received.counts(), received.ranges());
            if frame::write_ack(&mut gatherer.writer, path, delay, counts, ranges).is_ok() {
                received.on_ack_sent();
                gatherer.frames.push(SentFrame::Ack { path, largest });
            }
        }
    }

    fn gather_ping(&mut self, gatherer: &mut Gatherer<'_>) {
        if self.duties.ping && Frame::Ping.encode(&mut gatherer.writer).is_ok() {
            self.duties.ping = false;
            gatherer.asks_for_ack = true;
        }
    }

    /// Control messages of channels.
    fn gather_channels(&mut self, shared: &mut Shared, gatherer: &mut Gatherer<'_>) {
        while let Some((number, code)) = self.duties.refusals.front().copied() {
            let frame = refusal(number, code);
            if !gatherer.push(&frame, SentFrame::Refusal { number, code }) {
                return;
            }
            self.duties.refusals.pop_front();
        }
        for _ in 0..self.duties.noted() {
            let Some(handle) = self.duties.next_noted() else { return };
            let Some(channel) = shared.channels.get_mut(handle.0) else { continue };
            channel.is_noted = false;
            let is_allowed = self.registry.is_allowed(channel.number);
            if !is_allowed && channel.opening == Opening::Announced {
                // It waits for MAX_CHANNELS, which notes it again.
                self.duties.channels_blocked |= self.registry.blocked().is_some();
                continue;
            }
            if !gather_channel(handle, channel, gatherer) {
                self.duties.note_again(handle, channel);
                return;
            }
        }
    }

    fn gather_limits(&mut self, gatherer: &mut Gatherer<'_>) {
        let duties = &mut self.duties;
        let Some(established) = &mut self.established else { return };
        if duties.max_channels {
            let frame = Frame::MaxChannels { count: self.registry.peer_limit() };
            duties.max_channels = !gatherer.push(&frame, SentFrame::MaxChannels);
        }
        if duties.max_data {
            let frame = Frame::MaxData { limit: self.intake.raise() };
            duties.max_data = !gatherer.push(&frame, SentFrame::MaxData);
        }
        if duties.channels_blocked {
            let frame = Frame::ChannelsBlocked { count: self.registry.limit() };
            duties.channels_blocked = !gatherer.push(&frame, SentFrame::ChannelsBlocked);
        }
        if duties.data_blocked {
            let frame = Frame::DataBlocked { limit: established.flow.limit() };
            duties.data_blocked = !gatherer.push(&frame, SentFrame::DataBlocked);
        }
    }

    // spec: 12.2 tokens, 12.8 observed addresses, 12.10 abandoning
    fn gather_paths(&mut self, shared: &mut Shared, gatherer: &mut Gatherer<'_>) {
        let Connection { duties, established, paths, .. } = self;
        let Some(established) = established else { return };
        if std::mem::take(&mut duties.paths) {
            for (id, carrier) in established.carriers.iter_mut() {
                let Some(path) = paths.get(id) else { continue };
                gather_owed(id, path, carrier, gatherer);
                duties.paths |= carrier.owed.is_any();
            }
        }
        while let Some(path) = duties.tokens.front().copied() {
            if let Some(token) = established.tokens.issued(path) {
                // Without a key for resets, a value that no datagram will ever end with.
                let reset = shared.reset_key.as_ref().map(|key| key.value(token));
                let reset = reset.unwrap_or_else(|| random_value(&mut shared.rng));
                let frame = Frame::NewToken(NewToken { path, token, reset });
                if !gatherer.push(&frame, SentFrame::NewToken(path)) {
                    return;
                }
            }
            duties.tokens.pop_front();
        }
        while let Some((path, code)) = duties.abandons.front().copied() {
            let frame = Frame::PathAbandon(PathAbandon { path, code: u64::from(code) });
            if !gatherer.push(&frame, SentFrame::Abandon { path, code }) {
                return;
            }
            duties.abandons.pop_front();
        }
    }

    // spec: 7.12 tickets
    fn gather_tickets(&mut self, gatherer: &mut Gatherer<'_>) {
        let Some(established) = &mut self.established else { return };
        while let Some(offset) = established.tickets.offset() {
            let Some(most) = Crypto::len_max(offset, gatherer.writer.remaining()) else { return };
            let Some((offset, bytes)) = established.tickets.take(most) else { return };
            let (at, len) = (offset as u32, bytes.len() as u16);
            let frame = Frame::Crypto(Crypto { offset, bytes });
            let is_pushed = gatherer.push(&frame, SentFrame::Crypto { offset: at, len });
            if !is_pushed {
                established.tickets.on_lost(at, len);
                return;
            }
        }
    }
}

/// What is to be said about one path.
// spec: 13.3 acknowledging, 12.8 observed addresses
fn gather_owed(id: PathId, path: &Path, carrier: &mut Carrier, gatherer: &mut Gatherer<'_>) {
    let Carrier { owed, ack_rate, observed, .. } = carrier;
    if owed.ack_rate
        && let Some((packets, delay)) = ack_rate.asked()
    {
        let delay_us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        let rate = AckRate { path: id, packets: u64::from(packets), delay_us };
        owed.ack_rate = !gatherer.push(&Frame::AckRate(rate), SentFrame::AckRate(id));
    }
    if owed.observed {
        let sequence = observed.sequence;
        let address = ObservedAddress { path: id, sequence, address: path.remote };
        let sent = SentFrame::Observed { path: id, sequence };
        owed.observed = !gatherer.push(&Frame::ObservedAddress(address), sent);
    }
}

fn random_value(rng: &mut ChaCha12Rng) -> [u8; RESET_LEN] {
    let mut value = [0; RESET_LEN];
    rng.fill_bytes(&mut value);
    value
}

/// Control messages of one channel; false when there was no room for all.
// spec: 9.2 opening
fn gather_channel(
    handle: ChannelHandle,
    channel: &mut Channel,
    gatherer: &mut Gatherer<'_>,
) -> bool {
    if channel.pending.has(Pending::RESET) {
        return gather_reset(handle, channel, gatherer);
    }
    let mut lead = [0; LEAD_MAX];
    let lead: &[u8] = match channel.opening {
        Opening::Announced => write_lead(channel, &mut lead),
        Opening::Known | Opening::Open => &[],
    };
    let new = [SentFrame::New(handle)];
    if channel.pending.has(Pending::NEW) {
        if !lead.is_empty() && !gatherer.push_all(lead, &new) {
            return false;
        }
        channel.pending.clear(Pending::NEW);
    }
    for what in [Pending::ACCEPT, Pending::LIMIT, Pending::BLOCKED, Pending::SKIP, Pending::CLOSE] {
        if !channel.pending.has(what) {
            continue;
        }
        let Some((frame, sent)) = channel_frame(handle, channel, what) else {
            channel.pending.clear(what);
            continue;
        };
        // CHANNEL_CLOSE follows the last message: whoever sends that notes the channel again.
        if what == Pending::CLOSE && channel.has_unsent() {
            continue;
        }
        let is_led = lead.is_empty() || gatherer.frames.contains(&new[0]);
        let lead_len = if is_led { 0 } else { lead.len() };
        if gatherer.writer.remaining() < lead_len + frame.encoded_len() {
            return false;
        }
        if !is_led {
            gatherer.push_all(lead, &new);
        }
        gatherer.push(&frame, sent);
        channel.pending.clear(what);
        if what == Pending::CLOSE {
            channel.sending.set_closed();
        }
        if let SentFrame::Skip { number, .. } = sent {
            channel.sending.on_skip_sent(number);
        }
    }
    true
}

fn channel_frame(
    handle: ChannelHandle,
    channel: &mut Channel,
    what: Pending,
) -> Option<(Frame<'static>, SentFrame)> {
    let (number, sending) = (channel.number, &channel.sending);
    Some(match what {
        Pending::LIMIT => {
            let limit = ChannelLimit { channel: number, limit: channel.receiving.raise() };
            (Frame::MaxChannelData(limit), SentFrame::MaxChannelData(handle))
        }
        Pending::ACCEPT => {
            let limit = ChannelLimit { channel: number, limit: channel.receiving.credit().limit() };
            (Frame::ChannelAccept(limit), SentFrame::Accept(handle))
        }
        Pending::BLOCKED => {
            let limit = ChannelLimit { channel: number, limit: sending.limit() };
            (Frame::ChannelDataBlocked(limit), SentFrame::Blocked(handle))
        }
        Pending::SKIP => {
            let (skipped, position) = sending.skip()?;
            let skip = DataSkip { channel: number, number: skipped, position };
            (Frame::DataSkip(skip), SentFrame::Skip { channel: handle, number: skipped })
        }
        Pending::CLOSE => {
            let (count, position) = (sending.next(), sending.position());
            let close = ChannelClose { channel: number, count, position };
            (Frame::ChannelClose(close), SentFrame::Close(handle))
        }
        _ => return None,
    })
}

// spec: 8.12 CHANNEL_RESET
fn gather_reset(handle: ChannelHandle, channel: &mut Channel, gatherer: &mut Gatherer<'_>) -> bool {
    let Ending::Reset(reset) = &channel.ending else { return true };
    let frame = Frame::ChannelReset(ChannelReset {
        channel: channel.number,
        source: if reset.is_application { Source::Application } else { Source::Protocol },
        code: reset.code,
        position: channel.sending.position(),
        reason: Reason::new(&reset.text),
    });
    let is_written = gatherer.push(&frame, SentFrame::Reset(handle));
    if is_written {
        channel.pending.clear(Pending::RESET);
    }
    is_written
}

/// CHANNEL_RESET of a channel that was never made here.
fn refusal(number: ChannelNumber, code: u8) -> Frame<'static> {
    debug_assert!(ChannelCode::from_code(u64::from(code)).is_some(), "one of the protocol's");
    Frame::ChannelReset(ChannelReset {
        channel: number,
        source: Source::Protocol,
        code: u64::from(code),
        position: 0,
        reason: Reason::NONE,
    })
}
