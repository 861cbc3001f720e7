//! What several files of these tests need.

use std::time::Duration;

use channeler::error::Error;
use channeler::id::{ChannelHandle, ConnectionHandle};
use channeler::io::Event;
use channeler::node::DropReason;
use channeler::sim::World;

pub(crate) const MILLI: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A perfect world of a node that the test's peers talk to.
pub(crate) fn one_node() -> World {
    World::with_v0_nodes(1, 1)
}

/// How many datagrams or messages node `index` dropped for `reason`.
pub(crate) fn dropped(world: &World, index: usize, reason: DropReason) -> u64 {
    world.node(index).stats().dropped(reason)
}

/// How many events of node `index` are as `like` says.
pub(crate) fn count(world: &World, index: usize, like: impl Fn(&Event) -> bool) -> usize {
    world.events(index).iter().filter(|happened| like(&happened.event)).count()
}

/// Why node `index` reported `channel` as closed, if it did.
pub(crate) fn closed(world: &World, index: usize, channel: ChannelHandle) -> Option<Error> {
    world.events(index).iter().find_map(|happened| {
        let Event::ChannelClosed { channel: which, reason, .. } = happened.event else {
            return None;
        };
        (which == channel).then_some(reason)
    })
}

/// Why node `index` reported `connection` as closed, if it did.
pub(crate) fn connection_closed(
    world: &World,
    index: usize,
    connection: ConnectionHandle,
) -> Option<Error> {
    world.events(index).iter().find_map(|happened| {
        let Event::ConnectionClosed { connection: which, reason, .. } = happened.event else {
            return None;
        };
        (which == connection).then_some(reason)
    })
}

/// Asserts that node `index` still works: a fresh peer opens a channel, and a message comes
/// through.
pub(crate) fn assert_alive(world: &mut World, index: usize, number: u16) {
    let peer = crate::v0::Peer::new(world, number, index);
    let seen = world.events(index).len();
    let id = peer.open(world, 0x0a00 + number).expect("a live node answers NEW");
    let opened = world.opened(index, seen);
    let &[(connection, channel, true)] = &opened[..] else {
        panic!("expected one channel opened by the peer, got {opened:?}");
    };
    assert_ne!(connection.0.to_bits(), 0);
    peer.ask(world, id, &[crate::v0::Message::Data(b"still there".to_vec())]);
    assert_eq!(world.receive(index, channel).as_deref(), Some(&b"still there"[..]));
}
