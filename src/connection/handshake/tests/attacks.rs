//! Somebody on the path, or beside it with the ids of an attempt.

use super::*;
use crate::crypto::LevelKeys;
use crate::wire::frame::Crypto;
use crate::wire::long::set_size;

/// Every datagram of an undisturbed handshake, with its sender and its number.
fn trace(options: impl Fn() -> TlsOptions) -> Vec<(Side, usize, Vec<u8>)> {
    let mut trace = Vec::new();
    let mut pair = pair(options);
    pair.run_out(&mut |side, at, bytes| {
        trace.push((side, at, bytes.clone()));
        carry_all(side, at, bytes)
    });
    assert_agreed(&mut pair);
    trace
}

/// What may become of a disturbed handshake: agreement, or a failure that leaves no connection.
fn assert_sane(pair: &mut Pair, what: &str) {
    if pair.is_confirmed {
        return assert_agreed(pair);
    }
    let failure = pair.initiator.failure;
    assert!(failure.is_some() || pair.initiator.closed.is_some(), "{what}: it hangs");
    for end in [&pair.initiator, &pair.responder] {
        let (asked, keys) = (end.asked, end.complete.as_ref().map(|complete| complete.key));
        let is_right = keys.is_none_or(|key| asked.is_none_or(|asked| asked == key.peer_id()));
        assert!(is_right, "{what}: a connection with somebody else");
    }
}

fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1 << (at % 8);
}

// spec: 4.3 sealing, 4.5 receiving: every byte is authenticated, or in the header that is
#[test]
fn damaged_copies_ahead_of_every_datagram_change_nothing() {
    for options in [classical, TlsOptions::default] {
        let mut pair = pair(options);
        let began = pair.now;
        pair.run_out(&mut |_, _, bytes| {
            let mut copies = Vec::new();
            for at in 0..bytes.len() {
                let mut copy = bytes.clone();
                flip(&mut copy, at);
                copies.push((DELAY, copy));
                copies.push((DELAY, bytes[..at].to_vec()));
            }
            copies.push((DELAY, bytes));
            copies
        });
        assert_agreed(&mut pair);
        let took = pair.initiator.completed_at.map(|at| at.since(began));
        assert!(took <= Some(3 * DELAY), "{took:?}");
    }
}

// spec: 4.5 receiving; 7.15 failures and attempts
#[test]
fn damage_in_place_of_a_datagram_leads_to_completion_or_a_clean_failure() {
    for (from, index, bytes) in trace(classical) {
        // Every byte of the headers, and of what follows a joined packet's border; else every 61st.
        let offsets = (0..bytes.len()).filter(|at| *at < 70 || at % 61 == 0);
        for (at, is_flip) in offsets.flat_map(|at| [(at, true), (at, false)]) {
            let mut pair = pair(classical);
            pair.run_out(&mut |side, number, mut bytes| {
                if (side, number) == (from, index) && at < bytes.len() {
                    if is_flip {
                        flip(&mut bytes, at);
                    } else {
                        bytes.truncate(at);
                    }
                }
                vec![(DELAY, bytes)]
            });
            assert_sane(&mut pair, &format!("{from:?} {index} at {at}, flip {is_flip}"));
            assert!(pair.is_confirmed, "one datagram may be lost: {from:?} {index} at {at}");
        }
    }
}

/// A level 0 packet of somebody who saw the first flight and chose an id of his own.
fn inject(pair: &mut Pair, frames: &[Frame<'_>]) -> Vec<u8> {
    let ids = *pair.initiator.handshake().ids();
    let mut forger = Pair::new(Node::new(3, classical()), Node::new(4, classical()));
    let forged = forger.initiator.handshake();
    forged.side = Side::Responder;
    forged.ids = AttemptIds { responder: AttemptId([0xf0; 16]), ..ids };
    forged.spaces[0].keys = Some(LevelKeys::initial(ids.original, Side::Responder));
    forge(&mut forger.initiator, Level::Initial, frames)
}

// spec: 7.3 TLS error from level 0 bytes: attempt failed, the next may come; 4.5 proof of nothing
#[test]
fn injected_level_0_bytes_spoil_one_attempt_and_the_next_is_free_of_them() {
    let mut pair = pair(classical);
    let nonsense = Frame::Crypto(Crypto { offset: 0, bytes: &[0xff; 40] });
    let packet = inject(&mut pair, &[nonsense]);
    pair.deliver(Side::Initiator, packet);
    let failure = pair.initiator.failure.take().expect("it failed");
    assert!(failure.may_retry && matches!(failure.reason, Reason::Tls { .. }), "{failure:?}");
    let mut pair = pair.redial();
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
}

// spec: 7.2 from the first CRYPTO on, packets with another sender id are dropped; 4.5
#[test]
fn injected_level_0_bytes_after_the_server_hello_do_nothing() {
    let mut pair = pair(classical);
    let packet = inject(&mut pair, &[Frame::Crypto(Crypto { offset: 90, bytes: &[0xff; 400] })]);
    pair.run(pair.now + 2 * DELAY, &mut carry_all);
    pair.deliver(Side::Initiator, packet);
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);

    // Nor at a responder: it has level 1 keys, and level 0 has nothing more to say.
    let mut pair = super::pair(classical);
    pair.run(pair.now, &mut carry_all);
    let late = Frame::Crypto(Crypto { offset: 200, bytes: &[0xff; 1000] });
    let packet = forge(&mut pair.initiator, Level::Initial, &[late]);
    pair.run(pair.now + DELAY, &mut carry_all);
    pair.deliver(Side::Responder, packet);
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
}

// spec: 7.3 no level 1 packet opened after ServerHello: the attempt failed
#[test]
fn forged_server_hello_that_wins_costs_the_attempt_a_second() {
    let mut pair = pair(classical);
    // A responder of somebody else's answers a copy of the first flight, from there on silent.
    let mut other = Pair::new(Node::new(3, classical()), Node::new(4, classical()));
    let began = pair.now;
    let mut flight = Vec::new();
    pair.run(began, &mut |_, _, bytes| {
        flight.push(bytes);
        Vec::new()
    });
    other.deliver(Side::Responder, flight.remove(0));
    let answer = other.responder.poll_transmit(other.now).expect("its flight");
    let level0 = LongHeader::parse(&answer).expect("a long packet").size;
    pair.deliver(Side::Initiator, answer[..level0].to_vec());
    assert!(matches!(pair.initiator.handshake().state, State::Handshaking));
    pair.run_out(&mut only(Side::Initiator, 0));
    let expected = Failure { reason: Reason::Unproven, may_retry: true };
    assert_eq!(pair.initiator.failure, Some(expected));
    assert_eq!(pair.now, began + Duration::from_secs(1));
}

// spec: 18.2 a forged ServerHello with the forger's own key ends the dial with IDENTITY
#[test]
fn whole_forged_responder_ends_with_identity_and_learns_nothing() {
    let mut pair = pair(classical);
    let asked = pair.initiator.asked;
    // The forger answers in the place of the responder.
    let forger = Node::new(9, classical());
    let victim = std::mem::replace(&mut pair.responder.node, forger);
    pair.run_out(&mut carry_all);
    assert_eq!(asked, Some(victim.identity.peer_id()));
    let code = ConnectionCode::Identity.code();
    let expected = Failure { reason: Reason::Closed { code }, may_retry: false };
    assert_eq!(pair.initiator.failure, Some(expected));
    assert!(pair.responder.identified.is_empty() && pair.responder.complete.is_none());
}

// spec: 4.5 a packet whose number was seen before is dropped after it was opened
#[test]
fn replayed_datagrams_change_nothing() {
    let mut pair = pair(TlsOptions::default);
    let mut seen: Vec<(Side, Vec<u8>)> = Vec::new();
    let began = pair.now;
    pair.run_out(&mut |side, _, bytes| {
        seen.push((side, bytes.clone()));
        let of_side = seen.iter().filter(|(from, _)| *from == side);
        of_side.flat_map(|(_, bytes)| [(DELAY, bytes.clone()), (DELAY, bytes.clone())]).collect()
    });
    assert_agreed(&mut pair);
    assert_eq!(pair.initiator.completed_at, Some(began + 2 * DELAY));
    for (side, bytes) in seen {
        pair.deliver(side.peer(), bytes);
    }
    assert_agreed(&mut pair);
}

// spec: 4.2 levels; 18.2 packet of one level fed as another
#[test]
fn packet_fed_as_another_level_does_not_open() {
    let mut pair = pair(classical);
    pair.run(pair.now + 2 * DELAY, &mut carry_all);
    let frames = [Frame::Crypto(Crypto { offset: 0, bytes: &[1; 40] })];
    for (flags, level) in [(0b1001, "2"), (0b0001, "0")] {
        let mut packet = forge(&mut pair.initiator, Level::Handshake, &frames);
        packet[41] = flags;
        let header = LongHeader::parse(&packet).expect("a long packet");
        let now = pair.now;
        let responder = pair.responder.handshake();
        assert!(!responder.handle_packet(now, &header, &mut packet), "as level {level}");
    }
}

// spec: 7.5, 7.10: what is kept of one half-open is bounded
#[test]
fn flood_of_pieces_and_early_packets_keeps_what_is_kept_bounded() {
    let mut pair = pair(TlsOptions::default);
    pair.run(pair.now, &mut |_, _, _| Vec::new());
    let first = Frame::Crypto(Crypto { offset: 1, bytes: &[1] });
    let mut packet = forge(&mut pair.initiator, Level::Initial, &[first, PAD]);
    pair.deliver(Side::Responder, std::mem::take(&mut packet));
    // Larger than any of a handshake: not kept.
    let mut large = forge(&mut pair.initiator, Level::Initial, &[PAD]);
    large.resize(1201, 0);
    large[41] = 0b1001;
    set_size(&mut large);
    pair.deliver(Side::Responder, large);
    assert!(pair.responder.handshake().kept.is_empty());
    for piece in 0..500 {
        let crypto = Frame::Crypto(Crypto { offset: 3 + 2 * piece, bytes: &[1] });
        let packet = forge(&mut pair.initiator, Level::Initial, &[crypto]);
        pair.deliver(Side::Responder, packet.clone());
        let mut early = packet;
        early[41] = 0b1001;
        pair.deliver(Side::Responder, early);
    }
    let responder = pair.responder.handshake();
    assert_eq!(responder.kept.len(), 4);
    assert!(responder.spaces[0].incoming.pieces() <= 32);
    assert!(pair.responder.failure.is_none());
}

const PAD: Frame<'static> = Frame::Padding { len: 1140 };
