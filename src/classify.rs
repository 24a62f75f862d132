//! Mask, no mask, or a mask worn incorrectly, for the faces of one picture. How many such answers make a verdict is
//! [`crate::decide`]'s business.

use crate::geometry::Rect;
use crate::kernels::int8::Kernels;
use crate::nn::head::{self, Head};
use crate::nn::int8::{self, QuantizedWeights, SharedTeam};
use crate::nn::mobilenet_v2::MobileNetV2;
use crate::nn::weights::Weights;
use crate::nn::{Mode, NetworkError};
use crate::pixels::picture::View;
use crate::pixels::preprocess;
use crate::pixels::sampler::Sampler;
use image::RgbImage;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Faces that go through the network at once: enough for its matrix products, few enough for a small board's memory.
const BATCH: usize = 8;
/// Input sides that the network takes; beyond them its maps vanish or the memory of a board does.
const INPUTS: std::ops::RangeInclusive<u32> = 32..=512;

/// How faces are cut out for a classifier; fixed when it is trained and written into its weight file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preprocessing {
    /// Side of the square that the network sees, as a multiple of the face's longer side.
    pub margin: f32,
    /// Side of the network's input in pixels; 224 in the paper.
    pub input: u32,
}

impl Preprocessing {
    /// Reads the metadata entries `margin`, `input` and `classes` of a weight file.
    ///
    /// # Errors
    /// When one is missing, out of range, or the classes are others than *mask* and *no mask*.
    pub fn of(weights: &Weights) -> Result<Self, NetworkError> {
        let this = Self { margin: weights.number("margin")?, input: weights.number("input")? };
        this.checked(&weights.metadata, weights.origin())
    }

    fn checked(self, metadata: &BTreeMap<String, String>, origin: &str) -> Result<Self, NetworkError> {
        let this = self;
        let classes = metadata.get("classes").map(String::as_str);
        if !(0.5..=3.0).contains(&this.margin)
            || !INPUTS.contains(&this.input)
            || classes != Some(head::CLASSES)
        {
            let reason = format!(
                "its metadata says margin {}, input {}, classes {}",
                this.margin,
                this.input,
                classes.unwrap_or("missing")
            );
            return Err(NetworkError::Mismatch { origin: origin.to_owned(), reason });
        }
        Ok(this)
    }

    /// Writes the entries that [`Preprocessing::of`] reads.
    pub fn write(&self, metadata: &mut BTreeMap<String, String>) {
        metadata.insert("margin".to_owned(), self.margin.to_string());
        metadata.insert("input".to_owned(), self.input.to_string());
        metadata.insert("classes".to_owned(), head::CLASSES.to_owned());
    }
}

/// What the classifier says of a face: three probabilities, 0 to 1, whose sum is 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probabilities {
    /// Nose and mouth are covered.
    pub mask: f32,
    /// The face is bare.
    pub no_mask: f32,
    /// A mask is there, but does not cover nose and mouth.
    pub incorrect: f32,
}

impl Probabilities {
    /// From the logits of [`Head`]: the sigmoid of its output *incorrect*; what that leaves is shared by the softmax of the
    /// two classes.
    #[must_use]
    pub fn from_logits(classes: [f32; 2], incorrect: Option<f32>) -> Self {
        let sigmoid = |logit: f32| 1.0 / (1.0 + (-logit).exp());
        let incorrect = incorrect.map_or(0.0, sigmoid);
        let mask = (1.0 - incorrect) * sigmoid(classes[head::MASK] - classes[head::NO_MASK]);
        Self { mask, no_mask: 1.0 - incorrect - mask, incorrect }
    }

    /// Of a classifier that knows two classes only, from the probability of a mask.
    #[must_use]
    pub const fn of_mask(mask: f32) -> Self {
        Self { mask, no_mask: 1.0 - mask, incorrect: 0.0 }
    }

    /// Whether these are probabilities: damaged weights can give anything.
    #[must_use]
    pub fn are_sound(&self) -> bool {
        [self.mask, self.no_mask, self.incorrect].iter().all(|p| (-1e-6..=1.0 + 1e-6).contains(p))
            && (self.mask + self.no_mask + self.incorrect - 1.0).abs() < 1e-3
    }
}

/// The classifier network behind the paper's preprocessing: a picture and its face boxes in, probabilities out.
pub struct Classifier {
    network: Network,
    preprocessing: Preprocessing,
}

enum Network {
    Real(Box<MobileNetV2>, Head),
    Quantized(Box<(int8::mobilenet_v2::Classifier, Mutex<Crop>)>),
}

/// What the quantized network reads, kept from face to face.
struct Crop {
    sampler: Sampler,
    pixels: Vec<u8>,
}

impl Classifier {
    /// Reads the classifier's weights from `path`.
    ///
    /// # Errors
    /// When the file is missing, damaged or of another network.
    pub fn load(path: &Path) -> Result<Self, NetworkError> {
        Self::new(&Weights::load(path)?)
    }

    /// The classifier made from weights in memory.
    ///
    /// # Errors
    /// When the weights are of another network.
    pub fn new(weights: &Weights) -> Result<Self, NetworkError> {
        Ok(Self {
            network: Network::Real(
                Box::new(MobileNetV2::new(weights, Mode::Inference)?),
                Head::new(weights)?,
            ),
            preprocessing: Preprocessing::of(weights)?,
        })
    }

    /// The quantized classifier, on `kernels`, with a team's threads. `input` is the side of the network's input if it shall
    /// not be what the weights say.
    ///
    /// # Errors
    /// When the weights are of another network.
    pub fn quantized(
        weights: &QuantizedWeights,
        kernels: &'static dyn Kernels,
        team: SharedTeam,
        input: Option<u32>,
    ) -> Result<Self, NetworkError> {
        let input = input.map_or_else(|| weights.number("input"), Ok)?;
        let preprocessing = Preprocessing { margin: weights.number("margin")?, input };
        let preprocessing = preprocessing.checked(&weights.metadata, weights.origin())?;
        let network = Arc::new(int8::mobilenet_v2::MobileNetV2::new(weights, kernels)?);
        let network = int8::mobilenet_v2::Classifier::new(network, input as usize, team)?;
        let side = input as usize;
        let crop = Mutex::new(Crop { sampler: Sampler::default(), pixels: vec![0; 3 * side * side] });
        Ok(Self { network: Network::Quantized(Box::new((network, crop))), preprocessing })
    }

    /// What is said of each of `faces`, in their order. Boxes are in pixels of `picture`.
    ///
    /// # Errors
    /// When candle cannot run the network.
    pub fn classify<'a>(
        &self,
        picture: impl Into<View<'a>>,
        faces: &[Rect],
    ) -> Result<Vec<Probabilities>, NetworkError> {
        let picture = picture.into();
        let Preprocessing { margin, input } = self.preprocessing;
        let mut probabilities = Vec::with_capacity(faces.len());
        if let Network::Quantized(quantized) = &self.network {
            let (network, crop) = &**quantized;
            // The crop is written anew for each face, so a panic of an earlier one left nothing behind.
            let Crop { sampler, pixels } = &mut *crop.lock().unwrap_or_else(PoisonError::into_inner);
            for face in faces {
                sampler.face_crop(picture, face, margin, input, pixels);
                let (classes, incorrect) = network.logits(pixels)?;
                probabilities.push(Probabilities::from_logits(classes, incorrect));
            }
            return Ok(probabilities);
        }
        for faces in faces.chunks(BATCH) {
            let crops: Vec<_> =
                faces.iter().map(|face| preprocess::face_crop(picture, face, margin, input)).collect();
            probabilities.extend(self.classify_crops(&crops)?);
        }
        Ok(probabilities)
    }

    /// What is said of each of `crops`, which [`preprocess::face_crop`] has made.
    ///
    /// # Errors
    /// When the crops are not of one size, or candle cannot run the network.
    pub fn classify_crops(&self, crops: &[RgbImage]) -> Result<Vec<Probabilities>, NetworkError> {
        match &self.network {
            Network::Real(backbone, head) => {
                let features = backbone.features(&preprocess::normalised(crops)?)?;
                let logits = head.forward(&features, None)?;
                let classes = logits.classes.to_vec2::<f32>()?;
                let incorrect = match &logits.incorrect {
                    Some(logits) => logits.flatten_all()?.to_vec1()?.into_iter().map(Some).collect(),
                    None => vec![None; classes.len()],
                };
                let rows = classes.iter().zip(incorrect);
                Ok(rows
                    .map(|(row, incorrect)| Probabilities::from_logits([row[0], row[1]], incorrect))
                    .collect())
            }
            Network::Quantized(quantized) => crops
                .iter()
                .map(|crop| {
                    let (classes, incorrect) = quantized.0.logits(crop.as_raw())?;
                    Ok(Probabilities::from_logits(classes, incorrect))
                })
                .collect(),
        }
    }

    /// How this classifier's faces are cut out.
    #[must_use]
    pub fn preprocessing(&self) -> Preprocessing {
        self.preprocessing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_logits_give_sound_probabilities(
            mask in -60f32..60.0, no_mask in -60f32..60.0, incorrect in prop::option::of(-60f32..60.0),
        ) {
            let answer = Probabilities::from_logits([mask, no_mask], incorrect);
            prop_assert!(answer.are_sound(), "{answer:?}");
            // What is left beside *incorrect* is the softmax of the two.
            let share = mask.exp() / (mask.exp() + no_mask.exp());
            prop_assert!((answer.mask - share * (1.0 - answer.incorrect)).abs() < 1e-3);
            prop_assert_eq!(incorrect.is_none(), answer.incorrect == 0.0 && incorrect.is_none());
        }
    }

    #[test]
    fn what_is_no_number_is_not_sound() {
        assert!(!Probabilities::from_logits([f32::NAN, 0.0], Some(0.0)).are_sound());
        assert!(!Probabilities::of_mask(1.5).are_sound() && Probabilities::of_mask(0.3).are_sound());
    }
}
