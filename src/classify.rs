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
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// Faces that go through the network at once: enough for its matrix products, few enough for a small board's memory.
const BATCH: usize = 8;
/// Input sides that the network takes; beyond them its maps vanish or the memory of a board does.
const INPUTS: std::ops::RangeInclusive<u32> = 32..=512;

/// Which input a classifier looks at a face with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Input {
    /// Of the sides that the weights were trained for the smallest that shows all that the camera saw of the face.
    #[default]
    Auto,
    /// A square of this side in pixels, 32 to 512; 224 in the paper.
    Side(u32),
}

impl FromStr for Input {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "auto" {
            return Ok(Self::Auto);
        }
        let side = word.parse().ok().filter(|side| INPUTS.contains(side));
        side.map(Self::Side)
            .ok_or_else(|| format!("it must be auto or {} to {}", INPUTS.start(), INPUTS.end()))
    }
}

impl fmt::Display for Input {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => out.write_str("auto"),
            Self::Side(side) => write!(out, "{side}x{side}"),
        }
    }
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Side(side) => serializer.serialize_u32(*side),
        }
    }
}

/// How faces are cut out for a classifier; fixed when it is trained and written into its weight file.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Side of the square that the network sees, as a multiple of the face's longer side.
    pub margin: f32,
    /// Sides of the network's input in pixels, the smallest first.
    pub inputs: Vec<u32>,
}

impl Preprocessing {
    /// Reads the metadata entries `margin`, `input`, `inputs` (which older files lack) and `classes` of a weight file.
    fn of(metadata: &BTreeMap<String, String>, origin: &str, input: Input) -> Result<Self, NetworkError> {
        let text = |key: &str| metadata.get(key).map_or("missing", String::as_str);
        let list = metadata.get("inputs").map_or_else(|| text("input"), String::as_str);
        let margin = text("margin").parse().ok().filter(|margin| (0.5..=3.0).contains(margin));
        let inputs: Option<Vec<u32>> =
            list.split(',').map(|side| side.parse().ok().filter(|side| INPUTS.contains(side))).collect();
        let classes = text("classes") == head::CLASSES;
        let (Some(margin), Some(mut inputs), true) = (margin, inputs, classes) else {
            let (margin, classes) = (text("margin"), text("classes"));
            let reason = format!("its metadata says margin {margin}, input {list}, classes {classes}");
            return Err(NetworkError::Mismatch { origin: origin.to_owned(), reason });
        };
        if let Input::Side(side) = input {
            inputs = vec![side];
        }
        inputs.sort_unstable();
        inputs.dedup();
        Ok(Self { margin, inputs })
    }

    /// Writes the entries that a [`Classifier`] reads.
    pub fn write(&self, metadata: &mut BTreeMap<String, String>) {
        let inputs: Vec<String> = self.inputs.iter().map(u32::to_string).collect();
        metadata.insert("margin".to_owned(), self.margin.to_string());
        metadata.insert("inputs".to_owned(), inputs.join(","));
        metadata.insert("classes".to_owned(), head::CLASSES.to_owned());
    }

    /// Which of the inputs, by its place in [`Self::inputs`], a face is looked at with: the smallest that need not make its
    /// crop smaller, else the largest.
    #[must_use]
    pub fn input_for(&self, face: &Rect) -> usize {
        let seen = self.margin * face.w.max(face.h);
        let enough = self.inputs.iter().position(|input| *input as f32 >= seen);
        enough.unwrap_or(self.inputs.len().saturating_sub(1))
    }

    /// The largest input.
    #[must_use]
    pub fn largest(&self) -> u32 {
        self.inputs.last().copied().unwrap_or_default()
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

    /// The paper's softmax: the probability of a mask where it is known that none is worn incorrectly.
    #[must_use]
    pub fn of_two(&self) -> f32 {
        let both = self.mask + self.no_mask;
        if both > 0.0 { (self.mask / both).clamp(0.0, 1.0) } else { 0.5 }
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
    /// One for each input.
    Quantized(Vec<Quantized>),
}

/// The quantized network at one input, with what it reads, kept from face to face.
struct Quantized {
    network: int8::mobilenet_v2::Classifier,
    crop: Mutex<Crop>,
}

struct Crop {
    sampler: Sampler,
    pixels: Vec<u8>,
}

impl Classifier {
    /// The classifier made from weights in memory.
    ///
    /// # Errors
    /// When the weights are of another network.
    pub fn new(weights: &Weights, input: Input) -> Result<Self, NetworkError> {
        Ok(Self {
            network: Network::Real(
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
            let network = int8::mobilenet_v2::Classifier::new(network.clone(), side, team.clone())?;
            let crop = Crop { sampler: Sampler::default(), pixels: vec![0; 3 * side * side] };
            Ok::<_, NetworkError>(Quantized { network, crop: Mutex::new(crop) })
        };
        let networks = preprocessing.inputs.iter().map(at).collect::<Result<_, _>>()?;
        Ok(Self { network: Network::Quantized(networks), preprocessing })
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
        let Preprocessing { margin, inputs } = &self.preprocessing;
        let place_of = |face: &Rect| self.preprocessing.input_for(face);
        if let Network::Quantized(networks) = &self.network {
            let answer = |face: &Rect| networks[place_of(face)].look(picture, face, *margin);
            return faces.iter().map(answer).collect();
        }
        let mut answers = vec![Probabilities::of_mask(f32::NAN); faces.len()];
        for (place, input) in inputs.iter().enumerate() {
            let of_input: Vec<usize> =
                (0..faces.len()).filter(|face| place_of(&faces[*face]) == place).collect();
            for batch in of_input.chunks(BATCH) {
                let crop = |face: &usize| preprocess::face_crop(picture, &faces[*face], *margin, *input);
                let given = self.classify_crops(&batch.iter().map(crop).collect::<Vec<_>>())?;
                batch.iter().zip(given).for_each(|(face, answer)| answers[*face] = answer);
            }
        }
        Ok(answers)
    }

    /// What is said of each of `crops`, which [`preprocess::face_crop`] has made.
    ///
    /// # Errors
    /// When the crops are not of one size that this classifier has as an input, or candle cannot run the network.
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
            Network::Quantized(networks) => {
                let side = crops.first().map_or(0, |crop| crop.width() as usize);
                let network = networks.iter().map(|at| &at.network).find(|network| network.side() == side);
                let Some(network) = network.or(networks.last().map(|at| &at.network)) else {
                    return Ok(Vec::new());
                };
                crops.iter().map(|crop| answer(network, crop.as_raw())).collect()
            }
        }
    }

    /// How this classifier's faces are cut out.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }
}

impl Quantized {
    fn look(&self, picture: View<'_>, face: &Rect, margin: f32) -> Result<Probabilities, NetworkError> {
        // The crop is written anew for each face, so a panic of an earlier one left nothing behind.
        let Crop { sampler, pixels } = &mut *self.crop.lock().unwrap_or_else(PoisonError::into_inner);
        sampler.face_crop(picture, face, margin, self.network.side() as u32, pixels);
        answer(&self.network, pixels)
    }
}

fn answer(network: &int8::mobilenet_v2::Classifier, crop: &[u8]) -> Result<Probabilities, NetworkError> {
    let (classes, incorrect) = network.logits(crop)?;
    Ok(Probabilities::from_logits(classes, incorrect))
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
    fn a_face_is_looked_at_with_the_smallest_input_that_shows_all_of_it() {
        let preprocessing = Preprocessing { margin: 1.25, inputs: vec![96, 128, 224] };
        let input =
            |longer: f32| preprocessing.inputs[preprocessing.input_for(&Rect::new(0.0, 0.0, 10.0, longer))];
        assert_eq!([20.0, 76.0, 77.0, 102.0, 103.0, 400.0].map(input), [96, 96, 128, 128, 224, 224]);
    }

    #[test]
    fn the_metadata_say_which_inputs_there_are() {
        let of = |entries: &[(&str, &str)], input| {
            let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            Preprocessing::of(&entries.collect(), "a file", input).map(|this| this.inputs)
        };
        let old = [("margin", "1.1"), ("input", "224"), ("classes", head::CLASSES)];
        assert_eq!(of(&old, Input::Auto).unwrap(), [224]);
        assert_eq!(of(&old, Input::Side(128)).unwrap(), [128]);
        let new = [("margin", "1.1"), ("inputs", "224,96,128"), ("classes", head::CLASSES)];
        assert_eq!(of(&new, Input::Auto).unwrap(), [96, 128, 224]);
        for wrong in ["", "0", "224,", "many", "9999"] {
            let message = of(&[new[0], ("inputs", wrong), new[2]], Input::Auto).unwrap_err().to_string();
            assert!(message.contains("a file"), "{message}");
        }
        assert_eq!("auto".parse(), Ok(Input::Auto));
        assert_eq!("96".parse(), Ok(Input::Side(96)));
        assert!("31".parse::<Input>().is_err() && "".parse::<Input>().is_err());
    }

    #[test]
    fn what_is_no_number_is_not_sound() {
        assert!(!Probabilities::from_logits([f32::NAN, 0.0], Some(0.0)).are_sound());
        assert!(!Probabilities::of_mask(1.5).are_sound() && Probabilities::of_mask(0.3).are_sound());
    }
}
