//! Boxes and landmarks of faces, from the detector network. What they mean over time is the door's
//! business.

use super::scratch::{Buffers, Scratch};
use crate::geometry::{Point, Rect};
use crate::nn::int8::yunet::{Cells, VALUES};
use crate::nn::int8::{self, QuantizedWeights, SharedTeam};
use crate::nn::weights::Weights;
use crate::nn::yunet::{FeatureLevel, MULTIPLE, YuNet};
use crate::nn::{Mode, NetworkError};
use crate::pixels::picture::View;
use crate::pixels::preprocess;
use crate::zones::SearchArea;
use maskwatch_kernels::int8::Kernels;
use std::ops::RangeInclusive;
use std::path::Path;

mod close;
mod detection;

pub use close::{CLOSE_INPUT, NARROWEST, lift};
pub use detection::{Detection, NMS_IOU, suppress};

/// Sides of the detector's input in pixels; each is also a multiple of [`MULTIPLE`].
pub const DETECTOR_SIDES: RangeInclusive<u32> = 32..=2048;
/// Scores that a face can have, and thresholds of them.
pub const SCORES: RangeInclusive<f64> = 0.0..=1.0;
enum DetectorNetwork {
    Real(Box<YuNet>),
    Quantized(Box<(int8::yunet::QuantizedDetector, Scratch)>),
}

/// The detector network behind a letterbox: pictures of any size in, detections in their own pixels out.
pub struct Detector {
    network: DetectorNetwork,
    input: (u32, u32),
    score_threshold: f32,
    /// Whether pictures are brightened first.
    is_lifted: bool,
    /// The part of pictures that is searched; all of them if there is none.
    area: Option<SearchArea>,
    /// Searches the same pictures for close faces.
    close: Option<Box<Self>>,
}

impl Detector {
    /// Reads the detector's weights from `path`. Pictures are fitted into `input` (width, height; multiples
    /// of 32), and faces with a score below `score_threshold` (0 to 1) are dropped.
    ///
    /// # Errors
    /// When the file is missing, damaged or of another network, or `input` is no multiple of 32.
    pub fn load(path: &Path, input: (u32, u32), score_threshold: f32) -> Result<Self, NetworkError> {
        Self::new(&Weights::load(path)?, input, score_threshold)
    }

    /// The detector made from weights in memory; otherwise as [`Detector::load`].
    ///
    /// # Errors
    /// When the weights are of another network, or `input` is no multiple of 32.
    pub fn new(weights: &Weights, input: (u32, u32), score_threshold: f32) -> Result<Self, NetworkError> {
        check_input(input, weights.origin())?;
        let network = DetectorNetwork::Real(Box::new(YuNet::new(weights, Mode::Inference)?));
        Ok(Self { network, input, score_threshold, is_lifted: false, area: None, close: None })
    }

    /// The quantized detector from the tensors of `network` ([`int8::yunet::DETECTOR`] or
    /// [`int8::yunet::CLOSE_DETECTOR`]), on `kernels`, with a team's threads; otherwise as
    /// [`Detector::load`].
    ///
    /// # Errors
    /// When the weights are of another network, or `input` is no multiple of 32.
    pub fn quantized(
        (weights, network): (&QuantizedWeights, &str),
        kernels: &'static dyn Kernels,
        team: SharedTeam,
        input: (u32, u32),
        score_threshold: f32,
    ) -> Result<Self, NetworkError> {
        check_input(input, weights.origin())?;
        let network = int8::yunet::YuNet::new(weights, network, kernels)?;
        let network =
            int8::yunet::QuantizedDetector::new(&network, (input.0 as usize, input.1 as usize), team)?;
        let canvas = Scratch::new(input.0 as usize, input.1 as usize);
        let network = DetectorNetwork::Quantized(Box::new((network, canvas)));
        Ok(Self { network, input, score_threshold, is_lifted: false, area: None, close: None })
    }

    /// This detector, which also takes the close faces that `close` finds at its small input
    /// ([`CLOSE_INPUT`]) in the picture with its shadows lifted.
    #[must_use]
    pub fn with_close(self, close: Self) -> Self {
        Self { close: Some(Box::new(close.lifted())), ..self }
    }

    /// This detector, which sees pictures with their shadows lifted ([`lift`]).
    #[must_use]
    pub fn lifted(self) -> Self {
        Self { is_lifted: true, ..self }
    }

    /// This detector, which searches only this part of pictures; close faces it finds everywhere.
    #[must_use]
    pub(crate) fn within(self, area: SearchArea) -> Self {
        Self { area: Some(area), ..self }
    }

    /// Finds the faces of `picture`, the surest first.
    ///
    /// # Errors
    /// When candle cannot run the network.
    pub fn detect<'a>(&self, picture: impl Into<View<'a>>) -> Result<Vec<Detection>, NetworkError> {
        let picture = picture.into();
        let far = self.search(picture)?;
        let Some(close) = &self.close else { return Ok(far) };
        Ok(close::merge(far, close.search(picture)?, picture.dimensions().0 as f32))
    }

    /// Finds faces at the own input alone.
    fn search(&self, picture: View<'_>) -> Result<Vec<Detection>, NetworkError> {
        let Some(area) = self.area else { return self.search_all(picture) };
        let (left, top, width, height) = area.pixels(picture.dimensions());
        let found = self.search_all(picture.part(left, top, width, height))?;
        let corner = Point { x: left as f32, y: top as f32 };
        Ok(found.iter().map(|face| face.moved(&corner)).collect())
    }

    fn search_all(&self, picture: View<'_>) -> Result<Vec<Detection>, NetworkError> {
        let (candidates, scale) = match &self.network {
            DetectorNetwork::Real(network) => {
                let (mut canvas, scale) = preprocess::letterbox(picture, self.input.0, self.input.1);
                if self.is_lifted {
                    close::lift(&mut canvas);
                }
                let levels = network.forward(&preprocess::bgr(&[canvas])?)?;
                (decode(&levels, 0, self.score_threshold)?, scale)
            }
            DetectorNetwork::Quantized(quantized) => {
                let (network, canvas) = &**quantized;
                let Buffers { sampler, pixels } = &mut *canvas.lock();
                let scale = sampler.letterbox(picture, self.input, pixels);
                if self.is_lifted {
                    close::lift(pixels);
                }
                let mut candidates = Vec::new();
                network.run(pixels, |cells, values| {
                    decode_cells(cells, values, self.score_threshold, &mut candidates);
                })?;
                (candidates, scale)
            }
        };
        Ok(suppress(candidates).iter().map(|face| face.scaled(1.0 / scale)).collect())
    }

    /// Width and height that pictures are fitted into.
    #[must_use]
    pub fn input(&self) -> (u32, u32) {
        self.input
    }

    /// The score below which faces are dropped.
    #[must_use]
    pub fn score_threshold(&self) -> f32 {
        self.score_threshold
    }
}

/// Reads the cells of picture `index` that score at least `threshold`, in pixels of the network's input, in
/// no order.
///
/// # Errors
/// When the maps do not have the extents of [`YuNet`]'s outputs.
pub fn decode(
    levels: &[FeatureLevel; 3],
    index: usize,
    threshold: f32,
) -> candle_core::Result<Vec<Detection>> {
    let mut candidates = Vec::new();
    for level in levels {
        let (_, columns) = level.cells()?;
        let values =
            |map: candle_core::Result<candle_core::Tensor>| map?.get(index)?.flatten_all()?.to_vec1::<f32>();
        let scores = values(level.scores())?;
        let boxes = values(Ok(level.boxes.clone()))?;
        let landmarks = values(Ok(level.landmarks.clone()))?;
        for (cell, &score) in scores.iter().enumerate().filter(|(_, score)| **score >= threshold) {
            let boxes = std::array::from_fn(|value| boxes[4 * cell + value]);
            let landmarks = std::array::from_fn(|value| landmarks[10 * cell + value]);
            candidates.extend(face(level.stride, (cell % columns, cell / columns), boxes, landmarks, score));
        }
    }
    Ok(candidates)
}

/// Adds the cells of one level of the quantized network that score at least `threshold`, as [`decode`] does.
fn decode_cells(cells: &Cells, values: &[f32], threshold: f32, candidates: &mut Vec<Detection>) {
    let probability = |logit: f32| 1.0 / (1.0 + (-logit).exp());
    // Neither probability can be below the square of the threshold: most cells need no exponential.
    let least = (threshold * threshold / (1.0 - threshold * threshold)).ln() - 1e-3;
    for (cell, values) in values.as_chunks::<VALUES>().0.iter().enumerate() {
        let [class, objectness, x, y, w, h, landmarks @ ..] = *values;
        if class < least || objectness < least {
            continue;
        }
        let score = (probability(class) * probability(objectness)).sqrt();
        if score >= threshold {
            let place = (cell % cells.columns, cell / cells.columns);
            candidates.extend(face(cells.stride, place, [x, y, w, h], landmarks, score));
        }
    }
}

/// The face that the cell at (`column`, `row`) tells of.
fn face(
    stride: usize,
    (column, row): (usize, usize),
    [x, y, w, h]: [f32; 4],
    landmarks: [f32; 10],
    score: f32,
) -> Option<Detection> {
    let stride = stride as f32;
    let at = |x: f32, y: f32| Point { x: (column as f32 + x) * stride, y: (row as f32 + y) * stride };
    let (centre, w, h) = (at(x, y), w.exp() * stride, h.exp() * stride);
    let rect = Rect::new(centre.x - w / 2.0, centre.y - h / 2.0, w, h);
    // Broken weights may send a box to infinity: that is no face, and nothing behind could bear it.
    let finite = [rect.x, rect.y, rect.w, rect.h].iter().all(|value| value.is_finite());
    let point = |k: usize| at(landmarks[2 * k], landmarks[2 * k + 1]);
    finite.then(|| Detection { rect, landmarks: std::array::from_fn(point), score })
}

fn check_input(input: (u32, u32), origin: &str) -> Result<(), NetworkError> {
    let fits = |length: u32| length > 0 && length.is_multiple_of(MULTIPLE as u32);
    if fits(input.0) && fits(input.1) {
        return Ok(());
    }
    let reason = format!("its input cannot be {}×{}, both must be multiples of {MULTIPLE}", input.0, input.1);
    Err(NetworkError::Mismatch { origin: origin.to_owned(), reason })
}
