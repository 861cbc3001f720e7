//! What an endpoint lends: messages are sent and received without it, until it is asked for
//! something else and takes back what it lent.
//!
//! Whoever borrows gives both back before the endpoint does anything: what happened meanwhile is
//! then as if it had happened on the endpoint.

use std::net::SocketAddr;

use super::Quic;
use super::config::StreamPolicy;
use super::events::{QuicConnection, Waiting};
use super::line::{Front, Line};
use super::message::{LABEL_BYTES_MAX, LENGTH_SIZE, QuicMessage, TeamId};
use super::outbox::Tail;
use crate::error::Error;
use crate::time::Time;

/// Where small messages to one channel are put, or to all channels of a peer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The connection and its lane; none while nothing is lent.
    of: Option<(QuicConnection, usize)>,
    /// As the owner names it.
    address: SocketAddr,
    /// What a frame has behind its length. The length is not written there: to copy at once what
    /// was just written in part makes the processor wait.
    head: Vec<u8>,
    /// The same, if it is not longer, and whatever behind it.
    wide_head: Option<[u8; WIDE_HEAD]>,
    /// Where in it the label begins.
    label: usize,
    /// Whether all channels of the peer have their messages in the same place.
    is_for_all: bool,
    tail: Tail,
    message_bytes_max: usize,
    /// Bytes of the messages that were put.
    bytes: u64,
    messages: u64,
    is_shut: bool,
}

/// Where messages for channels are taken.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    line: Line,
    /// What was taken, one after the other.
    taken: Vec<(QuicConnection, Taken)>,
    /// The label of the head that has this number.
    label: (u64, String),
    is_lent: bool,
    is_shut: bool,
}

/// Messages of one connection that were taken.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    messages: usize,
    bytes: usize,
}

impl Default for Outgoing {
    fn default() -> Outgoing {
        Outgoing {
            of: None,
            address: SocketAddr::from(([0; 4], 0)),
            head: Vec::new(),
            wide_head: None,
            label: 0,
            is_for_all: false,
            tail: Tail::default(),
            message_bytes_max: 0,
            bytes: 0,
            messages: 0,
            is_shut: false,
        }
    }
}

impl Outgoing {
    /// Takes messages, in order, as long as they are those that this is for and there is room;
    /// returns how many. `is_to` says whether an address is that of its peer.
    #[inline]
    pub(crate) fn send<'a>(
        &mut self,
        is_to: impl FnOnce(&SocketAddr) -> bool,
        team_id: &[u8; TeamId::SIZE],
        label: &[u8],
        messages: impl Iterator<Item = &'a [u8]>,
    ) -> usize {
        if self.of.is_none() || !is_to(&self.address) {
            return 0;
        }
        let is_same = self.head[TEAM_AT..].first_chunk() == Some(team_id)
            && is_same_text(&self.head[self.label..], label);
        if !is_same && !self.turn_to(team_id, label) {
            return 0;
        }
        let mut count = 0;
        for message in messages {
            if !self.put(message) {
                break;
            }
            count += 1;
        }
        count
    }

    /// Takes one for the channel at hand, if there is room.
    #[inline]
    fn put(&mut self, message: &[u8]) -> bool {
        let body = self.head.len() + message.len();
        if !self.tail.has_room(LENGTH_SIZE + body) || message.len() > self.message_bytes_max {
            return false;
        }
        self.tail.bytes.extend_from_slice(&(body as u32).to_be_bytes());
        match &self.wide_head {
            // To copy bytes of a number that is known takes less than to find out how many.
            Some(head) if self.tail.has_room(WIDE_HEAD) => {
                let end = self.tail.bytes.len() + self.head.len();
                self.tail.bytes.extend_from_slice(head);
                self.tail.bytes.truncate(end);
            }
            Some(_) | None => self.tail.bytes.extend_from_slice(&self.head),
        }
        self.tail.bytes.extend_from_slice(message);
        self.messages += 1;
        self.bytes += message.len() as u64;
        true
    }

    /// Makes another channel of the peer the one at hand, if that has the same place.
    fn turn_to(&mut self, team_id: &[u8; TeamId::SIZE], label: &[u8]) -> bool {
        if !self.is_for_all || label.len() > LABEL_BYTES_MAX {
            return false;
        }
        let Ok(label) = std::str::from_utf8(label) else { return false };
        self.begin_with(QuicMessage::ChannelMessage { team_id: *team_id, label }, label.len());
        true
    }

    fn begin_with(&mut self, head: QuicMessage<'_>, label_len: usize) {
        self.head.clear();
        head.put(&mut self.head);
        self.label = self.head.len() - label_len;
        let mut wide_head = [0; WIDE_HEAD];
        let place = wide_head.get_mut(..self.head.len());
        self.wide_head = place.map(|place| place.copy_from_slice(&self.head)).map(|()| wide_head);
    }

    /// Takes nothing any more, and forgets what it has.
    pub(crate) fn shut(&mut self) {
        *self = Outgoing { is_shut: true, ..Outgoing::default() };
    }
}

impl Incoming {
    /// Takes the oldest message, if it is here and `target` is large enough: it goes there, and
    /// `tell` hears where it came from. Returns its bytes.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        target: &mut [u8],
        tell: impl FnOnce(&Waiting<'_>),
    ) -> Option<usize> {
        let Incoming { line, taken, label, .. } = self;
        let mut given = None;
        let frame = line.take(|front| {
            given = give(front, taken, label, target, tell);
            given.is_some()
        })?;
        let (_, taken) = taken.last_mut()?;
        taken.messages += 1;
        taken.bytes += frame;
        given
    }

    /// As `receive`, with those behind it that came in the same channel and from the same address,
    /// as far as they are here and there is room: one behind the other in `target`, and in
    /// `lengths` how long each is. Returns how many.
    pub(crate) fn receive_many(
        &mut self,
        target: &mut [u8],
        lengths: &mut [usize],
        tell: impl FnOnce(&Waiting<'_>),
    ) -> usize {
        let (mut count, mut end) = (0, 0);
        let mut tell = Some(tell);
        for length in lengths.iter_mut().take(self.line.alike()) {
            let tell = |waiting: &Waiting<'_>| {
                if let Some(tell) = tell.take() {
                    tell(waiting);
                }
            };
            let Some(len) = self.receive(&mut target[end..], tell) else { break };
            *length = len;
            (count, end) = (count + 1, end + len);
        }
        count
    }

    /// Gives nothing any more, and forgets what it has.
    pub(crate) fn shut(&mut self) {
        *self = Incoming { is_shut: true, ..Incoming::default() };
    }
}

/// Copies a message to `target`, if that is large enough and the endpoint can be told of it; `tell`
/// hears where it came from. Returns its bytes.
#[inline]
fn give(
    front: &Front<'_>,
    taken: &mut Vec<(QuicConnection, Taken)>,
    label: &mut (u64, String),
    target: &mut [u8],
    tell: impl FnOnce(&Waiting<'_>),
) -> Option<usize> {
    let connection = front.origin.connection;
    if taken.last().is_none_or(|(last, _)| *last != connection) {
        if taken.len() >= TAKEN_MAX {
            return None;
        }
        taken.push((connection, Taken::default()));
    }
    if label.0 != front.head {
        label.1.clear();
        label.1.push_str(std::str::from_utf8(front.label).ok()?);
        label.0 = front.head;
    }
    let len = front.message.len();
    target.get_mut(..len)?.copy_from_slice(front.message);
    tell(&Waiting {
        address: front.origin.address,
        peer: front.origin.peer,
        team_id: TeamId(*front.team_id),
        label: &label.1,
        message: front.message,
    });
    Some(len)
}

impl Quic {
    /// As `send`; `now` is asked only if a connection must be made. Lends for the next messages to
    /// this channel.
    pub(crate) fn send_and_lend(
        &mut self,
        now: impl FnOnce() -> Time,
        address: SocketAddr,
        team_id: TeamId,
        label: &str,
        message: &[u8],
        outgoing: &mut Outgoing,
    ) -> Result<(), Error> {
        if label.len() > LABEL_BYTES_MAX {
            return Err(Error::InvalidArgument);
        }
        let head = QuicMessage::ChannelMessage { team_id: team_id.0, label };
        let (id, lane) = self.send_with_head(now, address, head, message)?;
        // For one message it would not pay.
        let is_next = self.last_sent.replace((id, lane)) == Some((id, lane));
        let member = self.members.get_mut(&id).filter(|_| is_next && !outgoing.is_shut);
        let Some(member) = member else { return Ok(()) };
        outgoing.of = Some((id, lane));
        outgoing.address = address;
        outgoing.begin_with(head, label.len());
        outgoing.is_for_all = self.shared.config.streams == StreamPolicy::Ordered;
        outgoing.tail = member.outbox.lend(lane);
        outgoing.message_bytes_max = self.shared.config.message_bytes_max;
        Ok(())
    }

    /// Takes back what `send_and_lend` lent.
    pub(crate) fn take_back_outgoing(&mut self, outgoing: &mut Outgoing) {
        let Some((id, lane)) = outgoing.of.take() else { return };
        let Some(member) = self.members.get_mut(&id) else { return };
        let (messages, bytes) = (outgoing.messages, outgoing.bytes);
        (outgoing.messages, outgoing.bytes) = (0, 0);
        member.outbox.take_back(lane, std::mem::take(&mut outgoing.tail), messages);
        member.messages_sent += messages;
        member.wants_transmit |= messages > 0;
        self.shared.stats.messages_sent += messages;
        self.shared.stats.bytes_sent += bytes;
    }

    /// Lends the messages that wait, unless their number holds somebody back.
    pub(crate) fn lend_incoming(&mut self, incoming: &mut Incoming) {
        let waiting = &mut self.shared.inbox.messages;
        if !waiting.is_empty() && !self.shared.is_any_held && !incoming.is_shut {
            std::mem::swap(waiting, &mut incoming.line);
            incoming.is_lent = true;
        }
    }

    /// Takes back what `lend_incoming` lent.
    pub(crate) fn take_back_incoming(&mut self, incoming: &mut Incoming) {
        if !std::mem::take(&mut incoming.is_lent) {
            return;
        }
        std::mem::swap(&mut self.shared.inbox.messages, &mut incoming.line);
        for (connection, taken) in incoming.taken.drain(..) {
            self.shared.inbox.forget(connection, taken.messages, taken.bytes);
        }
    }
}

/// Changes of connection among messages that are taken, until the endpoint is told.
const TAKEN_MAX: usize = 32;

/// As `==`, which for the few bytes of most labels costs more than they do.
#[inline]
fn is_same_text(one: &[u8], other: &[u8]) -> bool {
    let ends = |text: &[u8]| Some((*text.first_chunk::<8>()?, *text.last_chunk::<8>()?));
    match ends(one) {
        Some(ends_of_one) if one.len() <= 16 => {
            one.len() == other.len() && ends(other) == Some(ends_of_one)
        }
        Some(_) | None => one == other,
    }
}

/// Bytes of most heads, at most.
const WIDE_HEAD: usize = 64;

/// Where in a head the team is.
const TEAM_AT: usize = 1;

#[cfg(test)]
mod tests;
