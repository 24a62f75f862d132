//! `maskwatch-lab eval presence`: arguments in, the figures of [`crate::eval::presence`] out.

use super::data::{Format, Measure, shared};
use super::settings::MeasuredDetector;
use crate::data::labels::{self, Split};
use crate::data::{non_faces, pictures};
use crate::eval::error::EvalError;
use crate::eval::presence;
use image::RgbImage;
use maskwatch::cli::networks::{DetectorArgs, ModelArgs, VerdictArgs, chain};
use maskwatch::cli::outcome::Outcome;
use maskwatch::vision::zones::Zones;
use maskwatch::vision::{Vision, everybody};
use serde::Serialize;
use std::fmt::{self, Display};
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder with negatives.csv, negatives/, faces.csv, scenes.csv and images/ [default: data in
    /// $MASKWATCH_SHARED or ../shared]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Part of the data to measure on: train to choose thresholds, val for figures
    #[arg(long, default_value = "val")]
    split: Split,
    /// How to print the figures
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Also write the mistakes to this file (columns image, box, label, p_mask, problem)
    #[arg(long, value_name = "CSV")]
    errors: Option<PathBuf>,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    detector: DetectorArgs,
    #[command(flatten)]
    verdict: VerdictArgs,
}

/// What was measured; printed with the figures.
#[derive(Debug, Serialize)]
struct MeasuredPresence {
    data: PathBuf,
    split: Split,
    precision: &'static str,
    #[serde(flatten)]
    detector: MeasuredDetector,
    min_person: f32,
    min_front: f32,
}

impl Display for MeasuredPresence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data, split, precision, detector, min_person, min_front } = self;
        let [width, height] = detector.detector_input;
        writeln!(out, "split {split} of {}", data.display())?;
        writeln!(
            out,
            "{precision}, detector input {width}x{height}, person from {min_person}, front from {min_front}"
        )
    }
}

pub(super) fn run(args: Args) -> Outcome {
    let data = args.data.unwrap_or_else(|| shared().join("data"));
    let (gates, rules) = (args.verdict.gates(), args.verdict.rules());
    let mut models = args.models.clone();
    models.threads = Some(1);
    let chain = chain(&models, &args.detector, gates, Zones::default())?;
    let empty = non_faces::empty_pictures(&data, args.split)?;
    let settings = MeasuredPresence {
        split: args.split,
        precision: args.models.precision.name(),
        detector: MeasuredDetector { min_iou: None, ..MeasuredDetector::of(&args.detector) },
        min_person: gates.min_person,
        min_front: gates.min_front,
        data: data.clone(),
    };
    let tables = ["faces", "scenes"].map(|name| (name, data.join(name).with_extension("csv")));
    let mut labelled = Vec::new();
    for (name, path) in tables {
        let mut boxes = labels::read(&path)?;
        boxes.retain(|face| face.split == args.split);
        labelled.push((name, pictures::group(boxes)));
    }
    let steps = (empty.len(), "pictures");
    let threads = args.models.threads.map(usize::from);
    Measure { threads, format: args.format, errors: args.errors.as_deref(), steps }.run(
        settings,
        |progress| {
            let look = |picture: &_| {
                chain
                    .clone()
                    .look(maskwatch::pixels::picture::View::from(picture), &mut everybody)
                    .map_err(EvalError::Vision)
            };
            let ask = |picture: &_, rects: &[_]| {
                let answers = chain.classifier().look(picture, rects)?;
                Ok(answers.into_iter().map(|answer| answer.presence).collect())
            };
            let mut evaluation = presence::empty(&empty, &|_, picture| picture, &look, &rules, progress);
            let show = |place, picture: RgbImage| presence::dark(place, &picture);
            evaluation.report.dark = presence::empty(&empty, &show, &look, &rules, &|_| {}).report.empty;
            for (name, pictures) in &labelled {
                let faces = presence::faces(pictures, &data.join("images"), &gates, &ask, &|_| {});
                evaluation.report.faces.0.push(((*name).to_owned(), faces.report));
                evaluation.mistakes.extend(faces.mistakes);
                evaluation.failures.extend(faces.failures);
            }
            evaluation
        },
    )
}
