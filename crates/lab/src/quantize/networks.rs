//! All networks' weights → one int8 file.

use super::choices::Choices;
use super::error::QuantizeError;
use super::observe::{observe_faces, observe_landmarks, observe_pictures};
use super::{classifier, detector, landmarks};
use crate::data::dataset::Dataset;
use maskwatch::nn::int8::file::Draft;
use maskwatch::nn::weights::Weights;
use maskwatch_kernels::int8::pack;

/// The f32 weights of all networks.
#[derive(Debug)]
pub struct Real {
    /// Those of the classifier.
    pub classifier: Weights,
    /// Those of the detector.
    pub detector: Weights,
    /// Those of the landmark network.
    pub landmarks: Weights,
}

/// Quantizes all networks by the training faces and pictures of `dataset`.
///
/// # Errors
/// When weights are of another network or a picture cannot be read.
pub fn quantize(real: &Real, dataset: &Dataset, choices: &Choices) -> Result<Draft, QuantizeError> {
    let Real { classifier, detector, landmarks } = real;
    let mut draft = Draft::default();
    let seen = observe_faces(classifier, dataset, choices)?;
    classifier::add(&mut draft, classifier, &seen, choices)?;
    let seen = observe_pictures(detector, dataset, choices)?;
    detector::add(&mut draft, detector, &seen, choices)?;
    let seen = observe_landmarks(landmarks, dataset, choices)?;
    landmarks::add(&mut draft, landmarks, &seen, choices)?;

    for (name, weights) in [("classifier", classifier), ("detector", detector), ("landmarks", landmarks)] {
        for (key, value) in &weights.metadata {
            draft.metadata.insert(format!("{name}.{key}"), value.clone());
        }
        draft.metadata.insert(format!("{name}.f32_crc32"), weights.checksum()?);
    }
    for key in ["margin", "inputs", "classes"] {
        if let Some(value) = classifier.metadata.get(key) {
            draft.metadata.insert(key.to_owned(), value.clone());
        }
    }
    draft.metadata.insert("calibration".to_owned(), format!("{choices:?}, data {}", dataset.checksum()));
    draft
        .metadata
        .insert("sums".to_owned(), format!("four products within 16 bits, weights up to {}", pack::LIMIT));
    Ok(draft)
}
