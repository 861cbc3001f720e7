//! A connection's life: keys, tokens, tickets, acknowledgements, and its ends.

use std::time::Duration;

use super::super::Notice;
use super::world::{DELAY, World, address};
use crate::config::SendOptions;
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, PathId};
use crate::info::CloseReason;
use crate::io::Event;
use crate::stats::DropReason;
use crate::wire::codes::ConnectionCode;
use crate::wire::frame::{Frame, PathAbandon};

const SECOND: Duration = Duration::from_secs(1);
const NONE: Capabilities = Capabilities(0);

fn epochs(world: &mut World, end: usize) -> (u32, u32) {
    let established = world.connection(end).established.as_ref().expect("it lives");
    (established.epochs.send_epoch(), established.epochs.receive_epoch())
}

/// An opened channel over which `count` messages go from end 0 to end 1.
fn chat(world: &mut World, channel: ChannelHandle, count: usize) {
    for _ in 0..count {
        assert_eq!(world.send_message(0, channel, &[7; 1000]), Ok(()));
        world.run(DELAY / 10);
    }
}

// spec: 7.7 confirmed
#[test]
fn both_sides_are_confirmed_and_report_it_once() {
    let mut world = World::connected(30);
    for end in 0..2 {
        let connected = |event: &&Event| matches!(event, Event::Connected { .. });
        assert_eq!(world.ends[end].events.iter().filter(connected).count(), 1);
        let peer = world.ends[1 - end].shared.config.peer_id;
        assert_eq!(world.connection(end).peer, Some(peer));
    }
}

// spec: 7.7 confirmed
#[test]
fn what_an_initiator_sends_while_the_responder_decides_arrives_afterwards() {
    let mut world = World::new(31);
    world.ends[1].accepts = false;
    world.dial();
    let channel = world.open(0, NONE);
    assert_eq!(world.send_message(0, channel, b"early bird"), Ok(()));
    world.run(SECOND);
    assert!(world.connection(0).is_complete() && !world.connection(1).is_complete());
    assert!(world.texts(1).is_empty());
    world.with_connection(1, |connection, shared, now| connection.accept(shared, now)).expect("ok");
    world.run(SECOND);
    // It was kept, so that it could not be lent.
    let accepted = world.accepted(1);
    let mut out = [0; 32];
    let read = world.with_connection(1, |connection, shared, now| {
        connection.receive(shared, now, accepted, &mut out)
    });
    assert_eq!(read.map(|read| &out[..read.len]), Ok(&b"early bird"[..]));
}

// spec: 6.7 key update
#[test]
fn keys_are_updated_under_reordering_and_loss_without_losing_the_connection() {
    for seed in 0..4 {
        let mut world = World::connected(40 + seed);
        let channel = world.open(0, NONE);
        world.run(SECOND);
        (world.jitter, world.loss) = (DELAY, 50);
        for round in 1..=5_u32 {
            world
                .with_connection((round % 2) as usize, |connection, shared, _| {
                    connection.update_keys(shared)
                })
                .expect("it lives");
            chat(&mut world, channel, 200);
            world.run(SECOND);
            assert_eq!(
                (epochs(&mut world, 0), epochs(&mut world, 1)),
                ((round, round), (round, round))
            );
        }
        assert!(world.ends[1].messages.len() > 850, "{}", world.ends[1].messages.len());
        let dropped = world.ends[1].shared.stats.dropped(DropReason::NotOpened);
        assert_eq!(dropped, 0, "late packets of the last epoch opened");
    }
}

// spec: 5.6 replay
#[test]
fn copies_of_packets_are_dropped_and_counted() {
    let mut world = World::connected(50);
    let channel = world.open(0, NONE);
    world.run(SECOND);
    assert_eq!(world.send_message(0, channel, b"once"), Ok(()));
    let (now, end) = (world.now, &mut world.ends[0]);
    let mut buffer = Vec::new();
    let connection = end.connection.as_mut().expect("it lives");
    let transmit = connection.poll_transmit(&mut end.shared, now, &mut buffer).expect("one");
    for _ in 0..3 {
        world.deliver(1, buffer[..transmit.len].to_vec());
    }
    assert_eq!(world.texts(1), ["once"]);
    assert_eq!(world.ends[1].shared.stats.dropped(DropReason::Replayed), 2);
}

// spec: 5.4 receiving
#[test]
fn changed_packets_do_not_open_whatever_is_changed() {
    let mut world = World::connected(51);
    let channel = world.open(0, NONE);
    world.run(SECOND);
    assert_eq!(world.send_message(0, channel, b"unchanged"), Ok(()));
    let (now, end) = (world.now, &mut world.ends[0]);
    let mut buffer = Vec::new();
    let connection = end.connection.as_mut().expect("it lives");
    let transmit = connection.poll_transmit(&mut end.shared, now, &mut buffer).expect("one");
    let packet = buffer[..transmit.len].to_vec();
    for at in 0..packet.len() {
        for bit in 0..8 {
            let mut changed = packet.clone();
            changed[at] ^= 1 << bit;
            // The spin bit is the one that the network may see and change, and even that is sealed.
            world.deliver(1, changed);
        }
        world.deliver(1, packet[..at].to_vec());
    }
    assert!(world.texts(1).is_empty() && world.connection_end(1).is_none());
    world.deliver(1, packet);
    assert_eq!(world.texts(1), ["unchanged"]);
}

// spec: 12.2 tokens, 8.17 NEW_TOKEN
#[test]
fn tokens_for_two_paths_of_each_parity_are_issued_and_arrive() {
    let mut world = World::connected(52);
    world.run(SECOND);
    for end in 0..2 {
        let mut paths: Vec<u32> = world.ends[end].tokens.values().map(|path| path.0).collect();
        paths.sort_unstable();
        assert_eq!(paths, [0, 1, 2, 3, 4]);
        let established = world.connection(end).established.as_ref().expect("it lives");
        assert!((1..5).all(|path| established.tokens.is_acked(PathId(path))));
    }
}

// spec: 12.10 abandoning
#[test]
fn an_abandoned_path_loses_its_tokens_and_another_takes_its_place() {
    let mut world = World::connected(53);
    world.run(SECOND);
    world.with_connection(0, |connection, shared, now| {
        let abandoned =
            connection.abandon_path(shared, now, PathId(4), crate::wire::codes::PathCode::None);
        assert!(abandoned.is_ok());
    });
    world.run(SECOND * 3);
    for end in 0..2 {
        let mut paths: Vec<u32> = world.ends[end].tokens.values().map(|path| path.0).collect();
        paths.sort_unstable();
        assert_eq!(paths, [0, 1, 2, 3, 6], "end {end}");
    }
    assert_eq!(world.connection_end(0), None);
}

// spec: 8.20 PATH_ABANDON
#[test]
fn abandoning_the_only_path_ends_the_connection() {
    let mut world = World::connected(54);
    let abandon = Frame::PathAbandon(PathAbandon { path: PathId::ZERO, code: 0 });
    inject(&mut world, &abandon);
    assert_eq!(world.connection_end(1), Some(Error::Closed));
}

/// Has end 1 handle a message as if it had come in a packet of no channel, and runs on.
fn inject(world: &mut World, frame: &Frame<'_>) {
    use crate::id::ChannelNumber;
    use crate::wire::Writer;
    use crate::wire::frame::Place;
    let mut payload = vec![0; frame.encoded_len()];
    frame.encode(&mut Writer::new(&mut payload)).expect("there is room");
    world.with_connection(1, |connection, shared, now| {
        let inbound =
            super::super::inbound::Inbound::not_lent(now, ChannelNumber::NONE, Place::Short);
        let whole = 0..payload.len();
        if let Err(breach) = connection.handle_messages(shared, &inbound, &payload, whole) {
            connection.breach(shared, now, breach);
        }
    });
    world.run(SECOND);
}

// spec: 17.1 connection
#[test]
fn a_peer_that_breaks_a_rule_is_told_which() {
    use crate::id::{ChannelNumber, Token};
    use crate::wire::frame::{ChannelClose, ChannelLimit, Crypto, Data, NewToken};
    let theirs = ChannelNumber(8);
    let data = Data { number: 0, offset: 0, is_final: true, bytes: b"x" };
    let token = NewToken { path: PathId(2), token: Token([1; 8]), reset: [0; 16] };
    let cases = [
        // spec: 8.14 DATA
        (Frame::Data(data), ConnectionCode::Protocol),
        // spec: 8.11 CHANNEL_CLOSE, 9.1 ids
        (
            Frame::ChannelClose(ChannelClose { channel: theirs, count: 0, position: 0 }),
            ConnectionCode::ChannelState,
        ),
        // spec: 8.10 CHANNEL_ACCEPT
        (
            Frame::ChannelAccept(ChannelLimit { channel: theirs, limit: 1 }),
            ConnectionCode::ChannelState,
        ),
        // spec: 9.1 ids
        (
            Frame::MaxChannelData(ChannelLimit { channel: ChannelNumber(1 << 20), limit: 1 }),
            ConnectionCode::ChannelLimit,
        ),
        // spec: 8.6 CRYPTO: only from the responder
        (Frame::Crypto(Crypto { offset: 0, bytes: b"x" }), ConnectionCode::Protocol),
        // spec: 12.2 tokens: another one for a path that has one
        (Frame::NewToken(token), ConnectionCode::Protocol),
    ];
    for (index, (frame, code)) in cases.into_iter().enumerate() {
        let mut world = World::connected(60 + index as u64);
        inject(&mut world, &frame);
        let said = world.ends[0].events.iter().find_map(|event| {
            let Event::ConnectionClosed { said, .. } = event else { return None };
            said.as_ref().map(|said| said.code)
        });
        assert_eq!(said, Some(code.code()), "{frame:?}");
    }
}

// spec: 7.12 tickets
#[test]
fn two_tickets_come_in_short_packets_and_the_sessions_go() {
    let mut world = World::connected(70);
    world.run(SECOND);
    let (_, received) = world.ends[0].shared.tls.ticket_counts();
    assert_eq!(received, 2);
    for end in 0..2 {
        let established = world.connection(end).established.as_ref().expect("it lives");
        assert!(!established.tickets.is_receiving() && !established.tickets.is_waiting());
    }
}

// spec: 14.1 graceful end, 14.2 close
#[test]
fn a_graceful_end_delivers_what_was_sent_and_tells_the_peer() {
    let mut world = World::connected(71);
    let channel = world.open(0, NONE);
    for _ in 0..50 {
        assert_eq!(world.send_message(0, channel, &[1; 1000]), Ok(()));
    }
    let reason = CloseReason { code: 42, text: "done".into() };
    world.with_connection(0, |connection, shared, now| {
        connection.close(shared, now, reason.clone());
    });
    world.run(SECOND);
    assert_eq!(world.ends[1].messages.len(), 50);
    assert_eq!(world.connection_end(0), Some(Error::Closed));
    assert_eq!(world.connection_end(1), Some(Error::PeerClosed));
    let said = world.ends[1].events.iter().find_map(|event| {
        let Event::ConnectionClosed { said, .. } = event else { return None };
        said.as_deref().cloned()
    });
    assert_eq!(said, Some(reason));
    world.run(SECOND * 10);
    assert!(world.is_gone(0) && world.is_gone(1), "closing and draining end");
}

// spec: 14.1 graceful end
#[test]
fn a_graceful_end_does_not_wait_longer_than_its_deadline() {
    let mut world = World::connected(72);
    let channel = world.open(0, NONE);
    world.run(SECOND);
    world.loss = 1000;
    assert_eq!(world.send_message(0, channel, b"nobody hears"), Ok(()));
    let began = world.now;
    world.with_connection(0, |connection, shared, now| {
        connection.close(shared, now, CloseReason::default());
    });
    world.run(SECOND * 4);
    assert_eq!(world.connection_end(0), None);
    world.run(SECOND * 2);
    assert_eq!(world.connection_end(0), Some(Error::Closed));
    assert!(world.now.since(began) < SECOND * 7);
}

// spec: 14.2 close
#[test]
fn a_lost_close_is_repeated_for_what_still_comes_ever_more_rarely() {
    let mut world = World::connected(73);
    let channel = world.open(1, NONE);
    world.run(SECOND);
    let first = world.ends[0].sent.len();
    world.tap = Some(Box::new(move |from, index, _| {
        let is_lost = from == 0 && (first..first + 3).contains(&index);
        (!is_lost).then_some(Duration::ZERO)
    }));
    world.with_connection(0, |connection, shared, now| {
        connection.abort(shared, now, ConnectionCode::Refused, Error::Refused);
    });
    for _ in 0..8 {
        if world.connection_end(1).is_some() {
            break;
        }
        let _ = world.send_message(1, channel, b"are you there?");
        world.run(DELAY / 4);
    }
    world.run(DELAY * 3);
    assert_eq!(world.connection_end(1), Some(Error::Refused));
    assert!((4..=5).contains(&(world.ends[0].sent.len() - first)), "1, 2 and 4 packets later");
}

// spec: 14.4 idle timeout and keep-alive
#[test]
fn a_connection_without_packets_ends_silently_after_the_lower_timeout() {
    let mut world = World::with(74, |config| config.idle_timeout = SECOND * 20);
    world.ends[1].shared.config.idle_timeout = SECOND * 90;
    world.connect();
    let sent = [0, 1].map(|end| world.ends[end].sent.len());
    world.run(SECOND * 18);
    assert_eq!(world.connection_end(0), None);
    world.run(SECOND * 3);
    assert_eq!([0, 1].map(|end| world.connection_end(end)), [Some(Error::Idle); 2]);
    assert!(world.is_gone(0) && world.is_gone(1));
    assert_eq!([0, 1].map(|end| world.ends[end].sent.len()), sent, "nothing was said");
}

// spec: 14.4 idle timeout and keep-alive
#[test]
fn keep_alive_keeps_an_idle_connection() {
    let mut world = World::with(75, |config| {
        config.idle_timeout = SECOND * 20;
        config.keep_alive = SECOND * 5;
    });
    world.connect();
    world.run(SECOND * 120);
    assert_eq!([0, 1].map(|end| world.connection_end(end)), [None; 2]);
    assert!(world.ends[0].sent.len() < 120);
    // And it tells a dead peer from a silent one.
    world.loss = 1000;
    world.run(SECOND * 60);
    assert_eq!(world.connection_end(0), Some(Error::Idle));
}

// spec: 14.5 stateless reset: meaning
#[test]
fn a_stateless_reset_of_the_peer_ends_the_connection() {
    let mut world = World::connected(76);
    world.run(SECOND);
    let token = *world.ends[1].tokens.iter().find(|(_, path)| path.0 == 0).expect("path 0").0;
    let key = world.ends[1].shared.reset_key.as_ref().expect("it has one");
    let value = key.value(crate::id::Token(token));
    let connection = world.connection(0);
    assert!(connection.matches_reset(address(1), &value));
    assert!(!connection.matches_reset(address(0), &value), "from another address");
    assert!(!connection.matches_reset(address(1), &[0; 16]));
    world.with_connection(0, |connection, shared, now| connection.handle_reset(shared, now));
    assert_eq!(world.connection_end(0), Some(Error::Reset));
    world.run(SECOND * 3);
    assert!(world.is_gone(0));
}

// spec: 13.3 acknowledging
#[test]
fn a_drain_of_many_packets_is_acknowledged_once() {
    let mut world = World::connected(77);
    let channel = world.open(0, NONE);
    world.run(SECOND);
    let before = world.ends[1].sent.len();
    for _ in 0..10 {
        assert_eq!(world.send_message(0, channel, &[1; 1000]), Ok(()));
    }
    world.run(SECOND);
    assert!(world.ends[1].sent.len() - before <= 3, "{}", world.ends[1].sent.len() - before);
}

// spec: 13.4 PTO
#[test]
fn a_lost_tail_is_found_by_probes() {
    let mut world = World::connected(78);
    let channel = world.open(0, NONE);
    world.run(SECOND);
    let first = world.ends[0].sent.len();
    world.tap = Some(Box::new(move |from, index, _| {
        (from != 0 || index != first).then_some(Duration::ZERO)
    }));
    assert_eq!(world.send_message(0, channel, b"lost"), Ok(()));
    world.run(SECOND);
    let probes = world.ends[0].sent.len() - first - 1;
    assert!((1..=4).contains(&probes), "{probes}");
    let established = world.connection(0).established.as_ref().expect("it lives");
    assert!(!established.carriers.current().sent.is_asking(), "all is settled");
}

// spec: 13.5 congestion control
#[test]
fn nothing_leaves_past_the_congestion_window() {
    let mut world = World::connected(79);
    let channel = world.open(0, NONE);
    world.run(SECOND);
    let before = world.ends[0].sent.len();
    world.loss = 1000;
    for _ in 0..200 {
        assert_eq!(world.send_message(0, channel, &[1; 1100]), Ok(()));
    }
    world.run(DELAY);
    let bytes: usize = world.ends[0].sent[before..].iter().sum();
    let established = world.connection(0).established.as_ref().expect("it lives");
    let window = established.carriers.current().congestion.window() as usize;
    assert!(bytes <= window + 1232, "{bytes} of {window}");
    assert!(bytes > 5000, "and it was used: {bytes}");
}

// spec: 13.5 congestion control
#[test]
fn a_large_transfer_runs_at_the_speed_of_the_path() {
    let mut world = World::connected(80);
    let channel = world.open(0, NONE);
    world.run(SECOND);
    let mut sent = 0;
    for _ in 0..400 {
        while world.send_message(0, channel, &[1; 1100]).is_ok() {
            sent += 1;
        }
        world.run(DELAY);
    }
    world.run(SECOND);
    // 20 ms and no limit in the network: slow start leaves the queue the limit.
    assert_eq!(world.ends[1].messages.len(), sent);
    assert!(sent > 20_000, "{sent} in 4 seconds");
}

// spec: 3.4 identity checks
#[test]
fn a_refused_peer_is_told_and_both_forget() {
    let mut world = World::new(81);
    world.ends[1].accepts = false;
    world.dial();
    world.run(SECOND);
    world.with_connection(1, |connection, shared, now| {
        connection.refuse(shared, now, ConnectionCode::Refused);
    });
    world.run(SECOND);
    let failed = |notice: &Notice| matches!(notice, Notice::AttemptFailed { .. });
    let failed = world.ends[0].notices.iter().find(|notice| failed(notice));
    assert!(failed.is_some() || world.connection_end(0).is_some(), "{:?}", world.ends[0].notices);
    world.run(SECOND * 20);
    assert!(world.is_gone(1));
}

// spec: 12.1 path ids
#[test]
fn a_packet_on_another_path_opens_none_and_is_answered() {
    let mut world = World::connected(82);
    world.run(SECOND);
    let mut packet = vec![0; 64];
    let token = world.ends[1].tokens.iter().find(|(_, path)| path.0 == 2).expect("issued").0;
    packet[1..9].copy_from_slice(token);
    packet[14] = 1;
    let info = crate::crypto::SealInfo {
        channel: crate::id::ChannelNumber::NONE,
        path: PathId(2),
        number: 0,
        number_len: 1,
    };
    let established = world.ends[0].connection.as_mut().and_then(|c| c.established.as_mut());
    established.expect("it lives").epochs.seal(&info, &mut packet).expect("it fits");
    world.fly(1, DELAY, packet);
    world.run(SECOND * 3);
    for end in 0..2 {
        assert!(!world.ends[end].tokens.values().any(|path| path.0 == 2), "end {end}");
    }
    assert_eq!(world.connection_end(0), None);
}

// spec: 7.13 early data
#[test]
fn early_messages_arrive_a_round_trip_sooner_and_once() {
    for takes_early in [true, false] {
        let mut world = World::with(83, |config| config.early_data = takes_early);
        world.connect();
        world.run(SECOND);
        world = world.again();
        let began = world.now;
        world.dial();
        let channel = world.open(0, NONE);
        let sent = world.with_connection(0, |connection, shared, now| {
            let options = SendOptions { may_replay: true, ..SendOptions::default() };
            connection.send_with(shared, now, channel, b"safe to replay", &options)
        });
        assert_eq!(sent, Ok(()));
        assert_eq!(world.connection(0).has_sent_early(), takes_early);
        world.run(DELAY);
        assert_eq!(world.all_received(1).len(), usize::from(takes_early));
        world.run(SECOND);
        assert_eq!(world.all_received(1), [b"safe to replay"]);
        assert_eq!(world.now.since(began), SECOND + DELAY);
        let accepted = world.accepted(1);
        let channel = world.ends[1].shared.channel(accepted).expect("it is open");
        assert_eq!(channel.is_early, takes_early);
    }
}

// spec: 5.7 spin bit
#[test]
fn the_spin_bit_of_a_path_holds_one_value_and_connections_differ() {
    let mut values = Vec::new();
    for seed in 0..8 {
        let mut world = World::new(200 + seed);
        let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let heard = std::rc::Rc::clone(&seen);
        world.tap = Some(Box::new(move |from, _, bytes| {
            if from == 0 && bytes[0] >> 6 == 0b10 {
                heard.borrow_mut().push(bytes[0] & 0x20);
            }
            Some(Duration::ZERO)
        }));
        world.connect();
        let channel = world.open(0, NONE);
        chat(&mut world, channel, 5);
        let seen = seen.borrow();
        assert!(seen.len() > 5 && seen.iter().all(|bit| *bit == seen[0]));
        values.push(seen[0]);
    }
    assert!(values.contains(&0) && values.contains(&0x20));
}

// spec: 8.8 ACK_RATE
#[test]
fn a_sender_with_a_large_window_asks_for_fewer_acknowledgements_and_gets_them() {
    let mut world = World::connected(90);
    let channel = world.open(0, NONE);
    world.run(SECOND);
    for _ in 0..100 {
        while world.send_message(0, channel, &[1; 1100]).is_ok() {}
        world.run(DELAY);
    }
    let before = [0, 1].map(|end| world.ends[end].sent.len());
    for _ in 0..40 {
        while world.send_message(0, channel, &[1; 1100]).is_ok() {}
        world.run(DELAY);
    }
    let [data, acks] = [0, 1].map(|end| world.ends[end].sent.len() - before[end]);
    assert!(acks * 10 < data, "{acks} acknowledgements of {data} packets");
}

// spec: 11.1 charge, 11.2 sending
#[test]
fn the_connections_limit_holds_over_all_channels_and_counts_32_a_message() {
    let mut world = World::connected(91);
    let channels = [0, 1].map(|_| world.open(0, NONE));
    world.run(SECOND);
    let established = world.connection(0).established.as_mut().expect("it lives");
    established.flow = super::super::established::Flow::new(2 * 132);
    assert_eq!(world.send_message(0, channels[0], &[1; 100]), Ok(()));
    assert_eq!(world.send_message(0, channels[1], &[1; 100]), Ok(()));
    assert_eq!(world.send_message(0, channels[1], &[1; 1]), Ok(()));
    world.run(SECOND);
    assert_eq!(world.ends[1].messages.len(), 2, "the third waits");
    for (limit, received) in [(296, 2), (297, 3)] {
        world.with_connection(0, |connection, shared, _| {
            connection.handle_max_data(limit);
            connection.use_limits(shared);
        });
        world.run(SECOND);
        assert_eq!(world.ends[1].messages.len(), received);
    }
}
