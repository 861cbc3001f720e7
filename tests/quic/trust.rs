//! Who is believed: raw keys that are known, dialled or asked about; certificates.

use std::time::Duration;

use channeler::error::Error;
use channeler::io::Local;
use channeler::quic::{Certificates, Quic, QuicConfig, QuicDrop, QuicError, QuicEvent, Trust};

use super::world::{TEAM, UNIX, World, config, identity};

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("../vectors/quic/", $name)).to_vec()
    };
}

fn knowing(number: usize, known: &[usize]) -> QuicConfig {
    let mut config = config(number);
    let peers = known.iter().map(|number| identity(*number).peer_id()).collect();
    config.trust = Trust::RawKeys { identity: identity(number), peers };
    config
}

fn end(world: &World, number: usize) -> (Error, String) {
    let QuicEvent::ConnectionClosed { reason, said, .. } = world.closed(number) else {
        panic!("it was asked for an end");
    };
    (*reason, said.as_ref().map(|said| said.text.clone()).unwrap_or_default())
}

#[test]
fn a_peer_that_is_not_known_is_refused_by_default_on_either_side() {
    let mut world = World::new(1);
    world.add(knowing(0, &[1]));
    world.add(knowing(1, &[]));
    world.send(0, 1, "x", b"not for you");
    world.settle();
    let expected = (Error::Refused, "your peer id is not known here".to_owned());
    assert_eq!(end(&world, 0), expected);
    assert_eq!(end(&world, 1), expected);
    assert!(world.receive_all(1).is_empty());
    assert_eq!(world.quic(1).stats().dropped(QuicDrop::PeerUnknown), 1);

    let mut world = World::new(2);
    world.add(knowing(0, &[]));
    world.add(knowing(1, &[0]));
    world.send(0, 1, "x", b"not for you");
    world.settle();
    assert_eq!(end(&world, 0), expected);
    assert!(world.receive_all(1).is_empty());
}

#[test]
fn a_dial_that_names_the_peer_takes_that_one_and_no_other() {
    for (named, is_right) in [(1, true), (2, false)] {
        let mut world = World::new(3);
        world.add(knowing(0, &[]));
        world.add(knowing(1, &[0]));
        let (to, peer) = (world.address(1), identity(named).peer_id());
        let dial = world.call(0, |quic, now| quic.connect(now, to, Some(peer), Local::default()));
        dial.expect("a good address");
        world.send(0, 1, "x", b"hello");
        world.settle();
        assert_eq!(world.receive_all(1).len(), usize::from(is_right));
        if !is_right {
            let text = "you are not the peer that was dialled".to_owned();
            assert_eq!(end(&world, 0), (Error::Identity, text));
        }
    }
}

#[test]
fn peers_that_are_asked_about_wait_for_the_answer() {
    for accept in [Some(true), Some(false), None] {
        let mut world = World::new(4);
        world.add(knowing(0, &[1]));
        let mut asking = knowing(1, &[]);
        asking.ask_before_accept = true;
        world.add(asking);
        world.send(0, 1, "x", b"hello");
        world.settle();
        assert!(world.receive_all(1).is_empty(), "nothing is read before the answer");
        let events = world.take_events(1);
        let [QuicEvent::ConnectionRequest { connection, peer, public_key, .. }] = events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(peer, identity(0).peer_id());
        assert_eq!(public_key, Some(identity(0).public_key()));
        match accept {
            Some(true) => {
                assert_eq!(world.call(1, |quic, now| quic.accept(now, connection)), Ok(()));
                let again = world.call(1, |quic, now| quic.accept(now, connection));
                assert_eq!(again, Err(Error::State));
                world.settle();
                assert_eq!(world.receive_all(1).len(), 1);
            }
            Some(false) => {
                assert_eq!(world.call(1, |quic, now| quic.refuse(now, connection)), Ok(()));
                world.settle();
                assert_eq!(end(&world, 0).0, Error::Refused);
            }
            None => {
                world.run(Duration::from_secs(6));
                assert_eq!(end(&world, 0).0, Error::Refused);
                let late = world.call(1, |quic, now| quic.accept(now, connection));
                assert!([Err(Error::InvalidReference), Err(Error::State)].contains(&late));
            }
        }
    }
}

#[test]
fn trust_can_be_given_and_taken_while_it_runs() {
    let mut world = World::new(5);
    world.add(knowing(0, &[1]));
    world.add(knowing(1, &[]));
    let peer = identity(0).peer_id();
    world.call(1, |quic, _| quic.trust_peer(peer));
    world.send(0, 1, "x", b"hello");
    world.settle();
    assert_eq!(world.receive_all(1).len(), 1);
    assert!(world.call(1, |quic, _| quic.distrust_peer(peer)));
    assert!(!world.call(1, |quic, _| quic.distrust_peer(peer)));
    let to = world.address(1);
    world.call(0, |quic, now| quic.close(now, to)).expect("it is there");
    world.settle();
    world.take_events(0);
    // Resumed: TLS asks no verifier, and we ask all the same.
    world.send(0, 1, "x", b"again");
    world.settle();
    assert_eq!(end(&world, 0).0, Error::Refused);
    assert!(world.receive_all(1).is_empty());
}

#[test]
fn a_node_does_not_talk_to_itself() {
    let mut world = World::new(6);
    world.add(knowing(0, &[0]));
    world.send(0, 0, "x", b"echo");
    world.settle();
    assert!(world.receive_all(0).is_empty());
    assert_eq!(world.quic(0).stats().connections, 0);
}

#[test]
fn a_second_meeting_is_resumed_in_fewer_bytes() {
    // Certificates are what is saved: much here, as padding and probes would hide a little.
    let bytes_of_handshake = |tickets_max| {
        let mut world = World::new(7);
        for mut config in [one(), two()] {
            let Trust::Certificates(certificates) = &mut config.trust else { panic!() };
            for _ in 0..6 {
                certificates.chain.extend(pem!("first.pem"));
            }
            config.tickets_max = tickets_max;
            config.packet_size_max = 1_200;
            world.add(config);
        }
        let to = world.address(1);
        let mut before = 0;
        let mut meetings = Vec::new();
        for _ in 0..2 {
            world.send(0, 1, "x", b"y");
            world.settle();
            world.call(0, |quic, now| quic.close(now, to)).expect("it is there");
            world.settle();
            let now = world.quic(0).stats().datagram_bytes_sent;
            meetings.push(now - before);
            before = now;
        }
        assert_eq!(world.receive_all(1).len(), 2, "{:?}", world.take_events(0));
        meetings
    };
    let (with, without) = (bytes_of_handshake(16), bytes_of_handshake(0));
    assert!(with[1] + 1_000 < without[1], "{with:?} {without:?}");
}

#[test]
fn another_application_protocol_is_refused() {
    let mut world = World::new(8);
    world.add(config(0));
    let mut other = config(1);
    other.alpn = b"something/2".to_vec();
    world.add(other);
    world.send(0, 1, "x", b"y");
    world.settle();
    assert_eq!(end(&world, 0).0, Error::Crypto);
}

fn certified(chain: Vec<u8>, key: Vec<u8>, authorities: Vec<u8>) -> QuicConfig {
    QuicConfig::new(Trust::Certificates(Certificates {
        chain,
        key: key.into(),
        authorities,
        server_name: None,
    }))
}

fn one() -> QuicConfig {
    certified(pem!("one.pem"), pem!("one.key"), pem!("first.pem"))
}

fn two() -> QuicConfig {
    certified(pem!("two.pem"), pem!("two.key"), pem!("first.pem"))
}

#[test]
fn certificates_of_one_authority_believe_each_other() {
    let mut world = World::new(9);
    world.add(one());
    world.add(two());
    world.send(0, 1, "x", b"hello");
    world.settle();
    assert_eq!(world.receive_all(1).len(), 1);
    let events = world.take_events(0);
    let peer = world.quic(1).peer_id();
    let is_it =
        |event: &QuicEvent| matches!(event, QuicEvent::Connected { peer: who, .. } if *who == peer);
    assert!(events.iter().any(is_it), "{events:?}");
}

#[test]
fn a_certificate_of_another_authority_is_refused_with_its_reason() {
    let mut world = World::new(10);
    world.add(certified(pem!("three.pem"), pem!("three.key"), pem!("first.pem")));
    world.add(two());
    world.send(0, 1, "x", b"hello");
    world.settle();
    let (reason, text) = end(&world, 1);
    assert_eq!(reason, Error::Identity);
    assert!(text.contains("UnknownIssuer"), "{text}");
    assert_eq!(end(&world, 0).0, Error::Identity);
    assert!(world.receive_all(1).is_empty());
}

#[test]
fn a_certificate_for_another_name_or_time_is_refused_with_its_reason() {
    // The second node has the certificate of the first one's address.
    let mut world = World::new(11);
    world.add(two());
    world.add(one());
    world.send(0, 1, "x", b"hello");
    world.settle();
    let (reason, text) = end(&world, 0);
    assert_eq!(reason, Error::Identity);
    assert!(text.contains("not valid for name"), "{text}");
    // Both have the name that is asked for.
    let mut named = [two(), one()];
    for config in &mut named {
        let Trust::Certificates(certificates) = &mut config.trust else { panic!() };
        certificates.server_name = Some("node.test".to_owned());
    }
    let mut world = World::new(11);
    let [second, first] = named;
    world.add(second.clone());
    world.add(first);
    world.send(0, 1, "x", b"hello");
    world.settle();
    assert_eq!(world.receive_all(1).len(), 1);
    // The calendar of one says 1970.
    let mut world = World::new(12);
    world.add(one());
    world.add(second);
    let quic = Quic::new(one(), [1; 32], world.now, Duration::from_secs(1)).expect("good");
    world.nodes[0].end = super::world::End::Ours(quic);
    world.send(0, 1, "x", b"hello");
    world.settle();
    let (reason, text) = end(&world, 0);
    assert_eq!(reason, Error::Identity);
    assert!(text.contains("not valid yet"), "{text}");
}

#[test]
fn texts_that_are_no_certificates_are_refused_with_what_is_wrong() {
    let now = channeler::time::Time::ZERO;
    let made = |config| match Quic::new(config, [0; 32], now, UNIX) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error,
    };
    let (chain, key, roots) = (pem!("one.pem"), pem!("one.key"), pem!("first.pem"));
    let none = made(certified(b"".to_vec(), key.clone(), roots.clone()));
    assert!(matches!(&none, QuicError::Pem { what: "chain", .. }), "{none}");
    let none = made(certified(chain.clone(), b"secret".to_vec(), roots.clone()));
    assert!(matches!(&none, QuicError::Pem { what: "key", .. }), "{none}");
    let none = made(certified(chain.clone(), key.clone(), key));
    assert!(matches!(&none, QuicError::Pem { what: "authorities", .. }), "{none}");
    let other = made(certified(chain, pem!("two.key"), roots));
    assert!(matches!(&other, QuicError::Certificate(_)), "{other}");
    assert_eq!(Error::from(other), Error::InvalidArgument);
}

#[test]
fn raw_keys_and_certificates_do_not_mix() {
    let mut world = World::new(13);
    world.add(config(0));
    world.add(two());
    world.send(0, 1, "x", b"hello");
    world.settle();
    assert!([Error::Crypto, Error::Identity].contains(&end(&world, 0).0));
    let to = world.address(0);
    world.call(1, |quic, now| quic.send(now, to, TEAM, "x", b"hello")).expect("taken");
    world.settle();
    assert!(world.receive_all(0).is_empty() && world.receive_all(1).is_empty());
}
