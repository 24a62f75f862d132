//! The 1×1 convolution: tiles of three pixels and eight outputs.
//!
//! A load spreads eight inputs over four registers, each with the same two inputs four times, and loads of
//! the weights split them alike: four outputs and two inputs per register. `vmull` and `vmlal` add up the
//! products of inputs four apart in 16 bits ([`pack`](crate::int8::pack) has checked that more would fit),
//! and `vpadal` adds neighbours in 32 bits. Three pixels leave registers for four such sums at a time, which
//! are four instructions from a result to its use, for CPUs that execute in order.

use crate::assembly::{enter, leave};
use crate::int8::layout::GROUP;
use crate::int8::strip::PanelStrip;
use std::arch::naked_asm;
use std::mem::offset_of;

/// Computes all pixels of a strip.
///
/// # Safety
/// As for [`Kernels::pointwise`](crate::int8::Kernels::pointwise), for the strip's pixels and panel. The CPU
/// has NEON.
#[inline]
pub(super) unsafe fn pointwise(strip: &PanelStrip<'_>) {
    let PanelStrip { layer, area, source, target, .. } = strip;
    if area.columns == 0 {
        return;
    }
    let (residual, residual_zero_point, residual_multiplier) = match strip.residual {
        Some(residual) => (residual.start, residual.zero_point, residual.multiplier),
        None => (target.start.cast_const(), 0, 0.0),
    };
    let index = strip.group * GROUP;
    let mut row = PixelRow {
        bias: layer.bias()[index..].as_ptr(),
        scaling: Scaling {
            multiplier: [0.0; 8],
            zero_point: i16::from(layer.zero_point()) - 128,
            residual_zero_point: (residual_zero_point.wrapping_sub(128)) as i8,
            residual_multiplier,
        },
        weights: layer.weights(strip.group),
        octets: layer.inputs() / 8,
        columns: area.columns,
        source: source.start.cast(),
        source_pixel: source.pixel,
        target: target.start.cast(),
        target_pixel: target.pixel,
        residual: residual.cast(),
    };
    row.scaling.multiplier.copy_from_slice(&layer.multiplier()[index..index + 8]);
    let run = match (strip.small(), strip.residual.is_some()) {
        (true, false) => small,
        (true, true) => small_residual,
        (false, false) => large,
        (false, true) => large_residual,
    };
    for _ in 0..area.rows {
        // SAFETY: the caller promises the pixels of this row and NEON; the layer has whole panels.
        unsafe { run(&row) };
        row.source = row.source.wrapping_add(source.row);
        row.target = row.target.wrapping_add(target.row);
        row.residual = row.residual.wrapping_add(target.row);
    }
}

/// What the assembly computes: a row of pixels, at least one.
#[repr(C)]
struct PixelRow {
    scaling: Scaling,
    /// Of the eight outputs.
    bias: *const i32,
    weights: *const i8,
    /// Inputs in eights, not 0.
    octets: usize,
    columns: usize,
    source: *const i8,
    source_pixel: usize,
    target: *mut i8,
    target_pixel: usize,
    residual: *const i8,
}

/// What turns the sums of eight outputs into values. Assembly reads the fields one after the other.
#[repr(C)]
struct Scaling {
    multiplier: [f32; 8],
    residual_multiplier: f32,
    zero_point: i16,
    residual_zero_point: i8,
}

const _: () = assert!(offset_of!(PixelRow, scaling) == 0 && offset_of!(Scaling, multiplier) == 0);
const _: () = assert!(offset_of!(Scaling, residual_multiplier) == 32);
const _: () =
    assert!(offset_of!(Scaling, zero_point) == 36 && offset_of!(Scaling, residual_zero_point) == 38);

/// The products of eight inputs of a pixel, in d8 to d11, with the weights in d0 to d7.
macro_rules! products {
    () => {
        "vmull.s8 q6, d0, d8
         vmull.s8 q7, d1, d8
         vmull.s8 q14, d2, d9
         vmull.s8 q15, d3, d9
         vmlal.s8 q6, d4, d10
         vmlal.s8 q7, d5, d10
         vmlal.s8 q14, d6, d11
         vmlal.s8 q15, d7, d11\n"
    };
}

/// Adds these products to the sums of outputs 0 to 3 and 4 to 7 of a pixel.
macro_rules! add_products {
    ($low:literal, $high:literal) => {
        concat!(
            "vpadal.s16 ",
            $low,
            ", q6\n vpadal.s16 ",
            $high,
            ", q7\n vpadal.s16 ",
            $low,
            ", q14\n vpadal.s16 ",
            $high,
            ", q15\n"
        )
    };
}

/// Loads the weights of eight inputs, and these inputs of the first pixel.
macro_rules! load_first {
    () => {
        "vld2.16 {{d0-d3}}, [r1]!
         vld4.16 {{d8[], d9[], d10[], d11[]}}, [r4]!
         vld2.16 {{d4-d7}}, [r1]!\n"
    };
}

/// The next pixel: loads its eight inputs, then adds the products of the one before.
macro_rules! next_pixel {
    ($pointer:literal, $low:literal, $high:literal) => {
        concat!(
            "vld4.16 {{d8[], d9[], d10[], d11[]}}, [",
            $pointer,
            "]!\n",
            add_products!($low, $high),
            products!()
        )
    };
}

/// Adds the products of the last pixel. What the next round begins with is loaded before.
macro_rules! next_round {
    ($low:literal, $high:literal) => {
        concat!(
            "subs r2, r2, #1\n beq 3f\n",
            load_first!(),
            add_products!($low, $high),
            "b 2b\n 3:\n",
            add_products!($low, $high)
        )
    };
}

/// Sums up all inputs of a tile's pixels. Register r12 points at the first pixel and ends behind the last.
macro_rules! sums {
    (1) => {
        concat!(
            "mov r4, r12\n add r12, r12, r7\n vld1.32 {{d16-d19}}, [r11]\n",
            "ldr r1, [r0, #{weights}]\n mov r2, lr\n",
            load_first!(),
            "2:\n",
            products!(),
            next_round!("q8", "q9")
        )
    };
    (2) => {
        concat!(
            "mov r4, r12\n add r5, r12, r7\n add r12, r5, r7\n",
            "vld1.32 {{d16-d19}}, [r11]\n vld1.32 {{d20-d23}}, [r11]\n",
            "ldr r1, [r0, #{weights}]\n mov r2, lr\n",
            load_first!(),
            "2:\n",
            products!(),
            next_pixel!("r5", "q8", "q9"),
            next_round!("q10", "q11")
        )
    };
    (3) => {
        concat!(
            "mov r4, r12\n add r5, r12, r7\n add r6, r5, r7\n add r12, r6, r7\n",
            "vld1.32 {{d16-d19}}, [r11]\n vld1.32 {{d20-d23}}, [r11]\n vld1.32 {{d24-d27}}, [r11]\n",
            "ldr r1, [r0, #{weights}]\n mov r2, lr\n",
            load_first!(),
            "2:\n",
            products!(),
            next_pixel!("r5", "q8", "q9"),
            next_pixel!("r6", "q10", "q11"),
            next_round!("q12", "q13")
        )
    };
}

/// Applies a step to the sums of each pixel: outputs 0 to 3, outputs 4 to 7, and the halves of the former.
macro_rules! each {
    (1, $step:ident) => {
        $step!("q8", "q9", "d16", "d17")
    };
    (2, $step:ident) => {
        concat!(each!(1, $step), $step!("q10", "q11", "d20", "d21"))
    };
    (3, $step:ident) => {
        concat!(each!(2, $step), $step!("q12", "q13", "d24", "d25"))
    };
}

macro_rules! to_real {
    ($low:literal, $high:literal, $($_:literal),*) => {
        concat!("vcvt.f32.s32 ", $low, ", ", $low, "\n vcvt.f32.s32 ", $high, ", ", $high, "\n")
    };
}

/// By the multipliers in q0 and q1.
macro_rules! scale {
    ($low:literal, $high:literal, $($_:literal),*) => {
        concat!("vmul.f32 ", $low, ", ", $low, ", q0\n vmul.f32 ", $high, ", ", $high, ", q1\n")
    };
}

/// Adds the residual's term. `vmla` is not fused: it rounds the product, then the sum.
macro_rules! add_term {
    ($low:literal, $high:literal, $($_:literal),*) => {
        concat!(
            "vld1.8 {{d8}}, [r3], r10
             vsubl.s8 q4, d8, d29
             vmovl.s16 q5, d9
             vmovl.s16 q4, d8
             vcvt.f32.s32 q4, q4
             vcvt.f32.s32 q5, q5\n",
            "vmla.f32 ",
            $low,
            ", q4, q15\n vmla.f32 ",
            $high,
            ", q5, q15\n"
        )
    };
}

/// Bounds large results, since the next step rounds only small ones: to ±512, which saturate like all that is
/// beyond. What is not a number becomes 0.
macro_rules! bound {
    ($low:literal, $high:literal, $($_:literal),*) => {
        concat!("vmov.i32 q5, #0x44000000\n vmov.i32 q6, #0xC4000000\n", bound!($low), bound!($high))
    };
    ($register:literal) => {
        concat!(
            "vceq.f32 q4, ",
            $register,
            ", ",
            $register,
            "\n",
            "vand ",
            $register,
            ", ",
            $register,
            ", q4\n",
            "vmin.f32 ",
            $register,
            ", ",
            $register,
            ", q5\n",
            "vmax.f32 ",
            $register,
            ", ",
            $register,
            ", q6\n"
        )
    };
}

/// Adds 1.5 · 2²³ from q2, whose last bit counts ones: that rounds, ties to even.
macro_rules! round {
    ($low:literal, $high:literal, $($_:literal),*) => {
        concat!("vadd.f32 ", $low, ", ", $low, ", q2\n vadd.f32 ", $high, ", ", $high, ", q2\n")
    };
}

/// The lower halves of the bits are the rounded results.
macro_rules! narrow {
    ($low:literal, $high:literal, $first:literal, $second:literal) => {
        concat!("vmovn.i32 ", $first, ", ", $low, "\n vmovn.i32 ", $second, ", ", $high, "\n")
    };
}

macro_rules! add_zero_point {
    ($low:literal, $($_:literal),*) => {
        concat!("vqadd.s16 ", $low, ", ", $low, ", q3\n")
    };
}

macro_rules! saturate {
    ($low:literal, $high:literal, $first:literal, $second:literal) => {
        concat!("vqmovn.s16 ", $first, ", ", $low, "\n")
    };
}

macro_rules! store {
    ($low:literal, $high:literal, $first:literal, $second:literal) => {
        concat!("vst1.8 {{", $first, "}}, [r9], r10\n")
    };
}

/// Computes a tile of pixels; the steps between scaling and rounding differ.
macro_rules! tile {
    ($pixels:tt, $($step:ident),*) => {
        concat!(
            sums!($pixels),
            each!($pixels, to_real),
            "mov r1, r0
             vld1.32 {{d0-d3}}, [r1]!
             vld1.32 {{d30[], d31[]}}, [r1]!
             vld1.16 {{d6[], d7[]}}, [r1]!
             vld1.8 {{d29[]}}, [r1]
             vmov.i32 q2, #0x4B000000
             vorr.i32 q2, #0x400000\n",
            each!($pixels, scale),
            $(each!($pixels, $step),)*
            each!($pixels, round),
            each!($pixels, narrow),
            each!($pixels, add_zero_point),
            each!($pixels, saturate),
            each!($pixels, store)
        )
    };
}

/// A function that computes a row.
macro_rules! row_function {
    ($name:ident, $text:literal, $($step:ident),*) => {
        #[doc = $text]
        ///
        /// # Safety
        /// All bytes that the row describes are readable or writable, and the CPU has NEON.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(row: *const PixelRow) {
            naked_asm!(
                enter!(),
                "ldr r3, [r0, #{residual}]",
                "ldr r7, [r0, #{source_pixel}]",
                "ldr r8, [r0, #{columns}]",
                "ldr r9, [r0, #{target}]",
                "ldr r10, [r0, #{target_pixel}]",
                "ldr r11, [r0, #{bias}]",
                "ldr r12, [r0, #{source}]",
                "ldr lr, [r0, #{octets}]",
                "subs r8, r8, #3",
                "blt 5f",
                "4:",
                tile!(3, $($step),*),
                "subs r8, r8, #3",
                "bge 4b",
                "5:",
                "cmp r8, #-2",
                "blt 7f",
                "beq 6f",
                tile!(2, $($step),*),
                "b 7f",
                "6:",
                tile!(1, $($step),*),
                "7:",
                leave!(),
                weights = const offset_of!(PixelRow, weights),
                residual = const offset_of!(PixelRow, residual),
                source_pixel = const offset_of!(PixelRow, source_pixel),
                columns = const offset_of!(PixelRow, columns),
                target = const offset_of!(PixelRow, target),
                target_pixel = const offset_of!(PixelRow, target_pixel),
                bias = const offset_of!(PixelRow, bias),
                source = const offset_of!(PixelRow, source),
                octets = const offset_of!(PixelRow, octets),
            )
        }
    };
}

row_function!(small, "Computes a row of pixels whose sums and results are small.",);
row_function!(small_residual, "As [`small`], and adds a residual.", add_term);
row_function!(large, "Computes a row of pixels with any sums.", bound);
row_function!(large_residual, "As [`large`], and adds a residual.", add_term, bound);
