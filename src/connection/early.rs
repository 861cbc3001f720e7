//! Messages that leave before the handshake is done.
// spec: 7.13 early data

use super::Connection;
use super::application::write_lead;
use super::sending::ask_of;
use super::shared::Shared;
use crate::channel::{CHARGE, Channel, Ending, LEAD_MAX, Piece, data_len};
use crate::config::SendOptions;
use crate::error::Error;
use crate::id::ChannelHandle;
use crate::path::SentFrame;
use crate::time::Time;
use crate::wire::Writer;
use crate::wire::frame::{Data, Frame};

impl Connection {
    /// Puts a message that may arrive twice into the first flight, if the handshake can carry it;
    /// false when it has to be sent as any other.
    ///
    /// # Errors
    ///
    /// As `send_with`.
    pub(super) fn send_early(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        message: &[u8],
        options: &SendOptions,
    ) -> Result<bool, Error> {
        if self.established.is_some() {
            return Ok(false);
        }
        self.admit(shared, handle, message)?;
        let channel = shared.channel_mut(handle)?;
        let payload = self.early_payload(channel, message);
        let (Some(handshake), Some(opening)) = (&mut self.handshake, &mut self.opening) else {
            return Ok(false);
        };
        let len = payload.as_ref().map_or(0, Vec::len);
        let pushed = payload.filter(|_| len <= handshake.early_room());
        let Some(index) = pushed.and_then(|payload| handshake.push_early(payload)) else {
            return Ok(false);
        };
        let Shared { channels, chunks, spare_backlogs, send_queue_bytes, stats, .. } = shared;
        let channel = channels.get_mut(handle.0).ok_or(Error::InvalidChannelId)?;
        let charge = message.len() as u64 + u64::from(CHARGE);
        let first = channel.sending.advance(charge);
        // It is kept, as it may have to be sent again in any mode.
        let ask = ask_of(channel, now, options.lifetime, options.report);
        let backlog = channel.backlog.get_or_insert_with(|| spare_backlogs.take());
        let before = backlog.bytes();
        backlog.push(message, ask, first, chunks);
        backlog.leave(first);
        *send_queue_bytes += backlog.bytes() - before;
        let data = SentFrame::Messages { channel: handle, first, count: 1, resends: 0 };
        opening.push_early(index, vec![SentFrame::New(handle), data], (handle, first), charge);
        channel.counts.messages_sent += 1;
        channel.counts.bytes_sent += message.len() as u64;
        stats.messages_sent += 1;
        if let Some(at) = ask.expires {
            self.duties.expiring.note(handle, channel, at);
        }
        self.schedule(shared);
        Ok(true)
    }

    /// A level 2 payload with the message, if the ticket's limits allow it.
    fn early_payload(&self, channel: &Channel, message: &[u8]) -> Option<Vec<u8>> {
        let kept = self.handshake.as_ref()?.early_params()?;
        let charge = message.len() as u64 + u64::from(CHARGE);
        let position = channel.sending.position() + charge;
        let sum = self.opening.as_ref()?.early_charge() + charge;
        let is_allowed = u64::from(channel.number.index()) < kept.channels_max
            && position <= kept.channel_data_max
            && sum <= kept.data_max
            && message.len() as u64 <= kept.message_max
            && !channel.has_unsent()
            && channel.ending == Ending::None;
        if !is_allowed {
            return None;
        }
        let number = channel.sending.next();
        let mut lead = [0; LEAD_MAX];
        let lead = write_lead(channel, &mut lead);
        let mut payload = vec![0; 4 + lead.len() + data_len(number, message.len())];
        let mut writer = Writer::new(&mut payload);
        writer.u32(channel.number.0).ok()?;
        writer.bytes(lead).ok()?;
        let data = Data { number, offset: 0, is_final: true, bytes: message };
        Frame::Data(data).encode(&mut writer).ok()?;
        Some(payload)
    }

    /// Sends early messages that were refused, or whose attempt failed, as any others, with their
    /// numbers.
    pub(super) fn resend_early(
        &mut self,
        shared: &mut Shared,
        messages: Vec<(ChannelHandle, u64)>,
    ) {
        for (handle, first) in messages {
            // The first time counts as never sent.
            let piece = Piece::Whole { first, count: 1, resends: 0 };
            self.with_backlog(shared, handle, |backlog, _| backlog.resend(piece, 0));
            self.wake_channel(shared, handle);
        }
    }
}
