//! Channels: opened, used, closed, reset.

use std::time::Duration;

use super::world::World;
use crate::error::Error;
use crate::id::Capabilities;

const SECOND: Duration = Duration::from_secs(1);

// spec: 9.2 opening
#[test]
fn a_channel_and_its_first_message_come_in_one_flight() {
    let mut world = World::connected(1);
    let began = world.ends[0].sent.len();
    let channel = world.open(0, Capabilities::default());
    assert_eq!(world.send_message(0, channel, b"hello"), Ok(()));
    world.drain(0);
    assert_eq!(world.ends[0].sent.len(), began + 1, "one packet");
    world.run(SECOND);
    assert_eq!(world.texts(1), ["hello"]);
    let accepted = world.accepted(1);
    assert_eq!(world.send_message(1, accepted, b"you"), Ok(()));
    world.run(SECOND);
    assert_eq!(world.texts(0), ["you"]);
}
