//! Settings of the quantization: how many faces and pictures calibrate it, and how far ranges reach.

use super::ranges::Quantization;

/// Settings of the quantization.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// Share of the pictures whose extremes a map's range covers; the rest saturates. 1 covers all.
    pub quantile: f64,
    /// Faces that the classifier's ranges are learned from.
    pub faces: usize,
    /// Sides of the classifier's input that take turns.
    pub inputs: Vec<u32>,
    /// Pictures that the detector's ranges are learned from.
    pub pictures: usize,
    /// Width and height of the detector's input.
    pub detector_input: (u32, u32),
    /// Decides which faces and pictures.
    pub seed: u64,
}

impl Choices {
    /// How a map of values from 0 on is coded that a 1×1 convolution reads.
    pub(super) fn unsigned_map(&self, ranges: &[(f32, f32)]) -> Quantization {
        Quantization { zero_point: 0, ..self.per_tensor(ranges) }
    }

    pub(super) fn per_tensor(&self, ranges: &[(f32, f32)]) -> Quantization {
        Quantization::per_tensor(ranges)
    }
}
