//! Error codes of protocol v1: why a connection, a channel or a path ended.

/// Declares an enum of codes and its views from one list.
macro_rules! codes {
    (
        $(#[$meta:meta])* $enum:ident;
        $( $(#[doc = $doc:literal])+ $variant:ident = $code:literal, $name:literal; )+
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $enum {
            $( $(#[doc = $doc])+ $variant = $code, )+
        }

        impl $enum {
            /// Every code, by rising number.
            pub const ALL: &'static [$enum] = &[ $( $enum::$variant, )+ ];

            /// Its number on the wire.
            pub const fn code(self) -> u64 {
                self as u64
            }

            /// What the number means, if it means anything.
            pub const fn from_code(code: u64) -> Option<$enum> {
                match code {
                    $( $code => Some($enum::$variant), )+
                    _ => None,
                }
            }

            /// Its name on the protocol page.
            pub const fn name(self) -> &'static str {
                match self { $( $enum::$variant => $name, )+ }
            }
        }
    };
}

codes! {
    /// Why a connection ends, in CONNECTION_CLOSE with source 0, TLS alerts apart.
    // spec: 17.1 connection
    ConnectionCode;
    /// Graceful.
    None = 0, "NONE";
    /// A bug or exhausted resource of the sender.
    Internal = 1, "INTERNAL";
    /// Banned, or the application said no.
    Refused = 2, "REFUSED";
    /// The key is not of the asked peer, or not acceptable.
    Identity = 3, "IDENTITY";
    /// Another connection with the same peer stays.
    Superseded = 4, "SUPERSEDED";
    /// Transport parameters bad.
    Parameter = 5, "PARAMETER";
    /// A message could not be decoded.
    Encoding = 6, "ENCODING";
    /// A rule was broken that has no code of its own.
    Protocol = 7, "PROTOCOL";
    /// A limit of flow control was passed, or positions contradict.
    FlowControl = 8, "FLOW_CONTROL";
    /// A channel id above the limit.
    ChannelLimit = 9, "CHANNEL_LIMIT";
    /// A message that the state of the channel forbids.
    ChannelState = 10, "CHANNEL_STATE";
    /// An application message above `message_max`.
    TooLarge = 11, "TOO_LARGE";
    /// Too much CRYPTO.
    CryptoBuffer = 12, "CRYPTO_BUFFER";
    /// The rules of key updates were broken.
    KeyUpdate = 13, "KEY_UPDATE";
    /// Too many packets that failed to open.
    AeadLimit = 14, "AEAD_LIMIT";
    /// No path left.
    NoPath = 15, "NO_PATH";
}

codes! {
    /// Why a channel is reset, in CHANNEL_RESET with source 0.
    // spec: 17.2 channel
    ChannelCode;
    /// Aborted without a reason.
    Cancelled = 0, "CANCELLED";
    /// The accepting side does not want it.
    Refused = 1, "REFUSED";
    /// Capability bits not known.
    Unsupported = 2, "UNSUPPORTED";
    /// A message was given up in a mode that closes on loss.
    Loss = 3, "LOSS";
    /// Memory budget.
    Resources = 4, "RESOURCES";
    /// Opened in early data that the responder cannot use.
    Early = 5, "EARLY";
}

codes! {
    /// Why a path is abandoned, in PATH_ABANDON.
    // spec: 17.3 path
    PathCode;
    /// Not needed any more.
    None = 0, "NONE";
    /// Validation failed, or failed too long.
    Unreachable = 1, "UNREACHABLE";
    /// Another path has the same addresses.
    Duplicate = 2, "DUPLICATE";
    /// No room for a path.
    Limit = 3, "LIMIT";
    /// The interface or address went away.
    Gone = 4, "GONE";
}

/// Why a connection ends, in CONNECTION_CLOSE with source 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// A code of this protocol.
    Protocol(ConnectionCode),
    /// A TLS alert.
    Tls(u8),
}

impl CloseCode {
    /// The code of TLS alert 0; alert `a` is `a` above it.
    pub const TLS_FIRST: u64 = 256;

    /// Its number on the wire.
    pub const fn code(self) -> u64 {
        match self {
            CloseCode::Protocol(code) => code.code(),
            CloseCode::Tls(alert) => CloseCode::TLS_FIRST + alert as u64,
        }
    }

    /// What the number means; one that is not known means PROTOCOL.
    pub const fn from_code(code: u64) -> CloseCode {
        if code >= CloseCode::TLS_FIRST && code <= CloseCode::TLS_FIRST + u8::MAX as u64 {
            return CloseCode::Tls((code - CloseCode::TLS_FIRST) as u8);
        }
        CloseCode::Protocol(match ConnectionCode::from_code(code) {
            Some(code) => code,
            None => ConnectionCode::Protocol,
        })
    }
}

impl From<ConnectionCode> for CloseCode {
    fn from(code: ConnectionCode) -> CloseCode {
        CloseCode::Protocol(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: 17.1 connection
    #[test]
    fn connection_codes_come_back_and_unknown_ones_are_protocol() {
        for code in ConnectionCode::ALL {
            assert_eq!(CloseCode::from_code(code.code()), CloseCode::Protocol(*code));
        }
        for alert in [0, 40, 255] {
            let code = CloseCode::Tls(alert);
            assert_eq!(code.code(), 256 + u64::from(alert));
            assert_eq!(CloseCode::from_code(code.code()), code);
        }
        for unknown in [16, 255, 512, u64::MAX] {
            let code = CloseCode::from_code(unknown);
            assert_eq!(code, CloseCode::from(ConnectionCode::Protocol), "{unknown}");
        }
    }

    // spec: 17.2, 17.3
    #[test]
    fn channel_and_path_codes_come_back_and_unknown_ones_are_none() {
        for code in ChannelCode::ALL {
            assert_eq!(ChannelCode::from_code(code.code()), Some(*code));
        }
        for code in PathCode::ALL {
            assert_eq!(PathCode::from_code(code.code()), Some(*code));
        }
        assert_eq!((ChannelCode::from_code(6), PathCode::from_code(5)), (None, None));
    }
}
