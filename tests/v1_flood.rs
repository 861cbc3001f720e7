//! Aim: a flood of first flights leaves a node's memory flat, and honest peers are served.
//! Method: first flights, good ones and garbage, from ever new addresses; the memory of this
//! process, which runs only this test, is read before and after.

use std::net::SocketAddr;
use std::time::Duration;

use channeler::id::PeerId;
use channeler::io::{Local, Receive};
use channeler::node::{Dial, DropReason};
use channeler::sim::{Link, World};

// spec: 7.10 half-open limits, 18.3 attacks on resources
#[test]
fn a_flood_of_first_flights_grows_nothing_and_honest_peers_connect_within_a_second() {
    let rounds: u32 = if cfg!(debug_assertions) { 60_000 } else { 1_000_000 };
    let mut world = World::with_nodes(1, 2);
    world.network.set_all(Link::with_delay(Duration::from_millis(20)));
    let good = first_datagram(&mut world);
    let mut garbage = good.clone();
    let mut before = 0;
    for round in 0..rounds {
        let [a, b, c, d] = (round | 0x0b00_0000).to_be_bytes();
        let from = SocketAddr::from(([a, b, c, d], 9));
        garbage[4..8].copy_from_slice(&round.to_be_bytes());
        let bytes = if round % 4 == 0 { &good } else { &garbage };
        let receive = Receive { from, local: Local::default(), stride: bytes.len() };
        world.feed(0, &receive, bytes);
        // What is in flight belongs to the simulation: let it vanish.
        world.run_for(Duration::from_micros(10));
        if round == rounds / 10 {
            before = resident_bytes();
        }
    }
    let stats = world.node(0).stats();
    assert!(stats.connections <= 256, "{} half-open", stats.connections);
    let asked = stats.dropped(DropReason::CookieAsked);
    assert!(asked > u64::from(rounds) / 2, "{asked} of {rounds} were asked for a cookie");
    // spec: 7.8 amplification
    assert!(stats.bytes_sent < 3 * stats.bytes_received);
    assert!(world.events(0).is_empty());
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 4 << 20, "grew by {grown} bytes");
    let start = world.now();
    world.establish(1, 0);
    assert!(world.now().since(start) < Duration::from_secs(1));
}

/// The first datagram of a first flight of node 1 to node 0.
fn first_datagram(world: &mut World) -> Vec<u8> {
    let station = SocketAddr::from(([10, 9, 9, 9], 9));
    world.add_station(station);
    let dial = Dial { peer: None, ..Dial::v1(PeerId([0; 16]), station) };
    world.dial(1, &dial).expect("room");
    world.run_for(Duration::from_millis(100));
    world.take_inbox(station).swap_remove(0).bytes
}

/// Memory that this process holds.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4_096
}
