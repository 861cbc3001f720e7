//! Peers that break rules or strain limits, and what is left of the connection.

use std::time::Duration;

use super::world::World;
use crate::error::Error;
use crate::id::{Capabilities, ChannelNumber, Side};
use crate::info::CloseReason;
use crate::io::{EcnMark, Event};
use crate::recovery::{ReceivedPacket, SentPacket};
use crate::wire::Writer;
use crate::wire::codes::ConnectionCode;
use crate::wire::frame::{Data, Frame, Place};

const SECOND: Duration = Duration::from_secs(1);
const NONE: Capabilities = Capabilities(0);

// spec: 7.13 early data, 8.1 form
#[test]
fn early_data_that_breaks_a_rule_ends_the_attempt_with_its_code() {
    let mut world = World::with(101, |config| config.early_data = true);
    world.connect();
    world.run(SECOND);
    world = world.again();
    world.dial();
    // DATA of a channel that was never opened.
    let data = Data { number: 0, offset: 0, is_final: true, bytes: b"x" };
    let mut payload = vec![0; 4 + Frame::Data(data).encoded_len()];
    Frame::Data(data).encode(&mut Writer::new(&mut payload[4..])).expect("room");
    let handshake = world.connection(0).handshake.as_mut().expect("it dials");
    assert_eq!(handshake.push_early(payload), Some(0));
    world.run(SECOND);
    let code = Some(ConnectionCode::ChannelState.code());
    let said = world.ends[0].events.iter().find_map(|event| {
        let Event::ConnectionClosed { said, .. } = event else { return None };
        said.as_ref().map(|said| said.code)
    });
    assert_eq!(said, code);
    assert_eq!(world.connection_end(1), Some(Error::Protocol));
    world.run(SECOND);
    assert!(world.is_gone(0) && world.is_gone(1));
}

// spec: 7.3 complete, handshake_timeout; 14.1 graceful end
#[test]
fn an_attempt_that_fails_while_its_connection_lingers_ends_it() {
    let mut world = World::with(102, |config| config.linger = 60 * SECOND);
    // The responder never hears that the initiator is complete.
    world.tap = Some(Box::new(|from, index, _| (from == 1 || index < 1).then_some(Duration::ZERO)));
    world.dial();
    let channel = world.open(0, NONE);
    assert_eq!(world.send_message(0, channel, b"waits"), Ok(()));
    world.run(SECOND);
    assert!(world.connection(0).is_complete() && !world.connection(0).is_confirmed());
    let reason = CloseReason { code: 7, text: String::new() };
    world.with_connection(0, |connection, shared, now| connection.close(shared, now, reason));
    world.run(15 * SECOND);
    assert_eq!(world.connection_end(0), Some(Error::Timeout));
    assert!(world.is_gone(0));
}

// spec: 6.8 limits of keys
#[test]
fn a_side_that_may_seal_nothing_waits_without_spinning() {
    use crate::crypto::{Epochs, Limits, Secrets, Suite};
    let mut world = World::with(103, |config| config.keep_alive = 2 * SECOND);
    world.connect();
    let channel = world.open(0, NONE);
    world.run(SECOND / 2);
    for (end, side) in [Side::Initiator, Side::Responder].into_iter().enumerate() {
        let suite = Suite::Aes256Gcm;
        let secrets = Secrets::from_bytes(suite, &[1; 48], &[2; 48]);
        let sealed_max = if end == 0 { u64::MAX } else { 0 };
        let limits = Limits { sealed_max, ..Limits::of(suite) };
        let epochs = Epochs::new(secrets, side, limits, 0);
        world.connection(end).established.as_mut().expect("it lives").epochs = epochs;
    }
    assert_eq!(world.send_message(0, channel, b"nobody can say that it came"), Ok(()));
    world.run(10 * SECOND);
    assert_eq!(world.ends[1].messages.len(), 1);
}

// spec: 8.13 MAX_CHANNELS, CHANNELS_BLOCKED
#[test]
fn limits_that_rise_often_in_one_packet_cost_no_walk_over_the_channels_each() {
    const CHANNELS: usize = 2_000;
    let mut world = World::with(104, |config| config.channels_per_connection_max = CHANNELS);
    world.connect();
    for _ in 0..CHANNELS {
        world.open(0, NONE);
    }
    let mut count = 100_000;
    let mut cost = |raises: u64| {
        let mut payload = vec![0; 6 * raises as usize];
        let mut writer = Writer::new(&mut payload);
        for _ in 0..raises {
            count += 1;
            Frame::MaxChannels { count }.encode(&mut writer).expect("there is room");
        }
        let inbound =
            super::super::inbound::Inbound::not_lent(world.now, ChannelNumber::NONE, Place::Short);
        world.with_connection(0, |connection, shared, _| {
            let began = std::time::Instant::now();
            let whole = 0..payload.len();
            let read = connection.handle_messages(shared, &inbound, &payload, whole);
            assert!(read.is_ok());
            began.elapsed()
        })
    };
    let many = (0..5).map(|_| cost(200)).min().expect("five times");
    let walk = world.with_connection(0, |connection, shared, _| {
        let began = std::time::Instant::now();
        let there =
            connection.registry.handles().filter(|one| shared.channels.get(one.0).is_some());
        assert_eq!(there.count(), CHANNELS);
        began.elapsed()
    });
    assert!(many < 20 * walk, "200 cost {many:?}, one walk {walk:?}");
}

// spec: 16.1 table
#[test]
fn a_peer_that_acknowledges_nothing_and_asks_for_much_gets_no_endless_record() {
    let mut world = World::connected(130);
    let mut buf = Vec::new();
    let sent = world.with_connection(0, |connection, shared, now| {
        connection.ping(shared);
        assert!(connection.poll_transmit(shared, now, &mut buf).is_some());
        let established = connection.established.as_mut().expect("it is there");
        let carrier = established.carriers.current_mut();
        while !carrier.sent.is_full() {
            carrier.sent.begin(&mut shared.rng);
            carrier.sent.finish(SentPacket { sent_at: now, ..SentPacket::default() });
        }
        let packet = ReceivedPacket {
            number: 1 << 20,
            mark: EcnMark::None,
            asks_for_ack: true,
            asks_at_once: true,
        };
        carrier.received.on_received(now, &packet);
        assert!(carrier.received.is_due(now));
        connection.poll_transmit(shared, now, &mut buf)
    });
    assert_eq!(sent, None);
}
