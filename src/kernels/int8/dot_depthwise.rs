//! The depthwise convolution of [`super::dot`]: three `sdot` for a window of four channels.
//!
//! `sdot` wants the three rows of a column side by side, for each channel (top, middle, bottom, anything), the weight of the last being
//! 0. Transpositions bring them there: of bytes, which part even channels from odd ones, then of pairs of them with the bottom row, where
//! the neighbouring channel's byte is the fourth one.

use super::GROUP;
use super::Windows;
use super::pack::Depthwise;
use super::requantize::{Rounding, Scales};
use std::arch::aarch64::*;
use std::arch::asm;
use std::ops::Range;

/// Sixteen channels of one column of a window: number 0, 4, 8, 12 of them; 2, 6, …; 1, 5, …; 3, 7, ….
type Column = [int8x16_t; 4];

/// As [`super::Kernels::depthwise`].
///
/// # Safety
/// As there.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn bytes(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut i8,
    pixel: usize,
) {
    // SAFETY: the caller promises the pixels.
    unsafe {
        if layer.small() {
            all::<true, i8>(layer, groups, windows, target, pixel);
        } else {
            all::<false, i8>(layer, groups, windows, target, pixel);
        }
    }
}

/// As [`super::Kernels::depthwise_real`].
///
/// # Safety
/// As there.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn reals(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut f32,
    pixel: usize,
) {
    // SAFETY: the caller promises the pixels.
    unsafe { all::<false, f32>(layer, groups, windows, target, pixel) }
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn all<const SMALL: bool, Value: Store>(
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
            let rows = [top.add(at), middle.add(at), bottom.add(at)];
            let slice = Slice {
                layer,
                channel: group * GROUP,
                windows: Windows { rows, ..*windows },
                target: target.add(at),
                pixel,
            };
            if group + 2 > groups.end {
                slice.run::<SMALL, false>();
            } else if SMALL && Value::BYTES && layer.zero_point().is_multiple_of(2) {
                slice.run_fast();
            } else {
                slice.run::<SMALL, true>();
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

/// The sixteen results of a window, of whose columns each is in four registers; v28 is [`Rounding::magic`].
macro_rules! window {
    (($l0:literal, $l1:literal, $l2:literal, $l3:literal), ($m0:literal, $m1:literal, $m2:literal, $m3:literal),
     ($r0:literal, $r1:literal, $r2:literal, $r3:literal)) => {
        concat!(
            // Where the sums begin.
            "ldr q24, [{scales}]\n",
            "ldr q25, [{scales}, #16]\n",
            "ldr q26, [{scales}, #32]\n",
            "ldr q27, [{scales}, #48]\n",
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
            "ldr q29, [{scales}, #128]\n",
            "ldr q30, [{scales}, #64]\n",
            "fmla v29.4s, v24.4s, v30.4s\n",
            "ldr q24, [{scales}, #144]\n",
            "ldr q30, [{scales}, #80]\n",
            "fmla v24.4s, v25.4s, v30.4s\n",
            "ldr q25, [{scales}, #160]\n",
            "ldr q30, [{scales}, #96]\n",
            "fmla v25.4s, v26.4s, v30.4s\n",
            "ldr q26, [{scales}, #176]\n",
            "ldr q30, [{scales}, #112]\n",
            "fmla v26.4s, v27.4s, v30.4s\n",
            // As Rounding::sixteen.
            "fadd v29.4s, v29.4s, v28.4s\n",
            "fadd v24.4s, v24.4s, v28.4s\n",
            "fadd v25.4s, v25.4s, v28.4s\n",
            "fadd v26.4s, v26.4s, v28.4s\n",
            "trn1 v29.8h, v29.8h, v24.8h\n",
            "trn1 v25.8h, v25.8h, v26.8h\n",
            "sqshl v29.8h, v29.8h, #8\n",
            "sqshl v25.8h, v25.8h, #8\n",
            "trn2 v29.16b, v29.16b, v25.16b\n",
            "st1 {{v29.16b}}, [{target}], {next}\n",
        )
    };
}
/// Sixteen channels of a row of windows, or eight.
struct Slice<'a, Value> {
    layer: &'a Depthwise,
    channel: usize,
    windows: Windows,
    target: *mut Value,
    pixel: usize,
}

impl<Value: Store> Slice<'_, Value> {
    /// `WIDE`: sixteen channels.
    ///
    /// # Safety
    /// As for [`super::Kernels::depthwise`].
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run<const SMALL: bool, const WIDE: bool>(&self) {
        let Self { layer, channel, windows, .. } = self;
        // SAFETY: the caller promises the pixels; weights, biases and multipliers may be read beyond the last channel.
        unsafe {
            let taps = taps(layer, *channel);
            let scales = Scales::<4, SMALL>::sixteen(layer.bias(), layer.multiplier(), *channel);
            let rounding = Rounding::<SMALL, false>::new(layer.zero_point(), Scales::<4, SMALL>::UNIT);
            for x in 0..windows.columns {
                let mut sums = scales.start();
                for (column, taps) in taps.iter().enumerate() {
                    let inputs = column_at::<WIDE>(windows, x * windows.stride + column);
                    for part in 0..4 {
                        sums[part] = dot(sums[part], taps[part], inputs[part]);
                    }
                }
                let target = self.target.add(x * self.pixel);
                Value::store::<SMALL, WIDE>(target, scales.reals(sums, &scales.multiplier()), &rounding);
            }
        }
    }

    /// As [`Slice::run`] for sixteen channels with small sums and an even zero point, as all are that end with a ReLU.
    ///
    /// Written out, since compilers run out of registers here. v0 to v11 are the taps, v12 to v15, v16 to v19 and v20 to v23 columns that take
    /// turns as left, middle and right one of a window.
    ///
    /// # Safety
    /// As for [`super::Kernels::depthwise`]; values are bytes.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run_fast(&self) {
        let Self { layer, channel, windows, .. } = self;
        let scales = Scales::<4, true>::sixteen(layer.bias(), layer.multiplier(), *channel);
        // SAFETY: the CPU has the instructions, as the target feature says; the caller promises the pixels.
        unsafe {
            let [left, middle, right] = taps(layer, *channel);
            macro_rules! rows {
                ($($code:expr),+) => {
                    asm!(
                        "cbz {left}, 4f",
                        $($code,)+
                        "4:",
                        left = inout(reg) windows.columns => _,
                        top = inout(reg) windows.rows[0] => _,
                        middle = inout(reg) windows.rows[1] => _,
                        bottom = inout(reg) windows.rows[2] => _,
                        pixel = in(reg) windows.pixel,
                        target = inout(reg) self.target => _,
                        next = in(reg) self.pixel,
                        scales = in(reg) &scales,
                        in("v0") left[0], in("v1") left[1], in("v2") left[2], in("v3") left[3],
                        in("v4") middle[0], in("v5") middle[1], in("v6") middle[2], in("v7") middle[3],
                        in("v8") right[0], in("v9") right[1], in("v10") right[2], in("v11") right[3],
                        in("v28") Rounding::<true, true>::new(layer.zero_point(), Scales::<4, true>::UNIT).magic(),
                        out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _,
                        out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _,
                        out("v26") _, out("v27") _, out("v29") _, out("v30") _,
                        options(nostack),
                    )
                };
            }
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
#[target_feature(enable = "neon,dotprod")]
unsafe fn column_at<const WIDE: bool>(windows: &Windows, index: usize) -> Column {
    let mut bytes = [vdupq_n_s8(0); 3];
    for (bytes, row) in bytes.iter_mut().zip(windows.rows) {
        // SAFETY: as the caller promises.
        unsafe {
            let row = row.add(index * windows.pixel).cast::<i8>();
            *bytes = if WIDE { vld1q_s8(row) } else { vcombine_s8(vld1_s8(row), vdup_n_s8(0)) };
        }
    }
    let bottom = vreinterpretq_s16_s8(bytes[2]);
    transpose(bytes[0], bytes[1], bottom, bottom)
}

/// The weights of the filters' columns.
///
/// # Safety
/// As for [`super::Kernels::depthwise`].
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn taps(layer: &Depthwise, channel: usize) -> [Column; 3] {
    let mut taps = [[vdupq_n_s8(0); 4]; 3];
    for (column, taps) in taps.iter_mut().enumerate() {
        // SAFETY: weights may be read 64 bytes beyond the last.
        let [top, middle, bottom] = unsafe {
            [
                vld1q_s8(layer.weights(column, channel)),
                vld1q_s8(layer.weights(3 + column, channel)),
                vld1q_s8(layer.weights(6 + column, channel)),
            ]
        };
        let bottom = vreinterpretq_s16_s8(bottom);
        let (evens, odds) = (vandq_s16(bottom, vdupq_n_s16(0xff)), vandq_s16(bottom, vdupq_n_s16(!0xff)));
        *taps = transpose(top, middle, evens, odds);
    }
    taps
}

/// Puts the rows of a column side by side; of the bottom row, what the even channels get and what the odd ones.
#[inline]
#[target_feature(enable = "neon")]
fn transpose(top: int8x16_t, middle: int8x16_t, even_bottom: int16x8_t, odd_bottom: int16x8_t) -> Column {
    let evens = vreinterpretq_s16_s8(vtrn1q_s8(top, middle));
    let odds = vreinterpretq_s16_s8(vtrn2q_s8(top, middle));
    [
        vreinterpretq_s8_s16(vtrn1q_s16(evens, even_bottom)),
        vreinterpretq_s8_s16(vtrn2q_s16(evens, even_bottom)),
        vreinterpretq_s8_s16(vtrn1q_s16(odds, odd_bottom)),
        vreinterpretq_s8_s16(vtrn2q_s16(odds, odd_bottom)),
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
trait Store: Copy {
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
        [a, b, c, d]: [float32x4_t; 4],
        _: &Rounding<SMALL, false>,
    ) {
        // SAFETY: as above.
        unsafe {
            if WIDE {
                vst4q_f32(target, float32x4x4_t(a, c, b, d));
            } else {
                let [a, b, c, d] = [vget_low_f32(a), vget_low_f32(b), vget_low_f32(c), vget_low_f32(d)];
                vst4_f32(target, float32x2x4_t(a, c, b, d));
            }
        }
    }
}
