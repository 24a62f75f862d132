//! `maskwatch eval`: runs the measurements of [`crate::eval`] and prints their reports.

#[cfg(feature = "train")]
mod door;
#[cfg(feature = "train")]
mod gates;
#[cfg(feature = "train")]
mod hard;
#[cfg(feature = "train")]
mod landmarks;
#[cfg(feature = "train")]
mod tables;

use super::Outcome;
use super::networks::{self, DetectorArgs, ModelArgs, VerdictArgs, pixels};
use crate::classify::Input;
use crate::eval::faces::{self, Evaluation};
use crate::eval::labels::{self, Split};
use crate::eval::matching::MIN_IOU;
use crate::eval::pictures::{self, LabelledPicture};
use crate::eval::{detector, mistakes, scenes};
use crate::models::{ModelOptions, Models};
use anyhow::Context;
use serde::Serialize;
use std::fmt::{self, Display};
use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How many pictures that failed are named one by one.
const NAMED_FAILURES: usize = 20;

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
    #[cfg(feature = "train")]
    Hard(hard::Args),
    /// How far the landmarks of bare faces are off once masks, hands, cups, beards and the like are drawn on them
    ///
    /// Where they should be is what the teacher says of the untouched face on average of ten looks.
    #[cfg(feature = "train")]
    Landmarks(landmarks::Args),
    /// What it brings to leave faces unjudged that are small, blurred, dark, turned away, or of which the classifier is not sure
    ///
    /// One table for each gate of the section [decision], and one for the certainty: faces let through at each threshold, and the
    /// wrong answers among them, whichever of mask and alarm is more probable being the answer.
    #[cfg(feature = "train")]
    Gates(gates::Args),
    /// What happens at a door: labelled faces walk through drawn entrances, past the daemon's own loop
    ///
    /// Counts per person: how many without a mask raise an alert, and how soon; how many with a mask raise a false one. Each
    /// person comes once alone and once among two to four. Faces are those of at least 48 pixels (shorter side) with room
    /// around them, in pictures whose faces are all labelled.
    #[cfg(feature = "train")]
    Door(Box<door::Args>),
}

#[derive(Debug, clap::Args)]
struct DataArgs {
    /// Labelled boxes: CSV with the columns image,x,y,w,h,label,split [default: data/faces.csv, for scenes and detector
    /// data/scenes.csv, in $MASKWATCH_SHARED or ../shared]
    #[arg(long, value_name = "CSV")]
    labels: Option<PathBuf>,
    /// Folder that the pictures' paths start from [default: images beside the CSV file]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Part of the data to measure on: val or train
    #[arg(long, default_value = "val")]
    split: Split,
    /// Leave out faces whose shorter side is below this many pixels
    #[arg(long, value_name = "PX", default_value = "0", value_parser = pixels)]
    min_side: f32,
    /// How to print the figures
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Also write the faces behind the wrong answers to this file (image, box, label, p_mask, problem)
    #[arg(long, value_name = "CSV")]
    errors: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Tables for a terminal
    Text,
    /// One JSON object
    Json,
}

/// What was measured, and how; printed with the figures.
#[derive(Debug, Serialize)]
struct Settings {
    labels: PathBuf,
    images: PathBuf,
    split: Split,
    min_side: f32,
    precision: &'static str,
    weights: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    classifier_input: Option<Input>,
    #[serde(flatten)]
    detector: Option<DetectorSettings>,
    #[serde(flatten)]
    verdict: Option<VerdictSettings>,
    #[cfg(feature = "train")]
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
                let verdict = |face: &_, answer: &_| networks::verdict(&rules, face, answer);
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
        #[cfg(feature = "train")]
        What::Hard(args) => hard::run(args),
        #[cfg(feature = "train")]
        What::Landmarks(args) => landmarks::run(args),
        #[cfg(feature = "train")]
        What::Gates(args) => gates::run(args),
        #[cfg(feature = "train")]
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

/// The folder of what everybody measures with.
fn shared() -> PathBuf {
    std::env::var_os("MASKWATCH_SHARED").map_or_else(|| "../shared".into(), PathBuf::from)
}

/// The table of this name in the shared folder.
fn usual_table(name: &str) -> PathBuf {
    shared().join("data").join(name)
}

/// The folder of pictures that is named, or that lies beside a table.
fn images_beside(named: Option<&PathBuf>, labels: &Path) -> anyhow::Result<PathBuf> {
    let beside = || labels.parent().unwrap_or(Path::new("")).join("images");
    let images = named.cloned().unwrap_or_else(beside);
    anyhow::ensure!(
        images.is_dir(),
        "{} is not a folder; name the folder of the pictures with --images",
        images.display()
    );
    Ok(images)
}

/// The pictures to measure on, and how.
struct Data {
    args: DataArgs,
    threads: Option<u16>,
    labels: PathBuf,
    images: PathBuf,
    pictures: Vec<LabelledPicture>,
    /// What progress counts, and how many of them there are.
    steps: (usize, &'static str),
}

impl Data {
    fn read(args: DataArgs, threads: Option<u16>, usual: &str) -> anyhow::Result<Self> {
        let labels = args.labels.clone().unwrap_or_else(|| usual_table(usual));
        let mut boxes = labels::read(&labels)?;
        let images = images_beside(args.images.as_ref(), &labels)?;
        boxes.retain(|face| face.split == args.split);
        anyhow::ensure!(
            boxes.iter().any(|face| face.rect.side() >= args.min_side),
            "{} has no box of split {} whose shorter side is {} pixels or more; measure another --split or lower --min-side",
            labels.display(),
            args.split,
            args.min_side
        );
        let pictures = pictures::group(boxes);
        let steps = (pictures.len(), "pictures");
        Ok(Self { args, threads, labels, images, pictures, steps })
    }

    fn settings(&self, models: &Models) -> Settings {
        Settings {
            labels: self.labels.clone(),
            images: self.images.clone(),
            split: self.args.split,
            min_side: self.args.min_side,
            precision: models.precision().name(),
            weights: models.origin(),
            classifier_input: None,
            detector: None,
            verdict: None,
            #[cfg(feature = "train")]
            door: None,
        }
    }

    /// Runs `evaluate` on the wanted number of threads, prints its report and tells what failed.
    fn measure<Report: Serialize + Display + Send>(
        &self,
        settings: impl Serialize + Display,
        evaluate: impl FnOnce(&(dyn Fn(usize) + Sync)) -> Evaluation<Report> + Send,
    ) -> Outcome {
        // Created before the long work, so that a path that cannot be written is known at once.
        let errors = self.args.errors.as_deref().map(|path| (path, File::create(path)));
        let errors = match errors {
            Some((path, file)) => {
                Some((path, file.with_context(|| format!("cannot write {}", path.display()))?))
            }
            None => None,
        };
        let threads = self.threads.map_or(0, usize::from);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let (total, steps) = self.steps;
        let show_progress = std::io::stderr().is_terminal();
        let progress = move |done: usize| {
            if show_progress && (done.is_multiple_of(10) || done >= total) {
                let end = if done >= total { "\r\x1b[K" } else { "" };
                eprint!("\r{done} of {total} {steps}{end}");
            }
        };
        let Evaluation { report, mistakes, failures } = pool.install(|| evaluate(&progress));
        if let Some((path, file)) = errors {
            mistakes::write(&mistakes, std::io::BufWriter::new(file))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let text = match self.args.format {
            Format::Text => format!("{settings}\n{report}"),
            Format::Json => {
                let report = Json { settings, failed_pictures: failures.len(), report };
                serde_json::to_string_pretty(&report)? + "\n"
            }
        };
        super::print(&text)?;
        for failure in failures.iter().take(NAMED_FAILURES) {
            eprintln!("warning: {}: {}", failure.image, failure.problem);
        }
        if failures.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        anyhow::bail!(
            "{} of {total} {steps} could not be measured; the figures are those of the others",
            failures.len()
        )
    }
}

#[derive(Debug, Serialize)]
struct Json<Settings, Report> {
    settings: Settings,
    failed_pictures: usize,
    #[serde(flatten)]
    report: Report,
}

impl Display for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (labels, images) = (self.labels.display(), self.images.display());
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
        #[cfg(feature = "train")]
        if let Some(door) = &self.door {
            out.write_str(&door.lines())?;
        }
        Ok(())
    }
}
