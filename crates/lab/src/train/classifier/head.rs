//! Fits the head alone, to features that are there already: the paper's transfer learning. An epoch takes
//! seconds.

use super::features::{self, Features};
use super::history::{ClassifierEntry, Figures, Tally};
use super::job::ClassifierJob;
use super::loss::{Target, cross_entropy, dropout, pairs};
use crate::data::dataset::Subset;
use crate::data::labels::Label;
use crate::data::sampler::FaceSampler;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use crate::train::optimizer::learning_rate;
use crate::train::run::{Fitted, Fitter};
use candle_core::{Device, Tensor};
use maskwatch::nn::head::Head;
use maskwatch::nn::mobilenet_v2::FEATURES;
use maskwatch::nn::weights::Weights;
use rand::RngExt;
use std::ops::Range;

/// Faces that are measured at once.
const MEASURED_AT_ONCE: usize = 1024;

/// Fits the head to the features of every face.
pub(super) struct HeadFitter<'a> {
    job: ClassifierJob<'a>,
    features: Features,
    /// Follows the fitted weights.
    head: Head,
    sampler: FaceSampler,
    /// Steps in an epoch.
    steps: u64,
}

impl<'a> HeadFitter<'a> {
    /// The head of the weights `start` with its optimiser, and the features of the backbone.
    pub(super) fn new(job: ClassifierJob<'a>, start: &Weights) -> Result<(Self, Fitted), TrainError> {
        let ClassifierJob { dataset, settings, .. } = job;
        let features = features::compute(&job, start)?;
        let mut weights = start.clone();
        let variables = weights.unfreeze(|name| name.starts_with("head."))?;
        let head = Head::new(&weights)?;
        let fitted = Fitted::new(variables, settings.optimizer_settings(), settings.average, |_, _| Ok(1.0))?;
        let sampler = FaceSampler::new(dataset);
        let steps = dataset.subset(Subset::Train).len().div_ceil(settings.batch) as u64;
        Ok((Self { job, features, head, sampler, steps }, fitted))
    }

    /// Fits for one epoch; gives the figures over its batches and the last learning rate.
    fn epoch(&self, fitted: &mut Fitted, epoch: u64) -> Result<(Figures, f64), TrainError> {
        let ClassifierJob { dataset, settings, .. } = self.job;
        let steps = self.steps;
        let mut generator = stream(settings.seed, Purpose::Batch, epoch);
        let mut masks = stream(settings.seed, Purpose::Dropout, epoch);
        let mut tally = Tally::default();
        let mut rate = 0.0;
        for step in epoch * steps..(epoch + 1) * steps {
            let faces = self.sampler.draw(settings.batch, &mut generator);
            let rows = faces.iter().map(|&face| (face, generator.random_range(0..settings.views)));
            let input = gather(&self.features, rows)?;
            let labels: Vec<Label> = faces.iter().map(|&face| dataset.faces[face].label).collect();
            let targets: Vec<Target> = labels.iter().copied().map(Target::Face).collect();
            let dropped = dropout(faces.len(), settings.dropout, &mut masks)?;
            let logits = self.head.forward(&input, dropped.as_ref())?.classes;
            let loss = cross_entropy(&logits, &targets, settings.label_smoothing)?;
            if !loss.to_scalar::<f32>()?.is_finite() {
                return Err(TrainError::Diverged { step });
            }
            rate = learning_rate(step, steps * settings.length, settings.warm_up, settings.learning_rate);
            fitted.step(&loss.backward()?, rate, Vec::new())?;
            tally.extend(pairs(&logits)?.into_iter().zip(labels));
        }
        Ok((tally.figures().ok_or(TrainError::Diverged { step: epoch * steps })?, rate))
    }

    /// The figures of `head` over some faces that are not fitted to.
    fn over(&self, head: &Head, faces: &[usize]) -> Result<Option<Figures>, TrainError> {
        let mut tally = Tally::default();
        for faces in faces.chunks(MEASURED_AT_ONCE) {
            let input = gather(&self.features, faces.iter().map(|&face| (face, 0)))?;
            let logits = pairs(&head.forward(&input, None)?.classes)?;
            tally
                .extend(logits.into_iter().zip(faces.iter().map(|&face| self.job.dataset.faces[face].label)));
        }
        Ok(tally.figures())
    }
}

impl Fitter for HeadFitter<'_> {
    type Entry = ClassifierEntry;
    type Losses = (Figures, f64);

    fn fit(
        &mut self,
        fitted: &mut Fitted,
        epochs: Range<u64>,
        bar: &Progress,
    ) -> Result<Self::Losses, TrainError> {
        let mut last = (Figures::default(), 0.0);
        for epoch in epochs {
            last = self.epoch(fitted, epoch)?;
            bar.advance(1);
        }
        Ok(last)
    }

    fn measure(
        &mut self,
        done: u64,
        weights: &Weights,
        losses: Option<Self::Losses>,
    ) -> Result<ClassifierEntry, TrainError> {
        let head = Head::new(weights)?;
        let [selection, val] = self.job.measured().map(|(_, faces)| self.over(&head, &faces));
        Ok(ClassifierEntry::new(done, losses, [selection?, val?], self.job.dataset.chosen_by()))
    }
}

fn gather(features: &Features, rows: impl Iterator<Item = (usize, usize)>) -> candle_core::Result<Tensor> {
    let values: Vec<f32> = rows.flat_map(|(face, view)| features.row(face, view)).copied().collect();
    let count = values.len() / FEATURES;
    Tensor::from_vec(values, (count, FEATURES), &Device::Cpu)
}
