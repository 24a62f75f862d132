//! Fits the head and the backbone from some block on, to pictures that are cut out and changed again at each
//! step by threads ahead of the network. Their batch norms stay at the running statistics of the starting
//! weights, or are live and move them. The blocks before run without gradients, with their batch norms
//! folded.

use super::batch::{Batches, ClassifierBatch, landmarks};
use super::history::{ClassifierEntry, Figures, Tally};
use super::job::ClassifierJob;
use super::loss::{dropout, loss, pairs};
use super::measure;
use crate::data::dataset::Subset;
use crate::data::labels::Label;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use crate::train::optimizer::learning_rate;
use crate::train::prefetch;
use crate::train::run::{Fitted, Fitter, is_statistic};
use maskwatch::geometry::Point;
use maskwatch::nn::convolution::average_pool;
use maskwatch::nn::head::Head;
use maskwatch::nn::mobilenet_v2::{BLOCKS, MobileNetV2, block_of};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::{BatchNorm, Mode};
use std::ops::Range;

/// Fits the network from `block` on.
pub(super) struct Finetune<'a> {
    job: ClassifierJob<'a>,
    block: usize,
    /// The blocks before.
    front: MobileNetV2,
    /// Follow the fitted weights, like head and network.
    weights: Weights,
    head: Head,
    /// Made with the first step, since live running statistics go on from those of a checkpoint.
    network: Option<MobileNetV2>,
    /// Made with the first step: a run that is finished needs none, and its landmarks take minutes.
    batches: Option<Batches<'a>>,
}

impl<'a> Finetune<'a> {
    /// The network with the weights `start`, and its optimiser.
    pub(super) fn new(
        job: ClassifierJob<'a>,
        start: &Weights,
        block: usize,
    ) -> Result<(Self, Fitted), TrainError> {
        let settings = job.settings;
        let front = MobileNetV2::new(start, Mode::Inference)?;
        let live = settings.batch_norm == BatchNorm::Live;
        let mut weights = start.clone();
        let variables = weights.unfreeze(|name| moves(name, block, live))?;
        let head = Head::new(&weights)?;
        let factor = |name: &str| if name.starts_with("head.") { settings.head_factor } else { 1.0 };
        let fitted = Fitted::new(variables, settings.optimizer_settings(), settings.average, |name, _| {
            Ok(factor(name))
        })?;
        Ok((Self { job, block, front, weights, head, network: None, batches: None }, fitted))
    }
}

impl Fitter for Finetune<'_> {
    type Entry = ClassifierEntry;
    type Losses = (Figures, f64);

    fn fit(
        &mut self,
        fitted: &mut Fitted,
        steps: Range<u64>,
        bar: &Progress,
    ) -> Result<Self::Losses, TrainError> {
        let Self { job, block, front, weights, head, network, batches } = self;
        let settings = job.settings;
        let live = settings.batch_norm == BatchNorm::Live;
        let network = match network {
            Some(network) => network,
            None => network.insert(MobileNetV2::new(weights, Mode::Training(settings.batch_norm))?),
        };
        let batches = match batches {
            Some(batches) => batches,
            None => batches.insert(Batches::new(*job, drawable_landmarks(job)?)),
        };
        let (mut tally, mut rate, last) = (Tally::default(), 0.0, steps.end.saturating_sub(1));
        prefetch::in_order(
            steps,
            settings.threads,
            |step| batches.make(step),
            |step, ClassifierBatch { pictures, targets }| {
                let map = front.forward_blocks(&pictures, 0..*block)?.detach();
                let features = average_pool(&network.forward_blocks(&map, *block..BLOCKS)?)?;
                let mut generator = stream(settings.seed, Purpose::Dropout, step);
                let dropped = dropout(targets.len(), settings.dropout, &mut generator)?;
                let logits = head.forward(&features, dropped.as_ref())?;
                let loss = loss(&logits, &targets, settings.label_smoothing)?;
                if !loss.to_scalar::<f32>()?.is_finite() {
                    return Err(TrainError::Diverged { step });
                }
                rate = learning_rate(step, settings.length, settings.warm_up, settings.learning_rate);
                let statistics = if live { network.running_statistics() } else { Vec::new() };
                fitted.step(&loss.backward()?, rate, statistics)?;
                let faces = pairs(&logits.classes)?.into_iter().zip(targets);
                tally.extend(faces.filter_map(|(logits, target)| Some((logits, target.label()?))));
                bar.advance(1);
                Ok(())
            },
        )?;
        Ok((tally.figures().ok_or(TrainError::Diverged { step: last })?, rate))
    }

    fn measure(
        &mut self,
        done: u64,
        weights: &Weights,
        losses: Option<Self::Losses>,
    ) -> Result<ClassifierEntry, TrainError> {
        // Folded: the training network is as exact, but slower.
        let (network, head) = (MobileNetV2::new(weights, Mode::Inference)?, Head::new(weights)?);
        let [selection, val] = self.job.measured().map(|(_, faces)| {
            let logits = measure::logits(&self.job, &faces, &network, &head)?;
            Ok::<_, TrainError>(measure::over(&self.job, &faces, &logits))
        });
        Ok(ClassifierEntry::new(done, losses, [selection?, val?], self.job.dataset.chosen_by()))
    }
}

/// The landmarks of the faces to fit to that something may be drawn on.
fn drawable_landmarks(job: &ClassifierJob<'_>) -> Result<Vec<Option<[Point; 5]>>, TrainError> {
    let settings = job.settings;
    if settings.drawn == 0.0 {
        return Ok(Vec::new());
    }
    let drawn_on = |label| label == Label::NoMask || (label == Label::Mask && settings.around_masked > 0.0);
    landmarks(job, |face| face.subset == Subset::Train && drawn_on(face.label))
}

/// Whether a tensor changes: the head's and those of the unfrozen blocks, running statistics only where they
/// are live.
fn moves(name: &str, block: usize, live: bool) -> bool {
    let unfrozen = block_of(name).is_some_and(|of| of >= block);
    name.starts_with("head.") || (unfrozen && (live || !is_statistic(name)))
}
