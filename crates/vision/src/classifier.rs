//! Mask, no mask, or a mask worn incorrectly, for the faces of one picture. How many such answers make a
//! verdict is the door's business.

use super::scratch::{Buffers, Scratch};
use crate::geometry::Rect;
use crate::nn::head::{FRONT, Head, PERSON};
use crate::nn::int8::mobilenet_v2::ClassifierLogits;
use crate::nn::int8::{self, QuantizedWeights, SharedTeam};
use crate::nn::mobilenet_v2::MobileNetV2;
use crate::nn::weights::Weights;
use crate::nn::{Mode, NetworkError};
use crate::pixels::picture::View;
use crate::pixels::preprocess;
use image::{RgbImage, imageops};
use maskwatch_kernels::int8::Kernels;
use std::sync::Arc;

mod preprocessing;
mod probabilities;

pub use preprocessing::{CLASSIFIER_SIDES, Input, Preprocessing};
pub use probabilities::{Answer, Presence, Probabilities};

/// Faces that go through the network at once: enough for its matrix products, few enough for a small board's
/// memory.
const BATCH: usize = 8;
/// A face of which no class is as probable as this at the first look is looked at again, mirrored. This is
/// the certainty that a vote on a small face needs by the door's usual rules, so no such
/// vote hangs on one doubtful look.
pub const SURE: f32 = 0.95;

/// The classifier network behind the paper's preprocessing: a picture and its face boxes in, probabilities
/// out.
pub struct Classifier {
    network: ClassifierNetwork,
    preprocessing: Preprocessing,
}

enum ClassifierNetwork {
    Real(Box<MobileNetV2>, Head),
    /// One for each input.
    Quantized(Vec<Quantized>),
}

/// The quantized network at one input, with what it reads, kept from face to face.
struct Quantized {
    network: int8::mobilenet_v2::QuantizedClassifier,
    crop: Scratch,
}

impl Classifier {
    /// The classifier made from weights in memory.
    ///
    /// # Errors
    /// When the weights are of another network.
    pub fn new(weights: &Weights, input: Input) -> Result<Self, NetworkError> {
        Ok(Self {
            network: ClassifierNetwork::Real(
                Box::new(MobileNetV2::new(weights, Mode::Inference)?),
                Head::new(weights)?,
            ),
            preprocessing: Preprocessing::of(&weights.metadata, weights.origin(), input)?,
        })
    }

    /// The quantized classifier, on `kernels`, with a team's threads.
    ///
    /// # Errors
    /// When the weights are of another network.
    pub fn quantized(
        weights: &QuantizedWeights,
        kernels: &'static dyn Kernels,
        team: &SharedTeam,
        input: Input,
    ) -> Result<Self, NetworkError> {
        let preprocessing = Preprocessing::of(&weights.metadata, weights.origin(), input)?;
        let network = Arc::new(int8::mobilenet_v2::MobileNetV2::new(weights, kernels)?);
        let at = |input: &u32| {
            let side = *input as usize;
            let network = int8::mobilenet_v2::QuantizedClassifier::new(network.clone(), side, team.clone())?;
            Ok::<_, NetworkError>(Quantized { network, crop: Scratch::new(side, side) })
        };
        let networks = preprocessing.inputs.iter().map(at).collect::<Result<_, _>>()?;
        Ok(Self { network: ClassifierNetwork::Quantized(networks), preprocessing })
    }

    /// What is said of each of `faces`, in their order. Boxes are in pixels of `picture`. A face about which
    /// the first look leaves doubt is looked at again, mirrored: then the answer comes from the mean of both
    /// looks' logits.
    ///
    /// # Errors
    /// When candle cannot run the network.
    pub fn classify<'a>(
        &self,
        picture: impl Into<View<'a>>,
        faces: &[Rect],
    ) -> Result<Vec<Probabilities>, NetworkError> {
        Ok(self.look(picture, faces)?.into_iter().map(|answer| answer.probabilities).collect())
    }

    /// As [`classify`](Self::classify), and whether a face is there at all.
    ///
    /// # Errors
    /// When candle cannot run the network.
    pub fn look<'a>(
        &self,
        picture: impl Into<View<'a>>,
        faces: &[Rect],
    ) -> Result<Vec<Answer>, NetworkError> {
        let picture = picture.into();
        let Preprocessing { margin, inputs } = &self.preprocessing;
        let place_of = |face: &Rect| self.preprocessing.input_for(face);
        let (backbone, head) = match &self.network {
            ClassifierNetwork::Real(backbone, head) => (backbone, head),
            ClassifierNetwork::Quantized(networks) => {
                let answer = |face: &Rect| networks[place_of(face)].answer(picture, face, *margin);
                return faces.iter().map(answer).collect();
            }
        };
        let unasked = Answer { probabilities: Probabilities::of_mask(f32::NAN), presence: Presence::CERTAIN };
        let mut answers = vec![unasked; faces.len()];
        for (place, input) in inputs.iter().enumerate() {
            let of_input: Vec<usize> =
                (0..faces.len()).filter(|face| place_of(&faces[*face]) == place).collect();
            for batch in of_input.chunks(BATCH) {
                let crop = |face: &usize| preprocess::face_crop(picture, &faces[*face], *margin, *input);
                let crops: Vec<RgbImage> = batch.iter().map(crop).collect();
                let first = looks(backbone, head, &crops)?;
                let doubtful: Vec<usize> = (0..batch.len()).filter(|&at| !first[at].is_sure()).collect();
                for (&face, look) in batch.iter().zip(&first) {
                    answers[face] = look.answer();
                }
                if doubtful.is_empty() {
                    continue;
                }
                let mirrored: Vec<RgbImage> =
                    doubtful.iter().map(|&at| imageops::flip_horizontal(&crops[at])).collect();
                for (at, second) in doubtful.into_iter().zip(looks(backbone, head, &mirrored)?) {
                    answers[batch[at]] = first[at].mean(second).answer();
                }
            }
        }
        Ok(answers)
    }

    /// How many faces are best handed to [`classify`](Self::classify) together: the int8 network looks at one
    /// face after the other, candle's at several at once.
    #[must_use]
    pub fn at_once(&self) -> usize {
        match &self.network {
            ClassifierNetwork::Real(..) => BATCH,
            ClassifierNetwork::Quantized(_) => 1,
        }
    }

    /// What one look says of each of `crops`, which [`preprocess::face_crop`] has made.
    ///
    /// # Errors
    /// When the crops are not of one size that this classifier has as an input, or candle cannot run the
    /// network.
    pub fn classify_crops(&self, crops: &[RgbImage]) -> Result<Vec<Probabilities>, NetworkError> {
        let looks = match &self.network {
            ClassifierNetwork::Real(backbone, head) => looks(backbone, head, crops)?,
            ClassifierNetwork::Quantized(networks) => {
                let side = crops.first().map_or(0, |crop| crop.width() as usize);
                let network = networks.iter().map(|at| &at.network).find(|network| network.side() == side);
                let Some(network) = network.or(networks.last().map(|at| &at.network)) else {
                    return Ok(Vec::new());
                };
                crops.iter().map(|crop| look(network, crop.as_raw())).collect::<Result<_, _>>()?
            }
        };
        Ok(looks.into_iter().map(LookLogits::probabilities).collect())
    }

    /// How this classifier's faces are cut out.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }
}

impl Quantized {
    fn answer(&self, picture: View<'_>, face: &Rect, margin: f32) -> Result<Answer, NetworkError> {
        let Buffers { sampler, pixels } = &mut *self.crop.lock();
        let side = self.network.side();
        sampler.face_crop(picture, face, margin, side as u32, pixels);
        let mut answer = look(&self.network, pixels)?;
        if !answer.is_sure() {
            preprocess::mirror(pixels, side);
            answer = answer.mean(look(&self.network, pixels)?);
        }
        Ok(answer.answer())
    }
}

/// The logits of one crop, or the mean of those of two.
#[derive(Clone, Copy)]
struct LookLogits {
    /// In the order of [`crate::nn::head::CLASSES`].
    classes: [f32; 2],
    incorrect: Option<f32>,
    /// In the order of [`PERSON`](crate::nn::head::PERSON) and [`FRONT`](crate::nn::head::FRONT).
    presence: Option<[f32; 2]>,
}

impl LookLogits {
    fn answer(self) -> Answer {
        let presence = self.presence.map_or(Presence::CERTAIN, Presence::from_logits);
        Answer { probabilities: self.probabilities(), presence }
    }

    fn probabilities(self) -> Probabilities {
        Probabilities::from_logits(self.classes, self.incorrect)
    }

    fn is_sure(self) -> bool {
        let Probabilities { mask, no_mask, incorrect } = self.probabilities();
        mask.max(no_mask).max(incorrect) >= SURE
    }

    fn mean(self, other: Self) -> Self {
        let classes = std::array::from_fn(|class| f32::midpoint(self.classes[class], other.classes[class]));
        let incorrect = self.incorrect.zip(other.incorrect).map(|(one, another)| f32::midpoint(one, another));
        let presence = self
            .presence
            .zip(other.presence)
            .map(|(one, another)| std::array::from_fn(|output| f32::midpoint(one[output], another[output])));
        Self { classes, incorrect, presence }
    }
}

fn look(network: &int8::mobilenet_v2::QuantizedClassifier, crop: &[u8]) -> Result<LookLogits, NetworkError> {
    let ClassifierLogits { classes, incorrect, presence } = network.logits(crop)?;
    Ok(LookLogits { classes, incorrect, presence })
}

fn looks(backbone: &MobileNetV2, head: &Head, crops: &[RgbImage]) -> Result<Vec<LookLogits>, NetworkError> {
    let logits = head.forward(&backbone.features(&preprocess::normalised(crops)?)?, None)?;
    let classes = logits.classes.to_vec2::<f32>()?;
    let incorrect = match &logits.incorrect {
        Some(logits) => logits.flatten_all()?.to_vec1()?.into_iter().map(Some).collect(),
        None => vec![None; classes.len()],
    };
    let presence = match &logits.presence {
        Some(logits) => logits.to_vec2()?.into_iter().map(|row| Some([row[PERSON], row[FRONT]])).collect(),
        None => vec![None; classes.len()],
    };
    let rows = classes.iter().zip(incorrect).zip(presence);
    let look = |((row, incorrect), presence): ((&Vec<f32>, _), _)| LookLogits {
        classes: [row[0], row[1]],
        incorrect,
        presence,
    };
    Ok(rows.map(look).collect())
}
