//! Recovery of one packet number space: what was sent and what became of it, what was received and
//! must be acknowledged, the round trip, ECN.
//!
//! Each path and each level of a handshake owns a [`SentPackets`] and a [`ReceivedNumbers`]; the
//! levels share the [`Rtt`] of path 0. Nothing here has a clock or a timer: `poll_timeout` says
//! when `handle_timeout` wants to be called.

mod ack_rate;
mod ecn;
mod received;
mod rtt;
mod sent;

pub(crate) use ack_rate::AckRate;
pub(crate) use ecn::EcnValidation;
pub(crate) use received::{ReceivedNumbers, ReceivedPacket};
pub(crate) use rtt::Rtt;
pub(crate) use sent::{AckError, AckOutcome, Feedback, Losses, SentPacket, SentPackets};
