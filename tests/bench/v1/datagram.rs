//! Unreliable messages over loopback, sealed: against quinn's datagrams, and against packets of the
//! same size that are sealed and nothing else.

use std::time::Duration;

use channeler::id::Version;

use super::{PACKET_SIZE, quic};
use crate::bare;
use crate::bare::PATIENCE;
use crate::harness::Run;
use crate::link::{Counter, Link, Silent, send};
use crate::report::{Better, Row, Target};

const MESSAGE_SIZE: usize = 1200;

/// Flags, token, channel, number of two bytes, tag; and type, length, number of a DATA message.
const OVERHEAD: usize = 31 + 7;

/// Messages under one lock: as many packets as one system call takes.
const BATCH: usize = 52;

pub(super) fn measure(run: &mut Run) {
    if !run.begins("v1.datagram") {
        return;
    }
    let time = run.sample_time();
    let [value, quinn, bare] = run.medians_of(
        "messages/s",
        [
            ("ours", &mut || datagrams(time)),
            ("quinn", &mut || quic::datagrams(MESSAGE_SIZE, time)),
            ("bare", &mut || bare::sealed(MESSAGE_SIZE + OVERHEAD, time)),
        ],
    );
    let (unit, better) = ("messages/s", Better::Higher);
    let (name, baseline, target) = ("v1.datagram", Some(quinn), Target::Ratio(1.5));
    run.add(Row { name, value, unit, better, baseline, target });
    let (name, baseline, target) = ("v1.datagram.bare", Some(bare), Target::Aim(0.8));
    run.add(Row { name, value, unit, better, baseline, target });
}

/// Ours, a second: batches of messages to send, and the receiver is lent them.
fn datagrams(time: Duration) -> f64 {
    let link = Link::new(
        Version::V1,
        |config| {
            config.lend_messages = true;
            config.packet_size = PACKET_SIZE.into();
        },
        |link| [Box::new(Silent), Box::new(Counter::new(link, MESSAGE_SIZE))],
    );
    let channel = link.open();
    let message = vec![0x5a; MESSAGE_SIZE];
    let rate = link.bulk(time, || {
        let engine = link.engine(0);
        while !link.is_over() {
            let has_room = send(engine, channel, &message, BATCH);
            // With a full queue there is nothing to do until something was acknowledged.
            let patience = if has_room { Duration::ZERO } else { PATIENCE };
            engine.process(Some(patience)).expect("the engine works");
        }
    });
    link.close();
    rate
}
