//! `maskwatch-lab eval`: runs the measurements of [`crate::eval`] and prints their reports.

mod close;
mod data;
mod door;
mod gates;
mod hard;
mod landmarks;
mod presence;
mod same;
mod settings;
mod tables;
mod video;

use crate::data::labels;
use crate::eval::error::EvalError;
use crate::eval::networks::{Classify, Look};
use crate::eval::{detector, faces, scenes};
use data::{Data, DataArgs};
use image::RgbImage;
use maskwatch::cli::networks::{DetectorArgs, ModelArgs, VerdictArgs};
use maskwatch::cli::outcome::Outcome;
use maskwatch::vision::zones::Zones;
use maskwatch::vision::{Chain, ChainOptions, JudgedFace, Vision, everybody};
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
    /// The same on annotated scenes, and the verdict of detector and classifier on each face
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
    /// Recall and false positives of the detector on annotated scenes
    Detector {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        models: ModelArgs,
        #[command(flatten)]
        detector: DetectorArgs,
    },
    /// How the classifier labels bare faces with masks, hands, cups, beards and the like drawn on them
    Hard(hard::Args),
    /// Error of the landmarks on bare faces with masks, hands, cups, beards and the like drawn on them
    ///
    /// The true landmarks are those that the teacher finds on the untouched face: the mean over ten sizes and
    /// mirror images.
    Landmarks(landmarks::Args),
    /// Coverage and errors of the quality gates: size, sharpness, contrast, brightness, yaw, certainty
    ///
    /// Prints one table for each gate of the section [decision], and one for the certainty. Each row has the
    /// faces that pass a threshold, and the wrong answers among them. The answer is mask or alarm, the more
    /// probable of the two.
    Gates(gates::Args),
    /// Faces that fill a cheap webcam's frame before a bright window: found, judged, judged incorrectly
    ///
    /// The labelled faces of at least 48 pixels (shorter side) are shown at 40 to 110 % of the frame's width,
    /// at 5 to 25 % of its brightness, some masks black, with noise and JPEG artefacts.
    Close(Box<close::Args>),
    /// Pictures without people in which the daemon sees somebody, and faces that it takes for none
    Presence(Box<presence::Args>),
    /// Alerts at a simulated door: labelled faces walk through drawn entrances, watched by the daemon's loop
    ///
    /// Counts per person: how many without a mask raise an alert, and after what time; how many with a mask
    /// raise a false one. Each person comes once alone and once in a group of two to four. Faces are those of
    /// at least 48 pixels (shorter side) with room around them, in pictures whose faces are all labelled.
    Door(Box<door::Args>),
    /// What the door shows at real clips, watched by the daemon's loop at several frame rates
    ///
    /// Each row of the table names a clip and what is expected: "alert", "pass then alert", "pass and never
    /// alert" or "idle and nothing else". Clips are decoded by ffmpeg, .y4m without it. Without ffmpeg or the
    /// usual table it says so and ends.
    Video(Box<video::Args>),
    /// How often two people count as one by the colours of face and clothes
    ///
    /// Pairs of one person come from the faces of clips, pairs of different people from clips and from
    /// annotated pictures. Decides who, stepping out of view and back, raises no second alert.
    Same(Box<same::Args>),
}

pub(crate) fn run(args: Args) -> Outcome {
    match args.what {
        Measurement::Faces { data, models } => {
            let input = models.input;
            let data = Data::read(data, models.threads, "faces.csv")?;
            let kinds = labels::kinds(&data.labels.with_file_name("incorrect_kinds.csv"))?;
            let models = open(&models)?;
            let network = models.classifier()?;
            let classifier_input = Some(input);
            let settings = EvalSettings { classifier_input, ..data.settings(&models) };
            data.measure(settings, |progress| {
                let classify = |picture: &_, rects: &[_]| Ok(network.classify(picture, rects)?);
                let min_side = data.args.min_side;
                faces::evaluate(&data.pictures, &data.images, min_side, &kinds, &classify, progress)
            })
        }
        Measurement::Scenes { data, models, detector, verdict } => {
            let input = models.input;
            let data = Data::read(data, models.threads, "scenes.csv")?;
            let named = models.options();
            let models = open(&models)?;
            let options = ChainOptions {
                models: named,
                detector_input: detector.detector_input,
                close_faces: !detector.no_close_faces,
                score_threshold: detector.score_threshold,
                gates: verdict.gates(),
                zones: Zones::default(),
            };
            let (chain, rules) = (Chain::new(&models, &options)?, verdict.rules());
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
                let look = |picture: &RgbImage| {
                    let looked = chain.clone().look(picture.into(), &mut everybody);
                    looked.map_err(EvalError::Vision)
                };
                let classify = |picture: &_, rects: &[_]| Ok(chain.classifier().classify(picture, rects)?);
                let verdict = |face: &JudgedFace| rules.verdict(face.rect.side(), &face.judgement);
                let min_side = data.args.min_side;
                let networks: (&Look<'_>, &Classify<'_>) = (&look, &classify);
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
        Measurement::Close(args) => close::run(*args),
        Measurement::Presence(args) => presence::run(*args),
        Measurement::Door(args) => door::run(*args),
        Measurement::Video(args) => video::run(*args),
        Measurement::Same(args) => same::run(*args),
    }
}
