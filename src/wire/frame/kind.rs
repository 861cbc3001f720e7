//! The table of message types: number, name, where each may be, whether it asks for an answer.
// spec: 8.2 table

use crate::id::Level;

/// What a packet is, as far as it decides which messages may be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A long packet of this level.
    Long(Level),
    /// A short packet.
    Short,
}

impl Place {
    #[inline]
    const fn bit(self) -> u8 {
        match self {
            Place::Long(Level::Initial) => INITIAL,
            Place::Long(Level::Handshake) => HANDSHAKE,
            Place::Long(Level::Early) => EARLY,
            Place::Short => SHORT,
        }
    }
}

const INITIAL: u8 = 1;
const HANDSHAKE: u8 = 1 << 1;
const EARLY: u8 = 1 << 2;
const SHORT: u8 = 1 << 3;
const NOT_EARLY: u8 = INITIAL | HANDSHAKE | SHORT;
const EVERYWHERE: u8 = NOT_EARLY | EARLY;

/// Whether a packet with the message asks for an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asks {
    /// Not because of this message.
    No,
    /// Yes, when the receiver's rules say.
    Yes,
    /// Yes, without delay.
    AtOnce,
}

/// Declares the enum and its views from one list.
macro_rules! kinds {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $code:literal, $name:literal, $places:expr, $asks:ident;
    )+) => {
        /// The type of a message.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $( $(#[doc = $doc])+ $variant = $code, )+
        }

        impl Kind {
            /// Every type, by rising number.
            pub const ALL: &'static [Kind] = &[ $( Kind::$variant, )+ ];

            /// The type with this number, if there is one.
            #[inline]
            pub const fn from_code(code: u64) -> Option<Kind> {
                match code {
                    $( $code => Some(Kind::$variant), )+
                    _ => None,
                }
            }

            /// Its name on the protocol page.
            pub const fn name(self) -> &'static str {
                match self { $( Kind::$variant => $name, )+ }
            }

            /// Whether a packet with it asks for an acknowledgement.
            #[inline]
            pub const fn asks(self) -> Asks {
                match self { $( Kind::$variant => Asks::$asks, )+ }
            }

            #[inline]
            const fn places(self) -> u8 {
                match self { $( Kind::$variant => $places, )+ }
            }
        }
    };
}

kinds! {
    /// Fills a packet up.
    Padding = 0, "PADDING", EVERYWHERE, No;
    /// Asks for an acknowledgement without delay.
    Ping = 1, "PING", EVERYWHERE, AtOnce;
    /// Says which packets were opened.
    Ack = 2, "ACK", NOT_EARLY, No;
    /// The same, with counts of the marks that the network put on them.
    AckEcn = 3, "ACK_ECN", NOT_EARLY, No;
    /// Bytes of the TLS handshake.
    Crypto = 4, "CRYPTO", NOT_EARLY, Yes;
    /// Ends the connection.
    ConnectionClose = 5, "CONNECTION_CLOSE", NOT_EARLY, No;
    /// Says how often to acknowledge.
    AckRate = 6, "ACK_RATE", SHORT, Yes;
    /// Opens a channel.
    ChannelNew = 10, "CHANNEL_NEW", EARLY | SHORT, Yes;
    /// Accepts one.
    ChannelAccept = 11, "CHANNEL_ACCEPT", SHORT, Yes;
    /// Ends the sender's direction of a channel.
    ChannelClose = 12, "CHANNEL_CLOSE", EARLY | SHORT, Yes;
    /// Ends both at once.
    ChannelReset = 13, "CHANNEL_RESET", SHORT, Yes;
    /// Allows channels.
    MaxChannels = 14, "MAX_CHANNELS", SHORT, Yes;
    /// Says that more would be opened.
    ChannelsBlocked = 15, "CHANNELS_BLOCKED", SHORT, Yes;
    /// Bytes of an application message.
    Data = 20, "DATA", EARLY | SHORT, Yes;
    /// Says which application messages do not come any more.
    DataSkip = 21, "DATA_SKIP", SHORT, Yes;
    /// Allows bytes on a channel.
    MaxChannelData = 22, "MAX_CHANNEL_DATA", SHORT, Yes;
    /// Allows bytes on all channels together.
    MaxData = 23, "MAX_DATA", SHORT, Yes;
    /// Says that more would be sent on a channel.
    ChannelDataBlocked = 24, "CHANNEL_DATA_BLOCKED", SHORT, Yes;
    /// Says that more would be sent.
    DataBlocked = 25, "DATA_BLOCKED", SHORT, Yes;
    /// Gives the peer a token for a path.
    NewToken = 30, "NEW_TOKEN", SHORT, Yes;
    /// Asks whether the peer is where this goes.
    PathChallenge = 31, "PATH_CHALLENGE", SHORT, Yes;
    /// Says so.
    PathResponse = 32, "PATH_RESPONSE", SHORT, Yes;
    /// Says whether to send on a path.
    PathStatus = 33, "PATH_STATUS", SHORT, Yes;
    /// Ends a path.
    PathAbandon = 34, "PATH_ABANDON", SHORT, Yes;
    /// Says where the peer is seen.
    ObservedAddress = 35, "OBSERVED_ADDRESS", SHORT, Yes;
    /// Says where the sender may be reached.
    AddressOffer = 36, "ADDRESS_OFFER", SHORT, Yes;
}

impl Kind {
    /// Its number.
    #[inline]
    pub const fn code(self) -> u64 {
        self as u64
    }

    /// Whether a packet like this may hold it.
    #[inline]
    pub const fn is_allowed_at(self, place: Place) -> bool {
        self.places() & place.bit() != 0
    }

    /// Whether a packet with nothing but messages of this type counts as in flight.
    // spec: 13.1 what belongs to a path
    #[inline]
    pub const fn is_in_flight(self) -> bool {
        match self.asks() {
            Asks::Yes | Asks::AtOnce => true,
            Asks::No => matches!(self, Kind::Padding),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_others_are_no_type() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(*kind));
        }
        for code in [7, 16, 26, 37, 63, 64, 95, 256 + 20, u64::MAX] {
            assert_eq!(Kind::from_code(code), None);
        }
    }

    // spec: 13.1 what belongs to a path
    #[test]
    fn only_acks_and_close_are_not_in_flight() {
        let idle = [Kind::Ack, Kind::AckEcn, Kind::ConnectionClose];
        for kind in Kind::ALL {
            assert_eq!(kind.is_in_flight(), !idle.contains(kind), "{kind:?}");
        }
    }
}
