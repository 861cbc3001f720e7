//! Cookies: for whom they hold, and how long.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::{COOKIE_SIZE, CookieKeys};
use super::at;
use crate::id::AttemptId;

const SENDER: AttemptId = AttemptId([1; 16]);
const RECIPIENT: AttemptId = AttemptId([2; 16]);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn keys() -> CookieKeys {
    CookieKeys::new([9; 32], at(0))
}

// spec: 7.9 cookies
#[test]
fn a_cookie_holds_for_ten_seconds_and_not_before_it_was_made() {
    let from = address("198.51.100.7:9");
    let mut keys = keys();
    let cookie = keys.make(at(100), from, SENDER, RECIPIENT);
    for (now, is_good) in [(99, false), (100, true), (110, true), (111, false)] {
        assert_eq!(keys.check(at(now), from, SENDER, RECIPIENT, &cookie), is_good, "at {now}");
    }
}

// spec: 7.9 cookies
#[test]
fn a_cookie_holds_for_its_address_and_ids_only() {
    let from = address("198.51.100.7:9");
    let mut keys = keys();
    let cookie = keys.make(at(1), from, SENDER, RECIPIENT);
    for other in ["198.51.100.8:9", "198.51.100.7:10", "[::ffff:198.51.100.7]:9", "[::1]:9"] {
        assert!(!keys.check(at(1), address(other), SENDER, RECIPIENT, &cookie), "{other}");
    }
    assert!(!keys.check(at(1), from, RECIPIENT, SENDER, &cookie));
    assert!(!keys.check(at(1), from, SENDER, SENDER, &cookie));
    assert!(keys.check(at(1), from, SENDER, RECIPIENT, &cookie));
}

// spec: 7.9 cookies
#[test]
fn a_cookie_that_was_changed_anywhere_or_cut_is_none() {
    let from = address("[2001:db8::1]:9");
    let mut keys = keys();
    let cookie = keys.make(at(1), from, SENDER, RECIPIENT);
    for bit in 0..8 * COOKIE_SIZE {
        let mut changed = cookie;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!keys.check(at(1), from, SENDER, RECIPIENT, &changed), "bit {bit}");
    }
    for size in 0..COOKIE_SIZE {
        assert!(!keys.check(at(1), from, SENDER, RECIPIENT, &cookie[..size]), "{size} bytes");
    }
    assert!(!keys.check(at(1), from, SENDER, RECIPIENT, &[&cookie[..], &[0]].concat()));
}

// spec: 7.9 cookies
#[test]
fn the_key_changes_every_ten_minutes_and_the_last_one_still_counts() {
    let from = address("198.51.100.7:9");
    let mut keys = keys();
    let minutes = |minutes: u64| at(60 * minutes);
    let first = keys.make(minutes(9), from, SENDER, RECIPIENT);
    let late = keys.make(at(598), from, SENDER, RECIPIENT);
    assert!(keys.check(at(601), from, SENDER, RECIPIENT, &late), "made with the key before");
    // The same time in it, made with the new key.
    let again = keys.make(minutes(11), from, SENDER, RECIPIENT);
    assert!(!keys.check(minutes(11), from, SENDER, RECIPIENT, &first));
    assert!(keys.check(minutes(11), from, SENDER, RECIPIENT, &again));
}

// spec: 7.9 cookies
#[test]
fn after_a_long_sleep_no_old_key_counts() {
    let from = address("198.51.100.7:9");
    let (mut keys, mut twin) = (keys(), keys());
    let awake = at(0) + 3 * CookieKeys::KEY_LIFETIME;
    // The old key, made to sign the present: what somebody could do who found it out.
    let mut old = CookieKeys::new([9; 32], awake);
    let forged = old.make(awake, from, SENDER, RECIPIENT);
    assert!(!keys.check(awake, from, SENDER, RECIPIENT, &forged));
    let soon = at(0) + CookieKeys::KEY_LIFETIME + Duration::from_secs(1);
    let mut old = CookieKeys::new([9; 32], soon);
    let last = old.make(soon, from, SENDER, RECIPIENT);
    assert!(twin.check(soon, from, SENDER, RECIPIENT, &last), "the last key counts");
}
