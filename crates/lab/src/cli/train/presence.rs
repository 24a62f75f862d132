//! `maskwatch-lab train presence`: arguments in, a run of [`crate::train::presence`] out.

use super::session::session;
use super::values::whole_share;
use crate::train::presence::{self, PresenceSettings};
use maskwatch::cli::outcome::Outcome;
use maskwatch::nn::weights::Weights;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder with faces.csv, scenes.csv, images/, negatives.csv and negatives/
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The classifier to give the output to
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Table of boxes that show no face or a hidden one: image,x,y,w,h,kind (nobody or hidden)
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// Folder for the weights
    #[arg(long, value_name = "DIR", default_value = "runs/presence")]
    output: PathBuf,
    /// Steps of the optimiser, each over all views
    #[arg(long, value_name = "N", default_value_t = 600)]
    steps: u64,
    /// Highest learning rate
    #[arg(long, value_name = "RATE", default_value_t = 0.01)]
    learning_rate: f64,
    /// Decoupled weight decay, in units of the learning rate
    #[arg(long, value_name = "DECAY", default_value_t = 0.05)]
    weight_decay: f64,
    /// Share of the faces set aside that may count as nobody's, and as hidden
    #[arg(long, value_name = "SHARE", default_value_t = 0.002, value_parser = whole_share)]
    rejected: f64,
    /// Seed of all random choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Threads that prepare pictures
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
}

pub(super) fn run(args: Args) -> Outcome {
    let settings = PresenceSettings {
        data: args.data,
        heads: args.heads,
        steps: args.steps,
        learning_rate: args.learning_rate,
        weight_decay: args.weight_decay,
        rejected: args.rejected,
        seed: args.seed,
        threads: args.threads,
    };
    let weights = Weights::load(&args.weights)?;
    let reached = presence::run(&weights, &settings, &session(args.output, false))?;
    println!("{reached}");
    Ok(ExitCode::SUCCESS)
}
