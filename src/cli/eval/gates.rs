//! `maskwatch eval gates`: arguments in, the figures of [`crate::eval::gates`] out.

use super::{Data, DataArgs, DetectorSettings, Format, open};
use crate::classify::Input;
use crate::cli::Outcome;
use crate::cli::networks::{DetectorArgs, ModelArgs, pixels};
use crate::decide::Rules;
use crate::eval::detector::Detect;
use crate::eval::faces::Classify;
use crate::eval::labels::{self, Split};
use crate::eval::{gates, pictures};
use anyhow::Context;
use image::ImageFormat;
use serde::Serialize;
use std::fmt;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Labelled boxes, CSV with the columns image,x,y,w,h,label,split; may be given several times [default: data/faces.csv
    /// and data/scenes.csv in $MASKWATCH_SHARED or ../shared]
    #[arg(long, value_name = "CSV")]
    labels: Vec<PathBuf>,
    /// Folder that the pictures' paths start from [default: images beside the first CSV file]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Part of the data to measure on: train to choose thresholds by, val to tell what they are worth
    #[arg(long, default_value = "val")]
    split: Split,
    /// Leave out faces found whose shorter side is below this many pixels
    #[arg(long, value_name = "PX", default_value_t = Rules::default().min_face_side, value_parser = pixels)]
    min_side: f32,
    /// How to print the figures
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Also draw wrong answers over faces answered, and missed unmasked over false alarms
    #[arg(long, value_name = "PNG")]
    curve: Option<PathBuf>,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    detector: DetectorArgs,
}

/// What was measured, and how; printed with the figures.
#[derive(Debug, Serialize)]
struct Settings {
    labels: Vec<PathBuf>,
    images: PathBuf,
    split: Split,
    min_side: f32,
    precision: &'static str,
    weights: String,
    classifier_input: Input,
    #[serde(flatten)]
    detector: DetectorSettings,
}

impl fmt::Display for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "split {} of {}, pictures in {}",
            self.split,
            names(&self.labels),
            self.images.display()
        )?;
        writeln!(out, "faces found of at least {} px (shorter side)", self.min_side)?;
        writeln!(out, "{}, {}", self.precision, self.weights)?;
        writeln!(out, "classifier input {}", self.classifier_input)?;
        let [width, height] = self.detector.detector_input;
        writeln!(out, "detector input {width}x{height}, score threshold {}", self.detector.score_threshold)
    }
}

fn names(tables: &[PathBuf]) -> String {
    tables.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ")
}

pub(super) fn run(args: Args) -> Outcome {
    let tables = if args.labels.is_empty() {
        ["faces.csv", "scenes.csv"].map(super::usual_table).to_vec()
    } else {
        args.labels
    };
    let mut boxes = Vec::new();
    for table in &tables {
        boxes.extend(labels::read(table)?);
    }
    let images = super::images_beside(args.images.as_ref(), &tables[0])?;
    boxes.retain(|face| face.split == args.split);
    anyhow::ensure!(
        !boxes.is_empty(),
        "{} has no box of split {}; measure another --split",
        names(&tables),
        args.split
    );
    // Made before the long work, so that a path that cannot be written is known at once.
    let unwritable =
        |path: &PathBuf| format!("cannot write {}; name another file with --curve", path.display());
    let curve = match &args.curve {
        Some(path) => Some((path, File::create(path).with_context(|| unwritable(path))?)),
        None => None,
    };
    let models = open(&args.models)?;
    let (finder, network) = (args.detector.make(&models)?, models.classifier()?);
    let settings = Settings {
        labels: tables.clone(),
        images: images.clone(),
        split: args.split,
        min_side: args.min_side,
        precision: models.precision().name(),
        weights: models.origin(),
        classifier_input: args.models.input,
        detector: DetectorSettings::of(&args.detector),
    };
    let pictures = pictures::group(boxes);
    let data = Data {
        args: DataArgs {
            labels: None,
            images: None,
            split: args.split,
            min_side: args.min_side,
            format: args.format,
            errors: None,
        },
        threads: args.models.threads,
        labels: tables[0].clone(),
        images,
        steps: (pictures.len(), "pictures"),
        pictures,
    };
    let mut drawn = None;
    let outcome = data.measure(settings, |progress| {
        let detect = |picture: &_| Ok(finder.detect(picture)?);
        let classify = |picture: &_, rects: &[_]| Ok(network.classify(picture, rects)?);
        let networks: (&Detect<'_>, &Classify<'_>) = (&detect, &classify);
        let evaluation = gates::evaluate(&data.pictures, &data.images, args.min_side, networks, progress);
        drawn = curve.is_some().then(|| evaluation.report.curves());
        evaluation
    });
    if let (Some((path, file)), Some(drawn)) = (curve, drawn) {
        drawn.write_to(&mut BufWriter::new(file), ImageFormat::Png).with_context(|| unwritable(path))?;
    }
    outcome
}
