//! Aim: every queue has its limit, and reaching it does what the documentation says.
//! Method: two nodes with small queues.

use channeler::config::{ChannelConfig, NodeConfig};
use channeler::error::Error;
use channeler::id::PeerId;
use channeler::io::{Event, Local, Receive, SendError, Transmit};
use channeler::node::{Dial, DropReason};
use channeler::sim::{Pair, World};

use crate::tools::{SECOND, count, dropped};
use crate::v0::{DEFAULT, Message, Peer};

#[test]
fn a_send_queue_full_of_bytes_would_block_then_is_writable() {
    let (world, pair) = pair(|config| config.send_queue_bytes_max = 10_000, |_| ());
    let sent = assert_blocks_then_is_writable(world, pair);
    assert!((7..=10).contains(&sent), "{sent} messages of 1000 bytes in 10,000");
}

#[test]
fn a_send_queue_full_of_packets_would_block_then_is_writable() {
    let (world, pair) = pair(|config| config.send_queue_packets_max = 5, |_| ());
    let sent = assert_blocks_then_is_writable(world, pair);
    assert!((4..=6).contains(&sent), "{sent} messages of 1000 bytes in 5 packets");
}

#[test]
fn a_node_full_of_bytes_to_send_would_block_then_is_writable() {
    let (world, pair) = pair(|config| config.node_send_queue_bytes_max = 10_000, |_| ());
    let sent = assert_blocks_then_is_writable(world, pair);
    assert!((7..=10).contains(&sent), "{sent} messages of 1000 bytes in 10,000");
}

#[test]
fn early_messages_are_limited_like_all_others() {
    let mut world = World::new(1);
    world.add_v0(|config| config.send_queue_bytes_max = 10_000);
    world.add_v0(|_| ());
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    let sent = (0..100).take_while(|_| world.send(0, channel, &[1; 1_000]).is_ok()).count();
    assert!((7..=10).contains(&sent), "{sent}");
    world.run_for(SECOND);
    assert_eq!(world.node(1).stats().messages_received, sent as u64);
    assert_eq!(count(&world, 0, |e| matches!(e, Event::Writable { .. })), 1);
}

#[test]
fn a_channel_hears_of_room_that_a_failed_handshake_leaves() {
    let mut world = World::new(1);
    world.add_v0(|config| config.node_send_queue_bytes_max = 10_000);
    world.add_v0(|_| ());
    let pair = world.establish(0, 1);
    fill_with_early_messages(&mut world, 1, 0xdd);
    assert_eq!(world.send(0, pair.channel, &[1; 1_000]), Err(Error::WouldBlock));
    world.run_for(40 * SECOND);
    let writable = |event: &Event| matches!(event, Event::Writable { .. });
    assert_eq!(count(&world, 0, writable), 1);
    world.send(0, pair.channel, &[1; 1_000]).expect("there is room");
}

#[test]
fn a_full_channel_of_a_nearly_full_node_becomes_writable_again() {
    let mut world = World::new(1);
    world.add_v0(|config| {
        config.send_queue_bytes_max = 12_000;
        config.node_send_queue_bytes_max = 40_000;
    });
    world.add_v0(|_| ());
    let pair = world.establish(0, 1);
    fill_with_early_messages(&mut world, 2, 0xdd);
    world.with(0, |node, now| {
        while node.send(now, pair.channel, &[1; 1_000]).is_ok() {}
        let stats = node.channel_stats(pair.channel).expect("open");
        assert!(stats.send_queue_bytes > 10_000, "the channel is full, the node is not");
    });
    world.run_for(40 * SECOND);
    let writable = |event: &Event| matches!(event, Event::Writable { .. });
    assert_eq!(count(&world, 0, writable), 1);
}

#[test]
fn a_full_channel_whose_early_messages_were_all_dropped_is_writable() {
    let mut world = World::new(1);
    world.add_v0(|config| config.send_queue_bytes_max = 10_000);
    world.add_v0(|_| ());
    let connection = world.connect(0, 1).expect("room");
    let to = world.address(1);
    let channel = world.with(0, |node, now| {
        let config = ChannelConfig::default();
        let channel = node.open_channel(now, connection, &config).expect("room");
        while node.send(now, channel, &[1; 1_000]).is_ok() {}
        let (local, len) = (Local::default(), 1_232);
        let connection = Some(connection);
        let transmit =
            Transmit { to, local, len, segment_size: len, ecn: Default::default(), connection };
        node.handle_send_error(now, &transmit, SendError::TooLarge);
        channel
    });
    world.run_for(SECOND);
    let stats = world.node(0).channel_stats(channel).expect("open");
    assert!(stats.messages_dropped > 0 && stats.messages_dropped == stats.messages_sent);
    assert_eq!(count(&world, 0, |event| matches!(event, Event::Writable { .. })), 1);
}

#[test]
fn confirmations_that_cannot_leave_do_not_pile_up() {
    let mut world = World::new(1);
    world.add_v0(|config| config.keep_alive = SECOND);
    let peer = Peer::new(&mut world, 1, 0);
    let (id, cookie2) = peer.ask_new(&mut world, 7).expect("answered");
    let finalize = Message::Finalize { id, cookie2, capabilities: 0 };
    let packet = peer.packet(DEFAULT, &vec![finalize; 100]);
    let receive = Receive {
        from: peer.address,
        local: Local::default(),
        stride: packet.len(),
        ecn: Default::default(),
    };
    world.with(0, |node, mut now| {
        for _ in 0..100 {
            node.handle_datagram(now, &receive, &mut packet.clone());
            now = now + SECOND;
            node.handle_timeout(now);
        }
        let waiting = node.stats().send_queue_bytes;
        assert!(waiting <= 130, "one confirmation and one question are enough: {waiting} bytes");
    });
}

#[test]
fn a_receive_queue_full_of_messages_drops_and_counts() {
    let (world, pair) = pair(|_| (), |config| config.receive_queue_messages_max = 4);
    assert_keeps_the_first_and_counts(world, pair, 4);
}

#[test]
fn a_receive_queue_full_of_bytes_drops_and_counts() {
    let (world, pair) = pair(|_| (), |config| config.receive_queue_bytes_max = 4_500);
    assert_keeps_the_first_and_counts(world, pair, 4);
}

#[test]
fn a_node_full_of_received_bytes_drops_and_counts() {
    let (world, pair) = pair(|_| (), |config| config.node_receive_queue_bytes_max = 4_500);
    assert_keeps_the_first_and_counts(world, pair, 4);
}

#[test]
fn unread_messages_of_a_closed_channel_do_not_count_any_more() {
    let (mut world, pair) = pair(|_| (), |config| config.node_receive_queue_bytes_max = 4_500);
    world.send(0, pair.channel, &[1; 1_000]).expect("room");
    world.run_for(SECOND);
    assert_eq!(world.node(1).stats().receive_queue_bytes, 1_000);
    world.with(1, |node, now| node.close_channel(now, pair.peer_channel)).expect("open");
    assert_eq!(world.node(1).stats().receive_queue_bytes, 0);
}

/// Fills the queue of node 0 without draining, and returns how many messages of 1000 bytes it took.
fn assert_blocks_then_is_writable(mut world: World, pair: Pair) -> usize {
    let channel = pair.channel;
    let sent = world.with(0, |node, now| {
        let send = |_: &u32| node.send(now, channel, &[1; 1_000]).is_ok();
        let sent = (0..100).take_while(send).count();
        assert_eq!(node.send(now, channel, &[1; 1_000]), Err(Error::WouldBlock));
        let most = node.config().node_send_queue_bytes_max as u64;
        assert!(node.stats().send_queue_bytes <= most);
        sent
    });
    let writable =
        |event: &Event| matches!(event, Event::Writable { channel: c, .. } if *c == channel);
    assert_eq!(count(&world, 0, writable), 1, "the queue was drained");
    world.run_for(SECOND);
    assert_eq!(world.receive_all(1, pair.peer_channel).len(), sent);
    assert_eq!(world.node(0).stats().send_queue_bytes, 0);
    world.send(0, channel, b"more").expect("there is room again");
    world.run_for(SECOND);
    assert_eq!(count(&world, 0, writable), 1, "nothing more to report");
    sent
}

/// Sends 10 messages of 1000 bytes, of which the other side keeps the first `kept`.
fn assert_keeps_the_first_and_counts(mut world: World, pair: Pair, kept: u8) {
    for number in 0..10 {
        world.send(0, pair.channel, &[number; 1_000]).expect("room");
        world.run_for(SECOND / 10);
    }
    let lost = u64::from(10 - kept);
    assert_eq!(dropped(&world, 1, DropReason::ReceiveQueueFull), lost);
    let stats = world.node(1).channel_stats(pair.peer_channel).expect("open");
    assert_eq!(stats.messages_dropped, lost);
    assert_eq!(stats.receive_queue_bytes, u64::from(kept) * 1_000);
    let received = world.receive_all(1, pair.peer_channel);
    assert_eq!(received, (0..kept).map(|number| [number; 1_000]).collect::<Vec<_>>());
    world.send(0, pair.channel, b"room again").expect("room");
    world.run_for(SECOND);
    assert_eq!(world.receive_all(1, pair.peer_channel), [b"room again"]);
}

/// Opens `channels` channels to peer `tail`, who never answers, and gives each what it takes.
fn fill_with_early_messages(world: &mut World, channels: usize, tail: u8) {
    let (peer, address) = (PeerId([tail; 16]), ([10, 9, 9, tail], 9).into());
    world.with(0, |node, now| {
        let connection = node.connect(now, &Dial::v0(peer, address)).expect("room");
        for _ in 0..channels {
            let config = ChannelConfig::default();
            let channel = node.open_channel(now, connection, &config).expect("room");
            while node.send(now, channel, &[1; 1_000]).is_ok() {}
        }
    });
}

fn pair(
    sender: impl FnOnce(&mut NodeConfig),
    receiver: impl FnOnce(&mut NodeConfig),
) -> (World, Pair) {
    let mut world = World::new(1);
    world.add_v0(sender);
    world.add_v0(receiver);
    let pair = world.establish(0, 1);
    (world, pair)
}
