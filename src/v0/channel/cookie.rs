//! Handshake cookies: what lets a responder answer strangers without remembering them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;
use siphasher::sip::SipHasher24;

use crate::config::{NodeConfig, Profile};
use crate::id::{ChannelId, PeerId};
use crate::time::Time;
use crate::wire::checksum;

/// Makes and checks cookies.
#[derive(Debug)]
pub(crate) enum Cookies {
    /// Ours.
    Keyed(Keyed),
    /// The reference's, for those who must equal it.
    Reference(Reference),
}

/// Cookies as the reference makes them: CRC-32 over a secret, both peers and the channel. They
/// bind neither address nor time, and one sample is enough to forge others.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) secret: Vec<u8>,
}

/// SipHash-2-4 over peers, channel, transport address and time epoch,
/// cut to the 32 bits of the wire.
///
/// Each epoch has a secret of its own; the previous one is still good, so that a cookie lives for
/// one to two epochs. 32 bits are what the wire offers: a blind attacker needs 2^31 guesses on
/// average (two secrets are good), `BAD_COOKIES_MAX` a datagram, to pass for another address once.
#[derive(Debug)]
pub(crate) struct Keyed {
    epoch: Duration,
    /// Number of the current epoch.
    current: u64,
    /// Secrets of the current epoch and of the one before it.
    secrets: [[u8; 16]; 2],
}

/// What a cookie is for: the two ends of a handshake and where the other one is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) initiator: PeerId,
    pub(crate) responder: PeerId,
    /// The address of the peer: of the responder in cookie 1, of the initiator in cookie 2.
    pub(crate) address: SocketAddr,
}

impl Cookies {
    pub(crate) fn new(config: &NodeConfig, now: Time, rng: &mut ChaCha12Rng) -> Cookies {
        match config.profile {
            Profile::Node => Cookies::Keyed(Keyed::new(config.cookie_epoch, now, rng)),
            Profile::Reference => Cookies::Reference(Reference::default()),
        }
    }

    /// Moves on to the epoch of `now`. Call before the others.
    pub(crate) fn rotate(&mut self, now: Time, rng: &mut ChaCha12Rng) {
        match self {
            Cookies::Keyed(keyed) => keyed.rotate(now, rng),
            Cookies::Reference(_) => {}
        }
    }

    /// Cookie 1: the initiator's, over its own half.
    pub(crate) fn make_initiator(&self, bound: &Bound, half: u16) -> u32 {
        match self {
            Cookies::Keyed(keyed) => keyed.mac(0, bound, u32::from(half), 1),
            Cookies::Reference(reference) => reference.crc(bound, &half.to_be_bytes()),
        }
    }

    /// Cookie 2: the responder's, over the whole id.
    pub(crate) fn make_responder(&self, bound: &Bound, id: ChannelId) -> u32 {
        match self {
            Cookies::Keyed(keyed) => keyed.mac(0, bound, id.to_wire(), 2),
            Cookies::Reference(reference) => reference.crc(bound, &id.to_wire().to_be_bytes()),
        }
    }

    /// Whether `cookie` is a cookie 2 that we made in this epoch or the one before.
    pub(crate) fn check_responder(&self, bound: &Bound, id: ChannelId, cookie: u32) -> bool {
        match self {
            Cookies::Keyed(keyed) => {
                (0..2).any(|age| keyed.mac(age, bound, id.to_wire(), 2) == cookie)
            }
            Cookies::Reference(_) => self.make_responder(bound, id) == cookie,
        }
    }
}

impl Reference {
    fn crc(&self, bound: &Bound, channel: &[u8]) -> u32 {
        reference_cookie(&self.secret, bound.initiator, bound.responder, channel)
    }
}

/// The reference's cookie: CRC-32 (IEEE) over secret, peers, and the channel's bytes as on the wire
/// (two of a half, four of an id).
pub(crate) fn reference_cookie(
    secret: &[u8],
    initiator: PeerId,
    responder: PeerId,
    channel: &[u8],
) -> u32 {
    checksum::crc32(&[secret, &initiator.0, &responder.0, channel])
}

impl Keyed {
    fn new(epoch: Duration, now: Time, rng: &mut ChaCha12Rng) -> Keyed {
        let mut cookies = Keyed { epoch, current: 0, secrets: [[0; 16]; 2] };
        cookies.secrets.iter_mut().for_each(|secret| rng.fill_bytes(secret));
        cookies.current = cookies.number(now);
        cookies
    }

    fn rotate(&mut self, now: Time, rng: &mut ChaCha12Rng) {
        let number = self.number(now);
        if number <= self.current {
            return;
        }
        self.secrets[1] = self.secrets[0];
        if number > self.current + 1 {
            rng.fill_bytes(&mut self.secrets[1]);
        }
        rng.fill_bytes(&mut self.secrets[0]);
        self.current = number;
    }

    fn number(&self, now: Time) -> u64 {
        let epoch = u64::try_from(self.epoch.as_nanos()).unwrap_or(u64::MAX).max(1);
        now.as_nanos() / epoch
    }

    fn mac(&self, age: usize, bound: &Bound, id: u32, which: u8) -> u32 {
        let mut input = [0; 72];
        input[..16].copy_from_slice(&bound.initiator.0);
        input[16..32].copy_from_slice(&bound.responder.0);
        let (ip, scope) = match bound.address.ip() {
            IpAddr::V4(ip) => (ip.to_ipv6_mapped(), 0),
            IpAddr::V6(ip) => (ip, scope_of(bound.address)),
        };
        input[32..48].copy_from_slice(&ip.octets());
        input[48..52].copy_from_slice(&scope.to_be_bytes());
        input[52..54].copy_from_slice(&bound.address.port().to_be_bytes());
        input[54..58].copy_from_slice(&id.to_be_bytes());
        input[58..66].copy_from_slice(&self.current.wrapping_sub(age as u64).to_be_bytes());
        input[66] = which;
        let hash = SipHasher24::new_with_key(&self.secrets[age]).hash(&input);
        hash as u32
    }
}

fn scope_of(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(v6) => v6.scope_id(),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const EPOCH: Duration = Duration::from_secs(30);
    const ID: ChannelId = ChannelId { initiator: 1, responder: 2 };

    #[test]
    fn a_cookie_survives_one_rotation_and_not_two() {
        let (mut cookies, mut rng) = cookies();
        let cookie = cookies.make_responder(&bound(), ID);
        cookies.rotate(Time::ZERO + EPOCH, &mut rng);
        assert!(cookies.check_responder(&bound(), ID, cookie));
        cookies.rotate(Time::ZERO + EPOCH * 2, &mut rng);
        assert!(!cookies.check_responder(&bound(), ID, cookie));
    }

    #[test]
    fn a_cookie_does_not_survive_a_jump_over_an_epoch() {
        let (mut cookies, mut rng) = cookies();
        let cookie = cookies.make_responder(&bound(), ID);
        cookies.rotate(Time::ZERO + EPOCH * 5, &mut rng);
        assert!(!cookies.check_responder(&bound(), ID, cookie));
    }

    #[test]
    fn a_cookie_is_bound_to_peers_address_and_channel() {
        let (cookies, _) = cookies();
        let cookie = cookies.make_responder(&bound(), ID);
        let mut other = bound();
        other.address.set_port(10);
        assert!(!cookies.check_responder(&other, ID, cookie));
        let other = Bound { initiator: PeerId([9; 16]), ..bound() };
        assert!(!cookies.check_responder(&other, ID, cookie));
        let other = ChannelId { initiator: 1, responder: 3 };
        assert!(!cookies.check_responder(&bound(), other, cookie));
    }

    fn cookies() -> (Cookies, ChaCha12Rng) {
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        (Cookies::Keyed(Keyed::new(EPOCH, Time::ZERO, &mut rng)), rng)
    }

    fn bound() -> Bound {
        Bound {
            initiator: PeerId([1; 16]),
            responder: PeerId([2; 16]),
            address: "192.0.2.1:9".parse().expect("valid"),
        }
    }
}
