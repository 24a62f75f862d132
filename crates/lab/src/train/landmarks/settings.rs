//! Everything that decides what a run of the landmark network does.

use crate::train::error::TrainError;
use crate::train::run::Course;
use std::path::{Path, PathBuf};

/// Everything that decides what a run of the landmark network does.
#[derive(Debug, Clone, PartialEq)]
pub struct LandmarksSettings {
    /// Folder with the labelled pictures.
    pub data: PathBuf,
    /// The detector that gives the true landmarks: YuNet-n as published.
    pub teacher: PathBuf,
    /// Weights to start from: MobileNetV2 with torchvision's names; `None` for those of the classifier.
    pub weights: Option<PathBuf>,
    /// Training steps.
    pub steps: u64,
    /// Steps between measurements, each followed by a checkpoint.
    pub every: u64,
    /// Faces in a batch.
    pub batch: u64,
    /// Highest learning rate of AdamW.
    pub learning_rate: f64,
    /// Seed of all random choices.
    pub seed: u64,
    /// Threads that prepare pictures; does not change the result.
    pub threads: usize,
}

impl LandmarksSettings {
    /// The usual settings.
    #[must_use]
    pub fn new(data: &Path, teacher: &Path) -> Self {
        Self {
            data: data.to_owned(),
            teacher: teacher.to_owned(),
            weights: None,
            steps: 1500,
            every: 150,
            batch: 64,
            learning_rate: 1e-3,
            seed: 1,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// How long the run is. `faces` and `start` are the checksums of the faces and of the starting weights.
    pub(super) fn course(&self, faces: &str, start: &str) -> Course {
        let Self { steps, batch, learning_rate, seed, .. } = self;
        Course {
            title: "fitting landmarks",
            unit: "step",
            total: *steps,
            every: self.every,
            counted: ("steps", 1),
            measures_start: false,
            keeps_last: false,
            key: serde_json::json!({
                "steps": steps,
                "batch": batch,
                "learning_rate": learning_rate,
                "seed": seed,
                "faces": faces,
                "start": start,
            }),
        }
    }

    pub(super) fn check(&self) -> Result<(), TrainError> {
        if self.steps > 0 && self.every > 0 && self.batch > 0 && self.learning_rate > 0.0 {
            return Ok(());
        }
        Err(TrainError::Settings(
            "steps, steps between measurements, batch and learning rate must be above 0".to_owned(),
        ))
    }
}
