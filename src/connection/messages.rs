//! One handler a message: those that are about the connection and its path.

use std::time::Duration;

use super::inbound::Inbound;
use super::shared::Shared;
use super::tickets::TicketError;
use super::{Breach, Connection};
use crate::id::{PathId, Side};
use crate::wire::codes::{CloseCode, ConnectionCode, PathCode};
use crate::wire::frame::{AckRate, Crypto, Frame, NewToken, PathAbandon};

impl Connection {
    #[inline]
    pub(super) fn handle_frame(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        buffer: &[u8],
        frame: &Frame<'_>,
    ) -> Result<(), Breach> {
        if let Frame::Data(data) = frame {
            return self.handle_data(shared, inbound, buffer, data);
        }
        self.handle_other(shared, inbound, frame)
    }

    fn handle_other(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        frame: &Frame<'_>,
    ) -> Result<(), Breach> {
        let now = inbound.now;
        match frame {
            // What is about other paths has no use before there are any.
            Frame::Padding { .. }
            | Frame::Ping
            | Frame::Unknown { .. }
            | Frame::ChannelsBlocked { .. }
            | Frame::PathStatus(_)
            | Frame::AddressOffer(_) => Ok(()),
            Frame::PathChallenge(challenge) => {
                self.handle_challenge(shared, inbound, *challenge);
                Ok(())
            }
            Frame::PathResponse(answer) => {
                self.handle_answer(shared, inbound, *answer);
                Ok(())
            }
            Frame::ObservedAddress(observed) => self.handle_observed(observed),
            Frame::Data(_) => Ok(()),
            Frame::Ack(ack) => self.handle_ack(shared, now, inbound.epoch, ack),
            Frame::Crypto(crypto) => self.handle_crypto(inbound, crypto),
            Frame::ConnectionClose(close) => {
                self.handle_close(shared, now, close);
                Ok(())
            }
            Frame::AckRate(rate) => {
                self.handle_ack_rate(shared, rate);
                Ok(())
            }
            Frame::ChannelNew(new) => self.handle_new(shared, inbound, new),
            Frame::ChannelAccept(accept) => self.handle_accept(shared, accept),
            Frame::ChannelClose(close) => self.handle_channel_close(shared, now, close),
            Frame::ChannelReset(reset) => self.handle_channel_reset(shared, now, reset),
            Frame::MaxChannels { count } => {
                self.handle_max_channels(*count);
                Ok(())
            }
            Frame::ChannelDataBlocked(blocked) => self.handle_channel_blocked(shared, blocked),
            Frame::DataBlocked { .. } => {
                self.note_blocked(shared);
                Ok(())
            }
            Frame::DataSkip(skip) => self.handle_skip(shared, inbound, skip),
            Frame::MaxChannelData(limit) => self.handle_max_channel_data(shared, limit),
            Frame::MaxData { limit } => {
                self.handle_max_data(*limit);
                Ok(())
            }
            Frame::NewToken(token) => self.handle_new_token(token),
            Frame::PathAbandon(abandon) => self.handle_abandon(shared, inbound, abandon),
        }
    }

    // spec: 8.8 ACK_RATE
    fn handle_ack_rate(&mut self, shared: &Shared, rate: &AckRate) {
        if let Some(carrier) = self.carrier_mut(rate.path) {
            let packets = u32::try_from(rate.packets).unwrap_or(u32::MAX);
            let delay = Duration::from_micros(rate.delay_us).min(shared.config.ack_delay);
            carrier.received.set_rate(packets, delay);
        }
    }

    // spec: 8.6 CRYPTO
    fn handle_crypto(&mut self, inbound: &Inbound, crypto: &Crypto<'_>) -> Result<(), Breach> {
        if self.side == Side::Responder {
            return Err(ConnectionCode::Protocol.into());
        }
        let Some(established) = &mut self.established else { return Ok(()) };
        let read = established.tickets.receive(inbound.now, crypto.offset, crypto.bytes);
        read.map_err(|error| match error {
            TicketError::Buffer => ConnectionCode::CryptoBuffer.into(),
            TicketError::Tls(alert) => Breach { code: CloseCode::Tls(alert), message_type: 0 },
        })
    }

    // spec: 8.17 NEW_TOKEN
    fn handle_new_token(&mut self, token: &NewToken) -> Result<(), Breach> {
        let Some(established) = &mut self.established else { return Ok(()) };
        let received = established.tokens.receive(token.path, token.token, token.reset);
        received.map_err(|_| ConnectionCode::Protocol.into())
    }

    // spec: 8.20 PATH_ABANDON, 12.10 abandoning
    fn handle_abandon(
        &mut self,
        shared: &mut Shared,
        inbound: &Inbound,
        abandon: &PathAbandon,
    ) -> Result<(), Breach> {
        if abandon.path == PathId::ZERO {
            return Err(ConnectionCode::NoPath.into());
        }
        self.abandon_path(shared, inbound.now, abandon.path, PathCode::None)
    }
}
