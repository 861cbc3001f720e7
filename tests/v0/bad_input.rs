//! Aim: every input that crashes, hangs or fools the reference leaves a node unharmed: it counts
//! it, and still establishes a channel afterwards.
//! Method: a live node with an open channel, and packets bent by hand.

use channeler::id::PeerId;
use channeler::node::DropReason;
use channeler::sim::{Random, World};

use crate::tools::{MILLI, SECOND, assert_alive, dropped, one_node};
use crate::v0::{DEFAULT, Message, Peer, packet, seal, write_message, write_varint};

#[test]
fn an_all_zero_datagram_of_any_size_is_counted() {
    assert_survives(|_, _| (1..200).map(|len| vec![0; len]).collect());
}

#[test]
fn every_wrong_packet_size_field_is_counted() {
    assert_survives(|peer, id| {
        let good = peer.packet(id, &[Message::Data(b"hello".to_vec())]);
        let sizes = (0..52).chain([53, good.len() as u16 + 1, 1_500, 40_000, u16::MAX]);
        let wrong = sizes.filter(|&size| usize::from(size) != good.len());
        wrong
            .map(|size| {
                let mut bytes = good.clone();
                bytes[42..44].copy_from_slice(&size.to_be_bytes());
                seal(&mut bytes);
                bytes
            })
            .collect()
    });
}

#[test]
fn every_payload_size_past_the_packet_is_counted() {
    assert_survives(|peer, id| {
        let good = peer.packet(id, &[Message::Data(b"hello".to_vec())]);
        [8_u16, 9, 10, 11, 12, 100, 40_000, u16::MAX]
            .into_iter()
            .map(|size| {
                let mut bytes = good.clone();
                bytes[46..48].copy_from_slice(&size.to_be_bytes());
                seal(&mut bytes);
                bytes
            })
            .collect()
    });
}

#[test]
fn every_cut_of_a_packet_is_counted() {
    assert_survives(|peer, id| {
        let good = peer.packet(id, &[Message::Data(b"hello".to_vec())]);
        (1..good.len()).map(|len| good[..len].to_vec()).collect()
    });
}

#[test]
fn a_data_length_past_the_packet_is_counted() {
    assert_survives(|peer, id| {
        [6_u64, 7, 127, 128, 1_000, 16_384, 16_511, 1 << 31, 1 << 32, u64::MAX - 8, u64::MAX]
            .into_iter()
            .map(|len| {
                let mut payload = vec![20];
                write_varint(&mut payload, len);
                payload.extend_from_slice(b"hello");
                peer.raw_packet(id, &payload)
            })
            .collect()
    });
}

#[test]
fn a_varint_that_overflows_or_never_ends_is_counted() {
    assert_survives(|peer, id| {
        let endless = [vec![0x80; 100], vec![0xff; 100], vec![0xff; 9], vec![0xff; 10]];
        let as_type = endless.iter().map(|bytes| peer.raw_packet(id, bytes));
        let as_length =
            endless.iter().map(|bytes| peer.raw_packet(id, &[&[20], &bytes[..]].concat()));
        as_type.chain(as_length).collect()
    });
}

#[test]
fn fixed_size_messages_cut_anywhere_are_counted() {
    assert_survives(|peer, _| {
        let messages = [
            Message::New { half: 1, cookie1: 2 },
            Message::Acknowledge { id: 3, cookie1: 4, cookie2: 5 },
            Message::Finalize { id: 6, cookie2: 7, capabilities: 0 },
            Message::Cookie { cookie: 8, capabilities: 0 },
        ];
        let mut packets = Vec::new();
        for message in &messages {
            let mut payload = Vec::new();
            write_message(&mut payload, message);
            packets.extend((1..payload.len()).map(|len| peer.raw_packet(DEFAULT, &payload[..len])));
        }
        packets
    });
}

#[test]
fn message_types_that_do_not_exist_are_counted() {
    assert_survives(|peer, id| {
        // 65,546 is 10 for a reader that wraps at 16 bits.
        [0_u64, 1, 9, 14, 19, 21, 22, 23, 127, 128, 65_535, 65_546, u64::MAX]
            .into_iter()
            .map(|kind| {
                let mut payload = Vec::new();
                write_varint(&mut payload, kind);
                payload.extend_from_slice(&[0; 20]);
                peer.raw_packet(id, &payload)
            })
            .collect()
    });
}

#[test]
fn wrong_protocol_sender_recipient_and_checksum_are_counted_by_reason() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 7).expect("answered");
    let mut payload = Vec::new();
    write_message(&mut payload, &Message::Data(b"x".to_vec()));
    let good = peer.raw_packet(id, &payload);
    let mut protocol = good.clone();
    protocol[1] ^= 1;
    seal(&mut protocol);
    let mut checksum = good.clone();
    checksum[50] ^= 1;
    let recipient = packet(peer.id, PeerId([9; 16]), id, &payload, 60);
    let sender = packet(peer.node, peer.node, id, &payload, 60);
    for (bytes, reason) in [
        (protocol, DropReason::UnknownProtocol),
        (checksum, DropReason::BadChecksum),
        (recipient, DropReason::WrongRecipient),
        (sender, DropReason::WrongSender),
    ] {
        world.inject(peer.address, peer.node_address, &bytes);
        world.run_for(MILLI);
        assert_eq!(dropped(&world, 0, reason), 1, "{reason:?}");
    }
    assert_eq!(world.node(0).stats().messages_received, 0);
    assert_alive(&mut world, 0, 2);
}

#[test]
fn an_empty_datagram_is_survived() {
    let mut world = one_node();
    world.inject(([10, 9, 9, 9], 9).into(), world.address(0), &[]);
    world.run_for(SECOND);
    assert_alive(&mut world, 0, 2);
}

#[test]
fn an_empty_data_message_is_survived() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 7).expect("answered");
    peer.ask(&mut world, id, &[Message::Data(Vec::new()), Message::Data(b"after".to_vec())]);
    let channel = world.opened(0, 0)[0].1;
    let received = world.receive_all(0, channel);
    assert_eq!(received.last().map(|message| &message[..]), Some(&b"after"[..]));
    assert_alive(&mut world, 0, 2);
}

#[test]
fn a_data_length_whose_varint_ends_at_the_end_of_the_payload_is_valid() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 7).expect("answered");
    // DATA of length 0 as the very last byte: the reference refuses it.
    world.inject(peer.address, peer.node_address, &peer.raw_packet(id, &[20, 1, b'x', 20, 0]));
    world.run_for(SECOND);
    assert_eq!(dropped(&world, 0, DropReason::MalformedMessage), 0);
    let channel = world.opened(0, 0)[0].1;
    assert_eq!(world.receive(0, channel).as_deref(), Some(&b"x"[..]));
}

#[test]
fn messages_around_the_lengths_that_the_reference_encodes_wrongly_arrive() {
    let mut world = World::new(1);
    for _ in 0..2 {
        world.add_v0(|config| config.packet_size = 65_507);
    }
    let pair = world.establish(0, 1);
    for len in [16_383, 16_384, 16_400, 16_511, 16_512, 32_768, 65_000] {
        let message = vec![len as u8; len];
        world.send(0, pair.channel, &message).expect("fits");
        world.run_for(MILLI);
        assert_eq!(world.receive(1, pair.peer_channel), Some(message), "{len}");
    }
}

#[test]
fn the_encrypted_flag_is_no_plain_packet() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 7).expect("answered");
    let mut bytes = peer.packet(id, &[Message::Data(b"ciphertext".to_vec())]);
    bytes[41] |= 1;
    seal(&mut bytes);
    world.inject(peer.address, peer.node_address, &bytes);
    world.run_for(SECOND);
    assert_eq!(world.node(0).stats().messages_received, 0);
    assert_eq!(world.node(0).stats().dropped_total(), 1);
    assert_alive(&mut world, 0, 2);
}

#[test]
fn random_bytes_with_and_without_a_valid_envelope_are_survived() {
    let mut random = Random::new(5);
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 7).expect("answered");
    for round in 0..5_000 {
        let len = random.index(200);
        let garbage = random.vec(len);
        let channel = if round % 2 == 0 { id } else { DEFAULT };
        let bytes = if round % 3 == 0 { garbage } else { peer.raw_packet(channel, &garbage) };
        world.inject(peer.address, peer.node_address, &bytes);
        world.run_for(MILLI / 100);
    }
    assert!(world.node(0).stats().dropped_total() > 1_000);
    assert_alive(&mut world, 0, 2);
}

/// Feeds bad datagrams to a node with an open channel: alone, and as one buffer where sizes allow.
/// Each is counted, none delivers anything, and the node goes on.
fn assert_survives(bad: impl Fn(&Peer, u32) -> Vec<Vec<u8>>) {
    for gro_max in [1, 64] {
        let mut world = one_node();
        world.gro_max = gro_max;
        let peer = Peer::new(&mut world, 1, 0);
        let id = peer.open(&mut world, 7).expect("answered");
        let datagrams = bad(&peer, id);
        let before = world.node(0).stats();
        for bytes in &datagrams {
            world.inject(peer.address, peer.node_address, bytes);
        }
        world.run_for(SECOND);
        let after = world.node(0).stats();
        let count = datagrams.len() as u64;
        assert_eq!(after.datagrams_received - before.datagrams_received, count);
        assert_eq!(after.dropped_total() - before.dropped_total(), count, "each is counted");
        assert_eq!(after.messages_received, before.messages_received);
        assert_eq!((after.connections, after.channels), (1, 1));
        let channel = world.opened(0, 0)[0].1;
        peer.ask(&mut world, id, &[Message::Data(b"fine".to_vec())]);
        assert_eq!(world.receive_all(0, channel), [b"fine"], "the open channel goes on");
        assert_alive(&mut world, 0, 2);
    }
}
