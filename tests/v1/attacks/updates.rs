//! Aim: key updates lose nothing that was under way for a while, open nothing old after that, and
//! cannot be forced.
//! Method: somebody on the path holds packets back across updates; applications that ask for
//! updates all the time.

use channeler::error::Error;
use channeler::node::DropReason;
use channeler::sim::{Link, Recorded, World};

use super::tools::{Middle, assert_echo_through, establish, event_counts};
use crate::tools::{MILLI, SECOND, count, dropped, two_nodes};

// spec: 6.6 epochs, 6.7 key update, 18.2 attacks on identity, keys and packets
#[test]
fn packets_held_back_across_an_update_open_soon_after_it_and_not_later() {
    let mut world = World::with_nodes(1, 2);
    let mut middle = Middle::new(&mut world);
    let pair = establish(&mut world, &mut middle);
    middle.pass(&mut world, 6 * SECOND);
    let hold = |world: &mut World, middle: &mut Middle, text: &[u8]| -> Recorded {
        assert!(middle.taken(world).is_empty());
        world.send(0, pair.channel, text).expect("room");
        let mut taken = middle.taken(world);
        assert_eq!(taken.len(), 1, "one message, one packet");
        taken.remove(0)
    };
    let soon = hold(&mut world, &mut middle, b"held for a little while");
    let late = hold(&mut world, &mut middle, b"held for too long");
    world.with(0, |node, now| node.update_keys(now, pair.connection)).expect("it lives");
    // The next packet is of the next epoch.
    world.send(0, pair.channel, b"new").expect("room");
    middle.pass(&mut world, 21 * MILLI);
    assert_eq!(world.receive_all(1, pair.peer_channel), [b"new".to_vec()]);
    middle.send(&mut world, &soon);
    middle.pass(&mut world, 21 * MILLI);
    assert_eq!(world.receive_all(1, pair.peer_channel), [b"held for a little while".to_vec()]);
    middle.pass(&mut world, 5 * SECOND);
    let (unopened, events) = (dropped(&world, 1, DropReason::NotOpened), event_counts(&world));
    middle.send(&mut world, &late);
    middle.pass(&mut world, SECOND);
    assert_eq!(dropped(&world, 1, DropReason::NotOpened), unopened + 1);
    assert_eq!(event_counts(&world), events);
    assert!(world.receive_all(1, pair.peer_channel).is_empty());
    assert_echo_through(&mut world, &mut middle, &pair);
}

// spec: 6.7 key update, 18.2 attacks on identity, keys and packets
#[test]
fn updates_asked_for_all_the_time_over_a_bad_link_harm_nothing() {
    for seed in 0..5 {
        let mut world = two_nodes();
        let pair = world.establish(0, 1);
        world.network.set_all(Link {
            jitter: 30 * MILLI,
            reorder: 0.2,
            reorder_by: 60 * MILLI,
            duplicate: 0.1,
            ..Link::lossy(20 * MILLI, 0.1)
        });
        let before = world.node(1).stats().messages_received;
        for round in 0..2_000_u64 {
            let (node, connection, channel) = match (round + seed) % 2 {
                0 => (0, pair.connection, pair.channel),
                _ => (1, pair.peer_connection, pair.peer_channel),
            };
            world.with(node, |node, now| node.update_keys(now, connection)).expect("it lives");
            if !matches!(world.send(node, channel, &[9; 64]), Ok(()) | Err(Error::WouldBlock)) {
                panic!("seed {seed}, round {round}: {:?}", world.events(node));
            }
            world.run_for(MILLI);
            world.receive_all(0, pair.channel);
            world.receive_all(1, pair.peer_channel);
        }
        world.run_for(5 * SECOND);
        let received = world.node(1).stats().messages_received - before;
        assert!(received > 800, "seed {seed}: {received} of 1000");
        let is_end = |event: &channeler::io::Event| {
            matches!(event, channeler::io::Event::ConnectionClosed { .. })
        };
        assert_eq!([0, 1].map(|node| count(&world, node, is_end)), [0, 0], "seed {seed}");
        assert_eq!(dropped(&world, 0, DropReason::NotOpened), 0, "seed {seed}");
    }
}
