//! `maskwatch-lab eval`: runs the measurements of [`crate::eval`] and prints their reports.

mod data;
mod door;
mod gates;
mod hard;
mod landmarks;
mod tables;

use crate::data::labels::Split;
use crate::data::matching::MIN_IOU;
use crate::eval::faces;
use crate::eval::{detector, scenes};
use data::{Data, DataArgs};
use maskwatch::cli::networks::{DetectorArgs, ModelArgs, VerdictArgs};
use maskwatch::cli::outcome::Outcome;
use maskwatch::geometry::Rect;
use maskwatch::vision::Judgement;
use maskwatch::vision::classifier::Input;
use maskwatch::vision::models::{ModelOptions, Models};
use serde::Serialize;
use std::fmt::{self, Display};
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// How often the classifier is right on annotated faces
    Faces {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        models: ModelArgs,
    },
    /// The same on annotated scenes, and what detector and classifier together make of each face
    Scenes {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        models: ModelArgs,
        #[command(flatten)]
        detector: DetectorArgs,
        #[command(flatten)]
        verdict: VerdictArgs,
    },
    /// How many annotated faces the detector finds, and how many it sees that are not there
    Detector {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        models: ModelArgs,
        #[command(flatten)]
        detector: DetectorArgs,
    },
    /// What the classifier says of bare faces on which masks, hands, cups, beards and the like are drawn
    Hard(hard::Args),
    /// How far the landmarks of bare faces are off once masks, hands, cups, beards and the like are drawn on
    /// them
    ///
    /// Where they should be is what the teacher says of the untouched face on average of ten looks.
    Landmarks(landmarks::Args),
    /// What it brings to leave faces unjudged that are small, blurred, dark, turned away, or of which the
    /// classifier is not sure
    ///
    /// One table for each gate of the section [decision], and one for the certainty: faces let through at
    /// each threshold, and the wrong answers among them, whichever of mask and alarm is more probable being
    /// the answer.
    Gates(gates::Args),
    /// What happens at a door: labelled faces walk through drawn entrances, past the daemon's own loop
    ///
    /// Counts per person: how many without a mask raise an alert, and how soon; how many with a mask raise a
    /// false one. Each person comes once alone and once among two to four. Faces are those of at least 48
    /// pixels (shorter side) with room around them, in pictures whose faces are all labelled.
    Door(Box<door::Args>),
}

/// What was measured, and how; printed with the figures.
#[derive(Debug, Serialize)]
struct Settings {
    labels: PathBuf,
    images: PathBuf,
    split: Split,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    set_aside: bool,
    min_side: f32,
    precision: &'static str,
    weights: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    classifier_input: Option<Input>,
    #[serde(flatten)]
    detector: Option<DetectorSettings>,
    #[serde(flatten)]
    verdict: Option<VerdictSettings>,
    #[serde(flatten)]
    door: Option<door::DoorSettings>,
}

#[derive(Debug, Serialize)]
struct DetectorSettings {
    detector_input: [u32; 2],
    score_threshold: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_iou: Option<f32>,
}

#[derive(Debug, Serialize)]
struct VerdictSettings {
    certainty: f32,
    min_face_side: f32,
}

pub(crate) fn run(args: Args) -> Outcome {
    match args.what {
        What::Faces { data, models } => {
            let input = models.input;
            let data = Data::read(data, models.threads, "faces.csv")?;
            let models = open(&models)?;
            let network = models.classifier()?;
            let classifier_input = Some(input);
            let settings = Settings { classifier_input, ..data.settings(&models) };
            data.measure(settings, |progress| {
                let classify = |picture: &_, rects: &[_]| Ok(network.classify(picture, rects)?);
                faces::evaluate(&data.pictures, &data.images, data.args.min_side, &classify, progress)
            })
        }
        What::Scenes { data, models, detector, verdict } => {
            let input = models.input;
            let data = Data::read(data, models.threads, "scenes.csv")?;
            let models = open(&models)?;
            let (finder, network, rules) = (detector.make(&models)?, models.classifier()?, verdict.rules());
            let settings = Settings {
                classifier_input: Some(input),
                detector: Some(DetectorSettings::of(&detector)),
                verdict: Some(VerdictSettings {
                    certainty: verdict.certainty,
                    min_face_side: verdict.min_face_side,
                }),
                ..data.settings(&models)
            };
            data.measure(settings, |progress| {
                let detect = |picture: &_| Ok(finder.detect(picture)?);
                let classify = |picture: &_, rects: &[_]| Ok(network.classify(picture, rects)?);
                let verdict =
                    |face: &Rect, answer: &_| rules.verdict(face.side(), &Judgement::Answered(*answer));
                let min_side = data.args.min_side;
                let networks: (&detector::Detect<'_>, &faces::Classify<'_>) = (&detect, &classify);
                scenes::evaluate(&data.pictures, &data.images, min_side, networks, &verdict, progress)
            })
        }
        What::Detector { data, models, detector } => {
            let data = Data::read(data, models.threads, "scenes.csv")?;
            let models = open(&models)?;
            let settings =
                Settings { detector: Some(DetectorSettings::of(&detector)), ..data.settings(&models) };
            let (finder, threshold) = (detector.make(&models)?, detector.score_threshold);
            data.measure(settings, |progress| {
                let detect = |picture: &_| Ok(finder.detect(picture)?);
                let min_side = data.args.min_side;
                detector::evaluate(&data.pictures, &data.images, min_side, threshold, &detect, progress)
            })
        }
        What::Hard(args) => hard::run(args),
        What::Landmarks(args) => landmarks::run(args),
        What::Gates(args) => gates::run(args),
        What::Door(args) => door::run(*args),
    }
}

/// The pictures are shared among the threads, not the work of a network.
fn open(args: &ModelArgs) -> anyhow::Result<Models> {
    Ok(Models::open(&ModelOptions { threads: Some(1), ..args.options() })?)
}

impl DetectorSettings {
    fn of(args: &DetectorArgs) -> Self {
        Self {
            detector_input: args.detector_input.into(),
            score_threshold: args.score_threshold,
            min_iou: Some(MIN_IOU),
        }
    }
}

impl Display for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (labels, images) = (self.labels.display(), self.images.display());
        if self.set_aside {
            out.write_str("what training sets aside of ")?;
        }
        writeln!(out, "split {} of {labels}, pictures in {images}", self.split)?;
        if self.min_side > 0.0 {
            writeln!(out, "faces of at least {} px (shorter side)", self.min_side)?;
        }
        writeln!(out, "{}, {}", self.precision, self.weights)?;
        if let Some(input) = self.classifier_input {
            writeln!(out, "classifier input {input}")?;
        }
        if let Some(detector) = &self.detector {
            let [width, height] = detector.detector_input;
            let matched =
                detector.min_iou.map_or_else(String::new, |iou| format!(", matched at IoU {iou} or more"));
            let threshold = detector.score_threshold;
            writeln!(out, "detector input {width}x{height}, score threshold {threshold}{matched}")?;
        }
        if let Some(verdict) = &self.verdict {
            let VerdictSettings { certainty, min_face_side } = verdict;
            writeln!(
                out,
                "unsure below a probability of {certainty} or a shorter side of {min_face_side} px"
            )?;
        }
        if let Some(door) = &self.door {
            out.write_str(&door.lines())?;
        }
        Ok(())
    }
}
