//! The landmark network → the tensors `landmarks.*`.

use super::choices::Choices;
use super::coding::reads;
use super::front::front;
use super::ranges::{Observations, Quantization};
use super::rounding::{RealLayer, quantize};
use maskwatch::nn::int8::file::Draft;
use maskwatch::nn::landmarks::{BLOCKS, Landmarks, TENSORS};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::{Mode, NetworkError};

/// Quantizes the landmark network `weights` by what was `seen` of its maps.
///
/// # Errors
/// When the weights are of another network.
pub fn add(
    draft: &mut Draft,
    weights: &Weights,
    seen: &Observations,
    choices: &Choices,
) -> Result<(), NetworkError> {
    let network = Landmarks::new(weights, Mode::Inference)?;
    let (from, coding) = front(draft, "landmarks", (network.front(), BLOCKS - 1), seen, choices)?;
    let name = "landmarks.0";
    let writes = Quantization::unsigned_per_channel(&seen.get(name).ranges(choices.quantile));
    let (values, requantization) =
        quantize(&RealLayer::of(network.reduce())?, &reads(seen, &from, &coding), &writes);
    draft.layer(name, &values, &requantization);
    draft.reals(&format!("{name}.scale"), &[writes.scale.len()], &writes.scale);
    for (name, shape) in &TENSORS[2..] {
        draft.reals(name, shape, &weights.get(name, shape)?.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(())
}
