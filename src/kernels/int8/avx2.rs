//! AVX2: 32 products per multiplication of bytes.
//!
//! `vpmaddubsw` multiplies unsigned bytes by signed ones and adds neighbours up in 16 bits. Two of these are added, still in 16
//! bits ([`super::pack`] has checked that they fit), before `vpmaddwd` with ones widens them: 64 products for three
//! multiplications and two additions, where the multiplications alone bound the speed on most CPUs (two per cycle).

use super::pack::{Depthwise, Pointwise};
use super::{Area, GROUP, Kernels, Residual, Source, Target, Windows};
use std::arch::x86_64::*;
use std::ops::Range;

/// Kernels for CPUs with AVX2.
#[derive(Debug)]
pub(super) struct Avx2;

/// Rows of a tile: pixels whose sums are in registers at once.
const ROWS: usize = 4;

impl Kernels for Avx2 {
    fn name(&self) -> &'static str {
        "avx2"
    }

    fn offset(&self) -> u8 {
        0
    }

    unsafe fn pointwise(
        &self,
        layer: &Pointwise,
        groups: Range<usize>,
        area: Area,
        source: Source,
        target: Target,
        residual: Option<&Residual>,
    ) {
        // SAFETY: the caller promises the instructions and the pixels.
        unsafe { pointwise(layer, groups, area, source, target, residual) }
    }

    unsafe fn depthwise(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut u8,
        pixel: usize,
    ) {
        // SAFETY: the caller promises the instructions and the pixels.
        unsafe { depthwise::<false>(layer, groups, windows, target, pixel) }
    }

    unsafe fn depthwise_real(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut f32,
        pixel: usize,
    ) {
        // SAFETY: as above; four bytes for each value.
        unsafe { depthwise::<true>(layer, groups, windows, target.cast(), 4 * pixel) }
    }
}

#[target_feature(enable = "avx2")]
unsafe fn pointwise(
    layer: &Pointwise,
    groups: Range<usize>,
    area: Area,
    source: Source,
    target: Target,
    residual: Option<&Residual>,
) {
    let mut group = groups.start;
    while group < groups.end {
        // Panels outside, pixels inside: the weights of two panels stay in the first cache.
        let offset = (group - groups.start) * GROUP;
        // SAFETY: the caller promises these pixels, and `offset` bytes more of each.
        unsafe {
            let target = Target { start: target.start.add(offset), ..target };
            let residual =
                residual.map(|residual| Residual { start: residual.start.add(offset), ..*residual });
            if group + 2 <= groups.end {
                Panels::<2>::new(layer, group).run(area, source, target, residual.as_ref());
                group += 2;
            } else {
                Panels::<1>::new(layer, group).run(area, source, target, residual.as_ref());
                group += 1;
            }
        }
    }
}

/// `C` neighbouring panels of a layer, with what does not change from pixel to pixel.
struct Panels<const C: usize> {
    octets: usize,
    weights: [*const i8; C],
    bias: [__m256i; C],
    multiplier: [__m256; C],
    zero_point: __m256i,
}

impl<const C: usize> Panels<C> {
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn new(layer: &Pointwise, group: usize) -> Self {
        let mut this = Self {
            octets: layer.inputs() / 8,
            weights: [std::ptr::null(); C],
            bias: [_mm256_setzero_si256(); C],
            multiplier: [_mm256_setzero_ps(); C],
            zero_point: _mm256_set1_epi16(i16::from(layer.zero_point())),
        };
        // Written with loops, here and below: a closure would be a function without AVX2 until it is inlined.
        for c in 0..C {
            this.weights[c] = layer.weights(group + c);
            // SAFETY: biases and multipliers are there for whole panels.
            unsafe {
                let at = (group + c) * GROUP;
                this.bias[c] = _mm256_loadu_si256(layer.bias().as_ptr().add(at).cast());
                this.multiplier[c] = _mm256_loadu_ps(layer.multiplier().as_ptr().add(at));
            }
        }
        this
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn run(&self, area: Area, source: Source, target: Target, residual: Option<&Residual>) {
        for row in 0..area.rows {
            // SAFETY: the caller promises these pixels.
            unsafe {
                let mut input = source.start.add(row * source.row);
                let mut at = row * target.row;
                let mut left = area.columns;
                while left > 0 {
                    // Five pixels are three and two, not four and one: a tile of one row wastes most of its loads.
                    let pixels = if left == ROWS + 1 { ROWS - 1 } else { left.min(ROWS) };
                    match pixels {
                        4 => self.tile::<4>(input, source.pixel, &target, at, residual),
                        3 => self.tile::<3>(input, source.pixel, &target, at, residual),
                        2 => self.tile::<2>(input, source.pixel, &target, at, residual),
                        _ => self.tile::<1>(input, source.pixel, &target, at, residual),
                    }
                    input = input.add(pixels * source.pixel);
                    at += pixels * target.pixel;
                    left -= pixels;
                }
            }
        }
    }

    /// `R` pixels, whose sums are in registers at once; they are read from `input` on and written `at` bytes behind the target's start.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn tile<const R: usize>(
        &self,
        input: *const u8,
        input_pixel: usize,
        target: &Target,
        at: usize,
        residual: Option<&Residual>,
    ) {
        let ones = _mm256_set1_epi16(1);
        let mut sums: [[__m256i; C]; R] = [self.bias; R];
        // SAFETY: the panels have that many octets; the pixels are the caller's promise.
        unsafe {
            for octet in 0..self.octets {
                let mut w = [[_mm256_setzero_si256(); 2]; C];
                for (w, weights) in w.iter_mut().zip(&self.weights) {
                    let at = weights.add(octet * 64).cast::<__m256i>();
                    *w = [_mm256_load_si256(at), _mm256_load_si256(at.add(1))];
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let at = input.add(r * input_pixel + octet * 8).cast::<i32>();
                    let low = _mm256_set1_epi32(at.read_unaligned());
                    let high = _mm256_set1_epi32(at.add(1).read_unaligned());
                    for (sum, w) in sums.iter_mut().zip(&w) {
                        let pairs = _mm256_add_epi16(
                            _mm256_maddubs_epi16(low, w[0]),
                            _mm256_maddubs_epi16(high, w[1]),
                        );
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                let at = at + r * target.pixel;
                let mut values = [_mm256_setzero_si256(); C];
                for (c, ((value, sum), multiplier)) in
                    values.iter_mut().zip(sums).zip(&self.multiplier).enumerate()
                {
                    let mut real = _mm256_mul_ps(_mm256_cvtepi32_ps(*sum), *multiplier);
                    if let Some(residual) = residual {
                        let bytes = _mm_loadl_epi64(residual.start.add(at + c * GROUP).cast());
                        let centred = _mm256_sub_epi32(
                            _mm256_cvtepu8_epi32(bytes),
                            _mm256_set1_epi32(i32::from(residual.zero_point)),
                        );
                        let term =
                            _mm256_mul_ps(_mm256_cvtepi32_ps(centred), _mm256_set1_ps(residual.multiplier));
                        real = _mm256_add_ps(real, term);
                    }
                    *value = _mm256_cvtps_epi32(real);
                }
                self.store(values, target.start.add(at));
            }
        }
    }

    /// Adds the zero point, clamps, and writes the `8 · C` values of a pixel.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn store(&self, values: [__m256i; C], target: *mut u8) {
        // SAFETY: the caller promises room for these.
        unsafe {
            if C == 2 {
                let words = _mm256_adds_epi16(_mm256_packs_epi32(values[0], values[C - 1]), self.zero_point);
                let bytes = _mm256_packus_epi16(words, words);
                // Both halves hold four outputs of each panel: put the panels back together.
                let order = _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5);
                let bytes = _mm256_permutevar8x32_epi32(bytes, order);
                _mm_storeu_si128(target.cast(), _mm256_castsi256_si128(bytes));
            } else {
                let (low, high) =
                    (_mm256_castsi256_si128(values[0]), _mm256_extracti128_si256::<1>(values[0]));
                let words =
                    _mm_adds_epi16(_mm_packs_epi32(low, high), _mm256_castsi256_si128(self.zero_point));
                _mm_storel_epi64(target.cast(), _mm_packus_epi16(words, words));
            }
        }
    }
}

/// One column of a window, `[half][(top, middle), (bottom, 0)]`, or the weights for it.
type Column = [[__m256i; 2]; 2];

/// All channels of `groups`; results are bytes, or with `REAL` f32, of pixels that lie `pixel` bytes apart.
#[target_feature(enable = "avx2")]
unsafe fn depthwise<const REAL: bool>(
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

/// The channels of `G` groups (1, 2 or 4), from `channel` on.
///
/// Registers hold one column of the window for 16 channels as pairs of bytes: (top, middle) and (bottom, 0). Each column is read once
/// and multiplied with the left, middle and right column of the filter, for up to three neighbouring outputs.
#[target_feature(enable = "avx2")]
unsafe fn slice<const G: usize, const REAL: bool>(
    layer: &Depthwise,
    channel: usize,
    windows: &Windows,
    target: *mut u8,
    pixel: usize,
) {
    // SAFETY: the caller promises the pixels; weights may be read 64 bytes beyond their end, biases are whole 32s.
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
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn weights<const G: usize>(layer: &Depthwise, channel: usize, column: usize) -> Column {
    // SAFETY: weights may be read 64 bytes beyond their end.
    unsafe {
        interleave(
            spread::<G>(load::<4>(layer.weights(column, channel).cast())),
            spread::<G>(load::<4>(layer.weights(3 + column, channel).cast())),
            spread::<G>(load::<4>(layer.weights(6 + column, channel).cast())),
        )
    }
}

/// Column `index` below the windows.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn column<const G: usize>(windows: &Windows, index: usize) -> Column {
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

/// Three products per channel, in 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn products(column: &Column, taps: &Column) -> [__m256i; 2] {
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

/// For 16 channels or fewer: eight in the lower half of each lane, so that one interleaving reaches all.
#[inline]
#[target_feature(enable = "avx2")]
fn spread<const G: usize>(bytes: __m256i) -> __m256i {
    if G == 4 { bytes } else { _mm256_permute4x64_epi64::<0b01_01_00_00>(bytes) }
}

/// `[half][(top, middle), (bottom, 0)]`; the second half is of use only where there are 32 channels.
#[inline]
#[target_feature(enable = "avx2")]
fn interleave(top: __m256i, middle: __m256i, bottom: __m256i) -> [[__m256i; 2]; 2] {
    let zero = _mm256_setzero_si256();
    [
        [_mm256_unpacklo_epi8(top, middle), _mm256_unpacklo_epi8(bottom, zero)],
        [_mm256_unpackhi_epi8(top, middle), _mm256_unpackhi_epi8(bottom, zero)],
    ]
}

/// Sums up the three columns in 32 bits, requantizes and writes.
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

/// The sums of 16 channels times their multipliers: channels `lanes[0]`.. in the lower lanes, `lanes[1]`.. in the upper ones, the first
/// four of each in the first register.
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

/// (sum + bias) · multiplier, of four channels from `lanes[0]` on in the lower lane, and from `lanes[1]` on in the upper one.
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

/// Rounded to whole numbers of 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn words(real: [__m256; 2]) -> __m256i {
    _mm256_packs_epi32(_mm256_cvtps_epi32(real[0]), _mm256_cvtps_epi32(real[1]))
}

/// Writes eight values of the lower lanes and, where there are more than eight channels, eight of the upper ones `apart` behind them.
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
