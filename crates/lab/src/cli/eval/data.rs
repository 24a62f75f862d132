//! The labelled pictures of a measurement, and its run: several threads, progress, figures and failures
//! printed.

use super::settings::EvalSettings;
use crate::data::labels::LabelledBox;
use crate::data::labels::{self, Split};
use crate::data::pictures::{self, LabelledPicture};
use crate::eval::evaluation::Evaluation;
use crate::eval::mistakes;
use anyhow::Context;
use maskwatch::cli::outcome::{Outcome, print};
use maskwatch::cli::values::pixels;
use maskwatch::vision::models::Models;
use serde::Serialize;
use std::fmt::Display;
use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How many pictures that failed are named one by one.
const NAMED_FAILURES: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct DataArgs {
    /// Labelled boxes: CSV with the columns image,x,y,w,h,label,split [default: data/faces.csv, for scenes
    /// and detector data/scenes.csv, in $MASKWATCH_SHARED or ../shared]
    #[arg(long, value_name = "CSV")]
    pub(super) labels: Option<PathBuf>,
    /// Folder that the pictures' paths start from [default: images beside the CSV file]
    #[arg(long, value_name = "DIR")]
    pub(super) images: Option<PathBuf>,
    /// Part of the data to measure on: val or train
    #[arg(long, default_value = "val")]
    pub(super) split: Split,
    /// Only the pictures of split train that training sets aside (with its default seed and share)
    #[arg(long)]
    pub(super) set_aside: bool,
    /// Leave out faces whose shorter side is below this many pixels
    #[arg(long, value_name = "PX", default_value = "0", value_parser = pixels)]
    pub(super) min_side: f32,
    /// How to print the figures
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
    /// Also write the mistakes to this file (columns image, box, label, p_mask, problem)
    #[arg(long, value_name = "CSV")]
    pub(super) errors: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Tables for a terminal
    Text,
    /// One JSON object
    Json,
}

/// The folder of what everybody measures with.
pub(super) fn shared() -> PathBuf {
    std::env::var_os("MASKWATCH_SHARED").map_or_else(|| "../shared".into(), PathBuf::from)
}

/// The table of this name in the shared folder.
pub(super) fn usual_table(name: &str) -> PathBuf {
    shared().join("data").join(name)
}

/// The folder of pictures that is named, or that lies beside a table.
pub(super) fn images_beside(named: Option<&PathBuf>, labels: &Path) -> anyhow::Result<PathBuf> {
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
pub(super) struct Data {
    pub(super) args: DataArgs,
    pub(super) threads: Option<u16>,
    pub(super) labels: PathBuf,
    pub(super) images: PathBuf,
    pub(super) pictures: Vec<LabelledPicture>,
    /// What progress counts, and how many of them there are.
    pub(super) steps: (usize, &'static str),
}

impl Data {
    pub(super) fn read(args: DataArgs, threads: Option<u16>, usual: &str) -> anyhow::Result<Self> {
        let labels = args.labels.clone().unwrap_or_else(|| usual_table(usual));
        let mut boxes = labels::read(&labels)?;
        let images = images_beside(args.images.as_ref(), &labels)?;
        if args.set_aside {
            set_aside(&mut boxes, &args, &labels)?;
        }
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

    pub(super) fn settings(&self, models: &Models) -> EvalSettings {
        EvalSettings {
            labels: self.labels.clone(),
            images: self.images.clone(),
            split: self.args.split,
            set_aside: self.args.set_aside,
            min_side: self.args.min_side,
            precision: models.precision().name(),
            weights: models.origin(),
            classifier_input: None,
            detector: None,
            verdict: None,
            door: None,
        }
    }

    /// Runs `evaluate` on the wanted number of threads, prints its report and tells what failed.
    pub(super) fn measure<Report: Serialize + Display + Send>(
        &self,
        settings: impl Serialize + Display,
        evaluate: impl FnOnce(&(dyn Fn(usize) + Sync)) -> Evaluation<Report> + Send,
    ) -> Outcome {
        let threads = self.threads.map(usize::from);
        let errors = self.args.errors.as_deref();
        Measure { threads, format: self.args.format, errors, steps: self.steps }.run(settings, evaluate)
    }
}

/// How a measurement runs and what it prints.
pub(super) struct Measure<'a> {
    /// Threads; `None` for one per core.
    pub(super) threads: Option<usize>,
    pub(super) format: Format,
    /// The file for mistakes.
    pub(super) errors: Option<&'a Path>,
    /// What progress counts, and how many of them there are.
    pub(super) steps: (usize, &'static str),
}

impl Measure<'_> {
    /// Runs `evaluate`, prints its report and tells what failed.
    pub(super) fn run<Report: Serialize + Display + Send>(
        &self,
        settings: impl Serialize + Display,
        evaluate: impl FnOnce(&(dyn Fn(usize) + Sync)) -> Evaluation<Report> + Send,
    ) -> Outcome {
        // Created before the long work, so that a path that cannot be written is known at once.
        let errors = self.errors.map(|path| (path, File::create(path)));
        let errors = match errors {
            Some((path, file)) => {
                Some((path, file.with_context(|| format!("cannot write {}", path.display()))?))
            }
            None => None,
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads.unwrap_or(0)).build()?;
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
        let text = match self.format {
            Format::Text => format!("{settings}\n{report}"),
            Format::Json => {
                let report = Json { settings, failed_pictures: failures.len(), report };
                serde_json::to_string_pretty(&report)? + "\n"
            }
        };
        print(&text)?;
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

/// Leaves the boxes of the pictures that training sets aside by default.
fn set_aside(boxes: &mut Vec<LabelledBox>, args: &DataArgs, labels: &Path) -> anyhow::Result<()> {
    use crate::data::dataset::{Dataset, DatasetOptions, Subset};
    anyhow::ensure!(
        args.split == Split::Train,
        "training sets aside pictures of split train only; add --split train, or leave out --set-aside"
    );
    let folder = labels.parent().unwrap_or(Path::new(""));
    let dataset = Dataset::load(folder, &DatasetOptions::default())?;
    let pictures = dataset.pictures(Subset::Selection);
    boxes.retain(|row| pictures.contains(folder.join("images").join(&row.image).as_path()));
    Ok(())
}
