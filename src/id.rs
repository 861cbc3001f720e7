//! Names of things: peers, channels on the wire, and the handles that callers hold.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// Who a peer is: 16 bytes. In protocol v0 they are chosen at will and prove nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; PeerId::SIZE]);

impl PeerId {
    /// Bytes in a peer id.
    pub const SIZE: usize = 16;
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no peer id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerIdError {
    /// Not 32 hexadecimal digits (after an optional `0x`).
    #[error(
        "a peer id is 32 hexadecimal digits, with or without 0x before them; got {0} characters"
    )]
    Length(usize),
    /// A character that is no hexadecimal digit.
    #[error("a peer id is 32 hexadecimal digits: {0}")]
    Digit(#[from] ParseIntError),
}

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<PeerId, PeerIdError> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.len() != 2 * PeerId::SIZE || !digits.is_ascii() || digits.starts_with('+') {
            return Err(PeerIdError::Length(digits.len()));
        }
        let bits = u128::from_str_radix(digits, 16)?;
        Ok(PeerId(bits.to_be_bytes()))
    }
}

/// A v0 channel id: one half chosen by each side.
///
/// On the wire the responder half comes first. A half of `f0f0` means "not chosen yet".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId {
    /// The half that the opener of the channel chose.
    pub initiator: u16,
    /// The half that its peer chose.
    pub responder: u16,
}

impl ChannelId {
    /// The value of a half that nobody has chosen yet.
    pub const NO_HALF: u16 = 0xf0f0;

    /// The channel that handshakes run on.
    pub const DEFAULT: ChannelId =
        ChannelId { initiator: ChannelId::NO_HALF, responder: ChannelId::NO_HALF };

    /// Reads the 32-bit wire order: responder half, then initiator half.
    pub const fn from_wire(wire: u32) -> ChannelId {
        ChannelId { initiator: wire as u16, responder: (wire >> 16) as u16 }
    }

    /// The 32-bit wire order: responder half, then initiator half.
    pub const fn to_wire(self) -> u32 {
        (self.responder as u32) << 16 | self.initiator as u32
    }

    /// Whether both halves are chosen.
    pub const fn is_complete(self) -> bool {
        self.initiator != ChannelId::NO_HALF && self.responder != ChannelId::NO_HALF
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.initiator, self.responder)
    }
}

/// What a channel promises; both sides of it agree on the opener's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(pub u16);

impl Capabilities {
    /// Lost messages are sent again.
    pub const RESEND: Capabilities = Capabilities(1);
    /// Messages are never delivered out of order.
    pub const ORDERED: Capabilities = Capabilities(1 << 1);
    /// A loss closes the channel.
    pub const CLOSE_ON_LOSS: Capabilities = Capabilities(1 << 2);
    /// All bits that have a meaning.
    pub const KNOWN: Capabilities = Capabilities(0b111);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Capabilities) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Which protocol a peer is spoken to with. Nothing ever changes from one to the other by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Version {
    /// The reference's plain format: neither encrypted nor authenticated.
    V0,
    /// This project's protocol: `docs/protocol.md`.
    #[default]
    V1,
}

/// A slot in a table of one node, with the generation that tells a reused slot from a stale handle.
///
/// The bits are, from the top: node tag (16), generation (24), version (1; set for v1), slot (23).
/// Zero is never a handle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u64);

impl Handle {
    /// Most slots that a table of handles can have.
    pub const SLOTS_MAX: usize = 1 << 23;

    const GENERATION: u64 = (1 << 24) - 1;
    const SLOT: u64 = (1 << 23) - 1;
    const V1: u64 = 1 << 23;

    /// Packs a handle. `generation` wraps at 24 bits and skips zero, so that no handle is zero.
    pub(crate) fn pack(tag: u16, generation: u32, version: Version, slot: u32) -> Handle {
        debug_assert!(u64::from(slot) <= Handle::SLOT, "slot tables are capped at SLOTS_MAX");
        let generation = (u64::from(generation) & Handle::GENERATION).max(1);
        let version = match version {
            Version::V0 => 0,
            Version::V1 => Handle::V1,
        };
        Handle(u64::from(tag) << 48 | generation << 24 | version | u64::from(slot))
    }

    /// The protocol of what it names.
    pub const fn version(self) -> Version {
        if self.0 & Handle::V1 == 0 { Version::V0 } else { Version::V1 }
    }

    /// The value as a caller stores it.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// Takes back what `to_bits` gave; anything else becomes a handle that no table knows.
    pub const fn from_bits(bits: u64) -> Handle {
        Handle(bits)
    }

    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> 24 & Handle::GENERATION) as u32
    }

    pub(crate) const fn slot(self) -> usize {
        (self.0 & Handle::SLOT) as usize
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A connection as callers name it. Stale once its `ConnectionClosed` event was emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionHandle(pub Handle);

/// A channel as callers name it. Stale once its `ChannelClosed` event was emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelHandle(pub Handle);

/// Which side of a channel we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// We opened it.
    Initiator,
    /// The peer opened it.
    Responder,
}

/// Which side of a connection: who began it. Roles last as long as the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The node that began the connection.
    Initiator,
    /// The other.
    Responder,
}

impl Side {
    /// The other side.
    #[inline]
    pub const fn peer(self) -> Side {
        match self {
            Side::Initiator => Side::Responder,
            Side::Responder => Side::Initiator,
        }
    }
}

/// Which handshake keys seal a v1 long packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Level 0: keys that anyone who saw the first datagram can compute.
    Initial,
    /// Level 1: the TLS handshake keys.
    Handshake,
    /// Level 2: the TLS early data keys, of the initiator only.
    Early,
}

/// Random id of one try of a v1 handshake, chosen by one of its sides; no peer id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub [u8; AttemptId::SIZE]);

impl AttemptId {
    /// Bytes in an attempt id.
    pub const SIZE: usize = 16;
}

impl fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What tells the receiver of a v1 short packet its connection and path; chosen by that receiver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub [u8; Token::SIZE]);

impl Token {
    /// Bytes in a token.
    pub const SIZE: usize = 8;
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A path of a v1 connection. Path 0 is that of the handshake; no id is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PathId(pub u32);

impl PathId {
    /// The path of the handshake.
    pub const ZERO: PathId = PathId(0);
}

/// A channel of a v1 connection, as packets and messages name it.
///
/// The lowest bit says who opened it, the others are its index: how many that side opened before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(pub u32);

impl ChannelNumber {
    /// In a packet that belongs to no channel. Never opened.
    pub const NONE: ChannelNumber = ChannelNumber(0xf0f0_f0f0);

    /// Indexes are below this.
    pub const INDEXES_MAX: u32 = 1 << 31;

    /// The channel with this index among those of `opener`. Of `index` the lower 31 bits count.
    #[inline]
    pub const fn new(opener: Side, index: u32) -> ChannelNumber {
        ChannelNumber(index << 1 | opener as u32)
    }

    /// How many channels its opener opened before.
    #[inline]
    pub const fn index(self) -> u32 {
        self.0 >> 1
    }

    /// Who opened it.
    #[inline]
    pub const fn opener(self) -> Side {
        if self.0 & 1 == 0 { Side::Initiator } else { Side::Responder }
    }

    /// Whether it is [`ChannelNumber::NONE`].
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == ChannelNumber::NONE.0
    }
}

impl fmt::Debug for ChannelNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_id_text_round_trips() {
        let text = "0xa0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
        let id: PeerId = text.parse().expect("valid");
        assert_eq!(id.to_string(), text);
        assert_eq!(text[2..].parse(), Ok(id));
    }

    #[test]
    fn peer_id_text_that_is_short_or_no_hex_is_refused() {
        for text in ["", "0x", "0xa0", "+0a1a2a3a4a5a6a7a8a9aaabacadaeaf", "zz"] {
            assert!(matches!(text.parse::<PeerId>(), Err(PeerIdError::Length(_))), "{text}");
        }
        let text = "g0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
        assert!(matches!(text.parse::<PeerId>(), Err(PeerIdError::Digit(_))));
    }

    #[test]
    fn channel_id_wire_order_is_responder_first() {
        let id = ChannelId { initiator: 0x1234, responder: 0x5678 };
        assert_eq!(id.to_wire(), 0x5678_1234);
        assert_eq!(ChannelId::from_wire(0x5678_1234), id);
        assert!(!ChannelId::DEFAULT.is_complete());
    }

    // spec: 9.1 ids
    #[test]
    fn lowest_bit_of_a_channel_number_is_its_opener() {
        for (number, opener, index) in [
            (0, Side::Initiator, 0),
            (1, Side::Responder, 0),
            (2, Side::Initiator, 1),
            (u32::MAX, Side::Responder, ChannelNumber::INDEXES_MAX - 1),
            (ChannelNumber::NONE.0, Side::Initiator, 0x7878_7878),
        ] {
            let channel = ChannelNumber(number);
            assert_eq!((channel.opener(), channel.index()), (opener, index));
            assert_eq!(ChannelNumber::new(opener, index), channel);
        }
        assert!(ChannelNumber::NONE.is_none() && !ChannelNumber(0).is_none());
        assert_eq!(Side::Initiator.peer().peer(), Side::Initiator);
    }
}
