//! What is sent, and sent again: modes, limits, lifetimes, reports, queues.

use std::time::Duration;

use super::super::established::Flow;
use super::world::{DELAY, World};
use crate::config::{ChannelConfig, SendOptions};
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle};
use crate::io::Event;

const SECOND: Duration = Duration::from_secs(1);
const NONE: Capabilities = Capabilities(0);
const RESEND: Capabilities = Capabilities::RESEND;
const CLOSE: Capabilities = Capabilities::CLOSE_ON_LOSS;

fn open(world: &mut World, config: &ChannelConfig) -> ChannelHandle {
    let channel = world.open_with(0, config).expect("it can be opened");
    world.run(SECOND);
    channel
}

fn mode(capabilities: Capabilities) -> ChannelConfig {
    ChannelConfig { capabilities, ..ChannelConfig::default() }
}

/// Some lengths with which a packet has one message or many.
fn len_of(number: u32) -> usize {
    if number % 50 < 25 { 10 } else { 1_080 + number as usize % 50 }
}

/// Sends with a report.
fn send_asking(world: &mut World, channel: ChannelHandle, len: usize, options: &SendOptions) {
    let sent = world.with_connection(0, |connection, shared, now| {
        connection.send_with(shared, now, channel, &vec![1; len], options)
    });
    assert_eq!(sent, Ok(()));
}

fn report(context: u64) -> SendOptions {
    SendOptions { report: Some(context), ..SendOptions::default() }
}

/// Reports that came: context, and why it was lost.
fn fates(world: &World) -> Vec<(u64, Option<Error>)> {
    let told = world.ends[0].events.iter().filter_map(|event| {
        if let Event::MessageLost { context, reason, .. } = event {
            return Some((*context, Some(*reason)));
        }
        let Event::MessageDelivered { context, .. } = event else { return None };
        Some((*context, None))
    });
    told.collect()
}

/// Loses all datagrams of end 0 from now on for `span`.
fn cut(world: &mut World, span: Duration) {
    world.tap = Some(Box::new(|from, _, _| (from != 0).then_some(Duration::ZERO)));
    world.run(span);
    world.tap = None;
}

// spec: 10.3 modes, 10.4 giving up
#[test]
fn what_is_resent_arrives_once_whatever_is_lost() {
    let mut world = World::connected(200);
    let channel = open(&mut world, &mode(RESEND));
    world.loss = 200;
    world.jitter = DELAY;
    for number in 0..300_u32 {
        let mut message = vec![9; len_of(number)];
        message[..4].copy_from_slice(&number.to_be_bytes());
        assert_eq!(world.send_message(0, channel, &message), Ok(()));
    }
    world.run(SECOND * 30);
    let mut came: Vec<u32> = Vec::new();
    for (_, bytes) in &world.ends[1].messages {
        let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        assert_eq!(bytes.len(), len_of(number));
        came.push(number);
    }
    came.sort_unstable();
    assert_eq!(came, (0..300).collect::<Vec<u32>>());
    let ours = world.ends[0].shared.channel(channel).expect("it is open");
    assert!(ours.backlog.is_none() && ours.counts.bytes_resent > 0);
    assert_eq!(world.ends[0].shared.send_queue_bytes, 0);
}

// spec: 10.4 giving up
#[test]
fn each_message_that_asked_is_reported_once() {
    let mut world = World::connected(201);
    let channel = open(&mut world, &mode(NONE));
    (0..5).for_each(|context| send_asking(&mut world, channel, 1_000, &report(context)));
    world.run(SECOND);
    assert_eq!(fates(&world), (0..5).map(|context| (context, None)).collect::<Vec<_>>());
    send_asking(&mut world, channel, 1_000, &report(5));
    cut(&mut world, DELAY);
    send_asking(&mut world, channel, 1_000, &report(6));
    world.run(SECOND * 5);
    assert_eq!(fates(&world)[5..], [(6, None), (5, Some(Error::Lost))]);
    assert_eq!(world.ends[0].shared.channel(channel).expect("open").counts.messages_lost, 1);
}

// spec: 10.4 giving up
#[test]
fn a_message_is_given_up_when_it_was_resent_as_often_as_allowed() {
    for limit in [0, 1, 3] {
        let mut world = World::connected(202);
        let config = ChannelConfig { resend_limit: limit, ..mode(RESEND) };
        let channel = open(&mut world, &config);
        // Datagrams with a message are those that are long.
        world.tap = Some(Box::new(|from, _, bytes| {
            let is_lost = from == 0 && bytes.len() > 900;
            (!is_lost).then_some(Duration::ZERO)
        }));
        let before = world.ends[0].sent.len();
        send_asking(&mut world, channel, 1_000, &report(7));
        world.run(SECOND * 20);
        let long = world.ends[0].sent[before..].iter().filter(|len| **len > 900).count();
        assert_eq!(long, 1 + limit as usize);
        assert_eq!(fates(&world), [(7, Some(Error::Lost))]);
        let ours = world.ends[0].shared.channel(channel).expect("it goes on");
        assert_eq!(ours.sending.skip(), None, "the peer knows");
    }
}

// spec: 10.3 modes, 17.2 channel
#[test]
fn a_loss_closes_a_channel_that_says_so_on_both_sides() {
    for capabilities in [0b100, 0b110, 0b101, 0b111] {
        let mut world = World::connected(203);
        let config = ChannelConfig { resend_limit: 0, ..mode(Capabilities(capabilities)) };
        let channel = open(&mut world, &config);
        let accepted = world.accepted(1);
        send_asking(&mut world, channel, 1_000, &report(1));
        cut(&mut world, DELAY);
        send_asking(&mut world, channel, 10, &report(2));
        world.run(SECOND * 5);
        assert_eq!(world.channel_end(0, channel), Some(Error::Lost), "{capabilities}");
        assert_eq!(world.channel_end(1, accepted), Some(Error::Lost));
        assert!(fates(&world).contains(&(1, Some(Error::Lost))));
        assert_eq!(fates(&world).len(), 2);
        assert!((0..2).all(|end| world.ends[end].shared.channels.len() == 0));
        assert_eq!(world.connection_end(0), None);
    }
}

// spec: 10.4 giving up
#[test]
fn lifetimes_end_messages_that_wait_and_those_that_are_resent() {
    let mut world = World::connected(204);
    let lifetime = Duration::from_millis(100);
    let config = ChannelConfig { message_lifetime: lifetime, ..mode(RESEND) };
    let channel = open(&mut world, &config);
    let number =
        |world: &World| world.ends[0].shared.channel(channel).expect("open").sending.next();
    let longer = SendOptions { lifetime: Some(Duration::ZERO), ..report(3) };
    send_asking(&mut world, channel, 500, &report(1));
    // The second finds no credit.
    let position = world.ends[0].shared.channel(channel).expect("open").sending.position();
    let ours = world.ends[0].shared.channels.get_mut(channel.0).expect("open");
    ours.sending.reset_limit(position + 532);
    send_asking(&mut world, channel, 500, &report(2));
    send_asking(&mut world, channel, 500, &longer);
    cut(&mut world, lifetime + DELAY);
    assert_eq!(fates(&world), [(1, Some(Error::Expired)), (2, Some(Error::Expired))]);
    assert_eq!(number(&world), 1, "who was not begun takes no number");
    let ours = world.ends[0].shared.channels.get_mut(channel.0).expect("open");
    ours.sending.reset_limit(1 << 20);
    world.with_connection(0, |connection, shared, _| connection.wake_channel(shared, channel));
    world.run(SECOND * 5);
    assert_eq!(fates(&world)[2..], [(3, None)], "for ever is for ever");
}

// spec: 10.4 giving up
#[test]
fn a_lifetime_that_ends_closes_a_channel_that_closes_on_loss() {
    let mut world = World::connected(205);
    let channel = open(&mut world, &mode(Capabilities(RESEND.0 | CLOSE.0)));
    let options = SendOptions { lifetime: Some(SECOND / 10), ..report(1) };
    send_asking(&mut world, channel, 500, &options);
    cut(&mut world, SECOND);
    assert_eq!(world.channel_end(0, channel), Some(Error::Lost));
    assert_eq!(fates(&world), [(1, Some(Error::Expired))]);
}

// spec: 11.2 sending
#[test]
fn a_full_queue_says_so_and_again_when_it_is_down_at_its_low_water_mark() {
    let mut world = World::with(206, |config| {
        config.send_queue_bytes_max = 100 * 1_132;
        config.send_low_water_bytes = Some(10 * 1_132);
    });
    world.connect();
    let channel = open(&mut world, &mode(RESEND));
    let ours = world.ends[0].shared.channels.get_mut(channel.0).expect("open");
    ours.sending.reset_limit(0);
    let mut taken = 0;
    while world.send_message(0, channel, &[1; 1_100]).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 100);
    let too_large = vec![0; 100 * 1_132 - 31];
    assert_eq!(world.send_message(0, channel, &too_large), Err(Error::TooLarge));
    assert_eq!(world.send_message(0, channel, &[1; 1_100]), Err(Error::WouldBlock));
    let writable = |world: &World| {
        world.ends[0].events.iter().any(|one| matches!(one, Event::Writable { .. }))
    };
    for (left, expected) in [(11, false), (10, true)] {
        let ours = world.ends[0].shared.channels.get_mut(channel.0).expect("open");
        ours.sending.reset_limit((100 - left) * 1_132);
        world.with_connection(0, |connection, shared, _| connection.wake_channel(shared, channel));
        world.run(SECOND);
        assert_eq!(writable(&world), expected, "{left}");
    }
    assert_eq!(world.ends[1].messages.len(), 90);
}

// spec: 9.4 graceful close, 14.1 graceful end
#[test]
fn what_was_sent_before_a_close_arrives_in_spite_of_losses() {
    for of_connection in [false, true] {
        let mut world = World::with(207, |config| config.linger = SECOND * 60);
        world.connect();
        let channel = open(&mut world, &mode(Capabilities(RESEND.0 | CLOSE.0)));
        world.loss = 100;
        for _ in 0..200 {
            assert_eq!(world.send_message(0, channel, &[1; 1_100]), Ok(()));
        }
        world.with_connection(0, |connection, shared, now| {
            if of_connection {
                connection.close(shared, now, crate::info::CloseReason::default());
            } else {
                connection.close_channel(shared, channel).expect("it is open");
            }
        });
        world.run(SECOND * 60);
        assert_eq!(world.ends[1].messages.len(), 200);
        assert_eq!(world.channel_end(0, channel), Some(Error::Closed));
    }
}

// spec: 10.6 order between channels
#[test]
fn channels_of_one_priority_share_by_weight() {
    let mut world = World::connected(208);
    let config = |weight| ChannelConfig { weight, ..mode(RESEND) };
    let channels = [open(&mut world, &config(10)), open(&mut world, &config(30))];
    for (mark, channel) in channels.into_iter().enumerate() {
        for _ in 0..800 {
            assert_eq!(world.send_message(0, channel, &[mark as u8; 1_100]), Ok(()));
        }
    }
    world.run(SECOND * 10);
    let marks = world.ends[1].messages.iter().map(|(_, bytes)| usize::from(bytes[0]));
    let heavy: usize = marks.take(800).sum();
    assert!((560..640).contains(&heavy), "{heavy} of 800, at three to one");
    assert_eq!(world.ends[1].messages.len(), 1_600);
}

// spec: 11.4 zero windows
#[test]
fn a_channel_without_credit_does_not_hold_up_the_others() {
    let mut world = World::connected(209);
    let channels = [open(&mut world, &mode(RESEND)), open(&mut world, &mode(NONE))];
    let ours = world.ends[0].shared.channels.get_mut(channels[0].0).expect("open");
    ours.sending.reset_limit(0);
    for channel in channels {
        assert_eq!(world.send_message(0, channel, b"message"), Ok(()));
    }
    world.run(SECOND);
    assert_eq!(world.ends[1].messages.len(), 1);
    let ours = world.ends[0].shared.channel(channels[0]).expect("open");
    assert!(ours.sending.is_blocked() && ours.pending.is_empty(), "CHANNEL_DATA_BLOCKED was sent");
}

// spec: 13.2 differences from RFC 9002
#[test]
fn a_lost_tail_is_repeated_by_the_probe_itself() {
    let mut world = World::connected(210);
    let channel = open(&mut world, &mode(RESEND));
    let first = world.ends[0].sent.len();
    world.tap = Some(Box::new(move |from, index, _| {
        ((from, index) != (0, first)).then_some(Duration::ZERO)
    }));
    send_asking(&mut world, channel, 1_000, &report(1));
    world.drain(0);
    assert_eq!(world.ends[0].sent.len(), first + 1);
    let pto = world.connection(0).pto_max();
    world.run(pto + 2 * DELAY);
    assert_eq!(world.ends[1].messages.len(), 1, "one trip after the probe timeout");
    world.run(SECOND);
    assert_eq!(fates(&world), [(1, None)]);
    let long = world.ends[0].sent[first..].iter().filter(|len| **len > 900).count();
    assert_eq!(long, 2, "and not once more when the first was declared lost");
}

/// Loses all datagrams of end 0 from now on.
fn lose_all(world: &mut World) {
    world.tap = Some(Box::new(|from, _, _| (from != 0).then_some(Duration::ZERO)));
}

// spec: 10.4 giving up
#[test]
fn who_kept_too_much_goes_on_when_all_of_it_was_given_up() {
    for capabilities in [RESEND, NONE] {
        let mut world = World::with(220, |config| {
            config.send_queue_bytes_max = 600;
            config.node_send_queue_bytes_max = 1 << 20;
        });
        world.connect();
        let channel = open(&mut world, &mode(capabilities));
        lose_all(&mut world);
        let options =
            SendOptions { lifetime: Some(SECOND / 10), report: Some(1), may_replay: false };
        let stuffed = |world: &World| {
            world.ends[0].shared.channel(channel).is_ok_and(|channel| channel.is_stuffed)
        };
        for _ in 0..90 {
            if stuffed(&world) {
                break;
            }
            let _ = world.with_connection(0, |connection, shared, now| {
                connection.send_with(shared, now, channel, &[1; 500], &options)
            });
            world.run(SECOND / 1_000);
        }
        assert!(stuffed(&world), "the window has room for more than may be kept");
        world.run(SECOND / 2);
        world.tap = None;
        send_asking(&mut world, channel, 500, &report(2));
        world.run(SECOND * 20);
        assert!(fates(&world).contains(&(2, None)), "{:?}", fates(&world));
    }
}

// spec: 11.2 sending
#[test]
fn who_finds_the_node_full_of_what_was_sent_hears_when_there_is_room() {
    let mut world = World::with(221, |config| {
        config.send_queue_bytes_max = 10_000;
        config.node_send_queue_bytes_max = 10_000;
    });
    world.connect();
    let channel = open(&mut world, &mode(RESEND));
    assert_eq!(world.send_message(0, channel, &[1; 4_000]), Ok(()));
    world.drain(0);
    assert!(!world.ends[0].shared.channel(channel).expect("open").has_unsent());
    assert_eq!(world.send_message(0, channel, &[2; 7_000]), Err(Error::WouldBlock));
    let writable = |world: &World| {
        world.ends[0].events.iter().any(|one| matches!(one, Event::Writable { .. }))
    };
    world.drain(0);
    assert!(!writable(&world), "there is no room yet");
    world.run(SECOND);
    assert!(writable(&world));
    assert_eq!(world.send_message(0, channel, &[2; 7_000]), Ok(()));
}

// spec: 11.2 sending
#[test]
fn channels_that_went_while_they_waited_are_forgotten_in_every_queue() {
    let mut world = World::connected(222);
    let established = world.connection(0).established.as_mut().expect("it is there");
    established.flow = Flow::new(0);
    for _ in 0..200 {
        let channel = world.open_with(0, &mode(RESEND)).expect("it can be opened");
        let options = SendOptions { lifetime: Some(SECOND * 1_000), ..report(1) };
        send_asking(&mut world, channel, 500, &options);
        world.run(DELAY);
        world.with_connection(0, |connection, shared, now| {
            let reason = crate::info::CloseReason::default();
            connection.reset_channel(shared, now, channel, reason).expect("it is open");
        });
        world.run(4 * DELAY);
    }
    assert_eq!(world.ends[0].shared.channels.len(), 0);
    let duties = &world.connection(0).duties;
    assert!(duties.credit_waiters.len() <= 70, "{}", duties.credit_waiters.len());
    let debug = format!("{duties:?}");
    assert!(debug.matches("ChannelHandle").count() <= 4 * 70, "{debug}");
}
