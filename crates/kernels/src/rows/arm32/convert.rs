//! Y′CbCr → RGB: eight pairs of pixels at a time, four of them in a register.

use crate::assembly::{enter, leave};
use crate::rows::samples::{EightPairs, Factors, PAIRS, ROUND, Samples};
use std::arch::naked_asm;
use std::mem::offset_of;
use std::ptr::null;

/// See [`RowKernels::convert_eights`](crate::rows::kernels::RowKernels::convert_eights).
///
/// # Safety
/// The CPU has NEON.
pub(super) unsafe fn convert_eights(
    factors: &Factors,
    samples: &Samples<'_>,
    first: usize,
    chunks: &mut [EightPairs],
) {
    // How many bytes there are from the first pair on, in eights of pairs; and where they begin.
    let part = |bytes: &[u8], pair: usize| match bytes.get(pair * first..) {
        Some(bytes) => (bytes.len() / (pair * PAIRS), bytes.as_ptr()),
        None => (0, null()),
    };
    let (kind, parts) = match *samples {
        Samples::Yuyv(row) => (YUYV, [part(row, 4); 3]),
        Samples::Uyvy(row) => (UYVY, [part(row, 4); 3]),
        Samples::Interleaved(luma, chroma) => {
            (INTERLEAVED, [part(luma, 2), part(chroma, 2), part(chroma, 2)])
        }
        Samples::Planar(luma, cb, cr) => (PLANAR, [part(luma, 2), part(cb, 1), part(cr, 1)]),
    };
    let count = parts.iter().fold(chunks.len(), |count, part| count.min(part.0));
    if count == 0 {
        return;
    }
    // Offsets of luma and chroma, and one half, as parts of a constant. Sums wrap, and in the end fit again.
    let offset = ROUND.wrapping_sub(factors.luma.wrapping_mul(factors.luma_offset));
    let start = |cb: i32, cr: i32| offset.wrapping_sub(cb.wrapping_add(cr).wrapping_mul(128));
    let conversion = Conversion {
        factors: [
            factors.luma,
            factors.red_from_cr,
            factors.green_from_cb,
            factors.green_from_cr,
            factors.blue_from_cb,
            start(0, factors.red_from_cr),
            start(factors.green_from_cb, factors.green_from_cr),
            start(factors.blue_from_cb, 0),
        ],
        parts: parts.map(|part| part.1),
        kind,
        rgb: chunks.as_mut_ptr().cast(),
        count,
    };
    // SAFETY: all parts and the chunks have `count` times eight pairs; the caller promises NEON.
    unsafe { convert_rows(&conversion) };
}

/// Ways in which samples lie in memory.
const YUYV: u32 = 0;
const UYVY: u32 = 1;
const INTERLEAVED: u32 = 2;
const PLANAR: u32 = 3;

/// A row, and how it is converted.
#[repr(C)]
struct Conversion {
    /// Of luma; of Cr in red; of Cb and Cr in green; of Cb in blue; and what each colour begins with.
    factors: [i32; 8],
    parts: [*const u8; 3],
    kind: u32,
    rgb: *mut u8,
    /// Pairs in eights, not 0.
    count: usize,
}

const _: () = assert!(offset_of!(Conversion, factors) == 0);

/// Computes a colour of four pairs. Cb and Cr are in q8 and q9, scaled luma in q10 and q11; q12 and q13 are
/// used. `sums` begin with and add chroma; the results go to the first pixels' and the second pixels'
/// register.
macro_rules! colour {
    ($start:literal, [$(($chroma:literal, $factor:literal)),*], $first:literal, $second:literal) => {
        concat!(
            "vdup.32 q12, ", $start, "\n",
            $("vmla.i32 q12, ", $chroma, ", ", $factor, "\n",)*
            "vadd.i32 q13, q12, q10\n",
            "vadd.i32 q12, q12, q11\n",
            "vqshrun.s32 ", $first, ", q13, #16\n",
            "vqshrun.s32 ", $second, ", q12, #16\n"
        )
    };
}

/// Computes four of eight pairs, from 16-bit numbers.
macro_rules! four_pairs {
    ([$y0:literal, $cb:literal, $y1:literal, $cr:literal], $red:tt, $green:tt, $blue:tt) => {
        concat!(
            "vmovl.u16 q8, ",
            $cb,
            "\n vmovl.u16 q9, ",
            $cr,
            "\n",
            "vmovl.u16 q10, ",
            $y0,
            "\n vmovl.u16 q11, ",
            $y1,
            "\n",
            "vmul.i32 q10, q10, d0[0]\n vmul.i32 q11, q11, d0[0]\n",
            four_pairs!("d2[1]", [("q9", "d0[1]")], $red),
            four_pairs!("d3[0]", [("q8", "d1[0]"), ("q9", "d1[1]")], $green),
            four_pairs!("d3[1]", [("q8", "d2[0]")], $blue)
        )
    };
    ($start:literal, $terms:tt, [$first:literal, $second:literal]) => {
        colour!($start, $terms, $first, $second)
    };
}

/// Converts a row.
///
/// # Safety
/// Each part has the samples of `count` times eight pairs, and `rgb` room for as many. The CPU has NEON.
#[unsafe(naked)]
unsafe extern "C" fn convert_rows(conversion: &Conversion) {
    // Samples of eight pairs come into d28 (Y0), d29 (Cb), d30 (Y1) and d31 (Cr), and become 16-bit numbers
    // in q2 to q5. Colours are d12 to d15, d28, d29 (first pixels) and d16 to d19, d30, d31.
    naked_asm!(
        enter!(),
        "mov r1, r0",
        "vld1.32 {{d0-d3}}, [r1]",
        "ldr r2, [r0, #{parts}]",
        "ldr r3, [r0, #{parts} + 4]",
        "ldr r4, [r0, #{parts} + 8]",
        "ldr r5, [r0, #{kind}]",
        "ldr r6, [r0, #{rgb}]",
        "ldr r7, [r0, #{count}]",
        "2:",
        "cmp r5, #{uyvy}",
        "beq 3f",
        "bgt 4f",
        "vld4.8 {{d28, d29, d30, d31}}, [r2]!",
        "b 6f",
        "3:",
        "vld4.8 {{d27, d28, d29, d30}}, [r2]!",
        "vmov d31, d29",
        "vmov d29, d27",
        "b 6f",
        "4:",
        "vld2.8 {{d26, d27}}, [r2]!",
        "cmp r5, #{planar}",
        "beq 5f",
        "vld2.8 {{d29, d30}}, [r3]!",
        "vmov d31, d30",
        "vmov d28, d26",
        "vmov d30, d27",
        "b 6f",
        "5:",
        "vld1.8 {{d29}}, [r3]!",
        "vld1.8 {{d31}}, [r4]!",
        "vmov d28, d26",
        "vmov d30, d27",
        "6:",
        "vmovl.u8 q2, d28",
        "vmovl.u8 q3, d29",
        "vmovl.u8 q4, d30",
        "vmovl.u8 q5, d31",
        four_pairs!(["d4", "d6", "d8", "d10"], ["d12", "d28"], ["d14", "d30"], ["d4", "d8"]),
        four_pairs!(["d5", "d7", "d9", "d11"], ["d13", "d29"], ["d15", "d31"], ["d5", "d9"]),
        // Red is in q6 and q14, green in q7 and q15, blue in q2 and q4, the first pixels' and the second's.
        "vqmovn.u16 d16, q6",
        "vqmovn.u16 d17, q14",
        "vqmovn.u16 d18, q7",
        "vqmovn.u16 d19, q15",
        "vqmovn.u16 d20, q2",
        "vqmovn.u16 d21, q4",
        "vzip.8 d16, d17",
        "vzip.8 d18, d19",
        "vzip.8 d20, d21",
        "vst3.8 {{d16, d18, d20}}, [r6]!",
        "vst3.8 {{d17, d19, d21}}, [r6]!",
        "subs r7, r7, #1",
        "bne 2b",
        leave!(),
        parts = const offset_of!(Conversion, parts),
        kind = const offset_of!(Conversion, kind),
        rgb = const offset_of!(Conversion, rgb),
        count = const offset_of!(Conversion, count),
        uyvy = const UYVY,
        planar = const PLANAR,
    )
}
