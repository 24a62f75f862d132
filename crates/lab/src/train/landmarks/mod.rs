//! `maskwatch-lab train landmarks`: fits the landmark network to bare faces on which masks and other things
//! are drawn.
//!
//! ```text
//! labels ─▶ views ─▶ truth ─▶ batch ─▶ fitting ─▶ run ─▶ landmarks.safetensors
//!           (ten looks  (kept   (masks    (loss,     (which
//!            of the     on      drawn,    AdamW,     weights
//!            detector)  disk)   crops)    average)   are best)
//! ```
//!
//! Nobody has marked eyes and mouths in these pictures. The detector that others have published knows bare
//! faces; what it says of each at several sizes is the truth here, and the masks come afterwards. Nothing of
//! split *val* is read.

mod batch;
mod fitting;
mod run;
mod truth;

pub use run::run;

use std::fmt;
use std::path::PathBuf;

/// Arguments of `maskwatch-lab train landmarks`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder with the labelled pictures: faces.csv, scenes.csv and images/
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The detector that says where landmarks are: YuNet-n as it was published
    #[arg(long, value_name = "FILE")]
    pub teacher: PathBuf,
    /// Weights to start from: MobileNetV2 with torchvision's names [default: those of the classifier]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Folder for weights, checkpoint, known landmarks, history.csv and curves.png
    #[arg(long, value_name = "DIR", default_value = "runs/landmarks")]
    pub output: PathBuf,
    /// Go on with the run in the output folder
    #[arg(long)]
    pub resume: bool,

    /// Batches that are fitted
    #[arg(long, value_name = "N", default_value_t = 1500, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub steps: u64,
    /// Steps between measurements, each followed by a checkpoint
    #[arg(long, value_name = "N", default_value_t = 150, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub every: u64,
    /// Faces in a batch
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "Fitting",
        value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub batch: u64,
    /// Highest learning rate of AdamW
    #[arg(long, value_name = "RATE", default_value_t = 1e-3, value_parser = rate, help_heading = "Fitting")]
    pub learning_rate: f64,
    /// Decides everything random
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Fitting")]
    pub seed: u64,
    /// Threads that prepare pictures
    #[arg(long, value_name = "N", default_value_t = std::thread::available_parallelism().map_or(1, usize::from),
        hide_default_value = true, help_heading = "Fitting")]
    pub threads: usize,
}

/// What a finished run reached on the faces set aside, which chose the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The file of the weights.
    pub weights: PathBuf,
    /// The step whose weights these are.
    pub step: u64,
    /// Mean distance of the landmarks from those known, as a share of the eyes' distance: on bare faces and
    /// below masks.
    pub errors: [f64; 2],
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [bare, masked] = self.errors;
        writeln!(out, "best on the faces set aside at step {}:", self.step)?;
        writeln!(
            out,
            "  landmarks off by {bare:.4} of the eyes' distance on bare faces, {masked:.4} below masks"
        )?;
        write!(out, "written: {}", self.weights.display())
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate < 1.0 => Ok(rate),
        _ => Err("it must be a number between 0 and 1".to_owned()),
    }
}
