//! Sixteen channels of a row of windows, for small sums and an even zero point: the layers that end with a
//! ReLU or ReLU6, which are nearly all.
//!
//! In assembly, since compilers run out of registers here: v0 to v11 are the weights; v12 to v15, v16 to v19
//! and v20 to v23 are three columns, which take turns as the left, middle and right one of a window.

use super::block::PreparedBlock;
use crate::int8::arm::requantize::{Rounding, Scales};
use crate::int8::layout::Windows;
use std::arch::asm;

/// The block that the assembly reads. Where its parts lie is given to the assembly as constants.
type SmallBlock = PreparedBlock<true>;

// Within each part the assembly counts registers of 16 bytes: twelve of weights, column by column, and four
// of each other part.
const _: () = {
    let [after_taps, after_start, after_multiplier, after_shift] = [
        SmallBlock::TAPS + 12 * 16,
        SmallBlock::START + 4 * 16,
        SmallBlock::MULTIPLIER + 4 * 16,
        SmallBlock::SHIFT + 4 * 16,
    ];
    assert!(SmallBlock::TAPS == 0, "the assembly addresses the weights in pairs, from the block's start");
    assert!(after_taps == SmallBlock::START);
    assert!(after_start == SmallBlock::MULTIPLIER);
    assert!(after_multiplier == SmallBlock::SHIFT);
    assert!(after_shift == size_of::<SmallBlock>());
};

/// Loads a column into four registers, the rows side by side, as [`super::block`] describes.
#[rustfmt::skip]
macro_rules! load_column {
    ($a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "ld1 {{v24.16b}}, [{top}], {pixel}\n",
            "ld1 {{v25.16b}}, [{middle}], {pixel}\n",
            "ld1 {{v26.16b}}, [{bottom}], {pixel}\n",
            "trn1 v27.16b, v24.16b, v25.16b\n",
            "trn2 v29.16b, v24.16b, v25.16b\n",
            "trn1 v", $a, ".8h, v27.8h, v26.8h\n",
            "trn2 v", $b, ".8h, v27.8h, v26.8h\n",
            "trn1 v", $c, ".8h, v29.8h, v26.8h\n",
            "trn2 v", $d, ".8h, v29.8h, v26.8h\n",
        )
    };
}

/// Computes the sixteen results of a window, each of whose columns is in four registers. v28 is
/// [`Rounding::magic`], v31 the first register of multipliers.
#[rustfmt::skip]
macro_rules! window {
    (($l0:literal, $l1:literal, $l2:literal, $l3:literal), ($m0:literal, $m1:literal, $m2:literal, $m3:literal),
     ($r0:literal, $r1:literal, $r2:literal, $r3:literal)) => {
        concat!(
            // Where the sums begin.
            "ldr q24, [{block}, #{start}]\n",
            "ldr q25, [{block}, #{start} + 16]\n",
            "ldr q26, [{block}, #{start} + 32]\n",
            "ldr q27, [{block}, #{start} + 48]\n",
            "sdot v24.4s, v0.16b, v", $l0, ".16b\n",
            "sdot v25.4s, v1.16b, v", $l1, ".16b\n",
            "sdot v26.4s, v2.16b, v", $l2, ".16b\n",
            "sdot v27.4s, v3.16b, v", $l3, ".16b\n",
            "sdot v24.4s, v4.16b, v", $m0, ".16b\n",
            "sdot v25.4s, v5.16b, v", $m1, ".16b\n",
            "sdot v26.4s, v6.16b, v", $m2, ".16b\n",
            "sdot v27.4s, v7.16b, v", $m3, ".16b\n",
            "sdot v24.4s, v8.16b, v", $r0, ".16b\n",
            "sdot v25.4s, v9.16b, v", $r1, ".16b\n",
            "sdot v26.4s, v10.16b, v", $r2, ".16b\n",
            "sdot v27.4s, v11.16b, v", $r3, ".16b\n",
            // As Scales::reals.
            "ldr q29, [{block}, #{shift}]\n",
            "fmla v29.4s, v24.4s, v31.4s\n",
            "ldr q24, [{block}, #{shift} + 16]\n",
            "ldr q30, [{block}, #{multiplier} + 16]\n",
            "fmla v24.4s, v25.4s, v30.4s\n",
            "ldr q25, [{block}, #{shift} + 32]\n",
            "ldr q30, [{block}, #{multiplier} + 32]\n",
            "fmla v25.4s, v26.4s, v30.4s\n",
            "ldr q26, [{block}, #{shift} + 48]\n",
            "ldr q30, [{block}, #{multiplier} + 48]\n",
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

/// Computes sixteen channels of a row of windows. Results go to `target` and on, `next` bytes apart.
/// `zero_point` must be even.
///
/// # Safety
/// As for [`Kernels::depthwise`](crate::int8::Kernels::depthwise), for these channels.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn row(
    block: &SmallBlock,
    zero_point: u8,
    windows: &Windows,
    target: *mut i8,
    next: usize,
) {
    macro_rules! rows {
        ($($code:expr),+) => {
            asm!(
                "cbz {left}, 4f",
                "ldp q0, q1, [{block}, #{taps}]",
                "ldp q2, q3, [{block}, #{taps} + 32]",
                "ldp q4, q5, [{block}, #{taps} + 64]",
                "ldp q6, q7, [{block}, #{taps} + 96]",
                "ldp q8, q9, [{block}, #{taps} + 128]",
                "ldp q10, q11, [{block}, #{taps} + 160]",
                "ldr q31, [{block}, #{multiplier}]",
                $($code,)+
                "4:",
                left = inout(reg) windows.columns => _,
                top = inout(reg) windows.rows[0] => _,
                middle = inout(reg) windows.rows[1] => _,
                bottom = inout(reg) windows.rows[2] => _,
                pixel = in(reg) windows.pixel,
                target = inout(reg) target => _,
                next = in(reg) next,
                block = in(reg) block,
                taps = const SmallBlock::TAPS,
                start = const SmallBlock::START,
                multiplier = const SmallBlock::MULTIPLIER,
                shift = const SmallBlock::SHIFT,
                in("v28") Rounding::<true, true>::new(zero_point, Scales::<4, true>::UNIT).magic(),
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _,
                out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _,
                out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _,
                out("v26") _, out("v27") _, out("v29") _, out("v30") _, out("v31") _,
                options(nostack),
            )
        };
    }
    // SAFETY: the CPU has the instructions, as the target feature says; the caller promises the pixels.
    unsafe {
        if windows.stride == 1 {
            rows!(
                load_column!(12, 13, 14, 15),
                load_column!(16, 17, 18, 19),
                "2:",
                load_column!(20, 21, 22, 23),
                window!((12, 13, 14, 15), (16, 17, 18, 19), (20, 21, 22, 23)),
                "subs {left}, {left}, #1",
                "b.eq 4f",
                load_column!(12, 13, 14, 15),
                window!((16, 17, 18, 19), (20, 21, 22, 23), (12, 13, 14, 15)),
                "subs {left}, {left}, #1",
                "b.eq 4f",
                load_column!(16, 17, 18, 19),
                window!((20, 21, 22, 23), (12, 13, 14, 15), (16, 17, 18, 19)),
                "subs {left}, {left}, #1",
                "b.ne 2b"
            );
        } else {
            rows!(
                load_column!(12, 13, 14, 15),
                "2:",
                load_column!(16, 17, 18, 19),
                load_column!(20, 21, 22, 23),
                window!((12, 13, 14, 15), (16, 17, 18, 19), (20, 21, 22, 23)),
                "subs {left}, {left}, #1",
                "b.eq 4f",
                load_column!(16, 17, 18, 19),
                load_column!(12, 13, 14, 15),
                window!((20, 21, 22, 23), (16, 17, 18, 19), (12, 13, 14, 15)),
                "subs {left}, {left}, #1",
                "b.ne 2b"
            );
        }
    }
}
