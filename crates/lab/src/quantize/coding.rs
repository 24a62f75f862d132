//! How the maps between layers are coded, and what a layer reads of them.

use super::ranges::{self, Observations, Quantization};
use super::rounding::{Reads, RealLayer};
use maskwatch::pixels::preprocess::{MEAN, STANDARD_DEVIATION};

/// What is read of the map `name`, coded so.
pub(super) fn reads(seen: &Observations, name: &str, coding: &Quantization) -> Reads {
    let seen = seen.get(name);
    Reads { coding: coding.clone(), means: seen.means(), mean_squares: seen.mean_squares() }
}

/// Scales for a map that `layer` reads: steps of map and weights depend on each other and settle soon.
pub(super) fn read_by(layer: &RealLayer, least: &[f32], mean_squares: &[f32]) -> Vec<f32> {
    let largest = least.iter().fold(0.0f32, |largest, step| largest.max(*step));
    let mut scale = vec![largest; least.len()];
    for _ in 0..4 {
        let steps: Vec<f32> = layer
            .weights
            .iter()
            .map(|row| {
                let largest = row.iter().zip(&scale).map(|(weight, scale)| (weight * scale).abs());
                // About what the search over scales ends with: the sums want room for more than one large
                // weight.
                largest.fold(0.0, f32::max) / 90.0
            })
            .collect();
        scale = ranges::balanced(least, mean_squares, &layer.weights, &steps);
    }
    scale
}

/// The picture's bytes as they are, with the moments of ImageNet's pictures.
pub(super) fn picture() -> Reads {
    let coding = Quantization { scale: vec![1.0; 27], zero_point: 0 };
    let mean = |at: usize| 255.0 * MEAN[at % 3];
    let mean_square = |at: usize| mean(at).powi(2) + (255.0 * STANDARD_DEVIATION[at % 3]).powi(2);
    Reads { coding, means: (0..27).map(mean).collect(), mean_squares: (0..27).map(mean_square).collect() }
}
