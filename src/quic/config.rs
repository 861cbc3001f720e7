//! Every setting and limit of QUIC channels, with its default and the reason for it.

use std::time::Duration;

use super::message::HEAD_SIZE_MAX;
use crate::config::{BATCH_SEGMENTS_MAX, Congestion};
use crate::crypto::Identity;
use crate::error::Error;
use crate::id::PeerId;

/// Connections in the map; one more closes the one that was unused for the longest time.
pub const CONNECTIONS_MAX: usize = 32;

/// Connections in all: those in the map, those that drain, and those that are beginning. A dial
/// beyond it is `Limit`, and what comes from outside is refused.
pub const MEMBERS_MAX: usize = 128;

/// Streams that one connection uses with [`StreamPolicy::PerChannel`]. Further channels share
/// these: a channel must keep its stream to keep its order, and streams that wait for a next
/// message for ever would be without number.
pub const CHANNEL_STREAMS_MAX: usize = 128;

/// Streams that a peer may have open of each kind.
pub const PEER_STREAMS_MAX: u32 = 256;

/// Answers to strangers that wait to be sent; further ones are dropped.
pub const REPLIES_MAX: usize = 256;

/// How long a new address of a peer must hold before the map believes it: longer than QUIC takes
/// to see that a path to it fails.
pub const MOVE_DELAY: Duration = Duration::from_secs(3);

/// How long after it was made a connection may still be one of two that both sides dialled at
/// once. Later, another connection from that peer takes its place.
pub const DUEL_TIME: Duration = Duration::from_secs(10);

/// Whom to believe.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Raw public keys (RFC 7250) on both sides.
    RawKeys {
        /// Our key.
        identity: Identity,
        /// Peers that may connect unasked, whoever begins. Others may when they were dialled by
        /// their id, or are accepted by `ask_before_accept`; without either they are refused.
        peers: Vec<PeerId>,
    },
    /// X.509 on both sides: whoever has a certificate of the authorities may connect, or is asked
    /// about with `ask_before_accept`.
    Certificates(Certificates),
}

/// What X.509 needs, as PEM text.
#[derive(Clone)]
pub struct Certificates {
    /// Our certificate, and behind it those between it and an authority.
    pub chain: Vec<u8>,
    /// The private key of our certificate (PKCS#8, SEC1 or PKCS#1, unencrypted).
    pub key: zeroize::Zeroizing<Vec<u8>>,
    /// The certificates of the authorities that peers must have theirs from.
    pub authorities: Vec<u8>,
    /// The name that certificates of dialled peers must have. None: their IP address.
    pub server_name: Option<String>,
}

impl std::fmt::Debug for Certificates {
    /// Names no key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("server_name", &self.server_name).finish()
    }
}

/// Which streams messages to a peer go on. A receiver takes them from any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamPolicy {
    /// The one bidirectional stream: all messages to a peer arrive in the order they were sent.
    #[default]
    Ordered,
    /// A stream a channel: in order within each, and a lost packet stalls no other.
    PerChannel,
}

/// Settings of QUIC channels. Start from `QuicConfig::new` and change what you need.
#[derive(Debug, Clone)]
pub struct QuicConfig {
    /// Whom to believe.
    pub trust: Trust,
    /// The application protocol that both sides must name. Default `channeler-quic/1`.
    pub alpn: Vec<u8>,
    /// How the sending rate is controlled.
    pub congestion: Congestion,
    /// With `Congestion::Bbr2`: per cent of packets that a round trip may lose before that counts
    /// as a full queue. Default 2; more for links that are known to lose at random, and are not
    /// shared: see `NodeConfig::loss_tolerance_percent`.
    pub loss_tolerance_percent: u8,
    /// Which streams messages go on.
    pub streams: StreamPolicy,
    /// Whether peers that we did not dial may connect. On by default.
    pub accept_incoming: bool,
    /// Whether the owner answers `ConnectionRequest` events for peers that are not known. Off by
    /// default: they are refused (with certificates: believed).
    pub ask_before_accept: bool,

    /// The largest message sent or taken. Default 16 MiB.
    pub message_bytes_max: usize,
    /// Bytes of messages, of unfinished ones too, kept for `receive`. At the limit no stream is
    /// read, and the flow control of QUIC holds the senders back. Default 256 MiB; at least
    /// `connection_receive_bytes_max`. While nothing waits, unfinished messages may exceed it.
    pub receive_bytes_max: usize,
    /// The same in messages. Default 65,536.
    pub receive_messages_max: usize,
    /// The same of one connection, in bytes. Default 64 MiB; at least the largest message and its
    /// head: below that it could never be received. A peer that begins more than this at once, on
    /// several streams, without finishing any, has streams stopped; peers like us never do.
    pub connection_receive_bytes_max: usize,
    /// The same of one connection, in messages. Default 16,384.
    pub connection_receive_messages_max: usize,
    /// Bytes queued for sending on one connection and not yet QUIC's, at which `send` is
    /// `WouldBlock`. A message is taken while fewer are queued, whatever its own size. Default 1
    /// MiB: a millisecond of the fastest links, and no more than the processor's cache holds.
    pub send_queue_bytes_max: usize,
    /// Bytes given to QUIC and not acknowledged, of one connection, at most. Default 8 MiB: 640
    /// Mbit/s at a round trip of 100 ms.
    pub send_window_bytes: usize,
    /// Bytes that a peer may have sent and we not read, of one stream. Default 4 MiB.
    pub stream_window_bytes: u32,
    /// The same of one connection. Default 8 MiB.
    pub connection_window_bytes: u32,

    /// A connection ends after this long without a packet from the peer. Zero: never. Default 30 s.
    pub idle_timeout: Duration,
    /// How often a silent peer is asked for a sign of life. Zero (default): never; else below
    /// `idle_timeout`.
    pub keep_alive: Duration,
    /// When a handshake is given up. Default 10 s.
    pub dial_timeout: Duration,
    /// How long the owner may take to answer a `ConnectionRequest`. Default 5 s.
    pub accept_timeout: Duration,
    /// How long a connection that is closed or evicted may take to send what it has. Default 5 s;
    /// zero: no time.
    pub drain_timeout: Duration,
    /// Handshakes that others began and did not finish, after which the next must prove its
    /// address first. Default 8.
    pub half_open_free_max: usize,
    /// The same, after which the next is refused. Default 64.
    pub half_open_max: usize,
    /// Tickets kept, given out and got each, with which a peer is met again in fewer bytes.
    /// Default 256.
    pub tickets_max: usize,
    /// The largest packet that is tried, in bytes of UDP payload. Default 1452: Ethernet's, over
    /// IPv6.
    pub packet_size_max: u16,
    /// Datagrams that one transmit may hold (GSO). The engine sets what the kernel takes.
    pub segments_max: usize,
    /// Events waiting to be drained; past it datagrams are dropped and counted. Default 65,536.
    pub events_max: usize,
}

impl QuicConfig {
    /// Defaults fit for use.
    pub fn new(trust: Trust) -> QuicConfig {
        QuicConfig {
            trust,
            alpn: b"channeler-quic/1".to_vec(),
            congestion: Congestion::default(),
            loss_tolerance_percent: 2,
            streams: StreamPolicy::default(),
            accept_incoming: true,
            ask_before_accept: false,
            message_bytes_max: 16 << 20,
            receive_bytes_max: 256 << 20,
            receive_messages_max: 65_536,
            connection_receive_bytes_max: 64 << 20,
            connection_receive_messages_max: 16_384,
            send_queue_bytes_max: 1 << 20,
            send_window_bytes: 8 << 20,
            stream_window_bytes: 4 << 20,
            connection_window_bytes: 8 << 20,
            idle_timeout: Duration::from_secs(30),
            keep_alive: Duration::ZERO,
            dial_timeout: Duration::from_secs(10),
            accept_timeout: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(5),
            half_open_free_max: 8,
            half_open_max: 64,
            tickets_max: 256,
            packet_size_max: 1452,
            segments_max: 1,
            events_max: 65_536,
        }
    }

    /// Bytes in the largest frame, its length not counted.
    pub fn frame_bytes_max(&self) -> usize {
        self.message_bytes_max.saturating_add(HEAD_SIZE_MAX)
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    ///
    /// [`SettingError`], which names the setting and what is allowed.
    pub fn check(&self) -> Result<(), SettingError> {
        let any = usize::MAX as u128;
        let frame = self.frame_bytes_max() as u128;
        let (milli, hour) = (1_000_000, 3_600_000_000_000);
        let idle = self.idle_timeout.as_nanos();
        let idle_or_ever = if idle == 0 { 24 * hour } else { idle - 1 };
        let or_zero = |span: Duration| if span.is_zero() { 0 } else { milli };
        for (name, value, least, most) in [
            ("alpn", self.alpn.len() as u128, 1, 255),
            ("message_bytes_max", self.message_bytes_max as u128, 1, 1 << 30),
            (
                "receive_bytes_max",
                self.receive_bytes_max as u128,
                self.connection_receive_bytes_max as u128,
                any,
            ),
            (
                "receive_messages_max",
                self.receive_messages_max as u128,
                self.connection_receive_messages_max as u128,
                any,
            ),
            ("connection_receive_bytes_max", self.connection_receive_bytes_max as u128, frame, any),
            (
                "connection_receive_messages_max",
                self.connection_receive_messages_max as u128,
                1,
                any,
            ),
            ("send_queue_bytes_max", self.send_queue_bytes_max as u128, 1, any),
            ("send_window_bytes", self.send_window_bytes as u128, 1 << 14, 1 << 40),
            ("stream_window_bytes", u128::from(self.stream_window_bytes), 1 << 14, 1 << 31),
            ("connection_window_bytes", u128::from(self.connection_window_bytes), 1 << 14, 1 << 31),
            ("idle_timeout", idle, or_zero(self.idle_timeout), 24 * hour),
            ("keep_alive", self.keep_alive.as_nanos(), or_zero(self.keep_alive), idle_or_ever),
            ("dial_timeout", self.dial_timeout.as_nanos(), 100 * milli, hour),
            ("accept_timeout", self.accept_timeout.as_nanos(), milli, hour),
            ("drain_timeout", self.drain_timeout.as_nanos(), 0, hour),
            ("loss_tolerance_percent", u128::from(self.loss_tolerance_percent), 2, 50),
            ("half_open_free_max", self.half_open_free_max as u128, 0, any),
            ("half_open_max", self.half_open_max as u128, 1, MEMBERS_MAX as u128),
            ("tickets_max", self.tickets_max as u128, 0, 1 << 20),
            ("packet_size_max", u128::from(self.packet_size_max), 1_200, 65_507),
            ("segments_max", self.segments_max as u128, 1, BATCH_SEGMENTS_MAX as u128),
            ("events_max", self.events_max as u128, 16, any),
        ] {
            if !(least..=most).contains(&value) {
                return Err(SettingError { name, value, least, most });
            }
        }
        Ok(())
    }
}

/// A setting that cannot work. Times are in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}; allowed is {least} to {most}")]
pub struct SettingError {
    /// The field of `QuicConfig`.
    pub name: &'static str,
    /// What it is; of texts, their bytes.
    pub value: u128,
    /// The least allowed.
    pub least: u128,
    /// The most allowed.
    pub most: u128,
}

/// Why there can be no QUIC channels with these settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuicError {
    /// A setting is out of its range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// One of the PEM texts holds nothing of its kind, or is damaged.
    #[error("{what}: {why}")]
    Pem {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Certificate and key do not work, or not together.
    #[error("the certificate or its key cannot be used: {0}")]
    Certificate(String),
    /// An authority cannot be one.
    #[error("an authority's certificate cannot be used: {0}")]
    Authority(String),
    /// The engine that is to drive it refuses.
    #[error("{0}")]
    Engine(Error),
}

impl From<QuicError> for Error {
    fn from(error: QuicError) -> Error {
        match error {
            QuicError::Engine(error) => error,
            QuicError::Setting(_)
            | QuicError::Pem { .. }
            | QuicError::Certificate(_)
            | QuicError::Authority(_) => Error::InvalidArgument,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> QuicConfig {
        let identity = Identity::from_seed([1; 32]);
        QuicConfig::new(Trust::RawKeys { identity, peers: Vec::new() })
    }

    #[test]
    fn defaults_are_good() {
        assert_eq!(config().check(), Ok(()));
    }

    #[test]
    fn a_receive_limit_below_the_largest_frame_is_refused() {
        let mut config = config();
        config.connection_receive_bytes_max = config.frame_bytes_max();
        assert_eq!(config.check(), Ok(()));
        config.connection_receive_bytes_max -= 1;
        let error = config.check().expect_err("it would never be received");
        assert_eq!(error.name, "connection_receive_bytes_max");
        assert_eq!(error.least, config.frame_bytes_max() as u128);
    }

    #[test]
    fn keep_alives_must_come_before_the_idle_timeout() {
        let mut config = config();
        config.keep_alive = config.idle_timeout;
        assert_eq!(config.check().expect_err("too late").name, "keep_alive");
    }
}
