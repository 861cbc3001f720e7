//! `tests/vectors/v1_messages.json`, made by an independent script from the protocol page.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use channeler::id::{AttemptId, Capabilities, ChannelNumber, Level, PathId, Side, Token};
use channeler::wire::frame::{
    Ack, AckRate, AddressOffer, ChannelClose, ChannelLimit, ChannelNew, ChannelReset,
    ConnectionClose, Crypto, Data, DataSkip, EcnCounts, Frame, Frames, Kind, Label, NewToken,
    ObservedAddress, PathAbandon, PathStatus, Place, Reason, Source, Status, write_ack,
};
use channeler::wire::long::{self, Cookie, LongHeader};
use channeler::wire::params::{NUMBERS, Params};
use channeler::wire::short::{self, Flags, ShortHeader};
use channeler::wire::{Reader, TAG_LEN, Writer};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;

use super::{array, bytes, list, load, number, text, u16_of, u32_of};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn vectors() -> Value {
    load(&folder().join("v1_messages.json"))
}

#[test]
fn the_committed_vectors_are_what_the_script_writes() {
    let script = folder().join("make_v1_messages.py");
    let run = Command::new("python3").arg(script).arg("--stdout").output().expect("python3 runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let committed = std::fs::read(folder().join("v1_messages.json")).expect("committed");
    assert!(run.stdout == committed, "stale: run tests/vectors/make_v1_messages.py");
}

// spec: 8.1, 8.2
#[test]
fn messages_are_read_as_the_fields_they_were_made_of() {
    let vectors = vectors();
    let mut kinds = Vec::new();
    for case in list(&vectors["messages"]) {
        let expected = bytes(&case["hex"]);
        let frame = only_frame(&expected);
        assert_eq!(frame.message_type(), number(&case["type"]), "{case}");
        assert_eq!(frame.kind().map_or("unknown", Kind::name), text(&case["name"]));
        let fields = Fields(&case["fields"]);
        let content = fields.content();
        if let Frame::Ack(ack) = frame {
            fields.check_ack(&ack, &expected);
        } else {
            assert_eq!(frame, fields.frame(frame.kind(), &content), "{case}");
        }
        let mut out = vec![0; expected.len()];
        frame.encode(&mut Writer::new(&mut out)).expect("as long as it says");
        assert_eq!(out, expected, "{case}");
        kinds.extend(frame.kind());
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, Kind::ALL[1..], "one of each but padding");
}

fn only_frame(payload: &[u8]) -> Frame<'_> {
    let mut frames = Frames::new(Place::Short, payload);
    let frame = frames.next().expect("a message").expect("a good one");
    assert_eq!(frames.next(), None);
    frame
}

/// The fields of a message as the script names them.
struct Fields<'a>(&'a Value);

impl Fields<'_> {
    fn number(&self, name: &str) -> u64 {
        number(&self.0[name])
    }

    fn path(&self) -> PathId {
        PathId(u32_of(&self.0["path"]))
    }

    fn channel(&self) -> ChannelNumber {
        ChannelNumber(u32_of(&self.0["channel"]))
    }

    fn source(&self) -> Source {
        [Source::Protocol, Source::Application][self.number("source") as usize]
    }

    fn address(&self) -> SocketAddr {
        let [family, ip, port] = list(&self.0["address"]) else { panic!("no address") };
        let ip: IpAddr = match number(family) {
            4 => IpAddr::from(array::<4>(ip)),
            6 => IpAddr::from(array::<16>(ip)),
            family => panic!("family {family}"),
        };
        SocketAddr::new(ip, u16_of(port))
    }

    /// The one field that is borrowed: bytes, reason, label or body.
    fn content(&self) -> Vec<u8> {
        let fields = ["bytes", "reason", "label", "body"].iter();
        fields.map(|name| &self.0[*name]).find(|field| !field.is_null()).map_or(vec![], bytes)
    }

    /// The message of this type with these fields.
    fn frame<'b>(&self, kind: Option<Kind>, content: &'b [u8]) -> Frame<'b> {
        let kind = match kind {
            Some(kind) => kind,
            None => return Frame::Unknown { code: self.code(content), body: content },
        };
        let channel_limit =
            || ChannelLimit { channel: self.channel(), limit: self.number("limit") };
        let reason = || Reason::new(std::str::from_utf8(content).expect("UTF-8"));
        let eight = || content.try_into().expect("8 bytes");
        match kind {
            Kind::Padding | Kind::Ack | Kind::AckEcn => panic!("not made of fields alone"),
            Kind::Ping => Frame::Ping,
            Kind::Crypto => Frame::Crypto(Crypto { offset: self.number("offset"), bytes: content }),
            Kind::ConnectionClose => Frame::ConnectionClose(ConnectionClose {
                source: self.source(),
                code: self.number("code"),
                message_type: self.number("cause"),
                reason: reason(),
            }),
            Kind::AckRate => Frame::AckRate(AckRate {
                path: self.path(),
                packets: self.number("packets"),
                delay_us: self.number("delay"),
            }),
            Kind::ChannelNew => self.channel_new(content),
            Kind::ChannelAccept => Frame::ChannelAccept(channel_limit()),
            Kind::MaxChannelData => Frame::MaxChannelData(channel_limit()),
            Kind::ChannelDataBlocked => Frame::ChannelDataBlocked(channel_limit()),
            Kind::ChannelReset => Frame::ChannelReset(ChannelReset {
                channel: self.channel(),
                source: self.source(),
                code: self.number("code"),
                position: self.number("position"),
                reason: reason(),
            }),
            Kind::MaxChannels => Frame::MaxChannels { count: u32_of(&self.0["count"]) },
            Kind::ChannelsBlocked => Frame::ChannelsBlocked { count: u32_of(&self.0["count"]) },
            Kind::ChannelClose | Kind::Data | Kind::DataSkip => self.data(kind, content),
            Kind::MaxData => Frame::MaxData { limit: self.number("limit") },
            Kind::DataBlocked => Frame::DataBlocked { limit: self.number("limit") },
            Kind::PathChallenge => Frame::PathChallenge(eight()),
            Kind::PathResponse => Frame::PathResponse(eight()),
            Kind::NewToken
            | Kind::PathStatus
            | Kind::PathAbandon
            | Kind::ObservedAddress
            | Kind::AddressOffer => self.path_frame(kind),
        }
    }

    /// The script has the two unknown types by their bodies.
    fn code(&self, content: &[u8]) -> u64 {
        if content.is_empty() { 1 << 14 } else { 95 }
    }

    fn channel_new<'b>(&self, label: &'b [u8]) -> Frame<'b> {
        Frame::ChannelNew(ChannelNew {
            channel: self.channel(),
            capabilities: Capabilities(u16_of(&self.0["capabilities"])),
            limit: self.number("limit"),
            priority: self.number("priority") as u8,
            weight: self.number("weight") as u8,
            label: Label::new(label).expect("at most 255"),
        })
    }

    fn data<'b>(&self, kind: Kind, bytes: &'b [u8]) -> Frame<'b> {
        if kind == Kind::Data {
            let offset = self.0["offset"].as_u64().unwrap_or(0);
            let is_final = self.number("flags") & 1 != 0;
            return Frame::Data(Data { number: self.number("number"), offset, is_final, bytes });
        }
        let (channel, position) = (self.channel(), self.number("position"));
        if kind == Kind::ChannelClose {
            let count = self.number("count");
            return Frame::ChannelClose(ChannelClose { channel, count, position });
        }
        Frame::DataSkip(DataSkip { channel, number: self.number("number"), position })
    }

    fn path_frame<'b>(&self, kind: Kind) -> Frame<'b> {
        if kind == Kind::AddressOffer {
            let (sequence, address) = (self.number("sequence"), self.address());
            return Frame::AddressOffer(AddressOffer { sequence, address });
        }
        let path = self.path();
        if kind == Kind::NewToken {
            let (token, reset) = (Token(array(&self.0["token"])), array(&self.0["reset"]));
            return Frame::NewToken(NewToken { path, token, reset });
        }
        if kind == Kind::PathAbandon {
            return Frame::PathAbandon(PathAbandon { path, code: self.number("code") });
        }
        let sequence = self.number("sequence");
        if kind == Kind::PathStatus {
            let status = [Status::Available, Status::Backup][self.number("status") as usize];
            return Frame::PathStatus(PathStatus { path, sequence, status });
        }
        Frame::ObservedAddress(ObservedAddress { path, sequence, address: self.address() })
    }

    /// Checks an acknowledgement, and writes it again from its ranges.
    fn check_ack(&self, ack: &Ack<'_>, expected: &[u8]) {
        let ecn = self.0["ect0"].as_u64().map(|ect0| {
            let (ect1, ce) = (self.number("ect1"), self.number("ce"));
            EcnCounts { ect0, ect1, ce }
        });
        assert_eq!((ack.path, ack.delay_us, ack.ecn), (self.path(), self.number("delay"), ecn));
        assert_eq!(ack.ranges.largest(), self.number("largest"));
        let pairs = list(&self.0["ranges"]).iter().map(|pair| number(&pair[0])..=number(&pair[1]));
        let ranges: Vec<_> = pairs.collect();
        assert_eq!(ack.ranges.iter().collect::<Vec<_>>(), ranges);
        let mut out = vec![0; expected.len()];
        let mut writer = Writer::new(&mut out);
        let count = write_ack(&mut writer, ack.path, ack.delay_us, ecn, ranges.iter().cloned());
        assert_eq!((count, writer.remaining()), (Ok(ranges.len()), 0));
        assert_eq!(out, expected);
    }
}

// spec: 8.1, 8.2, 17.1
#[test]
fn bad_payloads_are_refused_with_the_code_of_the_page() {
    let vectors = vectors();
    for case in list(&vectors["bad_payloads"]) {
        let place =
            if text(&case["place"]) == "S" { Place::Short } else { Place::Long(Level::Early) };
        let payload = bytes(&case["hex"]);
        let mut frames = Frames::new(place, &payload);
        let error = frames.next().expect("a message").expect_err("a bad one");
        assert_eq!(error.code().name(), text(&case["code"]), "{case}");
        assert_eq!(frames.next(), None);
    }
}

// spec: 4.1, 4.3, 4.6
#[test]
fn long_packets_up_to_the_payload_are_what_is_authenticated() {
    let vectors = vectors();
    for case in list(&vectors["long_packets"]) {
        let expected = bytes(&case["hex"]);
        let (sender, recipient) = (array(&case["sender"]), array(&case["recipient"]));
        let cookie = Cookie::new(&bytes(&case["cookie"])).expect("a length that cookies have");
        let size = number(&case["size"]) as usize;
        let kind = match number(&case["level"]) {
            0 => long::Kind::Sealed(Level::Initial),
            1 => long::Kind::Sealed(Level::Handshake),
            2 => long::Kind::Sealed(Level::Early),
            _ => long::Kind::Cookie,
        };
        let (sender, recipient) = (AttemptId(sender), AttemptId(recipient));
        let header = LongHeader { kind, sender, recipient, cookie, size };
        let mut packet = vec![0; size];
        let mut writer = Writer::new(&mut packet);
        LongHeader { size: 0, ..header }.write(&mut writer).expect("room for it");
        if let Some(packet_number) = case["number"].as_u64() {
            writer.u32(packet_number as u32).expect("room for it");
            assert_eq!(writer.position(), header.payload_offset());
        }
        long::set_size(&mut packet);
        assert_eq!(packet[..expected.len()], expected, "{case}");
        assert_eq!(LongHeader::parse(&packet), Ok(header));
    }
}

// spec: 5.1, 5.2
#[test]
fn short_packets_up_to_the_payload_are_what_is_authenticated() {
    let vectors = vectors();
    for case in list(&vectors["short_headers"]) {
        let expected = bytes(&case["hex"]);
        let len = number(&case["number_len"]) as usize;
        let full = number(&case["number"]);
        let spin = case["spin"].as_bool().expect("a bool");
        let header = ShortHeader {
            flags: Flags::new(spin, number(&case["epoch"]), len),
            token: Token(array(&case["token"])),
            channel: ChannelNumber(u32_of(&case["channel"])),
            number: full as u32 & u32::MAX >> (32 - 8 * len),
        };
        let mut packet = vec![0; expected.len() + short::payload_len_min(len) + TAG_LEN];
        assert_eq!(header.write(&mut packet), Ok(expected.len()));
        assert_eq!(packet[..expected.len()], expected, "{case}");
        assert_eq!(ShortHeader::parse(&packet), Some(header));
        assert_eq!(short::parse_token(&packet), Some(header.token));
        assert_eq!(short::decode_number(header.number, len, full.checked_sub(1)), full);
    }
}

// spec: 5.5 packet numbers
#[test]
fn packet_numbers_have_the_least_length_and_are_decoded_from_what_was_acknowledged() {
    let vectors = vectors();
    for case in list(&vectors["numbers"]) {
        let (full, acked) = (number(&case["number"]), case["acked"].as_u64());
        let len = number(&case["length"]) as usize;
        assert_eq!(short::number_len(full, acked), len, "{case}");
        let sent = u32_of(&case["sent"]);
        assert_eq!(short::decode_number(sent, len, acked), full, "{case}");
        assert_eq!(short::decode_number(sent, len, full.checked_sub(1)), full, "{case}");
    }
}

// spec: 7.11 transport parameters
#[test]
fn parameters_are_read_as_they_were_made() {
    let vectors = vectors();
    let case = &vectors["parameters"];
    let encoded = bytes(&case["hex"]);
    let params = Params::decode(&encoded, Side::Responder).expect("good ones");
    let value = |name: &str| number(&case["values"][name]);
    let expected = Params {
        idle_timeout_ms: value("idle_timeout"),
        datagram_max: value("datagram_max"),
        data_max: value("data_max"),
        channel_data_max: value("channel_data_max"),
        channels_max: value("channels_max"),
        message_max: value("message_max"),
        ack_delay_max_us: value("ack_delay_max"),
        paths_max: value("paths_max"),
        token: Token(array(&case["token"])),
        reset: Some(array(&case["reset"])),
    };
    assert_eq!(params, expected);
    assert_eq!(case["values"].as_object().map(serde_json::Map::len), Some(NUMBERS.len()));
    // Ours is the same up to where the script has its grease.
    let ours = params.encode(&mut ChaCha8Rng::seed_from_u64(1));
    let end = encoded.len() - b"\x80\x5b\x06grease".len();
    assert_eq!(ours[..end], encoded[..end]);
    assert_eq!(Reader::new(&encoded[end..]).varint(), Ok(64 + 31 * 5));
}
