//! The two passes of resampling.

use crate::assembly::{enter, leave};
use crate::rows::layout::{RowWeights, Rows, Span};
use crate::rows::portable;
use std::arch::naked_asm;
use std::mem::offset_of;

/// Bytes of a row that are added up at a time.
const CHUNK: usize = 16;

/// See [`RowKernels::sum_of_rows`](crate::rows::kernels::RowKernels::sum_of_rows): 16 bytes at a time.
///
/// # Safety
/// The CPU has NEON.
pub(super) unsafe fn sum_of_rows(rows: Rows<'_>, span: Span, weights: RowWeights<'_>, line: &mut [u8]) {
    let chunks = line.len() / CHUNK;
    let done = chunks * CHUNK;
    let count = span.end - span.start;
    let values = &weights.values[..count];
    if chunks > 0 && count > 0 {
        // What is read: `done` bytes of each row.
        let readable = rows.from(span.start).take(count).all(|row| row.len() >= done);
        assert!(readable, "a row is shorter than the line");
        let place = span.start % rows.count;
        let sums = RowSums {
            half: 1 << weights.shift >> 1,
            right: -(weights.shift as i32),
            rows: rows.bytes.as_ptr(),
            stride: rows.stride,
            count: rows.count,
            place,
            weights: values.as_ptr(),
            terms: count,
            line: line.as_mut_ptr(),
            chunks,
        };
        // SAFETY: the rows and the line have as many chunks, as seen above; the caller promises NEON.
        unsafe { add_rows(&sums) };
    }
    portable::sum_of_rows(rows, span, weights, line, done);
}

/// Weighted rows to be added up: `terms` of `count` rows, cyclic, from row `place` on.
#[repr(C)]
struct RowSums {
    /// What sums begin with.
    half: i32,
    /// Bits by which they are then shifted to the left: less than 0.
    right: i32,
    rows: *const u8,
    stride: usize,
    count: usize,
    place: usize,
    weights: *const i16,
    terms: usize,
    line: *mut u8,
    chunks: usize,
}

const _: () = assert!(offset_of!(RowSums, half) == 0 && offset_of!(RowSums, right) == 4);

/// Adds up rows, 16 bytes at a time.
///
/// # Safety
/// All rows and the line have `chunks` chunks; there are a chunk and a term at least. The CPU has NEON.
#[unsafe(naked)]
unsafe extern "C" fn add_rows(sums: &RowSums) {
    naked_asm!(
        enter!(),
        "mov r1, r0",
        "vld1.32 {{d16[], d17[]}}, [r1]!",
        "vld1.32 {{d18[], d19[]}}, [r1]",
        "ldr r4, [r0, #{stride}]",
        "ldr r5, [r0, #{count}]",
        "ldr r6, [r0, #{place}]",
        "ldr r7, [r0, #{rows}]",
        "ldr r8, [r0, #{line}]",
        "ldr r9, [r0, #{chunks}]",
        "ldr r10, [r0, #{terms}]",
        "ldr r11, [r0, #{weights}]",
        // The rows' first bytes of this chunk are at r7; r2 is the row that is added, number r1 of r5.
        "2:",
        "vmov q10, q8",
        "vmov q11, q8",
        "mla r2, r4, r6, r7",
        "vmov q12, q8",
        "mov r1, r6",
        "mov r3, r10",
        "vmov q13, q8",
        "mov r12, r11",
        "3:",
        "vld1.8 {{d0, d1}}, [r2], r4",
        "add r1, r1, #1",
        "vld1.16 {{d2[]}}, [r12]!",
        "cmp r1, r5",
        "it eq",
        "moveq r1, #0",
        "it eq",
        "moveq r2, r7",
        "vmovl.u8 q2, d0",
        "vmovl.u8 q3, d1",
        "subs r3, r3, #1",
        "vmlal.s16 q10, d4, d2",
        "vmlal.s16 q11, d5, d2",
        "vmlal.s16 q12, d6, d2",
        "vmlal.s16 q13, d7, d2",
        "bne 3b",
        "vshl.s32 q10, q10, q9",
        "vshl.s32 q11, q11, q9",
        "vshl.s32 q12, q12, q9",
        "vshl.s32 q13, q13, q9",
        "vqmovun.s32 d20, q10",
        "vqmovun.s32 d21, q11",
        "vqmovun.s32 d24, q12",
        "vqmovun.s32 d25, q13",
        "add r7, r7, #16",
        "vqmovn.u16 d20, q10",
        "vqmovn.u16 d21, q12",
        "subs r9, r9, #1",
        "vst1.8 {{d20, d21}}, [r8]!",
        "bne 2b",
        leave!(),
        stride = const offset_of!(RowSums, stride),
        count = const offset_of!(RowSums, count),
        place = const offset_of!(RowSums, place),
        rows = const offset_of!(RowSums, rows),
        line = const offset_of!(RowSums, line),
        chunks = const offset_of!(RowSums, chunks),
        terms = const offset_of!(RowSums, terms),
        weights = const offset_of!(RowSums, weights),
    )
}

/// See [`RowKernels::sums_of_pixels`](crate::rows::kernels::RowKernels::sums_of_pixels): one target pixel at
/// a time.
///
/// # Safety
/// The CPU has NEON.
pub(super) unsafe fn sums_of_pixels(
    line: &[u8],
    first: usize,
    spans: &[Span],
    weights: RowWeights<'_>,
    target: &mut [u8],
) {
    let rounding = [1 << weights.shift >> 1, -(weights.shift as i32)];
    for (span, to) in spans.iter().zip(target.as_chunks_mut::<3>().0) {
        let count = span.end - span.start;
        let values = &weights.values[span.first..][..count];
        // Eight bytes are read of each pixel, and there are five behind the last pixel.
        let pixels = &line[3 * (span.start - first)..][..3 * count + 5];
        // SAFETY: the slices have what is read; the caller promises NEON.
        let sums = unsafe { add_pixels(pixels.as_ptr(), values.as_ptr(), count, &rounding) };
        to.copy_from_slice(&sums.to_le_bytes()[..3]);
    }
}

/// Adds up `count` weighted pixels. `rounding` is what the sums begin with, and by how many bits they are
/// then shifted to the left. The result's first bytes are the colours.
///
/// # Safety
/// There are `count` weights, and eight readable bytes at each pixel. The CPU has NEON.
#[unsafe(naked)]
unsafe extern "C" fn add_pixels(
    pixels: *const u8,
    weights: *const i16,
    count: usize,
    rounding: &[i32; 2],
) -> u32 {
    // Registers d0 to d7 and d16 to d31 are free to be used.
    naked_asm!(
        ".fpu neon",
        "vld1.32 {{d16[], d17[]}}, [r3]!",
        "mov r12, #3",
        "vld1.32 {{d18[], d19[]}}, [r3]",
        "cmp r2, #0",
        "beq 3f",
        "2:",
        "vld1.8 {{d0}}, [r0], r12",
        "vld1.16 {{d2[]}}, [r1]!",
        "subs r2, r2, #1",
        "vmovl.u8 q0, d0",
        "vmlal.s16 q8, d0, d2",
        "bne 2b",
        "3:",
        "vshl.s32 q8, q8, q9",
        "vqmovun.s32 d16, q8",
        "vqmovn.u16 d16, q8",
        "vmov.32 r0, d16[0]",
        "bx lr",
        ".fpu vfpv3-d16",
    )
}
