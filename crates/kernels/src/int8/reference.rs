//! The kernels in plain scalar Rust: what all others are compared with, and what CPUs without kernels of
//! their own run.

use super::kernels::Kernels;
use super::layers::{Depthwise, Pointwise};
use super::layout::{Area, GROUP, Residual, SourceMap, TargetMap, Windows};
use std::ops::Range;

/// Plain scalar kernels, for either way of storing bytes. They run on every CPU.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    offset: u8,
}

impl Reference {
    /// Stores values as unsigned bytes, as the kernels for x86 do.
    pub const UNSIGNED: Self = Self { offset: 0 };
    /// Stores values as signed bytes, as the kernels for Arm do.
    pub const SIGNED: Self = Self { offset: 128 };

    /// The stored byte as the number that is multiplied.
    #[inline(always)]
    fn factor(self, byte: u8) -> i32 {
        // Stored signed, the byte 0x80 is −128: the value 0, minus 128.
        if self.offset == 0 { i32::from(byte) } else { i32::from(byte as i8) }
    }

    /// The byte to be stored for a real number in units of the target's scale.
    #[inline(always)]
    fn requantize(self, real: f32, zero_point: u8) -> u8 {
        let value = real.round_ties_even() as i32 + i32::from(zero_point);
        (value.clamp(0, 255) as u8).wrapping_sub(self.offset)
    }

    /// One result of a depthwise convolution, in units of the target's scale. `first` is the channel at which
    /// `windows` begins.
    ///
    /// # Safety
    /// As for [`Kernels::depthwise`].
    #[inline(always)]
    unsafe fn depthwise_sum(
        self,
        layer: &Depthwise,
        channel: usize,
        first: usize,
        windows: &Windows,
        column: usize,
    ) -> f32 {
        let mut sum = layer.bias()[channel];
        for tap in 0..9 {
            // SAFETY: the caller promises the pixels of all windows; the layer has nine weights per channel.
            unsafe {
                let pixel = windows.stride * column + tap % 3;
                let value = *windows.rows[tap / 3].add(pixel * windows.pixel + channel - first);
                sum += self.factor(value) * i32::from(*layer.weights(tap, channel));
            }
        }
        sum as f32 * layer.multiplier()[channel]
    }
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
        source: SourceMap,
        target: TargetMap,
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
                            sum += self.factor(*input.add(index)) * i32::from(weight);
                        }
                        let mut real = sum as f32 * layer.multiplier()[output];
                        let at = row * target.row + column * target.pixel + output - first;
                        if let Some(residual) = residual {
                            let value = (*residual.start.add(at)).wrapping_add(self.offset);
                            let centred = i32::from(value) - i32::from(residual.zero_point);
                            real += centred as f32 * residual.multiplier;
                        }
                        *target.start.add(at) = self.requantize(real, layer.zero_point());
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
                    let real = self.depthwise_sum(layer, channel, first, windows, column);
                    *target.add(column * pixel + channel - first) = self.requantize(real, layer.zero_point());
                }
            }
        }
    }

    unsafe fn depthwise_real(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut f32,
        pixel: usize,
    ) {
        let first = groups.start * GROUP;
        for column in 0..windows.columns {
            for channel in first..groups.end * GROUP {
                // SAFETY: the caller promises all of these pixels.
                unsafe {
                    let real = self.depthwise_sum(layer, channel, first, windows, column);
                    *target.add(column * pixel + channel - first) = real;
                }
            }
        }
    }
}
