//! A node and QUIC channels on one socket, told apart by the first byte of each datagram.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use channeler::config::{ChannelConfig, NodeConfig};
use channeler::engine::{Engine, EngineConfig, Handler};
use channeler::id::{ChannelHandle, ConnectionHandle, PeerId};
use channeler::io::Event;
use channeler::node::Dial;
use channeler::quic::QuicEvent;

use super::world::{TEAM, config, identity};

const PATIENCE: Duration = Duration::from_secs(20);

enum Heard {
    Node(Event),
    Quic(QuicEvent),
}

struct Listener(Sender<Heard>);

impl Handler for Listener {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        true
    }

    fn event(&mut self, event: &Event, _bytes: &[u8]) {
        // The test may be over.
        let _over = self.0.send(Heard::Node(event.clone()));
    }

    fn quic_event(&mut self, event: &QuicEvent) {
        let _over = self.0.send(Heard::Quic(event.clone()));
    }
}

fn engine(number: usize) -> (Engine, Receiver<Heard>, SocketAddr) {
    let (sender, heard) = channel();
    let node = NodeConfig::new(PeerId([0; 16]));
    let node = Some((node, Some(identity(number))));
    let handler = Box::new(Listener(sender));
    let engine = Engine::with_quic_channels(EngineConfig::default(), node, config(number), handler)
        .expect("good settings");
    let address = engine.bind("127.0.0.1:0".parse().expect("an address")).expect("a socket");
    engine.start().expect("a thread");
    (engine, heard, address)
}

// spec: 2.1 first byte
#[test]
fn version_1_and_quic_flow_side_by_side_on_one_port() {
    let (first, _heard, _) = engine(0);
    let (second, heard, to) = engine(1);
    let dial = Dial::v1(identity(1).peer_id(), to);
    let open = first.with_node(|node, now| {
        let connection = node.connect(now, &dial)?;
        node.open_channel(now, connection, &ChannelConfig::default())
    });
    let channel: ChannelHandle = open.expect("alive").expect("a channel");
    for number in 0..100_u8 {
        let sent = first.with_node(|node, now| node.send(now, channel, &[number; 50]));
        assert_eq!(sent, Ok(Ok(())));
        let sent = first.with_quic(|quic, now| quic.send(now, to, TEAM, "x", &[number; 60]));
        assert_eq!(sent, Ok(Ok(())));
    }
    let (mut by_node, mut by_quic) = (0, 0);
    while by_node < 100 || by_quic < 100 {
        match heard.recv_timeout(PATIENCE).expect("messages come") {
            Heard::Node(Event::Readable { channel, .. }) => {
                let mut target = [0; 64];
                let receive = |target: &mut [u8; 64]| {
                    second.with_node(|node, now| node.receive(now, channel, target))
                };
                while let Ok(Ok(received)) = receive(&mut target) {
                    assert_eq!((received.len, target[0]), (50, by_node));
                    by_node += 1;
                }
            }
            Heard::Quic(QuicEvent::Readable) => {
                let mut target = [0; 64];
                let receive =
                    |target: &mut [u8; 64]| second.with_quic(|quic, now| quic.receive(now, target));
                while let Ok(Ok(Some((_, len)))) = receive(&mut target) {
                    assert_eq!((len, target[0]), (60, by_quic));
                    by_quic += 1;
                }
            }
            Heard::Node(_) | Heard::Quic(_) => {}
        }
    }
}

#[test]
fn an_engine_without_one_of_them_says_so() {
    let handler = || Box::new(Listener(channel().0));
    let alone = Engine::with_quic_channels(EngineConfig::default(), None, config(0), handler());
    let alone = alone.expect("good settings");
    assert_eq!(alone.with_node(|_, _| ()), Err(channeler::error::Error::Unsupported));
    let node = Engine::new(NodeConfig::new(PeerId([0; 16])), Some(identity(1)), handler());
    let node = node.expect("good settings");
    assert_eq!(node.with_quic(|_, _| ()), Err(channeler::error::Error::Unsupported));
}
