//! What happens after a socket was full, which the loopback never is: the slot is filled by hand.

use std::net::UdpSocket;

use super::*;
use crate::config::{ChannelConfig, Legacy};
use crate::id::PeerId;
use crate::info::Dial;
use crate::io::{Event, Local};

#[test]
fn what_found_its_socket_full_leaves_first_and_from_where_it_stopped() {
    let (shared, receiver) = blocked_engine(b"left already, still to go", 14);
    let progress = shared.send_queued(&mut Vec::new());
    assert_eq!(progress, Ok(Progress::Rests));
    let mut bytes = [0; 100];
    let len = receiver.recv(&mut bytes).expect("it came");
    assert_eq!(&bytes[..len], b"still to go");
    assert!(shared.core().expect("open").blocked.is_empty());
}

#[test]
fn a_full_socket_is_tried_again_soon_and_not_at_once() {
    let (shared, _receiver) = blocked_engine(b"waiting", 0);
    assert_eq!(
        shared.plan_sleep(Time::ZERO, None).map(|plan| plan.wait()),
        Ok(Some(BLOCKED_RETRY))
    );
    let limit = Duration::from_millis(1);
    assert_eq!(shared.plan_sleep(Time::ZERO, Some(limit)).map(|plan| plan.wait()), Ok(Some(limit)));
}

#[test]
fn room_for_sending_is_reported_only_while_it_is_asked_for() {
    let (shared, _receiver) = blocked_engine(b"waiting", 0);
    let socket = shared.socket(0).expect("it was bound");
    let mut turn = shared.turn.lock().expect("no panic");
    assert!(!turn.is_woken(Duration::ZERO), "nobody asked");
    socket.watch_writable(&shared.registry, true);
    assert!(turn.is_woken(Duration::from_secs(5)), "the socket has room");
    socket.watch_writable(&shared.registry, false);
    assert!(!turn.is_woken(Duration::ZERO), "nobody asks any more");
}

#[test]
fn what_is_overdue_while_a_socket_is_full_does_not_keep_the_loop_turning() {
    let (shared, _receiver) = blocked_engine(b"waiting", 0);
    open_channel(&shared, "127.0.0.1:9");
    let mut core = shared.core().expect("open");
    while core.parts.poll_transmit(Time::ZERO, &mut Vec::new()).is_some() {}
    let due = core.parts.poll_timeout().expect("the channel is asked for again");
    drop(core);
    let plan = shared.plan_sleep(due + Duration::from_secs(1), None);
    assert_eq!(plan.map(|plan| plan.wait()), Ok(Some(BLOCKED_TURN)));
}

#[test]
fn a_flush_wakes_a_loop_that_has_to_tell_of_it() {
    let (shared, _receiver) = blocked_engine(b"waiting", 0);
    assert_eq!(shared.flush(), Ok(()));
    let plan = shared.plan_sleep(shared.now(), None).expect("open");
    assert_ne!(plan.wait(), Some(Duration::ZERO), "there is nothing to do");
    // No socket of ours reaches it, and whoever asked for it has woken the loop once already.
    open_channel(&shared, "[::1]:9");
    assert_eq!(shared.flush(), Ok(()));
    assert!(shared.core().expect("open").parts.has_events());
    assert!(shared.is_roused());
    assert_eq!(shared.counters.read().wakes, 1);
}

/// Has the node ask a peer for a channel.
fn open_channel(shared: &Shared, address: &str) {
    let address = address.parse().expect("an address");
    let mut core = shared.core().expect("open");
    let node = core.parts.node().expect("there is one");
    let connection = node.connect(Time::ZERO, &Dial::v0(PeerId([2; 16]), address)).expect("room");
    node.open_channel(Time::ZERO, connection, &ChannelConfig::default()).expect("room");
}

/// An engine with one socket, and a transmit that found it full after `sent` bytes.
fn blocked_engine(bytes: &[u8], sent: usize) -> (Shared, UdpSocket) {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("bind");
    receiver.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let node = NodeConfig { legacy: Legacy::Only, ..NodeConfig::new(PeerId([1; 16])) };
    let shared = Shared::new(EngineConfig::default(), Some((node, None)), None, Box::new(Deaf))
        .expect("engine");
    shared.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
    let transmit = Transmit {
        to: receiver.local_addr().expect("bound"),
        local: Local::default(),
        len: bytes.len(),
        segment_size: bytes.len(),
        ecn: Default::default(),
        connection: None,
    };
    let blocked = Blocked { transmit, sent, bytes: bytes.to_vec() };
    shared.core().expect("open").blocked.push(blocked);
    (shared, receiver)
}

/// Hears nothing.
struct Deaf;

impl Handler for Deaf {
    fn accept(&mut self, _: ConnectionHandle, _: PeerId, _: SocketAddr) -> bool {
        false
    }

    fn event(&mut self, _: &Event, _: &[u8]) {}
}
