//! The paper's head on MobileNetV2's pooled features: linear + ReLU, dropout, linear; two logits.

use super::NetworkError;
use super::mobilenet_v2::FEATURES;
use super::weights::Weights;
use crate::kernels::{Activation, pointwise};
use candle_core::{Result, Tensor};

/// Values between the two linear layers.
pub const HIDDEN: usize = 128;
/// Index of the class *mask* among the logits.
pub const MASK: usize = 0;
/// Index of the class *no mask* among the logits.
pub const NO_MASK: usize = 1;
/// The classes by index, as weight files name them.
pub const CLASSES: &str = "mask,no_mask";

/// Extents of the head's tensors in a weight file; linear layers are `[out, in]`, as everywhere.
pub const TENSORS: [(&str, &[usize]); 4] = [
    ("head.0.weight", &[HIDDEN, FEATURES]),
    ("head.0.bias", &[HIDDEN]),
    ("head.3.weight", &[2, HIDDEN]),
    ("head.3.bias", &[2]),
];

/// The two linear layers. The same in training and inference, but for the dropout between them.
pub struct Head {
    hidden: (Tensor, Tensor),
    logits: (Tensor, Tensor),
}

impl Head {
    /// The head made from the tensors `head.*`.
    ///
    /// # Errors
    /// When a tensor is missing or has other extents.
    pub fn new(weights: &Weights) -> std::result::Result<Self, NetworkError> {
        let [hidden_weight, hidden_bias, logit_weight, logit_bias] =
            TENSORS.map(|(name, shape)| weights.get(name, shape));
        Ok(Self { hidden: (hidden_weight?, hidden_bias?), logits: (logit_weight?, logit_bias?) })
    }

    /// The logits `[N, 2]` of features `[N, 1280]`, in the order of [`CLASSES`].
    ///
    /// `dropout` `[N, 128]` is multiplied with the hidden values: while training, 0 for the dropped ones and
    /// 1 / (1 − rate) for the others; none for inference.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn forward(&self, features: &Tensor, dropout: Option<&Tensor>) -> Result<Tensor> {
        let linear = |input: &Tensor, (weight, bias): &(Tensor, Tensor), activation| {
            pointwise(input, &weight.t()?, bias, activation)
        };
        let mut hidden = linear(features, &self.hidden, Activation::Relu)?;
        if let Some(kept) = dropout {
            hidden = (hidden * kept)?;
        }
        linear(&hidden, &self.logits, Activation::Identity)
    }
}
