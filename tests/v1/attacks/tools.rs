//! The attackers: one who sits on the path, and one who writes packets by hand.

use std::net::SocketAddr;
use std::time::Duration;

use channeler::crypto::LevelKeys;
use channeler::id::{AttemptId, ConnectionHandle, Level, Side};
use channeler::io::{Event, Local, Receive};
use channeler::node::CloseReason;
use channeler::sim::{Ecn, Link, Recorded, World};
use channeler::wire::Writer;
use channeler::wire::frame::Frame;
use channeler::wire::long::{Cookie, Kind, LongHeader, set_size};

use crate::tools::{MILLI, SECOND};

/// One way between two nodes.
pub(crate) const DELAY: Duration = Duration::from_millis(20);

/// Somebody on the path: whatever the nodes of a world send comes into its hands, and goes on only
/// if it sends it on.
pub(crate) struct Middle {
    address: SocketAddr,
    seen: u64,
    /// Everything that nodes sent so far.
    pub(crate) log: Vec<Recorded>,
}

impl Middle {
    /// Takes over all links of a world that has its nodes.
    pub(crate) fn new(world: &mut World) -> Middle {
        let address = SocketAddr::from(([10, 66, 0, 1], 66));
        world.network.set_all(Link::lossy(Duration::ZERO, 1.0));
        for node in 0..world.count() {
            let to = world.address(node);
            world.network.set_link(address, to, Link::with_delay(DELAY));
        }
        world.network.keep_recent(10_000);
        let seen = world.network.counters().sent;
        Middle { address, seen, log: Vec::new() }
    }

    /// Sends a datagram, with any source address on it.
    pub(crate) fn send(&self, world: &mut World, what: &Recorded) {
        let (from, to) = (what.station, what.to);
        let sent =
            world.network.send_as(world.now(), self.address, from, to, &what.bytes, Ecn::Unable);
        assert_eq!(sent, Ok(()));
    }

    /// Lets time pass; what nodes send becomes what `hand` makes of it.
    pub(crate) fn run(
        &mut self,
        world: &mut World,
        span: Duration,
        mut hand: impl FnMut(&Recorded) -> Vec<Recorded>,
    ) {
        let end = world.now() + span;
        loop {
            for datagram in self.taken(world) {
                hand(&datagram).iter().for_each(|out| self.send(world, out));
            }
            if !world.step(end) {
                return;
            }
        }
    }

    /// The same, and everything passes.
    pub(crate) fn pass(&mut self, world: &mut World, span: Duration) {
        self.run(world, span, |datagram| vec![datagram.clone()]);
    }

    /// What nodes sent since the last time, in order.
    pub(crate) fn taken(&mut self, world: &World) -> Vec<Recorded> {
        let sent = world.network.counters().sent;
        let count = (sent - std::mem::replace(&mut self.seen, sent)) as usize;
        assert!(count <= 10_000, "more than are kept");
        let new = world.network.recent().iter().take(count).rev();
        let new: Vec<_> = new.filter(|one| one.station != self.address).cloned().collect();
        // What we sent ourselves bears the source that we wrote on it, and our own links: the
        // network records the station.
        self.log.extend(new.iter().cloned());
        new
    }
}

/// `datagram` with other bytes.
pub(crate) fn with_bytes(datagram: &Recorded, bytes: Vec<u8>) -> Recorded {
    Recorded { bytes, ..datagram.clone() }
}

/// Hands a datagram to a node at once.
pub(crate) fn feed(world: &mut World, node: usize, from: SocketAddr, bytes: &[u8]) {
    let receive = Receive {
        from,
        local: Local::default(),
        stride: bytes.len().max(1),
        ecn: Default::default(),
    };
    world.feed(node, &receive, bytes);
}

/// How many events of any kind there were at each node.
pub(crate) fn event_counts(world: &World) -> Vec<usize> {
    let count = |node| {
        // What is lost is told late, and says nothing of what else came.
        let events = world.events(node).iter();
        events.filter(|one| !matches!(one.event, Event::MessagesSkipped { .. })).count()
    };
    (0..world.count()).map(count).collect()
}

/// The ids that a datagram of long packets shows to everybody: sender, recipient.
pub(crate) fn ids_of(datagram: &[u8]) -> (AttemptId, AttemptId) {
    let header = LongHeader::parse(datagram).expect("a long packet");
    (header.sender, header.recipient)
}

/// Whether a datagram begins with a long packet of a level.
pub(crate) fn is_level(datagram: &[u8], level: Level) -> bool {
    LongHeader::parse(datagram).is_ok_and(|header| header.kind == Kind::Sealed(level))
}

/// Whether a datagram begins with a short packet.
pub(crate) fn is_short(datagram: &[u8]) -> bool {
    datagram[0] >> 6 == 0b10
}

/// A datagram with one level 0 packet, made from nothing but what an observer knows.
pub(crate) struct Forgery<'a> {
    /// The recipient id of the first flight.
    pub(crate) original: AttemptId,
    /// Whose packet it is to be.
    pub(crate) side: Side,
    pub(crate) sender: AttemptId,
    pub(crate) recipient: AttemptId,
    pub(crate) number: u64,
    pub(crate) cookie: Cookie,
    pub(crate) frames: &'a [Frame<'a>],
}

impl Forgery<'_> {
    pub(crate) fn seal(&self) -> Vec<u8> {
        let kind = Kind::Sealed(Level::Initial);
        let (sender, recipient) = (self.sender, self.recipient);
        let header = LongHeader { kind, sender, recipient, cookie: self.cookie, size: 0 };
        let mut bytes = vec![0; 1_200];
        let mut writer = Writer::new(&mut bytes);
        header.write(&mut writer).expect("room");
        writer.u32(0).expect("room");
        for frame in self.frames {
            frame.encode(&mut writer).expect("room");
        }
        // The zeros behind it are PADDING.
        set_size(&mut bytes);
        let keys = LevelKeys::initial(self.original, self.side);
        keys.local.seal(self.number, header.number_offset(), &mut bytes);
        bytes
    }
}

/// Ends a connection, and waits until nothing of it is left at either node.
pub(crate) fn end(world: &mut World, middle: &mut Middle, node: usize, which: ConnectionHandle) {
    let reason = CloseReason::default();
    world.with(node, |node, now| node.close_connection(now, which, reason)).expect("it lives");
    middle.pass(world, 10 * SECOND);
    assert!((0..world.count()).all(|node| world.node(node).stats().connections == 0));
}

/// Dials from node 0 to node 1 through `middle`, and opens a channel: what both ends are.
pub(crate) fn establish(world: &mut World, middle: &mut Middle) -> channeler::sim::Pair {
    let seen = world.events(1).len();
    let connection = world.connect(0, 1).expect("room");
    let channel = world.open(0, connection).expect("room");
    middle.pass(world, 500 * MILLI);
    let opened = world.opened(1, seen);
    let [(peer_connection, peer_channel, true)] = opened[..] else {
        panic!("no channel: {:?}", world.events(0));
    };
    channeler::sim::Pair { connection, channel, peer_connection, peer_channel }
}

/// Asserts that messages go both ways, and nothing but those.
pub(crate) fn assert_echo_through(
    world: &mut World,
    middle: &mut Middle,
    pair: &channeler::sim::Pair,
) {
    let ends = [(0, pair.channel), (1, pair.peer_channel)];
    for (from, to) in [(ends[0], ends[1]), (ends[1], ends[0])] {
        world.send(from.0, from.1, b"still there").expect("room");
        middle.pass(world, 200 * MILLI);
        assert_eq!(world.receive_all(to.0, to.1), [b"still there".to_vec()]);
    }
}

/// Every message that any channel of a peer's brought to a node and that was not read.
pub(crate) fn messages(world: &mut World, node: usize) -> Vec<Vec<u8>> {
    let channels = world.opened(node, 0).into_iter().map(|(_, channel, _)| channel);
    channels.flat_map(|channel| world.receive_all(node, channel)).collect()
}

/// The levels of the long packets in a datagram; 3 is a cookie.
pub(crate) fn levels_of(datagram: &[u8]) -> Vec<u8> {
    let mut levels = Vec::new();
    let mut rest = datagram;
    while rest.len() >= 45 && rest[0] == 0x09 {
        levels.push(rest[41] >> 2);
        let size = usize::from(u16::from_be_bytes([rest[42], rest[43]]));
        rest = rest.get(size.max(1)..).unwrap_or_default();
    }
    levels
}
