//! AVX2: 32 products per multiplication of bytes.
//!
//! `vpmaddubsw` multiplies unsigned bytes by signed ones and adds neighbours up in 16 bits. Two of these are
//! added, still in 16 bits ([`super::pack`] has checked that they fit), before `vpmaddwd` with ones widens
//! them: 64 products for three multiplications and two additions, where the multiplications alone bound the
//! speed on most CPUs (two per cycle).

use super::avx2_depthwise::depthwise;
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
                    // Five pixels are three and two, not four and one: a tile of one row wastes most of its
                    // loads.
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

    /// `R` pixels, whose sums are in registers at once; they are read from `input` on and written `at` bytes
    /// behind the target's start.
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
