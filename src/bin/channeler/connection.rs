//! The socket of the daemon: requests out, answers in.

use std::io::{self, IoSlice, Read, Write};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use channeler::daemon::{
    self, ANSWER_HEAD_BYTES_MAX, Answer, LENGTH_BYTES, Malformed, NO_REQUEST, Request, Told,
};
use channeler::id::PeerId;

use crate::failure::Failure;

/// Requests that may wait for their answer; the daemon takes 256 by default.
pub(crate) const OUTSTANDING_MAX: usize = 64;

/// What is read at once, at most. A message that is longer makes it grow while its bytes come.
const READ_BYTES: usize = 256 << 10;

/// The longest frame that a daemon sends: the longest message that it can be configured for.
const FRAME_BYTES_MAX: usize = (1 << 30) + ANSWER_HEAD_BYTES_MAX;

/// Both directions of it.
pub(crate) struct Connection {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
}

impl Connection {
    /// Connects to the daemon.
    pub(crate) fn open(path: &Path) -> Result<Connection, Failure> {
        let stream = UnixStream::connect(path).map_err(|error| unreachable_text(path, &error))?;
        let other = stream.try_clone().map_err(|error| Failure::socket(&error))?;
        let writer = Writer { stream, head: Vec::new() };
        Ok(Connection { writer, reader: Reader::new(other) })
    }

    /// Asks, and waits for the answer. A number can be used again after its last answer.
    pub(crate) fn ask(&mut self, request: &Request<'_>) -> Result<Answer<'_>, Failure> {
        // What cannot be written is explained by what the daemon wrote before it closed.
        if let Err(error) = self.writer.write(1, request, b"") {
            self.reader.next()?;
            return Err(Failure::socket(&error));
        }
        match self.reader.next()?.ok_or_else(Failure::gone)? {
            (_, Answer::Error { code, text, .. }, _) => Err(Failure::Refused(code, text.into())),
            (_, answer, _) => Ok(answer),
        }
    }

    /// Waits until there is a connection to a peer; with `peer`, to that one. Returns who it is.
    pub(crate) fn connect(
        &mut self,
        address: &str,
        peer: Option<PeerId>,
    ) -> Result<PeerId, Failure> {
        let answer = self.ask(&Request::Connect { address, peer: peer.map(|PeerId(id)| id) })?;
        let Answer::Connected { peer } = answer else { return Err(unexpected(&answer)) };
        Ok(PeerId(peer))
    }

    /// Closes the connection to a peer, and waits until it has ended.
    pub(crate) fn close(&mut self, address: &str) -> Result<(), Failure> {
        let answer = self.ask(&Request::Close { address })?;
        let Answer::Closed { undelivered } = answer else { return Err(unexpected(&answer)) };
        if undelivered == 0 {
            return Ok(());
        }
        Err(Failure::Failed(format!(
            "closed; of {undelivered} messages it is not known that they arrived"
        )))
    }
}

/// An answer that a daemon does not give to what was asked.
pub(crate) fn unexpected(answer: &Answer<'_>) -> Failure {
    Failure::Failed(format!("the daemon gave an answer to another question: {answer:?}"))
}

/// Why there is no daemon, and what to do.
fn unreachable_text(path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    let what_next = if error.kind() == io::ErrorKind::PermissionDenied {
        "this user may not use it: run this with sudo, or see `mode` and `users` of [socket] in \
         channelerd.toml"
    } else {
        "start it: sudo systemctl start channelerd, or sudo channelerd &\n\
         if its socket is elsewhere: --socket PATH, or the environment variable CHANNELER_SOCKET"
    };
    Failure::Failed(format!("no daemon at {shown}: {error}\n{what_next}"))
}

/// The direction to the daemon.
pub(crate) struct Writer {
    stream: UnixStream,
    head: Vec<u8>,
}

impl Writer {
    /// Writes a request and the message behind it; waits while the daemon does not read.
    pub(crate) fn write(
        &mut self,
        number: u32,
        request: &Request<'_>,
        message: &[u8],
    ) -> io::Result<()> {
        self.head.clear();
        daemon::write_request_head(&mut self.head, number, request, message.len())
            .map_err(io::Error::other)?;
        let mut parts = [IoSlice::new(&self.head), IoSlice::new(message)];
        let mut rest = &mut parts[..];
        while rest.iter().any(|part| !part.is_empty()) {
            match self.stream.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut rest, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Another handle of the socket.
    pub(crate) fn stream(&self) -> Result<UnixStream, Failure> {
        self.stream.try_clone().map_err(|error| Failure::socket(&error))
    }
}

/// The direction from the daemon.
pub(crate) struct Reader {
    stream: UnixStream,
    /// Its bytes from `read` to `filled` were not looked at yet.
    buffer: Vec<u8>,
    read: usize,
    filled: usize,
}

impl Reader {
    fn new(stream: UnixStream) -> Reader {
        Reader { stream, buffer: vec![0; READ_BYTES], read: 0, filled: 0 }
    }

    /// The next answer that this program knows; none when the daemon closed the socket.
    ///
    /// What the daemon says of no request is why it closes, and a failure.
    pub(crate) fn next(&mut self) -> Result<Option<Told<'_>>, Failure> {
        let frame = loop {
            let Some(frame) = self.frame()? else { return Ok(None) };
            match daemon::read_answer(&self.buffer[frame.clone()]) {
                // spec: docs/daemon.md: a client passes over what it does not know.
                Err(Malformed::UnknownKind { .. }) => {}
                Err(error) => return Err(Failure::garbage(error)),
                Ok((NO_REQUEST, Answer::Error { code, text, .. }, _)) => {
                    return Err(Failure::Refused(code, text.into()));
                }
                Ok(_) => break frame,
            }
        };
        daemon::read_answer(&self.buffer[frame]).map(Some).map_err(Failure::garbage)
    }

    /// Whether the next answer is here already.
    pub(crate) fn has_next(&self) -> bool {
        let bytes = &self.buffer[self.read..self.filled];
        let length = daemon::frame_length(bytes, FRAME_BYTES_MAX);
        matches!(length, Ok(Some(length)) if length <= bytes.len() - LENGTH_BYTES)
    }

    /// Where the next frame is in the buffer, its length taken off.
    fn frame(&mut self) -> Result<Option<Range<usize>>, Failure> {
        loop {
            let bytes = &self.buffer[self.read..self.filled];
            let length = daemon::frame_length(bytes, FRAME_BYTES_MAX).map_err(Failure::garbage)?;
            let whole = length.map_or(LENGTH_BYTES, |length| LENGTH_BYTES + length);
            if bytes.len() >= whole && length.is_some() {
                let start = self.read + LENGTH_BYTES;
                self.read += whole;
                return Ok(Some(start..self.read));
            }
            if !self.fill(whole)? {
                return match self.filled - self.read {
                    0 => Ok(None),
                    _ => Err(Failure::gone()),
                };
            }
        }
    }

    /// Reads more of a frame of `whole` bytes. False: there is no more.
    fn fill(&mut self, whole: usize) -> Result<bool, Failure> {
        if self.read == self.filled || self.read + whole > self.buffer.len() {
            self.buffer.copy_within(self.read..self.filled, 0);
            self.filled -= self.read;
            self.read = 0;
        }
        if self.filled == self.buffer.len() {
            // No more than twice of what came: a length alone takes no memory.
            self.buffer.resize(whole.min(2 * self.filled), 0);
        }
        loop {
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(count) => {
                    self.filled += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(Failure::socket(&error)),
            }
        }
    }
}

/// Where the socket is when nobody says something else.
pub(crate) fn socket_default() -> PathBuf {
    std::env::var_os("CHANNELER_SOCKET")
        .filter(|path| !path.is_empty())
        .map_or_else(|| PathBuf::from(daemon::SOCKET_DEFAULT), PathBuf::from)
}
