//! Aim: messages sent many at once are what they are one by one, to the sender and to the receiver.
//! Method: rows of one size and of several, over links that lose and reorder, lent and read.

use channeler::config::ChannelConfig;
use channeler::error::Error;
use channeler::id::{Capabilities, ChannelHandle};
use channeler::io::Event;
use channeler::sim::{Link, World};

use crate::tools::{MILLI, SECOND};

/// Rows of messages, each with its number in it.
fn rows() -> Vec<Vec<Vec<u8>>> {
    let mut number: u32 = 0;
    let mut message = |len: usize| {
        number += 1;
        number.to_be_bytes().into_iter().cycle().take(len).collect::<Vec<u8>>()
    };
    // So many of one size that their numbers take another byte among them; and such as fit no
    // packet with others, or none at all.
    let sizes = [(300, 40), (17_000, 5), (50, 700), (3, 5_000), (1, 9), (400, 64), (200, 33)];
    let mut rows: Vec<_> =
        sizes.iter().map(|(count, len)| (0..*count).map(|_| message(*len)).collect()).collect();
    rows.push((0..500).map(|nth| message(4 + nth % 7 / 6)).collect());
    rows
}

/// A reliable channel in order from node 0 to node 1, which has its messages lent or reads them.
fn opened(lends: bool) -> (World, ChannelHandle) {
    let mut world = World::new(5);
    world.add(|_| ());
    world.add(|config| config.lend_messages = lends);
    let connection = world.establish(0, 1).connection;
    let config = ChannelConfig { capabilities: Capabilities::KNOWN, ..Default::default() };
    let channel = world.with(0, |node, now| node.open_channel(now, connection, &config));
    (world, channel.expect("there is room"))
}

/// Sends all of a row, and waits whenever the queue is full.
fn send_row(world: &mut World, channel: ChannelHandle, row: &[Vec<u8>]) {
    let mut rest = row;
    while !rest.is_empty() {
        let messages = rest.iter().map(|message| &message[..]);
        let (taken, result) = world.with(0, |node, now| node.send_many(now, channel, messages));
        assert!(result.is_ok() == (taken == rest.len()), "{taken} {result:?}");
        assert!(matches!(result, Ok(()) | Err(Error::WouldBlock)), "{result:?}");
        rest = &rest[taken..];
        world.run_for(20 * MILLI);
    }
}

fn received(world: &mut World) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for happened in world.take_events(1) {
        if let Event::Message { .. } = happened.event {
            all.push(happened.bytes);
        } else if let Event::Readable { channel, .. } = happened.event {
            all.extend(world.receive_all(1, channel));
        }
    }
    all
}

// spec: 8.14 DATA, 10.1 numbers and fragments
#[test]
fn messages_sent_many_at_once_arrive_as_they_were_sent() {
    for (lends, loss) in [(true, 0.0), (true, 0.02), (false, 0.02)] {
        let (mut world, channel) = opened(lends);
        let delay = Link::with_delay(5 * MILLI);
        world.network.set_all(Link { loss, reorder: loss, reorder_by: 3 * MILLI, ..delay });
        world.gro_max = 20;
        let mut got = Vec::new();
        for row in rows() {
            send_row(&mut world, channel, &row);
            got.extend(received(&mut world));
        }
        world.run_for(20 * SECOND);
        got.extend(received(&mut world));
        assert!(got == rows().concat(), "{} with loss {loss}", got.len());
        assert_eq!(world.node(0).stats().send_queue_bytes, 0);
        let stats = world.node(0).channel_stats(channel).expect("it lives");
        let bytes: usize = rows().concat().iter().map(Vec::len).sum();
        assert_eq!((stats.messages_sent, stats.bytes_sent), (got.len() as u64, bytes as u64));
    }
}

#[test]
fn the_first_message_that_is_not_taken_says_why() {
    let (mut world, channel) = opened(false);
    let mut send = |channel, messages: &[&[u8]]| {
        world.with(0, |node, now| node.send_many(now, channel, messages.iter().copied()))
    };
    assert_eq!(send(channel, &[]), (0, Ok(())));
    assert_eq!(send(channel, &[b"one", b"two", b"", b"four"]), (2, Err(Error::InvalidArgument)));
    let large = vec![0; 2 << 20];
    assert_eq!(send(channel, &[b"one", &large]), (1, Err(Error::TooLarge)));
    let full = vec![&[7; 64][..]; 100_000];
    let (taken, result) = send(channel, &full);
    assert_eq!(result, Err(Error::WouldBlock));
    // 96 is what each is charged.
    assert!((1 << 20) - taken * 96 < 96 + 200, "{taken}");
    world.with(0, |node, now| node.close_channel(now, channel)).expect("it lives");
    let closing = world.with(0, |node, now| node.send_many(now, channel, [&b"more"[..]]));
    assert_eq!(closing, (0, Err(Error::Closed)));
}
