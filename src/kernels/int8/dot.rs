//! NEON with dot product, as on Cortex-A76: sixteen products per instruction, summed up in 32 bits at once.
//!
//! `sdot` adds four products of bytes to each of four sums. Where the standard library has no stable function for it, it is
//! one line of assembly.

use super::neon::{self, Tile};
use super::pack::{Depthwise, Pointwise};
use super::{Area, GROUP, Kernels, Residual, Source, Target, Windows};
use std::arch::aarch64::*;
use std::arch::asm;
use std::ops::Range;

/// Kernels for 64-bit Arm CPUs with dot product.
#[derive(Debug)]
pub(super) struct Dot;

/// Pixels of a tile.
const PIXELS: usize = 8;

impl Kernels for Dot {
    fn name(&self) -> &'static str {
        "neon-dot"
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
            // SAFETY: the caller promises the instructions and the pixels.
            unsafe {
                match tile.pixels {
                    8 => pointwise::<8>(&tile),
                    7 => pointwise::<7>(&tile),
                    6 => pointwise::<6>(&tile),
                    5 => pointwise::<5>(&tile),
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
            // SAFETY: the caller promises the instructions and the pixels, also of this group of their channels.
            unsafe {
                let rows = windows.rows.map(|row| row.add(index * GROUP).cast::<i8>());
                let target = target.add(index * GROUP).cast::<i8>();
                depthwise(layer, group * GROUP, rows, windows, target, pixel);
            }
        }
    }
}

/// Adds to each sum the products of four weights and the four inputs of `LANE`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot_lane<const LANE: usize>(sums: int32x4_t, weights: int8x16_t, inputs: int8x16_t) -> int32x4_t {
    let mut result = sums;
    // SAFETY: the CPU has the instruction, as the caller's target feature says; it touches registers only.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {weights:v}.16b, {inputs:v}.4b[{lane}]",
            sums = inlateout(vreg) result, weights = in(vreg) weights, inputs = in(vreg) inputs,
            lane = const LANE,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    result
}

/// Adds to each sum the products of four weights and four inputs.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(sums: int32x4_t, weights: int8x16_t, inputs: int8x16_t) -> int32x4_t {
    let mut result = sums;
    // SAFETY: the CPU has the instruction, as the caller's target feature says; it touches registers only.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {weights:v}.16b, {inputs:v}.16b",
            sums = inlateout(vreg) result, weights = in(vreg) weights, inputs = in(vreg) inputs,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    result
}

/// The outputs of `P` pixels.
///
/// # Safety
/// The tile's pixels are there.
#[target_feature(enable = "neon,dotprod")]
unsafe fn pointwise<const P: usize>(tile: &Tile<'_>) {
    let channel = tile.group * GROUP;
    // SAFETY: the layer has whole panels of weights, biases and multipliers; the pixels are the caller's promise.
    unsafe {
        let mut sums = [neon::load_i32(tile.layer.bias(), channel); P];
        let mut weights = tile.layer.weights(tile.group);
        let mut inputs: [*const i8; P] = std::array::from_fn(|p| tile.input.add(p * tile.input_pixel));
        macro_rules! quad {
            ($lane:literal, $values:ident) => {
                let w = [vld1q_s8(weights.add($lane * 32)), vld1q_s8(weights.add($lane * 32 + 16))];
                for p in 0..P {
                    sums[p][0] = dot_lane::<$lane>(sums[p][0], w[0], $values[p]);
                    sums[p][1] = dot_lane::<$lane>(sums[p][1], w[1], $values[p]);
                }
            };
        }
        for _ in 0..tile.layer.inputs() / 16 {
            let values: [int8x16_t; P] = std::array::from_fn(|p| vld1q_s8(inputs[p]));
            quad!(0, values);
            quad!(1, values);
            quad!(2, values);
            quad!(3, values);
            weights = weights.add(128);
            inputs = inputs.map(|input| input.add(16));
        }
        if !tile.layer.inputs().is_multiple_of(16) {
            let values: [int8x16_t; P] =
                std::array::from_fn(|p| vcombine_s8(vld1_s8(inputs[p]), vdup_n_s8(0)));
            quad!(0, values);
            quad!(1, values);
        }
        let multiplier = neon::load_f32(tile.layer.multiplier(), channel);
        for (p, sums) in sums.into_iter().enumerate() {
            let at = p * tile.output_pixel;
            let mut reals = neon::scale(sums, multiplier);
            if let Some(residual) = &tile.residual {
                reals = neon::add_residual(reals, residual.start.add(at).cast(), residual);
            }
            vst1_s8(tile.output.add(at), neon::requantize(reals, tile.layer.zero_point()));
        }
    }
}

/// Eight channels of one column of a window, as (top, middle, bottom, 0) per channel.
type Column = [int8x16_t; 2];

/// Eight channels of a row of windows.
///
/// # Safety
/// As for [`Kernels::depthwise`].
#[target_feature(enable = "neon,dotprod")]
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
        let taps: [Column; 3] = std::array::from_fn(|column| {
            interleave([0, 3, 6].map(|row| vld1_s8(layer.weights(row + column, channel))))
        });
        let bias = neon::load_i32(layer.bias(), channel);
        let multiplier = neon::load_f32(layer.multiplier(), channel);
        let load = |column: usize| interleave(rows.map(|row| vld1_s8(row.add(column * windows.pixel))));
        let finish = |x: usize, columns: [Column; 3]| {
            let mut sums = bias;
            for (column, taps) in columns.into_iter().zip(taps) {
                sums = [dot(sums[0], taps[0], column[0]), dot(sums[1], taps[1], column[1])];
            }
            let reals = neon::scale(sums, multiplier);
            vst1_s8(target.add(x * pixel), neon::requantize(reals, layer.zero_point()));
        };
        let mut left = load(0);
        if windows.stride == 1 {
            let mut middle = load(1);
            for x in 0..windows.columns {
                let right = load(x + 2);
                finish(x, [left, middle, right]);
                (left, middle) = (middle, right);
            }
        } else {
            for x in 0..windows.columns {
                let (middle, right) = (load(2 * x + 1), load(2 * x + 2));
                finish(x, [left, middle, right]);
                left = right;
            }
        }
    }
}

/// Puts the rows of a column side by side.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn interleave([top, middle, bottom]: [int8x8_t; 3]) -> Column {
    let (top, middle, bottom) =
        (vcombine_s8(top, top), vcombine_s8(middle, middle), vcombine_s8(bottom, bottom));
    let upper = vreinterpretq_s16_s8(vzip1q_s8(top, middle));
    let lower = vreinterpretq_s16_s8(vzip1q_s8(bottom, vdupq_n_s8(0)));
    [vreinterpretq_s8_s16(vzip1q_s16(upper, lower)), vreinterpretq_s8_s16(vzip2q_s16(upper, lower))]
}
