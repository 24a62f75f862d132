//! Layers from a weight file, packed for some kernels.

use super::file::QuantizedWeights;
use super::layers::Stem;
use crate::nn::NetworkError;
use maskwatch_kernels::int8::{Depthwise, GROUP, Kernels, Pointwise};

/// Reads layers from a weight file and packs them for some kernels.
pub(super) struct LayerReader<'a> {
    pub(super) weights: &'a QuantizedWeights,
    pub(super) kernels: &'static dyn Kernels,
}

impl LayerReader<'_> {
    /// A 1×1 convolution, with the zero point of its input.
    pub(super) fn pointwise(
        &self,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<(Pointwise, u8), NetworkError> {
        let (weights, requantization) = self.weights.layer(name, outputs, inputs)?;
        let layer = Pointwise::new(self.kernels, &weights, outputs, &requantization);
        Ok((self.weights.packed(name, layer)?, requantization.input_zero_point))
    }

    /// A depthwise convolution, with the zero point of its input.
    pub(super) fn depthwise(&self, name: &str, channels: usize) -> Result<(Depthwise, u8), NetworkError> {
        debug_assert!(channels.is_multiple_of(GROUP));
        let (weights, requantization) = self.weights.layer(name, channels, 9)?;
        let layer = Depthwise::new(self.kernels, &weights, &requantization);
        Ok((self.weights.packed(name, layer)?, requantization.input_zero_point))
    }

    /// The first convolution of a network: 27 taps, row by row, RGB. It reads the picture's bytes.
    pub(super) fn stem(&self, name: &str, outputs: usize) -> Result<Stem, NetworkError> {
        let (layer, _) = self.pointwise(name, 27, outputs)?;
        let padding = self.weights.reals(&format!("{name}.padding"), &[3])?;
        let byte = |index: usize| padding[index].round().clamp(0.0, 255.0) as u8;
        Ok(Stem { layer, padding: [byte(0), byte(1), byte(2)] })
    }
}
