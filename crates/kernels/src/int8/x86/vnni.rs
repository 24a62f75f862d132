//! AVX-512 VNNI: 64 products per instruction, added up in 32 bits by fours.
//!
//! `vpdpbusd` adds four products of unsigned and signed bytes to each of 16 sums at once and does not
//! saturate. So a panel of packed weights is 16 outputs wide.

mod depthwise;
mod pointwise;
mod registers;

use super::avx2::depthwise as avx2;
use crate::cpu::Avx512Vnni;
use crate::int8::kernels::Kernels;
use crate::int8::layers::{Depthwise, Pointwise};
use crate::int8::layout::{Area, Residual, SourceMap, TargetMap, Windows};
use std::ops::Range;

impl Kernels for Avx512Vnni {
    fn name(&self) -> &'static str {
        "avx512-vnni"
    }

    fn offset(&self) -> u8 {
        0
    }

    fn panel(&self) -> usize {
        pointwise::PANEL
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
        // SAFETY: `self` proves the instructions; the caller promises the pixels.
        unsafe { pointwise::pointwise(layer, groups, area, source, target, residual) }
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
        unsafe { depthwise::depthwise(layer, groups, windows, target, pixel) }
    }

    unsafe fn depthwise_real(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut f32,
        pixel: usize,
    ) {
        // AVX2 does as well for the few channels of a network's last layer.
        // SAFETY: `self` proves AVX2, too, whose kernels read depthwise layers as they are and store bytes in
        // the same way; the caller promises the pixels, of four bytes per value.
        unsafe { avx2::depthwise::<true>(layer, groups, windows, target.cast(), 4 * pixel) }
    }
}
