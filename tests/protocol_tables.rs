//! The tables and the worked example of docs/protocol.md, read from the page and compared with the
//! code, so that the two cannot disagree.

use std::collections::BTreeMap;

use channeler::id::{AttemptId, ChannelNumber, Level, PathId, Token};
use channeler::wire::codes::{ChannelCode, CloseCode, ConnectionCode, PathCode};
use channeler::wire::frame::{Asks, Crypto, Data, Frame, Frames, Kind, Place};
use channeler::wire::long::{self, Cookie, LongHeader};
use channeler::wire::params::{self, NUMBERS};
use channeler::wire::short::{self, ShortHeader};
use channeler::wire::{TAG_LEN, Writer, grease, is_grease};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md");
    std::fs::read_to_string(path).expect("the protocol page is there")
}

/// The text of a section, up to the next heading.
fn section<'a>(page: &'a str, number: &str) -> &'a str {
    let heading = format!("\n### {number} ");
    let (_, rest) = page.split_once(&heading).unwrap_or_else(|| panic!("no section {number}"));
    let end = rest.find("\n#").unwrap_or(rest.len());
    &rest[..end]
}

/// The rows of the first table of a section whose head begins with `first`, as trimmed cells.
fn table<'a>(section: &'a str, first: &str) -> Vec<Vec<&'a str>> {
    let mut rows = section.lines().map(cells).skip_while(|row| row.first() != Some(&first));
    let columns = rows.next().unwrap_or_else(|| panic!("no table with {first}")).len();
    let rows: Vec<_> = rows.skip(1).take_while(|row| !row.is_empty()).collect();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.len() == columns), "{rows:?}");
    rows
}

fn cells(line: &str) -> Vec<&str> {
    let inside = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    inside.map_or(Vec::new(), |inside| inside.split('|').map(str::trim).collect())
}

const PLACES: [(&str, Place); 4] = [
    ("0", Place::Long(Level::Initial)),
    ("1", Place::Long(Level::Handshake)),
    ("2", Place::Long(Level::Early)),
    ("S", Place::Short),
];

// spec: 8.2 table
#[test]
fn message_types_their_packets_and_what_asks_are_those_of_the_page() {
    let page = page();
    let mut kinds = Kind::ALL.iter();
    for row in table(section(&page, "8.2"), "type") {
        let [code, name, packets, acked, _, _] = row[..] else { panic!("{row:?}") };
        match code.parse() {
            Ok(code) => {
                let kind = *kinds.next().unwrap_or_else(|| panic!("no type {name} in the code"));
                let allowed = PLACES.iter().filter(|(_, place)| kind.is_allowed_at(*place));
                let places: Vec<&str> = allowed.map(|(sign, _)| *sign).collect();
                let asks = match kind.asks() {
                    Asks::No => "no",
                    Asks::Yes => "yes",
                    Asks::AtOnce => "yes, at once",
                };
                let in_code = (kind.code(), kind.name(), places.join(" "), asks);
                assert_eq!(in_code, (code, name, packets.to_owned(), acked));
            }
            Err(_) if code == "64 + 31 n" => {
                assert!(is_grease(64 + 31 * 3) && grease(3) == 64 + 31 * 3);
                assert_eq!((packets, acked), ("0 1 2 S", "yes"));
                for (_, place) in PLACES {
                    assert!(Frame::Unknown { code: 64, body: &[] }.is_allowed_at(place));
                }
            }
            Err(_) => assert_eq!((code, acked), ("others", "yes")),
        }
    }
    assert_eq!(kinds.next(), None, "a type in the code that is not on the page");
    assert!(Frame::Unknown { code: 64, body: &[] }.asks_for_ack());
}

// spec: 4.2 levels
#[test]
fn messages_of_each_level_are_those_of_the_page() {
    let page = page();
    for row in table(section(&page, "4.2"), "level") {
        let (_, place) = PLACES[row[0].parse::<usize>().expect("a level")];
        let allowed = Kind::ALL.iter().filter(|kind| kind.is_allowed_at(place));
        let names: Vec<&str> = allowed.map(|kind| kind.name()).collect();
        let on_page: Vec<&str> = row[3].split(", ").collect();
        let sorted = |mut names: Vec<&str>| {
            names.sort_unstable();
            names.join(" ")
        };
        assert_eq!(sorted(names), sorted(on_page), "level {}", row[0]);
    }
}

/// Code and name of each row whose code is a number.
fn codes<'a>(page: &'a str, number: &str) -> Vec<(u64, &'a str)> {
    let rows = table(section(page, number), "code");
    rows.iter().filter_map(|row| Some((row[0].parse().ok()?, row[1]))).collect()
}

// spec: 17.1 connection
#[test]
fn connection_codes_are_those_of_the_page() {
    let page = page();
    let in_code: Vec<_> =
        ConnectionCode::ALL.iter().map(|code| (code.code(), code.name())).collect();
    assert_eq!(in_code, codes(&page, "17.1"));
    let rows = table(section(&page, "17.1"), "code");
    let others: Vec<_> = rows.iter().filter(|row| row[0].parse::<u64>().is_err()).collect();
    assert_eq!((others[0][0], others[0][1], CloseCode::TLS_FIRST), ("256 + a", "TLS", 256));
    assert_eq!((others[1][0], others.len()), ("local", 2));
}

// spec: 17.2 channel
#[test]
fn channel_codes_are_those_of_the_page() {
    let in_code: Vec<_> = ChannelCode::ALL.iter().map(|code| (code.code(), code.name())).collect();
    assert_eq!(in_code, codes(&page(), "17.2"));
}

// spec: 17.3 path
#[test]
fn path_codes_are_those_of_the_page() {
    let in_code: Vec<_> = PathCode::ALL.iter().map(|code| (code.code(), code.name())).collect();
    assert_eq!(in_code, codes(&page(), "17.3"));
}

/// A number as the page writes it: `1,200`, `2^40` or `16 MiB`.
fn value(text: &str) -> u64 {
    let digits = text.replace(',', "");
    if let Some(power) = digits.strip_prefix("2^") {
        return 1 << power.parse::<u32>().expect("an exponent");
    }
    let (digits, unit) = digits.split_once(' ').unwrap_or((&digits, ""));
    let unit = if unit == "MiB" { 1 << 20 } else { 1 };
    digits.parse::<u64>().unwrap_or_else(|_| panic!("no number: {text}")) * unit
}

// spec: 7.11 transport parameters
#[test]
fn parameters_their_ranges_and_defaults_are_those_of_the_page() {
    let page = page();
    let mut numbers = NUMBERS.iter();
    for row in table(section(&page, "7.11"), "id") {
        let [id, name, form, range, default, kept, _] = row[..] else { panic!("{row:?}") };
        let Ok(id) = id.parse::<u64>() else {
            assert!(name.is_empty(), "{row:?}");
            continue;
        };
        if form.starts_with("varint") {
            let number = numbers.next().unwrap_or_else(|| panic!("no {name} in the code"));
            assert_eq!((number.id, number.name), (id, name));
            let (least, largest) = match range.split_once(" to ") {
                Some((least, largest)) => (value(least), value(largest)),
                None => (0, u64::MAX),
            };
            assert_eq!(number.range, least..=largest, "{name}");
            assert_eq!(number.default, value(default), "{name}");
            assert_eq!(number.is_kept, kept == "yes", "{name}");
            continue;
        }
        match name {
            "token" => assert_eq!((id, form, range), (params::TOKEN, "bytes(8)", "required")),
            "reset" => {
                assert_eq!((id, form, range), (params::RESET, "bytes(16)", "responder only"))
            }
            other => panic!("{other} is not in the code"),
        }
    }
    assert_eq!(numbers.next().map(|number| number.name), None, "not on the page");
}

/// The worked example: by the title of its part and the name of the value.
struct Example(BTreeMap<(String, String), String>);

impl Example {
    fn of(page: &str) -> Example {
        let mut values = BTreeMap::new();
        let (mut title, mut name) = (String::new(), String::new());
        for line in section(page, "20.1").lines() {
            if let Some(text) = line.strip_prefix("**").and_then(|line| line.strip_suffix("**")) {
                title = text.to_owned();
            } else if let Some((head, hex)) = line.split_at_checked(21)
                && !hex.is_empty()
            {
                if !head.trim().is_empty() {
                    name = head.trim().to_owned();
                }
                let value: &mut String = values.entry((title.clone(), name.clone())).or_default();
                value.push_str(hex.trim());
            }
        }
        Example(values)
    }

    fn get(&self, title: &str, name: &str) -> Vec<u8> {
        let key = self.0.keys().find(|key| key.0.starts_with(title) && key.1 == name);
        let hex = &self.0[key.unwrap_or_else(|| panic!("no {name} of {title}"))];
        let digit = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
        (0..hex.len()).step_by(2).map(digit).collect()
    }
}

fn ids(from: u8) -> AttemptId {
    AttemptId(std::array::from_fn(|at| from + at as u8))
}

// spec: 20.1, 4.1, 8.6
#[test]
fn level_0_packet_of_the_worked_example() {
    let example = Example::of(&page());
    let title = "A level 0 packet of the responder";
    let packet = example.get(title, "packet");
    let header = LongHeader {
        kind: long::Kind::Sealed(Level::Initial),
        sender: ids(0x60),
        recipient: ids(0x40),
        cookie: Cookie::NONE,
        size: packet.len(),
    };
    assert_eq!(LongHeader::parse(&packet), Ok(header));

    let payload = example.get(title, "payload");
    let place = Place::Long(Level::Initial);
    let frames: Result<Vec<Frame<'_>>, _> = Frames::new(place, &payload).collect();
    let [ack @ Frame::Ack(inner), crypto] = frames.expect("good messages")[..] else {
        panic!("other messages");
    };
    assert_eq!((inner.path, inner.delay_us, inner.ecn), (PathId::ZERO, 0, None));
    assert_eq!(inner.ranges.iter().collect::<Vec<_>>(), [0..=0]);
    assert_eq!(crypto, Frame::Crypto(Crypto { offset: 0, bytes: b"hello" }));

    let mut out = vec![0; packet.len()];
    let mut writer = Writer::new(&mut out);
    LongHeader { size: 0, ..header }.write(&mut writer).expect("room");
    writer.u32(1).expect("room");
    ack.encode(&mut writer).expect("room");
    crypto.encode(&mut writer).expect("room");
    assert_eq!(writer.remaining(), TAG_LEN);
    long::set_size(&mut out);
    let aad = example.get(title, "AAD");
    assert_eq!(header.payload_offset(), aad.len());
    assert_eq!(out[..out.len() - TAG_LEN], [aad, payload].concat());
}

// spec: 20.1, 4.1, 4.4
#[test]
fn padded_level_0_packet_of_the_worked_example() {
    let example = Example::of(&page());
    let title = "A padded level 0 packet of the initiator";
    let mut packet = example.get(title, "first 96 bytes");
    packet.resize(long::DATAGRAM_SIZE, 0);
    let cookie: Vec<u8> = (0xc0..0xd4).collect();
    let header = LongHeader {
        kind: long::Kind::Sealed(Level::Initial),
        sender: ids(0x40),
        recipient: ids(0x20),
        cookie: Cookie::new(&cookie).expect("20 bytes"),
        size: long::DATAGRAM_SIZE,
    };
    assert_eq!(LongHeader::parse(&packet), Ok(header));
    let mut out = vec![0; header.number_offset()];
    header.write(&mut Writer::new(&mut out)).expect("room");
    assert_eq!(out, packet[..header.number_offset()]);
}

// spec: 20.1, 5.1, 5.3, 5.5, 8.14
#[test]
fn short_packets_of_the_worked_example() {
    let example = Example::of(&page());
    let token = Token([0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7]);
    for suite in ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"] {
        for (epoch, full, len) in [(0, 0x1234, 2), (1, 0x01ab_cdef, 1)] {
            let title = format!("{suite}: epoch {epoch}, channel 00000002, path 3");
            let packet = example.get(&title, "packet");
            assert_eq!(short::parse_token(&packet), Some(token));
            let sample = short::sample(&packet).expect("long enough");
            assert_eq!(sample[..], example.get(&title, "sample"));

            let mut opened = example.get(&title, "AAD");
            let payload_offset = opened.len();
            opened.extend(example.get(&title, "payload"));
            opened.extend([0; TAG_LEN]);
            assert_eq!(opened.len(), packet.len());
            let header = ShortHeader::parse(&opened).expect("long enough");
            assert_eq!((header.token, header.channel), (token, ChannelNumber(2)));
            assert_eq!((header.flags.is_spin(), header.flags.epoch()), (false, epoch));
            assert_eq!((header.flags.number_len(), header.payload_offset()), (len, payload_offset));
            assert_eq!(short::decode_number(header.number, len, Some(full - 1)), full);
            assert_eq!(opened[0] & !short::Flags::MASKED, packet[0] & !short::Flags::MASKED);

            let payload = &opened[payload_offset..opened.len() - TAG_LEN];
            let frames: Result<Vec<_>, _> = Frames::new(Place::Short, payload).collect();
            let data = Data { number: 0, offset: 0, is_final: true, bytes: b"hello" };
            let expected = match epoch {
                0 => vec![Frame::Data(data)],
                _ => vec![Frame::Ping, Frame::Padding { len: 1 }],
            };
            assert_eq!(frames, Ok(expected));
        }
    }
}
