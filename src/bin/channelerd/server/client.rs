//! One client: its socket, what came of a request, what waits to be written.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use channeler::daemon::{self, Answer, LENGTH_BYTES, Malformed};
use channeler::error::Error;
use channeler::quic::QuicConnection;
use mio::net::UnixStream;

use super::post::{Parcel, Serial};

/// What is read at once.
pub(super) const READ_BYTES: usize = 128 * 1024;

/// Requests up to this length need no leave of `clients.input_bytes_max`.
pub(super) const SHORT_BYTES: usize = 64 * 1024;

/// Small answers are put together up to this.
const JOINED_BYTES_MAX: usize = 16 * 1024;

/// Pieces given to one write.
const PIECES_MAX: usize = 64;

/// A client.
pub(super) struct Client {
    stream: UnixStream,
    /// What came and is not handled yet: at most a request and `READ_BYTES`.
    input: Vec<u8>,
    /// What `clients.input_bytes_max` gave for a long request.
    pub(super) reserved: usize,
    /// There may be something to read.
    pub(super) is_readable: bool,
    /// It sends nothing more.
    pub(super) is_finished: bool,
    /// When the request that is coming began.
    pub(super) began: Option<Instant>,
    /// Its next request waits until this peer's queue has room.
    pub(super) blocked_on: Option<SocketAddr>,
    /// Its next request waits for memory.
    pub(super) is_starved: bool,
    output: VecDeque<Chunk>,
    /// Bytes of the first chunk that are written.
    written: usize,
    output_bytes: usize,
    /// When it last read something of what waits to be written; none while nothing waits.
    progress: Option<Instant>,
    /// It is told nothing more; when all is written, it is closed.
    pub(super) is_closing: bool,
    /// Requests that are not answered yet.
    pub(super) open: BTreeMap<u32, Open>,
    /// Events that it was not told of.
    pub(super) missed: u64,
    /// When its timer goes off.
    pub(super) alarm: Option<Instant>,
}

/// A request that is not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) serial: Serial,
    pub(super) kind: Kind,
    /// When its timer goes off.
    pub(super) due: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Receive,
    Follow,
    Watch,
    /// Until this connection is there, or ends.
    Connection(QuicConnection),
}

enum Chunk {
    Bytes(Vec<u8>),
    Message { head: Vec<u8>, parcel: Parcel },
}

impl Chunk {
    fn len(&self) -> usize {
        match self {
            Chunk::Bytes(bytes) => bytes.len(),
            Chunk::Message { head, parcel } => head.len() + parcel.message.body.len(),
        }
    }
}

/// What reading found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Bytes(usize),
    /// Nothing for now.
    Drained,
    /// The client sends nothing more.
    End,
    /// The client is gone.
    Gone,
}

/// What is at the front of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// A whole request of so many bytes behind its length.
    Whole(usize),
    /// Less: so many bytes are missing, as far as can be told.
    Part { missing: usize },
}

impl Client {
    pub(super) fn new(stream: UnixStream) -> Client {
        Client {
            stream,
            input: Vec::new(),
            reserved: 0,
            is_readable: true,
            is_finished: false,
            began: None,
            blocked_on: None,
            is_starved: false,
            output: VecDeque::new(),
            written: 0,
            output_bytes: 0,
            progress: None,
            is_closing: false,
            open: BTreeMap::new(),
            missed: 0,
            alarm: None,
        }
    }

    pub(super) fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// Whether its requests are looked at now.
    pub(super) fn is_heard(&self, buffer_bytes: usize) -> bool {
        !self.is_closing && self.blocked_on.is_none() && self.output_bytes <= buffer_bytes
    }

    /// Takes out what came and is not handled yet.
    pub(super) fn take_input(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.input)
    }

    /// Puts back what is left of it from `at` on.
    pub(super) fn put_back(&mut self, mut input: Vec<u8>, at: usize) {
        input.drain(..at);
        if !input.is_empty() {
            self.input = input;
        }
    }

    /// Keeps the beginning of a request that is `missing` bytes longer.
    pub(super) fn keep(&mut self, bytes: &[u8], missing: usize) {
        if !bytes.is_empty() {
            self.input.reserve_exact(bytes.len() + missing);
            self.input.extend_from_slice(bytes);
        }
    }

    /// Whether it asked for all that it wanted, and was answered.
    pub(super) fn is_done(&self) -> bool {
        let has_more = matches!(Client::front(&self.input, usize::MAX), Ok(Front::Whole(_)));
        self.is_finished && self.open.is_empty() && !self.is_starved && !has_more
    }

    /// The numbers of requests that are not answered yet and that `which` picks.
    pub(super) fn open_numbers(&self, which: impl Fn(&&Open) -> bool) -> Vec<u32> {
        self.open.iter().filter(|(_, open)| which(open)).map(|(number, _)| *number).collect()
    }

    /// Takes what it still sends off its socket: closed with something unread, it would lose what
    /// it was told last.
    pub(super) fn discard(&mut self) {
        let mut bytes = [0; 4_096];
        for _ in 0..64 {
            match (&self.stream).read(&mut bytes) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    pub(super) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// What is at the front of `input`.
    ///
    /// # Errors
    ///
    /// `TooLong`.
    pub(super) fn front(input: &[u8], most: usize) -> Result<Front, Malformed> {
        let Some(length) = daemon::frame_length(input, most)? else {
            return Ok(Front::Part { missing: LENGTH_BYTES - input.len() });
        };
        let there = input.len() - LENGTH_BYTES;
        Ok(match length.checked_sub(there) {
            None | Some(0) => Front::Whole(length),
            Some(missing) => Front::Part { missing },
        })
    }

    /// Reads into `scratch`. Behind the beginning of a request no more than is `missing` of it, so
    /// that what follows is handled where it lies.
    pub(super) fn read(&mut self, missing: usize, scratch: &mut [u8]) -> Read {
        let most = if self.input.is_empty() { scratch.len() } else { missing.min(scratch.len()) };
        loop {
            match (&self.stream).read(&mut scratch[..most]) {
                Ok(0) => {
                    self.is_readable = false;
                    return Read::End;
                }
                Ok(count) => return Read::Bytes(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    return Read::Drained;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Read::Gone,
            }
        }
    }

    /// Has an answer written.
    pub(super) fn tell(&mut self, number: u32, answer: &Answer<'_>) {
        if self.is_closing {
            return;
        }
        let mut bytes = match self.output.pop_back() {
            Some(Chunk::Bytes(bytes)) if bytes.len() < JOINED_BYTES_MAX => bytes,
            Some(last) => {
                self.output.push_back(last);
                Vec::new()
            }
            None => Vec::new(),
        };
        let before = bytes.len();
        let written = daemon::write_answer(&mut bytes, number, answer, 0);
        written.expect("an answer without a message is short");
        self.output_bytes += bytes.len() - before;
        self.output.push_back(Chunk::Bytes(bytes));
    }

    /// Has an error written.
    pub(super) fn tell_error(&mut self, number: u32, error: Error, text: &str) {
        let code = error.code().unsigned_abs();
        self.tell(number, &Answer::Error { code, text, detail: 0 });
    }

    /// Has a message written.
    pub(super) fn tell_message(&mut self, number: u32, parcel: Parcel) {
        if self.is_closing {
            return;
        }
        let message = &parcel.message;
        let (address, peer) = (message.address.to_string(), message.peer.0);
        let answer = match &message.channel {
            Some((team, label)) => Answer::Message { address: &address, peer, team: team.0, label },
            None => Answer::Sync { address: &address, peer },
        };
        let mut head = Vec::with_capacity(128);
        let written = daemon::write_answer(&mut head, number, &answer, message.body.len());
        written.expect("a message that came fits in a frame");
        let chunk = Chunk::Message { head, parcel };
        self.output_bytes += chunk.len();
        self.output.push_back(chunk);
    }

    /// Bytes that wait to be written.
    pub(super) fn output_bytes(&self) -> usize {
        self.output_bytes
    }

    /// Writes what the socket takes, `most` bytes at most; how many messages left whole.
    ///
    /// # Errors
    ///
    /// The client is gone.
    pub(super) fn flush(&mut self, now: Instant, most: usize) -> io::Result<u64> {
        let result = self.write_some(now, most);
        self.progress = match self.output.is_empty() {
            true => None,
            false => self.progress.or(Some(now)),
        };
        result
    }

    /// Since when it has read nothing of what waits.
    pub(super) fn reads_nothing_since(&self) -> Option<Instant> {
        self.progress
    }

    /// The time that passed without anybody running is not held against it.
    pub(super) fn forgive(&mut self, time: Duration) {
        for since in [&mut self.began, &mut self.progress].into_iter().flatten() {
            *since += time;
        }
    }

    fn write_some(&mut self, now: Instant, most: usize) -> io::Result<u64> {
        let mut messages = 0;
        let mut left = most;
        while !self.output.is_empty() && left > 0 {
            let count = match self.write() {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(messages),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.progress = Some(now);
            left = left.saturating_sub(count);
            messages += self.note_written(count);
        }
        Ok(messages)
    }

    /// The messages that were not written whole.
    pub(super) fn into_unwritten(self) -> Vec<Parcel> {
        let parcel = |chunk| match chunk {
            Chunk::Message { parcel, .. } => Some(parcel),
            Chunk::Bytes(_) => None,
        };
        self.output.into_iter().filter_map(parcel).collect()
    }

    fn write(&self) -> io::Result<usize> {
        let mut pieces = [IoSlice::new(&[]); PIECES_MAX];
        let mut count = 0;
        let mut skip = self.written;
        for chunk in self.output.iter().take(PIECES_MAX / 2) {
            let parts: [&[u8]; 2] = match chunk {
                Chunk::Bytes(bytes) => [bytes, &[]],
                Chunk::Message { head, parcel } => [head, &parcel.message.body],
            };
            for part in parts {
                let skipped = skip.min(part.len());
                skip -= skipped;
                if skipped < part.len() {
                    pieces[count] = IoSlice::new(&part[skipped..]);
                    count += 1;
                }
            }
        }
        (&self.stream).write_vectored(&pieces[..count])
    }

    fn note_written(&mut self, count: usize) -> u64 {
        self.output_bytes -= count;
        self.written += count;
        let mut messages = 0;
        while let Some(first) = self.output.front() {
            let length = first.len();
            if self.written < length {
                break;
            }
            self.written -= length;
            if let Some(Chunk::Message { parcel, .. }) = self.output.pop_front() {
                parcel.message.note_taken();
                messages += 1;
            }
        }
        messages
    }
}
