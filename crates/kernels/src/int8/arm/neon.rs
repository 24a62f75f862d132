//! NEON without dot product, as on Cortex-A53 and A72: eight products per multiplication of bytes.
//!
//! `smull` and `smlal` multiply bytes and add up two products in 16 bits. `addp` makes that four, still in 16
//! bits ([`pack`](crate::int8::pack) has checked that they fit), and `sadalp` widens them to 32 bits. That is
//! one more addition than widening at once, but half as many sums in registers. The multiplications alone
//! bound the speed of an A72, all of these instructions together that of an A53.

mod depthwise;
mod pointwise;

use super::requantize;
use crate::cpu::Neon;
use crate::int8::kernels::Kernels;
use crate::int8::layers::{Depthwise, Pointwise};
use crate::int8::layout::{Area, Residual, SourceMap, TargetMap, Windows};
use crate::int8::strip::strips;
use std::ops::Range;

impl Kernels for Neon {
    fn name(&self) -> &'static str {
        "neon"
    }

    fn offset(&self) -> u8 {
        128
    }

    fn lane(&self, output: usize) -> usize {
        requantize::lane(output)
    }

    unsafe fn pointwise(
        &self,
        layer: &Pointwise,
        groups: Range<usize>,
        area: Area,
        source: SourceMap,
        target: TargetMap,
        residual: Option<&Residual>,
    ) {
        strips(layer, groups, area, source, target, residual, |strip| {
            // SAFETY: `self` proves the instructions; the caller promises the pixels.
            unsafe { pointwise::pointwise(strip) }
        });
    }

    unsafe fn depthwise(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut u8,
        pixel: usize,
    ) {
        // SAFETY: `self` proves the instructions; the caller promises the pixels.
        unsafe { depthwise::bytes(layer, groups, windows, target.cast(), pixel) }
    }

    unsafe fn depthwise_real(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut f32,
        pixel: usize,
    ) {
        // SAFETY: `self` proves the instructions; the caller promises the pixels.
        unsafe { depthwise::reals(layer, groups, windows, target, pixel) }
    }
}
