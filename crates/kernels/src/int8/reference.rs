//! The kernels in plain scalar Rust: what all others are compared with, and what 32-bit Arm runs.

use super::pack::{Depthwise, Pointwise};
use super::{Area, GROUP, Kernels, Residual, Source, Target, Windows};
use std::ops::Range;

/// Plain scalar kernels, for either way of storing bytes.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    offset: u8,
}

impl Reference {
    /// Values stored as unsigned bytes, as on x86.
    pub const UNSIGNED: Self = Self { offset: 0 };
    /// Values stored as signed bytes, as on Arm.
    pub const SIGNED: Self = Self { offset: 128 };
}

/// The stored byte as the number that is multiplied.
#[inline(always)]
fn stored(byte: u8, offset: u8) -> i32 {
    // Stored signed, the byte 0x80 is −128: the value 0, minus 128.
    if offset == 0 { i32::from(byte) } else { i32::from(byte as i8) }
}

/// A real number, in units of the target's scale, as the byte that is stored.
#[inline(always)]
fn requantize(real: f32, zero_point: u8, offset: u8) -> u8 {
    let value = real.round_ties_even() as i32 + i32::from(zero_point);
    (value.clamp(0, 255) as u8).wrapping_sub(offset)
}

impl Kernels for Reference {
    fn name(&self) -> &'static str {
        "scalar"
    }

    fn offset(&self) -> u8 {
        self.offset
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
        let (panel, first) = (layer.panel(), groups.start * GROUP);
        for row in 0..area.rows {
            for column in 0..area.columns {
                for output in first..groups.end * GROUP {
                    // SAFETY: the caller promises all of these pixels, and the layer has whole panels.
                    unsafe {
                        let input = source.start.add(row * source.row + column * source.pixel);
                        let weights = layer.weights(output / panel).add(output % panel * 4);
                        let mut sum = layer.bias()[output];
                        for index in 0..layer.inputs() {
                            let weight = *weights.add(index / 4 * panel * 4 + index % 4);
                            sum += stored(*input.add(index), self.offset) * i32::from(weight);
                        }
                        let mut real = sum as f32 * layer.multiplier()[output];
                        let at = row * target.row + column * target.pixel + output - first;
                        if let Some(residual) = residual {
                            let value = (*residual.start.add(at)).wrapping_add(self.offset);
                            let centred = i32::from(value) - i32::from(residual.zero_point);
                            real += centred as f32 * residual.multiplier;
                        }
                        *target.start.add(at) = requantize(real, layer.zero_point(), self.offset);
                    }
                }
            }
        }
    }

    unsafe fn depthwise(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut u8,
        pixel: usize,
    ) {
        let first = groups.start * GROUP;
        for column in 0..windows.columns {
            for channel in first..groups.end * GROUP {
                // SAFETY: the caller promises all of these pixels.
                unsafe {
                    let real = depthwise_sum(self.offset, layer, channel, first, windows, column);
                    *target.add(column * pixel + channel - first) =
                        requantize(real, layer.zero_point(), self.offset);
                }
            }
        }
    }
}

/// One output of a depthwise convolution, in units of the target's scale.
///
/// # Safety
/// As for [`Kernels::depthwise`].
#[inline(always)]
unsafe fn depthwise_sum(
    offset: u8,
    layer: &Depthwise,
    channel: usize,
    first: usize,
    windows: &Windows,
    column: usize,
) -> f32 {
    let mut sum = layer.bias()[channel];
    for tap in 0..9 {
        // SAFETY: as the caller promises.
        unsafe {
            let pixel = windows.stride * column + tap % 3;
            let value = *windows.rows[tap / 3].add(pixel * windows.pixel + channel - first);
            sum += stored(value, offset) * i32::from(*layer.weights(tap, channel));
        }
    }
    sum as f32 * layer.multiplier()[channel]
}

/// [`Kernels::depthwise_real`] in plain Rust.
///
/// # Safety
/// As for that.
pub(super) unsafe fn depthwise_real(
    offset: u8,
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut f32,
    pixel: usize,
) {
    let first = groups.start * GROUP;
    for column in 0..windows.columns {
        for channel in first..groups.end * GROUP {
            // SAFETY: as the caller promises.
            unsafe {
                *target.add(column * pixel + channel - first) =
                    depthwise_sum(offset, layer, channel, first, windows, column);
            }
        }
    }
}
