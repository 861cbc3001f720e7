//! What happens when nobody disturbs.

use super::*;
use crate::connection::handshake::outbound::Datagram;

// spec: 7.1 one round trip; 7.3, 7.4 states
#[test]
fn handshake_takes_one_round_trip_and_three_datagrams() {
    let mut pair = pair(classical);
    let began = pair.now;
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
    assert_eq!(pair.initiator.completed_at, Some(began + 2 * DELAY));
    assert_eq!(pair.responder.completed_at, Some(began + 3 * DELAY));
    // The second of the responder is its first short packet.
    assert_eq!((pair.initiator.datagrams, pair.responder.datagrams), (2, 2));
    assert!(pair.initiator.handshake().is_over() && pair.responder.handshake().is_over());
}

// spec: 7.3 complete: the flight may go
#[test]
fn an_initiators_last_flight_leaves_before_its_secrets_are_made() {
    let mut pair = pair(classical);
    let now = pair.now;
    let hello = pair.initiator.poll_transmit(now).expect("a hello");
    pair.deliver(Side::Responder, hello);
    let answer = pair.responder.poll_transmit(now).expect("an answer");
    pair.deliver(Side::Initiator, answer);
    let flight = pair.initiator.poll_transmit(now).expect("its flight");
    assert!(pair.initiator.complete.is_none());
    pair.deliver(Side::Responder, flight);
    assert!(pair.responder.complete.is_some());
    assert_eq!(pair.initiator.poll_transmit(now), None);
    assert!(pair.initiator.complete.is_some());
}

// spec: 4.4 the last may be a short packet, which then has the padding
#[test]
fn caller_that_joins_a_short_packet_fills_the_datagram_itself() {
    let mut pair = pair(classical);
    let now = pair.now;
    let hello = pair.initiator.poll_transmit(now).expect("a hello");
    pair.deliver(Side::Responder, hello);
    let answer = pair.responder.poll_transmit(now).expect("an answer");
    assert_eq!(answer.len(), 1200, "spec: 4.4 level 0 that asks, from both sides");
    pair.deliver(Side::Initiator, answer);
    let handshake = pair.initiator.handshake.as_mut().expect("there is an attempt");
    let mut flight = Vec::new();
    let rng = &mut pair.initiator.node.rng;
    let datagram = handshake.poll_transmit(rng, now, &mut flight, true).expect("its flight");
    assert_eq!(datagram, Datagram { len: flight.len(), must_fill: true });
    assert!(flight.len() < 600, "{}", flight.len());
    assert_eq!(handshake.poll_transmit(rng, now, &mut flight, true), None);
    pair.deliver(Side::Responder, flight);
    assert!(pair.responder.complete.is_some());
}

// spec: 7.4 the ClientHello may come in any pieces; 7.1 two datagrams with X25519MLKEM768
#[test]
fn post_quantum_handshake_takes_two_datagrams_a_flight() {
    let mut pair = pair(TlsOptions::default);
    let began = pair.now;
    let mut sizes = Vec::new();
    pair.run_out(&mut |side, at, bytes| {
        sizes.push((side, bytes.len()));
        carry_all(side, at, bytes)
    });
    assert_agreed(&mut pair);
    assert_eq!(pair.initiator.completed_at, Some(began + 2 * DELAY));
    assert!(pair.initiator.complete.as_ref().is_some_and(|made| made.session.is_post_quantum()));
    let of = |side| sizes.iter().filter(move |(from, _)| *from == side);
    assert!(of(Side::Initiator).all(|(_, size)| *size == 1200));
    // Two of level 0; an acknowledgement of the first half came before, a short packet after.
    assert_eq!(of(Side::Responder).filter(|(_, size)| *size == 1200).count(), 2);
}

// spec: 13.4 the round trip is known from the first answer
#[test]
fn round_trip_time_is_measured_by_the_handshake() {
    let mut pair = pair(classical);
    pair.run_out(&mut carry_all);
    for end in [&pair.initiator, &pair.responder] {
        let rtt = &end.complete.as_ref().expect("complete").rtt;
        assert_eq!(rtt.smoothed(), 2 * DELAY);
    }
}

// spec: 7.11 transport parameters: what the configuration says reaches the peer
#[test]
fn parameters_of_both_sides_reach_the_other() {
    let mut responder = Node::new(2, classical());
    responder.config.idle_timeout = Duration::from_secs(7);
    responder.config.peer_channels_max = 3;
    responder.config.message_bytes_max = 5_000;
    responder.config.ack_delay = Duration::from_millis(3);
    let mut pair = Pair::new(Node::new(1, classical()), responder);
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
    let params = &pair.initiator.complete.as_ref().expect("complete").params;
    assert_eq!((params.idle_timeout_ms, params.channels_max), (7_000, 3));
    assert_eq!((params.message_max, params.ack_delay_max_us), (5_000, 3_000));
    assert_eq!((params.data_max, params.channel_data_max), (256 << 10, 64 << 10));
}
