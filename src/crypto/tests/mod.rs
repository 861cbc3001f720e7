//! What all tests of this floor share.

mod cookies;
mod epochs;
mod identity;
mod replay;
mod sessions;
mod updates;
mod vectors;

use serde_json::Value;

use super::{Epochs, Limits, OpenError, Opened, ReplayWindow, SealInfo, Secrets, Suite};
use crate::id::{ChannelNumber, PathId, Side, Token};
use crate::time::Time;

/// A time `seconds` after the origin.
fn at(seconds: u64) -> Time {
    Time::from_nanos(seconds * 1_000_000_000)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("vectors are hex"))
        .collect()
}

/// One section of `tests/vectors/v1_keys.json`, computed in Python.
struct Vectors(Value);

impl Vectors {
    fn section(title: &str) -> Vectors {
        let text = include_str!("../../../tests/vectors/v1_keys.json");
        let all: Value = serde_json::from_str(text).expect("the file is JSON");
        Vectors(all[title].clone())
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex(self.0[name].as_str().unwrap_or_else(|| panic!("no vector {name}")))
    }
}

fn secrets(suite: Suite) -> Secrets {
    let size = suite.hash_size();
    Secrets::from_bytes(suite, &[0x11; 48][..size], &[0x22; 48][..size])
}

/// One side of a connection with one path, as tests drive it.
struct End {
    epochs: Epochs,
    window: ReplayWindow,
    next_number: u64,
}

impl End {
    fn pair(suite: Suite) -> (End, End) {
        End::pair_with(suite, Limits::of(suite))
    }

    fn pair_with(suite: Suite, limits: Limits) -> (End, End) {
        let end = |side| {
            let mut epochs = Epochs::new(secrets(suite), side, limits, 0);
            epochs.confirm();
            End { epochs, window: ReplayWindow::new(), next_number: 0 }
        };
        (end(Side::Initiator), end(Side::Responder))
    }

    /// A packet with this content, and its epoch.
    fn seal(&mut self, channel: u32, content: &[u8]) -> (Vec<u8>, u32) {
        let info = SealInfo {
            channel: ChannelNumber(channel),
            path: PathId(3),
            number: self.next_number,
            number_len: 2,
        };
        self.next_number += 1;
        let mut packet = layout(2, content);
        let epoch = self.epochs.seal(&info, &mut packet).expect("the epoch has room");
        (packet, epoch)
    }

    fn open(&mut self, packet: &[u8]) -> Result<(Opened, Vec<u8>), OpenError> {
        self.open_at(Time::ZERO, packet)
    }

    fn open_at(&mut self, now: Time, packet: &[u8]) -> Result<(Opened, Vec<u8>), OpenError> {
        let mut packet = packet.to_vec();
        let window = &mut self.window;
        let opened = self.epochs.open(now, PathId(3), window, &mut packet, |_| true)?;
        let payload = packet[opened.payload.clone()].to_vec();
        Ok((opened, payload))
    }

    /// Sends one packet to `peer`, which opens it.
    fn send_to(&mut self, peer: &mut End, now: Time) -> Opened {
        let (packet, _) = self.seal(2, b"hello");
        peer.open_at(now, &packet).expect("it was sealed by the peer").0
    }
}

/// A short packet that is ready to be sealed.
fn layout(number_len: usize, content: &[u8]) -> Vec<u8> {
    let token = Token([0xa0; Token::SIZE]);
    let mut packet = vec![0; 13 + number_len + content.len() + super::TAG_SIZE];
    packet[1..9].copy_from_slice(&token.0);
    packet[13 + number_len..][..content.len()].copy_from_slice(content);
    packet
}
