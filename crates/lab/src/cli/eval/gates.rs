//! `maskwatch-lab eval gates`: arguments in, the figures of [`crate::eval::gates`] out.

use super::tables::{TableArgs, Tables};
use crate::data::pictures;
use crate::eval::gates;
use anyhow::Context;
use image::ImageFormat;
use maskwatch::cli::outcome::Outcome;
use maskwatch::cli::values::pixels;
use maskwatch::decide::Rules;
use serde::Serialize;
use std::fmt;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tables: TableArgs,
    /// Leave out detections whose shorter side is below this many pixels
    #[arg(long, value_name = "PX", default_value_t = Rules::default().min_face_side, value_parser = pixels)]
    min_side: f32,
    /// Also draw two curves: wrong answers over coverage, and missed unmasked faces over false alarms
    #[arg(long, value_name = "PNG")]
    curve: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct GatesSettings {
    min_side: f32,
}

impl fmt::Display for GatesSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "faces found of at least {} px (shorter side)", self.min_side)
    }
}

pub(super) fn run(args: Args) -> Outcome {
    let Args { tables, min_side, curve } = args;
    let split = tables.split;
    let mut tables = Tables::read(tables)?;
    let boxes = std::mem::take(&mut tables.boxes).into_iter().flatten();
    let boxes: Vec<_> = boxes.filter(|face| face.split == split).collect();
    anyhow::ensure!(
        !boxes.is_empty(),
        "{} has no box of split {split}; measure another --split",
        tables.names()
    );
    // Made before the long work, so that a path that cannot be written is known at once.
    let unwritable =
        |path: &PathBuf| format!("cannot write {}; name another file with --curve", path.display());
    let curve = match &curve {
        Some(path) => Some((path, File::create(path).with_context(|| unwritable(path))?)),
        None => None,
    };
    let mut drawn = None;
    let outcome =
        tables.measure(pictures::group(boxes), GatesSettings { min_side }, |data, networks, progress| {
            let evaluation = gates::evaluate(&data.pictures, &data.images, min_side, networks, progress);
            drawn = curve.is_some().then(|| evaluation.report.curves());
            evaluation
        });
    if let (Some((path, file)), Some(drawn)) = (curve, drawn) {
        drawn.write_to(&mut BufWriter::new(file), ImageFormat::Png).with_context(|| unwritable(path))?;
    }
    outcome
}
