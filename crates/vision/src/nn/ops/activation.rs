//! Activation functions, fused into the ops that produce their argument.

use super::with_values;
use candle_core::{Result, Tensor};

/// What is applied to each output of a convolution after its bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing: a linear bottleneck, or a detector head.
    Identity,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6), as in MobileNetV2.
    Relu6,
}

impl Activation {
    /// Adds the channel's bias to each value of `rows` (`[.., channels]`) and applies the activation, in
    /// place.
    #[inline(always)]
    pub(super) fn apply(self, rows: &mut [f32], bias: &[f32]) {
        let (low, high) = match self {
            Self::Identity => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        };
        for row in rows.chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(bias) {
                let sum = *value + bias;
                // Written so that NaN stays NaN: a broken weight must show, not turn into a calm zero.
                *value = if sum < low {
                    low
                } else if sum > high {
                    high
                } else {
                    sum
                };
            }
        }
    }

    /// The gradient before the activation, from the gradient behind it and the activation's own `result`.
    pub(super) fn gradient(self, result: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let high = match self {
            Self::Identity => return Ok(gradient.clone()),
            Self::Relu => f32::INFINITY,
            Self::Relu6 => 6.0,
        };
        let values = with_values(result, |result| {
            with_values(gradient, |gradient| {
                let open =
                    |(&value, &slope): (&f32, &f32)| if value > 0.0 && value < high { slope } else { 0.0 };
                result.iter().zip(gradient).map(open).collect::<Vec<f32>>()
            })
        })??;
        Tensor::from_vec(values, result.shape(), result.device())
    }
}

/// The gradient of a bias: the sum of `[.., channels]` over everything but the channels.
pub(super) fn bias_gradient(gradient: &Tensor) -> Result<Tensor> {
    let channels = gradient.dim(candle_core::D::Minus1)?;
    let sums = with_values(gradient, |values| {
        let mut sums = vec![0.0f32; channels];
        for row in values.chunks_exact(channels) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
        sums
    })?;
    Tensor::from_vec(sums, channels, gradient.device())
}
