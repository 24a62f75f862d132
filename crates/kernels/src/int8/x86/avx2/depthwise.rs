//! The depthwise convolution: the rows of a column are interleaved, so that one instruction multiplies and
//! adds two of them.

use crate::int8::layers::Depthwise;
use crate::int8::layout::{GROUP, Windows};
use std::arch::x86_64::*;
use std::ops::Range;

/// One column of a window, or the weights for it: `[half][(top, middle), (bottom, 0)]`.
type InterleavedColumn = [[__m256i; 2]; 2];

/// Computes all channels of `groups`. Results are bytes, or f32 with `REAL`; those of a pixel lie `pixel`
/// bytes behind those of the last.
///
/// # Safety
/// As for [`Kernels::depthwise`](crate::int8::Kernels::depthwise).
#[target_feature(enable = "avx2")]
pub(in crate::int8::x86) unsafe fn depthwise<const REAL: bool>(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut u8,
    pixel: usize,
) {
    let mut group = groups.start;
    while group < groups.end {
        let count = if groups.end - group >= 4 { 4 } else { (groups.end - group).min(2) };
        let channels = (group - groups.start) * GROUP;
        // SAFETY: the caller promises the pixels, also of this slice of their channels.
        unsafe {
            let [top, middle, bottom] = windows.rows;
            let rows = [top.add(channels), middle.add(channels), bottom.add(channels)];
            let windows = Windows { rows, ..*windows };
            let target = target.add(if REAL { 4 * channels } else { channels });
            match count {
                4 => slice::<4, REAL>(layer, group * GROUP, &windows, target, pixel),
                2 => slice::<2, REAL>(layer, group * GROUP, &windows, target, pixel),
                _ => slice::<1, REAL>(layer, group * GROUP, &windows, target, pixel),
            }
        }
        group += count;
    }
}

/// Computes the channels of `G` groups (1, 2 or 4) from `channel` on.
///
/// Registers hold one column of the window for 16 channels as pairs of bytes: (top, middle) and (bottom, 0).
/// Each column is read once and multiplied by the left, middle and right column of the filter, for up to
/// three neighbouring outputs.
///
/// # Safety
/// As for [`depthwise`], for these channels.
#[target_feature(enable = "avx2")]
unsafe fn slice<const G: usize, const REAL: bool>(
    layer: &Depthwise,
    channel: usize,
    windows: &Windows,
    target: *mut u8,
    pixel: usize,
) {
    // SAFETY: the caller promises the pixels; weights may be read 64 bytes beyond their end, biases are whole
    // 32s.
    unsafe {
        let [left_taps, middle_taps, right_taps] = [
            weights::<G>(layer, channel, 0),
            weights::<G>(layer, channel, 1),
            weights::<G>(layer, channel, 2),
        ];
        if windows.stride == 1 {
            let mut left = products(&column::<G>(windows, 0), &left_taps);
            let second = column::<G>(windows, 1);
            let mut middle = products(&second, &middle_taps);
            let mut next_left = products(&second, &left_taps);
            for x in 0..windows.columns {
                let last = column::<G>(windows, x + 2);
                let right = products(&last, &right_taps);
                finish::<G, REAL>(layer, channel, left, middle, right, target.add(x * pixel));
                left = next_left;
                middle = products(&last, &middle_taps);
                next_left = products(&last, &left_taps);
            }
        } else {
            let mut left = products(&column::<G>(windows, 0), &left_taps);
            for x in 0..windows.columns {
                let middle = products(&column::<G>(windows, 2 * x + 1), &middle_taps);
                let last = column::<G>(windows, 2 * x + 2);
                let right = products(&last, &right_taps);
                finish::<G, REAL>(layer, channel, left, middle, right, target.add(x * pixel));
                left = products(&last, &left_taps);
            }
        }
    }
}

/// The weights of column `column` of the filters.
///
/// # Safety
/// The layer has `channel`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn weights<const G: usize>(layer: &Depthwise, channel: usize, column: usize) -> InterleavedColumn {
    // SAFETY: weights may be read 64 bytes beyond their end.
    unsafe {
        interleave(
            spread::<G>(load::<4>(layer.weights(column, channel).cast())),
            spread::<G>(load::<4>(layer.weights(3 + column, channel).cast())),
            spread::<G>(load::<4>(layer.weights(6 + column, channel).cast())),
        )
    }
}

/// Column `index` of the rows.
///
/// # Safety
/// Each row has that many pixels, with the channels of `G` groups.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn column<const G: usize>(windows: &Windows, index: usize) -> InterleavedColumn {
    let [top, middle, bottom] = windows.rows;
    let at = index * windows.pixel;
    // SAFETY: the caller promises the pixels.
    unsafe {
        interleave(
            spread::<G>(load::<G>(top.add(at))),
            spread::<G>(load::<G>(middle.add(at))),
            spread::<G>(load::<G>(bottom.add(at))),
        )
    }
}

/// The sums of three products per channel, in 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn products(column: &InterleavedColumn, taps: &InterleavedColumn) -> [__m256i; 2] {
    [
        _mm256_add_epi16(
            _mm256_maddubs_epi16(column[0][0], taps[0][0]),
            _mm256_maddubs_epi16(column[0][1], taps[0][1]),
        ),
        _mm256_add_epi16(
            _mm256_maddubs_epi16(column[1][0], taps[1][0]),
            _mm256_maddubs_epi16(column[1][1], taps[1][1]),
        ),
    ]
}

/// `8 · G` bytes, the rest 0.
///
/// # Safety
/// They are readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load<const G: usize>(at: *const u8) -> __m256i {
    // SAFETY: the caller promises that many bytes.
    unsafe {
        match G {
            4 => _mm256_loadu_si256(at.cast()),
            2 => _mm256_zextsi128_si256(_mm_loadu_si128(at.cast())),
            _ => _mm256_zextsi128_si256(_mm_loadl_epi64(at.cast())),
        }
    }
}

/// Spreads 16 channels or fewer over the lower halves of both lanes, so that one interleaving reaches all.
#[inline]
#[target_feature(enable = "avx2")]
fn spread<const G: usize>(bytes: __m256i) -> __m256i {
    if G == 4 { bytes } else { _mm256_permute4x64_epi64::<0b01_01_00_00>(bytes) }
}

/// The rows of a column as pairs of bytes. The second half is used only for 32 channels.
#[inline]
#[target_feature(enable = "avx2")]
fn interleave(top: __m256i, middle: __m256i, bottom: __m256i) -> InterleavedColumn {
    let zero = _mm256_setzero_si256();
    [
        [_mm256_unpacklo_epi8(top, middle), _mm256_unpacklo_epi8(bottom, zero)],
        [_mm256_unpackhi_epi8(top, middle), _mm256_unpackhi_epi8(bottom, zero)],
    ]
}

/// Adds up the three columns in 32 bits, requantizes and writes the results of a window.
///
/// # Safety
/// The layer has these channels, and `target` has room for their results.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn finish<const G: usize, const REAL: bool>(
    layer: &Depthwise,
    channel: usize,
    left: [__m256i; 2],
    middle: [__m256i; 2],
    right: [__m256i; 2],
    target: *mut u8,
) {
    let zero_point = _mm256_set1_epi16(i16::from(layer.zero_point()));
    // The first channel of each lane: lanes lie 16 channels apart in 32, and 8 in 16.
    let apart = if G == 4 { 16 } else { 8 };
    // SAFETY: biases and multipliers are whole 32s; the caller promises the target.
    unsafe {
        let first = scaled(layer, [channel, channel + apart], left[0], middle[0], right[0]);
        if REAL {
            let target = target.cast::<f32>();
            store_real::<G>(first, target, apart);
            if G == 4 {
                let second = scaled(layer, [channel + 8, channel + 24], left[1], middle[1], right[1]);
                store_real::<G>(second, target.add(8), apart);
            }
            return;
        }
        let first = _mm256_adds_epi16(words(first), zero_point);
        if G == 4 {
            let second = scaled(layer, [channel + 8, channel + 24], left[1], middle[1], right[1]);
            let second = _mm256_adds_epi16(words(second), zero_point);
            _mm256_storeu_si256(target.cast(), _mm256_packus_epi16(first, second));
        } else {
            let bytes = _mm256_permute4x64_epi64::<0b10_00>(_mm256_packus_epi16(first, first));
            let bytes = _mm256_castsi256_si128(bytes);
            if G == 2 {
                _mm_storeu_si128(target.cast(), bytes);
            } else {
                _mm_storel_epi64(target.cast(), bytes);
            }
        }
    }
}

/// The sums of 16 channels times their multipliers: channels from `lanes[0]` on in the lower lanes, from
/// `lanes[1]` on in the upper ones, the first four of each in the first register.
///
/// # Safety
/// The layer, padded to whole 32s, has these channels.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn scaled(
    layer: &Depthwise,
    lanes: [usize; 2],
    left: __m256i,
    middle: __m256i,
    right: __m256i,
) -> [__m256; 2] {
    let ones = _mm256_set1_epi16(1);
    let zero = _mm256_setzero_si256();
    let low = _mm256_add_epi32(
        _mm256_madd_epi16(_mm256_unpacklo_epi16(left, middle), ones),
        _mm256_madd_epi16(_mm256_unpacklo_epi16(right, zero), ones),
    );
    let high = _mm256_add_epi32(
        _mm256_madd_epi16(_mm256_unpackhi_epi16(left, middle), ones),
        _mm256_madd_epi16(_mm256_unpackhi_epi16(right, zero), ones),
    );
    // SAFETY: the caller promises channels of the layer, padded to whole 32s.
    unsafe { [times(layer, lanes, low), times(layer, [lanes[0] + 4, lanes[1] + 4], high)] }
}

/// (sum + bias) · multiplier of four channels from `lanes[0]` on in the lower lane, and of four from
/// `lanes[1]` on in the upper one.
///
/// # Safety
/// The layer, padded to whole 32s, has these channels.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn times(layer: &Depthwise, lanes: [usize; 2], sums: __m256i) -> __m256 {
    let (bias, multiplier) = (layer.bias().as_ptr(), layer.multiplier().as_ptr());
    // SAFETY: the caller promises channels of the layer, padded to whole 32s.
    unsafe {
        let bias = _mm256_loadu2_m128i(bias.add(lanes[1]).cast(), bias.add(lanes[0]).cast());
        let multiplier = _mm256_loadu2_m128(multiplier.add(lanes[1]), multiplier.add(lanes[0]));
        _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(sums, bias)), multiplier)
    }
}

/// Rounded to integers of 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn words(real: [__m256; 2]) -> __m256i {
    _mm256_packs_epi32(_mm256_cvtps_epi32(real[0]), _mm256_cvtps_epi32(real[1]))
}

/// Writes the eight values of the lower lanes and, if there are more than eight channels, the eight of the
/// upper lanes `apart` values behind.
///
/// # Safety
/// `target` has room for them.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_real<const G: usize>(real: [__m256; 2], target: *mut f32, apart: usize) {
    // SAFETY: the caller promises room for the channels.
    unsafe {
        _mm_storeu_ps(target, _mm256_castps256_ps128(real[0]));
        _mm_storeu_ps(target.add(4), _mm256_castps256_ps128(real[1]));
        if G > 1 {
            _mm_storeu_ps(target.add(apart), _mm256_extractf128_ps::<1>(real[0]));
            _mm_storeu_ps(target.add(apart + 4), _mm256_extractf128_ps::<1>(real[1]));
        }
    }
}
