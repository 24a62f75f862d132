//! AVX2: 32 products per multiplication of bytes.
//!
//! `vpmaddubsw` multiplies unsigned bytes by signed ones and adds neighbours in 16 bits. Two such results are
//! added, still in 16 bits ([`pack`](crate::int8::pack) has checked that they fit), before `vpmaddwd` with
//! ones widens them to 32 bits. So 64 products take three multiplications and two additions. The
//! multiplications alone bound the speed on most CPUs, which do two per cycle.

pub(super) mod depthwise;
mod pointwise;

use crate::cpu::Avx2;
use crate::int8::kernels::Kernels;
use crate::int8::layers::{Depthwise, Pointwise};
use crate::int8::layout::{Area, Residual, SourceMap, TargetMap, Windows};
use std::ops::Range;

impl Kernels for Avx2 {
    fn name(&self) -> &'static str {
        "avx2"
    }

    fn offset(&self) -> u8 {
        0
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
        unsafe { depthwise::depthwise::<false>(layer, groups, windows, target, pixel) }
    }

    unsafe fn depthwise_real(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut f32,
        pixel: usize,
    ) {
        // SAFETY: `self` proves the instructions; the caller promises the pixels, of four bytes per value.
        unsafe { depthwise::depthwise::<true>(layer, groups, windows, target.cast(), 4 * pixel) }
    }
}
