//! All networks' weights → one int8 file.

use super::choices::Choices;
use super::error::QuantizeError;
use super::observe::{observe_close_faces, observe_faces, observe_landmarks, observe_pictures};
use super::{classifier, detector, landmarks};
use crate::data::dataset::Dataset;
use maskwatch::nn::int8::file::{Draft, QuantizedWeights};
use maskwatch::nn::int8::yunet::{CLOSE_DETECTOR, DETECTOR};
use maskwatch::nn::weights::Weights;
use maskwatch_kernels::int8::pack;

/// The networks by the names that their tensors begin with, in the order of the file's making.
pub const NETWORKS: [&str; 4] = ["classifier", DETECTOR, CLOSE_DETECTOR, "landmarks"];

/// Where one network comes from.
#[derive(Debug)]
pub enum NetworkSource {
    /// f32 weights that are to be quantized.
    Real(Weights),
    /// The tensors of another int8 file, as they are.
    Kept,
}

/// Where the networks come from.
#[derive(Debug)]
pub struct NetworkSources {
    /// In the order of [`NETWORKS`].
    pub networks: [NetworkSource; 4],
    /// The file whose tensors are kept.
    pub kept: QuantizedWeights,
}

/// Metadata that readers of the file need, and which are the classifier's.
const CLASSIFIER_KEYS: [&str; 3] = ["margin", "inputs", "classes"];

/// Quantizes networks by the training faces and pictures of `dataset`, and keeps the others.
///
/// # Errors
/// When weights are of another network or a picture cannot be read.
pub fn quantize(
    sources: &NetworkSources,
    dataset: &Dataset,
    choices: &Choices,
) -> Result<Draft, QuantizeError> {
    let mut draft = Draft::default();
    for (name, source) in NETWORKS.into_iter().zip(&sources.networks) {
        let weights = match source {
            NetworkSource::Real(weights) => weights,
            NetworkSource::Kept => {
                keep(&mut draft, &sources.kept, name);
                continue;
            }
        };
        match name {
            "classifier" => {
                let seen = observe_faces(weights, dataset, choices)?;
                classifier::add(&mut draft, weights, &seen, choices)?;
            }
            "landmarks" => {
                let seen = observe_landmarks(weights, dataset, choices)?;
                landmarks::add(&mut draft, weights, &seen, choices)?;
            }
            _ => {
                let observe = if name == DETECTOR { observe_pictures } else { observe_close_faces };
                let seen = observe(weights, dataset, choices)?;
                detector::add(&mut draft, (name, weights), &seen, choices)?;
            }
        }
        for (key, value) in &weights.metadata {
            draft.metadata.insert(format!("{name}.{key}"), value.clone());
        }
        draft.metadata.insert(format!("{name}.f32_crc32"), weights.checksum()?);
        let calibration = format!("{choices:?}, data {}", dataset.checksum());
        draft.metadata.insert(format!("{name}.calibration"), calibration);
        if name == "classifier" {
            for key in CLASSIFIER_KEYS {
                if let Some(value) = weights.metadata.get(key) {
                    draft.metadata.insert(key.to_owned(), value.clone());
                }
            }
        }
    }
    draft
        .metadata
        .insert("sums".to_owned(), format!("four products within 16 bits, weights up to {}", pack::LIMIT));
    Ok(draft)
}

/// Takes a network as it is in another file, with what that says of it.
fn keep(draft: &mut Draft, kept: &QuantizedWeights, name: &str) {
    let prefix = format!("{name}.");
    draft.copy(kept, &prefix);
    let is_classifier = name == "classifier";
    for (key, value) in &kept.metadata {
        if key.starts_with(&prefix) || is_classifier && CLASSIFIER_KEYS.contains(&key.as_str()) {
            draft.metadata.insert(key.clone(), value.clone());
        }
    }
    // Files made before each network had an entry of its own.
    let older = if is_classifier { "calibration" } else { "calibration_detector_landmarks" };
    if let Some(value) = kept.metadata.get(older) {
        draft.metadata.entry(format!("{prefix}calibration")).or_insert_with(|| value.clone());
    }
}
