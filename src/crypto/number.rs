//! Packet numbers as packets carry them: their low bytes.

/// The number nearest to the one expected after `largest` that ends in the `bits` low bits given.
// spec: 5.5 packet numbers (RFC 9000 A.3)
pub(super) fn decode(truncated: u64, bits: u32, largest: Option<u64>) -> u64 {
    let expected = largest.map_or(0, |largest| largest + 1);
    let window = 1u64 << bits;
    let candidate = (expected & !(window - 1)) | truncated;
    if candidate + window / 2 <= expected && candidate < NUMBER_MAX + 1 - window {
        candidate + window
    } else if candidate > expected + window / 2 && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

/// The largest packet number there is.
pub(super) const NUMBER_MAX: u64 = (1 << 62) - 1;
