//! Fits the head alone, to features that are there already: the paper's transfer learning. An epoch takes
//! seconds.

use super::features::{self, Features};
use super::state::State;
use super::{Run, TrainError, cross_entropy, dropout, measured, pairs};
use crate::data::dataset::{Dataset, Subset};
use crate::data::labels::Label;
use crate::data::sampler::FaceSampler;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::history::{ClassifierEntry, Figures, Tally};
use crate::train::optimizer::learning_rate;
use candle_core::{Device, Tensor};
use maskwatch::nn::head::Head;
use maskwatch::nn::mobilenet_v2::FEATURES;
use maskwatch::nn::weights::Weights;
use rand::RngExt;

/// Faces that are measured at once.
const MEASURED_AT_ONCE: usize = 1024;

/// Runs all epochs that are not done yet.
pub(super) fn fit(run: &Run<'_>, mut weights: Weights) -> Result<State, TrainError> {
    let settings = run.settings;
    let features = features::compute(run, &weights)?;
    let variables = weights.unfreeze(|name| name.starts_with("head."))?;
    let head = Head::new(&weights)?;
    let mut state = State::new(variables, settings, "epoch", |_| 1.0)?;
    state.resume(run)?;
    let sampler = FaceSampler::new(run.dataset);
    let steps = run.dataset.subset(Subset::Train).len().div_ceil(settings.batch) as u64;
    let measured = measured(run.dataset);
    let progress = Progress::new("head", "epochs", settings.length, state.done);
    for epoch in state.done..run.session.end(state.done, settings.length, 1) {
        let mut generator = stream(settings.seed, Purpose::Batch, epoch);
        let mut masks = stream(settings.seed, Purpose::Dropout, epoch);
        let mut tally = Tally::default();
        let mut rate = 0.0;
        for step in epoch * steps..(epoch + 1) * steps {
            let faces = sampler.draw(settings.batch, &mut generator);
            let rows = faces.iter().map(|&face| (face, generator.random_range(0..settings.views)));
            let input = gather(&features, rows)?;
            let labels: Vec<Label> = faces.iter().map(|&face| run.dataset.faces[face].label).collect();
            let logits =
                head.forward(&input, dropout(faces.len(), settings.dropout, &mut masks)?.as_ref())?.classes;
            let loss = cross_entropy(&logits, &labels, settings.label_smoothing)?;
            if !loss.to_scalar::<f32>()?.is_finite() {
                return Err(TrainError::Diverged { step });
            }
            rate = learning_rate(step, steps * settings.length, settings.warm_up, settings.learning_rate);
            state.optimizer.step(&loss.backward()?, rate)?;
            state.stepped()?;
            for (logits, label) in pairs(&logits)?.into_iter().zip(labels) {
                label.class().into_iter().for_each(|class| tally.add(logits, class));
            }
        }
        let line = state.note(run, run.dataset.chosen_by(), || {
            let [selection, val] =
                [0, 1].map(|place| measure(run.dataset, &features, &head, &measured[place].1));
            let train = tally.figures().ok_or(TrainError::Diverged { step: epoch * steps })?;
            Ok(ClassifierEntry {
                at: epoch + 1,
                learning_rate: rate,
                train,
                selection: selection?,
                val: val?,
            })
        })?;
        progress.advance(1);
        progress.note(&line);
    }
    Ok(state)
}

fn gather(features: &Features, rows: impl Iterator<Item = (usize, usize)>) -> candle_core::Result<Tensor> {
    let values: Vec<f32> = rows.flat_map(|(face, view)| features.row(face, view)).copied().collect();
    let count = values.len() / FEATURES;
    Tensor::from_vec(values, (count, FEATURES), &Device::Cpu)
}

/// The head's figures over some faces that are not fitted to.
fn measure(
    dataset: &Dataset,
    features: &Features,
    head: &Head,
    faces: &[usize],
) -> Result<Option<Figures>, TrainError> {
    let mut tally = Tally::default();
    for faces in faces.chunks(MEASURED_AT_ONCE) {
        let input = gather(features, faces.iter().map(|&face| (face, 0)))?;
        let logits = pairs(&head.forward(&input, None)?.classes)?;
        for (&face, logits) in faces.iter().zip(logits) {
            dataset.faces[face].label.class().into_iter().for_each(|class| tally.add(logits, class));
        }
    }
    Ok(tally.figures())
}
