//! `maskwatch train detector`: fine-tunes YuNet-n on boxes of masked and bare faces.
//!
//! ```text
//! labels ─▶ data ─▶ teacher ─▶ canvas ─▶ fitting ─▶ ranking ─▶ detector.safetensors
//!           (which   (landmarks   (mosaics,  (assign, loss,   (which epoch
//!            pictures) of the      small      AdamW,           is the best)
//!                      start)      faces)     average)
//! ```
//!
//! The network keeps its form and starts from published weights; it is fitted gently, so that it loses nothing of what
//! it could do while it learns what masks and small faces look like. Nothing of split *val* is read.

mod assign;
mod canvas;
mod cells;
mod data;
mod distort;
mod fitting;
mod loss;
mod placement;
mod progress;
mod ranking;
mod run;
mod teacher;
mod truth;

pub use run::run;

use std::fmt;
use std::path::PathBuf;

/// Arguments of `maskwatch train detector`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder with faces.csv, scenes.csv and images/
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    pub data: PathBuf,
    /// Labels to use instead of faces.csv and scenes.csv [may be given several times]
    #[arg(long, value_name = "CSV")]
    pub labels: Vec<PathBuf>,
    /// Weights to start from [default: ../models/yunet_n.safetensors beside the data folder]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Folder for weights, checkpoint and curves
    #[arg(long, value_name = "DIR", default_value = "training/detector")]
    pub out: PathBuf,
    /// Go on from the checkpoint in the output folder
    #[arg(long)]
    pub resume: bool,
    /// How many times the weights are measured, and the best kept
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub epochs: u64,
    /// Training examples per epoch
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub examples: u64,
    /// Training examples per step
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub batch: u64,
    /// Highest learning rate
    #[arg(long, value_name = "RATE", default_value_t = 5e-4, value_parser = rate)]
    pub learning_rate: f64,
    /// Share of the examples that start from a scene in which people have marked every face
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    pub scenes: f64,
    /// Score threshold that false positives are kept equal at
    #[arg(long, value_name = "SCORE", default_value_t = 0.6, value_parser = score)]
    pub score_threshold: f32,
    /// Threads that make examples while the network is fitted
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: usize,
    /// Decides everything that is left to chance
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// What a run came to: the written weights, and start and end on the pictures kept apart for choosing.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The weight file.
    pub weights: PathBuf,
    /// The epoch that it comes from; 0 if no epoch was better than the start.
    pub epoch: u64,
    /// Share of the faces that the starting weights find.
    pub start_recall: f64,
    /// False positives per picture of the starting weights.
    pub start_false_positives: f64,
    /// Share of the faces that the written weights find.
    pub recall: f64,
    /// False positives per picture of the written weights.
    pub false_positives: f64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: epoch {}, recall {:.4} (start {:.4}) with {:.3} false positives per picture (start {:.3}) on the \
             pictures kept apart",
            self.weights.display(),
            self.epoch,
            self.recall,
            self.start_recall,
            self.false_positives,
            self.start_false_positives
        )
    }
}

fn number(text: &str, fits: impl Fn(f64) -> bool, wanted: &str) -> Result<f64, String> {
    text.parse().ok().filter(|&value| fits(value)).ok_or_else(|| format!("it must be {wanted}"))
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, |value| value > 0.0 && value <= 1.0, "a number above 0 and at most 1")
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |value| (0.0..=1.0).contains(&value), "a number from 0 to 1")
}

fn score(text: &str) -> Result<f32, String> {
    number(text, |value| value > 0.0 && value < 1.0, "a number between 0 and 1").map(|value| value as f32)
}
