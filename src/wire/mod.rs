//! Bytes to values and back: the packets and messages of protocols v0 and v1.
//!
//! Internal: public only so that tests, fuzz targets and benches reach it; no promise of stability.
//! Nothing here allocates but transport parameters, and every length is checked before it is used:
//! whatever the bytes, a parser returns a value or an error and reads nothing outside of what it
//! was given.
//!
//! | module | protocol | what |
//! |---|---|---|
//! | `packet`, `message` | v0 | packets and the messages in them |
//! | `long`, `short` | v1 | packets of the handshake, and of everything after it |
//! | `frame`, `ranges` | v1 | what those hold: the page says message, the code says frame |
//! | `params`, `codes` | v1 | transport parameters; error codes |

mod buffer;
pub mod checksum;
pub mod codes;
#[cfg(target_arch = "x86_64")]
mod crc32c;
pub mod frame;
pub mod long;
pub mod message;
pub mod packet;
pub mod params;
pub mod ranges;
pub mod short;
pub mod varint;

pub use buffer::{Reader, WireError, Writer};

/// Bytes at the end of each sealed v1 packet, of both kinds.
pub const TAG_LEN: usize = 16;

/// Bytes of ciphertext from which the masks of a v1 header are computed.
pub const SAMPLE_LEN: usize = 16;

/// The largest packet number of a v1 packet number space.
pub const NUMBER_MAX: u64 = (1 << 62) - 1;

/// Whether a message type or parameter id never gets a meaning.
// spec: 1.4 reserved values
#[inline]
pub const fn is_grease(value: u64) -> bool {
    value >= GREASE_FIRST && (value - GREASE_FIRST).is_multiple_of(GREASE_STEP)
}

/// The message type or parameter id without a meaning that has this number; it wraps at 2^16.
#[inline]
pub const fn grease(n: u16) -> u64 {
    GREASE_FIRST + GREASE_STEP * n as u64
}

const GREASE_FIRST: u64 = 64;
const GREASE_STEP: u64 = 31;

#[cfg(test)]
mod tests {
    use super::*;

    // spec: 1.4 reserved values
    #[test]
    fn grease_is_64_and_every_31st_after_it() {
        assert_eq!([grease(0), grease(1), grease(2)], [64, 95, 126]);
        for n in [0, 1, 2, 1000, u16::MAX] {
            assert!(is_grease(grease(n)));
            assert!(!is_grease(grease(n) + 1) && !is_grease(grease(n) - 1));
        }
        assert!(!is_grease(2) && !is_grease(33) && !is_grease(0));
    }
}
