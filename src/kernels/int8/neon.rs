//! NEON without dot product, as on Cortex-A53 and A72: eight products per multiplication of bytes.
//!
//! `smull` and `smlal` multiply bytes and add up two products in 16 bits; `addp` makes that four, still in 16 bits
//! ([`super::pack`] has checked that they fit), and `sadalp` widens them. That is one more addition, but half as many sums in
//! registers, as widening at once; the multiplications alone bound the speed of an A72, all of them together that of an A53.

use super::pack::{Depthwise, Pointwise};
use super::{Area, GROUP, Kernels, Residual, Source, Target, Windows};
use std::arch::aarch64::*;
use std::ops::Range;

/// Kernels for every 64-bit Arm CPU.
#[derive(Debug)]
pub(super) struct Neon;

/// Pixels of a tile.
const PIXELS: usize = 4;

impl Kernels for Neon {
    fn name(&self) -> &'static str {
        "neon"
    }

    fn offset(&self) -> u8 {
        128
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
        for tile in Tile::all(layer, groups, area, source, target, residual, PIXELS) {
            // SAFETY: the caller promises the pixels.
            unsafe {
                match tile.pixels {
                    4 => pointwise::<4>(&tile),
                    3 => pointwise::<3>(&tile),
                    2 => pointwise::<2>(&tile),
                    _ => pointwise::<1>(&tile),
                }
            }
        }
    }

    unsafe fn depthwise(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut u8,
        pixel: usize,
    ) {
        for (index, group) in groups.enumerate() {
            // SAFETY: the caller promises the pixels, also of this group of their channels.
            unsafe {
                let rows = windows.rows.map(|row| row.add(index * GROUP).cast::<i8>());
                let target = target.add(index * GROUP).cast::<i8>();
                depthwise(layer, group * GROUP, rows, windows, target, pixel);
            }
        }
    }
}

/// One panel of outputs of a few neighbouring pixels.
pub(super) struct Tile<'a> {
    pub(super) layer: &'a Pointwise,
    pub(super) group: usize,
    pub(super) pixels: usize,
    pub(super) input: *const i8,
    pub(super) input_pixel: usize,
    pub(super) output: *mut i8,
    pub(super) output_pixel: usize,
    pub(super) residual: Option<Residual>,
}

impl<'a> Tile<'a> {
    /// The tiles of an area: panels outside, pixels inside, so that the weights of a panel stay in the first cache.
    pub(super) fn all(
        layer: &'a Pointwise,
        groups: Range<usize>,
        area: Area,
        source: Source,
        target: Target,
        residual: Option<&'a Residual>,
        pixels: usize,
    ) -> impl Iterator<Item = Self> {
        let first = groups.start;
        groups.flat_map(move |group| {
            (0..area.rows).flat_map(move |row| {
                (0..area.columns).step_by(pixels).map(move |column| {
                    let input = row * source.row + column * source.pixel;
                    let output = row * target.row + column * target.pixel + (group - first) * GROUP;
                    Tile {
                        layer,
                        group,
                        pixels: pixels.min(area.columns - column),
                        input: source.start.wrapping_add(input).cast(),
                        input_pixel: source.pixel,
                        output: target.start.wrapping_add(output).cast(),
                        output_pixel: target.pixel,
                        residual: residual.map(|residual| Residual {
                            start: residual.start.wrapping_add(output),
                            ..*residual
                        }),
                    }
                })
            })
        })
    }
}

/// The outputs of `P` pixels.
///
/// # Safety
/// The tile's pixels are there.
#[target_feature(enable = "neon")]
unsafe fn pointwise<const P: usize>(tile: &Tile<'_>) {
    let channel = tile.group * GROUP;
    // SAFETY: the layer has whole panels of weights, biases and multipliers; the pixels are the caller's promise.
    unsafe {
        let bias = load_i32(tile.layer.bias(), channel);
        let mut sums = [bias; P];
        let mut weights = tile.layer.weights(tile.group);
        let mut inputs: [*const i8; P] = std::array::from_fn(|p| tile.input.add(p * tile.input_pixel));
        for _ in 0..tile.layer.inputs() / 8 {
            let low = [vld1q_s8(weights), vld1q_s8(weights.add(16))];
            let high = [vld1q_s8(weights.add(32)), vld1q_s8(weights.add(48))];
            weights = weights.add(64);
            for p in 0..P {
                let quads = inputs[p].cast::<i32>();
                let a = vreinterpretq_s8_s32(vdupq_n_s32(quads.read_unaligned()));
                let b = vreinterpretq_s8_s32(vdupq_n_s32(quads.add(1).read_unaligned()));
                inputs[p] = inputs[p].add(8);
                for half in 0..2 {
                    let first = vmull_s8(vget_low_s8(low[half]), vget_low_s8(a));
                    let first = vmlal_s8(first, vget_low_s8(high[half]), vget_low_s8(b));
                    let second = vmlal_high_s8(vmull_high_s8(low[half], a), high[half], b);
                    sums[p][half] = vpadalq_s16(sums[p][half], vpaddq_s16(first, second));
                }
            }
        }
        let multiplier = load_f32(tile.layer.multiplier(), channel);
        for (p, sums) in sums.into_iter().enumerate() {
            let at = p * tile.output_pixel;
            let mut reals = scale(sums, multiplier);
            if let Some(residual) = &tile.residual {
                reals = add_residual(reals, residual.start.add(at).cast(), residual);
            }
            vst1_s8(tile.output.add(at), requantize(reals, tile.layer.zero_point()));
        }
    }
}

/// Eight channels of a row of windows.
///
/// # Safety
/// As for [`Kernels::depthwise`].
#[target_feature(enable = "neon")]
unsafe fn depthwise(
    layer: &Depthwise,
    channel: usize,
    rows: [*const i8; 3],
    windows: &Windows,
    target: *mut i8,
    pixel: usize,
) {
    // SAFETY: the caller promises the pixels; weights, biases and multipliers are there for all channels.
    unsafe {
        let taps: [[int8x8_t; 3]; 3] = std::array::from_fn(|column| {
            std::array::from_fn(|row| vld1_s8(layer.weights(3 * row + column, channel)))
        });
        let bias = load_i32(layer.bias(), channel);
        let multiplier = load_f32(layer.multiplier(), channel);
        let load = |column: usize| rows.map(|row| vld1_s8(row.add(column * windows.pixel)));
        // A column of three products is summed up in 16 bits.
        let column = |[top, middle, bottom]: [int8x8_t; 3], taps: &[int8x8_t; 3]| {
            vmlal_s8(vmlal_s8(vmull_s8(top, taps[0]), middle, taps[1]), bottom, taps[2])
        };
        let mut left = load(0);
        if windows.stride == 1 {
            let mut middle = load(1);
            for x in 0..windows.columns {
                let right = load(x + 2);
                let sums = [column(left, &taps[0]), column(middle, &taps[1]), column(right, &taps[2])];
                let reals = scale(sums.into_iter().fold(bias, |sums, more| widen(sums, more)), multiplier);
                vst1_s8(target.add(x * pixel), requantize(reals, layer.zero_point()));
                (left, middle) = (middle, right);
            }
        } else {
            for x in 0..windows.columns {
                let (middle, right) = (load(2 * x + 1), load(2 * x + 2));
                let sums = [column(left, &taps[0]), column(middle, &taps[1]), column(right, &taps[2])];
                let reals = scale(sums.into_iter().fold(bias, |sums, more| widen(sums, more)), multiplier);
                vst1_s8(target.add(x * pixel), requantize(reals, layer.zero_point()));
                left = right;
            }
        }
    }
}

/// Adds eight sums in 16 bits to those in 32.
#[inline]
#[target_feature(enable = "neon")]
fn widen(sums: [int32x4_t; 2], more: int16x8_t) -> [int32x4_t; 2] {
    [vaddw_s16(sums[0], vget_low_s16(more)), vaddw_high_s16(sums[1], more)]
}

/// Eight numbers from `index` on.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_i32(values: &[i32], index: usize) -> [int32x4_t; 2] {
    let values = &values[index..index + 8];
    // SAFETY: the slice has eight.
    unsafe { [vld1q_s32(values.as_ptr()), vld1q_s32(values.as_ptr().add(4))] }
}

/// Eight numbers from `index` on.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_f32(values: &[f32], index: usize) -> [float32x4_t; 2] {
    let values = &values[index..index + 8];
    // SAFETY: the slice has eight.
    unsafe { [vld1q_f32(values.as_ptr()), vld1q_f32(values.as_ptr().add(4))] }
}

/// Sums in units of the output's scale.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn scale(sums: [int32x4_t; 2], multiplier: [float32x4_t; 2]) -> [float32x4_t; 2] {
    std::array::from_fn(|half| vmulq_f32(vcvtq_f32_s32(sums[half]), multiplier[half]))
}

/// `reals` plus eight values of the residual.
///
/// # Safety
/// `values` are eight readable bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) unsafe fn add_residual(
    reals: [float32x4_t; 2],
    values: *const i8,
    residual: &Residual,
) -> [float32x4_t; 2] {
    // SAFETY: as the caller promises.
    let values = unsafe { vld1_s8(values) };
    let centre = vdupq_n_s16(i16::from(residual.zero_point) - 128);
    let centred = vsubq_s16(vmovl_s8(values), centre);
    let centred = [vmovl_s16(vget_low_s16(centred)), vmovl_high_s16(centred)];
    std::array::from_fn(|half| {
        let term = vmulq_f32(vcvtq_f32_s32(centred[half]), vdupq_n_f32(residual.multiplier));
        vaddq_f32(reals[half], term)
    })
}

/// Rounds to even and clamps: to 16 bits, then with the zero point to 8.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn requantize(reals: [float32x4_t; 2], zero_point: u8) -> int8x8_t {
    let [low, high] = reals.map(|reals| vcvtnq_s32_f32(reals));
    let words = vqmovn_high_s32(vqmovn_s32(low), high);
    vqmovn_s16(vqaddq_s16(words, vdupq_n_s16(i16::from(zero_point) - 128)))
}
