//! The 1×1 convolution: tiles of four pixels and eight outputs.

use crate::int8::arm::requantize::{Rounding, Scales, residual_term};
use crate::int8::arm::strip::StripVariant;
use crate::int8::layout::GROUP;
use crate::int8::strip::PanelStrip;
use std::arch::aarch64::*;
use std::arch::asm;

/// Pixels of a tile.
const PIXELS: usize = 4;

/// Computes all pixels of a strip.
///
/// # Safety
/// As for [`Kernels::pointwise`](crate::int8::Kernels::pointwise), for the strip's pixels and panel.
#[target_feature(enable = "neon")]
pub(super) unsafe fn pointwise(strip: &PanelStrip<'_>) {
    // SAFETY: the caller promises the pixels.
    unsafe {
        match StripVariant::of(strip) {
            StripVariant { small: true, even: true, add: false } => tiles::<true, true, false>(strip),
            StripVariant { small: true, add: false, .. } => tiles::<true, false, false>(strip),
            StripVariant { small: true, add: true, .. } => tiles::<true, false, true>(strip),
            StripVariant { small: false, add: false, .. } => tiles::<false, false, false>(strip),
            StripVariant { small: false, add: true, .. } => tiles::<false, false, true>(strip),
        }
    }
}

/// Computes all pixels of a strip, four at a time. For `SMALL` and `EVEN` see [`Rounding`]; `ADD` adds the
/// strip's residual.
///
/// # Safety
/// As for [`pointwise`].
#[target_feature(enable = "neon")]
unsafe fn tiles<const SMALL: bool, const EVEN: bool, const ADD: bool>(strip: &PanelStrip<'_>) {
    let PanelStrip { layer, area, source, target, .. } = strip;
    let scales = Scales::<2, false>::eight(layer.bias(), layer.multiplier(), strip.group * GROUP);
    let panel = NeonPanel::<SMALL, EVEN> {
        weights: layer.weights(strip.group),
        octets: layer.inputs() / 8,
        scales: &scales,
        rounding: Rounding::new(layer.zero_point(), 1.0),
    };
    for row in 0..area.rows {
        let mut input = source.start.wrapping_add(row * source.row).cast::<i8>();
        let mut at = row * target.row;
        let mut left = area.columns;
        // SAFETY: the caller promises these pixels.
        unsafe {
            while left >= PIXELS {
                tile::<PIXELS, SMALL, EVEN, ADD>(strip, &panel, input, at);
                input = input.wrapping_add(PIXELS * source.pixel);
                at += PIXELS * target.pixel;
                left -= PIXELS;
            }
            match left {
                3 => tile::<3, SMALL, EVEN, ADD>(strip, &panel, input, at),
                2 => tile::<2, SMALL, EVEN, ADD>(strip, &panel, input, at),
                1 => tile::<1, SMALL, EVEN, ADD>(strip, &panel, input, at),
                _ => {}
            }
        }
    }
}

/// What all tiles of a strip have in common.
struct NeonPanel<'a, const SMALL: bool, const EVEN: bool> {
    weights: *const i8,
    /// Inputs in eights.
    octets: usize,
    scales: &'a Scales<2, false>,
    rounding: Rounding<SMALL, EVEN>,
}

/// Computes `P` pixels, whose inputs begin at `input` and whose outputs go `at` bytes behind the strip's
/// first.
///
/// # Safety
/// As for [`pointwise`], for these pixels of the strip.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn tile<const P: usize, const SMALL: bool, const EVEN: bool, const ADD: bool>(
    strip: &PanelStrip<'_>,
    panel: &NeonPanel<'_, SMALL, EVEN>,
    input: *const i8,
    at: usize,
) {
    // SAFETY: the layer has whole panels of weights, biases and multipliers; the pixels are the caller's
    // promise.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); 2]; P];
        let mut inputs = [input; P];
        for (p, (sums, inputs)) in sums.iter_mut().zip(&mut inputs).enumerate() {
            *sums = panel.scales.start();
            *inputs = input.add(p * strip.source.pixel);
        }
        if let (Ok(sums), Ok(inputs)) = (sums.as_mut_slice().try_into(), inputs.as_slice().try_into()) {
            add_four(sums, panel.weights, inputs, panel.octets);
        } else {
            add(&mut sums, panel.weights, inputs, panel.octets);
        }
        // Each step is done for all pixels before the next, since an A53 executes in order.
        let multiplier = panel.scales.multiplier();
        let mut reals = [[vdupq_n_f32(0.0); 2]; P];
        for (reals, sums) in reals.iter_mut().zip(sums) {
            *reals = panel.scales.reals(sums, &multiplier);
        }
        if ADD && let Some(residual) = &strip.residual {
            for (p, reals) in reals.iter_mut().enumerate() {
                let at = at + p * strip.target.pixel;
                let term = residual_term(residual.start.add(at).cast(), residual, 1.0);
                *reals = [vaddq_f32(reals[0], term[0]), vaddq_f32(reals[1], term[1])];
            }
        }
        let values = panel.rounding.pixels(reals);
        for (p, values) in values.into_iter().enumerate() {
            vst1_s8(strip.target.start.add(at + p * strip.target.pixel).cast(), values);
        }
    }
}

/// Adds the products of `8 · octets` inputs of each pixel.
///
/// # Safety
/// `8 · octets` bytes are readable at each of `inputs`, and eight times as many at `weights`.
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

/// As [`add`], for four pixels and in an order that suits CPUs which execute in order: few loads, in groups,
/// and at least six instructions from a result to its use. Compilers keep what belongs together side by side.
///
/// # Safety
/// As for [`add`]; `octets` is not 0.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_four(
    sums: &mut [[int32x4_t; 2]; 4],
    weights: *const i8,
    inputs: [*const i8; 4],
    octets: usize,
) {
    // The loop reads, per octet, two quads of weights of a panel with eight outputs, and advances by as much.
    const { assert!(2 * 4 * GROUP == 64) };
    let [[s0, s1], [s2, s3], [s4, s5], [s6, s7]] = sums;
    // SAFETY: the CPU has NEON, as the target feature says; the caller promises what is read. v8 to v11 are
    // weights, v12 to v19 the first and the last four inputs of an octet, v20 to v31 products.
    unsafe {
        asm!(
            "2:",
            "ldr q8, [{weights}]",
            "ld2r {{v12.4s, v13.4s}}, [{input0}]",
            "ldr q9, [{weights}, #16]",
            "add {input0}, {input0}, #8",
            "ld2r {{v14.4s, v15.4s}}, [{input1}]",
            "add {input1}, {input1}, #8",
            "ldr q10, [{weights}, #32]",
            "sub {octets}, {octets}, #1",
            "ldr q11, [{weights}, #48]",
            "add {weights}, {weights}, #64",
            "ld2r {{v16.4s, v17.4s}}, [{input2}]",
            "add {input2}, {input2}, #8",
            "ld2r {{v18.4s, v19.4s}}, [{input3}]",
            "add {input3}, {input3}, #8",
            "smull v20.8h, v8.8b, v12.8b",
            "smull2 v21.8h, v8.16b, v12.16b",
            "smull v22.8h, v9.8b, v12.8b",
            "smull2 v23.8h, v9.16b, v12.16b",
            "smull v24.8h, v8.8b, v14.8b",
            "smull2 v25.8h, v8.16b, v14.16b",
            "smull v26.8h, v9.8b, v14.8b",
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
            "sadalp v0.4s, v20.8h",
            "sadalp v1.4s, v22.8h",
            "addp v21.8h, v21.8h, v23.8h",
            "addp v25.8h, v25.8h, v27.8h",
            "sadalp v2.4s, v24.8h",
            "sadalp v3.4s, v26.8h",
            "sadalp v4.4s, v28.8h",
            "sadalp v5.4s, v30.8h",
            "sadalp v6.4s, v21.8h",
            "sadalp v7.4s, v25.8h",
            "cbnz {octets}, 2b",
            weights = inout(reg) weights => _,
            octets = inout(reg) octets => _,
            input0 = inout(reg) inputs[0] => _, input1 = inout(reg) inputs[1] => _,
            input2 = inout(reg) inputs[2] => _, input3 = inout(reg) inputs[3] => _,
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
