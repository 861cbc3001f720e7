//! Settings of QUIC channels.

use std::ffi::c_char;
use std::time::Duration;

use super::guard::{self, Failure, Versioned, fail, guard};
use super::options::{
    CHANNELER_CONGESTION_BBR2, CHANNELER_CONGESTION_CUBIC, CHANNELER_CONGESTION_NEWRENO,
};
use crate::config::Congestion;
use crate::crypto::Identity;
use crate::error::Error;
use crate::quic::{Certificates, QuicConfig, StreamPolicy, Trust};

/// All messages to a peer arrive in the order they were sent (default).
pub const CHANNELER_QUIC_ORDERED: u32 = 0;
/// Messages arrive in order within each channel, and a lost packet stalls no other channel.
pub const CHANNELER_QUIC_PER_CHANNEL: u32 = 1;

/// Settings of QUIC channels. Fill with `channeler_quic_options_init`, then change what you need.
///
/// Durations are in nanoseconds; switches are 0 (off) or 1 (on). A setting out of its range makes
/// `channeler_quic_open` fail with `CHANNELER_ERR_INVALID_ARGUMENT`, and `channeler_last_error`
/// then names the setting and its range.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_quic_options {
    /// `sizeof(channeler_quic_options)`, as the caller was compiled.
    pub struct_size: usize,
    /// `CHANNELER_QUIC_ORDERED` (default) or `CHANNELER_QUIC_PER_CHANNEL`. Peers need not agree.
    pub streams: u32,
    /// `CHANNELER_CONGESTION_*`. Default as `congestion` of `channeler_options`.
    pub congestion: u32,
    /// Whether peers that we did not dial may connect. Default 1.
    pub accept_incoming: u32,
    /// Whether a `CHANNELER_QUIC_EVENT_REQUEST` asks about peers that are not known. Default 0:
    /// they are refused; with certificates, those that have one of the authorities are accepted.
    pub ask_before_accept: u32,
    /// PEM text of our certificate, and behind it those between it and an authority. NULL
    /// (default): no certificates; both sides show their raw public keys, and the node's identity
    /// is ours.
    pub certificate_chain: *const c_char,
    /// PEM text of the private key of our certificate. NULL without certificates.
    pub private_key: *const c_char,
    /// PEM text of the certificates of the authorities that peers must have theirs from. NULL
    /// without certificates.
    pub authorities: *const c_char,
    /// The name that certificates of peers that we dial must have. NULL: their IP address.
    pub server_name: *const c_char,
    /// The application protocol that both sides must name. NULL: `channeler-quic/1`.
    pub application_protocol: *const c_char,
    /// The largest message sent or taken, in bytes. Default 16 MiB; 1 to 1 GiB.
    pub message_bytes_max: u64,
    /// Bytes of messages, of unfinished ones too, kept for `channeler_quic_receive`. At the limit
    /// peers are held back. Default 256 MiB; at least `connection_receive_bytes_max`.
    pub receive_bytes_max: u64,
    /// The same in messages. Default 65536; at least `connection_receive_messages_max`.
    pub receive_messages_max: u64,
    /// The same of one connection, in bytes. Default 64 MiB; at least `message_bytes_max` and 291.
    pub connection_receive_bytes_max: u64,
    /// The same of one connection, in messages. Default 16384.
    pub connection_receive_messages_max: u64,
    /// Bytes queued for one peer at which sends are `CHANNELER_ERR_WOULD_BLOCK`. Default 1 MiB.
    pub send_queue_bytes_max: u64,
    /// A connection ends after this long without a packet from the peer. Default 30 s; 0: never.
    pub idle_timeout_ns: u64,
    /// How often a silent peer is asked for a sign of life. Default 0: never; else less than
    /// `idle_timeout_ns`.
    pub keep_alive_ns: u64,
    /// When a handshake is given up. Default 10 s; 100 ms to an hour.
    pub dial_timeout_ns: u64,
    /// How long a `CHANNELER_QUIC_EVENT_REQUEST` may stay unanswered. Default 5 s; 1 ms to an hour.
    pub accept_timeout_ns: u64,
    /// How long a connection that is closed, or evicted, may take to send what it has. Default 5 s;
    /// at most an hour.
    pub drain_timeout_ns: u64,
}

/// Fills `options` with the defaults.
///
/// `struct_size` is `sizeof(channeler_quic_options)` as the caller was compiled.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`options` is NULL, or `struct_size` is no multiple of
/// the size of a pointer from that of two pointers to 4096). Thread: any.
///
/// # Safety
/// `options` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_quic_options_init(
    options: *mut channeler_quic_options,
    struct_size: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `struct_size` writable bytes.
        unsafe { guard::init_versioned(options, struct_size, "options") }
    })
}

// SAFETY: repr(C), begins with `struct_size`, has no padding; a pointer is null where the caller's
// struct ends before it, and else what the caller promises to be one.
unsafe impl Versioned for channeler_quic_options {
    const SIZE_MIN: usize = 2 * size_of::<usize>();

    fn new(struct_size: usize) -> channeler_quic_options {
        // The identity is not part of the defaults.
        let trust = Trust::RawKeys { identity: Identity::from_seed([1; 32]), peers: Vec::new() };
        let config = QuicConfig::new(trust);
        let nanos = |span: Duration| span.as_nanos() as u64;
        channeler_quic_options {
            struct_size,
            streams: CHANNELER_QUIC_ORDERED,
            congestion: match config.congestion {
                Congestion::Cubic => CHANNELER_CONGESTION_CUBIC,
                Congestion::NewReno => CHANNELER_CONGESTION_NEWRENO,
                Congestion::Bbr2 => CHANNELER_CONGESTION_BBR2,
            },
            accept_incoming: config.accept_incoming.into(),
            ask_before_accept: config.ask_before_accept.into(),
            certificate_chain: std::ptr::null(),
            private_key: std::ptr::null(),
            authorities: std::ptr::null(),
            server_name: std::ptr::null(),
            application_protocol: std::ptr::null(),
            message_bytes_max: config.message_bytes_max as u64,
            receive_bytes_max: config.receive_bytes_max as u64,
            receive_messages_max: config.receive_messages_max as u64,
            connection_receive_bytes_max: config.connection_receive_bytes_max as u64,
            connection_receive_messages_max: config.connection_receive_messages_max as u64,
            send_queue_bytes_max: config.send_queue_bytes_max as u64,
            idle_timeout_ns: nanos(config.idle_timeout),
            keep_alive_ns: nanos(config.keep_alive),
            dial_timeout_ns: nanos(config.dial_timeout),
            accept_timeout_ns: nanos(config.accept_timeout),
            drain_timeout_ns: nanos(config.drain_timeout),
        }
    }
}

/// The texts that the options point to.
pub(super) struct Texts<'a> {
    chain: Option<&'a str>,
    key: Option<&'a str>,
    authorities: Option<&'a str>,
    server_name: Option<&'a str>,
    protocol: Option<&'a str>,
}

impl channeler_quic_options {
    /// Reads the texts.
    ///
    /// # Safety
    /// Each of the pointers is null or ends with a zero byte, and nobody changes it for `'a`.
    pub(super) unsafe fn texts<'a>(&self) -> Result<Texts<'a>, Failure> {
        // SAFETY: promised by the caller, for each of the five.
        let chain = unsafe { guard::text_or_none(self.certificate_chain, "certificate_chain") }?;
        // SAFETY: as above.
        let key = unsafe { guard::text_or_none(self.private_key, "private_key") }?;
        // SAFETY: as above.
        let authorities = unsafe { guard::text_or_none(self.authorities, "authorities") }?;
        // SAFETY: as above.
        let server_name = unsafe { guard::text_or_none(self.server_name, "server_name") }?;
        // SAFETY: as above.
        let protocol =
            unsafe { guard::text_or_none(self.application_protocol, "application_protocol") }?;
        Ok(Texts { chain, key, authorities, server_name, protocol })
    }

    /// The settings that these are, with `identity` for what has no certificates.
    pub(super) fn to_config(
        self,
        texts: &Texts<'_>,
        identity: impl FnOnce() -> Result<Identity, Failure>,
    ) -> Result<QuicConfig, Failure> {
        let mut config = QuicConfig::new(trust(texts, identity)?);
        config.streams = match self.streams {
            CHANNELER_QUIC_ORDERED => StreamPolicy::Ordered,
            CHANNELER_QUIC_PER_CHANNEL => StreamPolicy::PerChannel,
            other => {
                let text = format!(
                    "streams is {other}; allowed is CHANNELER_QUIC_ORDERED and _PER_CHANNEL"
                );
                return Err(fail(Error::InvalidArgument, text));
            }
        };
        config.congestion = match self.congestion {
            CHANNELER_CONGESTION_CUBIC => Congestion::Cubic,
            CHANNELER_CONGESTION_NEWRENO => Congestion::NewReno,
            CHANNELER_CONGESTION_BBR2 => Congestion::Bbr2,
            other => {
                let text = format!("congestion is {other}; allowed is CHANNELER_CONGESTION_*");
                return Err(fail(Error::InvalidArgument, text));
            }
        };
        config.accept_incoming = switch("accept_incoming", self.accept_incoming)?;
        config.ask_before_accept = switch("ask_before_accept", self.ask_before_accept)?;
        if let Some(protocol) = texts.protocol {
            config.alpn = protocol.as_bytes().to_vec();
        }
        // More than the address space holds is as good as no limit.
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        config.message_bytes_max = size(self.message_bytes_max);
        config.receive_bytes_max = size(self.receive_bytes_max);
        config.receive_messages_max = size(self.receive_messages_max);
        config.connection_receive_bytes_max = size(self.connection_receive_bytes_max);
        config.connection_receive_messages_max = size(self.connection_receive_messages_max);
        config.send_queue_bytes_max = size(self.send_queue_bytes_max);
        config.idle_timeout = Duration::from_nanos(self.idle_timeout_ns);
        config.keep_alive = Duration::from_nanos(self.keep_alive_ns);
        config.dial_timeout = Duration::from_nanos(self.dial_timeout_ns);
        config.accept_timeout = Duration::from_nanos(self.accept_timeout_ns);
        config.drain_timeout = Duration::from_nanos(self.drain_timeout_ns);
        Ok(config)
    }
}

fn trust(
    texts: &Texts<'_>,
    identity: impl FnOnce() -> Result<Identity, Failure>,
) -> Result<Trust, Failure> {
    match (texts.chain, texts.key, texts.authorities) {
        (Some(chain), Some(key), Some(authorities)) => Ok(Trust::Certificates(Certificates {
            chain: chain.into(),
            key: key.as_bytes().to_vec().into(),
            authorities: authorities.into(),
            server_name: texts.server_name.map(str::to_owned),
        })),
        (None, None, None) => Ok(Trust::RawKeys { identity: identity()?, peers: Vec::new() }),
        _ => {
            let text = "of certificate_chain, private_key and authorities some are NULL; allowed \
                        is all or none";
            Err(fail(Error::InvalidArgument, text))
        }
    }
}

fn switch(name: &str, value: u32) -> Result<bool, Failure> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        other => {
            Err(fail(Error::InvalidArgument, format!("{name} is {other}; allowed is 0 and 1")))
        }
    }
}
