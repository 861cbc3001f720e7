//! Sealing and opening of packets, and everything that must not open.

use super::super::{
    Epochs, LevelKeys, Limits, OpenError, ReplayWindow, SealError, SealInfo, Suite,
};
use super::{End, layout, secrets};
use crate::id::{AttemptId, ChannelNumber, PathId, Side};
use crate::time::Time;

// spec: 5.2, 5.4
#[test]
fn what_one_side_seals_the_other_opens() {
    for suite in Suite::ALL {
        let (mut a, mut b) = End::pair(suite);
        for channel in [0, 1, 2, 7, ChannelNumber::NONE.0] {
            let (packet, _) = a.seal(channel, b"to the responder");
            let (opened, content) = b.open(&packet).expect("it opens");
            assert_eq!((opened.channel.0, &content[..]), (channel, &b"to the responder"[..]));
            let (packet, _) = b.seal(channel, b"and back");
            assert_eq!(a.open(&packet).expect("it opens").1, b"and back");
        }
    }
}

#[test]
fn what_is_prepared_is_neither_derived_again_nor_different() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    assert_eq!(a.epochs.channel_keys(), 0);
    a.epochs.prepare();
    a.epochs.prepare();
    assert_eq!(a.epochs.channel_keys(), 2);
    let packet = a.seal(ChannelNumber::NONE.0, b"there").0;
    assert_eq!(b.open(&packet).expect("it opens").1, b"there");
    let packet = b.seal(ChannelNumber::NONE.0, b"and back").0;
    assert_eq!(a.open(&packet).expect("it opens").1, b"and back");
    assert_eq!((a.epochs.channel_keys(), b.epochs.channel_keys()), (2, 2));
}

// spec: 5.1, 5.5
#[test]
fn numbers_of_every_length_are_read_and_the_spin_bit_is_kept() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    for (number, number_len) in [(1, 1), (300, 2), (70_000, 3), (20_000_000, 4)] {
        for spin in [0, 0x20] {
            let number = number + u64::from(spin);
            let info = SealInfo { channel: ChannelNumber(2), path: PathId(3), number, number_len };
            let mut packet = layout(number_len, b"abc");
            packet[0] = spin;
            a.epochs.seal(&info, &mut packet).expect("room");
            assert_eq!(packet[0] & 0xf0, 0x80 | spin);
            assert_eq!(b.open(&packet).expect("it opens").0.number, number);
        }
    }
}

// spec: 5.5 packet numbers
#[test]
fn the_largest_number_opens_and_none_behind_it() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    assert!(b.window.insert((1 << 62) - 2));
    a.next_number = (1 << 62) - 1;
    let last = a.seal(2, b"the last").0;
    let behind = a.seal(2, b"there is no such number").0;
    assert!(b.open(&last).is_ok());
    assert_eq!(b.open(&behind).map(|(opened, _)| opened), Err(OpenError::Layout));
}

// spec: 5.2 sealing
#[test]
fn a_bit_flipped_anywhere_but_in_the_token_is_refused_or_counted() {
    for suite in Suite::ALL {
        let (mut a, mut b) = End::pair(suite);
        let (packet, _) = a.seal(2, b"every bit of it counts");
        for bit in 0..8 * packet.len() {
            let mut changed = packet.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(b.open(&changed).is_err(), "{suite:?}: bit {bit}");
        }
        assert!(b.epochs.forgeries() > 0);
        assert_eq!(b.epochs.channel_keys(), 0, "forgeries leave no keys behind");
        assert!(b.open(&packet).is_ok(), "and the window as it was");
    }
}

// spec: 5.4 receiving
#[test]
fn packets_cut_short_are_refused() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    let (packet, _) = a.seal(2, b"cut");
    for size in 0..packet.len() {
        assert!(b.open(&packet[..size]).is_err(), "{size} bytes");
    }
    for size in 0..33 {
        assert_eq!(b.open(&packet[..size.min(packet.len())]), Err(OpenError::Layout));
    }
    let mut reserved = packet.clone();
    reserved[0] |= 0x10;
    assert_eq!(b.open(&reserved), Err(OpenError::Layout));
}

// spec: 6.3, 6.5
#[test]
fn a_packet_of_one_channel_path_or_direction_is_not_one_of_another() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    let (packet, _) = a.seal(2, b"for channel 2 on path 3");
    // The masks are an XOR: channel 2 becomes channel 4 by the difference.
    let mut other_channel = packet.clone();
    other_channel[12] ^= 2 ^ 4;
    assert_eq!(b.open(&other_channel), Err(OpenError::Forged));

    let mut window = ReplayWindow::new();
    for path in [0, 2, 4] {
        let mut copy = packet.clone();
        let opened = b.epochs.open(Time::ZERO, PathId(path), &mut window, &mut copy, |_| true);
        assert_eq!(opened, Err(OpenError::Forged), "path {path}");
    }
    assert!(a.open(&packet).is_err(), "sent back to its sender");
    assert!(b.open(&packet).is_ok());
}

// spec: 4.3, 6.1
#[test]
fn a_packet_of_one_level_is_not_one_of_another() {
    let levels = [1, 2].map(|id| LevelKeys::initial(AttemptId([id; 16]), Side::Initiator));
    let peers = [1, 2].map(|id| LevelKeys::initial(AttemptId([id; 16]), Side::Responder));
    let mut packet = vec![9; 120];
    levels[0].local.seal(7, 45, &mut packet);
    for wrong in [&peers[1].remote, &peers[0].local] {
        assert!(wrong.open(45, None, &mut packet.clone()).is_err());
    }
    for bit in 0..8 * packet.len() {
        let mut changed = packet.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(peers[0].remote.open(45, None, &mut changed).is_err(), "bit {bit}");
    }
    for size in 0..packet.len() {
        assert!(peers[0].remote.open(45, None, &mut packet.clone()[..size]).is_err());
    }
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    assert!(b.open(&packet).is_err(), "a long packet as a short one");
    let mut short = a.seal(2, &[5; 100]).0;
    assert!(peers[0].remote.open(45, None, &mut short).is_err());
    assert!(peers[0].remote.open(45, None, &mut packet).is_ok());
}

// spec: 5.6 replay
#[test]
fn a_packet_opens_once() {
    let (mut a, mut b) = End::pair(Suite::ChaCha20Poly1305);
    let (packet, _) = a.seal(2, b"once");
    assert!(b.open(&packet).is_ok());
    assert_eq!(b.open(&packet), Err(OpenError::Seen));
    assert_eq!(b.epochs.forgeries(), 0, "a copy is no forgery");
}

// spec: 5.4, 5.6
#[test]
fn a_number_older_than_the_window_is_dropped_before_any_key_is_used() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    let (old, _) = a.seal(2, b"old");
    a.next_number = ReplayWindow::SIZE;
    let (new, _) = a.seal(4, b"new");
    assert!(b.open(&new).is_ok());
    assert_eq!(b.open(&old), Err(OpenError::TooOld));
    assert_eq!((b.epochs.forgeries(), b.epochs.channel_keys()), (0, 1));
}

// spec: 5.4 receiving
#[test]
fn a_channel_that_cannot_exist_costs_no_key() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    let (mut packet, _) = a.seal(2, b"nobody opened it");
    let mut asked = None;
    let opened = b.epochs.open(Time::ZERO, PathId(3), &mut b.window, &mut packet, |channel| {
        asked = Some(channel);
        false
    });
    assert_eq!((opened, asked), (Err(OpenError::Channel), Some(ChannelNumber(2))));
    assert_eq!((b.epochs.forgeries(), b.epochs.channel_keys()), (0, 0));
    let (mut packet, _) = a.seal(ChannelNumber::NONE.0, b"no channel always exists");
    let opened =
        b.epochs.open(Time::ZERO, PathId(3), &mut b.window, &mut packet, |_| unreachable!());
    assert!(opened.is_ok());
}

// spec: 5.1 layout
#[test]
fn a_layout_that_cannot_be_is_not_sealed() {
    let (mut a, _) = End::pair(Suite::Aes256Gcm);
    let info = SealInfo { channel: ChannelNumber(2), path: PathId(0), number: 0, number_len: 1 };
    assert_eq!(a.epochs.seal(&info, &mut [0; 32]), Err(SealError::Layout));
    for number_len in [0, 5] {
        let info = SealInfo { number_len, ..info };
        assert_eq!(a.epochs.seal(&info, &mut [0; 100]), Err(SealError::Layout));
    }
    assert!(a.epochs.seal(&info, &mut [0; 33]).is_ok());
}

// spec: 6.3 channel keys
#[test]
fn keys_beyond_the_bound_are_the_least_used_and_are_derived_again() {
    let limits = Limits { channel_keys_max: 4, ..Limits::of(Suite::Aes256Gcm) };
    let (mut a, mut b) = End::pair_with(Suite::Aes256Gcm, limits);
    for round in 0..3 {
        for channel in [2, 4, 2, 6, 2, 8, 2, 10, 2, 12] {
            let (packet, _) = a.seal(channel, b"many channels");
            assert!(b.open(&packet).is_ok(), "round {round}, channel {channel}");
            assert!(b.epochs.channel_keys() <= 4);
        }
    }
    assert_eq!((a.epochs.channel_keys(), b.epochs.channel_keys()), (4, 4));
}

// spec: 6.3 channel keys
#[test]
fn keys_not_used_since_the_last_look_are_dropped() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    for channel in [2, 4] {
        let (packet, _) = a.seal(channel, b"hello");
        b.open(&packet).expect("it opens");
    }
    assert!(b.epochs.drop_idle_keys(), "both were used");
    let (packet, _) = a.seal(4, b"hello");
    b.open(&packet).expect("it opens");
    assert!(b.epochs.drop_idle_keys());
    assert_eq!(b.epochs.channel_keys(), 1);
    assert!(!b.epochs.drop_idle_keys());
    let (packet, _) = a.seal(2, b"derived again");
    assert!(b.open(&packet).is_ok());
}

// spec: 6.8 limits of keys
#[test]
fn too_many_forgeries_end_the_connection_and_nothing_more_is_opened() {
    let limits = Limits { forgeries_max: 5, ..Limits::of(Suite::Aes256Gcm) };
    let (mut a, mut b) = End::pair_with(Suite::Aes256Gcm, limits);
    // Two of level 1 or 2 were counted before.
    b.epochs = Epochs::new(secrets(Suite::Aes256Gcm), Side::Responder, limits, 2);
    let (good, _) = a.seal(2, b"good");
    let mut bad = good.clone();
    bad[33] ^= 1;
    assert_eq!(b.open(&bad), Err(OpenError::Forged));
    assert_eq!(b.open(&bad), Err(OpenError::Forged));
    assert_eq!(b.open(&bad), Err(OpenError::AeadLimit));
    assert_eq!(b.open(&good), Err(OpenError::AeadLimit));
}

// spec: 6.8 limits of keys
#[test]
fn limits_are_those_of_the_specification() {
    let aes = Limits::of(Suite::Aes256Gcm);
    assert_eq!((aes.update_at, aes.sealed_max, aes.forgeries_max), (1 << 22, 1 << 23, 1 << 52));
    let chacha = Limits { forgeries_max: 1 << 36, ..aes };
    assert_eq!(Limits::of(Suite::ChaCha20Poly1305), chacha);
}
