//! MobileNetV2 and its head → the tensors `classifier.*`.

use super::choices::Choices;
use super::coding::{read_by, reads};
use super::front::front;
use super::observe::{HIDDEN, POOLED};
use super::ranges::{Observations, Quantization, least_unsigned};
use super::rounding::{RealLayer, Sums, quantize};
use maskwatch::nn::convolution::Convolution;
use maskwatch::nn::head;
use maskwatch::nn::int8::file::Draft;
use maskwatch::nn::mobilenet_v2::{BLOCKS, MobileNetV2};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::{Mode, NetworkError};
use maskwatch_kernels::int8::pack;
use std::collections::BTreeMap;

/// Quantizes the classifier `weights` by what was `seen` of its maps.
///
/// # Errors
/// When the weights are of another network.
pub fn add(
    draft: &mut Draft,
    weights: &Weights,
    seen: &Observations,
    choices: &Choices,
) -> Result<(), NetworkError> {
    let network = MobileNetV2::new(weights, Mode::Inference)?;
    let (from, coding) = front(draft, "classifier", (&network, BLOCKS - 2), seen, choices)?;
    let ranges = |name: &str| seen.get(name).ranges(choices.quantile);
    let reads = |name: &str, coding: &Quantization| reads(seen, name, coding);

    let mut writes = Quantization::unsigned_per_channel(&ranges("features.18"));
    let convolutions: BTreeMap<String, &Convolution> = network.convolutions().collect();
    let layer = RealLayer::of(convolutions["features.18"])?;
    let (mut values, mut requantization) = quantize(&layer, &reads(&from, &coding), &writes);
    // Features that hardly ever move would get steps finer than the kernels can make them.
    if requantization.multiplier.iter().any(|multiplier| *multiplier > pack::LARGEST_MULTIPLIER) {
        for (scale, multiplier) in writes.scale.iter_mut().zip(&requantization.multiplier) {
            *scale *= (multiplier * 1.001 / pack::LARGEST_MULTIPLIER).max(1.0);
        }
        (values, requantization) = quantize(&layer, &reads(&from, &coding), &writes);
    }
    draft.layer("classifier.features.18", &values, &requantization);
    draft.reals("classifier.features.18.scale", &[writes.scale.len()], &writes.scale);
    // Few values and each of them weighs: their ranges leave nothing out.
    let all = |name: &str| seen.get(name).ranges(1.0);
    let [hidden_weight, hidden_bias, others @ ..] = head::TENSORS;
    let tensor = |(name, shape): (&str, &[usize])| weights.get(name, shape);
    let (weight, bias) = (tensor(hidden_weight)?.to_vec2()?, tensor(hidden_bias)?.to_vec1()?);
    let layer = RealLayer { weights: weight, bias, sums: Sums::Pointwise };
    let scale = read_by(&layer, &least_unsigned(&all(POOLED)), &seen.get(POOLED).mean_squares());
    let writes = Quantization::unsigned_per_channel(&all(HIDDEN));
    draft.reals("classifier.pooled.scale", &[scale.len()], &scale);
    let pooled = Quantization { scale, zero_point: 0 };
    let (values, requantization) = quantize(&layer, &reads(POOLED, &pooled), &writes);
    draft.layer("classifier.head.0", &values, &requantization);
    draft.reals("classifier.head.0.scale", &[writes.scale.len()], &writes.scale);

    let optional = [head::INCORRECT_TENSORS, head::PRESENCE_TENSORS].into_iter();
    let present = optional.filter(|tensors| head::has(tensors, |name| weights.contains(name)));
    for (name, shape) in others.into_iter().chain(present.flatten()) {
        let values = weights.get(name, shape)?.flatten_all()?.to_vec1::<f32>()?;
        draft.reals(&format!("classifier.{name}"), shape, &values);
    }
    Ok(())
}
