//! `maskwatch-lab train landmarks`: arguments in, a run of [`crate::train::landmarks`] out.

use super::session::{print, session};
use super::values::number;
use crate::train::landmarks::{self, LandmarksSettings};
use maskwatch::cli::outcome::Outcome;
use std::path::{Path, PathBuf};

/// Arguments of `maskwatch-lab train landmarks`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Folder with the labelled pictures: faces.csv, scenes.csv and images/
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Detector that gives the true landmarks: YuNet-n as published
    #[arg(long, value_name = "FILE")]
    teacher: PathBuf,
    /// Weights to start from: MobileNetV2 with torchvision's names [default: those of the classifier]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Folder for weights, checkpoint, known.csv (true landmarks), history.csv and curves.png
    #[arg(long, value_name = "DIR", default_value = "runs/landmarks")]
    output: PathBuf,
    /// Continue the run in the output folder
    #[arg(long)]
    resume: bool,

    /// Training steps
    #[arg(long, value_name = "N", default_value_t = usual().steps, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    steps: u64,
    /// Steps from one measurement and checkpoint to the next
    #[arg(long, value_name = "N", default_value_t = usual().every, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    every: u64,
    /// Faces in a batch
    #[arg(long, value_name = "N", default_value_t = usual().batch, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=1024))]
    batch: u64,
    /// Highest learning rate of AdamW
    #[arg(long, value_name = "RATE", default_value_t = usual().learning_rate, value_parser = rate, help_heading = "Fitting")]
    learning_rate: f64,
    /// Seed of all random choices
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Fitting")]
    seed: u64,
    /// Threads that prepare pictures
    #[arg(long, value_name = "N", default_value_t = usual().threads,
        hide_default_value = true, help_heading = "Fitting")]
    threads: usize,
}

/// The usual settings.
fn usual() -> LandmarksSettings {
    LandmarksSettings::new(Path::new(""), Path::new(""))
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, |value| value > 0.0 && value < 1.0, "a number between 0 and 1")
}

pub(super) fn run(args: Args) -> Outcome {
    let settings = LandmarksSettings {
        data: args.data,
        teacher: args.teacher,
        weights: args.weights,
        steps: args.steps,
        every: args.every,
        batch: args.batch,
        learning_rate: args.learning_rate,
        seed: args.seed,
        threads: args.threads,
    };
    let session = session(args.output, args.resume);
    Ok(print(landmarks::run(&settings, &session)?))
}
