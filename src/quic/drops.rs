//! Why something was dropped or turned away, counted by reason.

use super::message::FrameError;

/// Declares the reasons and their names from one list.
macro_rules! reasons {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal; )+) => {
        /// Why a datagram, handshake, peer, frame or message of others was not taken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(usize)]
        pub enum QuicDrop {
            $( $(#[doc = $doc])+ $variant, )+
        }

        impl QuicDrop {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [QuicDrop] = &[ $( QuicDrop::$variant, )+ ];

            /// Its name in the C API and in logs.
            pub const fn name(self) -> &'static str {
                match self { $( QuicDrop::$variant => $name, )+ }
            }
        }
    };
}

reasons! {
    /// A datagram while the event queue was full: the owner does not drain it.
    EventQueueFull = "event_queue_full";
    /// A datagram from a banned address.
    AddressBanned = "address_banned";
    /// A datagram of no connection that is known here, and that begins none; or of no form at all.
    UnknownConnection = "unknown_connection";
    /// An answer to a stranger, because too many waited to be sent.
    ReplyQueueFull = "reply_queue_full";
    /// A handshake, because too many others are not finished, or there are too many connections.
    HandshakeLimit = "handshake_limit";
    /// A handshake whose first packet was not what it must be.
    HandshakeInvalid = "handshake_invalid";
    /// A peer that is banned.
    PeerBanned = "peer_banned";
    /// A peer that is not known, where nobody is asked.
    PeerUnknown = "peer_unknown";
    /// A peer that the owner refused, or did not accept in time.
    PeerRefused = "peer_refused";
    /// A peer that is not who was dialled, that showed no key, or that showed ours.
    PeerMistaken = "peer_mistaken";
    /// A frame longer than is taken.
    FrameTooLong = "frame_too_long";
    /// A frame of no bytes.
    FrameEmpty = "frame_empty";
    /// A frame that ended within its head.
    FrameTruncated = "frame_truncated";
    /// A frame of an unknown kind.
    FrameUnknownVariant = "frame_unknown_variant";
    /// A frame with a label of more than 256 bytes.
    FrameLabelTooLong = "frame_label_too_long";
    /// A frame whose label is not UTF-8.
    FrameLabelNotText = "frame_label_not_text";
    /// A frame that the end of its stream cut.
    FrameCut = "frame_cut";
    /// A frame for which its peer's unfinished messages left no room.
    FrameTooMuch = "frame_too_much";
    /// A message that was cut because its stream was reset, or its connection ended.
    MessageCut = "message_cut";
}

/// Reasons that there are.
pub const QUIC_DROPS: usize = QuicDrop::ALL.len();

impl QuicDrop {
    /// The reason of a refused frame.
    pub(super) const fn of_frame(error: FrameError) -> QuicDrop {
        match error {
            FrameError::TooLong => QuicDrop::FrameTooLong,
            FrameError::Empty => QuicDrop::FrameEmpty,
            FrameError::Truncated => QuicDrop::FrameTruncated,
            FrameError::UnknownVariant => QuicDrop::FrameUnknownVariant,
            FrameError::LabelTooLong => QuicDrop::FrameLabelTooLong,
            FrameError::LabelNotText => QuicDrop::FrameLabelNotText,
            FrameError::Cut => QuicDrop::FrameCut,
            FrameError::TooMuch => QuicDrop::FrameTooMuch,
        }
    }
}
