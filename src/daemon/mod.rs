//! What `channelerd` and its clients say to each other over its Unix socket: bytes and values.
//!
//! `docs/daemon.md` has every byte of it; the server and the Rust client are written on this
//! module, clients in other languages on that page.
//!
//! A frame is a length (4 bytes, big-endian, itself not counted), a head in postcard, and behind
//! the head of a kind that carries one, the message. Heads begin with the number of the request.
//!
//! The protocol grows by new kinds alone: a daemon answers a kind that it does not know with
//! `Unsupported`, a client passes over an answer or event that it does not know.

use serde::{Deserialize, Serialize};

/// The version of all this that [`Status`] tells. New kinds do not change it.
pub const VERSION: u32 = 1;

/// Where the socket is, unless the configuration says something else.
pub const SOCKET_DEFAULT: &str = "/run/channeler/channelerd.sock";

/// Bytes of the length that begins a frame.
pub const LENGTH_BYTES: usize = 4;

/// Bytes of a request's head, at most: a frame may have as many more than its message.
pub const REQUEST_HEAD_BYTES_MAX: usize = 1024;

/// Bytes of an answer's head, at most.
pub const ANSWER_HEAD_BYTES_MAX: usize = 128 * 1024;

/// The number of answers that belong to no request. Requests may not have it.
pub const NO_REQUEST: u32 = 0;

/// `wait_ms` of a receive that waits until there is a message.
pub const WAIT_FOR_EVER: u32 = u32::MAX;

/// A team: 32 bytes.
pub type Team = [u8; 32];

/// A peer: 16 bytes that follow from its key, or of its certificate.
pub type Peer = [u8; 16];

/// What a client asks for. Addresses are text: `192.0.2.1:4433`, `[2001:db8::1]:4433`,
/// `[fe80::1%2]:4433`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// Send the message behind the head. Answer: `Done` when it is in the queue of a connection
    /// with a peer that proved who it is.
    Send {
        /// Where the peer is.
        address: &'a str,
        /// The team of the channel.
        team: Team,
        /// The label of the channel, 256 bytes at most.
        label: &'a str,
    },
    /// Take one message. Answer: `Message` or `Sync`; `Nothing` when there was none in time.
    Receive {
        /// Which.
        filter: Filter<'a>,
        /// Bytes of the longest message that is taken; a longer one stays, and its length is told.
        capacity: u32,
        /// How long to wait for one; 0 not at all, [`WAIT_FOR_EVER`] without end.
        wait_ms: u32,
    },
    /// Close a connection after all that was taken for it has arrived, or the drain timeout passed.
    /// Answer: `Closed` when it ended.
    Close {
        /// Where the peer is.
        address: &'a str,
    },
    /// Tell how things are. Answer: `Status`.
    Status,
    /// Give this client every message that matches, from now until cancelled: first `Done`, then
    /// `Message` or `Sync` with the number of this request, the oldest that waits first.
    Follow {
        /// Which.
        filter: Filter<'a>,
    },
    /// End a receive, follow, watch, connect, send or close of this client. Answer: `Done`; after
    /// it nothing more comes for that request.
    Cancel {
        /// The number of that request.
        request: u32,
    },
    /// Tell what happens to connections, until cancelled: first `Done`, then `Event`.
    Watch,
    /// Begin a connection without a message. Answer: `Connected` when the peer proved who it is.
    Connect {
        /// Where the peer is.
        address: &'a str,
        /// Who must be there. None: somebody whom the configuration lists.
        peer: Option<Peer>,
    },
    /// Send the sync message behind the head. Answer: as of `Send`.
    SendSync {
        /// Where the peer is.
        address: &'a str,
    },
}

/// Which messages a receive or follow is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter<'a> {
    /// Messages on channels.
    Messages {
        /// From this address alone.
        address: Option<&'a str>,
        /// Of this team alone.
        team: Option<Team>,
        /// On these channels alone.
        label: Label<'a>,
    },
    /// Sync messages.
    Syncs {
        /// From this address alone.
        address: Option<&'a str>,
    },
}

/// Which labels a filter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Label<'a> {
    /// All.
    Any,
    /// This one.
    Is(&'a str),
    /// Those that begin so.
    StartsWith(&'a str),
}

/// What the daemon says. The number in the frame is that of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer<'a> {
    /// It is done.
    Done,
    /// It could not be done.
    Error {
        /// The number of `crate::error::Error`.
        code: u32,
        /// What is wrong, for people.
        text: &'a str,
        /// With `InsufficientBufferSize`: the bytes of the message. Else 0.
        detail: u64,
    },
    /// A message; it is behind the head.
    Message {
        /// Where it came from.
        address: &'a str,
        /// Whom it came from.
        peer: Peer,
        /// The team of its channel.
        team: Team,
        /// The label of its channel.
        label: &'a str,
    },
    /// No message came in time.
    Nothing,
    /// How things are.
    Status(#[serde(borrow)] Status<'a>),
    /// Something happened, for a watch.
    Event(#[serde(borrow)] Event<'a>),
    /// A sync message; it is behind the head.
    Sync {
        /// Where it came from.
        address: &'a str,
        /// Whom it came from.
        peer: Peer,
    },
    /// A connection ended as a `Close` asked for.
    Closed {
        /// Messages of which it is not known that they arrived.
        undelivered: u64,
    },
    /// A connection is there.
    Connected {
        /// Who the peer is.
        peer: Peer,
    },
}

/// How things are with a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status<'a> {
    /// [`VERSION`].
    pub protocol: u32,
    /// The version of the program.
    pub version: &'a str,
    /// Who this daemon is to its peers.
    pub peer: Peer,
    /// The UDP addresses it listens on.
    #[serde(borrow)]
    pub listen: Vec<&'a str>,
    /// Names and values; the page lists them.
    pub counters: Vec<(&'a str, u64)>,
    /// The connections that messages can go on.
    pub connections: Vec<Connection<'a>>,
}

/// How things are with a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection<'a> {
    /// Where the peer is.
    pub address: &'a str,
    /// Who it is, once it proved that.
    pub peer: Option<Peer>,
    /// Whether it has.
    pub is_connected: bool,
    /// Whether the peer began it.
    pub by_peer: bool,
    /// Names and values; the page lists them.
    #[serde(borrow)]
    pub counters: Vec<(&'a str, u64)>,
}

/// What happened, for a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event<'a> {
    /// A peer proved who it is.
    Connected {
        /// Where it is.
        address: &'a str,
        /// Who it is.
        peer: Peer,
        /// Whether it began the connection.
        by_peer: bool,
    },
    /// A connection ended.
    Closed {
        /// Where the peer was.
        address: &'a str,
        /// Who it was, if it came to say.
        peer: Option<Peer>,
        /// Why: the number of `crate::error::Error`.
        code: u32,
        /// Why, for people.
        text: &'a str,
        /// Messages to the peer of which it is not known that they arrived.
        undelivered: u64,
        /// Messages of the peer that broke off in their middle.
        cut: u64,
    },
    /// A peer would not have what was sent to it.
    Lost {
        /// Where it is.
        address: &'a str,
        /// Messages of which it is not known that they arrived.
        count: u64,
        /// The number it gave as its reason.
        code: u64,
    },
    /// A peer sent something that is no message.
    FrameRefused {
        /// Where it is.
        address: &'a str,
        /// What is wrong with it, for people.
        text: &'a str,
    },
    /// A peer moved.
    Moved {
        /// Where it was.
        from: &'a str,
        /// Where it is.
        to: &'a str,
    },
    /// Messages that nobody took were dropped for newer ones.
    Dropped {
        /// How many.
        count: u64,
    },
    /// Events that this client was not told of, since it did not read.
    Missed {
        /// How many.
        count: u64,
    },
}

/// Why bytes are no frame, request or answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A frame is longer than its reader takes.
    #[error("a frame of {length} bytes; at most {most} are allowed")]
    TooLong {
        /// What its length says.
        length: usize,
        /// What is allowed.
        most: usize,
    },
    /// The number of the request cannot be read, or is 0 in a request.
    #[error("a frame without the number of its request")]
    NoNumber,
    /// A kind that does not exist here. The rest of the frame can be passed over.
    #[error("kind {kind} is not known here")]
    UnknownKind {
        /// The number of the request.
        number: u32,
        /// The kind.
        kind: u32,
    },
    /// The head is cut off, or a value in it is none.
    #[error("a head of kind {kind} that cannot be read")]
    Head {
        /// The number of the request.
        number: u32,
        /// The kind.
        kind: u32,
    },
    /// Bytes behind the head of a kind that has no message.
    #[error("{count} bytes too many behind a head of kind {kind}")]
    TooMuch {
        /// The number of the request.
        number: u32,
        /// The kind.
        kind: u32,
        /// How many.
        count: usize,
    },
}

impl Malformed {
    /// The number of the request, as far as it is known; else [`NO_REQUEST`].
    pub fn number(self) -> u32 {
        match self {
            Malformed::TooLong { .. } | Malformed::NoNumber => NO_REQUEST,
            Malformed::UnknownKind { number, .. }
            | Malformed::Head { number, .. }
            | Malformed::TooMuch { number, .. } => number,
        }
    }
}

/// A request as it was read: its number, itself, and the message behind it.
pub type Asked<'a> = (u32, Request<'a>, &'a [u8]);

/// An answer as it was read: the number of its request, itself, and the message behind it.
pub type Told<'a> = (u32, Answer<'a>, &'a [u8]);

/// The bytes of the first frame in `buffer`, its length, if that is there; the frame itself is
/// `buffer[LENGTH_BYTES..][..length]`, once it is there.
///
/// # Errors
///
/// `TooLong` for a length above `most`.
pub fn frame_length(buffer: &[u8], most: usize) -> Result<Option<usize>, Malformed> {
    let Some(length) = buffer.first_chunk() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(Malformed::TooLong { length, most });
    }
    Ok(Some(length))
}

/// Appends the whole frame of a request.
///
/// # Errors
///
/// `TooLong` when a length does not fit in 32 bits.
pub fn write_request(
    out: &mut Vec<u8>,
    number: u32,
    request: &Request<'_>,
    message: &[u8],
) -> Result<(), Malformed> {
    write_request_head(out, number, request, message.len())?;
    out.extend_from_slice(message);
    Ok(())
}

/// Appends the frame of a request up to its message, of which `message_length` bytes must follow.
///
/// # Errors
///
/// `TooLong` when a length does not fit in 32 bits.
pub fn write_request_head(
    out: &mut Vec<u8>,
    number: u32,
    request: &Request<'_>,
    message_length: usize,
) -> Result<(), Malformed> {
    write_head(out, number, request, message_length)
}

/// Appends the frame of an answer up to its message, of which `message_length` bytes must follow.
///
/// # Errors
///
/// `TooLong` when a length does not fit in 32 bits.
pub fn write_answer(
    out: &mut Vec<u8>,
    number: u32,
    answer: &Answer<'_>,
    message_length: usize,
) -> Result<(), Malformed> {
    write_head(out, number, answer, message_length)
}

/// Reads a frame, its length taken off, as a request.
///
/// # Errors
///
/// All of [`Malformed`] but `TooLong`.
pub fn read_request(frame: &[u8]) -> Result<Asked<'_>, Malformed> {
    let (number, kind, head) = read_start(frame, Request::KINDS)?;
    if number == NO_REQUEST {
        return Err(Malformed::NoNumber);
    }
    let (request, rest) = read_rest(number, kind, head)?;
    let has_message = matches!(request, Request::Send { .. } | Request::SendSync { .. });
    Ok((number, request, message(number, kind, has_message, rest)?))
}

/// Reads a frame, its length taken off, as an answer.
///
/// # Errors
///
/// All of [`Malformed`] but `TooLong`. A client passes over `UnknownKind`.
pub fn read_answer(frame: &[u8]) -> Result<Told<'_>, Malformed> {
    let (number, kind, head) = read_start(frame, Answer::KINDS)?;
    if let Some((Answer::EVENT, event)) = read_number(head)
        && let Some((kind, _)) = read_number(event)
        && kind >= Event::KINDS
    {
        return Err(Malformed::UnknownKind { number, kind });
    }
    let (answer, rest) = read_rest(number, kind, head)?;
    let has_message = matches!(answer, Answer::Message { .. } | Answer::Sync { .. });
    Ok((number, answer, message(number, kind, has_message, rest)?))
}

impl Request<'_> {
    /// How many kinds there are.
    const KINDS: u32 = 9;
}

impl Answer<'_> {
    /// How many kinds there are.
    const KINDS: u32 = 9;

    /// The kind that has kinds in it.
    const EVENT: u32 = 5;
}

impl Event<'_> {
    /// How many kinds there are.
    const KINDS: u32 = 7;
}

fn write_head<T: Serialize>(
    out: &mut Vec<u8>,
    number: u32,
    head: &T,
    message_length: usize,
) -> Result<(), Malformed> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    let to = postcard::to_extend(&(number, head), std::mem::take(out));
    *out = to.expect("these types serialize, and a Vec takes all bytes");
    let length = out.len() - start - LENGTH_BYTES + message_length;
    let Ok(prefix) = u32::try_from(length) else {
        out.truncate(start);
        return Err(Malformed::TooLong { length, most: u32::MAX as usize });
    };
    out[start..start + LENGTH_BYTES].copy_from_slice(&prefix.to_be_bytes());
    Ok(())
}

fn read_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    postcard::take_from_bytes(bytes).ok()
}

/// The number of the request, the kind, and the head from the kind on.
fn read_start(frame: &[u8], kinds: u32) -> Result<(u32, u32, &[u8]), Malformed> {
    let (number, head) = read_number(frame).ok_or(Malformed::NoNumber)?;
    let (kind, _) = read_number(head).ok_or(Malformed::Head { number, kind: 0 })?;
    if kind >= kinds {
        return Err(Malformed::UnknownKind { number, kind });
    }
    Ok((number, kind, head))
}

fn read_rest<'a, T: Deserialize<'a>>(
    number: u32,
    kind: u32,
    head: &'a [u8],
) -> Result<(T, &'a [u8]), Malformed> {
    postcard::take_from_bytes(head).map_err(|_| Malformed::Head { number, kind })
}

fn message(number: u32, kind: u32, has_message: bool, rest: &[u8]) -> Result<&[u8], Malformed> {
    match (has_message, rest.len()) {
        (true, _) | (false, 0) => Ok(rest),
        (false, count) => Err(Malformed::TooMuch { number, kind, count }),
    }
}

#[cfg(test)]
mod tests;
