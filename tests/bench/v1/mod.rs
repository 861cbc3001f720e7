//! Protocol v1, against the thresholds of issue 4.

mod quic;
mod tls;

use crate::harness::Run;

/// The group.
pub(crate) fn measure(run: &mut Run) {
    let time = run.sample_time();
    if run.begins("v1.connect") {
        let bare = run.median(|| tls::handshakes(time));
        let hop = run.median(|| crate::bare::ping(1200, time)) / 2.0;
        let quinn = run.median(|| quic::handshakes(time));
        eprintln!("bare {bare:.0} hop {hop:.1} quinn {quinn:.0}");
    }
    if run.begins("v1.datagram") {
        let quinn = run.median(|| quic::datagrams(1200, time));
        let bare = run.median(|| crate::bare::sealed(1238, time));
        let unsealed = run.median(|| crate::bare::segmented(1238, time));
        eprintln!("quinn {quinn:.0} bare {bare:.0} unsealed {unsealed:.0}");
    }
}
