//! `maskwatch-lab train detector`: arguments in, a run of [`crate::train::detector`] out.

use super::session::{print, session};
use super::values::{factor, number, whole_share};
use crate::train::detector::{self, DetectorSettings};
use maskwatch::cli::outcome::Outcome;
use std::path::{Path, PathBuf};

/// Arguments of `maskwatch-lab train detector`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Folder with the labelled pictures: faces.csv, scenes.csv and images/
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Weights to start from: YuNet-n with its batch norms folded
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Folder for weights, checkpoint, history.csv and curves.png
    #[arg(long, value_name = "DIR", default_value = "runs/detector")]
    output: PathBuf,
    /// Continue the run in the output folder
    #[arg(long)]
    resume: bool,

    /// CSV tables in the data folder [default: faces.csv and scenes.csv, whichever are there]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    table: Vec<String>,
    /// Sample pictures FACTOR times as often; NAME is a table, a source, or a file that lists pictures
    #[arg(long, value_name = "NAME=FACTOR", value_parser = factor, help_heading = "Data")]
    weight: Vec<(String, f64)>,
    /// Share of the examples made from pictures in which every face is marked for sure
    #[arg(long, value_name = "SHARE", default_value_t = usual().scenes, value_parser = whole_share, help_heading = "Data")]
    scenes: f64,
    /// Also fit to the pictures without people that negatives.csv in the data folder lists; they are the
    /// source negatives
    #[arg(long, help_heading = "Data")]
    negatives: bool,
    /// Fit the network that finds close faces at a small input: all faces are close, shadows lifted
    #[arg(long, help_heading = "Data")]
    close: bool,
    /// Share of the examples that show a face close to a cheap webcam, before a bright window
    #[arg(long, value_name = "SHARE", default_value_t = usual().webcam, value_parser = whole_share, help_heading = "Data")]
    webcam: f64,

    /// Epochs; the weights are measured after each, and the best are kept
    #[arg(long, value_name = "N", default_value_t = usual().epochs, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=10_000))]
    epochs: u64,
    /// Training examples per epoch
    #[arg(long, value_name = "N", default_value_t = usual().examples, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    examples: u64,
    /// Training examples per step
    #[arg(long, value_name = "N", default_value_t = usual().batch, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=1024))]
    batch: u64,
    /// Highest learning rate of AdamW, as a share of each tensor's magnitude
    #[arg(long, value_name = "RATE", default_value_t = usual().learning_rate, value_parser = rate, help_heading = "Fitting")]
    learning_rate: f64,
    /// Score threshold at which false positives must not exceed those of the starting weights
    #[arg(long, value_name = "SCORE", default_value_t = usual().score_threshold, value_parser = score, help_heading = "Fitting")]
    score_threshold: f32,
    /// Share of the trained weights in the written ones; the rest comes from the starting weights. Trained
    /// weights alone find more masked faces but miss some bare ones [default: the one of 0, 0.25, 0.5, 0.75
    /// and 1 that finds most]
    #[arg(long, value_name = "SHARE", value_parser = whole_share, help_heading = "Fitting")]
    blend: Option<f64>,
    /// Keep the last weights instead of those that find most of the faces set aside
    #[arg(long, help_heading = "Fitting")]
    keep_last: bool,
    /// Seed of all random choices
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Fitting")]
    seed: u64,
    /// Threads that prepare pictures during training
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Fitting")]
    threads: usize,
}

/// The usual settings.
fn usual() -> DetectorSettings {
    DetectorSettings::new(Path::new(""), Path::new(""))
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, |value| value > 0.0 && value <= 1.0, "a number above 0 and at most 1")
}

fn score(text: &str) -> Result<f32, String> {
    number(text, |value| value > 0.0 && value < 1.0, "a number between 0 and 1").map(|value| value as f32)
}

pub(super) fn run(args: Args) -> Outcome {
    let settings = DetectorSettings {
        data: args.data,
        weights: args.weights,
        tables: args.table,
        factors: args.weight,
        scenes: args.scenes,
        negatives: args.negatives,
        close: args.close,
        webcam: args.webcam,
        epochs: args.epochs,
        examples: args.examples,
        batch: args.batch,
        learning_rate: args.learning_rate,
        score_threshold: args.score_threshold,
        blend: args.blend,
        keep_last: args.keep_last,
        seed: args.seed,
        threads: args.threads,
    };
    let session = session(args.output, args.resume);
    Ok(print(detector::run(&settings, &session)?))
}
