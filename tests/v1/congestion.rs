//! Aim: whole connections with `bbr2`, the default, keep to what their link is: its rate as it
//! changes, its clumps of acknowledgements, its policer, its losses, the others on it; and learn it
//! anew when it is another.
//! Method: reliable ordered channels that always have something to send, one in each connection,
//! over 25 Mbit/s and 50 ms with a queue of one round trip; message bytes that arrive are counted.

use std::net::SocketAddr;
use std::time::Duration;

use channeler::config::{ChannelConfig, Congestion, NodeConfig};
use channeler::id::{Capabilities, ChannelHandle, ConnectionHandle, PeerId};
use channeler::io::Event;
use channeler::node::Node;
use channeler::sim::{Counters, Link, Policer, World};

const RATE: u64 = 3_125_000;
const ROUND_TRIP: Duration = Duration::from_millis(50);
const BDP: usize = 156_250;

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

// spec: 13.5 congestion control
#[test]
fn two_to_eight_connections_share_fairly() {
    // Two take longer to meet: each probe moves their rates by little.
    for (count, seconds) in [(2, 75), (8, 30)] {
        let mut bulk = Bulk::of(&vec![Congestion::Bbr2; count], link(RATE), |_| {});
        bulk.run(15);
        let shares = bulk.shares(seconds, RATE);
        let sum: u64 = shares.iter().sum();
        let squares: u64 = shares.iter().map(|share| share * share).sum();
        let fairness = (sum * sum) as f64 / (count as u64 * squares) as f64;
        assert!(fairness > 0.95 && sum >= 880, "{count}: {fairness:.3}, {shares:?} per mille");
    }
}

// spec: 13.5 congestion control
#[test]
fn neither_starves_beside_cubic() {
    let orders = [[Congestion::Bbr2, Congestion::Cubic], [Congestion::Cubic, Congestion::Bbr2]];
    for (queue_bytes, controllers) in [BDP / 2, BDP, 2 * BDP].into_iter().zip(orders.iter().cycle())
    {
        let mut bulk = Bulk::of(controllers, Link { queue_bytes, ..link(RATE) }, |_| {});
        bulk.run(10);
        let shares = bulk.shares(30, RATE);
        let is_fair = shares.iter().all(|share| *share >= 150);
        assert!(is_fair, "{controllers:?}, {queue_bytes}: {shares:?} per mille");
    }
}

// spec: 13.5 congestion control
#[test]
fn after_silence_the_rate_is_as_before_and_the_queue_is_not_flooded() {
    let mut bulk = Bulk::new(link(RATE), |_| {});
    bulk.run(6);
    for silence in [1, 7, 20] {
        bulk.world.run_for(Duration::from_secs(silence));
        bulk.collect();
        let before = bulk.counters();
        bulk.run_for(4 * ROUND_TRIP);
        let dropped = bulk.counters().queue_full - before.queue_full;
        let share = bulk.share(1, RATE);
        assert!(share >= 85 && dropped <= 5, "{silence} s: {share} %, {dropped} dropped");
    }
}

// spec: 12.7 address changes, 13.5 congestion control
#[test]
fn rate_of_another_host_is_learnt_anew() {
    let mut bulk = Bulk::new(link(RATE), |_| {});
    bulk.run(6);
    let (us, them) = (bulk.world.address(0), bulk.world.address(1));
    let window = |bulk: &Bulk| {
        let stats = bulk.world.node(0).connection_stats(bulk.flows[0].connection);
        stats.expect("it lives").congestion_window_bytes
    };
    let before = window(&bulk);
    // The receiver moves to where a twentieth gets through: what was known of the rate would drop
    // most of what is sent.
    bulk.set(link(RATE / 20));
    bulk.world.network.rebind(them, SocketAddr::from(([10, 99, 0, 1], 40_404)), false);
    bulk.world.network.set_link(them, us, Link::with_delay(ROUND_TRIP / 2));
    let peer = bulk.flows[0].peer;
    bulk.world.send(1, peer, b"from elsewhere").expect("room");
    bulk.run_for(Duration::from_millis(200));
    let after = window(&bulk);
    assert!(after < before / 4, "{before} then {after}");
    let counters = bulk.counters();
    let share = bulk.share(10, RATE / 20);
    let now = bulk.counters();
    let dropped = (now.queue_full - counters.queue_full) * 100 / (now.sent - counters.sent);
    assert!(share >= 80 && dropped <= 4, "{share} %, {dropped} % dropped");
}

/// Transfers without end over one link: of node 0 to node 1, of 2 to 3, and so on.
struct Bulk {
    world: World,
    flows: Vec<Flow>,
}

/// One of them.
struct Flow {
    connection: ConnectionHandle,
    channel: ChannelHandle,
    /// The receiver's end of it, once it is known.
    peer: ChannelHandle,
    arrived: u64,
}

impl Bulk {
    fn new(link: Link, change: impl Fn(&mut NodeConfig)) -> Bulk {
        Bulk::of(&[NodeConfig::new(PeerId([1; 16])).congestion], link, change)
    }

    /// With these controllers, one starting after the other.
    fn of(controllers: &[Congestion], link: Link, change: impl Fn(&mut NodeConfig)) -> Bulk {
        let mut bulk = Bulk { world: World::new(3), flows: Vec::new() };
        for (index, congestion) in controllers.iter().enumerate() {
            for _ in 0..2 {
                bulk.world.add(|config| {
                    config.congestion = *congestion;
                    config.lend_messages = true;
                    config.segments_max = 16;
                    change(config);
                });
            }
            let [us, them, first, other] =
                [2 * index, 2 * index + 1, 0, 1].map(|node| bulk.world.address(node));
            let network = &mut bulk.world.network;
            match index {
                0 => network.set_link(us, them, link.clone()),
                _ => network.share_link((us, them), (first, other)),
            }
            network.set_link(them, us, Link::with_delay(ROUND_TRIP / 2));
            bulk.add(index);
            bulk.run_for(Duration::from_millis(700));
        }
        bulk
    }

    fn add(&mut self, index: usize) {
        let (sender, receiver) = (2 * index, 2 * index + 1);
        let connection = self.world.connect(sender, receiver).expect("room");
        let capabilities = Capabilities::KNOWN;
        let config = ChannelConfig { capabilities, ..ChannelConfig::default() };
        let open = |node: &mut Node, now| node.open_channel(now, connection, &config);
        let channel = self.world.with(sender, open).expect("room");
        assert!(
            self.world.run_until(Duration::from_secs(10), |world| {
                !world.opened(receiver, 0).is_empty()
            })
        );
        let (_, peer, _) = self.world.opened(receiver, 0)[0];
        self.flows.push(Flow { connection, channel, peer, arrived: 0 });
    }

    fn set(&mut self, link: Link) {
        let (us, them) = (self.world.address(0), self.world.address(1));
        self.world.network.set_link(us, them, link);
    }

    fn counters(&mut self) -> Counters {
        let (us, them) = (self.world.address(0), self.world.address(1));
        self.world.network.link_counters(us, them)
    }

    /// Message bytes that arrive in so many seconds, in per cent of a rate.
    fn share(&mut self, seconds: u64, rate: u64) -> u64 {
        self.shares(seconds, rate).iter().sum::<u64>() / 10
    }

    /// The same of each, in per mille.
    fn shares(&mut self, seconds: u64, rate: u64) -> Vec<u64> {
        let before: Vec<u64> = self.flows.iter().map(|flow| flow.arrived).collect();
        self.run(seconds);
        let arrived = self.flows.iter().zip(before).map(|(flow, before)| flow.arrived - before);
        arrived.map(|bytes| bytes * 1_000 / (rate * seconds)).collect()
    }

    fn run(&mut self, seconds: u64) {
        self.run_for(Duration::from_secs(seconds));
    }

    fn run_for(&mut self, span: Duration) {
        let end = self.world.now() + span;
        while self.world.now() < end {
            for (index, flow) in self.flows.iter().enumerate() {
                while self.world.send(2 * index, flow.channel, &[7; 16_000]).is_ok() {}
            }
            let count = self.flows.len();
            let is_writable = |world: &World| {
                let mut events = (0..count).flat_map(|index| world.events(2 * index));
                events.any(|it| matches!(it.event, Event::Writable { .. }))
            };
            while self.world.step(end) && !is_writable(&self.world) {}
            self.collect();
        }
    }

    /// Counts what arrived.
    fn collect(&mut self) {
        for (index, flow) in self.flows.iter_mut().enumerate() {
            drop(self.world.take_events(2 * index));
            for happened in self.world.take_events(2 * index + 1) {
                if let Event::Message { .. } = happened.event {
                    flow.arrived += happened.bytes.len() as u64;
                } else if let Event::Readable { channel, .. } = happened.event {
                    let read = self.world.receive_all(2 * index + 1, channel);
                    flow.arrived += read.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
                }
            }
        }
    }
}

fn link(rate: u64) -> Link {
    Link::rated(rate, ROUND_TRIP / 2)
}
