//! What a receiver takes, holds, and lets its peer send.

use std::time::Duration;

use super::super::Shared;
use super::super::inbound::Inbound;
use super::world::{DELAY, World};
use crate::config::NodeConfig;
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, ChannelNumber, Side};
use crate::info::CloseReason;
use crate::io::Event;
use crate::time::Time;
use crate::wire::Writer;
use crate::wire::codes::ConnectionCode;
use crate::wire::frame::{ChannelClose, ChannelNew, DataSkip, Frame, Label, Place};

const SECOND: Duration = Duration::from_secs(1);
const RELIABLE: Capabilities = Capabilities(0b111);
const WINDOW: usize = 64 << 10;

/// Two nodes with the windows of `NodeConfig::new`, at which messages are read.
fn narrow(seed: u64, set: impl Fn(&mut NodeConfig)) -> World {
    let mut world = World::with(seed, |config| {
        config.lend_messages = false;
        config.receive_window_min = WINDOW;
        config.send_queue_bytes_max = 8 << 20;
        set(config);
    });
    world.connect();
    world
}

fn open(world: &mut World, capabilities: Capabilities) -> (ChannelHandle, ChannelHandle) {
    let before = world.ends[1].events.len();
    let channel = world.open(0, capabilities);
    world.run(SECOND);
    let opened = world.ends[1].events[before..].iter().find_map(|event| {
        let Event::ChannelOpened { channel, by_peer: true, .. } = event else { return None };
        Some(*channel)
    });
    (channel, opened.expect("the peer heard of it"))
}

/// Reads one message, if there is one.
fn read(world: &mut World, channel: ChannelHandle) -> Option<Vec<u8>> {
    let mut out = vec![0; 2 << 20];
    let read = world.with_connection(1, |connection, shared, now| {
        connection.receive(shared, now, channel, &mut out)
    });
    out.truncate(read.ok()?.len);
    Some(out)
}

fn held(world: &mut World) -> u64 {
    world.connection(1).intake.credit.held()
}

/// What each message is: its number, and bytes that follow from it.
fn message(number: u32, len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..len).map(|at| (at as u32 ^ number) as u8).collect();
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn number_of(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

// spec: 11.3 receiving, 11.4 zero windows
#[test]
fn a_reader_that_does_not_read_stops_its_channel_only() {
    let mut world = narrow(300, |_| ());
    let (channel, accepted) = open(&mut world, RELIABLE);
    let (other, other_accepted) = open(&mut world, RELIABLE);
    for number in 0..200 {
        assert_eq!(world.send_message(0, channel, &message(number, 5_000)), Ok(()));
    }
    world.run(SECOND);
    let most = WINDOW as u64;
    assert!((most - 5_032..=most).contains(&held(&mut world)), "the window is used, and holds");
    assert_eq!(world.send_message(0, other, b"quick"), Ok(()));
    world.run(SECOND);
    assert_eq!(read(&mut world, other_accepted), Some(b"quick".to_vec()));
    for number in 0..200 {
        assert_eq!(read(&mut world, accepted), Some(message(number, 5_000)), "{number}");
        world.run(3 * DELAY);
    }
    assert_eq!(held(&mut world), 0);
    assert_eq!(world.connection_end(1), None);
}

// spec: 11.3 receiving, 10.2 reassembly
#[test]
fn a_message_much_larger_than_the_window_arrives_whole_in_every_mode() {
    for mode in 0..8 {
        let mut world = narrow(310 + u64::from(mode), |_| ());
        let (channel, accepted) = open(&mut world, Capabilities(mode));
        let large = message(7, 1 << 20);
        assert_eq!(world.send_message(0, channel, &large), Ok(()));
        world.run(5 * SECOND);
        assert!(read(&mut world, accepted) == Some(large), "mode {mode:03b}");
        assert_eq!(held(&mut world), 0);
        assert_eq!(world.ends[1].shared.unfinished_bytes, 0);
    }
}

// spec: 10.2 reassembly, 10.3 modes
#[test]
fn each_mode_delivers_what_its_row_allows_under_loss_and_reordering() {
    const COUNT: u32 = 150;
    for mode in 0..8 {
        let capabilities = Capabilities(mode);
        let mut world = World::with(320 + u64::from(mode), |config| {
            config.receive_window_min = WINDOW;
        });
        world.connect();
        let channel = world.open(0, capabilities);
        world.run(SECOND);
        let accepted = world.accepted(1);
        let closes = capabilities.has(Capabilities::CLOSE_ON_LOSS);
        let resends = capabilities.has(Capabilities::RESEND);
        world.loss = if resends || !closes { 100 } else { 0 };
        world.jitter = DELAY;
        for number in 0..COUNT {
            let len = if number % 10 == 0 { 6_000 } else { 40 };
            assert_eq!(world.send_message(0, channel, &message(number, len)), Ok(()));
            world.run(Duration::from_millis(2));
        }
        world.run(20 * SECOND);
        let mut came: Vec<u32> = Vec::new();
        for (_, bytes) in &world.ends[1].messages {
            let number = number_of(bytes);
            assert!(*bytes == message(number, bytes.len()), "mode {mode:03b}: {number} is intact");
            came.push(number);
        }
        let kept = drain(&mut world, accepted);
        came.extend(kept.iter().map(|bytes| number_of(bytes)));
        if capabilities.has(Capabilities::ORDERED) {
            assert!(came.is_sorted(), "mode {mode:03b}: in order");
        }
        came.sort_unstable();
        let all: Vec<u32> = (0..COUNT).collect();
        let mut once = came.clone();
        once.dedup();
        assert_eq!(once, came, "mode {mode:03b}: each once");
        if resends || closes {
            assert_eq!(came, all, "mode {mode:03b}: all");
        } else {
            // How many are late by jitter, and dropped where order counts, is up to the pacing.
            assert!(came.len() > 60, "mode {mode:03b}: {}", came.len());
            let skipped = skipped(&world);
            assert_eq!(came.len() as u64 + skipped, u64::from(COUNT), "mode {mode:03b}");
        }
    }
}

fn drain(world: &mut World, channel: ChannelHandle) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| read(world, channel)).collect()
}

/// How many messages were told to end 1 as skipped.
fn skipped(world: &World) -> u64 {
    let counts = world.ends[1].events.iter().filter_map(|event| {
        let Event::MessagesSkipped { count, .. } = event else { return None };
        Some(*count)
    });
    counts.sum()
}

// spec: 11.3 receiving
#[test]
fn windows_grow_with_the_path_inside_the_budgets() {
    let run = |seed, set: fn(&mut NodeConfig)| {
        let mut world = World::with(seed, |config| {
            config.receive_window_min = WINDOW;
            config.message_bytes_max = 64 << 10;
            set(config);
        });
        world.connect();
        let channel = world.open(0, RELIABLE);
        world.run(SECOND);
        for _ in 0..150 {
            while world.send_message(0, channel, &[1; 20_000]).is_ok() {}
            world.run(DELAY);
        }
        let grown = world.ends[1].shared.grown_windows;
        let window = u64::from(world.connection(1).intake.credit.window());
        assert_eq!(grown, window - u64::from(world.connection(1).first_window));
        let reason = CloseReason::default();
        world.with_connection(1, |connection, shared, now| connection.close(shared, now, reason));
        world.run(20 * SECOND);
        assert_eq!(world.ends[1].shared.grown_windows, 0, "given back");
        (world.ends[1].messages.len(), window)
    };
    let (many, window) = run(330, |_| ());
    assert!(window >= 1 << 20, "{window}");
    // 256 KiB each 20 ms, and no more.
    let (few, window) = run(331, |config| config.connection_receive_bytes_max = 256 << 10);
    assert_eq!(window, 256 << 10);
    assert!(few < many, "{few} of {many}");
    let (_, window) = run(332, |config| {
        config.connection_receive_bytes_max = 256 << 10;
        config.node_receive_bytes_max = 256 << 10;
        config.connection_receive_bytes_max = 16 << 20;
    });
    assert_eq!(window, 256 << 10, "the node has no more");
}

// spec: 9.5 reset, 11.3 receiving
#[test]
fn resets_and_refusals_give_the_connections_credit_back() {
    for refuses in [false, true] {
        let mut world = narrow(340, |config| config.channels_max = 50);
        if refuses {
            world.ends[1].shared.config.channels_max = 0;
        }
        for round in 0..30 {
            let channel = world.open(0, RELIABLE);
            for _ in 0..4 {
                assert_eq!(world.send_message(0, channel, &[1; 10_000]), Ok(()));
            }
            world.run(SECOND);
            if !refuses {
                let end = round % 2;
                let theirs: Vec<_> =
                    world.ends[end].shared.channels.handles().map(ChannelHandle).collect();
                for handle in theirs {
                    let reset = world.with_connection(end, |connection, shared, now| {
                        connection.reset_channel(shared, now, handle, CloseReason::default())
                    });
                    assert_eq!(reset, Ok(()));
                }
                world.run(SECOND);
            }
            assert_eq!(world.ends[0].shared.channels.len(), 0, "round {round}");
        }
        assert_eq!(held(&mut world), 0);
        let received = world.connection(1).intake.credit.received();
        assert!(received > 30 * 10_032, "more than one window went through: {received}");
        world.ends[1].shared.config.channels_max = 50;
        let (channel, accepted) = open(&mut world, RELIABLE);
        assert_eq!(world.send_message(0, channel, b"goes on"), Ok(()));
        world.run(SECOND);
        assert_eq!(read(&mut world, accepted), Some(b"goes on".to_vec()));
    }
}

// spec: 11.3 receiving
#[test]
fn a_sender_that_ignores_limits_ends_the_connection() {
    let mut world = narrow(350, |_| ());
    let (channel, _) = open(&mut world, RELIABLE);
    let established = world.connection(0).established.as_mut().expect("it lives");
    established.flow = super::super::established::Flow::new(u64::MAX);
    let ours = world.ends[0].shared.channels.get_mut(channel.0).expect("ours");
    ours.sending.reset_limit(u64::MAX);
    for number in 0..20 {
        assert_eq!(world.send_message(0, channel, &message(number, 5_000)), Ok(()));
    }
    world.run(SECOND);
    let said = world.ends[1].events.iter().find_map(|event| {
        let Event::ConnectionClosed { reason, said, .. } = event else { return None };
        said.as_ref().map(|said| (*reason, said.code))
    });
    assert_eq!(said, Some((Error::Protocol, ConnectionCode::FlowControl.code())));
}

// spec: 11.3 receiving
#[test]
fn unfinished_messages_over_the_budget_cost_the_largest_channel() {
    let mut world = narrow(360, |config| {
        config.message_bytes_max = 400_000;
        config.connection_receive_bytes_max = 400_000;
    });
    let (first, _) = open(&mut world, Capabilities::RESEND);
    let (second, second_accepted) = open(&mut world, Capabilities::RESEND);
    assert_eq!(world.send_message(0, first, &message(1, 300_000)), Ok(()));
    assert_eq!(world.send_message(0, second, &message(2, 290_000)), Ok(()));
    world.run(5 * SECOND);
    let ends = [first, second].map(|channel| world.channel_end(0, channel));
    assert!(ends.contains(&Some(Error::Limit)) && ends.contains(&None), "one of them: {ends:?}");
    if ends[1].is_none() {
        assert!(read(&mut world, second_accepted) == Some(message(2, 290_000)));
    }
    assert_eq!(world.ends[1].shared.unfinished_bytes, 0);
    assert_eq!(world.connection_end(1), None);
}

// spec: 11.3 receiving
#[test]
fn a_window_goes_back_as_it_is_used_while_the_node_is_short() {
    let mut world = narrow(390, |_| ());
    let (channel, accepted) = open(&mut world, RELIABLE);
    for _ in 0..60 {
        while world.send_message(0, channel, &[1; 20_000]).is_ok() {}
        world.run(DELAY);
        while read(&mut world, accepted).is_some() {}
    }
    let grown = world.ends[1].shared.grown_windows;
    assert!(grown > 100_000, "{grown}");
    let slow = |world: &mut World| {
        for _ in 0..100 {
            while read(world, accepted).is_some() {}
            world.run(SECOND / 20);
            let _full = world.send_message(0, channel, &[1; 5_000]);
        }
        world.ends[1].shared.grown_windows
    };
    assert_eq!(slow(&mut world), grown, "nobody else wants it");
    // Others have the rest of the budget.
    let budget = world.ends[1].shared.config.node_receive_bytes_max as u64;
    world.ends[1].shared.first_windows += budget;
    while slow(&mut world) > 0 {
        assert!(world.now < Time::ZERO + 10_000 * SECOND, "it never goes back");
    }
    let connection = world.connection(1);
    assert_eq!(connection.intake.credit.window(), connection.first_window);
    assert_eq!(world.connection_end(0), None);
}

// spec: 11.3 receiving
#[test]
fn first_windows_count_for_the_node_and_are_smaller_when_it_has_given_many() {
    let usual = u64::from(4 * WINDOW as u32);
    for (given, first) in [(0, usual), (1 << 40, 4 * 1_232)] {
        let mut world = World::with(391, |config| {
            config.lend_messages = false;
            config.receive_window_min = WINDOW;
        });
        world.ends[1].shared.first_windows = given;
        world.connect();
        assert_eq!(u64::from(world.connection(1).first_window), first);
        let established = world.connection(0).established.as_ref().expect("it lives");
        assert_eq!(established.flow.limit(), first, "as the peer was told");
        assert_eq!(world.ends[1].shared.first_windows, given + first);
        let (channel, accepted) = open(&mut world, RELIABLE);
        assert_eq!(world.send_message(0, channel, &message(1, 50_000)), Ok(()));
        world.run(5 * SECOND);
        assert_eq!(read(&mut world, accepted), Some(message(1, 50_000)), "little by little");
        let reason = CloseReason::default();
        world.with_connection(1, |connection, shared, now| connection.close(shared, now, reason));
        world.run(20 * SECOND);
        assert_eq!(world.ends[1].shared.first_windows, given, "given back");
    }
}

// spec: 9.1 ids, 18.3 attacks on resources
#[test]
fn a_hundred_thousand_channels_at_once_stay_within_the_limit() {
    const MOST: u32 = 5_000;
    let mut world = World::with(370, |config| config.peer_channels_max = MOST as usize);
    world.connect();
    let mut payload = vec![0; 64];
    let mut result = Ok(());
    let mut taken = 0;
    for index in 0..100_000 {
        let new = ChannelNew {
            channel: ChannelNumber::new(Side::Initiator, index),
            capabilities: RELIABLE,
            limit: 1_000,
            priority: 3,
            weight: 16,
            label: Label::default(),
        };
        let mut writer = Writer::new(&mut payload);
        Frame::ChannelNew(new).encode(&mut writer).expect("there is room");
        let whole = 0..writer.position();
        let inbound = Inbound::not_lent(world.now, ChannelNumber::NONE, Place::Short);
        result = world.with_connection(1, |connection, shared, _| {
            let read = connection.handle_messages(shared, &inbound, &payload, whole);
            read.map(|_| ())
        });
        if result.is_err() {
            break;
        }
        taken += 1;
    }
    assert_eq!(taken, MOST);
    assert_eq!(
        result.map_err(|breach| breach.connection_code()),
        Err(ConnectionCode::ChannelLimit)
    );
    assert_eq!(world.ends[1].shared.channels.len(), MOST as usize);
}

// spec: 9.4 graceful close
#[test]
fn each_direction_ends_on_its_own_in_every_mode() {
    for mode in 0..8 {
        let mut world = World::with(380 + u64::from(mode), |config| config.half_close = true);
        world.connect();
        let channel = world.open(0, Capabilities(mode));
        assert_eq!(world.send_message(0, channel, &message(1, 3_000)), Ok(()));
        world
            .with_connection(0, |connection, shared, _| connection.close_channel(shared, channel))
            .expect("it is open");
        world.run(SECOND);
        let accepted = world.accepted(1);
        let finished = |event: &Event| matches!(event, Event::ChannelFinished { .. });
        assert_eq!(world.ends[1].messages.len(), 1, "mode {mode:03b}");
        assert!(world.ends[1].events.iter().any(finished), "mode {mode:03b}");
        assert_eq!(world.send_message(1, accepted, &message(2, 3_000)), Ok(()));
        world.run(SECOND);
        assert_eq!(world.ends[0].messages.len(), 1, "mode {mode:03b}");
        world
            .with_connection(1, |connection, shared, _| connection.close_channel(shared, accepted))
            .expect("it is open");
        world.run(SECOND);
        assert_eq!(world.channel_end(0, channel), Some(Error::Closed), "mode {mode:03b}");
        assert_eq!(world.channel_end(1, accepted), Some(Error::Closed), "mode {mode:03b}");
    }
}

fn read_orphan(shared: &mut Shared, channel: ChannelHandle) -> Option<Vec<u8>> {
    let mut out = [0; 100];
    let read = shared.receive_orphan(channel, &mut out);
    read.ok().map(|read| out[..read.len].to_vec())
}

// spec: 14.2 close
#[test]
fn what_was_not_read_when_the_peer_closed_still_can_be() {
    let mut world = narrow(390, |_| ());
    let (channel, accepted) = open(&mut world, RELIABLE);
    let (_, empty) = open(&mut world, RELIABLE);
    for text in [&b"one"[..], b"two"] {
        assert_eq!(world.send_message(0, channel, text), Ok(()));
    }
    let reason = CloseReason { code: 9, text: String::new() };
    world.with_connection(0, |connection, shared, now| connection.close(shared, now, reason));
    world.run(20 * SECOND);
    assert_eq!(world.connection_end(1), Some(Error::PeerClosed));
    assert_eq!(world.channel_end(1, empty), Some(Error::PeerClosed));
    assert_eq!(world.channel_end(1, accepted), None);
    assert!(world.is_gone(1));
    let shared = &mut world.ends[1].shared;
    assert!(shared.is_orphan(accepted));
    assert_eq!(read_orphan(shared, accepted), Some(b"one".to_vec()));
    assert_eq!(read_orphan(shared, accepted), Some(b"two".to_vec()));
    assert_eq!((shared.channels.len(), shared.stats.channels), (0, 0));
    assert_eq!(shared.stats.receive_queue_bytes, 0);
    world.ends[1].take_notices(world.now);
    assert_eq!(world.channel_end(1, accepted), Some(Error::PeerClosed));
}

// spec: 14.2 close
#[test]
fn what_nobody_reads_of_a_connection_long_gone_gives_way_to_new_channels() {
    let mut world = narrow(391, |config| config.channels_max = 2);
    for _ in 0..2 {
        let (channel, _) = open(&mut world, RELIABLE);
        assert_eq!(world.send_message(0, channel, b"one"), Ok(()));
    }
    world.run(SECOND);
    let (now, shared) = (world.now, &mut world.ends[1].shared);
    assert!(!shared.has_channel_room(), "who has a connection stays");
    assert_eq!(shared.stats.receive_queue_bytes, 6);
    let reason = CloseReason::default();
    world.with_connection(0, |connection, shared, now| connection.close(shared, now, reason));
    world.run(20 * SECOND);
    assert!(world.is_gone(1) && world.now > now);
    let shared = &mut world.ends[1].shared;
    assert!(shared.channels.len() == 2 && shared.has_channel_room());
    assert_eq!((shared.channels.len(), shared.stats.receive_queue_bytes), (1, 3));
}

// spec: 9.4 graceful close, 11.3 receiving
#[test]
fn what_a_close_counts_raises_the_limit_of_the_connection() {
    let mut world = narrow(392, |_| ());
    let connection = world.connection(1);
    let before = connection.intake.credit.limit();
    let position = WINDOW as u64;
    for index in 0..2 {
        let channel = ChannelNumber::new(Side::Initiator, index);
        let label = Label::new(b"").expect("it is short");
        let frames = [
            Frame::ChannelNew(ChannelNew {
                channel,
                capabilities: Capabilities(0),
                limit: 0,
                priority: 0,
                weight: 1,
                label,
            }),
            Frame::DataSkip(DataSkip { channel, number: 1, position: 32 }),
            Frame::ChannelClose(ChannelClose { channel, count: 1, position }),
        ];
        let mut payload = [0; 100];
        let mut writer = Writer::new(&mut payload);
        frames.iter().for_each(|frame| frame.encode(&mut writer).expect("there is room"));
        let whole = 0..writer.position();
        let inbound = Inbound::not_lent(world.now, ChannelNumber::NONE, Place::Short);
        let read = world.with_connection(1, |connection, shared, _| {
            connection.handle_messages(shared, &inbound, &payload, whole).is_ok()
        });
        assert!(read);
    }
    world.drain(1);
    let credit = &world.connection(1).intake.credit;
    assert_eq!(credit.received(), 2 * position);
    assert!(credit.limit() >= before + position, "{credit:?}");
}
