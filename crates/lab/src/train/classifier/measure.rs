//! Measures a network on pictures, cut out as in use. These figures accompany a run; those to quote come from
//! [`crate::eval`].

use super::history::{Figures, Tally};
use super::job::ClassifierJob;
use super::loss::pairs;
use crate::data::augment::FaceView;
use crate::data::dataset::open_picture;
use crate::progress::Progress;
use crate::train::error::TrainError;
use crate::train::prefetch;
use maskwatch::nn::Mode;
use maskwatch::nn::head::Head;
use maskwatch::nn::mobilenet_v2::MobileNetV2;
use maskwatch::nn::weights::Weights;
use maskwatch::pixels::preprocess;
use std::collections::BTreeMap;

/// Faces that go through the network at once.
const BATCH: usize = 32;

/// The logits of some faces, in their order.
pub(super) fn logits(
    job: &ClassifierJob<'_>,
    faces: &[usize],
    network: &MobileNetV2,
    head: &Head,
) -> Result<Vec<[f32; 2]>, TrainError> {
    let ClassifierJob { dataset, settings, .. } = job;
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
            let features = network.features(&preprocess::normalised(&crops)?)?;
            results.extend(pairs(&head.forward(&features, None)?.classes)?);
            crops.clear();
        }
        Ok(())
    })?;
    Ok(results)
}

/// Figures over some faces.
pub(super) fn over(job: &ClassifierJob<'_>, faces: &[usize], logits: &[[f32; 2]]) -> Option<Figures> {
    let labels = faces.iter().map(|&face| job.dataset.faces[face].label);
    let mut tally = Tally::default();
    tally.extend(logits.iter().copied().zip(labels));
    tally.figures()
}

/// A finished classifier's figures over `selection` and `val`, and over each table in them.
pub(super) fn figures(
    job: &ClassifierJob<'_>,
    weights: &Weights,
) -> Result<BTreeMap<String, Figures>, TrainError> {
    let (network, head) = (MobileNetV2::new(weights, Mode::Inference)?, Head::new(weights)?);
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for (subset, faces) in job.measured() {
        let logits = logits(job, &faces, &network, &head)?;
        for (&face, logits) in faces.iter().zip(&logits) {
            let face = &job.dataset.faces[face];
            for name in [subset.name().to_owned(), format!("{} {}", subset.name(), face.table)] {
                tallies.entry(name).or_default().extend([(*logits, face.label)]);
            }
        }
    }
    Ok(tallies.into_iter().filter_map(|(name, tally)| Some((name, tally.figures()?))).collect())
}
