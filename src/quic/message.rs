//! What travels on a stream: frames of a length, a head in postcard, and the message.

use std::fmt;

use bytes::BufMut;
use serde::{Deserialize, Serialize};

/// Bytes of a label, at most.
pub const LABEL_BYTES_MAX: usize = 256;

/// Bytes of the length that begins a frame.
pub(super) const LENGTH_SIZE: usize = 4;

/// Bytes of the largest head: variant, team, length of the label, label.
pub(super) const HEAD_SIZE_MAX: usize = 1 + TeamId::SIZE + 2 + LABEL_BYTES_MAX;

/// Which team a channel belongs to: 32 bytes that mean nothing here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TeamId(pub [u8; TeamId::SIZE]);

impl TeamId {
    /// Bytes in a team id.
    pub const SIZE: usize = 32;
}

impl fmt::Debug for TeamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a message is for: the head of each frame. Variants are numbered in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum QuicMessage<'a> {
    /// For the system that owns the node; whatever follows the variant is its business.
    Sync,
    /// For a channel; the message follows.
    ChannelMessage {
        /// Its team.
        team_id: [u8; TeamId::SIZE],
        /// Its label.
        label: &'a str,
    },
}

/// Why a frame of a peer was refused, and its stream with it. The numbers go to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub enum FrameError {
    /// Longer than `message_bytes_max` and the largest head.
    #[error("the frame is longer than this node takes")]
    TooLong = 1,
    /// Of no bytes, so that it has no head.
    #[error("the frame is empty")]
    Empty = 2,
    /// It ends within its head.
    #[error("the frame ends within its head")]
    Truncated = 3,
    /// A variant of `QuicMessage` that does not exist.
    #[error("the frame is of an unknown kind")]
    UnknownVariant = 4,
    /// A label above [`LABEL_BYTES_MAX`].
    #[error("the label is longer than 256 bytes")]
    LabelTooLong = 5,
    /// A label that is no text.
    #[error("the label is not UTF-8")]
    LabelNotText = 6,
    /// The stream ended within a frame.
    #[error("the stream ended within a frame")]
    Cut = 7,
    /// Unfinished messages of its peer leave no room for it.
    #[error("the peer has too much unfinished at once")]
    TooMuch = 8,
}

impl FrameError {
    /// All of them, by rising number.
    pub const ALL: [FrameError; 8] = [
        FrameError::TooLong,
        FrameError::Empty,
        FrameError::Truncated,
        FrameError::UnknownVariant,
        FrameError::LabelTooLong,
        FrameError::LabelNotText,
        FrameError::Cut,
        FrameError::TooMuch,
    ];

    /// The error code that the stream is stopped with.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

impl<'a> QuicMessage<'a> {
    /// Bytes of the head.
    pub(super) fn size(self) -> usize {
        match self {
            QuicMessage::Sync => 1,
            QuicMessage::ChannelMessage { label, .. } => {
                1 + TeamId::SIZE + 1 + usize::from(label.len() >= 0x80) + label.len()
            }
        }
    }

    /// Appends the head, as postcard would: it does so byte by byte, for each message anew. Callers
    /// keep labels to `LABEL_BYTES_MAX`.
    #[inline]
    pub(super) fn put(self, out: &mut impl BufMut) {
        match self {
            QuicMessage::Sync => out.put_u8(0),
            QuicMessage::ChannelMessage { team_id, label } => {
                out.put_u8(1);
                out.put_slice(&team_id);
                match label.len() {
                    short @ 0..0x80 => out.put_u8(short as u8),
                    long => out.put_slice(&[0x80 | long as u8, (long >> 7) as u8]),
                }
                out.put_slice(label.as_bytes());
            }
        }
    }

    /// Reads the head of a frame; returns it and how many bytes it has.
    #[inline]
    pub(super) fn read(frame: &'a [u8]) -> Result<(QuicMessage<'a>, usize), FrameError> {
        // Heads of the usual form, at a glance.
        match frame {
            [0, ..] => return Ok((QuicMessage::Sync, 1)),
            [1, rest @ ..] => {
                if let Some((team_id, [len @ 0..0x80, rest @ ..])) = rest.split_first_chunk()
                    && let Some(label) = rest.get(..usize::from(*len))
                    && let Ok(label) = std::str::from_utf8(label)
                {
                    let size = 1 + TeamId::SIZE + 1 + label.len();
                    return Ok((QuicMessage::ChannelMessage { team_id: *team_id, label }, size));
                }
            }
            _ => {}
        }
        QuicMessage::read_any(frame)
    }

    /// Reads a head of any form, and says what is wrong with one that is none.
    #[cold]
    pub(super) fn read_any(frame: &'a [u8]) -> Result<(QuicMessage<'a>, usize), FrameError> {
        if frame.is_empty() {
            return Err(FrameError::Empty);
        }
        let (head, rest) = postcard::take_from_bytes(frame).map_err(|error| {
            if error == postcard::Error::DeserializeUnexpectedEnd {
                truncated(frame)
            } else if error == postcard::Error::DeserializeBadUtf8 {
                FrameError::LabelNotText
            } else if error == postcard::Error::DeserializeBadVarint {
                FrameError::Truncated
            } else {
                FrameError::UnknownVariant
            }
        })?;
        match head {
            QuicMessage::ChannelMessage { label, .. } if label.len() > LABEL_BYTES_MAX => {
                Err(FrameError::LabelTooLong)
            }
            QuicMessage::ChannelMessage { .. } | QuicMessage::Sync => {
                Ok((head, frame.len() - rest.len()))
            }
        }
    }
}

/// A label whose length says more than the frame has is too long, whichever is said first.
fn truncated(frame: &[u8]) -> FrameError {
    let label = frame.get(1 + TeamId::SIZE..).unwrap_or_default();
    match postcard::take_from_bytes::<u64>(label) {
        Ok((length, _)) if length > LABEL_BYTES_MAX as u64 => FrameError::LabelTooLong,
        Ok(_) | Err(_) => FrameError::Truncated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(head: QuicMessage<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        head.put(&mut bytes);
        assert_eq!(bytes.len(), head.size());
        bytes
    }

    #[test]
    fn heads_have_the_bytes_of_the_design_page() {
        assert_eq!(written(QuicMessage::Sync), [0]);
        let team_id = [0xab; 32];
        let head = QuicMessage::ChannelMessage { team_id, label: "né" };
        let mut expected = vec![1];
        expected.extend([0xab; 32]);
        expected.extend([3, b'n', 0xc3, 0xa9]);
        assert_eq!(written(head), expected);
        expected.extend(b"the message");
        assert_eq!(QuicMessage::read(&expected), Ok((head, 37)));
        assert_eq!(QuicMessage::read(b"\0whatever"), Ok((QuicMessage::Sync, 1)));
    }

    #[test]
    fn heads_are_as_postcard_writes_and_reads_them() {
        for len in 0..=LABEL_BYTES_MAX {
            let label = "y".repeat(len);
            let head = QuicMessage::ChannelMessage { team_id: [len as u8; 32], label: &label };
            let mut buffer = [0; HEAD_SIZE_MAX];
            let by_postcard = postcard::to_slice(&head, &mut buffer).expect("it fits");
            assert_eq!(written(head), by_postcard);
            let read = QuicMessage::read(by_postcard);
            assert_eq!(read, QuicMessage::read_any(by_postcard));
            assert_eq!(read, Ok((head, by_postcard.len())));
        }
        let mut buffer = [0; 1];
        let by_postcard = postcard::to_slice(&QuicMessage::Sync, &mut buffer).expect("it fits");
        assert_eq!(written(QuicMessage::Sync), by_postcard);
    }

    #[test]
    fn the_longest_label_fits_and_one_byte_more_does_not() {
        let label = "x".repeat(LABEL_BYTES_MAX);
        let head = QuicMessage::ChannelMessage { team_id: [1; 32], label: &label };
        let bytes = written(head);
        assert_eq!(bytes.len(), HEAD_SIZE_MAX);
        assert_eq!(QuicMessage::read(&bytes), Ok((head, bytes.len())));
        let mut longer = bytes[..33].to_vec();
        longer.extend([0x81, 0x02]);
        assert_eq!(QuicMessage::read(&longer), Err(FrameError::LabelTooLong));
        longer.extend([b'x'; 257]);
        assert_eq!(QuicMessage::read(&longer), Err(FrameError::LabelTooLong));
    }

    #[test]
    fn heads_that_are_wrong_are_refused_by_reason() {
        let mut text = vec![1];
        text.extend([0; 32]);
        text.extend([2, 0xc3, 0x28]);
        for (bytes, error) in [
            (&[][..], FrameError::Empty),
            (&[1, 2, 3], FrameError::Truncated),
            (&text[..33], FrameError::Truncated),
            (&text[..35], FrameError::Truncated),
            (&text, FrameError::LabelNotText),
            (&[2], FrameError::UnknownVariant),
            (&[0xff, 0x01], FrameError::UnknownVariant),
        ] {
            assert_eq!(QuicMessage::read(bytes), Err(error), "{bytes:02x?}");
        }
    }

    #[test]
    fn no_frame_of_any_bytes_panics() {
        let mut state = 1_u32;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..state % 80)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    // Small numbers are variants and lengths.
                    if state & 0x100 == 0 { (state >> 24) as u8 } else { (state >> 30) as u8 }
                })
                .collect();
            state = state.wrapping_add(1);
            let read = QuicMessage::read(&bytes);
            assert_eq!(read, QuicMessage::read_any(&bytes), "{bytes:02x?}");
            assert!(read.is_err() || read.is_ok_and(|(_, size)| size <= bytes.len()));
        }
    }
}
