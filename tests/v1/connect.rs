//! Aim: two nodes connect, know each other, and exchange messages.

use std::time::Duration;

use channeler::io::Event;
use channeler::sim::World;

// spec: 7.1 overview
#[test]
fn two_nodes_connect_and_messages_go_both_ways() {
    let mut world = World::with_nodes(1, 2);
    let pair = world.establish(0, 1);
    world.send(0, pair.channel, b"ping").expect("room");
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.receive(1, pair.peer_channel), Some(b"ping".to_vec()));
    world.send(1, pair.peer_channel, b"pong").expect("room");
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.receive(0, pair.channel), Some(b"pong".to_vec()));
    let peer = world.peer(1);
    assert!(
        world.events(0).iter().any(
            |happened| happened.event == Event::Connected { connection: pair.connection, peer }
        )
    );
}
