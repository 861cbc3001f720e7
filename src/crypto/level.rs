//! Keys that seal and open long packets: those of levels 0, 1 and 2.

use std::ops::Range;

use rustls::Tls13CipherSuite;
use rustls::quic::{DirectionalKeys, Keys, Version};

use super::{TAG_SIZE, hkdf};
use crate::id::{AttemptId, Side};
use crate::wire::short::decode_number;

/// The keys of one level in both directions.
pub struct LevelKeys {
    /// Seals what we send.
    pub local: LevelKey,
    /// Opens what the peer sends.
    pub remote: LevelKey,
}

impl LevelKeys {
    /// The keys of level 0, which anyone can compute who saw the attempt's first datagram.
    // spec: 6.1 level keys
    pub fn initial(original: AttemptId, side: Side) -> LevelKeys {
        let suite: &'static Tls13CipherSuite = &hkdf::AES_128_GCM;
        let suite = suite.quic_suite().expect("the provider gives the suite packet keys");
        let side = match side {
            Side::Initiator => rustls::Side::Client,
            Side::Responder => rustls::Side::Server,
        };
        LevelKeys::new(suite.keys(&original.0, side, Version::V1))
    }

    pub(super) fn new(keys: Keys) -> LevelKeys {
        LevelKeys { local: LevelKey::new(keys.local), remote: LevelKey::new(keys.remote) }
    }
}

/// The key of one level in one direction.
pub struct LevelKey {
    keys: DirectionalKeys,
}

/// A packet that its key does not open: damaged, forged, or sealed for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forged;

impl LevelKey {
    /// Bytes of the packet number in a long packet.
    pub const NUMBER_SIZE: usize = 4;

    pub(super) fn new(keys: DirectionalKeys) -> LevelKey {
        LevelKey { keys }
    }

    /// Seals the whole long packet `packet` in place, and masks it.
    ///
    /// Before: the header up to `number_offset`, 4 bytes of room for the number, the payload, 16
    /// bytes of room for the tag. The number is written here. Each number may be used only once.
    ///
    /// # Panics
    /// When `packet` has no room for all that.
    // spec: 4.3 sealing
    pub fn seal(&self, number: u64, number_offset: usize, packet: &mut [u8]) {
        let payload_offset = number_offset + LevelKey::NUMBER_SIZE;
        assert!(packet.len() >= payload_offset + TAG_SIZE, "no room for a tag");
        let (header, rest) = packet.split_at_mut(payload_offset);
        header[number_offset..].copy_from_slice(&(number as u32).to_be_bytes());
        let (payload, tag) = rest.split_at_mut(rest.len() - TAG_SIZE);
        let sealed = self
            .keys
            .packet
            .encrypt_in_place(number, header, payload)
            .expect("a packet is shorter than what an AEAD takes");
        tag.copy_from_slice(sealed.as_ref());
        self.mask(number_offset, packet);
    }

    /// Unmasks and opens the whole long packet `packet` in place: its number, and where in it the
    /// payload is. `largest` is the largest number opened in its space.
    ///
    /// Afterwards `packet` has changed, also when it did not open. Whether the number was seen
    /// before is for the space's `ReplayWindow` to say.
    pub fn open(
        &self,
        number_offset: usize,
        largest: Option<u64>,
        packet: &mut [u8],
    ) -> Result<(u64, Range<usize>), Forged> {
        let payload_offset = number_offset + LevelKey::NUMBER_SIZE;
        if packet.len() < payload_offset + TAG_SIZE {
            return Err(Forged);
        }
        self.mask(number_offset, packet);
        let (header, payload) = packet.split_at_mut(payload_offset);
        let low = header[number_offset..].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let number = decode_number(low, LevelKey::NUMBER_SIZE, largest);
        let size =
            self.keys.packet.decrypt_in_place(number, header, payload).map_err(|_| Forged)?.len();
        Ok((number, payload_offset..payload_offset + size))
    }

    /// XORs the mask to the number, which takes it away as well.
    fn mask(&self, number_offset: usize, packet: &mut [u8]) {
        let (header, rest) = packet.split_at_mut(number_offset + LevelKey::NUMBER_SIZE);
        // "Long form, 4 bytes": so that all four are masked. The byte itself is not in the packet.
        let mut dummy = 0x83;
        self.keys
            .header
            .encrypt_in_place(&rest[..TAG_SIZE], &mut dummy, &mut header[number_offset..])
            .expect("16 bytes of sample and 4 of number are what a mask takes");
    }
}
