//! Fits the head and the backbone from some block on, to pictures that are cut out and changed anew at each
//! step by threads ahead of the network. Their batch norms stay at the running statistics of the starting
//! weights, or are live and move them. The blocks before run without gradients, with their batch norms
//! folded.

use super::batch::{Batches, ClassifierBatch, landmarks};
use super::state::{State, is_statistic};
use super::{Run, TrainError, dropout, loss, measure, measured, pairs};
use crate::data::dataset::{DatasetFace, Subset};
use crate::data::labels::Label;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::history::{ClassifierEntry, Tally};
use crate::train::optimizer::learning_rate;
use crate::train::prefetch;
use maskwatch::nn::convolution::average_pool;
use maskwatch::nn::head::Head;
use maskwatch::nn::mobilenet_v2::{BLOCKS, MobileNetV2, block_of};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::{BatchNorm, Mode};
use maskwatch::pixels::preprocess;

/// Runs all steps that are not done yet.
pub(super) fn fit(run: &Run<'_>, mut weights: Weights, block: usize) -> Result<State, TrainError> {
    let settings = run.settings;
    let front = MobileNetV2::new(&weights, Mode::Inference)?;
    let live = settings.batch_norm == BatchNorm::Live;
    let variables = weights.unfreeze(|name| moves(name, block, live))?;
    let head = Head::new(&weights)?;
    let factor = |name: &str| if name.starts_with("head.") { settings.head_factor } else { 1.0 };
    let mut state = State::new(variables, settings, "step", factor)?;
    state.resume(run)?;
    // Made last, since live running statistics go on from those resumed.
    let network = MobileNetV2::new(&weights, Mode::Training(settings.batch_norm))?;

    let landmarks = if settings.drawn > 0.0 {
        let drawn_on =
            |label| label == Label::NoMask || (label == Label::Mask && settings.around_masked > 0.0);
        let wanted = |face: &DatasetFace| face.subset == Subset::Train && drawn_on(face.label);
        landmarks(run.dataset, settings, wanted)?
    } else {
        Vec::new()
    };
    let batches = Batches::new(run, landmarks);
    let measured = measured(run.dataset);
    let progress = Progress::new("fine-tuning", "steps", settings.length, state.done);
    let mut tally = Tally::default();
    prefetch::in_order(
        state.done..run.session.end(state.done, settings.length, settings.every),
        settings.threads,
        |step| batches.make(step),
        |step, ClassifierBatch { pictures, labels }| {
            let map = front.forward_blocks(&pictures, 0..block)?.detach();
            let features = average_pool(&network.forward_blocks(&map, block..BLOCKS)?)?;
            let masks =
                dropout(labels.len(), settings.dropout, &mut stream(settings.seed, Purpose::Dropout, step))?;
            let logits = head.forward(&features, masks.as_ref())?;
            let loss = loss(&logits, &labels, settings.label_smoothing)?;
            if !loss.to_scalar::<f32>()?.is_finite() {
                return Err(TrainError::Diverged { step });
            }
            let rate = learning_rate(step, settings.length, settings.warm_up, settings.learning_rate);
            state.optimizer.step(&loss.backward()?, rate)?;
            if live {
                state.observe(network.running_statistics())?;
            }
            state.stepped()?;
            let of_classes = pairs(&logits.classes)?.into_iter().zip(labels);
            of_classes.for_each(|(logits, label)| {
                label.class().into_iter().for_each(|class| tally.add(logits, class));
            });
            progress.advance(1);

            if (step + 1) % settings.every == 0 || step + 1 == settings.length {
                let train = std::mem::take(&mut tally).figures().ok_or(TrainError::Diverged { step })?;
                let line = state.note(run, run.dataset.chosen_by(), || {
                    // Folded anew: the training network is as exact, but slower.
                    let network = MobileNetV2::new(&weights, Mode::Inference)?;
                    let [selection, val] = [0, 1].map(|place| {
                        let faces = &measured[place].1;
                        let logits = measure::logits(run.dataset, faces, settings, |crops| {
                            Ok(head
                                .forward(&network.features(&preprocess::normalised(crops)?)?, None)?
                                .classes)
                        })?;
                        Ok::<_, TrainError>(measure::over(run.dataset, faces, &logits))
                    });
                    Ok(ClassifierEntry {
                        at: step + 1,
                        learning_rate: rate,
                        train,
                        selection: selection?,
                        val: val?,
                    })
                })?;
                progress.note(&line);
            }
            Ok(())
        },
    )?;
    Ok(state)
}

/// Whether a tensor changes: the head's and those of the unfrozen blocks, running statistics only where they
/// are live.
fn moves(name: &str, block: usize, live: bool) -> bool {
    let unfrozen = block_of(name).is_some_and(|of| of >= block);
    name.starts_with("head.") || (unfrozen && (live || !is_statistic(name)))
}
