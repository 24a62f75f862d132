//! AVX-512 VNNI: 64 products per instruction, summed up in 32 bits by fours.
//!
//! `vpdpbusd` adds four products of unsigned and signed bytes to each of 16 sums at once and does not
//! saturate, so a panel of packed weights is 16 outputs wide. A tile of eight pixels and two panels keeps 16
//! sums, two rows of weights and one pixel in registers.

use super::pack::{Depthwise, Pointwise};
use super::{Area, GROUP, Kernels, Residual, Source, Target, Windows};
use std::arch::x86_64::*;
use std::ops::Range;

/// Kernels for CPUs with AVX-512 (F, BW, VL) and its VNNI instructions.
#[derive(Debug)]
pub(super) struct Avx512Vnni;

/// Outputs per panel.
const PANEL: usize = 16;
/// Groups per panel.
const GROUPS: usize = PANEL / GROUP;
/// The most pixels in a tile.
const ROWS: usize = 8;
/// The most channels of a depthwise convolution at once.
const CHANNELS: usize = 64;

impl Avx512Vnni {
    /// The kernels, where the CPU has all their instructions.
    pub(super) fn new() -> Option<&'static Self> {
        let available = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        available.then_some(&Self)
    }
}

impl Kernels for Avx512Vnni {
    fn name(&self) -> &'static str {
        "avx512-vnni"
    }

    fn offset(&self) -> u8 {
        0
    }

    fn panel(&self) -> usize {
        PANEL
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
        let (first, end) = (groups.start * GROUP, groups.end * GROUP);
        let mut channel = first;
        while channel < end {
            let count = (end - channel).min(CHANNELS);
            // SAFETY: the caller promises the instructions and the pixels, also of this slice of their
            // channels.
            unsafe {
                let windows = Windows { rows: windows.rows.map(|row| row.add(channel - first)), ..*windows };
                let slice = Slice { layer, channel, count, target: target.add(channel - first), pixel };
                match count {
                    33.. => slice.run::<4>(&windows),
                    17.. => slice.run::<2>(&windows),
                    _ => slice.run::<1>(&windows),
                }
            }
            channel += count;
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
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
        let outputs = (groups.end - group) * GROUP;
        let offset = (group - groups.start) * GROUP;
        for row in 0..area.rows {
            let mut column = 0;
            while column < area.columns {
                let left = area.columns - column;
                // 14 pixels are 7 and 7, not 8 and 6.
                let rows = left.div_ceil(left.div_ceil(ROWS));
                // SAFETY: the caller promises these pixels.
                unsafe {
                    let at = row * target.row + column * target.pixel + offset;
                    let tile = Tile {
                        layer,
                        panel: group / GROUPS,
                        outputs,
                        input: source.start.add(row * source.row + column * source.pixel),
                        input_pixel: source.pixel,
                        output: target.start.add(at),
                        output_pixel: target.pixel,
                        residual: residual
                            .map(|residual| Residual { start: residual.start.add(at), ..*residual }),
                    };
                    if outputs > PANEL { tile.run_rows::<2>(rows) } else { tile.run_rows::<1>(rows) }
                }
                column += rows;
            }
        }
        group += if outputs > PANEL { 2 * GROUPS } else { GROUPS };
    }
}

struct Tile<'a> {
    layer: &'a Pointwise,
    panel: usize,
    /// Outputs to be written, which may end within a panel.
    outputs: usize,
    input: *const u8,
    input_pixel: usize,
    output: *mut u8,
    output_pixel: usize,
    residual: Option<Residual>,
}

impl Tile<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn run_rows<const C: usize>(&self, rows: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            match rows {
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

    /// `R` pixels times `C` panels.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn run<const R: usize, const C: usize>(&self) {
        let quads = self.layer.inputs() / 4;
        let first = self.panel * PANEL;
        // SAFETY: weights, biases and multipliers are there for whole panels; the pixels are the caller's
        // promise, and the masks leave out what is not theirs.
        unsafe {
            // Written with loops, not closures: these would be functions without AVX-512 until they are
            // inlined.
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
                    // The next panels: where pixels are few, their way from memory is what takes longest.
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

/// Some neighbouring channels of a depthwise convolution.
struct Slice<'a> {
    layer: &'a Depthwise,
    channel: usize,
    /// Channels, 64 at most.
    count: usize,
    target: *mut u8,
    pixel: usize,
}

impl Slice<'_> {
    /// `16 · Q` channels or fewer, `Q` 1, 2 or 4.
    ///
    /// Registers hold one column of the window, four bytes per channel: top, middle, bottom, 0. Each column
    /// is read once and multiplied with the left, middle and right column of the filter, for up to three
    /// neighbouring outputs.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn run<const Q: usize>(&self, windows: &Windows) {
        let mask = u64::MAX >> (CHANNELS - self.count);
        let stride = windows.stride;
        // SAFETY: the caller promises the pixels; masks leave out the channels that are not this slice's.
        unsafe {
            let mut weights = [[_mm512_setzero_si512(); Q]; 3];
            for (tap, weights) in weights.iter_mut().enumerate() {
                let rows = [tap, 3 + tap, 6 + tap];
                *weights = column(rows.map(|tap| self.layer.weights(tap, self.channel)), 0, mask);
            }
            let mut bias = [_mm512_setzero_si512(); Q];
            let mut multiplier = [_mm512_setzero_si512(); Q];
            for (block, (bias, multiplier)) in bias.iter_mut().zip(&mut multiplier).enumerate() {
                let mask = first_16(self.count.saturating_sub(16 * block));
                let at = self.channel + 16 * block;
                *bias = _mm512_maskz_loadu_epi32(mask, self.layer.bias().as_ptr().wrapping_add(at));
                let scale = self.layer.multiplier().as_ptr().wrapping_add(at);
                *multiplier = _mm512_maskz_loadu_epi32(mask, scale.cast());
            }
            let (bias, multiplier) = (by_quarters(bias), by_quarters(multiplier));
            let zero_point = _mm512_set1_epi16(i16::from(self.layer.zero_point()));

            let rows = windows.rows.map(<*const u8>::cast::<i8>);
            let mut left = add(&bias, &column(rows, 0, mask), &weights[0]);
            let mut next = column(rows, windows.pixel, mask);
            for x in 0..windows.columns {
                let middle = next;
                let right = column(rows, (stride * x + 2) * windows.pixel, mask);
                let sums = add(&add(&left, &middle, &weights[1]), &right, &weights[2]);
                let bytes = requantized(&sums, &multiplier, zero_point);
                _mm512_mask_storeu_epi8(self.target.add(x * self.pixel).cast(), mask, bytes);
                let following = if stride == 1 { &middle } else { &right };
                left = add(&bias, following, &weights[0]);
                if stride == 1 {
                    next = right;
                } else if x + 1 < windows.columns {
                    next = column(rows, (stride * x + 3) * windows.pixel, mask);
                }
            }
        }
    }
}

/// The lowest `count` of 16 bits, all where there are more.
fn first_16(count: usize) -> u16 {
    if count >= 16 { u16::MAX } else { (1 << count) - 1 }
}

#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn add<const Q: usize>(sums: &[__m512i; Q], values: &[__m512i; Q], weights: &[__m512i; Q]) -> [__m512i; Q] {
    let mut results = *sums;
    for ((result, value), weight) in results.iter_mut().zip(values).zip(weights) {
        *result = _mm512_dpbusd_epi32(*result, *value, *weight);
    }
    results
}

/// The bytes `offset` bytes behind each of three rows, as [`interleave`] orders them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn column<const Q: usize>(rows: [*const i8; 3], offset: usize, mask: u64) -> [__m512i; Q] {
    // SAFETY: the caller promises the bytes that the mask names.
    unsafe {
        let top = _mm512_maskz_loadu_epi8(mask, rows[0].wrapping_add(offset));
        let middle = _mm512_maskz_loadu_epi8(mask, rows[1].wrapping_add(offset));
        let bottom = _mm512_maskz_loadu_epi8(mask, rows[2].wrapping_add(offset));
        interleave(spread::<Q>(top), spread::<Q>(middle), spread::<Q>(bottom))
    }
}

/// The lowest `16 · Q` bytes, a quarter of them at the start of each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn spread<const Q: usize>(bytes: __m512i) -> __m512i {
    match Q {
        4 => bytes,
        2 => _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3), bytes),
        _ => {
            let order = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
            _mm512_permutexvar_epi32(order, bytes)
        }
    }
}

/// Of three spread rows, register q has the channels `4 · Q · lane + 4 · q ..` as four bytes each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn interleave<const Q: usize>(top: __m512i, middle: __m512i, bottom: __m512i) -> [__m512i; Q] {
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

/// Lanes 0 and 2 of both.
#[inline]
#[target_feature(enable = "avx512f")]
fn even_lanes(low: __m512i, high: __m512i) -> __m512i {
    _mm512_shuffle_i32x4::<0b10_00_10_00>(low, high)
}

/// Lanes 1 and 3 of both.
#[inline]
#[target_feature(enable = "avx512f")]
fn odd_lanes(low: __m512i, high: __m512i) -> __m512i {
    _mm512_shuffle_i32x4::<0b11_01_11_01>(low, high)
}

/// 32-bit numbers in the order of their channels, as [`interleave`] orders them.
#[inline]
#[target_feature(enable = "avx512f")]
fn by_quarters<const Q: usize>(blocks: [__m512i; Q]) -> [__m512i; Q] {
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

/// The sums as bytes, in the order of their channels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn requantized<const Q: usize>(
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
