//! Resets are rare, and no larger than their cause.

use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::crypto::Identity;

// spec: 14.6 stateless reset: sending
#[test]
fn a_reset_is_shorter_than_its_cause_and_ends_with_the_value_of_the_token() {
    let mut one = Sender::new();
    let token = Token([3; 8]);
    for size in 34..1_300 {
        one.now = one.now + Duration::from_secs(1);
        let mut reply = one.answer(1, token, size).expect("one a second");
        let bytes = reply.bytes_mut();
        assert!((33..=64).contains(&bytes.len()) && bytes.len() < size);
        assert_eq!(bytes[0] & 0b1101_0000, 0b1000_0000);
        assert_eq!(bytes[bytes.len() - 16..], one.key.value(token));
    }
    one.now = one.now + Duration::from_secs(1);
    assert!(one.answer(1, token, 33).is_none(), "it may be a reset");
}

// spec: 14.6 stateless reset: sending
#[test]
fn at_most_ten_resets_a_second_go_to_a_prefix_and_a_hundred_in_all() {
    let mut one = Sender::new();
    let mut sent = 0;
    for network in 0..50 {
        let to_it = (0..30).filter(|_| one.answer(network, Token([1; 8]), 100).is_some()).count();
        assert_eq!(to_it, if network < 10 { 10 } else { 0 });
        sent += to_it;
    }
    assert_eq!(sent, 100);
    assert!(one.resets.prefixes.len() <= RESETS_MAX as usize);
    one.now = one.now + Duration::from_secs(1);
    assert!(one.answer(0, Token([1; 8]), 100).is_some());
}

struct Sender {
    resets: Resets,
    key: ResetKey,
    rng: ChaCha12Rng,
    now: Time,
}

impl Sender {
    fn new() -> Sender {
        let key = ResetKey::new(&Identity::from_seed([5; 32]), b"");
        let rng = ChaCha12Rng::from_seed([6; 32]);
        Sender { resets: Resets::new(Time::ZERO), key, rng, now: Time::ZERO }
    }

    fn answer(&mut self, network: u8, token: Token, size: usize) -> Option<Reply> {
        let to = (SocketAddr::from(([10, 0, network, 1], 4_000)), Local::default());
        self.resets.answer(self.now, &self.key, &mut self.rng, to, token, size)
    }
}
