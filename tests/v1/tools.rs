//! What several files of these tests need.

use std::time::Duration;

use channeler::error::Error;
use channeler::id::{ChannelHandle, ConnectionHandle};
use channeler::io::Event;
use channeler::node::DropReason;
use channeler::sim::{Link, Pair, World};

pub(crate) const MILLI: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Two nodes, 20 ms apart.
pub(crate) fn two_nodes() -> World {
    let mut world = World::with_nodes(1, 2);
    world.network.set_all(Link::with_delay(20 * MILLI));
    world
}

/// How many datagrams or messages node `index` dropped for `reason`.
pub(crate) fn dropped(world: &World, index: usize, reason: DropReason) -> u64 {
    world.node(index).stats().dropped(reason)
}

/// How many events of node `index` are as `like` says.
pub(crate) fn count(world: &World, index: usize, like: impl Fn(&Event) -> bool) -> usize {
    world.events(index).iter().filter(|happened| like(&happened.event)).count()
}

/// How often node `index` reported a connection.
pub(crate) fn connected(world: &World, index: usize) -> usize {
    count(world, index, |event| matches!(event, Event::Connected { .. }))
}

/// Why node `index` reported `connection` as closed, if it did, and with what code.
pub(crate) fn closed(
    world: &World,
    index: usize,
    connection: ConnectionHandle,
) -> Option<(Error, Option<u64>)> {
    world.events(index).iter().find_map(|happened| {
        let Event::ConnectionClosed { connection: which, reason, said, .. } = &happened.event
        else {
            return None;
        };
        (*which == connection).then(|| (*reason, said.as_ref().map(|said| said.code)))
    })
}

/// The same without the code.
pub(crate) fn why_closed(
    world: &World,
    index: usize,
    connection: ConnectionHandle,
) -> Option<Error> {
    closed(world, index, connection).map(|(reason, _)| reason)
}

/// Asserts that messages go both ways on a channel of nodes 0 and 1.
pub(crate) fn assert_echo(world: &mut World, pair: &Pair) {
    assert_echo_on(world, (0, pair.channel), (1, pair.peer_channel));
}

/// Asserts that messages go both ways between two ends of a channel.
pub(crate) fn assert_echo_on(
    world: &mut World,
    one: (usize, ChannelHandle),
    other: (usize, ChannelHandle),
) {
    for (from, to) in [(one, other), (other, one)] {
        world.send(from.0, from.1, b"still there").expect("room");
        world.run_for(SECOND);
        assert_eq!(world.receive(to.0, to.1).as_deref(), Some(&b"still there"[..]));
    }
}
