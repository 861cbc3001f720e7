//! Aim: malformed bytes that others wrote down leave a live node unharmed, and each is counted.
//! Method: the project's own vectors, and the reference's from the directory that
//! `CHANNELER_VECTORS` names, fed to a node that has the peer id they are addressed to.

use std::path::{Path, PathBuf};

use channeler::id::PeerId;
use channeler::sim::World;
use serde_json::Value;

use crate::tools::{SECOND, assert_alive};
use crate::v0::{Message, Peer};

/// The recipient in our vectors.
const RECIPIENT: &str = "f0efeeedecebeae9e8e7e6e5e4e3e2e1";

/// The recipient in the reference's vectors.
const RECIPIENT_THERE: &str = "f0e0d0c0b0a090807060504030201000";

#[test]
fn every_bad_packet_of_our_vectors_is_counted_by_a_live_node() {
    let vectors = own();
    let cases = list(&vectors["packets"]["bad"]).iter();
    // A datagram of no bytes is no datagram for the node.
    let datagrams: Vec<_> =
        cases.map(|case| bytes(&case["hex"])).filter(|bytes| !bytes.is_empty()).collect();
    let (mut world, peer, _) = world(RECIPIENT);
    for datagram in &datagrams {
        let before = world.node(0).stats().dropped_total();
        world.inject(peer.address, peer.node_address, datagram);
        world.run_for(SECOND / 100);
        let counted = world.node(0).stats().dropped_total() - before;
        assert_eq!(counted, 1, "{datagram:02x?}");
    }
    assert_alive(&mut world, 0, 2);
}

#[test]
fn every_bad_message_of_our_vectors_is_counted_by_a_live_node() {
    let vectors = own();
    let (mut world, peer, id) = world(RECIPIENT);
    for case in list(&vectors["messages"]["bad"]) {
        let payload = bytes(&case["hex"]);
        let before = world.node(0).stats();
        world.inject(peer.address, peer.node_address, &peer.raw_packet(id, &payload));
        world.run_for(SECOND / 100);
        let after = world.node(0).stats();
        let counted = after.dropped_total() - before.dropped_total();
        assert_eq!(counted, u64::from(!payload.is_empty()), "{case}");
        assert_eq!(after.messages_received, before.messages_received, "{case}");
    }
    assert_alive(&mut world, 0, 2);
}

#[test]
fn every_payload_of_our_vectors_delivers_what_stands_before_its_error() {
    let vectors = own();
    let (mut world, peer, id) = world(RECIPIENT);
    let channel = world.opened(0, 0)[0].1;
    for case in list(&vectors["payloads"]) {
        let before = world.node(0).stats();
        world.inject(peer.address, peer.node_address, &peer.raw_packet(id, &bytes(&case["hex"])));
        world.run_for(SECOND / 100);
        let counted = world.node(0).stats().dropped_total() > before.dropped_total();
        assert!(counted || case["error"].is_null(), "{case}");
        let types = case["types"].as_array().expect("a list");
        let data = types.iter().filter(|name| *name == "DATA").count();
        assert!(world.receive_all(0, channel).len() <= data, "{case}");
    }
    assert_alive(&mut world, 0, 2);
}

#[test]
fn malformed_packets_of_the_reference_leave_a_live_node_unharmed() {
    let Some(vectors) = reference("malformed_packets.json") else { return };
    let (mut world, peer, _) = world(RECIPIENT_THERE);
    for case in list(&vectors["cases"]) {
        world.inject(peer.address, peer.node_address, &bytes(&case["hex"]));
        world.run_for(SECOND / 100);
    }
    assert!(world.node(0).stats().dropped_total() > 10);
    assert_alive(&mut world, 0, 2);
}

#[test]
fn malformed_messages_of_the_reference_leave_a_live_node_unharmed() {
    let Some(vectors) = reference("malformed_messages.json") else { return };
    let (mut world, peer, id) = world(RECIPIENT);
    let iteration = list(&vectors["iteration"]).iter();
    for case in list(&vectors["single"]).iter().chain(iteration) {
        let payload = bytes(&case["hex"]);
        for channel in [id, crate::v0::DEFAULT] {
            let datagram = peer.raw_packet(channel, &payload);
            world.inject(peer.address, peer.node_address, &datagram);
            world.run_for(SECOND / 100);
        }
    }
    assert!(world.node(0).stats().dropped_total() > 100);
    assert_alive(&mut world, 0, 2);
}

/// A node with this peer id, and a peer with an open channel to it.
fn world(peer_id: &str) -> (World, Peer, u32) {
    let mut world = World::new(1);
    let peer_id: PeerId = peer_id.parse().expect("a peer id");
    world.add_v0(|config| config.peer_id = peer_id);
    let peer = Peer::new(&mut world, 1, 0);
    let id = peer.open(&mut world, 7).expect("answered");
    peer.ask(&mut world, id, &[Message::Data(b"works".to_vec())]);
    assert_eq!(world.node(0).stats().messages_received, 1);
    let channel = world.opened(0, 0)[0].1;
    world.receive_all(0, channel);
    (world, peer, id)
}

fn own() -> Value {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/v0.json"))
}

fn reference(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("CHANNELER_VECTORS") else {
        eprintln!("CHANNELER_VECTORS is not set: {name} was not fed");
        return None;
    };
    Some(load(&PathBuf::from(folder).join(name)))
}

fn load(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    serde_json::from_str(&text).expect("the vectors are JSON")
}

/// The elements of a list that must not be empty, or its tests would prove nothing.
fn list(value: &Value) -> &[Value] {
    let list = value.as_array().expect("a list");
    assert!(!list.is_empty(), "an empty list of vectors");
    list
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().expect("hexadecimal digits");
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits")).collect()
}
