//! `maskwatch-lab eval landmarks`: arguments in, the figures of [`crate::eval::landmarks`] out.

use super::hard::{DrawnSetSettings, bare_faces};
use super::tables::{TableArgs, Tables};
use crate::data::teacher::Teacher;
use crate::eval::landmarks;
use maskwatch::cli::outcome::Outcome;
use maskwatch::cli::values::pixels;
use maskwatch::nn::weights::Weights;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tables: TableArgs,
    /// Detector that gives the true landmarks: YuNet-n as published [default:
    /// models/yunet_n.safetensors in $MASKWATCH_SHARED or ../shared]
    #[arg(long, value_name = "FILE")]
    teacher: Option<PathBuf>,
    /// Seed of the drawn set: the same seed draws the same things on the same faces
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Leave out faces whose shorter side is below this many pixels
    #[arg(long, value_name = "PX", default_value = "32", value_parser = pixels)]
    min_side: f32,
}

pub(super) fn run(args: Args) -> Outcome {
    let Args { tables, teacher, seed, min_side } = args;
    let split = tables.split;
    let mut tables = Tables::read(tables)?;
    let faces = bare_faces(&mut tables, split, min_side)?;
    let teacher = teacher.unwrap_or_else(|| super::data::shared().join("models").join("yunet_n.safetensors"));
    let views = Teacher::new(&Weights::load(&teacher)?)?;
    let pictures = faces.pictures.clone();
    tables.measure(pictures, DrawnSetSettings { seed, min_side }, |data, networks, progress| {
        landmarks::evaluate(&faces, &data.images, networks, &views, seed, progress)
    })
}
