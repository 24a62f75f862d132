//! Measures a network on pictures, cut out as in use. For the figures that a project quotes there is
//! [`crate::eval`]; these accompany a run.

use super::{ClassifierSettings, TrainError, measured, pairs};
use crate::data::augment::FaceView;
use crate::data::dataset::{Dataset, open_picture};
use crate::progress::Progress;
use crate::train::history::{Figures, Tally};
use crate::train::prefetch;
use candle_core::Tensor;
use image::RgbImage;
use maskwatch::nn::Mode;
use maskwatch::nn::head::Head;
use maskwatch::nn::mobilenet_v2::MobileNetV2;
use maskwatch::nn::weights::Weights;
use maskwatch::pixels::preprocess;
use std::collections::BTreeMap;

/// Faces that go through the network at once.
const BATCH: usize = 32;

/// The logits of some faces, in their order; `network` gives the logits `[N, 2]` of crops.
pub(super) fn logits(
    dataset: &Dataset,
    faces: &[usize],
    settings: &ClassifierSettings,
    network: impl Fn(&[RgbImage]) -> candle_core::Result<Tensor>,
) -> Result<Vec<[f32; 2]>, TrainError> {
    let progress = Progress::new("measure", "faces", faces.len() as u64, 0);
    let view = FaceView::plain(settings.margin);
    let crop = |index: u64| {
        let face = &dataset.faces[faces[index as usize]];
        Ok::<_, TrainError>(view.render(&open_picture(&face.picture)?, &face.rect, settings.input()))
    };
    let mut results = Vec::with_capacity(faces.len());
    let mut crops = Vec::new();
    prefetch::in_order(0..faces.len() as u64, settings.threads, crop, |index, crop| {
        crops.push(crop);
        progress.advance(1);
        if crops.len() == BATCH || index as usize + 1 == faces.len() {
            results.extend(pairs(&network(&crops)?)?);
            crops.clear();
        }
        Ok(())
    })?;
    Ok(results)
}

/// Figures over some faces.
pub(super) fn over(dataset: &Dataset, faces: &[usize], logits: &[[f32; 2]]) -> Option<Figures> {
    let mut tally = Tally::default();
    for (&face, logits) in faces.iter().zip(logits) {
        dataset.faces[face].label.class().into_iter().for_each(|class| tally.add(*logits, class));
    }
    tally.figures()
}

/// A finished classifier's figures over `selection` and `val`, and over each table in them.
pub(super) fn figures(
    dataset: &Dataset,
    weights: &Weights,
    settings: &ClassifierSettings,
) -> Result<BTreeMap<String, Figures>, TrainError> {
    let (network, head) = (MobileNetV2::new(weights, Mode::Inference)?, Head::new(weights)?);
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for (subset, faces) in measured(dataset) {
        let logits = logits(dataset, &faces, settings, |crops| {
            Ok(head.forward(&network.features(&preprocess::normalised(crops)?)?, None)?.classes)
        })?;
        for (&face, logits) in faces.iter().zip(&logits) {
            let face = &dataset.faces[face];
            for name in [subset.name().to_owned(), format!("{} {}", subset.name(), face.table)] {
                let tally = tallies.entry(name).or_default();
                face.label.class().into_iter().for_each(|class| tally.add(*logits, class));
            }
        }
    }
    Ok(tallies.into_iter().filter_map(|(name, tally)| Some((name, tally.figures()?))).collect())
}
