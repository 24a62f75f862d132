//! The depthwise convolution: eight channels of one window at a time.
//!
//! The products of a column are added up in 16 bits. While those of one window are computed, the sums of the
//! window before become values, so that the instructions of one fill the gaps of the other on CPUs that
//! execute in order. Two columns of pixels stay in registers; a third replaces the left one.

use crate::assembly::{enter, leave};
use crate::int8::layers::Depthwise;
use crate::int8::layout::{GROUP, Windows};
use std::arch::naked_asm;
use std::mem::offset_of;
use std::ops::Range;

/// Computes values, as [`Kernels::depthwise`](crate::int8::Kernels::depthwise) does.
///
/// # Safety
/// As there. The CPU has NEON.
pub(super) unsafe fn bytes(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut u8,
    pixel: usize,
) {
    let run = match (layer.small(), windows.stride) {
        (true, 1) => small_at_1,
        (true, _) => small_at_2,
        (false, 1) => large_at_1,
        (false, _) => large_at_2,
    };
    // SAFETY: the caller promises the pixels and NEON; values are bytes.
    unsafe { all(run, layer, groups, windows, target, [GROUP, pixel]) };
}

/// Computes real numbers, as [`Kernels::depthwise_real`](crate::int8::Kernels::depthwise_real) does.
///
/// # Safety
/// As there. The CPU has NEON.
pub(super) unsafe fn reals(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut f32,
    pixel: usize,
) {
    let run = if windows.stride == 1 { real_at_1 } else { real_at_2 };
    // SAFETY: the caller promises the pixels and NEON; real numbers have four bytes.
    unsafe { all(run, layer, groups, windows, target.cast(), [GROUP * 4, pixel * 4]) };
}

/// Computes all channels of `groups`; results of a group and of a window lie `steps` bytes apart.
///
/// # Safety
/// As for [`bytes`] or [`reals`].
unsafe fn all(
    run: unsafe extern "C" fn(&mut WindowRow),
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut u8,
    [group, pixel]: [usize; 2],
) {
    if groups.is_empty() || windows.columns == 0 {
        return;
    }
    let channel = groups.start * GROUP;
    let mut row = WindowRow {
        rows: windows.rows,
        pixel: windows.pixel,
        columns: windows.columns,
        target,
        target_pixel: pixel,
        target_group: group,
        groups: groups.len(),
        channels: layer.channels(),
        weights: layer.weights(0, channel),
        bias: layer.bias()[channel..].as_ptr(),
        multiplier: layer.multiplier()[channel..].as_ptr(),
        zero_point: i32::from(layer.zero_point()) - 128,
    };
    // SAFETY: the caller promises the pixels and NEON; the layer has weights, biases and multipliers of all
    // channels.
    unsafe { run(&mut row) };
}

/// What the assembly computes: a row of windows, at least one, of at least one group of channels. It moves
/// the pointers on.
#[repr(C)]
struct WindowRow {
    rows: [*const u8; 3],
    pixel: usize,
    columns: usize,
    target: *mut u8,
    target_pixel: usize,
    target_group: usize,
    groups: usize,
    channels: usize,
    weights: *const i8,
    bias: *const i32,
    multiplier: *const f32,
    zero_point: i32,
}

const _: () = assert!(offset_of!(WindowRow, rows) == 0);

/// A step from the sums of the window before, in q10 and q11, to its values. Multipliers are in q12 and q13,
/// 1.5 · 2²³ is in q14, the zero point in q15. The step in front of the products may use q8 and q9.
macro_rules! step {
    (none, $number:tt) => {
        ""
    };
    // Results are bounded to ±512, since only small ones are rounded; larger ones saturate anyway.
    (large, front) => {
        "vcvt.f32.s32 q10, q10
         vcvt.f32.s32 q11, q11
         vmov.i32 q8, #0x44000000
         vmul.f32 q10, q10, q12
         vmul.f32 q11, q11, q13
         vmov.i32 q9, #0xC4000000
         vmin.f32 q10, q10, q8
         vmin.f32 q11, q11, q8
         vmax.f32 q10, q10, q9
         vmax.f32 q11, q11, q9\n"
    };
    (large, 0) => {
        ""
    };
    (large, 1) => {
        ""
    };
    (large, 2) => {
        ""
    };
    (large, 3) => {
        ""
    };
    (large, $number:tt) => {
        step!(small, $number)
    };
    ($kind:ident, front) => {
        ""
    };
    ($kind:ident, 0) => {
        "vcvt.f32.s32 q10, q10\n"
    };
    ($kind:ident, 1) => {
        "vcvt.f32.s32 q11, q11\n"
    };
    ($kind:ident, 2) => {
        "vmul.f32 q10, q10, q12\n"
    };
    ($kind:ident, 3) => {
        "vmul.f32 q11, q11, q13\n"
    };
    (real, 6) => {
        "vst1.32 {{d20-d23}}, [r5], r6\n"
    };
    (real, $number:tt) => {
        ""
    };
    // An addition of 1.5 · 2²³ rounds, ties to even; the lower halves of the bits are the results then.
    (small, 4) => {
        "vadd.f32 q10, q10, q14\n"
    };
    (small, 5) => {
        "vadd.f32 q11, q11, q14\n"
    };
    (small, 6) => {
        "vmovn.i32 d20, q10\n vmovn.i32 d21, q11\n"
    };
    (small, 7) => {
        "vqadd.s16 q10, q10, q15\n"
    };
    (small, 8) => {
        "vqmovn.s16 d20, q10\n"
    };
    (small, 9) => {
        "vst1.8 {{d20}}, [r5], r6\n"
    };
}

/// Loads the next pixel of a row.
macro_rules! load_pixel {
    (2, $register:tt, $pointer:literal) => {
        concat!("vld1.8 {{", $register, "}}, [", $pointer, "], r4\n")
    };
    (1, $register:tt, $pointer:literal) => {
        ""
    };
}

/// Computes the sums of a window into q10 and q11, from its left column and, at stride 1, its middle one,
/// whose registers are given. The right column takes the place of the left one.
macro_rules! window {
    ($stride:tt, $kind:ident, [$l0:literal, $l1:literal, $l2:literal], [$m0:literal, $m1:literal, $m2:literal]) => {
        concat!(
            step!($kind, front),
            load_pixel!($stride, $m0, "r1"),
            "vmull.s8 q8, ",
            $l0,
            ", d0\n",
            step!($kind, 0),
            load_pixel!($stride, $m1, "r2"),
            "vmlal.s8 q8, ",
            $l1,
            ", d3\n",
            step!($kind, 1),
            load_pixel!($stride, $m2, "r3"),
            "vmlal.s8 q8, ",
            $l2,
            ", d6\n",
            load_pixel!(2, $l0, "r1"),
            step!($kind, 2),
            "vmull.s8 q9, ",
            $m0,
            ", d1\n",
            step!($kind, 3),
            load_pixel!(2, $l1, "r2"),
            "vmlal.s8 q9, ",
            $m1,
            ", d4\n",
            step!($kind, 4),
            load_pixel!(2, $l2, "r3"),
            step!($kind, 5),
            "vmlal.s8 q9, ",
            $m2,
            ", d7\n",
            step!($kind, 6),
            step!($kind, 7),
            step!($kind, 8),
            step!($kind, 9),
            "vld1.32 {{d20-d23}}, [r8]
             vaddw.s16 q10, q10, d16
             vaddw.s16 q11, q11, d17\n",
            "vmull.s8 q8, ",
            $l0,
            ", d2\n",
            "vaddw.s16 q10, q10, d18\n",
            "vmlal.s8 q8, ",
            $l1,
            ", d5\n",
            "vaddw.s16 q11, q11, d19\n",
            "vmlal.s8 q8, ",
            $l2,
            ", d8
             vaddw.s16 q10, q10, d16
             vaddw.s16 q11, q11, d17\n"
        )
    };
}

/// Computes all windows of a group.
macro_rules! windows {
    (1, $kind:ident) => {
        concat!(
            "vld1.8 {{d9}}, [r1], r4
             vld1.8 {{d10}}, [r2], r4
             vld1.8 {{d11}}, [r3], r4
             vld1.8 {{d12}}, [r1], r4
             vld1.8 {{d13}}, [r2], r4
             vld1.8 {{d14}}, [r3], r4\n",
            window!(1, none, ["d9", "d10", "d11"], ["d12", "d13", "d14"]),
            "3:
             subs r7, r7, #1
             beq 4f\n",
            window!(1, $kind, ["d12", "d13", "d14"], ["d9", "d10", "d11"]),
            "subs r7, r7, #1
             beq 4f\n",
            window!(1, $kind, ["d9", "d10", "d11"], ["d12", "d13", "d14"]),
            "b 3b
             4:\n"
        )
    };
    (2, $kind:ident) => {
        concat!(
            "vld1.8 {{d9}}, [r1], r4
             vld1.8 {{d10}}, [r2], r4
             vld1.8 {{d11}}, [r3], r4\n",
            window!(2, none, ["d9", "d10", "d11"], ["d12", "d13", "d14"]),
            "subs r7, r7, #1
             beq 4f
             3:\n",
            window!(2, $kind, ["d9", "d10", "d11"], ["d12", "d13", "d14"]),
            "subs r7, r7, #1
             bne 3b
             4:\n"
        )
    };
}

/// A function that computes a row of windows.
macro_rules! row_function {
    ($name:ident, $text:literal, $stride:tt, $kind:ident) => {
        #[doc = $text]
        ///
        /// # Safety
        /// All bytes that the row describes are readable or writable, and the CPU has NEON.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(row: &mut WindowRow) {
            naked_asm!(
                enter!(),
                "ldr r4, [r0, #{pixel}]",
                "ldr r6, [r0, #{target_pixel}]",
                "ldr r8, [r0, #{bias}]",
                "ldr r9, [r0, #{weights}]",
                "ldr r10, [r0, #{groups}]",
                "ldr r11, [r0, #{multiplier}]",
                "ldr lr, [r0, #{channels}]",
                "ldr r12, [r0, #{zero_point}]",
                "vdup.16 q15, r12",
                "vmov.i32 q14, #0x4B000000",
                "vorr.i32 q14, #0x400000",
                "2:",
                "mov r12, r9",
                "vld1.8 {{d0}}, [r12], lr",
                "vld1.8 {{d1}}, [r12], lr",
                "vld1.8 {{d2}}, [r12], lr",
                "vld1.8 {{d3}}, [r12], lr",
                "vld1.8 {{d4}}, [r12], lr",
                "vld1.8 {{d5}}, [r12], lr",
                "vld1.8 {{d6}}, [r12], lr",
                "vld1.8 {{d7}}, [r12], lr",
                "vld1.8 {{d8}}, [r12]",
                "vld1.32 {{d24-d27}}, [r11]!",
                "ldm r0, {{r1, r2, r3}}",
                "ldr r5, [r0, #{target}]",
                "ldr r7, [r0, #{columns}]",
                windows!($stride, $kind),
                step!($kind, front),
                step!($kind, 0), step!($kind, 1), step!($kind, 2), step!($kind, 3), step!($kind, 4),
                step!($kind, 5), step!($kind, 6), step!($kind, 7), step!($kind, 8), step!($kind, 9),
                "subs r10, r10, #1",
                "beq 5f",
                "ldm r0, {{r1, r2, r3}}",
                "add r1, r1, #8",
                "add r2, r2, #8",
                "add r3, r3, #8",
                "stm r0, {{r1, r2, r3}}",
                "ldr r5, [r0, #{target}]",
                "ldr r7, [r0, #{target_group}]",
                "add r5, r5, r7",
                "str r5, [r0, #{target}]",
                "add r8, r8, #32",
                "add r9, r9, #8",
                "b 2b",
                "5:",
                leave!(),
                pixel = const offset_of!(WindowRow, pixel),
                columns = const offset_of!(WindowRow, columns),
                target = const offset_of!(WindowRow, target),
                target_pixel = const offset_of!(WindowRow, target_pixel),
                target_group = const offset_of!(WindowRow, target_group),
                groups = const offset_of!(WindowRow, groups),
                channels = const offset_of!(WindowRow, channels),
                weights = const offset_of!(WindowRow, weights),
                bias = const offset_of!(WindowRow, bias),
                multiplier = const offset_of!(WindowRow, multiplier),
                zero_point = const offset_of!(WindowRow, zero_point),
            )
        }
    };
}

row_function!(small_at_1, "Values at stride 1, where sums and results are small.", 1, small);
row_function!(small_at_2, "Values at stride 2, where sums and results are small.", 2, small);
row_function!(large_at_1, "Values at stride 1, with any sums.", 1, large);
row_function!(large_at_2, "Values at stride 2, with any sums.", 2, large);
row_function!(real_at_1, "Real numbers at stride 1.", 1, real);
row_function!(real_at_2, "Real numbers at stride 2.", 2, real);
