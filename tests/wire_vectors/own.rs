//! `tests/vectors/v0.json`, made by an independent script from the description of the wire.

use std::path::{Path, PathBuf};
use std::process::Command;

use channeler::id::PeerId;
use channeler::wire::message::{Message, MessageError, Messages};
use channeler::wire::packet::{self, Header, Packet, PacketError};
use channeler::wire::{Reader, WireError, Writer, checksum, varint};
use serde_json::Value;

use super::{array, bytes, capabilities, channel, list, load, number, text, type_name};
use super::{u16_of, u32_of, written};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn vectors() -> Value {
    load(&folder().join("v0.json"))
}

#[test]
fn the_committed_vectors_are_what_the_script_writes() {
    let script = folder().join("make_v0.py");
    let run = Command::new("python3").arg(script).arg("--stdout").output().expect("python3 runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let committed = std::fs::read(folder().join("v0.json")).expect("committed");
    assert!(run.stdout == committed, "v0.json is stale: run tests/vectors/make_v0.py");
}

#[test]
fn varints() {
    let vectors = vectors();
    for case in list(&vectors["varints"]["valid"]) {
        let (value, expected) = (number(&case["value"]), bytes(&case["hex"]));
        let mut out = [0; varint::LEN_MAX];
        let mut writer = Writer::new(&mut out);
        assert_eq!(writer.varint(value), Ok(()));
        let len = writer.position();
        assert_eq!(out[..len], expected, "{value}");
        assert_eq!(varint::encoded_len(value), len, "{value}");
        assert_eq!(Reader::new(&expected).varint(), Ok(value));
    }
    for case in list(&vectors["varints"]["bad"]) {
        let error = match text(&case["error"]) {
            "short" => WireError::Short,
            "overflow" => WireError::VarintOverflow,
            other => panic!("error {other}"),
        };
        let got = Reader::new(&bytes(&case["hex"])).varint();
        assert_eq!(got, Err(error), "{}", case["name"]);
    }
}

fn message<'a>(case: &Value, data: &'a [u8]) -> Message<'a> {
    let id = || channel(&case["initiator"], &case["responder"]);
    let cookie = |name: &str| u32_of(&case[name]);
    match text(&case["type"]) {
        "CHANNEL_NEW" => Message::ChannelNew {
            initiator: u16_of(&case["initiator"]),
            cookie1: cookie("cookie1"),
        },
        "CHANNEL_ACKNOWLEDGE" => Message::ChannelAcknowledge {
            id: id(),
            cookie1: cookie("cookie1"),
            cookie2: cookie("cookie2"),
        },
        "CHANNEL_FINALIZE" => Message::ChannelFinalize {
            id: id(),
            cookie2: cookie("cookie2"),
            capabilities: capabilities(&case["capabilities"]),
        },
        "CHANNEL_COOKIE" => Message::ChannelCookie {
            cookie: cookie("cookie"),
            capabilities: capabilities(&case["capabilities"]),
        },
        "DATA" => Message::Data(data),
        other => panic!("type {other}"),
    }
}

fn message_error(name: &str) -> MessageError {
    match name {
        "unknown" => MessageError::Unknown,
        "malformed" => MessageError::Malformed,
        other => panic!("error {other}"),
    }
}

#[test]
fn messages() {
    let vectors = vectors();
    for case in list(&vectors["messages"]["valid"]) {
        let data = case.get("data").map(bytes).unwrap_or_default();
        let (message, expected) = (message(case, &data), bytes(&case["hex"]));
        assert_eq!(written(&message), expected, "{case}");
        assert_eq!(Message::parse(&expected), Ok((message, expected.len())), "{case}");
    }
    for case in list(&vectors["messages"]["bad"]) {
        let raw = bytes(&case["hex"]);
        let error = message_error(text(&case["error"]));
        assert_eq!(Message::parse(&raw), Err(error), "{}", case["name"]);
    }
}

#[test]
fn payloads() {
    for case in list(&vectors()["payloads"]) {
        let raw = bytes(&case["hex"]);
        let mut messages = Messages::new(&raw);
        for name in case["types"].as_array().expect("a list") {
            let message = messages.next().expect("one more").expect("a good one");
            assert_eq!(type_name(&message), text(name), "{}", case["name"]);
        }
        let error = case["error"].as_str().map(|name| Err(message_error(name)));
        assert_eq!(messages.next(), error, "{}", case["name"]);
        assert_eq!(messages.remaining() as u64, number(&case["remaining"]), "{}", case["name"]);
        assert_eq!(messages.next(), None, "{}", case["name"]);
    }
}

fn packet_error(name: &str) -> PacketError {
    match name {
        "too_short" => PacketError::TooShort,
        "unknown_protocol" => PacketError::UnknownProtocol,
        "bad_size" => PacketError::BadSize,
        "bad_checksum" => PacketError::BadChecksum,
        "encrypted" => PacketError::Encrypted,
        other => panic!("error {other}"),
    }
}

#[test]
fn packets() {
    let vectors = vectors();
    for case in list(&vectors["packets"]["valid"]) {
        let header = Header {
            sender: PeerId(array(&case["sender"])),
            recipient: PeerId(array(&case["recipient"])),
            channel: channel(&case["initiator"], &case["responder"]),
            flags: u16_of(&case["flags"]),
            sequence: u16_of(&case["sequence"]),
        };
        let (raw, payload) = (bytes(&case["hex"]), bytes(&case["payload"]));
        let size = usize::from(u16_of(&case["size"]));
        let mut built = vec![0xcc; size];
        packet::write_header(&mut built, &header);
        built[packet::HEADER_SIZE..][..payload.len()].copy_from_slice(&payload);
        packet::seal(&mut built, payload.len());
        assert_eq!(built, raw, "{}", case["name"]);
        let expected = Packet { header, payload: &payload, size };
        assert_eq!(Packet::parse(&raw), Ok(expected), "{}", case["name"]);
    }
    for case in list(&vectors["packets"]["longer"]) {
        let raw = bytes(&case["hex"]);
        let packet = Packet::parse(&raw).expect("valid");
        assert_eq!(packet.size as u64, number(&case["size"]), "{}", case["name"]);
        assert!(packet.size < raw.len(), "{}", case["name"]);
    }
    for case in list(&vectors["packets"]["bad"]) {
        let raw = bytes(&case["hex"]);
        let error = packet_error(text(&case["error"]));
        assert_eq!(Packet::parse(&raw), Err(error), "{}", case["name"]);
    }
}

#[test]
fn cookies() {
    for case in list(&vectors()["cookies"]) {
        let parts = ["secret", "initiator_peer", "responder_peer"].map(|name| bytes(&case[name]));
        let [secret, initiator, responder] = parts.each_ref().map(Vec::as_slice);
        let id = channel(&case["initiator"], &case["responder"]);
        let half = id.initiator.to_be_bytes();
        let cookie1 = checksum::crc32(&[secret, initiator, responder, &half]);
        let full = id.to_wire().to_be_bytes();
        let cookie2 = checksum::crc32(&[secret, initiator, responder, &full]);
        assert_eq!(cookie1, u32_of(&case["cookie1"]), "{case}");
        assert_eq!(cookie2, u32_of(&case["cookie2"]), "{case}");
    }
}
