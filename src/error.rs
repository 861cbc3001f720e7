//! The one table of errors: number, name and text. The C header, Python and the documentation take
//! theirs from here.

/// Declares the enum and its three views from one list.
macro_rules! errors {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $code:literal, $name:literal, $text:literal;
    )+) => {
        /// What can go wrong. Numbers 1 to 11 are the reference implementation's; ours follow.
        ///
        /// 0 is success and 1000 upwards belong to applications.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
        #[repr(i32)]
        pub enum Error {
            $( $(#[doc = $doc])+ #[error("{}", $text)] $variant = $code, )+
        }

        impl Error {
            /// Every error, by rising number.
            pub const ALL: &'static [Error] = &[ $( Error::$variant, )+ ];

            /// Its name in the C header, without the `CHANNELER_` prefix.
            pub const fn name(self) -> &'static str {
                match self { $( Error::$variant => $name, )+ }
            }

            /// One sentence for people: what is wrong, and what would be right.
            pub const fn text(self) -> &'static str {
                match self { $( Error::$variant => $text, )+ }
            }
        }
    };
}

errors! {
    /// A bug in the library.
    Unexpected = 1, "ERR_UNEXPECTED",
        "something that should not happen did; please report it with the detail text";
    /// A buffer cannot hold what should go into it.
    InsufficientBufferSize = 2, "ERR_INSUFFICIENT_BUFFER_SIZE",
        "the buffer is too small for what it should hold";
    /// Bytes are not what they should be.
    Decode = 3, "ERR_DECODE", "the bytes could not be decoded";
    /// A value cannot be written in the wire format.
    Encode = 4, "ERR_ENCODE", "the value could not be encoded";
    /// A channel id or handle that names no channel.
    InvalidChannelId = 5, "ERR_INVALID_CHANNELID",
        "the channel is not known here: it was never opened, or has ended";
    /// A connection handle that names no connection.
    InvalidReference = 6, "ERR_INVALID_REFERENCE",
        "the connection is not known here: it was never opened, or has ended";
    /// Kept for the reference's number; never returned.
    InvalidPipeEvent = 7, "ERR_INVALID_PIPE_EVENT", "an internal event was not understood";
    /// A message type that does not exist.
    InvalidMessageType = 8, "ERR_INVALID_MESSAGE_TYPE", "the message type is not known";
    /// A message that cannot be sent.
    Write = 9, "ERR_WRITE", "the message is too large for one packet of this connection";
    /// A call that makes no sense now.
    State = 10, "ERR_STATE", "the call is not allowed in the current state";
    /// Nothing to read.
    DataUnavailable = 11, "ERR_DATA_UNAVAILABLE", "there is nothing to read yet";
    /// A queue is full; a writable event follows when there is room.
    WouldBlock = 12, "ERR_WOULD_BLOCK",
        "the send queue is full; wait for the writable event, then send again";
    /// An argument is null, out of range, or contradicts another.
    InvalidArgument = 13, "ERR_INVALID_ARGUMENT", "an argument is null or out of its range";
    /// A configured limit is reached.
    Limit = 14, "ERR_LIMIT", "a configured limit is reached";
    /// The peer did not answer in time.
    Timeout = 15, "ERR_TIMEOUT",
        "the peer did not answer in time; check its address, and that both speak the same version";
    /// Nothing was sent or received for the idle timeout.
    Idle = 16, "ERR_IDLE", "nothing was sent or received for the idle timeout";
    /// The application closed it.
    Closed = 17, "ERR_CLOSED", "it was closed";
    /// The application refused the connection.
    Refused = 18, "ERR_REFUSED", "the peer refused the connection, or was refused";
    /// The peer or its address is banned.
    Banned = 19, "ERR_BANNED", "the peer or its address is banned";
    /// A text or structure is no usable address.
    InvalidAddress = 20, "ERR_INVALID_ADDRESS",
        "not an address; allowed are 192.0.2.1:port and [2001:db8::1%scope]:port";
    /// The operating system refused a socket operation.
    Socket = 21, "ERR_SOCKET", "the operating system refused a socket operation";
    /// This build or system cannot do that.
    Unsupported = 22, "ERR_UNSUPPORTED", "not supported on this system or by this kind of node";
    /// An earlier call panicked inside the library; the node can only be freed.
    Poisoned = 23, "ERR_POISONED",
        "an earlier bug stopped this node; free it, and please report the detail text";
    /// The peer's key is not acceptable, or not that of the peer asked for.
    Identity = 24, "ERR_IDENTITY",
        "another peer than the one asked for answered; check its peer id and address";
    /// The handshake failed in TLS, or what came could not be opened too often.
    Crypto = 25, "ERR_CRYPTO",
        "the handshake failed, or too much that came could not be opened; connect again";
    /// The peer's application closed it.
    PeerClosed = 26, "ERR_PEER_CLOSED", "the peer closed it; code and text of the event say why";
    /// One of the two sides broke a rule of the protocol; the code says which.
    Protocol = 27, "ERR_PROTOCOL", "a rule of the protocol was broken";
    /// The peer does not know the connection any more: it restarted.
    Reset = 28, "ERR_RESET", "the peer does not know the connection any more; connect again";
    /// Another connection with the same peer took its place.
    Superseded = 29, "ERR_SUPERSEDED",
        "another connection with the same peer took its place; use that one";
    /// A message was lost for good, or closed its channel by that (CLOSE_ON_LOSS).
    Lost = 30, "ERR_LOST",
        "a message was lost on the way, and is not sent again (any more)";
    /// A message's lifetime was over before it was delivered.
    Expired = 31, "ERR_EXPIRED", "the lifetime of the message was over before it was delivered";
    /// A message that can never be sent on this channel.
    TooLarge = 32, "ERR_TOO_LARGE",
        "the message is larger than the peer takes, or than the send queue can ever hold";
}

impl Error {
    /// The number as the C API returns it; never 0.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The error with this number, if there is one.
    pub fn from_code(code: i32) -> Option<Error> {
        Error::ALL.iter().copied().find(|error| error.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_start_after_success() {
        for (index, error) in Error::ALL.iter().enumerate() {
            assert_eq!(error.code() as usize, index + 1, "{error:?}");
            assert_eq!(Error::from_code(error.code()), Some(*error));
            assert!(error.name().starts_with("ERR_"));
        }
        assert_eq!(Error::from_code(0), None);
    }
}
