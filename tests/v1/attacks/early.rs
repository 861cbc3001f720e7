//! Aim: early data is delivered at most twice, and the second time only when a copy won the race.
//! Method: somebody on the path records a first flight with early data and sends it again: to the
//! same node, before the original, and after a restart.

use std::net::SocketAddr;

use channeler::config::NodeConfig;
use channeler::sim::{Recorded, World};

use super::tools::{Middle, end, levels_of, messages};
use crate::tools::{MILLI, SECOND, connected};

const TEXT: &[u8] = b"safe to replay";

// spec: 7.13 early data, 18.2 attacks on identity, keys and packets
#[test]
fn a_first_flight_with_early_data_replayed_later_delivers_nothing() {
    for restarted in [false, true] {
        let (mut world, mut middle, flight) = first_flight();
        if restarted {
            world.restart(1);
        }
        let before = connected(&world, 1);
        send_all(&mut world, &middle, &flight, None);
        middle.pass(&mut world, 2 * SECOND);
        assert_eq!(messages(&mut world, 1), [TEXT.to_vec()], "restarted {restarted}");
        assert_eq!(is_early(&world), !restarted, "a ticket is good for one process");
        assert_eq!(connected(&world, 1), before + 1);
        let elsewhere = SocketAddr::from(([10, 77, 0, 7], 7));
        for round in 0..8 {
            let source = [None, Some(elsewhere)][round % 2];
            send_all(&mut world, &middle, &flight, source);
            middle.pass(&mut world, 4 * SECOND);
        }
        assert_eq!(messages(&mut world, 1), Vec::<Vec<u8>>::new());
        assert_eq!(connected(&world, 1), before + 1);
        // The process ends, and the next gets copies only.
        world.restart(1);
        let events = world.events(1).len();
        for _ in 0..2 {
            send_all(&mut world, &middle, &flight, Some(elsewhere));
            send_all(&mut world, &middle, &flight, None);
            middle.run(&mut world, 12 * SECOND, |datagram| {
                let is_of_node_0 = datagram.station.port() == 4_000;
                if is_of_node_0 { Vec::new() } else { vec![datagram.clone()] }
            });
        }
        assert_eq!(world.events(1).len(), events, "{:?}", &world.events(1)[events..]);
        assert_eq!(world.node(1).stats().messages_received, 0);
    }
}

// spec: 7.13 early data, 16.1 table
#[test]
fn a_peer_accepted_for_its_early_data_is_not_in_its_own_way_at_a_limit() {
    let small = |config: &mut NodeConfig| {
        (config.connections_max, config.connections_per_address_max) = (1, 1);
    };
    let (mut world, mut middle) = world_with_ticket_and(true, small);
    let flight = dial_early(&mut world, &mut middle);
    send_all(&mut world, &middle, &flight, None);
    middle.pass(&mut world, 2 * SECOND);
    assert!(is_early(&world));
    assert_eq!(messages(&mut world, 1), [TEXT.to_vec()]);
    assert_eq!((connected(&world, 1), world.node(1).stats().connections), (2, 1));
}

// spec: 7.13 early data, 18.2 attacks on identity, keys and packets
#[test]
fn a_copy_that_wins_the_race_costs_one_double_delivery_and_later_ones_nothing() {
    let (mut world, mut middle, flight) = first_flight();
    let elsewhere = SocketAddr::from(([10, 77, 0, 7], 7));
    send_all(&mut world, &middle, &flight, Some(elsewhere));
    middle.run(&mut world, 10 * MILLI, |_| Vec::new());
    send_all(&mut world, &middle, &flight, None);
    send_all(&mut world, &middle, &flight, Some(SocketAddr::from(([10, 77, 0, 8], 8))));
    middle.pass(&mut world, 2 * SECOND);
    assert_eq!(messages(&mut world, 1), [TEXT.to_vec(), TEXT.to_vec()]);
    send_all(&mut world, &middle, &flight, Some(SocketAddr::from(([10, 77, 0, 9], 9))));
    middle.pass(&mut world, 20 * SECOND);
    assert_eq!(messages(&mut world, 1), Vec::<Vec<u8>>::new());
    // The honest one has its connection, and the copy's is gone.
    assert_eq!(world.node(1).stats().connections, 1);
    let open = world.opened(0, 0);
    let (connection, channel, _) = open[open.len() - 1];
    assert!(world.node(0).connection_info(connection).is_ok_and(|info| info.is_connected));
    world.send(0, channel, b"and on").expect("room");
    middle.pass(&mut world, SECOND);
    assert_eq!(messages(&mut world, 1), [b"and on".to_vec()]);
}

// spec: 7.13 early data
#[test]
fn a_node_that_does_not_take_early_data_gets_the_message_once_and_not_early() {
    let (mut world, mut middle) = world_with_ticket(false);
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.with(0, |node, now| node.send_early(now, channel, TEXT)).expect("room");
    middle.pass(&mut world, 2 * SECOND);
    assert!(!is_early(&world));
    assert_eq!(messages(&mut world, 1), [TEXT.to_vec()]);
}

/// Nodes of which 0 has a ticket of 1, and the datagrams of its next dial, which nobody has seen.
fn first_flight() -> (World, Middle, Vec<Recorded>) {
    let (mut world, mut middle) = world_with_ticket(true);
    let flight = dial_early(&mut world, &mut middle);
    (world, middle, flight)
}

/// Node 0 dials node 1 with early data; none of it is sent on.
fn dial_early(world: &mut World, middle: &mut Middle) -> Vec<Recorded> {
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    world.with(0, |node, now| node.send_early(now, channel, TEXT)).expect("room");
    let flight = middle.taken(world);
    assert!(flight.iter().any(|datagram| levels_of(&datagram.bytes).contains(&2)));
    flight
}

fn world_with_ticket(early_data: bool) -> (World, Middle) {
    world_with_ticket_and(early_data, |_| ())
}

fn world_with_ticket_and(early_data: bool, change: impl Fn(&mut NodeConfig)) -> (World, Middle) {
    let mut world = World::new(1);
    for _ in 0..2 {
        world.add(|config| {
            config.early_data = early_data;
            change(config);
        });
    }
    let mut middle = Middle::new(&mut world);
    let connection = world.connect(0, 1).expect("room");
    middle.pass(&mut world, 2 * SECOND);
    end(&mut world, &mut middle, 0, connection);
    (world, middle)
}

fn send_all(world: &mut World, middle: &Middle, flight: &[Recorded], source: Option<SocketAddr>) {
    for datagram in flight {
        let station = source.unwrap_or(datagram.station);
        middle.send(world, &Recorded { station, ..datagram.clone() });
    }
}

/// Whether the last channel that node 1 got was opened in early data.
fn is_early(world: &World) -> bool {
    let (_, channel, by_peer) = *world.opened(1, 0).last().expect("it got one");
    assert!(by_peer);
    world.node(1).channel_info(channel).expect("it lives").is_early
}
