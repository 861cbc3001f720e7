//! What is asked of strangers, and when.

use super::*;
use crate::id::{Level, PeerId};
use crate::wire::long::Kind;

#[test]
fn a_prefix_is_a_24_of_ipv4_and_a_48_of_ipv6() {
    let prefix = |text: &str| Prefix::of(text.parse().expect("an address"));
    assert_eq!(prefix("192.0.2.1"), prefix("192.0.2.254"));
    assert_ne!(prefix("192.0.2.1"), prefix("192.0.3.1"));
    assert_eq!(prefix("2001:db8:1::1"), prefix("2001:db8:1:ffff::2"));
    assert_ne!(prefix("2001:db8:1::1"), prefix("2001:db8:2::1"));
    assert_ne!(prefix("0.0.0.0"), prefix("::"), "families are apart");
}

// spec: 7.10 half-open limits
#[test]
fn the_ninth_attempt_of_a_prefix_needs_a_cookie_and_with_one_64_are_the_most() {
    let mut door = Door::new();
    for _ in 0..HALF_OPEN_PREFIX_FREE_MAX {
        assert_eq!(door.knock(1), Verdict::Admit { is_proven: false });
        door.begin(1, false);
    }
    assert!(matches!(door.knock(1), Verdict::Ask(_)));
    assert_eq!(door.knock(2), Verdict::Admit { is_proven: false }, "others are not meant");
    for _ in HALF_OPEN_PREFIX_FREE_MAX..HALF_OPEN_PREFIX_MAX {
        assert_eq!(door.knock_with_cookie(1), Verdict::Admit { is_proven: true });
        door.begin(1, true);
    }
    assert_eq!(door.knock_with_cookie(1), Verdict::Drop);
    assert_eq!(door.knock(1), Verdict::Drop);
}

// spec: 7.10 half-open limits
#[test]
fn the_limits_hold_for_all_prefixes_together() {
    let mut door = Door::new();
    (door.config.half_open_free_max, door.config.half_open_max) = (3, 5);
    (0..3).for_each(|prefix| door.begin(prefix, false));
    assert!(matches!(door.knock(9), Verdict::Ask(_)));
    (3..5).for_each(|prefix| door.begin(prefix, true));
    assert_eq!(door.knock_with_cookie(9), Verdict::Drop);
}

// spec: 7.10 half-open limits
#[test]
fn an_attempt_counts_until_it_is_confirmed_or_its_time_is_over() {
    let mut door = Door::new();
    let config = door.config.clone();
    let number = door.admission.begin(door.now, &config, address(1), false);
    door.begin(1, false);
    assert_eq!(door.admission.half_open(), 2);
    door.admission.confirm(number);
    door.admission.confirm(number);
    assert_eq!(door.admission.half_open(), 1);
    door.now = door.now + config.attempt_timeout;
    door.knock(2);
    assert_eq!(door.admission.half_open(), 0);
    assert!(door.admission.prefixes.is_empty() && door.admission.free == 0);
}

// spec: 7.10 half-open limits
#[test]
fn many_forged_packets_in_a_second_make_cookies_needed_for_a_while() {
    let mut door = Door::new();
    for count in 1..BAD_INITIALS_MAX {
        let at = address((count % 200) as u8);
        door.admission.note_forged(door.now, at, false);
    }
    assert_eq!(door.knock(1), Verdict::Admit { is_proven: false });
    door.admission.note_forged(door.now, address(1), false);
    assert!(matches!(door.knock(1), Verdict::Ask(_)));
    door.now = door.now + BAD_INITIALS_PENALTY;
    assert_eq!(door.knock(1), Verdict::Admit { is_proven: false });
    for second in 0..2 {
        door.now = door.now + Duration::from_secs(second);
        (1..BAD_INITIALS_MAX).for_each(|_| {
            door.admission.note_forged(door.now, address(1), false);
        });
    }
    assert_eq!(door.knock(1), Verdict::Admit { is_proven: false }, "each second for itself");
}

// spec: 7.10 half-open limits
#[test]
fn a_prefix_that_forges_with_good_cookies_is_not_served_for_a_while() {
    let mut door = Door::new();
    for _ in 0..BAD_INITIALS_PREFIX_MAX {
        assert_eq!(door.knock_with_cookie(1), Verdict::Admit { is_proven: true });
        door.admission.note_forged(door.now, address(1), true);
    }
    assert_eq!(door.knock_with_cookie(1), Verdict::Drop);
    assert_eq!(door.knock_with_cookie(2), Verdict::Admit { is_proven: true });
    door.now = door.now + BAD_INITIALS_PENALTY;
    assert_eq!(door.knock_with_cookie(1), Verdict::Admit { is_proven: true });
}

// spec: 7.9 cookies
#[test]
fn a_cookie_is_good_from_its_address_for_its_ids_and_for_ten_seconds() {
    let mut door = Door::new();
    door.config.always_cookie = true;
    let Verdict::Ask(cookie) = door.knock(1) else { panic!("always") };
    let good = LongHeader { cookie, ..header() };
    let other = LongHeader { sender: AttemptId([9; 16]), ..good };
    assert_eq!(door.judge(1, &good), Verdict::Admit { is_proven: true });
    assert!(matches!(door.judge(2, &good), Verdict::Ask(_)), "another address");
    assert!(matches!(door.judge(1, &other), Verdict::Ask(_)), "other ids");
    door.now = door.now + Duration::from_secs(11);
    assert!(matches!(door.judge(1, &good), Verdict::Ask(_)), "too late");
}

/// A node's admission, and somebody who knocks from the network 10.0.N.0/24.
struct Door {
    admission: Admission,
    config: NodeConfig,
    now: Time,
}

impl Door {
    fn new() -> Door {
        let now = Time::ZERO + Duration::from_secs(100);
        let config = NodeConfig::new(PeerId([1; 16]));
        Door { admission: Admission::new([7; 32], now), config, now }
    }

    fn judge(&mut self, network: u8, header: &LongHeader) -> Verdict {
        self.admission.judge(self.now, &self.config, address(network), header)
    }

    fn knock(&mut self, network: u8) -> Verdict {
        self.judge(network, &header())
    }

    fn knock_with_cookie(&mut self, network: u8) -> Verdict {
        let LongHeader { sender, recipient, .. } = header();
        let cookie = self.admission.make_cookie(self.now, address(network), sender, recipient);
        self.judge(network, &LongHeader { cookie, ..header() })
    }

    fn begin(&mut self, network: u8, is_proven: bool) {
        self.admission.begin(self.now, &self.config, address(network), is_proven);
    }
}

fn address(network: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, network, 1], 4_000))
}

fn header() -> LongHeader {
    LongHeader {
        kind: Kind::Sealed(Level::Initial),
        sender: AttemptId([1; 16]),
        recipient: AttemptId([2; 16]),
        cookie: Cookie::NONE,
        size: 1_200,
    }
}
