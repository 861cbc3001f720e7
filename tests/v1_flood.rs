//! Aim: a flood of first flights leaves a node's memory flat, and honest peers get in; the channels
//! that a peer opens cost what its limit allows.
//! Method: a million first flights (100,000 in a debug build, as in `make test`; `make soak` runs
//! the million) from as many addresses, 100,000 in a second; 100,000 channels of a peer that the
//! test plays; the bytes that live are counted.

#[path = "bench/alloc.rs"]
#[expect(dead_code, reason = "only live bytes are read here")]
mod alloc;

use std::net::SocketAddr;
use std::time::Duration;

use channeler::crypto::LevelKeys;
use channeler::id::{AttemptId, Capabilities, ChannelNumber, Side};
use channeler::io::{Event, Local, Receive};
use channeler::node::{Dial, DropReason};
use channeler::sim::{Link, Puppet, Random, World};
use channeler::wire::frame::{ChannelNew, Frame, Label};

#[global_allocator]
static COUNTING: alloc::Counting = alloc::Counting;

const FLIGHTS: u64 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
/// Between two of them.
const GAP: Duration = Duration::from_micros(10);
/// One in so many is well-formed, and the first thousand are: they open, if they are let in.
const WELL_FORMED: u64 = if cfg!(debug_assertions) { 16 } else { 2 };
/// Bytes that the flood may hold at any time: 256 half-open handshakes, of which each may keep
/// 32 KiB, and lists.
const HELD_MAX: usize = 256 * (32 << 10) + (1 << 20);
/// Channels that a peer opens at once.
const CHANNELS: u32 = 100_000;
/// What `peer_channels_max` is by default.
const DEFAULT_MAX: usize = 4_096;
/// Bytes that each may hold.
const CHANNEL_BYTES_MAX: usize = 1_024;

// spec: 7.9 cookies, 7.10 half-open limits, 18.3 attacks on resources
#[test]
fn a_flood_of_first_flights_holds_little_and_honest_peers_connect_within_a_second() {
    let mut world = World::with_nodes(1, 3);
    world.network.set_all(Link::with_delay(Duration::from_millis(20)));
    let hello = client_hello(&mut world);
    let mut random = Random::new(1);
    let before = alloc::live_bytes();
    let mut held = Vec::new();
    let mut honest = [0, 2].into_iter();
    for number in 0..FLIGHTS {
        flood(&mut world, &mut random, &hello, number);
        if number % 100 == 99 {
            world.run_for(100 * GAP);
        }
        if number % (FLIGHTS / 20) == 0 {
            held.push(alloc::live_bytes().saturating_sub(before));
        }
        // Two honest peers, early and late, while it goes on.
        if number % (FLIGHTS / 2) == FLIGHTS / 4 {
            let node = honest.next().expect("there are two");
            connects_within_a_second(&mut world, &mut random, &hello, node);
        }
    }
    let largest = held.iter().max().copied().unwrap_or_default();
    assert!(largest < HELD_MAX, "{held:?}");
    // It does not grow: the second half of the flood holds no more than the first.
    let (first, second) = held.split_at(held.len() / 2);
    let [first, second] = [first, second].map(|half| half.iter().max().copied().unwrap_or(0));
    assert!(second < first + (1 << 20), "{held:?}");
    let stats = world.node(1).stats();
    assert!(stats.dropped(DropReason::CookieAsked) > FLIGHTS * 9 / 10, "{stats:?}");
    assert!(stats.dropped(DropReason::NotOpened) < 1_000, "asked before anything is derived");
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.node(1).stats().connections, 2, "only the honest ones are left");
}

// spec: 9.1 ids, 18.3 attacks on resources
#[test]
fn a_hundred_thousand_channels_of_one_peer_cost_what_its_limit_allows() {
    for most in [CHANNELS as usize, DEFAULT_MAX] {
        let mut world = World::new(1);
        world.add(|config| {
            config.peer_channels_max = most;
            config.channels_per_connection_max = CHANNELS as usize;
        });
        let from = SocketAddr::from(([10, 88, 0, 9], 9));
        let mut puppet = Puppet::connect(&mut world, 0, from, 7);
        world.take_events(0);
        let before = alloc::live_bytes();
        let (mut opened, mut held) = (0, 0);
        for first in (0..CHANNELS).step_by(20) {
            let frames: Vec<_> = (first..first + 20).map(new_channel).collect();
            puppet.send(&mut world, ChannelNumber::NONE, &frames);
            if first % 1_000 == 980 {
                // The last ones included.
                puppet.run(&mut world, Duration::from_millis(50));
                puppet.take(&mut world);
                let events = world.take_events(0);
                let is_new = |event: &Event| matches!(event, Event::ChannelOpened { .. });
                opened += events.iter().filter(|happened| is_new(&happened.event)).count();
                drop(events);
                held = held.max(alloc::live_bytes().saturating_sub(before));
            }
        }
        assert!(opened > most * 9 / 10 && opened <= most, "{opened} of {most}");
        assert!(held < CHANNEL_BYTES_MAX * most, "{held} bytes for {most}");
        let is_kept = world.node(0).stats().channels as usize == most;
        assert_eq!(is_kept, most == CHANNELS as usize, "else it broke the limit, and is gone");
    }
}

fn new_channel(index: u32) -> Frame<'static> {
    let channel = ChannelNumber::new(Side::Initiator, index);
    let capabilities = Capabilities::RESEND;
    let (limit, label) = (1_000, Label::default());
    Frame::ChannelNew(ChannelNew { channel, capabilities, limit, priority: 3, weight: 16, label })
}

/// Feeds one first flight from an address of its own.
fn flood(world: &mut World, random: &mut Random, hello: &[u8], number: u64) {
    let ids: [u8; 32] = random.bytes();
    let mut bytes = hello.to_vec();
    bytes[4..36].copy_from_slice(&ids);
    if number < 1_000 || number.is_multiple_of(WELL_FORMED) {
        let original = AttemptId(*ids.last_chunk().expect("there are 32"));
        LevelKeys::initial(original, Side::Initiator).local.seal(0, 45, &mut bytes);
    }
    // An odd factor: no two of 2^24 are the same, and neighbours are far apart.
    let [.., b, c, d] = number.wrapping_mul(2_654_435_761).to_be_bytes();
    let from = SocketAddr::from(([0x40, b, c, d], 9));
    let receive =
        Receive { from, local: Local::default(), stride: bytes.len(), ecn: Default::default() };
    world.feed(1, &receive, &bytes);
}

/// Dials the flooded node while the flood goes on.
fn connects_within_a_second(world: &mut World, random: &mut Random, hello: &[u8], node: usize) {
    let connection = world.connect(node, 1).expect("room");
    let peer = world.peer(1);
    let connected = Event::Connected { connection, peer };
    let is_it = |happened: &channeler::sim::Happened| happened.event == connected;
    for number in 0..1_000 {
        flood(world, random, hello, number);
        world.run_for(Duration::from_millis(1));
        if world.events(node).iter().any(is_it) {
            return;
        }
    }
    panic!("node {node} is not connected after a second: {:?}", world.events(node));
}

/// A first packet that was not sealed yet, with a true ClientHello in it, padded.
fn client_hello(world: &mut World) -> Vec<u8> {
    world.network.keep_recent(10);
    let nobody = SocketAddr::from(([10, 88, 0, 8], 8));
    let dial = Dial::v1(world.peer(2), nobody);
    world.dial(0, &dial).expect("room");
    let mut packet = world.network.recent().back().expect("a first flight").bytes.clone();
    world.network.keep_recent(0);
    let original = AttemptId(*packet[20..].first_chunk().expect("a header"));
    let keys = LevelKeys::initial(original, Side::Responder);
    let (number, payload) = keys.remote.open(45, None, &mut packet).expect("it is ours");
    assert_eq!((number, payload.end), (0, packet.len() - 16));
    packet
}
