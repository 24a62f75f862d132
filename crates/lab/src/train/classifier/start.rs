//! The weights that a run starts from.

use crate::random::{Purpose, stream};
use candle_core::{Device, Tensor};
use maskwatch::nn::NetworkError;
use maskwatch::nn::head::{HIDDEN, INCORRECT_TENSORS, PRESENCE_TENSORS, TENSORS};
use maskwatch::nn::mobilenet_v2::FEATURES;
use maskwatch::nn::weights::Weights;
use rand::RngExt;
use std::collections::BTreeMap;

/// The backbone's tensors and the head's; where there is no head, one with small random weights (uniform
/// between ±1/√inputs, as is usual for linear layers). Metadata and ImageNet's own classifier are left
/// behind, and the outputs beside the paper's two classes unless they are `wanted`: they make no sense on
/// hidden values that were fitted without them.
pub(super) fn with_head(weights: &Weights, seed: u64, wanted: bool) -> Result<Weights, NetworkError> {
    let beside = || INCORRECT_TENSORS.into_iter().chain(PRESENCE_TENSORS);
    let kept = |name: &str| {
        name.starts_with("features.")
            || (name.starts_with("head.") && (wanted || beside().all(|(other, _)| other != name)))
    };
    let tensors = weights.tensors().iter().filter(|(name, _)| kept(name));
    let mut with_head =
        Weights::new(tensors.map(|(name, tensor)| (name.clone(), tensor.clone())).collect(), BTreeMap::new());
    let mut generator = stream(seed, Purpose::Weights, 0);
    for (name, shape) in TENSORS.into_iter().chain(beside().filter(|_| wanted)) {
        let on_features = name.starts_with("head.0.") || name.starts_with("head.presence.");
        let inputs = if on_features { FEATURES } else { HIDDEN };
        let limit = 1.0 / (inputs as f32).sqrt();
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| generator.random_range(-limit..limit)).collect();
        if with_head.contains(name) {
            weights.get(name, shape)?;
        } else {
            with_head.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
        }
    }
    Ok(with_head)
}
