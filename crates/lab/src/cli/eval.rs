//! `maskwatch-lab eval`: runs the measurements of [`crate::eval`] and prints their reports.

mod data;
mod door;
mod gates;
mod hard;
mod landmarks;
mod settings;
mod tables;

use crate::eval::networks::{Classify, Detect};
use crate::eval::{detector, faces, scenes};
use data::{Data, DataArgs};
use maskwatch::cli::networks::{DetectorArgs, ModelArgs, VerdictArgs};
use maskwatch::cli::outcome::Outcome;
use maskwatch::geometry::Rect;
use maskwatch::vision::Judgement;
use settings::{EvalSettings, MeasuredDetector, VerdictSettings, open};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Measurement,
}

#[derive(Debug, clap::Subcommand)]
enum Measurement {
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

pub(crate) fn run(args: Args) -> Outcome {
    match args.what {
        Measurement::Faces { data, models } => {
            let input = models.input;
            let data = Data::read(data, models.threads, "faces.csv")?;
            let models = open(&models)?;
            let network = models.classifier()?;
            let classifier_input = Some(input);
            let settings = EvalSettings { classifier_input, ..data.settings(&models) };
            data.measure(settings, |progress| {
                let classify = |picture: &_, rects: &[_]| Ok(network.classify(picture, rects)?);
                faces::evaluate(&data.pictures, &data.images, data.args.min_side, &classify, progress)
            })
        }
        Measurement::Scenes { data, models, detector, verdict } => {
            let input = models.input;
            let data = Data::read(data, models.threads, "scenes.csv")?;
            let models = open(&models)?;
            let (finder, network, rules) = (detector.make(&models)?, models.classifier()?, verdict.rules());
            let settings = EvalSettings {
                classifier_input: Some(input),
                detector: Some(MeasuredDetector::of(&detector)),
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
                let networks: (&Detect<'_>, &Classify<'_>) = (&detect, &classify);
                scenes::evaluate(&data.pictures, &data.images, min_side, networks, &verdict, progress)
            })
        }
        Measurement::Detector { data, models, detector } => {
            let data = Data::read(data, models.threads, "scenes.csv")?;
            let models = open(&models)?;
            let settings =
                EvalSettings { detector: Some(MeasuredDetector::of(&detector)), ..data.settings(&models) };
            let (finder, threshold) = (detector.make(&models)?, detector.score_threshold);
            data.measure(settings, |progress| {
                let detect = |picture: &_| Ok(finder.detect(picture)?);
                let min_side = data.args.min_side;
                detector::evaluate(&data.pictures, &data.images, min_side, threshold, &detect, progress)
            })
        }
        Measurement::Hard(args) => hard::run(args),
        Measurement::Landmarks(args) => landmarks::run(args),
        Measurement::Gates(args) => gates::run(args),
        Measurement::Door(args) => door::run(*args),
    }
}
