//! Refusals, closes, and the rules of confirmation.

use super::*;
use crate::wire::frame::{ConnectionClose, Crypto, Reason as Text, Source};

fn close_frame(code: u64) -> Frame<'static> {
    let source = Source::Protocol;
    Frame::ConnectionClose(ConnectionClose { source, code, message_type: 0, reason: Text::NONE })
}

// spec: 7.3 level 1 CONNECTION_CLOSE: draining, whatever stands behind it
#[test]
fn nothing_behind_a_close_counts() {
    let mut pair = pair(classical);
    pair.run(pair.now + DELAY, &mut carry_all);
    let packet = forge(&mut pair.responder, Level::Handshake, &[close_frame(2), close_frame(3)]);
    pair.run(pair.now + DELAY, &mut carry_all);
    pair.deliver(Side::Initiator, packet);
    assert_eq!(pair.initiator.closed, Some(2));
}

// spec: 3.4 step 3; 7.15 IDENTITY ends the dial
#[test]
fn other_peer_than_the_one_asked_for_is_told_identity() {
    let mut pair = pair(classical);
    pair.initiator.asked = Some(PeerId([1; 16]));
    pair.dial();
    pair.run_out(&mut carry_all);
    let code = ConnectionCode::Identity.code();
    let expected = Failure { reason: Reason::Closed { code }, may_retry: false };
    assert_eq!(pair.initiator.failure, Some(expected));
    assert_eq!(pair.responder.closed, Some(code));
    assert!(pair.initiator.complete.is_none() && pair.responder.complete.is_none());
    assert!(pair.responder.identified.is_empty(), "it never showed its own key (18.1)");
    assert!(pair.initiator.handshake().is_over() && pair.responder.handshake().is_over());
}

// spec: 7.4 deciding, refused; 14.3 at level 1
#[test]
fn refused_initiator_is_told_so_and_has_no_connection() {
    let mut pair = pair(classical);
    pair.responder.node.refuses = Some(ConnectionCode::Refused);
    pair.run_out(&mut carry_all);
    let code = ConnectionCode::Refused.code();
    assert_eq!(pair.initiator.closed, Some(code));
    assert!(!pair.is_confirmed && pair.responder.complete.is_none());
    let expected = Failure { reason: Reason::Closed { code }, may_retry: false };
    assert_eq!(pair.responder.failure, Some(expected));
    assert!(pair.initiator.handshake().is_over() && pair.responder.handshake().is_over());
}

// spec: 14.2 the close is repeated for what still comes, ever more rarely
#[test]
fn lost_close_is_repeated_when_the_peer_goes_on() {
    let mut pair = pair(classical);
    pair.responder.node.refuses = Some(ConnectionCode::Refused);
    pair.run_out(&mut |side, at, bytes| match (side, at) {
        (Side::Responder, 1) => Vec::new(),
        _ => carry_all(side, at, bytes),
    });
    assert_eq!(pair.initiator.closed, Some(ConnectionCode::Refused.code()));
    assert_eq!(pair.responder.datagrams, 3);
}

// spec: 15.1 accept_timeout
#[test]
fn owner_that_never_answers_refuses() {
    let mut pair = pair(classical);
    pair.responder.node.is_silent = true;
    let began = pair.now;
    pair.run(began + Duration::from_secs(4), &mut carry_all);
    assert_eq!(pair.initiator.closed, None, "the initiator waits, acknowledged");
    pair.run(began + Duration::from_millis(5_050), &mut carry_all);
    assert_eq!(pair.initiator.closed, Some(ConnectionCode::Refused.code()));
}

// spec: 7.7 confirmed; 7.3 erase level 0 keys when first sending at level 1
#[test]
fn keys_of_levels_go_when_their_time_is_over() {
    let mut pair = pair(classical);
    let began = pair.now;
    pair.run(began + 2 * DELAY, &mut carry_all);
    let initiator = pair.initiator.handshake();
    assert!(matches!(initiator.state, State::Complete));
    assert!(initiator.spaces[0].keys.is_none() && initiator.spaces[1].keys.is_some());
    assert!(pair.responder.handshake().spaces[0].keys.is_some());
    pair.run(began + 3 * DELAY, &mut carry_all);
    let responder = pair.responder.handshake();
    assert!(responder.is_over() && responder.spaces.iter().all(|space| space.keys.is_none()));
    assert!(!pair.is_confirmed);
    pair.run(began + 4 * DELAY, &mut carry_all);
    let initiator = pair.initiator.handshake();
    assert!(initiator.is_over() && initiator.spaces[1].keys.is_none());
}

// spec: 7.7 until it opens a short packet, the initiator repeats its flight
#[test]
fn initiator_that_is_not_confirmed_fails_after_its_time() {
    let mut pair = pair(classical);
    pair.run_out(&mut |side, at, bytes| match (side, at) {
        (Side::Responder, 1..) => Vec::new(),
        _ => carry_all(side, at, bytes),
    });
    assert!(pair.initiator.complete.is_some() && !pair.is_confirmed);
    let expected = Failure { reason: Reason::Timeout, may_retry: false };
    assert_eq!(pair.initiator.failure, Some(expected), "level 1 was opened");
    assert!(pair.initiator.datagrams > 3, "{}", pair.initiator.datagrams);
}

// spec: 7.5 past 8 KiB: CRYPTO_BUFFER at level 1, dropped at level 0; 4.5; 17.1
#[test]
fn faults_close_at_level_1_and_are_dropped_at_level_0() {
    let far = Frame::Crypto(Crypto { offset: 8 << 10, bytes: &[0] });
    let unknown_ack = |buffer: &mut Vec<u8>| {
        let ranges = std::iter::once(1000..=1000);
        let mut writer = Writer::new(buffer);
        write_ack(&mut writer, PathId::ZERO, 0, None, ranges).expect("it fits");
        writer.position()
    };
    let mut buffer = vec![0; 64];
    let len = unknown_ack(&mut buffer);
    let ack = Frames::new(Place::Long(Level::Initial), &buffer[..len]).next();
    let ack = ack.expect("one").expect("good");
    let path = Frame::MaxData { limit: 1 };
    for (frame, code) in [
        (far, ConnectionCode::CryptoBuffer),
        (ack, ConnectionCode::Protocol),
        (path, ConnectionCode::Protocol),
    ] {
        let mut pair = pair(classical);
        pair.run(pair.now, &mut carry_all);
        let packet = forge(&mut pair.initiator, Level::Initial, &[frame]);
        pair.run(pair.now + DELAY, &mut carry_all);
        pair.deliver(Side::Responder, packet);
        assert_eq!(pair.responder.failure, None);
        // The initiator has its level 1 keys, and says something wrong with them.
        pair.run(pair.now + DELAY, &mut carry_all);
        let packet = forge(&mut pair.initiator, Level::Handshake, &[frame]);
        pair.deliver(Side::Responder, packet);
        let code = code.code();
        let expected = Failure { reason: Reason::Closed { code }, may_retry: false };
        assert_eq!(pair.responder.failure, Some(expected), "{frame:?}");
        pair.run(pair.now + DELAY, &mut carry_all);
        assert_eq!(pair.initiator.closed, Some(code));
    }
}

// spec: 7.15 a level 0 close is told when the dial ends without success; 14.3
#[test]
fn level_0_close_is_a_rumour() {
    // Nothing better comes: it is told after a second.
    let mut pair = pair(classical);
    let began = pair.now;
    pair.run(began + DELAY, &mut only(Side::Initiator, 1));
    let packet = forge(&mut pair.responder, Level::Initial, &[close_frame(2)]);
    pair.deliver(Side::Initiator, packet);
    pair.run_out(&mut only(Side::Initiator, 0));
    let expected = Failure { reason: Reason::Rumoured { code: 2 }, may_retry: true };
    assert_eq!(pair.initiator.failure, Some(expected));
    assert_eq!(pair.initiator.closed, None);

    // Something better comes.
    let mut pair = super::pair(classical);
    pair.run(pair.now + DELAY, &mut carry_all);
    let packet = forge(&mut pair.responder, Level::Initial, &[close_frame(2)]);
    pair.deliver(Side::Initiator, packet);
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
}

// spec: 7.4 TLS error: one answer at level 0, then forgotten
#[test]
fn nonsense_instead_of_a_hello_is_answered_once_and_forgotten() {
    let mut pair = pair(classical);
    let nonsense = Frame::Crypto(Crypto { offset: 0, bytes: &[0xff; 64] });
    let padding = Frame::Padding { len: 1000 };
    let mut packet = forge(&mut pair.initiator, Level::Initial, &[nonsense, padding]);
    packet.resize(1200, 0);
    pair.deliver(Side::Responder, packet);
    let failure = pair.responder.failure.expect("it failed");
    assert!(matches!(failure.reason, Reason::Closed { code: 256.. }), "{failure:?}");
    let now = pair.now;
    let answer = pair.responder.poll_transmit(now).expect("one answer");
    assert!(answer.len() < 100);
    assert!(pair.responder.poll_transmit(now).is_none());
    assert!(pair.responder.handshake().is_over());
    pair.deliver(Side::Initiator, answer);
    assert!(pair.initiator.handshake().rumour.is_some_and(|code| code >= 256));
}

// spec: 14.3 before it is confirmed, at the highest level it can seal
#[test]
fn initiator_that_gives_up_says_so() {
    let code = ConnectionCode::Superseded;
    let mut pair = pair(classical);
    let now = pair.now;
    pair.initiator.handshake().close(now, code.into());
    let datagram = pair.initiator.poll_transmit(now).expect("a close");
    assert_eq!(datagram.len(), 1200, "level 0 of an initiator");
    assert!(pair.initiator.poll_transmit(now).is_none());

    // Its flight is lost, and the close takes its place.
    let mut pair = super::pair(classical);
    let mut lossy = |side, at, bytes| match (side, at) {
        (Side::Initiator, 1) => Vec::new(),
        _ => carry_all(side, at, bytes),
    };
    pair.run(pair.now + 2 * DELAY, &mut lossy);
    let now = pair.now;
    assert!(pair.initiator.complete.is_some());
    pair.initiator.handshake().close(now, code.into());
    pair.run_out(&mut lossy);
    assert_eq!(pair.responder.closed, Some(code.code()));
    assert!(pair.responder.complete.is_none());
}
