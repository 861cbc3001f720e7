//! QUIC channels, from `channeler_quic_send` to `channeler_quic_receive`, against a program written
//! on quinn with the same frames.

#[cfg(feature = "daemon")]
mod daemon;
mod node;
mod quinn;
#[cfg(feature = "sim")]
mod wan;

use std::time::Duration;

use self::node::Calls;
use crate::harness::Run;
use crate::report::{Better, Row, Target};

const BULK_SIZE: usize = 64 << 10;
const SMALL_SIZE: usize = 64;

/// How many small messages the application has for a call.
const SMALL_BATCH: usize = 256;

/// What all messages go by.
const TEAM: [u8; 32] = [7; 32];
const LABEL: &str = "TELEMETRY";

/// The group.
pub(crate) fn measure(run: &mut Run) {
    let time = run.sample_time();
    let better = Better::Higher;
    if run.begins("quic.bulk") {
        let (name, unit) = ("quic.bulk", "MB/s");
        let megabytes = |messages: f64| messages * BULK_SIZE as f64 / 1e6;
        let (value, quinn) = run.medians(
            unit,
            || megabytes(node::messages(BULK_SIZE, time, Calls::Single)),
            || megabytes(quinn::messages(BULK_SIZE, time)),
        );
        let (baseline, target) = (Some(quinn), Target::Ratio(1.0));
        let row = Row { name, value, unit, better, baseline, target };
        run.add(row.clone());
        run.add(Row { name: "quic.bulk.aim", target: Target::Aim(1.3), ..row });
    }
    if run.begins("quic.small") {
        let (name, unit) = ("quic.small", "messages/s");
        // The baseline, too, gives quinn many messages at once.
        let [value, quinn, single] = run.medians_of(
            unit,
            [
                ("ours", &mut || node::messages(SMALL_SIZE, time, Calls::Many(SMALL_BATCH))),
                ("quinn", &mut || quinn::messages(SMALL_SIZE, time)),
                ("ours, a message a call", &mut || node::messages(SMALL_SIZE, time, Calls::Single)),
            ],
        );
        let (baseline, target) = (Some(quinn), Target::Ratio(1.0));
        let row = Row { name, value, unit, better, baseline, target };
        run.add(row.clone());
        run.add(Row { name: "quic.small.aim", target: Target::Aim(1.3), ..row.clone() });
        let name = "quic.small.single";
        run.add(Row { name, value: single, target: Target::Aim(1.0), ..row });
    }
    if run.begins("quic.ping") {
        let (name, unit) = ("quic.ping", "us p50");
        let (value, quinn) = run.medians(
            "us",
            || node::pings(SMALL_SIZE, time, Duration::ZERO),
            || quinn::pings(SMALL_SIZE, time),
        );
        let (baseline, target) = (Some(quinn), Target::Ratio(1.1));
        run.add(Row { name, value, unit, better: Better::Lower, baseline, target });
    }
    #[cfg(feature = "daemon")]
    if run.begins("quic.daemon") {
        let (name, unit) = ("quic.daemon", "MB/s");
        let megabytes = |messages: f64| messages * BULK_SIZE as f64 / 1e6;
        let [value, bulk] = run.medians_of(
            unit,
            [
                ("ours", &mut || megabytes(daemon::messages(BULK_SIZE, time))),
                ("quic.bulk", &mut || megabytes(node::messages(BULK_SIZE, time, Calls::Single))),
            ],
        );
        let (baseline, target) = (Some(bulk), Target::Ratio(0.5));
        run.add(Row { name, value, unit, better, baseline, target });
    }
    #[cfg(feature = "sim")]
    wan::measure(run);
}
