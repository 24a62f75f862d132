//! NEON without dot product, as on Cortex-A53 and A72: eight products per multiplication of bytes.
//!
//! `smull` and `smlal` multiply bytes and add up two products in 16 bits; `addp` makes that four, still in 16
//! bits ([`super::pack`] has checked that they fit), and `sadalp` widens them. That is one more addition, but
//! half as many sums in registers, as widening at once; the multiplications alone bound the speed of an A72,
//! all of them together that of an A53.

use super::neon_depthwise as depthwise;
use super::neon_pointwise::pointwise;
use super::pack::{Depthwise, Pointwise};
use super::requantize;
use super::strip::strips;
use super::{Area, Kernels, Residual, Source, Target, Windows};
use std::ops::Range;

/// Kernels for every 64-bit Arm CPU.
#[derive(Debug)]
pub(super) struct Neon;

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
        source: Source,
        target: Target,
        residual: Option<&Residual>,
    ) {
        strips(layer, groups, area, source, target, residual, |strip| {
            // SAFETY: the caller promises the pixels.
            unsafe { pointwise(strip) }
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
        // SAFETY: the caller promises the pixels.
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
        // SAFETY: the caller promises the pixels.
        unsafe { depthwise::reals(layer, groups, windows, target, pixel) }
    }
}
