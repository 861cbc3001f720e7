//! One port, several protocols: the first bytes of a datagram say which.

/// What a datagram is, by its first bytes.
// spec: 2.1 first byte
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Version 0.
    V0,
    /// Version 1, a packet of the handshake, perhaps with others behind it.
    Long,
    /// Version 1, a packet of a connection.
    Short,
    /// Nothing that we speak.
    Other,
}

/// The reference's protocol id.
const V0: [u8; 4] = [0x0c, 0x22, 0x9d, 0x94];

/// The first 8 hexadecimal digits of SHA-512("channeler v1.0").
const V1: [u8; 4] = [0x09, 0x01, 0xd0, 0x3f];

impl Kind {
    /// How many bytes tell it.
    pub(super) const BYTES: usize = 4;

    #[inline]
    pub(super) fn of(datagram: &[u8]) -> Kind {
        let begins = |id: &[u8; 4]| datagram.iter().zip(id).all(|(left, right)| left == right);
        match datagram.first() {
            Some(0x80..=0xbf) => Kind::Short,
            Some(0x0c) if begins(&V0) => Kind::V0,
            Some(0x09) if begins(&V1) => Kind::Long,
            Some(_) | None => Kind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: 2.1 first byte
    #[test]
    fn first_bytes_tell_the_protocols_apart() {
        for (bytes, kind) in [
            (&[0x0c, 0x22, 0x9d, 0x94, 1][..], Kind::V0),
            (&[0x09, 0x01, 0xd0, 0x3f, 1], Kind::Long),
            (&[0x80], Kind::Short),
            (&[0xbf, 0, 0, 0], Kind::Short),
            (&[0x0c, 0x22, 0x9d, 0x95], Kind::Other),
            (&[0x09, 0x01, 0xd0, 0x3e], Kind::Other),
            (&[0x7f], Kind::Other),
            (&[0xc0], Kind::Other),
            (&[0x00], Kind::Other),
            (&[], Kind::Other),
        ] {
            assert_eq!(Kind::of(bytes), kind, "{bytes:02x?}");
        }
    }
}
