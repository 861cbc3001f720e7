//! The table of modes against every kind of network.

use std::time::Duration;

use channeler::config::ChannelConfig;
use channeler::sim::Link;

use super::traffic::Traffic;
use super::{MODES, closes, resends};
use crate::tools::MILLI;

// spec: 10.1 numbers and fragments, 10.3 modes, 10.4 giving up, 10.5 skipping
#[test]
fn each_mode_delivers_what_the_table_allows_at_0_ms() {
    check_round_trip(Duration::ZERO);
}

// spec: 10.3 modes
#[test]
fn each_mode_delivers_what_the_table_allows_at_20_ms() {
    check_round_trip(20 * MILLI);
}

// spec: 10.3 modes
#[test]
fn each_mode_delivers_what_the_table_allows_at_200_ms() {
    check_round_trip(200 * MILLI);
}

// spec: 11.3 receiving, 11.4 zero windows
#[test]
fn a_slow_reader_stops_the_senders_and_loses_nothing_that_it_was_promised() {
    for lend_messages in [false, true] {
        let sizes = [40_000; 6];
        let link = Link::lossy(5 * MILLI, 0.01);
        let mut traffic = Traffic::new(5, &link, all_modes(), &sizes, |config| {
            config.lend_messages = lend_messages;
            config.message_bytes_max = 200_000;
            config.connection_receive_bytes_max = 400_000;
            config.send_queue_bytes_max = 100_000;
            config.node_send_queue_bytes_max = 1_000_000;
        });
        traffic.read_every = 200 * MILLI;
        traffic.run();
        traffic.check();
        traffic.check_complete();
    }
}

// spec: 10.1 numbers and fragments, 11.3 receiving: the last term of the limit
#[test]
fn a_message_of_many_windows_arrives() {
    let sizes = [1_000, 1_000_000, 1_000];
    let reliable = MODES.into_iter().filter(|mode| resends(*mode));
    let lanes = reliable.map(|capabilities| ChannelConfig { capabilities, ..Default::default() });
    let link = Link::lossy(10 * MILLI, 0.005);
    let mut traffic = Traffic::new(6, &link, lanes, &sizes, |config| {
        config.send_queue_bytes_max = 4 << 20;
        config.receive_window_min = 4_096;
        config.packet_size = 1_232;
    });
    traffic.run();
    traffic.check();
    traffic.check_complete();
}

fn check_round_trip(round_trip: Duration) {
    // In a debug build enough for many packets and each kind of message; else many windows.
    let sizes: &[usize] = match cfg!(debug_assertions) {
        true => &[2, 10, 63, 64, 65, 1_150, 1_300, 2, 5_000, 100, 20_000, 500, 500, 2_400],
        false => &[2, 64, 1_150, 1_300, 70_000, 5_000, 100, 300_000, 500, 500, 500, 100_000, 9],
    };
    let mut seed = round_trip.as_millis() as u64;
    for loss in [0.0, 0.01, 0.05, 0.2] {
        for reorder in [0.0, 0.1] {
            for duplicate in [0.0, 0.1] {
                seed += 1_000;
                let reorder_by = round_trip / 4 + MILLI;
                let delay = round_trip / 2;
                let link = Link { loss, reorder, reorder_by, duplicate, delay, ..Link::default() };
                println!("seed {seed}: {link:?}");
                let mut traffic = Traffic::new(seed, &link, all_modes(), sizes, |config| {
                    config.lend_messages = seed.is_multiple_of(2_000);
                });
                traffic.run();
                traffic.check();
                traffic.check_complete();
                if loss == 0.0 && reorder == 0.0 {
                    check_nothing_lost(&traffic, sizes.len());
                }
                if loss == 0.2 {
                    check_losses_show(&traffic);
                }
            }
        }
    }
}

/// On a good network every mode delivers everything, in order.
fn check_nothing_lost(traffic: &Traffic, count: usize) {
    for lane in &traffic.lanes {
        for way in &lane.ways {
            let all = way.arrived.iter().copied().eq(0..count);
            assert!(all, "{:?}: {:?}", lane.config.capabilities, way.arrived);
        }
    }
}

/// On a bad one each mode without resending shows it, as it should.
fn check_losses_show(traffic: &Traffic) {
    for lane in traffic.lanes.iter().filter(|lane| !resends(lane.config.capabilities)) {
        let [there, back] = &lane.ways;
        let is_closed = there.ended == Some(channeler::error::Error::Lost)
            || back.ended == Some(channeler::error::Error::Lost);
        let lost = there.lost.len() + back.lost.len();
        assert!(lost > 0 && is_closed == closes(lane.config.capabilities), "{there:?} {back:?}");
    }
}

fn all_modes() -> impl Iterator<Item = ChannelConfig> {
    MODES.into_iter().map(|capabilities| ChannelConfig { capabilities, ..Default::default() })
}
