//! Everything that decides what a detector run does.

use crate::train::error::TrainError;
use crate::train::run::Course;
use std::path::{Path, PathBuf};

/// Everything that decides what a detector run does.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorSettings {
    /// Folder with the labelled pictures.
    pub data: PathBuf,
    /// Weights to start from: YuNet-n with its batch norms folded.
    pub weights: PathBuf,
    /// Names of the CSV tables in the folder; empty for `faces.csv` and `scenes.csv`, whichever are there.
    pub tables: Vec<String>,
    /// Sampling factors by name: a table, a source, or a file that lists pictures.
    pub factors: Vec<(String, f64)>,
    /// Share of the examples made from pictures in which every face is marked for sure.
    pub scenes: f64,
    /// Whether pictures without people are among those: the ones of split train in `negatives.csv`.
    pub negatives: bool,
    /// Whether the network is to find close faces at a small input, in pictures with their shadows lifted.
    pub close: bool,
    /// Share of the examples that show a face close to a cheap webcam ([`crate::data::webcam`]).
    pub webcam: f64,
    /// Epochs; the weights are measured after each.
    pub epochs: u64,
    /// Training examples per epoch.
    pub examples: u64,
    /// Training examples per step.
    pub batch: u64,
    /// Highest learning rate of AdamW, as a share of each tensor's magnitude.
    pub learning_rate: f64,
    /// Score threshold at which there must be no more false positives than at the start.
    pub score_threshold: f32,
    /// Share of the fitted weights in the written ones; `None` for the one of several that finds most.
    pub blend: Option<f64>,
    /// Whether the last weights are kept, instead of those that find most: what chooses them shows neither
    /// close faces nor animals.
    pub keep_last: bool,
    /// Seed of all random choices.
    pub seed: u64,
    /// Threads that prepare pictures; does not change the result.
    pub threads: usize,
}

impl DetectorSettings {
    /// The usual settings.
    #[must_use]
    pub fn new(data: &Path, weights: &Path) -> Self {
        Self {
            data: data.to_owned(),
            weights: weights.to_owned(),
            tables: Vec::new(),
            factors: Vec::new(),
            scenes: 0.5,
            negatives: false,
            close: false,
            webcam: 0.0,
            epochs: 10,
            examples: 2000,
            batch: 16,
            learning_rate: 2e-3,
            score_threshold: 0.5,
            blend: None,
            keep_last: false,
            seed: 1,
            threads: 1,
        }
    }

    /// Steps of the optimiser in an epoch.
    pub(super) fn batches(&self) -> u64 {
        self.examples.div_ceil(self.batch)
    }

    /// How long the run is. `pictures` and `start` are the checksums of what is drawn from and of the
    /// starting weights.
    pub(super) fn course(&self, pictures: &str, start: &str) -> Course {
        let Self { epochs, batch, learning_rate, seed, close, webcam, .. } = self;
        let batches = self.batches();
        Course {
            title: "fitting",
            unit: "epoch",
            total: *epochs,
            every: 1,
            counted: ("steps", batches),
            measures_start: true,
            keeps_last: self.keep_last,
            key: serde_json::json!({
                "epochs": epochs,
                "batches": batches,
                "batch": batch,
                "learning_rate": learning_rate,
                "seed": seed,
                "close": close,
                "webcam": webcam,
                "pictures": pictures,
                "start": start,
            }),
        }
    }

    pub(super) fn check(&self) -> Result<(), TrainError> {
        let are_counts = self.epochs > 0 && self.examples > 0 && self.batch > 0;
        let share = |share: f64| (0.0..=1.0).contains(&share);
        if are_counts
            && self.learning_rate > 0.0
            && share(self.scenes)
            && share(self.webcam)
            && self.blend.is_none_or(share)
        {
            return Ok(());
        }
        Err(TrainError::Settings(
            "epochs, examples, batch and learning rate must be above 0, shares from 0 to 1".to_owned(),
        ))
    }
}
