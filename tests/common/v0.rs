//! Protocol v0 as a peer of our own writing speaks it: made from the wire page alone, sharing no
//! code with the library, so that a mistake there cannot hide behind the same mistake here.

use std::net::SocketAddr;

use channeler::id::PeerId;
use channeler::sim::World;

/// The channel that handshakes run on.
pub(crate) const DEFAULT: u32 = 0xf0f0_f0f0;

/// Bytes of a packet without messages.
pub(crate) const ENVELOPE: usize = 52;

/// A message as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    New { half: u16, cookie1: u32 },
    Acknowledge { id: u32, cookie1: u32, cookie2: u32 },
    Finalize { id: u32, cookie2: u32, capabilities: u16 },
    Cookie { cookie: u32, capabilities: u16 },
    Data(Vec<u8>),
}

/// A packet that a node sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) from: SocketAddr,
    pub(crate) sender: PeerId,
    pub(crate) recipient: PeerId,
    pub(crate) channel: u32,
    pub(crate) messages: Vec<Message>,
    /// Bytes of the whole packet.
    pub(crate) len: usize,
}

/// A peer that the test plays: a peer id at an address, and the node it talks to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) address: SocketAddr,
    pub(crate) node: PeerId,
    pub(crate) node_address: SocketAddr,
    /// Pads every packet to this size, as the reference does; 0: no padding.
    pub(crate) size: usize,
}

impl Peer {
    /// Peer number `number` at 10.9.0.`number`, who talks to node `node`.
    pub(crate) fn new(world: &mut World, number: u16, node: usize) -> Peer {
        let [high, low] = number.to_be_bytes();
        Peer::at(world, number, SocketAddr::from(([10, 9, high, low], 9)), node)
    }

    /// Peer number `number` at `address`.
    pub(crate) fn at(world: &mut World, number: u16, address: SocketAddr, node: usize) -> Peer {
        world.add_station(address);
        let mut id = [0xb0; 16];
        id[14..].copy_from_slice(&number.to_be_bytes());
        let (node, node_address) = (world.peer(node), world.address(node));
        Peer { id: PeerId(id), address, node, node_address, size: 0 }
    }

    /// The bytes of a packet to the node.
    pub(crate) fn packet(&self, channel: u32, messages: &[Message]) -> Vec<u8> {
        let mut payload = Vec::new();
        messages.iter().for_each(|message| write_message(&mut payload, message));
        self.raw_packet(channel, &payload)
    }

    /// The bytes of a packet to the node with any payload.
    pub(crate) fn raw_packet(&self, channel: u32, payload: &[u8]) -> Vec<u8> {
        let size = self.size.max(ENVELOPE + payload.len());
        packet(self.id, self.node, channel, payload, size)
    }

    /// Sends one packet.
    pub(crate) fn send(&self, world: &mut World, channel: u32, messages: &[Message]) {
        let bytes = self.packet(channel, messages);
        world.inject(self.address, self.node_address, &bytes);
    }

    /// What the node sent us since we last looked.
    pub(crate) fn receive(&self, world: &mut World) -> Vec<Packet> {
        let inbox = world.take_inbox(self.address);
        inbox.iter().map(|datagram| parse(datagram.from, &datagram.bytes)).collect()
    }

    /// Sends one packet, lets it arrive, and returns the messages of the answers.
    pub(crate) fn ask(
        &self,
        world: &mut World,
        channel: u32,
        messages: &[Message],
    ) -> Vec<Message> {
        self.send(world, channel, messages);
        world.run_for(std::time::Duration::from_millis(100));
        let packets = self.receive(world);
        packets.into_iter().flat_map(|packet| packet.messages).collect()
    }

    /// Sends NEW and returns the channel id and cookie2 of the node's answer, if it answers.
    pub(crate) fn ask_new(&self, world: &mut World, half: u16) -> Option<(u32, u32)> {
        let padded = Peer { size: self.size.max(128), ..*self };
        let answers = padded.ask(world, DEFAULT, &[Message::New { half, cookie1: 77 }]);
        answers.into_iter().find_map(|message| {
            let Message::Acknowledge { id, cookie1, cookie2 } = message else {
                return None;
            };
            assert_eq!(cookie1, 77, "cookie1 is echoed");
            assert_eq!(id as u16, half, "our half is kept");
            assert_ne!(id >> 16, 0xf0f0, "the node chose its half");
            Some((id, cookie2))
        })
    }

    /// Opens a channel as initiator and returns its id on the wire, if the node answers.
    pub(crate) fn open(&self, world: &mut World, half: u16) -> Option<u32> {
        let (id, cookie2) = self.ask_new(world, half)?;
        let finalize = Message::Finalize { id, cookie2, capabilities: 0 };
        self.ask(world, DEFAULT, &[finalize]);
        Some(id)
    }

    /// The half and cookie1 of the newest NEW that the node sent us.
    pub(crate) fn newest_new(&self, world: &mut World) -> Option<(u16, u32)> {
        let packets = self.receive(world);
        packets.iter().flat_map(|packet| &packet.messages).rev().find_map(|message| {
            let Message::New { half, cookie1 } = message else {
                return None;
            };
            Some((*half, *cookie1))
        })
    }
}

/// The bytes of a packet of `size` bytes.
pub(crate) fn packet(
    sender: PeerId,
    recipient: PeerId,
    channel: u32,
    payload: &[u8],
    size: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&0x0c22_9d94_u32.to_be_bytes());
    out.extend_from_slice(&sender.0);
    out.extend_from_slice(&recipient.0);
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(size as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    out.extend_from_slice(payload);
    let padding = size - ENVELOPE - payload.len();
    out.resize(size - 4, (padding % 255) as u8);
    out.extend_from_slice(&[0; 4]);
    seal(&mut out);
    out
}

/// Writes the checksum that the other bytes have.
pub(crate) fn seal(packet: &mut [u8]) {
    let Some(end) = packet.len().checked_sub(4) else {
        return;
    };
    let sum = crc32c(&packet[..end]);
    packet[end..].copy_from_slice(&sum.to_be_bytes());
}

/// Writes a message.
pub(crate) fn write_message(out: &mut Vec<u8>, message: &Message) {
    match message {
        Message::New { half, cookie1 } => {
            out.push(10);
            out.extend_from_slice(&half.to_be_bytes());
            out.extend_from_slice(&cookie1.to_be_bytes());
        }
        Message::Acknowledge { id, cookie1, cookie2 } => {
            out.push(11);
            [id, cookie1, cookie2].iter().for_each(|v| out.extend_from_slice(&v.to_be_bytes()));
        }
        Message::Finalize { id, cookie2, capabilities } => {
            out.push(12);
            [id, cookie2].iter().for_each(|v| out.extend_from_slice(&v.to_be_bytes()));
            out.extend_from_slice(&capabilities.to_be_bytes());
        }
        Message::Cookie { cookie, capabilities } => {
            out.push(13);
            out.extend_from_slice(&cookie.to_be_bytes());
            out.extend_from_slice(&capabilities.to_be_bytes());
        }
        Message::Data(bytes) => {
            out.push(20);
            write_varint(out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
    }
}

/// Writes a varint: groups of seven bits from the top, one taken off each but the last.
pub(crate) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    let mut groups = vec![(value & 0x7f) as u8];
    value >>= 7;
    while value > 0 {
        value -= 1;
        groups.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.extend(groups.iter().rev());
}

/// Reads a packet of a node, and checks every field that the wire page fixes.
///
/// Panics on anything that is not as that page says: nodes send nothing else.
pub(crate) fn parse(from: SocketAddr, bytes: &[u8]) -> Packet {
    assert!(bytes.len() >= ENVELOPE, "a node sent a short packet: {bytes:02x?}");
    assert_eq!(word(bytes, 0), 0x0c22_9d94, "protocol id");
    assert_eq!(half(bytes, 40) & !2, 0, "flags");
    assert_eq!(half(bytes, 42) as usize, bytes.len(), "packet size");
    let end = 48 + half(bytes, 46) as usize;
    assert!(end + 4 <= bytes.len(), "payload size");
    let padding = &bytes[end..bytes.len() - 4];
    assert!(padding.iter().all(|&byte| usize::from(byte) == padding.len() % 255), "padding");
    assert_eq!(word(bytes, bytes.len() - 4), crc32c(&bytes[..bytes.len() - 4]), "sum");
    let mut messages = Vec::new();
    let mut rest = &bytes[48..end];
    while !rest.is_empty() {
        let (message, len) = parse_message(rest);
        messages.push(message);
        rest = &rest[len..];
    }
    Packet {
        from,
        sender: PeerId(bytes[4..20].try_into().expect("16 bytes")),
        recipient: PeerId(bytes[20..36].try_into().expect("16 bytes")),
        channel: word(bytes, 36),
        messages,
        len: bytes.len(),
    }
}

fn parse_message(bytes: &[u8]) -> (Message, usize) {
    match bytes[0] {
        10 => (Message::New { half: half(bytes, 1), cookie1: word(bytes, 3) }, 7),
        11 => {
            let (id, cookie1, cookie2) = (word(bytes, 1), word(bytes, 5), word(bytes, 9));
            (Message::Acknowledge { id, cookie1, cookie2 }, 13)
        }
        12 => {
            let (id, cookie2, capabilities) = (word(bytes, 1), word(bytes, 5), half(bytes, 9));
            (Message::Finalize { id, cookie2, capabilities }, 11)
        }
        13 => (Message::Cookie { cookie: word(bytes, 1), capabilities: half(bytes, 5) }, 7),
        20 => {
            let mut len = usize::from(bytes[1] & 0x7f);
            let mut at = 1;
            while bytes[at] & 0x80 != 0 {
                at += 1;
                len = (len + 1) << 7 | usize::from(bytes[at] & 0x7f);
            }
            let end = at + 1 + len;
            (Message::Data(bytes[at + 1..end].to_vec()), end)
        }
        other => panic!("a node sent message type {other}: {bytes:02x?}"),
    }
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().expect("2 bytes"))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

/// CRC-32C (Castagnoli), a byte at a time.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let (mut value, mut bit) = (index as u32, 0);
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0x82f6_3b78 } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    let step = |sum: u32, byte: &u8| sum >> 8 ^ TABLE[(sum as u8 ^ byte) as usize];
    !bytes.iter().fold(u32::MAX, step)
}

/// The check value of the algorithm.
#[test]
fn the_checksum_is_crc_32c() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

/// The examples of the wire page.
#[test]
fn varints_are_those_of_the_wire_page() {
    let write = |value| {
        let mut out = Vec::new();
        write_varint(&mut out, value);
        out
    };
    assert_eq!(write(127), [0x7f]);
    assert_eq!(write(128), [0x80, 0]);
    assert_eq!(write(255), [0x80, 0x7f]);
    assert_eq!(write(16_511), [0xff, 0x7f]);
    assert_eq!(write(16_512), [0x80, 0x80, 0]);
    assert_eq!(write(u32::MAX.into()), [0x8e, 0xfe, 0xfe, 0xfe, 0x7f]);
}
