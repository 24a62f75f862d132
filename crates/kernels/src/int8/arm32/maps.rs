//! The small operations around convolutions that would take the more time, the faster these are.

use crate::assembly::{enter, leave};
use crate::cpu::Neon;
use crate::int8::maps::Term;
use std::arch::naked_asm;
use std::mem::offset_of;

impl Neon {
    /// As [`max_pool`](crate::int8::maps::max_pool) for signed bytes, if there are whole eights of channels.
    pub(in crate::int8) fn max_pool(&self, rows: [&[u8]; 2], channels: usize, target: &mut [u8]) -> bool {
        let pixels = [rows[0].len() / 2, rows[1].len() / 2, target.len()].map(|bytes| bytes / channels);
        let pixels = pixels.into_iter().min().unwrap_or(0);
        if !channels.is_multiple_of(8) {
            return false;
        }
        if pixels > 0 {
            let rows = rows.map(<[u8]>::as_ptr);
            // SAFETY: `self` proves the instructions; the slices have as many pixels.
            unsafe { pool_row(rows[0], rows[1], target.as_mut_ptr(), &[pixels, channels]) };
        }
        true
    }

    /// As [`upsample_add`](crate::int8::maps::upsample_add) for signed bytes, if there are whole eights of
    /// channels and no result is infinite.
    pub(in crate::int8) fn upsample_add(
        &self,
        (row, term): (&[u8], Term),
        (half, half_term): (&[u8], Term),
        channels: usize,
        zero_point: u8,
        target: &mut [u8],
    ) -> bool {
        let pixels = (row.len() / channels).min(target.len() / channels);
        let finite = [term, half_term].iter().all(|term| term.multiplier.abs() < 1e30);
        if !channels.is_multiple_of(8) || !finite {
            return false;
        }
        assert!(half.len() >= pixels.div_ceil(2) * channels, "the smaller map is too short");
        let signed = |zero_point: u8| i32::from(zero_point) - 128;
        let sum = EnlargedSum {
            multiplier: term.multiplier,
            half_multiplier: half_term.multiplier,
            zero_point: signed(term.zero_point),
            half_zero_point: signed(half_term.zero_point),
            target_zero_point: signed(zero_point),
            row: row.as_ptr(),
            half: half.as_ptr(),
            target: target.as_mut_ptr(),
            pixels,
            channels,
        };
        if pixels > 0 {
            // SAFETY: `self` proves the instructions; the slices have as many pixels, or half of it.
            unsafe { add_enlarged(&sum) };
        }
        true
    }
}

/// The maxima of a row, at stride 2 in both directions; `size` are its pixels and their channels.
///
/// # Safety
/// Both rows have twice the pixels of `target`; neither number is 0, and channels are a multiple of 8. The
/// CPU has NEON.
#[unsafe(naked)]
unsafe extern "C" fn pool_row(top: *const u8, bottom: *const u8, target: *mut u8, size: &[usize; 2]) {
    naked_asm!(
        enter!(),
        "ldm r3, {{r3, r4}}",
        "add r5, r0, r4",
        "add r6, r1, r4",
        "2:",
        "mov r7, r4",
        "3:",
        "vld1.8 {{d0}}, [r0]!",
        "vld1.8 {{d1}}, [r5]!",
        "vld1.8 {{d2}}, [r1]!",
        "vld1.8 {{d3}}, [r6]!",
        "vmax.s8 q0, q0, q1",
        "subs r7, r7, #8",
        "vmax.s8 d0, d0, d1",
        "vst1.8 {{d0}}, [r2]!",
        "bne 3b",
        "add r0, r0, r4",
        "add r1, r1, r4",
        "add r5, r5, r4",
        "add r6, r6, r4",
        "subs r3, r3, #1",
        "bne 2b",
        leave!(),
    )
}

/// A row, and one of a map half as large that is added to it. Zero points are those of signed bytes.
#[repr(C)]
struct EnlargedSum {
    multiplier: f32,
    half_multiplier: f32,
    zero_point: i32,
    half_zero_point: i32,
    target_zero_point: i32,
    row: *const u8,
    half: *const u8,
    target: *mut u8,
    pixels: usize,
    channels: usize,
}

const _: () =
    assert!(offset_of!(EnlargedSum, multiplier) == 0 && offset_of!(EnlargedSum, half_multiplier) == 4);

/// Adds the rows. As in the convolutions, `vmla` is not fused, and an addition of 1.5 · 2²³ rounds.
///
/// # Safety
/// The rows have as many pixels, or half of it; neither number is 0, and channels are a multiple of 8. The
/// CPU has NEON.
#[unsafe(naked)]
unsafe extern "C" fn add_enlarged(sum: &EnlargedSum) {
    naked_asm!(
        enter!(),
        "mov r1, r0",
        "vld1.32 {{d24[], d25[]}}, [r1]!",
        "vld1.32 {{d26[], d27[]}}, [r1]",
        "ldr r1, [r0, #{zero_point}]",
        "ldr r2, [r0, #{half_zero_point}]",
        "ldr r3, [r0, #{target_zero_point}]",
        "vdup.8 d16, r1",
        "vdup.8 d17, r2",
        "vdup.16 q15, r3",
        "vmov.i32 q10, #0x44000000", // 512
        "vmov.i32 q11, #0xC4000000",
        "vmov.i32 q14, #0x4B000000",
        "vorr.i32 q14, #0x400000",
        "ldr r1, [r0, #{row}]",
        "ldr r2, [r0, #{half}]",
        "ldr r3, [r0, #{target}]",
        "ldr r4, [r0, #{pixels}]",
        "ldr r5, [r0, #{channels}]",
        // What the smaller row's pointer goes back behind a pixel: all of it, then nothing, in turns.
        "mov r6, r5",
        "2:",
        "mov r7, r5",
        "3:",
        "vld1.8 {{d0}}, [r1]!",
        "vld1.8 {{d2}}, [r2]!",
        "subs r7, r7, #8",
        "vsubl.s8 q0, d0, d16",
        "vsubl.s8 q1, d2, d17",
        "vmovl.s16 q2, d0",
        "vmovl.s16 q3, d1",
        "vmovl.s16 q4, d2",
        "vmovl.s16 q5, d3",
        "vcvt.f32.s32 q2, q2",
        "vcvt.f32.s32 q3, q3",
        "vcvt.f32.s32 q4, q4",
        "vcvt.f32.s32 q5, q5",
        "vmul.f32 q2, q2, q12",
        "vmul.f32 q3, q3, q12",
        "vmla.f32 q2, q4, q13",
        "vmla.f32 q3, q5, q13",
        "vmin.f32 q2, q2, q10",
        "vmin.f32 q3, q3, q10",
        "vmax.f32 q2, q2, q11",
        "vmax.f32 q3, q3, q11",
        "vadd.f32 q2, q2, q14",
        "vadd.f32 q3, q3, q14",
        "vmovn.i32 d4, q2",
        "vmovn.i32 d5, q3",
        "vqadd.s16 q2, q2, q15",
        "vqmovn.s16 d4, q2",
        "vst1.8 {{d4}}, [r3]!",
        "bne 3b",
        "sub r2, r2, r6",
        "sub r6, r5, r6",
        "subs r4, r4, #1",
        "bne 2b",
        leave!(),
        zero_point = const offset_of!(EnlargedSum, zero_point),
        half_zero_point = const offset_of!(EnlargedSum, half_zero_point),
        target_zero_point = const offset_of!(EnlargedSum, target_zero_point),
        row = const offset_of!(EnlargedSum, row),
        half = const offset_of!(EnlargedSum, half),
        target = const offset_of!(EnlargedSum, target),
        pixels = const offset_of!(EnlargedSum, pixels),
        channels = const offset_of!(EnlargedSum, channels),
    )
}
