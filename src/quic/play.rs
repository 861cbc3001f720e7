//! Plays the bytes of a stream to the reader of frames: the body of its fuzz target.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::config::{QuicConfig, Trust};
use super::events::{QuicConnection, Waiting};
use super::inbox::{Harvest, Inbox, Origin, Queue};
use super::message::{FrameError, LENGTH_SIZE, QuicMessage};
use super::reader::Reader;
use crate::crypto::Identity;
use crate::id::PeerId;

/// Plays `script`: its first byte chooses the limits; then each byte is the length of a chunk of
/// the stream that follows it, of at most 255 bytes, or is 0: a message is received, if one waits.
///
/// What is received, and what is refused for which reason, must be what a plain reading of the
/// whole stream by postcard gives.
///
/// # Panics
///
/// When it is not, or when more is kept than the limits allow, or anything in the end.
pub fn play_frames(script: &[u8]) {
    let Some((kind, mut script)) = script.split_first() else { return };
    let frame_bytes_max = [40, 64, 400, 20_000][usize::from(kind % 4)];
    let mut play = Play::new(frame_bytes_max, usize::from(kind / 4 % 4));
    while let Some((len, rest)) = script.split_first() {
        let (chunk, rest) = rest.split_at(rest.len().min((*len).into()));
        script = rest;
        let is_over = if chunk.is_empty() { !play.receive() } else { play.read(chunk) };
        if is_over && play.is_refused {
            break;
        }
    }
    play.end();
}

struct Play {
    frame_bytes_max: usize,
    bytes_max: usize,
    messages_max: usize,
    reader: Reader,
    inbox: Inbox,
    harvest: Harvest,
    /// All that was given to the reader, from the first byte that no frame was expected of.
    stream: VecDeque<u8>,
    is_refused: bool,
}

const ORIGIN: Origin = Origin {
    connection: QuicConnection(7),
    address: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 9),
    peer: PeerId([3; PeerId::SIZE]),
};

impl Play {
    fn new(frame_bytes_max: usize, messages_max: usize) -> Play {
        let identity = Identity::from_seed([1; 32]);
        let mut config = QuicConfig::new(Trust::RawKeys { identity, peers: Vec::new() });
        config.connection_receive_bytes_max = 3 * frame_bytes_max;
        config.receive_bytes_max = 4 * frame_bytes_max;
        config.connection_receive_messages_max = 2 + messages_max;
        Play {
            frame_bytes_max,
            bytes_max: config.connection_receive_bytes_max,
            messages_max: config.connection_receive_messages_max,
            reader: Reader::default(),
            inbox: Inbox::new(&config),
            harvest: Harvest::default(),
            stream: VecDeque::new(),
            is_refused: false,
        }
    }

    /// Gives the reader a chunk; whether it refused.
    fn read(&mut self, chunk: &[u8]) -> bool {
        self.stream.extend(chunk);
        self.reader.feed(chunk);
        while !self.reader.is_hungry() {
            let (max, inbox) = (self.frame_bytes_max, &mut self.inbox);
            match self.reader.digest(max, ORIGIN, inbox, &mut self.harvest) {
                Ok(true) => {}
                // Only who receives goes on.
                Ok(false) => assert!(self.receive(), "held back by nothing"),
                Err(error) => {
                    self.refuse(error);
                    return true;
                }
            }
            let total = self.inbox.total();
            assert!(total.messages <= self.messages_max, "{total:?}");
            assert!(total.bytes <= self.bytes_max, "{total:?}");
        }
        false
    }

    /// Receives a message, if one waits: the next of either kind, as the stream has it.
    fn receive(&mut self) -> bool {
        if self.inbox.total().messages == 0 {
            return false;
        }
        let frame = self.next_frame().expect("what waits was sent");
        let (head, size) = QuicMessage::read_any(&frame).expect("what waits is good");
        let message = &frame[size..];
        let (which, team, label) = match head {
            QuicMessage::Sync => (Queue::Syncs, [0; 32], ""),
            QuicMessage::ChannelMessage { team_id, label } => (Queue::Messages, team_id, label),
        };
        let waiting: Waiting<'_> = self.inbox.front(which).expect("the next one waits");
        assert_eq!((waiting.team_id.0, waiting.label), (team, label));
        assert_eq!(waiting.message, message);
        assert_eq!((waiting.peer, waiting.address), (ORIGIN.peer, ORIGIN.address));
        assert_eq!(self.inbox.pop(which), Some(ORIGIN.connection));
        true
    }

    /// The reader refused: all before is good, and the next frame is what it says.
    fn refuse(&mut self, error: FrameError) {
        while self.receive() {}
        self.is_refused = true;
        let length: Vec<u8> = self.stream.iter().take(LENGTH_SIZE).copied().collect();
        let length = <[u8; LENGTH_SIZE]>::try_from(length).expect("it read a length");
        let expected = match u32::from_be_bytes(length) as usize {
            0 => FrameError::Empty,
            long if long > self.frame_bytes_max => FrameError::TooLong,
            _ => {
                let frame = self.next_frame().expect("it had the whole frame");
                QuicMessage::read_any(&frame).expect_err("a good frame was refused")
            }
        };
        assert_eq!(error, expected);
    }

    /// Takes the next whole frame from what was given to the reader.
    fn next_frame(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.stream.iter().copied();
        let length = [bytes.next()?, bytes.next()?, bytes.next()?, bytes.next()?];
        let end = LENGTH_SIZE + u32::from_be_bytes(length) as usize;
        (self.stream.len() >= end).then(|| self.stream.drain(..end).skip(LENGTH_SIZE).collect())
    }

    fn end(mut self) {
        while self.receive() {}
        let _is_cut = std::mem::take(&mut self.reader).abandon(ORIGIN, &mut self.inbox);
        let (total, share) = (self.inbox.total(), self.inbox.share(ORIGIN.connection));
        assert_eq!((total, share), Default::default(), "something is left");
        assert!(self.is_refused || self.next_frame().is_none(), "a frame was not delivered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts of good frames with a few bytes changed, in chunks of all sizes.
    #[test]
    fn streams_of_any_bytes_are_read_as_postcard_alone_reads_them() {
        let mut state = 1_u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        for _ in 0..3_000 {
            let mut stream = Vec::new();
            for _ in 0..random(12) {
                let label = "l".repeat(random(4) * random(90));
                let head = match random(3) {
                    0 => QuicMessage::Sync,
                    _ => QuicMessage::ChannelMessage { team_id: [5; 32], label: &label },
                };
                let mut frame = Vec::new();
                head.put(&mut frame);
                frame.resize(frame.len() + random(5) * random(60), 0xaa);
                stream.extend((frame.len() as u32).to_be_bytes());
                stream.extend(frame);
            }
            for _ in 0..random(3) {
                let at = random(stream.len().max(1));
                if let Some(byte) = stream.get_mut(at) {
                    *byte = [0, 1, 2, 0x80, 0xff][random(5)];
                }
            }
            let mut script = vec![random(16) as u8];
            let mut rest = &stream[..];
            while !rest.is_empty() {
                let (chunk, behind) = rest.split_at(rest.len().min(1 + random(255)));
                script.push(chunk.len() as u8);
                script.extend_from_slice(chunk);
                script.resize(script.len() + random(4), 0);
                rest = behind;
            }
            play_frames(&script);
        }
    }
}
