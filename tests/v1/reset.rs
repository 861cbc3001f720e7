//! Aim: a node that restarted ends the connections that it lost, and nobody else can.
//! Method: restarts, forged resets, floods of unknown tokens.

use channeler::error::Error;
use channeler::node::DropReason;
use channeler::sim::World;

use crate::tools::{MILLI, SECOND, assert_echo, dropped, two_nodes, why_closed};

// spec: 14.5 stateless reset: meaning, 14.6 stateless reset: sending
#[test]
fn a_peer_that_restarted_ends_the_connection_at_the_next_message() {
    // The initiator's reset value comes in NEW_TOKEN, the responder's in its parameters.
    for restarted in 0..2 {
        let mut world = two_nodes();
        let pair = world.establish(0, 1);
        world.run_for(SECOND);
        world.restart(restarted);
        let (node, channel, connection) = match restarted {
            0 => (1, pair.peer_channel, pair.peer_connection),
            _ => (0, pair.channel, pair.connection),
        };
        // A packet below 34 bytes has no answer: it may be a reset itself.
        world.send(node, channel, b"anybody home, or has everything changed?").expect("room");
        world.run_for(41 * MILLI);
        assert_eq!(why_closed(&world, node, connection), Some(Error::Reset), "{restarted}");
        world.run_for(10 * SECOND);
        assert_eq!(world.node(node).stats().connections, 0);
        let again = world.establish(node, restarted);
        assert_ne!(again.connection, connection);
    }
}

// spec: 14.5 stateless reset: meaning
#[test]
fn a_reset_is_believed_from_the_peers_address_only_and_with_its_value_only() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    world.run_for(SECOND);
    world.network.keep_recent(1_000);
    // As small as one can be: to a larger one node 0 would answer.
    let mut forged = [0x80; 33];
    forged[17..].fill(0);
    let (us, them) = (world.address(0), world.address(1));
    world.inject(them, us, &forged);
    world.run_for(SECOND);
    assert_eq!(dropped(&world, 0, DropReason::UnknownToken), 1);
    assert_echo(&mut world, &pair);
    // The true one: whoever saw a packet can ask for it, once the peer has restarted.
    let elsewhere = std::net::SocketAddr::from(([10, 9, 9, 9], 9));
    world.add_station(elsewhere);
    let sent = world.network.recent().iter().rev().find(|one| one.station == us);
    let packet = sent.expect("it sent a message").bytes.clone();
    world.restart(1);
    world.inject(elsewhere, them, &packet);
    world.run_for(SECOND);
    let [answer] = &world.take_inbox(elsewhere)[..] else { panic!("one answer") };
    let copy = answer.bytes.clone();
    assert!(copy.len() < packet.len());
    world.feed(0, &receive_from(elsewhere, copy.len()), &copy);
    assert_eq!(why_closed(&world, 0, pair.connection), None);
    world.feed(0, &receive_from(them, copy.len()), &copy);
    assert_eq!(why_closed(&world, 0, pair.connection), Some(Error::Reset));
}

// spec: 14.6 stateless reset: sending, 18.3 attacks on resources
#[test]
fn unknown_tokens_at_line_rate_cause_few_and_small_answers() {
    let mut world = World::with_nodes(1, 1);
    let mut datagram = [0x80; 1_200];
    for number in 0..10_000_u32 {
        datagram[1..5].copy_from_slice(&number.to_be_bytes());
        let network = number as u8;
        let from = std::net::SocketAddr::from(([10, 50, network, 1], 9));
        world.feed(0, &receive_from(from, datagram.len()), &datagram);
    }
    let stats = world.node(0).stats();
    assert_eq!(stats.dropped(DropReason::UnknownToken), 10_000);
    assert_eq!(stats.datagrams_sent, 100);
    assert!(stats.bytes_sent <= 100 * 64);
}

fn receive_from(from: std::net::SocketAddr, stride: usize) -> channeler::io::Receive {
    let (local, ecn) = Default::default();
    channeler::io::Receive { from, local, stride, ecn }
}
