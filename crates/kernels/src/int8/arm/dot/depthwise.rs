//! The depthwise convolution: three `sdot` for a window of four channels.

use super::block::PreparedBlock;
use super::row::row;
use crate::int8::arm::requantize::{Rounding, Scales};
use crate::int8::layers::Depthwise;
use crate::int8::layout::{GROUP, Windows};
use std::arch::aarch64::*;
use std::arch::asm;
use std::ops::Range;

/// Sixteen channels of a column of a window, in the order of [`PreparedBlock`].
type TransposedColumn = [int8x16_t; 4];

/// Computes all channels of `groups`: values, as [`Kernels::depthwise`](crate::int8::Kernels::depthwise)
/// does, or real numbers, as [`Kernels::depthwise_real`](crate::int8::Kernels::depthwise_real) does.
///
/// # Safety
/// As there.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn depthwise<Value: StoreSixteen>(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut Value,
    pixel: usize,
) {
    let mut group = groups.start;
    while group < groups.end {
        let at = (group - groups.start) * GROUP;
        // SAFETY: the caller promises the pixels, also of this group of their channels.
        unsafe {
            let [top, middle, bottom] = windows.rows;
            let windows = Windows { rows: [top.add(at), middle.add(at), bottom.add(at)], ..*windows };
            let groups_row = GroupRow { layer, group, windows, target: target.add(at), pixel };
            match (layer.small(), group + 2 <= groups.end) {
                (true, true) if Value::BYTES && layer.zero_point().is_multiple_of(2) => {
                    let block = PreparedBlock::of(layer, group);
                    row(block, layer.zero_point(), &groups_row.windows, groups_row.target.cast(), pixel);
                }
                (true, true) => groups_row.run::<true, true>(),
                (true, false) => groups_row.run::<true, false>(),
                (false, true) => groups_row.run::<false, true>(),
                (false, false) => groups_row.run::<false, false>(),
            }
        }
        group += 2;
    }
}

/// One or two groups of a row of windows.
struct GroupRow<'a, Value> {
    layer: &'a Depthwise,
    group: usize,
    windows: Windows,
    target: *mut Value,
    pixel: usize,
}

impl<Value: StoreSixteen> GroupRow<'_, Value> {
    /// Computes two groups, or without `WIDE` one.
    ///
    /// # Safety
    /// As for [`depthwise`], for these groups.
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run<const SMALL: bool, const WIDE: bool>(&self) {
        let (windows, block) = (&self.windows, PreparedBlock::<SMALL>::of(self.layer, self.group));
        let rounding = Rounding::<SMALL, false>::new(self.layer.zero_point(), Scales::<4, SMALL>::UNIT);
        for x in 0..windows.columns {
            let mut sums = block.scales.start();
            for (column, taps) in block.taps.iter().enumerate() {
                // SAFETY: the caller promises the pixels.
                let inputs = unsafe { column_at::<WIDE>(windows, x * windows.stride + column) };
                for part in 0..4 {
                    // SAFETY: the array has sixteen bytes.
                    let taps = unsafe { vld1q_s8(taps[part].as_ptr()) };
                    sums[part] = dot(sums[part], taps, inputs[part]);
                }
            }
            let reals = block.scales.reals(sums, &block.scales.multiplier());
            // SAFETY: the caller promises the pixels.
            unsafe { Value::store::<SMALL, WIDE>(self.target.add(x * self.pixel), reals, &rounding) };
        }
    }
}

/// Column `index` of the rows: sixteen channels, or without `WIDE` eight.
///
/// # Safety
/// Each row has that pixel, with these channels.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn column_at<const WIDE: bool>(windows: &Windows, index: usize) -> TransposedColumn {
    let mut bytes = [vdupq_n_s8(0); 3];
    for (bytes, row) in bytes.iter_mut().zip(windows.rows) {
        // SAFETY: as the caller promises.
        unsafe {
            let row = row.add(index * windows.pixel).cast::<i8>();
            *bytes = if WIDE { vld1q_s8(row) } else { vcombine_s8(vld1_s8(row), vdup_n_s8(0)) };
        }
    }
    transpose(bytes)
}

/// Puts the rows of a column side by side, as [`super::block`] describes: for each channel top, middle, and
/// two bytes of the bottom row.
#[inline]
#[target_feature(enable = "neon")]
fn transpose([top, middle, bottom]: [int8x16_t; 3]) -> TransposedColumn {
    let evens = vreinterpretq_s16_s8(vtrn1q_s8(top, middle));
    let odds = vreinterpretq_s16_s8(vtrn2q_s8(top, middle));
    let bottom = vreinterpretq_s16_s8(bottom);
    [
        vreinterpretq_s8_s16(vtrn1q_s16(evens, bottom)),
        vreinterpretq_s8_s16(vtrn2q_s16(evens, bottom)),
        vreinterpretq_s8_s16(vtrn1q_s16(odds, bottom)),
        vreinterpretq_s8_s16(vtrn2q_s16(odds, bottom)),
    ]
}

/// Adds to each of four sums the products of its four weights and its four inputs.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(sums: int32x4_t, weights: int8x16_t, inputs: int8x16_t) -> int32x4_t {
    let mut result = sums;
    // SAFETY: the CPU has the instruction, as the target feature says; it touches registers only.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {weights:v}.16b, {inputs:v}.16b",
            sums = inlateout(vreg) result, weights = in(vreg) weights, inputs = in(vreg) inputs,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    result
}

/// A type of results: i8 for values, f32 for real numbers.
pub(super) trait StoreSixteen: Copy {
    /// Whether results are values.
    const BYTES: bool;

    /// Writes sixteen channels, or without `WIDE` the first eight.
    ///
    /// # Safety
    /// `target` has room for them; the CPU has NEON.
    unsafe fn store<const SMALL: bool, const WIDE: bool>(
        target: *mut Self,
        reals: [float32x4_t; 4],
        rounding: &Rounding<SMALL, false>,
    );
}

impl StoreSixteen for i8 {
    const BYTES: bool = true;

    #[inline]
    unsafe fn store<const SMALL: bool, const WIDE: bool>(
        target: *mut Self,
        reals: [float32x4_t; 4],
        rounding: &Rounding<SMALL, false>,
    ) {
        // SAFETY: the caller promises NEON and the room.
        unsafe {
            let values = rounding.sixteen(reals);
            if WIDE { vst1q_s8(target, values) } else { vst1_s8(target, vget_low_s8(values)) }
        }
    }
}

impl StoreSixteen for f32 {
    const BYTES: bool = false;

    #[inline]
    unsafe fn store<const SMALL: bool, const WIDE: bool>(
        target: *mut Self,
        reals: [float32x4_t; 4],
        _: &Rounding<SMALL, false>,
    ) {
        // SAFETY: the caller promises NEON and the room.
        unsafe {
            let unit = 1.0 / Scales::<4, SMALL>::UNIT;
            let [a, b, c, d] = reals.map(|reals| vmulq_n_f32(reals, unit));
            if WIDE {
                vst4q_f32(target, float32x4x4_t(a, c, b, d));
            } else {
                let [a, b, c, d] = [vget_low_f32(a), vget_low_f32(b), vget_low_f32(c), vget_low_f32(d)];
                vst4_f32(target, float32x2x4_t(a, c, b, d));
            }
        }
    }
}
