//! Cookies, honest and forged, as the initiator sees them.

use super::*;
use crate::crypto::CookieKeys;
use crate::wire::long::Cookie;

fn demanding(options: impl Fn() -> TlsOptions) -> Pair {
    let mut pair = pair(options);
    pair.cookies = Some(CookieKeys::new([7; 32], pair.now));
    pair
}

fn cookie_packet(pair: &mut Pair, byte: u8) -> Vec<u8> {
    let ids = *pair.initiator.handshake().ids();
    let cookie = Cookie::new(&[byte; 64]).expect("a length that cookies have");
    let header = LongHeader::of_cookie(ids.original, ids.initiator, cookie);
    let mut packet = vec![0; header.size];
    header.write(&mut Writer::new(&mut packet)).expect("it has the size");
    packet
}

fn cookie_of(datagram: &[u8]) -> Vec<u8> {
    LongHeader::parse(datagram).expect("a long packet").cookie.as_slice().to_vec()
}

// spec: 7.9 repeats every datagram of its first flight with the cookie, with new packet numbers
#[test]
fn cookie_costs_one_round_trip_and_is_in_every_datagram_of_the_flight() {
    for (options, flight) in [(classical as fn() -> TlsOptions, 1), (TlsOptions::default, 2)] {
        let mut pair = demanding(options);
        let began = pair.now;
        let mut sent = Vec::new();
        pair.run_out(&mut |side, at, bytes| {
            if side == Side::Initiator {
                sent.push(bytes.clone());
            }
            carry_all(side, at, bytes)
        });
        assert_agreed(&mut pair);
        assert_eq!(pair.initiator.completed_at, Some(began + 4 * DELAY));
        let (bare, rest) = sent.split_at(flight);
        let (cookied, rest) = rest.split_at(flight);
        assert!(bare.iter().all(|datagram| cookie_of(datagram).is_empty()));
        assert!(cookied.iter().all(|datagram| cookie_of(datagram).len() == 20));
        assert!(rest.iter().all(|datagram| cookie_of(datagram).is_empty()), "no longer needed");
        assert!(pair.responder.handshake().budget.room() == usize::MAX, "it proves the address");
        assert_eq!(
            sent.iter().map(Vec::len).max(),
            Some(1200),
            "the cookie takes from the padding"
        );
    }
}

// spec: 7.9 a forged cookie packet costs one timer, not the attempt
#[test]
fn forged_cookie_costs_one_timer() {
    let mut pair = demanding(classical);
    let began = pair.now;
    let forged = cookie_packet(&mut pair, 0xee);
    pair.fly(Side::Initiator, DELAY / 2, forged);
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
    // 300 ms from the flight with the forged one; then the honest cookie, and it goes at once.
    let took = pair.initiator.completed_at.map(|at| at.since(began));
    assert_eq!(took, Some(DELAY / 2 + Duration::from_millis(300) + 4 * DELAY));
}

// spec: 7.9 at most 4 cookies an attempt
#[test]
fn flood_of_cookies_makes_no_flood_of_flights() {
    let mut pair = pair(classical);
    for byte in 0..200 {
        let packet = cookie_packet(&mut pair, byte);
        pair.fly(Side::Initiator, Duration::from_millis(50) * u32::from(byte), packet);
    }
    let mut flights = 0;
    pair.run_out(&mut |_, _, bytes| {
        flights += 1;
        assert_eq!(bytes.len(), 1200);
        Vec::new()
    });
    assert!((7..=12).contains(&flights), "6 by the timer, 4 by cookies: {flights}");
}

// spec: 4.6 taken only by an attempt that has received no packet that opened
#[test]
fn cookie_after_the_responder_answered_is_dropped() {
    let mut pair = pair(classical);
    pair.run(pair.now + 2 * DELAY, &mut carry_all);
    let packet = cookie_packet(&mut pair, 1);
    let mut bytes = packet.clone();
    let header = LongHeader::parse(&packet).expect("a cookie packet");
    let now = pair.now;
    assert!(!pair.initiator.handshake().handle_packet(now, &header, &mut bytes));
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
}

// spec: 4.6 both ids have to match
#[test]
fn cookie_for_other_ids_is_dropped() {
    let mut pair = pair(classical);
    let packet = cookie_packet(&mut pair, 1);
    for at in [4, 19, 20, 35] {
        let mut other = packet.clone();
        other[at] ^= 1;
        let header = LongHeader::parse(&other).expect("a cookie packet");
        let now = pair.now;
        assert!(!pair.initiator.handshake().handle_packet(now, &header, &mut other));
    }
    assert!(pair.initiator.handshake().cookies.current().is_empty());
}
