//! Key updates: when they begin, how both sides follow, what is erased, what is abuse.

use std::time::Duration;

use super::super::{KeyUpdateError, Limits, OpenError, SealError, SealInfo, Suite};
use super::{End, at, layout};
use crate::id::{ChannelNumber, PathId};
use crate::time::Time;

const PTO: Duration = Duration::from_secs(1);

/// Both sides have sent in the current epoch, and have an acknowledgement within it.
fn exchange(a: &mut End, b: &mut End, now: Time) {
    let opened = a.send_to(b, now);
    b.epochs.on_acked(now, b.epochs.send_epoch(), opened.epoch).expect("by the rules");
    let opened = b.send_to(a, now);
    a.epochs.on_acked(now, a.epochs.send_epoch(), opened.epoch).expect("by the rules");
    a.send_to(b, now);
    b.epochs.on_acked(now, b.epochs.send_epoch(), b.epochs.receive_epoch()).expect("by the rules");
}

/// `a` begins an update at `now`, which must be allowed then; `b` follows.
fn update(a: &mut End, b: &mut End, now: Time) {
    a.epochs.ask_update();
    assert!(a.epochs.handle_timeout(now, PTO));
    assert!(a.send_to(b, now).is_epoch_new);
}

// spec: 6.7 key update
#[test]
fn an_update_begins_three_pto_after_an_acknowledgement_and_both_follow() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    a.epochs.ask_update();
    assert_eq!(a.epochs.poll_timeout(PTO), None, "nothing is acknowledged yet");
    assert!(!a.epochs.handle_timeout(at(100), PTO));
    exchange(&mut a, &mut b, at(100));
    assert_eq!(a.epochs.poll_timeout(PTO), Some(at(103)));
    assert!(!a.epochs.handle_timeout(at(102), PTO));
    assert!(a.epochs.handle_timeout(at(103), PTO));
    assert_eq!((a.epochs.send_epoch(), a.epochs.receive_epoch()), (1, 0));

    let opened = a.send_to(&mut b, at(104));
    assert_eq!((opened.epoch, opened.is_epoch_new), (1, true));
    assert_eq!((b.epochs.send_epoch(), b.epochs.receive_epoch()), (1, 1));
    assert!(!a.send_to(&mut b, at(104)).is_epoch_new);
    assert!(b.send_to(&mut a, at(105)).is_epoch_new);
    assert_eq!((a.epochs.send_epoch(), a.epochs.receive_epoch()), (1, 1));
    assert!(!a.epochs.handle_timeout(at(1000), PTO), "one was asked for");
}

// spec: 6.7 key update
#[test]
fn no_update_begins_before_the_handshake_is_confirmed() {
    let limits = Limits::of(Suite::Aes256Gcm);
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    let side = crate::id::Side::Initiator;
    a.epochs = super::Epochs::new(super::secrets(Suite::Aes256Gcm), side, limits, 0);
    exchange(&mut a, &mut b, at(1));
    a.epochs.ask_update();
    assert_eq!(a.epochs.poll_timeout(PTO), None);
    assert!(!a.epochs.handle_timeout(at(100), PTO));
    a.epochs.confirm();
    assert!(a.epochs.handle_timeout(at(100), PTO));
}

// spec: 6.6, 6.7
#[test]
fn updates_go_on_for_more_epochs_than_two_bits_tell() {
    for suite in Suite::ALL {
        let (mut a, mut b) = End::pair(suite);
        for epoch in 1..=9 {
            let now = at(10 * u64::from(epoch));
            exchange(&mut a, &mut b, now);
            let (first, second) = if epoch % 2 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
            update(first, second, now + 3 * PTO);
            second.send_to(first, now + 3 * PTO);
            assert_eq!((a.epochs.send_epoch(), b.epochs.send_epoch()), (epoch, epoch));
            assert_eq!((a.epochs.receive_epoch(), b.epochs.receive_epoch()), (epoch, epoch));
        }
    }
}

// spec: 6.7 key update
#[test]
fn both_sides_may_begin_the_same_update_at_once() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b, at(1));
    for end in [&mut a, &mut b] {
        end.epochs.ask_update();
        assert!(end.epochs.handle_timeout(at(9), PTO));
    }
    let (to_b, _) = a.seal(2, b"crossing");
    let (to_a, _) = b.seal(2, b"crossing");
    assert!(b.open_at(at(9), &to_b).expect("it opens").0.is_epoch_new);
    assert!(a.open_at(at(9), &to_a).expect("it opens").0.is_epoch_new);
    assert_eq!((a.epochs.send_epoch(), b.epochs.send_epoch()), (1, 1));
}

// spec: 6.7 key update
#[test]
fn packets_reordered_across_an_update_open_until_the_old_keys_are_erased() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b, at(1));
    // One in a channel whose key is there, one whose key must be derived, one too late.
    let late = [2, 8, 2].map(|channel| a.seal(channel, b"late").0);
    update(&mut a, &mut b, at(10));
    assert_eq!(b.open_at(at(11), &late[0]).expect("it opens").0.epoch, 0);
    assert_eq!(b.open_at(at(12), &late[1]).expect("it opens").0.epoch, 0);
    assert_eq!(b.epochs.receive_epoch(), 1);
    assert_eq!(b.epochs.poll_timeout(PTO), Some(at(13)));
    b.epochs.handle_timeout(at(13), PTO);
    assert_eq!(b.open_at(at(13), &late[2]).expect_err("erased"), OpenError::Epoch);
    assert_eq!(b.epochs.poll_timeout(PTO), None);
    let (packet, _) = a.seal(2, b"of the new epoch");
    assert!(b.open_at(at(14), &packet).is_ok());
}

// spec: 6.6 epochs
#[test]
fn the_epoch_before_the_last_is_gone_even_if_no_timer_ran() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    let (old, _) = a.seal(2, b"of epoch 0");
    for now in [at(10), at(20)] {
        exchange(&mut a, &mut b, now);
        update(&mut a, &mut b, now + 3 * PTO);
        b.send_to(&mut a, now + 3 * PTO);
    }
    assert_eq!(b.epochs.receive_epoch(), 2);
    assert_eq!(b.open_at(at(21), &old).expect_err("long over"), OpenError::Epoch);
}

// spec: 6.7 key update
#[test]
fn a_peer_that_updates_before_we_sealed_anything_is_refused() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    // It pretends that something of it was acknowledged.
    a.epochs.on_acked(at(0), 0, 0).expect("the same epoch");
    a.epochs.ask_update();
    assert!(a.epochs.handle_timeout(at(9), PTO));
    let (packet, epoch) = a.seal(2, b"too early");
    assert_eq!(epoch, 1);
    assert_eq!(b.open_at(at(9), &packet).expect_err("abuse"), OpenError::KeyUpdate);
    assert_eq!((b.epochs.send_epoch(), b.epochs.receive_epoch()), (0, 0));
}

// spec: 6.7 key update
#[test]
fn a_second_update_before_we_sealed_in_the_first_is_refused() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b, at(1));
    update(&mut a, &mut b, at(9));
    a.epochs.on_acked(at(9), 1, 1).expect("pretended");
    a.epochs.ask_update();
    assert!(a.epochs.handle_timeout(at(20), PTO));
    let (packet, epoch) = a.seal(2, b"too early");
    assert_eq!(epoch, 2);
    assert_eq!(b.open_at(at(20), &packet).expect_err("abuse"), OpenError::KeyUpdate);
}

// spec: 6.7 key update
#[test]
fn an_acknowledgement_from_an_epoch_before_the_packets_is_abuse() {
    let (mut a, mut b) = End::pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b, at(1));
    a.epochs.ask_update();
    assert!(a.epochs.handle_timeout(at(9), PTO));
    assert_eq!(a.epochs.on_acked(at(9), 1, 0), Err(KeyUpdateError));
    assert_eq!(a.epochs.on_acked(at(9), 0, 0), Ok(()));
    assert_eq!(a.epochs.on_acked(at(9), 0, 1), Ok(()), "an old packet in a new one");
    a.epochs.ask_update();
    assert_eq!(a.epochs.poll_timeout(PTO), None, "nothing of epoch 1 was acknowledged in it");
}

// spec: 6.7, 6.8
#[test]
fn volume_begins_an_update_and_its_end_stops_sealing() {
    let limits = Limits { update_at: 10, sealed_max: 20, ..Limits::of(Suite::Aes256Gcm) };
    let (mut a, mut b) = End::pair_with(Suite::Aes256Gcm, limits);
    // All channels count together.
    for channel in 0..20 {
        a.seal(channel % 5, b"volume");
    }
    let info = SealInfo { channel: ChannelNumber(2), path: PathId(3), number: 99, number_len: 2 };
    assert_eq!(a.epochs.seal(&info, &mut layout(2, b"volume")), Err(SealError::UsedUp));
    assert!(!a.epochs.handle_timeout(at(1), PTO), "nothing is acknowledged yet");

    a.epochs.on_acked(at(1), 0, 0).expect("the same epoch");
    assert_eq!(a.epochs.poll_timeout(PTO), Some(at(4)));
    assert!(a.epochs.handle_timeout(at(4), PTO), "nobody asked: volume did");
    assert_eq!(a.epochs.seal(&info, &mut layout(2, b"volume")), Ok(1));
    b.seal(2, b"so that b has sealed in epoch 0");
    assert!(a.send_to(&mut b, at(5)).is_epoch_new);
}

// spec: 6.4 header keys
#[test]
fn header_keys_do_not_change_with_the_epoch() {
    let (mut a, mut b) = End::pair(Suite::ChaCha20Poly1305);
    exchange(&mut a, &mut b, at(1));
    update(&mut a, &mut b, at(9));
    let (packet, _) = a.seal(6, b"unmasked with the keys of epoch 0");
    let (opened, _) = b.open_at(at(9), &packet).expect("it opens");
    assert_eq!((opened.channel, opened.epoch), (ChannelNumber(6), 1));
}
