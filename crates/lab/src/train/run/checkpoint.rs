//! The state of a run, saved to and restored from its checkpoint.

use super::fitted::Fitted;
use super::history::{Course, HistoryEntry};
use super::metadata::json;
use crate::train::error::TrainError;
use candle_core::Tensor;
use maskwatch::nn::weights::Weights;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a run has reached between two intervals.
pub(super) struct Progressed<E> {
    pub(super) fitted: Fitted,
    /// What was measured, in the order of time.
    pub(super) entries: Vec<E>,
    /// The fitted tensors of the best entry.
    pub(super) best: BTreeMap<String, Tensor>,
    /// Units done.
    pub(super) done: u64,
}

/// The part of a checkpoint that is not tensors; one metadata entry.
#[derive(Serialize, Deserialize)]
struct Note<E> {
    /// As text: numbers that were read again may differ in their last digit.
    key: String,
    done: u64,
    /// Steps of the optimiser and of the average.
    steps: [u64; 2],
    entries: Vec<E>,
}

const NOTE: &str = "state";
const BEST: &str = "best.";

impl<E: HistoryEntry> Progressed<E> {
    /// Writes the checkpoint.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn save(&self, path: &Path, course: &Course) -> Result<(), TrainError> {
        let (mut tensors, steps) = self.fitted.state()?;
        tensors.extend(self.best.iter().map(|(name, tensor)| (format!("{BEST}{name}"), tensor.clone())));
        let (key, entries) = (course.key.to_string(), self.entries.clone());
        let note = json(&Note { key, done: self.done, steps, entries });
        Ok(Weights::new(tensors, BTreeMap::from([(NOTE.to_owned(), note)])).save(path)?)
    }

    /// Restores a checkpoint of the same run.
    ///
    /// # Errors
    /// It is not a checkpoint of this kind of run, or it is of one with another key.
    pub(super) fn restore(&mut self, checkpoint: &Weights, course: &Course) -> Result<(), TrainError> {
        let refuse =
            |reason: String| TrainError::Checkpoint { path: PathBuf::from(checkpoint.origin()), reason };
        let note = checkpoint.metadata.get(NOTE).and_then(|text| serde_json::from_str(text).ok());
        let Some(note): Option<serde_json::Value> = note else {
            return Err(refuse("it is not a checkpoint of a run; name another --output".to_owned()));
        };
        let (key, ours) = (note["key"].as_str().unwrap_or_default(), course.key.to_string());
        if key != ours {
            let theirs = serde_json::from_str(key).unwrap_or_default();
            return Err(refuse(format!(
                "it belongs to a run with other settings, data or starting weights ({}); give the same options, or name \
                 another --output",
                differences("", &theirs, &course.key).join(", ")
            )));
        }
        let note: Note<E> = serde_json::from_value(note)
            .map_err(|_| refuse("it is damaged; delete it, or name another --output".to_owned()))?;
        self.fitted.restore(checkpoint, note.steps)?;
        let best = checkpoint.tensors().iter();
        self.best = best
            .filter_map(|(name, tensor)| Some((name.strip_prefix(BEST)?.to_owned(), tensor.clone())))
            .collect();
        (self.entries, self.done) = (note.entries, note.done);
        Ok(())
    }
}

/// The names of the values that two keys have differently, `settings.dropout` for one within another.
fn differences(prefix: &str, theirs: &serde_json::Value, ours: &serde_json::Value) -> Vec<String> {
    let Some(values) = ours.as_object() else {
        return if theirs == ours { Vec::new() } else { vec![prefix.to_owned()] };
    };
    let within = |(key, ours): (&String, &serde_json::Value)| {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        differences(&name, &theirs[key.as_str()], ours)
    };
    values.iter().flat_map(within).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differing_values_are_named() {
        let ours = json!({"seed": 1, "settings": {"dropout": 0.2, "batch": [1, 2]}});
        let theirs = json!({"seed": 2, "settings": {"dropout": 0.2, "batch": [1]}});
        assert_eq!(differences("", &theirs, &ours), ["seed", "settings.batch"]);
        assert_eq!(differences("", &ours, &ours), Vec::<String>::new());
        assert_eq!(differences("", &json!(null), &ours), ["seed", "settings.batch", "settings.dropout"]);
    }
}
