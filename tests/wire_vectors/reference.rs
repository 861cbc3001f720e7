//! The reference's own vectors, from the directory that `CHANNELER_VECTORS` names.
//!
//! They are not part of this repository; without the variable these tests only say so. An input is
//! to be rejected exactly when the reference rejects it or reads outside of it, with the exceptions
//! that each test names.

use std::path::PathBuf;

use channeler::id::PeerId;
use channeler::wire::message::{self, Message, Messages, PayloadSize};
use channeler::wire::packet::{self, Fields, Header, Packet, PacketError};
use channeler::wire::{Reader, Writer, checksum, varint};
use serde_json::Value;

use super::{array, bytes, capabilities, channel, list, load, number, text, type_name};
use super::{u16_of, u32_of, written};

fn vectors(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("CHANNELER_VECTORS") else {
        eprintln!("CHANNELER_VECTORS is not set: {name} was not checked");
        return None;
    };
    Some(load(&PathBuf::from(folder).join(name)))
}

#[test]
fn varints() {
    let Some(vectors) = vectors("varint.json") else {
        return;
    };
    for case in list(&vectors["encode"]) {
        let (value, expected) = (number(&case["value"]), bytes(&case["hex"]));
        let mut out = [0; varint::LEN_MAX];
        let mut writer = Writer::new(&mut out);
        assert_eq!(writer.varint(value), Ok(()));
        let len = writer.position();
        assert_eq!(out[..len], expected, "{value}");
        assert_eq!(Reader::new(&expected).varint(), Ok(value));
    }
    for case in list(&vectors["decode"]) {
        let (raw, result) = (bytes(&case["hex"]), &case["result"]);
        let mut reader = Reader::new(&raw);
        let got = reader.varint();
        if let Some(value) = result["value"].as_str() {
            // The reference prints 64 bits as a signed number.
            let value =
                value.parse::<i64>().map_or_else(|_| number(&result["value"]), |v| v as u64);
            assert_eq!(got, Ok(value), "{}", case["name"]);
            assert_eq!(reader.position() as u64, number(&result["used"]), "{}", case["name"]);
        } else {
            // It refuses a varint that ends with the buffer, which is valid.
            let ends_there = raw.iter().position(|byte| byte & 0x80 == 0) == Some(raw.len() - 1);
            assert_eq!(got.is_ok(), ends_there, "{}", case["name"]);
        }
    }
}

fn message<'a>(case: &Value, raw: &'a [u8]) -> Message<'a> {
    let fields = &case["fields"];
    let id = || channel(&fields["id"]["initiator"], &fields["id"]["responder"]);
    match text(&case["type"]) {
        "CHANNEL_NEW" => Message::ChannelNew {
            initiator: u16_of(&fields["initiator_part"]),
            cookie1: u32_of(&fields["cookie1"]),
        },
        "CHANNEL_ACKNOWLEDGE" => Message::ChannelAcknowledge {
            id: id(),
            cookie1: u32_of(&fields["cookie1"]),
            cookie2: u32_of(&fields["cookie2"]),
        },
        "CHANNEL_FINALIZE" => Message::ChannelFinalize {
            id: id(),
            cookie2: u32_of(&fields["cookie2"]),
            capabilities: capabilities(&fields["capabilities"]),
        },
        "CHANNEL_COOKIE" => Message::ChannelCookie {
            cookie: u32_of(&fields["either_cookie"]),
            capabilities: capabilities(&fields["capabilities"]),
        },
        "DATA" => {
            let overhead = if raw[1] < 0x80 { 2 } else { 3 };
            Message::Data(&raw[overhead..])
        }
        other => panic!("type {other}"),
    }
}

#[test]
fn messages() {
    let Some(vectors) = vectors("messages.json") else {
        return;
    };
    for case in list(&vectors["valid"]) {
        let raw = bytes(&case["hex"]);
        let message = message(case, &raw);
        assert_eq!(written(&message), raw, "{case}");
        assert_eq!(Message::parse(&raw), Ok((message, raw.len())), "{case}");
    }
    for case in list(&vectors["data_headers"]) {
        let len = number(&case["payload_len"]) as usize;
        let data: Vec<u8> = (0..len).map(|i| (i * 7 + 3) as u8).collect();
        let raw = written(&Message::Data(&data));
        let (header, body) = raw.split_at(message::data_overhead(len));
        assert_eq!((header, body), (&bytes(&case["header_hex"])[..], &data[..]));
    }
    for (message_type, size) in vectors["payload_size"].as_object().expect("a map") {
        let expected = match size.as_i64().expect("a number") {
            -2 => PayloadSize::Unknown,
            -1 => PayloadSize::Variable,
            size => PayloadSize::Fixed(size as usize),
        };
        let message_type = message_type.parse().expect("a type");
        assert_eq!(message::payload_size(message_type), expected, "{message_type}");
    }
}

/// What the reference's iteration gave, up to the first message that leaves the payload.
fn check_iteration(name: &str, payload: &[u8], iteration: &Value) {
    let expected = iteration["messages"].as_array().expect("a list");
    let inside = |message: &&Value| message["runs_past_end"] == false;
    let mut messages = Messages::new(payload);
    for expected in expected.iter().take_while(inside) {
        assert_eq!((payload.len() - messages.remaining()) as u64, number(&expected["offset"]));
        let message = messages.next().expect("one more").expect("a good one");
        assert_eq!(type_name(&message), text(&expected["type"]), "{name}");
        let size = number(&expected["buffer_size"]);
        assert_eq!(message.encoded_len() as u64, size, "{name}");
    }
    let next = messages.next();
    if expected.iter().all(|message| inside(&message)) {
        let remaining = number(&iteration["remaining"]);
        assert_eq!(messages.remaining() as u64, remaining, "{name}");
        assert_eq!(next.is_some(), remaining > 0, "{name}");
    }
    assert!(!matches!(next, Some(Ok(_))), "{name}: {next:?}");
}

#[test]
fn malformed_messages() {
    let Some(vectors) = vectors("malformed_messages.json") else {
        return;
    };
    for case in list(&vectors["single"]) {
        let (raw, result) = (bytes(&case["hex"]), &case["result_with_0xcc_after_buffer"]);
        let refused = text(&result["parse"]) != "ERR_SUCCESS"
            || case["overread"] == true
            || result["runs_past_end"] == true;
        match Message::parse(&raw) {
            Ok((message, used)) => {
                assert!(!refused, "{}", case["name"]);
                assert_eq!(type_name(&message), text(&result["type"]), "{}", case["name"]);
                assert_eq!(used as u64, number(&result["buffer_size"]), "{}", case["name"]);
            }
            Err(error) => assert!(refused, "{}: {error}", case["name"]),
        }
    }
    for case in list(&vectors["iteration"]) {
        let iteration = &case["result_with_0xcc_after_buffer"];
        check_iteration(text(&case["name"]), &bytes(&case["hex"]), iteration);
    }
}

#[test]
fn packets() {
    let Some(vectors) = vectors("packets.json") else {
        return;
    };
    for case in list(&vectors["packets"]) {
        let (raw, payload) = (bytes(&case["hex"]), bytes(&case["payload_hex"]));
        let header = Header {
            sender: PeerId(array(&Value::from(&text(&case["hex"])[8..40]))),
            recipient: PeerId(array(&Value::from(&text(&case["hex"])[40..72]))),
            channel: channel(&case["channel_initiator"], &case["channel_responder"]),
            flags: u16_of(&case["flags"]),
            sequence: u16_of(&case["sequence_no"]),
        };
        let mut built = vec![0xcc; number(&case["packet_size"]) as usize];
        packet::write_header(&mut built, &header);
        built[packet::HEADER_SIZE..][..payload.len()].copy_from_slice(&payload);
        packet::seal(&mut built, payload.len());
        assert_eq!(built, raw, "{}", case["name"]);
        assert_eq!(packet::stored_checksum(&raw), Some(u32_of(&case["crc32c"])));
        assert_eq!(Fields::of(&raw).map(Fields::header), Some(header), "{}", case["name"]);
        // The reference takes the flag for one like any other; we cannot read what it announces.
        let expected = if header.flags & packet::FLAG_ENCRYPTED == 0 {
            Ok(Packet { header, payload: &payload, size: raw.len() })
        } else {
            Err(PacketError::Encrypted)
        };
        assert_eq!(Packet::parse(&raw), expected, "{}", case["name"]);
    }
}

#[test]
fn malformed_packets() {
    let Some(vectors) = vectors("malformed_packets.json") else {
        return;
    };
    for case in list(&vectors["cases"]) {
        let (raw, result) = (bytes(&case["hex"]), &case["result_with_0xcc_after_buffer"]);
        let passes = |name: &str| result[name] == true;
        // Without a result it crashed. Sizes below the envelope it takes for valid by an underflow.
        let refused = result.is_null()
            || text(&result["validate"]) != "ERR_SUCCESS"
            || !passes("proto_ok")
            || !passes("checksum_ok")
            || number(&result["packet_size"]) < packet::ENVELOPE_SIZE as u64;
        match Packet::parse(&raw) {
            Ok(packet) => {
                assert!(!refused, "{}", case["name"]);
                check_iteration(text(&case["name"]), packet.payload, &result["iteration"]);
            }
            Err(error) => assert!(refused, "{}: {error}", case["name"]),
        }
    }
}

#[test]
fn cookies() {
    let Some(vectors) = vectors("cookies.json") else {
        return;
    };
    let peers = |case: &Value| ["secret", "initiator", "responder"].map(|name| bytes(&case[name]));
    for case in list(&vectors["initiator"]) {
        let [secret, initiator, responder] = peers(case);
        let half = u16_of(&case["initiator_part"]).to_be_bytes();
        let cookie = checksum::crc32(&[&secret, &initiator, &responder, &half]);
        assert_eq!(cookie, u32_of(&case["cookie1"]), "{case}");
    }
    for case in list(&vectors["responder"]) {
        let [secret, initiator, responder] = peers(case);
        let id = channel(&case["channel_initiator"], &case["channel_responder"]);
        let full = id.to_wire().to_be_bytes();
        let cookie = checksum::crc32(&[&secret, &initiator, &responder, &full]);
        assert_eq!(cookie, u32_of(&case["cookie2"]), "{case}");
    }
}

#[test]
fn packets_of_the_transcripts() {
    let Some(vectors) = vectors("transcripts.json") else {
        return;
    };
    let mut sent = 0;
    for scenario in list(&vectors["scenarios"]) {
        let events = scenario["events"].as_array().expect("a list");
        for event in events.iter().filter(|event| event.get("packet").is_some()) {
            let raw = bytes(&event["hex"]);
            let packet = Packet::parse(&raw).expect("the reference sent it");
            let messages: Result<Vec<_>, _> = Messages::new(packet.payload).collect();
            let messages = messages.expect("the reference sent it");
            let first = messages.first().map_or("", type_name);
            assert!(text(&event["messages"]).starts_with(first), "{event}");
            let mut again = vec![0; raw.len()];
            packet::write_header(&mut again, &packet.header);
            let mut writer = Writer::new(&mut again[packet::HEADER_SIZE..]);
            messages.iter().for_each(|message| message.write(&mut writer).expect("fits"));
            let payload_size = writer.position();
            packet::seal(&mut again, payload_size);
            assert_eq!(again, raw, "{event}");
            sent += 1;
        }
    }
    assert!(sent > 0, "no packets in the transcripts");
}
