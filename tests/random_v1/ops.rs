//! What can happen in a random test of v1, and how a seed draws it.

use std::time::Duration;

use channeler::config::Congestion;
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
    pub(crate) early_data: bool,
    pub(crate) always_cookie: bool,
    pub(crate) half_close: bool,
    pub(crate) keep_alive: Duration,
    pub(crate) linger: Duration,
    pub(crate) congestion: Congestion,
    pub(crate) segments_max: usize,
    pub(crate) gro_max: usize,
    /// Tables and queues of a few entries.
    pub(crate) tight: bool,
}

/// One step. Numbers pick among what there is at the time, modulo how many there are, so a step
/// makes sense wherever the shrinker leaves it.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Open { from: usize, to: usize, how: How },
    Send { node: usize, channel: usize, len: usize, count: usize, what: Sending },
    ReadAll { node: usize },
    Receive { node: usize, channel: usize },
    CloseChannel { node: usize, channel: usize },
    ResetChannel { node: usize, channel: usize },
    CloseConnection { node: usize, connection: usize },
    UpdateKeys { node: usize, connection: usize },
    Restart { node: usize },
    BanPeer { node: usize, whom: usize, span: Duration },
    Advance { span: Duration },
    SetLink { from: usize, to: usize, link: Box<Link> },
    KillLink { from: usize, to: usize, span: Duration },
    Garbage { to: usize, seed: u64 },
    Replay { recent: usize, is_spoofed: bool },
    Mutate { recent: usize, seed: u64 },
}

/// How a channel is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// One of the eight modes.
    pub(crate) mode: u16,
    pub(crate) resend_limit: u32,
    /// Zero: none.
    pub(crate) lifetime: Duration,
    pub(crate) priority: u8,
    pub(crate) weight: u8,
}

/// How messages are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending {
    pub(crate) is_early: bool,
    pub(crate) is_reported: bool,
    pub(crate) lifetime: Option<Duration>,
}

/// The plan of a seed.
pub(crate) fn draw(seed: u64) -> Plan {
    let mut random = Random::new(seed);
    let setup = Setup::draw(seed, &mut random);
    let count = 20 + random.index(60);
    let ops = (0..count).map(|_| Op::draw(&mut random, setup.nodes)).collect();
    Plan { setup, ops }
}

impl Setup {
    fn draw(seed: u64, random: &mut Random) -> Setup {
        Setup {
            seed,
            nodes: 2 + random.index(3),
            lend_messages: random.chance(0.4),
            ask_before_accept: random.chance(0.2),
            early_data: random.chance(0.4),
            always_cookie: random.chance(0.2),
            half_close: random.chance(0.5),
            keep_alive: Duration::from_secs(random.one_of(&[0, 0, 2])),
            linger: Duration::from_millis(random.one_of(&[0, 500, 5_000])),
            congestion: random.one_of(&[Congestion::Bbr2, Congestion::Cubic, Congestion::NewReno]),
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
        let span = random.span(Duration::from_secs(15));
        match random.index(100) {
            0..14 => Op::Open { from: node, to: whom, how: How::draw(random) },
            14..38 => Op::Send {
                node,
                channel: pick,
                len: 8 + below_one_of(random, &[30, 200, 1_100, 3_000, 20_000]),
                count: 1 + below_one_of(random, &[1, 5, 30]),
                what: Sending::draw(random),
            },
            38 => Op::ReadAll { node },
            39..44 => Op::Receive { node, channel: pick },
            44..47 => Op::CloseChannel { node, channel: pick },
            47 => Op::ResetChannel { node, channel: pick },
            48..50 => Op::CloseConnection { node, connection: pick },
            50..56 => Op::UpdateKeys { node, connection: pick },
            56..58 => Op::Restart { node },
            58 => Op::BanPeer { node, whom, span },
            59..70 => Op::Advance { span: random.span(Duration::from_millis(200)) },
            70..78 => Op::Advance { span: random.span(Duration::from_secs(3)) },
            78 => Op::Advance { span: span * 2 },
            79..85 => Op::SetLink { from: node, to: whom, link: Box::new(draw_link(random)) },
            85..87 => Op::KillLink { from: node, to: whom, span },
            87..90 => Op::Garbage { to: node, seed: pick as u64 },
            90..95 => Op::Replay { recent: pick, is_spoofed: random.chance(0.5) },
            _ => Op::Mutate { recent: pick, seed: random.below(1 << 32) },
        }
    }
}

impl How {
    fn draw(random: &mut Random) -> How {
        How {
            mode: random.below(8) as u16,
            resend_limit: random.one_of(&[u32::MAX, u32::MAX, 0, 2]),
            lifetime: random.one_of(&[Duration::ZERO, Duration::ZERO, SECOND / 5, 2 * SECOND]),
            priority: random.one_of(&[3, 3, 0, 7]),
            weight: random.one_of(&[16, 1, 255]),
        }
    }
}

impl Sending {
    fn draw(random: &mut Random) -> Sending {
        Sending {
            is_early: random.chance(0.2),
            is_reported: random.chance(0.5),
            lifetime: random.one_of(&[None, None, Some(Duration::ZERO), Some(SECOND / 2)]),
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn draw_link(random: &mut Random) -> Link {
    let rates = [None, None, Some(125_000), Some(25_000)];
    random::draw_link(random, rates, &[4_000, 16_000])
}
