//! What the fuzz targets do with their bytes; `tests/fuzz_replay.rs` does the same to the corpus.

use channeler::wire::message::{Message, Messages};
use channeler::wire::packet::{self, Fields, Packet, PacketError};
use channeler::wire::{Reader, Writer, varint as wire_varint};

/// A target: its name, which is that of its corpus, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[("varint", varint), ("message", message), ("packet", packet)];

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
