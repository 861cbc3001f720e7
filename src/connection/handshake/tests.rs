//! Handshakes between two ends in memory, whole and disturbed.

use std::time::Duration;

use rand_chacha::rand_core::SeedableRng;

use super::pair::{DELAY, Node, Pair, carry_all};
use super::*;
use crate::crypto::TlsOptions;
use crate::id::PathId;
use crate::wire::Writer;
use crate::wire::frame::{Frame, Frames, Place, write_ack};
use crate::wire::long::DATAGRAM_SIZE;

mod attacks;
mod basics;
mod cookies;
mod early;
mod endings;
mod loss;

fn classical() -> TlsOptions {
    TlsOptions { post_quantum: false, ..TlsOptions::default() }
}

fn pair(options: impl Fn() -> TlsOptions) -> Pair {
    Pair::new(Node::new(1, options()), Node::new(2, options()))
}

/// Both sides are complete, agree, and know each other.
fn assert_agreed(pair: &mut Pair) {
    assert!(pair.is_confirmed, "a short packet of the responder opened");
    let [ours, theirs] = [&pair.initiator, &pair.responder].map(|end| {
        let complete = end.complete.as_ref().expect("both sides are complete");
        (complete.ids, complete.key, complete.params.clone())
    });
    assert_eq!(ours.0, theirs.0, "the ids");
    assert_eq!(ours.1, pair.responder.node.identity.public_key());
    assert_eq!(theirs.1, pair.initiator.node.identity.public_key());
    assert_eq!(theirs.2.token, pair.initiator.handshake().token());
    assert_eq!(ours.2.token, pair.responder.handshake().token());
    assert_eq!((theirs.2.reset, ours.2.reset.is_some()), (None, true), "spec: 7.11");
    assert!(pair.initiator.failure.is_none() && pair.responder.failure.is_none());
}

/// Randomness that a seed repeats.
struct Dice(ChaCha12Rng);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(ChaCha12Rng::seed_from_u64(seed))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A packet that `end` might have sent, had it been another program.
fn forge(end: &mut pair::End, level: Level, frames: &[Frame<'_>]) -> Vec<u8> {
    let mut payload = vec![0; DATAGRAM_SIZE];
    let mut writer = Writer::new(&mut payload);
    frames.iter().for_each(|frame| frame.encode(&mut writer).expect("they fit"));
    let len = writer.position();
    end.forge(level, &payload[..len]).expect("it has the keys")
}

/// Only what these numbers of the sender are, and nothing of the other side.
fn only(from: Side, count: usize) -> impl FnMut(Side, usize, Vec<u8>) -> Vec<(Duration, Vec<u8>)> {
    move |side, at, bytes| match side == from && at < count {
        true => carry_all(side, at, bytes),
        false => Vec::new(),
    }
}
