//! `maskwatch eval hard`: arguments in, the figures of [`crate::eval::hard`] out.

use super::{Data, DataArgs, DetectorSettings, Format, open};
use crate::classify::Input;
use crate::cli::Outcome;
use crate::cli::networks::{DetectorArgs, ModelArgs, pixels};
use crate::eval::detector::Detect;
use crate::eval::faces::Classify;
use crate::eval::hard::{self, BareFaces};
use crate::eval::labels::{self, Split};
use crate::eval::sheet::Sheets;
use anyhow::Context;
use serde::Serialize;
use std::fmt;
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
    /// Part of the data to measure on: val or train
    #[arg(long, default_value = "val")]
    split: Split,
    /// Which set is drawn: the same seed draws the same things on the same faces
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Leave out faces whose shorter side is below this many pixels
    #[arg(long, value_name = "PX", default_value = "32", value_parser = pixels)]
    min_side: f32,
    /// How to print the figures
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Also write a contact sheet of each kind to this folder, the faces called wrongly first and framed
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
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
    seed: u64,
    min_side: f32,
    precision: &'static str,
    weights: String,
    classifier_input: Input,
    #[serde(flatten)]
    detector: DetectorSettings,
}

impl fmt::Display for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables: Vec<String> = self.labels.iter().map(|path| path.display().to_string()).collect();
        let (tables, images) = (tables.join(" and "), self.images.display());
        writeln!(out, "split {} of {tables}, pictures in {images}", self.split)?;
        writeln!(out, "bare faces of at least {} px (shorter side), seed {}", self.min_side, self.seed)?;
        writeln!(out, "{}, {}", self.precision, self.weights)?;
        writeln!(out, "classifier input {}", self.classifier_input)?;
        let [width, height] = self.detector.detector_input;
        let threshold = self.detector.score_threshold;
        writeln!(out, "landmarks by the detector, input {width}x{height}, score threshold {threshold}")
    }
}

pub(super) fn run(args: Args) -> Outcome {
    let tables = if args.labels.is_empty() {
        ["faces.csv", "scenes.csv"].map(super::usual_table).to_vec()
    } else {
        args.labels.clone()
    };
    let boxes = tables.iter().map(|path| labels::read(path)).collect::<Result<Vec<_>, _>>()?;
    let images = super::images_beside(args.images.as_ref(), &tables[0])?;
    let faces = BareFaces::of(boxes, args.split, args.min_side);
    anyhow::ensure!(
        !faces.pictures.is_empty(),
        "{} has no bare face (no_mask) of split {} whose shorter side is {} pixels or more; measure another --split or lower --min-side",
        tables.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and "),
        args.split,
        args.min_side
    );
    // Made before the long work, so that a path that cannot be written is known at once.
    if let Some(folder) = &args.pictures {
        std::fs::create_dir_all(folder).with_context(|| {
            format!("cannot make the folder {}; name another with --pictures", folder.display())
        })?;
    }
    let models = open(&args.models)?;
    let (finder, network) = (args.detector.make(&models)?, models.classifier()?);
    let settings = Settings {
        labels: tables.clone(),
        images: images.clone(),
        split: args.split,
        seed: args.seed,
        min_side: args.min_side,
        precision: models.precision().name(),
        weights: models.origin(),
        classifier_input: args.models.input,
        detector: DetectorSettings::of(&args.detector),
    };
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
        steps: (faces.pictures.len(), "pictures"),
        pictures: faces.pictures.clone(),
    };
    let sheets = args.pictures.is_some().then(Sheets::default);
    let outcome = data.measure(settings, |progress| {
        let detect = |picture: &_| Ok(finder.detect(picture)?);
        let classify = |picture: &_, rects: &[_]| Ok(network.classify(picture, rects)?);
        let networks: (&Detect<'_>, &Classify<'_>) = (&detect, &classify);
        hard::evaluate(&faces, &data.images, networks, args.seed, sheets.as_ref(), progress)
    });
    if let (Some(sheets), Some(folder)) = (sheets, &args.pictures) {
        sheets
            .write(folder)
            .with_context(|| format!("cannot write the contact sheets to {}", folder.display()))?;
    }
    outcome
}
