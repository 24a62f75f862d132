//! Kernels for 32-bit Arm with NEON, where values are stored as signed bytes: 128 less.
//!
//! They are assembly, for the reasons told in [`crate::assembly`]. Outputs lie in order in a panel.
//!
//! # Denormal numbers
//! NEON on 32-bit Arm takes f32 below 2⁻¹²⁶ for 0. A sum is an integer, so only a multiplier below 2⁻⁹⁹ can
//! make a product that small. Before rounding to bytes it is 0 steps either way: beside a residual's term it
//! decides nothing, since it is less than half a unit in the last place of all that rounds to 1 or more, and
//! halves are represented exactly. Only real numbers as results tell, so there the reference takes over.

mod depthwise;
mod maps;
mod pointwise;

use super::kernels::Kernels;
use super::layers::{Depthwise, Pointwise};
use super::layout::{Area, GROUP, Residual, SourceMap, TargetMap, Windows};
use super::reference::Reference;
use super::strip::strips;
use crate::cpu::Neon;
use std::ops::Range;

impl Kernels for Neon {
    fn name(&self) -> &'static str {
        "neon"
    }

    fn offset(&self) -> u8 {
        128
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
        unsafe { depthwise::bytes(layer, groups, windows, target, pixel) }
    }

    unsafe fn depthwise_real(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut f32,
        pixel: usize,
    ) {
        let channels = groups.start * GROUP..groups.end * GROUP;
        let usual = |multiplier: &f32| *multiplier == 0.0 || *multiplier > 1e-20;
        // SAFETY: `self` proves the instructions; the caller promises the pixels.
        unsafe {
            if layer.multiplier()[channels].iter().all(usual) {
                depthwise::reals(layer, groups, windows, target, pixel);
            } else {
                Reference::SIGNED.depthwise_real(layer, groups, windows, target, pixel);
            }
        }
    }
}
