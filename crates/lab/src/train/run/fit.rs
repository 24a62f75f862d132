//! The loop of a run: fit an interval, measure, keep the best, write everything down.

use super::checkpoint::Progressed;
use super::fitted::Fitted;
use super::history::{self, Course, HistoryEntry};
use super::session::Session;
use crate::progress::Progress;
use crate::train::error::TrainError;
use candle_core::Tensor;
use maskwatch::nn::weights::Weights;
use std::collections::BTreeMap;
use std::ops::Range;

/// Knows what a network is fitted to, and how it is measured.
pub(in crate::train) trait Fitter {
    /// One measurement of a run.
    type Entry: HistoryEntry;
    /// What fitting itself tells: losses.
    type Losses;

    /// Fits for some units, counted from 0, and advances the bar. What comes out depends on nothing but the
    /// units and the present state of `fitted`.
    fn fit(
        &mut self,
        fitted: &mut Fitted,
        units: Range<u64>,
        bar: &Progress,
    ) -> Result<Self::Losses, TrainError>;

    /// Measures the network with `weights` after `done` units. `losses` are those of the last interval; there
    /// are none where the starting weights are measured.
    fn measure(
        &mut self,
        done: u64,
        weights: &Weights,
        losses: Option<Self::Losses>,
    ) -> Result<Self::Entry, TrainError>;
}

/// A run that has reached its end.
pub(in crate::train) struct Finished<E> {
    /// All measurements.
    pub(in crate::train) entries: Vec<E>,
    /// The best of them.
    pub(in crate::train) best: E,
    /// Its weights: the starting ones with the fitted tensors in their place, without metadata.
    pub(in crate::train) weights: Weights,
}

/// Runs what is left of the `course` from the `checkpoint` on, or from `start`, whose fitted tensors are
/// `fitted`. `None` when the session stops before the run's end.
///
/// # Errors
/// Fitting or measuring fails, the checkpoint is of another run, or a file cannot be written.
pub(in crate::train) fn fit<F: Fitter>(
    fitter: &mut F,
    course: &Course,
    session: &Session,
    (start, fitted): (&Weights, Fitted),
    checkpoint: Option<Weights>,
) -> Result<Option<Finished<F::Entry>>, TrainError> {
    let mut run = Progressed { fitted, entries: Vec::new(), best: BTreeMap::new(), done: 0 };
    if let Some(checkpoint) = checkpoint {
        run.restore(&checkpoint, course)?;
    }
    let (counted, per_unit) = course.counted;
    let bar = Progress::new(course.title, counted, course.total * per_unit, run.done * per_unit);
    if course.measures_start && run.entries.is_empty() {
        measure(&mut run, fitter, course, start, None, &bar)?;
    }
    let end = session.end(run.done, course.total, course.every);
    while run.done < end {
        let next = (run.done + 1).next_multiple_of(course.every).min(course.total);
        let losses = fitter.fit(&mut run.fitted, run.done..next, &bar)?;
        run.done = next;
        measure(&mut run, fitter, course, start, Some(losses), &bar)?;
        run.save(&session.checkpoint(), course)?;
        history::write(&session.output, &run.entries, course)?;
    }
    drop(bar);
    if run.done < course.total {
        return Ok(None);
    }
    if course.keeps_last {
        run.best = run.fitted.averaged()?;
    }
    let place =
        if course.keeps_last { run.entries.len().checked_sub(1) } else { history::best(&run.entries) };
    let best = place.and_then(|place| run.entries.get(place)).cloned();
    let best =
        best.ok_or_else(|| TrainError::Data("no measurement of the run can be the best".to_owned()))?;
    Ok(Some(Finished { entries: run.entries, best, weights: with(start, &run.best) }))
}

/// Measures the averaged weights, notes the entry, and keeps the weights if they are the best so far.
fn measure<F: Fitter>(
    run: &mut Progressed<F::Entry>,
    fitter: &mut F,
    course: &Course,
    start: &Weights,
    losses: Option<F::Losses>,
    bar: &Progress,
) -> Result<(), TrainError> {
    let averaged = run.fitted.averaged()?;
    let entry = fitter.measure(run.done, &with(start, &averaged), losses)?;
    run.entries.push(entry.clone());
    let is_best = history::best(&run.entries) == Some(run.entries.len() - 1);
    if is_best {
        run.best = averaged;
    }
    bar.note(&entry.line(course, is_best));
    Ok(())
}

/// Weights with other tensors in the place of some.
fn with(weights: &Weights, tensors: &BTreeMap<String, Tensor>) -> Weights {
    let mut all = Weights::new(weights.tensors().clone(), BTreeMap::new());
    for (name, tensor) in tensors {
        all.insert(name.clone(), tensor.clone());
    }
    all
}
