//! How sums become values on Arm: eight or sixteen at a time, four in a register.
//!
//! # Small sums
//! Conversions to f32 and back are the slowest instructions here on most cores. Small sums
//! ([`Pointwise::small`](crate::int8::Pointwise::small)) do without them:
//!
//! 1. The bits of an f32 below 2⁻¹²⁵ are an integer in units of 2⁻¹⁴⁹. A sum that began with 2²² is positive,
//!    so its bits are such an f32.
//! 2. One fused multiplication and addition scales it and takes the 2²² off. It rounds once, as the product
//!    of sum and multiplier does, since 2²² times a multiplier is exact. One step of the output's scale is
//!    now [`UNIT`] instead of 1; that is a power of two, so it changes no rounding.
//! 3. An addition of 1.5 · 2²³ steps rounds the result to an integer, which the lower bits then are.
//!
//! Step 1 wants a core on which subnormal numbers are as fast as others, so only the kernels for cores with
//! dot product use it, and a floating-point control register that does not flush them to zero. Linux gives
//! every thread such a register.

use crate::int8::layout::Residual;
use crate::int8::pack::LARGEST_MULTIPLIER;
use std::arch::aarch64::*;
use std::arch::asm;
use std::mem::offset_of;

/// What small sums begin with, beside their bias.
const START: i32 = 1 << 22;
/// 2¹²⁴: the product with the largest multiplier is finite.
const FACTOR: f32 = f32::from_bits((124 + 127) << 23);
const _: () = assert!(LARGEST_MULTIPLIER <= 4.0);
/// What one step of the output's scale is among small results: 2⁻¹⁴⁹ · [`FACTOR`].
const UNIT: f32 = 1.0 / (1 << 25) as f32;
/// 1.5 · 2²³, whose last bit counts ones.
const ONES: f32 = 12_582_912.0;

/// Position of output `output` in its panel: first the even ones, then the odd ones. A transposition brings
/// their results together, four in a register; of the ways to do that it is the one that is fast on all
/// cores.
pub(super) fn lane(output: usize) -> usize {
    output % 2 * 4 + output / 2
}

/// What `4 · N` sums begin with and what scales them, four in each of `N` registers. With `SMALL` the sums
/// are small.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Scales<const N: usize, const SMALL: bool> {
    start: [float32x4_t; N],
    multiplier: [float32x4_t; N],
    shift: [float32x4_t; N],
}

// Assembly reads these fields, each a run of registers of 16 bytes.
const _: () = assert!(size_of::<float32x4_t>() == 16 && size_of::<Scales<4, true>>() == 3 * 4 * 16);

impl<const SMALL: bool> Scales<2, SMALL> {
    /// For outputs `index` to `index + 7`: the even ones in the first register, the odd ones in the second.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn eight(bias: &[i32], multiplier: &[f32], index: usize) -> Self {
        let (bias, multiplier) = (&bias[index..index + 8], &multiplier[index..index + 8]);
        // SAFETY: the slices have eight numbers.
        let (bias, multiplier) = unsafe { (vld2q_s32(bias.as_ptr()), vld2q_f32(multiplier.as_ptr())) };
        Self::new([bias.0, bias.1], [multiplier.0, multiplier.1])
    }
}

impl<const N: usize, const SMALL: bool> Scales<N, SMALL> {
    /// What one step of the output's scale is in [`Scales::reals`].
    pub(super) const UNIT: f32 = if SMALL { UNIT } else { 1.0 };
    /// Offset in bytes of what sums begin with.
    pub(super) const START: usize = offset_of!(Self, start);
    /// Offset in bytes of the multipliers.
    pub(super) const MULTIPLIER: usize = offset_of!(Self, multiplier);
    /// Offset in bytes of what is added to scaled sums.
    pub(super) const SHIFT: usize = offset_of!(Self, shift);

    /// For outputs in any order, given as they lie in the registers.
    pub(super) fn from_lanes(bias: &[[i32; 4]; N], multiplier: &[[f32; 4]; N]) -> Self {
        // SAFETY: the kernels that ask for this have proved NEON; four numbers are read of four.
        unsafe {
            let (mut biases, mut multipliers) = ([vdupq_n_s32(0); N], [vdupq_n_f32(0.0); N]);
            for part in 0..N {
                biases[part] = vld1q_s32(bias[part].as_ptr());
                multipliers[part] = vld1q_f32(multiplier[part].as_ptr());
            }
            Self::new(biases, multipliers)
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn new(bias: [int32x4_t; N], multiplier: [float32x4_t; N]) -> Self {
        let mut this = Self { start: multiplier, multiplier, shift: multiplier };
        for part in 0..N {
            let start = vaddq_s32(bias[part], vdupq_n_s32(if SMALL { START } else { 0 }));
            this.start[part] = vreinterpretq_f32_s32(start);
            if SMALL {
                this.multiplier[part] = vmulq_n_f32(multiplier[part], FACTOR);
                this.shift[part] = vmulq_n_f32(this.multiplier[part], -f32::from_bits(START as u32));
            }
        }
        this
    }

    /// What sums begin with.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn start(&self) -> [int32x4_t; N] {
        let mut start = [vdupq_n_s32(0); N];
        for (start, from) in start.iter_mut().zip(&self.start) {
            *start = vreinterpretq_s32_f32(load(from));
        }
        start
    }

    /// What [`Scales::reals`] takes, loaded once for many sums.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn multiplier(&self) -> [float32x4_t; N] {
        self.multiplier
    }

    /// The real numbers that `sums` stand for; one step of the output's scale is [`Scales::UNIT`].
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn reals(&self, sums: [int32x4_t; N], multiplier: &[float32x4_t; N]) -> [float32x4_t; N] {
        let mut reals = *multiplier;
        for part in 0..N {
            if SMALL {
                let sums = vreinterpretq_f32_s32(sums[part]);
                reals[part] = vfmaq_f32(load(&self.shift[part]), sums, multiplier[part]);
            } else {
                reals[part] = vmulq_f32(vcvtq_f32_s32(sums[part]), multiplier[part]);
            }
        }
        reals
    }
}

/// Rounds to nearest, ties to even, adds the zero point and clamps to 8 bits.
///
/// With `SMALL`, results are below 2¹⁵. With `EVEN`, too, the zero point is even and part of the number whose
/// addition rounds; an odd one there would make ties odd.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounding<const SMALL: bool, const EVEN: bool> {
    magic: float32x4_t,
    zero_point: int16x8_t,
}

impl<const SMALL: bool, const EVEN: bool> Rounding<SMALL, EVEN> {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn new(zero_point: u8, unit: f32) -> Self {
        let zero_point = i16::from(zero_point) - 128;
        let magic = unit * if EVEN { ONES + f32::from(zero_point) } else { ONES };
        Self { magic: vdupq_n_f32(magic), zero_point: vdupq_n_s16(zero_point) }
    }

    /// What is added to small results: 1.5 · 2²³ steps, whose last bit counts steps. Without a zero point the
    /// lower half of its bits is 0.
    pub(super) fn magic(&self) -> float32x4_t {
        self.magic
    }

    /// Eight values, of the even results and the odd ones.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn eight(&self, [evens, odds]: [float32x4_t; 2]) -> int8x8_t {
        vqmovn_s16(self.words(evens, odds))
    }

    /// Eight values of each pixel. Each step is done for all pixels before the next.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn pixels<const P: usize>(&self, reals: [[float32x4_t; 2]; P]) -> [int8x8_t; P] {
        let (mut words, mut values) = ([vdupq_n_s16(0); P], [vdup_n_s8(0); P]);
        for (words, reals) in words.iter_mut().zip(reals) {
            *words = self.words(reals[0], reals[1]);
        }
        for (values, words) in values.iter_mut().zip(words) {
            *values = vqmovn_s16(words);
        }
        values
    }

    /// Sixteen values, of results number 0, 4, 8 and 12; 2, 6, 10 and 14; 1, 5, 9 and 13; 3, 7, 11 and 15.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn sixteen(&self, reals: [float32x4_t; 4]) -> int8x16_t {
        let evens = vqshlq_n_s16::<8>(self.words(reals[0], reals[1]));
        let odds = vqshlq_n_s16::<8>(self.words(reals[2], reals[3]));
        vtrn2q_s8(vreinterpretq_s8_s16(evens), vreinterpretq_s8_s16(odds))
    }

    /// Eight values of each window, whose results are in order. Each step is done for all windows before the
    /// next.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn in_order<const W: usize>(&self, reals: [[float32x4_t; 2]; W]) -> [int8x8_t; W] {
        let (mut words, mut values) = ([vdupq_n_s16(0); W], [vdup_n_s8(0); W]);
        for (words, [low, high]) in words.iter_mut().zip(reals) {
            *words = if SMALL {
                let low = vreinterpretq_s16_f32(vaddq_f32(low, self.magic));
                let high = vreinterpretq_s16_f32(vaddq_f32(high, self.magic));
                vuzp1q_s16(low, high)
            } else {
                vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(low)), vcvtnq_s32_f32(high))
            };
        }
        for (values, words) in values.iter_mut().zip(words) {
            *values = vqmovn_s16(self.shifted(words));
        }
        values
    }

    /// Adds the zero point, unless the rounding has added it.
    #[inline]
    #[target_feature(enable = "neon")]
    fn shifted(&self, words: int16x8_t) -> int16x8_t {
        if SMALL && EVEN { words } else { vqaddq_s16(words, self.zero_point) }
    }

    /// Eight results as integers of 16 bits with the zero point, in order.
    #[inline]
    #[target_feature(enable = "neon")]
    fn words(&self, evens: float32x4_t, odds: float32x4_t) -> int16x8_t {
        let words = if SMALL {
            // The additions round ties to even, since the magic number is even.
            let evens = vreinterpretq_s16_f32(vaddq_f32(evens, self.magic));
            let odds = vreinterpretq_s16_f32(vaddq_f32(odds, self.magic));
            vtrn1q_s16(evens, odds)
        } else {
            let evens = vqmovn_s32(vcvtnq_s32_f32(evens));
            let odds = vqmovn_s32(vcvtnq_s32_f32(odds));
            vcombine_s16(vzip1_s16(evens, odds), vzip2_s16(evens, odds))
        };
        self.shifted(words)
    }
}

/// What a residual adds to eight results, the even ones and the odd ones. One step of the output's scale is
/// `unit`.
///
/// # Safety
/// Eight bytes are readable at `values`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) unsafe fn residual_term(values: *const i8, residual: &Residual, unit: f32) -> [float32x4_t; 2] {
    const EVENS_FIRST: [i8; 8] = [0, 2, 4, 6, 1, 3, 5, 7];
    // SAFETY: as the caller promises.
    let values = unsafe { vtbl1_s8(vld1_s8(values), vld1_s8(EVENS_FIRST.as_ptr())) };
    let words = vmovl_s8(values);
    // Integers become reals by an addition to the bits of ONES, which is then subtracted.
    let ones = vdupq_n_s32(ONES.to_bits() as i32 + 128 - i32::from(residual.zero_point));
    let evens = vreinterpretq_f32_s32(vaddw_s16(ones, vget_low_s16(words)));
    let odds = vreinterpretq_f32_s32(vaddw_high_s16(ones, words));
    let (ones, multiplier) = (vdupq_n_f32(ONES), residual.multiplier * unit);
    [vmulq_n_f32(vsubq_f32(evens, ones), multiplier), vmulq_n_f32(vsubq_f32(odds, ones), multiplier)]
}

/// Loads from memory what may be in a register already: unlike a copy from there, that takes no time of the
/// vector pipes.
#[inline]
#[target_feature(enable = "neon")]
fn load(from: &float32x4_t) -> float32x4_t {
    let to: float32x4_t;
    // SAFETY: it reads what the reference points at.
    unsafe {
        asm!("ldr {to:q}, [{from}]", to = lateout(vreg) to, from = in(reg) from,
            options(readonly, nostack, preserves_flags));
    }
    to
}
