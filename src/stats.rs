//! Counters: what was done, and everything that was dropped, by reason.

use std::time::Duration;

/// Declares the reasons, their names and texts from one list.
macro_rules! drop_reasons {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal; )+) => {
        /// Why something received was dropped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(usize)]
        pub enum DropReason {
            $( $(#[doc = $doc])+ $variant, )+
        }

        impl DropReason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [DropReason] = &[ $( DropReason::$variant, )+ ];

            /// Its name in the C header and in logs.
            pub const fn name(self) -> &'static str {
                match self { $( DropReason::$variant => $name, )+ }
            }
        }
    };
}

drop_reasons! {
    /// First bytes of no protocol of ours.
    UnknownProtocol = "unknown_protocol";
    /// A v0 packet while `legacy` is off.
    LegacyOff = "legacy_off";
    /// Shorter than its envelope, or a size field that contradicts the datagram.
    MalformedPacket = "malformed_packet";
    /// The checksum does not match.
    BadChecksum = "bad_checksum";
    /// The ENCRYPTED flag is set, and v0 has no keys.
    Encrypted = "encrypted";
    /// Addressed to another peer id.
    WrongRecipient = "wrong_recipient";
    /// From a peer id that cannot be a peer: our own.
    WrongSender = "wrong_sender";
    /// The peer or its address is banned.
    Banned = "banned";
    /// A message cut short, or with a length past the packet; the rest of the packet went with it.
    MalformedMessage = "malformed_message";
    /// A message type that we do not know; the rest of the packet went with it.
    UnknownMessage = "unknown_message";
    /// A channel id with a missing half where both are needed, or the reverse.
    InvalidChannelId = "invalid_channel_id";
    /// A message on a channel where it has no place (data on the default channel).
    Misplaced = "misplaced";
    /// Data for a channel that is unknown or not established.
    UnknownChannel = "unknown_channel";
    /// ACKNOWLEDGE, FINALIZE or COOKIE whose cookie is not ours, or too old.
    BadCookie = "bad_cookie";
    /// An ACKNOWLEDGE or FINALIZE that changes nothing any more.
    Duplicate = "duplicate";
    /// Both sides opened with the same half: both drop, and ours is tried again with a new one.
    SimultaneousOpen = "simultaneous_open";
    /// An answer would have been larger than the question.
    Amplification = "amplification";
    /// The table of connections is full and nothing in it may be evicted.
    ConnectionLimit = "connection_limit";
    /// One source address has all the connections it may have.
    AddressLimit = "address_limit";
    /// The table of channels of the connection or node is full.
    ChannelLimit = "channel_limit";
    /// We do not accept connections that we did not begin, or the application refused this one.
    Refused = "refused";
    /// The queue of answers to strangers is full.
    ReplyQueueFull = "reply_queue_full";
    /// A receive queue is full.
    ReceiveQueueFull = "receive_queue_full";
    /// The event queue is full: the owner does not drain it.
    EventQueueFull = "event_queue_full";
    /// v1: sealed with other keys than ours, or changed on the way.
    NotOpened = "not_opened";
    /// v1: a packet whose number was seen before, or too long ago to know.
    Replayed = "replayed";
    /// v1: a short packet whose token is none of ours.
    UnknownToken = "unknown_token";
    /// v1: a packet of a handshake that is not known here, and begins none.
    UnknownAttempt = "unknown_attempt";
    /// v1: a late copy of a handshake that is done.
    FinishedAttempt = "finished_attempt";
    /// v1: a first packet without a cookie while one is needed; it was asked for.
    CookieAsked = "cookie_asked";
    /// v1: too many handshakes are half-open, in all or from there, or too many were forged.
    HalfOpenLimit = "half_open_limit";
    /// v1: early data that is not taken.
    EarlyRefused = "early_refused";
    /// v1: more than may wait for its keys.
    TooEarly = "too_early";
}

/// Counters of a node since its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStats {
    /// Datagrams received, dropped ones included.
    pub datagrams_received: u64,
    /// Bytes of UDP payload received.
    pub bytes_received: u64,
    /// Datagrams handed to the network.
    pub datagrams_sent: u64,
    /// Bytes of UDP payload handed to the network.
    pub bytes_sent: u64,
    /// Messages delivered or queued for delivery.
    pub messages_received: u64,
    /// Messages accepted from the application.
    pub messages_sent: u64,
    /// Connections now.
    pub connections: u64,
    /// Channels now, pending ones included.
    pub channels: u64,
    /// Bytes waiting to be sent now.
    pub send_queue_bytes: u64,
    /// Message bytes waiting to be read now.
    pub receive_queue_bytes: u64,
    /// Dropped, by [`DropReason`] in the order of `DropReason::ALL`.
    pub dropped: [u64; DropReason::ALL.len()],
}

impl Default for NodeStats {
    fn default() -> NodeStats {
        NodeStats {
            datagrams_received: 0,
            bytes_received: 0,
            datagrams_sent: 0,
            bytes_sent: 0,
            messages_received: 0,
            messages_sent: 0,
            connections: 0,
            channels: 0,
            send_queue_bytes: 0,
            receive_queue_bytes: 0,
            dropped: [0; DropReason::ALL.len()],
        }
    }
}

impl NodeStats {
    /// How many were dropped for `reason`.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Adds another part of the node's counters.
    pub(crate) fn add(&mut self, other: &NodeStats) {
        self.datagrams_received += other.datagrams_received;
        self.bytes_received += other.bytes_received;
        self.datagrams_sent += other.datagrams_sent;
        self.bytes_sent += other.bytes_sent;
        self.messages_received += other.messages_received;
        self.messages_sent += other.messages_sent;
        self.connections += other.connections;
        self.channels += other.channels;
        self.send_queue_bytes += other.send_queue_bytes;
        self.receive_queue_bytes += other.receive_queue_bytes;
        for (count, more) in self.dropped.iter_mut().zip(&other.dropped) {
            *count += more;
        }
    }

    /// How many were dropped in all.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

/// Counters of a connection since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionStats {
    /// Datagrams received from the peer.
    pub datagrams_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Datagrams built for the peer.
    pub datagrams_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Channels now, pending ones included.
    pub channels: u64,
    /// The smoothed round-trip time; zero before it is known, and in v0, as all that follows but
    /// `packet_size` and the queues.
    pub rtt: Duration,
    /// How much it varies.
    pub rtt_variation: Duration,
    /// The least round-trip time seen.
    pub rtt_min: Duration,
    /// Bytes that may be in flight now.
    pub congestion_window_bytes: u64,
    /// Bytes sent that are neither acknowledged nor lost.
    pub in_flight_bytes: u64,
    /// At most so many bytes leave in a second; 0: the window alone limits.
    pub pacing_rate_bytes: u64,
    /// Largest packet that leaves now, in bytes of UDP payload.
    pub packet_size: u64,
    /// Packets sent; those of the handshake are not among them.
    pub packets_sent: u64,
    /// Packets declared lost on the way to the peer.
    pub packets_lost: u64,
    /// Bytes of packets declared lost on the way to the peer.
    pub bytes_lost: u64,
    /// Packets declared lost that came to be acknowledged after all; `packets_lost` counts them.
    pub packets_lost_spuriously: u64,
    /// Bytes of messages sent again because packets with them were lost.
    pub bytes_resent: u64,
    /// Bytes waiting to be sent now, of all channels.
    pub send_queue_bytes: u64,
    /// Bytes received and not read now, of all channels, of messages with holes too.
    pub receive_queue_bytes: u64,
    /// Bytes that we may still send before the peer grants more, over all channels.
    pub send_credit_bytes: u64,
    /// Whether packets are marked for explicit congestion notification.
    pub ecn: EcnState,
}

/// Whether a path carries marks of explicit congestion notification (ECN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EcnState {
    /// Packets leave unmarked: v0, or a socket that cannot.
    #[default]
    Off,
    /// Packets leave marked, and whether the marks arrive is not known yet.
    Testing,
    /// The peer sees the marks.
    Capable,
    /// The path drops or changes marks: packets leave unmarked.
    Failed,
}

/// Counters of a channel since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChannelStats {
    /// Messages accepted from the application.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Messages dropped: received ones because the receive queue was full, sent ones because the
    /// path's packet size shrank below them while the channel was opening.
    pub messages_dropped: u64,
    /// Bytes waiting to be sent now, envelopes included; in modes that resend, also those sent and
    /// not acknowledged.
    pub send_queue_bytes: u64,
    /// Messages waiting to be sent now. In v0 packets.
    pub send_queue_messages: u64,
    /// Message bytes waiting to be read now; in v1 also those of messages with holes.
    pub receive_queue_bytes: u64,
    /// Messages that can be read now.
    pub receive_queue_messages: u64,
    /// Messages of ours given up: lost, or expired. v0 does not know.
    pub messages_lost: u64,
    /// Messages of the peer's that will never come. v0 does not know.
    pub messages_skipped: u64,
    /// Bytes of messages sent again because packets with them were lost. v0 resends nothing.
    pub bytes_resent: u64,
    /// Bytes that we may still send before the peer grants more; v0 has no flow control: 0.
    pub send_credit_bytes: u64,
    /// Bytes that the peer may still send before we grant more; in v0 0.
    pub receive_credit_bytes: u64,
    /// Our receive window now: unread bytes that stop the peer; in v0 0.
    pub receive_window_bytes: u64,
}
