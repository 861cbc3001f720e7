//! Aim: whole connections with `bbr2`, the default, keep to what their link is: its rate as it
//! changes, its clumps of acknowledgements, its policer, its losses.
//! Method: one reliable ordered channel that always has something to send, over 25 Mbit/s and 50
//! ms with a queue of one round trip; message bytes that arrive are counted.

use std::time::Duration;

use channeler::config::{ChannelConfig, Congestion, NodeConfig};
use channeler::id::{Capabilities, ChannelHandle};
use channeler::io::Event;
use channeler::sim::{Link, Policer, World};

const RATE: u64 = 3_125_000;
const ROUND_TRIP: Duration = Duration::from_millis(50);

// spec: 13.5 congestion control
#[test]
fn rate_is_followed_down_and_up() {
    let mut bulk = Bulk::new(link(RATE), |_| {});
    bulk.run(4);
    assert!(bulk.share(4, RATE) >= 88, "at first");
    bulk.set(link(RATE / 4));
    bulk.run(5);
    assert!(bulk.share(8, RATE / 4) >= 80, "a quarter");
    bulk.set(link(RATE));
    bulk.run(8);
    assert!(bulk.share(8, RATE) >= 80, "all again");
}

// spec: 13.5 congestion control
#[test]
fn acknowledgements_in_clumps_do_not_empty_the_link() {
    let mut bulk = Bulk::new(link(RATE), |_| {});
    let (us, them) = (bulk.world.address(0), bulk.world.address(1));
    let back = Link { gather: Duration::from_millis(30), ..Link::with_delay(ROUND_TRIP / 2) };
    bulk.world.network.set_link(them, us, back);
    bulk.run(4);
    assert!(bulk.share(8, RATE) >= 80);
}

// spec: 13.5 congestion control
#[test]
fn policer_is_obeyed() {
    let policer = Some(Policer { rate: RATE, burst_bytes: 80_000 });
    let mut bulk = Bulk::new(Link { policer, ..link(4 * RATE) }, |_| {});
    bulk.run(8);
    assert!(bulk.share(10, RATE) >= 65);
}

// spec: 13.5 congestion control
#[test]
fn loss_costs_what_it_must_and_less_on_a_link_known_to_lose() {
    let share = |loss: f64, tolerance: u8| {
        let mut bulk = Bulk::new(Link { loss, ..link(RATE) }, |config| {
            config.loss_tolerance_percent = tolerance;
        });
        bulk.run(3);
        bulk.share(10, RATE)
    };
    let (one, tolerant, twenty) = (share(0.01, 2), share(0.05, 10), share(0.2, 2));
    assert!(one >= 70 && tolerant >= 75 && twenty >= 1, "{one} %, {tolerant} %, {twenty} %");
}

/// A transfer without end.
struct Bulk {
    world: World,
    channel: ChannelHandle,
    arrived: u64,
}

impl Bulk {
    fn new(link: Link, change: impl Fn(&mut NodeConfig)) -> Bulk {
        let mut world = World::new(3);
        for _ in 0..2 {
            world.add(|config| {
                assert_eq!(config.congestion, Congestion::Bbr2);
                config.lend_messages = true;
                config.segments_max = 16;
                change(config);
            });
        }
        let (us, them) = (world.address(0), world.address(1));
        world.network.set_link(us, them, link);
        world.network.set_link(them, us, Link::with_delay(ROUND_TRIP / 2));
        let connection = world.connect(0, 1).expect("room");
        let capabilities = Capabilities::KNOWN;
        let config = ChannelConfig { capabilities, ..ChannelConfig::default() };
        let channel = world.with(0, |node, now| node.open_channel(now, connection, &config));
        Bulk { world, channel: channel.expect("room"), arrived: 0 }
    }

    fn set(&mut self, link: Link) {
        let (us, them) = (self.world.address(0), self.world.address(1));
        self.world.network.set_link(us, them, link);
    }

    /// Message bytes that arrive in so many seconds, in per cent of a rate.
    fn share(&mut self, seconds: u64, rate: u64) -> u64 {
        let before = self.arrived;
        self.run(seconds);
        (self.arrived - before) * 100 / (rate * seconds)
    }

    fn run(&mut self, seconds: u64) {
        let world = &mut self.world;
        let end = world.now() + Duration::from_secs(seconds);
        while world.now() < end {
            while world.send(0, self.channel, &[7; 16_000]).is_ok() {}
            let is_writable = |world: &World| {
                world.events(0).iter().any(|it| matches!(it.event, Event::Writable { .. }))
            };
            while world.step(end) && !is_writable(world) {}
            drop(world.take_events(0));
            for happened in world.take_events(1) {
                if let Event::Message { .. } = happened.event {
                    self.arrived += happened.bytes.len() as u64;
                } else if let Event::Readable { channel, .. } = happened.event {
                    let read = world.receive_all(1, channel);
                    self.arrived += read.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
                }
            }
        }
    }
}

fn link(rate: u64) -> Link {
    Link::rated(rate, ROUND_TRIP / 2)
}
