//! Aim: acknowledgements of what was not received gain nothing.
//! Method: a connected peer, which the test plays, acknowledges what it likes.

use std::ops::RangeInclusive;

use channeler::config::ChannelConfig;
use channeler::error::Error;
use channeler::id::{Capabilities, ChannelHandle, ChannelNumber};
use channeler::sim::Packet;
use channeler::wire::codes::ConnectionCode;
use channeler::wire::frame::{ChannelLimit, Frame};

use super::puppets::{Attack, RELIABLE};
use crate::tools::{MILLI, why_closed};

// spec: 8.5 ACK, ACK_ECN
#[test]
fn an_ack_of_packets_never_sent_ends_the_connection() {
    for ahead in [100, 1 << 40, u64::MAX / 4] {
        let mut attack = Attack::new();
        let sent = attack.puppet.take(&mut attack.world);
        let last = sent.iter().map(|packet| packet.number).max().unwrap_or(0);
        let first = last + ahead;
        attack.puppet.ack_ranges(&mut attack.world, &[first..=first]);
        attack.assert_ends(ConnectionCode::Protocol);
    }
}

// spec: 8.5 ACK, ACK_ECN; 18.3 attacks on resources
#[test]
fn acks_ahead_of_what_arrived_are_caught_by_a_skipped_number() {
    let mut attack = Attack::with(|config| config.segments_max = 16);
    let channel = open(&mut attack);
    // It claims every number up to the largest it saw, whatever was lost or never sent. One of at
    // most 2^16 is skipped.
    for _ in 0..800 {
        for _ in 0..100 {
            // `WouldBlock` once the connection is over, or the queue is full.
            let _full = attack.world.send(0, channel, &[7; 1_000]);
        }
        attack.world.run_for(10 * MILLI);
        let packets = attack.puppet.take(&mut attack.world);
        let Some(largest) = packets.iter().map(|packet| packet.number).max() else { break };
        attack.puppet.ack_ranges(&mut attack.world, &[0..=largest]);
        if attack.world.node(0).channel_info(channel).is_err() {
            break;
        }
    }
    assert!(attack.world.node(0).channel_info(channel).is_err(), "it was never found out");
    let why = why_closed(&attack.world, 0, attack.connection);
    assert_eq!(why, Some(Error::Protocol));
}

// spec: 10.4 giving up: what goes again uses the credit that its first transmission took
#[test]
fn what_is_lost_while_its_sender_waits_for_credit_is_sent_again() {
    let mut attack = Attack::new();
    let channel = open_with(&mut attack, RELIABLE, None);
    while attack.world.send(0, channel, &[7; 16_000]).is_ok() {}
    let mut lost = None;
    for _ in 0..200 {
        attack.world.run_for(20 * MILLI);
        let packets = attack.puppet.take(&mut attack.world);
        let data = |packet: &Packet| {
            packet.frames().find_map(|frame| {
                let Frame::Data(data) = frame else { return None };
                Some((data.number, data.offset))
            })
        };
        if let Some(lost) = lost {
            let mut again = packets.iter().filter_map(data);
            assert!(again.any(|piece| piece == lost), "{lost:?} is not sent again");
            return;
        }
        let is_blocked = packets
            .iter()
            .any(|packet| packet.frames().any(|frame| matches!(frame, Frame::DataBlocked { .. })));
        let first = packets.iter().find(|packet| is_blocked && data(packet).is_some());
        let Some(first) = first else {
            attack.puppet.ack(&mut attack.world);
            continue;
        };
        lost = data(first);
        let last = packets.iter().map(|packet| packet.number).max().unwrap_or(0);
        let seen: Vec<_> = packets.iter().map(|packet| packet.number..=packet.number).collect();
        let seen: Vec<_> =
            seen.into_iter().rev().filter(|it| *it.start() != first.number).collect();
        assert!(last > first.number + 3, "packets enough to tell that one was lost");
        attack.puppet.ack_ranges(&mut attack.world, &joined(&seen));
    }
    panic!("it never waited for credit");
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn ranges_that_reach_below_zero_or_overlap_end_the_connection() {
    // type 2, length, path 0, largest 3, delay 0, first range, then gap and range.
    for body in [&[0, 3, 0, 4][..], &[0, 3, 0, 0, 0, 3], &[0, 3, 0, 0, 2], &[0, 3, 0]] {
        let mut attack = Attack::new();
        let mut payload = vec![2, body.len() as u8];
        payload.extend(body);
        attack.puppet.send_raw(&mut attack.world, ChannelNumber::NONE, &payload);
        attack.assert_ends(ConnectionCode::Encoding);
    }
}

/// A channel of the node's, accepted by the peer with no limit.
pub(super) fn open(attack: &mut Attack) -> ChannelHandle {
    open_with(attack, Capabilities(0), Some(1 << 60))
}

/// A channel of the node's in a mode, which the peer accepted with no limit of its own; `limit` is
/// that of the connection, if it is raised.
fn open_with(attack: &mut Attack, mode: Capabilities, limit: Option<u64>) -> ChannelHandle {
    let config = ChannelConfig { capabilities: mode, ..ChannelConfig::default() };
    let connection = attack.connection;
    let opened = attack.world.with(0, |node, now| node.open_channel(now, connection, &config));
    let channel = opened.expect("room");
    attack.puppet.run(&mut attack.world, 50 * MILLI);
    let id = attack.world.node(0).channel_info(channel).expect("there").id;
    let number = ChannelNumber(id.to_wire());
    attack.say(&[Frame::ChannelAccept(ChannelLimit { channel: number, limit: 1 << 60 })]);
    limit.into_iter().for_each(|limit| attack.say(&[Frame::MaxData { limit }]));
    attack.puppet.run(&mut attack.world, 50 * MILLI);
    channel
}

/// Ranges of one number each, newest first, as few as they make.
fn joined(numbers: &[RangeInclusive<u64>]) -> Vec<RangeInclusive<u64>> {
    let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
    for one in numbers {
        match ranges.last_mut() {
            Some(last) if *last.start() == one.end() + 1 => *last = *one.start()..=*last.end(),
            _ => ranges.push(one.clone()),
        }
    }
    ranges
}
