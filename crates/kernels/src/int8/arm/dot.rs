//! NEON with dot product, as on Cortex-A76: sixteen products per instruction, added up in 32 bits at once.
//!
//! `sdot` adds four products of bytes to each of four sums. The standard library has no stable function for
//! it, so it is one line of assembly.

mod block;
mod depthwise;
mod pointwise;
mod row;

use super::requantize;
use crate::cpu::Dot;
use crate::int8::kernels::Kernels;
use crate::int8::layers::{CacheLine, Depthwise, Pointwise};
use crate::int8::layout::{Area, Residual, SourceMap, TargetMap, Windows};
use crate::int8::strip::strips;
use std::ops::Range;

impl Kernels for Dot {
    fn name(&self) -> &'static str {
        "neon-dot"
    }

    fn offset(&self) -> u8 {
        128
    }

    fn lane(&self, output: usize) -> usize {
        requantize::lane(output)
    }

    fn prepare(&self, layer: &Depthwise) -> Vec<CacheLine> {
        block::prepare(layer)
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
        unsafe { depthwise::depthwise(layer, groups, windows, target.cast::<i8>(), pixel) }
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
        unsafe { depthwise::depthwise(layer, groups, windows, target, pixel) }
    }
}
