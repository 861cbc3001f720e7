//! What can happen in a random test, and how a seed draws it.

use std::time::Duration;

use channeler::sim::{Link, Random};

use crate::random::{self, below_one_of};

/// Everything that a run does.
pub(crate) type Plan = random::Plan<Setup, Op>;

/// How the nodes of a run are set.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) lend_messages: bool,
    pub(crate) ask_before_accept: bool,
    /// Every so many requests one is refused; 0: none.
    pub(crate) refuse_every: usize,
    pub(crate) padding: bool,
    pub(crate) packet_size: usize,
    pub(crate) bundle_delay: Duration,
    pub(crate) keep_alive: Duration,
    pub(crate) segments_max: usize,
    pub(crate) gro_max: usize,
    /// Tables and queues of a few entries.
    pub(crate) tight: bool,
}

/// One step. Numbers pick among what there is at the time, modulo how many there are, so a step
/// makes sense wherever the shrinker leaves it.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Open { from: usize, to: usize },
    Send { node: usize, channel: usize, len: usize, count: usize },
    Receive { node: usize, channel: usize, buffer: usize },
    CloseChannel { node: usize, channel: usize },
    CloseConnection { node: usize, connection: usize },
    BanPeer { node: usize, whom: usize, span: Duration },
    BanAddress { node: usize, whom: usize, span: Duration },
    LiftBans { node: usize, whom: usize },
    Advance { span: Duration },
    SetLink { from: usize, to: usize, link: Box<Link> },
    KillLink { from: usize, to: usize, span: Duration },
    Rebind { node: usize, old_lives: bool },
    Garbage { to: usize, seed: u64, enveloped: bool },
    Replay { recent: usize, spoofed: bool },
    Mutate { recent: usize, seed: u64 },
}

/// The plan of a seed.
pub(crate) fn draw(seed: u64) -> Plan {
    let mut random = Random::new(seed);
    let setup = Setup::draw(seed, &mut random);
    let count = 20 + random.index(60);
    let mut ops: Vec<Op> = (0..count).map(|_| Op::draw(&mut random, setup.nodes)).collect();
    // Fresh handshakes at the end: whether both sides agree on them is what the end checks.
    for _ in 0..4 {
        let (from, to) = (random.index(setup.nodes), random.index(setup.nodes));
        ops.push(Op::Open { from, to });
        ops.push(Op::Advance { span: random.span(Duration::from_millis(700)) });
    }
    Plan { setup, ops }
}

impl Setup {
    fn draw(seed: u64, random: &mut Random) -> Setup {
        Setup {
            seed,
            nodes: 2 + random.index(3),
            lend_messages: random.chance(0.4),
            ask_before_accept: random.chance(0.2),
            refuse_every: random.one_of(&[0, 2, 5]),
            padding: random.chance(0.2),
            packet_size: random.one_of(&[128, 300, 1232, 1500, 9000]),
            bundle_delay: Duration::from_millis(random.one_of(&[0, 0, 5, 50])),
            keep_alive: Duration::from_secs(random.one_of(&[0, 0, 5])),
            segments_max: random.one_of(&[1, 4, 64]),
            gro_max: random.one_of(&[1, 4, 64]),
            tight: random.chance(0.3),
        }
    }
}

impl Op {
    fn draw(random: &mut Random, nodes: usize) -> Op {
        let (node, whom) = (random.index(nodes), random.index(nodes));
        let pick = random.index(1 << 16);
        let span = random.span(Duration::from_secs(20));
        match random.index(100) {
            0..14 => Op::Open { from: node, to: whom },
            14..34 => Op::Send {
                node,
                channel: pick,
                len: 8 + below_one_of(random, &[30, 200, 1_500]),
                count: 1 + below_one_of(random, &[1, 5, 40]),
            },
            34..42 => Op::Receive { node, channel: pick, buffer: 1 + random.index(1_000) },
            42..46 => Op::CloseChannel { node, channel: pick },
            46..48 => Op::CloseConnection { node, connection: pick },
            48 => Op::BanPeer { node, whom, span },
            49 => Op::BanAddress { node, whom, span },
            50..52 => Op::LiftBans { node, whom },
            52..66 => Op::Advance { span: random.span(Duration::from_millis(200)) },
            66..76 => Op::Advance { span: random.span(Duration::from_secs(3)) },
            76..78 => Op::Advance { span: span * 2 },
            78..84 => Op::SetLink { from: node, to: whom, link: Box::new(draw_link(random)) },
            84..86 => Op::KillLink { from: node, to: whom, span },
            86..88 => Op::Rebind { node, old_lives: random.chance(0.5) },
            88..91 => Op::Garbage { to: node, seed: pick as u64, enveloped: random.chance(0.7) },
            91..96 => Op::Replay { recent: pick, spoofed: random.chance(0.5) },
            _ => Op::Mutate { recent: pick, seed: random.below(1 << 32) },
        }
    }
}

fn draw_link(random: &mut Random) -> Link {
    // The slowest link empties the longest queue in 3 s: before what `heal` waits for.
    let rates = [None, None, Some(125_000), Some(6_250)];
    let mut link = random::draw_link(random, rates, &[3_000, 16_000]);
    link.mtu = random.one_of(&[65_507, 65_507, 1_300, 700]);
    link.mtu_reported = random.chance(0.5);
    link
}
