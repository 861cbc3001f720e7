//! Plays scripts of disturbances against a v1 handshake: the body of its fuzz target.

use std::time::Duration;

use super::script::Script;
use crate::connection::handshake::pair::{DELAY, Node, Pair};
use crate::crypto::{CookieKeys, TlsOptions};
use crate::id::{Level, Side};
use crate::wire::codes::ConnectionCode;

/// What a script begins with, as bits of its first byte.
const POST_QUANTUM: u8 = 1;
const COOKIES: u8 = 1 << 1;
const EARLY: u8 = 1 << 2;
const REFUSED: u8 = 1 << 3;

/// Plays `script` against a whole handshake between two nodes.
///
/// Its first byte says which kind of handshake. Then each datagram that leaves takes one step: an
/// operation and its arguments. When the script is over, datagrams pass. Steps pass, lose, change,
/// cut, copy or delay the datagram; send one seen before, raw bytes, or a packet that the sender
/// seals with its own keys around a payload of the script.
///
/// # Panics
///
/// When a handshake does not come to rest, or ends in a state that it must not.
pub fn play_handshake(script: &[u8]) {
    let mut script = Script(script);
    let kind = script.byte();
    let mut pair = begin(kind);
    if kind & EARLY != 0 {
        let handshake = pair.initiator.handshake();
        handshake.push_early(script.bytes(64).to_vec());
    }
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut forged = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let end = pair.now + DELAY;
        pair.run(end, &mut |from, _, bytes| {
            if seen.len() < SEEN_MAX {
                seen.push(bytes.clone());
            }
            step(&mut script, from, bytes, &seen, &mut forged)
        });
        for (from, level, payload) in forged.drain(..) {
            if let Some(packet) = pair.end(from).forge(level, payload) {
                pair.deliver(from.peer(), packet);
            }
        }
    }
    pair.run_out(&mut |_, _, bytes| vec![(DELAY, bytes)]);
    check(&mut pair, kind);
}

/// One operation on one datagram: what arrives instead.
fn step<'a>(
    script: &mut Script<'a>,
    from: Side,
    mut bytes: Vec<u8>,
    seen: &[Vec<u8>],
    forged: &mut Vec<(Side, Level, &'a [u8])>,
) -> Vec<(Duration, Vec<u8>)> {
    match script.byte() % 10 {
        1 => return Vec::new(),
        2 => {
            let (at, mask) = (script.index(bytes.len()), script.byte());
            bytes[at] ^= mask;
        }
        3 => bytes.truncate(script.index(bytes.len())),
        4 => return vec![(DELAY, bytes.clone()), (DELAY, bytes)],
        5 => return vec![(DELAY * u32::from(script.byte()), bytes)],
        6 => return vec![(DELAY, seen[script.index(seen.len())].clone()), (DELAY, bytes)],
        7 => {
            let len = usize::from(script.byte());
            return vec![(DELAY, script.bytes(len).to_vec()), (DELAY, bytes)];
        }
        8 => {
            let (at, len) = (script.index(bytes.len()), usize::from(script.byte()));
            for (byte, other) in bytes[at..].iter_mut().zip(script.bytes(len)) {
                *byte = *other;
            }
        }
        9 => {
            let level = if script.byte() & 1 == 0 { Level::Initial } else { Level::Handshake };
            let len = usize::from(script.byte());
            let payload = script.bytes(len);
            if !payload.is_empty() {
                forged.push((from, level, payload));
            }
        }
        _ => {}
    }
    vec![(DELAY, bytes)]
}

fn begin(kind: u8) -> Pair {
    let options = || TlsOptions {
        post_quantum: kind & POST_QUANTUM != 0,
        early_data: kind & EARLY != 0,
        ..TlsOptions::default()
    };
    let mut pair = Pair::new(Node::new(1, options()), Node::new(2, options()));
    if kind & EARLY != 0 {
        pair.run_out(&mut |_, _, bytes| vec![(DELAY, bytes)]);
        pair.deliver_tickets();
        pair = pair.redial();
    }
    if kind & COOKIES != 0 {
        pair.cookies = Some(CookieKeys::new([7; 32], pair.now));
    }
    if kind & REFUSED != 0 {
        pair.responder.node.refuses = Some(ConnectionCode::Refused);
    }
    pair
}

/// What holds however a handshake was disturbed.
fn check(pair: &mut Pair, kind: u8) {
    let responder = pair.responder.node.identity.public_key();
    let initiator = pair.initiator.node.identity.public_key();
    let ours = pair.initiator.complete.as_ref();
    let theirs = pair.responder.complete.as_ref();
    assert!(ours.is_none_or(|complete| complete.key == responder), "somebody else's key");
    assert!(theirs.is_none_or(|complete| complete.key == initiator), "somebody else's key");
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        assert_eq!(ours.ids, theirs.ids, "secrets of different attempts");
    }
    assert!(theirs.is_none() || kind & REFUSED == 0, "a connection that was refused");
    assert!(pair.responder.early.is_empty() || kind & REFUSED == 0, "early data of a refused one");
    assert!(!pair.is_confirmed || (ours.is_some() && theirs.is_some()));
    let is_over = pair.initiator.handshake().is_over();
    assert!(is_over, "the initiator still waits after half a minute");
}

/// Spans of `DELAY` in which forged packets are put between the others.
const ROUNDS_MAX: usize = 16;

/// Datagrams kept to be sent again.
const SEEN_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Random;

    // spec: 7.3 initiator states, 7.4 responder states
    #[test]
    fn random_scripts_never_lead_to_a_wrong_state() {
        for seed in 0..SCRIPTS {
            let mut random = Random::new(seed);
            let len = random.index(400);
            let mut script = random.vec(len);
            // Small numbers are operations, levels and types: more of those.
            script.iter_mut().for_each(|byte| {
                if random.chance(0.5) {
                    *byte %= 10;
                }
            });
            // Printed only when the test fails: the last one is the one that did it.
            println!("seed {seed}");
            play_handshake(&script);
        }
    }

    const SCRIPTS: u64 = 300;
}
