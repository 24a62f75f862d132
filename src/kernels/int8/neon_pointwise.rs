//! The 1×1 convolution of [`super::neon`]: tiles of four pixels and eight outputs.

use super::GROUP;
use super::neon::{load_f32, load_i32, requantize, residual_term, scale, zero_point};
use super::strip::Strip;
use std::arch::aarch64::*;
use std::arch::asm;

/// Pixels of a tile.
const PIXELS: usize = 4;

/// All pixels of a strip, four at a time; `ADD`: with the residual, which is there.
///
/// # Safety
/// The strip's pixels are there.
#[target_feature(enable = "neon")]
pub(super) unsafe fn pointwise<const ADD: bool>(strip: &Strip<'_>) {
    let Strip { area, source, target, .. } = strip;
    for row in 0..area.rows {
        let mut input = source.start.wrapping_add(row * source.row).cast::<i8>();
        let mut at = row * target.row;
        let mut left = area.columns;
        // SAFETY: the caller promises these pixels.
        unsafe {
            while left >= PIXELS {
                tile::<PIXELS, ADD>(strip, input, at);
                input = input.wrapping_add(PIXELS * source.pixel);
                at += PIXELS * target.pixel;
                left -= PIXELS;
            }
            match left {
                3 => tile::<3, ADD>(strip, input, at),
                2 => tile::<2, ADD>(strip, input, at),
                1 => tile::<1, ADD>(strip, input, at),
                _ => {}
            }
        }
    }
}

/// `P` pixels whose inputs begin at `input`, their outputs `at` behind the strip's first.
///
/// # Safety
/// The strip has these pixels.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn tile<const P: usize, const ADD: bool>(strip: &Strip<'_>, input: *const i8, at: usize) {
    let channel = strip.group * GROUP;
    // SAFETY: the layer has whole panels of weights, biases and multipliers; the pixels are the caller's promise.
    unsafe {
        let bias = load_i32(strip.layer.bias(), channel);
        let mut sums = [bias; P];
        let inputs: [*const i8; P] = std::array::from_fn(|p| input.add(p * strip.source.pixel));
        let (weights, octets) = (strip.layer.weights(strip.group), strip.layer.inputs() / 8);
        if let (Ok(sums), Ok(inputs)) = (sums.as_mut_slice().try_into(), inputs.as_slice().try_into()) {
            add_four(sums, weights, inputs, octets);
        } else {
            add(&mut sums, weights, inputs, octets);
        }
        let multiplier = load_f32(strip.layer.multiplier(), channel);
        let zero_point = zero_point(strip.layer.zero_point());
        // Step by step for all pixels, since an A53 executes in order.
        let at = |p: usize| at + p * strip.target.pixel;
        let mut reals = sums.map(|sums| scale(sums, multiplier));
        if ADD && let Some(residual) = &strip.residual {
            let terms: [_; P] =
                std::array::from_fn(|p| residual_term(residual.start.add(at(p)).cast(), residual));
            for (reals, term) in reals.iter_mut().zip(terms) {
                *reals = [vaddq_f32(reals[0], term[0]), vaddq_f32(reals[1], term[1])];
            }
        }
        for (p, values) in reals.map(|reals| requantize(reals, zero_point)).into_iter().enumerate() {
            vst1_s8(strip.target.start.add(at(p)).cast(), values);
        }
    }
}

/// Adds the products of `octets` times eight inputs of each pixel.
///
/// # Safety
/// There are so many bytes at each of `inputs`, and eight times as many at `weights`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add<const P: usize>(
    sums: &mut [[int32x4_t; 2]; P],
    mut weights: *const i8,
    mut inputs: [*const i8; P],
    octets: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        for _ in 0..octets {
            let low = [vld1q_s8(weights), vld1q_s8(weights.add(16))];
            let high = [vld1q_s8(weights.add(32)), vld1q_s8(weights.add(48))];
            weights = weights.add(64);
            for p in 0..P {
                let quads = inputs[p].cast::<i32>();
                let a = vreinterpretq_s8_s32(vdupq_n_s32(quads.read_unaligned()));
                let b = vreinterpretq_s8_s32(vdupq_n_s32(quads.add(1).read_unaligned()));
                inputs[p] = inputs[p].add(8);
                for half in 0..2 {
                    let first = vmull_s8(vget_low_s8(low[half]), vget_low_s8(a));
                    let first = vmlal_s8(first, vget_low_s8(high[half]), vget_low_s8(b));
                    let second = vmlal_high_s8(vmull_high_s8(low[half], a), high[half], b);
                    sums[p][half] = vpadalq_s16(sums[p][half], vpaddq_s16(first, second));
                }
            }
        }
    }
}

/// The sums of four pixels, in an order that suits CPUs which execute in order: loads between the multiplications, and
/// six instructions or more from a result to its use, where compilers keep what belongs together side by side.
///
/// # Safety
/// There are `octets` times eight bytes at each of `inputs`, and 64 at `weights`; `octets` is not 0.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_four(
    sums: &mut [[int32x4_t; 2]; 4],
    weights: *const i8,
    inputs: [*const i8; 4],
    octets: usize,
) {
    let [[s0, s1], [s2, s3], [s4, s5], [s6, s7]] = sums;
    // SAFETY: NEON is part of every 64-bit Arm CPU; what is read the caller promises. a and b point to the first and the last four
    // inputs of an octet, v8 to v11 are weights, v12 to v19 inputs, v20 to v31 products.
    unsafe {
        asm!(
            "2:",
            "ldr q8, [{weights}]",
            "ldr q9, [{weights}, #16]",
            "ldr q10, [{weights}, #32]",
            "ldr q11, [{weights}, #48]",
            "ld1r {{v12.4s}}, [{a0}]",
            "ld1r {{v13.4s}}, [{b0}]",
            "ld1r {{v14.4s}}, [{a1}]",
            "ld1r {{v15.4s}}, [{b1}]",
            "add {weights}, {weights}, #64",
            "subs {octets}, {octets}, #1",
            "add {a0}, {a0}, #8",
            "add {b0}, {b0}, #8",
            "add {a1}, {a1}, #8",
            "add {b1}, {b1}, #8",
            "smull v20.8h, v8.8b, v12.8b",
            "smull2 v21.8h, v8.16b, v12.16b",
            "smull v22.8h, v9.8b, v12.8b",
            "smull2 v23.8h, v9.16b, v12.16b",
            "ld1r {{v16.4s}}, [{a2}]",
            "smull v24.8h, v8.8b, v14.8b",
            "ld1r {{v17.4s}}, [{b2}]",
            "smull2 v25.8h, v8.16b, v14.16b",
            "ld1r {{v18.4s}}, [{a3}]",
            "smull v26.8h, v9.8b, v14.8b",
            "ld1r {{v19.4s}}, [{b3}]",
            "smull2 v27.8h, v9.16b, v14.16b",
            "smlal v20.8h, v10.8b, v13.8b",
            "smlal2 v21.8h, v10.16b, v13.16b",
            "smlal v22.8h, v11.8b, v13.8b",
            "smlal2 v23.8h, v11.16b, v13.16b",
            "smlal v24.8h, v10.8b, v15.8b",
            "smlal2 v25.8h, v10.16b, v15.16b",
            "smlal v26.8h, v11.8b, v15.8b",
            "smlal2 v27.8h, v11.16b, v15.16b",
            "smull v28.8h, v8.8b, v16.8b",
            "smull2 v29.8h, v8.16b, v16.16b",
            "smull v30.8h, v9.8b, v16.8b",
            "smull2 v31.8h, v9.16b, v16.16b",
            "addp v20.8h, v20.8h, v21.8h",
            "addp v22.8h, v22.8h, v23.8h",
            "addp v24.8h, v24.8h, v25.8h",
            "addp v26.8h, v26.8h, v27.8h",
            "smull v21.8h, v8.8b, v18.8b",
            "smull2 v23.8h, v8.16b, v18.16b",
            "smull v25.8h, v9.8b, v18.8b",
            "smull2 v27.8h, v9.16b, v18.16b",
            "sadalp v0.4s, v20.8h",
            "sadalp v1.4s, v22.8h",
            "sadalp v2.4s, v24.8h",
            "sadalp v3.4s, v26.8h",
            "smlal v28.8h, v10.8b, v17.8b",
            "smlal2 v29.8h, v10.16b, v17.16b",
            "smlal v30.8h, v11.8b, v17.8b",
            "smlal2 v31.8h, v11.16b, v17.16b",
            "smlal v21.8h, v10.8b, v19.8b",
            "smlal2 v23.8h, v10.16b, v19.16b",
            "smlal v25.8h, v11.8b, v19.8b",
            "smlal2 v27.8h, v11.16b, v19.16b",
            "addp v28.8h, v28.8h, v29.8h",
            "addp v30.8h, v30.8h, v31.8h",
            "addp v21.8h, v21.8h, v23.8h",
            "addp v25.8h, v25.8h, v27.8h",
            "sadalp v4.4s, v28.8h",
            "sadalp v5.4s, v30.8h",
            "sadalp v6.4s, v21.8h",
            "sadalp v7.4s, v25.8h",
            "add {a2}, {a2}, #8",
            "add {b2}, {b2}, #8",
            "add {a3}, {a3}, #8",
            "add {b3}, {b3}, #8",
            "b.ne 2b",
            weights = inout(reg) weights => _,
            octets = inout(reg) octets => _,
            a0 = inout(reg) inputs[0] => _, b0 = inout(reg) inputs[0].add(4) => _,
            a1 = inout(reg) inputs[1] => _, b1 = inout(reg) inputs[1].add(4) => _,
            a2 = inout(reg) inputs[2] => _, b2 = inout(reg) inputs[2].add(4) => _,
            a3 = inout(reg) inputs[3] => _, b3 = inout(reg) inputs[3].add(4) => _,
            inout("v0") *s0,            inout("v1") *s1,
            inout("v2") *s2,            inout("v3") *s3,
            inout("v4") *s4,            inout("v5") *s5,
            inout("v6") *s6,            inout("v7") *s7,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(readonly, nostack),
        );
    }
}
