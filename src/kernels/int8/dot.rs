//! NEON with dot product, as on Cortex-A76: sixteen products per instruction, summed up in 32 bits at once.
//!
//! `sdot` adds four products of bytes to each of four sums. Where the standard library has no stable function for it, it is
//! one line of assembly. The conversions between integers and f32 are the slowest instructions here (two cycles each in only
//! one of two pipes, Arm's "Neoverse N1 Software Optimization Guide"), so small sums are converted by additions instead.

use super::neon;
use super::pack::{Depthwise, Pointwise};
use super::strip::{Strip, strips};
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
        strips(layer, groups, area, source, target, residual, |strip| {
            // SAFETY: the caller promises the instructions and the pixels.
            unsafe { pointwise(strip) }
        });
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
        unsafe {
            if layer.small() {
                depthwise_bytes::<true>(layer, groups, windows, target.cast(), pixel);
            } else {
                depthwise_bytes::<false>(layer, groups, windows, target.cast(), pixel);
            }
        }
    }

    unsafe fn depthwise_real(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut f32,
        pixel: usize,
    ) {
        // SAFETY: the caller promises the instructions and the pixels.
        unsafe { depthwise_reals(layer, groups, windows, target, pixel) }
    }
}

/// As [`Kernels::depthwise`].
#[target_feature(enable = "neon,dotprod")]
unsafe fn depthwise_bytes<const SMALL: bool>(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut i8,
    pixel: usize,
) {
    let zero_point = neon::zero_point(layer.zero_point());
    for (index, group) in groups.enumerate() {
        // SAFETY: the caller promises the pixels, also of this group of their channels.
        unsafe {
            let rows = windows.rows.map(|row| row.add(index * GROUP).cast::<i8>());
            let target = target.add(index * GROUP);
            depthwise::<SMALL>(layer, group * GROUP, rows, windows, |x, reals| {
                vst1_s8(target.add(x * pixel), requantize::<SMALL>(reals, zero_point));
            });
        }
    }
}

/// As [`Kernels::depthwise_real`].
#[target_feature(enable = "neon,dotprod")]
unsafe fn depthwise_reals(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut f32,
    pixel: usize,
) {
    for (index, group) in groups.enumerate() {
        // SAFETY: the caller promises the pixels, also of this group of their channels.
        unsafe {
            let rows = windows.rows.map(|row| row.add(index * GROUP).cast::<i8>());
            let target = target.add(index * GROUP);
            depthwise::<false>(layer, group * GROUP, rows, windows, |x, reals| {
                let target = target.add(x * pixel);
                vst1q_f32(target, reals[0]);
                vst1q_f32(target.add(4), reals[1]);
            });
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

/// Loads what may well be in a register already: unlike copying from there, that takes no time of the vector pipes.
#[inline]
#[target_feature(enable = "neon")]
fn load(from: &int32x4_t) -> int32x4_t {
    let to: int32x4_t;
    // SAFETY: reads what is referred to.
    unsafe {
        asm!("ldr {to:q}, [{from}]", to = lateout(vreg) to, from = in(reg) from,
            options(readonly, nostack, preserves_flags));
    }
    to
}

/// All pixels of a strip, eight at a time.
///
/// # Safety
/// The strip's pixels are there.
#[target_feature(enable = "neon,dotprod")]
unsafe fn pointwise(strip: &Strip<'_>) {
    let small =
        strip.layer.small() && strip.residual.is_none_or(|residual| residual.multiplier.abs() <= 32.0);
    // SAFETY: the caller promises the pixels.
    unsafe {
        match (small, strip.residual) {
            (true, None) => tiles::<true, false>(strip),
            (true, Some(_)) => tiles::<true, true>(strip),
            (false, None) => tiles::<false, false>(strip),
            (false, Some(_)) => tiles::<false, true>(strip),
        }
    }
}

/// As [`pointwise`], for a layer with [`Pointwise::small`] sums or without; `ADD`: with the residual, which is there.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn tiles<const SMALL: bool, const ADD: bool>(strip: &Strip<'_>) {
    let Strip { area, source, target, .. } = strip;
    for row in 0..area.rows {
        let mut input = source.start.wrapping_add(row * source.row).cast::<i8>();
        let mut at = row * target.row;
        let mut left = area.columns;
        // SAFETY: the caller promises these pixels.
        unsafe {
            while left >= PIXELS {
                tile::<PIXELS, SMALL, ADD>(strip, input, at);
                input = input.wrapping_add(PIXELS * source.pixel);
                at += PIXELS * target.pixel;
                left -= PIXELS;
            }
            match left {
                7 => tile::<7, SMALL, ADD>(strip, input, at),
                6 => tile::<6, SMALL, ADD>(strip, input, at),
                5 => tile::<5, SMALL, ADD>(strip, input, at),
                4 => tile::<4, SMALL, ADD>(strip, input, at),
                3 => tile::<3, SMALL, ADD>(strip, input, at),
                2 => tile::<2, SMALL, ADD>(strip, input, at),
                1 => tile::<1, SMALL, ADD>(strip, input, at),
                _ => {}
            }
        }
    }
}

/// `P` pixels whose inputs begin at `input`, their outputs `at` behind the strip's first.
///
/// # Safety
/// The strip has these pixels.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn tile<const P: usize, const SMALL: bool, const ADD: bool>(
    strip: &Strip<'_>,
    input: *const i8,
    at: usize,
) {
    let channel = strip.group * GROUP;
    // SAFETY: the layer has whole panels of weights, biases and multipliers; the pixels are the caller's promise.
    unsafe {
        let start = start::<SMALL>(neon::load_i32(strip.layer.bias(), channel));
        let mut sums: [[int32x4_t; 2]; P] = std::array::from_fn(|_| [load(&start[0]), load(&start[1])]);
        let mut weights = strip.layer.weights(strip.group);
        let mut inputs: [*const i8; P] = std::array::from_fn(|p| input.add(p * strip.source.pixel));
        macro_rules! quad {
            ($lane:literal, $values:ident) => {
                let w = [vld1q_s8(weights.add($lane * 32)), vld1q_s8(weights.add($lane * 32 + 16))];
                for p in 0..P {
                    sums[p][0] = dot_lane::<$lane>(sums[p][0], w[0], $values[p]);
                    sums[p][1] = dot_lane::<$lane>(sums[p][1], w[1], $values[p]);
                }
            };
        }
        for _ in 0..strip.layer.inputs() / 16 {
            let values: [int8x16_t; P] = std::array::from_fn(|p| vld1q_s8(inputs[p]));
            quad!(0, values);
            quad!(1, values);
            quad!(2, values);
            quad!(3, values);
            weights = weights.add(128);
            inputs = inputs.map(|input| input.add(16));
        }
        if !strip.layer.inputs().is_multiple_of(16) {
            let values: [int8x16_t; P] =
                std::array::from_fn(|p| vcombine_s8(vld1_s8(inputs[p]), vdup_n_s8(0)));
            quad!(0, values);
            quad!(1, values);
        }
        let multiplier = neon::load_f32(strip.layer.multiplier(), channel);
        let zero_point = neon::zero_point(strip.layer.zero_point());
        for (p, sums) in sums.into_iter().enumerate() {
            let at = at + p * strip.target.pixel;
            let mut reals = scale::<SMALL>(sums, multiplier);
            if ADD && let Some(residual) = &strip.residual {
                let term = neon::residual_term(residual.start.add(at).cast(), residual);
                reals = [vaddq_f32(reals[0], term[0]), vaddq_f32(reals[1], term[1])];
            }
            vst1_s8(strip.target.start.add(at).cast(), requantize::<SMALL>(reals, zero_point));
        }
    }
}

/// 1.5 · 2²³: in f32, the integers within 2²² of it follow each other like their bits.
const MAGIC: f32 = 12_582_912.0;

/// Where sums begin: small ones with the bits of [`MAGIC`], so that they are f32 numbers around it when they are done.
#[inline]
#[target_feature(enable = "neon")]
fn start<const SMALL: bool>(bias: [int32x4_t; 2]) -> [int32x4_t; 2] {
    let magic = vreinterpretq_s32_f32(vdupq_n_f32(MAGIC));
    if SMALL { bias.map(|bias| vaddq_s32(bias, magic)) } else { bias }
}

/// Sums in units of the output's scale.
#[inline]
#[target_feature(enable = "neon")]
fn scale<const SMALL: bool>(sums: [int32x4_t; 2], multiplier: [float32x4_t; 2]) -> [float32x4_t; 2] {
    if !SMALL {
        return neon::scale(sums, multiplier);
    }
    // Exact: both numbers are integers below 2²⁴.
    let real = |half: usize| vsubq_f32(vreinterpretq_f32_s32(sums[half]), vdupq_n_f32(MAGIC));
    [vmulq_f32(real(0), multiplier[0]), vmulq_f32(real(1), multiplier[1])]
}

/// Rounds to even and clamps to 8 bits.
#[inline]
#[target_feature(enable = "neon")]
fn requantize<const SMALL: bool>(reals: [float32x4_t; 2], zero_point: int16x8_t) -> int8x8_t {
    if !SMALL {
        return neon::requantize(reals, zero_point);
    }
    // The addition rounds to even, since MAGIC is even. Results below 2¹⁵ are whole in the lower half of the bits.
    let rounded = reals.map(|reals| vreinterpretq_s16_f32(vaddq_f32(reals, vdupq_n_f32(MAGIC))));
    vqmovn_s16(vqaddq_s16(vuzp1q_s16(rounded[0], rounded[1]), zero_point))
}

/// Eight channels of one column of a window, as (top, middle, bottom, 0) per channel.
type Column = [int8x16_t; 2];

/// Eight channels of a row of windows; `finish` gets the results of each window in units of the output's scale.
///
/// # Safety
/// As for [`Kernels::depthwise`].
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn depthwise<const SMALL: bool>(
    layer: &Depthwise,
    channel: usize,
    rows: [*const i8; 3],
    windows: &Windows,
    finish: impl Fn(usize, [float32x4_t; 2]),
) {
    // SAFETY: the caller promises the pixels; weights, biases and multipliers are there for all channels.
    unsafe {
        let taps: [Column; 3] = std::array::from_fn(|column| {
            interleave([0, 3, 6].map(|row| vld1_s8(layer.weights(row + column, channel))))
        });
        let bias = start::<SMALL>(neon::load_i32(layer.bias(), channel));
        let multiplier = neon::load_f32(layer.multiplier(), channel);
        let load = |column: usize| interleave(rows.map(|row| vld1_s8(row.add(column * windows.pixel))));
        let write = |x: usize, columns: [Column; 3]| {
            let mut sums = bias;
            for (column, taps) in columns.into_iter().zip(taps) {
                sums = [dot(sums[0], taps[0], column[0]), dot(sums[1], taps[1], column[1])];
            }
            finish(x, scale::<SMALL>(sums, multiplier));
        };
        let mut left = load(0);
        let mut x = 0;
        if windows.stride == 1 {
            let mut middle = load(1);
            // Three at a time: then each column stays in its registers until it is no longer needed.
            while x + 3 <= windows.columns {
                let right = load(x + 2);
                write(x, [left, middle, right]);
                left = load(x + 3);
                write(x + 1, [middle, right, left]);
                middle = load(x + 4);
                write(x + 2, [right, left, middle]);
                x += 3;
            }
            while x < windows.columns {
                let right = load(x + 2);
                write(x, [left, middle, right]);
                (left, middle) = (middle, right);
                x += 1;
            }
        } else {
            while x < windows.columns {
                let (middle, right) = (load(2 * x + 1), load(2 * x + 2));
                write(x, [left, middle, right]);
                left = right;
                x += 1;
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
