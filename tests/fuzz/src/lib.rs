//! What the fuzz targets do with their bytes; `tests/fuzz_replay.rs` does the same to the corpus.

use channeler::id::{Level, Side};
use channeler::wire::frame::{Frame, Frames, Kind, Place, write_ack};
use channeler::wire::long::{self, LongError, LongHeader};
use channeler::wire::message::{Message, Messages};
use channeler::wire::packet::{self, Fields, Packet, PacketError};
use channeler::wire::params::Params;
use channeler::wire::{Reader, Writer, short, varint as wire_varint};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A target: its name, which is that of its corpus, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("varint", varint),
    ("message", message),
    ("packet", packet),
    ("long", long),
    ("frame", frame),
    ("params", params),
    ("handshake", handshake),
    ("connection", connection),
    ("quic_frames", quic_frames),
];

/// Plays the bytes of a stream to the reader of QUIC messages: see `play_frames`.
pub fn quic_frames(data: &[u8]) {
    channeler::quic::play_frames(data);
}

/// Plays a script against a whole connection: see `play_connection`.
pub fn connection(data: &[u8]) {
    channeler::sim::play_connection(data);
}

/// Plays a script of disturbances against a handshake: see `play_handshake`.
pub fn handshake(data: &[u8]) {
    channeler::sim::play_handshake(data);
}

/// Reads varints back to back; each is written back to the bytes it was read from.
pub fn varint(data: &[u8]) {
    let mut reader = Reader::new(data);
    loop {
        let start = reader.position();
        let Ok(value) = reader.varint() else {
            assert_eq!(reader.position(), start, "a failed read consumed bytes");
            return;
        };
        let mut out = [0; wire_varint::LEN_MAX];
        let mut writer = Writer::new(&mut out);
        writer.varint(value).expect("LEN_MAX bytes hold any varint");
        let len = writer.position();
        assert_eq!(len, wire_varint::encoded_len(value));
        assert_eq!(out[..len], data[start..reader.position()]);
    }
}

/// Reads a payload; each message is written back to the bytes it was read from, except that a
/// buffer one byte too small takes nothing.
pub fn message(data: &[u8]) {
    let mut messages = Messages::new(data);
    let mut out = vec![0; data.len()];
    let mut start = 0;
    while let Some(Ok(message)) = messages.next() {
        let end = data.len() - messages.remaining();
        assert_eq!(message.encoded_len(), end - start);
        assert_eq!(Message::parse(&data[start..end]), Ok((message, end - start)));
        assert!(message.write(&mut Writer::new(&mut out[start..end - 1])).is_err());
        message.write(&mut Writer::new(&mut out[start..end])).expect("the bytes it came from");
        start = end;
    }
    assert_eq!(out[..start], data[..start]);
    assert!(messages.next().is_none(), "iteration went on after an error");
}

/// Parses a datagram as it is, then with protocol id and checksum put right.
pub fn packet(data: &[u8]) {
    if let Ok(packet) = Packet::parse(data) {
        reseal(data, &packet);
    }
    let mut data = data.to_vec();
    let Some(fields) = Fields::of(&data) else {
        assert_eq!(Packet::parse(&data), Err(PacketError::TooShort));
        return;
    };
    let size = fields.size();
    let Some(packet) = data.get_mut(..size).filter(|packet| packet.len() >= packet::ENVELOPE_SIZE)
    else {
        assert!(Packet::parse(&data).is_err(), "a packet outside of its datagram");
        return;
    };
    packet[..4].copy_from_slice(&packet::PROTOCOL_ID.to_be_bytes());
    let checksum = packet::checksum_of(packet).expect("not smaller than the envelope");
    packet[size - packet::FOOTER_SIZE..].copy_from_slice(&checksum.to_be_bytes());
    match Packet::parse(&data) {
        Ok(packet) => reseal(&data, &packet),
        Err(error) => assert!(matches!(error, PacketError::BadSize | PacketError::Encrypted)),
    }
}

/// Builds the packet again; apart from padding, which a receiver ignores, it is the same.
fn reseal(data: &[u8], packet: &Packet<'_>) {
    let mut out = vec![0xcc; packet.size];
    packet::write_header(&mut out, &packet.header);
    let end = packet::HEADER_SIZE + packet.payload.len();
    out[packet::HEADER_SIZE..end].copy_from_slice(packet.payload);
    packet::seal(&mut out, packet.payload.len());
    assert_eq!(out[..end], data[..end]);
    assert_eq!(Packet::parse(&out), Ok(*packet));
    message(packet.payload);
}

/// Takes a v1 datagram apart: long packets, each written back to the bytes it was read from, and a
/// short one that runs to the end.
pub fn long(data: &[u8]) {
    let mut rest = data;
    while !rest.is_empty() {
        let size = match LongHeader::parse(rest) {
            Ok(header) => {
                let mut out = vec![0; header.number_offset()];
                header.write(&mut Writer::new(&mut out)).expect("the buffer was made to fit");
                assert_eq!(out, rest[..header.number_offset()]);
                header.size
            }
            Err(LongError::Unknown { size }) => size,
            Err(_) => break,
        };
        assert!((long::FIXED_LEN..=rest.len()).contains(&size), "a packet outside its datagram");
        rest = &rest[size..];
    }
    let token = short::parse_token(rest);
    assert!(token.is_none() || rest.len() >= short::SIZE_MIN);
    if let Some(header) = short::ShortHeader::parse(rest) {
        let mut out = vec![0; rest.len().max(short::SIZE_MIN)];
        let end = header.write(&mut out).expect("not smaller than the smallest");
        assert_eq!(out[..end], rest[..end]);
    }
}

/// Reads the payload of an opened v1 packet, of the kind that the first byte chooses. Each message
/// is written back to the bytes it was read from, but what follows the first zero of padding.
pub fn frame(data: &[u8]) {
    let Some((place, payload)) = data.split_first() else {
        return;
    };
    let place = match place {
        0 => Place::Long(Level::Initial),
        1 => Place::Long(Level::Handshake),
        2 => Place::Long(Level::Early),
        _ => Place::Short,
    };
    let mut frames = Frames::new(place, payload);
    let mut out = vec![0; payload.len()];
    let mut start = 0;
    while let Some(Ok(frame)) = frames.next() {
        let end = payload.len() - frames.remaining();
        assert_eq!(frame.encoded_len(), end - start);
        assert!(frame.is_allowed_at(place), "{frame:?} at {place:?}");
        assert!(frame.encode(&mut Writer::new(&mut out[start..end - 1])).is_err());
        frame.encode(&mut Writer::new(&mut out[start..end])).expect("the bytes it came from");
        if frame.kind() != Some(Kind::Padding) {
            assert_eq!(out[start..end], payload[start..end]);
        }
        if let Frame::Ack(ack) = frame {
            let room = &mut out[start..end];
            let ranges = ack.ranges.iter();
            write_ack(&mut Writer::new(room), ack.path, ack.delay_us, ack.ecn, ranges)
                .expect("the bytes it came from");
        }
        start = end;
    }
    assert!(frames.next().is_none(), "iteration went on after an error");
}

/// Reads transport parameters of either side; what is read is in range and comes back.
pub fn params(data: &[u8]) {
    for sender in [Side::Initiator, Side::Responder] {
        let Ok(params) = Params::decode(data, sender) else {
            continue;
        };
        let encoded = params.encode(&mut ChaCha8Rng::seed_from_u64(data.len() as u64));
        assert_eq!(Params::decode(&encoded, sender), Ok(params.clone()));
        assert!(!params.is_lower_than(&params));
    }
}
