//! The 1×1 convolution: tiles of up to eight pixels and two panels, which keep 16 sums, two rows of weights
//! and one pixel in registers.

use super::registers::first_16;
use crate::int8::layers::Pointwise;
use crate::int8::layout::{Area, GROUP, Residual, SourceMap, TargetMap};
use std::arch::x86_64::*;
use std::ops::Range;

/// Outputs per panel.
pub(super) const PANEL: usize = 16;
/// Groups per panel.
const GROUPS_PER_PANEL: usize = PANEL / GROUP;
/// Most pixels of a tile.
const PIXELS: usize = 8;

/// Computes all groups, two panels at a time.
///
/// # Safety
/// As for [`Kernels::pointwise`](crate::int8::Kernels::pointwise).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
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
        let outputs = (groups.end - group) * GROUP;
        let offset = (group - groups.start) * GROUP;
        for row in 0..area.rows {
            let mut column = 0;
            while column < area.columns {
                let left = area.columns - column;
                // 14 pixels become 7 and 7, not 8 and 6.
                let pixels = left.div_ceil(left.div_ceil(PIXELS));
                // SAFETY: the caller promises these pixels.
                unsafe {
                    let at = row * target.row + column * target.pixel + offset;
                    let tile = VnniTile {
                        layer,
                        panel: group / GROUPS_PER_PANEL,
                        outputs,
                        input: source.start.add(row * source.row + column * source.pixel),
                        input_pixel: source.pixel,
                        output: target.start.add(at),
                        output_pixel: target.pixel,
                        residual: residual
                            .map(|residual| Residual { start: residual.start.add(at), ..*residual }),
                    };
                    if outputs > PANEL { tile.run_pixels::<2>(pixels) } else { tile.run_pixels::<1>(pixels) }
                }
                column += pixels;
            }
        }
        group += if outputs > PANEL { 2 * GROUPS_PER_PANEL } else { GROUPS_PER_PANEL };
    }
}

/// Some pixels of a row and one or two panels, all of whose sums are in registers at once.
struct VnniTile<'a> {
    layer: &'a Pointwise,
    /// The first panel.
    panel: usize,
    /// Outputs to be written from that panel on; they may end within a panel.
    outputs: usize,
    input: *const u8,
    input_pixel: usize,
    output: *mut u8,
    output_pixel: usize,
    residual: Option<Residual>,
}

impl VnniTile<'_> {
    /// Computes `pixels` pixels (1 to 8) and `C` panels.
    ///
    /// # Safety
    /// As for [`pointwise`], for the tile's pixels.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn run_pixels<const C: usize>(&self, pixels: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            match pixels {
                8 => self.run::<8, C>(),
                7 => self.run::<7, C>(),
                6 => self.run::<6, C>(),
                5 => self.run::<5, C>(),
                4 => self.run::<4, C>(),
                3 => self.run::<3, C>(),
                2 => self.run::<2, C>(),
                _ => self.run::<1, C>(),
            }
        }
    }

    /// Computes `R` pixels and `C` panels.
    ///
    /// # Safety
    /// As for [`pointwise`], for the tile's pixels.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn run<const R: usize, const C: usize>(&self) {
        let quads = self.layer.inputs() / 4;
        let first = self.panel * PANEL;
        // SAFETY: weights, biases and multipliers are there for whole panels; the pixels are the caller's
        // promise, and the masks leave out what is not theirs.
        unsafe {
            // Loops, since closures would be functions without AVX-512 until they are inlined.
            let bias = self.layer.bias().as_ptr().add(first);
            let mut start = [_mm512_setzero_si512(); C];
            let mut weights = [std::ptr::null::<i8>(); C];
            for (c, (start, weights)) in start.iter_mut().zip(&mut weights).enumerate() {
                *start = _mm512_loadu_si512(bias.add(c * PANEL).cast());
                *weights = self.layer.weights(self.panel + c);
            }
            let mut sums: [[__m512i; C]; R] = [start; R];
            for quad in 0..quads {
                let mut w = [_mm512_setzero_si512(); C];
                for (w, weights) in w.iter_mut().zip(&weights) {
                    *w = _mm512_load_si512(weights.add(quad * 4 * PANEL).cast());
                    // Fetch the next panels: where pixels are few, loading weights takes longest.
                    _mm_prefetch::<_MM_HINT_T0>(weights.wrapping_add((C * quads + quad) * 4 * PANEL));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let at = self.input.add(r * self.input_pixel + quad * 4).cast::<i32>();
                    let values = _mm512_set1_epi32(at.read_unaligned());
                    for (sum, w) in sums.iter_mut().zip(&w) {
                        *sum = _mm512_dpbusd_epi32(*sum, values, *w);
                    }
                }
            }
            let multiplier = self.layer.multiplier().as_ptr().add(first);
            let zero_point = _mm512_set1_epi32(i32::from(self.layer.zero_point()));
            for c in 0..C {
                let scale = _mm512_loadu_ps(multiplier.add(c * PANEL));
                let mask = first_16(self.outputs - c * PANEL);
                for (r, sums) in sums.iter().enumerate() {
                    let at = r * self.output_pixel + c * PANEL;
                    let mut real = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[c]), scale);
                    if let Some(residual) = &self.residual {
                        let bytes = _mm_maskz_loadu_epi8(mask, residual.start.add(at).cast());
                        let centred = _mm512_sub_epi32(
                            _mm512_cvtepu8_epi32(bytes),
                            _mm512_set1_epi32(i32::from(residual.zero_point)),
                        );
                        let multiplier = _mm512_set1_ps(residual.multiplier);
                        real = _mm512_add_ps(real, _mm512_mul_ps(_mm512_cvtepi32_ps(centred), multiplier));
                    }
                    let values = _mm512_add_epi32(_mm512_cvtps_epi32(real), zero_point);
                    let values = _mm512_max_epi32(values, _mm512_setzero_si512());
                    _mm_mask_storeu_epi8(self.output.add(at).cast(), mask, _mm512_cvtusepi32_epi8(values));
                }
            }
        }
    }
}
