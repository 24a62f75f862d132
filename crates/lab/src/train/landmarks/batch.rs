//! Batches of the landmark network: augmented crops of bare faces, most with something drawn on them, and
//! their landmarks in these crops.

use crate::data::augment::{Augmentation, FaceView};
use crate::data::dataset::open_picture;
use crate::data::teacher::AgreedLandmarks;
use crate::drawn::{self, DrawnKind};
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use candle_core::{Device, Tensor};
use image::RgbImage;
use maskwatch::geometry::{Point, Rect};
use maskwatch::nn::landmarks::{INPUT, MARGIN, VALUES};
use maskwatch::pixels::preprocess;
use maskwatch::vision::landmarks::values;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;

/// Share of the faces on which nothing is drawn.
const BARE: f64 = 0.15;
/// Of the others the share that get a mask, worn properly; each of the other kinds has the same part of the
/// rest.
const MASKED: f64 = 0.5;
/// Looks that differ by this share of the eyes' distance make a face count half: few do, since those are the
/// heads seen from the side, which are rare enough.
const HALF: f32 = 0.2;
/// Eyes that are nearer to each other than this share of the crop, as of faces seen from the side, count as
/// if they were not: all of a profile's landmarks would be wrong by a multiple of it.
const NEAREST_EYES: f32 = 0.1;

/// A bare face whose landmarks are known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) picture: PathBuf,
    pub(super) rect: Rect,
    pub(super) agreed: AgreedLandmarks,
}

impl Known {
    /// Its crop as `view` sees it, with `kind` drawn on it, and where its landmarks lie in that, in shares of
    /// its sides.
    pub(super) fn look(
        &self,
        view: &FaceView,
        kind: Option<DrawnKind>,
        generator: &mut ChaCha8Rng,
    ) -> Result<(RgbImage, [Point; 5]), TrainError> {
        let picture = open_picture(&self.picture)?;
        let landmarks = &self.agreed.landmarks;
        let placed = view.place(landmarks, &self.rect, INPUT as u32);
        let Some(kind) = kind else { return Ok((view.render(&picture, &self.rect, INPUT as u32), placed)) };
        let (part, rect) = drawn::on_face(&picture, &self.rect, landmarks, kind, generator);
        Ok((view.render(&part, &rect, INPUT as u32), placed))
    }
}

/// How crops are changed: more room around the face than in use and less, since the detector's boxes are not
/// the labelled ones.
pub(super) fn augmentation() -> Augmentation {
    Augmentation {
        scale: (0.85 * MARGIN, 1.18 * MARGIN),
        rotation: 12.0,
        aspect: 0.08,
        downscale_to: (16.0, 64.0),
        jpeg: 0.3,
        erase: 0.1,
        ..Augmentation::default()
    }
}

/// One step's faces.
pub(super) struct LandmarksBatch {
    /// `[N, 96, 96, 3]`, normalised.
    pub(super) crops: Tensor,
    /// `[N, 5, 2]`, what the network should give.
    values: Tensor,
    /// `[N]`: how much each face counts, over the distance of its eyes.
    weights: Tensor,
    /// How much all of them count.
    total: f64,
}

impl LandmarksBatch {
    /// The batch of `step`; depends on nothing else but `faces`, `count` and `seed`.
    pub(super) fn make(faces: &[Known], count: u64, seed: u64, step: u64) -> Result<Self, TrainError> {
        let mut chosen = stream(seed, Purpose::Batch, step);
        let (mut crops, mut wanted, mut weights, mut total) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
        for place in 0..count {
            let number = step * count + place;
            let face = &faces[chosen.random_range(0..faces.len())];
            let kind = kind(&mut chosen);
            let view = augmentation().view(&mut stream(seed, Purpose::View, number));
            let (crop, placed) = face.look(&view, kind, &mut stream(seed, Purpose::Drawn, number))?;
            crops.push(crop);
            let values = values(&placed);
            let eyes = (values[0] - values[2]).hypot(values[1] - values[3]);
            let nearest = NEAREST_EYES / maskwatch::nn::landmarks::UNIT;
            let certainty = 1.0 / (1.0 + (face.agreed.spread / HALF).powi(2));
            weights.push(certainty / eyes.max(nearest));
            total += f64::from(certainty);
            wanted.extend(values);
        }
        let values = Tensor::from_vec(wanted, (crops.len(), VALUES / 2, 2), &Device::Cpu)?;
        let weights = Tensor::from_vec(weights, crops.len(), &Device::Cpu)?;
        Ok(Self { crops: preprocess::normalised(&crops)?, values, weights, total })
    }

    /// The mean distance of `found` `[N, 10]` from what is wanted, as a share of the eyes' distance.
    pub(super) fn loss(&self, found: &Tensor) -> candle_core::Result<Tensor> {
        let off = (found.reshape(self.values.shape())? - &self.values)?.sqr()?.sum(2)?;
        // A root has no slope at 0.
        let distance = (off + 1e-6)?.sqrt()?.mean(1)?;
        (distance * &self.weights)?.sum_all()? / self.total
    }
}

fn kind(generator: &mut ChaCha8Rng) -> Option<DrawnKind> {
    if generator.random_bool(BARE) {
        return None;
    }
    let other = generator.random_range(1..DrawnKind::ALL.len());
    Some(if generator.random_bool(MASKED) { DrawnKind::Mask } else { DrawnKind::ALL[other] })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::train::landmarks) fn astronaut() -> Known {
        let landmarks = [(203.4, 103.6), (247.5, 104.4), (224.1, 127.7), (204.0, 143.1), (242.9, 143.7)];
        Known {
            picture: "../../tests/fixtures/astronaut.jpg".into(),
            rect: Rect::new(178.0, 65.0, 91.0, 111.0),
            agreed: AgreedLandmarks { landmarks: landmarks.map(|(x, y)| Point { x, y }), spread: 0.03 },
        }
    }

    #[test]
    fn a_batch_depends_on_its_step_alone_and_its_loss_is_the_distance() {
        let faces = [astronaut()];
        let make = |step| LandmarksBatch::make(&faces, 4, 7, step).unwrap();
        let values = |batch: &LandmarksBatch| batch.values.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let batch = make(3);
        assert_eq!(values(&batch), values(&make(3)));
        assert_ne!(values(&batch), values(&make(4)));
        assert_eq!(batch.crops.dims(), [4, INPUT, INPUT, 3]);
        let found = batch.values.flatten_from(1).unwrap();
        assert!(batch.loss(&found).unwrap().to_scalar::<f32>().unwrap() < 1e-2);
        // Everything off by the distance of the eyes: those of a face of 111 pixels in a crop of about 133
        // are 44 apart.
        let off = (found + f64::from(44.1 / 133.0 / 0.1 / 2f32.sqrt())).unwrap();
        let loss = batch.loss(&off).unwrap().to_scalar::<f32>().unwrap();
        assert!((0.8..1.25).contains(&loss), "{loss}");
    }
}
