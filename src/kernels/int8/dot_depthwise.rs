//! The depthwise convolution of [`super::dot`]: three `sdot` for a window of four channels.
//!
//! `sdot` wants the three rows of a column side by side, for each channel (top, middle, bottom, anything), the weight of the last being
//! 0. Transpositions bring them there: of bytes, which part even channels from odd ones, then of pairs of them with the bottom row, where
//! the neighbouring channel's byte is the fourth one.

use super::GROUP;
use super::Windows;
use super::pack::{Depthwise, Line};
use super::requantize::{Rounding, Scales};
use std::arch::aarch64::*;
use std::arch::asm;
use std::ops::Range;

/// Sixteen channels of one column of a window: number 0, 4, 8, 12 of them; 2, 6, …; 1, 5, …; 3, 7, ….
type Column = [int8x16_t; 4];

/// What sixteen channels need, or the last eight: the weights for each column of a window, and what turns sums into values.
#[repr(C, align(64))]
struct Block<const SMALL: bool> {
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
            // Its register, as of Column, and its place there; the weight of the bottom row is where transpose() puts that row's byte.
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
                (true, true) if Value::BYTES && layer.zero_point().is_multiple_of(2) => slice.run_fast(),
                (true, true) => slice.run::<true, true>(),
                (true, false) => slice.run::<true, false>(),
                (false, true) => slice.run::<false, true>(),
                (false, false) => slice.run::<false, false>(),
            }
        }
        group += 2;
    }
}

/// Loads a column, as [`column_at`], into four registers.
macro_rules! column {
    ($a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "ld1 {{v24.16b}}, [{top}], {pixel}\n",
            "ld1 {{v25.16b}}, [{middle}], {pixel}\n",
            "ld1 {{v26.16b}}, [{bottom}], {pixel}\n",
            "trn1 v27.16b, v24.16b, v25.16b\n",
            "trn2 v29.16b, v24.16b, v25.16b\n",
            "trn1 v",
            $a,
            ".8h, v27.8h, v26.8h\n",
            "trn2 v",
            $b,
            ".8h, v27.8h, v26.8h\n",
            "trn1 v",
            $c,
            ".8h, v29.8h, v26.8h\n",
            "trn2 v",
            $d,
            ".8h, v29.8h, v26.8h\n",
        )
    };
}

/// The sixteen results of a window, of whose columns each is in four registers; v28 is [`Rounding::magic`], v31 the first multipliers.
macro_rules! window {
    (($l0:literal, $l1:literal, $l2:literal, $l3:literal), ($m0:literal, $m1:literal, $m2:literal, $m3:literal),
     ($r0:literal, $r1:literal, $r2:literal, $r3:literal)) => {
        concat!(
            // Where the sums begin.
            "ldr q24, [{block}, #192]\n",
            "ldr q25, [{block}, #208]\n",
            "ldr q26, [{block}, #224]\n",
            "ldr q27, [{block}, #240]\n",
            "sdot v24.4s, v0.16b, v",
            $l0,
            ".16b\n",
            "sdot v25.4s, v1.16b, v",
            $l1,
            ".16b\n",
            "sdot v26.4s, v2.16b, v",
            $l2,
            ".16b\n",
            "sdot v27.4s, v3.16b, v",
            $l3,
            ".16b\n",
            "sdot v24.4s, v4.16b, v",
            $m0,
            ".16b\n",
            "sdot v25.4s, v5.16b, v",
            $m1,
            ".16b\n",
            "sdot v26.4s, v6.16b, v",
            $m2,
            ".16b\n",
            "sdot v27.4s, v7.16b, v",
            $m3,
            ".16b\n",
            "sdot v24.4s, v8.16b, v",
            $r0,
            ".16b\n",
            "sdot v25.4s, v9.16b, v",
            $r1,
            ".16b\n",
            "sdot v26.4s, v10.16b, v",
            $r2,
            ".16b\n",
            "sdot v27.4s, v11.16b, v",
            $r3,
            ".16b\n",
            // As Scales::reals.
            "ldr q29, [{block}, #320]\n",
            "fmla v29.4s, v24.4s, v31.4s\n",
            "ldr q24, [{block}, #336]\n",
            "ldr q30, [{block}, #272]\n",
            "fmla v24.4s, v25.4s, v30.4s\n",
            "ldr q25, [{block}, #352]\n",
            "ldr q30, [{block}, #288]\n",
            "fmla v25.4s, v26.4s, v30.4s\n",
            "ldr q26, [{block}, #368]\n",
            "ldr q30, [{block}, #304]\n",
            "fmla v26.4s, v27.4s, v30.4s\n",
            // As Rounding::sixteen, the even channels and the odd ones brought together when they are stored.
            "fadd v29.4s, v29.4s, v28.4s\n",
            "fadd v24.4s, v24.4s, v28.4s\n",
            "fadd v25.4s, v25.4s, v28.4s\n",
            "fadd v26.4s, v26.4s, v28.4s\n",
            "trn1 v29.8h, v29.8h, v24.8h\n",
            "trn1 v25.8h, v25.8h, v26.8h\n",
            "sqxtn v24.8b, v29.8h\n",
            "sqxtn v25.8b, v25.8h\n",
            "st2 {{v24.8b, v25.8b}}, [{target}], {next}\n",
        )
    };
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

    /// As [`Slice::run`] for two groups with small sums and an even zero point, as all are that end with a ReLU.
    ///
    /// Written out, since compilers run out of registers here. v0 to v11 are the taps, v12 to v15, v16 to v19 and v20 to v23 columns that take
    /// turns as left, middle and right one of a window.
    ///
    /// # Safety
    /// As for [`super::Kernels::depthwise`]; values are bytes.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run_fast(&self) {
        let windows = &self.windows;
        macro_rules! rows {
            ($($code:expr),+) => {
                asm!(
                    "cbz {left}, 4f",
                    "ldp q0, q1, [{block}]",
                    "ldp q2, q3, [{block}, #32]",
                    "ldp q4, q5, [{block}, #64]",
                    "ldp q6, q7, [{block}, #96]",
                    "ldp q8, q9, [{block}, #128]",
                    "ldp q10, q11, [{block}, #160]",
                    "ldr q31, [{block}, #256]",
                    $($code,)+
                    "4:",
                    left = inout(reg) windows.columns => _,
                    top = inout(reg) windows.rows[0] => _,
                    middle = inout(reg) windows.rows[1] => _,
                    bottom = inout(reg) windows.rows[2] => _,
                    pixel = in(reg) windows.pixel,
                    target = inout(reg) self.target => _,
                    next = in(reg) self.pixel,
                    block = in(reg) Block::<true>::of(self.layer, self.group),
                    in("v28") Rounding::<true, true>::new(self.layer.zero_point(), Scales::<4, true>::UNIT).magic(),
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _,
                    out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _,
                    out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v29") _,
                    out("v30") _, out("v31") _,
                    options(nostack),
                )
            };
        }
        // SAFETY: the CPU has the instructions, as the target feature says; the caller promises the pixels.
        unsafe {
            if windows.stride == 1 {
                rows!(
                    column!(12, 13, 14, 15),
                    column!(16, 17, 18, 19),
                    "2:",
                    column!(20, 21, 22, 23),
                    window!((12, 13, 14, 15), (16, 17, 18, 19), (20, 21, 22, 23)),
                    "subs {left}, {left}, #1",
                    "b.eq 4f",
                    column!(12, 13, 14, 15),
                    window!((16, 17, 18, 19), (20, 21, 22, 23), (12, 13, 14, 15)),
                    "subs {left}, {left}, #1",
                    "b.eq 4f",
                    column!(16, 17, 18, 19),
                    window!((20, 21, 22, 23), (12, 13, 14, 15), (16, 17, 18, 19)),
                    "subs {left}, {left}, #1",
                    "b.ne 2b"
                );
            } else {
                rows!(
                    column!(12, 13, 14, 15),
                    "2:",
                    column!(16, 17, 18, 19),
                    column!(20, 21, 22, 23),
                    window!((12, 13, 14, 15), (16, 17, 18, 19), (20, 21, 22, 23)),
                    "subs {left}, {left}, #1",
                    "b.eq 4f",
                    column!(16, 17, 18, 19),
                    column!(12, 13, 14, 15),
                    window!((20, 21, 22, 23), (16, 17, 18, 19), (12, 13, 14, 15)),
                    "subs {left}, {left}, #1",
                    "b.ne 2b"
                );
            }
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
