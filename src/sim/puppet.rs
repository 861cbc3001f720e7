//! A peer of a node that keeps the protocol until it is connected, and then does what it is told.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::world::World;
use crate::connection::handshake::pair::{End, Node};
use crate::crypto::{ReplayWindow, SealInfo, TlsOptions};
use crate::id::{ChannelNumber, PathId, Side, Token};
use crate::time::Time;
use crate::wire::frame::{Ack, Data, Frame, Frames, Place, write_ack};
use crate::wire::long::LongHeader;
use crate::wire::params::Params;
use crate::wire::ranges::RANGES_MAX;
use crate::wire::{TAG_LEN, Writer, short};

/// A peer that dialled a node of a [`World`], all keys in hand. It acknowledges nothing, answers
/// nothing and heeds no limit unless told so.
pub struct Puppet {
    address: SocketAddr,
    node: usize,
    end: End,
    window: ReplayWindow,
    next_number: u64,
    token: Token,
    params: Params,
    opened: Vec<Packet>,
    /// Numbers of the packets that came.
    seen: BTreeSet<u64>,
}

/// A short packet of the node's, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When it came.
    pub at: Time,
    /// Its number.
    pub number: u64,
    /// Its channel.
    pub channel: ChannelNumber,
    /// Its messages.
    pub payload: Vec<u8>,
    /// Bytes of its datagram.
    pub size: usize,
}

impl Packet {
    /// Its messages, but padding.
    ///
    /// # Panics
    ///
    /// When the node sends what cannot be read.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        let frames = Frames::new(Place::Short, &self.payload);
        let frames = frames.map(|frame| frame.expect("a node sends what can be read"));
        frames.filter(|frame| !matches!(frame, Frame::Padding { .. }))
    }
}

impl Puppet {
    /// Dials node `node` from `address`, with a key that follows from `seed`, until the node is
    /// connected.
    ///
    /// # Panics
    ///
    /// When that takes more than 10 s.
    pub fn connect(world: &mut World, node: usize, address: SocketAddr, seed: u64) -> Puppet {
        let options = TlsOptions { post_quantum: false, ..TlsOptions::default() };
        let mut end = End::new(Node::new(seed, options), Some(world.peer(node)));
        end.dial(world.now());
        world.add_station(address);
        let deadline = world.now() + Duration::from_secs(10);
        loop {
            assert!(world.now() < deadline, "no handshake: {:?}", end.failure);
            while let Some(bytes) = end.poll_transmit(world.now()) {
                world.inject(address, world.address(node), &bytes);
            }
            // The initiator has nothing more to say; the short packet after it confirms.
            if end.complete.is_some() {
                break;
            }
            world.run_for(Duration::from_millis(1));
            for inbox in world.take_inbox(address) {
                receive_long(&mut end, world.now(), inbox.bytes);
            }
        }
        let complete = end.complete.as_ref().expect("the loop ended");
        let (params, next_number) = (complete.params.clone(), complete.next_number);
        let mut puppet = Puppet {
            address,
            node,
            end,
            window: ReplayWindow::new(),
            next_number,
            token: params.token,
            params,
            opened: Vec::new(),
            seen: BTreeSet::new(),
        };
        puppet.send(world, ChannelNumber::NONE, &[Frame::Ping]);
        world.run_for(Duration::from_millis(100));
        puppet.listen(world);
        puppet.ack(world);
        puppet
    }

    /// What the node allows at first.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The number that its next packet has.
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Sends a packet of `channel` with these messages; its number.
    ///
    /// # Panics
    ///
    /// When the messages do not fit one datagram.
    pub fn send(&mut self, world: &mut World, channel: ChannelNumber, frames: &[Frame<'_>]) -> u64 {
        let mut payload = vec![0; frames.iter().map(Frame::encoded_len).sum()];
        let mut writer = Writer::new(&mut payload);
        for frame in frames {
            frame.encode(&mut writer).expect("measured above");
        }
        self.send_raw(world, channel, &payload)
    }

    /// Sends DATA of `channel`, alone in its packet.
    pub fn send_data(&mut self, world: &mut World, channel: ChannelNumber, data: Data<'_>) -> u64 {
        self.send(world, channel, &[Frame::Data(data)])
    }

    /// Sends a packet of `channel` with whatever payload; its number.
    ///
    /// # Panics
    ///
    /// When the keys are used up.
    pub fn send_raw(&mut self, world: &mut World, channel: ChannelNumber, payload: &[u8]) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let size = (HEADER_LEN + payload.len() + TAG_LEN).max(short::SIZE_MIN);
        let mut packet = vec![0; size];
        packet[short::TOKEN_OFFSET..short::CHANNEL_OFFSET].copy_from_slice(&self.token.0);
        packet[HEADER_LEN..][..payload.len()].copy_from_slice(payload);
        let info = SealInfo { channel, path: PathId::ZERO, number, number_len: NUMBER_LEN };
        let epochs = self.end.epochs.as_mut().expect("connected");
        epochs.seal(&info, &mut packet).expect("few packets were sealed");
        world.inject(self.address, world.address(self.node), &packet);
        number
    }

    /// Opens what came; it is returned by `take`.
    ///
    /// # Panics
    ///
    /// When the node sends a short packet that does not open.
    pub fn listen(&mut self, world: &mut World) {
        for inbox in world.take_inbox(self.address) {
            let (at, mut bytes, size) = (inbox.at, inbox.bytes.clone(), inbox.bytes.len());
            if bytes[0] >> 6 != 0b10 {
                receive_long(&mut self.end, at, bytes);
                continue;
            }
            let epochs = self.end.epochs.as_mut().expect("connected");
            let opened = epochs.open(at, PathId::ZERO, &mut self.window, &mut bytes, |_| true);
            let Ok(opened) = opened else {
                // The network may have sent it twice.
                continue;
            };
            let (number, channel) = (opened.number, opened.channel);
            self.seen.insert(number);
            let payload = bytes[opened.payload].to_vec();
            self.opened.push(Packet { at, number, channel, payload, size });
        }
    }

    /// Takes what came, opened.
    pub fn take(&mut self, world: &mut World) -> Vec<Packet> {
        self.listen(world);
        std::mem::take(&mut self.opened)
    }

    /// Acknowledges everything that came so far.
    pub fn ack(&mut self, world: &mut World) {
        self.listen(world);
        let ranges = ranges_of(&self.seen);
        if !ranges.is_empty() {
            self.ack_ranges(world, &ranges);
        }
    }

    /// Sends an ACK of these ranges, newest first, whether or not such packets came.
    ///
    /// # Panics
    ///
    /// When there is none, or they cannot be written.
    pub fn ack_ranges(&mut self, world: &mut World, ranges: &[RangeInclusive<u64>]) {
        let mut payload = vec![0; 1_000];
        let mut writer = Writer::new(&mut payload);
        let ranges = ranges.iter().cloned();
        write_ack(&mut writer, PathId::ZERO, 0, None, ranges).expect("room");
        let len = writer.position();
        self.send_raw(world, ChannelNumber::NONE, &payload[..len]);
    }

    /// Lets time pass, and acknowledges what comes, each 10 ms.
    pub fn run(&mut self, world: &mut World, span: Duration) {
        let end = world.now() + span;
        while world.now() < end {
            world.run_for(Duration::from_millis(10).min(end - world.now()));
            let before = self.opened.len();
            self.listen(world);
            let asks = |packet: &Packet| {
                packet.frames().any(|frame| !matches!(frame, Frame::Ack(Ack { .. })))
            };
            if self.opened[before..].iter().any(asks) {
                self.ack(world);
            }
        }
    }
}

/// Numbers as ranges, newest first, no more than go into one message.
fn ranges_of(seen: &BTreeSet<u64>) -> Vec<RangeInclusive<u64>> {
    let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
    for &number in seen.iter().rev() {
        let is_full = ranges.len() == RANGES_MAX;
        match ranges.last_mut() {
            Some(last) if *last.start() == number + 1 => *last = number..=*last.end(),
            _ if is_full => break,
            _ => ranges.push(number..=number),
        }
    }
    ranges
}

fn receive_long(end: &mut End, now: Time, mut bytes: Vec<u8>) {
    let mut at = 0;
    while let Ok(header) = LongHeader::parse(&bytes[at..]) {
        if let Some(handshake) = &mut end.handshake {
            handshake.handle_packet(now, &header, &mut bytes[at..at + header.size]);
        }
        at += header.size;
        end.take_events(now, Side::Initiator);
    }
}

/// The longest numbers, so that none needs to be guessed.
const NUMBER_LEN: usize = 4;
const HEADER_LEN: usize = short::payload_offset(NUMBER_LEN);
