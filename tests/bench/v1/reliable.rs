//! Reliable ordered messages over loopback: large ones on one channel, small ones on many, against
//! quinn's streams, and against packets of the same size that are sealed and nothing else.

use std::time::Duration;

use channeler::config::ChannelConfig;
use channeler::engine::Engine;
use channeler::error::Error;
use channeler::id::{Capabilities, ChannelHandle, Version};

use super::{PACKET_SIZE, quic};
use crate::bare;
use crate::bare::PATIENCE;
use crate::harness::Run;
use crate::link::{Counter, Link, Silent};
use crate::report::{Better, Row, Target};

const BULK_SIZE: usize = 64 << 10;

const SMALL_SIZE: usize = 64;
const SMALL_CHANNELS: usize = 16;

/// What the issue wishes for, messages a second.
const SMALL_AIM: f64 = 10e6;

/// Bytes of messages given to the library under one lock: to each of many channels as much as
/// quinn's streams get in one write.
const BATCH_BYTES: usize = 256 << 10;

/// Bytes of a packet that no protocol can give to messages: header with a number of two bytes, tag.
const OVERHEAD: usize = 31;

pub(super) fn measure(run: &mut Run) {
    let time = run.sample_time();
    let better = Better::Higher;
    if run.begins("v1.bulk") {
        let unit = "MB/s";
        let megabytes = |messages: f64, size: usize| messages * size as f64 / 1e6;
        let packet = usize::from(PACKET_SIZE);
        let [value, quinn, bare] = run.medians_of(
            unit,
            [
                ("ours", &mut || megabytes(messages(BULK_SIZE, 1, time), BULK_SIZE)),
                ("quinn", &mut || megabytes(quic::messages(BULK_SIZE, 1, time), BULK_SIZE)),
                ("bare", &mut || megabytes(bare::sealed(packet, time), packet - OVERHEAD)),
            ],
        );
        let (name, baseline, target) = ("v1.bulk", Some(quinn), Target::Ratio(1.5));
        run.add(Row { name, value, unit, better, baseline, target });
        let (name, baseline, target) = ("v1.bulk.bare", Some(bare), Target::Aim(0.75));
        run.add(Row { name, value, unit, better, baseline, target });
    }
    if run.begins("v1.small") {
        let unit = "messages/s";
        let [value, quinn] = run.medians_of(
            unit,
            [
                ("ours", &mut || messages(SMALL_SIZE, SMALL_CHANNELS, time)),
                ("quinn", &mut || quic::messages(SMALL_SIZE, SMALL_CHANNELS, time)),
            ],
        );
        let (name, baseline, target) = ("v1.small", Some(quinn), Target::Ratio(1.5));
        run.add(Row { name, value, unit, better, baseline, target });
        let (name, baseline, target) = ("v1.small.aim", Some(SMALL_AIM), Target::Aim(1.0));
        run.add(Row { name, value, unit, better, baseline, target });
    }
}

/// Ours: messages of `size` bytes that arrive in a second, sent on `count` channels in turn.
fn messages(size: usize, count: usize, time: Duration) -> f64 {
    let link = Link::new(
        Version::V1,
        |config| {
            config.lend_messages = true;
            config.packet_size = PACKET_SIZE.into();
        },
        |link| [Box::new(Silent), Box::new(Counter::new(link, size))],
    );
    let capabilities = Capabilities::KNOWN;
    let channels = link.open_many(&ChannelConfig { capabilities, ..Default::default() }, count);
    let mut sender = Sender { channels, message: vec![0x5a; size], turn: 0 };
    let rate = link.bulk(time, || {
        let engine = link.engine(0);
        while !link.is_over() {
            let has_room = sender.send(engine);
            // With a full queue there is nothing to do until something was acknowledged.
            let patience = if has_room { Duration::ZERO } else { PATIENCE };
            engine.process(Some(patience)).expect("the engine works");
        }
    });
    link.close();
    rate
}

/// Sends messages on channels in turn: each time as many as quinn's streams get in one write.
struct Sender {
    channels: Vec<ChannelHandle>,
    message: Vec<u8>,
    turn: usize,
}

impl Sender {
    /// Queues messages under one lock; false when a queue got full.
    fn send(&mut self, engine: &Engine) -> bool {
        let run = (quic::WRITE_BYTES / self.message.len()).max(1);
        let runs = BATCH_BYTES / (run * self.message.len());
        let result = engine.with_node(|node, now| {
            for _ in 0..runs {
                let messages = std::iter::repeat_n(&self.message[..], run);
                node.send_many(now, self.channels[self.turn], messages).1?;
                self.turn = (self.turn + 1) % self.channels.len();
            }
            Ok(())
        });
        match result.expect("the engine works") {
            Ok(()) => true,
            Err(Error::WouldBlock) => false,
            Err(error) => panic!("sending: {error}"),
        }
    }
}
