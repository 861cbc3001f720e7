//! Channels: opened, used, closed, reset.

use std::time::Duration;

use super::world::{DELAY, World};
use crate::config::ChannelConfig;
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, ChannelNumber};
use crate::io::{CloseReason, Event};

const SECOND: Duration = Duration::from_secs(1);
const NONE: Capabilities = Capabilities(0);

/// Loses the datagrams of end 0 that come after `first` others, `count` of them.
fn lose(world: &mut World, count: usize) {
    let first = world.ends[0].sent.len();
    world.tap = Some(Box::new(move |from, index, _| {
        let is_lost = from == 0 && (first..first + count).contains(&index);
        (!is_lost).then_some(Duration::ZERO)
    }));
}

fn open_both(world: &mut World, capabilities: Capabilities) -> (ChannelHandle, ChannelHandle) {
    let channel = world.open(0, capabilities);
    world.run(SECOND);
    (channel, world.accepted(1))
}

// spec: 9.2 opening
#[test]
fn a_channel_and_its_first_message_come_in_one_flight() {
    let mut world = World::connected(1);
    let began = world.ends[0].sent.len();
    let channel = world.open(0, NONE);
    assert_eq!(world.send_message(0, channel, b"hello"), Ok(()));
    world.drain(0);
    assert_eq!(world.ends[0].sent.len(), began + 1, "one packet");
    world.run(DELAY);
    assert_eq!(world.texts(1), ["hello"]);
    let accepted = world.accepted(1);
    assert_eq!(world.send_message(1, accepted, b"you"), Ok(()));
    world.run(SECOND);
    assert_eq!(world.texts(0), ["you"]);
}

// spec: 9.2 opening
#[test]
fn data_carries_channel_new_until_that_is_acknowledged() {
    let mut world = World::connected(2);
    lose(&mut world, 1);
    let channel = world.open(0, NONE);
    assert_eq!(world.send_message(0, channel, b"lost"), Ok(()));
    world.drain(0);
    assert_eq!(world.send_message(0, channel, b"arrives"), Ok(()));
    world.run(DELAY);
    assert_eq!(world.texts(1), ["arrives"], "although the first CHANNEL_NEW did not");
    world.run(SECOND);
    assert!(world.connection(1).is_confirmed(), "nothing was out of place");
}

// spec: 8.9 CHANNEL_NEW
#[test]
fn a_lost_channel_new_is_sent_again_without_data() {
    let mut world = World::connected(3);
    lose(&mut world, 1);
    let config = ChannelConfig {
        label: b"chat".to_vec().into(),
        priority: 1,
        weight: 200,
        ..ChannelConfig::default()
    };
    let channel = world.open_with(0, &config).expect("it can be opened");
    world.run(SECOND);
    let accepted = world.accepted(1);
    let theirs = world.ends[1].shared.channel(accepted).expect("it is there");
    assert_eq!((&theirs.label[..], theirs.priority, theirs.weight), (&b"chat"[..], 1, 200));
    assert_eq!(theirs.number, world.ends[0].shared.channel(channel).expect("ours").number);
}

// spec: 9.1 ids
#[test]
fn both_sides_open_channels_with_ids_of_their_own() {
    let mut world = World::connected(4);
    for end in [0, 0, 1, 1] {
        world.open(end, NONE);
    }
    world.run(SECOND);
    let numbers = |world: &World, end: usize| {
        let mut numbers: Vec<ChannelNumber> =
            world.ends[end].shared.channels.iter().map(|channel| channel.number).collect();
        numbers.sort();
        numbers
    };
    let all = [0, 1, 2, 3].map(ChannelNumber);
    assert_eq!((numbers(&world, 0), numbers(&world, 1)), (all.to_vec(), all.to_vec()));
}

// spec: 8.13 MAX_CHANNELS, CHANNELS_BLOCKED
#[test]
fn channels_past_the_peers_limit_wait_until_others_are_gone() {
    let mut world = World::with(5, |config| config.peer_channels_max = 4);
    world.connect();
    let channels: Vec<ChannelHandle> = (0..6).map(|_| world.open(0, NONE)).collect();
    for channel in &channels {
        assert_eq!(world.send_message(0, *channel, b"x"), Ok(()));
    }
    world.run(SECOND);
    assert_eq!(world.texts(1).len(), 4);
    for channel in &channels[..2] {
        world
            .with_connection(0, |connection, shared, _| connection.close_channel(shared, *channel))
            .expect("it is open");
    }
    world.run(SECOND);
    assert_eq!(world.texts(1).len(), 6, "two are gone, and two more may come");
    assert_eq!(world.connection_end(0), None);
}

// spec: 9.4 graceful close
#[test]
fn a_close_delivers_what_was_sent_before_it_and_ends_both_directions() {
    let mut world = World::connected(6);
    let (channel, accepted) = open_both(&mut world, NONE);
    for _ in 0..50 {
        assert_eq!(world.send_message(0, channel, &[b'm'; 1000]), Ok(()));
    }
    world
        .with_connection(0, |connection, shared, _| connection.close_channel(shared, channel))
        .expect("it is open");
    assert_eq!(world.send_message(0, channel, b"late"), Err(Error::Closed));
    world.run(SECOND);
    assert_eq!(world.ends[1].messages.len(), 50);
    assert_eq!(world.channel_end(1, accepted), Some(Error::Closed));
    assert_eq!(world.channel_end(0, channel), Some(Error::Closed));
    assert!((0..2).all(|end| world.ends[end].shared.channels.len() == 0));
}

// spec: 9.4 graceful close
#[test]
fn a_half_closed_channel_goes_on_in_the_other_direction() {
    let mut world = World::with(7, |config| config.half_close = true);
    world.connect();
    let (channel, accepted) = open_both(&mut world, NONE);
    world
        .with_connection(0, |connection, shared, _| connection.close_channel(shared, channel))
        .expect("it is open");
    world.run(SECOND);
    let finished = |event: &Event| matches!(event, Event::ChannelFinished { .. });
    assert!(world.ends[1].events.iter().any(finished));
    assert_eq!(world.channel_end(0, channel), None);
    assert_eq!(world.send_message(1, accepted, b"still here"), Ok(()));
    world.run(SECOND);
    assert_eq!(world.texts(0), ["still here"]);
    world
        .with_connection(1, |connection, shared, _| connection.close_channel(shared, accepted))
        .expect("it is open");
    world.run(SECOND);
    assert_eq!(world.channel_end(0, channel), Some(Error::Closed));
    assert_eq!(world.channel_end(1, accepted), Some(Error::Closed));
}

// spec: 9.3 states, 10.5 skipping
#[test]
fn a_close_behind_lost_messages_still_ends_the_channel() {
    for capabilities in [NONE, Capabilities::ORDERED] {
        let mut world = World::connected(8);
        let (channel, accepted) = open_both(&mut world, capabilities);
        for _ in 0..10 {
            assert_eq!(world.send_message(0, channel, &[b'm'; 1000]), Ok(()));
        }
        lose(&mut world, 7);
        world
            .with_connection(0, |connection, shared, _| connection.close_channel(shared, channel))
            .expect("it is open");
        world.run(SECOND * 5);
        assert_eq!(world.ends[1].messages.len(), 3);
        assert_eq!(world.channel_end(1, accepted), Some(Error::Closed));
        assert_eq!(world.channel_end(0, channel), Some(Error::Closed));
    }
}

// spec: 9.5 reset
#[test]
fn a_reset_drops_what_waits_and_ends_both_directions() {
    let mut world = World::connected(9);
    let (channel, accepted) = open_both(&mut world, NONE);
    assert_eq!(world.send_message(0, channel, b"dropped"), Ok(()));
    world
        .with_connection(0, |connection, shared, now| {
            let reason = CloseReason { code: 77, text: "enough".to_owned() };
            connection.reset_channel(shared, now, channel, reason)
        })
        .expect("it is open");
    assert_eq!(world.send_message(0, channel, b"more"), Err(Error::InvalidChannelId));
    world.run(SECOND);
    assert_eq!(world.texts(1), [""; 0]);
    assert_eq!(world.channel_end(1, accepted), Some(Error::PeerClosed));
    for end in &world.ends {
        let said = end.events.iter().find_map(|event| {
            let Event::ChannelClosed { said, .. } = event else { return None };
            said.as_ref().map(|said| (said.code, &said.text[..]))
        });
        assert_eq!(said, Some((77, "enough")));
    }
    assert!((0..2).all(|end| world.ends[end].shared.channels.len() == 0), "nothing is left");
    assert_eq!(world.ends[0].shared.send_queue_bytes, 0);
}

// spec: 9.5 reset
#[test]
fn a_lost_reset_goes_again_though_the_close_before_it_was_acknowledged() {
    let mut world = World::with(7, |config| config.half_close = true);
    world.connect();
    let (channel, accepted) = open_both(&mut world, NONE);
    let closed =
        world.with_connection(0, |connection, shared, _| connection.close_channel(shared, channel));
    assert_eq!(closed, Ok(()));
    // The close is on its way.
    world.run(DELAY / 2);
    lose(&mut world, 1);
    let reset = world.with_connection(0, |connection, shared, now| {
        connection.reset_channel(shared, now, channel, CloseReason::default())
    });
    assert_eq!(reset, Ok(()));
    world.run(SECOND * 5);
    assert_eq!(world.channel_end(1, accepted), Some(Error::PeerClosed));
    assert!((0..2).all(|end| world.ends[end].shared.channels.len() == 0), "nothing is left");
}

// spec: 9.5 reset
#[test]
fn resets_and_closes_get_through_a_lossy_network() {
    for seed in 0..8 {
        let mut world = World::connected(100 + seed);
        (world.loss, world.jitter) = (300, DELAY);
        let channels: Vec<ChannelHandle> =
            (0..20).map(|index| world.open(index % 2, NONE)).collect();
        for (index, channel) in channels.iter().enumerate() {
            let _ = world.send_message(index % 2, *channel, b"x");
            world.run(DELAY / 2);
            let closed = world.with_connection(index % 2, |connection, shared, now| {
                if index % 3 == 0 {
                    connection.reset_channel(shared, now, *channel, CloseReason::default())
                } else {
                    connection.close_channel(shared, *channel)
                }
            });
            assert_eq!(closed, Ok(()));
        }
        world.run(SECOND * 50);
        assert_eq!((world.connection_end(0), world.connection_end(1)), (None, None), "seed {seed}");
        let left = [0, 1].map(|end| world.ends[end].shared.channels.len());
        assert_eq!(left, [0, 0], "seed {seed}");
    }
}

// spec: 10.3 modes
#[test]
fn ordered_channels_drop_what_comes_late_and_others_take_it() {
    for (capabilities, expected) in [(Capabilities::ORDERED, 1), (NONE, 2)] {
        let mut world = World::connected(11);
        let (channel, accepted) = open_both(&mut world, capabilities);
        let first = world.ends[0].sent.len();
        world.tap = Some(Box::new(move |_, index, _| {
            Some(if index == first { DELAY / 2 } else { Duration::ZERO })
        }));
        for message in [b"one", b"two"] {
            assert_eq!(world.send_message(0, channel, message), Ok(()));
            world.drain(0);
        }
        world.run(SECOND);
        assert_eq!(world.texts(1).len(), expected);
        assert_eq!(world.texts(1)[0], "two");
        let stats = world.ends[1].shared.channel(accepted).expect("it is open").counts;
        assert_eq!(stats.messages_received, expected as u64);
    }
}

// spec: 10.1 numbers and fragments
#[test]
fn small_messages_share_packets_and_keep_their_boundaries() {
    let mut world = World::connected(12);
    let (channel, _) = open_both(&mut world, NONE);
    let before = world.ends[0].sent.len();
    let messages: Vec<String> = (0..200).map(|number| format!("message {number}")).collect();
    for message in &messages {
        assert_eq!(world.send_message(0, channel, message.as_bytes()), Ok(()));
    }
    world.drain(0);
    assert!(world.ends[0].sent.len() - before <= 4, "{}", world.ends[0].sent.len() - before);
    world.run(SECOND);
    assert_eq!(world.texts(1), messages);
}

// spec: 8.9 CHANNEL_NEW
#[test]
fn capabilities_without_a_meaning_are_refused_on_both_sides() {
    let mut world = World::connected(13);
    let config = |capabilities| ChannelConfig { capabilities, ..ChannelConfig::default() };
    assert_eq!(world.open_with(0, &config(Capabilities(8))), Err(Error::InvalidArgument));
    // A peer that has them: its application asks for a mode that we let pass here.
    let channel = world.open(0, NONE);
    let end = &mut world.ends[0];
    end.shared.channels.get_mut(channel.0).expect("ours").capabilities = Capabilities(9);
    world.run(SECOND);
    assert_eq!(world.channel_end(0, channel), Some(Error::Unsupported));
    assert_eq!(world.ends[1].shared.channels.len(), 0);
    assert_eq!(world.ends[0].shared.channels.len(), 0);
    assert_eq!(world.connection_end(0), None, "the connection goes on");
}

// spec: 9.4 graceful close
#[test]
fn unread_messages_outlive_the_close_behind_them() {
    let mut world = World::with(15, |config| config.lend_messages = false);
    world.connect();
    let (channel, accepted) = open_both(&mut world, NONE);
    assert_eq!(world.send_message(0, channel, b"read me"), Ok(()));
    world
        .with_connection(0, |connection, shared, _| connection.close_channel(shared, channel))
        .expect("it is open");
    world.run(SECOND);
    assert_eq!(world.channel_end(1, accepted), None);
    let mut out = [0; 16];
    let read = world.with_connection(1, |connection, shared, now| {
        connection.receive(shared, now, accepted, &mut out)
    });
    assert_eq!(read.map(|read| read.len), Ok(7));
    world.run(SECOND);
    assert_eq!(world.channel_end(1, accepted), Some(Error::Closed));
    assert_eq!(world.channel_end(0, channel), Some(Error::Closed));
}

// spec: 16.1 table
#[test]
fn a_full_send_queue_would_block_and_tells_when_there_is_room() {
    let mut world = World::with(16, |config| config.send_queue_packets_max = 8);
    world.connect();
    let (channel, _) = open_both(&mut world, NONE);
    let sent = (0..100).take_while(|_| world.send_message(0, channel, &[1; 1000]).is_ok()).count();
    assert_eq!(sent, 8);
    assert_eq!(world.send_message(0, channel, &[1; 1000]), Err(Error::WouldBlock));
    world.run(SECOND);
    let writable = |event: &&Event| matches!(event, Event::Writable { .. });
    assert_eq!(world.ends[0].events.iter().filter(writable).count(), 1);
    assert_eq!(world.send_message(0, channel, &[1; 1000]), Ok(()));
}

// spec: 11.2 sending
#[test]
fn a_sender_stops_at_the_peers_limits_and_goes_on_when_they_rise() {
    let mut world = World::connected(17);
    let (channel, accepted) = open_both(&mut world, NONE);
    // What the peer would have said with a window of two messages of 100 bytes.
    let limit = |world: &mut World, limit: u64| {
        let ours = world.ends[0].shared.channels.get_mut(channel.0).expect("ours");
        ours.sending.reset_limit(limit);
    };
    limit(&mut world, 264);
    assert_eq!(world.send_message(0, channel, &[1; 100]), Ok(()));
    assert_eq!(world.send_message(0, channel, &[1; 100]), Ok(()));
    assert_eq!(world.send_message(0, channel, &[1; 1]), Ok(()), "it waits in our queue");
    world.run(SECOND);
    assert_eq!(world.ends[1].messages.len(), 2);
    // MAX_CHANNEL_DATA, as it would come.
    world.with_connection(0, |connection, shared, _| {
        let number = shared.channel(channel).expect("ours").number;
        let raised = crate::wire::frame::ChannelLimit { channel: number, limit: 297 };
        assert!(connection.handle_max_channel_data(shared, &raised).is_ok());
    });
    world.run(SECOND);
    assert_eq!(world.ends[1].messages.len(), 3);
    assert!(world.ends[1].shared.channel(accepted).is_ok());
}

// spec: 10.6 order between channels
#[test]
fn higher_priorities_go_first_and_no_channel_starves() {
    let mut world = World::connected(18);
    let config = |priority| ChannelConfig { priority, ..ChannelConfig::default() };
    let low = world.open_with(0, &config(7)).expect("it can be opened");
    let high = world.open_with(0, &config(0)).expect("it can be opened");
    world.run(SECOND);
    for channel in [low, high] {
        for _ in 0..400 {
            assert_eq!(
                world.send_message(0, channel, &[channel_mark(channel, high); 1000]),
                Ok(())
            );
        }
    }
    world.run(SECOND * 10);
    let marks: Vec<u8> = world.ends[1].messages.iter().map(|(_, bytes)| bytes[0]).collect();
    assert_eq!(marks.len(), 800);
    let high_in_first_half = marks[..400].iter().filter(|mark| **mark == 1).count();
    assert!((300..400).contains(&high_in_first_half), "{high_in_first_half}");
}

fn channel_mark(channel: ChannelHandle, high: ChannelHandle) -> u8 {
    u8::from(channel == high)
}

// spec: 10.4 giving up
#[test]
fn lost_messages_are_counted_on_both_sides_and_never_sent_again() {
    let mut world = World::connected(19);
    let (channel, accepted) = open_both(&mut world, NONE);
    lose(&mut world, 2);
    for _ in 0..10 {
        assert_eq!(world.send_message(0, channel, &[1; 1000]), Ok(()));
    }
    world.run(SECOND * 5);
    assert_eq!(world.ends[1].messages.len(), 8);
    let ours = world.ends[0].shared.channel(channel).expect("it is open");
    assert_eq!(ours.counts.messages_lost, 2);
    assert_eq!(ours.sending.skip(), None, "the peer knows");
    let theirs = world.ends[1].shared.channel(accepted).expect("it is open");
    assert_eq!(theirs.counts.messages_skipped, 2);
    let skipped = |event: &&Event| matches!(event, Event::MessagesSkipped { count: 2, .. });
    assert_eq!(world.ends[1].events.iter().filter(skipped).count(), 1);
}
