//! Round trips of small messages, sleeping and spinning, against bare sockets that wait alike.

use std::time::Duration;

use channeler::engine::{EngineConfig, SPIN_DEFAULT};
use channeler::id::Version;

use super::quic;
use crate::bare::{self, Wait};
use crate::harness::Run;
use crate::pingpong;
use crate::report::{Better, Row, Target};

const MESSAGE_SIZE: usize = 64;

/// Flags, token, channel, number of a byte, tag; and type, length, flags, number of a DATA message.
const OVERHEAD: usize = 30 + 5;

pub(super) fn measure(run: &mut Run) {
    let time = run.sample_time();
    let ours = |spin| {
        let engines = EngineConfig { spin, ..EngineConfig::default() };
        move || pingpong::ping(Version::V1, engines, MESSAGE_SIZE, time)
    };
    let bare = |wait| move || bare::ping(MESSAGE_SIZE + OVERHEAD, time, wait);
    let (unit, better) = ("us p50", Better::Lower);
    if run.begins("v1.ping") {
        let [value, bare, _] = run.medians_of(
            "us",
            [
                ("ours", &mut ours(Duration::ZERO)),
                ("bare", &mut bare(Wait::Epoll)),
                ("quinn", &mut || quic::pings(MESSAGE_SIZE, time)),
            ],
        );
        let (name, baseline, target) = ("v1.ping", Some(bare), Target::Ratio(1.2));
        run.add(Row { name, value, unit, better, baseline, target });
    }
    if run.begins("v1.ping.spin") {
        let (value, bare) = run.medians("us", ours(SPIN_DEFAULT), bare(Wait::Spin));
        let (name, baseline, target) = ("v1.ping.spin", Some(bare), Target::Ratio(2.5));
        run.add(Row { name, value, unit, better, baseline, target });
    }
}
