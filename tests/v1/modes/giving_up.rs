//! Limits of resending and lifetimes: what is given up is reported, skipped, or ends the channel.

use std::time::Duration;

use channeler::config::ChannelConfig;
use channeler::error::Error;
use channeler::id::Capabilities;
use channeler::node::Node;
use channeler::sim::Link;

use super::traffic::Traffic;
use super::{MODES, closes, resends};
use crate::tools::{MILLI, SECOND, two_nodes};

const SIZES: [usize; 40] = [3_000; 40];

// spec: 10.4 giving up, 10.5 skipping
#[test]
fn a_resend_limit_gives_up_what_is_lost_once_too_often() {
    for limit in [0, 1, 3] {
        let lanes = reliable().map(|capabilities| ChannelConfig {
            capabilities,
            resend_limit: limit,
            ..ChannelConfig::default()
        });
        let mut traffic = run(limit.into(), 0.3, lanes);
        traffic.check();
        let lost = given_up(&mut traffic, Error::Lost);
        assert!(limit == 3 || lost > 0, "a limit of {limit} gave up {lost}");
    }
}

// spec: 10.4 giving up
#[test]
fn the_accepting_side_gives_up_by_limits_of_its_own() {
    for (limit, gives_up) in [(u32::MAX, false), (0, true)] {
        let mut world = two_nodes();
        let connection = world.connect(0, 1).expect("room");
        let capabilities = Capabilities::RESEND;
        let config = ChannelConfig { capabilities, ..ChannelConfig::default() };
        let open = |node: &mut Node, now| node.open_channel(now, connection, &config);
        world.with(0, open).expect("room");
        world.run_for(SECOND);
        let accepted = world.opened(1, 0)[0].1;
        let set = |node: &mut Node, _| node.set_channel_limits(accepted, limit, Duration::ZERO);
        assert_eq!(world.with(1, set), Ok(()));
        world.network.set_all(Link { loss: 0.3, ..Link::with_delay(20 * MILLI) });
        for _ in 0..40 {
            world.send(1, accepted, &[7; 1_000]).expect("room");
            world.run_for(20 * MILLI);
        }
        world.run_for(20 * SECOND);
        let lost = world.node(1).channel_stats(accepted).expect("it lives").messages_lost;
        assert_eq!(lost > 0, gives_up, "{lost} with a limit of {limit}");
    }
}

// spec: 10.4 giving up
#[test]
fn limits_of_resends_are_for_channels_that_resend() {
    let mut world = two_nodes();
    let pair = world.establish(0, 1);
    let set = |limit, lifetime| {
        move |node: &mut Node, _| node.set_channel_limits(pair.peer_channel, limit, lifetime)
    };
    assert_eq!(world.with(1, set(0, Duration::ZERO)), Err(Error::InvalidArgument));
    assert_eq!(world.with(1, set(u32::MAX, SECOND)), Ok(()));
    assert_eq!(world.with(0, set(u32::MAX, SECOND)), Err(Error::InvalidChannelId));
}

// spec: 10.4 giving up
#[test]
fn a_message_that_outlives_its_lifetime_is_given_up_as_expired() {
    for (lifetime, loss) in [(30 * MILLI, 0.3), (500 * MILLI, 0.3), (MILLI / 10, 0.0)] {
        let lanes = MODES.into_iter().map(|capabilities| ChannelConfig {
            capabilities,
            message_lifetime: lifetime,
            ..ChannelConfig::default()
        });
        let mut traffic = run(lifetime.as_micros() as u64, loss, lanes);
        traffic.check();
        let expired = given_up(&mut traffic, Error::Expired);
        assert!(expired > 0, "after {lifetime:?} at {loss}");
    }
}

// spec: 10.4 giving up
#[test]
fn a_lifetime_longer_than_it_takes_loses_nothing() {
    let lanes = reliable().map(|capabilities| ChannelConfig {
        capabilities,
        message_lifetime: 1_000 * SECOND,
        ..ChannelConfig::default()
    });
    let mut traffic = run(9, 0.1, lanes);
    traffic.check();
    assert_eq!(given_up(&mut traffic, Error::Expired) + given_up(&mut traffic, Error::Lost), 0);
}

fn reliable() -> impl Iterator<Item = Capabilities> {
    MODES.into_iter().filter(|mode| resends(*mode))
}

fn run(seed: u64, loss: f64, lanes: impl Iterator<Item = ChannelConfig>) -> Traffic {
    let link = Link { jitter: 5 * MILLI, ..Link::lossy(20 * MILLI, loss) };
    let mut traffic = Traffic::new(seed, &link, lanes, &SIZES, |_| ());
    traffic.run();
    traffic
}

/// How many messages were reported as given up for `why`. Every channel of a mode that closes on
/// loss ended by its first.
fn given_up(traffic: &mut Traffic, why: Error) -> usize {
    let mut count = 0;
    for lane in &traffic.lanes {
        for way in &lane.ways {
            let lost = way.lost.values().filter(|reason| **reason == why).count();
            let is_fatal = lost > 0 && closes(lane.config.capabilities);
            let is_ended = way.ended == Some(why) || way.ended == Some(Error::Lost);
            assert!(!is_fatal || is_ended, "{:?}: {:?}", lane.config, way.ended);
            count += lost;
        }
    }
    let idle = Duration::from_secs(1);
    traffic.world.run_for(idle);
    for node in 0..2 {
        let stats = traffic.world.node(node).stats();
        assert_eq!((stats.send_queue_bytes, stats.receive_queue_bytes), (0, 0));
    }
    count
}
