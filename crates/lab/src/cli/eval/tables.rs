//! What the measurements on several tables of labelled boxes have in common: arguments, settings, the
//! networks.

use super::data::{Data, DataArgs, Format, images_beside, usual_table};
use super::settings::{MeasuredDetector, open};
use crate::data::labels::{self, LabelledBox, Split};
use crate::data::pictures::LabelledPicture;
use crate::eval::evaluation::Evaluation;
use crate::eval::networks::EvalNetworks;
use maskwatch::cli::networks::{DetectorArgs, ModelArgs};
use maskwatch::cli::outcome::Outcome;
use maskwatch::vision::classifier::Input;
use serde::Serialize;
use std::fmt::{self, Display};
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct TableArgs {
    /// Labelled boxes, CSV with the columns image,x,y,w,h,label,split; may be given several times [default:
    /// data/faces.csv and data/scenes.csv in $MASKWATCH_SHARED or ../shared]
    #[arg(long, value_name = "CSV")]
    labels: Vec<PathBuf>,
    /// Folder that the pictures' paths start from [default: images beside the first CSV file]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Part of the data to measure on: train to choose thresholds, val for figures
    #[arg(long, default_value = "val")]
    pub(super) split: Split,
    /// How to print the figures
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    detector: DetectorArgs,
}

/// The tables, read.
pub(super) struct Tables {
    args: TableArgs,
    /// The CSV files.
    pub(super) paths: Vec<PathBuf>,
    /// The boxes of each, of all splits.
    pub(super) boxes: Vec<Vec<LabelledBox>>,
    /// The pictures' folder.
    pub(super) images: PathBuf,
}

/// What was measured, and how; printed with the figures.
#[derive(Debug, Serialize)]
struct TablesSettings<Own> {
    labels: Vec<PathBuf>,
    images: PathBuf,
    split: Split,
    #[serde(flatten)]
    own: Own,
    precision: &'static str,
    weights: String,
    classifier_input: Input,
    #[serde(flatten)]
    detector: MeasuredDetector,
}

impl<Own: Display> Display for TablesSettings<Own> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (labels, images) = (names(&self.labels), self.images.display());
        writeln!(out, "split {} of {labels}, pictures in {images}", self.split)?;
        writeln!(out, "{}", self.own)?;
        writeln!(out, "{}, {}", self.precision, self.weights)?;
        writeln!(out, "classifier input {}", self.classifier_input)?;
        let [width, height] = self.detector.detector_input;
        writeln!(out, "detector input {width}x{height}, score threshold {}", self.detector.score_threshold)
    }
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ")
}

impl Tables {
    pub(super) fn read(args: TableArgs) -> anyhow::Result<Self> {
        let paths = if args.labels.is_empty() {
            ["faces.csv", "scenes.csv"].map(usual_table).to_vec()
        } else {
            args.labels.clone()
        };
        let boxes: Vec<_> = paths.iter().map(|path| labels::read(path)).collect::<Result<_, _>>()?;
        let images = images_beside(args.images.as_ref(), &paths[0])?;
        Ok(Self { args, paths, boxes, images })
    }

    /// For messages.
    pub(super) fn names(&self) -> String {
        names(&self.paths)
    }

    /// Loads the networks and runs `evaluate` with them on `pictures`. `own` are the settings of this
    /// measurement.
    pub(super) fn measure<Report: Serialize + Display + Send>(
        self,
        pictures: Vec<LabelledPicture>,
        own: impl Serialize + Display,
        evaluate: impl FnOnce(&Data, &EvalNetworks<'_>, &(dyn Fn(usize) + Sync)) -> Evaluation<Report> + Send,
    ) -> Outcome {
        let Self { args, paths, images, .. } = self;
        let models = open(&args.models)?;
        let (finder, network) = (args.detector.make(&models)?, models.classifier()?);
        let locator = models.locator()?;
        let settings = TablesSettings {
            labels: paths.clone(),
            images: images.clone(),
            split: args.split,
            own,
            precision: models.precision().name(),
            weights: models.origin(),
            classifier_input: args.models.input,
            detector: MeasuredDetector::of(&args.detector),
        };
        let data = Data {
            args: DataArgs {
                labels: None,
                images: None,
                set_aside: false,
                split: args.split,
                min_side: 0.0,
                format: args.format,
                errors: None,
            },
            threads: args.models.threads,
            labels: paths[0].clone(),
            images,
            steps: (pictures.len(), "pictures"),
            pictures,
        };
        data.measure(settings, |progress| {
            let detect = |picture: &_| Ok(finder.detect(picture)?);
            let classify = |picture: &_, rects: &[_]| Ok(network.classify(picture, rects)?);
            let locate = |picture: &_, rect: &_| Ok(locator.locate(picture, rect)?);
            evaluate(&data, &EvalNetworks { detect: &detect, classify: &classify, locate: &locate }, progress)
        })
    }
}
