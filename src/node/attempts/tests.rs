//! Attempts are found, counted and forgotten.

use super::*;
use crate::id::{Handle, Level};
use crate::wire::long::{Cookie, Kind};

// spec: 7.2 ids of an attempt
#[test]
fn a_peers_attempt_is_found_by_address_and_both_its_ids() {
    let mut attempts = Attempts::default();
    attempts.insert(Side::Responder, address(1), &ids(1), handle(1));
    assert_eq!(attempts.find(address(1), &header(1, 2)), Some(handle(1)), "the original id");
    assert_eq!(attempts.find(address(1), &header(1, 3)), Some(handle(1)), "our id");
    assert_eq!(attempts.find(address(2), &header(1, 2)), None, "a copy from elsewhere");
    assert_eq!(attempts.find(address(1), &header(9, 2)), None, "another sender");
    assert_eq!(attempts.find(address(1), &header(1, 9)), None, "another recipient");
}

// spec: 7.2 ids of an attempt
#[test]
fn our_attempt_is_found_by_our_id_from_the_address_that_we_dialled() {
    let mut attempts = Attempts::default();
    let listed = attempts.insert(Side::Initiator, address(1), &ids(1), handle(1));
    assert_eq!(attempts.find(address(1), &header(9, 1)), Some(handle(1)));
    assert_eq!(attempts.find(address(2), &header(9, 1)), None);
    attempts.finish(Time::ZERO, MEMORY, listed);
    assert_eq!(attempts.find(address(1), &header(9, 1)), None);
}

// spec: 7.2 ids of an attempt
#[test]
fn a_finished_attempt_is_remembered_for_its_time_and_the_oldest_goes_first() {
    let mut attempts = Attempts::default();
    let finish = |attempts: &mut Attempts, now, port| {
        let listed = attempts.insert(Side::Responder, address(port), &ids(1), handle(1));
        attempts.finish(now, MEMORY, listed);
    };
    finish(&mut attempts, Time::ZERO, 1);
    assert_eq!(attempts.find(address(1), &header(1, 2)), None);
    let end = Time::ZERO + MEMORY;
    let before = Time::from_nanos(end.as_nanos() - 1);
    assert!(attempts.has_finished(before, address(1), &header(1, 2)));
    assert!(attempts.has_finished(before, address(1), &header(1, 3)));
    assert!(!attempts.has_finished(end, address(1), &header(1, 2)));
    for port in 0..=FINISHED_ATTEMPTS_MAX {
        finish(&mut attempts, end, port as u16);
    }
    assert!(!attempts.has_finished(end, address(0), &header(1, 2)));
    assert!(attempts.has_finished(end, address(1), &header(1, 2)));
    assert_eq!(attempts.finished.len(), 2 * FINISHED_ATTEMPTS_MAX);
}

const MEMORY: Duration = Duration::from_secs(10);

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

fn ids(first: u8) -> AttemptIds {
    let id = |number| AttemptId([number; 16]);
    AttemptIds { initiator: id(first), original: id(first + 1), responder: id(first + 2) }
}

fn handle(bits: u64) -> ConnectionHandle {
    ConnectionHandle(Handle::from_bits(bits))
}

fn header(sender: u8, recipient: u8) -> LongHeader {
    LongHeader {
        kind: Kind::Sealed(Level::Initial),
        sender: AttemptId([sender; 16]),
        recipient: AttemptId([recipient; 16]),
        cookie: Cookie::NONE,
        size: 1_200,
    }
}
