//! Acknowledgements that come with data: heard when the answer has left, as of when they came.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::world::{DELAY, World};
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle};
use crate::io::EcnMark;
use crate::recovery::ReceivedPacket;

const SECOND: Duration = Duration::from_secs(1);

/// Two ends with an open channel and nothing on the way, and what they send from now on, which the
/// test delivers.
struct Held {
    world: World,
    channels: [ChannelHandle; 2],
    sent: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Held {
    fn new(seed: u64) -> Held {
        let mut world = World::connected(seed);
        let opened = world.open(0, Capabilities(0));
        assert_eq!(world.send_message(0, opened, b"opens"), Ok(()));
        world.run(SECOND);
        let channels = [opened, world.accepted(1)];
        let sent = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&sent);
        world.tap = Some(Box::new(move |_, _, datagram| {
            seen.borrow_mut().push(datagram.to_vec());
            None
        }));
        Held { world, channels, sent }
    }

    /// An end sends a message: the datagram that it is in.
    fn send(&mut self, end: usize, message: &[u8]) -> Vec<u8> {
        assert_eq!(self.world.send_message(end, self.channels[end], message), Ok(()));
        self.world.drain(end);
        let mut sent = std::mem::take(&mut *self.sent.borrow_mut());
        assert_eq!(sent.len(), 1, "one datagram has it all");
        sent.remove(0)
    }

    /// A datagram arrives a one-way delay later.
    fn deliver(&mut self, end: usize, datagram: Vec<u8>) {
        self.world.now = self.world.now + DELAY;
        self.world.deliver(end, datagram);
    }

    fn in_flight(&mut self, end: usize) -> u64 {
        self.world.connection(end).stats().in_flight_bytes
    }
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn an_answer_leaves_before_the_ack_of_its_question_is_heard_and_the_ack_is_not_late() {
    let mut held = Held::new(301);
    let question = held.send(1, b"question");
    let before = held.in_flight(1);
    assert_eq!(before, question.len() as u64);
    held.deliver(0, question);
    let answer = held.send(0, b"answer");
    held.deliver(1, answer);
    assert_eq!(held.world.texts(1).last().map(String::as_str), Some("answer"));
    assert_eq!(held.in_flight(1), before, "it is not heard yet");
    // What the application takes for its next question is no part of the round trip.
    held.world.now = held.world.now + DELAY / 2;
    let next = held.send(1, b"next");
    assert_eq!(held.in_flight(1), next.len() as u64, "it is heard");
    let carrier = held.world.connection(1).established.as_mut().expect("it lives");
    assert_eq!(carrier.carriers.current().rtt.latest(), 2 * DELAY);
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn an_ack_is_heard_before_the_next_packet_and_before_any_timer() {
    for has_timer in [false, true] {
        let mut held = Held::new(302);
        let question = held.send(1, b"question");
        held.deliver(0, question);
        let answers = [held.send(0, b"answer"), held.send(0, b"another")];
        let [first, second] = answers;
        held.deliver(1, first);
        assert_ne!(held.in_flight(1), 0);
        if has_timer {
            held.world.with_connection(1, |connection, shared, now| {
                connection.handle_timeout(shared, now);
            });
        } else {
            held.deliver(1, second);
        }
        assert_eq!(held.in_flight(1), 0);
    }
}

// spec: 8.5 ACK, ACK_ECN: what was never sent
#[test]
fn an_ack_with_data_of_what_was_never_sent_ends_the_connection_all_the_same() {
    let mut world = World::connected(303);
    let channel = world.open(0, Capabilities(0));
    assert_eq!(world.send_message(0, channel, b"opens"), Ok(()));
    world.run(SECOND);
    world.with_connection(0, |connection, _, now| {
        let established = connection.established.as_mut().expect("it lives");
        let received = &mut established.carriers.current_mut().received;
        let (mark, asks_for_ack, asks_at_once) = (EcnMark::None, true, true);
        // One range with those that came, so that hearing it is put off.
        let largest = received.largest().expect("packets came");
        for number in largest + 1..=largest + 100 {
            let packet = ReceivedPacket { number, mark, asks_for_ack, asks_at_once };
            received.on_received(now, &packet);
        }
    });
    assert_eq!(world.send_message(0, channel, b"data"), Ok(()));
    world.run(SECOND);
    assert_eq!(world.connection_end(1), Some(Error::Protocol));
    assert_eq!(world.texts(1).last().map(String::as_str), Some("data"));
}

// spec: 8.5 ACK, ACK_ECN: what was never sent
#[test]
fn an_ack_of_a_number_that_its_answer_would_have_had_ends_the_connection() {
    let mut held = Held::new(304);
    let question = held.send(1, b"question");
    held.deliver(0, question);
    held.world.with_connection(0, |connection, _, now| {
        let established = connection.established.as_mut().expect("it lives");
        let received = &mut established.carriers.current_mut().received;
        let number = received.largest().expect("packets came") + 1;
        let mark = EcnMark::None;
        let packet = ReceivedPacket { number, mark, asks_for_ack: true, asks_at_once: true };
        received.on_received(now, &packet);
    });
    let lie = held.send(0, b"data");
    held.deliver(1, lie);
    let _ended = held.world.send_message(1, held.channels[1], b"answer");
    held.world.drain(1);
    assert_eq!(held.world.connection_end(1), Some(Error::Protocol));
}
