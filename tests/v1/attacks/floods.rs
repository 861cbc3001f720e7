//! Aim: peers that ignore limits are cut off, and those that keep to them cost what was granted.
//! Method: a connected peer, which the test plays, opens and sends all it can; nobody reads.

use channeler::error::Error;
use channeler::id::{Capabilities, ChannelNumber};
use channeler::io::Event;
use channeler::wire::codes::ConnectionCode;
use channeler::wire::frame::Frame;

use super::puppets::{Attack, RELIABLE, data, new, number};
use crate::tools::{MILLI, SECOND, count, why_closed};

// spec: 11.3 receiving
#[test]
fn a_sender_that_ignores_the_limit_of_a_channel_ends_with_flow_control() {
    for capabilities in (0..8).map(Capabilities) {
        let mut attack = Attack::new();
        attack.open(0, capabilities);
        let (held, code) = flood(&mut attack, 1);
        assert_eq!(code, Some(ConnectionCode::FlowControl.code()), "{capabilities:?}");
        let limit = attack.world.node(0).config().connection_receive_bytes_max as u64;
        assert!(held <= limit, "{capabilities:?}: {held}");
    }
}

// spec: 11.3 receiving
#[test]
fn a_sender_that_ignores_the_limit_of_the_connection_ends_with_flow_control() {
    let mut attack = Attack::with(|config| {
        config.message_bytes_max = 100_000;
        config.connection_receive_bytes_max = 400_000;
    });
    for index in 0..64 {
        attack.open(index, RELIABLE);
    }
    let (held, code) = flood(&mut attack, 64);
    assert_eq!(code, Some(ConnectionCode::FlowControl.code()));
    assert!(held <= 2 * 400_000, "{held}");
}

// spec: 9.1 ids, 16.1 table
#[test]
fn a_hundred_thousand_channels_opened_at_once_are_served_within_bounded_memory() {
    const CHANNELS: u32 = 100_000;
    let mut attack = Attack::with(|config| {
        config.peer_channels_max = CHANNELS as usize;
        config.channels_per_connection_max = CHANNELS as usize;
    });
    assert_eq!(attack.puppet.params().channels_max, u64::from(CHANNELS));
    for first in (0..CHANNELS).step_by(20) {
        let frames: Vec<_> = (first..first + 20).map(|index| new(index, RELIABLE)).collect();
        attack.puppet.send(&mut attack.world, ChannelNumber::NONE, &frames);
        if first % 2_000 == 0 {
            attack.puppet.run(&mut attack.world, 10 * MILLI);
        }
    }
    attack.puppet.run(&mut attack.world, SECOND);
    assert_eq!(attack.world.opened(0, 0).len(), CHANNELS as usize);
    attack.say_on(number(CHANNELS - 1), &[data(0, 0, true, b"the last")]);
    attack.world.run_for(20 * MILLI);
    let (_, last, _) = *attack.world.opened(0, 0).last().expect("all were");
    assert_eq!(attack.world.receive_all(0, last), [b"the last".to_vec()]);
    // One more is one too many.
    attack.say(&[new(CHANNELS, RELIABLE)]);
    attack.assert_ends(ConnectionCode::ChannelLimit);
}

// spec: 9.1 ids
#[test]
fn a_channel_over_the_limit_ends_the_connection_and_opens_nothing() {
    let mut attack = Attack::with(|config| config.peer_channels_max = 10);
    attack.say(&[new(10, RELIABLE)]);
    attack.world.run_for(20 * MILLI);
    assert_eq!(count(&attack.world, 0, |event| matches!(event, Event::ChannelOpened { .. })), 0);
    attack.assert_ends(ConnectionCode::ChannelLimit);
}

// spec: 9.1 ids, 9.5 reset
#[test]
fn channels_opened_and_reset_without_end_leave_nothing_behind() {
    use channeler::wire::frame::{ChannelReset, Reason, Source};
    let mut attack = Attack::with(|config| config.peer_channels_max = 100);
    let mut allowed = attack.puppet.params().channels_max as u32;
    let mut index = 0;
    while index < 20_000 {
        while index < allowed.min(20_000) {
            let (reason, source) = (Reason::default(), Source::Application);
            let channel = number(index);
            let reset = ChannelReset { channel, source, code: 1, position: 0, reason };
            attack.say(&[new(index, RELIABLE), Frame::ChannelReset(reset)]);
            index += 1;
        }
        attack.puppet.run(&mut attack.world, 30 * MILLI);
        let raised = attack.puppet.take(&mut attack.world);
        let counts = raised.iter().flat_map(|packet| packet.frames()).filter_map(|frame| {
            let Frame::MaxChannels { count } = frame else { return None };
            Some(count)
        });
        let before = allowed;
        allowed = counts.max().unwrap_or(allowed).max(allowed);
        assert!(allowed > before || index >= 20_000, "{index} channels, and no more are allowed");
    }
    attack.puppet.run(&mut attack.world, SECOND);
    assert_eq!(attack.world.node(0).stats().channels, 0);
    let cost = attack.world.node(0).connection_stats(attack.connection).expect("it lives");
    assert_eq!((cost.channels, cost.receive_queue_bytes), (0, 0));
}

// spec: 11.4 zero windows
#[test]
fn a_peer_that_grants_nothing_holds_no_more_than_the_send_queue() {
    let mut attack = Attack::new();
    let config = channeler::config::ChannelConfig::default();
    let connection = attack.connection;
    let opened = attack.world.with(0, |node, now| node.open_channel(now, connection, &config));
    let channel = opened.expect("room");
    let sent = (0..100_000).take_while(|_| attack.world.send(0, channel, &[1; 1_000]).is_ok());
    assert!(sent.count() < 10_000);
    assert_eq!(attack.world.send(0, channel, &[1; 1_000]), Err(Error::WouldBlock));
    let limit = attack.world.node(0).config().send_queue_bytes_max as u64;
    attack.puppet.run(&mut attack.world, 5 * SECOND);
    assert!(attack.world.node(0).stats().send_queue_bytes <= limit);
    assert_eq!(why_closed(&attack.world, 0, attack.connection), None);
}

/// Sends on channels 0 to `channels` in turn until the node ends the connection, or ten times its
/// budget was sent: the most bytes that it held, and with which code it ended.
fn flood(attack: &mut Attack, channels: u32) -> (u64, Option<u64>) {
    let budget = attack.world.node(0).config().connection_receive_bytes_max as u64;
    let (mut held, mut sent) = (0, 0);
    for message in 0.. {
        for index in 0..channels {
            attack.say_on(number(index), &[data(message, 0, true, &[7; 1_100])]);
            sent += 1_100;
        }
        if message % 16 == 0 {
            attack.world.run_for(MILLI);
            let stats = attack.world.node(0).stats();
            held = held.max(stats.receive_queue_bytes);
            if stats.connections == 0 || why_closed(&attack.world, 0, attack.connection).is_some() {
                break;
            }
        }
        if sent > 10 * budget {
            break;
        }
    }
    (held, attack.verdict())
}
