//! CRC-32C with carry-less multiplication of 64 bytes at a time (AVX-512).
//!
//! Folding as in Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ":
//! 64 bytes times a power of x, modulo the polynomial, are xored into the bytes that far behind,
//! until only 64 bytes are left that have the checksum of all. What comes before a whole number of
//! blocks is put behind zeros, which change no checksum that starts from zero, so that no byte is
//! left for slower instructions: those take most of the time of a packet otherwise.

use std::arch::x86_64::{
    __m512i, _mm_crc32_u8, _mm_crc32_u64, _mm_cvtsi32_si128, _mm_extract_epi64,
    _mm_ternarylogic_epi64, _mm_xor_si128, _mm512_castsi128_si512, _mm512_castsi512_si128,
    _mm512_clmulepi64_epi128, _mm512_extracti32x4_epi32, _mm512_maskz_permutexvar_epi8,
    _mm512_set_epi64, _mm512_set1_epi8, _mm512_setzero_si512, _mm512_sub_epi8,
    _mm512_ternarylogic_epi64, _mm512_xor_si512,
};

use multiversion::multiversion;
use multiversion::target::match_target;

/// Bytes of a register.
const BLOCK: usize = 64;

/// The checksum of `data` behind bytes that have the checksum `before` (0 for no bytes); none where
/// the processor lacks the instructions, and for less than a block.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512vl+avx512vbmi+vpclmulqdq+pclmulqdq+sse4.1+sse4.2"
))]
pub(super) fn checksum(before: u32, data: &[u8]) -> Option<u32> {
    match_target! {
        "x86_64+avx512f+avx512bw+avx512vl+avx512vbmi+vpclmulqdq+pclmulqdq+sse4.1+sse4.2" =>
            folded(!before, data),
        _ => {
            let _ = (before, data);
            None
        }
    }
}

/// Functions that only a processor with these instructions may run: `checksum` asks it.
macro_rules! with_avx512 {
    ($($function:item)*) => {
        $(
            #[inline]
            #[target_feature(
                enable = "avx512f,avx512bw,avx512vl,avx512vbmi,vpclmulqdq,pclmulqdq,sse4.1,sse4.2"
            )]
            $function
        )*
    };
}

with_avx512! {
    fn folded(start: u32, data: &[u8]) -> Option<u32> {
        // The start value goes into the first four bytes, which must not be torn apart.
        let few = if data.len() % BLOCK < 4 { data.len() % BLOCK } else { 0 };
        let (few, data) = data.split_at(few);
        let start = few.iter().fold(start, |crc, byte| _mm_crc32_u8(crc, *byte));
        let start = _mm512_castsi128_si512(_mm_cvtsi32_si128(start.cast_signed()));
        let first = _mm512_xor_si512(load(data.first_chunk()?), start);
        let head_len = (data.len() - 1) % BLOCK + 1;
        let head = behind_zeros(first, head_len);
        let (blocks, _) = data[head_len..].as_chunks::<BLOCK>();
        let zero = _mm512_setzero_si512();
        let (few, groups) = blocks.split_at(blocks.len() % 4);
        let mut sums = match few {
            [a, b, c, ..] => [head, load(a), load(b), load(c)],
            [b, c] => [zero, head, load(b), load(c)],
            [c] => [zero, zero, head, load(c)],
            [] => [zero, zero, zero, head],
        };
        let by = powers(4 * BLOCK);
        for group in groups.as_chunks::<4>().0 {
            for (sum, block) in sums.iter_mut().zip(group) {
                *sum = fold(*sum, by, load(block));
            }
        }
        Some(reduce(sums))
    }

    fn load(block: &[u8; BLOCK]) -> __m512i {
        bytemuck::cast(*block)
    }

    /// The first `len` bytes of `block`, moved to its end, behind zeros.
    fn behind_zeros(block: __m512i, len: usize) -> __m512i {
        let zeros = BLOCK - len;
        let places = load(const { &places() });
        let from = _mm512_sub_epi8(places, _mm512_set1_epi8(zeros as i8));
        _mm512_maskz_permutexvar_epi8(u64::MAX << zeros, from, block)
    }

    /// `sum` moved by as many bytes as `by` says, into `block`, in each of the four parts of 16
    /// bytes.
    fn fold(sum: __m512i, by: __m512i, block: __m512i) -> __m512i {
        let low = _mm512_clmulepi64_epi128::<0x00>(sum, by);
        let high = _mm512_clmulepi64_epi128::<0x11>(sum, by);
        // 0x96: xor of three.
        _mm512_ternarylogic_epi64::<0x96>(low, high, block)
    }

    /// What `fold` moves all parts by `bytes` with.
    fn powers(bytes: usize) -> __m512i {
        let [low, high] = POWERS[bytes / 16];
        _mm512_set_epi64(high, low, high, low, high, low, high, low)
    }

    /// The checksum of four blocks in a row.
    fn reduce([a, b, c, d]: [__m512i; 4]) -> u32 {
        let zero = _mm512_setzero_si512();
        let left = fold(a, powers(3 * BLOCK), fold(b, powers(2 * BLOCK), zero));
        let sum = _mm512_xor_si512(left, fold(c, powers(BLOCK), d));
        // The first three parts go into the last one.
        let [third, second, first] = [POWERS[1], POWERS[2], POWERS[3]];
        let by = _mm512_set_epi64(
            0, 0, third[1], third[0], second[1], second[0], first[1], first[0],
        );
        let moved = fold(sum, by, zero);
        let part = _mm_ternarylogic_epi64::<0x96>(
            _mm512_castsi512_si128(moved),
            _mm512_extracti32x4_epi32::<1>(moved),
            _mm512_extracti32x4_epi32::<2>(moved),
        );
        let part = _mm_xor_si128(part, _mm512_extracti32x4_epi32::<3>(sum));
        let crc = _mm_crc32_u64(0, _mm_extract_epi64::<0>(part).cast_unsigned());
        !(_mm_crc32_u64(crc, _mm_extract_epi64::<1>(part).cast_unsigned()) as u32)
    }
}

/// What moves the low and the high half of 16 bytes by 16 times its index.
static POWERS: [[i64; 2]; 17] = powers_of_x();

const fn powers_of_x() -> [[i64; 2]; 17] {
    let mut powers = [[0; 2]; 17];
    let mut index = 1;
    while index < powers.len() {
        let bits = 128 * index;
        // The product of reflected numbers is one bit short, and 32 bits are the checksum's own.
        powers[index] = [power_of_x(bits + 64 - 33), power_of_x(bits - 33)];
        index += 1;
    }
    powers
}

/// x to the power of `n` modulo the polynomial, lowest power in the highest of 32 bits.
const fn power_of_x(n: usize) -> i64 {
    let mut power: u32 = 1 << 31;
    let mut done = 0;
    while done < n {
        power = power >> 1 ^ (0x82f6_3b78 & 0_u32.wrapping_sub(power & 1));
        done += 1;
    }
    power as i64
}

const fn places() -> [u8; BLOCK] {
    let mut places = [0; BLOCK];
    let mut place = 0;
    while place < BLOCK {
        places[place] = place as u8;
        place += 1;
    }
    places
}
