//! The two checksums of protocol v0, computed with the processor's instructions where it has them.

/// CRC-32C (Castagnoli), which ends each packet.
///
/// It runs once for each packet sent and received, so it folds with carry-less multiplication: 2 to
/// 4 times as fast at these sizes as with the CRC instruction alone. Where the processor can, that
/// is our own code: the crate leaves up to 383 bytes of each packet to that instruction.
#[inline]
pub fn crc32c(data: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if let Some(checksum) = super::crc32c::checksum(0, data) {
        return checksum;
    }
    crc_fast::crc32_iscsi(data)
}

/// CRC-32C of `data` behind bytes that have the checksum `before`; none where that would not be
/// faster than both in one.
#[inline]
pub fn crc32c_behind(before: u32, data: &[u8]) -> Option<u32> {
    #[cfg(target_arch = "x86_64")]
    return super::crc32c::checksum(before, data);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (before, data);
        None
    }
}

/// CRC-32 (IEEE, as in zlib) over all parts, back to back: the reference's cookies.
pub fn crc32(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, bit by bit.
    fn crc(reflected_polynomial: u32, data: &[u8]) -> u32 {
        !data.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                crc >> 1 ^ reflected_polynomial & 0_u32.wrapping_sub(crc & 1)
            })
        })
    }

    #[test]
    fn check_values_of_the_two_polynomials() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32(&[b"1234", b"", b"56789"]), 0xcbf4_3926);
        assert_eq!((crc32c(b""), crc32(&[])), (0, 0));
    }

    #[test]
    fn every_size_and_alignment_agrees_with_the_definition() {
        // The fast code takes other ways at other sizes; the steps reach each of them.
        let data: Vec<u8> =
            (0..9_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let lengths = (0..700).chain((700..2_000).step_by(7)).chain([4_096, 8_948, 8_992]);
        for len in lengths {
            let part = &data[len % 8..][..len];
            assert_eq!(crc32c(part), crc(0x82f6_3b78, part), "{len} bytes");
            let (front, back) = part.split_at(len.min(51));
            if let Some(checksum) = crc32c_behind(crc32c(front), back) {
                assert_eq!(checksum, crc(0x82f6_3b78, part), "{len} bytes in two parts");
            }
            assert_eq!(crc32(&[&part[..len / 3], &part[len / 3..]]), crc(0xedb8_8320, part));
        }
    }
}
