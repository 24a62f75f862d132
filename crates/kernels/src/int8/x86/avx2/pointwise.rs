//! The 1×1 convolution: tiles of four pixels and one or two panels.

use crate::int8::layers::Pointwise;
use crate::int8::layout::{Area, GROUP, Residual, SourceMap, TargetMap};
use std::arch::x86_64::*;
use std::ops::Range;

/// Most pixels of a tile: their sums are in registers at once.
const PIXELS: usize = 4;

/// Computes all groups, two panels at a time.
///
/// # Safety
/// As for [`Kernels::pointwise`](crate::int8::Kernels::pointwise).
#[target_feature(enable = "avx2")]
pub(super) unsafe fn pointwise(
    layer: &Pointwise,
    groups: Range<usize>,
    area: Area,
    source: SourceMap,
    target: TargetMap,
    residual: Option<&Residual>,
) {
    let mut group = groups.start;
    while group < groups.end {
        // Panels outside, pixels inside: the weights of two panels stay in the first cache.
        let offset = (group - groups.start) * GROUP;
        // SAFETY: the caller promises these pixels, and `offset` bytes more of each.
        unsafe {
            let target = TargetMap { start: target.start.add(offset), ..target };
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

/// `C` neighbouring panels of a layer: what is the same for all pixels.
struct Panels<const C: usize> {
    /// Inputs in eights.
    octets: usize,
    weights: [*const i8; C],
    bias: [__m256i; C],
    multiplier: [__m256; C],
    zero_point: __m256i,
}

impl<const C: usize> Panels<C> {
    /// The panels from output `8 · group` on.
    ///
    /// # Safety
    /// The layer has these panels.
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
        // Loops, here and below, since a closure would be a function without AVX2 until it is inlined.
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

    /// Computes these panels for all pixels of `area`.
    ///
    /// # Safety
    /// As for [`pointwise`].
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn run(&self, area: Area, source: SourceMap, target: TargetMap, residual: Option<&Residual>) {
        for row in 0..area.rows {
            // SAFETY: the caller promises these pixels.
            unsafe {
                let mut input = source.start.add(row * source.row);
                let mut at = row * target.row;
                let mut left = area.columns;
                while left > 0 {
                    // Five pixels become three and two, not four and one: a tile of one pixel wastes most of
                    // its loads.
                    let pixels = if left == PIXELS + 1 { PIXELS - 1 } else { left.min(PIXELS) };
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

    /// Computes `R` pixels, all of whose sums are in registers at once. It reads them from `input` on and
    /// writes them `at` bytes behind the target's start.
    ///
    /// # Safety
    /// As for [`pointwise`], for these pixels.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn tile<const R: usize>(
        &self,
        input: *const u8,
        input_pixel: usize,
        target: &TargetMap,
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
    ///
    /// # Safety
    /// `target` has room for them.
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
