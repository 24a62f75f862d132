//! Mask or no mask, for the faces of one picture. How many such answers make a verdict is [`crate::decide`]'s business.

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

    /// The probability, 0 to 1, that each of `faces` wears a mask, in their order. Boxes are in pixels of `picture`.
    ///
    /// # Errors
    /// When candle cannot run the network.
    pub fn classify<'a>(
        &self,
        picture: impl Into<View<'a>>,
        faces: &[Rect],
    ) -> Result<Vec<f32>, NetworkError> {
        let picture = picture.into();
        let Preprocessing { margin, input } = self.preprocessing;
        let mut probabilities = Vec::with_capacity(faces.len());
        if let Network::Quantized(quantized) = &self.network {
            let (network, crop) = &**quantized;
            // The crop is written anew for each face, so a panic of an earlier one left nothing behind.
            let Crop { sampler, pixels } = &mut *crop.lock().unwrap_or_else(PoisonError::into_inner);
            for face in faces {
                sampler.face_crop(picture, face, margin, input, pixels);
                probabilities.push(mask_probability(network, pixels)?);
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

    /// The probability of a mask on each of `crops`, which [`preprocess::face_crop`] has made.
    ///
    /// # Errors
    /// When the crops are not of one size, or candle cannot run the network.
    pub fn classify_crops(&self, crops: &[RgbImage]) -> Result<Vec<f32>, NetworkError> {
        match &self.network {
            Network::Real(backbone, head) => {
                let features = backbone.features(&preprocess::normalised(crops)?)?;
                let probabilities = candle_nn::ops::softmax(&head.forward(&features, None)?, 1)?;
                Ok(probabilities.narrow(1, head::MASK, 1)?.flatten_all()?.to_vec1()?)
            }
            Network::Quantized(quantized) => {
                crops.iter().map(|crop| mask_probability(&quantized.0, crop.as_raw())).collect()
            }
        }
    }

    /// How this classifier's faces are cut out.
    #[must_use]
    pub fn preprocessing(&self) -> Preprocessing {
        self.preprocessing
    }
}

/// The softmax over two logits.
fn mask_probability(network: &int8::mobilenet_v2::Classifier, crop: &[u8]) -> Result<f32, NetworkError> {
    let logits = network.logits(crop)?;
    Ok(1.0 / (1.0 + (logits[head::NO_MASK] - logits[head::MASK]).exp()))
}
