//! One stream of a peer: bytes to frames.

use bytes::{Buf, Bytes};
use quinn_proto::{Connection, ReadError, StreamId};

use super::inbox::{Admission, Harvest, Inbox, Origin, SMALL_BYTES_MAX};
use super::message::{FrameError, LENGTH_SIZE};

/// Bytes taken from QUIC at once.
const READ_MAX: usize = 64 << 10;

/// Room made at once for a frame that is still arriving: what a peer announces costs it something.
/// A message of 64 KiB with its head fits, so that it is not moved while it arrives.
const ROOM_MAX: usize = 96 << 10;

/// Frames read from one stream before the next stream has its turn.
const FRAMES_PER_TURN: usize = 64;

/// What was read of a stream and is no whole frame yet.
#[derive(Debug, Default)]
pub(super) struct Reader {
    length: [u8; LENGTH_SIZE],
    length_read: usize,
    /// The frame that is arriving, and how long it will be; room was made for all of it.
    frame: Option<(Vec<u8>, usize)>,
    /// Read from QUIC, and not looked at.
    rest: Bytes,
}

/// How far reading got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing more is there now.
    Waits,
    /// The limits allow no further message.
    Held,
    /// Others may have their turn.
    Yields,
    /// The peer ended the stream, between two frames.
    Ended,
    /// The peer gave the stream up.
    Reset,
    /// A frame that is none.
    Refused(FrameError),
}

impl Reader {
    /// Reads what is there, as far as the limits allow.
    pub(super) fn read(
        &mut self,
        connection: &mut Connection,
        id: StreamId,
        frame_bytes_max: usize,
        origin: Origin,
        inbox: &mut Inbox,
        harvest: &mut Harvest,
    ) -> Progress {
        let mut stream = connection.recv_stream(id);
        // It was reset, and its end was seen: nothing more comes.
        let Ok(mut chunks) = stream.read(true) else { return Progress::Reset };
        for _ in 0..FRAMES_PER_TURN {
            if self.rest.is_empty() && !(self.frame.is_none() && self.length_read == LENGTH_SIZE) {
                match chunks.next(READ_MAX) {
                    Ok(Some(chunk)) => self.rest = chunk.bytes,
                    Ok(None) if self.is_between_frames() => return Progress::Ended,
                    Ok(None) => return Progress::Refused(FrameError::Cut),
                    Err(ReadError::Blocked) => return Progress::Waits,
                    Err(ReadError::Reset(_)) => return Progress::Reset,
                }
            }
            match self.digest(frame_bytes_max, origin, inbox, harvest) {
                Ok(true) => {}
                Ok(false) => return Progress::Held,
                Err(error) => return Progress::Refused(error),
            }
        }
        Progress::Yields
    }

    /// Takes from `rest`, at most to the end of a frame that lies in several chunks; false when no
    /// room can be made for one.
    pub(super) fn digest(
        &mut self,
        frame_bytes_max: usize,
        origin: Origin,
        inbox: &mut Inbox,
        harvest: &mut Harvest,
    ) -> Result<bool, FrameError> {
        Ok(self.take_whole(frame_bytes_max, origin, inbox, harvest)?
            && self.step(frame_bytes_max, origin, inbox, harvest)?)
    }

    /// Gives it bytes as QUIC would: all that it had was looked at.
    #[cfg(feature = "sim")]
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.rest = Bytes::copy_from_slice(bytes);
    }

    /// Whether there is something to look at.
    #[cfg(feature = "sim")]
    pub(super) fn is_hungry(&self) -> bool {
        self.rest.is_empty() && !(self.frame.is_none() && self.length_read == LENGTH_SIZE)
    }

    /// Gives back the room of an unfinished frame; whether there was one.
    pub(super) fn abandon(self, origin: Origin, inbox: &mut Inbox) -> bool {
        let is_cut = !self.is_between_frames();
        if let Some((_, wanted)) = self.frame {
            inbox.release(origin.connection, wanted);
        }
        is_cut
    }

    /// Whether nothing of a frame was read.
    fn is_between_frames(&self) -> bool {
        self.frame.is_none() && self.length_read == 0 && self.rest.is_empty()
    }

    /// Takes the small frames that lie in `rest` as a whole, where they are; false when no room can
    /// be made for one.
    fn take_whole(
        &mut self,
        frame_bytes_max: usize,
        origin: Origin,
        inbox: &mut Inbox,
        harvest: &mut Harvest,
    ) -> Result<bool, FrameError> {
        if self.frame.is_some() || self.length_read > 0 {
            return Ok(true);
        }
        let (len, admission) = inbox.take(origin, &self.rest, frame_bytes_max, harvest)?;
        self.rest.advance(len);
        Ok(admission == Admission::Admitted)
    }

    /// Takes from `rest` what belongs to one frame; false when no room can be made for it.
    fn step(
        &mut self,
        frame_bytes_max: usize,
        origin: Origin,
        inbox: &mut Inbox,
        harvest: &mut Harvest,
    ) -> Result<bool, FrameError> {
        if self.frame.is_none() {
            if self.length_read < LENGTH_SIZE {
                let len = (LENGTH_SIZE - self.length_read).min(self.rest.len());
                let place = &mut self.length[self.length_read..self.length_read + len];
                self.rest.copy_to_slice(place);
                self.length_read += len;
                if self.length_read < LENGTH_SIZE {
                    return Ok(true);
                }
            }
            let wanted = u32::from_be_bytes(self.length) as usize;
            if wanted > frame_bytes_max {
                return Err(FrameError::TooLong);
            }
            if wanted == 0 {
                return Err(FrameError::Empty);
            }
            match inbox.admit(origin.connection, wanted) {
                Admission::Admitted => {}
                Admission::Held => return Ok(false),
                Admission::Refused => return Err(FrameError::TooMuch),
            }
            let mut frame = match wanted <= SMALL_BYTES_MAX {
                true => inbox.lend_spare(),
                false => Vec::new(),
            };
            frame.reserve_exact(wanted.min(ROOM_MAX));
            self.frame = Some((frame, wanted));
        }
        let Some((frame, wanted)) = &mut self.frame else { return Ok(true) };
        let len = (*wanted - frame.len()).min(self.rest.len());
        frame.extend_from_slice(&self.rest[..len]);
        self.rest.advance(len);
        if frame.len() < *wanted {
            return Ok(true);
        }
        let frame = std::mem::take(frame);
        self.frame = None;
        self.length_read = 0;
        inbox.push(origin, frame, harvest)?;
        Ok(true)
    }
}
