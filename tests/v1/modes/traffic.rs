//! Messages both ways on several channels, and what became of each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use channeler::config::{ChannelConfig, NodeConfig, SendOptions};
use channeler::error::Error;
use channeler::id::{Capabilities, ChannelHandle, ConnectionHandle};
use channeler::io::Event;
use channeler::sim::{Happened, Link, Random, World};

use super::{LONGEST, closes, is_ordered, resends};
use crate::tools::MILLI;

/// Two nodes, 0 and 1, and channels between them.
pub(crate) struct Traffic {
    pub(crate) world: World,
    pub(crate) lanes: Vec<Lane>,
    connections: [ConnectionHandle; 2],
    /// Sizes of the messages of each lane and direction, in order.
    sizes: Vec<usize>,
    by_handle: BTreeMap<(usize, ChannelHandle), usize>,
    /// A node reads what has come only after this long.
    pub(crate) read_every: Duration,
    /// Bytes that one node may hold for its application.
    held_max: u64,
}

/// A channel.
pub(crate) struct Lane {
    pub(crate) config: ChannelConfig,
    /// One for each node that sends.
    pub(crate) ways: [Way; 2],
}

/// One direction of a channel.
#[derive(Debug, Default)]
pub(crate) struct Way {
    handle: Option<ChannelHandle>,
    /// Messages that `send` took.
    pub(crate) sent: usize,
    is_blocked: bool,
    is_closing: bool,
    /// Which messages arrived, as they came.
    pub(crate) arrived: Vec<usize>,
    pub(crate) skipped: u64,
    pub(crate) delivered: BTreeSet<u64>,
    pub(crate) lost: BTreeMap<u64, Error>,
    /// Why the channel ended, at the sender of this direction.
    pub(crate) ended: Option<Error>,
    /// The peer said that it sends no more.
    pub(crate) is_finished: bool,
}

impl Traffic {
    /// Connects two nodes over good links; from then on they are `link`s. `read_every` zero reads
    /// at once.
    pub(crate) fn new(
        seed: u64,
        link: &Link,
        lanes: impl IntoIterator<Item = ChannelConfig>,
        sizes: &[usize],
        change: impl Fn(&mut NodeConfig),
    ) -> Traffic {
        let mut world = World::new(seed);
        for _ in 0..2 {
            world.add(|config| {
                config.half_close = true;
                config.segments_max = 16;
                config.idle_timeout = Duration::from_secs(300);
                change(config);
            });
        }
        world.gro_max = 16;
        world.network.set_all(Link::with_delay(MILLI));
        let pair = world.establish(0, 1);
        for (node, channel) in [(0, pair.channel), (1, pair.peer_channel)] {
            world.with(node, |node, now| node.close_channel(now, channel)).expect("it is there");
        }
        world.run_for(100 * MILLI);
        world.network.set_all(link.clone());
        (0..2).for_each(|node| drop(world.take_events(node)));
        let lanes = lanes.into_iter().map(|config| Lane { config, ways: Default::default() });
        let held_max = 2 * world.node(0).config().connection_receive_bytes_max as u64;
        Traffic {
            lanes: lanes.collect(),
            connections: [pair.connection, pair.peer_connection],
            world,
            sizes: sizes.to_vec(),
            by_handle: BTreeMap::new(),
            read_every: Duration::ZERO,
            held_max,
        }
    }

    /// Opens every channel, sends every message, closes every channel, and waits until all ended at
    /// both nodes.
    pub(crate) fn run(&mut self) {
        self.open();
        let end = self.world.now() + LONGEST;
        while !self.is_over() {
            (0..2).for_each(|node| self.send(node));
            let until = end.min(match self.read_every.is_zero() {
                true => end,
                false => self.world.now() + self.read_every,
            });
            // What nobody reads waits as long as `read_every` says.
            while self.world.step(until) && self.read_every.is_zero() && !self.has_news() {}
            (0..2).for_each(|node| self.take_events(node));
            (0..2).for_each(|node| self.read(node));
            (0..2).for_each(|node| self.take_events(node));
            self.check_memory();
            assert!(self.world.now() < end, "it stands still: {}", self.summary());
        }
    }

    /// Asserts that what arrived is what each mode allows.
    pub(crate) fn check(&self) {
        for lane in &self.lanes {
            // One that was given up before the peer heard of it has no other end.
            for (node, way) in lane.ways.iter().enumerate().filter(|way| way.1.handle.is_some()) {
                let mode = lane.config.capabilities;
                if let Err(text) = self.check_way(&lane.config, way) {
                    panic!("{mode:?} from node {node}: {text}\n{}", self.summary());
                }
            }
        }
    }

    fn check_way(&self, config: &ChannelConfig, way: &Way) -> Result<(), String> {
        let mode = config.capabilities;
        let ended = way.ended.ok_or("it did not end")?;
        let distinct: BTreeSet<_> = way.arrived.iter().copied().collect();
        let missing: Vec<_> = (0..way.sent).filter(|message| !distinct.contains(message)).collect();
        let ensure = |holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(format!("{what}: {ended:?}, missing {missing:?}")),
        };
        ensure(distinct.len() == way.arrived.len(), "a message came twice")?;
        ensure(!is_ordered(mode) || way.arrived.is_sorted(), "the order is broken")?;
        let reports = way.delivered.len() + way.lost.len();
        ensure(reports == way.sent, &format!("{reports} reports of {}", way.sent))?;
        let is_whole = ended != Error::Lost && ended != Error::Expired;
        ensure(is_whole || closes(mode), "a loss ended it")?;
        if is_whole {
            ensure(way.sent == self.sizes.len(), "not everything was sent")?;
            ensure(ended == Error::Closed || ended == Error::PeerClosed, "not a graceful end")?;
        }
        if closes(mode) {
            // In order there are no holes, and without an end by loss there is none at all.
            let is_prefix = way.arrived.iter().copied().eq(0..way.arrived.len());
            ensure(!is_ordered(mode) || is_prefix, "a hole")?;
            ensure(!is_whole || missing.is_empty(), "a loss that ended nothing")?;
            ensure(way.skipped == 0, "it skipped")?;
            return Ok(());
        }
        // What expires before its first byte is sent takes no number.
        let unsent = way.lost.values().filter(|why| **why == Error::Expired).count() as u64;
        let missed = missing.len() as u64;
        let skipped = missed.saturating_sub(unsent)..=missed;
        ensure(skipped.contains(&way.skipped), &format!("it says {} skipped", way.skipped))?;
        // A late message of 010 is dropped though it came.
        if mode != Capabilities::ORDERED {
            let kept = way.delivered.iter().all(|message| distinct.contains(&(*message as usize)));
            ensure(kept, "one was reported as delivered that was not")?;
        }
        let reported = missing.iter().all(|message| way.lost.contains_key(&(*message as u64)));
        ensure(reported || mode == Capabilities::ORDERED, "a loss was not reported")
    }

    /// Asserts that everything arrived, in every lane that resends without limit.
    pub(crate) fn check_complete(&self) {
        let endless = |lane: &&Lane| {
            let config = &lane.config;
            let is_endless = config.resend_limit == u32::MAX && config.message_lifetime.is_zero();
            resends(config.capabilities) && is_endless
        };
        for lane in self.lanes.iter().filter(endless) {
            for way in &lane.ways {
                let mode = lane.config.capabilities;
                assert_eq!(way.arrived.len(), self.sizes.len(), "{mode:?}\n{}", self.summary());
                assert_eq!(way.delivered.len(), self.sizes.len(), "{mode:?}");
            }
        }
    }

    fn open(&mut self) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let mut config = lane.config.clone();
            config.label = Box::from([index as u8]);
            let connection = self.connections[0];
            let opened =
                self.world.with(0, |node, now| node.open_channel(now, connection, &config));
            let handle = opened.expect("room");
            lane.ways[0].handle = Some(handle);
            self.by_handle.insert((0, handle), index);
        }
    }

    /// Sends until a queue is full or all was sent; then closes.
    fn send(&mut self, node: usize) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let way = &mut lane.ways[node];
            let Some(handle) = way.handle.filter(|_| way.ended.is_none()) else { continue };
            while way.sent < self.sizes.len() && !way.is_blocked {
                let bytes = message(index, node, way.sent, self.sizes[way.sent]);
                let report = Some(way.sent as u64);
                let options = SendOptions { report, ..SendOptions::default() };
                let sent = self
                    .world
                    .with(node, |node, now| node.send_with(now, handle, &bytes, &options));
                match sent {
                    Ok(()) => way.sent += 1,
                    Err(Error::WouldBlock) => way.is_blocked = true,
                    // It has just ended, and the event waits.
                    Err(Error::InvalidChannelId | Error::Closed) => break,
                    Err(error) => panic!("send: {error:?}"),
                }
            }
            if way.sent == self.sizes.len() && !way.is_closing {
                way.is_closing = true;
                // It may have just ended.
                let _ended = self.world.with(node, |node, now| node.close_channel(now, handle));
            }
        }
    }

    fn has_news(&self) -> bool {
        (0..2).any(|node| !self.world.events(node).is_empty())
    }

    fn read(&mut self, node: usize) {
        for index in 0..self.lanes.len() {
            let Some(handle) = self.lanes[index].ways[node].handle else { continue };
            while let Some(bytes) = self.world.receive(node, handle) {
                self.take_message(node, index, &bytes);
            }
        }
    }

    fn take_message(&mut self, node: usize, index: usize, bytes: &[u8]) {
        let from = 1 - node;
        let number = bytes.first_chunk().map_or(usize::MAX, |two| u16::from_be_bytes(*two).into());
        let size = *self.sizes.get(number).expect("a message that was never sent");
        assert!(bytes == message(index, from, number, size), "message {number} came changed");
        let way = &mut self.lanes[index].ways[from];
        assert!(number < way.sent, "message {number} came before it was sent");
        way.arrived.push(number);
    }

    fn take_events(&mut self, node: usize) {
        for Happened { event, bytes, .. } in self.world.take_events(node) {
            if let Event::ChannelOpened { channel, by_peer: true, .. } = event {
                let label = self.world.node(node).channel_info(channel).map(|info| info.label);
                // One that ended at once, of a mode that does so.
                let Ok(label) = label else { continue };
                let index = usize::from(label[0]);
                self.lanes[index].ways[node].handle = Some(channel);
                self.by_handle.insert((node, channel), index);
                continue;
            }
            let Some((channel, what)) = of_channel(&event) else {
                assert!(!matches!(event, Event::ConnectionClosed { .. }), "{event:?}");
                continue;
            };
            let Some(&index) = self.by_handle.get(&(node, channel)) else { continue };
            if let What::Message = what {
                self.take_message(node, index, &bytes);
                continue;
            }
            let [ours, theirs] = &mut self.lanes[index].ways;
            let (ours, theirs) = if node == 0 { (ours, theirs) } else { (theirs, ours) };
            match what {
                What::Message => {}
                What::Writable => ours.is_blocked = false,
                What::Delivered(context) => assert!(ours.delivered.insert(context), "twice"),
                What::Lost(context, why) => assert!(ours.lost.insert(context, why).is_none()),
                What::Skipped(count) => theirs.skipped += count,
                What::Finished => theirs.is_finished = true,
                What::Closed(why) => assert!(ours.ended.replace(why).is_none(), "it ended twice"),
            }
        }
    }

    /// All ended at the opener, and at the other node if it ever heard of them.
    fn is_over(&self) -> bool {
        self.lanes.iter().all(|lane| {
            lane.ways[0].ended.is_some()
                && (lane.ways[1].ended.is_some() || lane.ways[1].handle.is_none())
        })
    }

    fn check_memory(&self) {
        for node in 0..2 {
            let node = self.world.node(node);
            let stats = node.stats();
            assert!(stats.receive_queue_bytes <= self.held_max, "{stats:?}");
            let queues = node.config().node_send_queue_bytes_max as u64;
            assert!(stats.send_queue_bytes <= queues, "{stats:?}");
        }
    }

    fn summary(&self) -> String {
        let way = |way: &Way| {
            format!(
                "{} sent, {} arrived, {} skipped, reports {} + {}, {:?}{}",
                way.sent,
                way.arrived.len(),
                way.skipped,
                way.delivered.len(),
                way.lost.len(),
                way.ended,
                if way.is_blocked { ", blocked" } else { "" }
            )
        };
        let line = |lane: &Lane| {
            let [there, back] = &lane.ways;
            format!("{:03b}: {}; back: {}\n", lane.config.capabilities.0, way(there), way(back))
        };
        format!("at {}\n{}", self.world.now(), self.lanes.iter().map(line).collect::<String>())
    }
}

enum What {
    Message,
    Writable,
    Delivered(u64),
    Lost(u64, Error),
    Skipped(u64),
    Finished,
    Closed(Error),
}

fn of_channel(event: &Event) -> Option<(ChannelHandle, What)> {
    match event {
        Event::Message { channel, .. } => Some((*channel, What::Message)),
        Event::Writable { channel, .. } => Some((*channel, What::Writable)),
        Event::MessageDelivered { channel, context, .. } => {
            Some((*channel, What::Delivered(*context)))
        }
        Event::MessageLost { channel, context, reason, .. } => {
            Some((*channel, What::Lost(*context, *reason)))
        }
        Event::MessagesSkipped { channel, count, .. } => Some((*channel, What::Skipped(*count))),
        Event::ChannelFinished { channel, .. } => Some((*channel, What::Finished)),
        Event::ChannelClosed { channel, reason, .. } => Some((*channel, What::Closed(*reason))),
        Event::ConnectionRequest { .. }
        | Event::Connected { .. }
        | Event::ConnectionClosed { .. }
        | Event::ChannelOpened { .. }
        | Event::Readable { .. }
        | Event::Assembled { .. }
        | Event::PathChanged { .. }
        | Event::PathUnreachable { .. }
        | Event::PacketSizeReduced { .. }
        | Event::Packet { .. }
        | Event::Datagram { .. } => None,
    }
}

/// A message: its number, if it has room for it, and bytes that follow from lane, node and number.
fn message(index: usize, node: usize, number: usize, size: usize) -> Vec<u8> {
    let seed = (index as u64) << 40 | (node as u64) << 32 | number as u64;
    let mut bytes = (number as u16).to_be_bytes().to_vec();
    bytes.extend(Random::new(seed).vec(size.max(2) - 2));
    bytes
}
