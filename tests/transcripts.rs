//! Aim: a node of the reference profile sends what the reference sends, to the byte. Method: replay
//! recorded handshakes, with the ids and secrets of the recording.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use channeler::config::{ChannelConfig, Legacy, NodeConfig, Profile};
use channeler::error::Error;
use channeler::id::{ChannelId, ConnectionHandle, PeerId};
use channeler::io::{Event, Local, Receive};
use channeler::node::{Dial, Node};
use channeler::time::Time;
use serde_json::Value;

/// Where the reference differs from what we want of it: after a wrong ACKNOWLEDGE the right one
/// still establishes, and a write to an invented responder half sends nothing.
const EXCEPTIONS: [&str; 2] = ["ACK with wrong cookie1", "channel_write error codes"];

#[test]
fn the_reference_profile_equals_the_recordings_of_the_project() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/transcripts.json");
    replay_file(&path);
}

#[test]
fn the_recordings_of_the_project_are_what_the_script_writes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let script = folder.join("make_transcripts.py");
    let run = Command::new("python3").arg(script).arg("--stdout").output().expect("python3 runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let committed = std::fs::read(folder.join("transcripts.json")).expect("committed");
    assert!(run.stdout == committed, "transcripts.json is stale: run make_transcripts.py");
}

#[test]
fn the_reference_profile_equals_recordings_from_elsewhere() {
    let Ok(folder) = std::env::var("CHANNELER_VECTORS") else { return };
    replay_file(&PathBuf::from(folder).join("transcripts.json"));
}

fn replay_file(path: &std::path::Path) {
    let text = std::fs::read_to_string(path).expect("the recordings are there");
    let file: Value = serde_json::from_str(&text).expect("they are JSON");
    let scenarios = file["scenarios"].as_array().expect("a list");
    assert!(!scenarios.is_empty());
    for scenario in scenarios {
        let name = text_of(scenario, "scenario");
        println!("scenario: {name}");
        let mut pair = Pair::new(&file["peers"], scenario);
        let events = scenario["events"].as_array().expect("a list");
        for (index, event) in events.iter().enumerate() {
            pair.halves = halves_of(&events[index + 1..]);
            if EXCEPTIONS.contains(&name) && pair.is_exception(event) {
                break;
            }
            pair.step(event);
        }
    }
}

struct Side {
    node: Node,
    connection: ConnectionHandle,
    /// What happened and was not compared yet.
    happened: Vec<Happened>,
}

#[derive(Debug, PartialEq)]
enum Happened {
    Packet { on: ChannelId, bytes: Vec<u8> },
    Established(ChannelId),
    Data(ChannelId),
}

struct Pair {
    sides: HashMap<&'static str, Side>,
    /// What the recorded side drew for its next packets.
    halves: Vec<u16>,
}

impl Pair {
    fn new(peers: &Value, scenario: &Value) -> Pair {
        let size = scenario["packet_size"].as_u64().expect("a size") as usize;
        let id = |name| PeerId(bytes_of(text_of(peers, name)).try_into().expect("16 bytes"));
        let address = SocketAddr::from(([192, 0, 2, 1], 1));
        let side = |us, them, secret: &str| {
            let mut config = NodeConfig::new(id(us));
            config.legacy = Legacy::Only;
            config.profile = Profile::Reference;
            config.packet_size = size;
            let mut node = Node::new(config, None, [1; 32], Time::ZERO).expect("good settings");
            node.set_secret(&bytes_of(text_of(peers, secret))).expect("the profile has one");
            let connection = node.connect(Time::ZERO, &Dial::v0(id(them), address)).expect("room");
            Side { node, connection, happened: Vec::new() }
        };
        let sides =
            HashMap::from([("A", side("A", "B", "secret_A")), ("B", side("B", "A", "secret_B"))]);
        Pair { sides, halves: Vec::new() }
    }

    fn is_exception(&self, event: &Value) -> bool {
        let what = event["what"].as_str().unwrap_or_default();
        what.starts_with("correct ACK") || event["channel"] == "0x1001:0x7777"
    }

    fn step(&mut self, event: &Value) {
        if let Some(call) = event["call"].as_str() {
            let (side, call) = call.split_once('.').expect("side and call");
            self.call(side, call, event);
        } else if let Some(packet) = event["packet"].as_str() {
            let on = id_of(text_of(event, "callback_channel"));
            let bytes = bytes_of(text_of(event, "hex"));
            self.expect(&packet[..1], Happened::Packet { on, bytes });
        } else if let Some(side) = event["deliver_to"].as_str() {
            self.expect_nothing_left();
            let bytes = bytes_of(text_of(event, "hex"));
            self.act(side, |side| {
                let from = Receive {
                    from: SocketAddr::from(([192, 0, 2, 1], 1)),
                    local: Local::default(),
                    stride: bytes.len(),
                    ecn: Default::default(),
                };
                side.node.handle_datagram(Time::ZERO, &from, &mut bytes.clone());
            });
        } else if let Some(callback) = event["callback"].as_str() {
            let (side, what) = callback.split_once('.').expect("side and callback");
            let id = id_of(text_of(event, "channel"));
            let happened = match what {
                "channel_established" => Happened::Established(id),
                "data_available" => Happened::Data(id),
                other => panic!("unknown callback {other}"),
            };
            self.expect(side, happened);
        }
    }

    fn call(&mut self, side: &str, call: &str, event: &Value) {
        self.expect_nothing_left();
        let expected = text_of(event, "result").to_owned();
        let result = match call {
            "establish_channel" => self.act(side, |side| {
                let config = ChannelConfig::default();
                side.node.open_channel(Time::ZERO, side.connection, &config).map(|_| ())
            }),
            "channel_write" => {
                let data = bytes_of(text_of(event, "data"));
                let id = id_of(text_of(event, "channel"));
                self.act(side, |side| {
                    let channel = find(side, id)?;
                    side.node.send(Time::ZERO, channel, &data)
                })
            }
            "channel_read" => {
                let id = id_of(text_of(event, "channel"));
                let mut out = vec![0; event["max"].as_u64().expect("a number") as usize];
                let result = self.act(side, |side| {
                    let channel = side.node.channel_by_id(side.connection, id)?;
                    side.node.receive(Time::ZERO, channel, &mut out)
                });
                result.map(|read| {
                    assert_eq!(out[..read.len], bytes_of(text_of(event, "data")));
                })
            }
            other => panic!("unknown call {other}"),
        };
        let name = result.err().map_or("ERR_SUCCESS", Error::name);
        assert_eq!(name, expected, "{event}");
    }

    fn act<R>(&mut self, name: &str, act: impl FnOnce(&mut Side) -> R) -> R {
        let side = self.sides.get_mut(name).expect("A or B");
        side.node.supply_halves(&self.halves);
        let result = act(side);
        let mut buf = Vec::new();
        while let Some(event) = side.node.poll_event() {
            let happened = match event {
                Event::Packet { id } => {
                    let sent = side.node.poll_transmit(Time::ZERO, &mut buf).expect("announced");
                    Happened::Packet { on: id, bytes: buf[..sent.len].to_vec() }
                }
                Event::ChannelOpened { channel, .. } => {
                    Happened::Established(side.node.channel_info(channel).expect("open").id)
                }
                Event::Message { channel, .. } => {
                    Happened::Data(side.node.channel_info(channel).expect("open").id)
                }
                Event::ConnectionRequest { .. }
                | Event::Connected { .. }
                | Event::ConnectionClosed { .. }
                | Event::ChannelClosed { .. }
                | Event::ChannelFinished { .. }
                | Event::MessageDelivered { .. }
                | Event::MessageLost { .. }
                | Event::MessagesSkipped { .. }
                | Event::Assembled { .. }
                | Event::Readable { .. }
                | Event::Writable { .. }
                | Event::PathChanged { .. }
                | Event::PathUnreachable { .. }
                | Event::PacketSizeReduced { .. }
                | Event::Datagram { .. } => continue,
            };
            side.happened.push(happened);
        }
        result
    }

    fn expect(&mut self, name: &str, expected: Happened) {
        let side = self.sides.get_mut(name).expect("A or B");
        assert!(!side.happened.is_empty(), "nothing happened at {name}; expected {expected:?}");
        assert_eq!(side.happened.remove(0), expected);
    }

    fn expect_nothing_left(&self) {
        for (name, side) in &self.sides {
            assert!(side.happened.is_empty(), "{name}: {:?}", side.happened);
        }
    }
}

/// The halves in the packets that are sent before anything else is done.
fn halves_of(events: &[Value]) -> Vec<u16> {
    let caused = events.iter().take_while(|e| e["call"].is_null() && e["deliver_to"].is_null());
    let packets = caused.filter(|event| event["packet"].is_string());
    let messages = packets.map(|event| bytes_of(text_of(event, "hex"))[48..51].to_vec());
    let drawn = messages.filter(|message| [10, 11].contains(&message[0]));
    drawn.map(|message| u16::from_be_bytes([message[1], message[2]])).collect()
}

/// The channel that a program may write to: partial ids are no channels to a writer.
fn find(side: &Side, id: ChannelId) -> Result<channeler::id::ChannelHandle, Error> {
    if id.initiator != ChannelId::NO_HALF && id.responder == ChannelId::NO_HALF
        || id == ChannelId::DEFAULT
    {
        return Err(Error::InvalidChannelId);
    }
    side.node.channel_by_id(side.connection, id).map_err(|_| Error::State)
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| digit.to_digit(16).expect("a hex digit") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// `0xinitiator:0xresponder`.
fn id_of(text: &str) -> ChannelId {
    let half = |text: &str| u16::from_str_radix(&text[2..], 16).expect("a half");
    let (initiator, responder) = text.split_once(':').expect("two halves");
    ChannelId { initiator: half(initiator), responder: half(responder) }
}
