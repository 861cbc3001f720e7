//! Handshakes between two ends in memory, whole and disturbed.

use std::time::Duration;

use super::pair::{DELAY, Node, Pair, carry_all};
use super::*;
use crate::crypto::TlsOptions;

mod basics;

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
