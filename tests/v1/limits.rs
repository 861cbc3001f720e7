//! Aim: every limit on connections has its stated result.
//! Method: nodes with small limits, and more peers than fit.

use channeler::error::Error;
use channeler::node::DropReason;
use channeler::sim::World;

use crate::tools::{SECOND, connected, dropped, why_closed};

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
