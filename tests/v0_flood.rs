//! Aim: a flood of strangers leaves no trace in a node's memory.
//! Method: NEWs from ever new peers and addresses; the memory of this process, which runs only this
//! test, is read before and after.

#[path = "common/v0.rs"]
#[expect(dead_code, reason = "this test needs only part of the played peer")]
mod v0;

use std::time::Duration;

use channeler::io::{Local, Receive};
use channeler::sim::World;
use v0::{DEFAULT, Message, Peer};

#[test]
fn a_flood_of_news_from_strangers_grows_nothing() {
    let rounds: u32 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let mut world = World::with_v0_nodes(1, 1);
    let peer = Peer { size: 80, ..Peer::new(&mut world, 1, 0) };
    let mut before = 0;
    for round in 0..rounds {
        let mut stranger = peer;
        stranger.id.0[..4].copy_from_slice(&round.to_be_bytes());
        let bytes =
            stranger.packet(DEFAULT, &[Message::New { half: round as u16, cookie1: round }]);
        let [a, b, c, d] = (round | 0x0b00_0000).to_be_bytes();
        let from = ([a, b, c, d], 9).into();
        let receive =
            Receive { from, local: Local::default(), stride: bytes.len(), ecn: Default::default() };
        world.feed(0, &receive, &bytes);
        // What is in flight belongs to the simulation: drop it.
        world.run_for(Duration::from_nanos(1));
        if round == rounds / 10 {
            before = resident_bytes();
        }
    }
    let stats = world.node(0).stats();
    assert_eq!((stats.connections, stats.channels), (0, 0));
    assert!(stats.datagrams_sent + stats.dropped_total() >= u64::from(rounds));
    assert!(world.events(0).is_empty());
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 4 << 20, "grew by {grown} bytes");
    let honest = Peer::new(&mut world, 2, 0);
    honest.open(&mut world, 7).expect("answered");
    assert_eq!(world.opened(0, 0).len(), 1);
}

/// Memory that this process holds.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4_096
}
