//! Everything that decides what a run does.

use std::path::PathBuf;

/// Everything that decides what a run does.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PresenceSettings {
    /// Folder with faces.csv, scenes.csv and images/, and with negatives.csv and negatives/.
    #[serde(skip)]
    pub data: PathBuf,
    /// Table of boxes that were looked at.
    #[serde(skip)]
    pub heads: Option<PathBuf>,
    /// Steps of the optimiser, each over all views.
    pub steps: u64,
    /// Highest learning rate of AdamW.
    pub learning_rate: f64,
    /// Decoupled weight decay, in units of the learning rate.
    pub weight_decay: f64,
    /// Share of the faces set aside that may count as nobody's, and as hidden, at a probability of 0.5.
    pub rejected: f64,
    /// Seed of all random choices.
    pub seed: u64,
    /// Threads that prepare pictures; does not change the result.
    #[serde(skip)]
    pub threads: usize,
}
