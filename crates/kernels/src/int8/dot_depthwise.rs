//! The depthwise convolution of [`super::dot`]: three `sdot` for a window of four channels.
//!
//! `sdot` wants the three rows of a column side by side, for each channel (top, middle, bottom, anything),
//! the weight of the last being 0. Transpositions bring them there: of bytes, which part even channels from
//! odd ones, then of pairs of them with the bottom row, where the neighbouring channel's byte is the fourth
//! one.

use super::dot_depthwise_row::row;
use super::pack::{Depthwise, Line};
use super::requantize::{Rounding, Scales};
use super::{GROUP, Windows};
use std::arch::aarch64::*;
use std::arch::asm;
use std::ops::Range;

/// Sixteen channels of one column of a window: number 0, 4, 8, 12 of them; 2, 6, …; 1, 5, …; 3, 7, ….
type Column = [int8x16_t; 4];

/// What sixteen channels need, or the last eight: the weights for each column of a window, and what turns
/// sums into values. [`row`] knows where they lie.
#[repr(C, align(64))]
pub(super) struct Block<const SMALL: bool> {
    taps: [[[i8; 16]; 4]; 3],
    scales: Scales<4, SMALL>,
}

/// See [`super::Kernels::prepare`]: a [`Block`] for each group and its neighbour.
pub(super) fn prepare(layer: &Depthwise) -> Vec<Line> {
    let blocks = (0..layer.channels() / GROUP).flat_map(|group| {
        if layer.small() {
            Block::<true>::new(layer, group).lines()
        } else {
            Block::<false>::new(layer, group).lines()
        }
    });
    blocks.collect()
}

impl<const SMALL: bool> Block<SMALL> {
    fn new(layer: &Depthwise, group: usize) -> Self {
        let first = group * GROUP;
        let mut taps = [[[0; 16]; 4]; 3];
        let (mut bias, mut multiplier) = ([[0; 4]; 4], [[0.0; 4]; 4]);
        for channel in first..layer.channels().min(first + 2 * GROUP) {
            // Its register, as of Column, and its place there; the weight of the bottom row is where
            // transpose() puts that row's byte.
            let index = channel - first;
            let (part, lane) = ([0, 2, 1, 3][index % 4], index / 4);
            for (column, taps) in taps.iter_mut().enumerate() {
                for row in 0..3 {
                    let byte = if row == 2 { 2 + index % 2 } else { row };
                    // SAFETY: the layer has nine weights for each channel.
                    taps[part][4 * lane + byte] = unsafe { *layer.weights(3 * row + column, channel) };
                }
            }
            bias[part][lane] = layer.bias()[channel];
            multiplier[part][lane] = layer.multiplier()[channel];
        }
        Self { taps, scales: Scales::from_lanes(&bias, &multiplier) }
    }

    fn lines(self) -> [Line; 6] {
        const { assert!(size_of::<Self>() == size_of::<[Line; 6]>()) };
        // SAFETY: of the same size, without padding, and every bit pattern is good.
        unsafe { std::mem::transmute_copy(&self) }
    }

    /// That of `group`.
    fn of(layer: &Depthwise, group: usize) -> &Self {
        let lines = &layer.prepared()[6 * group..6 * (group + 1)];
        assert!(layer.small() == SMALL, "prepared otherwise");
        // SAFETY: `prepare` has made these lines of such a block.
        unsafe { &*lines.as_ptr().cast() }
    }
}

/// All channels: the results of [`super::Kernels::depthwise`], or of [`super::Kernels::depthwise_real`].
///
/// # Safety
/// As there.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn all<Value: Store>(
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
            let slice = Slice { layer, group, windows, target: target.add(at), pixel };
            match (layer.small(), group + 2 <= groups.end) {
                (true, true) if Value::BYTES && layer.zero_point().is_multiple_of(2) => {
                    let block = Block::of(layer, group);
                    row(block, layer.zero_point(), &slice.windows, slice.target.cast(), pixel);
                }
                (true, true) => slice.run::<true, true>(),
                (true, false) => slice.run::<true, false>(),
                (false, true) => slice.run::<false, true>(),
                (false, false) => slice.run::<false, false>(),
            }
        }
        group += 2;
    }
}

/// A row of windows of two groups, or one.
struct Slice<'a, Value> {
    layer: &'a Depthwise,
    group: usize,
    windows: Windows,
    target: *mut Value,
    pixel: usize,
}

impl<Value: Store> Slice<'_, Value> {
    /// `WIDE`: two groups.
    ///
    /// # Safety
    /// As for [`super::Kernels::depthwise`].
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run<const SMALL: bool, const WIDE: bool>(&self) {
        let (windows, block) = (&self.windows, Block::<SMALL>::of(self.layer, self.group));
        let rounding = Rounding::<SMALL, false>::new(self.layer.zero_point(), Scales::<4, SMALL>::UNIT);
        for x in 0..windows.columns {
            let mut sums = block.scales.start();
            for (column, taps) in block.taps.iter().enumerate() {
                // SAFETY: the caller promises the pixels.
                let inputs = unsafe { column_at::<WIDE>(windows, x * windows.stride + column) };
                for part in 0..4 {
                    // SAFETY: there are sixteen of each.
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

/// Column `index` below a row of windows: sixteen channels, or without `WIDE` eight.
///
/// # Safety
/// It is there.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn column_at<const WIDE: bool>(windows: &Windows, index: usize) -> Column {
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

/// Puts the rows of a column side by side: top, middle, and two channels of the bottom row.
#[inline]
#[target_feature(enable = "neon")]
fn transpose([top, middle, bottom]: [int8x16_t; 3]) -> Column {
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

/// What a depthwise convolution results in.
pub(super) trait Store: Copy {
    /// Whether values are bytes.
    const BYTES: bool;

    /// Writes sixteen channels, or without `WIDE` the first eight.
    ///
    /// # Safety
    /// There is room for them.
    unsafe fn store<const SMALL: bool, const WIDE: bool>(
        target: *mut Self,
        reals: [float32x4_t; 4],
        rounding: &Rounding<SMALL, false>,
    );
}

impl Store for i8 {
    const BYTES: bool = true;

    #[inline]
    unsafe fn store<const SMALL: bool, const WIDE: bool>(
        target: *mut Self,
        reals: [float32x4_t; 4],
        rounding: &Rounding<SMALL, false>,
    ) {
        // SAFETY: NEON is part of every 64-bit Arm CPU; the caller promises the room.
        unsafe {
            let values = rounding.sixteen(reals);
            if WIDE { vst1q_s8(target, values) } else { vst1_s8(target, vget_low_s8(values)) }
        }
    }
}

impl Store for f32 {
    const BYTES: bool = false;

    #[inline]
    unsafe fn store<const SMALL: bool, const WIDE: bool>(
        target: *mut Self,
        reals: [float32x4_t; 4],
        _: &Rounding<SMALL, false>,
    ) {
        // SAFETY: as above.
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
