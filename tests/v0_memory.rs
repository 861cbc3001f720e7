//! Aim: channels that were read keep no memory for what they once held.
//! Method: many channels get a burst and are read; the bytes that live are counted before and
//! after.

#[path = "bench/alloc.rs"]
#[expect(dead_code, reason = "only live bytes are read here")]
mod alloc;

use std::time::Duration;

use channeler::sim::World;

#[global_allocator]
static COUNTING: alloc::Counting = alloc::Counting;

const CHANNELS: usize = 400;
const BURST: usize = 30;

#[test]
fn channels_that_were_read_keep_little_memory() {
    let mut world = World::with_v0_nodes(1, 2);
    let pair = world.establish(0, 1);
    let before = alloc::live_bytes();
    for _ in 0..CHANNELS {
        let channel = world.open(0, pair.connection).expect("room");
        world.run_for(Duration::from_millis(1));
        let at_peer = world.opened(1, 0).last().expect("a perfect network").1;
        for _ in 0..BURST {
            world.send(0, channel, &[1; 1_100]).expect("room");
        }
        world.run_for(Duration::from_millis(1));
        assert_eq!(world.receive_all(1, at_peer).len(), BURST);
        world.take_events(0);
        world.take_events(1);
    }
    assert_eq!(world.node(1).stats().channels as usize, CHANNELS + 1);
    let grown = alloc::live_bytes().saturating_sub(before);
    let once = CHANNELS * BURST * 1_100;
    assert!(grown < once / 2, "{grown} bytes still live of {once} that were read");
}
