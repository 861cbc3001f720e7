//! What is lent is as the endpoint itself: order, limits, counters. Two endpoints pass datagrams to
//! each other, on a clock that stands.

use std::time::Duration;

use super::*;
use crate::crypto::Identity;
use crate::io::{EcnMark, Local, Receive};
use crate::quic::{QuicConfig, QuicEvent, StreamPolicy, Trust};

const TEAM: TeamId = TeamId([7; 32]);

#[test]
fn messages_to_all_channels_of_a_peer_are_put_and_taken_in_order() {
    let mut pair = Pair::new(|_| {});
    let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
    let (mut expected, mut through_endpoint) = (Vec::new(), 0);
    for number in 0..600_u32 {
        // The last two have heads of more bytes than are copied at once, and as many as one has.
        let long = ["a label of one byte more than thirty bytes", "a label of exactly thirty byte"];
        let labels =
            ["TELEMETRY", "TELEMUTRY", "COMMAND", "né", "", "sixteen bytes ok", long[0], long[1]];
        let label = labels[number as usize / 5 % labels.len()];
        let message = vec![number as u8; number as usize % 90];
        if !put(&mut outgoing, pair.there(), label.as_bytes(), &message) {
            pair.ends[0].take_back_outgoing(&mut outgoing);
            pair.lend(&mut outgoing, label, &message).expect("there is room");
            through_endpoint += 1;
        }
        expected.push((label, message));
    }
    assert!(through_endpoint < 10, "{through_endpoint} of them went through the endpoint");
    pair.ends[0].take_back_outgoing(&mut outgoing);
    assert_eq!(pair.ends[0].stats().messages_sent, 1 + 600);
    let bytes: usize = expected.iter().map(|(_, message)| message.len()).sum();
    assert_eq!(pair.ends[0].stats().bytes_sent, 5 + bytes as u64);
    pair.pass();
    pair.ends[1].lend_incoming(&mut incoming);
    let mut target = [0; 90];
    for (label, message) in &expected {
        let told = |waiting: &Waiting<'_>| {
            assert_eq!((waiting.team_id, waiting.label), (TEAM, *label));
            assert_eq!(waiting.address, Pair::HERE.into());
        };
        assert_eq!(incoming.receive(&mut target, told), Some(message.len()));
        assert_eq!(target[..message.len()], message[..]);
    }
    assert_eq!(incoming.receive(&mut target, |_| {}), None);
    pair.ends[1].take_back_incoming(&mut incoming);
    let stats = pair.ends[1].stats();
    assert_eq!((stats.receive_messages, stats.receive_bytes), (0, 0));
}

#[test]
fn what_the_endpoint_would_refuse_or_treat_otherwise_is_not_put() {
    let mut pair = Pair::new(|config| config.message_bytes_max = 500);
    let mut outgoing = Outgoing::default();
    assert!(!put(&mut outgoing, pair.there(), b"x", b"nothing is lent"));
    pair.lend(&mut outgoing, "x", b"first").expect("there is room");
    pair.ends[0].take_back_outgoing(&mut outgoing);
    assert_eq!(pair.ends[0].stats().messages_sent, 2);
    pair.lend(&mut outgoing, "x", b"second").expect("there is room");
    let there = pair.there();
    let elsewhere = SocketAddr::from(([10, 0, 0, 3], 7));
    assert!(!put(&mut outgoing, elsewhere, b"x", b"another peer"));
    assert!(!put(&mut outgoing, there, b"x", &[0; 501]), "too large");
    assert!(!put(&mut outgoing, there, &[b'l'; 257], b"its label is too long"));
    assert!(!put(&mut outgoing, there, b"\xff", b"its label is no text"));
    assert!(put(&mut outgoing, there, b"x", &[0; 500]));
    outgoing.shut();
    assert!(!put(&mut outgoing, there, b"x", b"it was shut"));
    pair.lend(&mut outgoing, "x", b"the endpoint takes it").expect("there is room");
    assert!(!put(&mut outgoing, there, b"x", b"it stays shut"));
}

#[test]
fn a_full_queue_is_full_at_the_same_message() {
    let fill = |through_lent: bool| {
        let mut pair = Pair::new(|config| config.send_queue_bytes_max = 5_000);
        let mut outgoing = Outgoing::default();
        let mut taken = 0;
        loop {
            let is_put = through_lent && put(&mut outgoing, pair.there(), b"x", &[0; 33]);
            if !is_put {
                pair.ends[0].take_back_outgoing(&mut outgoing);
                match pair.lend(&mut outgoing, "x", &[0; 33]) {
                    Ok(()) => {}
                    Err(error) => break assert_eq!(error, Error::WouldBlock),
                }
            }
            taken += 1;
        }
        pair.pass();
        let events = std::iter::from_fn(|| pair.ends[0].poll_event());
        let told = events.filter(|event| matches!(event, QuicEvent::Writable { .. })).count();
        (taken, told)
    };
    assert_eq!(fill(true), fill(false));
    assert_eq!(fill(true).1, 1);
}

#[test]
fn each_channel_has_its_stream_with_that_policy() {
    let mut pair = Pair::new(|config| config.streams = StreamPolicy::PerChannel);
    let mut outgoing = Outgoing::default();
    for _ in 0..2 {
        pair.ends[0].take_back_outgoing(&mut outgoing);
        pair.lend(&mut outgoing, "x", b"").expect("there is room");
    }
    assert!(put(&mut outgoing, pair.there(), b"x", b"its own"));
    assert!(!put(&mut outgoing, pair.there(), b"y", b"that of another"));
}

#[test]
fn what_was_taken_makes_room_and_a_sender_that_is_held_back_goes_on() {
    let mut pair = Pair::new(|config| config.connection_receive_messages_max = 10);
    let mut incoming = Incoming::default();
    for number in 0..25 {
        let now = Pair::NOW;
        pair.ends[0].send(now, pair.there(), TEAM, "x", &[number]).expect("there is room");
    }
    pair.pass();
    assert_eq!(pair.ends[1].stats().receive_messages, 10);
    pair.ends[1].lend_incoming(&mut incoming);
    let mut target = [0; 1];
    assert_eq!(incoming.receive(&mut target, |_| {}), None, "the endpoint must see what is taken");
    let mut got = Vec::new();
    while let Some(waiting) = pair.ends[1].next_message() {
        got.push(waiting.message[0]);
        pair.ends[1].pop_message(Pair::NOW);
    }
    assert!(got.into_iter().eq(0..25));
}

#[test]
fn a_message_larger_than_the_target_stays() {
    let mut pair = Pair::new(|_| {});
    let mut incoming = Incoming::default();
    pair.ends[0].send(Pair::NOW, pair.there(), TEAM, "x", b"three").expect("there is room");
    pair.pass();
    pair.ends[1].lend_incoming(&mut incoming);
    let never = |_: &Waiting<'_>| panic!("it was told of a message that stays");
    assert_eq!(incoming.receive(&mut [0; 4], never), None);
    pair.ends[1].take_back_incoming(&mut incoming);
    assert_eq!(pair.ends[1].next_message().map(|waiting| waiting.message), Some(&b"three"[..]));
    incoming.shut();
    pair.ends[1].lend_incoming(&mut incoming);
    assert_eq!(incoming.receive(&mut [0; 5], |_| {}), None, "it was shut");
}

fn put(outgoing: &mut Outgoing, to: SocketAddr, label: &[u8], message: &[u8]) -> bool {
    outgoing.send(|address| *address == to, &TEAM.0, label, std::iter::once(message)) == 1
}

/// Two endpoints with a connection that the first began.
struct Pair {
    ends: [Quic; 2],
}

impl Pair {
    const NOW: Time = Time::from_nanos(1_000_000_000);
    const HERE: ([u8; 4], u16) = ([10, 0, 0, 1], 7);

    fn new(configure: impl Fn(&mut QuicConfig)) -> Pair {
        let peers = [1, 2].map(|seed| Identity::from_seed([seed; 32]).peer_id());
        let ends = [1, 2].map(|seed| {
            let identity = Identity::from_seed([seed; 32]);
            let mut config = QuicConfig::new(Trust::RawKeys { identity, peers: peers.to_vec() });
            config.congestion = crate::config::Congestion::Cubic;
            configure(&mut config);
            Quic::new(config, [seed; 32], Pair::NOW, Duration::ZERO).expect("good settings")
        });
        let mut pair = Pair { ends };
        let there = pair.there();
        pair.ends[0].send(Pair::NOW, there, TEAM, "x", b"hello").expect("it dials");
        pair.pass();
        assert_eq!(pair.ends[1].next_message().map(|waiting| waiting.message), Some(&b"hello"[..]));
        pair.ends[1].pop_message(Pair::NOW);
        pair
    }

    fn there(&self) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 2], 7))
    }

    fn lend(&mut self, outgoing: &mut Outgoing, label: &str, message: &[u8]) -> Result<(), Error> {
        let there = self.there();
        self.ends[0].send_and_lend(|| Pair::NOW, there, TEAM, label, message, outgoing)
    }

    /// Passes datagrams until there are none.
    fn pass(&mut self) {
        let addresses = [SocketAddr::from(Pair::HERE), self.there()];
        let mut buffer = Vec::new();
        let mut rests = 0;
        while rests < 2 {
            for (from, to) in [(0, 1), (1, 0)] {
                rests += 1;
                while let Some(transmit) = self.ends[from].poll_transmit(Pair::NOW, &mut buffer) {
                    rests = 0;
                    let stride = transmit.segment_size;
                    let local = Local::default();
                    let origin =
                        Receive { from: addresses[from], local, stride, ecn: EcnMark::None };
                    self.ends[to].handle_datagram(Pair::NOW, &origin, &buffer[..transmit.len]);
                }
            }
        }
    }
}
