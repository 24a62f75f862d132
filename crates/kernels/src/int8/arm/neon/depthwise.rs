//! The depthwise convolution: eight channels of two to four neighbouring windows at a time, so that the
//! instructions of one fill the gaps of another on CPUs that execute in order.

use crate::int8::arm::requantize::Rounding;
use crate::int8::layers::Depthwise;
use crate::int8::layout::{GROUP, Windows};
use std::arch::aarch64::*;
use std::arch::asm;
use std::ops::Range;

/// Eight channels of a column of a window: top, middle, bottom.
type ColumnRows = [int8x8_t; 3];

/// Computes values, as [`Kernels::depthwise`](crate::int8::Kernels::depthwise) does.
///
/// # Safety
/// As there.
#[target_feature(enable = "neon")]
pub(super) unsafe fn bytes(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut i8,
    pixel: usize,
) {
    // SAFETY: the caller promises the pixels.
    unsafe {
        match (layer.small(), layer.zero_point().is_multiple_of(2)) {
            (true, true) => all::<true, true, i8>(layer, groups, windows, target, pixel),
            (true, false) => all::<true, false, i8>(layer, groups, windows, target, pixel),
            (false, _) => all::<false, false, i8>(layer, groups, windows, target, pixel),
        }
    }
}

/// Computes real numbers, as [`Kernels::depthwise_real`](crate::int8::Kernels::depthwise_real) does.
///
/// # Safety
/// As there.
#[target_feature(enable = "neon")]
pub(super) unsafe fn reals(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut f32,
    pixel: usize,
) {
    // SAFETY: the caller promises the pixels.
    unsafe { all::<false, false, f32>(layer, groups, windows, target, pixel) }
}

/// Computes all channels of `groups`. For `SMALL` and `EVEN` see [`Rounding`].
///
/// # Safety
/// As for [`bytes`] or [`reals`].
#[inline]
#[target_feature(enable = "neon")]
unsafe fn all<const SMALL: bool, const EVEN: bool, Value: StoreWindows>(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut Value,
    pixel: usize,
) {
    let rounding = Rounding::<SMALL, EVEN>::new(layer.zero_point(), 1.0);
    for (index, group) in groups.enumerate() {
        let at = index * GROUP;
        // SAFETY: the caller promises the pixels, also of this group of their channels.
        unsafe {
            let [top, middle, bottom] = windows.rows;
            let rows = [top.add(at).cast(), middle.add(at).cast(), bottom.add(at).cast()];
            let target = target.add(at);
            let filter = Filter::new(layer, group);
            if windows.stride == 1 {
                row::<1, SMALL, EVEN, Value>(&filter, rows, windows, target, pixel, &rounding);
            } else {
                row::<2, SMALL, EVEN, Value>(&filter, rows, windows, target, pixel, &rounding);
            }
        }
    }
}

/// Eight channels of a layer: weights by columns, and what turns sums into values.
struct Filter {
    taps: [ColumnRows; 3],
    bias: [int32x4_t; 2],
    multiplier: [float32x4_t; 2],
}

impl Filter {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(layer: &Depthwise, group: usize) -> Self {
        let channel = group * GROUP;
        let (bias, multiplier) =
            (&layer.bias()[channel..channel + 8], &layer.multiplier()[channel..channel + 8]);
        let mut taps = [[vdup_n_s8(0); 3]; 3];
        // SAFETY: the slices have eight numbers, and the layer eight weights of each tap from `channel` on.
        unsafe {
            for (column, taps) in taps.iter_mut().enumerate() {
                for (row, tap) in taps.iter_mut().enumerate() {
                    *tap = vld1_s8(layer.weights(3 * row + column, channel));
                }
            }
            Self {
                taps,
                bias: [vld1q_s32(bias.as_ptr()), vld1q_s32(bias.as_ptr().add(4))],
                multiplier: [vld1q_f32(multiplier.as_ptr()), vld1q_f32(multiplier.as_ptr().add(4))],
            }
        }
    }

    /// The sums of `W` windows. The three products of a column are added up in 16 bits.
    #[inline]
    #[target_feature(enable = "neon")]
    fn sums<const W: usize>(&self, windows: [[ColumnRows; 3]; W]) -> [[int32x4_t; 2]; W] {
        let mut products = [[vdupq_n_s16(0); 3]; W];
        for row in 0..3 {
            for (products, window) in products.iter_mut().zip(&windows) {
                for (product, (inputs, taps)) in products.iter_mut().zip(window.iter().zip(&self.taps)) {
                    *product = match row {
                        0 => vmull_s8(inputs[0], taps[0]),
                        _ => vmlal_s8(*product, inputs[row], taps[row]),
                    };
                }
            }
        }
        let mut sums = [self.bias; W];
        for column in 0..3 {
            for (sums, products) in sums.iter_mut().zip(&products) {
                let product = products[column];
                *sums = [vaddw_s16(sums[0], vget_low_s16(product)), vaddw_high_s16(sums[1], product)];
            }
        }
        sums
    }

    /// Sums in units of the output's scale. Each step is done for all windows before the next.
    #[inline]
    #[target_feature(enable = "neon")]
    fn reals<const W: usize>(&self, sums: [[int32x4_t; 2]; W]) -> [[float32x4_t; 2]; W] {
        let mut reals = [self.multiplier; W];
        for (reals, sums) in reals.iter_mut().zip(sums) {
            *reals = [vcvtq_f32_s32(sums[0]), vcvtq_f32_s32(sums[1])];
        }
        for reals in &mut reals {
            *reals = [vmulq_f32(reals[0], self.multiplier[0]), vmulq_f32(reals[1], self.multiplier[1])];
        }
        reals
    }
}

/// Computes eight channels of a row of windows.
///
/// # Safety
/// As for [`bytes`] or [`reals`], for these channels.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn row<const STRIDE: usize, const SMALL: bool, const EVEN: bool, Value: StoreWindows>(
    filter: &Filter,
    rows: [*const i8; 3],
    windows: &Windows,
    mut target: *mut Value,
    pixel: usize,
    rounding: &Rounding<SMALL, EVEN>,
) {
    // SAFETY: the caller promises the pixels.
    unsafe {
        let mut left = windows.columns;
        let mut first = load(rows, 0);
        let mut second = if STRIDE == 1 { load(rows, windows.pixel) } else { first };
        let mut offset = if STRIDE == 1 { 2 } else { 1 } * windows.pixel;
        macro_rules! pair {
            () => {
                if STRIDE == 1 {
                    let (third, fourth) = (load(rows, offset), load(rows, offset + windows.pixel));
                    offset += 2 * windows.pixel;
                    let sums = filter.sums([[first, second, third], [second, third, fourth]]);
                    (first, second) = (third, fourth);
                    sums
                } else {
                    let (second, third) = (load(rows, offset), load(rows, offset + windows.pixel));
                    offset += 2 * windows.pixel;
                    let (fourth, fifth) = (load(rows, offset), load(rows, offset + windows.pixel));
                    offset += 2 * windows.pixel;
                    let sums = filter.sums([[first, second, third], [third, fourth, fifth]]);
                    first = fifth;
                    sums
                }
            };
        }
        while left >= 4 {
            let [a, b] = pair!();
            let [c, d] = pair!();
            Value::store(target, pixel, filter.reals([a, b, c, d]), rounding);
            target = target.wrapping_add(4 * pixel);
            left -= 4;
        }
        if left >= 2 {
            let sums = pair!();
            Value::store(target, pixel, filter.reals(sums), rounding);
            target = target.wrapping_add(2 * pixel);
            left -= 2;
        }
        if left == 1 {
            let window = if STRIDE == 1 {
                [first, second, load(rows, offset)]
            } else {
                [first, load(rows, offset), load(rows, offset + windows.pixel)]
            };
            Value::store(target, pixel, filter.reals(filter.sums([window])), rounding);
        }
    }
}

/// Eight channels of the column `offset` bytes behind the starts of the rows.
///
/// In assembly, since compilers turn the sums of these numbers into more pointers than a CPU that executes in
/// order can update in time.
///
/// # Safety
/// Eight bytes are readable there, in each row.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load(rows: [*const i8; 3], offset: usize) -> ColumnRows {
    let mut column = [vdup_n_s8(0); 3];
    for (bytes, row) in column.iter_mut().zip(rows) {
        // SAFETY: as the caller promises.
        unsafe {
            asm!("ldr {bytes:d}, [{row}, {offset}]",
                bytes = lateout(vreg) *bytes, row = in(reg) row, offset = in(reg) offset,
                options(readonly, nostack, preserves_flags));
        }
    }
    column
}

/// A type of results: i8 for values, f32 for real numbers.
trait StoreWindows: Copy {
    /// Writes the results of `W` windows, `pixel` elements apart.
    ///
    /// # Safety
    /// `target` has room for them; the CPU has NEON.
    unsafe fn store<const W: usize, const SMALL: bool, const EVEN: bool>(
        target: *mut Self,
        pixel: usize,
        reals: [[float32x4_t; 2]; W],
        rounding: &Rounding<SMALL, EVEN>,
    );
}

impl StoreWindows for i8 {
    #[inline]
    unsafe fn store<const W: usize, const SMALL: bool, const EVEN: bool>(
        target: *mut Self,
        pixel: usize,
        reals: [[float32x4_t; 2]; W],
        rounding: &Rounding<SMALL, EVEN>,
    ) {
        // SAFETY: the caller promises NEON and the room.
        unsafe {
            for (index, values) in rounding.in_order(reals).into_iter().enumerate() {
                vst1_s8(target.wrapping_add(index * pixel), values);
            }
        }
    }
}

impl StoreWindows for f32 {
    #[inline]
    unsafe fn store<const W: usize, const SMALL: bool, const EVEN: bool>(
        target: *mut Self,
        pixel: usize,
        reals: [[float32x4_t; 2]; W],
        _: &Rounding<SMALL, EVEN>,
    ) {
        // SAFETY: the caller promises NEON and the room.
        unsafe {
            for (index, reals) in reals.into_iter().enumerate() {
                let target = target.wrapping_add(index * pixel);
                vst1q_f32(target, reals[0]);
                vst1q_f32(target.add(4), reals[1]);
            }
        }
    }
}
