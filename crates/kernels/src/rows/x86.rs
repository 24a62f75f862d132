//! AVX2: pairs of values times pairs of weights, added up in 32 bits (`pmaddwd`).
//!
//! Written without closures, which would be functions without AVX2 wherever they are not inlined.

use super::kernels::RowKernels;
use super::layout::{GROUP, RowWeights, Rows, Span};
use super::portable;
use super::samples::{EightPairs, FRACTION_BITS, Factors, PAIRS, ROUND, Samples};
use crate::cpu::Avx2;
use std::arch::x86_64::*;

impl RowKernels for Avx2 {
    fn sum_of_rows(&self, rows: Rows<'_>, span: Span, weights: RowWeights<'_>, line: &mut [u8]) {
        // SAFETY: `self` proves the instructions.
        unsafe { sum_of_rows(rows, span, weights, line) }
    }

    fn sums_of_pixels(
        &self,
        line: &[u8],
        first: usize,
        spans: &[Span],
        weights: RowWeights<'_>,
        target: &mut [u8],
    ) {
        // SAFETY: `self` proves the instructions.
        unsafe { sums_of_pixels(line, first, spans, weights, target) }
    }

    fn convert_eights(
        &self,
        factors: &Factors,
        samples: &Samples<'_>,
        first: usize,
        chunks: &mut [EightPairs],
    ) {
        // SAFETY: `self` proves the instructions.
        unsafe { convert_eights(factors, samples, first, chunks) }
    }
}

/// Two weights for `pmaddwd`.
#[inline]
fn pair(low: i16, high: i16) -> i32 {
    i32::from(low) & 0xFFFF | i32::from(high) << 16
}

/// The first sixteen bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn sixteen(bytes: &[u8]) -> __m128i {
    let bytes: &[u8] = &bytes[..16];
    // SAFETY: the slice has the 16 bytes that are read.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// The first thirty-two bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn thirty_two(bytes: &[u8]) -> __m256i {
    let bytes: &[u8] = &bytes[..32];
    // SAFETY: the slice has the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// See [`RowKernels::sum_of_rows`]: 32 bytes at a time, two rows per multiplication.
#[target_feature(enable = "avx2")]
fn sum_of_rows(rows: Rows<'_>, span: Span, weights: RowWeights<'_>, line: &mut [u8]) {
    const CHUNK: usize = 32;
    let zero = _mm256_setzero_si256();
    let half = _mm256_set1_epi32(1 << weights.shift >> 1);
    let shift = _mm_cvtsi32_si128(weights.shift as i32);
    let (chunks, _) = line.as_chunks_mut::<CHUNK>();
    let done = CHUNK * chunks.len();
    for (index, chunk) in chunks.iter_mut().enumerate() {
        let (mut a, mut b, mut c, mut d) = (half, half, half, half);
        let mut rows = rows.from(span.start);
        for two in weights.values[..span.end - span.start].chunks(2) {
            let first = thirty_two(&rows.next().unwrap_or_default()[CHUNK * index..]);
            let (second, weight) = match two {
                [low, high] => {
                    (thirty_two(&rows.next().unwrap_or_default()[CHUNK * index..]), pair(*low, *high))
                }
                _ => (zero, pair(two[0], 0)),
            };
            let weight = _mm256_set1_epi32(weight);
            let (low, high) = (_mm256_unpacklo_epi8(first, second), _mm256_unpackhi_epi8(first, second));
            a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_unpacklo_epi8(low, zero), weight));
            b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_unpackhi_epi8(low, zero), weight));
            c = _mm256_add_epi32(c, _mm256_madd_epi16(_mm256_unpacklo_epi8(high, zero), weight));
            d = _mm256_add_epi32(d, _mm256_madd_epi16(_mm256_unpackhi_epi8(high, zero), weight));
        }
        let low = _mm256_packs_epi32(_mm256_sra_epi32(a, shift), _mm256_sra_epi32(b, shift));
        let high = _mm256_packs_epi32(_mm256_sra_epi32(c, shift), _mm256_sra_epi32(d, shift));
        // SAFETY: the chunk has the 32 bytes that are written.
        unsafe { _mm256_storeu_si256(chunk.as_mut_ptr().cast(), _mm256_packus_epi16(low, high)) };
    }
    portable::sum_of_rows(rows, span, weights, line, done);
}

/// See [`RowKernels::sums_of_pixels`]: four target pixels at a time.
#[target_feature(enable = "avx2")]
fn sums_of_pixels(line: &[u8], first: usize, spans: &[Span], weights: RowWeights<'_>, target: &mut [u8]) {
    let (fours, rest) = spans.as_chunks::<4>();
    let (targets, rest_of_target) = target.split_at_mut(target.len().min(12 * fours.len()));
    for ([a, b, c, d], to) in fours.iter().zip(targets.as_chunks_mut::<12>().0) {
        let low = _mm_packs_epi32(sum(line, first, a, weights), sum(line, first, b, weights));
        let high = _mm_packs_epi32(sum(line, first, c, weights), sum(line, first, d, weights));
        to.copy_from_slice(&pixels(low, high)[..12]);
    }
    for (span, to) in rest.iter().zip(rest_of_target.as_chunks_mut::<3>().0) {
        let sum = sum(line, first, span, weights);
        let words = _mm_packs_epi32(sum, sum);
        to.copy_from_slice(&pixels(words, words)[..3]);
    }
}

/// The weighted sums of a span's pixels, colour by colour. The fourth has no meaning.
#[inline]
#[target_feature(enable = "avx2")]
fn sum(line: &[u8], first: usize, span: &Span, weights: RowWeights<'_>) -> __m128i {
    // Bytes of four pixels → their first two, or last two, colour by colour in 16 bits.
    let front = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
    let back = _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    let groups = (span.end - span.start).div_ceil(GROUP);
    let values = weights.values[span.first..][..GROUP * groups].as_chunks::<GROUP>().0;
    let mut pixels = &line[3 * (span.start - first)..];
    let mut sum = _mm_set1_epi32(1 << weights.shift >> 1);
    for values in values {
        let four = sixteen(pixels);
        // SAFETY: the group of weights has the 8 bytes that are read.
        let weights = unsafe { _mm_loadl_epi64(values.as_ptr().cast()) };
        let (low, high) = (_mm_shuffle_epi32::<0x00>(weights), _mm_shuffle_epi32::<0x55>(weights));
        sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_shuffle_epi8(four, front), low));
        sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_shuffle_epi8(four, back), high));
        pixels = &pixels[3 * GROUP..];
    }
    _mm_sra_epi32(sum, _mm_cvtsi32_si128(weights.shift as i32))
}

/// Four times four 16-bit numbers, of which the last has no meaning → four pixels.
#[inline]
#[target_feature(enable = "avx2")]
fn pixels(low: __m128i, high: __m128i) -> [u8; 16] {
    let three = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    let bytes = _mm_shuffle_epi8(_mm_packus_epi16(low, high), three);
    let mut pixels = [0; 16];
    // SAFETY: the array has the 16 bytes that are written.
    unsafe { _mm_storeu_si128(pixels.as_mut_ptr().cast(), bytes) };
    pixels
}

/// Eight pairs from pair `first` on: Y0, then Cb, eight bytes each, in one vector; Y1, then Cr in the other.
/// `None` if the row has fewer.
#[inline]
#[target_feature(enable = "avx2")]
fn eight_pairs(samples: &Samples<'_>, first: usize) -> Option<(__m128i, __m128i)> {
    match *samples {
        Samples::Yuyv(row) => {
            let order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            Some(unpacked(row.get(4 * first..4 * first + 32)?, order))
        }
        Samples::Uyvy(row) => {
            let order = _mm_setr_epi8(1, 5, 9, 13, 0, 4, 8, 12, 3, 7, 11, 15, 2, 6, 10, 14);
            Some(unpacked(row.get(4 * first..4 * first + 32)?, order))
        }
        Samples::Interleaved(luma, chroma) => {
            let luma = even_odd(luma.get(2 * first..2 * first + 16)?);
            let chroma = even_odd(chroma.get(2 * first..2 * first + 16)?);
            Some((_mm_unpacklo_epi64(luma, chroma), _mm_unpackhi_epi64(luma, chroma)))
        }
        Samples::Planar(luma, cb, cr) => {
            let luma = even_odd(luma.get(2 * first..2 * first + 16)?);
            let cb = i64::from_le_bytes(*cb.get(first..)?.first_chunk()?);
            let cr = i64::from_le_bytes(*cr.get(first..)?.first_chunk()?);
            let chroma = _mm_set_epi64x(cr, cb);
            Some((_mm_unpacklo_epi64(luma, chroma), _mm_unpackhi_epi64(luma, chroma)))
        }
    }
}

/// Eight packed pairs; `order` brings four of them into the order Y0, Cb, Y1, Cr.
#[inline]
#[target_feature(enable = "avx2")]
fn unpacked(pairs: &[u8], order: __m128i) -> (__m128i, __m128i) {
    let low = _mm_shuffle_epi8(sixteen(pairs), order);
    let high = _mm_shuffle_epi8(sixteen(&pairs[16..]), order);
    (_mm_unpacklo_epi32(low, high), _mm_unpackhi_epi32(low, high))
}

/// Sixteen bytes, those at even places first.
#[inline]
#[target_feature(enable = "avx2")]
fn even_odd(bytes: &[u8]) -> __m128i {
    let order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    _mm_shuffle_epi8(sixteen(bytes), order)
}

/// One colour of eight pairs in 16 bits: in each half, four first pixels, then their partners.
#[inline]
#[target_feature(enable = "avx2")]
fn colour(even: __m256i, odd: __m256i, chroma: __m256i) -> __m256i {
    const SHIFT: i32 = FRACTION_BITS as i32;
    _mm256_packs_epi32(
        _mm256_srai_epi32::<SHIFT>(_mm256_add_epi32(even, chroma)),
        _mm256_srai_epi32::<SHIFT>(_mm256_add_epi32(odd, chroma)),
    )
}

/// Eight bytes, each minus `offset`.
#[inline]
#[target_feature(enable = "avx2")]
fn less(values: __m128i, offset: i32) -> __m256i {
    _mm256_sub_epi32(_mm256_cvtepu8_epi32(values), _mm256_set1_epi32(offset))
}

/// Eight numbers, each times `factor`.
#[inline]
#[target_feature(enable = "avx2")]
fn times(values: __m256i, factor: i32) -> __m256i {
    _mm256_mullo_epi32(values, _mm256_set1_epi32(factor))
}

/// See [`RowKernels::convert_eights`].
#[target_feature(enable = "avx2")]
fn convert_eights(f: &Factors, samples: &Samples<'_>, first: usize, chunks: &mut [EightPairs]) {
    // Each half has R of four first pixels, R of their partners, then G and G likewise; another vector has B
    // and B. They become R, G, B in turns: the first 16 bytes, and the 8 others.
    let red_green_front =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 8, -1, 4, 12, -1, 1, 9, -1, 5, 13, -1, 2, 10, -1, 6));
    let red_green_back = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        14, -1, 3, 11, -1, 7, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    ));
    let blue_front =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, -1, 0, -1, -1, 4, -1, -1, 1, -1, -1, 5, -1, -1, 2, -1));
    let blue_back = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        -1, 6, -1, -1, 3, -1, -1, 7, -1, -1, -1, -1, -1, -1, -1, -1,
    ));
    let round = _mm256_set1_epi32(ROUND);
    for (index, rgb) in chunks.iter_mut().enumerate() {
        let Some((even, odd)) = eight_pairs(samples, first + PAIRS * index) else { return };
        let (cb, cr) = (less(_mm_srli_si128::<8>(even), 128), less(_mm_srli_si128::<8>(odd), 128));
        let (even, odd) = (times(less(even, f.luma_offset), f.luma), times(less(odd, f.luma_offset), f.luma));
        let green = _mm256_add_epi32(times(cb, f.green_from_cb), times(cr, f.green_from_cr));
        let red = colour(even, odd, _mm256_add_epi32(times(cr, f.red_from_cr), round));
        let green = colour(even, odd, _mm256_add_epi32(green, round));
        let blue = colour(even, odd, _mm256_add_epi32(times(cb, f.blue_from_cb), round));
        let (red_green, blue) = (_mm256_packus_epi16(red, green), _mm256_packus_epi16(blue, blue));
        let front = _mm256_or_si256(
            _mm256_shuffle_epi8(red_green, red_green_front),
            _mm256_shuffle_epi8(blue, blue_front),
        );
        let back = _mm256_or_si256(
            _mm256_shuffle_epi8(red_green, red_green_back),
            _mm256_shuffle_epi8(blue, blue_back),
        );
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
