//! The kernels for AVX2: pairs of values against pairs of weights, summed in 32 bits (`pmaddwd`).

use super::convert::{FRACTION_BITS, Factors, ROUND, Samples};
use super::{GROUP, Rows, Span, Weights, portable};
use std::arch::x86_64::*;

/// Two weights for `pmaddwd`.
fn pair(low: i16, high: i16) -> i32 {
    i32::from(low) & 0xFFFF | i32::from(high) << 16
}

#[target_feature(enable = "avx2")]
pub(super) fn sum_of_rows(rows: Rows<'_>, span: Span, weights: Weights<'_>, line: &mut [u8]) {
    const CHUNK: usize = 32;
    let zero = _mm256_setzero_si256();
    let half = _mm256_set1_epi32(1 << weights.shift >> 1);
    let shift = _mm_cvtsi32_si128(weights.shift as i32);
    let (chunks, _) = line.as_chunks_mut::<CHUNK>();
    let done = CHUNK * chunks.len();
    for (index, chunk) in chunks.iter_mut().enumerate() {
        let load = |row: Option<&[u8]>| -> __m256i {
            let values: &[u8] = &row.unwrap_or_default()[CHUNK * index..][..CHUNK];
            // SAFETY: the slice has the 32 bytes that are read.
            unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
        };
        let mut sums = [half; 4];
        let mut rows = rows.from(span.start);
        for two in weights.values[..span.end - span.start].chunks(2) {
            let first = load(rows.next());
            let (second, weight) = match two {
                [low, high] => (load(rows.next()), pair(*low, *high)),
                _ => (zero, pair(two[0], 0)),
            };
            let weight = _mm256_set1_epi32(weight);
            let (low, high) = (_mm256_unpacklo_epi8(first, second), _mm256_unpackhi_epi8(first, second));
            let values = [
                _mm256_unpacklo_epi8(low, zero),
                _mm256_unpackhi_epi8(low, zero),
                _mm256_unpacklo_epi8(high, zero),
                _mm256_unpackhi_epi8(high, zero),
            ];
            for (sum, values) in sums.iter_mut().zip(values) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(values, weight));
            }
        }
        let [a, b, c, d] = sums.map(|sum| _mm256_sra_epi32(sum, shift));
        let bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        // SAFETY: the chunk has the 32 bytes that are written.
        unsafe { _mm256_storeu_si256(chunk.as_mut_ptr().cast(), bytes) };
    }
    portable::sum_of_rows(rows, span, weights, line, done);
}

#[target_feature(enable = "avx2")]
pub(super) fn sums_of_pixels(
    line: &[u8],
    first: usize,
    spans: &[Span],
    weights: Weights<'_>,
    target: &mut [u8],
) {
    // Bytes of four pixels → their first two, or last two, channel by channel in 16 bits.
    let front = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
    let back = _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    let half = _mm_set1_epi32(1 << weights.shift >> 1);
    let shift = _mm_cvtsi32_si128(weights.shift as i32);
    let sum = |span: &Span| -> __m128i {
        let groups = (span.end - span.start).div_ceil(GROUP);
        let values = weights.values[span.first..][..GROUP * groups].as_chunks::<GROUP>().0;
        let mut pixels = &line[3 * (span.start - first)..];
        let mut sum = half;
        for values in values {
            let sixteen: &[u8] = &pixels[..16];
            // SAFETY: the slice has the 16 bytes that are read, the group of weights the 8.
            let (sixteen, weights) = unsafe {
                (_mm_loadu_si128(sixteen.as_ptr().cast()), _mm_loadl_epi64(values.as_ptr().cast()))
            };
            let (low, high) = (_mm_shuffle_epi32::<0x00>(weights), _mm_shuffle_epi32::<0x55>(weights));
            sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_shuffle_epi8(sixteen, front), low));
            sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_shuffle_epi8(sixteen, back), high));
            pixels = &pixels[3 * GROUP..];
        }
        _mm_sra_epi32(sum, shift)
    };
    // Four sums of four channels each, the last of which is for nothing → four pixels.
    let three = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    let pixels = |a: __m128i, b: __m128i, c: __m128i, d: __m128i| -> [u8; 16] {
        let bytes = _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
        let mut pixels = [0; 16];
        // SAFETY: the array has the 16 bytes that are written.
        unsafe { _mm_storeu_si128(pixels.as_mut_ptr().cast(), _mm_shuffle_epi8(bytes, three)) };
        pixels
    };
    let (fours, rest) = spans.as_chunks::<4>();
    let (targets, rest_of_target) = target.split_at_mut(target.len().min(12 * fours.len()));
    for ([a, b, c, d], to) in fours.iter().zip(targets.as_chunks_mut::<12>().0) {
        to.copy_from_slice(&pixels(sum(a), sum(b), sum(c), sum(d))[..12]);
    }
    for (span, to) in rest.iter().zip(rest_of_target.as_chunks_mut::<3>().0) {
        to.copy_from_slice(&pixels(sum(span), half, half, half)[..3]);
    }
}

/// Eight pairs as four times eight bytes: Y0 Cb in the first half, Y1 Cr in the second.
#[target_feature(enable = "avx2")]
fn eight_pairs(samples: Samples<'_>, first: usize) -> Option<[__m128i; 2]> {
    let load = |bytes: &[u8; 16]| -> __m128i {
        // SAFETY: the array has the 16 bytes that are read.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    };
    let sixteen = |plane: &[u8], place: usize| Some(load(plane.get(place..)?.first_chunk()?));
    let even_odd = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    let packed = |row: &[u8], order: __m128i| -> Option<[__m128i; 2]> {
        // Y0, Cb, Y1, Cr of four pairs each → of eight.
        let low = _mm_shuffle_epi8(sixteen(row, 4 * first)?, order);
        let high = _mm_shuffle_epi8(sixteen(row, 4 * first + 16)?, order);
        Some([_mm_unpacklo_epi32(low, high), _mm_unpackhi_epi32(low, high)])
    };
    match samples {
        Samples::Yuyv(row) => {
            packed(row, _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15))
        }
        Samples::Uyvy(row) => {
            packed(row, _mm_setr_epi8(1, 5, 9, 13, 0, 4, 8, 12, 3, 7, 11, 15, 2, 6, 10, 14))
        }
        Samples::Interleaved(luma, chroma) => {
            let luma = _mm_shuffle_epi8(sixteen(luma, 2 * first)?, even_odd);
            let chroma = _mm_shuffle_epi8(sixteen(chroma, 2 * first)?, even_odd);
            Some([_mm_unpacklo_epi64(luma, chroma), _mm_unpackhi_epi64(luma, chroma)])
        }
        Samples::Planar(luma, cb, cr) => {
            let luma = _mm_shuffle_epi8(sixteen(luma, 2 * first)?, even_odd);
            let eight = |plane: &[u8]| -> Option<__m128i> {
                Some(_mm_cvtsi64_si128(i64::from_le_bytes(*plane.get(first..)?.first_chunk()?)))
            };
            Some([
                _mm_unpacklo_epi64(luma, eight(cb)?),
                _mm_unpackhi_epi64(luma, _mm_slli_si128::<8>(eight(cr)?)),
            ])
        }
    }
}

/// The conversion of whole chunks of eight pairs, from pair `first` on.
#[target_feature(enable = "avx2")]
pub(super) fn convert_eights(factors: Factors, samples: Samples<'_>, first: usize, chunks: &mut [[u8; 48]]) {
    let factor = |factor: i32| _mm256_set1_epi32(factor);
    let times = |values: __m256i, by: i32| _mm256_mullo_epi32(values, factor(by));
    // Per half: R of four first pixels, R of their partners, G, G and, in another vector, B, B → R G B in turns.
    let red_green: [[i8; 16]; 2] = [
        [0, 8, -1, 4, 12, -1, 1, 9, -1, 5, 13, -1, 2, 10, -1, 6],
        [14, -1, 3, 11, -1, 7, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1],
    ];
    let blue: [[i8; 16]; 2] = [
        [-1, -1, 0, -1, -1, 4, -1, -1, 1, -1, -1, 5, -1, -1, 2, -1],
        [-1, 6, -1, -1, 3, -1, -1, 7, -1, -1, -1, -1, -1, -1, -1, -1],
    ];
    let order = |places: [i8; 16]| {
        // SAFETY: the array has the 16 bytes that are read.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(places.as_ptr().cast()) })
    };
    let (red_green, blue) = (red_green.map(order), blue.map(order));
    for (index, rgb) in chunks.iter_mut().enumerate() {
        let Some([even, odd]) = eight_pairs(samples, first + 8 * index) else { return };
        let centred =
            |half: __m128i| _mm256_sub_epi32(_mm256_cvtepu8_epi32(_mm_srli_si128::<8>(half)), factor(128));
        let (cb, cr) = (centred(even), centred(odd));
        let round = factor(ROUND);
        let chroma = [
            _mm256_add_epi32(times(cr, factors.red_from_cr), round),
            _mm256_add_epi32(
                _mm256_add_epi32(times(cb, factors.green_from_cb), times(cr, factors.green_from_cr)),
                round,
            ),
            _mm256_add_epi32(times(cb, factors.blue_from_cb), round),
        ];
        let luma = [even, odd].map(|half| {
            let luma = _mm256_sub_epi32(_mm256_cvtepu8_epi32(half), factor(factors.luma_offset));
            times(luma, factors.luma)
        });
        let [red, green, blues] = chroma.map(|chroma| {
            let [even, odd] = luma
                .map(|luma| _mm256_srai_epi32::<{ FRACTION_BITS as i32 }>(_mm256_add_epi32(luma, chroma)));
            _mm256_packs_epi32(even, odd)
        });
        let (reds_greens, blues) = (_mm256_packus_epi16(red, green), _mm256_packus_epi16(blues, blues));
        let turns = |part: usize| {
            _mm256_or_si256(
                _mm256_shuffle_epi8(reds_greens, red_green[part]),
                _mm256_shuffle_epi8(blues, blue[part]),
            )
        };
        let (front, back) = (turns(0), turns(1));
        let mut bytes = [[0u8; 32]; 2];
        // SAFETY: each array has the 32 bytes that are written.
        unsafe {
            _mm256_storeu_si256(bytes[0].as_mut_ptr().cast(), front);
            _mm256_storeu_si256(bytes[1].as_mut_ptr().cast(), back);
        }
        let [front, back] = &bytes;
        rgb[..16].copy_from_slice(&front[..16]);
        rgb[16..24].copy_from_slice(&back[..8]);
        rgb[24..40].copy_from_slice(&front[16..]);
        rgb[40..].copy_from_slice(&back[16..24]);
    }
}
