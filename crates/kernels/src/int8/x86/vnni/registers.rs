//! Orders of channels in registers: how rows are interleaved, and how results come back in order.

use std::arch::x86_64::*;

/// A mask of the lowest `count` of 16 bits, all of them if there are more.
pub(super) fn first_16(count: usize) -> u16 {
    if count >= 16 { u16::MAX } else { (1 << count) - 1 }
}

/// Spreads the lowest `16 · Q` bytes: a quarter of them goes to the start of each lane.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn spread<const Q: usize>(bytes: __m512i) -> __m512i {
    match Q {
        4 => bytes,
        2 => _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3), bytes),
        _ => {
            let order = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
            _mm512_permutexvar_epi32(order, bytes)
        }
    }
}

/// Puts three spread rows side by side. Lane `l` of register `q` has the four channels from
/// `4 · Q · l + 4 · q` on, as four bytes each: top, middle, bottom, 0.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn interleave<const Q: usize>(top: __m512i, middle: __m512i, bottom: __m512i) -> [__m512i; Q] {
    let zero = _mm512_setzero_si512();
    let pairs = [
        [_mm512_unpacklo_epi8(top, middle), _mm512_unpacklo_epi8(bottom, zero)],
        [_mm512_unpackhi_epi8(top, middle), _mm512_unpackhi_epi8(bottom, zero)],
    ];
    let mut columns = [zero; Q];
    for (q, column) in columns.iter_mut().enumerate() {
        let [upper, lower] = pairs[q / 2];
        *column = if q % 2 == 0 {
            _mm512_unpacklo_epi16(upper, lower)
        } else {
            _mm512_unpackhi_epi16(upper, lower)
        };
    }
    columns
}

/// Lanes 0 and 2 of each.
#[inline]
#[target_feature(enable = "avx512f")]
fn even_lanes(low: __m512i, high: __m512i) -> __m512i {
    _mm512_shuffle_i32x4::<0b10_00_10_00>(low, high)
}

/// Lanes 1 and 3 of each.
#[inline]
#[target_feature(enable = "avx512f")]
fn odd_lanes(low: __m512i, high: __m512i) -> __m512i {
    _mm512_shuffle_i32x4::<0b11_01_11_01>(low, high)
}

/// Puts 32-bit numbers, given in the order of their channels, in the order of [`interleave`].
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn by_quarters<const Q: usize>(blocks: [__m512i; Q]) -> [__m512i; Q] {
    let [first, second, third, fourth] = [blocks[0], blocks[1 % Q], blocks[2 % Q], blocks[3 % Q]];
    let mut quarters = blocks;
    if Q == 2 {
        quarters[0] = even_lanes(first, second);
        quarters[Q - 1] = odd_lanes(first, second);
    } else if Q == 4 {
        // Lane q of each block.
        let even = [even_lanes(first, second), even_lanes(third, fourth)];
        let odd = [odd_lanes(first, second), odd_lanes(third, fourth)];
        quarters[0] = even_lanes(even[0], even[1]);
        quarters[1 % Q] = even_lanes(odd[0], odd[1]);
        quarters[2 % Q] = odd_lanes(even[0], even[1]);
        quarters[3 % Q] = odd_lanes(odd[0], odd[1]);
    }
    quarters
}

/// The values of sums in the order of [`interleave`], as bytes in the order of their channels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn requantized<const Q: usize>(
    sums: &[__m512i; Q],
    multiplier: &[__m512i; Q],
    zero_point: __m512i,
) -> __m512i {
    let mut values = [zero_point; Q];
    for ((value, sum), multiplier) in values.iter_mut().zip(sums).zip(multiplier) {
        let real = _mm512_mul_ps(_mm512_cvtepi32_ps(*sum), _mm512_castsi512_ps(*multiplier));
        *value = _mm512_cvtps_epi32(real);
    }
    let low = _mm512_adds_epi16(_mm512_packs_epi32(values[0], values[1 % Q]), zero_point);
    let high = _mm512_adds_epi16(_mm512_packs_epi32(values[2 % Q], values[3 % Q]), zero_point);
    let bytes = _mm512_packus_epi16(low, high);
    match Q {
        4 => bytes,
        2 => _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 0, 2, 4, 6), bytes),
        _ => {
            let order = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
            _mm512_permutexvar_epi32(order, bytes)
        }
    }
}
