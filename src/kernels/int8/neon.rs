//! NEON without dot product, as on Cortex-A53 and A72: eight products per multiplication of bytes.
//!
//! `smull` and `smlal` multiply bytes and add up two products in 16 bits; `addp` makes that four, still in 16 bits
//! ([`super::pack`] has checked that they fit), and `sadalp` widens them. That is one more addition, but half as many sums in
//! registers, as widening at once; the multiplications alone bound the speed of an A72, all of them together that of an A53.

use super::neon_pointwise::pointwise;
use super::pack::{Depthwise, Pointwise};
use super::strip::strips;
use super::{Area, GROUP, Kernels, Residual, Source, Target, Windows};
use std::arch::aarch64::*;
use std::ops::Range;

/// Kernels for every 64-bit Arm CPU.
#[derive(Debug)]
pub(super) struct Neon;

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
        strips(layer, groups, area, source, target, residual, |strip| {
            // SAFETY: the caller promises the pixels.
            unsafe {
                match strip.residual {
                    None => pointwise::<false>(strip),
                    Some(_) => pointwise::<true>(strip),
                }
            }
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
        let zero_point = layer.zero_point();
        for (index, group) in groups.enumerate() {
            // SAFETY: the caller promises the pixels, also of this group of their channels.
            unsafe {
                let target = target.add(index * GROUP).cast::<i8>();
                depthwise_group(layer, group, index, windows, |x, reals| {
                    vst1_s8(target.add(x * pixel), requantize(reals, self::zero_point(zero_point)));
                });
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
        for (index, group) in groups.enumerate() {
            // SAFETY: the caller promises the pixels, also of this group of their channels.
            unsafe {
                let target = target.add(index * GROUP);
                depthwise_group(layer, group, index, windows, |x, reals| {
                    vst1q_f32(target.add(x * pixel), reals[0]);
                    vst1q_f32(target.add(x * pixel + 4), reals[1]);
                });
            }
        }
    }
}

/// The channels of `group`, the one of number `index` in `windows`.
///
/// # Safety
/// As for [`Kernels::depthwise`].
unsafe fn depthwise_group(
    layer: &Depthwise,
    group: usize,
    index: usize,
    windows: &Windows,
    finish: impl Fn(usize, [float32x4_t; 2]),
) {
    // SAFETY: as the caller promises.
    unsafe {
        let rows = windows.rows.map(|row| row.add(index * GROUP).cast::<i8>());
        if windows.stride == 1 {
            depthwise::<1>(layer, group * GROUP, rows, windows, finish);
        } else {
            depthwise::<2>(layer, group * GROUP, rows, windows, finish);
        }
    }
}

/// Eight channels of a row of windows; `finish` gets the results of each window in units of the output's scale.
///
/// # Safety
/// As for [`Kernels::depthwise`].
#[inline]
#[target_feature(enable = "neon")]
unsafe fn depthwise<const STRIDE: usize>(
    layer: &Depthwise,
    channel: usize,
    rows: [*const i8; 3],
    windows: &Windows,
    finish: impl Fn(usize, [float32x4_t; 2]),
) {
    // SAFETY: the caller promises the pixels; weights, biases and multipliers are there for all channels.
    unsafe {
        let taps: [[int8x8_t; 3]; 3] = std::array::from_fn(|column| {
            std::array::from_fn(|row| vld1_s8(layer.weights(3 * row + column, channel)))
        });
        let bias = load_i32(layer.bias(), channel);
        let multiplier = load_f32(layer.multiplier(), channel);
        let load = |column: usize| rows.map(|row| vld1_s8(row.add(column * windows.pixel)));
        let mut x = 0;
        // Windows in pairs, so that one's instructions fill the gaps of the other's on CPUs that execute in order.
        while x + 2 <= windows.columns {
            let columns: [_; 3] = std::array::from_fn(|column| load(STRIDE * x + column));
            let more: [_; 3] = if STRIDE == 1 {
                [columns[1], columns[2], load(x + 3)]
            } else {
                [columns[2], load(2 * x + 3), load(2 * x + 4)]
            };
            let [first, second] = depthwise_sums([columns, more], &taps, bias);
            let (first, second) = (scale(first, multiplier), scale(second, multiplier));
            finish(x, first);
            finish(x + 1, second);
            x += 2;
        }
        if x < windows.columns {
            let columns = std::array::from_fn(|column| load(STRIDE * x + column));
            let [sums] = depthwise_sums([columns], &taps, bias);
            finish(x, scale(sums, multiplier));
        }
    }
}

/// The sums of `W` windows. A column of three products is summed up in 16 bits.
#[inline]
#[target_feature(enable = "neon")]
fn depthwise_sums<const W: usize>(
    windows: [[[int8x8_t; 3]; 3]; W],
    taps: &[[int8x8_t; 3]; 3],
    bias: [int32x4_t; 2],
) -> [[int32x4_t; 2]; W] {
    let mut sums = [bias; W];
    for column in 0..3 {
        let tops = windows.map(|window| vmull_s8(window[column][0], taps[column][0]));
        let mut products = tops;
        for row in 1..3 {
            for (products, window) in products.iter_mut().zip(&windows) {
                *products = vmlal_s8(*products, window[column][row], taps[column][row]);
            }
        }
        for (sums, products) in sums.iter_mut().zip(products) {
            *sums = widen(*sums, products);
        }
    }
    sums
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

/// Eight values of a residual in units of the output's scale.
///
/// # Safety
/// `values` are eight readable bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) unsafe fn residual_term(values: *const i8, residual: &Residual) -> [float32x4_t; 2] {
    // SAFETY: as the caller promises.
    let values = unsafe { vld1_s8(values) };
    let centred = vsubq_s16(vmovl_s8(values), vdupq_n_s16(i16::from(residual.zero_point) - 128));
    let centred = [vmovl_s16(vget_low_s16(centred)), vmovl_high_s16(centred)];
    scale(centred, [vdupq_n_f32(residual.multiplier); 2])
}

/// A zero point, as it is added before the last clamp.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn zero_point(value: u8) -> int16x8_t {
    vdupq_n_s16(i16::from(value) - 128)
}

/// Rounds to even and clamps: to 16 bits, then with the zero point to 8.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn requantize(reals: [float32x4_t; 2], zero_point: int16x8_t) -> int8x8_t {
    let words = vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(reals[0])), vcvtnq_s32_f32(reals[1]));
    vqmovn_s16(vqaddq_s16(words, zero_point))
}
