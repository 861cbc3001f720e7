//! The reference model of messages: what was sent where, what arrived, and what may arrive.

use std::collections::BTreeMap;

use channeler::config::ChannelConfig;
use channeler::id::{Capabilities, ChannelHandle, ChannelId};

use crate::model::{Channel, Model, SenderKey};
use crate::ops::Sending;
use crate::random::message;

/// Everything that was sent, and what of it arrived.
pub(crate) struct Ledger {
    /// How often each node lost its memory.
    lives: Vec<u32>,
    messages: BTreeMap<u64, Sent>,
    senders: BTreeMap<SenderKey, Outgoing>,
    pub(crate) received: u64,
}

/// A message.
struct Sent {
    sender: SenderKey,
    /// What the channel was called on the wire then, if that was sure.
    id: Option<ChannelId>,
    /// How many were sent on the channel before.
    place: u64,
    len: usize,
    /// How often it may still arrive.
    copies: u32,
}

/// The sending end of a channel.
struct Outgoing {
    mode: Capabilities,
    count: u64,
    arrived: u64,
    /// Every message has to arrive, unless the channel ends.
    is_lossless: bool,
    /// Some messages may have become too old, or were seen to be too large, before anything of them
    /// was sent: they took no number, and the receiver does not know of them.
    // spec: 10.1 numbers and fragments
    may_expire: bool,
    /// Some messages may have been delivered twice, on two connections.
    has_early: bool,
}

impl Ledger {
    pub(crate) fn new(nodes: usize) -> Ledger {
        let (messages, senders) = (BTreeMap::new(), BTreeMap::new());
        Ledger { lives: vec![0; nodes], messages, senders, received: 0 }
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.messages.len() as u64
    }

    pub(crate) fn restarted(&mut self, node: usize) {
        self.lives[node] += 1;
    }

    /// A channel was opened by `node`, with these settings for what it sends.
    pub(crate) fn opened(&mut self, node: usize, channel: ChannelHandle, config: &ChannelConfig) {
        let mode = config.capabilities;
        let has_limit = config.resend_limit != u32::MAX || !config.message_lifetime.is_zero();
        let may_expire = !config.message_lifetime.is_zero();
        let is_lossless = resends(mode) && !has_limit;
        let outgoing = Outgoing { is_lossless, may_expire, ..Outgoing::new(mode) };
        self.senders.insert((node, self.lives[node], channel), outgoing);
    }

    /// The next message was sent.
    pub(crate) fn sent(
        &mut self,
        (node, channel): (usize, ChannelHandle),
        mode: Capabilities,
        id: Option<ChannelId>,
        len: usize,
        what: Sending,
    ) {
        let number = self.next_number();
        let sender = (node, self.lives[node], channel);
        // One that the peer opened has the settings that an accepting side has: no limits.
        let outgoing = self.senders.entry(sender).or_insert_with(|| Outgoing::new(mode));
        let is_lasting = what.lifetime.is_none_or(|lifetime| lifetime.is_zero());
        outgoing.is_lossless &= is_lasting;
        outgoing.may_expire |= !is_lasting;
        outgoing.has_early |= what.is_early;
        let copies = if what.is_early { 2 } else { 1 };
        self.messages.insert(number, Sent { sender, id, place: outgoing.count, len, copies });
        outgoing.count += 1;
    }

    /// The message that was sent last may take no number, and never arrive.
    pub(crate) fn may_be_dropped(&mut self, node: usize, channel: ChannelHandle) {
        if let Some(outgoing) = self.senders.get_mut(&(node, self.lives[node], channel)) {
            (outgoing.is_lossless, outgoing.may_expire) = (false, true);
        }
    }

    /// A message is one that was sent, byte for byte, on this channel, and comes once; twice only
    /// if it may be replayed. Returns the node that sent it. `channel` is where it came, if that
    /// did not end just then.
    pub(crate) fn take(
        &mut self,
        node: usize,
        channel: Option<&mut Channel>,
        bytes: &[u8],
    ) -> Result<usize, String> {
        let number = bytes.first_chunk().map(|chunk| u64::from_be_bytes(*chunk));
        let sent = number.and_then(|number| Some((number, self.messages.get_mut(&number)?)));
        let Some((number, sent)) = sent else {
            return Err(format!("node {node} received what nobody sent: {bytes:02x?}"));
        };
        if bytes != message(number, sent.len) {
            return Err(format!("message {number} came changed"));
        }
        if sent.copies == 0 {
            return Err(format!("message {number} came too often"));
        }
        sent.copies -= 1;
        self.received += 1;
        let outgoing = self.senders.get_mut(&sent.sender).expect("it sent this message");
        outgoing.arrived += 1;
        let from = sent.sender.0;
        let Some(channel) = channel else { return Ok(from) };
        let incoming = &channel.incoming;
        if channel.is_ordered() && incoming.last.is_some_and(|last| last >= number) {
            return Err(format!("message {number} came after {:?}", incoming.last));
        }
        if incoming.is_finished {
            return Err(format!("message {number} came after the end of its channel"));
        }
        let is_sure = !outgoing.has_early;
        if is_sure && incoming.sender.is_some_and(|sender| sender != sent.sender) {
            return Err(format!("message {number} came on the channel of {:?}", incoming.sender));
        }
        // In order, without a hole: what is missing ends the channel, or is not given up.
        let is_gapless = channel.is_ordered() && (channel.closes_on_loss() || outgoing.is_lossless);
        if is_sure && is_gapless && incoming.count != sent.place {
            let (count, place) = (incoming.count, sent.place);
            return Err(format!("message {number} is the {place}th, and {count} came before"));
        }
        if let (Some(sent_as), Some(came_as)) = (sent.id, channel.id)
            && sent_as != came_as
            && is_sure
        {
            return Err(format!("message {number} of {sent_as:?} came on {came_as:?}"));
        }
        let sender = Some(sent.sender);
        let incoming = &mut channel.incoming;
        (incoming.sender, incoming.last) = (sender, Some(number));
        incoming.count += 1;
        Ok(from)
    }

    /// A channel whose peer has finished brought, or skipped, everything.
    pub(crate) fn check_finished(&self, model: &Model) -> Result<(), String> {
        for (handle, channel) in &model.channels {
            let incoming = &channel.incoming;
            let Some(sender) = incoming.sender.filter(|_| incoming.is_finished) else { continue };
            let outgoing = &self.senders[&sender];
            if outgoing.has_early {
                continue;
            }
            let settled = incoming.count + incoming.skipped;
            let whole = settled == outgoing.count
                || outgoing.may_expire && settled < outgoing.count && !channel.closes_on_loss();
            let must_be_whole = channel.closes_on_loss() || outgoing.is_lossless;
            if !whole || must_be_whole && incoming.skipped > 0 {
                let count = outgoing.count;
                return Err(format!("{handle:?} finished with {incoming:?} of {count}"));
            }
        }
        Ok(())
    }

    /// After a good while on good links: what has to arrive on channels that are still there did.
    pub(crate) fn check_arrived(&self, models: &[Model]) -> Result<(), String> {
        for (&(node, life, handle), outgoing) in &self.senders {
            let channel = models[node].channels.get(&handle).filter(|one| one.is_opened);
            let is_there = channel.is_some() && life == self.lives[node];
            if is_there && outgoing.is_lossless && outgoing.arrived < outgoing.count {
                let (arrived, count, mode) = (outgoing.arrived, outgoing.count, outgoing.mode);
                return Err(format!(
                    "{arrived} of {count} arrived on {handle:?} {mode:?} of {node}"
                ));
            }
        }
        Ok(())
    }
}

impl Outgoing {
    fn new(mode: Capabilities) -> Outgoing {
        let is_lossless = resends(mode);
        let (may_expire, has_early) = (false, false);
        Outgoing { mode, count: 0, arrived: 0, is_lossless, may_expire, has_early }
    }
}

fn resends(mode: Capabilities) -> bool {
    mode.0 & Capabilities::RESEND.0 != 0
}
