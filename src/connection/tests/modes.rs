//! All eight modes over a network that loses, repeats and reorders: what arrives is what the table
//! of 10.3 allows, and nothing is left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{DELAY, World};
use crate::config::{ChannelConfig, SendOptions};
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle};
use crate::io::Event;

const SECOND: Duration = Duration::from_secs(1);
const MESSAGES: u32 = 120;

/// Some lengths: shared packets, one packet, many.
fn len_of(number: u32) -> usize {
    match number % 6 {
        0 => 20_000 + number as usize,
        1 => 1_100,
        2 => 3_000,
        3..=5 => 10 + number as usize,
        _ => unreachable!("six remainders"),
    }
}

fn message(number: u32) -> Vec<u8> {
    let mut bytes = vec![0; len_of(number)];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = (at as u32 * 31 + number) as u8;
    }
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// What one mode came to.
struct Outcome {
    /// Numbers in the order of delivery; every byte was compared.
    came: Vec<u32>,
    /// Fates by number.
    fates: BTreeMap<u64, Option<Error>>,
    end: Option<Error>,
    world: World,
    channel: ChannelHandle,
}

fn run(mode: u16, seed: u64, config: &ChannelConfig, disturb: impl Fn(&mut World)) -> Outcome {
    let mut world = World::connected(seed);
    let config = ChannelConfig { capabilities: Capabilities(mode), ..config.clone() };
    disturb(&mut world);
    let channel = world.open_with(0, &config).expect("it can be opened");
    for number in 0..MESSAGES {
        let sent = world.with_connection(0, |connection, shared, now| {
            let options = SendOptions { report: Some(u64::from(number)), ..SendOptions::default() };
            connection.send_with(shared, now, channel, &message(number), &options)
        });
        if world.channel_end(0, channel).is_some() {
            break;
        }
        assert_eq!(sent, Ok(()));
        world.run(DELAY / 2);
    }
    world.run(SECOND * 50);
    let came = world.ends[1].messages.iter().map(|(_, bytes)| {
        let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        assert!(*bytes == message(number), "message {number} came whole");
        number
    });
    let came = came.collect();
    let mut fates = BTreeMap::new();
    for event in &world.ends[0].events {
        let fate = if let Event::MessageLost { context, reason, .. } = event {
            (*context, Some(*reason))
        } else if let Event::MessageDelivered { context, .. } = event {
            (*context, None)
        } else {
            continue;
        };
        assert_eq!(fates.insert(fate.0, fate.1), None, "one report each");
    }
    assert_eq!(world.connection_end(0).or(world.connection_end(1)), None);
    let end = world.channel_end(0, channel);
    Outcome { came, fates, end, world, channel }
}

impl Outcome {
    fn is_rising(&self) -> bool {
        self.came.is_sorted_by(|one, next| one < next)
    }

    fn is_unique(&self) -> bool {
        let mut sorted = self.came.clone();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.len() == self.came.len()
    }

    /// Nothing waits anywhere, and the peer knows of every message.
    fn check_settled(&self) {
        let [ours, theirs] = &self.world.ends;
        assert_eq!(ours.shared.send_queue_bytes, 0);
        let channel = ours.shared.channel(self.channel).expect("it is open");
        assert!(channel.backlog.is_none() && channel.outbox.is_empty());
        assert_eq!(channel.sending.skip(), None, "the peer knows what was given up");
        let skipped = theirs.events.iter().filter_map(|event| {
            let Event::MessagesSkipped { count, .. } = event else { return None };
            Some(*count)
        });
        let skipped: u64 = skipped.sum();
        assert_eq!(self.came.len() as u64 + skipped, u64::from(MESSAGES));
    }
}

// spec: 10.3 modes
#[test]
fn without_losses_every_mode_delivers_all_in_order() {
    for mode in 0..8 {
        let outcome = run(mode, 300 + u64::from(mode), &ChannelConfig::default(), |_| {});
        assert_eq!(outcome.came, (0..MESSAGES).collect::<Vec<u32>>(), "{mode:03b}");
        assert!(outcome.fates.values().all(|fate| fate.is_none()));
        assert_eq!(outcome.fates.len(), MESSAGES as usize);
        outcome.check_settled();
    }
}

// spec: 10.3 modes, 10.4 giving up
#[test]
fn modes_that_resend_deliver_all_whatever_is_lost_and_reordered() {
    for mode in [0b001, 0b011, 0b101, 0b111] {
        for loss in [10, 50, 200] {
            let seed = 400 + u64::from(mode) * 10 + u64::from(loss);
            let outcome = run(mode, seed, &ChannelConfig::default(), |world| {
                world.loss = loss;
                world.jitter = DELAY;
            });
            assert_eq!(outcome.came.len(), MESSAGES as usize, "{mode:03b} at {loss}");
            assert!(outcome.is_unique());
            assert!(outcome.is_rising() || mode & 0b010 == 0, "{mode:03b}: {:?}", outcome.came);
            assert!(outcome.fates.values().all(|fate| fate.is_none()));
            outcome.check_settled();
        }
    }
}

// spec: 10.3 modes, 10.5 skipping
#[test]
fn modes_that_do_not_resend_deliver_the_rest_and_report_what_was_lost() {
    for mode in [0b000, 0b010] {
        for loss in [10, 50, 200] {
            let seed = 500 + u64::from(mode) * 10 + u64::from(loss);
            let outcome = run(mode, seed, &ChannelConfig::default(), |world| {
                world.loss = loss;
                world.jitter = DELAY / 4;
            });
            assert!(outcome.is_unique());
            assert!(outcome.is_rising() || mode == 0, "{:?}", outcome.came);
            assert_eq!(outcome.fates.len(), MESSAGES as usize);
            // What was acknowledged came, but where order has it dropped as late.
            for (number, fate) in &outcome.fates {
                let has_come = outcome.came.contains(&(*number as u32));
                assert!(!has_come || fate.is_none() || *fate == Some(Error::Lost));
                assert!(has_come || fate.is_some() || mode == 0b010, "{number} was delivered");
            }
            outcome.check_settled();
        }
    }
}

// spec: 10.3 modes
#[test]
fn a_proven_loss_closes_what_closes_on_loss_and_reordering_does_not() {
    for mode in [0b100, 0b110] {
        let seed = 600 + u64::from(mode);
        let shuffled = run(mode, seed, &ChannelConfig::default(), |world| world.jitter = DELAY);
        assert_eq!(shuffled.end, None, "{mode:03b}");
        assert_eq!(shuffled.came.len(), MESSAGES as usize);
        let lossy = run(mode, seed, &ChannelConfig::default(), |world| world.loss = 100);
        assert_eq!(lossy.end, Some(Error::Lost));
        assert!(lossy.is_unique() && (lossy.is_rising() || mode == 0b100));
        if mode == 0b110 {
            let all: Vec<u32> = (0..lossy.came.len() as u32).collect();
            assert_eq!(lossy.came, all, "nothing is delivered behind a hole");
        }
        assert!((0..2).all(|end| lossy.world.ends[end].shared.channels.len() == 0));
        assert_eq!(lossy.world.ends[0].shared.send_queue_bytes, 0);
    }
}

// spec: 10.4 giving up, 10.5 skipping
#[test]
fn what_fails_for_good_is_skipped_and_the_rest_goes_on_in_order() {
    for mode in [0b001, 0b011] {
        let config = ChannelConfig { resend_limit: 0, ..ChannelConfig::default() };
        let outcome = run(mode, 700 + u64::from(mode), &config, |world| world.loss = 100);
        assert!(outcome.came.len() < MESSAGES as usize && outcome.came.len() > 30);
        assert!(outcome.is_unique() && (outcome.is_rising() || mode == 0b001));
        assert!(outcome.fates.values().any(|fate| *fate == Some(Error::Lost)));
        outcome.check_settled();
    }
}

// spec: 10.4 giving up
#[test]
fn with_lifetimes_too_every_message_is_settled_and_both_sides_agree() {
    for mode in [0b000, 0b001, 0b010, 0b011] {
        let lifetime = Duration::from_millis(60);
        let config = ChannelConfig { message_lifetime: lifetime, ..ChannelConfig::default() };
        let outcome = run(mode, 800 + u64::from(mode), &config, |world| world.loss = 200);
        assert_eq!(outcome.fates.len(), MESSAGES as usize);
        assert!(outcome.fates.values().any(|fate| fate.is_some()));
        assert!(outcome.is_unique());
        let channel = outcome.world.ends[0].shared.channel(outcome.channel).expect("it is open");
        assert!(channel.backlog.is_none());
        assert_eq!(channel.sending.skip(), None, "{mode:03b}: the peer knows");
    }
}

// spec: 9.4 graceful close
#[test]
fn a_close_settles_every_mode_that_loses_messages() {
    for mode in [0b000, 0b001, 0b010, 0b011] {
        let mut world = World::connected(900 + u64::from(mode));
        let capabilities = Capabilities(mode);
        let config = ChannelConfig { capabilities, resend_limit: 1, ..ChannelConfig::default() };
        let channel = world.open_with(0, &config).expect("it can be opened");
        world.loss = 150;
        for number in 0..40 {
            assert_eq!(world.send_message(0, channel, &message(number)), Ok(()));
        }
        world.with_connection(0, |connection, shared, _| {
            connection.close_channel(shared, channel).expect("it is open");
        });
        world.run(SECOND * 50);
        assert_eq!(world.channel_end(0, channel), Some(Error::Closed), "{mode:03b}");
        assert!((0..2).all(|end| world.ends[end].shared.channels.len() == 0));
        assert_eq!(world.ends[0].shared.send_queue_bytes, 0);
    }
}
