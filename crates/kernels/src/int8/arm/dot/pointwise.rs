//! The 1×1 convolution: tiles of eight pixels and eight outputs.

use crate::int8::arm::requantize::{Rounding, Scales, residual_term};
use crate::int8::arm::strip::StripVariant;
use crate::int8::layout::GROUP;
use crate::int8::strip::PanelStrip;
use std::arch::aarch64::*;
use std::arch::asm;

/// Pixels of a tile.
const PIXELS: usize = 8;
/// Bytes of the weights of four neighbouring inputs in a panel.
const QUAD: usize = 4 * GROUP;

/// Adds to each of four sums the products of its four weights and the four inputs of lane `LANE`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot_lane<const LANE: usize>(sums: int32x4_t, weights: int8x16_t, inputs: int8x16_t) -> int32x4_t {
    let mut result = sums;
    // SAFETY: the CPU has the instruction, as the target feature says; it touches registers only.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {weights:v}.16b, {inputs:v}.4b[{lane}]",
            sums = inlateout(vreg) result, weights = in(vreg) weights, inputs = in(vreg) inputs,
            lane = const LANE,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    result
}

/// Computes all pixels of a strip.
///
/// # Safety
/// As for [`Kernels::pointwise`](crate::int8::Kernels::pointwise), for the strip's pixels and panel.
#[target_feature(enable = "neon,dotprod")]
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

/// What all tiles of a strip have in common.
struct DotPanel<'a, const SMALL: bool, const EVEN: bool> {
    weights: *const i8,
    inputs: usize,
    scales: &'a Scales<2, SMALL>,
    rounding: &'a Rounding<SMALL, EVEN>,
}

/// Computes all pixels of a strip, eight at a time. For `SMALL` and `EVEN` see [`Rounding`]; `ADD` adds the
/// strip's residual.
///
/// # Safety
/// As for [`pointwise`].
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn tiles<const SMALL: bool, const EVEN: bool, const ADD: bool>(strip: &PanelStrip<'_>) {
    let PanelStrip { layer, area, source, target, .. } = strip;
    let scales = Scales::<2, SMALL>::eight(layer.bias(), layer.multiplier(), strip.group * GROUP);
    let rounding = Rounding::<SMALL, EVEN>::new(layer.zero_point(), Scales::<2, SMALL>::UNIT);
    let panel = DotPanel {
        weights: layer.weights(strip.group),
        inputs: layer.inputs(),
        scales: &scales,
        rounding: &rounding,
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
                7 => tile::<7, SMALL, EVEN, ADD>(strip, &panel, input, at),
                6 => tile::<6, SMALL, EVEN, ADD>(strip, &panel, input, at),
                5 => tile::<5, SMALL, EVEN, ADD>(strip, &panel, input, at),
                4 => tile::<4, SMALL, EVEN, ADD>(strip, &panel, input, at),
                3 => tile::<3, SMALL, EVEN, ADD>(strip, &panel, input, at),
                2 => tile::<2, SMALL, EVEN, ADD>(strip, &panel, input, at),
                1 => tile::<1, SMALL, EVEN, ADD>(strip, &panel, input, at),
                _ => {}
            }
        }
    }
}

/// Computes `P` pixels, whose inputs begin at `input` and whose outputs go `at` bytes behind the strip's
/// first.
///
/// # Safety
/// As for [`pointwise`], for these pixels of the strip.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn tile<const P: usize, const SMALL: bool, const EVEN: bool, const ADD: bool>(
    strip: &PanelStrip<'_>,
    panel: &DotPanel<'_, SMALL, EVEN>,
    input: *const i8,
    at: usize,
) {
    // SAFETY: the layer has whole panels of weights, biases and multipliers; the pixels are the caller's
    // promise.
    unsafe {
        let mut sums: [[int32x4_t; 2]; P] = [[vdupq_n_s32(0); 2]; P];
        for sums in &mut sums {
            *sums = panel.scales.start();
        }
        let mut weights = panel.weights;
        macro_rules! quad {
            ($lane:literal, $values:ident) => {
                let w = [vld1q_s8(weights.add($lane * QUAD)), vld1q_s8(weights.add($lane * QUAD + 16))];
                for p in 0..P {
                    sums[p][0] = dot_lane::<$lane>(sums[p][0], w[0], $values[p]);
                    sums[p][1] = dot_lane::<$lane>(sums[p][1], w[1], $values[p]);
                }
            };
        }
        let mut values = [vdupq_n_s8(0); P];
        let mut input = input;
        for _ in 0..panel.inputs / 16 {
            let mut next = input;
            for values in &mut values {
                *values = load_next::<16>(&mut next, strip.source.pixel);
            }
            quad!(0, values);
            quad!(1, values);
            quad!(2, values);
            quad!(3, values);
            weights = weights.add(4 * QUAD);
            input = input.add(16);
        }
        if !panel.inputs.is_multiple_of(16) {
            for values in &mut values {
                *values = load_next::<8>(&mut input, strip.source.pixel);
            }
            quad!(0, values);
            quad!(1, values);
        }
        let mut target = strip.target.start.wrapping_add(at).cast::<i8>();
        let multiplier = panel.scales.multiplier();
        let rounding = *panel.rounding;
        for (p, sums) in sums.into_iter().enumerate() {
            let at = at + p * strip.target.pixel;
            let mut reals = panel.scales.reals(sums, &multiplier);
            if ADD && let Some(residual) = &strip.residual {
                let term = residual_term(residual.start.add(at).cast(), residual, Scales::<2, SMALL>::UNIT);
                reals = [vaddq_f32(reals[0], term[0]), vaddq_f32(reals[1], term[1])];
            }
            store_next(&mut target, strip.target.pixel, rounding.eight(reals));
        }
    }
}

/// `BYTES` (8 or 16) bytes of a pixel, the rest 0. Moves `from` on by `pixel` bytes, to the next pixel.
///
/// In assembly, here and below, since compilers turn one moving pointer into more than there are registers.
///
/// # Safety
/// The bytes are readable.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_next<const BYTES: usize>(from: &mut *const i8, pixel: usize) -> int8x16_t {
    let to: int8x16_t;
    // SAFETY: as the caller promises.
    unsafe {
        if BYTES == 16 {
            asm!("ldr {to:q}, [{from}]", "add {from}, {from}, {pixel}",
                to = out(vreg) to, from = inout(reg) *from, pixel = in(reg) pixel,
                options(readonly, nostack, preserves_flags));
        } else {
            asm!("ldr {to:d}, [{from}]", "add {from}, {from}, {pixel}",
                to = out(vreg) to, from = inout(reg) *from, pixel = in(reg) pixel,
                options(readonly, nostack, preserves_flags));
        }
    }
    to
}

/// Writes eight values of a pixel. Moves `to` on by `pixel` bytes, to the next pixel.
///
/// # Safety
/// There is room for the values.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_next(to: &mut *mut i8, pixel: usize, values: int8x8_t) {
    // SAFETY: as the caller promises.
    unsafe {
        asm!("st1 {{{values:v}.8b}}, [{to}], {pixel}",
            values = in(vreg) values, to = inout(reg) *to, pixel = in(reg) pixel,
            options(nostack, preserves_flags));
    }
}
