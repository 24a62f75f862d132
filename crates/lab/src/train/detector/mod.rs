//! `maskwatch-lab train detector`: fine-tunes YuNet-n on boxes of masked and bare faces.
//!
//! ```text
//! labels ─▶ data ─▶ teacher ─▶ covered ─▶ canvas ─▶ fitting ─▶ ranking ─▶ detector.safetensors
//!           (which   (landmarks  (masks on  (mosaics,  (assign, loss,   (which epoch
//!            pictures) of the     bare       small      AdamW,           and blend
//!                      start)     faces)     faces)     average)         are the best)
//! ```
//!
//! The network keeps its form and starts from published weights; it is fitted gently, so that it loses
//! nothing of what it could do while it learns what masks and small faces look like. Nothing of split *val*
//! is read.

mod assign;
mod canvas;
mod cells;
mod covered;
mod data;
mod distort;
mod fitting;
mod history;
mod loss;
mod placement;
mod ranking;
mod run;
mod teacher;
mod truth;

pub use run::run;

use std::fmt;
use std::path::PathBuf;

/// Arguments of `maskwatch-lab train detector`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder with the labelled pictures: faces.csv, scenes.csv and images/
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Weights to start from: YuNet-n with its batch norms folded
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// Folder for weights, checkpoint, history.csv and curves.png
    #[arg(long, value_name = "DIR", default_value = "runs/detector")]
    pub output: PathBuf,
    /// Go on with the run in the output folder
    #[arg(long)]
    pub resume: bool,

    /// CSV tables in the data folder [default: faces.csv and scenes.csv, whichever are there]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub table: Vec<String>,
    /// Draw pictures of a table, a source, or a file that lists pictures FACTOR times as often
    #[arg(long, value_name = "NAME=FACTOR", value_parser = factor, help_heading = "Data")]
    pub weight: Vec<(String, f64)>,
    /// Share of the examples that start from a picture in which people have marked every face
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share, help_heading = "Data")]
    pub scenes: f64,

    /// How many times the weights are measured, and the best kept
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub epochs: u64,
    /// Training examples per epoch
    #[arg(long, value_name = "N", default_value_t = 2000, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub examples: u64,
    /// Training examples per step
    #[arg(long, value_name = "N", default_value_t = 16, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub batch: u64,
    /// Highest learning rate of AdamW, as a share of each tensor's magnitude
    #[arg(long, value_name = "RATE", default_value_t = 2e-3, value_parser = rate, help_heading = "Fitting")]
    pub learning_rate: f64,
    /// Score threshold at which there shall be no more false positives than at the start
    #[arg(long, value_name = "SCORE", default_value_t = 0.5, value_parser = score, help_heading = "Fitting")]
    pub score_threshold: f32,
    /// Share of the fitted weights in the written ones; the rest is of the starting weights. Fitted weights
    /// alone find more masked faces but forget some bare ones [default: whichever of 0, 0.25, 0.5, 0.75 and 1
    /// finds most]
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Fitting")]
    pub blend: Option<f64>,
    /// Decides everything random
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Fitting")]
    pub seed: u64,
    /// Threads that prepare pictures while the network is fitted
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Fitting")]
    pub threads: usize,
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

fn factor(text: &str) -> Result<(String, f64), String> {
    let (name, factor) = text.rsplit_once('=').ok_or("it must be NAME=FACTOR")?;
    let factor =
        number(factor, |value| value >= 0.0 && value.is_finite(), "NAME=FACTOR with a factor of 0 or above")?;
    Ok((name.to_owned(), factor))
}

fn score(text: &str) -> Result<f32, String> {
    number(text, |value| value > 0.0 && value < 1.0, "a number between 0 and 1").map(|value| value as f32)
}
