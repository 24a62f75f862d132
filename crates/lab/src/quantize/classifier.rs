//! MobileNetV2 and its head → the tensors `classifier.*`.

use super::ranges::{self, Observations, Quantization, least_unsigned};
use super::rounding::{Reads, RealLayer, Sums, quantize};
use super::{Choices, HIDDEN, POOLED, real_layer};
use maskwatch::nn::convolution::Convolution;
use maskwatch::nn::head;
use maskwatch::nn::int8::file::Draft;
use maskwatch::nn::mobilenet_v2::{BLOCKS, MobileNetV2};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::{Mode, NetworkError};
use maskwatch::pixels::preprocess::{MEAN, STANDARD_DEVIATION};
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
    let layer = real_layer(convolutions["features.18"])?;
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

    let incorrect = head::has_incorrect(|name| weights.contains(name)).then_some(head::INCORRECT_TENSORS);
    for (name, shape) in others.into_iter().chain(incorrect.into_iter().flatten()) {
        let values = weights.get(name, shape)?.flatten_all()?.to_vec1::<f32>()?;
        draft.reals(&format!("classifier.{name}"), shape, &values);
    }
    Ok(())
}

/// Quantizes the first convolution and the first `count` inverted residuals of `network` as tensors
/// `{prefix}.features.*`; gives the name and the coding of the map that the last of them writes.
pub(super) fn front(
    draft: &mut Draft,
    prefix: &str,
    (network, count): (&MobileNetV2, usize),
    seen: &Observations,
    choices: &Choices,
) -> Result<(String, Quantization), NetworkError> {
    let convolutions: BTreeMap<String, &Convolution> = network.convolutions().collect();
    let ranges = |name: &str| seen.get(name).ranges(choices.quantile);
    let reads = |name: &str, coding: &Quantization| reads(seen, name, coding);

    let (layer, padding) = stem(&real_layer(convolutions["features.0"])?);
    let hidden = Quantization::unsigned_per_channel(&ranges("features.0"));
    let (values, requantization) = quantize(&layer, &picture(), &hidden);
    draft.layer(&format!("{prefix}.features.0"), &values, &requantization);
    draft.reals(&format!("{prefix}.features.0.padding"), &[3], &padding);

    // The name and coding of the map that the next block reads.
    let mut input: Option<(String, Quantization)> = None;
    let mut hidden = ("features.0".to_owned(), hidden);
    for block in 1..=count {
        let name = format!("features.{block}");
        if let Some((from, coding)) = &input {
            let expand = format!("{name}.expand");
            let writes = Quantization::unsigned_per_channel(&ranges(&expand));
            let layer = real_layer(convolutions[expand.as_str()])?;
            let (values, requantization) = quantize(&layer, &reads(from, coding), &writes);
            draft.layer(&format!("{prefix}.{expand}"), &values, &requantization);
            hidden = (expand, writes);
        }
        let depthwise = format!("{name}.depthwise");
        let project = format!("{name}.project");
        let projection = real_layer(convolutions[project.as_str()])?;
        let least = least_unsigned(&ranges(&depthwise));
        let scale = read_by(&projection, &least, &seen.get(&depthwise).mean_squares());
        let convolved = Quantization { scale, zero_point: 0 };
        let layer = real_layer(convolutions[depthwise.as_str()])?;
        let (values, requantization) = quantize(&layer, &reads(&hidden.0, &hidden.1), &convolved);
        draft.layer(&format!("{prefix}.{depthwise}"), &values, &requantization);

        let layer = projection;
        let writes = Quantization::per_tensor(&ranges(&name));
        let (values, requantization) = quantize(&layer, &reads(&depthwise, &convolved), &writes);
        draft.layer(&format!("{prefix}.{project}"), &values, &requantization);
        // The block adds its input where it has the channels of its output and the stride 1.
        if let Some((_, coding)) = input.filter(|_| network.adds_its_input(block)) {
            draft.reals(&format!("{prefix}.{name}.residual"), &[1], &[coding.scale[0] / writes.scale[0]]);
        }
        input = Some((name, writes));
    }
    Ok(input.unwrap_or(hidden))
}

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

/// The first convolution over bytes: the normalisation folded in, and the mean pixel, which is what the
/// padding's 0 was.
fn stem(layer: &RealLayer) -> (RealLayer, [f32; 3]) {
    let mut folded = layer.clone();
    for (row, bias) in folded.weights.iter_mut().zip(&mut folded.bias) {
        for (at, weight) in row.iter_mut().enumerate() {
            let channel = at % 3;
            *weight /= 255.0 * STANDARD_DEVIATION[channel];
            *bias -= *weight * 255.0 * MEAN[channel];
        }
    }
    debug_assert_eq!(folded.sums, Sums::Pointwise);
    (folded, MEAN.map(|mean| 255.0 * mean))
}
