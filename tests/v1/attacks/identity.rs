//! Aim: nobody is served under a name that is not its own, nor after a ban, whatever tickets there
//! are.
//! Method: answers from other nodes than asked, bans after tickets were issued, with early data.

use channeler::error::Error;
use channeler::id::ConnectionHandle;
use channeler::node::Dial;
use channeler::sim::{Recorded, World};

use super::tools::{Middle, assert_echo_through, end, establish};
use crate::tools::{SECOND, closed, connected};

// spec: 3.4 identity checks, 7.12 tickets, 18.2 attacks on identity, keys and packets
#[test]
fn a_node_that_answers_for_another_is_not_connected_to_whatever_tickets_there_are() {
    // Node 0 has tickets of node 1, of node 2, of both, of none.
    for tickets in 0..4 {
        let (mut world, mut middle) = world_of(3);
        for peer in [1, 2].into_iter().filter(|peer| tickets >> (peer - 1) & 1 == 1) {
            get_tickets(&mut world, &mut middle, peer);
        }
        let before = [0, 1, 2].map(|node| connected(&world, node));
        let received = world.node(2).stats().messages_received;
        // Everything for node 1 goes to node 2, who answers under its address.
        let connection = send_early(&mut world, 1, b"for node 1 only");
        let (one, two) = (world.address(1), world.address(2));
        middle.run(&mut world, 40 * SECOND, |datagram| vec![exchange(datagram, one, two)]);
        let end = closed(&world, 0, connection);
        assert_eq!(end, Some((Error::Identity, Some(3))), "tickets {tickets}");
        assert_eq!([0, 1, 2].map(|node| connected(&world, node)), before);
        assert_eq!(world.node(2).stats().messages_received, received);
    }
}

// spec: 3.4 identity checks, 7.13 early data, 18.2 attacks on identity, keys and packets
#[test]
fn a_peer_banned_after_its_ticket_was_issued_is_refused_with_its_early_data() {
    let (mut world, mut middle) = world_of(2);
    get_tickets(&mut world, &mut middle, 1);
    let peer = world.peer(0);
    world.with(1, |node, now| node.ban_peer(now, peer, 30 * SECOND)).expect("room");
    let events = world.events(1).len();
    let received = world.node(1).stats().messages_received;
    let connection = send_early(&mut world, 1, b"from somebody banned");
    assert!(has_early(&mut middle, &mut world), "the ticket was used");
    middle.pass(&mut world, 20 * SECOND);
    assert_eq!(closed(&world, 0, connection), Some((Error::Refused, Some(2))));
    assert_eq!(world.events(1).len(), events, "{:?}", world.events(1));
    assert_eq!(world.node(1).stats().messages_received, received);
    // The same without the ban, so that the above shows something.
    middle.pass(&mut world, 20 * SECOND);
    let pair = establish(&mut world, &mut middle);
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 3.4 identity checks, 7.12 tickets
#[test]
fn a_peer_banned_while_its_resumed_handshake_is_under_way_is_refused() {
    let (mut world, mut middle) = world_of(2);
    get_tickets(&mut world, &mut middle, 1);
    let (peer, before) = (world.peer(0), connected(&world, 1));
    let connection = world.connect(0, 1).expect("room");
    // The ClientHello has arrived, the Finished has not.
    middle.pass(&mut world, 30 * crate::tools::MILLI);
    world.with(1, |node, now| node.ban_peer(now, peer, 30 * SECOND)).expect("room");
    middle.pass(&mut world, 20 * SECOND);
    assert_eq!(closed(&world, 0, connection), Some((Error::Refused, Some(2))));
    assert_eq!(connected(&world, 1), before);
}

// spec: 7.12 tickets
#[test]
fn a_dial_that_asks_for_nobody_offers_no_ticket() {
    let (mut world, mut middle) = world_of(2);
    get_tickets(&mut world, &mut middle, 1);
    let address = world.address(1);
    let dial = Dial { peer: None, ..Dial::v1(world.peer(1), address) };
    let connection = world.dial(0, &dial).expect("room");
    let channel = world.open(0, connection).expect("room");
    world
        .with(0, |node, now| node.send_early(now, channel, b"to whom it may concern"))
        .expect("room");
    assert!(!has_early(&mut middle, &mut world));
}

/// Nodes that take early data, and somebody between them.
fn world_of(count: usize) -> (World, Middle) {
    let mut world = World::new(1);
    for _ in 0..count {
        world.add(|config| config.early_data = true);
    }
    let middle = Middle::new(&mut world);
    (world, middle)
}

/// Has node 0 connect to a node, so that it gets tickets, and end that again.
fn get_tickets(world: &mut World, middle: &mut Middle, peer: usize) {
    let connection = world.connect(0, peer).expect("room");
    middle.pass(world, 2 * SECOND);
    end(world, middle, 0, connection);
}

/// Dials, and sends what may go early.
fn send_early(world: &mut World, to: usize, text: &[u8]) -> ConnectionHandle {
    let connection = world.connect(0, to).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.with(0, |node, now| node.send_early(now, channel, text)).expect("room");
    connection
}

/// Whether early data is on its way now; sends on what is.
fn has_early(middle: &mut Middle, world: &mut World) -> bool {
    let taken = middle.taken(world);
    taken.iter().for_each(|datagram| middle.send(world, datagram));
    taken.iter().any(|datagram| super::tools::levels_of(&datagram.bytes).contains(&2))
}

/// What is for `one` goes to `two`, and what `two` says comes from `one`.
fn exchange(datagram: &Recorded, one: std::net::SocketAddr, two: std::net::SocketAddr) -> Recorded {
    let mut copy = datagram.clone();
    if datagram.to == one {
        copy.to = two;
    } else if datagram.station == two {
        copy.station = one;
    }
    copy
}
