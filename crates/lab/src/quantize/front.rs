//! The first layers of MobileNetV2, which the classifier and the landmark network have in common.

use super::choices::Choices;
use super::coding::{picture, read_by, reads};
use super::ranges::{Observations, Quantization, least_unsigned};
use super::rounding::{RealLayer, Sums, quantize};
use maskwatch::nn::NetworkError;
use maskwatch::nn::convolution::Convolution;
use maskwatch::nn::int8::file::Draft;
use maskwatch::nn::mobilenet_v2::MobileNetV2;
use maskwatch::pixels::preprocess::{MEAN, STANDARD_DEVIATION};
use std::collections::BTreeMap;

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

    let (layer, padding) = stem(&RealLayer::of(convolutions["features.0"])?);
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
            let layer = RealLayer::of(convolutions[expand.as_str()])?;
            let (values, requantization) = quantize(&layer, &reads(from, coding), &writes);
            draft.layer(&format!("{prefix}.{expand}"), &values, &requantization);
            hidden = (expand, writes);
        }
        let depthwise = format!("{name}.depthwise");
        let project = format!("{name}.project");
        let projection = RealLayer::of(convolutions[project.as_str()])?;
        let least = least_unsigned(&ranges(&depthwise));
        let scale = read_by(&projection, &least, &seen.get(&depthwise).mean_squares());
        let convolved = Quantization { scale, zero_point: 0 };
        let layer = RealLayer::of(convolutions[depthwise.as_str()])?;
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
