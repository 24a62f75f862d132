//! Everything a run has reached, so that it can be written to disk and taken up again without a trace.

use super::{ClassifierSettings, Run, TrainError};
use crate::data::dataset::Subset;
use crate::train::history::{ClassifierEntry, History};
use crate::train::optimizer::{self, Optimizer, Parameter, WeightAverage};
use candle_core::{Tensor, Var};
use maskwatch::nn::weights::Weights;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The state of a run between two epochs or measurements.
pub(super) struct State {
    variables: BTreeMap<String, Var>,
    pub(super) optimizer: Optimizer,
    average: Option<WeightAverage>,
    pub(super) history: History,
    best: Option<BTreeMap<String, Tensor>>,
    /// Epochs or steps done.
    pub(super) done: u64,
}

/// The part of the state that is not tensors; one metadata entry of the checkpoint.
#[derive(Serialize, Deserialize)]
struct Note {
    key: String,
    done: u64,
    optimizer_steps: u64,
    average_steps: u64,
    history: History,
}

const NOTE: &str = "state";

impl State {
    /// The state before the first step; `rate_factor` gives a variable's learning rate relative to the common
    /// one. Variables that are running statistics are averaged, saved and measured like the others, but not
    /// fitted.
    pub(super) fn new(
        variables: BTreeMap<String, Var>,
        settings: &ClassifierSettings,
        unit: &str,
        rate_factor: impl Fn(&str) -> f64,
    ) -> Result<Self, TrainError> {
        let parameters: Vec<Parameter> = variables
            .iter()
            .map(|(name, variable)| Parameter {
                name: name.clone(),
                variable: variable.clone(),
                rate_factor: rate_factor(name),
            })
            .collect();
        let average = if settings.average > 0.0 {
            Some(WeightAverage::new(parameters.clone(), settings.average)?)
        } else {
            None
        };
        let fitted = parameters.into_iter().filter(|parameter| !is_statistic(&parameter.name)).collect();
        let optimizer = Optimizer::new(
            fitted,
            optimizer::OptimizerSettings {
                weight_decay: settings.weight_decay,
                clip: Some(settings.clip),
                ..optimizer::OptimizerSettings::new(settings.optimizer)
            },
        );
        let history = History { unit: unit.to_owned(), total: settings.length, entries: Vec::new() };
        Ok(Self { variables, optimizer, average, history, best: None, done: 0 })
    }

    /// Takes up the run's checkpoint where that is wanted and there is one.
    pub(super) fn resume(&mut self, run: &Run<'_>) -> Result<(), TrainError> {
        let path = run.session.checkpoint();
        let refuse = |reason: &str| TrainError::Checkpoint { path: path.clone(), reason: reason.to_owned() };
        match (path.exists(), run.session.resume) {
            (false, _) => return Ok(()),
            (true, false) => {
                return Err(refuse(
                    "a run was begun here; go on with it (--resume), name another output or delete it",
                ));
            }
            (true, true) => {}
        }
        let checkpoint = Weights::load(&path)?;
        let note = checkpoint.metadata.get(NOTE).and_then(|text| serde_json::from_str::<Note>(text).ok());
        let Some(note) = note else {
            return Err(refuse("it is no checkpoint of a classifier run; name another output or delete it"));
        };
        if note.key != run.key {
            return Err(refuse(
                "it was made with other settings, data or starting weights; repeat them, or name another output",
            ));
        }
        let tensors = checkpoint.tensors();
        let missing =
            |name: &str| refuse(&format!("the tensor {name} is missing or does not fit; delete it"));
        for (name, variable) in &self.variables {
            let tensor = tensors.get(&format!("parameter.{name}")).ok_or_else(|| missing(name))?;
            if tensor.shape() != variable.shape() {
                return Err(missing(name));
            }
            variable.set(tensor)?;
        }
        self.optimizer.restore(tensors, note.optimizer_steps)?;
        if let Some(average) = &mut self.average {
            average.restore(tensors, note.average_steps)?;
        }
        let best: BTreeMap<_, _> = tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix("best.")?.to_owned(), tensor.clone())))
            .collect();
        self.best = (!best.is_empty()).then_some(best);
        self.history = note.history;
        self.done = note.done;
        Ok(())
    }

    fn save(&self, path: &Path, key: &str) -> Result<(), TrainError> {
        let mut tensors = self.optimizer.state()?;
        if let Some(average) = &self.average {
            tensors.extend(average.state()?);
        }
        for (name, variable) in &self.variables {
            tensors.insert(format!("parameter.{name}"), variable.as_tensor().clone());
        }
        for (name, tensor) in self.best.iter().flatten() {
            tensors.insert(format!("best.{name}"), tensor.clone());
        }
        let note = Note {
            key: key.to_owned(),
            done: self.done,
            optimizer_steps: self.optimizer.steps(),
            average_steps: self.average.as_ref().map_or(0, WeightAverage::steps),
            history: self.history.clone(),
        };
        let metadata = BTreeMap::from([(NOTE.to_owned(), super::json(&note))]);
        Ok(Weights::new(tensors, metadata).save(path)?)
    }

    /// Puts the running statistics of live batch norms into their variables; to be called after each step of
    /// the optimiser, before [`State::stepped`], which averages them as it does the weights that they belong
    /// to.
    pub(super) fn observe(&self, statistics: Vec<(String, Tensor)>) -> Result<(), TrainError> {
        for (name, tensor) in statistics {
            if let Some(variable) = self.variables.get(&name) {
                variable.set(&tensor)?;
            }
        }
        Ok(())
    }

    /// To be called after each step of the optimiser.
    pub(super) fn stepped(&mut self) -> Result<(), TrainError> {
        match &mut self.average {
            Some(average) => Ok(average.update()?),
            None => Ok(()),
        }
    }

    /// Measures with the averaged weights in place, notes the entry, keeps the weights if they are the best
    /// so far, writes checkpoint, history and curves, and returns a line about it.
    pub(super) fn note(
        &mut self,
        run: &Run<'_>,
        chosen_by: Subset,
        measure: impl FnOnce() -> Result<ClassifierEntry, TrainError>,
    ) -> Result<String, TrainError> {
        self.swap()?;
        let entry = measure()?;
        let line = self.history.line(&entry);
        self.done = entry.at;
        self.history.entries.push(entry);
        if self.history.best(chosen_by).map(|best| best.at) == Some(self.done) {
            let copies = self.variables.iter().map(|(name, variable)| Ok((name.clone(), variable.copy()?)));
            self.best = Some(copies.collect::<candle_core::Result<_>>()?);
        }
        self.swap()?;
        self.save(&run.session.checkpoint(), run.key)?;
        self.history.write(&run.session.output)?;
        Ok(line)
    }

    fn swap(&mut self) -> Result<(), TrainError> {
        match &mut self.average {
            Some(average) => Ok(average.swap()?),
            None => Ok(()),
        }
    }

    /// The fitted tensors of the best epoch so far.
    pub(super) fn best(&self) -> Option<&BTreeMap<String, Tensor>> {
        self.best.as_ref()
    }
}

/// Whether a tensor is a running statistic of a batch norm: moved by what is seen, not by gradients.
pub(super) fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}
