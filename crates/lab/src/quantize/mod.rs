//! Post-training quantization of the networks: ranges are learned from training pictures
//! ([`ranges`]), weights rounded within what the kernels can add up ([`rounding`]), biases corrected for what
//! the rounding does on average.
//!
//! Maps that only a depthwise convolution reads have a scale per channel: it never mixes channels, so each
//! may be coded as it needs, and ReLU6's narrow channels keep all 8 bits. So may those that one 1×1
//! convolution reads, within what its weights can take up ([`ranges::balanced`]); linear bottlenecks, which
//! are added to one another, have one scale. The head's first layer is quantized like a 1×1 convolution, the
//! few weights behind it stay real.

pub mod classifier;
pub mod detector;
pub mod landmarks;
pub mod ranges;
pub mod rounding;

use crate::data::dataset::{Dataset, Subset, open_picture};
use crate::data::labels::Label;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::TrainError;
use crate::train::augment::View;
use crate::train::sampler::Sampler;
use candle_core::Tensor;
use maskwatch::nn::convolution::{Convolution, Kind};
use maskwatch::nn::head::Head;
use maskwatch::nn::int8::SharedTeam;
use maskwatch::nn::int8::file::Draft;
use maskwatch::nn::landmarks::{INPUT, Landmarks, MARGIN};
use maskwatch::nn::mobilenet_v2::MobileNetV2;
use maskwatch::nn::weights::Weights;
use maskwatch::nn::yunet::YuNet;
use maskwatch::nn::{Mode, NetworkError};
use maskwatch::pixels::preprocess;
use maskwatch::vision::classifier::{Classifier, Input};
use maskwatch::vision::models::usual_threads;
use maskwatch_kernels::int8::{fastest, pack};
use ranges::{Observations, Quantization};
use rounding::{RealLayer, Sums};
use std::collections::BTreeSet;

/// What is seen of the pooled features, and of the head's hidden values.
const POOLED: &str = "pooled";
const HIDDEN: &str = "head.0";

/// What was chosen by measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// Share of the pictures whose extremes a map's range covers; the rest saturates. 1 covers all.
    pub quantile: f64,
    /// Faces that the classifier's ranges are learned from.
    pub faces: usize,
    /// Sides of the classifier's input that take turns.
    pub inputs: Vec<u32>,
    /// Pictures that the detector's ranges are learned from.
    pub pictures: usize,
    /// Width and height of the detector's input.
    pub detector_input: (u32, u32),
    /// Decides which faces and pictures.
    pub seed: u64,
}

impl Choices {
    /// How a map of values from 0 on is coded that a 1×1 convolution reads.
    fn unsigned_map(&self, ranges: &[(f32, f32)]) -> Quantization {
        Quantization { zero_point: 0, ..self.per_tensor(ranges) }
    }

    fn per_tensor(&self, ranges: &[(f32, f32)]) -> Quantization {
        Quantization::per_tensor(ranges)
    }
}

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
pub fn quantize(real: &Real, dataset: &Dataset, choices: &Choices) -> Result<Draft, TrainError> {
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

/// How the quantized classifier compares with the f32 one, at one input size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Side of the input.
    pub input: u32,
    /// Faces that both were asked about.
    pub faces: usize,
    /// Of these, the f32 one is right on.
    pub real_right: usize,
    /// The int8 one is right on.
    pub quantized_right: usize,
    /// Both give the same class.
    pub same: usize,
    /// Root of the mean square of the difference between logit differences.
    pub logit_error: f64,
}

/// Asks both classifiers about the faces that are set aside from training: what choices can be made by.
///
/// # Errors
/// When weights are of another network or a picture cannot be read.
pub fn compare(
    classifier: &Weights,
    draft: &Draft,
    dataset: &Dataset,
    choices: &Choices,
) -> Result<Vec<Comparison>, TrainError> {
    let team = SharedTeam::new(usual_threads()).map_err(candle_core::Error::wrap)?;
    let quantized = draft.weights()?;
    let faces = dataset.subset(dataset.chosen_by());
    let mut comparisons = Vec::new();
    for &input in &choices.inputs {
        let real = Classifier::new(classifier, Input::Side(input))?;
        let int8 = Classifier::quantized(&quantized, fastest(), &team, Input::Side(input))?;
        let mut sum = Comparison {
            input,
            faces: faces.len(),
            real_right: 0,
            quantized_right: 0,
            same: 0,
            logit_error: 0.0,
        };
        let progress = Progress::new(&format!("comparing at {input} px"), "faces", faces.len() as u64, 0);
        for index in &faces {
            let face = &dataset.faces[*index];
            let picture = open_picture(&face.picture)?;
            let crop = [View::plain(real.preprocessing().margin).render(&picture, &face.rect, input)];
            let [a, b] = [real.classify_crops(&crop)?[0].mask, int8.classify_crops(&crop)?[0].mask];
            let right = |p: f32| (p >= 0.5) == (face.label == Label::Mask);
            let logit = |p: f32| f64::from((p.max(1e-9) / (1.0 - p).max(1e-9)).ln());
            sum.real_right += usize::from(right(a));
            sum.quantized_right += usize::from(right(b));
            sum.same += usize::from((a >= 0.5) == (b >= 0.5));
            sum.logit_error += (logit(a) - logit(b)).powi(2) / faces.len() as f64;
            progress.advance(1);
        }
        sum.logit_error = sum.logit_error.sqrt();
        comparisons.push(sum);
    }
    Ok(comparisons)
}

/// What the classifier's maps contain on training faces, drawn as for training, without augmentation.
fn observe_faces(
    weights: &Weights,
    dataset: &Dataset,
    choices: &Choices,
) -> Result<Observations, TrainError> {
    let network = MobileNetV2::new(weights, Mode::Inference)?;
    let head = Head::new(weights)?;
    let margin = weights.number("margin")?;
    let drawn = Sampler::new(dataset).draw(choices.faces, &mut stream(choices.seed, Purpose::Subsets, 100));
    let progress = Progress::new("calibrating the classifier", "faces", drawn.len() as u64, 0);
    let mut seen = Observations::default();
    for (batch, faces) in drawn.chunks(8).enumerate() {
        let side = choices.inputs[batch % choices.inputs.len()];
        let crops = faces
            .iter()
            .map(|index| {
                let face = &dataset.faces[*index];
                Ok(View::plain(margin).render(&open_picture(&face.picture)?, &face.rect, side))
            })
            .collect::<Result<Vec<_>, TrainError>>()?;
        let (mut failed, mut last) = (None, None);
        network.observe(&preprocess::normalised(&crops)?, &mut |name, map| {
            failed = failed.take().or(seen.add(name, map).err());
            last = Some(map.clone());
        })?;
        failed.map_or(Ok(()), Err)?;
        if let Some(map) = last {
            let pooled = map.mean((1, 2))?;
            let as_map = |values: &Tensor| values.unsqueeze(1)?.unsqueeze(1);
            seen.add(POOLED, &as_map(&pooled)?)?;
            seen.add(HIDDEN, &as_map(&head.hidden(&pooled)?)?)?;
        }
        progress.advance(faces.len() as u64);
    }
    Ok(seen)
}

/// What the landmark network's maps contain on training faces, masked and bare ones by turns.
fn observe_landmarks(
    weights: &Weights,
    dataset: &Dataset,
    choices: &Choices,
) -> Result<Observations, TrainError> {
    let network = Landmarks::new(weights, Mode::Inference)?;
    let drawn = Sampler::new(dataset).draw(choices.faces, &mut stream(choices.seed, Purpose::Subsets, 101));
    let progress = Progress::new("calibrating the landmark network", "faces", drawn.len() as u64, 0);
    let mut seen = Observations::default();
    for index in drawn {
        let face = &dataset.faces[index];
        let crop = View::plain(MARGIN).render(&open_picture(&face.picture)?, &face.rect, INPUT as u32);
        let mut failed = None;
        network.observe(&preprocess::normalised(&[crop])?, &mut |name, map| {
            failed = failed.take().or(seen.add(name, map).err());
        })?;
        failed.map_or(Ok(()), Err)?;
        progress.advance(1);
    }
    Ok(seen)
}

/// What the detector's maps contain on whole training pictures.
fn observe_pictures(
    weights: &Weights,
    dataset: &Dataset,
    choices: &Choices,
) -> Result<Observations, TrainError> {
    let network = YuNet::new(weights, Mode::Inference)?;
    // Scenes, where there are any: the detector looks at whole pictures with small faces.
    let of_table = |table: Option<&str>| -> BTreeSet<_> {
        let faces = dataset.faces.iter().filter(|face| face.subset == Subset::Train);
        faces
            .filter(|face| table.is_none_or(|table| face.table == table))
            .map(|face| face.picture.clone())
            .collect()
    };
    let scenes = of_table(Some("scenes"));
    let pictures: Vec<_> = if scenes.is_empty() { of_table(None) } else { scenes }.into_iter().collect();
    let step = (pictures.len() / choices.pictures.max(1)).max(1);
    let chosen: Vec<_> = pictures.iter().step_by(step).take(choices.pictures).collect();
    let progress = Progress::new("calibrating the detector", "pictures", chosen.len() as u64, 0);
    let mut seen = Observations::default();
    for path in chosen {
        let (width, height) = choices.detector_input;
        let (canvas, _) = preprocess::letterbox(&open_picture(path)?, width, height);
        let mut failed = None;
        network.observe(&preprocess::bgr(&[canvas])?, &mut |name, map| {
            failed = failed.take().or(seen.add(name, map).err());
        })?;
        failed.map_or(Ok(()), Err)?;
        progress.advance(1);
    }
    Ok(seen)
}

/// A convolution's weights, outputs first.
fn real_layer(convolution: &Convolution) -> Result<RealLayer, NetworkError> {
    let sums = match convolution.kind() {
        Kind::Depthwise { .. } => Sums::Depthwise,
        Kind::Full { .. } | Kind::Pointwise { .. } => Sums::Pointwise,
    };
    let Some((weight, bias)) = convolution.folded() else {
        let message = "only networks made for inference are quantized".to_owned();
        return Err(NetworkError::Run(candle_core::Error::Msg(message)));
    };
    Ok(RealLayer { weights: weight.t()?.to_vec2()?, bias: bias.to_vec1()?, sums })
}
