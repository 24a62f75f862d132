//! A convolution with what follows it: batch normalisation or a bias, then an activation. All networks are
//! made of these.

use super::weights::Weights;
use super::{BatchNorm, Mode, NetworkError};
use crate::nn::ops::{self, Activation};
use candle_core::{D, Result, Tensor};
use std::sync::Mutex;

/// Added to a variance before its root is taken, as torchvision does.
const EPSILON: f64 = 1e-5;
/// How far live batch normalisation moves its running statistics towards those of a batch.
const MOMENTUM: f64 = 0.1;

/// Which convolution it is, with the number of channels it reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConvolutionKind {
    /// 3×3 over all channels, stride 2, one pixel of zero padding; the first layer.
    Full {
        /// Channels of the picture.
        inputs: usize,
        /// Channels of the result.
        outputs: usize,
    },
    /// 3×3 within each channel, one pixel of zero padding.
    Depthwise {
        /// Channels of input and output.
        channels: usize,
        /// 1 or 2.
        stride: usize,
    },
    /// 1×1 over all channels.
    Pointwise {
        /// Channels of the input.
        inputs: usize,
        /// Channels of the result.
        outputs: usize,
    },
}

impl ConvolutionKind {
    /// Extents of the weight in its file: `[out, in / groups, height, width]`.
    fn weight_shape(self) -> [usize; 4] {
        match self {
            Self::Full { inputs, outputs } => [outputs, inputs, 3, 3],
            Self::Depthwise { channels, .. } => [channels, 1, 3, 3],
            Self::Pointwise { inputs, outputs } => [outputs, inputs, 1, 1],
        }
    }

    fn outputs(self) -> usize {
        self.weight_shape()[0]
    }

    /// The weight as the kernels want it: outputs last, what they are summed over first.
    fn lay_out(self, weight: &Tensor) -> Result<Tensor> {
        let outputs = self.outputs();
        match self {
            Self::Full { .. } => weight.permute((2, 3, 1, 0))?.reshape(((), outputs))?.contiguous(),
            Self::Depthwise { .. } | Self::Pointwise { .. } => {
                weight.reshape((outputs, ()))?.t()?.contiguous()
            }
        }
    }

    fn run(self, input: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
        match self {
            Self::Full { .. } => ops::pointwise(&ops::patches3x3(input)?, weight, bias, activation),
            Self::Depthwise { stride, .. } => ops::depthwise3x3(input, weight, bias, stride, activation),
            Self::Pointwise { .. } => ops::pointwise(input, weight, bias, activation),
        }
    }
}

/// One convolution, ready for its [`Mode`].
pub struct Convolution {
    kind: ConvolutionKind,
    activation: Activation,
    form: Form,
}

enum Form {
    /// Laid out, nothing left to fold.
    Prepared { weight: Tensor, bias: Tensor },
    /// As in the file, with a bias.
    Biased { weight: Tensor, bias: Tensor },
    /// As in the file, with a batch norm.
    Normalised { weight: Tensor, norm: Normalisation, live: bool },
}

struct Normalisation {
    name: String,
    scale: Tensor,
    shift: Tensor,
    running: Mutex<Running>,
}

#[derive(Clone)]
struct Running {
    mean: Tensor,
    variance: Tensor,
}

impl Normalisation {
    fn load(weights: &Weights, name: &str, channels: usize) -> std::result::Result<Self, NetworkError> {
        let get = |part: &str| weights.get(&format!("{name}.{part}"), &[channels]);
        // Detached: a variable would make each pass's statistics hang on those of all passes before.
        let running = Running { mean: get("running_mean")?.detach(), variance: get("running_var")?.detach() };
        Ok(Self {
            name: name.to_owned(),
            scale: get("weight")?,
            shift: get("bias")?,
            running: Mutex::new(running),
        })
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Running> {
        // A poisoned lock still holds whole tensors: they are only ever replaced.
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The convolution's weight and bias that do what `weight` and this batch norm do one after the other.
    fn fold(&self, weight: &Tensor) -> Result<(Tensor, Tensor)> {
        let running = self.running().clone();
        let factor = (&self.scale / (running.variance + EPSILON)?.sqrt()?)?;
        let bias = (&self.shift - running.mean.mul(&factor)?)?;
        Ok((weight.broadcast_mul(&factor.reshape(((), 1, 1, 1))?)?, bias))
    }

    /// Normalises `[N, H, W, C]` by its own statistics and moves the running ones towards them.
    fn normalise(&self, map: &Tensor) -> Result<Tensor> {
        let rows = map.flatten_to(2)?;
        let count = rows.dim(0)? as f64;
        let mean = rows.mean_keepdim(0)?;
        let centred = rows.broadcast_sub(&mean)?;
        let variance = centred.sqr()?.mean_keepdim(0)?;
        {
            let mut running = self.running();
            // The running variance is the unbiased one, that of the pass is not, as everywhere since the
            // paper.
            let unbiased = (variance.detach().squeeze(0)? * (count / (count - 1.0).max(1.0)))?;
            let moved = |old: &Tensor, new: &Tensor| (old * (1.0 - MOMENTUM))? + (new * MOMENTUM)?;
            running.mean = moved(&running.mean, &mean.detach().squeeze(0)?)?;
            running.variance = moved(&running.variance, &unbiased)?;
        }
        let normalised = centred.broadcast_div(&(variance + EPSILON)?.sqrt()?)?;
        normalised.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)?.reshape(map.shape())
    }
}

impl Convolution {
    /// The convolution whose weight is `{name}.weight` and whose bias is `{name}.bias`.
    ///
    /// # Errors
    /// When a tensor is missing or has other extents than `kind` says.
    pub fn biased(
        weights: &Weights,
        name: &str,
        kind: ConvolutionKind,
        activation: Activation,
        mode: Mode,
    ) -> std::result::Result<Self, NetworkError> {
        let weight = weights.get(&format!("{name}.weight"), &kind.weight_shape())?;
        let bias = weights.get(&format!("{name}.bias"), &[kind.outputs()])?;
        let form = match mode {
            Mode::Inference => Form::Prepared { weight: kind.lay_out(&weight)?, bias },
            Mode::Training(_) => Form::Biased { weight, bias },
        };
        Ok(Self { kind, activation, form })
    }

    /// The convolution whose weight is `{name}.weight`, followed by the batch norm of the four tensors
    /// `{norm}.weight`, `.bias`, `.running_mean` and `.running_var`.
    ///
    /// # Errors
    /// When a tensor is missing or has other extents than `kind` says.
    pub fn normalised(
        weights: &Weights,
        (name, norm): (&str, &str),
        kind: ConvolutionKind,
        activation: Activation,
        mode: Mode,
    ) -> std::result::Result<Self, NetworkError> {
        let weight = weights.get(&format!("{name}.weight"), &kind.weight_shape())?;
        let norm = Normalisation::load(weights, norm, kind.outputs())?;
        let form = match mode {
            Mode::Inference => {
                let (weight, bias) = norm.fold(&weight)?;
                Form::Prepared { weight: kind.lay_out(&weight)?, bias }
            }
            Mode::Training(batch_norm) => {
                Form::Normalised { weight, norm, live: batch_norm == BatchNorm::Live }
            }
        };
        Ok(Self { kind, activation, form })
    }

    /// Runs the convolution on `[N, H, W, in]`: `[N, H', W', out]`.
    ///
    /// # Errors
    /// When the input does not have the channels of this convolution.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let kind = self.kind;
        match &self.form {
            Form::Prepared { weight, bias } => kind.run(input, weight, bias, self.activation),
            Form::Biased { weight, bias } => kind.run(input, &kind.lay_out(weight)?, bias, self.activation),
            Form::Normalised { weight, norm, live: false } => {
                let (weight, bias) = norm.fold(weight)?;
                kind.run(input, &kind.lay_out(&weight)?, &bias, self.activation)
            }
            Form::Normalised { weight, norm, live: true } => {
                let bias = norm.shift.zeros_like()?;
                let map = kind.run(input, &kind.lay_out(weight)?, &bias, Activation::Identity)?;
                let map = norm.normalise(&map)?;
                match self.activation {
                    Activation::Identity => Ok(map),
                    Activation::Relu => map.relu(),
                    Activation::Relu6 => map.clamp(0f32, 6f32),
                }
            }
        }
    }

    /// Which convolution this is.
    #[must_use]
    pub fn kind(&self) -> ConvolutionKind {
        self.kind
    }

    /// Weight `[inputs or taps, outputs]` and bias `[outputs]`, batch norm folded; none while training.
    #[must_use]
    pub fn folded(&self) -> Option<(&Tensor, &Tensor)> {
        match &self.form {
            Form::Prepared { weight, bias } => Some((weight, bias)),
            Form::Biased { .. } | Form::Normalised { .. } => None,
        }
    }

    /// The running statistics by their names in the weight file, where there is a batch norm left.
    pub(super) fn running_statistics(&self) -> Vec<(String, Tensor)> {
        match &self.form {
            Form::Normalised { norm, .. } => {
                let Running { mean, variance } = norm.running().clone();
                vec![
                    (format!("{}.running_mean", norm.name), mean),
                    (format!("{}.running_var", norm.name), variance),
                ]
            }
            Form::Prepared { .. } | Form::Biased { .. } => Vec::new(),
        }
    }
}

/// The mean over height and width of `[N, H, W, C]`: `[N, C]`.
///
/// # Errors
/// When `map` is not of rank 4.
pub fn average_pool(map: &Tensor) -> Result<Tensor> {
    map.flatten(1, 2)?.mean(D::Minus2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    const CHANNELS: usize = 2;

    fn filled(shape: &[usize], seed: f32) -> Tensor {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|at| (at as f32 * 1.7 + seed).sin() + 0.3).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// A batch norm of two channels behind a convolution with the given weight.
    fn weights(weight: Tensor) -> Weights {
        let mut weights = Weights::default();
        weights.insert("c.weight", weight);
        for (part, values) in [
            ("weight", [0.5f32, 2.0]),
            ("bias", [-1.0, 3.0]),
            ("running_mean", [0.25, -0.5]),
            ("running_var", [1.5, 0.75]),
        ] {
            weights.insert(format!("n.{part}"), Tensor::new(&values, &Device::Cpu).unwrap());
        }
        weights
    }

    fn convolution(
        weights: &Weights,
        kind: ConvolutionKind,
        activation: Activation,
        mode: Mode,
    ) -> Convolution {
        Convolution::normalised(weights, ("c", "n"), kind, activation, mode).unwrap()
    }

    #[test]
    fn live_normalises_each_channel_and_moves_the_running_statistics() {
        // The convolution passes its input on, so that the batch norm's input is known.
        let kind = ConvolutionKind::Pointwise { inputs: CHANNELS, outputs: CHANNELS };
        let mut weights = weights(
            Tensor::new(&[1f32, 0.0, 0.0, 1.0], &Device::Cpu).unwrap().reshape((2, 2, 1, 1)).unwrap(),
        );
        let variables = weights.unfreeze(|name| name.contains("running")).unwrap();
        let live = convolution(&weights, kind, Activation::Identity, Mode::Training(BatchNorm::Live));
        let input = filled(&[2, 3, 2, CHANNELS], 0.0);
        let output = flat(&live.forward(&input).unwrap());
        let input = flat(&input);
        let moments = |values: &[f32], channel: usize| {
            let values: Vec<f32> = values.iter().skip(channel).step_by(CHANNELS).copied().collect();
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f32>(), values.len() as f32)
        };
        let running = live.running_statistics();
        assert_eq!([&running[0].0, &running[1].0], ["n.running_mean", "n.running_var"]);
        let (means, variances) = (flat(&running[0].1), flat(&running[1].1));
        for channel in 0..CHANNELS {
            let (mean, squares, count) = moments(&output, channel);
            assert!((mean - [-1.0, 3.0][channel]).abs() < 1e-5, "{mean}");
            assert!(((squares / count).sqrt() - [0.5, 2.0][channel]).abs() < 1e-4, "{squares}");
            let (mean, squares, count) = moments(&input, channel);
            assert!((means[channel] - (0.9 * [0.25, -0.5][channel] + 0.1 * mean)).abs() < 1e-6);
            let moved = 0.9 * [1.5, 0.75][channel] + 0.1 * squares / (count - 1.0);
            assert!((variances[channel] - moved).abs() < 1e-6);
        }
        let gradients = running[0].1.sum_all().unwrap().backward().unwrap();
        assert!(gradients.get(&variables["n.running_mean"]).is_none(), "passes do not hang on one another");
        assert_eq!(flat(&variables["n.running_mean"]), [0.25, -0.5], "variables are the caller's to move");
    }

    #[test]
    fn live_gradients_are_those_of_finite_differences() {
        let kind = ConvolutionKind::Depthwise { channels: CHANNELS, stride: 1 };
        let mut weights = weights(filled(&[CHANNELS, 1, 3, 3], 4.0));
        let variables = weights.unfreeze(|name| !name.contains("running")).unwrap();
        let live = convolution(&weights, kind, Activation::Relu6, Mode::Training(BatchNorm::Live));
        let (input, factors) = (filled(&[2, 3, 3, CHANNELS], 1.0), filled(&[2, 3, 3, CHANNELS], 2.0));
        let loss = || (live.forward(&input).unwrap() * &factors).unwrap().sum_all().unwrap();
        let gradients = loss().backward().unwrap();
        for (name, variable) in &variables {
            let (values, gradient) = (flat(variable), flat(gradients.get(variable).unwrap()));
            let set = |variable: &Var, values: Vec<f32>| {
                variable.set(&Tensor::from_vec(values, variable.shape(), &Device::Cpu).unwrap()).unwrap();
            };
            for place in 0..values.len() {
                let at = |step: f32| {
                    let mut moved = values.clone();
                    moved[place] += step;
                    set(variable, moved);
                    loss().to_scalar::<f32>().unwrap()
                };
                let slope = (at(1e-3) - at(-1e-3)) / 2e-3;
                assert!((slope - gradient[place]).abs() < 0.02, "{name} {place}: {slope} {gradient:?}");
            }
            set(variable, values);
        }
    }

    #[test]
    fn frozen_does_what_inference_does_and_moves_nothing() {
        for (kind, shape) in [
            (ConvolutionKind::Pointwise { inputs: 3, outputs: CHANNELS }, [CHANNELS, 3, 1, 1]),
            (ConvolutionKind::Full { inputs: 3, outputs: CHANNELS }, [CHANNELS, 3, 3, 3]),
            (ConvolutionKind::Depthwise { channels: CHANNELS, stride: 2 }, [CHANNELS, 1, 3, 3]),
        ] {
            let weights = weights(filled(&shape, 4.0));
            let of = |mode| convolution(&weights, kind, Activation::Relu6, mode);
            let (inference, frozen) = (of(Mode::Inference), of(Mode::Training(BatchNorm::Frozen)));
            let inputs = if matches!(kind, ConvolutionKind::Depthwise { .. }) { CHANNELS } else { 3 };
            let input = filled(&[2, 4, 4, inputs], 1.0);
            let output = flat(&frozen.forward(&input).unwrap());
            assert_eq!(output, flat(&inference.forward(&input).unwrap()), "{kind:?}");
            assert!(output.iter().any(|&value| value > 0.0));
            let running = frozen.running_statistics();
            assert_eq!(flat(&running[0].1), [0.25, -0.5]);
            assert_eq!(flat(&running[1].1), [1.5, 0.75]);
            assert!(inference.running_statistics().is_empty());
        }
    }
}
