//! Aim: every limit on connections has its stated result.
//! Method: nodes with small limits, and more peers than fit.

use channeler::config::ChannelConfig;
use channeler::error::Error;
use channeler::id::{Capabilities, ChannelHandle};
use channeler::io::Event;
use channeler::node::{DropReason, Node};
use channeler::sim::{Link, World};
use channeler::wire::codes::ConnectionCode;

use crate::tools::{MILLI, SECOND, closed, connected, dropped, why_closed};

// spec: 16.1 table
#[test]
fn a_node_that_takes_no_strangers_says_nothing_to_them_and_dials_all_the_same() {
    let mut world = World::new(1);
    world.add(|config| config.accept_incoming = false);
    world.add(|_| ());
    let connection = world.connect(1, 0).expect("room");
    world.run_for(31 * SECOND);
    assert_eq!(why_closed(&world, 1, connection), Some(Error::Timeout));
    assert_eq!(world.node(0).stats().datagrams_sent, 0);
    assert!(dropped(&world, 0, DropReason::Refused) > 0);
    world.establish(0, 1);
    assert_eq!(connected(&world, 0), 1);
}

// spec: 16.1 table
#[test]
fn a_full_table_takes_no_more_connections_either_way() {
    let mut world = World::new(1);
    world.add(|config| config.connections_max = 2);
    (0..3).for_each(|_| {
        world.add(|_| ());
    });
    world.establish(1, 0);
    world.establish(2, 0);
    assert_eq!(world.connect(0, 3), Err(Error::Limit));
    let connection = world.connect(3, 0).expect("room");
    world.run_for(31 * SECOND);
    assert_eq!(why_closed(&world, 3, connection), Some(Error::Timeout));
    assert!(dropped(&world, 0, DropReason::ConnectionLimit) > 0);
}

// spec: 7.10 half-open limits, 16.1 table
#[test]
fn connections_that_begin_together_do_not_pass_the_limit_together() {
    let mut world = World::new(1);
    world.add(|config| config.connections_max = 2);
    (1..5).for_each(|_| {
        world.add(|_| ());
    });
    world.network.set_all(Link::with_delay(20 * MILLI));
    // All of them are half-open before the first is confirmed.
    let dials: Vec<_> = (1..5).map(|from| (from, world.connect(from, 0).expect("room"))).collect();
    world.run_for(5 * SECOND);
    assert_eq!(connected(&world, 0), 2);
    assert_eq!(world.node(0).stats().connections, 2);
    let ends = dials.iter().filter_map(|(from, connection)| closed(&world, *from, *connection));
    let refused = Some(ConnectionCode::Refused.code());
    assert_eq!(ends.collect::<Vec<_>>(), [(Error::Refused, refused); 2]);
}

// spec: 7.10 half-open limits, 16.1 table
#[test]
fn one_address_has_only_so_many_connections_that_it_began() {
    let mut world = World::new(1);
    world.add(|config| config.connections_per_address_max = 1);
    (0..2).for_each(|_| {
        world.add(|_| ());
    });
    // Both behind one address.
    let (one, other) = (world.address(1), world.address(2));
    let seen = std::net::SocketAddr::new(one.ip(), other.port());
    world.network.rebind(other, seen, false);
    world.establish(1, 0);
    let connection = world.connect(2, 0).expect("room");
    world.run_for(31 * SECOND);
    assert_eq!(why_closed(&world, 2, connection), Some(Error::Timeout));
    assert!(dropped(&world, 0, DropReason::AddressLimit) > 0);
}

// spec: 11.3 receiving, 17.2 channel
#[test]
fn unfinished_messages_over_the_nodes_budget_cost_the_largest_channel_of_all_connections() {
    let mut world = World::new(1);
    world.add(|config| {
        config.message_bytes_max = 400_000;
        config.connection_receive_bytes_max = 400_000;
        config.node_receive_bytes_max = 500_000;
    });
    (1..4).for_each(|_| {
        world.add(|_| ());
    });
    world.network.set_all(Link::with_delay(20 * MILLI));
    let config = ChannelConfig { capabilities: Capabilities::RESEND, ..Default::default() };
    // The first two are too large together, whichever ends makes room.
    let sizes = [300_000, 290_000, 100];
    let channels: Vec<ChannelHandle> = (1..4)
        .map(|from| {
            let connection = world.connect(from, 0).expect("room");
            let open = |node: &mut Node, now| node.open_channel(now, connection, &config);
            let channel = world.with(from, open).expect("room");
            world.run_for(SECOND);
            channel
        })
        .collect();
    for (from, (channel, size)) in (1..).zip(channels.iter().zip(sizes)) {
        world.send(from, *channel, &vec![from as u8; size]).expect("room");
    }
    world.run_for(5 * SECOND);
    let ends: Vec<_> = (1..4).map(|from| channel_ends(&world, from)).collect();
    let is_one = ends == [vec![Error::Limit], vec![], vec![]]
        || ends == [vec![], vec![Error::Limit], vec![]];
    assert!(is_one, "one of the large ones: {ends:?}");
    let delivered = world.opened(0, 0).into_iter().filter_map(|(_, channel, _)| {
        let message = world.receive(0, channel)?;
        Some((message.first().copied(), message.len()))
    });
    let mut delivered: Vec<_> = delivered.collect();
    delivered.sort_unstable();
    let kept = if ends[0].is_empty() { (Some(1), 300_000) } else { (Some(2), 290_000) };
    assert_eq!(delivered, [kept, (Some(3), 100)], "the others go on");
}

// spec: 16.1 table, 18.3 attacks on resources
#[test]
fn no_peer_takes_all_channels_of_the_node() {
    const CHANNELS: usize = 200;
    let mut world = World::new(1);
    world.add(|config| config.channels_max = CHANNELS);
    (1..4).for_each(|_| {
        world.add(|_| ());
    });
    let mut before = 0;
    for from in 1..4 {
        let connection = world.connect(from, 0).expect("room");
        for _ in 0..CHANNELS {
            world.open(from, connection).expect("room");
        }
        world.run_for(5 * SECOND);
        let now = world.node(0).stats().channels as usize;
        let left = CHANNELS - before;
        assert_eq!(now - before, left / 2, "half of what the others left, for node {from}");
        before = now;
        assert!(channel_ends(&world, from).contains(&Error::Limit), "the rest was refused");
    }
}

/// Why channels of node `index` ended.
fn channel_ends(world: &World, index: usize) -> Vec<Error> {
    let ends = world.events(index).iter().filter_map(|happened| {
        let Event::ChannelClosed { reason, .. } = happened.event else { return None };
        Some(reason)
    });
    ends.collect()
}
