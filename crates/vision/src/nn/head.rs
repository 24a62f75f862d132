//! The paper's head on MobileNetV2's pooled features: linear + ReLU, dropout, linear; two logits. Beside them
//! two outputs of our own: on the same hidden values whether a mask is worn incorrectly, and on the features
//! themselves whether a face is there at all ([`Presence`](crate::classifier::Presence)).

use super::NetworkError;
use super::mobilenet_v2::FEATURES;
use super::weights::Weights;
use crate::nn::ops::{Activation, pointwise};
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

/// Extents of the tensors of the output *incorrect*, which weights may lack: they never say so then.
pub const INCORRECT_TENSORS: [(&str, &[usize]); 2] =
    [("head.incorrect.weight", &[1, HIDDEN]), ("head.incorrect.bias", &[1])];

/// Extents of the tensors of the output *presence*, which weights may lack: everything is a face then. Its
/// two logits are in the order of [`PERSON`] and [`FRONT`].
pub const PRESENCE_TENSORS: [(&str, &[usize]); 2] =
    [("head.presence.weight", &[2, FEATURES]), ("head.presence.bias", &[2])];

/// Index of the logit that says whether a human head is there.
pub const PERSON: usize = 0;
/// Index of the logit that says whether it is seen from where nose and mouth would show.
pub const FRONT: usize = 1;

/// The linear layers. The same in training and inference, but for the dropout between them.
pub struct Head {
    hidden: (Tensor, Tensor),
    logits: (Tensor, Tensor),
    incorrect: Option<(Tensor, Tensor)>,
    presence: Option<(Tensor, Tensor)>,
}

/// What a [`Head`] gives.
#[derive(Debug, Clone)]
pub struct Logits {
    /// `[N, 2]`, in the order of [`CLASSES`]; their softmax is the paper's answer.
    pub classes: Tensor,
    /// `[N, 1]`; its sigmoid is the probability that a mask is there but does not cover nose and mouth. None
    /// where the weights lack this output.
    pub incorrect: Option<Tensor>,
    /// `[N, 2]`, in the order of [`PERSON`] and [`FRONT`]; their sigmoids are probabilities. None where the
    /// weights lack this output.
    pub presence: Option<Tensor>,
}

impl Head {
    /// The head made from the tensors `head.*`.
    ///
    /// # Errors
    /// When a tensor is missing or has other extents.
    pub fn new(weights: &Weights) -> std::result::Result<Self, NetworkError> {
        let [hidden_weight, hidden_bias, logit_weight, logit_bias] =
            TENSORS.map(|(name, shape)| weights.get(name, shape));
        let optional = |tensors: [(&str, &[usize]); 2]| {
            if !has(&tensors, |name| weights.contains(name)) {
                return Ok::<_, NetworkError>(None);
            }
            let [weight, bias] = tensors.map(|(name, shape)| weights.get(name, shape));
            Ok(Some((weight?, bias?)))
        };
        Ok(Self {
            hidden: (hidden_weight?, hidden_bias?),
            logits: (logit_weight?, logit_bias?),
            incorrect: optional(INCORRECT_TENSORS)?,
            presence: optional(PRESENCE_TENSORS)?,
        })
    }

    /// The logits of features `[N, 1280]`.
    ///
    /// `dropout` `[N, 128]` is multiplied with the hidden values: while training, 0 for the dropped ones and
    /// 1 / (1 − rate) for the others; none for inference.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn forward(&self, features: &Tensor, dropout: Option<&Tensor>) -> Result<Logits> {
        let mut hidden = self.hidden(features)?;
        if let Some(kept) = dropout {
            hidden = (hidden * kept)?;
        }
        let output = |layer| linear(&hidden, layer, Activation::Identity);
        Ok(Logits {
            classes: output(&self.logits)?,
            incorrect: self.incorrect.as_ref().map(output).transpose()?,
            presence: self
                .presence
                .as_ref()
                .map(|layer| linear(features, layer, Activation::Identity))
                .transpose()?,
        })
    }

    /// The values `[N, 128]` between the two linear layers, behind their ReLU.
    ///
    /// # Errors
    /// When the features are not `[N, 1280]`.
    pub fn hidden(&self, features: &Tensor) -> Result<Tensor> {
        linear(features, &self.hidden, Activation::Relu)
    }
}

fn linear(input: &Tensor, (weight, bias): &(Tensor, Tensor), activation: Activation) -> Result<Tensor> {
    pointwise(input, &weight.t()?, bias, activation)
}

/// Whether weights have an output of these `tensors`; half of it counts, so that the other half is missed
/// with its name.
pub fn has(tensors: &[(&str, &[usize])], contains: impl Fn(&str) -> bool) -> bool {
    tensors.iter().any(|(name, _)| contains(name))
}
