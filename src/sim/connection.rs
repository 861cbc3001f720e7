//! Plays scripts against a whole connection: the body of its fuzz target.

use std::net::SocketAddr;
use std::time::Duration;

use super::puppet::Puppet;
use super::script::Script;
use super::world::World;
use crate::config::{ChannelConfig, NodeConfig, SendOptions};
use crate::id::{Capabilities, ChannelHandle, ChannelNumber, ConnectionHandle, PathId, Side};
use crate::info::CloseReason;
use crate::io::Event;
use crate::wire::frame::{
    AckRate, ChannelClose, ChannelLimit, ChannelNew, ChannelReset, Data, DataSkip, Frame, Label,
    Reason, Source,
};

/// What a script begins with, as bits of its first byte.
const LEND: u8 = 1;
const HALF_CLOSE: u8 = 1 << 1;
const SMALL: u8 = 1 << 2;
const KEEP_ALIVE: u8 = 1 << 3;

/// Plays `script` against a node that is connected to a scripted peer.
///
/// Its first byte says how the node is set. Then each step is an operation and its arguments: of
/// the peer, which sends messages of any kind with any values, raw payloads and acknowledgements;
/// of the node's application, which opens, sends, reads, closes; or time passes. When the script is
/// over, so is the peer.
///
/// # Panics
///
/// When the node holds more than it may, sends what cannot be read, or keeps anything at the end.
pub fn play_connection(script: &[u8]) {
    let mut script = Script(script);
    let kind = script.byte();
    let mut world = World::new(1);
    world.add(|config| configure(config, kind));
    let address = SocketAddr::from(([10, 77, 0, 1], 77));
    let puppet = Puppet::connect(&mut world, 0, address, 7);
    let connection = world.events(0).iter().find_map(|happened| {
        let Event::Connected { connection, .. } = happened.event else { return None };
        Some(connection)
    });
    let connection = connection.expect("the puppet is connected");
    let mut play = Play { world, puppet, connection, channels: Vec::new() };
    for _ in 0..STEPS_MAX {
        if script.0.is_empty() {
            break;
        }
        play.step(&mut script);
        play.check();
    }
    play.end();
}

struct Play {
    world: World,
    puppet: Puppet,
    connection: ConnectionHandle,
    /// Channels that the node has or had.
    channels: Vec<ChannelHandle>,
}

impl Play {
    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 12 {
            0..=3 => {
                let (channel, count) = (channel(script), 1 + script.byte() % 4);
                for _ in 0..count {
                    let frame = frame(script);
                    self.puppet.send(&mut self.world, channel, &[frame]);
                }
            }
            4 => {
                let (channel, len) = (channel(script), usize::from(script.byte()));
                let payload = script.bytes(len);
                self.puppet.send_raw(&mut self.world, channel, payload);
            }
            5 => {
                let largest = script.value();
                let first = largest.saturating_sub(script.value());
                self.puppet.ack_ranges(&mut self.world, &[first..=largest]);
            }
            6 => self.puppet.ack(&mut self.world),
            7 => {
                let millis = u64::from(script.byte()) * u64::from(script.byte() % 8);
                self.world.run_for(Duration::from_millis(millis));
            }
            8 => {
                let config = ChannelConfig {
                    capabilities: Capabilities(u16::from(script.byte() % 8)),
                    resend_limit: u32::from(script.byte()),
                    message_lifetime: Duration::from_millis(script.byte().into()),
                    ..ChannelConfig::default()
                };
                let connection = self.connection;
                let opened =
                    self.world.with(0, |node, now| node.open_channel(now, connection, &config));
                self.channels.extend(opened);
            }
            9 | 10 => self.send(script),
            _ => self.act(script),
        }
        self.puppet.listen(&mut self.world);
        for happened in self.world.take_events(0) {
            if let Event::ChannelOpened { channel, by_peer: true, .. } = happened.event {
                self.channels.push(channel);
            }
        }
    }

    /// The application sends; what the node makes of it does not matter.
    fn send(&mut self, script: &mut Script<'_>) {
        let Some(&channel) = self.channels.get(script.index(self.channels.len())) else { return };
        let bytes = vec![script.byte(); script.index(40_000)];
        let options = SendOptions { report: Some(script.value()), ..SendOptions::default() };
        let _refused =
            self.world.with(0, |node, now| node.send_with(now, channel, &bytes, &options));
    }

    /// The application does something else; it may be refused.
    fn act(&mut self, script: &mut Script<'_>) {
        let connection = self.connection;
        let reason = CloseReason { code: 9, text: "fuzz".to_owned() };
        let action = script.byte() % 8;
        let channel = self.channels.get(script.index(self.channels.len())).copied();
        if let Some(channel) = channel.filter(|_| action < 6) {
            let _refused = self.world.with(0, |node, now| match action {
                0..=2 => node.receive(now, channel, &mut [0; 1_000]).map(drop),
                3 => node.reset_channel(now, channel, reason),
                _ => node.close_channel(now, channel),
            });
        } else {
            let _refused = self.world.with(0, |node, now| match action {
                6 => node.close_connection(now, connection, reason),
                _ => node.update_keys(now, connection),
            });
        }
    }

    /// What holds after every step.
    fn check(&self) {
        let node = self.world.node(0);
        let (stats, config) = (node.stats(), node.config());
        let held = 2 * config.connection_receive_bytes_max as u64;
        assert!(stats.receive_queue_bytes <= held, "{stats:?}");
        let queued = config.node_send_queue_bytes_max as u64;
        assert!(stats.send_queue_bytes <= queued, "{stats:?}");
        assert!(stats.connections <= 1, "{stats:?}");
    }

    /// The peer is silent: nothing of it stays.
    fn end(mut self) {
        self.world.run_for(60 * IDLE);
        self.puppet.listen(&mut self.world);
        for packet in self.puppet.take(&mut self.world) {
            packet.frames().for_each(drop);
        }
        let stats = self.world.node(0).stats();
        let left = (stats.connections, stats.channels);
        let bytes = (stats.receive_queue_bytes, stats.send_queue_bytes);
        assert_eq!((left, bytes), ((0, 0), (0, 0)), "{stats:?}");
    }
}

fn configure(config: &mut NodeConfig, kind: u8) {
    config.lend_messages = kind & LEND != 0;
    config.half_close = kind & HALF_CLOSE != 0;
    config.idle_timeout = IDLE;
    if kind & KEEP_ALIVE != 0 {
        config.keep_alive = IDLE / 4;
    }
    if kind & SMALL != 0 {
        config.message_bytes_max = 10_000;
        config.receive_window_min = 2_000;
        config.connection_receive_bytes_max = 20_000;
        config.peer_channels_max = 4;
        config.send_queue_bytes_max = 8_000;
    }
}

/// Mostly one of a few of either side, else any.
fn channel(script: &mut Script<'_>) -> ChannelNumber {
    match script.byte() % 16 {
        0 => ChannelNumber::NONE,
        1 => ChannelNumber(script.value() as u32),
        choice @ 2..=5 => ChannelNumber::new(Side::Responder, u32::from(choice) - 2),
        choice => ChannelNumber::new(Side::Initiator, u32::from(choice - 6) / 2),
    }
}

/// A message of any kind that an established connection has to do with.
fn frame<'a>(script: &mut Script<'a>) -> Frame<'a> {
    let kind = script.byte() % 20;
    match kind {
        0..=5 => {
            let (number, flags) = (script.value(), script.byte());
            let offset = if flags & 2 == 0 { 0 } else { script.value() };
            let len = usize::from(script.byte()) + if flags & 4 == 0 { 0 } else { 400 };
            let bytes = &FILLING[..len];
            let is_final = flags & 1 != 0 || len == 0;
            Frame::Data(Data { number, offset, is_final, bytes })
        }
        6 | 7 => Frame::ChannelNew(ChannelNew {
            channel: channel(script),
            capabilities: Capabilities(u16::from(script.byte() % 16)),
            limit: script.value(),
            priority: script.byte() % 8,
            weight: script.byte().max(1),
            label: Label::default(),
        }),
        8 => Frame::DataSkip(DataSkip {
            channel: channel(script),
            number: script.value(),
            position: script.value(),
        }),
        9 => Frame::ChannelClose(ChannelClose {
            channel: channel(script),
            count: script.value(),
            position: script.value(),
        }),
        10 => Frame::ChannelReset(ChannelReset {
            channel: channel(script),
            source: if script.byte() & 1 == 0 { Source::Protocol } else { Source::Application },
            code: script.value(),
            position: script.value(),
            reason: Reason::default(),
        }),
        11 => Frame::ChannelAccept(limit(script)),
        12 => Frame::MaxChannelData(limit(script)),
        13 => Frame::MaxData { limit: script.value() },
        14 => Frame::ChannelDataBlocked(limit(script)),
        15 => Frame::MaxChannels { count: (script.value() as u32).min(ChannelNumber::INDEXES_MAX) },
        16 => Frame::PathChallenge([script.byte(); 8]),
        17 => Frame::PathResponse([script.byte(); 8]),
        18 => Frame::Ping,
        _ => Frame::AckRate(AckRate {
            path: PathId(script.value() as u32),
            packets: script.value().clamp(1, 1 << 14),
            delay_us: script.value(),
        }),
    }
}

fn limit(script: &mut Script<'_>) -> ChannelLimit {
    ChannelLimit { channel: channel(script), limit: script.value() }
}

/// What DATA holds.
const FILLING: &[u8] = &[0x5a; 700];

/// Steps of a script that are played.
const STEPS_MAX: usize = 400;

const IDLE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Random;

    // spec: 8.1 form, 11.3 receiving
    #[test]
    fn random_scripts_leave_nothing_behind() {
        for seed in 0..SCRIPTS {
            let mut random = Random::new(seed);
            let len = random.index(900);
            let mut script = random.vec(len);
            // Small numbers are operations, channels and kinds: more of those.
            script.iter_mut().for_each(|byte| {
                if random.chance(0.6) {
                    *byte %= 16;
                }
            });
            // Printed only when the test fails: the last one is the one that did it.
            println!("seed {seed}");
            play_connection(&script);
        }
    }

    const SCRIPTS: u64 = 150;
}
