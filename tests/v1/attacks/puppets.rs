//! What the attacks of a peer that is connected share.

use std::net::SocketAddr;

use channeler::config::NodeConfig;
use channeler::error::Error;
use channeler::id::{Capabilities, ChannelHandle, ChannelNumber, ConnectionHandle, Side};
use channeler::io::Event;
use channeler::sim::{Link, Puppet, World};
use channeler::wire::codes::ConnectionCode;
use channeler::wire::frame::{ChannelNew, Frame, Label};

use crate::tools::{MILLI, SECOND, why_closed};

/// A node, number 0, and a connected peer that does what the test says.
pub(crate) struct Attack {
    pub(crate) world: World,
    pub(crate) puppet: Puppet,
    pub(crate) connection: ConnectionHandle,
}

impl Attack {
    pub(crate) fn new() -> Attack {
        Attack::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut NodeConfig)) -> Attack {
        let mut world = World::new(1);
        world.add(change);
        world.network.set_all(Link::with_delay(5 * MILLI));
        let puppet = Puppet::connect(&mut world, 0, address(), 7);
        let connection = world.events(0).iter().find_map(|happened| {
            let Event::Connected { connection, .. } = happened.event else { return None };
            Some(connection)
        });
        Attack { world, puppet, connection: connection.expect("connected") }
    }

    /// Sends a packet of no channel.
    pub(crate) fn say(&mut self, frames: &[Frame<'_>]) {
        self.puppet.send(&mut self.world, ChannelNumber::NONE, frames);
    }

    /// Sends a packet of a channel.
    pub(crate) fn say_on(&mut self, channel: ChannelNumber, frames: &[Frame<'_>]) {
        self.puppet.send(&mut self.world, channel, frames);
    }

    /// Opens the channel of an index; what the node calls it.
    pub(crate) fn open(&mut self, index: u32, capabilities: Capabilities) -> ChannelHandle {
        let seen = self.world.events(0).len();
        self.say(&[new(index, capabilities)]);
        self.world.run_for(20 * MILLI);
        let opened = self.world.opened(0, seen);
        assert_eq!(opened.len(), 1, "channel {index}: {:?}", self.world.events(0));
        opened[0].1
    }

    /// The code with which the node ends the connection within half a second; none when it does
    /// not. Either way node and peer agree.
    pub(crate) fn verdict(&mut self) -> Option<u64> {
        self.world.run_for(SECOND / 2);
        let code = self.puppet.take(&mut self.world).iter().find_map(|packet| {
            packet.frames().find_map(|frame| {
                let Frame::ConnectionClose(close) = frame else { return None };
                Some(close.code)
            })
        });
        let reason = why_closed(&self.world, 0, self.connection);
        assert_eq!(code.is_some(), reason.is_some(), "{code:?} {reason:?}");
        code
    }

    /// Asserts that the node ends the connection with this code, and that nothing is left of it.
    pub(crate) fn assert_ends(mut self, code: ConnectionCode) {
        let verdict = self.verdict();
        assert_eq!(verdict, Some(code.code()), "{code:?} {:?}", self.world.events(0));
        assert_eq!(why_closed(&self.world, 0, self.connection), Some(Error::Protocol));
        self.world.run_for(20 * SECOND);
        let stats = self.world.node(0).stats();
        let left = (stats.connections, stats.channels, stats.receive_queue_bytes);
        assert_eq!((left, stats.send_queue_bytes), ((0, 0, 0), 0));
    }

    /// Asserts that the connection goes on: a new channel opens, and a message on it arrives.
    pub(crate) fn assert_lives(&mut self, index: u32) {
        assert_eq!(self.verdict(), None);
        let channel = self.open(index, Capabilities(0));
        let number = ChannelNumber::new(Side::Initiator, index);
        self.say_on(number, &[new(index, Capabilities(0)), data(0, 0, true, b"still there")]);
        self.world.run_for(20 * MILLI);
        assert_eq!(self.world.receive_all(0, channel), [b"still there".to_vec()]);
    }
}

/// The peer's channel of an index.
pub(crate) fn number(index: u32) -> ChannelNumber {
    ChannelNumber::new(Side::Initiator, index)
}

/// CHANNEL_NEW of the peer's channel of an index.
pub(crate) fn new(index: u32, capabilities: Capabilities) -> Frame<'static> {
    Frame::ChannelNew(ChannelNew {
        channel: number(index),
        capabilities,
        limit: 1 << 20,
        priority: 3,
        weight: 16,
        label: Label::default(),
    })
}

/// A piece of a message.
pub(crate) fn data(message: u64, offset: u64, is_final: bool, bytes: &[u8]) -> Frame<'_> {
    Frame::Data(channeler::wire::frame::Data { number: message, offset, is_final, bytes })
}

/// In order, everything.
pub(crate) const RELIABLE: Capabilities = Capabilities(0b111);

fn address() -> SocketAddr {
    SocketAddr::from(([10, 77, 0, 1], 77))
}
