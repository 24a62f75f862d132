//! Real weights → s8 ones within the limits of sums in 16 bits, and the biases that make up for the error on
//! average.

use super::ranges::Quantization;
use maskwatch::nn::NetworkError;
use maskwatch::nn::convolution::{Convolution, ConvolutionKind};
use maskwatch_kernels::int8::GROUP;
use maskwatch_kernels::int8::pack::{DEPTHWISE_SUMS, LIMIT, POINTWISE_SUMS, Requantization};

/// Which weights are added up in 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sums {
    /// Those of a 1×1 convolution.
    Pointwise,
    /// Those of a depthwise filter.
    Depthwise,
}

impl Sums {
    /// The groups of positions whose weights are added up, of an output with `length` weights.
    fn groups(self, length: usize) -> Vec<Vec<usize>> {
        match self {
            Self::Depthwise => DEPTHWISE_SUMS.iter().map(|taps| taps.to_vec()).collect(),
            Self::Pointwise => (0..length)
                .step_by(GROUP)
                .flat_map(|start| POINTWISE_SUMS.map(|sum| sum.map(|at| start + at)))
                .map(|sum| sum.into_iter().filter(|at| *at < length).collect())
                .collect(),
        }
    }
}

/// One output's weights, rounded: `weight ≈ scale · value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounded {
    /// What one step stands for.
    pub scale: f32,
    /// The weights.
    pub values: Vec<i8>,
}

/// Rounds the weights of one output so that Σ importance · error² is as small as a search over scales finds
/// it.
#[must_use]
pub fn round(weights: &[f32], importance: &[f32], sums: Sums) -> Rounded {
    let largest = weights.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
    if largest < 1e-12 {
        return Rounded { scale: 1e-6, values: vec![0; weights.len()] };
    }
    let groups = sums.groups(weights.len());
    let mut best: Option<(f64, Rounded)> = None;
    // From a bit of clipping to more room than any sum needs (four weights as large as the largest one).
    for step in 0..48 {
        let scale = largest / 127.0 * 0.7 * 1.04f32.powi(step);
        let values = fit(weights, importance, scale, &groups);
        let error: f64 = weights
            .iter()
            .zip(&values)
            .zip(importance)
            .map(|((weight, value), importance)| {
                f64::from(*importance) * f64::from(weight - f32::from(*value) * scale).powi(2)
            })
            .sum();
        if best.as_ref().is_none_or(|(least, _)| error < *least) {
            best = Some((error, Rounded { scale, values }));
        }
    }
    best.map_or_else(|| Rounded { scale: 1e-6, values: vec![0; weights.len()] }, |(_, rounded)| rounded)
}

/// Rounds to the nearest, then takes from every sum that is too large where that does the least harm.
fn fit(weights: &[f32], importance: &[f32], scale: f32, groups: &[Vec<usize>]) -> Vec<i8> {
    let mut values: Vec<i8> =
        weights.iter().map(|weight| (weight / scale).round().clamp(-127.0, 127.0) as i8).collect();
    for group in groups {
        for sign in [1i32, -1] {
            let sum =
                |values: &[i8]| group.iter().map(|at| (sign * i32::from(values[*at])).max(0)).sum::<i32>();
            while sum(&values) > LIMIT {
                let harm = |at: usize| {
                    let error = |value: f32| importance[at] * (weights[at] / scale - value).powi(2);
                    let value = f32::from(values[at]);
                    error(value - sign as f32) - error(value)
                };
                let candidates = group.iter().copied().filter(|at| sign * i32::from(values[*at]) > 0);
                // A sum above the limit has a weight of that sign.
                let Some(least) = candidates.min_by(|a, b| harm(*a).total_cmp(&harm(*b))) else { break };
                values[least] -= sign as i8;
            }
        }
    }
    values
}

/// A layer with real weights, as the network has it.
#[derive(Debug, Clone)]
pub struct RealLayer {
    /// `[outputs][inputs or taps]`.
    pub weights: Vec<Vec<f32>>,
    /// One per output.
    pub bias: Vec<f32>,
    /// Which layer it is.
    pub sums: Sums,
}

impl RealLayer {
    /// A convolution's weights, outputs first.
    ///
    /// # Errors
    /// When the network was made for training.
    pub fn of(convolution: &Convolution) -> Result<Self, NetworkError> {
        let sums = match convolution.kind() {
            ConvolutionKind::Depthwise { .. } => Sums::Depthwise,
            ConvolutionKind::Full { .. } | ConvolutionKind::Pointwise { .. } => Sums::Pointwise,
        };
        let Some((weight, bias)) = convolution.folded() else {
            let message = "only networks made for inference are quantized".to_owned();
            return Err(NetworkError::Run(candle_core::Error::Msg(message)));
        };
        Ok(Self { weights: weight.t()?.to_vec2()?, bias: bias.to_vec1()?, sums })
    }
}

/// What a layer reads: how its values are coded, and what is known of them.
#[derive(Debug, Clone)]
pub struct Reads {
    /// Per input channel.
    pub coding: Quantization,
    /// Mean of each input channel; what the rounding of weights adds to the mean of an output is taken off
    /// its bias.
    pub means: Vec<f32>,
    /// Mean square of each input channel; says which weights matter.
    pub mean_squares: Vec<f32>,
}

/// Weights `[outputs, inputs or taps]` and requantization of `layer`, whose results are coded as `writes`.
#[must_use]
pub fn quantize(layer: &RealLayer, reads: &Reads, writes: &Quantization) -> (Vec<i8>, Requantization) {
    let mut weights = Vec::new();
    let mut requantization = Requantization {
        bias: Vec::new(),
        multiplier: Vec::new(),
        input_zero_point: reads.coding.zero_point,
        output_zero_point: writes.zero_point,
    };
    for (output, row) in layer.weights.iter().enumerate() {
        // The channel that weight `at` multiplies.
        let channel = |at: usize| if layer.sums == Sums::Depthwise { output } else { at };
        let per_step: Vec<f32> =
            row.iter().enumerate().map(|(at, weight)| weight * reads.coding.scale[channel(at)]).collect();
        let importance: Vec<f32> = (0..row.len())
            .map(|at| {
                let channel = channel(at);
                (reads.mean_squares[channel] / reads.coding.scale[channel].powi(2)).max(1e-3)
            })
            .collect();
        let mut rounded = round(&per_step, &importance, layer.sums);
        let mut bias = layer.bias[output];
        for (at, value) in rounded.values.iter().enumerate() {
            let channel = channel(at);
            let error = f32::from(*value) * rounded.scale - per_step[at];
            bias -= error * reads.means[channel] / reads.coding.scale[channel];
        }
        // A channel that is nothing but its bias must not make that bias huge.
        rounded.scale = rounded.scale.max(bias.abs() / (1 << 24) as f32);
        requantization.bias.push((bias / rounded.scale).round() as i32);
        requantization.multiplier.push(rounded.scale / writes.scale[output]);
        weights.extend(rounded.values);
    }
    (weights, requantization)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rounded_weights_fit_and_are_near(weights in prop::collection::vec(-1f32..1.0, 1..40)) {
            let rounded = round(&weights, &vec![1.0; weights.len()], Sums::Pointwise);
            for group in Sums::Pointwise.groups(weights.len()) {
                for sign in [1, -1] {
                    let sum: i32 = group.iter().map(|at| (sign * i32::from(rounded.values[*at])).max(0)).sum();
                    prop_assert!(sum <= LIMIT);
                }
            }
            // With room for four weights of size 1 the steps are 1/32: half of one is the largest error that
            // need be.
            let error: f32 = weights.iter().zip(&rounded.values).map(|(w, v)| (w - f32::from(*v) * rounded.scale).powi(2)).sum();
            prop_assert!(error <= weights.len() as f32 * (1.05f32 / 64.0).powi(2));
        }
    }

    #[test]
    fn nothing_is_lost_where_the_weights_have_room() {
        let weights = [127.0, 0.0, -3.0, 2.0, 1.0, -127.0, 60.0, 60.0].map(|weight: f32| weight * 0.01);
        let rounded = round(&weights, &[1.0; 8], Sums::Pointwise);
        let error: f32 =
            weights.iter().zip(&rounded.values).map(|(w, v)| (w - f32::from(*v) * rounded.scale).abs()).sum();
        assert!(error < 8.0 * 0.005, "{error}");
    }

    /// The mean of an output stays where it was, whatever the rounding did to its weights.
    #[test]
    fn biases_make_up_for_the_rounding() {
        let layer = RealLayer {
            weights: vec![vec![0.503, 0.117, -0.211, 0.3, 0.27, 0.44, 0.391, 0.12]],
            bias: vec![0.25],
            sums: Sums::Pointwise,
        };
        let coding = Quantization { scale: vec![0.02; 8], zero_point: 10 };
        let reads = Reads { coding, means: vec![1.0; 8], mean_squares: vec![1.1; 8] };
        let writes = Quantization { scale: vec![0.05], zero_point: 3 };
        let (weights, requantization) = quantize(&layer, &reads, &writes);
        let sum: i32 = weights.iter().map(|weight| i32::from(*weight) * 50).sum();
        let value = (sum + requantization.bias[0]) as f32 * requantization.multiplier[0] * 0.05;
        let exact = layer.weights[0].iter().sum::<f32>() + 0.25;
        assert!((value - exact).abs() < 1e-3, "{value} {exact}");
        assert_eq!((requantization.input_zero_point, requantization.output_zero_point), (10, 3));
    }
}
